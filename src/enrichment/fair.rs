//! Turns between entities: each claim begins behind the entity that the last one ended with.
//!
//! The turn stands in the database, since a claim may be the first of its session, and is a row for each
//! claim, not one that all of them change: a claim waits for nobody, and a row that is rewritten leaves
//! versions that all would walk while a long transaction keeps vacuum away. The newest row counts, which
//! is the last in its index; a claim takes the one away that it began with.

use super::claim::Call;
use super::pick::Picked;
use super::place::blocks;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// So many entities does a claim look at, at most: those whose records all wait are passed by.
const MAX_LOOKED: i32 = 200;

thread_local! {
    static TURN: Statement = const { Statement::new(
        c"SELECT t.fair_key, t.lease_id FROM kepler.enrichment_turns AS t
          WHERE t.workspace_id = $1 AND t.entity_type = $2
          ORDER BY t.lease_id DESC LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    // The keys by a skip scan: one descent of the index for each, which finds its first time too.
    static KEYS: Statement = const { Statement::new(
        c"WITH RECURSIVE k (fair_key, ready, looked, found) AS (
              (SELECT q.fair_key, q.ready_at <= $6, 1, (q.ready_at <= $6)::integer
               FROM kepler.enrichment_queue AS q
               WHERE q.workspace_id = $1 AND q.entity_type = $2
                 AND q.fair_key IS NOT NULL AND q.fair_key > $3
               ORDER BY q.fair_key, q.ready_at LIMIT 1)
              UNION ALL
              SELECT n.fair_key, n.ready_at <= $6, k.looked + 1,
                     k.found + (n.ready_at <= $6)::integer
              FROM k
              CROSS JOIN LATERAL (
                  SELECT q.fair_key, q.ready_at FROM kepler.enrichment_queue AS q
                  WHERE q.workspace_id = $1 AND q.entity_type = $2
                    AND q.fair_key IS NOT NULL AND q.fair_key > k.fair_key
                  ORDER BY q.fair_key, q.ready_at LIMIT 1) AS n
              WHERE k.found < $4 AND k.looked < $5)
          SELECT k.fair_key, k.ready FROM k",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID, pg_sys::INT4OID,
            pg_sys::TIMESTAMPTZOID,
        ],
    ) };
    static PICK_FAIR: Statement = const { Statement::new(
        c"SELECT p.record_id, p.attempt, p.ready_at, p.ctid, p.refusals, k.fair_key
          FROM (SELECT pg_catalog.unnest($3) AS fair_key) AS k
          CROSS JOIN LATERAL (
              SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals
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
    // Of the oldest that are ready those that have no key.
    static PICK_KEYLESS: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals
          FROM kepler.enrichment_queue AS q
          WHERE q.ctid = ANY (ARRAY(
                  SELECT o.ctid
                  FROM (SELECT x.ctid, x.fair_key FROM kepler.enrichment_queue AS x
                        WHERE x.workspace_id = $1 AND x.entity_type = $2 AND x.ready_at <= $3
                        ORDER BY x.ready_at LIMIT $4) AS o
                  WHERE o.fair_key IS NULL))
            AND q.workspace_id = $1 AND q.entity_type = $2 AND q.fair_key IS NULL AND q.ready_at <= $3
          LIMIT $5
          FOR UPDATE SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID,
            pg_sys::INT4OID,
        ],
    ) };
    static NOTE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_turns (workspace_id, entity_type, lease_id, fair_key)
          VALUES ($1, $2, $3, $4)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::TEXTOID],
    ) };
    static FORGET: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_turns AS t
          WHERE t.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.enrichment_turns AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2 AND x.lease_id BETWEEN $3 AND $4
              FOR UPDATE SKIP LOCKED))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT8OID, pg_sys::INT8OID],
    ) };
}

/// Whose turn it was, and is behind this claim.
pub(super) struct Turn {
    /// The lease of the claim that left the turn as it was found.
    from: Option<i64>,
    /// The last entity that is served.
    fair_key: String,
}

/// Entities that a claim has looked at, in their order.
struct Keys {
    ready: Vec<String>,
    /// Where it has stopped looking, with too little found.
    last: Option<String>,
    /// Whether it has come to the end.
    all: bool,
}

