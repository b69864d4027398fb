//! How the database differs from a blueprint that was applied: what a plan back would do, said as differences; what users have
//! added, which no plan touches; and what is not compared at all.

mod beside;
mod seed;
mod steps;

use super::error::BlueprintError;
use super::lists::List;
use super::model::ModelTable;
use super::plan::{self, Manner, Place, Planned, Request};
use super::registry::{self, Stored};
use super::seed::{View, seed_steps};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::structure::apply;
use crate::structure::ddl::Dialect;
use crate::structure::observe::{COVERAGE, NamedRule, Observed};
use crate::structure::plan::tables::SequenceState;
use pgrx::spi::SpiClient;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `table`, `column`, `index`, …
    pub(crate) object_type: String,
    pub(crate) object: String,
    /// `missing`, `changed`, `extra`, `deferred` or `coverage`.
    pub(crate) kind: &'static str,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
}

/// The steps back to the version that was applied, or is under way, with the rows of its seed, for whoever asks.
pub(crate) fn repair(
    client: &mut SpiClient<'_>,
    name: &str,
    session_workspace: &str,
) -> Result<Planned, Error> {
    let caller = (!Owner::find()?.is_caller()).then_some(session_workspace);
    let (mut planned, stored) = way_back(client, name, caller)?;
    if let Some(version) = stored.present() {
        let workspaces = (session_workspace, stored.workspace_id.as_deref());
        planned.seed = seed_steps(client, (&version.blueprint, &planned), View::Plan, workspaces)?;
    }
    Ok(planned)
}

/// `workspace_id`: that of a caller without the rights of the owner.
fn way_back(
    client: &mut SpiClient<'_>,
    name: &str,
    workspace_id: Option<&str>,
) -> Result<(Planned, Stored), Error> {
    let stored = registry::require(client, name)?;
    let planned = {
        let Some(version) = stored.present() else {
            return Err(BlueprintError::Missing(name.to_owned()).into());
        };
        let is_owner = workspace_id.is_none();
        let workspace_id = workspace_id.or(stored.workspace_id.as_deref()).unwrap_or_default();
        let request = Request {
            blueprint: &version.blueprint,
            stored: Some(&stored),
            // What was let through once is known.
            manner: Manner { trusted: true, ..Manner::default() },
            workspace_id,
            is_owner,
        };
        plan::plan(client, &request)?
    };
    Ok((planned, stored))
}

/// All differences, in the order of the blueprint's objects.
pub(crate) fn drift(
    client: &mut SpiClient<'_>,
    name: &str,
    session_workspace: &str,
) -> Result<Vec<Difference>, Error> {
    // What differs is the same for everybody, whoever may repair it.
    let (planned, stored) = way_back(client, name, None)?;
    let dialect = apply::dialect(client)?;
    let tables = List::Tables.all(client)?;
    let types = List::Enums.all(client)?;
    let mut drift = Drift { planned: &planned, dialect: &dialect, found: Vec::new() };
    drift.of_enums();
    drift.of_steps();
    drift.extras();
    drift.extra_tables(&stored, &tables, &types);
    drift.deferred();
    if let Some(version) = stored.present() {
        let workspaces = (session_workspace, stored.workspace_id.as_deref());
        drift.seed(client, &version.blueprint, workspaces)?;
    }
    drift.coverage(&stored);
    Ok(drift.found)
}

struct Drift<'d> {
    planned: &'d Planned,
    dialect: &'d Dialect,
    found: Vec<Difference>,
}

/// A name as people read it.
fn spelt(name: &str) -> String {
    let mut bytes = name.bytes();
    let is_plain = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if is_plain { name.to_owned() } else { crate::ident::quote(name) }
}

fn dotted(names: &[&str]) -> String {
    names.iter().map(|name| spelt(name)).collect::<Vec<_>>().join(".")
}

