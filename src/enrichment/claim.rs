//! Claims records for a worker.
//!
//! 1. Take back what has expired, at most once a second or where too little is found.
//! 2. Lock rows of the queue in the order of their times, or by turns, then their records; what is locked
//!    is left to others, so a claim waits for nobody. Where records are locked it looks behind them.
//! 3. Mark the records PENDING under the lease, note what it holds, and delete the rows. A record that
//!    the database refuses to mark waits in the queue with the reason.

use super::direct::Own;
use super::error::EnrichmentError;
use super::fair::Turn;
use super::filtered::Wanted;
use super::limits::Windows;
use super::mark::{MAX_REFUSED, MAX_TRIED, Marked, Under};
use super::pick::Picked;
use super::place::Place;
use super::policy::{self, Policy};
use super::refusal::{self, Refused};
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Statement, Tid};
use crate::pg::undone::UntilUndone;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// What a worker gets of a record.
pub(crate) struct Claimed {
    pub(crate) record_id: String,
    pub(crate) attempt: i32,
    /// The datum, in memory of the caller.
    pub(crate) data: pg_sys::Datum,
    pub(crate) source_updated_at: Option<i64>,
    pub(crate) external_id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) entity_id: Option<String>,
    /// As `data`.
    pub(crate) enrichment: Option<pg_sys::Datum>,
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
    pub(crate) filter: Option<Wanted>,
}

/// A claim that found something.
pub(crate) struct Claim {
    pub(crate) lease_id: i64,
    pub(crate) lease_until: i64,
    pub(crate) records: Vec<Claimed>,
}

/// So often does a claim with a filter look for more, where records are locked.
const MAX_FILTERED: usize = 5;

thread_local! {
    static PLACES: UntilUndone<(String, String), Place> = UntilUndone::default();

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
    static NOTE: Statement = const { Statement::new(
        c"WITH noted AS (
              INSERT INTO kepler.lease_records
                  (workspace_id, lease_id, record_ids, attempts, content_hashes, places, priorities)
              VALUES ($1, $2, $3, $4, $5, $6, $8))
          DELETE FROM kepler.enrichment_queue AS q WHERE q.ctid = ANY ($7)",
        &[
            pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::UUIDARRAYOID, pg_sys::TIDARRAYOID, pg_sys::TIDARRAYOID, pg_sys::INT4ARRAYOID,
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
}

/// A record that the claim has marked.
struct Taken<'r> {
    data: pg_sys::Datum,
    source_updated_at: Option<i64>,
    content_hash: Option<u128>,
    place: Tid,
    /// Entity and external id: the order in which records are locked.
    key: (Option<&'r str>, Option<&'r str>),
    source: Option<&'r str>,
    enrichment: Option<pg_sys::Datum>,
}

/// One call of `claim_records`.
pub(super) struct Call<'r> {
    pub(super) request: &'r Request,
    pub(super) workspace: Text,
    pub(super) entity_type: Text,
    pub(super) policy: Policy,
    pub(super) place: Place,
    pub(super) turn: Option<Turn>,
    /// So many records are taken, at most: fewer than asked for where a limit says so.
    pub(super) wanted: usize,
    pub(super) windows: Windows,
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
    let by_key = policy.limit.is_some_and(|limit| limit.by_key);
    match request.fair {
        Some(true) if policy.turns.is_none() => {
            return Err(EnrichmentError::NotFair(request.entity_type.clone()).into());
        }
        Some(false) if by_key => {
            return Err(EnrichmentError::LimitedByKey(request.entity_type.clone()).into());
        }
        _ => {}
    }
    // Before the queue knows whose its rows are, nobody can say which of them a limit lets pass.
    if policy.is_paused || by_key && !policy.takes_turns {
        return Ok(None);
    }
    let _own = Own::begin();
    let key = (request.workspace_id.clone(), request.entity_type.clone());
    let place = PLACES.with(|places| places.get(&key)).unwrap_or_default();
    let wanted = request.max_rows as usize;
    let windows = Windows::default();
    let mut call =
        Call { request, workspace, entity_type, policy, place, turn: None, wanted, windows };
    let picked = call.pick(client);
    let claim = call.take(client, picked, keep)?;
    PLACES.with(|places| places.set(key, call.place));
    Ok(claim)
}

