//! The SQL of tables, columns and rules. Names are quoted, values are quoted literals with a type.

use super::constant::Constant;
use super::model::{Default, Index, IndexColumn, KeyKind, Method, Op};
use super::sql_text::SqlText;
use super::table::{Action, Column, ColumnDefault, Rule, Table, UniqueColumn};
use crate::field_types::kind::{FieldKind, NativeType};
use crate::ident::{MAX_NAME, qualified, quote, quote_literal, shortened};

/// What the generated SQL needs to know of the database.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    /// The schema of pgvector.
    pub(crate) vector_schema: String,
}

/// Names of constraints and indexes that are taken.
#[derive(Debug, Clone, std::default::Default)]
pub(crate) struct Names {
    taken: std::collections::HashSet<String>,
}

impl Names {
    pub(crate) fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self { taken: taken.into_iter().collect() }
    }

    pub(crate) fn take(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    pub(crate) fn release(&mut self, name: &str) {
        self.taken.remove(name);
    }

    /// A name that is free, and now taken.
    pub(crate) fn choose(&mut self, wish: &str) -> String {
        let mut name = shortened(wish, MAX_NAME);
        let mut number = 1;
        while self.taken.contains(&name) {
            number += 1;
            name = shortened(&format!("{wish}_{number}"), MAX_NAME);
        }
        self.taken.insert(name.clone());
        name
    }
}

impl Dialect {
    /// A type, without what was given for it: `varchar(255)` is `pg_catalog.varchar(255)`.
    pub(crate) fn sql_type(&self, kind: &FieldKind, list: bool) -> String {
        let name = match kind {
            FieldKind::Text { max_length: Some(length) } => format!("pg_catalog.varchar({length})"),
            FieldKind::Text { max_length: None } | FieldKind::Enum { .. } => {
                "pg_catalog.text".to_owned()
            }
            FieldKind::Integer => "pg_catalog.int4".to_owned(),
            FieldKind::Bigint | FieldKind::Reference { .. } => "pg_catalog.int8".to_owned(),
            FieldKind::Decimal { precision: Some((precision, scale)) } => {
                format!("pg_catalog.numeric({precision},{scale})")
            }
            FieldKind::Decimal { precision: None } => "pg_catalog.numeric".to_owned(),
            FieldKind::Float => "pg_catalog.float8".to_owned(),
            FieldKind::Boolean => "pg_catalog.bool".to_owned(),
            FieldKind::Date => "pg_catalog.date".to_owned(),
            FieldKind::Time => "pg_catalog.time".to_owned(),
            FieldKind::Timestamp => "pg_catalog.timestamptz".to_owned(),
            FieldKind::Uuid => "pg_catalog.uuid".to_owned(),
            FieldKind::Json => "pg_catalog.jsonb".to_owned(),
            FieldKind::Bytes => "pg_catalog.bytea".to_owned(),
            FieldKind::Vector { dimensions } => {
                format!("{}.vector({dimensions})", quote(&self.vector_schema))
            }
            FieldKind::NamedEnum { schema, name } => qualified(schema, name),
            FieldKind::Native(native) => {
                let schema = native.schema.as_deref().unwrap_or("pg_catalog");
                let name = qualified(schema, &native.name);
                match native.modifiers.as_slice() {
                    [] => name,
                    // By its name in the catalog it would take the precision for a range of units.
                    [precision] if native.schema.is_none() && native.name == "interval" => {
                        format!("interval({precision})")
                    }
                    modifiers => format!("{name}({})", modifiers.join(",")),
                }
            }
        };
        if list { format!("{name}[]") } else { name }
    }

