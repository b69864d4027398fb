//! Names that Postgres keeps apart: tables and indexes of a schema, types of a schema, constraints of a table.

use super::model::Model;
use super::names;
use super::problem::Notes;
use super::relations::Relations;
use super::resolve::Schema;
use super::source::Place;
use crate::json::shorten;
use std::collections::HashSet;

/// Says which names would be given twice.
pub(super) fn check(schema: &Schema<'_>, relations: &Relations<'_>, notes: &mut Notes) {
    let mut taken = Taken { seen: HashSet::new(), notes };
    // Of blocks with one name, which has been told, the first counts.
    let mut blocks = HashSet::new();
    for model in schema.models.iter().filter(|model| !model.view) {
        if !blocks.insert(model.name.text) {
            continue;
        }
        let of = model.schema.as_deref();
        taken.name("table", (Kind::Relation, of, ""), &model.table, model.name.place);
        taken.name("table", (Kind::Type, of, ""), &model.table, model.name.place);
        if let Some(key) = &model.key {
            let name = key_name(model).unwrap_or_default();
            taken.name("primary key", (Kind::Relation, of, ""), &name, key.place);
            taken.name("primary key", (Kind::Constraint, of, &model.table), &name, key.place);
        }
        for index in &model.indexes {
            let name = index_name(model, index);
            taken.name("index", (Kind::Relation, of, ""), &name, index.place);
        }
    }
    for found in &schema.enums {
        if !blocks.insert(found.name.text) {
            continue;
        }
        let of = found.schema.as_deref();
        taken.name("enum", (Kind::Type, of, ""), &found.sql_name, found.name.place);
    }
    for table in &relations.join_tables {
        let of = schema.models[table.a].schema.as_deref();
        taken.name("table", (Kind::Relation, of, ""), &table.table, table.place);
        taken.name("table", (Kind::Type, of, ""), &table.table, table.place);
        for name in [names::join_key(&table.table), names::join_index(&table.table)] {
            taken.name("index", (Kind::Relation, of, ""), &name, table.place);
        }
    }
    for reference in &relations.references {
        let model = &schema.models[reference.from];
        let name = reference.map.clone().unwrap_or_else(|| {
            names::foreign_key(&model.table, &sql_names(model, &reference.fields))
        });
        let scope = (Kind::Constraint, model.schema.as_deref(), model.table.as_str());
        taken.name("foreign key", scope, &name, reference.place);
    }
}

/// What shares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Relation,
    Type,
    Constraint,
}

struct Taken<'n> {
    seen: HashSet<(Kind, String, String, String)>,
    notes: &'n mut Notes,
}

impl Taken<'_> {
    fn name(
        &mut self,
        what: &str,
        (kind, schema, table): (Kind, Option<&str>, &str),
        name: &str,
        place: Place,
    ) {
        let schema = schema.unwrap_or_default().to_owned();
        if !self.seen.insert((kind, schema, table.to_owned(), name.to_owned())) {
            let text = format!(
                "{what} \"{}\": the name is taken, give another one with \"map\"",
                shorten(name)
            );
            self.notes.problem(place, text);
        }
    }
}

/// The columns of fields.
pub(super) fn sql_names<'m>(model: &'m Model<'_>, fields: &[super::ast::Word<'_>]) -> Vec<&'m str> {
    let columns = fields.iter().filter_map(|field| model.column(field.text));
    columns.map(|column| column.column.as_str()).collect()
}

/// The name of a primary key.
pub(super) fn key_name(model: &Model<'_>) -> Option<String> {
    let key = model.key.as_ref()?;
    Some(key.map.clone().unwrap_or_else(|| names::primary_key(&model.table)))
}

/// The name of an index.
pub(super) fn index_name(model: &Model<'_>, index: &super::model::Index<'_>) -> String {
    index.map.clone().unwrap_or_else(|| {
        let fields: Vec<_> = index.fields.iter().map(|field| field.name).collect();
        let columns = sql_names(model, &fields);
        if index.unique {
            names::unique(&model.table, &columns)
        } else {
            names::index(&model.table, &columns)
        }
    })
}
