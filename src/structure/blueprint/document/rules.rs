//! Unique sets and checks of a blueprint's table.

use super::asked;
use super::context::Context;
use super::indexes;
use super::names::problem_with_sql_name;
use super::operators;
use super::table::{Draft, Scope};
use super::types::catalog_name;
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::document::field::default_breaks_a_rule;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::rules::{CheckParts, Columns, read_names, take_check};
use crate::structure::model::{Default, Method, Operand};

/// Fields whose values no two rows share.
pub(super) struct UniqueSet {
    pub(super) fields: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) pointer: String,
    /// A constraint otherwise.
    pub(super) as_index: bool,
    pub(super) nulls_not_distinct: bool,
}

pub(super) fn read_all(draft: &mut Draft<'_>, context: &Context<'_>, problems: &mut Problems) {
    let before = problems.count();
    check_key(draft, problems);
    read_unique(draft, context, problems);
    draft.is_unique_whole = problems.count() == before;
    asked::of_fields(draft, problems);
    read_checks(draft, context, problems);
    let before = problems.count();
    indexes::read_all(draft, context, problems);
    draft.is_unique_whole &= problems.count() == before;
    check_fields(draft, problems);
}

pub(super) fn name(keys: &mut Keys<'_>, problems: &mut Problems) -> Option<String> {
    let name = keys.text("name", problems)?;
    if let Some(problem) = problem_with_sql_name(&name) {
        problems.add(keys.at("name"), problem);
    }
    Some(name)
}

/// Whether values of a type can be in a B-tree, and therefore unique.
fn is_comparable(kind: &FieldKind, list: bool) -> bool {
    match catalog_name(kind) {
        Some(name) => {
            operators::has_own_class(Method::Btree, operators::type_of_operators(name, list))
        }
        // Who knows what an extension has.
        None => !matches!(kind, FieldKind::Vector { .. }),
    }
}

fn check_key(draft: &Draft<'_>, problems: &mut Problems) {
    let Some(key) = &draft.key else { return };
    for (at, name) in key.fields.iter().enumerate() {
        if draft.field(name).is_some_and(|field| !is_comparable(&field.kind, field.list)) {
            let message = format!("\"{name}\" cannot be in a key: its values have no order");
            problems.add(format!("{}/key/fields/{at}", draft.pointer), message);
        }
    }
}

fn read_unique(draft: &mut Draft<'_>, context: &Context<'_>, problems: &mut Problems) {
    let mut sets = Vec::new();
    for (field, beside) in draft.fields.iter().zip(&draft.beside) {
        if field.unique {
            if !is_comparable(&field.kind, field.list) {
                let message = "its values have no order to be unique by";
                problems.add(format!("{}/unique", beside.pointer), message);
            }
            sets.push(UniqueSet {
                fields: vec![field.name.clone()],
                name: None,
                pointer: format!("{}/unique", beside.pointer),
                as_index: false,
                nulls_not_distinct: false,
            });
        }
    }
    for (at, json) in draft.lists.unique.iter().enumerate() {
        let pointer = format!("{}/unique/{at}", draft.pointer);
        let mut set = UniqueSet {
            fields: Vec::new(),
            name: None,
            pointer: pointer.clone(),
            as_index: false,
            nulls_not_distinct: false,
        };
        let (items, items_at) = match json {
            Json::Array(items) => (items.as_slice(), pointer),
            Json::Object(_) => {
                let Some(mut keys) = Keys::open(json, pointer, problems) else { continue };
                let items = keys.list("fields", problems);
                let at = keys.at("fields");
                if !keys.has("fields") {
                    problems.add(&at, "is missing");
                }
                set.name = name(&mut keys, problems);
                set.as_index = keys.boolean("index", problems);
                set.nulls_not_distinct = keys.boolean("nulls_not_distinct", problems);
                if set.nulls_not_distinct && !set.as_index {
                    let message = "is of a unique index: give it \"index\": true";
                    problems.add(keys.at("nulls_not_distinct"), message);
                }
                keys.close(problems);
                let Some(items) = items else { continue };
                (items, at)
            }
            other => {
                let message =
                    format!("must be an array of fields or an object, not {}", other.kind());
                problems.add(pointer, message);
                continue;
            }
        };
        let scope = Scope { draft, context };
        let Some(names) = read_names(items, &items_at, Json::as_str, &scope, problems) else {
            continue;
        };
        for (at, name) in names.iter().enumerate() {
            if let Some((kind, list)) = scope.kind_of(name)
                && !is_comparable(&kind, list)
            {
                let message = format!("\"{name}\" cannot be unique: its values have no order");
                problems.add(format!("{items_at}/{at}"), message);
            }
        }
        set.fields = names.into_iter().map(str::to_owned).collect();
        let same = |other: &&UniqueSet| {
            other.fields == set.fields
                && other.as_index == set.as_index
                && other.nulls_not_distinct == set.nulls_not_distinct
                && (other.name.is_none() || set.name.is_none())
        };
        if sets.iter().find(same).is_some() {
            problems.add(&set.pointer, "the same fields are given twice");
        } else {
            sets.push(set);
        }
    }
    // Postgres makes one constraint of the two.
    if let Some(key) = &draft.key {
        let is_key = |set: &&UniqueSet| !set.as_index && set.fields == key.fields;
        for set in sets.iter().filter(is_key) {
            problems.add(set.pointer.clone(), "the key is unique already");
        }
    }
    draft.unique = sets;
}

fn read_checks(draft: &mut Draft<'_>, context: &Context<'_>, problems: &mut Problems) {
    for (at, json) in draft.lists.checks.iter().enumerate() {
        let pointer = format!("{}/checks/{at}", draft.pointer);
        let Some(mut keys) = Keys::open(json, pointer.clone(), problems) else { continue };
        let parts = CheckParts::take(&mut keys, json, problems);
        let name = name(&mut keys, problems);
        keys.close(problems);
        let scope = Scope { draft, context };
        let Some(check) = parts.read(&scope, problems) else { continue };
        asked::of_check(draft, &check, &pointer, problems);
        match name {
            Some(name) => draft.named_checks.push((check, name, format!("{pointer}/name"))),
            None => take_check(&mut draft.fields, &mut draft.checks, check, &pointer, problems),
        }
    }
}

/// What depends on the rules.
fn check_fields(draft: &Draft<'_>, problems: &mut Problems) {
    for (field, beside) in draft.fields.iter().zip(&draft.beside) {
        let pointer = &beside.pointer;
        let breaks = default_breaks_a_rule(field).or_else(|| {
            let Some(Default::Value(value)) = &field.default else { return None };
            let checks = draft.checks.iter().chain(draft.named_checks.iter().map(|named| &named.0));
            let mut broken = checks.filter(|check| {
                check.field == field.name
                    && matches!(&check.operand, Operand::Value(bound)
                        if value.compare(bound).is_some_and(|ordering| !check.op.holds(ordering)))
            });
            broken.next().map(|check| format!("does not pass the check {}", check.op.symbol()))
        });
        if let Some(problem) = breaks {
            problems.add(format!("{pointer}/default"), problem);
        }
        if let (Some(min), Some(max)) = (&field.min, &field.max)
            && min.compare(max).is_some_and(|ordering| ordering.is_gt())
        {
            problems
                .add(pointer, format!("no value of \"{}\" passes its min and its max", field.name));
        }
    }
}
