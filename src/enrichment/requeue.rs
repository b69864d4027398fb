//! `requeue_records`: gives records that are finished back to the queue. One that the database refuses to write is found
//! by halves, and the others are given back.
//!
//! Locks are taken in the order in which upserts take them: the type's, the records, the queue.

use super::direct::Own;
use super::error::EnrichmentError;
use super::{failures, policy, refusal};
use crate::access::owner;
use crate::answer::{self, Answer, Outcome};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::filter::Filter;
use crate::installed::require_tables;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::query::Parameters;
use crate::pg::rows::Rows;
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::{self, Text};
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::check_for_interrupts;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A call gives up after so many records that the database refuses.
const MAX_REFUSED: usize = 10_000;

thread_local! {
    static TYPES: Statement = const { Statement::new(
        c"SELECT r.entity_type FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r WHERE r.workspace_id = $1 AND r.id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id, r.enrichment_status = 'FAILED'::kepler.record_enrichment_status
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r
          WHERE r.workspace_id = $1 AND r.id = n.id
            AND r.enrichment_status IN ('FAILED'::kepler.record_enrichment_status,
                                        'APPLIED'::kepler.record_enrichment_status)
            AND ($3 IS NULL OR r.enrichment_status::text = $3)
            AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL
            AND ($4 IS NULL OR kepler.json_matches(r.data, $4))
          ORDER BY r.entity_id COLLATE \"C\", r.external_id, r.id COLLATE \"C\" FOR NO KEY UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::JSONBOID],
    ) };
    static FAILURES: Statement = const { Statement::new(
        c"SELECT f.record_id FROM kepler.enrichment_failures AS f
          CROSS JOIN LATERAL (
              SELECT x.data FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = f.record_id
                AND x.enrichment_status = 'FAILED'::kepler.record_enrichment_status LIMIT 1) AS r
          WHERE f.workspace_id = $1 AND f.entity_type = $2 AND f.record_id <> ALL ($3)
            AND ($4 IS NULL OR kepler.json_matches(r.data, $4))
          ORDER BY f.failed_at, f.record_id LIMIT $5",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBOID, pg_sys::INT8OID,
        ],
    ) };
    static REQUEUE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status, updated_at = $3
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id
            AND r.enrichment_status IN ('FAILED'::kepler.record_enrichment_status,
                                        'APPLIED'::kepler.record_enrichment_status)
          RETURNING r.id, r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID],
    ) };
    // A row that is there under another type got there around Kepler, and would never be claimed.
    static ENQUEUE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue AS q (workspace_id, record_id, entity_type, fair_key, ready_at)
          SELECT $1, r.id, r.entity_type,
              CASE p.turns_by WHEN 'entity' THEN COALESCE(r.entity_id, ' ') WHEN 'source' THEN r.source END,
              pg_catalog.clock_timestamp()
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id, x.entity_type, x.entity_id, x.source FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1) AS r
          JOIN kepler.enrichment_policies AS p ON p.workspace_id = $1 AND p.entity_type = r.entity_type
          ON CONFLICT (workspace_id, record_id) DO UPDATE
          SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
          WHERE q.entity_type <> excluded.entity_type",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id
            AND EXISTS (
                SELECT FROM kepler.records AS r
                WHERE r.workspace_id = $1 AND r.id = n.id
                  AND (r.deleted_at IS NOT NULL OR r.status <> 'ACTIVE'::kepler.record_status))",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static STATE: Statement = const { Statement::new(
        c"SELECT r.id, r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r WHERE r.workspace_id = $1 AND r.id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// One that was sent, and why it was not written.
type Sent = (String, Option<Refusal>);

/// The answer for an element, with the id of its record.
type Told = Answer<Option<String>>;

/// Gives records back to the queue: those of the ids, or those of a type that have a status; with a filter, those whose
/// data meets it.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where the type has no policy.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.requeue_records(
    record_ids text[] DEFAULT NULL,
    entity_type text DEFAULT NULL,
    enrichment_status text DEFAULT 'FAILED',
    filter jsonb DEFAULT NULL,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn requeue_records(
    record_ids: Option<Vec<Option<String>>>,
    entity_type: Option<String>,
    enrichment_status: Option<String>,
    filter: Option<AnyElement>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    if record_ids.is_some() == entity_type.is_some() {
        return Err(Error::from(EnrichmentError::IdsOrType).into());
    }
    let status = match enrichment_status.as_deref() {
        Some("FAILED") => "FAILED",
        Some("APPLIED") => "APPLIED",
        given => {
            let given = given.unwrap_or_default().to_owned();
            let legal = "FAILED, APPLIED";
            return Err(
                ArgumentError::BadChoice { argument: "enrichment_status", legal, given }.into()
            );
        }
    };
    let Some(max_rows) =
        max_rows.and_then(|rows| usize::try_from(rows).ok()).filter(|&rows| rows > 0)
    else {
        return Err(Error::from(EnrichmentError::NoRows).into());
    };
    let filter = filter.map(|filter| filter.datum());
    if let Some(filter) = filter {
        // What is wrong with it is told also where no record is held against it.
        // SAFETY: declared in SQL as jsonb.
        Filter::read(unsafe { varlena::aligned_bytes(filter) }).map_err(Error::from)?;
    }
    // Whoever may not change records may not hold the lock of their type.
    owner::require_right("enrichment_queue", pg_sys::ACL_INSERT)?;
    let told = Spi::connect_mut(|client| -> Result<Vec<Told>, Error> {
        let (workspace, workspace_id) = (Text::new(&workspace_id), workspace_id.as_str());
        let call = Call { workspace, workspace_id, filter };
        match (record_ids, entity_type) {
            (Some(ids), _) => {
                let wanted: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
                let answers = call.requeue(client, &wanted, None)?;
                Ok(call.tell(client, &ids, &answers))
            }
            (None, of_type) => {
                let entity_type = of_type.unwrap_or_default();
                let answers = call.requeue_type(client, &entity_type, status, max_rows)?;
                let written = answers.iter().filter(|(_, refusal)| refusal.is_none());
                let refused = answers.iter().filter(|(_, refusal)| refusal.is_some());
                let ids: Vec<_> = written.chain(refused).map(|(id, _)| Some(id.clone())).collect();
                Ok(call.tell(client, &ids, &answers))
            }
        }
    })?;
    Ok(TableIterator::new(answer::rows(told)))
}

