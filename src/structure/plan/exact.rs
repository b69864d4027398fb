//! The plan of a table of a blueprint: columns that leave are dropped, and each rule has the name that it was given.

use super::room::{self, Kind, Move};
use super::tables::{Keys, by_hand, key_of_target};
use super::{Goal, Manner, Planner, Surroundings};
use crate::ident::{qualified, quote};
use crate::structure::convert::{self, Change};
use crate::structure::facts::{Dependent, DependentKind};
use crate::structure::model::{Index, Method};
use crate::structure::observe::{By, Extra, NamedRule};
use crate::structure::step::{Class, Lock, Phase, Stage, Step};
use crate::structure::table::{Column, Reference, Rule};
use std::collections::HashSet;

/// A rule of the target, and the name that it must have.
pub(super) type Wanted<'g> = (&'g Rule, &'g str);

/// Which rules of the target are there.
#[derive(Default)]
pub(super) struct Matches<'g> {
    pub(super) kept: Vec<(Wanted<'g>, &'g NamedRule)>,
    pub(super) renamed: Vec<(Wanted<'g>, &'g NamedRule)>,
    /// Keys whose index is there.
    pub(super) attached: Vec<(Wanted<'g>, &'g NamedRule)>,
    /// Rules whose index is there and not valid: it is being built, or the build failed.
    pub(super) building: Vec<(Wanted<'g>, &'g NamedRule)>,
    pub(super) added: Vec<Wanted<'g>>,
    pub(super) dropped: Vec<&'g NamedRule>,
    /// Those of them that stay until the index of their successor is there.
    pub(super) delayed: HashSet<&'g str>,
    /// What was ours by its name and is now something that no rule says: whether it is an index, and the name.
    pub(super) replaced: Vec<(bool, &'g str)>,
}

/// The keys that a plan makes anew, or changes the types of, and those that wait for an index.
pub(super) fn find_keys(goal: &Goal<'_>, keys: &mut Keys) {
    let mut planner = Planner::new(goal);
    planner.match_columns();
    let matches = planner.match_rules();
    let observed = goal.observed;
    let key = |columns: Vec<&str>| {
        let mut columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        columns.sort();
        (observed.schema.clone(), observed.name.clone(), columns)
    };
    for named in matches.dropped.iter().filter(|named| is_key(&named.rule)) {
        let rule = planner.renamed(&named.rule);
        if matches.delayed.contains(named.name.as_str()) {
            keys.delayed.insert(key(rule.columns()));
        }
        keys.remade.insert(key(rule.columns()));
    }
    for rule in goal.target.rules.iter().filter(|rule| is_key(rule)) {
        let columns = rule.columns();
        if columns.iter().any(|column| planner.changes_value(column)) {
            keys.remade.insert(key(columns));
        }
    }
    for rule in planner.awaited(&matches).filter(|rule| is_key(rule)) {
        keys.awaited.insert(key(rule.columns()));
    }
}

/// Whether references may lead to it.
pub(super) fn is_key(rule: &Rule) -> bool {
    matches!(rule, Rule::PrimaryKey(_) | Rule::Unique(_) | Rule::Index(Index { unique: true, .. }))
}

impl<'g> Planner<'g> {
    pub(super) fn plan_exactly(&mut self, around: &Surroundings<'g>) {
        self.match_columns();
        self.refuse_columns_by_hand(around);
        let matches = self.match_rules();
        self.drop_exact_rules(&matches, around);
        self.drop_stand_ins();
        self.rename_rules(&matches);
        self.stop_generating(around);
        self.drop_columns();
        self.rename_columns();
        self.change_types();
        self.add_columns();
        self.change_defaults();
        self.change_nullability();
        self.start_generating(around);
        self.add_exact_rules(&matches, around);
        self.rename_sequences(around);
        self.guard_references();
        self.describe();
        self.check_budgets();
    }

    pub(super) fn around(&self) -> Option<&'g Surroundings<'g>> {
        match self.goal.manner {
            Manner::EntryTable => None,
            Manner::Blueprint(around) => Some(around),
        }
    }

