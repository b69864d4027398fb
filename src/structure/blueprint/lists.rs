//! The lists of the tables and types that belong to blueprints, and of those that were there before and were adopted. Written
//! as their owner, as the `registry` is.

use super::model::Blueprint;
use super::plan::Place;
use crate::access::owner::{Owner, require_right};
use crate::error::Error;
use crate::pg::role::ActAs;
use pgrx::pg_sys;
use pgrx::spi::{SpiClient, SpiTupleTable};
use std::collections::{BTreeMap, HashMap};

/// The lists are read as their owner: names are of the whole database, and row security shows a workspace its own. Who may
/// be told of what is found, whoever asks decides.
pub(super) fn act_as_owner() -> Result<ActAs, Error> {
    require_right("blueprints", pg_sys::ACL_SELECT)?;
    Ok(Owner::find()?.act())
}

/// What is listed as a blueprint's.
pub(crate) struct Listed {
    /// What the document calls it.
    pub(crate) name: String,
    /// Where it is now, if it is there.
    pub(crate) now: Option<Place>,
}

/// The lists of what belongs to blueprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Tables,
    Enums,
}

impl List {
    /// The list, and its column of names.
    fn relation(self) -> (&'static str, &'static str) {
        match self {
            Self::Tables => ("kepler.blueprint_tables", "table_name"),
            Self::Enums => ("kepler.blueprint_enums", "type_name"),
        }
    }

    /// What of some tables or types belongs to another blueprint, and to which.
    pub(crate) fn of_others(
        self,
        client: &mut SpiClient<'_>,
        blueprint: &Blueprint,
    ) -> Result<HashMap<Place, String>, Error> {
        let _owner = act_as_owner()?;
        let places: Vec<(&str, &str)> = match self {
            Self::Tables => blueprint.tables.iter().map(|t| (&*t.schema, &*t.table_name)).collect(),
            Self::Enums => blueprint.enums.iter().map(|e| (&*e.schema, &*e.type_name)).collect(),
        };
        let (schemas, names): (Vec<&str>, Vec<&str>) = places.into_iter().unzip();
        let (relation, column) = self.relation();
        let query = format!(
            "SELECT t.schema_name, t.{column}, t.blueprint_name
             FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w (s, n)
             JOIN {relation} AS t ON t.schema_name = w.s AND t.{column} = w.n
             WHERE t.blueprint_name <> $3"
        );
        places_of(client.update(
            &query,
            None,
            &[schemas.into(), names.into(), blueprint.name.as_str().into()],
        )?)
    }

    /// What belongs to one blueprint, and what its documents call it.
    pub(crate) fn of(
        self,
        client: &mut SpiClient<'_>,
        name: &str,
    ) -> Result<HashMap<Place, String>, Error> {
        let _owner = act_as_owner()?;
        let (relation, column) = self.relation();
        let query = format!(
            "SELECT t.schema_name, t.{column}, t.name FROM {relation} AS t WHERE t.blueprint_name = $1"
        );
        places_of(client.update(&query, None, &[name.into()])?)
    }

    /// What belongs to any blueprint, and to which.
    pub(crate) fn all(self, client: &mut SpiClient<'_>) -> Result<HashMap<Place, String>, Error> {
        let _owner = act_as_owner()?;
        let (relation, column) = self.relation();
        let query =
            format!("SELECT t.schema_name, t.{column}, t.blueprint_name FROM {relation} AS t");
        places_of(client.update(&query, None, &[])?)
    }

    /// Makes these what belongs to a blueprint. What is there and was not listed is adopted, and stays so under other names.
    pub(super) fn note(
        self,
        client: &mut SpiClient<'_>,
        blueprint: &str,
        places: &BTreeMap<Place, Listed>,
    ) -> Result<(), Error> {
        let (mut schemas, mut names, mut called) = (Vec::new(), Vec::new(), Vec::new());
        let (mut schemas_now, mut names_now) = (Vec::new(), Vec::new());
        for ((schema, name), listed) in places {
            schemas.push(schema.as_str());
            names.push(name.as_str());
            called.push(listed.name.as_str());
            schemas_now.push(listed.now.as_ref().map(|(schema, _)| schema.as_str()));
            names_now.push(listed.now.as_ref().map(|(_, name)| name.as_str()));
        }
        let (relation, column) = self.relation();
        let insert = format!(
            "INSERT INTO {relation} AS t (blueprint_name, schema_name, {column}, name, adopted)
             SELECT $1, w.s, w.n, w.name,
                 w.s_now IS NOT NULL AND COALESCE((
                     SELECT o.adopted FROM {relation} AS o
                     WHERE o.schema_name = w.s_now AND o.{column} = w.n_now AND o.blueprint_name = $1), true)
             FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),
                     pg_catalog.unnest($5::text[]), pg_catalog.unnest($6::text[]))
                 AS w (s, n, name, s_now, n_now)
             ON CONFLICT (schema_name, {column}) DO UPDATE SET name = excluded.name, adopted = excluded.adopted
             WHERE t.blueprint_name = excluded.blueprint_name
                 AND (t.name, t.adopted) IS DISTINCT FROM (excluded.name, excluded.adopted)"
        );
        client.update(
            &insert,
            None,
            &[
                blueprint.into(),
                schemas.clone().into(),
                names.clone().into(),
                called.into(),
                schemas_now.into(),
                names_now.into(),
            ],
        )?;
        let delete = format!(
            "DELETE FROM {relation} AS t WHERE t.blueprint_name = $1
                 AND NOT EXISTS (
                     SELECT FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS w (s, n)
                     WHERE w.s = t.schema_name AND w.n = t.{column})"
        );
        client.update(&delete, None, &[blueprint.into(), schemas.into(), names.into()])?;
        Ok(())
    }
}

/// By the first two columns, the third.
fn places_of(rows: SpiTupleTable<'_>) -> Result<HashMap<Place, String>, Error> {
    let mut tables = HashMap::new();
    for row in rows {
        let text = |at: usize| Ok::<_, Error>(row[at].value::<String>()?.unwrap_or_default());
        tables.insert((text(1)?, text(2)?), text(3)?);
    }
    Ok(tables)
}
