//! Trying a write that the database may refuse, without losing what came before.

use crate::pg::cluster::names::{constraint_of_table, of_tables};
use crate::pg::time_limit;
use crate::pg::whole::{self, whole};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, function_name};
use std::cell::Cell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::ptr;

/// What the database said against a write.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    /// The constraint that is not met, where the database or a trigger names one.
    pub(crate) constraint: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
}

/// An SQLSTATE as Postgres packs it, six bits a character; users make up their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlState(i32);

impl From<PgSqlErrorCode> for SqlState {
    fn from(code: PgSqlErrorCode) -> Self {
        Self(code as i32)
    }
}

impl SqlState {
    /// As pgrx knows it. What users made up is an exception that was raised, P0001.
    pub(crate) fn standard(self) -> PgSqlErrorCode {
        match PgSqlErrorCode::from(self.0) {
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR => PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION,
            known => known,
        }
    }
}

/// The five characters.
impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..5).try_for_each(|at| {
            fmt::Write::write_char(f, char::from(((self.0 >> (6 * at)) & 0x3F) as u8 + b'0'))
        })
    }
}

/// Runs `write` in a subtransaction and gives what it gave. Where the database, or a trigger of a user,
/// refuses data, all that it wrote is undone; every other error passes through: it is about the session,
/// the schema or the server.
pub(crate) fn attempt<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(write, true, is_about_data)
}

/// As `attempt`, and also where a user's trigger, policy, domain or index expression says no in words of
/// its own: every error is a refusal but those about the session, the transaction or the server.
pub(crate) fn attempt_rows<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(write, true, |sqlstate, _| !is_about_session(sqlstate))
}

/// What the database would say against a write. All of it is undone.
pub(crate) fn would_refuse(write: impl FnOnce()) -> Option<Refusal> {
    run(write, false, is_about_data).err()
}

/// As `attempt`, for a caller that ends its call with what is said, and the place of the data in it: also a conflict with
/// another transaction has a place. What has an SQLSTATE of its author passes through, and keeps it.
pub(crate) fn attempt_placed<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(write, true, has_place)
}

/// As `would_refuse`, of the refusals of `attempt_placed`.
pub(crate) fn would_refuse_placed(write: impl FnOnce()) -> Option<Refusal> {
    run(write, false, has_place).err()
}

/// Runs a deletion, and gives why it is refused: rows refer to what would go, other objects depend on it, or somebody holds a
/// lock. Every other error passes through.
pub(crate) fn attempt_deletion<T>(delete: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(delete, true, |sqlstate, _| matches!(sqlstate, "23503" | "23001" | "2BP01" | "55P03"))
}

/// Runs what fires code of users, and gives the errors of that code that a handler would take for a cancellation or let through
/// as one: query_canceled that Postgres did not raise for whoever cancels, and assert_failure; and that a time limit of ours is over.
/// Every other error passes through.
pub(crate) fn attempt_uncancelled<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(work, true, is_of_users)
}

/// Runs what may meet rows that others have changed since the snapshot of the transaction, and gives that it has met some. Every
/// other error passes through.
pub(crate) fn attempt_in_snapshot<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(write, true, |sqlstate, _| sqlstate == "40001")
}

