//! Keys, unique indexes and indexes, as attributes of fields and models say them.

use super::arguments::{Arguments, items, string};
use super::ast::{self, Arity, Attribute, Value, ValueKind, Word};
use super::attributes::{Attributes, fits};
use super::condition;
use super::model::{Index, IndexField, Key, Model};
use super::problem::{Notes, meant};
use crate::json::shorten;

/// Index types of Prisma, and what Postgres calls them.
const METHODS: [(&str, &str); 6] = [
    ("BTree", "btree"),
    ("Hash", "hash"),
    ("Gin", "gin"),
    ("Gist", "gist"),
    ("SpGist", "spgist"),
    ("Brin", "brin"),
];

/// Postgres has no more columns in a key or an index.
pub(super) const MAX_FIELDS: usize = 32;

/// Arguments that other databases have.
const OTHERS: [&str; 2] = ["length", "clustered"];

/// Reads them into a model whose columns are known.
pub(super) fn read<'t>(
    block: &ast::Model<'t>,
    attributes: &Attributes<'_, 't>,
    model: &mut Model<'t>,
    notes: &mut Notes,
) {
    let mut reader = Reader { model, notes };
    for field in &block.fields {
        // Of fields with one name the first is the column.
        if reader.model.column(field.name.text).is_some_and(|column| column.name == field.name) {
            reader.field(field);
        }
    }
    for attribute in attributes.iter() {
        match attribute.name.text {
            "id" => reader.key(attribute),
            "unique" => reader.index(attribute, true),
            "index" => reader.index(attribute, false),
            "fulltext" | "shardKey" => {
                let text =
                    format!("@@{} is of another database and was left out", attribute.name.text);
                reader.notes.warn(attribute.name.place, text);
            }
            _ => {}
        }
    }
    // The key of a broken model may be in the line that could not be read. A model that the client ignores needs none.
    let excused = reader.model.broken || block.view || attributes.first("ignore").is_some();
    if reader.model.key.is_none() && !reader.has_unique_key() && !excused {
        let text = format!(
            "model \"{}\" needs @id, @@id, or a unique key over required fields",
            block.name.text
        );
        reader.notes.problem(block.name.place, text);
    }
}

struct Reader<'r, 't> {
    model: &'r mut Model<'t>,
    notes: &'r mut Notes,
}

