//! Records that cannot be claimed or taken back, because the database refuses to write them: they are
//! told of and looked at again later, and do not stand in the way of others.

use super::backoff;
use super::policy::Policy;
use crate::pg::array::{self, Array};
use crate::pg::plan::{Parameter, Statement};
use crate::pg::subtransaction::Refusal;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// A refused record rests so long at least, whatever the policy says: without it, all claims would meet it.
const LEAST_WAIT: i64 = 1_000_000;

thread_local! {
    static POSTPONE: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET ready_at = n.ready_at, refusals = q.refusals + 1, error = n.error
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS ready_at,
                       pg_catalog.unnest($4) AS error) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
            pg_sys::TEXTARRAYOID,
        ],
    ) };
    static POSTPONE_LEASES: Statement = const { Statement::new(
        c"UPDATE kepler.leases AS l SET deadline = n.deadline, error = n.error
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS deadline,
                       pg_catalog.unnest($4) AS error) AS n
          WHERE l.workspace_id = $1 AND l.id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
            pg_sys::TEXTARRAYOID,
        ],
    ) };
}

/// Refuses a row from within the attempt to write it.
pub(super) fn raise(why: &'static str) {
    ereport!(ERROR, PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION, why);
}

/// The refusal of a record whose write a trigger suppressed.
pub(super) fn suppressed() -> Refusal {
    Refusal {
        code: PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION.into(),
        constraint: None,
        detail: None,
        hint: None,
        message: "a trigger on kepler.records prevented the write".to_owned(),
    }
}

/// As people read it.
fn told(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.code, refusal.message)
}

/// A record of the queue that could not be claimed.
pub(super) struct Refused<'r> {
    pub(super) record_id: &'r str,
    /// How often that was so before.
    pub(super) refusals: i32,
    pub(super) refusal: Refusal,
}

/// Lets records wait that could not be claimed. The caller holds their rows of the queue.
pub(super) fn postpone(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    entity_type: &str,
    policy: &Policy,
    now: i64,
    refused: &[Refused<'_>],
) {
    let Some(first) = refused.first() else { return };
    let mut ids = Array::new(array::TEXT);
    let (mut times, mut errors) = (Array::new(array::TIMESTAMPTZ), Array::new(array::TEXT));
    for record in refused {
        ids.push_text(record.record_id);
        let wait = backoff::random_wait(policy, record.refusals.saturating_add(1)).max(LEAST_WAIT);
        times.push_time(Some(now.saturating_add(wait)));
        errors.push_text(&told(&record.refusal));
    }
    let parameters = [workspace, Some(ids.datum()), Some(times.datum()), Some(errors.datum())];
    POSTPONE.with(|plan| plan.run(client, &parameters));
    warn(entity_type, refused.len(), first.record_id, &first.refusal, "be claimed");
}

/// An expired lease, of which a record could not be taken back.
pub(super) struct Stuck {
    pub(super) lease_id: i64,
    pub(super) record_id: String,
    pub(super) ended_at: i64,
    pub(super) refusal: Refusal,
}

/// Lets expired leases wait: as long again as they have been over, up to the longest backoff.
pub(super) fn postpone_leases(
    client: &mut SpiClient<'_>,
    workspace: Parameter,
    entity_type: &str,
    policy: &Policy,
    now: i64,
    stuck: &[Stuck],
    records: usize,
) {
    let Some(first) = stuck.first() else { return };
    let mut ids = Array::new(array::BIGINT);
    let (mut times, mut errors) = (Array::new(array::TIMESTAMPTZ), Array::new(array::TEXT));
    for lease in stuck {
        let over = now.saturating_sub(lease.ended_at);
        let wait = over.min(policy.backoff_cap).max(policy.backoff_base).max(LEAST_WAIT);
        ids.push_bytes(&lease.lease_id.to_ne_bytes());
        times.push_time(Some(now.saturating_add(wait)));
        errors.push_text(&told(&lease.refusal));
    }
    let parameters = [workspace, Some(ids.datum()), Some(times.datum()), Some(errors.datum())];
    POSTPONE_LEASES.with(|plan| plan.run(client, &parameters));
    warn(
        entity_type,
        records,
        &first.record_id,
        &first.refusal,
        "be taken back from a lost worker",
    );
}

/// A warning: the worker can do nothing about it, but a reader of the server's log can.
fn warn(entity_type: &str, count: usize, record_id: &str, refusal: &Refusal, what: &str) {
    let records = if count == 1 { "a record".to_owned() } else { format!("{count} records") };
    ereport!(
        WARNING,
        refusal.code.standard(),
        format!("{records} of type \"{entity_type}\" cannot {what}"),
        format!("Record \"{record_id}\": {}. See kepler.failed_enrichments.", refusal.message)
    );
}
