//! The language of one line: fields, values of enums, settings and attributes. A line is all that an error can
//! spoil, so that the reader of blocks goes on with the next one.
//!
//! The grammar is that of Prisma's own parser (`psl/schema-ast/src/parser/datamodel.pest` of prisma-engines).

use super::ast::{Argument, Arity, Attribute, TypeName, Value, ValueKind, Word};
use super::source::{Place, is_space};
use crate::json::Json;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat, separated, terminated};
use winnow::error::{AddContext, ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stateful, Stream};
use winnow::token::{literal, one_of, rest, take_while};

/// Values within values: each takes stack.
const MAX_DEPTH: usize = 32;

/// A line, and where it begins.
pub(super) type Input<'t> = Stateful<LocatingSlice<&'t str>, Place>;
type Parsed<T> = Result<T, ErrMode<Expected>>;

/// Where reading stopped, and what would have gone on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expected {
    at: usize,
    what: Option<&'static str>,
}

impl<'t> ParserError<Input<'t>> for Expected {
    type Inner = Self;

    fn from_input(input: &Input<'t>) -> Self {
        Self { at: input.current_token_start(), what: None }
    }

    fn or(self, other: Self) -> Self {
        if self.at > other.at { self } else { other }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

impl<'t> AddContext<Input<'t>, &'static str> for Expected {
    fn add_context(
        mut self,
        _: &Input<'t>,
        _: &<Input<'t> as Stream>::Checkpoint,
        what: &'static str,
    ) -> Self {
        self.what.get_or_insert(what);
        self
    }
}

/// Reads a whole line with a parser. An error comes as its place and its sentence.
pub(super) fn whole<'t, T>(
    line: &'t str,
    place: Place,
    parser: impl Parser<Input<'t>, T, ErrMode<Expected>>,
) -> Result<T, (Place, String)> {
    let mut input = Stateful { input: LocatingSlice::new(line), state: place };
    let parsed = terminated(parser, (space, opt(comment), end)).parse_next(&mut input);
    parsed.map_err(|error| {
        let Expected { at, what } = error.into_inner().unwrap_or(Expected { at: 0, what: None });
        let found = line.get(at..).unwrap_or_default();
        let sentence = match what {
            Some(what) if what.contains(' ') && what.ends_with('.') => {
                what.trim_end_matches('.').to_owned()
            }
            what => {
                format!("expected {}, not {}", what.unwrap_or("the end of the line"), named(found))
            }
        };
        (place.plus(at), sentence)
    })
}

/// What comes next, for a message.
fn named(found: &str) -> String {
    let word: String = found.chars().take_while(|&c| is_word(c)).take(60).collect();
    match found.chars().next() {
        None => "the end of the line".to_owned(),
        Some(_) if !word.is_empty() => format!("\"{word}\""),
        Some('"') => "a string".to_owned(),
        Some(c) => format!("\"{c}\""),
    }
}

/// Letters of every script, as Prisma's own parser takes them; digits are ASCII.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || c == '_' || c == '-'
}

fn space<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    take_while(0.., is_space).parse_next(input)
}

fn comment<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    preceded(literal("//"), rest).parse_next(input)
}

fn end(input: &mut Input<'_>) -> Parsed<()> {
    if input.is_empty() { Ok(()) } else { Err(ErrMode::Backtrack(Expected::from_input(input))) }
}

/// What a parser read, and where it began.
fn placed<'t, T>(
    mut parser: impl Parser<Input<'t>, T, ErrMode<Expected>>,
) -> impl FnMut(&mut Input<'t>) -> Parsed<(Place, T)> {
    move |input| {
        let place = input.state.plus(input.current_token_start());
        Ok((place, parser.parse_next(input)?))
    }
}

/// A parser with space before it.
fn after_space<'t, T>(
    parser: impl Parser<Input<'t>, T, ErrMode<Expected>>,
) -> impl Parser<Input<'t>, T, ErrMode<Expected>> {
    preceded(space, parser)
}

fn mark<'t>(text: &'static str) -> impl Parser<Input<'t>, &'t str, ErrMode<Expected>> {
    after_space(literal(text))
}

