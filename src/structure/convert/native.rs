//! Changes from and to the types that only the tables of blueprints have: native types and named enums.
//!
//! A type is told here by the name that the catalog has for it. What Postgres carries over without a loss is done so;
//! whatever may be lost is looked for; what is left is refused.

use super::{Change, convert, describe, does_not_fit, refused, rewrite, too_long};
use crate::field_types::kind::FieldKind;
use crate::ident::quote_literal;

/// A type by its name in the catalog.
struct Type<'t> {
    /// Of an extension or of somebody.
    schema: Option<&'t str>,
    name: &'t str,
    /// The first number in parentheses.
    modifier: Option<u32>,
    is_enum: bool,
}

impl<'t> Type<'t> {
    fn of(kind: &'t FieldKind) -> Self {
        let plain = |name| Type { schema: None, name, modifier: None, is_enum: false };
        match kind {
            FieldKind::Text { max_length: None } | FieldKind::Enum { .. } => plain("text"),
            FieldKind::Text { max_length } => Type { modifier: *max_length, ..plain("varchar") },
            FieldKind::Integer => plain("int4"),
            FieldKind::Bigint | FieldKind::Reference { .. } => plain("int8"),
            FieldKind::Decimal { .. } => plain("numeric"),
            FieldKind::Float => plain("float8"),
            FieldKind::Boolean => plain("bool"),
            FieldKind::Date => plain("date"),
            FieldKind::Time => plain("time"),
            FieldKind::Timestamp => plain("timestamptz"),
            FieldKind::Uuid => plain("uuid"),
            FieldKind::Json => plain("jsonb"),
            FieldKind::Bytes => plain("bytea"),
            FieldKind::Vector { .. } => plain("vector"),
            FieldKind::NamedEnum { schema, name } => {
                Type { schema: Some(schema), name, modifier: None, is_enum: true }
            }
            FieldKind::Native(native) => Type {
                schema: native.schema.as_deref(),
                name: &native.name,
                modifier: native.modifiers.first().and_then(|text| text.parse().ok()),
                is_enum: false,
            },
        }
    }

    fn is_text(&self) -> bool {
        matches!(self.name, "text" | "varchar" | "bpchar" | "citext") && !self.is_enum
    }
}

/// The change of a column whose old or new type is one of these. `column` is its quoted name.
pub(super) fn change(
    column: &str,
    (from, to): (&FieldKind, &FieldKind),
    list: bool,
    sql_type: &str,
) -> Change {
    let (old, new) = (Type::of(from), Type::of(to));
    let cannot = || refused(from, list, to, list);
    let cast = format!("{column}::{sql_type}");
    if list {
        return of_lists(column, &old, &new, sql_type, cast).unwrap_or_else(cannot);
    }
    let found = match (old.is_text(), new.is_text()) {
        (true, true) => Some(between_texts(column, &old, &new, cast)),
        (true, false) => from_text(column, &new, sql_type, cast),
        (false, true) => to_text(column, &old, &new, sql_type),
        (false, false) if old.is_enum && new.is_enum => Some(convert(
            format!("{column}::pg_catalog.text::{sql_type}"),
            not_valid(&format!("{column}::pg_catalog.text"), sql_type),
        )),
        (false, false) if old.is_enum || new.is_enum => None,
        (false, false) => numbers(column, &old, &new, to, &cast)
            .or_else(|| times(column, &old, &new, sql_type, &cast))
            .or_else(|| others(column, &old, &new, &cast)),
    };
    found.unwrap_or_else(cannot)
}

fn not_valid(text: &str, sql_type: &str) -> String {
    format!("NOT pg_catalog.pg_input_is_valid({text}, {})", quote_literal(sql_type))
}

