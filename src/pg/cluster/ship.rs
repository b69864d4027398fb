//! Calls for a workspace go to the node where it lies.
//!
//! The planner finds calls of these functions and puts `kepler_internal.ship` in their place, which gets the arguments and
//! sends the call on in a statement that names the workspace. Citus takes the whole statement to the node of the part. There
//! it begins with `enter_part`, which sees to it that the session works in the workspace, if the role may.
//!
//! Citus takes a call for a read, which needs no transaction there, and nothing in two phases where there are several. So a
//! deletion goes before the first call of a transaction for a workspace that may write: of nothing.

// `divert` is on the way of everybody's errors: no value with a destructor there.

// The function that Postgres finds by name is public for it alone.
#![allow(unreachable_pub)]

use super::places::Lies;
use super::{is_loaded, part};
use crate::error::{Error, Report};
use crate::ident::quote;
use crate::pg::local_settings::own_value;
use crate::pg::plan::OwnedStatement;
use crate::pg::row_change::raise;
use crate::pg::transaction;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{IntoDatum, PgLogLevel, PgSqlErrorCode, ereport, pg_sys};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_func_namespace(function: pg_sys::Oid) -> pg_sys::Oid;
    fn get_func_name(function: pg_sys::Oid) -> *mut c_char;
    fn datumCopy(value: pg_sys::Datum, by_value: bool, length: c_int) -> pg_sys::Datum;
    fn query_tree_walker_impl(
        query: *mut pg_sys::Query,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;
    fn expression_tree_walker_impl(
        node: *mut pg_sys::Node,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
    ) -> bool;
}

/// Functions that are sent, sorted. Each takes a workspace_id, and needs nothing but the workspace's part, the tables that
/// every node has all of, and what each node has for itself.
pub(crate) const SENT: [&str; 92] = [
    "abandon_executions",
    "abandon_syncs",
    "abort_sync",
    "acknowledge_changes",
    "add_execution_steps",
    "add_message",
    "add_messages",
    "adopt_records",
    "answer_execution",
    "archive_records",
    "begin_rename_entity",
    "begin_sync",
    "cancel_execution",
    "changes_since",
    "checkpoint_sync",
    "claim_records",
    "complete_records",
    "consumer_lag",
    "conversation_window",
    "count_memories",
    "delete_connection",
    "delete_records",
    "drop_backlog_step",
    "drop_enrichment_policy",
    "end_memories",
    "execution_report",
    "execution_report_by_user",
    "execution_retries",
    "expire_memories",
    "export_user",
    "extend_execution",
    "extend_lease",
    "fail_records",
    "feed_cursor",
    "feed_lag",
    "finish_execution",
    "finish_sync",
    "forget",
    "get_memories",
    "is_connected",
    "list_memories",
    "list_namespaces",
    "maintain_step_of_part",
    "maintenance_due_of_part",
    "memory_history",
    "merge_inbox_batch",
    "merge_inbox_step",
    "next_claim_at",
    "pause_enrichment",
    "pending_memory_embeddings",
    "pending_message_embeddings",
    "purge_rejects",
    "queue_backlog_step",
    "reap_leases",
    "recall_check",
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
    "row_as_of",
    "row_history",
    "schedule_records",
    "search_memories",
    "search_messages",
    "set_enrichment_policy",
    "set_entity_options",
    "set_memory_embeddings",
    "set_message_embeddings",
    "settle_records",
    "start_execution",
    "suspend_execution",
    "sweep_sync_step",
    "tidy_syncs",
    "touch_memories",
    "update_memory",
    "upsert_record",
    "upsert_records",
    "upsert_records_summary",
    "validate_workflow",
    "wait_for_former_writers",
    "wait_for_leftover",
    "wait_for_writers",
];

/// Functions that do not work on distributed tables, sorted: all workspaces are read at once, or the lists that every node has
/// are written in a way that Citus has no plan for.
const REFUSED: [&str; 9] = [
    "begin_workspace_deletion",
    "erase_user",
    "find_secrets",
    "import_workspace",
    "metrics",
    "set_retention",
    "status",
    "track",
    "uninstall",
];

/// A function does not work on distributed tables.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not work on distributed tables")]
struct Refused(String);

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

