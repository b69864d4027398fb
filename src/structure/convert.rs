//! What it takes to change the type of a column: nothing, a rewrite of the table, or a look at every
//! value. What Postgres would round, cut or turn into NULL stops the change instead.
//!
//! The expressions run with times in UTC and dates in ISO style.

mod native;

use crate::field_types::kind::FieldKind;

/// How a type becomes another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    None,
    /// Only the catalog changes.
    Instant,
    /// Every value survives unchanged. `lost` finds those that no document can say and the new type does
    /// not have, if there are such.
    Rewrite {
        using: String,
        lost: Option<String>,
    },
    /// Some values may not survive: rows for which `lost` is true.
    Convert {
        using: String,
        lost: String,
    },
    Refused(String),
}

/// A double holds every whole number up to this.
const EXACT_IN_DOUBLE: &str = "9007199254740992";

/// The change of a column, whose quoted name is `column` and whose new type in SQL is `sql_type`.
pub(crate) fn change(
    column: &str,
    (from, from_list): (&FieldKind, bool),
    (to, to_list): (&FieldKind, bool),
    sql_type: &str,
) -> Change {
    if from_list != to_list {
        return refused(from, from_list, to, to_list);
    }
    if from == to {
        return Change::None;
    }
    let is_native =
        |kind: &FieldKind| matches!(kind, FieldKind::Native(_) | FieldKind::NamedEnum { .. });
    if is_native(from) || is_native(to) {
        return native::change(column, (from, to), from_list, sql_type);
    }
    if from_list {
        return match (from, to) {
            (FieldKind::Text { max_length: old }, FieldKind::Text { max_length: new })
                if new.is_none_or(|new| old.is_some_and(|old| old <= new)) =>
            {
                rewrite(format!("{column}::{sql_type}"))
            }
            _ => refused(from, from_list, to, to_list),
        };
    }
    let cast = format!("{column}::{sql_type}");
    match (from, to) {
        (FieldKind::Text { max_length: old }, FieldKind::Text { max_length: new }) => match new {
            None => Change::Instant,
            Some(new) if old.is_some_and(|old| old <= *new) => Change::Instant,
            Some(new) => convert(cast, too_long(column, *new)),
        },
        (FieldKind::Text { .. }, _) => from_text(column, to, cast),
        (_, FieldKind::Text { max_length }) => to_text(column, from, *max_length),
        (FieldKind::Integer, FieldKind::Bigint)
        | (FieldKind::Integer, FieldKind::Float)
        | (FieldKind::Boolean, FieldKind::Integer) => rewrite(cast),
        (FieldKind::Bigint, FieldKind::Integer) => {
            convert(cast, format!("{column} NOT BETWEEN -2147483648 AND 2147483647"))
        }
        (FieldKind::Bigint, FieldKind::Float) => {
            convert(cast, format!("{column} NOT BETWEEN -{EXACT_IN_DOUBLE} AND {EXACT_IN_DOUBLE}"))
        }
        (FieldKind::Integer, FieldKind::Boolean) => {
            convert(cast, format!("{column} NOT IN (0, 1)"))
        }
        (
            FieldKind::Integer | FieldKind::Bigint | FieldKind::Decimal { .. } | FieldKind::Float,
            FieldKind::Decimal { precision },
        ) => to_decimal(column, from, *precision, sql_type),
        (FieldKind::Decimal { .. }, FieldKind::Float) => {
            convert(cast, not_a_double(&format!("{column}::pg_catalog.text"), column))
        }
        (FieldKind::Decimal { .. } | FieldKind::Float, FieldKind::Integer | FieldKind::Bigint) => {
            // 2^63 is the first double beyond a bigint; NaN is greater than everything.
            let (least, beyond) = if *to == FieldKind::Integer {
                ("-2147483648", "2147483648")
            } else {
                ("-9223372036854775808", "9223372036854775808")
            };
            convert(
                cast,
                format!(
                    "{column} < {least} OR {column} >= {beyond} OR {column} <> pg_catalog.trunc({column})"
                ),
            )
        }
        (FieldKind::Date, FieldKind::Timestamp) => Change::Rewrite {
            using: format!("{column}::pg_catalog.timestamp AT TIME ZONE 'UTC'"),
            lost: Some(format!(
                "{column} > '294276-12-31'::pg_catalog.date AND pg_catalog.isfinite({column})"
            )),
        },
        (FieldKind::Timestamp, FieldKind::Date) => convert(
            format!("({column} AT TIME ZONE 'UTC')::pg_catalog.date"),
            format!("pg_catalog.date_trunc('day', {column}, 'UTC') <> {column}"),
        ),
        _ => refused(from, false, to, false),
    }
}

