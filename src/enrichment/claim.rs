//! Claims records for a worker.
//!
//! 1. Take back what has expired, at most once a second or where too little is found.
//! 2. Lock rows of the queue in the order of their times, then their records; what is locked is left
//!    to others, so a claim waits for nobody. Where records are locked it looks behind them.
//! 3. Mark the records PENDING under the lease, note what it holds, and delete the rows.
//!
//! A session goes on where its last claim ended: dead entries of the index, which a long transaction
//! keeps vacuum from removing, are not walked again each time. From the start it looks once a second,
//! and where it finds too little; where that takes long, at most a twentieth of the time.

use super::direct::Own;
use super::error::EnrichmentError;
use super::place::{Place, blocks};
use super::policy::{self, Policy};
use super::reap;
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Row, Rows, Statement, Tid};
use crate::pg::undone::UntilUndone;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

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

/// Times in the queue may be so much older than their transaction's last (a batch of an upsert is spread
/// over a microsecond each).
const SLACK: i64 = 5_000;
/// So many rows of the queue does a claim try, at most, where their records are locked.
const MAX_TRIED: usize = 20_000;

thread_local! {
    static PLACES: UntilUndone<(String, String), Place> = UntilUndone::default();

    static PICK: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at >= $3
            AND q.ready_at <= $4
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
               WHERE q.workspace_id = $1 AND q.entity_type = $2
                 AND q.fair_key IS NOT NULL AND q.fair_key > $3
               ORDER BY q.fair_key LIMIT 1)
              UNION ALL
              SELECT (SELECT q.fair_key FROM kepler.enrichment_queue AS q
                      WHERE q.workspace_id = $1 AND q.entity_type = $2
                        AND q.fair_key IS NOT NULL AND q.fair_key > k.fair_key
                      ORDER BY q.fair_key LIMIT 1)
              FROM k WHERE k.fair_key IS NOT NULL)
          SELECT k.fair_key FROM k WHERE k.fair_key IS NOT NULL LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static PICK_FAIR: Statement = const { Statement::new(
        c"SELECT p.record_id, p.attempt, p.ready_at, p.ctid
          FROM (SELECT pg_catalog.unnest($3) AS fair_key) AS k
          CROSS JOIN LATERAL (
              SELECT q.record_id, q.attempt, q.ready_at, q.ctid
              FROM kepler.enrichment_queue AS q
              WHERE q.workspace_id = $1 AND q.entity_type = $2
                AND q.fair_key IS NOT NULL AND q.fair_key = k.fair_key AND q.ready_at <= $4
              ORDER BY q.ready_at LIMIT $5
              FOR UPDATE SKIP LOCKED) AS p",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    // What is locked stays where it is until the end of the transaction: it is found again by its place.
    static TAKE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'PENDING'::kepler.record_enrichment_status,
              enrichment_lease_id = $4, updated_at = $3
          WHERE r.ctid = ANY (ARRAY(
              SELECT l.ctid
              FROM (SELECT pg_catalog.unnest($2) AS id) AS n
              CROSS JOIN LATERAL (
                  SELECT x.ctid FROM kepler.records AS x
                  WHERE x.workspace_id = $1 AND x.id = n.id AND x.entity_type = $5
                    AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                    AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
                  LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l
              LIMIT $6))
          RETURNING r.id, r.data, r.source_updated_at, r.content_hash, r.entity_id, r.external_id,
                    r.enrichment_lease_id = $4
                    AND r.enrichment_status = 'PENDING'::kepler.record_enrichment_status",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID,
            pg_sys::TEXTOID, pg_sys::INT4OID,
        ],
    ) };
    // Rows whose records are not to be enriched, as everybody sees. They got there around Kepler. What
    // row security hides may be there.
    static REPAIR: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id
            AND NOT EXISTS (
                SELECT FROM kepler.records AS r
                WHERE r.workspace_id = $1 AND r.id = n.id AND r.entity_type = $3
                  AND r.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                  AND r.status = 'ACTIVE'::kepler.record_status AND r.deleted_at IS NULL)
            AND (NOT pg_catalog.row_security_active('kepler.records'::regclass)
                 OR EXISTS (SELECT FROM kepler.records AS r
                            WHERE r.workspace_id = $1 AND r.id = n.id))",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID],
    ) };
    static LEASE: Statement = const { Statement::new(
        c"INSERT INTO kepler.leases
              (workspace_id, entity_type, worker, length, deadline, lease_until, open_records,
               created_at)
          VALUES ($1, $2, $3, $5 - $4, $5, $5, $6, $4) RETURNING id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID,
        ],
    ) };
    static LEASE_RECORDS: Statement = const { Statement::new(
        c"INSERT INTO kepler.lease_records
              (workspace_id, lease_id, record_ids, attempts, content_hashes)
          VALUES ($1, $2, $3, $4, $5)",
        &[
            pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::UUIDARRAYOID,
        ],
    ) };
    // Fewer than were picked, and perhaps none.
    static TAKEN: Statement = const { Statement::new(
        c"UPDATE kepler.leases AS l SET open_records = $3 WHERE l.workspace_id = $1 AND l.id = $2",
        &[pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT4OID],
    ) };
    static NOTHING_TAKEN: Statement = const { Statement::new(
        c"DELETE FROM kepler.leases AS l WHERE l.workspace_id = $1 AND l.id = $2",
        &[pg_sys::TEXTOID, pg_sys::INT8OID],
    ) };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q WHERE q.ctid = ANY ($1)",
        &[pg_sys::TIDARRAYOID],
    ) };
}

