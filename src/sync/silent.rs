//! Ends runs that nobody goes on with, and takes away what ended ones have left.

use super::end;
use super::run::Run;
use crate::error::Error;
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    // The longest silent first. A call of the run, a checkpoint, and a step of a merge or a sweep are signs of life.
    static SILENT: Statement = const { Statement::new(
        c"SELECT r.id, l.active_at FROM kepler.sync_runs AS r
          CROSS JOIN LATERAL (
              SELECT greatest(r.started_at, r.checkpoint_at, r.phase_active_at, (
                  SELECT b.created_at FROM kepler.sync_batches AS b
                  WHERE b.workspace_id = $1 AND b.sync_run_id = r.id ORDER BY b.id DESC LIMIT 1)) AS active_at) AS l
          WHERE r.workspace_id = $1 AND r.status = 'RUNNING'::kepler.sync_status AND r.started_at < $2
            AND l.active_at < $2
          ORDER BY l.active_at LIMIT $3",
        &[pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4OID],
    ) };
    static STILL_SILENT: Statement = const { Statement::new(
        c"SELECT greatest(r.started_at, r.checkpoint_at, r.phase_active_at, (
                  SELECT b.created_at FROM kepler.sync_batches AS b
                  WHERE b.workspace_id = $1 AND b.sync_run_id = r.id ORDER BY b.id DESC LIMIT 1)) < $3
          FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.id = $2 AND r.status = 'RUNNING'::kepler.sync_status",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static NEXT_NOTED: Statement = const { Statement::new(
        c"SELECT n.id,
                 (SELECT r.status = 'RUNNING'::kepler.sync_status FROM kepler.sync_runs AS r
                  WHERE r.workspace_id = $1 AND r.id = n.id)
          FROM (SELECT least(
                    (SELECT s.sync_run_id FROM kepler.sync_seen AS s
                     WHERE s.workspace_id = $1 AND s.sync_run_id > $2 ORDER BY s.sync_run_id LIMIT 1),
                    (SELECT s.sync_run_id FROM kepler.sync_batches AS s
                     WHERE s.workspace_id = $1 AND s.sync_run_id > $2 ORDER BY s.sync_run_id LIMIT 1),
                    (SELECT s.sync_run_id FROM kepler.sync_candidates AS s
                     WHERE s.workspace_id = $1 AND s.sync_run_id > $2 ORDER BY s.sync_run_id LIMIT 1),
                    (SELECT s.sync_run_id FROM kepler.inbox_rows AS s
                     WHERE s.workspace_id = $1 AND s.sync_run_id > $2 ORDER BY s.sync_run_id LIMIT 1)) AS id) AS n
          WHERE n.id IS NOT NULL",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// A run that was abandoned.
pub(super) struct Silent {
    pub(super) run: Run,
    pub(super) active_at: i64,
}

/// Abandons runs without a sign of life for so long (microseconds), and deletes a part of what ended ones have left.
pub(super) fn abandon(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    silent_for: i64,
    max_rows: i32,
) -> Result<Vec<Silent>, Error> {
    let abandoned = end_silent(client, workspace_id, silent_for, max_rows)?;
    tidy(client, workspace_id, i32::MAX);
    Ok(abandoned)
}

/// The same as a part of the maintenance: how many runs it ended, and rows it deleted.
pub(crate) fn tidy_up(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    silent_for: i64,
    max_rows: i32,
) -> Result<usize, Error> {
    let abandoned = end_silent(client, workspace_id, silent_for, max_rows)?;
    Ok(abandoned.len() + tidy(client, workspace_id, max_rows))
}

fn end_silent(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    silent_for: i64,
    max_rows: i32,
) -> Result<Vec<Silent>, Error> {
    let workspace = Text::new(workspace_id);
    let since = Some(pg_sys::Datum::from(now().saturating_sub(silent_for)));
    let parameters = [Some(workspace.datum()), since, Some(pg_sys::Datum::from(max_rows))];
    let rows = SILENT.with(|plan| plan.run(client, &parameters));
    let found: Vec<(String, i64)> =
        rows.iter::<2>().filter_map(|row| Some((row.text(0)?.to_owned(), row.time(1)?))).collect();
    let mut abandoned = Vec::new();
    for (id, active_at) in found {
        let run = Run::read(client, workspace_id, &id)?.shared(client)?;
        let text = Text::new(&id);
        let parameters = [Some(workspace.datum()), Some(text.datum()), since];
        let rows = STILL_SILENT.with(|plan| plan.run(client, &parameters));
        if rows.iter::<1>().next().and_then(|row| row.boolean(0)) != Some(true) {
            continue;
        }
        if end::give_up(client, &run, "Nobody went on with the run.") {
            abandoned.push(Silent { run, active_at });
        }
    }
    Ok(abandoned)
}

/// Deletes what ended runs have left, about so many rows. Gives how many rows it deleted.
fn tidy(client: &mut SpiClient<'_>, workspace_id: &str, max_rows: i32) -> usize {
    let workspace = Text::new(workspace_id);
    let mut rows_deleted = 0;
    let mut after = String::new();
    loop {
        let behind = Text::new(&after);
        let rows = NEXT_NOTED
            .with(|plan| plan.run(client, &[Some(workspace.datum()), Some(behind.datum())]));
        let next = rows.iter::<2>().next();
        let next = next.and_then(|row| Some((row.text(0)?.to_owned(), row.boolean(1))));
        let Some((id, is_open)) = next else { return rows_deleted };
        if is_open != Some(true) {
            let cleared = end::clear_some(client, workspace_id, &id, max_rows);
            rows_deleted += cleared.rows;
            if !cleared.is_all || rows_deleted >= max_rows as usize {
                return rows_deleted;
            }
        }
        after = id;
    }
}
