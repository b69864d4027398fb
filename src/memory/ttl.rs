//! How long a memory lives on after it was read: an `interval` as Postgres stores it.

use pgrx::{AnyElement, pg_sys};

const MICROSECONDS: i128 = 1_000_000;
const DAY: i128 = 86_400 * MICROSECONDS;
/// As Postgres compares intervals.
const DAYS_A_MONTH: i128 = 30;
/// Ten thousand years: more than a time can hold.
const MOST: i128 = 3_652_500 * DAY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ttl {
    microseconds: i64,
    days: i32,
    months: i32,
}

impl Ttl {
    /// An argument that is declared in SQL as interval.
    ///
    /// # Safety
    /// It is of that type.
    pub(crate) unsafe fn of(given: &AnyElement) -> Self {
        // SAFETY: the datum of an interval points at one.
        let interval = unsafe { *given.datum().cast_mut_ptr::<pg_sys::Interval>() };
        Self { microseconds: interval.time, days: interval.day, months: interval.month }
    }

    /// None of what is no length of time.
    pub(crate) fn of_seconds(seconds: f64) -> Option<Self> {
        let microseconds = seconds * 1e6;
        let is_length = microseconds >= 1.0 && microseconds <= MOST as f64;
        is_length.then_some(Self { microseconds: microseconds as i64, days: 0, months: 0 })
    }

    /// Whether it is a length of time, and not nothing, negative or infinite. No part is negative: a month is shorter or longer than
    /// thirty days.
    pub(crate) fn is_length(self) -> bool {
        if self.months < 0 || self.days < 0 || self.microseconds < 0 {
            return false;
        }
        let days = i128::from(self.days) + DAYS_A_MONTH * i128::from(self.months);
        (1..=MOST).contains(&(i128::from(self.microseconds) + DAY * days))
    }

    pub(crate) fn stored(self) -> [u8; 16] {
        let mut stored = [0; 16];
        stored[..8].copy_from_slice(&self.microseconds.to_ne_bytes());
        stored[8..12].copy_from_slice(&self.days.to_ne_bytes());
        stored[12..].copy_from_slice(&self.months.to_ne_bytes());
        stored
    }
}
