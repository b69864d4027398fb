//! What is given of a memory.

use crate::memory::vectors;
use crate::pg::rows::Row;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{AnyElement, FromDatum, pg_sys};

/// Over a memory `m`.
pub(super) const COLUMNS: &str = "m.id, m.user_id, m.namespace, m.key, m.context_type, m.content, m.format::pg_catalog.text, \
     m.metadata, m.relevance_score, m.valid_from, m.expires_at, m.ttl, m.created_at, m.updated_at";

/// A list gives at most so many rows.
pub(super) const MAX_ROWS: i32 = 10_000;

/// The columns, and one before them.
pub(super) const WIDTH: usize = 15;

pub(super) struct Item {
    /// Which of those that were asked for, from 0.
    pub(super) at: i32,
    pub(super) id: String,
    pub(super) user_id: Option<String>,
    pub(super) namespace: String,
    pub(super) key: Option<String>,
    pub(super) context_type: String,
    pub(super) content: String,
    pub(super) format: String,
    pub(super) metadata: Option<AnyElement>,
    pub(super) relevance_score: f64,
    pub(super) valid_from: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) ttl: Option<Interval>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

impl Item {
    /// `memory`: of the call, for what lives as long as its rows.
    pub(super) fn read(row: &Row<'_, WIDTH>, memory: pg_sys::MemoryContext) -> Option<Self> {
        let text = |column| row.text(column).map(str::to_owned);
        Some(Self {
            at: row.integer(0).unwrap_or(0),
            id: text(1)?,
            user_id: text(2),
            namespace: text(3)?,
            key: text(4),
            context_type: text(5)?,
            content: text(6)?,
            format: text(7)?,
            metadata: row.datum(8).and_then(|datum| vectors::kept(datum, memory)),
            relevance_score: row.float(9)?,
            valid_from: row.time(10)?,
            expires_at: row.time(11),
            // SAFETY: the column is an interval, which is copied.
            ttl: row.datum(12).and_then(|datum| unsafe { Interval::from_datum(datum, false) }),
            created_at: row.time(13)?,
            updated_at: row.time(14)?,
        })
    }
}

/// The columns of a memory.
#[allow(clippy::type_complexity)]
pub(super) type Columns = (
    String,
    Option<String>,
    String,
    Option<String>,
    String,
    String,
    String,
    Option<AnyElement>,
    f64,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<Interval>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
);

pub(super) fn columns(item: Item) -> Columns {
    (
        item.id,
        item.user_id,
        item.namespace,
        item.key,
        item.context_type,
        item.content,
        item.format,
        item.metadata,
        item.relevance_score,
        time(item.valid_from),
        item.expires_at.and_then(time),
        item.ttl,
        time(item.created_at),
        time(item.updated_at),
    )
}

/// A time as a column; none where it lies beyond what pgrx can hold.
fn time(microseconds: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(microseconds).ok()
}
