//! The types of values, and JSON read as values of a type.
//!
//! `kind` lists the types, `scalar` reads a JSON value as one of them, and `stored` says how such values lie in an
//! array and how they compare. Entry tables use them for their fields, and memories and messages for the elements
//! of their batches.

pub(crate) mod kind;
pub(crate) mod scalar;
pub(crate) mod stored;
