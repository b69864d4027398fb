//! What the versions of a blueprint call the same table, field or enum.
//!
//! While a version is under way, its renames may be done. A document that goes back to the version before does not tell them,
//! since for its author nothing was renamed; one that goes elsewhere tells those of its own. Both mean what is there.

use super::Place;
use crate::structure::blueprint::facts::Facts;
use crate::structure::blueprint::model::{Blueprint, EnumType, ModelTable};
use crate::structure::blueprint::registry::{Stored, Version};
use crate::structure::table::Table;
use std::collections::{HashMap, HashSet};

/// Names of one kind of things in versions, the one that was applied first; equal numbers are the same thing.
struct Lines<'v> {
    versions: Vec<HashMap<&'v str, usize>>,
}

impl<'v> Lines<'v> {
    /// Of each version the names, and what each was called before.
    fn new(versions: impl Iterator<Item = Vec<(&'v str, Option<&'v str>)>>) -> Self {
        let (mut lines, mut count) = (Self { versions: Vec::new() }, 0);
        for version in versions {
            let (mut found, mut used) = (HashMap::new(), HashSet::new());
            for (name, from) in &version {
                let from = from.filter(|from| is_left(&version, from));
                let known = lines.resolve(name, from).filter(|line| !used.contains(line));
                let line = known.unwrap_or(count);
                count = count.max(line + 1);
                used.insert(line);
                found.insert(*name, line);
            }
            lines.versions.push(found);
        }
        lines
    }

    /// What a document means by a name. It was written for the version that was applied, or follows one under way.
    fn resolve(&self, name: &str, from: Option<&str>) -> Option<usize> {
        let find = |name: &str| {
            let (applied, pending) = self.versions.split_first()?;
            let pending = pending.iter().rev();
            std::iter::once(applied).chain(pending).find_map(|names| names.get(name).copied())
        };
        from.and_then(find).or_else(|| find(name))
    }

    /// What the version that was begun last means by a name, or one before.
    fn latest(&self, name: &str) -> Option<usize> {
        self.versions.iter().rev().find_map(|names| names.get(name).copied())
    }

    /// What a version calls it.
    fn name(&self, version: usize, line: usize) -> Option<&'v str> {
        let names = self.versions.get(version)?;
        names.iter().find(|(_, of)| **of == line).map(|(name, _)| *name)
    }
}

/// Whether nothing keeps the name of before: it is gone, or another one has taken it.
fn is_left(names: &[(&str, Option<&str>)], from: &str) -> bool {
    let of = names.iter().find(|(name, _)| *name == from);
    of.is_none_or(|(name, from)| from.is_some_and(|from| from != *name))
}

fn table_lines<'v>(versions: &[&'v Version]) -> Lines<'v> {
    Lines::new(versions.iter().map(|version| {
        let tables = version.blueprint.tables.iter();
        tables.map(|table| (table.name.as_str(), table.renamed_from.as_deref())).collect()
    }))
}

/// Tells a document the renames that a version under way has done, and that it cannot know. `listed`: tables, and what the
/// version that was begun last calls them.
pub(super) fn tell_renames(
    blueprint: &mut Blueprint,
    stored: &Stored,
    facts: &Facts,
    listed: &HashMap<Place, String>,
) {
    if stored.pending.is_empty() {
        return;
    }
    let versions: Vec<&Version> = stored.versions().collect();
    let lines = table_lines(&versions);
    let names: HashSet<String> = blueprint.tables.iter().map(|table| table.name.clone()).collect();
    for table in &mut blueprint.tables {
        let from = table.renamed_from.as_deref().filter(|from| !names.contains(*from));
        let Some(line) = lines.resolve(&table.name, from) else { continue };
        let is_there = |place: &Place| {
            facts.relation(&place.0, &place.1).is_some_and(|of| of.is_table() && of.ours)
        };
        let mut now: Vec<&String> = listed
            .iter()
            .filter(|(place, name)| lines.latest(name) == Some(line) && is_there(place))
            .map(|(_, name)| name)
            .collect();
        now.sort();
        let stays = now.iter().any(|name| **name == table.name);
        if let Some(name) = now.first().filter(|name| !stays && !names.contains(**name)) {
            table.renamed_from = Some((*name).clone());
        }
    }
    tell_enum_renames(blueprint, &versions, facts);
}

