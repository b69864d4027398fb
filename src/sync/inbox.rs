//! The inbox: elements that were copied in for a run, upserted in steps.
//!
//! One step is one transaction: it takes rows out in the order of their ids, upserts them as a batch, and notes on the run
//! how far it has come. Steps of one run exclude each other, since of two versions without times the later one counts;
//! those of different runs do not.
//!
//! How elements are read is kept on the run by its first step, so that whoever goes on reads the rest in the same way.

use super::error::SyncError;
use super::run::Run;
use crate::access::owner;
use crate::answer::Outcome;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::json::Options;
use crate::pg::plan::{Parameter, Statement, Tid};
use crate::pg::row::Row;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::record::given::{Given, upsert_given};
use crate::record::keys::GivenKeys;
use crate::record::options::{Arguments, Request};
use crate::record::seen;
use crate::record::summary::Summary;
use crate::{settings, workspace};
use pgrx::JsonB;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use serde_json::{Value, json};

/// So many rows does a step take, at most.
const STEP: i32 = 100_000;

/// About so many bytes of elements does a step take, but one element at least.
const STEP_BYTES: i64 = 16 << 20;

thread_local! {
    static STATE: Statement = const { Statement::new(
        c"SELECT r.inbox_options::text, r.merged_through FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    // What is large is not fetched to be measured.
    static NEXT: Statement = const { Statement::new(
        c"SELECT i.ctid, (coalesce(pg_catalog.octet_length(i.line), 0)
                          + coalesce(pg_catalog.octet_length(i.data), 0))::bigint
          FROM kepler.inbox_rows AS i
          WHERE i.workspace_id = $1 AND i.sync_run_id = $2 AND i.id > $3
          ORDER BY i.id LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT4OID],
    ) };
    static TAKE: Statement = const { Statement::new(
        c"DELETE FROM kepler.inbox_rows AS i
          WHERE i.ctid = ANY ($3) AND i.workspace_id = $1 AND i.sync_run_id = $2
          RETURNING i.id, i.line, i.external_id, i.data, i.source_updated_at, i.deleted",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIDARRAYOID],
    ) };
    static THERE: Statement = const { Statement::new(
        c"SELECT FROM kepler.inbox_rows AS i
          WHERE i.ctid = ANY ($3) AND i.workspace_id = $1 AND i.sync_run_id = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIDARRAYOID],
    ) };
    static FIRST: Statement = const { Statement::new(
        c"SELECT i.id FROM kepler.inbox_rows AS i
          WHERE i.workspace_id = $1 AND i.sync_run_id = $2 AND i.id > $3 ORDER BY i.id LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static LAST: Statement = const { Statement::new(
        c"SELECT i.id FROM kepler.inbox_rows AS i
          WHERE i.workspace_id = $1 AND i.sync_run_id = $2 AND i.id > $3 ORDER BY i.id DESC LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static SAVE: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET merged = r.merged + $3, merged_through = greatest(r.merged_through, $4),
              inbox_options = coalesce(r.inbox_options, $5::jsonb),
              phase_began_at = coalesce(r.phase_began_at, $6), phase_active_at = $7
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT8OID, pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
        ],
    ) };
    static COUNT: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET to_merge = r.merged + (
              SELECT pg_catalog.count(*) FROM kepler.inbox_rows AS i WHERE i.workspace_id = $1 AND i.sync_run_id = $2)
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// Before the first row, whatever ids there are.
const START: i64 = i64::MIN;

/// Merges a part of the inbox of a run.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.merge_inbox_batch(
    sync_run_id text,
    max_rows integer DEFAULT 10000,
    merge text DEFAULT NULL,
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    deleted_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT merged bigint,
    OUT counts jsonb,
    OUT remaining bigint
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn merge_inbox_batch(
    sync_run_id: Option<String>,
    max_rows: Option<i32>,
    merge: Option<String>,
    id_key: Option<String>,
    updated_at_key: Option<String>,
    deleted_key: Option<String>,
    options: Option<Options>,
    workspace_id: Option<String>,
) -> Result<Row<4>, ErrorReport> {
    let keys = GivenKeys { id_key, updated_at_key, deleted_key };
    let reading = given_reading(merge, keys, options);
    let merged = merge_step(sync_run_id, max_rows, reading, false, workspace_id)?;
    Ok(Row([
        merged.outcome().name().into_datum(),
        merged.rows.into_datum(),
        JsonB(serde_json::to_value(merged.counts).map_err(Error::from)?).into_datum(),
        merged.remaining.into_datum(),
    ]))
}

/// One step of `merge_inbox`, a procedure in PL/pgSQL, since only such a one can commit. Gives whether it was the last.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn merge_inbox_step(
    sync_run_id: Option<String>,
    max_rows: Option<i32>,
    merge: Option<String>,
    id_key: Option<String>,
    updated_at_key: Option<String>,
    deleted_key: Option<String>,
    options: Option<Options>,
    is_first: Option<bool>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    let keys = GivenKeys { id_key, updated_at_key, deleted_key };
    let reading = given_reading(merge, keys, options);
    let is_first = is_first.ok_or(ArgumentError::Null("is_first"))?;
    let merged = merge_step(sync_run_id, max_rows, reading, is_first, workspace_id)?;
    Ok(merged.remaining == 0)
}

