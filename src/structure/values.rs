//! Values of enums that get another name, with the rows that hold them.
//!
//! A document that was applied still tells its renames. One is done where the old value is gone, or both values are there
//! to stay. Of a circle the values never tell that, so a version keeps the circles that led to it.

use super::model::{Field, Structure};
use crate::field_types::kind::FieldKind;
use std::collections::{HashMap, HashSet};

/// Values of a column, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RenamedValues {
    /// As it is called afterwards.
    pub(crate) column: String,
    pub(crate) pairs: Vec<(String, String)>,
    /// Whether rows with different values have the same afterwards.
    pub(crate) merges: bool,
    /// Texts that no row holds, for values that step aside.
    pub(crate) free: String,
}

/// The renames that are still to be done.
pub(super) fn renamed(before: &Structure, after: &Structure) -> Vec<RenamedValues> {
    after.fields.iter().filter_map(|field| of_field(before, after, field)).collect()
}

/// A stored version has no renames but those that values do not tell.
pub(super) fn forget_renames(structure: &mut Structure) {
    for field in &mut structure.fields {
        field.renamed_from = None;
        let circular: HashSet<String> =
            circles(&field.renamed_values).into_iter().flatten().map(str::to_owned).collect();
        field.renamed_values.retain(|(from, _)| circular.contains(from));
    }
}

fn of_field(before: &Structure, after: &Structure, field: &Field) -> Option<RenamedValues> {
    if field.renamed_values.is_empty() {
        return None;
    }
    let source = super::naming::field_before(before, after, field)?;
    // A text may hold anything.
    let old: Option<HashSet<&str>> = match &source.kind {
        FieldKind::Enum { values } => Some(values.iter().map(String::as_str).collect()),
        FieldKind::Text { .. } => None,
        _ => return None,
    };
    let FieldKind::Enum { values } = &field.kind else { return None };
    let done: HashSet<&str> = circles(&field.renamed_values)
        .into_iter()
        .filter(|circle| {
            let told = |from: &&str| {
                let pair = field.renamed_values.iter().find(|(old, _)| old == from);
                pair.is_some_and(|pair| source.renamed_values.contains(pair))
            };
            circle.iter().all(told)
        })
        .flatten()
        .collect();
    let is_held = |value: &str| old.as_ref().is_none_or(|old| old.contains(value));
    let mut pairs: Vec<&(String, String)> = field
        .renamed_values
        .iter()
        .filter(|(from, _)| is_held(from) && !done.contains(from.as_str()))
        .collect();
    let stays: HashSet<&str> = values.iter().map(String::as_str).collect();
    loop {
        let leaving: HashSet<&str> = pairs.iter().map(|(from, _)| from.as_str()).collect();
        let count = pairs.len();
        pairs.retain(|(from, to)| {
            let are_both_there = old.is_some() && is_held(to) && stays.contains(from.as_str());
            leaving.contains(to.as_str()) || !are_both_there
        });
        if pairs.len() == count {
            break;
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let leaving: HashSet<&str> = pairs.iter().map(|(from, _)| from.as_str()).collect();
    let mut taken: HashSet<&str> = old.iter().flatten().copied().collect();
    taken.retain(|value| !leaving.contains(value));
    let merges = old.is_none() || pairs.iter().any(|(_, to)| !taken.insert(to));
    let mut free = "renamed".to_owned();
    let pairs: Vec<(String, String)> = pairs.into_iter().cloned().collect();
    let used = values.iter().chain(pairs.iter().flat_map(|(from, to)| [from, to]));
    let mut used: Vec<&str> = used.map(String::as_str).collect();
    used.extend(old.iter().flatten());
    while used.iter().any(|value| value.starts_with(&free)) {
        free.push('_');
    }
    Some(RenamedValues { column: field.column().to_owned(), pairs, merges, free })
}

/// The circles among renames, each by its old values.
fn circles(pairs: &[(String, String)]) -> Vec<Vec<&str>> {
    let next: HashMap<&str, &str> =
        pairs.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    // The walk that came to a value, by the value that it began with.
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for (walk, (start, _)) in pairs.iter().enumerate() {
        let mut path = Vec::new();
        let mut value = start.as_str();
        loop {
            if let Some(by) = seen.get(value) {
                if *by == walk {
                    let begin = path.iter().position(|at| *at == value).unwrap_or_default();
                    found.push(path.split_off(begin));
                }
                break;
            }
            let Some(to) = next.get(value) else { break };
            seen.insert(value, walk);
            path.push(value);
            value = to;
        }
    }
    found
}

impl RenamedValues {
    /// Which values are renamed at once, so that none is that of rows which still wait to be renamed. Each with the value
    /// that the rows have before all of it. One of a circle steps aside.
    pub(super) fn waves(&self) -> Vec<Vec<Move<'_>>> {
        let mut waves = Vec::new();
        let mut waiting: Vec<Move<'_>> = self
            .pairs
            .iter()
            .map(|(from, to)| Move { first: from, from: from.clone(), to: to.clone() })
            .collect();
        while !waiting.is_empty() {
            let leaving: HashSet<String> = waiting.iter().map(|one| one.from.clone()).collect();
            let (free, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|one| !leaving.contains(&one.to));
            waiting = rest;
            if !free.is_empty() {
                waves.push(free);
                continue;
            }
            // All that is left goes round in circles, or waits for one.
            let pairs: Vec<(String, String)> =
                waiting.iter().map(|one| (one.from.clone(), one.to.clone())).collect();
            let aside: HashSet<&str> =
                circles(&pairs).iter().filter_map(|circle| circle.first().copied()).collect();
            let mut wave = Vec::new();
            for one in waiting.iter_mut().filter(|one| aside.contains(one.from.as_str())) {
                let place = format!("{} {}", self.free, wave.len() + 1);
                wave.push(Move { to: place.clone(), ..one.clone() });
                one.from = place;
            }
            if wave.is_empty() {
                break;
            }
            waves.push(wave);
        }
        waves
    }

    /// All at once, where no two rows can be in each other's way.
    pub(super) fn at_once(&self) -> Vec<Move<'_>> {
        let one = |(from, to): &'_ (String, String)| (from.clone(), to.clone());
        self.pairs
            .iter()
            .map(|pair| {
                let (from, to) = one(pair);
                Move { first: &pair.0, from, to }
            })
            .collect()
    }
}

