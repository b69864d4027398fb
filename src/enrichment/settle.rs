//! Takes back what a worker found.
//!
//! Locks the lease, then changes the records in the order of upserts; each says itself whether the lease
//! still holds it. A lease that is lost changes nothing. What the database refuses is that element's
//! answer: its record stays with the lease.

use super::backoff;
use super::decode::{Element, Verdict};
use super::direct::Own;
use super::hand_over::{Claimed, Ending, Fate, Held, Next, Type, hand_over};
use super::lease;
use super::outcome::{End, has_said, is_settled};
use super::policy::{self, Policy};
use super::refusal;
use crate::answer::{Answer, Outcome};
use crate::pg::array::Array;
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement, tid};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use pgrx::Uuid;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    // What a lease was claimed with never changes.
    static LEASE: Statement = const { Statement::new(
        c"SELECT l.lease_until, l.entity_type, l.open_records,
                 m.record_ids, m.attempts, m.content_hashes, m.places, l.worker, l.created_at, m.priorities
          FROM kepler.leases AS l
          LEFT JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = $2
          WHERE l.workspace_id = $1 AND l.id = $2 FOR UPDATE OF l",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static SETTLED: Statement = const { Statement::new(
        c"UPDATE kepler.leases AS l SET open_records = l.open_records - $3
          WHERE l.workspace_id = $1 AND l.id = $2",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT4OID],
    ) };
    static HELD: Statement = const { Statement::new(
        c"SELECT u.id
          FROM kepler.lease_records AS m
          CROSS JOIN LATERAL pg_catalog.unnest(m.record_ids) WITH ORDINALITY AS u (id, place)
          CROSS JOIN LATERAL (
              SELECT FROM kepler.records AS r
              WHERE r.workspace_id = $1 AND r.id = u.id AND r.enrichment_lease_id = $2 LIMIT 1) AS r
          WHERE m.workspace_id = $1 AND m.lease_id = $2
          ORDER BY u.place",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    // Why the lease does not hold a record: settled before, or the record is gone, or there is none. Or
    // it does, and something kept the record from being written.
    static WHY: Statement = const { Statement::new(
        c"SELECT n.id,
                 (SELECT a.outcome::text FROM kepler.enrichment_attempts AS a
                  WHERE a.workspace_id = $1 AND a.lease_id = $2 AND a.record_id = n.id),
                 (SELECT r.deleted_at IS NULL AND r.status = 'ACTIVE'::kepler.record_status
                  FROM kepler.records AS r
                  WHERE r.workspace_id = $1 AND r.id = n.id),
                 EXISTS (SELECT FROM kepler.records AS r
                         WHERE r.workspace_id = $1 AND r.id = n.id AND r.enrichment_lease_id = $2
                           AND r.enrichment_status = 'PENDING'::kepler.record_enrichment_status)
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID],
    ) };
}

/// An answer, with the id of the record.
type Settled = Answer<Option<String>>;

/// A lease that lives, locked.
struct Lease<'conn> {
    entity_type: Text,
    policy: Policy,
    open: i32,
    /// Its row, with what it was claimed with.
    rows: Rows<'conn>,
}

/// Settles what the elements say.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    lease_id: i64,
    elements: Vec<Element>,
) -> Vec<Settled> {
    let workspace = Text::new(workspace_id);
    let _own = Own::begin();
    let parameters = [Some(workspace.datum()), Some(pg_sys::Datum::from(lease_id))];
    let alive = lock(client, &workspace, parameters);

    // What the first element of each record says counts.
    let mut first = HashMap::with_capacity(elements.len());
    let mut answers = Vec::with_capacity(elements.len());
    let mut repeated = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let mut answer = Answer::new(element.record_id.clone(), Outcome::Stale);
        match &element.verdict {
            Ok(verdict) => {
                answer.note = verdict.note();
                let id = element.record_id.as_deref().unwrap_or_default();
                let before = *first.entry(id).or_insert(at);
                if before != at {
                    repeated.push((at, before));
                }
            }
            Err(rejection) => answer.reject(rejection.clone()),
        }
        answers.push(answer);
    }

    if let Some(lease) = &alive {
        let now = now();
        let mut places = Vec::with_capacity(first.len());
        let mut endings = Vec::with_capacity(first.len());
        for (at, record) in records(&lease.rows, lease_id, &first) {
            if let Ok(verdict) = &elements[at].verdict {
                let (outcome, ending) = ending(record, verdict, &lease.policy, now);
                places.push((at, outcome));
                endings.push(ending);
            }
        }
        let of = Type {
            workspace_id: &workspace,
            entity_type: &lease.entity_type,
            turns: lease.policy.turns,
        };
        let (mut settled, mut lost) = (0, 0);
        for ((at, outcome), fate) in places.into_iter().zip(hand_over(client, &of, now, &endings)) {
            answers[at].outcome = match fate {
                Fate::Ended => outcome,
                Fate::Changed => Outcome::Superseded,
                // Told apart below.
                Fate::NotWritten => {
                    lost += 1;
                    continue;
                }
                Fate::Refused(refusal) => {
                    answers[at].reject(refusal);
                    continue;
                }
            };
            settled += 1;
        }
        let [workspace, id] = parameters;
        if settled >= lease.open {
            lease::end(client, workspace, lease_id);
        } else {
            if settled > 0 {
                let settled = Some(pg_sys::Datum::from(settled));
                SETTLED.with(|plan| plan.run(client, &[workspace, id, settled]));
            }
            if lost > 0 {
                lease::end_empty(client, workspace, &[lease_id]);
            }
        }
    }
    explain(client, parameters, alive.is_some(), &first, &mut answers);
    // Where nothing was stored there is nothing to note.
    for answer in &mut answers {
        if !has_said(answer.outcome) {
            answer.note = None;
        }
    }
    for (at, before) in repeated {
        let first = answers[before].clone();
        answers[at] = if is_settled(first.outcome) {
            Answer::new(first.id, Outcome::Duplicate)
        } else {
            first
        };
    }
    answers
}

