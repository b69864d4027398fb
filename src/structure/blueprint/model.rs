//! What a blueprint says, in normal form: everything under the name that it has in the database.

use super::duration::Duration;
use super::seed::Seed;
use crate::structure::model::Sensitive;
use crate::structure::table::{Rule, Table};
use std::rc::Rc;

/// A whole model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blueprint {
    /// In the registry.
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The author's own number.
    pub(crate) version: Option<u32>,
    /// Of what names no other.
    pub(crate) schema: String,
    pub(crate) tenancy: Tenancy,
    /// Names of extensions that must be there.
    pub(crate) extensions: Vec<String>,
    pub(crate) enums: Vec<EnumType>,
    pub(crate) tables: Vec<ModelTable>,
    /// Rows that are to be there. Shared, as it may be long.
    pub(crate) seed: Rc<Vec<Seed>>,
    /// What an import could not carry over.
    pub(crate) import_warnings: Vec<String>,
}

impl Blueprint {
    /// By what the document calls it.
    pub(crate) fn table_called(&self, name: &str) -> Option<&ModelTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Whose rows the tables hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// Nobody's: no policy.
    Database,
    /// Those of the workspace that applied it.
    Workspace,
    /// Those of the workspace that this field names; tables without the field have no policy.
    Field {
        field: String,
        /// Tables whose keys the field refers to: their rows are the workspaces themselves.
        tenants: Vec<String>,
    },
}

impl Tenancy {
    /// The column of a table that names the workspace of a row.
    pub(crate) fn column<'a>(&self, table: &'a ModelTable) -> Option<&'a str> {
        let Tenancy::Field { field, tenants } = self else { return None };
        if let Some((_, column)) = table.fields.iter().find(|(name, _)| name == field) {
            return Some(column);
        }
        if !tenants.contains(&table.name) {
            return None;
        }
        table.table.rules.iter().find_map(|rule| match rule {
            Rule::PrimaryKey(columns) => columns.first().map(String::as_str),
            _ => None,
        })
    }
}

/// A type made by `CREATE TYPE … AS ENUM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnumType {
    /// In the document.
    pub(crate) name: String,
    pub(crate) schema: String,
    /// In the database.
    pub(crate) type_name: String,
    pub(crate) values: Vec<String>,
    pub(crate) description: Option<String>,
    /// An old name in the document.
    pub(crate) renamed_from: Option<String>,
    /// Values before and after.
    pub(crate) renamed_values: Vec<(String, String)>,
}

/// One table of a blueprint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelTable {
    /// In the document.
    pub(crate) name: String,
    pub(crate) schema: String,
    /// In the database.
    pub(crate) table_name: String,
    pub(crate) label: Option<String>,
    /// An old name in the document.
    pub(crate) renamed_from: Option<String>,
    /// Columns and rules; every name in it is one of the database.
    pub(crate) table: Table,
    /// Fields by their names in the document, and the columns.
    pub(crate) fields: Vec<(String, String)>,
    /// Columns and what people read of them.
    pub(crate) labels: Vec<(String, String)>,
    /// Old names of fields, as the document of the version before has them, and the columns of now.
    pub(crate) renames: Vec<(String, String)>,
    pub(crate) fills: Vec<Fill>,
    /// Columns whose values not everybody is to see.
    pub(crate) sensitive: Vec<(String, Sensitive)>,
    pub(crate) retention: Option<Retention>,
    /// Whether the history of its rows is kept.
    pub(crate) history: bool,
}

impl ModelTable {
    /// What the document calls a column.
    pub(crate) fn field_of(&self, column: &str) -> &str {
        let field = self.fields.iter().find(|(_, own)| own == column);
        field.map_or("", |(name, _)| name)
    }

    /// Whether no message may show a value of a column.
    pub(crate) fn is_personal(&self, column: &str) -> bool {
        self.sensitive.iter().any(|(own, how)| own == column && *how == Sensitive::Personal)
    }
}

/// How old rows must be before whatever cleans up may delete them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) floor: Duration,
    /// That says how old a row is.
    pub(crate) column: String,
}

/// A column that the trigger `kepler_fill` fills where a statement leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) column: String,
    /// As the trigger's argument says it: `cuid`, `uuid`, `uuid7`, `ulid`, `nanoid:21`, `touch`.
    pub(crate) with: String,
}

/// The trigger that fills columns.
pub(crate) const FILL_TRIGGER: &str = "kepler_fill";
