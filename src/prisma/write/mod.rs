//! Writes a schema.prisma for schemas of the database: whatever tables these hold, made by Kepler or not.
//!
//! `facts` is what the catalog says, `documents` what blueprints call it, `model` gives tables, columns and enums their names and types in Prisma's language,
//! `relations` the fields that foreign keys are, `indexes` and `notes` the rest; `print` sets the text. Prisma's parser
//! accepts it, and its engine finds no difference to the database. What the language cannot say stands in comments.
//! Only `api` touches Postgres.

pub(crate) mod api;
mod default;
mod documents;
mod error;
mod facts;
mod fills;
mod indexes;
mod model;
mod names;
mod notes;
mod print;
mod relations;
mod types;

use crate::ident::quote_literal;
use documents::Documents;
use error::WriteError;
use facts::{Expressions, Facts};
use std::collections::BTreeSet;

/// The text of a schema.prisma.
fn write(
    facts: &Facts,
    expressions: &Expressions,
    documents: &Documents,
) -> Result<String, WriteError> {
    require_whole(facts)?;
    let mut blocks = model::blocks(facts, expressions, documents);
    relations::relate(&mut blocks);
    blocks.models.iter_mut().for_each(notes::note);
    Ok(print::text(facts, expressions, &blocks))
}

/// No reference may lead out of the schemas.
fn require_whole(facts: &Facts) -> Result<(), WriteError> {
    let references = || {
        facts
            .tables
            .iter()
            .flat_map(|table| table.references.iter().map(move |found| (table, found)))
    };
    let others: BTreeSet<&str> =
        references().map(|(_, reference)| reference.target_schema.as_str()).collect();
    for (table, reference) in references() {
        if !facts.schemas.contains(&reference.target_schema) {
            let given = facts.schemas.iter().map(String::as_str);
            let all: BTreeSet<&str> = given.chain(others.iter().copied()).collect();
            let all: Vec<String> = all.into_iter().map(quote_literal).collect();
            return Err(WriteError::RefersElsewhere {
                schema: table.schema.clone(),
                other: reference.target_schema.clone(),
                table: table.name.clone(),
                reference: reference.name.clone(),
                all: all.join(", "),
            });
        }
    }
    Ok(())
}
