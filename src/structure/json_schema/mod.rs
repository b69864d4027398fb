//! JSON Schema (2020-12) in place of a structure document, and back.
//!
//! `import` turns the schema of one object into a document, which the reader of documents then
//! checks; `export` describes an entry to clients and language models. What JSON Schema cannot say
//! stands under `"x-kepler"`. Here is what `import` rests on: the keywords that hold for one value,
//! gathered through references, wrappers and alternatives.

mod export;
mod import;
mod infer;
#[cfg(test)]
mod tests;

pub(crate) use export::schema_of;
pub(crate) use import::to_document;

use super::document::nulls;
use crate::json::{Json, token};
use crate::jsonb::number::plain_text;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What JSON Schema has no word for, in the words of a structure document.
const OWN: &str = "x-kepler";
/// References and alternatives inside each other; the text itself is no deeper either.
const MAX_DEPTH: usize = 64;
/// Keywords looked at in all: alternatives that refer to alternatives multiply.
const MAX_STEPS: usize = 200_000;
/// Keywords in one schema; JSON Schema itself has about sixty.
const MAX_KEYWORDS: usize = 100;
/// What a time of day looks like. `"format": "time"` would demand an offset, which a time does not
/// have. zod writes the same text.
const TIME_PATTERN: &str = r"^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$";
/// How pydantic begins the pattern of a decimal that is sent as a string.
const DECIMAL_PATTERN: &str = r"^(?!^[-+.]*$)[+-]?0*";

/// A structure document made of a schema, and where its parts come from.
#[derive(Debug, Clone)]
pub(crate) struct Converted {
    pub(crate) document: Json,
    /// JSON Pointers of the document to those of the schema.
    places: HashMap<String, String>,
}

impl Converted {
    /// The place in the schema that a place in the document comes from: `/fields/3/min` to
    /// `/properties/price/minimum`.
    pub(crate) fn locate(&self, pointer: &str) -> String {
        let mut known = pointer;
        loop {
            if let Some(place) = self.places.get(known) {
                let rest = &pointer[known.len()..];
                // Below a field or a check the schema has other words, or none.
                let whole =
                    place.contains(OWN) || rest.trim_start_matches('/').parse::<usize>().is_ok();
                return if whole { format!("{place}{rest}") } else { place.clone() };
            }
            match known.rfind('/') {
                Some(end) => known = &known[..end],
                None => return pointer.to_owned(),
            }
        }
    }
}

/// Whether a document is a JSON Schema, and not a structure document.
pub(crate) fn is_schema(document: &Json) -> bool {
    let of_object = document.get("type").and_then(Json::as_str) == Some("object");
    // pydantic writes a model that refers to itself as a mere reference.
    let refers = document.get("$schema").or(document.get("$ref")).is_some();
    document.get("fields").is_none()
        && (refers || (of_object && document.get("properties").is_some()))
}

/// One keyword of a schema, and its place.
#[derive(Debug, Clone)]
struct Keyword<'s> {
    name: &'s str,
    value: Cow<'s, Json>,
    at: String,
}

/// All that a schema says about one value.
#[derive(Debug, Clone, Default)]
struct Value<'s> {
    nullable: bool,
    /// Alternatives that have nothing in common.
    anything: bool,
    /// The words of `type` in alphabetical order, without "null".
    types: Option<Vec<&'s str>>,
    keywords: Vec<Keyword<'s>>,
}

/// Reads a schema, and collects what is wrong with it.
struct Gatherer<'s> {
    root: &'s Json,
    problems: Vec<(String, String)>,
    /// Where null must not stand: of those nothing else is said.
    nulls: HashSet<String>,
    seen: HashSet<(String, String)>,
    /// The references that are being followed.
    trail: Vec<&'s str>,
    steps: usize,
}

/// Keywords that describe a value and constrain nothing.
fn is_annotation(name: &str) -> bool {
    name.starts_with("x-")
        || matches!(
            name,
            "title"
                | "description"
                | "default"
                | "deprecated"
                | "example"
                | "examples"
                | "readOnly"
                | "writeOnly"
                | "$schema"
                | "$id"
                | "$anchor"
                | "$comment"
                | "$defs"
                | "definitions"
                | "contentMediaType"
                | "contentSchema"
                | "discriminator"
                | "externalDocs"
                | "xml"
        )
}

