//! Which functions are called for a workspace, and go to the node where it lies.

use crate::error::Report;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_func_namespace(function: pg_sys::Oid) -> pg_sys::Oid;
    fn get_func_name(function: pg_sys::Oid) -> *mut c_char;
}

/// Functions that are sent, sorted. Each takes a workspace_id, and needs nothing but the workspace's part, the tables that
/// every node has all of, and what each node has for itself.
pub(crate) const SENT: [&str; 113] = [
    "abandon_executions",
    "abandon_syncs",
    "abort_sync",
    "acknowledge_changes",
    "add_execution_steps",
    "add_message",
    "add_messages",
    "adopt_records",
    "answer_execution",
    "apply_retention_of_part",
    "archive_records",
    "begin_rename_entity",
    "begin_sync",
    "cancel_execution",
    "changes_of_part",
    "checkpoint_sync",
    "claim_records",
    "complete_node",
    "complete_records",
    "consumer_lag_of_part",
    "continue_numbers_of_part",
    "conversation_window",
    "count_memories",
    "delete_connection",
    "delete_records",
    "delete_workspace_rows_of_part",
    "drop_backlog_step",
    "drop_enrichment_policy",
    "end_memories",
    "erase_user_of_part",
    "execution_report",
    "execution_report_by_user",
    "execution_retries",
    "expire_memories",
    "export_user",
    "extend_execution",
    "extend_lease",
    "fail_records",
    "feed_cursor_of_part",
    "feed_horizon_of_part",
    "find_secrets_of_part",
    "finish_execution",
    "finish_sync",
    "forget",
    "get_memories",
    "held_by_workspace_of_part",
    "history_of_part",
    "import_lines_of_part",
    "is_connected",
    "list_memories",
    "list_namespaces",
    "lock_memories",
    "look_at_retention_of_part",
    "maintain_step_of_part",
    "maintenance_due_of_part",
    "memory_history",
    "merge_inbox_batch",
    "merge_inbox_step",
    "metric_samples_of_part",
    "next_claim_at",
    "pause_enrichment",
    "pending_memory_embeddings",
    "pending_message_embeddings",
    "purge_rejects",
    "queue_backlog_step",
    "reap_leases",
    "recall_check",
    "redact_history_of_node",
    "redact_user_of_node",
    "release_records",
    "remember",
    "remember_many",
    "remove_enrichment_members",
    "rename_entity_step",
    "repair_enrichment_step",
    "repair_leases_step",
    "requeue_records",
    "required_connections",
    "restore_records",
    "resume_enrichment",
    "resume_execution",
    "resume_sync",
    "retry_rejects",
    "row_as_of_with",
    "row_history_with",
    "run_in_part",
    "schedule_records",
    "search_memories",
    "search_messages",
    "search_vectors_of_part",
    "set_enrichment_policy",
    "set_entity_options",
    "set_memory_embeddings",
    "set_message_embeddings",
    "settle_records",
    "start_execution",
    "status_of_part",
    "suspend_execution",
    "sweep_sync_step",
    "tidy_syncs",
    "touch_memories",
    "update_memory",
    "upsert_record",
    "upsert_records",
    "upsert_records_summary",
    "validate_workflow",
    "vectors_of_part",
    "view_rows_of_part",
    "wait_for_former_writers",
    "wait_for_leftover",
    "wait_for_workspace_of_part",
    "wait_for_writers",
    "workspaces_that_search_of_part",
];

/// Functions that do not work on distributed tables, sorted: all workspaces are read at once, or the lists that every node has
/// are written in a way that Citus has no plan for.
pub(super) const REFUSED: [&str; 2] = ["uninstall", "uninstall_report"];

/// A function does not work on distributed tables.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not work on distributed tables")]
pub(super) struct Refused(pub(super) String);

impl Report for Refused {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn detail(&self) -> Option<String> {
        Some("It reads or writes what lies on several nodes, as one server can and a cluster cannot.".to_owned())
    }

    fn hint(&self) -> Option<String> {
        Some("docs/citus.md says what to do instead. Before kepler.distribute(), and after kepler.undistribute(), it works.".to_owned())
    }
}

/// Whether a function is sent.
///
/// # Safety
/// Look-ups in the catalog's caches.
pub(super) unsafe fn is_sent(function: pg_sys::Oid) -> bool {
    // SAFETY: as the caller says.
    unsafe { is_among(function, &SENT) }
}

/// # Safety
/// As above.
pub(super) unsafe fn is_among(function: pg_sys::Oid, names: &[&str]) -> bool {
    // SAFETY: as the caller says; a name is a C string.
    unsafe {
        let schema = get_func_namespace(function);
        if schema != get_namespace_oid(c"kepler".as_ptr(), true)
            && schema != get_namespace_oid(c"kepler_internal".as_ptr(), true)
        {
            return false;
        }
        let name = get_func_name(function);
        !name.is_null()
            && str::from_utf8(CStr::from_ptr(name).to_bytes())
                .is_ok_and(|name| names.binary_search(&name).is_ok())
    }
}

/// What the argument of a function that is sent says of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Names {
    /// The workspace that the call works in, which lies there.
    Workspace,
    /// A workspace that would lie in the part that is meant. The call works in whatever the session works in.
    Part,
}

/// The place of the argument that says where a call goes: of `part_of`, and otherwise of `workspace_id`.
pub(super) fn workspace_argument(function: pg_sys::Oid) -> Option<(usize, Names)> {
    let place = |name: &CStr| argument(function, name);
    let part = place(c"part_of").map(|place| (place, Names::Part));
    part.or_else(|| place(c"workspace_id").map(|place| (place, Names::Workspace)))
}

/// The place of an argument.
fn argument(function: pg_sys::Oid, wanted: &CStr) -> Option<usize> {
    // SAFETY: names of the arguments that go in, as the row of the catalog has them.
    unsafe {
        let row = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as c_int,
            pg_sys::Datum::from(function),
        );
        if row.is_null() {
            return None;
        }
        let (mut no_names, mut no_modes) = (true, true);
        let of = |number: u32, is_null: &mut bool| {
            pg_sys::SysCacheGetAttr(
                pg_sys::SysCacheIdentifier::PROCOID as c_int,
                row,
                number as i16,
                is_null,
            )
        };
        let names = of(pg_sys::Anum_pg_proc_proargnames, &mut no_names);
        let modes = of(pg_sys::Anum_pg_proc_proargmodes, &mut no_modes);
        let mut found = None;
        if !no_names {
            let mut list: *mut *mut c_char = ptr::null_mut();
            let modes = if no_modes { pg_sys::Datum::null() } else { modes };
            let count = pg_sys::get_func_input_arg_names(names, modes, &mut list);
            found = (0..count as usize).find(|at| {
                let name = *list.add(*at);
                !name.is_null() && CStr::from_ptr(name) == wanted
            });
        }
        pg_sys::ReleaseSysCache(row);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_in_order() {
        assert!(SENT.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(REFUSED.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
