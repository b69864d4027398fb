//! The types that blueprints have beside those of entry structures: words of the document to types of the catalog,
//! and back.

use crate::field_types::kind::{FieldKind, NativeType};
use crate::ident::quote;
use crate::json::Json;
use crate::structure::document::field::{MAX_LENGTH, read_type};
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::print::Pairs;

/// All words, in the order of the documentation.
pub(super) const WORDS: [&str; 28] = [
    "text",
    "integer",
    "bigint",
    "decimal",
    "float",
    "boolean",
    "date",
    "time",
    "timestamp",
    "uuid",
    "json",
    "bytes",
    "enum",
    "reference",
    "vector",
    "smallint",
    "real",
    "char",
    "varchar",
    "citext",
    "money",
    "inet",
    "cidr",
    "oid",
    "bit",
    "varbit",
    "xml",
    "native",
];

/// The schema of a type or operator class that lies wherever its extension was put.
pub(crate) const OF_EXTENSION: &str = "";

/// The longest `bit` and `varbit`.
const MAX_BITS: u32 = 83_886_080;
/// Digits of a second.
const MAX_PRECISION: u32 = 6;

/// Types of `pg_catalog` that no other word stands for.
const CATALOG: [&str; 40] = [
    "bit",
    "box",
    "bpchar",
    "char",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "inet",
    "int2",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsquery",
    "tsrange",
    "tsvector",
    "varbit",
];
const MORE_CATALOG: [&str; 6] =
    ["tsmultirange", "tstzmultirange", "tstzrange", "varchar", "xid8", "xml"];

fn native(name: &str, modifier: Option<u32>) -> FieldKind {
    FieldKind::Native(NativeType {
        schema: None,
        name: name.to_owned(),
        modifiers: modifier.iter().map(u32::to_string).collect(),
    })
}

/// Reads the type that a word begins; `enum` and `reference` look into the rest of the document, and are read there.
pub(super) fn read(
    word: &'static str,
    keys: &mut Keys<'_>,
    problems: &mut Problems,
) -> Option<FieldKind> {
    Some(match word {
        "timestamp" | "time" => {
            let zone = keys.flag("zone", word == "timestamp", problems);
            match (word, zone, keys.number("precision", 0..=MAX_PRECISION, problems)) {
                ("timestamp", true, None) => FieldKind::Timestamp,
                ("time", false, None) => FieldKind::Time,
                ("timestamp", true, precision) => native("timestamptz", precision),
                ("time", true, precision) => native("timetz", precision),
                (word, false, precision) => native(word, precision),
                _ => return None,
            }
        }
        "json" if !keys.flag("binary", true, problems) => native("json", None),
        "smallint" => native("int2", None),
        "real" => native("float4", None),
        "char" => {
            native("bpchar", Some(keys.number("length", 1..=MAX_LENGTH, problems).unwrap_or(1)))
        }
        "varchar" => match keys.number("max_length", 1..=MAX_LENGTH, problems) {
            None => native("varchar", None),
            max_length => FieldKind::Text { max_length },
        },
        "bit" => native("bit", Some(keys.number("length", 1..=MAX_BITS, problems).unwrap_or(1))),
        "varbit" => native("varbit", keys.number("length", 1..=MAX_BITS, problems)),
        "money" | "inet" | "cidr" | "oid" | "xml" => native(word, None),
        "citext" => of_extension("citext", Vec::new()),
        "native" => {
            let text = keys.text("sql_type", problems);
            if text.is_none() && keys.take("sql_type").is_none() {
                problems
                    .add(keys.at("sql_type"), "is missing: the name of a type, as SQL spells it");
            }
            match parse(&text?) {
                Ok(kind) => kind,
                Err(problem) => {
                    problems.add(keys.at("sql_type"), problem);
                    return None;
                }
            }
        }
        other => return read_type(other, keys, problems),
    })
}

fn of_extension(name: &str, modifiers: Vec<String>) -> FieldKind {
    let schema = Some(OF_EXTENSION.to_owned());
    FieldKind::Native(NativeType { schema, name: name.to_owned(), modifiers })
}

