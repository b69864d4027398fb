//! Of blueprints, what structures use.

#[path = "../../../src/structure/blueprint/duration.rs"]
pub(crate) mod duration;
