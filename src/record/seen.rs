//! What upserts tell sync runs: which records of an entity they have met, and what became of a run's own elements.
//!
//! Upserts share a lock of their entity to the end of the transaction, and read behind it whether a full run is open.
//! Whoever begins a run, or sweeps, has that lock alone until its transaction ends: an upsert either ends before, and
//! what it noted is seen, or it begins after, and sees what was done.

use super::error::RecordError;
use super::options::Arguments;
use crate::answer::{Answer, Outcome};
use crate::arguments::{ArgumentError, required};
use crate::error::Error;
use crate::pg::advisory;
use crate::pg::array::Array;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::rc::Rc;

/// So many external ids stand in a row, and so many are sent to Postgres at once.
const IDS_A_ROW: usize = 100;
const IDS_A_STATEMENT: usize = 10_000;

/// A record's external id is not longer.
const LONGEST_ID: usize = 2_000;

thread_local! {
    static RUNS: UntilWritten<(String, String), Run> = UntilWritten::of(&[c"sync_runs", c"entities"]);
    static RUN: Statement = const { Statement::new(
        c"SELECT r.entity_id, e.type, e.source, e.connection_id, r.status::text
          FROM kepler.sync_runs AS r
          JOIN kepler.entities AS e ON e.workspace_id = r.workspace_id AND e.id = r.entity_id
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static NEWEST: Statement = const { Statement::new(
        c"SELECT r.id, r.deleted FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.entity_id = $2 AND r.mode = 'full'::kepler.sync_mode
          ORDER BY r.started_at DESC LIMIT 1",
        &[pg_sys::TEXTOID; 2],
    ) };
    static NOTE: Statement = const { Statement::new(
        c"INSERT INTO kepler.sync_seen (workspace_id, sync_run_id, external_ids)
          SELECT $1, $2, ($3)[100 * n.n + 1 : 100 * n.n + 100]
          FROM pg_catalog.generate_series(0, $4) AS n (n)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT4OID],
    ) };
    static TAKE_BACK: Statement = const { Statement::new(
        c"INSERT INTO kepler.sync_batches
              (workspace_id, sync_run_id, seen, inserted, updated, refreshed, restored, deleted, unchanged,
               stale, superseded, rejected)
          SELECT $1, r.id, 0, 0, 0, 0, 0, 0, 0, 0, 0, -$3
          FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.id = $2 AND r.status = 'RUNNING'::kepler.sync_status",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static COUNT: Statement = const { Statement::new(
        c"INSERT INTO kepler.sync_batches
              (workspace_id, sync_run_id, seen, inserted, updated, refreshed, restored, deleted, unchanged,
               stale, superseded, rejected)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID, pg_sys::INT4OID, pg_sys::INT4OID,
            pg_sys::INT4OID, pg_sys::INT4OID, pg_sys::INT4OID, pg_sys::INT4OID, pg_sys::INT4OID,
            pg_sys::INT4OID, pg_sys::INT4OID,
        ],
    ) };
}

/// Rejects of a run that have landed by now: what it counted is taken back, as long as it is open.
pub(super) fn take_back(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    run_id: &str,
    count: usize,
) {
    let (workspace, run) = (Text::new(workspace_id), Text::new(run_id));
    let parameters =
        [Some(workspace.datum()), Some(run.datum()), Some(pg_sys::Datum::from(count as i32))];
    TAKE_BACK.with(|plan| plan.run(client, &parameters));
}

/// What becomes of a record, in the order of reports and of the columns of `sync_batches`.
pub(crate) const OUTCOMES: [Outcome; 9] = [
    Outcome::Inserted,
    Outcome::Updated,
    Outcome::Refreshed,
    Outcome::Restored,
    Outcome::Deleted,
    Outcome::Unchanged,
    Outcome::Stale,
    Outcome::Superseded,
    Outcome::Rejected,
];

