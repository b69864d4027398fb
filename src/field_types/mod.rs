//! The types of values, and JSON read as values of a type.
//!
//! `kind` lists the types, `scalar` reads a JSON value as one of them, `stored` says how such values lie in an
//! array and how they compare, and `problem` says what is wrong with a value. Entry tables use it for their
//! fields, and memories and messages for the elements of their batches.

pub(crate) mod kind;
pub(crate) mod problem;
pub(crate) mod scalar;
pub(crate) mod stored;
