//! Errors as Postgres reports them: SQLSTATE, message, detail and hint.

use crate::access::error::AccessError;
use crate::enrichment::error::EnrichmentError;
use crate::filter::error::FilterError;
use crate::json::MAX_BYTES;
use crate::json_update::error::JsonUpdateError;
use crate::jsonb::elements::{MAX_ELEMENTS, Undivided};
use crate::memory::error::MemoryError;
use crate::structure::error::StructureError;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name, spi};

/// Everything that ends a call. What is wrong with one record does not: that is an outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Kepler's tables are not installed in this database")]
    NotInstalled,
    #[error("another session is running kepler.install()")]
    InstallRunning,
    #[error("the tables are at schema version {found}, this library knows {known}")]
    SchemaTooNew { found: i32, known: i32 },
    #[error("Kepler needs a database with encoding UTF8, not {0}")]
    Encoding(String),
    #[error("pgvector {found} is too old for Kepler")]
    VectorTooOld { found: String },
    #[error("argument \"{0}\" must not be NULL")]
    NullArgument(&'static str),
    #[error("argument \"{0}\" must not be blank")]
    BlankArgument(&'static str),
    #[error("argument \"{argument}\" must be one of {legal}, not \"{given}\"")]
    BadChoice { argument: &'static str, legal: &'static str, given: String },
    #[error("argument \"{argument}\" is longer than {limit} bytes")]
    TooLong { argument: &'static str, limit: usize },
    #[error("a document that describes something is larger than {MAX_BYTES} bytes")]
    DescriptionTooLarge { argument: &'static str, bytes: usize },
    #[error("argument \"options\" is not valid")]
    BadOptions { problems: Vec<String>, known: String },
    #[error("kepler.entities.ignored_paths holds \"{pointer}\", which is no path into a record")]
    BadPointer { pointer: String, problem: String },
    #[error("argument \"updated_at_key\" needs \"id_key\"")]
    KeyMissing,
    #[error("connection \"{id}\" does not exist in workspace \"{workspace}\"")]
    NoConnection { id: String, workspace: String },
    #[error("row security hides the entity of type \"{0}\" from this role")]
    EntityHidden(String),
    #[error("workspace \"{0}\" does not exist")]
    NoWorkspace(String),
    #[error("\"{argument}\" must be a JSON array")]
    NotAnArray { argument: &'static str, found: String },
    #[error("\"{argument}\" is not valid JSON: {problem}")]
    BrokenBatch { argument: &'static str, problem: &'static str, ordinal: usize, offset: usize },
    #[error("\"{argument}\" holds more than {limit} elements")]
    TooManyElements { argument: &'static str, limit: usize },
    #[error("records changed under this call too often")]
    TooContended,
    #[error("entries changed under this call too often")]
    EntriesContended,
    #[error("of {sent} records only {written} were written")]
    NotWritten { sent: usize, written: usize },
    #[error("table {table} has no column \"{column}\", and its structure has")]
    ColumnMissing { table: String, column: String },
    #[error("table \"{table}\" has no field \"{field}\"")]
    NoField { table: String, field: String },
    #[error("no unique set of \"{table}\" consists of ({fields})")]
    NoUniqueSet { table: String, fields: String, known: String },
    #[error("{rejected} of {total} entries are not valid")]
    InvalidEntries { code: PgSqlErrorCode, rejected: usize, total: usize, lines: Vec<String> },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Structure(#[from] StructureError),
    #[error(transparent)]
    JsonUpdate(#[from] JsonUpdateError),
    #[error(transparent)]
    Enrichment(#[from] EnrichmentError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("Kepler's tables are not as this version of the library knows them")]
    Spi(#[from] spi::Error),
    #[error("the catalog changed under this call")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// A batch that cannot be cut into elements.
    pub(crate) fn undivided(argument: &'static str, undivided: Undivided) -> Self {
        match undivided {
            Undivided::NotAnArray { found } => Error::NotAnArray { argument, found },
            Undivided::Broken { problem, ordinal, offset } => {
                Error::BrokenBatch { argument, problem, ordinal, offset }
            }
            Undivided::TooMany => Error::TooManyElements { argument, limit: MAX_ELEMENTS },
        }
    }

    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Error::NotInstalled | Error::SchemaTooNew { .. } => {
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Error::InstallRunning => ERRCODE_LOCK_NOT_AVAILABLE,
            Error::Encoding(_) | Error::VectorTooOld { .. } => ERRCODE_FEATURE_NOT_SUPPORTED,
            Error::NullArgument(_) => ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::BlankArgument(_)
            | Error::BadChoice { .. }
            | Error::TooLong { .. }
            | Error::BadOptions { .. }
            | Error::BadPointer { .. }
            | Error::KeyMissing => ERRCODE_INVALID_PARAMETER_VALUE,
            Error::NoConnection { .. } | Error::NoWorkspace(_) => ERRCODE_FOREIGN_KEY_VIOLATION,
            Error::NotAnArray { .. } | Error::BrokenBatch { .. } => {
                ERRCODE_INVALID_TEXT_REPRESENTATION
            }
            Error::NotWritten { .. } => ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Error::Access(error) => error.code(),
            Error::EntityHidden(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Error::Structure(error) => error.code(),
            Error::JsonUpdate(error) => error.code(),
            Error::Enrichment(error) => error.code(),
            Error::Memory(error) => error.code(),
            Error::Filter(error) => error.code(),
            Error::TooManyElements { .. } | Error::DescriptionTooLarge { .. } => {
                ERRCODE_PROGRAM_LIMIT_EXCEEDED
            }
            Error::TooContended | Error::EntriesContended => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Error::ColumnMissing { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::NoField { .. } => ERRCODE_UNDEFINED_COLUMN,
            Error::NoUniqueSet { .. } => ERRCODE_INVALID_COLUMN_REFERENCE,
            Error::InvalidEntries { code, .. } => *code,
            // What Kepler reads of the catalog, or of its tables, is not what it was made for.
            Error::Spi(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::Json(_) => ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Error::NotAnArray { found, .. } => format!("The text {found}."),
            Error::BrokenBatch { ordinal, offset, .. } => {
                format!("At element {ordinal}, byte {offset} of the text. Nothing was written.")
            }
            Error::DescriptionTooLarge { argument: "", bytes } => format!("It has {bytes} bytes."),
            Error::DescriptionTooLarge { argument, bytes } => {
                format!("Argument \"{argument}\" has {bytes} bytes.")
            }
            Error::BadOptions { problems, .. } => problems.join("\n"),
            Error::BadPointer { problem, .. } => problem.clone(),
            Error::Spi(error) => format!("{error}."),
            Error::Json(error) => format!("{error}."),
            Error::KeyMissing => "It names a field of flat documents.".to_owned(),
            Error::InvalidEntries { lines, .. } => lines.join("\n"),
            Error::ColumnMissing { .. } => {
                "The table was changed by other means than Kepler's functions.".to_owned()
            }
            Error::TooContended => "Other sessions kept deleting the same records.".to_owned(),
            Error::Access(error) => return error.detail(),
            Error::Structure(error) => return error.detail(),
            Error::JsonUpdate(error) => return error.detail(),
            Error::Enrichment(error) => return error.detail(),
            Error::Memory(error) => return error.detail(),
            Error::Filter(error) => return error.detail(),
            Error::EntriesContended => "Other sessions kept deleting the same entries.".to_owned(),
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotInstalled => "SELECT kepler.install();".to_owned(),
            Error::InstallRunning => "Wait for it to end, then try again.".to_owned(),
            Error::SchemaTooNew { .. } => {
                "Install the newer library, then ALTER EXTENSION kepler UPDATE;".to_owned()
            }
            Error::VectorTooOld { .. } => {
                "Version 0.8.4 is the first without known corruption of indexes: \
                 ALTER EXTENSION vector UPDATE;"
                    .to_owned()
            }
            Error::BadOptions { known, .. } if !known.is_empty() => {
                format!("Known options: {known}.")
            }
            Error::BadPointer { .. } => "Use kepler.set_entity_options, which checks.".to_owned(),
            Error::KeyMissing => {
                "Name the field of the external id too; an envelope holds its time in \
                 source_updated_at."
                    .to_owned()
            }
            Error::NoConnection { .. } => {
                "Insert it into kepler.connections first, or leave connection_id out.".to_owned()
            }
            Error::EntityHidden(_) => {
                "A policy of kepler.entities must let the role see the entities whose records it upserts."
                    .to_owned()
            }
            Error::NoWorkspace(id) => {
                let id = id.replace('\'', "''");
                format!("INSERT INTO kepler.workspaces (id, name) VALUES ('{id}', …);")
            }
            Error::NotAnArray { argument: "records", .. } => {
                "Pass [ … ], or use kepler.upsert_record for a single record.".to_owned()
            }
            Error::NotAnArray { .. } => "Pass [ … ], for a single element too.".to_owned(),
            Error::BrokenBatch { argument, .. } => {
                format!(
                    "A text that was cut off or garbled cannot be divided into {argument}. Send it \
                     again whole."
                )
            }
            Error::NotWritten { .. } => {
                "A trigger on kepler.records keeps rows from being written (BEFORE, returning NULL), \
                 or deletes them."
                    .to_owned()
            }
            Error::Access(error) => return error.hint(),
            Error::Structure(error) => return error.hint(),
            Error::JsonUpdate(error) => return error.hint(),
            Error::Enrichment(error) => return error.hint(),
            Error::Memory(error) => return error.hint(),
            Error::TooManyElements { .. } => "Send them in several calls.".to_owned(),
            Error::DescriptionTooLarge { .. } => {
                "Structures, filters, options and the like are limited; batches and documents that are \
                 stored are not."
                    .to_owned()
            }
            Error::NoUniqueSet { known, .. } => format!("Unique are: {known}."),
            Error::InvalidEntries { .. } => {
                "Nothing was written. With on_error => 'skip' the valid entries are, and the others \
                 are answered with rejected."
                    .to_owned()
            }
            Error::Spi(_) => "SELECT kepler.install(); brings them up to date.".to_owned(),
            Error::TooContended | Error::EntriesContended | Error::Json(_) => "Run the call again.".to_owned(),
            _ => return None,
        })
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

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        let mut report =
            ErrorReport::new(error.code(), shortened(error.to_string()), function_name!());
        if let Some(detail) = error.detail() {
            report = report.set_detail(detail);
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(hint);
        }
        report
    }
}
