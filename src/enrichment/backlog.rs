//! What a policy finds when it begins or becomes fair.
//!
//! The backlog is the records of the type that nobody has queued, and what is queued without the key that a fair policy
//! wants. Both are walked by the primary key, a bounded number of rows a step, and the policy's row says how far: where
//! there are few rows in the statement that declares the policy, otherwise by `queue_backlog`, which commits after each
//! step.
//!
//! A step waits for nobody but another step. It locks records before it queues them, as writers do, and passes by those
//! that somebody holds: whoever waited here, with rows of the queue in hand, could wait in a circle.

use super::direct::Own;
use super::policy;
use crate::pg::array::Array;
use crate::pg::clock::now;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::query::Parameters;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// So many rows does a step look at, at most.
pub(super) const STEP: i32 = 10_000;

thread_local! {
    static STATE: Statement = const { Statement::new(
        c"SELECT p.backlog_after, p.fair_keys_after, p.turns_by FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $2 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID; 2],
    ) };
    static SAVE: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_policies AS p
          SET backlog_after = $3, fair_keys_after = $4, backlog_queued = p.backlog_queued + $5
          WHERE p.workspace_id = $1 AND p.entity_type = $2",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID,
        ],
    ) };
    // Records in their order, and whether they are to be queued.
    static RECORDS: Statement = const { Statement::new(
        c"SELECT r.id,
                 CASE WHEN r.entity_type = $2
                           AND r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                           AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL
                      THEN (SELECT q.entity_type FROM kepler.enrichment_queue AS q
                            WHERE q.workspace_id = $1 AND q.record_id = r.id LIMIT 1) IS DISTINCT FROM $2
                      ELSE false END
          FROM kepler.records AS r
          WHERE r.workspace_id = $1 AND r.id > $3
          ORDER BY r.id LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static LOCK: Statement = const { Statement::new(
        c"SELECT l.id
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id AND x.entity_type = $2
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    // A microsecond each: a claim that goes on where the last one ended finds its place by the time.
    // A row that is there under another type got there around Kepler, and would never be claimed.
    static ENQUEUE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue AS q
              (workspace_id, record_id, entity_type, fair_key, ready_at)
          SELECT $1, r.id, $2,
                 CASE $4 WHEN 'entity' THEN COALESCE(r.entity_id, ' ') WHEN 'source' THEN r.source END,
                 $5 + n.place * interval '1 microsecond'
          FROM pg_catalog.unnest($3) WITH ORDINALITY AS n (id, place)
          CROSS JOIN LATERAL (
              SELECT x.id, x.entity_id, x.source FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id LIMIT 1) AS r
          ON CONFLICT (workspace_id, record_id) DO UPDATE
          SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
          WHERE q.entity_type <> excluded.entity_type",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID,
        ],
    ) };
    static AWAIT: Statement = const { Statement::new(
        c"SELECT FROM kepler.records AS r
          WHERE r.workspace_id = $1 AND r.id = $2 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID; 2],
    ) };
    // Rows of the queue in their order, and whether they are of the type.
    static QUEUED: Statement = const { Statement::new(
        c"SELECT q.record_id, q.entity_type = $2
          FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.record_id > $3
          ORDER BY q.record_id LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    // What is locked stays where it is until the end of the transaction. What somebody has in hand is about to leave
    // the queue, or is found by claims without its key.
    static SET_KEYS: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET fair_key = COALESCE((
              SELECT CASE $4 WHEN 'source' THEN r.source ELSE r.entity_id END FROM kepler.records AS r
              WHERE r.workspace_id = $1 AND r.id = q.record_id LIMIT 1), ' ')
          WHERE q.ctid = ANY (ARRAY(
              SELECT l.ctid
              FROM (SELECT pg_catalog.unnest($3) AS id) AS n
              LEFT JOIN LATERAL (
                  SELECT CASE $4 WHEN 'source' THEN y.source ELSE y.entity_id END AS fair_key
                  FROM kepler.records AS y
                  WHERE y.workspace_id = $1 AND y.id = n.id LIMIT 1) AS r ON true
              CROSS JOIN LATERAL (
                  SELECT x.ctid FROM kepler.enrichment_queue AS x
                  WHERE x.workspace_id = $1 AND x.record_id = n.id AND x.entity_type = $2
                    AND x.fair_key IS DISTINCT FROM COALESCE(r.fair_key, ' ')
                  LIMIT 1 FOR UPDATE SKIP LOCKED) AS l))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID],
    ) };
}

