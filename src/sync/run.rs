//! A run as it is stored.

use super::error::SyncError;
use crate::error::Error;
use crate::pg::advisory;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::{Row, Rows};
use crate::pg::varlena::Text;
use crate::record::seen;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static READ: Statement = const { Statement::new(
        c"SELECT r.id, r.entity_id, e.type, e.source, e.connection_id, r.mode::text, r.status::text, r.phase,
                 r.scope::text, r.cursor, r.started_at, r.checkpoint_at, r.ended_at, r.error, r.seen_through,
                 r.swept_through, r.records, r.to_delete, r.deleted, r.spared, r.refused, r.seen,
                 (r.counts ->> 'rejected')::bigint, r.counts::text
          FROM kepler.sync_runs AS r
          JOIN kepler.entities AS e ON e.workspace_id = r.workspace_id AND e.id = r.entity_id
          WHERE r.workspace_id = $1 AND r.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    // Entities without a connection are found by the second part.
    static OPEN: Statement = const { Statement::new(
        c"SELECT r.id FROM (
              SELECT e.id FROM kepler.entities AS e
              WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3 AND e.connection_id = $4
              UNION ALL
              SELECT e.id FROM kepler.entities AS e
              WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3
                AND e.connection_id IS NULL AND $4 IS NULL) AS e
          CROSS JOIN kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.entity_id = e.id AND r.status = 'RUNNING'::kepler.sync_status
            AND ($5 IS NULL OR r.mode::text = $5)
          ORDER BY r.started_at DESC LIMIT 1",
        &[pg_sys::TEXTOID; 5],
    ) };
    static TOTALS: Statement = const { Statement::new(
        c"SELECT coalesce(pg_catalog.sum(b.seen), 0)::bigint, coalesce(pg_catalog.sum(b.rejected), 0)::bigint,
                 pg_catalog.jsonb_build_object(
                     'inserted', coalesce(pg_catalog.sum(b.inserted), 0),
                     'updated', coalesce(pg_catalog.sum(b.updated), 0),
                     'refreshed', coalesce(pg_catalog.sum(b.refreshed), 0),
                     'restored', coalesce(pg_catalog.sum(b.restored), 0),
                     'deleted', coalesce(pg_catalog.sum(b.deleted), 0),
                     'unchanged', coalesce(pg_catalog.sum(b.unchanged), 0),
                     'stale', coalesce(pg_catalog.sum(b.stale), 0),
                     'superseded', coalesce(pg_catalog.sum(b.superseded), 0),
                     'rejected', coalesce(pg_catalog.sum(b.rejected), 0))::text
          FROM kepler.sync_batches AS b WHERE b.workspace_id = $1 AND b.sync_run_id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static CHECKPOINT: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r SET cursor = $3, checkpoint_at = $4
          WHERE r.workspace_id = $1 AND r.id = $2 AND r.status = 'RUNNING'::kepler.sync_status",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// What its own calls have done.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub(super) seen: i64,
    pub(super) rejected: i64,
    /// By outcome, a JSON object.
    pub(super) counts: String,
}

pub(super) struct Run {
    pub(super) workspace_id: String,
    pub(super) id: String,
    pub(super) entity_id: String,
    pub(super) entity_type: String,
    pub(super) source: String,
    pub(super) connection_id: Option<String>,
    pub(super) is_full: bool,
    pub(super) status: String,
    pub(super) phase: String,
    /// A filter as JSON.
    pub(super) scope: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) started_at: i64,
    pub(super) checkpoint_at: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) seen_through: Option<i64>,
    pub(super) swept_through: Option<String>,
    pub(super) records: Option<i64>,
    pub(super) to_delete: Option<i64>,
    pub(super) deleted: i64,
    pub(super) spared: i64,
    pub(super) refused: i64,
    /// As they were when it ended.
    pub(super) ended: Option<Totals>,
}

impl Run {
    /// Errors: 42704 where there is none.
    pub(super) fn read(
        client: &mut SpiClient<'_>,
        workspace_id: &str,
        id: &str,
    ) -> Result<Self, Error> {
        let (workspace, text) = (Text::new(workspace_id), Text::new(id));
        let of_run = [Some(workspace.datum()), Some(text.datum())];
        let rows = READ.with(|plan| plan.run(client, &of_run));
        let found = rows.iter::<24>().next().and_then(|row| Self::of(workspace_id, &row));
        found.ok_or_else(|| seen::missing(workspace_id, id))
    }

