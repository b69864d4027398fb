//! The partition that changes are appended to now.
//!
//! It is looked up by its name, and trusted as long as Postgres tells of no change of it. A writer locks this partition
//! alone and not the feed, so that old partitions can be dropped while it writes.

use super::error::FeedError;
use crate::error::Error;
use crate::pg::append::Append;
use crate::pg::relation::{self, MadeOf, generation};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::ffi::{CStr, CString};

/// The columns of the feed, in the order of [`Values`].
const COLUMNS: [&CStr; 9] = [
    c"xid",
    c"sequence",
    c"created_at",
    c"epoch",
    c"table_id",
    c"operation",
    c"workspace_id",
    c"row_id",
    c"entity_type",
];
const CREATED_AT: usize = 2;

pub(super) type Values = [Option<pg_sys::Datum>; 9];
pub(super) type Place = Append<9>;

const DAY: i64 = 86_400_000_000;
const WEEK: i64 = 7 * DAY;
/// The first Monday, in microseconds since 2000-01-01.
const MONDAY: i64 = 2 * DAY;

unsafe extern "C-unwind" {
    /// `src/include/catalog/partition.h` of Postgres 16 to 18.
    fn get_partition_parent(partition: pg_sys::Oid, even_if_detached: bool) -> pg_sys::Oid;
}

struct Known {
    week: i64,
    partition: pg_sys::Oid,
    made_of: MadeOf,
}

thread_local! {
    static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// So often may partitions come and go while one is looked for.
const MAX_TRIES: usize = 10;

/// Opens the partition for changes of a time.
pub(super) fn open(time: i64) -> Result<Place, Error> {
    let week = (time - MONDAY).div_euclid(WEEK) * WEEK + MONDAY;
    for _ in 0..MAX_TRIES {
        let known = KNOWN.with_borrow(|known| match known {
            Some(known) if known.week == week && known.made_of.is_current() => {
                Some(known.partition)
            }
            _ => None,
        });
        if let Some(partition) = known {
            let place = Append::open(partition, COLUMNS).ok_or(FeedError::NoPlace)?;
            // Now that it is locked, it stays.
            if is_known() {
                return Ok(place);
            }
            place.finish();
            continue;
        }
        let at = generation();
        let feed = relation::named(c"kepler", c"feed").ok_or(FeedError::NoPlace)?;
        if let Some(partition) = partition(feed, &name(week)) {
            let mut place = Append::open(partition, COLUMNS).ok_or(FeedError::NoPlace)?;
            if place.is_place_of(at_time(week)) && place.is_place_of(at_time(week + WEEK - 1)) {
                let made_of = MadeOf::tables(vec![feed, partition], at);
                if made_of.is_current() {
                    KNOWN.set(Some(Known { week, partition, made_of }));
                    return Ok(place);
                }
            }
            place.finish();
        }
        // While it is locked no partition can come that would take its place.
        if let Some(partition) = partition(feed, c"feed_default") {
            let mut place = Append::open(partition, COLUMNS).ok_or(FeedError::NoPlace)?;
            if place.is_place_of(at_time(time)) {
                return Ok(place);
            }
            place.finish();
        }
    }
    Err(FeedError::NoPlace.into())
}

fn is_known() -> bool {
    KNOWN.with_borrow(|known| known.as_ref().is_some_and(|known| known.made_of.is_current()))
}

/// A partition of the feed, of its owner.
fn partition(feed: pg_sys::Oid, name: &CStr) -> Option<pg_sys::Oid> {
    let found = relation::named(c"kepler", name)?;
    // SAFETY: look-ups in the catalog; what is a partition has a parent.
    let is_of_feed = unsafe {
        pg_sys::get_rel_relkind(found) as u8 == pg_sys::RELKIND_RELATION
            && pg_sys::get_rel_relispartition(found)
            && pg_sys::ffi::pg_guard_ffi_boundary(|| get_partition_parent(found, false)) == feed
    };
    (is_of_feed && relation::owner(found) == relation::owner(feed)).then_some(found)
}

fn at_time(time: i64) -> Values {
    let mut values = [None; 9];
    values[CREATED_AT] = Some(time.into());
    values
}

/// What the partition of a week is called: after its Monday.
fn name(week: i64) -> CString {
    let (year, month, day) = date(week.div_euclid(DAY));
    CString::new(format!("feed_{year:04}{month:02}{day:02}")).unwrap_or_default()
}

/// Days since 2000-01-01 as a date (Howard Hinnant, `chrono`-Compatible Low-Level Date Algorithms).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_called_after_its_monday() {
        assert_eq!(name(MONDAY).to_str(), Ok("feed_20000103"));
        // 2026-11-23 is the Monday before 2026-11-29.
        assert_eq!(date(9_829), (2026, 11, 29));
        let time = 9_829 * DAY + 5;
        let week = (time - MONDAY).div_euclid(WEEK) * WEEK + MONDAY;
        assert_eq!(name(week).to_str(), Ok("feed_20261123"));
        assert_eq!(date(59), (2000, 2, 29));
        assert_eq!(date(60), (2000, 3, 1));
        assert_eq!(date(-1), (1999, 12, 31));
    }
}
