//! The SQL functions over blueprints.

use super::apply::{Applied, Call, Terms};
use super::diagram::diagram;
use super::document::Reading;
use super::drift::{self, Difference};
use super::drop;
use super::error::BlueprintError;
use super::plan::{Manner, Planned};
use super::registry;
use super::understanding;
use crate::access::owner::Owner;
use crate::arguments::{ArgumentError, OptionsObject, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::json::{Options, check_size};
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::structure::locks::Patience;
use crate::structure::step::{Class, Phase, Step};
use crate::workspace;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Locks are tried for in attempts of this length, in milliseconds.
const PATIENCE: Patience = Patience { lock_timeout_ms: 500, attempts: 10 };

/// The workspace of the session: blueprints take no other.
fn session_workspace() -> Result<String, Error> {
    workspace::workspace_id()
}

/// Reads `allow`.
fn classes(allow: Option<Vec<Option<String>>>) -> Result<Vec<Class>, Error> {
    let mut classes = Vec::new();
    for word in allow.ok_or(ArgumentError::Null("allow"))? {
        let word = word.ok_or(ArgumentError::Null("allow"))?;
        let known = Class::ALLOWABLE_IN_BLUEPRINTS.into_iter();
        let class = known.into_iter().find(|class| class.name() == word);
        classes.push(class.ok_or(BlueprintError::BadAllow(word))?);
    }
    Ok(classes)
}

/// Which options a function knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Planning,
    Applying,
}

fn terms(allow: Vec<Class>, options: Option<Options>, is_for: For) -> Result<Terms, Error> {
    let mut terms = Terms { allow, version: None, patience: PATIENCE, manner: Manner::default() };
    let Some(options) = options else { return Ok(terms) };
    let mut options = OptionsObject::open("options", options.0)?;
    terms.manner.adopt = flag(&mut options, "adopt");
    terms.manner.trusted = flag(&mut options, "trusted");
    if let Some(value) = options.take("vector_indexes") {
        match value.as_str() {
            Some("now") => terms.manner.vector_indexes_now = true,
            Some("deferred") => {}
            _ => options.problem("/vector_indexes: must be \"now\" or \"deferred\""),
        }
    }
    if is_for == For::Planning {
        terms.manner.online = flag(&mut options, "online");
    } else {
        terms.version = whole(&mut options, "version", 0);
        if let Some(number) = whole(&mut options, "lock_timeout_ms", 1) {
            terms.patience.lock_timeout_ms = number;
        }
        if let Some(number) = whole(&mut options, "lock_attempts", 1) {
            terms.patience.attempts = number;
        }
    }
    options.close()?;
    if terms.manner.trusted {
        Owner::find()?.require_caller("let SQL through that is not known to be harmless")?;
    }
    if terms.manner.adopt {
        Owner::find()?.require_caller("adopt tables")?;
    }
    Ok(terms)
}

fn flag(options: &mut OptionsObject, key: &'static str) -> bool {
    match options.take(key) {
        None => false,
        Some(value) => value.as_bool().unwrap_or_else(|| {
            options.problem(format!("/{key}: must be true or false"));
            false
        }),
    }
}

fn whole(options: &mut OptionsObject, key: &'static str, least: i64) -> Option<i32> {
    let value = options.take(key)?;
    let number = value.as_i64().filter(|number| (least..=i64::from(i32::MAX)).contains(number));
    if number.is_none() {
        options.problem(format!("/{key}: must be a whole number from {least} up"));
    }
    number.map(|number| number as i32)
}

fn call<'t>(
    client: &mut SpiClient<'_>,
    blueprint: Option<&str>,
    terms: &'t Terms,
) -> Result<Call<'t>, Error> {
    let text = blueprint.ok_or(ArgumentError::Null("blueprint"))?;
    check_size("blueprint", text.len())?;
    let reading = Reading::of_text(text)?;
    let blueprint = understanding::judge(client, reading, terms.manner.trusted)?;
    Ok(Call { blueprint, workspace_id: session_workspace()?, terms })
}

/// One step as the functions show it.
type StepRow = (
    i32,
    &'static str,
    String,
    String,
    &'static str,
    Vec<String>,
    &'static str,
    i64,
    &'static str,
    Option<String>,
);

fn rows(planned: Planned) -> impl Iterator<Item = StepRow> {
    let Planned { ref steps, .. } = planned;
    let rows: Vec<StepRow> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let Step { relation, class, .. } = step;
            // Rows that are read or written; an instant step touches none.
            let touched = match (class, relation) {
                (Class::Instant, _) | (_, None) => 0,
                (_, Some(relation)) => planned.estimated_rows(&relation.schema, &relation.table),
            };
            let object = match relation {
                Some(relation) if relation.table != step.object => {
                    format!("{}.{}.{}", relation.schema, relation.table, step.object)
                }
                Some(relation) => format!("{}.{}", relation.schema, relation.table),
                None => step.object.clone(),
            };
            (
                at as i32 + 1,
                step.operation,
                object,
                step.sql.clone(),
                class.name(),
                step.hazards.clone(),
                step.lock.name(),
                touched,
                step.phase.name(),
                step.undo.clone(),
            )
        })
        .collect();
    let number = rows.len();
    let seed = planned.seed.into_iter().enumerate().map(move |(at, seed)| {
        let class = if seed.refused.is_empty() { Class::Instant } else { Class::Refused };
        (
            (number + at) as i32 + 1,
            "seed",
            format!("{}.{}", seed.place.0, seed.place.1),
            seed.statement,
            class.name(),
            seed.refused.into_iter().chain(seed.hazards).collect(),
            "ROW EXCLUSIVE",
            seed.rows as i64,
            Phase::Finish.name(),
            None,
        )
    });
    rows.into_iter().chain(seed)
}

