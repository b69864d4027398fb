//! The arguments of an upsert, checked.

use super::keys::{GivenKeys, Keys};
use super::time;
use crate::arguments::{ArgumentError, OptionsObject, name, required};
use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::jsonb::parse::InvalidCharacters;
use crate::pg::clock::now;
use crate::workspace;
use serde_json::Value;

/// What an upsert was asked to do.
pub(crate) struct Request {
    pub(crate) workspace_id: String,
    pub(crate) entity_type: String,
    pub(crate) source: String,
    pub(crate) connection_id: Option<String>,
    pub(crate) merge: Merge,
    pub(crate) shape: Shape,
    pub(crate) invalid_characters: InvalidCharacters,
}

/// Where an element's id, time and data stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{external_id, data, source_updated_at, deleted}`.
    Envelope,
    /// The element is the data, and holds the rest in places of its own.
    Flat(Keys),
}

/// Arguments as they come from SQL, where anything may be NULL.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) workspace_id: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) merge: Option<String>,
    pub(crate) keys: GivenKeys,
    pub(crate) options: Option<Value>,
}

impl Arguments {
    /// Checks everything.
    pub(crate) fn check(self) -> Result<Request, Error> {
        let merge = match required("merge", self.merge)?.as_str() {
            "replace" => Merge::Replace,
            "shallow" => Merge::Shallow,
            "deep" => Merge::Deep,
            "merge_patch" => Merge::MergePatch,
            other => {
                return Err(ArgumentError::BadChoice {
                    argument: "merge",
                    legal: "replace, shallow, deep, merge_patch",
                    given: other.to_owned(),
                }
                .into());
            }
        };
        let options = Options::read(self.options)?;
        let shape = self.keys.read(options.source_updated_at)?.map_or(Shape::Envelope, Shape::Flat);
        Ok(Request {
            workspace_id: workspace::argument(self.workspace_id)?,
            entity_type: name("entity_type", self.entity_type)?,
            source: name("source", self.source)?,
            connection_id: self.connection_id,
            merge,
            shape,
            invalid_characters: options.invalid_characters,
        })
    }
}

/// Rarely needed choices.
struct Options {
    invalid_characters: InvalidCharacters,
    source_updated_at: Option<i64>,
}

impl Options {
    fn read(given: Option<Value>) -> Result<Self, Error> {
        let mut read =
            Self { invalid_characters: InvalidCharacters::Reject, source_updated_at: None };
        let Some(given) = given else { return Ok(read) };
        let mut options = OptionsObject::open("options", given)?;
        match options.take("invalid_characters").as_ref().map(Value::as_str) {
            None => (),
            Some(Some("reject")) => read.invalid_characters = InvalidCharacters::Reject,
            Some(Some("strip")) => read.invalid_characters = InvalidCharacters::Strip,
            Some(_) => options.problem("/invalid_characters: must be \"reject\" or \"strip\""),
        }
        if let Some(time) = options.take("source_updated_at") {
            match time::of_json(time.to_string().as_bytes(), now()) {
                Ok(time) => read.source_updated_at = time,
                Err(rejection) => {
                    options.problem(format!("/source_updated_at: {}", rejection.text()));
                }
            }
        }
        options.close()?;
        Ok(read)
    }
}
