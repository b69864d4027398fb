//! The statements that write records, a batch at a time.
//!
//! Each takes arrays, a column each, in the byte order of external ids, which is the order in which
//! rows are inserted and locked: two sessions with overlapping batches wait for each other, and never
//! in a circle.

use super::look_up::{LookUp, LookedUp, look_up};
use crate::enrichment::failures;
use crate::pg::array::{self, Array};
use crate::pg::plan::{Statement, sql};
use crate::pg::rows::Rows;
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::Text;
use pgrx::spi::SpiClient;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::ffi::CStr;

const TOUCH_TYPES: &[pg_sys::Oid] =
    &[pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZARRAYOID];

const INSERT_TYPES: &[pg_sys::Oid] = &[
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::JSONBARRAYOID,
    pg_sys::UUIDARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
];

macro_rules! insert {
    ($conflict:literal) => {
        concat!(
            "INSERT INTO kepler.records AS r
                 (workspace_id, entity_id, entity_type, source, created_at, updated_at,
                  id, external_id, data, source_digest, source_updated_at, deleted_at)
             SELECT $1, $2, $3, $4, $5, $5, pg_catalog.unnest($6), pg_catalog.unnest($7),
                    pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10),
                    pg_catalog.unnest($11) ",
            $conflict,
            " RETURNING r.id, r.content_hash\0"
        )
    };
}

/// What an external id is unique by.
const KEY: &str = "records_entity_id_external_id_key";
/// What has the same value in all rows that are inserted.
const CONSTANT: &[&CStr] = &[c"workspace_id", c"entity_id", c"entity_type", c"source"];

/// How records are inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insert {
    /// What is there already is left alone.
    Missing,
    /// An error where one is there already, and 2 µs a record less than to ask for each.
    New,
    /// As `New`, and without looking for the entity. The caller inserts one more record by `New` afterwards.
    NewUnchecked,
}

thread_local! {
    static HAS_ENTITY: Statement = const { Statement::new(
        c"SELECT 1 FROM kepler.entities AS e WHERE e.workspace_id = $1 AND e.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static INSERT: Statement = const { Statement::new(sql(insert!("")), INSERT_TYPES) };
    static INSERT_MISSING: Statement = const { Statement::new(
        sql(insert!("ON CONFLICT (workspace_id, entity_id, external_id) DO NOTHING")),
        INSERT_TYPES,
    ) };
    // The rows are locked; by id and not by place, since a user's trigger may move them even so.
    static CHANGE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET data = n.data, source_digest = n.source_digest,
              source_updated_at = n.source_updated_at, deleted_at = n.deleted_at,
              updated_at = $1,
              enrichment_status = CASE
                  WHEN r.enrichment_status
                       IN ('APPLIED'::kepler.record_enrichment_status,
                           'FAILED'::kepler.record_enrichment_status)
                       OR n.deleted_at IS NOT NULL
                  THEN 'UNAPPLIED'::kepler.record_enrichment_status
                  ELSE r.enrichment_status END,
              enrichment = CASE WHEN $8 THEN NULL ELSE r.enrichment END
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS data,
                       pg_catalog.unnest($5) AS source_digest,
                       pg_catalog.unnest($6) AS source_updated_at,
                       pg_catalog.unnest($7) AS deleted_at) AS n
          WHERE r.workspace_id = $2 AND r.id = n.id
          RETURNING r.id, r.content_hash",
        &[
            pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBARRAYOID,
            pg_sys::UUIDARRAYOID, pg_sys::TIMESTAMPTZARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
            pg_sys::BOOLOID,
        ],
    ) };
    // Nothing that an index or a trigger of ours looks at.
    static RELINK: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET source_digest = n.source_digest
          FROM (SELECT pg_catalog.unnest($2) AS id,
                       pg_catalog.unnest($3) AS source_digest) AS n
          WHERE r.workspace_id = $1 AND r.id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::UUIDARRAYOID],
    ) };
    // What is deleted is at no worker any more.
    static DELETE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET deleted_at = $1, updated_at = $1, source_updated_at = n.source_updated_at,
              enrichment_status = CASE
                  WHEN r.enrichment_status = 'PENDING'::kepler.record_enrichment_status
                  THEN 'UNAPPLIED'::kepler.record_enrichment_status
                  ELSE r.enrichment_status END
          FROM (SELECT pg_catalog.unnest($3) AS id,
                       pg_catalog.unnest($4) AS source_updated_at) AS n
          WHERE r.workspace_id = $2 AND r.id = n.id",
        TOUCH_TYPES,
    ) };
    static UNDELETE: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET deleted_at = NULL, updated_at = $1, source_updated_at = n.source_updated_at
          FROM (SELECT pg_catalog.unnest($3) AS id,
                       pg_catalog.unnest($4) AS source_updated_at) AS n
          WHERE r.workspace_id = $2 AND r.id = n.id",
        TOUCH_TYPES,
    ) };
    // Nothing that an index or a trigger looks at: a heap-only update.
    static REFRESH: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET source_updated_at = n.source_updated_at
          FROM (SELECT pg_catalog.unnest($3) AS id,
                       pg_catalog.unnest($4) AS source_updated_at) AS n
          WHERE r.workspace_id = $2 AND r.id = n.id",
        TOUCH_TYPES,
    ) };
}

