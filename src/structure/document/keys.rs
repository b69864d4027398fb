//! Reads the keys of one object of a document. A key that nobody asked for is a problem.

use super::Problem;
use super::asked::{Asked, Question};
use super::nulls::MESSAGE;
use crate::json::{Json, token};
use std::collections::HashSet;

/// What was found so far.
#[derive(Default)]
pub(in crate::structure) struct Problems {
    found: Vec<Problem>,
    nulls: HashSet<String>,
    asked: Vec<Asked>,
}

impl Problems {
    /// Begins with the places where null must not stand: of those nothing else is said.
    pub(in crate::structure) fn without_nulls(nulls: Vec<String>) -> Self {
        let problem =
            |pointer: &String| Problem { pointer: pointer.clone(), message: MESSAGE.to_owned() };
        Self {
            found: nulls.iter().map(problem).collect(),
            nulls: nulls.into_iter().collect(),
            asked: Vec::new(),
        }
    }

    pub(in crate::structure) fn add(
        &mut self,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) {
        let pointer = pointer.into();
        if !self.nulls.contains(&pointer) {
            self.found.push(Problem { pointer, message: message.into() });
        }
    }

    /// How many were found so far.
    pub(in crate::structure) fn count(&self) -> usize {
        self.found.len()
    }

    pub(in crate::structure) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes what only the database can judge.
    pub(in crate::structure) fn ask(&mut self, pointer: impl Into<String>, what: Question) {
        self.asked.push(Asked { pointer: pointer.into(), what });
    }

    /// What was found, and what is to be asked about.
    pub(in crate::structure) fn into_parts(self) -> (Vec<Problem>, Vec<Asked>) {
        (self.found, self.asked)
    }

    pub(in crate::structure) fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

/// An object under reading.
pub(in crate::structure) struct Keys<'j> {
    pointer: String,
    pairs: &'j [(String, Json)],
    known: Vec<&'static str>,
}

impl<'j> Keys<'j> {
    pub(in crate::structure) fn open(
        json: &'j Json,
        pointer: String,
        problems: &mut Problems,
    ) -> Option<Self> {
        match json {
            Json::Object(pairs) => Some(Self { pointer, pairs, known: Vec::new() }),
            other => {
                problems.add(pointer, format!("must be an object, not {}", other.kind()));
                None
            }
        }
    }

    pub(in crate::structure) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The pointer to a key of this object.
    pub(in crate::structure) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, token(key))
    }

    /// The value of a key. A null is told elsewhere, and gives nothing.
    pub(in crate::structure) fn take(&mut self, key: &'static str) -> Option<&'j Json> {
        self.known.push(key);
        let (_, value) = self.pairs.iter().find(|(name, _)| name == key)?;
        (*value != Json::Null).then_some(value)
    }

    pub(in crate::structure) fn text(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<String> {
        let value = self.take(key)?;
        match value {
            Json::String(text) => Some(text.clone()),
            other => {
                problems.add(self.at(key), format!("must be a string, not {}", other.kind()));
                None
            }
        }
    }

    /// A text that becomes a comment in the database. Postgres treats an empty comment as none.
    pub(in crate::structure) fn description(&mut self, problems: &mut Problems) -> Option<String> {
        self.text("description", problems).filter(|text| !text.is_empty())
    }

    pub(in crate::structure) fn boolean(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> bool {
        self.flag(key, false, problems)
    }

    /// A boolean that may be left out.
    pub(in crate::structure) fn flag(
        &mut self,
        key: &'static str,
        absent: bool,
        problems: &mut Problems,
    ) -> bool {
        match self.take(key) {
            None => absent,
            Some(Json::Boolean(value)) => *value,
            Some(other) => {
                let message = format!("must be true or false, not {}", other.kind());
                problems.add(self.at(key), message);
                absent
            }
        }
    }

    /// A whole number in a range.
    pub(in crate::structure) fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
        problems: &mut Problems,
    ) -> Option<u32> {
        let value = self.take(key)?;
        let number = match value {
            Json::Number(text) => text.parse::<u32>().ok(),
            _ => None,
        };
        if number.is_none_or(|number| !range.contains(&number)) {
            let message =
                format!("must be a whole number from {} to {}", range.start(), range.end());
            problems.add(self.at(key), message);
            return None;
        }
        number
    }

    pub(in crate::structure) fn list(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<&'j [Json]> {
        match self.take(key)? {
            Json::Array(items) => Some(items),
            other => {
                problems.add(self.at(key), format!("must be an array, not {}", other.kind()));
                None
            }
        }
    }

    /// One of a few words.
    pub(in crate::structure) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        legal: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let value = self.take(key)?;
        let found = value.as_str().and_then(|word| legal.iter().find(|(name, _)| *name == word));
        if found.is_none() {
            let words: Vec<&str> = legal.iter().map(|(name, _)| *name).collect();
            problems.add(self.at(key), format!("must be one of {}", words.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// Whether the object has the key, whatever its value.
    pub(in crate::structure) fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|(name, _)| name == key)
    }

    /// Reports what nobody asked for.
    pub(in crate::structure) fn close(self, problems: &mut Problems) {
        for (key, _) in self.pairs {
            if !self.known.contains(&key.as_str()) {
                let message = format!("is unknown; known here: {}", self.known.join(", "));
                problems.add(format!("{}/{}", self.pointer, token(key)), message);
            }
        }
    }
}