/// Whether a bound is the end of the type's own range: numbers of that type are never beyond it.
fn is_end_of_range(kind: &str, lower: bool, bound: &Json) -> bool {
    let Json::Number(text) = bound else { return false };
    let integer = || plain_text(text.as_bytes()).and_then(|plain| plain.parse::<i64>().ok());
    match (kind, lower) {
        ("integer", true) => integer() == Some(i32::MIN.into()),
        ("integer", false) => integer() == Some(i32::MAX.into()),
        ("bigint", true) => integer() == Some(i64::MIN),
        ("bigint", false) => integer() == Some(i64::MAX),
        ("float", true) => text.parse() == Ok(f64::MIN),
        ("float", false) => text.parse() == Ok(f64::MAX),
        _ => false,
    }
}

impl<'s> Value<'s> {
    fn find(&self, name: &str) -> Option<&Keyword<'s>> {
        self.keywords.iter().find(|keyword| keyword.name == name)
    }

    fn take(&mut self, name: &str) -> Option<Keyword<'s>> {
        let at = self.keywords.iter().position(|keyword| keyword.name == name)?;
        Some(self.keywords.remove(at))
    }

    fn is_of(&self, word: &str) -> bool {
        self.types.as_deref() == Some(&[word])
    }

    /// Nothing but null.
    fn is_null(&self) -> bool {
        self.types.as_ref().is_some_and(Vec::is_empty)
    }

    /// Says nothing at all, so that null is as good as any other value.
    fn is_untyped(&self) -> bool {
        let says = ["enum", "const", "properties", "items", "prefixItems"];
        self.types.is_none() && !self.anything && says.iter().all(|name| self.find(name).is_none())
    }

    fn constraints(&self) -> impl Iterator<Item = &Keyword<'s>> {
        self.keywords.iter().filter(|keyword| !is_annotation(keyword.name))
    }

    /// The values that `enum` or `const` leaves.
    fn choices(&self) -> Option<Vec<&Json>> {
        if let Some(keyword) = self.find("const") {
            return Some(vec![&keyword.value]);
        }
        match &*self.find("enum")?.value {
            Json::Array(items) => Some(items.iter().collect()),
            _ => None,
        }
    }
}

impl<'s> Gatherer<'s> {
    fn new(root: &'s Json) -> Self {
        let nulls = nulls::of_schema(root, OWN);
        let problems = nulls.iter().map(|at| (at.clone(), nulls::MESSAGE.to_owned())).collect();
        let (seen, trail) = (HashSet::new(), Vec::new());
        Gatherer { root, problems, nulls: nulls.into_iter().collect(), seen, trail, steps: 0 }
    }

    /// A schema that many fields refer to is wrong once.
    fn problem(&mut self, at: impl Into<String>, message: impl Into<String>) {
        let problem = (at.into(), message.into());
        if self.nulls.contains(&problem.0) {
            return;
        }
        if self.seen.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }

