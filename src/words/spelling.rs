//! One spelling for what is read alike: case, width, ligatures, ways to write an accent; and accents away.
//!
//! Accents go from letters of Latin and Greek (and ё is е): there they are often left out. In other scripts a sign makes another
//! letter. What Postgres' own `lower()` and its parser say of characters depends on the locale of the database; here it is Unicode's.

use super::scripts::{Kind, kind};
use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use std::borrow::Cow;
use std::collections::HashSet;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Words with spaces between them, and what stands between.
    Spaced(&'t str),
    /// A run of characters without any.
    Unspaced(&'t str),
}

/// A text that is not all ASCII in one spelling: small letters, in Unicode's compatibility composition; accents stay.
pub(super) fn spelt(text: &str) -> String {
    // What is written above the line beside a name is no part of it.
    let signs = ['\u{2122}', '\u{2120}', '\u{AE}', '\u{A9}', '\u{AA}', '\u{BA}'];
    let text = match text.contains(signs) {
        true => Cow::Owned(text.replace(signs, " ")),
        false => Cow::Borrowed(text),
    };
    let decomposed = DecomposingNormalizer::new_nfkd().normalize(&text);
    let folded = CaseMapper::new().fold_string(&decomposed).into_owned();
    ComposingNormalizer::new_nfc().normalize(&folded).into_owned()
}

/// Cuts what [`spelt`] gives into pieces, in their order. Whatever is not ASCII and belongs to no word is a blank.
pub(super) fn pieces(spelt: &str, mut visit: impl FnMut(Piece<'_>)) {
    let mut spaced = String::with_capacity(spelt.len());
    let mut run = String::new();
    for c in spelt.chars() {
        let kind = if c.is_ascii() { Kind::Spaced } else { kind(c) };
        match kind {
            Kind::Unspaced(_) => {
                end_spaced(&mut spaced, &mut visit);
                run.push(c);
                continue;
            }
            Kind::Silent => continue,
            _ if !run.is_empty() => {
                visit(Piece::Unspaced(&run));
                run.clear();
            }
            _ => (),
        }
        match (kind, c) {
            // Parts of a compound.
            (_, '\u{2010}' | '\u{2011}') => spaced.push('-'),
            (Kind::Between, _) => spaced.push(' '),
            _ => spaced.push(c),
        }
    }
    if !run.is_empty() {
        visit(Piece::Unspaced(&run));
    }
    end_spaced(&mut spaced, &mut visit);
}

fn end_spaced(spaced: &mut String, visit: &mut impl FnMut(Piece<'_>)) {
    if spaced.bytes().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
        visit(Piece::Spaced(spaced));
    }
    spaced.clear();
}

/// The text without accents.
pub(super) fn unaccented(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let decomposed = DecomposingNormalizer::new_nfd().normalize(text);
    let mut plain = String::with_capacity(decomposed.len());
    let mut base = ' ';
    for c in decomposed.chars() {
        if matches!(c, '\u{300}'..='\u{36F}') {
            if !(has_accents(base) || (base == 'е' && c == '\u{308}')) {
                plain.push(c);
            }
            continue;
        }
        base = c;
        match c {
            'ı' => plain.push('i'),
            'ø' => plain.push('o'),
            'đ' | 'ð' => plain.push('d'),
            'ħ' => plain.push('h'),
            'ł' => plain.push('l'),
            'ŧ' => plain.push('t'),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            _ => plain.push(c),
        }
    }
    Cow::Owned(ComposingNormalizer::new_nfc().normalize(&plain).into_owned())
}

/// Letters of Latin and Greek.
fn has_accents(base: char) -> bool {
    base.is_ascii_alphabetic()
        || matches!(base, '\u{C0}'..='\u{2AF}' | '\u{370}'..='\u{3FF}' | '\u{1E00}'..='\u{1FFF}')
}

/// The words of a piece that have accents, each once, so many of them at most.
pub(super) fn accented<'t>(spaced: &'t str, most: usize, words: &mut Vec<&'t str>) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36F}');
    let mut known = HashSet::new();
    for word in spaced.split(|c: char| !is_part(c)) {
        if words.len() == most {
            return;
        }
        if !word.is_ascii() && known.insert(word) && unaccented(word) != word {
            words.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_alike_is_spelt_alike() {
        for spellings in [
            &["Café", "CAFE\u{301}", "cafe"][..],
            &["ＡＢＣ", "abc"],
            &["ﬁnd", "FIND"],
            &["Straße", "STRASSE"],
            &["Łódź", "lodz"],
            &["Ærø", "aero"],
            &["İstanbul", "istanbul"],
            &["ΌΔΟΣ", "οδοσ", "όδος"],
            &["ﾃﾞｰﾀ", "データ"],
            &["Ёлка", "елка"],
        ] {
            let plain: Vec<_> =
                spellings.iter().map(|text| unaccented(&spelt(text)).into_owned()).collect();
            assert!(plain.iter().all(|one| *one == plain[0]), "{plain:?}");
        }
        // Other letters, and no accents.
        for (a, b) in [("й", "и"), ("が", "か"), ("कि", "क"), ("häuser", "hauser")] {
            assert_ne!(spelt(a), spelt(b));
            assert_eq!(unaccented(a) == b, a == "häuser", "{a}");
        }
    }

    fn cut(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        pieces(&spelt(text), |piece| all.push(format!("{piece:?}")));
        all
    }

    #[test]
    fn a_text_is_cut_where_the_script_changes() {
        let expected = [
            r#"Spaced("iphone")"#,
            r#"Unspaced("を")"#,
            r#"Spaced("3")"#,
            r#"Unspaced("台買った")"#,
        ];
        assert_eq!(cut("iPhoneを３台買った。"), expected);
        assert_eq!(cut("don’t — l’été"), [r#"Spaced("don t   l été")"#]);
        assert_eq!(cut("“”… —"), Vec::<String>::new());
        assert_eq!(cut("co\u{AD}op\u{2011}ed"), [r#"Spaced("coop-ed")"#]);
    }

    #[test]
    fn accented_words_are_told_once() {
        let mut words = Vec::new();
        accented("l'été état-major été cafe жук", 9, &mut words);
        assert_eq!(words, ["été", "état"]);
    }
}
