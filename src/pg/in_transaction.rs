//! A text that is remembered to the end of the transaction, and that goes with the part of it that is rolled back.

use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

thread_local! {
    /// The text, and how deep the part of the transaction lies that it was noted in.
    static NOTED: RefCell<Option<(i32, String)>> = const { RefCell::new(None) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Postgres calls this at the end of each transaction.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn transaction(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PARALLEL_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => {}
        _ => NOTED.with_borrow_mut(|noted| *noted = None),
    }
}

/// And this at both ends of each part.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn part(
    event: pg_sys::SubXactEvent::Type,
    _part: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::*;
    // SAFETY: reads a variable. The part that ends is still the current one.
    let depth = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    NOTED.with_borrow_mut(|noted| match (event, noted.as_mut()) {
        (SUBXACT_EVENT_ABORT_SUB, Some((at, _))) if *at >= depth => *noted = None,
        (SUBXACT_EVENT_COMMIT_SUB, Some((at, _))) if *at >= depth => *at = depth - 1,
        _ => {}
    });
}

/// What was noted in this transaction, if anything.
pub(crate) fn noted() -> Option<String> {
    NOTED.with_borrow(|noted| noted.as_ref().map(|(_, text)| text.clone()))
}

/// Notes a text, unless there is one.
pub(crate) fn note(text: &str) {
    NOTED.with_borrow_mut(|noted| {
        if noted.is_some() {
            return;
        }
        if !WATCHING.replace(true) {
            let none = std::ptr::null_mut();
            // SAFETY: registered once in a session; the functions live as long as the library.
            unsafe {
                pg_sys::RegisterXactCallback(Some(transaction), none);
                pg_sys::RegisterSubXactCallback(Some(part), none);
            }
        }
        // SAFETY: reads a variable.
        let depth = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
        *noted = Some((depth, text.to_owned()));
    });
}
