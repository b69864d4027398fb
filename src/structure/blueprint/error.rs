//! What can be wrong with a blueprint, or keeps it from being applied.

use crate::error::{Report, lines};
use crate::structure::document::Problem;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BlueprintError {
    #[error("the blueprint is not valid JSON: {problem}")]
    Broken { problem: String, offset: usize },
    #[error("the blueprint is not valid: {}", count(.0.len(), "problem"))]
    Invalid(Vec<Problem>),
    #[error("blueprint \"{0}\" does not exist")]
    Missing(String),
    #[error("the blueprint cannot be applied")]
    Refused(Vec<String>),
    #[error("the plan needs permission: {}", .classes.join(", "))]
    NotAllowed {
        classes: Vec<&'static str>,
        /// With those that were allowed.
        needed: Vec<&'static str>,
        steps: Vec<String>,
    },
    #[error("the database changed between the plan and its locks")]
    Moved,
    #[error("blueprint \"{name}\" is at version {found}, not {expected}")]
    OtherVersion { name: String, expected: i32, found: i32 },
    #[error("another session is applying blueprint \"{0}\"")]
    Busy(String),
    #[error("the database differs from the blueprint after its plan was run")]
    NotReached(Vec<String>),
    #[error("tables of blueprint \"{name}\" hold rows")]
    HoldsRows { name: String, tables: Vec<String> },
    #[error("cannot drop blueprint \"{name}\" because other objects depend on it")]
    InUse { name: String, by: Vec<String> },
    #[error("argument \"allow\" must hold only rewrite, convert and drop, not \"{0}\"")]
    BadAllow(String),
    #[error("version {version} of blueprint \"{name}\" is under way")]
    UnderWay { name: String, version: i32 },
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Report for BlueprintError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Broken { .. } => ERRCODE_INVALID_TEXT_REPRESENTATION,
            Self::Invalid(_) | Self::BadAllow(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Missing(_) => ERRCODE_UNDEFINED_OBJECT,
            Self::Refused(_) => ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::NotAllowed { .. }
            | Self::NotReached(_)
            | Self::HoldsRows { .. }
            | Self::UnderWay { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::Moved | Self::OtherVersion { .. } => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::Busy(_) => ERRCODE_LOCK_NOT_AVAILABLE,
            Self::InUse { .. } => ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Broken { offset, .. } => format!("At byte {offset} of the text."),
            Self::Invalid(problems) => lines(problems.iter().map(|problem| {
                let place =
                    if problem.pointer.is_empty() { "(document)" } else { &problem.pointer };
                format!("{place}: {}", problem.message)
            })),
            Self::Refused(steps) | Self::NotAllowed { steps, .. } | Self::NotReached(steps) => {
                lines(steps.iter().cloned())
            }
            Self::HoldsRows { tables, .. } => lines(tables.iter().cloned()),
            Self::InUse { by, .. } => lines(by.iter().cloned()),
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing(_) => {
                "kepler.apply_blueprint creates it. kepler.blueprints lists the existing ones."
                    .to_owned()
            }
            Self::Refused(_) => {
                "Nothing was changed. kepler.plan_blueprint shows all steps.".to_owned()
            }
            Self::NotAllowed { needed, .. } => {
                format!("Review the steps, then pass allow => '{{{}}}'.", needed.join(","))
            }
            Self::Moved | Self::OtherVersion { .. } => {
                "Nothing was changed. Review kepler.plan_blueprint again, then repeat the call."
                    .to_owned()
            }
            Self::Busy(_) => "Try again when its transaction has ended.".to_owned(),
            Self::NotReached(_) => "Nothing was changed. This is a bug in Kepler. Please report the \
             blueprint and the detail."
                .to_owned(),
            Self::HoldsRows { .. } => {
                "Nothing was dropped. To drop the tables with their rows: options => '{\"with_rows\": true}'."
                    .to_owned()
            }
            Self::InUse { .. } => "Nothing was dropped. Drop these first.".to_owned(),
            Self::UnderWay { .. } => {
                "CALL kepler.apply_blueprint_online goes on with it, or with another document."
                    .to_owned()
            }
            Self::Broken { .. } | Self::Invalid(_) | Self::BadAllow(_) => return None,
        })
    }
}
