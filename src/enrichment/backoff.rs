//! How long a record waits for its next attempt.

use super::policy::Policy;

/// `base · 2^(attempt - 1)`, at most `cap`, of which `share` (from 0 to 1) moves the result between
/// half and the whole: records that failed together do not come back together. Microseconds.
pub(crate) fn wait(policy: &Policy, attempt: i32, share: f64) -> i64 {
    let doublings = attempt.saturating_sub(1).clamp(0, 62);
    let whole = policy.backoff_base.saturating_mul(1_i64 << doublings).min(policy.backoff_cap);
    whole / 2 + (whole as f64 / 2.0 * share) as i64
}

/// The same with a random share.
pub(crate) fn random_wait(policy: &Policy, attempt: i32) -> i64 {
    // SAFETY: the process has one thread, and Postgres seeds its generator at the start of each.
    let share =
        unsafe { pgrx::pg_sys::pg_prng_double(&raw mut pgrx::pg_sys::pg_global_prng_state) };
    wait(policy, attempt, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_never_overflows() {
        let policy = Policy {
            max_attempts: 5,
            lease: 1,
            backoff_base: 10,
            backoff_cap: 70,
            turns: None,
            takes_turns: false,
            is_paused: false,
            priorities: false,
            limit: None,
        };
        let waits: Vec<i64> = (1..6).map(|attempt| wait(&policy, attempt, 1.0)).collect();
        assert_eq!(waits, [10, 20, 40, 70, 70]);
        assert_eq!(wait(&policy, 1, 0.0), 5);
        assert_eq!(wait(&policy, i32::MAX, 1.0), 70);
        let long = Policy { backoff_base: i64::MAX, backoff_cap: i64::MAX, ..policy };
        assert!(wait(&long, 60, 1.0) > 0);
    }
}
