//! When it is worth claiming again.
//!
//! What is ready but in somebody's hands cannot be claimed: who polls by the time of that would ask again and
//! again for nothing. Looks at locks without taking any, so that it stays a function that only reads.

use super::limits::Window;
use super::policy::{self, Limit};
use crate::arguments::name;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::clock::now;
use crate::pg::held::is_held;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Held rows are looked at again after this, in microseconds.
const PAUSE: i64 = 1_000_000;
/// So many entities or sources are looked at, where limits hold for them.
const MAX_KEYS: i32 = 200;
/// So many rows that are ready are looked at before all count as held.
const MAX_LOOKED: i32 = 100;
/// Of all entities or sources together.
const MAX_LOOKED_OF_KEYS: i32 = 1_000;

thread_local! {
    // A row without a record that could be claimed is one that a claim takes out, unless row security hides
    // the record.
    static READY: Statement = const { Statement::new(
        c"SELECT q.ready_at, q.ctid, r.ctid, q.tableoid, r.tableoid,
                 pg_catalog.row_security_active('kepler.records'::regclass)
          FROM kepler.enrichment_queue AS q
          LEFT JOIN LATERAL (
              SELECT x.ctid, x.tableoid FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = q.record_id AND x.entity_type = $2
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1) AS r ON true
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at <= $3
          ORDER BY q.ready_at LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID],
    ) };
    // The same of one entity or source.
    static READY_OF_KEY: Statement = const { Statement::new(
        c"SELECT q.ready_at, q.ctid, r.ctid, q.tableoid, r.tableoid,
                 pg_catalog.row_security_active('kepler.records'::regclass)
          FROM kepler.enrichment_queue AS q
          LEFT JOIN LATERAL (
              SELECT x.ctid, x.tableoid FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = q.record_id AND x.entity_type = $2
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1) AS r ON true
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.fair_key IS NOT NULL
            AND q.fair_key = $5 AND q.ready_at <= $3
          ORDER BY q.ready_at LIMIT $4",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID,
            pg_sys::TEXTOID,
        ],
    ) };
    static LATER: Statement = const { Statement::new(
        c"SELECT q.ready_at FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at > $3
          ORDER BY q.ready_at LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static LEASES: Statement = const { Statement::new(
        c"SELECT greatest(l.lease_until, l.deadline), l.deadline FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2
            AND (l.lease_until > $3 OR l.deadline > $3)
          ORDER BY l.deadline LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID],
    ) };
    static LIMIT: Statement = const { Statement::new(
        c"SELECT l.seconds, l.records, l.leases, l.ctid, l.tableoid FROM kepler.enrichment_limits AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.limit_key = $3",
        &[pg_sys::TEXTOID; 3],
    ) };
    // The first row of each key by a skip scan, and what was claimed of those that have something ready.
    static KEYS: Statement = const { Statement::new(
        c"WITH RECURSIVE k (fair_key, ready_at, looked) AS (
              (SELECT q.fair_key, q.ready_at, 1 FROM kepler.enrichment_queue AS q
               WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.fair_key IS NOT NULL
               ORDER BY q.fair_key, q.ready_at LIMIT 1)
              UNION ALL
              SELECT n.fair_key, n.ready_at, k.looked + 1
              FROM k
              CROSS JOIN LATERAL (
                  SELECT q.fair_key, q.ready_at FROM kepler.enrichment_queue AS q
                  WHERE q.workspace_id = $1 AND q.entity_type = $2
                    AND q.fair_key IS NOT NULL AND q.fair_key > k.fair_key
                  ORDER BY q.fair_key, q.ready_at LIMIT 1) AS n
              WHERE k.looked < $3)
          SELECT k.ready_at, k.fair_key, l.seconds, l.records, l.leases, l.ctid, l.tableoid
          FROM k
          LEFT JOIN LATERAL (
              SELECT x.seconds, x.records, x.leases, x.ctid, x.tableoid FROM kepler.enrichment_limits AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2 AND x.limit_key = k.fair_key LIMIT 1) AS l ON true",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static ENDED: Statement = const { Statement::new(
        c"SELECT greatest(l.lease_until, l.deadline), l.ctid, r.ctid, l.tableoid, r.tableoid
          FROM kepler.leases AS l
          LEFT JOIN LATERAL (
              SELECT y.ctid, y.tableoid
              FROM kepler.lease_records AS m
              CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) AS u (id)
              CROSS JOIN LATERAL (
                  SELECT x.ctid, x.tableoid FROM kepler.records AS x
                  WHERE x.workspace_id = $1 AND x.id = u.id AND x.enrichment_lease_id = l.id
                    AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
                  LIMIT 1) AS y
              WHERE m.workspace_id = $1 AND m.lease_id = l.id
              LIMIT 20) AS r ON true
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.deadline <= $3
            AND l.lease_until <= $3
          ORDER BY l.deadline LIMIT 100",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// When the next record of a type can be claimed, as far as is known by now; NULL if none waits, and while the type is
/// paused. A time
/// that is over means now; while all that is ready is in the hands of others, the time is a second ahead.
#[pg_extern(stable, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn next_claim_at(
    entity_type: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<Option<TimestampWithTimeZone>, ErrorReport> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    let next = Spi::connect_mut(|client| -> Result<Option<i64>, Error> {
        let (workspace, kind) = (Text::new(&workspace_id), Text::new(&entity_type));
        let Some(policy) = policy::find(client, &workspace, &kind) else {
            return Err(policy::missing(client, &workspace_id, &entity_type));
        };
        if policy.is_paused {
            return Ok(None);
        }
        let of_type = [Some(workspace.datum()), Some(kind.datum())];
        Ok(match policy.limit {
            None => find(client, of_type, None),
            Some(limit) if !limit.by_key => {
                let frees = of_type_frees_at(client, of_type, limit);
                find(client, of_type, None).map(|at| frees.map_or(at, |frees| at.max(frees)))
            }
            Some(_) if !policy.takes_turns => Some(now() + PAUSE),
            Some(limit) => {
                let ready = of_keys(client, of_type, limit);
                find(client, of_type, Some(ready))
            }
        })
    })?;
    // The largest number is infinity.
    Ok(next.and_then(|at| TimestampWithTimeZone::try_from(at).ok()))
}

