//! Blueprints: the tables and enums of a whole application, planned and applied together by the engine that changes
//! entry tables.
//!
//! `document` reads a document into the `model`; `plan` compares it with the database (`facts`, `observed`, `keeping`) and with
//! the versions that were applied (`registry`); `apply` and `drop` do it; `seed` holds and writes
//! the rows that it begins with; `drift` and `diagram` tell of it.

pub(crate) mod api;
pub(crate) mod apply;
pub(crate) mod diagram;
pub(crate) mod document;
pub(crate) mod drift;
pub(crate) mod drop;
pub(crate) mod duration;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod keeping;
pub(crate) mod lists;
pub(crate) mod model;
pub(crate) mod observed;
pub(crate) mod plan;
pub(crate) mod registry;
pub(crate) mod renames;
pub(crate) mod schemas;
pub(crate) mod seed;
pub(crate) mod understanding;

use crate::structure::error::StructureError;

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<model::Blueprint, StructureError> {
    model::Blueprint::from_text(text)
}
