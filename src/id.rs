//! Identifiers.

use pgrx::prelude::*;

/// A new CUID2: 24 characters, a letter first, unique without any coordination.
///
/// Its generator draws its state at the first call in a process. It must not be called before the
/// postmaster forks, or all sessions would begin with the same state.
pub(crate) fn new_id() -> String {
    cuid2::create_id()
}

/// A new identifier (CUID2, <https://github.com/paralleldrive/cuid2>): 24 lower-case letters and
/// digits, the first a letter.
#[pg_extern(volatile, parallel_safe)]
fn cuid() -> String {
    new_id()
}
