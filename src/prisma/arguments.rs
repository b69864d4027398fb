//! The arguments of one attribute or function, read by name. Who is not asked for is a problem.

use super::ast::{Argument, Value, ValueKind, Word};
use super::keys::MAX_FIELDS;
use super::problem::{Notes, meant};
use std::collections::HashSet;

pub(super) struct Arguments<'a, 't> {
    of: Word<'t>,
    given: &'a [Argument<'t>],
    taken: Vec<bool>,
    known: Vec<&'static str>,
}

impl<'a, 't> Arguments<'a, 't> {
    pub(super) fn new(of: Word<'t>, given: &'a [Argument<'t>], notes: &mut Notes) -> Self {
        let mut names = HashSet::new();
        for name in given.iter().filter_map(|argument| argument.name) {
            if !names.insert(name.text) {
                notes.problem(name.place, format!("argument \"{}\" is given twice", name.text));
            }
        }
        Self { of, given, taken: vec![false; given.len()], known: Vec::new() }
    }

    /// An argument by its name.
    pub(super) fn named(&mut self, name: &'static str) -> Option<&'a Value<'t>> {
        self.known.push(name);
        let found = |argument: &Argument<'_>| argument.name.is_some_and(|n| n.text == name);
        let at = self.given.iter().position(found)?;
        self.taken[at] = true;
        Some(&self.given[at].value)
    }

    /// An argument by its name, or the first one without a name.
    pub(super) fn first(&mut self, name: &'static str, notes: &mut Notes) -> Option<&'a Value<'t>> {
        let named = self.named(name);
        let at = self.given.iter().position(|argument| argument.name.is_none());
        match (named, at) {
            (named, None) => named,
            (None, Some(at)) => {
                self.taken[at] = true;
                Some(&self.given[at].value)
            }
            (Some(_), Some(at)) => {
                self.taken[at] = true;
                let place = self.given[at].value.place;
                notes.problem(place, format!("argument \"{name}\" is given twice"));
                None
            }
        }
    }

    /// A string by its name.
    pub(super) fn string(&mut self, name: &'static str, notes: &mut Notes) -> Option<&'a str> {
        let value = self.named(name)?;
        string(value, &format!("argument \"{name}\""), notes)
    }

    /// Says what nobody asked for.
    pub(super) fn close(self, notes: &mut Notes) {
        for (argument, _) in self.given.iter().zip(&self.taken).filter(|(_, taken)| !**taken) {
            let Some(name) = argument.name else {
                let text = format!("\"{}\" takes no further argument", self.of.text);
                notes.problem(argument.value.place, text);
                continue;
            };
            if self.known.contains(&name.text) {
                continue;
            }
            let hint = match meant(name.text, &self.known) {
                Some(meant) => format!(": did you mean \"{meant}\"?"),
                None => String::new(),
            };
            let text = format!("\"{}\" has no argument \"{}\"{hint}", self.of.text, name.text);
            notes.problem(name.place, text);
        }
    }
}

/// A string that is not empty.
pub(super) fn string<'a>(value: &'a Value<'_>, what: &str, notes: &mut Notes) -> Option<&'a str> {
    match &value.kind {
        ValueKind::String(text) if text.is_empty() => {
            notes.problem(value.place, format!("{what} must not be empty"));
            None
        }
        ValueKind::String(text) => Some(text),
        _ => {
            notes.problem(value.place, format!("{what} must be a string, not {}", value.kind()));
            None
        }
    }
}

/// The items of a list; whatever else stands there is a list of one.
pub(super) fn items<'a, 't>(value: &'a Value<'t>) -> &'a [Value<'t>] {
    match &value.kind {
        ValueKind::List(items) => items,
        _ => std::slice::from_ref(value),
    }
}

/// The names in a list.
pub(super) fn words<'a, 't>(value: &'a Value<'t>, what: &str, notes: &mut Notes) -> Vec<Word<'t>> {
    let mut words: Vec<Word<'t>> = Vec::new();
    let given = items(value);
    if let Some(item) = given.get(MAX_FIELDS) {
        notes.problem(item.place, format!("{what} name more than {MAX_FIELDS} fields"));
    }
    for item in given.iter().take(MAX_FIELDS) {
        match item.kind {
            ValueKind::Word(text) if words.iter().any(|word| word.text == text) => {
                notes.problem(item.place, format!("{what} name \"{text}\" twice"));
            }
            ValueKind::Word(text) => words.push(Word { text, place: item.place }),
            _ => {
                let text = format!("{what} must be a list of fields, not {}", item.kind());
                notes.problem(item.place, text);
            }
        }
    }
    words
}
