//! Plans the enum types of a blueprint: made, renamed, given values, and dropped when nothing uses them.
//!
//! Postgres adds values to a type and renames them. It neither removes nor reorders any, and it lets nobody use a new one
//! in the transaction that adds it. For these a new type takes the place of the old: columns move over, value by value.

use super::enum_users::{is_of, is_used, users};
use super::room::{Kind, Move};
use super::tables::{TableGoal, TypeName};
use crate::ident::{MAX_NAME, qualified, quote, quote_literal, shortened};
use crate::structure::blueprint::model::EnumType;
use crate::structure::ddl::Dialect;
use crate::structure::step::{Class, Lock, Phase, Stage, Step};
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
    /// Values that rows name which are written in the same transaction.
    pub(crate) seeded: Vec<&'g str>,
}

/// What a document makes of the values of a type by renaming.
pub(crate) struct RenamedValues<'t> {
    /// In the places of those that were there before.
    pub(crate) values: Vec<String>,
    /// In the order in which one makes room for the next.
    done: Vec<&'t (String, String)>,
    /// Those whose new value is there too.
    waiting: Vec<&'t (String, String)>,
}

impl<'t> RenamedValues<'t> {
    /// A document that was applied still tells its renames: one is done where the old value is there.
    pub(crate) fn of(now: &[String], target: &'t EnumType) -> Self {
        let mut values = now.to_vec();
        let mut done = Vec::new();
        let mut waiting: Vec<&(String, String)> = target
            .renamed_values
            .iter()
            .filter(|(from, to)| from != to && now.contains(from))
            .collect();
        while let Some(at) = waiting.iter().position(|(_, to)| !values.contains(to)) {
            let pair = waiting.remove(at);
            let of_pair = values.iter_mut().filter(|value| **value == pair.0);
            of_pair.for_each(|value| pair.1.clone_into(value));
            done.push(pair);
        }
        Self { values, done, waiting }
    }
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
    /// The names that the steps give and take.
    pub(super) moves: Vec<Move>,
}

/// Plans all types. `online`: what is added is committed before it is used.
pub(super) fn plan_enums(
    enums: &[EnumGoal<'_>],
    tables: &[TableGoal<'_>],
    dialect: &Dialect,
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
            (Some(now), Some(target)) => {
                plan.change((now, target), goal, (tables, dialect), online)
            }
            (Some(now), None) => plan.drop(now, tables),
            (None, None) => {}
        }
    }
    if online {
        plan.refuse_values_among_renames(enums);
    }
    plan
}

fn instant(operation: &'static str, object: &str, sql: String) -> Step {
    // No table is locked.
    Step::instant(operation, object, sql).stage(Stage::Type).lock(Lock::ShareUpdateExclusive)
}

pub(super) fn literals(values: &[String]) -> String {
    values.iter().map(|value| quote_literal(value)).collect::<Vec<_>>().join(", ")
}

fn create_sql(name: &str, values: &[String]) -> String {
    format!("CREATE TYPE {name} AS ENUM ({})", literals(values))
}

fn create_described(name: &str, values: &[String], description: &Option<String>) -> String {
    let mut sql = create_sql(name, values);
    if let Some(text) = description {
        sql.push_str(&format!("; COMMENT ON TYPE {name} IS {}", quote_literal(text)));
    }
    sql
}

impl EnumPlan {
    fn create(&mut self, target: &EnumType) {
        let name = qualified(&target.schema, &target.type_name);
        let step = instant("create_type", &target.type_name, create_sql(&name, &target.values));
        self.steps.push(step.undone_by(format!("DROP TYPE {name}")));
        self.note(None, Some((&target.schema, &target.type_name)), Stage::Type);
        self.describe(target, &None);
    }

    fn note(&mut self, from: Option<(&str, &str)>, to: Option<(&str, &str)>, stage: Stage) {
        self.moves.push(Move::between(Kind::Type, from, to, stage));
    }