/// A type with its length or digits, for messages.
pub(crate) fn describe(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Text { max_length: Some(length) } => format!("text of {length} characters"),
        FieldKind::Decimal { precision: Some((precision, scale)) } => {
            format!("decimal({precision},{scale})")
        }
        FieldKind::NamedEnum { .. } | FieldKind::Native(_) => native::name(kind),
        other => other.name().to_owned(),
    }
}

fn rewrite(using: String) -> Change {
    Change::Rewrite { using, lost: None }
}

fn convert(using: String, lost: String) -> Change {
    Change::Convert { using, lost }
}

fn too_long(expression: &str, length: u32) -> String {
    format!("pg_catalog.char_length({expression}) > {length}")
}

fn refused(from: &FieldKind, from_list: bool, to: &FieldKind, to_list: bool) -> Change {
    if let (FieldKind::Vector { dimensions: old }, FieldKind::Vector { dimensions: new }) =
        (from, to)
    {
        return Change::Refused(format!(
            "vectors of {old} dimensions do not become vectors of {new}: add a field for the new ones, \
             fill it, and drop this one"
        ));
    }
    let name = |kind: &FieldKind, list: bool| match list {
        true => format!("a list of {}", describe(kind)),
        false => describe(kind),
    };
    Change::Refused(format!(
        "{} does not become {}: add a field of the new type, fill it, and drop this one",
        name(from, from_list),
        name(to, to_list)
    ))
}

/// Text is read strictly: no value becomes NULL, none is guessed ("tomorrow" is a date to Postgres), and what was
/// written comes back: "01234" is a code, and 1234 is another one. Entries are read by the same rule (`scalar`).
fn from_text(column: &str, to: &FieldKind, cast: String) -> Change {
    let valid = |name: &str| format!("pg_catalog.pg_input_is_valid({column}, '{name}')");
    let matches = |pattern: &str| format!("{column} ~ '^{pattern}$'");
    // Seconds end at 59: 60 and 24:00 are other times in Postgres.
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?";
    let whole = "(0|-?[1-9][0-9]*)";
    let accepted = match to {
        FieldKind::Integer => format!("{} AND {}", matches(whole), valid("integer")),
        FieldKind::Bigint => format!("{} AND {}", matches(whole), valid("bigint")),
        FieldKind::Boolean => format!("{column} IN ('true', 'false')"),
        FieldKind::Date => {
            format!("{} AND {}", matches("[0-9]{4}-[0-9]{2}-[0-9]{2}"), valid("date"))
        }
        FieldKind::Time => format!("{} AND {}", matches(clock), valid("time")),
        FieldKind::Timestamp => format!(
            "{} AND {}",
            matches(&format!(
                "[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{clock}((Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?))?)?"
            )),
            valid("timestamp with time zone")
        ),
        // Large or small digits are one UUID to everybody; braces, and no hyphens, are Postgres'.
        FieldKind::Uuid => {
            matches("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
        }
        // Of a key that is given twice, jsonb keeps one value.
        FieldKind::Json => {
            format!("{} AND {column} IS JSON WITH UNIQUE KEYS", valid("jsonb"))
        }
        FieldKind::Decimal { precision } => {
            let accepted = format!("{} AND {}", is_decimal(column), valid("numeric"));
            let lost = match precision {
                None => format!("NOT ({accepted})"),
                // Zeros are added up to the scale, and none is taken away.
                Some((precision, scale)) => format!(
                    "CASE WHEN {accepted} THEN pg_catalog.scale({column}::pg_catalog.numeric) > {scale} OR {} \
                     ELSE true END",
                    does_not_fit(&format!("{column}::pg_catalog.numeric"), (*precision, *scale))
                ),
            };
            return convert(cast, lost);
        }
        FieldKind::Float => {
            // As a float is printed; or its digits, all of them, where it is printed with an exponent.
            let printed = format!("({column}::pg_catalog.float8)::pg_catalog.text");
            return convert(
                cast,
                format!(
                    "CASE WHEN {} AND {column} !~ '^-[0.]*$' AND {} AND {} THEN {printed} <> {column} AND ({} \
                     OR {column}::pg_catalog.numeric <> pg_catalog.trim_scale({printed}::pg_catalog.numeric) \
                     OR pg_catalog.scale({column}::pg_catalog.numeric) > \
                        pg_catalog.scale(pg_catalog.trim_scale({printed}::pg_catalog.numeric))) ELSE true END",
                    matches("-?(0|[1-9][0-9]*)([.][0-9]+)?(e[+-][0-9]{1,3})?"),
                    valid("numeric"),
                    valid("double precision"),
                    matches(".*e.*"),
                ),
            );
        }
        _ => return refused(&FieldKind::Text { max_length: None }, false, to, false),
    };
    convert(cast, format!("NOT ({accepted})"))
}

/// Whether a text is a decimal as it is printed. Nothing is below zero and has no digit but zeros.
fn is_decimal(column: &str) -> String {
    format!("{column} ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?$' AND {column} !~ '^-[0.]*$'")
}

fn to_text(column: &str, from: &FieldKind, max_length: Option<u32>) -> Change {
    match from {
        FieldKind::Bytes | FieldKind::Vector { .. } => {
            refused(from, false, &FieldKind::Text { max_length }, false)
        }
        _ => {
            let using = format!("{column}::pg_catalog.text");
            match max_length {
                None => rewrite(using),
                Some(length) => {
                    let lost = too_long(&using, length);
                    convert(using, lost)
                }
            }
        }
    }
}

/// Whether a number, given as text and as numeric, is beyond the doubles or would change its digits.
fn not_a_double(text: &str, number: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.pg_input_is_valid({text}, 'double precision') \
         THEN ({text}::pg_catalog.float8)::pg_catalog.text::pg_catalog.numeric <> {number} \
         ELSE true END"
    )
}

