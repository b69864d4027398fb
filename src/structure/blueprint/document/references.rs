//! References between the tables of a blueprint: fields of type `reference`, and the list `references`.

use super::context::Context;
use super::field::actions;
use super::names::problem_with_sql_name;
use super::table::{Draft, ReadReference, Scope};
use super::types::catalog_name;
use crate::field_types::kind::FieldKind;
use crate::json::{Json, shorten};
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::rules::{Columns, read_names};
use crate::structure::table::{Action, Reference, Target};
use std::collections::{HashMap, HashSet};

/// Gives fields of type `reference` the type of what they refer to, and notes the references.
pub(super) fn settle_fields(
    drafts: &mut [Draft<'_>],
    by_name: &HashMap<String, usize>,
    problems: &mut Problems,
) {
    let mut settled = Vec::new();
    for (table, draft) in drafts.iter().enumerate() {
        for (at, field) in draft.fields.iter().enumerate() {
            let FieldKind::Reference { to, .. } = &field.kind else { continue };
            let pointer = &draft.beside[at].pointer;
            match follow(drafts, by_name, to) {
                Ok(kind) => settled.push((table, at, by_name[to.as_str()], Some(kind))),
                Err(problem) => {
                    if let Some(problem) = problem {
                        problems.add(format!("{pointer}/to"), problem);
                    }
                    settled.push((table, at, 0, None));
                }
            }
        }
    }
    for (table, at, target, kind) in settled {
        let Some((kind, list)) = kind else {
            let draft = &mut drafts[table];
            draft.whole = false;
            draft.unread.extend([draft.fields[at].name.clone()]);
            continue;
        };
        let Some(key) = drafts[target].key.as_ref().map(|key| key.fields.clone()) else { continue };
        let target = target_of(&drafts[target], &key);
        let draft = &mut drafts[table];
        draft.fields[at].kind = kind;
        draft.fields[at].list = list;
        let Some((on_delete, on_update)) = draft.beside[at].actions else { continue };
        let pointer = draft.beside[at].pointer.clone();
        if on_delete == Action::SetNull && draft.fields[at].required {
            let message = "a required field cannot be set to null";
            problems.add(format!("{pointer}/on_delete"), message);
        }
        let columns = vec![draft.fields[at].name.clone()];
        let reference = Reference { columns, target, on_delete, on_update, set: Vec::new() };
        draft.references.push(ReadReference { reference, name: None, pointer });
    }
}

/// The type at the end of a chain of references, and whether it is a list; no problem where it is told elsewhere.
fn follow(
    drafts: &[Draft<'_>],
    by_name: &HashMap<String, usize>,
    to: &str,
) -> Result<(FieldKind, bool), Option<String>> {
    let mut seen = HashSet::new();
    let mut to = to;
    loop {
        let Some(&table) = by_name.get(to) else {
            return Err(Some(format!("table \"{}\" is not in the blueprint", shorten(to))));
        };
        let target = &drafts[table];
        let Some(key) = &target.key else {
            let message = format!("table \"{to}\" has no key");
            return Err(target.whole.then_some(message));
        };
        let [key] = key.fields.as_slice() else {
            let message = format!(
                "the key of table \"{to}\" has several fields: say it in the table's \"references\""
            );
            return Err(Some(message));
        };
        match target.field(key).map(|field| (&field.kind, field.list)) {
            Some((FieldKind::Reference { to: next, .. }, _)) => {
                if !seen.insert(to) {
                    let message = "refers to a key that refers to itself: no type is at the end";
                    return Err(Some(message.to_owned()));
                }
                to = next;
            }
            Some((kind, list)) => return Ok((kind.clone(), list)),
            None => return Err(None),
        }
    }
}

fn target_of(draft: &Draft<'_>, fields: &[String]) -> Target {
    Target {
        schema: draft.schema.clone(),
        table: draft.table_name.clone(),
        columns: fields.iter().map(|name| draft.column(name)).collect(),
    }
}

/// The tables whose whole key a field refers to.
pub(super) fn tables_named_by<'d>(
    draft: &'d Draft<'_>,
    field: &'d str,
    drafts: &'d [Draft<'_>],
) -> impl Iterator<Item = String> + 'd {
    let of_field = draft.references.iter().filter(move |read| read.reference.columns == [field]);
    of_field.filter_map(|read| {
        let target = &read.reference.target;
        let is_target = |other: &&Draft<'_>| {
            let key = other.key.as_ref().map_or(&[][..], |key| &key.fields);
            let place = (&other.schema, &other.table_name);
            place == (&target.schema, &target.table)
                && key.len() == 1
                && key.iter().map(|name| other.column(name)).eq(target.columns.iter().cloned())
        };
        drafts.iter().find(is_target).map(|other| other.name.clone())
    })
}

