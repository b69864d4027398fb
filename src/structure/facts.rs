//! What `kepler_internal.table_facts` says of a table: the rows of the catalog, before they mean anything.
//!
//! The function prints one JSON object, so that a table is read in one query, and so that what is
//! made of it (`observe`) can be tested without a server.

use crate::field_types::kind::FieldKind;
use serde::Deserialize;

impl Facts {
    /// Reads what the function prints. Printing a rule looks at the catalog as it is by then: a check or an index that
    /// somebody has dropped meanwhile has no text, and is left out as if it had been gone before.
    pub(crate) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut facts: Self = serde_json::from_str(text)?;
        facts.constraints.retain(|constraint| {
            constraint.kind != ConstraintKind::Check || constraint.expression.is_some()
        });
        facts.indexes.retain(|index| {
            let is_whole =
                |column: &IndexColumnFact| column.name.is_some() || column.expression.is_some();
            !index.definition.is_empty()
                && !index.columns.is_empty()
                && index.columns.iter().all(is_whole)
        });
        Ok(facts)
    }
}

/// One table, or what else `pg_class` holds.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Facts {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `relkind`: `r` is a plain table.
    pub(crate) kind: char,
    pub(crate) description: Option<String>,
    pub(crate) estimated_rows: i64,
    /// As counted by the last VACUUM or ANALYZE.
    pub(crate) pages: i64,
    /// The highest number that a column ever had: those of dropped columns are not given again.
    pub(crate) attribute_count: u16,
    pub(crate) columns: Vec<ColumnFact>,
    pub(crate) constraints: Vec<ConstraintFact>,
    pub(crate) indexes: Vec<IndexFact>,
    #[serde(default)]
    pub(crate) dependents: Vec<Dependent>,
}

/// Something that rests on the table, or on one column of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Dependent {
    pub(crate) column: Option<String>,
    pub(crate) kind: DependentKind,
    /// As SQL names it.
    pub(crate) name: String,
    /// Whether Postgres changes no type under it.
    pub(crate) keeps_type: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DependentKind {
    View,
    #[serde(rename = "materialized view")]
    MaterializedView,
    Rule,
    Policy,
    Trigger,
    /// With a body that Postgres has parsed.
    Function,
    #[serde(rename = "generated column")]
    GeneratedColumn,
    /// With a list of columns or a condition.
    Publication,
    Constraint,
    /// A constraint of which the column is in the condition alone.
    Exclusion,
    Index,
    #[serde(rename = "statistics object")]
    Statistics,
    /// Of another table: its type is this table's row.
    Column,
    /// A table that the column is inherited from.
    Parent,
    /// A table that inherits from this one.
    Child,
    /// Another table that refers to this one.
    Reference,
}

impl Dependent {
    /// For messages.
    pub(crate) fn text(&self) -> String {
        let kind = match self.kind {
            DependentKind::View => "view",
            DependentKind::MaterializedView => "materialized view",
            DependentKind::Rule => "a rule of",
            DependentKind::Policy => "policy",
            DependentKind::Trigger => "trigger",
            DependentKind::Function => "function",
            DependentKind::GeneratedColumn => "generated column",
            DependentKind::Publication => "publication",
            DependentKind::Constraint | DependentKind::Exclusion => "constraint",
            DependentKind::Index => "index",
            DependentKind::Statistics => "statistics object",
            DependentKind::Column => "column",
            DependentKind::Parent => "parent table",
            DependentKind::Child => "child table",
            DependentKind::Reference => "a reference of",
        };
        format!("{kind} {}", self.name)
    }

    /// Whether Postgres drops no column under it.
    pub(crate) fn keeps_column(&self) -> bool {
        use DependentKind::*;
        self.column.is_some() && !matches!(self.kind, Constraint | Index | Statistics)
    }

