//! `schedule_records`: which records claims take first, and which not yet.
//!
//! What is set belongs to a record's place in the queue, until it is APPLIED or FAILED. The records are locked before their
//! rows of the queue, in the order of upserts. A claim that holds such a row ends soon, and has the record then.

use super::direct::Own;
use super::error::EnrichmentError;
use crate::access::owner;
use crate::answer::{self, Answer, Code, Outcome, Violation};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::array::Array;
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

const HIGHEST: i32 = 9;

thread_local! {
    static LOCK: Statement = const { Statement::new(
        c"SELECT r.id, r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL,
                 (SELECT p.priorities FROM kepler.enrichment_policies AS p
                  WHERE p.workspace_id = $1 AND p.entity_type = r.entity_type)
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN kepler.records AS r
          WHERE r.workspace_id = $1 AND r.id = n.id
          ORDER BY r.entity_id COLLATE \"C\", r.external_id, r.id COLLATE \"C\" FOR NO KEY UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    // A microsecond each: a claim that goes on where the last one ended finds its place by the time. A time that is over
    // means now, and takes nobody's place.
    static SCHEDULE: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET priority = COALESCE($3, q.priority), not_before = l.not_before, ready_at = l.ready_at
          FROM (SELECT n.id,
                       CASE WHEN $4 IS NULL THEN x.not_before WHEN $4 > $5 THEN $4 END AS not_before,
                       CASE WHEN $4 IS NULL THEN x.ready_at
                            WHEN $4 > $5 THEN $4 + n.place * interval '1 microsecond'
                            ELSE least(x.ready_at, $5 + n.place * interval '1 microsecond') END AS ready_at
                FROM pg_catalog.unnest($2) WITH ORDINALITY AS n (id, place)
                CROSS JOIN LATERAL (
                    SELECT y.ready_at, y.not_before FROM kepler.enrichment_queue AS y
                    WHERE y.workspace_id = $1 AND y.record_id = n.id LIMIT 1 FOR UPDATE) AS x) AS l
          WHERE q.workspace_id = $1 AND q.record_id = l.id
            AND (q.priority <> COALESCE($3, q.priority) OR q.not_before IS DISTINCT FROM l.not_before
                 OR ($4 <= $5 AND q.ready_at <> l.ready_at))
          RETURNING q.record_id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT4OID, pg_sys::TIMESTAMPTZOID,
            pg_sys::TIMESTAMPTZOID,
        ],
    ) };
}

/// Sets the priority of records in the queue, and the earliest time at which they are claimed; NULL leaves what is.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn schedule_records(
    record_ids: Option<Vec<Option<String>>>,
    priority: default!(Option<i32>, "NULL"),
    not_before: default!(Option<TimestampWithTimeZone>, "NULL"),
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
    require_tables()?;
    let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?;
    let workspace_id = workspace::argument(workspace_id)?;
    if let Some(given) = priority.filter(|given| !(0..=HIGHEST).contains(given)) {
        return Err(Error::from(EnrichmentError::BadPriority(given)).into());
    }
    if priority.is_none() && not_before.is_none() {
        return Err(Error::from(EnrichmentError::NothingToSchedule).into());
    }
    if not_before.is_some_and(|time| time.is_infinity()) {
        return Err(Error::from(EnrichmentError::BadTime).into());
    }
    owner::require_right("enrichment_queue", pg_sys::ACL_UPDATE)?;
    let not_before = not_before.map(i64::from);
    let told = Spi::connect_mut(|client| {
        let _own = Own::begin();
        schedule(client, &Text::new(&workspace_id), &ids, priority, not_before)
    });
    Ok(TableIterator::new(answer::rows(told)))
}

fn schedule(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    ids: &[Option<String>],
    priority: Option<i32>,
    not_before: Option<i64>,
) -> Vec<Answer<Option<String>>> {
    let place = Some(workspace.datum());
    let mut given = Array::texts(ids.iter().flatten().map(String::as_str));
    let rows = LOCK.with(|plan| plan.run(client, &[place, Some(given.datum())]));
    // Whether it is alive, and whether its type has priorities, if it has a policy.
    let known: HashMap<&str, (bool, Option<bool>)> = rows
        .iter::<3>()
        .filter_map(|row| Some((row.text(0)?, (row.boolean(1)?, row.boolean(2)))))
        .collect();
    let wants_priorities = priority.is_some_and(|priority| priority > 0);
    let lacks = |id: &str| matches!(known.get(id), Some((true, Some(false)))) && wants_priorities;
    let mut seen = HashSet::new();
    let wanted = ids.iter().flatten().map(String::as_str).filter(|id| {
        matches!(known.get(id), Some((true, Some(_)))) && !lacks(id) && seen.insert(*id)
    });
    let mut wanted = Array::texts(wanted);
    let parameters: [Parameter; 5] = [
        place,
        Some(wanted.datum()),
        priority.map(pg_sys::Datum::from),
        not_before.map(pg_sys::Datum::from),
        Some(pg_sys::Datum::from(now())),
    ];
    let rows = SCHEDULE.with(|plan| plan.run(client, &parameters));
    let mut written: HashSet<&str> = rows.iter::<1>().filter_map(|row| row.text(0)).collect();
    let told = ids.iter().map(|id| {
        let answer = |outcome| Answer::new(id.clone(), outcome);
        match id.as_deref().and_then(|id| Some((id, known.get(id)?))) {
            None => answer(Outcome::NotFound),
            Some((_, (false, _))) => answer(Outcome::Gone),
            Some((id, _)) if lacks(id) => {
                let message = "the policy of its type has no priorities";
                let code = Code::own("no_priorities");
                Answer::rejected(id.to_owned().into(), Violation::new(None, code, message))
            }
            Some((id, _)) if written.remove(id) => answer(Outcome::Updated),
            Some(_) => answer(Outcome::Unchanged),
        }
    });
    told.collect()
}