/// What is known of the records of a type that are ready.
enum Ready {
    /// One can be claimed, from this time on, which may lie ahead.
    From(i64),
    /// Others hold them.
    Held,
    Nothing,
}

/// `limited`: what limits by entity or source let pass of what is ready.
fn find(
    client: &mut SpiClient<'_>,
    [workspace, entity_type]: [Parameter; 2],
    limited: Option<Ready>,
) -> Option<i64> {
    let now = now();
    let parameters = [workspace, entity_type, Some(pg_sys::Datum::from(now))];
    let mut held = matches!(limited, Some(Ready::Held));
    let mut frees = None;
    match limited {
        Some(Ready::From(at)) if at <= now => return Some(at),
        Some(Ready::From(at)) => frees = Some(at),
        _ => {}
    }
    // Mostly the first is free.
    let looks: &[i32] = if limited.is_some() { &[] } else { &[1, MAX_LOOKED] };
    for &limit in looks {
        let [workspace, entity_type, at] = parameters;
        let limit = Some(pg_sys::Datum::from(limit));
        let parameters = [workspace, entity_type, at, limit];
        let rows = READY.with(|plan| plan.run_in_snapshot(client, &parameters));
        let (free, some) = first_free(&rows);
        if free.is_some() {
            return free;
        }
        held |= some;
        if !held {
            break;
        }
    }
    let rows = ENDED.with(|plan| plan.run_in_snapshot(client, &parameters));
    for row in rows.iter::<5>() {
        let (Some(at), Some(place), Some(table)) = (row.time(0), row.tid(1), row.oid(3)) else {
            continue;
        };
        let free = !is_held(table, place)
            && match (row.oid(4), row.tid(2)) {
                (Some(records), Some(record)) => !is_held(records, record),
                // Nothing is left of it: a claim takes it away.
                _ => true,
            };
        if free {
            return Some(at);
        }
        held = true;
    }
    let mut times = vec![held.then_some(now + PAUSE), frees];
    let rows = LATER.with(|plan| plan.run_in_snapshot(client, &parameters));
    times.push(rows.iter::<1>().next().and_then(|row| row.time(0)));
    times.push(first_end(client, parameters, now));
    times.into_iter().flatten().min()
}

