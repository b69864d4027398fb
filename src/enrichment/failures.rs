//! The records that are FAILED, active and not deleted, in a narrow table: an index on the status of the wide records
//! would end their heap-only updates.
//!
//! Whoever makes a record such a one, or takes it out of that state, writes the table, with the record's row in hand.
//! Records that never fail cost nothing.

use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static ADD: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_failures AS f (workspace_id, entity_type, failed_at, record_id)
          SELECT $1, $2, $3, pg_catalog.unnest($4)
          ON CONFLICT (workspace_id, record_id)
          DO UPDATE SET entity_type = excluded.entity_type, failed_at = excluded.failed_at",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
    ) };
    static REMOVE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_failures AS f
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE f.workspace_id = $1 AND f.record_id = n.id
            AND NOT (SELECT COALESCE(pg_catalog.bool_or(
                         r.enrichment_status = 'FAILED'::kepler.record_enrichment_status
                         AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL), false)
                     FROM kepler.records AS r WHERE r.workspace_id = $1 AND r.id = n.id)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static ADD_FAILED: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_failures AS f (workspace_id, entity_type, failed_at, record_id)
          SELECT $1, r.entity_type, r.updated_at, r.id
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id, x.entity_type, x.updated_at FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id
                AND x.enrichment_status = 'FAILED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1) AS r
          ON CONFLICT (workspace_id, record_id) DO UPDATE SET entity_type = excluded.entity_type
          WHERE f.entity_type <> excluded.entity_type",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Records that have just become FAILED.
pub(super) fn add(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    entity_type: Parameter,
    failed_at: Parameter,
    mut record_ids: Array,
) {
    let ids = Some(record_ids.datum());
    ADD.with(|plan| plan.run(client, &[workspace, entity_type, failed_at, ids]));
}

/// Brings the table in line with records that were FAILED or are, as they are now.
pub(crate) fn follow(client: &mut SpiClient<'_>, workspace: Parameter, record_ids: &[&str]) {
    if record_ids.is_empty() {
        return;
    }
    let mut ids = Array::texts(record_ids.iter().copied());
    let parameters = [workspace, Some(ids.datum())];
    REMOVE.with(|plan| plan.run(client, &parameters));
    ADD_FAILED.with(|plan| plan.run(client, &parameters));
}
