//! The SQL functions of retention.

use super::error::RetentionError;
use super::policy::{self, Policy, Wanted};
use super::report::{self, Told};
use super::subject::{Kind, Subject};
use super::terms::Terms;
use super::walk::{Part, has_index};
use super::{floor, in_parts, run};
use crate::access::owner::{Owner, require_right_in_part};
use crate::arguments::{ArgumentError, name, required};
use crate::being_deleted;
use crate::error::Error;
use crate::installed::require_tables;
use crate::json::Json;
use crate::pg::json::{self, Stored};
use crate::pg::local_settings::LocalSettings;
use crate::pg::row::Row;
use crate::pg::time_limit::{self, TimeLimit};
use crate::pg::whole::Spi;
use crate::pg::{advisory, role, subtransaction, varlena};
use crate::secrets::document::redacted_text;
use crate::settings;
use pgrx::AnyElement;
use pgrx::datum::Interval;
use pgrx::iter::{SetOfIterator, TableIterator};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// A batch deletes at most so many rows.
const MAX_ROWS: i32 = 100_000;
/// Policies for a table and a workspace; and for the tables of a role that does not own Kepler's tables: each of them is looked
/// at by whoever runs the maintenance of all.
const MAX_OF_TABLE: i64 = 100;
const MAX_OF_OWNER: i64 = 1_000;
/// So many policies are looked up at a time.
const PAGE: usize = 500;
/// The longest time that rows are kept, in months, and about as many microseconds: a longer one could not be taken from a date.
const MAX_MONTHS: i32 = 5_000 * 12;
const MAX_MICROSECONDS: i128 = 5_000 * 366 * 86_400_000_000;

/// Whoever sets a policy holds it, to the end of the transaction.
const LOCK: &str = "kepler retention policies";

/// Says how long rows of a table are kept.
///
/// Errors: 55000 before `install()`; 22004 and 22023 for arguments; 42809 for what has no rows that grow old, 42703 and 42804 for
/// the column; 42501 for who is no administrator, and not the table's owner.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.set_retention(
    relation regclass,
    keep interval,
    time_column text DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT policy_id bigint
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn set_retention(
    relation: Option<pg_sys::Oid>,
    keep: Option<Interval>,
    time_column: Option<String>,
    filter: Option<AnyElement>,
    workspace_id: Option<String>,
) -> Result<Row<2>, ErrorReport> {
    require_tables()?;
    let relation = relation.ok_or(ArgumentError::Null("relation"))?;
    let keep = checked(keep.ok_or(ArgumentError::Null("keep"))?).map_err(Error::from)?;
    let workspace_id = workspace_id.map(|id| name("workspace_id", Some(id))).transpose()?;
    let filter = filter.map(|filter| {
        // SAFETY: declared in SQL as jsonb.
        let bytes = unsafe { varlena::aligned_bytes(filter.datum()) }.to_vec();
        (json::text(filter.datum()), bytes)
    });
    let (outcome, id) =
        Spi::connect_mut(|client| set(client, relation, keep, time_column, filter, workspace_id))?;
    Ok(Row([outcome.into_datum(), id.into_datum()]))
}

fn checked(keep: Interval) -> Result<Interval, RetentionError> {
    let parts = [i64::from(keep.months()), i64::from(keep.days()), keep.micros()];
    let whole = keep.as_micros();
    let is_right = parts.iter().all(|part| *part >= 0)
        && keep.months() <= MAX_MONTHS
        && (1..=MAX_MICROSECONDS).contains(&whole);
    if is_right { Ok(keep) } else { Err(RetentionError::BadKeep) }
}

