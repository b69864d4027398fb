//! Takes back what expired leases hold. Part of the claim: no daemon is needed, and nothing waits.
//!
//! A claim takes back about as many records as it wants, so that it takes no longer the more there are, and that expired
//! work comes back as fast as it is claimed. A lease that it does not finish says how far it was looked through.
//!
//! What another session has locked is left for the next time. An attempt that expired counts; the last
//! one makes the record FAILED. A record that the database refuses to write stays with its lease, which is
//! looked at again later.

use super::backoff;
use super::direct::Own;
use super::hand_over::{Claimed, Ending, Fate, Held, Next, Type, hand_over};
use super::lease;
use super::outcome::End;
use super::policy::{self, Policy};
use super::refusal::{self, Stuck};
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::subtransaction::Refusal;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::rc::Rc;

/// So many records that the database refuses does it come across, at most.
const MAX_REFUSED: usize = 10_000;
/// So many leases does it lock at once.
const LEASES: usize = 20;
/// A record that its lease does not hold any more is passed over at this part of the cost of one that is taken back.
const PASSED_OVER: usize = 10;

thread_local! {
    // Between the deadline where the last look ended and now.
    static EXPIRED: Statement = const { Statement::new(
        c"SELECT l.id, l.lease_until, l.deadline, l.open_records, l.looked_through,
                 pg_catalog.cardinality(m.record_ids), l.worker, l.created_at
          FROM kepler.leases AS l
          LEFT JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = l.id
          WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.deadline >= $4 AND l.deadline <= $3
            AND l.lease_until <= $3
          ORDER BY l.deadline LIMIT $5
          FOR UPDATE OF l SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    // In the order of the leases and of what they hold.
    static RECORDS: Statement = const { Statement::new(
        c"SELECT r.id, n.id, u.attempt, u.content_hash, r.ctid, n.behind + u.place, u.priority
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS behind,
                       pg_catalog.unnest($4) AS last) AS n
          JOIN kepler.lease_records AS m ON m.workspace_id = $1 AND m.lease_id = n.id
          CROSS JOIN LATERAL ROWS FROM (
              pg_catalog.unnest(m.record_ids[n.behind + 1 : n.last]),
              pg_catalog.unnest(m.attempts[n.behind + 1 : n.last]),
              pg_catalog.unnest(m.content_hashes[n.behind + 1 : n.last]),
              pg_catalog.unnest(m.priorities[n.behind + 1 : n.last]))
              WITH ORDINALITY AS u (record_id, attempt, content_hash, priority, place)
          CROSS JOIN LATERAL (
              SELECT x.id, x.ctid FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = u.record_id AND x.enrichment_lease_id = n.id
                AND x.enrichment_status = 'PENDING'::kepler.record_enrichment_status
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS r
          LIMIT $5",
        &[
            pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::INT4ARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::INT4OID,
        ],
    ) };
    static LOOKED_THROUGH: Statement = const { Statement::new(
        c"UPDATE kepler.leases AS l
          SET open_records = l.open_records - n.taken_back, looked_through = n.looked_through
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS taken_back,
                       pg_catalog.unnest($4) AS looked_through) AS n
          WHERE l.workspace_id = $1 AND l.id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::INT4ARRAYOID, pg_sys::INT4ARRAYOID,
        ],
    ) };
}

/// The type whose expired leases are looked for.
pub(super) struct Lost<'t> {
    pub(super) workspace_id: &'t Text,
    pub(super) entity_type: &'t Text,
    /// The type again, for messages.
    pub(super) name: &'t str,
    pub(super) policy: &'t Policy,
    /// About so many records are taken back.
    pub(super) wanted: usize,
    /// Leases of earlier deadlines were looked at.
    pub(super) from: i64,
}

/// What was taken back.
#[derive(Default)]
pub(super) struct Reaped {
    pub(super) records: usize,
    /// Where to go on, if there may be more.
    pub(super) more_from: Option<i64>,
}

/// An expired lease, locked.
struct Expired {
    id: i64,
    ended_at: i64,
    deadline: i64,
    open: i32,
    /// So many of its records were looked at, in earlier claims and in this one.
    looked_before: i32,
    behind: i32,
    count: i32,
    taken_back: i32,
    refused: bool,
    claimed: Rc<Claimed>,
}

impl Expired {
    fn left(&self) -> usize {
        self.count.saturating_sub(self.behind).max(0) as usize
    }
}

/// One call.
struct Reap<'t> {
    lost: &'t Lost<'t>,
    workspace: Parameter,
    now: i64,
    reaped: Reaped,
    refused: Vec<(Held, Refusal)>,
}

