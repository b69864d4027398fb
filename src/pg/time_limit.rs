//! A limit of time for what runs code of others: a timer of the session that cancels the statement, whatever limit the statement has
//! of its own.

use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_int;
use std::time::{Duration, Instant};

// `src/include/utils/timeout.h` of Postgres 16 to 18. Called where no Rust frame is to be unwound.
unsafe extern "C-unwind" {
    fn RegisterTimeout(timeout: c_int, handler: extern "C" fn()) -> c_int;
    fn enable_timeout_after(timeout: c_int, delay_ms: c_int);
    fn disable_timeout(timeout: c_int, keep_indicator: bool);
    fn get_timeout_indicator(timeout: c_int, reset_indicator: bool) -> bool;
}
/// The first number that is no timer of Postgres' own.
const USER_TIMEOUT: c_int = if cfg!(feature = "pg16") { 12 } else { 13 };

thread_local! {
    static TIMER: Cell<Option<c_int>> = const { Cell::new(None) };
    static ENDS: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// In a signal handler, as Postgres' own for statement_timeout does.
extern "C" fn cancel() {
    // SAFETY: kill is safe in a signal handler; it sends the session the signal of pg_cancel_backend.
    unsafe { libc::kill(pg_sys::MyProcPid, libc::SIGINT) };
}

/// While it lives, what is done is cancelled (57014) when the time is over. One at a time.
pub(crate) struct TimeLimit {
    timer: c_int,
}

impl TimeLimit {
    pub(crate) fn begin(limit: Duration) -> Self {
        let timer = TIMER.get().unwrap_or_else(|| {
            // SAFETY: once in a session; the handler lives as long as the library.
            let timer = unsafe { RegisterTimeout(USER_TIMEOUT, cancel) };
            TIMER.set(Some(timer));
            timer
        });
        let delay = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        ENDS.set(Instant::now().checked_add(limit));
        // SAFETY: a timer that is registered.
        unsafe { enable_timeout_after(timer, delay.max(1)) };
        Self { timer }
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        ENDS.set(None);
        // SAFETY: as above; it raises nothing, also while an error unwinds. A cancellation of ours that nobody has noticed yet is not for
        // what comes behind.
        unsafe {
            disable_timeout(self.timer, true);
            if get_timeout_indicator(self.timer, true) {
                pg_sys::QueryCancelPending = 0;
            }
        }
    }
}

/// Whether the time of the limit that holds now is over.
pub(crate) fn is_over() -> bool {
    ENDS.get().is_some_and(|ends| Instant::now() >= ends)
}
