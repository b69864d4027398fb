//! The answers of a call, counted.

use super::keys::Keys;
use super::seen::OUTCOMES;
use super::upsert::Ids;
use crate::answer::{Answer, Outcome};
use pgrx::{PgSqlErrorCode, ereport};
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

/// In a smaller batch it says little that most elements have the same id.
const TELLING_BATCH: usize = 10;

/// A key that names no id, but a kind or an owner, makes one record of many, and each element is answered well.
pub(crate) fn warn_of_few_ids(keys: &Keys, answers: &[Answer<Ids>]) {
    let count = |outcome| answers.iter().filter(|answer| answer.outcome == outcome).count();
    let superseded = count(Outcome::Superseded);
    let taken = answers.len() - count(Outcome::Rejected);
    if taken < TELLING_BATCH || superseded * 2 <= taken {
        return;
    }
    ereport!(
        WARNING,
        PgSqlErrorCode::ERRCODE_WARNING,
        format!(
            "{superseded} of {taken} elements were superseded by others with the same external id"
        ),
        format!(
            "The external id was read from {}. It must be different for each record.",
            keys.id_key()
        )
    );
}
