//! What a plan does otherwise where it is not run in one transaction: nothing reads many rows under a lock that keeps others
//! from writing.

use super::Planner;
use crate::ident::quote;
use crate::structure::ddl::composed_name;
use crate::structure::observe::NOT_VALID;
use crate::structure::step::{Class, Lock, Phase, Requirement, Stage, Step};
use crate::structure::table::Column;

/// Checks that stand for NOT NULL end so.
const STAND_IN: &str = "kepler_required";

impl Planner<'_> {
    /// Whether a column is required by way of a check. A primary key and an identity come when it is so.
    pub(super) fn is_required_online(&self, column: &Column) -> bool {
        self.is_online() && column.required
    }

    /// The check that stands for NOT NULL until it is validated.
    fn stand_in(&self, column: &str) -> String {
        composed_name(&self.goal.observed.name, &[column], STAND_IN)
    }

    /// Postgres reads no rows to set NOT NULL where a check says the same of all.
    pub(super) fn require_online(&mut self, column: &Column) {
        let (check, name) = (self.stand_in(&column.name), quote(&column.name));
        let quoted = quote(&check);
        let drop = self.alter(&format!("DROP CONSTRAINT {quoted}"));
        if !self.goal.observed.names.contains(&check) {
            let what = format!("ADD CONSTRAINT {quoted} CHECK ({name} IS NOT NULL) NOT VALID");
            let step = Step::instant("prepare_require", &column.name, self.alter(&what));
            self.push(step.stage(Stage::Rule).undone_by(drop.clone()));
        }
        let is_valid = self.goal.observed.extras.iter().any(|extra| {
            extra.kind == "constraint"
                && extra.name == check
                && !extra.definition.ends_with(NOT_VALID)
        });
        if !is_valid {
            let sql = self.alter(&format!("VALIDATE CONSTRAINT {quoted}"));
            let step = Step::instant("validate", &check, sql)
                .class(Class::Scan)
                .stage(Stage::Validate)
                .phase(Phase::Validate)
                .lock(Lock::ShareUpdateExclusive)
                .requires(Some(Requirement::NoRow {
                    problem: format!("\"{}\" is NULL", column.name),
                    condition: format!("{name} IS NULL"),
                }));
            self.push(step);
        }
        let set = self.alter(&format!("ALTER COLUMN {name} SET NOT NULL"));
        let back = self.alter(&format!("ALTER COLUMN {name} DROP NOT NULL"));
        let step = Step::instant("require", &column.name, format!("{set}; {drop}"));
        self.push(step.stage(Stage::Finish).phase(Phase::Finish).undone_by(back));
    }

    /// Stand-ins that a plan left behind which was not run to its end, and that this one has no use for.
    pub(super) fn drop_stand_ins(&mut self) {
        let goal = self.goal;
        let continued: Vec<String> = goal
            .target
            .columns
            .iter()
            .filter(|column| {
                let source = self.sources.get(column.name.as_str());
                self.is_required_online(column) && source.is_some_and(|source| !source.required)
            })
            .map(|column| self.stand_in(&column.name))
            .collect();
        let is_one = |name: &str| name.ends_with(STAND_IN) && !continued.iter().any(|c| c == name);
        for check in goal.observed.extras.iter().filter(|extra| extra.kind == "constraint") {
            if is_one(&check.name) {
                let sql = self.alter(&format!("DROP CONSTRAINT {}", quote(&check.name)));
                let again = format!("{} {}", quote(&check.name), check.definition);
                let back = self.alter(&format!("ADD CONSTRAINT {again}"));
                let step = Step::instant("drop_constraint", &check.name, sql).undone_by(back);
                self.push(step.stage(Stage::DropRule));
            }
        }
    }
}
