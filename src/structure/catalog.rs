//! Reads many tables, and the enums of schemas, from the catalog: one query each, however many they are.

use super::facts::Facts;
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::Rows;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use serde::Deserialize;

thread_local! {
    // As the tables are, not as an older snapshot has them: what was dropped since cannot be printed.
    static IN_SCHEMAS: Statement = const { Statement::new(
        // What is in a schema depends on it, and no index of relations begins with their schema.
        c"SELECT f.facts::text FROM kepler_internal.tables_facts(ARRAY(
              SELECT c.oid
              FROM unnest($1) AS s (name)
              JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.name::name
              JOIN pg_catalog.pg_depend AS d
                  ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
                      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'f')), $2) AS f",
        &[pg_sys::TEXTARRAYOID, pg_sys::BOOLOID],
    ) };
    static NAMED: Statement = const { Statement::new(
        c"SELECT f.facts::text FROM kepler_internal.tables_facts(ARRAY(
              SELECT c.oid
              FROM unnest($1, $2) AS t (schema, name)
              JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema::name
              JOIN pg_catalog.pg_class AS c
                  ON c.relnamespace = n.oid AND c.relname = t.name::name AND c.relkind IN ('r', 'p', 'f')), $3) AS f",
        &[pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::BOOLOID],
    ) };
    static ENUMS: Statement = const { Statement::new(
        c"SELECT pg_catalog.to_json(e)::text FROM kepler_internal.enum_facts($1) AS e",
        &[pg_sys::TEXTARRAYOID],
    ) };
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct EnumFacts {
    #[serde(rename = "schema_name")]
    pub(crate) schema: String,
    #[serde(rename = "type_name")]
    pub(crate) name: String,
    /// In their order.
    #[serde(rename = "labels")]
    pub(crate) values: Vec<String>,
    pub(crate) owner: String,
    pub(crate) description: Option<String>,
}

/// How much is told of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What an exact reading needs.
    Lean,
    /// And what rests on the tables, and all definitions as Postgres prints them.
    Whole,
}

/// All tables (and partitioned and foreign ones) of schemas, by schema and name. A schema need not exist.
pub(crate) fn tables_in(
    client: &SpiClient<'_>,
    schemas: &[&str],
    telling: Telling,
) -> Result<Vec<Facts>, Error> {
    let mut schemas = texts(schemas);
    let parameters = [Some(schemas.datum()), Some((telling == Telling::Whole).into())];
    IN_SCHEMAS.with(|statement| read(statement.run_latest(client, &parameters)))
}

/// Those of the tables that exist, given by schema and name; by schema and name.
pub(crate) fn tables_named(
    client: &SpiClient<'_>,
    tables: &[(&str, &str)],
    telling: Telling,
) -> Result<Vec<Facts>, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().copied().unzip();
    let (mut schemas, mut names) = (texts(&schemas), texts(&names));
    let whole = telling == Telling::Whole;
    let parameters: [Parameter; 3] =
        [Some(schemas.datum()), Some(names.datum()), Some(whole.into())];
    NAMED.with(|statement| read(statement.run_latest(client, &parameters)))
}

/// The enum types of schemas, by schema and name.
pub(crate) fn enums_in(client: &SpiClient<'_>, schemas: &[&str]) -> Result<Vec<EnumFacts>, Error> {
    let mut schemas = texts(schemas);
    let rows = ENUMS.with(|statement| statement.run_latest(client, &[Some(schemas.datum())]));
    let texts = rows.iter::<1>().filter_map(|row| row.text(0).map(serde_json::from_str));
    Ok(texts.collect::<Result<_, _>>()?)
}

fn texts(texts: &[&str]) -> Array {
    Array::texts(texts.iter().copied())
}

fn read(rows: Rows<'_>) -> Result<Vec<Facts>, Error> {
    let facts = rows.iter::<1>().filter_map(|row| row.text(0).map(Facts::read));
    let mut facts = facts.collect::<Result<Vec<_>, _>>()?;
    facts.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(facts)
}