fn set(
    client: &mut SpiClient<'_>,
    relation: pg_sys::Oid,
    keep: Interval,
    time_column: Option<String>,
    filter: Option<(String, Vec<u8>)>,
    asked: Option<String>,
) -> Result<(&'static str, i64), Error> {
    let owner = Owner::find()?;
    let subject = Subject::find(client, relation, owner)?;
    let workspace = subject.workspace(asked);
    subject.require_may_set(owner, workspace.as_deref())?;
    if let Some(workspace) = &workspace {
        being_deleted::refuse(workspace)?;
    }
    if subject.is_feed() {
        let given = [
            ("time_column", time_column.is_some()),
            ("filter", filter.is_some()),
            ("workspace_id", workspace.is_some()),
        ];
        if let Some((argument, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
            return Err(RetentionError::OfFeed { argument, table: "kepler.feed" }.into());
        }
    }
    let floors = floor::of(client, owner, relation, &subject.table, Some(keep))?;
    if let Some(floor) = floors.iter().find(|floor| floor.is_undercut) {
        let keep = client
            .update("SELECT $1::pg_catalog.text", None, &[keep.into()])?
            .first()
            .get_one::<String>()?;
        return Err(RetentionError::BelowFloor {
            keep: keep.unwrap_or_default(),
            floor: floor.floor.clone(),
            table: subject.table,
            declared_by: floor.declared_by.clone(),
        }
        .into());
    }
    let time_column = time_column.or_else(|| floors.first().map(|floor| floor.column.clone()));
    let column = policy::time_column(client, &subject, time_column)?;
    // An empty filter is none.
    let filter = filter.filter(|(text, _)| !matches!(text.as_str(), "{}" | "[]"));
    let wanted = Wanted {
        subject: &subject,
        workspace: workspace.as_deref(),
        column: &column,
        keep,
        filter: filter.as_ref().map(|(text, _)| text.as_str()),
    };
    let filter = filter.as_ref().map(|(_, bytes)| bytes.clone());
    let advice = try_out(client, owner, &wanted, filter)?;
    advisory::lock(LOCK, true);
    let written = policy::write(client, owner, &wanted)?;
    if written.0 == "inserted" {
        require_few(client, owner, &wanted)?;
    }
    if let Some(advice) = advice {
        pgrx::notice!(
            "no index of {} leads to the oldest rows: each pass reads the whole table, a part at a time. {advice}",
            subject.table
        );
    }
    Ok(written)
}

/// Refuses more policies than a maintenance can look at; the one that is to be set is among them.
fn require_few(client: &mut SpiClient<'_>, owner: Owner, wanted: &Wanted<'_>) -> Result<(), Error> {
    let subject = wanted.subject;
    let of = role::name(subject.owner);
    let (of_table, of_owner) = {
        let _owner = owner.act();
        let row = client
            .update(
                "SELECT pg_catalog.count(*) FILTER (WHERE p.relation = $1 AND p.workspace_id IS NOT DISTINCT FROM $2),
                     pg_catalog.count(*) FILTER (WHERE p.owner_name = $3)
                 FROM kepler.retention_policies AS p WHERE p.relation = $1 OR p.owner_name = $3",
                None,
                &[subject.relation.into(), wanted.workspace.into(), of.as_str().into()],
            )?
            .first();
        (row.get::<i64>(1)?.unwrap_or(0), row.get::<i64>(2)?.unwrap_or(0))
    };
    if of_table > MAX_OF_TABLE {
        let (table, limit) = (subject.table.clone(), MAX_OF_TABLE);
        return Err(RetentionError::TooManyOfTable { table, limit }.into());
    }
    let is_users = matches!(subject.kind, Kind::Users);
    if is_users && of_owner > MAX_OF_OWNER && !owner.is_caller() {
        return Err(RetentionError::TooManyOfOwner { owner: of, limit: MAX_OF_OWNER }.into());
    }
    Ok(())
}

/// Plans what a batch would do, as whoever does it: what is wrong with the filter, with rights or with what goes along is told at
/// once. Gives the index that is missing.
fn try_out(
    client: &mut SpiClient<'_>,
    owner: Owner,
    wanted: &Wanted<'_>,
    filter: Option<Vec<u8>>,
) -> Result<Option<String>, Error> {
    let subject = wanted.subject;
    if subject.is_feed() {
        return Ok(None);
    }
    let policy = Policy::not_stored(wanted, filter);
    let role = run::acting_role(subject, owner);
    let mut terms = Terms::of(client, owner, subject, &policy, role)?;
    if in_parts::are_rows_of(subject) {
        return Ok(None);
    }
    let _acting = subject.act(owner);
    let (range, goes) = (terms.range(None, None), terms.goes(false));
    let sql = format!("SELECT 1 FROM {} AS e WHERE {range} AND {goes} LIMIT 1", subject.table);
    terms.parameters.expected_rows(client, &sql);
    let parts = match subject.is_partitioned {
        true => run::parts(client, subject, &mut terms, &[])?,
        false => {
            let (relation, table) = (subject.relation, subject.table.clone());
            vec![Part { relation, table, whole: None }]
        }
    };
    let is_missing = parts.iter().any(|part| !has_index(client, &mut terms, part));
    Ok(is_missing.then(|| report::advice(subject, &policy)))
}

/// Ends a policy. What it has deleted stays deleted.
///
/// Errors: 55000 before `install()`, 22004 for arguments, 42501 for who may not set it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_retention(policy_id: Option<i64>) -> Result<bool, ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    Ok(Spi::connect_mut(|client| end(client, id))?)
}

