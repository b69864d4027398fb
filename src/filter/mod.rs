//! Filters over JSON documents, in the manner of MongoDB's query documents: over metadata, over any `jsonb`, and over
//! the elements that `$pull` takes out of an array.
//!
//! `read` turns a filter into conditions, noting all that is wrong; `pattern` reads those of LIKE; `conditions` are what
//! a filter is made of, and say whether a document meets them; `index` says what a GIN index can look for. None of them
//! touches Postgres. `api` has the SQL functions.
//!
//! A condition in SQL is two-fold: a `jsonpath` for equalities, which an index may serve, and
//! `kepler.json_matches`, which decides. So there is one meaning, and three-valued logic never enters.

pub(crate) mod api;
pub(crate) mod columns;
pub(crate) mod conditions;
pub(crate) mod error;
mod index;
mod pattern;
pub(crate) mod read;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use crate::jsonb::parse::{InvalidCharacters, Parser};
use conditions::Condition;
use error::FilterError;

/// A filter that was found to be right.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The document behind the length word. Operands are places in it.
    bytes: Vec<u8>,
    condition: Condition,
}

/// A filter as an expression in SQL that is true or false, never NULL.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Holds the column, fixed names and `$n`, and nothing of the filter.
    pub(crate) sql: String,
    /// The values of `$n`. Where a plan is kept, a cast would be done again for each row.
    pub(crate) parameters: Vec<Operand>,
    filter: Filter,
}

/// A value that a compiled filter needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// Of a `jsonpath`, the text.
    Path(String),
    /// A `jsonb`: its text, and as it is stored.
    Document { text: String, stored: Vec<u8> },
}

impl Operand {
    pub(crate) fn text(&self) -> &str {
        match self {
            Operand::Path(text) | Operand::Document { text, .. } => text,
        }
    }
}

/// The condition for a `WHERE`.
///
/// `filter`: JSON text. `column`: an SQL expression of type jsonb that is not NULL, trusted.
/// `first_parameter`: the number of the first `$n`.
///
/// # Errors
/// All that is wrong with the filter.
pub(crate) fn compile(
    filter: &str,
    column: &str,
    first_parameter: usize,
) -> Result<Compiled, FilterError> {
    let mut datum = Vec::new();
    Parser::new(InvalidCharacters::Reject).parse(filter.as_bytes(), &mut datum).map_err(
        |error| FilterError::Broken { problem: error.problem.to_string(), offset: error.offset },
    )?;
    let read = Filter::read(&datum[4..])?;
    let mut conjuncts = Vec::new();
    let mut parameters = Vec::new();
    let probe = read.probe();
    if let Some(probe) = &probe {
        conjuncts.push(format!(
            "{column} OPERATOR(pg_catalog.@?) ${}::pg_catalog.jsonpath",
            first_parameter
        ));
        parameters.push(Operand::Path(probe.path.clone()));
    }
    if !read.is_empty() && !probe.is_some_and(|probe| probe.exact) {
        conjuncts.push(format!(
            "kepler.json_matches({column}, ${}::pg_catalog.jsonb)",
            first_parameter + parameters.len()
        ));
        parameters.push(Operand::Document { text: filter.to_owned(), stored: datum });
    }
    if conjuncts.is_empty() {
        conjuncts.push("true".to_owned());
    }
    let sql = format!("({})", conjuncts.join(" AND "));
    Ok(Compiled { sql, parameters, filter: read })
}

impl Compiled {
    /// The `jsonpath` that every match fulfils where the document stands below a key of another one; None where an index is
    /// no help.
    pub(crate) fn path_below(&self, key: &str) -> Option<String> {
        Some(self.filter.probe_below(key)?.path)
    }
}

impl Filter {
    /// Whether everything meets it, because it asks for nothing.
    fn is_empty(&self) -> bool {
        matches!(&self.condition, Condition::All(parts) if parts.is_empty())
    }

    /// Whether they were read from these bytes.
    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }
}
