//! SQL as words, names, texts, numbers and symbols. What begins a comment, a dollar quote, a parameter or an
//! escape is no token: the text is then not understood, whatever stands in it.

/// A longer text is no expression of a table.
const MAX_LENGTH: usize = 16_384;
const OPERATOR_BYTES: &[u8] = b"+-*/<>=~!@#%^&|`?";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    /// A word, in lower case as Postgres reads it.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text(String),
    /// `B'101'`.
    Bits(&'t str),
    Number(&'t str),
    Symbol(&'t str),
}

impl Token<'_> {
    /// As a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Word(word) => word.to_uppercase(),
            Token::Name(name) => crate::ident::quote(name),
            Token::Text(_) => "a text in quotes".to_owned(),
            Token::Bits(_) => "a bit string".to_owned(),
            Token::Number(text) | Token::Symbol(text) => (*text).to_owned(),
        }
    }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it is longer than {MAX_LENGTH} bytes"));
    }
    if text.contains('\0') {
        return Err("it holds a character that no text of Postgres has".to_owned());
    }
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    let run = |start: usize, class: fn(&u8) -> bool| {
        start + bytes[start..].iter().take_while(|byte| class(byte)).count()
    };
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        tokens.push(match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                at += 1;
                continue;
            }
            b'\'' | b'"' => {
                let (content, end) = quoted(text, at)?;
                at = end;
                match byte {
                    b'\'' => Token::Text(content),
                    _ if content.is_empty() => return Err("a name must not be empty".to_owned()),
                    _ => Token::Name(content),
                }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                at = run(start, is_in_word);
                let word = &text[start..at];
                match (word, bytes.get(at)) {
                    ("b" | "B", Some(b'\'')) => {
                        let end = run(at + 1, |byte| matches!(byte, b'0' | b'1'));
                        if bytes.get(end) != Some(&b'\'') || bytes.get(end + 1) == Some(&b'\'') {
                            return Err("it holds a bit string that is none".to_owned());
                        }
                        let bits = &text[at + 1..end];
                        at = end + 1;
                        Token::Bits(bits)
                    }
                    // As Kepler writes a backslash: no other escapes.
                    ("e" | "E", Some(b'\'')) => {
                        let (content, end) = quoted(text, at)?;
                        let doubled = content.replace("\\\\", "");
                        if doubled.contains('\\') {
                            return Err("escapes in texts are not understood".to_owned());
                        }
                        at = end;
                        Token::Text(content.replace("\\\\", "\\"))
                    }
                    ("x" | "X" | "n" | "N", Some(b'\'')) => {
                        return Err(format!("{word}'…' is not understood: write '…'"));
                    }
                    ("u" | "U", Some(b'&')) if matches!(bytes.get(at + 1), Some(b'\'' | b'"')) => {
                        return Err("Unicode escapes are not understood".to_owned());
                    }
                    _ => Token::Word(word.to_ascii_lowercase()),
                }
            }
            b'0'..=b'9' => {
                at = number(bytes, start);
                if bytes.get(at).is_some_and(|byte| is_in_word(byte) || *byte == b'.') {
                    return Err("it holds a number that is none".to_owned());
                }
                Token::Number(&text[start..at])
            }
            b'.' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                at = number(bytes, start);
                if bytes.get(at).is_some_and(|byte| is_in_word(byte) || *byte == b'.') {
                    return Err("it holds a number that is none".to_owned());
                }
                Token::Number(&text[start..at])
            }
            b'(' | b')' | b'[' | b']' | b',' | b'.' => {
                at += 1;
                Token::Symbol(&text[start..at])
            }
            b':' if bytes.get(at + 1) == Some(&b':') => {
                at += 2;
                Token::Symbol(&text[start..at])
            }
            _ if OPERATOR_BYTES.contains(&byte) => {
                let symbol = operator(text, start)?;
                at += symbol.len();
                Token::Symbol(symbol)
            }
            _ => {
                let character = text[start..].chars().next().unwrap_or_default();
                return Err(format!("{character:?} has no place in it"));
            }
        });
    }
    Ok(tokens)
}

fn is_in_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// The content of what is quoted from `start` on, and where it ends.
fn quoted(text: &str, start: usize) -> Result<(String, usize), String> {
    let bytes = text.as_bytes();
    let quote = char::from(bytes[start]);
    let mut content = String::new();
    let mut at = start;
    loop {
        let rest = &text[at + 1..];
        let length = rest.find(quote).ok_or("a quote does not end")?;
        content.push_str(&rest[..length]);
        at += length + 2;
        if bytes.get(at) != Some(&bytes[start]) {
            return Ok((content, at));
        }
        content.push(quote);
    }
}

fn number(bytes: &[u8], start: usize) -> usize {
    let digits = |from: usize| {
        from + bytes
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut at = digits(start);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign);
        if end > at + 1 + sign {
            at = end;
        }
    }
    at
}

/// The operator from `start` on, by Postgres' rule: it ends before a sign, unless an unusual character is in it.
fn operator(text: &str, start: usize) -> Result<&str, String> {
    let rest = &text.as_bytes()[start..];
    let mut length = rest.iter().take_while(|byte| OPERATOR_BYTES.contains(byte)).count();
    let whole = &text[start..start + length];
    if whole.contains("--") || whole.contains("/*") {
        return Err("comments have no place in it".to_owned());
    }
    if !whole.bytes().any(|byte| b"~!@#%^&|`?".contains(&byte)) {
        while length > 1 && matches!(rest[length - 1], b'+' | b'-') {
            length -= 1;
        }
    }
    Ok(&text[start..start + length])
}
