//! `delete_records`, `restore_records` and `archive_records`. Those that the database refuses to write are found by
//! halves, and rejected.
//!
//! Locks are taken in the order in which upserts take them: the type's, the records, the queue.

use super::entity;
use super::look_up::{LookUp, look_up};
use super::options::{Arguments, Request};
use crate::access::owner;
use crate::answer::{self, Answer, Outcome, Rejection, Row};
use crate::arguments::ArgumentError;
use crate::enrichment::direct::Own;
use crate::enrichment::{failures, requeue};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::pg::{relation, role};
use crate::workspace;
use pgrx::check_for_interrupts;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{BTreeSet, HashMap, HashSet};

thread_local! {
    static ORDER: Statement = const { Statement::new(
        c"SELECT r.id FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.entity_id COLLATE \"C\", r.external_id, r.id COLLATE \"C\"",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id,
              CASE $3 WHEN 'delete' THEN r.deleted_at IS NULL
                  WHEN 'restore' THEN r.deleted_at IS NOT NULL OR r.status <> 'ACTIVE'::kepler.record_status
                  ELSE r.status <> 'ARCHIVED'::kepler.record_status END,
              r.enrichment_status = 'FAILED'::kepler.record_enrichment_status
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.entity_id COLLATE \"C\", r.external_id, r.id COLLATE \"C\" FOR NO KEY UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID],
    ) };
    // What is deleted or archived no worker has any more.
    static CHANGE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET deleted_at = CASE $3 WHEN 'delete' THEN $4 WHEN 'restore' THEN NULL ELSE r.deleted_at END,
              status = CASE $3 WHEN 'archive' THEN 'ARCHIVED'::kepler.record_status
                  WHEN 'restore' THEN 'ACTIVE'::kepler.record_status ELSE r.status END,
              enrichment_status = CASE
                  WHEN $3 <> 'restore' AND r.enrichment_status = 'PENDING'::kepler.record_enrichment_status
                  THEN 'UNAPPLIED'::kepler.record_enrichment_status ELSE r.enrichment_status END,
              updated_at = $4
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id
          RETURNING r.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// What is done, and what is answered where it was.
#[derive(Clone, Copy)]
struct Change {
    name: &'static str,
    outcome: Outcome,
}

/// What became of a record.
#[derive(Clone)]
enum Fate {
    Changed,
    Unchanged,
    Rejected(Rejection),
}

/// Arguments that name records as their source does.
struct External {
    entity_type: Option<String>,
    external_ids: Option<Vec<Option<String>>>,
    source: Option<String>,
    connection_id: Option<String>,
    workspace_id: Option<String>,
}

const DELETE: Change = Change { name: "delete", outcome: Outcome::Deleted };
const RESTORE: Change = Change { name: "restore", outcome: Outcome::Restored };
const ARCHIVE: Change = Change { name: "archive", outcome: Outcome::Archived };

/// Deletes records softly: they keep their row, and searches and claims pass them by.
///
/// Errors: 55000 before `install()`, 22004 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn delete_records(
    record_ids: Option<Vec<Option<String>>>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
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
    Ok(TableIterator::new(by_record_id(DELETE, record_ids, workspace_id)?))
}

/// The same of records that are named by their external ids.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(
    name = "delete_records",
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id]
)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn delete_external_records(
    entity_type: Option<String>,
    external_ids: Option<Vec<Option<String>>>,
    source: default!(Option<String>, "'MANUAL'"),
    connection_id: default!(Option<String>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(external_id, Option<String>),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let external = External { entity_type, external_ids, source, connection_id, workspace_id };
    Ok(TableIterator::new(by_external_id(DELETE, external)?))
}

/// Brings records back that were deleted or archived.
///
/// Errors: 55000 before `install()`, 22004 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn restore_records(
    record_ids: Option<Vec<Option<String>>>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
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
    Ok(TableIterator::new(by_record_id(RESTORE, record_ids, workspace_id)?))
}

/// The same of records that are named by their external ids.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(
    name = "restore_records",
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id]
)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn restore_external_records(
    entity_type: Option<String>,
    external_ids: Option<Vec<Option<String>>>,
    source: default!(Option<String>, "'MANUAL'"),
    connection_id: default!(Option<String>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(external_id, Option<String>),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let external = External { entity_type, external_ids, source, connection_id, workspace_id };
    Ok(TableIterator::new(by_external_id(RESTORE, external)?))
}

/// Archives records.
///
/// Errors: 55000 before `install()`, 22004 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn archive_records(
    record_ids: Option<Vec<Option<String>>>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
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
    Ok(TableIterator::new(by_record_id(ARCHIVE, record_ids, workspace_id)?))
}

