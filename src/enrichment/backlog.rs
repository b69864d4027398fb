//! What the queue of a type holds when its policy begins, changes its order, or ends. The caller holds the type's
//! lock for itself alone.
//!
//! The statements are planned each time, for as many records as there are: a policy comes and goes seldom.

use super::direct::Own;
use crate::error::Error;
use pgrx::spi::SpiClient;

/// Queues what is to be enriched, and gives how many that are.
pub(super) fn queue(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
    is_fair: bool,
) -> Result<i64, Error> {
    let queued = client.update(
        // A microsecond each: a claim that goes on where the last one ended finds its place by the time.
        // A row that is there under another type got there around Kepler, and would never be claimed.
        "INSERT INTO kepler.enrichment_queue AS q (workspace_id, record_id, entity_type, fair_key, ready_at)
         SELECT r.workspace_id, r.id, r.entity_type, CASE WHEN $3 THEN COALESCE(r.entity_id, ' ') END,
             n.now - (pg_catalog.count(*) OVER () - pg_catalog.row_number() OVER ()) * interval '1 microsecond'
         FROM kepler.records AS r CROSS JOIN (SELECT pg_catalog.clock_timestamp() OFFSET 0) AS n (now)
         WHERE r.workspace_id = $1 AND r.entity_type = $2
             AND r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
             AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL
         ON CONFLICT ON CONSTRAINT enrichment_queue_pkey DO UPDATE
         SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
         WHERE q.entity_type <> excluded.entity_type",
        None,
        &[workspace_id.into(), entity_type.into(), is_fair.into()],
    )?;
    Ok(queued.len() as i64)
}

/// Reorders the queued records as the policy says: in turns between entities, or not.
pub(super) fn set_fair_keys(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
    is_fair: bool,
) -> Result<(), Error> {
    client.update(
        "UPDATE kepler.enrichment_queue AS q
         SET fair_key = CASE WHEN $3 THEN COALESCE(r.entity_id, ' ') END
         FROM kepler.records AS r
         WHERE q.workspace_id = $1 AND q.entity_type = $2 AND (q.fair_key IS NOT NULL) <> $3
             AND r.workspace_id = q.workspace_id AND r.id = q.record_id",
        None,
        &[workspace_id.into(), entity_type.into(), is_fair.into()],
    )?;
    Ok(())
}

/// Ends the leases of a type, whose records are given back, and empties its queue.
pub(super) fn end(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
) -> Result<(), Error> {
    let of_type = [workspace_id.into(), entity_type.into()];
    loop {
        // The leases first: whoever settles waits, and is then stale. A trigger gives their records back.
        client.update(
            "DELETE FROM kepler.leases AS l WHERE l.workspace_id = $1 AND l.entity_type = $2",
            None,
            &of_type,
        )?;
        {
            let _own = Own::begin();
            client.update(
                "DELETE FROM kepler.enrichment_queue AS q WHERE q.workspace_id = $1 AND q.entity_type = $2",
                None,
                &of_type,
            )?;
        }
        // A claim that was under way has kept this waiting for its rows of the queue, and now has a lease.
        let left = client.update(
            "SELECT FROM kepler.leases AS l WHERE l.workspace_id = $1 AND l.entity_type = $2 LIMIT 1",
            None,
            &of_type,
        )?;
        if left.is_empty() {
            break;
        }
    }
    client.update(
        "DELETE FROM kepler.enrichment_turns AS t WHERE t.workspace_id = $1 AND t.entity_type = $2",
        None,
        &of_type,
    )?;
    Ok(())
}
