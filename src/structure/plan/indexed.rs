//! Indexes that are built apart, where a plan is not run in one transaction: by a statement of their own, while others write.
//!
//! A key is then made of its index, which reads nothing. Where a rule takes the place of another one of its name, its index has
//! a name of its own until it is built, and the old rule stays until then.

use super::exact::{Matches, Wanted, is_key};
use super::tables::key_of_target;
use super::tables_made::{deferred, index_stage};
use super::{Planner, Surroundings};
use crate::ident::{MAX_NAME, qualified, quote, shortened};
use crate::structure::budget;
use crate::structure::model::{Index, IndexColumn, Method};
use crate::structure::observe::{By, NamedRule};
use crate::structure::step::{Class, Lock, Phase, Stage, Step};
use crate::structure::table::Rule;
use std::collections::HashSet;

/// Indexes that are to take another's place are called so.
const NEW_PREFIX: &str = "kepler_new_";

fn new_name(name: &str) -> String {
    shortened(&format!("{NEW_PREFIX}{name}"), MAX_NAME)
}

/// The index that a rule has; `None` for what has none.
pub(super) fn index_of(rule: &Rule) -> Option<Index> {
    let of = |columns: Vec<&str>| Index {
        unique: true,
        ..Index::plain(
            columns.into_iter().map(|name| IndexColumn::plain(name, false)).collect(),
            Method::Btree,
        )
    };
    match rule {
        Rule::Index(index) => Some(index.clone()),
        Rule::PrimaryKey(_) | Rule::Unique(_) => Some(of(rule.columns())),
        _ => None,
    }
}

impl<'g> Planner<'g> {
    /// What an earlier plan left: indexes that were to take another's place, and what a REINDEX left of one that is not valid.
    pub(super) fn own_leftovers(&self, own: &mut [bool]) {
        let observed = &self.goal.observed.rules;
        let invalid = |name: &str| {
            observed
                .iter()
                .any(|named| named.by == By::Index && !named.validated && named.name == name)
        };
        for (named, own) in observed.iter().zip(own).filter(|(named, _)| named.by == By::Index) {
            let of_reindex = ["_ccnew", "_ccold"].into_iter().any(|suffix| {
                let base = named.name.rsplit_once(suffix);
                base.is_some_and(|(base, number)| {
                    number.bytes().all(|b| b.is_ascii_digit()) && invalid(base)
                })
            });
            if named.name.starts_with(NEW_PREFIX) || !named.validated && of_reindex {
                *own = true;
            }
        }
    }

    /// Finds the index of a rule that is not there.
    pub(super) fn match_index(
        &self,
        (rule, name): Wanted<'g>,
        own: &[bool],
        used: &mut [bool],
        matches: &mut Matches<'g>,
    ) {
        let observed = &self.goal.observed.rules;
        let (index, new) = (index_of(rule).map(Rule::Index), new_name(name));
        let is_its = |at: &usize| {
            let named = &observed[*at];
            let is_named = named.name == name || named.name == new;
            let is_free = own[*at] && !used[*at] && named.by == By::Index;
            let rule = self.renamed(&named.rule);
            is_free && is_named && index.as_ref() == Some(&rule) && self.survives(&rule)
        };
        match (0..observed.len()).find(is_its) {
            Some(at) if observed[at].validated && self.is_ready(rule) => {
                used[at] = true;
                matches.attached.push(((rule, name), &observed[at]));
            }
            Some(at) if self.builds_apart(rule) => {
                used[at] = true;
                matches.building.push(((rule, name), &observed[at]));
            }
            _ => matches.added.push((rule, name)),
        }
    }

    /// Postgres reads all rows for a primary key whose columns may be NULL.
    fn is_ready(&self, rule: &Rule) -> bool {
        let required = |column: &&str| self.sources.get(column).is_some_and(|now| now.required);
        !self.is_online()
            || !matches!(rule, Rule::PrimaryKey(_))
            || rule.columns().iter().all(required)
    }

    /// Whether the index of a rule is built by a statement of its own. What is written anew in the plan is locked anyway.
    pub(super) fn builds_apart(&self, rule: &Rule) -> bool {
        let is_written = |column: &str| {
            self.changes_value(column)
                || self.sources.get(column).is_some_and(|source| self.has_moved(source))
        };
        self.is_online()
            && index_of(rule).is_some()
            && !rule.columns().iter().any(|column| is_written(column))
    }

