//! Cuts the text of a batch into its elements: a JSON array, or JSON objects on a line each. What an element is, the
//! caller says.

use super::scan::{self, Unbalanced};
use crate::heap;
use crate::poll;

/// A call takes so many elements: what it keeps of each may be larger than its text.
pub(crate) const MAX_ELEMENTS: usize = 4_000_000;

/// Why a text has no elements, or where they can no longer be told apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undivided {
    /// "The text is a number."
    NotABatch {
        found: String,
        mistake: Option<Mistake>,
    },
    /// At the element with this number (from 1), in bytes from the start of the text.
    Broken {
        problem: &'static str,
        ordinal: usize,
        offset: usize,
    },
    TooMany,
}

/// What senders do to a text that is no batch.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Mistake {
    ByteOrderMark,
    EncodedTwice,
}

/// An element.
#[derive(Clone, Copy)]
pub(crate) struct Place<'t> {
    /// The text up to where the element must end at the latest.
    pub(crate) text: &'t [u8],
    pub(crate) at: usize,
    /// It has a line to itself. Then whatever is wrong with it is its own matter: the next line is not concerned.
    pub(crate) is_line: bool,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The problem of objects that have several lines each.
pub(crate) const GOES_ON: &str = "an object goes on behind the end of its line";

fn broken(problem: &'static str, ordinal: usize, offset: usize) -> Undivided {
    Undivided::Broken { problem, ordinal, offset }
}

/// Calls `element` with each element of a JSON array, or, where the text begins with an object, with that of each line;
/// it gives the position behind it.
pub(crate) fn divide<'t>(
    text: &'t [u8],
    mut element: impl FnMut(Place<'t>) -> Result<usize, Unbalanced>,
) -> Result<(), Undivided> {
    let mut at = scan::skip_space(text, 0);
    match text.get(at) {
        Some(b'[') => (),
        Some(b'{') => return lines(text, at, element),
        _ => {
            let (found, mistake) = match text.get(at..) {
                Some(rest) if rest.starts_with(BYTE_ORDER_MARK) => {
                    ("preceded by a byte-order mark".to_owned(), Some(Mistake::ByteOrderMark))
                }
                Some(rest) if is_encoded_twice(rest) => {
                    ("a string that holds JSON".to_owned(), Some(Mistake::EncodedTwice))
                }
                _ => (describe(text, at), None),
            };
            return Err(Undivided::NotABatch { found, mistake });
        }
    }
    let mut ordinal = 0;
    at = scan::skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        at += 1;
    } else {
        loop {
            if ordinal == MAX_ELEMENTS {
                return Err(Undivided::TooMany);
            }
            ordinal += 1;
            poll::check();
            let end = element(Place { text, at, is_line: false })
                .map_err(|u| broken("an element never ends", ordinal, u.offset))?;
            if end == at {
                return Err(broken("an element is missing", ordinal, at));
            }
            at = scan::skip_space(text, end);
            match text.get(at) {
                Some(b',') => at = scan::skip_space(text, at + 1),
                Some(b']') => break at += 1,
                None => return Err(broken("the array never ends", ordinal, at)),
                Some(_) => return Err(broken("expected a comma", ordinal, at)),
            }
        }
    }
    // What is made of the elements takes about as much again.
    poll::need(heap::live());
    at = scan::skip_space(text, at);
    if at < text.len() {
        return Err(broken("text follows the array", ordinal, at));
    }
    Ok(())
}

/// Objects on a line each. Blank lines are no elements. One object may have several lines if there is no other.
fn lines<'t>(
    text: &'t [u8],
    start: usize,
    mut element: impl FnMut(Place<'t>) -> Result<usize, Unbalanced>,
) -> Result<(), Undivided> {
    let mut ordinal = 0;
    let mut at = start;
    while at < text.len() {
        if ordinal == MAX_ELEMENTS {
            return Err(Undivided::TooMany);
        }
        ordinal += 1;
        poll::check();
        let mut end = at + memchr::memchr(b'\n', &text[at..]).unwrap_or(text.len() - at);
        if ordinal == 1
            && end < text.len()
            && scan::skip_value(&text[..end], at).is_err()
            && let Ok(whole) = scan::skip_value(text, at)
        {
            if scan::skip_space(text, whole) == text.len() {
                end = text.len();
            } else if scan::trim(&text[at..end]) == b"{" {
                return Err(broken(GOES_ON, 1, end));
            }
        }
        element(Place { text: &text[..end], at, is_line: true })
            .map_err(|u| broken("an element never ends", ordinal, u.offset))?;
        at = scan::skip_space(text, end);
    }
    poll::need(heap::live());
    Ok(())
}

