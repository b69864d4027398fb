//! Deletes workspaces, a part in each transaction.

use crate::access::owner::Owner;
use crate::enrichment::direct::Own;
use crate::error::Error;
use crate::pg::relation;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

const WHAT: &str = "delete a workspace";

/// A step deletes at most so many rows.
pub(super) const STEP: i32 = 100_000;

/// Marks a workspace, so that nothing works in it from then on. Fails if it holds rows, unless these may go.
pub(super) fn begin(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    with_rows: bool,
) -> Result<(), Error> {
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    let _owner = owner.act();
    client.update(
        "SELECT kepler_internal.mark_workspace_deleted($1, $2)",
        None,
        &[workspace_id.into(), with_rows.into()],
    )?;
    Ok(())
}

/// Deletes a part. `place`: what the step before gave; gives None when nothing is left.
pub(super) fn step(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    max_rows: i32,
    place: Option<String>,
) -> Result<Option<String>, Error> {
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    owner.require_own_event_triggers(client)?;
    if take_access(client, owner, workspace_id)? {
        return Ok(Some("{}".to_owned()));
    }
    let _owner = owner.act();
    // What keeps the queue in order under direct SQL would put back what is deleted here.
    let _own = Own::begin();
    let place = client
        .update(
            "SELECT kepler_internal.delete_workspace_part($1, $2, $3::pg_catalog.jsonb)::pg_catalog.text",
            None,
            &[workspace_id.into(), max_rows.into(), place.into()],
        )?
        .first()
        .get_one::<String>()?;
    Ok(place)
}

/// Deletes rows of a workspace from the tables in the part that the session looks into, as `step` does.
pub(super) fn rows_of_part(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    max_rows: i32,
    place: Option<String>,
) -> Result<Option<String>, Error> {
    let owner = Owner::find()?;
    owner.require_caller(WHAT)?;
    let _owner = owner.act();
    let _own = Own::begin();
    let place = client
        .update(
            "SELECT kepler_internal.delete_workspace_rows($1, $2, $3::pg_catalog.jsonb, true)::pg_catalog.text",
            None,
            &[workspace_id.into(), max_rows.into(), place.into()],
        )?
        .first()
        .get_one::<String>()?;
    Ok(place)
}

/// Takes the access to the workspace from a role that has it, as the caller. Without a level left, rights on the tables would
/// open the workspace `default` to the role.
fn take_access(
    client: &mut SpiClient<'_>,
    owner: Owner,
    workspace_id: &str,
) -> Result<bool, Error> {
    if relation::named(c"kepler", c"workspace_members").is_none() {
        return Ok(false);
    }
    let member = {
        let _owner = owner.act();
        client
            .update(
                "SELECT r.oid FROM kepler.workspace_members AS m
                 JOIN pg_catalog.pg_roles AS r ON r.rolname::pg_catalog.text = m.role_name
                 JOIN kepler.workspaces AS w ON w.id = m.workspace_id AND w.deleting_at IS NOT NULL
                 WHERE m.workspace_id = $1 AND r.oid <> $2 ORDER BY r.oid LIMIT 1",
                None,
                &[workspace_id.into(), owner.role().into()],
            )?
            .next()
            .map(|row| row[1].value::<pg_sys::Oid>())
            .transpose()?
            .flatten()
    };
    let Some(member) = member else { return Ok(false) };
    let taken = client
        .update(
            "SELECT kepler.revoke_access($1::pg_catalog.regrole, $2)",
            None,
            &[member.into(), workspace_id.into()],
        )?
        .first()
        .get_one::<bool>()?;
    Ok(taken == Some(true))
}