impl Call<'_> {
    /// One of each entity in turn, as often as it takes.
    pub(super) fn pick_fair(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.request.max_rows as usize;
        let (last, from) = self.find_turn(client);
        let Keys { mut ready, last: mut looked_at, all } = self.keys(client, &last, wanted);
        if all && ready.len() < wanted {
            let more = self.keys(client, "", wanted - ready.len());
            ready.extend(more.ready.into_iter().take_while(|key| *key <= last));
            looked_at = None;
        }
        let mut array = Array::new(array::TEXT);
        for key in &ready {
            array.push_text(key);
        }
        let mut served = Vec::new();
        if !ready.is_empty() {
            let each = wanted.div_ceil(ready.len());
            let parameters = [
                Some(self.workspace.datum()),
                Some(self.entity_type.datum()),
                Some(array.datum()),
                Some(pg_sys::Datum::from(now())),
                Some(pg_sys::Datum::from(each)),
            ];
            let rows = PICK_FAIR.with(|plan| plan.run(client, &parameters));
            let mut round = 0;
            for row in rows.iter::<6>() {
                if let (Some(picked), Some(key)) = (Picked::read(&row), row.text(5)) {
                    let same = served.last().is_some_and(|(_, before, _)| before == key);
                    round = if same { round + 1 } else { 0 };
                    served.push((round, key.to_owned(), picked));
                }
            }
            // Stable: within a round the entities keep their order.
            served.sort_by_key(|(round, _, _)| *round);
            served.truncate(wanted);
        }
        // Where more were looked at than are served, none of those behind was ready.
        let fair_key = looked_at.or_else(|| served.last().map(|(_, key, _)| key.clone()));
        self.turn = fair_key.map(|fair_key| Turn { from, fair_key });
        let mut picked = self.pick_keyless(client, wanted);
        picked.extend(served.into_iter().map(|(_, _, picked)| picked));
        picked.truncate(wanted);
        if picked.len() < wanted {
            // Some entities have too little: the rest is filled from the others, the oldest first.
            let more = self.pick_in_order(client);
            let known: HashSet<String> = picked.iter().map(|row| row.record_id.clone()).collect();
            let room = wanted - picked.len();
            picked
                .extend(more.into_iter().filter(|row| !known.contains(&row.record_id)).take(room));
        }
        picked
    }

    /// What was put into the queue without a key although the policy is fair, by a worker who did not know it yet: among
    /// the others it would wait for as long as there are others.
    fn pick_keyless(&mut self, client: &mut SpiClient<'_>, wanted: usize) -> Vec<Picked> {
        if !self.place.keyless_is_due(now()) {
            return Vec::new();
        }
        let before = blocks();
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(MAX_LOOKED)),
            Some(pg_sys::Datum::from(wanted)),
        ];
        let rows = PICK_KEYLESS.with(|plan| plan.run(client, &parameters));
        let picked: Vec<Picked> = rows.iter::<5>().filter_map(|row| Picked::read(&row)).collect();
        self.place.keyless_at = now();
        self.place.keyless_took = blocks() - before;
        picked
    }

    /// The entity that was served last, and the lease of that claim.
    fn find_turn(&self, client: &mut SpiClient<'_>) -> (String, Option<i64>) {
        let parameters = [Some(self.workspace.datum()), Some(self.entity_type.datum())];
        let rows = TURN.with(|plan| plan.run(client, &parameters));
        let row = rows.iter::<2>().next();
        let key = row.as_ref().and_then(|row| row.text(0)).unwrap_or_default();
        (key.to_owned(), row.as_ref().and_then(|row| row.bigint(1)))
    }

    /// Entities behind one that have something ready, as many as are wanted if there are so many.
    fn keys(&self, client: &mut SpiClient<'_>, after: &str, wanted: usize) -> Keys {
        let after = Text::new(after);
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(after.datum()),
            Some(pg_sys::Datum::from(wanted)),
            Some(pg_sys::Datum::from(MAX_LOOKED)),
            Some(pg_sys::Datum::from(now())),
        ];
        let rows = KEYS.with(|plan| plan.run(client, &parameters));
        let (mut ready, mut last) = (Vec::new(), None);
        for row in rows.iter::<2>() {
            let Some(key) = row.text(0) else { continue };
            if row.boolean(1) == Some(true) {
                ready.push(key.to_owned());
            }
            last = Some(key.to_owned());
        }
        let all = ready.len() < wanted && rows.count() < MAX_LOOKED as usize;
        Keys { last: last.filter(|_| ready.len() < wanted && !all), ready, all }
    }

    /// Notes whose turn it was, with the lease of this claim.
    pub(super) fn note_turn(&mut self, client: &mut SpiClient<'_>, lease: Parameter) {
        let Some(turn) = self.turn.take() else { return };
        let fair_key = Text::new(&turn.fair_key);
        let (workspace, entity_type) =
            (Some(self.workspace.datum()), Some(self.entity_type.datum()));
        let parameters = [workspace, entity_type, lease, Some(fair_key.datum())];
        NOTE.with(|plan| plan.run(client, &parameters));
        let Some(from) = turn.from.filter(|_| !keeps_snapshot()) else { return };
        // Where claims began with the same row, or one came late, rows are left: now and then all go.
        let before = blocks();
        let sweeps = self.place.sweep_is_due(now());
        let first = if sweeps { 0 } else { from };
        let parameters = [
            workspace,
            entity_type,
            Some(pg_sys::Datum::from(first)),
            Some(pg_sys::Datum::from(from)),
        ];
        FORGET.with(|plan| plan.run(client, &parameters));
        if sweeps {
            self.place.swept_at = now();
            self.place.sweep_took = blocks() - before;
        }
    }
}
