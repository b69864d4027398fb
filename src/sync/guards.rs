//! What keeps a full run from sweeping.

use super::error::SyncError;
use super::run::{Run, Totals};
use crate::error::Error;

/// What whoever ends a run allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    pub(super) max_delete_fraction: f64,
    pub(super) rejects: bool,
    pub(super) empty: bool,
}

/// What a sweep would do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    /// Live records in the run's scope.
    pub(super) records: i64,
    pub(super) missing: i64,
}

impl Allowed {
    /// How many records may be deleted.
    pub(super) fn limit(&self, records: i64) -> i64 {
        // A hair more, so that 0.1 of 10 is 1.
        (self.max_delete_fraction * records as f64 + 1e-9).floor() as i64
    }

    /// Why a run may not sweep.
    pub(super) fn refusal(&self, run: &Run, totals: &Totals, found: Missing) -> Option<SyncError> {
        let id = run.id.clone();
        let counts = || self.counts(totals, found);
        if totals.seen == 0 && found.records > 0 && !self.empty {
            return Some(SyncError::SawNothing { id, counts: counts() });
        }
        if totals.rejected > 0 && !self.rejects {
            return Some(SyncError::HasRejects { id, counts: counts() });
        }
        if found.missing > self.limit(found.records) {
            return Some(SyncError::TooMany { id, counts: counts() });
        }
        None
    }

    pub(super) fn check(&self, run: &Run, totals: &Totals, found: Missing) -> Result<(), Error> {
        self.refusal(run, totals, found).map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    fn counts(&self, totals: &Totals, found: Missing) -> String {
        let fraction = match found.records {
            0 => 0.0,
            records => found.missing as f64 / records as f64,
        };
        format!(
            "It saw {}, rejected {}, and would delete {} of {} records: {fraction:.3}, and max_delete_fraction is {}.",
            totals.seen, totals.rejected, found.missing, found.records, self.max_delete_fraction
        )
    }
}
