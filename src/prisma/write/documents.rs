//! What the documents of blueprints call the tables, columns and enums that they made.

use crate::error::Error;
use crate::pg::whole::Spi;
use crate::structure::blueprint::registry;
use std::collections::HashMap;

/// By schema and name in the database.
#[derive(Debug, Default)]
pub(super) struct Documents {
    tables: HashMap<(String, String), DocumentTable>,
    enums: HashMap<(String, String), String>,
}

#[derive(Debug)]
pub(super) struct DocumentTable {
    pub(super) name: String,
    /// Names of fields by column.
    fields: HashMap<String, String>,
}

impl DocumentTable {
    pub(super) fn field(&self, column: &str) -> Option<&str> {
        self.fields.get(column).map(String::as_str)
    }
}

impl Documents {
    /// Those of the blueprints that have tables in some schemas. Needs Kepler's tables.
    pub(super) fn of(schemas: &[String]) -> Result<Self, Error> {
        let mut documents = Self::default();
        Spi::connect_mut(|client| {
            let names: Vec<String> = client
                .select(
                    "SELECT b.name FROM kepler.blueprints AS b
                     WHERE b.schemas OPERATOR(pg_catalog.&&) $1 ORDER BY b.name",
                    None,
                    &[schemas.to_vec().into()],
                )?
                .map(|row| row.get::<String>(1))
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?;
            for name in names {
                let stored = registry::find(client, &name)?;
                if let Some(version) = stored.as_ref().and_then(registry::Stored::present) {
                    documents.add(&version.blueprint);
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok(documents)
    }

    fn add(&mut self, blueprint: &crate::structure::blueprint::model::Blueprint) {
        for table in &blueprint.tables {
            let fields = table.fields.iter().map(|(field, column)| (column.clone(), field.clone()));
            self.tables.insert(
                (table.schema.clone(), table.table_name.clone()),
                DocumentTable { name: table.name.clone(), fields: fields.collect() },
            );
        }
        for found in &blueprint.enums {
            let key = (found.schema.clone(), found.type_name.clone());
            self.enums.insert(key, found.name.clone());
        }
    }

    pub(super) fn table(&self, schema: &str, name: &str) -> Option<&DocumentTable> {
        self.tables.get(&(schema.to_owned(), name.to_owned()))
    }

    pub(super) fn enumeration(&self, schema: &str, name: &str) -> Option<&str> {
        self.enums.get(&(schema.to_owned(), name.to_owned())).map(String::as_str)
    }
}
