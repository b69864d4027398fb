//! Secrets in documents: what stands under the names of keys, and in every string; and the same without them.

use super::keys::{KeyRule, rule_of};
use super::text::in_text;
use super::{Certainty, Found};
use crate::json::{Json, token};
use crate::jsonb::builder::Builder;
use crate::jsonb::number::to_integer;
use crate::jsonb::parse::{InvalidCharacters, Parser};
use crate::jsonb::view::{Container, Value};

/// Below so many levels nothing is looked at.
const MAX_DEPTH: usize = 512;

/// Where a value stands in a document.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    above: Option<&'p Path<'p>>,
    step: Step<'p>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(crate) const ROOT: Path<'static> = Path { above: None, step: Step::Root, depth: 0 };

    fn below(&'p self, step: Step<'p>) -> Path<'p> {
        Path { above: Some(self), step, depth: self.depth + 1 }
    }

    /// The key that it stands under, alone or in a list.
    fn key(&self) -> Option<&'p str> {
        match self.step {
            Step::Root => None,
            Step::Key(key) => Some(key),
            Step::Index(_) => self.above.and_then(Path::key),
        }
    }

    /// An element of a list.
    pub(crate) fn element(&'p self, at: usize) -> Path<'p> {
        self.below(Step::Index(at))
    }

    /// As a JSON Pointer (RFC 6901). A key that is itself a secret is not shown.
    pub(crate) fn pointer(&self) -> String {
        let above = self.above.map_or_else(String::new, Path::pointer);
        match self.step {
            Step::Root => above,
            Step::Index(at) => format!("{above}/{at}"),
            Step::Key(key) if super::text::first_in_text(key).is_some() => {
                format!("{above}/[redacted]")
            }
            Step::Key(key) => {
                let short: String = key.chars().take(64).collect();
                format!("{above}/{}", token(&short))
            }
        }
    }
}

/// What is told of each finding: where, and what. It says whether to go on.
pub(crate) type Visit<'v> = dyn FnMut(&Path<'_>, Found) -> bool + 'v;

/// Looks at a string, of which the key above it may say more.
fn look(text: &str, rule: Option<KeyRule>, path: &Path<'_>, visit: &mut Visit<'_>) -> bool {
    let mut all = Vec::new();
    in_text(text, &mut |found| {
        all.push(found);
        true
    });
    in_pairs(text, &mut all);
    let is_told = all.iter().any(|found| found.certainty == Certainty::Certain);
    let judged = rule.filter(|_| !is_told).and_then(|rule| Some((rule, rule.judge(text)?)));
    if let Some((rule, certainty)) = judged {
        all.push(Found { kind: rule.kind, certainty, range: 0..text.len() });
    }
    // The surer first where two begin at one place.
    all.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.certainty)));
    let mut done = 0;
    all.into_iter().all(|found| {
        if found.certainty == Certainty::Certain {
            if found.range.start < done {
                return true;
            }
            done = found.range.end;
        }
        visit(path, found)
    })
}

/// `"password": "hunter2"` in what is no document: a fenced block, a line of many, a document that is broken or has a key twice.
/// Quotes may be escaped once, as in JSON in JSON. Each byte is read a bounded number of times.
fn in_pairs(text: &str, all: &mut Vec<Found>) {
    const LONGEST_KEY: usize = 96;
    const LONGEST: usize = 16_384;
    let bytes = text.as_bytes();
    let is_mark = |b: u8| b == b'"';
    let mut done = 0;
    for (colon, _) in text.match_indices(':') {
        if colon < done {
            continue;
        }
        let head = bytes[..colon].trim_ascii_end();
        let Some(head) = head.strip_suffix(b"\"") else { continue };
        let head = head.strip_suffix(b"\\").unwrap_or(head);
        let Some(length) = head.iter().rev().take(LONGEST_KEY).position(|b| is_mark(*b)) else {
            continue;
        };
        let start = head.len() - length;
        let Some(rule) = text.get(start..head.len()).and_then(rule_of) else { continue };
        let behind = bytes[colon + 1..].trim_ascii_start();
        let digits = behind.iter().take(LONGEST_KEY).take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            let from = bytes.len() - behind.len();
            let number = text.get(from..from + digits).unwrap_or_default();
            if let Some(certainty) = rule.judge_number(number) {
                all.push(Found { kind: rule.kind, certainty, range: from..from + digits });
                done = from + digits;
            }
            continue;
        }
        let inner = behind.strip_prefix(b"\\");
        let Some(value) = inner.unwrap_or(behind).strip_prefix(b"\"") else { continue };
        let from = bytes.len() - value.len();
        let mut is_escaped = false;
        let end = value.iter().take(LONGEST).position(|b| {
            // JSON in JSON: the value ends at a quote that is escaped.
            let ends = is_mark(*b) && !is_escaped || inner.is_some() && *b == b'\\';
            is_escaped = *b == b'\\' && !is_escaped;
            ends
        });
        let until = from + end.unwrap_or_else(|| value.len().min(LONGEST));
        done = until;
        let Some(value) = text.get(from..until) else { continue };
        if let Some(certainty) = rule.judge(value) {
            all.push(Found { kind: rule.kind, certainty, range: from..from + value.len() });
        }
    }
}