fn between_texts(column: &str, old: &Type<'_>, new: &Type<'_>, cast: String) -> Change {
    let length = |bytes: &Type<'_>| match (bytes.name, bytes.modifier) {
        ("varchar" | "bpchar", length) => length,
        _ => None,
    };
    // The blanks behind it are none of the value of a char.
    let value = match old.name {
        "bpchar" => format!("pg_catalog.rtrim({column}::pg_catalog.text, ' ')"),
        _ => format!("{column}::pg_catalog.text"),
    };
    let fits = match (length(old), length(new)) {
        (_, None) => true,
        (Some(old), Some(new)) => old <= new,
        (None, Some(_)) => false,
    };
    let loses_blanks = format!("{value} <> pg_catalog.rtrim({value}, ' ')");
    match (old.name, new.name) {
        // They are stored alike.
        ("text" | "varchar" | "citext", "text" | "varchar" | "citext") if fits => Change::Instant,
        ("bpchar", "bpchar") if fits => rewrite(cast),
        ("bpchar", _) if fits => rewrite(format!("{value}::{}", cast_type(&cast, column))),
        (_, "bpchar") if fits && old.name != "bpchar" => convert(cast, loses_blanks),
        (_, new_name) => {
            let long = too_long(&value, new.modifier.unwrap_or_default());
            let lost = match (old.name, new_name) {
                ("bpchar", _) => long,
                (_, "bpchar") => format!("{long} OR {loses_blanks}"),
                _ => long,
            };
            convert(format!("{value}::{}", cast_type(&cast, column)), lost)
        }
    }
}

/// The type that a cast of the column leads to.
fn cast_type<'c>(cast: &'c str, column: &str) -> &'c str {
    cast.strip_prefix(column).and_then(|rest| rest.strip_prefix("::")).unwrap_or(cast)
}

/// What was written comes back, or the value is not taken.
fn from_text(column: &str, new: &Type<'_>, sql_type: &str, cast: String) -> Option<Change> {
    let text = format!("{column}::pg_catalog.text");
    if new.is_enum {
        return Some(convert(format!("{text}::{sql_type}"), not_valid(&text, sql_type)));
    }
    // Of other types nobody knows whether they read a wrong text without an error.
    let reads = matches!(
        new.name,
        "int2"
            | "int4"
            | "int8"
            | "float4"
            | "oid"
            | "inet"
            | "cidr"
            | "macaddr"
            | "bit"
            | "varbit"
            | "timestamp"
            | "timestamptz"
            | "time"
            | "timetz"
            | "json"
            | "uuid"
            | "bool"
            | "date"
            | "numeric"
            | "float8"
            | "jsonb"
    );
    if new.schema.is_some() || !reads {
        return None;
    }
    let written = match new.name {
        "timestamp" | "timestamptz" => format!("pg_catalog.replace({text}, 'T', ' ')"),
        _ => text.clone(),
    };
    let again = match new.name {
        "json" => return Some(convert(cast, not_valid(&text, sql_type))),
        // They are printed with a netmask by the cast, and without by the type.
        "inet" => format!("pg_catalog.format('%s', {text}::{sql_type})"),
        "timestamptz" => format!("({text}::{sql_type} AT TIME ZONE 'UTC')::pg_catalog.text"),
        _ => format!("{text}::{sql_type}::pg_catalog.text"),
    };
    Some(convert(
        format!("{text}::{sql_type}"),
        format!("CASE WHEN {} THEN true ELSE {again} <> {written} END", not_valid(&text, sql_type)),
    ))
}

fn to_text(column: &str, old: &Type<'_>, new: &Type<'_>, sql_type: &str) -> Option<Change> {
    if old.schema.is_some() && !old.is_enum || matches!(old.name, "bytea" | "vector") {
        return None;
    }
    let text = match old.name {
        "inet" => format!("pg_catalog.format('%s', {column})"),
        // The sign of a currency is the locale's.
        "money" => format!("{column}::pg_catalog.numeric::pg_catalog.text"),
        _ => format!("{column}::pg_catalog.text"),
    };
    let using = format!("{text}::{sql_type}");
    Some(match (new.name, new.modifier) {
        ("varchar" | "bpchar", Some(length)) => convert(using, too_long(&text, length)),
        _ => rewrite(using),
    })
}

