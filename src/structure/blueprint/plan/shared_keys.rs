//! Keys of tables that hold rows of several workspaces. Postgres checks keys and references over all rows, whatever policies
//! hide, so that one which does not begin with whose the row is tells what other workspaces have.

use super::Place;
use super::matched::Matched;
use crate::structure::blueprint::model::{ModelTable, Tenancy};
use crate::structure::plan::tables::Guard;
use crate::structure::step::Step;
use crate::structure::table::Rule;
use std::collections::HashMap;

/// Adds a hazard to the steps that make such a key. Primary keys are left alone: their values are drawn, and not chosen.
pub(super) fn warn(steps: &mut [Step], matched: &[Matched], tenancy: &Tenancy) {
    let targets: HashMap<Place, &ModelTable> = matched
        .iter()
        .filter_map(|table| table.target.as_ref())
        .map(|table| ((table.schema.clone(), table.table_name.clone()), table))
        .collect();
    let told: Vec<(Place, String, String)> = targets
        .iter()
        .filter_map(|(place, table)| Some((place, table, whose(tenancy, table)?)))
        .flat_map(|(place, table, field)| {
            let rules = table.table.named_rules();
            let targets = &targets;
            rules.filter_map(move |(rule, name)| {
                let why = telling(rule, &field, tenancy, targets)?;
                Some((place.clone(), name.unwrap_or_default().to_owned(), why))
            })
        })
        .collect();
    for (place, name, why) in told {
        let of_table = |step: &&mut Step| {
            let relation = step.relation.as_ref();
            relation.is_some_and(|at| at.schema == place.0 && at.table == place.1)
        };
        let mut of_table: Vec<&mut Step> = steps.iter_mut().filter(of_table).collect();
        let own = of_table
            .iter()
            .position(|step| step.object == name && step.operation.starts_with("add_"));
        let making = || of_table.iter().position(|step| step.operation == "create_table");
        if let Some(step) = own.or_else(making).and_then(|at| of_table.get_mut(at)) {
            step.hazards.push(format!("tenancy: \"{name}\" {why}"));
        }
    }
}

/// The column that says whose a row is.
fn whose(tenancy: &Tenancy, table: &ModelTable) -> Option<String> {
    match Guard::of(tenancy, table, "") {
        Guard::Column(column) => Some(column),
        _ => None,
    }
}

fn telling(
    rule: &Rule,
    field: &str,
    tenancy: &Tenancy,
    targets: &HashMap<Place, &ModelTable>,
) -> Option<String> {
    let is_unique = match rule {
        Rule::Unique(_) => true,
        Rule::Index(index) => index.unique,
        _ => false,
    };
    if is_unique && !rule.columns().contains(&field) {
        return Some(format!(
            "is unique among the rows of all workspaces: a value that is refused is one that another workspace has; begin it \
             with \"{field}\""
        ));
    }
    let Rule::Reference(reference) = rule else { return None };
    let place = (reference.target.schema.clone(), reference.target.table.clone());
    let other = whose(tenancy, targets.get(&place)?)?;
    let mut pairs = reference.columns.iter().zip(&reference.target.columns);
    let is_paired = pairs.any(|(one, to)| one == field && *to == other);
    (!is_paired).then(|| {
        format!(
            "refers to rows of any workspace: it tells which keys there are, and keeps their rows from being deleted; pair \
             \"{field}\" with \"{other}\""
        )
    })
}
