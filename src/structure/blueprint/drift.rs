//! How the database differs from a blueprint that was applied: what a plan back would do, said as differences; what users have
//! added, which no plan touches; and what is not compared at all.

mod seed;

use super::error::BlueprintError;
use super::keeping::POLICY;
use super::model::{EnumType, FILL_TRIGGER, ModelTable};
use super::plan::{self, Manner, Place, Planned, Request};
use super::registry::{self, List, Stored};
use super::seed::{View, seed_steps};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::structure::apply;
use crate::structure::ddl::Dialect;
use crate::structure::observe::{COVERAGE, NamedRule, Observed};
use crate::structure::plan::guarded::REFERENCES_TRIGGER;
use crate::structure::plan::tables::{SequenceState, normal};
use crate::structure::step::{Class, Phase, Step};
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

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

    fn of_steps(&mut self) {
        let planned = self.planned;
        let place =
            |step: &Step| step.relation.as_ref().map(|at| (at.schema.clone(), at.table.clone()));
        // Of a table that is not there nothing else is told.
        let missing: HashSet<Place> = planned
            .steps
            .iter()
            .filter(|step| step.operation == "create_table" && step.class != Class::Refused)
            .filter_map(place)
            .collect();
        let added: HashSet<(Option<Place>, &str)> = planned
            .steps
            .iter()
            .filter(|step| step.operation.starts_with("add_"))
            .map(|step| (place(step), step.object.as_str()))
            .collect();
        let dropped: HashSet<(Option<Place>, &str)> = planned
            .steps
            .iter()
            .filter(|step| step.operation.starts_with("drop_"))
            .map(|step| (place(step), step.object.as_str()))
            .collect();
        for step in planned.steps.iter().filter(|step| step.phase != Phase::Deferred) {
            let at = place(step);
            if let Some(at) = &at
                && missing.contains(at)
            {
                let object = dotted(&[&at.0, &at.1]);
                self.push("table", object, "missing", Some("table".to_owned()), None);
                continue;
            }
            let told_as = (at.clone(), step.object.as_str());
            if step.operation.starts_with("drop_") && added.contains(&told_as) {
                continue;
            }
            let was_dropped = dropped.contains(&told_as);
            self.of_step(step, at.as_ref(), was_dropped);
        }
    }

    fn of_step(&mut self, step: &Step, at: Option<&Place>, was_dropped: bool) {
        let object = match at {
            Some((schema, table)) if step.object == *table => dotted(&[schema, table]),
            Some((schema, table)) => dotted(&[schema, table, &step.object]),
            None => spelt(&step.object),
        };
        let why = (!step.hazards.is_empty()).then(|| step.hazards.join("; "));
        match step.operation {
            "create_schema" if step.class != Class::Refused => {
                self.push("schema", object, "missing", Some("schema".to_owned()), None);
            }
            "create_extension" => {
                self.push("extension", object, "missing", Some("extension".to_owned()), None);
            }
            "create_schema" => self.push("schema", object, "changed", None, why),
            "create_table" => self.push("table", object, "changed", None, why),
            "create_type" if step.class == Class::Refused => {
                let mut places = self.planned.enum_places.iter();
                let place = places.find(|(_, name)| *name == step.object);
                let object = place.map_or(object, |(schema, name)| dotted(&[schema, name]));
                self.push("enum", object, "changed", None, why);
            }
            "add_column" => {
                let expected = self.column(at, &step.object, true);
                self.push("column", object, "missing", expected, None);
            }
            "add_primary_key" | "add_unique" | "add_reference" | "add_check" | "add_rule"
            | "add_index" => {
                let is_index = step.operation == "add_index" || step.sql.starts_with("CREATE ");
                let object_type = if is_index { "index" } else { "constraint" };
                let actual = self.rule(at, &step.object);
                if step.class == Class::Refused && actual.is_none() {
                    self.push(object_type, object, "missing", None, why);
                    return;
                }
                let kind = if was_dropped || actual.is_some() { "changed" } else { "missing" };
                self.push(object_type, object, kind, definition(step), actual);
            }
            "rename_constraint" | "rename_index" => {
                let object_type =
                    if step.operation == "rename_index" { "index" } else { "constraint" };
                let actual = step.undo.as_deref().and_then(renamed_to);
                self.push(object_type, object, "changed", Some(step.object.clone()), actual);
            }
            "validate" => {
                let (expected, actual) = (Some("valid".to_owned()), Some("NOT VALID".to_owned()));
                let told = ["missing", "changed"].iter().any(|kind| {
                    self.found.iter().any(|found| {
                        found.object == object
                            && found.kind == *kind
                            && found.object_type == "constraint"
                    })
                });
                if !told {
                    self.push("constraint", object, "changed", expected, actual);
                }
            }
            "describe" if at.is_some() => {
                let (expected, actual) = self.comments(at, &step.object);
                let kind = match (&expected, &actual) {
                    (Some(_), None) => "missing",
                    (None, Some(_)) => "extra",
                    _ => "changed",
                };
                self.push("comment", object, kind, expected, actual);
            }
            "add_trigger" | "change_trigger" | "drop_trigger" => {
                let kind = match step.operation {
                    "add_trigger" => "missing",
                    "drop_trigger" => "extra",
                    _ => "changed",
                };
                let there = self.extra_text(at, &step.object);
                let kind = if there.is_some() && kind == "missing" { "changed" } else { kind };
                let expected = (kind != "extra").then(|| step.sql.clone());
                let actual = (kind != "missing").then(|| there.or(step.undo.clone())).flatten();
                self.push("trigger", object, kind, expected, actual);
            }
            "open" | "secure" => {
                let object = at.map_or(object, |(schema, table)| dotted(&[schema, table, POLICY]));
                let observed = at.and_then(|at| self.observed(at));
                let policy = observed.and_then(|observed| {
                    let details = &observed.details;
                    let policy = details.policies.iter().find(|policy| policy.name == POLICY)?;
                    let state =
                        if details.row_security { "" } else { " (row security is disabled)" };
                    Some(format!("{}{state}", policy.text()))
                });
                let kind = if policy.is_some() { "changed" } else { "missing" };
                let expected = (step.operation == "secure").then(|| step.sql.clone());
                self.found.retain(|found| found.object_type != "policy" || found.object != object);
                self.push("policy", object, kind, expected, policy);
            }
            "drop_schema" => {
                let actual = Some("a schema that the blueprint made, and that is empty".to_owned());
                self.push("schema", spelt(&step.object), "extra", None, actual);
            }
            "change_generated" if step.class == Class::Refused => {
                self.push("sequence", object, "missing", None, why);
            }
            "stop_computing" => {
                let expected = self.column(at, &step.object, true);
                let actual = self.observed_extra(at, "generated column", &step.object);
                self.push("column", object, "changed", expected, actual);
            }
            "unforce" => {
                let object = at.map_or(object, |(schema, table)| dotted(&[schema, table, POLICY]));
                let actual = Some("FORCE ROW LEVEL SECURITY".to_owned());
                self.push("policy", object, "changed", Some(step.sql.clone()), actual);
            }
            "change_collation" => {
                let actual = self.observed_extra(at, "collation", &step.object);
                let actual = actual.map(|collation| format!("COLLATE {collation}"));
                self.push(
                    "column",
                    object,
                    "changed",
                    Some("the type's collation".to_owned()),
                    actual,
                );
            }
            "change_sequence" => {
                let back = step.undo.as_deref().unwrap_or_default();
                let actual = self.sequence_of(at, &step.object).and_then(|state| state.fault);
                let actual = actual.or_else(|| Some(back.to_owned()));
                self.push("sequence", object, "changed", Some(step.sql.clone()), actual);
            }
            "rename_sequence" => {
                self.push("sequence", object, "changed", Some(step.object.clone()), None);
            }
            operation if operation.contains("rule") || operation.contains("constraint") => {
                if !was_dropped || operation.starts_with("drop_") && !self.is_told(&object) {
                    let actual = self.rule(at, &step.object);
                    self.push("constraint", object, "changed", None, actual);
                }
            }
            operation if operation.starts_with("drop_index") => {}
            _ => {
                let expected = self.column(at, &step.object, true);
                let actual = self.column(at, &step.object, false);
                match (&expected, at) {
                    // It is of a type that changes, which is told already.
                    (Some(_), Some(_)) if expected == actual => {}
                    (Some(_), Some(_)) => {
                        self.push("column", object, "changed", expected, actual);
                    }
                    (None, Some(_)) => {
                        let expected = (!step.sql.is_empty()).then(|| step.sql.clone()).or(why);
                        self.push("table", object, "changed", expected, None);
                    }
                    (_, None) if step.class == Class::Refused => {
                        self.push("blueprint", object, "changed", None, why);
                    }
                    // Types were told before.
                    (_, None) => {}
                }
            }
        }
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

    /// What was added to the blueprint's tables.
    fn extras(&mut self) {
        let planned = self.planned;
        for target in &planned.targets {
            let place = (target.schema.clone(), target.table_name.clone());
            let Some(observed) = self.observed(&place).cloned() else { continue };
            let at = |name: &str| dotted(&[&place.0, &place.1, name]);
            for column in &observed.table.columns {
                if target.table.column(&column.name).is_none() {
                    let text = self.dialect.column(column);
                    self.push("column", at(&column.name), "extra", None, Some(text));
                }
            }
            let mut unmatched: Vec<&NamedRule> = observed.rules.iter().collect();
            for (rule, name) in normal(&target.table).named_rules() {
                let same = |named: &&NamedRule| named.rule == *rule;
                let found = unmatched
                    .iter()
                    .position(|named| same(named) && name == Some(named.name.as_str()))
                    .or_else(|| unmatched.iter().position(same));
                if let Some(found) = found {
                    unmatched.remove(found);
                }
            }
            for named in unmatched {
                let object = at(&named.name);
                let text = self.rule_text(&observed, named);
                let is_index = text.as_ref().is_some_and(|text| text.starts_with("CREATE "));
                let object_type = if is_index { "index" } else { "constraint" };
                if !self.is_told(&object) {
                    self.push(object_type, object, "extra", None, text);
                }
            }
            // One that no version asked for.
            if target.fills.is_empty() && !observed.details.fills.is_empty() {
                let fills = observed.details.fills.iter();
                let text: Vec<String> =
                    fills.map(|fill| format!("{} {}", fill.column, fill.with)).collect();
                let object = at(FILL_TRIGGER);
                if !self.is_told(&object) {
                    self.push("trigger", object, "extra", None, Some(text.join(", ")));
                }
            }
            let guarded = planned.is_guarded(target);
            for extra in &observed.extras {
                let is_ours = match extra.kind {
                    "row security" => guarded,
                    "policy" => extra.name == POLICY && guarded,
                    "disabled trigger" => {
                        [FILL_TRIGGER, REFERENCES_TRIGGER].contains(&extra.name.as_str())
                    }
                    "collation" | "generated column" => target.table.column(&extra.name).is_some(),
                    _ => false,
                };
                let object = if extra.name == place.1 {
                    dotted(&[&place.0, &place.1])
                } else {
                    at(&extra.name)
                };
                let told = self.found.iter().any(|found| {
                    found.object == object
                        && matches!(
                            found.object_type.as_str(),
                            "constraint" | "index" | "trigger" | "policy"
                        )
                });
                if !is_ours && !told {
                    let text = format!("{} ({})", extra.definition, extra.reason);
                    self.push(extra.kind, object, "extra", None, Some(text));
                }
            }
        }
    }

    /// Tables and enums in schemas that are the blueprint's alone.
    fn extra_tables(
        &mut self,
        stored: &Stored,
        listed: &HashMap<Place, String>,
        types: &HashMap<Place, String>,
    ) {
        let planned = self.planned;
        let made: HashSet<&str> = stored.made_schemas.iter().map(String::as_str).collect();
        for relation in &planned.facts.relations {
            let place = (relation.schema.clone(), relation.name.clone());
            let known = listed.contains_key(&place) || self.target(&place).is_some();
            if made.contains(relation.schema.as_str()) && !known {
                let object = dotted(&[&relation.schema, &relation.name]);
                let text = format!("{} of \"{}\"", relation.kind_text(), relation.owner);
                self.push(relation.kind_text(), object, "extra", None, Some(text));
            }
        }
        for fact in &planned.facts.types {
            let place = (fact.schema.clone(), fact.name.clone());
            let is_target = |(target, _): &(EnumType, _)| {
                (&target.schema, &target.type_name) == (&fact.schema, &fact.name)
            };
            let known = types.contains_key(&place) || planned.enums.iter().any(is_target);
            if made.contains(fact.schema.as_str()) && fact.kind == 'e' && !known {
                let object = dotted(&[&fact.schema, &fact.name]);
                self.push("enum", object, "extra", None, Some(fact.values.join(", ")));
            }
        }
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
                "rows stay for {} by \"{}\": declared; nothing deletes rows for their age yet",
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

/// What a step adds, as a definition.
fn definition(step: &Step) -> Option<String> {
    if step.sql.is_empty() {
        return None;
    }
    let text = step.sql.strip_suffix(" NOT VALID").unwrap_or(&step.sql);
    let name = format!(" ADD CONSTRAINT {} ", crate::ident::quote(&step.object));
    Some(text.split_once(&name).map_or(text, |(_, definition)| definition).to_owned())
}

/// The name at the end of a statement that renames.
fn renamed_to(sql: &str) -> Option<String> {
    let (_, name) = sql.rsplit_once(" TO ")?;
    Some(name.trim_matches('"').replace("\"\"", "\""))
}
