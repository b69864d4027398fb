//! The document of a structure, in normal form. Read again it is the same structure.

use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::model::{Default, Field, Method, Operand, Sensitive, Structure};

/// Collects the pairs of an object.
#[derive(std::default::Default)]
pub(in crate::structure) struct Pairs(pub(in crate::structure) Vec<(String, Json)>);

impl Pairs {
    pub(in crate::structure) fn add(&mut self, key: &str, value: Json) {
        self.0.push((key.to_owned(), value));
    }

    pub(in crate::structure) fn add_text(&mut self, key: &str, text: &Option<String>) {
        if let Some(text) = text {
            self.add(key, Json::string(text));
        }
    }

    pub(in crate::structure) fn add_true(&mut self, key: &str, value: bool) {
        if value {
            self.add(key, Json::Boolean(true));
        }
    }

    pub(in crate::structure) fn add_sensitive(&mut self, sensitive: Option<Sensitive>) {
        match sensitive {
            None => {}
            Some(Sensitive::Reference) => self.add("sensitive", Json::string("reference")),
            Some(Sensitive::Personal) => self.add("sensitive", Json::Boolean(true)),
        }
    }

    pub(in crate::structure) fn add_number(&mut self, key: &str, number: impl ToString) {
        self.add(key, Json::Number(number.to_string()));
    }
}

impl Structure {
    /// The document in normal form; renames are not part of it.
    pub(crate) fn to_document(&self) -> Json {
        let mut pairs = Pairs::default();
        pairs.add_text("name", &self.name);
        pairs.add_text("label", &self.label);
        pairs.add_text("description", &self.description);
        let mut key = Pairs::default();
        key.add("name", Json::string(&self.key.name));
        key.add_text("column", &self.key.column);
        key.add("type", Json::string(self.key.kind.name()));
        pairs.add("key", Json::Object(key.0));
        pairs.add("fields", Json::Array(self.fields.iter().map(field).collect()));
        let names = |names: &Vec<String>| Json::Array(names.iter().map(Json::string).collect());
        if !self.unique.is_empty() {
            pairs.add("unique", Json::Array(self.unique.iter().map(names).collect()));
        }
        if !self.indexes.is_empty() {
            pairs.add("indexes", Json::Array(self.indexes.iter().map(index).collect()));
        }
        if !self.checks.is_empty() {
            let checks = self.checks.iter().map(|check| {
                let mut pairs = Pairs::default();
                pairs.add("field", Json::string(&check.field));
                pairs.add("op", Json::string(check.op.symbol()));
                match &check.operand {
                    Operand::Value(value) => pairs.add("value", value.to_json()),
                    Operand::Field(other) => pairs.add("other_field", Json::string(other)),
                }
                Json::Object(pairs.0)
            });
            pairs.add("checks", Json::Array(checks.collect()));
        }
        if let Some(retention) = &self.retention {
            let floor = ("floor".to_owned(), Json::string(retention.floor.to_string()));
            let field = ("field".to_owned(), Json::string(&retention.field));
            pairs.add("retention", Json::Object(vec![floor, field]));
        }
        Json::Object(pairs.0)
    }
}

fn field(field: &Field) -> Json {
    let mut pairs = Pairs::default();
    pairs.add("name", Json::string(&field.name));
    pairs.add_text("column", &field.column);
    pairs.add("type", Json::string(field.kind.name()));
    pairs.add_text("label", &field.label);
    pairs.add_text("description", &field.description);
    match &field.kind {
        FieldKind::Text { max_length: Some(length) } => pairs.add_number("max_length", length),
        FieldKind::Decimal { precision: Some((precision, scale)) } => {
            pairs.add_number("precision", precision);
            pairs.add_number("scale", scale);
        }
        FieldKind::Enum { values } => {
            pairs.add("values", Json::Array(values.iter().map(Json::string).collect()));
            if !field.renamed_values.is_empty() {
                let renamed = field.renamed_values.iter();
                let renamed = renamed.map(|(from, to)| (from.clone(), Json::string(to)));
                pairs.add("renamed_values", Json::Object(renamed.collect()));
            }
        }
        FieldKind::Reference { to, on_delete } => {
            pairs.add("to", Json::string(to));
            pairs.add("on_delete", Json::string(on_delete.name()));
        }
        FieldKind::Vector { dimensions } => pairs.add_number("dimensions", dimensions),
        _ => {}
    }
    pairs.add_sensitive(field.sensitive);
    pairs.add_true("list", field.list);
    pairs.add_true("required", field.required);
    pairs.add_true("unique", field.unique);
    pairs.add_true("case_insensitive", field.case_insensitive);
    if let Some(length) = field.min_length {
        pairs.add_number("min_length", length);
    }
    for (key, bound) in [("min", &field.min), ("max", &field.max)] {
        if let Some(bound) = bound {
            pairs.add(key, bound.to_json());
        }
    }
    match &field.default {
        None => {}
        Some(Default::Value(value)) => pairs.add("default", value.to_json()),
        Some(Default::Now) => pairs.add("default", Json::string("now")),
        Some(Default::Uuid) => pairs.add("default", Json::string("uuid")),
        Some(Default::Cuid) => pairs.add("default", Json::string("cuid")),
    }
    if field.unindexed {
        pairs.add("index", Json::Boolean(false));
    }
    Json::Object(pairs.0)
}

fn index(index: &crate::structure::model::Index) -> Json {
    let columns = index.columns.iter().map(|column| {
        if !column.descending {
            return Json::string(&column.name);
        }
        let mut pairs = Pairs::default();
        pairs.add("name", Json::string(&column.name));
        pairs.add("direction", Json::string("desc"));
        Json::Object(pairs.0)
    });
    let mut pairs = Pairs::default();
    pairs.add("fields", Json::Array(columns.collect()));
    if index.method != Method::Btree {
        pairs.add("method", Json::string(index.method.name()));
    }
    if let Method::Hnsw(metric) = index.method {
        pairs.add("metric", Json::string(metric.name()));
    }
    Json::Object(pairs.0)
}
