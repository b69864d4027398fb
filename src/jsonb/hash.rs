//! A 128-bit hash of what a document says, whatever way it is written.
//!
//! Key order, white space, escapes and the spelling of numbers do not count (`1.0`, `1` and `1e0`
//! are one number, as `numeric` compares them); everything else does. The canonical form is hashed
//! with XXH3-128 (<https://xxhash.com>). **It is stored in tables: it must never change.**
//!
//! Canonical form, integers little-endian: null `n`, true `t`, false `f`, string `s` + u32 length +
//! bytes, number `#` + sign (0, or 1 for
//! less than zero; 2 NaN, 3 and 4 the infinities) + i16 weight + u32 count + base-10000 digits as i16, array `a` +
//! u32 count + values, object `o` + u32 count + pairs in the order of `jsonb`, each key a u32 length
//! + bytes. No form is the beginning of another, so different documents have different forms.

use super::number;
use super::pointer::Pointers;
use super::view::{Children, Container, Value};
use xxhash_rust::xxh3;

/// Hashes documents, keeping its buffer between them.
#[derive(Default)]
pub(crate) struct Hasher {
    form: Vec<u8>,
}

/// The buffer is given back when one document has made it larger than this.
const KEPT_BUFFER: usize = 1 << 20;

/// A container on the way down. The walk keeps its own stack: stored documents may be deeper than
/// the ones accepted here.
struct Level<'a> {
    keys: Option<Children<'a>>,
    values: Children<'a>,
    index: usize,
    left_out: Option<&'a Pointers>,
}

impl Hasher {
    /// The hash of the datum whose bytes behind the length word are `root`.
    pub(crate) fn hash(&mut self, root: &[u8]) -> u128 {
        self.hash_without(root, None)
    }

    /// The same as if the places in `left_out` were not there.
    pub(crate) fn hash_without(&mut self, root: &[u8], left_out: Option<&Pointers>) -> u128 {
        self.hash_value(Container::root(root).value(), left_out)
    }

    /// The same of a value inside a document.
    pub(crate) fn hash_value(&mut self, value: Value<'_>, left_out: Option<&Pointers>) -> u128 {
        self.form.clear();
        self.write(value, left_out);
        let hash = xxh3::xxh3_128(&self.form);
        if self.form.capacity() > KEPT_BUFFER {
            self.form = Vec::new();
        }
        hash
    }

    fn write<'a>(&mut self, root: Value<'a>, left_out: Option<&'a Pointers>) {
        let mut levels: Vec<Level<'a>> = Vec::new();
        if let Some(level) = self.value(root, left_out) {
            levels.push(level);
        }
        while let Some(level) = levels.last_mut() {
            let Some(stored) = level.values.next() else {
                levels.pop();
                continue;
            };
            let key = level.keys.as_mut().and_then(Iterator::next);
            let below = match (level.left_out, key) {
                (None, _) => None,
                (Some(set), Some(key)) => set.member(key.bytes),
                (Some(set), None) => set.element(level.index),
            };
            level.index += 1;
            if below.is_some_and(Pointers::ends) {
                continue;
            }
            if let Some(key) = key {
                self.bytes(key.bytes);
            }
            if let Some(level) = self.value(stored.value(), below) {
                levels.push(level);
            }
        }
    }

    /// Writes a scalar whole; of a container the head, and gives back how to go on.
    fn value<'a>(&mut self, value: Value<'a>, left_out: Option<&'a Pointers>) -> Option<Level<'a>> {
        match value {
            Value::Null => self.form.push(b'n'),
            Value::Boolean(true) => self.form.push(b't'),
            Value::Boolean(false) => self.form.push(b'f'),
            Value::String(bytes) => {
                self.form.push(b's');
                self.bytes(bytes);
            }
            Value::Number(datum) => self.number(datum),
            Value::Container(container) => {
                let object = container.is_object();
                self.form.push(if object { b'o' } else { b'a' });
                let dropped = left_out.map_or(0, |set| dropped(container, set));
                self.length(container.count() - dropped);
                return Some(Level {
                    keys: object.then(|| container.keys()),
                    values: container.elements(),
                    index: 0,
                    left_out,
                });
            }
        }
        None
    }

    fn number(&mut self, datum: &[u8]) {
        let parts = number::parts(datum);
        self.form.extend_from_slice(&[b'#', parts.sign as u8]);
        self.form.extend_from_slice(&parts.weight.to_le_bytes());
        self.length(parts.digits.len() / 2);
        if cfg!(target_endian = "little") {
            self.form.extend_from_slice(parts.digits);
        } else {
            self.form.extend(parts.digits.chunks_exact(2).flat_map(|d| [d[1], d[0]]));
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.form.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        self.form.extend_from_slice(&(length as u32).to_le_bytes());
    }
}

/// How many children of `container` the set leaves out.
fn dropped(container: Container<'_>, set: &Pointers) -> usize {
    if container.is_object() {
        container.keys().filter(|key| set.member(key.bytes).is_some_and(Pointers::ends)).count()
    } else {
        (0..container.count()).filter(|&at| set.element(at).is_some_and(Pointers::ends)).count()
    }
}

/// The hash of a record's raw text, tied to the content it became.
///
/// A record stores it beside its content hash. The same text arriving again gives the same digest
/// as long as the stored content is still what that text made of it, and the text need not be
/// decoded to know so. `context` tells apart ways of reading the text.
pub(crate) fn source_digest(text: u128, content: u128, context: u8) -> u128 {
    let mut bytes = [0; 33];
    bytes[..16].copy_from_slice(&text.to_le_bytes());
    bytes[16..32].copy_from_slice(&content.to_le_bytes());
    bytes[32] = context;
    xxh3::xxh3_128(&bytes)
}

/// The hash of a text as it is.
pub(crate) fn text_hash(text: &[u8]) -> u128 {
    xxh3::xxh3_128(text)
}
