//! Identifiers in the order of their making: the letter `c`, nine base-36 digits of the time in milliseconds
//! since 1970, and 14 of randomness from CUID2 (<https://github.com/paralleldrive/cuid2>).
//!
//! The order keeps inserts of a large table together at one place of its indexes. Within a session each id
//! is greater than the one before, as RFC 9562 (6.2, method 2) has it: where the clock has not moved on, or
//! has moved back, the id keeps the time of the last one, and its randomness grows by a random step.

use pgrx::prelude::*;
use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

/// The same for all. With `c`, ids also pass where the first generation of CUIDs is asked for.
const LETTER: char = 'c';
/// Nine digits last until the year 5188; eight would end in 2059.
const TIME_DIGITS: u32 = 9;
const RANDOM_DIGITS: u32 = 14;
const LAST_MILLISECOND: u64 = 36_u64.pow(TIME_DIGITS) - 1;
const RANDOM_END: u128 = 36_u128.pow(RANDOM_DIGITS);
/// Steps are as random as half of the digits: a millisecond has room for 10¹¹ of them.
const STEP_END: u128 = 36_u128.pow(RANDOM_DIGITS / 2);

/// What an id says, in the order of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    /// Since 1970.
    millisecond: u64,
    /// Below `RANDOM_END`.
    random: u128,
}

impl Stamp {
    /// Before every id.
    const START: Stamp = Stamp { millisecond: 0, random: 0 };

    /// The stamp after this one, at a time, with randomness below `RANDOM_END`.
    fn next(self, millisecond: u64, random: u128) -> Stamp {
        let millisecond = millisecond.min(LAST_MILLISECOND);
        if millisecond > self.millisecond {
            return Stamp { millisecond, random };
        }
        let stepped = self.random + 1 + random % STEP_END;
        if stepped < RANDOM_END {
            return Stamp { random: stepped, ..self };
        }
        // The session borrows the next millisecond.
        Stamp { millisecond: (self.millisecond + 1).min(LAST_MILLISECOND), random }
    }

    fn text(self) -> String {
        let (high, low) = (self.random / STEP_END, self.random % STEP_END);
        std::iter::once(LETTER)
            .chain(digits(self.millisecond, TIME_DIGITS))
            .chain(digits(high as u64, RANDOM_DIGITS / 2))
            .chain(digits(low as u64, RANDOM_DIGITS / 2))
            .collect()
    }
}

/// The last digits of a number in base 36.
fn digits(number: u64, count: u32) -> impl Iterator<Item = char> {
    let digit = move |place| char::from_digit((number / 36_u64.pow(place) % 36) as u32, 36);
    (0..count).rev().filter_map(digit)
}

/// The number that the last 14 characters of a CUID2 write. They are evenly distributed, while its first
/// ones are not: they begin a number of 512 bits, which is a 1 five times as often as another digit.
fn randomness(cuid2: &str) -> u128 {
    let tail = &cuid2.as_bytes()[cuid2.len().saturating_sub(RANDOM_DIGITS as usize)..];
    let digits = tail.iter().filter_map(|&byte| char::from(byte).to_digit(36));
    digits.fold(0, |number, digit| number * 36 + u128::from(digit))
}

/// A new id, greater than all that the session has made, unique without any coordination.
///
/// The generator of CUID2 draws its state at the first call in a process. It must not be called before the
/// postmaster forks, or all sessions would begin with the same state.
pub(crate) fn new_id() -> String {
    thread_local! {
        static LAST: Cell<Stamp> = const { Cell::new(Stamp::START) };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millisecond = u64::try_from(since.as_millis()).unwrap_or(LAST_MILLISECOND);
    let stamp = LAST.get().next(millisecond, randomness(&cuid2::create_id()));
    LAST.set(stamp);
    stamp.text()
}

/// A new identifier: 24 lower-case letters and digits, the first a letter, in the order of their making.
// Not in parallel workers: each would begin an order of its own.
#[pg_extern(volatile, parallel_restricted)]
fn cuid() -> String {
    new_id()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(millisecond: u64, random: u128) -> Stamp {
        Stamp { millisecond, random }
    }

    #[test]
    fn texts() {
        assert_eq!(Stamp::START.text(), "c00000000000000000000000");
        // 2026-01-01, 1,767,225,600,000 ms after 1970.
        assert_eq!(stamp(1_767_225_600_000, 36 * 36 - 1).text(), "c0mjuohs00000000000000zz");
        assert_eq!(stamp(LAST_MILLISECOND, RANDOM_END - 1).text(), "czzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn the_digits_last() {
        const MILLISECONDS_A_YEAR: u64 = 31_556_952_000;
        assert_eq!(1970 + LAST_MILLISECOND / MILLISECONDS_A_YEAR, 5188);
        assert_eq!(1970 + 36_u64.pow(8) / MILLISECONDS_A_YEAR, 2059);
    }

    #[test]
    fn randomness_is_the_tail() {
        assert_eq!(randomness("y3cfw1hafb00000000000010"), 36);
        assert_eq!(randomness("y3cfw1hafbzzzzzzzzzzzzzz"), RANDOM_END - 1);
        assert_eq!(randomness("z"), 35);
        assert!(randomness(&cuid2::create_id()) < RANDOM_END);
    }

    #[test]
    fn a_new_millisecond_takes_all_of_the_randomness() {
        assert_eq!(stamp(5, 900).next(6, 3), stamp(6, 3));
    }

    #[test]
    fn within_a_millisecond_the_randomness_grows() {
        assert_eq!(stamp(5, 900).next(5, 0), stamp(5, 901));
        assert_eq!(stamp(5, 900).next(5, STEP_END - 1), stamp(5, 900 + STEP_END));
        assert_eq!(stamp(5, 900).next(5, STEP_END), stamp(5, 901));
    }

    #[test]
    fn a_clock_that_moves_back_is_waited_for() {
        assert_eq!(stamp(5, 900).next(4, 7), stamp(5, 908));
        assert_eq!(stamp(5, 900).next(0, 7), stamp(5, 908));
    }

    #[test]
    fn a_full_millisecond_borrows_the_next() {
        assert_eq!(stamp(5, RANDOM_END - 8).next(5, 6), stamp(5, RANDOM_END - 1));
        assert_eq!(stamp(5, RANDOM_END - 8).next(5, 7), stamp(6, 7));
    }

    #[test]
    fn the_clock_may_be_beyond_the_last_millisecond() {
        assert_eq!(stamp(5, 1).next(u64::MAX, 7), stamp(LAST_MILLISECOND, 7));
    }

    proptest! {
        #[test]
        fn each_is_greater_than_the_one_before(
            last in (0..LAST_MILLISECOND, 0..RANDOM_END),
            millisecond in prop_oneof![0..=LAST_MILLISECOND, Just(7)],
            random in 0..RANDOM_END,
        ) {
            let last = stamp(last.0, last.1);
            let next = last.next(millisecond, random);
            prop_assert!(next > last);
            prop_assert!(next.text() > last.text());
            prop_assert_eq!(next.text().len(), 24);
        }
    }
}
