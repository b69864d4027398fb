//! Kepler's tables on a Citus cluster, where each workspace lies on one node.
//!
//! A table that is distributed is a shell on every node, and its rows lie in shards: tables of their own, called
//! `records_102034`. The shards of all tables that hold the same workspaces lie on one node, and make up a *part*. Within a
//! part Kepler works as it does on one server:
//!
//! - `ship`: a call for a workspace goes as a whole to the node of its part, in one statement (`carry`); `calls` says which do.
//! - `part`: while a statement on a shard runs, the session works in the shard's part. So do the triggers of shards.
//! - `utility`: so do COPY and TRUNCATE.
//! - `alone`: a call that is all of its transaction, which its node commits by itself.
//! - `rewrite`: what is planned meanwhile on a table of Kepler's is planned on the part's shard of it. Citus has no say in it.
//! - `columns`: numbers of columns that are others in a shard.
//! - `tell`: the workspace that was chosen goes along with statements on distributed tables.
//! - `places`: which shards make up a part.
//! - `moved`: what is to be done where a part comes from another node.
//! - `narrow`: Citus is told the workspace that policies keep a statement to.
//! - `names`: errors name tables, and not their shards.
//! - `nodes`: what each node does for itself.
//!
//! Where Citus is not loaded nothing of this does anything.

mod alone;
mod calls;
pub(crate) mod carry;
mod columns;
pub(crate) mod moved;
pub(crate) mod names;
pub(crate) mod narrow;
pub(crate) mod nodes;
pub(crate) mod part;
pub(crate) mod places;
pub(super) mod rewrite;
pub(crate) mod ship;
pub(crate) mod tell;
mod utility;

use pgrx::pg_sys;
use std::ffi::CStr;
use std::sync::OnceLock;

static LOADED: OnceLock<bool> = OnceLock::new();

/// Looks whether Citus is loaded; once, when the library is loaded. Citus must be among the libraries that the server starts with,
/// and what those are, no session can say of itself, as it could of Citus' own settings.
pub(crate) fn register() {
    // SAFETY: a look-up of a setting, which is null or a C string.
    let libraries = unsafe {
        let text = pg_sys::GetConfigOption(c"shared_preload_libraries".as_ptr(), true, false);
        if text.is_null() { Default::default() } else { CStr::from_ptr(text).to_string_lossy() }
    };
    let is_loaded = names_citus(&libraries);
    let _ = LOADED.set(is_loaded);
    if is_loaded {
        utility::register();
    }
}

/// Whether a list of libraries has Citus, with or without its folder.
fn names_citus(libraries: &str) -> bool {
    let name = |library: &str| -> String {
        let library = library.trim().trim_matches('"');
        library.rsplit('/').next().unwrap_or_default().trim_end_matches(".so").to_owned()
    };
    libraries.split(',').any(|library| name(library) == "citus")
}

/// Whether Citus is loaded.
pub(crate) fn is_loaded() -> bool {
    LOADED.get().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::names_citus;

    #[test]
    fn citus_is_told_from_other_libraries() {
        for list in ["citus", "pg_cron, citus", "\"citus\"", "$libdir/citus", "/usr/lib/citus.so,x"]
        {
            assert!(names_citus(list), "{list}");
        }
        for list in ["", "citus_columnar", "not_citus, x", "kepler"] {
            assert!(!names_citus(list), "{list}");
        }
    }
}
