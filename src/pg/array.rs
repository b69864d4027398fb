//! One-dimensional Postgres arrays, laid out in Rust memory and passed as parameters.
//!
//! A batch crosses into SQL as one array a column. Building the datum here saves a palloc and a copy
//! for each element. Layout: `src/include/utils/array.h`.

use crate::jsonb::builder::length_word;
use pgrx::pg_sys;

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
/// `tid`.
pub(crate) const TID: ElementType = ElementType { oid: pg_sys::TIDOID, alignment: 2 };

/// An array under construction, and then its datum.
pub(crate) struct Array {
    element: ElementType,
    /// Whether each element is there. Turned into a bitmap by `finish`.
    present: Vec<bool>,
    data: Vec<u8>,
    /// The finished array, on an eight-byte boundary.
    finished: Vec<u64>,
}

impl Array {
    pub(crate) fn new(element: ElementType, elements: usize, bytes: usize) -> Self {
        Self {
            element,
            present: Vec::with_capacity(elements),
            data: Vec::with_capacity(bytes),
            finished: Vec::new(),
        }
    }

    pub(crate) fn push_null(&mut self) {
        self.present.push(false);
    }

    /// A value as it is stored, the length word of a `varlena` included.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.data.resize(self.data.len().next_multiple_of(self.element.alignment), 0);
        self.data.extend_from_slice(bytes);
        self.present.push(true);
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        self.data.resize(self.data.len().next_multiple_of(self.element.alignment), 0);
        self.data.extend_from_slice(&length_word(4 + text.len()));
        self.data.extend_from_slice(text.as_bytes());
        self.present.push(true);
    }

    pub(crate) fn push_uuid(&mut self, value: u128) {
        self.push_bytes(&value.to_be_bytes());
    }

    pub(crate) fn push_time(&mut self, microseconds: Option<i64>) {
        match microseconds {
            Some(time) => self.push_bytes(&time.to_ne_bytes()),
            None => self.push_null(),
        }
    }

    /// The datum, valid as long as this array is.
    pub(crate) fn datum(&mut self) -> pg_sys::Datum {
        let count = self.present.len();
        let with_nulls = self.present.contains(&false);
        let bitmap = if with_nulls { count.div_ceil(8) } else { 0 };
        // Length word, dimensions, offset of the data, element type, one length, one lower bound.
        const HEAD: usize = 24;
        let data_at = (HEAD + bitmap).next_multiple_of(8);
        let length = data_at + self.data.len();

        self.finished = vec![0; length.div_ceil(8)];
        // SAFETY: the vector holds at least `length` initialized bytes; u8 has no alignment.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(self.finished.as_mut_ptr().cast::<u8>(), length)
        };
        bytes[0..4].copy_from_slice(&length_word(length));
        bytes[4..8].copy_from_slice(&1_i32.to_ne_bytes());
        let offset = if with_nulls { data_at as i32 } else { 0 };
        bytes[8..12].copy_from_slice(&offset.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.element.oid.to_u32().to_ne_bytes());
        bytes[16..20].copy_from_slice(&(count as i32).to_ne_bytes());
        bytes[20..24].copy_from_slice(&1_i32.to_ne_bytes());
        if with_nulls {
            for (at, _) in self.present.iter().enumerate().filter(|(_, present)| **present) {
                bytes[HEAD + at / 8] |= 1 << (at % 8);
            }
        }
        bytes[data_at..].copy_from_slice(&self.data);
        self.data = Vec::new();
        pg_sys::Datum::from(self.finished.as_ptr())
    }
}
