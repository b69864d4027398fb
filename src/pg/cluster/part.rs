//! The part of the cluster that the session works in at the moment.
//!
//! It begins with the first statement on a shard, and ends with it, or with the (sub)transaction that an error ends. What the
//! statement runs (functions, and the triggers of the shard) works in the part. What a session has learnt outside of it, or in
//! another one, does not hold there: `relation::generation` tells.

// As in `planner`: `begin` and `end` are on the way of everybody's errors, and have no value with a destructor.

use super::names::Names;
use super::places::{self, Key, Lies, Place, Shards};
use super::{carry, rewrite, tell};
use crate::pg::local_settings::{LocalSettings, set_as_superuser};
use crate::pg::relation::{self, MadeOf, generation};
use crate::settings::WORKSPACE_ID_NAME;
use pgrx::pg_sys;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_rel_namespace(relation: pg_sys::Oid) -> pg_sys::Oid;
    fn get_rel_name(relation: pg_sys::Oid) -> *mut c_char;
    fn GetCurrentTransactionNestLevel() -> c_int;
}

/// Those that the session has worked in, by their numbers less one.
struct Part {
    key: Key,
    shards: Shards,
    /// Known once somebody has asked, as long as the shards are these.
    place: Option<Place>,
    made_of: MadeOf,
    /// Tables that are none of the part's.
    others: HashMap<pg_sys::Oid, MadeOf>,
}

