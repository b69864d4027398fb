//! Runs the steps of a plan, of one table or of many, as the owner of Kepler's tables, in the caller's transaction. Steps
//! that change values are run as the caller.
//!
//! Rows that stand in the way of any step are all told at once: what follows a step that cannot be done is only looked at.

use super::ddl::unique_expressions;
use super::error::StructureError;
use super::meaning::MEANING;
use super::registry::SCHEMA;
use super::step::{Class, Lock, Relation, Requirement, Step};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::{OwnedStatement, Statement};
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::Text;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::CStr;

/// Beside those under which conversions and defaults mean the same.
const RUNNING: &[(&CStr, &CStr)] = &[
    (c"check_function_bodies", c"on"),
    // Where policies are to hold for the owner too, a look at the rows fails: it would not see all of them.
    (c"row_security", c"off"),
];

fn settings() -> (LocalSettings, LocalSettings) {
    // The last one set ends first.
    let meaning = LocalSettings::set(MEANING);
    (LocalSettings::set(RUNNING), meaning)
}

thread_local! {
    static ROWS_IN_THE_WAY: Statement = const { Statement::new(
        c"SELECT rows, keys FROM kepler_internal.rows_in_the_way($1, $2)",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID],
    ) };
}

/// What the rows of a table are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    Entries,
    /// Of several tables, so that each is named.
    OfTables,
}

impl Rows {
    fn one(self) -> &'static str {
        match self {
            Rows::Entries => "entry",
            Rows::OfTables => "row",
        }
    }

    fn many(self) -> &'static str {
        match self {
            Rows::Entries => "entries",
            Rows::OfTables => "rows",
        }
    }

    fn counted(self, rows: i64) -> String {
        let word = if rows == 1 { self.one() } else { self.many() };
        format!("{rows} {word}")
    }

    /// A step and what it is done to.
    fn place(self, step: &Step) -> String {
        match (self, &step.relation) {
            (Rows::OfTables, Some(relation)) if relation.table != step.object => {
                let table = qualified(&relation.schema, &relation.table);
                format!("{} \"{}\" of {table}", step.operation, step.object)
            }
            _ => format!("{} \"{}\"", step.operation, step.object),
        }
    }
}