fn tell_enum_renames(blueprint: &mut Blueprint, versions: &[&Version], facts: &Facts) {
    let lines = Lines::new(versions.iter().map(|version| {
        let enums = version.blueprint.enums.iter();
        enums.map(|one| (one.name.as_str(), one.renamed_from.as_deref())).collect()
    }));
    let names: HashSet<String> = blueprint.enums.iter().map(|one| one.name.clone()).collect();
    for one in &mut blueprint.enums {
        let from = one.renamed_from.as_deref().filter(|from| !names.contains(*from));
        let Some(line) = lines.resolve(&one.name, from) else { continue };
        let before: Vec<&EnumType> = versions
            .iter()
            .enumerate()
            .filter_map(|(at, version)| {
                let name = lines.name(at, line)?;
                version.blueprint.enums.iter().find(|before| before.name == name)
            })
            .collect();
        let now = before.iter().rev().find_map(|before| {
            let fact = facts.enum_type(&before.schema, &before.type_name)?;
            fact.ours.then_some((&before.name, &fact.values))
        });
        let Some((name, values)) = now else { continue };
        if *name != one.name && !names.contains(name) {
            one.renamed_from = Some(name.clone());
        }
        // What each value that was applied is called in the versions since.
        let Some((first, rest)) = before.split_first() else { continue };
        for value in &first.values {
            let mut called = vec![value];
            for (old, new) in rest.iter().flat_map(|before| &before.renamed_values) {
                if called.last() == Some(&old) {
                    called.push(new);
                }
            }
            let Some(now) = called.iter().rev().find(|name| values.contains(name)) else {
                continue;
            };
            let told = one.renamed_values.iter().find(|(old, _)| called.contains(&old));
            let wanted = told.map(|(_, new)| new.clone());
            let is_told = told.is_some_and(|(old, _)| old == *now);
            let back =
                || called.iter().find(|name| one.values.contains(name)).map(|name| (*name).clone());
            if let Some(wanted) = wanted.or_else(back)
                && !is_told
                && wanted != **now
                && !one.values.contains(now)
                && !values.contains(&wanted)
            {
                one.renamed_values.push(((*now).clone(), wanted));
            }
        }
    }
}

/// The tables of all versions that are the same as one of a document, the one that was applied first.
pub(super) fn tables_before<'v>(
    stored: &'v Stored,
    table: &ModelTable,
    from: Option<&str>,
) -> Vec<&'v ModelTable> {
    let versions: Vec<&Version> = stored.versions().collect();
    let lines = table_lines(&versions);
    let line = from.and_then(|from| lines.resolve(from, None));
    let Some(line) = line.or_else(|| lines.resolve(&table.name, None)) else { return Vec::new() };
    let of = |(at, version): (usize, &&'v Version)| {
        let name = lines.name(at, line)?;
        version.blueprint.tables.iter().find(|table| table.name == name)
    };
    versions.iter().enumerate().filter_map(of).collect()
}

/// The columns, as they are called now, of the fields of a document's table, and the columns that the document gives them:
/// those that differ. `versions` are those of the same table.
pub(super) fn columns_to_rename(
    table: &ModelTable,
    versions: &[&ModelTable],
    now: &Table,
) -> Vec<(String, String)> {
    if versions.len() < 2 {
        return Vec::new();
    }
    let from = |table: &ModelTable, column: &str| {
        let told = table.renames.iter().find(|(_, to)| to == column);
        told.map(|(from, _)| from.clone())
    };
    let fields: Vec<Vec<(&str, Option<String>)>> = versions
        .iter()
        .map(|version| {
            let fields = version.fields.iter();
            fields.map(|(name, column)| (name.as_str(), from(version, column))).collect()
        })
        .collect();
    let lines = Lines::new(
        fields
            .iter()
            .map(|fields| fields.iter().map(|(name, from)| (*name, from.as_deref())).collect()),
    );
    // Columns are renamed, made and dropped together: the version of which the fewest are missing is the one that is there.
    let missing = |at: &usize| {
        let fields = versions.get(*at).map_or(&[][..], |version| &version.fields);
        fields.iter().filter(|(_, column)| now.column(column).is_none()).count()
    };
    let state = (0..versions.len()).rev().min_by_key(missing).unwrap_or_default();
    let column = |at: usize, line: usize| {
        let name = lines.name(at, line)?;
        let fields = &versions.get(at)?.fields;
        fields.iter().find(|(field, _)| field == name).map(|(_, column)| column.as_str())
    };
    let in_state: HashSet<&str> = versions
        .get(state)
        .map_or(&[][..], |version| &version.fields)
        .iter()
        .map(|(_, column)| &**column)
        .collect();
    let own: Vec<(&str, Option<String>)> =
        table.fields.iter().map(|(name, column)| (name.as_str(), from(table, column))).collect();
    let own: Vec<(&str, Option<&str>)> =
        own.iter().map(|(name, from)| (*name, from.as_deref())).collect();
    let mut renames = Vec::new();
    for ((name, from), (_, wanted)) in own.iter().zip(&table.fields) {
        let from = from.filter(|from| is_left(&own, from));
        let Some(line) = lines.resolve(name, from) else { continue };
        let elsewhere = || {
            (0..versions.len())
                .rev()
                .filter_map(|at| column(at, line))
                .find(|column| !in_state.contains(column) && now.column(column).is_some())
        };
        let is = column(state, line).or_else(elsewhere);
        if let Some(is) = is.filter(|is| is != wanted && now.column(is).is_some()) {
            renames.push((is.to_owned(), wanted.clone()));
        }
    }
    renames
}