/// Reads the lists of references of all tables, when what is unique is known.
pub(super) fn read_lists(
    drafts: &mut [Draft<'_>],
    by_name: &HashMap<String, usize>,
    context: &Context<'_>,
    problems: &mut Problems,
) {
    let unique: Vec<HashSet<Vec<String>>> = drafts.iter().map(unique_sets).collect();
    for table in 0..drafts.len() {
        let mut found = Vec::new();
        for (at, json) in drafts[table].lists.references.iter().enumerate() {
            let pointer = format!("{}/references/{at}", drafts[table].pointer);
            let lookup = Lookup { drafts, by_name, unique: &unique, context };
            let before = problems.count();
            let reference = lookup.read(table, json, &pointer, problems);
            found.extend(reference.filter(|_| problems.count() == before));
        }
        let draft = &mut drafts[table];
        for reference in found {
            let same = |other: &ReadReference| {
                other.reference == reference.reference
                    && (other.name.is_none() || reference.name.is_none())
            };
            if draft.references.iter().any(same) {
                problems.add(&reference.pointer, "the same reference is given twice");
            } else {
                draft.references.push(reference);
            }
        }
    }
}

/// The sets of fields, sorted, that references may point to.
fn unique_sets(draft: &Draft<'_>) -> HashSet<Vec<String>> {
    let folded = |name: &String| draft.field(name).is_some_and(|field| field.case_insensitive);
    let key = draft.key.iter().map(|key| key.fields.clone());
    let sets = draft
        .unique
        .iter()
        .filter(|set| !set.fields.iter().any(folded))
        .map(|set| set.fields.clone());
    let indexes = draft
        .indexes
        .iter()
        .filter(|read| read.index.unique && read.index.predicate.is_none())
        .filter(|read| {
            read.index.columns.iter().all(|column| column.path.is_empty() && !column.folded)
        })
        .map(|read| read.index.columns.iter().map(|column| column.name.clone()).collect());
    key.chain(sets)
        .chain(indexes)
        .map(|mut set: Vec<String>| {
            set.sort_unstable();
            set
        })
        .collect()
}

struct Lookup<'l, 'j> {
    drafts: &'l [Draft<'j>],
    by_name: &'l HashMap<String, usize>,
    unique: &'l [HashSet<Vec<String>>],
    context: &'l Context<'l>,
}

