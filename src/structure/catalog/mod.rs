//! Reads many tables from the catalog: a handful of queries, however many they are.
//!
//! What one query would join, Rust puts together: the plans are small, the same for one table as for a thousand, and
//! nothing is told twice. All queries share one snapshot.

mod cells;
mod read;
mod statements;

use super::facts::{Dependent, Facts};
use crate::error::Error;
use crate::pg::array::{Array, OID};
use crate::pg::local_settings::LocalSettings;
use crate::pg::rows::Rows;
use crate::pg::snapshot::LatestSnapshot;
use crate::structure::meaning::PRINTING;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// How much is told of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What an exact reading needs.
    Lean,
    /// And what rests on the tables.
    Whole,
}

/// All tables (and partitioned and foreign ones) of schemas, by schema and name. A schema need not exist.
pub(crate) fn tables_in(
    client: &SpiClient<'_>,
    schemas: &[&str],
    telling: Telling,
) -> Result<Vec<Facts>, Error> {
    let mut schemas = texts(schemas);
    let _settings = LocalSettings::set(PRINTING);
    let snapshot = LatestSnapshot::take(client);
    let relations = statements::IN_SCHEMAS
        .with(|statement| oids(&snapshot.run(client, statement, &[Some(schemas.datum())])));
    tables(client, &snapshot, &relations, telling)
}

/// Those of the tables that exist, given by schema and name; by schema and name.
pub(crate) fn tables_named(
    client: &SpiClient<'_>,
    tables: &[(&str, &str)],
    telling: Telling,
) -> Result<Vec<Facts>, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().copied().unzip();
    let (mut schemas, mut names) = (texts(&schemas), texts(&names));
    let _settings = LocalSettings::set(PRINTING);
    let snapshot = LatestSnapshot::take(client);
    let parameters = [Some(schemas.datum()), Some(names.datum())];
    let relations =
        statements::NAMED.with(|statement| oids(&snapshot.run(client, statement, &parameters)));
    self::tables(client, &snapshot, &relations, telling)
}

fn tables(
    client: &SpiClient<'_>,
    snapshot: &LatestSnapshot,
    relations: &[pg_sys::Oid],
    telling: Telling,
) -> Result<Vec<Facts>, Error> {
    let mut facts = read::Reader { client, snapshot, relations: oid_array(relations) }.read()?;
    facts.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    if telling == Telling::Whole {
        dependents(client, snapshot, &mut facts)?;
    }
    Ok(facts)
}

/// Tells what rests on tables.
pub(crate) fn add_dependents(client: &SpiClient<'_>, tables: &mut [Facts]) -> Result<(), Error> {
    let _settings = LocalSettings::set(PRINTING);
    dependents(client, &LatestSnapshot::take(client), tables)
}

fn dependents(
    client: &SpiClient<'_>,
    snapshot: &LatestSnapshot,
    tables: &mut [Facts],
) -> Result<(), Error> {
    let relations: Vec<_> = tables.iter().map(|table| pg_sys::Oid::from(table.oid)).collect();
    let mut relations = oid_array(&relations);
    let rows = statements::DEPENDENTS
        .with(|statement| snapshot.run(client, statement, &[Some(relations.datum())]));
    let mut found = Vec::new();
    for row in rows.iter::<6>() {
        let (Some(oid), Some(kind), Some(name)) = (row.oid(0), row.text(1), row.text(2)) else {
            continue;
        };
        found.push((
            oid.to_u32(),
            kind,
            name,
            row.text(3),
            row.boolean(4) == Some(true),
            row.text(5),
        ));
    }
    found.sort();
    let places: HashMap<u32, usize> =
        tables.iter().enumerate().map(|(at, table)| (table.oid, at)).collect();
    for (oid, kind, name, column, keeps_type, leads_to) in found {
        let Some(table) = places.get(&oid).and_then(|at| tables.get_mut(*at)) else { continue };
        table.dependents.push(Dependent {
            column: column.map(str::to_owned),
            kind: serde_json::from_value(kind.into())?,
            name: name.to_owned(),
            keeps_type,
            leads_to: leads_to.map(str::to_owned),
        });
    }
    Ok(())
}

fn texts(texts: &[&str]) -> Array {
    Array::texts(texts.iter().copied())
}

fn oids(rows: &Rows<'_>) -> Vec<pg_sys::Oid> {
    rows.iter::<1>().filter_map(|row| row.oid(0)).collect()
}

fn oid_array(oids: &[pg_sys::Oid]) -> Array {
    let mut array = Array::new(OID);
    oids.iter().for_each(|oid| array.push_bytes(&oid.to_u32().to_ne_bytes()));
    array
}
