//! From a text to its words.

use super::language::Language;
use super::scripts::{length, parts};
use super::spelling::{Piece, accented, pieces, spelt, unaccented};
use crate::pg::text_search::Lexemes;
use std::collections::HashMap;

/// So many words of a piece are looked at with and without their accents.
const MAX_ACCENTED: usize = 10_000;

/// The words of a text in a language.
pub(crate) fn words(text: &str, language: Language) -> Lexemes {
    let mut words = Lexemes::default();
    if text.is_ascii() {
        words.parse(language.configuration, text);
        words.change(0, unaccented);
        return words;
    }
    pieces(&spelt(text), |piece| match piece {
        Piece::Unspaced(run) => words.add_parts(run, parts(run), length(run)),
        Piece::Spaced(spaced) if language.is_plain => {
            words.parse(language.configuration, &unaccented(spaced));
        }
        Piece::Spaced(spaced) => {
            let first = words.count();
            words.parse(language.configuration, spaced);
            words.change(first, unaccented);
            add_unaccented(&mut words, first, spaced, language);
        }
    });
    words
}

/// The words of a text as Kepler 0.1.0 made them.
pub(crate) fn words_of_0_1(text: &str, english: Language) -> Lexemes {
    let mut words = Lexemes::default();
    words.parse(english.configuration, text);
    words
}

/// Of words with accents adds what the language makes of them without, where that is another word: whoever leaves the accents out
/// finds them too. Stop words stay away.
fn add_unaccented(words: &mut Lexemes, first: usize, spaced: &str, language: Language) {
    let mut given = Vec::new();
    accented(spaced, MAX_ACCENTED, &mut given);
    if given.is_empty() {
        return;
    }
    let plain: Vec<_> = given.iter().map(|word| unaccented(word)).collect();
    let (mut with, mut without) = (Lexemes::default(), Lexemes::default());
    with.parse(language.configuration, &given.join(" "));
    without.parse(language.configuration, &plain.join(" "));
    if with.places() != given.len() || without.places() != given.len() {
        return;
    }
    with.change(0, unaccented);
    let mut at_place: HashMap<u16, &str> = HashMap::new();
    for (word, place) in with.from(0) {
        at_place.insert(place, word);
    }
    let mut others: HashMap<&str, Vec<&str>> = HashMap::new();
    for (word, place) in without.from(0) {
        if let Some(known) = at_place.get(&place).filter(|known| **known != word) {
            others.entry(known).or_default().push(word);
        }
    }
    let added: Vec<(&str, u16)> = words
        .from(first)
        .filter_map(|(word, place)| Some((others.get(word)?, place)))
        .flat_map(|(others, place)| others.iter().map(move |other| (*other, place)))
        .collect();
    for (word, place) in added {
        words.add(word, place);
    }
}
