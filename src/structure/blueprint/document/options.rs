//! The storage parameters of indexes, and what each takes: as Postgres 16 to 18 and pgvector 0.8 have them.

use crate::structure::model::Method;
use std::ops::RangeInclusive;

enum Takes {
    Number(RangeInclusive<u32>),
    Flag,
    FlagOrAuto,
}

/// The parameters of a method.
fn of(method: Method) -> Vec<(&'static str, Takes)> {
    let fillfactor = ("fillfactor", Takes::Number(10..=100));
    match method {
        Method::Btree => vec![fillfactor, ("deduplicate_items", Takes::Flag)],
        Method::Hash | Method::Spgist => vec![fillfactor],
        Method::Gist => vec![fillfactor, ("buffering", Takes::FlagOrAuto)],
        Method::Gin => vec![
            ("fastupdate", Takes::Flag),
            ("gin_pending_list_limit", Takes::Number(64..=i32::MAX as u32)),
        ],
        Method::Brin => {
            vec![("pages_per_range", Takes::Number(1..=131_072)), ("autosummarize", Takes::Flag)]
        }
        Method::Hnsw(_) => {
            vec![("m", Takes::Number(2..=100)), ("ef_construction", Takes::Number(4..=1_000))]
        }
        Method::Ivfflat(_) => vec![("lists", Takes::Number(1..=32_768))],
    }
}

/// What pgvector has where an index does not say it.
const M: u32 = 16;
const EF_CONSTRUCTION: u32 = 64;

/// What is wrong with the parameters of an index, each as the catalog keeps it, and of which; `None` is the index.
pub(super) fn problems(
    method: Method,
    options: &[(String, String)],
) -> Vec<(Option<String>, String)> {
    let (known, word) = (of(method), method.name());
    let mut found = Vec::new();
    for (name, value) in options {
        let Some((_, takes)) = known.iter().find(|(known, _)| known == name) else {
            let name = crate::json::shorten(name);
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("{word} has no option \"{name}\"; it has {}", names.join(", "));
            found.push((None, message));
            continue;
        };
        let is_flag = matches!(value.as_str(), "on" | "off");
        let message = match takes {
            Takes::Number(range) if !value.parse().is_ok_and(|value| range.contains(&value)) => {
                format!("must be a whole number from {} to {}", range.start(), range.end())
            }
            Takes::Flag if !is_flag => "must be true or false".to_owned(),
            Takes::FlagOrAuto if !is_flag && value != "auto" => {
                "must be true, false or \"auto\"".to_owned()
            }
            _ => continue,
        };
        found.push((Some(name.clone()), message));
    }
    if matches!(method, Method::Hnsw(_)) && found.is_empty() {
        let given = |name: &str, absent: u32| {
            let value = options.iter().find(|(given, _)| given == name);
            value.and_then(|(_, value)| value.parse().ok()).unwrap_or(absent)
        };
        let (m, ef_construction) = (given("m", M), given("ef_construction", EF_CONSTRUCTION));
        if ef_construction < 2 * m {
            let name = if options.iter().any(|(name, _)| name == "ef_construction") {
                "ef_construction"
            } else {
                "m"
            };
            let message =
                format!("ef_construction ({ef_construction}) must be at least twice m ({m})");
            found.push((Some(name.to_owned()), message));
        }
    }
    found
}
