//! Which part of the maintenance comes next.
//!
//! A run looks once what there is to do. What makes things that others need comes first; then what has waited longest. Each
//! object works for a slice of the time and then stands behind the others. That it begins is noted and committed before: what
//! takes the session or the server down with it comes last the next time.
//!
//! One session runs at a time: each of its transactions takes a lock, and where another session has it meanwhile, that one
//! goes on.

use super::error::MaintainError;
use super::notes::{self, Done, Found, Object, Outcome, Problem, Step, Total, Totals};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::clock::now;
use crate::pg::whole::Spi;
use crate::pg::{advisory, relation, transaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};

const LOCK: &str = "kepler maintenance";
const WHAT: &str = "run the maintenance";

const DAY: i128 = 86_400_000_000;
/// A slice is this share of the budget, and at least so long, in microseconds.
const SHARE: i64 = 16;
const LEAST_SLICE: i64 = 100_000;
/// A part takes about so long, in microseconds: nobody waits for what it has locked for longer.
const PART: i64 = 250_000;
const FIRST_PART: i32 = 250;
const LEAST_PART: i32 = 100;
const LARGEST_PART: i32 = 10_000;
/// Looks that take longer than so many seconds take at most this share of the time.
const LONG_LOOK: f64 = 1.0;
const LOOKS: f64 = 20.0;

thread_local! {
    static RUN: Cell<Option<Box<Run>>> = const { Cell::new(None) };
}

/// An object with work, in this run.
struct Task {
    object: Object,
    /// Of [`Run::steps`].
    step: usize,
    max_rows: i32,
    place: Option<String>,
    rows: i64,
    took: i64,
}

/// What has come of a step.
#[derive(Default)]
struct Sum {
    rows: i64,
    took: i64,
    problem: Option<Problem>,
    is_unfinished: bool,
    /// It has no objects, and there was no time for it.
    is_left: bool,
    /// Its row is that of an object, which was written.
    is_noted: bool,
}

struct Run {
    began: i64,
    ends_at: i64,
    slice: i64,
    found: bool,
    steps: Vec<Step>,
    sums: Vec<Sum>,
    tasks: VecDeque<Task>,
    current: Option<Task>,
    /// When the present slice is over.
    slice_ends: i64,
    worked: bool,
}

/// Whether there is anything to go on with.
pub(super) enum Began {
    Yes,
    No,
}

/// Begins a run; `budget` in microseconds.
pub(super) fn begin(budget: i128) -> Result<Began, Error> {
    RUN.set(None);
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    if relation::named(c"kepler", c"maintenance").is_none() {
        return Err(MaintainError::OldTables.into());
    }
    if !(0..=DAY).contains(&budget) {
        return Err(MaintainError::BadBudget.into());
    }
    if transaction::is_on_standby() {
        notice("this server is a standby: kepler.maintain has nothing to do here");
        return Ok(Began::No);
    }
    if transaction::is_read_only() {
        return Err(MaintainError::ReadOnly.into());
    }
    if !advisory::try_lock(LOCK) {
        notice("another session is running kepler.maintain");
        return Ok(Began::No);
    }
    let began = now();
    let (statement_began, timeout) = transaction::statement();
    let by_budget = began.saturating_add(budget as i64);
    // Some time is left for the part that is under way then.
    let by_timeout = timeout.map_or(i64::MAX, |timeout| statement_began + timeout / 4 * 3);
    let ends_at = by_budget.min(by_timeout);
    RUN.set(Some(Box::new(Run {
        began,
        ends_at,
        slice: ((ends_at - began) / SHARE).max(LEAST_SLICE),
        found: false,
        steps: Vec::new(),
        sums: Vec::new(),
        tasks: VecDeque::new(),
        current: None,
        slice_ends: 0,
        worked: false,
    })));
    Ok(Began::Yes)
}

/// The next part. Gives whether there is another. What fails here ends the run.
pub(super) fn next() -> Result<bool, Error> {
    let Some(mut run) = RUN.take() else { return Ok(false) };
    if !advisory::try_lock(LOCK) {
        notice("another session goes on with kepler.maintain");
        return Ok(false);
    }
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    let goes_on = Spi::connect_mut(|client| run.step(client, owner))?;
    if goes_on {
        RUN.set(Some(run));
    }
    Ok(goes_on)
}

impl Run {
    fn step(&mut self, client: &mut SpiClient<'_>, owner: Owner) -> Result<bool, Error> {
        if let Some(task) = self.current.take() {
            self.work(client, owner, task)?;
            return Ok(true);
        }
        let _owner = owner.act();
        if !self.found {
            self.look(client)?;
        }
        match self.choose() {
            Some(task) => {
                notes::begin(client, &task.object)?;
                self.slice_ends = now().saturating_add(self.slice).min(self.ends_at);
                self.current = Some(task);
                Ok(true)
            }
            None => {
                self.end(client)?;
                Ok(false)
            }
        }
    }

    fn look(&mut self, client: &mut SpiClient<'_>) -> Result<(), Error> {
        let Found { steps, objects } = notes::find(client)?;
        self.found = true;
        self.sums = steps.iter().map(|_| Sum::default()).collect();
        for (step, sum) in steps.iter().zip(&mut self.sums) {
            if let Some(problem) = &step.problem {
                warn(&step.name, "", problem, 1);
                sum.problem = Some(problem.clone());
            }
        }
        let places: HashMap<&str, usize> =
            steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
        for object in objects {
            let Some(&step) = places.get(object.step.as_str()) else { continue };
            if object.waits {
                self.sums[step].is_unfinished = true;
                continue;
            }
            let max_rows = FIRST_PART;
            self.tasks.push_back(Task { object, step, max_rows, place: None, rows: 0, took: 0 });
        }
        self.steps = steps;
        Ok(())
    }

