//! Reads the steps that a run logs: an element that cannot be stored does not spoil the others.

use crate::answer::{Answer, Code, Outcome, Rejection, Violation, whole_rows};
use crate::batch::{self, Reader};
use crate::pg::hidden::noted;
use crate::pg::json::Stored;
use pgrx::JsonB;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// As `kepler.execution_step_status` has them.
const STATUSES: [&str; 4] = ["RUNNING", "SUCCESS", "FAILURE", "SKIPPED"];

const FIELDS: [&str; 8] =
    ["name", "number", "status", "input", "output", "error", "started_at", "ended_at"];

/// What an element says.
#[derive(Default)]
struct Step {
    number: Option<i32>,
    name: Option<String>,
    status: Option<String>,
    /// As they are stored, length words included.
    input: Option<Vec<u8>>,
    output: Option<Vec<u8>>,
    error: Option<String>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    /// What is to be said of it all the same.
    note: Option<&'static str>,
}

/// The elements of a JSON array of steps, judged as far as they can be by themselves: what each says, or all that
/// is wrong with it. An element that was taken may have a `problem` without a code, which is to be told.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn execution_steps_given(
    steps: &str,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(number, Option<i32>),
            name!(name, Option<String>),
            name!(status, Option<String>),
            name!(input, Option<Stored>),
            name!(output, Option<Stored>),
            name!(error, Option<String>),
            name!(started_at, Option<TimestampWithTimeZone>),
            name!(ended_at, Option<TimestampWithTimeZone>),
            name!(problem_code, Option<String>),
            name!(problem, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let steps = batch::read("steps", steps, &FIELDS, step, Err)?;
    let answers = steps.into_iter().map(|step| match step {
        Ok(step) => Answer { note: step.note, ..Answer::new(step, Outcome::Inserted) },
        Err(rejection) => Answer::rejected(Step::default(), rejection),
    });
    let stored = |bytes: Option<Vec<u8>>| bytes.map(|bytes| Stored::copy(&bytes));
    let time = |micros: Option<i64>| TimestampWithTimeZone::try_from(micros?).ok();
    let rows = whole_rows(answers.collect());
    Ok(TableIterator::new(rows.map(move |(ordinal, step, _, code, problem, violations)| {
        let Step { number, name, status, input, output, error, started_at, ended_at, .. } = step;
        let (input, output) = (stored(input), stored(output));
        let (started_at, ended_at) = (time(started_at), time(ended_at));
        (
            ordinal, number, name, status, input, output, error, started_at, ended_at, code,
            problem, violations,
        )
    })))
}

fn step(reader: &mut Reader<'_>) -> Result<Step, Rejection> {
    let (error, note) = reader.told("error");
    // As the trigger of the table stores it, so that what is sent again is recognised.
    let error = error.map(noted);
    let is_text = matches!(reader.raw("name"), Some([b'"', ..]));
    let name = if is_text { reader.text("name") } else { None };
    let is_blank = name.as_ref().is_none_or(|name| name.trim().is_empty());
    if is_blank && !reader.has_violated(Some("name")) {
        reader.violate(Violation::invalid("name", "must be a string that is not blank"));
    }
    let step = Step {
        number: reader.count("number", 1),
        name,
        status: reader.one_of("status", &STATUSES),
        input: reader.json("input"),
        output: reader.json("output"),
        error,
        started_at: reader.time("started_at"),
        ended_at: reader.time("ended_at"),
        note,
    };
    if step.status.as_deref() == Some("RUNNING") && step.ended_at.is_some() {
        let code = Code::own("running_has_no_end");
        reader.violate(Violation::new(Some("ended_at"), code, "a running step cannot have an end"));
    }
    reader.end(step)
}
