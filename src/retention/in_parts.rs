//! Policies for tables whose rows lie in the parts of a cluster: each part is gone through, one after the other.
//!
//! The list of policies is written on the coordinator. Of a pass it notes the number of the part in place of a partition.

use super::error::RetentionError;
use super::policy::{self, Place, Policy, Progress};
use super::report::Found;
use super::run;
use super::subject::Subject;
use super::terms::Terms;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::cluster::part;
use crate::pg::cluster::places::Lies;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// Whether the rows of a table lie in parts, and this session works in none of them.
pub(super) fn are_rows_of(subject: &Subject) -> bool {
    part::current() == 0 && part::lies(subject.relation) == Lies::Distributed
}

/// Workspaces that name the parts where rows of a policy may lie.
fn keys(client: &mut SpiClient<'_>, policy: &Policy) -> Result<Vec<String>, Error> {
    if let Some(workspace) = &policy.workspace {
        return Ok(vec![workspace.clone()]);
    }
    let found = client.update(
        "SELECT pg_catalog.array_agg(k) FROM kepler_internal.part_keys() AS k",
        None,
        &[],
    )?;
    Ok(found.first().get_one::<Vec<String>>()?.unwrap_or_default())
}

/// Goes on from a place until so many rows were deleted, or the pass has ended in all parts.
pub(super) fn batch(
    client: &mut SpiClient<'_>,
    policy: &Policy,
    max_rows: i64,
    place: &mut Place,
    done: &mut Progress,
) -> Result<(), Error> {
    let keys = keys(client, policy)?;
    let begun = place.relation.filter(|_| place.has_begun);
    if begun.is_none() {
        *place = Place::at(pg_sys::Oid::from(0));
    }
    let first = begun.map_or(0, |number| number.to_u32() as usize);
    for at in first..keys.len() {
        pgrx::check_for_interrupts!();
        let after = place.after.and_then(|after| TimestampWithTimeZone::try_from(after).ok());
        let row = client
            .update(
                "SELECT a.deleted, a.kept, a.looked_at, a.has_ended, a.after, a.block
                 FROM kepler_internal.apply_retention_of_part($1, $2, $3, $4, $5) AS a",
                None,
                &[
                    policy.id.into(),
                    (max_rows - done.deleted).into(),
                    after.into(),
                    place.block.into(),
                    keys[at].as_str().into(),
                ],
            )?
            .first();
        done.deleted += row.get::<i64>(1)?.unwrap_or(0);
        done.kept += row.get::<i64>(2)?.unwrap_or(0);
        done.looked_at += row.get::<i64>(3)?.unwrap_or(0);
        if row.get::<bool>(4)? != Some(true) {
            place.after = row.get::<TimestampWithTimeZone>(5)?.map(i64::from);
            place.block = row.get::<i64>(6)?.unwrap_or(0);
            return Ok(());
        }
        *place = Place::at(pg_sys::Oid::from(at as u32 + 1));
        if done.deleted >= max_rows && at + 1 < keys.len() {
            return Ok(());
        }
    }
    done.has_ended = true;
    Ok(())
}

/// One batch in the part that the session looks into.
pub(super) fn batch_here(
    client: &mut SpiClient<'_>,
    id: i64,
    max_rows: i64,
    after: Option<i64>,
    block: i64,
) -> Result<(Progress, Place), Error> {
    let owner = Owner::find()?;
    let found = policy::read(client, owner, Some(id))?.pop();
    let mut policy = found
        .filter(|policy| run::is_visible(policy, owner))
        .ok_or(RetentionError::NoPolicy(id))?;
    let subject = policy.subject(client, owner)?;
    subject.require_may_delete(owner, policy.workspace.as_deref())?;
    client.update("SET CONSTRAINTS ALL IMMEDIATE", None, &[])?;
    let mut done = Progress::default();
    let mut place = Place { after, block, ..Place::at(subject.relation) };
    let role = run::acting_role(&subject, owner);
    let mut terms = Terms::of(client, owner, &subject, &policy, role)?;
    let _acting = subject.act(owner);
    run::batch(client, &subject, &policy, &mut terms, max_rows, &mut place, &mut done)?;
    Ok((done, place))
}

/// What a policy would delete in all parts.
pub(super) fn look(client: &mut SpiClient<'_>, policy: &Policy) -> Result<Found, Error> {
    let mut found = Found { rows: Some(0), cutoff: Some(policy.cutoff), ..Found::default() };
    for key in keys(client, policy)? {
        pgrx::check_for_interrupts!();
        let row = client
            .update(
                "SELECT l.row_count, l.is_estimate, l.oldest_at, l.missing_index
                 FROM kepler_internal.look_at_retention_of_part($1, $2) AS l",
                None,
                &[policy.id.into(), key.as_str().into()],
            )?
            .first();
        found.rows = found.rows.zip(row.get::<i64>(1)?).map(|(all, some)| all + some);
        found.is_estimate |= row.get::<bool>(2)? == Some(true);
        let oldest = row.get::<TimestampWithTimeZone>(3)?.map(i64::from);
        found.oldest = match (found.oldest, oldest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        found.advice = found.advice.or(row.get::<String>(4)?);
    }
    Ok(found)
}
