//! Identifiers that clients of other libraries make, made here: UUIDs of versions 4 and 7 (RFC 9562), ULIDs
//! (<https://github.com/ulid/spec>) and Nano IDs (<https://github.com/ai/nanoid>).
//!
//! UUIDs of version 7 and ULIDs begin with the time. Each that a session makes is greater than the one before.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in units of which a millisecond has 4,096: what the first 60 bits of a version 7 say (RFC 9562, 6.2, method 3).
pub(super) type Tick = u64;

const TICKS: u64 = 4_096;
const LAST_TICK: Tick = (1 << 60) - 1;

/// The time now.
pub(super) fn now() -> Tick {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let within = u64::from(since.subsec_nanos()) * TICKS / 1_000_000;
    since.as_secs().saturating_mul(1_000 * TICKS).saturating_add(within).min(LAST_TICK)
}

/// The version stands in the seventh byte, the variant in the ninth.
fn marked(mut bytes: [u8; 16], version: u8) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

pub(super) fn uuid4(random: [u8; 16]) -> [u8; 16] {
    marked(random, 4)
}

/// The time of the next version 7: after the last one, also where the clock has not moved on.
pub(super) fn next_tick(last: Tick, now: Tick) -> Tick {
    now.max(last + 1).min(LAST_TICK)
}

pub(super) fn uuid7(tick: Tick, random: [u8; 8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(tick / TICKS).to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&((tick % TICKS) as u16).to_be_bytes());
    bytes[8..].copy_from_slice(&random);
    marked(bytes, 7)
}

/// A UUID as it is written.
pub(super) fn uuid_text(uuid: [u8; 16]) -> String {
    let mut text = format!("{:032x}", u128::from_be_bytes(uuid));
    for dash in [20, 16, 12, 8] {
        text.insert(dash, '-');
    }
    text
}

const RANDOM_BITS: u32 = 80;

/// A ULID: 48 bits of milliseconds, then 80 of randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ulid(u128);

impl Ulid {
    pub(super) const START: Ulid = Ulid(0);

    /// The next one. Where the millisecond is still that of the last one, or an earlier one, the number grows by a random
    /// step; it may run into the next millisecond.
    pub(super) fn next(self, now: Tick, random: [u8; 10]) -> Ulid {
        let millisecond = u128::from(now / TICKS) & ((1 << 48) - 1);
        let mut wide = [0; 16];
        wide[6..].copy_from_slice(&random);
        let random = u128::from_be_bytes(wide);
        if millisecond > self.0 >> RANDOM_BITS {
            return Ulid(millisecond << RANDOM_BITS | random);
        }
        Ulid(self.0.saturating_add(1 + (random & u128::from(u32::MAX))))
    }

    /// As it is written: 26 digits of Crockford's base 32.
    pub(super) fn text(self) -> String {
        let digit = |at: u32| {
            let value = (self.0 >> (5 * (25 - at))) as usize & 31;
            char::from(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value])
        };
        (0..26).map(digit).collect()
    }
}

/// A Nano ID of the default alphabet, a character for each random byte.
pub(super) fn nanoid(random: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uuids_are_those_of_the_standard() {
        assert_eq!(uuid_text(uuid4([0xff; 16])), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_text(uuid4([0; 16])), "00000000-0000-4000-8000-000000000000");
        // RFC 9562, A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
        let tick = 0x017F_22E2_79B0 * TICKS + 0xCC3;
        let random = 0x18C4_DC0C_0C07_398F_u64.to_be_bytes();
        assert_eq!(uuid_text(uuid7(tick, random)), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn a_clock_that_stands_still_is_waited_for() {
        assert_eq!((next_tick(5, 9), next_tick(9, 9), next_tick(9, 3)), (9, 10, 10));
        assert_eq!(next_tick(LAST_TICK, 3), LAST_TICK);
    }

    #[test]
    fn ulids_are_those_of_their_specification() {
        assert_eq!(Ulid(0).text(), "00000000000000000000000000");
        assert_eq!(Ulid(u128::MAX).text(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // 1469918176385 is the example of the specification, 01ARYZ6S41.
        let made = Ulid::START.next(1_469_918_176_385 * TICKS, [0; 10]);
        assert_eq!(made.text(), "01ARYZ6S410000000000000000");
        assert_eq!(made.next(0, [0; 10]).text(), "01ARYZ6S410000000000000001");
        assert_eq!(Ulid(u128::MAX).next(0, [9; 10]), Ulid(u128::MAX));
    }

    #[test]
    fn nano_ids_use_the_whole_alphabet() {
        let all: Vec<u8> = (0..=255).collect();
        let text = nanoid(&all);
        let mut letters: Vec<char> = text.chars().take(64).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((text.len(), letters.len()), (256, 64));
    }

    proptest! {
        #[test]
        fn each_ulid_is_greater(
            last in any::<u128>().prop_map(|last| Ulid(last >> 1)),
            now in 0..LAST_TICK,
            random in any::<[u8; 10]>(),
        ) {
            let next = last.next(now, random);
            prop_assert!(next > last);
            prop_assert!(next.text() > last.text());
        }
    }
}
