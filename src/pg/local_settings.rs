//! Settings of Postgres that hold for a moment.

use pgrx::{GucSetting, pg_sys};
use std::ffi::{CStr, CString};

/// Shows what a setting says, without a copy; empty where nothing was set. Who looks sets nothing.
pub(crate) fn look_at<T>(
    setting: &GucSetting<Option<CString>>,
    look: impl FnOnce(&[u8]) -> T,
) -> T {
    // SAFETY: Postgres' own variable: a C string, or null, that stays as it is until somebody sets another.
    unsafe {
        let value = *setting.as_ptr();
        look(if value.is_null() { b"" } else { CStr::from_ptr(value).to_bytes() })
    }
}

/// Sets what only superusers may set, after a check of our own: for the transaction, or for the session if it commits.
pub(crate) fn set_as_superuser(name: &CStr, value: &CStr, is_local: bool) {
    let action = if is_local {
        pg_sys::GucAction::GUC_ACTION_LOCAL
    } else {
        pg_sys::GucAction::GUC_ACTION_SET
    };
    // SAFETY: a plain call; name and value are C strings.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Sets what anybody may set, for the transaction.
pub(crate) fn set_for_transaction(name: &CStr, value: &CStr) {
    // SAFETY: a plain call; name and value are C strings.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// The value of a setting, if somebody has set it.
pub(crate) fn own_value(name: &CStr) -> Option<String> {
    // SAFETY: a look-up of a setting, which skips errors and is null where there is none; the value is a
    // string that lives until the setting changes.
    unsafe {
        let found = pg_sys::find_option(name.as_ptr(), false, true, 0).as_ref()?;
        if found.source <= pg_sys::GucSource::PGC_S_DYNAMIC_DEFAULT {
            return None;
        }
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}

/// The value that a setting has in a new session of this role's.
pub(crate) fn initial_value(name: &CStr) -> CString {
    // SAFETY: as above, of a setting that exists.
    unsafe {
        let value = pg_sys::GetConfigOptionResetString(name.as_ptr());
        if value.is_null() { CString::default() } else { CStr::from_ptr(value).to_owned() }
    }
}

/// Settings that hold until this is dropped, or until the transaction that an error ends is undone.
pub(crate) struct LocalSettings {
    nest_level: i32,
}

impl LocalSettings {
    pub(crate) fn set(settings: &[(&CStr, &CStr)]) -> Self {
        Self::set_as(settings, pg_sys::GucContext::PGC_USERSET)
    }

    /// The workspace of what is done meanwhile, whoever may set it.
    pub(crate) fn set_workspace(workspace_id: &CStr) -> Self {
        Self::set_as(&[(c"kepler.workspace_id", workspace_id)], pg_sys::GucContext::PGC_SUSET)
    }

    fn set_as(settings: &[(&CStr, &CStr)], context: pg_sys::GucContext::Type) -> Self {
        // SAFETY: plain calls; names and values are C strings. An error ends the nest level with the
        // transaction.
        unsafe {
            let nest_level = pg_sys::NewGUCNestLevel();
            for (name, value) in settings {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    context,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            Self { nest_level }
        }
    }
}

impl Drop for LocalSettings {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort resets the settings.
        if !std::thread::panicking() {
            // SAFETY: closes the nest level that `set` opened.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
    }
}
