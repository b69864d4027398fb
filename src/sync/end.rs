//! Ends a run: what it says of itself, of its entity and of its connection, and what it no longer needs.

use super::run::{Run, Totals};
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// So many ended runs of an entity and a mode are kept.
const KEPT: i32 = 100;

/// So many rows of what ended runs have noted are deleted at a time.
const TIDIED: i32 = 10_000;

thread_local! {
    // Whoever waited for the run's row finds that another has ended it.
    static SUCCEED: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET status = 'SUCCESS'::kepler.sync_status, phase = 'ended', ended_at = $3, seen = $4, counts = $5::jsonb,
              cursor = coalesce($6, r.cursor)
          WHERE r.workspace_id = $1 AND r.id = $2 AND r.status = 'RUNNING'::kepler.sync_status
          RETURNING r.cursor",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID,
            pg_sys::TEXTOID, pg_sys::TEXTOID,
        ],
    ) };
    static CLOSE: Statement = const { Statement::new(
        c"UPDATE kepler.sync_runs AS r
          SET status = $7::kepler.sync_status, phase = 'ended', ended_at = $3, seen = $4, counts = $5::jsonb, error = $6
          WHERE r.workspace_id = $1 AND r.id = $2 AND r.status = 'RUNNING'::kepler.sync_status",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID,
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID,
        ],
    ) };
    // An issue of a failed run begins in a way of its own, so that a later run finds it again.
    static ENTITY: Statement = const { Statement::new(
        c"UPDATE kepler.entities AS e
          SET cursor = coalesce($4, e.cursor), last_sync_id = coalesce($3, e.last_sync_id),
              issues = ARRAY(SELECT i.issue FROM pg_catalog.unnest(e.issues) WITH ORDINALITY AS i (issue, place)
                             WHERE NOT pg_catalog.starts_with(i.issue, $5) ORDER BY i.place)
                       || CASE WHEN $6 IS NULL THEN '{}'::text[] ELSE ARRAY[$5 || $6] END
          WHERE e.workspace_id = $1 AND e.id = $2",
        &[pg_sys::TEXTOID; 6],
    ) };
    static CONNECTION: Statement = const { Statement::new(
        c"UPDATE kepler.connections AS c
          SET last_sync_at = coalesce($3, c.last_sync_at),
              issues = ARRAY(SELECT i.issue FROM pg_catalog.unnest(c.issues) WITH ORDINALITY AS i (issue, place)
                             WHERE NOT pg_catalog.starts_with(i.issue, $4) ORDER BY i.place)
                       || CASE WHEN $5 IS NULL THEN '{}'::text[] ELSE ARRAY[$4 || $5] END
          WHERE c.workspace_id = $1 AND c.id = $2",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID,
            pg_sys::TEXTOID,
        ],
    ) };
    // Ended runs of an entity, the newest first, and whether they have left anything.
    static ENDED: Statement = const { Statement::new(
        c"SELECT r.id,
                 EXISTS (SELECT FROM kepler.sync_seen AS s WHERE s.workspace_id = $1 AND s.sync_run_id = r.id)
                 OR EXISTS (SELECT FROM kepler.sync_batches AS s WHERE s.workspace_id = $1 AND s.sync_run_id = r.id)
                 OR EXISTS (SELECT FROM kepler.sync_candidates AS s WHERE s.workspace_id = $1 AND s.sync_run_id = r.id)
                 OR EXISTS (SELECT FROM kepler.inbox_rows AS s WHERE s.workspace_id = $1 AND s.sync_run_id = r.id)
          FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.entity_id = $2 AND r.mode = $3::kepler.sync_mode
            AND r.status <> 'RUNNING'::kepler.sync_status
          ORDER BY r.started_at DESC LIMIT $4",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static SEEN: Statement = const { Statement::new(
        c"DELETE FROM kepler.sync_seen AS s WHERE s.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.sync_seen AS x
              WHERE x.workspace_id = $1 AND x.sync_run_id = $2 ORDER BY x.id LIMIT $3))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static BATCHES: Statement = const { Statement::new(
        c"DELETE FROM kepler.sync_batches AS s WHERE s.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.sync_batches AS x
              WHERE x.workspace_id = $1 AND x.sync_run_id = $2 ORDER BY x.id LIMIT $3))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static CANDIDATES: Statement = const { Statement::new(
        c"DELETE FROM kepler.sync_candidates AS s WHERE s.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.sync_candidates AS x
              WHERE x.workspace_id = $1 AND x.sync_run_id = $2 ORDER BY x.external_id LIMIT $3))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    // Whoever merges has locked rows, and may wait for the entity's lock.
    static INBOX: Statement = const { Statement::new(
        c"DELETE FROM kepler.inbox_rows AS s WHERE s.ctid = ANY (ARRAY(
              SELECT x.ctid FROM kepler.inbox_rows AS x
              WHERE x.workspace_id = $1 AND x.sync_run_id = $2 ORDER BY x.id LIMIT $3 FOR UPDATE SKIP LOCKED))",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static FORGET: Statement = const { Statement::new(
        c"DELETE FROM kepler.sync_runs AS r WHERE r.workspace_id = $1 AND r.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// The run has listed, and swept, all that it was to. Gives false, and writes nothing, where another has ended it meanwhile.
