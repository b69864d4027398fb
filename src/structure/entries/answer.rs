//! What a call answers for each element.

use crate::answer::{Answer, Outcome, Rejection, Violation};
use crate::error::Error;
use crate::structure::entries::error::EntriesError;
use std::collections::HashMap;

/// The answers of a call, in the order of the batch.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) all: Vec<Answer<Option<String>>>,
    /// Which element made the entry with this key; made when somebody first asks.
    makers: Option<HashMap<String, u32>>,
}

/// An error names so many violations, and counts the rest.
const MAX_LINES: usize = 100;

impl Answers {
    /// The answer for one more element, as long as nobody has a better one.
    pub(crate) fn push(&mut self, violations: Vec<Violation>) {
        let answer = Answer::new(None, Outcome::Rejected);
        self.all.push(Answer { rejection: Rejection::of(violations), ..answer });
    }

    pub(crate) fn settle(&mut self, element: u32, outcome: Outcome, entry_id: String) {
        if let Some(makers) = &mut self.makers
            && outcome == Outcome::Inserted
        {
            makers.insert(entry_id.clone(), element);
        }
        let answer = &mut self.all[element as usize];
        answer.outcome = outcome;
        answer.id = Some(entry_id);
    }

    pub(crate) fn reject(&mut self, element: u32, violation: Violation) {
        self.all[element as usize].reject(violation);
    }

    /// The element of this batch that made an entry.
    pub(crate) fn maker(&mut self, entry_id: &str) -> Option<u32> {
        let all = &self.all;
        let makers = self.makers.get_or_insert_with(|| {
            let made = |(at, answer): (usize, &Answer<Option<String>>)| match answer {
                Answer { outcome: Outcome::Inserted, id: Some(id), .. } => {
                    Some((id.clone(), at as u32))
                }
                _ => None,
            };
            all.iter().enumerate().filter_map(made).collect()
        });
        makers.get(entry_id).copied()
    }

    /// Fails where anything was rejected, and names it all.
    pub(crate) fn require_all_valid(&self) -> Result<(), Error> {
        let rejected = || self.all.iter().enumerate().filter(|(_, answer)| answer.is_rejected());
        let each = || {
            rejected().flat_map(|(at, answer)| {
                let violations = answer.rejection.as_ref().map_or(&[][..], Rejection::violations);
                violations.iter().map(move |violation| (at, violation))
            })
        };
        let Some((_, first)) = each().next() else { return Ok(()) };
        let mut lines: Vec<String> = each()
            .take(MAX_LINES)
            .map(|(at, violation)| format!("{}: {}", violation.path(at), violation.problem.message))
            .collect();
        let count = each().count();
        if count > MAX_LINES {
            lines.push(format!("… and {} more", count - MAX_LINES));
        }
        Err(EntriesError::Invalid {
            code: first.problem.code.sqlstate(),
            rejected: rejected().count(),
            total: self.all.len(),
            lines,
            holds_secret: each().any(|(_, violation)| violation.is_about_secret()),
        }
        .into())
    }
}