impl Drift<'_> {
    fn push(
        &mut self,
        object_type: &str,
        object: String,
        kind: &'static str,
        expected: Option<String>,
        actual: Option<String>,
    ) {
        let known = self.found.iter().any(|other| {
            other.object_type == object_type && other.object == object && other.kind == kind
        });
        if !known {
            let object_type = object_type.to_owned();
            self.found.push(Difference { object_type, object, kind, expected, actual });
        }
    }

    fn observed(&self, place: &Place) -> Option<&Observed> {
        let before = self.planned.before(&place.0, &place.1)?;
        self.planned.tables.get(&before)
    }

    fn target(&self, place: &Place) -> Option<&ModelTable> {
        self.planned.targets.iter().find(|t| t.schema == place.0 && t.table_name == place.1)
    }

    /// The types: what they are, whatever steps lead there.
    fn of_enums(&mut self) {
        let planned = self.planned;
        let values = |values: &[String]| Some(values.join(", "));
        for (target, now) in &planned.enums {
            let object = dotted(&[&target.schema, &target.type_name]);
            let Some(now) = now else {
                self.push("enum", object, "missing", values(&target.values), None);
                continue;
            };
            let is_there = (&now.schema, &now.name) == (&target.schema, &target.type_name);
            if now.values != target.values {
                self.push(
                    "enum",
                    object.clone(),
                    "changed",
                    values(&target.values),
                    values(&now.values),
                );
            } else if !is_there {
                let actual = dotted(&[&now.schema, &now.name]);
                self.push("enum", object.clone(), "changed", Some(object.clone()), Some(actual));
            }
            if now.description != target.description {
                let kind = match (&target.description, &now.description) {
                    (Some(_), None) => "missing",
                    (None, _) => "extra",
                    _ => "changed",
                };
                let (expected, actual) = (target.description.clone(), now.description.clone());
                self.push("comment", object, kind, expected, actual);
            }
        }
    }

    fn is_told(&self, object: &str) -> bool {
        self.found.iter().any(|found| found.object == object)
    }

    fn column(&self, at: Option<&Place>, name: &str, wanted: bool) -> Option<String> {
        let table = match wanted {
            true => &self.target(at?)?.table,
            false => &self.observed(at?)?.table,
        };
        Some(self.dialect.column(table.column(name)?))
    }

    fn comments(&self, at: Option<&Place>, name: &str) -> (Option<String>, Option<String>) {
        let text = |wanted: bool| {
            let at = at?;
            let table = match wanted {
                true => &self.target(at)?.table,
                false => &self.observed(at)?.table,
            };
            match table.column(name) {
                Some(column) if name != at.1 => column.description.clone(),
                _ => table.description.clone(),
            }
        };
        (text(true), text(false))
    }

    /// What a constraint or index of a name says.
    fn rule(&self, at: Option<&Place>, name: &str) -> Option<String> {
        let observed = self.observed(at?)?;
        let named = observed.rules.iter().find(|named| named.name == name);
        named
            .and_then(|named| self.rule_text(observed, named))
            .or_else(|| self.extra_text(at, name))
    }

    fn rule_text(&self, observed: &Observed, named: &NamedRule) -> Option<String> {
        let table = crate::ident::qualified(&observed.schema, &observed.name);
        let text = self
            .dialect
            .constraint(&observed.table, &named.rule)
            .or_else(|| self.dialect.index(&named.rule, &table, &named.name))?;
        Some(if named.validated { text } else { format!("{text} (not valid)") })
    }

    fn extra_text(&self, at: Option<&Place>, name: &str) -> Option<String> {
        let extras = &self.observed(at?)?.extras;
        extras.iter().find(|extra| extra.name == name).map(|extra| match extra.kind {
            "disabled trigger" => format!("{} ({})", extra.definition, extra.reason),
            _ => extra.definition.clone(),
        })
    }

    fn observed_extra(&self, at: Option<&Place>, kind: &str, name: &str) -> Option<String> {
        let mut extras = self.observed(at?)?.extras.iter();
        let of = extras.find(|extra| extra.kind == kind && extra.name == name)?;
        Some(of.definition.clone())
    }

    fn sequence_of(&self, at: Option<&Place>, column: &str) -> Option<SequenceState> {
        let mut sequences = self.observed(at?)?.details.sequences.iter();
        Some(sequences.find(|(of, _)| of == column)?.1.clone())
    }

    fn deferred(&mut self) {
        let planned = self.planned;
        for deferred in &planned.deferred {
            let object = dotted(&[&deferred.schema, &deferred.table, &deferred.name]);
            self.push("index", object, "deferred", Some(deferred.statement.clone()), None);
        }
    }

    /// What nobody has compared.
    fn coverage(&mut self, stored: &Stored) {
        if let Some(pending) = stored.pending.last() {
            let text = format!("version {} is under way, and is compared with", pending.number);
            self.push("blueprint", spelt(&stored.name), "coverage", None, Some(text));
        }
        for (what, why) in COVERAGE {
            self.push("comparison", (*what).to_owned(), "coverage", None, Some((*why).to_owned()));
        }
        let tables = stored.present().map_or(&[][..], |version| &version.blueprint.tables);
        for table in tables {
            let Some(retention) = &table.retention else { continue };
            let object = dotted(&[&table.schema, &table.table_name]);
            let text = format!(
                "rows stay for {} by \"{}\": no retention policy undercuts that",
                retention.floor, retention.column
            );
            self.push("retention", object, "coverage", Some(text), None);
        }
        let warnings = stored.present().map_or(&[][..], |v| &v.blueprint.import_warnings);
        for (at, warning) in warnings.iter().enumerate() {
            let object = format!("warning {}", at + 1);
            self.push("import", object, "coverage", None, Some(warning.clone()));
        }
    }
}