fn numbers(
    column: &str,
    old: &Type<'_>,
    new: &Type<'_>,
    to: &FieldKind,
    cast: &str,
) -> Option<Change> {
    let width = |name: &str| match name {
        "int2" => Some(2),
        "oid" => Some(5),
        "int4" => Some(4),
        "int8" => Some(8),
        _ => None,
    };
    let range = |name: &str| match name {
        "int2" => "-32768 AND 32767",
        "int4" => "-2147483648 AND 2147483647",
        _ => "0 AND 4294967295",
    };
    let cast = cast.to_owned();
    Some(match (old.name, new.name) {
        ("oid", "int4") => convert(cast, format!("{column}::pg_catalog.int8 > 2147483647")),
        ("oid", "int2") => return None,
        ("int2", "oid") => return None,
        ("int4", "oid") => convert(cast, format!("{column} < 0")),
        (from, into) if width(from).is_some() && width(into).is_some() => {
            if width(from) < width(into) {
                rewrite(cast)
            } else {
                convert(cast, format!("{column}::pg_catalog.int8 NOT BETWEEN {}", range(into)))
            }
        }
        ("int2", "float4" | "float8") | ("int4", "float8") => rewrite(cast),
        // The digits that were written, and not those of the nearest sum of powers of two: 0.1 stays 0.1, and goes back.
        ("float4", "float8") => rewrite(format!("{column}::pg_catalog.text::pg_catalog.float8")),
        ("int4" | "int8", "float4") => {
            convert(cast, format!("{column} NOT BETWEEN -16777216 AND 16777216"))
        }
        ("float8" | "numeric", "float4") => convert(
            cast,
            format!(
                "CASE WHEN pg_catalog.pg_input_is_valid({column}::pg_catalog.text, 'real') THEN \
                 {column}::pg_catalog.text::pg_catalog.float4::pg_catalog.text::pg_catalog.numeric <> \
                 {column}::pg_catalog.text::pg_catalog.numeric ELSE true END"
            ),
        ),
        ("float4" | "float8" | "numeric", "int2") => {
            // A numeric has digits that a double has not.
            let exact = match old.name {
                "numeric" => column.to_owned(),
                _ => format!("{column}::pg_catalog.float8"),
            };
            convert(
                cast,
                format!(
                    "{column} < -32768 OR {column} >= 32768 OR {exact} <> pg_catalog.trunc({exact})"
                ),
            )
        }
        ("float4", "int4" | "int8") => {
            let beyond = if new.name == "int4" { "2147483648" } else { "9223372036854775808" };
            convert(
                cast,
                format!(
                    "{column} < -{beyond} OR {column} >= {beyond} OR {column}::pg_catalog.float8 <> \
                     pg_catalog.trunc({column}::pg_catalog.float8)"
                ),
            )
        }
        ("int2" | "float4" | "money", "numeric") => {
            let number = match old.name {
                "float4" => format!("{column}::pg_catalog.text::pg_catalog.numeric"),
                _ => format!("{column}::pg_catalog.numeric"),
            };
            let using = format!("{number}::{}", cast_type(&cast, column));
            match (old.name, to) {
                ("float4", FieldKind::Decimal { precision: None }) => {
                    convert(using, format!("{column} IN ('NaN', 'Infinity', '-Infinity')"))
                }
                (_, FieldKind::Decimal { precision: Some(digits) }) => {
                    convert(using, does_not_fit(&number, *digits))
                }
                _ => rewrite(using),
            }
        }
        _ => return None,
    })
}

fn times(
    column: &str,
    old: &Type<'_>,
    new: &Type<'_>,
    sql_type: &str,
    cast: &str,
) -> Option<Change> {
    // Without a number there are six digits behind the second.
    let digits = |time: &Type<'_>| time.modifier.unwrap_or(6).min(6);
    let narrower = digits(new) < digits(old);
    let cast = cast.to_owned();
    let change = |using: String| {
        if narrower {
            let whole = sql_type.split('(').next().unwrap_or(sql_type);
            let full = using.replace(sql_type, whole);
            convert(using.clone(), format!("{using} <> {full}"))
        } else {
            rewrite(using)
        }
    };
    Some(match (old.name, new.name) {
        ("timestamp", "timestamp")
        | ("timestamptz", "timestamptz")
        | ("time", "time")
        | ("timetz", "timetz") => {
            if narrower {
                convert(cast.clone(), format!("{cast} <> {column}"))
            } else {
                Change::Instant
            }
        }
        ("timestamp", "timestamptz") | ("timestamptz", "timestamp") => {
            change(format!("({column} AT TIME ZONE 'UTC')::{sql_type}"))
        }
        ("date", "timestamp" | "timestamptz") => Change::Rewrite {
            using: match new.name {
                "timestamp" => cast,
                _ => format!("({column}::pg_catalog.timestamp AT TIME ZONE 'UTC')::{sql_type}"),
            },
            lost: Some(format!(
                "{column} > '294276-12-31'::pg_catalog.date AND pg_catalog.isfinite({column})"
            )),
        },
        ("timestamp", "date") => {
            convert(cast, format!("pg_catalog.date_trunc('day', {column}) <> {column}"))
        }
        ("timestamptz", "date") => convert(
            format!("({column} AT TIME ZONE 'UTC')::pg_catalog.date"),
            format!("pg_catalog.date_trunc('day', {column}, 'UTC') <> {column}"),
        ),
        _ => return None,
    })
}