impl<'t> Reader<'_, 't> {
    /// `@id` and `@unique` of a field.
    fn field(&mut self, field: &ast::Field<'t>) {
        let attributes = Attributes::again(&field.attributes);
        if let Some(attribute) = attributes.first("id") {
            let mut arguments = Arguments::new(attribute.name, &attribute.arguments, self.notes);
            let map = self.map(&mut arguments, "map");
            self.left_out(&mut arguments, &["length", "clustered", "sort"]);
            arguments.close(self.notes);
            self.set_key(Key { fields: vec![field.name], map, place: attribute.name.place });
        }
        if let Some(attribute) = attributes.first("unique") {
            let mut arguments = Arguments::new(attribute.name, &attribute.arguments, self.notes);
            let map = self.map(&mut arguments, "map");
            let descending = self.descending(&mut arguments);
            let condition = self.condition(&mut arguments);
            self.left_out(&mut arguments, &OTHERS);
            arguments.close(self.notes);
            self.model.indexes.push(Index {
                unique: true,
                fields: vec![IndexField { name: field.name, descending, operators: None }],
                method: None,
                map,
                condition,
                place: attribute.name.place,
            });
        }
    }

    /// `@@id`.
    fn key(&mut self, attribute: &Attribute<'t>) {
        let mut arguments = Arguments::new(attribute.name, &attribute.arguments, self.notes);
        let fields = arguments.first("fields", self.notes);
        arguments.named("name");
        let map = self.map(&mut arguments, "map");
        self.left_out(&mut arguments, &["clustered"]);
        arguments.close(self.notes);
        let fields = self.fields(attribute, fields);
        for field in &fields {
            if field.descending || field.operators.is_some() {
                let text = "a primary key has neither an order nor an operator class";
                self.notes.problem(field.name.place, text);
            }
        }
        let fields: Vec<_> = fields.iter().map(|field| field.name).collect();
        if !fields.is_empty() {
            self.set_key(Key { fields, map, place: attribute.name.place });
        }
    }

    fn set_key(&mut self, key: Key<'t>) {
        for name in &key.fields {
            if self.model.column(name.text).is_some_and(|column| column.arity != Arity::Required) {
                let text =
                    format!("field \"{}\" is part of the key and must be required", name.text);
                self.notes.problem(key.place, text);
            }
        }
        if self.model.key.is_some() {
            let text = format!("model \"{}\" has another key", self.model.name.text);
            self.notes.problem(key.place, text);
        } else {
            self.model.key = Some(key);
        }
    }

    /// `@@unique` and `@@index`.
    fn index(&mut self, attribute: &Attribute<'t>, unique: bool) {
        let mut arguments = Arguments::new(attribute.name, &attribute.arguments, self.notes);
        let fields = arguments.first("fields", self.notes);
        let mut map = self.map(&mut arguments, "map");
        let method = if unique {
            // The name of a unique key is one of the client.
            arguments.named("name");
            None
        } else {
            // Old schemas give the index its name here.
            let name = self.map(&mut arguments, "name");
            if map.is_some() && name.is_some() {
                let text = "\"name\" is an old word for \"map\": give one of them";
                self.notes.problem(attribute.name.place, text);
            }
            map = map.or(name);
            self.method(&mut arguments)
        };
        let condition = self.condition(&mut arguments);
        self.left_out(&mut arguments, &OTHERS);
        arguments.close(self.notes);
        let fields = self.fields(attribute, fields);
        if !fields.is_empty() {
            let place = attribute.name.place;
            self.model.indexes.push(Index { unique, fields, method, map, condition, place });
        }
    }

    /// The name of a constraint or an index.
    fn map(&mut self, arguments: &mut Arguments<'_, 't>, name: &'static str) -> Option<String> {
        let value = arguments.named(name)?;
        let text = string(value, &format!("argument \"{name}\""), self.notes)?;
        fits(Word { text, place: value.place }, self.notes);
        Some(text.to_owned())
    }

    fn method(&mut self, arguments: &mut Arguments<'_, 't>) -> Option<&'static str> {
        let value = arguments.named("type")?;
        if let ValueKind::Word(word) = value.kind
            && let Some((_, method)) = METHODS.iter().find(|(name, _)| *name == word)
        {
            return Some(method).copied().filter(|method| *method != "btree");
        }
        let known = METHODS.map(|(name, _)| name).join(", ");
        let text = format!("the type of an index is one of {known}, not {}", value.kind());
        self.notes.problem(value.place, text);
        None
    }

    fn descending(&mut self, arguments: &mut Arguments<'_, 't>) -> bool {
        let Some(value) = arguments.named("sort") else { return false };
        match value.kind {
            ValueKind::Word("Desc") => true,
            ValueKind::Word("Asc") => false,
            _ => {
                let text = format!("\"sort\" is Asc or Desc, not {}", value.kind());
                self.notes.problem(value.place, text);
                false
            }
        }
    }

    fn condition(&mut self, arguments: &mut Arguments<'_, 't>) -> Option<String> {
        let value = arguments.named("where")?;
        condition::read(value, self.model, self.notes)
    }

    fn left_out(&mut self, arguments: &mut Arguments<'_, 't>, names: &[&'static str]) {
        for &name in names {
            if let Some(value) = arguments.named(name) {
                let text = format!("\"{name}\" means nothing to PostgreSQL here and was left out");
                self.notes.warn(value.place, text);
            }
        }
    }

    /// The fields of a key or an index: `[a, b(sort: Desc, ops: JsonbPathOps)]`.
    fn fields(
        &mut self,
        attribute: &Attribute<'t>,
        value: Option<&Value<'t>>,
    ) -> Vec<IndexField<'t>> {
        let mut fields: Vec<IndexField<'t>> = Vec::new();
        let given = value.map(items).unwrap_or_default();
        if let Some(item) = given.get(MAX_FIELDS) {
            let text = format!("a key or an index has at most {MAX_FIELDS} fields");
            self.notes.problem(item.place, text);
        }
        for item in given.iter().take(MAX_FIELDS) {
            let (name, given) = match &item.kind {
                ValueKind::Word(text) => (Word { text, place: item.place }, [].as_slice()),
                ValueKind::Call(name, given) => (*name, given.as_slice()),
                _ => {
                    let text = format!("expected a field, not {}", item.kind());
                    self.notes.problem(item.place, text);
                    continue;
                }
            };
            let mut arguments = Arguments::new(name, given, self.notes);
            let descending = self.descending(&mut arguments);
            let operators = arguments.named("ops").and_then(|value| self.operators(value));
            self.left_out(&mut arguments, &["length"]);
            arguments.close(self.notes);
            if fields.iter().any(|field| field.name.text == name.text) {
                let text = format!("field \"{}\" stands in it twice", shorten(name.text));
                self.notes.problem(name.place, text);
            } else if self.is_column(name) {
                fields.push(IndexField { name, descending, operators });
            }
        }
        if value
            .is_none_or(|value| matches!(&value.kind, ValueKind::List(items) if items.is_empty()))
        {
            let text = format!("@@{} needs a list of fields", attribute.name.text);
            self.notes.problem(attribute.name.place, text);
        }
        fields
    }

    fn is_column(&mut self, name: Word<'_>) -> bool {
        if self.model.column(name.text).is_some() {
            return true;
        }
        let relation = self.model.relations.iter().find(|relation| relation.name.text == name.text);
        let shown = shorten(name.text);
        let (kind, model) = (self.model.kind(), self.model.name.text);
        if let Some(relation) = relation {
            let fields = relation.fields.iter().flatten().map(|field| field.text);
            let fields: Vec<_> = fields.collect();
            let hint = if fields.is_empty() {
                String::new()
            } else {
                format!(": its columns are {}", fields.join(", "))
            };
            let text = format!("field \"{shown}\" is a relation and has no column{hint}");
            self.notes.problem(name.place, text);
        } else if !self.model.broken {
            let few = if self.notes.are_few() { usize::MAX } else { 0 };
            let columns = self.model.columns.iter().take(few);
            let known: Vec<_> = columns.map(|column| column.name.text).collect();
            let hint = meant(name.text, &known)
                .map_or_else(String::new, |meant| format!(": did you mean \"{meant}\"?"));
            let text = format!("{kind} \"{model}\" has no field \"{shown}\"{hint}");
            self.notes.problem(name.place, text);
        }
        false
    }

    /// An operator class: one of Prisma's words, or `raw("…")`.
    fn operators(&mut self, value: &Value<'_>) -> Option<String> {
        match &value.kind {
            ValueKind::Word(word) => {
                let name = operator_class(word);
                if name.is_none() {
                    let text = format!(
                        "operator class \"{}\" is not known: one that Prisma has no word for is raw(\"…\")",
                        shorten(word)
                    );
                    self.notes.problem(value.place, text);
                }
                name
            }
            ValueKind::Call(name, given) if name.text == "raw" => {
                let mut arguments = Arguments::new(*name, given, self.notes);
                let text = arguments.first("value", self.notes);
                arguments.close(self.notes);
                match text {
                    Some(text) => {
                        let text = string(text, "the argument of raw", self.notes)?;
                        Some(text.to_owned())
                    }
                    None => {
                        self.notes.problem(name.place, "raw needs a string");
                        None
                    }
                }
            }
            _ => {
                let text = format!("expected an operator class, not {}", value.kind());
                self.notes.problem(value.place, text);
                None
            }
        }
    }

    /// Whether a unique key holds required columns alone.
    fn has_unique_key(&self) -> bool {
        let required = |name: &str| {
            self.model.column(name).is_some_and(|column| column.arity == Arity::Required)
        };
        let mut unique = self.model.indexes.iter().filter(|index| index.unique);
        unique.any(|index| index.fields.iter().all(|field| required(field.name.text)))
    }
}

