//! Walks through a table, or a partition, in bounded steps, and deletes the rows that go.
//!
//! Along an index on the time where there is one, and else along the pages. Either way a step looks at a bounded part, and the
//! next one goes on behind it: what stays (the filter's, a floor's, what is referred to) is met once in a pass, not by each batch.
//! Dead entries of what was deleted are not walked over again either.
//!
//! Rows are found first, without locks, and then deleted by their places, where the conditions are asked again: what somebody has
//! changed meanwhile, or holds a lock on, stays for the next pass.

use super::policy::{Place, Progress};
use super::terms::Terms;
use crate::pg::cluster::part::here;
use crate::pg::local_settings::LocalSettings;
use crate::pg::relation;
use crate::pg::rows::Rows;
use crate::pg::subtransaction::attempt_deletion;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// Pages that a step looks at, without an index.
const PAGES: i64 = 1_024;
/// Rows that a step looks at for each that it may delete, where not all of them go.
const ROWS_A_ROW: i64 = 4;
/// So many locks of others end a batch.
const MAX_BUSY: usize = 3;

/// Plans that follow an index where there is one, whatever statistics say, and read no table as a whole.
pub(super) fn along_indexes() -> LocalSettings {
    LocalSettings::set(&[
        (c"enable_seqscan", c"off"),
        (c"enable_sort", c"off"),
        (c"enable_incremental_sort", c"off"),
        (c"enable_bitmapscan", c"off"),
        (c"enable_tidscan", c"on"),
        (c"enable_indexscan", c"on"),
        (c"enable_indexonlyscan", c"on"),
        (c"jit", c"off"),
        (c"max_parallel_workers_per_gather", c"0"),
    ])
}

/// For statements that fire triggers, whose own statements should be planned as ever.
fn by_places() -> LocalSettings {
    LocalSettings::set(&[
        (c"enable_seqscan", c"off"),
        (c"enable_tidscan", c"on"),
        (c"lock_timeout", c"200ms"),
        (c"jit", c"off"),
    ])
}

/// A table with rows, or a partition.
pub(super) struct Part {
    pub(super) relation: pg_sys::Oid,
    pub(super) table: String,
    /// The whole that rows are deleted through, whose triggers of statements fire; None for this one.
    pub(super) whole: Option<String>,
}

/// Whether an index serves.
pub(super) fn has_index(client: &mut SpiClient<'_>, terms: &mut Terms, part: &Part) -> bool {
    let range = terms.range(None, None);
    let sql = format!(
        "SELECT 1 FROM ONLY {} AS e WHERE {range} ORDER BY {} LIMIT 1",
        part.table, terms.time
    );
    let _plans = along_indexes();
    terms.parameters.follows_an_index(client, &sql)
}

/// Walks on in a part until so many rows were deleted or its end is reached; a few steps at most. Gives whether that is the end.
pub(super) fn walk(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    max_rows: i64,
    place: &mut Place,
    done: &mut Progress,
) -> bool {
    const STEPS: usize = 16;
    let is_indexed = has_index(client, terms, part);
    for _ in 0..STEPS {
        pgrx::check_for_interrupts!();
        let is_end = if is_indexed {
            step_in_order(client, terms, part, max_rows, place, done)
        } else {
            step_by_pages(client, terms, part, max_rows, place, done)
        };
        if is_end || done.deleted >= max_rows {
            return is_end;
        }
    }
    false
}

fn step_in_order(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    max_rows: i64,
    place: &mut Place,
    done: &mut Progress,
) -> bool {
    let width = if terms.is_whole { max_rows } else { max_rows * ROWS_A_ROW };
    // The time of the last row of this step.
    let range = terms.range(place.after, None);
    let moment = terms.kind.moment(&terms.time);
    let sql = format!(
        "SELECT {moment} FROM ONLY {} AS e WHERE {range} ORDER BY {} OFFSET {width} LIMIT 1",
        part.table, terms.time
    );
    let upto = {
        let _plans = along_indexes();
        let rows = terms.parameters.run_as_set(client, &sql);
        rows.iter::<1>().next().and_then(|row| row.time(0))
    };
    let range = terms.range(place.after, upto);
    let order = format!("ORDER BY {}", terms.time);
    let left = max_rows - done.deleted;
    if step(client, terms, part, &range, &order, left, done) {
        return false;
    }
    done.looked_at += width;
    place.after = upto.or(place.after);
    upto.is_none()
}

