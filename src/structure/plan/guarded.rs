//! The trigger that lets only references to secrets into columns.

use super::Planner;
use crate::ident::{qualified, quote, quote_literal};
use crate::structure::step::{Lock, Relation, Stage, Step};
use crate::structure::table::Table;

/// Fires behind the trigger that fills columns: by name.
pub(crate) const REFERENCES_TRIGGER: &str = "zz_kepler_secret_references";

impl Planner<'_> {
    /// A trigger does not follow a column that is renamed: then it is made anew.
    pub(super) fn guard_references(&mut self) {
        let goal = self.goal;
        let (now, wanted) = (&goal.observed.table.guarded, &goal.target.guarded);
        let is_new = |column: &String| {
            let source = self.sources.get(column.as_str());
            source.is_some_and(|source| !now.contains(&source.name))
        };
        let has_new = wanted.iter().any(is_new);
        let step = guard(now, wanted, &self.relation).map(|step| match has_new {
            true => step.hazard(unseen(&self.table)),
            false => step,
        });
        step.into_iter().for_each(|step| self.push(step));
    }
}

/// The trigger of a new table.
pub(crate) fn of_new_table(table: &Table, relation: &Relation) -> Option<Step> {
    guard(&[], &table.guarded, relation)
}

/// What to know of values that were there before the trigger.
fn unseen(table: &str) -> String {
    format!(
        "secrets: values that are there are not looked at, and stay: kepler.find_secrets({}) tells of them",
        quote_literal(table)
    )
}

fn guard(now: &[String], wanted: &[String], relation: &Relation) -> Option<Step> {
    let sorted = |columns: &[String]| {
        let mut columns = columns.to_vec();
        columns.sort();
        columns
    };
    if sorted(now) == sorted(wanted) {
        return None;
    }
    let table = qualified(&relation.schema, &relation.table);
    let trigger = quote(REFERENCES_TRIGGER);
    let drop = format!("DROP TRIGGER {trigger} ON {table}");
    let make = |columns: &[String]| {
        let named = columns.iter().filter(|column| !column.is_empty());
        let arguments: Vec<String> = named.map(|column| quote_literal(column)).collect();
        format!(
            "CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW \
             EXECUTE FUNCTION kepler_internal.check_secret_references({})",
            arguments.join(", ")
        )
    };
    let back = if now.is_empty() { drop.clone() } else { make(now) };
    let (operation, sql) = match (now, wanted) {
        ([], _) => ("add_trigger", make(wanted)),
        (_, []) => ("drop_trigger", drop),
        _ => ("change_trigger", make(wanted)),
    };
    let lock = if wanted.is_empty() { Lock::AccessExclusive } else { Lock::ShareRowExclusive };
    let step = Step::instant(operation, REFERENCES_TRIGGER, sql).stage(Stage::Guard).lock(lock);
    Some(step.of(relation).undone_by(back))
}
