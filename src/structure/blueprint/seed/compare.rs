//! Which rows of a seed are not there, or are otherwise, to the eyes of the caller.

use super::super::model::{Blueprint, ModelTable, Tenancy};
use super::super::plan::{Place, Planned};
use super::enums::Labels;
use super::look::Looker;
use super::order::{Rows, order};
use super::statements::Spoken;
use super::{Lookup, Row, Seed, Value};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::qualified;
use crate::pg::local_settings::LocalSettings;
use crate::structure::ddl::Dialect;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::ffi::CStr;

/// Texts mean the same whatever the session prefers.
pub(super) const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"extra_float_digits", c"1"),
];

/// What is looked at, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Before the steps of a plan.
    Plan,
    /// When they are done.
    Done,
    /// For a report: what the caller must not read is told.
    Report,
}

/// A seed among its tables.
pub(crate) struct Scene<'s> {
    pub(super) blueprint: &'s Blueprint,
    pub(super) view: View,
    tables: HashMap<&'s str, Here<'s>>,
    labels: Labels,
    /// Of the session.
    workspace_id: &'s str,
    /// Of the blueprint, if its tenancy is that.
    own_workspace_id: Option<&'s str>,
    dialect: &'s Dialect,
}

/// A table as it is now.
struct Here<'s> {
    table: &'s ModelTable,
    /// None before it is made.
    place: Option<Place>,
    relation: String,
    /// Columns that are not there yet, or of another type.
    unlike: HashSet<String>,
    may_read: bool,
    /// Whether the caller sees only rows of its workspace.
    is_guarded: bool,
}

/// What is to be done for the rows of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The place in the document's seed.
    pub(crate) seed: usize,
    pub(crate) missing: Vec<usize>,
    /// How many of those are written together, in their order.
    pub(super) together: Vec<usize>,
    /// With what is stored where that is otherwise.
    pub(crate) changed: Vec<(usize, String)>,
    /// Why they cannot be written.
    pub(crate) refused: Vec<String>,
    /// What was not looked at, and why.
    pub(crate) unseen: Option<String>,
    /// Of a table that changes its columns: how many rows would be written is only known then.
    pub(crate) is_rough: bool,
}

/// All of them, in the order in which they would be written.
pub(crate) type Compared = Vec<Found>;

impl<'s> Scene<'s> {
    pub(crate) fn new(
        client: &mut SpiClient<'_>,
        (blueprint, planned): (&'s Blueprint, &'s Planned),
        dialect: &'s Dialect,
        view: View,
        (workspace_id, own_workspace_id): (&'s str, Option<&'s str>),
    ) -> Result<Self, Error> {
        let mut tables = HashMap::new();
        for table in &planned.targets {
            let place = (table.schema.clone(), table.table_name.clone());
            let now = match view {
                View::Done => Some(place.clone()),
                _ => planned.places.get(&place).cloned(),
            };
            let unlike = match (view, &now) {
                (View::Done, _) | (_, None) => HashSet::new(),
                (_, Some(now)) => unlike(planned, table, now),
            };
            let relation =
                now.as_ref().map_or(String::new(), |(schema, name)| qualified(schema, name));
            let here =
                Here { table, place: now, relation, unlike, may_read: true, is_guarded: false };
            tables.insert(table.name.as_str(), here);
        }
        // Whom the policy of a table that is yet to be made will show one workspace.
        if blueprint.tenancy != Tenancy::Database && !sees_all(client)? {
            for here in tables.values_mut().filter(|here| here.place.is_none()) {
                here.is_guarded = planned.is_guarded(here.table);
            }
        }
        let labels = Labels::new(planned, view);
        let mut scene =
            Self { blueprint, view, tables, labels, workspace_id, own_workspace_id, dialect };
        scene.look_at_rights(client)?;
        Ok(scene)
    }

