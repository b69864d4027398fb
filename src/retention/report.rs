//! What would go now, and how the last passes went. It reads a bounded part of each table; beyond that it says what Postgres
//! estimates.

use super::error::RetentionError;
use super::policy::{self, Policy};
use super::run::{acting_role, is_visible, parts};
use super::subject::{Subject, Tenancy};
use super::terms::Terms;
use super::walk::{Part, along_indexes, has_index};
use super::{floor, in_parts};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::quote;
use crate::pg::cluster::part::here;
use crate::pg::local_settings::LocalSettings;
use crate::pg::subtransaction::attempt_reading;
use crate::pg::time_limit::TimeLimit;
use crate::settings;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::spi::SpiClient;

/// So many rows of a policy are counted.
const COUNTED: i64 = 10_000;
/// And of so many partitions.
const MAX_PARTS: usize = 100;

/// A policy, as it is told.
pub(super) struct Told {
    pub(super) id: i64,
    pub(super) table: String,
    pub(super) workspace: Option<String>,
    pub(super) time_column: String,
    pub(super) keep: Option<Interval>,
    pub(super) filter: Option<String>,
    pub(super) floor: Option<Interval>,
    pub(super) found: Found,
    pub(super) due_at: Option<TimestampWithTimeZone>,
    pub(super) stored: Stored,
    pub(super) problem: Option<String>,
}

/// What the list of policies says of earlier passes.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) kept_rows: i64,
    pub(super) deleted_rows: i64,
    pub(super) dropped_partitions: i64,
    pub(super) last_started_at: Option<TimestampWithTimeZone>,
    pub(super) last_succeeded_at: Option<TimestampWithTimeZone>,
    pub(super) last_failed_at: Option<TimestampWithTimeZone>,
    pub(super) last_error: Option<String>,
}

/// What would go now.
#[derive(Default)]
pub(super) struct Found {
    pub(super) cutoff: Option<i64>,
    pub(super) rows: Option<i64>,
    pub(super) is_estimate: bool,
    pub(super) oldest: Option<i64>,
    pub(super) partitions: i64,
    pub(super) advice: Option<String>,
}

pub(super) fn report(client: &mut SpiClient<'_>) -> Result<Vec<Told>, Error> {
    let owner = Owner::find()?;
    let mut told = Vec::new();
    for mut policy in policy::read(client, owner, None)? {
        if !is_visible(&policy, owner) {
            continue;
        }
        pgrx::check_for_interrupts!();
        // What a policy, a view or a type of somebody says against one table is told, and ends no report.
        let limit = TimeLimit::begin(settings::retention_batch_timeout());
        let looked = attempt_reading(|| {
            let _locks = LocalSettings::set(&[(c"lock_timeout", c"200ms")]);
            look(client, owner, &mut policy)
        });
        drop(limit);
        let (found, floor, problem) = match looked {
            Ok(Ok((found, floor))) => (found, floor, None),
            Ok(Err(error)) => (Found::default(), None, Some(error.text())),
            Err(refusal) => (Found::default(), None, Some(refusal.message)),
        };
        let (keep, filter, stored) = stored(client, owner, policy.id)?;
        let due_at = due_at(client, found.oldest, keep, floor)?;
        let problem = problem.or_else(|| stored.last_error.clone());
        told.push(Told {
            id: policy.id,
            table: policy.table,
            workspace: policy.workspace,
            time_column: policy.time_column,
            keep,
            filter,
            floor,
            found,
            due_at,
            stored,
            problem,
        });
    }
    Ok(told)
}

fn stored(
    client: &mut SpiClient<'_>,
    owner: Owner,
    id: i64,
) -> Result<(Option<Interval>, Option<String>, Stored), Error> {
    let _owner = owner.act();
    let Some(row) = client
        .update(
            "SELECT p.keep, p.filter::pg_catalog.text, p.kept_rows, p.deleted_rows, p.dropped_partitions, p.last_started_at,
                    p.last_succeeded_at, p.last_failed_at, p.last_error
             FROM kepler.retention_policies AS p WHERE p.id = $1",
            None,
            &[id.into()],
        )?
        .next()
    else {
        return Ok((None, None, Stored::default()));
    };
    let stored = Stored {
        kept_rows: row[3].value()?.unwrap_or(0),
        deleted_rows: row[4].value()?.unwrap_or(0),
        dropped_partitions: row[5].value()?.unwrap_or(0),
        last_started_at: row[6].value()?,
        last_succeeded_at: row[7].value()?,
        last_failed_at: row[8].value()?,
        last_error: row[9].value()?,
    };
    Ok((row[1].value()?, row[2].value()?, stored))
}

/// When the oldest row that is left has come of age.
fn due_at(
    client: &mut SpiClient<'_>,
    oldest: Option<i64>,
    keep: Option<Interval>,
    floor: Option<Interval>,
) -> Result<Option<TimestampWithTimeZone>, Error> {
    let oldest = oldest.and_then(|oldest| TimestampWithTimeZone::try_from(oldest).ok());
    Ok(client
        .update(
            "SELECT CASE WHEN pg_catalog.isfinite($1) THEN GREATEST(
                 pg_catalog.timezone('UTC', pg_catalog.timezone('UTC', $1) + $2),
                 pg_catalog.timezone('UTC', pg_catalog.timezone('UTC', $1) + $3)) END",
            None,
            &[oldest.into(), keep.into(), floor.into()],
        )?
        .first()
        .get_one()?)
}