/// A run, as far as an upsert needs it.
#[derive(Clone)]
struct Run {
    entity_id: Rc<str>,
    entity_type: Rc<str>,
    source: Rc<str>,
    connection_id: Option<Rc<str>>,
    status: Rc<str>,
}

/// Counted among those who write records of an entity, to the end of the transaction.
pub(crate) fn share(workspace_id: &str, entity_id: &str) {
    advisory::lock(&lock_name(workspace_id, entity_id), false);
}

/// Keeps all who upsert records of an entity out to the end of the transaction, and waits for those who do.
pub(crate) fn lock_alone(workspace_id: &str, entity_id: &str) {
    advisory::lock_alone(&lock_name(workspace_id, entity_id));
}

/// Lets go of what `lock_alone` has taken last.
pub(crate) fn unlock_alone(workspace_id: &str, entity_id: &str) {
    advisory::release(&lock_name(workspace_id, entity_id));
}

fn lock_name(workspace_id: &str, entity_id: &str) -> String {
    format!("kepler records\0{workspace_id}\0{entity_id}")
}

/// Fails where a transaction that keeps to its snapshot does not see what the runs of an entity have done since.
/// The caller shares the entity's lock.
///
/// Errors: 40001.
pub(super) fn require_current(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_id: &str,
) -> Result<(), Error> {
    if !keeps_snapshot() {
        return Ok(());
    }
    let (workspace, entity) = (Text::new(workspace_id), Text::new(entity_id));
    let of_entity = [Some(workspace.datum()), Some(entity.datum())];
    let state = |rows: &Rows<'_>| {
        let row = rows.iter::<2>().next()?;
        Some((row.text(0)?.to_owned(), row.bigint(1)?))
    };
    let seen = NEWEST.with(|plan| state(&plan.run(client, &of_entity)));
    let is = NEWEST.with(|plan| state(&plan.run_latest(client, &of_entity)));
    if seen == is {
        return Ok(());
    }
    Err(RecordError::SyncChanged.into())
}

/// Gives an upsert the source and the connection of its run, and checks those that were given.
///
/// Errors: 22004 and 22023 for arguments, 42704 where there is no such run.
pub(super) fn complete(client: &mut SpiClient<'_>, arguments: &mut Arguments) -> Result<(), Error> {
    let Some(run_id) = &arguments.sync_run_id else { return Ok(()) };
    let workspace_id = workspace::argument(arguments.workspace_id.clone())?;
    let entity_type = required("entity_type", arguments.entity_type.clone())?;
    let run = find(client, &workspace_id, run_id)?;
    let differs = |argument: &'static str, given: &str, of_run: Option<&str>| {
        Err(RecordError::OtherThanRun {
            argument,
            given: given.to_owned(),
            of_run: of_run.unwrap_or("NULL").to_owned(),
            run: run_id.clone(),
        }
        .into())
    };
    if *entity_type != *run.entity_type {
        return differs("entity_type", &entity_type, Some(&run.entity_type));
    }
    match &arguments.source {
        Some(given) if **given != *run.source => {
            return differs("source", given, Some(&run.source));
        }
        _ => arguments.source = Some(run.source.to_string()),
    }
    match &arguments.connection_id {
        Some(given) if Some(given.as_str()) != run.connection_id.as_deref() => {
            return differs("connection_id", given, run.connection_id.as_deref());
        }
        _ => arguments.connection_id = run.connection_id.as_deref().map(str::to_owned),
    }
    Ok(())
}

fn find(client: &mut SpiClient<'_>, workspace_id: &str, run_id: &str) -> Result<Run, Error> {
    let key = (workspace_id.to_owned(), run_id.to_owned());
    let look_up = |_: &_| Ok::<_, Error>(look_up(client, workspace_id, run_id));
    let found = RUNS.with(|runs| runs.find(Some(workspace_id), key, look_up))?;
    found.ok_or_else(|| missing(workspace_id, run_id))
}

