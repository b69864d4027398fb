//! Writes a datum that is mostly another one: what is not touched is copied in bulk.
//!
//! The changes are a tree along the touched containers. It is written top-down into the one buffer, so
//! that no byte is moved twice. The result is to the byte what Postgres' own input makes of the same
//! document: offsets at every 32nd word, padding before numbers and containers.

use super::builder::{TooLarge, length_word};
use super::view::{Container, Stored};
use super::{container, entry};

/// A new value.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// As it stands in some datum.
    Stored(Stored<'a>),
    /// A `numeric` datum.
    Number(Vec<u8>),
    /// A new array.
    Array(Vec<Stored<'a>>),
    /// Something with changes inside.
    Changed(Changed<'a>),
}

/// An object or array that differs from another in some children.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) object: bool,
    /// None where there was nothing before.
    pub(crate) base: Option<Container<'a>>,
    /// In the order of their places; of an object, in the order of the keys.
    pub(crate) edits: Vec<Edit<'a>>,
}

/// One child that is new, other than before, or gone.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    /// Empty in an array.
    pub(crate) key: &'a [u8],
    /// The place of the child in the base, or before which it goes.
    pub(crate) at: usize,
    /// There is such a child in the base.
    pub(crate) found: bool,
    /// None takes it away.
    pub(crate) piece: Option<Piece<'a>>,
}

/// Appends the datum of `root`, with its length word, to an empty buffer.
pub(crate) fn write(root: &Changed<'_>, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    out.clear();
    out.extend_from_slice(&[0; 4]);
    container(out, root)?;
    let word = length_word(out.len());
    out[..4].copy_from_slice(&word);
    Ok(())
}

/// A container being written: where it begins, where its data do, and how many children have a word.
struct Layout {
    begin: usize,
    data: usize,
    words: usize,
}

impl Layout {
    fn open(out: &mut Vec<u8>, count: usize, object: bool) -> Result<Self, TooLarge> {
        let words = if object { 2 * count } else { count };
        if words > entry::OFFSET_OR_LENGTH as usize / 4 {
            return Err(TooLarge);
        }
        let begin = out.len();
        let kind = if object { container::OBJECT } else { container::ARRAY };
        out.extend_from_slice(&(count as u32 | kind).to_ne_bytes());
        out.resize(begin + 4 + 4 * words, 0);
        Ok(Self { begin, data: out.len(), words: 0 })
    }

    /// Writes the word of the child from `start` to the end of `out`, padding included.
    fn describe(&mut self, out: &mut [u8], start: usize, kind: u32) -> Result<(), TooLarge> {
        self.describe_part(out, start, out.len(), kind)
    }

    fn describe_part(
        &mut self,
        out: &mut [u8],
        start: usize,
        end: usize,
        kind: u32,
    ) -> Result<(), TooLarge> {
        let offset = end - self.data;
        if offset > entry::OFFSET_OR_LENGTH as usize {
            return Err(TooLarge);
        }
        let word = if self.words.is_multiple_of(entry::OFFSET_STRIDE) {
            entry::HAS_OFFSET | kind | offset as u32
        } else {
            kind | (end - start) as u32
        };
        let at = self.begin + 4 + 4 * self.words;
        out[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        self.words += 1;
        Ok(())
    }

    fn stored(&mut self, out: &mut Vec<u8>, child: Stored<'_>) -> Result<(), TooLarge> {
        let start = out.len();
        pad(out, child.kind);
        out.extend_from_slice(child.bytes);
        self.describe(out, start, child.kind)
    }

    fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece<'_>) -> Result<(), TooLarge> {
        let start = out.len();
        let kind = match piece {
            Piece::Stored(stored) => return self.stored(out, *stored),
            Piece::Number(datum) => {
                pad(out, entry::NUMERIC);
                out.extend_from_slice(datum);
                entry::NUMERIC
            }
            Piece::Array(elements) => {
                pad(out, entry::CONTAINER);
                let mut layout = Self::open(out, elements.len(), false)?;
                for element in elements {
                    layout.stored(out, *element)?;
                }
                entry::CONTAINER
            }
            Piece::Changed(changed) => {
                pad(out, entry::CONTAINER);
                container(out, changed)?;
                entry::CONTAINER
            }
        };
        self.describe(out, start, kind)
    }

    /// Children of another container, by their words, as they are.
    fn run(
        &mut self,
        out: &mut Vec<u8>,
        base: Container<'_>,
        first: usize,
        end: usize,
        keys: bool,
    ) -> Result<(), TooLarge> {
        let mut children = base.children(first, end);
        // One by one until padding falls as it did, then all at once.
        while !keys && (out.len() - self.data) % 4 != children.start() % 4 {
            match children.next() {
                Some(child) => self.stored(out, child)?,
                None => return Ok(()),
            }
        }
        let (from, to) = (children.start(), out.len());
        let (mut start, mut last) = (to, from);
        while let Some((kind, reached)) = children.skip_one() {
            let end = to + reached - from;
            self.describe_part(out, start, end, kind)?;
            (start, last) = (end, reached);
        }
        out.extend_from_slice(children.data(from, last));
        Ok(())
    }
}

fn pad(out: &mut Vec<u8>, kind: u32) {
    if matches!(kind, entry::NUMERIC | entry::CONTAINER) {
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// Recursion is bounded by the depth of the changes.
fn container(out: &mut Vec<u8>, changed: &Changed<'_>) -> Result<(), TooLarge> {
    let old = changed.base.map_or(0, Container::count);
    let gone = changed.edits.iter().filter(|edit| edit.found && edit.piece.is_none()).count();
    let new = changed.edits.iter().filter(|edit| !edit.found && edit.piece.is_some()).count();
    let mut layout = Layout::open(out, old + new - gone, changed.object)?;
    if changed.object {
        let mut from = 0;
        for edit in &changed.edits {
            // A key that stays is part of a run.
            if edit.found == edit.piece.is_some() {
                continue;
            }
            if let Some(base) = changed.base {
                layout.run(out, base, from, edit.at, true)?;
            }
            from = edit.at + usize::from(edit.found);
            if edit.piece.is_some() {
                let start = out.len();
                out.extend_from_slice(edit.key);
                layout.describe(out, start, entry::STRING)?;
            }
        }
        if let Some(base) = changed.base {
            layout.run(out, base, from, old, true)?;
        }
    }
    // The words of an object's values stand behind those of its keys.
    let skipped = if changed.object { old } else { 0 };
    let mut from = 0;
    for edit in &changed.edits {
        if let Some(base) = changed.base {
            layout.run(out, base, skipped + from, skipped + edit.at, false)?;
        }
        from = edit.at + usize::from(edit.found);
        if let Some(piece) = &edit.piece {
            layout.piece(out, piece)?;
        }
    }
    match changed.base {
        Some(base) => layout.run(out, base, skipped + from, skipped + old, false),
        None => Ok(()),
    }
}