/// How far a policy's backlog is queued: the id behind which to go on, or nothing once all is done.
#[derive(Clone)]
struct State {
    records_after: Option<String>,
    keys_after: Option<String>,
    /// Between what claims take turns, as the policy has it.
    turns_by: Option<String>,
}

impl State {
    fn is_done(&self) -> bool {
        self.records_after.is_none() && self.keys_after.is_none()
    }
}

/// What was done about a backlog, and is left.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) queued: i64,
    /// So many rows are to be looked at, by the statistics; 0 only where nothing is left.
    pub(super) remaining: i64,
}

/// What a step of `queue_backlog` says.
pub(super) enum Stepped {
    /// Nothing is left, or the policy is gone.
    Done,
    More,
    /// Somebody holds this record.
    Held(String),
}

/// A type of record, as statements want it.
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

    /// Holds the policy's row to the end of the transaction.
    fn state(&self, client: &mut SpiClient<'_>) -> Option<State> {
        let rows = STATE.with(|plan| plan.run(client, &self.parameters()));
        let row = rows.iter::<3>().next()?;
        Some(State {
            records_after: row.text(0).map(str::to_owned),
            keys_after: row.text(1).map(str::to_owned),
            turns_by: row.text(2).map(str::to_owned),
        })
    }

    fn save(&self, client: &mut SpiClient<'_>, state: &State, queued: i64) {
        let [workspace, entity_type] = self.parameters();
        let records_after = state.records_after.as_deref().map(Text::new);
        let keys_after = state.keys_after.as_deref().map(Text::new);
        let parameters = [
            workspace,
            entity_type,
            records_after.as_ref().map(Text::datum),
            keys_after.as_ref().map(Text::datum),
            Some(pg_sys::Datum::from(queued)),
        ];
        SAVE.with(|plan| plan.run(client, &parameters));
    }

    /// Looks at up to `max_rows` records, then, behind the last, at as many rows of the queue. Gives how far it got,
    /// how many it has queued, and the record that it stopped at because somebody holds it.
    fn step(
        &self,
        client: &mut SpiClient<'_>,
        state: &State,
        max_rows: i32,
    ) -> (State, i64, Option<String>) {
        let _own = Own::begin();
        let mut next = State { records_after: None, ..state.clone() };
        let mut queued = 0;
        if let Some(after) = &state.records_after {
            let (count, held) = self.queue_some(client, &mut next, after, max_rows);
            queued = count;
            if next.records_after.is_some() {
                return (next, queued, held);
            }
        }
        if let Some(after) = &state.keys_after {
            next.keys_after = self.set_some_keys(client, state, after, max_rows);
        }
        (next, queued, None)
    }

    fn queue_some(
        &self,
        client: &mut SpiClient<'_>,
        next: &mut State,
        after: &str,
        max_rows: i32,
    ) -> (i64, Option<String>) {
        let [workspace, entity_type] = self.parameters();
        let behind = Text::new(after);
        let limit = Some(pg_sys::Datum::from(max_rows));
        let rows = RECORDS
            .with(|plan| plan.run(client, &[workspace, entity_type, Some(behind.datum()), limit]));
        let found: Vec<(&str, bool)> = rows
            .iter::<2>()
            .filter_map(|row| Some((row.text(0)?, row.boolean(1) == Some(true))))
            .collect();
        let wanted = || found.iter().filter(|(_, wanted)| *wanted).map(|(id, _)| *id);
        let mut ids = Array::texts(wanted());
        let (mut queued, mut held) = (0, None);
        if ids.count() > 0 {
            let parameters = [workspace, entity_type, Some(ids.datum())];
            let locked = LOCK.with(|plan| plan.run(client, &parameters));
            let locked: HashSet<&str> = locked.iter::<1>().filter_map(|row| row.text(0)).collect();
            // In their order, which is that of their ids, and so about that in which they were made.
            let mut ids = Array::texts(wanted().filter(|id| locked.contains(id)));
            let first = now() - ids.count() as i64;
            let turns_by = next.turns_by.as_deref().map(Text::new);
            let parameters = [
                workspace,
                entity_type,
                Some(ids.datum()),
                turns_by.as_ref().map(Text::datum),
                Some(pg_sys::Datum::from(first)),
            ];
            queued = ENQUEUE.with(|plan| plan.run(client, &parameters)).count() as i64;
            held = found.iter().position(|(id, wanted)| *wanted && !locked.contains(id));
        }
        let last = match held {
            Some(0) => Some(after),
            Some(at) => Some(found[at - 1].0),
            None if found.len() < max_rows as usize => None,
            None => found.last().map(|(id, _)| *id),
        };
        next.records_after = last.map(str::to_owned);
        (queued, held.map(|at| found[at].0.to_owned()))
    }

    fn set_some_keys(
        &self,
        client: &mut SpiClient<'_>,
        state: &State,
        after: &str,
        max_rows: i32,
    ) -> Option<String> {
        let [workspace, entity_type] = self.parameters();
        let behind = Text::new(after);
        let limit = Some(pg_sys::Datum::from(max_rows));
        let rows = QUEUED
            .with(|plan| plan.run(client, &[workspace, entity_type, Some(behind.datum()), limit]));
        let of_type = rows.iter::<2>().filter(|row| row.boolean(1) == Some(true));
        let mut ids = Array::texts(of_type.filter_map(|row| row.text(0)));
        let turns_by = state.turns_by.as_deref().map(Text::new);
        if ids.count() > 0 && turns_by.is_some() {
            let turns_by = turns_by.as_ref().map(Text::datum);
            let parameters = [workspace, entity_type, Some(ids.datum()), turns_by];
            SET_KEYS.with(|plan| plan.run(client, &parameters));
        }
        if rows.count() < max_rows as usize {
            return None;
        }
        rows.iter::<2>().last().and_then(|row| row.text(0)).map(str::to_owned)
    }
}

