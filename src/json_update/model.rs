//! A model of updates on `serde_json`'s values, written for the tests from what the operators are said
//! to do: plain, slow, one operation after another on a copy.

use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The document after the operations `{"$op": {"dotted.path": value}}`, or None where one of them does
/// not fit.
pub(super) fn update(document: &Value, operations: &Value, inserting: bool) -> Option<Value> {
    let mut result = document.clone();
    // Renames look at the document as it was.
    let mut moves = Vec::new();
    for (from, to) in operations.get("$rename").and_then(Value::as_object).into_iter().flatten() {
        let mut at = Some(document);
        for key in from.split('.') {
            at = match at {
                Some(Value::Array(_)) => return None,
                Some(Value::Object(members)) => members.get(key),
                _ => None,
            };
        }
        if let Some(value) = at {
            remove(&mut result, &from.split('.').collect::<Vec<_>>());
            moves.push((to.as_str().unwrap().to_owned(), value.clone()));
        }
    }
    for (to, value) in moves {
        let path: Vec<_> = to.split('.').collect();
        if leads_into_an_array(document, &path) {
            return None;
        }
        at(&mut result, &path, &mut |slot| {
            *slot = Some(value.clone());
            Some(())
        })?;
    }
    // Ascending, so that arrays grow from their end.
    let mut all = Vec::new();
    for (operator, members) in operations.as_object().unwrap() {
        for (path, operand) in members.as_object().unwrap() {
            all.push((path.clone(), operator.clone(), operand.clone()));
        }
    }
    all.sort_by_key(|(path, ..)| {
        path.split('.').map(|key| (key.len(), key.to_owned())).collect::<Vec<_>>()
    });
    for (path, operator, operand) in all {
        let path: Vec<_> = path.split('.').collect();
        match operator.as_str() {
            "$rename" => {}
            "$setOnInsert" if !inserting => {}
            "$unset" => remove(&mut result, &path),
            "$pop" => {
                if let Some(value) = find(&mut result, &path) {
                    let array = value.as_array_mut()?;
                    let at = if operand == -1 { 0 } else { array.len().saturating_sub(1) };
                    array.drain(at..(at + 1).min(array.len()));
                }
            }
            "$pullAll" => {
                if let Some(value) = find(&mut result, &path) {
                    let values = operand.as_array().unwrap();
                    value.as_array_mut()?.retain(|element| !values.contains(element));
                }
            }
            "$pull" => {
                if let Some(value) = find(&mut result, &path) {
                    let array = value.as_array_mut()?;
                    array.retain(|element| !meets(element, &operand));
                }
            }
            _ => at(&mut result, &path, &mut |slot| act(slot, &operator, &operand))?,
        }
    }
    Some(result)
}

