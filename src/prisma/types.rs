//! The types of fields: Prisma's own, the native types behind `@db.`, and `Unsupported("…")`, each as a
//! blueprint says it.

use crate::json::Json;

/// Prisma's own types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    String,
    Boolean,
    Int,
    BigInt,
    Float,
    Decimal,
    DateTime,
    Json,
    Bytes,
}

impl Scalar {
    pub(super) const ALL: [(&str, Self); 9] = [
        ("String", Self::String),
        ("Boolean", Self::Boolean),
        ("Int", Self::Int),
        ("BigInt", Self::BigInt),
        ("Float", Self::Float),
        ("Decimal", Self::Decimal),
        ("DateTime", Self::DateTime),
        ("Json", Self::Json),
        ("Bytes", Self::Bytes),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, scalar)| scalar)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, scalar)| *scalar == self).map_or("", |(name, _)| name)
    }

    /// The native type of a field that names none.
    pub(super) fn native(self) -> Native {
        let (kind, arguments) = match self {
            Self::String => (NativeKind::Text, vec![]),
            Self::Boolean => (NativeKind::Boolean, vec![]),
            Self::Int => (NativeKind::Integer, vec![]),
            Self::BigInt => (NativeKind::BigInt, vec![]),
            Self::Float => (NativeKind::DoublePrecision, vec![]),
            Self::Decimal => (NativeKind::Decimal, vec![65, 30]),
            Self::DateTime => (NativeKind::Timestamp, vec![3]),
            Self::Json => (NativeKind::JsonB, vec![]),
            Self::Bytes => (NativeKind::ByteA, vec![]),
        };
        Native { kind, arguments }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NativeKind {
    SmallInt,
    Integer,
    BigInt,
    Decimal,
    Money,
    Inet,
    Oid,
    Citext,
    Real,
    DoublePrecision,
    VarChar,
    Char,
    Text,
    ByteA,
    Timestamp,
    Timestamptz,
    Date,
    Time,
    Timetz,
    Boolean,
    Bit,
    VarBit,
    Uuid,
    Xml,
    Json,
    JsonB,
}

use NativeKind as N;

/// Name, kind, the type it goes with, and how many arguments it takes at most.
const NATIVE: [(&str, NativeKind, Scalar, usize); 26] = [
    ("SmallInt", N::SmallInt, Scalar::Int, 0),
    ("Integer", N::Integer, Scalar::Int, 0),
    ("BigInt", N::BigInt, Scalar::BigInt, 0),
    ("Decimal", N::Decimal, Scalar::Decimal, 2),
    ("Money", N::Money, Scalar::Decimal, 0),
    ("Inet", N::Inet, Scalar::String, 0),
    ("Oid", N::Oid, Scalar::Int, 0),
    ("Citext", N::Citext, Scalar::String, 0),
    ("Real", N::Real, Scalar::Float, 0),
    ("DoublePrecision", N::DoublePrecision, Scalar::Float, 0),
    ("VarChar", N::VarChar, Scalar::String, 1),
    ("Char", N::Char, Scalar::String, 1),
    ("Text", N::Text, Scalar::String, 0),
    ("ByteA", N::ByteA, Scalar::Bytes, 0),
    ("Timestamp", N::Timestamp, Scalar::DateTime, 1),
    ("Timestamptz", N::Timestamptz, Scalar::DateTime, 1),
    ("Date", N::Date, Scalar::DateTime, 0),
    ("Time", N::Time, Scalar::DateTime, 1),
    ("Timetz", N::Timetz, Scalar::DateTime, 1),
    ("Boolean", N::Boolean, Scalar::Boolean, 0),
    ("Bit", N::Bit, Scalar::String, 1),
    ("VarBit", N::VarBit, Scalar::String, 1),
    ("Uuid", N::Uuid, Scalar::String, 0),
    ("Xml", N::Xml, Scalar::String, 0),
    ("Json", N::Json, Scalar::Json, 0),
    ("JsonB", N::JsonB, Scalar::Json, 0),
];

/// A type of Postgres with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Native {
    pub(super) kind: NativeKind,
    pub(super) arguments: Vec<u32>,
}

