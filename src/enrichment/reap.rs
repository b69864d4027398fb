//! Takes back what expired leases hold. Part of the claim: no daemon is needed, and nothing waits.
//!
//! What another session has locked is left for the next time. An attempt that expired counts; the last
//! one makes the record FAILED.

use super::backoff;
use super::hand_over::{HandOver, Next};
use super::outcome::End;
use super::policy::Policy;
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

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
        c"SELECT r.id, r.content_hash,
                 r.enrichment_status = 'PENDING'::kepler.record_enrichment_status
          FROM (SELECT q.record_id
                FROM (SELECT pg_catalog.unnest($2) AS id) AS n
                JOIN kepler.enrichment_queue AS q ON q.workspace_id = $1 AND q.lease_id = n.id
                LIMIT 1000) AS h
          CROSS JOIN LATERAL (
              SELECT x.id, x.content_hash, x.enrichment_status FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = h.record_id
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS r",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
    static QUEUE: Statement = const { Statement::new(
        c"SELECT q.record_id, q.lease_id, q.attempt, q.content_hash
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.record_id, x.lease_id, x.attempt, x.content_hash
              FROM kepler.enrichment_queue AS x
              WHERE x.workspace_id = $1 AND x.record_id = n.id
                AND coalesce(x.lease_id = ANY ($2), false)
              LIMIT 1 FOR UPDATE SKIP LOCKED) AS q",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Takes back a bounded number of records, and tells how many.
pub(crate) fn reap(
    client: &mut SpiClient<'_>,
    workspace_id: &Text,
    entity_type: &Text,
    policy: &Policy,
    now: i64,
) -> Result<usize, Error> {
    let workspace = Some(workspace_id.datum());
    let parameters = [workspace, Some(entity_type.datum()), Some(pg_sys::Datum::from(now))];
    let expired = EXPIRED.with(|plan| plan.run(client, &parameters));
    let leases: Vec<i64> = expired.iter::<1>().filter_map(|row| row.bigint(0)).collect();
    if leases.is_empty() {
        return Ok(0);
    }
    let mut lease_ids = Array::new(array::BIGINT);
    for id in &leases {
        lease_ids.push_bytes(&id.to_ne_bytes());
    }
    let lease_ids = Some(lease_ids.datum());

    let records = RECORDS.with(|plan| plan.run(client, &[workspace, lease_ids]));
    let mut ids = Array::new(array::TEXT);
    let mut states = HashMap::new();
    for row in records.iter::<3>() {
        let Some(id) = row.text(0) else { continue };
        ids.push_text(id);
        states.insert(id, (row.uuid(1), row.boolean(2) == Some(true)));
    }
    let held = QUEUE.with(|plan| plan.run(client, &[workspace, lease_ids, Some(ids.datum())]));
    let mut hand_over = HandOver::new();
    let mut count = 0;
    for row in held.iter::<4>() {
        let (Some(id), Some(lease), Some(attempt)) = (row.text(0), row.bigint(1), row.integer(2))
        else {
            continue;
        };
        let Some(&(content_hash, pending)) = states.get(id) else { continue };
        count += 1;
        if !pending {
            hand_over.drop_row(id);
            continue;
        }
        let (end, error, next) = if content_hash != row.uuid(3) {
            // Nobody has tried what it says now.
            (End::Expired, "the lease expired", Next::Again { attempt: 0, ready_at: now })
        } else if attempt >= policy.max_attempts {
            (End::Expired, "the lease of the last attempt expired", Next::Failed)
        } else {
            let ready_at = now + backoff::random_wait(policy, attempt);
            (End::Expired, "the lease expired", Next::Again { attempt, ready_at })
        };
        hand_over.push(id, lease, attempt, end, Some(error), &next);
    }
    hand_over.write(client, workspace_id, now, &leases)?;
    Ok(count)
}
