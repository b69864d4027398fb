//! The rows that a blueprint begins with: told from one another by a unique set of their own columns, and written by whoever
//! applies the document, with that role's rights.
//!
//! `order` finds which rows need which others, `resolve` looks up the keys that rows ask for, `statements` are what is run, `compare` tells
//! which rows are missing or otherwise, by what `enums` finds of values that a type does not have yet, `write` writes those, and
//! `refused` says which row the database refuses.

mod compare;
mod enums;
mod look;
mod order;
mod refused;
mod resolve;
mod statements;
mod step;
mod unique;
mod write;

pub(crate) use compare::{Scene, View, compare};
pub(crate) use enums::enum_values;
pub(crate) use order::order;
pub(crate) use step::{refuse_seed, seed_steps};
pub(crate) use unique::{Set, is_numbered, unique_sets};
pub(crate) use write::write;

use super::duration::Duration;
use crate::json::Json;

/// The rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seed {
    /// As the document calls the table.
    pub(crate) table: String,
    /// Columns, in the order of a unique set of the table.
    pub(crate) key: Vec<String>,
    pub(crate) existing: Existing,
    pub(crate) rows: Vec<Row>,
}

/// What is done with a row that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    /// It gets the values that the document names.
    Update,
}

impl Existing {
    pub(crate) const ALL: [Existing; 2] = [Existing::Keep, Existing::Update];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Existing::Keep => "keep",
            Existing::Update => "update",
        }
    }
}

/// Columns and values; the others get their defaults.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<(String, Value)>);

impl Row {
    pub(crate) fn get(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Given(Given),
    Lookup(Lookup),
    /// So long after the time of the application, or before it.
    Moved {
        ahead: bool,
        by: Duration,
    },
}

/// A value that the document says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    /// What the type's input function reads.
    pub(crate) input: String,
    /// As the document says it.
    pub(crate) json: Json,
}

/// A value of another row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lookup {
    /// As the document calls the table.
    pub(crate) table: String,
    /// Columns among which is a unique set, with values.
    pub(crate) by: Vec<(String, Value)>,
    pub(crate) column: String,
}

impl Value {
    /// All lookups in it, inner ones first.
    pub(crate) fn lookups(&self) -> Vec<&Lookup> {
        let Value::Lookup(lookup) = self else { return Vec::new() };
        let mut all: Vec<&Lookup> =
            lookup.by.iter().flat_map(|(_, value)| value.lookups()).collect();
        all.push(lookup);
        all
    }

    /// Equal where two values say the same; case does not count in it where it does not in the column.
    pub(crate) fn mark(&self, folded: bool) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Given(given) if folded => format!("={}", crate::fold::fold(&given.input)),
            Value::Given(given) => format!("={}", given.input),
            Value::Lookup(lookup) => lookup.mark(),
            Value::Moved { ahead, by } => format!("now {ahead} {by}"),
        }
    }
}

impl Lookup {
    /// Equal where two lookups ask for the same.
    pub(crate) fn mark(&self) -> String {
        let by = self.by.iter().map(|(column, value)| (column, value.mark(false)));
        let mut by: Vec<String> = by.map(|(column, mark)| format!("{column:?}{mark:?}")).collect();
        by.sort();
        format!("?{:?}{:?}{}", self.table, self.column, by.join(","))
    }
}
