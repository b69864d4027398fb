//! Carries a call to the node of its workspace, where the planner has put `ship` in its place.
//!
//! Citus takes a call for a read, which needs no transaction there. So an insertion goes before the first call of a transaction for
//! a workspace that may write: of nothing.

// The function that Postgres finds by name is public for it alone.
#![allow(unreachable_pub)]

use super::calls::{Names, is_sent, workspace_argument};
use super::places::Lies;
use super::{alone, moved, part, tell};
use crate::error::{Error, Report};
use crate::ident::quote;
use crate::pg::local_settings::own_value;
use crate::pg::plan::OwnedStatement;
use crate::pg::relation;
use crate::pg::row_change::raise;
use crate::pg::transaction;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::settings::WORKSPACE_ID_NAME;
use pgrx::{IntoDatum, PgSqlErrorCode, pg_sys};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_int};
use std::rc::Rc;
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    fn datumCopy(value: pg_sys::Datum, by_value: bool, length: c_int) -> pg_sys::Datum;
}

/// Fails unless a call may be sent for a workspace.
type Check = fn(&str) -> Result<(), Error>;

static BEFORE: OnceLock<Check> = OnceLock::new();

/// Says what is asked before a call is sent; once, when the library is loaded.
pub(crate) fn register(check: Check) {
    let _ = BEFORE.set(check);
}

/// Searches, which tell afterwards how they went. Their answers come with that, in a column behind their own.
const SEARCHES: [&CStr; 2] = [c"search_memories", c"search_messages"];

static AFTER_SEARCH: OnceLock<fn(&str)> = OnceLock::new();

/// Says who is told how a search went that was sent; once, when the library is loaded.
pub(crate) fn on_search(note: fn(&str)) {
    let _ = AFTER_SEARCH.set(note);
}

fn is_search(function: pg_sys::Oid) -> bool {
    // SAFETY: a function that exists has a name.
    let name = unsafe { CStr::from_ptr(pg_sys::get_func_name(function)) };
    SEARCHES.contains(&name)
}

/// Settings of the session that go along.
pub(crate) const SETTINGS: [&CStr; 12] = [
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
    c"lock_timeout",
];

/// Somebody has called `ship` by hand.
#[derive(Debug, thiserror::Error)]
#[error("the function is called by Kepler's planner alone")]
struct NotPlanned;

impl Report for NotPlanned {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn hint(&self) -> Option<String> {
        Some("Call the function that you need, on any node: Kepler sends it where its workspace lies.".to_owned())
    }
}

/// A function, the types of what it is called with, and which of that says where it is sent, if it is.
type Key = (pg_sys::Oid, Vec<pg_sys::Oid>, Option<(usize, Names)>);

