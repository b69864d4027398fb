//! Which shards make up a part, as the catalog of Citus has it.
//!
//! What is found is kept until anything about one of the tables changes: Citus tells of a change of its own catalog as of
//! a change of the table.

use super::names::Names;
use crate::pg::plan::Statement;
use crate::pg::relation::{self, MadeOf, generation};
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use xxhash_rust::xxh3::xxh3_64;

thread_local! {
    /// Whether Citus' catalog is being read: meanwhile every table is where it is.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
    static SHARD: Statement = const { Statement::new(
        c"SELECT s.logicalrelid::pg_catalog.oid, p.colocationid, s.shardminvalue
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_partition AS p ON p.logicalrelid = s.logicalrelid
          WHERE s.shardid = $1 AND p.partmethod = 'h'",
        &[pg_sys::INT8OID],
    ) };
    static SHARDS: Statement = const { Statement::new(
        c"SELECT s.logicalrelid::pg_catalog.oid, s.shardid
          FROM pg_catalog.pg_dist_partition AS p
          JOIN pg_catalog.pg_dist_shard AS s ON s.logicalrelid = p.logicalrelid
          WHERE p.partmethod = 'h' AND p.colocationid = $1 AND s.shardminvalue = $2",
        &[pg_sys::INT4OID, pg_sys::TEXTOID],
    ) };
    static REFERENCES: Statement = const { Statement::new(
        c"SELECT s.logicalrelid::pg_catalog.oid, s.shardid
          FROM pg_catalog.pg_dist_partition AS p
          JOIN pg_catalog.pg_dist_shard AS s ON s.logicalrelid = p.logicalrelid
          WHERE p.partmethod = 'n' AND p.repmodel = 't'",
        &[],
    ) };
    static PLACE: Statement = const { Statement::new(
        c"SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_dist_shard AS b
                  WHERE b.logicalrelid = s.logicalrelid AND b.shardminvalue::integer < s.shardminvalue::integer), s.shardid
          FROM pg_catalog.pg_dist_shard AS s
          WHERE s.logicalrelid = 'kepler.parts'::pg_catalog.regclass AND s.shardminvalue = $1",
        &[pg_sys::TEXTOID],
    ) };
    static IS_HERE: Statement = const { Statement::new(
        c"SELECT p.groupid = (SELECT l.groupid FROM pg_catalog.pg_dist_local_group AS l LIMIT 1)
          FROM pg_catalog.pg_dist_placement AS p WHERE p.shardid = $1",
        &[pg_sys::INT8OID],
    ) };
    /// No part is on this node.
    static NONE_HERE: RefCell<Option<MadeOf>> = const { RefCell::new(None) };
    static SHARD_HERE: Statement = const { Statement::new(
        c"SELECT pg_catalog.max(s.shardid) FILTER (WHERE s.shardid
                  = pg_catalog.get_shard_id_for_distribution_column('kepler.parts'::pg_catalog.regclass, $1)),
              pg_catalog.count(*)
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
          JOIN pg_catalog.pg_dist_local_group AS l ON l.groupid = p.groupid
          WHERE s.logicalrelid = 'kepler.parts'::pg_catalog.regclass",
        &[pg_sys::TEXTOID],
    ) };
    static LIES_HERE: Statement = const { Statement::new(
        c"SELECT p.groupid = (SELECT l.groupid FROM pg_catalog.pg_dist_local_group AS l LIMIT 1)
          FROM pg_catalog.pg_dist_placement AS p
          WHERE p.shardid = pg_catalog.get_shard_id_for_distribution_column('kepler.parts'::pg_catalog.regclass, $1)",
        &[pg_sys::TEXTOID],
    ) };
    static SHARD_OF: Statement = const { Statement::new(
        c"SELECT pg_catalog.get_shard_id_for_distribution_column('kepler.parts'::pg_catalog.regclass, $1)",
        &[pg_sys::TEXTOID],
    ) };
    static PARTS: Statement = const { Statement::new(
        c"SELECT s.shardminvalue::integer, p.colocationid
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_partition AS p ON p.logicalrelid = s.logicalrelid
          WHERE s.logicalrelid = 'kepler.parts'::pg_catalog.regclass ORDER BY 1",
        &[],
    ) };
    static STAY: Statement = const { Statement::new(
        c"SELECT p.placementid, p.xmin::text::pg_catalog.int8
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
          WHERE s.logicalrelid = 'kepler.parts'::pg_catalog.regclass AND s.shardminvalue = $1",
        &[pg_sys::TEXTOID],
    ) };
    static OWN_GROUP: Statement = const { Statement::new(
        c"SELECT pg_catalog.min(l.groupid) FROM pg_catalog.pg_dist_local_group AS l",
        &[],
    ) };
    static METHOD: Statement = const { Statement::new(
        c"SELECT p.partmethod::text, p.repmodel::text FROM pg_catalog.pg_dist_partition AS p
          WHERE p.logicalrelid::pg_catalog.oid = $1",
        &[pg_sys::OIDOID],
    ) };
}

/// While this lives, Citus' catalog is being read.
struct Looking(bool);

