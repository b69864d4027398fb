//! Scripts without spaces between words: which characters are theirs, and what is looked for in them.
//!
//! No dictionary finds the words: it would cut a question otherwise than a text. Each two characters that stand together are looked
//! for, so a word of two or more is found wherever it stands. A character alone is looked for where it may be a word: a Han character,
//! the first syllable of a Korean word (endings follow it), and a letter with its signs.

use std::ops::Range;

/// What a character is to a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a word that spaces end.
    Spaced,
    /// Between words.
    Between,
    /// Nothing: it shows how a word is read, or may be broken.
    Silent,
    /// Of a script without spaces.
    Unspaced(Script),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Han,
    Kana,
    Hangul,
    /// Thai, Lao, Khmer and Burmese.
    Letter,
    /// A sign that belongs to the letter before it.
    Sign,
    /// One that has the letter behind it belong there too.
    Joiner,
}

/// What a character is that is not ASCII, in normal form C.
pub(super) fn kind(c: char) -> Kind {
    use Script::{Han, Hangul, Joiner, Kana, Letter, Sign};
    let script = match c {
        // Soft hyphens, joiners and marks of direction; vowel points of Hebrew and Arabic.
        '\u{AD}'
        | '\u{34F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{591}'..='\u{5BD}'
        | '\u{5BF}'
        | '\u{5C1}'
        | '\u{5C2}'
        | '\u{5C4}'
        | '\u{5C5}'
        | '\u{5C7}'
        | '\u{610}'..='\u{61A}'
        | '\u{640}'
        | '\u{64B}'..='\u{652}'
        | '\u{670}' => return Kind::Silent,
        // Marks of abbreviations among the letters.
        '\u{E2F}' | '\u{EAF}' => return Kind::Between,
        '\u{3005}'
        | '\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3038}'..='\u{303B}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}' => Han,
        '\u{3041}'..='\u{3096}'
        | '\u{309D}'..='\u{309F}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}'
        | '\u{3105}'..='\u{312F}'
        | '\u{31A0}'..='\u{31BF}'
        | '\u{31F0}'..='\u{31FF}'
        | '\u{1B000}'..='\u{1B16F}' => Kana,
        '\u{3099}' | '\u{309A}' => Sign,
        '\u{1100}'..='\u{11FF}'
        | '\u{3131}'..='\u{318E}'
        | '\u{A960}'..='\u{A97F}'
        | '\u{AC00}'..='\u{D7FB}' => Hangul,
        '\u{E31}' | '\u{E34}'..='\u{E3A}' | '\u{E47}'..='\u{E4E}' => Sign,
        '\u{E01}'..='\u{E2E}' | '\u{E30}'..='\u{E33}' | '\u{E40}'..='\u{E46}' => Letter,
        '\u{EB1}' | '\u{EB4}'..='\u{EBC}' | '\u{EC8}'..='\u{ECE}' => Sign,
        '\u{E81}'..='\u{EC6}' | '\u{EDC}'..='\u{EDF}' => Letter,
        '\u{17D2}' | '\u{1039}' => Joiner,
        '\u{17B4}'..='\u{17D3}' | '\u{17DD}' => Sign,
        '\u{1780}'..='\u{17B3}' | '\u{17D7}' | '\u{17DC}' => Letter,
        '\u{102B}'..='\u{103E}'
        | '\u{1056}'..='\u{1059}'
        | '\u{105E}'..='\u{1060}'
        | '\u{1062}'..='\u{1064}'
        | '\u{1067}'..='\u{106D}'
        | '\u{1071}'..='\u{1074}'
        | '\u{1082}'..='\u{108D}'
        | '\u{108F}'
        | '\u{109A}'..='\u{109D}' => Sign,
        '\u{1000}'..='\u{102A}'
        | '\u{103F}'
        | '\u{1050}'..='\u{1055}'
        | '\u{105A}'..='\u{108E}'
        | '\u{A9E0}'..='\u{A9EF}'
        | '\u{AA60}'..='\u{AA7A}' => Letter,
        _ if c.is_alphanumeric() || is_sign(c) => return Kind::Spaced,
        _ => return Kind::Between,
    };
    Kind::Unspaced(script)
}

