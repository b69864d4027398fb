//! The encoding of the database.

use crate::error::Report;
use pgrx::prelude::*;

/// Texts of this database are no UTF-8, which is what Rust's are.
#[derive(Debug, thiserror::Error)]
#[error("Kepler needs a database with encoding UTF8, not {0}")]
pub(crate) struct NotUtf8(String);

impl Report for NotUtf8 {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn hint(&self) -> Option<String> {
        Some("CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8', and move the data there with pg_dump.".to_owned())
    }
}

/// For what works without Kepler's tables, which exist in such databases alone: it would take bytes of another encoding for those
/// of UTF-8, and answer wrongly.
pub(crate) fn require_utf8() -> Result<(), NotUtf8> {
    // SAFETY: reads variables of this process; the name is a constant of Postgres.
    unsafe {
        let encoding = pg_sys::GetDatabaseEncoding();
        if encoding == pg_sys::pg_enc::PG_UTF8 as i32 {
            return Ok(());
        }
        let name = std::ffi::CStr::from_ptr(pg_sys::GetDatabaseEncodingName());
        Err(NotUtf8(name.to_string_lossy().into_owned()))
    }
}
