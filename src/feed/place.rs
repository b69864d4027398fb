//! The partition that changes are appended to now.
//!
//! It is looked up by its name, and trusted as long as Postgres tells of no change of it. A writer locks this partition
//! alone and not the whole, so that old partitions can be dropped while it writes.

use super::error::FeedError;
use crate::error::Error;
use crate::pg::append::Append;
use crate::pg::relation::{self, MadeOf, generation};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::ffi::{CStr, CString};

/// How long a partition is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Period {
    Week,
    Month,
}

const DAY: i64 = 86_400_000_000;
const WEEK: i64 = 7 * DAY;
/// The first Monday, in microseconds since 2000-01-01.
const MONDAY: i64 = 2 * DAY;

impl Period {
    /// When the period of a time begins, and when the next one does.
    fn around(self, time: i64) -> (i64, i64) {
        match self {
            Self::Week => {
                let begins = (time - MONDAY).div_euclid(WEEK) * WEEK + MONDAY;
                (begins, begins + WEEK)
            }
            Self::Month => {
                let today = time.div_euclid(DAY);
                let (_, _, day) = date(today);
                let begins = today - day + 1;
                // The next month begins in the days after 28 of them.
                let (_, _, day) = date(begins + 31);
                (begins * DAY, (begins + 32 - day) * DAY)
            }
        }
    }
}

unsafe extern "C-unwind" {
    /// `src/include/catalog/partition.h` of Postgres 16 to 18.
    fn get_partition_parent(partition: pg_sys::Oid, even_if_detached: bool) -> pg_sys::Oid;
}

struct Known {
    begins: i64,
    partition: pg_sys::Oid,
    made_of: MadeOf,
}

/// A table of the schema `kepler` that is appended to, in partitions by time. Each is called after the day on which it
/// begins.
pub(crate) struct Log<const N: usize> {
    name: &'static str,
    /// In the order of the values.
    columns: [&'static CStr; N],
    /// The place of `created_at` among them.
    created_at: usize,
    period: Period,
    known: RefCell<Option<Known>>,
}

/// So often may partitions come and go while one is looked for.
const MAX_TRIES: usize = 10;

impl<const N: usize> Log<N> {
    pub(crate) const fn new(
        name: &'static str,
        columns: [&'static CStr; N],
        created_at: usize,
        period: Period,
    ) -> Self {
        Self { name, columns, created_at, period, known: RefCell::new(None) }
    }

    /// The table itself.
    pub(crate) fn table(&self) -> Result<pg_sys::Oid, FeedError> {
        self.named("").ok_or(FeedError::NoPlace)
    }

    fn named(&self, suffix: &str) -> Option<pg_sys::Oid> {
        let name = CString::new(format!("{}{suffix}", self.name)).unwrap_or_default();
        relation::named(c"kepler", &name)
    }

    /// Opens the partition for rows of a time.
    pub(crate) fn open(&self, time: i64) -> Result<Append<N>, Error> {
        let (begins, ends) = self.period.around(time);
        for _ in 0..MAX_TRIES {
            let known = match &*self.known.borrow() {
                Some(known) if known.begins == begins && known.made_of.is_current() => {
                    Some(known.partition)
                }
                _ => None,
            };
            if let Some(partition) = known {
                let place = Append::open(partition, self.columns).ok_or(FeedError::NoPlace)?;
                // Now that it is locked, it stays.
                if self.is_known() {
                    return Ok(place);
                }
                place.finish();
                continue;
            }
            let at = generation();
            let whole = self.table()?;
            if let Some(partition) = self.partition(whole, &suffix(begins)) {
                let mut place = Append::open(partition, self.columns).ok_or(FeedError::NoPlace)?;
                if place.is_place_of(self.at_time(begins))
                    && place.is_place_of(self.at_time(ends - 1))
                {
                    let made_of = MadeOf::tables(vec![whole, partition], at);
                    if made_of.is_current() {
                        self.known.replace(Some(Known { begins, partition, made_of }));
                        return Ok(place);
                    }
                }
                place.finish();
            }
            // While it is locked no partition can come that would take its place.
            if let Some(partition) = self.partition(whole, "_default") {
                let mut place = Append::open(partition, self.columns).ok_or(FeedError::NoPlace)?;
                if place.is_place_of(self.at_time(time)) {
                    return Ok(place);
                }
                place.finish();
            }
        }
        Err(FeedError::NoPlace.into())
    }

    fn is_known(&self) -> bool {
        let known = self.known.borrow();
        known.as_ref().is_some_and(|known| known.made_of.is_current())
    }

    /// A partition of the table, of its owner.
    fn partition(&self, whole: pg_sys::Oid, suffix: &str) -> Option<pg_sys::Oid> {
        let found = self.named(suffix)?;
        // SAFETY: look-ups in the catalog; what is a partition has a parent.
        let is_part = unsafe {
            pg_sys::get_rel_relkind(found) as u8 == pg_sys::RELKIND_RELATION
                && pg_sys::get_rel_relispartition(found)
                && pg_sys::ffi::pg_guard_ffi_boundary(|| get_partition_parent(found, false))
                    == whole
        };
        (is_part && relation::owner(found) == relation::owner(whole)).then_some(found)
    }

    fn at_time(&self, time: i64) -> [Option<pg_sys::Datum>; N] {
        let mut values = [None; N];
        values[self.created_at] = Some(time.into());
        values
    }
}

/// What stands behind the name in that of a partition: the day on which it begins.
fn suffix(begins: i64) -> String {
    let (year, month, day) = date(begins.div_euclid(DAY));
    format!("_{year:04}{month:02}{day:02}")
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
    fn a_partition_is_called_after_its_first_day() {
        assert_eq!(suffix(MONDAY), "_20000103");
        // 2026-11-23 is the Monday before 2026-11-29.
        assert_eq!(date(9_829), (2026, 11, 29));
        let time = 9_829 * DAY + 5;
        assert_eq!(suffix(Period::Week.around(time).0), "_20261123");
        let (begins, ends) = Period::Month.around(time);
        assert_eq!(
            (suffix(begins), suffix(ends)),
            ("_20261101".to_owned(), "_20261201".to_owned())
        );
        assert_eq!(date(59), (2000, 2, 29));
        assert_eq!(date(60), (2000, 3, 1));
        assert_eq!(date(-1), (1999, 12, 31));
    }

    #[test]
    fn months_follow_each_other_without_a_gap() {
        let mut time = -400 * DAY;
        for _ in 0..2_000 {
            let (begins, ends) = Period::Month.around(time);
            assert!(begins <= time && time < ends);
            assert_eq!(date(begins.div_euclid(DAY)).2, 1);
            assert_eq!(Period::Month.around(ends).0, ends);
            assert_eq!(Period::Month.around(ends - 1), (begins, ends));
            time = ends + 3 * DAY;
        }
    }
}