/// Queues the backlog of a policy that this transaction declares or changes, if one step is enough and nobody writes
/// records of the type. Whoever has read that there is no such policy, and may still queue nothing, or without a key,
/// is kept out to the end of the transaction. What is left is told of.
pub(super) fn queue_at_once(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
) -> Option<Progress> {
    let of = Type::new(workspace_id, entity_type);
    let state = of.state(client)?;
    if state.is_done() {
        return Some(Progress::default());
    }
    let mut queued = 0;
    // A transaction that keeps to its snapshot does not see what was written before the lock was free.
    if !keeps_snapshot() && policy::lock_alone_soon(workspace_id, entity_type) {
        let (next, count, _) = of.step(client, &state, STEP);
        queued = count;
        if next.is_done() {
            of.save(client, &next, queued);
            return Some(Progress { queued, remaining: 0 });
        }
        // From here on writers may do what this transaction's end makes wrong: the walk begins anew behind it.
        of.save(client, &state, queued);
        policy::unlock_alone(workspace_id, entity_type);
    }
    // Like a writer, to the end: the walk waits for holders, and by then all sessions have heard of the policy.
    policy::share(workspace_id, entity_type);
    let remaining = remaining(client, workspace_id, &state);
    notice(entity_type);
    Some(Progress { queued, remaining })
}

/// One step of `queue_backlog`: the policy is committed, and all who did not know it have ended.
pub(super) fn queue_step(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
    max_rows: i32,
) -> Stepped {
    let of = Type::new(workspace_id, entity_type);
    let Some(state) = of.state(client).filter(|state| !state.is_done()) else {
        return Stepped::Done;
    };
    let (next, queued, held) = of.step(client, &state, max_rows);
    of.save(client, &next, queued);
    match held {
        Some(record_id) => Stepped::Held(record_id),
        None if next.is_done() => Stepped::Done,
        None => Stepped::More,
    }
}

/// Waits until nobody holds a record. The caller has nothing locked, and lets go of it at once.
pub(super) fn wait_for_record(client: &mut SpiClient<'_>, workspace_id: &str, record_id: &str) {
    let (workspace, id) = (Text::new(workspace_id), Text::new(record_id));
    AWAIT.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(id.datum())]));
}

/// About how many rows are to be looked at.
fn remaining(client: &mut SpiClient<'_>, workspace_id: &str, state: &State) -> i64 {
    let mut parameters = Parameters::default();
    let workspace = parameters.text(workspace_id);
    let mut rows = 0.0;
    for (table, column, after) in [
        ("records", "id", &state.records_after),
        ("enrichment_queue", "record_id", &state.keys_after),
    ] {
        let Some(after) = after else { continue };
        let after = parameters.text(after);
        let sql = format!(
            "SELECT FROM kepler.{table} AS t WHERE t.workspace_id = {workspace} AND t.{column} > {after}"
        );
        rows += parameters.expected_rows(client, &sql);
    }
    (rows as i64).max(1)
}

fn notice(entity_type: &str) {
    let name = entity_type.replace('\'', "''");
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("the backlog of \"{entity_type}\" is not queued yet"),
        "",
    )
    .set_hint(format!("After COMMIT: CALL kepler.queue_backlog('{name}');"))
    .report(PgLogLevel::NOTICE);
}
