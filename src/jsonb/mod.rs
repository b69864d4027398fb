//! JSON text and Postgres' `jsonb`, without Postgres.
//!
//! `scan` finds where values begin and end, `elements` cuts an array by it, `parse` turns text into the
//! bytes of a `jsonb` datum (through `builder` and `number`), `view` reads such bytes, and `hash`, `merge`,
//! `order` and `pointer` work on what it reads. `rewrite` makes a datum from most of another, `decimal`
//! reckons with stored numbers, and `lenient` reads the text of a string that is broken. The layout is that
//! of `src/include/utils/jsonb.h` in Postgres 16 to 18.

pub(crate) mod builder;
pub(crate) mod decimal;
pub(crate) mod elements;
pub(crate) mod hash;
pub(crate) mod lenient;
pub(crate) mod merge;
pub(crate) mod number;
pub(crate) mod order;
pub(crate) mod parse;
pub(crate) mod pointer;
pub(crate) mod rewrite;
pub(crate) mod scan;
pub(crate) mod view;

#[cfg(test)]
mod tests;

/// Containers may be nested this deep, the outermost counted.
pub(crate) const MAX_DEPTH: usize = 512;

/// Bits of a `JEntry`, the word that describes one child of a container.
pub(crate) mod entry {
    /// Low 28 bits: the child's length, or the offset of its end from the container's first byte of data.
    pub(crate) const OFFSET_OR_LENGTH: u32 = 0x0FFF_FFFF;
    /// Bits that hold the child's kind.
    pub(crate) const KIND: u32 = 0x7000_0000;
    pub(crate) const STRING: u32 = 0x0000_0000;
    pub(crate) const NUMERIC: u32 = 0x1000_0000;
    pub(crate) const FALSE: u32 = 0x2000_0000;
    pub(crate) const TRUE: u32 = 0x3000_0000;
    pub(crate) const NULL: u32 = 0x4000_0000;
    pub(crate) const CONTAINER: u32 = 0x5000_0000;
    /// Set where the low bits are an offset and not a length.
    pub(crate) const HAS_OFFSET: u32 = 0x8000_0000;
    /// Every so many children one holds an offset, so that a reader need not add up all lengths.
    pub(crate) const OFFSET_STRIDE: usize = 32;
}

/// Bits of a container's first word; the low 28 bits count its elements or pairs.
pub(crate) mod container {
    pub(crate) const COUNT: u32 = 0x0FFF_FFFF;
    /// An array of one element that stands for a bare scalar.
    pub(crate) const SCALAR: u32 = 0x1000_0000;
    pub(crate) const OBJECT: u32 = 0x2000_0000;
    pub(crate) const ARRAY: u32 = 0x4000_0000;
}