/// The same of records that are named by their external ids.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(
    name = "archive_records",
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id]
)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn archive_external_records(
    entity_type: Option<String>,
    external_ids: Option<Vec<Option<String>>>,
    source: default!(Option<String>, "'MANUAL'"),
    connection_id: default!(Option<String>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(external_id, Option<String>),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let external = External { entity_type, external_ids, source, connection_id, workspace_id };
    Ok(TableIterator::new(by_external_id(ARCHIVE, external)?))
}

fn by_record_id(
    change: Change,
    record_ids: Option<Vec<Option<String>>>,
    workspace_id: Option<String>,
) -> Result<impl Iterator<Item = Row<Option<String>>>, ErrorReport> {
    require_tables()?;
    let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?;
    let workspace_id = workspace::argument(workspace_id)?;
    require_right()?;
    let answers = Spi::connect_mut(|client| change_records(client, change, &workspace_id, ids))?;
    Ok(answer::rows(answers))
}

type ExternalRow =
    (i32, Option<String>, Option<String>, &'static str, Option<String>, Option<String>);

fn by_external_id(
    change: Change,
    external: External,
) -> Result<impl Iterator<Item = ExternalRow>, ErrorReport> {
    require_tables()?;
    let external_ids = external.external_ids.ok_or(ArgumentError::Null("external_ids"))?;
    let request = Arguments {
        entity_type: external.entity_type,
        source: external.source,
        connection_id: external.connection_id,
        workspace_id: external.workspace_id,
        merge: Some("replace".to_owned()),
        ..Arguments::default()
    }
    .check()?;
    require_right()?;
    let answers = Spi::connect_mut(|client| {
        let found = record_ids(client, &request, &external_ids)?;
        let id_of = |external_id: &Option<String>| {
            external_id.as_deref().and_then(|id| found.get(id)).cloned()
        };
        let ids = external_ids.iter().map(id_of).collect();
        change_records(client, change, &request.workspace_id, ids)
    })?;
    let rows = answer::rows(answers).zip(external_ids);
    Ok(rows.map(|((ordinal, record_id, outcome, code, error), external_id)| {
        (ordinal, external_id, record_id, outcome, code, error)
    }))
}

/// The ids of those of the records that are there.
fn record_ids(
    client: &mut SpiClient<'_>,
    request: &Request,
    external_ids: &[Option<String>],
) -> Result<HashMap<String, String>, Error> {
    let Some(entity) = entity::find_existing(client, request)? else { return Ok(HashMap::new()) };
    let given: BTreeSet<&str> = external_ids.iter().flatten().map(String::as_str).collect();
    let given: Vec<&str> = given.into_iter().collect();
    let (workspace, entity) = (Text::new(&request.workspace_id), Text::new(&entity.id));
    let how = LookUp { lock: false, data: false };
    let mut rows = look_up(client, &workspace, &entity, &given, how);
    let ids = given.iter().zip(rows.found(&given));
    Ok(ids
        .filter_map(|(external, found)| Some(((*external).to_owned(), found?.id.to_owned())))
        .collect())
}

/// Whoever may not change records may not hold the lock of their type.
fn require_right() -> Result<(), Error> {
    if relation::named(c"kepler", c"records")
        .is_some_and(|r| role::may_in_part(pg_sys::ACL_UPDATE, r))
    {
        return Ok(());
    }
    owner::require_right("records", pg_sys::ACL_UPDATE)
}

fn change_records(
    client: &mut SpiClient<'_>,
    change: Change,
    workspace_id: &str,
    ids: Vec<Option<String>>,
) -> Result<Vec<Answer<Option<String>>>, Error> {
    let given: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
    let mut fates = HashMap::new();
    requeue::lock_types(client, workspace_id, &given)?;
    let workspace = Text::new(workspace_id);
    let mut array = Array::texts(given.iter().copied());
    let rows = ORDER.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(array.datum())]));
    let mut seen = HashSet::new();
    let found: Vec<&str> =
        rows.iter::<1>().filter_map(|row| row.text(0)).filter(|id| seen.insert(*id)).collect();
    let call = Call { change, name: Text::new(change.name), workspace };
    call.attempt(client, &found, &mut fates);
    let answers = ids.into_iter().map(|id| match id.as_ref().and_then(|id| fates.get_mut(id)) {
        None => Answer::new(id, Outcome::NotFound),
        Some(Fate::Unchanged) => Answer::new(id, Outcome::Unchanged),
        Some(Fate::Rejected(rejection)) => Answer::rejected(id, rejection.clone()),
        // One that is sent twice is changed once.
        Some(fate @ Fate::Changed) => {
            *fate = Fate::Unchanged;
            Answer::new(id, change.outcome)
        }
    });
    Ok(answers.collect())
}

