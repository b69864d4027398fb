//! The search over what was said: the one over memories, with conversations for a scope and neighbouring
//! messages around what it finds.

pub(crate) mod api;
mod passages;
pub(crate) mod scope;
pub(crate) mod search;