struct Call<'c> {
    workspace: Text,
    workspace_id: &'c str,
    /// A `jsonb`, valid as a filter.
    filter: Parameter,
}

impl Call<'_> {
    fn place(&self) -> Parameter {
        Some(self.workspace.datum())
    }

    /// Locks the records, and gives back those that it concerns.
    fn requeue(
        &self,
        client: &mut SpiClient<'_>,
        wanted: &[&str],
        status: Option<&str>,
    ) -> Result<Vec<Sent>, Error> {
        lock_types(client, self.workspace_id, wanted)?;
        let (mut ids, status) = (Array::texts(wanted.iter().copied()), status.map(Text::new));
        let status = status.as_ref().map(Text::datum);
        let rows = LOCK
            .with(|plan| plan.run(client, &[self.place(), Some(ids.datum()), status, self.filter]));
        let mut seen = HashSet::new();
        let concerned: Vec<&str> =
            rows.iter::<2>().filter_map(|row| row.text(0)).filter(|id| seen.insert(*id)).collect();
        let failed: Vec<&str> = rows
            .iter::<2>()
            .filter(|row| row.boolean(1) == Some(true))
            .filter_map(|row| row.text(0))
            .collect();
        let mut answers = Vec::with_capacity(concerned.len());
        if !concerned.is_empty() {
            let _own = Own::begin();
            write(client, self.place(), &concerned, &mut answers, &mut false);
            failures::follow(client, self.place(), &failed);
        }
        Ok(answers)
    }

    /// Those of a type that are so for the longest time. In the place of those that the database refuses others
    /// are taken.
    fn requeue_type(
        &self,
        client: &mut SpiClient<'_>,
        entity_type: &str,
        status: &'static str,
        max_rows: usize,
    ) -> Result<Vec<Sent>, Error> {
        if policy::find(client, &self.workspace, &Text::new(entity_type)).is_none() {
            return Err(policy::missing(client, self.workspace_id, entity_type));
        }
        let mut answers: Vec<Sent> = Vec::new();
        loop {
            let refused = |answers: &[Sent]| -> Vec<String> {
                let refused = answers.iter().filter(|(_, refusal)| refusal.is_some());
                refused.map(|(id, _)| id.clone()).collect()
            };
            let before = refused(&answers);
            let room = max_rows - (answers.len() - before.len());
            let known = before.len();
            let found = self.find(client, entity_type, status, &before, room);
            let wanted: Vec<&str> = found.iter().map(String::as_str).collect();
            answers.append(&mut self.requeue(client, &wanted, Some(status))?);
            let refused = refused(&answers).len();
            if refused == known || answers.len() - refused >= max_rows || refused >= MAX_REFUSED {
                return Ok(answers);
            }
        }
    }

    /// Up to `max_rows` records of a type that have a status, but for those that are known.
    fn find(
        &self,
        client: &mut SpiClient<'_>,
        entity_type: &str,
        status: &'static str,
        known: &[String],
        max_rows: usize,
    ) -> Vec<String> {
        let known = known.iter().map(String::as_str);
        let ids = |rows: &Rows<'_>| {
            rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
        };
        if status == "FAILED" {
            let (kind, mut known) = (Text::new(entity_type), Array::texts(known));
            let limit = Some(pg_sys::Datum::from(max_rows));
            let parameters =
                [self.place(), Some(kind.datum()), Some(known.datum()), self.filter, limit];
            return ids(&FAILURES.with(|plan| plan.run(client, &parameters)));
        }
        // Reads the records of the workspace. Planned each time, for the status and the number.
        let mut parameters = Parameters::default();
        let workspace = parameters.text(self.workspace_id);
        let of_type = parameters.text(entity_type);
        let known_ids = parameters.texts(known);
        let meets = self.filter.map_or_else(String::new, |filter| {
            let filter = parameters.datum(pg_sys::JSONBOID, Some(filter));
            format!(" AND kepler.json_matches(r.data, {filter})")
        });
        ids(&parameters.run_fresh(
            client,
            &format!(
                "SELECT r.id FROM kepler.records AS r
                 WHERE r.workspace_id = {workspace} AND r.entity_type = {of_type}
                     AND r.enrichment_status = '{status}' AND r.status = 'ACTIVE'
                     AND r.deleted_at IS NULL AND r.id <> ALL ({known_ids}){meets}
                 ORDER BY r.updated_at LIMIT {max_rows}"
            ),
        ))
    }

    /// The answer for each id.
    fn tell(
        &self,
        client: &mut SpiClient<'_>,
        ids: &[Option<String>],
        answers: &[Sent],
    ) -> Vec<Told> {
        let mut given = Array::texts(ids.iter().flatten().map(String::as_str));
        let rows = STATE.with(|plan| plan.run(client, &[self.place(), Some(given.datum())]));
        let alive: HashMap<&str, bool> =
            rows.iter::<2>().filter_map(|row| Some((row.text(0)?, row.boolean(1)?))).collect();
        let mut written: HashMap<&str, Option<&Refusal>> =
            answers.iter().map(|(id, refusal)| (id.as_str(), refusal.as_ref())).collect();
        let told = ids.iter().map(|id| {
            let known = id.as_deref().and_then(|id| Some((id, *alive.get(id)?)));
            match known {
                None => Answer::new(id.clone(), Outcome::NotFound),
                Some((_, false)) => Answer::new(id.clone(), Outcome::Gone),
                Some((id, true)) => {
                    let answered = Some(id.to_owned());
                    match written.get(id).copied() {
                        None => Answer::new(answered, Outcome::Unchanged),
                        Some(Some(refusal)) => Answer::rejected(answered, refusal.clone()),
                        Some(None) => {
                            written.remove(id);
                            Answer::new(answered, Outcome::Requeued)
                        }
                    }
                }
            }
        });
        told.collect()
    }
}