/// A name as Prisma has them, or one with an underscore in front, which is told later.
pub(super) fn name<'t>(input: &mut Input<'t>) -> Parsed<Word<'t>> {
    let letters = (one_of(|c: char| c != '-' && is_word(c)), take_while(0.., is_word));
    let (place, text) = placed(letters.take()).parse_next(input)?;
    Ok(Word { text, place })
}

/// Names with dots between them.
fn path<'t>(input: &mut Input<'t>) -> Parsed<Word<'t>> {
    let names = separated::<_, _, (), _, _, _, _>(1.., name, literal("."));
    let (place, text) = placed(names.take()).parse_next(input)?;
    Ok(Word { text, place })
}

fn string(input: &mut Input<'_>) -> Parsed<String> {
    literal("\"").parse_next(input)?;
    let body = input.input.as_ref().as_bytes();
    let mut at = 0;
    loop {
        match body.get(at) {
            None => {
                let what = Some("the string is not closed.");
                return Err(ErrMode::Cut(Expected { at: input.current_token_start() - 1, what }));
            }
            Some(b'"') => break,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
    let start = input.current_token_start();
    let text = input.next_slice(at);
    input.next_slice(1);
    match Json::parse(&format!("\"{text}\"")) {
        Ok(Json::String(text)) => Ok(text),
        _ => {
            let what = Some(
                "the string holds a control character, or a backslash that escapes nothing: strings are those of JSON.",
            );
            Err(ErrMode::Cut(Expected { at: start, what }))
        }
    }
}

fn number<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    let digits = |input: &mut Input<'t>| -> Parsed<&'t str> {
        take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input)
    };
    (opt(literal("-")), digits, opt((literal("."), digits))).take().parse_next(input)
}

fn value<'t>(depth: usize) -> impl FnMut(&mut Input<'t>) -> Parsed<Value<'t>> {
    move |input| {
        crate::poll::check();
        space(input)?;
        let place = input.state.plus(input.current_token_start());
        if depth > MAX_DEPTH {
            let what = Some("values are nested too deep.");
            return Err(ErrMode::Cut(Expected { at: input.current_token_start(), what }));
        }
        let kind = match input.input.chars().next() {
            Some('[') => ValueKind::List(list(input, depth)?),
            Some('{') => ValueKind::Object(object(input, depth)?),
            Some('"') => ValueKind::String(string(input)?),
            Some('-' | '0'..='9') => {
                ValueKind::Number(number.context("a number").parse_next(input)?)
            }
            _ => {
                let word = path.context("a value").parse_next(input)?;
                match opt(mark("(")).parse_next(input)? {
                    Some(_) => ValueKind::Call(word, arguments(input, depth + 1)?),
                    None => ValueKind::Word(word.text),
                }
            }
        };
        Ok(Value { place, kind })
    }
}

fn list<'t>(input: &mut Input<'t>, depth: usize) -> Parsed<Vec<Value<'t>>> {
    let comma = mark(",");
    literal("[").parse_next(input)?;
    if opt(mark("]")).parse_next(input)?.is_some() {
        return Ok(Vec::new());
    }
    let items = separated(1.., value(depth + 1), comma).parse_next(input)?;
    cut_err((opt(mark(",")), mark("]"))).context("\",\" or \"]\"").parse_next(input)?;
    Ok(items)
}

fn object<'t>(input: &mut Input<'t>, depth: usize) -> Parsed<Vec<(Word<'t>, Value<'t>)>> {
    literal("{").parse_next(input)?;
    if opt(mark("}")).parse_next(input)?.is_some() {
        return Ok(Vec::new());
    }
    let key = cut_err(terminated(after_space(name), mark(":")).context("a name and \":\""));
    let pairs = separated(1.., (key, value(depth + 1)), mark(",")).parse_next(input)?;
    cut_err(mark("}")).context("\",\" or \"}\"").parse_next(input)?;
    Ok(pairs)
}

fn argument<'t>(depth: usize) -> impl FnMut(&mut Input<'t>) -> Parsed<Argument<'t>> {
    move |input| {
        let named = opt(terminated(after_space(name), mark(":"))).parse_next(input)?;
        Ok(Argument { name: named, value: value(depth)(input)? })
    }
}

