//! `set_enrichment_policy` and `drop_enrichment_policy`. Both hold the type's lock for themselves alone: whoever has
//! read that there is no policy must end before the backlog is looked for.

use super::backlog;
use super::direct::Own;
use super::error::EnrichmentError;
use super::policy;
use crate::access::owner;
use crate::arguments::name;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const YEAR: i128 = 365 * 86_400_000_000;

/// Gives a type of record a policy, or changes it, and gives how many records that queued.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[allow(clippy::too_many_arguments)]
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn set_enrichment_policy(
    entity_type: Option<String>,
    max_attempts: default!(Option<i32>, "NULL"),
    lease: default!(Option<Interval>, "NULL"),
    backoff_base: default!(Option<Interval>, "NULL"),
    backoff_cap: default!(Option<Interval>, "NULL"),
    clear_on_change: default!(Option<bool>, "NULL"),
    fair: default!(Option<bool>, "NULL"),
    notify: default!(Option<bool>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<i64, ErrorReport> {
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
    // Whoever may not write policies may not hold the lock.
    owner::require_right("enrichment_policies", pg_sys::ACL_INSERT)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    Ok(Spi::connect_mut(|client| -> Result<i64, Error> {
        policy::lock(&workspace_id, &entity_type, true);
        let is_fair = {
            // What the trigger does for direct SQL is done below.
            let _own = Own::begin();
            client
                .update(
                    "INSERT INTO kepler.enrichment_policies AS p (workspace_id, entity_type, max_attempts, lease,
                         backoff_base, backoff_cap, clear_on_change, fair, notify)
                     VALUES ($1, $2, COALESCE($3, 5), COALESCE($4, '5 minutes'), COALESCE($5, '10 seconds'),
                         COALESCE($6, '1 hour'), COALESCE($7, false), COALESCE($8, false), COALESCE($9, false))
                     ON CONFLICT (workspace_id, entity_type) DO UPDATE SET
                         max_attempts = COALESCE($3, p.max_attempts), lease = COALESCE($4, p.lease),
                         backoff_base = COALESCE($5, p.backoff_base), backoff_cap = COALESCE($6, p.backoff_cap),
                         clear_on_change = COALESCE($7, p.clear_on_change), fair = COALESCE($8, p.fair),
                         notify = COALESCE($9, p.notify)
                     RETURNING p.fair",
                    None,
                    &[
                        workspace_id.as_str().into(),
                        entity_type.as_str().into(),
                        max_attempts.into(),
                        lease.into(),
                        backoff_base.into(),
                        backoff_cap.into(),
                        clear_on_change.into(),
                        fair.into(),
                        notify.into(),
                    ],
                )?
                .next()
                .map(|row| row[1].value::<bool>())
                .transpose()?
                .flatten()
        };
        let is_fair = is_fair == Some(true);
        backlog::set_fair_keys(client, &workspace_id, &entity_type, is_fair)?;
        backlog::queue(client, &workspace_id, &entity_type, is_fair)
    })?)
}

/// Ends the enrichment of a type, and gives whether it had a policy. A trigger ends the leases and empties the queue,
/// as it does for direct SQL.
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
        policy::lock(&workspace_id, &entity_type, true);
        let dropped = client.update(
            "DELETE FROM kepler.enrichment_policies AS p WHERE p.workspace_id = $1 AND p.entity_type = $2",
            None,
            &[workspace_id.as_str().into(), entity_type.as_str().into()],
        )?;
        Ok(!dropped.is_empty())
    })?)
}