impl Native {
    /// Reads `@db.Name(arguments)` on a field of a type.
    pub(super) fn read(name: &str, arguments: &[u32], scalar: Scalar) -> Result<Self, String> {
        let Some(&(_, kind, goes_with, most)) = NATIVE.iter().find(|native| native.0 == name)
        else {
            let names = NATIVE.map(|native| native.0);
            let hint = super::problem::meant(name, &names)
                .map_or_else(String::new, |meant| format!(": did you mean \"{meant}\"?"));
            return Err(format!("native type \"{name}\" is not one of PostgreSQL's{hint}"));
        };
        if goes_with != scalar {
            let (right, given) = (goes_with.name(), scalar.name());
            return Err(format!(
                "native type \"{name}\" is for fields of type {right}, not {given}"
            ));
        }
        let right = match most {
            2 => matches!(arguments.len(), 0 | 2),
            most => arguments.len() <= most,
        };
        if !right {
            let takes = match most {
                0 => "no argument",
                1 => "at most one argument",
                _ => "two arguments or none",
            };
            return Err(format!("native type \"{name}\" takes {takes}"));
        }
        let range = |legal: std::ops::RangeInclusive<u32>, given: u32| {
            let (low, high) = (legal.start(), legal.end());
            (!legal.contains(&given)).then(|| {
                format!("{given} is out of range for native type \"{name}\": {low} to {high}")
            })
        };
        let problem = match (kind, arguments) {
            (N::Decimal, &[precision, scale]) => range(1..=1000, precision).or_else(|| {
                (scale > precision).then(|| "the scale is larger than the precision".to_owned())
            }),
            (N::Timestamp | N::Timestamptz | N::Time | N::Timetz, &[digits]) => {
                range(0..=6, digits)
            }
            (N::VarChar | N::Char, &[length]) => range(1..=10_485_760, length),
            (N::Bit | N::VarBit, &[length]) => range(1..=83_886_080, length),
            _ => None,
        };
        match problem {
            Some(problem) => Err(problem),
            None => Ok(Self { kind, arguments: arguments.to_vec() }),
        }
    }

    /// The keys of a field that say the type.
    pub(super) fn document(&self) -> Vec<(&'static str, Json)> {
        let first = self.arguments.first().copied();
        let number = |value: u32| Json::Number(value.to_string());
        let plain = |name: &str| vec![("type", Json::string(name))];
        let with = |name: &str, key: &'static str| {
            let mut keys = plain(name);
            keys.extend(first.map(|value| (key, number(value))));
            keys
        };
        match self.kind {
            N::SmallInt => plain("smallint"),
            N::Integer => plain("integer"),
            N::BigInt => plain("bigint"),
            N::Decimal => {
                let mut keys = with("decimal", "precision");
                keys.extend(
                    self.arguments.get(1).filter(|&&s| s > 0).map(|&s| ("scale", number(s))),
                );
                keys
            }
            N::Money => plain("money"),
            N::Inet => plain("inet"),
            N::Oid => plain("oid"),
            N::Citext => plain("citext"),
            N::Real => plain("real"),
            N::DoublePrecision => plain("float"),
            N::VarChar => with("varchar", "max_length"),
            N::Char => with("char", "length"),
            N::Text => plain("text"),
            N::ByteA => plain("bytes"),
            N::Timestamp | N::Timestamptz => {
                let mut keys = with("timestamp", "precision");
                if self.kind == N::Timestamp {
                    keys.insert(1, ("zone", Json::Boolean(false)));
                }
                keys
            }
            N::Date => plain("date"),
            N::Time | N::Timetz => {
                let mut keys = with("time", "precision");
                if self.kind == N::Timetz {
                    keys.insert(1, ("zone", Json::Boolean(true)));
                }
                keys
            }
            N::Boolean => plain("boolean"),
            N::Bit => with("bit", "length"),
            N::VarBit => with("varbit", "length"),
            N::Uuid => plain("uuid"),
            N::Xml => plain("xml"),
            N::Json => {
                let mut keys = plain("json");
                keys.push(("binary", Json::Boolean(false)));
                keys
            }
            N::JsonB => plain("json"),
        }
    }
}

