//! What a search is about: which vectors count, and what is given for each.

use crate::memory::embedded::Embedded;
use crate::pg::rows::{Row, Rows};

/// The vectors that count.
pub(crate) struct Target<'t> {
    pub(crate) keys: &'t Keys,
    pub(crate) rows: RowsOf<'t>,
    /// Tells all of its conditions from those of others.
    pub(crate) hash: u64,
}

/// The conditions on the columns of the vectors' own table.
pub(crate) struct Keys {
    /// Under the alias `e`.
    pub(crate) sql: String,
    /// Tells these keys from others.
    pub(crate) hash: u64,
}

/// Where the rows are that the vectors belong to.
#[derive(Clone, Copy)]
pub(crate) enum RowsOf<'t> {
    /// The vectors stand in the rows themselves, in a table of somebody's. Keys are all that there is to meet.
    SameTable {
        /// What identifies a row: an expression over `e`, of type text.
        key: &'static str,
    },
    /// The vectors are those of a space: each belongs to a memory or a message.
    Space(&'t SpaceRows),
}

/// The memories or messages of the vectors of a space.
pub(crate) struct SpaceRows {
    pub(crate) embedded: Embedded,
    /// The parameter of the workspace.
    pub(crate) workspace: String,
    /// The table as `m`, with what all of its rows are joined to.
    pub(crate) from: &'static str,
    /// What one row `m` is joined to.
    pub(crate) of_row: &'static str,
    /// What a row must meet, the keys included, over `m` and what it is joined to.
    pub(crate) conditions: String,
    /// Whether many vectors that meet the keys may have a row that does not meet the conditions.
    pub(crate) is_filtered: bool,
    /// What of a filter an index on the metadata can look for.
    pub(crate) probe: Option<Probe>,
    /// The rows of some namespaces, over the table as `x`, if the scope is those.
    pub(crate) namespaces: Option<Keys>,
}

/// A condition that an index on the metadata serves.
pub(crate) struct Probe {
    /// Over the table as `x`.
    pub(crate) condition: String,
    /// The `jsonpath` that it looks for.
    pub(crate) path: String,
}

impl<'t> Target<'t> {
    /// The rows of a space of which only some may count.
    pub(super) fn filtered(&self) -> Option<&'t SpaceRows> {
        match self.rows {
            RowsOf::Space(rows) if rows.is_filtered => Some(rows),
            _ => None,
        }
    }
}

/// What a search brings with each row: four columns.
pub(crate) trait Details: Sized {
    const COLUMNS: &'static str;
    /// From the third column on.
    fn read(row: &Row<'_, 6>) -> Option<Self>;
    /// The text, where that is among them.
    fn content(&self) -> &str {
        ""
    }
}

impl Details for () {
    const COLUMNS: &'static str = "NULL, NULL, NULL, NULL";

    fn read(_: &Row<'_, 6>) -> Option<Self> {
        Some(())
    }
}

/// A row, its distance, and what else was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Near<D> {
    pub(crate) key: String,
    pub(crate) distance: f64,
    pub(crate) details: D,
}

/// The nearest of both, by distance; equal ones by their key, so that the order is always the same.
pub(crate) fn merge<D>(
    mut near: Vec<Near<D>>,
    others: Vec<Near<D>>,
    wanted: usize,
) -> Vec<Near<D>> {
    near.extend(others);
    near.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.key.cmp(&b.key)));
    near.truncate(wanted);
    near
}

pub(super) fn read<D: Details>(rows: &Rows<'_>) -> Vec<Near<D>> {
    rows.iter().filter_map(|row| near(&row)).collect()
}

/// None where there is nothing to tell of the row: it does not meet the conditions, or was not looked up.
pub(super) fn near<D: Details>(row: &Row<'_, 6>) -> Option<Near<D>> {
    let details = D::read(row)?;
    Some(Near { key: row.text(0)?.to_owned(), distance: distance(row), details })
}

/// A zero vector has no direction: as Postgres sorts it, behind all others.
pub(super) fn distance(row: &Row<'_, 6>) -> f64 {
    row.float(1).filter(|distance| !distance.is_nan()).unwrap_or(f64::INFINITY)
}
