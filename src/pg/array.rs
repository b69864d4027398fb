//! One-dimensional Postgres arrays, laid out in Rust memory and passed as parameters.
//!
//! A batch crosses into SQL as one array a column. Building the datum here saves a palloc and a copy
//! for each element. Layout: `src/include/utils/array.h`.

use crate::jsonb::builder::length_word;
use pgrx::pg_sys;
use std::cell::RefCell;

/// How elements of a type are stored.
#[derive(Clone, Copy)]
pub(crate) struct ElementType {
    oid: pg_sys::Oid,
    alignment: usize,
}

/// `text`.
pub(crate) const TEXT: ElementType = ElementType { oid: pg_sys::TEXTOID, alignment: 4 };
/// `jsonb`.
pub(crate) const JSONB: ElementType = ElementType { oid: pg_sys::JSONBOID, alignment: 4 };
/// `uuid`.
pub(crate) const UUID: ElementType = ElementType { oid: pg_sys::UUIDOID, alignment: 1 };
/// `timestamptz`, microseconds since 2000-01-01 UTC.
pub(crate) const TIMESTAMPTZ: ElementType =
    ElementType { oid: pg_sys::TIMESTAMPTZOID, alignment: 8 };
/// Length word, dimensions, offset of the data, element type, one length, one lower bound.
const HEAD: usize = 24;

/// An array under construction, and then its datum.
pub(crate) struct Array {
    element: ElementType,
    /// Whether each element is there. Turned into a bitmap where one is not.
    present: Vec<bool>,
    /// The head, then the elements, on an eight-byte boundary.
    words: Vec<u64>,
    /// Bytes of `words` that are in use.
    length: usize,
}

impl Array {
    pub(crate) fn new(element: ElementType) -> Self {
        let mut words = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        words.clear();
        words.resize(HEAD / 8, 0);
        Self { element, present: Vec::new(), words, length: HEAD }
    }

    pub(crate) fn push_null(&mut self) {
        self.present.push(false);
    }

    /// A value as it is stored, the length word of a `varlena` included.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.append(bytes, &[]);
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        self.append(&length_word(4 + text.len()), text.as_bytes());
    }

    pub(crate) fn push_uuid(&mut self, value: Option<u128>) {
        match value {
            Some(value) => self.push_bytes(&value.to_be_bytes()),
            None => self.push_null(),
        }
    }

    pub(crate) fn push_time(&mut self, microseconds: Option<i64>) {
        match microseconds {
            Some(time) => self.push_bytes(&time.to_ne_bytes()),
            None => self.push_null(),
        }
    }

    /// An element in two parts.
    fn append(&mut self, first: &[u8], second: &[u8]) {
        let start = self.length.next_multiple_of(self.element.alignment);
        let middle = start + first.len();
        self.length = middle + second.len();
        self.words.resize(self.length.div_ceil(8), 0);
        let bytes = self.bytes();
        bytes[start..middle].copy_from_slice(first);
        bytes[middle..middle + second.len()].copy_from_slice(second);
        self.present.push(true);
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: all words are initialized; u8 has no alignment.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.words.as_mut_ptr().cast::<u8>(),
                8 * self.words.len(),
            )
        }
    }

    /// The datum, valid as long as this array is. To be asked for once.
    pub(crate) fn datum(&mut self) -> pg_sys::Datum {
        let count = self.present.len();
        let mut data_at = HEAD;
        if self.present.contains(&false) {
            data_at = (HEAD + count.div_ceil(8)).next_multiple_of(8);
            let used = HEAD..self.length;
            self.length += data_at - HEAD;
            self.words.resize(self.length.div_ceil(8), 0);
            let present = std::mem::take(&mut self.present);
            let bytes = self.bytes();
            bytes.copy_within(used, data_at);
            bytes[HEAD..data_at].fill(0);
            for (at, _) in present.iter().enumerate().filter(|(_, present)| **present) {
                bytes[HEAD + at / 8] |= 1 << (at % 8);
            }
        }
        let (element, length) = (self.element.oid.to_u32(), self.length);
        // Zero says that there is no bitmap.
        let offset = if data_at > HEAD { data_at as i32 } else { 0 };
        let bytes = self.bytes();
        bytes[0..4].copy_from_slice(&length_word(length));
        bytes[4..8].copy_from_slice(&1_i32.to_ne_bytes());
        bytes[8..12].copy_from_slice(&offset.to_ne_bytes());
        bytes[12..16].copy_from_slice(&element.to_ne_bytes());
        bytes[16..20].copy_from_slice(&(count as i32).to_ne_bytes());
        bytes[20..24].copy_from_slice(&1_i32.to_ne_bytes());
        pg_sys::Datum::from(self.words.as_ptr())
    }
}

/// Buffers of a megabyte come fresh from the kernel each time they are allocated, page by page; a
/// session keeps a few for its next batch.
const SPARE_BUFFERS: usize = 8;
const SPARE_BYTES: usize = 2 << 20;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u64>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Array {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.words);
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_BUFFERS && 8 * words.capacity() <= SPARE_BYTES {
                spare.push(words);
                // The largest are taken first.
                spare.sort_unstable_by_key(Vec::capacity);
            }
        });
    }
}
