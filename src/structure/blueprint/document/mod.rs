//! The blueprint document: JSON text to the normal form of the model, and back.
//!
//! Tables are read one after the other, then what they say of one another: references may be circular and come in any
//! order. Everything that is wrong is found at once, each with its JSON Pointer. What fields, checks and unique sets are
//! is read by the readers of entry structures.

mod asked;
mod build;
mod context;
mod enums;
mod extensions;
mod field;
mod indexes;
mod names;
mod operators;
mod options;
mod print;
mod references;
mod rules;
mod seed;
mod seed_print;
mod seed_value;
mod table;
pub(crate) mod types;

#[cfg(test)]
pub(crate) mod generate;
#[cfg(test)]
mod seed_tests;
#[cfg(test)]
mod tests;

use super::model::{Blueprint, Tenancy};
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::document::asked::Asked;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::{Problem, Rename, check_circles, nulls};
use crate::structure::error::{Document, StructureError};
use context::Context;
use names::{problem_with_blueprint_name, problem_with_schema, problem_with_sql_name};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use table::Draft;

/// One transaction locks each table, its indexes and its sequences, and a server as it is installed has room for
/// about 6,400 locks.
const MAX_TABLES: usize = 1_000;

impl Blueprint {
    /// Reads the text of a document.
    pub(crate) fn from_text(text: &str) -> Result<Blueprint, StructureError> {
        let reading = Reading::of_text(text)?;
        match reading.blueprint {
            Some(blueprint) if reading.problems.is_empty() => Ok(blueprint),
            _ => Err(Document::Blueprint.invalid(reading.problems)),
        }
    }

    /// Reads a document.
    pub(crate) fn from_json(document: &Json) -> Result<Blueprint, Vec<Problem>> {
        let reading = Reading::of_json(document);
        match reading.blueprint {
            Some(blueprint) if reading.problems.is_empty() => Ok(blueprint),
            _ => Err(reading.problems),
        }
    }

    /// The same without what is about the way from another version: what the normal form says.
    #[cfg(test)]
    pub(crate) fn without_renames(mut self) -> Blueprint {
        for found in &mut self.enums {
            found.renamed_from = None;
            found.renamed_values.clear();
        }
        for table in &mut self.tables {
            table.renamed_from = None;
            table.renames.clear();
        }
        self
    }
}

/// A document, read as far as it can be without the database.
pub(crate) struct Reading {
    /// What it says; without problems there is one.
    pub(in crate::structure) blueprint: Option<Blueprint>,
    pub(in crate::structure) problems: Vec<Problem>,
    pub(in crate::structure) asked: Vec<Asked>,
}

impl Reading {
    /// Reads the text of a document.
    pub(crate) fn of_text(text: &str) -> Result<Self, StructureError> {
        let json = Json::parse(text).map_err(|broken| Document::Blueprint.broken(broken))?;
        Ok(Self::of_json(&json))
    }

    fn of_json(document: &Json) -> Self {
        let mut problems = Problems::without_nulls(nulls::of_blueprint(document));
        let blueprint = read(document, &mut problems);
        let (problems, asked) = problems.into_parts();
        Self { blueprint, problems, asked }
    }
}

fn read(document: &Json, problems: &mut Problems) -> Option<Blueprint> {
    let mut keys = Keys::open(document, String::new(), problems)?;
    let name = keys.text("blueprint", problems);
    match &name {
        Some(name) => {
            if let Some(problem) = problem_with_blueprint_name(name) {
                problems.add("/blueprint", problem);
            }
        }
        None if !keys.has("blueprint") => {
            problems.add("/blueprint", "is missing: the blueprint's name")
        }
        None => {}
    }
    let description = keys.description(problems);
    let version = keys.number("version", 1..=i32::MAX as u32, problems);
    let given_schema = keys.text("schema", problems);
    let schema = given_schema.clone().or_else(|| name.clone()).unwrap_or_default();
    if let Some(problem) = problem_with_schema(&schema)
        && (given_schema.is_some()
            || name.as_deref().is_some_and(|name| problem_with_blueprint_name(name).is_none()))
    {
        let at = if given_schema.is_some() { "/schema" } else { "/blueprint" };
        problems.add(at, problem);
    }
    let mut tenancy = read_tenancy(keys.take("tenancy"), problems);
    let extensions = read_texts(&mut keys, "extensions", &problem_with_sql_name, problems);
    let enum_map = keys.take("enums");
    let table_list = keys.list("tables", problems);
    if table_list.is_none() && !keys.has("tables") {
        problems.add("/tables", "is missing: an array of tables");
    }
    let seed = keys.take("seed");
    let import_warnings = read_texts(&mut keys, "import_warnings", &|_| None, problems);
    keys.close(problems);

    let (read_enums, wrong) = enums::read_all(enum_map, &schema, problems);
    let items = table_list.unwrap_or_default();
    if are_too_many("/tables", items.len(), "tables", problems) {
        return None;
    }
    let context = Context::new(read_enums.iter().map(|read| &read.found), &wrong, &extensions);
    let mut drafts = Vec::new();
    for (at, json) in items.iter().enumerate() {
        let pointer = format!("/tables/{at}");
        drafts.extend(Draft::read(json, pointer, &schema, &context, problems));
    }
    let by_name = tables_by_name(&drafts, problems);
    references::settle_fields(&mut drafts, &by_name, problems);
    for draft in &mut drafts {
        rules::read_all(draft, &context, problems);
    }
    references::read_lists(&mut drafts, &by_name, &context, problems);
    settle_tenancy(&mut tenancy, &drafts, problems);
    let broken: HashSet<String> =
        drafts.iter().filter(|draft| !draft.whole).map(|draft| draft.name.clone()).collect();
    let tables = build::tables(drafts, &read_enums, problems);
    let seed = seed.map_or(Vec::new(), |json| {
        seed::read(
            json,
            &seed::World { tables: &tables, broken: &broken, context: &context },
            problems,
        )
    });
    let blueprint = Blueprint {
        name: name?,
        description,
        version,
        schema,
        tenancy,
        extensions,
        enums: read_enums.into_iter().map(|read| read.found).collect(),
        tables,
        seed: Rc::new(seed),
        import_warnings,
    };
    if problems.is_empty() {
        seed::check_circles(&blueprint, problems);
    }
    Some(blueprint)
}

