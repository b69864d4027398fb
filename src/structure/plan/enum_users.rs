//! Who is of an enum type: columns that move to the one that takes its place, and others that keep it as it is.

use super::enums::{EnumUse, ObservedEnum, literals};
use super::tables::TableGoal;
use crate::field_types::kind::FieldKind;
use crate::ident::{qualified, quote, quote_literal};
use crate::structure::blueprint::model::EnumType;
use crate::structure::constant::Constant;
use crate::structure::ddl::Dialect;
use crate::structure::facts::Dependent;
use crate::structure::model::Default;
use crate::structure::step::{Class, Relation, Requirement, Stage, Step};
use crate::structure::table::{Column, ColumnDefault, Rule};

/// A column of the type.
pub(super) struct User<'g> {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) column: String,
    pub(super) list: bool,
    /// As it is before, if it has a default.
    pub(super) default: Option<&'g Column>,
    /// The table's new name.
    pub(super) relation: Option<Relation>,
    /// What the target makes of it; `None`: it is dropped.
    pub(super) becomes: Option<&'g Column>,
    /// What lets no type change under it.
    pub(super) kept_by: Vec<String>,
    pub(super) text: String,
}

impl User<'_> {
    pub(super) fn stays(&self, target: &EnumType) -> bool {
        let is_it = |column: &&Column| is_of(&column.kind, &target.schema, &target.type_name);
        self.becomes.as_ref().is_some_and(is_it)
    }

    pub(super) fn moves(
        &self,
        target: &EnumType,
        aside: &str,
        removed: &[&String],
        dialect: &Dialect,
    ) -> Step {
        let name = qualified(&target.schema, &target.type_name);
        let old = qualified(&target.schema, aside);
        let column = quote(&self.column);
        let relation = self.relation.clone();
        let table = relation
            .as_ref()
            .map_or_else(String::new, |relation| qualified(&relation.schema, &relation.table));
        let brackets = if self.list { "[]" } else { "" };
        let default = match self.default {
            Some(_) => format!("ALTER COLUMN {column} DROP DEFAULT, "),
            None => String::new(),
        };
        let again = self.default.and_then(|before| {
            let mut before = before.clone();
            before.kind =
                FieldKind::NamedEnum { schema: target.schema.clone(), name: aside.to_owned() };
            if let Some(ColumnDefault::Field(Default::Value(value))) = &mut before.default {
                rename_in(value, &target.renamed_values);
            }
            dialect.default(&before)
        });
        let again = match again {
            Some(default) => format!(", ALTER COLUMN {column} SET DEFAULT {default}"),
            None => String::new(),
        };
        let back = format!(
            "ALTER TABLE {table} ALTER COLUMN {column} TYPE {old}{brackets} \
             USING {column}::pg_catalog.text{brackets}::{old}{brackets}{again}"
        );
        let sql = format!(
            "ALTER TABLE {table} {default}ALTER COLUMN {column} TYPE {name}{brackets} \
             USING {column}::pg_catalog.text{brackets}::{name}{brackets}"
        );
        let step = Step::instant("change_type", &self.column, sql)
            .class(Class::Rewrite)
            .stage(Stage::SwapType);
        let values: Vec<String> = removed.iter().map(|value| (*value).clone()).collect();
        let require = (!removed.is_empty()).then(|| Requirement::NoRow {
            problem: format!(
                "the value of \"{}\" is removed from the enum {}.{}",
                self.column, target.schema, target.type_name
            ),
            condition: if self.list {
                format!(
                    "{column}::pg_catalog.text[] OPERATOR(pg_catalog.&&) ARRAY[{}]::pg_catalog.text[]",
                    literals(&values)
                )
            } else {
                format!("{column}::pg_catalog.text IN ({})", literals(&values))
            },
        });
        Step { relation, ..step.requires(require).undone_by(back) }
    }
}

