//! The search over what was said: the one over memories, with conversations for a scope and neighbouring
//! messages around what it finds.

mod add;
pub(crate) mod add_api;
pub(crate) mod api;
mod decode;
mod number;
mod passages;
pub(crate) mod scope;
pub(crate) mod search;
