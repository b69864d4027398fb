//! Values of rows as texts, those of other rows included.

use super::super::model::ModelTable;
use super::compare::Scene;
use super::statements::{Spoken, numbers, texts};
use super::unique::{Set, unique_sets};
use super::{Lookup, Value};
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// What lookups found so far, by their marks.
#[derive(Default)]
pub(super) struct Resolved {
    found: HashMap<String, Option<String>>,
}

impl Resolved {
    /// The text of a value, or NULL; none of a lookup that found nothing.
    pub(super) fn text(&self, value: &Value) -> Option<Option<String>> {
        match value {
            Value::Null => Some(None),
            Value::Given(given) => Some(Some(given.input.clone())),
            Value::Moved { by, .. } => Some(Some(by.to_string())),
            Value::Lookup(lookup) => self.found.get(&lookup.mark()).cloned(),
        }
    }

    pub(super) fn has_found(&self, lookup: &Lookup) -> bool {
        self.found.contains_key(&lookup.mark())
    }

    /// Looks up what was not found yet: inner lookups before those around them, and all of one kind by one statement.
    pub(super) fn look_up<'v>(
        &mut self,
        client: &mut SpiClient<'_>,
        scene: &Scene<'_>,
        values: impl Iterator<Item = &'v Value>,
    ) {
        let mut by_depth: BTreeMap<usize, HashMap<String, &Lookup>> = BTreeMap::new();
        for lookup in values.flat_map(Value::lookups) {
            let mark = lookup.mark();
            if !self.found.contains_key(&mark) {
                by_depth.entry(depth(lookup)).or_default().insert(mark, lookup);
            }
        }
        for lookups in by_depth.into_values() {
            // By table, column, and the columns that rows are found by.
            type Kind<'l> = (&'l str, &'l str, Vec<&'l str>);
            let mut kinds: BTreeMap<Kind<'_>, Vec<(String, &Lookup)>> = BTreeMap::new();
            for (mark, lookup) in lookups {
                let mut by: Vec<&str> = lookup.by.iter().map(|(name, _)| name.as_str()).collect();
                by.sort_unstable();
                let kind = (lookup.table.as_str(), lookup.column.as_str(), by);
                kinds.entry(kind).or_default().push((mark, lookup));
            }
            for ((table, column, by), lookups) in kinds {
                let Some(spoken) = scene.spoken(table) else { continue };
                let mut columns = by.iter().copied().chain([column]);
                if !columns.all(|column| scene.is_readable(table, column)) {
                    continue;
                }
                let Some((set, more)) = found_by(spoken.table, &by) else { continue };
                self.run(client, (scene, &spoken), (&set, &more, column), lookups);
            }
        }
    }

    fn run(
        &mut self,
        client: &mut SpiClient<'_>,
        (scene, spoken): (&Scene<'_>, &Spoken<'_>),
        (set, more, wanted): (&Set, &[&str], &str),
        lookups: Vec<(String, &Lookup)>,
    ) {
        let names: Vec<&str> = set.names().into_iter().chain(more.iter().copied()).collect();
        let mut rows: Vec<(String, Vec<String>)> = Vec::new();
        for (mark, lookup) in lookups {
            let values: Option<Vec<String>> = names
                .iter()
                .map(|name| {
                    let (_, value) = lookup.by.iter().find(|(own, _)| own == name)?;
                    scene.stored(&lookup.table, name, value, self.text(value)?)?
                })
                .collect();
            // One that needs what was not found finds nothing.
            rows.extend(values.map(|values| (mark, values)));
        }
        if rows.is_empty() {
            return;
        }
        let mut arrays = vec![numbers(0..rows.len())];
        for at in 0..names.len() {
            arrays.push(texts(rows.iter().map(|(_, values)| Some(values[at].as_str()))));
        }
        let parameters: Vec<_> = arrays.iter_mut().map(|array| Some(array.datum())).collect();
        let statement = spoken.look_up(set, more, wanted);
        for row in statement.run(client, &parameters).iter::<2>() {
            let Some((mark, _)) = row.integer(0).and_then(|at| rows.get(at as usize)) else {
                continue;
            };
            self.found.insert(mark.clone(), row.text(1).map(str::to_owned));
        }
    }
}

fn depth(lookup: &Lookup) -> usize {
    let inner = lookup.by.iter().filter_map(|(_, value)| match value {
        Value::Lookup(inner) => Some(depth(inner) + 1),
        _ => None,
    });
    inner.max().unwrap_or(0)
}

/// A unique set among some columns, and the other columns.
pub(super) fn found_by<'c>(table: &ModelTable, columns: &[&'c str]) -> Option<(Set, Vec<&'c str>)> {
    let set = unique_sets(table).into_iter().find(|set| set.is_within(columns))?;
    let more = columns.iter().copied().filter(|name| !set.names().contains(name)).collect();
    Some((set, more))
}
