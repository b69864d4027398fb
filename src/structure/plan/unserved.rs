//! Indexes that are of no use to roles under row security.
//!
//! Where a policy asks each row whose it is, Postgres uses an index only with operators that it knows to show rows to
//! nobody (docs/security.md). The plan says so, before somebody wonders why a query is slow for a tenant alone.

use super::tables::Guard;
use crate::field_types::kind::FieldKind;
use crate::structure::model::{IndexColumn, Method};
use crate::structure::step::Step;
use crate::structure::table::{Rule, Table};

/// Adds to the steps that make an index what to know of it.
pub(super) fn warn(steps: &mut [Step], table: &Table, guard: &Guard) {
    if !matches!(guard, Guard::Column(_)) {
        return;
    }
    for (rule, name) in table.named_rules() {
        let (Some(name), Some(column)) = (name, unserved(table, rule)) else { continue };
        // What is unique in a new table is made with it.
        let own = steps.iter().position(|step| step.object == name);
        let made = || steps.iter().position(|step| step.operation == "create_table");
        let Some(at) = own.or_else(made) else { continue };
        steps[at].hazards.push(format!(
            "row_security: {name} does not find rows by \"{column}\" for roles under row security, for whom Postgres does not use \
             its operators"
        ));
    }
}

/// The first column of an index by which a role under row security finds nothing.
fn unserved<'t>(table: &'t Table, rule: &'t Rule) -> Option<&'t str> {
    let is_lost = |name: &str| {
        table.column(name).is_some_and(|column| {
            column.list
                || match &column.kind {
                    FieldKind::Decimal { .. } | FieldKind::NamedEnum { .. } | FieldKind::Json => {
                        true
                    }
                    FieldKind::Native(native) => {
                        native.schema.is_some() || native.name == "tsvector"
                    }
                    _ => false,
                }
        })
    };
    match rule {
        Rule::Unique(columns) => {
            let lost = |column: &&str| is_lost(column);
            columns.iter().map(|column| column.name.as_str()).find(lost)
        }
        Rule::PrimaryKey(columns) => columns.iter().map(String::as_str).find(|name| is_lost(name)),
        Rule::Index(index) => {
            let lost = |column: &&IndexColumn| match index.method {
                Method::Hnsw(_) | Method::Ivfflat(_) => false,
                Method::Gin | Method::Gist | Method::Spgist => true,
                _ if column.folded => false,
                _ => !column.path.is_empty() || column.operators.is_some() || is_lost(&column.name),
            };
            index.columns.iter().find(lost).map(|column| column.name.as_str())
        }
        _ => None,
    }
}
