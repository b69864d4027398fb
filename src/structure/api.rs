//! The SQL functions over structures and entry tables.

use super::adopt;
use super::change::{Call, Terms};
use super::error::StructureError;
use super::locks::Patience;
use super::model::Structure;
use super::registry::{self, SCHEMA};
use super::restore::Comeback;
use super::step::{Class, Step};
use crate::access::owner::{ENTRY_TABLES, Owner, require_right};
use crate::arguments::{ArgumentError, OptionsObject, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::json::{Options, Stored, check_size};
use crate::pg::role::ActAs;
use crate::pg::whole::Spi;
use crate::workspace;
use crate::workspace::WorkspaceError;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Locks are tried for in attempts of this length, in milliseconds.
const LOCK_TIMEOUT_MS: i32 = 500;
const LOCK_ATTEMPTS: i32 = 10;

const PATIENCE: Patience = Patience { lock_timeout_ms: LOCK_TIMEOUT_MS, attempts: LOCK_ATTEMPTS };

/// Arguments that every function has.
struct Named {
    workspace_id: String,
    name: String,
}

impl Named {
    fn check(name: Option<String>, workspace_id: Option<String>) -> Result<Self, Error> {
        require_tables()?;
        Ok(Self {
            workspace_id: workspace::argument(workspace_id)?,
            name: required("entry_table", name)?,
        })
    }

    fn call(&self) -> Call<'_> {
        Call { workspace_id: &self.workspace_id, name: &self.name }
    }

    /// Whoever has the owner's rights anyway changes tables as the owner: then code of others on the lists of
    /// tables runs with nobody's rights. As long as the result lives.
    fn act(&self, client: &mut SpiClient<'_>) -> Result<Option<ActAs>, Error> {
        Owner::find()?.act_for_administrator(client, ENTRY_TABLES)
    }

    /// Reads a document about this table.
    fn structure(&self, text: Option<&str>) -> Result<Structure, Error> {
        let text = text.ok_or(ArgumentError::Null("structure"))?;
        check_size("structure", text.len())?;
        let structure = registry::parse(text)?;
        self.call().check_name(&structure)?;
        Ok(structure)
    }
}

/// Reads `allow` and `options`.
fn terms(allow: Option<Vec<Option<String>>>, options: Option<Options>) -> Result<Terms, Error> {
    let mut terms = Terms { allow: Vec::new(), version: None, patience: PATIENCE };
    for word in allow.ok_or(ArgumentError::Null("allow"))? {
        let word = word.ok_or(ArgumentError::Null("allow"))?;
        let class = Class::ALLOWABLE.into_iter().find(|class| class.name() == word);
        terms.allow.push(class.ok_or(StructureError::BadAllow(word))?);
    }
    let Some(options) = options else { return Ok(terms) };
    let mut options = OptionsObject::open("options", options.0)?;
    read_terms(&mut terms, &mut options);
    options.close()?;
    Ok(terms)
}

/// The options of every change.
fn read_terms(terms: &mut Terms, options: &mut OptionsObject) {
    let mut whole = |key: &'static str, least: i64| -> Option<i32> {
        let value = options.take(key)?;
        let number = value.as_i64().filter(|number| (least..=i64::from(i32::MAX)).contains(number));
        if number.is_none() {
            options.problem(format!("/{key}: must be a whole number from {least} up"));
        }
        number.map(|number| number as i32)
    };
    terms.version = whole("version", 1);
    if let Some(number) = whole("lock_timeout_ms", 1) {
        terms.patience.lock_timeout_ms = number;
    }
    if let Some(number) = whole("lock_attempts", 1) {
        terms.patience.attempts = number;
    }
}

/// The options of a field that comes back.
fn comeback(options: Option<Options>) -> Result<(Comeback, Terms), Error> {
    let mut terms = terms(Some(Vec::new()), None)?;
    let mut comeback = Comeback::default();
    let Some(options) = options else { return Ok((comeback, terms)) };
    let mut options = OptionsObject::open("options", options.0)?;
    let mut text = |key: &'static str| -> Option<String> {
        let value = options.take(key)?;
        if !value.is_string() {
            options.problem(format!("/{key}: must be a string"));
        }
        value.as_str().map(str::to_owned)
    };
    (comeback.name, comeback.column) = (text("name"), text("column"));
    if let Some(required) = options.take("required") {
        if !required.is_boolean() {
            options.problem("/required: must be true or false");
        }
        comeback.required = required.as_bool();
    }
    read_terms(&mut terms, &mut options);
    options.close()?;
    Ok((comeback, terms))
}

fn table_oid(client: &pgrx::spi::SpiClient<'_>, table_name: &str) -> Result<pg_sys::Oid, Error> {
    let oid = client
        .select(
            "SELECT c.oid FROM pg_catalog.pg_class AS c
             WHERE c.relname = $1 AND c.relnamespace = pg_catalog.to_regnamespace($2)",
            None,
            &[table_name.into(), SCHEMA.into()],
        )?
        .first()
        .get_one::<pg_sys::Oid>()?;
    oid.ok_or_else(|| StructureError::TableGone(table_name.to_owned()).into())
}

#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn create_entry_table(
    entry_table: Option<String>,
    structure: Option<&str>,
    workspace_id: Option<String>,
) -> Result<pg_sys::Oid, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let structure = named.structure(structure)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        require_right("entry_tables", pg_sys::ACL_INSERT)?;
        let exists = client
            .select(
                "SELECT EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = $1)",
                None,
                &[named.workspace_id.as_str().into()],
            )?
            .first()
            .get_one::<bool>()?;
        if exists != Some(true) {
            return Err(WorkspaceError::Missing(named.workspace_id.clone()).into());
        }
        let table_name = named.call().create(client, structure, PATIENCE)?;
        table_oid(client, &table_name)
    })?)
}