    /// What a schema says, its references and wrappers resolved.
    fn value(&mut self, schema: &'s Json, at: &str) -> Value<'s> {
        let mut value = Value::default();
        self.gather(schema, at, 0, &mut value);
        value
    }

    /// The keywords in the schema itself win over those that its `$ref` leads to: the nearer title holds.
    fn gather(&mut self, schema: &'s Json, at: &str, depth: usize, into: &mut Value<'s>) {
        let pairs = match schema {
            Json::Object(pairs) => pairs,
            Json::Boolean(true) => return,
            Json::Boolean(false) => return self.problem(at, "no value is allowed here"),
            other => {
                return self.problem(at, format!("expected a schema, not {}", other.kind()));
            }
        };
        if pairs.len() > MAX_KEYWORDS {
            return self.problem(at, format!("more than {MAX_KEYWORDS} keywords in one schema"));
        }
        self.steps += pairs.len() + 1;
        if depth >= MAX_DEPTH || self.steps > MAX_STEPS {
            return self.problem(at, "too many references or alternatives inside each other");
        }
        let mut wrappers = Vec::new();
        for (name, value) in pairs {
            let at = format!("{at}/{}", token(name));
            match (name.as_str(), value) {
                ("$ref" | "allOf" | "anyOf" | "oneOf", _) => wrappers.push((name, value, at)),
                ("type", _) => self.types(value, &at, into),
                ("nullable", Json::Boolean(yes)) => into.nullable |= yes,
                ("const", Json::Null) => {
                    into.nullable = true;
                    into.types.get_or_insert_default();
                }
                ("enum", Json::Array(items)) if items.contains(&Json::Null) => {
                    into.nullable = true;
                    let rest: Vec<Json> =
                        items.iter().filter(|item| **item != Json::Null).cloned().collect();
                    if rest.is_empty() {
                        into.types.get_or_insert_default();
                    } else {
                        let value = Cow::Owned(Json::Array(rest));
                        self.add(Keyword { name, value, at }, into);
                    }
                }
                _ => self.add(Keyword { name, value: Cow::Borrowed(value), at }, into),
            }
        }
        for (name, value, at) in wrappers {
            match (name.as_str(), value) {
                ("$ref", Json::String(reference)) => self.follow(reference, &at, depth, into),
                ("allOf", Json::Array(items)) => self.all_of(items, &at, depth, into),
                ("anyOf" | "oneOf", Json::Array(items)) => self.any_of(items, &at, depth, into),
                (name, _) => self.problem(at, format!("\"{name}\" has another form")),
            }
        }
    }

    fn types(&mut self, value: &'s Json, at: &str, into: &mut Value<'s>) {
        const WORDS: [&str; 7] =
            ["array", "boolean", "integer", "null", "number", "object", "string"];
        let words: Option<Vec<&str>> = match value {
            Json::String(word) => Some(vec![word]),
            Json::Array(items) => items.iter().map(Json::as_str).collect(),
            _ => None,
        };
        let Some(mut words) = words.filter(|words| words.iter().all(|word| WORDS.contains(word)))
        else {
            return self.problem(at, format!("a type is one or some of {}", WORDS.join(", ")));
        };
        words.sort_unstable();
        words.dedup();
        if let Ok(null) = words.binary_search(&"null") {
            words.remove(null);
            into.nullable = true;
        }
        self.narrow(words, at, into);
    }

    fn narrow(&mut self, words: Vec<&'s str>, at: &str, into: &mut Value<'s>) {
        if into.types.get_or_insert_with(|| words.clone()) != &words {
            self.problem(at, "differs from the type that is given beside it");
        }
    }

    fn add(&mut self, keyword: Keyword<'s>, into: &mut Value<'s>) {
        match into.find(keyword.name) {
            None => into.keywords.push(keyword),
            Some(nearer) if is_annotation(keyword.name) || nearer.value == keyword.value => {}
            Some(_) => self.problem(
                keyword.at,
                format!("\"{}\" is given twice, with different values", keyword.name),
            ),
        }
    }

    fn follow(&mut self, reference: &'s str, at: &str, depth: usize, into: &mut Value<'s>) {
        if self.trail.contains(&reference) {
            return self.problem(at, "the reference leads only to itself");
        }
        match resolve(self.root, reference) {
            Ok((schema, target)) => {
                self.trail.push(reference);
                self.gather(schema, &target, depth + 1, into);
                self.trail.pop();
            }
            Err(message) => self.problem(at, message),
        }
    }

    fn all_of(&mut self, items: &'s [Json], at: &str, depth: usize, into: &mut Value<'s>) {
        let says = |item: &&Json| match item {
            Json::Object(pairs) => pairs.iter().any(|(name, _)| !is_annotation(name)),
            _ => true,
        };
        if items.iter().filter(says).count() > 1 {
            return self.problem(at, "several schemas for one value; write them as one");
        }
        for (index, item) in items.iter().enumerate() {
            self.gather(item, &format!("{at}/{index}"), depth + 1, into);
        }
    }

    fn any_of(&mut self, items: &'s [Json], at: &str, depth: usize, into: &mut Value<'s>) {
        let mut alternatives = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let mut value = Value::default();
            self.gather(item, &format!("{at}/{index}"), depth + 1, &mut value);
            into.nullable |= value.nullable || (into.types.is_none() && value.is_untyped());
            if !value.is_null() {
                alternatives.push(value);
            }
        }
        let Some(one) = common(alternatives, at) else {
            into.anything = true;
            return;
        };
        into.anything |= one.anything;
        if let Some(types) = one.types {
            self.narrow(types, at, into);
        }
        for keyword in one.keywords {
            self.add(keyword, into);
        }
    }
}

