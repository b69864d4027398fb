//! Builds the bytes of a `jsonb` datum bottom-up, in one pass over the values.
//!
//! Values of open containers are kept in document order; closing a container sorts its keys as
//! Postgres does (shorter first, then by bytes; of equal keys the last stays) and lays its children
//! out behind a table of `JEntry` words. Padding is reckoned from the container's own start, which
//! always lands on a multiple of four.

use super::{container, entry, number};
use crate::poll;

/// The value is larger than a `jsonb` container can be (256 MB).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// A value of an open container.
#[derive(Clone, Copy)]
struct Child {
    key_start: u32,
    key_length: u32,
    start: u32,
    length: u32,
    kind: u32,
}

/// So many values may wait in open containers, and so many bytes of them: about what Postgres' own
/// input can hold (`JSONB_MAX_ELEMS`), and more bytes than a container can.
const MAX_CHILDREN: usize = 1 << 25;
const MAX_VALUES: usize = 1 << 28;

impl Child {
    fn key(self, keys: &[u8]) -> &[u8] {
        &keys[self.key_start as usize..(self.key_start + self.key_length) as usize]
    }

    fn value(self, values: &[u8]) -> &[u8] {
        &values[self.start as usize..(self.start + self.length) as usize]
    }
}

/// An open container.
struct Frame {
    object: bool,
    first_child: usize,
    values_start: usize,
    keys_start: usize,
}

/// See the module. One builder serves any number of documents and keeps its buffers.
#[derive(Default)]
pub(crate) struct Builder {
    frames: Vec<Frame>,
    children: Vec<Child>,
    values: Vec<u8>,
    keys: Vec<u8>,
    layout: Vec<u8>,
    pending_key: (u32, u32),
}

impl Builder {
    /// Forgets what an abandoned document left behind.
    pub(crate) fn reset(&mut self) {
        self.frames.clear();
        self.children.clear();
        self.values.clear();
        self.keys.clear();
    }

    /// The bytes of `{}` behind the length word.
    pub(crate) fn empty_object() -> [u8; 4] {
        container::OBJECT.to_ne_bytes()
    }

    pub(crate) fn open_object(&mut self) {
        self.open(true);
    }

    pub(crate) fn open_array(&mut self) {
        self.open(false);
    }

    fn open(&mut self, object: bool) {
        // The container's own key must survive its children's: it is noted in a child that
        // `close` completes.
        let (key_start, key_length) = self.pending_key;
        self.children.push(Child { key_start, key_length, start: 0, length: 0, kind: 0 });
        self.frames.push(Frame {
            object,
            first_child: self.children.len(),
            values_start: self.values.len(),
            keys_start: self.keys.len(),
        });
    }

