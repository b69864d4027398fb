//! Tokens that look random and nothing more; detect-secrets Base64HighEntropyString, whose limit of 4.5 bits a character this has.

use super::placeholder::is_placeholder;
use super::{Certainty, Found};

const LIMIT: f64 = 4.5;
/// Shorter ones do not reach the limit, longer ones are data.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=128;

/// The tokens of a text that look random: letters of both cases and digits, of more bits than words have.
pub(crate) fn in_text(text: &str, next: &mut dyn FnMut(Found) -> bool) {
    let is_part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let length = bytes[start..].iter().take_while(|b| is_part(**b)).count();
        let token = &bytes[start..start + length];
        if LENGTHS.contains(&length) && looks_random(token) {
            let (certainty, range) = (Certainty::Possible, start..start + length);
            if !next(Found { kind: "high_entropy", certainty, range }) {
                return;
            }
        }
        start += length.max(1);
    }
}

fn looks_random(token: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| token.iter().any(test);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && bits(token) > LIMIT
        && !is_placeholder(token)
}

/// Shannon's entropy of its characters, in bits for each.
fn bits(token: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    token.iter().for_each(|b| counts[usize::from(*b)] += 1);
    let length = token.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_tokens_are_told_and_words_are_not() {
        let found = |text: &str| {
            let mut found = 0;
            in_text(text, &mut |_| {
                found += 1;
                true
            });
            found
        };
        assert_eq!(found("x q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu y"), 1);
        assert_eq!(found("the quick brown fox jumps over The1 lazy dog again and again"), 0);
        assert_eq!(found("da39a3ee5e6b4b0d3255bfef95601890afd80709"), 0);
        assert_eq!(found("6f1c1c2e-8a0b-4c3d-9e4f-5a6b7c8d9e0f"), 0);
    }
}
