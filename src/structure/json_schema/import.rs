//! The schema of one object to a structure document.
//!
//! Nothing is dropped silently: a keyword that constrains, and that no field can keep, is a
//! problem, unless `"x-kepler": {"ignore": ["pattern"]}` gives it up. What a json field holds is
//! not described any further, so the inner schema of an object is not kept.

use super::infer::{inferred, is_free, move_attributes};
use super::{Converted, Gatherer, Keyword, MAX_KEYWORDS, OWN, Value, is_annotation, number};
use crate::json::{Json, token};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Turns the JSON Schema of an object into a structure document. All problems are told at once,
/// each with its JSON Pointer; names and ranges are left to the reader of documents.
pub(crate) fn to_document(schema: &Json) -> Result<Converted, Vec<(String, String)>> {
    let gatherer = Gatherer::new(schema);
    let mut import = Import { gatherer, places: HashMap::new(), checks: Vec::new() };
    let document = import.object(schema);
    match import.gatherer.problems {
        problems if problems.is_empty() => Ok(Converted { document, places: import.places }),
        problems => Err(problems),
    }
}

struct Import<'s> {
    gatherer: Gatherer<'s>,
    places: HashMap<String, String>,
    /// Comparisons from keywords, each with its place.
    checks: Vec<(Json, String)>,
}

/// What `x-kepler` says of one field.
#[derive(Default)]
struct Told {
    at: String,
    pairs: Vec<(String, Json)>,
    ignore: Vec<String>,
}

/// The attributes of a field so far, each with its place.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) attributes: Vec<(String, Json, String)>,
    /// Operator, value and place.
    pub(super) checks: Vec<(&'static str, Json, String)>,
}

impl Draft {
    pub(super) fn set(&mut self, name: &str, value: Json, at: impl Into<String>) {
        self.attributes.retain(|(other, _, _)| other != name);
        self.attributes.push((name.to_owned(), value, at.into()));
    }

    pub(super) fn keep(&mut self, name: &str, keyword: Option<Keyword<'_>>) {
        if let Some(keyword) = keyword {
            self.set(name, keyword.value.into_owned(), keyword.at);
        }
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.attributes.iter().find(|(other, _, _)| other == name).map(|(_, value, _)| value)
    }
}

impl Told {
    fn get(&self, name: &str) -> Option<&Json> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn kind(&self) -> Option<&str> {
        self.get("type").and_then(Json::as_str)
    }
}

impl<'s> Import<'s> {
    fn object(&mut self, schema: &'s Json) -> Json {
        let mut top = self.gatherer.value(schema, "");
        let told = self.told(&mut top);
        let properties = top.take("properties");
        if !(top.is_of("object") || top.types.is_none()) || top.anything || properties.is_none() {
            self.gatherer.problem(
                "",
                "a structure is made of the schema of one object, with \"properties\"",
            );
            return Json::Null;
        }
        let mut document = Draft::default();
        document.keep("label", top.take("title"));
        // For want of a label, the title is the name.
        if document.get("label").is_some_and(|label| told.get("name") == Some(label)) {
            document.attributes.clear();
        }
        document.keep("description", top.take("description"));
        for (name, value) in &told.pairs {
            let at = format!("{}/{}", told.at, token(name));
            if name == "fields" {
                self.gatherer.problem(&at, "the fields are the \"properties\"");
            }
            document.set(name, value.clone(), at);
        }
        let required = top.take("required");
        for name in ["additionalProperties", "unevaluatedProperties"] {
            // Entries never take what is no field.
            top.keywords.retain(|keyword| keyword.name != name || !is_free(&keyword.value, true));
        }
        self.refuse(top);

        let (pairs, at) = match properties {
            Some(Keyword { value: Cow::Borrowed(Json::Object(pairs)), at, .. }) => (pairs, at),
            other => {
                let at = other.map(|keyword| keyword.at).unwrap_or_default();
                self.gatherer.problem(at, "must be an object");
                return Json::Null;
            }
        };
        let required = self.required(required, pairs);
        let mut fields = Vec::new();
        for (index, (name, schema)) in pairs.iter().enumerate() {
            let at = format!("{at}/{}", token(name));
            let field = self.field(name, schema, &at, required.contains(name.as_str()));
            fields.push(self.placed(field, &format!("/fields/{index}"), &at));
        }
        let mut checks = match document.get("checks") {
            Some(Json::Array(checks)) => checks.clone(),
            _ => Vec::new(),
        };
        for (check, at) in std::mem::take(&mut self.checks) {
            // The schema of an entry tells its checks twice: to others, and to Kepler.
            if !checks.contains(&check) {
                self.places.insert(format!("/checks/{}", checks.len()), at);
                checks.push(check);
            }
        }
        if !checks.is_empty() {
            document.set("checks", Json::Array(checks), format!("{}/checks", told.at));
        }
        document.set("fields", Json::Array(fields), at);
        self.placed(document, "", "")
    }

