//! Leases that hold nothing more.

use crate::pg::array::{self, Array};
use crate::pg::plan::{Parameter, Statement};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static END: Statement = const { Statement::new(
        c"WITH ended AS (
              DELETE FROM kepler.leases AS l WHERE l.workspace_id = $1 AND l.id = $2)
          DELETE FROM kepler.lease_records AS m WHERE m.workspace_id = $1 AND m.lease_id = $2",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static END_EMPTY: Statement = const { Statement::new(
        c"WITH ended AS (
              DELETE FROM kepler.leases AS l
              WHERE l.workspace_id = $1 AND l.id = ANY (ARRAY(
                  SELECT n.id FROM (SELECT pg_catalog.unnest($2) AS id) AS n
                  WHERE (SELECT r.id
                         FROM kepler.lease_records AS m
                         CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) AS u (id)
                         CROSS JOIN LATERAL (
                             SELECT x.id FROM kepler.records AS x
                             WHERE x.workspace_id = $1 AND x.id = u.id AND x.enrichment_lease_id = n.id
                               AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
                             LIMIT 1) AS r
                         WHERE m.workspace_id = $1 AND m.lease_id = n.id
                         LIMIT 1) IS NULL))
              RETURNING l.id)
          DELETE FROM kepler.lease_records AS m USING ended AS e
          WHERE m.workspace_id = $1 AND m.lease_id = e.id
          RETURNING m.lease_id",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
    static END_ALL: Statement = const { Statement::new(
        c"WITH ended AS (
              DELETE FROM kepler.leases AS l WHERE l.workspace_id = $1 AND l.id = ANY ($2))
          DELETE FROM kepler.lease_records AS m WHERE m.workspace_id = $1 AND m.lease_id = ANY ($2)",
        &[pg_sys::TEXTOID, pg_sys::INT8ARRAYOID],
    ) };
}

/// Ends a lease whose records are all settled.
pub(super) fn end(client: &mut SpiClient<'_>, workspace: Parameter, lease_id: i64) {
    let lease = Some(pg_sys::Datum::from(lease_id));
    END.with(|plan| plan.run(client, &[workspace, lease]));
}

/// Ends leases whose records are all taken back.
pub(super) fn end_all(client: &mut SpiClient<'_>, workspace: Parameter, leases: &[i64]) {
    if !leases.is_empty() {
        let mut ids = numbers(leases);
        END_ALL.with(|plan| plan.run(client, &[workspace, Some(ids.datum())]));
    }
}

/// Ends those of the leases that no record names any more, and tells which. Looks at their records.
pub(super) fn end_empty(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    leases: &[i64],
) -> Vec<i64> {
    if leases.is_empty() {
        return Vec::new();
    }
    let mut ids = numbers(leases);
    let rows = END_EMPTY.with(|plan| plan.run(client, &[workspace, Some(ids.datum())]));
    rows.iter::<1>().filter_map(|row| row.bigint(0)).collect()
}

fn numbers(leases: &[i64]) -> Array {
    let mut ids = Array::new(array::BIGINT);
    for id in leases {
        ids.push_bytes(&id.to_ne_bytes());
    }
    ids
}
