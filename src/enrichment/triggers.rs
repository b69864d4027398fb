//! Direct SQL on policies takes the locks that Kepler's functions take. In triggers, so that nobody can take
//! one by itself: whoever holds it keeps others waiting.

use super::{backlog, policy};
use crate::error::Error;
use crate::pg::trigger::{self, Nothing};
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// A policy begins: what is to be enriched is queued.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.begin_enrichment() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn begin_enrichment(trigger: &PgTrigger<'_>) -> Nothing {
    let fair = trigger::boolean(&trigger::new(trigger), "fair");
    alone(trigger, trigger::new(trigger), |client, workspace_id, entity_type| {
        backlog::queue(client, workspace_id, entity_type, fair).map(|_| ())
    })
}

/// A policy becomes fair, or is so no more.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.change_fairness() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn change_fairness(trigger: &PgTrigger<'_>) -> Nothing {
    let fair = trigger::boolean(&trigger::new(trigger), "fair");
    alone(trigger, trigger::new(trigger), |client, workspace_id, entity_type| {
        backlog::set_fair_keys(client, workspace_id, entity_type, fair)
    })
}

/// A policy ends: its leases do too, and nothing of its type is queued any more.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.end_enrichment() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn end_enrichment(trigger: &PgTrigger<'_>) -> Nothing {
    alone(trigger, trigger::old(trigger), backlog::end)
}

/// Does the work for a row of the policies, under the type's lock: that of the session's workspace alone, unless the
/// owner does it.
fn alone(
    trigger: &PgTrigger<'_>,
    row: trigger::Tuple<'_>,
    work: impl FnOnce(&mut SpiClient<'_>, &str, &str) -> Result<(), Error>,
) -> Nothing {
    trigger::require_table(trigger, c"enrichment_policies");
    let (workspace_id, entity_type) =
        (trigger::text(&row, "workspace_id"), trigger::text(&row, "entity_type"));
    let done = workspace::require_own(&workspace_id).and_then(|()| {
        policy::lock(&workspace_id, &entity_type, true);
        Spi::connect_mut(|client| work(client, &workspace_id, &entity_type))
    });
    trigger::raise(done);
    Ok(None)
}
