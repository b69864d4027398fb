//! The SQL functions over whole workspaces.

use super::error::TenantError;
use super::{archive, create, delete, import};
use crate::access::owner::require_right;
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::whole::Spi;
use crate::workspace::{self, WorkspaceError};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Makes a workspace; gives its id.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [id::cuid],
    sql = "
CREATE FUNCTION kepler.create_workspace(
    workspace_id text DEFAULT kepler.cuid(), name text DEFAULT NULL
) RETURNS text
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn create_workspace(
    workspace_id: Option<String>,
    called: Option<String>,
) -> Result<String, ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    let called = called.unwrap_or_else(|| workspace_id.clone());
    Spi::connect_mut(|client| create::create(client, &workspace_id, &called))?;
    Ok(workspace_id)
}

/// Fails unless the caller may read all of a workspace, as its administrators do.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn require_administrator(workspace_id: Option<String>) -> Result<(), ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    workspace::require_own(&workspace_id)?;
    require_right("workspaces", pg_sys::ACL_UPDATE)?;
    Ok(Spi::connect(|client| {
        let exists = client
            .select(
                "SELECT EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = $1)",
                None,
                &[workspace_id.as_str().into()],
            )?
            .first()
            .get_one::<bool>()?;
        if exists == Some(true) {
            return Ok(());
        }
        Err(Error::from(WorkspaceError::Missing(workspace_id.clone())))
    })?)
}

/// The checksum of a line of an archive.
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
fn line_checksum(line: &str) -> i64 {
    archive::checksum(line)
}

/// Writes an archive into this database; gives the tables and how many rows of each were written.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.import_workspace(
    archive regclass, workspace_id text DEFAULT NULL, OUT relation regclass, OUT rows bigint
) RETURNS SETOF record
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn import_workspace(
    archive: Option<pg_sys::Oid>,
    workspace_id: Option<String>,
) -> Result<TableIterator<'static, (name!(relation, pg_sys::Oid), name!(rows, i64))>, ErrorReport> {
    require_tables()?;
    let archive = archive.ok_or(ArgumentError::Null("archive"))?;
    let workspace_id = workspace_id.map(|id| name("workspace_id", Some(id))).transpose()?;
    let imported = Spi::connect_mut(|client| import::import(client, archive, workspace_id))?;
    Ok(TableIterator::new(imported))
}

/// Writes some lines of an archive in the workspace's part of a cluster; gives the numbers of those that are to be tried again.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn import_lines_of_part(
    workspace_id: Option<String>,
    lines: Option<Vec<Option<String>>>,
    numbers: Option<Vec<Option<i64>>>,
    is_last: Option<bool>,
) -> Result<Vec<i64>, ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    let lines = lines.and_then(|lines| lines.into_iter().collect());
    let lines = lines.ok_or(ArgumentError::Null("lines"))?;
    let numbers = numbers.and_then(|numbers| numbers.into_iter().collect());
    let numbers = numbers.ok_or(ArgumentError::Null("numbers"))?;
    let is_last = is_last.ok_or(ArgumentError::Null("is_last"))?;
    Ok(Spi::connect_mut(|client| {
        import::write_in_part(client, &workspace_id, lines, numbers, is_last)
    })?)
}

/// Begins the deletion of a workspace.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn begin_workspace_deletion(
    workspace_id: Option<String>,
    with_rows: Option<bool>,
    max_rows: Option<i32>,
) -> Result<(), ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    let with_rows = with_rows.ok_or(ArgumentError::Null("with_rows"))?;
    // Before it is marked.
    checked(max_rows)?;
    Ok(Spi::connect_mut(|client| delete::begin(client, &workspace_id, with_rows))?)
}

/// Deletes a part of a workspace. Gives NULL when nothing is left, and else where to go on.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn delete_workspace_step(
    workspace_id: Option<String>,
    max_rows: Option<i32>,
    place: Option<String>,
) -> Result<Option<String>, ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    let max_rows = checked(max_rows)?;
    Ok(Spi::connect_mut(|client| delete::step(client, &workspace_id, max_rows, place))?)
}

/// Deletes rows of a workspace in a part of a cluster, where it lies or has lain. Gives as `delete_workspace_step`.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn delete_workspace_rows_of_part(
    workspace_id: Option<String>,
    max_rows: Option<i32>,
    place: Option<String>,
    part_of: Option<String>,
) -> Result<Option<String>, ErrorReport> {
    require_tables()?;
    let workspace_id = name("workspace_id", workspace_id)?;
    name("part_of", part_of)?;
    let max_rows = checked(max_rows)?;
    Ok(Spi::connect_mut(|client| delete::rows_of_part(client, &workspace_id, max_rows, place))?)
}

fn checked(max_rows: Option<i32>) -> Result<i32, Error> {
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=delete::STEP).contains(&given) {
        return Err(TenantError::BadMaxRows { limit: delete::STEP, given }.into());
    }
    Ok(given)
}
