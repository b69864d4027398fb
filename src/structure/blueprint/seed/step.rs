//! What is to be written, as plans and drift tell it.

use super::super::model::Blueprint;
use super::super::plan::{Planned, SeedStep};
use super::compare::{Found, Scene, View, compare};
use super::look::compared;
use super::statements::{Shown, Spoken};
use super::unique::{Set, unique_sets};
use super::write::by_columns;
use super::{Lookup, Row, Seed, Value};
use crate::error::Error;
use crate::ident::qualified;
use crate::json::Json;
use crate::structure::apply;
use crate::structure::error::StructureError;
use pgrx::spi::SpiClient;

/// A statement shows so many rows.
const SHOWN: usize = 100;
/// A message names so many.
const NAMED: usize = 10;

impl Found {
    pub(crate) fn of<'b>(&self, scene: &'b Scene<'_>) -> &'b Seed {
        &scene.blueprint.seed[self.seed]
    }

    pub(crate) fn has_table(&self, scene: &Scene<'_>) -> bool {
        scene.spoken(&self.of(scene).table).is_some()
    }

    /// How many rows are to be written.
    pub(crate) fn count(&self) -> usize {
        self.missing.len() + self.changed.len()
    }

    pub(crate) fn is_to_do(&self) -> bool {
        self.count() > 0 || !self.refused.is_empty()
    }

    /// Its table, by schema and name.
    pub(crate) fn place(&self, scene: &Scene<'_>) -> (String, String) {
        let table = scene.table(&self.of(scene).table);
        table
            .map_or_else(Default::default, |table| (table.schema.clone(), table.table_name.clone()))
    }

    /// What would be run, with the values in it, in a spelling for people.
    pub(crate) fn statement(&self, scene: &Scene<'_>) -> String {
        let seed = self.of(scene);
        let Some(table) = scene.table(&seed.table) else { return String::new() };
        let sets = unique_sets(table);
        let Some(set) = sets.iter().find(|set| set.is_of(&seed.key)) else { return String::new() };
        let relation = qualified(&table.schema, &table.table_name);
        let spoken = Spoken { relation: &relation, table, dialect: scene.dialect() };
        let mut statements = Vec::new();
        let mut left = SHOWN;
        let mut rest = self.missing.as_slice();
        let together = self.together.iter().flat_map(|count| {
            let (now, later) = rest.split_at(*count);
            rest = later;
            by_columns(seed, now)
        });
        for (columns, rows) in together {
            let rows = rows.iter().take(left).map(|at| {
                let row = &seed.rows[*at];
                columns.iter().map(|(name, _)| shown_in(row, name, scene)).collect()
            });
            let rows: Vec<Vec<Shown>> = rows.collect();
            left -= rows.len();
            if !rows.is_empty() {
                statements.push(spoken.shown_insert(set, &columns, &rows));
            }
        }
        for (at, _) in self.changed.iter().take(left) {
            statements.push(update(&spoken, set, &seed.rows[*at], scene));
        }
        let mut text = statements.join(";\n");
        if self.count() > SHOWN {
            text.push_str(&format!("\n-- and {} rows more", self.count() - SHOWN));
        }
        text
    }

    pub(crate) fn step(&self, scene: &Scene<'_>) -> SeedStep {
        let mut hazards = Vec::new();
        if self.is_rough {
            hazards.push(
                "rows: at most so many are written; which are there is known when the table is as the document says"
                    .to_owned(),
            );
        }
        let rows = self.missing.iter().chain(self.changed.iter().map(|(at, _)| at));
        let mut named: Vec<String> =
            rows.take(NAMED).map(|at| format!("({})", self.named(*at, scene, true))).collect();
        if self.count() > NAMED {
            named.push("…".to_owned());
        }
        SeedStep {
            named: named.join(", "),
            place: self.place(scene),
            statement: self.statement(scene),
            rows: self.count(),
            refused: self.refused.clone(),
            hazards,
        }
    }

    /// A row by its key, as people read it. A message does not show what is personal.
    pub(crate) fn named(&self, at: usize, scene: &Scene<'_>, in_message: bool) -> String {
        let seed = self.of(scene);
        let Some(table) = scene.table(&seed.table) else { return String::new() };
        let values = seed.key.iter().map(|column| {
            let value = seed.rows[at].get(column).map(|value| value.document(scene.blueprint));
            let text = match value {
                Some(Json::String(text)) => text,
                other => other.unwrap_or(Json::Null).to_string(),
            };
            if in_message && table.is_personal(column) {
                return format!("{}=…", table.field_of(column));
            }
            format!("{}={}", table.field_of(column), crate::json::shorten(&text))
        });
        values.collect::<Vec<_>>().join(", ")
    }

    /// A row as the document says it.
    pub(crate) fn expected(&self, at: usize, scene: &Scene<'_>) -> Option<String> {
        let seed = self.of(scene);
        let table = scene.table(&seed.table)?;
        Some(seed.rows[at].document(scene.blueprint, table).to_string())
    }
}

fn update(spoken: &Spoken<'_>, set: &Set, row: &Row, scene: &Scene<'_>) -> String {
    let key: Vec<Shown> = set.names().iter().map(|name| shown_in(row, name, scene)).collect();
    let values = compared(row, set).into_iter().map(|name| (name, shown_in(row, name, scene)));
    spoken.shown_update(set, &key, &values.collect::<Vec<_>>())
}

fn shown_in(row: &Row, column: &str, scene: &Scene<'_>) -> Shown {
    row.get(column).map_or(Shown::Text(None), |value| shown(value, scene))
}

fn shown(value: &Value, scene: &Scene<'_>) -> Shown {
    match value {
        Value::Null => Shown::Text(None),
        Value::Given(given) => Shown::Text(Some(given.input.clone())),
        Value::Moved { by, .. } => Shown::Text(Some(by.to_string())),
        Value::Lookup(lookup) => Shown::Expression(looked_up(lookup, scene)),
    }
}

fn looked_up(lookup: &Lookup, scene: &Scene<'_>) -> String {
    let Some(table) = scene.table(&lookup.table) else { return "NULL".to_owned() };
    let relation = qualified(&table.schema, &table.table_name);
    let spoken = Spoken { relation: &relation, table, dialect: scene.dialect() };
    let by = lookup.by.iter().map(|(name, value)| (name.as_str(), shown(value, scene)));
    spoken.shown_look_up(&lookup.column, &by.collect::<Vec<_>>())
}

/// Fails where rows cannot be written.
pub(crate) fn refuse_seed(seed: &[SeedStep]) -> Result<(), Error> {
    let refused = seed.iter().flat_map(|seed| {
        let table = qualified(&seed.place.0, &seed.place.1);
        seed.refused.iter().map(move |why| format!("seed {table}: {why}"))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(StructureError::Refused(refused).into()) }
}

/// The rows of a seed that are to be written, as a plan shows them.
pub(crate) fn seed_steps(
    client: &mut SpiClient<'_>,
    (blueprint, planned): (&Blueprint, &Planned),
    view: View,
    workspaces: (&str, Option<&str>),
) -> Result<Vec<SeedStep>, Error> {
    if blueprint.seed.is_empty() {
        return Ok(Vec::new());
    }
    let dialect = apply::dialect(client)?;
    let scene = Scene::new(client, (blueprint, planned), &dialect, view, workspaces)?;
    let compared = compare(client, &scene)?;
    Ok(compared.iter().filter(|found| found.is_to_do()).map(|found| found.step(&scene)).collect())
}
