//! Rules on the way to the goal: which ones go, before anything else, and which ones come, at the end.

use super::Planner;
use crate::ident::{qualified, quote};
use crate::structure::budget;
use crate::structure::ddl::wished_name;
use crate::structure::observe::{By, NamedRule};
use crate::structure::step::{Class, Lock, Phase, Requirement, Stage, Step};
use crate::structure::table::Rule;
use std::collections::HashSet;

impl Planner<'_> {
    pub(super) fn drop_rules(&mut self) {
        let leaving: HashSet<&str> =
            self.leaving().into_iter().map(|column| column.name.as_str()).collect();
        let mut dropped: HashSet<&str> = HashSet::new();
        let mut verdicts = Vec::new();
        for named in &self.goal.observed.rules {
            let managed = self.goal.managed.rules.contains(&named.rule);
            let touches_leaving = named.rule.columns().iter().any(|name| leaving.contains(name));
            let renamed = named.rule.renamed(&|old| self.new_name(old).unwrap_or(old).to_owned());
            // Postgres carries the others over.
            let changed = match named.rule {
                Rule::Unique(_) => Some(&self.reread),
                Rule::Reference(_) | Rule::Index(_) => None,
                _ => Some(&self.retyped),
            };
            let retyped = changed
                .is_some_and(|changed| renamed.columns().iter().any(|name| changed.contains(name)));
            let wanted = !touches_leaving && self.goal.target.rules.contains(&renamed);
            let is_aside = matches!(named.rule, Rule::OneOf { .. })
                && renamed.columns().iter().any(|name| self.revalued.contains(name));
            let keep =
                wanted && !retyped && !is_aside && (named.validated || named.by == By::Constraint);
            if (managed || wanted) && !keep {
                dropped.insert(&named.name);
            }
            verdicts.push((named, renamed, keep));
        }
        let mut done = HashSet::new();
        for (named, renamed, keep) in verdicts {
            if dropped.contains(named.name.as_str()) {
                if done.insert(&named.name) {
                    self.drop_rule(named);
                }
            } else if keep {
                if !named.validated {
                    self.unchecked.push((named.name.clone(), renamed.clone()));
                }
                self.kept.push(renamed);
            }
        }
    }

    fn drop_rule(&mut self, named: &NamedRule) {
        self.names.release(&named.name);
        let old = &self.goal.observed.table;
        let dialect = self.goal.dialect;
        let name = quote(&named.name);
        let step = if named.by == By::Constraint {
            let again = dialect
                .constraint(old, &named.rule)
                .map(|definition| self.alter(&format!("ADD CONSTRAINT {name} {definition}")));
            let sql = self.alter(&format!("DROP CONSTRAINT {name}"));
            Step { undo: again, ..Step::instant("drop_constraint", &named.name, sql) }
        } else {
            let again = dialect.index(&named.rule, &self.table, &named.name);
            let sql = format!("DROP INDEX {}", qualified(&self.goal.observed.schema, &named.name));
            Step { undo: again, ..Step::instant("drop_index", &named.name, sql) }
        };
        self.push(step);
    }

    pub(super) fn add_rules(&mut self) {
        for (name, rule) in std::mem::take(&mut self.unchecked) {
            self.validate(&name, &rule);
        }
        for rule in &self.goal.target.rules {
            if self.kept.contains(rule) {
                continue;
            }
            let name = self.names.choose(&wished_name(rule, &self.goal.observed.name));
            let dialect = self.goal.dialect;
            match dialect.constraint(self.goal.target, rule) {
                Some(definition) if matches!(rule, Rule::Unique(_)) => {
                    let quoted = quote(&name);
                    let sql = self.alter(&format!("ADD CONSTRAINT {quoted} {definition}"));
                    let back = self.alter(&format!("DROP CONSTRAINT {quoted}"));
                    let step = Step::instant("add_unique", &name, sql).undone_by(back);
                    self.push_scan(step, rule);
                }
                Some(definition) => {
                    let quoted = quote(&name);
                    let sql =
                        self.alter(&format!("ADD CONSTRAINT {quoted} {definition} NOT VALID"));
                    let back = self.alter(&format!("DROP CONSTRAINT {quoted}"));
                    let (operation, lock) = match rule {
                        Rule::Reference(_) => ("add_reference", Lock::ShareRowExclusive),
                        _ => ("add_check", Lock::AccessExclusive),
                    };
                    self.push(Step::instant(operation, &name, sql).lock(lock).undone_by(back));
                    self.validate(&name, rule);
                }
                None => {
                    let Some(sql) = dialect.index(rule, &self.table, &name) else { continue };
                    let operation =
                        if matches!(rule, Rule::Unique(_)) { "add_unique" } else { "add_index" };
                    let back =
                        format!("DROP INDEX {}", qualified(&self.goal.observed.schema, &name));
                    let step =
                        Step::instant(operation, &name, sql).lock(Lock::Share).undone_by(back);
                    self.push_scan(step, rule);
                }
            }
        }
    }

    fn push_scan(&mut self, step: Step, rule: &Rule) {
        let mut step = step.class(Class::Scan);
        if let Rule::Unique(columns) = rule {
            step = step.requires(Some(Requirement::NoDuplicates(columns.clone())));
        }
        step.hazards.extend(budget::index_width(self.goal.target, rule));
        self.push(step);
    }

    pub(super) fn validate(&mut self, name: &str, rule: &Rule) {
        let requirement = match rule {
            Rule::Reference(reference) => Some(Requirement::NoOrphans(reference.clone())),
            _ => self.goal.dialect.condition(self.goal.target, rule).map(|condition| {
                Requirement::NoRow {
                    problem: format!("violates \"{name}\""),
                    condition: format!("NOT ({condition})"),
                }
            }),
        };
        let sql = self.alter(&format!("VALIDATE CONSTRAINT {}", quote(name)));
        let phase = if self.waits(rule) { Phase::After } else { Phase::Validate };
        let mut step = Step::instant("validate", name, sql)
            .class(Class::Scan)
            .stage(Stage::Validate)
            .phase(phase)
            .lock(Lock::ShareUpdateExclusive)
            .requires(requirement);
        if let Rule::Reference(reference) = rule {
            let target = &reference.target;
            step.also_locks.push((target.schema.clone(), target.table.clone(), Lock::RowShare));
        }
        self.push(step);
    }
}
