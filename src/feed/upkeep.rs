//! Partitions that come and go. The work is SQL, done as the owner of the feed: a partition that a superuser made would
//! be the superuser's.

use super::error::FeedError;
use super::track::require_owner;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::whole::Spi;
use pgrx::datum::Interval;

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

fn checked(keep: Interval) -> Result<Interval, FeedError> {
    if keep.as_micros() < i128::from(LEAST_KEPT) {
        return Err(FeedError::BadKeep);
    }
    Ok(keep)
}

pub(super) fn required(keep: Option<Interval>) -> Result<Interval, Error> {
    keep.ok_or_else(|| ArgumentError::Null("keep").into())
}
