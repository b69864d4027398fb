//! Takes a blueprint out of the database: its tables, types and schemas, and nothing that is somebody's.

use super::apply::{Applied, claim};
use super::error::BlueprintError;
use super::facts::{self, Wanted};
use super::keeping::keeping;
use super::lists::List;
use super::model::Tenancy;
use super::observed;
use super::plan::rights::hides_rows;
use super::registry::{self, Stored, Version};
use super::schemas;
use crate::access::owner::{BLUEPRINTS, Owner};
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::structure::catalog::Telling;
use crate::structure::facts::{Dependent, DependentKind};
use crate::structure::locks::{Patience, lock_tables};
use crate::structure::run;
use crate::structure::step::Lock;
use crate::workspace;
use pgrx::spi::SpiClient;

/// What may be destroyed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    pub(crate) with_rows: bool,
    /// The tables stay, and are the blueprint's no more.
    pub(crate) keep_tables: bool,
}

pub(crate) fn drop_blueprint(
    client: &mut SpiClient<'_>,
    name: &str,
    terms: Terms,
    patience: Patience,
) -> Result<Applied, Error> {
    registry::require_administrator()?;
    claim(name, patience)?;
    let owner = Owner::find()?;
    owner.require_own_code(client, BLUEPRINTS)?;
    let stored = registry::require(client, name)?;
    if let Some(workspace_id) = &stored.workspace_id {
        workspace::require_own(workspace_id)?;
    }
    for version in stored.versions() {
        registry::require_administrator_of(&version.blueprint.tenancy)?;
    }
    let is_shared = |version: &Version| matches!(version.blueprint.tenancy, Tenancy::Field { .. });
    if stored.versions().any(is_shared) {
        owner.require_caller("drop tables that hold rows of several workspaces")?;
    }
    let mut dropped = 0;
    if terms.keep_tables {
        // Nobody but the owner could change them from then on.
        owner.require_caller("forget a blueprint and keep its tables")?;
    } else {
        dropped = drop_all(client, &stored, terms, patience)?;
    }
    registry::hand_over_schemas(client, &stored)?;
    registry::delete(client, name)?;
    Ok(Applied {
        name: name.to_owned(),
        version: stored.version,
        outcome: "deleted",
        steps: dropped,
        deferred: Vec::new(),
        more: false,
    })
}

fn drop_all(
    client: &mut SpiClient<'_>,
    stored: &Stored,
    terms: Terms,
    patience: Patience,
) -> Result<i32, Error> {
    let mut wanted = Wanted::default();
    stored.versions().for_each(|version| wanted.add(&version.blueprint));
    let listed = List::Tables.of(client, &stored.name)?;
    wanted.tables.retain(|place| listed.contains_key(place));
    let listed = List::Enums.of(client, &stored.name)?;
    wanted.types.retain(|place| listed.contains_key(place));
    let facts = facts::load(client, &wanted)?;
    let mut tables: Vec<(String, String)> = Vec::new();
    for place in &wanted.tables {
        let Some(relation) = facts.relation(&place.0, &place.1) else { continue };
        if !(relation.is_table() && relation.ours) {
            let what = format!(
                "{} {} belongs to \"{}\"",
                relation.kind_text(),
                qualified(&place.0, &place.1),
                relation.owner
            );
            let name = stored.name.clone();
            return Err(BlueprintError::Foreign { name, tables: vec![what] }.into());
        }
        tables.push(place.clone());
    }
    let locks: Vec<(String, String, Lock)> = tables
        .iter()
        .map(|(schema, table)| (schema.clone(), table.clone(), Lock::AccessExclusive))
        .collect();
    lock_tables(client, Owner::find()?, &locks, patience)?;
    check_unused(client, stored, &tables)?;
    if !terms.with_rows {
        check_empty(client, stored, &tables)?;
    }
    let types: Vec<(&str, &str)> = facts
        .types
        .iter()
        .filter(|fact| fact.kind == 'e' && fact.ours)
        .map(|fact| (fact.schema.as_str(), fact.name.as_str()))
        .collect();
    let mut statements = Vec::new();
    if !tables.is_empty() {
        let names: Vec<String> = tables.iter().map(|(s, t)| qualified(s, t)).collect();
        // One statement, as they may refer to each other.
        statements.push(format!("DROP TABLE {}", names.join(", ")));
    }
    statements.extend(types.iter().map(|(s, t)| format!("DROP TYPE {}", qualified(s, t))));
    let dropped = tables.len() + types.len();
    execute(client, &statements)?;
    let made: Vec<&str> = stored.made_schemas.iter().map(String::as_str).collect();
    let empty: Vec<String> = schemas::load(client, &made)?
        .iter()
        .filter(|schema| schema.is_left())
        .map(|schema| format!("DROP SCHEMA {}", quote(&schema.name)))
        .collect();
    execute(client, &empty)?;
    Ok(i32::try_from(dropped + empty.len()).unwrap_or(i32::MAX))
}

fn execute(client: &mut SpiClient<'_>, statements: &[String]) -> Result<(), Error> {
    let owner = Owner::find()?;
    owner.require_own_event_triggers(client)?;
    let _owner = owner.act();
    for statement in statements {
        client.update(statement, None, &[])?;
    }
    Ok(())
}

/// Fails where something of somebody's rests on the tables, or rows of others than the caller's workspace are in them.
fn check_unused(
    client: &SpiClient<'_>,
    stored: &Stored,
    tables: &[(String, String)],
) -> Result<(), Error> {
    let mut wanted = Wanted::default();
    wanted.tables.extend(tables.iter().cloned());
    let observed = observed::load(client, &wanted, Telling::Whole)?;
    let workspace_id = workspace::workspace_id()?;
    if observed.values().any(|table| hides_rows(table, &keeping(table), &workspace_id)) {
        Owner::find()?
            .require_caller("drop tables with rows that row security hides from others")?;
    }
    let mut by = Vec::new();
    for ((schema, table), observed) in &observed {
        for dependent in observed.dependents.iter().filter(|dependent| dependent.keeps_table()) {
            // Those of the blueprint's own tables are dropped with it.
            let is_own = dependent.kind == DependentKind::Reference
                && tables.iter().any(|(s, t)| is_printed(&dependent.name, s, t));
            if !is_own {
                by.push(format!(
                    "{} uses {}",
                    Dependent::text(dependent),
                    qualified(schema, table)
                ));
            }
        }
    }
    by.sort();
    by.dedup();
    if by.is_empty() {
        return Ok(());
    }
    Err(BlueprintError::InUse { name: stored.name.clone(), by }.into())
}

/// Whether Postgres prints the name of a table like this, where its schema is not in the search path.
fn is_printed(printed: &str, schema: &str, table: &str) -> bool {
    let spellings = |name: &str| [name.to_owned(), quote(name)];
    spellings(schema).iter().any(|s| spellings(table).iter().any(|t| printed == format!("{s}.{t}")))
}

/// Fails where tables hold rows.
fn check_empty(
    client: &mut SpiClient<'_>,
    stored: &Stored,
    tables: &[(String, String)],
) -> Result<(), Error> {
    let mut full = Vec::new();
    for (schema, table) in tables {
        pgrx::check_for_interrupts!();
        let rows = run::count_rows(client, &qualified(schema, table), "true")?;
        if rows > 0 {
            let what = if rows == 1 { "row" } else { "rows" };
            full.push(format!("{}: {rows} {what}", qualified(schema, table)));
        }
    }
    if full.is_empty() {
        return Ok(());
    }
    Err(BlueprintError::HoldsRows { name: stored.name.clone(), tables: full }.into())
}