/// A row of the queue that this transaction has locked.
struct Picked {
    record_id: String,
    attempt: i32,
    ready_at: i64,
    place: Tid,
}

/// A record that the claim has marked.
struct Taken<'r> {
    data: pg_sys::Datum,
    source_updated_at: Option<i64>,
    content_hash: Option<u128>,
    /// Entity and external id: the order in which records are locked.
    key: (Option<&'r str>, Option<&'r str>),
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
    let place = PLACES.with(|places| places.get(&key)).unwrap_or_default();
    let mut call = Call { request, workspace, entity_type, policy, place };
    let picked = call.pick(client);
    let claim = call.take(client, picked, keep)?;
    PLACES.with(|places| places.set(key, call.place));
    Ok(claim)
}

impl Call<'_> {
    fn pick(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.request.max_rows as usize;
        if self.place.reap_is_due(now(), true) {
            self.reap(client);
        }
        let mut picked = self.pick_somehow(client);
        if picked.len() < wanted && self.place.reap_is_due(now(), false) && self.reap(client) > 0 {
            picked = self.pick_somehow(client);
        }
        picked
    }

    fn pick_somehow(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        if self.request.fair.unwrap_or(self.policy.fair) {
            self.pick_fair(client)
        } else {
            self.pick_in_order(client)
        }
    }

    fn reap(&mut self, client: &mut SpiClient<'_>) -> usize {
        let before = blocks();
        let count = reap::reap(client, &self.workspace, &self.entity_type, &self.policy, now());
        self.place.reaped_at = now();
        // Work that was found is no reason to look for more of it less often.
        self.place.reap_took = if count > 0 { 0 } else { blocks() - before };
        count
    }

    /// The oldest that are ready.
    fn pick_in_order(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.request.max_rows;
        if !self.place.start_is_due(now(), true) {
            let picked = self.pick_from(client, self.place.ready_at.saturating_sub(SLACK), wanted);
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
        rows.iter::<4>().filter_map(|row| picked(&row)).collect()
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
        let mut picked: Vec<Picked> = rows.iter::<4>().filter_map(|row| picked(&row)).collect();
        picked.truncate(wanted as usize);
        if picked.len() < wanted as usize {
            // Some entities have too little: the rest is filled from the others, the oldest first.
            let more = self.pick_in_order(client);
            let known: HashSet<String> = picked.iter().map(|row| row.record_id.clone()).collect();
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
        mut picked: Vec<Picked>,
        keep: impl Fn(pg_sys::Datum) -> pg_sys::Datum,
    ) -> Result<Option<Claim>, Error> {
        if picked.is_empty() {
            return Ok(None);
        }
        let workspace = Some(self.workspace.datum());
        let claimed_at = now();
        let lease_until =
            claimed_at.saturating_add(self.request.lease.unwrap_or(self.policy.lease));
        let lease_id = self.open_lease(client, claimed_at, lease_until, picked.len())?;
        let lease = Some(pg_sys::Datum::from(lease_id));

        let (wanted, opened_with) = (self.request.max_rows as usize, picked.len());
        let (mut rounds, mut tried, mut count) = (Vec::new(), 0, 0);
        while tried < picked.len() {
            let rows = self.mark(client, lease, claimed_at, &picked[tried..], wanted - count);
            count += rows.iter::<7>().filter(is_held).count();
            rounds.push(rows);
            tried = picked.len();
            if count < wanted && count < tried && tried < MAX_TRIED {
                self.pick_behind(client, &mut picked, (wanted - count).max(2 * (tried - count)));
            }
        }
        let mut taken = HashMap::with_capacity(count);
        for row in rounds.iter().flat_map(|rows| rows.iter::<7>()).filter(is_held) {
            if let (Some(id), Some(data)) = (row.text(0), row.datum(1)) {
                let key = (row.text(4), row.text(5));
                let (source_updated_at, content_hash) = (row.time(2), row.uuid(3));
                taken.insert(id, Taken { data, source_updated_at, content_hash, key });
            }
        }
        let (found, missing): (Vec<&Picked>, Vec<&Picked>) =
            picked.iter().partition(|row| taken.contains_key(row.record_id.as_str()));
        if !missing.is_empty() {
            let mut ids = Array::new(array::TEXT);
            missing.iter().for_each(|row| ids.push_text(&row.record_id));
            let entity_type = Some(self.entity_type.datum());
            REPAIR.with(|plan| plan.run(client, &[workspace, Some(ids.datum()), entity_type]));
        }
        if found.is_empty() {
            NOTHING_TAKEN.with(|plan| plan.run(client, &[workspace, lease]));
            return Ok(None);
        }
        if found.len() != opened_with {
            let count = Some(pg_sys::Datum::from(found.len()));
            TAKEN.with(|plan| plan.run(client, &[workspace, lease, count]));
        }
        self.note(client, lease_id, &found, &taken)?;
        let records = found.iter().filter_map(|row| {
            let record = taken.get(row.record_id.as_str())?;
            Some(Claimed {
                record_id: row.record_id.clone(),
                attempt: row.attempt + 1,
                data: keep(record.data),
                source_updated_at: record.source_updated_at,
            })
        });
        Ok(Some(Claim { lease_id, lease_until, records: records.collect() }))
    }

    /// Marks up to `limit` of the records of rows, and gives them.
    fn mark<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        lease: Parameter,
        claimed_at: i64,
        rows: &[Picked],
        limit: usize,
    ) -> Rows<'conn> {
        let mut ids = Array::new(array::TEXT);
        rows.iter().for_each(|row| ids.push_text(&row.record_id));
        let parameters = [
            Some(self.workspace.datum()),
            Some(ids.datum()),
            Some(pg_sys::Datum::from(claimed_at)),
            lease,
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(limit)),
        ];
        TAKE.with(|plan| plan.run(client, &parameters))
    }

    /// Adds up to `count` rows behind those that were picked. What is locked in between is found again
    /// when the session next looks from the start.
    fn pick_behind(&mut self, client: &mut SpiClient<'_>, picked: &mut Vec<Picked>, count: usize) {
        let Some(last) = picked.iter().map(|row| row.ready_at).max() else { return };
        let limit = (picked.len() + count) as i32;
        // The picked rows of entities that took turns are not the oldest.
        let from = if self.policy.fair { i64::MIN } else { last.saturating_sub(SLACK) };
        let mut more = self.pick_from(client, from, limit);
        let known: HashSet<&str> = picked.iter().map(|row| &*row.record_id).collect();
        more.retain(|row| !known.contains(&*row.record_id));
        more.truncate(count);
        self.remember(&more);
        picked.append(&mut more);
    }

    fn open_lease(
        &self,
        client: &mut SpiClient<'_>,
        claimed_at: i64,
        lease_until: i64,
        count: usize,
    ) -> Result<i64, Error> {
        let worker = Text::new(&self.request.worker);
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(worker.datum()),
            Some(pg_sys::Datum::from(claimed_at)),
            Some(pg_sys::Datum::from(lease_until)),
            Some(pg_sys::Datum::from(count)),
        ];
        let rows = LEASE.with(|plan| plan.run(client, &parameters));
        let id = rows.iter::<1>().next().and_then(|row| row.bigint(0));
        id.ok_or(Error::NotWritten { sent: 1, written: 0 })
    }

    /// Notes what the lease holds, in the order in which a settle will lock it, and takes it from the
    /// queue.
    fn note(
        &self,
        client: &mut SpiClient<'_>,
        lease_id: i64,
        found: &[&Picked],
        taken: &HashMap<&str, Taken<'_>>,
    ) -> Result<(), Error> {
        let (mut ids, mut attempts) = (Array::new(array::TEXT), Array::new(array::INTEGER));
        let (mut hashes, mut places) = (Array::new(array::UUID), Array::new(array::TID));
        let mut ordered: Vec<(&Picked, &Taken<'_>)> = found
            .iter()
            .filter_map(|row| Some((*row, taken.get(row.record_id.as_str())?)))
            .collect();
        // NULL comes last, as in Postgres.
        ordered.sort_unstable_by_key(|(row, record)| {
            let (entity, external_id) = record.key;
            (entity.is_none(), entity, external_id.is_none(), external_id, &row.record_id)
        });
        for (row, record) in ordered {
            ids.push_text(&row.record_id);
            attempts.push_bytes(&(row.attempt + 1).to_ne_bytes());
            hashes.push_uuid(record.content_hash);
            places.push_bytes(&row.place);
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(pg_sys::Datum::from(lease_id)),
            Some(ids.datum()),
            Some(attempts.datum()),
            Some(hashes.datum()),
        ];
        LEASE_RECORDS.with(|plan| plan.run(client, &parameters));
        let written = DEQUEUE.with(|plan| plan.run(client, &[Some(places.datum())])).count();
        if written == found.len() {
            Ok(())
        } else {
            Err(Error::NotWritten { sent: found.len(), written })
        }
    }
}

/// A user's trigger may have had its own will.
fn is_held(row: &Row<'_, 7>) -> bool {
    row.boolean(6) == Some(true)
}

fn picked(row: &Row<'_, 4>) -> Option<Picked> {
    Some(Picked {
        record_id: row.text(0)?.to_owned(),
        attempt: row.integer(1)?,
        ready_at: row.time(2)?,
        place: row.tid(3)?,
    })
}