thread_local! {
    /// Whether the error that is on its way is that of `redo`.
    static REDO: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may find, with locks in its hands, that it needs others before: it calls `redo`, all that it has done is undone, its
/// locks are given back, and it is run anew. `redo` is for what another transaction has done meanwhile, so that each turn is
/// somebody's progress.
pub(crate) fn attempt_anew<T>(mut write: impl FnMut() -> T) -> T {
    loop {
        pgrx::check_for_interrupts!();
        REDO.set(false);
        if let Ok(given) = run(&mut write, true, |sqlstate, _| sqlstate == "40001" && REDO.take()) {
            return given;
        }
    }
}

/// Ends a turn of `attempt_anew`.
pub(crate) fn redo() {
    REDO.set(true);
    let code = PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE;
    let message = "rows changed during the call";
    ErrorReport::new(code, message, function_name!()).report(PgLogLevel::ERROR);
}

/// Reads what may run code of users and wait for others: their errors, as `attempt_rows` and `attempt_uncancelled` tell them from
/// those about the session, and that a lock was not to be had in time.
pub(crate) fn attempt_reading<T>(read: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(read, true, |sqlstate, raised_in| {
        sqlstate == "55P03" || !is_about_session(sqlstate) || is_of_users(sqlstate, raised_in)
    })
}

fn is_of_users(sqlstate: &str, raised_in: &str) -> bool {
    sqlstate == "P0004"
        || sqlstate == "57014" && (raised_in != "ProcessInterrupts" || time_limit::is_over())
}

fn has_place(sqlstate: &str, raised_in: &str) -> bool {
    let is_known = sqlstate.get(..2).is_some_and(|class| KNOWN_CLASSES.contains(&class));
    sqlstate == "40001" || is_known && is_about_data(sqlstate, raised_in)
}

/// Whether an error of an SQLSTATE, raised in a function of Postgres, is a refusal.
type IsRefusal = fn(&str, &str) -> bool;

fn run<T>(write: impl FnOnce() -> T, keep: bool, judge: IsRefusal) -> Result<T, Refusal> {
    whole(|| run_whole(write, keep, judge))
}

fn run_whole<T>(write: impl FnOnce() -> T, keep: bool, judge: IsRefusal) -> Result<T, Refusal> {
    // SAFETY: the pattern of Postgres' own languages (`pl_exec.c`): the memory context and resource
    // owner from before are those to go on with, whether the subtransaction is released or undone.
    // SPI's connection is from outside of it and stays. What calls inside of it laid on the stack of error
    // contexts lies in its memory, and goes first.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let contexts = pg_sys::error_context_stack;
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let write = AssertUnwindSafe(write);
        PgTryBuilder::new(AssertUnwindSafe(move || {
            let write = write;
            let given = (write.0)();
            if keep {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            Ok(given)
        }))
        .catch_others(move |error| {
            let refusal = match &error {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
                    refusal(report, judge)
                }
                _ => None,
            };
            pg_sys::error_context_stack = contexts;
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            match refusal {
                Some(refusal) => Err(refusal),
                None => error.rethrow(),
            }
        })
        .execute()
    }
}

/// What an error says against data, if it does.
fn refusal(report: &ErrorReportWithLevel, judge: IsRefusal) -> Option<Refusal> {
    let left = whole::left_out(report);
    let code = SqlState(left.sqlstate.unwrap_or(report.sql_error_code() as i32));
    judge(&code.to_string(), report.function_name().unwrap_or_default()).then(|| Refusal {
        code,
        message: of_tables(report.message()).into_owned(),
        constraint: left.constraint.map(|name| constraint_of_table(&name)),
        detail: report.detail().map(|text| of_tables(text).into_owned()),
        hint: report.hint().map(|text| of_tables(text).into_owned()),
    })
}

/// Ends an attempt as if the database had refused it, with this message.
pub(crate) fn undo(message: &'static str) {
    let code = PgSqlErrorCode::ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION;
    ErrorReport::new(code, message, function_name!()).report(PgLogLevel::ERROR);
}

/// Whether an error is the answer to the data: what a type, a constraint, a policy or an index has against it, and
/// what a trigger raises on purpose, whichever SQLSTATE its author chose. Not: what another session, the server or
/// an administrator did, and what is wrong with the schema or a trigger's code.
pub(crate) fn is_about_data(sqlstate: &str, raised_in: &str) -> bool {
    let Some(class) = sqlstate.get(..2) else { return false };
    // Conflicts, resources, operators, system and internal errors: to be raised whoever says so.
    if matches!(class, "08" | "25" | "40" | "53" | "57" | "58" | "F0" | "XX") {
        return false;
    }
    // RAISE of PL/pgSQL.
    if raised_in == "exec_stmt_raise" {
        return true;
    }
    match class {
        // Cases not found and too many rows in a trigger, data, constraints, WITH CHECK OPTION, PL/pgSQL's own.
        "20" | "21" | "22" | "23" | "44" | "P0" => true,
        // A policy has something against the row; otherwise rights on tables are missing.
        "42" => sqlstate == "42501" && raised_in == "ExecWithCheckOptions",
        // A value is too large for an index; other limits are the statement's.
        "54" => sqlstate == "54000",
        // A trigger changed the very row.
        "27" => true,
        _ => !KNOWN_CLASSES.contains(&class),
    }
}

/// What no other row would be spared: a lost connection, a bad transaction state, a deadlock or a
/// serialization failure, no memory or disk, a lock that is not to be had, a cancelled statement.
/// XX is not among them: so comes a row that is corrupt.
fn is_about_session(sqlstate: &str) -> bool {
    const STARTS: [&str; 10] = ["08", "25", "2D", "3B", "40", "53", "55P03", "57", "58", "F0"];
    STARTS.iter().any(|start| sqlstate.starts_with(start))
}

/// The classes of Postgres' own SQLSTATEs (appendix A of its manual). Others are made up by users.
const KNOWN_CLASSES: &[&str] = &[
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22",
    "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40",
    "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX",
];
