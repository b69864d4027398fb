//! Takes back what a worker found.
//!
//! Locks the lease, the records in the order of upserts, then their rows in the queue; each is read
//! under its lock. A lease that is lost changes nothing.

use super::backoff;
use super::decode::{Element, Verdict};
use super::direct::Own;
use super::hand_over::{HandOver, Next};
use super::outcome::{End, Outcome};
use super::policy::{self, Policy};
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

thread_local! {
    static LEASE: Statement = const { Statement::new(
        c"SELECT l.lease_until, l.entity_type FROM kepler.leases AS l
          WHERE l.workspace_id = $1 AND l.id = $2 FOR UPDATE",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    // Only records that the lease holds: nobody else's are locked.
    static RECORDS: Statement = const { Statement::new(
        c"SELECT r.id, r.content_hash,
                 r.enrichment_status = 'PENDING'::kepler.record_enrichment_status
          FROM (SELECT pg_catalog.unnest(ARRAY(
                    SELECT q.record_id
                    FROM (SELECT pg_catalog.unnest($3) AS id) AS n
                    CROSS JOIN LATERAL (
                        SELECT x.record_id FROM kepler.enrichment_queue AS x
                        WHERE x.workspace_id = $1 AND x.record_id = n.id AND x.lease_id IS NOT DISTINCT FROM $2
                        LIMIT 1) AS q)) AS id) AS m
          JOIN kepler.records AS r ON r.workspace_id = $1 AND r.id = m.id
          ORDER BY r.entity_id, r.external_id, r.id
          FOR NO KEY UPDATE OF r",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID],
    ) };
    static QUEUE: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.content_hash
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.record_id, x.attempt, x.content_hash
              FROM kepler.enrichment_queue AS x
              WHERE x.workspace_id = $1 AND x.record_id = n.id AND x.lease_id IS NOT DISTINCT FROM $2
              LIMIT 1 FOR UPDATE) AS q",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID],
    ) };
    // Why the lease does not hold a record: settled before, or the record is gone.
    static WHY: Statement = const { Statement::new(
        c"SELECT n.id,
                 (SELECT a.outcome::text FROM kepler.enrichment_attempts AS a
                  WHERE a.workspace_id = $1 AND a.lease_id = $2 AND a.record_id = n.id),
                 EXISTS (SELECT FROM kepler.records AS r
                         WHERE r.workspace_id = $1 AND r.id = n.id AND r.deleted_at IS NULL
                           AND r.status = 'ACTIVE'::kepler.record_status)
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID],
    ) };
}

/// What a call answers for one element.
pub(crate) struct Answer {
    pub(crate) record_id: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<String>,
}

/// A record that the lease holds, its rows locked.
struct Held {
    attempt: i32,
    same_content: bool,
    pending: bool,
}

/// Settles what the elements say.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    lease_id: i64,
    elements: Vec<Element>,
) -> Result<Vec<Answer>, Error> {
    let workspace = Text::new(workspace_id);
    let _own = Own::begin();
    let mut ids = Array::new(array::TEXT);
    let mut distinct = HashSet::new();
    for element in elements.iter().filter(|element| element.verdict.is_ok()) {
        if let Some(id) = element.record_id.as_deref().filter(|&id| distinct.insert(id)) {
            ids.push_text(id);
        }
    }
    drop(distinct);
    let lease = Some(pg_sys::Datum::from(lease_id));
    let parameters = [Some(workspace.datum()), lease, Some(ids.datum())];

    let rows = LEASE.with(|plan| plan.run(client, &parameters[..2]));
    let entity_type = rows.iter::<2>().next().and_then(|row| {
        let alive = row.time(0).is_some_and(|until| until > now());
        row.text(1).filter(|_| alive).map(Text::new)
    });
    let mut held = HashMap::new();
    let mut policy = None;
    if let Some(entity_type) = &entity_type {
        policy = policy::find(client, &workspace, entity_type);
        held = hold(client, &parameters);
    }

    let now = now();
    let mut hand_over = HandOver::new();
    let mut settled = HashSet::new();
    let mut unknown = Array::new(array::TEXT);
    let mut answers = Vec::with_capacity(elements.len());
    for element in elements {
        let Element { record_id, verdict } = element;
        let answer = |outcome, error| Answer { record_id: record_id.clone(), outcome, error };
        let (verdict, id) = match (verdict, record_id.as_deref()) {
            (Err(message), _) => {
                answers.push(answer(Outcome::Rejected, Some(message)));
                continue;
            }
            (Ok(_), None) => {
                answers.push(answer(Outcome::Rejected, None));
                continue;
            }
            (Ok(verdict), Some(id)) => (verdict, id),
        };
        let outcome = match (held.get(id), policy) {
            _ if settled.contains(id) => Outcome::Duplicate,
            (Some(held), Some(policy)) => {
                settled.insert(id.to_owned());
                end(&mut hand_over, id, lease_id, held, &verdict, &policy, now)
            }
            _ => {
                unknown.push_text(id);
                // Told apart below.
                Outcome::Stale
            }
        };
        answers.push(answer(outcome, None));
    }
    if entity_type.is_some() {
        hand_over.write(client, &workspace, now, &[lease_id])?;
    }
    if unknown.count() > 0 {
        let parameters = [Some(workspace.datum()), lease, Some(unknown.datum())];
        explain(client, &parameters, entity_type.is_some(), &mut answers);
    }
    Ok(answers)
}

