//! Tables on the way to their new names and schemas. One makes room for the next; where they go round in a circle, one
//! steps aside.

use super::tables::TableGoal;
use crate::ident::{MAX_NAME, qualified, quote, shortened};
use crate::structure::observe::Observed;
use crate::structure::step::{Relation, Stage, Step};

/// A table that is there, and where it is to be.
struct Move<'m> {
    observed: &'m Observed,
    schema: String,
    name: String,
    relation: Relation,
}

impl Move<'_> {
    fn is_done(&self) -> bool {
        self.schema == self.relation.schema && self.name == self.relation.table
    }

    /// Gives the name first, then the schema.
    fn go(&mut self, schema: &str, name: &str, steps: &mut Vec<Step>) {
        let sql = |schema: &str, name: &str, what: String| {
            format!("ALTER TABLE {} {what}", qualified(schema, name))
        };
        let to = |name: &str| format!("RENAME TO {}", quote(name));
        let into = |schema: &str| format!("SET SCHEMA {}", quote(schema));
        let mut push = |operation: &'static str, sql: String, back: String| {
            let mut step = Step::instant(operation, &self.relation.table, sql);
            step.hazards.extend(super::drops::published(self.observed));
            steps.push(step.of(&self.relation).stage(Stage::Rename).undone_by(back));
        };
        if self.name != name {
            let forth = sql(&self.schema, &self.name, to(name));
            push("rename_table", forth, sql(&self.schema, name, to(&self.name)));
        }
        if self.schema != schema {
            let forth = sql(&self.schema, name, into(schema));
            push("move_table", forth, sql(schema, name, into(&self.schema)));
        }
        (self.schema, self.name) = (schema.to_owned(), name.to_owned());
    }
}

/// The renames of all tables that stay.
pub(super) fn steps(tables: &[TableGoal<'_>]) -> Vec<Step> {
    let staying = tables.iter().filter_map(|table| {
        let (now, target, _) = (table.now.as_ref()?, table.target?, table.managed?);
        Some(Move {
            observed: now.observed,
            schema: now.observed.schema.clone(),
            name: now.observed.name.clone(),
            relation: Relation {
                schema: target.schema.clone(),
                table: target.table_name.clone(),
                key: super::key_of(&target.table),
            },
        })
    });
    let mut waiting: Vec<Move<'_>> = staying.filter(|one| !one.is_done()).collect();
    let mut steps = Vec::new();
    while !waiting.is_empty() {
        let is_free = |one: &Move<'_>| {
            // On its way into another schema it has its new name in the old one.
            let held = |other: &Move<'_>| {
                other.name == one.relation.table
                    && (other.schema == one.relation.schema || other.schema == one.schema)
                    && (&other.schema, &other.name) != (&one.schema, &one.name)
            };
            !waiting.iter().any(held)
        };
        match waiting.iter().position(is_free) {
            Some(at) => {
                let mut one = waiting.remove(at);
                let Relation { schema, table, .. } = one.relation.clone();
                one.go(&schema, &table, &mut steps);
            }
            None => {
                let one = &mut waiting[0];
                let aside = shortened(&format!("kepler_aside_{}", one.name), MAX_NAME);
                let schema = one.schema.clone();
                one.go(&schema, &aside, &mut steps);
            }
        }
    }
    steps
}
