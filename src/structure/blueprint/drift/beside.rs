//! What others have added to the blueprint's tables and schemas.

use super::{Drift, dotted};
use crate::structure::blueprint::keeping::POLICY;
use crate::structure::blueprint::model::{EnumType, FILL_TRIGGER};
use crate::structure::blueprint::plan::Place;
use crate::structure::blueprint::registry::Stored;
use crate::structure::observe::NamedRule;
use crate::structure::plan::guarded::REFERENCES_TRIGGER;
use crate::structure::plan::tables::normal;
use std::collections::{HashMap, HashSet};

impl Drift<'_> {
    /// What was added to the blueprint's tables.
    pub(super) fn extras(&mut self) {
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
    pub(super) fn extra_tables(
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
}
