//! What is done on each node for itself: roles have their rights on the tables of a node there.

use super::part;
use crate::error::Error;
use crate::pg::local_settings::LocalSettings;
use pgrx::spi::SpiClient;
use std::cell::Cell;

thread_local! {
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
}

/// While this lives, whoever changes levels of access tells the other nodes of it. Also an error that ends the call drops it.
pub(crate) struct Told(bool);

impl Told {
    pub(crate) fn begin() -> Self {
        Self(IS_TOLD.replace(true))
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        IS_TOLD.set(self.0);
    }
}

/// Whether levels change that nobody tells other nodes of: those of a table that somebody changes by hand.
pub(crate) fn are_untold() -> bool {
    !IS_TOLD.get() && part::current() == 0 && part::is_distributed()
}

/// Runs a statement on all other nodes, if this is the coordinator of a cluster that the tables are distributed in: in this
/// transaction, but on nodes that have no part yet. Before the same is done here, since both would lock the same rows.
pub(crate) fn run_elsewhere(client: &mut SpiClient<'_>, sql: &str) -> Result<(), Error> {
    if !part::is_distributed() {
        return Ok(());
    }
    client.update("SELECT kepler_internal.run_on_other_nodes($1)", None, &[sql.into()])?;
    Ok(())
}

/// For what each node does for itself. While the result lives, Citus tells no other node of what is done to tables; on the
/// coordinator of a cluster that the tables are distributed in it changes their shards one after the other.
pub(crate) fn for_itself(client: &mut SpiClient<'_>) -> Result<Option<LocalSettings>, Error> {
    if !super::is_loaded() {
        return Ok(None);
    }
    let has_shards = part::is_distributed()
        && client
            .update(
                "SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l",
                None,
                &[],
            )?
            .first()
            .get_one::<bool>()?
            == Some(true);
    Ok(Some(LocalSettings::set(&[if has_shards {
        (c"citus.multi_shard_modify_mode", c"sequential")
    } else {
        (c"citus.enable_ddl_propagation", c"off")
    }])))
}
