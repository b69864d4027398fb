//! Who may do what: the levels of access that roles are given, and the one role that owns Kepler's tables.
//!
//! `docs/security.md` tells the rules, and lists all that is done as the owner. `owner` is the one place
//! that acts as somebody else; `level` says which rights a level is; `grant` gives and takes them, `of_blueprint`
//! those on tables of blueprints;
//! `hint` tells whoever lacks one how to get it. `membership` says in which workspaces a role has which levels, `current`
//! in which one the session works, and `cap` refuses what its level there does not hold. `statistics` knows the servers on
//! which policies are not enough, and `inbox` sees to the table that has none, on a cluster.

pub(crate) mod cap;
pub(crate) mod current;
pub(crate) mod error;
pub(crate) mod grant;
pub(crate) mod hint;
pub(crate) mod inbox;
pub(crate) mod level;
mod members;
pub(crate) mod membership;
pub(crate) mod of_blueprint;
pub(crate) mod owner;
pub(crate) mod statistics;
