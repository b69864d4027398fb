//! The words of a question: in each language that rows of the workspace may have.

use super::access::searched;
use super::rarity::Word;
use crate::words::language::{ENGLISH, Language};
use crate::words::vector::{words, words_of_0_1};
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// What the words of rows are made with, where their language is there no more.
const SIMPLE: &str = "simple";
/// Words are told apart by so many languages; a workspace has no more.
const MAX_LANGUAGES: usize = 32;

/// The words of a text, each with how often it is there, and in which of the languages.
pub(super) fn words_of(client: &mut SpiClient<'_>, workspace_id: &str, text: &str) -> Vec<Word> {
    let Ok(searched) = searched(client, workspace_id) else { return Vec::new() };
    let mut found: Vec<Word> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, name) in searched.languages().enumerate().take(MAX_LANGUAGES) {
        let lexemes = match Language::find_shared(name) {
            Ok(language) => words(text, language),
            Err(_) => match Language::find(if name.is_empty() { ENGLISH } else { SIMPLE }) {
                Ok(english) if name.is_empty() => words_of_0_1(text, english),
                Ok(simple) => words(text, simple),
                Err(_) => continue,
            },
        };
        for (text, times) in lexemes.counted() {
            match places.get(&text) {
                Some(&place) => {
                    found[place].times = found[place].times.max(times);
                    found[place].languages |= 1 << at;
                }
                None => {
                    places.insert(text.clone(), found.len());
                    found.push(Word { text, times, rows: 0.0, of_all: None, languages: 1 << at });
                }
            }
        }
    }
    found
}
