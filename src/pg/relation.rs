//! What Postgres knows of a table, and what a session may keep until that changes.

use super::cluster::part;
use super::isolation::keeps_snapshot;
use crate::ident::qualified;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::hash::Hash;

/// A table as SQL names it, by its oid.
pub(crate) fn table_name(relation: pg_sys::Oid) -> Option<String> {
    // SAFETY: look-ups in the catalog; what they give is a C string, or null if there is no such table.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() {
            return None;
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if schema.is_null() {
            return None;
        }
        let text = |name| CStr::from_ptr(name).to_string_lossy();
        Some(qualified(&text(schema), &text(name)))
    }
}

/// The same with quotes only where SQL needs them, as `format('%I.%I')` gives it.
pub(crate) fn spelled(relation: pg_sys::Oid) -> Option<String> {
    // SAFETY: as above; what is quoted is a C string.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if name.is_null() || schema.is_null() {
            return None;
        }
        let quoted = pg_sys::quote_qualified_identifier(schema, name);
        Some(CStr::from_ptr(quoted).to_string_lossy().into_owned())
    }
}

/// The schema and the name of a table.
pub(crate) fn names(relation: pg_sys::Oid) -> Option<(String, String)> {
    // SAFETY: as above.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        let text = |name| CStr::from_ptr(name).to_string_lossy().into_owned();
        (!name.is_null() && !schema.is_null()).then(|| (text(schema), text(name)))
    }
}

/// What a column of a table is called.
pub(crate) fn column(relation: pg_sys::Oid, number: i16) -> Option<String> {
    // SAFETY: as above.
    unsafe {
        let name = pg_sys::get_attname(relation, number, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// Whether a relation is one of Postgres' own, or of an extension that puts its own beside them.
pub(crate) fn is_of_catalog(relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the catalog's caches.
    unsafe { pg_sys::get_rel_namespace(relation).to_u32() == pg_sys::PG_CATALOG_NAMESPACE }
}

/// The relation of a name, if there is one; what stands for it here, where it is distributed.
pub(crate) fn named(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    named_exactly(schema, name).map(part::here)
}

/// The same, and nothing that stands for it.
pub(crate) fn named_exactly(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: plain look-ups by name; neither raises where nothing is found.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        if namespace == pg_sys::InvalidOid {
            return None;
        }
        let relation = pg_sys::get_relname_relid(name.as_ptr(), namespace);
        (relation != pg_sys::InvalidOid).then_some(relation)
    }
}

/// One of Kepler's own tables.
pub(crate) fn named_own(name: &str) -> Option<pg_sys::Oid> {
    named(c"kepler", &CString::new(name).unwrap_or_default())
}

/// Whether a relation is a table that a role owns, and neither has parts nor children.
pub(crate) fn is_plain_table_of(relation: pg_sys::Oid, owner: pg_sys::Oid) -> bool {
    // SAFETY: as below.
    unsafe {
        let opened = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if opened.is_null() {
            return false;
        }
        let about = &*(*opened).rd_rel;
        let is_table = about.relkind as u8 == pg_sys::RELKIND_RELATION;
        let is_plain = is_table && !about.relhassubclass && about.relowner == owner;
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        is_plain
    }
}

/// Whether a relation, which must exist, is a table with rows of its own, and not the whole of partitions.
pub(crate) fn is_leaf(relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    let kind = unsafe { pg_sys::get_rel_relkind(relation) };
    kind as u8 == pg_sys::RELKIND_RELATION
}

/// Who owns a relation: nobody, if it was dropped since it was looked up, perhaps while its lock was awaited.
pub(crate) fn owner(relation: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: as below; `rd_rel` is there as long as the relation is open.
    unsafe {
        let opened = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if opened.is_null() {
            return pg_sys::InvalidOid;
        }
        let owner = (*(*opened).rd_rel).relowner;
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        owner
    }
}

/// Pages of a table now; what the catalog says is from its last VACUUM or ANALYZE.
pub(crate) fn blocks(relation: pg_sys::Oid) -> i32 {
    // SAFETY: the relation exists, having been looked up in this transaction; should it be dropped
    // meanwhile, Postgres raises.
    unsafe {
        let opened = pg_sys::relation_open(relation, pg_sys::AccessShareLock as i32);
        let blocks =
            pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM);
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        blocks as i32
    }
}

/// Numbers of generations end with the part of a cluster that the session works in. There are fewer parts.
const PARTS: u64 = 1 << 20;

/// Tables are told apart by the rest of their oids: where two share a place, a change of one counts for both.
const PLACES: usize = 1_024;

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    /// The number of the generation that a change of each table began, and of all of them at once.
    static CHANGED: [Cell<u64>; PLACES] = const { [const { Cell::new(0) }; PLACES] };
    static ALL_CHANGED: Cell<u64> = const { Cell::new(0) };
    /// The part of a cluster that the session was last seen in.
    static PART: Cell<u32> = const { Cell::new(0) };
    /// The table that others were last told of, and in which part of a transaction.
    static TOLD: Cell<Option<(pg_sys::TransactionId, pg_sys::SubTransactionId, pg_sys::Oid)>> =
        const { Cell::new(None) };
}

