//! A hint for whoever lacks a right on one of Kepler's tables: which level of access has it.
//!
//! Postgres checks rights when it starts a statement, whoever wrote it: a function of ours in any language,
//! or the caller. So the hint is added there, to the error on its way. The hook runs for every
//! statement of the session and must cost nothing: it links a context into Postgres' chain of them.

use super::current;
use super::error::grant_hint;
use super::level;
use crate::pg::executor::{self, Refused};
use std::ffi::CString;

/// Puts the hook in place; once, when the library is loaded.
pub(crate) fn register() {
    executor::on_missing_right(hint);
}

/// What to say to `role`, who lacks rights on a relation.
fn hint(refused: &Refused<'_>) -> Option<CString> {
    if !matches!(refused.schema, "kepler" | "kepler_data") {
        return None;
    }
    let level = level::lowest(refused.schema, refused.relation, &refused.rights)?.name();
    let workspace = current::of_member();
    CString::new(grant_hint(refused.role, level, workspace.as_deref())).ok()
}