    /// A column that no version asked for is somebody's, also if a field has its name.
    fn refuse_columns_by_hand(&mut self, around: &Surroundings<'g>) {
        if around.terms.adopt {
            return;
        }
        for column in &self.goal.target.columns {
            let name = column.name.as_str();
            let source = self.sources.get(name).map(|source| source.name.as_str());
            if source.is_some_and(|source| self.goal.managed.column(source).is_none()) {
                self.push(Step::refused("add_column", name, by_hand("column", name)));
            }
        }
    }

    /// Whether what somebody has made becomes the blueprint's by having the name of something of its own.
    fn adopts(&self) -> bool {
        self.around().is_some_and(|around| around.terms.adopt)
    }

    /// Whether a column is of a new type of the same name by then.
    pub(super) fn has_moved(&self, source: &Column) -> bool {
        self.around().is_some_and(|around| around.moved.contains(&source.name))
    }

    pub(super) fn is_online(&self) -> bool {
        self.around().is_some_and(|around| around.terms.online)
    }

    pub(super) fn renamed(&self, rule: &Rule) -> Rule {
        rule.renamed(&|old| self.new_name(old).unwrap_or(old).to_owned())
    }

    /// Whether the values of a column, by its new name, are stored otherwise afterwards.
    pub(super) fn changes_value(&self, column: &str) -> bool {
        let (Some(source), Some(target)) =
            (self.sources.get(column), self.goal.target.column(column))
        else {
            return false;
        };
        let change =
            convert::change("x", (&source.kind, source.list), (&target.kind, target.list), "t");
        !matches!(change, Change::None | Change::Instant)
    }

    /// Whether Postgres carries a rule, under its new columns, through the changes of types.
    pub(super) fn survives(&self, rule: &Rule) -> bool {
        let touched = |set: &HashSet<&str>| rule.columns().iter().any(|name| set.contains(name));
        match rule {
            Rule::PrimaryKey(_) => true,
            Rule::Unique(_) => !touched(&self.reread),
            Rule::Reference(reference) => {
                !self.leads_to_remade(reference)
                    && !reference.columns.iter().any(|column| self.changes_value(column))
            }
            Rule::Index(index) => {
                let plain = index.predicate.is_none()
                    && index.columns.iter().all(|column| {
                        column.operators.is_none() && column.path.is_empty() && !column.folded
                    })
                    && matches!(index.method, Method::Btree | Method::Hash);
                let mentions = |name: &&str| {
                    index.predicate.as_ref().is_some_and(|sql| sql.text.contains(*name))
                };
                !((touched(&self.retyped) || touched(&self.collated)) && !plain
                    || index.unique && touched(&self.reread)
                    || self.retyped.iter().any(mentions))
            }
            _ => !touched(&self.retyped),
        }
    }

    fn leads_to_remade(&self, reference: &Reference) -> bool {
        self.around().is_some_and(|around| around.keys.remade.contains(&key_of_target(reference)))
    }

