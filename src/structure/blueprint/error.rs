//! What can be wrong with a blueprint, or keeps it from being applied.

use crate::error::{Report, lines};
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BlueprintError {
    #[error("blueprint \"{0}\" does not exist")]
    Missing(String),
    #[error("blueprint name \"{0}\" is taken")]
    NameTaken(String),
    #[error("tables of blueprint \"{name}\" belong to others")]
    Foreign { name: String, tables: Vec<String> },
    #[error("the database changed between the plan and its locks")]
    Moved,
    #[error("blueprint \"{name}\" is at version {found}, not {expected}")]
    OtherVersion { name: String, expected: i32, found: i32 },
    #[error("another session is applying blueprint \"{0}\"")]
    Busy(String),
    #[error("another session is applying a blueprint in schema \"{0}\"")]
    SchemaBusy(String),
    #[error("the database differs from the blueprint after its plan was run")]
    NotReached(Vec<String>),
    #[error("tables of blueprint \"{name}\" hold rows")]
    HoldsRows { name: String, tables: Vec<String> },
    #[error("cannot drop blueprint \"{name}\" because other objects depend on it")]
    InUse { name: String, by: Vec<String> },
    #[error("rows of the seed look up rows that do not exist")]
    SeedLookup(Vec<String>),
    #[error("rows of the seed have the same key")]
    SeedSame(Vec<String>),
    #[error("{}", .0.message)]
    SeedRefused(Box<SeedRefusal>),
    #[error("rows of the seed were written, and are not as the blueprint says")]
    SeedNotKept(Vec<String>),
    #[error("argument \"allow\" must hold only rewrite, convert and drop, not \"{0}\"")]
    BadAllow(String),
}

/// What the database said against a row of a seed.
#[derive(Debug)]
pub(crate) struct SeedRefusal {
    pub(crate) code: PgSqlErrorCode,
    pub(crate) message: String,
    /// The row and its table, and what else the database said of it.
    pub(crate) detail: String,
    pub(crate) hint: String,
}

impl Report for BlueprintError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::BadAllow(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Missing(_) => ERRCODE_UNDEFINED_OBJECT,
            Self::Foreign { .. } | Self::NameTaken(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::NotReached(_) | Self::HoldsRows { .. } => {
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Self::Moved | Self::OtherVersion { .. } => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::Busy(_) | Self::SchemaBusy(_) => ERRCODE_LOCK_NOT_AVAILABLE,
            Self::SeedRefused(refusal) => refusal.code,
            Self::SeedLookup(_) => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::SeedSame(_) => ERRCODE_UNIQUE_VIOLATION,
            Self::SeedNotKept(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::InUse { .. } => ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NotReached(steps)
            | Self::SeedLookup(steps)
            | Self::SeedSame(steps)
            | Self::SeedNotKept(steps) => lines(steps.iter().cloned()),
            Self::Foreign { tables, .. } | Self::HoldsRows { tables, .. } => {
                lines(tables.iter().cloned())
            }
            Self::SeedRefused(refusal) => refusal.detail.clone(),
            Self::InUse { by, .. } => lines(by.iter().cloned()),
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NameTaken(_) => "Names are unique in the database. Choose another one.".to_owned(),
            Self::Missing(_) => {
                "kepler.apply_blueprint creates it. kepler.blueprints lists the existing ones."
                    .to_owned()
            }
            Self::Foreign { .. } => {
                "Nothing was dropped. Give them to the owner of Kepler's tables, or drop them first.".to_owned()
            }
            Self::Moved | Self::OtherVersion { .. } => {
                "Nothing was changed. Review kepler.plan_blueprint again, then repeat the call."
                    .to_owned()
            }
            Self::Busy(_) | Self::SchemaBusy(_) => "Try again when its transaction has ended.".to_owned(),
            Self::NotReached(_) => "Nothing was changed. This is a bug in Kepler. Please report the \
             blueprint and the detail."
                .to_owned(),
            Self::HoldsRows { .. } => {
                "Nothing was dropped. To drop the tables with their rows: options => '{\"with_rows\": true}'."
                    .to_owned()
            }
            Self::InUse { .. } => "Nothing was dropped. Drop these first.".to_owned(),
            Self::SeedLookup(_) => {
                "Nothing was changed. Seed these rows too, or insert them first.".to_owned()
            }
            Self::SeedRefused(refusal) => format!("Nothing was changed. {}", refusal.hint),
            Self::SeedSame(_) => {
                "Nothing was changed. To the database two spellings are one value.".to_owned()
            }
            Self::SeedNotKept(_) => {
                "Nothing was changed. A trigger, a rule or row security of the table keeps the rows out, or changes them, or another session did so meanwhile: then repeat the call."
                    .to_owned()
            }
            Self::BadAllow(_) => return None,
        })
    }
}