fn is_certain(found: &Found) -> bool {
    found.certainty == Certainty::Certain
}

fn text_of(bytes: &[u8]) -> &str {
    // Strings of a jsonb are valid in the encoding of the database, which is UTF-8.
    str::from_utf8(bytes).unwrap_or_default()
}

/// The rule for `value` in an object such as `{"name": "Authorization", "value": "…"}`.
fn rule_of_pair(object: Container<'_>) -> Option<KeyRule> {
    let value = |key: &[u8]| {
        let at = object.find(key).ok()?;
        match object.element(at)?.value() {
            Value::String(text) => rule_of(text_of(text)),
            _ => None,
        }
    };
    object.find(b"value").ok()?;
    value(b"name").or_else(|| value(b"key"))
}

/// The rule for what stands under a key of an object, which itself stands under a key.
fn rule_under(key: &str, pair: Option<KeyRule>, above: Option<&str>) -> Option<KeyRule> {
    if key == "value" && pair.is_some() {
        return pair;
    }
    // `{"password": {"value": "hunter2"}}`
    if key == "value" {
        return above.and_then(rule_of);
    }
    let below = above.and_then(|above| KeyRule::below(above, key));
    let rule = below.or_else(|| rule_of(key))?;
    Some(if above.is_some_and(KeyRule::is_described_under) { rule.described() } else { rule })
}

/// Looks at a value of a `jsonb`. False if somebody has seen enough.
fn walk(value: Value<'_>, rule: Option<KeyRule>, path: &Path<'_>, visit: &mut Visit<'_>) -> bool {
    match value {
        Value::String(bytes) => look(text_of(bytes), rule, path, visit),
        Value::Container(_) if path.depth >= MAX_DEPTH => true,
        Value::Container(object) if object.is_object() => {
            let pair = rule_of_pair(object);
            let above = path.key();
            object.pairs().all(|(key, stored)| {
                let key = text_of(key);
                let below = path.below(Step::Key(key));
                let goes_on = match super::text::first_in_text(key) {
                    Some(found) => visit(&below, found),
                    None => true,
                };
                goes_on && walk(stored.value(), rule_under(key, pair, above), &below, visit)
            })
        }
        Value::Container(array) => array
            .elements()
            .enumerate()
            .all(|(at, stored)| walk(stored.value(), rule, &path.element(at), visit)),
        Value::Number(stored) => match rule.and_then(|rule| judged_number(rule, stored)) {
            Some((found, _)) => visit(path, found),
            None => true,
        },
        _ => true,
    }
}

/// A number that is a password, and how it is written.
fn judged_number(rule: KeyRule, stored: &[u8]) -> Option<(Found, String)> {
    let text = to_integer(stored)?.to_string();
    let certainty = rule.judge_number(&text)?;
    Some((Found { kind: rule.kind, certainty, range: 0..text.len() }, text))
}

/// The secrets in a `jsonb`, by its bytes behind the length word.
pub(crate) fn in_jsonb(bytes: &[u8], visit: &mut Visit<'_>) {
    walk(Container::root(bytes).value(), None, &Path::ROOT, visit);
}

