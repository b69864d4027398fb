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
/// 22 and 23, what is too long for an index or a page, and what triggers raise) all that it wrote is undone; every other
/// error passes through: it is about the session or the server.
pub(crate) fn attempt<T>(write: impl FnOnce() -> T) -> Result<T, Refusal> {
    run(write, true)
}

/// What the database would say against a write. All of it is undone.
pub(crate) fn would_refuse(write: impl FnOnce()) -> Option<Refusal> {
    run(write, false).err()
}

fn run<T>(write: impl FnOnce() -> T, keep: bool) -> Result<T, Refusal> {
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
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            let refusal = match &error {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                    if is_about_data(report.sql_error_code()) =>
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
    ["22", "23", "45"].iter().any(|class| text.starts_with(class))
        || ["27000", "54000", "P0001", "P0004"].contains(&text.as_str())
}

/// The five characters of a code, six bits each.
pub(crate) fn sqlstate(code: PgSqlErrorCode) -> String {
    let bits = code as i32;
    (0..5).map(|at| char::from(((bits >> (6 * at)) & 0x3F) as u8 + b'0')).collect()
}
