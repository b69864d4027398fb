//! The normal form of an expression: one text for what a user writes and for what Postgres prints of it.
//!
//! Postgres gives every literal a type, by rules that need the types of columns. The normal form has to be found
//! without these, so a constant is its value, whatever its type: casts of constants are left out, and spellings of
//! one value (of times, intervals, documents, UUIDs) become one. Casts of other things are left out where Postgres adds them by
//! itself. What is left out makes two expressions equal that differ in a type alone.

use super::tree::{Name, Node, Type};
use super::value;

pub(super) fn normal(node: &Node) -> String {
    if let Some(constant) = constant(node) {
        return constant;
    }
    match node {
        // Constants, which are done.
        Node::Text(_) | Node::Number(_) | Node::Boolean(_) | Node::Null => String::new(),
        Node::Column(name) => crate::ident::quote(name),
        // The time of the transaction, as now() and transaction_timestamp() are.
        Node::Value(word, None) if word == "current_timestamp" => "now()".to_owned(),
        Node::Value(word, precision) => match precision {
            Some(precision) => format!("{word}({precision})"),
            None => word.clone(),
        },
        Node::Call(name, arguments) => call(name, arguments),
        Node::Form(form, arguments) => {
            let arguments: Vec<String> = arguments
                .iter()
                .map(|argument| {
                    let widened = ["int4", "int8", "numeric", "float8", "timestamp", "timestamptz"];
                    normal(without_casts(argument, &widened))
                })
                .collect();
            format!("{form}({})", arguments.join(", "))
        }
        Node::Array(items) => format!("array[{}]", list(items)),
        Node::Cast(of, cast) if is_implied(cast, &TEXTS) => normal(of),
        Node::Cast(of, cast) => {
            format!("({}::{}{})", normal(of), of_type(cast), if cast.array { "[]" } else { "" })
        }
        Node::Collate(of, name) => format!("({} collate {})", normal(of), of_name(name)),
        Node::Zone(of, zone) => format!("timezone({}, {})", normal(zone), normal(of)),
        Node::Prefix(operator, of) => format!("({} {})", of_name(operator), normal(of)),
        Node::Operation(operator, left, right) => operation(operator, left, right),
        Node::Any { operator, all, left, list } => any(operator, *all, left, list),
        Node::In { negated, left, items } => {
            let operator = Name::bare(if *negated { "<>" } else { "=" });
            any(&operator, *negated, left, &Node::Array(items.clone()))
        }
        Node::And(_) => flat(node, "and"),
        Node::Or(_) => flat(node, "or"),
        Node::Not(of) => format!("(not {})", normal(of)),
        Node::Is { of, what, negated } => {
            format!("({} is {}{what})", normal(of), if *negated { "not " } else { "" })
        }
    }
}

/// Types whose casts compare and concatenate as the value does.
const TEXTS: [&str; 2] = ["text", "varchar"];
const WIDER: [&str; 2] = ["numeric", "float8"];

fn is_implied(cast: &Type, types: &[&str]) -> bool {
    cast.name.is_plain() && cast.modifiers.is_empty() && types.contains(&cast.name.name.as_str())
}

fn without_casts<'n>(node: &'n Node, types: &[&str]) -> &'n Node {
    match node {
        Node::Cast(of, cast) if is_implied(cast, types) || is_implied(cast, &TEXTS) => {
            without_casts(of, types)
        }
        node => node,
    }
}

/// What a constant is, whatever its type.
enum Value {
    /// A text in quotes, or `null`.
    One(String),
    Array(Vec<String>),
}

fn constant(node: &Node) -> Option<String> {
    Some(match value_of(node)? {
        Value::One(text) => text,
        // Nothing tells an empty array from an empty document.
        Value::Array(items) if items.is_empty() => "'{}'".to_owned(),
        Value::Array(items) => format!("{{{}}}", items.join(",")),
    })
}

fn value_of(node: &Node) -> Option<Value> {
    let (inner, casts) = node.uncast();
    let mut value = match inner {
        Node::Null => Value::One("null".to_owned()),
        Node::Boolean(value) => Value::One(quoted(&value.to_string())),
        Node::Number(text) => Value::One(quoted(&value::number(text))),
        // The innermost cast has read it.
        Node::Text(text) => literal(text, casts.last().map_or("", |cast| cast.name.name.as_str())),
        Node::Array(items) => Value::Array(items.iter().map(element).collect::<Option<Vec<_>>>()?),
        Node::Prefix(operator, of) if operator.name == "-" => {
            let number = constant(of)?;
            let digits = number.strip_prefix('\'')?;
            digits.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
            Value::One(format!("'-{digits}"))
        }
        _ => return None,
    };
    // A modifier may cut or round. Postgres gives that of an array's type to its elements.
    for cast in casts.iter().rev().filter(|cast| !cast.modifiers.is_empty()) {
        let wrap = |text: &String| {
            if keeps(cast, text) { text.clone() } else { format!("({text}::{})", of_type(cast)) }
        };
        value = match value {
            Value::One(text) => Value::One(wrap(&text)),
            Value::Array(items) => Value::Array(items.iter().map(wrap).collect()),
        };
    }
    Some(value)
}

