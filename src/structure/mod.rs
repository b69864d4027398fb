//! Structures: JSON documents that describe tables, and the tables made from them.
//!
//! `document` reads a document into the `model`, `table` turns the model into columns and rules,
//! `observe` reads the same from the catalog, `plan` compares the two, `apply` and `locks` lock, and `run` does what was planned;
//! `change` leads through that. `adopt` reads a table that is there as a structure, `retire` takes tables and
//! fields out of use. `entries` puts rows into the tables. Only `adopt`, `api`, `apply`, `change`, `locks`, `registry`,
//! `retire`, `run`, `read_sql` and `entries` touch Postgres.

pub(crate) mod adopt;
pub(crate) mod api;
pub(crate) mod apply;
pub(crate) mod blueprint;
pub(crate) mod budget;
pub(crate) mod catalog;
pub(crate) mod change;
pub(crate) mod constant;
pub(crate) mod convert;
pub(crate) mod create;
pub(crate) mod ddl;
pub(crate) mod deparse;
pub(crate) mod document;
pub(crate) mod entries;
pub(crate) mod error;
pub(crate) mod facts;
#[cfg(test)]
pub(crate) mod generate;
pub(crate) mod json_schema;
pub(crate) mod locks;
pub(crate) mod meaning;
pub(crate) mod model;
pub(crate) mod naming;
pub(crate) mod observe;
pub(crate) mod plan;
pub(crate) mod printed;
pub(crate) mod read_sql;
pub(crate) mod registry;
pub(crate) mod rename;
pub(crate) mod restore;
pub(crate) mod retire;
pub(crate) mod run;
pub(crate) mod sql_text;
pub(crate) mod step;
pub(crate) mod table;
pub(crate) mod values;
