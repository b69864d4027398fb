//! Looks up what the blocks name: models, enums, the types of fields, and what attributes of fields say.

use super::arguments::Arguments;
use super::ast::{self, Arity, Blocks, TypeName, ValueKind, Word};
use super::attributes::{Attributes, fits};
use super::config::Datasource;
use super::model::{Column, ColumnKind, Enum, EnumValue, Model, RelationField};
use super::problem::{Notes, meant};
use super::types::{Foreign, Native, Scalar};
use super::{defaults, keys, relations};
use crate::json::shorten;
use std::collections::{HashMap, HashSet};

const FIELD_ATTRIBUTES: [&str; 7] =
    ["id", "unique", "default", "updatedAt", "map", "ignore", "relation"];
const MODEL_ATTRIBUTES: [&str; 8] =
    ["id", "unique", "index", "map", "schema", "ignore", "fulltext", "shardKey"];

/// What a name stands for, by number.
#[derive(Debug, Clone, Copy)]
enum Declared {
    Model(usize),
    Enum(usize),
    Type,
}

/// All models and enums of a schema, in the order of the files.
#[derive(Debug)]
pub(super) struct Schema<'t> {
    pub(super) models: Vec<Model<'t>>,
    pub(super) enums: Vec<Enum<'t>>,
}

pub(super) fn resolve<'t>(
    blocks: &Blocks<'t>,
    source: &Datasource<'t>,
    notes: &mut Notes,
) -> Schema<'t> {
    let names = declare(blocks, notes);
    let enums: Vec<_> =
        blocks.enums.iter().map(|block| enumeration(block, source, notes)).collect();
    let resolver = Resolver { names, source, enums: &enums, blocks };
    let models = blocks.models.iter().map(|block| resolver.model(block, notes)).collect();
    Schema { models, enums }
}

/// Gives every name to the first block that has it.
fn declare<'t>(blocks: &Blocks<'t>, notes: &mut Notes) -> HashMap<&'t str, Declared> {
    let models = blocks.models.iter().enumerate().map(|(at, m)| (m.name, Declared::Model(at)));
    let enums = blocks.enums.iter().enumerate().map(|(at, e)| (e.name, Declared::Enum(at)));
    let types = blocks.types.iter().map(|&name| (name, Declared::Type));
    let mut all: Vec<_> = models.chain(enums).chain(types).collect();
    all.sort_by_key(|(name, _)| name.place);
    let mut names = HashMap::new();
    for (name, declared) in all {
        check_name(name, notes);
        if matches!(declared, Declared::Type) {
            let text = format!(
                "composite type \"{}\": PostgreSQL has none in Prisma, use Json or a model",
                name.text
            );
            notes.problem(name.place, text);
        }
        if Scalar::named(name.text).is_some() || name.text == "Unsupported" {
            let text =
                format!("\"{}\" is a type of Prisma and cannot be the name of a block", name.text);
            notes.problem(name.place, text);
        } else if names.contains_key(name.text) {
            notes
                .problem(name.place, format!("there is another \"{}\" before this one", name.text));
        } else {
            names.insert(name.text, declared);
        }
    }
    names
}

/// Names of models, enums and fields: letters, digits and underscores, a letter first.
fn check_name(name: Word<'_>, notes: &mut Notes) {
    let text = shorten(name.text);
    if name.text.contains('-') {
        notes.problem(name.place, format!("name \"{text}\" must not hold \"-\""));
    } else if !name.text.starts_with(|c: char| c.is_alphabetic()) {
        notes.problem(name.place, format!("name \"{text}\" must begin with a letter"));
    }
}

fn enumeration<'t>(block: &ast::Enum<'t>, source: &Datasource<'t>, notes: &mut Notes) -> Enum<'t> {
    let attributes = Attributes::new(&block.attributes, "@@", &["map", "schema"], None, notes);
    let map = attributes.name("map", notes);
    let schema = attributes.name("schema", notes);
    let schema = source.schema_of("enum", block.name, schema, block.broken, notes);
    let sql_name = map.unwrap_or(block.name);
    fits(sql_name, notes);
    let mut values: Vec<EnumValue<'t>> = Vec::new();
    let (mut names, mut sql_names) = (HashSet::new(), HashSet::new());
    for value in &block.values {
        let attributes = Attributes::new(&value.attributes, "@", &["map"], None, notes);
        let sql_name = attributes.any_name("map", notes).unwrap_or(value.name);
        fits(sql_name, notes);
        if value.name.text.starts_with('_') {
            check_name(value.name, notes);
        }
        if !names.insert(value.name.text) || !sql_names.insert(sql_name.text) {
            let text = format!("enum \"{}\" has this value already", block.name.text);
            notes.problem(value.name.place, text);
        }
        values.push(EnumValue { name: value.name.text, sql_name: sql_name.text.to_owned() });
    }
    if values.is_empty() && !block.broken {
        notes.problem(block.name.place, format!("enum \"{}\" has no values", block.name.text));
    }
    Enum {
        name: block.name,
        broken: block.broken,
        comment: block.comment.join("\n"),
        sql_name: sql_name.text.to_owned(),
        schema,
        values,
    }
}

