//! An expression of SQL as a tree, as far as tables have use for one.

/// A name, and the schema that was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::structure) struct Name {
    pub(in crate::structure) schema: Option<String>,
    pub(in crate::structure) name: String,
}

/// A type: those of SQL by the names that the catalog has for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::structure) struct Type {
    pub(in crate::structure) name: Name,
    pub(in crate::structure) modifiers: Vec<u32>,
    pub(in crate::structure) array: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::structure) enum Node {
    /// A literal in quotes.
    Text(String),
    Number(String),
    Boolean(bool),
    Null,
    Column(String),
    /// A word that is a value: `current_date`, `current_timestamp` with its precision.
    Value(String, Option<u32>),
    Call(Name, Vec<Node>),
    /// What looks like a call and is no function: `coalesce`, `greatest`, `least`.
    Form(&'static str, Vec<Node>),
    Array(Vec<Node>),
    Cast(Box<Node>, Type),
    Collate(Box<Node>, Name),
    /// `value AT TIME ZONE zone`.
    Zone(Box<Node>, Box<Node>),
    Prefix(Name, Box<Node>),
    Operation(Name, Box<Node>, Box<Node>),
    /// `left operator ANY (list)`, or ALL.
    Any {
        operator: Name,
        all: bool,
        left: Box<Node>,
        list: Box<Node>,
    },
    In {
        negated: bool,
        left: Box<Node>,
        items: Vec<Node>,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// `of IS what`: null, true, false or unknown.
    Is {
        of: Box<Node>,
        what: &'static str,
        negated: bool,
    },
}

impl Name {
    pub(in crate::structure) fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// Of `pg_catalog`, said or not.
    pub(in crate::structure) fn is_plain(&self) -> bool {
        self.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
    }
}

impl Type {
    pub(in crate::structure) fn plain(name: &str) -> Self {
        Self { name: Name::bare(name), modifiers: Vec::new(), array: false }
    }
}

impl Node {
    /// Without the casts around it, which are given from the outermost inwards.
    pub(super) fn uncast(&self) -> (&Node, Vec<&Type>) {
        let (mut inner, mut casts) = (self, Vec::new());
        while let Node::Cast(of, cast) = inner {
            casts.push(cast);
            inner = of;
        }
        (inner, casts)
    }
}