/// Locks what the lease holds of the given records.
fn hold(
    client: &mut SpiClient<'_>,
    parameters: &[crate::pg::plan::Parameter],
) -> HashMap<String, Held> {
    let records = RECORDS.with(|plan| plan.run(client, parameters));
    let mut states = HashMap::with_capacity(records.count());
    for row in records.iter::<3>() {
        if let Some(id) = row.text(0) {
            states.insert(id, (row.uuid(1), row.boolean(2) == Some(true)));
        }
    }
    // Whoever held a record until now may have taken it out of the queue.
    let queue = QUEUE.with(|plan| plan.run(client, parameters));
    let mut held = HashMap::with_capacity(queue.count());
    for row in queue.iter::<3>() {
        let (Some(id), Some(attempt)) = (row.text(0), row.integer(1)) else { continue };
        let Some(&(content_hash, pending)) = states.get(id) else { continue };
        let same_content = content_hash == row.uuid(2);
        held.insert(id.to_owned(), Held { attempt, same_content, pending });
    }
    held
}

/// Ends the attempt of one record.
fn end(
    hand_over: &mut HandOver,
    id: &str,
    lease_id: i64,
    held: &Held,
    verdict: &Verdict,
    policy: &Policy,
    now: i64,
) -> Outcome {
    let attempt = held.attempt;
    if !held.pending {
        hand_over.drop_row(id);
        return Outcome::Stale;
    }
    let mut push = |end, error, next: Next<'_>| {
        hand_over.push(id, lease_id, attempt, end, error, &next);
    };
    // Whatever was found, it was found in what is no longer there.
    if !held.same_content {
        push(End::Superseded, None, Next::Again { attempt: 0, ready_at: now });
        return Outcome::Superseded;
    }
    match verdict {
        Verdict::Complete { result } => {
            push(End::Applied, None, Next::Applied { result: result.as_deref() });
            Outcome::Applied
        }
        Verdict::Fail { error, retryable, retry_in } => {
            if *retryable && attempt < policy.max_attempts {
                let wait = retry_in.unwrap_or_else(|| backoff::random_wait(policy, attempt));
                let next = Next::Again { attempt, ready_at: now.saturating_add(wait) };
                push(End::Retry, error.as_deref(), next);
                Outcome::Retry
            } else {
                push(End::Failed, error.as_deref(), Next::Failed);
                Outcome::Failed
            }
        }
        Verdict::Release { retry_in } => {
            let ready_at = now.saturating_add(retry_in.unwrap_or(0));
            push(End::Released, None, Next::Again { attempt: attempt - 1, ready_at });
            Outcome::Released
        }
    }
}

/// Says of answers that are stale what they are: settled by this very lease before, or, where the lease
/// lives, of a record that is gone.
fn explain(
    client: &mut SpiClient<'_>,
    parameters: &[crate::pg::plan::Parameter],
    alive: bool,
    answers: &mut [Answer],
) {
    let rows = WHY.with(|plan| plan.run(client, parameters));
    let mut reasons = HashMap::new();
    for row in rows.iter::<3>() {
        let Some(id) = row.text(0) else { continue };
        let outcome = match row.text(1) {
            // Its worker had no say in it.
            Some("expired") => Outcome::Stale,
            Some(_) => Outcome::Duplicate,
            None if alive && row.boolean(2) == Some(false) => Outcome::Gone,
            None => Outcome::Stale,
        };
        reasons.insert(id, outcome);
    }
    for answer in answers.iter_mut().filter(|answer| answer.outcome == Outcome::Stale) {
        if let Some(&outcome) = answer.record_id.as_deref().and_then(|id| reasons.get(id)) {
            answer.outcome = outcome;
        }
    }
}
