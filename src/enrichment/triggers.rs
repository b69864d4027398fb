//! Direct SQL on policies takes the locks that Kepler's functions take. In triggers, so that nobody can take
//! one by itself: whoever holds it keeps others waiting.

use super::{backlog, leftover};
use crate::error::Error;
use crate::pg::trigger::{self, Nothing};
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// A policy begins: what is to be enriched is queued, if that is little.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.begin_enrichment() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn begin_enrichment(trigger: &PgTrigger<'_>) -> Nothing {
    of_policy(trigger, trigger::new(trigger), |client, workspace_id, entity_type| {
        backlog::queue_at_once(client, workspace_id, entity_type);
        Ok(())
    })
}

/// Claims take turns between something else, or do so no more.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.change_fairness() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn change_fairness(trigger: &PgTrigger<'_>) -> Nothing {
    of_policy(trigger, trigger::new(trigger), |client, workspace_id, entity_type| {
        client.update(
            "UPDATE kepler.enrichment_policies AS p SET fair_keys_after = CASE WHEN p.turns_by IS NOT NULL THEN '' END
             WHERE p.workspace_id = $1 AND p.entity_type = $2",
            None,
            &[workspace_id.into(), entity_type.into()],
        )?;
        backlog::queue_at_once(client, workspace_id, entity_type);
        Ok(())
    })
}

/// A policy ends: its leases do too, and nothing of its type is queued any more, if that is little.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.end_enrichment() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn end_enrichment(trigger: &PgTrigger<'_>) -> Nothing {
    of_policy(trigger, trigger::old(trigger), |client, workspace_id, entity_type| {
        leftover::remove_at_once(client, workspace_id, entity_type);
        Ok(())
    })
}

/// Does the work for a row of the policies: that of the session's workspace alone, unless the owner does it.
fn of_policy(
    trigger: &PgTrigger<'_>,
    row: trigger::Tuple<'_>,
    work: impl FnOnce(&mut SpiClient<'_>, &str, &str) -> Result<(), Error>,
) -> Nothing {
    trigger::require_table(trigger, c"enrichment_policies");
    let (workspace_id, entity_type) =
        (trigger::text(&row, "workspace_id"), trigger::text(&row, "entity_type"));
    let done = workspace::require_own(&workspace_id)
        .and_then(|()| Spi::connect_mut(|client| work(client, &workspace_id, &entity_type)));
    trigger::raise(done);
    Ok(None)
}
