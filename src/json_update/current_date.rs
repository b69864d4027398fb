//! `$currentDate` for the functions that update rows. A function of a document and operations alone is immutable
//! and has no clock, so the time is written into the operations before they are used.

use super::apply::apply;
use super::error::JsonUpdateError;
use super::operations::Operations;
use crate::jsonb::parse::{InvalidCharacters, Parser};
use crate::jsonb::view::{Container, Value};
use serde_json::json;

pub(super) const NAME: &[u8] = b"$currentDate";
/// Where the time stands once it is known.
pub(super) const AT: &[u8] = b"at";

/// Whether a value asks for the date: `true` or `{"$type": "date"}`.
pub(super) fn asks_for_date(value: Value<'_>) -> bool {
    match value {
        Value::Boolean(wanted) => wanted,
        Value::Container(object) => {
            object.is_object()
                && object.count() == 1
                && object.pairs().all(|(key, value)| {
                    key == b"$type" && matches!(value.value(), Value::String(b"date"))
                })
        }
        _ => false,
    }
}

/// The operations with the time in them, length word included; None where they do not ask for it. `bytes` stand
/// behind the length word. `now`: milliseconds since 1970, UTC.
pub(super) fn resolve(bytes: &[u8], now: i64) -> Result<Option<Vec<u8>>, JsonUpdateError> {
    let Value::Container(root) = Container::root(bytes).value() else { return Ok(None) };
    let mut places = Vec::new();
    if root.is_object() {
        let members = root.find(NAME).ok().and_then(|at| root.element(at));
        if let Some(Value::Container(members)) = members.map(|stored| stored.value())
            && members.is_object()
        {
            let asking = members.pairs().filter(|(_, value)| asks_for_date(value.value()));
            places.extend(
                asking.map(|(path, _)| json!(["$currentDate", String::from_utf8_lossy(path)])),
            );
        }
    } else {
        for (at, element) in root.elements().enumerate() {
            let Value::Container(members) = element.value() else { continue };
            let member = |key: &[u8]| {
                let found = members.is_object().then(|| members.find(key).ok()).flatten();
                found.and_then(|at| members.element(at)).map(|stored| stored.value())
            };
            if matches!(member(b"op"), Some(Value::String(NAME)))
                && member(b"value").is_some_and(asks_for_date)
            {
                places.push(json!([at.to_string(), "value"]));
            }
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    let time = json!({ "$type": "date", "at": spelled(now) });
    let set: Vec<_> = places
        .into_iter()
        .map(|path| json!({ "op": "$set", "path": path, "value": time }))
        .collect();
    let mut writing = Vec::new();
    let parsed = Parser::new(InvalidCharacters::Reject)
        .parse(serde_json::Value::from(set).to_string().as_bytes(), &mut writing);
    if parsed.is_err() {
        return Ok(None);
    }
    let mut resolved = Vec::new();
    apply(&Operations::read(&writing[4..])?, bytes, false, &mut resolved)?;
    Ok(Some(resolved))
}

/// As JavaScript spells a date, always with three digits, so that texts sort as times do.
fn spelled(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_time_into_both_spellings() {
        let parse = |text: &str| {
            let mut out = Vec::new();
            Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut out).unwrap();
            out
        };
        for (given, expected) in [
            (
                r#"{"$currentDate": {"a.b": true, "c": {"$type": "date"}}, "$set": {"d": true}}"#,
                r#"{"$currentDate": {"a.b": {"$type": "date", "at": "1970-01-01T00:00:01.500Z"},
                    "c": {"$type": "date", "at": "1970-01-01T00:00:01.500Z"}}, "$set": {"d": true}}"#,
            ),
            (
                r#"[{"op": "$currentDate", "path": ["a.b"], "value": true}, {"op": "$set", "path": "x", "value": true}]"#,
                r#"[{"op": "$currentDate", "path": ["a.b"], "value": {"$type": "date", "at": "1970-01-01T00:00:01.500Z"}},
                    {"op": "$set", "path": "x", "value": true}]"#,
            ),
        ] {
            assert_eq!(resolve(&parse(given)[4..], 1_500), Ok(Some(parse(expected))), "{given}");
        }
        assert_eq!(resolve(&parse(r#"{"$set": {"a": true}}"#)[4..], 0), Ok(None));
        assert_eq!(resolve(&parse("5")[4..], 0), Ok(None));
    }
}