thread_local! {
    static PARTS: RefCell<Vec<Part>> = const { RefCell::new(Vec::new()) };
    /// Its number; 0 is none.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
    /// The last one that it worked in.
    static LAST: Cell<u32> = const { Cell::new(0) };
    /// The statement that began it, and how deep in the transaction.
    static BEGUN_BY: Cell<*mut pg_sys::QueryDesc> = const { Cell::new(ptr::null_mut()) };
    static DEPTH: Cell<i32> = const { Cell::new(0) };
    /// Whether the session has been told the workspace that it works in.
    static ENTERED: Cell<bool> = const { Cell::new(false) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static EVERYWHERE: RefCell<Option<(Shards, MadeOf)>> = const { RefCell::new(None) };
    static LIES: RefCell<HashMap<pg_sys::Oid, (Lies, MadeOf)>> = RefCell::default();
    /// Relations that look like shards and are none.
    static NO_SHARDS: RefCell<HashMap<pg_sys::Oid, MadeOf>> = RefCell::default();
}

/// The number of the part that the session works in; 0 where it works in none.
pub(crate) fn current() -> u32 {
    CURRENT.get()
}

/// A statement starts: where it is the first one on a shard, the session works in the shard's part from here on.
///
/// # Safety
/// A statement that is about to start.
pub(in crate::pg) unsafe fn begin(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says; a plan has a list of relations.
    unsafe {
        if !super::is_loaded() || CURRENT.get() != 0 || pg_sys::ParallelWorkerNumber >= 0 {
            return;
        }
        let statement = (*query).plannedstmt;
        if statement.is_null() {
            return;
        }
        let entries = (*statement).rtable;
        for at in 0..pg_sys::list_length(entries) {
            let entry = pg_sys::list_nth(entries, at).cast::<pg_sys::RangeTblEntry>();
            if (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION
                || !looks_like_shard((*entry).relid)
            {
                continue;
            }
            if go_to(learn((*entry).relid), query) {
                return;
            }
        }
    }
}

/// # Safety
/// Called where no value with a destructor is on the way of an error.
pub(super) unsafe fn go_to(part: u32, begun_by: *mut pg_sys::QueryDesc) -> bool {
    if part != 0 {
        rewrite::part_begins(part);
        CURRENT.set(part);
        LAST.set(part);
        BEGUN_BY.set(begun_by);
        DEPTH.set(depth());
    }
    part != 0
}

/// The part that the session works in, and its place among all.
pub(super) fn place() -> Option<(Key, Place)> {
    let at = (CURRENT.get() as usize).checked_sub(1)?;
    let (key, known) =
        PARTS.with_borrow(|parts| parts.get(at).map(|part| (part.key.clone(), part.place)))?;
    let place = known.or_else(|| places::place_of(&key))?;
    PARTS.with_borrow_mut(|parts| {
        if let Some(part) = parts.get_mut(at) {
            part.place = Some(place);
        }
    });
    Some((key, place))
}

/// A statement has ended.
pub(in crate::pg) fn end(query: *mut pg_sys::QueryDesc) {
    if !BEGUN_BY.get().is_null() && BEGUN_BY.get() == query {
        let has_entered = ENTERED.get();
        leave();
        // What is sent next may be of another workspace, or of the one that was chosen where it comes from.
        if has_entered {
            set_as_superuser(WORKSPACE_ID_NAME, c"", true);
        }
    }
}

/// Outside of parts a session that Citus opened runs nothing of Kepler's. That of a client does.
pub(super) fn leave() {
    if CURRENT.replace(0) != 0 && !is_of_citus() {
        rewrite::part_begins(0);
    }
    BEGUN_BY.set(ptr::null_mut());
    ENTERED.set(false);
}

/// While this lives, the session works in a part of its own node, for a call of its own.
pub(super) struct Own {
    _settings: LocalSettings,
}

impl Own {
    /// `shard`: one of the part.
    pub(super) fn begin(shard: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the look-up is guarded; nothing raises an error behind it.
        let has_begun = unsafe { go_to(learn(shard), ptr::null_mut()) };
        // What is written there Citus takes for a change past it.
        has_begun.then(|| Self {
            _settings: LocalSettings::set(&[(c"citus.enable_manual_changes_to_shards", c"on")]),
        })
    }
}

/// Also while an error unwinds.
impl Drop for Own {
    fn drop(&mut self) {
        leave();
    }
}

/// The session has been told the workspace that it works in, as long as it works in the part.
pub(crate) fn enter() {
    watch();
    ENTERED.set(true);
}

/// Whether a call for a workspace may run here: it was sent for it; or it is part of a statement on distributed tables, and Citus
/// has sent that to the workspace's part.
pub(crate) fn is_for(workspace_id: &str) -> bool {
    if !super::is_loaded() || ENTERED.get() {
        return true;
    }
    match CURRENT.get() as usize {
        0 => !is_of_citus() || !is_distributed(),
        at => {
            let key = PARTS.with_borrow(|parts| parts.get(at - 1).map(|part| part.key.clone()));
            key.is_some_and(|key| places::is_of(workspace_id, &key))
        }
    }
}

/// Whether a relation is a shard that a statement of somebody's reads or writes, which Citus has sent here: the session knows
/// nothing of the workspace that was chosen where the statement comes from.
pub(crate) fn is_of_statement(relation: pg_sys::Oid) -> bool {
    // What a worker of a parallel plan reads, the session that started it was asked about.
    // SAFETY: reads a variable.
    let is_parallel = unsafe { pg_sys::ParallelWorkerNumber } >= 0;
    super::is_loaded()
        && !ENTERED.get()
        && !is_parallel
        && is_of_citus()
        && whole(relation) != relation
}

/// Whether a statement on a relation goes to the nodes that its rows lie on. What every node has is read here, and written
/// everywhere.
pub(crate) fn is_elsewhere(relation: pg_sys::Oid, is_written: bool) -> bool {
    current() == 0
        && !is_of_citus()
        && match lies(relation) {
            Lies::Here => false,
            Lies::Distributed => true,
            Lies::Everywhere => is_written,
        }
}

/// Whether Citus opened the session, from another node.
pub(crate) fn is_of_citus() -> bool {
    // SAFETY: a variable: null, or a C string.
    unsafe {
        let name = pg_sys::application_name;
        !name.is_null() && CStr::from_ptr(name).to_bytes().starts_with(b"citus_internal")
    }
}

/// Whether a relation has the schema and the form of the name of a shard of Kepler's.
///
/// # Safety
/// Look-ups in the catalog's caches.
pub(in crate::pg) unsafe fn looks_like_shard(relation: pg_sys::Oid) -> bool {
    // SAFETY: as the caller says; a name is a C string.
    unsafe {
        if !is_in_own_schema(relation) {
            return false;
        }
        let name = get_rel_name(relation);
        if name.is_null() {
            return false;
        }
        let name = CStr::from_ptr(name).to_bytes();
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && digits < name.len() && name[name.len() - digits - 1] == b'_'
    }
}

/// # Safety
/// As above.
pub(in crate::pg) unsafe fn is_in_own_schema(relation: pg_sys::Oid) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        let schema = get_rel_namespace(relation);
        schema != pg_sys::InvalidOid
            && (schema == get_namespace_oid(c"kepler".as_ptr(), true)
                || schema == get_namespace_oid(c"kepler_data".as_ptr(), true))
    }
}

