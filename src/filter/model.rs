//! A model of filters on `serde_json`'s values, written for the tests from what the operators are said
//! to do. Only for filters that are right, in the spelling with dotted keys.

use serde_json::Value;

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
        Some(tests) if tests.keys().any(|key| key.starts_with('$')) => {
            tests.iter().all(|(name, operand)| test(found, name, operand))
        }
        _ => equals(found, operand),
    }
}

fn test(found: &[&Value], name: &str, operand: &Value) -> bool {
    let among = || operand.as_array().unwrap().iter().any(|value| equals(found, value));
    let ordered = |wanted: fn(f64, f64) -> bool, texts: fn(&str, &str) -> bool| {
        candidates(found).any(|value| match (value, operand) {
            (Value::Number(a), Value::Number(b)) => {
                wanted(a.as_f64().unwrap(), b.as_f64().unwrap())
            }
            (Value::String(a), Value::String(b)) => texts(a, b),
            (Value::Bool(a), Value::Bool(b)) => wanted(f64::from(*a), f64::from(*b)),
            _ => false,
        })
    };
    match name {
        "$eq" => equals(found, operand),
        "$ne" => !equals(found, operand),
        "$in" => among(),
        "$nin" => !among(),
        "$gt" => ordered(|a, b| a > b, |a, b| a > b),
        "$gte" => ordered(|a, b| a >= b, |a, b| a >= b),
        "$lt" => ordered(|a, b| a < b, |a, b| a < b),
        "$lte" => ordered(|a, b| a <= b, |a, b| a <= b),
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

fn equals(found: &[&Value], operand: &Value) -> bool {
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
