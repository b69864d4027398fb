//! Where a session's claims go on, and when they look further.

use pgrx::pg_sys;

const SECOND: i64 = 1_000_000;
/// A look from the start takes at most this share of the time.
const SHARE: i64 = 20;
/// What is done faster than this may be done each time.
const QUICK: i64 = 1_000;

/// Where a session's last claim of a type ended, and when it looked further.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) ready_at: i64,
    pub(super) started_at: i64,
    pub(super) start_took: i64,
    pub(super) reaped_at: i64,
    pub(super) reap_took: i64,
    /// The deadline from which there may be more to take back at once.
    pub(super) reap_from: Option<i64>,
    pub(super) swept_at: i64,
    pub(super) sweep_took: i64,
    pub(super) keyless_at: i64,
    pub(super) keyless_took: i64,
    /// Of each priority above 0, and when all were looked through.
    pub(super) prior_ready_at: [i64; PRIORITIES],
    pub(super) prior_at: i64,
    pub(super) prior_took: i64,
    /// Behind which key to go on, where none of those before it could be served.
    pub(super) keys_after: Option<String>,
}

/// The priorities above 0, which is that of records without one.
pub(super) const PRIORITIES: usize = 9;

impl Place {
    /// Whether it is time to look from the start: where there was `enough`, only once a second.
    pub(super) fn start_is_due(&self, now: i64, enough: bool) -> bool {
        is_over(self.started_at, pause(self.start_took, enough), now)
    }

    /// Whether it is time to take away all turns that are over.
    pub(super) fn sweep_is_due(&self, now: i64) -> bool {
        is_over(self.swept_at, pause(self.sweep_took, true), now)
    }

    /// Whether it is time to look for what a fair policy would pass by.
    pub(super) fn keyless_is_due(&self, now: i64) -> bool {
        is_over(self.keyless_at, pause(self.keyless_took, true), now)
    }

    /// Whether it is time to look for records with a priority from the start.
    pub(super) fn prior_is_due(&self, now: i64) -> bool {
        is_over(self.prior_at, pause(self.prior_took, false), now)
    }

    pub(super) fn reap_is_due(&self, now: i64, enough: bool) -> bool {
        is_over(self.reaped_at, pause(self.reap_took, enough), now)
    }
}

/// Whether a pause is over that began at `since`. If that lies ahead, the clock was set back, and how
/// long ago it was nobody knows.
fn is_over(since: i64, pause: i64, now: i64) -> bool {
    now < since || now >= since + pause
}

/// Blocks that the session has looked at. A look costs about a microsecond a block, and unlike a clock
/// this does not depend on who else is running.
pub(super) fn blocks() -> i64 {
    // SAFETY: counters of this process, which has one thread.
    unsafe { pg_sys::pgBufferUsage.shared_blks_hit + pg_sys::pgBufferUsage.shared_blks_read }
}

fn pause(took: i64, enough: bool) -> i64 {
    let least = if enough { SECOND } else { 0 };
    if took < QUICK { least } else { least.max(SHARE * took) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_again_after_a_second_and_after_the_clock_was_set_back() {
        let place = Place { started_at: 5 * SECOND, reaped_at: 5 * SECOND, ..Place::default() };
        assert!(!place.start_is_due(5 * SECOND + 1, true));
        assert!(place.start_is_due(5 * SECOND + 1, false));
        assert!(place.start_is_due(6 * SECOND, true));
        assert!(place.start_is_due(4 * SECOND, false) && place.start_is_due(4 * SECOND, true));
        assert!(place.reap_is_due(4 * SECOND, false) && place.reap_is_due(4 * SECOND, true));
        let slow = Place { start_took: SECOND, ..place };
        assert!(!slow.start_is_due(24 * SECOND, false) && slow.start_is_due(25 * SECOND, false));
    }
}