impl Call<'_> {
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

        let opened_with = picked.len();
        let marked = self.mark_some(client, Under { lease, claimed_at }, &mut picked);
        let mut taken = HashMap::with_capacity(marked.count);
        for row in marked.rows() {
            if let (Some(id), Some(data), Some(place)) = (row.text(0), row.datum(1), row.tid(7)) {
                let key = (row.text(4), row.text(5));
                let (source_updated_at, content_hash) = (row.time(2), row.uuid(3));
                let (source, enrichment) = (row.text(8), row.datum(9));
                let record =
                    Taken { data, source_updated_at, content_hash, place, key, source, enrichment };
                taken.insert(id, record);
            }
        }
        let (found, missing): (Vec<&Picked>, Vec<&Picked>) =
            picked.iter().partition(|row| taken.contains_key(row.record_id.as_str()));
        if !missing.is_empty() {
            self.put_back(client, claimed_at, &missing, &marked);
        }
        if found.is_empty() {
            NOTHING_TAKEN.with(|plan| plan.run(client, &[workspace, lease]));
            if self.is_limited_by_key() {
                // No turn is noted of what gave nothing: the session goes on behind it all the same.
                self.place.keys_after = self.turn.take().map(|turn| turn.fair_key);
            }
            return Ok(None);
        }
        if found.len() != opened_with {
            let count = Some(pg_sys::Datum::from(found.len()));
            TAKEN.with(|plan| plan.run(client, &[workspace, lease, count]));
        }
        self.note(client, lease_id, &found, &taken)?;
        self.note_turn(client, lease);
        self.charge(client, &found);
        let records = found.iter().filter_map(|row| {
            let record = taken.get(row.record_id.as_str())?;
            Some(Claimed {
                record_id: row.record_id.clone(),
                attempt: row.attempt + 1,
                data: keep(record.data),
                source_updated_at: record.source_updated_at,
                external_id: record.key.1.map(str::to_owned),
                source: record.source.map(str::to_owned),
                entity_id: record.key.0.map(str::to_owned),
                enrichment: record.enrichment.map(&keep),
            })
        });
        Ok(Some(Claim { lease_id, lease_until, records: records.collect() }))
    }

    /// Marks as many records as are wanted, if there are so many; looks behind those that cannot be.
    fn mark_some<'conn>(
        &mut self,
        client: &mut SpiClient<'conn>,
        under: Under,
        picked: &mut Vec<Picked>,
    ) -> Marked<'conn> {
        let wanted = self.wanted;
        let (by_key, filtered) = (self.is_limited_by_key(), self.request.filter.is_some());
        let (mut marked, mut tried, mut looks) = (Marked::default(), 0, 0);
        while tried < picked.len() {
            let ids: Vec<&str> = picked[tried..].iter().map(|row| &*row.record_id).collect();
            self.mark(client, under, &ids, wanted - marked.count, &mut marked);
            tried = picked.len();
            let count = marked.count;
            // Behind them lies what the limits of other keys do not allow: each key is looked through by itself.
            if !by_key
                && count < wanted
                && count < tried
                && tried < MAX_TRIED
                && marked.refused.len() < MAX_REFUSED
            {
                let more = (wanted - count).max(2 * (tried - count));
                if !filtered {
                    self.pick_behind(client, picked, more);
                } else if looks < MAX_FILTERED {
                    looks += 1;
                    self.pick_filtered_behind(client, picked, wanted - count);
                }
            }
        }
        if by_key && !filtered {
            self.mark_in_keys(client, under, picked, &mut marked);
        } else if marked.count < wanted && marked.count + marked.refused.len() < tried {
            let limit = wanted - marked.count;
            let ids: Vec<&str> = picked.iter().map(|row| &*row.record_id).collect();
            self.mark_unheld(client, under, &ids, limit, &mut marked);
        }
        marked
    }

    /// Rows that are picked and not claimed: refused ones wait, and what should not be there goes.
    fn put_back(
        &self,
        client: &mut SpiClient<'_>,
        now: i64,
        missing: &[&Picked],
        marked: &Marked<'_>,
    ) {
        let workspace = Some(self.workspace.datum());
        let mut reasons: HashMap<&str, _> =
            marked.refused.iter().map(|(id, refusal)| (id.as_str(), refusal.clone())).collect();
        let (mut refused, mut ids) = (Vec::new(), Array::new(array::TEXT));
        for row in missing {
            match reasons.remove(row.record_id.as_str()) {
                Some(refusal) => {
                    let (record_id, refusals) = (row.record_id.as_str(), row.refusals);
                    refused.push(Refused { record_id, refusals, refusal });
                }
                None => ids.push_text(&row.record_id),
            }
        }
        let entity_type = &self.request.entity_type;
        refusal::postpone(client, workspace, entity_type, &self.policy, now, &refused);
        if ids.count() > 0 {
            let entity_type = Some(self.entity_type.datum());
            REPAIR.with(|plan| plan.run(client, &[workspace, Some(ids.datum()), entity_type]));
        }
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
        Ok(id.ok_or(EnrichmentError::NotWritten { sent: 1, written: 0 })?)
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
        let mut queued = Array::new(array::TID);
        let mut priorities = Array::new(array::INTEGER);
        let has_priorities = found.iter().any(|row| row.priority != 0);
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
            places.push_bytes(&record.place);
            queued.push_bytes(&row.place);
            if has_priorities {
                priorities.push_bytes(&row.priority.to_ne_bytes());
            }
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(pg_sys::Datum::from(lease_id)),
            Some(ids.datum()),
            Some(attempts.datum()),
            Some(hashes.datum()),
            Some(places.datum()),
            Some(queued.datum()),
            has_priorities.then(|| priorities.datum()),
        ];
        let written = NOTE.with(|plan| plan.run(client, &parameters)).count();
        if written == found.len() {
            Ok(())
        } else {
            Err(EnrichmentError::NotWritten { sent: found.len(), written }.into())
        }
    }
}
