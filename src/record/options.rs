//! The arguments of an upsert, checked.

use crate::arguments::{ArgumentError, OptionsObject, name, required};
use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::jsonb::parse::InvalidCharacters;
use crate::record::error::RecordError;
use crate::workspace;
use serde_json::Value;

/// The source of what is entered by hand, or read from a file.
const MANUAL: &str = "MANUAL";

/// What an upsert was asked to do.
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
}

/// Where an element's id, time and data stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{external_id, data, source_updated_at, deleted}`.
    Envelope,
    /// The element is the data; these of its fields hold the external id and the source's time.
    Flat { key: String, updated_at_key: Option<String> },
}

/// Arguments as they come from SQL, where anything may be NULL.
pub(crate) struct Arguments {
    pub(crate) workspace_id: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) sync_run_id: Option<String>,
    pub(crate) merge: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) updated_at_key: Option<String>,
    pub(crate) options: Option<Value>,
}

impl Arguments {
    /// Checks everything.
    pub(crate) fn check(self) -> Result<Request, Error> {
        let merge = match required("merge", self.merge)?.as_str() {
            "replace" => Merge::Replace,
            "shallow" => Merge::Shallow,
            "deep" => Merge::Deep,
            other => {
                return Err(ArgumentError::BadChoice {
                    argument: "merge",
                    legal: "replace, shallow, deep",
                    given: other.to_owned(),
                }
                .into());
            }
        };
        let shape = match (self.key, self.updated_at_key) {
            (Some(key), updated_at_key) => Shape::Flat { key, updated_at_key },
            (None, None) => Shape::Envelope,
            (None, Some(_)) => return Err(RecordError::KeyMissing.into()),
        };
        Ok(Request {
            workspace_id: workspace::argument(self.workspace_id)?,
            entity_type: name("entity_type", self.entity_type)?,
            source: name("source", self.source.or_else(|| Some(MANUAL.to_owned())))?,
            connection_id: self.connection_id,
            sync_run_id: self.sync_run_id,
            merge,
            shape,
            invalid_characters: read_options(self.options)?,
        })
    }
}

/// Rarely needed choices.
fn read_options(options: Option<Value>) -> Result<InvalidCharacters, Error> {
    let mut choice = InvalidCharacters::Reject;
    let Some(options) = options else { return Ok(choice) };
    let mut options = OptionsObject::open("options", options)?;
    if let Some(value) = options.take("invalid_characters") {
        match value.as_str() {
            Some("reject") => choice = InvalidCharacters::Reject,
            Some("strip") => choice = InvalidCharacters::Strip,
            _ => options.problem("/invalid_characters: must be \"reject\" or \"strip\""),
        }
    }
    options.close()?;
    Ok(choice)
}
