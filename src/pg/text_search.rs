//! Postgres' full-text search from Rust: configurations in the catalog, a text taken into words by one, and words stored as a `tsvector`.

use super::role;
use crate::jsonb::builder::length_word;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use std::borrow::Cow;
use std::ffi::CString;
use std::ops::Range;

/// Columns of `pg_ts_config` (`pg_ts_config.h`).
const CONFIGURATION_OID: i16 = 1;
const CONFIGURATION_OWNER: i16 = 4;

/// What a `tsvector` can hold (`ts_type.h`): bytes of a word, bytes of all, places of a word, and the last place.
const MAX_WORD: usize = (1 << 11) - 1;
const MAX_BYTES: usize = (1 << 20) - 1;
const MAX_PLACES: usize = 255;
const LAST_PLACE: u16 = (1 << 14) - 1;

/// A schema by its name.
pub(crate) fn schema(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a look-up by a C string, which lives as long as the call.
    let found = unsafe { pg_sys::get_namespace_oid(name.as_ptr(), true) };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// Whether the role that calls may look things up in a schema.
pub(crate) fn may_use(schema: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    let answer = unsafe {
        let usage = pg_sys::ACL_USAGE.into();
        pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role::current(), usage)
    };
    answer == pg_sys::AclResult::ACLCHECK_OK
}

/// A text search configuration by its schema and name.
pub(crate) fn configuration(schema: pg_sys::Oid, name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    let none = pg_sys::Datum::null();
    // SAFETY: a look-up by a C string, which lives as long as the call.
    let found = unsafe {
        let cache = pg_sys::SysCacheIdentifier::TSCONFIGNAMENSP as i32;
        let name = pg_sys::Datum::from(name.as_ptr());
        pg_sys::GetSysCacheOid(cache, CONFIGURATION_OID, name, schema.into(), none, none)
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// Whether a configuration is still there.
pub(crate) fn is_there(configuration: pg_sys::Oid) -> bool {
    let none = pg_sys::Datum::null();
    // SAFETY: a look-up.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::TSCONFIGOID as i32;
        pg_sys::SearchSysCacheExists(cache, configuration.into(), none, none, none)
    }
}

/// Whose a configuration is.
pub(crate) fn configuration_owner(configuration: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let none = pg_sys::Datum::null();
    // SAFETY: the row of the catalog is held while it is read.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::TSCONFIGOID as i32;
        let row = pg_sys::SearchSysCache(cache, configuration.into(), none, none, none);
        if row.is_null() {
            return None;
        }
        let mut is_null = true;
        let owner = pg_sys::SysCacheGetAttr(cache, row, CONFIGURATION_OWNER, &mut is_null);
        pg_sys::ReleaseSysCache(row);
        Some(pg_sys::Oid::from_u32(owner.value() as u32))
    }
}

/// A word at its place. The bytes are Postgres' of this call, or those of a text that is kept beside.
#[derive(Clone, Copy)]
struct Entry {
    start: *const u8,
    length: usize,
    place: u16,
}

/// The words of a text in their order, as long as the call's memory lives.
#[derive(Default)]
pub(crate) struct Lexemes {
    entries: Vec<Entry>,
    kept: Vec<Box<str>>,
    /// How many places have been counted.
    places: usize,
}

impl Lexemes {
    /// Adds what a configuration makes of a text, as `to_tsvector` does.
    pub(crate) fn parse(&mut self, configuration: pg_sys::Oid, text: &str) {
        let (Ok(length), Ok(before)) = (i32::try_from(text.len()), i32::try_from(self.places))
        else {
            return;
        };
        let room = (length / 6).max(2);
        // SAFETY: the room is of the size that is told, and Postgres gives it more; it writes nothing to the text. What it found
        // lies in the memory of the call.
        unsafe {
            let mut parsed = pg_sys::ParsedText {
                words: pg_sys::palloc(size_of::<pg_sys::ParsedWord>() * room as usize).cast(),
                lenwords: room,
                curwords: 0,
                pos: before,
            };
            pg_sys::parsetext(configuration, &mut parsed, text.as_ptr().cast_mut().cast(), length);
            let count = usize::try_from(parsed.curwords).unwrap_or(0);
            let words = std::slice::from_raw_parts(parsed.words, count);
            self.entries.reserve(count);
            self.entries.extend(words.iter().map(|word| Entry {
                start: word.word.cast_const().cast(),
                length: word.len.into(),
                place: word.pos.pos,
            }));
            self.places = usize::try_from(parsed.pos).unwrap_or(self.places);
        }
    }

    /// Adds a word at a place.
    pub(crate) fn add(&mut self, word: &str, place: u16) {
        let kept: Box<str> = word.into();
        self.entries.push(Entry { start: kept.as_ptr(), length: kept.len(), place });
        self.kept.push(kept);
    }

    /// Adds parts of a text that has so many places: each with the number of its place there, from 0.
    pub(crate) fn add_parts(
        &mut self,
        text: &str,
        parts: Vec<(Range<usize>, usize)>,
        places: usize,
    ) {
        let kept: Box<str> = text.into();
        for (bytes, at) in parts {
            let Some(part) = kept.get(bytes) else { continue };
            let place = place(self.places + 1 + at);
            self.entries.push(Entry { start: part.as_ptr(), length: part.len(), place });
        }
        self.kept.push(kept);
        self.places += places;
    }

