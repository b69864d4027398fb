//! What an error says of a shard, said of its table.

use super::{is_loaded, part};
use std::borrow::Cow;
use std::collections::HashSet;

/// The names of shards, and the numbers that they and what belongs to them end with.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashSet<i64>,
    shards: HashSet<String>,
}

impl Names {
    pub(super) fn add(&mut self, shard: String, number: i64) {
        self.numbers.insert(number);
        self.shards.insert(shard);
    }

    fn is_shards(&self, word: &str, is_quoted: bool) -> bool {
        self.shards.contains(word)
            || is_quoted && self.numbers.contains(&number(word).unwrap_or(-1))
    }
}

/// The number at the end of a name.
fn number(word: &str) -> Option<i64> {
    let (name, number) = word.rsplit_once('_')?;
    let is_number = !name.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok())?
}

/// A text with the names of tables, and of their constraints and indexes, in place of those of shards that the session has worked
/// in. Looks nothing up.
pub(crate) fn of_tables(text: &str) -> Cow<'_, str> {
    if !is_loaded() || !text.contains('_') {
        return Cow::Borrowed(text);
    }
    part::known_names(|names| replace(text, |word, is_quoted| names.is_shards(word, is_quoted)))
}

/// The same of the name of a constraint.
pub(crate) fn constraint_of_table(name: &str) -> String {
    if !is_loaded() {
        return name.to_owned();
    }
    part::known_names(|names| match name.rsplit_once('_') {
        Some((own, _)) if names.is_shards(name, true) => Cow::Borrowed(own),
        _ => Cow::Borrowed(name),
    })
    .into_owned()
}

/// Takes the number off all words that are a shard's. A word in double quotes may be of a constraint.
fn replace(text: &str, is_shards: impl Fn(&str, bool) -> bool) -> Cow<'_, str> {
    let is_of_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
    let mut told = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(begin) = rest.find(is_of_word) {
        let length = rest[begin..].find(|letter| !is_of_word(letter)).unwrap_or(rest.len() - begin);
        let (word, after) = rest[begin..].split_at(length);
        let quote_before = rest[..begin].chars().next_back().or(before) == Some('"');
        let is_quoted = quote_before && after.starts_with('"');
        told.push_str(&rest[..begin]);
        told.push_str(match word.rsplit_once('_') {
            Some((name, _)) if is_shards(word, is_quoted) => name,
            _ => word,
        });
        before = word.chars().next_back();
        rest = after;
    }
    told.push_str(rest);
    if told == text { Cow::Borrowed(text) } else { Cow::Owned(told) }
}

#[cfg(test)]
mod tests {
    use super::{Names, replace};

    #[test]
    fn numbers_of_shards_go_and_others_stay() {
        let mut names = Names::default();
        names.add("records_102104".to_owned(), 102_104);
        let told = |text: &str| {
            replace(text, |word, is_quoted| names.is_shards(word, is_quoted)).into_owned()
        };
        assert_eq!(
            told(
                "new row for relation \"records_102104\" violates check constraint \"no_seven_102104\""
            ),
            "new row for relation \"records\" violates check constraint \"no_seven\""
        );
        assert_eq!(
            told("permission denied for table records_102104"),
            "permission denied for table records"
        );
        assert_eq!(told("kepler.records_102104"), "kepler.records");
        for text in [
            "Key (id)=(no_seven_102104) exists",
            "\"records_102105\"",
            "\"_102104\" and \"102104\"",
            "ünï_records_102104x",
            "",
        ] {
            assert_eq!(told(text), text);
        }
    }
}
