//! A resolved tree as SQL that means the same under every search path and setting.

use super::tree::{Name, Node, Type};
use crate::ident::{qualified, quote, quote_literal};

pub(super) fn write(node: &Node) -> String {
    match node {
        Node::Text(text) => quote_literal(text),
        Node::Number(text) if text.starts_with('-') => format!("({text})"),
        Node::Number(text) => text.clone(),
        Node::Boolean(value) => value.to_string(),
        Node::Null => "NULL".to_owned(),
        Node::Column(name) => quote(name),
        Node::Value(word, precision) => match precision {
            Some(precision) => format!("{}({precision})", word.to_uppercase()),
            None => word.to_uppercase(),
        },
        Node::Call(name, arguments) if name.is_plain() && name.name == "extract" => {
            match arguments.as_slice() {
                // The only spelling that needs no cast.
                [Node::Text(part), of] => {
                    format!("EXTRACT({} FROM {})", quote_literal(part), write(of))
                }
                _ => format!("pg_catalog.\"extract\"({})", list(arguments)),
            }
        }
        Node::Call(name, arguments) => format!("{}({})", of_name(name), list(arguments)),
        Node::Form(form, arguments) => format!("{}({})", form.to_uppercase(), list(arguments)),
        Node::Array(items) => format!("ARRAY[{}]", list(items)),
        Node::Cast(of, cast) => format!("({}::{})", write(of), of_type(cast)),
        Node::Collate(of, name) => format!("({} COLLATE {})", write(of), of_name(name)),
        Node::Zone(of, zone) => format!("({} AT TIME ZONE {})", write(of), write(zone)),
        Node::Prefix(operator, of) => format!("({} {})", of_operator(operator), write(of)),
        Node::Operation(operator, left, right) => {
            format!("({} {} {})", write(left), of_operator(operator), write(right))
        }
        Node::Any { operator, all, left, list } => format!(
            "({} {} {} ({}))",
            write(left),
            of_operator(operator),
            if *all { "ALL" } else { "ANY" },
            write(list)
        ),
        Node::In { negated, left, items } => write_in(*negated, left, items),
        Node::And(parts) => joined(parts, " AND "),
        Node::Or(parts) => joined(parts, " OR "),
        Node::Not(of) => format!("(NOT {})", write(of)),
        Node::Is { of, what, negated } => format!(
            "({} IS {}{})",
            write(of),
            if *negated { "NOT " } else { "" },
            what.to_uppercase()
        ),
    }
}

/// IN finds its operator by the search path, so it is said with one that has a schema. Texts without a type stand
/// in one literal, which takes the type of the left side: as an array of their own they would be `text[]`.
fn write_in(negated: bool, left: &Node, items: &[Node]) -> String {
    let left = write(left);
    let operator = format!("OPERATOR(pg_catalog.{})", if negated { "<>" } else { "=" });
    let quantifier = if negated { "ALL" } else { "ANY" };
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Node::Text(text) => {
                Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
            }
            _ => None,
        })
        .collect();
    match (items, texts) {
        ([item], _) => format!("({left} {operator} {})", write(item)),
        (_, Some(texts)) => {
            let literal = quote_literal(&format!("{{{}}}", texts.join(",")));
            format!("({left} {operator} {quantifier} ({literal}))")
        }
        (items, None) => format!("({left} {operator} {quantifier} (ARRAY[{}]))", list(items)),
    }
}

fn list(nodes: &[Node]) -> String {
    nodes.iter().map(write).collect::<Vec<_>>().join(", ")
}

fn joined(nodes: &[Node], word: &str) -> String {
    format!("({})", nodes.iter().map(write).collect::<Vec<_>>().join(word))
}

fn of_name(name: &Name) -> String {
    qualified(name.schema.as_deref().unwrap_or("pg_catalog"), &name.name)
}

fn of_operator(operator: &Name) -> String {
    let schema = operator.schema.as_deref().unwrap_or("pg_catalog");
    format!(
        "OPERATOR({}.{})",
        if schema == "pg_catalog" { schema.to_owned() } else { quote(schema) },
        operator.name
    )
}

fn of_type(of: &Type) -> String {
    let mut text = of_name(&of.name);
    if !of.modifiers.is_empty() {
        let modifiers: Vec<String> = of.modifiers.iter().map(u32::to_string).collect();
        text.push_str(&format!("({})", modifiers.join(", ")));
    }
    if of.array {
        text.push_str("[]");
    }
    text
}
