//! What a loop over a caller's data asks at each element: whether the call was cancelled, and whether memory
//! runs short. Modules that know nothing of Postgres can ask too; what it means there is registered by
//! `pg::memory`, and raises an error, which unwinds.

use crate::heap;
use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// Postgres' flag that something is to be looked at.
static PENDING: AtomicPtr<c_int> = AtomicPtr::new(ptr::null_mut());
/// Functions `fn()`, which raise.
static LOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static RAISE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
/// So much is there as a rule; asking the system costs a microsecond.
const SMALL: usize = 1 << 20;

/// Raises where the call is not to go on. Costs a nanosecond otherwise.
#[inline]
pub(crate) fn check() {
    let pending = PENDING.load(Relaxed);
    // SAFETY: null, or a flag that signals set, and that is there as long as the process.
    if heap::is_short() || (!pending.is_null() && unsafe { pending.read_volatile() } != 0) {
        look();
    }
}

#[cold]
fn look() {
    let look = LOOK.load(Relaxed);
    if !look.is_null() {
        // SAFETY: stored as a function of this type.
        let look: fn() = unsafe { std::mem::transmute(look) };
        look();
    }
}

/// Raises unless so many bytes could be had now, and some beside: for what is made in one piece.
#[inline]
pub(crate) fn need(bytes: usize) {
    if bytes > SMALL && !heap::can_have(bytes.saturating_add(heap::SLACK)) {
        let raise = RAISE.load(Relaxed);
        if !raise.is_null() {
            // SAFETY: stored as a function of this type.
            let raise: fn() = unsafe { std::mem::transmute(raise) };
            raise();
        }
    }
}

/// `look` raises what is pending, or that memory is short; `raise` says that memory is.
///
/// # Safety
/// `pending` must live as long as the process.
pub(crate) unsafe fn register(pending: *mut c_int, look: fn(), raise: fn()) {
    PENDING.store(pending, Relaxed);
    LOOK.store(look as *mut (), Relaxed);
    RAISE.store(raise as *mut (), Relaxed);
}
