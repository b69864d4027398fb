//! The SQLSTATE and the hint of what a COPY into a shard is refused for.
//!
//! Rows go to other nodes by COPY: those of a COPY, and those of an INSERT that selects. Of its errors Citus passes on the message
//! and the detail (`ReportCopyError`), as an internal error. So the node writes the rest behind the message, and the session that the
//! statement is from puts it where it belongs. Both are done by entries on Postgres' stack of error contexts, while the error is in the
//! making: nobody catches it.

// As in `planner`: errors pass through as Postgres raised them, so no value with a destructor is on their way.

use super::part;
use pgrx::{PgLogLevel, pg_sys};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    // `src/include/utils/elog.h` of Postgres 16 to 18.
    fn geterrcode() -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn errcode(code: c_int) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn unpack_sql_state(code: c_int) -> *mut c_char;
    fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        #[cfg(not(feature = "pg18"))] execute_once: bool,
    );
}

static BEFORE_RUN: OnceLock<pg_sys::ExecutorRun_hook_type> = OnceLock::new();

/// What stands between a message and what belongs to it: a code of five letters, and a hint if there is one.
const MARK: &[u8] = b"\nSQLSTATE ";
const CODE: usize = 5;

/// Once, when the library is loaded, where Citus is.
pub(super) fn register() {
    // SAFETY: Postgres loads a library in one thread, and reads the hook in the same.
    unsafe {
        if BEFORE_RUN.set(pg_sys::ExecutorRun_hook).is_ok() {
            pg_sys::ExecutorRun_hook = Some(run);
        }
    }
}

/// What to lay on the stack for a statement. `depth` lives as long as it lies there.
pub(super) fn entry(is_copied: bool, depth: &mut c_int) -> pg_sys::ErrorContextCallback {
    *depth = part::depth();
    let is_sent = part::is_of_citus();
    pg_sys::ErrorContextCallback {
        // SAFETY: a variable.
        previous: unsafe { pg_sys::error_context_stack },
        callback: match (is_sent, is_copied) {
            (false, _) => Some(read),
            (true, true) => Some(write),
            (true, false) => None,
        },
        arg: std::ptr::from_mut(depth).cast(),
    }
}

unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    #[cfg(not(feature = "pg18"))] execute_once: bool,
) {
    // SAFETY: Postgres calls the hook with a statement to run; what was there before runs it. The entry lies in this frame as long
    // as it is linked: it is unlinked below, or by whoever catches an error.
    unsafe {
        let mut depth = 0;
        let mut entry = entry(false, &mut depth);
        if entry.callback.is_some() {
            pg_sys::error_context_stack = &mut entry;
        }
        match BEFORE_RUN.get() {
            #[cfg(feature = "pg18")]
            Some(Some(before)) => before(query, direction, count),
            #[cfg(feature = "pg18")]
            _ => standard_ExecutorRun(query, direction, count),
            #[cfg(not(feature = "pg18"))]
            Some(Some(before)) => before(query, direction, count, execute_once),
            #[cfg(not(feature = "pg18"))]
            _ => standard_ExecutorRun(query, direction, count, execute_once),
        }
        pg_sys::error_context_stack = entry.previous;
    }
}

/// A copy of the error in the making; null of what is no error.
///
/// # Safety
/// Called for an entry on the stack.
unsafe fn error() -> *mut pg_sys::ErrorData {
    const SUCCESS: c_int = 0;
    const CLASS: c_int = 0xFFF;
    // Of class 53: where memory has run out, a copy would fail as well.
    const CLASS_53: c_int = 5 | 3 << 6;
    // SAFETY: as the caller says. It lies in the memory of errors, which is emptied when they are done with.
    unsafe {
        if matches!(geterrcode() & CLASS, SUCCESS | CLASS_53) {
            return std::ptr::null_mut();
        }
        let error = CopyErrorData();
        if (*error).elevel == PgLogLevel::ERROR as c_int && !(*error).message.is_null() {
            error
        } else {
            std::ptr::null_mut()
        }
    }
}

/// On the node: what Citus leaves out goes behind the message. What is caught here is nobody else's.
unsafe extern "C-unwind" fn write(depth: *mut c_void) {
    // SAFETY: Postgres calls this for an entry on the stack; texts are C strings or null, and are copied.
    unsafe {
        let error = error();
        if error.is_null() || part::depth() > *depth.cast::<c_int>() {
            return;
        }
        let hint = (*error).hint;
        let is_hinted = !hint.is_null();
        errmsg_internal(
            c"%s\nSQLSTATE %s%s%s".as_ptr(),
            (*error).message,
            unpack_sql_state((*error).sqlerrcode),
            if is_hinted { c" ".as_ptr() } else { c"".as_ptr() },
            if is_hinted { hint.cast_const() } else { c"".as_ptr() },
        );
    }
}

/// Where the statement is from: it goes where it belongs.
unsafe extern "C-unwind" fn read(_depth: *mut c_void) {
    // SAFETY: as above.
    unsafe {
        let error = error();
        // Citus' own are internal errors. What somebody raises with such words stays as it is.
        let internal = pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as c_int;
        if error.is_null() || (*error).sqlerrcode != internal {
            return;
        }
        let message = CStr::from_ptr((*error).message).to_bytes();
        let Some((own, code)) = told(message) else { return };
        errcode(code.iter().enumerate().fold(0, |whole, (at, letter)| {
            whole | ((c_int::from(*letter) - c_int::from(b'0')) & 0x3F) << (6 * at)
        }));
        let hint = &message[own + MARK.len() + CODE..];
        if hint.len() > 1 && (*error).hint.is_null() {
            // The text ends with the message.
            errhint(c"%s".as_ptr(), hint[1..].as_ptr());
        }
        errmsg_internal(c"%.*s".as_ptr(), own as c_int, message.as_ptr());
    }
}

/// How long a message is, and the code that stands behind it.
fn told(message: &[u8]) -> Option<(usize, &[u8])> {
    let at = message.windows(MARK.len()).rposition(|part| part == MARK)?;
    let code = message.get(at + MARK.len()..)?.get(..CODE)?;
    let is_code = code.iter().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
    let ends = matches!(message.get(at + MARK.len() + CODE), None | Some(b' '));
    (is_code && ends).then_some((at, code))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_stands_behind_a_message_is_found() {
        for (message, own, code) in [
            ("no run\nSQLSTATE 42704", "no run", "42704"),
            ("no run\nSQLSTATE 42704 Begin one.", "no run", "42704"),
            ("\nSQLSTATE P0001", "", "P0001"),
            ("a\nSQLSTATE 00000\nSQLSTATE 55000 x", "a\nSQLSTATE 00000", "55000"),
        ] {
            let found = told(message.as_bytes()).map(|(at, code)| (&message[..at], code));
            assert_eq!(found, Some((own, code.as_bytes())), "{message}");
        }
    }

    #[test]
    fn other_messages_are_left_alone() {
        for message in [
            "",
            "no run",
            "\nSQLSTATE ",
            "a\nSQLSTATE 4270",
            "a\nSQLSTATE 42704x",
            "a\nSQLSTATE abcde",
            "SQLSTATE 42704",
        ] {
            assert_eq!(told(message.as_bytes()), None, "{message}");
        }
    }
}
