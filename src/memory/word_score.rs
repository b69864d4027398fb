//! How well a text answers a question, by its words: BM25 (Robertson and Zaragoza, 2009) with one change.
//!
//! A word counts the more, the rarer it is among the tenant's rows, and the more often it comes, up to a limit. A long
//! text holds more words by chance, so it counts for less than a short one. Among turns of a dialogue it does not: they are
//! so short that length says nothing. So the average length counts for no less than that of a paragraph. Constants and
//! figures are in `docs/design.md`.

use super::rarity::Word;
use crate::pg::tsvector;
use crate::pg::varlena;
use pgrx::AnyElement;
use pgrx::prelude::*;

/// How soon a word that comes again stops counting, and how much the length of a text counts.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;
/// Texts are taken to have at least so many words on average.
const PARAGRAPH: f64 = 60.0;
/// So many words of a question that a text holds are kept without allocating.
const FEW: usize = 24;
/// Before each word: its weight and its length.
const HEAD: usize = 6;

/// The words of a question.
pub(super) struct Sought {
    /// In the order of their bytes, each with its weight.
    words: Vec<(String, f32)>,
    average: f64,
    /// What all words of the question weigh, in one language.
    weight: f64,
    /// How many rows there are in all.
    pub(super) rows: f64,
}

impl Sought {
    /// `rows`: how many there are in all; `average`: words of a text.
    pub(super) fn new(words: &[Word], rows: f64, average: f64) -> Self {
        let weight_of = |word: &Word| (f64::from(word.times) * rarity(word.rows, rows)) as f32;
        let weighed = words.iter().map(|word| (word.text.clone(), weight_of(word)));
        let mut weighed: Vec<(String, f32)> = weighed.collect();
        weighed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        // A row has words of one language. The question is in that which has the fewest for it: others do not know its stop words.
        let known = words.iter().fold(0, |known, word| known | word.languages);
        let of_language = (0..u32::BITS).filter(|at| known & 1 << at != 0).map(|at| {
            let of_it = words.iter().filter(|word| word.languages & 1 << at != 0);
            of_it.map(|word| f64::from(weight_of(word))).sum::<f64>()
        });
        let weight = of_language.min_by(f64::total_cmp).unwrap_or(0.0);
        Self { words: weighed, average, weight, rows }
    }

    /// As the scoring function takes it.
    pub(super) fn packed(&self) -> Vec<u8> {
        let average = self.average.max(PARAGRAPH) as f32;
        let mut packed = average.to_ne_bytes().to_vec();
        for (word, weight) in &self.words {
            packed.extend_from_slice(&weight.to_ne_bytes());
            packed.extend_from_slice(&(word.len() as u16).to_ne_bytes());
            packed.extend_from_slice(word.as_bytes());
        }
        packed
    }

    /// What these words can give at most, whatever a text is: no text has as much.
    pub(super) fn most(&self, words: &[Word]) -> f64 {
        let weight = |word: &Word| f64::from(word.times) * rarity(word.rows, self.rows);
        words.iter().map(weight).sum::<f64>() * (SATURATION + 1.0)
    }

    /// A score as a share of what no text can exceed, from 0 to 1: it means the same whatever else is found.
    pub(super) fn share(&self, score: f64) -> f64 {
        let most = self.weight * (SATURATION + 1.0);
        if most > 0.0 { (score / most).min(1.0) } else { 0.0 }
    }
}

/// Inverse document frequency; more than 0 also for what every row has.
fn rarity(of_word: f64, rows: f64) -> f64 {
    let of_word = of_word.min(rows);
    (1.0 + (rows - of_word + 0.5) / (of_word + 0.5)).ln()
}

/// The words of a packed question, as far as they can be read.
struct Packed<'p>(&'p [u8]);

impl<'p> Iterator for Packed<'p> {
    type Item = (&'p [u8], f32);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_first_chunk::<HEAD>()?;
        let (weight, length) = head.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes(*length.first_chunk()?));
        let word = rest.get(..length)?;
        self.0 = &rest[length..];
        Some((word, f32::from_ne_bytes(*weight)))
    }
}

