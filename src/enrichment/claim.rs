//! Claims records for a worker.
//!
//! 1. Take back what has expired, at most once a second or where too little is found.
//! 2. Lock rows of the queue in the order of their times, then their records; what is locked is left
//!    to others, so a claim waits for nobody.
//! 3. Note the lease, mark the records PENDING and the rows as held.
//!
//! A session goes on where its last claim ended: dead entries of the index, which a long transaction
//! keeps vacuum from removing, are not walked again each time. From the start it looks once a second,
//! and where it finds too little; where that takes long, at most a twentieth of the time.

use super::direct::Own;
use super::error::EnrichmentError;
use super::policy::{self, Policy};
use super::reap;
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;

/// What a worker gets of a record.
pub(crate) struct Claimed {
    pub(crate) record_id: String,
    pub(crate) attempt: i32,
    /// The datum, in memory of the caller.
    pub(crate) data: pg_sys::Datum,
    pub(crate) source_updated_at: Option<i64>,
}

/// What a claim was asked for.
pub(crate) struct Request {
    pub(crate) workspace_id: String,
    pub(crate) entity_type: String,
    pub(crate) worker: String,
    pub(crate) max_rows: i32,
    /// Microseconds; the policy's where it is not given.
    pub(crate) lease: Option<i64>,
    pub(crate) fair: Option<bool>,
}

/// A claim that found something.
pub(crate) struct Claim {
    pub(crate) lease_id: i64,
    pub(crate) lease_until: i64,
    pub(crate) records: Vec<Claimed>,
}

const SECOND: i64 = 1_000_000;
/// Times in the queue may be so much older than their transaction's last (a batch of an upsert is spread
/// over a microsecond each).
const SLACK: i64 = 5_000;
/// A look from the start takes at most this share of the time.
const SHARE: i64 = 20;
/// What is done faster than this may be done each time.
const QUICK: i64 = 1_000;

/// Where a session's last claim of a type ended, and when it looked further.
#[derive(Clone, Default)]
struct Place {
    ready_at: i64,
    fair_key: String,
    started_at: i64,
    start_took: i64,
    reaped_at: i64,
    reap_took: i64,
}

impl Place {
    /// Whether it is time to look from the start: where there was `enough`, only once a second.
    fn start_is_due(&self, now: i64, enough: bool) -> bool {
        now >= self.started_at + pause(self.start_took, enough)
    }

    fn reap_is_due(&self, now: i64, enough: bool) -> bool {
        now >= self.reaped_at + pause(self.reap_took, enough)
    }
}

/// Blocks that the session has looked at. A look costs about a microsecond a block, and unlike a clock
/// this does not depend on who else is running.
fn blocks() -> i64 {
    // SAFETY: counters of this process, which has one thread.
    unsafe { pg_sys::pgBufferUsage.shared_blks_hit + pg_sys::pgBufferUsage.shared_blks_read }
}

fn pause(took: i64, enough: bool) -> i64 {
    let least = if enough { SECOND } else { 0 };
    if took < QUICK { least } else { least.max(SHARE * took) }
}

thread_local! {
    static PLACES: RefCell<HashMap<(String, String), Place>> = RefCell::default();

    static PICK: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.lease_id IS NULL
            AND q.ready_at >= $3 AND q.ready_at <= $4
          ORDER BY q.ready_at LIMIT $5
          FOR UPDATE SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    // The keys by a skip scan: one descent of the index for each.
    static KEYS: Statement = const { Statement::new(
        c"WITH RECURSIVE k (fair_key) AS (
              (SELECT q.fair_key FROM kepler.enrichment_queue AS q
               WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.lease_id IS NULL
                 AND q.fair_key IS NOT NULL AND q.fair_key > $3
               ORDER BY q.fair_key LIMIT 1)
              UNION ALL
              SELECT (SELECT q.fair_key FROM kepler.enrichment_queue AS q
                      WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.lease_id IS NULL
                        AND q.fair_key IS NOT NULL AND q.fair_key > k.fair_key
                      ORDER BY q.fair_key LIMIT 1)
              FROM k WHERE k.fair_key IS NOT NULL)
          SELECT k.fair_key FROM k WHERE k.fair_key IS NOT NULL LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static PICK_FAIR: Statement = const { Statement::new(
        c"SELECT p.record_id, p.attempt, p.ready_at
          FROM (SELECT pg_catalog.unnest($3) AS fair_key) AS k
          CROSS JOIN LATERAL (
              SELECT q.record_id, q.attempt, q.ready_at FROM kepler.enrichment_queue AS q
              WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.lease_id IS NULL
                AND q.fair_key IS NOT NULL AND q.fair_key = k.fair_key AND q.ready_at <= $4
              ORDER BY q.ready_at LIMIT $5
              FOR UPDATE SKIP LOCKED) AS p",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    static TAKE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'PENDING'::kepler.record_enrichment_status, updated_at = $3
          FROM (SELECT pg_catalog.unnest(ARRAY(
                    SELECT l.id
                    FROM (SELECT pg_catalog.unnest($2) AS id) AS n
                    CROSS JOIN LATERAL (
                        SELECT x.id FROM kepler.records AS x
                        WHERE x.workspace_id = $1 AND x.id = n.id
                          AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                          AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
                        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l)) AS id) AS m
          WHERE r.workspace_id = $1 AND r.id = m.id
          RETURNING r.id, r.data, r.source_updated_at, r.content_hash",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID],
    ) };
    // Rows whose records are not to be enriched, as everybody sees. They got there around Kepler.
    static REPAIR: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id AND q.lease_id IS NULL
            AND NOT EXISTS (
                SELECT FROM kepler.records AS r
                WHERE r.workspace_id = $1 AND r.id = n.id
                  AND r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                  AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static LEASE: Statement = const { Statement::new(
        c"INSERT INTO kepler.leases
              (workspace_id, entity_type, worker, length, deadline, lease_until, created_at)
          VALUES ($1, $2, $3, $5 - $4, $5, $5, $4) RETURNING id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::TIMESTAMPTZOID,
        ],
    ) };
    static HOLD: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET lease_id = $2, attempt = q.attempt + 1, content_hash = n.content_hash
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS content_hash) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID, pg_sys::UUIDARRAYOID,
        ],
    ) };
}

