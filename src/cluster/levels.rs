//! What is done by hand to the lists of levels reaches the other nodes, each of which has lists of its own.
//!
//! `grant_access` and `revoke_access` tell them themselves. The triggers are on the coordinator of a cluster alone.

use crate::error::Error;
use crate::pg::cluster::nodes;
use crate::pg::relation;
use crate::pg::trigger::{self, Nothing};
use crate::pg::whole::Spi;
use pgrx::prelude::*;

#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.tell_nodes() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn tell_nodes(trigger: &PgTrigger<'_>) -> Nothing {
    if trigger.relid().ok() != relation::named(c"kepler", c"workspace_members") {
        trigger::require_table(trigger, c"access_levels");
    }
    if nodes::are_untold() {
        trigger::raise(tell());
    }
    Ok(None)
}

fn tell() -> Result<(), Error> {
    Spi::connect_mut(|client| {
        client.update("SELECT kepler_internal.set_lists_of_nodes()", None, &[])?;
        Ok(())
    })
}