/// The strings in a `jsonb` that look random and nothing more.
pub(crate) fn random_in_jsonb(bytes: &[u8], visit: &mut Visit<'_>) {
    walk_strings(Container::root(bytes).value(), &Path::ROOT, &mut |text, path| {
        let mut goes_on = true;
        super::entropy::in_text(text, &mut |found| {
            goes_on = visit(path, found);
            goes_on
        });
        goes_on
    });
}

/// Each string that is a value. False if somebody has seen enough.
fn walk_strings(
    value: Value<'_>,
    path: &Path<'_>,
    next: &mut dyn FnMut(&str, &Path<'_>) -> bool,
) -> bool {
    match value {
        Value::String(bytes) => next(text_of(bytes), path),
        Value::Container(_) if path.depth >= MAX_DEPTH => true,
        Value::Container(object) if object.is_object() => object.pairs().all(|(key, stored)| {
            walk_strings(stored.value(), &path.below(Step::Key(text_of(key))), next)
        }),
        Value::Container(array) => array
            .elements()
            .enumerate()
            .all(|(at, stored)| walk_strings(stored.value(), &path.element(at), next)),
        _ => true,
    }
}

/// The secrets in a text, which is looked at as a document if it is one.
pub(crate) fn in_text_or_document(text: &str, path: &Path<'_>, visit: &mut Visit<'_>) {
    let Some(stored) = as_document(text) else {
        look(text, None, path, visit);
        return;
    };
    let mut is_told = false;
    let goes_on = walk(Container::root(&stored[4..]).value(), None, path, &mut |path, found| {
        is_told |= found.certainty == Certainty::Certain;
        visit(path, found)
    });
    // Of a key that stands there twice, jsonb has the last alone.
    if goes_on && !is_told && Json::parse(text).is_err() {
        look(text, None, path, visit);
    }
}

/// The bytes of a text that is an object or an array.
fn as_document(text: &str) -> Option<Vec<u8>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut stored = Vec::new();
    Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut stored).ok()?;
    Some(stored)
}

/// Whether a text, which is not looked at as a document, holds a secret.
pub(crate) fn holds_secret(text: &str) -> bool {
    let mut is_found = false;
    look(text, None, &Path::ROOT, &mut |_, found| {
        is_found = is_certain(&found);
        !is_found
    });
    is_found
}

/// What stands where a secret was.
fn mark(kind: &str) -> String {
    format!("[redacted:{kind}]")
}

/// So often is looked again at what is left: two secrets without anything between them may look like one.
const MAX_ROUNDS: usize = 8;

/// A string without its secrets; none if it has none.
fn without(text: &str, rule: Option<KeyRule>) -> Option<String> {
    let mut clean = without_once(text, rule)?;
    for _ in 1..MAX_ROUNDS {
        match without_once(&clean, rule) {
            Some(cleaner) => clean = cleaner,
            None => return Some(clean),
        }
    }
    Some(ALL.to_owned())
}

/// The same of a text that is not looked at as a document.
pub(crate) fn redacted_plain(text: &str) -> Option<String> {
    without(text, None)
}

/// Where a text is nothing but secrets.
const ALL: &str = "[redacted]";

fn without_once(text: &str, rule: Option<KeyRule>) -> Option<String> {
    let mut made = String::new();
    let mut kept = 0;
    look(text, rule, &Path::ROOT, &mut |_, found| {
        if found.certainty == Certainty::Certain {
            made.push_str(&text[kept..found.range.start]);
            made.push_str(&mark(found.kind));
            kept = found.range.end;
        }
        true
    });
    (kept > 0).then(|| made + &text[kept..])
}

/// A text without its secrets; none if it has none. A document is written anew.
pub(crate) fn redacted_text(text: &str) -> Option<String> {
    let mut clean = redacted_once(text)?;
    for _ in 1..MAX_ROUNDS {
        // Without its secrets it may have become a document.
        match redacted_once(&clean) {
            Some(cleaner) => clean = cleaner,
            None => return Some(clean),
        }
    }
    Some(ALL.to_owned())
}

