//! One-dimensional Postgres arrays, laid out in Rust memory and passed as parameters.
//!
//! A batch crosses into SQL as one array a column. Building the datum here saves a palloc and a copy
//! for each element. Layout: `src/include/utils/array.h`.

use crate::jsonb::builder::{length_word, word_length};
use crate::poll;
use pgrx::pg_sys;
use std::cell::RefCell;

/// How elements of a type are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElementType {
    oid: pg_sys::Oid,
    alignment: usize,
    /// Bytes; `None` for a `varlena`.
    length: Option<usize>,
}

impl ElementType {
    const fn fixed(oid: pg_sys::Oid, alignment: usize, length: usize) -> Self {
        Self { oid, alignment, length: Some(length) }
    }

    /// A `varlena` whose data begins on a four-byte boundary.
    pub(crate) const fn varlena(oid: pg_sys::Oid) -> Self {
        Self { oid, alignment: 4, length: None }
    }

    pub(crate) fn oid(self) -> pg_sys::Oid {
        self.oid
    }
}

/// `text`.
pub(crate) const TEXT: ElementType = ElementType::varlena(pg_sys::TEXTOID);
/// `jsonb`.
pub(crate) const JSONB: ElementType = ElementType::varlena(pg_sys::JSONBOID);
/// `numeric`.
pub(crate) const NUMERIC: ElementType = ElementType::varlena(pg_sys::NUMERICOID);
/// `bytea`.
pub(crate) const BYTEA: ElementType = ElementType::varlena(pg_sys::BYTEAOID);
/// `uuid`.
pub(crate) const UUID: ElementType = ElementType::fixed(pg_sys::UUIDOID, 1, 16);
/// `timestamptz`, microseconds since 2000-01-01 UTC.
pub(crate) const TIMESTAMPTZ: ElementType = ElementType::fixed(pg_sys::TIMESTAMPTZOID, 8, 8);
/// `boolean`.
pub(crate) const BOOLEAN: ElementType = ElementType::fixed(pg_sys::BOOLOID, 1, 1);
/// `oid`.
pub(crate) const OID: ElementType = ElementType::fixed(pg_sys::OIDOID, 4, 4);
/// `integer`.
pub(crate) const INTEGER: ElementType = ElementType::fixed(pg_sys::INT4OID, 4, 4);
/// `bigint`.
pub(crate) const BIGINT: ElementType = ElementType::fixed(pg_sys::INT8OID, 8, 8);
/// `double precision`.
pub(crate) const FLOAT: ElementType = ElementType::fixed(pg_sys::FLOAT8OID, 8, 8);
/// `date`, days since 2000-01-01.
pub(crate) const DATE: ElementType = ElementType::fixed(pg_sys::DATEOID, 4, 4);
/// `interval`, as Postgres stores it.
pub(crate) const INTERVAL: ElementType = ElementType::fixed(pg_sys::INTERVALOID, 8, 16);
/// `time`, microseconds since midnight.
pub(crate) const TIME: ElementType = ElementType::fixed(pg_sys::TIMEOID, 8, 8);
/// `tid`, the place of a row's version.
pub(crate) const TID: ElementType = ElementType::fixed(pg_sys::TIDOID, 2, 6);
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
    /// Where the elements begin.
    data_at: usize,
    /// `length` before the last element, and where that begins.
    last: (usize, usize),
}

/// Where the elements of an array begin; of one that is NULL, where it would.
pub(crate) struct Starts(Vec<u32>);

impl Array {
    pub(crate) fn new(element: ElementType) -> Self {
        let mut words = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        words.clear();
        words.resize(HEAD / 8, 0);
        Self {
            element,
            present: Vec::new(),
            words,
            length: HEAD,
            data_at: HEAD,
            last: (HEAD, HEAD),
        }
    }

    pub(crate) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut array = Self::new(TEXT);
        for text in texts {
            array.push_text(text);
        }
        array
    }

    /// How many elements it has.
    pub(crate) fn count(&self) -> usize {
        self.present.len()
    }

    /// Bytes that its datum takes, about.
    pub(crate) fn size(&self) -> usize {
        self.length
    }

    pub(crate) fn push_null(&mut self) {
        self.last = (self.length, self.length);
        self.present.push(false);
    }

    /// A value as it is stored, the length word of a `varlena` included.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.append(bytes, &[]);
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        self.push_varlena(text.as_bytes());
    }

    /// What stands behind the length word of a `varlena`.
    pub(crate) fn push_varlena(&mut self, data: &[u8]) {
        self.append(&length_word(4 + data.len()), data);
    }

    /// Takes the last element back.
    pub(crate) fn undo(&mut self) {
        self.present.pop();
        self.length = self.last.0;
    }

    /// The last element as it is stored, the length word of a `varlena` included.
    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.present.last().filter(|present| **present)?;
        Some(self.stored(self.last.1))
    }

    /// Takes the last element out, into an array of its own.
    pub(crate) fn split_last(&mut self) -> Array {
        let mut alone = Array::new(self.element);
        match self.last() {
            Some(bytes) => alone.push_bytes(bytes),
            None => alone.push_null(),
        }
        self.undo();
        alone
    }

    pub(crate) fn starts(&self) -> Starts {
        let mut at = self.data_at;
        let start = |present: &bool| {
            if !present {
                return at as u32;
            }
            let start = at.next_multiple_of(self.element.alignment);
            at = start + self.stored(start).len();
            start as u32
        };
        Starts(self.present.iter().map(start).collect())
    }

    /// One element as it is stored.
    pub(crate) fn get(&self, starts: &Starts, at: usize) -> Option<&[u8]> {
        self.present[at].then(|| self.stored(starts.0[at] as usize))
    }

    pub(crate) fn is_present(&self, at: usize) -> bool {
        self.present[at]
    }

    /// An array of some of the elements.
    pub(crate) fn gather(&self, starts: &Starts, places: &[u32]) -> Array {
        let mut array = Array::new(self.element);
        for &at in places {
            match self.get(starts, at as usize) {
                Some(bytes) => array.push_bytes(bytes),
                None => array.push_null(),
            }
        }
        array
    }

    /// The element that begins at `start`.
    fn stored(&self, start: usize) -> &[u8] {
        // SAFETY: all words are initialized; u8 has no alignment.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), 8 * self.words.len())
        };
        let length = self.element.length.unwrap_or_else(|| {
            let word = &bytes[start..start + 4];
            word_length([word[0], word[1], word[2], word[3]])
        });
        &bytes[start..start + length]
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
        self.last = (self.length, start);
        self.length = middle + second.len();
        poll::check();
        poll::need(2 * (first.len() + second.len()));
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

    /// The datum, valid as long as this array is. Nothing may be pushed afterwards.
    pub(crate) fn datum(&mut self) -> pg_sys::Datum {
        let count = self.present.len();
        if self.data_at == HEAD && self.present.contains(&false) {
            let data_at = (HEAD + count.div_ceil(8)).next_multiple_of(8);
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
            self.present = present;
            self.data_at = data_at;
        }
        let (element, length) = (self.element.oid.to_u32(), self.length);
        // Zero says that there is no bitmap.
        let offset = if self.data_at > HEAD { self.data_at as i32 } else { 0 };
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
