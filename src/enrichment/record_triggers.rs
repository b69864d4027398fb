//! The triggers on records that fire for Kepler's own statements too, each for what were several: Postgres parses their
//! conditions once for each statement.
//!
//! Each part says itself which columns it is about, as `UPDATE OF` would. Users' triggers between the parts of one
//! function do not exist; the first stands before users' triggers by its name, the second behind them.

use super::direct;
use super::error::EnrichmentError;
use super::failures;
use super::policy;
use super::queue;
use crate::pg::clock::now;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::row_change::{Fired, Layout, RowChange, raise};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::prelude::*;

const WORKSPACE_ID: usize = 0;
const ID: usize = 1;
const ENTITY_ID: usize = 2;
const EXTERNAL_ID: usize = 3;
const ENTITY_TYPE: usize = 4;
const SOURCE: usize = 5;
const STATUS: usize = 6;
const ENRICHMENT_STATUS: usize = 7;
const UPDATED_AT: usize = 8;
const DELETED_AT: usize = 9;
const CONTENT_HASH: usize = 10;
const DATA: usize = 11;
const ENRICHMENT: usize = 12;
const LEASE_ID: usize = 13;

const ACTIVE: usize = 0;
const UNAPPLIED: usize = 1;
const PENDING: usize = 2;
const APPLIED: usize = 3;
const FAILED: usize = 4;
const STATUSES: [(usize, &str); 4] =
    [(UNAPPLIED, "UNAPPLIED"), (PENDING, "PENDING"), (APPLIED, "APPLIED"), (FAILED, "FAILED")];

type Change = RowChange<14, 5>;

thread_local! {
    static RECORDS: Layout<14, 5> = const {
        Layout::new(
            c"records",
            [
                c"workspace_id", c"id", c"entity_id", c"external_id", c"entity_type", c"source",
                c"status", c"enrichment_status", c"updated_at", c"deleted_at", c"content_hash",
                c"data", c"enrichment", c"enrichment_lease_id",
            ],
            [
                (STATUS, c"ACTIVE"), (ENRICHMENT_STATUS, c"UNAPPLIED"),
                (ENRICHMENT_STATUS, c"PENDING"), (ENRICHMENT_STATUS, c"APPLIED"),
                (ENRICHMENT_STATUS, c"FAILED"),
            ],
        )
    };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q WHERE q.workspace_id = $1 AND q.record_id = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static QUEUE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue AS q
              (workspace_id, record_id, entity_type, fair_key, ready_at)
          SELECT p.workspace_id, $2, p.entity_type,
                 CASE p.turns_by WHEN 'entity' THEN COALESCE($4, ' ') WHEN 'source' THEN $5 END,
                 pg_catalog.clock_timestamp()
          FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $3
          ON CONFLICT (workspace_id, record_id) DO UPDATE
          SET entity_type = excluded.entity_type, fair_key = excluded.fair_key,
              ready_at = excluded.ready_at
          WHERE q.entity_type <> excluded.entity_type",
        &[pg_sys::TEXTOID; 5],
    ) };
    static RESTART: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET attempt = 0, ready_at = greatest(pg_catalog.clock_timestamp(), q.not_before),
              refusals = 0, error = NULL
          WHERE q.workspace_id = $1 AND q.record_id = $2 AND (q.attempt > 0 OR q.refusals > 0)",
        &[pg_sys::TEXTOID; 2],
    ) };
    static REKEY: Statement = const { Statement::new(
        c"UPDATE kepler.enrichment_queue AS q
          SET fair_key = CASE p.turns_by WHEN 'entity' THEN COALESCE($4, ' ') WHEN 'source' THEN $5 END
          FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $3
            AND q.workspace_id = $1 AND q.record_id = $2 AND q.entity_type = $3
            AND q.fair_key IS DISTINCT FROM
                CASE p.turns_by WHEN 'entity' THEN COALESCE($4, ' ') WHEN 'source' THEN $5 END",
        &[pg_sys::TEXTOID; 5],
    ) };
}

