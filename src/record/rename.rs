//! What `rename_entity` is made of, beside SQL: the entity gets its name at once, and its records follow in steps.
//!
//! From the first step on the records are found under the new name, since they belong to the entity. Whoever has read the
//! old name before may still insert some of the old type: they hold the lock of that type, and are waited for.

use crate::access::owner;
use crate::arguments::{ArgumentError, name};
use crate::enrichment::direct::Own;
use crate::enrichment::error::EnrichmentError;
use crate::enrichment::policy;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::record::error::RecordError;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// So many records does a step look at, at most.
const STEP: i32 = 10_000;

thread_local! {
    static FIND: Statement = const { Statement::new(
        c"SELECT e.id FROM kepler.entities AS e
          WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3 AND e.connection_id = $4
          UNION ALL
          SELECT e.id FROM kepler.entities AS e
          WHERE e.workspace_id = $1 AND e.source = $2 AND e.type = $3
            AND e.connection_id IS NULL AND $4 IS NULL",
        &[pg_sys::TEXTOID; 4],
    ) };
    static RENAME: Statement = const { Statement::new(
        c"UPDATE kepler.entities AS e SET source = $3, type = $4
          WHERE e.workspace_id = $1 AND e.id = $2",
        &[pg_sys::TEXTOID; 4],
    ) };
}

/// Gives an entity its new name, and its id. One that has it already is one whose renaming was interrupted.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where there is no such entity, 42710 where
/// another has the new name.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn begin_rename_entity(
    entity_type: Option<String>,
    new_type: Option<String>,
    source: Option<String>,
    new_source: Option<String>,
    connection_id: Option<String>,
    max_rows: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<String, ErrorReport> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let new_type = name("new_type", new_type)?;
    let source = name("source", source)?;
    let new_source = match new_source {
        Some(given) => name("new_source", Some(given))?,
        None => source.clone(),
    };
    let workspace_id = workspace::argument(workspace_id)?;
    // Of what the steps behind this are told, so that nothing is renamed that does not go on.
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=STEP).contains(&given) {
        return Err(Error::from(EnrichmentError::BadMaxRows { limit: STEP, given }).into());
    }
    owner::require_right("entities", pg_sys::ACL_UPDATE)?;
    let workspace = Text::new(&workspace_id);
    let connection = connection_id.as_deref().map(Text::new);
    Ok(Spi::connect_mut(|client| -> Result<String, Error> {
        policy::share(&workspace_id, &entity_type);
        let mut find = |source: &Text, kind: &Text| -> Option<String> {
            let key = [
                Some(workspace.datum()),
                Some(source.datum()),
                Some(kind.datum()),
                connection.as_ref().map(Text::datum),
            ];
            let rows = FIND.with(|plan| plan.run(client, &key));
            rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned))
        };
        let (to_source, to_type) = (Text::new(&new_source), Text::new(&new_type));
        let former = find(&Text::new(&source), &Text::new(&entity_type));
        let named = find(&to_source, &to_type);
        match (former, named) {
            (None, None) => Err(RecordError::NoEntity {
                entity_type: entity_type.clone(),
                origin: source.clone(),
            }
            .into()),
            (None, Some(id)) => Ok(id),
            (Some(former), Some(named)) if former == named => Ok(named),
            (Some(_), Some(_)) => Err(RecordError::EntityExists {
                entity_type: new_type.clone(),
                origin: new_source.clone(),
            }
            .into()),
            (Some(id), None) => {
                let _own = Own::begin();
                let entity = Text::new(&id);
                let parameters = [
                    Some(workspace.datum()),
                    Some(entity.datum()),
                    Some(to_source.datum()),
                    Some(to_type.datum()),
                ];
                RENAME.with(|plan| plan.run(client, &parameters));
                Ok(id)
            }
        }
    })?)
}

/// Waits for the transactions that write records of a type, and may know an entity by its former name.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn wait_for_upserts(
    entity_type: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    // Whoever may not rename keeps nobody waiting.
    owner::require_right("entities", pg_sys::ACL_UPDATE)?;
    policy::wait_for_writers(&workspace_id, &entity_type);
    Ok(())
}
