//! What ends a call about memories.

use crate::error::Report;
use pgrx::PgSqlErrorCode;
use std::borrow::Cow;

/// Everything that ends a call. What is wrong with one element of a batch is that element's outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemoryError {
    #[error("embedding space \"{name}\" does not exist")]
    NoSpace { name: String, known: Vec<String> },
    #[error("no embedding space exists")]
    NoSpaces,
    #[error("embedding space \"{0}\" is retired")]
    Retired(String),
    #[error("the table of embedding space \"{0}\" does not exist")]
    TableGone(String),
    #[error("an embedding of {given} dimensions does not fit into {place}")]
    Dimensions { place: String, model: Option<String>, expected: usize, given: usize },
    #[error("a zero vector has no direction, and {place} compares directions")]
    ZeroVector { place: String },
    #[error("argument \"{argument}\" must be between {least} and {most}, not {given}")]
    OutOfRange { argument: &'static str, least: String, most: String, given: String },
    #[error("argument \"{argument}\" {fault}")]
    BadNamespace { argument: &'static str, fault: String },
    #[error("argument \"after\" is not the cursor of a row in the order of {order}")]
    BadCursor { order: &'static str },
    #[error("exactly one of \"memory_ids\" and \"keys\" must be given")]
    IdsOrKeys,
    #[error("argument \"namespace\" says where keys are, and ids are looked for everywhere")]
    NamespaceOfIds,
    #[error("keys belong to one user, or to none")]
    KeysOfAnybody,
    #[error("another memory of the same user and namespace has the key {key:?}")]
    KeyTaken { key: String },
    #[error("the metadata would be too large")]
    MetadataTooLarge,
    #[error("argument \"{0}\" must be a number, not NaN")]
    NotANumber(&'static str),
    #[error("argument \"{0}\" needs an \"embedding\" to compare with")]
    NeedsEmbedding(&'static str),
    #[error("a search needs an \"embedding\", a \"query_text\", or both")]
    NothingToSearchFor,
    #[error("argument \"sent_before\" must be later than \"sent_from\"")]
    NoTimeBetween,
    #[error("the memory is not valid")]
    Invalid { problems: Vec<String>, holds_secret: bool },
    #[error("the message is not valid")]
    InvalidMessage { code: Cow<'static, str>, problems: Vec<String>, holds_secret: bool },
    #[error("the message was not written")]
    NotAdded,
    #[error("the content of a {what} changed while its embedding was set")]
    EmbeddedMeanwhile { what: &'static str, id: String },
    #[error("only {written} of {sent} memories were written")]
    NotWritten { sent: usize, written: usize },
    #[error("column \"{column}\" of {table} is not of type vector")]
    NotAVector { table: String, column: String, vectors: Vec<String> },
    #[error("column \"{column}\" of {table} is not of type tsvector")]
    NotWords { table: String, column: String, known: Vec<String> },
    #[error("{table} has {} of type tsvector", if known.is_empty() { "no column" } else { "several columns" })]
    WhichWords { table: String, known: Vec<String> },
    #[error("{table} has no column {}", columns.join(", "))]
    NoColumns { table: String, columns: Vec<String> },
    #[error("{table} is not a table")]
    NotATable { table: String, kind: String },
    #[error("{table} has rows in a foreign table")]
    ForeignPart { table: String, part: String },
    #[error("search_vectors does not work on distributed tables")]
    Distributed { table: String },
    #[error("\"{language}\" is no language of the workspace")]
    NotALanguage { language: String, known: Vec<String> },
    #[error("the function is made for a trigger of Kepler's")]
    ForeignTrigger,
}

impl Report for MemoryError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NoSpace { .. } | Self::NoSpaces => ERRCODE_UNDEFINED_OBJECT,
            Self::Retired(_) | Self::TableGone(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::Dimensions { .. } => ERRCODE_DATA_EXCEPTION,
            Self::ZeroVector { .. }
            | Self::OutOfRange { .. }
            | Self::NotANumber(_)
            | Self::BadNamespace { .. }
            | Self::BadCursor { .. }
            | Self::IdsOrKeys
            | Self::NamespaceOfIds
            | Self::KeysOfAnybody
            | Self::NeedsEmbedding(_)
            | Self::NothingToSearchFor
            | Self::NoTimeBetween
            | Self::NotALanguage { .. }
            | Self::Invalid { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::InvalidMessage { code, .. } => match code.as_ref() {
                "unknown_user" => ERRCODE_FOREIGN_KEY_VIOLATION,
                "external_id_taken" => ERRCODE_UNIQUE_VIOLATION,
                _ => ERRCODE_INVALID_PARAMETER_VALUE,
            },
            Self::KeyTaken { .. } => ERRCODE_UNIQUE_VIOLATION,
            Self::MetadataTooLarge => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Self::NotWritten { .. } | Self::NotAdded => ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Self::EmbeddedMeanwhile { .. } => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::ForeignTrigger => ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            Self::NoColumns { .. } => ERRCODE_UNDEFINED_COLUMN,
            Self::NotAVector { .. }
            | Self::NotWords { .. }
            | Self::WhichWords { .. }
            | Self::NotATable { .. }
            | Self::ForeignPart { .. } => ERRCODE_WRONG_OBJECT_TYPE,
            Self::Distributed { .. } => ERRCODE_FEATURE_NOT_SUPPORTED,
        }
    }

    fn is_about_secret(&self) -> bool {
        matches!(
            self,
            Self::Invalid { holds_secret: true, .. }
                | Self::InvalidMessage { holds_secret: true, .. }
        )
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NoSpace { known, .. } if known.is_empty() => {
                "No embedding space exists yet.".to_owned()
            }
            Self::NoSpace { known, .. } => {
                format!("The existing spaces are: {}.", known.join(", "))
            }
            Self::Dimensions { model, expected, given, .. } => match model {
                Some(model) => {
                    format!("Its model, {model}, makes embeddings of {expected} dimensions.")
                }
                None => format!("Expected {expected} dimensions, not {given}."),
            },
            Self::NotALanguage { known, .. } => format!("Its languages are: {}.", known.join(", ")),
            Self::EmbeddedMeanwhile { what, id } => format!("The {what} is \"{id}\"."),
            Self::InvalidMessage { problems, .. } | Self::Invalid { problems, .. } => {
                problems.join("\n")
            }
            Self::NotATable { kind, .. } => match kind.as_str() {
                "v" => "It is a view, which has no indexes.".to_owned(),
                "f" => "It is a foreign table, which has no indexes.".to_owned(),
                _ => return None,
            },
            Self::ForeignPart { part, .. } => {
                format!("{part} is a foreign table, which has no indexes.")
            }
            Self::Distributed { table } => format!("The rows of {table} lie on several nodes."),
            Self::NotWords { known, .. } if known.is_empty() => {
                "The table has no column of type tsvector.".to_owned()
            }
            Self::NotWords { known, .. } | Self::WhichWords { known, .. } if !known.is_empty() => {
                format!("Its columns of type tsvector are: {}.", known.join(", "))
            }
            Self::NotAVector { vectors, .. } if vectors.is_empty() => {
                "The table has no column of pgvector's type vector.".to_owned()
            }
            Self::NotAVector { vectors, .. } => {
                format!("Its columns of type vector are: {}.", vectors.join(", "))
            }
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSpace { .. } | Self::NoSpaces => {
                "SELECT kepler.create_embedding_space('…', dimensions => …, model => '…');"
                    .to_owned()
            }
            Self::TableGone(name) => format!(
                "Restore it, or activate another space, then: SELECT \
                 kepler.retire_embedding_space('{name}'); SELECT kepler.drop_embedding_space('{name}');"
            ),
            Self::Dimensions { model: Some(_), .. } => {
                "The embeddings of another model need a space of their own (argument \"space\")."
                    .to_owned()
            }
            Self::WhichWords { known, .. } if known.is_empty() => {
                "Words are found in a column such as: words tsvector GENERATED ALWAYS AS \
                 (to_tsvector('english', body)) STORED."
                    .to_owned()
            }
            Self::WhichWords { .. } => "Name one in the argument \"words_column\".".to_owned(),
            Self::NotWritten { .. } => {
                "A trigger on kepler.memories prevents the write.".to_owned()
            }
            Self::BadCursor { .. } => {
                "Pass the column cursor of the last row of the page before, with the same order_by."
                    .to_owned()
            }
            Self::KeysOfAnybody => {
                "Pass a user_id, or NULL for the memories of no user.".to_owned()
            }
            Self::KeyTaken { .. } => "Forget that memory first, or remember() under its key.".to_owned(),
            Self::NotAdded => "A trigger on kepler.messages prevents the write.".to_owned(),
            Self::EmbeddedMeanwhile { .. } => "Run the transaction again.".to_owned(),
            Self::NotALanguage { .. } => {
                "An administrator of the workspace adds languages: SELECT kepler.set_language('…', other_languages => '{…}');".to_owned()
            }
            Self::NotATable { kind, .. } if kind == "v" => {
                "Search the table that the view reads, or make it a materialized view.".to_owned()
            }
            Self::Distributed { .. } => "Use search_memories() or search_messages().".to_owned(),
            Self::ForeignPart { .. } => {
                "Search the parts that are not foreign tables, one by one.".to_owned()
            }
            _ => return None,
        })
    }
}