    /// The object of a draft, its places noted.
    fn placed(&mut self, draft: Draft, here: &str, at: &str) -> Json {
        self.places.insert(here.to_owned(), at.to_owned());
        let pairs = draft.attributes.into_iter().map(|(name, value, at)| {
            self.places.insert(format!("{here}/{}", token(&name)), at);
            (name, value)
        });
        Json::Object(pairs.collect())
    }

    /// Takes `x-kepler` out of a value, and the keywords that it gives up.
    fn told(&mut self, value: &mut Value<'s>) -> Told {
        let Some(own) = value.take(OWN) else { return Told::default() };
        let mut told = Told { at: own.at, ..Told::default() };
        match own.value.into_owned() {
            Json::Object(pairs) if pairs.len() <= MAX_KEYWORDS => told.pairs = pairs,
            Json::Object(_) => {
                self.gatherer.problem(&told.at, format!("more than {MAX_KEYWORDS} keys"));
            }
            other => {
                let message = format!("must be an object, not {}", other.kind());
                self.gatherer.problem(&told.at, message);
            }
        }
        if let Some(index) = told.pairs.iter().position(|(name, _)| name == "ignore") {
            let names = match told.pairs.remove(index).1 {
                Json::Array(names) => names,
                _ => vec![Json::Null],
            };
            for name in names {
                match name {
                    Json::String(name) => told.ignore.push(name),
                    _ => self.gatherer.problem(
                        format!("{}/ignore", told.at),
                        "must be an array of the keywords to do without",
                    ),
                }
            }
        }
        value.keywords.retain(|keyword| !told.ignore.iter().any(|name| name == keyword.name));
        told
    }

