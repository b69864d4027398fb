//! A table as the catalog knows it: columns, and rules over them that have no name of their own.
//!
//! Two tables are compared here, and not in the text of their definitions: Postgres prints a check
//! differently from how it was written, and a constraint may have any name.

mod structure;

use super::constant::Constant;
use super::model::{Default, Index, IndexColumn, Key, KeyKind, Method, Op};
use super::sql_text::SqlText;
use crate::field_types::kind::{FieldKind, OnDelete};

/// See the module. The key stands first, then the fields, then `created_at` and `updated_at`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) description: Option<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rules: Vec<Rule>,
    /// The names that the rules must have, in their order; a rule beyond the end, or with `None`, may have any.
    pub(crate) names: Vec<Option<String>>,
    /// The columns of references to secrets: the trigger refuses other values.
    pub(crate) guarded: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Never an enum of values (text with a rule) or a reference (the type of the key, with a rule).
    pub(crate) kind: FieldKind,
    pub(crate) list: bool,
    pub(crate) required: bool,
    pub(crate) default: Option<ColumnDefault>,
    pub(crate) description: Option<String>,
}

/// What the database fills in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnDefault {
    /// Of the key: made by the database.
    Key(KeyKind),
    /// `clock_timestamp()`, of `created_at` and `updated_at`.
    Clock,
    Field(Default),
    /// Of blueprints, as are the following: an identity beside [`ColumnDefault::Key`].
    Identity {
        always: bool,
    },
    /// The next value of a sequence that the column owns.
    Serial,
    Sql(SqlText),
}

/// What holds for the rows, or speeds up finding them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// `column op value`.
    Compare {
        column: String,
        op: Op,
        value: Constant,
    },
    /// `left op right`.
    CompareColumns {
        left: String,
        op: Op,
        right: String,
    },
    /// The text, or each text of the list, is one of these.
    OneOf {
        column: String,
        values: Vec<String>,
    },
    /// At least so many characters.
    MinLength {
        column: String,
        length: u32,
    },
    Unique(Vec<UniqueColumn>),
    Reference(Reference),
    Index(Index),
    /// Of blueprints: the primary key of entry tables is [`ColumnDefault::Key`].
    PrimaryKey(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueColumn {
    pub(crate) name: String,
    /// `kepler.fold(column)`.
    pub(crate) case_insensitive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) columns: Vec<String>,
    pub(crate) target: Target,
    pub(crate) on_delete: Action,
    pub(crate) on_update: Action,
    /// The columns that SET NULL and SET DEFAULT set, where these are not all.
    pub(crate) set: Vec<String>,
}

/// What happens to a row whose reference loses its target. SQL's own words, one of which is that of the type.
#[allow(clippy::enum_variant_names)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// The table that a reference points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
}

/// An entry table that others may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) key: Key,
}

impl Keyed {
    pub(crate) fn target(&self) -> Target {
        Target {
            schema: self.schema.clone(),
            table: self.table.clone(),
            columns: vec![self.key.column().to_owned()],
        }
    }
}

impl Reference {
    /// Of an entry table: one column to a key.
    pub(crate) fn to_key(column: String, target: Target, on_delete: OnDelete) -> Self {
        let on_delete = match on_delete {
            OnDelete::Restrict => Action::Restrict,
            OnDelete::Cascade => Action::Cascade,
            OnDelete::SetNull => Action::SetNull,
        };
        Self {
            columns: vec![column],
            target,
            on_delete,
            on_update: Action::NoAction,
            set: Vec::new(),
        }
    }

    /// What a structure says of the deletion of the target, if it can.
    pub(crate) fn on_delete_of_structure(&self) -> Option<OnDelete> {
        match self.on_delete {
            Action::Restrict => Some(OnDelete::Restrict),
            Action::Cascade => Some(OnDelete::Cascade),
            Action::SetNull if self.set.is_empty() => Some(OnDelete::SetNull),
            _ => None,
        }
    }
}

impl Action {
    pub(crate) const ALL: [Action; 5] =
        [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

    /// As documents spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::NoAction => "no_action",
            Action::Restrict => "restrict",
            Action::Cascade => "cascade",
            Action::SetNull => "set_null",
            Action::SetDefault => "set_default",
        }
    }

    pub(crate) fn sql(self) -> &'static str {
        match self {
            Action::NoAction => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        }
    }
}

impl Rule {
    /// The columns it speaks of.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match self {
            Rule::Compare { column, .. }
            | Rule::OneOf { column, .. }
            | Rule::MinLength { column, .. } => vec![column],
            Rule::CompareColumns { left, right, .. } => vec![left, right],
            Rule::Unique(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
            Rule::Reference(reference) => reference.columns.iter().map(String::as_str).collect(),
            Rule::PrimaryKey(columns) => columns.iter().map(String::as_str).collect(),
            Rule::Index(index) => index.columns.iter().map(|column| column.name.as_str()).collect(),
        }
    }

    /// The same rule after its columns were renamed.
    pub(crate) fn renamed(&self, rename: &dyn Fn(&str) -> String) -> Rule {
        let mut rule = self.clone();
        match &mut rule {
            Rule::Compare { column, .. }
            | Rule::OneOf { column, .. }
            | Rule::MinLength { column, .. } => *column = rename(column),
            Rule::CompareColumns { left, right, .. } => {
                *left = rename(left);
                *right = rename(right);
            }
            Rule::Unique(columns) => {
                columns.iter_mut().for_each(|column| column.name = rename(&column.name));
            }
            Rule::Reference(reference) => {
                let names = reference.columns.iter_mut().chain(&mut reference.set);
                names.for_each(|name| *name = rename(name));
            }
            Rule::PrimaryKey(columns) => columns.iter_mut().for_each(|name| *name = rename(name)),
            Rule::Index(index) => {
                index.columns.iter_mut().for_each(|column| column.name = rename(&column.name));
            }
        }
        rule
    }
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The rules, and the names that they must have.
    pub(crate) fn named_rules(&self) -> impl Iterator<Item = (&Rule, Option<&str>)> {
        let names = self.names.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        self.rules.iter().zip(names)
    }

    /// Adds a rule that must have this name.
    pub(crate) fn push_named(&mut self, rule: Rule, name: Option<String>) {
        self.names.resize(self.rules.len(), None);
        self.rules.push(rule);
        self.names.push(name);
    }
}

/// An index over columns in ascending order.
pub(crate) fn btree(columns: &[&str]) -> Index {
    let columns = columns.iter().map(|name| IndexColumn::plain(*name, false)).collect();
    Index::plain(columns, Method::Btree)
}