/// Signs of words with spaces that are neither letters nor numbers: accents that no letter takes in, and the signs of India's scripts.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
        || (matches!(c, '\u{900}'..='\u{DFF}') && !matches!(c, '\u{964}' | '\u{965}' | '\u{970}'))
}

/// What is looked for in a run of characters of such scripts: a range of its bytes, and which character it begins at.
pub(super) fn parts(run: &str) -> Vec<(Range<usize>, usize)> {
    let letters = letters(run);
    let mut parts = Vec::with_capacity(2 * letters.len());
    let mut before = None;
    for (at, letter) in letters.iter().enumerate() {
        let may_be_word = match letter.script {
            Script::Han => true,
            Script::Hangul => before != Some(Script::Hangul),
            Script::Letter => letter.has_signs,
            _ => false,
        };
        if may_be_word || letters.len() == 1 {
            parts.push((letter.bytes.clone(), at));
        }
        if let Some(next) = letters.get(at + 1) {
            parts.push((letter.bytes.start..next.bytes.end, at));
        }
        before = Some(letter.script);
    }
    parts
}

/// How many characters a run has, a letter with its signs as one.
pub(super) fn length(run: &str) -> usize {
    letters(run).len()
}

struct WithSigns {
    bytes: Range<usize>,
    script: Script,
    has_signs: bool,
}

fn letters(run: &str) -> Vec<WithSigns> {
    let mut letters: Vec<WithSigns> = Vec::with_capacity(run.len() / 3);
    let mut joins = false;
    for (at, c) in run.char_indices() {
        let Kind::Unspaced(script) = kind(c) else { continue };
        let bytes = at..at + c.len_utf8();
        let belongs = joins || matches!(script, Script::Sign | Script::Joiner);
        match letters.last_mut() {
            Some(letter) if belongs => {
                letter.bytes.end = bytes.end;
                letter.has_signs = true;
            }
            _ => letters.push(WithSigns { bytes, script, has_signs: false }),
        }
        joins = script == Script::Joiner;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(run: &str) -> Vec<&str> {
        parts(run).into_iter().map(|(bytes, _)| &run[bytes]).collect()
    }

    #[test]
    fn pairs_are_looked_for_and_what_may_be_a_word_alone() {
        assert_eq!(of("東京都"), ["東", "東京", "京", "京都", "都"]);
        assert_eq!(of("猫が好き"), ["猫", "猫が", "が好", "好", "好き"]);
        assert_eq!(of("コーヒー"), ["コー", "ーヒ", "ヒー"]);
        assert_eq!(of("が"), ["が"]);
        assert_eq!(of("고양이가"), ["고", "고양", "양이", "이가"]);
        // A letter and its signs are one.
        assert_eq!(of("แมวที่"), ["แม", "มว", "วที่", "ที่"]);
        assert_eq!(of("งู"), ["งู"]);
        assert_eq!(of("ខ្មែរ"), ["ខ្មែ", "ខ្មែរ"]);
        assert_eq!(of("မြန်မာ"), ["မြ", "မြန်", "န်", "န်မာ", "မာ"]);
        assert_eq!(length("ที่"), 1);
        // A sign that no letter is before.
        assert_eq!(of("\u{E34}"), ["\u{E34}"]);
    }

    #[test]
    fn a_word_is_found_in_every_text_that_holds_it() {
        for (word, text) in [
            ("東京", "私は東京に住んでいます"),
            ("猫", "私は猫を飼っています"),
            ("北京大学", "他在北京大学学习"),
            ("แมว", "ฉันมีแมวสองตัว"),
            ("งู", "เห็นงูตัวใหญ่"),
            ("고양이", "고양이가"),
            ("집", "집에서"),
        ] {
            let parts_of_text = of(text);
            assert!(of(word).iter().all(|part| parts_of_text.contains(part)), "{word} {text}");
        }
    }

    #[test]
    fn the_rest_is_words_with_spaces_or_stands_between_them() {
        for c in ['é', 'ß', 'ж', 'א', 'क', '\u{94D}', '٣', '๓'] {
            assert_eq!(kind(c), Kind::Spaced, "{c}");
        }
        for c in ['。', '、', '「', '・', '—', '’', '\u{3000}', '\u{A0}', '।', '🙂', 'ฯ', '€']
        {
            assert_eq!(kind(c), Kind::Between, "{c}");
        }
        assert_eq!(kind('\u{AD}'), Kind::Silent);
    }
}
