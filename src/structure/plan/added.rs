//! Constraints and indexes that a blueprint's table gets.

use super::exact::Matches;
use super::room::Kind;
use super::tables::by_hand;
use super::tables_made::{deferred, index_stage};
use super::{Planner, Surroundings};
use crate::ident::{qualified, quote};
use crate::structure::budget;
use crate::structure::model::Index;
use crate::structure::observe::NamedRule;
use crate::structure::step::{Class, Lock, Phase, Requirement, Stage, Step};
use crate::structure::table::Rule;
use std::collections::HashSet;

impl<'g> Planner<'g> {
    pub(super) fn add_exact_rules(&mut self, matches: &Matches<'g>, around: &Surroundings<'g>) {
        for ((rule, name), named) in matches.kept.iter().chain(&matches.renamed) {
            if !named.validated {
                self.validate(name, rule);
            }
        }
        self.add_indexed_rules(matches, around);
        let taken: HashSet<&str> = self.untouched(matches);
        for (rule, name) in matches.added.iter().copied() {
            if taken.contains(name) {
                let same = |named: &NamedRule| named.name == name && named.rule == *rule;
                if self.goal.observed.rules.iter().any(same) {
                    let what = if matches!(rule, Rule::Index(_)) { "index" } else { "constraint" };
                    self.push(Step::refused("add_rule", name, by_hand(what, name)));
                    continue;
                }
                let why = format!(
                    "\"{name}\" was added to the table by hand and is something else: rename or drop that, or give \
                     this one another name"
                );
                self.push(Step::refused("add_rule", name, why));
                continue;
            }
            let (kind, stage) = match rule {
                Rule::PrimaryKey(_) | Rule::Unique(_) => (Kind::Key, Stage::Key),
                Rule::Index(_) => (Kind::Index, index_stage(rule)),
                Rule::Reference(_) => (Kind::Constraint, Stage::Reference),
                _ => (Kind::Constraint, Stage::Rule),
            };
            self.note(kind, None, Some(name), stage);
            let columns: Vec<String> = rule.columns().into_iter().map(str::to_owned).collect();
            if self.builds_apart(rule) {
                self.build_apart((rule, name), matches, around);
                continue;
            }
            match rule {
                Rule::PrimaryKey(_) => {
                    let distinct = self.distinct(&columns, rule);
                    self.add_key("add_primary_key", rule, name, distinct);
                }
                Rule::Unique(_) => {
                    let distinct = self.distinct(&columns, rule);
                    self.add_key("add_unique", rule, name, distinct);
                }
                Rule::Index(index) => self.add_index(index, rule, name, around),
                _ => self.add_unvalidated(rule, name),
            }
        }
    }

    /// Names of constraints and indexes of the table that stay as they are.
    fn untouched(&self, matches: &Matches<'g>) -> HashSet<&'g str> {
        let gone = |name: &str| {
            matches.dropped.iter().any(|named| named.name == name)
                || matches.renamed.iter().any(|(_, named)| named.name == name)
                || matches.replaced.iter().any(|(_, replaced)| *replaced == name)
        };
        let names = self.goal.observed.names.iter().map(String::as_str);
        names.filter(|name| !gone(name)).collect()
    }

    pub(super) fn distinct(&self, names: &[String], rule: &Rule) -> Requirement {
        let expressions = match rule {
            Rule::Index(index) => {
                let dialect = self.goal.dialect;
                index.columns.iter().map(|column| dialect.index_expression(column)).collect()
            }
            _ => names.iter().map(|name| quote(name)).collect(),
        };
        let (among, nulls) = match rule {
            Rule::Index(index) => {
                (index.predicate.as_ref().map(|sql| sql.text.clone()), index.nulls_not_distinct)
            }
            _ => (None, false),
        };
        Requirement::Distinct { names: names.to_vec(), expressions, among, nulls }
    }

    fn add_key(&mut self, operation: &'static str, rule: &Rule, name: &str, distinct: Requirement) {
        let Some(definition) = self.goal.dialect.constraint(self.goal.target, rule) else { return };
        let quoted = quote(name);
        let sql = self.alter(&format!("ADD CONSTRAINT {quoted} {definition}"));
        let back = self.alter(&format!("DROP CONSTRAINT {quoted}"));
        let mut step = Step::instant(operation, name, sql)
            .class(Class::Scan)
            .stage(Stage::Key)
            .requires(Some(distinct))
            .undone_by(back);
        step.hazards.extend(budget::index_width(self.goal.target, rule));
        self.push(step);
    }

    fn add_index(&mut self, index: &Index, rule: &Rule, name: &str, around: &Surroundings<'g>) {
        let Some(sql) = self.goal.dialect.index(rule, &self.table, name) else { return };
        let back = format!("DROP INDEX {}", qualified(&self.goal.observed.schema, name));
        let mut step = Step::instant("add_index", name, sql)
            .class(Class::Scan)
            .lock(Lock::Share)
            .stage(index_stage(rule))
            .undone_by(back);
        if index.unique {
            let columns: Vec<String> = rule.columns().into_iter().map(str::to_owned).collect();
            step = step.requires(Some(self.distinct(&columns, rule)));
        }
        step.hazards.extend(budget::index_width(self.goal.target, rule));
        self.push(deferred(step, rule, around.terms));
    }

    /// A reference or a check, which holds for what is written from then on, and then for all rows.
    fn add_unvalidated(&mut self, rule: &Rule, name: &str) {
        let Some(definition) = self.goal.dialect.constraint(self.goal.target, rule) else { return };
        let quoted = quote(name);
        let sql = self.alter(&format!("ADD CONSTRAINT {quoted} {definition} NOT VALID"));
        let back = self.alter(&format!("DROP CONSTRAINT {quoted}"));
        let mut step = match rule {
            Rule::Reference(reference) => {
                let mut step = Step::instant("add_reference", name, sql)
                    .lock(Lock::ShareRowExclusive)
                    .stage(Stage::Reference);
                let target = &reference.target;
                step.also_locks.push((
                    target.schema.clone(),
                    target.table.clone(),
                    Lock::ShareRowExclusive,
                ));
                step
            }
            _ => Step::instant("add_check", name, sql).stage(Stage::Rule),
        };
        step = step.undone_by(back);
        if self.waits(rule) {
            step = step.phase(Phase::After);
        }
        self.push(step);
        self.validate(name, rule);
    }
}
