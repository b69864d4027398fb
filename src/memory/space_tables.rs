//! Creates and drops embedding spaces: the caller writes their list, their tables are made and
//! dropped as the owner of Kepler's tables, so that nobody needs CREATE on a schema.
//!
//! The work itself is SQL (`embedding_spaces.sql`); here it is decided as whom it runs.

use super::put;
use crate::access::cap;
use crate::access::grant;
use crate::access::level::{Level, Made};
use crate::access::owner::{EMBEDDING_SPACES, Owner, require_right};
use crate::arguments::required;
use crate::error::Error;
use crate::ident::qualified;
use crate::installed::require_tables;
use crate::pg::trigger::{self, Nothing};
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Where the tables of spaces are.
const SCHEMA: &str = "kepler_data";

/// Runs statements as the owner where the caller has the owner's rights anyway, and otherwise as the
/// caller, who needs a right on the list of spaces.
fn administer<T>(
    right: u32,
    run: impl FnOnce(&mut SpiClient<'_>) -> Result<T, Error>,
) -> Result<T, ErrorReport> {
    require_tables()?;
    require_right("embedding_spaces", right)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = Owner::find()?.act_for_administrator(client, EMBEDDING_SPACES)?;
        run(client)
    })?)
}

/// Spaces belong to all workspaces: whoever changes their list is an administrator of all of them. A trigger, as it also
/// holds for the first statement of a session, whose rights were checked before the library was there.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.require_administrator_of_all() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn require_administrator_of_all(trigger: &PgTrigger<'_>) -> Nothing {
    trigger::require_table(trigger, c"embedding_spaces");
    trigger::raise(
        cap::require_in_all(Level::Admin, "change embedding spaces").map_err(Error::from),
    );
    Ok(None)
}

/// Makes a space, and gives its table of embeddings of memories.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces"],
    sql = r#"
CREATE FUNCTION kepler.create_embedding_space(
    space text,
    dimensions integer,
    model text,
    metric text DEFAULT 'cosine'
) RETURNS regclass
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn create_embedding_space(
    space: Option<String>,
    dimensions: Option<i32>,
    model: Option<String>,
    metric: Option<String>,
) -> Result<Option<pg_sys::Oid>, ErrorReport> {
    administer(pg_sys::ACL_INSERT, |client| {
        client.update(
            "SELECT kepler_internal.list_embedding_space($1, $2, $3, $4)",
            None,
            &[space.as_deref().into(), dimensions.into(), model.into(), metric.into()],
        )?;
        // Whoever may not list a space may not have its tables made.
        let space = required("space", space)?;
        make_tables(client, &space)?;
        let made = client.update(
            "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
            None,
            &[qualified(SCHEMA, &tables(&space)[0]).into()],
        )?;
        Ok(made.first().get_one::<pg_sys::Oid>()?)
    })
}

/// Takes a space out of use that no workspace searches.
#[pg_extern(volatile, parallel_unsafe, requires = ["embedding_spaces"])]
#[search_path(pg_catalog, pg_temp)]
fn retire_embedding_space(space: Option<String>) -> Result<(), ErrorReport> {
    administer(pg_sys::ACL_UPDATE, |client| {
        client.update(
            "SELECT kepler_internal.retire_embedding_space($1)",
            None,
            &[space.into()],
        )?;
        Ok(())
    })
}

/// Deletes a space that is retired, with all its embeddings.
#[pg_extern(volatile, parallel_unsafe, requires = ["embedding_spaces"])]
#[search_path(pg_catalog, pg_temp)]
fn drop_embedding_space(space: Option<String>) -> Result<(), ErrorReport> {
    administer(pg_sys::ACL_DELETE, |client| {
        client.update(
            "SELECT kepler_internal.require_retired_space($1)",
            None,
            &[space.as_deref().into()],
        )?;
        let space = required("space", space)?;
        drop_tables(client, &space)?;
        client.update(
            "DELETE FROM kepler.embedding_spaces AS s WHERE s.name = $1",
            None,
            &[space.as_str().into()],
        )?;
        Ok(())
    })
}

