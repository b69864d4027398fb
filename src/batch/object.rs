//! An element of a batch as an object: its members, or why it is not an object.

use crate::answer::{Code, Rejection};
use crate::jsonb::elements::Place;
use crate::jsonb::parse::{InvalidCharacters, ParseError, Parser, Problem, unescape};
use crate::jsonb::scan::{self, Member, Unbalanced};

/// Calls `member` for each member of an element. Gives the position behind it, and why it is no object, if so. The
/// values are not looked into.
#[inline]
pub(crate) fn object(
    place: Place<'_>,
    member: impl FnMut(Member),
) -> Result<(Result<(), Rejection>, usize), Unbalanced> {
    let Place { text, at, is_line } = place;
    let found = among_others(text, at, member);
    if is_line { Ok((alone(text, at, found), text.len())) } else { found }
}

type Opened = Result<(Result<(), Rejection>, usize), Unbalanced>;

/// What a line says, which is about no other.
fn alone(text: &[u8], at: usize, found: Opened) -> Result<(), Rejection> {
    match found {
        Ok((Ok(()), end)) if scan::skip_space(text, end) < text.len() => {
            let offset = scan::skip_space(text, end) - at;
            Err(invalid_json(ParseError {
                problem: Problem::Expected("the end of the line"),
                offset,
            }))
        }
        Ok((opened, _)) => opened,
        Err(_) if text.get(at) != Some(&b'{') => Err(Rejection::not_an_object(text, at)),
        Err(Unbalanced { offset }) => Err(match check(&text[at..]) {
            Err(error) => invalid_json(error),
            Ok(()) => invalid_json(ParseError {
                problem: Problem::Expected("the end of the element"),
                offset: offset - at,
            }),
        }),
    }
}

#[inline]
fn among_others(text: &[u8], at: usize, member: impl FnMut(Member)) -> Opened {
    if text.get(at) != Some(&b'{') {
        let end = scan::skip_value(text, at)?;
        return Ok((Err(Rejection::not_an_object(text, at)), end));
    }
    match scan::members(text, at, member)? {
        Some(end) => Ok((Ok(()), end)),
        None => {
            // Not well formed: its brackets tell where it ends.
            let end = scan::skip_value(text, at)?;
            let rejection = match check(&text[at..end]) {
                Err(error) => invalid_json(error),
                Ok(()) => Rejection::new(Code::InvalidJson, "the element is not valid JSON"),
            };
            Ok((Err(rejection), end))
        }
    }
}

/// Whether a text is JSON, whatever its characters are.
pub(super) fn check(text: &[u8]) -> Result<(), ParseError> {
    Parser::new(InvalidCharacters::Strip).parse(text, &mut Vec::new())
}

/// What a text that is no `jsonb` means for its element. The error counts its bytes.
pub(crate) fn invalid_json(error: ParseError) -> Rejection {
    let text = format!("{} (byte {} of the element)", error.problem, error.offset);
    Rejection::new(error.problem.into(), text)
}

/// A key without escapes, from the text between its quotes. `buffer` holds the key if it has escapes.
#[inline]
pub(crate) fn key<'k>(raw: &'k [u8], buffer: &'k mut Vec<u8>) -> Result<&'k [u8], ParseError> {
    if !raw.iter().any(|&b| b == b'\\' || b < 0x20) {
        return Ok(raw);
    }
    buffer.clear();
    unescape(raw, InvalidCharacters::Reject, buffer)?;
    Ok(buffer)
}
