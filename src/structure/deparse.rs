//! Reads the expressions that Postgres prints for checks, defaults and the columns of indexes.
//!
//! Postgres prints what it understood, not what was written: implicit casts appear, lists become
//! arrays, numbers lose or gain quotes. `sql_text` reads what is printed. This is strict: what it does not know
//! gives `None`, and is left alone by everyone.
//! The text must have been printed under the settings of `kepler_internal.table_facts`.

use super::constant::Constant;
use super::model::Op;
use super::sql_text::parse;
use super::sql_text::tree::{self, Name, Node};
use crate::field_types::kind::{FieldKind, NativeType};

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
        expression(&parse(text).ok()?)
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

/// What a tree says, if this is about one of the expressions that tables are made of.
fn expression(node: &Node) -> Option<Expression> {
    let each = |nodes: &[Node]| nodes.iter().map(expression).collect::<Option<Vec<_>>>();
    let boxed = |node: &Node| expression(node).map(Box::new);
    Some(match node {
        Node::Text(text) => Expression::Quoted(text.clone()),
        Node::Number(text) => Expression::Number(text.clone()),
        Node::Boolean(value) => Expression::Boolean(*value),
        Node::Null => Expression::Null,
        Node::Column(name) => Expression::Column(name.clone()),
        Node::Value(word, None) => Expression::Keyword(word.to_uppercase()),
        Node::Call(name, arguments) => {
            let function = match &name.schema {
                Some(schema) => format!("{schema}.{}", name.name),
                None => name.name.clone(),
            };
            Expression::Call(function, each(arguments)?)
        }
        Node::Array(items) => Expression::Array(each(items)?),
        Node::Cast(of, cast) => Expression::Cast(boxed(of)?, printed_type(cast)),
        Node::Operation(operator, left, right) => {
            Expression::Operation(known_operator(operator)?, boxed(left)?, boxed(right)?)
        }
        Node::Any { operator, all: false, left, list } => {
            Expression::Any(known_operator(operator)?, boxed(left)?, boxed(list)?)
        }
        Node::And(parts) => Expression::And(each(parts)?),
        _ => return None,
    })
}

fn known_operator(operator: &Name) -> Option<String> {
    let symbol = operator.name.as_str();
    let is_known = Op::from_symbol(symbol).is_some() || matches!(symbol, "<@" | "#>>");
    (operator.schema.is_none() && is_known).then(|| symbol.to_owned())
}

/// A type by the name that Postgres prints.
fn printed_type(of: &tree::Type) -> Type {
    let name = match of.name.name.as_str() {
        name if of.name.schema.is_some() => name,
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" if !of.modifiers.is_empty() => "character",
        "varbit" => "bit varying",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        name => name,
    };
    Type {
        schema: of.name.schema.clone(),
        name: name.to_owned(),
        modifier: of.modifiers.clone(),
        array: of.array,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sql_text::MAX_DEPTH;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_are_undone() {
        let column = Expression::Column("Od\"d".to_owned());
        assert_eq!(Expression::parse(r#""Od""d""#), Some(column));
        let text = Expression::parse(r"'it''s \'''::text").map(|e| e.uncast().0.clone());
        assert_eq!(text, Some(Expression::Quoted(r"it's \'".to_owned())));
        for text in ["", "'a", "\"a", "a b", "a::", "(a", "a)", "a:b", "f(a,)", "'a'::text[1]"] {
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