/// What `alter_entry_table` would do to reach a structure, or `create_entry_table` where there is no
/// such table, without doing it: a row for each step, none where the table is as described.
///
/// `structure`: a structure document or a JSON Schema. Errors: 55000 before `install()`, 22004 and
/// 22023 for arguments, 22P02 where the text is no JSON, 22023 with all problems of the document.
#[pg_extern(stable, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn plan_entry_table(
    entry_table: Option<String>,
    structure: Option<&str>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(operation, &'static str),
            name!(object, String),
            name!(statement, String),
            name!(class, &'static str),
            name!(hazards, Vec<String>),
            name!(lock, &'static str),
            name!(estimated_rows, i64),
            name!(undo, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let named = Named::check(entry_table, workspace_id)?;
    let structure = named.structure(structure)?;
    let steps = Spi::connect(|client| named.call().preview(client, structure))?;
    Ok(TableIterator::new(steps.into_iter().enumerate().map(|(at, (step, rows))| {
        let Step { operation, object, sql, class, hazards, lock, undo, .. } = step;
        (at as i32 + 1, operation, object, sql, class.name(), hazards, lock.name(), rows, undo)
    })))
}

/// Changes an entry table to a structure, in one transaction, and gives the version that it has then:
/// the present one where nothing is to be done.
///
/// `allow`: `rewrite` and `convert` permit steps of these classes. `options`: a JSON object, known are
/// `version` (refuse unless this is the present one), `lock_timeout_ms` (500) and `lock_attempts` (10).
///
/// Errors: as `plan_entry_table`, and 42P01 for an unknown table, 0A000 for refused steps, 55000 for
/// steps that need permission, 23514 for entries that do not allow the change, 55P03 where the lock
/// was not to be had, 40001 where the table changed meanwhile.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn alter_entry_table(
    entry_table: Option<String>,
    structure: Option<&str>,
    allow: default!(Option<Vec<Option<String>>>, "'{}'"),
    options: default!(Option<Options>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<i32, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let terms = terms(allow, options)?;
    let structure = named.structure(structure)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        named.call().alter(client, &structure, &terms)
    })?)
}

#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn drop_entry_table(
    entry_table: Option<String>,
    workspace_id: Option<String>,
) -> Result<pg_sys::Oid, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        let table_name = named.call().drop(client, PATIENCE)?;
        table_oid(client, &table_name)
    })?)
}

#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn restore_entry_table(
    entry_table: Option<String>,
    workspace_id: Option<String>,
) -> Result<pg_sys::Oid, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let terms = terms(Some(Vec::new()), None)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        let table_name = named.call().restore(client, &terms)?;
        table_oid(client, &table_name)
    })?)
}

#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn rename_entry_table(
    entry_table: Option<String>,
    new_name: Option<String>,
    workspace_id: Option<String>,
) -> Result<pg_sys::Oid, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let new_name = required("new_name", new_name)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        let table_name = named.call().rename(client, &new_name, PATIENCE)?;
        table_oid(client, &table_name)
    })?)
}

/// Deletes the entry table of this name that was dropped last, with all its entries and versions.
///
/// Errors: 42P01 if it does not exist, 55000 if it is in use: `drop_entry_table` comes first.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn purge_entry_table(
    entry_table: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        named.call().purge(client, PATIENCE)
    })?)
}

/// Brings a field back that a change hid, with its data and its rules, which are validated anew. Gives
/// the new version. Of several hidden fields of one name, the one hidden last.
///
/// `options`: a JSON object, known are `name` and `column` (what it is called from now on), `required` (whether it is,
/// where that is to be otherwise), and those of `alter_entry_table`.
///
/// Errors: 42703 where none is hidden, 42701 where a field in use has the name, 23514 where entries do
/// not meet its rules any more.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn restore_field(
    entry_table: Option<String>,
    field: Option<String>,
    options: default!(Option<Options>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<i32, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let field = required("field", field)?;
    let (comeback, terms) = comeback(options)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        named.call().restore_field(client, &field, &comeback, &terms)
    })?)
}

/// Deletes the data of a hidden field: the column goes. Of several of one name, the one hidden last.
///
/// Errors: 42703 where there is no such field, 55000 where it is in use: a change hides it first.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn purge_field(
    entry_table: Option<String>,
    field: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<(), ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let field = required("field", field)?;
    Ok(Spi::connect_mut(|client| {
        let _acting = named.act(client)?;
        named.call().purge_field(client, &field, PATIENCE)
    })?)
}

/// The structure document that would make a table like this one. What a structure cannot say is left
/// out, with a warning for each.
#[pg_extern(
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.structure_of(relation regclass) RETURNS jsonb
STABLE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn structure_of(relation: Option<pg_sys::Oid>) -> Result<Option<Stored>, ErrorReport> {
    require_tables()?;
    let relation = relation.ok_or(ArgumentError::Null("relation"))?;
    let (structure, left_out) = Spi::connect(|client| adopt::structure_of(client, relation))?;
    for what in left_out {
        warning!("not part of the structure: {what}");
    }
    Ok(Stored::of(&structure.to_document()))
}

#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn entry_json_schema(
    entry_table: Option<String>,
    workspace_id: Option<String>,
) -> Result<String, ErrorReport> {
    let named = Named::check(entry_table, workspace_id)?;
    let table = Spi::connect(|client| registry::require(client, &named.workspace_id, &named.name))?;
    Ok(super::json_schema::schema_of(&table.structure).to_string())
}
