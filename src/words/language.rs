//! Languages by their names: those of text search configurations.
//!
//! Without a schema the name is one of `pg_catalog`, whatever the search path: what an index holds must not depend on it.

use super::error::LanguageError;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::{role, text_search};
use pgrx::pg_sys;
use std::cell::RefCell;

thread_local! {
    /// The last one of `pg_catalog`: a session seldom has others.
    static LAST: RefCell<Option<(String, Language)>> = const { RefCell::new(None) };
}

const CATALOG: &str = "pg_catalog";
/// How the words of Kepler 0.1.0 were made, and those of most texts are.
pub(crate) const ENGLISH: &str = "english";

/// How words of a language are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Language {
    pub(crate) configuration: pg_sys::Oid,
    /// Its dictionaries know no accents: these go before it sees a word. The others need them for stems and stop words.
    pub(super) is_plain: bool,
}

impl Language {
    /// The language of a name, for whoever may look into its schema.
    pub(crate) fn find(name: &str) -> Result<Self, LanguageError> {
        match parts(name) {
            Some((schema, _)) if schema != CATALOG => match text_search::schema(&schema) {
                Some(known) if !text_search::may_use(known) => Err(LanguageError::NoUsage(schema)),
                _ => Self::look_up(name),
            },
            _ => Self::look_up(name),
        }
    }

    fn look_up(name: &str) -> Result<Self, LanguageError> {
        let unknown = || LanguageError::Unknown(name.to_owned());
        let (schema_name, configuration) = parts(name).ok_or_else(unknown)?;
        let schema = text_search::schema(&schema_name).ok_or_else(unknown)?;
        let found = text_search::configuration(schema, &configuration).ok_or_else(unknown)?;
        let is_plain =
            schema_name == CATALOG && matches!(configuration.as_str(), ENGLISH | "simple");
        Ok(Self { configuration: found, is_plain })
    }

    /// The language of a name, for rows that others search, whoever writes or asks: nobody but a superuser, or who owns Kepler's
    /// tables, may have a say in how their words are made.
    pub(crate) fn find_shared(name: &str) -> Result<Self, Error> {
        let kept = LAST.with_borrow(|last| {
            last.as_ref().filter(|(known, _)| known == name).map(|(_, language)| *language)
        });
        if let Some(kept) = kept.filter(|kept| text_search::is_there(kept.configuration)) {
            return Ok(kept);
        }
        let found = Self::look_up(name)?;
        let of = text_search::configuration_owner(found.configuration);
        let of = of.ok_or_else(|| LanguageError::Unknown(name.to_owned()))?;
        if !role::is_superuser(of) && of != Owner::find()?.role() {
            let (name, owner) = (name.to_owned(), role::name(of));
            return Err(LanguageError::OfSomebody { name, owner }.into());
        }
        // Those of other schemas may be renamed, or given away.
        if !name.contains('.') {
            LAST.with_borrow_mut(|last| *last = Some((name.to_owned(), found)));
        }
        Ok(found)
    }
}

/// The schema and the name, as SQL would read them.
fn parts(name: &str) -> Option<(String, String)> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = name;
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut chars = quoted.char_indices().peekable();
            loop {
                match chars.next()? {
                    (at, '"') if chars.peek().is_none_or(|(_, c)| *c != '"') => {
                        rest = &quoted[at + 1..];
                        break;
                    }
                    (_, '"') => {
                        chars.next();
                        text.push('"');
                    }
                    (_, c) => text.push(c),
                }
            }
            part = text;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            if part.contains(|c: char| c == '"' || c.is_whitespace()) {
                return None;
            }
        }
        if part.is_empty() || part.len() > crate::ident::MAX_NAME {
            return None;
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => break,
            None => return None,
        }
    }
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => Some((CATALOG.to_owned(), name)),
        (Some(schema), Some(name), None) => Some((schema, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let read = |name| parts(name).map(|(schema, name)| format!("{schema}/{name}"));
        for (name, expected) in [
            ("english", Some("pg_catalog/english")),
            ("English", Some("pg_catalog/english")),
            ("public.wiki", Some("public/wiki")),
            (r#""My "".words"."B""#, Some(r#"My ".words/B"#)),
            ("", None),
            ("a.b.c", None),
            ("a.", None),
            (".a", None),
            (r#""a"#, None),
            (r#""a"b"#, None),
            ("a b", None),
        ] {
            assert_eq!(read(name).as_deref(), expected, "{name}");
        }
    }
}