/// Both are in the order of their bytes.
fn score<'t>(text: impl Iterator<Item = (&'t [u8], u16)>, packed: &[u8]) -> f64 {
    let Some((average, words)) = packed.split_first_chunk::<4>() else { return 0.0 };
    let mut sought = Packed(words).peekable();
    let mut length = 0_u32;
    // Most questions have few words: nothing is allocated for each of thousands of texts.
    let (mut few, mut more, mut count) = ([(0.0_f32, 0_u16); FEW], Vec::new(), 0);
    for (word, times) in text {
        length += u32::from(times);
        while sought.next_if(|(other, _)| *other < word).is_some() {}
        if let Some((_, weight)) = sought.next_if(|(other, _)| *other == word) {
            match few.get_mut(count) {
                Some(place) => *place = (weight, times),
                None => more.push((weight, times)),
            }
            count += 1;
        }
    }
    let share = f64::from(length) / f64::from(f32::from_ne_bytes(*average));
    let slow = SATURATION * (1.0 - LENGTH + LENGTH * share);
    let part = |(weight, times): &(f32, u16)| {
        let times = f64::from(*times);
        f64::from(*weight) * times * (SATURATION + 1.0) / (times + slow)
    };
    // Nothing is 0, and not -0.
    few[..count.min(FEW)].iter().chain(&more).map(part).fold(0.0, |sum, part| sum + part)
}

/// Internal: how well words answer a question, packed as a search has it.
#[pg_extern(
    schema = "kepler_internal",
    immutable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler_internal.word_score(text_search tsvector, sought bytea) RETURNS double precision
IMMUTABLE STRICT PARALLEL SAFE COST 10 LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn word_score(text_search: AnyElement, sought: AnyElement) -> f64 {
    // SAFETY: as declared: a tsvector and bytes, which live as long as the call.
    unsafe { score(tsvector::words(text_search.datum()), varlena::bytes(sought.datum())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &[(&str, u16)], sought: &Sought) -> f64 {
        score(text.iter().map(|(word, times)| (word.as_bytes(), *times)), &sought.packed())
    }

    fn sought(words: &[(&str, f64)], average: f64) -> Sought {
        let word = |(text, rows): &(&str, f64)| Word {
            text: (*text).to_owned(),
            times: 1,
            rows: *rows,
            of_all: None,
            languages: 1,
        };
        Sought::new(&words.iter().map(word).collect::<Vec<_>>(), 1000.0, average)
    }

    #[test]
    fn a_rare_word_counts_for_more_than_common_ones() {
        let sought = sought(&[("like", 500.0), ("home", 300.0), ("ferret", 1.0)], 10.0);
        let rare = of(&[("ferret", 1), ("my", 1)], &sought);
        assert!(rare > of(&[("home", 1), ("like", 1)], &sought));
        assert!(rare < of(&[("ferret", 1), ("like", 1)], &sought));
        // What every row has counts for little, and not against a row.
        assert!(rarity(1000.0, 1000.0) > 0.0 && rarity(2000.0, 1000.0) > 0.0);
        assert_eq!(of(&[("my", 1)], &sought), 0.0);
        assert!(sought.share(rare) > 0.0 && sought.share(rare) < 1.0);
    }

    #[test]
    fn a_word_again_counts_less_and_less() {
        let sought = sought(&[("tea", 10.0)], 10.0);
        let times = |times| of(&[("tea", times), ("x", 60 - times)], &sought);
        assert!(times(2) > times(1) && times(2) - times(1) > times(3) - times(2));
    }

    #[test]
    fn length_counts_for_texts_and_hardly_for_turns() {
        let of_length = |length: u16, average| {
            of(&[("tea", 1), ("x", length - 1)], &sought(&[("tea", 10.0)], average))
        };
        assert!(of_length(5, 10.0) / of_length(10, 10.0) < 1.06);
        assert!(of_length(100, 200.0) / of_length(400, 200.0) > 1.4);
    }

    #[test]
    fn the_language_of_a_question_is_the_one_that_needs_the_fewest_words() {
        let word = |text: &str, rows, languages| Word {
            text: text.to_owned(),
            times: 1,
            rows,
            of_all: None,
            languages,
        };
        // German knows that "die" is a stop word.
        let both = [word("die", 0.0, 1), word("katze", 0.0, 1), word("katz", 5.0, 2)];
        let both = Sought::new(&both, 1000.0, 10.0);
        let german = Sought::new(&[word("katz", 5.0, 1)], 1000.0, 10.0);
        let score = of(&[("katz", 1)], &both);
        assert_eq!(both.share(score), german.share(score));
    }

    #[test]
    fn garbage_scores_nothing() {
        let text = || [("tea", 1_u16)].into_iter().map(|(word, times)| (word.as_bytes(), times));
        for packed in [&b""[..], b"\0", b"\0\0\x80?\0\0", b"\0\0\x80?\0\0\x80?\xff\xfftea"] {
            assert_eq!(score(text(), packed), 0.0);
        }
    }
}
