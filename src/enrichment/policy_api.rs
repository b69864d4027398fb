//! `set_enrichment_policy`, `pause_enrichment`, `resume_enrichment` and `drop_enrichment_policy`.

use super::backlog;
use super::direct::Own;
use super::error::EnrichmentError;
use super::policy;
use crate::access::owner;
use crate::answer::Outcome;
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::row::Row;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::datum::{DatumWithOid, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const YEAR: i128 = 365 * 86_400_000_000;

/// What a limit may hold for.
const LIMITS: [&str; 3] = ["type", "entity", "source"];

/// So often may the policy be dropped under a call.
const MAX_ROUNDS: usize = 5;

const INSERT: &str = "\
    INSERT INTO kepler.enrichment_policies AS p (workspace_id, entity_type, max_attempts, lease,
        backoff_base, backoff_cap, clear_on_change, fair, notify, priorities, limit_by,
        records_per_minute, leases_per_minute)
    VALUES ($1, $2, COALESCE($3, 5), COALESCE($4, '5 minutes'), COALESCE($5, '10 seconds'),
        COALESCE($6, '1 hour'), COALESCE($7, false), COALESCE($8, false), COALESCE($9, false),
        COALESCE($10, false), COALESCE($11, 'type'), COALESCE($12, 0), COALESCE($13, 0))
    ON CONFLICT (workspace_id, entity_type) DO NOTHING";

// Locks nothing but the row, and reads nothing else.
const UPDATE: &str = "\
    UPDATE kepler.enrichment_policies AS p
    SET max_attempts = n.max_attempts, lease = n.lease, backoff_base = n.backoff_base,
        backoff_cap = n.backoff_cap, clear_on_change = n.clear_on_change, fair = n.fair,
        notify = n.notify, priorities = n.priorities, limit_by = n.limit_by,
        records_per_minute = n.records_per_minute, leases_per_minute = n.leases_per_minute,
        fair_keys_after = CASE WHEN n.turns_by IS NOT DISTINCT FROM p.turns_by THEN p.fair_keys_after
                               WHEN n.turns_by IS NOT NULL THEN '' END
    FROM kepler.enrichment_policies AS o
    CROSS JOIN LATERAL (
        SELECT COALESCE($3, o.max_attempts) AS max_attempts, COALESCE($4, o.lease) AS lease,
            COALESCE($5, o.backoff_base) AS backoff_base, COALESCE($6, o.backoff_cap) AS backoff_cap,
            COALESCE($7, o.clear_on_change) AS clear_on_change, COALESCE($8, o.fair) AS fair,
            COALESCE($9, o.notify) AS notify, COALESCE($10, o.priorities) AS priorities,
            COALESCE($11, o.limit_by) AS limit_by,
            COALESCE($12, o.records_per_minute) AS records_per_minute,
            COALESCE($13, o.leases_per_minute) AS leases_per_minute) AS g
    CROSS JOIN LATERAL (
        SELECT g.*, CASE WHEN g.limit_by <> 'type' AND (g.records_per_minute > 0 OR g.leases_per_minute > 0)
                         THEN g.limit_by WHEN g.fair THEN 'entity' END AS turns_by) AS n
    WHERE o.workspace_id = $1 AND o.entity_type = $2 AND p.workspace_id = $1 AND p.entity_type = $2
        AND (n.max_attempts, n.lease, n.backoff_base, n.backoff_cap, n.clear_on_change, n.fair, n.notify,
             n.priorities, n.limit_by, n.records_per_minute, n.leases_per_minute)
            IS DISTINCT FROM
            (p.max_attempts, p.lease, p.backoff_base, p.backoff_cap, p.clear_on_change, p.fair, p.notify,
             p.priorities, p.limit_by, p.records_per_minute, p.leases_per_minute)";

const ONE_TURN: &str = "\
    SELECT COALESCE($3, p.fair) AND COALESCE($4, p.limit_by) = 'source'
    FROM kepler.enrichment_policies AS p WHERE p.workspace_id = $1 AND p.entity_type = $2";

