//! Rights on `kepler.inbox` on a cluster.
//!
//! No policy says whose a row of the inbox is, since COPY takes none. On one server the rights do: levels may insert into some
//! columns, and the workspace is none of them. Citus sends rows with all of their columns, so that parts must let roles insert into
//! all. There a check looks at each row, and `cap` keeps sessions to the columns of their levels.
//!
//! Where the check is not, roles are not given the right, and rows of those who have it are refused.

use super::current::{WorkspaceError, workspace_id};
use super::grant::run;
use super::level::{self, Level, Levels};
use super::members;
use super::membership::{self, Standing};
use super::owner::Owner;
use crate::error::Error;
use crate::pg::whole::Spi;
use crate::pg::{relation, role};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::{CStr, c_char};

unsafe extern "C-unwind" {
    /// `src/include/catalog/pg_constraint.h` of Postgres 16 to 18.
    fn get_relation_constraint_oid(
        relation: pg_sys::Oid,
        name: *const c_char,
        missing_ok: bool,
    ) -> pg_sys::Oid;
}

const CHECK: &CStr = c"inbox_rows_of_session";

/// Most rows are of the session's workspace, which costs them no more than a policy would.
const CONDITION: &str =
    "workspace_id = kepler.current_workspace_id() OR kepler_internal.may_take_in(workspace_id)";

/// Whether the check is there. The node of a part has it where the table has it.
pub(super) fn is_checked() -> bool {
    let Some(rows) = relation::named_exactly(c"kepler", c"inbox_rows") else { return false };
    // SAFETY: a look-up in the catalog, of a table that is there; the guard catches what it raises.
    let found = unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            get_relation_constraint_oid(rows, CHECK.as_ptr(), true)
        })
    };
    found != pg_sys::InvalidOid
}

/// Gives a role what its levels have on the inbox beside the columns. Called as the owner.
pub(super) fn share(client: &mut SpiClient<'_>, role: &str, levels: Levels) -> Result<(), Error> {
    let to = level::role_sql(role);
    let takes_in = levels.iter().any(|level| level::grant_on_inbox(level, &to).is_some());
    if takes_in && is_checked() {
        run(client, &format!("GRANT INSERT ON TABLE kepler.inbox TO {to}"))?;
    }
    Ok(())
}

/// Takes what was given beside the columns, from whoever has both: also from a role that is on no list any more. Called as the owner.
fn take(client: &mut SpiClient<'_>) -> Result<(), Error> {
    let rows = client.update(
        "SELECT r.rolname::text
         FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
         JOIN pg_catalog.pg_roles AS r ON r.oid = x.grantee
         WHERE c.oid = 'kepler.inbox'::pg_catalog.regclass AND x.privilege_type = 'INSERT' AND EXISTS (
             SELECT FROM pg_catalog.pg_attribute AS a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS y
             WHERE a.attrelid = c.oid AND a.attname = 'line' AND y.grantee = x.grantee AND y.privilege_type = 'INSERT')
         ORDER BY r.rolname",
        None,
        &[],
    )?;
    let mut roles = Vec::new();
    for row in rows {
        roles.extend(row[1].value::<String>()?);
    }
    for role in roles {
        let to = level::role_sql(&role);
        // It takes the rights on columns too.
        run(client, &format!("REVOKE INSERT ON TABLE kepler.inbox FROM {to}"))?;
        if let Some(grant) = level::grant_on_inbox(Level::Writer, &to) {
            run(client, &grant)?;
        }
    }
    Ok(())
}

/// Internal: puts the check of the inbox in its place, or takes it away, and gives roles the rights that they have with it, or
/// without.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn guard_inbox(is_needed: bool) -> Result<(), ErrorReport> {
    let owner = Owner::find()?;
    owner.require_caller("distribute them").map_err(Error::from)?;
    Ok(Spi::connect_mut(|client| guard(client, owner, is_needed))?)
}

/// The same. Without a cluster nothing is there, but in a copy of a database that was part of one.
pub(crate) fn guard(
    client: &mut SpiClient<'_>,
    owner: Owner,
    is_needed: bool,
) -> Result<(), Error> {
    let _owner = owner.act();
    let name = CHECK.to_string_lossy();
    match (is_needed, is_checked()) {
        (true, is_there) => {
            if !is_there {
                run(
                    client,
                    &format!(
                        "ALTER TABLE kepler.inbox_rows ADD CONSTRAINT {name} CHECK ({CONDITION})"
                    ),
                )?;
            }
            for (role, levels) in members::roles(client)? {
                share(client, &role, levels)?;
            }
        }
        // The rights go before what they rest on.
        (false, is_there) => {
            take(client)?;
            if is_there {
                run(client, &format!("ALTER TABLE kepler.inbox_rows DROP CONSTRAINT {name}"))?;
            }
        }
    }
    Ok(())
}

/// Internal: whether a row of the inbox of another workspace than the session's may be stored: by the owner, who moves rows and
/// restores them. Fails for everybody else.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
fn may_take_in(workspace_id_of_row: &str) -> Result<bool, ErrorReport> {
    if matches!(*membership::standing(role::current()), Standing::Anywhere) {
        return Ok(true);
    }
    let own = workspace_id()?;
    if own == workspace_id_of_row {
        return Ok(true);
    }
    Err(Error::from(WorkspaceError::Foreign { asked: workspace_id_of_row.to_owned(), own }).into())
}
