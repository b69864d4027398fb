//! JSON text (RFC 8259) to `jsonb`, in one pass, to the byte what Postgres' own input makes of it.
//!
//! Stricter than Postgres in depth only. What `jsonb` cannot hold, `\u0000` and lone surrogates, is
//! refused or left out, as the caller wishes. The text is known to be UTF-8.

use super::builder::{Builder, TooLarge};
use super::{MAX_DEPTH, number, scan};
use crate::poll;

/// What to do with characters that `jsonb` cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidCharacters {
    Reject,
    Strip,
}

/// Why a text is no `jsonb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("a control character must be escaped")]
    ControlCharacter,
    #[error("\\u0000 cannot be stored")]
    NulCharacter,
    #[error("a lone surrogate (\\ud800 to \\udfff) is not a character")]
    LoneSurrogate,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("a number is out of the range of numeric")]
    NumberOutOfRange,
    #[error("an object or array is larger than jsonb can hold (256 MB)")]
    TooLarge,
}

/// A problem and where it stands, in bytes from the start of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) problem: Problem,
    pub(crate) offset: usize,
}

/// Turns texts into `jsonb` datums, keeping its buffers between them.
pub(crate) struct Parser {
    builder: Builder,
    invalid_characters: InvalidCharacters,
}

impl Parser {
    pub(crate) fn new(invalid_characters: InvalidCharacters) -> Self {
        Self { builder: Builder::default(), invalid_characters }
    }

