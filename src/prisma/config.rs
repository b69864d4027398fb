//! The datasource: which database the schema is for, and what it says of that database.

use super::arguments::{Arguments, items, string};
use super::ast::{Config, ValueKind, Word};
use super::problem::{Notes, meant};
use std::collections::HashSet;

/// What the datasource says, and what holds where there is none.
#[derive(Debug, Default)]
pub(super) struct Datasource<'t> {
    /// The name in front of native types: `@db.Text`.
    pub(super) name: Option<&'t str>,
    /// The schemas that models may name; none where the datasource names none.
    pub(super) schemas: Vec<String>,
    /// The schema that a connection string names.
    pub(super) schema_of_url: Option<String>,
    pub(super) extensions: Vec<String>,
    /// `relationMode = "prisma"`: relations have no foreign keys.
    pub(super) without_foreign_keys: bool,
    /// The settings could not all be read.
    pub(super) broken: bool,
}

const SETTINGS: [&str; 9] = [
    "provider",
    "url",
    "directUrl",
    "shadowDatabaseUrl",
    "relationMode",
    "referentialIntegrity",
    "schemas",
    "extensions",
    "schema",
];

/// Reads the datasource of a schema.
pub(super) fn read<'t>(blocks: &[Config<'t>], notes: &mut Notes) -> Datasource<'t> {
    for second in blocks.iter().skip(1) {
        notes.problem(second.name.place, "a schema has one datasource");
    }
    let Some(block) = blocks.first() else { return Datasource::default() };
    let mut source =
        Datasource { name: Some(block.name.text), broken: block.broken, ..Datasource::default() };
    let mut provider = false;
    let mut names = HashSet::new();
    for (name, value) in &block.settings {
        if !names.insert(name.text) {
            notes.problem(name.place, format!("setting \"{}\" is given twice", name.text));
            continue;
        }
        let what = format!("setting \"{}\"", name.text);
        match name.text {
            "provider" => {
                provider = true;
                if let Some(given) = string(value, &what, notes)
                    && !matches!(given, "postgresql" | "postgres")
                {
                    let given = crate::json::shorten(given);
                    let text = format!(
                        "the schema is for \"{given}\": only those for \"postgresql\" can be read"
                    );
                    notes.problem(value.place, text);
                }
            }
            "url" | "directUrl" => {
                if let ValueKind::String(url) = &value.kind {
                    source.schema_of_url = source.schema_of_url.or_else(|| schema_of(url));
                }
            }
            "relationMode" | "referentialIntegrity" => match string(value, &what, notes) {
                Some("prisma") => source.without_foreign_keys = true,
                Some("foreignKeys") | None => {}
                Some(_) => notes
                    .problem(value.place, format!("{what} must be \"foreignKeys\" or \"prisma\"")),
            },
            "schemas" => {
                for item in items(value) {
                    if let Some(schema) = string(item, "a schema", notes) {
                        source.schemas.push(schema.to_owned());
                    }
                }
            }
            "extensions" => {
                for item in items(value) {
                    source.extensions.extend(extension(item, notes));
                }
            }
            "shadowDatabaseUrl" | "schema" => {}
            other => match meant(other, &SETTINGS) {
                Some(meant) => notes
                    .problem(name.place, format!("{what} is not known: did you mean \"{meant}\"?")),
                None => notes.warn(name.place, format!("{what} is not known and was left out")),
            },
        }
    }
    if !provider && !block.broken {
        notes.problem(block.name.place, "the datasource has no setting \"provider\"");
    }
    source
}

/// `name`, or `name(map: "…", schema: "…", version: "…")`.
fn extension(value: &super::ast::Value<'_>, notes: &mut Notes) -> Option<String> {
    match &value.kind {
        ValueKind::Word(name) => Some((*name).to_owned()),
        ValueKind::Call(name, given) => {
            let mut arguments = Arguments::new(*name, given, notes);
            let map = arguments.string("map", notes);
            let schema = arguments.string("schema", notes).filter(|schema| *schema != "public");
            let version = arguments.string("version", notes);
            for (what, told) in [("schema", schema), ("version", version)] {
                if told.is_some() {
                    let text = format!("extension \"{}\": its {what} is not compared", name.text);
                    notes.warn(name.place, text);
                }
            }
            arguments.close(notes);
            Some(map.unwrap_or(name.text).to_owned())
        }
        _ => {
            notes.problem(value.place, format!("expected an extension, not {}", value.kind()));
            None
        }
    }
}

/// The schema in a connection string: `postgresql://…?schema=name`.
fn schema_of(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let schema = pairs.filter(|(key, _)| *key == "schema").map(|(_, schema)| schema).next()?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!schema.is_empty() && schema.chars().all(plain)).then(|| schema.to_owned())
}

impl Datasource<'_> {
    /// The schema of a model or an enum: what its `@@schema` says, checked against the datasource.
    pub(super) fn schema_of(
        &self,
        kind: &str,
        block: Word<'_>,
        given: Option<Word<'_>>,
        broken: bool,
        notes: &mut Notes,
    ) -> Option<String> {
        match given {
            Some(schema) => {
                if !self.broken && !self.schemas.iter().any(|known| known == schema.text) {
                    let name = crate::json::shorten(schema.text);
                    let text = format!("schema \"{name}\" is not one of the datasource's schemas");
                    notes.problem(schema.place, text);
                }
                Some(schema.text.to_owned())
            }
            None => {
                if !self.schemas.is_empty() && !broken {
                    let text = format!(
                        "{kind} \"{}\" needs @@schema: the datasource names schemas",
                        block.text
                    );
                    notes.problem(block.place, text);
                }
                None
            }
        }
    }
}