    /// The rules that wait for their index.
    pub(super) fn awaited<'m>(
        &'m self,
        matches: &'m Matches<'g>,
    ) -> impl Iterator<Item = &'g Rule> {
        let added = matches.added.iter().map(|(rule, _)| *rule);
        let building = matches.building.iter().map(|((rule, _), _)| *rule);
        added.filter(|rule| self.builds_apart(rule)).chain(building)
    }

    /// Whether a rule is a reference to a key that waits for its index.
    pub(super) fn waits(&self, rule: &Rule) -> bool {
        let Rule::Reference(reference) = rule else { return false };
        self.around().is_some_and(|around| around.keys.awaited.contains(&key_of_target(reference)))
    }

    /// Whether a rule is a reference to a key that stays until its successor is there.
    pub(super) fn leads_to_delayed(&self, rule: &Rule) -> bool {
        let Rule::Reference(reference) = rule else { return false };
        self.around().is_some_and(|around| around.keys.delayed.contains(&key_of_target(reference)))
    }

    /// Of the rules that leave, and could stay: those whose successors have no index yet.
    pub(super) fn delayed(
        &self,
        matches: &Matches<'g>,
        staying: &[&'g NamedRule],
    ) -> HashSet<&'g str> {
        // Columns that may be NULL again leave a primary key before.
        let loosens = |named: &&&NamedRule| {
            let is_optional =
                |name: &&str| self.goal.target.column(name).is_some_and(|column| !column.required);
            matches!(named.rule, Rule::PrimaryKey(_))
                && self.renamed(&named.rule).columns().iter().any(is_optional)
        };
        let mut delayed = HashSet::new();
        let added = matches.added.iter().filter(|(rule, _)| self.builds_apart(rule));
        let building = matches.building.iter().map(|(wanted, _)| wanted);
        for (rule, name) in added.chain(building) {
            let is_before = |named: &&&NamedRule| {
                let primary = |rule: &Rule| matches!(rule, Rule::PrimaryKey(_));
                let same_key = is_key(rule)
                    && is_key(&named.rule)
                    && self.renamed(&named.rule).columns() == rule.columns();
                same_key
                    || index_of(&named.rule).is_some() && named.name == *name
                    || primary(rule) && primary(&named.rule)
            };
            let before = staying.iter().filter(is_before).filter(|named| !loosens(named));
            delayed.extend(before.map(|named| named.name.as_str()));
        }
        delayed
    }

    /// A rule whose index is to be built.
    pub(super) fn build_apart(
        &mut self,
        wanted: Wanted<'g>,
        matches: &Matches<'g>,
        around: &Surroundings<'g>,
    ) {
        let (rule, name) = wanted;
        let Some(index) = index_of(rule).map(Rule::Index) else { return };
        let is_taken = matches.delayed.contains(name);
        let built = if is_taken { new_name(name) } else { name.to_owned() };
        let Some(sql) = self.goal.dialect.index(&index, &self.table, &built) else { return };
        let sql = sql.replacen("INDEX ", "INDEX CONCURRENTLY ", 1);
        let mut step = Step::instant("add_index", &built, sql);
        if let Some(width) = budget::index_width(self.goal.target, rule) {
            step = step.hazard(width);
        }
        let step = self.built_apart(step, rule, &built);
        self.push(deferred(step, rule, around.terms));
        self.take_place(wanted, &built, Phase::After);
    }

    fn built_apart(&self, step: Step, rule: &Rule, built: &str) -> Step {
        let schema = &self.goal.observed.schema;
        let columns: Vec<String> = rule.columns().into_iter().map(str::to_owned).collect();
        let distinct = is_key(rule).then(|| self.distinct(&columns, rule));
        step.class(Class::Scan)
            .lock(Lock::ShareUpdateExclusive)
            .stage(index_stage(rule))
            .phase(Phase::Deferred)
            .requires(distinct)
            .undone_by(format!("DROP INDEX CONCURRENTLY {}", qualified(schema, built)))
    }

    /// Rules whose index is there, or is being built.
    pub(super) fn add_indexed_rules(&mut self, matches: &Matches<'g>, around: &Surroundings<'g>) {
        for (wanted, named) in &matches.attached {
            self.take_place(*wanted, &named.name, Phase::Prepare);
        }
        for (wanted, named) in &matches.building {
            let (rule, _) = *wanted;
            if !named.validated {
                let place = qualified(&self.goal.observed.schema, &named.name);
                let sql = format!("REINDEX INDEX CONCURRENTLY {place}");
                let step = Step::instant("rebuild_index", &named.name, sql)
                    .hazard("invalid: the index is being built, or an earlier build of it failed");
                let step = self.built_apart(step, rule, &named.name);
                self.push(deferred(step, rule, around.terms));
            }
            self.take_place(*wanted, &named.name, Phase::After);
        }
    }

    /// Makes an index that is there by then the rule of a name.
    fn take_place(&mut self, (rule, name): Wanted<'g>, built: &str, phase: Phase) {
        let (schema, quoted) = (&self.goal.observed.schema, quote(name));
        let kind = match rule {
            Rule::PrimaryKey(_) => Some(("add_primary_key", "PRIMARY KEY")),
            Rule::Unique(_) => Some(("add_unique", "UNIQUE")),
            _ => None,
        };
        let step = match kind {
            Some((operation, kind)) => {
                let using = quote(built);
                let sql = format!("ADD CONSTRAINT {quoted} {kind} USING INDEX {using}");
                let back = self.alter(&format!("DROP CONSTRAINT {quoted}"));
                Step::instant(operation, name, self.alter(&sql)).undone_by(back)
            }
            None if built == name => return,
            None => {
                let place = qualified(schema, built);
                let sql = format!("ALTER INDEX {place} RENAME TO {quoted}");
                let back =
                    format!("ALTER INDEX {} RENAME TO {}", qualified(schema, name), quote(built));
                let step = Step::instant("rename_index", name, sql).undone_by(back);
                step.lock(Lock::ShareUpdateExclusive)
            }
        };
        self.push(step.stage(Stage::Key).phase(phase));
    }
}
