//! Texts without regard to case, the same in every database.
//!
//! `lower()` follows the locale of the database: an index over it is wrong, or does not even build, where a
//! dump is restored into a database with another one. This is the full case folding of Unicode (statuses C
//! and F, without the Turkic ones) over its canonical forms (definition D145), so that a letter with an accent
//! is one, whether it is written in one character or in two. The tables are those of pinned crates. Whoever
//! moves them must rebuild the indexes: a test below notices.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use pgrx::prelude::*;
use std::borrow::Cow;

/// Two texts are equal without regard to case where these are equal.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let decomposed = DecomposingNormalizer::new_nfd().normalize(text);
    let folded = CaseMapper::new().fold_string(&decomposed).into_owned();
    Cow::Owned(ComposingNormalizer::new_nfc().normalize(&folded).into_owned())
}

/// The text without regard to case: Unicode's full case folding, in canonical composition. Two texts differ
/// only in case where it is equal. The same in every database and locale.
#[pg_extern(
    name = "fold",
    immutable,
    parallel_safe,
    strict,
    sql = "
CREATE FUNCTION kepler.fold(content text) RETURNS text
IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn fold_text(content: &str) -> String {
    fold(content).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn case_does_not_count_and_the_rest_does() {
        for spellings in [
            &["", ""][..],
            &["ada@example.org", "ADA@Example.ORG"],
            &["straße", "STRASSE", "Straẞe"],
            &["éclair", "ÉCLAIR", "e\u{301}clair", "E\u{301}CLAIR"],
            &["ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"],
            &["ǆ", "ǅ", "Ǆ"],
            &["i\u{307}", "İ"],
        ] {
            let folded: Vec<_> = spellings.iter().map(|text| fold(text)).collect();
            assert!(folded.iter().all(|one| *one == folded[0]), "{folded:?}");
        }
        for (a, b) in
            [("i", "ı"), ("İ", "i"), ("ﬁ", "fi\u{301}"), ("a", "á"), ("a b", "ab"), ("½", "1/2")]
        {
            assert_ne!(fold(a), fold(b), "{a} {b}");
        }
    }

    /// What is stored in indexes. If this fails, the tables of Unicode have moved: the changelog must tell
    /// users to REINDEX every index over kepler.fold.
    #[test]
    fn the_tables_have_not_moved() {
        let mut all = String::new();
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            let folded = fold(&text);
            assert_eq!(fold(&folded), folded, "{c:?} is folded once and for all");
            all.push_str(&folded);
        }
        assert_eq!(xxh3_64(all.as_bytes()), 17_751_425_085_974_247_841);
    }
}