/// A type by its name: `[schema.]name[(modifiers)]`.
pub(super) fn parse(text: &str) -> Result<FieldKind, String> {
    let wrong = || {
        "must be [schema.]name[(modifiers)], such as geometry(Point,4326); a list is said by \"list\""
            .to_owned()
    };
    let text = text.trim();
    let (first, rest) = name(text).ok_or_else(wrong)?;
    let (schema, type_name, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (second, rest) = name(rest).ok_or_else(wrong)?;
            (Some(first), second, rest)
        }
        None => (None, first, rest),
    };
    let (modifiers, rest) = match rest.trim_start().strip_prefix('(') {
        Some(rest) => {
            let (inside, rest) = rest.split_once(')').ok_or_else(wrong)?;
            let modifiers: Vec<String> =
                inside.split(',').map(|modifier| modifier.trim().to_owned()).collect();
            let plain = |modifier: &String| {
                !modifier.is_empty()
                    && modifier.len() <= 63
                    && modifier.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            };
            if !modifiers.iter().all(plain) {
                return Err(wrong());
            }
            (modifiers, rest.trim())
        }
        None => (Vec::new(), rest.trim()),
    };
    let tail = rest.to_ascii_lowercase();
    let type_name = match tail.as_str() {
        "" => type_name,
        "with time zone" | "without time zone" if schema.is_none() => {
            Name { text: format!("{} {tail}", type_name.text), quoted: false }
        }
        _ => return Err(wrong()),
    };
    for name in schema.iter().chain([&type_name]) {
        if let Some(problem) = super::names::problem_with_sql_name(&name.text) {
            return Err(format!("\"{}\": {problem}", crate::json::shorten(&name.text)));
        }
    }
    match schema {
        None if !type_name.quoted => {
            if let Some(kind) = by_sql_name(&type_name.text, &modifiers)? {
                return Ok(kind);
            }
            Ok(of_extension(&type_name.text, modifiers))
        }
        None => Ok(of_extension(&type_name.text, modifiers)),
        Some(schema) if schema.text == "pg_catalog" => {
            by_catalog_name(&type_name.text, &modifiers)?.ok_or_else(|| {
                format!("pg_catalog has no type \"{}\" that fields have", type_name.text)
            })
        }
        Some(schema) => Ok(FieldKind::Native(NativeType {
            schema: Some(schema.text),
            name: type_name.text,
            modifiers,
        })),
    }
}

struct Name {
    text: String,
    quoted: bool,
}

/// The name that a text begins with, as SQL reads it, and what follows.
fn name(text: &str) -> Option<(Name, &str)> {
    if let Some(mut rest) = text.strip_prefix('"') {
        let mut name = String::new();
        loop {
            let (part, after) = rest.split_once('"')?;
            name.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return Some((Name { text: name, quoted: true }, after)),
            }
        }
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || c == ' '))
        .unwrap_or(text.len());
    let (bare, rest) = text.split_at(end);
    let bare = bare.trim();
    let begins = bare.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let words: Vec<&str> = bare.split_whitespace().collect();
    begins.then(|| (Name { text: words.join(" ").to_ascii_lowercase(), quoted: false }, rest))
}

/// A type by a name that SQL has for it without a schema. A length that is left out is 1 where SQL says so.
fn by_sql_name(name: &str, modifiers: &[String]) -> Result<Option<FieldKind>, String> {
    let catalog = match name {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "decimal" => "numeric",
        "real" => "float4",
        "float" | "double precision" => "float8",
        "boolean" => "bool",
        "character varying" | "char varying" => "varchar",
        "bit varying" => "varbit",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "char" | "character" => {
            let one = ["1".to_owned()];
            return by_catalog_name("bpchar", if modifiers.is_empty() { &one } else { modifiers });
        }
        "bit" if modifiers.is_empty() => return by_catalog_name("bit", &["1".to_owned()]),
        "vector" => {
            return match modifiers {
                [dimensions] => {
                    let dimensions = dimensions.parse().ok().filter(|n| (1..=16_000).contains(n));
                    let dimensions = dimensions.ok_or("a vector has 1 to 16000 dimensions")?;
                    Ok(Some(FieldKind::Vector { dimensions }))
                }
                // Without dimensions a vector has no index.
                [] => Ok(None),
                _ => Err("vector takes one number in parentheses".to_owned()),
            };
        }
        name if name.contains(' ') => return Err(format!("SQL has no type \"{name}\"")),
        name => name,
    };
    by_catalog_name(catalog, modifiers)
}