/// The number of the part of a shard; 0 of what is none.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn learn(relation: pg_sys::Oid) -> u32 {
    if !has_catalog() {
        return 0;
    }
    watch();
    // It lies on every node, and says nothing of a part.
    if everywhere(|shards| shards.by_shard.contains_key(&relation)) {
        return 0;
    }
    let known = PARTS.with_borrow(|parts| {
        let holds =
            |part: &Part| part.shards.by_shard.contains_key(&relation) && part.made_of.is_current();
        parts.iter().position(holds)
    });
    if let Some(at) = known {
        return at as u32 + 1;
    }
    if NO_SHARDS.with_borrow(|none| none.get(&relation).is_some_and(MadeOf::is_current)) {
        return 0;
    }
    let at = generation();
    let Some(key) = places::key_of(relation) else {
        let made_of = MadeOf::anywhere(vec![relation], at);
        NO_SHARDS.with_borrow_mut(|none| none.insert(relation, made_of));
        return 0;
    };
    let (shards, made_of) = places::shards_of(&key);
    PARTS.with_borrow_mut(|parts| {
        let part = Part { key, shards, place: None, made_of, others: HashMap::new() };
        match parts.iter().position(|known| known.key == part.key) {
            Some(at) => {
                parts[at] = part;
                at as u32 + 1
            }
            None => {
                parts.push(part);
                parts.len() as u32
            }
        }
    })
}

/// Whether Citus is in this database too, and not in the server alone.
fn has_catalog() -> bool {
    relation::named_exactly(c"pg_catalog", c"pg_dist_partition").is_some()
}

fn everywhere<T>(look: impl FnOnce(&Shards) -> T) -> T {
    if !has_catalog() {
        return look(&Shards::default());
    }
    let is_current =
        EVERYWHERE.with_borrow(|known| known.as_ref().is_some_and(|(_, made)| made.is_current()));
    if !is_current {
        let found = places::references();
        EVERYWHERE.set(Some(found));
    }
    EVERYWHERE.with_borrow(|known| match known {
        Some((shards, _)) => look(shards),
        None => look(&Shards::default()),
    })
}

/// What stands for a table in the part that the session works in: its shard; 0 where it has none there.
///
/// # Safety
/// Called where no value with a destructor is on the way of an error.
pub(in crate::pg) unsafe fn shard_of(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: as the caller says.
    unsafe {
        let part = CURRENT.get();
        if part == 0 || !is_in_own_schema(table) {
            return pg_sys::InvalidOid;
        }
        find_shard(part, table)
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn find_shard(part: u32, table: pg_sys::Oid) -> pg_sys::Oid {
    let at = part as usize - 1;
    let find = || {
        PARTS.with_borrow(|parts| {
            let part = parts.get(at)?;
            if !part.made_of.is_current() {
                return None;
            }
            if let Some(shard) = part.shards.by_table.get(&table) {
                return Some(*shard);
            }
            let is_other = part.others.get(&table).is_some_and(MadeOf::is_current);
            (is_other || part.shards.by_shard.contains_key(&table)).then_some(pg_sys::InvalidOid)
        })
    };
    if let Some(shard) = find() {
        return shard;
    }
    // The part has got another table, or this one is none of its.
    let before = generation();
    let Some(key) = PARTS.with_borrow(|parts| parts.get(at).map(|part| part.key.clone())) else {
        return pg_sys::InvalidOid;
    };
    let (shards, made_of) = places::shards_of(&key);
    PARTS.with_borrow_mut(|parts| {
        let Some(part) = parts.get_mut(at) else { return pg_sys::InvalidOid };
        part.shards = shards;
        part.place = None;
        part.made_of = made_of;
        match part.shards.by_table.get(&table) {
            Some(shard) => *shard,
            None => {
                part.others.insert(table, MadeOf::anywhere(vec![table], before));
                pg_sys::InvalidOid
            }
        }
    })
}

/// What stands here for a relation: in a part the shard of a table or of an index; and of a table that lies on every node the
/// one on this node, in a part or not.
pub(crate) fn here(relation: pg_sys::Oid) -> pg_sys::Oid {
    if !super::is_loaded() || places::is_looking() || !is_distributed() {
        return relation;
    }
    // SAFETY: look-ups; the guard catches what they raise.
    let (kind, table) = unsafe {
        let kind = pg_sys::get_rel_relkind(relation) as u8;
        let is_index = matches!(kind, pg_sys::RELKIND_INDEX | pg_sys::RELKIND_PARTITIONED_INDEX);
        (is_index, if is_index { pg_sys::IndexGetRelation(relation, true) } else { relation })
    };
    let shard = match CURRENT.get() {
        0 => everywhere(|shards| shards.by_table.get(&table).copied()),
        // SAFETY: nothing is on the way but guards.
        part => Some(unsafe { find_shard(part, table) }).filter(|s| *s != pg_sys::InvalidOid),
    };
    match shard {
        None => relation,
        Some(shard) if kind => places::index_of(relation, shard).unwrap_or(relation),
        Some(shard) => shard,
    }
}

/// Whether every node has all rows of a table.
///
/// # Safety
/// As above.
pub(in crate::pg) unsafe fn is_everywhere(table: pg_sys::Oid) -> bool {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn ask(table: pg_sys::Oid) -> bool {
        lies(table) == Lies::Everywhere
    }
    // SAFETY: a table that exists.
    unsafe { ask(table) }
}

/// The table that a shard is of; any other relation is itself.
pub(crate) fn whole(relation: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: look-ups.
    if !super::is_loaded() || places::is_looking() || !unsafe { looks_like_shard(relation) } {
        return relation;
    }
    let in_part = PARTS.with_borrow(|parts| {
        parts.iter().find_map(|part| part.shards.by_shard.get(&relation).copied())
    });
    in_part
        .or_else(|| everywhere(|shards| shards.by_shard.get(&relation).copied()))
        .unwrap_or(relation)
}

/// Whether a relation is a shard of a table of Kepler's, as Citus knows it.
pub(super) fn is_shard(relation: pg_sys::Oid) -> bool {
    // SAFETY: look-ups; the guard of `learn` catches what they raise.
    unsafe {
        looks_like_shard(relation)
            && (everywhere(|shards| shards.by_shard.contains_key(&relation))
                || learn(relation) != 0)
    }
}

/// What the part that the session works in is known by; none where it works in none.
pub(super) fn key() -> Option<Key> {
    let at = (CURRENT.get() as usize).checked_sub(1)?;
    PARTS.with_borrow(|parts| parts.get(at).map(|part| part.key.clone()))
}

/// Looks at the names of shards that the session has worked in; at none where they are being learnt.
pub(super) fn known_names<'t>(look: impl Fn(&Names) -> Cow<'t, str>) -> Cow<'t, str> {
    let told = PARTS.try_with(|parts| {
        let parts = parts.try_borrow().ok()?;
        let part = parts.get((LAST.get() as usize).checked_sub(1)?)?;
        Some(look(&part.shards.names))
    });
    // In no part yet: of the tables that lie on every node there are shards here.
    let everywhere = || {
        let told = EVERYWHERE.try_with(|known| {
            let known = known.try_borrow().ok()?;
            known.as_ref().map(|(shards, _)| look(&shards.names))
        });
        told.ok().flatten()
    };
    told.ok().flatten().or_else(everywhere).unwrap_or_else(|| look(&Names::default()))
}

