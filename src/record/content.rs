//! Makes a record's data of the texts that count: decoded, merged, hashed.

use super::decide::{self, Part};
use super::decode::{self, Content};
use super::options::Request;
use crate::answer::{Code, Rejection};
use crate::jsonb::builder::{Builder, TooLarge, length_word};
use crate::jsonb::hash::{Hasher, source_digest, text_hash};
use crate::jsonb::merge::{Merge, merge};
use crate::jsonb::parse::{InvalidCharacters, Parser};
use crate::jsonb::pointer::Pointers;
use pgrx::check_for_interrupts;
use std::collections::HashMap;
use std::ops::Range;

/// The data of a record, ready to be written.
pub(crate) struct Prepared {
    /// The datum with its length word.
    pub(crate) datum: Vec<u8>,
    pub(crate) content_hash: u128,
    /// Absent where the content came from several texts.
    pub(crate) source_digest: Option<u128>,
}

/// Prepared data put aside. It lies in one piece of memory, which goes back to the system whole;
/// thousands of small ones would not.
#[derive(Default)]
pub(crate) struct Shelf {
    datums: Vec<u8>,
    places: HashMap<u32, Place>,
}

struct Place {
    datum: Range<usize>,
    content_hash: u128,
    source_digest: Option<u128>,
}

impl Shelf {
    /// Puts aside what candidate `at` is to become.
    pub(crate) fn put(&mut self, at: u32, content: &Prepared) {
        let start = self.datums.len();
        self.datums.extend_from_slice(&content.datum);
        let place = Place {
            datum: start..self.datums.len(),
            content_hash: content.content_hash,
            source_digest: content.source_digest,
        };
        self.places.insert(at, place);
    }

    /// What was put aside for candidate `at`.
    pub(crate) fn take(&mut self, at: u32) -> Option<Prepared> {
        let place = self.places.remove(&at)?;
        Some(Prepared {
            datum: self.datums[place.datum].to_vec(),
            content_hash: place.content_hash,
            source_digest: place.source_digest,
        })
    }
}

/// Decodes by one request's rules, and keeps its buffers.
pub(crate) struct Decoder {
    merge: Merge,
    /// Names the way of reading a text, for the source digest: two ways may make different content
    /// of one text. Whether it stood in an envelope or alone plays no part.
    pub(crate) context: u8,
    parser: Parser,
    hasher: Hasher,
    builder: Builder,
    scratch: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new(request: &Request) -> Self {
        let merge = match request.merge {
            Merge::Replace => 0,
            Merge::Shallow => 1,
            Merge::Deep => 2,
            Merge::Patch => 3,
        };
        let strip = u8::from(request.invalid_characters == InvalidCharacters::Strip);
        Self {
            merge: request.merge,
            context: merge << 1 | strip,
            parser: Parser::new(request.invalid_characters),
            hasher: Hasher::default(),
            builder: Builder::default(),
            scratch: Vec::new(),
        }
    }

    /// Whether the text of `content` can be decoded.
    pub(crate) fn validate(&mut self, content: &Content<'_>) -> Result<(), Rejection> {
        let Some(data) = content.data else { return Ok(()) };
        self.scratch.clear();
        self.parser.parse(data, &mut self.scratch).map_err(decode::rejection)
    }

    /// The data that the contents make, laid over what is stored (and alive) where the mode says so. `known`
    /// tells whether there is a stored record.
    pub(crate) fn build(
        &mut self,
        live: &[Content<'_>],
        known: bool,
        stored: Option<&[u8]>,
    ) -> Result<Prepared, Rejection> {
        let merging = self.merge != Merge::Replace;
        let mut parts: Vec<Part<'_>> = decide::contents(live, known).collect();
        // What comes before the last beginning is not looked at.
        let begins = |part: &Part<'_>| !merging || part.is_new_life;
        parts.drain(..parts.iter().rposition(begins).unwrap_or(0));
        let mut current = stored.filter(|_| merging).map(|stored| {
            let length = length_word(4 + stored.len());
            [&length, stored].concat()
        });
        for part in parts {
            check_for_interrupts!();
            let mut datum = Vec::with_capacity(part.text.len());
            self.parser.parse(part.text, &mut datum).map_err(decode::rejection)?;
            current = Some(match current {
                Some(under) if merging && !part.is_new_life => {
                    self.merged(&under[4..], &datum[4..])?
                }
                // The nulls of a patch remove also where nothing was.
                _ if self.merge == Merge::Patch => {
                    self.merged(&Builder::empty_object(), &datum[4..])?
                }
                _ => datum,
            });
        }
        let datum = current.unwrap_or_else(|| [length_word(8), Builder::empty_object()].concat());
        let content_hash = self.hasher.hash(&datum[4..]);
        let source_digest = match live {
            [Content { data: Some(text), .. }] => {
                Some(source_digest(text_hash(text), content_hash, self.context))
            }
            _ => None,
        };
        Ok(Prepared { datum, content_hash, source_digest })
    }

    fn merged(&mut self, under: &[u8], over: &[u8]) -> Result<Vec<u8>, Rejection> {
        let mut datum = Vec::with_capacity(under.len() + over.len());
        merge(&mut self.builder, under, over, self.merge, &mut datum).map_err(|TooLarge| {
            Rejection::new(Code::TooLarge, "the merged data is larger than jsonb can hold")
        })?;
        Ok(datum)
    }

    /// Whether two documents, bytes behind the length word, differ at most in the ignored places.
    pub(crate) fn same_without(&mut self, a: &[u8], b: &[u8], ignored: &Pointers) -> bool {
        self.hasher.hash_without(a, Some(ignored)) == self.hasher.hash_without(b, Some(ignored))
    }
}