fn place(relation: pg_sys::Oid) -> usize {
    relation.to_u32() as usize % PLACES
}

/// Postgres calls this whenever it forgets what it knew of a table, or of all of them; also where a change is rolled
/// back that was known to this session alone.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let next = GENERATION.get() + 1;
    GENERATION.set(next);
    let number = next * PARTS;
    if relation == pg_sys::InvalidOid {
        ALL_CHANGED.set(number);
    } else {
        CHANGED.with(|changed| changed[place(relation)].set(number));
    }
}

/// Has this session, and with the end of the transaction all others, forget what was made of a table.
pub(crate) fn tell(relation: pg_sys::Oid) {
    // The first change that a session hears of must not keep it from listening to others.
    generation();
    // SAFETY: the table exists, being the one that a trigger fires for.
    unsafe {
        // Others are told at the commit, and once is enough: a message for each of many rows would overrun them.
        let part =
            (pg_sys::GetTopTransactionIdIfAny(), pg_sys::GetCurrentSubTransactionId(), relation);
        if TOLD.replace(Some(part)) != Some(part) {
            pg_sys::CacheInvalidateRelcacheByRelid(relation);
        }
        // Postgres tells the session itself with the next command; a trigger of the same one may read before.
        forget(pg_sys::Datum::null(), relation);
    }
}

/// Whether a table's triggers tell all sessions of its changes, on replicas too. Somebody may have disabled them, and
/// a restore of data enables them for originals alone.
pub(crate) fn tells_sessions(relation: pg_sys::Oid) -> bool {
    // SAFETY: the description of a table that is open is valid until it is closed; names are C strings.
    unsafe {
        let table = pg_sys::RelationIdGetRelation(relation);
        if table.is_null() {
            return false;
        }
        let (mut tells, mut always) = (false, true);
        if let Some(description) = (*table).trigdesc.as_ref() {
            for at in 0..usize::try_from(description.numtriggers).unwrap_or(0) {
                let trigger = &*description.triggers.add(at);
                if CStr::from_ptr(trigger.tgname).to_bytes().starts_with(b"announce") {
                    tells = true;
                    always &= trigger.tgenabled as u8 == pg_sys::TRIGGER_FIRES_ALWAYS;
                }
            }
        }
        pg_sys::RelationClose(table);
        tells && always
    }
}

/// And this when a schema gets another name.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn forget_schemas(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    GENERATION.set(GENERATION.get() + 1);
    ALL_CHANGED.set(GENERATION.get() * PARTS);
}

/// Or a type another name or schema.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn forget_types(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    GENERATION.set(GENERATION.get() + 1);
}

