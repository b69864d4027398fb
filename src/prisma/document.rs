//! The blueprint of a schema. What is as Postgres or Prisma would have it anyway is left out.

use super::ast::{Arity, Word};
use super::config::Datasource;
use super::model::{Column, ColumnKind, DefaultValue, Enum, Index, JoinTable, Model, Reference};
use super::names;
use super::namespaces::{index_name, sql_names};
use super::options::{Options, Sensitive};
use super::problem::Notes;
use super::relations::Relations;
use super::resolve::Schema;
use super::types::NativeKind;
use crate::ident::MAX_NAME;
use crate::json::Json;
use crate::secrets::keys::proposal;
use std::collections::BTreeSet;

type Pairs = Vec<(String, Json)>;

fn put(pairs: &mut Pairs, key: &str, value: Json) {
    pairs.push((key.to_owned(), value));
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json {
    Json::Array(texts.into_iter().map(Json::string).collect())
}

fn field_names(fields: &[Word<'_>]) -> Json {
    texts(fields.iter().map(|field| field.text))
}

/// Makes the document, without its warnings.
pub(super) fn write(
    name: &str,
    schema: &Schema<'_>,
    relations: &Relations<'_>,
    source: &Datasource<'_>,
    options: &Options,
    notes: &mut Notes,
) -> Pairs {
    let mut pairs = Pairs::new();
    put(&mut pairs, "blueprint", Json::string(name));
    let of_url = source.schema_of_url.as_deref();
    let in_schema = options.schema.as_deref().or(of_url).unwrap_or("public");
    put(&mut pairs, "schema", Json::string(in_schema));
    let mut writer = Writer {
        schema,
        with_foreign_keys: !source.without_foreign_keys,
        options,
        in_schema,
        notes,
        citext: false,
        dimensioned: BTreeSet::new(),
        seen: BTreeSet::new(),
    };
    let enums: Pairs = schema.enums.iter().map(|found| writer.enumeration(found)).collect();
    let mut tables: Vec<_> = Vec::new();
    let mut references = relations.references.iter().peekable();
    for (at, model) in schema.models.iter().enumerate() {
        let own = std::iter::from_fn(|| references.next_if(|reference| reference.from == at));
        let own: Vec<_> = own.collect();
        if model.view {
            let text = format!(
                "view \"{}\" is not made: a schema does not say its query",
                model.name.text
            );
            writer.notes.warn(model.name.place, text);
        } else {
            tables.push(writer.table(model, &own));
        }
    }
    tables.extend(relations.join_tables.iter().map(|table| writer.join_table(table)));
    writer.check_options();
    let citext = writer.citext && !source.extensions.iter().any(|name| name == "citext");
    // Where citext cannot be had, nothing that is made needs it.
    let can_be_had = |name: &&str| *name != "citext" || writer.options.citext;
    let declared = source.extensions.iter().map(String::as_str).filter(can_be_had);
    let extensions: Vec<_> = declared.chain(citext.then_some("citext")).collect();
    if !extensions.is_empty() {
        put(&mut pairs, "extensions", texts(extensions));
    }
    if !enums.is_empty() {
        put(&mut pairs, "enums", Json::Object(enums));
    }
    put(&mut pairs, "tables", Json::Array(tables));
    pairs
}

struct Writer<'w, 't> {
    schema: &'w Schema<'t>,
    with_foreign_keys: bool,
    options: &'w Options,
    /// The schema of what names none.
    in_schema: &'w str,
    notes: &'w mut Notes,
    /// Whether a column needs the extension.
    citext: bool,
    /// Fields whose dimensions came from the options.
    dimensioned: BTreeSet<String>,
    /// Fields that the options may make sensitive.
    seen: BTreeSet<String>,
}

impl Writer<'_, '_> {
    fn other_schema<'s>(&self, schema: Option<&'s str>) -> Option<&'s str> {
        schema.filter(|schema| *schema != self.in_schema)
    }

    fn enumeration(&self, found: &Enum<'_>) -> (String, Json) {
        let values = texts(found.values.iter().map(|value| value.sql_name.as_str()));
        let mut pairs = Pairs::new();
        if found.sql_name != found.name.text {
            put(&mut pairs, "type", Json::string(&*found.sql_name));
        }
        if let Some(schema) = self.other_schema(found.schema.as_deref()) {
            put(&mut pairs, "schema", Json::string(schema));
        }
        self.describe(&mut pairs, &found.comment);
        let value = if pairs.is_empty() {
            values
        } else {
            pairs.insert(0, ("values".to_owned(), values));
            Json::Object(pairs)
        };
        (found.name.text.to_owned(), value)
    }

    fn describe(&self, pairs: &mut Pairs, comment: &str) {
        if self.options.descriptions && !comment.is_empty() {
            put(pairs, "description", Json::string(comment));
        }
    }

    fn table(&mut self, model: &Model<'_>, references: &[&Reference<'_>]) -> Json {
        let mut pairs = Pairs::new();
        put(&mut pairs, "name", Json::string(model.name.text));
        if model.table != model.name.text {
            put(&mut pairs, "table", Json::string(&*model.table));
        }
        if let Some(schema) = self.other_schema(model.schema.as_deref()) {
            put(&mut pairs, "schema", Json::string(schema));
        }
        self.describe(&mut pairs, &model.comment);
        if let Some(key) = &model.key {
            let mut of = vec![("fields".to_owned(), field_names(&key.fields))];
            let name = key.map.clone().or_else(|| cut(names::primary_key(&model.table)));
            if let Some(name) = name {
                put(&mut of, "constraint", Json::string(name));
            }
            put(&mut pairs, "key", Json::Object(of));
        }
        let fields = model.columns.iter().map(|column| self.field(model, column)).collect();
        put(&mut pairs, "fields", Json::Array(fields));
        let (unique, indexes): (Vec<_>, Vec<_>) =
            model.indexes.iter().partition(|index| is_plain_unique(index));
        let unique: Vec<_> = unique.iter().map(|index| unique_key(model, index)).collect();
        if !unique.is_empty() {
            put(&mut pairs, "unique", Json::Array(unique));
        }
        let indexes: Vec<_> = indexes.iter().map(|found| index(model, found)).collect();
        if !indexes.is_empty() {
            put(&mut pairs, "indexes", Json::Array(indexes));
        }
        let references: Vec<_> =
            references.iter().map(|found| self.reference(model, found)).collect();
        if !references.is_empty() {
            put(&mut pairs, "references", Json::Array(references));
        }
        Json::Object(pairs)
    }

    fn field(&mut self, model: &Model<'_>, column: &Column<'_>) -> Json {
        let mut pairs = vec![("name".to_owned(), Json::string(column.name.text))];
        if column.column != column.name.text {
            put(&mut pairs, "column", Json::string(&*column.column));
        }
        self.kind(&mut pairs, model, column);
        if column.arity == Arity::Required {
            put(&mut pairs, "required", Json::Boolean(true));
        }
        match &column.default {
            None => {}
            Some(DefaultValue::Value(value)) => put(&mut pairs, "default", value.clone()),
            Some(DefaultValue::Sql(sql)) => put(&mut pairs, "default_sql", Json::string(&**sql)),
            Some(DefaultValue::Serial) => put(&mut pairs, "generated", Json::string("serial")),
            Some(DefaultValue::Fill { kind, length }) => {
                put(&mut pairs, "fill", Json::string(*kind));
                if let Some(length) = length {
                    put(&mut pairs, "fill_length", Json::Number(length.to_string()));
                }
            }
        }
        if column.touch {
            put(&mut pairs, "touch", Json::Boolean(true));
        }
        self.sensitive(&mut pairs, model, column);
        self.describe(&mut pairs, &column.comment);
        Json::Object(pairs)
    }

    /// Of a field whose name is that of a secret, or that the options name.
    fn sensitive(&mut self, pairs: &mut Pairs, model: &Model<'_>, column: &Column<'_>) {
        let field = format!("{}.{}", model.name.text, column.name.text);
        let of_type =
            pairs.iter().find(|(key, _)| key == "type").and_then(|(_, word)| word.as_str());
        let is_text =
            matches!(of_type, Some("text" | "varchar" | "citext")) && column.arity != Arity::List;
        let given = self.options.sensitive_of.get(&field).copied();
        let proposed = proposal(column.name.text).filter(|_| is_text).map(Sensitive::from);
        let set = given.or(proposed.filter(|_| self.options.sensitive));
        // What the database fills in is no reference.
        let is_filled = column.default.is_some();
        match (set, proposed) {
            (Some(Sensitive::Reference), _) if !is_text || is_filled => {
                let text = format!(
                    "\"{field}\" cannot hold references to secrets: that is of text without a default, and no list"
                );
                self.notes.warn(column.name.place, text);
            }
            (Some(Sensitive::Reference), _) => {
                put(pairs, "sensitive", Json::string("reference"));
            }
            (Some(Sensitive::Personal), _) => put(pairs, "sensitive", Json::Boolean(true)),
            (Some(Sensitive::Plain), _) | (None, None) => {}
            (None, Some(proposed)) => {
                let (value, means) = match proposed {
                    Sensitive::Reference => (
                        "\"reference\"",
                        "holds a reference to it, vault:team/app, and refuses the secret",
                    ),
                    _ => ("true", "is shown in no message"),
                };
                let text = format!(
                    "\"{field}\" has the name of a secret: with \"sensitive\": {value} the field {means} (option sensitive sets it)"
                );
                self.notes.warn(column.name.place, text);
            }
        }
        self.seen.insert(field);
    }

    /// The keys that say the type.
    fn kind(&mut self, pairs: &mut Pairs, model: &Model<'_>, column: &Column<'_>) {
        let mut list = column.arity == Arity::List;
        match &column.kind {
            ColumnKind::Scalar(_, native) if native.kind == NativeKind::Citext => {
                if self.options.citext {
                    self.citext = true;
                    put(pairs, "type", Json::string("citext"));
                } else {
                    put(pairs, "type", Json::string("text"));
                    if !list {
                        put(pairs, "case_insensitive", Json::Boolean(true));
                    }
                    let text = format!(
                        "\"{}.{}\" is text instead of citext: its unique keys ignore the case, equality in queries does not",
                        model.name.text, column.name.text,
                    );
                    self.notes.warn(column.name.place, text);
                }
            }
            ColumnKind::Scalar(_, native) => {
                pairs.extend(
                    native.document().into_iter().map(|(key, json)| (key.to_owned(), json)),
                );
            }
            ColumnKind::Enum(at) => {
                put(pairs, "type", Json::string("enum"));
                put(pairs, "enum", Json::string(self.schema.enums[*at].name.text));
            }
            ColumnKind::Foreign(foreign) => {
                let dimensions =
                    foreign.vector.and_then(|said| said.or_else(|| self.dimensions(model, column)));
                match dimensions {
                    Some(dimensions) => {
                        put(pairs, "type", Json::string("vector"));
                        put(pairs, "dimensions", Json::Number(dimensions.to_string()));
                    }
                    None => {
                        put(pairs, "type", Json::string("native"));
                        put(pairs, "sql_type", Json::string(&*foreign.sql_type));
                    }
                }
                list |= foreign.list;
            }
            ColumnKind::Unknown => {}
        }
        if list {
            put(pairs, "list", Json::Boolean(true));
        }
    }

    /// The dimensions that the options give a vector whose type does not say them.
    fn dimensions(&mut self, model: &Model<'_>, column: &Column<'_>) -> Option<u32> {
        let field = format!("{}.{}", model.name.text, column.name.text);
        let found = self.options.vector_dimensions_of.get(&field).copied();
        let found = found.or(self.options.vector_dimensions);
        if found.is_none() {
            let text = format!(
                "vector \"{field}\" has no dimensions, and so no index: option vector_dimensions gives them"
            );
            self.notes.warn(column.name.place, text);
        }
        self.dimensioned.insert(field);
        found
    }

    /// A field that the options name must be a vector without dimensions.
    fn check_options(&mut self) {
        for field in self.options.vector_dimensions_of.keys() {
            if !self.dimensioned.contains(field) {
                let field = crate::json::shorten(field);
                let text = format!(
                    "option vector_dimensions names \"{field}\", which is no vector without dimensions"
                );
                self.notes.problem(super::source::Place::start(0), text);
            }
        }
        for field in self.options.sensitive_of.keys() {
            if !self.seen.contains(field) {
                let field = crate::json::shorten(field);
                let text =
                    format!("option sensitive names \"{field}\", which is no field of a table");
                self.notes.problem(super::source::Place::start(0), text);
            }
        }
    }

    fn reference(&self, model: &Model<'_>, reference: &Reference<'_>) -> Json {
        let name = reference.map.clone().or_else(|| {
            cut(names::foreign_key(&model.table, &sql_names(model, &reference.fields)))
        });
        let target = &self.schema.models[reference.to];
        let mut pairs = vec![
            ("fields".to_owned(), field_names(&reference.fields)),
            ("to".to_owned(), Json::string(target.name.text)),
            ("to_fields".to_owned(), field_names(&reference.references)),
            ("on_delete".to_owned(), Json::string(reference.on_delete)),
            ("on_update".to_owned(), Json::string(reference.on_update)),
        ];
        if let Some(name) = name {
            put(&mut pairs, "name", Json::string(name));
        }
        Json::Object(pairs)
    }

    fn join_table(&mut self, table: &JoinTable) -> Json {
        let models = [('A', table.a), ('B', table.b)];
        let mut pairs = vec![("name".to_owned(), Json::string(&*table.table))];
        let schema = self.schema.models[table.a].schema.as_deref();
        if let Some(schema) = self.other_schema(schema) {
            put(&mut pairs, "schema", Json::string(schema));
        }
        let key = vec![
            ("fields".to_owned(), texts(["A", "B"])),
            ("constraint".to_owned(), Json::string(names::join_key(&table.table))),
        ];
        put(&mut pairs, "key", Json::Object(key));
        let (mut fields, mut references) = (Vec::new(), Vec::new());
        for (column, model) in models {
            let model = &self.schema.models[model];
            let key = model.key.as_ref().and_then(|key| key.fields.first());
            let Some(id) = key.and_then(|key| model.column(key.text)) else { continue };
            let mut field = vec![("name".to_owned(), Json::string(column.to_string()))];
            self.kind(&mut field, model, id);
            put(&mut field, "required", Json::Boolean(true));
            fields.push(Json::Object(field));
            if self.with_foreign_keys {
                let name = names::join_foreign_key(&table.table, column);
                references.push(Json::Object(vec![
                    ("fields".to_owned(), texts([column.to_string().as_str()])),
                    ("to".to_owned(), Json::string(model.name.text)),
                    ("to_fields".to_owned(), texts([id.name.text])),
                    ("on_delete".to_owned(), Json::string("cascade")),
                    ("on_update".to_owned(), Json::string("cascade")),
                    ("name".to_owned(), Json::string(name)),
                ]));
            }
        }
        put(&mut pairs, "fields", Json::Array(fields));
        let index = vec![
            ("fields".to_owned(), texts(["B"])),
            ("name".to_owned(), Json::string(names::join_index(&table.table))),
        ];
        put(&mut pairs, "indexes", Json::Array(vec![Json::Object(index)]));
        if !references.is_empty() {
            put(&mut pairs, "references", Json::Array(references));
        }
        Json::Object(pairs)
    }
}

