//! Ends a run, and before that deletes what a full one has not met, a bounded number of records a step.
//!
//! 1. Look for what is missing, without a lock: one pass over the entity's records and one over the notes. What is found is
//!    kept in a narrow table, and the guards say whether it may go.
//! 2. In each step, with the entity's lock alone until the end of the transaction: look whether it was seen or written since,
//!    and delete it as `delete_records` does.
//!
//! A record that somebody holds is passed by, since its holder may be waiting for the entity's lock; when nothing
//! else is left, a step waits for it before it takes that lock.

use super::end;
use super::error::SyncError;
use super::guards::{Allowed, Missing};
use super::inbox;
use super::run::{Run, Totals};
use crate::answer::Outcome;
use crate::enrichment::{queue, requeue};
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::query::Parameters;
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use crate::record::{seen, state};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;
use std::ffi::CStr;

/// So many records does a step look at, at most.
pub(super) const STEP: i32 = 10_000;

/// How the two passes are carried out, whatever statistics say: each table once, and a hash of the notes between.
const PASS: &[(&CStr, &CStr)] = &[
    (c"enable_seqscan", c"off"),
    (c"enable_indexscan", c"off"),
    (c"enable_indexonlyscan", c"off"),
    (c"enable_bitmapscan", c"on"),
    (c"enable_hashjoin", c"on"),
    (c"enable_hashagg", c"on"),
    (c"enable_nestloop", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"jit", c"off"),
];

