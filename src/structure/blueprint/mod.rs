//! Blueprints: the tables and enums of a whole application, planned and applied together by the engine that changes
//! entry tables.

pub(crate) mod document;
pub(crate) mod model;