impl Lookup<'_, '_> {
    fn read(
        &self,
        table: usize,
        json: &Json,
        pointer: &str,
        problems: &mut Problems,
    ) -> Option<ReadReference> {
        let draft = &self.drafts[table];
        let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
        let items = keys.list("fields", problems);
        let to = keys.text("to", problems);
        let to_items = keys.list("to_fields", problems);
        for key in ["fields", "to"] {
            if !keys.has(key) {
                problems.add(keys.at(key), "is missing");
            }
        }
        let (on_delete, on_update) = actions(&mut keys, problems);
        let set_items = keys.list("set_fields", problems);
        let name = keys.text("name", problems);
        if let Some(problem) = name.as_deref().and_then(problem_with_sql_name) {
            problems.add(keys.at("name"), problem);
        }
        let at = |key: &str| format!("{pointer}/{key}");
        keys.close(problems);

        let scope = Scope { draft, context: self.context };
        let fields = read_names(items?, &at("fields"), Json::as_str, &scope, problems);
        let to = to?;
        let Some(&target) = self.by_name.get(&to) else {
            problems.add(at("to"), format!("table \"{}\" is not in the blueprint", shorten(&to)));
            return None;
        };
        let (unique, target) = (&self.unique[target], &self.drafts[target]);
        let (to_fields, to_at): (Vec<String>, _) = match (to_items, &target.key) {
            (Some(items), _) => {
                let scope = Scope { draft: target, context: self.context };
                let names = read_names(items, &at("to_fields"), Json::as_str, &scope, problems)?;
                (names.into_iter().map(str::to_owned).collect(), at("to_fields"))
            }
            (None, Some(key)) => (key.fields.clone(), at("to")),
            (None, None) if !target.whole => return None,
            (None, None) => {
                problems.add(at("to_fields"), format!("is missing: table \"{to}\" has no key"));
                return None;
            }
        };
        let fields = fields?;
        let mut sorted = to_fields.clone();
        sorted.sort_unstable();
        if !unique.contains(&sorted) && target.whole && target.is_unique_whole {
            let message = format!(
                "({}) is neither the key nor a unique set of table \"{to}\"",
                shorten(&to_fields.join(", "))
            );
            problems.add(&to_at, message);
        }
        if fields.len() != to_fields.len() {
            let message = format!("{} fields refer to {}", fields.len(), to_fields.len());
            problems.add(at("fields"), message);
            return None;
        }
        let of_target = Scope { draft: target, context: self.context };
        for (place, (name, other)) in fields.iter().zip(&to_fields).enumerate() {
            let (Some((a, a_list)), Some((b, b_list))) =
                (scope.kind_of(name), of_target.kind_of(other))
            else {
                continue;
            };
            if a_list != b_list || !may_refer(&a, &b) {
                let message = format!(
                    "\"{name}\" is of type {} and \"{other}\" of type {}",
                    shown(&a, a_list),
                    shown(&b, b_list)
                );
                problems.add(format!("{}/{place}", at("fields")), message);
            }
        }
        let mut set = Vec::new();
        if let Some(items) = set_items {
            let found = read_names(items, &at("set_fields"), Json::as_str, &scope, problems)?;
            if !matches!(on_delete, Action::SetNull | Action::SetDefault) {
                problems.add(at("set_fields"), "is of on_delete set_null and set_default");
            }
            for (place, name) in found.iter().enumerate() {
                if !fields.contains(name) {
                    let message = format!("\"{name}\" is not a field of the reference");
                    problems.add(format!("{}/{place}", at("set_fields")), message);
                }
            }
            // All of them is what is meant without.
            if found.len() < fields.len() {
                set = found.into_iter().map(str::to_owned).collect();
            }
        }
        let reference = Reference {
            columns: fields.into_iter().map(str::to_owned).collect(),
            target: target_of(target, &to_fields),
            on_delete,
            on_update,
            set,
        };
        Some(ReadReference { reference, name, pointer: pointer.to_owned() })
    }
}

fn shown(kind: &FieldKind, list: bool) -> String {
    let name = match kind {
        FieldKind::Native(native) => native.name.as_str(),
        FieldKind::NamedEnum { name, .. } => name.as_str(),
        kind => kind.name(),
    };
    if list { format!("a list of {name}") } else { name.to_owned() }
}

/// Whether Postgres has an equality between the types for a foreign key.
fn may_refer(from: &FieldKind, to: &FieldKind) -> bool {
    let (Some(a), Some(b)) = (catalog_name(from), catalog_name(to)) else {
        return match (from, to) {
            (FieldKind::Native(a), FieldKind::Native(b)) => {
                a.schema == b.schema && a.name == b.name
            }
            // Types of extensions bring casts of their own.
            (FieldKind::Native(_), _) | (_, FieldKind::Native(_)) => true,
            (a, b) => a == b,
        };
    };
    if matches!((from, to), (FieldKind::NamedEnum { .. }, FieldKind::NamedEnum { .. })) {
        return from == to;
    }
    let rank = |name: &str| match name {
        "int2" => 1,
        "int4" => 2,
        "int8" => 3,
        "numeric" => 4,
        "float4" => 5,
        "float8" => 6,
        _ => 0,
    };
    let text = ["text", "varchar", "bpchar", "name"];
    let moment = ["date", "timestamp", "timestamptz"];
    let both = |names: &[&str]| names.contains(&a) && names.contains(&b);
    a == b
        // Whole numbers compare with each other; else the target's type must take the other's values.
        || (rank(a) > 0 && rank(b) > 0 && (rank(a) <= rank(b) || rank(a) <= 3))
        || both(&text)
        || both(&moment)
        || both(&["inet", "cidr"])
        || both(&["bit", "varbit"])
        || both(&["time", "timetz"])
        || (rank(a) > 0 && rank(a) <= 3 && b == "oid")
}
