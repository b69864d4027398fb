//! Locks the stored memories that a batch changes, before it writes any: those that it supersedes, and those under its keys.
//!
//! Whoever changes several memories locks them in the order of their ids, and only then claims keys that are free, in the order of
//! the places (`put_keyed`): so that two calls cannot wait for each other. The ids are compared by their bytes, which is the same in
//! every locale. Where somebody takes a key between the two, the call gives all back and begins anew.

use super::decode::NewMemory;
use super::put::{Batch, reject};
use crate::answer::{Code, Violation};
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

thread_local! {
    // Each way to what is stored under a key, of a user or of none, is one look-up in the index.
    static LOCK: Statement = const { Statement::new(
        c"SELECT m.id, m.superseded_by, m.user_id, m.namespace, CASE WHEN m.valid_to IS NULL THEN m.key END
          FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = ANY (ARRAY(
              SELECT pg_catalog.unnest($2)
              UNION ALL
              SELECT l.id
              FROM (SELECT pg_catalog.unnest($3) AS user_id, pg_catalog.unnest($4) AS namespace,
                           pg_catalog.unnest($5) AS key) AS n
              CROSS JOIN LATERAL (
                  SELECT x.id FROM kepler.memories AS x
                  WHERE x.workspace_id = $1 AND x.user_id = n.user_id AND x.namespace = n.namespace
                      AND x.key = n.key AND x.valid_to IS NULL LIMIT 1) AS l
              UNION ALL
              SELECT l.id
              FROM (SELECT pg_catalog.unnest($3) AS user_id, pg_catalog.unnest($4) AS namespace,
                           pg_catalog.unnest($5) AS key) AS n
              CROSS JOIN LATERAL (
                  SELECT x.id FROM kepler.memories AS x
                  WHERE n.user_id IS NULL AND x.workspace_id = $1 AND x.user_id IS NULL
                      AND x.namespace = n.namespace AND x.key = n.key AND x.valid_to IS NULL LIMIT 1) AS l))
          ORDER BY m.id COLLATE \"C\" FOR NO KEY UPDATE",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID,
        ],
    ) };
}

/// A memory that is locked: by what it is superseded, and whose it is.
type Locked = (Option<String>, Option<String>);

impl Batch<'_> {
    /// Locks what is stored and changes, and rejects the elements whose memory to supersede does not exist. Gives
    /// the elements that come too late for theirs, with the one that was first. Another user's memory counts as missing.
    pub(super) fn lock_stored(
        &mut self,
        client: &mut SpiClient<'_>,
    ) -> Vec<(usize, usize, NewMemory)> {
        let named =
            self.memories.iter().flatten().filter_map(|memory| memory.supersedes.as_deref());
        let ended = Array::texts(named);
        let mut losers = Vec::new();
        if self.is_ordered || ended.count() > 0 {
            let locked = self.lock(client, ended);
            losers = self.take_losers(&locked);
        }
        for (memory, answer) in self.memories.iter_mut().zip(&self.answers) {
            if answer.is_rejected() {
                *memory = None;
            }
        }
        losers
    }

    fn lock(&mut self, client: &mut SpiClient<'_>, mut ended: Array) -> HashMap<String, Locked> {
        let (mut users, mut namespaces) = (Array::new(array::TEXT), Array::new(array::TEXT));
        let mut keys = Array::new(array::TEXT);
        let mut places = HashSet::new();
        for (memory, answer) in self.memories.iter().zip(&self.answers) {
            let memory = memory.as_ref().filter(|_| !answer.is_rejected());
            let Some(place) = memory.and_then(NewMemory::place) else { continue };
            let (user, namespace, key) = place;
            match user {
                Some(user) => users.push_text(user),
                None => users.push_null(),
            }
            namespaces.push_text(namespace);
            keys.push_text(key);
            places.insert(place);
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(ended.datum()),
            Some(users.datum()),
            Some(namespaces.datum()),
            Some(keys.datum()),
        ];
        let rows = LOCK.with(|plan| plan.run(client, &parameters));
        let mut locked = HashMap::new();
        let mut held = Vec::new();
        for row in rows.iter::<5>() {
            let (Some(id), Some(namespace)) = (row.text(0), row.text(3)) else { continue };
            let [by, user] = [1, 2].map(|column| row.text(column).map(str::to_owned));
            if let Some(key) = row.text(4)
                && places.contains(&(row.text(2), namespace, key))
            {
                held.push((id.to_owned(), (user.clone(), namespace.to_owned(), key.to_owned())));
            }
            locked.insert(id.to_owned(), (by, user));
        }
        drop(places);
        for (id, place) in held {
            self.in_the_way.insert(id);
            self.held.insert(place);
        }
        locked
    }

    fn take_losers(&mut self, locked: &HashMap<String, Locked>) -> Vec<(usize, usize, NewMemory)> {
        let mut losers = Vec::new();
        let mut first: HashMap<String, usize> = HashMap::new();
        for at in 0..self.memories.len() {
            let Some(memory) = &self.memories[at] else { continue };
            let Some(old) = memory.supersedes.clone() else { continue };
            let own = locked.get(&old).filter(|(_, user)| *user == memory.user_id);
            let answer = &mut self.answers[at];
            let (code, text) = match own {
                None => ("unknown_memory", format!("\"{old}\" is not a memory of the same user")),
                Some((Some(by), _)) => {
                    ("superseded_already", format!("\"{old}\" is superseded by {by} already"))
                }
                // What is rejected takes nobody's place.
                Some(_) if answer.is_rejected() => continue,
                Some(_) => {
                    match first.get(&old) {
                        Some(&winner) => {
                            let late = self.memories[at].take();
                            losers.extend(late.map(|memory| (at, winner, memory)));
                        }
                        None => {
                            first.insert(old, at);
                        }
                    }
                    continue;
                }
            };
            reject(answer, Violation::new(Some("supersedes"), Code::own(code), text));
        }
        losers
    }
}