fn redacted_once(text: &str) -> Option<String> {
    let document =
        if text.trim_start().starts_with(['{', '[']) { Json::parse(text).ok() } else { None };
    match document {
        Some(mut json) => redact(&mut json, None, None).then(|| json.to_string()),
        None => without(text, None),
    }
}

/// Whether something was taken out.
fn redact(json: &mut Json, rule: Option<KeyRule>, above: Option<&str>) -> bool {
    match json {
        Json::String(text) => match without(text, rule) {
            Some(clean) => {
                *text = clean;
                true
            }
            None => false,
        },
        Json::Number(digits) => {
            let judged = rule.filter(|rule| rule.judge_number(digits) == Some(Certainty::Certain));
            let Some(rule) = judged else { return false };
            *json = Json::String(mark(rule.kind));
            true
        }
        Json::Array(items) => {
            items.iter_mut().fold(false, |any, item| redact(item, rule, above) | any)
        }
        Json::Object(pairs) => {
            let named = |wanted: &str| {
                let found = pairs.iter().find(|(key, _)| key == wanted);
                found.and_then(|(_, value)| value.as_str()).and_then(rule_of)
            };
            let pair = named("name").or_else(|| named("key"));
            let mut marks = Vec::new();
            pairs.iter_mut().fold(false, |any, (key, value)| {
                let rule = rule_under(key, pair, above);
                let changed = redact(value, rule, Some(key));
                let Some(clean) = without(key, None) else { return changed | any };
                *key = numbered(clean, &mut marks);
                true
            })
        }
        _ => false,
    }
}

/// A `jsonb` without its secrets, length word included; none if it has none.
pub(crate) fn redacted_jsonb(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut has_secret = false;
    in_jsonb(bytes, &mut |_, found| {
        has_secret |= found.certainty == Certainty::Certain;
        !has_secret
    });
    if !has_secret {
        return None;
    }
    let mut builder = Builder::default();
    rebuild(Container::root(bytes).value(), None, &Path::ROOT, &mut builder);
    let mut out = Vec::new();
    builder.finish(&mut out).ok()?;
    Some(out)
}

/// Of two keys that are secrets of one kind, none may take the place of the other.
fn numbered(clean: String, marks: &mut Vec<String>) -> String {
    let same = marks.iter().filter(|mark| **mark == clean).count();
    marks.push(clean.clone());
    if same == 0 { clean } else { format!("{clean}:{}", same + 1) }
}

fn write(text: &str, out: &mut Builder) {
    let written: Result<(), std::convert::Infallible> = out.string_with(|to| {
        to.extend_from_slice(text.as_bytes());
        Ok(())
    });
    let Ok(()) = written;
}

fn rebuild(value: Value<'_>, rule: Option<KeyRule>, path: &Path<'_>, out: &mut Builder) {
    match value {
        Value::Null => out.null(),
        Value::Boolean(value) => out.boolean(value),
        Value::Number(bytes) => {
            match rule
                .and_then(|rule| judged_number(rule, bytes))
                .filter(|(found, _)| is_certain(found))
            {
                Some((found, _)) => write(&mark(found.kind), out),
                None => out.copy(crate::jsonb::entry::NUMERIC, bytes),
            }
        }
        Value::String(bytes) => {
            let text = text_of(bytes);
            let clean = without(text, rule);
            write(clean.as_deref().unwrap_or(text), out);
        }
        Value::Container(inner) if path.depth >= MAX_DEPTH => {
            let stored = inner.stored();
            out.copy(stored.kind, stored.bytes);
        }
        Value::Container(object) if object.is_object() => {
            let pair = rule_of_pair(object);
            let above = path.key();
            let mut marks = Vec::new();
            out.open_object();
            for (key, stored) in object.pairs() {
                let key = text_of(key);
                let clean = without(key, None).map(|clean| numbered(clean, &mut marks));
                out.key(clean.as_deref().unwrap_or(key).as_bytes());
                let below = path.below(Step::Key(key));
                rebuild(stored.value(), rule_under(key, pair, above), &below, out);
            }
            let _ = out.close();
        }
        Value::Container(array) => {
            out.open_array();
            for (at, stored) in array.elements().enumerate() {
                rebuild(stored.value(), rule, &path.element(at), out);
            }
            let _ = out.close();
        }
    }
}
