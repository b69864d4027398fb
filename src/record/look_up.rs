//! Finds what is stored under a batch of external ids, or locks it.

use super::decide::Stored;
use crate::pg::array::{self, Array};
use crate::pg::plan::{Statement, sql};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use pgrx::spi::SpiClient;
use pgrx::{PgMemoryContexts, pg_sys};

/// A stored record as a look-up finds it.
pub(crate) struct Found<'r> {
    pub(crate) id: &'r str,
    pub(crate) state: Stored,
    /// The bytes of the data behind the length word, where they were asked for.
    pub(crate) data: Option<&'r [u8]>,
}

/// Whether a look-up reads or locks, and whether it brings the data along.
#[derive(Clone, Copy)]
pub(crate) struct LookUp {
    pub(crate) lock: bool,
    pub(crate) data: bool,
}

/// One descent of the index for each id, in the order of the ids: `LIMIT 1` leaves the planner no
/// other way. Locks are taken in that order.
macro_rules! one_by_one {
    ($columns:literal, $lock:literal) => {
        concat!(
            "SELECT r.external_id, r.id, r.content_hash, r.source_digest,
                    r.source_updated_at, r.deleted",
            $columns,
            " FROM (SELECT pg_catalog.unnest($3) AS external_id) AS k
              CROSS JOIN LATERAL (
                  SELECT r.external_id, r.id, r.content_hash, r.source_digest,
                         r.source_updated_at, r.deleted_at IS NOT NULL AS deleted, r.data,
                         r.enrichment_status = 'FAILED'::kepler.record_enrichment_status AS failed
                  FROM kepler.records AS r
                  WHERE r.workspace_id = $1 AND r.entity_id = $2
                    AND r.external_id = k.external_id
                  LIMIT 1 ",
            $lock,
            ") AS r\0"
        )
    };
}

/// All ids in one scan of the index. From Postgres 17 on it descends anew only where the next id is
/// not on the same page: four times as fast for ids that lie together, and no slower for others.
/// Before, the planner may take the ids for a filter, and read the whole entity.
#[cfg(not(feature = "pg16"))]
macro_rules! all_at_once {
    ($columns:literal) => {
        concat!(
            "SELECT r.external_id, r.id, r.content_hash, r.source_digest,
                    r.source_updated_at, r.deleted_at IS NOT NULL",
            $columns,
            " FROM kepler.records AS r
              WHERE r.workspace_id = $1 AND r.entity_id = $2 AND r.external_id = ANY ($3)\0"
        )
    };
}

#[cfg(feature = "pg16")]
macro_rules! all_at_once {
    ($columns:literal) => {
        one_by_one!($columns, "")
    };
}

const TYPES: &[pg_sys::Oid] = &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID];

thread_local! {
    static READ: Statement = const { Statement::new(sql(all_at_once!("")), TYPES) };
    static READ_DATA: Statement = const { Statement::new(sql(all_at_once!(", r.data")), TYPES) };
    static LOCK: Statement =
        const { Statement::new(sql(one_by_one!(", r.failed", "FOR NO KEY UPDATE")), TYPES) };
    static LOCK_DATA: Statement =
        const { Statement::new(sql(one_by_one!(", r.failed, r.data", "FOR NO KEY UPDATE")), TYPES) };
}

/// Looks `external_ids` up, which are sorted by bytes.
pub(crate) fn look_up<'conn>(
    client: &mut SpiClient<'conn>,
    workspace_id: &Text,
    entity_id: &Text,
    external_ids: &[&str],
    how: LookUp,
) -> LookedUp<'conn> {
    let mut ids = Array::new(array::TEXT);
    for id in external_ids {
        ids.push_text(id);
    }
    let parameters = [Some(workspace_id.datum()), Some(entity_id.datum()), Some(ids.datum())];
    let statement = match (how.lock, how.data) {
        (false, false) => &READ,
        (false, true) => &READ_DATA,
        (true, false) => &LOCK,
        (true, true) => &LOCK_DATA,
    };
    LookedUp {
        rows: statement.with(|statement| statement.run(client, &parameters)),
        how,
        memory: PgMemoryContexts::new("kepler look-up"),
    }
}

/// The rows of a look-up. What had to be decompressed goes with it: many look-ups share a connection,
/// and would keep it all to the end.
pub(crate) struct LookedUp<'conn> {
    rows: Rows<'conn>,
    how: LookUp,
    memory: PgMemoryContexts,
}

impl LookedUp<'_> {
    /// What is stored under each of the external ids that were looked up.
    pub(crate) fn found(&mut self, external_ids: &[&str]) -> Vec<Option<Found<'_>>> {
        let (rows, how) = (&self.rows, self.how);
        // SAFETY: what is made there is borrowed from `self`, which owns the memory.
        unsafe {
            self.memory.switch_to(|_| match (how.lock, how.data) {
                (false, false) => place::<6>(rows, external_ids, how),
                (false, true) | (true, false) => place::<7>(rows, external_ids, how),
                (true, true) => place::<8>(rows, external_ids, how),
            })
        }
    }
}

/// Puts each row where its external id stands. They come in that order as a rule, and the answer
/// must be right if they do not.
fn place<'r, const N: usize>(
    rows: &'r Rows<'_>,
    external_ids: &[&str],
    how: LookUp,
) -> Vec<Option<Found<'r>>> {
    let mut places: Vec<Option<Found<'r>>> = Vec::new();
    places.resize_with(external_ids.len(), || None);
    let mut next = 0;
    for row in rows.iter::<N>() {
        let Some(external_id) = row.text(0) else { continue };
        while external_ids.get(next).is_some_and(|&id| id < external_id) {
            next += 1;
        }
        let at = if external_ids.get(next) == Some(&external_id) {
            Some(next)
        } else {
            external_ids.binary_search(&external_id).ok()
        };
        let found = || {
            Some(Found {
                id: row.text(1)?,
                state: Stored {
                    content_hash: row.uuid(2)?,
                    source_digest: row.uuid(3),
                    source_updated_at: row.time(4),
                    deleted: row.boolean(5)?,
                    failed: how.lock && row.boolean(6) == Some(true),
                },
                data: if how.data { row.jsonb(N - 1) } else { None },
            })
        };
        if let Some(at) = at {
            places[at] = found();
        }
    }
    places
}
