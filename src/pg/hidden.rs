//! Errors of which nobody is shown more than they say.
//!
//! Beside a message Postgres shows where it was: the line that COPY reads, the statement that a function runs. And it writes the
//! statement into the server's log. In all of these stands what a guard refuses.

use crate::error::Error;
use crate::secrets::document::redacted_text;
use crate::settings::{OnSecret, on_secret};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::{c_int, c_void};
use std::ptr;

unsafe extern "C-unwind" {
    // `src/include/utils/elog.h` of Postgres 16 to 18. Called where no Rust frame is to be unwound.
    fn errhidestmt(hide: bool) -> c_int;
}

/// An error as it is noted: it must be noted, and a mark takes the place of a secret in it.
pub(crate) fn noted(error: String) -> String {
    match on_secret() {
        OnSecret::Allow => error,
        OnSecret::Refuse | OnSecret::Redact => redacted_text(&error).unwrap_or(error),
    }
}

unsafe extern "C-unwind" fn hide_statement(_: *mut c_void) {
    // SAFETY: called by Postgres for the error that is being raised.
    unsafe { errhidestmt(true) };
}

/// Raises an error without CONTEXT, and without the statement in the server's log.
pub(crate) fn raise_hidden(error: Error) -> ! {
    // SAFETY: the entry lives until the (sub)transaction ends. Whoever catches the error puts the stack back that it had.
    unsafe {
        let size = size_of::<pg_sys::ErrorContextCallback>();
        let entry = pg_sys::MemoryContextAlloc(pg_sys::CurTransactionContext, size)
            .cast::<pg_sys::ErrorContextCallback>();
        entry.write(pg_sys::ErrorContextCallback {
            previous: ptr::null_mut(),
            callback: Some(hide_statement),
            arg: ptr::null_mut(),
        });
        pg_sys::error_context_stack = entry;
    }
    pg_sys::panic::ErrorReport::from(error).report(PgLogLevel::ERROR);
    unreachable!("an error ends the call")
}
