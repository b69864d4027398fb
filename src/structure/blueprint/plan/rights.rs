//! What of a plan is for the owner of Kepler's tables alone: changes of tables that hold rows of others than the caller's
//! workspace.

use super::matched::{Matched, MatchedEnum};
use super::{Place, Planner};
use crate::ident::qualified;
use crate::structure::blueprint::model::{Blueprint, ModelTable, Tenancy};
use crate::structure::blueprint::seed::Seed;
use crate::structure::model::Sensitive;
use crate::structure::observe::Observed;
use crate::structure::plan::enums::EnumUse;
use crate::structure::plan::tables::{Guard, Keeping};
use crate::structure::step::{Class, Stage, Step};
use crate::structure::table::{Reference, Rule};
use std::collections::HashSet;

/// Whether row security keeps rows of a table from the caller, whoever has put it there.
pub(in crate::structure::blueprint) fn hides_rows(
    observed: &Observed,
    keeping: &Keeping,
    workspace_id: &str,
) -> bool {
    observed.details.row_security && keeping.guard != Guard::Workspace(workspace_id.to_owned())
}

/// Whether a step adds something and takes nothing from anybody: no row is written, told or forbidden by it.
fn only_adds(step: &Step, target: Option<&ModelTable>) -> bool {
    match step.operation {
        "add_column" => step.class == Class::Instant,
        "add_index" => {
            step.require.is_none() && target.is_some_and(|to| is_of_all(to, &step.object))
        }
        "describe" | "rename_constraint" | "rename_index" | "rename_sequence" => true,
        _ => false,
    }
}

/// Whether an index holds whole columns of all rows. A condition, or a path into a document, can fail with the value of a
/// row that its author does not see, and the size of the index tells how many rows there are of a kind.
fn is_of_all(table: &ModelTable, name: &str) -> bool {
    table.table.named_rules().any(|(rule, named)| match rule {
        Rule::Index(index) if named == Some(name) => {
            index.predicate.is_none() && index.columns.iter().all(|column| column.path.is_empty())
        }
        _ => false,
    })
}

fn place(table: &ModelTable) -> Place {
    (table.schema.clone(), table.table_name.clone())
}

