//! The types of fields, as far as documents name them.

#[path = "../../src/field_types/kind.rs"]
pub(crate) mod kind;
