//! Plans the enum types of a blueprint: made, renamed, given values, and dropped when nothing uses them.
//!
//! Postgres adds values to a type and renames them. It neither removes nor reorders any, and it lets nobody use a new one
//! in the transaction that adds it. For these a new type takes the place of the old: columns move over, value by value.

use super::tables::{TableGoal, TypeName};
use crate::field_types::kind::FieldKind;
use crate::ident::{MAX_NAME, qualified, quote, quote_literal, shortened};
use crate::structure::blueprint::model::EnumType;
use crate::structure::constant::Constant;
use crate::structure::facts::Dependent;
use crate::structure::model::Default;
use crate::structure::step::{Class, Lock, Phase, Relation, Requirement, Stage, Step};
use crate::structure::table::{Column, ColumnDefault, Rule};
use std::collections::HashMap;

/// A type as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObservedEnum {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// In their order.
    pub(crate) values: Vec<String>,
    pub(crate) description: Option<String>,
    /// Whatever in the database is of the type, its array included.
    pub(crate) uses: Vec<EnumUse>,
}

/// Something of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EnumUse {
    /// A column of a plain table: schema, table, column, and whether it is a list.
    Column { schema: String, table: String, column: String, list: bool },
    /// Anything else, as messages name it: `view shop.open_orders`, `function shop.f(status)`.
    Other(String),
}

/// One type on its way.
pub(crate) struct EnumGoal<'g> {
    /// `None`: there is none of that name.
    pub(crate) now: Option<&'g ObservedEnum>,
    /// Whether the applied version has it.
    pub(crate) managed: bool,
    /// `None`: it is to be dropped.
    pub(crate) target: Option<&'g EnumType>,
}

/// What is done to types, and what the tables need to know of it.
#[derive(Default)]
pub(super) struct EnumPlan {
    pub(super) steps: Vec<Step>,
    pub(super) renamed_types: HashMap<TypeName, TypeName>,
    /// Of a type by its new name.
    pub(super) renamed_values: HashMap<(TypeName, String), String>,
    /// Columns that move to a new type, by schema, table and column as they are called before.
    pub(super) moved: Vec<(String, String, String)>,
}