fn change(call: pg_sys::FunctionCallInfo) -> Change {
    RECORDS.with(|layout| RowChange::of(call, layout))
}

/// Refuses what is not to happen to a record's enrichment, and empties it where the content of an unfinished one changes.
/// Fires before users' triggers.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.check_record_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn check_record_change(call: pg_sys::FunctionCallInfo) -> Fired {
    let mut row = change(call);
    let (old, new) = (row.old(ENRICHMENT_STATUS), row.value(ENRICHMENT_STATUS));
    let was_pending = row.is(old, PENDING);
    if row.names(ENRICHMENT_STATUS) {
        // The transitions of enrichment_transitions().
        let is_legal = match () {
            () if was_pending => true,
            () if row.is(old, UNAPPLIED) => row.is(new, UNAPPLIED) || row.is(new, PENDING),
            () => {
                row.is(new, UNAPPLIED)
                    || STATUSES.iter().any(|(s, _)| row.is(old, *s) && row.is(new, *s))
            }
        };
        if !is_legal {
            let name = |value| {
                let found = STATUSES.iter().find(|(status, _)| row.is(value, *status));
                found.map_or("", |(_, name)| *name)
            };
            let (from, to) = (name(old), name(new));
            raise(EnrichmentError::Transition { id: row.text(row.old(ID)), from, to }.into());
        }
    }
    if row.names(DATA)
        && (was_pending || row.is(old, UNAPPLIED))
        && row.value(ENRICHMENT).is_some()
        && direct::fires_for_direct()
        && !row.is_same(DATA)
        && clears(&row)
    {
        row.set(ENRICHMENT, None);
    }
    if row.names(LEASE_ID)
        && was_pending
        && row.is(new, PENDING)
        && !row.is_same(LEASE_ID)
        && direct::fires_for_direct()
    {
        raise(EnrichmentError::OtherLease.into());
    }
    row.done()
}

/// Brings the rest of a record in line with what is changed. Fires behind users' triggers.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.finish_record_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn finish_record_change(call: pg_sys::FunctionCallInfo) -> Fired {
    let mut row = change(call);
    let old = row.old(ENRICHMENT_STATUS);
    let moves = row.names(DELETED_AT) || row.names(STATUS) || row.names(ENTITY_TYPE);
    // No worker holds a record that is deleted, archived or moved to another type.
    if moves
        && row.is(old, PENDING)
        && row.is(row.value(ENRICHMENT_STATUS), PENDING)
        && (row.value(DELETED_AT).is_some()
            || !row.is(row.value(STATUS), ACTIVE)
            || !row.is_same(ENTITY_TYPE))
    {
        reset(&mut row);
    }
    // New content must be enriched again, also if a client sets updated_at itself.
    if row.names(DATA)
        && (row.is(old, APPLIED) || row.is(old, FAILED))
        && row.is_same(ENRICHMENT_STATUS)
        && !row.is_same(DATA)
    {
        reset(&mut row);
    }
    // Direct SQL on a record moves its time on, where anything changed. Kepler's own statements set it.
    const TIMED: [usize; 9] = [
        ENTITY_ID,
        EXTERNAL_ID,
        ENTITY_TYPE,
        SOURCE,
        STATUS,
        ENRICHMENT_STATUS,
        DELETED_AT,
        DATA,
        ENRICHMENT,
    ];
    if row.is_same(UPDATED_AT)
        && TIMED.iter().any(|column| row.names(*column))
        && !TIMED.iter().all(|column| row.is_same(*column))
    {
        row.set(UPDATED_AT, Some(pg_sys::Datum::from(now())));
    }
    if (moves || row.names(ENRICHMENT_STATUS))
        && row.value(LEASE_ID).is_some()
        && !row.is(row.value(ENRICHMENT_STATUS), PENDING)
    {
        row.set(LEASE_ID, None);
    }
    row.knows_hash(DATA, CONTENT_HASH);
    row.done()
}

