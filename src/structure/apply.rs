//! Does what was planned, as the owner of Kepler's tables, in the caller's transaction.

use super::ddl::{Dialect, unique_expressions};
use super::error::StructureError;
use super::facts::Facts;
use super::observe::{Observed, observe};
use super::registry::SCHEMA;
use super::step::{Class, Requirement, Step};
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::pg::plan::LocalSettings;
use crate::pg::role::{self, ActAs};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::CStr;

/// Conversions and defaults mean the same whatever the session prefers.
const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"check_function_bodies", c"on"),
];

/// How long and how often a lock is tried for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) lock_timeout_ms: i32,
    pub(crate) attempts: i32,
}

/// What the generated SQL needs to know of this database.
pub(crate) fn dialect(client: &SpiClient<'_>) -> Result<Dialect, Error> {
    let vector_schema = client
        .select(
            "SELECT n.nspname::text FROM pg_catalog.pg_extension AS e
             JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
             WHERE e.extname = 'vector'",
            None,
            &[],
        )?
        .into_iter()
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    Ok(Dialect { vector_schema: vector_schema.unwrap_or_else(|| "public".to_owned()) })
}

/// What the catalog says of an entry table.
pub(crate) fn observe_entry_table(
    client: &SpiClient<'_>,
    table_name: &str,
) -> Result<Observed, Error> {
    let facts = client
        .select(
            "SELECT kepler._table_facts(c.oid)::text
             FROM pg_catalog.pg_class AS c
             WHERE c.relname = $1 AND c.relkind = 'r'
                 AND c.relnamespace = pg_catalog.to_regnamespace($2)",
            None,
            &[table_name.into(), SCHEMA.into()],
        )?
        .into_iter()
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten()
        .ok_or_else(|| StructureError::TableGone(table_name.to_owned()))?;
    Ok(observe(&serde_json::from_str::<Facts>(&facts)?))
}

/// The role that owns what Kepler makes.
pub(crate) fn owner(client: &SpiClient<'_>) -> Result<pg_sys::Oid, Error> {
    let owner = client
        .select(
            "SELECT c.relowner FROM pg_catalog.pg_class AS c
             WHERE c.oid = 'kepler.entry_tables'::pg_catalog.regclass",
            None,
            &[],
        )?
        .first()
        .get_one::<pg_sys::Oid>()?;
    Ok(owner.unwrap_or(role::current()))
}

/// Waits for the locks that the steps take on an entry table and on those that it refers to, in short
/// attempts.
pub(crate) fn lock(
    client: &mut SpiClient<'_>,
    table_name: &str,
    steps: &[Step],
    referred: &[String],
    patience: Patience,
) -> Result<(), Error> {
    let Some(mode) = steps.iter().map(|step| step.lock).max() else { return Ok(()) };
    let mut relations = vec![qualified(SCHEMA, table_name)];
    let mut modes = vec![mode.name().to_owned()];
    for other in referred {
        relations.push(qualified(SCHEMA, other));
        modes.push("SHARE ROW EXCLUSIVE".to_owned());
    }
    let _owner = ActAs::role(owner(client)?);
    client.update(
        "SELECT kepler._lock_relations($1::pg_catalog.regclass[], $2, $3, $4)",
        None,
        &[
            relations.into(),
            modes.into(),
            patience.lock_timeout_ms.into(),
            patience.attempts.into(),
        ],
    )?;
    Ok(())
}

/// Refuses what is refused, and what was not allowed.
pub(crate) fn check_permission(steps: &[Step], allow: &[Class]) -> Result<(), StructureError> {
    let describe = |step: &Step| {
        let mut line = format!("{} \"{}\"", step.operation, step.object);
        match step.class {
            Class::Refused => line.push_str(&format!(": {}", step.hazards.join("; "))),
            class => line.push_str(&format!(" ({}): {}", class.name(), step.sql)),
        }
        line
    };
    let refused: Vec<String> =
        steps.iter().filter(|step| step.class == Class::Refused).map(describe).collect();
    if !refused.is_empty() {
        return Err(StructureError::Refused(refused));
    }
    let missing: Vec<&Step> = steps
        .iter()
        .filter(|step| step.class.needs_permission() && !allow.contains(&step.class))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut classes: Vec<Class> = missing.iter().map(|step| step.class).collect();
    classes.sort_unstable();
    classes.dedup();
    Err(StructureError::NotAllowed {
        classes: classes.into_iter().map(Class::name).collect(),
        steps: missing.into_iter().map(describe).collect(),
    })
}

/// Runs the steps. Rows that stand in the way of any of them are all told at once, by their `key`, as it
/// is called when all columns are renamed.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    table_name: &str,
    key: &str,
    steps: &[Step],
) -> Result<(), Error> {
    let table = qualified(SCHEMA, table_name);
    let _owner = ActAs::role(owner(client)?);
    let _settings = LocalSettings::set(SETTINGS);
    let mut failures = Vec::new();
    for step in steps {
        pgrx::check_for_interrupts!();
        if let Some(requirement) = &step.require
            && let Some(failure) = look(client, &table, key, requirement, !failures.is_empty())?
        {
            failures.push(format!("{} \"{}\": {failure}", step.operation, step.object));
        }
        // What follows a step that cannot be done is only looked at.
        if failures.is_empty() {
            client.update(&step.sql, None, &[])?;
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(StructureError::RowsInTheWay(failures).into()) }
}

/// How many entries stand in the way, and which. A `lenient` look finds none where it does not fit the
/// table, because a step before was not done.
fn look(
    client: &mut SpiClient<'_>,
    table: &str,
    key: &str,
    requirement: &Requirement,
    lenient: bool,
) -> Result<Option<String>, Error> {
    let key = quote(key);
    let (problem, query) = match requirement {
        Requirement::NoRow { problem, condition } => (
            problem.clone(),
            format!("SELECT t.{key} AS key FROM ONLY {table} AS t WHERE {condition}"),
        ),
        Requirement::NoDuplicates(columns) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let present: Vec<String> =
                names.iter().map(|name| format!("{} IS NOT NULL", quote(name))).collect();
            (
                format!("the same \"{}\" as another entry", names.join("\", \"")),
                format!(
                    "SELECT d.key FROM (SELECT {key} AS key, pg_catalog.count(*) OVER (PARTITION BY {}) \
                     AS same FROM ONLY {table} WHERE {}) AS d WHERE d.same > 1",
                    unique_expressions(columns).join(", "),
                    present.join(" AND ")
                ),
            )
        }
        Requirement::NoOrphans(reference) => {
            let target = &reference.target;
            let column = quote(&reference.column);
            (
                format!("\"{}\" refers to an entry that is not there", reference.column),
                format!(
                    "SELECT t.{key} AS key FROM ONLY {table} AS t WHERE t.{column} IS NOT NULL AND NOT \
                     EXISTS (SELECT FROM ONLY {} AS o WHERE o.{} = t.{column})",
                    qualified(&target.schema, &target.table),
                    quote(&target.key.name)
                ),
            )
        }
    };
    let row = client
        .update(
            "SELECT rows, keys FROM kepler._rows_in_the_way($1, $2)",
            None,
            &[query.into(), lenient.into()],
        )?
        .first();
    let (rows, keys) = row.get_two::<i64, Vec<String>>()?;
    Ok(rows.filter(|rows| *rows > 0).map(|rows| {
        let keys = keys.unwrap_or_default();
        let more = if rows as usize > keys.len() { ", …" } else { "" };
        let entries = if rows == 1 { "entry" } else { "entries" };
        format!("{rows} {entries}: {problem} (keys {}{more})", keys.join(", "))
    }))
}
