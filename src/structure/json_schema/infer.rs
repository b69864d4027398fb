//! What a field is made of: its type, where the schema does not say it, and its attributes.

use super::import::Draft;
use super::{Keyword, TIME_PATTERN, Value, is_annotation, is_end_of_range, number};
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::jsonb::number::plain_text;
use std::borrow::Cow;

/// The most digits of a decimal whose schema says only how many stand behind the point.
const PRECISION: usize = 38;
/// Formats of zod's own, which come with a pattern that says what the format says.
const SPELLED_FORMATS: [&str; 12] = [
    "base64url",
    "cidrv4",
    "cidrv6",
    "cuid",
    "cuid2",
    "e164",
    "jwt",
    "ksuid",
    "nanoid",
    "ulid",
    "xid",
    "base64",
];
/// Formats that others use too, with the patterns that zod writes beside them.
const SPELLED_PATTERNS: [(&str, &str); 3] = [
    (
        "email",
        r"^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$",
    ),
    (
        "email",
        r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$",
    ),
    (
        "ipv4",
        r"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])$",
    ),
];

/// Whether a schema allows everything, or, where that is asked, nothing.
pub(super) fn is_free(schema: &Json, or_nothing: bool) -> bool {
    match schema {
        Json::Boolean(yes) => *yes || or_nothing,
        Json::Object(pairs) => pairs.iter().all(|(name, _)| is_annotation(name)),
        _ => false,
    }
}

/// The type that a value's keywords suggest.
pub(super) fn inferred<'s>(value: &mut Value<'s>) -> &'static str {
    if value.anything {
        return "json";
    }
    narrow_choices(value);
    let texts = |choices: Vec<&Json>| choices.iter().all(|c| matches!(c, Json::String(_)));
    if value.choices().is_some_and(texts)
        && value.types.as_ref().is_none_or(|types| types.contains(&"string"))
    {
        return "enum";
    }
    let text_of = |name: &str| value.find(name).and_then(|keyword| keyword.value.as_str());
    let format = text_of("format").unwrap_or_default();
    match value.types.as_deref() {
        Some(["string"]) => match format {
            "date-time" => "timestamp",
            "date" => "date",
            "time" => "time",
            "uuid" | "uuid1" | "uuid3" | "uuid4" | "uuid5" | "uuid6" | "uuid7" | "uuid8" => "uuid",
            "binary" | "byte" | "base64" => "bytes",
            _ if text_of("contentEncoding") == Some("base64") => "bytes",
            _ if text_of("pattern") == Some(TIME_PATTERN) => "time",
            _ => "text",
        },
        Some(["integer"]) => match format {
            "int32" => "integer",
            "int64" => "bigint",
            // An integer of JSON has no width: unless both bounds fit 32 bits, 64 are safe.
            _ if bound(value, true).is_some_and(fits) && bound(value, false).is_some_and(fits) => {
                "integer"
            }
            _ => "bigint",
        },
        Some(["number"] | ["integer", "number"]) => {
            let scale = value.find("multipleOf").and_then(|keyword| scale_of(&keyword.value));
            if scale.is_some() || format == "decimal" { "decimal" } else { "float" }
        }
        Some(["boolean"]) => "boolean",
        _ => "json",
    }
}

/// Whole numbers without a gap are a range, and both booleans are no choice.
fn narrow_choices(value: &mut Value<'_>) {
    let Some(choices) = value.choices() else { return };
    let whole = |json: &Json| match json {
        Json::Number(text) => plain_text(text.as_bytes())?.parse::<i64>().ok(),
        _ => None,
    };
    let both = [Json::Boolean(false), Json::Boolean(true)];
    let is_boolean = both.iter().all(|value| choices.contains(&value)) && choices.len() == 2;
    let numbers: Option<Vec<i64>> = choices.into_iter().map(whole).collect();
    let name = if value.find("const").is_some() { "const" } else { "enum" };
    if is_boolean {
        value.types.get_or_insert_with(|| vec!["boolean"]);
        value.take(name);
        return;
    }
    let Some(mut numbers) = numbers else { return };
    numbers.sort_unstable();
    numbers.dedup();
    let (Some(&least), Some(&most)) = (numbers.first(), numbers.last()) else { return };
    let typed = value.types.as_deref().is_none_or(|types| types != ["string"]);
    if typed && most.checked_sub(least) == Some(numbers.len() as i64 - 1) {
        let at = value.take(name).map(|keyword| keyword.at).unwrap_or_default();
        value.types = Some(vec!["integer"]);
        for (name, bound) in [("minimum", least), ("maximum", most)] {
            if value.find(name).is_none() {
                let value_of = Cow::Owned(number(bound));
                value.keywords.push(Keyword { name, value: value_of, at: at.clone() });
            }
        }
    }
}

fn bound<'v>(value: &'v Value<'_>, lower: bool) -> Option<&'v Json> {
    let (bound, strict) =
        if lower { ("minimum", "exclusiveMinimum") } else { ("maximum", "exclusiveMaximum") };
    // Before draft 6, the strict one was true or false.
    let strict = value.find(strict).filter(|strict| matches!(*strict.value, Json::Number(_)));
    strict.or(value.find(bound)).map(|keyword| &*keyword.value)
}

fn fits(bound: &Json) -> bool {
    let Json::Number(text) = bound else { return false };
    plain_text(text.as_bytes()).is_some_and(|plain| plain.parse::<i32>().is_ok())
}

