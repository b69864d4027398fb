//! Trying a write that the database may refuse, without losing what came before.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder};
use std::panic::AssertUnwindSafe;
use std::ptr;

/// What the database said against a write.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: PgSqlErrorCode,
    pub(crate) message: String,
}

/// Runs `write` in a subtransaction and gives what it gave. Where the database refuses data (classes
/// 22 and 23, and P0001, which triggers raise) all that it wrote is undone; every other error passes
/// through: it is about the session or the server.
pub(crate) fn attempt<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    attempt_unless(write, |code| !is_about_data(code))
}

/// As `attempt`, and also where a user's trigger, policy, domain or index expression says no in words of
/// its own: every error is a refusal but those about the session, the transaction or the server.
pub(crate) fn attempt_rows<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    attempt_unless(write, is_about_session)
}

fn attempt_unless<T>(
    write: impl FnOnce() -> T,
    passes: fn(PgSqlErrorCode) -> bool,
) -> Result<T, Refusal> {
    // SAFETY: the pattern of Postgres' own languages (`pl_exec.c`): the memory context and resource
    // owner from before are those to go on with, whether the subtransaction is released or undone.
    // SPI's connection is from outside of it and stays.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let write = AssertUnwindSafe(write);
        PgTryBuilder::new(AssertUnwindSafe(move || {
            let write = write;
            let given = (write.0)();
            pg_sys::ReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            Ok(given)
        }))
        .catch_others(move |error| {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            let refusal = match &error {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                    if !passes(report.sql_error_code()) =>
                {
                    Refusal { code: report.sql_error_code(), message: report.message().to_owned() }
                }
                _ => error.rethrow(),
            };
            Err(refusal)
        })
        .execute()
    }
}

fn is_about_data(code: PgSqlErrorCode) -> bool {
    let text = sqlstate(code);
    text.starts_with("22") || text.starts_with("23") || text == "P0001"
}

/// What no other row would be spared: a lost connection, a bad transaction state, a deadlock or a
/// serialization failure, no memory or disk, a lock that is not to be had, a cancelled statement.
/// XX is not among them: so come a row that is corrupt, and codes of a trigger's own.
fn is_about_session(code: PgSqlErrorCode) -> bool {
    const STARTS: [&str; 10] = ["08", "25", "2D", "3B", "40", "53", "55P03", "57", "58", "F0"];
    let text = sqlstate(code);
    STARTS.iter().any(|start| text.starts_with(start))
}

/// The five characters of a code, six bits each.
pub(crate) fn sqlstate(code: PgSqlErrorCode) -> String {
    let bits = code as i32;
    (0..5).map(|at| char::from(((bits >> (6 * at)) & 0x3F) as u8 + b'0')).collect()
}