/// Whose records are meant.
pub(crate) struct Store<'s> {
    workspace_id: Text,
    entity_id: Text,
    entity_type: &'s str,
    source: &'s str,
}

impl<'s> Store<'s> {
    pub(crate) fn new(
        workspace_id: &str,
        entity_id: &str,
        entity_type: &'s str,
        source: &'s str,
    ) -> Self {
        Self {
            workspace_id: Text::new(workspace_id),
            entity_id: Text::new(entity_id),
            entity_type,
            source,
        }
    }

    /// Whether the entity is there, by what is committed.
    pub(crate) fn has_entity(&self, client: &mut SpiClient<'_>) -> bool {
        let key = [Some(self.workspace_id.datum()), Some(self.entity_id.datum())];
        HAS_ENTITY.with(|statement| statement.run_latest(client, &key)).count() > 0
    }

    /// Looks `external_ids` up, which are sorted by bytes.
    pub(crate) fn look_up<'conn>(
        &self,
        client: &mut SpiClient<'conn>,
        external_ids: &[&str],
        how: LookUp,
    ) -> LookedUp<'conn> {
        look_up(client, &self.workspace_id, &self.entity_id, external_ids, how)
    }

    /// Inserts records; how many were, and which of them a trigger has altered.
    pub(crate) fn insert(
        &self,
        client: &mut SpiClient<'_>,
        how: Insert,
        now: i64,
        records: &mut NewRecords,
        sent: &[Sent],
    ) -> (usize, Vec<Altered>) {
        let entity_type = Text::new(self.entity_type);
        let source = Text::new(self.source);
        let parameters = [
            Some(self.workspace_id.datum()),
            Some(self.entity_id.datum()),
            Some(entity_type.datum()),
            Some(source.datum()),
            Some(pg_sys::Datum::from(now)),
            Some(records.id.datum()),
            Some(records.external_id.datum()),
            Some(records.data.datum()),
            Some(records.source_digest.datum()),
            Some(records.source_updated_at.datum()),
            Some(records.deleted_at.datum()),
        ];
        let rows = match how {
            Insert::Missing => INSERT_MISSING.with(|statement| statement.run(client, &parameters)),
            Insert::New => INSERT.with(|statement| statement.run(client, &parameters)),
            Insert::NewUnchecked => {
                INSERT.with(|statement| statement.run_unchecked(client, &parameters, CONSTANT))
            }
        };
        (rows.count(), altered(&rows, sent))
    }

    /// Gives locked records new content, and life or a deletion. `clear_enrichment`: what was found in
    /// the old content goes.
    pub(crate) fn change(
        &self,
        client: &mut SpiClient<'_>,
        now: i64,
        changes: &mut Changes,
        clear_enrichment: bool,
    ) -> Vec<Altered> {
        let rows = CHANGE.with(|statement| {
            statement.run(
                client,
                &[
                    Some(pg_sys::Datum::from(now)),
                    Some(self.workspace_id.datum()),
                    Some(changes.id.datum()),
                    Some(changes.data.datum()),
                    Some(changes.source_digest.datum()),
                    Some(changes.source_updated_at.datum()),
                    Some(changes.deleted_at.datum()),
                    Some(pg_sys::Datum::from(clear_enrichment)),
                ],
            )
        });
        all_written(changes.sent.len(), &rows);
        altered(&rows, &changes.sent)
    }

    /// Ties altered data to the texts that it was made of.
    pub(crate) fn relink(
        &self,
        client: &mut SpiClient<'_>,
        links: impl Iterator<Item = (String, u128)>,
    ) {
        let (mut id, mut source_digest) = (Array::new(array::TEXT), Array::new(array::UUID));
        for (record, digest) in links {
            id.push_text(&record);
            source_digest.push_uuid(Some(digest));
        }
        let parameters =
            [Some(self.workspace_id.datum()), Some(id.datum()), Some(source_digest.datum())];
        RELINK.with(|statement| statement.run(client, &parameters));
    }

    /// Has the list of failures follow records that were FAILED.
    pub(crate) fn follow_failures(&self, client: &mut SpiClient<'_>, ids: &[&str]) {
        failures::follow(client, Some(self.workspace_id.datum()), ids);
    }

    /// Changes the state of locked records, and notes the source's newest time on them.
    pub(crate) fn touch(
        &self,
        client: &mut SpiClient<'_>,
        how: Touch,
        now: i64,
        touches: &mut Touches,
    ) {
        if touches.count == 0 {
            return;
        }
        let statement = match how {
            Touch::Delete => &DELETE,
            Touch::Undelete => &UNDELETE,
            Touch::Refresh => &REFRESH,
        };
        let parameters = [
            Some(pg_sys::Datum::from(now)),
            Some(self.workspace_id.datum()),
            Some(touches.id.datum()),
            Some(touches.source_updated_at.datum()),
        ];
        let rows = statement.with(|statement| statement.run(client, &parameters));
        all_written(touches.count, &rows);
    }
}

