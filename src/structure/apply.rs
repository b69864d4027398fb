//! Does what was planned, as the owner of Kepler's tables, in the caller's transaction.

use super::ddl::{Dialect, unique_expressions};
use super::error::StructureError;
use super::facts::Facts;
use super::observe::{Observed, Reading, observe};
use super::registry::SCHEMA;
use super::step::{Class, Lock, Requirement, Step};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::{CStr, CString};

/// Conversions and defaults mean the same whatever the session prefers.
const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"check_function_bodies", c"on"),
    // Where policies are to hold for the owner too, a look at the rows fails: it would not see all of them.
    (c"row_security", c"off"),
];

thread_local! {
    // What is changed is the table as it is, not as an older snapshot has it.
    static FACTS: Statement = const { Statement::new(
        c"SELECT kepler_internal.table_facts(c.oid::pg_catalog.regclass)::text
          FROM pg_catalog.pg_class AS c
          WHERE c.relname = $1::name AND c.relkind = 'r'
              AND c.relnamespace = pg_catalog.to_regnamespace($2)",
        &[pg_sys::TEXTOID; 2],
    ) };
    static ROWS_IN_THE_WAY: Statement = const { Statement::new(
        c"SELECT rows, keys FROM kepler_internal.rows_in_the_way($1, $2)",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID],
    ) };
}

/// How long and how often a lock is tried for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) lock_timeout_ms: i32,
    pub(crate) attempts: i32,
}

impl Patience {
    /// While the result lives, any other wait for a lock takes no longer than all attempts together:
    /// reading the catalog waits for whoever is changing the table.
    pub(crate) fn bound(self) -> LocalSettings {
        let milliseconds = self.lock_timeout_ms.saturating_mul(self.attempts).to_string();
        let milliseconds = CString::new(milliseconds).unwrap_or_default();
        LocalSettings::set(&[(c"lock_timeout", milliseconds.as_c_str())])
    }
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
    let (name, schema) = (Text::new(table_name), Text::new(SCHEMA));
    let rows = FACTS.with(|statement| {
        statement.run_latest(client, &[Some(name.datum()), Some(schema.datum())])
    });
    let facts = rows
        .iter::<1>()
        .next()
        .and_then(|row| row.text(0).map(str::to_owned))
        .ok_or_else(|| StructureError::TableGone(table_name.to_owned()))?;
    Ok(observe(&Facts::read(&facts)?, Reading::Structure))
}

/// Waits for the locks that the steps take on an entry table and on those that it refers to, in short
/// attempts.
pub(crate) fn lock(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    table_name: &str,
    steps: &[Step],
    referred: Vec<(String, Lock)>,
    patience: Patience,
) -> Result<(), Error> {
    let Some(mode) = steps.iter().map(|step| step.lock).max() else { return Ok(()) };
    let mut tables = vec![(table_name.to_owned(), mode)];
    tables.extend(referred);
    lock_tables(client, workspace_id, &tables, patience)
}

/// The same for tables and modes that are known.
pub(crate) fn lock_tables(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    tables: &[(String, Lock)],
    patience: Patience,
) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let owner = Owner::find()?;
    require_own(client, workspace_id, tables, owner.role())?;
    let relations: Vec<String> = tables.iter().map(|(table, _)| qualified(SCHEMA, table)).collect();
    let modes: Vec<&str> = tables.iter().map(|(_, mode)| mode.name()).collect();
    let _owner = owner.act();
    // What was renamed or deleted since it was looked up is passed over: whoever waits for locks looks
    // again when it has them, and says what is missing.
    client.update(
        "SELECT kepler_internal.lock_relations(
             pg_catalog.array_agg(r.relation ORDER BY r.place),
             pg_catalog.array_agg(r.mode ORDER BY r.place), $3, $4)
         FROM (SELECT pg_catalog.to_regclass(t.name) AS relation, t.mode, t.place
               FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))
                   WITH ORDINALITY AS t (name, mode, place)) AS r
         WHERE r.relation IS NOT NULL
         HAVING pg_catalog.count(*) > 0",
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

/// Who writes to the list of entry tables could name any table there, and have it changed with the
/// owner's rights: the table itself says whose it is.
fn require_own(
    client: &SpiClient<'_>,
    workspace_id: &str,
    tables: &[(String, Lock)],
    owner: pg_sys::Oid,
) -> Result<(), Error> {
    let names: Vec<&str> = tables.iter().map(|(table, _)| table.as_str()).collect();
    let foreign = client
        .select(
            "SELECT kepler_internal.foreign_table($1, $2, $3)",
            None,
            &[workspace_id.into(), names.into(), owner.into()],
        )?
        .first()
        .get_one::<String>()?;
    match foreign {
        Some(table) => {
            Err(StructureError::Foreign { table, workspace: workspace_id.to_owned() }.into())
        }
        None => Ok(()),
    }
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
    let classes = |steps: &[&Step]| -> Vec<&'static str> {
        let of = |class: &Class| steps.iter().any(|step| step.class == *class);
        Class::ALLOWABLE.into_iter().filter(of).map(Class::name).collect()
    };
    let needed: Vec<&Step> = steps.iter().filter(|step| step.class.needs_permission()).collect();
    Err(StructureError::NotAllowed {
        classes: classes(&missing),
        needed: classes(&needed),
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
    let owner = Owner::find()?;
    let _place = owner.own_tablespace();
    let _owner = owner.act();
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
            // Tables that inherit from this one are changed with it.
            format!("SELECT t.{key} AS key FROM {table} AS t WHERE {condition}"),
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
            let each = |what: &dyn Fn(&str, &str) -> String| {
                let pairs = reference.columns.iter().zip(&target.columns);
                pairs.map(|(own, other)| what(&quote(own), &quote(other))).collect::<Vec<_>>()
            };
            (
                format!(
                    "\"{}\" refers to an entry that does not exist",
                    reference.columns.join("\", \"")
                ),
                format!(
                    "SELECT t.{key} AS key FROM ONLY {table} AS t WHERE {} AND NOT \
                     EXISTS (SELECT FROM ONLY {} AS o WHERE {})",
                    each(&|own, _| format!("t.{own} IS NOT NULL")).join(" AND "),
                    qualified(&target.schema, &target.table),
                    each(&|own, other| format!("o.{other} = t.{own}")).join(" AND ")
                ),
            )
        }
    };
    // The change reaches all rows that are committed, so the look does too, however old the transaction's snapshot is.
    let query = Text::new(&query);
    let parameters = [Some(query.datum()), Some(pg_sys::Datum::from(lenient))];
    let found = ROWS_IN_THE_WAY.with(|statement| statement.run_latest(client, &parameters));
    let (rows, keys) = found.iter::<2>().next().map_or((None, None), |row| {
        let keys = row.array::<&str>(1);
        (
            row.bigint(0),
            keys.map(|keys| keys.iter().flatten().map(str::to_owned).collect::<Vec<_>>()),
        )
    });
    Ok(rows.filter(|rows| *rows > 0).map(|rows| {
        let keys = keys.unwrap_or_default();
        let more = if rows as usize > keys.len() { ", …" } else { "" };
        let entries = if rows == 1 { "entry" } else { "entries" };
        format!("{rows} {entries}: {problem} (keys {}{more})", keys.join(", "))
    }))
}