/// Keeps the queue under direct SQL, with the lock of the type before it is read. The trigger asks for direct SQL in its
/// condition.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.queue_changed_record() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn queue_changed_record(call: pg_sys::FunctionCallInfo) -> Fired {
    let row = change(call);
    let is_update = row.is_update();
    let waits = row.is(row.value(ENRICHMENT_STATUS), UNAPPLIED);
    let is_to_be_queued =
        waits && row.value(DELETED_AT).is_none() && row.is(row.value(STATUS), ACTIVE);
    let moved = is_update
        && (!row.is_same(ENRICHMENT_STATUS)
            || !row.is_same(STATUS)
            || !row.is_same(ENTITY_TYPE)
            || row.old(DELETED_AT).is_none() != row.value(DELETED_AT).is_none());
    // A record that waits for its next attempt begins again with new content. Finished records are reset.
    let restarts = is_update
        && row.names(DATA)
        && waits
        && row.is(row.old(ENRICHMENT_STATUS), UNAPPLIED)
        && !row.is_same(CONTENT_HASH);
    let changes_queue = moved || !is_update && is_to_be_queued;
    let rekeys =
        is_update && !moved && is_to_be_queued && (!row.is_same(ENTITY_ID) || !row.is_same(SOURCE));
    let failed = row.is(row.value(ENRICHMENT_STATUS), FAILED)
        || is_update && row.is(row.old(ENRICHMENT_STATUS), FAILED);
    let changes_failures = failed && (moved || !is_update);
    if !changes_queue && !restarts && !changes_failures && !rekeys {
        return row.seen();
    }
    let workspace_id = row.text(row.value(WORKSPACE_ID));
    let entity_type = row.text(row.value(ENTITY_TYPE));
    let (workspace, kind) = (Text::new(&workspace_id), Text::new(&entity_type));
    let record_id = row.text(row.value(ID));
    let id = Text::new(&record_id);
    let entity = row.value(ENTITY_ID).map(|entity| Text::new(&row.text(Some(entity))));
    let source = row.value(SOURCE).map(|source| Text::new(&row.text(Some(source))));
    let _path = own_path();
    if changes_queue || rekeys {
        policy::lock(&workspace_id, &entity_type).unwrap_or_else(|error| raise(error));
    }
    let key = [Some(workspace.datum()), Some(id.datum())];
    let named = [
        key[0],
        key[1],
        Some(kind.datum()),
        entity.as_ref().map(Text::datum),
        source.as_ref().map(Text::datum),
    ];
    Spi::connect_mut(|client| {
        if moved {
            DEQUEUE.with(|plan| plan.run(client, &key));
        }
        if changes_queue && is_to_be_queued {
            QUEUE.with(|plan| plan.run(client, &named));
        }
        if rekeys {
            REKEY.with(|plan| plan.run(client, &named));
        }
        if changes_failures {
            failures::follow(client, key[0], &[&record_id]);
        }
        if restarts {
            RESTART.with(|plan| plan.run(client, &key));
        }
    });
    row.seen()
}

/// Sends a record back to enrichment.
fn reset(row: &mut Change) {
    row.set_label(ENRICHMENT_STATUS, UNAPPLIED);
    if row.value(ENRICHMENT).is_some() && !row.is_same(DATA) && clears(row) {
        row.set(ENRICHMENT, None);
    }
}

/// Whether the policy of a record's type empties its enrichment when the content changes.
fn clears(row: &Change) -> bool {
    let workspace = Text::new(&row.text(row.value(WORKSPACE_ID)));
    let kind = Text::new(&row.text(row.value(ENTITY_TYPE)));
    let _path = own_path();
    let policy = Spi::connect_mut(|client| queue::find(client, &workspace, &kind));
    policy.is_some_and(|policy| policy.clear_on_change)
}

/// The search path of Kepler's functions. The triggers have none of their own: it would be set for each row.
fn own_path() -> LocalSettings {
    LocalSettings::set(&[(c"search_path", c"pg_catalog, pg_temp")])
}
