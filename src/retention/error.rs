//! What is wrong with how long rows are to be kept.

use crate::error::Report;
use pgrx::PgSqlErrorCode;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(super) enum RetentionError {
    #[error("there is no table with number {0}")]
    NoTable(u32),
    #[error("rows of {table} cannot be deleted for their age: {why}")]
    NotForAge { table: String, why: &'static str, hint: Option<String> },
    #[error("{table} does not belong to you")]
    NotYours { table: String, owner: String },
    #[error("argument \"keep\" must be longer than nothing, and at most 5000 years")]
    BadKeep,
    #[error("{keep} is shorter than {floor}, for which rows of {table} are kept")]
    BelowFloor { keep: String, floor: String, table: String, declared_by: String },
    #[error("{table} has no column \"{column}\"")]
    NoColumn { table: String, column: String, times: Vec<String> },
    #[error("column \"{column}\" of {table} is of type {type_name}, which says no time")]
    NotATime { table: String, column: String, type_name: String, times: Vec<String> },
    #[error("{0} has no column \"created_at\" by which rows could be told from younger ones")]
    NoTimeColumn(String, Vec<String>),
    #[error("column \"{column}\" of {table}, by which a floor is counted, does not exist")]
    FloorColumn { table: String, column: String, declared_by: String },
    #[error(
        "rows that are deleted along with rows of {table} have a floor, and cannot be found: references go in a circle, or over more than {depth} tables"
    )]
    TooDeep { table: String, depth: usize },
    #[error("there is no retention policy with number {0}")]
    NoPolicy(i64),
    #[error("retention policy {id} is for {table}, which was dropped")]
    Dropped { id: i64, table: String },
    #[error("retention policy {id} is for {table}, which was dropped and made anew")]
    MadeAnew { id: i64, table: String },
    #[error("retention policy {id} is for a column of {table} that was dropped: \"{column}\"")]
    ColumnDropped { id: i64, table: String, column: String },
    #[error("retention policy {id} is for {table}, which belongs to another role now")]
    OtherOwner { id: i64, table: String, before: String },
    #[error("which rows of {table} are those of workspace \"{workspace}\" cannot be told any more")]
    NoTenancy { table: String, workspace: String },
    #[error(
        "rows of {along} have a floor or lead to rows that do, are deleted along with rows of {table}, and are hidden from \"{role}\" by row security"
    )]
    HiddenAlong { table: String, along: String, role: String },
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
    #[error("argument \"{argument}\" must be NULL for {table}")]
    OfFeed { argument: &'static str, table: &'static str },
    #[error("{message}")]
    UsersCode { message: String, code: String },
    #[error("the batch took longer than {0:?}")]
    TooLong(Duration),
    #[error("there are {limit} retention policies for {table} already")]
    TooManyOfTable { table: String, limit: i64 },
    #[error("there are {limit} retention policies for tables of \"{owner}\" already")]
    TooManyOfOwner { owner: String, limit: i64 },
}

impl Report for RetentionError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NoTable(_) => ERRCODE_UNDEFINED_TABLE,
            Self::NotForAge { .. } => ERRCODE_WRONG_OBJECT_TYPE,
            Self::NotYours { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::NoColumn { .. } | Self::NoTimeColumn(..) => ERRCODE_UNDEFINED_COLUMN,
            Self::NotATime { .. } => ERRCODE_DATATYPE_MISMATCH,
            Self::NoPolicy(_) => ERRCODE_UNDEFINED_OBJECT,
            Self::UsersCode { .. } | Self::TooLong(_) => ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
            Self::TooManyOfTable { .. } | Self::TooManyOfOwner { .. } => {
                ERRCODE_PROGRAM_LIMIT_EXCEEDED
            }
            Self::BadKeep
            | Self::BelowFloor { .. }
            | Self::BadMaxRows { .. }
            | Self::OfFeed { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::FloorColumn { .. }
            | Self::TooDeep { .. }
            | Self::Dropped { .. }
            | Self::MadeAnew { .. }
            | Self::ColumnDropped { .. }
            | Self::OtherOwner { .. }
            | Self::NoTenancy { .. }
            | Self::HiddenAlong { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NotYours { owner, .. } => format!("It belongs to \"{owner}\"."),
            Self::BelowFloor { declared_by, .. } | Self::FloorColumn { declared_by, .. } => {
                format!("The floor is declared by {declared_by}.")
            }
            Self::UsersCode { code, .. } => format!("It was raised with SQLSTATE {code}."),
            Self::OtherOwner { before, .. } => {
                format!("It belonged to \"{before}\" when the policy was set.")
            }
            Self::MadeAnew { .. } | Self::NoTenancy { .. } => {
                "Nothing of it is deleted until the policy is set again.".to_owned()
            }
            Self::NoColumn { times, .. }
            | Self::NotATime { times, .. }
            | Self::NoTimeColumn(_, times)
                if !times.is_empty() =>
            {
                format!("Columns with times: {}.", times.join(", "))
            }
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotForAge { hint, .. } => return hint.clone(),
            Self::NotYours { .. } => {
                "The table's owner may set it, and members of that role that inherit its rights.".to_owned()
            }
            Self::TooLong(_) => {
                "A trigger of the table may be slow, or what refers to it may lack an index. SET kepler.retention_batch_timeout gives it longer."
                    .to_owned()
            }
            Self::TooManyOfTable { .. } => {
                "One filter may name many things: {\"kind\": {\"in\": [\"a\", \"b\"]}}. kepler.drop_retention ends a policy.".to_owned()
            }
            Self::TooManyOfOwner { .. } => {
                "kepler.drop_retention ends a policy, also of a table that was dropped. The owner of Kepler's tables may set more."
                    .to_owned()
            }
            Self::NoTimeColumn(..) => "Name one: time_column => '…'.".to_owned(),
            Self::NotATime { .. } => {
                "The age of a row is counted from a timestamptz, a timestamp or a date.".to_owned()
            }
            Self::BelowFloor { .. } => {
                "A month counts 28 days in what is to be kept, and 31 days in a floor. Keep the rows longer, or change what \
                 declares the floor."
                    .to_owned()
            }
            Self::Dropped { id, .. } => format!("SELECT kepler.drop_retention({id}); ends it."),
            Self::MadeAnew { .. }
            | Self::ColumnDropped { .. }
            | Self::OtherOwner { .. }
            | Self::NoTenancy { .. } => {
                "Call kepler.set_retention again, or kepler.drop_retention.".to_owned()
            }
            Self::HiddenAlong { .. } => {
                "Have it set and run by a role that sees all of these rows: a superuser, or the tables' owner.".to_owned()
            }
            _ => return None,
        })
    }
}
