//! Rust's memory in a server: counted, and looked after before it runs out.
//!
//! Rust ends the process where it cannot allocate, and Postgres then restarts every session. An allocator may not
//! unwind, so it cannot raise an error either. It does two things instead. While memory is being taken, it asks the
//! system now and then whether as much again could be had; where it could not, memory is short, and the next loop
//! that asks (`poll::check`) raises an error in good time. And where an allocation fails all the same, this session
//! ends, and no other: its exit undoes the transaction and tells the client why.
//!
//! Nothing here touches Postgres; what ends a session is registered by `pg::memory`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// After so many bytes, or one allocation as large, the system is asked.
const STEP: usize = 4 << 20;
/// What is wanted beside what the growing buffers will need: for Postgres, and until a loop asks.
pub(crate) const SLACK: usize = 16 << 20;
/// Kept for the end of a session that finds no memory.
const RESERVE: usize = 256 << 10;

/// Bytes in use. Threads (there are none in a server) may make it inexact, which does no harm.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// Bytes taken since the system was asked.
static SINCE: AtomicUsize = AtomicUsize::new(0);
static SHORT: AtomicBool = AtomicBool::new(false);
/// A function `fn(usize) -> !`, once there is a server.
static END_SESSION: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static RESERVED: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

#[global_allocator]
static HEAP: Heap = Heap;

struct Heap;

// SAFETY: System's, and counted. Where System gives null, the process does not go on.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        let given = unsafe { System.alloc(layout) };
        if given.is_null() {
            return failed(layout.size());
        }
        taken(layout.size());
        given
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        let given = unsafe { System.alloc_zeroed(layout) };
        if given.is_null() {
            return failed(layout.size());
        }
        taken(layout.size());
        given
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller says.
        let given = unsafe { System.realloc(old, layout, size) };
        if given.is_null() {
            return failed(size);
        }
        LIVE.store(LIVE.load(Relaxed).wrapping_sub(layout.size()), Relaxed);
        taken(size);
        given
    }

    unsafe fn dealloc(&self, given: *mut u8, layout: Layout) {
        LIVE.store(LIVE.load(Relaxed).wrapping_sub(layout.size()), Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(given, layout) }
    }
}

#[inline]
fn taken(size: usize) {
    LIVE.store(LIVE.load(Relaxed).wrapping_add(size), Relaxed);
    let since = SINCE.load(Relaxed).wrapping_add(size);
    SINCE.store(since, Relaxed);
    if since >= STEP {
        look(size);
    }
}

/// Asks whether a buffer of `size` bytes may double, and the others grow by half.
#[cold]
fn look(size: usize) {
    SINCE.store(0, Relaxed);
    let others = live().saturating_sub(size) / 2;
    SHORT.store(!can_have(size.saturating_mul(2) + others + SLACK), Relaxed);
}

/// Whether memory is short. Reads the current figure, since memory may have been freed.
pub(crate) fn is_short() -> bool {
    if SHORT.load(Relaxed) {
        look(0);
    }
    SHORT.load(Relaxed)
}

/// Bytes in use.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed).min(isize::MAX as usize)
}

/// Whether the system would give so many bytes now. They are not touched, and given back.
pub(crate) fn can_have(bytes: usize) -> bool {
    // SAFETY: a new private mapping, which nobody else knows of.
    unsafe {
        let mapped = libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        mapped != libc::MAP_FAILED && libc::munmap(mapped, bytes) == 0
    }
}

/// Says how a session ends that finds no memory, and keeps a little for it.
pub(crate) fn end_sessions_with(end: fn(usize) -> !) {
    END_SESSION.store(end as *mut (), Relaxed);
    // SAFETY: the layout is not empty; null is no harm.
    let reserve = unsafe { System.alloc(RESERVE_LAYOUT) };
    RESERVED.store(reserve, Relaxed);
}

const RESERVE_LAYOUT: Layout = match Layout::from_size_align(RESERVE, 16) {
    Ok(layout) => layout,
    Err(_) => Layout::new::<u8>(),
};

/// Null, after which Rust aborts, only where there is no server.
#[cold]
fn failed(size: usize) -> *mut u8 {
    let end = END_SESSION.swap(ptr::null_mut(), Relaxed);
    if end.is_null() {
        return ptr::null_mut();
    }
    let reserve = RESERVED.swap(ptr::null_mut(), Relaxed);
    if !reserve.is_null() {
        // SAFETY: allocated above with this layout, and given back once.
        unsafe { System.dealloc(reserve, RESERVE_LAYOUT) };
    }
    // SAFETY: stored as a function of this type.
    let end: fn(usize) -> ! = unsafe { std::mem::transmute(end) };
    end(size)
}
