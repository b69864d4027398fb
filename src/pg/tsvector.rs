//! The words of a `tsvector`, read where Postgres put them (`ts_type.h`).

use super::varlena;
use pgrx::pg_sys;

/// A word's entry: whether it has positions, how many bytes it has, and where they begin.
const ENTRY: usize = 4;
const LENGTH_BITS: u32 = 11;

/// The words of a text, in the order of their bytes, each with how often it comes: once where there are no positions. The word
/// that names a workspace is none; it begins with a blank, and has no position.
///
/// # Safety
/// `datum` must be a non-null `tsvector`; see [`varlena::bytes`].
pub(crate) unsafe fn words<'a>(datum: pg_sys::Datum) -> impl Iterator<Item = (&'a [u8], u16)> {
    // SAFETY: the caller vouches for the datum.
    Words::new(unsafe { varlena::bytes(datum) })
}

struct Words<'a> {
    bytes: &'a [u8],
    /// Where the words themselves begin.
    texts: usize,
    at: usize,
}

impl<'a> Words<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let count = number(bytes, 0).unwrap_or(0) as usize;
        Self { bytes, texts: ENTRY * (1 + count), at: ENTRY }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

impl<'a> Iterator for Words<'a> {
    type Item = (&'a [u8], u16);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.texts {
            let entry = number(self.bytes, self.at)?;
            self.at += ENTRY;
            let length = (entry >> 1 & ((1 << LENGTH_BITS) - 1)) as usize;
            let start = self.texts + (entry >> (1 + LENGTH_BITS)) as usize;
            let word = self.bytes.get(start..start + length)?;
            if entry & 1 == 0 {
                // The word of a workspace is none of the text.
                if word.starts_with(b" ") {
                    continue;
                }
                return Some((word, 1));
            }
            // Their number stands before the positions, at an even place.
            let counted = self.bytes.get((start + length).next_multiple_of(2)..)?.first_chunk()?;
            return Some((word, u16::from_ne_bytes(*counted)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Postgres stores 'ab':1,3 'c':2 and the word of a workspace, which has no positions.
    fn stored() -> Vec<u8> {
        let entry = |has: u32, length: u32, at: u32| has | length << 1 | at << 12;
        let mut bytes = Vec::new();
        for number in [3, entry(0, 1, 0), entry(1, 2, 1), entry(1, 1, 10)] {
            bytes.extend_from_slice(&u32::to_ne_bytes(number));
        }
        bytes.extend_from_slice(b" ab\0");
        for number in [2_u16, 1, 3] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes.extend_from_slice(b"c\0");
        for number in [1_u16, 2] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn words_come_with_how_often_they_are_there() {
        let stored = stored();
        let words: Vec<_> = Words::new(&stored).collect();
        assert_eq!(words, [(&b"ab"[..], 2), (&b"c"[..], 1)]);
    }

    #[test]
    fn what_is_cut_off_ends() {
        let stored = stored();
        for length in 0..stored.len() {
            assert!(Words::new(&stored[..length]).count() <= 2);
        }
    }
}
