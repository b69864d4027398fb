//! Compares the table that is there with the table that is wanted, and gives the steps between.
//!
//! Pure: model against model. What the last version asked for tells the structure's own columns and
//! rules from what users added to the table, which is left alone. The order is such that each step
//! finds what it needs: rules go, columns are hidden, renamed, changed and added, rules come.

mod added;
mod columns;
mod dependents;
pub(super) mod drops;
mod enum_users;
pub(crate) mod enums;
mod exact;
mod generated;
pub(crate) mod guarded;
mod indexed;
mod online;
mod room;
mod rules;
pub(crate) mod tables;
mod tables_made;
mod tables_renamed;
mod tables_sequences;
mod tables_target;
mod turns;
mod unserved;
mod values;

use super::budget;
use super::ddl::{Dialect, Names};
use super::observe::{HIDDEN_PREFIX, Observed};
use super::step::{Lock, Relation, Stage, Step};
use super::table::{Column, ColumnDefault, Rule, Table};
use super::values::RenamedValues;
use crate::field_types::kind::FieldKind;
use crate::ident::{qualified, quote, quote_literal};
use std::collections::{HashMap, HashSet};

/// What is to be reached, and from where.
pub(crate) struct Goal<'g> {
    pub(crate) observed: &'g Observed,
    /// What the present version asks for.
    pub(crate) managed: &'g Table,
    pub(crate) target: &'g Table,
    /// Names of fields before and after.
    pub(crate) renames: &'g [(String, String)],
    /// Values of columns before and after; the rows follow.
    pub(crate) renamed_values: &'g [RenamedValues],
    /// A hidden column, as it is, that one of `renames` brings back.
    pub(crate) restored: Option<Column>,
    /// The version that the table has now: part of the names of columns that are hidden.
    pub(crate) version: i32,
    pub(crate) dialect: &'g Dialect,
    pub(crate) manner: Manner<'g>,
}

/// Whose table it is.
#[derive(Clone, Copy)]
pub(crate) enum Manner<'g> {
    /// Fields that leave are hidden, and rules may have any name.
    EntryTable,
    /// Columns that leave are dropped, and each rule has its name.
    Blueprint(&'g Surroundings<'g>),
}

/// What a blueprint's table needs to know of what is around it.
pub(crate) struct Surroundings<'g> {
    /// The table as it is called before tables are renamed: qualified and quoted.
    pub(crate) table_before: String,
    pub(crate) sequences: &'g tables::SequenceNames,
    /// Columns, as they are called now, and the sequences that fill them.
    pub(crate) sequence_states: &'g [(String, tables::SequenceState)],
    /// The references that are there, by name, under the names that everything has before the plan.
    pub(crate) references: &'g [(String, Rule)],
    pub(crate) keys: &'g tables::Keys,
    /// Columns, as they are called now, that have moved to a new type of the same name by then.
    pub(crate) moved: &'g HashSet<String>,
    /// Tables of the plan, as Postgres prints their names: it sees to their references.
    pub(crate) own: &'g HashSet<String>,
    pub(crate) terms: tables::Terms,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) hidden: Vec<Hidden>,
    /// Of a blueprint's table: the names that the steps give and take.
    pub(crate) moves: Vec<room::Move>,
}

/// A field that a plan hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(crate) field: String,
    pub(crate) column: String,
}

/// Plans the way to the goal; no steps where it is reached.
pub(crate) fn plan(goal: &Goal<'_>) -> Plan {
    let mut planner = Planner::new(goal);
    match goal.manner {
        Manner::EntryTable => planner.plan_entry_table(),
        Manner::Blueprint(surroundings) => planner.plan_exactly(surroundings),
    }
    planner.plan
}

struct Planner<'g> {
    goal: &'g Goal<'g>,
    /// Qualified and quoted.
    table: String,
    relation: Relation,
    names: Names,
    /// For each column of the target that is there, what it is called now.
    sources: HashMap<&'g str, &'g Column>,
    /// Rules of the target that are there.
    kept: Vec<Rule>,
    /// Of them, constraints that the rows were not checked by yet, and what these are called.
    unchecked: Vec<(String, Rule)>,
    /// Columns, by their new names, whose type changes.
    retyped: HashSet<&'g str>,
    /// Of them, those whose values may be equal after it that were not before: '1' and '01'.
    reread: HashSet<&'g str>,
    /// Columns, by their new names, that lose a collation which somebody gave them.
    collated: HashSet<&'g str>,
    /// Columns of enums some of whose values step aside meanwhile.
    revalued: HashSet<&'g str>,
    plan: Plan,
}

