//! Reads the elements of a batch of links: an entry each, and the list of what it is linked to.

use super::key::Key;
use super::references::key_kind;
use super::validator::Column;
use crate::answer::{Code, Problem, Violation};
use crate::batch;
use crate::field_types::scalar::Scratch;
use crate::json::shorten;
use crate::jsonb::elements::Place;
use crate::jsonb::scan::{Unbalanced, skip_space, skip_value};
use crate::pg::array::Array;
use crate::poll;
use std::ops::Range;

/// Reads elements into values.
pub(super) struct Reader<'r> {
    /// Of the entry whose links are set, and of the list.
    names: [&'r str; 2],
    owner: &'r Column,
    target: &'r Column,
    scratch: Scratch,
    key: Vec<u8>,
    /// What the lists hold.
    pub(super) values: Array,
    /// The element and the place in its list, for each value.
    pub(super) of: Vec<(u32, u32)>,
}

impl<'r> Reader<'r> {
    /// `owner` describes the field of the entry, `list` is the name of the list, `target` describes what is in it.
    pub(super) fn new(owner: &'r Column, list: &'r str, target: &'r Column) -> Self {
        Self {
            names: [&owner.name, list],
            owner,
            target,
            scratch: Scratch::new(),
            key: Vec::new(),
            values: Array::new(target.element),
            of: Vec::new(),
        }
    }

    /// Reads one; gives the key of the entry, and the position behind the element.
    pub(super) fn element(
        &mut self,
        element: Place<'_>,
        place: u32,
        violations: &mut Vec<Violation>,
    ) -> Result<(Option<Key>, usize), Unbalanced> {
        let text = element.text;
        let mut members: [Option<Range<usize>>; 2] = [None, None];
        let (opened, end) = batch::object(element, |member| {
            let name = match batch::key(&text[member.key.clone()], &mut self.key) {
                Ok(name) => name,
                Err(error) => {
                    violations.push(Violation { field: None, problem: Problem::from(error) });
                    return;
                }
            };
            let at = self.names.iter().position(|known| known.as_bytes() == name);
            let name = String::from_utf8_lossy(name);
            match at {
                Some(at) if members[at].is_some() => violations.push(Violation::new(
                    Some(&name),
                    Code::DuplicateField,
                    "is given twice",
                )),
                Some(at) => members[at] = Some(member.value),
                None => {
                    let message =
                        format!("only {} and {} are known here", self.names[0], self.names[1]);
                    violations.push(Violation::new(
                        Some(&shorten(&name)),
                        Code::UnknownField,
                        message,
                    ));
                }
            }
        })?;
        if let Err(rejection) = opened {
            *violations = rejection.into_violations();
            return Ok((None, end));
        }
        let [owner, list] = members;
        let owner = self.owner(owner.map(|range| &text[range]), violations);
        match list {
            None => {
                violations.push(Violation::new(Some(self.names[1]), Code::Required, "is required"));
            }
            Some(list) => self.list(&text[list], place, violations),
        }
        Ok((owner, end))
    }

    fn owner(&mut self, raw: Option<&[u8]>, violations: &mut Vec<Violation>) -> Option<Key> {
        let name = self.names[0];
        let Some(raw) = raw.filter(|raw| *raw != b"null") else {
            violations.push(match raw {
                Some(_) => Violation::new(Some(name), Code::Required, "must not be null"),
                None => Violation::new(Some(name), Code::Required, "is required"),
            });
            return None;
        };
        let mut value = Array::new(self.owner.element);
        match self.owner.read(raw, &mut self.scratch, &mut value) {
            Ok(()) => Key::from_stored(key_kind(self.owner), value.last()?),
            Err(problem) => {
                violations.push(Violation { field: Some(name.to_owned()), problem });
                None
            }
        }
    }

    fn list(&mut self, raw: &[u8], place: u32, violations: &mut Vec<Violation>) {
        let name = self.names[1];
        if raw.first() != Some(&b'[') {
            let message =
                "must be a list of all that the entry is linked to; an empty one removes all links";
            violations.push(Violation::new(Some(name), Code::WrongType, message));
            return;
        }
        let mut at = skip_space(raw, 1);
        let mut item = 0;
        while raw.get(at).is_some_and(|byte| *byte != b']') {
            poll::check();
            let Ok(end) = skip_value(raw, at) else { break };
            let value = raw[at..end].trim_ascii();
            let before = self.values.count();
            let read = match value {
                b"null" => Err(Problem::new(Code::Required, "must not be null")),
                value => self.target.read(value, &mut self.scratch, &mut self.values),
            };
            match read {
                Ok(()) => self.of.push((place, item)),
                Err(mut problem) => {
                    if self.values.count() > before {
                        self.values.undo();
                    }
                    problem.item = Some(item as usize);
                    violations.push(Violation { field: Some(name.to_owned()), problem });
                }
            }
            item += 1;
            at = skip_space(raw, end);
            match raw.get(at) {
                Some(b',') => at = skip_space(raw, at + 1),
                Some(b']') => break,
                _ => {
                    violations.push(Violation::new(
                        Some(name),
                        Code::InvalidJson,
                        "is not valid JSON",
                    ));
                    break;
                }
            }
        }
    }
}
