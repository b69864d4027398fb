//! Makes workspaces.

use super::error::TenantError;
use crate::access::level::Level;
use crate::access::membership::{self, Standing};
use crate::access::owner::{INSTALLED, Owner};
use crate::error::Error;
use crate::pg::role;
use pgrx::spi::SpiClient;

/// Makes a workspace, as the owner: an administrator of all workspaces sees, by row security, none but the session's.
pub(super) fn create(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    name: &str,
) -> Result<(), Error> {
    let owner = Owner::find()?;
    let (caller, caller_is_owner) = (role::current(), owner.is_caller());
    owner.require_own_code(client, INSTALLED)?;
    let _owner = owner.act();
    if !caller_is_owner && !administers_all(caller) {
        return Err(TenantError::MayNotCreate { role: role::name(caller) }.into());
    }
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

/// Whether a role has, or inherits, the level admin in all workspaces.
fn administers_all(role: pgrx::pg_sys::Oid) -> bool {
    match &*membership::standing(role) {
        Standing::Anywhere => true,
        Standing::Member(member) => member.everywhere.has(Level::Admin),
        Standing::NoLevel | Standing::Nowhere => false,
    }
}