    /// Appends the datum for `text` to `out`; after an error `out` is as it was.
    pub(crate) fn parse(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ParseError> {
        let before = out.len();
        let result = self.document(text, out);
        if result.is_err() {
            out.truncate(before);
            self.builder.reset();
        }
        result
    }

    fn document(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ParseError> {
        // What an error that unwound left behind.
        self.builder.reset();
        poll::need(3 * text.len());
        let mut cursor = Cursor {
            text,
            at: 0,
            builder: &mut self.builder,
            invalid_characters: self.invalid_characters,
        };
        cursor.space();
        cursor.value(0)?;
        cursor.space();
        if cursor.at < text.len() {
            return Err(cursor.problem(Problem::Expected("the end of the value")));
        }
        let offset = cursor.at;
        self.builder
            .finish(out)
            .map_err(|TooLarge| ParseError { problem: Problem::TooLarge, offset })
    }
}

/// The text of the JSON string between the quotes `raw`, or why it cannot be read.
pub(crate) fn unescape(
    raw: &[u8],
    invalid_characters: InvalidCharacters,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    let mut at = 0;
    while at < raw.len() {
        let run = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
        let plain = &raw[at..at + run];
        if let Some(control) = position_of_control(plain) {
            return Err(ParseError { problem: Problem::ControlCharacter, offset: at + control });
        }
        out.extend_from_slice(plain);
        at += run;
        if at < raw.len() {
            at = unescape_one(raw, at, invalid_characters, out)?;
        }
    }
    Ok(())
}

/// Appends the string whose characters begin at `at`, and gives the position behind its closing quote.
fn string(
    text: &[u8],
    at: usize,
    invalid_characters: InvalidCharacters,
    out: &mut Vec<u8>,
) -> Result<usize, ParseError> {
    // Most strings have no escapes: they end at the first mark.
    let rest = text.get(at..).unwrap_or_default();
    if let Some(length) = memchr::memchr2(b'"', b'\\', rest).filter(|&end| rest[end] == b'"') {
        let plain = &rest[..length];
        if let Some(control) = position_of_control(plain) {
            return Err(ParseError { problem: Problem::ControlCharacter, offset: at + control });
        }
        out.extend_from_slice(plain);
        return Ok(at + length + 1);
    }
    let Ok(end) = scan::skip_string(text, at - 1) else {
        let problem = Problem::Expected("a closing quote");
        return Err(ParseError { problem, offset: at - 1 });
    };
    unescape(&text[at..end - 1], invalid_characters, out)
        .map_err(|error| ParseError { offset: at + error.offset, ..error })?;
    Ok(end)
}

/// Where the first control character stands. Looks at all bytes without a branch first, which the
/// compiler turns into vector instructions.
fn position_of_control(bytes: &[u8]) -> Option<usize> {
    let any = bytes.iter().fold(false, |found, &b| found | (b < 0x20));
    if any { bytes.iter().position(|&b| b < 0x20) } else { None }
}

/// Appends what the escape at `at` stands for; the position behind it.
fn unescape_one(
    raw: &[u8],
    at: usize,
    invalid_characters: InvalidCharacters,
    out: &mut Vec<u8>,
) -> Result<usize, ParseError> {
    let simple = match raw.get(at + 1) {
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'/') => b'/',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_unicode(raw, at, invalid_characters, out),
        _ => {
            let problem = Problem::Expected("one of \" \\ / b f n r t u after the backslash");
            return Err(ParseError { problem, offset: at });
        }
    };
    out.push(simple);
    Ok(at + 2)
}

fn unescape_unicode(
    raw: &[u8],
    at: usize,
    invalid_characters: InvalidCharacters,
    out: &mut Vec<u8>,
) -> Result<usize, ParseError> {
    let unit = |at: usize| -> Option<u32> {
        let digits = raw.get(at + 2..at + 6)?;
        digits.iter().try_fold(0, |value, &b| Some(value * 16 + char::from(b).to_digit(16)?))
    };
    let Some(first) = unit(at) else {
        let problem = Problem::Expected("four hexadecimal digits after \\u");
        return Err(ParseError { problem, offset: at });
    };
    let mut end = at + 6;
    let mut code = first;
    if (0xD800..0xDC00).contains(&first)
        && raw.get(end..end + 2) == Some(b"\\u")
        && let Some(second @ 0xDC00..0xE000) = unit(end)
    {
        code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        end += 6;
    }
    match char::from_u32(code) {
        Some(character) if code != 0 => {
            let mut buffer = [0; 4];
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
        _ if invalid_characters == InvalidCharacters::Strip => {}
        found => {
            let problem =
                if found.is_some() { Problem::NulCharacter } else { Problem::LoneSurrogate };
            return Err(ParseError { problem, offset: at });
        }
    }
    Ok(end)
}

struct Cursor<'t, 'b> {
    text: &'t [u8],
    at: usize,
    builder: &'b mut Builder,
    invalid_characters: InvalidCharacters,
}

impl Cursor<'_, '_> {
    fn problem(&self, problem: Problem) -> ParseError {
        ParseError { problem, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        self.at = scan::skip_space(self.text, self.at);
    }

    /// One value, `depth` containers inside the outermost.
    fn value(&mut self, depth: usize) -> Result<(), ParseError> {
        match self.peek() {
            Some(b'"') => {
                let text = self.text;
                let (at, invalid_characters) = (self.at + 1, self.invalid_characters);
                self.at =
                    self.builder.string_with(|out| string(text, at, invalid_characters, out))?;
                Ok(())
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true").map(|()| self.builder.boolean(true)),
            Some(b'f') => self.literal(b"false").map(|()| self.builder.boolean(false)),
            Some(b'n') => self.literal(b"null").map(|()| self.builder.null()),
            _ => Err(self.problem(Problem::Expected("a value"))),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), ParseError> {
        self.enter(depth)?;
        self.builder.open_object();
        if self.peek() == Some(b'}') {
            return self.leave();
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.problem(Problem::Expected("a key in double quotes")));
            }
            let text = self.text;
            let (at, invalid_characters) = (self.at + 1, self.invalid_characters);
            self.at = self.builder.key_with(|out| string(text, at, invalid_characters, out))?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.problem(Problem::Expected("a colon")));
            }
            self.at += 1;
            self.space();
            self.value(depth + 1)?;
            poll::check();
            if self.builder.is_full() {
                return Err(self.problem(Problem::TooLarge));
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.leave(),
                _ => return Err(self.problem(Problem::Expected("a comma or a closing brace"))),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), ParseError> {
        self.enter(depth)?;
        self.builder.open_array();
        if self.peek() == Some(b']') {
            return self.leave();
        }
        loop {
            self.value(depth + 1)?;
            poll::check();
            if self.builder.is_full() {
                return Err(self.problem(Problem::TooLarge));
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.leave(),
                _ => return Err(self.problem(Problem::Expected("a comma or a closing bracket"))),
            }
            self.space();
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth >= MAX_DEPTH {
            return Err(self.problem(Problem::TooDeep));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn leave(&mut self) -> Result<(), ParseError> {
        self.at += 1;
        self.builder.close().map_err(|TooLarge| self.problem(Problem::TooLarge))
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), ParseError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.problem(Problem::Expected("a value")));
        }
        self.at += word.len();
        Ok(())
    }

    /// `-? (0 | [1-9][0-9]*) ('.' [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let expected = Problem::Expected("a digit");
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return Err(self.problem(expected));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.problem(expected));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.problem(expected));
            }
        }
        self.builder.number(&self.text[start..self.at]).map_err(|number::OutOfRange| ParseError {
            problem: Problem::NumberOutOfRange,
            offset: start,
        })
    }

    fn digits(&mut self) -> usize {
        let count = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }
}
