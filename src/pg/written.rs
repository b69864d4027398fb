//! What a session has read of small tables that change rarely, until anybody writes to them.
//!
//! A trigger on such a table tells all sessions of each change as Postgres tells of a change of a table's definition: to
//! this session at once, to the others when the change is committed and before its locks are released, and once more
//! where it is rolled back. The trigger fires whatever `session_replication_role` says.

use super::cluster::moved;
use super::row_security::{self, Seen};
use super::{relation, standpoint, trigger, undone};
use crate::pg::isolation::keeps_snapshot;
use crate::pg::relation::MadeOf;
use crate::pg::trigger::Nothing;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::hash::Hash;

/// A session knows so many things of a kind.
const MAX_KNOWN: usize = 1_000;

/// The tables that have the trigger.
const TABLES: [&CStr; 10] = [
    c"entities",
    c"enrichment_policies",
    c"workspaces",
    c"embedding_spaces",
    c"sync_runs",
    c"structures",
    c"entry_tables",
    c"blueprint_versions",
    c"access_levels",
    c"workspace_members",
];

/// What was read, and the moment: a row that this transaction has made is gone where it is rolled back.
struct Known<V> {
    made_of: MadeOf,
    moment: u64,
    value: V,
    /// The standpoint at which the tables were found to show the workspace, and why.
    seen: Cell<Option<(u64, Seen)>>,
}

/// What was read, by the part of a cluster that it was read in, and a key.
pub(crate) struct UntilWritten<K, V> {
    tables: &'static [&'static CStr],
    known: RefCell<HashMap<(u64, K), Known<V>>>,
}

impl<K: Eq + Hash, V: Clone> UntilWritten<K, V> {
    /// `tables`: all that is read to find a value; each is one of `TABLES`.
    pub(crate) fn of(tables: &'static [&'static CStr]) -> Self {
        Self { tables, known: RefCell::default() }
    }

    /// What is known, or what is looked up now. That nothing is there is not kept.
    ///
    /// What is found is read from rows of one workspace, or from tables whose rows belong to none. A transaction that keeps
    /// to an older snapshot, and a role that may not read all of the workspace, look up each time.
    pub(crate) fn find<E>(
        &self,
        workspace_id: Option<&str>,
        key: K,
        look_up: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Option<V>, E> {
        if keeps_snapshot() {
            return look_up(&key);
        }
        // Before the look-up takes its snapshot: what is committed after it is heard of after it.
        let (standpoint, at) = (standpoint::number(), relation::last_generation());
        let key = (relation::part_of(at), key);
        {
            let known = self.known.borrow();
            if let Some(found) = known.get(&key)
                && undone::holds(found.moment)
                && found.made_of.was_current()
            {
                let seen = match found.seen.get() {
                    Some((at, seen)) if at == standpoint => Some(seen),
                    _ => row_security::seen(found.made_of.relations()),
                };
                found.seen.set(seen.map(|seen| (standpoint, seen)));
                if seen.is_some_and(|seen| seen.shows(workspace_id)) {
                    return Ok(Some(found.value.clone()));
                }
            }
        }
        let moment = undone::moment();
        let found = look_up(&key.1)?;
        let Some(value) = &found else { return Ok(None) };
        let tables: Vec<_> =
            self.tables.iter().filter_map(|table| relation::named(c"kepler", table)).collect();
        let is_told = || tables.iter().all(|table| relation::tells_sessions(*table));
        let is_seen = || row_security::seen(&tables).is_some_and(|seen| seen.shows(workspace_id));
        if tables.len() == self.tables.len() && is_told() && is_seen() {
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_KNOWN && !known.contains_key(&key) {
                known.clear();
            }
            let made_of = MadeOf::tables(tables, at);
            let seen = Cell::new(None);
            known.insert(key, Known { made_of, moment, value: value.clone(), seen });
        }
        Ok(found)
    }

    pub(crate) fn forget(&self, key: K) {
        self.known.borrow_mut().remove(&(relation::part_of(relation::generation()), key));
    }
}

/// A row was changed that sessions may have read.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.tell_sessions() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn tell_sessions(trigger: &PgTrigger<'_>) -> Nothing {
    // Nobody has read of a shard that is not here yet.
    if trigger.relid().is_ok_and(moved::is_on_its_way) {
        return Ok(None);
    }
    for table in TABLES {
        let relation = relation::named(c"kepler", table);
        if let Some(relation) = relation.filter(|_| trigger.relid().ok() == relation) {
            relation::tell(relation);
            return Ok(None);
        }
    }
    trigger::require_table(trigger, TABLES[0]);
    Ok(None)
}