    /// What the caller may read of the tables.
    fn look_at_rights(&mut self, client: &mut SpiClient<'_>) -> Result<(), Error> {
        let (mut named, mut schemas, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for seed in self.blueprint.seed.iter() {
            let here = self.tables.get(seed.table.as_str());
            if let Some((schema, name)) = here.and_then(|here| here.place.clone()) {
                named.push(seed.table.as_str());
                schemas.push(schema);
                names.push(name);
            }
        }
        let rows = client.update(
            "SELECT w.place::pg_catalog.int4, pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.row_security_active(c.oid)
             FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS w (schema, name, place)
             JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
             JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name",
            None,
            &[schemas.into(), names.into()],
        )?;
        let mut rights = Vec::new();
        for row in rows {
            let place = row[1].value::<i32>()?.unwrap_or_default() as usize;
            let (may_read, guarded) = (row[2].value::<bool>()?, row[3].value::<bool>()?);
            rights.push((place, may_read.unwrap_or_default(), guarded.unwrap_or_default()));
        }
        for (place, may_read, is_guarded) in rights {
            let name = place.checked_sub(1).and_then(|at| named.get(at));
            if let Some(here) = name.and_then(|name| self.tables.get_mut(name)) {
                (here.may_read, here.is_guarded) = (may_read, is_guarded);
            }
        }
        Ok(())
    }

    /// A table that is there.
    pub(super) fn spoken(&self, name: &str) -> Option<Spoken<'_>> {
        let here = self.tables.get(name)?;
        here.place.as_ref()?;
        Some(Spoken { relation: &here.relation, table: here.table, dialect: self.dialect })
    }

    /// A table as it will be.
    pub(super) fn table(&self, name: &str) -> Option<&'s ModelTable> {
        Some(self.tables.get(name)?.table)
    }

    /// A text by which rows are found: none where the type of the column does not have it yet, and so no row has it.
    pub(super) fn stored(
        &self,
        table: &str,
        column: &str,
        value: &Value,
        text: Option<String>,
    ) -> Option<Option<String>> {
        self.as_label(table, column, text, |column, text| self.labels.stored(column, value, text))
    }

    /// A text to compare with what is stored in an enum, as texts; of other types any.
    pub(super) fn compared(
        &self,
        table: &str,
        column: &str,
        value: &Value,
        text: Option<String>,
    ) -> Option<Option<String>> {
        self.as_label(table, column, text, |column, text| self.labels.compared(column, value, text))
    }

    fn as_label(
        &self,
        table: &str,
        column: &str,
        text: Option<String>,
        label: impl FnOnce(&crate::structure::table::Column, String) -> Option<String>,
    ) -> Option<Option<String>> {
        let Some(text) = text else { return Some(None) };
        match self.table(table).and_then(|table| table.table.column(column)) {
            Some(column) => label(column, text).map(Some),
            None => Some(Some(text)),
        }
    }

    pub(super) fn dialect(&self) -> &'s Dialect {
        self.dialect
    }

    /// Whether a column can be read as what it will be.
    pub(super) fn is_readable(&self, table: &str, column: &str) -> bool {
        let here = self.tables.get(table).filter(|here| here.place.is_some());
        here.is_some_and(|here| {
            !here.unlike.contains(column) && (here.may_read || self.view != View::Report)
        })
    }

    /// Why the caller cannot see a row.
    pub(super) fn hidden(&self, seed: &Seed, row: &Row) -> Option<String> {
        let here = self.tables.get(seed.table.as_str())?;
        if !here.may_read && self.view == View::Report {
            return Some("you may not read the table".to_owned());
        }
        if !here.is_guarded {
            return None;
        }
        let workspace = match &self.blueprint.tenancy {
            Tenancy::Database => return None,
            Tenancy::Workspace => self.own_workspace_id?,
            tenancy @ Tenancy::Field { .. } => match row.get(tenancy.column(here.table)?) {
                Some(Value::Given(given)) => given.input.as_str(),
                _ => return None,
            },
        };
        (workspace != self.workspace_id).then(|| {
            let workspace = crate::json::shorten(workspace);
            format!(
                "workspace \"{workspace}\" is not the session's, and its rows are not to be seen"
            )
        })
    }
}

/// Whether row security does not hold for the caller.
fn sees_all(client: &mut SpiClient<'_>) -> Result<bool, Error> {
    if Owner::find()?.is_caller() {
        return Ok(true);
    }
    let rows = client.update(
        "SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user",
        None,
        &[],
    )?;
    Ok(rows.first().get_one::<bool>()?.unwrap_or_default())
}

