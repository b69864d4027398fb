//! Reads an expression into a tree, with the precedences of Postgres. What is not an expression, and what
//! tables have no use for, is refused with the reason.

mod names;

use super::lexer::{Token, tokens};
use super::tree::{Name, Node, Type};
use crate::ident::is_keyword;

/// A deeper expression is none that anybody wrote.
pub(in crate::structure) const MAX_DEPTH: usize = 40;
/// The longest chain of operators, casts or tests of one level, each of which makes the tree deeper.
const MAX_CHAIN: usize = 40;
const COMPARISONS: [&str; 7] = ["=", "<>", "!=", "<", ">", "<=", ">="];

type Parsed = Result<Node, String>;

/// Reads the whole text.
pub(in crate::structure) fn parse(text: &str) -> Parsed {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let node = parser.expression(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

fn too_deep() -> String {
    "it is nested too deeply".to_owned()
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    fn peek_word(&self, ahead: usize) -> Option<&str> {
        match self.tokens.get(self.at + ahead)? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            None => "it ends too early".to_owned(),
            Some(token) => format!("{} is not understood where it stands", token.shown()),
        }
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.peek_word(0) == Some(word);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expression(&mut self, depth: usize) -> Parsed {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut parts = vec![self.conjunction(depth)?];
        while self.word("or") {
            parts.push(self.conjunction(depth)?);
        }
        Ok(if parts.len() > 1 { Node::Or(parts) } else { parts.remove(0) })
    }

    fn conjunction(&mut self, depth: usize) -> Parsed {
        let mut parts = vec![self.negation(depth)?];
        while self.word("and") {
            parts.push(self.negation(depth)?);
        }
        Ok(if parts.len() > 1 { Node::And(parts) } else { parts.remove(0) })
    }

    fn negation(&mut self, depth: usize) -> Parsed {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        if self.word("not") {
            return Ok(Node::Not(self.negation(depth + 1)?.into()));
        }
        let mut node = self.comparison(depth)?;
        for _ in 0..MAX_CHAIN {
            let (negated, what) = if self.word("is") {
                let negated = self.word("not");
                let what = ["null", "true", "false", "unknown"].into_iter().find(|w| self.word(w));
                (negated, what.ok_or_else(|| self.unexpected())?)
            } else if self.word("isnull") {
                (false, "null")
            } else if self.word("notnull") {
                (true, "null")
            } else {
                return Ok(node);
            };
            node = Node::Is { of: node.into(), what, negated };
        }
        Err(too_deep())
    }

    fn comparison(&mut self, depth: usize) -> Parsed {
        let left = self.matching(depth)?;
        let Some(symbol) = self.peek_symbol(|symbol| COMPARISONS.contains(&symbol)) else {
            return Ok(left);
        };
        self.at += 1;
        let operator = Name::bare(if symbol == "!=" { "<>" } else { symbol });
        if let Some(all) = self.quantifier() {
            return self.any(operator, all, left, depth);
        }
        Ok(Node::Operation(operator, left.into(), self.matching(depth)?.into()))
    }

    fn peek_symbol(&self, test: impl Fn(&str) -> bool) -> Option<&'t str> {
        match self.peek() {
            Some(Token::Symbol(symbol)) if test(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// ANY (or SOME) is false, ALL is true.
    fn quantifier(&mut self) -> Option<bool> {
        if self.word("any") || self.word("some") {
            return Some(false);
        }
        self.word("all").then_some(true)
    }

    fn any(&mut self, operator: Name, all: bool, left: Node, depth: usize) -> Parsed {
        self.expect("(")?;
        let list = self.expression(depth + 1)?.into();
        self.expect(")")?;
        Ok(Node::Any { operator, all, left: left.into(), list })
    }

    /// IN, LIKE, ILIKE and BETWEEN.
    fn matching(&mut self, depth: usize) -> Parsed {
        let left = self.operation(0, depth)?;
        let negated = self.peek_word(0) == Some("not");
        let operator = match self.peek_word(usize::from(negated)) {
            Some("in") => "in",
            Some("between") => "between",
            Some("like") if negated => "!~~",
            Some("like") => "~~",
            Some("ilike") if negated => "!~~*",
            Some("ilike") => "~~*",
            _ => return Ok(left),
        };
        self.at += 1 + usize::from(negated);
        match operator {
            "in" => {
                self.expect("(")?;
                let items = self.list(")", depth)?;
                if items.is_empty() {
                    return Err("IN needs values".to_owned());
                }
                Ok(Node::In { negated, left: left.into(), items })
            }
            "between" => {
                let low = self.operation(0, depth)?;
                self.expect_word("and")?;
                let high = self.operation(0, depth)?;
                let compare = |operator: &str, bound: Node| {
                    Node::Operation(Name::bare(operator), left.clone().into(), bound.into())
                };
                Ok(if negated {
                    Node::Or(vec![compare("<", low), compare(">", high)])
                } else {
                    Node::And(vec![compare(">=", low), compare("<=", high)])
                })
            }
            operator => {
                let operator = Name::bare(operator);
                match self.quantifier() {
                    Some(all) => self.any(operator, all, left, depth),
                    None => {
                        Ok(Node::Operation(operator, left.into(), self.operation(0, depth)?.into()))
                    }
                }
            }
        }
    }

    /// Operators other than comparisons, all of which associate to the left.
    fn operation(&mut self, lowest: u8, depth: usize) -> Parsed {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut left = self.zone(depth)?;
        for _ in 0..MAX_CHAIN {
            let (operator, precedence) = if self.is_qualified_operator() {
                (None, 1)
            } else {
                let of_operator =
                    |symbol: &str| !COMPARISONS.contains(&symbol) && !"()[],.::".contains(symbol);
                match self.peek_symbol(of_operator) {
                    None => return Ok(left),
                    Some(symbol) => (Some(symbol), precedence(symbol)),
                }
            };
            if precedence <= lowest {
                return Ok(left);
            }
            let operator = match operator {
                Some(symbol) => {
                    self.at += 1;
                    Name::bare(symbol)
                }
                None => self.qualified_operator()?,
            };
            if let Some(all) = self.quantifier() {
                left = self.any(operator, all, left, depth)?;
                continue;
            }
            let right = self.operation(precedence, depth + 1)?;
            left = Node::Operation(operator, left.into(), right.into());
        }
        Err(too_deep())
    }

    fn is_qualified_operator(&self) -> bool {
        self.peek_word(0) == Some("operator")
            && self.tokens.get(self.at + 1) == Some(&Token::Symbol("("))
    }

    /// `OPERATOR(schema.symbol)`.
    fn qualified_operator(&mut self) -> Result<Name, String> {
        self.at += 2;
        let schema = self.name()?;
        self.expect(".")?;
        let symbol = self.peek_symbol(|symbol| !"()[],.::".contains(symbol));
        let name = symbol.ok_or_else(|| self.unexpected())?.to_owned();
        self.at += 1;
        self.expect(")")?;
        Ok(Name { schema: Some(schema), name })
    }

    fn zone(&mut self, depth: usize) -> Parsed {
        let mut node = self.unary(depth)?;
        for _ in 0..MAX_CHAIN {
            if !(self.peek_word(0) == Some("at") && self.peek_word(1) == Some("time")) {
                return Ok(node);
            }
            self.at += 2;
            self.expect_word("zone")?;
            node = Node::Zone(node.into(), self.unary(depth)?.into());
        }
        Err(too_deep())
    }

    fn unary(&mut self, depth: usize) -> Parsed {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        if self.is_qualified_operator() {
            let operator = self.qualified_operator()?;
            return Ok(Node::Prefix(operator, self.unary(depth + 1)?.into()));
        }
        let Some(symbol) = self.peek_symbol(|symbol| matches!(symbol, "-" | "+")) else {
            return self.postfix(depth);
        };
        self.at += 1;
        let of = self.unary(depth + 1)?;
        Ok(match of {
            Node::Number(text) if symbol == "+" => Node::Number(text),
            Node::Number(text) if !text.starts_with('-') => Node::Number(format!("-{text}")),
            of => Node::Prefix(Name::bare(symbol), of.into()),
        })
    }

    /// An operand with casts and collations behind it.
    fn postfix(&mut self, depth: usize) -> Parsed {
        let mut node = self.primary(depth)?;
        for _ in 0..MAX_CHAIN {
            node = if self.symbol("::") {
                Node::Cast(node.into(), self.type_name()?)
            } else if self.word("collate") {
                Node::Collate(node.into(), self.qualified_name()?)
            } else {
                return Ok(node);
            };
        }
        Err(too_deep())
    }

    fn primary(&mut self, depth: usize) -> Parsed {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        match token {
            Token::Text(text) => {
                self.at += 1;
                Ok(Node::Text(text))
            }
            Token::Number(text) => {
                self.at += 1;
                Ok(Node::Number(text.to_owned()))
            }
            Token::Bits(text) => {
                self.at += 1;
                Ok(Node::Cast(Node::Text(text.to_owned()).into(), Type::plain("bit")))
            }
            Token::Symbol("(") => {
                self.at += 1;
                if matches!(self.peek_word(0), Some("select" | "with" | "values" | "table")) {
                    return Err("a query has no place in it".to_owned());
                }
                let node = self.expression(depth + 1)?;
                self.expect(")")?;
                Ok(node)
            }
            Token::Symbol(_) => Err(self.unexpected()),
            Token::Word(word) => self.of_word(&word, depth),
            Token::Name(_) => self.of_name(depth),
        }
    }

    /// What begins with a word: a value, a form of its own, or a name.
    fn of_word(&mut self, word: &str, depth: usize) -> Parsed {
        let opens = self.tokens.get(self.at + 1) == Some(&Token::Symbol("("));
        let start = self.at;
        self.at += 1;
        match word {
            "true" => return Ok(Node::Boolean(true)),
            "false" => return Ok(Node::Boolean(false)),
            "null" => return Ok(Node::Null),
            "array" => {
                self.expect("[")?;
                return Ok(Node::Array(self.list("]", depth)?));
            }
            "cast" => {
                self.expect("(")?;
                let node = self.expression(depth + 1)?;
                self.expect_word("as")?;
                let cast = Node::Cast(node.into(), self.type_name()?);
                self.expect(")")?;
                return Ok(cast);
            }
            "current_timestamp" | "localtimestamp" | "current_time" | "localtime" => {
                let mut precision = None;
                if self.symbol("(") {
                    precision = Some(self.small_number()?);
                    self.expect(")")?;
                }
                return Ok(Node::Value(word.to_owned(), precision));
            }
            "current_date" | "current_user" | "session_user" | "current_role" | "user"
            | "current_catalog" | "current_schema" => {
                return Ok(Node::Value(word.to_owned(), None));
            }
            "extract" if opens => {
                self.at += 1;
                let part = match self.peek() {
                    Some(Token::Word(part)) => part.clone(),
                    Some(Token::Text(part)) => part.to_ascii_lowercase(),
                    _ => return Err(self.unexpected()),
                };
                self.at += 1;
                self.expect_word("from")?;
                let of = self.expression(depth + 1)?;
                self.expect(")")?;
                return Ok(Node::Call(Name::bare("extract"), vec![Node::Text(part), of]));
            }
            _ => {}
        }
        for form in ["coalesce", "greatest", "least"] {
            if word == form && opens {
                self.at += 1;
                return Ok(Node::Form(form, self.list(")", depth)?));
            }
        }
        self.at = start;
        if is_keyword(word) && !(opens && matches!(word, "left" | "right")) {
            return Err(self.unexpected());
        }
        self.of_name(depth)
    }

    /// What begins with a name: a literal of a type, a call, or a column.
    fn of_name(&mut self, depth: usize) -> Parsed {
        let start = self.at;
        if let Ok(of_type) = self.type_name()
            && let Some(Token::Text(text)) = self.peek()
        {
            let text = Node::Text(text.clone());
            self.at += 1;
            return Ok(Node::Cast(text.into(), of_type));
        }
        self.at = start;
        let name = self.qualified_name()?;
        if self.symbol("(") {
            return Ok(Node::Call(name, self.list(")", depth)?));
        }
        match name.schema {
            None => Ok(Node::Column(name.name)),
            Some(_) => Err("a column is named without its table".to_owned()),
        }
    }

    /// Expressions between commas up to the closing symbol.
    fn list(&mut self, end: &str, depth: usize) -> Result<Vec<Node>, String> {
        let mut items = Vec::new();
        if self.symbol(end) {
            return Ok(items);
        }
        if matches!(self.peek_word(0), Some("select" | "with" | "values" | "table")) {
            return Err("a query has no place in it".to_owned());
        }
        loop {
            items.push(self.expression(depth + 1)?);
            if self.symbol(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }
}

fn precedence(symbol: &str) -> u8 {
    match symbol {
        "^" => 4,
        "*" | "/" | "%" => 3,
        "+" | "-" => 2,
        _ => 1,
    }
}
