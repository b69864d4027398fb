//! What settling means for a lease, and what the log says of an attempt.

use crate::answer::Outcome;

/// Whether a lease is done with a record that has this outcome.
pub(super) fn is_settled(outcome: Outcome) -> bool {
    use Outcome::*;
    matches!(outcome, Applied | Retried | Failed | Released | Duplicate | Superseded)
}

/// Whether what an element says of a failure is told: it is in the log, or was not taken.
pub(super) fn has_said(outcome: Outcome) -> bool {
    use Outcome::*;
    matches!(outcome, Retried | Failed | Superseded | Rejected)
}

/// How an attempt ended, as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Applied,
    Retried,
    Failed,
    Released,
    Superseded,
    Expired,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }
}