/// Columns of a table that are not there yet as the target has them.
fn unlike(planned: &Planned, table: &ModelTable, now: &Place) -> HashSet<String> {
    let is_changed = planned.steps.iter().any(|step| match &step.relation {
        Some(relation) => relation.schema == table.schema && relation.table == table.table_name,
        None => !step.operation.contains("schema"),
    });
    let observed = planned.tables.get(now).filter(|_| is_changed);
    let Some(observed) = observed else { return HashSet::new() };
    let is_unlike = |name: &&str| {
        let (wanted, there) = (table.table.column(name), observed.table.column(name));
        !wanted.zip(there).is_some_and(|(a, b)| (&a.kind, a.list) == (&b.kind, b.list))
    };
    let names = table.table.columns.iter().map(|column| column.name.as_str());
    names.filter(is_unlike).map(str::to_owned).collect()
}

/// What would be written.
pub(crate) fn compare(client: &mut SpiClient<'_>, scene: &Scene<'_>) -> Result<Compared, Error> {
    let _settings = LocalSettings::set(SETTINGS);
    let mut looker = Looker::new(scene);
    let mut known = Rows::new(scene.blueprint);
    let mut found: Vec<Found> = Vec::new();
    for group in order(scene.blueprint).unwrap_or_default() {
        pgrx::check_for_interrupts!();
        let looked = looker.look(client, &group)?;
        let seed = looker.seed(&group);
        let mut one = Found { seed: group.seed, is_rough: looked.is_rough, ..Found::default() };
        for (why, rows) in looked.hidden {
            let rows = rows.len();
            let what = if rows == 1 { "row" } else { "rows" };
            match scene.view {
                View::Report => one.unseen = Some(format!("{rows} {what}: {why}")),
                _ => one
                    .refused
                    .push(format!("{rows} {what}: {why}; the owner of Kepler's tables writes all")),
            }
        }
        let written = looked.missing.iter().chain(looked.changed.iter().map(|(at, _)| at));
        let values = written.flat_map(|at| seed.rows[*at].0.iter().map(move |pair| (*at, &pair.1)));
        let values: Vec<(usize, &Value)> = values.collect();
        looker.resolved.look_up(client, scene, values.iter().map(|(_, value)| *value));
        for (at, value) in values {
            for lookup in value.lookups() {
                let is_there = looker.resolved.has_found(lookup);
                let columns = lookup.by.iter().map(|(column, _)| column);
                let mut columns = columns.chain([&lookup.column]);
                let is_clear = scene.spoken(&lookup.table).is_none()
                    || columns.all(|column| scene.is_readable(&lookup.table, column));
                if !is_there && is_clear && known.of(lookup).is_none() {
                    one.refused.push(nothing_found(seed, at, lookup, scene));
                    break;
                }
            }
        }
        one.together = vec![looked.missing.len()];
        one.missing = looked.missing;
        one.changed = looked.changed;
        let is_idle = one.missing.is_empty()
            && one.changed.is_empty()
            && one.refused.is_empty()
            && one.unseen.is_none();
        if is_idle {
            continue;
        }
        match found.iter_mut().find(|known| known.seed == one.seed) {
            Some(known) => known.add(one),
            None => found.push(one),
        }
    }
    Ok(found)
}

/// What is said of a lookup that finds no row.
pub(super) fn nothing_found(seed: &Seed, at: usize, lookup: &Lookup, scene: &Scene<'_>) -> String {
    let own = crate::json::token(&seed.table);
    let table = scene.table(&lookup.table);
    let is_personal = |column: &str| table.is_some_and(|table| table.is_personal(column));
    let by = match lookup.by.iter().any(|(column, _)| is_personal(column)) {
        true => "these values".to_owned(),
        false => lookup.conditions(scene.blueprint).to_string(),
    };
    format!(
        "/seed/{own}/rows/{at}: no row of \"{}\" has {}",
        lookup.table,
        crate::json::shorten(&by)
    )
}

impl Found {
    fn add(&mut self, other: Found) {
        self.missing.extend(other.missing);
        self.together.extend(other.together);
        self.changed.extend(other.changed);
        self.refused.extend(other.refused);
        self.unseen = self.unseen.take().or(other.unseen);
        self.is_rough |= other.is_rough;
    }
}
