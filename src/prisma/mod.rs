//! Prisma: reads a `schema.prisma` into the document of a blueprint, without Postgres.
//!
//! Files → [`blocks`] (lines, by [`grammar`]) → [`resolve`] (names looked up, attributes read) → [`relations`] →
//! [`document`]. Problems of all steps are told at once, in the order of the files.
//!
//! [`write`] goes the other way: a `schema.prisma` for tables that are there.

mod api;
mod arguments;
mod ast;
mod attributes;
mod blocks;
mod check;
mod condition;
mod config;
mod defaults;
mod document;
mod error;
mod grammar;
mod keys;
mod model;
mod names;
mod namespaces;
mod options;
mod problem;
mod relations;
mod resolve;
mod source;
#[cfg(test)]
mod tests;
mod types;
pub(crate) mod write;

use crate::json::Json;
use options::Options;
use problem::{Notes, Problem};
use source::Source;

/// The first line of the other file that Prisma 8 has.
const NEXT_PRISMA: &str = "// use prisma-8";

/// Whether a file is written for the language of Prisma 8.
fn is_next_prisma(text: &str) -> bool {
    let first = text.trim_start_matches('\u{feff}').trim_start().lines().next();
    first.is_some_and(|line| line.trim() == NEXT_PRISMA)
}

/// Reads the files of a schema. The document holds its warnings, too.
fn import(name: &str, source: &Source<'_>, options: &Options) -> Result<Json, Vec<Problem>> {
    let mut notes = Notes::default();
    let blocks = blocks::read(source, &mut notes);
    let datasource = config::read(&blocks.datasources, &mut notes);
    let schema = resolve::resolve(&blocks, &datasource, &mut notes);
    let relations = relations::pair(&schema, &datasource, &mut notes);
    namespaces::check(&schema, &relations, &mut notes);
    if schema.models.is_empty() && schema.enums.is_empty() && notes.count() == 0 {
        notes.problem(source::Place::start(0), "the schema has no models");
    }
    let mut pairs = document::write(name, &schema, &relations, &datasource, options, &mut notes);
    if notes.count() == 0 {
        check::document(&pairs, &schema, &relations, &mut notes);
    }
    let warnings = notes.into_result()?;
    let mut lines: Vec<_> = warnings
        .found
        .iter()
        .map(|(place, text)| Json::string(format!("{}: {text}", source.describe(*place))))
        .collect();
    if warnings.more > 0 {
        lines.push(Json::string(format!("and {} more", warnings.more)));
    }
    if !lines.is_empty() {
        pairs.push(("import_warnings".to_owned(), Json::Array(lines)));
    }
    Ok(Json::Object(pairs))
}