/// Settings of the session that go along.
const SETTINGS: [&CStr; 11] = [
    c"kepler.actor",
    c"kepler.request_id",
    c"kepler.on_secret",
    c"kepler.secret_reference_schemes",
    c"kepler.sync_run_id",
    c"TimeZone",
    c"DateStyle",
    c"IntervalStyle",
    c"hnsw.ef_search",
    c"ivfflat.probes",
    c"extra_float_digits",
];

/// Whether a function is sent.
///
/// # Safety
/// Look-ups in the catalog's caches.
unsafe fn is_sent(function: pg_sys::Oid) -> bool {
    // SAFETY: as the caller says.
    unsafe { is_among(function, &SENT) }
}

/// # Safety
/// As above.
unsafe fn is_among(function: pg_sys::Oid, names: &[&str]) -> bool {
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

/// Puts `ship` in the place of calls for a workspace. A query that names distributed tables goes to their nodes by itself.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn divert(query: *mut pg_sys::Query) {
    // SAFETY: the walkers read the nodes that Postgres hands them.
    unsafe {
        if !is_loaded()
            || part::current() != 0
            || HERE.get()
            || !finds_call(query.cast(), ptr::null_mut())
            || finds_distributed(query.cast(), ptr::null_mut())
            || !is_distributed()
        {
            return;
        }
        replace(query.cast(), ptr::null_mut());
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_distributed() -> bool {
    part::is_distributed()
}

unsafe extern "C-unwind" fn finds_call(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                query_tree_walker_impl(node.cast(), Some(finds_call), context, 0)
            }
            pg_sys::NodeTag::T_FuncExpr if is_sent((*node.cast::<pg_sys::FuncExpr>()).funcid) => {
                true
            }
            pg_sys::NodeTag::T_FuncExpr
                if is_among((*node.cast::<pg_sys::FuncExpr>()).funcid, &REFUSED) =>
            {
                refuse_on_cluster((*node.cast::<pg_sys::FuncExpr>()).funcid);
                expression_tree_walker_impl(node, Some(finds_call), context)
            }
            _ => expression_tree_walker_impl(node, Some(finds_call), context),
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn refuse_on_cluster(function: pg_sys::Oid) {
    if part::is_distributed() {
        // SAFETY: a function that exists has a name.
        let name = unsafe { CStr::from_ptr(pg_sys::get_func_name(function)).to_string_lossy() };
        ErrorReport::from(Error::from(Refused(format!("{name}()")))).report(PgLogLevel::ERROR);
    }
}

unsafe extern "C-unwind" fn finds_distributed(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> bool {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn is_elsewhere(table: pg_sys::Oid) -> bool {
        part::lies(table) != Lies::Here
    }
    // SAFETY: as above.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblEntry => {
                let entry = node.cast::<pg_sys::RangeTblEntry>();
                (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                    && part::is_in_own_schema((*entry).relid)
                    && (part::looks_like_shard((*entry).relid) || is_elsewhere((*entry).relid))
            }
            pg_sys::NodeTag::T_Query => query_tree_walker_impl(
                node.cast(),
                Some(finds_distributed),
                context,
                pg_sys::QTW_EXAMINE_RTES_BEFORE as c_int,
            ),
            _ => expression_tree_walker_impl(node, Some(finds_distributed), context),
        }
    }
}

unsafe extern "C-unwind" fn replace(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: as above.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                query_tree_walker_impl(node.cast(), Some(replace), context, 0)
            }
            pg_sys::NodeTag::T_RangeTblFunction => {
                let of = node.cast::<pg_sys::RangeTblFunction>();
                let call = (*of).funcexpr;
                let is_call = !call.is_null() && (*call).type_ == pg_sys::NodeTag::T_FuncExpr;
                if is_call && is_sent((*call.cast::<pg_sys::FuncExpr>()).funcid) {
                    name_columns(of);
                }
                expression_tree_walker_impl(node, Some(replace), context)
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = node.cast::<pg_sys::FuncExpr>();
                if is_sent((*call).funcid) {
                    wrap(call);
                }
                expression_tree_walker_impl(node, Some(replace), context)
            }
            _ => expression_tree_walker_impl(node, Some(replace), context),
        }
    }
}