/// Runs the steps, but for those that are deferred or wait for such.
pub(crate) fn run(client: &mut SpiClient<'_>, steps: &[Step], rows: Rows) -> Result<(), Error> {
    let owner = Owner::find()?;
    owner.require_own_event_triggers(client)?;
    let _place = owner.own_tablespace();
    let mut failures = Vec::new();
    for step in steps.iter().filter(|step| step.phase.is_run()) {
        pgrx::check_for_interrupts!();
        let as_owner = owner.act();
        // They end in this order.
        let acting = (settings(), as_owner);
        for (requirement, relation) in step.requirements().zip(step.relation.iter().cycle()) {
            let lenient = !failures.is_empty();
            if let Some(failure) = look(client, relation, requirement, rows, lenient)? {
                failures.push(format!("{}: {failure}", rows.place(step)));
            }
        }
        // What follows a step that cannot be done is only looked at.
        if !failures.is_empty() {
            continue;
        }
        if step.writes.is_some() {
            drop(acting);
            if let Some(refusal) = write_as_caller(client, step) {
                failures.push(format!("{}: {}", rows.place(step), refusal.message));
            }
        } else {
            client.update(&step.sql, None, &[])?;
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(StructureError::RowsInTheWay { what: rows.many(), lines: failures }.into())
}

/// Changes values; tells what a constraint has against a row, in words that show no values. What else goes wrong is raised.
fn write_as_caller(client: &mut SpiClient<'_>, step: &Step) -> Option<Refusal> {
    use PgSqlErrorCode::*;
    let statement = OwnedStatement::by_first_values(step.sql.clone(), Vec::new());
    let refusal = subtransaction::attempt(|| {
        statement.write_latest(client);
    })
    .err()?;
    let of_constraints = [
        ERRCODE_UNIQUE_VIOLATION,
        ERRCODE_CHECK_VIOLATION,
        ERRCODE_EXCLUSION_VIOLATION,
        ERRCODE_FOREIGN_KEY_VIOLATION,
        ERRCODE_NOT_NULL_VIOLATION,
    ];
    if !of_constraints.contains(&refusal.code.standard()) {
        // Says it again, with all that Postgres has to say.
        statement.write_latest(client);
    }
    Some(refusal)
}

/// Looks for rows in the way of steps that somebody else is to run.
pub(crate) fn look_ahead<'s>(
    client: &mut SpiClient<'_>,
    steps: impl Iterator<Item = &'s Step>,
    rows: Rows,
) -> Result<(), Error> {
    let _owner = Owner::find()?.act();
    let _settings = settings();
    let mut failures = Vec::new();
    for step in steps {
        pgrx::check_for_interrupts!();
        for (requirement, relation) in step.requirements().zip(step.relation.iter().cycle()) {
            if let Some(failure) = look(client, relation, requirement, rows, false)? {
                failures.push(format!("{}: {failure}", rows.place(step)));
            }
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(StructureError::RowsInTheWay { what: rows.many(), lines: failures }.into())
}

/// Refuses what is refused, and what was not allowed. `lost` says what a step would destroy.
pub(crate) fn check_permission(
    steps: &[Step],
    allow: &[Class],
    rows: Rows,
    mut lost: impl FnMut(&Step) -> Result<Option<String>, Error>,
) -> Result<(), Error> {
    let refused: Vec<String> = steps
        .iter()
        .filter(|step| step.class == Class::Refused)
        .map(|step| format!("{}: {}", rows.place(step), step.hazards.join("; ")))
        .collect();
    if !refused.is_empty() {
        return Err(StructureError::Refused(refused).into());
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
        Class::ALLOWABLE_IN_BLUEPRINTS.into_iter().filter(of).map(Class::name).collect()
    };
    let needed: Vec<&Step> = steps.iter().filter(|step| step.class.needs_permission()).collect();
    let mut lines = Vec::new();
    for step in &missing {
        let mut line = format!("{} ({}): {}", rows.place(step), step.class.name(), step.sql);
        if let Some(lost) = lost(step)? {
            line.push_str(&format!(" ({lost})"));
        }
        lines.push(line);
    }
    let error = StructureError::NotAllowed {
        classes: classes(&missing),
        needed: classes(&needed),
        steps: lines,
    };
    Err(error.into())
}

/// What steps that destroy data would destroy: "3 rows hold values". For callers who may read the rows as the owner.
/// `name_before` as [`locks`] has it.
pub(crate) fn values_lost(
    client: &mut SpiClient<'_>,
    step: &Step,
    name_before: &NameBefore<'_>,
) -> Result<Option<String>, Error> {
    let (Class::Drop, Some(relation)) = (step.class, &step.relation) else { return Ok(None) };
    let Some((schema, table)) = name_before(&relation.schema, &relation.table) else {
        return Ok(None);
    };
    let among = match step.operation {
        "drop_column" => format!("{} IS NOT NULL", quote(&step.object)),
        "drop_table" => "true".to_owned(),
        _ => return Ok(None),
    };
    let rows = count_rows(client, &qualified(&schema, &table), &among)?;
    let verb = if rows == 1 { "holds" } else { "hold" };
    Ok(Some(match step.operation {
        "drop_table" => Rows::OfTables.counted(rows),
        _ => format!("{} {verb} values", Rows::OfTables.counted(rows)),
    }))
}

/// How many rows of a table meet a condition by now, however old the transaction's snapshot is.
pub(crate) fn count_rows(
    client: &mut SpiClient<'_>,
    table: &str,
    condition: &str,
) -> Result<i64, Error> {
    let _owner = Owner::find()?.act();
    let _settings = settings();
    let query = Text::new(&format!("SELECT 1 AS key FROM {table} WHERE {condition}"));
    let parameters = [Some(query.datum()), Some(pg_sys::Datum::from(false))];
    let found = ROWS_IN_THE_WAY.with(|statement| statement.run_latest(client, &parameters));
    Ok(found.iter::<2>().next().and_then(|row| row.bigint(0)).unwrap_or_default())
}

/// How many rows of an entry table a step would write to, as far as the caller sees them; none for whoever may not read them.
pub(crate) fn count_as_caller(
    client: &SpiClient<'_>,
    table_name: &str,
    written: &str,
) -> Result<Option<i64>, Error> {
    let table = qualified(SCHEMA, table_name);
    let may_read = client
        .select(
            "SELECT pg_catalog.has_table_privilege($1, 'SELECT')",
            None,
            &[table.as_str().into()],
        )?
        .first()
        .get_one::<bool>()?;
    if may_read != Some(true) {
        return Ok(None);
    }
    let count = format!("SELECT pg_catalog.count(*) FROM {table} WHERE {written}");
    Ok(client.select(&count, None, &[])?.first().get_one::<i64>()?)
}

/// The schema and name of a table before a plan, by those that it has in it.
pub(crate) type NameBefore<'n> = dyn Fn(&str, &str) -> Option<(String, String)> + 'n;

/// Tables, as they are called before the steps, and the strongest lock that the steps take on each. `name_before` gives
/// the name of a table before the plan by the one that it has in it; what is made by the plan has none.
pub(crate) fn locks(steps: &[Step], name_before: &NameBefore<'_>) -> Vec<(String, String, Lock)> {
    let mut locks = Vec::new();
    for step in steps.iter().filter(|step| step.phase.is_run()) {
        let own = step
            .relation
            .as_ref()
            .map(|relation| (relation.schema.as_str(), relation.table.as_str(), step.lock));
        let others = step.also_locks.iter().map(|(s, t, lock)| (s.as_str(), t.as_str(), *lock));
        for (schema, table, lock) in own.into_iter().chain(others) {
            if let Some((schema, table)) = name_before(schema, table) {
                locks.push((schema, table, lock));
            }
        }
    }
    locks.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)).then(b.2.cmp(&a.2)));
    locks.dedup_by(|next, kept| next.0 == kept.0 && next.1 == kept.1);
    locks
}

