//! Settings (GUCs) under the prefix `kepler`.

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::{CStr, CString};

/// The workspace of a session where nothing was set.
pub(crate) const DEFAULT_WORKSPACE: &CStr = c"default";

static WORKSPACE_ID: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(DEFAULT_WORKSPACE));

/// Registers the settings. Called once, when the library is loaded.
pub(crate) fn register() {
    // Only a superuser may set it directly: row security will rest on it.
    GucRegistry::define_string_guc(
        c"kepler.workspace_id",
        c"The workspace whose rows this session works on.",
        c"Read by kepler.current_workspace_id().",
        &WORKSPACE_ID,
        GucContext::Suset,
        GucFlags::default(),
    );
    // SAFETY: a plain call with a static string; misspelt settings become errors.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"kepler".as_ptr()) };
}

/// The workspace that `kepler.workspace_id` names; empty counts as not set.
pub(crate) fn workspace_id() -> String {
    WORKSPACE_ID.get().filter(|id| !id.is_empty()).map_or_else(
        || DEFAULT_WORKSPACE.to_string_lossy().into_owned(),
        |id| id.to_string_lossy().into_owned(),
    )
}
