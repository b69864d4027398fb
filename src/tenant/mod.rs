//! The life of a workspace: made, exported, imported, deleted. Which tables hold its rows, and how they are written as lines,
//! is SQL (`sql/functions/tenants.sql`); here is what has to switch roles: an archive is read as the caller and written as the
//! owner of the tables.

pub(crate) mod api;
mod archive;
mod create;
mod delete;
mod error;
mod import;
mod shape;
