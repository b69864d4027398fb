//! `kepler.uninstall()`: takes away what `install()` and the functions made, so that `DROP EXTENSION` can take the rest.
//!
//! Nothing is dropped with CASCADE. What somebody else has hung on Kepler's tables, or on the extension, is named before
//! anything is done, all of it at once.

use crate::access::grant::extension_owner;
use crate::access::level;
use crate::access::owner::Owner;
use crate::arguments::{ArgumentError, OptionsObject};
use crate::error::{Error, Report};
use crate::install::{INSTALL_LOCK, InstallError, LATEST, installed_version};
use crate::pg::isolation::keeps_snapshot;
use crate::pg::json::Options;
use crate::pg::local_settings::LocalSettings;
use crate::pg::whole::Spi;
use crate::pg::{advisory, relation, role};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::CString;

const WHAT: &str = "remove them";

/// How long and how often the locks on all tables are tried for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    lock_timeout_ms: i32,
    attempts: i32,
}

impl Patience {
    fn from_options(options: Option<Options>) -> Result<Self, Error> {
        let mut patience = Self { lock_timeout_ms: 500, attempts: 10 };
        let Some(options) = options else { return Ok(patience) };
        let mut options = OptionsObject::open("options", options.0)?;
        for (key, number) in [
            ("lock_timeout_ms", &mut patience.lock_timeout_ms),
            ("lock_attempts", &mut patience.attempts),
        ] {
            let Some(value) = options.take(key) else { continue };
            match value.as_i64().and_then(|given| i32::try_from(given).ok()) {
                Some(given @ 1..) => *number = given,
                _ => options.problem(format!("/{key}: must be a whole number from 1 up")),
            }
        }
        options.close()?;
        Ok(patience)
    }

    /// While the result lives, any other lock is waited for no longer than that.
    fn bound(self) -> LocalSettings {
        let longest = self.lock_timeout_ms.saturating_mul(self.attempts).to_string();
        let longest = CString::new(longest).unwrap_or_default();
        LocalSettings::set(&[(c"lock_timeout", longest.as_c_str())])
    }
}

/// So many objects are named in an error.
const NAMED: usize = 100;

#[derive(Debug, thiserror::Error)]
enum UninstallError {
    #[error("{} {} in the way of kepler.uninstall()", .0.len(), if .0.len() == 1 { "object is" } else { "objects are" })]
    InTheWay(Vec<String>),
    #[error("Kepler's tables hold rows")]
    HoldRows(String),
    #[error("kepler.uninstall() needs the isolation level READ COMMITTED")]
    KeepsSnapshot,
    #[error("Kepler's tables changed during the call")]
    Changed,
}

impl Report for UninstallError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::InTheWay(_) => PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            Self::HoldRows(_) | Self::KeepsSnapshot => {
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Self::Changed => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::InTheWay(objects) => {
                let mut lines: Vec<&str> = objects.iter().take(NAMED).map(String::as_str).collect();
                let more = format!("and {} more", objects.len().saturating_sub(NAMED));
                if objects.len() > NAMED {
                    lines.push(&more);
                }
                format!("{}\nNothing was dropped.", lines.join("\n"))
            }
            Self::HoldRows(tables) => format!("They are in {tables}. Nothing was dropped."),
            Self::KeepsSnapshot => {
                "It would not see rows that were written after the transaction began.".to_owned()
            }
            Self::Changed => "Nothing was dropped.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::InTheWay(_) => {
                    "They are not Kepler's. SELECT object, hint FROM kepler.uninstall_report() WHERE outcome = 'blocks'; says \
                     what takes each of them off."
                }
                Self::HoldRows(_) => {
                    "SELECT * FROM kepler.uninstall_report(); counts them. SELECT * FROM kepler.uninstall(with_rows => true); \
                     deletes them too."
                }
                Self::KeepsSnapshot => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;",
                Self::Changed => "Run the call again.",
            }
            .to_owned(),
        )
    }
}

/// Something that Kepler made, or that bears on its end.
#[derive(Debug, PartialEq, Eq)]
struct Object {
    kind: String,
    name: String,
    relation: Option<pg_sys::Oid>,
    outcome: Outcome,
    hint: Option<String>,
    drop_command: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Dropped,
    Blocks,
    Kept,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Blocks => "blocks",
            Self::Kept => "kept",
        }
    }
}

impl Object {
    fn is_table(&self) -> bool {
        self.outcome == Outcome::Dropped
            && matches!(
                &*self.kind,
                "table" | "entry table" | "embedding table" | "blueprint table"
            )
    }

