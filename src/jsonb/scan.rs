//! Finds where JSON values begin and end without decoding them.
//!
//! A batch is cut into its elements this way, so that one broken element cannot take the others
//! with it, and an unchanged record is never decoded at all. Only strings and brackets are looked
//! at; what lies between is for `parse` to judge.

use crate::poll;
use std::ops::Range;

/// The text ends, or a bracket closes that was never opened, before the value does.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Unbalanced {
    /// Bytes from the start of the text.
    pub(crate) offset: usize,
}

/// The position of the first byte at or after `at` that is not white space.
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// The text without white space around it; JSON's white space, which is less than ASCII's.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let text = &text[skip_space(text, 0)..];
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let end = text.iter().rposition(|b| !space(b)).map_or(0, |last| last + 1);
    &text[..end]
}

/// The position behind the string whose opening quote stands at `at`.
pub(crate) fn skip_string(text: &[u8], at: usize) -> Result<usize, Unbalanced> {
    let mut from = at + 1;
    loop {
        match memchr::memchr2(b'"', b'\\', text.get(from..).unwrap_or_default()) {
            None => return Err(Unbalanced { offset: at }),
            Some(found) if text[from + found] == b'"' => return Ok(from + found + 1),
            Some(found) => from += found + 2,
        }
    }
}

/// The position behind the value that begins at `at`, which must not be white space. A value that
/// is neither string nor container ends before the next comma, bracket or white space.
pub(crate) fn skip_value(text: &[u8], at: usize) -> Result<usize, Unbalanced> {
    match text.get(at) {
        Some(b'"') => skip_string(text, at),
        Some(b'{' | b'[') => skip_container(text, at),
        _ => {
            let rest = text.get(at..).unwrap_or_default();
            let ends = |b: &u8| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            Ok(at + rest.iter().position(ends).unwrap_or(rest.len()))
        }
    }
}

/// Bytes that matter between strings.
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"\"{}[]";
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
};

fn skip_container(text: &[u8], start: usize) -> Result<usize, Unbalanced> {
    // The kinds of the open containers, one bit each, in words of 64: depth costs memory only
    // where it is real.
    let mut open: Vec<u64> = Vec::new();
    let mut word = 0_u64;
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match text[at..].iter().position(|&b| STRUCTURAL[b as usize]) {
            None => return Err(Unbalanced { offset: start }),
            Some(skipped) => at += skipped,
        }
        match text[at] {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            bracket @ (b'{' | b'[') => {
                if depth > 0 && depth.is_multiple_of(64) {
                    open.push(word);
                }
                word = word << 1 | u64::from(bracket == b'{');
                depth += 1;
            }
            bracket => {
                if (bracket == b'}') != (word & 1 == 1) {
                    return Err(Unbalanced { offset: at });
                }
                word >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
                if depth.is_multiple_of(64) {
                    word = open.pop().unwrap_or(0);
                }
            }
        }
        at += 1;
    }
}

/// What stands where in an object's text.
pub(crate) struct Member {
    /// Between the key's quotes, escapes and all.
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of the object whose brace opens at `at`, and the position behind it. Where the text
/// is not `"key": value` separated by commas, `None`: somebody else must find the end.
pub(crate) fn members(
    text: &[u8],
    at: usize,
    mut visit: impl FnMut(Member),
) -> Result<Option<usize>, Unbalanced> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(Some(at + 1));
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return Ok(None);
        }
        let key_end = skip_string(text, at)?;
        let key = at + 1..key_end - 1;
        at = skip_space(text, key_end);
        if text.get(at) != Some(&b':') {
            return Ok(None);
        }
        at = skip_space(text, at + 1);
        let value_end = skip_value(text, at)?;
        if value_end == at {
            return Ok(None);
        }
        poll::check();
        visit(Member { key, value: at..value_end });
        at = skip_space(text, value_end);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b'}') => return Ok(Some(at + 1)),
            _ => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_values() {
        for (text, end) in [
            (r#""a\"b" ,"#, 6),
            (r#"{"a":[1,{"b":"}"}]},"#, 19),
            ("12.5]", 4),
            ("null}", 4),
            ("[]", 2),
            (r#""\\""#, 4),
        ] {
            assert_eq!(skip_value(text.as_bytes(), 0), Ok(end), "{text}");
        }
    }

    #[test]
    fn reports_what_never_ends() {
        for text in [r#"{"a":1"#, r#"["#, r#""a\"#, r#"{"a":[}"#, r#"{"a\"#] {
            assert!(skip_value(text.as_bytes(), 0).is_err(), "{text}");
        }
    }

    #[test]
    fn keeps_count_at_any_depth() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 100_000] {
            let text = format!("{}{}{}{}", "[{".repeat(depth), "", "}]".repeat(depth), ",1");
            // Not valid JSON ("[{[{" lacks keys), which is not the scanner's business.
            assert_eq!(skip_value(text.as_bytes(), 0), Ok(text.len() - 2), "{depth}");
        }
    }
}
