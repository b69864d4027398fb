//! Errors as Postgres reports them: SQLSTATE, message, detail and hint.
//!
//! Each feature has an enum of its errors, in an `error.rs` of its own. Errors that several features raise stand
//! beside the code that raises them (`arguments`, `workspace`, `installed`). All implement [`Report`], and `?`
//! makes an [`Error`] of each; this module knows none of them.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name, spi};
use std::sync::OnceLock;

/// What Postgres is told. The message is what the error displays.
pub(crate) trait Report: std::error::Error {
    fn code(&self) -> PgSqlErrorCode;

    fn detail(&self) -> Option<String> {
        None
    }

    fn hint(&self) -> Option<String> {
        None
    }

    /// Whether a secret that was sent is why. Then nobody is shown what Postgres adds: CONTEXT, and the statement in the
    /// server's log.
    fn is_about_secret(&self) -> bool {
        false
    }
}

/// How Postgres is kept from adding anything; `pg` says it when the library is loaded.
static HIDE: OnceLock<fn()> = OnceLock::new();

/// Says how errors about secrets are hidden.
pub(crate) fn hide_by(hide: fn()) {
    HIDE.get_or_init(|| hide);
}

/// Whatever ends a call. What is wrong with one element of a batch does not: that is an outcome.
#[derive(Debug)]
pub(crate) struct Error(Box<dyn Report>);

impl Error {
    /// Its message, where that alone is told.
    pub(crate) fn message(&self) -> String {
        shortened(self.0.to_string())
    }

    /// Its message and detail, where it is told as the answer of an element.
    pub(crate) fn text(&self) -> String {
        let detail = self.0.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        shortened(format!("{}{detail}", self.0))
    }
}

impl<E: Report + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<Error> for ErrorReport {
    fn from(Error(error): Error) -> Self {
        if error.is_about_secret()
            && let Some(hide) = HIDE.get()
        {
            hide();
        }
        let message = shortened(error.to_string());
        let mut report = ErrorReport::new(error.code(), message, function_name!());
        if let Some(detail) = error.detail() {
            report = report.set_detail(detail);
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(hint);
        }
        report
    }
}

/// What Kepler reads of the catalog, or of its tables, is not what it was made for.
#[derive(Debug, thiserror::Error)]
enum Unexpected {
    #[error("Kepler's tables do not match this version of the library")]
    Tables(spi::Error),
    #[error("the catalog changed during the call")]
    Catalog(serde_json::Error),
}

impl Report for Unexpected {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Tables(_) => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::Catalog(_) => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Tables(error) => format!("{error}."),
            Self::Catalog(error) => format!("{error}."),
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Tables(_) => "SELECT kepler.install(); brings them up to date.".to_owned(),
            Self::Catalog(_) => "Run the call again.".to_owned(),
        })
    }
}

impl From<spi::Error> for Error {
    fn from(error: spi::Error) -> Self {
        Unexpected::Tables(error).into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Unexpected::Catalog(error).into()
    }
}

/// A message quotes what a caller gave, which may be a text of many megabytes.
fn shortened(mut message: String) -> String {
    const LONGEST: usize = 1_000;
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A message shows at most so many lines.
const MAX_LINES: usize = 100;

/// Lines for a DETAIL.
pub(crate) fn lines(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(MAX_LINES);
    let mut text = lines.take(MAX_LINES).collect::<Vec<_>>().join("\n");
    if more > 0 {
        text.push_str(&format!("\n… and {more} more"));
    }
    text
}
