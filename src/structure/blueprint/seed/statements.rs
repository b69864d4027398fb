//! The text of the statements over the tables of a seed. All take arrays of texts, a column each, which the types of the columns
//! read.

use super::super::model::ModelTable;
use super::unique::Set;
use crate::field_types::kind::{FieldKind, NativeType};
use crate::ident::{quote, quote_literal};
use crate::pg::array::{self, Array};
use crate::pg::plan::OwnedStatement;
use crate::structure::ddl::{Dialect, unconstrained};
use crate::structure::table::Column;
use pgrx::pg_sys;

/// How a value comes into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Given,
    /// So long after the application; of `false` before it.
    Moved {
        ahead: bool,
    },
}

/// A table, and what its values are to SQL.
#[derive(Clone, Copy)]
pub(super) struct Spoken<'t> {
    pub(super) relation: &'t str,
    pub(super) table: &'t ModelTable,
    pub(super) dialect: &'t Dialect,
}

fn is_native(kind: &FieldKind, name: &str) -> bool {
    matches!(kind, FieldKind::Native(native) if native.schema.is_none() && native.name == name)
}

/// Collects arrays of texts as parameters.
#[derive(Default)]
struct Parameters {
    types: Vec<pg_sys::Oid>,
}

impl Parameters {
    fn numbers(&mut self) -> String {
        self.types.push(pg_sys::INT4ARRAYOID);
        format!("pg_catalog.unnest(${})", self.types.len())
    }

    fn texts(&mut self) -> String {
        self.types.push(pg_sys::TEXTARRAYOID);
        format!("pg_catalog.unnest(${})", self.types.len())
    }

    fn statement(self, sql: String) -> OwnedStatement {
        OwnedStatement::new(sql, self.types)
    }
}

