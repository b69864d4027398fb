//! `delete_records`, `restore_records` and `archive_records`. Those that the database refuses to write are found by
//! halves, and rejected.
//!
//! Locks are taken in the order in which upserts take them: the type's, the records, the queue.

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
use std::collections::{HashMap, HashSet};

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
    Ok(TableIterator::new(run(
        Change { name: "delete", outcome: Outcome::Deleted },
        record_ids,
        workspace_id,
    )?))
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
    Ok(TableIterator::new(run(
        Change { name: "restore", outcome: Outcome::Restored },
        record_ids,
        workspace_id,
    )?))
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
    Ok(TableIterator::new(run(
        Change { name: "archive", outcome: Outcome::Archived },
        record_ids,
        workspace_id,
    )?))
}

fn run(
    change: Change,
    record_ids: Option<Vec<Option<String>>>,
    workspace_id: Option<String>,
) -> Result<impl Iterator<Item = Row<Option<String>>>, ErrorReport> {
    require_tables()?;
    let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?;
    let workspace_id = workspace::argument(workspace_id)?;
    // Whoever may not change records may not hold the lock of their type.
    if !relation::named(c"kepler", c"records")
        .is_some_and(|r| role::may_in_part(pg_sys::ACL_UPDATE, r))
    {
        owner::require_right("records", pg_sys::ACL_UPDATE)?;
    }
    let given: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
    let mut fates = HashMap::new();
    Spi::connect_mut(|client| -> Result<(), Error> {
        requeue::lock_types(client, &workspace_id, &given)?;
        let workspace = Text::new(&workspace_id);
        let mut array = Array::texts(given.iter().copied());
        let rows =
            ORDER.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(array.datum())]));
        let mut seen = HashSet::new();
        let found: Vec<&str> =
            rows.iter::<1>().filter_map(|row| row.text(0)).filter(|id| seen.insert(*id)).collect();
        let call = Call { change, name: Text::new(change.name), workspace };
        call.attempt(client, &found, &mut fates);
        Ok(())
    })?;
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
    Ok(answer::rows(answers.collect()))
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