/// A name that had to be cut: whoever reads the document need not cut in the same way.
fn cut(name: String) -> Option<String> {
    (name.len() == MAX_NAME).then_some(name)
}

/// Whether an index is a unique key over fields and nothing more.
fn is_plain_unique(index: &Index<'_>) -> bool {
    let plain = index.fields.iter().all(|field| !field.descending && field.operators.is_none());
    index.unique && index.condition.is_none() && plain
}

/// The name that an index has by itself is left out.
fn given_name(model: &Model<'_>, index: &Index<'_>) -> Option<String> {
    index.map.clone().or_else(|| cut(index_name(model, index)))
}

fn unique_key(model: &Model<'_>, index: &Index<'_>) -> Json {
    let fields: Vec<_> = index.fields.iter().map(|field| field.name).collect();
    let mut pairs = vec![("fields".to_owned(), field_names(&fields))];
    if let Some(name) = given_name(model, index) {
        put(&mut pairs, "name", Json::string(name));
    }
    put(&mut pairs, "index", Json::Boolean(true));
    Json::Object(pairs)
}

fn index(model: &Model<'_>, index: &Index<'_>) -> Json {
    let fields = index.fields.iter().map(|field| {
        if !field.descending && field.operators.is_none() {
            return Json::string(field.name.text);
        }
        let mut pairs = vec![("field".to_owned(), Json::string(field.name.text))];
        if field.descending {
            put(&mut pairs, "descending", Json::Boolean(true));
        }
        if let Some(operators) = &field.operators {
            put(&mut pairs, "operators", Json::string(&**operators));
        }
        Json::Object(pairs)
    });
    let mut pairs = vec![("fields".to_owned(), Json::Array(fields.collect()))];
    if let Some(method) = index.method {
        put(&mut pairs, "method", Json::string(method));
    }
    if index.unique {
        put(&mut pairs, "unique", Json::Boolean(true));
    }
    if let Some(condition) = &index.condition {
        put(&mut pairs, "where_sql", Json::string(&**condition));
    }
    if let Some(name) =
        given_name(model, index).or_else(|| index.unique.then(|| index_name(model, index)))
    {
        put(&mut pairs, "name", Json::string(name));
    }
    Json::Object(pairs)
}
