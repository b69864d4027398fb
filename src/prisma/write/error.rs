//! Why no schema.prisma can be written.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("no schema is named, or one is NULL")]
    NoSchemas,
    #[error("schema \"{0}\" does not exist")]
    NoSuchSchema(String),
    #[error("schema \"{0}\" is Postgres' own")]
    System(String),
    #[error(
        "a table of schema \"{schema}\" refers to schema \"{other}\", which is not among the schemas"
    )]
    RefersElsewhere { schema: String, other: String, table: String, reference: String, all: String },
}

impl Report for WriteError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NoSchemas => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::NoSuchSchema(_) => PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
            Self::System(_) | Self::RefersElsewhere { .. } => {
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
            }
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::RefersElsewhere { table, reference, .. } => Some(format!(
                "It is reference \"{reference}\" of table \"{table}\". Prisma reads no database of which it sees one end of a \
                 reference."
            )),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSchemas | Self::NoSuchSchema(_) | Self::System(_) => {
                "Name a schema, as in kepler.prisma_schema('public'), or several, as in \
                 kepler.prisma_schema(ARRAY['public', 'shop'])."
                    .to_owned()
            }
            Self::RefersElsewhere { all, .. } => {
                format!("Name them all: kepler.prisma_schema(ARRAY[{all}]).")
            }
        })
    }
}
