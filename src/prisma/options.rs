//! What a caller can set.

use crate::arguments::{ArgumentError, OptionsObject};
use crate::secrets::keys::Proposal;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most dimensions of a vector.
const MAX_DIMENSIONS: u64 = 16_000;

/// The options of an import.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    /// The schema of what names none.
    pub(super) schema: Option<String>,
    /// Dimensions of vectors whose type does not say them.
    pub(super) vector_dimensions: Option<u32>,
    /// The same of single fields, by `Model.field`.
    pub(super) vector_dimensions_of: BTreeMap<String, u32>,
    /// Whether `///` comments become comments in the database.
    pub(super) descriptions: bool,
    /// Whether the extension citext can be had.
    pub(super) citext: bool,
    /// Whether fields whose names are those of secrets are made what is proposed.
    pub(super) sensitive: bool,
    /// What single fields are made, by `Model.field`.
    pub(super) sensitive_of: BTreeMap<String, Sensitive>,
}

/// What a field is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensitive {
    Reference,
    Personal,
    /// Nothing, and nobody is warned.
    Plain,
}

impl From<Proposal> for Sensitive {
    fn from(proposal: Proposal) -> Self {
        match proposal {
            Proposal::Reference => Sensitive::Reference,
            Proposal::Sensitive => Sensitive::Personal,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schema: None,
            vector_dimensions: None,
            vector_dimensions_of: BTreeMap::new(),
            descriptions: false,
            citext: true,
            sensitive: false,
            sensitive_of: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Reads a JSON object. All that is wrong with it is told at once.
    pub(super) fn read(json: Value) -> Result<Self, ArgumentError> {
        let mut given = OptionsObject::open("options", json)?;
        let mut options = Self::default();
        match given.take("schema") {
            None => {}
            Some(Value::String(schema)) if !schema.is_empty() => options.schema = Some(schema),
            Some(_) => given.problem("/schema: must be the name of a schema"),
        }
        let dimensions = |value: &Value| {
            let value = value.as_u64().filter(|value| (1..=MAX_DIMENSIONS).contains(value))?;
            u32::try_from(value).ok()
        };
        let range = format!("must be a whole number from 1 to {MAX_DIMENSIONS}");
        match given.take("vector_dimensions") {
            None => {}
            Some(Value::Object(fields)) => {
                for (field, value) in fields {
                    match dimensions(&value) {
                        Some(value) => {
                            options.vector_dimensions_of.insert(field, value);
                        }
                        None => {
                            let token = crate::json::token(&crate::json::shorten(&field));
                            given.problem(format!("/vector_dimensions/{token}: {range}"));
                        }
                    }
                }
            }
            Some(value) => match dimensions(&value) {
                Some(value) => options.vector_dimensions = Some(value),
                None => given.problem(format!(
                    "/vector_dimensions: {range}, or an object with one for each \"Model.field\""
                )),
            },
        }
        match given.take("sensitive") {
            None => {}
            Some(Value::Bool(value)) => options.sensitive = value,
            Some(Value::Object(fields)) => {
                for (field, value) in fields {
                    let sensitive = match value {
                        Value::Bool(true) => Sensitive::Personal,
                        Value::Bool(false) => Sensitive::Plain,
                        Value::String(word) if word == "reference" => Sensitive::Reference,
                        _ => {
                            let token = crate::json::token(&crate::json::shorten(&field));
                            given.problem(format!(
                                "/sensitive/{token}: must be \"reference\", true or false"
                            ));
                            continue;
                        }
                    };
                    options.sensitive_of.insert(field, sensitive);
                }
            }
            Some(_) => given.problem(
                "/sensitive: must be true or false, or an object with \"reference\", true or false for each \"Model.field\"",
            ),
        }
        for (key, option) in
            [("descriptions", &mut options.descriptions), ("citext", &mut options.citext)]
        {
            match given.take(key) {
                None => {}
                Some(Value::Bool(value)) => *option = value,
                Some(_) => given.problem(format!("/{key}: must be true or false")),
            }
        }
        given.close()?;
        Ok(options)
    }
}
