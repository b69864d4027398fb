//! Positions in the feed, and the text that a consumer keeps of one.
//!
//! A cursor is opaque: 58 hexadecimal digits. It says of which workspace and of which epoch it is, so that one from
//! elsewhere is refused instead of being read as some other position.

use super::error::FeedError;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The place of a change. The order of positions is the order in which changes are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) epoch: i32,
    pub(super) xid: u64,
    /// 0 is before all changes of the transaction.
    pub(super) sequence: i64,
}

/// A position, and what its epoch was recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) position: Position,
    pub(super) identity: u32,
}

/// The first byte. Another layout gets another number.
const VERSION: u8 = 1;
const BYTES: usize = 29;
const CHECKED: usize = BYTES - 4;

impl Cursor {
    /// `workspace`: None for changes of tables without one.
    pub(super) fn write(&self, workspace: Option<&str>) -> String {
        let mut bytes = [0_u8; BYTES];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.position.epoch.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.position.xid.to_be_bytes());
        bytes[13..21].copy_from_slice(&self.position.sequence.to_be_bytes());
        bytes[21..CHECKED].copy_from_slice(&self.identity.to_be_bytes());
        let sum = checksum(&bytes[..CHECKED], workspace);
        bytes[CHECKED..].copy_from_slice(&sum.to_be_bytes());
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    pub(super) fn read(text: &str, workspace: Option<&str>) -> Result<Self, FeedError> {
        let bytes = bytes(text).ok_or(FeedError::NoCursor)?;
        if bytes[0] != VERSION {
            return Err(FeedError::NoCursor);
        }
        let sum = u32::from_be_bytes(four(&bytes[CHECKED..]));
        if sum != checksum(&bytes[..CHECKED], workspace) {
            return Err(FeedError::NoCursor);
        }
        let position = Position {
            epoch: i32::from_be_bytes(four(&bytes[1..5])),
            xid: u64::from_be_bytes(eight(&bytes[5..13])),
            sequence: i64::from_be_bytes(eight(&bytes[13..21])),
        };
        Ok(Self { position, identity: u32::from_be_bytes(four(&bytes[21..CHECKED])) })
    }
}

/// Small letters and digits alone: a cursor has one spelling.
fn bytes(text: &str) -> Option<[u8; BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let mut bytes = [0_u8; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4) | value(pair[1])?;
    }
    Some(bytes)
}

/// Finds slips, and cursors of another workspace; nobody is kept from making one, who may then read no more than before.
fn checksum(bytes: &[u8], workspace: Option<&str>) -> u32 {
    let seed = workspace.map_or(1, |id| xxh3_64_with_seed(id.as_bytes(), 2));
    xxh3_64_with_seed(bytes, seed) as u32
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURSOR: Cursor =
        Cursor { position: Position { epoch: 3, xid: 1 << 40, sequence: 77 }, identity: 9 };

    #[test]
    fn positions_are_in_the_order_of_epoch_transaction_and_number() {
        let at = |epoch, xid, sequence| Position { epoch, xid, sequence };
        assert!(
            at(1, 9, 9) < at(2, 1, 1) && at(1, 1, 9) < at(1, 2, 1) && at(1, 1, 1) < at(1, 1, 2)
        );
    }

    #[test]
    fn a_cursor_of_another_workspace_is_refused() {
        let text = CURSOR.write(Some("a"));
        assert_eq!(Cursor::read(&text, Some("a")).ok(), Some(CURSOR));
        assert!(Cursor::read(&text, Some("b")).is_err());
        assert!(Cursor::read(&text, None).is_err());
        assert!(Cursor::read(&text.to_uppercase(), Some("a")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(epoch: i32, xid: u64, sequence: i64, identity: u32) {
            let cursor = Cursor { position: Position { epoch, xid, sequence }, identity };
            prop_assert_eq!(Cursor::read(&cursor.write(None), None).ok(), Some(cursor));
        }

        #[test]
        fn another_text_is_refused(text in "\\PC*") {
            prop_assert!(Cursor::read(&text, None).is_err());
        }

        #[test]
        fn a_slip_is_noticed(at in 0..2 * BYTES, digit in "[0-9a-f]") {
            let text = CURSOR.write(Some("a"));
            let mut other = text.clone();
            other.replace_range(at..=at, &digit);
            prop_assert_eq!(Cursor::read(&other, Some("a")).is_ok(), other == text);
        }
    }
}