fn step_by_pages(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    max_rows: i64,
    place: &mut Place,
    done: &mut Progress,
) -> bool {
    let pages = i64::from(relation::blocks(here(part.relation)) as u32);
    let (from, to) = (place.block, place.block + PAGES);
    let mut range = terms.range(None, None);
    range.push_str(&format!(
        " AND e.ctid >= '({from},0)'::pg_catalog.tid AND e.ctid < '({to},0)'::pg_catalog.tid"
    ));
    let left = max_rows - done.deleted;
    if from < pages && step(client, terms, part, &range, "", left, done) {
        return false;
    }
    done.looked_at += PAGES;
    place.block = to;
    to >= pages
}

/// Deletes what goes in a range, at most so many. Gives whether there may be more in it.
fn step(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    range: &str,
    order: &str,
    max_rows: i64,
    done: &mut Progress,
) -> bool {
    let goes = terms.goes(false);
    let mut offset = 0;
    loop {
        let sql = format!(
            "SELECT e.ctid::pg_catalog.text FROM ONLY {} AS e WHERE {range} AND {goes} {order} OFFSET {offset} LIMIT {max_rows}",
            part.table
        );
        let places: Vec<String> = {
            let _plans = along_indexes();
            let rows = terms.parameters.run_as_set(client, &sql);
            rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
        };
        let found = places.len() as i64;
        let deleted = delete(client, terms, part, range, &goes, &places, done);
        let is_full = found == max_rows;
        if is_full && deleted > 0 {
            return true;
        }
        if !is_full {
            break;
        }
        // None of them could be deleted: others may.
        offset += max_rows;
    }
    if !terms.referred.is_empty() {
        let referred = terms.goes(true);
        let sql =
            format!("SELECT count(*) FROM ONLY {} AS e WHERE {range} AND {referred}", part.table);
        let _plans = along_indexes();
        let rows = terms.parameters.run_as_set(client, &sql);
        done.kept += rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0);
    }
    false
}

/// Deletes the rows at these places that still go. Where one of them is refused the others are tried without it.
fn delete(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    range: &str,
    goes: &str,
    places: &[String],
    done: &mut Progress,
) -> i64 {
    let mut open: Vec<&[String]> = vec![places];
    let (mut deleted, mut busy) = (0, 0);
    while let Some(some) = open.pop() {
        pgrx::check_for_interrupts!();
        if some.is_empty() {
            continue;
        }
        match attempt_deletion(|| delete_rows(client, terms, part, range, goes, some)) {
            Ok(count) => deleted += count,
            Err(refusal) if refusal.code.to_string() == "55P03" => {
                busy += 1;
                if busy == MAX_BUSY {
                    break;
                }
                if some.len() > 1 {
                    let (one, other) = some.split_at(some.len() / 2);
                    open.extend([other, one]);
                }
            }
            Err(_) if some.len() == 1 => done.kept += 1,
            Err(_) => {
                let (one, other) = some.split_at(some.len() / 2);
                open.extend([other, one]);
            }
        }
    }
    done.deleted += deleted;
    deleted
}

fn delete_rows(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    range: &str,
    goes: &str,
    places: &[String],
) -> i64 {
    let places = terms.parameters.texts(places.iter().map(String::as_str));
    let table = &part.table;
    let (target, beside) = match &part.whole {
        None => (format!("ONLY {table}"), String::new()),
        Some(whole) => {
            let relation = part.relation.to_u32();
            (whole.clone(), format!("e.tableoid = {relation}::pg_catalog.oid AND "))
        }
    };
    let _plans = by_places();
    // Locked first, and judged by a statement of its own, which sees what others have referred from until then: from now on nobody
    // can refer to them.
    let sql = format!(
        "SELECT e.ctid::pg_catalog.text FROM ONLY {table} AS e
         WHERE e.ctid = ANY ({places}::pg_catalog.text[]::pg_catalog.tid[]) AND {range} FOR UPDATE SKIP LOCKED"
    );
    let locked: Vec<String> = {
        let rows: Rows<'_> = terms.parameters.run_as_set(client, &sql);
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
    };
    if locked.is_empty() {
        return 0;
    }
    let places = terms.parameters.texts(locked.iter().map(String::as_str));
    let sql = format!(
        "WITH d AS (
             DELETE FROM {target} AS e
             WHERE {beside}e.ctid = ANY ({places}::pg_catalog.text[]::pg_catalog.tid[]) AND {range} AND {goes} RETURNING 1
         )
         SELECT count(*) FROM d"
    );
    let rows: Rows<'_> = terms.parameters.run_as_set(client, &sql);
    rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0)
}
