//! What a caller can set.

use crate::arguments::{ArgumentError, OptionsObject};
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schema: None,
            vector_dimensions: None,
            vector_dimensions_of: BTreeMap::new(),
            descriptions: false,
            citext: true,
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
