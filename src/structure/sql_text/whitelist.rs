//! What a document may say in SQL: calls of functions that only compute, types whose input runs nobody's code,
//! operators of Postgres. Resolving a tree checks that, and gives every name its schema.

use super::tree::{Name, Node, Type};
use super::{Names, Place};

/// Functions whose result depends on their arguments alone, or on nothing that an index minds.
const IMMUTABLE: &[&str] = &[
    "abs",
    "array_length",
    "array_position",
    "btrim",
    "cardinality",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "date_part",
    "date_trunc",
    "decode",
    "encode",
    "extract",
    "floor",
    "initcap",
    "json_array_length",
    "json_typeof",
    "jsonb_array_length",
    "jsonb_extract_path_text",
    "jsonb_typeof",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "md5",
    "mod",
    "octet_length",
    "power",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sha256",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "timezone",
    "to_timestamp",
    "trunc",
    "upper",
];

/// Functions for defaults alone. Where rows get a default, the owner evaluates it: none of these may know more than their
/// arguments, the clock and chance.
const OTHER: &[&str] = &[
    "array_to_string",
    "clock_timestamp",
    "concat",
    "concat_ws",
    "format",
    "gen_random_uuid",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "localtimestamp",
    "now",
    "random",
    "repeat",
    "statement_timestamp",
    "string_to_array",
    "to_char",
    "transaction_timestamp",
    "txid_current",
    "uuidv4",
    "uuidv7",
];

/// Functions of schema `kepler`, and whether an index takes them.
const KEPLER: &[(&str, bool)] = &[("cuid", false), ("current_workspace_id", false), ("fold", true)];

const OPERATORS: &[&str] = &[
    "=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "^", "||", "~~", "!~~", "~~*",
    "!~~*", "~", "!~", "~*", "!~*", "->", "->>", "#>", "#>>", "@>", "<@", "?", "?|", "?&", "&&",
];

const TYPES: &[&str] = &[
    "bit",
    "bool",
    "bpchar",
    "bytea",
    "cidr",
    "date",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int8",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "money",
    "numeric",
    "oid",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "uuid",
    "varbit",
    "varchar",
    "xml",
];

/// Texts that are read as the time at which they are read: a default of them would stand still.
const MOVING: &[&str] = &["now", "today", "tomorrow", "yesterday"];

pub(super) struct Whitelist<'w> {
    pub(super) place: Place,
    pub(super) names: &'w Names<'w>,
}

