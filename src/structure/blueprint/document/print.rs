//! The document of a blueprint, in normal form: everything that a document may leave out to be made is said, and renames
//! are not. Read again it is the same blueprint.

use super::types;
use crate::ident::quote_literal;
use crate::json::Json;
use crate::structure::blueprint::model::{Blueprint, EnumType, ModelTable, Tenancy};
use crate::structure::constant::Constant;
use crate::structure::document::field::made_by_word;
use crate::structure::document::print::Pairs;
use crate::structure::model::{Default, Index, IndexColumn, Method, Op};
use crate::structure::table::{Action, Column, ColumnDefault, Reference, Rule};
use std::collections::HashMap;

impl Blueprint {
    /// The document in normal form; renames are not part of it.
    pub(crate) fn to_document(&self) -> Json {
        let mut pairs = Pairs::default();
        pairs.add("blueprint", Json::string(&self.name));
        pairs.add_text("description", &self.description);
        if let Some(version) = self.version {
            pairs.add_number("version", version);
        }
        pairs.add("schema", Json::string(&self.schema));
        match &self.tenancy {
            Tenancy::Database => {}
            Tenancy::Workspace => pairs.add("tenancy", Json::string("workspace")),
            Tenancy::Field { field, .. } => {
                let field = vec![("field".to_owned(), Json::string(field))];
                pairs.add("tenancy", Json::Object(field));
            }
        }
        let texts = |texts: &[String]| Json::Array(texts.iter().map(Json::string).collect());
        if !self.extensions.is_empty() {
            pairs.add("extensions", texts(&self.extensions));
        }
        if !self.enums.is_empty() {
            let enums =
                self.enums.iter().map(|found| (found.name.clone(), self.enumeration(found)));
            pairs.add("enums", Json::Object(enums.collect()));
        }
        let names = Names::of(self);
        let tables = self.tables.iter().map(|table| self.table(table, &names));
        pairs.add("tables", Json::Array(tables.collect()));
        if !self.seed.is_empty() {
            pairs.add("seed", super::seed_print::document(self));
        }
        if !self.import_warnings.is_empty() {
            pairs.add("import_warnings", texts(&self.import_warnings));
        }
        Json::Object(pairs.0)
    }

    fn enumeration(&self, found: &EnumType) -> Json {
        let values = strings(&found.values);
        let mut pairs = Pairs::default();
        if found.type_name != found.name {
            pairs.add("type", Json::string(&found.type_name));
        }
        if found.schema != self.schema {
            pairs.add("schema", Json::string(&found.schema));
        }
        pairs.add_text("description", &found.description);
        if pairs.0.is_empty() {
            return values;
        }
        pairs.0.insert(0, ("values".to_owned(), values));
        Json::Object(pairs.0)
    }

    fn table(&self, model: &ModelTable, names: &Names<'_>) -> Json {
        let mut pairs = Pairs::default();
        pairs.add("name", Json::string(&model.name));
        if model.table_name != model.name {
            pairs.add("table", Json::string(&model.table_name));
        }
        if model.schema != self.schema {
            pairs.add("schema", Json::string(&model.schema));
        }
        pairs.add_text("label", &model.label);
        pairs.add_text("description", &model.table.description);
        let own = Fields { model };
        let mut rules = Rules::default();
        for (rule, name) in model.table.named_rules() {
            rules.take(rule, name, &own, names);
        }
        if let Some(key) = rules.key {
            pairs.add("key", key);
        }
        let columns = model.table.columns.iter();
        let fields = columns.map(|column| {
            let bounds = rules.of_fields.remove(column.name.as_str()).unwrap_or_default();
            own.field(column, bounds, names)
        });
        pairs.add("fields", Json::Array(fields.collect()));
        for (key, list) in [
            ("unique", rules.unique),
            ("references", rules.references),
            ("checks", rules.checks),
            ("indexes", rules.indexes),
        ] {
            if !list.is_empty() {
                pairs.add(key, Json::Array(list));
            }
        }
        if let Some(retention) = &model.retention {
            let floor = ("floor".to_owned(), Json::string(retention.floor.to_string()));
            let field = ("field".to_owned(), own.name(&retention.column));
            pairs.add("retention", Json::Object(vec![floor, field]));
        }
        if model.history {
            pairs.add("history", Json::Boolean(true));
        }
        Json::Object(pairs.0)
    }
}

/// Tables and enums by what the database calls them.
struct Names<'b> {
    tables: HashMap<(&'b str, &'b str), &'b ModelTable>,
    enums: HashMap<(&'b str, &'b str), &'b str>,
}

impl<'b> Names<'b> {
    fn of(blueprint: &'b Blueprint) -> Self {
        let tables = blueprint
            .tables
            .iter()
            .map(|table| ((table.schema.as_str(), table.table_name.as_str()), table));
        let enums = blueprint
            .enums
            .iter()
            .map(|found| ((found.schema.as_str(), found.type_name.as_str()), found.name.as_str()));
        Self { tables: tables.collect(), enums: enums.collect() }
    }

