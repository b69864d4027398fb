//! A text, and a role, that are remembered to the end of the transaction, and that go with the part of it that is rolled back.

use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

thread_local! {
    /// The text, and how deep the part of the transaction lies that it was noted in.
    static NOTED: RefCell<Option<(i32, String)>> = const { RefCell::new(None) };
    static ROLE: Cell<Option<(i32, pg_sys::Oid)>> = const { Cell::new(None) };
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
        _ => {
            NOTED.with_borrow_mut(|noted| *noted = None);
            ROLE.set(None);
        }
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
    let end = |at: i32| match event {
        SUBXACT_EVENT_ABORT_SUB if at >= depth => None,
        SUBXACT_EVENT_COMMIT_SUB if at >= depth => Some(depth - 1),
        _ => Some(at),
    };
    NOTED.with_borrow_mut(|noted| {
        *noted = noted.take().and_then(|(at, text)| Some((end(at)?, text)))
    });
    ROLE.set(ROLE.get().and_then(|(at, role)| Some((end(at)?, role))));
}

/// Whether anything was noted.
pub(crate) fn is_noted() -> bool {
    NOTED.with_borrow(Option::is_some)
}

/// Notes a text that was noted before in this session, unless the transaction has noted another one, or another role.
pub(super) fn note_again(text: &str, user: pg_sys::Oid) -> bool {
    ROLE.get().is_none_or(|(_, role)| role == user) && WATCHING.get() && note(text).is_ok()
}

/// Notes a text, unless there is one. Gives the one that there is, where it is another.
pub(crate) fn note(text: &str) -> Result<(), String> {
    NOTED.with_borrow_mut(|noted| match noted {
        Some((_, own)) if own == text => Ok(()),
        Some((_, own)) => Err(own.clone()),
        None => {
            *noted = Some((depth(), text.to_owned()));
            Ok(())
        }
    })
}

/// The role that was noted in this transaction, if any.
pub(crate) fn role() -> Option<pg_sys::Oid> {
    ROLE.get().map(|(_, role)| role)
}

/// Notes a role, unless there is one.
pub(crate) fn note_role(role: pg_sys::Oid) {
    if ROLE.get().is_none() {
        ROLE.set(Some((depth(), role)));
    }
}

/// How deep the current part of the transaction lies; its end is heard of from now on.
fn depth() -> i32 {
    let none = std::ptr::null_mut();
    // SAFETY: registered once in a session; the functions live as long as the library. The last call reads a variable.
    unsafe {
        if !WATCHING.replace(true) {
            pg_sys::RegisterXactCallback(Some(transaction), none);
            pg_sys::RegisterSubXactCallback(Some(part), none);
        }
        pg_sys::GetCurrentTransactionNestLevel()
    }
}