/// Makes a space the one that a workspace searches.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces", workspace::current_workspace_id]
)]
#[search_path(pg_catalog, pg_temp)]
fn activate_embedding_space(
    space: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    require_right("workspaces", pg_sys::ACL_UPDATE)?;
    administer(pg_sys::ACL_SELECT, |client| {
        // Whoever is writing memories ends before they are counted, and others begin after: where the workspace lies.
        client.update(
            "SELECT kepler_internal.lock_memories($1)",
            None,
            &[workspace_id.as_str().into()],
        )?;
        client.update(
            "SELECT kepler_internal.activate_embedding_space($1, $2)",
            None,
            &[space.into(), workspace_id.as_str().into()],
        )?;
        Ok(())
    })
}

/// Internal: waits for those who write memories of a workspace, and keeps others from it until the transaction ends.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn lock_memories(workspace_id: Option<String>) -> Result<(), ErrorReport> {
    let workspace_id = required("workspace_id", workspace_id)?;
    require_tables()?;
    require_right("workspaces", pg_sys::ACL_UPDATE)?;
    put::lock(&workspace_id, true);
    Ok(())
}

/// The names of the tables of a space.
fn tables(space: &str) -> [String; 2] {
    [format!("{space}_embeddings"), format!("{space}_message_embeddings")]
}

/// Makes the tables of a space that is listed and has none.
fn make_tables(client: &mut SpiClient<'_>, space: &str) -> Result<(), Error> {
    let owner = Owner::find()?;
    let _place = owner.own_tablespace();
    let _owner = owner.act();
    client.update("SELECT kepler_internal.create_embedding_tables($1)", None, &[space.into()])?;
    for table in tables(space) {
        grant::share_new_table(client, Made::Embeddings, &table)?;
    }
    Ok(())
}

/// Drops the tables of a space, if it is retired.
fn drop_tables(client: &mut SpiClient<'_>, space: &str) -> Result<(), Error> {
    let _owner = Owner::find()?.act();
    let retired = client.update(
        "SELECT FROM kepler.embedding_spaces AS s WHERE s.name = $1 AND s.status = 'RETIRED'",
        None,
        &[space.into()],
    )?;
    if retired.is_empty() {
        return Ok(());
    }
    for table in tables(space) {
        let sql = format!("DROP TABLE IF EXISTS {}", qualified(SCHEMA, &table));
        client.update(&sql, None, &[])?;
    }
    Ok(())
}

/// Internal: a few workspaces that search a space: those that have activated it, and, of the oldest one, those that have activated
/// none and have something to search. Of all workspaces, and so as the owner: who may retire a space may know.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn workspaces_that_search(
    space: Option<String>,
    is_oldest: Option<bool>,
) -> Result<Vec<String>, ErrorReport> {
    let space = required("space", space)?;
    require_tables()?;
    require_right("embedding_spaces", pg_sys::ACL_UPDATE)?;
    Ok(Spi::connect_mut(|client| users_of(client, &space, is_oldest.unwrap_or_default()))?)
}

fn users_of(
    client: &mut SpiClient<'_>,
    space: &str,
    is_oldest: bool,
) -> Result<Vec<String>, Error> {
    let owner = Owner::find()?;
    let _owner = owner.act();
    // A relation that is listed for a space, and is no table of the owner's, is not read.
    let messages = client
        .update(
            "SELECT c.relname::text FROM kepler.embedding_spaces AS s
             JOIN pg_catalog.pg_class AS c ON c.relname::text = s.message_table_name
                 AND c.relnamespace = pg_catalog.to_regnamespace($2)
                 AND c.relkind = 'r' AND NOT c.relhassubclass AND c.relowner = $3
             WHERE s.name = $1",
            None,
            &[space.into(), SCHEMA.into(), owner.role().into()],
        )?
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    let of_messages = messages.map_or_else(
        || "false".to_owned(),
        |table| {
            let table = qualified(SCHEMA, &table);
            format!("EXISTS (SELECT FROM {table} AS e WHERE e.workspace_id = w.id)")
        },
    );
    let rows = client.update(
        format!(
            "SELECT w.id FROM kepler.workspaces AS w
             WHERE w.embedding_space = $1
                 OR (w.embedding_space IS NULL AND $2 AND (
                     EXISTS (SELECT FROM kepler.memories AS m WHERE m.workspace_id = w.id)
                     OR {of_messages}))
             ORDER BY w.id LIMIT 5"
        )
        .as_str(),
        None,
        &[space.into(), is_oldest.into()],
    )?;
    let mut users = Vec::new();
    for row in rows {
        users.extend(row[1].value::<String>()?);
    }
    Ok(users)
}
