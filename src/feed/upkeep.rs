//! Partitions that come and go. The work is SQL, done as the owner of the feed: a partition that a superuser made would
//! be the superuser's.

use super::consumer;
use super::epoch::Epochs;
use super::error::FeedError;
use super::track::require_owner;
use crate::access::owner::Owner;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::whole::Spi;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// What is younger stays in any case.
const LEAST_KEPT: i64 = 3_600_000_000;

/// One step: the first makes partitions of the weeks ahead, each of the others drops an old one. Gives whether there is
/// more to do.
pub(super) fn step(keep: Interval, is_first: bool) -> Result<bool, Error> {
    let owner = require_owner("keep up the feed")?;
    let keep = checked(keep)?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let done = if is_first {
            client.update(
                "SELECT kepler_internal.make_partitions('feed', 'week', 4) >= 0",
                None,
                &[],
            )?
        } else {
            client.update("SELECT kepler_internal.drop_old_changes($1)", None, &[keep.into()])?
        };
        Ok(done.first().get_one::<bool>()?.unwrap_or(false))
    })
}

/// Drops the oldest of what is older than a time, as the owner, unless a consumer has not read it yet. Gives whether there may be
/// more.
pub(crate) fn drop_read(
    client: &mut SpiClient<'_>,
    owner: Owner,
    older_than: i64,
) -> Result<bool, Error> {
    let _owner = owner.act();
    let Ok(older_than) = TimestampWithTimeZone::try_from(older_than) else { return Ok(false) };
    let part = client
        .update("SELECT kepler_internal.oldest_changes($1)", None, &[older_than.into()])?
        .first()
        .get_one::<String>()?;
    let Some(part) = part else { return Ok(false) };
    for (workspace, at) in consumer::positions(client) {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM kepler.{part} AS f WHERE f.workspace_id = $1 AND f.created_at < $5
                 AND (f.epoch, f.xid, f.sequence) > ($2, $3::pg_catalog.text::pg_catalog.xid8, $4))"
        );
        let arguments = [
            workspace.as_str().into(),
            at.epoch.into(),
            at.xid.to_string().into(),
            at.sequence.into(),
            older_than.into(),
        ];
        if client.update(&sql, None, &arguments)?.first().get_one::<bool>()? == Some(true) {
            return Ok(false);
        }
    }
    let more = client
        .update("SELECT kepler_internal.drop_changes_before($1)", None, &[older_than.into()])?
        .first()
        .get_one::<bool>()?;
    Ok(more == Some(true))
}

/// Has all consumers begin anew: what was changed until now is not in this feed, or not all of it.
pub(super) fn begin_anew() -> Result<(), Error> {
    let owner = require_owner("begin the feed anew")?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let at = Epochs::read(client).now(in_transaction());
        client.update(
            "INSERT INTO kepler.feed_dropped AS d (workspace_id, epoch, xid, sequence)
             SELECT w.id, $1, $2::pg_catalog.text::pg_catalog.xid8, 0 FROM kepler.workspaces AS w
             ON CONFLICT (workspace_id) DO UPDATE
             SET epoch = excluded.epoch, xid = excluded.xid, sequence = excluded.sequence",
            None,
            &[at.epoch.into(), at.xid.to_string().into()],
        )?;
        Ok(())
    })
}

/// The number of this transaction.
fn in_transaction() -> u64 {
    // SAFETY: the transaction is about to write.
    unsafe { pg_sys::GetTopFullTransactionId().value }
}

fn checked(keep: Interval) -> Result<Interval, FeedError> {
    if keep.as_micros() < i128::from(LEAST_KEPT) {
        return Err(FeedError::BadKeep);
    }
    Ok(keep)
}

pub(super) fn required(keep: Option<Interval>) -> Result<Interval, Error> {
    keep.ok_or_else(|| ArgumentError::Null("keep").into())
}