thread_local! {
    static STATEMENTS: RefCell<HashMap<Key, Rc<OwnedStatement>>> = RefCell::default();
    /// Whether calls stay here.
    static HERE: Cell<bool> = const { Cell::new(false) };
    /// Workspaces that the transaction has sent calls to that may write.
    static SENT_TO: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static WRITE: RefCell<Option<Rc<OwnedStatement>>> = const { RefCell::new(None) };
    /// What these are about.
    static PARTS: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// Whether calls stay here.
pub(super) fn stays_here() -> bool {
    HERE.get()
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
            return Err(NotPlanned.into());
        }
        let given = std::slice::from_raw_parts((*call).args.as_ptr(), count);
        let types: Vec<pg_sys::Oid> = (0..count)
            .map(|at| pg_sys::exprType(pg_sys::list_nth((*expression).args, at as i32).cast()))
            // Other nodes need not have a domain of the caller's.
            .map(|of| pg_sys::getBaseType(of))
            .collect();
        // Anybody may call this too. Values are read as what the planner would have put there, so they have to be that.
        if types[..2] != [pg_sys::OIDOID, pg_sys::INT4OID] || given[..2].iter().any(|of| of.isnull)
        {
            return Err(NotPlanned.into());
        }
        let function = pg_sys::Oid::from(given[0].value.value() as u32);
        let place = given[1].value.value();
        let to = workspace_argument(function).filter(|(of, _)| *of == place);
        if !is_sent(function)
            || to.is_none()
            || types.get(place + 2) != Some(&pg_sys::TEXTOID)
            || pg_sys::get_func_rettype(function) != (*expression).funcresulttype
            || pg_sys::get_func_retset(function) != (*expression).funcretset
        {
            return Err(NotPlanned.into());
        }
        may_execute(function);
        let types = types[2..].to_vec();
        let mut values: Vec<Option<pg_sys::Datum>> =
            given[2..].iter().map(|value| (!value.isnull).then_some(value.value)).collect();
        let workspace = values.get(place).copied().flatten();
        // Of no workspace, as of an empty one, is what a node does for itself.
        let workspace = workspace.map(|id| crate::pg::varlena::text(id).to_owned());
        let workspace = workspace.filter(|id| !id.is_empty());
        // A plan may be older than kepler.undistribute().
        let workspace = workspace.filter(|_| part::is_distributed());
        // A table that is on this node alone is read here.
        let workspace = workspace.filter(|_| !names_own_table(&types, &values));
        let result = (*expression).funcresulttype;
        let is_row = pg_sys::type_is_rowtype(result);
        // A part that lies on this node is worked in by the session itself.
        let own = workspace.as_deref().and_then(|id| moved::begin_here(&Text::new(id)));
        let is_sent = workspace.is_some() && own.is_none();
        let of = to.filter(|_| is_sent);
        let is_search = of.is_some() && is_search(function);
        if let (true, Some(note)) = (is_search, AFTER_SEARCH.get()) {
            note("");
        }
        forget_former();
        let statement = statement((function, types, of), is_row);
        let _here = (!is_sent).then(Here::begin);
        if let Some(workspace) = workspace.as_ref().filter(|_| is_sent) {
            if matches!(to, Some((_, Names::Workspace))) {
                BEFORE.get().map_or(Ok(()), |check| check(workspace))?;
            }
            values.push(settings(to).into_datum());
            join(workspace, function, expression)?;
        }
        let outside = pg_sys::CurrentMemoryContext;
        Ok(Spi::connect_unseen(statement.text(), |client| {
            let rows = statement.run(client, &values);
            let (columns, rows) = rows.raw();
            if (*expression).funcretset {
                pg_sys::MemoryContextSwitchTo(outside);
                let info = (*call).resultinfo.cast::<pg_sys::ReturnSetInfo>();
                // Beside other values, and not in FROM: each row is one value.
                if !info.is_null() && (*info).expectedDesc.is_null() {
                    give_values(info, result, columns, rows, is_row, is_search);
                    return pg_sys::Datum::null();
                }
                pg_sys::InitMaterializedSRF(call, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
                for row in rows {
                    if is_search {
                        if let Some((mut values, mut nulls)) = found(columns, *row) {
                            let (store, of) = ((*info).setResult, (*info).setDesc);
                            pg_sys::tuplestore_putvalues(
                                store,
                                of,
                                values.as_mut_ptr(),
                                nulls.as_mut_ptr(),
                            );
                        }
                    } else {
                        pg_sys::tuplestore_puttuple((*info).setResult, *row);
                    }
                }
                return pg_sys::Datum::null();
            }
            let Some(row) = rows.first() else {
                (*call).isnull = true;
                return pg_sys::Datum::null();
            };
            let before = pg_sys::MemoryContextSwitchTo(outside);
            let given = if is_row {
                pg_sys::heap_copy_tuple_as_datum(*row, described(result, columns, false))
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

/// What of a row of a search there is, without its last column, which tells how the search went. There is a row also where nothing was
/// found: then there is nothing.
///
/// # Safety
/// A row with these columns.
unsafe fn found(
    columns: pg_sys::TupleDesc,
    row: pg_sys::HeapTuple,
) -> Option<(Vec<pg_sys::Datum>, Vec<bool>)> {
    // SAFETY: as the caller says; the last column is a text.
    unsafe {
        let count = (*columns).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); count];
        let mut nulls = vec![true; count];
        pg_sys::heap_deform_tuple(row, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        if let (Some(note), false) = (AFTER_SEARCH.get(), nulls[count - 1]) {
            note(crate::pg::varlena::text(values[count - 1]));
        }
        (!nulls[0]).then_some((values, nulls))
    }
}

/// The columns of a type of rows; of a record those that it has, but for the last of a search.
///
/// # Safety
/// A type of rows, and columns of the right types.
unsafe fn described(
    result: pg_sys::Oid,
    columns: pg_sys::TupleDesc,
    is_search: bool,
) -> pg_sys::TupleDesc {
    // SAFETY: as the caller says.
    unsafe {
        match result {
            pg_sys::RECORDOID => {
                let count = (*columns).natts - i32::from(is_search);
                let own = pg_sys::CreateTemplateTupleDesc(count);
                for at in 1..=count as pg_sys::AttrNumber {
                    pg_sys::TupleDescCopyEntry(own, at, columns, at);
                }
                pg_sys::BlessTupleDesc(own)
            }
            named => pg_sys::lookup_rowtype_tupdesc_copy(named, -1),
        }
    }
}

/// Gives rows as values of one column, to an executor that asks for a set of values.
///
/// # Safety
/// The executor's request, and rows of the columns.
unsafe fn give_values(
    info: *mut pg_sys::ReturnSetInfo,
    result: pg_sys::Oid,
    columns: pg_sys::TupleDesc,
    rows: &[pg_sys::HeapTuple],
    is_row: bool,
    is_search: bool,
) {
    // SAFETY: as the caller says; what the executor reads later lies in the memory of its query.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo((*(*info).econtext).ecxt_per_query_memory);
        let one = pg_sys::CreateTemplateTupleDesc(1);
        pg_sys::TupleDescInitEntry(one, 1, c"value".as_ptr(), result, -1, 0);
        let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
        (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        (*info).setResult = store;
        (*info).setDesc = one;
        let of_row = (is_row && !rows.is_empty()).then(|| described(result, columns, is_search));
        for row in rows {
            let mut is_null = false;
            let mut value = match of_row {
                Some(of_row) if is_search => {
                    let Some((mut values, mut nulls)) = found(columns, *row) else { continue };
                    let own =
                        pg_sys::heap_form_tuple(of_row, values.as_mut_ptr(), nulls.as_mut_ptr());
                    pg_sys::heap_copy_tuple_as_datum(own, of_row)
                }
                Some(of_row) => pg_sys::heap_copy_tuple_as_datum(*row, of_row),
                None => pg_sys::SPI_getbinval(*row, columns, 1, &mut is_null),
            };
            pg_sys::tuplestore_putvalues(store, one, &raw mut value, &raw mut is_null);
        }
        pg_sys::MemoryContextSwitchTo(before);
    }
}

/// Whether an argument is a table that is on this node alone.
fn names_own_table(types: &[pg_sys::Oid], values: &[Option<pg_sys::Datum>]) -> bool {
    types.iter().zip(values).any(|(of, value)| {
        let table = value.filter(|_| *of == pg_sys::REGCLASSOID);
        table.is_some_and(|table| part::lies(pg_sys::Oid::from(table.value() as u32)) == Lies::Here)
    })
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

/// Settings of the session that somebody has set, each before its value. Where a call works in no workspace that it names, that of
/// the session is one.
fn settings(to: Option<(usize, Names)>) -> Vec<String> {
    let set = |name: &&CStr| Some([name.to_str().ok()?.to_owned(), own_value(name)?]);
    let is_to_part = matches!(to, Some((_, Names::Part)));
    let workspace = is_to_part.then_some(&WORKSPACE_ID_NAME);
    let read_only = ["transaction_read_only".to_owned(), "on".to_owned()];
    let read_only = transaction::is_read_only().then_some(read_only);
    SETTINGS.iter().chain(workspace).filter_map(set).chain(read_only).flatten().collect()
}

/// An insertion, of which a trigger makes nothing.
fn write() -> Rc<OwnedStatement> {
    let sql = "INSERT INTO kepler.parts AS p (workspace_id) VALUES ($1)";
    let make = || Rc::new(OwnedStatement::new(sql.to_owned(), vec![pg_sys::TEXTOID]));
    WRITE.with_borrow_mut(|write| Rc::clone(write.get_or_insert_with(make)))
}

/// Forgets statements on a `kepler.parts` that is another table now: kepler.undistribute() drops it.
fn forget_former() {
    let parts = relation::named_exactly(c"kepler", c"parts").unwrap_or(pg_sys::InvalidOid);
    if PARTS.replace(parts) != parts {
        STATEMENTS.with_borrow_mut(HashMap::clear);
        WRITE.take();
    }
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
            Some((place, _)) if at == *place => "e.workspace_id".to_owned(),
            _ => format!("{variadic}${}", at + 1),
        }
    };
    let arguments: Vec<String> = (0..types.len()).map(argument).collect();
    let (given, alias) = if is_row { ("r.*", "r") } else { ("r.value", "r (value)") };
    let call = format!("{}.{}({})", quote(&schema), quote(&name), arguments.join(", "));
    let mut of: Vec<pg_sys::Oid> = types.clone();
    let sql = match place {
        None => format!("SELECT {given} FROM {call} AS {alias}"),
        Some((place, names)) => {
            of.push(pg_sys::TEXTARRAYOID);
            let (workspace, settings) = (place + 1, of.len());
            let enter = match names {
                Names::Workspace => "kepler_internal.enter_part(",
                Names::Part => "kepler_internal.look_into_part(",
            };
            let (given, join, on) = if is_search(*function) {
                let last = "pg_catalog.to_json(kepler.last_search())::pg_catalog.text";
                (format!("{given}, {last}"), "LEFT JOIN LATERAL", " ON true")
            } else {
                (given.to_owned(), "CROSS JOIN LATERAL", "")
            };
            format!(
                "SELECT {given}
                 FROM (SELECT {enter}${workspace}, ${settings}) AS workspace_id
                       FROM (SELECT pg_catalog.count(*)
                             FROM (SELECT FROM kepler.parts AS p WHERE p.workspace_id = ${workspace} LIMIT 0) AS p) AS n
                       OFFSET 0) AS e
                 {join} {call} AS {alias}{on}"
            )
        }
    };
    let made = Rc::new(OwnedStatement::new(sql, of));
    STATEMENTS.with_borrow_mut(|known| known.insert(key, Rc::clone(&made)));
    made
}

/// Has what a call may write be committed with the rest of its transaction. A call that is all of its transaction needs nothing:
/// its node commits it before it answers.
///
/// # Safety
/// The expression of a call that runs.
unsafe fn join(
    workspace: &str,
    function: pg_sys::Oid,
    expression: *const pg_sys::FuncExpr,
) -> Result<(), Error> {
    part::watch();
    // SAFETY: a look-up of a function that exists; and as the caller says.
    let needs_nothing = unsafe {
        pg_sys::func_volatile(function) as u8 != pg_sys::PROVOLATILE_VOLATILE
            || transaction::is_read_only()
            || SENT_TO.with_borrow(Vec::is_empty) && alone::is_all(expression)
    };
    if needs_nothing {
        return Ok(());
    }
    tell::commit_in_two_phases()?;
    let is_new = SENT_TO.with_borrow_mut(|sent| {
        let is_new = !sent.iter().any(|to| to == workspace);
        if is_new {
            sent.push(workspace.to_owned());
        }
        is_new
    });
    if is_new {
        let id = Text::new(workspace);
        let plan = write();
        Spi::connect_mut(|client| {
            plan.run(client, &[Some(id.datum())]);
        });
    }
    Ok(())
}
