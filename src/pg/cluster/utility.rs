//! COPY into a shard, and TRUNCATE of one, work in its part: they fire the triggers of the shard without the executor.

// As in `planner`: errors pass through as Postgres raised them, so no value with a destructor is on their way.

use super::{copied, part};
use pgrx::pg_sys;
use std::ffi::c_char;
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_relname_relid(name: *const c_char, schema: pg_sys::Oid) -> pg_sys::Oid;
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        is_read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        to: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

static BEFORE_UTILITY: OnceLock<pg_sys::ProcessUtility_hook_type> = OnceLock::new();

/// Once, when the library is loaded, where Citus is.
pub(super) fn register() {
    // SAFETY: Postgres loads a library in one thread, and reads the hook in the same.
    unsafe {
        if BEFORE_UTILITY.set(pg_sys::ProcessUtility_hook).is_ok() {
            pg_sys::ProcessUtility_hook = Some(utility);
        }
    }
}

#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    is_read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    to: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: Postgres calls the hook with a statement that it wants run; what was there before runs it. The entry lies in this frame as
    // long as it is linked: it is unlinked below, or by whoever catches an error. A pointer to the statement
    // tells this statement from others, and is not read.
    unsafe {
        let begun = part::current() == 0
            && part::go_to(part_of((*statement).utilityStmt), statement.cast());
        let mut depth = 0;
        let is_copied = begun && (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_CopyStmt;
        let mut entry = copied::entry(is_copied, &mut depth);
        if entry.callback.is_some() {
            pg_sys::error_context_stack = &mut entry;
        }
        let next = BEFORE_UTILITY.get().copied().flatten().unwrap_or(standard_ProcessUtility);
        next(statement, text, is_read_only, context, parameters, environment, to, completion);
        pg_sys::error_context_stack = entry.previous;
        if begun {
            part::leave();
        }
    }
}

/// The part of the shard that a COPY writes to, or a TRUNCATE empties; 0 of any other statement.
///
/// # Safety
/// A statement.
unsafe fn part_of(node: *mut pg_sys::Node) -> u32 {
    // SAFETY: a node's tag says what it is; names are C strings or null.
    unsafe {
        if node.is_null() {
            return 0;
        }
        let table = match (*node).type_ {
            pg_sys::NodeTag::T_CopyStmt if (*node.cast::<pg_sys::CopyStmt>()).is_from => {
                (*node.cast::<pg_sys::CopyStmt>()).relation
            }
            // Citus empties one at a time, and what refers to it lies in the same part.
            pg_sys::NodeTag::T_TruncateStmt => {
                let tables = (*node.cast::<pg_sys::TruncateStmt>()).relations;
                pg_sys::list_nth(tables, 0).cast::<pg_sys::RangeVar>()
            }
            _ => return 0,
        };
        if table.is_null() || (*table).schemaname.is_null() {
            return 0;
        }
        let schema = get_namespace_oid((*table).schemaname, true);
        if schema == pg_sys::InvalidOid {
            return 0;
        }
        let shard = get_relname_relid((*table).relname, schema);
        if shard != pg_sys::InvalidOid && part::looks_like_shard(shard) {
            part::learn(shard)
        } else {
            0
        }
    }
}
