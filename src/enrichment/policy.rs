//! The policies of entity types, and the lock that tells who writes under which.

use super::error::EnrichmentError;
use crate::error::Error;
use crate::pg::advisory;
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
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
    /// Between what claims take turns: what is queued gets its key.
    pub(crate) turns: Option<TurnsBy>,
    /// Whether claims take turns by now: all that was queued before has its key.
    pub(crate) takes_turns: bool,
    pub(crate) is_paused: bool,
    /// Whether claims take higher priorities first.
    pub(crate) priorities: bool,
    pub(crate) limit: Option<Limit>,
}

/// Between what claims take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnsBy {
    Entity,
    Source,
}

/// So much is claimed within a minute, at most; 0: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Whether it holds for each key of the turns, and not for the type.
    pub(crate) by_key: bool,
    pub(crate) records: i32,
    pub(crate) leases: i32,
}

impl TurnsBy {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "entity" => Some(Self::Entity),
            "source" => Some(Self::Source),
            _ => None,
        }
    }

    /// The key of a record. One without an entity is served like one of an entity of its own name.
    pub(crate) fn key<'r>(self, entity_id: Option<&'r str>, source: Option<&'r str>) -> &'r str {
        let key = match self {
            Self::Entity => entity_id,
            Self::Source => source,
        };
        key.unwrap_or(" ")
    }
}

thread_local! {
    static POLICIES: UntilWritten<(Text, Text), Policy> = UntilWritten::of(&[c"enrichment_policies"]);
    static FIND: Statement = const { Statement::new(
        c"SELECT p.max_attempts,
                 (pg_catalog.date_part('epoch', p.lease) * 1000000)::bigint,
                 (pg_catalog.date_part('epoch', p.backoff_base) * 1000000)::bigint,
                 (pg_catalog.date_part('epoch', p.backoff_cap) * 1000000)::bigint,
                 p.turns_by, p.fair_keys_after IS NULL, p.paused_at IS NOT NULL, p.priorities,
                 p.limit_by <> 'type', p.records_per_minute, p.leases_per_minute
          FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static TURNS: Statement = const { Statement::new(
        c"SELECT COALESCE(p.turns_by, '') FROM kepler.enrichment_policies AS p
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
    let look_up = |_: &_| Ok(look_up(client, workspace_id, entity_type));
    let found: Result<_, Infallible> =
        POLICIES.with(|policies| policies.find(Some(workspace_id.as_str()), key, look_up));
    found.ok().flatten()
}

fn look_up(client: &mut SpiClient<'_>, workspace_id: &Text, entity_type: &Text) -> Option<Policy> {
    let rows = FIND
        .with(|plan| plan.run(client, &[Some(workspace_id.datum()), Some(entity_type.datum())]));
    let row = rows.iter::<11>().next()?;
    let turns = row.text(4).and_then(TurnsBy::from_name);
    let (records, leases) = (row.integer(9)?, row.integer(10)?);
    let is_limited = records > 0 || leases > 0;
    Some(Policy {
        max_attempts: row.integer(0)?,
        lease: row.bigint(1)?,
        backoff_base: row.bigint(2)?,
        backoff_cap: row.bigint(3)?,
        turns,
        takes_turns: turns.is_some() && row.boolean(5)?,
        is_paused: row.boolean(6)?,
        priorities: row.boolean(7)?,
        limit: is_limited.then_some(Limit { by_key: row.boolean(8)?, records, leases }),
    })
}

/// The error if there is no policy.
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

/// Taken to the end of the transaction by whoever puts records of a type into the queue, before the policy is read: who
/// has seen no policy, or another one, is known by it until the end. No row, so that it writes nothing.
///
/// Errors: 40001 where the transaction keeps to a snapshot in which the policy is another than it is by now.
pub(crate) fn lock(workspace_id: &str, entity_type: &str) -> Result<(), Error> {
    advisory::lock(&lock_name(workspace_id, entity_type), false);
    if !keeps_snapshot() {
        return Ok(());
    }
    let (workspace, kind) = (Text::new(workspace_id), Text::new(entity_type));
    let of_type = [Some(workspace.datum()), Some(kind.datum())];
    Spi::connect_mut(|client| {
        let seen = TURNS.with(|plan| plan.run(client, &of_type));
        let seen = seen.iter::<1>().next().map(|row| row.text(0));
        let is = TURNS.with(|plan| plan.run_latest(client, &of_type));
        let is = is.iter::<1>().next().map(|row| row.text(0));
        if seen == is {
            return Ok(());
        }
        Err(EnrichmentError::PolicyChanged(entity_type.to_owned()).into())
    })
}

/// Is counted among those who write records of a type, to the end of the transaction.
pub(crate) fn share(workspace_id: &str, entity_type: &str) {
    advisory::lock(&lock_name(workspace_id, entity_type), false);
}

/// Keeps all who write records of a type out to the end of the transaction, if nobody does, or those who do end soon.
/// Nobody waits behind this meanwhile.
pub(super) fn lock_alone_soon(workspace_id: &str, entity_type: &str) -> bool {
    advisory::lock_alone_soon(&lock_name(workspace_id, entity_type))
}

/// Lets go of what `lock_alone_soon` has taken.
pub(super) fn unlock_alone(workspace_id: &str, entity_type: &str) {
    advisory::release(&lock_name(workspace_id, entity_type));
}

/// Waits for the transactions that write records of a type now.
pub(crate) fn wait_for_writers(workspace_id: &str, entity_type: &str) {
    advisory::wait_for_holders(&lock_name(workspace_id, entity_type));
}

fn lock_name(workspace_id: &str, entity_type: &str) -> String {
    format!("kepler enrichment\0{workspace_id}\0{entity_type}")
}
