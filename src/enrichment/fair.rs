//! Turns between entities: each claim begins behind the entity that the last one ended with.
//!
//! The turn stands in the database, since a claim may be the first of its session, and is a row for each
//! claim, not one that all of them change: a claim waits for nobody, and a row that is rewritten leaves
//! versions that all would walk while a long transaction keeps vacuum away. The newest row counts, which
//! is the last in its index; a claim takes the one away that it began with.

use super::claim::Call;
use super::pick::Picked;
use super::place::blocks;
use super::policy::TurnsBy;
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
        c"SELECT p.record_id, p.attempt, p.ready_at, p.ctid, p.refusals, p.priority, k.fair_key
          FROM (SELECT pg_catalog.unnest($3) AS fair_key, pg_catalog.unnest($5) AS most) AS k
          CROSS JOIN LATERAL (
              SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority
              FROM kepler.enrichment_queue AS q
              WHERE q.workspace_id = $1 AND q.entity_type = $2
                AND q.fair_key IS NOT NULL AND q.fair_key = k.fair_key AND q.ready_at <= $4
              ORDER BY q.ready_at LIMIT k.most
              FOR UPDATE SKIP LOCKED) AS p",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4ARRAYOID,
        ],
    ) };
    // Each entity has its turn whatever the priorities of others are; within its share the higher ones come first.
    static PICK_FAIR_PRIOR: Statement = const { Statement::new(
        c"SELECT p.record_id, p.attempt, p.ready_at, p.place, p.refusals, p.priority, k.fair_key
          FROM (SELECT pg_catalog.unnest($3) AS fair_key, pg_catalog.unnest($5) AS most) AS k
          CROSS JOIN LATERAL (
              SELECT h.record_id, h.attempt, h.ready_at, h.place, h.refusals, h.priority
              FROM pg_catalog.generate_series(9, 1, -1) AS n (priority)
              CROSS JOIN LATERAL (
                  SELECT q.record_id, q.attempt, q.ready_at, q.ctid AS place, q.refusals, q.priority
                  FROM kepler.enrichment_queue AS q
                  WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.priority > 0
                    AND q.fair_key IS NOT NULL AND q.fair_key = k.fair_key
                    AND q.priority = n.priority AND q.ready_at <= $4
                  ORDER BY q.ready_at LIMIT k.most
                  FOR UPDATE SKIP LOCKED) AS h
              UNION ALL
              SELECT l.record_id, l.attempt, l.ready_at, l.place, l.refusals, l.priority
              FROM (SELECT q.record_id, q.attempt, q.ready_at, q.ctid AS place, q.refusals, q.priority
                    FROM kepler.enrichment_queue AS q
                    WHERE q.workspace_id = $1 AND q.entity_type = $2
                      AND q.fair_key IS NOT NULL AND q.fair_key = k.fair_key AND q.ready_at <= $4
                      AND q.priority = 0
                    ORDER BY q.ready_at LIMIT k.most
                    FOR UPDATE SKIP LOCKED) AS l
              LIMIT k.most) AS p",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4ARRAYOID,
        ],
    ) };
    // What a limit is to be counted for must have its key before it is claimed.
    static SET_KEY: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET fair_key = COALESCE((
              SELECT CASE WHEN $3 THEN r.source ELSE r.entity_id END FROM kepler.records AS r
              WHERE r.workspace_id = $1 AND r.id = q.record_id LIMIT 1), ' ')
          WHERE q.ctid = ANY ($2)",
        &[pg_sys::TEXTOID, pg_sys::TIDARRAYOID, pg_sys::BOOLOID],
    ) };
    // Of the oldest that are ready those that have no key.
    static PICK_KEYLESS: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority, q.fair_key
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
    pub(super) fair_key: String,
}

/// So often does a claim look at more keys, where the limits of those before are used up.
const LIMITED_ROUNDS: usize = 5;