struct Resolver<'r, 't> {
    names: HashMap<&'t str, Declared>,
    source: &'r Datasource<'t>,
    enums: &'r [Enum<'t>],
    blocks: &'r Blocks<'t>,
}

impl<'t> Resolver<'_, 't> {
    fn model(&self, block: &ast::Model<'t>, notes: &mut Notes) -> Model<'t> {
        let kind = if block.view { "view" } else { "model" };
        let attributes = Attributes::new(&block.attributes, "@@", &MODEL_ATTRIBUTES, None, notes);
        let map = attributes.name("map", notes);
        let schema = attributes.name("schema", notes);
        let schema = self.source.schema_of(kind, block.name, schema, block.broken, notes);
        attributes.flag("ignore", notes);
        let table = map.unwrap_or(block.name);
        fits(table, notes);
        let mut model = Model {
            name: block.name,
            view: block.view,
            broken: block.broken,
            comment: block.comment.join("\n"),
            table: table.text.to_owned(),
            schema,
            columns: Vec::new(),
            places: HashMap::new(),
            relations: Vec::new(),
            key: None,
            indexes: Vec::new(),
        };
        let (mut names, mut columns) = (HashSet::new(), HashSet::new());
        for field in &block.fields {
            check_name(field.name, notes);
            if !names.insert(field.name.text) {
                let text = format!(
                    "{kind} \"{}\" has a field \"{}\" already",
                    block.name.text, field.name.text
                );
                notes.problem(field.name.place, text);
                continue;
            }
            self.field(field, &mut model, notes);
            if let Some(column) = model.columns.last().filter(|column| column.name == field.name)
                && !columns.insert(column.column.clone())
            {
                let text = format!(
                    "{kind} \"{}\" has a column \"{}\" already",
                    block.name.text,
                    shorten(&column.column)
                );
                notes.problem(field.name.place, text);
            }
        }
        keys::read(block, &attributes, &mut model, notes);
        model
    }

    fn field(&self, field: &ast::Field<'t>, model: &mut Model<'t>, notes: &mut Notes) {
        let kind = match &field.kind {
            TypeName::Unsupported(text, place) => match Foreign::read(text) {
                Ok(foreign) => ColumnKind::Foreign(foreign),
                Err(problem) => {
                    notes.problem(*place, problem);
                    ColumnKind::Unknown
                }
            },
            TypeName::Named(name) => match Scalar::named(name.text) {
                Some(scalar) => ColumnKind::Scalar(scalar, scalar.native()),
                None => match self.names.get(name.text) {
                    Some(&Declared::Model(to)) => return self.relation(field, to, model, notes),
                    Some(&Declared::Enum(at)) => ColumnKind::Enum(at),
                    Some(Declared::Type) => ColumnKind::Unknown,
                    None => {
                        self.unknown_type(*name, notes);
                        ColumnKind::Unknown
                    }
                },
            },
        };
        self.column(field, kind, model, notes);
    }

    fn unknown_type(&self, name: Word<'t>, notes: &mut Notes) {
        if self.blocks.lost {
            return;
        }
        let shown = shorten(name.text);
        if !notes.are_few() {
            return notes.problem(name.place, format!("type \"{shown}\" is not known"));
        }
        let blocks = self.blocks.models.iter().map(|model| model.name);
        let blocks = blocks.chain(self.blocks.enums.iter().map(|block| block.name));
        let known: Vec<_> =
            Scalar::ALL.iter().map(|&(name, _)| name).chain(blocks.map(|name| name.text)).collect();
        let hint = match meant(name.text, &known) {
            Some(meant) => format!(": did you mean \"{meant}\"?"),
            None => String::new(),
        };
        let text = format!(
            "type \"{shown}\" is neither one of Prisma nor a model or enum of this schema{hint}"
        );
        notes.problem(name.place, text);
    }

    fn column(
        &self,
        field: &ast::Field<'t>,
        mut kind: ColumnKind,
        model: &mut Model<'t>,
        notes: &mut Notes,
    ) {
        let native = Some(self.source.name);
        let attributes = Attributes::new(&field.attributes, "@", &FIELD_ATTRIBUTES, native, notes);
        self.native_type(&attributes, &mut kind, notes);
        let map = attributes.name("map", notes);
        let column = map.unwrap_or(field.name);
        fits(column, notes);
        attributes.flag("ignore", notes);
        let touch = attributes.flag("updatedAt", notes);
        let is_time = matches!(kind, ColumnKind::Scalar(Scalar::DateTime, _) | ColumnKind::Unknown);
        if touch && (!is_time || field.arity == Arity::List) {
            let text = "@updatedAt is for a field of type DateTime that is no list";
            notes.problem(field.name.place, text);
        }
        if let Some(attribute) = attributes.once("relation", notes) {
            let text = "@relation is for a field whose type is a model";
            notes.problem(attribute.name.place, text);
        }
        for name in ["id", "unique"] {
            attributes.once(name, notes);
        }
        let mut default = None;
        if let Some(attribute) = attributes.once("default", notes) {
            let mut arguments = Arguments::new(attribute.name, &attribute.arguments, notes);
            // The name of a default is only there on SQL Server.
            arguments.named("map");
            let value = arguments.first("value", notes);
            arguments.close(notes);
            match value {
                Some(value) => {
                    default = defaults::read(value, &kind, field.arity, self.enums, notes)
                }
                None => notes.problem(attribute.name.place, "@default needs a value"),
            }
        }
        model.places.insert(field.name.text, model.columns.len());
        model.columns.push(Column {
            name: field.name,
            column: column.text.to_owned(),
            kind,
            arity: field.arity,
            comment: field.comment.join("\n"),
            default,
            touch,
        });
    }

    /// `@db.Name(arguments)`.
    fn native_type(
        &self,
        attributes: &Attributes<'_, 't>,
        kind: &mut ColumnKind,
        notes: &mut Notes,
    ) {
        let mut found = attributes.iter().filter_map(|attribute| {
            attribute.name.text.split_once('.').map(|(_, name)| (attribute, name))
        });
        let Some((attribute, name)) = found.next() else { return };
        for (second, _) in found {
            notes.problem(second.name.place, "a field has one native type");
        }
        let ColumnKind::Scalar(scalar, native) = kind else {
            if !matches!(kind, ColumnKind::Unknown) {
                let text = "a native type is for a field of one of Prisma's own types";
                notes.problem(attribute.name.place, text);
            }
            return;
        };
        let mut numbers = Vec::new();
        for argument in &attribute.arguments {
            match argument.value.kind {
                ValueKind::Number(text)
                    if argument.name.is_none() && text.parse::<u32>().is_ok() =>
                {
                    numbers.extend(text.parse::<u32>());
                }
                _ => {
                    let text = format!("expected a number from 0, not {}", argument.value.kind());
                    notes.problem(argument.value.place, text);
                    return;
                }
            }
        }
        match Native::read(name, &numbers, *scalar) {
            Ok(read) => *native = read,
            Err(problem) => notes.problem(attribute.name.place, problem),
        }
    }

    fn relation(
        &self,
        field: &ast::Field<'t>,
        to: usize,
        model: &mut Model<'t>,
        notes: &mut Notes,
    ) {
        let attributes = Attributes::new(&field.attributes, "@", &FIELD_ATTRIBUTES, None, notes);
        for name in ["id", "unique", "default", "updatedAt", "map"] {
            if let Some(attribute) = attributes.once(name, notes) {
                let text = format!("@{name} is for a field that is a column, not for a relation");
                notes.problem(attribute.name.place, text);
            }
        }
        attributes.flag("ignore", notes);
        let attribute = attributes.once("relation", notes);
        let mut relation = RelationField {
            name: field.name,
            arity: field.arity,
            to,
            relation: None,
            fields: None,
            references: None,
            on_delete: None,
            on_update: None,
            map: None,
            place: attribute.map_or(field.name.place, |attribute| attribute.name.place),
        };
        if let Some(attribute) = attribute {
            relations::read(attribute, &mut relation, notes);
        }
        model.relations.push(relation);
    }
}