/// The records that a lease holds.
pub(super) fn held(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    lease_id: i64,
) -> Vec<Option<String>> {
    let workspace = Text::new(workspace_id);
    let parameters = [Some(workspace.datum()), Some(pg_sys::Datum::from(lease_id))];
    let rows = HELD.with(|plan| plan.run(client, &parameters));
    rows.iter::<1>().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// The lease, if it lives.
fn lock<'conn>(
    client: &mut SpiClient<'conn>,
    workspace: &Text,
    parameters: [Parameter; 2],
) -> Option<Lease<'conn>> {
    let rows = LEASE.with(|plan| plan.run(client, &parameters));
    let row = rows.iter::<10>().next()?;
    let entity_type = Text::new(row.text(1)?);
    let open = row.integer(2)?;
    if row.time(0)? <= now() {
        return None;
    }
    let policy = policy::find(client, workspace, &entity_type)?;
    Some(Lease { entity_type, policy, open, rows })
}

/// Of what the lease was claimed with the `wanted`, in the order of upserts, each with its number there.
/// The arrays are read where they are: a worker that settles one by one comes with one id each time.
fn records(rows: &Rows<'_>, lease_id: i64, wanted: &HashMap<&str, usize>) -> Vec<(usize, Held)> {
    let Some(row) = rows.iter::<10>().next() else { return Vec::new() };
    let (Some(ids), Some(attempts), Some(hashes), Some(places)) = (
        row.array::<&str>(3),
        row.array::<i32>(4),
        row.array::<Uuid>(5),
        row.array::<pg_sys::ItemPointerData>(6),
    ) else {
        return Vec::new();
    };
    let claimed = Rc::new(Claimed {
        worker: row.text(7).unwrap_or_default().to_owned(),
        at: row.time(8).unwrap_or_default(),
    });
    let priorities: Option<Vec<i32>> =
        row.array::<i32>(9).map(|all| all.iter().map(Option::unwrap_or_default).collect());
    let contents = attempts.iter().zip(hashes.iter()).zip(places.iter());
    let held = ids.iter().zip(contents).enumerate().filter_map(|(number, (id, content))| {
        let ((attempt, hash), place) = content;
        let id = id?;
        let at = *wanted.get(id)?;
        let held = Held {
            record_id: id.to_owned(),
            lease_id,
            claimed: Rc::clone(&claimed),
            attempt: attempt?,
            priority: priorities.as_ref().and_then(|all| all.get(number).copied()).unwrap_or(0),
            content_hash: hash.map(|hash| u128::from_be_bytes(*hash.as_bytes())),
            place: place.map(tid),
        };
        Some((at, held))
    });
    held.take(wanted.len()).collect()
}

/// How the attempt of one record ends, and the answer if its content is what was claimed.
fn ending<'r>(
    held: Held,
    verdict: &'r Verdict,
    policy: &Policy,
    now: i64,
) -> (Outcome, Ending<'r>) {
    let attempt = held.attempt;
    let (outcome, end, next, error) = match verdict {
        Verdict::Complete { result, remove } => {
            let next = Next::Applied { result: result.as_deref(), remove };
            (Outcome::Applied, End::Applied, next, None)
        }
        Verdict::Fail { error, retryable, retry_in, .. } => {
            let error = error.as_deref();
            if *retryable && attempt < policy.max_attempts {
                let wait = retry_in.unwrap_or_else(|| backoff::random_wait(policy, attempt));
                let next = Next::Again { attempt, ready_at: now.saturating_add(wait) };
                (Outcome::Retried, End::Retried, next, error)
            } else {
                (Outcome::Failed, End::Failed, Next::Failed, error)
            }
        }
        Verdict::Release { retry_in } => {
            let ready_at = now.saturating_add(retry_in.unwrap_or(0));
            let next = Next::Again { attempt: attempt - 1, ready_at };
            (Outcome::Released, End::Released, next, None)
        }
    };
    // Whatever was found, it was found in what is no longer there.
    (outcome, Ending { held, next, end, end_if_changed: End::Superseded, error })
}

/// Says of answers that are stale what they are: settled by this very lease before, of no record or of
/// one that is gone, or kept by a trigger from being written.
fn explain(
    client: &mut SpiClient<'_>,
    parameters: [Parameter; 2],
    alive: bool,
    first: &HashMap<&str, usize>,
    answers: &mut [Settled],
) {
    let stale = first.iter().filter(|&(_, &at)| answers[at].outcome == Outcome::Stale);
    let mut ids = Array::texts(stale.map(|(id, _)| *id));
    if ids.count() == 0 {
        return;
    }
    let [workspace, lease] = parameters;
    let rows = WHY.with(|plan| plan.run(client, &[workspace, lease, Some(ids.datum())]));
    for row in rows.iter::<4>() {
        let Some(&at) = row.text(0).and_then(|id| first.get(id)) else { continue };
        let answer = &mut answers[at];
        match (row.text(1), row.boolean(2)) {
            // Its worker had no say in it.
            (Some("expired"), _) => {}
            (Some(_), _) => answer.outcome = Outcome::Duplicate,
            (None, None) => answer.outcome = Outcome::NotFound,
            (None, Some(false)) if alive => answer.outcome = Outcome::Gone,
            (None, Some(_)) if alive && row.boolean(3) == Some(true) => {
                answer.reject(refusal::suppressed());
            }
            (None, Some(_)) => {}
        }
    }
}