impl<'g> Planner<'g> {
    fn new(goal: &'g Goal<'g>) -> Self {
        Self {
            goal,
            table: qualified(&goal.observed.schema, &goal.observed.name),
            relation: Relation {
                schema: goal.observed.schema.clone(),
                table: goal.observed.name.clone(),
                key: key_of(goal.target),
            },
            names: Names::new(goal.observed.names.iter().cloned()),
            sources: HashMap::new(),
            kept: Vec::new(),
            unchecked: Vec::new(),
            retyped: HashSet::new(),
            reread: HashSet::new(),
            collated: HashSet::new(),
            revalued: HashSet::new(),
            plan: Plan { steps: Vec::new(), hidden: Vec::new(), moves: Vec::new() },
        }
    }

    fn plan_entry_table(&mut self) {
        self.match_columns();
        self.find_values_aside();
        self.drop_rules();
        self.hide_columns();
        self.rename_columns();
        self.change_types();
        self.add_columns();
        // Triggers fire where values are renamed, so by then they know the columns by their new names.
        let renames_values = !self.goal.renamed_values.is_empty();
        if renames_values {
            self.guard_references();
            self.rename_values();
        }
        self.change_defaults();
        self.change_nullability();
        self.add_rules();
        if !renames_values {
            self.guard_references();
        }
        self.describe();
        self.check_budgets();
    }

    fn push(&mut self, step: Step) {
        let relation = Some(self.relation.clone());
        self.plan.steps.push(Step { relation, ..step });
    }

    fn alter(&self, what: &str) -> String {
        format!("ALTER TABLE {} {what}", self.table)
    }