    /// Whether Postgres drops no table under it.
    pub(crate) fn keeps_table(&self) -> bool {
        use DependentKind::*;
        matches!(self.kind, View | MaterializedView | Rule | Function | Column | Child | Reference)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnFact {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) type_schema: String,
    /// `pg_type.typname`.
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// `typtype`: `b` is a base type or an array, `d` a domain, `e` an enum.
    pub(crate) type_kind: char,
    /// Of an array.
    pub(crate) element_type: Option<String>,
    /// `atttypmod`; -1 is none.
    pub(crate) modifier: i32,
    pub(crate) not_null: bool,
    /// Whether text is compared as its type says.
    pub(crate) default_collation: bool,
    pub(crate) default: Option<String>,
    /// `a` for ALWAYS, `d` for BY DEFAULT.
    pub(crate) identity: Option<char>,
    /// `s` for STORED, `v` for VIRTUAL.
    pub(crate) generated: Option<char>,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConstraintFact {
    pub(crate) name: String,
    pub(crate) kind: ConstraintKind,
    /// Of all but checks.
    pub(crate) definition: Option<String>,
    pub(crate) columns: Vec<String>,
    /// Of a check.
    pub(crate) expression: Option<String>,
    pub(crate) validated: bool,
    pub(crate) enforced: bool,
    pub(crate) deferrable: bool,
    /// Of a reference, as are the following.
    pub(crate) target: Option<TargetFact>,
    pub(crate) on_delete: Option<Reaction>,
    pub(crate) on_update: Option<Reaction>,
    #[serde(rename = "match")]
    pub(crate) match_type: Option<char>,
}

/// `contype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum ConstraintKind {
    #[serde(rename = "c")]
    Check,
    #[serde(rename = "f")]
    Reference,
    #[serde(rename = "p")]
    PrimaryKey,
    #[serde(rename = "u")]
    Unique,
    #[serde(rename = "x")]
    Exclusion,
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

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetFact {
    pub(crate) schema: String,
    pub(crate) table: String,
    /// Whether the columns are the table's primary key.
    pub(crate) primary_key: bool,
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IndexFact {
    pub(crate) name: String,
    pub(crate) unique: bool,
    pub(crate) primary: bool,
    pub(crate) valid: bool,
    /// Not so for a deferrable constraint.
    pub(crate) immediate: bool,
    pub(crate) method: String,
    /// The constraint that it is made for.
    pub(crate) constraint: Option<String>,
    pub(crate) predicate: Option<String>,
    pub(crate) nulls_not_distinct: bool,
    /// How many columns it carries beside its keys.
    pub(crate) included: u16,
    pub(crate) definition: String,
    /// The keys.
    pub(crate) columns: Vec<IndexColumnFact>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IndexColumnFact {
    /// Of a plain column.
    pub(crate) name: Option<String>,
    /// Of anything else.
    pub(crate) expression: Option<String>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
    pub(crate) operator_class: String,
    pub(crate) default_operator_class: bool,
    /// Whether its collation is the column's.
    pub(crate) default_collation: bool,
}

impl ConstraintFact {
    /// As a table's definition would say it.
    pub(crate) fn text(&self) -> String {
        match (&self.definition, &self.expression) {
            (Some(definition), _) => definition.clone(),
            (None, Some(expression)) => format!("CHECK ({expression})"),
            (None, None) => String::new(),
        }
    }
}

impl ColumnFact {
    /// The type of field that the column's type is, and whether it is a list; or why no type of field corresponds.
    pub(crate) fn field_kind(&self) -> Result<(FieldKind, bool), String> {
        let (name, list) = match &self.element_type {
            Some(element) => (element.as_str(), true),
            None => (self.type_name.as_str(), false),
        };
        let none = || Err(format!("no field has the type {}", self.type_text()));
        let is_vector = name == "vector" && !list;
        if self.type_kind != 'b' || (self.type_schema != "pg_catalog" && !is_vector) {
            return none();
        }
        // Lengths are kept with the header of four bytes that the value would have.
        let modifier = u32::try_from(self.modifier).ok();
        let length = modifier.and_then(|modifier| modifier.checked_sub(4));
        let kind = match name {
            "text" => FieldKind::Text { max_length: None },
            "varchar" => FieldKind::Text { max_length: length },
            "int4" => FieldKind::Integer,
            "int8" => FieldKind::Bigint,
            "numeric" => match length.map(|packed| (packed >> 16, packed & 0x7ff)) {
                None => FieldKind::Decimal { precision: None },
                Some((precision, scale)) if scale <= precision && precision <= 1000 => {
                    FieldKind::Decimal { precision: Some((precision as u16, scale as u16)) }
                }
                // Negative, or more than all digits.
                Some(_) => return Err("no field has such a scale".to_owned()),
            },
            "float8" => FieldKind::Float,
            "bool" => FieldKind::Boolean,
            "date" => FieldKind::Date,
            "time" | "timestamptz" if modifier.is_some_and(|digits| digits < 6) => {
                return Err("fields keep times to the microsecond".to_owned());
            }
            "time" => FieldKind::Time,
            "timestamptz" => FieldKind::Timestamp,
            "uuid" => FieldKind::Uuid,
            "jsonb" => FieldKind::Json,
            "bytea" => FieldKind::Bytes,
            "vector" => match modifier.map(u16::try_from) {
                Some(Ok(dimensions)) => FieldKind::Vector { dimensions },
                _ => return Err("a field of type vector has dimensions".to_owned()),
            },
            _ => return none(),
        };
        if list && !kind.is_scalar() {
            return Err(format!("there are no lists of {}", kind.name()));
        }
        Ok((kind, list))
    }

    /// The type as extras and messages name it.
    pub(crate) fn type_text(&self) -> String {
        match self.type_schema.as_str() {
            "pg_catalog" => self.type_name.clone(),
            schema => format!("{schema}.{}", self.type_name),
        }
    }
}