    fn of(workspace_id: &str, row: &Row<'_, 24>) -> Option<Self> {
        let text = |column| row.text(column).map(str::to_owned);
        let ended = row.bigint(21).map(|seen| Totals {
            seen,
            rejected: row.bigint(22).unwrap_or(0),
            counts: text(23).unwrap_or_default(),
        });
        Some(Self {
            workspace_id: workspace_id.to_owned(),
            id: text(0)?,
            entity_id: text(1)?,
            entity_type: text(2)?,
            source: text(3)?,
            connection_id: text(4),
            is_full: row.text(5)? == "full",
            status: text(6)?,
            phase: text(7)?,
            scope: text(8),
            cursor: text(9),
            started_at: row.time(10)?,
            checkpoint_at: row.time(11),
            error: text(13),
            seen_through: row.bigint(14),
            swept_through: text(15),
            records: row.bigint(16),
            to_delete: row.bigint(17),
            deleted: row.bigint(18)?,
            spared: row.bigint(19)?,
            refused: row.bigint(20)?,
            ended,
        })
    }

    /// The newest open run of an entity.
    pub(super) fn find_open(
        client: &mut SpiClient<'_>,
        workspace_id: &str,
        [source, entity_type]: [&str; 2],
        connection_id: Option<&str>,
        mode: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let texts = [Some(workspace_id), Some(source), Some(entity_type), connection_id, mode];
        let texts = texts.map(|text| text.map(Text::new));
        let parameters: Vec<Parameter> =
            texts.iter().map(|text| text.as_ref().map(Text::datum)).collect();
        let rows = OPEN.with(|plan| plan.run(client, &parameters));
        let id = rows.iter::<1>().next().and_then(|row| row.text(0)).map(str::to_owned);
        id.map(|id| Self::read(client, workspace_id, &id)).transpose()
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == "RUNNING"
    }

    /// Errors: 55000.
    pub(super) fn require_open(&self) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        let (id, status, error) = (self.id.clone(), self.status.clone(), self.error.clone());
        Err(SyncError::Ended { id, status, error }.into())
    }

    pub(super) fn mode(&self) -> &'static str {
        if self.is_full { "full" } else { "incremental" }
    }

    /// What is still to be looked at by the sweep.
    pub(super) fn remaining(&self) -> i64 {
        self.to_delete.map_or(0, |all| all - self.deleted - self.spared - self.refused)
    }

    pub(super) fn totals(&self, client: &mut SpiClient<'_>) -> Totals {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let (workspace, id) = (Text::new(&self.workspace_id), Text::new(&self.id));
        let rows =
            TOTALS.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(id.datum())]));
        let totals = rows.iter::<3>().next().and_then(|row| {
            Some(Totals {
                seen: row.bigint(0)?,
                rejected: row.bigint(1)?,
                counts: row.text(2)?.to_owned(),
            })
        });
        totals.unwrap_or_default()
    }

    /// Shares the entity's lock, and gives the run as it is behind it.
    pub(super) fn shared(self, client: &mut SpiClient<'_>) -> Result<Self, Error> {
        seen::share(&self.workspace_id, &self.entity_id);
        Self::read(client, &self.workspace_id, &self.id)
    }

    /// Has the entity's lock alone, and gives the run as it is behind it.
    pub(super) fn alone(self, client: &mut SpiClient<'_>) -> Result<Self, Error> {
        seen::lock_alone(&self.workspace_id, &self.entity_id);
        Self::read(client, &self.workspace_id, &self.id)
    }

    /// One at a time ends a run, or merges its inbox.
    pub(super) fn lock_end(workspace_id: &str, id: &str) {
        advisory::lock(&format!("kepler sync run\0{workspace_id}\0{id}"), true);
    }

    /// Notes how far the listing has come. The entity's lock is shared.
    pub(super) fn set_checkpoint(&self, client: &mut SpiClient<'_>, cursor: &str, now: i64) {
        let (workspace, id) = (Text::new(&self.workspace_id), Text::new(&self.id));
        let cursor = Text::new(cursor);
        let parameters = [
            Some(workspace.datum()),
            Some(id.datum()),
            Some(cursor.datum()),
            Some(pg_sys::Datum::from(now)),
        ];
        CHECKPOINT.with(|plan| plan.run(client, &parameters));
    }
}

/// The first text of the first row.
pub(super) fn first_text(rows: &Rows<'_>) -> Option<String> {
    rows.iter::<1>().next().and_then(|row| row.text(0)).map(str::to_owned)
}