thread_local! {
    static LAST_NOTE: Statement = const { Statement::new(
        c"SELECT s.id FROM kepler.sync_seen AS s
          WHERE s.workspace_id = $1 AND s.sync_run_id = $2 ORDER BY s.id DESC LIMIT 1",
        &[pg_sys::TEXTOID; 2],
    ) };
    static START: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET phase = 'sweeping', seen_through = $3, records = $4, to_delete = $5, swept_through = '',
              phase_began_at = pg_catalog.clock_timestamp(), phase_active_at = pg_catalog.clock_timestamp()
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT8OID, pg_sys::INT8OID,
        ],
    ) };
    static CANDIDATES: Statement = const { Statement::new(
        c"SELECT c.external_id, c.record_id FROM kepler.sync_candidates AS c
          WHERE c.workspace_id = $1 AND c.sync_run_id = $2 AND c.external_id > $3
          ORDER BY c.external_id LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    // What was written since the run began survives; so does what was changed while this waited for a look.
    // Each record is looked up by its id: IS NOT DISTINCT FROM keeps the planner from walking the entity instead.
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id AND x.entity_id IS NOT DISTINCT FROM $3
                AND x.deleted_at IS NULL AND x.updated_at < $4
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static OLD: Statement = const { Statement::new(
        c"SELECT r.id
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id AND x.entity_id IS NOT DISTINCT FROM $3
                AND x.deleted_at IS NULL AND x.updated_at < $4
              LIMIT 1) AS r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static AWAIT: Statement = const { Statement::new(
        c"SELECT r.id
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id
              LIMIT 1 FOR NO KEY UPDATE) AS r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static DONE: Statement = const { Statement::new(
        c"DELETE FROM kepler.sync_candidates AS c
          USING (SELECT pg_catalog.unnest($3) AS id) AS n
          WHERE c.workspace_id = $1 AND c.sync_run_id = $2 AND c.external_id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static SAVE: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET deleted = r.deleted + $3, spared = r.spared + $4, refused = r.refused + $5, swept_through = $6,
              error = coalesce($7, r.error), phase_active_at = pg_catalog.clock_timestamp()
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT8OID, pg_sys::INT8OID,
            pg_sys::TEXTOID, pg_sys::TEXTOID,
        ],
    ) };
}

/// How a run is to be ended.
pub(super) struct Options<'o> {
    pub(super) allowed: Allowed,
    pub(super) dry_run: bool,
    pub(super) max_rows: i32,
    pub(super) cursor: Option<&'o str>,
}

/// What a step says.
pub(super) struct Stepped {
    pub(super) outcome: Outcome,
    pub(super) status: String,
    pub(super) totals: Totals,
    pub(super) records: Option<i64>,
    pub(super) deleted: i64,
    pub(super) remaining: i64,
    /// What the database refused to delete, or, in a dry run, why the sweep would be refused.
    pub(super) error: Option<String>,
}

impl Stepped {
    fn of(run: Run, totals: Totals) -> Self {
        let ended = !run.is_open();
        Self {
            outcome: if ended { Outcome::Finished } else { Outcome::Unfinished },
            records: run.records,
            deleted: run.deleted,
            remaining: run.remaining(),
            totals,
            error: run.error,
            status: run.status,
        }
    }
}

/// One step of ending a run.
pub(super) fn finish(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    run_id: &str,
    options: &Options<'_>,
) -> Result<Stepped, Error> {
    let run = Run::read(client, workspace_id, run_id)?;
    if options.dry_run {
        return dry_run(client, run, options);
    }
    Run::lock_end(workspace_id, run_id);
    let run = Run::read(client, workspace_id, run_id)?;
    // Whoever did not hear the answer asks again.
    if run.status == "SUCCESS" {
        let totals = run.totals(client);
        return Ok(Stepped::of(run, totals));
    }
    run.require_open()?;
    require_empty_inbox(client, &run)?;
    if !run.is_full {
        let run = run.shared(client)?;
        run.require_open()?;
        return end_run(client, run, options);
    }
    if keeps_snapshot() {
        return Err(SyncError::KeepsSnapshot.into());
    }
    let run = if run.phase == "listing" { start(client, run, options)? } else { run };
    step(client, run, options)
}

/// Counts what a run would do. Nothing is locked or changed.
fn dry_run(client: &mut SpiClient<'_>, run: Run, options: &Options<'_>) -> Result<Stepped, Error> {
    let totals = run.totals(client);
    if !run.is_open() || !run.is_full || run.phase != "listing" {
        return Ok(Stepped::of(run, totals));
    }
    let records = count_records(client, &run);
    let missing = find_missing(client, &run, None);
    let found = Missing { records, missing };
    let refusal = inbox::refusal(client, &run);
    let refusal = refusal.or_else(|| options.allowed.refusal(&run, &totals, found));
    let error = refusal.map(|refusal| {
        let detail = crate::error::Report::detail(&refusal).unwrap_or_default();
        format!("{refusal}: {detail}")
    });
    Ok(Stepped {
        outcome: Outcome::Unfinished,
        status: run.status,
        totals,
        records: Some(records),
        deleted: 0,
        remaining: missing,
        error,
    })
}

/// Looks for what is missing, and checks the guards.
fn start(client: &mut SpiClient<'_>, run: Run, options: &Options<'_>) -> Result<Run, Error> {
    queue::lock(&run.workspace_id, &run.entity_type)?;
    // For a moment, so that every note up to the last one is there to be read: the steps look at later ones alone.
    let run = run.alone(client)?;
    run.require_open()?;
    require_empty_inbox(client, &run)?;
    let last_note = last_note(client, &run);
    seen::unlock_alone(&run.workspace_id, &run.entity_id);

    let totals = run.totals(client);
    let records = count_records(client, &run);
    let limit = match options.allowed.refusal(&run, &totals, Missing { records, missing: 0 }) {
        Some(_) => -1,
        None => options.allowed.limit(records),
    };
    let missing = find_missing(client, &run, Some(limit));
    options.allowed.check(&run, &totals, Missing { records, missing })?;

    let run = run.alone(client)?;
    run.require_open()?;
    require_empty_inbox(client, &run)?;
    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let parameters = [
        Some(workspace.datum()),
        Some(id.datum()),
        Some(pg_sys::Datum::from(last_note)),
        Some(pg_sys::Datum::from(records)),
        Some(pg_sys::Datum::from(missing)),
    ];
    START.with(|plan| plan.run(client, &parameters));
    // The lock is kept: whoever shares it may be about to write the run's row.
    Run::read(client, &run.workspace_id, &run.id)
}

/// Fails where rows of the run wait to be merged. Whoever copies shares the entity's lock: asked with that lock alone,
/// nothing can be on its way.
fn require_empty_inbox(client: &mut SpiClient<'_>, run: &Run) -> Result<(), Error> {
    inbox::refusal(client, run).map_or(Ok(()), |refusal| Err(refusal.into()))
}

fn last_note(client: &mut SpiClient<'_>, run: &Run) -> i64 {
    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let of_run = [Some(workspace.datum()), Some(id.datum())];
    let rows = LAST_NOTE.with(|plan| plan.run(client, &of_run));
    rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0)
}

/// The condition that a record is one that the run covers; what scope asks is left out where there is none.
fn covered(parameters: &mut Parameters, run: &Run) -> (String, String) {
    let workspace = parameters.text(&run.workspace_id);
    let entity = parameters.text(&run.entity_id);
    let in_scope = run.scope.as_ref().map_or_else(String::new, |scope| {
        let scope = parameters.text(scope);
        format!(" AND kepler.json_matches(r.data, {scope}::jsonb)")
    });
    let sql = format!(
        "r.workspace_id = {workspace} AND r.entity_id = {entity} AND r.deleted_at IS NULL
         AND r.external_id IS NOT NULL"
    );
    (sql, in_scope)
}