    /// Values are committed before types are renamed. Between the two, a type whose name is promised to another one is
    /// taken for that one.
    fn refuse_values_among_renames(&mut self, enums: &[EnumGoal<'_>]) {
        let adds = self.steps.iter().any(|step| step.phase == Phase::Before);
        for goal in enums.iter().filter(|_| adds) {
            let (Some(now), Some(target)) = (goal.now, goal.target) else { continue };
            let place = (&target.schema, &target.type_name);
            let is_other = |other: &EnumGoal<'_>| {
                other.now.is_some_and(|other| (&other.schema, &other.name) == place)
            };
            if (&now.schema, &now.name) != place && enums.iter().any(is_other) {
                let why = format!(
                    "the name of type {} is still another enum's, and values are added as well: rename the types in a \
                     version of their own",
                    qualified(&target.schema, &target.type_name)
                );
                self.steps.push(Step::refused("rename_type", &target.type_name, why));
            }
        }
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
        self.note(Some(old), Some(new), Stage::Type);
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
        let RenamedValues { values, done, waiting } = RenamedValues::of(&now.values, target);
        for (from, to) in done {
            let sql = |from: &str, to: &str| {
                let (from, to) = (quote_literal(from), quote_literal(to));
                format!("ALTER TYPE {name} RENAME VALUE {from} TO {to}")
            };
            let step = instant("rename_value", to, sql(from, to));
            self.steps.push(step.undone_by(sql(to, from)));
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
        (now, target): (&ObservedEnum, &EnumType),
        goal: &EnumGoal<'_>,
        (tables, dialect): (&[TableGoal<'_>], &Dialect),
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
        let is_used = |value: &String| {
            goal.seeded.contains(&value.as_str()) || is_used(target, value, tables)
        };
        let used = !online && added.iter().any(|value| is_used(value));
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
            self.replace(now, target, (&values, &removed), (tables, dialect), why);
            // The new type has none.
            self.describe(target, &None);
            return;
        } else {
            self.add_values(now, target);
        }
        self.describe(target, &now.description);
    }

    /// Under the names that the type and its values have before the plan: these may be committed before anything else.
    fn add_values(&mut self, now: &ObservedEnum, target: &EnumType) {
        let name = qualified(&now.schema, &now.name);
        let before = |value: &String| {
            let renamed = target.renamed_values.iter().find(|(from, to)| {
                to == value && now.values.contains(from) && !now.values.contains(value)
            });
            renamed.map_or(value, |(from, _)| from).clone()
        };
        let values: Vec<String> = target.values.iter().map(before).collect();
        for (at, value) in values.iter().enumerate() {
            if now.values.contains(value) {
                continue;
            }
            let place = match at.checked_sub(1).and_then(|before| values.get(before)) {
                Some(before) => format!(" AFTER {}", quote_literal(before)),
                None => now
                    .values
                    .first()
                    .map_or_else(String::new, |first| format!(" BEFORE {}", quote_literal(first))),
            };
            let sql = format!("ALTER TYPE {name} ADD VALUE {}{place}", quote_literal(value));
            let step = instant("add_value", value, sql).stage(Stage::Value).phase(Phase::Before);
            self.steps.push(step.hazard(
                "undo: Postgres takes no value out of a type: a version without it moves the columns to a new type",
            ));
        }
    }

    /// A new type under the name of the old one, to which the columns move.
    fn replace(
        &mut self,
        now: &ObservedEnum,
        target: &EnumType,
        (values, removed): (&[String], &[&String]),
        (tables, dialect): (&[TableGoal<'_>], &Dialect),
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
        let old = qualified(&target.schema, &aside);
        let back =
            format!("DROP TYPE {name}; ALTER TYPE {old} RENAME TO {}", quote(&target.type_name));
        let step = instant("replace_type", &target.type_name, sql).undone_by(back);
        self.steps.push(step.hazard(format!("type: {why}")));
        for user in users.iter().filter(|user| user.stays(target)) {
            self.moved.push((user.schema.clone(), user.table.clone(), user.column.clone()));
            self.steps.push(user.moves(target, &aside, removed, dialect));
        }
        let step = instant("drop_type", &aside, format!("DROP TYPE {old}")).stage(Stage::DropType);
        self.steps.push(step.undone_by(create_described(&old, values, &now.description)));
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
        let step = if left.is_empty() {
            let step = instant("drop_type", &now.name, format!("DROP TYPE {name}"));
            self.note(Some((&now.schema, &now.name)), None, Stage::DropType);
            step.stage(Stage::DropType).undone_by(create_described(
                &name,
                &now.values,
                &now.description,
            ))
        } else {
            let why = format!(
                "the type is used by {}: drop that before, or leave the enum in the blueprint",
                left.join(", ")
            );
            Step::refused("drop_type", &now.name, why)
        };
        self.steps.push(step);
    }
}