impl Looking {
    fn begin() -> Self {
        Self(LOOKING.replace(true))
    }
}

/// Also while an error unwinds.
impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.set(self.0);
    }
}

pub(super) fn is_looking() -> bool {
    LOOKING.get()
}

/// Of which rows a shard is, beside those of other tables that lie with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) colocation: i32,
    pub(super) lowest: String,
}

/// Tables and their shards on this node.
#[derive(Default)]
pub(super) struct Shards {
    pub(super) by_table: HashMap<pg_sys::Oid, pg_sys::Oid>,
    pub(super) by_shard: HashMap<pg_sys::Oid, pg_sys::Oid>,
    pub(super) names: Names,
}

impl Shards {
    fn add(&mut self, table: pg_sys::Oid, shard_id: i64) {
        if let Some(shard) = named_after(table, shard_id) {
            self.by_table.insert(table, shard);
            self.by_shard.insert(shard, table);
            if let Some((_, name)) = relation::names(shard) {
                self.names.add(name, shard_id);
            }
        }
    }

    pub(super) fn all(&self) -> Vec<pg_sys::Oid> {
        self.by_table.iter().flat_map(|(table, shard)| [*table, *shard]).collect()
    }
}

/// The number at the end of a shard's name, if it looks like one.
fn number(name: &str) -> Option<(&str, i64)> {
    let (table, number) = name.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((table, is_number.then(|| number.parse().ok())??))
}

/// The relation that stands for another one in a shard: of a table its shard, of an index that of the shard.
fn named_after(relation: pg_sys::Oid, shard_id: i64) -> Option<pg_sys::Oid> {
    let (schema, name) = relation::names(relation)?;
    let name = CString::new(format!("{name}_{shard_id}")).ok()?;
    relation::named_exactly(&CString::new(schema).ok()?, &name)
}

/// What of an index stands for it in the shard of its table.
pub(super) fn index_of(index: pg_sys::Oid, shard: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let (_, name) = relation::names(shard)?;
    named_after(index, number(&name)?.1)
}

/// The key of a shard of a distributed table; none of what is no such shard.
pub(super) fn key_of(relation: pg_sys::Oid) -> Option<Key> {
    let (schema, name) = relation::names(relation)?;
    let (of, shard_id) = number(&name)?;
    let _looking = Looking::begin();
    let (table, key) = Spi::connect_mut(|client| {
        let rows = SHARD.with(|plan| plan.run_in_snapshot(client, &[Some(shard_id.into())]));
        let row = rows.iter::<3>().next()?;
        let key = Key { colocation: row.integer(1)?, lowest: row.text(2)?.to_owned() };
        Some((row.oid(0)?, key))
    })?;
    (relation::names(table)? == (schema, of.to_owned())).then_some(key)
}

/// The shards of a part that are here, and the tables of which every node has all rows.
pub(super) fn shards_of(key: &Key) -> (Shards, MadeOf) {
    let _looking = Looking::begin();
    let at = generation();
    let mut shards = references().0;
    let lowest = crate::pg::varlena::Text::new(&key.lowest);
    let found: Vec<(pg_sys::Oid, i64)> = Spi::connect_mut(|client| {
        let parameters = [Some(key.colocation.into()), Some(lowest.datum())];
        let rows = SHARDS.with(|plan| plan.run_in_snapshot(client, &parameters));
        rows.iter::<2>().filter_map(|row| Some((row.oid(0)?, row.bigint(1)?))).collect()
    });
    for (table, shard_id) in found {
        shards.add(table, shard_id);
    }
    let made_of = MadeOf::anywhere(shards.all(), at);
    (shards, made_of)
}

/// The tables of which every node has all rows, and where they lie here.
pub(super) fn references() -> (Shards, MadeOf) {
    let _looking = Looking::begin();
    let at = generation();
    let mut shards = Shards::default();
    let found: Vec<(pg_sys::Oid, i64)> = Spi::connect_mut(|client| {
        let rows = REFERENCES.with(|plan| plan.run_in_snapshot(client, &[]));
        rows.iter::<2>().filter_map(|row| Some((row.oid(0)?, row.bigint(1)?))).collect()
    });
    for (table, shard_id) in found {
        shards.add(table, shard_id);
    }
    let made_of = MadeOf::anywhere(shards.all(), at);
    (shards, made_of)
}

/// The place of a part among all.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) number: i64,
    /// Its shard of `kepler.parts`.
    shard_id: i64,
}

/// The place of a part among all, as long as its shards are what they are.
pub(super) fn place_of(key: &Key) -> Option<Place> {
    let _looking = Looking::begin();
    let lowest = crate::pg::varlena::Text::new(&key.lowest);
    Spi::connect_mut(|client| {
        let rows = PLACE.with(|plan| plan.run_latest(client, &[Some(lowest.datum())]));
        let row = rows.iter::<2>().next()?;
        Some(Place { number: row.bigint(0)?, shard_id: row.bigint(1)? })
    })
}

