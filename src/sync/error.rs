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
    #[error("rows of sync run \"{id}\" wait in the inbox")]
    InboxNotEmpty { id: String },
    #[error("rows of sync run \"{id}\" cannot be taken out of the inbox")]
    InboxKept { id: String },
    #[error("sync run \"{id}\" reads its inbox in another way")]
    OtherReading { id: String, kept: String, given: String },
    #[error("rows of kepler.inbox need a sync run")]
    NoCopiedRun,
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
            | Self::InboxNotEmpty { .. }
            | Self::InboxKept { .. }
            | Self::TooMany { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::NoCopiedRun => ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::ScopeOfIncremental
            | Self::OtherReading { .. }
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
            Self::OtherReading { kept, given, .. } => Some(format!(
                "Its first merge said {kept}, and the arguments of this one say {given}."
            )),
            Self::InboxKept { .. } => {
                Some("A trigger or a policy on kepler.inbox_rows keeps them.".to_owned())
            }
            Self::NoCopiedRun => Some("The setting kepler.sync_run_id is not set.".to_owned()),
            Self::ScopeOfIncremental => Some("An incremental run deletes nothing.".to_owned()),
            Self::KeepsSnapshot => {
                Some("It does not see what upserts have noted since it began.".to_owned())
            }
            Self::InboxNotEmpty { .. } => {
                Some("What they say is not in the records yet.".to_owned())
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
                Self::InboxNotEmpty { .. } => {
                    "CALL kepler.merge_inbox(…); or delete them from kepler.inbox_rows."
                }
                Self::InboxKept { .. } => "Let this role delete from kepler.inbox_rows.",
                Self::OtherReading { .. } => {
                    "Leave merge, id_key, updated_at_key, deleted_key and options out: the run keeps them."
                }
                Self::NoCopiedRun => {
                    "In the transaction of the COPY: SET LOCAL kepler.sync_run_id = '…'; or name the column sync_run_id."
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
