//! Memory where a server has little left, and giving it back after a large call.
//!
//! See `heap`, which notices, and `poll`, which asks.

use crate::heap;
use crate::poll;
use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts, ereport, pg_sys};
use std::ffi::{c_char, c_int};

/// Runs when the library is loaded.
pub(crate) fn register() {
    heap::end_sessions_with(end_session);
    // SAFETY: a variable of the server.
    unsafe { poll::register(&raw mut pg_sys::InterruptPending, look, out_of_memory) };
}

/// Raises what cancelled the call, or that memory runs short.
fn look() {
    check_for_interrupts!();
    if heap::is_short() {
        out_of_memory();
    }
}

fn out_of_memory() {
    // Where the Rust frames are unwound, their memory is free again.
    ereport!(
        PgLogLevel::ERROR,
        PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
        "out of memory",
        "The server has not enough memory left for what this call was given. Nothing was written. Send it in smaller \
         parts, or give the server more memory."
    );
}

/// Ends this session, and no other, where an allocation of Rust's failed: Rust would abort the process, whereupon
/// Postgres restarts all sessions.
fn end_session(_size: usize) -> ! {
    unsafe extern "C-unwind" {
        // `src/include/utils/elog.h`, called here as the macro ereport() does.
        fn errstart_cold(level: c_int, domain: *const c_char) -> bool;
        fn errcode(code: c_int) -> c_int;
        fn errmsg(format: *const c_char, ...) -> c_int;
        fn errhint(format: *const c_char, ...) -> c_int;
        fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    }
    // SAFETY: Postgres undoes the transaction and exits: no Rust frame is unwound or returned to. Its memory
    // for errors was set aside when the session began.
    unsafe {
        if errstart_cold(PgLogLevel::FATAL as c_int, std::ptr::null()) {
            errcode(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int);
            errmsg(c"out of memory".as_ptr());
            errhint(
                c"This session ends, and its transaction is undone; others go on. Send less in one call, or give \
                  the server more memory."
                    .as_ptr(),
            );
            errfinish(c"memory.rs".as_ptr(), line!() as c_int, c"end_session".as_ptr());
        }
    }
    std::process::abort()
}

/// Returns what the allocator holds and nobody uses to the system. Freed memory stays with a process
/// as a rule, and a session may live for months after its one large load.
pub(crate) fn release_unused() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            /// `malloc_trim(3)` of the GNU C library.
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: may be called at any time.
        unsafe { malloc_trim(0) };
    }
}