/// The error where there is no such run.
pub(crate) fn missing(workspace_id: &str, run_id: &str) -> Error {
    RecordError::NoRun { id: run_id.to_owned(), workspace: workspace_id.to_owned() }.into()
}

fn look_up(client: &mut SpiClient<'_>, workspace_id: &str, run_id: &str) -> Option<Run> {
    let (workspace, id) = (Text::new(workspace_id), Text::new(run_id));
    let of_run = [Some(workspace.datum()), Some(id.datum())];
    // Whether it is open is asked behind a lock: what is committed counts.
    let rows = match keeps_snapshot() {
        true => RUN.with(|plan| plan.run_latest(client, &of_run)),
        false => RUN.with(|plan| plan.run(client, &of_run)),
    };
    let row = rows.iter::<5>().next()?;
    Some(Run {
        entity_id: row.text(0)?.into(),
        entity_type: row.text(1)?.into(),
        source: row.text(2)?.into(),
        connection_id: row.text(3).map(Rc::from),
        status: row.text(4)?.into(),
    })
}

/// Fails unless a run of this entity is open. The caller shares the entity's lock.
///
/// Errors: 55000, 42704 where it has gone meanwhile.
pub(super) fn require_open(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    run_id: &str,
    entity_id: &str,
) -> Result<(), Error> {
    let run = find(client, workspace_id, run_id)?;
    if *run.entity_id != *entity_id {
        return Err(missing(workspace_id, run_id));
    }
    if &*run.status != "RUNNING" {
        return Err(RecordError::RunEnded {
            id: run_id.to_owned(),
            status: run.status.to_string(),
        }
        .into());
    }
    Ok(())
}

/// What one call notes.
pub(super) struct Notes<'n> {
    pub(super) workspace_id: &'n str,
    /// The full run that is open for the entity, whoever calls.
    pub(super) open_run: Option<&'n str>,
    /// The run that the call is for.
    pub(super) own_run: Option<&'n str>,
}

impl Notes<'_> {
    pub(super) fn are_wanted(&self) -> bool {
        self.open_run.is_some() || self.own_run.is_some()
    }

    /// `ids`: the different external ids of a call, those of rejected elements among them.
    pub(super) fn write<Id>(
        &self,
        client: &mut SpiClient<'_>,
        ids: impl Iterator<Item = impl AsRef<str>>,
        answers: &[Answer<Id>],
    ) {
        let ids: Vec<_> = ids.filter(|id| (1..=LONGEST_ID).contains(&id.as_ref().len())).collect();
        let workspace = Text::new(self.workspace_id);
        if let Some(run) = self.open_run {
            let run = Text::new(run);
            for chunk in ids.chunks(IDS_A_STATEMENT) {
                let mut array = Array::texts(chunk.iter().map(AsRef::as_ref));
                let last = (chunk.len() - 1) / IDS_A_ROW;
                let parameters = [
                    Some(workspace.datum()),
                    Some(run.datum()),
                    Some(array.datum()),
                    Some(pg_sys::Datum::from(last as i32)),
                ];
                NOTE.with(|plan| plan.run(client, &parameters));
            }
        }
        if let Some(run) = self.own_run {
            let run = Text::new(run);
            let integer = |count: usize| Some(pg_sys::Datum::from(count as i32));
            let mut parameters: [Parameter; 12] = [None; 12];
            parameters[0] = Some(workspace.datum());
            parameters[1] = Some(run.datum());
            parameters[2] = integer(ids.len());
            for (place, outcome) in OUTCOMES.into_iter().enumerate() {
                let count = answers.iter().filter(|answer| answer.outcome == outcome).count();
                parameters[3 + place] = integer(count);
            }
            COUNT.with(|plan| plan.run(client, &parameters));
        }
    }
}

/// The argument `sync_run_id`, where it must be there.
pub(crate) fn run_argument(sync_run_id: Option<String>) -> Result<String, ArgumentError> {
    required("sync_run_id", sync_run_id)
}