/// Tells that there are too many of what one transaction locks.
fn are_too_many(pointer: &str, number: usize, what: &str, problems: &mut Problems) -> bool {
    let too_many = number > MAX_TABLES;
    if too_many {
        problems.add(
            pointer,
            format!(
                "{number} {what}, and a blueprint has at most {MAX_TABLES}: all are locked by one \
                 transaction; make several blueprints of them"
            ),
        );
    }
    too_many
}

fn tables_by_name(drafts: &[Draft<'_>], problems: &mut Problems) -> HashMap<String, usize> {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        match by_name.get(&draft.name) {
            Some(first) => {
                let first = &drafts[*first].pointer;
                let message = format!("\"{}\" is the name of {first} too", draft.name);
                problems.add(format!("{}/name", draft.pointer), message);
            }
            None => {
                by_name.insert(draft.name.clone(), at);
            }
        }
    }
    let renames = drafts.iter().filter_map(|draft| {
        let from = draft.renamed_from.as_deref()?;
        Some(Rename { place: draft.pointer.clone(), from, to: &draft.name })
    });
    check_circles(renames.collect(), problems);
    by_name
}

fn read_tenancy(json: Option<&Json>, problems: &mut Problems) -> Tenancy {
    match json {
        None => Tenancy::Database,
        Some(Json::String(word)) if word == "database" => Tenancy::Database,
        Some(Json::String(word)) if word == "workspace" => Tenancy::Workspace,
        Some(json @ Json::Object(_)) => {
            let Some(mut keys) = Keys::open(json, "/tenancy".to_owned(), problems) else {
                return Tenancy::Database;
            };
            let field = keys.text("field", problems);
            if !keys.has("field") {
                problems.add("/tenancy/field", "is missing: the field that names the workspace");
            }
            keys.close(problems);
            field.map_or(Tenancy::Database, |field| Tenancy::Field { field, tenants: Vec::new() })
        }
        Some(_) => {
            let message = "must be \"database\", \"workspace\" or {\"field\": …}";
            problems.add("/tenancy", message);
            Tenancy::Database
        }
    }
}

/// Checks the field of the tenancy, and finds the tables whose keys it refers to.
fn settle_tenancy(tenancy: &mut Tenancy, drafts: &[Draft<'_>], problems: &mut Problems) {
    let Tenancy::Field { field: name, tenants } = tenancy else { return };
    let mut found = drafts.iter().any(|draft| !draft.whole);
    for draft in drafts {
        let Some(at) = draft.fields.iter().position(|field| field.name == *name) else { continue };
        found = true;
        if !matches!(draft.fields[at].kind, FieldKind::Text { .. }) || draft.fields[at].list {
            let message = "names the workspace of the row (/tenancy): it must be of type text";
            problems.add(format!("{}/type", draft.beside[at].pointer), message);
        }
        tenants.extend(references::tables_named_by(draft, name, drafts));
    }
    tenants.sort();
    tenants.dedup();
    if !found {
        let name = crate::json::shorten(name);
        problems.add("/tenancy/field", format!("no table has a field \"{name}\""));
    }
}

/// An array of texts, each once.
fn read_texts(
    keys: &mut Keys<'_>,
    key: &'static str,
    problem_with: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Vec<String> {
    let (mut texts, mut seen) = (Vec::new(), HashSet::new());
    for (at, item) in keys.list(key, problems).unwrap_or_default().iter().enumerate() {
        let pointer = format!("{}/{at}", keys.at(key));
        match item {
            Json::String(text) => match problem_with(text) {
                Some(problem) => problems.add(pointer, problem),
                None if seen.insert(text.as_str()) => texts.push(text.clone()),
                // A warning may come twice.
                None if key == "extensions" => problems.add(pointer, "is given twice"),
                None => {}
            },
            other => problems.add(pointer, format!("must be a string, not {}", other.kind())),
        }
    }
    texts
}