/// The time of the first row that could be claimed, and whether there are rows at all. Of READY and READY_OF_KEY.
fn first_free(rows: &Rows<'_>) -> (Option<i64>, bool) {
    let mut some = false;
    for row in rows.iter::<6>() {
        let (Some(at), Some(place), Some(table)) = (row.time(0), row.tid(1), row.oid(3)) else {
            continue;
        };
        let free = !is_held(table, place)
            && match (row.oid(4), row.tid(2)) {
                (Some(records), Some(record)) => !is_held(records, record),
                _ => row.boolean(5) == Some(false),
            };
        if free {
            return (Some(at), true);
        }
        some = true;
    }
    (None, some)
}

/// When the limit of a type lets something pass again, if it does not now.
fn of_type_frees_at(
    client: &mut SpiClient<'_>,
    [workspace, entity_type]: [Parameter; 2],
    limit: Limit,
) -> Option<i64> {
    let key = Text::new("");
    let parameters = [workspace, entity_type, Some(key.datum())];
    let rows = LIMIT.with(|plan| plan.run_in_snapshot(client, &parameters));
    let row = rows.iter::<5>().next()?;
    let now = now();
    let frees = Window::read(&row, 0, now).frees_at(limit);
    let held = row.tid(3).zip(row.oid(4)).is_some_and(|(place, table)| is_held(table, place));
    frees.or_else(|| held.then_some(now + PAUSE))
}

/// Of what is ready, what the limits of its keys let pass. Looks at a bounded number of keys, and has others looked for a
/// moment later.
fn of_keys(
    client: &mut SpiClient<'_>,
    [workspace, entity_type]: [Parameter; 2],
    limit: Limit,
) -> Ready {
    let now = now();
    let most = Some(pg_sys::Datum::from(MAX_KEYS));
    let parameters = [workspace, entity_type, most];
    let rows = KEYS.with(|plan| plan.run_in_snapshot(client, &parameters));
    let (mut first, mut held) = (None::<i64>, rows.count() >= MAX_KEYS as usize);
    let mut budget = MAX_LOOKED_OF_KEYS;
    for row in rows.iter::<7>() {
        let (Some(at), Some(key)) = (row.time(0), row.text(1)) else { continue };
        if at > now {
            continue;
        }
        if let Some(frees) = Window::read(&row, 2, now).frees_at(limit) {
            first = Some(first.map_or(frees, |first| first.min(frees)));
            continue;
        }
        let is_counted = row.tid(5).zip(row.oid(6));
        if is_counted.is_some_and(|(place, table)| is_held(table, place)) {
            held = true;
            continue;
        }
        // A claim looks behind what is in the hands of others; mostly the first is free.
        let key = Text::new(key);
        for most in [1, MAX_LOOKED] {
            let parameters = [
                workspace,
                entity_type,
                Some(pg_sys::Datum::from(now)),
                Some(pg_sys::Datum::from(most)),
                Some(key.datum()),
            ];
            let rows = READY_OF_KEY.with(|plan| plan.run_in_snapshot(client, &parameters));
            if let (Some(at), _) = first_free(&rows) {
                return Ready::From(at);
            }
            budget -= most;
            if rows.count() < most as usize {
                break;
            }
        }
        held = true;
        if budget <= 0 {
            break;
        }
    }
    match first {
        _ if held => Ready::Held,
        Some(frees) => Ready::From(frees),
        None => Ready::Nothing,
    }
}

/// When the first of the open leases ends. A lease ends at its deadline or, after a heartbeat, later: leases whose
/// deadlines lie behind the first end cannot come before it. Where that is not seen among the first hundred, the
/// time to look again is told.
fn first_end(
    client: &mut SpiClient<'_>,
    [workspace, entity_type, at]: [Parameter; 3],
    now: i64,
) -> Option<i64> {
    let limit = Some(pg_sys::Datum::from(MAX_LOOKED));
    let parameters = [workspace, entity_type, at, limit];
    let rows = LEASES.with(|plan| plan.run_in_snapshot(client, &parameters));
    let leases: Vec<(i64, i64)> =
        rows.iter::<2>().filter_map(|row| Some((row.time(0)?, row.time(1)?))).collect();
    let first = leases.iter().map(|(end, _)| *end).min()?;
    let is_certain = leases.len() < MAX_LOOKED as usize
        || leases.last().is_some_and(|(_, deadline)| *deadline >= first);
    Some(if is_certain { first } else { first.min(now + PAUSE) })
}