    /// How many words there are, and how many places have been counted.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// The words from one on, with their places.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = (&str, u16)> {
        self.entries[first..].iter().map(|entry| (text(entry), entry.place))
    }

    /// Changes the words from one on that are not ASCII.
    pub(crate) fn change(&mut self, first: usize, change: impl Fn(&str) -> Cow<'_, str>) {
        for at in first..self.entries.len() {
            let word = text(&self.entries[at]);
            if word.is_ascii() {
                continue;
            }
            if let Cow::Owned(changed) = change(word) {
                let kept: Box<str> = changed.into();
                let entry = &mut self.entries[at];
                (entry.start, entry.length) = (kept.as_ptr(), kept.len());
                self.kept.push(kept);
            }
        }
    }

    /// Each word once, in the order of their bytes, with how often it comes.
    pub(crate) fn counted(mut self) -> Vec<(String, u16)> {
        self.sort();
        let words = self.entries.chunk_by(|a, b| text(a) == text(b)).filter(|word| fits(&word[0]));
        let times = |word: &[Entry]| {
            let places = word.chunk_by(|a, b| a.place == b.place).count();
            places.min(MAX_PLACES) as u16
        };
        words.map(|word| (text(&word[0]).to_owned(), times(word))).collect()
    }

    /// As a `tsvector`. `mark`: a word that stands before all others and at no place. What a `tsvector` has no room for is left
    /// out from the end of the text on.
    pub(crate) fn stored(mut self, mark: Option<&str>) -> pg_sys::Datum {
        self.entries.retain(fits);
        self.sort();
        let mut last = u16::MAX;
        loop {
            if let Some(stored) = self.try_store(mark) {
                return stored;
            }
            last = last.min(LAST_PLACE) / 2;
            self.entries.retain(|entry| entry.place <= last && last > 0);
        }
    }

    /// None where it is too much for one.
    fn try_store(&self, mark: Option<&str>) -> Option<pg_sys::Datum> {
        let most = self.entries.iter().map(|entry| entry.length + 9).sum::<usize>();
        let mut heads: Vec<u32> = Vec::with_capacity(self.entries.len() + 1);
        let mut texts: Vec<u8> = Vec::with_capacity(most + mark.map_or(0, str::len));
        let head = |has_places: bool, length: usize, at: usize| {
            u32::from(has_places) | (length as u32) << 1 | (at as u32) << 12
        };
        if let Some(mark) = mark {
            heads.push(head(false, mark.len(), 0));
            texts.extend_from_slice(mark.as_bytes());
        }
        let mut rest = self.entries.as_slice();
        while let Some(first) = rest.first() {
            let word = text(first).as_bytes();
            heads.push(head(true, word.len(), texts.len()));
            texts.extend_from_slice(word);
            if texts.len() % 2 == 1 {
                texts.push(0);
            }
            let counted = texts.len();
            texts.extend_from_slice(&[0; 2]);
            let (mut many, mut before) = (0_u16, 0);
            while let Some(entry) = rest.first().filter(|entry| text(entry).as_bytes() == word) {
                // Each place once. They begin at 1.
                if entry.place != before && usize::from(many) < MAX_PLACES {
                    texts.extend_from_slice(&entry.place.to_ne_bytes());
                    many += 1;
                    before = entry.place;
                }
                rest = &rest[1..];
            }
            texts[counted..counted + 2].copy_from_slice(&many.to_ne_bytes());
            if texts.len() > MAX_BYTES {
                return None;
            }
        }
        let (begin, size) = (8 + 4 * heads.len(), 8 + 4 * heads.len() + texts.len());
        // SAFETY: the memory has the size of what is written to it: the length, the number of words, their heads, and their texts.
        unsafe {
            let stored = pg_sys::palloc(size).cast::<u8>();
            stored.copy_from_nonoverlapping(length_word(size).as_ptr(), 4);
            stored.add(4).cast::<u32>().write(heads.len() as u32);
            stored.add(8).cast::<u32>().copy_from_nonoverlapping(heads.as_ptr(), heads.len());
            stored.add(begin).copy_from_nonoverlapping(texts.as_ptr(), texts.len());
            Some(pg_sys::Datum::from(stored))
        }
    }

    fn sort(&mut self) {
        self.entries.sort_unstable_by(|a, b| {
            (text(a).as_bytes().cmp(text(b).as_bytes())).then(a.place.cmp(&b.place))
        });
    }
}

fn text(entry: &Entry) -> &str {
    // SAFETY: a word in the memory of the call, or of a text that is kept as long as its entry; Postgres' are in the encoding of the
    // database, which is UTF-8.
    unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(entry.start, entry.length)) }
}

fn fits(entry: &Entry) -> bool {
    (1..=MAX_WORD).contains(&entry.length)
}

fn place(counted: usize) -> u16 {
    u16::try_from(counted).unwrap_or(LAST_PLACE).min(LAST_PLACE)
}

/// A `tsvector` that a function gives.
pub(crate) struct TsVector(pub(crate) pg_sys::Datum);

// SAFETY: gives a datum of the type that it says.
unsafe impl BoxRet for TsVector {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a datum that is not null.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

// SAFETY: the name of the type.
unsafe impl SqlTranslatable for TsVector {
    const TYPE_IDENT: &'static str = concat!(module_path!(), "::TsVector");
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Ok(SqlMappingRef::literal("tsvector"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("tsvector")));
}