/// A type by its name in `pg_catalog`; `None` where no such type is known.
fn by_catalog_name(name: &str, modifiers: &[String]) -> Result<Option<FieldKind>, String> {
    let number = |range: std::ops::RangeInclusive<u32>| match modifiers {
        [] => Ok(None),
        [one] => match one.parse::<u32>().ok().filter(|n| range.contains(n)) {
            Some(n) => Ok(Some(n)),
            None => {
                Err(format!("must be a number from {} to {}: {one}", range.start(), range.end()))
            }
        },
        _ => Err(format!("{name} takes one number in parentheses")),
    };
    let bare = |kind| match modifiers {
        [] => Ok(Some(kind)),
        _ => Err(format!("{name} takes no parentheses")),
    };
    match name {
        "int4" => bare(FieldKind::Integer),
        "int8" => bare(FieldKind::Bigint),
        "float8" => bare(FieldKind::Float),
        "bool" => bare(FieldKind::Boolean),
        "date" => bare(FieldKind::Date),
        "uuid" => bare(FieldKind::Uuid),
        "jsonb" => bare(FieldKind::Json),
        "bytea" => bare(FieldKind::Bytes),
        "text" => bare(FieldKind::Text { max_length: None }),
        "numeric" => {
            let digits: Option<Vec<u16>> = modifiers.iter().map(|n| n.parse().ok()).collect();
            match digits.as_deref() {
                Some([]) => Ok(Some(FieldKind::Decimal { precision: None })),
                Some([precision @ 1..=1000]) => {
                    Ok(Some(FieldKind::Decimal { precision: Some((*precision, 0)) }))
                }
                Some([precision @ 1..=1000, scale]) if scale <= precision => {
                    Ok(Some(FieldKind::Decimal { precision: Some((*precision, *scale)) }))
                }
                _ => Err("numeric takes a precision from 1 to 1000 and a scale of at most that"
                    .to_owned()),
            }
        }
        "varchar" => Ok(Some(match number(1..=MAX_LENGTH)? {
            None => native(name, None),
            max_length => FieldKind::Text { max_length },
        })),
        "bpchar" => Ok(Some(native(name, number(1..=MAX_LENGTH)?))),
        "bit" | "varbit" => Ok(Some(native(name, number(1..=MAX_BITS)?))),
        "timestamptz" if modifiers.is_empty() => Ok(Some(FieldKind::Timestamp)),
        "time" if modifiers.is_empty() => Ok(Some(FieldKind::Time)),
        "timestamp" | "timestamptz" | "time" | "timetz" => {
            Ok(Some(native(name, number(0..=MAX_PRECISION)?)))
        }
        "interval" => Ok(Some(native(name, number(0..=MAX_PRECISION)?))),
        _ if CATALOG.contains(&name) || MORE_CATALOG.contains(&name) => bare(native(name, None)),
        _ => Ok(None),
    }
}

