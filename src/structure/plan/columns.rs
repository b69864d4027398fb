//! Columns on the way to the goal, once they have their names: types, new columns, defaults, and which may be NULL.

use super::Planner;
use super::generated::is_generated;
use crate::field_types::kind::FieldKind;
use crate::ident::quote;
use crate::structure::budget;
use crate::structure::convert::{self, Change};
use crate::structure::model::Default;
use crate::structure::observe::HIDDEN_PREFIX;
use crate::structure::step::{Class, Requirement, Step};
use crate::structure::table::{Column, ColumnDefault};

impl Planner<'_> {
    pub(super) fn change_types(&mut self) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            let name = quote(&column.name);
            let sql_type = self.goal.dialect.sql_type(&column.kind, column.list);
            let from = (&source.kind, source.list);
            let (class, using, lost) = match convert::change(
                &name,
                from,
                (&column.kind, column.list),
                &sql_type,
            ) {
                Change::None => {
                    self.change_collation(column, source);
                    continue;
                }
                _ if matches!(column.default, Some(ColumnDefault::Key(_))) => {
                    let why = "the type of a key does not change: create a new table and move the entries";
                    self.push(Step::refused("change_type", &column.name, why.to_owned()));
                    continue;
                }
                Change::Refused(why) => {
                    self.push(Step::refused("change_type", &column.name, why));
                    continue;
                }
                Change::Instant => (Class::Instant, None, None),
                Change::Rewrite { using, lost } => (Class::Rewrite, Some(using), lost),
                Change::Convert { using, lost } => (Class::Convert, Some(using), Some(lost)),
            };
            if let Some(why) = self.keeps_type(source) {
                self.push(Step::refused("change_type", &column.name, why));
                continue;
            }
            // A sequence is of any type of whole numbers.
            if source.default.is_some() && !is_generated(source) {
                let from = Column { name: column.name.clone(), ..source.clone() };
                self.drop_default(&from);
            }
            let back = self.type_back(source, column);
            let using = using.map(|using| format!(" USING {using}")).unwrap_or_default();
            let sql = self.alter(&format!("ALTER COLUMN {name} TYPE {sql_type}{using}"));
            let requirement = lost.map(|condition| Requirement::NoRow {
                problem: format!(
                    "the value of \"{}\" would not survive as {}",
                    column.name,
                    convert::describe(&column.kind)
                ),
                condition: format!("{name} IS NOT NULL AND ({condition})"),
            });
            let mut step =
                Step::instant("change_type", &column.name, sql).class(class).requires(requirement);
            match back {
                Ok(sql) => step.undo = Some(sql),
                Err(why) => step.hazards.push(format!("undo: {why}")),
            }
            let step = self.with_dependents_of_retyped(step, source);
            self.push(step);
        }
    }

    fn drop_default(&mut self, column: &Column) {
        let name = quote(&column.name);
        let sql = self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT"));
        let mut step = Step::instant("drop_default", &column.name, sql);
        step.undo = self
            .goal
            .dialect
            .default(column)
            .map(|default| self.alter(&format!("ALTER COLUMN {name} SET DEFAULT {default}")));
        self.push(step);
    }

    /// The statement that gives a column the type that it had, or why none does.
    fn type_back(&self, source: &Column, column: &Column) -> Result<String, String> {
        let name = quote(&column.name);
        let sql_type = self.goal.dialect.sql_type(&source.kind, source.list);
        let from = (&column.kind, column.list);
        let is_text = |column: &Column| matches!(column.kind, FieldKind::Text { .. });
        let using = match convert::change(&name, from, (&source.kind, source.list), &sql_type) {
            Change::None | Change::Instant => String::new(),
            // A cast would cut what has been written since and is too long; without one it is an error.
            _ if is_text(source) && is_text(column) => String::new(),
            Change::Rewrite { using, .. } | Change::Convert { using, .. } => {
                format!(" USING {using}")
            }
            Change::Refused(why) => return Err(why),
        };
        Ok(self.alter(&format!("ALTER COLUMN {name} TYPE {sql_type}{using}")))
    }

    /// The type said again: Postgres gives the column the collation of its type.
    fn change_collation(&mut self, column: &Column, source: &Column) {
        if !self.collated.contains(column.name.as_str()) {
            return;
        }
        if let Some(why) = self.keeps_type(source) {
            self.push(Step::refused("change_collation", &column.name, why));
            return;
        }
        let (name, sql_type) =
            (quote(&column.name), self.goal.dialect.sql_type(&column.kind, column.list));
        let sql = self.alter(&format!("ALTER COLUMN {name} TYPE {sql_type}"));
        let before = self.collation(source).map(|collation| format!("{sql} COLLATE {collation}"));
        let step = Step::instant("change_collation", &column.name, sql).class(Class::Scan);
        let step = self.with_dependents_of_retyped(step, source);
        self.push(Step { undo: before, ..step });
    }

    pub(super) fn add_columns(&mut self) {
        let mut added = 0;
        for column in &self.goal.target.columns {
            if self.sources.contains_key(column.name.as_str()) {
                continue;
            }
            added += 1;
            // What has no value for the rows that are there becomes required afterwards.
            let filled = column.default.is_some();
            let definition = Column { required: column.required && filled, ..column.clone() };
            let sql = self.alter(&format!("ADD COLUMN {}", self.goal.dialect.column(&definition)));
            let made_for_each = match &column.default {
                Some(
                    ColumnDefault::Field(Default::Uuid | Default::Cuid) | ColumnDefault::Clock,
                ) => true,
                Some(ColumnDefault::Identity { .. } | ColumnDefault::Serial) => true,
                // Whatever calls a function may make another value for each row.
                Some(ColumnDefault::Sql(sql)) => sql.normal.contains('('),
                _ => false,
            };
            let class = if made_for_each { Class::Rewrite } else { Class::Instant };
            let back = self.alter(&format!("DROP COLUMN {}", quote(&column.name)));
            self.note_new_sequence(column);
            let mut step =
                Step::instant("add_column", &column.name, sql).class(class).undone_by(back);
            let suffix = format!("_{}", column.name);
            let was_hidden = self.goal.observed.hidden.iter().any(|hidden| {
                let rest = hidden.name.strip_prefix(HIDDEN_PREFIX).unwrap_or_default();
                rest.trim_start_matches(|c: char| c.is_ascii_digit()) == suffix
            });
            if was_hidden {
                step = step.hazard(
                    "hidden_field: a hidden field was called so; this is a new one, and \
                     kepler.restore_field would bring back the other with its data",
                );
            }
            self.push(step);
        }
        let used = usize::from(self.goal.observed.attribute_count);
        match budget::column_numbers(used, added) {
            Err(why) => self.push(Step::refused("add_column", &self.goal.observed.name, why)),
            Ok(Some(warning)) => {
                for step in &mut self.plan.steps {
                    if step.operation == "add_column" {
                        step.hazards.push(warning.clone());
                    }
                }
            }
            Ok(None) => {}
        }
    }

    pub(super) fn change_defaults(&mut self) {
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()).copied() else { continue };
            let retyped = self.retyped.contains(column.name.as_str());
            let current = if retyped { &None } else { &source.default };
            if *current == column.default
                || matches!(column.default, Some(ColumnDefault::Key(_)))
                || !retyped && self.goal.dialect.same_default(source, column)
            {
                continue;
            }
            let name = quote(&column.name);
            if is_generated(column) {
                if self.is_loose(source) {
                    continue;
                }
                // It gets its sequence later, and must not have another default then.
                if current.is_some() && !is_generated(source) {
                    let from = Column { name: column.name.clone(), ..source.clone() };
                    self.drop_default(&from);
                }
                continue;
            }
            if is_generated(source) && column.default.is_none() {
                continue;
            }
            let sql = match self.goal.dialect.default(column) {
                Some(default) => self.alter(&format!("ALTER COLUMN {name} SET DEFAULT {default}")),
                None => self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT")),
            };
            let before = if retyped { None } else { self.goal.dialect.default(source) };
            let back = before.map_or_else(
                || self.alter(&format!("ALTER COLUMN {name} DROP DEFAULT")),
                |default| self.alter(&format!("ALTER COLUMN {name} SET DEFAULT {default}")),
            );
            self.push(Step::instant("change_default", &column.name, sql).undone_by(back));
        }
    }

    pub(super) fn change_nullability(&mut self) {
        for column in &self.goal.target.columns {
            let source = self.sources.get(column.name.as_str());
            let required = match source {
                Some(source) => source.required,
                None => column.required && column.default.is_some(),
            };
            if required == column.required {
                continue;
            }
            if source.is_some() && self.is_required_online(column) {
                self.require_online(column);
                continue;
            }
            let name = quote(&column.name);
            let drop = self.alter(&format!("ALTER COLUMN {name} DROP NOT NULL"));
            let set = self.alter(&format!("ALTER COLUMN {name} SET NOT NULL"));
            self.push(if column.required {
                // A new field is NULL in all entries. After a step that could not be done it is not there
                // to be asked.
                let condition = source.map_or("true".to_owned(), |_| format!("{name} IS NULL"));
                let comes_back =
                    self.goal.restored.as_ref().is_some_and(|hidden| {
                        source.is_some_and(|source| source.name == hidden.name)
                    });
                let way_out = if comes_back {
                    "; options => '{\"required\": false}' restores the field without this rule"
                } else {
                    ""
                };
                let problem = format!("\"{}\" is NULL{way_out}", column.name);
                let requirement = Requirement::NoRow { problem, condition };
                Step::instant("require", &column.name, set)
                    .class(Class::Scan)
                    .undone_by(drop)
                    .requires(Some(requirement))
            } else {
                Step::instant("make_optional", &column.name, drop).undone_by(set)
            });
        }
    }
}