    fn present(&self, name: &str) -> Option<&'g Column> {
        let restored = self.goal.restored.as_ref();
        self.goal
            .observed
            .table
            .column(name)
            .or_else(|| restored.filter(|column| column.name == name))
    }

    /// Where a field is renamed from. A document that was applied still tells its renames: one is done
    /// where both names are there to stay, which the old one is not if it is renamed in turn.
    fn renamed_from(&self, name: &str) -> Option<&'g Column> {
        let mut name = name;
        let mut first = None;
        // A chain is no longer than all renames together.
        for _ in 0..=self.goal.renames.len() {
            let (from, _) = self.goal.renames.iter().find(|(_, to)| to == name)?;
            let source = self.present(from)?;
            let first = *first.get_or_insert(source);
            if self.present(name).is_none() || self.goal.target.column(from).is_none() {
                return Some(first);
            }
            name = from;
        }
        None
    }

    /// The column of the key, whatever names say.
    fn key_source(&self) -> Option<&'g Column> {
        self.present(&self.goal.observed.key.as_ref()?.name)
    }

    fn match_columns(&mut self) {
        let key = self.key_source();
        for column in &self.goal.target.columns {
            let name = column.name.as_str();
            let is_key = matches!(column.default, Some(ColumnDefault::Key(_)));
            if let (true, Some(source)) = (is_key, key) {
                self.match_column(column, source);
                continue;
            }
            let from = self.goal.renames.iter().find(|(_, to)| to == name).map(|(from, _)| from);
            // The name of a key that is renamed is free for a field.
            let same =
                self.present(name).filter(|same| key.is_none_or(|key| key.name != same.name));
            let renamed = self.renamed_from(name);
            if let (Some(from), None, None) = (from, renamed, same) {
                let why = format!(
                    "field \"{from}\" does not exist, so it cannot be renamed: leave renamed_from out to add a \
                     new field"
                );
                self.push(Step::refused("rename_column", name, why));
            }
            if let Some(source) = renamed.or(same) {
                self.match_column(column, source);
            }
        }
        // Two fields of a document cannot come from one column.
        let mut used = HashSet::new();
        for column in &self.goal.target.columns {
            let Some(source) = self.sources.get(column.name.as_str()) else { continue };
            if !used.insert(source.name.as_str()) {
                let why = format!("two fields would come from \"{}\"", source.name);
                self.plan.steps.push(Step::refused("rename_column", &column.name, why));
            }
        }
        self.refuse_stale_renames(&used);
    }

    /// A rename to a field that is there would hide that one, which the document still names. It was done before, and
    /// the old name was given again, or the other field should have been dropped before: only the user knows.
    fn refuse_stale_renames(&mut self, used: &HashSet<&str>) {
        for column in &self.goal.target.columns {
            let name = column.name.as_str();
            let Some(source) = self.sources.get(name) else { continue };
            let there = self.goal.managed.column(name).is_some() && self.present(name).is_some();
            let is_key = matches!(column.default, Some(ColumnDefault::Key(_)));
            if is_key || source.name == name || !there || used.contains(name) {
                continue;
            }
            let from = &source.name;
            let why = match self.goal.manner {
                Manner::EntryTable => format!(
                    "both \"{from}\" and \"{name}\" are fields with values, and to rename one would hide the other: \
                     leave renamed_from out to keep \"{name}\" and hide \"{from}\"; or drop \"{name}\" in a change \
                     of its own, and rename \"{from}\" in the next"
                ),
                // A field may have said nothing but another column.
                Manner::Blueprint(_) => format!(
                    "both columns \"{from}\" and \"{name}\" hold values, and to rename one would drop the other: to keep \
                     \"{name}\" and drop \"{from}\", leave out what renames it; otherwise drop \"{name}\" in a version of \
                     its own, and rename \"{from}\" in the next"
                ),
            };
            self.plan.steps.push(Step::refused("rename_column", name, why));
        }
    }

    fn match_column(&mut self, column: &'g Column, source: &'g Column) {
        if self.has_moved(source) {
            self.retyped.insert(&column.name);
        }
        if source.list != column.list || source.kind != column.kind {
            self.retyped.insert(&column.name);
            let is_text = |column: &Column| matches!(column.kind, FieldKind::Text { .. });
            if is_text(source) && !is_text(column) {
                self.reread.insert(&column.name);
            }
        }
        if matches!(self.goal.manner, Manner::Blueprint(_)) && self.collation(source).is_some() {
            self.collated.insert(&column.name);
        }
        self.sources.insert(&column.name, source);
    }

    /// What somebody has let a column be compared by.
    fn collation(&self, source: &Column) -> Option<&'g str> {
        let mut extras = self.goal.observed.extras.iter();
        let of = extras.find(|extra| extra.kind == "collation" && extra.name == source.name)?;
        Some(&of.definition)
    }

    /// What a column that is there will be called.
    fn new_name(&self, old: &str) -> Option<&'g str> {
        self.goal
            .target
            .columns
            .iter()
            .find(|column| self.sources.get(column.name.as_str()).is_some_and(|s| s.name == old))
            .map(|column| column.name.as_str())
    }

    /// The structure's own columns that the target does not have.
    fn leaving(&self) -> Vec<&'g Column> {
        let managed = |column: &&Column| self.goal.managed.column(&column.name).is_some();
        let used: HashSet<&str> =
            self.sources.values().map(|column| column.name.as_str()).collect();
        self.goal
            .observed
            .table
            .columns
            .iter()
            .filter(managed)
            .filter(|column| !used.contains(column.name.as_str()))
            .collect()
    }

    fn hide_columns(&mut self) {
        for column in self.leaving() {
            let name = quote(&column.name);
            let hidden = format!("{HIDDEN_PREFIX}{}_{}", self.goal.version, column.name);
            let (mut loosened, mut tightened) = (Vec::new(), Vec::new());
            if column.required {
                loosened.push(format!("ALTER COLUMN {name} DROP NOT NULL"));
                tightened.push(format!("ALTER COLUMN {name} SET NOT NULL"));
            }
            if column.default.is_some() {
                loosened.push(format!("ALTER COLUMN {name} DROP DEFAULT"));
            }
            if let Some(default) = self.goal.dialect.default(column) {
                tightened.push(format!("ALTER COLUMN {name} SET DEFAULT {default}"));
            }
            let rename = self.alter(&format!("RENAME COLUMN {name} TO {}", quote(&hidden)));
            let sql = if loosened.is_empty() {
                rename
            } else {
                format!("{}; {rename}", self.alter(&loosened.join(", ")))
            };
            let mut back = self.alter(&format!("RENAME COLUMN {} TO {name}", quote(&hidden)));
            if !tightened.is_empty() {
                back = format!("{back}; {}", self.alter(&tightened.join(", ")));
            }
            let step = Step::instant("hide_column", &column.name, sql).undone_by(back);
            let step = self.with_dependents_of_hidden(step, column);
            self.push(step);
            self.plan.hidden.push(Hidden { field: column.name.clone(), column: hidden });
        }
    }

    fn rename_columns(&mut self) {
        let mut waiting: Vec<(String, &'g str)> = self
            .goal
            .target
            .columns
            .iter()
            .filter_map(|column| {
                let source = self.sources.get(column.name.as_str())?;
                (source.name != column.name).then(|| (source.name.clone(), column.name.as_str()))
            })
            .collect();
        let leaving: HashSet<&str> =
            self.leaving().into_iter().map(|column| column.name.as_str()).collect();
        let mut taken: HashSet<String> = self
            .goal
            .observed
            .table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .filter(|name| !leaving.contains(name.as_str()))
            .collect();
        while !waiting.is_empty() {
            let free = waiting.iter().position(|(_, to)| !taken.contains(*to));
            let Some(at) = free else {
                for (_, to) in waiting {
                    let why =
                        "a column of this name was added to the table by hand: rename that first";
                    self.push(Step::refused("rename_column", to, why.to_owned()));
                }
                return;
            };
            let (from, to) = waiting.remove(at);
            let sql = self.alter(&format!("RENAME COLUMN {} TO {}", quote(&from), quote(to)));
            let back = self.alter(&format!("RENAME COLUMN {} TO {}", quote(to), quote(&from)));
            let step = Step::instant("rename_column", to, sql).undone_by(back);
            let step = self.with_dependents_of_renamed(step, &from);
            self.push(step);
            taken.remove(&from);
            taken.insert(to.to_owned());
        }
    }

    fn describe(&mut self) {
        let literal = |text: &Option<String>| {
            text.as_ref().map_or_else(|| "NULL".to_owned(), |text| quote_literal(text))
        };
        if self.goal.target.description != self.goal.observed.table.description {
            let comment = |text| format!("COMMENT ON TABLE {} IS {}", self.table, literal(text));
            let step = Step::instant(
                "describe",
                &self.goal.observed.name,
                comment(&self.goal.target.description),
            );
            let back = comment(&self.goal.observed.table.description);
            self.push(step.lock(Lock::ShareUpdateExclusive).stage(Stage::Describe).undone_by(back));
        }
        for column in &self.goal.target.columns {
            // Of the key and the times a structure says nothing.
            let is_entry_table = matches!(self.goal.manner, Manner::EntryTable);
            if is_entry_table
                && matches!(column.default, Some(ColumnDefault::Key(_) | ColumnDefault::Clock))
            {
                continue;
            }
            let old = self.sources.get(column.name.as_str()).copied();
            let before = old.map_or(&None, |old| &old.description);
            if *before == column.description {
                continue;
            }
            let comment = |text| {
                let name = quote(&column.name);
                format!("COMMENT ON COLUMN {}.{name} IS {}", self.table, literal(text))
            };
            let step = Step::instant("describe", &column.name, comment(&column.description));
            let back = comment(before);
            self.push(step.lock(Lock::ShareUpdateExclusive).stage(Stage::Describe).undone_by(back));
        }
    }

    fn check_budgets(&mut self) {
        if self.plan.steps.is_empty() {
            return;
        }
        match budget::row_width(self.goal.target) {
            Err(why) => self.push(Step::refused("row_width", &self.goal.observed.name, why)),
            Ok(Some(warning)) => {
                let widened = |step: &&mut Step| {
                    matches!(step.operation, "add_column" | "change_type" | "require")
                };
                for step in self.plan.steps.iter_mut().filter(widened) {
                    step.hazards.push(warning.clone());
                }
            }
            Ok(None) => {}
        }
    }
}

/// The columns of a table's key, as entry tables have it or by the rule.
fn key_of(table: &Table) -> Vec<String> {
    let by_rule = table.rules.iter().find_map(|rule| match rule {
        Rule::PrimaryKey(columns) => Some(columns.clone()),
        _ => None,
    });
    let is_key = |column: &&Column| matches!(column.default, Some(ColumnDefault::Key(_)));
    by_rule.unwrap_or_else(|| {
        table.columns.iter().filter(is_key).map(|column| column.name.clone()).collect()
    })
}

#[cfg(test)]
mod tables_tests;
#[cfg(test)]
mod tests;
