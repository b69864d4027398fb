//! The types that values have, and what becomes of JSON in them.
//!
//! `kind` lists the types, `scalar` reads a JSON value as one of them, and `stored` says how such values lie in an
//! array and how they compare. For entry tables, whose fields have these types, and for everything else that
//! takes batches of JSON.

pub(crate) mod kind;
pub(crate) mod scalar;
pub(crate) mod stored;