/// Whether Kepler's tables are distributed.
pub(crate) fn is_distributed() -> bool {
    super::is_loaded()
        && relation::named_exactly(c"kepler", c"parts")
            .is_some_and(|table| lies(table) == Lies::Distributed)
}

/// How the rows of a table lie.
pub(crate) fn lies(table: pg_sys::Oid) -> Lies {
    // SAFETY: look-ups.
    if !super::is_loaded() || places::is_looking() || !unsafe { is_in_own_schema(table) } {
        return Lies::Here;
    }
    let known = LIES.with_borrow(|known| {
        known.get(&table).filter(|(_, made_of)| made_of.is_current()).map(|(lies, _)| *lies)
    });
    if let Some(lies) = known {
        return lies;
    }
    let at = generation();
    if !has_catalog() {
        return Lies::Here;
    }
    let lies = places::look_up(table);
    let made_of = MadeOf::anywhere(vec![table], at);
    LIES.with_borrow_mut(|known| known.insert(table, (lies, made_of)));
    lies
}

/// How deep the current part of the transaction lies.
pub(super) fn depth() -> i32 {
    // SAFETY: reads a variable.
    unsafe { GetCurrentTransactionNestLevel() }
}

/// Ends of (sub)transactions are heard of from now on.
pub(super) fn watch() {
    if !WATCHING.replace(true) {
        // SAFETY: registered once in a session; the functions live as long as the library.
        unsafe {
            pg_sys::RegisterXactCallback(Some(transaction), ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(part_of_transaction), ptr::null_mut());
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn transaction(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::*;
    if matches!(event, XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE) {
        leave();
        carry::forget();
        tell::forget();
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn part_of_transaction(
    event: pg_sys::SubXactEvent::Type,
    _part: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    // The part that ends is still the current one.
    let depth = depth();
    let is_undone = event == SUBXACT_EVENT_ABORT_SUB;
    if is_undone && DEPTH.get() >= depth {
        leave();
    }
    if is_undone || event == SUBXACT_EVENT_COMMIT_SUB {
        tell::part_ends(depth, is_undone);
    }
}