/// Whether a value stays what it is under the modifier of a type.
fn keeps(cast: &Type, value: &str) -> bool {
    let Some(text) = value.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) else {
        return value == "null";
    };
    let text = text.replace("''", "'");
    let first = cast.modifiers.first().copied().unwrap_or_default() as usize;
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((&text, ""));
    match cast.name.name.as_str() {
        "varchar" | "varbit" => text.chars().count() <= first,
        "bpchar" | "bit" => text.chars().count() == first,
        "numeric" => {
            let scale = cast.modifiers.get(1).copied().unwrap_or_default() as usize;
            let whole = whole.trim_start_matches('-');
            let is_number = !whole.is_empty()
                && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
            is_number && fraction.len() <= scale && whole.len() + scale <= first
        }
        "time" | "timetz" | "timestamp" | "timestamptz" => {
            let fraction = fraction.bytes().take_while(u8::is_ascii_digit).count();
            fraction <= first && text.starts_with(|c: char| c.is_ascii_digit())
        }
        _ => false,
    }
}

/// An element of an array. A text in braces is no array there, as it is none among the items of a literal.
fn element(node: &Node) -> Option<String> {
    match node.uncast() {
        (Node::Text(text), casts) if casts.iter().all(|cast| cast.modifiers.is_empty()) => {
            let of_type = casts.last().map_or("", |cast| cast.name.name.as_str());
            Some(quoted(&value::canonical(text, of_type)))
        }
        _ => constant(node),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn literal(text: &str, of_type: &str) -> Value {
    let scalar = |text: &str| quoted(&value::canonical(text, of_type));
    match value::array(text) {
        Some(items) => Value::Array(
            items
                .iter()
                .map(|item| item.as_deref().map_or_else(|| "null".to_owned(), scalar))
                .collect(),
        ),
        None => Value::One(scalar(text)),
    }
}

fn call(name: &Name, arguments: &[Node]) -> String {
    let arguments: Vec<String> =
        arguments.iter().map(|argument| normal(without_casts(argument, &WIDER))).collect();
    let named = match name.name.as_str() {
        "transaction_timestamp" if name.is_plain() => "now".to_owned(),
        "character_length" if name.is_plain() => "char_length".to_owned(),
        "ceiling" if name.is_plain() => "ceil".to_owned(),
        "uuidv4" if name.is_plain() => "gen_random_uuid".to_owned(),
        _ => of_name(name),
    };
    format!("{named}({})", arguments.join(", "))
}

fn operation(operator: &Name, left: &Node, right: &Node) -> String {
    // Two numbers of different types meet as the wider: of a column and a fraction, or of two columns. A
    // whole number never widens the other side, so a cast there was somebody's wish, except in comparisons.
    let compares = matches!(operator.name.as_str(), "=" | "<>" | "<" | ">" | "<=" | ">=");
    let side = |of: &Node, other: &Node| {
        let whole = constant(other).is_some_and(|other| !other.contains('.'));
        let types: &[&str] = if compares || !whole { &WIDER } else { &[] };
        normal(without_casts(of, types))
    };
    format!("({} {} {})", side(left, right), of_name(operator), side(right, left))
}

fn any(operator: &Name, all: bool, left: &Node, list: &Node) -> String {
    let left = normal(without_casts(left, &WIDER));
    let list = without_casts(list, &WIDER);
    if let Node::Array(items) = list.uncast().0
        && let [item] = items.as_slice()
        && let Some(item) = constant(item)
    {
        return format!("({left} {} {item})", of_name(operator));
    }
    let word = if all { "all" } else { "any" };
    format!("({left} {} {word} {})", of_name(operator), normal(list))
}

/// The parts of nested conjunctions, or of nested disjunctions, in one row.
fn flat(node: &Node, word: &str) -> String {
    fn gather(node: &Node, word: &str, parts: &mut Vec<String>) {
        match (node, word) {
            (Node::And(nodes), "and") | (Node::Or(nodes), "or") => {
                nodes.iter().for_each(|node| gather(node, word, parts));
            }
            (node, _) => parts.push(normal(node)),
        }
    }
    let mut parts = Vec::new();
    gather(node, word, &mut parts);
    format!("({})", parts.join(&format!(" {word} ")))
}

fn list(nodes: &[Node]) -> String {
    nodes.iter().map(normal).collect::<Vec<_>>().join(", ")
}

fn of_name(name: &Name) -> String {
    match &name.schema {
        Some(schema) if schema != "pg_catalog" => crate::ident::qualified(schema, &name.name),
        _ => name.name.clone(),
    }
}

fn of_type(of: &Type) -> String {
    let modifiers: Vec<String> = of.modifiers.iter().map(u32::to_string).collect();
    format!("{}({})", of_name(&of.name), modifiers.join(","))
}
