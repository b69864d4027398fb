//! Giving memory back after a large call.

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