fn leads_into_an_array(document: &Value, path: &[&str]) -> bool {
    let mut at = document;
    for key in path {
        match at {
            Value::Array(_) => return true,
            Value::Object(members) => match members.get(*key) {
                Some(value) => at = value,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

fn find<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Value> {
    let Some((key, below)) = path.split_first() else { return Some(value) };
    match value {
        Value::Object(members) => find(members.get_mut(*key)?, below),
        Value::Array(elements) => find(elements.get_mut(key.parse::<usize>().ok()?)?, below),
        _ => None,
    }
}

fn remove(value: &mut Value, path: &[&str]) {
    let (last, above) = path.split_last().unwrap();
    match find(value, above) {
        Some(Value::Object(members)) => {
            members.remove(*last);
        }
        Some(Value::Array(elements)) => {
            if let Some(slot) = last.parse::<usize>().ok().and_then(|at| elements.get_mut(at)) {
                *slot = Value::Null;
            }
        }
        _ => {}
    }
}

/// Creates the parents of a place, and calls `change` with its value.
fn at(
    value: &mut Value,
    path: &[&str],
    change: &mut dyn FnMut(&mut Option<Value>) -> Option<()>,
) -> Option<()> {
    let (key, below) = path.split_first().unwrap();
    let mut slot = match value {
        Value::Object(members) => members.get(*key).cloned(),
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?).cloned(),
        _ => return None,
    };
    if below.is_empty() {
        change(&mut slot)?;
    } else {
        at(slot.get_or_insert_with(|| Value::Object(Map::new())), below, change)?;
    }
    match value {
        Value::Object(members) => {
            members.insert((*key).to_owned(), slot?);
        }
        Value::Array(elements) => {
            let at = key.parse::<usize>().ok()?;
            while elements.len() <= at {
                elements.push(Value::Null);
            }
            elements[at] = slot?;
        }
        _ => {}
    }
    Some(())
}

fn act(slot: &mut Option<Value>, operator: &str, operand: &Value) -> Option<()> {
    let new = match (operator, slot.clone()) {
        ("$set" | "$setOnInsert", _) => operand.clone(),
        ("$inc", None) => operand.clone(),
        ("$inc", Some(old)) => (old.as_i64()? + operand.as_i64()?).into(),
        ("$mul", None) => 0.into(),
        ("$mul", Some(old)) => (old.as_i64()? * operand.as_i64()?).into(),
        ("$bit", old) => {
            let old = old.map_or(Some(0), |old| old.as_i64())?;
            let number = |name: &str| operand.get(name).and_then(Value::as_i64);
            match (number("and"), number("or")) {
                (Some(bits), _) => old & bits,
                (_, Some(bits)) => old | bits,
                _ => old ^ number("xor").unwrap(),
            }
            .into()
        }
        ("$min" | "$max", None) => operand.clone(),
        ("$min" | "$max", Some(old)) => {
            if kind(&old) != kind(operand) {
                return None;
            }
            let smaller = order(operand, &old) == Ordering::Less;
            if smaller == (operator == "$min") { operand.clone() } else { old }
        }
        ("$push" | "$addToSet", Some(old)) if !old.is_array() => return None,
        ("$push", old) => push(old.and_then(|old| old.as_array().cloned()), operand).into(),
        ("$addToSet", old) => {
            let mut array = old.and_then(|old| old.as_array().cloned()).unwrap_or_default();
            let one = vec![operand.clone()];
            let each = operand.get("$each").and_then(Value::as_array).unwrap_or(&one);
            for value in each {
                if !array.contains(value) {
                    array.push(value.clone());
                }
            }
            array.into()
        }
        _ => unreachable!("{operator}"),
    };
    *slot = Some(new);
    Some(())
}

fn push(array: Option<Vec<Value>>, operand: &Value) -> Vec<Value> {
    let mut array = array.unwrap_or_default();
    let Some(each) = operand.get("$each").and_then(Value::as_array) else {
        array.push(operand.clone());
        return array;
    };
    let mut place = array.len() as i64;
    if let Some(position) = operand.get("$position").and_then(Value::as_i64) {
        place = if position < 0 { (place + position).max(0) } else { position.min(place) };
    }
    for (offset, value) in each.iter().enumerate() {
        array.insert(place as usize + offset, value.clone());
    }
    if let Some(direction) = operand.get("$sort").and_then(Value::as_i64) {
        array.sort_by(|a, b| if direction > 0 { order(a, b) } else { order(b, a) });
    }
    if let Some(slice) = operand.get("$slice").and_then(Value::as_i64) {
        if slice >= 0 {
            array.truncate(slice as usize);
        } else {
            let from = (array.len() as i64 + slice).max(0) as usize;
            array = array[from..].to_vec();
        }
    }
    array
}

fn meets(element: &Value, condition: &Value) -> bool {
    let Some(members) = condition.as_object() else { return element == condition };
    // An array meets a comparison if it does itself or one of its elements does.
    let one = |test: &dyn Fn(&Value) -> bool| {
        test(element) || element.as_array().is_some_and(|elements| elements.iter().any(test))
    };
    members.iter().all(|(key, wanted)| match key.strip_prefix('$') {
        Some(comparison) => {
            let ordered = |test: fn(Ordering) -> bool| {
                one(&|value| kind(value) == kind(wanted) && test(order(value, wanted)))
            };
            let among = || one(&|value| wanted.as_array().unwrap().contains(value));
            match comparison {
                "eq" => one(&|value| value == wanted),
                "ne" => !one(&|value| value == wanted),
                "gt" => ordered(Ordering::is_gt),
                "gte" => ordered(Ordering::is_ge),
                "lt" => ordered(Ordering::is_lt),
                "lte" => ordered(Ordering::is_le),
                "in" => among(),
                "nin" => !among(),
                _ => unreachable!(),
            }
        }
        None => {
            element.is_object() && {
                let found = element.get(key).unwrap_or(&Value::Null);
                found == wanted || found.as_array().is_some_and(|array| array.contains(wanted))
            }
        }
    })
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        Value::Object(_) => 3,
        Value::Array(_) => 4,
        Value::Bool(_) => 5,
    }
}

fn order(a: &Value, b: &Value) -> Ordering {
    let kinds = kind(a).cmp(&kind(b));
    kinds.then_with(|| match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i64().cmp(&b.as_i64()),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let mut pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
            pairs.find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let sorted = |members: &Map<String, Value>| {
                let mut list: Vec<_> = members
                    .iter()
                    .map(|(key, value)| (key.len(), key.clone(), value.clone()))
                    .collect();
                list.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
                list
            };
            let (a, b) = (sorted(a), sorted(b));
            let mut pairs = a
                .iter()
                .zip(&b)
                .map(|(a, b)| (a.0, &a.1).cmp(&(b.0, &b.1)).then_with(|| order(&a.2, &b.2)));
            pairs.find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => Ordering::Equal,
    })
}
