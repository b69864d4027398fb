//! What a call answers for each element.

use std::borrow::Cow;

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Inserted,
    Updated,
    /// Equal content with a newer time, which was noted.
    Refreshed,
    Restored,
    Deleted,
    Unchanged,
    /// Older than what is stored.
    Stale,
    /// A newer element of the same batch stands for it.
    Superseded,
    Rejected,
}

impl Outcome {
    /// All of them, in the order of reports.
    pub(crate) const ALL: [Outcome; 9] = [
        Outcome::Inserted,
        Outcome::Updated,
        Outcome::Refreshed,
        Outcome::Restored,
        Outcome::Deleted,
        Outcome::Unchanged,
        Outcome::Stale,
        Outcome::Superseded,
        Outcome::Rejected,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Inserted => "inserted",
            Outcome::Updated => "updated",
            Outcome::Refreshed => "refreshed",
            Outcome::Restored => "restored",
            Outcome::Deleted => "deleted",
            Outcome::Unchanged => "unchanged",
            Outcome::Stale => "stale",
            Outcome::Superseded => "superseded",
            Outcome::Rejected => "rejected",
        }
    }
}

/// Why an element was rejected, for programs to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NotAnObject,
    InvalidJson,
    UnknownField,
    MissingExternalId,
    InvalidExternalId,
    MissingData,
    InvalidData,
    InvalidDeleted,
    InvalidTime,
    TimeInFuture,
    NulCharacter,
    LoneSurrogate,
    TooDeep,
    NumberOutOfRange,
    TooLarge,
    /// A trigger kept it from being written.
    NotWritten,
    /// The database refused it, with this SQLSTATE.
    Refused([u8; 5]),
}

impl Reason {
    pub(crate) fn code(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Reason::NotAnObject => "not_an_object",
            Reason::InvalidJson => "invalid_json",
            Reason::UnknownField => "unknown_field",
            Reason::MissingExternalId => "missing_external_id",
            Reason::InvalidExternalId => "invalid_external_id",
            Reason::MissingData => "missing_data",
            Reason::InvalidData => "invalid_data",
            Reason::InvalidDeleted => "invalid_deleted",
            Reason::InvalidTime => "invalid_source_updated_at",
            Reason::TimeInFuture => "source_updated_at_in_future",
            Reason::NulCharacter => "nul_character",
            Reason::LoneSurrogate => "lone_surrogate",
            Reason::TooDeep => "too_deep",
            Reason::NumberOutOfRange => "number_out_of_range",
            Reason::TooLarge => "too_large",
            Reason::NotWritten => "not_written",
            Reason::Refused(sqlstate) => {
                return Cow::Owned(String::from_utf8_lossy(&sqlstate).into_owned());
            }
        })
    }
}

/// A rejection: the reason and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    pub(crate) message: Cow<'static, str>,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, message: message.into() }
    }
}
