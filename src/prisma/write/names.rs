//! Names that Prisma's language has: letters, digits and underscores of ASCII, the first a letter. What is called
//! otherwise in the database is mapped, as Prisma's own introspection maps it, and told apart where two become one. What a
//! blueprint made has the names of its document.

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

/// Whether a document's name can stay. Letters of any script may follow the first: Prisma's reader crashes at names of
/// models that begin with another than ASCII's.
fn is_document_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_alphabetic() || letter.is_ascii_digit() || letter == '_')
}

/// The name under which a document knows what the database calls `text`.
fn as_in_document(text: &str, document: Option<&str>, taken: &mut Taken) -> Option<Name> {
    let document = document.filter(|name| is_document_name(name))?;
    taken.0.insert(document.to_owned()).then(|| Name {
        prisma: document.to_owned(),
        mapped: (document != text).then(|| text.to_owned()),
    })
}

/// Names for things of one kind, such as the columns of a table, each with what a document calls it. What needs no other
/// name keeps its own.
pub(super) fn all<'a>(
    texts: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone,
    kind: &str,
    taken: &mut Taken,
) -> Vec<Name> {
    let mut wished: Vec<Option<Name>> =
        texts.clone().map(|(text, document)| as_in_document(text, document, taken)).collect();
    for (name, (text, _)) in wished.iter_mut().zip(texts.clone()) {
        if name.is_none() && is_name(text) && taken.0.insert(text.to_owned()) {
            *name = Some(Name { prisma: text.to_owned(), mapped: None });
        }
    }
    for (name, (text, _)) in wished.iter_mut().zip(texts) {
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

/// A table or an enum, and what a document calls it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeName<'a> {
    pub(super) schema: &'a str,
    pub(super) name: &'a str,
    pub(super) document: Option<&'a str>,
}

/// Names for tables and enums, of which two schemas may have the same.
pub(super) fn of_types(types: &[TypeName<'_>], taken: &mut Taken) -> Vec<Name> {
    let mut named: Vec<Option<Name>> = types
        .iter()
        .map(|found| {
            let document = found.document.filter(|name| !is_reserved(name));
            as_in_document(found.name, document, taken)
        })
        .collect();
    let mut seen: HashSet<String> = HashSet::new();
    let mut twice: HashSet<String> = HashSet::new();
    for (found, _) in types.iter().zip(&named).filter(|(_, name)| name.is_none()) {
        let name = sanitized(found.name, "model");
        if !seen.insert(name.clone()) {
            twice.insert(name);
        }
    }
    for (name, found) in named.iter_mut().zip(types) {
        let keeps = is_name(found.name) && !is_reserved(found.name) && !twice.contains(found.name);
        if name.is_none() && keeps && taken.0.insert(found.name.to_owned()) {
            *name = Some(Name { prisma: found.name.to_owned(), mapped: None });
        }
    }
    for (name, found) in named.iter_mut().zip(types) {
        if name.is_none() {
            let plain = sanitized(found.name, "model");
            let wished = if twice.contains(&plain) {
                sanitized(&format!("{}_{}", found.schema, found.name), "model")
            } else if is_reserved(&plain) {
                format!("Renamed{plain}")
            } else {
                plain
            };
            let mapped = Some(found.name.to_owned());
            *name = Some(Name { prisma: taken.take(wished), mapped });
        }
    }
    named.into_iter().flatten().collect()
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
        let plain = texts.iter().map(|text| (*text, None));
        let names = all(plain, "field", &mut Taken::default());
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
        let types = types.map(|(schema, name)| TypeName { schema, name, document: None });
        let names = of_types(&types, &mut Taken::default());
        let names: Vec<&str> = names.iter().map(|name| name.prisma.as_str()).collect();
        assert_eq!(names, ["a_user", "b_user", "Renamedclass", "RenamedString", "x"]);
    }

    #[test]
    fn names_of_documents_come_first() {
        let documents =
            [("users", Some("User")), ("User", None), ("größe", Some("größe")), ("x", Some("a b"))];
        let names = all(documents.into_iter(), "field", &mut Taken::default());
        let names: Vec<&str> = names.iter().map(|name| name.prisma.as_str()).collect();
        assert_eq!(names, ["User", "User_2", "größe", "x"]);
        let types = [
            ("users", Some("User")),
            ("people", Some("User")),
            ("User", None),
            ("x", Some("class")),
        ];
        let types = types.map(|(name, document)| TypeName { schema: "a", name, document });
        let names = of_types(&types, &mut Taken::default());
        let names: Vec<&str> = names.iter().map(|name| name.prisma.as_str()).collect();
        assert_eq!(names, ["User", "people", "User_2", "x"]);
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
