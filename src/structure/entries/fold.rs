//! Finds out which elements of a batch are about one entry, and in which order entries are visited.

use super::decode::Rows;
use super::entry_table::EntryTable;
use crate::field_types::kind::FieldKind;
use crate::jsonb::number;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

thread_local! {
    static LOWER: Statement = const { Statement::new(
        c"SELECT kepler.fold(pg_catalog.unnest($1))",
        &[pg_sys::TEXTARRAYOID],
    ) };
}

/// See the module.
pub(crate) struct Order {
    /// The last row of each entry, in the order of the keys.
    pub(crate) last: Vec<u32>,
    /// All other rows, each with the one that stands for it.
    pub(crate) superseded: Vec<(u32, u32)>,
}

/// Sorts rows by a unique set of columns, in which none of them has NULL.
pub(crate) fn fold(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    set: usize,
    rows: &Rows,
) -> Order {
    let mut keys: Vec<Vec<u8>> = vec![Vec::new(); rows.count()];
    for &(column, case_insensitive) in &table.unique[set].columns {
        let kind = &table.validator.columns[column as usize].kind;
        let lowered;
        let mut values = &rows.columns[column as usize];
        if case_insensitive {
            lowered = lower(client, values);
            values = &lowered;
        }
        let starts = values.starts();
        for (row, key) in keys.iter_mut().enumerate() {
            push_key(kind, values.get(&starts, row).unwrap_or_default(), key);
        }
    }
    let mut last: HashMap<&[u8], u32> = HashMap::new();
    for (row, key) in keys.iter().enumerate() {
        last.insert(key, row as u32);
    }
    let superseded = keys
        .iter()
        .enumerate()
        .filter_map(|(row, key)| last.get(key.as_slice()).map(|&by| (row as u32, by)))
        .filter(|(row, by)| row != by)
        .collect();
    let mut last: Vec<u32> = last.into_values().collect();
    last.sort_unstable_by(|&a, &b| keys[a as usize].cmp(&keys[b as usize]));
    Order { last, superseded }
}

fn lower(client: &mut SpiClient<'_>, values: &Array) -> Array {
    let all: Vec<u32> = (0..values.count() as u32).collect();
    let mut sent = values.gather(&values.starts(), &all);
    let mut lowered = Array::new(array::TEXT);
    LOWER.with(|lower| {
        for row in lower.run(client, &[Some(sent.datum())]).iter::<1>() {
            lowered.push_text(row.text(0).unwrap_or_default());
        }
    });
    lowered
}

/// Appends bytes that are equal where SQL says so, and sort numbers by size: neighbours in an index
/// are visited one after the other.
fn push_key(kind: &FieldKind, value: &[u8], key: &mut Vec<u8>) {
    match kind {
        FieldKind::Integer | FieldKind::Date => {
            let value = value.try_into().map_or(0, i32::from_ne_bytes);
            key.extend_from_slice(&(value as u32 ^ 1 << 31).to_be_bytes());
        }
        FieldKind::Bigint | FieldKind::Time | FieldKind::Timestamp => {
            let value = value.try_into().map_or(0, i64::from_ne_bytes);
            key.extend_from_slice(&(value as u64 ^ 1 << 63).to_be_bytes());
        }
        FieldKind::Decimal { .. } => {
            let parts = number::parts(value);
            let negative = parts.sign == number::Sign::Negative;
            key.push(negative.into());
            key.extend_from_slice(&parts.weight.to_be_bytes());
            key.extend_from_slice(&(parts.digits.len() as u32).to_be_bytes());
            key.extend_from_slice(parts.digits);
        }
        FieldKind::Text { .. } | FieldKind::Enum { .. } | FieldKind::Bytes => {
            let text = value.get(4..).unwrap_or_default();
            // No text holds a zero byte, and bytes that do are told apart by their length.
            key.extend_from_slice(text);
            key.push(0);
            key.extend_from_slice(&(text.len() as u32).to_be_bytes());
        }
        _ => key.extend_from_slice(value),
    }
}