impl Whitelist<'_> {
    /// The same tree with names that mean the same under every search path.
    pub(super) fn resolve(&self, node: &Node) -> Result<Node, String> {
        let each = |nodes: &[Node]| {
            nodes.iter().map(|node| self.resolve(node)).collect::<Result<Vec<_>, _>>()
        };
        let boxed = |node: &Node| self.resolve(node).map(Box::new);
        Ok(match node {
            Node::Text(_) | Node::Number(_) | Node::Boolean(_) | Node::Null => node.clone(),
            Node::Column(name) => self.column(name)?,
            Node::Value(word, _) => {
                if self.place == Place::Predicate {
                    return Err(format!(
                        "{} is not the same for ever, and what an index holds must be",
                        word.to_uppercase()
                    ));
                }
                node.clone()
            }
            Node::Call(name, arguments) => Node::Call(self.function(name)?, each(arguments)?),
            Node::Form(form, arguments) => {
                if arguments.is_empty() {
                    return Err(format!("{} needs arguments", form.to_uppercase()));
                }
                Node::Form(form, each(arguments)?)
            }
            Node::Array(items) => {
                if items.iter().any(|item| matches!(item.uncast().0, Node::Array(_))) {
                    return Err("arrays have one dimension".to_owned());
                }
                Node::Array(each(items)?)
            }
            Node::Cast(of, cast) => {
                let cast = self.type_of(cast)?;
                if let Node::Text(text) = of.as_ref() {
                    literal(text, &cast)?;
                }
                Node::Cast(boxed(of)?, cast)
            }
            Node::Collate(of, name) => {
                if !name.is_plain() || !["C", "POSIX"].contains(&name.name.as_str()) {
                    return Err(format!(
                        "the collation {:?} is none of those that a document may name",
                        name.name
                    ));
                }
                Node::Collate(boxed(of)?, of_catalog(&name.name))
            }
            Node::Zone(of, zone) => Node::Zone(boxed(of)?, boxed(zone)?),
            Node::Prefix(operator, of) => {
                if operator.name != "-" {
                    return Err(format!("{} is not understood before a value", operator.name));
                }
                Node::Prefix(self.operator(operator)?, boxed(of)?)
            }
            Node::Operation(operator, left, right) => {
                Node::Operation(self.operator(operator)?, boxed(left)?, boxed(right)?)
            }
            Node::Any { operator, all, left, list } => Node::Any {
                operator: self.operator(operator)?,
                all: *all,
                left: boxed(left)?,
                list: boxed(list)?,
            },
            Node::In { negated, left, items } => {
                let constant = |item: &Node| {
                    matches!(
                        item.uncast().0,
                        Node::Text(_) | Node::Number(_) | Node::Boolean(_) | Node::Null
                    )
                };
                if !items.iter().all(constant) {
                    return Err("IN compares with constants".to_owned());
                }
                Node::In { negated: *negated, left: boxed(left)?, items: each(items)? }
            }
            Node::And(parts) => Node::And(each(parts)?),
            Node::Or(parts) => Node::Or(each(parts)?),
            Node::Not(of) => Node::Not(boxed(of)?),
            Node::Is { of, what, negated } => Node::Is { of: boxed(of)?, what, negated: *negated },
        })
    }

    fn column(&self, name: &str) -> Result<Node, String> {
        match self.place {
            Place::Default => Err(format!("a default cannot use a column, and {name:?} is one")),
            Place::Predicate => (self.names.columns)(name)
                .map(Node::Column)
                .ok_or_else(|| format!("the table has no column {name:?}")),
        }
    }

    fn function(&self, name: &Name) -> Result<Name, String> {
        let immutable = match name.schema.as_deref() {
            None | Some("pg_catalog") => {
                if IMMUTABLE.contains(&name.name.as_str()) {
                    Some(true)
                } else {
                    OTHER.contains(&name.name.as_str()).then_some(false)
                }
            }
            Some("kepler") => KEPLER
                .iter()
                .find(|(known, _)| *known == name.name)
                .map(|(_, immutable)| *immutable),
            Some(_) => None,
        };
        match immutable {
            Some(false) if self.place == Place::Predicate => Err(format!(
                "{}() is not the same for ever, and what an index holds must be",
                name.name
            )),
            Some(_) if name.is_plain() => Ok(of_catalog(&name.name)),
            Some(_) => Ok(name.clone()),
            None => {
                let instead = match name.name.as_str() {
                    "uuid_generate_v4" => ": gen_random_uuid() makes the same",
                    "nextval" => ": a field with \"generated\": \"serial\" has a sequence",
                    _ => "",
                };
                let shown = match &name.schema {
                    Some(schema) => format!("{schema}.{}", name.name),
                    None => name.name.clone(),
                };
                Err(format!("{shown}() is none of the functions that a document may call{instead}"))
            }
        }
    }

    fn operator(&self, operator: &Name) -> Result<Name, String> {
        if operator.is_plain() && OPERATORS.contains(&operator.name.as_str()) {
            Ok(of_catalog(&operator.name))
        } else {
            Err(format!("{} is none of the operators that a document may use", operator.name))
        }
    }

    fn type_of(&self, cast: &Type) -> Result<Type, String> {
        let mut resolved = cast.clone();
        let name = &cast.name;
        if let Some((schema, found)) = (self.names.types)(name.schema.as_deref(), &name.name) {
            if !cast.modifiers.is_empty() {
                return Err(format!("type {:?} has no modifiers", name.name));
            }
            resolved.name = Name { schema: Some(schema), name: found };
            return Ok(resolved);
        }
        if !name.is_plain() || !TYPES.contains(&name.name.as_str()) {
            return Err(format!(
                "{:?} is none of the types that a document may cast to",
                name.name
            ));
        }
        let most = match name.name.as_str() {
            "numeric" => 2,
            "bit" | "bpchar" | "time" | "timestamp" | "timestamptz" | "timetz" | "varbit"
            | "varchar" => 1,
            _ => 0,
        };
        if cast.modifiers.len() > most {
            return Err(format!("type {:?} has no such modifiers", name.name));
        }
        resolved.name = of_catalog(&name.name);
        Ok(resolved)
    }
}

fn of_catalog(name: &str) -> Name {
    Name { schema: Some("pg_catalog".to_owned()), name: name.to_owned() }
}

/// Refuses literals whose value is that of the moment at which they are read.
fn literal(text: &str, cast: &Type) -> Result<(), String> {
    let temporal = ["date", "time", "timestamp", "timestamptz", "timetz"];
    match temporal.contains(&cast.name.name.as_str()).then(|| problem_with_moving(text)).flatten() {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// Why a text cannot be a time that stays, if it is one of the moment.
pub(in crate::structure) fn problem_with_moving(text: &str) -> Option<String> {
    let moves = |word: &str| MOVING.contains(&word.to_ascii_lowercase().as_str());
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    words.any(moves).then(|| {
        format!(
            "the text {:?} would be read once, and its value would never change: write now()",
            crate::json::shorten(text)
        )
    })
}
