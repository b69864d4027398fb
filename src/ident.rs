//! Names as SQL: quoted, and checked where they come from a document.

/// Postgres cuts longer names off.
pub(crate) const MAX_NAME: usize = 63;

/// A name in double quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema and a name in it.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// A text as an SQL literal, whatever `standard_conforming_strings` says.
pub(crate) fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Why a text cannot be the name of a field or key; `None` if it can.
pub(crate) fn problem_with_field_name(name: &str, longest: usize) -> Option<String> {
    let mut bytes = name.bytes();
    if name.is_empty() {
        return Some("a name must not be empty".to_owned());
    }
    if name.len() > longest {
        return Some(format!(
            "a name has at most {longest} bytes, and this one has {}",
            name.len()
        ));
    }
    if !bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        || !bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Some(
            "a name begins with a letter and consists of a to z, 0 to 9 and _; put what people read \
             into \"label\""
                .to_owned(),
        );
    }
    if SYSTEM_COLUMNS.contains(&name) {
        return Some(format!("\"{name}\" is a system column of Postgres"));
    }
    if is_keyword(name) {
        return Some(format!("\"{name}\" is a keyword of SQL: every query would have to quote it"));
    }
    None
}

/// Why a text cannot be a name that anything else than SQL uses, or SQL in quotes; `None` if it can.
pub(crate) fn problem_with_free_name(name: &str, longest: usize) -> Option<String> {
    if name.is_empty() {
        Some("a name must not be empty".to_owned())
    } else if name.len() > longest {
        let bytes = name.len();
        Some(format!("a name has at most {longest} bytes, and this one has {bytes}"))
    } else if name.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}

/// The words of a name in small letters, with `_` between them: `itemId` and `Item-ID` are `item_id`.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|before| chars[before]);
        let begins_word = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_numeric())
                || before.is_some_and(char::is_uppercase)
                    && chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if begins_word && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake.trim_end_matches('_').to_owned()
}

/// Whether Postgres takes the word, without quotes, for no column's name.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word).is_ok()
}

/// The start of a name, and a hash of all of it where it was cut.
pub(crate) fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let hash = xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as u32;
    let mut end = longest.saturating_sub(9);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{hash:08x}", name[..end].trim_end_matches('_'))
}

const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// What Postgres 16 to 18 do not take as a bare name of a column (`pg_get_keywords()`, catcode R, T
/// and those of C that cannot stand everywhere), sorted.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        assert_eq!(qualified("a\"b", "c"), "\"a\"\"b\".\"c\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("\\'"), "E'\\\\'''");
    }

    #[test]
    fn refuses_names_with_a_reason() {
        assert!(KEYWORDS.is_sorted());
        let longest = "a".repeat(48);
        for name in ["a", "item_id", "x9", "name", "status", "value", longest.as_str()] {
            assert_eq!(problem_with_field_name(name, 48), None, "{name}");
        }
        let too_long = "a".repeat(49);
        for name in
            ["", "A", "9a", "_a", "ä", "a b", "a\"b", "select", "user", "ctid", too_long.as_str()]
        {
            assert!(problem_with_field_name(name, 48).is_some(), "{name}");
        }
    }

    #[test]
    fn words_in_snake_case() {
        for (name, expected) in [
            ("itemId", "item_id"),
            ("Item-ID", "item_id"),
            ("HTTPServer", "http_server"),
            ("line2Text", "line2_text"),
            ("address2", "address2"),
            ("already_so", "already_so"),
            ("  two  words ", "two_words"),
            ("e.mail", "e_mail"),
            ("Größe", "größe"),
            ("__", ""),
            ("ABC", "abc"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }

    #[test]
    fn shortens_with_a_hash() {
        assert_eq!(shortened("abc", 3), "abc");
        let (a, b) = (shortened(&"a".repeat(80), 63), shortened(&"a".repeat(81), 63));
        assert!(a != b && a.len() <= 63 && b.len() <= 63);
    }
}