fn end(client: &mut SpiClient<'_>, id: i64) -> Result<bool, Error> {
    let owner = Owner::find()?;
    let found = policy::read(client, owner, Some(id))?.pop();
    let Some(mut policy) = found.filter(|policy| run::is_visible(policy, owner)) else {
        return Ok(false);
    };
    match policy.subject(client, owner) {
        Ok(subject) => subject.require_may_set(owner, policy.workspace.as_deref())?,
        // The table is gone, or another one.
        Err(_) if policy.is_of_caller() => {}
        Err(_) => require_right_in_part("retention_policies", pg_sys::ACL_UPDATE)?,
    }
    policy::delete(client, owner, id)
}

type ReportRow = (
    i64,
    String,
    Option<String>,
    String,
    Option<Interval>,
    Option<Stored>,
    Option<Interval>,
    Option<TimestampWithTimeZone>,
    Option<i64>,
    bool,
    i64,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    i64,
    i64,
    i64,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<String>,
    Option<String>,
);

/// Tells what each policy would delete now, and how it went.
///
/// Errors: 55000 before `install()`.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.retention_report() RETURNS TABLE (
    policy_id bigint, relation text, workspace_id text, time_column text, keep interval, filter jsonb, floor interval,
    older_than timestamptz, row_count bigint, is_estimate boolean, partition_count bigint, oldest_at timestamptz, due_at timestamptz,
    kept_rows bigint, deleted_rows bigint, dropped_partitions bigint, last_started_at timestamptz, last_succeeded_at timestamptz,
    last_failed_at timestamptz, problem text, missing_index text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn retention_report() -> Result<
    TableIterator<
        'static,
        (
            name!(policy_id, i64),
            name!(relation, String),
            name!(workspace_id, Option<String>),
            name!(time_column, String),
            name!(keep, Option<Interval>),
            name!(filter, Option<Stored>),
            name!(floor, Option<Interval>),
            name!(older_than, Option<TimestampWithTimeZone>),
            name!(row_count, Option<i64>),
            name!(is_estimate, bool),
            name!(partition_count, i64),
            name!(oldest_at, Option<TimestampWithTimeZone>),
            name!(due_at, Option<TimestampWithTimeZone>),
            name!(kept_rows, i64),
            name!(deleted_rows, i64),
            name!(dropped_partitions, i64),
            name!(last_started_at, Option<TimestampWithTimeZone>),
            name!(last_succeeded_at, Option<TimestampWithTimeZone>),
            name!(last_failed_at, Option<TimestampWithTimeZone>),
            name!(problem, Option<String>),
            name!(missing_index, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let told = Spi::connect_mut(report::report)?;
    Ok(TableIterator::new(told.into_iter().map(row)))
}

fn row(told: Told) -> ReportRow {
    let time = |at: Option<i64>| at.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
    let filter = told.filter.and_then(|text| Json::parse(&text).ok());
    let (found, stored) = (told.found, told.stored);
    (
        told.id,
        told.table,
        told.workspace,
        told.time_column,
        told.keep,
        filter.as_ref().and_then(Stored::of),
        told.floor,
        time(found.cutoff),
        found.rows,
        found.is_estimate,
        found.partitions,
        time(found.oldest),
        told.due_at,
        stored.kept_rows,
        stored.deleted_rows,
        stored.dropped_partitions,
        stored.last_started_at,
        stored.last_succeeded_at,
        stored.last_failed_at,
        told.problem,
        found.advice,
    )
}

/// Internal: one batch of a policy.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn apply_retention(policy_id: Option<i64>, max_rows: Option<i32>) -> Result<i64, ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=MAX_ROWS).contains(&given) {
        return Err(Error::from(RetentionError::BadMaxRows { limit: MAX_ROWS, given }).into());
    }
    // A trigger may raise what no handler of errors catches: only whoever cancels ends the run by it. It may also take for ever.
    let limit = settings::retention_batch_timeout();
    let _limit = TimeLimit::begin(limit);
    let _locks = LocalSettings::set(&[(c"lock_timeout", c"200ms")]);
    let applied = Spi::connect_mut(|client| {
        subtransaction::attempt_uncancelled(|| run::apply(client, id, given.into()))
    });
    Ok(applied.unwrap_or_else(|refusal| {
        let (message, code) = (refusal.message, refusal.code.to_string());
        if code == "57014" && time_limit::is_over() {
            return Err(RetentionError::TooLong(limit).into());
        }
        Err(RetentionError::UsersCode { message, code }.into())
    })?)
}

