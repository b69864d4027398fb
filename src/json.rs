//! A small JSON document as a tree that keeps what the text says: the order of keys and the digits of
//! numbers. For documents that describe something; data goes through `jsonb`.

use crate::jsonb::number::is_number;
use crate::jsonb::parse::{InvalidCharacters, unescape};
use crate::jsonb::scan;
use crate::poll;
use std::fmt::{self, Write};

/// Documents may be nested this deep, the outermost container counted.
pub(crate) const MAX_DEPTH: usize = 64;
/// A document that describes something has so many bytes at most: as a tree it takes forty times as many.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// One value. Numbers are kept in the spelling of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// Keys are unique, in the order of the text.
    Object(Vec<(String, Json)>),
}

/// Why a text is no document, and where, in bytes from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) problem: String,
    pub(crate) offset: usize,
}

impl Json {
    /// Reads a text.
    pub(crate) fn parse(text: &str) -> Result<Json, Broken> {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.broken("text follows the document"));
        }
        Ok(value)
    }

    pub(crate) fn string(text: impl Into<String>) -> Json {
        Json::String(text.into())
    }

    /// The value of a key, if this is an object that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages: "a number".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

/// A key as a token of a JSON Pointer (RFC 6901).
pub(crate) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The start of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// Compact JSON text.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Boolean(value) => write!(f, "{value}"),
            Json::Number(text) => f.write_str(text),
            Json::String(text) => write_string(f, text),
            Json::Array(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Json::Object(pairs) => {
                f.write_char('{')?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    write_string(f, key)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if (c as u32) < 0x20 => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn broken(&self, problem: impl Into<String>) -> Broken {
        Broken { problem: problem.into(), offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        self.at = scan::skip_space(self.text, self.at);
    }

    fn value(&mut self, depth: usize) -> Result<Json, Broken> {
        match self.peek() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Json::Boolean(true)),
            Some(b'f') => self.literal("false", Json::Boolean(false)),
            Some(b'n') => self.literal("null", Json::Null),
            None => Err(self.broken("the text ends where a value is expected")),
            Some(_) => Err(self.broken("expected a value")),
        }
    }

    fn literal(&mut self, word: &str, value: Json) -> Result<Json, Broken> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err(self.broken("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> Result<String, Broken> {
        let start = self.at;
        let end = scan::skip_string(self.text, start)
            .map_err(|_| self.broken("a string without a closing quote"))?;
        let mut out = Vec::new();
        unescape(&self.text[start + 1..end - 1], InvalidCharacters::Reject, &mut out).map_err(
            |error| Broken { problem: error.problem.to_string(), offset: start + 1 + error.offset },
        )?;
        self.at = end;
        String::from_utf8(out).map_err(|_| self.broken("not UTF-8"))
    }

    fn number(&mut self) -> Result<Json, Broken> {
        let start = self.at;
        let end = scan::skip_value(self.text, start)
            .map_err(|_| self.broken("a number that does not end"))?;
        let raw = &self.text[start..end];
        if !is_number(raw) {
            return Err(self.broken("not a number as JSON spells it"));
        }
        self.at = end;
        Ok(Json::Number(String::from_utf8_lossy(raw).into_owned()))
    }

    fn object(&mut self, depth: usize) -> Result<Json, Broken> {
        self.enter(depth)?;
        let mut pairs: Vec<(String, Json)> = Vec::new();
        // A thousand fields would make a search among them slow.
        let mut seen = std::collections::HashSet::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(pairs));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.broken("expected a key in double quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                let problem = format!("the key \"{key}\" is given twice");
                return Err(Broken { problem, offset: start });
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.broken("expected a colon"));
            }
            self.at += 1;
            self.space();
            pairs.push((key, self.value(depth + 1)?));
            poll::check();
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(pairs));
                }
                _ => return Err(self.broken("expected a comma or a closing brace")),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, Broken> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            poll::check();
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.broken("expected a comma or a closing bracket")),
            }
            self.space();
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), Broken> {
        if depth >= MAX_DEPTH {
            return Err(self.broken(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.at += 1;
        self.space();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_digits() {
        let text = r#"{"b":1.50,"a":[true,null,-0,1e400,"\u00e9\n\"\\"],"":{}}"#;
        let printed = Json::parse(text).unwrap().to_string();
        assert_eq!(printed, r#"{"b":1.50,"a":[true,null,-0,1e400,"é\n\"\\"],"":{}}"#);
        assert_eq!(Json::parse(&printed), Json::parse(text));
    }

    #[test]
    fn says_what_is_broken_and_where() {
        for (text, offset) in [
            ("", 0),
            ("{", 1),
            (r#"{"a":1,"a":2}"#, 7),
            ("[1,]", 3),
            ("[01]", 1),
            ("[1.]", 1),
            (r#"["\u0000"]"#, 2),
            (r#"["\ud800"]"#, 2),
            ("[1] 2", 4),
            ("nul", 0),
            ("[tru", 1),
            (r#"{"a" 1}"#, 5),
        ] {
            assert_eq!(Json::parse(text).unwrap_err().offset, offset, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(&deep).unwrap_err().offset, MAX_DEPTH);
        let at_most = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(Json::parse(&at_most).is_ok());
    }
}
