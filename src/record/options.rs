//! The arguments of an upsert, checked.

use super::keys::{GivenKeys, Keys};
use super::time;
use crate::arguments::{ArgumentError, OptionsObject, name, required};
use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::jsonb::parse::InvalidCharacters;
use crate::pg::clock::now;
use crate::time::print;
use crate::workspace;
use serde::Serialize;
use serde_json::{Map, Value};

/// The source of what is entered by hand, or read from a file.
const MANUAL: &str = "MANUAL";

/// What an upsert was asked to do.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) workspace_id: String,
    pub(crate) entity_type: String,
    pub(crate) source: String,
    pub(crate) connection_id: Option<String>,
    /// The sync run that the call is for.
    pub(crate) sync_run_id: Option<String>,
    pub(crate) merge: Merge,
    pub(crate) shape: Shape,
    pub(crate) invalid_characters: InvalidCharacters,
    /// Where rejected elements are to be kept: how they are read, as JSON.
    pub(crate) reading: Option<String>,
}

/// Where an element's id, time and data stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{external_id, data, source_updated_at, deleted}`.
    Envelope,
    /// The element is the data, and holds the rest in places of its own.
    Flat(Box<Keys>),
}

/// Arguments as they come from SQL, where anything may be NULL.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) workspace_id: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) sync_run_id: Option<String>,
    pub(crate) merge: Option<String>,
    pub(crate) keys: GivenKeys,
    pub(crate) options: Option<Value>,
}

impl Arguments {
    /// Checks everything.
    pub(crate) fn check(self) -> Result<Request, Error> {
        let merge_name = required("merge", self.merge)?;
        let merge = match merge_name.as_str() {
            "replace" => Merge::Replace,
            "shallow" => Merge::Shallow,
            "deep" => Merge::Deep,
            "merge_patch" => Merge::Patch,
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
        let reading = Reading::of(&merge_name, &self.keys, &options);
        let keeps = options.keep_rejects.unwrap_or(self.sync_run_id.is_some());
        let reading = keeps.then(|| serde_json::to_string(&reading)).transpose()?;
        let shape = self
            .keys
            .read(options.source_updated_at)?
            .map_or(Shape::Envelope, |keys| Shape::Flat(Box::new(keys)));
        Ok(Request {
            workspace_id: workspace::argument(self.workspace_id)?,
            entity_type: name("entity_type", self.entity_type)?,
            source: name("source", self.source.or_else(|| Some(MANUAL.to_owned())))?,
            connection_id: self.connection_id,
            sync_run_id: self.sync_run_id,
            merge,
            shape,
            invalid_characters: options.invalid_characters,
            reading,
        })
    }
}

/// Rarely needed choices.
struct Options {
    invalid_characters: InvalidCharacters,
    source_updated_at: Option<i64>,
    keep_rejects: Option<bool>,
}

/// How elements are read: `kepler.rejects.options`.
#[derive(Serialize)]
struct Reading<'a> {
    merge: &'a str,
    #[serde(flatten)]
    keys: &'a GivenKeys,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid_characters: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_rejects: Option<bool>,
}

impl<'a> Reading<'a> {
    fn of(merge: &'a str, keys: &'a GivenKeys, options: &Options) -> Self {
        let strips = options.invalid_characters == InvalidCharacters::Strip;
        Self {
            merge,
            keys,
            invalid_characters: strips.then_some("strip"),
            source_updated_at: options.source_updated_at.map(print),
            keep_rejects: None,
        }
    }
}

impl Arguments {
    /// How they read elements, as JSON that `of_reading` takes, whether rejects are kept included.
    pub(crate) fn reading(&self) -> Result<Value, Error> {
        let options = Options::read(self.options.clone())?;
        let merge = required("merge", self.merge.clone())?;
        let keep_rejects = options.keep_rejects;
        let reading = Reading { keep_rejects, ..Reading::of(&merge, &self.keys, &options) };
        Ok(serde_json::to_value(reading)?)
    }

    /// Those of a call that reads elements as `reading` says.
    pub(crate) fn of_reading(reading: &str) -> Result<Self, Error> {
        let mut reading: Map<String, Value> = serde_json::from_str(reading)?;
        let mut text = |name: &str| match reading.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) if !other.is_null() => Some(other.to_string()),
            _ => None,
        };
        let merge = text("merge").or_else(|| Some("replace".to_owned()));
        let keys = GivenKeys {
            id_key: text("id_key"),
            updated_at_key: text("updated_at_key"),
            deleted_key: text("deleted_key"),
        };
        // The rest are options, and an unknown one is told.
        Ok(Self { merge, keys, options: Some(Value::Object(reading)), ..Self::default() })
    }
}

/// How the same is to be read from envelopes, which say themselves what keys and options say of flat documents.
pub(super) fn reading_of_envelopes(reading: &str) -> Result<String, Error> {
    let mut reading: Map<String, Value> = serde_json::from_str(reading)?;
    for key in ["id_key", "updated_at_key", "deleted_key", "source_updated_at"] {
        reading.remove(key);
    }
    Ok(serde_json::to_string(&reading)?)
}

impl Options {
    fn read(given: Option<Value>) -> Result<Self, Error> {
        let mut read = Self {
            invalid_characters: InvalidCharacters::Reject,
            source_updated_at: None,
            keep_rejects: None,
        };
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
        match options.take("keep_rejects") {
            None => (),
            Some(Value::Bool(keep)) => read.keep_rejects = Some(keep),
            Some(_) => options.problem("/keep_rejects: must be true or false"),
        }
        options.close()?;
        Ok(read)
    }
}
