//! The rights of levels on tables of blueprints, which have sequences and schemas of their own.

use super::grant::run;
use super::level::{self, Level, Made};
use super::members;
use super::owner::Owner;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::pg::relation;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Gives every role that has a level its rights on tables of blueprints, by schema and name. Called as the owner.
pub(crate) fn share_blueprint_tables(
    client: &mut SpiClient<'_>,
    owner: Owner,
    tables: &[(&str, &str)],
) -> Result<(), Error> {
    let tables = blueprint_tables(client, owner, Some(tables))?;
    for (role, levels) in members::roles(client)? {
        for (on, level) in tables.iter().flat_map(|on| levels.iter().map(move |level| (on, level)))
        {
            on.give(client, &role, level)?;
        }
    }
    Ok(())
}

/// Gives the roles with a level their rights on sequences of new columns, as far as they still have theirs on the tables:
/// schemas, tables and columns. Called as the owner.
pub(crate) fn share_new_columns(
    client: &mut SpiClient<'_>,
    columns: &[(&str, &str, &str)],
) -> Result<(), Error> {
    if columns.is_empty() {
        return Ok(());
    }
    let schemas: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let tables: Vec<&str> = columns.iter().map(|column| column.1).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.2).collect();
    let rows = client.update(
        "SELECT w.s, q.relname::text, c.oid
         FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
             AS w (s, t, a)
         JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = w.s
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = w.t
         JOIN pg_catalog.pg_attribute AS f ON f.attrelid = c.oid AND f.attname::text = w.a
         JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refobjid = c.oid AND d.refobjsubid = f.attnum AND d.deptype = 'a'
         JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S' AND q.relnamespace = n.oid
         ORDER BY 1, 2",
        None,
        &[schemas.into(), tables.into(), names.into()],
    )?;
    let mut sequences = Vec::new();
    for row in rows {
        let schema = row[1].value::<String>()?.unwrap_or_default();
        let name = row[2].value::<String>()?.unwrap_or_default();
        sequences.push((qualified(&schema, &name), row[3].value::<pg_sys::Oid>()?));
    }
    if sequences.is_empty() {
        return Ok(());
    }
    for (role, level) in members::roles(client)?.into_iter().flat_map(|(role, levels)| {
        levels.iter().map(move |level| (role.clone(), level)).collect::<Vec<_>>()
    }) {
        for (sequence, table) in &sequences {
            let Some(grant) = level::grant_on_sequence(level, sequence, &level::role_sql(&role))
            else {
                continue;
            };
            let right = if grant.contains("USAGE") { "INSERT" } else { "SELECT" };
            let has = client
                .update(
                    "SELECT pg_catalog.has_any_column_privilege($1::name, $2::oid, $3)",
                    None,
                    &[role.as_str().into(), (*table).into(), right.into()],
                )?
                .first()
                .get_one::<bool>()?;
            if has == Some(true) {
                run(client, &grant)?;
            }
        }
    }
    Ok(())
}

/// A table of a blueprint that belongs to the owner.
pub(super) struct OfBlueprint {
    pub(super) schema: String,
    pub(super) table: String,
    /// Those that columns take numbers from.
    pub(super) sequences: Vec<String>,
    /// Whether the schema belongs to the owner too.
    pub(super) is_own_schema: bool,
}

impl OfBlueprint {
    pub(super) fn give(
        &self,
        client: &mut SpiClient<'_>,
        role: &str,
        level: Level,
    ) -> Result<(), Error> {
        let name = level::role_sql(role);
        if self.is_own_schema {
            let usable = client
                .update(
                    "SELECT pg_catalog.has_schema_privilege($1::name, $2, 'USAGE')",
                    None,
                    &[role.into(), self.schema.as_str().into()],
                )?
                .first()
                .get_one::<bool>()?;
            // A grant writes to the catalog, also where it changes nothing.
            if usable != Some(true) {
                run(client, &format!("GRANT USAGE ON SCHEMA {} TO {name}", quote(&self.schema)))?;
            }
        }
        let on = qualified(&self.schema, &self.table);
        if let Some(grant) = level::grant_on_made(level, Made::Blueprint, &on, &name) {
            run(client, &grant)?;
        }
        for sequence in &self.sequences {
            let sequence = qualified(&self.schema, sequence);
            if let Some(grant) = level::grant_on_sequence(level, &sequence, &name) {
                run(client, &grant)?;
            }
        }
        Ok(())
    }
}

/// The tables of all blueprints, or some of them, that belong to the owner.
pub(super) fn blueprint_tables(
    client: &mut SpiClient<'_>,
    owner: Owner,
    some: Option<&[(&str, &str)]>,
) -> Result<Vec<OfBlueprint>, Error> {
    // An installation of an earlier version has no such list yet.
    if relation::named(c"kepler", c"blueprint_tables").is_none() {
        return Ok(Vec::new());
    }
    let (schemas, names): (Vec<&str>, Vec<&str>) = some.unwrap_or_default().iter().copied().unzip();
    let rows = client.update(
        "SELECT t.schema_name, t.table_name, n.nspowner = $1, ARRAY(
             SELECT s.relname::text FROM pg_catalog.pg_depend AS d
             JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = c.relnamespace
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND d.refobjid = c.oid AND d.refobjsubid > 0 AND d.deptype = 'a'
             ORDER BY 1)
         FROM kepler.blueprint_tables AS t
         JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = t.schema_name
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = t.table_name
             AND c.relkind = 'r' AND c.relowner = $1
         WHERE $2 OR (t.schema_name, t.table_name) IN (
             SELECT w.s, w.n FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS w (s, n))
         ORDER BY 1, 2",
        None,
        &[owner.role().into(), some.is_none().into(), schemas.into(), names.into()],
    )?;
    let mut tables = Vec::new();
    for row in rows {
        tables.push(OfBlueprint {
            schema: row[1].value::<String>()?.unwrap_or_default(),
            table: row[2].value::<String>()?.unwrap_or_default(),
            is_own_schema: row[3].value::<bool>()?.unwrap_or_default(),
            sequences: row[4].value::<Vec<String>>()?.unwrap_or_default(),
        });
    }
    Ok(tables)
}