    /// The expression of a default; of a key of type bigint it is the identity, and none.
    pub(crate) fn default(&self, column: &Column) -> Option<String> {
        Some(match column.default.as_ref()? {
            ColumnDefault::Key(KeyKind::Bigint) => return None,
            ColumnDefault::Key(KeyKind::Uuid) => "pg_catalog.gen_random_uuid()".to_owned(),
            ColumnDefault::Key(KeyKind::Cuid) => "kepler.cuid()".to_owned(),
            ColumnDefault::Clock => "pg_catalog.clock_timestamp()".to_owned(),
            // Prisma's engine reads a literal of an array only where the values are ASCII.
            ColumnDefault::Field(Default::Value(Constant::List(values)))
                if matches!(column.kind, FieldKind::NamedEnum { .. }) && !values.is_empty() =>
            {
                let values: Vec<String> =
                    values.iter().map(|value| quote_literal(&value.input())).collect();
                let array = self.sql_type(&column.kind, true);
                format!("ARRAY[{}]::{array}", values.join(", "))
            }
            ColumnDefault::Field(Default::Value(value)) => {
                // The type without its length: a cast to varchar(3) would cut what is too long.
                value.literal(&self.sql_type(&unconstrained(&column.kind), column.list))
            }
            ColumnDefault::Field(Default::Now) => match column.kind {
                FieldKind::Date => "CURRENT_DATE".to_owned(),
                FieldKind::Time => "LOCALTIME".to_owned(),
                _ => "CURRENT_TIMESTAMP".to_owned(),
            },
            ColumnDefault::Field(Default::Uuid) => match column.kind {
                FieldKind::Uuid => "pg_catalog.gen_random_uuid()".to_owned(),
                _ => "pg_catalog.gen_random_uuid()::pg_catalog.text".to_owned(),
            },
            ColumnDefault::Field(Default::Cuid) => "kepler.cuid()".to_owned(),
            ColumnDefault::Identity { .. } | ColumnDefault::Serial => return None,
            ColumnDefault::Sql(sql) => format!("({})", sql.text),
        })
    }

    /// Whether two columns of one type have the same default, one of them said in SQL, or both in spellings of one interval or
    /// one range.
    pub(crate) fn same_default(&self, one: &Column, other: &Column) -> bool {
        let normal = |column: &Column| match (&column.default, self.default(column)) {
            (None, _) => Some("null".to_owned()),
            (Some(ColumnDefault::Sql(sql)), _) => Some(sql.normal.clone()),
            (Some(_), sql) => sql.map(|sql| SqlText::printed(&sql).normal),
        };
        let in_sql = |column: &Column| {
            matches!(column.default, Some(ColumnDefault::Sql(_)))
                || matches!(&column.kind, FieldKind::Native(native) if native.name == "interval" || native.name.ends_with("range"))
        };
        (in_sql(one) || in_sql(other)) && normal(one) == normal(other)
    }