/// Gives a type of record a policy, or changes it, and queues the records that there are if they are few.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.set_enrichment_policy(
    entity_type text,
    max_attempts integer DEFAULT NULL,
    lease interval DEFAULT NULL,
    backoff_base interval DEFAULT NULL,
    backoff_cap interval DEFAULT NULL,
    clear_on_change boolean DEFAULT NULL,
    fair boolean DEFAULT NULL,
    notify boolean DEFAULT NULL,
    priorities boolean DEFAULT NULL,
    limit_by text DEFAULT NULL,
    records_per_minute integer DEFAULT NULL,
    leases_per_minute integer DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT queued bigint,
    OUT remaining bigint
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn set_enrichment_policy_v2(
    entity_type: Option<String>,
    max_attempts: Option<i32>,
    lease: Option<Interval>,
    backoff_base: Option<Interval>,
    backoff_cap: Option<Interval>,
    clear_on_change: Option<bool>,
    fair: Option<bool>,
    notify: Option<bool>,
    priorities: Option<bool>,
    limit_by: Option<String>,
    records_per_minute: Option<i32>,
    leases_per_minute: Option<i32>,
    workspace_id: Option<String>,
) -> Result<Row<3>, ErrorReport> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    if max_attempts.is_some_and(|given| given < 1) {
        return Err(Error::from(EnrichmentError::NoAttempts).into());
    }
    if lease.is_some_and(|given| !(1_000..=YEAR).contains(&given.as_micros())) {
        return Err(Error::from(EnrichmentError::BadLease).into());
    }
    for (argument, given) in [("backoff_base", backoff_base), ("backoff_cap", backoff_cap)] {
        if given.is_some_and(|given| !(0..=YEAR).contains(&given.as_micros())) {
            return Err(Error::from(EnrichmentError::BadBackoff(argument)).into());
        }
    }
    for (argument, given) in
        [("records_per_minute", records_per_minute), ("leases_per_minute", leases_per_minute)]
    {
        if given.is_some_and(|given| given < 0) {
            return Err(Error::from(EnrichmentError::BadLimit(argument)).into());
        }
    }
    if let Some(given) = limit_by.clone().filter(|given| !LIMITS.contains(&given.as_str())) {
        let legal = "type, entity, source";
        return Err(ArgumentError::BadChoice { argument: "limit_by", legal, given }.into());
    }
    // Whoever may not write policies may not hold the lock.
    owner::require_right("enrichment_policies", pg_sys::ACL_INSERT)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    let (outcome, progress) = Spi::connect_mut(|client| -> Result<_, Error> {
        for _ in 0..MAX_ROUNDS {
            let outcome = {
                // What the triggers do for direct SQL is done below.
                let _own = Own::begin();
                let turns: [DatumWithOid<'_>; 4] = [
                    workspace_id.as_str().into(),
                    entity_type.as_str().into(),
                    fair.into(),
                    limit_by.clone().into(),
                ];
                let has_policy = client.select(ONE_TURN, Some(1), &turns)?;
                let both = match has_policy.is_empty() {
                    true => fair == Some(true) && limit_by.as_deref() == Some("source"),
                    false => has_policy.first().get_one::<bool>()? == Some(true),
                };
                if both {
                    return Err(EnrichmentError::TwoTurns.into());
                }
                let given: [DatumWithOid<'_>; 13] = [
                    workspace_id.as_str().into(),
                    entity_type.as_str().into(),
                    max_attempts.into(),
                    lease.into(),
                    backoff_base.into(),
                    backoff_cap.into(),
                    clear_on_change.into(),
                    fair.into(),
                    notify.into(),
                    priorities.into(),
                    limit_by.clone().into(),
                    records_per_minute.into(),
                    leases_per_minute.into(),
                ];
                if !client.update(INSERT, None, &given)?.is_empty() {
                    Outcome::Inserted
                } else if !client.update(UPDATE, None, &given)?.is_empty() {
                    Outcome::Updated
                } else {
                    Outcome::Unchanged
                }
            };
            if let Some(progress) = backlog::queue_at_once(client, &workspace_id, &entity_type) {
                return Ok((outcome, progress));
            }
            // Somebody has dropped it in between.
        }
        Err(EnrichmentError::PolicyChanged(entity_type.clone()).into())
    })?;
    Ok(Row([
        outcome.name().into_datum(),
        progress.queued.into_datum(),
        progress.remaining.into_datum(),
    ]))
}

/// Pauses the enrichment of a type: claims give nothing, and what is claimed already may be settled. Gives whether it was
/// not paused before.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where the type has no policy.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn pause_enrichment(
    entity_type: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    Ok(set_paused(entity_type, workspace_id, true)?)
}

/// Ends the pause of a type, and gives whether it was paused.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where the type has no policy.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn resume_enrichment(
    entity_type: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    Ok(set_paused(entity_type, workspace_id, false)?)
}

fn set_paused(
    entity_type: Option<String>,
    workspace_id: Option<String>,
    paused: bool,
) -> Result<bool, Error> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    Spi::connect_mut(|client| -> Result<bool, Error> {
        let _own = Own::begin();
        let changed = client.update(
            "UPDATE kepler.enrichment_policies AS p
             SET paused_at = CASE WHEN $3 THEN pg_catalog.clock_timestamp() END
             WHERE p.workspace_id = $1 AND p.entity_type = $2 AND (p.paused_at IS NULL) = $3",
            None,
            &[workspace_id.as_str().into(), entity_type.as_str().into(), paused.into()],
        )?;
        if !changed.is_empty() {
            return Ok(true);
        }
        let (workspace, kind) = (Text::new(&workspace_id), Text::new(&entity_type));
        match policy::find(client, &workspace, &kind) {
            Some(_) => Ok(false),
            None => Err(policy::missing(client, &workspace_id, &entity_type)),
        }
    })
}

/// Ends the enrichment of a type, and gives whether it had a policy. A trigger ends the leases and empties the queue, if
/// that is little, as it does for direct SQL.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn drop_enrichment_policy(
    entity_type: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    require_tables()?;
    let entity_type = name("entity_type", entity_type)?;
    let workspace_id = workspace::argument(workspace_id)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_DELETE)?;
    Ok(Spi::connect_mut(|client| -> Result<bool, Error> {
        let dropped = client.update(
            "DELETE FROM kepler.enrichment_policies AS p WHERE p.workspace_id = $1 AND p.entity_type = $2",
            None,
            &[workspace_id.as_str().into(), entity_type.as_str().into()],
        )?;
        Ok(!dropped.is_empty())
    })?)
}