    /// The key of the next value.
    pub(crate) fn key(&mut self, key: &[u8]) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.pending_key = (start as u32, key.len() as u32);
    }

    /// The key of the next value. `write` appends its bytes; what it gives is given on.
    pub(crate) fn key_with<T, E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let start = self.keys.len();
        let result = write(&mut self.keys)?;
        self.pending_key = (start as u32, (self.keys.len() - start) as u32);
        Ok(result)
    }

    /// A string value. `write` appends its bytes; what it gives is given on.
    pub(crate) fn string_with<T, E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let start = self.values.len();
        let result = write(&mut self.values)?;
        self.child(start, entry::STRING);
        Ok(result)
    }

    /// A number in JSON's spelling.
    pub(crate) fn number(&mut self, text: &[u8]) -> Result<(), number::OutOfRange> {
        let start = self.values.len();
        number::append_numeric(text, &mut self.values)?;
        self.child(start, entry::NUMERIC);
        Ok(())
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.child(self.values.len(), if value { entry::TRUE } else { entry::FALSE });
    }

    pub(crate) fn null(&mut self) {
        self.child(self.values.len(), entry::NULL);
    }

    /// A value as it stands in another datum: its kind and its bytes without padding.
    pub(crate) fn copy(&mut self, kind: u32, bytes: &[u8]) {
        let start = self.values.len();
        self.values.extend_from_slice(bytes);
        self.child(start, kind);
    }

    fn child(&mut self, start: usize, kind: u32) {
        let (key_start, key_length) = self.pending_key;
        let length = (self.values.len() - start) as u32;
        self.children.push(Child { key_start, key_length, start: start as u32, length, kind });
    }

    /// Whether the document has become too large to go on. To be asked after each value: memory must
    /// not run out before a container is closed.
    pub(crate) fn is_full(&self) -> bool {
        self.children.len() > MAX_CHILDREN || self.values.len() > MAX_VALUES
    }

    /// Closes the innermost container.
    pub(crate) fn close(&mut self) -> Result<(), TooLarge> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let children = &mut self.children[frame.first_child..];
        let mut kept = children.len();
        if frame.object {
            kept = sort_unique(children, &self.keys);
        }
        let children = &children[..kept];

        let layout = &mut self.layout;
        layout.clear();
        let kind = if frame.object { container::OBJECT } else { container::ARRAY };
        let words = if frame.object { 2 * kept } else { kept };
        if words > entry::OFFSET_OR_LENGTH as usize {
            return Err(TooLarge);
        }
        layout.extend_from_slice(&(kept as u32 | kind).to_ne_bytes());
        layout.resize(4 + 4 * words, 0);
        let data_start = layout.len();
        let mut word = 0;
        if frame.object {
            for child in children {
                let start = layout.len();
                layout.extend_from_slice(child.key(&self.keys));
                describe(layout, word, data_start, start, entry::STRING)?;
                word += 1;
            }
        }
        for child in children {
            let start = layout.len();
            if matches!(child.kind, entry::NUMERIC | entry::CONTAINER) {
                layout.resize(start.next_multiple_of(4), 0);
            }
            layout.extend_from_slice(child.value(&self.values));
            describe(layout, word, data_start, start, child.kind)?;
            word += 1;
        }

        self.values.truncate(frame.values_start);
        self.values.extend_from_slice(layout);
        self.keys.truncate(frame.keys_start);
        self.children.truncate(frame.first_child);
        if let Some(child) = self.children.last_mut() {
            child.start = frame.values_start as u32;
            child.length = (self.values.len() - frame.values_start) as u32;
            child.kind = entry::CONTAINER;
        }
        Ok(())
    }

    /// Appends the finished document as a datum with its length word, and is ready for the next.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let Some(root) = self.children.pop() else { return Ok(()) };
        let value = root.value(&self.values);
        if value.len() > entry::OFFSET_OR_LENGTH as usize {
            return Err(TooLarge);
        }
        if root.kind == entry::CONTAINER {
            out.extend_from_slice(&length_word(4 + value.len()));
        } else {
            out.extend_from_slice(&length_word(12 + value.len()));
            out.extend_from_slice(&(1 | container::SCALAR | container::ARRAY).to_ne_bytes());
            // The first child of a container always holds its end offset.
            let word = entry::HAS_OFFSET | root.kind | root.length;
            out.extend_from_slice(&word.to_ne_bytes());
        }
        out.extend_from_slice(value);
        self.reset();
        Ok(())
    }
}

/// Writes the entry word of the child that reaches from `start` to the end of `layout`, padding
/// included.
fn describe(
    layout: &mut [u8],
    word: usize,
    data_start: usize,
    start: usize,
    kind: u32,
) -> Result<(), TooLarge> {
    poll::check();
    let end = layout.len() - data_start;
    if end > entry::OFFSET_OR_LENGTH as usize {
        return Err(TooLarge);
    }
    let value = if word.is_multiple_of(entry::OFFSET_STRIDE) {
        entry::HAS_OFFSET | kind | end as u32
    } else {
        kind | (layout.len() - start) as u32
    };
    layout[4 + 4 * word..8 + 4 * word].copy_from_slice(&value.to_ne_bytes());
    Ok(())
}

/// Sorts pairs by key, shorter keys first, keeps the last of equal keys, and says how many are left.
fn sort_unique(children: &mut [Child], keys: &[u8]) -> usize {
    let key = |child: &Child| (child.key_length, child.key(keys));
    if children.is_sorted_by(|a, b| key(a) < key(b)) {
        return children.len();
    }
    children.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut kept = 0;
    for at in 0..children.len() {
        if kept > 0 && key(&children[kept - 1]) == key(&children[at]) {
            kept -= 1;
        }
        children[kept] = children[at];
        kept += 1;
    }
    kept
}

/// What [`length_word`] was made of.
pub(crate) fn word_length(word: [u8; 4]) -> usize {
    let word = u32::from_ne_bytes(word);
    (if cfg!(target_endian = "little") { word >> 2 } else { word & 0x3FFF_FFFF }) as usize
}

/// The four-byte length word of an uncompressed `varlena` of `length` bytes, the word included.
pub(crate) const fn length_word(length: usize) -> [u8; 4] {
    let length = length as u32;
    if cfg!(target_endian = "little") {
        (length << 2).to_ne_bytes()
    } else {
        (length & 0x3FFF_FFFF).to_ne_bytes()
    }
}