/// Those of the plan's tables that stay, and all others.
pub(super) fn users<'g>(
    now: &ObservedEnum,
    tables: &'g [TableGoal<'_>],
) -> (Vec<User<'g>>, Vec<User<'g>>) {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for user in &now.uses {
        let mut found = User {
            schema: String::new(),
            table: String::new(),
            column: String::new(),
            list: false,
            default: None,
            relation: None,
            becomes: None,
            kept_by: Vec::new(),
            text: String::new(),
        };
        let (schema, table, column, list) = match user {
            EnumUse::Other(text) => {
                others.push(User { text: text.clone(), ..found });
                continue;
            }
            EnumUse::Column { schema, table, column, list } => (schema, table, column, *list),
        };
        found.text = format!("column {}.{}", qualified(schema, table), quote(column));
        (found.schema, found.table) = (schema.clone(), table.clone());
        (found.column, found.list) = (column.clone(), list);
        let goal = tables.iter().find(|goal| {
            goal.now
                .as_ref()
                .is_some_and(|now| now.observed.schema == *schema && now.observed.name == *table)
        });
        let managed = goal.and_then(|goal| goal.managed);
        match (goal, managed) {
            // It goes before.
            (Some(TableGoal { target: None, .. }), Some(_)) => {}
            (Some(goal), Some(managed)) => {
                let Some(target) = goal.target else { continue };
                let renamed = target.renames.iter().find(|(from, _)| from == column);
                let still = target.table.column(column);
                let renamed = renamed.and_then(|(_, to)| target.table.column(to));
                found.becomes = still.or(renamed);
                if found.becomes.is_none() && managed.table.column(column).is_none() {
                    others.push(found);
                    continue;
                }
                let observed = goal.now.as_ref().and_then(|now| now.observed.table.column(column));
                found.default = observed.filter(|column| column.default.is_some());
                let observed = goal.now.iter().flat_map(|now| &now.observed.dependents);
                let keepers = observed
                    .filter(|by| by.column.as_deref() == Some(column.as_str()) && by.keeps_type);
                found.kept_by = keepers.map(Dependent::text).collect();
                found.relation = Some(Relation {
                    schema: target.schema.clone(),
                    table: target.table_name.clone(),
                    key: super::key_of(&target.table),
                });
                own.push(found);
            }
            _ => others.push(found),
        }
    }
    (own, others)
}

pub(super) fn is_of(kind: &FieldKind, schema: &str, name: &str) -> bool {
    matches!(kind, FieldKind::NamedEnum { schema: s, name: n } if s == schema && n == name)
}

/// A value of an enum by its new name.
fn rename_in(value: &mut Constant, renamed: &[(String, String)]) {
    match value {
        Constant::Text(text) => {
            if let Some((_, to)) = renamed.iter().find(|(from, _)| from == text) {
                to.clone_into(text);
            }
        }
        Constant::List(values) => values.iter_mut().for_each(|value| rename_in(value, renamed)),
        _ => {}
    }
}

/// Whether a table of the plan says a value: as a default, in a check or in the condition of an index.
pub(super) fn is_used(target: &EnumType, value: &str, tables: &[TableGoal<'_>]) -> bool {
    let is_value = |constant: &Constant| says(constant, value);
    tables.iter().any(|goal| {
        let Some(table) = goal.target else { return false };
        let managed = goal.managed.map(|managed| &managed.table);
        let table = &table.table;
        let of: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| is_of(&column.kind, &target.schema, &target.type_name))
            .collect();
        let in_default = of.iter().any(|column| match &column.default {
            Some(ColumnDefault::Field(Default::Value(constant))) => is_value(constant),
            Some(ColumnDefault::Sql(sql)) => sql.text.contains(value),
            _ => false,
        });
        let in_rule = table.rules.iter().any(|rule| match rule {
            Rule::Compare { column, value, .. } => {
                of.iter().any(|of| of.name == *column) && is_value(value)
            }
            Rule::Index(index) => index
                .predicate
                .as_ref()
                .is_some_and(|sql| !of.is_empty() && sql.text.contains(&quote_literal(value))),
            _ => false,
        });
        // Rows of another type may hold it.
        let in_rows = of.iter().any(|column| {
            let before = managed.and_then(|managed| managed.column(&column.name));
            before.is_some_and(|before| !matches!(before.kind, FieldKind::NamedEnum { .. }))
        });
        in_default || in_rule || in_rows
    })
}

fn says(constant: &Constant, value: &str) -> bool {
    match constant {
        Constant::Text(text) => text == value,
        Constant::List(values) => values.iter().any(|each| says(each, value)),
        _ => false,
    }
}