    /// A column as `CREATE TABLE` and `ADD COLUMN` have it.
    pub(crate) fn column(&self, column: &Column) -> String {
        let mut sql =
            format!("{} {}", quote(&column.name), self.sql_type(&column.kind, column.list));
        match &column.default {
            Some(ColumnDefault::Identity { always }) => {
                sql.push_str(&format!(" GENERATED {} AS IDENTITY", identity_word(*always)));
            }
            // Postgres makes the sequence and names it; a schema would keep it from knowing the word.
            Some(ColumnDefault::Serial) => {
                sql = format!("{} {}", quote(&column.name), serial_word(&column.kind));
            }
            _ => {}
        }
        match (&column.default, self.default(column)) {
            (Some(ColumnDefault::Key(KeyKind::Bigint)), _) => {
                return format!("{sql} GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
            }
            (Some(ColumnDefault::Key(_)), Some(default)) => {
                return format!("{sql} PRIMARY KEY DEFAULT {default}");
            }
            (_, Some(default)) => sql.push_str(&format!(" DEFAULT {default}")),
            (_, None) => {}
        }
        if column.required {
            sql.push_str(" NOT NULL");
        }
        sql
    }

    /// What a constraint says behind its name; `None` for what is an index.
    pub(crate) fn constraint(&self, table: &Table, rule: &Rule) -> Option<String> {
        if let Rule::Reference(reference) = rule {
            let target = &reference.target;
            let names = |names: &[String]| {
                names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
            };
            let mut sql = format!(
                "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {}",
                names(&reference.columns),
                qualified(&target.schema, &target.table),
                names(&target.columns),
                reference.on_delete.sql()
            );
            if !reference.set.is_empty() {
                sql.push_str(&format!(" ({})", names(&reference.set)));
            }
            if reference.on_update != Action::NoAction {
                sql.push_str(&format!(" ON UPDATE {}", reference.on_update.sql()));
            }
            return Some(sql);
        }
        if let Rule::PrimaryKey(columns) = rule {
            let names: Vec<String> = columns.iter().map(|name| quote(name)).collect();
            return Some(format!("PRIMARY KEY ({})", names.join(", ")));
        }
        if let Rule::Unique(columns) = rule {
            let case_sensitive = columns.iter().all(|column| !column.case_insensitive);
            return case_sensitive.then(|| {
                let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
                format!("UNIQUE ({})", names.join(", "))
            });
        }
        self.condition(table, rule).map(|condition| format!("CHECK ({condition})"))
    }

    /// The condition that rows must meet; `None` for a rule without a condition.
    pub(crate) fn condition(&self, table: &Table, rule: &Rule) -> Option<String> {
        let list = |column: &str| table.column(column).is_some_and(|column| column.list);
        Some(match rule {
            Rule::Compare { column, op, value } => {
                let kind = &table.column(column)?.kind;
                let literal = value.literal(&self.sql_type(&unconstrained(kind), false));
                format!("{} {} {literal}", quote(column), op_sql(*op))
            }
            Rule::CompareColumns { left, op, right } => {
                format!("{} {} {}", quote(left), op_sql(*op), quote(right))
            }
            Rule::OneOf { column, values } => {
                let values: Vec<String> = values.iter().map(|value| quote_literal(value)).collect();
                let array = format!("ARRAY[{}]::pg_catalog.text[]", values.join(", "));
                if list(column) {
                    format!("{} OPERATOR(pg_catalog.<@) {array}", quote(column))
                } else {
                    format!("{} OPERATOR(pg_catalog.=) ANY ({array})", quote(column))
                }
            }
            Rule::MinLength { column, length } => {
                format!(
                    "pg_catalog.char_length({}) OPERATOR(pg_catalog.>=) {length}",
                    quote(column)
                )
            }
            Rule::Unique(_) | Rule::Reference(_) | Rule::Index(_) | Rule::PrimaryKey(_) => {
                return None;
            }
        })
    }

    /// The `CREATE INDEX` of a rule that is no constraint.
    pub(crate) fn index(&self, rule: &Rule, table: &str, name: &str) -> Option<String> {
        match rule {
            Rule::Unique(columns) => Some(format!(
                "CREATE UNIQUE INDEX {} ON {table} ({})",
                quote(name),
                unique_expressions(columns).join(", ")
            )),
            Rule::Index(index) => {
                let columns: Vec<String> =
                    index.columns.iter().map(|column| self.index_column(index, column)).collect();
                let mut sql = format!(
                    "CREATE {}INDEX {} ON {table} USING {} ({})",
                    if index.unique { "UNIQUE " } else { "" },
                    quote(name),
                    index.method.name(),
                    columns.join(", ")
                );
                if index.nulls_not_distinct {
                    sql.push_str(" NULLS NOT DISTINCT");
                }
                if !index.options.is_empty() {
                    let options: Vec<String> = index
                        .options
                        .iter()
                        .map(|(name, value)| format!("{} = {}", quote(name), quote_literal(value)))
                        .collect();
                    sql.push_str(&format!(" WITH ({})", options.join(", ")));
                }
                if let Some(predicate) = &index.predicate {
                    sql.push_str(&format!(" WHERE ({})", predicate.text));
                }
                Some(sql)
            }
            _ => None,
        }
    }

    /// What an index has of a row.
    pub(crate) fn index_expression(&self, column: &IndexColumn) -> String {
        let name = quote(&column.name);
        if column.folded {
            return format!("kepler.fold({name})");
        }
        if column.path.is_empty() {
            return name;
        }
        let path = Constant::List(column.path.iter().cloned().map(Constant::Text).collect());
        format!("({name} OPERATOR(pg_catalog.#>>) {})", path.literal("pg_catalog.text[]"))
    }

    fn index_column(&self, index: &Index, column: &IndexColumn) -> String {
        let mut sql = self.index_expression(column);
        match (index.method, &column.operators) {
            (Method::Hnsw(metric) | Method::Ivfflat(metric), _) => {
                let class = metric.operator_class();
                sql.push_str(&format!(" {}.{class}", quote(&self.vector_schema)));
            }
            (_, Some((schema, class))) => {
                let schema = schema.as_deref().unwrap_or("pg_catalog");
                sql.push_str(&format!(" {}", qualified(schema, class)));
            }
            _ => {}
        }
        if column.descending {
            sql.push_str(" DESC");
        }
        match column.nulls_first {
            Some(true) => sql.push_str(" NULLS FIRST"),
            Some(false) => sql.push_str(" NULLS LAST"),
            None => {}
        }
        sql
    }
}

/// The columns of a unique set as an index and a GROUP BY have them.
pub(crate) fn unique_expressions(columns: &[UniqueColumn]) -> Vec<String> {
    columns
        .iter()
        .map(|column| match column.case_insensitive {
            true => format!("kepler.fold({})", quote(&column.name)),
            false => quote(&column.name),
        })
        .collect()
}

fn op_sql(op: Op) -> String {
    format!("OPERATOR(pg_catalog.{})", op.symbol())
}

/// The type without length, precision and scale.
pub(crate) fn unconstrained(kind: &FieldKind) -> FieldKind {
    match kind {
        FieldKind::Text { .. } => FieldKind::Text { max_length: None },
        FieldKind::Decimal { .. } => FieldKind::Decimal { precision: None },
        FieldKind::Native(native) => {
            FieldKind::Native(NativeType { modifiers: Vec::new(), ..native.clone() })
        }
        other => other.clone(),
    }
}

pub(crate) fn identity_word(always: bool) -> &'static str {
    if always { "ALWAYS" } else { "BY DEFAULT" }
}