/// The default of `kepler.inbox.sync_run_id`: called for each row that is copied in.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
fn copied_sync_run() -> Result<String, ErrorReport> {
    Ok(settings::sync_run_id().ok_or(SyncError::NoCopiedRun).map_err(Error::from)?)
}

/// Keeps a full run from sweeping to the end of the transaction that copies rows in for it: it does not see them before.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn share_copied_run(sync_run_id: &str, workspace_id: &str) -> Result<(), ErrorReport> {
    // Whoever may not copy keeps nobody waiting.
    owner::require_right_in_part("inbox", pg_sys::ACL_INSERT)?;
    Spi::connect_mut(|client| {
        let run = Run::read(client, workspace_id, sync_run_id).ok();
        if let Some(run) = run.filter(|run| run.is_full && run.is_open()) {
            seen::share(&run.workspace_id, &run.entity_id);
        }
    });
    Ok(())
}

/// What a call says about reading elements, if it says anything.
fn given_reading(
    merge: Option<String>,
    keys: GivenKeys,
    options: Option<Options>,
) -> Option<Arguments> {
    let options = options.map(|options| options.0);
    let is_given = merge.is_some()
        || keys.id_key.is_some()
        || keys.updated_at_key.is_some()
        || keys.deleted_key.is_some()
        || options.is_some();
    let merge = merge.or_else(|| Some("replace".to_owned()));
    is_given.then(|| Arguments { merge, keys, options, ..Arguments::default() })
}

/// What a step has done.
struct Merged {
    rows: i64,
    counts: Summary,
    remaining: i64,
}

impl Merged {
    fn outcome(&self) -> Outcome {
        if self.remaining == 0 { Outcome::Finished } else { Outcome::Unfinished }
    }
}

fn merge_step(
    sync_run_id: Option<String>,
    max_rows: Option<i32>,
    reading: Option<Arguments>,
    counts: bool,
    workspace_id: Option<String>,
) -> Result<Merged, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let run_id = seen::run_argument(sync_run_id)?;
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=STEP).contains(&max_rows) {
        return Err(Error::from(SyncError::BadMaxRows { limit: STEP, given: max_rows }).into());
    }
    // Whoever may not merge keeps nobody waiting.
    owner::require_right("sync_runs", pg_sys::ACL_UPDATE)?;
    owner::require_right("inbox_rows", pg_sys::ACL_DELETE)?;
    Ok(Spi::connect_mut(|client| {
        let step = Step { workspace_id, run_id, reading, max_rows, counts };
        step.run(client)
    })?)
}

struct Step {
    workspace_id: String,
    run_id: String,
    reading: Option<Arguments>,
    max_rows: i32,
    /// Whether all rows are counted, for the view of progress.
    counts: bool,
}

