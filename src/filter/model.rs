//! A model of filters on `serde_json`'s values, written for the tests from what the operators are said
//! to do. Only for filters that are right, in the spelling with dotted keys.

use serde_json::Value;
use std::cmp::Ordering;

/// Whether the document meets the filter.
pub(super) fn meets(document: &Value, filter: &Value) -> bool {
    filter.as_object().unwrap().iter().all(|(key, operand)| match key.as_str() {
        "$and" => operand.as_array().unwrap().iter().all(|part| meets(document, part)),
        "$or" => operand.as_array().unwrap().iter().any(|part| meets(document, part)),
        "$nor" => !operand.as_array().unwrap().iter().any(|part| meets(document, part)),
        "$not" => !meets(document, operand),
        path => {
            let keys: Vec<_> = path.split('.').collect();
            field(&values(document, &keys), operand)
        }
    })
}

fn values<'a>(at: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    let Some(key) = path.first() else { return vec![at] };
    let below = &path[1..];
    match at {
        Value::Object(members) => {
            members.get(*key).map_or_else(Vec::new, |value| values(value, below))
        }
        Value::Array(list) => {
            let by_index = key
                .parse::<usize>()
                .ok()
                .filter(|index| index.to_string() == *key)
                .and_then(|index| list.get(index))
                .map_or_else(Vec::new, |value| values(value, below));
            let in_elements = list.iter().filter(|e| e.is_object()).flat_map(|e| values(e, path));
            by_index.into_iter().chain(in_elements).collect()
        }
        _ => Vec::new(),
    }
}

fn field(found: &[&Value], operand: &Value) -> bool {
    match operand.as_object() {
        Some(tests) if tests.keys().any(|key| key.starts_with('$')) && date(operand).is_none() => {
            tests.iter().all(|(name, operand)| test(found, name, operand))
        }
        _ => equals(found, operand),
    }
}

fn test(found: &[&Value], name: &str, operand: &Value) -> bool {
    let among = || operand.as_array().unwrap().iter().any(|value| equals(found, value));
    let ordered = |wanted: fn(Ordering) -> bool| {
        candidates(found).any(|value| order(value, operand).is_some_and(wanted))
    };
    let like = |fold: fn(&str) -> String| {
        let pattern: Vec<char> = fold(operand.as_str().unwrap()).chars().collect();
        candidates(found).filter_map(Value::as_str).any(|text| {
            let text: Vec<char> = fold(text).chars().collect();
            is_like(&text, &pattern)
        })
    };
    match name {
        "$eq" => equals(found, operand),
        "$ne" => !equals(found, operand),
        "$in" => among(),
        "$nin" => !among(),
        "$gt" => ordered(Ordering::is_gt),
        "$gte" => ordered(Ordering::is_ge),
        "$lt" => ordered(Ordering::is_lt),
        "$lte" => ordered(Ordering::is_le),
        "$between" => candidates(found).any(|value| {
            order(value, &operand[0]).is_some_and(Ordering::is_ge)
                && order(value, &operand[1]).is_some_and(Ordering::is_le)
        }),
        "$like" => like(str::to_owned),
        "$ilike" => like(str::to_lowercase),
        "$exists" => found.is_empty() != operand.as_bool().unwrap(),
        "$contains" => found.iter().any(|value| match value {
            Value::Array(list) if !operand.is_array() && !operand.is_object() => {
                list.iter().any(|element| same(element, operand))
            }
            _ => contains(value, operand),
        }),
        "$all" => {
            let values = operand.as_array().unwrap();
            !values.is_empty() && values.iter().all(|value| equals(found, value))
        }
        "$size" => {
            let size = operand.as_u64().unwrap() as usize;
            found.iter().any(|value| value.as_array().is_some_and(|list| list.len() == size))
        }
        "$regex" => {
            let part = operand.as_str().unwrap();
            candidates(found).any(|value| value.as_str().is_some_and(|text| text.contains(part)))
        }
        "$elemMatch" => found
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .any(|element| field(&[element], operand)),
        "$not" => !field(found, operand),
        _ => unreachable!("{name}"),
    }
}

/// The values, and the elements of each value that is an array.
fn candidates<'a>(found: &'a [&'a Value]) -> impl Iterator<Item = &'a Value> {
    found.iter().copied().chain(found.iter().filter_map(|v| v.as_array()).flatten())
}

/// The times that the tests know, by their place in time.
pub(super) const TIMES: [(&str, i32); 7] = [
    ("2025-12-31T23:59:59.999Z", 1),
    ("2026-01-01", 2),
    ("2026-01-01T00:00:00Z", 2),
    ("2026-01-01T01:30:00+01:30", 2),
    ("2026-01-01 00:00:00.000001", 3),
    ("2026-01-02", 4),
    ("infinity", 5),
];

fn moment(value: &Value) -> Option<i32> {
    let text = value.as_str()?;
    TIMES.iter().find(|(time, _)| *time == text).map(|(_, place)| *place)
}

fn date(operand: &Value) -> Option<&Value> {
    operand.as_object().filter(|object| object.len() == 1)?.get("$date")
}

/// How a value stands to an operand, where they can be compared.
fn order(value: &Value, operand: &Value) -> Option<Ordering> {
    if let Some(time) = date(operand) {
        return Some(moment(value)?.cmp(&moment(time)?));
    }
    match (value, operand) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| is_like(&text[from..], rest)),
        ['_', rest @ ..] => !text.is_empty() && is_like(&text[1..], rest),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && is_like(&text[1..], rest)
        }
    }
}

fn equals(found: &[&Value], operand: &Value) -> bool {
    if date(operand).is_some() {
        return candidates(found).any(|value| order(value, operand) == Some(Ordering::Equal));
    }
    (found.is_empty() && operand.is_null()) || candidates(found).any(|value| same(value, operand))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| contains(found, value))),
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|value| whole.iter().any(|found| contains(found, value)))
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => false,
        _ => same(whole, part),
    }
}
