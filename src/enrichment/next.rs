//! When it is worth claiming again.
//!
//! What is ready but in somebody's hands cannot be claimed: who polls by the time of that would ask again and
//! again for nothing. Looks at locks without taking any, so that it stays a function that only reads.

use super::policy;
use crate::arguments::name;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::clock::now;
use crate::pg::held::is_held;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Held rows are looked at again after this, in microseconds.
const PAUSE: i64 = 1_000_000;
/// So many rows that are ready are looked at before all count as held.
const MAX_LOOKED: i32 = 100;

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
    static LATER: Statement = const { Statement::new(
        c"SELECT q.ready_at FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at > $3
          ORDER BY q.ready_at LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static LEASES: Statement = const { Statement::new(
        c"SELECT pg_catalog.min(greatest(l.lease_until, l.deadline)) FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2
            AND (l.lease_until > $3 OR l.deadline > $3)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static ENDED: Statement = const { Statement::new(
        c"SELECT greatest(l.lease_until, l.deadline), l.ctid, r.ctid, l.tableoid, r.tableoid
          FROM kepler.leases AS l
          LEFT JOIN LATERAL (
              SELECT x.ctid, x.tableoid
              FROM kepler.lease_records AS m
              CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) AS u (id)
              JOIN kepler.records AS x ON x.workspace_id = $1 AND x.id = u.id
              WHERE m.workspace_id = $1 AND m.lease_id = l.id AND x.enrichment_lease_id = l.id
                AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
              LIMIT 20) AS r ON true
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.deadline <= $3
            AND l.lease_until <= $3
          ORDER BY l.deadline LIMIT 100",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// When the next record of a type can be claimed, as far as is known by now; NULL if none waits. A time
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
        if policy::find(client, &workspace, &kind).is_none() {
            return Err(policy::missing(client, &workspace_id, &entity_type));
        }
        Ok(find(client, Some(workspace.datum()), Some(kind.datum())))
    })?;
    // The largest number is infinity.
    Ok(next.and_then(|at| TimestampWithTimeZone::try_from(at).ok()))
}

fn find(client: &mut SpiClient<'_>, workspace: Parameter, entity_type: Parameter) -> Option<i64> {
    let now = now();
    let parameters = [workspace, entity_type, Some(pg_sys::Datum::from(now))];
    let mut held = false;
    // Mostly the first is free.
    for limit in [1, MAX_LOOKED] {
        let [workspace, entity_type, at] = parameters;
        let limit = Some(pg_sys::Datum::from(limit));
        let parameters = [workspace, entity_type, at, limit];
        let rows = READY.with(|plan| plan.run_in_snapshot(client, &parameters));
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
                return Some(at);
            }
            held = true;
        }
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
    let mut times = vec![held.then_some(now + PAUSE)];
    for statement in [&LATER, &LEASES] {
        let rows = statement.with(|plan| plan.run_in_snapshot(client, &parameters));
        times.push(rows.iter::<1>().next().and_then(|row| row.time(0)));
    }
    times.into_iter().flatten().min()
}