/// Internal: one batch of a policy in a part of a cluster, behind a place there: of rows with that time, or of pages.
#[pg_extern(
    schema = "kepler_internal",
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.apply_retention_of_part(
    policy_id bigint, max_rows bigint, behind timestamptz, from_block bigint, part_of text,
    OUT deleted bigint, OUT kept bigint, OUT looked_at bigint, OUT has_ended boolean, OUT after timestamptz, OUT block bigint
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn apply_retention_of_part(
    policy_id: Option<i64>,
    max_rows: Option<i64>,
    behind: Option<TimestampWithTimeZone>,
    from_block: Option<i64>,
    part_of: Option<String>,
) -> Result<Row<6>, ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    name("part_of", part_of)?;
    let (after, block) = (behind.map(i64::from), from_block.unwrap_or(0));
    let (done, place) =
        Spi::connect_mut(|client| in_parts::batch_here(client, id, max_rows, after, block))?;
    let after = place.after.and_then(|after| TimestampWithTimeZone::try_from(after).ok());
    Ok(Row([
        done.deleted.into_datum(),
        done.kept.into_datum(),
        done.looked_at.into_datum(),
        done.has_ended.into_datum(),
        after.into_datum(),
        place.block.into_datum(),
    ]))
}

/// Internal: what a policy would delete now, in a part of a cluster.
#[pg_extern(
    schema = "kepler_internal",
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.look_at_retention_of_part(
    policy_id bigint, part_of text, OUT row_count bigint, OUT is_estimate boolean, OUT oldest_at timestamptz, OUT missing_index text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn look_at_retention_of_part(
    policy_id: Option<i64>,
    part_of: Option<String>,
) -> Result<Row<4>, ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    name("part_of", part_of)?;
    let found = Spi::connect_mut(|client| report::look_here(client, id))?;
    let oldest = found.oldest.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
    Ok(Row([
        found.rows.into_datum(),
        found.is_estimate.into_datum(),
        oldest.into_datum(),
        found.advice.into_datum(),
    ]))
}

