//! Arguments that searches have in common, checked.

use super::embedding::Embedding;
use super::error::MemoryError;
use super::scope::User;
use super::score::Fusion;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::json::Options;
use pgrx::AnyElement;

/// Bytes of the words that are looked for: every one of them is looked up.
const MAX_QUERY_TEXT: usize = 100_000;

/// A count from `least`, which is not negative, to `most`.
pub(crate) fn within(
    argument: &'static str,
    given: Option<i32>,
    least: i32,
    most: i32,
) -> Result<usize, Error> {
    let given = given.ok_or(ArgumentError::Null(argument))?;
    in_range(argument, f64::from(given), f64::from(least), f64::from(most))?;
    Ok(given as usize)
}

/// Names, none of which may be NULL.
pub(crate) fn names(
    argument: &'static str,
    given: Option<Vec<Option<String>>>,
) -> Result<Option<Vec<String>>, Error> {
    let Some(given) = given else { return Ok(None) };
    let names: Option<Vec<String>> = given.into_iter().collect();
    Ok(Some(names.ok_or(ArgumentError::Null(argument))?))
}

/// Words to look for, if there are any.
pub(crate) fn search_text(query_text: Option<String>) -> Result<Option<String>, Error> {
    match query_text {
        Some(text) if text.trim().is_empty() => Err(ArgumentError::Blank("query_text").into()),
        Some(text) if text.len() > MAX_QUERY_TEXT => {
            Err(ArgumentError::TooLong { argument: "query_text", limit: MAX_QUERY_TEXT }.into())
        }
        text => Ok(text),
    }
}

/// An argument that is declared in SQL as vector.
pub(crate) fn query_of(embedding: Option<AnyElement>) -> Option<Embedding> {
    // SAFETY: as declared.
    embedding.map(|given| unsafe { Embedding::from_datum(given.datum()) })
}

/// Whose memories or conversations; NULL is nobody's, and blank a mistake.
pub(crate) fn user(user_id: Option<String>) -> Result<User, Error> {
    match user_id {
        Some(id) if id.trim().is_empty() => Err(ArgumentError::Blank("user_id").into()),
        id => Ok(User::from_argument(id)),
    }
}

/// Refuses arguments that compare embeddings in a call without one: they would be ignored silently.
pub(crate) fn need_embedding(
    embedding: Option<&Embedding>,
    given: &[(&'static str, bool)],
) -> Result<(), MemoryError> {
    match given.iter().find(|(_, is_given)| *is_given && embedding.is_none()) {
        Some((argument, _)) => Err(MemoryError::NeedsEmbedding(argument)),
        None => Ok(()),
    }
}

/// How both ways of finding are combined, an argument that is declared in SQL as jsonb.
pub(crate) fn fusion_of(given: Option<AnyElement>) -> Result<Fusion, Error> {
    let Some(given) = given else { return Ok(Fusion::default()) };
    Ok(Fusion::read(Options::of("fusion", given.datum())?.0)?)
}

/// Refuses what is no number: nothing is less than it, and nothing more.
pub(crate) fn no_nan(
    argument: &'static str,
    given: Option<f64>,
) -> Result<Option<f64>, MemoryError> {
    match given {
        Some(given) if given.is_nan() => Err(MemoryError::NotANumber(argument)),
        given => Ok(given),
    }
}

/// Refuses numbers out of range, with the argument's name.
pub(crate) fn in_range(
    argument: &'static str,
    given: f64,
    least: f64,
    most: f64,
) -> Result<f64, MemoryError> {
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(MemoryError::OutOfRange {
        argument,
        least: least.to_string(),
        most: most.to_string(),
        given: given.to_string(),
    })
}
