//! The text, set as Prisma's formatter sets it.

use super::default::{self, Default, Value};
use super::facts::{Expressions, Facts};
use super::fills;
use super::indexes::{self, Keys};
use super::model::{Blocks, Enum, Model, key};
use super::names::Name;
use super::types::{Family, quoted};

/// A line of a block that is set in columns, and the comment lines above it.
struct Line {
    comments: Vec<String>,
    name: String,
    type_text: String,
    attributes: String,
}

pub(super) fn text(facts: &Facts, expressions: &Expressions, blocks: &Blocks<'_>) -> String {
    let schemas: Vec<String> = facts.schemas.iter().map(|schema| quoted(schema)).collect();
    // Prisma names the schema of a model only where a datasource lists schemas.
    let is_public = facts.schemas == ["public"];
    let keys: Vec<Keys> =
        blocks.models.iter().map(|model| indexes::of(model, expressions)).collect();
    let mut text = heading(facts);
    let preview = keys.iter().any(|keys| keys.has_conditions);
    let preview = preview.then_some(("previewFeatures", "[\"partialIndexes\"]".to_owned()));
    let client = [("provider", quoted("prisma-client")), ("output", quoted("./generated/prisma"))];
    push_settings(&mut text, "generator client", client.into_iter().chain(preview));
    text.push('\n');
    let schemas = (!is_public).then(|| ("schemas", format!("[{}]", schemas.join(", "))));
    let source = std::iter::once(("provider", quoted("postgresql"))).chain(schemas);
    push_settings(&mut text, "datasource db", source);
    for (model, keys) in blocks.models.iter().zip(keys) {
        block(&mut text, model, keys, expressions, blocks, !is_public);
    }
    for found in &blocks.enums {
        enum_block(&mut text, found, !is_public);
    }
    text
}

fn push_settings(
    text: &mut String,
    head: &str,
    settings: impl Iterator<Item = (&'static str, String)> + Clone,
) {
    let width = settings.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    text.push_str(&format!("{head} {{\n"));
    for (name, value) in settings {
        text.push_str(&format!("  {name:width$} = {value}\n"));
    }
    text.push_str("}\n");
}

/// What the file does not hold.
fn heading(facts: &Facts) -> String {
    let views: Vec<String> = facts
        .views
        .iter()
        .map(|view| one_line(&format!("{}.{}", view.schema, view.name)))
        .collect();
    if views.is_empty() {
        return String::new();
    }
    format!("// Not in this file are views: {}.\n\n", views.join(", "))
}

/// A text that stays in its comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() || is_break(letter) { ' ' } else { letter })
        .collect()
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}

fn documentation(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| format!("/// {}", one_line(line)).trim_end().to_owned())
}

fn block(
    text: &mut String,
    model: &Model<'_>,
    keys: Keys,
    expressions: &Expressions,
    blocks: &Blocks<'_>,
    with_schema: bool,
) {
    text.push('\n');
    let mut comments: Vec<String> =
        model.table.description.iter().flat_map(|description| documentation(description)).collect();
    if !model.notes.is_empty() {
        comments.push(format!("/// Prisma does not know: {}.", one_line(&model.notes.join("; "))));
    }
    if model.is_ignored() {
        comments.push(
            "/// The underlying table does not contain a valid unique identifier and can therefore currently \
             not be handled by Prisma Client."
                .to_owned(),
        );
    }
    let mut lines = columns(model, &keys, expressions, &blocks.enums);
    lines.extend(model.relations.iter().map(|field| Line {
        comments: Vec::new(),
        name: field.name.clone(),
        type_text: field.type_text.clone(),
        attributes: field.attributes.join(" "),
    }));
    let mut attributes = keys.of_model;
    attributes.extend(map(&model.name, "@@map"));
    if model.is_ignored() {
        attributes.push("@@ignore".to_owned());
    }
    if with_schema {
        attributes.push(format!("@@schema({})", quoted(&model.table.schema)));
    }
    push(text, &comments, &format!("model {} {{", model.name.prisma), &lines, &attributes);
}

fn enum_block(text: &mut String, found: &Enum<'_>, with_schema: bool) {
    text.push('\n');
    let comments: Vec<String> =
        found.description.iter().flat_map(|description| documentation(description)).collect();
    let line = |name: &Name| Line {
        comments: Vec::new(),
        name: name.prisma.clone(),
        type_text: map(name, "@map").unwrap_or_default(),
        attributes: String::new(),
    };
    let lines: Vec<Line> = found.values.iter().map(line).collect();
    let mut attributes: Vec<String> = map(&found.name, "@@map").into_iter().collect();
    if with_schema {
        attributes.push(format!("@@schema({})", quoted(found.schema)));
    }
    push(text, &comments, &format!("enum {} {{", found.name.prisma), &lines, &attributes);
}