/// The digits after the decimal point of 1, 0.1, 0.01, …
fn scale_of(step: &Json) -> Option<usize> {
    let Json::Number(text) = step else { return None };
    let plain = plain_text(text.as_bytes())?;
    let fraction = match plain.split_once('.') {
        None => return (plain == "1").then_some(0),
        Some((whole, fraction)) => fraction.strip_suffix('1').filter(|_| whole == "0")?,
    };
    fraction.bytes().all(|digit| digit == b'0').then_some(fraction.len() + 1)
}

/// The digits before the decimal point of the larger bound.
fn whole_digits(value: &Value<'_>) -> Option<usize> {
    let digits = |lower| match bound(value, lower)? {
        Json::Number(text) => {
            let plain = plain_text(text.as_bytes())?;
            let whole = plain.trim_start_matches('-').split('.').next().unwrap_or_default();
            Some(whole.len())
        }
        _ => None,
    };
    Some(digits(true)?.max(digits(false)?))
}

/// Moves what a field of the type can keep, and drops what the type says already.
pub(super) fn move_attributes(kind: &str, value: &mut Value<'_>, told: bool, field: &mut Draft) {
    let format = value.take("format");
    let format = format.as_ref().and_then(|format| format.value.as_str()).unwrap_or_default();
    match kind {
        "text" => {
            let spelled = value.find("pattern").and_then(|k| k.value.as_str()).is_some_and(|p| {
                SPELLED_FORMATS.contains(&format) || SPELLED_PATTERNS.contains(&(format, p))
            });
            if spelled {
                value.take("pattern");
            }
            field.keep("max_length", value.take("maxLength"));
            let least = value.take("minLength").filter(|least| *least.value != number(0));
            field.keep("min_length", least);
            value.take("contentEncoding");
        }
        "enum" => {
            if let Some(only) = value.take("const") {
                field.set("values", Json::Array(vec![only.value.into_owned()]), only.at);
                value.take("enum");
            } else {
                field.keep("values", value.take("enum"));
            }
        }
        // The text is not kept as it came, so that its pattern says no more than the type.
        "date" | "time" | "timestamp" | "uuid" | "bytes" => {
            value.take("pattern");
            value.take("contentEncoding");
        }
        "integer" | "bigint" | "float" | "decimal" => {
            if let Some(step) = value.find("multipleOf").cloned()
                && let Some(scale) = scale_of(&step.value)
                && (kind == "decimal" || (scale == 0 && kind != "float"))
            {
                value.take("multipleOf");
                if kind == "decimal" {
                    let precision = whole_digits(value).map_or(PRECISION, |whole| whole + scale);
                    field.set("precision", number(precision.max(scale).max(1)), &step.at);
                    field.set("scale", number(scale), &step.at);
                }
            }
            move_bounds(kind, value, field);
        }
        "vector" => {
            let size = |name| value.find(name).map(|keyword| &keyword.value);
            if let (Some(least), Some(most)) = (size("minItems"), size("maxItems"))
                && least == most
            {
                value.take("minItems");
                field.keep("dimensions", value.take("maxItems"));
            }
            value.take("items");
        }
        "json" if told => value.keywords.retain(|keyword| is_annotation(keyword.name)),
        // The reader of documents refuses the word, and that is all there is to say.
        unknown if !FieldKind::NAMES.contains(&unknown) => value.keywords.clear(),
        "json" => {
            let tuple =
                value.find("prefixItems").or(value.find("items")).and_then(
                    |keyword| match &*keyword.value {
                        Json::Array(items) => Some(number(items.len())),
                        _ => None,
                    },
                );
            value.keywords.retain(|Keyword { name, value, .. }| match *name {
                "minItems" | "maxItems" => tuple.as_ref() != Some(value),
                "propertyNames" => **value != any_name(),
                "enum" | "const" => is_single_kind(value),
                "properties"
                | "required"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "items"
                | "prefixItems"
                | "additionalItems"
                | "unevaluatedItems" => false,
                _ => true,
            });
        }
        _ => {}
    }
}

/// What zod says of the keys of every record.
fn any_name() -> Json {
    Json::Object(vec![("type".to_owned(), Json::string("string"))])
}

/// Choices of one kind are a constraint that was meant; of several, they are any value.
fn is_single_kind(choices: &Json) -> bool {
    match choices {
        Json::Array(items) => items.windows(2).all(|pair| pair[0].kind() == pair[1].kind()),
        _ => true,
    }
}

fn move_bounds(kind: &str, value: &mut Value<'_>, field: &mut Draft) {
    let sides =
        [("minimum", "exclusiveMinimum", "min", ">"), ("maximum", "exclusiveMaximum", "max", "<")];
    for (inclusive, exclusive, attribute, op) in sides {
        let mut bound = value.take(inclusive);
        let mut strict = value.take(exclusive);
        // Before draft 6, the strict one was true or false.
        if let Some(Json::Boolean(yes)) = strict.as_ref().map(|strict| &*strict.value) {
            strict = if *yes { bound.take() } else { None };
        }
        if let Some(strict) = strict {
            field.checks.push((op, strict.value.into_owned(), strict.at));
        }
        field.keep(
            attribute,
            bound.filter(|bound| !is_end_of_range(kind, attribute == "min", &bound.value)),
        );
    }
}
