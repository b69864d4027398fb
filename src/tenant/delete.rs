//! Deletes workspaces, a part in each transaction.

use crate::access::owner::Owner;
use crate::enrichment::direct::Own;
use crate::error::Error;
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
