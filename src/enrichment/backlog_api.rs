//! What `queue_backlog` and `drop_backlog` are made of: procedures in PL/pgSQL, since only such can commit.

use super::backlog::{self, Stepped};
use super::error::EnrichmentError;
use super::leftover::{self, Cleared};
use super::policy;
use crate::access::owner;
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// After so many steps that removed nothing, though nobody held anything, a trigger is what keeps it.
const MAX_IDLE: i32 = 20;

/// Waits for the transactions that write records of a type and may not know its policy. Fails where there is none.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn wait_for_writers(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let (entity_type, _, workspace_id) = arguments(entity_type, max_rows, workspace_id)?;
    let (workspace, kind) = (Text::new(&workspace_id), Text::new(&entity_type));
    Spi::connect_mut(|client| -> Result<(), Error> {
        match policy::find(client, &workspace, &kind) {
            Some(_) => Ok(()),
            None => Err(policy::missing(client, &workspace_id, &entity_type)),
        }
    })?;
    policy::wait_for_writers(&workspace_id, &entity_type);
    Ok(())
}

/// Queues a part of the backlog of a type. Gives NULL when nothing is left, and else the record that is to be waited
/// for, or an empty text.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn queue_backlog_step(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<Option<String>, ErrorReport> {
    require_tables()?;
    let (entity_type, max_rows, workspace_id) = arguments(entity_type, max_rows, workspace_id)?;
    let stepped = Spi::connect_mut(|client| {
        backlog::queue_step(client, &workspace_id, &entity_type, max_rows)
    });
    Ok(match stepped {
        Stepped::Done => None,
        Stepped::More => Some(String::new()),
        Stepped::Held(record_id) => Some(record_id),
    })
}

/// Waits until nobody holds a record.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn wait_for_record(
    record_id: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    if let Some(record_id) = record_id.filter(|id| !id.is_empty()) {
        Spi::connect_mut(|client| backlog::wait_for_record(client, &workspace_id, &record_id));
    }
    Ok(())
}

/// Waits for the transactions that write records of a type and may know its policy, which is gone.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn wait_for_former_writers(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let (entity_type, _, workspace_id) = arguments(entity_type, max_rows, workspace_id)?;
    let (workspace, kind) = (Text::new(&workspace_id), Text::new(&entity_type));
    let has_policy = Spi::connect_mut(|client| policy::find(client, &workspace, &kind).is_some());
    if has_policy {
        return Err(Error::from(EnrichmentError::HasPolicy(entity_type)).into());
    }
    policy::wait_for_writers(&workspace_id, &entity_type);
    Ok(())
}

/// Removes a part of what the policy of a type has left. Gives NULL when nothing is left, and else whether somebody is to
/// be waited for. `idle`: so many steps before this one have removed nothing.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn drop_backlog_step(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    idle: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<Option<bool>, ErrorReport> {
    require_tables()?;
    let (entity_type, max_rows, workspace_id) = arguments(entity_type, max_rows, workspace_id)?;
    owner::require_right("leases", pg_sys::ACL_DELETE)?;
    let cleared = Spi::connect_mut(|client| {
        leftover::remove_step(client, &workspace_id, &entity_type, max_rows)
    });
    match cleared {
        Cleared::Done => Ok(None),
        Cleared::More => Ok(Some(false)),
        Cleared::Held if idle.is_some_and(|idle| idle >= MAX_IDLE) => {
            Err(Error::from(EnrichmentError::Kept(entity_type)).into())
        }
        Cleared::Held => Ok(Some(true)),
    }
}

/// Waits until nobody holds what comes first of what the policy of a type has left.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn wait_for_leftover(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let (entity_type, _, workspace_id) = arguments(entity_type, max_rows, workspace_id)?;
    Spi::connect_mut(|client| leftover::wait(client, &workspace_id, &entity_type));
    Ok(())
}

fn arguments(
    entity_type: Option<String>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<(String, i32, String), Error> {
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=backlog::STEP).contains(&given) {
        return Err(EnrichmentError::BadMaxRows { limit: backlog::STEP, given }.into());
    }
    // Whoever may not write policies keeps nobody waiting.
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    Ok((entity_type, given, workspace_id))
}
