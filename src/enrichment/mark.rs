//! Marks the records of picked rows as PENDING under a lease, as many as can be marked.
//!
//! Records that somebody holds are left out. What the database refuses is found by halves, and what a
//! trigger keeps back by asking again with the record in hand: both are told of, and others are taken.

use super::claim::Call;
use super::pick::Picked;
use super::refusal;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::{Row, Rows};
use crate::pg::subtransaction::{self, Refusal};
use pgrx::spi::SpiClient;
use pgrx::{check_for_interrupts, pg_sys};
use std::collections::{HashMap, HashSet};

/// So many rows of the queue does a claim try, at most, where their records are locked.
pub(super) const MAX_TRIED: usize = 20_000;
/// So many refused records does it come across before it leaves the rest to the next.
pub(super) const MAX_REFUSED: usize = 1_000;
/// So many rows of a key are tried at once behind those that are locked: at first, and at most.
const LEAST_BEHIND: usize = 50;
const MAX_BEHIND: usize = 2_000;

thread_local! {
    // What is locked stays where it is until the end of the transaction: it is found again by its place. Nothing is waited
    // for, so the order does not matter, and one scan of the index finds all of them.
    static TAKE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = 'PENDING'::kepler.record_enrichment_status,
              enrichment_lease_id = $4, updated_at = $3
          WHERE r.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = ANY ($2) AND x.entity_type = $5
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT $6 FOR NO KEY UPDATE SKIP LOCKED))
          RETURNING r.id, r.data, r.source_updated_at, r.content_hash, r.entity_id, r.external_id,
                    r.enrichment_lease_id = $4
                    AND r.enrichment_status = 'PENDING'::kepler.record_enrichment_status, r.ctid,
                    r.source, r.enrichment",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID,
            pg_sys::TEXTOID, pg_sys::INT4OID,
        ],
    ) };
    // Those that could be claimed and that nobody else holds.
    static LOCK: Statement = const { Statement::new(
        c"SELECT x.id FROM kepler.records AS x
          WHERE x.workspace_id = $1 AND x.id = ANY ($2) AND x.entity_type = $3
            AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
            AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
          FOR NO KEY UPDATE SKIP LOCKED",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTOID],
    ) };
}

/// The lease under which a claim marks.
#[derive(Clone, Copy)]
pub(super) struct Under {
    pub(super) lease: Parameter,
    pub(super) claimed_at: i64,
}

/// What became of picked rows.
#[derive(Default)]
pub(super) struct Marked<'conn> {
    pub(super) rounds: Vec<Rows<'conn>>,
    pub(super) count: usize,
    pub(super) refused: Vec<(String, Refusal)>,
    /// Whether it is known that the statement as such is not what is refused.
    probed: bool,
}

impl Marked<'_> {
    /// Those that were marked.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_, 10>> {
        self.rounds.iter().flat_map(|rows| rows.iter::<10>())
    }
}

/// The keys of which less was marked than their share: how much, and how many of their rows are picked.
fn lacking(
    shares: &[(String, usize)],
    picked: &[Picked],
    marked: &Marked<'_>,
) -> Vec<(String, usize, usize)> {
    let done: HashSet<&str> = marked.rows().filter_map(|row| row.text(0)).collect();
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for row in picked {
        let Some(key) = row.key.as_deref() else { continue };
        let (tried, count) = counts.entry(key).or_default();
        *tried += 1;
        *count += usize::from(done.contains(row.record_id.as_str()));
    }
    let lacking = shares.iter().filter_map(|(key, share)| {
        let (tried, count) = counts.get(key.as_str()).copied().unwrap_or_default();
        (count < *share).then(|| (key.clone(), share - count, tried))
    });
    lacking.collect()
}

