//! Kepler's tables on a Citus cluster, where each workspace lies on one node.
//!
//! A table that is distributed is a shell on every node, and its rows lie in shards: tables of their own, called
//! `records_102034`. The shards of all tables that hold the same workspaces lie on one node, and make up a *part*. Within a
//! part Kepler works as it does on one server:
//!
//! - `ship`: a call for a workspace goes as a whole to the node of its part, in one statement.
//! - `part`: while a statement on a shard runs, the session works in the shard's part. So do the triggers of shards.
//! - `rewrite`: what is planned meanwhile on a table of Kepler's is planned on the part's shard of it. Citus has no say in it.
//! - `places`: which shards make up a part.
//! - `nodes`: what each node does for itself.
//!
//! Where Citus is not loaded nothing of this does anything.

pub(crate) mod nodes;
pub(crate) mod part;
pub(crate) mod places;
pub(super) mod rewrite;
pub(crate) mod ship;

use pgrx::pg_sys;
use std::sync::OnceLock;

static LOADED: OnceLock<bool> = OnceLock::new();

/// Looks whether Citus is loaded, which must be the first library of a server; once, when the library is loaded.
pub(crate) fn register() {
    // SAFETY: a look-up of a setting, which is null where there is none.
    let setting = unsafe { pg_sys::GetConfigOption(c"citus.shard_count".as_ptr(), true, false) };
    let _ = LOADED.set(!setting.is_null());
    if !setting.is_null() {
        part::register();
    }
}

/// Whether Citus is loaded.
pub(crate) fn is_loaded() -> bool {
    LOADED.get().copied().unwrap_or_default()
}