    /// The rules that are there because the version that was applied asked for them.
    pub(super) fn own_rules(&self) -> (Vec<bool>, Vec<(bool, &'g str)>) {
        let observed = &self.goal.observed.rules;
        let mut own = vec![false; observed.len()];
        let mut missing = Vec::new();
        for (rule, name) in self.goal.managed.named_rules() {
            let same =
                |at: &usize| observed[*at].rule == *rule && Some(&*observed[*at].name) == name;
            match (0..observed.len()).find(same) {
                Some(at) => own[at] = true,
                None => missing.push((rule, name)),
            }
        }
        self.own_leftovers(&mut own);
        let mut replaced = Vec::new();
        for (rule, name) in missing {
            let free = |at: &usize| !own[*at];
            let named = |at: &usize| Some(&*observed[*at].name) == name;
            // Renamed by hand, or changed by hand.
            let found = (0..observed.len()).filter(free).find(|at| observed[*at].rule == *rule);
            let found = found.or_else(|| (0..observed.len()).filter(free).find(named));
            match (found, name) {
                (Some(at), _) => own[at] = true,
                (None, Some(name)) => {
                    let extra = self.goal.observed.extras.iter().find(|extra| {
                        extra.name == name && matches!(extra.kind, "constraint" | "index")
                    });
                    replaced.extend(extra.map(|extra| (extra.kind == "index", &*extra.name)));
                }
                (None, None) => {}
            }
        }
        (own, replaced)
    }

    fn match_rules(&self) -> Matches<'g> {
        let observed = &self.goal.observed.rules;
        let leaving: HashSet<&str> =
            self.leaving().into_iter().map(|column| column.name.as_str()).collect();
        let (own, replaced) = self.own_rules();
        let adopts = self.adopts();
        let mut matches = Matches { replaced, ..Matches::default() };
        // What each would be afterwards, where it can stay.
        let stays: Vec<Option<Rule>> = observed
            .iter()
            .map(|named| {
                let rule = self.renamed(&named.rule);
                let leaves = named.rule.columns().iter().any(|name| leaving.contains(name));
                let whole = named.validated || named.by == By::Constraint;
                (!leaves && whole && !named.shared && self.survives(&rule)).then_some(rule)
            })
            .collect();
        let mut used = vec![false; observed.len()];
        let mut open = Vec::new();
        for (rule, name) in self.goal.target.named_rules() {
            let name = name.unwrap_or_default();
            let same = |at: &usize| {
                !used[*at]
                    && (own[*at] || adopts)
                    && stays[*at].as_ref() == Some(rule)
                    && observed[*at].name == name
            };
            match (0..observed.len()).find(same) {
                Some(at) => {
                    used[at] = true;
                    matches.kept.push(((rule, name), &observed[at]));
                }
                None => open.push((rule, name)),
            }
        }
        for (rule, name) in open {
            let same = |at: &usize| !used[*at] && own[*at] && stays[*at].as_ref() == Some(rule);
            match (0..observed.len()).find(same) {
                Some(at) => {
                    used[at] = true;
                    matches.renamed.push(((rule, name), &observed[at]));
                }
                None => self.match_index((rule, name), &own, &mut used, &mut matches),
            }
        }
        let dropped: Vec<usize> = (0..observed.len()).filter(|at| own[*at] && !used[*at]).collect();
        matches.dropped = dropped.iter().map(|at| &observed[*at]).collect();
        let staying: Vec<&NamedRule> =
            dropped.into_iter().filter(|at| stays[*at].is_some()).map(|at| &observed[at]).collect();
        matches.delayed = self.delayed(&matches, &staying);
        matches
    }

    fn drop_exact_rules(&mut self, matches: &Matches<'g>, around: &Surroundings<'g>) {
        let mut done = HashSet::new();
        for named in &matches.dropped {
            if done.insert(named.name.as_str()) {
                let is_delayed = matches.delayed.contains(named.name.as_str())
                    || self.leads_to_delayed(&named.rule);
                let step = self.drop_exact_rule(named, around, is_delayed);
                self.push(if is_delayed { step.phase(Phase::After) } else { step });
            }
        }
        for (is_index, name) in &matches.replaced {
            if done.insert(name) {
                let (operation, sql) = match is_index {
                    true => (
                        "drop_index",
                        format!("DROP INDEX {}", qualified(&self.goal.observed.schema, name)),
                    ),
                    false => {
                        ("drop_constraint", self.alter(&format!("DROP CONSTRAINT {}", quote(name))))
                    }
                };
                self.names.release(name);
                let kind = if *is_index { "index" } else { "constraint" };
                let of = |extra: &&Extra| extra.kind == kind && extra.name == *name;
                let extra = self.goal.observed.extras.iter().find(of);
                let definition = extra.map_or("", |extra| extra.definition.as_str());
                let mut step = Step::instant(operation, name, sql).stage(Stage::DropRule).hazard(
                    "changed_by_hand: it has the name of a rule of the blueprint and is another one",
                );
                step.undo = match is_index {
                    true => definition.starts_with("CREATE").then(|| definition.to_owned()),
                    false => {
                        Some(self.alter(&format!("ADD CONSTRAINT {} {definition}", quote(name))))
                    }
                };
                let kind = if *is_index { Kind::Index } else { room::kind_of_extra(definition) };
                self.note(kind, Some(name), None, Stage::DropRule);
                self.push(step);
            }
        }
    }