/// What became of records that were to be deleted.
#[derive(Default)]
pub(crate) struct Deleted {
    pub(crate) deleted: usize,
    pub(crate) refused: Vec<(String, Rejection)>,
}

/// Deletes records as `delete_records` does. The caller holds the locks of their types; `ids` are in the order of
/// external ids.
pub(crate) fn delete_all(client: &mut SpiClient<'_>, workspace_id: &str, ids: &[&str]) -> Deleted {
    let change = Change { name: "delete", outcome: Outcome::Deleted };
    let call = Call { change, name: Text::new(change.name), workspace: Text::new(workspace_id) };
    let mut fates = HashMap::new();
    call.attempt(client, ids, &mut fates);
    let mut result = Deleted::default();
    for &id in ids {
        match fates.remove(id) {
            Some(Fate::Changed) => result.deleted += 1,
            Some(Fate::Rejected(rejection)) => result.refused.push((id.to_owned(), rejection)),
            Some(Fate::Unchanged) | None => {}
        }
    }
    result
}

struct Call {
    change: Change,
    name: Text,
    workspace: Text,
}

impl Call {
    fn place(&self) -> Parameter {
        Some(self.workspace.datum())
    }

    /// Changes those of the records that the database takes.
    fn attempt(&self, client: &mut SpiClient<'_>, ids: &[&str], fates: &mut HashMap<String, Fate>) {
        check_for_interrupts!();
        if ids.is_empty() {
            return;
        }
        match subtransaction::attempt(|| self.write(client, ids)) {
            Ok(written) => fates.extend(written),
            Err(refusal) => {
                if let [id] = ids {
                    fates.insert((*id).to_owned(), Fate::Rejected(refusal.into()));
                    return;
                }
                let (first, second) = ids.split_at(ids.len() / 2);
                self.attempt(client, first, fates);
                self.attempt(client, second, fates);
            }
        }
    }

    fn write(&self, client: &mut SpiClient<'_>, ids: &[&str]) -> Vec<(String, Fate)> {
        // The queue is kept below, and not by the triggers.
        let _own = Own::begin();
        let name = Some(self.name.datum());
        let mut given = Array::texts(ids.iter().copied());
        let locked = LOCK.with(|plan| plan.run(client, &[self.place(), Some(given.datum()), name]));
        let rows = || locked.iter::<3>();
        let failed: Vec<&str> = rows()
            .filter(|row| row.boolean(2) == Some(true))
            .filter_map(|row| row.text(0))
            .collect();
        let locked: Vec<(&str, bool)> =
            rows().filter_map(|row| Some((row.text(0)?, row.boolean(1) == Some(true)))).collect();
        let concerned = locked.iter().filter(|(_, concerned)| *concerned).map(|(id, _)| *id);
        let mut concerned = Array::texts(concerned);
        let now = Some(pg_sys::Datum::from(crate::pg::clock::now()));
        let parameters = [self.place(), Some(concerned.datum()), name, now];
        let changed = CHANGE.with(|plan| plan.run(client, &parameters));
        let changed: HashSet<&str> = changed.iter::<1>().filter_map(|row| row.text(0)).collect();
        failures::follow(client, self.place(), &failed);
        let present: Vec<&str> = locked.iter().map(|(id, _)| *id).collect();
        if self.change.name == "restore" {
            requeue::enqueue(client, self.place(), &present);
        } else {
            requeue::dequeue(client, self.place(), &present);
        }
        let fate = |(id, concerned): (&str, bool)| {
            let fate = match (concerned, changed.contains(id)) {
                (_, true) => Fate::Changed,
                (false, _) => Fate::Unchanged,
                (true, _) => Fate::Rejected(Rejection::not_written("kepler.records")),
            };
            (id.to_owned(), fate)
        };
        locked.into_iter().map(fate).collect()
    }
}
