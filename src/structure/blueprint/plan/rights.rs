//! What of a plan is for the owner of Kepler's tables alone: changes of tables that hold rows of others than the caller's
//! workspace.

use super::matched::{Matched, MatchedEnum};
use super::{Place, Planner};
use crate::ident::qualified;
use crate::structure::blueprint::model::{ModelTable, Tenancy};
use crate::structure::observe::Observed;
use crate::structure::plan::enums::EnumUse;
use crate::structure::plan::tables::{Guard, Keeping};
use crate::structure::step::{Class, Step};
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
fn only_adds(step: &Step) -> bool {
    match step.operation {
        "add_column" => step.class == Class::Instant,
        "add_index" => step.require.is_none(),
        "describe" | "rename_constraint" | "rename_index" | "rename_sequence" => true,
        _ => false,
    }
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
        for step in steps.iter_mut().filter(|step| step.class != Class::Refused) {
            let at = step.relation.as_ref().map(|at| (at.schema.clone(), at.table.clone()));
            let why = match at {
                Some(at) if matches!(step.operation, "open" | "secure") && !new.contains(&at) => {
                    "whose rows a table holds is changed by the owner of Kepler's tables or a superuser"
                }
                Some(at) if shared.contains(&at) && !only_adds(step) => {
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

    /// Tables that are there and hold rows of others than the caller's workspace, by their names before and after the plan.
    fn shared(&self, matched: &[Matched]) -> HashSet<Place> {
        let stored = self.request.stored.into_iter().flat_map(|stored| stored.versions());
        let is_by_field = std::iter::once(self.blueprint())
            .chain(stored.map(|version| &version.blueprint))
            .any(|blueprint| matches!(blueprint.tenancy, Tenancy::Field(_)));
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
