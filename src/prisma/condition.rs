//! The condition of a partial index: `where: raw("…")`, or an object of fields and the values they have.

use super::arguments::string;
use super::ast::{Value, ValueKind, Word};
use super::defaults;
use super::model::Model;
use super::problem::Notes;
use crate::ident::quote;
use crate::json::shorten;

/// Reads a condition as SQL.
pub(super) fn read(value: &Value<'_>, model: &Model<'_>, notes: &mut Notes) -> Option<String> {
    match &value.kind {
        ValueKind::Call(name, given) if name.text == "raw" => match given.as_slice() {
            [argument] => Some(string(&argument.value, "the argument of raw", notes)?.to_owned()),
            _ => {
                notes.problem(name.place, "raw needs a string");
                None
            }
        },
        ValueKind::Object(pairs) if !pairs.is_empty() => {
            let mut conditions = Vec::new();
            for (name, value) in pairs {
                let Some(column) = model.column(name.text) else {
                    if !model.broken {
                        let text = format!(
                            "field \"{}\" is not a column of the model",
                            shorten(name.text)
                        );
                        notes.problem(name.place, text);
                    }
                    continue;
                };
                conditions.extend(one(&quote(&column.column), value, notes));
            }
            (conditions.len() == pairs.len()).then(|| conditions.join(" AND "))
        }
        _ => {
            let text =
                format!("a condition is raw(\"…\") or {{field: value}}, not {}", value.kind());
            notes.problem(value.place, text);
            None
        }
    }
}

fn one(column: &str, value: &Value<'_>, notes: &mut Notes) -> Option<String> {
    if let ValueKind::Object(pairs) = &value.kind {
        return match pairs.as_slice() {
            [(Word { text: "not", .. }, value)]
                if matches!(value.kind, ValueKind::Word("null")) =>
            {
                Some(format!("{column} IS NOT NULL"))
            }
            [(Word { text: "not", .. }, value)] => {
                Some(format!("{column} <> {}", literal(value, notes)?))
            }
            _ => {
                notes.problem(value.place, "the only word in a condition of a field is \"not\"");
                None
            }
        };
    }
    if matches!(value.kind, ValueKind::Word("null")) {
        return Some(format!("{column} IS NULL"));
    }
    Some(format!("{column} = {}", literal(value, notes)?))
}

fn literal(value: &Value<'_>, notes: &mut Notes) -> Option<String> {
    match &value.kind {
        ValueKind::String(text) => Some(defaults::literal(text)),
        ValueKind::Number(text) => Some((*text).to_owned()),
        ValueKind::Word(word @ ("true" | "false")) => Some((*word).to_owned()),
        _ => {
            let text = format!(
                "a field is compared with true, false, null, a string or a number, not {}",
                value.kind()
            );
            notes.problem(value.place, text);
            None
        }
    }
}