impl Call<'_> {
    /// Marks up to `limit` of the records.
    pub(super) fn mark<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        under: Under,
        record_ids: &[&str],
        limit: usize,
        marked: &mut Marked<'conn>,
    ) {
        check_for_interrupts!();
        if limit == 0 || record_ids.is_empty() {
            return;
        }
        match subtransaction::attempt_rows(|| self.mark_all(client, under, record_ids, limit)) {
            Ok(rows) => {
                marked.count += rows.count();
                marked.rounds.push(rows);
            }
            Err(refusal) if record_ids.len() == 1 => {
                self.probe(client, under, marked);
                marked.refused.push((record_ids[0].to_owned(), refusal));
            }
            Err(_) => {
                self.probe(client, under, marked);
                let (first, second) = record_ids.split_at(record_ids.len() / 2);
                let before = marked.count;
                self.mark(client, under, first, limit, marked);
                let limit = limit.saturating_sub(marked.count - before);
                self.mark(client, under, second, limit, marked);
            }
        }
    }

    /// Marks nothing: raises what is refused whatever the record, for want of a privilege, say.
    fn probe(&self, client: &mut SpiClient<'_>, under: Under, marked: &mut Marked<'_>) {
        if !marked.probed {
            marked.probed = true;
            self.mark_all(client, under, &[], 1);
        }
    }

    fn mark_all<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        under: Under,
        record_ids: &[&str],
        limit: usize,
    ) -> Rows<'conn> {
        let mut ids = Array::texts(record_ids.iter().copied());
        let parameters = [
            Some(self.workspace.datum()),
            Some(ids.datum()),
            Some(pg_sys::Datum::from(under.claimed_at)),
            under.lease,
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(limit)),
        ];
        let rows = TAKE.with(|plan| plan.run(client, &parameters));
        if rows.iter::<10>().any(|row| row.boolean(6) != Some(true)) {
            refusal::raise("a trigger on kepler.records prevented the status PENDING");
        }
        rows
    }

    /// Behind rows of a key that cannot be marked lie others of it: a key gets what it was picked for, and no more.
    pub(super) fn mark_in_keys<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        under: Under,
        picked: &mut Vec<Picked>,
        marked: &mut Marked<'conn>,
    ) {
        let mut shares: Vec<(String, usize)> = Vec::new();
        for key in picked.iter().filter_map(|row| row.key.as_ref()) {
            match shares.iter_mut().find(|(known, _)| known == key) {
                Some((_, share)) => *share += 1,
                None => shares.push((key.clone(), 1)),
            }
        }
        let (mut more, mut ended) = (LEAST_BEHIND, HashSet::new());
        while picked.len() < MAX_TRIED && marked.refused.len() < MAX_REFUSED {
            let lacking: Vec<(String, usize, usize)> = lacking(&shares, picked, marked)
                .into_iter()
                .filter(|(key, ..)| !ended.contains(key))
                .collect();
            if lacking.is_empty() {
                break;
            }
            let wanted: Vec<(&str, usize)> =
                lacking.iter().map(|(key, _, tried)| (key.as_str(), tried + more)).collect();
            let known: HashSet<String> = picked.iter().map(|row| row.record_id.clone()).collect();
            let mut behind = self.pick_of_keys(client, &wanted);
            behind.retain(|row| !known.contains(&row.record_id));
            for (key, lacks, _) in lacking {
                let of_key = behind.iter().filter(|row| row.key.as_ref() == Some(&key));
                let ids: Vec<&str> = of_key.map(|row| &*row.record_id).collect();
                if ids.is_empty() {
                    ended.insert(key);
                } else {
                    self.mark(client, under, &ids, lacks, marked);
                }
            }
            picked.append(&mut behind);
            more = (2 * more).min(MAX_BEHIND);
        }
        for (key, lacks, _) in lacking(&shares, picked, marked) {
            let of_key = picked.iter().filter(|row| row.key.as_ref() == Some(&key));
            let ids: Vec<&str> = of_key.map(|row| &*row.record_id).collect();
            self.mark_unheld(client, under, &ids, lacks, marked);
        }
    }

    /// Of rows that all were tried and not marked those that a trigger keeps back are refused. Whose
    /// records were let go of meanwhile are marked.
    pub(super) fn mark_unheld<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        under: Under,
        record_ids: &[&str],
        limit: usize,
        marked: &mut Marked<'conn>,
    ) {
        let known: HashSet<String> = marked
            .rows()
            .filter_map(|row| row.text(0).map(str::to_owned))
            .chain(marked.refused.iter().map(|(id, _)| id.clone()))
            .collect();
        let left = record_ids.iter().copied().filter(|id| !known.contains(*id));
        let mut ids = Array::texts(left);
        if ids.count() == 0 {
            return;
        }
        let parameters =
            [Some(self.workspace.datum()), Some(ids.datum()), Some(self.entity_type.datum())];
        let locked = LOCK.with(|plan| plan.run(client, &parameters));
        let locked: Vec<String> =
            locked.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
        let mut again = Marked { probed: marked.probed, ..Marked::default() };
        let ids: Vec<&str> = locked.iter().map(String::as_str).collect();
        self.mark(client, under, &ids, limit, &mut again);
        if again.count < limit {
            let known: HashSet<&str> = again
                .rows()
                .filter_map(|row| row.text(0))
                .chain(again.refused.iter().map(|(id, _)| id.as_str()))
                .collect();
            let kept = locked.iter().filter(|id| !known.contains(id.as_str()));
            marked.refused.extend(kept.map(|id| (id.clone(), refusal::suppressed())));
        }
        marked.count += again.count;
        marked.refused.append(&mut again.refused);
        marked.rounds.append(&mut again.rounds);
    }
}
