//! A schema with everything looked up: what its document is made of.

use super::ast::{Arity, Word};
use super::source::Place;
use super::types::{Foreign, Native, Scalar};
use crate::json::Json;
use std::collections::HashMap;

/// A model and its table.
#[derive(Debug)]
pub(super) struct Model<'t> {
    pub(super) name: Word<'t>,
    pub(super) view: bool,
    /// Some of its lines could not be read: what is missing may stand there.
    pub(super) broken: bool,
    pub(super) comment: String,
    /// The table's name.
    pub(super) table: String,
    pub(super) schema: Option<String>,
    pub(super) columns: Vec<Column<'t>>,
    /// The columns by the names of their fields.
    pub(super) places: HashMap<&'t str, usize>,
    pub(super) relations: Vec<RelationField<'t>>,
    pub(super) key: Option<Key<'t>>,
    pub(super) indexes: Vec<Index<'t>>,
}

impl<'t> Model<'t> {
    /// The column of a field.
    pub(super) fn column(&self, field: &str) -> Option<&Column<'t>> {
        self.columns.get(*self.places.get(field)?)
    }

    /// What it is called in messages.
    pub(super) fn kind(&self) -> &'static str {
        if self.view { "view" } else { "model" }
    }
}

/// A field that is a column.
#[derive(Debug)]
pub(super) struct Column<'t> {
    pub(super) name: Word<'t>,
    pub(super) column: String,
    pub(super) kind: ColumnKind,
    pub(super) arity: Arity,
    pub(super) comment: String,
    pub(super) default: Option<DefaultValue>,
    /// `@updatedAt`.
    pub(super) touch: bool,
}

#[derive(Debug)]
pub(super) enum ColumnKind {
    Scalar(Scalar, Native),
    /// By number.
    Enum(usize),
    Foreign(Foreign),
    /// The type was wrong, which has been told.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum DefaultValue {
    Value(Json),
    Sql(String),
    /// `autoincrement()`.
    Serial,
    /// What Prisma's client makes.
    Fill {
        kind: &'static str,
        length: Option<u32>,
    },
}

/// A field that is a relation.
#[derive(Debug)]
pub(super) struct RelationField<'t> {
    pub(super) name: Word<'t>,
    pub(super) arity: Arity,
    /// The model it leads to, by number.
    pub(super) to: usize,
    /// The name of the relation, if it has one.
    pub(super) relation: Option<String>,
    pub(super) fields: Option<Vec<Word<'t>>>,
    pub(super) references: Option<Vec<Word<'t>>>,
    pub(super) on_delete: Option<&'static str>,
    pub(super) on_update: Option<&'static str>,
    /// The constraint's name.
    pub(super) map: Option<String>,
    pub(super) place: Place,
}

/// `@id` or `@@id`.
#[derive(Debug)]
pub(super) struct Key<'t> {
    pub(super) fields: Vec<Word<'t>>,
    pub(super) map: Option<String>,
    pub(super) place: Place,
}

/// `@unique`, `@@unique` or `@@index`.
#[derive(Debug)]
pub(super) struct Index<'t> {
    pub(super) unique: bool,
    pub(super) fields: Vec<IndexField<'t>>,
    pub(super) method: Option<&'static str>,
    pub(super) map: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct IndexField<'t> {
    pub(super) name: Word<'t>,
    pub(super) descending: bool,
    pub(super) operators: Option<String>,
}

#[derive(Debug)]
pub(super) struct Enum<'t> {
    pub(super) name: Word<'t>,
    pub(super) broken: bool,
    pub(super) comment: String,
    /// The type's name.
    pub(super) sql_name: String,
    pub(super) schema: Option<String>,
    pub(super) values: Vec<EnumValue<'t>>,
}

#[derive(Debug)]
pub(super) struct EnumValue<'t> {
    pub(super) name: &'t str,
    pub(super) sql_name: String,
}

/// A foreign key, found from both sides of a relation.
#[derive(Debug)]
pub(super) struct Reference<'t> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) fields: Vec<Word<'t>>,
    pub(super) references: Vec<Word<'t>>,
    pub(super) on_delete: &'static str,
    pub(super) on_update: &'static str,
    pub(super) map: Option<String>,
    pub(super) place: Place,
}

/// A relation of many to many that needs a table of its own.
#[derive(Debug)]
pub(super) struct JoinTable {
    /// The models that columns A and B lead to.
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) table: String,
    pub(super) place: Place,
}