impl Spoken<'_> {
    fn column(&self, name: &str) -> Option<&Column> {
        self.table.table.column(name)
    }

    /// A text as a value of a column, whose length is not yet looked at: a cast to it would cut.
    fn read(&self, name: &str, text: &str) -> String {
        let Some(column) = self.column(name) else { return text.to_owned() };
        let of = |kind: &FieldKind| self.dialect.sql_type(&unconstrained(kind), column.list);
        let own = of(&column.kind);
        // A text of money is read by the rules of a locale. A number is not.
        match is_native(&column.kind, "money") {
            true => format!("{text}::{}::{own}", of(&FieldKind::Decimal { precision: None })),
            false => format!("{text}::{own}"),
        }
    }

    /// Values of an enum are compared as texts: the type may not have the value yet.
    fn as_text(&self, name: &str) -> Option<&'static str> {
        let column = self.column(name)?;
        match (&column.kind, column.list) {
            (FieldKind::NamedEnum { .. }, false) => Some("::pg_catalog.text"),
            (FieldKind::NamedEnum { .. }, true) => Some("::pg_catalog.text[]"),
            _ => None,
        }
    }

    fn written(&self, name: &str, way: Way, text: &str) -> String {
        let Way::Moved { ahead } = way else { return self.read(name, text) };
        let sign = if ahead { "+" } else { "-" };
        let by = format!("{text}::pg_catalog.interval");
        match self.column(name).map(|column| &column.kind) {
            Some(FieldKind::Timestamp) => format!("pg_catalog.now() {sign} {by}"),
            Some(kind) if is_native(kind, "timestamptz") => format!("pg_catalog.now() {sign} {by}"),
            Some(FieldKind::Date) => {
                format!("((pg_catalog.now() AT TIME ZONE 'UTC') {sign} {by})::pg_catalog.date")
            }
            _ => format!("(pg_catalog.now() AT TIME ZONE 'UTC') {sign} {by}"),
        }
    }

    /// Whether two values of a column are the same, as an index over it has it.
    fn same(&self, name: &str, folded: bool, one: &str, other: &str) -> String {
        if folded {
            return format!("kepler.fold({one}) = kepler.fold({other})");
        }
        match self.column(name).map(|column| (&column.kind, column.list)) {
            Some((FieldKind::Native(NativeType { schema: Some(schema), .. }), false)) => {
                format!("{one} OPERATOR({}.=) {other}", quote(schema))
            }
            Some((kind, _)) if !kind.is_comparable() => {
                format!("{one}::pg_catalog.text = {other}::pg_catalog.text")
            }
            _ => format!("{one} = {other}"),
        }
    }

    /// Whether two values of a column are not the same. Types that others brought compare by rules of their own, or not at all:
    /// their texts do.
    fn differs(&self, name: &str, one: &str, other: &str) -> String {
        if let Some(cast) = self.as_text(name) {
            return format!("{one}{cast} IS DISTINCT FROM {other}");
        }
        let cast = match self.column(name).map(|column| (&column.kind, column.list)) {
            Some((FieldKind::Json, false)) => "",
            Some((kind, false)) if is_native(kind, "json") => "::pg_catalog.jsonb",
            Some((FieldKind::Native(NativeType { schema: Some(_), .. }), _)) => "::pg_catalog.text",
            Some((kind, _)) if !kind.is_comparable() => "::pg_catalog.text",
            _ => "",
        };
        format!("{one}{cast} IS DISTINCT FROM {other}{cast}")
    }

    fn conditions(&self, set: &Set, more: &[&str], by: &dyn Fn(&str) -> String) -> String {
        let of_set = set.columns.iter().map(|column| {
            let name = &column.name;
            let own = format!("t.{}", quote(name));
            self.same(name, column.case_insensitive, &own, &by(name))
        });
        let more = more
            .iter()
            .map(|name| self.same(name, false, &format!("t.{}", quote(name)), &by(name)));
        of_set.chain(more).collect::<Vec<_>>().join(" AND ")
    }

    /// For each number the value of a column in the row that is found. Takes numbers, then an array for each column of
    /// the set, then for each of the others.
    pub(super) fn look_up(&self, set: &Set, more: &[&str], wanted: &str) -> OwnedStatement {
        let mut parameters = Parameters::default();
        let mut given = vec![format!("{} AS o", parameters.numbers())];
        let names: Vec<&str> = set.names().into_iter().chain(more.iter().copied()).collect();
        for (at, name) in names.iter().enumerate() {
            given.push(format!("{} AS c{at}", self.read(name, &parameters.texts())));
        }
        let by = |name: &str| {
            format!("n.c{}", names.iter().position(|own| *own == name).unwrap_or_default())
        };
        let sql = format!(
            "SELECT n.o, t.v FROM (SELECT {}) AS n CROSS JOIN LATERAL
                 (SELECT t.{}::pg_catalog.text AS v FROM ONLY {} AS t WHERE {} LIMIT 1) AS t",
            given.join(", "),
            quote(wanted),
            self.relation,
            self.conditions(set, more, &by),
        );
        parameters.statement(sql)
    }

    /// For each number the place of the stored row with that key, and what it has where that is not what is given in
    /// `compared`. Takes numbers, then an array for each column of the set, then for each that is compared.
    pub(super) fn find(&self, set: &Set, compared: &[&str]) -> OwnedStatement {
        let mut parameters = Parameters::default();
        let mut given = vec![format!("{} AS o", parameters.numbers())];
        let names = set.names();
        for (at, name) in names.iter().enumerate() {
            given.push(format!("{} AS c{at}", self.read(name, &parameters.texts())));
        }
        let mut changes = vec!["'{}'::pg_catalog.jsonb".to_owned()];
        for (at, name) in compared.iter().enumerate() {
            let text = parameters.texts();
            let value = match self.as_text(name) {
                Some(cast) => format!("{text}{cast}"),
                None => self.read(name, &text),
            };
            given.push(format!("{value} AS v{at}"));
            let own = format!("t.{}", quote(name));
            changes.push(format!(
                "CASE WHEN {} THEN pg_catalog.jsonb_build_object({}::pg_catalog.text, {own}) ELSE '{{}}' END",
                self.differs(name, &own, &format!("n.v{at}")),
                quote_literal(self.table.field_of(name)),
            ));
        }
        let by = |name: &str| {
            format!("n.c{}", names.iter().position(|own| *own == name).unwrap_or_default())
        };
        let sql = format!(
            "SELECT n.o, t.place, t.changes::pg_catalog.text FROM (SELECT {}) AS n CROSS JOIN LATERAL
                 (SELECT t.ctid::pg_catalog.text AS place, {} AS changes FROM ONLY {} AS t WHERE {} LIMIT 1) AS t",
            given.join(", "),
            changes.join(" || "),
            self.relation,
            self.conditions(set, &[], &by),
        );
        parameters.statement(sql)
    }

    /// Inserts rows; one whose key somebody has inserted meanwhile is left. Takes an array for each column.
    pub(super) fn insert(&self, set: &Set, columns: &[(&str, Way)]) -> OwnedStatement {
        let mut parameters = Parameters::default();
        let values =
            columns.iter().map(|(name, way)| self.written(name, *way, &parameters.texts()));
        let values: Vec<String> = values.collect();
        let sql =
            format!("{} SELECT {} {}", self.into(columns), values.join(", "), on_conflict(set));
        parameters.statement(sql)
    }

    fn into(&self, columns: &[(&str, Way)]) -> String {
        let names: Vec<String> = columns.iter().map(|(name, _)| quote(name)).collect();
        format!("INSERT INTO {} ({})", self.relation, names.join(", "))
    }

    /// Gives rows other values. Takes an array for each column of the set, then for each that is set.
    pub(super) fn update(&self, set: &Set, columns: &[&str]) -> OwnedStatement {
        let mut parameters = Parameters::default();
        let names = set.names();
        let mut given = Vec::new();
        for (at, name) in names.iter().enumerate() {
            given.push(format!("{} AS c{at}", self.read(name, &parameters.texts())));
        }
        let mut sets = Vec::new();
        for (at, name) in columns.iter().enumerate() {
            given.push(format!("{} AS v{at}", self.read(name, &parameters.texts())));
            sets.push(format!("{} = n.v{at}", quote(name)));
        }
        let by = |name: &str| {
            format!("n.c{}", names.iter().position(|own| *own == name).unwrap_or_default())
        };
        let sql = format!(
            "UPDATE ONLY {} AS t SET {} FROM (SELECT {}) AS n WHERE {}",
            self.relation,
            sets.join(", "),
            given.join(", "),
            self.conditions(set, &[], &by),
        );
        parameters.statement(sql)
    }

    /// An insert of rows as people read it. A value is a text, NULL, or an expression in parentheses.
    pub(super) fn shown_insert(
        &self,
        set: &Set,
        columns: &[(&str, Way)],
        rows: &[Vec<Shown>],
    ) -> String {
        let row = |row: &Vec<Shown>| {
            let values = columns.iter().zip(row).map(|((name, way), shown)| match shown {
                Shown::Text(None) => "NULL".to_owned(),
                Shown::Text(Some(text)) => self.written(name, *way, &quote_literal(text)),
                Shown::Expression(sql) => sql.clone(),
            });
            format!("({})", values.collect::<Vec<_>>().join(", "))
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        format!("{} VALUES\n    {} {}", self.into(columns), rows.join(",\n    "), on_conflict(set))
    }

    /// An update of one row as people read it.
    pub(super) fn shown_update(
        &self,
        set: &Set,
        key: &[Shown],
        values: &[(&str, Shown)],
    ) -> String {
        let text = |name: &str, shown: &Shown| match shown {
            Shown::Text(None) => "NULL".to_owned(),
            Shown::Text(Some(text)) => self.read(name, &quote_literal(text)),
            Shown::Expression(sql) => sql.clone(),
        };
        let sets =
            values.iter().map(|(name, shown)| format!("{} = {}", quote(name), text(name, shown)));
        let names = set.names();
        let by = |name: &str| {
            let at = names.iter().position(|own| *own == name).unwrap_or_default();
            key.get(at).map_or_else(String::new, |shown| text(name, shown))
        };
        format!(
            "UPDATE {} AS t SET {} WHERE {}",
            self.relation,
            sets.collect::<Vec<_>>().join(", "),
            self.conditions(set, &[], &by),
        )
    }

    /// A lookup as people read it.
    pub(super) fn shown_look_up(&self, wanted: &str, by: &[(&str, Shown)]) -> String {
        let conditions = by.iter().map(|(name, shown)| {
            let value = match shown {
                Shown::Text(None) => "NULL".to_owned(),
                Shown::Text(Some(text)) => self.read(name, &quote_literal(text)),
                Shown::Expression(sql) => sql.clone(),
            };
            let sets = super::unique_sets(self.table);
            let mut columns = sets.iter().flat_map(|set| &set.columns);
            let folded = columns.any(|column| column.name == *name && column.case_insensitive);
            self.same(name, folded, &format!("t.{}", quote(name)), &value)
        });
        let conditions: Vec<String> = conditions.collect();
        let wanted = quote(wanted);
        format!(
            "(SELECT t.{wanted} FROM {} AS t WHERE {})",
            self.relation,
            conditions.join(" AND ")
        )
    }
}

/// A value of a statement that is only shown.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Text(Option<String>),
    Expression(String),
}

fn on_conflict(set: &Set) -> String {
    let columns = set.columns.iter().map(|column| match column.case_insensitive {
        true => format!("kepler.fold({})", quote(&column.name)),
        false => quote(&column.name),
    });
    format!("ON CONFLICT ({}) DO NOTHING", columns.collect::<Vec<_>>().join(", "))
}

/// Numbers as a parameter.
pub(super) fn numbers(numbers: impl Iterator<Item = usize>) -> Array {
    let mut array = Array::new(array::INTEGER);
    for number in numbers {
        array.push_bytes(&(number as i32).to_ne_bytes());
    }
    array
}

/// Texts as a parameter.
pub(super) fn texts<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Array {
    let mut array = Array::new(array::TEXT);
    for text in texts {
        match text {
            Some(text) => array.push_text(text),
            None => array.push_null(),
        }
    }
    array
}