impl Planner<'_> {
    /// Refuses what an administrator would do to rows of other workspaces.
    pub(super) fn reserve(
        &self,
        steps: &mut [Step],
        matched: &[Matched],
        enums: &[MatchedEnum<'_>],
    ) {
        if self.request.is_owner {
            return;
        }
        let new: HashSet<Place> = matched
            .iter()
            .filter(|table| table.now.is_none())
            .filter_map(|table| table.target.as_ref().map(place))
            .collect();
        let shared = self.shared(matched);
        let of_shared: Vec<String> = enums
            .iter()
            .filter(|one| {
                one.now.as_ref().is_some_and(|now| {
                    now.uses.iter().any(|by| {
                        matches!(by, EnumUse::Column { schema, table, .. }
                    if shared.contains(&(schema.clone(), table.clone())))
                    })
                })
            })
            .flat_map(|one| {
                let now = one.now.as_ref().map(|now| qualified(&now.schema, &now.name));
                now.into_iter().chain(one.target.map(|one| qualified(&one.schema, &one.type_name)))
            })
            .collect();
        let target = |at: &Place| {
            let mut targets = matched.iter().filter_map(|table| table.target.as_ref());
            targets.find(|target| place(target) == *at)
        };
        for step in steps.iter_mut().filter(|step| step.class != Class::Refused) {
            let at = step.relation.as_ref().map(|at| (at.schema.clone(), at.table.clone()));
            let why = match at {
                // It is told of those who administer, too.
                Some(_) if step.operation == "untrack_history" => {
                    "a history is ended by the owner of Kepler's tables or a superuser"
                }
                Some(at) if matches!(step.operation, "open" | "secure") && !new.contains(&at) => {
                    "whose rows a table holds is changed by the owner of Kepler's tables or a superuser"
                }
                Some(at)
                    if step.operation == "add_reference"
                        && !shared.contains(&at)
                        && self.tells_keys(target(&at), &shared, matched) =>
                {
                    "the reference would tell which rows other workspaces have, and keep them from deleting these: pair the \
                     field of the tenancy with that of the other table, or let the owner of Kepler's tables, or a superuser, \
                     make this change"
                }
                Some(at) if shared.contains(&at) && !only_adds(step, target(&at)) => {
                    "the table holds rows of other workspaces than the session's: the owner of Kepler's tables, or a \
                     superuser, makes this change"
                }
                None if changes_a_type(step, &of_shared) => {
                    "values of the type are in rows of other workspaces than the session's: the owner of Kepler's \
                     tables, or a superuser, makes this change"
                }
                _ => continue,
            };
            step.class = Class::Refused;
            step.hazards.push(why.to_owned());
        }
    }

    /// Whether a reference of a table leads to rows that others than the caller's workspace have: to a table that is shared,
    /// without the field that tells whose rows they are on both sides.
    fn tells_keys(
        &self,
        of: Option<&ModelTable>,
        shared: &HashSet<Place>,
        matched: &[Matched],
    ) -> bool {
        let Some(of) = of else { return true };
        let tenancy = &self.blueprint().tenancy;
        let pairs = |reference: &Reference, to: &ModelTable| {
            let (Guard::Column(own), Guard::Column(other)) =
                (Guard::of(tenancy, of, ""), Guard::of(tenancy, to, ""))
            else {
                return false;
            };
            let mut columns = reference.columns.iter().zip(&reference.target.columns);
            columns.any(|pair| pair == (&own, &other))
        };
        of.table.rules.iter().any(|rule| {
            let Rule::Reference(reference) = rule else { return false };
            let to = (reference.target.schema.clone(), reference.target.table.clone());
            let mut targets = matched.iter().filter_map(|table| table.target.as_ref());
            let table = targets.find(|table| place(table) == to);
            shared.contains(&to) && !table.is_some_and(|table| pairs(reference, table))
        })
    }

    /// What a document says of shared tables beside their columns and rules, and an administrator would change.
    pub(super) fn reserved(&self, matched: &[Matched]) -> Vec<Step> {
        let shared = self.shared(matched);
        let Some(stored) = self.request.stored.filter(|_| !shared.is_empty()) else {
            return Vec::new();
        };
        if self.request.is_owner {
            return Vec::new();
        }
        let mut steps = Vec::new();
        let mut refuse = |operation, object: &str, what: &str| {
            let why = format!(
                "{what}: the tables hold rows of other workspaces than the session's, so the owner of Kepler's tables, or a \
                 superuser, makes this change"
            );
            steps.push(Step::refused(operation, object, why).stage(Stage::Schema));
        };
        let blueprint = self.blueprint();
        let given = blueprint.version.and_then(|version| i32::try_from(version).ok());
        let most = stored.versions().filter_map(|version| version.document_version).max();
        // The last number of all would keep every other document out.
        let is_next = given.is_some_and(|given| given <= most.unwrap_or(0).saturating_add(1));
        if !is_next && !stored.versions().any(|version| version.document_version == given) {
            let what = match most {
                Some(most) if given.is_none() => {
                    format!("version {most} was applied, and the document says none")
                }
                _ => format!(
                    "the document's version is raised by more than 1 from {}",
                    most.unwrap_or(0)
                ),
            };
            refuse("check_version", &blueprint.name, &what);
        }
        for table in matched {
            let (Some(now), Some(target)) = (&table.now, &table.target) else { continue };
            if !shared.contains(now) {
                continue;
            }
            let object = format!("{}.{}", target.schema, target.table_name);
            let before: Vec<(&Blueprint, &ModelTable)> = stored
                .versions()
                .flat_map(|version| {
                    let tables = version.blueprint.tables.iter();
                    tables.map(|table| (&version.blueprint, table))
                })
                .filter(|(_, older)| older.name == target.name || place(older) == *now)
                .collect();
            if !before.iter().any(|(_, older)| older.retention == target.retention) {
                refuse("change_retention", &object, "the retention is otherwise");
            }
            let is_kept = |(_, older): &(&Blueprint, &ModelTable)| {
                let mut there = older.table.columns.iter().map(|column| &column.name);
                there.all(|name| sensitivity(older, name) == sensitivity(target, name))
            };
            if !before.iter().any(is_kept) {
                refuse("change_sensitive", &object, "another field is \"sensitive\"");
            }
            let seed = seed_of(blueprint, target);
            if !before.iter().any(|(version, older)| same_rows(seed, seed_of(version, older))) {
                refuse("change_seed", &object, "the seed is otherwise");
            }
        }
        steps
    }

    /// Tables that are there and hold rows of others than the caller's workspace, by their names before and after the plan.
    fn shared(&self, matched: &[Matched]) -> HashSet<Place> {
        let stored = self.request.stored.into_iter().flat_map(|stored| stored.versions());
        let is_by_field = std::iter::once(self.blueprint())
            .chain(stored.map(|version| &version.blueprint))
            .any(|blueprint| matches!(blueprint.tenancy, Tenancy::Field { .. }));
        let is_shared = |table: &&Matched| {
            let Some(now) = &table.now else { return false };
            let there = self.tables.get(now).zip(table.keeping.as_ref());
            is_by_field
                || there.is_some_and(|(observed, keeping)| {
                    hides_rows(observed, keeping, self.request.workspace_id)
                })
        };
        matched
            .iter()
            .filter(is_shared)
            .flat_map(|table| table.now.clone().into_iter().chain(table.target.as_ref().map(place)))
            .collect()
    }
}

/// Whether a step changes more of one of these types than to add a value.
fn changes_a_type(step: &Step, types: &[String]) -> bool {
    matches!(
        step.operation,
        "rename_value" | "rename_type" | "move_type" | "replace_type" | "drop_type"
    ) && types.iter().any(|name| {
        ["ALTER", "DROP"].iter().any(|verb| {
            let rest = step.sql.strip_prefix(&format!("{verb} TYPE {name}"));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    })
}

fn sensitivity(table: &ModelTable, column: &str) -> Option<Sensitive> {
    let found = table.sensitive.iter().find(|(name, _)| name == column);
    found.map(|(_, how)| *how)
}

fn seed_of<'b>(blueprint: &'b Blueprint, table: &ModelTable) -> Option<&'b Seed> {
    blueprint.seed.iter().find(|seed| seed.table == table.name)
}

/// Whether two seeds say the same, whatever their documents call the table.
fn same_rows(one: Option<&Seed>, other: Option<&Seed>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            (&one.key, one.existing, &one.rows) == (&other.key, other.existing, &other.rows)
        }
        (None, None) => true,
        _ => false,
    }
}
