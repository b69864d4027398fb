//! Defaults, read from what Postgres prints of them as Prisma's engine reads them.
//!
//! The engine compares values where it finds a value, and texts where it does not. What it takes for another value than it
//! is, is left to the database (`dbgenerated()`), which the engine finds equal to anything.

use super::types::Family;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Default {
    Now,
    Autoincrement,
    Value(Value),
    List(Vec<Value>),
    /// An expression.
    Generated(String),
    /// What Prisma would read otherwise than it is.
    Opaque,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A number or a truth value, as it is written.
    Plain(String),
    Text(String),
    /// The label of an enum.
    Label(String),
}

/// The longest number that Prisma's parser reads.
const MAX_DIGITS: usize = 300;

/// The default of a column; None for NULL.
pub(super) fn read(expression: &str, family: Family, list: bool) -> Option<Default> {
    if expression.trim().starts_with("NULL") {
        return None;
    }
    let generated = || Default::Generated(expression.to_owned());
    let tokens = tokens(expression);
    let mut reader = Reader { tokens: &tokens, is_misread: false };
    if list {
        let values = reader.list(family);
        if reader.is_misread {
            return Some(Default::Opaque);
        }
        return Some(match values {
            // Prisma's parser wants an expression here, and the engine finds a list.
            Some(_) if family == Family::Unsupported => Default::Opaque,
            Some(values) => Default::List(values),
            None => generated(),
        });
    }
    let found = reader.scalar(family);
    let is_read = reader.tokens.is_empty();
    Some(match found {
        _ if reader.is_misread => Default::Opaque,
        Some(found) if is_read => found,
        // The engine forgives one word behind a value.
        Some(_) if reader.tokens.len() == 1 => Default::Opaque,
        _ => generated(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    /// One character: `, ( ) [ ] { } - .`
    Sign(char),
    Cast,
    /// In double quotes, which are taken off.
    Quoted(&'t str),
    /// In single quotes, which are taken off.
    Literal(&'t str),
    Digits(&'t str),
    Word(&'t str),
    Unknown,
}

/// The words of an expression; what is not closed is unknown.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            _ if first.is_ascii_whitespace() => {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
                continue;
            }
            ',' | '(' | ')' | '[' | ']' | '{' | '}' | '-' | '.' => (Token::Sign(first), 1),
            ':' if rest.starts_with("::") => (Token::Cast, 2),
            '\'' => match end_of_literal(rest) {
                Some(end) => (Token::Literal(&rest[1..end]), end + 1),
                None => (Token::Unknown, rest.len()),
            },
            '"' => match end_of_quoted(rest) {
                Some(end) => (Token::Quoted(&rest[1..end]), end + 1),
                None => (Token::Unknown, rest.len()),
            },
            _ if first.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                (Token::Digits(&rest[..end]), end)
            }
            // The engine looks for E'…' here, and ends the word.
            'e' | 'E' if !rest[1..].starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                (Token::Word(&rest[..1]), 1)
            }
            _ if first.is_ascii_alphabetic() => {
                let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let end = rest.find(is_end).unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
            _ => (Token::Unknown, first.len_utf8()),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

/// Where the closing quote of a literal stands: doubled ones do not close it.
fn end_of_literal(text: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        let quote = at + text[at..].find('\'')?;
        if !text[quote + 1..].starts_with('\'') {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// The same in an array, where a backslash stands before what does not count.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let closes = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        closes.then_some(at)
    })
}

fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    /// Whether the engine finds another value than there is.
    is_misread: bool,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<Token<'t>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(*first)
    }

    fn eat(&mut self, token: Token<'_>) -> bool {
        let is_next = self.tokens.first() == Some(&token);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn scalar(&mut self, family: Family) -> Option<Default> {
        if family == Family::DateTime {
            return self.now();
        }
        if matches!(family, Family::Int | Family::BigInt) && self.is_sequence() {
            return Some(Default::Autoincrement);
        }
        self.value(family).map(Default::Value)
    }

    fn now(&mut self) -> Option<Default> {
        let Token::Word(function) = self.next()? else { return None };
        if self.eat(Token::Sign('(')) && !self.eat(Token::Sign(')')) {
            return None;
        }
        self.cast()?;
        let is_now =
            ["now", "current_timestamp"].iter().any(|now| function.eq_ignore_ascii_case(now));
        is_now.then_some(Default::Now)
    }

    /// `nextval('a.b'::regclass)`.
    fn is_sequence(&mut self) -> bool {
        let [Token::Word(function), Token::Sign('('), rest @ ..] = self.tokens else {
            return false;
        };
        if !function.eq_ignore_ascii_case("nextval") || !rest.ends_with(&[Token::Sign(')')]) {
            return false;
        }
        self.tokens = &[];
        true
    }

    fn value(&mut self, family: Family) -> Option<Value> {
        match family {
            Family::String | Family::Json => self.literal().map(Value::Text),
            Family::Int | Family::BigInt => self.integer(),
            Family::Float | Family::Decimal => self.number(),
            Family::Boolean => match self.next()? {
                Token::Word(word) => truth(word),
                _ => None,
            },
            Family::Bytes => bytes(&self.literal()?).map(Value::Text),
            Family::Enum(_) => match self.tokens.first()? {
                Token::Word(word) => {
                    self.next();
                    self.cast()?;
                    Some(Value::Label((*word).to_owned()))
                }
                _ => self.literal().map(Value::Label),
            },
            Family::DateTime | Family::Uuid | Family::Unsupported => None,
        }
    }

    /// A text, and what it is cast to.
    fn literal(&mut self) -> Option<String> {
        let Token::Literal(text) = self.next()? else { return None };
        self.cast()?;
        Some(text.replace("''", "'"))
    }

    fn integer(&mut self) -> Option<Value> {
        let text = match self.tokens.first()? {
            Token::Literal(_) => self.literal()?,
            _ => self.signed(false)?,
        };
        text.parse::<i64>().ok()?;
        Some(Value::Plain(text))
    }

    fn number(&mut self) -> Option<Value> {
        let number = self.decimal()?;
        // Prisma's parser makes a floating point number of it.
        self.is_misread |= number.len() > MAX_DIGITS;
        Some(Value::Plain(number))
    }

    fn decimal(&mut self) -> Option<String> {
        if matches!(self.tokens.first()?, Token::Literal(_)) {
            let text = self.literal()?;
            let words = tokens(&text);
            let mut inner = Reader { tokens: &words, is_misread: false };
            let number = inner.signed(true)?;
            // The engine reads 1 for 1e-07.
            self.is_misread |= !inner.tokens.is_empty();
            return Some(number);
        }
        let in_brackets = self.eat(Token::Sign('('));
        let number = self.signed(true)?;
        if in_brackets && !self.eat(Token::Sign(')')) {
            return None;
        }
        self.cast()?;
        Some(number)
    }

    fn signed(&mut self, with_fraction: bool) -> Option<String> {
        let mut text = String::new();
        if self.eat(Token::Sign('-')) {
            text.push('-');
        }
        let Token::Digits(digits) = self.next()? else { return None };
        text.push_str(digits);
        if with_fraction && self.eat(Token::Sign('.')) {
            let Token::Digits(digits) = self.next()? else { return None };
            text.push('.');
            text.push_str(digits);
        }
        Some(text)
    }

    /// A cast, where there is one.
    fn cast(&mut self) -> Option<()> {
        if !self.eat(Token::Cast) {
            return Some(());
        }
        while let Some(Token::Word(_) | Token::Quoted(_) | Token::Sign('.')) = self.tokens.first() {
            self.next();
        }
        if self.eat(Token::Sign('(')) {
            while self.next()? != Token::Sign(')') {}
        }
        if self.eat(Token::Sign('[')) && !self.eat(Token::Sign(']')) {
            return None;
        }
        Some(())
    }

    fn list(&mut self, family: Family) -> Option<Vec<Value>> {
        match self.tokens.first()? {
            Token::Literal(_) => {
                let text = self.literal()?;
                let words = tokens(&text);
                let mut inner = Reader { tokens: &words, is_misread: false };
                let values = inner.array(family);
                self.is_misread |= values.is_some() && inner.is_misread;
                values
            }
            Token::Word(_) | Token::Sign('(') => self.constructor(family),
            _ => None,
        }
    }

    /// `ARRAY[…]`.
    fn constructor(&mut self, family: Family) -> Option<Vec<Value>> {
        self.eat(Token::Sign('('));
        let Token::Word(array) = self.next()? else { return None };
        if !array.eq_ignore_ascii_case("array") || !self.eat(Token::Sign('[')) {
            return None;
        }
        let mut values = Vec::new();
        while !self.eat(Token::Sign(']')) {
            let is_null = self.tokens.first() == Some(&Token::Word("NULL"));
            values.push(self.value(family)?);
            self.is_misread |= is_null;
            match self.next()? {
                Token::Sign(']') => break,
                Token::Sign(',') => {}
                _ => return None,
            }
        }
        Some(values)
    }

    /// `{…}`, the text of an array.
    fn array(&mut self, family: Family) -> Option<Vec<Value>> {
        if !self.eat(Token::Sign('{')) {
            return None;
        }
        let mut values = Vec::new();
        if self.eat(Token::Sign('}')) {
            return Some(values);
        }
        loop {
            values.push(match self.tokens.first()? {
                Token::Word(word) => {
                    self.next();
                    self.is_misread |= word.eq_ignore_ascii_case("null");
                    element(word, family)?
                }
                Token::Quoted(text) => {
                    self.next();
                    element(&without_backslashes(text), family)?
                }
                // Quotes that belong to the element.
                Token::Literal(text) => {
                    self.next();
                    self.is_misread = true;
                    element(text, family)?
                }
                Token::Sign('-') | Token::Digits(_) => match family {
                    Family::Int | Family::BigInt => self.integer()?,
                    Family::Float | Family::Decimal => self.number()?,
                    _ => return None,
                },
                _ => return None,
            });
            match self.next()? {
                Token::Sign(',') => {}
                Token::Sign('}') => return Some(values),
                _ => return None,
            }
        }
    }
}

fn truth(word: &str) -> Option<Value> {
    let is = |words: [&str; 2]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    let value = if is(["t", "true"]) { "true" } else { is(["f", "false"]).then_some("false")? };
    Some(Value::Plain(value.to_owned()))
}

/// In base 64, as Prisma writes it.
fn bytes(text: &str) -> Option<String> {
    let digits =
        text.strip_prefix("\\x").filter(|digits| digits.is_ascii() && digits.len() % 2 == 0)?;
    let bytes: Result<Vec<u8>, _> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16))
        .collect();
    Some(STANDARD.encode(bytes.ok()?))
}

/// An element of an array's text.
fn element(text: &str, family: Family) -> Option<Value> {
    match family {
        Family::Int | Family::BigInt => {
            text.parse::<i64>().ok().map(|_| Value::Plain(text.to_owned()))
        }
        // None that a column can hold is written so.
        Family::Float | Family::Decimal => None,
        Family::String | Family::Json => Some(Value::Text(text.to_owned())),
        Family::Boolean => truth(text),
        Family::Enum(_) => Some(Value::Label(text.to_owned())),
        Family::DateTime | Family::Bytes | Family::Uuid | Family::Unsupported => None,
    }
}

#[cfg(test)]
mod tests;
