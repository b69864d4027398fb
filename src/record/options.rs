//! The arguments of an upsert, checked.

use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::jsonb::parse::InvalidCharacters;
use serde::Deserialize;

/// The longest workspace, entity type or source, in bytes.
const MAX_NAME: usize = 128;

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
    /// The element is the data; these of its fields hold the external id and the source's time.
    Flat { key: String, updated_at_key: Option<String> },
}

/// Arguments as they come from SQL, where anything may be NULL.
pub(crate) struct Arguments {
    pub(crate) workspace_id: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) merge: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) updated_at_key: Option<String>,
    /// The text of a JSON object.
    pub(crate) options: Option<String>,
}

/// Rarely needed choices, `options` in SQL.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    invalid_characters: Option<InvalidCharactersOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum InvalidCharactersOption {
    Reject,
    Strip,
}

impl Arguments {
    /// Checks everything.
    pub(crate) fn check(self) -> Result<Request, Error> {
        let merge = match required("merge", self.merge)?.as_str() {
            "replace" => Merge::Replace,
            "shallow" => Merge::Shallow,
            "deep" => Merge::Deep,
            other => {
                return Err(Error::BadChoice {
                    argument: "merge",
                    legal: "replace, shallow, deep",
                    given: other.to_owned(),
                });
            }
        };
        let shape = match (self.key, self.updated_at_key) {
            (Some(key), updated_at_key) => Shape::Flat { key, updated_at_key },
            (None, None) => Shape::Envelope,
            (None, Some(_)) => return Err(Error::KeyMissing),
        };
        Ok(Request {
            workspace_id: name("workspace_id", self.workspace_id)?,
            entity_type: name("entity_type", self.entity_type)?,
            source: name("source", self.source)?,
            connection_id: self.connection_id,
            merge,
            shape,
            invalid_characters: read_options(self.options.as_deref())?,
        })
    }
}

fn read_options(options: Option<&str>) -> Result<InvalidCharacters, Error> {
    let options: Options = match options {
        None => Options::default(),
        Some(text) => serde_json::from_str(text).map_err(|error| Error::BadOptions {
            // Without serde's line and column: the text was normalised by jsonb.
            problem: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
            hint: "A JSON object; known is \"invalid_characters\": \"reject\" or \"strip\"."
                .to_owned(),
        })?,
    };
    Ok(match options.invalid_characters {
        Some(InvalidCharactersOption::Strip) => InvalidCharacters::Strip,
        Some(InvalidCharactersOption::Reject) | None => InvalidCharacters::Reject,
    })
}

/// An argument that must be there.
pub(crate) fn required(argument: &'static str, value: Option<String>) -> Result<String, Error> {
    value.ok_or(Error::NullArgument(argument))
}

/// An argument that must be there, not blank, and short enough for a key.
pub(crate) fn name(argument: &'static str, value: Option<String>) -> Result<String, Error> {
    let value = required(argument, value)?;
    if value.trim().is_empty() {
        return Err(Error::BlankArgument(argument));
    }
    if value.len() > MAX_NAME {
        return Err(Error::TooLong { argument, limit: MAX_NAME });
    }
    Ok(value)
}
