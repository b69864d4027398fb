//! Divides the steps that a run logs: an element that cannot be stored does not spoil the others.

use crate::arguments::BatchError;
use crate::error::Error;
use crate::jsonb::parse::{InvalidCharacters, Parser, Problem};
use crate::jsonb::{elements, lenient, scan};
use crate::time;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// An element as Postgres can read it, or what is wrong with it.
struct Step {
    text: Result<String, (&'static str, String)>,
    /// Whether characters of its error are told by their escapes.
    escaped: bool,
}

/// The elements of a JSON array: the text of each, or why there is none.
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn execution_steps_given(
    steps: &str,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(step, Option<String>),
            name!(escaped, bool),
            name!(problem_code, Option<&'static str>),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let text = steps.as_bytes();
    let mut parser = Parser::new(InvalidCharacters::Reject);
    let mut steps = Vec::new();
    elements::divide(text, |at| {
        let end = scan::skip_value(text, at)?;
        if end > at {
            steps.push(read(&text[at..end], &mut parser));
        }
        Ok(end)
    })
    .map_err(|undivided| Error::from(BatchError::of("steps", undivided)))?;
    Ok(TableIterator::new(steps.into_iter().enumerate().map(|(at, step)| {
        let ordinal = at as i32 + 1;
        match step.text {
            Ok(text) => (ordinal, Some(text), step.escaped, None, None),
            Err((code, problem)) => (ordinal, None, step.escaped, Some(code), Some(problem)),
        }
    })))
}

fn read(element: &[u8], parser: &mut Parser) -> Step {
    let mut datum = Vec::new();
    let mut parse = |text: &[u8]| {
        datum.clear();
        parser.parse(text, &mut datum)
    };
    let plain = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let Err(mut error) = parse(element) else {
        return Step { text: Ok(plain(element)), escaped: false };
    };
    // A failure is always told.
    if let Some(told) = with_readable_error(element) {
        match parse(&told) {
            Ok(()) => return Step { text: Ok(plain(&told)), escaped: true },
            Err(other) => error = other,
        }
    }
    let code = match error.problem {
        Problem::NulCharacter => "nul_character",
        Problem::LoneSurrogate => "lone_surrogate",
        Problem::TooDeep => "too_deep",
        Problem::NumberOutOfRange => "number_out_of_range",
        Problem::TooLarge => "too_large",
        Problem::Expected(_) | Problem::ControlCharacter => "invalid_json",
    };
    let problem = format!("{} (byte {} of the element)", error.problem, error.offset);
    Step { text: Err((code, problem)), escaped: false }
}

/// The element with its error as it can be stored, if it has one that cannot be as it is.
fn with_readable_error(element: &[u8]) -> Option<Vec<u8>> {
    if element.first() != Some(&b'{') {
        return None;
    }
    let mut errors = Vec::new();
    let visit = |member: scan::Member| {
        if &element[member.key] == b"error" {
            errors.push(member.value);
        }
    };
    scan::members(element, 0, visit).ok()??;
    let (mut told, mut from, mut changed) = (Vec::new(), 0, false);
    for value in errors {
        let (text, escaped) = match &element[value.clone()] {
            [b'"', inner @ .., b'"'] => lenient::text(inner),
            // What is no text is told by its JSON.
            other => (String::from_utf8_lossy(other).into_owned(), true),
        };
        if escaped {
            told.extend_from_slice(&element[from..value.start]);
            told.extend(serde_json::to_vec(&text).ok()?);
            (from, changed) = (value.end, true);
        }
    }
    told.extend_from_slice(&element[from..]);
    changed.then_some(told)
}

/// The time that a JSON value says, to the microsecond; NULL where it says none.
#[pg_extern(
    immutable,
    parallel_safe,
    strict,
    sql = "
CREATE FUNCTION kepler_internal.time_of(value jsonb) RETURNS timestamptz
IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn time_of(value: pgrx::AnyElement) -> Option<TimestampWithTimeZone> {
    let text = crate::pg::json::text(value.datum());
    let micros = time::of_json(text.as_bytes()).and_then(time::Instant::exact).ok()?;
    TimestampWithTimeZone::try_from(micros).ok()
}