/// Says the columns of a function that gives records, as `ship` does not know them.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn name_columns(of: *mut pg_sys::RangeTblFunction) {
    // SAFETY: an expression of the query; lists are made as Postgres makes them.
    unsafe {
        let call = (*of).funcexpr.cast::<pg_sys::FuncExpr>();
        if (*call).funcresulttype != pg_sys::RECORDOID || !(*of).funccolnames.is_null() {
            return;
        }
        let (mut result, mut columns) = (pg_sys::InvalidOid, ptr::null_mut());
        pg_sys::get_expr_result_type((*of).funcexpr, &mut result, &mut columns);
        if columns.is_null() {
            return;
        }
        for number in 1..=(*columns).natts as usize {
            let column = &*crate::pg::row_change::attribute(columns, number);
            let name = pg_sys::pstrdup(column.attname.data.as_ptr());
            (*of).funccolnames =
                pg_sys::lappend((*of).funccolnames, pg_sys::makeString(name).cast());
            (*of).funccoltypes = pg_sys::lappend_oid((*of).funccoltypes, column.atttypid);
            (*of).funccoltypmods = pg_sys::lappend_int((*of).funccoltypmods, column.atttypmod);
            (*of).funccolcollations =
                pg_sys::lappend_oid((*of).funccolcollations, column.attcollation);
        }
    }
}

/// Puts `ship` in the place of a call, with the function and the place of the workspace before the arguments.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn wrap(call: *mut pg_sys::FuncExpr) {
    // SAFETY: an expression of the query; the row of the catalog is there until it is given back.
    unsafe {
        let Some(place) = workspace_argument((*call).funcid) else { return };
        let function = (*call).funcid;
        let row = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as c_int,
            pg_sys::Datum::from(function),
        );
        if row.is_null() {
            return;
        }
        let arguments =
            pg_sys::expand_function_arguments((*call).args, false, (*call).funcresulttype, row);
        pg_sys::ReleaseSysCache(row);
        let Some(ship) = ship_function() else { return };
        let place = pg_sys::makeConst(
            pg_sys::INT4OID,
            -1,
            pg_sys::InvalidOid,
            4,
            pg_sys::Datum::from(place as i32),
            false,
            true,
        );
        let which = pg_sys::makeConst(
            pg_sys::OIDOID,
            -1,
            pg_sys::InvalidOid,
            4,
            pg_sys::Datum::from(function),
            false,
            true,
        );
        (*call).args = pg_sys::lcons(which.cast(), pg_sys::lcons(place.cast(), arguments));
        (*call).funcid = ship;
        (*call).funcvariadic = false;
    }
}

fn ship_function() -> Option<pg_sys::Oid> {
    // SAFETY: a look-up by name, which gives nothing where there is no such function.
    unsafe {
        let name = |text: &CStr| pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast();
        let names = pg_sys::lappend(ptr::null_mut(), name(c"kepler_internal"));
        let names = pg_sys::lappend(names, name(c"ship"));
        let found = pg_sys::LookupFuncName(names, -1, ptr::null(), true);
        (found != pg_sys::InvalidOid).then_some(found)
    }
}

/// The place of the argument workspace_id of a function.
fn workspace_argument(function: pg_sys::Oid) -> Option<usize> {
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
                !name.is_null() && CStr::from_ptr(name) == c"workspace_id"
            });
        }
        pg_sys::ReleaseSysCache(row);
        found
    }
}

/// A function, the types of what it is called with, and the place of the workspace, if it is sent to one.
type Key = (pg_sys::Oid, Vec<pg_sys::Oid>, Option<usize>);

thread_local! {
    static STATEMENTS: RefCell<HashMap<Key, Rc<OwnedStatement>>> = RefCell::default();
    /// Whether calls stay here.
    static HERE: Cell<bool> = const { Cell::new(false) };
    /// Workspaces that the transaction has sent calls to that may write.
    static SENT_TO: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static WRITE: OwnedStatement = OwnedStatement::new(
        "DELETE FROM kepler.parts AS p WHERE p.workspace_id = $1".to_owned(),
        vec![pg_sys::TEXTOID],
    );
}

/// While this lives, calls stay here.
struct Here(bool);

impl Here {
    fn begin() -> Self {
        Self(HERE.replace(true))
    }
}

