//! Errors of Postgres and of users' triggers arrive whole.
//!
//! pgrx catches what a call into Postgres raises, takes a few of its fields along, unwinds the Rust frames, and
//! raises a new error at their end: constraint, table, column, CONTEXT and every SQLSTATE that is not Postgres'
//! own would be lost. So each connection to SPI lays an entry on Postgres' stack of error contexts, as Postgres'
//! own languages do. It is called for the first error and keeps a copy, and is called again for the one that
//! pgrx raises in its place, which it completes.

use super::versions;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::spi::SpiClient;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

/// Said to whoever lacks a right on a table, where Postgres gives no hint.
const GRANT_HINT: &CStr = c"Levels are reader, writer, worker and admin: \
    SELECT kepler.grant_access('role name', 'level');";

/// A session may catch an error, meet others, and raise the first again: so many copies are kept.
const KEPT: usize = 4;

unsafe extern "C-unwind" {
    // `src/include/utils/elog.h` and `errcodes.h` of Postgres 16 to 18. They are called where no Rust frame is
    // to be unwound, so none of pgrx's guards stands before them.
    fn geterrcode() -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(error: *mut pg_sys::ErrorData);
    fn errcode(code: c_int) -> c_int;
    fn err_generic_string(field: c_int, text: *const c_char) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_log(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
    fn errposition(position: c_int) -> c_int;
    fn internalerrposition(position: c_int) -> c_int;
    fn internalerrquery(query: *const c_char) -> c_int;
    fn errhidestmt(hide: bool) -> c_int;
}

/// Connections to SPI under which errors arrive whole. Shadows pgrx's, which is used nowhere else.
pub(crate) struct Spi;

#[allow(clippy::disallowed_methods)]
impl Spi {
    /// Runs `work` with a connection for queries.
    pub(crate) fn connect<R>(work: impl FnOnce(&SpiClient<'_>) -> R) -> R {
        Self::connect_mut(|client| work(client))
    }

    /// Runs `work` with a connection for statements of all kinds.
    pub(crate) fn connect_mut<R>(work: impl FnOnce(&mut SpiClient<'_>) -> R) -> R {
        laid(true, None, || pgrx::Spi::connect_mut(work))
    }

    /// The same for a statement that does what a caller's call says, and is of no use in CONTEXT.
    pub(crate) fn connect_unseen<R>(
        statement: &CStr,
        work: impl FnOnce(&mut SpiClient<'_>) -> R,
    ) -> R {
        laid(true, Some(statement), || pgrx::Spi::connect_mut(work))
    }

    /// The same for statements on the caller's tables, about whose rights Kepler has no advice.
    pub(crate) fn connect_elsewhere<R>(work: impl FnOnce(&mut SpiClient<'_>) -> R) -> R {
        laid(false, None, || pgrx::Spi::connect_mut(work))
    }
}

/// An entry on Postgres' stack of error contexts. It lies in the memory of the (sub)transaction, since an error
/// takes it off the stack only after the Rust frames are gone.
struct Entry {
    link: pg_sys::ErrorContextCallback,
    home: pg_sys::MemoryContext,
    /// The last errors that came through, in turn.
    seen: [*mut pg_sys::ErrorData; KEPT],
    next: usize,
    /// The one that pgrx is about to raise again.
    leaving: *mut pg_sys::ErrorData,
    /// Whether a missing right is one that Kepler can give.
    advises: bool,
}

/// Runs `work` so that what Postgres raises in it arrives whole.
pub(crate) fn whole<R>(work: impl FnOnce() -> R) -> R {
    laid(true, None, work)
}

fn laid<R>(advises: bool, unseen: Option<&CStr>, work: impl FnOnce() -> R) -> R {
    versions::note();
    let entry = Entry::lay(advises);
    // SAFETY: the entry lives until the (sub)transaction ends, which nothing in `work` does: what begins
    // subtransactions there ends them too.
    unsafe {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(given) => {
                (*entry).take_off();
                given
            }
            Err(payload) => {
                // Those that `work` laid on top of it are done with: this one has seen all that they have.
                pg_sys::error_context_stack = &raw mut (*entry).link;
                if let Some(CaughtError::PostgresError(report)) = payload.downcast_ref() {
                    (*entry).leaving = (*entry).copy_of(report).unwrap_or(ptr::null_mut());
                    if let (Some(statement), Some(error)) = (unseen, (*entry).leaving.as_mut()) {
                        leave_out(statement, error);
                    }
                }
                resume_unwind(payload)
            }
        }
    }
}

/// What pgrx's report of an error leaves out, and is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    /// As Postgres packs it, standard or not.
    pub(crate) sqlstate: Option<i32>,
    pub(crate) constraint: Option<String>,
}

/// What is known of an error that was caught inside of [`whole`], beside its report.
pub(crate) fn left_out(report: &ErrorReportWithLevel) -> Left {
    // SAFETY: entries of the stack are valid while they are on it; ours are told by their callback.
    unsafe {
        let mut link = pg_sys::error_context_stack;
        while let Some(found) = link.as_ref() {
            let is_ours = found.callback.is_some_and(|f| ptr::fn_addr_eq(f, CALLBACK));
            if is_ours && let Some(copy) = (*found.arg.cast::<Entry>()).copy_of(report) {
                let constraint = (*copy).constraint_name;
                return Left {
                    sqlstate: Some((*copy).sqlerrcode),
                    constraint: (!constraint.is_null())
                        .then(|| CStr::from_ptr(constraint).to_string_lossy().into_owned()),
                };
            }
            link = found.previous;
        }
    }
    Left::default()
}

const CALLBACK: unsafe extern "C-unwind" fn(*mut c_void) = on_error;

impl Entry {
    fn lay(advises: bool) -> *mut Entry {
        // SAFETY: a function runs in a transaction, so there is memory of it; the entry is filled in before
        // Postgres can see it.
        unsafe {
            let home = pg_sys::CurTransactionContext;
            let entry = pg_sys::MemoryContextAlloc(home, size_of::<Entry>()).cast::<Entry>();
            entry.write(Entry {
                link: pg_sys::ErrorContextCallback {
                    previous: pg_sys::error_context_stack,
                    callback: Some(CALLBACK),
                    arg: entry.cast(),
                },
                home,
                seen: [ptr::null_mut(); KEPT],
                next: 0,
                leaving: ptr::null_mut(),
                advises,
            });
            pg_sys::error_context_stack = &raw mut (*entry).link;
            entry
        }
    }

    /// # Safety
    /// It is on the stack, and nobody uses it afterwards.
    unsafe fn take_off(&mut self) {
        // SAFETY: what lies above it is done with; the copies are ours.
        unsafe {
            pg_sys::error_context_stack = self.link.previous;
            for copy in self.seen.into_iter().filter(|copy| !copy.is_null()) {
                pg_sys::FreeErrorData(copy);
            }
            pg_sys::pfree(ptr::from_mut(self).cast());
        }
    }

    /// The copy of the error that pgrx reports, the latest first.
    ///
    /// # Safety
    /// The copies are valid.
    unsafe fn copy_of(&self, report: &ErrorReportWithLevel) -> Option<*mut pg_sys::ErrorData> {
        // SAFETY: as the caller says; the fields are C strings or null.
        let same = |text: *const c_char, reported: Option<&str>| unsafe {
            match reported {
                Some(reported) => {
                    !text.is_null() && CStr::from_ptr(text).to_string_lossy() == reported
                }
                None => text.is_null(),
            }
        };
        (0..KEPT).map(|back| self.seen[(self.next + KEPT - 1 - back) % KEPT]).find(|&copy| {
            // SAFETY: as above.
            let Some(copy) = (unsafe { copy.as_ref() }) else { return false };
            copy.lineno as u32 == report.line_number()
                && same(copy.message, Some(report.message()))
                && same(copy.detail, report.detail())
                && same(copy.hint, report.hint())
                && same(copy.funcname, report.function_name())
        })
    }
}

/// Takes the line of a statement off the end of an error's context.
///
/// # Safety
/// The error is a copy.
unsafe fn leave_out(statement: &CStr, error: &mut pg_sys::ErrorData) {
    // SAFETY: as the caller says: a C string or null, which is ours.
    unsafe {
        if error.context.is_null() {
            return;
        }
        let context = CStr::from_ptr(error.context).to_bytes();
        match before_statement(context, statement.to_bytes()) {
            Some(0) => error.context = ptr::null_mut(),
            Some(end) => *error.context.add(end) = 0,
            None => {}
        }
    }
}

/// Where the line with a statement begins, if that is the last of a context: it ends with the statement, in quotes of some language.
fn before_statement(context: &[u8], statement: &[u8]) -> Option<usize> {
    const QUOTES: usize = 8;
    let at = memchr::memmem::rfind(context, statement)?;
    let ends = context.len() - at - statement.len() <= QUOTES;
    ends.then(|| memchr::memrchr(b'\n', &context[..at]).unwrap_or(0))
}

/// Called by Postgres for each message of a session, while its fields are being filled in. It must not unwind:
/// it has nothing to drop, and an error in it is Postgres' own to handle.
unsafe extern "C-unwind" fn on_error(entry: *mut c_void) {
    // SAFETY: Postgres calls this for entries that are on the stack, in the memory of errors, with a message
    // in the making. Nothing here has a destructor.
    unsafe {
        let entry = entry.cast::<Entry>();
        let class = geterrcode() & 0xFFF;
        // Notices and warnings; and where memory has run out, a copy would fail as well.
        if class == 0 || class == CLASS_01 || class == CLASS_02 || class == CLASS_53 {
            return;
        }
        let before = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*entry).home;
        let error = CopyErrorData();
        pg_sys::CurrentMemoryContext = before;
        if (*error).elevel != PgLogLevel::ERROR as c_int {
            FreeErrorData(error);
        } else if !(*entry).leaving.is_null() {
            complete(&*entry, error);
            FreeErrorData(error);
        } else {
            let place = &raw mut (*entry).seen[(*entry).next % KEPT];
            if !(*place).is_null() {
                FreeErrorData(*place);
            }
            *place = error;
            (*entry).next = ((*entry).next + 1) % KEPT;
        }
    }
}

const fn class(first: u8, second: u8) -> c_int {
    ((first - b'0') as c_int) | (((second - b'0') as c_int) << 6)
}
const CLASS_01: c_int = class(b'0', b'1');
const CLASS_02: c_int = class(b'0', b'2');
const CLASS_53: c_int = class(b'5', b'3');

/// Gives the error in the making what the first one had and `now` has not.
///
/// # Safety
/// As for `on_error`; both errors are copies.
unsafe fn complete(entry: &Entry, now: *mut pg_sys::ErrorData) {
    // SAFETY: Postgres copies what it is given; fields that are null are left out.
    unsafe {
        let first = &*entry.leaving;
        errcode(first.sqlerrcode);
        let names = [
            (pg_sys::PG_DIAG_SCHEMA_NAME, first.schema_name),
            (pg_sys::PG_DIAG_TABLE_NAME, first.table_name),
            (pg_sys::PG_DIAG_COLUMN_NAME, first.column_name),
            (pg_sys::PG_DIAG_DATATYPE_NAME, first.datatype_name),
            (pg_sys::PG_DIAG_CONSTRAINT_NAME, first.constraint_name),
        ];
        for (field, name) in names {
            if !name.is_null() {
                err_generic_string(c_int::from(field), name);
            }
        }
        if !first.detail_log.is_null() {
            errdetail_log(c"%s".as_ptr(), first.detail_log);
        }
        // Without a context between, it is a statement of Kepler's own.
        if !first.internalquery.is_null() && !first.context.is_null() {
            internalerrquery(first.internalquery);
            internalerrposition(first.internalpos);
        }
        if first.cursorpos > 0 {
            errposition(first.cursorpos);
        }
        errhidestmt(first.hide_stmt);
        if !first.context.is_null() {
            errcontext_msg(c"%s".as_ptr(), first.context);
        }
        let refused = PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE as c_int;
        if entry.advises
            && first.sqlerrcode == refused
            && (*now).hint.is_null()
            && is_missing_grant(first)
        {
            errhint(c"%s".as_ptr(), GRANT_HINT.as_ptr());
        }
        if entry.advises
            && MISSING.contains(&first.sqlerrcode)
            && let Some(behind) = versions::known_behind()
        {
            errcode(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE as c_int);
            errmsg_internal(c"%s".as_ptr(), OLDER.as_ptr());
            if !first.message.is_null() {
                errdetail_internal(c"%s.".as_ptr(), first.message);
            }
            errhint(c"%s".as_ptr(), behind.hint().as_ptr());
        }
    }
}

/// What an older version lacks: a table, a column, a function, a key that ON CONFLICT names.
const MISSING: [c_int; 4] = [
    PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE as c_int,
    PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN as c_int,
    PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION as c_int,
    PgSqlErrorCode::ERRCODE_INVALID_COLUMN_REFERENCE as c_int,
];

/// Said where such a thing is missing, and it is known why.
const OLDER: &CStr =
    c"this needs Kepler's functions and tables to be of the version of its library";

/// Whether Postgres itself missed a right; triggers and policies use the same SQLSTATE.
///
/// # Safety
/// The error is a copy.
unsafe fn is_missing_grant(error: &pg_sys::ErrorData) -> bool {
    // SAFETY: a C string or null.
    unsafe { !error.funcname.is_null() && CStr::from_ptr(error.funcname) == c"aclcheck_error" }
}

/// Keeps Rust's backtraces out of errors: pgrx adds one to the DETAIL wherever the server's environment asks
/// for them. What Rust reads there, it reads once.
pub(crate) fn silence_backtraces() {
    const SWITCH: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(SWITCH);
    // SAFETY: the library is loaded in a process with one thread.
    unsafe {
        std::env::set_var(SWITCH, "0");
        drop(std::backtrace::Backtrace::capture());
        match before {
            Some(value) => std::env::set_var(SWITCH, value),
            None => std::env::remove_var(SWITCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::before_statement;

    #[test]
    fn a_statement_is_taken_off_the_end_alone() {
        let cut = |context: &str| before_statement(context.as_bytes(), b"SELECT 1\nFROM t");
        assert_eq!(cut("SQL statement \"SELECT 1\nFROM t\""), Some(0));
        assert_eq!(cut("on a node\nSQL-Anweisung »SELECT 1\nFROM t«"), Some(9));
        assert_eq!(cut("SQL statement \"SELECT 1\nFROM t\"\nPL/pgSQL function f()"), None);
        assert_eq!(cut("on a node"), None);
    }
}
