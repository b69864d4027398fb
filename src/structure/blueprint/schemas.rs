//! Schemas that a blueprint made and that it leaves: what is in them, and whether anybody has a wish for them.

use super::error::BlueprintError;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::advisory;
use crate::structure::locks::Patience;
use pgrx::spi::SpiClient;
use std::collections::BTreeSet;

/// A schema of the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeSchema {
    pub(crate) name: String,
    /// Tables and enums.
    pub(crate) tables: Vec<String>,
    pub(crate) types: Vec<String>,
    /// Something else is in it; or somebody gave it a comment, or rights to others than the roles that have a level of access.
    pub(crate) kept: bool,
}

impl MadeSchema {
    pub(crate) fn is_left(&self) -> bool {
        !self.kept && self.tables.is_empty() && self.types.is_empty()
    }
}

/// Those of some schemas that the owner has.
pub(crate) fn load(client: &mut SpiClient<'_>, names: &[&str]) -> Result<Vec<MadeSchema>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let owner = Owner::find()?;
    let _owner = owner.act();
    let rows = client.update(
        "WITH made AS MATERIALIZED (
             SELECT n.oid, n.nspname::text AS name, n.nspacl FROM pg_catalog.pg_namespace AS n
             WHERE n.nspname::text = ANY ($1) AND n.nspowner = $2
         ), inside AS MATERIALIZED (
             SELECT m.oid, coalesce(c.relname, t.typname)::text AS name, c.relkind = 'r' AS is_table,
                 t.typtype = 'e' AS is_enum
             FROM made AS m JOIN pg_catalog.pg_depend AS d
                 ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = m.oid AND d.deptype = 'n'
             LEFT JOIN pg_catalog.pg_class AS c
                 ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
             LEFT JOIN pg_catalog.pg_type AS t
                 ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
             -- A sequence goes with the column that owns it.
             WHERE NOT (c.relkind IS NOT DISTINCT FROM 'S' AND EXISTS (
                 SELECT FROM pg_catalog.pg_depend AS o
                 WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid
                     AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.deptype IN ('a', 'i')))
         )
         SELECT m.name, ARRAY(SELECT i.name FROM inside AS i WHERE i.oid = m.oid AND i.is_table ORDER BY 1),
             ARRAY(SELECT i.name FROM inside AS i WHERE i.oid = m.oid AND i.is_enum ORDER BY 1),
             pg_catalog.obj_description(m.oid, 'pg_namespace') IS NOT NULL
             OR EXISTS (SELECT FROM inside AS i WHERE i.oid = m.oid AND i.is_table IS NOT TRUE AND i.is_enum IS NOT TRUE)
             OR EXISTS (SELECT FROM pg_catalog.pg_default_acl AS a WHERE a.defaclnamespace = m.oid)
             OR EXISTS (SELECT FROM pg_catalog.aclexplode(m.nspacl) AS x WHERE x.grantee <> $2
                 AND NOT (x.privilege_type = 'USAGE' AND NOT x.is_grantable AND pg_catalog.pg_get_userbyid(x.grantee)::text IN (
                     SELECT l.role_name FROM kepler.access_levels AS l UNION SELECT m.role_name FROM kepler.workspace_members AS m)))
         FROM made AS m ORDER BY 1",
        None,
        &[names.to_vec().into(), owner.role().into()],
    )?;
    let mut found = Vec::new();
    for row in rows {
        found.push(MadeSchema {
            name: row[1].value::<String>()?.unwrap_or_default(),
            tables: row[2].value::<Vec<String>>()?.unwrap_or_default(),
            types: row[3].value::<Vec<String>>()?.unwrap_or_default(),
            kept: row[4].value::<bool>()?.unwrap_or(true),
        });
    }
    Ok(found)
}

/// Takes schemas for this transaction, so that two blueprints do not make things in one at once.
pub(crate) fn claim(names: &BTreeSet<String>, patience: Patience) -> Result<(), Error> {
    for name in names {
        let lock = format!("kepler blueprint schema {name}");
        if !(0..patience.attempts.max(1)).any(|_| advisory::lock_alone_soon(&lock)) {
            return Err(BlueprintError::SchemaBusy(name.clone()).into());
        }
    }
    Ok(())
}
