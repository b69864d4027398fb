//! What a blueprint no longer names: its columns and tables are dropped, unless something of somebody's rests on them.

use super::Planner;
use super::tables::TablesGoal;
use crate::ident::{qualified, quote};
use crate::structure::facts::{Dependent, DependentKind};
use crate::structure::observe::{By, Observed};
use crate::structure::step::{Class, Lock, Relation, Stage, Step};
use crate::structure::table::{Column, Rule};
use std::collections::HashSet;

impl Planner<'_> {
    pub(super) fn drop_columns(&mut self) {
        for column in self.leaving() {
            let sql = self.alter(&format!("DROP COLUMN {}", quote(&column.name)));
            if let Some(around) = self.around() {
                self.note_dropped_sequence(column, around.sequences);
            }
            let step = Step::instant("drop_column", &column.name, sql).class(Class::Drop);
            let step = self.with_dependents_of_dropped(step, column);
            self.push(step.hazard("data: the values of the column are destroyed"));
        }
    }

    fn with_dependents_of_dropped(&self, step: Step, column: &Column) -> Step {
        use DependentKind::*;
        let mut step = step;
        let mut keepers = Vec::new();
        let of = |dependent: &&Dependent| dependent.column.as_deref() == Some(&*column.name);
        for dependent in self.goal.observed.dependents.iter().filter(of) {
            match dependent.kind {
                Constraint | Index if self.is_managed(&dependent.name) => {}
                // The policy of the blueprint itself is changed before.
                Policy if dependent.name == "workspace" => {}
                Constraint | Index | Statistics => {
                    step.hazards
                        .push(format!("dependent: {} is dropped with it", dependent.text()));
                }
                _ => keepers.push(dependent.text()),
            }
        }
        if keepers.is_empty() {
            return step;
        }
        let why = format!(
            "the column is used by {}: drop that before, or leave the column in the blueprint",
            keepers.join(", ")
        );
        Step { hazards: vec![why], ..step.class(Class::Refused) }
    }

    fn is_managed(&self, name: &str) -> bool {
        self.goal.managed.names.iter().flatten().any(|own| own == name)
            || self
                .goal
                .observed
                .rules
                .iter()
                .any(|named| named.name == name && self.goal.managed.rules.contains(&named.rule))
    }
}

/// What to know of publications when a table is renamed or moved.
pub(in crate::structure) fn published(observed: &Observed) -> Option<String> {
    let mut published: Vec<String> = observed
        .dependents
        .iter()
        .filter(|dependent| dependent.kind == DependentKind::Publication)
        .map(Dependent::text)
        .collect();
    // One that sends some of the columns is there for each of them.
    published.sort();
    published.dedup();
    (!published.is_empty()).then(|| {
        format!("dependent: {} sends it by its new name from now on", published.join(", "))
    })
}

/// The steps that drop a table: references first, as tables that go may refer to each other.
pub(super) fn table(
    observed: &Observed,
    goal: &TablesGoal<'_>,
    own: &HashSet<String>,
) -> Vec<Step> {
    let table = qualified(&observed.schema, &observed.name);
    let relation = Relation {
        schema: observed.schema.clone(),
        table: observed.name.clone(),
        key: super::key_of(&observed.table),
    };
    let mut steps = Vec::new();
    for named in observed.rules.iter().filter(|named| named.by == By::Constraint) {
        let Rule::Reference(reference) = &named.rule else { continue };
        let target = &reference.target;
        let name = quote(&named.name);
        let mut step = Step::instant(
            "drop_constraint",
            &named.name,
            format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
        )
        .stage(Stage::DropReference);
        let definition = goal.dialect.constraint(&observed.table, &named.rule);
        step.undo = definition
            .map(|definition| format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
        step.also_locks.push((target.schema.clone(), target.table.clone(), Lock::AccessExclusive));
        steps.push(step.of(&relation));
    }
    let step = Step::instant("drop_table", &observed.name, format!("DROP TABLE {table}"))
        .class(Class::Drop)
        .stage(Stage::DropTable)
        .hazard("data: the rows of the table are destroyed");
    let step = with_dependents(step, observed, own);
    steps.push(step.of(&relation));
    steps
}

fn with_dependents(mut step: Step, observed: &Observed, own: &HashSet<String>) -> Step {
    let mut keepers = Vec::new();
    for dependent in &observed.dependents {
        use DependentKind::*;
        match dependent.kind {
            // Those of the blueprint's own tables are dropped before.
            Reference if own.contains(&dependent.name) => {}
            Publication => {
                let hazard = format!("dependent: {} no longer sends it", dependent.text());
                if !step.hazards.contains(&hazard) {
                    step.hazards.push(hazard);
                }
            }
            _ if dependent.keeps_table() => keepers.push(dependent.text()),
            _ => {}
        }
    }
    if keepers.is_empty() {
        return step;
    }
    keepers.sort();
    keepers.dedup();
    let why = format!(
        "the table is used by {}: drop that before, or leave the table in the blueprint",
        keepers.join(", ")
    );
    Step { hazards: vec![why], ..step.class(Class::Refused) }
}

/// The names of the plan's tables as Postgres prints them, in each way in which it may.
pub(super) fn printed_names(goal: &TablesGoal<'_>) -> HashSet<String> {
    let mut names = HashSet::new();
    for now in goal.tables.iter().filter_map(|table| table.now.as_ref()) {
        let (schema, name) = (&now.observed.schema, &now.observed.name);
        // Postgres leaves out the quotes where a name needs none.
        let spelt = |name: &str| {
            let plain =
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
            if plain { name.to_owned() } else { quote(name) }
        };
        names.extend([
            format!("{}.{}", spelt(schema), spelt(name)),
            qualified(schema, name),
            format!("{}.{}", spelt(schema), quote(name)),
            format!("{}.{}", quote(schema), spelt(name)),
        ]);
    }
    names
}