fn count_records(client: &mut SpiClient<'_>, run: &Run) -> i64 {
    let mut parameters = Parameters::default();
    let (covered, in_scope) = covered(&mut parameters, run);
    let _pass = LocalSettings::set(PASS);
    let rows = parameters.run_as_set(
        client,
        &format!("SELECT pg_catalog.count(*) FROM kepler.records AS r WHERE {covered}{in_scope}"),
    );
    rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0)
}

/// How many records are missing. They are kept where there are not more than `keep`.
fn find_missing(client: &mut SpiClient<'_>, run: &Run, keep: Option<i64>) -> i64 {
    let mut parameters = Parameters::default();
    let (covered, in_scope) = covered(&mut parameters, run);
    let (workspace, id) = (parameters.text(&run.workspace_id), parameters.text(&run.id));
    let began = parameters.time(run.started_at);
    let kept = keep.map_or_else(String::new, |limit| {
        format!(
            ", k AS (
                 INSERT INTO kepler.sync_candidates (workspace_id, sync_run_id, external_id, record_id)
                 SELECT {workspace}, {id}, m.external_id, m.id FROM m, n WHERE n.n <= {limit})"
        )
    });
    let _pass = LocalSettings::set(PASS);
    // The scope is asked of few: data may be large.
    let rows = parameters.run_as_set(
        client,
        &format!(
            "WITH m AS MATERIALIZED (
                 SELECT r.external_id, r.id
                 FROM (SELECT r.external_id, r.id, r.data FROM kepler.records AS r
                       WHERE {covered} AND r.updated_at < {began}
                         AND NOT EXISTS (
                             SELECT FROM (
                                 SELECT pg_catalog.unnest(s.external_ids) AS id FROM kepler.sync_seen AS s
                                 WHERE s.workspace_id = {workspace} AND s.sync_run_id = {id}) AS s
                             WHERE s.id = r.external_id)
                       OFFSET 0) AS r
                 WHERE true{in_scope}),
             n AS MATERIALIZED (SELECT pg_catalog.count(*) AS n FROM m){kept}
             SELECT n.n FROM n"
        ),
    );
    rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0)
}

/// Deletes up to so many records, and ends the run when none is left.
fn step(client: &mut SpiClient<'_>, run: Run, options: &Options<'_>) -> Result<Stepped, Error> {
    let mut found = candidates(client, &run, run.swept_through.as_deref(), options.max_rows);
    let mut free = None;
    if found.is_empty() && run.remaining() > 0 {
        // Others held these. What is waited for is let go of at once: its holder may wait for the entity's lock.
        found = candidates(client, &run, None, options.max_rows);
        free = Some(wait_for_records(client, &run, found.iter().map(|(_, id)| id.as_str())));
    }
    let ids: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    requeue::lock_types(client, &run.workspace_id, &ids)?;
    let run = run.alone(client)?;
    run.require_open()?;
    require_empty_inbox(client, &run)?;

    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let met = met_since(client, &run, found.iter().map(|(external_id, _)| external_id.as_str()));
    let unmet = || found.iter().filter(|(external_id, _)| !met.contains(external_id));
    let (locked, old) = lock(client, &run, unmet().map(|(_, id)| id.as_str()));
    let chosen: Vec<&str> = locked.iter().map(String::as_str).collect();
    let result = state::delete_all(client, &run.workspace_id, &chosen);

    // What is still as it was, and could not be locked, is held by somebody; where nobody was waited for, a policy keeps
    // this role from changing it.
    let is_locked: HashSet<&str> = chosen.iter().copied().collect();
    let unlocked = old.iter().map(String::as_str).filter(|id| !is_locked.contains(id));
    let (held, hidden): (HashSet<&str>, HashSet<&str>) =
        unlocked.partition(|id| free.as_ref().is_none_or(|free| free.contains(*id)));
    let is_held = |external_id: &String, record_id: &String| {
        !met.contains(external_id) && held.contains(record_id.as_str())
    };
    let handled = found.iter().filter(|(external_id, id)| !is_held(external_id, id));
    let mut done = Array::texts(handled.map(|(external_id, _)| external_id.as_str()));
    let handled = done.count();
    let of_run = [Some(workspace.datum()), Some(id.datum())];
    DONE.with(|plan| plan.run(client, &[of_run[0], of_run[1], Some(done.datum())]));
    let through =
        found.last().map_or(run.swept_through.as_deref(), |(last, _)| Some(last.as_str()));
    let through = Text::new(through.unwrap_or_default());
    let refused = result.refused.len() + hidden.len();
    let refusal = result.refused.first().map(|(id, rejection)| (id.clone(), rejection.text()));
    let refusal = refusal.or_else(|| {
        Some((
            (*hidden.iter().min()?).to_owned(),
            "row security keeps it from this role".to_owned(),
        ))
    });
    let error = refusal.map(|(record_id, why)| {
        Text::new(&format!("The database refused to delete record \"{record_id}\": {why}"))
    });
    // Somebody has deleted what was kept of them.
    let lost = if found.is_empty() { run.remaining() } else { 0 };
    let number = |count: usize| -> Parameter { Some(pg_sys::Datum::from(count as i64)) };
    let parameters = [
        of_run[0],
        of_run[1],
        number(result.deleted),
        number(handled - result.deleted - refused + lost as usize),
        number(refused),
        Some(through.datum()),
        error.as_ref().map(Text::datum),
    ];
    SAVE.with(|plan| plan.run(client, &parameters));
    let run = Run::read(client, &run.workspace_id, &run.id)?;
    if run.remaining() == 0 {
        return end_run(client, run, options);
    }
    let totals = run.totals(client);
    Ok(Stepped::of(run, totals))
}