fn serial_word(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Bigint => "bigserial",
        FieldKind::Native(native) if native.name == "int2" => "smallserial",
        _ => "serial",
    }
}

/// The name that Postgres and Prisma would give: the table's name, those of the columns and a suffix, of which the
/// suffix is never cut.
pub(crate) fn composed_name(table: &str, columns: &[&str], suffix: &str) -> String {
    let mut name = [&[table], columns].concat().join("_");
    let mut end = name.len().min(MAX_NAME - suffix.len() - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    format!("{name}_{suffix}")
}

/// As Postgres makes names of a table, perhaps a column, and a word: the longer part is cut.
pub(crate) fn postgres_name(table: &str, column: Option<&str>, label: &str) -> String {
    let cut = |text: &str, length: usize| {
        let mut end = length.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    let Some(column) = column else {
        return format!("{}_{label}", cut(table, MAX_NAME - label.len() - 1));
    };
    let room = MAX_NAME - label.len() - 2;
    let (mut first, mut second) = (table.len(), column.len());
    while first + second > room {
        if first > second { first -= 1 } else { second -= 1 }
    }
    format!("{}_{}_{label}", cut(table, first), cut(column, second))
}

/// The name that a rule of a blueprint would like to have.
pub(crate) fn wished_name_in_blueprint(rule: &Rule, table: &str) -> String {
    let columns = rule.columns();
    match rule {
        Rule::PrimaryKey(_) => composed_name(table, &[], "pkey"),
        Rule::Unique(_) => composed_name(table, &columns, "key"),
        Rule::Index(index) if index.unique => composed_name(table, &columns, "key"),
        Rule::Index(_) => composed_name(table, &columns, "idx"),
        Rule::Reference(_) => composed_name(table, &columns, "fkey"),
        Rule::Compare { .. }
        | Rule::CompareColumns { .. }
        | Rule::OneOf { .. }
        | Rule::MinLength { .. } => composed_name(table, &columns, "check"),
    }
}

/// The name that a rule would like to have. Constraints are named within their table, indexes within
/// their schema.
pub(crate) fn wished_name(rule: &Rule, table: &str) -> String {
    match rule {
        Rule::Compare { column, op, .. } => format!("{column}_{}", op_word(*op)),
        Rule::CompareColumns { left, op, right } => format!("{left}_{}_{right}", op_word(*op)),
        Rule::OneOf { column, .. } => format!("{column}_values"),
        Rule::MinLength { column, .. } => format!("{column}_min_length"),
        Rule::Reference(reference) => format!("{}_fkey", reference.columns.join("_")),
        Rule::PrimaryKey(_) => format!("{table}_pkey"),
        Rule::Unique(_) => format!("{table}_{}_key", rule.columns().join("_")),
        Rule::Index(index) => {
            let suffix = match index.method {
                Method::Hnsw(_) => "hnsw_idx",
                Method::Gin => "gin_idx",
                _ => "idx",
            };
            format!("{table}_{}_{suffix}", rule.columns().join("_"))
        }
    }
}

fn op_word(op: Op) -> &'static str {
    match op {
        Op::Equal => "equal",
        Op::NotEqual => "not_equal",
        Op::Less => "less",
        Op::LessOrEqual => "max",
        Op::Greater => "greater",
        Op::GreaterOrEqual => "min",
    }
}