    fn required(
        &mut self,
        keyword: Option<Keyword<'s>>,
        pairs: &'s [(String, Json)],
    ) -> HashSet<String> {
        let Some(keyword) = keyword else { return HashSet::new() };
        let names: HashSet<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        let items = match &*keyword.value {
            Json::Array(items) => items.as_slice(),
            other => {
                let message = format!("must be an array, not {}", other.kind());
                self.gatherer.problem(keyword.at, message);
                return HashSet::new();
            }
        };
        let mut required = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(name) if names.contains(name) => {
                    required.insert(name.to_owned());
                }
                _ => self.gatherer.problem(
                    format!("{}/{index}", keyword.at),
                    "names no property that is described",
                ),
            }
        }
        required
    }

    /// One property.
    fn field(&mut self, name: &str, schema: &'s Json, at: &str, required: bool) -> Draft {
        let mut value = self.gatherer.value(schema, at);
        let told = self.told(&mut value);
        if value.is_null() {
            self.gatherer.problem(at, "a value that is always null cannot be a field");
        }
        let mut field = Draft::default();
        field.set("name", Json::string(name), at);
        let untyped = value.is_untyped() && told.kind().is_none_or(|kind| kind == "json");
        let kind = self.kind(&mut value, &told, &mut field);
        field.set("type", Json::string(&kind), at);
        // The title of what is referred to names a type, not this field.
        field.keep(
            "label",
            value.take("title").filter(|title| {
                title.at.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
            }),
        );
        field.keep("description", value.take("description"));
        if let Some(default) = value.take("default").filter(|d| *d.value != Json::Null) {
            let word = default.value.as_str().is_some_and(|word| word == "uuid" || word == "cuid");
            if word
                && kind == "text"
                && field.get("list").is_none()
                && told.get("default").is_none()
            {
                let message = "this default means a new value for each entry: say it under \
                               \"default\" in \"x-kepler\", if that is meant";
                self.gatherer.problem(&default.at, message);
            }
            field.keep("default", Some(default));
        }
        let nullable = value.nullable || untyped;
        self.refuse(value);
        for (name, told_value) in &told.pairs {
            field.set(name, told_value.clone(), format!("{}/{}", told.at, token(name)));
        }
        // Who leaves the field out gets the default, and nobody may send null.
        let given = required || field.get("default").is_some_and(|value| *value != Json::Null);
        if given && !nullable && field.get("required").is_none() {
            field.set("required", Json::Boolean(true), at);
        }
        let name = field.get("name").cloned().unwrap_or(Json::Null);
        for (op, value, at) in std::mem::take(&mut field.checks) {
            let check = [("field", name.clone()), ("op", Json::string(op)), ("value", value)];
            let check = check.map(|(key, value)| (key.to_owned(), value));
            self.checks.push((Json::Object(check.to_vec()), at));
        }
        field
    }

    /// The type of a field, whose attributes are moved from the value to the draft.
    fn kind(&mut self, value: &mut Value<'s>, told: &Told, field: &mut Draft) -> String {
        let array = value.is_of("array")
            || (value.types.is_none()
                && value.find("items").or(value.find("prefixItems")).is_some());
        let whole = ["json", "vector", "reference"].contains(&told.kind().unwrap_or_default());
        if array
            && !whole
            && let Some(kind) = self.list(value, told, field)
        {
            return kind;
        }
        if array && !whole && told.kind().is_some() {
            field.set("list", Json::Boolean(true), told.at.as_str());
        }
        let kind = match told.kind() {
            Some(kind) => kind.to_owned(),
            None => inferred(value).to_owned(),
        };
        move_attributes(&kind, value, told.kind().is_some(), field);
        kind
    }

    /// The type of the elements, if this is a list of scalars.
    fn list(&mut self, value: &mut Value<'s>, told: &Told, field: &mut Draft) -> Option<String> {
        let Keyword { value: Cow::Borrowed(items), at, .. } = value.find("items")?.clone() else {
            return None;
        };
        if value.find("prefixItems").is_some() || matches!(items, Json::Array(_)) {
            return None;
        }
        let mut item = self.gatherer.value(items, &at);
        let item_told = self.told(&mut item);
        item.keywords.retain(|keyword| !told.ignore.iter().any(|name| name == keyword.name));
        let kind = match told.kind().or(item_told.kind()) {
            Some(kind) => kind.to_owned(),
            None if item.nullable || item.is_untyped() => return None,
            None => inferred(&mut item).to_owned(),
        };
        const NO_ELEMENTS: [&str; 4] = ["json", "bytes", "reference", "vector"];
        if told.kind().is_none() && NO_ELEMENTS.contains(&kind.as_str()) {
            return None;
        }
        value.take("items");
        move_attributes(&kind, &mut item, told.kind().or(item_told.kind()).is_some(), field);
        for (_, _, at) in std::mem::take(&mut field.checks) {
            self.gatherer.problem(at, "the elements of a list cannot be compared");
        }
        for (name, value) in item_told.pairs {
            let at = format!("{}/{}", item_told.at, token(&name));
            field.set(&name, value, at);
        }
        self.refuse(item);
        field.set("list", Json::Boolean(true), at);
        Some(kind)
    }

    /// Tells what is left of a value that no field can keep.
    fn refuse(&mut self, value: Value<'s>) {
        for keyword in value.keywords {
            let void = match keyword.name {
                "uniqueItems" => *keyword.value == Json::Boolean(false),
                "minItems" | "minLength" | "minProperties" => *keyword.value == number(0),
                _ => is_annotation(keyword.name),
            };
            if !void {
                let message = format!(
                    "\"{}\" cannot be kept in a structure; name it under \"ignore\" in \"{OWN}\" to do \
                     without it",
                    keyword.name
                );
                self.gatherer.problem(keyword.at, message);
            }
        }
    }
}