    fn is_trigger(&self) -> bool {
        self.outcome == Outcome::Dropped && self.kind == "trigger"
    }
}

/// Drops Kepler's tables and all that it made beside the extension, in one transaction.
///
/// Gives a row for each object. Refuses (2BP01) while something of somebody else's rests on them or on the extension,
/// (55000) while they hold rows unless `with_rows`, and (55P03) while they are in use. Where nothing is left, it says so.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.uninstall(with_rows boolean DEFAULT false, options jsonb DEFAULT NULL) RETURNS TABLE (
    kind text, object text, outcome text, hint text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn uninstall(
    with_rows: Option<bool>,
    options: Option<Options>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(object, String),
            name!(outcome, &'static str),
            name!(hint, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let with_rows = with_rows.ok_or(ArgumentError::Null("with_rows"))?;
    let patience = Patience::from_options(options)?;
    let objects = Spi::connect_mut(|client| remove(client, with_rows, patience))?;
    Ok(TableIterator::new(
        objects
            .into_iter()
            .map(|object| (object.kind, object.name, object.outcome.name(), object.hint)),
    ))
}

/// What `uninstall()` would do, with the number of rows of each table.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.uninstall_report() RETURNS TABLE (
    kind text, object text, rows bigint, outcome text, hint text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn uninstall_report() -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(object, String),
            name!(rows, Option<i64>),
            name!(outcome, &'static str),
            name!(hint, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let counted = Spi::connect_mut(|client| -> Result<Vec<_>, Error> {
        let owner = owner(client)?;
        let mut counted = Vec::new();
        for object in plan(client, owner)? {
            let rows = count(client, owner, &object)?;
            counted.push((object.kind, object.name, rows, object.outcome.name(), object.hint));
        }
        Ok(counted)
    })?;
    Ok(TableIterator::new(counted))
}

/// Whose the tables are, and the caller has the rights of. Some may be missing already.
fn owner(client: &mut SpiClient<'_>) -> Result<Owner, Error> {
    let first = level::relations().find_map(relation::named_own);
    let owner = match first {
        Some(table) => relation::owner(table),
        None => extension_owner(client)?.unwrap_or_else(role::current),
    };
    let owner = Owner::of(owner);
    owner.require_caller(WHAT)?;
    Ok(owner)
}

fn plan(client: &mut SpiClient<'_>, owner: Owner) -> Result<Vec<Object>, Error> {
    let names: Vec<&str> = level::relations().collect();
    let caller = role::current();
    let _owner = owner.act();
    let rows = client.update(
        "SELECT p.kind, p.object, p.relation::oid, p.outcome, p.hint, p.drop_command
         FROM kepler_internal.plan_uninstall($1, $2, $3) AS p",
        None,
        &[owner.role().into(), caller.into(), names.into()],
    )?;
    let mut objects = Vec::new();
    for row in rows {
        let outcome = match row[4].value::<String>()?.as_deref() {
            Some("dropped") => Outcome::Dropped,
            Some("blocks") => Outcome::Blocks,
            _ => Outcome::Kept,
        };
        objects.push(Object {
            kind: row[1].value::<String>()?.unwrap_or_default(),
            name: row[2].value::<String>()?.unwrap_or_default(),
            relation: row[3].value::<pg_sys::Oid>()?,
            outcome,
            hint: row[5].value::<String>()?,
            drop_command: row[6].value::<String>()?,
        });
    }
    Ok(objects)
}

fn count(client: &mut SpiClient<'_>, owner: Owner, object: &Object) -> Result<Option<i64>, Error> {
    if !object.is_table() {
        return Ok(None);
    }
    pgrx::check_for_interrupts!();
    let _owner = owner.act();
    let query = format!("SELECT pg_catalog.count(*) FROM ONLY {}", object.name);
    Ok(client.update(&query, None, &[])?.first().get_one::<i64>()?)
}

fn remove(
    client: &mut SpiClient<'_>,
    with_rows: bool,
    patience: Patience,
) -> Result<Vec<Object>, Error> {
    if keeps_snapshot() {
        return Err(UninstallError::KeepsSnapshot.into());
    }
    if !advisory::try_lock(INSTALL_LOCK) {
        return Err(InstallError::Running.into());
    }
    let owner = owner(client)?;
    if relation::named(c"kepler", c"schema_versions").is_some() {
        let _owner = owner.act();
        let found = installed_version(client)?;
        if found > LATEST {
            return Err(InstallError::SchemaTooNew { found }.into());
        }
    }
    let _bound = patience.bound();
    let found = plan(client, owner)?;
    require_nothing_in_the_way(&found)?;
    lock(client, owner, &found, patience)?;
    // What was made before the locks were there.
    let objects = plan(client, owner)?;
    require_nothing_in_the_way(&objects)?;
    if !objects
        .iter()
        .filter_map(|object| object.relation)
        .eq(found.iter().filter_map(|object| object.relation))
    {
        return Err(UninstallError::Changed.into());
    }
    if !with_rows {
        require_no_rows(client, owner, &objects)?;
    }
    owner.require_own_event_triggers(client)?;
    drop_all(client, owner, &objects)?;
    Ok(objects)
}

fn require_nothing_in_the_way(objects: &[Object]) -> Result<(), Error> {
    let named: Vec<String> = objects
        .iter()
        .filter(|object| object.outcome == Outcome::Blocks)
        .map(|object| object.name.clone())
        .collect();
    if named.is_empty() { Ok(()) } else { Err(UninstallError::InTheWay(named).into()) }
}

fn require_no_rows(
    client: &mut SpiClient<'_>,
    owner: Owner,
    objects: &[Object],
) -> Result<(), Error> {
    let tables: Vec<pg_sys::Oid> = objects
        .iter()
        .filter(|object| object.is_table())
        .filter_map(|object| object.relation)
        .collect();
    let _owner = owner.act();
    let held = client
        .update(
            "SELECT pg_catalog.array_to_string(kepler_internal.held_by_tables($1::pg_catalog.regclass[]), ', ')",
            None,
            &[tables.into()],
        )?
        .first()
        .get_one::<String>()?;
    match held {
        Some(held) if !held.is_empty() => Err(UninstallError::HoldRows(held).into()),
        _ => Ok(()),
    }
}

/// Those of Kepler's own as their owner, others as the caller.
fn lock(
    client: &mut SpiClient<'_>,
    owner: Owner,
    objects: &[Object],
    patience: Patience,
) -> Result<(), Error> {
    let of = |wanted: fn(&Object) -> bool| -> Vec<pg_sys::Oid> {
        objects
            .iter()
            .filter(|object| wanted(object))
            .filter_map(|object| object.relation)
            .collect()
    };
    for (tables, is_own) in [(of(Object::is_trigger), false), (of(Object::is_table), true)] {
        if tables.is_empty() {
            continue;
        }
        let _owner = is_own.then(|| owner.act());
        client.update(
            "SELECT kepler_internal.lock_relations(
                 pg_catalog.array_agg(t.relation::pg_catalog.regclass ORDER BY t.at),
                 pg_catalog.array_agg('ACCESS EXCLUSIVE'::text ORDER BY t.at), $2, $3)
             FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY AS t (relation, at)",
            None,
            &[tables.into(), patience.lock_timeout_ms.into(), patience.attempts.into()],
        )?;
    }
    Ok(())
}

fn drop_all(client: &mut SpiClient<'_>, owner: Owner, objects: &[Object]) -> Result<(), Error> {
    for trigger in objects.iter().filter(|object| object.is_trigger()) {
        // As whoever the table belongs to: the caller has those rights, and perhaps more.
        let _owner = trigger.relation.map(|table| Owner::of(relation::owner(table)).act());
        run(client, trigger.drop_command.as_deref())?;
    }
    let _owner = owner.act();
    let own = || {
        objects.iter().filter(|object| object.outcome == Outcome::Dropped && !object.is_trigger())
    };
    // One statement for all of a kind, as they refer to each other.
    let together = |command: &str, names: Vec<&str>| {
        (!names.is_empty()).then(|| format!("{command} {}", names.join(", ")))
    };
    let views = own().filter(|object| object.kind == "view").map(|object| object.name.as_str());
    run(client, together("DROP VIEW", views.collect()).as_deref())?;
    let tables = own().filter(|object| object.is_table()).map(|object| object.name.as_str());
    run(client, together("DROP TABLE", tables.collect()).as_deref())?;
    for rest in own() {
        run(client, rest.drop_command.as_deref())?;
    }
    Ok(())
}

fn run(client: &mut SpiClient<'_>, sql: Option<&str>) -> Result<(), Error> {
    if let Some(sql) = sql {
        client.update(sql, None, &[])?;
    }
    Ok(())
}
