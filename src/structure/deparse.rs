//! Reads the expressions that Postgres prints for checks, defaults and the columns of indexes.
//!
//! Postgres prints what it understood, not what was written: implicit casts appear, lists become
//! arrays, numbers lose or gain quotes. What is printed is fully parenthesised, which makes a small
//! grammar enough. It is strict: what it does not know gives `None`, and is left alone by everyone.
//! The text must have been printed under the settings of `kepler_internal.table_facts`.

use super::constant::Constant;
use super::model::Op;
use crate::field_types::kind::{FieldKind, NativeType};

/// A deeper expression cannot be one of Kepler's.
const MAX_DEPTH: usize = 32;
const MAX_CASTS: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Column(String),
    /// A literal in quotes, whose type is the cast around it.
    Quoted(String),
    Number(String),
    Boolean(bool),
    Null,
    /// A word in upper case that is a function: `CURRENT_DATE`.
    Keyword(String),
    Call(String, Vec<Expression>),
    Array(Vec<Expression>),
    Cast(Box<Expression>, Type),
    Operation(String, Box<Expression>, Box<Expression>),
    /// `left op ANY (right)`.
    Any(String, Box<Expression>, Box<Expression>),
    And(Vec<Expression>),
}

/// The type of a cast, as Postgres prints it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Type {
    /// Where it is not `pg_catalog`.
    pub(super) schema: Option<String>,
    /// Without modifier and brackets: `character varying`, `timestamp with time zone`.
    name: String,
    pub(super) modifier: Vec<u32>,
    pub(super) array: bool,
}