    /// Something is done even if there is no time for it: whoever gives little time gets on.
    fn choose(&mut self) -> Option<Task> {
        let task = self.tasks.front()?;
        let is_due = now() < self.ends_at || !self.worked || self.steps[task.step].is_creation;
        if is_due { self.tasks.pop_front() } else { None }
    }

    fn work(
        &mut self,
        client: &mut SpiClient<'_>,
        owner: Owner,
        mut task: Task,
    ) -> Result<(), Error> {
        let began = now();
        self.worked |= !self.steps[task.step].is_creation;
        let Done { place, rows, is_over, problem } = {
            // Retention deletes as the owner of each table, and asks whether the caller has that role's rights.
            let _owner = (task.object.step != "apply_retention").then(|| owner.act());
            notes::work(client, &task.object, task.max_rows, task.place.take())?
        };
        let _owner = owner.act();
        let took = (now() - began).max(0);
        task.place = place;
        task.rows += rows;
        task.took += took;
        let drained = self.steps[task.step].drains && rows < i64::from(task.max_rows);
        task.max_rows = match took {
            ..PART => task.max_rows.saturating_mul(2).min(LARGEST_PART),
            _ if took > 4 * PART => (task.max_rows / 2).max(LEAST_PART),
            _ => task.max_rows,
        };
        let outcome = if problem.is_some() {
            Outcome::Failed
        } else if is_over || drained {
            // What was due and cannot be done is in use, or is refused.
            let in_vain = task.rows == 0 && !self.is_without_rows(&task);
            if in_vain { Outcome::Unfinished } else { Outcome::Finished }
        } else if now() < self.slice_ends {
            self.current = Some(task);
            return Ok(());
        } else {
            Outcome::Unfinished
        };
        let seconds = task.took as f64 / 1e6;
        let failures =
            notes::end(client, &task.object, outcome, task.rows, seconds, problem.as_ref())?;
        let sum = &mut self.sums[task.step];
        sum.rows += task.rows;
        sum.took += task.took;
        sum.is_noted |= task.object.is_step();
        sum.is_unfinished |= outcome == Outcome::Unfinished && (is_over || drained);
        if let Some(problem) = problem {
            warn(&task.object.step, &described(&task.object), &problem, failures);
            sum.problem = Some(problem);
        } else if outcome == Outcome::Unfinished && !(is_over || drained) {
            // It goes on behind the others.
            (task.rows, task.took) = (0, 0);
            self.tasks.push_back(task);
        }
        Ok(())
    }

    /// Whether it is right that a step does nothing when it is due.
    fn is_without_rows(&self, task: &Task) -> bool {
        matches!(task.object.step.as_str(), "apply_retention" | "advise_indexes")
    }

    fn end(&mut self, client: &mut SpiClient<'_>) -> Result<(), Error> {
        for task in &self.tasks {
            let sum = &mut self.sums[task.step];
            sum.is_unfinished = true;
            sum.is_left |= task.object.is_step();
        }
        let mut totals = Totals::default();
        for (step, sum) in self.steps.iter().zip(std::mem::take(&mut self.sums)) {
            if sum.is_noted {
                continue;
            }
            let outcome = match (&sum.problem, sum.is_unfinished) {
                (Some(_), _) => Outcome::Failed,
                (None, true) => Outcome::Unfinished,
                (None, false) => Outcome::Finished,
            };
            let failed_at_once = step.problem.is_some().then_some(60.0);
            let is_long = step.took > LONG_LOOK;
            let pause = failed_at_once.or(is_long.then_some(step.took * LOOKS));
            let seconds = sum.took as f64 / 1e6 + step.took;
            let total = Total {
                outcome,
                is_begun: !sum.is_left,
                rows: sum.rows,
                seconds,
                pause,
                problem: sum.problem,
            };
            totals.add(step, total);
        }
        notes::end_run(client, TimestampWithTimeZone::try_from(self.began).ok(), totals)
    }
}

fn described(object: &Object) -> String {
    let workspace = match object.workspace_id.as_str() {
        "" => String::new(),
        id => format!(" in workspace \"{id}\""),
    };
    match object.name.as_str() {
        "" => workspace,
        name => format!(" of \"{name}\"{workspace}"),
    }
}

fn notice(message: &'static str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "")
        .report(PgLogLevel::NOTICE);
}

/// Whoever runs it by a scheduler is told, and the run goes on. That something is in use is no reason to wake anybody.
fn warn(step: &str, of: &str, problem: &Problem, failures: i32) {
    let level = match problem.code.as_str() {
        "55P03" | "40P01" if failures < 5 => PgLogLevel::NOTICE,
        _ => PgLogLevel::WARNING,
    };
    let message = format!("step {step}{of} of kepler.maintain failed: {}", problem.message);
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "")
        .set_detail(format!(
            "SQLSTATE {}. It is tried again later; the other steps go on.",
            problem.code
        ))
        .set_hint("SELECT * FROM kepler.maintenance WHERE outcome = 'failed'; tells how often.")
        .report(level);
}
