//! What ends a call about the history.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(super) enum HistoryError {
    #[error(
        "a trigger of {0} tells of the history of another table, or of one that is not tracked"
    )]
    Forged(String),
    #[error("no history is kept of {0}")]
    NotKept(String),
    #[error("of {0} nothing is kept but deleted rows")]
    DeletionsAlone(String),
    #[error("permission denied for table {0}")]
    NoRight(String),
    #[error("the history of {0} cannot be read under its row security")]
    Secured(String),
    #[error("column \"{0}\" of the primary key is sensitive, and would stand in the history")]
    SensitiveKey(String),
    #[error(
        "the key of {table} has {expected} columns: \"id\" must be a JSON array of so many texts"
    )]
    BadKey { table: String, expected: usize },
    #[error("it is not known what the row was at that time")]
    Unknown { why: &'static str },
    #[error("the history of {0} cannot be read beside distributed tables")]
    Beside(String),
    #[error(
        "the node lacks tables that every node has: SELECT replicate_reference_tables(); on the coordinator"
    )]
    LacksShared,
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
}

impl Report for HistoryError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NotKept(_)
            | Self::DeletionsAlone(_)
            | Self::SensitiveKey(_)
            | Self::LacksShared
            | Self::Unknown { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::NoRight(_) | Self::Secured(_) | Self::Forged(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Beside(_) => ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::BadKey { .. } | Self::BadMaxRows { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Unknown { why } => Some((*why).to_owned()),
            Self::Secured(_) => Some(
                "Its policies say which rows a role sees now, and not which it was to see before."
                    .to_owned(),
            ),
            Self::Beside(_) => Some(
                "The statement runs on one node of the cluster, and other nodes have what was done while the row lay there."
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotKept(table) => {
                Some(format!("SELECT kepler.track('{}', 'history');", table.replace('\'', "''")))
            }
            Self::Forged(_) => Some("kepler.track() makes such triggers, and makes them anew where the list of tracked tables has lost a row.".to_owned()),
            Self::Beside(_) => Some(
                "Read the ids first, then call it for each of them, on the coordinator: in a function, or FROM unnest('{…}'::text[])."
                    .to_owned(),
            ),
            Self::DeletionsAlone(_) => Some(
                "Read what was deleted from kepler.history, or track the table at level history."
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