    fn enum_name(&self, schema: &str, name: &str) -> Option<String> {
        self.enums.get(&(schema, name)).map(|name| (*name).to_owned())
    }
}

/// The fields of a table, by their columns.
struct Fields<'b> {
    model: &'b ModelTable,
}

impl Fields<'_> {
    fn name(&self, column: &str) -> Json {
        let found = self.model.fields.iter().find(|(_, own)| own == column);
        Json::string(found.map_or(column, |(name, _)| name))
    }

    fn names<'c>(&self, columns: impl IntoIterator<Item = &'c String>) -> Json {
        Json::Array(columns.into_iter().map(|column| self.name(column)).collect())
    }

    fn field(&self, column: &Column, bounds: Bounds, names: &Names<'_>) -> Json {
        let mut pairs = Pairs::default();
        let name = self.name(&column.name);
        let differs = name.as_str() != Some(&column.name);
        pairs.add("name", name);
        if differs {
            pairs.add("column", Json::string(&column.name));
        }
        match bounds.values {
            Some(values) => {
                pairs.add("type", Json::string("enum"));
                pairs.add("values", values);
            }
            None => {
                types::print(&mut pairs, &column.kind, &|schema, name| {
                    names.enum_name(schema, name)
                });
            }
        }
        let label = self.model.labels.iter().find(|(own, _)| *own == column.name);
        pairs.add_text("label", &label.map(|(_, label)| label.clone()));
        pairs.add_text("description", &column.description);
        let sensitive = self.model.sensitive.iter().find(|(own, _)| *own == column.name);
        pairs.add_sensitive(sensitive.map(|(_, how)| *how));
        pairs.add_true("list", column.list);
        pairs.add_true("required", column.required);
        pairs.0.extend(bounds.pairs.0);
        if let Some(default) = &column.default {
            add_default(&mut pairs, column, default);
        }
        for fill in self.model.fills.iter().filter(|fill| fill.column == column.name) {
            match fill.with.split_once(':') {
                Some((word, length)) => {
                    pairs.add("fill", Json::string(word));
                    pairs.add_number("fill_length", length);
                }
                None if fill.with == "touch" => pairs.add_true("touch", true),
                None => pairs.add("fill", Json::string(&fill.with)),
            }
        }
        Json::Object(pairs.0)
    }
}

fn add_default(pairs: &mut Pairs, column: &Column, default: &ColumnDefault) {
    match default {
        ColumnDefault::Clock => pairs.add("default_sql", Json::string("clock_timestamp()")),
        ColumnDefault::Identity { always: true } => {
            pairs.add("generated", Json::string("identity_always"));
        }
        // A key of entry tables is an identity or a default of its own.
        ColumnDefault::Identity { always: false } => {
            pairs.add("generated", Json::string("identity"))
        }
        ColumnDefault::Serial => pairs.add("generated", Json::string("serial")),
        ColumnDefault::Sql(sql) => pairs.add("default_sql", Json::string(&sql.text)),
        ColumnDefault::Field(Default::Now) => pairs.add("default", Json::string("now")),
        ColumnDefault::Field(Default::Uuid) => pairs.add("default", Json::string("uuid")),
        ColumnDefault::Field(Default::Cuid) => pairs.add("default", Json::string("cuid")),
        ColumnDefault::Key(kind) => {
            use crate::structure::model::KeyKind;
            match kind {
                KeyKind::Bigint => pairs.add("generated", Json::string("identity")),
                KeyKind::Uuid => pairs.add("default", Json::string("uuid")),
                KeyKind::Cuid => pairs.add("default", Json::string("cuid")),
            }
        }
        ColumnDefault::Field(Default::Value(value)) => match value {
            // A text that a document would read as a word.
            Constant::Text(text) if !column.list && made_by_word(&column.kind, text).is_some() => {
                pairs.add("default_sql", Json::String(quote_literal(text)));
            }
            // Null means no default.
            Constant::Json(Json::Null) => pairs.add("default_sql", Json::string("'null'")),
            value => pairs.add("default", value.to_json()),
        },
    }
}

/// What the rules of a table are in its document.
#[derive(std::default::Default)]
struct Rules<'r> {
    key: Option<Json>,
    of_fields: HashMap<&'r str, Bounds>,
    unique: Vec<Json>,
    references: Vec<Json>,
    checks: Vec<Json>,
    indexes: Vec<Json>,
}

/// What a field says of its values.
#[derive(std::default::Default)]
struct Bounds {
    values: Option<Json>,
    pairs: Pairs,
}

impl Bounds {
    fn has(&self, key: &str) -> bool {
        self.pairs.0.iter().any(|(name, _)| name == key)
    }
}

