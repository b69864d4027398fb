//! The steps back, as differences.

use super::{Drift, dotted, spelt};
use crate::structure::blueprint::keeping::POLICY;
use crate::structure::blueprint::plan::Place;
use crate::structure::step::{Class, Phase, Step};
use std::collections::HashSet;

impl Drift<'_> {
    pub(super) fn of_steps(&mut self) {
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
            "track_history" | "untrack_history" => {
                let is_missing = step.operation == "track_history";
                let kind = if is_missing { "missing" } else { "extra" };
                let kept = Some("kept".to_owned());
                let (expected, actual) = if is_missing { (kept, None) } else { (None, kept) };
                self.push("history", object, kind, expected, actual);
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