/// Whether the caller may run a policy.
fn require_may_run(
    client: &mut SpiClient<'_>,
    owner: Owner,
    policy: &mut Policy,
) -> Result<(), Error> {
    if !run::is_visible(policy, owner) {
        return Err(RetentionError::NoPolicy(policy.id).into());
    }
    match policy.subject(client, owner) {
        Ok(subject) => subject.require_may_delete(owner, policy.workspace.as_deref()),
        // What is wrong with it is told by the batch.
        Err(_) if policy.is_of_caller() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Internal: the policies that the caller may run, a page of those that have waited longest; of one policy, whether it is one. Left
/// out is what was begun since a time.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn retention_candidates(
    policy_id: default!(Option<i64>, "NULL"),
    begun_before: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> Result<SetOfIterator<'static, i64>, ErrorReport> {
    require_tables()?;
    let _settings = LocalSettings::set(&[(c"max_parallel_workers_per_gather", c"0")]);
    let ids = Spi::connect_mut(|client| -> Result<Vec<i64>, Error> {
        let owner = Owner::find()?;
        let waiting = waiting(client, owner, policy_id, begun_before)?;
        let mut policies: HashMap<i64, Policy> = policy::read(client, owner, policy_id)?
            .into_iter()
            .map(|policy| (policy.id, policy))
            .collect();
        let mut ids = Vec::new();
        for id in waiting {
            let Some(policy) = policies.get_mut(&id) else { continue };
            if require_may_run(client, owner, policy).is_ok() {
                ids.push(id);
                if ids.len() == PAGE {
                    break;
                }
            }
        }
        Ok(ids)
    })?;
    Ok(SetOfIterator::new(ids))
}

/// Policies, those first that nothing was done with for the longest time.
fn waiting(
    client: &mut SpiClient<'_>,
    owner: Owner,
    id: Option<i64>,
    begun_before: Option<TimestampWithTimeZone>,
) -> Result<Vec<i64>, Error> {
    let _owner = owner.act();
    let found = client.update(
        "SELECT pg_catalog.array_agg(p.id ORDER BY p.at, p.id)
         FROM (
             SELECT p.id, COALESCE(GREATEST(p.last_started_at, p.last_failed_at), '-infinity') AS at
             FROM kepler.retention_policies AS p WHERE p.id = $1 OR $1 IS NULL
         ) AS p WHERE p.at < $2 OR $2 IS NULL",
        None,
        &[id.into(), begun_before.into()],
    )?;
    Ok(found.first().get_one::<Vec<i64>>()?.unwrap_or_default())
}

/// The policy with a number, which the caller may run; None where there is none, or none to be seen.
fn runnable(client: &mut SpiClient<'_>, owner: Owner, id: i64) -> Result<Option<Policy>, Error> {
    let found = policy::read(client, owner, Some(id))?.pop();
    let Some(mut policy) = found.filter(|policy| run::is_visible(policy, owner)) else {
        return Ok(None);
    };
    require_may_run(client, owner, &mut policy)?;
    Ok(Some(policy))
}

/// Internal: notes that a run takes a policy up, before anything is done: what ends the session comes last the next time.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn retention_begun(policy_id: Option<i64>) -> Result<(), ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    Ok(Spi::connect_mut(|client| -> Result<(), Error> {
        let owner = Owner::find()?;
        if runnable(client, owner, id)?.is_none() {
            return Ok(());
        }
        policy::note_begun(client, owner, id)
    })?)
}

/// Internal: notes that a batch failed, for who may run the policy. A mark stands in place of a secret.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn retention_failed(
    policy_id: Option<i64>,
    code: Option<String>,
    message: Option<String>,
) -> Result<(), ErrorReport> {
    require_tables()?;
    let id = policy_id.ok_or(ArgumentError::Null("policy_id"))?;
    let (mut code, message) = (required("code", code)?, required("message", message)?);
    if code.chars().count() > 5 {
        code = code.chars().take(5).collect();
    }
    let message = redacted_text(&message).unwrap_or(message);
    Ok(Spi::connect_mut(|client| -> Result<(), Error> {
        let owner = Owner::find()?;
        match runnable(client, owner, id)? {
            Some(_) => policy::note_failure(client, owner, id, &code, &message),
            None => Ok(()),
        }
    })?)
}
