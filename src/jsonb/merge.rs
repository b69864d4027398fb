//! Lays one object over another.
//!
//! `Patch` is the algorithm of RFC 7386, section 2, for a target and a patch that are objects.

use super::builder::{Builder, TooLarge};
use super::view::{Container, Value};
use std::cmp::Ordering;

/// How a record's new data meets what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The new data stands alone.
    Replace,
    /// Top-level members of the new data replace those of the stored.
    Shallow,
    /// The same, and where both hold an object, these are merged in turn. Arrays and scalars are
    /// replaced; null is a value like any other.
    Deep,
    /// By RFC 7386: as `Deep`, and null removes a member, at every level.
    Patch,
}

/// Appends the datum of `over` laid over `base`; both are the bytes behind the length word, and both
/// are objects.
pub(crate) fn merge(
    builder: &mut Builder,
    base: &[u8],
    over: &[u8],
    how: Merge,
    out: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    objects(builder, Container::root(base), Container::root(over), how)?;
    builder.finish(out)
}

/// Walks both objects along their sorted keys. Recursion is bounded by the depth of `over`, which
/// the parser bounds.
fn objects(
    builder: &mut Builder,
    base: Container<'_>,
    over: Container<'_>,
    how: Merge,
) -> Result<(), TooLarge> {
    builder.open_object();
    let empty = Builder::empty_object();
    let (mut base, mut over) = (base.pairs().peekable(), over.pairs().peekable());
    loop {
        let order = match (base.peek(), over.peek()) {
            (None, None) => return builder.close(),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => (a.len(), *a).cmp(&(b.len(), *b)),
        };
        let old = if order.is_le() { base.next() } else { None };
        let new = if order.is_ge() { over.next() } else { None };
        match (old, new) {
            (old, Some((key, new))) if how == Merge::Patch => {
                match (old.map(|(_, old)| old.value()), new.value()) {
                    (_, Value::Null) => {}
                    (old, Value::Container(new)) if new.is_object() => {
                        builder.key(key);
                        let old = match old {
                            Some(Value::Container(old)) if old.is_object() => old,
                            // What is patched here begins empty: no null of the patch stays.
                            _ => Container::root(&empty),
                        };
                        objects(builder, old, new, how)?;
                    }
                    _ => {
                        builder.key(key);
                        builder.copy(new.kind, new.bytes);
                    }
                }
            }
            (Some((key, old)), Some((_, new))) if how == Merge::Deep => {
                builder.key(key);
                match (old.value(), new.value()) {
                    (Value::Container(old), Value::Container(new))
                        if old.is_object() && new.is_object() =>
                    {
                        objects(builder, old, new, how)?;
                    }
                    _ => builder.copy(new.kind, new.bytes),
                }
            }
            (_, Some((key, value))) | (Some((key, value)), None) => {
                builder.key(key);
                builder.copy(value.kind, value.bytes);
            }
            (None, None) => {}
        }
    }
}