/// Also while an error unwinds.
impl Drop for Here {
    fn drop(&mut self) {
        HERE.set(self.0);
    }
}

/// The transaction has ended.
pub(super) fn forget() {
    SENT_TO.with_borrow_mut(Vec::clear);
}

/// Sends a call on, and gives what it gives. Postgres calls it, where the planner has put it.
///
/// # Safety
/// A call of `kepler_internal.ship`.
#[unsafe(no_mangle)]
#[pgrx::pg_guard]
pub unsafe extern "C-unwind" fn kepler_ship(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as the caller says.
    unsafe { send(call).unwrap_or_else(|error| raise(error)) }
}

/// How it is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_kepler_ship() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// # Safety
/// A call of `kepler_internal.ship`.
unsafe fn send(call: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum, Error> {
    // SAFETY: a running call; the planner has put a function and a place before the arguments.
    unsafe {
        let expression = (*(*call).flinfo).fn_expr.cast::<pg_sys::FuncExpr>();
        let count = (*call).nargs as usize;
        if expression.is_null()
            || (*expression).xpr.type_ != pg_sys::NodeTag::T_FuncExpr
            || count < 3
        {
            refuse();
        }
        let given = std::slice::from_raw_parts((*call).args.as_ptr(), count);
        let function = pg_sys::Oid::from(given[0].value.value() as u32);
        let place = given[1].value.value();
        if !is_sent(function) || workspace_argument(function) != Some(place) {
            refuse();
        }
        may_execute(function);
        let types: Vec<pg_sys::Oid> = (2..count)
            .map(|at| pg_sys::exprType(pg_sys::list_nth((*expression).args, at as i32).cast()))
            .collect();
        let mut values: Vec<Option<pg_sys::Datum>> =
            given[2..].iter().map(|value| (!value.isnull).then_some(value.value)).collect();
        let workspace = values.get(place).copied().flatten();
        // Of no workspace, as of an empty one, is what a node does for itself.
        let workspace = workspace.map(|id| crate::pg::varlena::text(id).to_owned());
        let workspace = workspace.filter(|id| !id.is_empty());
        // A table that is on this node alone is read here.
        let workspace = workspace.filter(|_| !names_own_table(&types, &values));
        let result = (*expression).funcresulttype;
        let is_row = pg_sys::type_is_rowtype(result);
        let of = if workspace.is_some() { Some(place) } else { None };
        let statement = statement((function, types, of), is_row);
        let _here = workspace.is_none().then(Here::begin);
        if let Some(workspace) = &workspace {
            values.push(settings().into_datum());
            note(workspace, function);
        }
        let outside = pg_sys::CurrentMemoryContext;
        Ok(Spi::connect_mut(|client| {
            let rows = statement.run(client, &values);
            let (columns, rows) = rows.raw();
            if (*expression).funcretset {
                pg_sys::MemoryContextSwitchTo(outside);
                pg_sys::InitMaterializedSRF(call, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
                let info = (*call).resultinfo.cast::<pg_sys::ReturnSetInfo>();
                for row in rows {
                    pg_sys::tuplestore_puttuple((*info).setResult, *row);
                }
                return pg_sys::Datum::null();
            }
            let Some(row) = rows.first() else {
                (*call).isnull = true;
                return pg_sys::Datum::null();
            };
            let before = pg_sys::MemoryContextSwitchTo(outside);
            let given = if is_row {
                let columns = match result {
                    pg_sys::RECORDOID => {
                        pg_sys::BlessTupleDesc(pg_sys::CreateTupleDescCopy(columns))
                    }
                    named => pg_sys::lookup_rowtype_tupdesc_copy(named, -1),
                };
                pg_sys::heap_copy_tuple_as_datum(*row, columns)
            } else {
                let mut is_null = false;
                let value = pg_sys::SPI_getbinval(*row, columns, 1, &mut is_null);
                (*call).isnull = is_null && result != pg_sys::VOIDOID;
                let (mut length, mut by_value) = (0, false);
                pg_sys::get_typlenbyval(result, &mut length, &mut by_value);
                if is_null { value } else { datumCopy(value, by_value, length.into()) }
            };
            pg_sys::MemoryContextSwitchTo(before);
            given
        }))
    }
}

/// Whether an argument is a table that is on this node alone.
fn names_own_table(types: &[pg_sys::Oid], values: &[Option<pg_sys::Datum>]) -> bool {
    types.iter().zip(values).any(|(of, value)| {
        let table = value.filter(|_| *of == pg_sys::REGCLASSOID);
        table.is_some_and(|table| part::lies(pg_sys::Oid::from(table.value() as u32)) == Lies::Here)
    })
}

fn refuse() -> ! {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "the function is called by Kepler's planner alone"
    );
}

/// Fails as the call itself would.
fn may_execute(function: pg_sys::Oid) {
    let role = crate::pg::role::current();
    if !crate::pg::function::may_execute(function, role) {
        // SAFETY: a look-up, and Postgres' own error.
        unsafe {
            let name = pg_sys::get_func_name(function);
            pg_sys::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NO_PRIV,
                pg_sys::ObjectType::OBJECT_FUNCTION,
                name,
            );
        }
    }
}