/// A row of the queue that this transaction has locked.
struct Picked {
    record_id: String,
    attempt: i32,
    ready_at: i64,
}

struct Call<'r> {
    request: &'r Request,
    workspace: Text,
    entity_type: Text,
    policy: Policy,
    place: Place,
}

/// Claims. `keep` copies a datum into memory that outlives the connection.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    request: &Request,
    keep: impl Fn(pg_sys::Datum) -> pg_sys::Datum,
) -> Result<Option<Claim>, Error> {
    let workspace = Text::new(&request.workspace_id);
    let entity_type = Text::new(&request.entity_type);
    let Some(policy) = policy::find(client, &workspace, &entity_type) else {
        return Err(policy::missing(client, &request.workspace_id, &request.entity_type));
    };
    if request.fair == Some(true) && !policy.fair {
        return Err(EnrichmentError::NotFair(request.entity_type.clone()).into());
    }
    let _own = Own::begin();
    let key = (request.workspace_id.clone(), request.entity_type.clone());
    let place = PLACES.with_borrow(|places| places.get(&key).cloned()).unwrap_or_default();
    let mut call = Call { request, workspace, entity_type, policy, place };
    let picked = call.pick(client)?;
    let claim = call.take(client, &picked, keep)?;
    PLACES.with_borrow_mut(|places| places.insert(key, call.place));
    Ok(claim)
}

