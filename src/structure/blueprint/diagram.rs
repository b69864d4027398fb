//! A blueprint as a Mermaid entity relationship diagram (<https://mermaid.js.org/syntax/entityRelationshipDiagram.html>).
//!
//! Mermaid's names are less than SQL's: what it could not read is written with underscores, and a name is told apart from
//! an equal one by a number.

use super::model::{Blueprint, ModelTable};
use crate::field_types::kind::FieldKind;
use crate::structure::table::{Column, Reference, Rule, Table};
use std::collections::{HashMap, HashSet};

/// Tables with their columns, then references, in the order of the document.
pub(crate) fn diagram(blueprint: &Blueprint) -> String {
    let mut lines = vec!["erDiagram".to_owned()];
    let names = entity_names(blueprint);
    for (table, name) in blueprint.tables.iter().zip(&names) {
        lines.push(format!("    {name} {{"));
        lines.extend(table.table.columns.iter().map(|column| attribute(&table.table, column)));
        lines.push("    }".to_owned());
    }
    let by_table: HashMap<(&str, &str), &String> = blueprint
        .tables
        .iter()
        .zip(&names)
        .map(|(table, name)| ((table.schema.as_str(), table.table_name.as_str()), name))
        .collect();
    for (table, name) in blueprint.tables.iter().zip(&names) {
        for rule in &table.table.rules {
            let Rule::Reference(reference) = rule else { continue };
            let target = (reference.target.schema.as_str(), reference.target.table.as_str());
            if let Some(parent) = by_table.get(&target) {
                lines.push(relationship(table, name, reference, parent));
            }
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Quoted, and each of one table.
fn entity_names(blueprint: &Blueprint) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut name_of = |table: &ModelTable| {
        let plain: String = table
            .name
            .chars()
            .map(|c| if matches!(c, '"' | '%' | '\\') || c.is_control() { '_' } else { c })
            .collect();
        let mut name = plain.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{plain}_{number}");
        }
        format!("\"{name}\"")
    };
    blueprint.tables.iter().map(&mut name_of).collect()
}

/// A word of an attribute: letters, digits and underscores.
fn word(text: &str) -> String {
    let mut word: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c > '\u{bf}' { c } else { '_' })
        .collect();
    if !word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        word.insert(0, '_');
    }
    word
}

fn attribute(table: &Table, column: &Column) -> String {
    let mut keys = Vec::new();
    let mut has = |word: &'static str, test: &dyn Fn(&Rule) -> bool| {
        if table.rules.iter().any(test) {
            keys.push(word);
        }
    };
    let name = column.name.as_str();
    has("PK", &|rule| matches!(rule, Rule::PrimaryKey(_)) && rule.columns().contains(&name));
    has("FK", &|rule| matches!(rule, Rule::Reference(_)) && rule.columns().contains(&name));
    has("UK", &|rule| is_unique(rule) && rule.columns() == [name]);
    let mut line = format!("        {} {}", type_word(column), word(name));
    if !keys.is_empty() {
        line.push_str(&format!(" {}", keys.join(", ")));
    }
    if let Some(text) = &column.description {
        let text: String =
            text.chars().map(|c| if c == '"' { '\'' } else { c }).map(without_control).collect();
        line.push_str(&format!(" \"{text}\""));
    }
    line
}

fn without_control(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

fn type_word(column: &Column) -> String {
    let mut text = match &column.kind {
        FieldKind::Text { max_length: Some(length) } => format!("varchar({length})"),
        FieldKind::Vector { dimensions } => format!("vector({dimensions})"),
        FieldKind::NamedEnum { name, .. } => word(name),
        FieldKind::Native(native) => match native.modifiers.as_slice() {
            [one] if one.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{}({one})", word(&native.name))
            }
            _ => word(&native.name),
        },
        kind => kind.name().to_owned(),
    };
    if column.list {
        text.push_str("[]");
    }
    text
}

fn is_unique(rule: &Rule) -> bool {
    match rule {
        Rule::Unique(_) => true,
        Rule::Index(index) => index.unique && index.predicate.is_none(),
        _ => false,
    }
}

fn relationship(table: &ModelTable, name: &str, reference: &Reference, parent: &str) -> String {
    let optional = reference
        .columns
        .iter()
        .any(|name| table.table.column(name).is_some_and(|column| !column.required));
    let same = |columns: Vec<&str>| {
        columns.len() == reference.columns.len()
            && columns.iter().all(|name| reference.columns.iter().any(|column| column == name))
    };
    let is_key = |rule: &Rule| is_unique(rule) || matches!(rule, Rule::PrimaryKey(_));
    let single = table.table.rules.iter().any(|rule| is_key(rule) && same(rule.columns()));
    let fields: Vec<String> = reference.columns.iter().map(|column| word(column)).collect();
    format!(
        "    {parent} {}--{} {name} : \"{}\"",
        if optional { "|o" } else { "||" },
        if single { "o|" } else { "o{" },
        fields.join(", ")
    )
}