    /// `is_delayed`: not before another plan, when tables have their new names.
    fn drop_exact_rule(
        &mut self,
        named: &NamedRule,
        around: &Surroundings<'g>,
        is_delayed: bool,
    ) -> Step {
        let (dialect, old) = (self.goal.dialect, &self.goal.observed.table);
        let name = quote(&named.name);
        self.names.release(&named.name);
        let is_reference = matches!(named.rule, Rule::Reference(_));
        // References go before tables are renamed.
        let is_before = is_reference && !is_delayed;
        let table = if is_before { around.table_before.as_str() } else { self.table.as_str() };
        let mut step = if named.by == By::Constraint {
            // It leads to where that is before the plan.
            let before = around.references.iter().find(|(of, _)| is_before && *of == named.name);
            let rule = before.map_or(&named.rule, |(_, rule)| rule);
            let again = dialect.constraint(old, rule).map(|definition| {
                format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
            });
            let sql = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
            Step { undo: again, ..Step::instant("drop_constraint", &named.name, sql) }
        } else {
            let again = dialect.index(&named.rule, &self.table, &named.name);
            let sql = format!("DROP INDEX {}", qualified(&self.goal.observed.schema, &named.name));
            Step { undo: again, ..Step::instant("drop_index", &named.name, sql) }
        };
        if let Rule::Reference(reference) = &named.rule {
            let target = &reference.target;
            step.also_locks.push((
                target.schema.clone(),
                target.table.clone(),
                Lock::AccessExclusive,
            ));
        } else if is_key(&named.rule) {
            step = self.unless_led_to(step, named);
        }
        let stage = if is_reference { Stage::DropReference } else { Stage::DropRule };
        self.note(room::kind_of(&named.rule, named.by), Some(&named.name), None, stage);
        step.stage(stage)
    }

    pub(super) fn note(&mut self, kind: Kind, from: Option<&str>, to: Option<&str>, stage: Stage) {
        self.plan.moves.push(Move::of_rule(kind, self.goal.observed, from, to, stage));
    }

    /// A key under references that the plan does not know of stays: Postgres drops none.
    fn unless_led_to(&self, step: Step, named: &NamedRule) -> Step {
        let of = |by: &&Dependent| {
            by.kind == DependentKind::Reference && by.leads_to.as_ref() == Some(&named.name)
        };
        let led = self.goal.observed.dependents.iter().filter(of);
        let led: Vec<String> = led
            .filter(|by| !self.around().is_some_and(|around| around.own.contains(&by.name)))
            .map(Dependent::text)
            .collect();
        if led.is_empty() {
            return step;
        }
        let why = format!(
            "the key is led to by {}, which is not the blueprint's: drop that before, or leave the key in the blueprint",
            led.join(", ")
        );
        Step { hazards: vec![why], ..step.class(Class::Refused) }
    }

    fn rename_rules(&mut self, matches: &Matches<'g>) {
        let mut waiting: Vec<(Kind, String, &'g str)> = matches
            .renamed
            .iter()
            .map(|((_, name), named)| {
                (room::kind_of(&named.rule, named.by), named.name.clone(), *name)
            })
            .collect();
        while !waiting.is_empty() {
            let held = |to: &str| waiting.iter().any(|(_, from, _)| from == to);
            // Of a circle one steps aside before (`room`).
            let at = waiting.iter().position(|(_, _, to)| !held(to)).unwrap_or_default();
            let (kind, from, to) = waiting.remove(at);
            self.rename_rule(kind, &from, to);
        }
    }

    fn rename_rule(&mut self, kind: Kind, from: &str, to: &str) {
        let schema = &self.goal.observed.schema;
        // A constraint is renamed with its index, and nobody waits.
        let sql = |from: &str, to: &str| match kind {
            Kind::Constraint => {
                self.alter(&format!("RENAME CONSTRAINT {} TO {}", quote(from), quote(to)))
            }
            _ => format!("ALTER INDEX {} RENAME TO {}", qualified(schema, from), quote(to)),
        };
        let (operation, lock) = match kind {
            Kind::Constraint => ("rename_constraint", Lock::AccessExclusive),
            Kind::Key => ("rename_constraint", Lock::ShareUpdateExclusive),
            _ => ("rename_index", Lock::ShareUpdateExclusive),
        };
        let step = Step::instant(operation, to, sql(from, to)).lock(lock);
        let step = step.stage(Stage::RenameRule).undone_by(sql(to, from));
        self.names.release(from);
        self.names.take(to);
        self.note(kind, Some(from), Some(to), Stage::RenameRule);
        self.push(step);
    }
}