/// Looks at the table of a policy.
fn look(
    client: &mut SpiClient<'_>,
    owner: Owner,
    policy: &mut Policy,
) -> Result<(Found, Option<Interval>), Error> {
    let subject = policy.subject(client, owner)?;
    let floor = {
        let _owner = owner.act();
        client
            .update(
                "SELECT pg_catalog.max(f.floor) FROM kepler_internal.retention_floors($1) AS f",
                None,
                &[subject.relation.into()],
            )?
            .first()
            .get_one::<Interval>()?
    };
    floor::of(client, owner, subject.relation, &subject.table, None)?;
    let mut found = Found::default();
    if subject.is_feed() {
        found.cutoff = Some(policy.cutoff);
        found.is_estimate = true;
        let _owner = owner.is_caller().then(|| owner.act());
        let before = TimestampWithTimeZone::try_from(policy.cutoff).ok();
        found.partitions = client
            .update(
                "SELECT count(*) FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'kepler.feed'::pg_catalog.regclass AND c.relname ~ '^feed_[0-9]{8}$'
                     AND pg_catalog.to_date(pg_catalog.right(c.relname, 8), 'YYYYMMDD') + interval '7 days' < $1",
                None,
                &[before.into()],
            )?
            .first()
            .get_one::<i64>()?
            .unwrap_or(0);
        return Ok((found, floor));
    }
    if in_parts::are_rows_of(&subject) {
        return Ok((in_parts::look(client, policy)?, floor));
    }
    let mut terms = Terms::of(client, owner, &subject, policy, acting_role(&subject, owner))?;
    found.cutoff = Some(terms.cutoff);
    let _acting = subject.act(owner);
    let old = super::partition::old(client, &subject, policy, &terms)?;
    found.partitions = old.len() as i64;
    let mut rows = old.iter().map(|part| part.rows).sum::<i64>();
    found.is_estimate = !old.is_empty();
    let dropped: Vec<_> = old.iter().map(|part| part.relation).collect();
    let parts = parts(client, &subject, &mut terms, &dropped)?;
    let mut left = COUNTED;
    for (at, part) in parts.iter().enumerate() {
        if at == MAX_PARTS {
            found.is_estimate = true;
            break;
        }
        rows += count(client, &mut terms, part, &mut left, &mut found);
        if found.advice.is_none() && !has_index(client, &mut terms, part) {
            found.advice = Some(advice(&subject, policy));
        }
    }
    found.rows = Some(rows);
    Ok((found, floor))
}

/// The same of a policy that the caller sees, in the part of a cluster that the session looks into.
pub(super) fn look_here(client: &mut SpiClient<'_>, id: i64) -> Result<Found, Error> {
    let owner = Owner::find()?;
    let found = policy::read(client, owner, Some(id))?.pop();
    let mut policy =
        found.filter(|policy| is_visible(policy, owner)).ok_or(RetentionError::NoPolicy(id))?;
    Ok(look(client, owner, &mut policy)?.0)
}

/// How many rows of a part would go: counted where an index leads to few, or where the part is small, and estimated otherwise.
fn count(
    client: &mut SpiClient<'_>,
    terms: &mut Terms,
    part: &Part,
    left: &mut i64,
    found: &mut Found,
) -> i64 {
    let (range, goes) = (terms.range(None, None), terms.goes(false));
    let mut counted = 0;
    if *left > 0 && (is_small(client, part) || has_index(client, terms, part)) {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE w.goes), min(w.at) FILTER (WHERE w.goes)
             FROM (SELECT {} AS at, {goes} AS goes FROM ONLY {} AS e WHERE {range} ORDER BY {} LIMIT {}) AS w",
            terms.kind.moment(&terms.time),
            part.table,
            terms.time,
            *left + 1
        );
        let _plans = along_indexes();
        let rows = terms.parameters.run_as_set(client, &sql);
        if let Some(row) = rows.iter::<3>().next() {
            let looked_at = row.bigint(0).unwrap_or(0);
            counted = row.bigint(1).unwrap_or(0);
            found.oldest = match (found.oldest, row.time(2)) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if looked_at <= *left {
                *left -= looked_at;
                return counted;
            }
        }
        *left = 0;
    }
    found.is_estimate = true;
    let sql = format!("SELECT 1 FROM ONLY {} AS e WHERE {range} AND {goes}", part.table);
    let expected = terms.parameters.expected_rows(client, &sql);
    counted.max(expected as i64)
}

/// Whether all of a part is read as fast as an index.
fn is_small(client: &mut SpiClient<'_>, part: &Part) -> bool {
    let sql =
        "SELECT pg_catalog.pg_relation_size($1::pg_catalog.oid::pg_catalog.regclass) <= 1048576";
    let found = client.update(sql, None, &[here(part.relation).into()]);
    found.ok().and_then(|rows| rows.first().get_one::<bool>().ok()?).unwrap_or(false)
}

/// The index that would serve.
pub(super) fn advice(subject: &Subject, policy: &Policy) -> String {
    let tenancy = match (&policy.workspace, &subject.tenancy) {
        (Some(_), Tenancy::Column(column)) => format!("{}, ", quote_if_needed(column)),
        _ => String::new(),
    };
    // Postgres builds none of a partitioned table so.
    let how = if subject.is_partitioned { "" } else { " CONCURRENTLY" };
    format!(
        "CREATE INDEX{how} ON {} ({tenancy}{});",
        subject.table,
        quote_if_needed(&policy.time_column)
    )
}

fn quote_if_needed(name: &str) -> String {
    match crate::ident::problem_with_field_name(name, crate::ident::MAX_NAME) {
        None => name.to_owned(),
        Some(_) => quote(name),
    }
}
