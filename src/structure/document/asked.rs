//! What a document says that only the database can judge: whether it knows a type, reads a value, and understands an
//! expression. It is noted where it is read, with its place, and asked about when the rest has been read.

use crate::field_types::kind::FieldKind;
use crate::structure::model::Method;
use crate::structure::sql_text::SqlText;
use crate::structure::table::{Column, Rule};

/// A question about a place of a document.
#[derive(Debug, Clone)]
pub(in crate::structure) struct Asked {
    pub(in crate::structure) pointer: String,
    pub(in crate::structure) what: Question,
}

#[derive(Debug, Clone)]
pub(in crate::structure) enum Question {
    /// Whether there is such a type.
    Type(FieldKind),
    /// Whether a column can have its default.
    Default(Column),
    /// Whether a condition can be asked of these columns.
    Rule { columns: Vec<Column>, rule: Rule },
    /// The same of a condition of an index, which must not change by itself.
    Predicate { columns: Vec<Column>, sql: SqlText },
    /// Whether an index of a method takes the values of a column, by its own operators or those of a class.
    Operators { method: Method, class: Option<(Option<String>, String)>, of: (FieldKind, bool) },
}
