//! The rows that a blueprint begins with, as its document says them.

use crate::json::Json;
use crate::structure::blueprint::model::{Blueprint, ModelTable};
use crate::structure::blueprint::seed::{Existing, Lookup, Row, Seed, Value};
use crate::structure::document::print::Pairs;

pub(super) fn document(blueprint: &Blueprint) -> Json {
    let seeds = blueprint.seed.iter().filter_map(|seed| {
        let table = blueprint.table_called(&seed.table)?;
        Some((seed.table.clone(), of_table(blueprint, table, seed)))
    });
    Json::Object(seeds.collect())
}

fn of_table(blueprint: &Blueprint, table: &ModelTable, seed: &Seed) -> Json {
    let mut pairs = Pairs::default();
    let key = seed.key.iter().map(|column| Json::string(table.field_of(column)));
    pairs.add("key", Json::Array(key.collect()));
    if seed.existing != Existing::Keep {
        pairs.add("existing", Json::string(seed.existing.name()));
    }
    let rows = seed.rows.iter().map(|row| row.document(blueprint, table));
    pairs.add("rows", Json::Array(rows.collect()));
    Json::Object(pairs.0)
}

impl Row {
    pub(crate) fn document(&self, blueprint: &Blueprint, table: &ModelTable) -> Json {
        let pairs = self
            .0
            .iter()
            .map(|(column, value)| (table.field_of(column).to_owned(), value.document(blueprint)));
        Json::Object(pairs.collect())
    }
}

impl Value {
    pub(crate) fn document(&self, blueprint: &Blueprint) -> Json {
        let one = |key: &str, value: Json| Json::Object(vec![(key.to_owned(), value)]);
        match self {
            Value::Null => Json::Null,
            Value::Given(given) => given.json.clone(),
            Value::Moved { ahead: true, by } => one("now_plus", Json::string(by.to_string())),
            Value::Moved { ahead: false, by } => one("now_minus", Json::string(by.to_string())),
            Value::Lookup(lookup) => {
                let mut pairs = Pairs::default();
                pairs.add("table", Json::string(&lookup.table));
                pairs.add("where", lookup.conditions(blueprint));
                pairs.add("field", Json::String(lookup.name(blueprint, &lookup.column)));
                one("lookup", Json::Object(pairs.0))
            }
        }
    }
}

impl Lookup {
    /// The fields that a row is found by, and their values.
    pub(crate) fn conditions(&self, blueprint: &Blueprint) -> Json {
        let by = self
            .by
            .iter()
            .map(|(column, value)| (self.name(blueprint, column), value.document(blueprint)));
        Json::Object(by.collect())
    }

    fn name(&self, blueprint: &Blueprint, column: &str) -> String {
        let table = blueprint.table_called(&self.table);
        table.map_or(column, |table| table.field_of(column)).to_owned()
    }
}
