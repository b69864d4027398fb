//! One batch of a policy.

use super::error::RetentionError;
use super::in_parts;
use super::partition;
use super::policy::{self, Place, Policy, Progress};
use super::subject::{Kind, Subject};
use super::terms::Terms;
use super::walk::{self, Part};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::feed::upkeep;
use crate::pg::{advisory, relation, role};
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// A batch goes through so many partitions at most.
const MAX_PARTS: usize = 100;

/// Who looks at a policy: the owner of Kepler's tables, its workspace, and the owner of its table.
pub(super) fn is_visible(policy: &Policy, owner: Owner) -> bool {
    owner.is_caller()
        || policy.workspace.as_deref().is_some_and(|id| workspace::require_own(id).is_ok())
        || policy.is_of_caller()
}

/// Deletes a batch. Gives how many rows went; where none did and there is more to look at, how many were looked at; and 0 when
/// nothing is left.
pub(super) fn apply(client: &mut SpiClient<'_>, id: i64, max_rows: i64) -> Result<i64, Error> {
    let owner = Owner::find()?;
    let found = policy::read(client, owner, Some(id))?.pop();
    let mut policy =
        found.filter(|policy| is_visible(policy, owner)).ok_or(RetentionError::NoPolicy(id))?;
    // One at a time. Of two the second one leaves it to the first.
    if !advisory::try_lock(&format!("kepler retention {id}")) {
        return Ok(0);
    }
    if policy.has_just_ended {
        policy::note_end_told(client, owner, id)?;
        return Ok(0);
    }
    let subject = policy.subject(client, owner)?;
    let workspace = policy.workspace.as_deref();
    subject.require_may_delete(owner, workspace)?;
    if let Some(workspace) = workspace {
        crate::being_deleted::refuse(workspace)?;
    }
    // Constraints and triggers that wait for the end of the transaction would fire as whoever ends it, and fail where no row is
    // to blame. Those that wait already are the caller's.
    client.update("SET CONSTRAINTS ALL IMMEDIATE", None, &[])?;
    let mut done = Progress::default();
    let mut place = policy.place;
    if subject.is_feed() {
        let is_more = upkeep::drop_read(client, owner, policy.cutoff)?;
        done.partitions = i64::from(is_more);
        done.deleted = i64::from(is_more);
        done.has_ended = !is_more;
    } else if in_parts::are_rows_of(&subject) {
        in_parts::batch(client, &policy, max_rows, &mut place, &mut done)?;
    } else {
        let mut terms = Terms::of(client, owner, &subject, &policy, acting_role(&subject, owner))?;
        let _acting = subject.act(owner);
        batch(client, &subject, &policy, &mut terms, max_rows, &mut place, &mut done)?;
    }
    policy::note(client, owner, &policy, &subject, place, done)?;
    Ok(match done {
        Progress { deleted: 1.., .. } => done.deleted,
        Progress { has_ended: true, .. } => 0,
        _ => done.looked_at.max(1),
    })
}

/// As whom rows are looked at and deleted.
pub(super) fn acting_role(subject: &Subject, owner: Owner) -> pg_sys::Oid {
    match subject.kind {
        Kind::Users => subject.owner,
        Kind::Own(_) | Kind::Made if owner.is_caller() => owner.role(),
        Kind::Own(_) | Kind::Made => role::current(),
    }
}

/// Goes on from a place until so many rows were deleted, or the pass has ended.
pub(super) fn batch(
    client: &mut SpiClient<'_>,
    subject: &Subject,
    policy: &Policy,
    terms: &mut Terms,
    max_rows: i64,
    place: &mut Place,
    done: &mut Progress,
) -> Result<(), Error> {
    let old = partition::old(client, subject, policy, terms)?;
    let Some(in_use) = partition::drop_one(client, &old, done) else {
        return Ok(());
    };
    let parts = parts(client, subject, terms, &in_use)?;
    let number = |part: &Part| part.relation.to_u32();
    let begun = place.relation.filter(|_| place.has_begun).map(pg_sys::Oid::to_u32);
    // A partition may be gone since.
    let first = parts.iter().position(|part| begun.is_none_or(|begun| number(part) >= begun));
    let Some(first) = first else {
        done.has_ended = true;
        return Ok(());
    };
    if begun != Some(number(&parts[first])) {
        *place = Place::at(parts[first].relation);
    }
    for at in first..parts.len() {
        if !walk::walk(client, terms, &parts[at], max_rows, place, done) {
            return Ok(());
        }
        let Some(next) = parts.get(at + 1) else { break };
        *place = Place::at(next.relation);
        if done.deleted >= max_rows || at - first == MAX_PARTS {
            return Ok(());
        }
    }
    done.has_ended = true;
    Ok(())
}

/// The tables behind a table that may hold rows that go, in a fixed order: partitions are left out by their bounds.
pub(super) fn parts(
    client: &mut SpiClient<'_>,
    subject: &Subject,
    terms: &mut Terms,
    but: &[pg_sys::Oid],
) -> Result<Vec<Part>, Error> {
    if !subject.is_partitioned {
        return Ok(vec![Part {
            relation: subject.relation,
            table: subject.table.clone(),
            whole: None,
        }]);
    }
    // A trigger of statements on the whole does not see what is done to a partition.
    let is_watched = client
        .update(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
             WHERE g.tgrelid = $1 AND NOT g.tgisinternal AND g.tgtype::pg_catalog.int4 & 9 = 8)",
            None,
            &[subject.relation.into()],
        )?
        .first()
        .get_one::<bool>()?
        == Some(true);
    let range = terms.range(None, None);
    let sql = format!("SELECT 1 FROM {} AS e WHERE {range}", subject.table);
    let mut found = terms.parameters.relations(client, &sql);
    found.retain(|part| *part != subject.relation && !but.contains(part));
    found.sort_unstable_by_key(|part| part.to_u32());
    found.dedup();
    let whole = is_watched.then(|| subject.table.clone());
    let part = |relation| {
        let table = relation::spelled(relation)?;
        relation::is_leaf(relation).then(|| Part { relation, table, whole: whole.clone() })
    };
    Ok(found.into_iter().filter_map(part).collect())
}