/// Takes back about so many records of a type, as a part of the maintenance, and gives how many. Claims do it too: this is for
/// types that nobody claims any more.
pub(crate) fn reap_expired(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    entity_type: &str,
    max_rows: i32,
) -> usize {
    let (workspace, kind) = (Text::new(workspace_id), Text::new(entity_type));
    let Some(policy) = policy::find(client, &workspace, &kind) else { return 0 };
    let _own = Own::begin();
    let lost = Lost {
        workspace_id: &workspace,
        entity_type: &kind,
        name: entity_type,
        policy: &policy,
        wanted: max_rows.max(1) as usize,
        // Before all times that Postgres knows.
        from: i64::MIN,
    };
    reap(client, &lost, now()).records
}

/// Takes back a bounded number of records.
pub(super) fn reap(client: &mut SpiClient<'_>, lost: &Lost<'_>, now: i64) -> Reaped {
    let workspace = Some(lost.workspace_id.datum());
    let mut reap = Reap { lost, workspace, now, reaped: Reaped::default(), refused: Vec::new() };
    reap.run(client);
    reap.reaped
}

impl Reap<'_> {
    fn run(&mut self, client: &mut SpiClient<'_>) {
        let (mut from, mut passes) = (self.lost.from, PASSED_OVER * self.lost.wanted);
        loop {
            let limit = self.lost.wanted.saturating_sub(self.reaped.records).min(LEASES);
            if limit == 0 {
                self.reaped.more_from = Some(from);
                return;
            }
            let mut leases = self.expired(client, from, limit);
            let Some(last) = leases.last() else { return };
            let (last, is_full) = (last.deadline, leases.len() == limit);
            let mut stuck: Vec<Stuck> = Vec::new();
            let before = self.refused.len();
            let goes_on = self.take_back(client, &mut leases, &mut passes);
            for (held, refusal) in &self.refused[before..] {
                let lease = leases.iter().find(|lease| lease.id == held.lease_id);
                let known = stuck.iter().any(|stuck| stuck.lease_id == held.lease_id);
                if let Some(lease) = lease.filter(|_| !known) {
                    stuck.push(Stuck {
                        lease_id: lease.id,
                        record_id: held.record_id.clone(),
                        ended_at: lease.ended_at,
                        refusal: refusal.clone(),
                    });
                }
            }
            let unfinished =
                leases.iter().find(|lease| lease.left() > 0).map(|lease| lease.deadline);
            self.finish(client, &leases);
            let Lost { name, policy, .. } = *self.lost;
            let records = self.refused.len() - before;
            refusal::postpone_leases(
                client,
                self.workspace,
                name,
                policy,
                self.now,
                &stuck,
                records,
            );
            if let Some(deadline) = unfinished {
                self.reaped.more_from = Some(deadline);
                return;
            }
            if !is_full {
                return;
            }
            if !goes_on {
                self.reaped.more_from = Some(last);
                return;
            }
            // What was left behind, locked, is looked for the next time.
            from = last.saturating_add(1);
        }
    }

    fn expired(&self, client: &mut SpiClient<'_>, from: i64, limit: usize) -> Vec<Expired> {
        let parameters = [
            self.workspace,
            Some(self.lost.entity_type.datum()),
            Some(pg_sys::Datum::from(self.now)),
            Some(pg_sys::Datum::from(from)),
            Some(pg_sys::Datum::from(limit)),
        ];
        let rows = EXPIRED.with(|plan| plan.run(client, &parameters));
        let leases = rows.iter::<8>().filter_map(|row| {
            Some(Expired {
                id: row.bigint(0)?,
                ended_at: row.time(1)?,
                deadline: row.time(2)?,
                open: row.integer(3)?,
                looked_before: row.integer(4)?,
                behind: row.integer(4)?,
                count: row.integer(5).unwrap_or(0),
                taken_back: 0,
                refused: false,
                claimed: Rc::new(Claimed {
                    worker: row.text(6).unwrap_or_default().to_owned(),
                    at: row.time(7)?,
                }),
            })
        });
        leases.collect()
    }

    /// Takes back what the leases hold, in their order, until enough is taken back or looked at. Tells whether there may
    /// be more of it.
    fn take_back(
        &mut self,
        client: &mut SpiClient<'_>,
        leases: &mut [Expired],
        passes: &mut usize,
    ) -> bool {
        loop {
            let wanted = self.lost.wanted.saturating_sub(self.reaped.records);
            // A lease with a record that is refused is put off, so all else that it holds is taken back before.
            let refused = leases.iter().any(|lease| lease.refused && lease.left() > 0);
            let limit = if refused { MAX_REFUSED } else { wanted };
            if limit == 0 || self.refused.len() >= MAX_REFUSED {
                return false;
            }
            let mut slices: Vec<(usize, i32)> = Vec::new();
            for (at, lease) in leases.iter().enumerate() {
                let count = match (refused, lease.refused) {
                    (true, true) => lease.left(),
                    (true, false) => 0,
                    (false, _) => lease.left().min(*passes),
                };
                if count > 0 {
                    *passes = passes.saturating_sub(count);
                    slices.push((at, lease.behind + count as i32));
                }
            }
            if slices.is_empty() {
                return *passes > 0;
            }
            self.take_back_slices(client, leases, &slices, limit);
        }
    }

    /// The leases' records from where they were looked through up to there, `limit` at most.
    fn take_back_slices(
        &mut self,
        client: &mut SpiClient<'_>,
        leases: &mut [Expired],
        slices: &[(usize, i32)],
        limit: usize,
    ) {
        let (mut ids, mut behind) = (Array::new(array::BIGINT), Array::new(array::INTEGER));
        let mut last = Array::new(array::INTEGER);
        for (at, to) in slices {
            ids.push_bytes(&leases[*at].id.to_ne_bytes());
            behind.push_bytes(&leases[*at].behind.to_ne_bytes());
            last.push_bytes(&to.to_ne_bytes());
        }
        let parameters = [
            self.workspace,
            Some(ids.datum()),
            Some(behind.datum()),
            Some(last.datum()),
            Some(pg_sys::Datum::from(limit)),
        ];
        let rows = RECORDS.with(|plan| plan.run(client, &parameters));
        let mut endings: Vec<(i32, Ending<'_>)> = Vec::with_capacity(rows.count());
        for row in rows.iter::<7>() {
            if let (Some(id), Some(lease_id), Some(attempt), Some(place)) =
                (row.text(0), row.bigint(1), row.integer(2), row.bigint(5))
            {
                let Some(lease) = leases.iter().find(|lease| lease.id == lease_id) else {
                    continue;
                };
                let held = Held {
                    record_id: id.to_owned(),
                    lease_id,
                    claimed: Rc::clone(&lease.claimed),
                    attempt,
                    priority: row.integer(6).unwrap_or(0),
                    content_hash: row.uuid(3),
                    place: row.tid(4),
                };
                endings.push((place as i32, ending(held, self.lost.policy, self.now)));
            }
        }
        // Where the limit was met, what is behind the last record has not been looked at.
        let cut = (endings.len() >= limit).then(|| endings.last()).flatten();
        let cut = cut.map(|(place, ending)| (ending.held.lease_id, *place));
        for (at, to) in slices {
            match cut {
                Some((lease_id, place)) if lease_id == leases[*at].id => {
                    leases[*at].behind = place;
                    break;
                }
                _ => leases[*at].behind = *to,
            }
        }
        let Lost { workspace_id, entity_type, policy, .. } = *self.lost;
        let of = Type { workspace_id, entity_type, turns: policy.turns };
        let endings: Vec<Ending<'_>> = endings.into_iter().map(|(_, ending)| ending).collect();
        for (ending, fate) in endings.iter().zip(hand_over(client, &of, self.now, &endings)) {
            let lease = leases.iter_mut().find(|lease| lease.id == ending.held.lease_id);
            let refusal = match fate {
                Fate::Ended | Fate::Changed => {
                    self.reaped.records += 1;
                    if let Some(lease) = lease {
                        lease.taken_back += 1;
                    }
                    continue;
                }
                // Its row was locked, so a trigger stood in the way.
                Fate::NotWritten => refusal::suppressed(),
                Fate::Refused(refusal) => refusal,
            };
            if let Some(lease) = lease {
                lease.refused = true;
            }
            self.refused.push((ending.held.clone(), refusal));
        }
    }

    /// Ends leases that hold nothing more, and notes of the others how far they were looked through.
    fn finish(&self, client: &mut SpiClient<'_>, leases: &[Expired]) {
        let done = || leases.iter().filter(|lease| lease.left() == 0);
        let all_back = |lease: &&Expired| lease.taken_back >= lease.open;
        let empty: Vec<i64> = done().filter(all_back).map(|lease| lease.id).collect();
        let perhaps: Vec<i64> = done().filter(|l| !all_back(l)).map(|lease| lease.id).collect();
        lease::end_all(client, self.workspace, &empty);
        let ended = lease::end_empty(client, self.workspace, &perhaps);

        let mut ids = Array::new(array::BIGINT);
        let (mut taken, mut behind) = (Array::new(array::INTEGER), Array::new(array::INTEGER));
        for lease in leases {
            let is_over = lease.left() == 0;
            let goes = is_over && (all_back(&lease) || ended.contains(&lease.id));
            // What was left behind is looked for again, from the first.
            let looked_through = if is_over { 0 } else { lease.behind };
            let changes = lease.taken_back > 0 || lease.looked_before != looked_through;
            if !goes && changes {
                ids.push_bytes(&lease.id.to_ne_bytes());
                taken.push_bytes(&lease.taken_back.to_ne_bytes());
                behind.push_bytes(&looked_through.to_ne_bytes());
            }
        }
        if ids.count() > 0 {
            let parameters =
                [self.workspace, Some(ids.datum()), Some(taken.datum()), Some(behind.datum())];
            LOOKED_THROUGH.with(|plan| plan.run(client, &parameters));
        }
    }
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
