//! Takes back what expired leases hold. Part of the claim: no daemon is needed, and nothing waits.
//!
//! What another session has locked is left for the next time. An attempt that expired counts; the last
//! one makes the record FAILED.

use super::backoff;
use super::hand_over::{Ending, Fate, Held, Next, Type, hand_over};
use super::lease;
use super::outcome::End;
use super::policy::Policy;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static EXPIRED: Statement = const { Statement::new(
        c"SELECT l.id FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.deadline <= $3
            AND l.lease_until <= $3
          ORDER BY l.deadline LIMIT 20
          FOR UPDATE SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static RECORDS: Statement = const { Statement::new(
        c"SELECT r.id, m.lease_id, u.attempt, u.content_hash
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = n.id
          CROSS JOIN LATERAL ROWS FROM (
              pg_catalog.unnest(m.record_ids), pg_catalog.unnest(m.attempts),
              pg_catalog.unnest(m.content_hashes)) AS u (record_id, attempt, content_hash)
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = u.record_id
                AND x.enrichment_lease_id = m.lease_id
                AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS r
          LIMIT 1000",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
}

/// Takes back a bounded number of records, and tells how many.
pub(super) fn reap(
    client: &mut SpiClient<'_>,
    workspace_id: &Text,
    entity_type: &Text,
    policy: &Policy,
    now: i64,
) -> usize {
    let workspace = Some(workspace_id.datum());
    let parameters = [workspace, Some(entity_type.datum()), Some(pg_sys::Datum::from(now))];
    let expired = EXPIRED.with(|plan| plan.run(client, &parameters));
    let leases: Vec<i64> = expired.iter::<1>().filter_map(|row| row.bigint(0)).collect();
    if leases.is_empty() {
        return 0;
    }
    let mut ids = Array::new(array::BIGINT);
    for id in &leases {
        ids.push_bytes(&id.to_ne_bytes());
    }
    let rows = RECORDS.with(|plan| plan.run(client, &[workspace, Some(ids.datum())]));
    let endings: Vec<Ending<'_>> = rows
        .iter::<4>()
        .filter_map(|row| {
            let held = Held {
                record_id: row.text(0)?.to_owned(),
                lease_id: row.bigint(1)?,
                attempt: row.integer(2)?,
                content_hash: row.uuid(3),
            };
            Some(ending(held, policy, now))
        })
        .collect();
    let of = Type { workspace_id, entity_type, fair: policy.fair };
    let fates = hand_over(client, &of, now, &endings);
    lease::end_empty(client, workspace, &leases);
    fates.iter().filter(|fate| **fate != Fate::NotHeld).count()
}

/// Where the content has changed nobody has tried what it says now: it begins anew.
fn ending(held: Held, policy: &Policy, now: i64) -> Ending<'static> {
    let attempt = held.attempt;
    let (error, next) = if attempt >= policy.max_attempts {
        ("the lease of the last attempt expired", Next::Failed)
    } else {
        let ready_at = now + backoff::random_wait(policy, attempt);
        ("the lease expired", Next::Again { attempt, ready_at })
    };
    Ending { held, next, end: End::Expired, end_if_changed: End::Expired, error: Some(error) }
}
