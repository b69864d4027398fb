//! What else rests on a column, and what a change means for it: said before, in words.

use super::Planner;
use crate::structure::facts::{Dependent, DependentKind};
use crate::structure::step::{Class, Step};
use crate::structure::table::Column;

impl Planner<'_> {
    fn dependents(&self, column: &str) -> impl Iterator<Item = &Dependent> {
        let of = move |dependent: &&Dependent| dependent.column.as_deref() == Some(column);
        self.goal.observed.dependents.iter().filter(of)
    }

    /// Why the type of a column cannot change: Postgres changes none under these.
    pub(super) fn keeps_type(&self, column: &Column) -> Option<String> {
        let of_table = |dependent: &&Dependent| dependent.column.is_none();
        let whole = self.goal.observed.dependents.iter().filter(of_table);
        let keepers: Vec<String> = self
            .dependents(&column.name)
            .chain(whole.filter(|dependent| dependent.kind == DependentKind::Column))
            .filter(|dependent| dependent.keeps_type)
            .map(Dependent::text)
            .collect();
        if !keepers.is_empty() {
            return Some(format!(
                "no type changes under what uses the column: {}. Drop it before, and make it again afterwards",
                keepers.join(", ")
            ));
        }
        let by_hand = |extra: &&crate::structure::observe::Extra| {
            extra.kind == "default" && extra.name == column.name
        };
        self.goal.observed.extras.iter().find(by_hand).map(|extra| {
            format!(
                "its default was set by hand ({}) and may not be one of the new type: drop it before, and set \
                 it again afterwards",
                extra.definition
            )
        })
    }

    pub(super) fn with_dependents_of_retyped(&self, mut step: Step, column: &Column) -> Step {
        for dependent in self.dependents(&column.name) {
            use DependentKind::*;
            match dependent.kind {
                Constraint | Index if self.is_own_rule(&dependent.name) => {}
                Constraint | Exclusion | Index | Statistics => step.hazards.push(format!(
                    "dependent: {} is made anew for the new type, and the change fails where it does not fit",
                    dependent.text()
                )),
                _ => {}
            }
        }
        step
    }

    pub(super) fn with_dependents_of_hidden(&self, step: Step, column: &Column) -> Step {
        let mut step = self.unless_inherited(step, &column.name, "hidden");
        for dependent in self.dependents(&column.name) {
            use DependentKind::*;
            let what = match dependent.kind {
                View | MaterializedView => "goes on to show it",
                Publication => "goes on to send it, by the name of the hidden column",
                Rule | Policy | Trigger | Function | GeneratedColumn => {
                    "goes on to use it, with the values that are there"
                }
                Constraint | Index if self.is_own_rule(&dependent.name) => continue,
                Constraint | Exclusion | Index => "goes on to hold for it",
                _ => continue,
            };
            step.hazards.push(format!("dependent: {} {what}", dependent.text()));
        }
        step
    }

    pub(super) fn with_dependents_of_renamed(&self, step: Step, from: &str) -> Step {
        let mut step = self.unless_inherited(step, from, "renamed");
        for dependent in self.dependents(from) {
            if dependent.kind == DependentKind::Publication {
                step.hazards.push(format!(
                    "dependent: {} sends it by its new name from now on",
                    dependent.text()
                ));
            }
        }
        step
    }

    fn unless_inherited(&self, step: Step, column: &str, what: &str) -> Step {
        let parent = |dependent: &&Dependent| dependent.kind == DependentKind::Parent;
        let Some(parent) = self.dependents(column).find(parent) else { return step };
        let why = format!(
            "\"{column}\" is inherited from {} and can be {what} there only: end that before, or change it there",
            parent.name
        );
        Step { hazards: vec![why], ..step.class(Class::Refused) }
    }

    /// Whether the structure has asked for it, which is the planner's to see to.
    pub(super) fn is_own_rule(&self, name: &str) -> bool {
        let own = |named: &crate::structure::observe::NamedRule| {
            named.name == name && self.goal.managed.rules.contains(&named.rule)
        };
        self.goal.observed.rules.iter().any(own)
            || self.goal.observed.key.is_some() && name.ends_with("_pkey")
    }
}