/// Settings of the session that somebody has set, each before its value.
fn settings() -> Vec<String> {
    let set = |name: &&CStr| Some([name.to_str().ok()?.to_owned(), own_value(name)?]);
    SETTINGS.iter().filter_map(set).flatten().collect()
}

/// The statement that carries a call.
fn statement(key: Key, is_row: bool) -> Rc<OwnedStatement> {
    if let Some(known) = STATEMENTS.with_borrow(|known| known.get(&key).cloned()) {
        return known;
    }
    let (function, types, place) = &key;
    // SAFETY: the function exists, having been called; names are C strings.
    let (schema, name, is_variadic) = unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_func_namespace(*function));
        let name = pg_sys::get_func_name(*function);
        let text = |name| CStr::from_ptr(name).to_string_lossy().into_owned();
        let is_variadic = pg_sys::get_func_variadictype(*function) != pg_sys::InvalidOid;
        (text(schema), text(name), is_variadic)
    };
    let argument = |at: usize| {
        let variadic = if is_variadic && at + 1 == types.len() { "VARIADIC " } else { "" };
        match place {
            Some(place) if at == *place => "e.workspace_id".to_owned(),
            _ => format!("{variadic}${}", at + 1),
        }
    };
    let arguments: Vec<String> = (0..types.len()).map(argument).collect();
    let (given, alias) = if is_row { ("r.*", "r") } else { ("r.value", "r (value)") };
    let call = format!("{}.{}({})", quote(&schema), quote(&name), arguments.join(", "));
    let mut of: Vec<pg_sys::Oid> = types.clone();
    let sql = match place {
        None => format!("SELECT {given} FROM {call} AS {alias}"),
        Some(place) => {
            of.push(pg_sys::TEXTARRAYOID);
            let (workspace, settings) = (place + 1, of.len());
            format!(
                "SELECT {given}
                 FROM (SELECT kepler_internal.enter_part(${workspace}, ${settings}) AS workspace_id
                       FROM (SELECT pg_catalog.count(*)
                             FROM (SELECT FROM kepler.parts AS p WHERE p.workspace_id = ${workspace} LIMIT 0) AS p) AS n
                       OFFSET 0) AS e
                 CROSS JOIN LATERAL {call} AS {alias}"
            )
        }
    };
    let made = Rc::new(OwnedStatement::new(sql, of));
    STATEMENTS.with_borrow_mut(|known| known.insert(key, Rc::clone(&made)));
    made
}

/// Notes where the transaction sends a call that may write, and lets a write go before it: Citus begins a transaction there, and
/// commits it with all others.
fn note(workspace: &str, function: pg_sys::Oid) {
    part::watch();
    // SAFETY: a look-up of a function that exists.
    let is_volatile =
        unsafe { pg_sys::func_volatile(function) as u8 == pg_sys::PROVOLATILE_VOLATILE };
    if !is_volatile || transaction::is_read_only() {
        return;
    }
    let is_new = SENT_TO.with_borrow_mut(|sent| {
        let is_new = !sent.iter().any(|to| to == workspace);
        if is_new {
            sent.push(workspace.to_owned());
        }
        is_new
    });
    if is_new {
        let id = Text::new(workspace);
        Spi::connect_mut(|client| {
            WRITE.with(|plan| plan.run(client, &[Some(id.datum())]));
        });
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