/// How many rows stand in the way, and which. A `lenient` look finds none where it does not fit the
/// table, because a step before was not done.
fn look(
    client: &mut SpiClient<'_>,
    relation: &Relation,
    requirement: &Requirement,
    rows: Rows,
    lenient: bool,
) -> Result<Option<String>, Error> {
    let (problem, query) = query(relation, requirement, rows);
    // The change reaches all rows that are committed, so the look does too, however old the transaction's snapshot is.
    let query = Text::new(&query);
    let parameters = [Some(query.datum()), Some(pg_sys::Datum::from(lenient))];
    let found = ROWS_IN_THE_WAY.with(|statement| statement.run_latest(client, &parameters));
    let (count, keys) = found.iter::<2>().next().map_or((None, None), |row| {
        let keys = row.array::<&str>(1);
        (
            row.bigint(0),
            keys.map(|keys| keys.iter().flatten().map(str::to_owned).collect::<Vec<_>>()),
        )
    });
    Ok(count.filter(|count| *count > 0).map(|count| {
        let keys = keys.unwrap_or_default();
        let more = if count as usize > keys.len() { ", …" } else { "" };
        let what = if relation.key.is_empty() { "at" } else { "keys" };
        format!("{}: {problem} ({what} {}{more})", rows.counted(count), keys.join(", "))
    }))
}

/// What is wrong with the rows, and the query that finds their keys.
fn query(relation: &Relation, requirement: &Requirement, rows: Rows) -> (String, String) {
    let table = qualified(&relation.schema, &relation.table);
    let key = key(relation);
    let one = rows.one();
    match requirement {
        Requirement::NoRow { problem, condition } => (
            problem.clone(),
            // Tables that inherit from this one are changed with it.
            format!("SELECT {key} AS key FROM {table} AS t WHERE {condition}"),
        ),
        Requirement::NoDuplicates(columns) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let present: Vec<String> =
                names.iter().map(|name| format!("{} IS NOT NULL", quote(name))).collect();
            (
                format!("the same \"{}\" as another {one}", names.join("\", \"")),
                duplicates(&table, &key, &unique_expressions(columns), &present),
            )
        }
        Requirement::Distinct { names, expressions, among, nulls } => {
            let mut conditions: Vec<String> =
                among.iter().map(|among| format!("({among})")).collect();
            if !nulls {
                conditions.extend(expressions.iter().map(|each| format!("({each}) IS NOT NULL")));
            }
            (
                format!("the same \"{}\" as another {one}", names.join("\", \"")),
                duplicates(&table, &key, expressions, &conditions),
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
                    "\"{}\" refers to {} {one} that does not exist",
                    reference.columns.join("\", \""),
                    if one == "entry" { "an" } else { "a" }
                ),
                format!(
                    "SELECT {key} AS key FROM ONLY {table} AS t WHERE {} AND NOT \
                     EXISTS (SELECT FROM ONLY {} AS o WHERE {})",
                    each(&|own, _| format!("t.{own} IS NOT NULL")).join(" AND "),
                    qualified(&target.schema, &target.table),
                    each(&|own, other| format!("o.{other} = t.{own}")).join(" AND ")
                ),
            )
        }
    }
}

fn duplicates(table: &str, key: &str, by: &[String], among: &[String]) -> String {
    let among = if among.is_empty() { "true".to_owned() } else { among.join(" AND ") };
    format!(
        "SELECT d.key FROM (SELECT {key} AS key, pg_catalog.count(*) OVER (PARTITION BY {}) \
         AS same FROM ONLY {table} AS t WHERE {among}) AS d WHERE d.same > 1",
        by.join(", ")
    )
}

/// What tells a row of table `t` from the others.
fn key(relation: &Relation) -> String {
    match relation.key.as_slice() {
        [] => "t.ctid".to_owned(),
        [column] => format!("t.{}", quote(column)),
        columns => {
            let columns: Vec<String> =
                columns.iter().map(|name| format!("t.{}", quote(name))).collect();
            format!("ROW({})", columns.join(", "))
        }
    }
}