impl<'r> Rules<'r> {
    fn take(&mut self, rule: &'r Rule, name: Option<&str>, own: &Fields<'_>, names: &Names<'_>) {
        let mut pairs = Pairs::default();
        match rule {
            Rule::PrimaryKey(columns) => {
                pairs.add("fields", own.names(columns));
                pairs.add_text("constraint", &name.map(str::to_owned));
                self.key = Some(Json::Object(pairs.0));
            }
            Rule::OneOf { column, values } => {
                self.of_fields.entry(column).or_default().values = Some(strings(values));
            }
            Rule::MinLength { column, length } => {
                self.of_fields.entry(column).or_default().pairs.add_number("min_length", length);
            }
            Rule::Compare { column, op, value } => {
                let key = match op {
                    Op::GreaterOrEqual => "min",
                    Op::LessOrEqual => "max",
                    _ => "",
                };
                if name.is_none() && !key.is_empty() {
                    let bounds = self.of_fields.entry(column).or_default();
                    if !bounds.has(key) {
                        bounds.pairs.add(key, value.to_json());
                        return;
                    }
                }
                pairs.add("field", own.name(column));
                pairs.add("op", Json::string(op.symbol()));
                pairs.add("value", value.to_json());
                pairs.add_text("name", &name.map(str::to_owned));
                self.checks.push(Json::Object(pairs.0));
            }
            Rule::CompareColumns { left, op, right } => {
                pairs.add("field", own.name(left));
                pairs.add("op", Json::string(op.symbol()));
                pairs.add("other_field", own.name(right));
                pairs.add_text("name", &name.map(str::to_owned));
                self.checks.push(Json::Object(pairs.0));
            }
            Rule::Unique(columns) => {
                pairs.add("fields", own.names(columns.iter().map(|column| &column.name)));
                pairs.add_text("name", &name.map(str::to_owned));
                self.unique.push(Json::Object(pairs.0));
            }
            Rule::Reference(reference) => {
                self.references.push(reference_document(reference, name, own, names));
            }
            Rule::Index(index) => self.indexes.push(index_document(index, name, own)),
        }
    }
}

fn reference_document(
    reference: &Reference,
    name: Option<&str>,
    own: &Fields<'_>,
    names: &Names<'_>,
) -> Json {
    let mut pairs = Pairs::default();
    let target = &reference.target;
    pairs.add("fields", own.names(&reference.columns));
    match names.tables.get(&(target.schema.as_str(), target.table.as_str())) {
        Some(model) => {
            pairs.add("to", Json::string(&model.name));
            pairs.add("to_fields", Fields { model }.names(&target.columns));
        }
        None => {
            pairs.add("to", Json::string(&target.table));
            pairs.add("to_fields", strings(&target.columns));
        }
    }
    pairs.add("on_delete", Json::string(reference.on_delete.name()));
    if reference.on_update != Action::NoAction {
        pairs.add("on_update", Json::string(reference.on_update.name()));
    }
    if !reference.set.is_empty() {
        pairs.add("set_fields", own.names(&reference.set));
    }
    pairs.add_text("name", &name.map(str::to_owned));
    Json::Object(pairs.0)
}

fn index_document(index: &Index, name: Option<&str>, own: &Fields<'_>) -> Json {
    let mut pairs = Pairs::default();
    let columns = index.columns.iter().map(|column| column_document(column, own));
    pairs.add("fields", Json::Array(columns.collect()));
    pairs.add("method", Json::string(index.method.name()));
    if let Method::Hnsw(metric) | Method::Ivfflat(metric) = index.method {
        pairs.add("metric", Json::string(metric.name()));
    }
    pairs.add_true("unique", index.unique);
    pairs.add_true("nulls_not_distinct", index.nulls_not_distinct);
    if let Some(predicate) = &index.predicate {
        pairs.add("where_sql", Json::string(&predicate.text));
    }
    pairs.add_text("name", &name.map(str::to_owned));
    if !index.options.is_empty() {
        let options = index.options.iter().map(|(name, value)| {
            let value = match value.as_str() {
                "on" => Json::Boolean(true),
                "off" => Json::Boolean(false),
                text if text.parse::<u32>().is_ok() => Json::Number(text.to_owned()),
                text => Json::string(text),
            };
            (name.clone(), value)
        });
        pairs.add("options", Json::Object(options.collect()));
    }
    Json::Object(pairs.0)
}

fn column_document(column: &IndexColumn, own: &Fields<'_>) -> Json {
    let mut pairs = Pairs::default();
    pairs.add("field", own.name(&column.name));
    if !column.path.is_empty() {
        pairs.add("path", strings(&column.path));
    }
    pairs.add_true("case_insensitive", column.folded);
    pairs.add_true("descending", column.descending);
    if let Some(first) = column.nulls_first {
        pairs.add("nulls", Json::string(if first { "first" } else { "last" }));
    }
    if let Some((schema, class)) = &column.operators {
        let text = match schema.as_deref() {
            None | Some(types::OF_EXTENSION) => class.clone(),
            Some(schema) => format!("{schema}.{class}"),
        };
        pairs.add("operators", Json::String(text));
    }
    match pairs.0.as_slice() {
        [(_, name)] => name.clone(),
        _ => Json::Object(pairs.0),
    }
}

fn strings(texts: &[String]) -> Json {
    Json::Array(texts.iter().map(Json::string).collect())
}
