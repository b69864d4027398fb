//! Takes back what expired leases hold. Part of the claim: no daemon is needed, and nothing waits.
//!
//! What another session has locked is left for the next time. An attempt that expired counts; the last
//! one makes the record FAILED. A record that the database refuses to write stays with its lease, which is
//! looked at again later.

use super::backoff;
use super::hand_over::{Ending, Fate, Held, Next, Type, hand_over};
use super::lease;
use super::outcome::End;
use super::policy::Policy;
use super::refusal::{self, Stuck};
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::subtransaction::Refusal;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// So many records that the database refuses does it come across, at most.
const MAX_REFUSED: usize = 10_000;

thread_local! {
    static EXPIRED: Statement = const { Statement::new(
        c"SELECT l.id, l.lease_until FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.deadline <= $3
            AND l.lease_until <= $3
          ORDER BY l.deadline LIMIT 20
          FOR UPDATE SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static RECORDS: Statement = const { Statement::new(
        c"SELECT r.id, m.lease_id, u.attempt, u.content_hash, r.ctid
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = n.id
          CROSS JOIN LATERAL ROWS FROM (
              pg_catalog.unnest(m.record_ids), pg_catalog.unnest(m.attempts),
              pg_catalog.unnest(m.content_hashes)) AS u (record_id, attempt, content_hash)
          CROSS JOIN LATERAL (
              SELECT x.id, x.ctid FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = u.record_id AND x.id <> ALL ($3)
                AND x.enrichment_lease_id = m.lease_id
                AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS r
          LIMIT 1000",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// The type whose expired leases are looked for.
pub(super) struct Lost<'t> {
    pub(super) workspace_id: &'t Text,
    pub(super) entity_type: &'t Text,
    /// The type again, for messages.
    pub(super) name: &'t str,
    pub(super) policy: &'t Policy,
}

/// Takes back a bounded number of records, and tells how many.
pub(super) fn reap(client: &mut SpiClient<'_>, lost: &Lost<'_>, now: i64) -> usize {
    let Lost { workspace_id, entity_type, name, policy } = *lost;
    let workspace = Some(workspace_id.datum());
    let parameters = [workspace, Some(entity_type.datum()), Some(pg_sys::Datum::from(now))];
    let expired = EXPIRED.with(|plan| plan.run(client, &parameters));
    let ends: HashMap<i64, i64> =
        expired.iter::<2>().filter_map(|row| Some((row.bigint(0)?, row.time(1)?))).collect();
    if ends.is_empty() {
        return 0;
    }
    let leases: Vec<i64> = ends.keys().copied().collect();
    let mut ids = Array::new(array::BIGINT);
    for id in &leases {
        ids.push_bytes(&id.to_ne_bytes());
    }
    let of = Type { workspace_id, entity_type, fair: policy.fair };
    let mut taken_back = 0;
    let mut refused: Vec<(Held, Refusal)> = Vec::new();
    loop {
        let mut known = Array::texts(refused.iter().map(|(held, _)| held.record_id.as_str()));
        let parameters = [workspace, Some(ids.datum()), Some(known.datum())];
        let rows = RECORDS.with(|plan| plan.run(client, &parameters));
        let endings: Vec<Ending<'_>> = rows
            .iter::<5>()
            .filter_map(|row| {
                let held = Held {
                    record_id: row.text(0)?.to_owned(),
                    lease_id: row.bigint(1)?,
                    attempt: row.integer(2)?,
                    content_hash: row.uuid(3),
                    place: row.tid(4),
                };
                Some(ending(held, policy, now))
            })
            .collect();
        let before = refused.len();
        for (ending, fate) in endings.iter().zip(hand_over(client, &of, now, &endings)) {
            match fate {
                Fate::Ended | Fate::Changed => taken_back += 1,
                // Its row was locked, so a trigger stood in the way.
                Fate::NotWritten => refused.push((ending.held.clone(), refusal::suppressed())),
                Fate::Refused(refusal) => refused.push((ending.held.clone(), refusal)),
            }
        }
        // Behind those that were refused there may be others.
        if refused.len() == before || refused.len() >= MAX_REFUSED {
            break;
        }
    }
    lease::end_empty(client, workspace, &leases);
    let records = refused.len();
    let mut stuck: Vec<Stuck> = Vec::new();
    for (held, refusal) in refused {
        let Some(&ended_at) = ends.get(&held.lease_id) else { continue };
        if stuck.iter().all(|lease| lease.lease_id != held.lease_id) {
            let Held { lease_id, record_id, .. } = held;
            stuck.push(Stuck { lease_id, record_id, ended_at, refusal });
        }
    }
    refusal::postpone_leases(client, workspace, name, policy, now, &stuck, records);
    taken_back
}

/// If the content has changed, nobody has tried the new content: attempts begin at 0.
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