fn map(name: &Name, attribute: &str) -> Option<String> {
    name.mapped.as_ref().map(|mapped| format!("{attribute}({})", quoted(mapped)))
}

fn columns(
    model: &Model<'_>,
    keys: &Keys,
    expressions: &Expressions,
    enums: &[Enum<'_>],
) -> Vec<Line> {
    let fills = fills::read(model.table);
    let line = |place: usize| {
        let (column, found, name) =
            (&model.table.columns[place], &model.types[place], &model.names[place]);
        let of_keys = |start: &str| {
            keys.of_fields
                .iter()
                .filter(|(at, text)| *at == place && text.starts_with(start))
                .map(|(_, text)| text.clone())
                .collect::<Vec<_>>()
        };
        let printed =
            expressions.defaults.get(&key(model.table, column.number)).and_then(Option::as_deref);
        let read = match column.identity {
            true => Some(Default::Autoincrement),
            false => printed.and_then(|printed| default::read(printed, found.family, found.list)),
        };
        // The client sends the values of defaults, and nobody may send one for a generated column.
        let read = read.map(|read| match read {
            Default::Generated(text) => Default::Generated(text),
            _ if column.generated => Default::Opaque,
            read => read,
        });
        let mut comments: Vec<String> =
            column.description.iter().flat_map(|description| documentation(description)).collect();
        let given = read.map(|read| default_text(read, found.family, enums));
        if let (Some(None), Some(printed), false) = (&given, printed, column.generated) {
            comments.push(format!("/// Prisma cannot say the default: {}", one_line(printed)));
        }
        let given = given.map(|given| given.unwrap_or_else(|| "dbgenerated()".to_owned()));
        let mut attributes = of_keys("@id");
        attributes.extend(of_keys("@unique"));
        let filled = fills.get(&column.name);
        let filled = filled.and_then(|kind| fills::attribute(kind, found, given.is_some()));
        attributes.extend(given.map(|given| format!("@default({given})")));
        attributes.extend(filled);
        attributes.extend(map(name, "@map"));
        attributes.extend(found.native.iter().map(|native| format!("@db.{native}")));
        let arity = match (found.list, column.required) {
            (true, _) => "[]",
            (_, true) => "",
            _ => "?",
        };
        Line {
            comments,
            name: name.prisma.clone(),
            type_text: format!("{}{arity}", found.text),
            attributes: attributes.join(" "),
        }
    };
    (0..model.table.columns.len()).map(line).collect()
}

/// What stands in `@default(…)`; None for what Prisma cannot say.
fn default_text(read: Default, family: Family, enums: &[Enum<'_>]) -> Option<String> {
    let value = |value: Value| match value {
        Value::Plain(text) => Some(text),
        Value::Text(text) => Some(quoted(&text)),
        Value::Label(label) => {
            let Family::Enum(place) = family else { return None };
            let is_label = |name: &&Name| name.mapped.as_ref().unwrap_or(&name.prisma) == &label;
            enums[place].values.iter().find(is_label).map(|name| name.prisma.clone())
        }
    };
    match read {
        Default::Now => Some("now()".to_owned()),
        Default::Autoincrement => Some("autoincrement()".to_owned()),
        Default::Value(found) => value(found),
        Default::List(found) => {
            let values: Option<Vec<String>> = found.into_iter().map(value).collect();
            Some(format!("[{}]", values?.join(", ")))
        }
        Default::Generated(expression) => Some(format!("dbgenerated({})", quoted(&expression))),
        Default::Opaque => None,
    }
}

/// Names, types and attributes stand below each other.
fn push(text: &mut String, comments: &[String], head: &str, lines: &[Line], attributes: &[String]) {
    for comment in comments {
        text.push_str(comment);
        text.push('\n');
    }
    text.push_str(head);
    text.push('\n');
    let width = |of: fn(&Line) -> &str| {
        lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0)
    };
    let (names, types) = (width(|line| &line.name), width(|line| &line.type_text));
    for line in lines {
        for comment in &line.comments {
            text.push_str(&format!("  {comment}\n"));
        }
        let set = format!("  {:names$} {:types$} {}", line.name, line.type_text, line.attributes);
        text.push_str(set.trim_end());
        text.push('\n');
    }
    if !lines.is_empty() && !attributes.is_empty() {
        text.push('\n');
    }
    for attribute in attributes {
        text.push_str(&format!("  {attribute}\n"));
    }
    text.push_str("}\n");
}
