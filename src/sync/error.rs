//! What ends a call about sync runs.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error("sync run \"{id}\" has ended")]
    Ended { id: String, status: String, error: Option<String> },
    #[error("sync run \"{id}\" saw nothing")]
    SawNothing { id: String, counts: String },
    #[error("sync run \"{id}\" has rejects")]
    HasRejects { id: String, counts: String },
    #[error("sync run \"{id}\" would delete too many records")]
    TooMany { id: String, counts: String },
    #[error("a scope needs mode full")]
    ScopeOfIncremental,
    #[error("a sweep cannot run in a transaction that keeps to its snapshot")]
    KeepsSnapshot,
    #[error("argument \"max_delete_fraction\" must be between 0 and 1, not {0}")]
    BadFraction(f64),
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
    #[error("arguments \"sync_run_id\" and \"entity_type\" must not both be NULL, nor both given")]
    RunOrEntity,
    #[error("argument \"silent_for\" must be between 0 and 10 years")]
    BadSilence,
    #[error("another run of the entity began meanwhile")]
    BeganMeanwhile,
}

impl Report for SyncError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Ended { .. }
            | Self::SawNothing { .. }
            | Self::HasRejects { .. }
            | Self::TooMany { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::ScopeOfIncremental
            | Self::BadFraction(_)
            | Self::BadMaxRows { .. }
            | Self::BadSilence
            | Self::RunOrEntity => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::KeepsSnapshot => ERRCODE_INVALID_TRANSACTION_STATE,
            Self::BeganMeanwhile => ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Ended { status, error, .. } => Some(match error {
                Some(error) => format!("Its status is {status}: {error}"),
                None => format!("Its status is {status}."),
            }),
            Self::SawNothing { counts, .. }
            | Self::HasRejects { counts, .. }
            | Self::TooMany { counts, .. } => Some(counts.clone()),
            Self::ScopeOfIncremental => Some("An incremental run deletes nothing.".to_owned()),
            Self::KeepsSnapshot => {
                Some("It does not see what upserts have noted since it began.".to_owned())
            }
            Self::BadFraction(_)
            | Self::BadMaxRows { .. }
            | Self::RunOrEntity
            | Self::BadSilence
            | Self::BeganMeanwhile => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Ended { .. } => "Begin a new one: kepler.begin_sync(…).",
                Self::SawNothing { .. } => {
                    "If the fetch failed: kepler.abort_sync(…). If the source is empty by now: allow_empty => true."
                }
                Self::HasRejects { .. } => {
                    "Repair them in kepler.rejects and kepler.retry_rejects(…), or leave them out: allow_rejects => true."
                }
                Self::TooMany { .. } => {
                    "If the source has lost so many records: a larger max_delete_fraction. If not: kepler.abort_sync(…)."
                }
                Self::KeepsSnapshot => "Call it in a transaction with READ COMMITTED.",
                Self::BeganMeanwhile => "Run the transaction again.",
                Self::ScopeOfIncremental => "Leave scope out.",
                Self::BadFraction(_)
                | Self::BadMaxRows { .. }
                | Self::BadSilence
                | Self::RunOrEntity => return None,
            }
            .to_owned(),
        )
    }
}