impl Step {
    fn run(self, client: &mut SpiClient<'_>) -> Result<Merged, Error> {
        let began = now();
        Run::lock_end(&self.workspace_id, &self.run_id);
        let run = Run::read(client, &self.workspace_id, &self.run_id)?;
        run.require_open()?;
        let of_run = OfRun::new(&run);
        let (kept, through) = of_run.state(client);
        let (request, reading) = request(&run, kept.as_deref(), self.reading)?;
        let mut found = of_run.next(client, through, self.max_rows);
        if found.is_empty() {
            // What was committed late has lower ids.
            found = of_run.next(client, START, self.max_rows);
        }
        if found.is_empty() {
            return Ok(Merged { rows: 0, counts: Summary::of(&[]), remaining: 0 });
        }

        let mut bytes = 0;
        let fits = |(_, size): &&(Tid, i64)| {
            bytes += size;
            bytes <= STEP_BYTES
        };
        let count = found.iter().take_while(fits).count().max(1);
        let mut places = Array::new(array::TID);
        found[..count].iter().for_each(|(place, _)| places.push_bytes(place));
        let [workspace, id] = of_run.key();
        let taken = TAKE.with(|plan| plan.run(client, &[workspace, id, Some(places.datum())]));
        if taken.count() == 0 {
            // Others have deleted them, or nobody can.
            let first = found[0].0;
            if of_run.is_there(client, &first) {
                return Err(SyncError::InboxKept { id: run.id.clone() }.into());
            }
        }
        let mut rows: Vec<(i64, Option<Given<'_>>)> = taken
            .iter::<6>()
            .map(|row| {
                let fields = [row.text(2), row.text(3), row.text(4)];
                (row.bigint(0).unwrap_or(START), given(row.text(1), fields, row.boolean(5)))
            })
            .collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        let last = rows.last().map_or(START, |(id, _)| *id);
        let merged = rows.len() as i64;
        let elements: Vec<Given<'_>> = rows.into_iter().filter_map(|(_, given)| given).collect();
        let answers = upsert_given(client, &request, &elements, kept.is_none())?;

        let reading = Text::new(&reading);
        let parameters = [
            workspace,
            id,
            Some(pg_sys::Datum::from(merged)),
            Some(pg_sys::Datum::from(last)),
            Some(reading.datum()),
            Some(pg_sys::Datum::from(began)),
            Some(pg_sys::Datum::from(now())),
        ];
        SAVE.with(|plan| plan.run(client, &parameters));
        if self.counts {
            COUNT.with(|plan| plan.run(client, &of_run.key()));
        }
        let remaining = of_run.remaining(client, through.max(last));
        Ok(Merged { rows: merged, counts: Summary::of(&answers), remaining })
    }
}

/// The element of a row. A row with nothing in it, as a blank line becomes one, is no element.
fn given<'r>(
    line: Option<&'r str>,
    [external_id, data, source_updated_at]: [Option<&'r str>; 3],
    deleted: Option<bool>,
) -> Option<Given<'r>> {
    if let Some(line) = line {
        return (!line.trim().is_empty()).then_some(Given::Line(line));
    }
    if external_id.or(data).or(source_updated_at).is_none() && deleted.is_none() {
        return None;
    }
    let deleted = deleted.unwrap_or(false);
    Some(Given::Fields { external_id, data, source_updated_at, deleted })
}

/// An upsert for the run, and how it reads. `kept`: how the first step was told to; `given`: what this call says.
fn request(
    run: &Run,
    kept: Option<&str>,
    given: Option<Arguments>,
) -> Result<(Request, String), Error> {
    let kept = kept.map(serde_json::from_str::<Value>).transpose()?;
    let given = match given {
        Some(arguments) => {
            let reading = arguments.reading()?;
            // What is wrong with them is told before what differs.
            of_run(run, arguments).check()?;
            Some(reading)
        }
        None => None,
    };
    let reading = match (kept, given) {
        (Some(kept), Some(given)) if kept != given => {
            let (id, kept, given) = (run.id.clone(), kept.to_string(), given.to_string());
            return Err(SyncError::OtherReading { id, kept, given }.into());
        }
        (Some(reading), _) | (None, Some(reading)) => reading,
        (None, None) => json!({"merge": "replace"}),
    };
    let reading = reading.to_string();
    let request = of_run(run, Arguments::of_reading(&reading)?).check()?;
    Ok((request, reading))
}