/// A type that Prisma does not know, as `Unsupported("…")` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    /// `[schema.]name[(modifiers)]`.
    pub(super) sql_type: String,
    /// Whether the text ended in `[]`.
    pub(super) list: bool,
    /// A vector, and its dimensions where the text says them.
    pub(super) vector: Option<Option<u32>>,
}

/// Types whose names are several words, each with its name in one.
const LONG_NAMES: [(&str, &str); 12] = [
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("time without time zone", "time"),
    ("time with time zone", "timetz"),
    ("character varying", "varchar"),
    ("char varying", "varchar"),
    ("national character varying", "varchar"),
    ("national character", "bpchar"),
    ("national char", "bpchar"),
    ("character", "bpchar"),
    ("double precision", "float8"),
    ("bit varying", "varbit"),
];

impl Foreign {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let refused = || {
            let text = crate::json::shorten(text);
            Err(format!("Unsupported(\"{text}\") does not name a type: [schema.]name[(modifiers)]"))
        };
        let mut rest = text.trim();
        let list = rest.ends_with("[]");
        if list {
            rest = rest[..rest.len() - 2].trim_end();
        }
        let (name, modifiers, behind) = match rest.split_once('(') {
            None => (rest, None, ""),
            Some((name, inner)) => match inner.split_once(')') {
                None => return refused(),
                Some((modifiers, behind)) => (name.trim_end(), Some(modifiers.trim()), behind),
            },
        };
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | ',' | '-');
        if modifiers.is_some_and(|text| text.is_empty() || !text.chars().all(legal)) {
            return refused();
        }
        let words: Vec<_> = name.split_whitespace().chain(behind.split_whitespace()).collect();
        let words = words.join(" ").to_lowercase();
        let name = match LONG_NAMES.iter().find(|(long, _)| *long == words) {
            Some((_, short)) => (*short).to_owned(),
            None if behind.trim().is_empty() && is_type_name(name) => name.to_owned(),
            None => return refused(),
        };
        let is_vector = name.rsplit('.').next() == Some("vector");
        let vector = is_vector.then(|| modifiers.and_then(|text| text.parse().ok()));
        let sql_type = match modifiers {
            Some(modifiers) => format!("{name}({modifiers})"),
            None => name,
        };
        Ok(Self { sql_type, list, vector })
    }
}

/// `name`, `schema.name`, either of them perhaps in double quotes.
fn is_type_name(text: &str) -> bool {
    fn part(text: &str) -> Option<&str> {
        if let Some(quoted) = text.strip_prefix('"') {
            let end = quoted.find('"').filter(|&end| end > 0)?;
            return Some(&quoted[end + 1..]);
        }
        let first = text.chars().next().filter(|&c| c.is_alphabetic() || c == '_')?;
        let rest = &text[first.len_utf8()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        Some(&rest[end.unwrap_or(rest.len())..])
    }
    match part(text) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').and_then(part) == Some(""),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsupported_types_are_named_in_one_word() {
        let read = |text: &str| Foreign::read(text).map(|foreign| foreign.sql_type);
        for (text, sql_type) in [
            ("tsvector", "tsvector"),
            ("extensions.vector(3)", "extensions.vector(3)"),
            ("geometry(Point, 4326)", "geometry(Point, 4326)"),
            ("\"Odd\".\"name\"", "\"Odd\".\"name\""),
            ("character varying(30)", "varchar(30)"),
            ("Double Precision", "float8"),
            ("timestamp(3) with time zone", "timestamptz(3)"),
            ("timestamp with time zone", "timestamptz"),
            ("interval(6)", "interval(6)"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(sql_type), "{text}");
        }
        for text in ["", "a b", "int; DROP TABLE x", "a(b", "a()", "a('b')", "a.b.c", "\"\""] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dimensions_of_a_vector_are_seen() {
        assert_eq!(Foreign::read("vector").unwrap().vector, Some(None));
        assert_eq!(Foreign::read("public.vector(3)").unwrap().vector, Some(Some(3)));
        assert_eq!(Foreign::read("halfvec(3)").unwrap().vector, None);
        assert!(Foreign::read("text[]").unwrap().list);
    }
}