/// The one value that some alternatives are, if they are one: the same, the one that includes the
/// others, or all the texts that they allow.
fn common<'s>(mut alternatives: Vec<Value<'s>>, at: &str) -> Option<Value<'s>> {
    let (first, rest) = match alternatives.as_slice() {
        [] => return Some(Value { types: Some(Vec::new()), ..Value::default() }),
        [first, rest @ ..] => (first, rest),
    };
    let said = |value: &Value<'s>| -> Vec<(&'s str, Json)> {
        value.constraints().map(|k| (k.name, k.value.clone().into_owned())).collect()
    };
    if rest.iter().all(|value| {
        (value.anything, &value.types) == (first.anything, &first.types)
            && said(value) == said(first)
    }) {
        return Some(alternatives.swap_remove(0));
    }
    let within = |value: &Value, wide: &Value| {
        value.types == wide.types || (value.is_of("integer") && wide.is_of("number"))
    };
    let widest = ["number", "string", "integer", "boolean"].iter().find_map(|word| {
        let wide = alternatives
            .iter()
            .position(|value| value.is_of(word) && value.constraints().next().is_none())?;
        alternatives.iter().all(|value| within(value, &alternatives[wide])).then_some(wide)
    });
    if let Some(widest) = widest {
        return Some(alternatives.swap_remove(widest));
    }
    if let [number, text] = alternatives.as_slice()
        && number.is_of("number")
        && text.is_of("string")
        && let Some(told) = decimal_of(text)
    {
        let mut number = number.clone();
        number.keywords.extend(told);
        return Some(number);
    }
    let (mut texts, mut seen) = (Vec::new(), HashSet::new());
    for value in &alternatives {
        if !(value.types.is_none() || value.is_of("string")) || value.constraints().count() != 1 {
            return None;
        }
        for choice in value.choices()? {
            let text = choice.as_str()?;
            if seen.insert(text) {
                texts.push(Json::string(text));
            }
        }
    }
    let value = Cow::Owned(Json::Array(texts));
    let keywords = vec![Keyword { name: "enum", value, at: at.to_owned() }];
    Some(Value { types: Some(vec!["string"]), keywords, ..Value::default() })
}

/// pydantic's Decimal is a number or a string, and the pattern of the string tells the digits: what
/// is to be added to the number for that.
fn decimal_of<'s>(text: &Value<'s>) -> Option<Vec<Keyword<'s>>> {
    let keyword = |name, value, at: &str| Keyword { name, value: Cow::Owned(value), at: at.into() };
    let mut constraints = text.constraints();
    let Some(pattern) = constraints.next() else {
        return Some(vec![keyword("format", Json::string("decimal"), "")]);
    };
    if pattern.name != "pattern" || constraints.next().is_some() {
        return None;
    }
    let digits = pattern.value.as_str()?.strip_prefix(DECIMAL_PATTERN)?;
    if digits == r"\d*\.?\d*$" {
        return Some(vec![keyword("format", Json::string("decimal"), &pattern.at)]);
    }
    // (?:\d{0,8}|(?=[\d.]{1,11}0*$)\d{0,8}\.\d{0,2}0*$) of ten digits, two of them behind the point
    let (whole, rest) = digits.strip_prefix(r"(?:\d{0,")?.split_once('}')?;
    let (_, scale) = rest.split_once(r"\.\d{0,")?;
    let scale: u16 = scale.strip_suffix(r"}0*$)")?.parse().ok()?;
    let precision = whole.parse::<u16>().ok()?.checked_add(scale)?;
    let told = [("type", Json::string("decimal")), ("precision", number(precision))]
        .into_iter()
        .chain([("scale", number(scale))])
        .map(|(name, value)| (name.to_owned(), value));
    Some(vec![keyword(OWN, Json::Object(told.collect()), &pattern.at)])
}

fn number(value: impl ToString) -> Json {
    Json::Number(value.to_string())
}

/// What a reference within the schema leads to, and its place.
fn resolve<'s>(root: &'s Json, reference: &str) -> Result<(&'s Json, String), String> {
    let Some(fragment) = reference.strip_prefix('#') else {
        return Err("only references within the schema are followed (\"#/$defs/…\")".to_owned());
    };
    let nowhere = || format!("there is nothing at {reference:?}");
    let pointer = percent_decoded(fragment).ok_or_else(nowhere)?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err("references to an anchor are not followed; use \"#/$defs/…\"".to_owned());
    }
    let mut here = root;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        here = match here {
            Json::Array(items) => name.parse().ok().and_then(|at: usize| items.get(at)),
            other => other.get(&name),
        }
        .ok_or_else(nowhere)?;
    }
    Ok((here, pointer))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let digits = str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}
