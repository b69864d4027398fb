//! The answers of a call, counted.

use super::seen::OUTCOMES;
use super::upsert::Ids;
use crate::answer::Answer;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What `upsert_records_summary` answers.
#[derive(Serialize)]
pub(crate) struct Summary {
    total: usize,
    /// A count for each outcome, those that did not occur included.
    #[serde(flatten)]
    outcomes: BTreeMap<&'static str, usize>,
    rejected_by_code: BTreeMap<Cow<'static, str>, usize>,
}

impl Summary {
    pub(crate) fn of(answers: &[Answer<Ids>]) -> Self {
        let mut outcomes: BTreeMap<_, _> =
            OUTCOMES.iter().map(|outcome| (outcome.name(), 0)).collect();
        let mut rejected_by_code = BTreeMap::new();
        for answer in answers {
            *outcomes.entry(answer.outcome.name()).or_default() += 1;
            if let Some(rejection) = &answer.rejection {
                *rejected_by_code.entry(rejection.code().name()).or_default() += 1;
            }
        }
        Self { total: answers.len(), outcomes, rejected_by_code }
    }
}
