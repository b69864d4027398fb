//! `kepler.prisma_schema`.

use super::documents::Documents;
use super::error::WriteError;
use super::facts::{Expressions, Facts};
use super::write;
use crate::access::level::SCHEMA;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::local_settings::{LocalSettings, initial_value};
use crate::pg::relation;
use crate::pg::whole::Spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A schema.prisma for a schema of the database.
///
/// Errors: 22004 for no name, 3F000 for a schema that does not exist, 22023 for one of Postgres' own or whose tables refer to
/// others, 55000 before `install()`.
#[pg_extern(
    requires = ["prisma"],
    sql = "
CREATE FUNCTION kepler.prisma_schema(schema_names text DEFAULT 'kepler') RETURNS text
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn prisma_schema(schema_names: Option<String>) -> Result<String, ErrorReport> {
    Ok(text(vec![schema_names])?)
}

/// The same for several at once.
#[pg_extern(
    requires = ["prisma"],
    sql = "
CREATE FUNCTION kepler.prisma_schema(schema_names text[]) RETURNS text
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn prisma_schema_of_several(
    schema_names: Option<Vec<Option<String>>>,
) -> Result<String, ErrorReport> {
    Ok(text(schema_names.unwrap_or_default())?)
}

fn text(schemas: Vec<Option<String>>) -> Result<String, Error> {
    let schemas: Option<Vec<String>> = schemas.into_iter().collect();
    let schemas = schemas.filter(|schemas| !schemas.is_empty()).ok_or(WriteError::NoSchemas)?;
    if let Some(own) = schemas.iter().find(|name| is_system(name)) {
        return Err(WriteError::System(own.clone()).into());
    }
    if schemas.iter().any(|name| name == SCHEMA) {
        require_tables()?;
    }
    let facts: Facts =
        one("SELECT kepler_internal.prisma_facts($1)::text", schemas.clone().into())?;
    if let Some(missing) = schemas.iter().find(|name| !facts.schemas.contains(name)) {
        return Err(WriteError::NoSuchSchema(missing.clone()).into());
    }
    let tables: Vec<pg_sys::Oid> = facts.tables.iter().map(|table| table.oid.into()).collect();
    let expressions: Expressions = {
        // As Prisma's engine finds them in a session of its own.
        let path = initial_value(c"search_path");
        let _settings = LocalSettings::set(&[
            (c"search_path", path.as_c_str()),
            (c"datestyle", c"ISO, MDY"),
            (c"intervalstyle", c"postgres"),
            (c"bytea_output", c"hex"),
            (c"extra_float_digits", c"1"),
            (c"standard_conforming_strings", c"on"),
            (c"quote_all_identifiers", c"off"),
        ]);
        one("SELECT kepler_internal.prisma_expressions($1)::pg_catalog.text", tables.into())?
    };
    let documents = match relation::named(c"kepler", c"blueprints") {
        Some(_) => Documents::of(&schemas)?,
        None => Documents::default(),
    };
    Ok(write(&facts, &expressions, &documents)?)
}

fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

fn one<T: serde::de::DeserializeOwned + std::default::Default>(
    query: &str,
    argument: pgrx::datum::DatumWithOid<'_>,
) -> Result<T, Error> {
    let found = Spi::connect(|client| {
        client.select(query, Some(1), &[argument])?.first().get_one::<String>()
    })?;
    Ok(found.map_or_else(|| Ok(T::default()), |found| serde_json::from_str(&found))?)
}
