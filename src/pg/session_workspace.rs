//! `kepler.current_workspace_id()`, which policies ask for each row: what it gave last, as long as nothing has changed.
//! Everything else is `access::current`'s.

// No wrapper of pgrx is on the way, and no value with a destructor on that of an error. The functions that Postgres finds by
// name are public for it alone.
#![allow(unreachable_pub)]

use super::varlena::Text;
use super::{in_transaction, role, standpoint};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    fn palloc(size: usize) -> *mut c_void;
}

/// What was worked out at a standpoint.
struct Known {
    standpoint: u64,
    text: Text,
    /// Whether the session may work in all workspaces: then nothing keeps a transaction to one.
    is_anywhere: bool,
}

thread_local! {
    static KNOWN: RefCell<[Option<Known>; standpoint::PLACES]> =
        const { RefCell::new([const { None }; standpoint::PLACES]) };
}

/// The function in SQL that works it out.
type WorkOut = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

static WORK_OUT: OnceLock<WorkOut> = OnceLock::new();

/// Says what works it out; once, when the library is loaded.
pub(crate) fn register(work_out: WorkOut) {
    let _ = WORK_OUT.set(work_out);
}

/// For the next questions at this standpoint.
pub(crate) fn remember(standpoint: u64, workspace_id: &str, is_anywhere: bool) {
    let known = Known { standpoint, text: Text::new(workspace_id), is_anywhere };
    KNOWN.with_borrow_mut(|places| places[standpoint::place(standpoint)] = Some(known));
}

/// The workspace, and whether the session may work in all. Whether the transaction keeps to it is not asked.
pub(crate) fn known(standpoint: u64) -> Option<(String, bool)> {
    KNOWN.with_borrow(|places| {
        let known = places[standpoint::place(standpoint)].as_ref()?;
        (known.standpoint == standpoint)
            .then(|| (known.text.as_str().to_owned(), known.is_anywhere))
    })
}

/// The value to give, if it is known and the transaction works in no other workspace, and its size.
fn value() -> Option<(*const u8, usize)> {
    let standpoint = standpoint::number_unguarded()?;
    KNOWN.with_borrow(|places| {
        let known = places[standpoint::place(standpoint)].as_ref()?;
        let holds = known.standpoint == standpoint
            && (known.is_anywhere
                || in_transaction::note_again(known.text.as_str(), role::outer()));
        holds.then(|| (known.text.datum().cast_mut_ptr::<u8>().cast_const(), known.text.size()))
    })
}

/// What Postgres calls.
///
/// # Safety
/// Postgres calls a function without arguments that gives a text.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn session_workspace_id(
    call: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: as the caller says. What is copied stays where it is: nothing between the question and the copy learns.
    unsafe {
        if let Some((text, size)) = value() {
            let copy = palloc(size);
            std::ptr::copy_nonoverlapping(text, copy.cast::<u8>(), size);
            return pg_sys::Datum::from(copy);
        }
        match WORK_OUT.get() {
            Some(work_out) => work_out(call),
            None => {
                (*call).isnull = true;
                pg_sys::Datum::null()
            }
        }
    }
}

/// How it is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_session_workspace_id() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}
