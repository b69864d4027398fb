//! What ends a call about records.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

/// Everything that ends a call. What is wrong with one record is that element's outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("kepler.entities.ignored_paths contains \"{pointer}\", which is not a valid path")]
    BadPointer { pointer: String, problem: String },
    #[error("argument \"updated_at_key\" needs \"id_key\"")]
    KeyMissing,
    #[error("connection \"{id}\" does not exist in workspace \"{workspace}\"")]
    NoConnection { id: String, workspace: String },
    #[error("row security hides the entity of type \"{0}\" from this role")]
    EntityHidden(String),
    #[error("records kept vanishing during the call")]
    Contended,
}

impl Report for RecordError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::BadPointer { .. } | Self::KeyMissing => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NoConnection { .. } => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::EntityHidden(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Contended => ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::BadPointer { problem, .. } => Some(format!("The problem is: {problem}.")),
            Self::KeyMissing => Some("It names a field of a flat document.".to_owned()),
            Self::NoConnection { .. } | Self::EntityHidden(_) => None,
            Self::Contended => Some("Other sessions kept deleting the same records.".to_owned()),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::BadPointer { .. } => "Use kepler.set_entity_options, which checks the paths.",
                Self::KeyMissing => {
                    "Pass \"id_key\" too. An envelope has its time in source_updated_at."
                }
                Self::NoConnection { .. } => {
                    "Insert it into kepler.connections first, or leave connection_id out."
                }
                Self::EntityHidden(_) => {
                    "A policy of kepler.entities must let the role see the entities whose records it upserts."
                }
                Self::Contended => "Run the call again.",
            }
            .to_owned(),
        )
    }
}
