//! A schema as its text says it, before anything is looked up.

use super::source::Place;

/// A word, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) place: Place,
}

/// All blocks of all files.
#[derive(Debug, Default)]
pub(super) struct Blocks<'t> {
    pub(super) models: Vec<Model<'t>>,
    pub(super) enums: Vec<Enum<'t>>,
    pub(super) types: Vec<Word<'t>>,
    pub(super) datasources: Vec<Config<'t>>,
    /// A block could not be read at all: whoever refers to it is not to blame.
    pub(super) lost: bool,
}

/// A model or a view.
#[derive(Debug)]
pub(super) struct Model<'t> {
    pub(super) name: Word<'t>,
    pub(super) view: bool,
    pub(super) comment: Vec<&'t str>,
    pub(super) fields: Vec<Field<'t>>,
    pub(super) attributes: Vec<Attribute<'t>>,
    /// Some of its lines could not be read.
    pub(super) broken: bool,
}

#[derive(Debug)]
pub(super) struct Field<'t> {
    pub(super) name: Word<'t>,
    pub(super) kind: TypeName<'t>,
    pub(super) arity: Arity,
    pub(super) comment: Vec<&'t str>,
    pub(super) attributes: Vec<Attribute<'t>>,
}

/// The type that a field names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TypeName<'t> {
    Named(Word<'t>),
    /// `Unsupported("…")`.
    Unsupported(String, Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    Required,
    Optional,
    List,
}

#[derive(Debug)]
pub(super) struct Enum<'t> {
    pub(super) name: Word<'t>,
    pub(super) comment: Vec<&'t str>,
    pub(super) values: Vec<EnumValue<'t>>,
    pub(super) attributes: Vec<Attribute<'t>>,
    pub(super) broken: bool,
}

#[derive(Debug)]
pub(super) struct EnumValue<'t> {
    pub(super) name: Word<'t>,
    pub(super) attributes: Vec<Attribute<'t>>,
}

/// A `datasource`.
#[derive(Debug)]
pub(super) struct Config<'t> {
    pub(super) name: Word<'t>,
    pub(super) settings: Vec<(Word<'t>, Value<'t>)>,
    pub(super) broken: bool,
}

/// `@name(…)` or `@@name(…)`.
#[derive(Debug)]
pub(super) struct Attribute<'t> {
    pub(super) name: Word<'t>,
    pub(super) arguments: Vec<Argument<'t>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument<'t> {
    pub(super) name: Option<Word<'t>>,
    pub(super) value: Value<'t>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value<'t> {
    pub(super) place: Place,
    pub(super) kind: ValueKind<'t>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ValueKind<'t> {
    String(String),
    Number(&'t str),
    /// A name, perhaps with dots.
    Word(&'t str),
    Call(Word<'t>, Vec<Argument<'t>>),
    List(Vec<Value<'t>>),
    Object(Vec<(Word<'t>, Value<'t>)>),
}

impl Value<'_> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match &self.kind {
            ValueKind::String(_) => "a string".to_owned(),
            ValueKind::Number(text) => format!("the number {}", crate::json::shorten(text)),
            ValueKind::Word(word) => format!("\"{}\"", crate::json::shorten(word)),
            ValueKind::Call(name, _) => format!("{}(…)", crate::json::shorten(name.text)),
            ValueKind::List(_) => "a list".to_owned(),
            ValueKind::Object(_) => "an object".to_owned(),
        }
    }
}
