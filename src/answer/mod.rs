//! What a call that takes many answers for each element: an outcome, and for a rejected element all that is
//! wrong with it. Every function over batches answers with these types, in the columns of [`rows`].

mod code;
mod outcome;
mod rejection;
mod violation;

pub(crate) use code::Code;
pub(crate) use outcome::Outcome;
pub(crate) use rejection::Rejection;
pub(crate) use violation::{Problem, Violation};

use pgrx::JsonB;

/// The answer for one element. `Id`: what names the thing that the element is about.
#[derive(Debug, Clone)]
pub(crate) struct Answer<Id> {
    pub(crate) id: Id,
    pub(crate) outcome: Outcome,
    pub(crate) rejection: Option<Rejection>,
    /// What is to be said of an element that was taken all the same.
    pub(crate) note: Option<&'static str>,
}

impl<Id> Answer<Id> {
    pub(crate) fn new(id: Id, outcome: Outcome) -> Self {
        Self { id, outcome, rejection: None, note: None }
    }

    pub(crate) fn rejected(id: Id, rejection: impl Into<Rejection>) -> Self {
        Self { rejection: Some(rejection.into()), ..Self::new(id, Outcome::Rejected) }
    }

    /// Rejects the element, perhaps for one more reason.
    pub(crate) fn reject(&mut self, rejection: impl Into<Rejection>) {
        self.outcome = Outcome::Rejected;
        match &mut self.rejection {
            Some(before) => before.add(rejection.into()),
            None => self.rejection = Some(rejection.into()),
        }
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.outcome == Outcome::Rejected
    }
}

/// An answer as a row: `ordinal` (from 1), what names the thing, `outcome`, `error_code`, `error`.
pub(crate) type Row<Id> = (i32, Id, &'static str, Option<String>, Option<String>);

/// Answers as rows, in the order of the batch.
pub(crate) fn rows<Id>(answers: Vec<Answer<Id>>) -> impl Iterator<Item = Row<Id>> {
    answers.into_iter().enumerate().map(|(at, answer)| row(at, answer))
}

/// A row with `violations` too: all that is wrong with the element, as a JSON array.
pub(crate) type WholeRow<Id> =
    (i32, Id, &'static str, Option<String>, Option<String>, Option<JsonB>);

/// The same where an element can have several violations.
pub(crate) fn whole_rows<Id>(answers: Vec<Answer<Id>>) -> impl Iterator<Item = WholeRow<Id>> {
    answers.into_iter().enumerate().map(|(at, answer)| {
        let violations = answer.rejection.as_ref().map(|rejection| JsonB(rejection.list(at)));
        let (ordinal, id, outcome, error_code, error) = row(at, answer);
        (ordinal, id, outcome, error_code, error, violations)
    })
}

/// The answer for the element `at` (from 0) as a row.
pub(crate) fn row<Id>(at: usize, answer: Answer<Id>) -> Row<Id> {
    let (code, error) = match &answer.rejection {
        Some(rejection) => (Some(rejection.code().name().into_owned()), Some(rejection.text())),
        None => (None, answer.note.map(str::to_owned)),
    };
    (at as i32 + 1, answer.id, answer.outcome.name(), code, error)
}