fn others(column: &str, old: &Type<'_>, new: &Type<'_>, cast: &str) -> Option<Change> {
    let cast = cast.to_owned();
    Some(match (old.name, new.name) {
        ("jsonb", "json") => rewrite(cast),
        // Of a key that is given twice, jsonb keeps one value.
        ("json", "jsonb") => convert(
            cast,
            format!(
                "NOT ({column} IS JSON WITH UNIQUE KEYS) OR \
                 NOT pg_catalog.pg_input_is_valid({column}::pg_catalog.text, 'jsonb')"
            ),
        ),
        ("cidr", "inet") => Change::Instant,
        ("inet", "cidr") => convert(
            cast,
            format!("NOT pg_catalog.pg_input_is_valid(pg_catalog.format('%s', {column}), 'cidr')"),
        ),
        ("bit" | "varbit", "bit" | "varbit") => {
            let (old_length, new_length) = (old.modifier, new.modifier);
            let any_length = new.name == "varbit" && new_length.is_none();
            let grows =
                new.name == "varbit" && old_length.zip(new_length).is_some_and(|(a, b)| a <= b);
            if any_length || grows {
                rewrite(cast)
            } else {
                let length = new_length.unwrap_or(1);
                let op = if new.name == "bit" { "<>" } else { ">" };
                convert(cast, format!("pg_catalog.length({column}) {op} {length}"))
            }
        }
        _ => return None,
    })
}

/// Lists change where each element does without a condition, or where it is looked at as a text.
fn of_lists(
    column: &str,
    old: &Type<'_>,
    new: &Type<'_>,
    sql_type: &str,
    cast: String,
) -> Option<Change> {
    let element = sql_type.strip_suffix("[]").unwrap_or(sql_type);
    let any = |condition: String| {
        format!("EXISTS (SELECT FROM pg_catalog.unnest({column}) AS e (value) WHERE {condition})")
    };
    Some(match (old.is_text() || old.is_enum, new) {
        (true, new) if new.is_enum => convert(
            format!("{column}::pg_catalog.text[]::{sql_type}"),
            any(format!(
                "e.value IS NOT NULL AND {}",
                not_valid("e.value::pg_catalog.text", element)
            )),
        ),
        (true, new) if new.is_text() => match (new.name, new.modifier) {
            ("bpchar", _) => return None,
            ("varchar", Some(length)) => convert(
                format!("{column}::pg_catalog.text[]::{sql_type}"),
                any(too_long("e.value::pg_catalog.text", length)),
            ),
            _ if old.is_enum => rewrite(format!("{column}::pg_catalog.text[]::{sql_type}")),
            _ => rewrite(cast),
        },
        (false, new) => match (old.name, new.name) {
            ("int2", "int4" | "int8") | ("int4", "int8") => rewrite(cast),
            ("timestamp", "timestamp") | ("timestamptz", "timestamptz")
                if new.modifier.unwrap_or(6) >= old.modifier.unwrap_or(6) =>
            {
                rewrite(cast)
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// A native type with its modifiers, as documents call it, for messages.
pub(super) fn name(kind: &FieldKind) -> String {
    match kind {
        FieldKind::NamedEnum { schema, name } => format!("the enum {schema}.{name}"),
        FieldKind::Native(native) => {
            let word = match (native.schema.as_deref(), native.name.as_str()) {
                (None, "int2") => "smallint",
                (None, "float4") => "real",
                (None, "bpchar") => "char",
                (None, "timestamptz") => "timestamp with zone",
                (_, name) => name,
            };
            match native.modifiers.as_slice() {
                [] => word.to_owned(),
                modifiers => format!("{word}({})", modifiers.join(",")),
            }
        }
        other => describe(other),
    }
}

#[cfg(test)]
mod tests;
