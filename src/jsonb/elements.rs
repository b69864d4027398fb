//! Cuts the text of a JSON array into its elements. What an element is, the caller says.

use super::scan::{self, Unbalanced};
use crate::heap;
use crate::poll;

/// A call takes so many elements: what it keeps of each may be larger than its text.
pub(crate) const MAX_ELEMENTS: usize = 4_000_000;

/// Why a text has no elements, or where they can no longer be told apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undivided {
    /// "is an object".
    NotAnArray {
        found: String,
    },
    /// At the element with this number (from 1), in bytes from the start of the text.
    Broken {
        problem: &'static str,
        ordinal: usize,
        offset: usize,
    },
    TooMany,
}

/// Calls `element` with the position of each element; it gives the position behind it.
pub(crate) fn divide(
    text: &[u8],
    mut element: impl FnMut(usize) -> Result<usize, Unbalanced>,
) -> Result<(), Undivided> {
    let mut at = scan::skip_space(text, 0);
    if text.get(at) != Some(&b'[') {
        return Err(Undivided::NotAnArray { found: describe(text, at) });
    }
    let broken = |problem, ordinal, offset| Undivided::Broken { problem, ordinal, offset };
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
            let end =
                element(at).map_err(|u| broken("an element never ends", ordinal, u.offset))?;
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

/// A message without an allocation: there may be millions of such elements.
pub(crate) fn not_an_object(text: &[u8], at: usize) -> &'static str {
    match text.get(at) {
        Some(b'[') => "an element must be an object, not an array",
        Some(b'"') => "an element must be an object, not a string",
        Some(b'n') => "an element must be an object, not null",
        Some(b't' | b'f') => "an element must be an object, not a boolean",
        Some(b'-' | b'0'..=b'9') => "an element must be an object, not a number",
        _ => "an element must be an object, not malformed JSON",
    }
}

/// "a number", for messages.
pub(crate) fn describe(text: &[u8], at: usize) -> String {
    match text.get(at) {
        None => "empty".to_owned(),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b'"') => "a string".to_owned(),
        Some(b'n') => "null".to_owned(),
        Some(b't' | b'f') => "a boolean".to_owned(),
        Some(b'-' | b'0'..=b'9') => "a number".to_owned(),
        Some(_) => "malformed JSON".to_owned(),
    }
}
