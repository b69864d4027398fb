//! Arguments as SQL passes them, where anything may be NULL: checked, with all that is wrong said at once.

use crate::error::Error;
use serde_json::{Map, Value};

/// The longest name that is part of a key (workspace, entity type, source), in bytes.
const MAX_NAME: usize = 128;

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
