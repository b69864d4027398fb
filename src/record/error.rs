//! What ends a call about records.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

/// Everything that ends a call. What is wrong with one record is that element's outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("kepler.entities.ignored_paths contains \"{pointer}\", which is not a valid path")]
    BadPointer { pointer: String, problem: String },
    #[error("{} needs argument \"id_key\"", if *argument == "options" { "option \"source_updated_at\"".to_owned() } else { format!("argument \"{argument}\"") })]
    IdKeyMissing { argument: &'static str },
    #[error("argument \"{argument}\" is not valid: \"{given}\"")]
    BadKey { argument: &'static str, given: String, problem: String },
    #[error("argument \"updated_at_key\" and option \"source_updated_at\" exclude each other")]
    TwoTimes,
    #[error("argument \"reject_ids\" excludes \"entity_type\" and \"sync_run_id\"")]
    IdsAndMore,
    #[error("argument \"max_rows\" must be between 1 and {most}, not {given}")]
    MaxRows { given: i32, most: i32 },
    #[error("connection \"{id}\" does not exist in workspace \"{workspace}\"")]
    NoConnection { id: String, workspace: String },
    #[error("there is no entity of type \"{entity_type}\" and source \"{origin}\"")]
    NoEntity { entity_type: String, origin: String },
    #[error("there is another entity of type \"{entity_type}\" and source \"{origin}\"")]
    EntityExists { entity_type: String, origin: String },
    #[error("row security hides the entity of type \"{0}\" from this role")]
    EntityHidden(String),
    #[error("records kept vanishing during the call")]
    Contended,
    #[error("sync run \"{id}\" does not exist in workspace \"{workspace}\"")]
    NoRun { id: String, workspace: String },
    #[error("sync run \"{id}\" has ended")]
    RunEnded { id: String, status: String },
    #[error("argument \"{argument}\" is not that of the sync run")]
    OtherThanRun { argument: &'static str, given: String, of_run: String, run: String },
    #[error("a sync run changed records of the entity that this transaction cannot see")]
    SyncChanged,
}

impl Report for RecordError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::BadPointer { .. }
            | Self::IdKeyMissing { .. }
            | Self::BadKey { .. }
            | Self::IdsAndMore
            | Self::MaxRows { .. }
            | Self::TwoTimes => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NoConnection { .. } => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::NoEntity { .. } => ERRCODE_UNDEFINED_OBJECT,
            Self::EntityExists { .. } => ERRCODE_DUPLICATE_OBJECT,
            Self::EntityHidden(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Contended | Self::SyncChanged => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::NoRun { .. } => ERRCODE_UNDEFINED_OBJECT,
            Self::RunEnded { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::OtherThanRun { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::BadPointer { problem, .. } | Self::BadKey { problem, .. } => {
                Some(format!("The problem is: {problem}."))
            }
            Self::IdKeyMissing { .. } => Some("It is for flat documents.".to_owned()),
            Self::TwoTimes => Some(
                "A document without a time would get one of another clock, and keep later versions out."
                    .to_owned(),
            ),
            Self::NoEntity { .. } => {
                Some("An entity is known by its connection, source and type.".to_owned())
            }
            Self::NoConnection { .. }
            | Self::EntityHidden(_)
            | Self::NoRun { .. }
            | Self::EntityExists { .. }
            | Self::IdsAndMore
            | Self::MaxRows { .. } => None,
            Self::Contended => Some("Other sessions kept deleting the same records.".to_owned()),
            Self::RunEnded { status, .. } => Some(format!("Its status is {status}.")),
            Self::OtherThanRun { given, of_run, run, .. } => {
                Some(format!("It is \"{given}\", but that of sync run \"{run}\" is \"{of_run}\"."))
            }
            Self::SyncChanged => Some("It keeps to the snapshot that it began with.".to_owned()),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::BadPointer { .. } => "Use kepler.set_entity_options, which checks the paths.",
                Self::IdKeyMissing { .. } => {
                    "Pass \"id_key\" too. An envelope says all of that itself, in source_updated_at and deleted."
                }
                Self::BadKey { .. } => {
                    "Pass the name of a member, or a JSON Pointer such as \"/metadata/id\". In a pointer, / in a name is written ~1."
                }
                Self::TwoTimes | Self::IdsAndMore => "Pass one of them.",
                Self::MaxRows { .. } => return None,
                Self::NoConnection { .. } => {
                    "Insert it into kepler.connections first, or leave connection_id out."
                }
                Self::NoEntity { .. } => "Pass source and connection_id too, if it has some.",
                Self::EntityExists { .. } => {
                    "Choose another name, or delete that entity. An upsert under the old name makes a new entity."
                }
                Self::EntityHidden(_) => {
                    "A policy of kepler.entities must let the role see the entities whose records it upserts."
                }
                Self::Contended => "Run the call again.",
                Self::NoRun { .. } => "kepler.begin_sync makes one, and kepler.resume_sync finds one that is open.",
                Self::RunEnded { .. } => "Begin a new one: kepler.begin_sync(…).",
                Self::OtherThanRun { .. } => "Leave source and connection_id out, and pass the run's entity_type.",
                Self::SyncChanged => "Run the transaction again.",
            }
            .to_owned(),
        )
    }
}
