//! What `kepler_internal.prisma_facts` and `prisma_expressions` say: the rows of the catalog, before they mean anything.

use serde::Deserialize;
use std::collections::HashMap;

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Facts {
    /// Those of the schemas that were asked for that exist.
    pub(crate) schemas: Vec<String>,
    pub(crate) views: Vec<NamedFact>,
    pub(crate) enums: Vec<EnumFact>,
    pub(crate) tables: Vec<TableFact>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Expressions {
    /// By the oid of the table and the number of the column.
    pub(crate) defaults: HashMap<String, Option<String>>,
    /// By the oid of the index.
    pub(crate) predicates: HashMap<String, Option<String>>,
    /// As for defaults.
    pub(crate) types: HashMap<String, Option<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NamedFact {
    pub(crate) schema: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EnumFact {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TableFact {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `relkind`.
    pub(crate) kind: char,
    pub(crate) row_security: bool,
    pub(crate) inherited: bool,
    pub(crate) inherits: bool,
    pub(crate) description: Option<String>,
    pub(crate) columns: Vec<ColumnFact>,
    pub(crate) indexes: Vec<IndexFact>,
    pub(crate) references: Vec<ReferenceFact>,
    pub(crate) checks: Vec<String>,
    pub(crate) exclusions: Vec<String>,
    /// The arguments of triggers that fill columns, in hexadecimal digits.
    pub(crate) fills: Vec<String>,
}

impl TableFact {
    pub(crate) fn column(&self, number: i16) -> Option<&ColumnFact> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// The names of columns.
    pub(crate) fn names(&self, numbers: &[i16]) -> Vec<&str> {
        numbers
            .iter()
            .filter_map(|number| self.column(*number))
            .map(|column| column.name.as_str())
            .collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnFact {
    pub(crate) number: i16,
    pub(crate) name: String,
    pub(crate) type_schema: String,
    /// `pg_type.typname`; of a domain, that of the type below it.
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// `typtype`.
    pub(crate) type_kind: char,
    pub(crate) list: bool,
    pub(crate) element_kind: Option<char>,
    pub(crate) element_schema: Option<String>,
    /// `atttypmod`; -1 is none.
    pub(crate) modifier: i32,
    pub(crate) domain: Option<String>,
    pub(crate) required: bool,
    pub(crate) default: bool,
    pub(crate) identity: bool,
    pub(crate) generated: bool,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IndexFact {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) unique: bool,
    pub(crate) primary: bool,
    pub(crate) valid: bool,
    pub(crate) method: String,
    pub(crate) partial: bool,
    pub(crate) nulls_not_distinct: bool,
    pub(crate) deferrable: bool,
    /// How many of the columns are keys: the others are carried beside them.
    pub(crate) keys: usize,
    pub(crate) columns: Vec<IndexColumnFact>,
}

impl IndexFact {
    pub(crate) fn numbers(&self) -> Vec<i16> {
        self.columns.iter().map(|column| column.number).collect()
    }

    /// Prisma does not see others.
    pub(crate) fn has_expressions(&self) -> bool {
        self.columns.iter().any(|column| column.number <= 0)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IndexColumnFact {
    /// 0 for an expression.
    pub(crate) number: i16,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
    pub(crate) operator_class: Option<String>,
    pub(crate) default_operator_class: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReferenceFact {
    pub(crate) name: String,
    pub(crate) columns: Vec<i16>,
    /// The table's oid.
    pub(crate) target: u32,
    pub(crate) target_schema: String,
    pub(crate) target_name: String,
    pub(crate) target_columns: Vec<i16>,
    pub(crate) on_delete: Reaction,
    pub(crate) on_update: Reaction,
    /// Whether ON DELETE SET NULL names columns.
    pub(crate) set_columns: bool,
    /// MATCH FULL.
    pub(crate) full: bool,
    pub(crate) validated: bool,
    pub(crate) deferrable: bool,
}

/// `confdeltype` and `confupdtype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Reaction {
    #[serde(rename = "a")]
    NoAction,
    #[serde(rename = "r")]
    Restrict,
    #[serde(rename = "c")]
    Cascade,
    #[serde(rename = "n")]
    SetNull,
    #[serde(rename = "d")]
    SetDefault,
}
