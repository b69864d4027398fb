//! Reads an existing table as a structure.

use super::error::StructureError;
use super::facts::Facts;
use super::model::{Key, KeyKind, Structure};
use super::observe::{Observed, Reading, key_kind, observe};
use super::registry::SCHEMA;
use super::table::{Keyed, Reference, Rule, Table, Target};
use crate::error::Error;
use crate::pg::plan::Statement;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

thread_local! {
    // As the table is, not as an older snapshot has it: what was dropped since cannot be printed.
    static FACTS: Statement = const { Statement::new(
        c"SELECT kepler_internal.table_facts($1::pg_catalog.regclass)::text",
        &[pg_sys::OIDOID],
    ) };
}

/// The catalog's table as a structure, and what a structure cannot say of it.
pub(crate) fn structure_of(
    client: &SpiClient<'_>,
    relation: pg_sys::Oid,
) -> Result<(Structure, Vec<String>), Error> {
    let rows = FACTS
        .with(|statement| statement.run_latest(client, &[Some(pg_sys::Datum::from(relation))]));
    let facts = rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned));
    let facts = facts.ok_or_else(|| StructureError::NotATable(relation.to_u32().to_string()))?;
    let facts = Facts::read(&facts)?;
    if facts.kind != 'r' && facts.kind != 'p' {
        return Err(StructureError::NotATable(format!("{}.{}", facts.schema, facts.name)).into());
    }
    let observed = observe(&facts, Reading::Structure);
    let names = client.select(
        "SELECT t.table_name, t.record_name FROM kepler.entry_tables AS t WHERE t.dropped_at IS NULL",
        None,
        &[],
    )?;
    let mut record_names = std::collections::HashMap::new();
    for row in names {
        if let (Some(table), Some(record)) = (row[1].value::<String>()?, row[2].value::<String>()?)
        {
            record_names.insert(table, record);
        }
    }
    let record_name = |schema: &str, table: &str| {
        if schema == SCHEMA { record_names.get(table).cloned() } else { None }
    };
    let mut left_out: Vec<String> = observed
        .extras
        .iter()
        .map(|extra| {
            format!("{} \"{}\" ({}): {}", extra.kind, extra.name, extra.definition, extra.reason)
        })
        .collect();
    let key = observed.key.clone().unwrap_or_else(|| {
        left_out.push("the table has no primary key that a structure can have".to_owned());
        Key { name: "entry_id".to_owned(), column: None, kind: KeyKind::Bigint }
    });
    let name = record_name(&observed.schema, &observed.name).unwrap_or(observed.name.clone());
    let (mut structure, more) = observed
        .table
        .to_structure(Some(name), key, &|target| record_name(&target.schema, &target.table));
    left_out.extend(more);
    left_out.extend(unsaid(&mut structure, &observed, &|target| {
        record_name(&target.schema, &target.table)
    }));
    Ok((structure, left_out))
}

/// What the document does not say after all: a default that it would refuse is taken out, and rules
/// that are other ones there are named.
fn unsaid(
    structure: &mut Structure,
    observed: &Observed,
    name_of: &dyn Fn(&Target) -> Option<String>,
) -> Vec<String> {
    let mut unsaid = Vec::new();
    if let Err(problems) = Structure::from_json(&structure.to_document()) {
        for super::document::Problem { pointer, message } in problems {
            let of_default = pointer.strip_prefix("/fields/").and_then(|rest| {
                let at: usize = rest.strip_suffix("/default")?.parse().ok()?;
                structure.fields.get_mut(at)
            });
            match of_default {
                Some(field) => {
                    field.default = None;
                    unsaid.push(format!("default \"{}\": {message}", field.name));
                }
                None => unsaid.push(format!("{pointer}: {message}")),
            }
        }
    }
    let target_of = |to: &str| {
        observed.table.rules.iter().find_map(|rule| match rule {
            Rule::Reference(Reference { columns, target, .. })
                if name_of(target).as_deref() == Some(to) =>
            {
                let kind = key_kind(observed.table.column(columns.first()?)?)?;
                let name = target.columns.first()?.clone();
                let (schema, table) = (target.schema.clone(), target.table.clone());
                Some(Keyed { schema, table, key: Key { name, column: None, kind } })
            }
            _ => None,
        })
    };
    let Ok(said) = Table::of(structure, &target_of) else { return unsaid };
    for named in observed.rules.iter().filter(|named| named.validated) {
        // What fits no field was named before.
        let of_fields = |name: &&str| said.column(name).is_some();
        if !matches!(named.rule, Rule::Reference(_))
            && named.rule.columns().iter().all(of_fields)
            && !said.rules.contains(&named.rule)
        {
            unsaid
                .push(format!("\"{}\": the document cannot say it beside the others", named.name));
        }
    }
    unsaid
}
