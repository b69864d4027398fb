//! What `kepler_internal.table_facts` says of a table: the rows of the catalog, before they mean anything.
//!
//! The function prints one JSON object, so that a table is read in one query, and so that what is
//! made of it (`observe`) can be tested without a server.

mod kind;

use crate::ident::quote;
use serde::Deserialize;

impl Facts {
    /// Reads what the function prints. Printing a rule looks at the catalog as it is by then: a check or an index that
    /// somebody has dropped meanwhile has no text, and is left out as if it had been gone before.
    pub(crate) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut facts: Self = serde_json::from_str(text)?;
        facts.leave_out_dropped();
        Ok(facts)
    }

    pub(crate) fn leave_out_dropped(&mut self) {
        let facts = self;
        facts.constraints.retain(|constraint| {
            constraint.kind != ConstraintKind::Check || constraint.expression.is_some()
        });
        facts.indexes.retain(|index| {
            let is_whole =
                |column: &IndexColumnFact| column.name.is_some() || column.expression.is_some();
            index.definition.as_deref() != Some("")
                && !(index.is_partial && index.predicate.is_none())
                && !index.columns.is_empty()
                && index.columns.iter().all(is_whole)
        });
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
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) dependents: Vec<Dependent>,
    // What follows, only blueprints are compared with.
    #[serde(default)]
    pub(crate) oid: u32,
    #[serde(default)]
    pub(crate) owner: String,
    /// `relpersistence`: `p` is kept, `u` unlogged.
    #[serde(default)]
    pub(crate) persistence: Option<char>,
    #[serde(default)]
    pub(crate) access_method: Option<String>,
    /// Where it is not the database's.
    #[serde(default)]
    pub(crate) tablespace: Option<String>,
    /// Storage parameters, `name=value`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) options: Vec<String>,
    /// `relreplident`: `d` is by the primary key.
    #[serde(default)]
    pub(crate) replica_identity: Option<char>,
    #[serde(default)]
    pub(crate) of_type: Option<String>,
    #[serde(default)]
    pub(crate) row_security: bool,
    #[serde(default)]
    pub(crate) row_security_forced: bool,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) policies: Vec<PolicyFact>,
    /// Tables that it inherits from, or of which it is a partition.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) parents: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) children: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) sequences: Vec<SequenceFact>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) triggers: Vec<TriggerFact>,
    /// Names of rewrite rules.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) rules: Vec<String>,
    /// Names of objects of extended statistics.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) statistics: Vec<String>,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A policy of row security.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PolicyFact {
    pub(crate) name: String,
    pub(crate) permissive: bool,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE` or `ALL`.
    pub(crate) command: String,
    /// `public` for everybody.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) roles: Vec<String>,
    /// As Postgres prints it; not printed where it reads tables.
    pub(crate) using: Option<String>,
    pub(crate) check: Option<String>,
}

/// A sequence that a column owns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct SequenceFact {
    /// The column's number.
    pub(crate) column: u16,
    /// Of an identity column.
    pub(crate) identity: bool,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The default that takes the next value, as Postgres prints it.
    pub(crate) next_value: String,
    /// Its parameters, where they are not those of a sequence without parameters.
    pub(crate) parameters: Option<String>,
    /// The name of the type that it counts in.
    #[serde(default)]
    pub(crate) counts: String,
    /// Whether the column has it; of the others the default of the column takes the next value, and nobody has them.
    #[serde(default = "yes")]
    pub(crate) owned: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TriggerFact {
    /// Of a foreign key: that of the constraint.
    pub(crate) name: String,
    /// Of a foreign key; only where it does not fire.
    pub(crate) internal: bool,
    /// `tgenabled`: `O` fires.
    pub(crate) enabled: char,
    pub(crate) function_schema: String,
    #[serde(default)]
    pub(crate) function: String,
    /// Before rows are inserted or updated, whatever they say.
    pub(crate) plain: bool,
    /// In hexadecimal, each with a zero byte at its end.
    #[serde(rename = "arguments")]
    hexadecimal_arguments: String,
    pub(crate) definition: Option<String>,
}

impl TriggerFact {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let digits = self.hexadecimal_arguments.as_bytes();
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let mut arguments: Vec<String> =
            bytes.split(|b| *b == 0).map(|bytes| String::from_utf8_lossy(bytes).into()).collect();
        arguments.pop();
        arguments
    }
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
    /// Of a reference, the index of the key that it leads to.
    #[serde(default)]
    pub(crate) leads_to: Option<String>,
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
    /// `typtype` of the elements.
    #[serde(default)]
    pub(crate) element_kind: Option<char>,
    /// The type is the array that Postgres makes with each type.
    #[serde(default)]
    pub(crate) list: Option<bool>,
    /// With its modifiers; of a type with modifiers.
    #[serde(default)]
    pub(crate) printed_type: Option<String>,
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
    /// What a generated column is computed by.
    #[serde(default)]
    pub(crate) computed: Option<String>,
    /// Where it is not the type's.
    #[serde(default)]
    pub(crate) collation: Option<String>,
    /// What the column says of its storage and statistics, in the words of SQL.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) options: Vec<String>,
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
    /// Whether its triggers, on both tables, fire.
    #[serde(default = "yes")]
    pub(crate) fires: bool,
    /// Of a reference, as are the following.
    pub(crate) target: Option<TargetFact>,
    pub(crate) on_delete: Option<Reaction>,
    pub(crate) on_update: Option<Reaction>,
    #[serde(rename = "match")]
    pub(crate) match_type: Option<char>,
    /// The columns that SET NULL and SET DEFAULT set, where these are not all.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) set_columns: Vec<String>,
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
    /// One that the rows were not checked by yet: of the others the columns tell.
    #[serde(rename = "n")]
    NotNull,
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
    /// Of the index of the columns: only keys with periods are no B-tree.
    #[serde(default)]
    pub(crate) index_method: Option<String>,
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
    /// Whether it holds some of the rows.
    #[serde(default)]
    pub(crate) is_partial: bool,
    pub(crate) predicate: Option<String>,
    pub(crate) nulls_not_distinct: bool,
    /// How many columns it carries beside its keys.
    pub(crate) included: u16,
    /// Empty of what was dropped meanwhile; none where nobody asked and a blueprint can say the index.
    pub(crate) definition: Option<String>,
    /// Storage parameters, `name=value`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) options: Vec<String>,
    /// Where it is not the database's.
    #[serde(default)]
    pub(crate) tablespace: Option<String>,
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
    #[serde(default)]
    pub(crate) operator_class_schema: String,
    pub(crate) default_operator_class: bool,
    /// Parameters of the operator class, `name=value`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) operator_class_options: Vec<String>,
    /// Where it is not the column's.
    #[serde(default)]
    pub(crate) collation: Option<String>,
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

impl IndexFact {
    /// Its columns, for an index of which nobody asked the definition.
    pub(crate) fn text(&self) -> String {
        let columns = self.columns.iter().filter_map(|column| {
            let name = quote(column.name.as_deref()?);
            Some(match &column.collation {
                Some(collation) => format!("{name} COLLATE {collation}"),
                None => name,
            })
        });
        format!("USING {} ({})", self.method, columns.collect::<Vec<_>>().join(", "))
    }
}