fn candidates(
    client: &mut SpiClient<'_>,
    run: &Run,
    after: Option<&str>,
    max_rows: i32,
) -> Vec<(String, String)> {
    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let after = Text::new(after.unwrap_or_default());
    let parameters = [
        Some(workspace.datum()),
        Some(id.datum()),
        Some(after.datum()),
        Some(pg_sys::Datum::from(max_rows)),
    ];
    let rows = CANDIDATES.with(|plan| plan.run(client, &parameters));
    let found = rows.iter::<2>();
    found.filter_map(|row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
}

/// Those of the external ids that upserts have met since the sweep looked for what is missing.
fn met_since<'i>(
    client: &mut SpiClient<'_>,
    run: &Run,
    external_ids: impl Iterator<Item = &'i str>,
) -> HashSet<String> {
    let mut parameters = Parameters::default();
    let (workspace, id) = (parameters.text(&run.workspace_id), parameters.text(&run.id));
    let since = run.seen_through.unwrap_or(0);
    let wanted = parameters.texts(external_ids);
    let rows = parameters.run_fresh(
        client,
        &format!(
            "SELECT n.id FROM kepler.sync_seen AS s
             CROSS JOIN LATERAL pg_catalog.unnest(s.external_ids) AS n (id)
             WHERE s.workspace_id = {workspace} AND s.sync_run_id = {id} AND s.id > {since}
               AND n.id = ANY ({wanted})"
        ),
    );
    rows.iter::<1>().filter_map(|row| row.text(0)).map(str::to_owned).collect()
}

/// Locks those of the records that nobody has written since the run began, in the order of their external ids, and gives
/// beside them all that are so, those that somebody holds included.
fn lock<'i>(
    client: &mut SpiClient<'_>,
    run: &Run,
    ids: impl Iterator<Item = &'i str>,
) -> (Vec<String>, Vec<String>) {
    let (workspace, entity) = (Text::new(&run.workspace_id), Text::new(&run.entity_id));
    let mut wanted = Array::texts(ids);
    let parameters = [
        Some(workspace.datum()),
        Some(wanted.datum()),
        Some(entity.datum()),
        Some(pg_sys::Datum::from(run.started_at)),
    ];
    let mut texts = |statement: &'static std::thread::LocalKey<Statement>| -> Vec<String> {
        let rows = statement.with(|plan| plan.run(client, &parameters));
        rows.iter::<1>().filter_map(|row| row.text(0)).map(str::to_owned).collect()
    };
    let locked = texts(&LOCK);
    (locked, texts(&OLD))
}

/// Waits until nobody holds any of the records, lets go of them, and gives those that this role may lock.
fn wait_for_records<'i>(
    client: &mut SpiClient<'_>,
    run: &Run,
    ids: impl Iterator<Item = &'i str>,
) -> HashSet<String> {
    let workspace = Text::new(&run.workspace_id);
    let mut wanted = Array::texts(ids);
    let parameters = [Some(workspace.datum()), Some(wanted.datum())];
    let mut free = HashSet::new();
    subtransaction::would_refuse(|| {
        let rows = AWAIT.with(|plan| plan.run(client, &parameters));
        free.extend(rows.iter::<1>().filter_map(|row| row.text(0)).map(str::to_owned));
    });
    free
}

fn end_run(client: &mut SpiClient<'_>, run: Run, options: &Options<'_>) -> Result<Stepped, Error> {
    let totals = run.totals(client);
    let issue = run.error.clone().filter(|_| run.refused > 0);
    let ended = end::succeed(client, &run, &totals, options.cursor, issue.as_deref());
    let run = Run::read(client, &run.workspace_id, &run.id)?;
    if !ended && run.status != "SUCCESS" {
        run.require_open()?;
    }
    let totals = run.totals(client);
    Ok(Stepped::of(run, totals))
}