/// What `apply_blueprint` would do, without doing it: a row for each step, none where the database is as the blueprint says.
#[pg_extern(stable, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn plan_blueprint(
    blueprint: Option<&str>,
    options: default!(Option<Options>, "NULL"),
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
            name!(phase, &'static str),
            name!(undo, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let terms = terms(Vec::new(), options, For::Planning)?;
    let planned = Spi::connect_mut(|client| call(client, blueprint, &terms)?.preview(client))?;
    Ok(TableIterator::new(rows(planned)))
}

/// The steps back to the version of a blueprint that was applied last, or is under way.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn repair_blueprint(
    blueprint_name: Option<String>,
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
            name!(phase, &'static str),
            name!(undo, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let name = required("blueprint_name", blueprint_name)?;
    let planned = Spi::connect_mut(|client| -> Result<Planned, Error> {
        registry::require_administrator()?;
        drift::repair(client, &name, &workspace::workspace_id()?)
    })?;
    Ok(TableIterator::new(rows(planned)))
}

/// How the database differs from a blueprint.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn blueprint_drift(
    blueprint_name: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(object_type, String),
            name!(object, String),
            name!(kind, &'static str),
            name!(expected, Option<String>),
            name!(actual, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let name = required("blueprint_name", blueprint_name)?;
    let found =
        Spi::connect_mut(|client| drift::drift(client, &name, &workspace::workspace_id()?))?;
    Ok(TableIterator::new(found.into_iter().map(|difference| {
        let Difference { object_type, object, kind, expected, actual } = difference;
        (object_type, object, kind, expected, actual)
    })))
}

/// A blueprint as a Mermaid diagram.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn blueprint_diagram(blueprint_name: Option<String>) -> Result<String, ErrorReport> {
    require_tables()?;
    let name = required("blueprint_name", blueprint_name)?;
    Ok(Spi::connect_mut(|client| -> Result<String, Error> {
        let stored = registry::require(client, &name)?;
        let version = stored.present().ok_or_else(|| BlueprintError::Missing(name.clone()))?;
        Ok(diagram(&version.blueprint))
    })?)
}

fn applied(applied: Applied) -> Row<5> {
    let Applied { name, version, outcome, steps, deferred, .. } = applied;
    Row([
        name.into_datum(),
        version.into_datum(),
        outcome.into_datum(),
        steps.into_datum(),
        deferred.into_datum(),
    ])
}

/// Makes the database like a blueprint, in one transaction.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.apply_blueprint(
    blueprint text, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    OUT blueprint_name text, OUT version integer, OUT outcome text, OUT steps integer, OUT deferred text[]
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn apply_blueprint(
    blueprint: Option<&str>,
    allow: Option<Vec<Option<String>>>,
    options: Option<Options>,
) -> Result<Row<5>, ErrorReport> {
    require_tables()?;
    let terms = terms(classes(allow)?, options, For::Applying)?;
    Ok(applied(Spi::connect_mut(|client| call(client, blueprint, &terms)?.apply(client))?))
}

/// What `apply_blueprint_online` does in one of its transactions.
#[pg_extern(
    schema = "kepler_internal",
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler_internal.apply_blueprint_step(
    blueprint text, allow text[], options jsonb,
    OUT version integer, OUT outcome text, OUT steps integer, OUT deferred text[], OUT more boolean
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn apply_blueprint_step(
    blueprint: Option<&str>,
    allow: Option<Vec<Option<String>>>,
    options: Option<Options>,
) -> Result<Row<5>, ErrorReport> {
    require_tables()?;
    let mut terms = terms(classes(allow)?, options, For::Applying)?;
    terms.manner.online = true;
    let Applied { version, outcome, steps, deferred, more, .. } =
        Spi::connect_mut(|client| call(client, blueprint, &terms)?.apply_next(client))?;
    Ok(Row([
        version.into_datum(),
        outcome.into_datum(),
        steps.into_datum(),
        deferred.into_datum(),
        more.into_datum(),
    ]))
}

/// Takes a blueprint out of the database.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.drop_blueprint(
    blueprint_name text, options jsonb DEFAULT NULL, OUT version integer, OUT outcome text, OUT steps integer
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn drop_blueprint(
    blueprint_name: Option<String>,
    options: Option<Options>,
) -> Result<Row<3>, ErrorReport> {
    require_tables()?;
    let name = required("blueprint_name", blueprint_name)?;
    let (mut terms, mut patience) = (drop::Terms::default(), PATIENCE);
    if let Some(options) = options {
        let mut options = OptionsObject::open("options", options.0)?;
        terms.with_rows = flag(&mut options, "with_rows");
        terms.keep_tables = flag(&mut options, "keep_tables");
        if let Some(number) = whole(&mut options, "lock_timeout_ms", 1) {
            patience.lock_timeout_ms = number;
        }
        if let Some(number) = whole(&mut options, "lock_attempts", 1) {
            patience.attempts = number;
        }
        options.close()?;
    }
    let Applied { version, outcome, steps, .. } =
        Spi::connect_mut(|client| drop::drop_blueprint(client, &name, terms, patience))?;
    Ok(Row([version.into_datum(), outcome.into_datum(), steps.into_datum()]))
}

/// Internal: whether row security shows the session what is listed of a blueprint.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
fn sees_blueprint(blueprint_name: &str) -> Result<bool, ErrorReport> {
    Ok(registry::is_shown(blueprint_name)?)
}
