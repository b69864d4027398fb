//! Names that a plan gives to indexes and sequences, where other relations of the schema have them.

use super::{Place, Planned};
use crate::error::Error;
use crate::ident::qualified;
use crate::structure::step::{Class, Relation, Stage, Step};
use crate::structure::table::Rule;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What has a name: its table, if it is an index or the sequence of a column, and its kind.
type Holder = (Option<Place>, String);

/// Refuses the names that what is not the blueprint's has. `own`: its tables, as they are called now.
pub(super) fn refuse_taken(
    client: &mut SpiClient<'_>,
    planned: &mut Planned,
    own: &HashSet<Place>,
) -> Result<(), Error> {
    let wanted = wanted(planned);
    let holders = holders(client, wanted.keys())?;
    let (mut refused, mut told) = (Vec::new(), HashSet::new());
    for (place, (operation, relation)) in &wanted {
        let Some((table, kind)) = holders.get(place) else { continue };
        let now = planned.places.get(&(relation.schema.clone(), relation.table.clone()));
        let goes = |table: &Place| !planned.places.values().any(|now| now == table);
        if planned.freed.contains(place)
            || table
                .as_ref()
                .is_some_and(|table| own.contains(table) && (now == Some(table) || goes(table)))
        {
            continue;
        }
        // One is enough of a table that has taken all of them along.
        let is_new = now.is_none();
        if is_new && table.is_some() && !told.insert((relation.table.clone(), table.clone())) {
            continue;
        }
        let name = qualified(&place.0, &place.1);
        let why = match table {
            Some(table) if is_new => format!(
                "{kind} {name} belongs to {} already: rename that table back, if it is the blueprint's own and was renamed \
                 by hand, or else rename the {kind}",
                qualified(&table.0, &table.1)
            ),
            Some(table) => format!(
                "{kind} {name} belongs to {} already: rename or drop it",
                qualified(&table.0, &table.1)
            ),
            None => format!("{kind} {name} is there and not the blueprint's: rename or drop it"),
        };
        let step = Step::refused(operation, &place.1, why).stage(Stage::Schema);
        refused.push(step.of(relation));
    }
    planned.steps.splice(0..0, refused);
    Ok(())
}

/// Names of what the plan makes, the operations that make it, and the tables.
fn wanted(planned: &Planned) -> BTreeMap<Place, (&'static str, Relation)> {
    let mut wanted = BTreeMap::new();
    for (table, sequences) in planned.targets.iter().zip(&planned.sequences) {
        let relation = Relation {
            schema: table.schema.clone(),
            table: table.table_name.clone(),
            key: Vec::new(),
        };
        for (rule, name) in table.table.named_rules() {
            let operation = match rule {
                Rule::PrimaryKey(_) => "add_primary_key",
                Rule::Unique(_) => "add_unique",
                Rule::Index(_) => "add_index",
                _ => continue,
            };
            if let Some(name) = name {
                let place = (table.schema.clone(), name.to_owned());
                wanted.insert(place, (operation, relation.clone()));
            }
        }
        // With a new column Postgres takes a name that is free.
        let is_of_table = |step: &&Step| {
            step.class != Class::Refused
                && step
                    .relation
                    .as_ref()
                    .is_some_and(|at| (&at.schema, &at.table) == (&table.schema, &table.table_name))
        };
        for (column, name) in sequences {
            let place = qualified(&table.schema, name);
            let gives = |step: &&Step| match step.operation {
                "rename_sequence" => step.object == *name,
                "change_generated" => {
                    let words = ["CREATE SEQUENCE ", "(SEQUENCE NAME "];
                    let makes = |word| step.sql.contains(&format!("{word}{place}"));
                    step.object == *column && words.into_iter().any(makes)
                }
                _ => false,
            };
            if let Some(step) = planned.steps.iter().filter(is_of_table).find(gives) {
                let place = (table.schema.clone(), name.clone());
                wanted.insert(place, (step.operation, relation.clone()));
            }
        }
    }
    wanted
}

fn holders<'p>(
    client: &mut SpiClient<'_>,
    places: impl Iterator<Item = &'p Place>,
) -> Result<HashMap<Place, Holder>, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        places.map(|(schema, name)| (schema.as_str(), name.as_str())).unzip();
    let rows = client.update(
        "SELECT n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text,
             CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
                 WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type' ELSE 'table' END
         FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w (schema, name)
         JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema::pg_catalog.name
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name::pg_catalog.name
         LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
         LEFT JOIN pg_catalog.pg_depend AS d ON c.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.objid = c.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
         LEFT JOIN pg_catalog.pg_class AS t ON t.oid = coalesce(i.indrelid, d.refobjid)
         LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace",
        None,
        &[schemas.into(), names.into()],
    )?;
    let mut holders = HashMap::new();
    for row in rows {
        let text = |at: usize| row[at].value::<String>();
        let (Some(schema), Some(name), Some(kind)) = (text(1)?, text(2)?, text(5)?) else {
            continue;
        };
        holders.insert((schema, name), (text(3)?.zip(text(4)?), kind));
    }
    Ok(holders)
}
