//! Makes workspaces.

use super::error::TenantError;
use crate::access::cap;
use crate::access::level::Level;
use crate::access::owner::{Owner, WORKSPACES, require_right};
use crate::error::Error;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// Makes a workspace, as the owner: an administrator of all workspaces sees, by row security, none but the session's.
pub(super) fn create(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    name: &str,
) -> Result<(), Error> {
    let owner = Owner::find()?;
    if !owner.is_caller() {
        cap::require_in_all(Level::Admin, "create workspaces")?;
        require_right("workspaces", pg_sys::ACL_INSERT)?;
    }
    owner.require_own_code(client, WORKSPACES)?;
    let _owner = owner.act();
    let made = client.update(
        "INSERT INTO kepler.workspaces (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING 1",
        None,
        &[workspace_id.into(), name.into()],
    )?;
    if made.is_empty() {
        return Err(TenantError::Exists(workspace_id.to_owned()).into());
    }
    Ok(())
}