/// One value on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move<'v> {
    /// What the rows have before the plan.
    pub(super) first: &'v str,
    pub(super) from: String,
    pub(super) to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(values: &str, renamed: &str) -> Structure {
        Structure::from_document(&format!(
            r#"{{"fields":[{{"name":"f","type":"enum","values":{values},"renamed_values":{renamed}}}]}}"#
        ))
        .unwrap()
    }

    /// What is to be done, and what is left to do when the document is applied again.
    fn pending(before: &str, values: &str, renamed: &str) -> (Vec<(String, String)>, usize) {
        let (before, mut after) = (field(before, "{}"), field(values, renamed));
        let pairs =
            |found: Vec<RenamedValues>| found.into_iter().flat_map(|one| one.pairs).collect();
        let again = after.clone();
        let first = pairs(super::renamed(&before, &after));
        forget_renames(&mut after);
        let left: Vec<_> = pairs(super::renamed(&after, &again));
        (first, left.len())
    }

    fn text(pairs: &[(String, String)]) -> String {
        pairs.iter().map(|(from, to)| format!("{from}{to}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_rename_is_done_once() {
        for (before, values, renamed, expected) in [
            (r#"["a"]"#, r#"["b"]"#, r#"{"a":"b"}"#, "ab"),
            // The old value is a new one again.
            (r#"["a"]"#, r#"["a","b"]"#, r#"{"a":"b"}"#, "ab"),
            // Both were there to stay.
            (r#"["a","b"]"#, r#"["a","b"]"#, r#"{"a":"b"}"#, ""),
            // Two become one.
            (r#"["a","b"]"#, r#"["b"]"#, r#"{"a":"b"}"#, "ab"),
            (r#"["a","b"]"#, r#"["c"]"#, r#"{"a":"c","b":"c"}"#, "ac bc"),
            // A chain, and one of which the first part was done before.
            (r#"["a","b"]"#, r#"["b","c"]"#, r#"{"a":"b","b":"c"}"#, "ab bc"),
            (r#"["b"]"#, r#"["b","c"]"#, r#"{"a":"b","b":"c"}"#, "bc"),
            // Circles.
            (r#"["a","b"]"#, r#"["a","b"]"#, r#"{"a":"b","b":"a"}"#, "ab ba"),
            (
                r#"["a","b","c","d"]"#,
                r#"["a","b","c"]"#,
                r#"{"a":"b","b":"c","c":"a","d":"a"}"#,
                "ab bc ca da",
            ),
            (r#"["x"]"#, r#"["b"]"#, r#"{"a":"b"}"#, ""),
        ] {
            let (found, left) = pending(before, values, renamed);
            assert_eq!((text(&found).as_str(), left), (expected, 0), "{before} {values} {renamed}");
        }
    }

    #[test]
    fn no_wave_meets_what_waits() {
        let pairs: Vec<(String, String)> =
            [("a", "b"), ("b", "a"), ("c", "d"), ("d", "e"), ("e", "c"), ("x", "a"), ("y", "z")]
                .map(|(from, to)| (from.to_owned(), to.to_owned()))
                .to_vec();
        let renamed =
            RenamedValues { column: "f".to_owned(), pairs, merges: true, free: "free".to_owned() };
        let waves = renamed.waves();
        let mut rows: Vec<(&str, String)> =
            "abcdexyz".split("").filter(|v| !v.is_empty()).map(|v| (v, v.to_owned())).collect();
        for (number, wave) in waves.iter().enumerate() {
            let waits =
                |first: &str| waves[number..].iter().flatten().any(|later| later.first == first);
            for one in wave {
                let meets = |(first, value): &(&str, String)| *value == one.to && waits(first);
                assert!(!rows.iter().any(meets), "{one:?}");
            }
            for (first, value) in &mut rows {
                if let Some(one) = wave.iter().find(|one| one.from == *value) {
                    assert_eq!(one.first, *first);
                    *value = one.to.clone();
                }
            }
        }
        let found: String = rows.into_iter().map(|(_, value)| value).collect();
        assert_eq!(found, "badecazz");
    }
}