fn of_run(run: &Run, arguments: Arguments) -> Arguments {
    Arguments {
        workspace_id: Some(run.workspace_id.clone()),
        entity_type: Some(run.entity_type.clone()),
        source: Some(run.source.clone()),
        connection_id: run.connection_id.clone(),
        sync_run_id: Some(run.id.clone()),
        ..arguments
    }
}

/// Why a run may not end yet: rows of it are in the inbox. What was committed late is looked for before a sweep begins, and
/// not by each of its steps, which would pass by all that was deleted.
pub(super) fn refusal(client: &mut SpiClient<'_>, run: &Run) -> Option<SyncError> {
    let of_run = OfRun::new(run);
    let after = if run.phase == "listing" { START } else { of_run.state(client).1 };
    let is_empty = of_run.find(client, &FIRST, after).is_none();
    (!is_empty).then(|| SyncError::InboxNotEmpty { id: run.id.clone() })
}

struct OfRun {
    workspace: Text,
    id: Text,
}

impl OfRun {
    fn new(run: &Run) -> Self {
        Self { workspace: Text::new(&run.workspace_id), id: Text::new(&run.id) }
    }

    fn key(&self) -> [Parameter; 2] {
        [Some(self.workspace.datum()), Some(self.id.datum())]
    }

    /// How it reads, if a step has said so, and up to where it was merged.
    fn state(&self, client: &mut SpiClient<'_>) -> (Option<String>, i64) {
        let rows = STATE.with(|plan| plan.run(client, &self.key()));
        let state = rows.iter::<2>().next();
        state.map_or((None, START), |row| {
            (row.text(0).map(str::to_owned), row.bigint(1).unwrap_or(START))
        })
    }

    /// The places of rows in their order, and how large each is.
    fn next(&self, client: &mut SpiClient<'_>, after: i64, max_rows: i32) -> Vec<(Tid, i64)> {
        let [workspace, id] = self.key();
        let limit = Some(pg_sys::Datum::from(max_rows));
        let parameters = [workspace, id, Some(pg_sys::Datum::from(after)), limit];
        let rows = NEXT.with(|plan| plan.run(client, &parameters));
        rows.iter::<2>().filter_map(|row| Some((row.tid(0)?, row.bigint(1)?))).collect()
    }

    fn is_there(&self, client: &mut SpiClient<'_>, place: &Tid) -> bool {
        let [workspace, id] = self.key();
        let mut places = Array::new(array::TID);
        places.push_bytes(place);
        let parameters = [workspace, id, Some(places.datum())];
        THERE.with(|plan| plan.run(client, &parameters).count() > 0)
    }

    fn find(
        &self,
        client: &mut SpiClient<'_>,
        statement: &'static std::thread::LocalKey<Statement>,
        after: i64,
    ) -> Option<i64> {
        let [workspace, id] = self.key();
        let parameters = [workspace, id, Some(pg_sys::Datum::from(after))];
        let rows = statement.with(|plan| plan.run(client, &parameters));
        rows.iter::<1>().next().and_then(|row| row.bigint(0))
    }

    /// About how many rows are left, by their ids; none only where there is none.
    fn remaining(&self, client: &mut SpiClient<'_>, through: i64) -> i64 {
        for after in [through, START] {
            if let Some(first) = self.find(client, &FIRST, after) {
                let last = self.find(client, &LAST, after).unwrap_or(first);
                return last.saturating_sub(first).saturating_add(1);
            }
        }
        0
    }
}
