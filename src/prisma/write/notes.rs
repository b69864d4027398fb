//! What Prisma does not know of a table, for the comment above its model.

use super::facts::IndexFact;
use super::indexes::method;
use super::model::Model;
use super::types::quoted;

/// Adds to the notes that relations have left.
pub(super) fn note(model: &mut Model<'_>) {
    let table = model.table;
    let mut notes = Vec::new();
    match table.kind {
        'p' => notes.push("partitions".to_owned()),
        'f' => notes.push("that the table is a foreign one".to_owned()),
        _ => {}
    }
    if table.inherited {
        notes.push("tables that inherit from it".to_owned());
    }
    if table.inherits {
        notes.push("that it inherits".to_owned());
    }
    if table.row_security {
        notes.push("row level security".to_owned());
    }
    notes.extend(several("check", "checks", table.checks.iter()));
    notes.extend(several("exclusion", "exclusions", table.exclusions.iter()));
    for column in &table.columns {
        if let Some(domain) = &column.domain {
            notes.push(format!("domain {} of {}", quoted(domain), quoted(&column.name)));
        }
    }
    let generated =
        table.columns.iter().filter(|column| column.generated).map(|column| &column.name);
    notes.extend(several("generated column", "generated columns", generated));
    for index in &table.indexes {
        let found = of_index(index);
        if !found.is_empty() {
            notes.push(format!("index {}: {}", quoted(&index.name), found.join(", ")));
        }
    }
    for reference in &table.references {
        let found: Vec<&str> = [
            (reference.deferrable, "deferrable"),
            (reference.full, "MATCH FULL"),
            (reference.set_columns, "the columns of SET NULL"),
            (!reference.validated, "not valid yet"),
        ]
        .into_iter()
        .filter_map(|(is, what)| is.then_some(what))
        .collect();
        if !found.is_empty() {
            notes.push(format!("reference {}: {}", quoted(&reference.name), found.join(", ")));
        }
    }
    notes.append(&mut model.notes);
    model.notes = notes;
}

fn several<'n>(one: &str, many: &str, names: impl Iterator<Item = &'n String>) -> Option<String> {
    let names: Vec<String> = names.map(|name| quoted(name)).collect();
    let kind = if names.len() == 1 { one } else { many };
    (!names.is_empty()).then(|| format!("{kind} {}", names.join(", ")))
}

fn of_index(index: &IndexFact) -> Vec<String> {
    let keys = index.columns.iter().take(index.keys);
    let is_tree = index.method == "btree";
    let mut found = Vec::new();
    if index.has_expressions() {
        found.push("all of it, for its expressions".to_owned());
    }
    if !is_tree && method(&index.method).is_none() {
        found.push(format!("its method {}", index.method));
    }
    for column in keys.clone() {
        let is_seen = !is_tree && index.method != "hash" && method(&index.method).is_some();
        if let Some(class) =
            column.operator_class.as_ref().filter(|_| !is_seen && !column.default_operator_class)
        {
            found.push(format!("operator class {class}"));
        }
    }
    if is_tree && keys.clone().any(|column| column.descending != column.nulls_first) {
        found.push("where it sorts nulls".to_owned());
    }
    if index.keys < index.columns.len() {
        found.push("which of its columns are keys".to_owned());
    }
    if index.nulls_not_distinct {
        found.push("NULLS NOT DISTINCT".to_owned());
    }
    if index.deferrable {
        found.push("deferrable".to_owned());
    }
    if !index.valid {
        found.push("not valid".to_owned());
    }
    found
}
