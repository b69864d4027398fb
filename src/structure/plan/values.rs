//! Values of enums that are renamed: the rows follow.

use super::Planner;
use crate::ident::{quote, quote_literal};
use crate::structure::ddl::unique_expressions;
use crate::structure::facts::DependentKind;
use crate::structure::step::{Class, Requirement, Step};
use crate::structure::table::{Column, Rule, UniqueColumn};
use crate::structure::values::{Move, RenamedValues};

impl<'g> Planner<'g> {
    /// Columns in which values step aside, so that their list of values cannot hold meanwhile.
    pub(super) fn find_values_aside(&mut self) {
        for renamed in self.goal.renamed_values {
            let steps_aside = |wave: &Vec<Move<'_>>| wave.iter().any(|one| one.from != one.first);
            if self.is_unique(&renamed.column) && renamed.waves().iter().any(steps_aside) {
                self.revalued.insert(&renamed.column);
            }
        }
    }

    /// Whether two rows could be in each other's way while their values change.
    fn is_unique(&self, column: &str) -> bool {
        let Some(source) = self.sources.get(column) else { return false };
        let by_rule = self.goal.observed.rules.iter().any(|named| {
            matches!(named.rule, Rule::Unique(_)) && named.rule.columns().contains(&&*source.name)
        });
        // An index of the user's own may be unique.
        let by_hand = self.goal.observed.dependents.iter().any(|dependent| {
            dependent.column.as_ref() == Some(&source.name)
                && matches!(dependent.kind, DependentKind::Index | DependentKind::Exclusion)
        });
        by_rule || by_hand
    }

    pub(super) fn rename_values(&mut self) {
        for renamed in self.goal.renamed_values {
            let Some(column) = self.goal.target.column(&renamed.column) else { continue };
            let Some(source) = self.sources.get(renamed.column.as_str()).copied() else { continue };
            let is_unique = self.is_unique(&renamed.column);
            let waves = if is_unique { renamed.waves() } else { vec![renamed.at_once()] };
            for (at, wave) in waves.iter().enumerate() {
                let mut step = self.rename_some(column, source, wave);
                if renamed.merges {
                    step.undo = None;
                }
                if at == 0 {
                    step = self.with_dependents_of_values(step, source);
                    if renamed.merges {
                        step = step.hazard(
                            "merge: values become one, and nothing tells the rows apart afterwards",
                        );
                        let mut required = self.no_duplicates_after(renamed, column).into_iter();
                        step = step.requires(required.next());
                        step.also_require = required.collect();
                    }
                }
                self.push(step);
            }
        }
    }

    fn rename_some(&self, column: &Column, source: &Column, wave: &[Move<'_>]) -> Step {
        let pairs = |from: &dyn Fn(&Move<'_>) -> String, to: &dyn Fn(&Move<'_>) -> String| {
            let pairs: Vec<(String, String)> =
                wave.iter().map(|one| (from(one), to(one))).collect();
            self.update_sql(column, &pairs)
        };
        let sql = pairs(&|one| one.from.clone(), &|one| one.to.clone());
        let back = pairs(&|one| one.to.clone(), &|one| one.from.clone());
        let first: Vec<&str> = wave.iter().map(|one| one.first).collect();
        let mut step =
            Step::instant("rename_values", &column.name, sql).class(Class::Rewrite).undone_by(back);
        step.writes = Some(holds(&quote(&source.name), source.list, &first));
        step
    }

    fn update_sql(&self, column: &Column, pairs: &[(String, String)]) -> String {
        let name = quote(&column.name);
        let from: Vec<&str> = pairs.iter().map(|(from, _)| from.as_str()).collect();
        let value = if column.list {
            format!(
                "(SELECT pg_catalog.array_agg({} ORDER BY e.place) \
                 FROM pg_catalog.unnest({name}) WITH ORDINALITY AS e (value, place))",
                renamed_value("e.value", pairs)
            )
        } else {
            renamed_value(&name, pairs)
        };
        format!(
            "UPDATE {} SET {name} = {value} WHERE {}",
            self.table,
            holds(&name, column.list, &from)
        )
    }

    /// What must hold of the rows where values become one that were two, for each unique set.
    fn no_duplicates_after(&self, renamed: &RenamedValues, column: &Column) -> Vec<Requirement> {
        let sets = self.goal.target.rules.iter().filter_map(|rule| match rule {
            Rule::Unique(columns) if columns.iter().any(|one| one.name == column.name) => {
                Some(columns)
            }
            _ => None,
        });
        let expression = |one: &UniqueColumn| {
            if one.name == column.name {
                return renamed_value(&quote(&one.name), &renamed.pairs);
            }
            unique_expressions(std::slice::from_ref(one)).concat()
        };
        let distinct = |columns: &Vec<UniqueColumn>| Requirement::Distinct {
            names: columns.iter().map(|one| one.name.clone()).collect(),
            expressions: columns.iter().map(expression).collect(),
            among: None,
            nulls: false,
        };
        sets.map(distinct).collect()
    }

    /// What may say a value in words of its own.
    fn with_dependents_of_values(&self, mut step: Step, column: &Column) -> Step {
        use DependentKind::*;
        let of_column = self
            .goal
            .observed
            .dependents
            .iter()
            .filter(|by| by.column.as_ref() == Some(&column.name));
        for dependent in of_column {
            let says = match dependent.kind {
                Constraint | Index => !self.is_own_rule(&dependent.name),
                View | MaterializedView | Rule | Policy | Trigger | Function | GeneratedColumn
                | Exclusion => true,
                _ => false,
            };
            if says {
                step.hazards.push(format!(
                    "dependent: {} goes on to say the old values, where it says any",
                    dependent.text()
                ));
            }
        }
        step
    }
}

/// Whether a column holds one of the values.
fn holds(name: &str, list: bool, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| quote_literal(value)).collect();
    let array = format!("ARRAY[{}]::pg_catalog.text[]", values.join(", "));
    if list {
        format!("{name} OPERATOR(pg_catalog.&&) {array}")
    } else {
        format!("{name} OPERATOR(pg_catalog.=) ANY ({array})")
    }
}

fn renamed_value(value: &str, pairs: &[(String, String)]) -> String {
    let cases: Vec<String> = pairs
        .iter()
        .map(|(from, to)| {
            format!(
                "WHEN {value} OPERATOR(pg_catalog.=) {} THEN {}",
                quote_literal(from),
                quote_literal(to)
            )
        })
        .collect();
    format!("CASE {} ELSE {value} END", cases.join(" "))
}
