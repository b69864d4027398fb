//! What released versions of the extension call in the library, and this version has no more.
//!
//! The functions of an older extension name symbols of the library. `CREATE EXTENSION … VERSION`, a restore by `pg_upgrade`
//! and the functions themselves need each of them, until `ALTER EXTENSION kepler UPDATE` has replaced them: so a symbol that
//! was released stays. Where its function goes, or takes other arguments and has another name in Rust for that, the old name is
//! listed here. `tests/reliability/upgrade.sh` says which names are missing.

use crate::error::{Error, Report};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A function of an older extension was called.
#[derive(Debug, thiserror::Error)]
#[error("this function belongs to version {0} of the extension, and the library is of version {version}", version = env!("CARGO_PKG_VERSION"))]
struct Released(&'static str);

impl Report for Released {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        Some("ALTER EXTENSION kepler UPDATE; SELECT kepler.install();".to_owned())
    }
}

/// Keeps the symbols of functions that went: `released! { "0.1.0": name, …; }`, a line for the last version that has them. The
/// name is the one in Rust: that of the symbol without `_wrapper`.
macro_rules! released {
    ($($version:literal: $($name:ident),+;)*) => {
        $($(
            #[pg_extern(sql = false)]
            fn $name() -> Result<(), ErrorReport> {
                Err(Error::from(Released($version)))?
            }
        )+)*
    };
}

released! {
    // gone_for_the_tests never was a function.
    "0.1.0": add_message, claim_records, gone_for_the_tests, recall_check, remember, search_memories, search_vectors,
        set_enrichment_policy;
}
