//! Some of the rows of an index, spread over all of them: found by keys that lie evenly between the first and the last.
//!
//! How keys are spread is not known: most may lie close together (those of one import), and few elsewhere. So where more rows lie
//! between two of the keys than were read, others are looked for there.

use std::collections::BTreeMap;

/// So many keys are looked for at once, and so many rows are read from each on.
const KEYS: usize = 16;
pub(super) const ROWS_A_KEY: usize = 5;
const ROUNDS: usize = 3;
/// So many rows are enough.
const ENOUGH: usize = 60;
/// So many letters behind what both keys begin with tell where a key lies.
const LETTERS: usize = 10;

/// How keys lie between others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Texts,
    Numbers,
}

/// A key from which on rows are read, and up to which.
type Range = (String, String);

/// The rows, by their keys. `look` gives for each key the rows from it on, up to as many as are read, in their order; `before` for each key the last
/// one that is less.
pub(super) fn rows(
    keys: Keys,
    first: String,
    last: String,
    mut look: impl FnMut(&[String]) -> Vec<Vec<(String, f64)>>,
    mut before: impl FnMut(&[String]) -> Vec<String>,
) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let mut open: Vec<Range> = vec![(first, last)];
    for round in 0..ROUNDS {
        if round > 0 {
            // Where the rows of a range end, its keys tell better how they lie.
            let to: Vec<String> = open.iter().map(|(_, to)| to.clone()).collect();
            for ((_, to), last) in open.iter_mut().zip(before(&to)) {
                *to = last;
            }
        }
        let each = (KEYS / open.len()).max(1);
        let parts: Vec<Range> =
            open.iter().flat_map(|(from, to)| parts(keys, from, to, each)).collect();
        let from: Vec<String> = parts.iter().map(|(from, _)| from.clone()).collect();
        open.clear();
        for ((_, to), rows) in parts.into_iter().zip(look(&from)) {
            if let Some((reached, _)) = rows.last().filter(|_| rows.len() == ROWS_A_KEY)
                && keys.is_before(reached, &to)
            {
                open.push((reached.clone(), to));
            }
            found.extend(rows);
        }
        if found.len() >= ENOUGH || open.is_empty() {
            break;
        }
    }
    found
}

