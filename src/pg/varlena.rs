//! The bytes of `varlena` datums (text, jsonb) that Postgres hands over.

use crate::jsonb::builder::length_word;
use crate::poll;
use pgrx::pg_sys;
use std::slice;

/// The bytes behind the length word of a `varlena` datum, decompressed and fetched from TOAST where
/// needed.
///
/// # Safety
/// `datum` must be a non-null `varlena` whose memory lives as long as `'a`; a copy made by
/// detoasting lives as long as the current memory context.
pub(crate) unsafe fn bytes<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: the caller vouches for the datum; detoasting gives a plain or short varlena.
    unsafe {
        let plain = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
        let data = pgrx::varlena::vardata_any(plain).cast::<u8>();
        slice::from_raw_parts(data, pgrx::varlena::varsize_any_exhdr(plain))
    }
}

/// How many bytes a `varlena` has when it is decompressed, its header included.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn size(datum: pg_sys::Datum) -> usize {
    // SAFETY: the caller vouches for the datum.
    unsafe { pg_sys::toast_raw_datum_size(datum) }
}

/// The same with the data on a four-byte boundary, as `jsonb` needs it.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn aligned_bytes<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: the caller vouches for the datum; `pg_detoast_datum` expands short headers.
    unsafe {
        let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
        let data = pgrx::varlena::vardata_any(plain).cast::<u8>();
        slice::from_raw_parts(data, pgrx::varlena::varsize_any_exhdr(plain))
    }
}

/// The bytes as they are stored, with their header: compressed, or a pointer to TOAST. Equal ones stand
/// for equal values, as long as what they point at is not deleted. None where they point into memory.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn stored<'a>(datum: pg_sys::Datum) -> Option<&'a [u8]> {
    let pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller vouches for the datum; behind the first byte of a pointer stands its kind.
    unsafe {
        if pgrx::varlena::varatt_is_1b_e(pointer)
            && u32::from(*pointer.cast::<u8>().add(1)) != pg_sys::vartag_external::VARTAG_ONDISK
        {
            return None;
        }
        Some(slice::from_raw_parts(pointer.cast::<u8>(), pgrx::varlena::varsize_any(pointer)))
    }
}

/// The text of a datum.
///
/// # Safety
/// As for [`bytes`], and the datum is `text` in a UTF-8 database.
pub(crate) unsafe fn text<'a>(datum: pg_sys::Datum) -> &'a str {
    // SAFETY: Postgres checks the encoding of all text that enters a UTF-8 database.
    unsafe { str::from_utf8_unchecked(bytes(datum)) }
}

/// A value with its length word before it.
pub(crate) fn whole(bytes: &[u8]) -> Vec<u8> {
    poll::need(bytes.len());
    let mut stored = length_word(4 + bytes.len()).to_vec();
    stored.extend_from_slice(bytes);
    stored
}

/// A `text` datum in Rust memory, to pass as a parameter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text {
    /// Length word and text, on a four-byte boundary.
    words: Vec<u32>,
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let length = 4 + text.len();
        let mut words = vec![0_u32; length.div_ceil(4)];
        // SAFETY: the vector holds at least `length` initialized bytes; u8 has no alignment.
        let bytes = unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), length) };
        bytes[..4].copy_from_slice(&length_word(length));
        bytes[4..].copy_from_slice(text.as_bytes());
        Self { words }
    }

    /// How many bytes the datum has, the length word included.
    pub(crate) fn size(&self) -> usize {
        let little = cfg!(target_endian = "little");
        (if little { self.words[0] >> 2 } else { self.words[0] & 0x3FFF_FFFF }) as usize
    }

    pub(crate) fn as_str(&self) -> &str {
        // SAFETY: `new` has written so many bytes, the length word included, and they were a text.
        unsafe {
            let bytes = slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.size());
            std::str::from_utf8_unchecked(&bytes[4..])
        }
    }

    /// The datum, valid as long as this text is.
    pub(crate) fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.words.as_ptr())
    }
}
