//! Identifiers in the order of their making: the letter `c`, nine base-36 digits of the time in milliseconds
//! since 1970, and 14 of randomness from CUID2 (<https://github.com/paralleldrive/cuid2>).
//!
//! The order keeps inserts of a large table together at one place of its indexes. Within a session each id
//! is greater than the one before, as RFC 9562 (6.2, method 2) has it: where the clock has not moved on, or
//! has moved back, the id keeps the time of the last one, and its randomness grows by a random step.

use cuid2::CuidConstructor;
use pgrx::prelude::*;
use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

/// The same for all. With `c`, ids also pass where the first generation of CUIDs is asked for.
const LETTER: u8 = b'c';
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

    /// The stamp after this one, at a time. `random` is asked for randomness below `RANDOM_END` where a millisecond
    /// begins, and else `step` for one below `STEP_END`.
    fn next(
        self,
        millisecond: u64,
        random: impl FnOnce() -> u128,
        step: impl FnOnce() -> u128,
    ) -> Stamp {
        let millisecond = millisecond.min(LAST_MILLISECOND);
        if millisecond > self.millisecond {
            return Stamp { millisecond, random: random() };
        }
        let stepped = self.random + 1 + step();
        if stepped < RANDOM_END {
            return Stamp { random: stepped, ..self };
        }
        // The session borrows the next millisecond.
        Stamp { millisecond: (self.millisecond + 1).min(LAST_MILLISECOND), random: random() }
    }

    fn text(self) -> String {
        let mut text = [LETTER; 24];
        write(&mut text[1..10], self.millisecond);
        write(&mut text[10..17], (self.random / STEP_END) as u64);
        write(&mut text[17..], (self.random % STEP_END) as u64);
        text.iter().map(|&digit| char::from(digit)).collect()
    }
}

/// Fills a place with the last digits of a number in base 36.
fn write(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
}

/// The number that the last digits of a CUID2 write. They are evenly distributed, while its first ones are not:
/// they begin a number of 512 bits, which is a 1 five times as often as another digit.
fn tail(cuid2: &str, count: u32) -> u128 {
    let tail = &cuid2.as_bytes()[cuid2.len().saturating_sub(count as usize)..];
    let digits = tail.iter().filter_map(|&byte| char::from(byte).to_digit(36));
    digits.fold(0, |number, digit| number * 36 + u128::from(digit))
}

/// Randomness for steps. One CUID2 costs more than everything else that is done for an id, and its last
/// characters make several steps.
#[derive(Clone, Copy)]
struct Steps {
    left: u32,
    digits: u128,
}

impl Steps {
    /// Steps of a CUID2 of the greatest length; four characters at its beginning are left out.
    const OF_ONE: u32 = 4;
    const GENERATOR: CuidConstructor = CuidConstructor::new().with_length(32);

    const NONE: Steps = Steps { left: 0, digits: 0 };

    fn take(&mut self) -> u128 {
        if self.left == 0 {
            let digits = tail(&Self::GENERATOR.create_id(), Self::OF_ONE * RANDOM_DIGITS / 2);
            *self = Steps { left: Self::OF_ONE, digits };
        }
        let step = self.digits % STEP_END;
        *self = Steps { left: self.left - 1, digits: self.digits / STEP_END };
        step
    }
}

/// A new id, greater than all that the session has made, unique without any coordination.
///
/// The generator of CUID2 draws its state at the first call in a process. It must not be called before the
/// postmaster forks, or all sessions would begin with the same state.
pub(crate) fn new_id() -> String {
    thread_local! {
        static LAST: Cell<Stamp> = const { Cell::new(Stamp::START) };
        static STEPS: Cell<Steps> = const { Cell::new(Steps::NONE) };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millisecond = u64::try_from(since.as_millis()).unwrap_or(LAST_MILLISECOND);
    let random = || tail(&cuid2::create_id(), RANDOM_DIGITS);
    let step = || {
        let mut steps = STEPS.get();
        let step = steps.take();
        STEPS.set(steps);
        step
    };
    let stamp = LAST.get().next(millisecond, random, step);
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
    use std::collections::HashSet;

    fn stamp(millisecond: u64, random: u128) -> Stamp {
        Stamp { millisecond, random }
    }

    fn next(last: Stamp, millisecond: u64, random: u128) -> Stamp {
        last.next(millisecond, || random, || random % STEP_END)
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
        assert_eq!(tail("y3cfw1hafb00000000000010", 14), 36);
        assert_eq!(tail("y3cfw1hafbzzzzzzzzzzzzzz", 14), RANDOM_END - 1);
        assert_eq!(tail("z", 14), 35);
        assert!(tail(&cuid2::create_id(), 14) < RANDOM_END);
    }

    #[test]
    fn a_cuid2_makes_four_steps() {
        assert_eq!(Steps::GENERATOR.create_id().len(), 32);
        let mut steps = Steps { left: 2, digits: 5 * STEP_END + 9 };
        assert_eq!((steps.take(), steps.take(), steps.left), (9, 5, 0));
        let drawn: HashSet<u128> = (0..1000).map(|_| steps.take()).collect();
        assert!(drawn.len() > 990 && drawn.iter().all(|step| *step < STEP_END));
        assert!(drawn.iter().any(|step| *step > STEP_END / 2));
    }

    #[test]
    fn a_new_millisecond_takes_all_of_the_randomness() {
        assert_eq!(next(stamp(5, 900), 6, 3), stamp(6, 3));
    }

    #[test]
    fn within_a_millisecond_the_randomness_grows() {
        assert_eq!(next(stamp(5, 900), 5, 0), stamp(5, 901));
        assert_eq!(next(stamp(5, 900), 5, STEP_END - 1), stamp(5, 900 + STEP_END));
        assert_eq!(next(stamp(5, 900), 5, STEP_END), stamp(5, 901));
    }

    #[test]
    fn a_clock_that_moves_back_is_waited_for() {
        assert_eq!(next(stamp(5, 900), 4, 7), stamp(5, 908));
        assert_eq!(next(stamp(5, 900), 0, 7), stamp(5, 908));
    }

    #[test]
    fn a_full_millisecond_borrows_the_next() {
        assert_eq!(next(stamp(5, RANDOM_END - 8), 5, 6), stamp(5, RANDOM_END - 1));
        assert_eq!(next(stamp(5, RANDOM_END - 8), 5, 7), stamp(6, 7));
    }

    #[test]
    fn the_clock_may_be_beyond_the_last_millisecond() {
        assert_eq!(next(stamp(5, 1), u64::MAX, 7), stamp(LAST_MILLISECOND, 7));
    }

    proptest! {
        #[test]
        fn each_is_greater_than_the_one_before(
            last in (0..LAST_MILLISECOND, 0..RANDOM_END),
            millisecond in prop_oneof![0..=LAST_MILLISECOND, Just(7)],
            random in 0..RANDOM_END,
        ) {
            let last = stamp(last.0, last.1);
            let next = next(last, millisecond, random);
            prop_assert!(next > last);
            prop_assert!(next.text() > last.text());
            prop_assert_eq!(next.text().len(), 24);
        }
    }
}
