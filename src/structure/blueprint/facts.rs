//! What the catalog says beside the tables: `kepler_internal.blueprint_facts`.

use super::model::Blueprint;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::field_types::kind::FieldKind;
use crate::ident::qualified;
use crate::json::Json;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::structure::plan::enums::{EnumUse, ObservedEnum};
use crate::structure::table::Rule;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Facts {
    pub(crate) schemas: Vec<SchemaFact>,
    pub(crate) extensions: Vec<String>,
    /// Names and schemas of types that came with extensions and belong to superusers.
    extension_types: Vec<(String, String)>,
    /// The same of operator classes, behind their methods.
    extension_classes: Vec<(String, String, String)>,
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
    /// Columns of plain tables of this type or of lists of it.
    pub(crate) columns: Vec<ColumnOfType>,
    /// Whatever else is of the type, in words.
    pub(crate) other_uses: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnOfType {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) column: String,
    pub(crate) list: bool,
}

impl TypeFact {
    pub(crate) fn observed(&self) -> ObservedEnum {
        let columns = self.columns.iter().map(|of| EnumUse::Column {
            schema: of.schema.clone(),
            table: of.table.clone(),
            column: of.column.clone(),
            list: of.list,
        });
        let others = self.other_uses.iter().cloned().map(EnumUse::Other);
        ObservedEnum {
            schema: self.schema.clone(),
            name: self.name.clone(),
            values: self.values.clone(),
            description: self.description.clone(),
            uses: columns.chain(others).collect(),
        }
    }
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
    /// The schema of an extension's type.
    pub(crate) fn type_schema(&self, name: &str) -> Option<String> {
        let found = self.extension_types.iter().find(|(found, _)| found == name);
        found.map(|(_, schema)| schema.clone())
    }

    /// The schema of an extension's operator class.
    pub(crate) fn class_schema(&self, method: &str, name: &str) -> Option<String> {
        let is = |(of, found, _): &&(String, String, String)| of == method && found == name;
        self.extension_classes.iter().find(is).map(|(_, _, schema)| schema.clone())
    }

    /// What a blueprint uses of types and operator classes that nobody knows to be harmless, in words.
    pub(crate) fn foreign_types(&self, blueprint: &Blueprint) -> Vec<String> {
        let mut foreign = BTreeSet::new();
        for table in &blueprint.tables {
            for column in &table.table.columns {
                let FieldKind::Native(native) = &column.kind else { continue };
                let Some(schema) = &native.schema else { continue };
                if !self.extension_types.iter().any(|(n, s)| (n, s) == (&native.name, schema)) {
                    foreign.insert(format!("type {}", qualified(schema, &native.name)));
                }
            }
            for rule in &table.table.rules {
                let Rule::Index(index) = rule else { continue };
                let classes = index.columns.iter().filter_map(|column| column.operators.as_ref());
                for (schema, class) in classes {
                    let Some(schema) = schema else { continue };
                    if !self.extension_classes.iter().any(|(_, n, s)| (n, s) == (class, schema)) {
                        foreign.insert(format!("operator class {}", qualified(schema, class)));
                    }
                }
            }
        }
        foreign.into_iter().collect()
    }

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
        self.tables.extend(tables.map(|table| (table.schema.clone(), table.table_name.clone())));
        let types = blueprint.enums.iter();
        self.types.extend(types.map(|one| (one.schema.clone(), one.type_name.clone())));
    }

    fn text(&self) -> String {
        let texts =
            |texts: &BTreeSet<String>| Json::Array(texts.iter().map(Json::string).collect());
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
