//! What a call answers for each element.

use super::violation::Violation;
use crate::error::Error;
use crate::structure::entries::error::EntriesError;
use std::collections::HashMap;

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Inserted,
    Updated,
    Deleted,
    Unchanged,
    NotFound,
    /// A later element of the same batch stands for it.
    Superseded,
    Rejected,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Inserted => "inserted",
            Outcome::Updated => "updated",
            Outcome::Deleted => "deleted",
            Outcome::Unchanged => "unchanged",
            Outcome::NotFound => "not_found",
            Outcome::Superseded => "superseded",
            Outcome::Rejected => "rejected",
        }
    }
}

/// The answer for one element.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) entry_id: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) violations: Vec<Violation>,
}

/// The answers of a call, in the order of the batch.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) all: Vec<Answer>,
    /// Which element made the entry with this key; made when somebody first asks.
    makers: Option<HashMap<String, u32>>,
}

/// An error names so many violations, and counts the rest.
const MAX_LINES: usize = 100;

impl Answers {
    /// The answer for one more element, as long as nobody has a better one.
    pub(crate) fn push(&mut self, violations: Vec<Violation>) {
        self.all.push(Answer { entry_id: None, outcome: Outcome::Rejected, violations });
    }

    pub(crate) fn settle(&mut self, element: u32, outcome: Outcome, entry_id: String) {
        if let Some(makers) = &mut self.makers
            && outcome == Outcome::Inserted
        {
            makers.insert(entry_id.clone(), element);
        }
        let answer = &mut self.all[element as usize];
        answer.outcome = outcome;
        answer.entry_id = Some(entry_id);
    }

    pub(crate) fn reject(&mut self, element: u32, violation: Violation) {
        let answer = &mut self.all[element as usize];
        answer.outcome = Outcome::Rejected;
        answer.violations.push(violation);
    }

    /// The element of this batch that made an entry.
    pub(crate) fn maker(&mut self, entry_id: &str) -> Option<u32> {
        let all = &self.all;
        let makers = self.makers.get_or_insert_with(|| {
            let made = |(at, answer): (usize, &Answer)| match answer {
                Answer { outcome: Outcome::Inserted, entry_id: Some(id), .. } => {
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
        let rejected = || {
            self.all.iter().enumerate().filter(|(_, answer)| answer.outcome == Outcome::Rejected)
        };
        let each = || {
            rejected().flat_map(|(at, answer)| {
                answer.violations.iter().map(move |violation| (at as u32, violation))
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
        }
        .into())
    }
}
