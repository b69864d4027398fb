//! Names that Prisma's language has: letters, digits and underscores of ASCII, the first a letter. What is called
//! otherwise in the database is mapped, as Prisma's own introspection maps it, and told apart where two become one.

use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// Names of models and enums that Prisma's parser refuses, and one that would be read as another word.
const RESERVED: [&str; 58] = [
    "BigInt",
    "Boolean",
    "Bytes",
    "DateTime",
    "Decimal",
    "Float",
    "Int",
    "Json",
    "PrismaClient",
    "String",
    "Unsupported",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "using",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// A name for a text; `kind` and a hash where the text has no letter of ASCII.
pub(super) fn sanitized(text: &str, kind: &str) -> String {
    if is_name(text) {
        return text.to_owned();
    }
    let begun = text.trim_start_matches(|first: char| !first.is_ascii_alphabetic());
    if begun.is_empty() {
        return format!("{kind}_{:08x}", xxh3_64(text.as_bytes()) as u32);
    }
    begun.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Names that are all different.
#[derive(Debug, Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    /// The name, or the same with a number behind it.
    pub(super) fn take(&mut self, name: String) -> String {
        let mut taken = name.clone();
        for number in 2_u32.. {
            if self.0.insert(taken.clone()) {
                break;
            }
            taken = format!("{name}_{number}");
        }
        taken
    }
}

/// What a thing is called, and in the database where that is another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) prisma: String,
    pub(super) mapped: Option<String>,
}

/// Names for things of one kind, such as the columns of a table. What needs no other name keeps its own.
pub(super) fn all<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    kind: &str,
    taken: &mut Taken,
) -> Vec<Name> {
    let mut wished: Vec<Option<Name>> = texts
        .clone()
        .map(|text| {
            let keeps = is_name(text) && taken.0.insert(text.to_owned());
            keeps.then(|| Name { prisma: text.to_owned(), mapped: None })
        })
        .collect();
    for (name, text) in wished.iter_mut().zip(texts) {
        if name.is_none() {
            let prisma = match text {
                "" => "EMPTY_ENUM_VALUE".to_owned(),
                _ => sanitized(text, kind),
            };
            *name = Some(Name { prisma: taken.take(prisma), mapped: Some(text.to_owned()) });
        }
    }
    wished.into_iter().flatten().collect()
}

/// Names for tables and enums, of which two schemas may have the same.
pub(super) fn of_types<'a>(
    types: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    taken: &mut Taken,
) -> Vec<Name> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut twice: HashSet<String> = HashSet::new();
    for (_, name) in types.clone() {
        let name = sanitized(name, "model");
        if !seen.insert(name.clone()) {
            twice.insert(name);
        }
    }
    let keeps = |name: &str| is_name(name) && !is_reserved(name) && !twice.contains(name);
    for (_, name) in types.clone().filter(|(_, name)| keeps(name)) {
        taken.0.insert(name.to_owned());
    }
    types
        .map(|(schema, name)| {
            if keeps(name) {
                return Name { prisma: name.to_owned(), mapped: None };
            }
            let plain = sanitized(name, "model");
            let wished = if twice.contains(&plain) {
                sanitized(&format!("{schema}_{name}"), "model")
            } else if is_reserved(&plain) {
                format!("Renamed{plain}")
            } else {
                plain
            };
            Name { prisma: taken.take(wished), mapped: Some(name.to_owned()) }
        })
        .collect()
}

/// The longest name of an object, in bytes.
const LONGEST: usize = crate::ident::MAX_NAME;

/// The name that Prisma gives a constraint or index: `{table}_{columns}_key`, the suffix whole.
pub(super) fn of_constraint(table: &str, columns: &[&str], suffix: &str) -> String {
    let mut name = table.to_owned();
    for column in columns {
        name.push('_');
        name.push_str(column);
    }
    let room = LONGEST - suffix.len();
    if name.len() > room {
        let end = (0..=room).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
        name.truncate(end);
    }
    name + suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> Vec<String> {
        let names = all(texts.iter().copied(), "field", &mut Taken::default());
        assert!(names.iter().zip(texts).all(|(name, text)| {
            is_name(&name.prisma)
                && (name.mapped.as_deref() == Some(*text)
                    || name.prisma == *text && name.mapped.is_none())
        }));
        names.into_iter().map(|name| name.prisma).collect()
    }

    #[test]
    fn what_is_a_name_stays() {
        assert_eq!(named(&["id", "Mixed_1", "model"]), ["id", "Mixed_1", "model"]);
    }

    #[test]
    fn what_is_none_becomes_one_of_its_own() {
        assert_eq!(named(&["a b", "a-b", "a_b"]), ["a_b_2", "a_b_3", "a_b"]);
        assert_eq!(named(&["_id", "1st", "é_x"]), ["id", "st", "x"]);
        let others = named(&["日本", "", "__"]);
        assert_eq!(others[1], "EMPTY_ENUM_VALUE");
        assert!(others[0].starts_with("field_") && others[2].starts_with("field_"));
        assert_ne!(others[0], others[2]);
    }

    #[test]
    fn types_of_two_schemas_bear_the_names_of_these() {
        let types = [("a", "user"), ("b", "user"), ("b", "class"), ("b", "String"), ("b", "x")];
        let names = of_types(types.into_iter(), &mut Taken::default());
        let names: Vec<&str> = names.iter().map(|name| name.prisma.as_str()).collect();
        assert_eq!(names, ["a_user", "b_user", "Renamedclass", "RenamedString", "x"]);
    }

    #[test]
    fn constraints_are_named_as_prisma_names_them() {
        assert_eq!(of_constraint("t", &["a", "b"], "_key"), "t_a_b_key");
        assert_eq!(of_constraint("t", &[], "_pkey"), "t_pkey");
        let long = of_constraint(&"x".repeat(60), &["column"], "_idx");
        assert_eq!((long.len(), long.ends_with("xx_idx")), (63, true));
        assert!(of_constraint(&"é".repeat(40), &[], "_fkey").len() <= 63);
    }
}
