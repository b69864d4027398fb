//! Messages of conversations: added in their order (`add`), numbered where direct SQL adds them (`number`), and searched
//! (`search`) as memories are, with conversations for a scope and neighbouring messages around what is found
//! (`passages`).

mod add;
pub(crate) mod add_api;
pub(crate) mod api;
mod decode;
mod number;
mod passages;
pub(crate) mod scope;
pub(crate) mod search;
