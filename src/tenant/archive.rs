//! Reads an archive, as the caller, from a table of its lines.
//!
//! An archive is newline-delimited JSON: a head, what is said of spaces, blueprints and entry tables, the rows, and an end, which
//! counts the lines before it and adds up their checksums. The table numbers its lines: where rows lie in a table says nothing
//! of the order in which they came.

use super::error::TenantError;
use super::shape::problem_of_head;
use crate::error::Error;
use crate::pg::plan::OwnedStatement;
use crate::pg::relation;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use serde_json::Value;

/// So many lines are read at a time, and fewer where they are long.
const MOST_LINES: i64 = 1_000;
/// So much of them, as a rule, in bytes.
const MUCH: usize = 4 << 20;

/// Of a checksum so many bits count: sums of them never exceed a bigint.
const CHECKSUM_BITS: u64 = (1 << 48) - 1;

/// The checksum of a line. The same on every machine.
pub(super) fn checksum(line: &str) -> i64 {
    (xxhash_rust::xxh3::xxh3_64(line.as_bytes()) & CHECKSUM_BITS) as i64
}

pub(super) struct Archive {
    name: String,
    read: OwnedStatement,
}

/// A line and its number.
pub(super) struct Line {
    pub(super) number: i64,
    pub(super) text: String,
}

/// Where reading goes on.
pub(super) struct Place {
    number: i64,
    lines: i64,
}

impl Place {
    pub(super) fn start() -> Self {
        Self { number: i64::MIN, lines: MOST_LINES }
    }
}

impl Archive {
    pub(super) fn open(client: &mut SpiClient<'_>, table: pg_sys::Oid) -> Result<Self, Error> {
        let name = relation::table_name(table).unwrap_or_default();
        let found = client
            .update(
                "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
                 FROM pg_catalog.pg_class AS c
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'line' AND NOT a.attisdropped
                     AND a.atttypid = 'pg_catalog.text'::pg_catalog.regtype
                 JOIN pg_catalog.pg_attribute AS o ON o.attrelid = c.oid AND o.attname = 'number' AND NOT o.attisdropped
                     AND o.atttypid = 'pg_catalog.int8'::pg_catalog.regtype
                 WHERE c.oid = $1 AND c.relkind = 'r' AND EXISTS (
                     SELECT FROM pg_catalog.pg_index AS i
                     WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1 AND i.indkey[0] = o.attnum)",
                None,
                &[table.into()],
            )?
            .next()
            .map(|row| row[1].value::<String>())
            .transpose()?
            .flatten();
        let Some(found) = found else { return Err(TenantError::NoLines(name).into()) };
        let read = OwnedStatement::by_first_values(
            format!(
                "SELECT a.number, a.line FROM ONLY {found} AS a
                 WHERE a.number OPERATOR(pg_catalog.>) $1 ORDER BY a.number LIMIT $2"
            ),
            vec![pg_sys::INT8OID, pg_sys::INT8OID],
        );
        Ok(Self { name: found, read })
    }

    /// The next lines; none at the end. Blank lines are left out.
    pub(super) fn next(&self, client: &mut SpiClient<'_>, place: &mut Place) -> Option<Vec<Line>> {
        pgrx::check_for_interrupts!();
        let parameters =
            [Some(pg_sys::Datum::from(place.number)), Some(pg_sys::Datum::from(place.lines))];
        let rows = self.read.run_in_snapshot(client, &parameters);
        if rows.count() == 0 {
            return None;
        }
        let (mut lines, mut bytes) = (Vec::with_capacity(rows.count()), 0);
        for row in rows.iter::<2>() {
            place.number = row.bigint(0).unwrap_or_default();
            let text = row.text(1).unwrap_or_default();
            bytes += text.len();
            if !text.trim().is_empty() {
                lines.push(Line { number: place.number, text: text.to_owned() });
            }
        }
        place.lines = match bytes {
            bytes if bytes > MUCH => (place.lines / 2).max(1),
            bytes if bytes < MUCH / 4 => (place.lines * 2).min(MOST_LINES),
            _ => place.lines,
        };
        Some(lines)
    }

    /// Reads all of it, before anything is written: fails unless it is whole. Gives the head.
    pub(super) fn check(&self, client: &mut SpiClient<'_>) -> Result<String, Error> {
        let mut place = Place::start();
        let mut head = None;
        let mut last: Option<Line> = None;
        let (mut count, mut sum) = (0_i64, 0_i64);
        while let Some(lines) = self.next(client, &mut place) {
            for line in lines {
                if let Some(before) = last.replace(line) {
                    count += 1;
                    sum = (sum + checksum(&before.text)) & CHECKSUM_BITS as i64;
                    head.get_or_insert(before);
                }
            }
        }
        let incomplete = |detail: String| Error::from(TenantError::NotComplete(detail));
        let (Some(head), Some(last)) = (head, last) else {
            return Err(incomplete(format!("{} holds less than two lines.", self.name)));
        };
        let is_head = serde_json::from_str::<Value>(&head.text)
            .is_ok_and(|head| head.get("kepler_archive") == Some(&Value::from(1)));
        if !is_head {
            return Err(incomplete(
                "The first line is not the head of an archive of format 1.".to_owned(),
            ));
        }
        let end = serde_json::from_str::<Value>(&last.text).ok();
        let said = |key: &str| end.as_ref()?.get("end")?.get(key)?.as_i64();
        let (Some(lines), Some(checksum)) = (said("lines"), said("checksum")) else {
            return Err(incomplete("The last line is not the end of an archive.".to_owned()));
        };
        if lines != count {
            return Err(incomplete(format!(
                "It has {count} lines before its end, which says {lines}."
            )));
        }
        if checksum != sum {
            let detail =
                format!("The checksum of its lines is {sum}, and its end says {checksum}.");
            return Err(TenantError::Altered(detail).into());
        }
        match problem_of_head(&head.text) {
            None => Ok(head.text),
            Some(problem) => Err(TenantError::BadLine { line: head.number, problem }.into()),
        }
    }
}