/// What was made of a few tables, as long as nothing about them, and no name of a schema, has changed since.
pub(crate) struct MadeOf {
    relations: Vec<pg_sys::Oid>,
    at: u64,
    /// Whether it holds in all parts of a cluster.
    is_anywhere: bool,
}

impl MadeOf {
    /// `at`: the [`generation`] before they were looked at.
    pub(crate) fn tables(relations: Vec<pg_sys::Oid>, at: u64) -> Self {
        Self { relations, at, is_anywhere: false }
    }

    /// The same of what does not depend on the part of a cluster that the session works in.
    pub(crate) fn anywhere(relations: Vec<pg_sys::Oid>, at: u64) -> Self {
        Self { relations, at, is_anywhere: true }
    }

    pub(crate) fn relations(&self) -> &[pg_sys::Oid] {
        &self.relations
    }

    pub(crate) fn is_current(&self) -> bool {
        generation();
        self.was_current()
    }

    /// Whether they were when the session last asked for the [`generation`].
    pub(crate) fn was_current(&self) -> bool {
        let changed = |relation: &pg_sys::Oid| {
            CHANGED.with(|changed| changed[place(*relation)].get()) > self.at
        };
        ALL_CHANGED.get() <= self.at
            && (self.is_anywhere || part_of(self.at) == u64::from(PART.get()))
            && !self.relations.iter().any(changed)
    }
}

/// What a session has made of the catalog, by a key; so many at most.
pub(crate) struct UntilChanged<K, V>(RefCell<HashMap<(u64, K), (u64, V)>>);

const MAX_KNOWN: usize = 1_024;

impl<K, V> Default for UntilChanged<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> UntilChanged<K, V> {
    /// What is known, or what is looked up now, as long as nothing about any table, type or schema has changed.
    pub(crate) fn find<E>(&self, key: K, look_up: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        // What a transaction finds that keeps to an older snapshot is not kept.
        if keeps_snapshot() {
            return look_up(&key);
        }
        let generation = generation();
        // Each part of a cluster has its own.
        let key = (part_of(generation), key);
        if let Some((at, value)) = self.0.borrow().get(&key)
            && *at == generation
        {
            return Ok(value.clone());
        }
        let value = look_up(&key.1)?;
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, (generation, value.clone()));
        Ok(value)
    }
}

/// A number that is another one as soon as anything about any table, type or schema has changed, here or in another
/// session: what was made of the catalog at a number holds as long as it is the number.
pub(crate) fn generation() -> u64 {
    if GENERATION.get() == 0 {
        GENERATION.set(1);
        let none = pg_sys::Datum::null();
        let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID;
        let types = pg_sys::SysCacheIdentifier::TYPEOID;
        // SAFETY: registered once in a session; the functions live as long as the library.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(forget), none);
            pg_sys::CacheRegisterSyscacheCallback(schemas as i32, Some(forget_schemas), none);
            pg_sys::CacheRegisterSyscacheCallback(types as i32, Some(forget_types), none);
        }
    }
    // A transaction hears of what others have done when it takes a lock. One that has not taken any yet asks here.
    // SAFETY: what Postgres does at each lock.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    PART.set(part::current());
    last_generation()
}

/// The part that the session worked in at a generation: what was made of its tables does not hold in another one, and holds
/// again where the session comes back.
pub(super) fn part_of(generation: u64) -> u64 {
    generation % PARTS
}

/// The same where no Rust frame with a destructor is on the way of an error; none where the session has never asked before.
pub(super) fn generation_unguarded() -> Option<u64> {
    unsafe extern "C-unwind" {
        fn AcceptInvalidationMessages();
    }
    if GENERATION.get() == 0 {
        return None;
    }
    // SAFETY: as above.
    unsafe { AcceptInvalidationMessages() };
    PART.set(part::current());
    Some(last_generation())
}

/// What the [`generation`] was when the session last asked.
pub(crate) fn last_generation() -> u64 {
    GENERATION.get() * PARTS + u64::from(PART.get())
}