/// What follows the opening parenthesis.
fn arguments<'t>(input: &mut Input<'t>, depth: usize) -> Parsed<Vec<Argument<'t>>> {
    if opt(mark(")")).parse_next(input)?.is_some() {
        return Ok(Vec::new());
    }
    let items = separated(1.., argument(depth), mark(",")).parse_next(input)?;
    cut_err((opt(mark(",")), mark(")"))).context("\",\" or \")\"").parse_next(input)?;
    Ok(items)
}

fn attribute<'t>(sign: &'static str) -> impl FnMut(&mut Input<'t>) -> Parsed<Attribute<'t>> {
    move |input| {
        crate::poll::check();
        mark(sign).parse_next(input)?;
        let name = after_space(path).context("the name of an attribute");
        let name = cut_err(name).parse_next(input)?;
        let arguments = match opt(mark("(")).parse_next(input)? {
            Some(_) => arguments(input, 0)?,
            None => Vec::new(),
        };
        Ok(Attribute { name, arguments })
    }
}

fn attributes<'t>(input: &mut Input<'t>) -> Parsed<Vec<Attribute<'t>>> {
    repeat(0.., attribute("@")).parse_next(input)
}

/// `@@name(…)`.
pub(super) fn block_attribute<'t>(input: &mut Input<'t>) -> Parsed<Attribute<'t>> {
    attribute("@@")(input)
}

/// A field without its comment.
pub(super) type FieldLine<'t> = (Word<'t>, TypeName<'t>, Arity, Vec<Attribute<'t>>);

/// `name Type @attributes`.
pub(super) fn field<'t>(input: &mut Input<'t>) -> Parsed<FieldLine<'t>> {
    let name = name.context("the name of a field, or \"@@\"").parse_next(input)?;
    refuse(":", "a field has no colon behind its name.").parse_next(input)?;
    space(input)?;
    refuse("[", "a list is written Type[], not [Type].").parse_next(input)?;
    let (kind, arity) = cut_err(type_name.context("the type of the field")).parse_next(input)?;
    let attributes = attributes(input)?;
    Ok((name, kind, arity, attributes))
}

fn type_name<'t>(input: &mut Input<'t>) -> Parsed<(TypeName<'t>, Arity)> {
    let word = name(input)?;
    let kind = if word.text == "Unsupported" && input.input.starts_with('(') {
        let quoted = delimited(literal("("), after_space(string), mark(")"));
        let text = cut_err(quoted.context("a string, the type in SQL")).parse_next(input)?;
        TypeName::Unsupported(text, word.place)
    } else {
        TypeName::Named(word)
    };
    let arity = opt(alt((mark("[]"), mark("?")))).parse_next(input)?;
    refuse("?", "a list cannot be optional: Type[] or Type?.").parse_next(input)?;
    refuse("!", "a field is required without \"!\".").parse_next(input)?;
    let arity = match arity {
        Some("[]") => Arity::List,
        Some(_) => Arity::Optional,
        None => Arity::Required,
    };
    Ok((kind, arity))
}

/// What other versions of the language had.
fn refuse<'t>(
    text: &'static str,
    sentence: &'static str,
) -> impl FnMut(&mut Input<'t>) -> Parsed<()> {
    move |input| {
        if input.input.trim_start_matches(is_space).starts_with(text) {
            space(input)?;
            let at = input.current_token_start();
            return Err(ErrMode::Cut(Expected { at, what: Some(sentence) }));
        }
        Ok(())
    }
}

/// A value of an enum.
pub(super) fn enum_value<'t>(input: &mut Input<'t>) -> Parsed<(Word<'t>, Vec<Attribute<'t>>)> {
    (name.context("the name of a value, or \"@@\""), attributes).parse_next(input)
}

/// `name = value`.
pub(super) fn setting<'t>(input: &mut Input<'t>) -> Parsed<(Word<'t>, Value<'t>)> {
    let name = name.context("the name of a setting").parse_next(input)?;
    cut_err(mark("=").context("\"=\"")).parse_next(input)?;
    Ok((name, value(0)(input)?))
}
