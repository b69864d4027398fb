//! The statements of `sql/functions/maintenance.sql`, sent as the owner of Kepler's tables.

use crate::error::Error;
use crate::pg::subtransaction;
use crate::secrets::document::redacted_text;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::SpiClient;

/// So many characters of an error are kept.
const LONGEST: usize = 2000;

/// A step that was looked at.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) is_creation: bool,
    /// Whether less than was asked for means that nothing is left.
    pub(super) drains: bool,
    /// How long the look took, in seconds.
    pub(super) took: f64,
    pub(super) problem: Option<Problem>,
}

/// What went wrong.
#[derive(Clone)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) message: String,
}

/// Something that a step has to do.
pub(super) struct Object {
    pub(super) step: String,
    /// Empty for what is of all workspaces.
    pub(super) workspace_id: String,
    pub(super) name: String,
    /// It failed lately.
    pub(super) waits: bool,
}

impl Object {
    /// Whether it stands for the step, which has no others.
    pub(super) fn is_step(&self) -> bool {
        self.workspace_id.is_empty() && self.name.is_empty()
    }
}

/// What there is to do, in its order.
#[derive(Default)]
pub(super) struct Found {
    pub(super) steps: Vec<Step>,
    pub(super) objects: Vec<Object>,
}

pub(super) fn find(client: &mut SpiClient<'_>) -> Result<Found, Error> {
    let rows = client.update(
        "SELECT f.step, f.is_creation, f.drains, f.workspace_id, f.object, f.waits, f.error_code, f.error, f.took
         FROM kepler_internal.find_maintenance() AS f",
        None,
        &[],
    )?;
    let mut found = Found::default();
    for row in rows {
        let name = row[1].value::<String>()?.unwrap_or_default();
        match row[5].value::<String>()? {
            None => {
                let problem =
                    row[7].value::<String>()?.map(|code| (code, row[8].value::<String>()));
                let problem = match problem {
                    None => None,
                    Some((code, message)) => {
                        Some(Problem { code, message: message?.unwrap_or_default() })
                    }
                };
                found.steps.push(Step {
                    name,
                    is_creation: row[2].value::<bool>()? == Some(true),
                    drains: row[3].value::<bool>()? == Some(true),
                    took: row[9].value::<f64>()?.unwrap_or_default(),
                    problem,
                });
            }
            Some(object) => found.objects.push(Object {
                step: name,
                workspace_id: row[4].value::<String>()?.unwrap_or_default(),
                name: object,
                waits: row[6].value::<bool>()? == Some(true),
            }),
        }
    }
    Ok(found)
}

pub(super) fn begin(client: &mut SpiClient<'_>, object: &Object) -> Result<(), Error> {
    client.update(
        "SELECT kepler_internal.begin_maintenance($1, $2, $3)",
        None,
        &[
            object.step.as_str().into(),
            object.workspace_id.as_str().into(),
            object.name.as_str().into(),
        ],
    )?;
    Ok(())
}

/// What a part has come to.
pub(super) struct Done {
    pub(super) place: Option<String>,
    pub(super) rows: i64,
    pub(super) is_over: bool,
    pub(super) problem: Option<Problem>,
}

pub(super) fn work(
    client: &mut SpiClient<'_>,
    object: &Object,
    max_rows: i32,
    place: Option<String>,
) -> Result<Done, Error> {
    let before = place.clone();
    // A trigger may raise what no handler of errors catches: only whoever cancels ends the run by it.
    let tried = subtransaction::attempt_uncancelled(|| try_work(client, object, max_rows, place));
    tried.unwrap_or_else(|refusal| {
        let message = redacted_text(&refusal.message).unwrap_or(refusal.message);
        let message = message.chars().take(LONGEST).collect();
        let problem = Some(Problem { code: refusal.code.to_string(), message });
        Ok(Done { place: before, rows: 0, is_over: true, problem })
    })
}

fn try_work(
    client: &mut SpiClient<'_>,
    object: &Object,
    max_rows: i32,
    place: Option<String>,
) -> Result<Done, Error> {
    let row = client
        .update(
            "SELECT t.place, t.done, t.is_over, t.error_code, t.error
             FROM kepler_internal.try_maintenance($1, $2, $3, $4, $5) AS t",
            None,
            &[
                object.step.as_str().into(),
                object.workspace_id.as_str().into(),
                object.name.as_str().into(),
                max_rows.into(),
                place.into(),
            ],
        )?
        .first();
    let (code, message) = (row.get::<String>(4)?, row.get::<String>(5)?);
    Ok(Done {
        place: row.get(1)?,
        rows: row.get::<i64>(2)?.unwrap_or_default(),
        is_over: row.get::<bool>(3)?.unwrap_or(true),
        problem: code.map(|code| Problem { code, message: message.unwrap_or_default() }),
    })
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    Unfinished,
    Failed,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
        }
    }
}

/// Notes it of an object, and gives how often in a row it failed or did nothing.
pub(super) fn end(
    client: &mut SpiClient<'_>,
    object: &Object,
    outcome: Outcome,
    rows: i64,
    seconds: f64,
    problem: Option<&Problem>,
) -> Result<i32, Error> {
    let ended = client.update(
        "SELECT kepler_internal.end_maintenance($1, $2, $3, $4, $5, $6, $7, $8)",
        None,
        &[
            object.step.as_str().into(),
            object.workspace_id.as_str().into(),
            object.name.as_str().into(),
            outcome.name().into(),
            rows.into(),
            seconds.into(),
            problem.map(|problem| problem.code.as_str()).into(),
            problem.map(|problem| problem.message.as_str()).into(),
        ],
    )?;
    Ok(ended.first().get_one::<i32>()?.unwrap_or_default())
}

/// What is noted of the steps at the end of a run, a column each.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) steps: Vec<String>,
    pub(super) outcomes: Vec<&'static str>,
    pub(super) begun: Vec<bool>,
    pub(super) rows: Vec<i64>,
    pub(super) seconds: Vec<f64>,
    pub(super) pauses: Vec<Option<f64>>,
    pub(super) codes: Vec<Option<String>>,
    pub(super) messages: Vec<Option<String>>,
}

/// How a run ended for a step.
pub(super) struct Total {
    pub(super) outcome: Outcome,
    /// Not where there was no time for it.
    pub(super) is_begun: bool,
    pub(super) rows: i64,
    pub(super) seconds: f64,
    /// Not before so many seconds is it looked at again.
    pub(super) pause: Option<f64>,
    pub(super) problem: Option<Problem>,
}

impl Totals {
    pub(super) fn add(&mut self, step: &Step, total: Total) {
        self.steps.push(step.name.clone());
        self.outcomes.push(total.outcome.name());
        self.begun.push(total.is_begun);
        self.rows.push(total.rows);
        self.seconds.push(total.seconds);
        self.pauses.push(total.pause);
        let (code, message) = total
            .problem
            .map_or((None, None), |problem| (Some(problem.code), Some(problem.message)));
        self.codes.push(code);
        self.messages.push(message);
    }
}

pub(super) fn end_run(
    client: &mut SpiClient<'_>,
    began_at: Option<TimestampWithTimeZone>,
    totals: Totals,
) -> Result<(), Error> {
    client.update(
        "SELECT kepler_internal.end_maintenance_run($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        None,
        &[
            began_at.into(),
            totals.steps.into(),
            totals.outcomes.into(),
            totals.begun.into(),
            totals.rows.into(),
            totals.seconds.into(),
            totals.pauses.into(),
            totals.codes.into(),
            totals.messages.into(),
        ],
    )?;
    Ok(())
}