/// Whether a text is a JSON string of which the text is an object or an array again.
pub(crate) fn is_encoded_twice(text: &[u8]) -> bool {
    let Some(mut rest) = text.strip_prefix(b"\"") else { return false };
    loop {
        rest = match rest {
            [b' ', rest @ ..] | [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            [b'{', b'\\' | b'}', ..] | [b'[', b'{' | b'\\' | b']', ..] => return true,
            _ => return false,
        };
    }
}

/// A message without an allocation: there may be millions of such elements.
pub(crate) fn not_an_object(text: &[u8], at: usize) -> &'static str {
    match text.get(at) {
        Some(b'[') => "an element must be an object, not an array",
        Some(b'"') if is_encoded_twice(&text[at..]) => {
            "an element must be an object, not a string that holds one: it was encoded twice"
        }
        Some(b'"') => "an element must be an object, not a string",
        Some(b'n') => "an element must be an object, not null",
        Some(b't' | b'f') => "an element must be an object, not a boolean",
        Some(b'-' | b'0'..=b'9') => "an element must be an object, not a number",
        Some(_) if text[at..].starts_with(BYTE_ORDER_MARK) => {
            "an element must be an object, not malformed JSON: a byte-order mark precedes it"
        }
        _ => "an element must be an object, not malformed JSON",
    }
}

/// "a number", for messages.
pub(crate) fn describe(text: &[u8], at: usize) -> String {
    match text.get(at) {
        None => "empty".to_owned(),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b'"') if is_encoded_twice(&text[at..]) => {
            "a string that holds JSON: it was encoded twice".to_owned()
        }
        Some(b'"') => "a string".to_owned(),
        Some(b'n') => "null".to_owned(),
        Some(b't' | b'f') => "a boolean".to_owned(),
        Some(b'-' | b'0'..=b'9') => "a number".to_owned(),
        Some(_) => "malformed JSON".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Result<Vec<&str>, Undivided> {
        let mut found = Vec::new();
        divide(text.as_bytes(), |place| {
            let end = match place.is_line {
                true => place.text.len(),
                false => scan::skip_value(place.text, place.at)?,
            };
            found.push(&text[place.at..end]);
            Ok(end)
        })?;
        Ok(found)
    }

    #[test]
    fn an_array_or_a_line_each() {
        for text in [" [{},{} ] ", "{}\n{}", "\n{}\r\n \n\t{}\n\n"] {
            let found = elements(text).unwrap();
            assert_eq!(found.iter().map(|e| e.trim()).collect::<Vec<_>>(), ["{}", "{}"], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_ends_with_it() {
        let text = "{\"a\": \"\n{\"b\": 1}\n[\nx\n{]";
        assert_eq!(elements(text).unwrap(), ["{\"a\": \"", "{\"b\": 1}", "[", "x", "{]"]);
    }

    #[test]
    fn one_object_may_have_several_lines() {
        assert_eq!(elements("{\n\"a\": 1\n}\n").unwrap(), ["{\n\"a\": 1\n}\n"]);
        assert!(matches!(elements("{\n}\n{\n}"), Err(Undivided::Broken { ordinal: 1, .. })));
        assert_eq!(elements("{\"a\":\n1}\n{}").unwrap().len(), 3);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("\u{feff}[]", Some(Mistake::ByteOrderMark)),
            (r#""[{\"a\":1}]""#, Some(Mistake::EncodedTwice)),
            (r#"" \n{\"a\":1}""#, Some(Mistake::EncodedTwice)),
            (r#""[]""#, Some(Mistake::EncodedTwice)),
            (r#""[x]""#, None),
            ("", None),
            ("null", None),
        ] {
            let Err(Undivided::NotABatch { mistake, .. }) = elements(text) else {
                panic!("{text}")
            };
            assert_eq!(mistake, expected, "{text}");
        }
    }
}
