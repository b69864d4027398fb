//! The arguments of an upsert, checked.

use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::jsonb::parse::InvalidCharacters;
use serde_json::{Map, Value};

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
            invalid_characters: read_options(self.options)?,
        })
    }
}

/// Rarely needed choices.
fn read_options(options: Option<Value>) -> Result<InvalidCharacters, Error> {
    let mut choice = InvalidCharacters::Reject;
    let Some(options) = options else { return Ok(choice) };
    let mut options = OptionsObject::open(options)?;
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

/// A JSON object of options, read key by key. All that is wrong with it is reported at once.
pub(crate) struct OptionsObject {
    given: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<String>,
}

impl OptionsObject {
    pub(crate) fn open(options: Value) -> Result<Self, Error> {
        match options {
            Value::Object(given) => Ok(Self { given, known: Vec::new(), problems: Vec::new() }),
            _ => Err(Error::BadOptions {
                problems: vec!["it must be a JSON object".to_owned()],
                known: String::new(),
            }),
        }
    }

    /// The value of an option, if it was given.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.given.remove(key)
    }

    /// Notes what is wrong, the JSON Pointer first.
    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Fails if anything was wrong, or is left over.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        for key in self.given.keys() {
            let token = key.replace('~', "~0").replace('/', "~1");
            self.problems.push(format!("/{token}: unknown option"));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Error::BadOptions { problems: self.problems, known: self.known.join(", ") })
    }
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
