//! `set_enrichment_policy` and `drop_enrichment_policy`.

use super::backlog;
use super::direct::Own;
use super::error::EnrichmentError;
use crate::access::owner;
use crate::answer::Outcome;
use crate::arguments::name;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::datum::{DatumWithOid, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const YEAR: i128 = 365 * 86_400_000_000;

/// So often may the policy be dropped under a call.
const MAX_ROUNDS: usize = 5;

const INSERT: &str = "\
    INSERT INTO kepler.enrichment_policies AS p (workspace_id, entity_type, max_attempts, lease,
        backoff_base, backoff_cap, clear_on_change, fair, notify)
    VALUES ($1, $2, COALESCE($3, 5), COALESCE($4, '5 minutes'), COALESCE($5, '10 seconds'),
        COALESCE($6, '1 hour'), COALESCE($7, false), COALESCE($8, false), COALESCE($9, false))
    ON CONFLICT (workspace_id, entity_type) DO NOTHING";

// Locks nothing but the row, and reads nothing else.
const UPDATE: &str = "\
    UPDATE kepler.enrichment_policies AS p
    SET max_attempts = COALESCE($3, p.max_attempts), lease = COALESCE($4, p.lease),
        backoff_base = COALESCE($5, p.backoff_base), backoff_cap = COALESCE($6, p.backoff_cap),
        clear_on_change = COALESCE($7, p.clear_on_change), fair = COALESCE($8, p.fair),
        notify = COALESCE($9, p.notify),
        fair_keys_after = CASE WHEN COALESCE($8, p.fair) = p.fair THEN p.fair_keys_after
                               WHEN $8 THEN '' END
    WHERE p.workspace_id = $1 AND p.entity_type = $2
        AND (COALESCE($3 <> p.max_attempts, false) OR COALESCE($4 <> p.lease, false)
            OR COALESCE($5 <> p.backoff_base, false) OR COALESCE($6 <> p.backoff_cap, false)
            OR COALESCE($7 <> p.clear_on_change, false) OR COALESCE($8 <> p.fair, false)
            OR COALESCE($9 <> p.notify, false))";

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
fn set_enrichment_policy(
    entity_type: Option<String>,
    max_attempts: Option<i32>,
    lease: Option<Interval>,
    backoff_base: Option<Interval>,
    backoff_cap: Option<Interval>,
    clear_on_change: Option<bool>,
    fair: Option<bool>,
    notify: Option<bool>,
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
    // Whoever may not write policies may not hold the lock.
    owner::require_right("enrichment_policies", pg_sys::ACL_INSERT)?;
    owner::require_right("enrichment_policies", pg_sys::ACL_UPDATE)?;
    let (outcome, progress) = Spi::connect_mut(|client| -> Result<_, Error> {
        for _ in 0..MAX_ROUNDS {
            let outcome = {
                // What the triggers do for direct SQL is done below.
                let _own = Own::begin();
                let given: [DatumWithOid<'_>; 9] = [
                    workspace_id.as_str().into(),
                    entity_type.as_str().into(),
                    max_attempts.into(),
                    lease.into(),
                    backoff_base.into(),
                    backoff_cap.into(),
                    clear_on_change.into(),
                    fair.into(),
                    notify.into(),
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
