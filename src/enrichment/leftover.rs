//! What a policy leaves when it ends: leases, whose records are given back, and rows of the queue.
//!
//! Without a policy nobody claims, and whoever settles is stale. What is left does no harm, and is removed a bounded
//! number of records a step: in the statement that ends the policy where that is enough, otherwise by `drop_backlog`,
//! which commits after each step. A step waits for nobody, so that it keeps nobody waiting for longer than it takes.

use super::direct::Own;
use super::{lease, policy};
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// So many records does a step give back, and take out of the queue, at most.
pub(super) const STEP: i32 = 10_000;

thread_local! {
    static LEASES: Statement = const { Statement::new(
        c"SELECT l.id FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2
          ORDER BY l.deadline LIMIT $3 FOR UPDATE SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    // What is locked stays where it is until the end of the transaction: it is found again by its place.
    static GIVE_BACK: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status,
              enrichment_lease_id = NULL, updated_at = $3
          WHERE r.ctid = ANY (ARRAY(
              SELECT l.ctid
              FROM (SELECT pg_catalog.unnest($2) AS id) AS n
              JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = n.id
              CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) AS u (record_id)
              CROSS JOIN LATERAL (
                  SELECT x.ctid FROM kepler.records AS x
                  WHERE x.workspace_id = $1 AND x.id = u.record_id AND x.enrichment_lease_id = n.id
                    AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
                  LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l
              LIMIT $4))",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID],
    ) };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          WHERE q.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.enrichment_queue AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2
              ORDER BY x.ready_at LIMIT $3 FOR UPDATE SKIP LOCKED))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static LEFT: Statement = const { Statement::new(
        c"SELECT (SELECT true FROM kepler.leases AS l
                  WHERE l.workspace_id = $1 AND l.entity_type = $2 LIMIT 1),
                 (SELECT true FROM kepler.enrichment_queue AS q
                  WHERE q.workspace_id = $1 AND q.entity_type = $2 LIMIT 1)",
        &[pg_sys::TEXTOID; 2],
    ) };
    static TURNS: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_turns AS t WHERE t.workspace_id = $1 AND t.entity_type = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    // What was claimed within the last minute counts for the next policy too.
    static LIMITS: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_limits AS l
          WHERE l.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.enrichment_limits AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2
                AND x.seconds[pg_catalog.cardinality(x.seconds)] < $3
              FOR UPDATE SKIP LOCKED))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static AWAIT_LEASE: Statement = const { Statement::new(
        c"SELECT FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2 ORDER BY l.deadline LIMIT 1 FOR UPDATE",
        &[pg_sys::TEXTOID; 2],
    ) };
    static AWAIT_RECORD: Statement = const { Statement::new(
        c"SELECT FROM (
              SELECT m.lease_id, m.record_ids FROM kepler.leases AS l
              JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = l.id
              WHERE l.workspace_id = $1 AND l.entity_type = $2 ORDER BY l.deadline LIMIT 1) AS m
          CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) AS u (record_id)
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = u.record_id AND x.enrichment_lease_id = m.lease_id
              LIMIT 1 FOR NO KEY UPDATE) AS r
          LIMIT 1",
        &[pg_sys::TEXTOID; 2],
    ) };
    static AWAIT_QUEUED: Statement = const { Statement::new(
        c"SELECT FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 ORDER BY q.ready_at LIMIT 1 FOR UPDATE",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// What a step has come to.
pub(super) enum Cleared {
    /// Nothing is left, or the type has a policy again.
    Done,
    More,
    /// Somebody holds what is left.
    Held,
}

struct Type {
    workspace: Text,
    entity_type: Text,
}

impl Type {
    fn new(workspace_id: &str, entity_type: &str) -> Self {
        Self { workspace: Text::new(workspace_id), entity_type: Text::new(entity_type) }
    }

    fn parameters(&self) -> [Parameter; 2] {
        [Some(self.workspace.datum()), Some(self.entity_type.datum())]
    }

    /// Gives back up to `max_rows` records of leases that nobody is about to settle, and ends the leases that then hold
    /// nothing. Gives how many records it was.
    fn end_leases(&self, client: &mut SpiClient<'_>, max_rows: i32) -> usize {
        let [workspace, entity_type] = self.parameters();
        let limit = Some(pg_sys::Datum::from(max_rows));
        let locked = LEASES.with(|plan| plan.run(client, &[workspace, entity_type, limit]));
        let leases: Vec<i64> = locked.iter::<1>().filter_map(|row| row.bigint(0)).collect();
        if leases.is_empty() {
            return 0;
        }
        let mut ids = Array::new(array::BIGINT);
        for id in &leases {
            ids.push_bytes(&id.to_ne_bytes());
        }
        let parameters = [workspace, Some(ids.datum()), Some(pg_sys::Datum::from(now())), limit];
        let given_back = GIVE_BACK.with(|plan| plan.run(client, &parameters)).count();
        lease::end_empty(client, workspace, &leases);
        given_back
    }

    /// Takes up to `max_rows` rows that nobody is about to claim out of the queue, and gives how many.
    fn dequeue(&self, client: &mut SpiClient<'_>, max_rows: i32) -> usize {
        let [workspace, entity_type] = self.parameters();
        let limit = Some(pg_sys::Datum::from(max_rows));
        DEQUEUE.with(|plan| plan.run(client, &[workspace, entity_type, limit])).count()
    }

    /// Whose turn it was, and what was claimed of limits that are over.
    fn forget(&self, client: &mut SpiClient<'_>) {
        let [workspace, entity_type] = self.parameters();
        TURNS.with(|plan| plan.run(client, &[workspace, entity_type]));
        let over = Some(pg_sys::Datum::from(now().div_euclid(1_000_000) - 61));
        LIMITS.with(|plan| plan.run(client, &[workspace, entity_type, over]));
    }

    fn is_left(&self, client: &mut SpiClient<'_>) -> bool {
        let rows = LEFT.with(|plan| plan.run(client, &self.parameters()));
        rows.iter::<2>().any(|row| row.boolean(0).or(row.boolean(1)).is_some())
    }
}

/// Removes what a policy leaves that this transaction ends, if one step is enough and nobody is at work on it. Whoever
/// has read that there is a policy, and may still queue something, is then kept out to the end of the transaction.
/// What is left is told of.
pub(super) fn remove_at_once(client: &mut SpiClient<'_>, workspace_id: &str, entity_type: &str) {
    let of = Type::new(workspace_id, entity_type);
    let _own = Own::begin();
    policy::share(workspace_id, entity_type);
    of.end_leases(client, STEP);
    // A transaction that keeps to its snapshot does not see what was written before the lock was free.
    if !keeps_snapshot() && policy::lock_alone_soon(workspace_id, entity_type) {
        of.dequeue(client, STEP);
        if !of.is_left(client) {
            of.forget(client);
            return;
        }
        policy::unlock_alone(workspace_id, entity_type);
    }
    notice(entity_type);
}

/// One step of `drop_backlog`: all who knew the policy have ended.
pub(super) fn remove_step(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
    max_rows: i32,
) -> Cleared {
    let of = Type::new(workspace_id, entity_type);
    let _own = Own::begin();
    policy::share(workspace_id, entity_type);
    if policy::find(client, &of.workspace, &of.entity_type).is_some() {
        return Cleared::Done;
    }
    let removed = of.end_leases(client, max_rows) + of.dequeue(client, max_rows);
    if of.is_left(client) {
        return if removed > 0 { Cleared::More } else { Cleared::Held };
    }
    of.forget(client);
    Cleared::Done
}

/// Waits until nobody holds the lease, its record and the row of the queue that come first. The caller lets go of them at
/// once.
pub(super) fn wait(client: &mut SpiClient<'_>, workspace_id: &str, entity_type: &str) {
    let of = Type::new(workspace_id, entity_type);
    for statement in [&AWAIT_LEASE, &AWAIT_RECORD, &AWAIT_QUEUED] {
        statement.with(|plan| plan.run(client, &of.parameters()));
    }
}

fn notice(entity_type: &str) {
    let name = entity_type.replace('\'', "''");
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("what the policy of \"{entity_type}\" leaves is not removed yet"),
        "",
    )
    .set_hint(format!("After COMMIT: CALL kepler.drop_backlog('{name}');"))
    .report(PgLogLevel::NOTICE);
}