/// A range in so many parts, of one length each.
fn parts(keys: Keys, from: &str, to: &str, count: usize) -> Vec<Range> {
    let mut starts = vec![from.to_owned()];
    starts.extend((1..count).filter_map(|at| keys.between(from, to, at, count)));
    let ends = starts.iter().skip(1).cloned().chain([to.to_owned()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).collect()
}

impl Keys {
    fn is_before(self, one: &str, other: &str) -> bool {
        match self {
            Keys::Texts => one < other,
            Keys::Numbers => one.parse::<i64>().ok() < other.parse().ok(),
        }
    }

    /// The key at a part of the way; None where none is known.
    fn between(self, from: &str, to: &str, at: usize, of: usize) -> Option<String> {
        let part = |from: i128, to: i128| from + (to - from) * at as i128 / of as i128;
        if self == Keys::Numbers {
            return Some(part(from.parse().ok()?, to.parse().ok()?).to_string());
        }
        let same = from.char_indices().zip(to.chars()).take_while(|((_, a), b)| a == b);
        let same = same.last().map_or(0, |((at, letter), _)| at + letter.len_utf8());
        let alphabet = alphabet(&[&from[same..], &to[same..]]);
        let base = alphabet.len() as i128;
        let number = |text: &str| {
            let letters = text.bytes().chain(std::iter::repeat(0)).take(LETTERS);
            letters.fold(0_i128, |number, letter| {
                let place = alphabet.partition_point(|known| *known < letter) as i128;
                number * base + place.min(base - 1)
            })
        };
        let (low, high) = (number(&from[same..]), number(&to[same..]));
        if low >= high {
            return None;
        }
        let mut rest = part(low, high);
        let mut letters = vec![0; LETTERS];
        for letter in letters.iter_mut().rev() {
            *letter = alphabet[(rest % base) as usize];
            rest /= base;
        }
        Some(format!("{}{}", &from[..same], String::from_utf8_lossy(&letters)))
    }
}

/// The letters that keys such as these are made of, in the order of their bytes: digits, those of hexadecimal numbers, lower case, upper case.
fn alphabet(texts: &[&str]) -> Vec<u8> {
    let has = |is: fn(&u8) -> bool| texts.iter().any(|text| text.bytes().any(|byte| is(&byte)));
    let upper = has(u8::is_ascii_uppercase);
    let lower = has(|byte| (b'g'..=b'z').contains(byte));
    let hexadecimal = has(|byte| (b'a'..=b'f').contains(byte));
    let mut letters: Vec<u8> = (b'0'..=b'9').collect();
    if upper {
        letters.extend(b'A'..=b'Z');
    }
    if lower || hexadecimal {
        letters.extend(b'a'..=if lower || upper { b'z' } else { b'f' });
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of an index with these keys, the keys that were looked for, and how often.
    fn of(keys: Keys, all: &BTreeMap<String, f64>) -> (Vec<String>, usize) {
        let (first, last) = (all.keys().next().unwrap(), all.keys().next_back().unwrap());
        let mut rounds = 0;
        let look = |from: &[String]| {
            rounds += 1;
            assert!(from.len() <= KEYS);
            let rows = |from: &String| all.range(from.clone()..).take(ROWS_A_KEY);
            let owned = |(key, value): (&String, &f64)| (key.clone(), *value);
            from.iter().map(|from| rows(from).map(owned).collect()).collect()
        };
        let before = |keys: &[String]| {
            let last = |key: &String| all.range(..key.clone()).next_back().unwrap().0.clone();
            keys.iter().map(last).collect()
        };
        let found = rows(keys, first.clone(), last.clone(), look, before);
        (found.into_keys().collect(), rounds)
    }

    fn keyed(keys: impl Iterator<Item = String>) -> BTreeMap<String, f64> {
        keys.map(|key| (key, 0.0)).collect()
    }

    #[test]
    fn rows_are_spread_over_all() {
        let numbered = keyed((0..100_000).map(|at| format!("{at:07}")));
        let hexadecimal = keyed((0..5_000_u64).map(|at| {
            let scattered = at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!("{:08x}-{:04x}", scattered >> 32, scattered & 0xffff)
        }));
        for all in [numbered, hexadecimal] {
            let (found, rounds) = of(Keys::Texts, &all);
            assert!(rounds == 1 && found.len() >= ENOUGH, "{} of {rounds}", found.len());
            let places: Vec<usize> = all
                .keys()
                .enumerate()
                .filter(|(_, k)| found.contains(k))
                .map(|(at, _)| at)
                .collect();
            let quarters = places.iter().fold([0; 4], |mut quarters, at| {
                quarters[at * 4 / all.len()] += 1;
                quarters
            });
            assert!(quarters.iter().all(|rows| (10..=30).contains(rows)), "{quarters:?}");
        }
    }

    #[test]
    fn few_rows_are_all_found_or_nearly() {
        for count in [1, 2, 5, 6, 20, 59] {
            let all = keyed((0..count).map(|at| format!("c{:05}", at * at)));
            let (found, _) = of(Keys::Texts, &all);
            assert!(found.len() * 10 >= count * 9, "{} of {count}", found.len());
        }
    }

    #[test]
    fn keys_that_lie_close_together_are_found() {
        let apart = ["a", "zz"].map(str::to_owned);
        let all = keyed((0..10_000).map(|at| format!("mem_{at:06}")).chain(apart));
        let (found, rounds) = of(Keys::Texts, &all);
        assert!(found.len() >= ENOUGH && rounds == 2, "{} of {rounds}", found.len());
    }

    #[test]
    fn numbers_and_letters_of_any_kind_have_keys_between_them() {
        assert_eq!(Keys::Numbers.between("-10", "10", 3, 4).unwrap(), "5");
        let most = Keys::Numbers.between("-9223372036854775808", "9223372036854775807", 1, 2);
        assert_eq!(most.unwrap(), "-1");
        for (from, to) in [("ключ 1", "ключ 9"), ("a", "a"), ("", "x"), ("é", "ü"), ("b", "a")]
        {
            for at in 1..4 {
                let between = Keys::Texts.between(from, to, at, 4);
                assert!(between.is_none_or(|key| from < key.as_str() && key.as_str() < to));
            }
        }
    }
}
