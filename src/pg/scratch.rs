//! Memory of Postgres' for what is made of one row, and forgotten with it.

use pgrx::pg_sys;

/// Where output functions, and values that are fetched from TOAST, leave what they make.
pub(crate) struct Scratch(pg_sys::MemoryContext);

impl Scratch {
    pub(crate) fn new() -> Self {
        // SAFETY: a plain call; an error that ends the transaction frees the context with its parent.
        unsafe {
            Self(pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                c"a row".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            ))
        }
    }

    /// Runs `work` with this memory as the current one. What it makes there holds until [`Scratch::reset`].
    pub(crate) fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        // SAFETY: the context is ours. An error sets the current one anew.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.0);
            let made = work();
            pg_sys::MemoryContextSwitchTo(before);
            made
        }
    }

    pub(crate) fn reset(&self) {
        // SAFETY: the context is ours, and nobody else's.
        unsafe { pg_sys::MemoryContextReset(self.0) };
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort frees it.
        if !std::thread::panicking() {
            // SAFETY: ours, and deleted once.
            unsafe { pg_sys::MemoryContextDelete(self.0) };
        }
    }
}