impl Expression {
    pub(super) fn parse(text: &str) -> Option<Expression> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let expression = parser.expression(0)?;
        (parser.at == parser.tokens.len()).then_some(expression)
    }

    /// Without the casts around it, which are given from the outermost inwards.
    pub(super) fn uncast(&self) -> (&Expression, Vec<&Type>) {
        let (mut inner, mut casts) = (self, Vec::new());
        while let Expression::Cast(of, cast) = inner {
            casts.push(cast);
            inner = of;
        }
        (inner, casts)
    }

    /// What must hold each: a conjunction's parts.
    pub(super) fn conjuncts(&self) -> Vec<&Expression> {
        match self {
            Expression::And(parts) => parts.iter().flat_map(Expression::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// The value as one of a column of the given type. `None` if it is no constant, or not exactly
    /// a value of that type: a cast between may round, cut, or depend on the time zone.
    pub(super) fn constant(&self, kind: &FieldKind, list: bool) -> Option<Constant> {
        let (inner, casts) = self.uncast();
        if !casts.iter().all(|cast| cast.array == list && cast.keeps_constants(kind)) {
            return None;
        }
        let constant = match inner {
            Expression::Quoted(text) if !casts.is_empty() => from_output(kind, list, text)?,
            Expression::Array(items) if list => items
                .iter()
                .map(|item| item.constant(kind, false))
                .collect::<Option<_>>()
                .map(Constant::List)?,
            Expression::Number(text) if !list && is_number(kind) => {
                Constant::from_output(kind, false, text)?
            }
            Expression::Boolean(value) if !list && *kind == FieldKind::Boolean => {
                Constant::Boolean(*value)
            }
            _ => return None,
        };
        // A modifier is printed where it is applied, and it may change the value.
        casts.iter().all(|cast| cast.fits(kind, list, &constant)).then_some(constant)
    }
}

impl Type {
    /// The name of a type of `pg_catalog`, as Postgres prints it.
    pub(super) fn name(&self) -> Option<&str> {
        self.schema.is_none().then_some(self.name.as_str())
    }

    /// Whether this is the type, leaving modifiers and brackets aside.
    fn is(&self, schema: Option<&str>, name: &str) -> bool {
        let printed = match (schema, name) {
            (None, "int2") => "smallint",
            (None, "float4") => "real",
            (None, "bpchar") if !self.modifier.is_empty() => "character",
            (None, "varchar") => "character varying",
            (None, "varbit") => "bit varying",
            (None, "time") => "time without time zone",
            (None, "timetz") => "time with time zone",
            (None, "timestamp") => "timestamp without time zone",
            (None, "timestamptz") => "timestamp with time zone",
            _ => name,
        };
        self.schema.as_deref() == schema && self.name == printed
    }

    /// Whether this is the type of a column, which does nothing more to a value that was so cast.
    pub(super) fn is_of(&self, native: &NativeType) -> bool {
        let same = |(own, of): (&u32, &String)| own.to_string() == *of;
        let modifiers = &native.modifiers;
        self.is(native.schema.as_deref(), &native.name)
            && (self.modifier.is_empty()
                || self.modifier.len() == modifiers.len()
                    && self.modifier.iter().zip(modifiers).all(same))
    }

    /// Whether a literal of the type reads as the same value in a column of the kind.
    fn keeps_constants(&self, kind: &FieldKind) -> bool {
        match kind {
            FieldKind::NamedEnum { schema, name } => self.is(Some(schema), name),
            FieldKind::Native(native) => {
                self.is(native.schema.as_deref(), &native.name)
                    || match native.constant_kind() {
                        FieldKind::Integer | FieldKind::Bigint => {
                            matches!(self.name(), Some("smallint" | "integer" | "bigint"))
                        }
                        FieldKind::Float => {
                            matches!(self.name(), Some("smallint" | "integer" | "numeric"))
                        }
                        _ => {
                            self.is(None, "text")
                                && native.schema.is_none()
                                && matches!(native.name.as_str(), "varchar" | "bpchar")
                        }
                    }
            }
            kind => self.name().is_some_and(|name| keeps_constants(name, kind)),
        }
    }

    fn fits(&self, column: &FieldKind, list: bool, constant: &Constant) -> bool {
        if let FieldKind::Native(native) = column {
            return self.modifier.is_empty() || self.is_of(native);
        }
        let kind = match (self.name.as_str(), self.modifier.as_slice()) {
            (_, []) => return true,
            ("character varying", [length]) => FieldKind::Text { max_length: Some(*length) },
            ("numeric", [precision, scale]) if scale <= precision && *precision <= 1000 => {
                FieldKind::Decimal { precision: Some((*precision as u16, *scale as u16)) }
            }
            _ => return false,
        };
        Constant::from_output(&kind, list, &constant.input()).is_some()
    }
}

/// As [`Constant::from_output`], also of money as the C locale prints it.
fn from_output(kind: &FieldKind, list: bool, text: &str) -> Option<Constant> {
    match kind {
        FieldKind::Native(NativeType { schema: None, name, .. }) if name == "money" && !list => {
            Constant::from_output(kind, false, &text.replace(['$', ','], ""))
        }
        _ => Constant::from_output(kind, list, text),
    }
}

fn is_number(kind: &FieldKind) -> bool {
    let native = match kind {
        FieldKind::Native(native) => Some(native.constant_kind()),
        _ => None,
    };
    matches!(
        native.as_ref().unwrap_or(kind),
        FieldKind::Integer | FieldKind::Bigint | FieldKind::Decimal { .. } | FieldKind::Float
    )
}

/// Whether a literal of a type reads as the same value in a column of the kind.
fn keeps_constants(type_name: &str, kind: &FieldKind) -> bool {
    match type_name {
        "text" | "character varying" => matches!(kind, FieldKind::Text { .. }),
        "smallint" | "integer" | "bigint" | "numeric" => is_number(kind),
        "double precision" => *kind == FieldKind::Float,
        "boolean" => *kind == FieldKind::Boolean,
        "date" => *kind == FieldKind::Date,
        "time without time zone" => *kind == FieldKind::Time,
        "timestamp with time zone" => *kind == FieldKind::Timestamp,
        "uuid" => *kind == FieldKind::Uuid,
        "jsonb" => *kind == FieldKind::Json,
        _ => false,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'t> {
    Word(&'t str),
    /// A name in double quotes.
    Name(String),
    Text(String),
    Number(&'t str),
    Symbol(&'t str),
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    // The end of a run of bytes of one class; all of them are ASCII.
    let run = |start: usize, class: fn(&u8) -> bool| {
        start + bytes[start..].iter().take_while(|b| class(b)).count()
    };
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        tokens.push(match byte {
            b' ' | b'\n' => {
                at += 1;
                continue;
            }
            b'\'' | b'"' => {
                let quote = char::from(byte);
                let mut content = String::new();
                loop {
                    let rest = &text[at + 1..];
                    let length = rest.find(quote)?;
                    content.push_str(&rest[..length]);
                    at += length + 2;
                    if bytes.get(at) != Some(&byte) {
                        break;
                    }
                    content.push(quote);
                }
                if byte == b'"' { Token::Name(content) } else { Token::Text(content) }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = run(start, |b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'$');
                Token::Word(&text[start..at])
            }
            b'0'..=b'9' => {
                at = run(start, |b| b.is_ascii_digit() || *b == b'.');
                Token::Number(&text[start..at])
            }
            b'(' | b')' | b'[' | b']' | b',' | b'.' => {
                at += 1;
                Token::Symbol(&text[start..at])
            }
            b':' => {
                at += 2;
                Token::Symbol(text.get(start..at).filter(|symbol| *symbol == "::")?)
            }
            b'<' | b'>' | b'=' | b'@' | b'#' => {
                at = run(start, |b| b"+-*/<>=~!@#%^&|`?".contains(b));
                Token::Symbol(&text[start..at])
            }
            _ => return None,
        });
    }
    Some(tokens)
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let there = self.peek() == Some(&token);
        self.at += usize::from(there);
        there
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.take(Token::Symbol(symbol))
    }

    fn word(&mut self, word: &str) -> bool {
        self.take(Token::Word(word))
    }

    fn expression(&mut self, depth: usize) -> Option<Expression> {
        if depth > MAX_DEPTH {
            return None;
        }
        let first = self.operand(depth)?;
        if self.word("AND") {
            let mut parts = vec![first, self.operand(depth)?];
            while self.word("AND") {
                parts.push(self.operand(depth)?);
            }
            return Some(Expression::And(parts));
        }
        let Some(Token::Symbol(symbol)) = self.peek() else { return Some(first) };
        let symbol = *symbol;
        if Op::from_symbol(symbol).is_none() && !matches!(symbol, "<@" | "#>>") {
            return Some(first);
        }
        self.at += 1;
        let name = symbol.to_owned();
        if !self.word("ANY") {
            return Some(Expression::Operation(name, first.into(), self.operand(depth)?.into()));
        }
        self.symbol("(").then_some(())?;
        let list = self.expression(depth + 1)?;
        self.symbol(")").then_some(Expression::Any(name, first.into(), list.into()))
    }

    /// One operand with the casts behind it.
    fn operand(&mut self, depth: usize) -> Option<Expression> {
        let mut expression = self.primary(depth)?;
        let mut casts = 0;
        while self.symbol("::") {
            casts += 1;
            if casts > MAX_CASTS {
                return None;
            }
            expression = Expression::Cast(expression.into(), self.type_name()?);
        }
        Some(expression)
    }

    fn primary(&mut self, depth: usize) -> Option<Expression> {
        let token = self.peek()?.clone();
        self.at += 1;
        let first = match token {
            Token::Text(text) => return Some(Expression::Quoted(text)),
            Token::Number(text) => return Some(Expression::Number(text.to_owned())),
            Token::Symbol("(") => {
                let expression = self.expression(depth + 1)?;
                return self.symbol(")").then_some(expression);
            }
            Token::Symbol(_) => return None,
            Token::Word("true") => return Some(Expression::Boolean(true)),
            Token::Word("false") => return Some(Expression::Boolean(false)),
            Token::Word("NULL") => return Some(Expression::Null),
            Token::Word("ARRAY") => {
                self.symbol("[").then_some(())?;
                return self.list("]", depth).map(Expression::Array);
            }
            Token::Word("B") if matches!(self.peek(), Some(Token::Text(_))) => {
                let Some(Token::Text(bits)) = self.peek().cloned() else { return None };
                self.at += 1;
                return Some(Expression::Quoted(bits));
            }
            // A name would be in quotes.
            Token::Word(word) if word.bytes().any(|b| b.is_ascii_uppercase()) => {
                return Some(Expression::Keyword(word.to_owned()));
            }
            Token::Word(word) => word.to_owned(),
            Token::Name(name) => name,
        };
        let function = if self.symbol(".") {
            format!("{first}.{}", self.name()?)
        } else if self.peek() == Some(&Token::Symbol("(")) {
            first
        } else {
            return Some(Expression::Column(first));
        };
        self.symbol("(").then_some(())?;
        Some(Expression::Call(function, self.list(")", depth)?))
    }

    fn name(&mut self) -> Option<String> {
        let name = match self.peek()? {
            Token::Word(word) => (*word).to_owned(),
            Token::Name(name) => name.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// Expressions between commas up to the closing symbol.
    fn list(&mut self, end: &str, depth: usize) -> Option<Vec<Expression>> {
        let mut items = Vec::new();
        if self.symbol(end) {
            return Some(items);
        }
        loop {
            items.push(self.expression(depth + 1)?);
            if self.symbol(end) {
                return Some(items);
            }
            self.symbol(",").then_some(())?;
        }
    }

    fn type_name(&mut self) -> Option<Type> {
        let mut name = self.name()?;
        let mut schema = None;
        if self.symbol(".") {
            schema = Some(std::mem::replace(&mut name, self.name()?));
        }
        for (first, second) in
            [("double", "precision"), ("character", "varying"), ("bit", "varying")]
        {
            if name == first && schema.is_none() && self.word(second) {
                name = format!("{first} {second}");
            }
        }
        let mut modifier = Vec::new();
        if self.symbol("(") {
            loop {
                let Some(Token::Number(digits)) = self.peek() else { return None };
                modifier.push(digits.parse().ok()?);
                self.at += 1;
                if self.symbol(")") {
                    break;
                }
                self.symbol(",").then_some(())?;
            }
        }
        for zone in ["with", "without"] {
            if self.word(zone) {
                (self.word("time") && self.word("zone")).then_some(())?;
                name = format!("{name} {zone} time zone");
            }
        }
        let array = self.symbol("[");
        if array && !self.symbol("]") {
            return None;
        }
        Some(Type { schema, name, modifier, array })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_are_undone() {
        let column = Expression::Column("Od\"d".to_owned());
        assert_eq!(Expression::parse(r#""Od""d""#), Some(column));
        let text = Expression::parse(r"'it''s \'''::text").map(|e| e.uncast().0.clone());
        assert_eq!(text, Some(Expression::Quoted(r"it's \'".to_owned())));
        for text in
            ["", "'a", "\"a", "E'a'", "a b", "a::", "(a", "a)", "a:b", "f(a,)", "'a'::text[1]"]
        {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let wrapped = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
        assert!(Expression::parse(&wrapped(MAX_DEPTH)).is_some());
        assert_eq!(Expression::parse(&wrapped(100_000)), None);
        assert_eq!(Expression::parse(&"f(".repeat(100_000)), None);
        assert_eq!(Expression::parse(&format!("a{}", "::text".repeat(100_000))), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(
            text in "\\PC*",
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "'x'", "5", "(", ")", "[", "]", ",", "::", ".", "text", "numeric", ">=", "<@",
                    "=", " AND ", " ANY ", "ARRAY", "NULL", "\"", "'", "character varying", "time",
                    " with time zone", "true", "é", ":", "lower",
                ]),
                0..20,
            ),
        ) {
            for text in [text, pieces.concat()] {
                if let Some(expression) = Expression::parse(&text) {
                    for list in [false, true] {
                        expression.constant(&FieldKind::Text { max_length: None }, list);
                        expression.constant(&FieldKind::Float, list);
                    }
                }
            }
        }
    }
}
