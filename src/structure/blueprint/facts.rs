//! What the catalog says beside the tables: `kepler_internal.blueprint_facts`.

use super::model::Blueprint;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::json::Json;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Facts {
    pub(crate) schemas: Vec<SchemaFact>,
    pub(crate) extensions: Vec<String>,
    pub(crate) relations: Vec<RelationFact>,
    pub(crate) types: Vec<TypeFact>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SchemaFact {
    pub(crate) name: String,
    pub(crate) owner: String,
    /// Whether its owner is the owner of Kepler's tables, or a superuser.
    pub(crate) trusted: bool,
    /// Whether it belongs to the owner of Kepler's tables.
    pub(crate) ours: bool,
    pub(crate) empty: bool,
    /// Others who may create objects in it.
    pub(crate) open_to: Vec<String>,
}

/// A table, a view, or what else has columns.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RelationFact {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: char,
    pub(crate) owner: String,
    pub(crate) ours: bool,
    pub(crate) extension: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TypeFact {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `e` is an enum.
    pub(crate) kind: char,
    pub(crate) owner: String,
    pub(crate) ours: bool,
    pub(crate) description: Option<String>,
    pub(crate) values: Vec<String>,
    /// Columns of this type or of lists of it.
    pub(crate) used_by: Vec<String>,
}

impl RelationFact {
    pub(crate) fn is_table(&self) -> bool {
        self.kind == 'r'
    }

    /// For messages.
    pub(crate) fn kind_text(&self) -> &'static str {
        match self.kind {
            'r' => "table",
            'p' => "partitioned table",
            'v' => "view",
            'm' => "materialized view",
            'f' => "foreign table",
            _ => "relation",
        }
    }
}

impl Facts {
    pub(crate) fn schema(&self, name: &str) -> Option<&SchemaFact> {
        self.schemas.iter().find(|schema| schema.name == name)
    }

    pub(crate) fn relation(&self, schema: &str, name: &str) -> Option<&RelationFact> {
        self.relations.iter().find(|relation| relation.schema == schema && relation.name == name)
    }

    pub(crate) fn enum_type(&self, schema: &str, name: &str) -> Option<&TypeFact> {
        self.types.iter().find(|fact| fact.schema == schema && fact.name == name)
    }
}

/// What is asked about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) schemas: BTreeSet<String>,
    /// Schemas and names.
    pub(crate) tables: BTreeSet<(String, String)>,
    pub(crate) types: BTreeSet<(String, String)>,
    /// Schemas of which all tables and enums are told.
    pub(crate) whole_schemas: BTreeSet<String>,
}

impl Wanted {
    /// What a blueprint names.
    pub(crate) fn add(&mut self, blueprint: &Blueprint) {
        self.schemas.insert(blueprint.schema.clone());
        let tables = blueprint.tables.iter();
        self.tables
            .extend(tables.map(|table| (table.schema.clone(), table.table_name.clone())));
        let types = blueprint.enums.iter();
        self.types.extend(types.map(|one| (one.schema.clone(), one.type_name.clone())));
    }

    fn text(&self) -> String {
        let texts = |texts: &BTreeSet<String>| {
            Json::Array(texts.iter().map(Json::string).collect())
        };
        let pairs = |pairs: &BTreeSet<(String, String)>| {
            let pair = |(schema, name): &(String, String)| {
                Json::Array(vec![Json::string(schema), Json::string(name)])
            };
            Json::Array(pairs.iter().map(pair).collect())
        };
        let members = [
            ("schemas", texts(&self.schemas)),
            ("tables", pairs(&self.tables)),
            ("types", pairs(&self.types)),
            ("whole_schemas", texts(&self.whole_schemas)),
        ];
        let members = members.into_iter().map(|(key, value)| (key.to_owned(), value));
        Json::Object(members.collect()).to_string()
    }
}

thread_local! {
    // What is changed is the database as it is, not as an older snapshot has it.
    static FACTS: Statement = const { Statement::new(
        c"SELECT kepler_internal.blueprint_facts($1, $2::pg_catalog.jsonb)::text",
        &[pg_sys::OIDOID, pg_sys::TEXTOID],
    ) };
}

/// Asks the catalog.
pub(crate) fn load(client: &SpiClient<'_>, wanted: &Wanted) -> Result<Facts, Error> {
    let owner = Owner::find()?.role();
    let wanted = Text::new(&wanted.text());
    let parameters = [Some(pg_sys::Datum::from(owner)), Some(wanted.datum())];
    let rows = FACTS.with(|statement| statement.run_latest(client, &parameters));
    let text = rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned));
    Ok(serde_json::from_str(&text.unwrap_or_default())?)
}
