//! What ends a call about enrichment.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

/// Everything that ends a call. What is wrong with one result is that element's outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrichmentError {
    #[error("entity type \"{entity_type}\" has no enrichment policy in workspace \"{workspace}\"")]
    NoPolicy { entity_type: String, workspace: String, known: Vec<String> },
    #[error("could not serialize access: the enrichment policy of \"{0}\" was changed meanwhile")]
    PolicyChanged(String),
    #[error("entity type \"{0}\" has an enrichment policy")]
    HasPolicy(String),
    #[error("what the policy of \"{0}\" left cannot be removed")]
    Kept(String),
    #[error("the policy of \"{0}\" is not fair")]
    NotFair(String),
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
    #[error("argument \"lease\" must be between 1 millisecond and 365 days")]
    BadLease,
    #[error("argument \"results\" has {results} elements, but \"record_ids\" has {ids}")]
    ResultsMismatch { results: usize, ids: usize },
    #[error("only {written} of {sent} records were written")]
    NotWritten { sent: usize, written: usize },
    #[error("argument \"max_attempts\" must be at least 1")]
    NoAttempts,
    #[error("argument \"{0}\" must not be negative")]
    BadLimit(&'static str),
    #[error("a policy cannot take turns between entities and limit by source")]
    TwoTurns,
    #[error("the policy of \"{0}\" limits by entity or source")]
    LimitedByKey(String),
    #[error("either \"priority\" or \"not_before\" must be given")]
    NothingToSchedule,
    #[error("argument \"priority\" must be between 0 and 9, not {0}")]
    BadPriority(i32),
    #[error("argument \"not_before\" must be finite")]
    BadTime,
    #[error("argument \"{0}\" must be between 0 and 365 days")]
    BadBackoff(&'static str),
    #[error("either \"record_ids\" or \"entity_type\" must be given, and not both")]
    IdsOrType,
    #[error("argument \"max_rows\" must be at least 1")]
    NoRows,
    #[error("enrichment_status cannot go from {from} to {to}")]
    Transition { id: String, from: &'static str, to: &'static str },
    #[error("enrichment_lease_id cannot change while the record is PENDING")]
    OtherLease,
}

impl Report for EnrichmentError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            // A typo must not look like an empty queue.
            Self::NoPolicy { .. } => ERRCODE_UNDEFINED_OBJECT,
            Self::PolicyChanged(_) => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::NotFair(_)
            | Self::BadMaxRows { .. }
            | Self::BadLease
            | Self::NoAttempts
            | Self::BadBackoff(_)
            | Self::IdsOrType
            | Self::NoRows
            | Self::BadLimit(_)
            | Self::TwoTurns
            | Self::LimitedByKey(_)
            | Self::NothingToSchedule
            | Self::BadPriority(_)
            | Self::BadTime
            | Self::ResultsMismatch { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::HasPolicy(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::NotWritten { .. } | Self::Kept(_) => ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Self::Transition { .. } => ERRCODE_CHECK_VIOLATION,
            Self::OtherLease => ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::NoPolicy { known, .. } if !known.is_empty() => {
                Some(format!("Types with a policy: {}.", known.join(", ")))
            }
            Self::Transition { id, .. } => Some(format!("Record \"{id}\".")),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPolicy { entity_type, .. } => {
                let name = entity_type.replace('\'', "''");
                format!("SELECT kepler.set_enrichment_policy('{name}');")
            }
            Self::PolicyChanged(_) => "Run the transaction again.".to_owned(),
            Self::HasPolicy(entity_type) => {
                let name = entity_type.replace('\'', "''");
                format!("SELECT kepler.drop_enrichment_policy('{name}');")
            }
            Self::Kept(_) => {
                "A trigger on kepler.records, kepler.leases or kepler.enrichment_queue prevents the write."
                    .to_owned()
            }
            Self::NotFair(entity_type) => {
                let name = entity_type.replace('\'', "''");
                format!("SELECT kepler.set_enrichment_policy('{name}', fair => true);")
            }
            Self::Transition { from, .. } => {
                let to = if *from == "UNAPPLIED" { "PENDING" } else { "UNAPPLIED" };
                format!("From {from} it goes to {to} only. See kepler.enrichment_transitions().")
            }
            Self::OtherLease => {
                "To take a record back, set enrichment_status to UNAPPLIED.".to_owned()
            }
            Self::NotWritten { .. } => {
                "A trigger on kepler.records prevents the write (BEFORE, returning NULL), or deletes the rows."
                    .to_owned()
            }
            Self::IdsOrType => {
                "kepler.requeue_records(entity_type => '…') requeues the FAILED records of a type.".to_owned()
            }
            Self::TwoTurns => {
                "A limit by source takes turns between sources: set fair => false, or limit_by => 'entity'.".to_owned()
            }
            Self::LimitedByKey(_) => {
                "Claims under such a limit take turns: leave out the option \"fair\".".to_owned()
            }
            Self::BadTime => {
                "To hold all records of a type back, use kepler.pause_enrichment(…).".to_owned()
            }
            _ => return None,
        })
    }
}
