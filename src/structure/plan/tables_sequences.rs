//! What the sequences of a blueprint's columns are called.

use super::generated::is_generated;
use super::tables::TablesGoal;
use crate::structure::blueprint::model::ModelTable;
use crate::structure::ddl::postgres_name;
use crate::structure::observe::Observed;
use std::collections::{HashMap, HashSet};

/// For each table what the sequences of its columns are called at the end. One that was named after its table and column
/// goes on to be; names are those that Postgres gives.
pub(super) fn names_then(goal: &TablesGoal<'_>) -> Vec<HashMap<String, String>> {
    let mut taken: HashSet<(String, String)> = HashSet::new();
    for target in goal.tables.iter().filter_map(|table| table.target) {
        let names = target.table.names.iter().flatten().chain([&target.table_name]);
        taken.extend(names.map(|name| (target.schema.clone(), name.clone())));
    }
    let mut then = vec![HashMap::new(); goal.tables.len()];
    for (table, then) in goal.tables.iter().zip(&mut then) {
        let Some(target) = table.target else { continue };
        let generated = target.table.columns.iter().filter(|column| is_generated(column));
        for column in generated {
            let kept = table.now.as_ref().and_then(|now| {
                let source = source_of(target, now.observed, &column.name);
                let (_, state) = now.keeping.sequences.iter().find(|(of, _)| of == source)?;
                let name = &state.name;
                let is_parted = !(state.identity || state.owned && state.feeds);
                let stays = now.observed.name == target.table_name && source == column.name;
                (stays || is_parted || !is_named_after(name, &now.observed.name, source))
                    .then_some(name)
            });
            if let Some(name) = kept {
                taken.insert((target.schema.clone(), name.clone()));
                then.insert(column.name.clone(), name.clone());
            }
        }
    }
    for (table, then) in goal.tables.iter().zip(&mut then) {
        let Some(target) = table.target else { continue };
        for column in target.table.columns.iter().filter(|column| is_generated(column)) {
            if then.contains_key(&column.name) {
                continue;
            }
            let mut label = "seq".to_owned();
            let mut number = 0;
            let name = loop {
                let name = postgres_name(&target.table_name, Some(&column.name), &label);
                if taken.insert((target.schema.clone(), name.clone())) {
                    break name;
                }
                number += 1;
                label = format!("seq{number}");
            };
            then.insert(column.name.clone(), name);
        }
    }
    then
}

/// Whether Postgres gave a sequence its name.
fn is_named_after(name: &str, table: &str, column: &str) -> bool {
    let numbers = (1..10).map(|number| format!("seq{number}"));
    let mut labels = std::iter::once("seq".to_owned()).chain(numbers);
    labels.any(|label| postgres_name(table, Some(column), &label) == name)
}

/// What a column of the target is called now.
fn source_of<'s>(target: &'s ModelTable, observed: &Observed, name: &'s str) -> &'s str {
    let there = |name: &str| observed.table.column(name).is_some();
    let renamed = target.renames.iter().find(|(from, to)| {
        to == name && there(from) && (!there(name) || target.table.column(from).is_none())
    });
    renamed.map_or(name, |(from, _)| from)
}
