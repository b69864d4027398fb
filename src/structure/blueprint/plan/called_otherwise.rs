//! Tables and enums that the new document calls otherwise, and the database does not: they are the same, and keep their rows.

use crate::structure::blueprint::model::Blueprint;
use crate::structure::blueprint::registry::Stored;
use std::collections::HashSet;

/// What a document calls a thing, and its schema and name in the database.
type Called<'b> = (&'b str, (&'b str, &'b str));

/// Says `renamed_from` of what has a new name in the document alone.
pub(super) fn recognise(blueprint: &mut Blueprint, stored: &Stored) {
    let before = || stored.versions().map(|version| &version.blueprint);
    let tables: Vec<Called<'_>> = before()
        .flat_map(|blueprint| &blueprint.tables)
        .map(|table| (table.name.as_str(), (table.schema.as_str(), table.table_name.as_str())))
        .collect();
    let enums: Vec<Called<'_>> = before()
        .flat_map(|blueprint| &blueprint.enums)
        .map(|found| (found.name.as_str(), (found.schema.as_str(), found.type_name.as_str())))
        .collect();
    let taken = |names: &mut dyn Iterator<Item = (&str, &Option<String>)>| -> HashSet<String> {
        names.flat_map(|(name, from)| from.iter().cloned().chain([name.to_owned()])).collect()
    };
    let used = taken(&mut blueprint.tables.iter().map(|t| (t.name.as_str(), &t.renamed_from)));
    for table in &mut blueprint.tables {
        let place = (table.schema.as_str(), table.table_name.as_str());
        if table.renamed_from.is_none() {
            table.renamed_from = older_name(&table.name, place, &tables, &used);
        }
    }
    let used = taken(&mut blueprint.enums.iter().map(|e| (e.name.as_str(), &e.renamed_from)));
    for found in &mut blueprint.enums {
        let place = (found.schema.as_str(), found.type_name.as_str());
        if found.renamed_from.is_none() {
            found.renamed_from = older_name(&found.name, place, &enums, &used);
        }
    }
}

/// The name in an older document of what is at a place, if nothing of the new document has it.
fn older_name(
    name: &str,
    place: (&str, &str),
    before: &[Called<'_>],
    used: &HashSet<String>,
) -> Option<String> {
    if before.iter().any(|(older, _)| *older == name) {
        return None;
    }
    let (older, _) =
        before.iter().find(|(older, there)| *there == place && !used.contains(*older))?;
    Some((*older).to_owned())
}
