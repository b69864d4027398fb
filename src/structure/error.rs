//! What can be wrong with a structure, a table or a change of it.

use super::document::Problem;
use crate::error::{Report, lines};
use crate::json::Broken;
use crate::secrets::reference;
use pgrx::PgSqlErrorCode;

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Structure,
    Blueprint,
}

impl Document {
    fn name(self) -> &'static str {
        match self {
            Document::Structure => "structure",
            Document::Blueprint => "blueprint",
        }
    }

    pub(crate) fn broken(self, broken: Broken) -> StructureError {
        let Broken { problem, offset } = broken;
        StructureError::Broken { document: self, problem, offset }
    }

    pub(crate) fn invalid(self, problems: Vec<Problem>) -> StructureError {
        StructureError::Invalid { document: self, problems }
    }
}

/// Everything that ends a call about structures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StructureError {
    #[error("the {} is not valid JSON: {problem}", .document.name())]
    Broken { document: Document, problem: String, offset: usize },
    #[error("the {} is not valid: {}", .document.name(), count(.problems.len(), "problem"))]
    Invalid { document: Document, problems: Vec<Problem> },
    #[error("entry table \"{0}\" already exists")]
    Exists(String),
    /// The name that a table was to get.
    #[error("entry table \"{0}\" already exists")]
    NameTaken(String),
    #[error("entry table \"{name}\" does not exist in workspace \"{workspace}\"")]
    Missing { name: String, workspace: String },
    #[error("entry table \"{0}\" was not dropped")]
    NotDropped(String),
    #[error("table kepler_data.{0} does not exist")]
    TableGone(String),
    #[error("table kepler_data.{table} does not belong to workspace \"{workspace}\"")]
    Foreign { table: String, workspace: String },
    #[error("\"{0}\" is not a table")]
    NotATable(String),
    #[error("the change is refused")]
    Refused(Vec<String>),
    #[error("the change needs permission: {}", .classes.join(", "))]
    NotAllowed {
        classes: Vec<&'static str>,
        /// With those that were allowed.
        needed: Vec<&'static str>,
        steps: Vec<String>,
    },
    #[error("existing {what} block the change")]
    RowsInTheWay {
        /// `entries`, or `rows` of any table.
        what: &'static str,
        lines: Vec<String>,
    },
    #[error("the structure of \"{name}\" has changed")]
    Moved { name: String, expected: i32, found: i32 },
    #[error("the table of \"{0}\" changed during the wait for its lock")]
    TableMoved(String),
    #[error("the table differs from the structure after the change")]
    NotReached(Vec<String>),
    #[error("other entry tables refer to \"{name}\"")]
    ReferredTo { name: String, by: Vec<String> },
    #[error("entry table \"{table}\" has no hidden field \"{field}\"")]
    NotHidden { table: String, field: String },
    #[error("entry table \"{table}\" already has a field \"{field}\"")]
    FieldInUse { table: String, field: String },
    #[error("cannot delete {what} because other objects depend on it")]
    InUse { what: String, by: Vec<String> },
    #[error("argument \"allow\" must hold only rewrite and convert, not \"{0}\"")]
    BadAllow(String),
    #[error("field \"{0}\" is in use")]
    StillInUse(String),
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Report for StructureError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Broken { .. } => ERRCODE_INVALID_TEXT_REPRESENTATION,
            Self::Invalid { .. } | Self::BadAllow(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Exists(_) | Self::NameTaken(_) => ERRCODE_DUPLICATE_TABLE,
            Self::Missing { .. } | Self::TableGone(_) => ERRCODE_UNDEFINED_TABLE,
            Self::Foreign { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::NotATable(_) => ERRCODE_WRONG_OBJECT_TYPE,
            Self::Refused(_) => ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::NotDropped(_) | Self::NotAllowed { .. } | Self::StillInUse(_) => {
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Self::RowsInTheWay { .. } => ERRCODE_CHECK_VIOLATION,
            Self::Moved { .. } | Self::TableMoved(_) => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::NotReached(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::ReferredTo { .. } | Self::InUse { .. } => ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            Self::NotHidden { .. } => ERRCODE_UNDEFINED_COLUMN,
            Self::FieldInUse { .. } => ERRCODE_DUPLICATE_COLUMN,
        }
    }

    fn is_about_secret(&self) -> bool {
        let Self::Invalid { problems, .. } = self else { return false };
        problems.iter().any(|problem| reference::Problem::is_told_in(&problem.message))
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Broken { offset, .. } => format!("At byte {offset} of the text."),
            Self::Invalid { problems, .. } => lines(problems.iter().map(|problem| {
                let place =
                    if problem.pointer.is_empty() { "(document)" } else { &problem.pointer };
                format!("{place}: {}", problem.message)
            })),
            Self::Refused(steps)
            | Self::NotAllowed { steps, .. }
            | Self::RowsInTheWay { lines: steps, .. }
            | Self::NotReached(steps) => lines(steps.iter().cloned()),
            Self::Moved { expected, found, .. } => {
                format!("Expected version {expected}, found version {found}.")
            }
            Self::ReferredTo { by, .. } => lines(by.iter().map(|name| format!("\"{name}\""))),
            Self::InUse { by, .. } => lines(by.iter().cloned()),
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists(_) => {
                "kepler.plan_entry_table shows the steps to the new structure, and kepler.alter_entry_table \
                 takes them.".to_owned()
            }
            Self::NameTaken(_) => {
                "Choose another name, or first rename or drop the table that has this one.".to_owned()
            }
            Self::Missing { .. } => {
                "kepler.create_entry_table creates it. kepler.entry_tables lists the existing ones."
                    .to_owned()
            }
            Self::NotDropped(_) => "Drop the table first, with kepler.drop_entry_table.".to_owned(),
            Self::TableGone(_) => {
                "The table was dropped or renamed by hand. Restore it, or delete its row from kepler.entry_tables."
                    .to_owned()
            }
            Self::NotAllowed { needed, .. } => {
                format!("Review the steps, then pass allow => '{{{}}}'.", needed.join(","))
            }
            Self::StillInUse(_) => {
                "First leave the field out of the structure. kepler.alter_entry_table then hides it."
                    .to_owned()
            }
            Self::RowsInTheWay { what, .. } => {
                format!(
                    "Nothing was changed. Correct these {what}, or leave that part of the change out."
                )
            }
            Self::Moved { .. } | Self::TableMoved(_) => {
                "Review kepler.plan_entry_table again, then repeat the call.".to_owned()
            }
            Self::NotReached(_) => "Nothing was changed. This is a bug in Kepler. Please report the structure \
             and the detail."
                .to_owned(),
            Self::ReferredTo { .. } => {
                "Remove the references from their structures first.".to_owned()
            }
            Self::InUse { .. } => "Nothing was changed. Drop these first.".to_owned(),
            Self::NotHidden { .. } => "kepler.hidden_fields lists the hidden fields.".to_owned(),
            Self::FieldInUse { .. } => {
                "Restore the hidden field under another name, with options => '{\"name\": …}', or first rename the one \
                 in use in the structure, with renamed_from."
                    .to_owned()
            }
            _ => return None,
        })
    }
}
