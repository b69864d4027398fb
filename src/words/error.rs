//! Why a text cannot be taken into words.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LanguageError {
    #[error("text search configuration \"{0}\" does not exist")]
    Unknown(String),
    #[error("permission denied for schema {0}")]
    NoUsage(String),
    #[error("text search configuration \"{name}\" belongs to {owner}")]
    OfSomebody { name: String, owner: String },
}

impl Report for LanguageError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Unknown(_) => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            Self::NoUsage(_) | Self::OfSomebody { .. } => {
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            }
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::OfSomebody { .. } => Some(
                "The words of all who search a workspace are made with it: its owner must be a superuser, or own Kepler's tables."
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => Some(
                "SELECT cfgname FROM pg_ts_config lists them; one of another schema than pg_catalog is named with its schema. \"simple\" \
                 suits every language, and Chinese, Japanese, Korean and Thai are found in any."
                    .to_owned(),
            ),
            Self::NoUsage(_) => None,
            Self::OfSomebody { .. } => {
                Some("ALTER TEXT SEARCH CONFIGURATION … OWNER TO the owner of Kepler's tables.".to_owned())
            }
        }
    }
}
