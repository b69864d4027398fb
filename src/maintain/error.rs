//! What ends a call of `maintain` before it has begun.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(super) enum MaintainError {
    #[error("argument \"budget\" must be between 0 and one day")]
    BadBudget,
    #[error("procedure kepler.maintain cannot run in a read-only transaction")]
    ReadOnly,
    #[error("Kepler's tables are of an older version than the library")]
    OldTables,
}

impl Report for MaintainError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::BadBudget => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::ReadOnly => PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            Self::OldTables => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::ReadOnly => {
                Some("The setting default_transaction_read_only is on for this session.".to_owned())
            }
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::BadBudget => None,
            Self::ReadOnly => Some("SET default_transaction_read_only = off;".to_owned()),
            Self::OldTables => Some("SELECT kepler.install();".to_owned()),
        }
    }
}
