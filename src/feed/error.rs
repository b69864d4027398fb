//! What ends a call about the feed.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("the cursor is not one of the feed of this workspace")]
    NoCursor,
    #[error("the cursor is of the feed of another database")]
    OtherDatabase,
    #[error("the cursor is of a feed before the workspace came to this node of the cluster")]
    Elsewhere,
    #[error("the changes of a workspace cannot be read beside distributed tables")]
    Beside,
    #[error("the changes of a workspace are read on the coordinator of the cluster")]
    NotOnCoordinator,
    #[error("the cursor is ahead of this database, which was restored to an earlier state")]
    Ahead,
    #[error("changes behind the cursor have been deleted for their age")]
    Dropped { last_at: Option<String> },
    #[error("either \"cursor\" or \"consumer\" can be given, and not both")]
    CursorOrConsumer,
    #[error("consumer \"{name}\" does not exist in workspace \"{workspace}\"")]
    NoConsumer { name: String, workspace: String },
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
    #[error("argument \"keep\" must be at least one hour")]
    BadKeep,
    #[error("there is no table with oid {0}")]
    NoTable(u32),
    #[error("table {0} has no primary key")]
    NoPrimaryKey(String),
    #[error("{table} cannot be tracked: {why}")]
    CannotTrack { table: String, why: &'static str },
    #[error("{0} belongs to another role")]
    NotYours(String),
    #[error("the feed has no partition for a change")]
    NoPlace,
}

impl Report for FeedError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NoCursor
            | Self::OtherDatabase
            | Self::CursorOrConsumer
            | Self::BadMaxRows { .. }
            | Self::BadKeep
            | Self::NoTable(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Elsewhere
            | Self::Ahead
            | Self::Dropped { .. }
            | Self::NoPrimaryKey(_)
            | Self::NoPlace => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::Beside | Self::NotOnCoordinator => ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::NoConsumer { .. } => ERRCODE_UNDEFINED_OBJECT,
            Self::CannotTrack { .. } => ERRCODE_WRONG_OBJECT_TYPE,
            Self::NotYours(_) => ERRCODE_INSUFFICIENT_PRIVILEGE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Elsewhere => Some(
                "Each node has a feed of its own, and what was changed before is not in this one."
                    .to_owned(),
            ),
            Self::Beside => Some(
                "The statement runs where the rows of these lie, and the coordinator has changes of its own tables."
                    .to_owned(),
            ),
            Self::NotOnCoordinator => {
                Some("The changes of its own tables are noted there, and not here.".to_owned())
            }
            Self::Ahead => {
                Some("It stands behind a change that this database does not have.".to_owned())
            }
            Self::Dropped { last_at: Some(at) } => {
                Some(format!("The consumer last acknowledged changes at {at}."))
            }
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        const BEGIN_AGAIN: &str = "Begin again: take a cursor by kepler.feed_cursor(), copy the table, then follow the \
             changes from the cursor on.";
        Some(match self {
            Self::NoCursor => "Give a cursor of feed_cursor() or changes_since() as it is, or NULL for the oldest change \
                 that is there."
                .to_owned(),
            Self::OtherDatabase | Self::Elsewhere | Self::Ahead | Self::Dropped { .. } => {
                BEGIN_AGAIN.to_owned()
            }
            Self::Beside => "Read the changes in a statement of their own; or name the distributed table whose changes you \
                 want, in the argument \"relation\" of changes_since()."
                .to_owned(),
            Self::NotOnCoordinator => "Connect to the coordinator.".to_owned(),
            Self::CursorOrConsumer => "A consumer has a cursor of its own.".to_owned(),
            Self::NoConsumer { name, .. } => format!(
                "SELECT kepler.acknowledge_changes('{}', kepler.feed_cursor());",
                name.replace('\'', "''")
            ),
            Self::NoPrimaryKey(table) => {
                format!("ALTER TABLE {table} ADD PRIMARY KEY (…);")
            }
            Self::NotYours(_) => "Ask its owner, who needs level admin: SELECT kepler.grant_access(…);".to_owned(),
            Self::NoPlace => "CALL kepler.maintain();".to_owned(),
            Self::BadMaxRows { .. }
            | Self::BadKeep
            | Self::NoTable(_)
            | Self::CannotTrack { .. } => return None,
        })
    }
}