/// Plans all types. `online`: what is added is committed before it is used.
pub(super) fn plan_enums(
    enums: &[EnumGoal<'_>],
    tables: &[TableGoal<'_>],
    online: bool,
) -> EnumPlan {
    let mut plan = EnumPlan::default();
    for goal in enums {
        match (goal.now, goal.target) {
            (None, Some(target)) => plan.create(target),
            (Some(now), Some(target)) if !goal.managed => {
                let why = format!(
                    "type {} exists and is not one of the blueprint's: rename or drop it, or let the blueprint's type \
                     have another name",
                    qualified(&now.schema, &now.name)
                );
                plan.steps.push(Step::refused("create_type", &target.type_name, why));
            }
            (Some(now), Some(target)) => plan.change(now, target, tables, online),
            (Some(now), None) => plan.drop(now, tables),
            (None, None) => {}
        }
    }
    plan
}

fn instant(operation: &'static str, object: &str, sql: String) -> Step {
    // No table is locked.
    Step::instant(operation, object, sql).stage(Stage::Type).lock(Lock::ShareUpdateExclusive)
}

fn literals(values: &[String]) -> String {
    values.iter().map(|value| quote_literal(value)).collect::<Vec<_>>().join(", ")
}

fn create_sql(name: &str, values: &[String]) -> String {
    format!("CREATE TYPE {name} AS ENUM ({})", literals(values))
}

impl EnumPlan {
    fn create(&mut self, target: &EnumType) {
        let name = qualified(&target.schema, &target.type_name);
        let step = instant("create_type", &target.type_name, create_sql(&name, &target.values));
        self.steps.push(step.undone_by(format!("DROP TYPE {name}")));
        self.describe(target, &None);
    }

    fn describe(&mut self, target: &EnumType, before: &Option<String>) {
        if target.description == *before {
            return;
        }
        let name = qualified(&target.schema, &target.type_name);
        let comment = |text: &Option<String>| {
            let text = text.as_ref().map_or_else(|| "NULL".to_owned(), |text| quote_literal(text));
            format!("COMMENT ON TYPE {name} IS {text}")
        };
        let step = instant("describe", &target.type_name, comment(&target.description));
        self.steps.push(step.stage(Stage::Describe).undone_by(comment(before)));
    }

    fn rename(&mut self, now: &ObservedEnum, target: &EnumType) {
        let sql = |schema: &str, name: &str, what: String| {
            format!("ALTER TYPE {} {what}", qualified(schema, name))
        };
        let to = |name: &str| format!("RENAME TO {}", quote(name));
        let into = |schema: &str| format!("SET SCHEMA {}", quote(schema));
        let (old, new) = ((&*now.schema, &*now.name), (&*target.schema, &*target.type_name));
        if old == new {
            return;
        }
        self.renamed_types.insert(
            (now.schema.clone(), now.name.clone()),
            (target.schema.clone(), target.type_name.clone()),
        );
        if old.1 != new.1 {
            let step = instant("rename_type", new.1, sql(old.0, old.1, to(new.1)));
            self.steps.push(step.undone_by(sql(old.0, new.1, to(old.1))));
        }
        if old.0 != new.0 {
            let step = instant("move_type", new.1, sql(old.0, new.1, into(new.0)));
            self.steps.push(step.undone_by(sql(new.0, new.1, into(old.0))));
        }
    }

    /// Renames values; gives those that the type has then. A document that was applied still tells its renames: one is
    /// done where the old value is gone, or is one of the target's again.
    fn rename_values(&mut self, now: &ObservedEnum, target: &EnumType) -> Vec<String> {
        let name = qualified(&target.schema, &target.type_name);
        let of = (target.schema.clone(), target.type_name.clone());
        let mut values = now.values.clone();
        let mut waiting: Vec<&(String, String)> = target
            .renamed_values
            .iter()
            .filter(|(from, to)| from != to && now.values.contains(from))
            .collect();
        // One makes room for the next.
        while let Some(at) = waiting.iter().position(|(_, to)| !values.contains(to)) {
            let (from, to) = waiting.remove(at);
            let sql = |from: &str, to: &str| {
                let (from, to) = (quote_literal(from), quote_literal(to));
                format!("ALTER TYPE {name} RENAME VALUE {from} TO {to}")
            };
            let step = instant("rename_value", to, sql(from, to));
            self.steps.push(step.undone_by(sql(to, from)));
            values.iter_mut().filter(|value| *value == from).for_each(|value| to.clone_into(value));
            self.renamed_values.insert((of.clone(), from.clone()), to.clone());
        }
        for (from, to) in waiting {
            if target.values.contains(from) {
                continue;
            }
            let why = format!(
                "type {name} has both {} and {}: move the rows from one to the other first, and leave the renaming out",
                quote_literal(from),
                quote_literal(to)
            );
            self.steps.push(Step::refused("rename_value", to, why));
        }
        values
    }

    fn change(
        &mut self,
        now: &ObservedEnum,
        target: &EnumType,
        tables: &[TableGoal<'_>],
        online: bool,
    ) {
        self.rename(now, target);
        let before = self.steps.len();
        let values = self.rename_values(now, target);
        let refused = self.steps[before..].iter().any(|step| step.class == Class::Refused);
        let removed: Vec<&String> =
            values.iter().filter(|value| !target.values.contains(value)).collect();
        let added: Vec<&String> =
            target.values.iter().filter(|value| !values.contains(value)).collect();
        let kept: Vec<&String> =
            target.values.iter().filter(|value| values.contains(value)).collect();
        let in_order = values.iter().filter(|value| !removed.contains(value)).eq(kept);
        let used = !online && added.iter().any(|value| is_used(target, value, tables));
        if refused {
            // Said already.
        } else if !removed.is_empty() || !in_order || used {
            let why = match (removed.is_empty(), in_order) {
                (false, _) => "a value is removed",
                (true, false) => "the order of values changes",
                (true, true) => {
                    "a new value is used at once, which CALL kepler.apply_blueprint_online does without writing rows \
                     anew"
                }
            };
            self.replace(now, target, &removed, tables, why);
            // The new type has none.
            self.describe(target, &None);
            return;
        } else {
            self.add_values(&values, target);
        }
        self.describe(target, &now.description);
    }

    fn add_values(&mut self, values: &[String], target: &EnumType) {
        let name = qualified(&target.schema, &target.type_name);
        for (at, value) in target.values.iter().enumerate() {
            if values.contains(value) {
                continue;
            }
            let place = match at.checked_sub(1).and_then(|before| target.values.get(before)) {
                Some(before) => format!(" AFTER {}", quote_literal(before)),
                None => values
                    .first()
                    .map_or_else(String::new, |first| format!(" BEFORE {}", quote_literal(first))),
            };
            let sql = format!("ALTER TYPE {name} ADD VALUE {}{place}", quote_literal(value));
            self.steps.push(instant("add_value", value, sql).phase(Phase::Before));
        }
    }

    /// A new type under the name of the old one, to which the columns move.
    fn replace(
        &mut self,
        now: &ObservedEnum,
        target: &EnumType,
        removed: &[&String],
        tables: &[TableGoal<'_>],
        why: &str,
    ) {
        let name = qualified(&target.schema, &target.type_name);
        let aside = shortened(&format!("kepler_aside_{}", target.type_name), MAX_NAME);
        let (users, others) = users(now, tables);
        let mut foreign: Vec<String> = others.into_iter().map(|user| user.text).collect();
        for user in users.iter().filter(|user| user.stays(target)) {
            foreign.extend(user.kept_by.iter().map(|by| format!("{} (by {by})", user.text)));
        }
        if !foreign.is_empty() {
            let why = format!(
                "{why}, and the type is used by {}: drop that before, or keep the type as it is",
                foreign.join(", ")
            );
            self.steps.push(Step::refused("replace_type", &target.type_name, why));
            return;
        }
        let sql = format!(
            "ALTER TYPE {name} RENAME TO {}; {}",
            quote(&aside),
            create_sql(&name, &target.values)
        );
        self.steps
            .push(instant("replace_type", &target.type_name, sql).hazard(format!("type: {why}")));
        for user in users.iter().filter(|user| user.stays(target)) {
            self.moved.push((user.schema.clone(), user.table.clone(), user.column.clone()));
            self.steps.push(user.moves(target, &name, removed));
        }
        let old = qualified(&target.schema, &aside);
        self.steps
            .push(instant("drop_type", &aside, format!("DROP TYPE {old}")).stage(Stage::DropType));
    }

    fn drop(&mut self, now: &ObservedEnum, tables: &[TableGoal<'_>]) {
        let name = qualified(&now.schema, &now.name);
        let (own, others) = users(now, tables);
        // A column that stays and is of the type is one that the document knows, so its type is in the document too.
        let staying = own.into_iter().filter(|user| {
            matches!(&user.becomes, Some(column) if is_of(&column.kind, &now.schema, &now.name))
        });
        let mut left: Vec<String> = staying.chain(others).map(|user| user.text).collect();
        left.dedup();
        self.steps.push(if left.is_empty() {
            let step = instant("drop_type", &now.name, format!("DROP TYPE {name}"));
            step.stage(Stage::DropType).undone_by(create_sql(&name, &now.values))
        } else {
            let why = format!(
                "the type is used by {}: drop that before, or leave the enum in the blueprint",
                left.join(", ")
            );
            Step::refused("drop_type", &now.name, why)
        });
    }
}

/// A column of the type.
struct User<'g> {
    schema: String,
    table: String,
    column: String,
    list: bool,
    default: bool,
    /// The table's new name.
    relation: Option<Relation>,
    /// What the target makes of it; `None`: it is dropped.
    becomes: Option<&'g Column>,
    /// What lets no type change under it.
    kept_by: Vec<String>,
    text: String,
}

impl User<'_> {
    fn stays(&self, target: &EnumType) -> bool {
        let is_it = |column: &&Column| is_of(&column.kind, &target.schema, &target.type_name);
        self.becomes.as_ref().is_some_and(is_it)
    }

    fn moves(&self, target: &EnumType, name: &str, removed: &[&String]) -> Step {
        let column = quote(&self.column);
        let relation = self.relation.clone();
        let table = relation
            .as_ref()
            .map_or_else(String::new, |relation| qualified(&relation.schema, &relation.table));
        let brackets = if self.list { "[]" } else { "" };
        let default = match self.default {
            true => format!("ALTER COLUMN {column} DROP DEFAULT, "),
            false => String::new(),
        };
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
        Step { relation, ..step.requires(require) }
    }
}

/// Those of the plan's tables that stay, and all others.
fn users<'g>(now: &ObservedEnum, tables: &'g [TableGoal<'_>]) -> (Vec<User<'g>>, Vec<User<'g>>) {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for user in &now.uses {
        let mut found = User {
            schema: String::new(),
            table: String::new(),
            column: String::new(),
            list: false,
            default: false,
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
                found.default = goal.now.as_ref().is_some_and(|now| {
                    let observed = now.observed.table.column(column);
                    observed.is_some_and(|column| column.default.is_some())
                });
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

fn is_of(kind: &FieldKind, schema: &str, name: &str) -> bool {
    matches!(kind, FieldKind::NamedEnum { schema: s, name: n } if s == schema && n == name)
}

/// Whether a table of the plan says a value: as a default, in a check or in the condition of an index.
fn is_used(target: &EnumType, value: &str, tables: &[TableGoal<'_>]) -> bool {
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