impl Call<'_> {
    fn pick(&mut self, client: &mut SpiClient<'_>) -> Result<Vec<Picked>, Error> {
        let wanted = self.request.max_rows as usize;
        if self.place.reap_is_due(now(), true) {
            self.reap(client)?;
        }
        let mut picked = self.pick_somehow(client);
        if picked.len() < wanted && self.place.reap_is_due(now(), false) && self.reap(client)? > 0 {
            picked = self.pick_somehow(client);
        }
        Ok(picked)
    }

    fn pick_somehow(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        if self.request.fair.unwrap_or(self.policy.fair) {
            self.pick_fair(client)
        } else {
            self.pick_in_order(client)
        }
    }

    fn reap(&mut self, client: &mut SpiClient<'_>) -> Result<usize, Error> {
        let before = blocks();
        let count = reap::reap(client, &self.workspace, &self.entity_type, &self.policy, now())?;
        self.place.reaped_at = now();
        // Work that was found is no reason to look for more of it less often.
        self.place.reap_took = if count > 0 { 0 } else { blocks() - before };
        Ok(count)
    }

    /// The oldest that are ready.
    fn pick_in_order(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.request.max_rows;
        if !self.place.start_is_due(now(), true) {
            let picked = self.pick_from(client, self.place.ready_at - SLACK, wanted);
            if picked.len() == wanted as usize || !self.place.start_is_due(now(), false) {
                self.remember(&picked);
                return picked;
            }
        }
        let before = blocks();
        // Before all times that Postgres knows.
        let picked = self.pick_from(client, i64::MIN, wanted);
        self.place.started_at = now();
        // Some blocks for each row were worth it.
        self.place.start_took = blocks() - before - 4 * picked.len() as i64;
        self.remember(&picked);
        picked
    }

    fn remember(&mut self, picked: &[Picked]) {
        if let Some(last) = picked.last() {
            self.place.ready_at = last.ready_at;
        }
    }

    fn pick_from(&self, client: &mut SpiClient<'_>, from: i64, wanted: i32) -> Vec<Picked> {
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(from)),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(wanted)),
        ];
        let rows = PICK.with(|plan| plan.run(client, &parameters));
        rows.iter::<3>().filter_map(|row| picked(&row)).collect()
    }

    /// As many of each entity, beginning behind the one that was served last.
    fn pick_fair(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.request.max_rows;
        let mut keys = self.keys(client, &self.place.fair_key.clone(), wanted);
        if keys.len() < wanted as usize {
            let more = self.keys(client, "", wanted);
            keys.extend(more.into_iter().take_while(|key| *key <= self.place.fair_key));
            keys.truncate(wanted as usize);
        }
        let Some(last) = keys.last() else { return self.pick_in_order(client) };
        self.place.fair_key = last.clone();
        let mut array = Array::new(array::TEXT);
        for key in &keys {
            array.push_text(key);
        }
        let each = (wanted as usize).div_ceil(keys.len()) as i32;
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(array.datum()),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(each)),
        ];
        let rows = PICK_FAIR.with(|plan| plan.run(client, &parameters));
        let mut picked: Vec<Picked> = rows.iter::<3>().filter_map(|row| picked(&row)).collect();
        picked.truncate(wanted as usize);
        if picked.len() < wanted as usize {
            // Some entities have too little: the rest is filled from the others, the oldest first.
            let more = self.pick_in_order(client);
            let known: std::collections::HashSet<String> =
                picked.iter().map(|row| row.record_id.clone()).collect();
            let room = wanted as usize - picked.len();
            picked
                .extend(more.into_iter().filter(|row| !known.contains(&row.record_id)).take(room));
        }
        picked
    }

    fn keys(&self, client: &mut SpiClient<'_>, after: &str, limit: i32) -> Vec<String> {
        let after = Text::new(after);
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(after.datum()),
            Some(pg_sys::Datum::from(limit)),
        ];
        let rows = KEYS.with(|plan| plan.run(client, &parameters));
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
    }

    fn take(
        &mut self,
        client: &mut SpiClient<'_>,
        picked: &[Picked],
        keep: impl Fn(pg_sys::Datum) -> pg_sys::Datum,
    ) -> Result<Option<Claim>, Error> {
        if picked.is_empty() {
            return Ok(None);
        }
        let workspace = Some(self.workspace.datum());
        let claimed_at = now();
        let mut ids = Array::new(array::TEXT);
        for row in picked {
            ids.push_text(&row.record_id);
        }
        let parameters = [workspace, Some(ids.datum()), Some(pg_sys::Datum::from(claimed_at))];
        let taken = TAKE.with(|plan| plan.run(client, &parameters));
        let mut found = HashMap::with_capacity(taken.count());
        for row in taken.iter::<4>() {
            if let (Some(id), Some(data)) = (row.text(0), row.datum(1)) {
                found.insert(id, (data, row.time(2), row.uuid(3)));
            }
        }
        if found.len() < picked.len() {
            let mut missing = Array::new(array::TEXT);
            for row in picked.iter().filter(|row| !found.contains_key(row.record_id.as_str())) {
                missing.push_text(&row.record_id);
            }
            REPAIR.with(|plan| plan.run(client, &[workspace, Some(missing.datum())]));
            // What was skipped lies before the place where the next claim goes on.
            self.place.started_at = 0;
        }
        if found.is_empty() {
            return Ok(None);
        }

        let lease_until =
            claimed_at.saturating_add(self.request.lease.unwrap_or(self.policy.lease));
        let worker = Text::new(&self.request.worker);
        let parameters = [
            workspace,
            Some(self.entity_type.datum()),
            Some(worker.datum()),
            Some(pg_sys::Datum::from(claimed_at)),
            Some(pg_sys::Datum::from(lease_until)),
        ];
        let lease = LEASE.with(|plan| plan.run(client, &parameters));
        let lease_id = lease.iter::<1>().next().and_then(|row| row.bigint(0));
        let lease_id = lease_id.ok_or(Error::NotWritten { sent: 1, written: 0 })?;

        let (mut ids, mut hashes) = (Array::new(array::TEXT), Array::new(array::UUID));
        let mut records = Vec::with_capacity(found.len());
        for row in picked {
            let Some((data, source_updated_at, hash)) = found.remove(row.record_id.as_str()) else {
                continue;
            };
            ids.push_text(&row.record_id);
            hashes.push_uuid(hash);
            records.push(Claimed {
                record_id: row.record_id.clone(),
                attempt: row.attempt + 1,
                data: keep(data),
                source_updated_at,
            });
        }
        let parameters = [
            workspace,
            Some(pg_sys::Datum::from(lease_id)),
            Some(ids.datum()),
            Some(hashes.datum()),
        ];
        let held = HOLD.with(|plan| plan.run(client, &parameters)).count();
        if held != records.len() {
            return Err(Error::NotWritten { sent: records.len(), written: held });
        }
        Ok(Some(Claim { lease_id, lease_until, records }))
    }
}

fn picked(row: &crate::pg::plan::Row<'_, 3>) -> Option<Picked> {
    Some(Picked {
        record_id: row.text(0)?.to_owned(),
        attempt: row.integer(1)?,
        ready_at: row.time(2)?,
    })
}
