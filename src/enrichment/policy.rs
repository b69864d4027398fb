//! The policies of entity types, and the lock under which one begins.

use super::error::EnrichmentError;
use crate::error::Error;
use crate::pg::advisory;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;

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
    static POLICIES: UntilWritten<(Text, Text), Policy> = UntilWritten::of(&[c"enrichment_policies"]);
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
    let key = (workspace_id.clone(), entity_type.clone());
    let found: Result<_, Infallible> = POLICIES
        .with(|policies| policies.find(key, |_| Ok(look_up(client, workspace_id, entity_type))));
    found.ok().flatten()
}

fn look_up(client: &mut SpiClient<'_>, workspace_id: &Text, entity_type: &Text) -> Option<Policy> {
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

/// Taken to the end of the transaction by whoever puts records of a type into the queue (shared), and
/// by whoever gives the type a policy (exclusive): a writer that saw no policy ends before the backlog
/// is looked for. No row, so that it writes nothing.
pub(crate) fn lock(workspace_id: &str, entity_type: &str, exclusive: bool) {
    advisory::lock(&format!("kepler enrichment\0{workspace_id}\0{entity_type}"), exclusive);
}