/// What a document says of a type.
pub(super) fn print(
    pairs: &mut Pairs,
    kind: &FieldKind,
    enum_name: &dyn Fn(&str, &str) -> Option<String>,
) {
    let mut word = |word: &str| pairs.add("type", Json::string(word));
    match kind {
        FieldKind::NamedEnum { schema, name } => match enum_name(schema, name) {
            Some(name) => {
                word("enum");
                pairs.add("enum", Json::string(name));
            }
            None => {
                word("native");
                pairs.add("sql_type", Json::String(crate::ident::qualified(schema, name)));
            }
        },
        FieldKind::Native(native) => print_native(pairs, native),
        kind => {
            word(kind.name());
            match kind {
                FieldKind::Text { max_length: Some(length) } => {
                    pairs.add_number("max_length", length);
                }
                FieldKind::Decimal { precision: Some((precision, scale)) } => {
                    pairs.add_number("precision", precision);
                    pairs.add_number("scale", scale);
                }
                FieldKind::Vector { dimensions } => pairs.add_number("dimensions", dimensions),
                _ => {}
            }
        }
    }
}

fn print_native(pairs: &mut Pairs, native: &NativeType) {
    let has_length = !native.modifiers.is_empty();
    // The word, what it needs beside it, and the key of the number in parentheses.
    let (word, beside, number) = match (native.schema.as_deref(), native.name.as_str()) {
        (Some(OF_EXTENSION), "citext") if !has_length => ("citext", None, ""),
        (None, "int2") => ("smallint", None, ""),
        (None, "float4") => ("real", None, ""),
        (None, "bpchar") if has_length => ("char", None, "length"),
        (None, "bit") if has_length => ("bit", None, "length"),
        (None, "varbit") => ("varbit", None, "length"),
        (None, word @ ("varchar" | "money" | "inet" | "cidr" | "oid" | "xml")) => (word, None, ""),
        (None, "json") => ("json", Some(("binary", false)), ""),
        (None, "timestamptz") => ("timestamp", None, "precision"),
        (None, "time") => ("time", None, "precision"),
        (None, "timestamp") => ("timestamp", Some(("zone", false)), "precision"),
        (None, "timetz") => ("time", Some(("zone", true)), "precision"),
        _ => {
            pairs.add("type", Json::string("native"));
            pairs.add("sql_type", Json::String(spell(native)));
            return;
        }
    };
    pairs.add("type", Json::string(word));
    if let Some((key, value)) = beside {
        pairs.add(key, Json::Boolean(value));
    }
    if let [modifier] = native.modifiers.as_slice() {
        pairs.add_number(number, modifier);
    }
}

/// A type's name as [`parse`] reads it.
fn spell(native: &NativeType) -> String {
    let plain = |name: &str| {
        name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let shown = |name: &str| if plain(name) { name.to_owned() } else { quote(name) };
    let name = match native.schema.as_deref() {
        None => format!("pg_catalog.{}", shown(&native.name)),
        Some(OF_EXTENSION) if by_sql_name(&native.name, &native.modifiers) == Ok(None) => {
            shown(&native.name)
        }
        Some(OF_EXTENSION) => quote(&native.name),
        Some(schema) => format!("{}.{}", shown(schema), shown(&native.name)),
    };
    match native.modifiers.as_slice() {
        [] => name,
        modifiers => format!("{name}({})", modifiers.join(",")),
    }
}

/// The name in `pg_catalog.pg_type`; `None` for a type of an extension or of the blueprint.
pub(super) fn catalog_name(kind: &FieldKind) -> Option<&str> {
    Some(match kind {
        FieldKind::Text { max_length: None } | FieldKind::Enum { .. } => "text",
        FieldKind::Text { max_length: Some(_) } => "varchar",
        FieldKind::Integer => "int4",
        FieldKind::Bigint => "int8",
        FieldKind::Decimal { .. } => "numeric",
        FieldKind::Float => "float8",
        FieldKind::Boolean => "bool",
        FieldKind::Date => "date",
        FieldKind::Time => "time",
        FieldKind::Timestamp => "timestamptz",
        FieldKind::Uuid => "uuid",
        FieldKind::Json => "jsonb",
        FieldKind::Bytes => "bytea",
        FieldKind::NamedEnum { .. } => "anyenum",
        FieldKind::Native(NativeType { schema: None, name, .. }) => name,
        FieldKind::Native(_) | FieldKind::Vector { .. } | FieldKind::Reference { .. } => {
            return None;
        }
    })
}
