//! What a text says, but for case and punctuation: two texts with one statement are near duplicates, if their
//! embeddings agree too.
//!
//! Whoever is merged is lost, so only what certainly says nothing is left out: the case of letters, how blanks are
//! spread, and marks of punctuation around words. Everything else counts, in its order: words, numbers with
//! their points and signs, question marks, emoji, and what stands within a word (`C++`, `can't`, `re-sign`,
//! `example.com`). No list of words is involved, and no language. Where a script writes words without blanks, its
//! signs in their order are compared, and a blank counts: it may be what tells words apart. In doubt two texts say two
//! things.

use crate::jsonb::parse::{InvalidCharacters, Parser};
use std::borrow::Cow;

/// Marks that may open a word without being part of it.
const OPENING: &[char] = &[
    '"', '\'', '(', '[', '“', '”', '„', '‘', '’', '‚', '«', '»', '‹', '›', '¿', '¡', '「', '『',
    '（', '《', '〈', '【', '〔', '［', '—', '…',
];
/// And those that may close one.
const CLOSING: &[char] = &[
    '.', ',', ';', ':', '!', '"', '\'', ')', ']', '“', '”', '‘', '’', '«', '»', '‹', '›', '…', '—',
    '。', '、', '，', '．', '；', '：', '！', '」', '』', '）', '》', '〉', '】', '〕', '］', '｡',
    '､', '،', '؛', '۔', '।', '॥', '።', '፣', '፤', '၊', '။', '។', '๚', '๛',
];
/// Marks that are always between two words, whatever stands beside them.
const PARTING: &[char] = &[
    '—', '…', '“', '”', '„', '«', '»', '。', '、', '，', '；', '：', '！', '「', '」', '『', '』',
    '（', '）', '《', '》', '〈', '〉', '【', '】', '〔', '〕', '｡', '､', '،', '؛', '۔', '।', '॥',
    '።', '፣', '፤', '၊', '။', '។',
];

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Statement {
    /// Its words, each with a blank behind it.
    Words(String),
    /// A JSON value: no text, but the same value in any spelling.
    Json(Vec<u8>),
}

impl Statement {
    pub(crate) fn of(text: &str, is_json: bool) -> Self {
        if is_json {
            let mut value = Vec::new();
            // What cannot be read says nothing, and is like nothing.
            let _ = Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut value);
            return Statement::Json(value);
        }
        let mut words = String::with_capacity(text.len() + 1);
        for part in text.split(|c: char| c.is_whitespace()) {
            // Marks between blanks, as a face has them, are a word of their own.
            if !part.chars().any(counts) {
                push(&mut words, sign(part));
                continue;
            }
            let joined = join_unspaced(part);
            for piece in joined.split(|c| PARTING.contains(&c)) {
                parted(piece, &mut words);
            }
        }
        Statement::Words(words)
    }

    /// Itself, unless it says nothing.
    pub(crate) fn if_any(self) -> Option<Self> {
        (!self.says_nothing()).then_some(self)
    }

    fn says_nothing(&self) -> bool {
        match self {
            Statement::Words(words) => words.is_empty(),
            Statement::Json(value) => value.is_empty(),
        }
    }

    /// Whether a text says this; no text says nothing.
    pub(crate) fn is_that_of(&self, text: &str, is_json: bool) -> bool {
        !self.says_nothing() && *self == Self::of(text, is_json)
    }
}

/// The text without the marks between signs of scripts that write words without blanks.
fn join_unspaced(part: &str) -> Cow<'_, str> {
    if !part.contains(is_unspaced) {
        return Cow::Borrowed(part);
    }
    let mut joined = String::with_capacity(part.len());
    let mut marks = String::new();
    for c in part.chars() {
        if PARTING.contains(&c) {
            marks.push(c);
            continue;
        }
        if !(is_unspaced(c) && joined.ends_with(is_unspaced)) {
            joined.push_str(&marks);
        }
        marks.clear();
        joined.push(c);
    }
    joined.push_str(&marks);
    Cow::Owned(joined)
}

