//! What is done on each node for itself: roles have their rights on the tables of a node there.

use super::part;
use crate::error::{Error, Report};
use crate::pg::local_settings::LocalSettings;
use pgrx::PgSqlErrorCode;
use pgrx::spi::SpiClient;

/// A node could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[error("a node of the cluster refused what was done on the coordinator")]
struct Refused(String);

impl Report for Refused {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn detail(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn hint(&self) -> Option<String> {
        Some("Nodes that did it keep it. Mend the node, and call the function again.".to_owned())
    }
}

/// Runs a statement on all other nodes, if this is the coordinator of a cluster that the tables are distributed in. Each commits
/// it by itself: what is done here comes after it, since both would lock the same rows.
pub(crate) fn run_elsewhere(client: &mut SpiClient<'_>, sql: &str) -> Result<(), Error> {
    if !part::is_distributed() {
        return Ok(());
    }
    let refused = client
        .update(
            "SELECT CASE WHEN (SELECT min(l.groupid) FROM pg_catalog.pg_dist_local_group AS l) = 0 THEN (
                 SELECT min(r.result) FROM pg_catalog.run_command_on_workers($1) AS r WHERE NOT r.success) END",
            None,
            &[format!("SELECT pg_catalog.set_config('lock_timeout', '10s', true), ({sql})").into()],
        )?
        .first()
        .get_one::<String>()?;
    match refused {
        Some(text) => Err(Refused(text).into()),
        None => Ok(()),
    }
}

/// For what each node does for itself. While the result lives, Citus tells no other node of what is done to tables; on the
/// coordinator it changes their shards one after the other.
pub(crate) fn for_itself(client: &mut SpiClient<'_>) -> Result<Option<LocalSettings>, Error> {
    if !part::is_distributed() {
        return Ok(None);
    }
    let is_coordinator = client
        .update("SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l", None, &[])?
        .first()
        .get_one::<bool>()?;
    Ok(Some(LocalSettings::set(&[if is_coordinator == Some(true) {
        (c"citus.multi_shard_modify_mode", c"sequential")
    } else {
        (c"citus.enable_ddl_propagation", c"off")
    }])))
}
