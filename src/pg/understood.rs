//! Expressions as Postgres understands them: parsed and analysed as a definition of a table is, and printed again as the
//! catalog prints what was stored. Nothing is stored, and no function of an expression is called but those that its
//! constants need.

use super::subtransaction::{Refusal, attempt_rows};
use pgrx::{PgList, PgSqlErrorCode, ereport, pg_sys};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A condition over the columns of what stands behind FROM.
pub(crate) struct Condition {
    /// Over one table that is there: as the catalog prints the condition of an index of it.
    pub(crate) printed: Option<String>,
    /// Of the same rows it is always the same.
    pub(crate) is_immutable: bool,
}

/// Whether a type, as SQL spells it, is there.
pub(crate) fn check_type(sql_type: &str) -> Result<(), Refusal> {
    attempt_rows(|| {
        find_type(sql_type);
    })
}

/// An expression as the default of a column of a type, as the catalog prints it.
pub(crate) fn default(expression: &str, sql_type: &str, column: &str) -> Result<String, Refusal> {
    // SAFETY: what was analysed lies in the current memory, as long as it is printed.
    attempt_rows(|| unsafe { print(cooked(expression, sql_type, column), ptr::null_mut()) })
}

/// What keeps an expression from being the default of a column, or from fitting into it: what is constant in it is
/// computed.
pub(crate) fn check_default(expression: &str, sql_type: &str, column: &str) -> Result<(), Refusal> {
    // SAFETY: as above.
    attempt_rows(|| unsafe {
        pg_sys::eval_const_expressions(ptr::null_mut(), cooked(expression, sql_type, column));
    })
}

/// A condition over what stands behind FROM, which is given in SQL; `table` is it where it is one table.
pub(crate) fn condition(
    expression: &str,
    from: &str,
    table: Option<(&str, u32)>,
) -> Result<Condition, Refusal> {
    attempt_rows(|| {
        let text = c_string(&format!("SELECT FROM {from} WHERE ({expression})"));
        // SAFETY: the trees lie in the current memory; a query that was analysed has a list of what it is from.
        unsafe {
            let statement = only_statement(&text);
            let query = pg_sys::parse_analyze_fixedparams(
                statement,
                text.as_ptr(),
                ptr::null(),
                0,
                ptr::null_mut(),
            );
            let quals = (*(*query).jointree).quals;
            let printed = table.map(|(name, oid)| {
                let name = c_string(name);
                print(quals, pg_sys::deparse_context_for(name.as_ptr(), oid.into()))
            });
            Condition { printed, is_immutable: !pg_sys::contain_mutable_functions(quals) }
        }
    })
}

/// What keeps an index of a method from taking values of a type by an operator class, or by the type's own.
pub(crate) fn check_operator_class(
    method: &str,
    class: Option<(&str, &str)>,
    sql_type: &str,
) -> Result<(), Refusal> {
    attempt_rows(|| {
        let (of_type, _) = find_type(sql_type);
        let (method, class) =
            (c_string(method), class.map(|(schema, name)| (c_string(schema), c_string(name))));
        // SAFETY: the list and its texts lie in the current memory.
        unsafe {
            let names = class.map_or(ptr::null_mut(), |(schema, name)| {
                let text = |text: &CStr| pg_sys::makeString(pg_sys::pstrdup(text.as_ptr()));
                let names = pg_sys::lappend(ptr::null_mut(), text(&schema).cast());
                pg_sys::lappend(names, text(&name).cast())
            });
            let of_method = pg_sys::get_index_am_oid(method.as_ptr(), false);
            pg_sys::ResolveOpClass(names, of_type, method.as_ptr(), of_method);
        }
    })
}

fn find_type(sql_type: &str) -> (pg_sys::Oid, i32) {
    let (mut oid, mut modifier) = (pg_sys::InvalidOid, -1);
    let text = c_string(sql_type);
    // SAFETY: plain calls with places for the answers; without a node for errors they are raised.
    unsafe { pg_sys::parseTypeString(text.as_ptr(), &mut oid, &mut modifier, ptr::null_mut()) };
    (oid, modifier)
}

/// As `ALTER COLUMN … SET DEFAULT` reads it.
unsafe fn cooked(expression: &str, sql_type: &str, column: &str) -> *mut pg_sys::Node {
    let (of_type, modifier) = find_type(sql_type);
    let (text, column) = (c_string(&format!("SELECT ({expression})")), c_string(column));
    // SAFETY: a statement that was parsed has the tree that its tag says.
    unsafe {
        let select = (*only_statement(&text)).stmt.cast::<pg_sys::SelectStmt>();
        let targets: Vec<*mut pg_sys::ResTarget> = items((*select).targetList);
        let is_plain = (*select).type_ == pg_sys::NodeTag::T_SelectStmt
            && (*select).op == pg_sys::SetOperation::SETOP_NONE
            && (*select).fromClause.is_null()
            && (*select).whereClause.is_null();
        let ([target], true) = (targets.as_slice(), is_plain) else { refuse() };
        let node = (**target).val;
        let state = pg_sys::make_parsestate(ptr::null_mut());
        let cooked = pg_sys::cookDefault(state, node, of_type, modifier, column.as_ptr(), 0);
        pg_sys::free_parsestate(state);
        cooked
    }
}

unsafe fn only_statement(text: &CStr) -> *mut pg_sys::RawStmt {
    // SAFETY: a list of statements, as the parser gives it.
    let statements: Vec<*mut pg_sys::RawStmt> = unsafe {
        items(pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT))
    };
    match statements.as_slice() {
        [statement] => *statement,
        _ => refuse(),
    }
}

/// Ends the attempt.
fn refuse() -> ! {
    ereport!(ERROR, PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, "it is not one expression");
}

unsafe fn items<T>(list: *mut pg_sys::List) -> Vec<*mut T> {
    // SAFETY: the caller's list is one of pointers, or empty.
    unsafe { PgList::from_pg(list) }.iter_ptr().collect()
}

unsafe fn print(node: *mut pg_sys::Node, context: *mut pg_sys::List) -> String {
    // SAFETY: the text ends with a zero byte, and is copied.
    unsafe {
        let text: *mut c_char = pg_sys::deparse_expression(node, context, false, false);
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// What holds a zero byte has been refused by then.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}
