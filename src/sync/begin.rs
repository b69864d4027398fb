//! Begins a run, and ends the older one of its kind that is still open.

use super::end;
use super::error::SyncError;
use super::run::{Run, first_text};
use crate::error::Error;
use crate::id::new_id;
use crate::pg::advisory;
use crate::pg::clock::now;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::varlena::Text;
use crate::record::entity;
use crate::record::options::Request;
use crate::record::seen;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static OPEN: Statement = const { Statement::new(
        c"SELECT r.id FROM kepler.sync_runs AS r
          WHERE r.workspace_id = $1 AND r.entity_id = $2 AND r.mode = $3::kepler.sync_mode
            AND r.status = 'RUNNING'::kepler.sync_status",
        &[pg_sys::TEXTOID; 3],
    ) };
    static BEGIN: Statement = const { Statement::new(
        c"INSERT INTO kepler.sync_runs (workspace_id, id, entity_id, connection_id, mode, scope, started_at)
          VALUES ($1, $2, $3, $4, $5::kepler.sync_mode, $6, $7)",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID,
            pg_sys::JSONBOID, pg_sys::TIMESTAMPTZOID,
        ],
    ) };
    static CURSOR: Statement = const { Statement::new(
        c"SELECT e.cursor FROM kepler.entities AS e WHERE e.workspace_id = $1 AND e.id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// A run that has begun.
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) entity_id: String,
    /// Where the last run of the entity ended.
    pub(super) cursor: Option<String>,
    /// The older run that is abandoned for it.
    pub(super) abandoned: Option<String>,
}

/// `scope`: a `jsonb`, valid as a filter.
pub(super) fn begin(
    client: &mut SpiClient<'_>,
    request: &Request,
    mode: &'static str,
    scope: Parameter,
) -> Result<Begun, Error> {
    let entity_id = entity::find_or_make(client, request)?.id;
    let workspace_id = &request.workspace_id;
    // One after the other. What is written while a full run begins was written before it: nobody does.
    advisory::lock(&format!("kepler begin sync\0{workspace_id}\0{entity_id}"), true);
    if mode == "full" {
        seen::lock_alone(workspace_id, &entity_id);
    }
    let (workspace, entity) = (Text::new(workspace_id), Text::new(&entity_id));
    let mode_text = Text::new(mode);
    let of_mode = [Some(workspace.datum()), Some(entity.datum()), Some(mode_text.datum())];
    let mut older = OPEN.with(|plan| first_text(&plan.run(client, &of_mode)));
    if keeps_snapshot() && older != OPEN.with(|plan| first_text(&plan.run_latest(client, &of_mode)))
    {
        return Err(SyncError::BeganMeanwhile.into());
    }
    let id = new_id();
    let (id_text, began_at) = (Text::new(&id), Some(pg_sys::Datum::from(now())));
    if let Some(open) = &older {
        let run = Run::read(client, workspace_id, open)?;
        if !end::abandon(client, &run, &format!("Run \"{id}\" of the same entity began.")) {
            older = None;
        }
    }
    let connection = request.connection_id.as_deref().map(Text::new);
    let parameters = [
        Some(workspace.datum()),
        Some(id_text.datum()),
        Some(entity.datum()),
        connection.as_ref().map(Text::datum),
        Some(mode_text.datum()),
        scope,
        began_at,
    ];
    BEGIN.with(|plan| plan.run(client, &parameters));
    let of_entity = [Some(workspace.datum()), Some(entity.datum())];
    let cursor = CURSOR.with(|plan| first_text(&plan.run(client, &of_entity)));
    end::tidy(client, workspace_id, &entity_id, mode);
    Ok(Begun { id, entity_id, cursor, abandoned: older })
}