/// Takes the locks of the types of records, in the order of their names: before any row, as upserts do.
pub(crate) fn lock_types(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    ids: &[&str],
) -> Result<(), Error> {
    let (workspace, mut given) = (Text::new(workspace_id), Array::texts(ids.iter().copied()));
    let parameters = [Some(workspace.datum()), Some(given.datum())];
    let rows = TYPES.with(|plan| plan.run(client, &parameters));
    let types: BTreeSet<&str> = rows.iter::<1>().filter_map(|row| row.text(0)).collect();
    for entity_type in types {
        policy::lock(workspace_id, entity_type)?;
    }
    Ok(())
}

/// Queues those of the records that are to be enriched. The caller holds their rows.
pub(crate) fn enqueue(client: &mut SpiClient<'_>, workspace: Parameter, ids: &[&str]) {
    let mut given = Array::texts(ids.iter().copied());
    ENQUEUE.with(|plan| plan.run(client, &[workspace, Some(given.datum())]));
}

/// Takes those of the records out of the queue that are deleted or archived.
pub(crate) fn dequeue(client: &mut SpiClient<'_>, workspace: Parameter, ids: &[&str]) {
    let mut given = Array::texts(ids.iter().copied());
    DEQUEUE.with(|plan| plan.run(client, &[workspace, Some(given.datum())]));
}

fn write(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    ids: &[&str],
    answers: &mut Vec<Sent>,
    probed: &mut bool,
) {
    check_for_interrupts!();
    let refusal = match subtransaction::attempt_rows(|| write_all(client, workspace, ids)) {
        Ok(mut written) => {
            answers.append(&mut written);
            return;
        }
        Err(refusal) => refusal,
    };
    if !*probed {
        // Raises what is refused whatever the record, for want of a privilege, say.
        *probed = true;
        write_all(client, workspace, &[]);
    }
    if let [id] = ids {
        answers.push(((*id).to_owned(), Some(refusal)));
        return;
    }
    let (first, second) = ids.split_at(ids.len() / 2);
    write(client, workspace, first, answers, probed);
    write(client, workspace, second, answers, probed);
}

fn write_all(client: &mut SpiClient<'_>, workspace: Parameter, ids: &[&str]) -> Vec<Sent> {
    let mut given = Array::texts(ids.iter().copied());
    let now = Some(pg_sys::Datum::from(crate::pg::clock::now()));
    let rows = REQUEUE.with(|plan| plan.run(client, &[workspace, Some(given.datum()), now]));
    let written: HashSet<&str> = rows
        .iter::<2>()
        .filter(|row| row.boolean(1) == Some(true))
        .filter_map(|row| row.text(0))
        .collect();
    let queued: Vec<&str> = written.iter().copied().collect();
    enqueue(client, workspace, &queued);
    let kept = |id: &str| (!written.contains(id)).then(refusal::suppressed);
    ids.iter().map(|&id| (id.to_owned(), kept(id))).collect()
}
