//! The SQL function that takes a text into words.

use super::language::Language;
use super::vector::words;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::encoding::require_utf8;
use crate::pg::text_search::TsVector;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// The words of a text in a language, for an index of one's own.
///
/// Errors: 22004 for `language`, 42704 where there is no such language, 42501 for its schema.
#[pg_extern(
    immutable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler.text_words(content text, language text DEFAULT 'english') RETURNS tsvector
IMMUTABLE PARALLEL SAFE COST 100 LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn text_words(
    content: Option<&str>,
    language: Option<&str>,
) -> Result<Option<TsVector>, ErrorReport> {
    require_utf8().map_err(Error::from)?;
    let language = language.ok_or(ArgumentError::Null("language"))?;
    let Some(content) = content else { return Ok(None) };
    let language = Language::find(language).map_err(Error::from)?;
    Ok(Some(TsVector(words(content, language).stored(None))))
}
