//! Names that a plan gives to indexes and sequences, where other relations of the schema have them.

use super::{Place, Planned};
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::structure::ddl::composed_name;
use crate::structure::step::{Class, Relation, Stage, Step};
use crate::structure::table::{ColumnDefault, Rule};
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
        if let Some(table) = table
            && own.contains(table)
            && (now == Some(table) || leaves(planned, table, &place.1))
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

/// Whether what has a name gives it up: with its table, or by a step of its own.
fn leaves(planned: &Planned, table: &Place, name: &str) -> bool {
    let stays = planned.places.values().any(|now| now == table);
    let quoted = quote(name);
    let gives_up = |step: &Step| match step.operation {
        "drop_index" | "drop_constraint" => step.object == name,
        "rename_index" | "rename_constraint" => step.object != name && step.sql.contains(&quoted),
        _ => false,
    };
    !stays || planned.steps.iter().any(gives_up)
}

/// Names of what the plan makes, the operations that make it, and the tables.
fn wanted(planned: &Planned) -> BTreeMap<Place, (&'static str, Relation)> {
    let mut wanted = BTreeMap::new();
    for table in &planned.targets {
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
        let makes = |column: &str| {
            planned.steps.iter().any(|step| {
                step.operation == "change_generated"
                    && step.object == column
                    && step.class != Class::Refused
                    && step.sql.starts_with("CREATE SEQUENCE ")
                    && step.relation.as_ref().is_some_and(|at| {
                        (&at.schema, &at.table) == (&table.schema, &table.table_name)
                    })
            })
        };
        for column in &table.table.columns {
            if column.default == Some(ColumnDefault::Serial) && makes(&column.name) {
                let name = composed_name(&table.table_name, &[&column.name], "seq");
                let place = (table.schema.clone(), name);
                wanted.insert(place, ("change_generated", relation.clone()));
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
