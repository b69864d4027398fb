//! The policies of entity types, and the lock under which one begins.

use super::error::EnrichmentError;
use crate::access::owner;
use crate::error::Error;
use crate::pg::advisory;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// What a claim or a settle needs of a policy; times in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_attempts: i32,
    pub(crate) lease: i64,
    pub(crate) backoff_base: i64,
    pub(crate) backoff_cap: i64,
    pub(crate) fair: bool,
}

thread_local! {
    static FIND: Statement = const { Statement::new(
        c"SELECT p.max_attempts,
                 (pg_catalog.date_part('epoch', p.lease) * 1000000)::bigint,
                 (pg_catalog.date_part('epoch', p.backoff_base) * 1000000)::bigint,
                 (pg_catalog.date_part('epoch', p.backoff_cap) * 1000000)::bigint,
                 p.fair
          FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static KNOWN: Statement = const { Statement::new(
        c"SELECT p.entity_type FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 ORDER BY 1 LIMIT 20",
        &[pg_sys::TEXTOID],
    ) };
}

/// The policy of a type, if it has one.
pub(crate) fn find(
    client: &mut SpiClient<'_>,
    workspace_id: &Text,
    entity_type: &Text,
) -> Option<Policy> {
    let rows = FIND
        .with(|plan| plan.run(client, &[Some(workspace_id.datum()), Some(entity_type.datum())]));
    let row = rows.iter::<5>().next()?;
    Some(Policy {
        max_attempts: row.integer(0)?,
        lease: row.bigint(1)?,
        backoff_base: row.bigint(2)?,
        backoff_cap: row.bigint(3)?,
        fair: row.boolean(4)?,
    })
}

/// The error where there is none.
pub(crate) fn missing(client: &mut SpiClient<'_>, workspace: &str, entity_type: &str) -> Error {
    let workspace_text = Text::new(workspace);
    let rows = KNOWN.with(|plan| plan.run(client, &[Some(workspace_text.datum())]));
    let known = rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
    EnrichmentError::NoPolicy {
        entity_type: entity_type.to_owned(),
        workspace: workspace.to_owned(),
        known,
    }
    .into()
}

/// Fails unless the type has a policy.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn require_policy(entity_type: &str, workspace_id: &str) -> Result<(), ErrorReport> {
    let found = Spi::connect_mut(|client| {
        match find(client, &Text::new(workspace_id), &Text::new(entity_type)) {
            Some(_) => Ok(()),
            None => Err(missing(client, workspace_id, entity_type)),
        }
    });
    Ok(found?)
}

/// Taken to the end of the transaction by whoever puts records of a type into the queue (shared), and
/// by whoever gives the type a policy (exclusive): a writer that saw no policy ends before the backlog
/// is looked for. No row, so that it writes nothing.
pub(crate) fn lock(workspace_id: &str, entity_type: &str, exclusive: bool) {
    advisory::lock(&lock_name(workspace_id, entity_type), exclusive);
}

fn lock_name(workspace_id: &str, entity_type: &str) -> String {
    format!("kepler enrichment\0{workspace_id}\0{entity_type}")
}

/// Whether this transaction has the type to itself: so a trigger tells `set_enrichment_policy` from direct
/// SQL on the table of policies.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn holds_enrichment(entity_type: &str, workspace_id: &str) -> bool {
    advisory::holds(&lock_name(workspace_id, entity_type))
}

/// See `lock`, for functions in SQL. For those who may write to the queue, or the policy: whoever holds it
/// keeps them waiting.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn lock_enrichment(
    entity_type: &str,
    workspace_id: &str,
    exclusive: bool,
) -> Result<(), ErrorReport> {
    let table = if exclusive { "enrichment_policies" } else { "enrichment_queue" };
    owner::require_right(table, pg_sys::ACL_INSERT)?;
    // Triggers take the shared one for rows of any workspace.
    if exclusive {
        workspace::require_own(workspace_id)?;
    }
    lock(workspace_id, entity_type, exclusive);
    Ok(())
}
