//! Values of enum types in the rows of a seed. A plan looks at rows before its steps have added and renamed values, so
//! a row is compared by what the type has now.

use super::super::model::{Blueprint, EnumType, ModelTable};
use super::super::plan::{Place, Planned};
use super::Value;
use super::compare::View;
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::constant::Constant;
use crate::structure::plan::enums::RenamedValues;
use crate::structure::table::Column;
use std::collections::HashMap;

/// Of each type the values that rows name, by schema and name of the type.
pub(crate) fn enum_values(blueprint: &Blueprint) -> HashMap<(&str, &str), Vec<&str>> {
    let mut found = HashMap::new();
    if blueprint.enums.is_empty() {
        return found;
    }
    for seed in blueprint.seed.iter() {
        let Some(table) = blueprint.table_called(&seed.table) else { continue };
        for (column, value) in seed.rows.iter().flat_map(|row| &row.0) {
            add_values(blueprint, (table, column), value, &mut found);
        }
    }
    for values in found.values_mut() {
        values.sort_unstable();
        values.dedup();
    }
    found
}

fn add_values<'b>(
    blueprint: &'b Blueprint,
    (table, column): (&'b ModelTable, &str),
    value: &'b Value,
    found: &mut HashMap<(&'b str, &'b str), Vec<&'b str>>,
) {
    match value {
        Value::Given(given) => {
            if let Some(FieldKind::NamedEnum { schema, name }) =
                table.table.column(column).map(|column| &column.kind)
            {
                found.entry((schema, name)).or_default().extend(labels(&given.json));
            }
        }
        Value::Lookup(lookup) => {
            let Some(table) = blueprint.table_called(&lookup.table) else { return };
            for (column, value) in &lookup.by {
                add_values(blueprint, (table, column), value, found);
            }
        }
        Value::Null | Value::Moved { .. } => {}
    }
}

/// The values of an enum that a document says: one, or those of a list.
fn labels(json: &Json) -> Vec<&str> {
    match json {
        Json::String(text) => vec![text.as_str()],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What the types have before the steps of a plan: by type, what the document calls each value.
#[derive(Default)]
pub(super) struct Labels(HashMap<Place, HashMap<String, String>>);

impl Labels {
    pub(super) fn new(planned: &Planned, view: View) -> Self {
        if view == View::Done {
            return Self::default();
        }
        let types = planned.facts.types.iter().filter(|fact| fact.kind == 'e').map(|fact| {
            let is_it = |target: &EnumType| {
                (&target.schema, &target.type_name) == (&fact.schema, &fact.name)
            };
            let target = planned.enums.iter().find(|(target, now)| now.is_some() && is_it(target));
            let called = match target {
                Some((target, _)) => RenamedValues::of(&fact.values, target).values,
                None => fact.values.clone(),
            };
            let values = called.into_iter().zip(fact.values.iter().cloned()).collect();
            ((fact.schema.clone(), fact.name.clone()), values)
        });
        Self(types.collect())
    }

    fn of(&self, column: &Column) -> Option<&HashMap<String, String>> {
        let FieldKind::NamedEnum { schema, name } = &column.kind else { return None };
        self.0.get(&(schema.clone(), name.clone()))
    }

    /// A text for a column as the type of now reads it; none where the type lacks the value, which no row has then.
    pub(super) fn stored(&self, column: &Column, value: &Value, text: String) -> Option<String> {
        let Some(labels_now) = self.of(column) else { return Some(text) };
        match value {
            Value::Given(given) => {
                let now = labels(&given.json).into_iter().map(|label| labels_now.get(label));
                let now: Vec<&String> = now.collect::<Option<_>>()?;
                match (column.list, now.as_slice()) {
                    (false, [one]) => Some((*one).clone()),
                    (false, _) => Some(text),
                    (true, many) => {
                        let items = many.iter().map(|label| Constant::Text((*label).clone()));
                        Some(Constant::List(items.collect()).input())
                    }
                }
            }
            Value::Lookup(_) if !column.list => {
                labels_now.values().any(|label| *label == text).then_some(text)
            }
            _ => Some(text),
        }
    }

    /// A text for a column to compare with the text of what is stored: equal only where the values are.
    pub(super) fn compared(&self, column: &Column, value: &Value, text: String) -> Option<String> {
        if let Some(stored) = self.stored(column, value, text.clone()) {
            return Some(stored);
        }
        let labels_now = self.of(column)?;
        let Value::Given(given) = value else { return Some(text) };
        // What is to be renamed may leave its name to a value that is yet to come.
        let mut said = labels(&given.json).into_iter();
        let is_text_there = said.all(|label| labels_now.values().any(|now| now == label));
        (!is_text_there).then_some(text)
    }
}