/// A record whose data is sent to the table.
pub(crate) struct Sent {
    pub(crate) candidate: u32,
    pub(crate) id: String,
    pub(crate) content_hash: u128,
}

/// A record of which a trigger of the user's has made something else.
pub(crate) struct Altered {
    pub(crate) candidate: u32,
    pub(crate) id: String,
    /// Of what is stored now.
    pub(crate) content_hash: u128,
}

/// Compares what was sent with what a statement says it has stored, which as a rule comes in the same order.
fn altered(rows: &Rows<'_>, sent: &[Sent]) -> Vec<Altered> {
    let mut altered = Vec::new();
    let mut next = 0;
    for row in rows.iter::<2>() {
        let (Some(id), Some(content_hash)) = (row.text(0), row.uuid(1)) else { continue };
        let Some(at) = (next..sent.len()).chain(0..next).find(|&at| sent[at].id == id) else {
            continue;
        };
        next = at + 1;
        if sent[at].content_hash != content_hash {
            altered.push(Altered {
                candidate: sent[at].candidate,
                id: id.to_owned(),
                content_hash,
            });
        }
    }
    altered
}

/// What [`Store::touch`] does.
#[derive(Clone, Copy)]
pub(crate) enum Touch {
    /// Soft-deletes.
    Delete,
    /// Takes back the deletion of records whose content is what it was.
    Undelete,
    /// Only notes the time.
    Refresh,
}

/// An answer tells what was written. A trigger of the user's that swallows a row would make it a lie.
fn all_written(sent: usize, rows: &Rows<'_>) {
    if rows.count() != sent {
        subtransaction::undo(SWALLOWED);
    }
}

/// Whether a record was there that was to be inserted as new.
pub(crate) fn was_there(refusal: &Refusal) -> bool {
    refusal.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION.into()
        && refusal.constraint.as_deref() == Some(KEY)
}

/// Undoes an attempt that a trigger has made incomplete.
pub(crate) const SWALLOWED: &str = "a trigger prevented the write";

/// Rows for [`Store::insert`], a column each.
pub(crate) struct NewRecords {
    pub(crate) id: Array,
    pub(crate) external_id: Array,
    pub(crate) data: Array,
    pub(crate) source_digest: Array,
    pub(crate) source_updated_at: Array,
    pub(crate) deleted_at: Array,
}

impl NewRecords {
    /// The data comes first, and gets the largest of the spare buffers.
    pub(crate) fn new() -> Self {
        Self {
            data: Array::new(array::JSONB),
            id: Array::new(array::TEXT),
            external_id: Array::new(array::TEXT),
            source_digest: Array::new(array::UUID),
            source_updated_at: Array::new(array::TIMESTAMPTZ),
            deleted_at: Array::new(array::TIMESTAMPTZ),
        }
    }

    /// Takes the last row out.
    pub(crate) fn split_last(&mut self) -> Self {
        Self {
            data: self.data.split_last(),
            id: self.id.split_last(),
            external_id: self.external_id.split_last(),
            source_digest: self.source_digest.split_last(),
            source_updated_at: self.source_updated_at.split_last(),
            deleted_at: self.deleted_at.split_last(),
        }
    }
}

/// Rows for [`Store::change`].
pub(crate) struct Changes {
    pub(crate) id: Array,
    pub(crate) data: Array,
    pub(crate) source_digest: Array,
    pub(crate) source_updated_at: Array,
    pub(crate) deleted_at: Array,
    pub(crate) sent: Vec<Sent>,
}

impl Changes {
    /// The data comes first here too.
    pub(crate) fn new() -> Self {
        Self {
            data: Array::new(array::JSONB),
            id: Array::new(array::TEXT),
            source_digest: Array::new(array::UUID),
            source_updated_at: Array::new(array::TIMESTAMPTZ),
            deleted_at: Array::new(array::TIMESTAMPTZ),
            sent: Vec::new(),
        }
    }
}

/// Rows for [`Store::touch`].
pub(crate) struct Touches {
    pub(crate) id: Array,
    pub(crate) source_updated_at: Array,
    pub(crate) count: usize,
}

impl Touches {
    pub(crate) fn new() -> Self {
        Self {
            id: Array::new(array::TEXT),
            source_updated_at: Array::new(array::TIMESTAMPTZ),
            count: 0,
        }
    }

    pub(crate) fn push(&mut self, id: &str, time: Option<i64>) {
        self.id.push_text(id);
        self.source_updated_at.push_time(time);
        self.count += 1;
    }
}