/// The keys that are served, and so much of each at most.
struct Found {
    keys: Vec<(String, usize)>,
    /// Where it has stopped looking, with too little found.
    looked_at: Option<String>,
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
        let wanted = self.wanted;
        let by_key = self.is_limited_by_key();
        let keyless = self.pick_keyless(client, wanted);
        let (last, from) = self.find_turn(client);
        let Found { keys, looked_at } = self.keys_in_turn(client, &last, wanted);
        let mut served = Vec::new();
        if !keys.is_empty() {
            let each = wanted.div_ceil(keys.len());
            let shares: Vec<(&str, usize)> =
                keys.iter().map(|(key, left)| (key.as_str(), each.min(*left))).collect();
            let (mut round, mut before) = (0, None::<String>);
            for picked in self.pick_of_keys(client, &shares) {
                round = if before == picked.key { round + 1 } else { 0 };
                before = picked.key.clone();
                served.push((round, picked));
            }
            // Stable: within a round the entities keep their order.
            served.sort_by_key(|(round, _)| *round);
            served.truncate(wanted);
        }
        // Where more were looked at than are served, none of those behind was ready.
        let fair_key = looked_at.or_else(|| served.last().and_then(|(_, row)| row.key.clone()));
        self.place.keys_after = fair_key.clone().filter(|_| by_key && served.is_empty());
        self.turn = fair_key.map(|fair_key| Turn { from, fair_key });
        let mut picked = keyless;
        picked.extend(served.into_iter().map(|(_, picked)| picked));
        picked.truncate(wanted);
        if picked.len() < wanted && !by_key {
            // Some entities have too little: the rest is filled from the others, the oldest first.
            let more = self.pick_in_order(client);
            let known: HashSet<String> = picked.iter().map(|row| row.record_id.clone()).collect();
            let room = wanted - picked.len();
            picked
                .extend(more.into_iter().filter(|row| !known.contains(&row.record_id)).take(room));
        }
        picked
    }

    /// The first of each key that nobody else holds, so many of it at most. One key follows the other.
    pub(super) fn pick_of_keys(
        &self,
        client: &mut SpiClient<'_>,
        keys: &[(&str, usize)],
    ) -> Vec<Picked> {
        let (mut names, mut most) = (Array::new(array::TEXT), Array::new(array::INTEGER));
        for (key, count) in keys {
            names.push_text(key);
            most.push_bytes(&(*count as i32).to_ne_bytes());
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(names.datum()),
            Some(pg_sys::Datum::from(now())),
            Some(most.datum()),
        ];
        let statement = if self.policy.priorities { &PICK_FAIR_PRIOR } else { &PICK_FAIR };
        let rows = statement.with(|plan| plan.run(client, &parameters));
        rows.iter::<7>().filter_map(|row| Picked::read(&row)).collect()
    }

    /// The keys whose turn it is, with how much may be claimed of each.
    fn keys_in_turn(&mut self, client: &mut SpiClient<'_>, last: &str, wanted: usize) -> Found {
        if !self.is_limited_by_key() {
            let Keys { mut ready, last: mut looked_at, all } = self.keys(client, last, wanted);
            if all && ready.len() < wanted {
                let more = self.keys(client, "", wanted - ready.len());
                ready.extend(more.ready.into_iter().take_while(|key| key.as_str() <= last));
                looked_at = None;
            }
            let keys = ready.into_iter().map(|key| (key, wanted)).collect();
            return Found { keys, looked_at };
        }
        // Those whose limit is used up are passed by, a bounded number of them in a claim.
        let first = self.place.keys_after.clone().unwrap_or_else(|| last.to_owned());
        let (mut keys, mut after, mut wrapped) = (Vec::new(), first.clone(), false);
        for _ in 0..LIMITED_ROUNDS {
            let found = self.keys(client, &after, wanted - keys.len());
            let behind = found.ready.last().cloned().or(found.last.clone());
            let mut ready = found.ready;
            if wrapped {
                ready.retain(|key| *key <= first);
            }
            self.open_windows(client, &ready);
            keys.extend(ready.into_iter().filter_map(|key| {
                let left = self.left_of(&key);
                (left > 0).then_some((key, left))
            }));
            if keys.len() >= wanted {
                return Found { keys, looked_at: None };
            }
            match found.last.or(behind).filter(|_| !found.all) {
                Some(key) if wrapped && key > first => return Found { keys, looked_at: None },
                Some(key) => after = key,
                None if wrapped => return Found { keys, looked_at: None },
                None => (after, wrapped) = (String::new(), true),
            }
        }
        Found { keys, looked_at: Some(after) }
    }

    /// What was put into the queue without a key although the policy is fair, by a worker who did not know it yet: among
    /// the others it would wait for as long as there are others.
    pub(super) fn pick_keyless(
        &mut self,
        client: &mut SpiClient<'_>,
        wanted: usize,
    ) -> Vec<Picked> {
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
        let mut picked: Vec<Picked> =
            rows.iter::<7>().filter_map(|row| Picked::read(&row)).collect();
        if self.is_limited_by_key() && !picked.is_empty() {
            let mut places = Array::new(array::TID);
            picked.drain(..).for_each(|row| places.push_bytes(&row.place));
            let by_source = self.policy.turns == Some(TurnsBy::Source);
            let parameters = [
                Some(self.workspace.datum()),
                Some(places.datum()),
                Some(pg_sys::Datum::from(by_source)),
            ];
            SET_KEY.with(|plan| plan.run(client, &parameters));
        }
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