/// Whether a part is on this node at this moment.
pub(super) fn is_here(place: Place) -> bool {
    let _looking = Looking::begin();
    Spi::connect_mut(|client| {
        let rows = IS_HERE.with(|plan| plan.run_latest(client, &[Some(place.shard_id.into())]));
        rows.iter::<1>().next().and_then(|row| row.boolean(0)) == Some(true)
    })
}

/// A shard of the part of a workspace, if the part is on this node at this moment. Where no part is, that is known as long as Citus
/// tells of no change.
pub(super) fn shard_here(workspace_id: &str) -> Option<pg_sys::Oid> {
    if NONE_HERE.with_borrow(|none| none.as_ref().is_some_and(MadeOf::is_current)) {
        return None;
    }
    let table = relation::named_exactly(c"kepler", c"parts")?;
    let _looking = Looking::begin();
    let at = generation();
    let id = crate::pg::varlena::Text::new(workspace_id);
    let (shard_id, count) = Spi::connect_mut(|client| {
        let rows = SHARD_HERE.with(|plan| plan.run_latest(client, &[Some(id.datum())]));
        let row = rows.iter::<2>().next();
        (row.as_ref().and_then(|row| row.bigint(0)), row.and_then(|row| row.bigint(1)))
    });
    if count == Some(0) {
        NONE_HERE.set(Some(MadeOf::anywhere(vec![table], at)));
    }
    named_after(table, shard_id?)
}

/// Whether the part of a workspace is on this node at this moment.
pub(super) fn lies_here(workspace_id: &str) -> bool {
    let _looking = Looking::begin();
    let id = crate::pg::varlena::Text::new(workspace_id);
    Spi::connect_mut(|client| {
        let rows = LIES_HERE.with(|plan| plan.run_latest(client, &[Some(id.datum())]));
        rows.iter::<1>().next().and_then(|row| row.boolean(0)) == Some(true)
    })
}

/// The group of this node in Citus' list; none where there is no cluster.
pub(super) fn own_group() -> Option<i32> {
    relation::named_exactly(c"pg_catalog", c"pg_dist_local_group")?;
    let _looking = Looking::begin();
    Spi::connect_mut(|client| {
        let rows = OWN_GROUP.with(|plan| plan.run_latest(client, &[]));
        rows.iter::<1>().next().and_then(|row| row.integer(0))
    })
}

/// Whether a workspace lies in a part.
pub(super) fn is_of(workspace_id: &str, key: &Key) -> bool {
    let Some(place) = place_of(key) else { return false };
    let _looking = Looking::begin();
    let id = crate::pg::varlena::Text::new(workspace_id);
    Spi::connect_mut(|client| {
        let rows = SHARD_OF.with(|plan| plan.run_latest(client, &[Some(id.datum())]));
        rows.iter::<1>().next().and_then(|row| row.bigint(0)) == Some(place.shard_id)
    })
}

/// Where the hashes of all parts begin, in their order, and how Citus calls what lies together.
pub(super) fn parts() -> Option<(Vec<i32>, i32, MadeOf)> {
    let table = relation::named_exactly(c"kepler", c"parts")?;
    let _looking = Looking::begin();
    let at = generation();
    Spi::connect_mut(|client| {
        let rows = PARTS.with(|plan| plan.run_latest(client, &[]));
        let colocation = rows.iter::<2>().next()?.integer(1)?;
        let begin = rows.iter::<2>().filter_map(|row| row.integer(0)).collect();
        Some((begin, colocation, MadeOf::anywhere(vec![table], at)))
    })
}

/// Which stay of a part on this node it is. A part that has moved, also away and back, has another row in this node's catalog of
/// Citus, written by another transaction.
pub(super) fn stay_of(key: &Key) -> Option<u64> {
    let _looking = Looking::begin();
    let lowest = crate::pg::varlena::Text::new(&key.lowest);
    Spi::connect_mut(|client| {
        let rows = STAY.with(|plan| plan.run_latest(client, &[Some(lowest.datum())]));
        let row = rows.iter::<2>().next()?;
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&row.bigint(0)?.to_be_bytes());
        bytes[8..].copy_from_slice(&row.bigint(1)?.to_be_bytes());
        Some(xxh3_64(&bytes))
    })
}

/// How the rows of a table lie in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// Here, as a table of Postgres: Citus knows nothing of it.
    Here,
    /// In shards, by workspace.
    Distributed,
    /// On every node.
    Everywhere,
}

/// How the rows of a table lie, asked anew.
pub(super) fn look_up(table: pg_sys::Oid) -> Lies {
    let _looking = Looking::begin();
    Spi::connect_mut(|client| {
        let rows = METHOD.with(|plan| plan.run_in_snapshot(client, &[Some(table.into())]));
        let Some(row) = rows.iter::<2>().next() else { return Lies::Here };
        match (row.text(0), row.text(1)) {
            (Some("h"), _) => Lies::Distributed,
            (Some("n"), Some("t")) => Lies::Everywhere,
            _ => Lies::Here,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_told_by_the_number_at_its_end() {
        assert_eq!(number("records_102034"), Some(("records", 102_034)));
        assert_eq!(number("a_b_7"), Some(("a_b", 7)));
        for name in ["records", "records_", "records_1a", "feed_default", "7"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