pub(super) fn succeed(
    client: &mut SpiClient<'_>,
    run: &Run,
    totals: &Totals,
    cursor: Option<&str>,
    issue: Option<&str>,
) -> bool {
    let ended_at = Some(pg_sys::Datum::from(now()));
    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let cursor = cursor.map(Text::new);
    let counts = Text::new(&totals.counts);
    let parameters = [
        Some(workspace.datum()),
        Some(id.datum()),
        ended_at,
        Some(pg_sys::Datum::from(totals.seen)),
        Some(counts.datum()),
        cursor.as_ref().map(Text::datum),
    ];
    let ended = SUCCEED.with(|plan| plan.run(client, &parameters));
    if ended.count() == 0 {
        return false;
    }
    let cursor = super::run::first_text(&ended);
    tell(client, run, Some(&id), cursor.as_deref(), ended_at, issue);
    clear(client, &run.workspace_id, &run.id);
    true
}

/// The run ends and has not done what it was to. Entity and connection say so until one succeeds. Gives
/// false, and writes nothing, where another has ended it meanwhile.
pub(super) fn fail(client: &mut SpiClient<'_>, run: &Run, error: &str) -> bool {
    let ended = close(client, run, "FAILURE", error);
    if ended {
        tell(client, run, None, None, None, Some(error));
        clear(client, &run.workspace_id, &run.id);
    }
    ended
}

/// The same where nobody goes on with it.
pub(super) fn give_up(client: &mut SpiClient<'_>, run: &Run, error: &str) -> bool {
    let ended = close(client, run, "ABANDONED", error);
    if ended {
        tell(client, run, None, None, None, Some(error));
        clear(client, &run.workspace_id, &run.id);
    }
    ended
}

/// Another run has taken its place. Gives false where it has ended meanwhile.
pub(super) fn abandon(client: &mut SpiClient<'_>, run: &Run, error: &str) -> bool {
    close(client, run, "ABANDONED", error)
}

fn close(client: &mut SpiClient<'_>, run: &Run, status: &str, error: &str) -> bool {
    let totals = run.totals(client);
    let (workspace, id) = (Text::new(&run.workspace_id), Text::new(&run.id));
    let (why, status, counts) = (Text::new(error), Text::new(status), Text::new(&totals.counts));
    let parameters = [
        Some(workspace.datum()),
        Some(id.datum()),
        Some(pg_sys::Datum::from(now())),
        Some(pg_sys::Datum::from(totals.seen)),
        Some(counts.datum()),
        Some(why.datum()),
        Some(status.datum()),
    ];
    CLOSE.with(|plan| plan.run(client, &parameters)).count() > 0
}

/// What entity and connection show of it.
fn tell(
    client: &mut SpiClient<'_>,
    run: &Run,
    id: Option<&Text>,
    cursor: Option<&str>,
    ended_at: Parameter,
    issue: Option<&str>,
) {
    let (workspace, entity) = (Text::new(&run.workspace_id), Text::new(&run.entity_id));
    let (cursor, issue) = (cursor.map(Text::new), issue.map(Text::new));
    let prefix = Text::new("Sync: ");
    let parameters = [
        Some(workspace.datum()),
        Some(entity.datum()),
        id.map(Text::datum),
        cursor.as_ref().map(Text::datum),
        Some(prefix.datum()),
        issue.as_ref().map(Text::datum),
    ];
    ENTITY.with(|plan| plan.run(client, &parameters));
    let Some(connection) = &run.connection_id else { return };
    let connection = Text::new(connection);
    let prefix = Text::new(&format!("Sync of {} ({}): ", run.entity_type, run.source));
    let parameters = [
        Some(workspace.datum()),
        Some(connection.datum()),
        ended_at,
        Some(prefix.datum()),
        issue.as_ref().map(Text::datum),
    ];
    CONNECTION.with(|plan| plan.run(client, &parameters));
}

/// What was deleted of what a run has noted.
pub(super) struct Cleared {
    pub(super) rows: usize,
    pub(super) is_all: bool,
}

/// Deletes a part of what a run that has ended no longer needs. Gives whether all of it is gone.
pub(super) fn clear(client: &mut SpiClient<'_>, workspace_id: &str, run_id: &str) -> bool {
    clear_some(client, workspace_id, run_id, TIDIED).is_all
}

/// The same, with so many rows of a kind at most.
pub(super) fn clear_some(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    run_id: &str,
    max_rows: i32,
) -> Cleared {
    let (workspace, id) = (Text::new(workspace_id), Text::new(run_id));
    let limit = max_rows.clamp(1, TIDIED);
    let parameters = [Some(workspace.datum()), Some(id.datum()), Some(pg_sys::Datum::from(limit))];
    let mut rows = 0;
    for statement in [&SEEN, &BATCHES, &CANDIDATES, &INBOX] {
        let deleted = statement.with(|plan| plan.run(client, &parameters).count());
        rows += deleted;
        if deleted >= limit as usize {
            return Cleared { rows, is_all: false };
        }
    }
    Cleared { rows, is_all: true }
}

/// Deletes a part of what the ended runs of an entity have left, and the oldest of those that are more than are kept.
pub(super) fn tidy(client: &mut SpiClient<'_>, workspace_id: &str, entity_id: &str, mode: &str) {
    let (workspace, entity) = (Text::new(workspace_id), Text::new(entity_id));
    let mode = Text::new(mode);
    let parameters = [
        Some(workspace.datum()),
        Some(entity.datum()),
        Some(mode.datum()),
        Some(pg_sys::Datum::from(KEPT + 10)),
    ];
    let rows = ENDED.with(|plan| plan.run(client, &parameters));
    for (place, row) in rows.iter::<2>().enumerate() {
        let Some(id) = row.text(0) else { continue };
        if row.boolean(1) == Some(true) && !clear(client, workspace_id, id) {
            return;
        }
        if place >= KEPT as usize {
            let id = Text::new(id);
            FORGET.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(id.datum())]));
        }
    }
}