/// Whether a numeric would be rounded or overflow; NaN and infinity do not fit either.
fn does_not_fit(number: &str, (precision, scale): (u16, u16)) -> String {
    format!(
        "pg_catalog.round({number}, {scale}) <> {number} OR pg_catalog.abs({number}) >= 1e{}::pg_catalog.numeric",
        precision - scale
    )
}

fn to_decimal(
    column: &str,
    from: &FieldKind,
    precision: Option<(u16, u16)>,
    sql_type: &str,
) -> Change {
    // A double's own decimal digits, and not the fifteen that the cast to numeric keeps.
    let number = match from {
        FieldKind::Float => format!("{column}::pg_catalog.text::pg_catalog.numeric"),
        FieldKind::Decimal { .. } => column.to_owned(),
        _ => format!("{column}::pg_catalog.numeric"),
    };
    let using = format!("{number}::{sql_type}");
    let Some((new_precision, new_scale)) = precision else {
        return match from {
            FieldKind::Decimal { .. } => Change::Instant,
            FieldKind::Float => {
                convert(using, format!("{column} IN ('NaN', 'Infinity', '-Infinity')"))
            }
            _ => rewrite(using),
        };
    };
    // Digits before and behind the point that every old value fits into.
    let needed = match from {
        FieldKind::Integer => Some((10, 0)),
        FieldKind::Bigint => Some((19, 0)),
        FieldKind::Decimal { precision: Some((precision, scale)) } => {
            Some((precision - scale, *scale))
        }
        _ => None,
    };
    match needed {
        Some((whole, fraction)) if whole <= new_precision - new_scale && fraction <= new_scale => {
            if matches!(from, FieldKind::Decimal { .. }) && fraction == new_scale {
                Change::Instant
            } else {
                rewrite(using)
            }
        }
        _ => convert(using, does_not_fit(&number, (new_precision, new_scale))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(from: &FieldKind, to: &FieldKind) -> &'static str {
        match change("\"x\"", (from, false), (to, false), "t") {
            Change::None => "none",
            Change::Instant => "instant",
            Change::Rewrite { .. } => "rewrite",
            Change::Convert { .. } => "convert",
            Change::Refused(_) => "refused",
        }
    }

    #[test]
    fn changes_have_the_class_they_cost() {
        let text = |max_length| FieldKind::Text { max_length };
        let decimal = |precision| FieldKind::Decimal { precision };
        for (from, to, expected) in [
            (text(Some(10)), text(Some(20)), "instant"),
            (text(Some(10)), text(None), "instant"),
            (text(Some(20)), text(Some(10)), "convert"),
            (decimal(Some((10, 2))), decimal(Some((12, 2))), "instant"),
            (decimal(Some((10, 2))), decimal(None), "instant"),
            (decimal(Some((10, 2))), decimal(Some((12, 4))), "rewrite"),
            (decimal(Some((10, 2))), decimal(Some((10, 4))), "convert"),
            (decimal(None), decimal(Some((10, 4))), "convert"),
            (FieldKind::Integer, FieldKind::Bigint, "rewrite"),
            (FieldKind::Bigint, FieldKind::Integer, "convert"),
            (FieldKind::Integer, decimal(Some((10, 0))), "rewrite"),
            (FieldKind::Integer, decimal(Some((10, 1))), "convert"),
            (text(None), FieldKind::Integer, "convert"),
            (FieldKind::Integer, text(None), "rewrite"),
            (FieldKind::Integer, text(Some(5)), "convert"),
            (FieldKind::Date, FieldKind::Timestamp, "rewrite"),
            (FieldKind::Timestamp, FieldKind::Date, "convert"),
            (FieldKind::Vector { dimensions: 3 }, FieldKind::Vector { dimensions: 4 }, "refused"),
            (FieldKind::Json, FieldKind::Integer, "refused"),
            (FieldKind::Uuid, FieldKind::Integer, "refused"),
            (FieldKind::Date, FieldKind::Date, "none"),
        ] {
            assert_eq!(class(&from, &to), expected, "{from:?} to {to:?}");
        }
    }
}
