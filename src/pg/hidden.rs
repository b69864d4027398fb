//! Errors of which nobody is shown more than they say.
//!
//! Beside a message Postgres shows where it was: the line that COPY reads, the statement that a function runs. And it writes the
//! statement into the server's log. In all of these stands what a guard refuses. An error that is not about a secret may show
//! one as well: a row that breaks a constraint, a batch that cannot be read. So each error is looked at on its way out.

use crate::error;
use crate::pg::cluster::names::of_tables;
use crate::secrets::document::{holds_secret, redacted_plain, redacted_text};
use crate::settings::{OnSecret, on_secret};
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

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

/// Keeps CONTEXT and the statement out of the error that is about to be raised.
fn hide() {
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
}

/// What is longer is not shown where there may be a secret in it.
const LONGEST: usize = 1 << 20;

/// Who looked at errors before.
static NEXT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Takes secrets out of an error that is about to be told, and keeps a statement with one out of the server's log.
unsafe extern "C-unwind" fn before_report(error: *mut pg_sys::ErrorData) {
    // SAFETY: Postgres calls this with the error that it tells. What runs in between raises nothing: it calls no function of
    // Postgres but for memory, of which the error's own context has some in reserve.
    unsafe {
        let next = NEXT.load(Ordering::Relaxed);
        if !next.is_null() {
            std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn(*mut pg_sys::ErrorData)>(
                next,
            )(error);
        }
        let error = &mut *error;
        // Without memory it is no time for looking.
        let is_error = error.elevel == PgLogLevel::ERROR as i32
            && error.sqlerrcode != PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32;
        if !is_error {
            return;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| name_tables(error)));
        if on_secret() == OnSecret::Allow {
            return;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let is_logged = !error.hide_stmt && error.elevel >= pg_sys::log_min_error_statement;
            if is_logged && !pg_sys::debug_query_string.is_null() {
                let statement = CStr::from_ptr(pg_sys::debug_query_string);
                error.hide_stmt = str::from_utf8(statement.to_bytes()).is_ok_and(holds_secret);
            }
            let texts = [
                &mut error.message,
                &mut error.detail,
                &mut error.detail_log,
                &mut error.hint,
                &mut error.context,
                &mut error.internalquery,
            ];
            for text in texts.into_iter().filter(|text| !text.is_null()) {
                let Ok(told) = CStr::from_ptr(*text).to_str() else { continue };
                if let Some(clean) = clean(told) {
                    *text = clean.map_or(ptr::null_mut(), |clean| {
                        pg_sys::MemoryContextStrdup(error.assoc_context, clean.as_ptr())
                    });
                }
            }
        }));
    }
}

/// Names tables where an error that goes to another node of a cluster names shards.
///
/// # Safety
/// An error that is about to be told.
unsafe fn name_tables(error: &mut pg_sys::ErrorData) {
    let context = error.assoc_context;
    let texts = [
        &mut error.message,
        &mut error.detail,
        &mut error.hint,
        &mut error.table_name,
        &mut error.constraint_name,
    ];
    for text in texts.into_iter().filter(|text| !text.is_null()) {
        // SAFETY: texts of an error are C strings, and lie in its context.
        unsafe {
            let Ok(told) = CStr::from_ptr(*text).to_str() else { continue };
            if let Cow::Owned(named) = of_tables(told)
                && let Ok(named) = CString::new(named)
            {
                *text = pg_sys::MemoryContextStrdup(context, named.as_ptr());
            }
        }
    }
}

/// A text without its secrets, or nothing in its place; none if it has none.
fn clean(text: &str) -> Option<Option<CString>> {
    if text.len() > LONGEST {
        return holds_secret(text).then_some(None);
    }
    redacted_plain(text).map(|clean| CString::new(clean).ok())
}

/// Errors about secrets are hidden from now on; once, when the library is loaded.
pub(crate) fn register() {
    error::hide_by(hide);
    // SAFETY: when the library is loaded nobody else sets hooks.
    unsafe {
        if let Some(next) = pg_sys::emit_log_hook {
            NEXT.store(next as *mut c_void, Ordering::Relaxed);
        }
        pg_sys::emit_log_hook = Some(before_report);
    }
}
