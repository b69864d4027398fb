//! What a credential of one provider looks like: a literal, and what stands behind it.

use super::placeholder::{is_monotonous, is_placeholder};
use super::{Certainty, Found};

/// Which characters a part is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    /// `0-9a-f`, in either case.
    Hex,
    Digits,
    Letters,
    Upper,
    /// `A-Z2-7`.
    Base32,
    Alphanumeric,
    /// Beside these `_`.
    Word,
    /// Beside these `-`: base64url without padding.
    Url,
    /// Beside these `.`, `~`, `=`, `+`, `/`, `%`: whatever base64 and tokens are of.
    Token,
    /// Base64 with padding.
    Base64,
}

impl Class {
    pub(super) fn has(self, b: u8) -> bool {
        match self {
            Class::Hex => b.is_ascii_hexdigit(),
            Class::Digits => b.is_ascii_digit(),
            Class::Letters => b.is_ascii_alphabetic(),
            Class::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Class::Base32 => b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b),
            Class::Alphanumeric => b.is_ascii_alphanumeric(),
            Class::Word => b.is_ascii_alphanumeric() || b == b'_',
            Class::Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
            Class::Token => {
                b.is_ascii_alphanumeric()
                    || matches!(b, b'_' | b'-' | b'.' | b'~' | b'=' | b'+' | b'/' | b'%')
            }
            Class::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
        }
    }

    /// How many bytes of the class a text begins with, of `limit`.
    pub(super) fn run(self, text: &[u8], limit: usize) -> usize {
        text.iter().take(limit).take_while(|b| self.has(**b)).count()
    }
}

/// What stands behind the literal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// So many characters: at least, at most.
    Run(Class, usize, usize),
    Text(&'static str),
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) kind: &'static str,
    pub(super) certainty: Certainty,
    pub(super) literals: &'static [&'static str],
    pub(super) parts: &'static [Part],
}

pub(super) fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// The letter of an escape, `\n` in a text that is itself in JSON, is no part of the word behind it.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    match text[..at] {
        [.., b'\\', b'n' | b'r' | b't'] | [] => true,
        [.., b] => !is_word(b),
    }
}

/// Whether it is a piece of something in base64, such as an image: there letters and digits come in every order.
pub(super) fn in_base64(text: &[u8], at: usize, end: usize) -> bool {
    let is_mark = |b: Option<&u8>| b.is_some_and(|b| matches!(b, b'+' | b'/'));
    is_mark(text[..at].last()) || text.get(end) == Some(&b'+')
}

impl Shape {
    /// The secret that begins with the literal in `text[at..body]`.
    pub(super) fn read(&self, text: &[u8], at: usize, body: usize) -> Option<Found> {
        if !begins_word(text, at) {
            return None;
        }
        let mut end = body;
        let mut random = true;
        for part in self.parts {
            match *part {
                Part::Run(class, least, most) => {
                    let run = class.run(&text[end..], most + 1);
                    if !(least..=most).contains(&run) {
                        return None;
                    }
                    let part = &text[end..end + run];
                    random &= run < 12 || !is_monotonous(part);
                    end += run;
                }
                Part::Text(literal) => {
                    if !text[end..].starts_with(literal.as_bytes()) {
                        return None;
                    }
                    end += literal.len();
                }
            }
        }
        let ends = text.get(end).is_none_or(|b| !is_word(*b));
        // What has no mark of its own in front may stand in base64 by accident.
        let has_mark = text[at..body].iter().any(|b| !b.is_ascii_alphanumeric());
        let apart = has_mark || !in_base64(text, at, end) && text.get(end) != Some(&b'/');
        let is_secret = ends && random && apart && !is_placeholder(&text[body..end]);
        is_secret.then_some(Found { kind: self.kind, certainty: self.certainty, range: at..end })
    }
}