/// Whether a character is of a script that writes words without blanks: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han.
fn is_unspaced(c: char) -> bool {
    c.is_alphabetic()
        && matches!(u32::from(c),
            0x0E00..=0x0EFF | 0x0F00..=0x109F | 0x1780..=0x17FF | 0x3005..=0x30FF | 0x31F0..=0x31FF
            | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// Whether a character is more than a mark that may be left out.
fn counts(c: char) -> bool {
    !OPENING.contains(&c) && !CLOSING.contains(&c)
}

fn push(words: &mut String, word: &str) {
    if !word.is_empty() {
        words.push_str(&crate::fold::fold(word));
        words.push(' ');
    }
}

/// What stands of marks alone: one mark, or one again and again, says nothing; several are a face or an operator.
fn sign(marks: &str) -> &str {
    let mut all = marks.chars();
    let first = all.next();
    if all.all(|mark| Some(mark) == first) { "" } else { marks }
}

/// Parts a piece without blanks where a comma, a semicolon or a quotation mark stands between two letters.
fn parted(piece: &str, words: &mut String) {
    let mut start = 0;
    let mut before: Option<char> = None;
    let mut rest = piece.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let after = rest.peek().map(|(_, after)| *after);
        if matches!(c, ',' | ';' | '"')
            && before.is_some_and(char::is_alphabetic)
            && after.is_some_and(char::is_alphabetic)
        {
            push(words, bare(&piece[start..at]));
            start = at + c.len_utf8();
        }
        before = Some(c);
    }
    push(words, bare(&piece[start..]));
}

/// A word without the marks around it.
fn bare(word: &str) -> &str {
    let inner = word.trim_start_matches(OPENING);
    // Brackets around a number may be its sign.
    let opened = &word[..word.len() - inner.len()];
    let inner = match inner.chars().next() {
        Some(c) if opened.ends_with('(') && (c.is_numeric() || is_currency(c)) => {
            &word[opened.len() - 1..]
        }
        _ => inner,
    };
    let closed = inner.trim_end_matches(CLOSING);
    let marks = &inner[closed.len()..];
    // A colon within the marks begins a face; a quotation mark behind a digit may be a unit.
    let is_face = marks.char_indices().any(|(at, mark)| {
        matches!(mark, ':' | ';')
            && at + mark.len_utf8() < marks.len()
            && !only_quotes(&marks[at + 1..])
    });
    let is_unit =
        closed.ends_with(|c: char| c.is_numeric()) && marks.starts_with(['"', '\'', '’', '”']);
    if is_face || is_unit || inner.starts_with('(') { inner } else { closed }
}

fn only_quotes(marks: &str) -> bool {
    marks.chars().all(|mark| matches!(mark, '"' | '\'' | '’' | '”' | '»'))
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '€' | '£' | '¥' | '₹' | '₩' | '₽' | '+' | '-' | '−')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> bool {
        Statement::of(a, false).is_that_of(b, false)
    }

    #[test]
    fn case_blanks_and_punctuation_say_nothing() {
        for (a, b) in [
            ("Ada likes tea.", "ada  likes tea"),
            ("Standup is at 9:30", "standup is at 9:30!"),
            ("\"Ada\" (the cook) likes tea; coffee, too…", "Ada the cook likes tea coffee too"),
            ("Tea,coffee", "tea, coffee"),
            ("Ада любит чай.", "ада любит чай"),
            ("東京に住んでいます。", "東京に住んでいます"),
            ("今日は、雨です。", "今日は雨です"),
            ("「今日は」、雨です", "今日は，雨です。"),
            ("Kepler、東京。", "Kepler 東京"),
            ("«Ça va»", "ça va!"),
            ("वह घर गया।", "वह घर गया"),
            ("أحب الشاي،", "أحب الشاي"),
        ] {
            assert!(near(a, b) && near(b, a), "{a} | {b}");
        }
    }

    #[test]
    fn everything_else_does() {
        for (a, b) in [
            ("The office in Berlin reports to Oslo", "The office in Oslo reports to Berlin"),
            ("Ada likes tea", "Ada likes coffee"),
            ("Ada likes tea", "Ada does not like tea"),
            ("Ada can eat nuts", "Ada can't eat nuts"),
            ("we're there", "were there"),
            ("meet in room 12 at noon", "meet in room 21 at noon"),
            ("costs 1.5 a month", "costs 15 a month"),
            ("costs 1,5 a month", "costs 1, 5 a month"),
            ("costs .5", "costs 5"),
            ("it is -5 outside", "it is 5 outside"),
            ("balance (500)", "balance 500"),
            ("written in C", "written in C++"),
            ("written in C#", "written in C++"),
            ("grade A-", "grade A"),
            ("re-sign the contract", "resign the contract"),
            ("nowhere", "now here"),
            ("He signed?", "He signed."),
            ("x != y", "x = y"),
            ("!ready", "ready"),
            ("5' tall", "5 tall"),
            ("great 👍", "great 👎"),
            ("great :)", "great :("),
            ("great:)", "great:("),
            ("50%", "50"),
            ("猫が犬を追う", "犬が猫を追う"),
            ("雨が3、4回", "雨が34回"),
            ("ตา กลม", "ตาก ลม"),
            ("very very good", "very good"),
            ("!", "?"),
            ("...", "..."),
        ] {
            assert!(!near(a, b) && !near(b, a), "{a} | {b}");
        }
    }

    #[test]
    fn json_is_compared_as_a_value() {
        let of = |text: &str| Statement::of(text, true);
        assert_eq!(of(r#"{"a": [1, 2], "b": "x"}"#), of(r#"{"b":"x","a":[1,2]}"#));
        assert_ne!(of(r#"{"a": [[1], 2]}"#), of(r#"{"a": [[1, 2]]}"#));
        assert_ne!(of(r#"{"a": "X"}"#), of(r#"{"a": "x"}"#));
        assert!(!of("[1]").is_that_of("[1]", false));
    }
}