/// Types that Prisma's operator classes of BRIN begin with.
const BRIN_TYPES: [(&str, &str); 19] = [
    ("Bit", "bit"),
    ("VarBit", "varbit"),
    ("Bpchar", "bpchar"),
    ("Bytea", "bytea"),
    ("Date", "date"),
    ("Float4", "float4"),
    ("Float8", "float8"),
    ("Inet", "inet"),
    ("Int2", "int2"),
    ("Int4", "int4"),
    ("Int8", "int8"),
    ("Numeric", "numeric"),
    ("Oid", "oid"),
    ("Text", "text"),
    ("Timestamp", "timestamp"),
    ("TimestampTz", "timestamptz"),
    ("Time", "time"),
    ("TimeTz", "timetz"),
    ("Uuid", "uuid"),
];

/// What Postgres calls an operator class of Prisma: `JsonbPathOps` is `jsonb_path_ops`.
fn operator_class(word: &str) -> Option<String> {
    let fixed = match word {
        "InetOps" => "inet_ops",
        "JsonbOps" => "jsonb_ops",
        "JsonbPathOps" => "jsonb_path_ops",
        "ArrayOps" => "array_ops",
        "TextOps" => "text_ops",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.to_owned());
    }
    const SUFFIXES: [(&str, &str); 4] = [
        ("MinMaxMultiOps", "minmax_multi_ops"),
        ("MinMaxOps", "minmax_ops"),
        ("BloomOps", "bloom_ops"),
        ("InclusionOps", "inclusion_ops"),
    ];
    let (kind, suffix) =
        SUFFIXES.iter().find_map(|(end, name)| word.strip_suffix(end).map(|kind| (kind, name)))?;
    let (_, kind) = BRIN_TYPES.iter().find(|(name, _)| *name == kind)?;
    Some(format!("{kind}_{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_classes_have_postgres_names() {
        for (word, name) in [
            ("JsonbPathOps", "jsonb_path_ops"),
            ("TimestampTzMinMaxMultiOps", "timestamptz_minmax_multi_ops"),
            ("VarBitMinMaxOps", "varbit_minmax_ops"),
            ("InetInclusionOps", "inet_inclusion_ops"),
            ("UuidBloomOps", "uuid_bloom_ops"),
        ] {
            assert_eq!(operator_class(word).as_deref(), Some(name));
        }
        assert_eq!(operator_class("jsonb_path_ops"), None);
        assert_eq!(operator_class("FooMinMaxOps"), None);
    }
}
