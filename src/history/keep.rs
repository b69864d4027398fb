//! What the owner of Kepler's tables does with the history: making partitions, sealing, looking for breaks, redacting.
//!
//! The work is SQL, done as the owner. Nobody changes a row of the history by a statement of theirs, the owner neither:
//! triggers refuse it but while a redaction runs.

use crate::error::{Error, Report};
use crate::feed::epoch::{self, Epochs};
use crate::feed::track::require_owner;
use crate::pg::trigger::Nothing;
use crate::pg::whole::Spi;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;
use sha2::{Digest, Sha256};
use std::cell::Cell;

thread_local! {
    static REDACTING: Cell<bool> = const { Cell::new(false) };
}

/// A statement would change the history.
#[derive(Debug, thiserror::Error)]
#[error("rows of {table} are never changed or deleted")]
struct NeverChanged {
    table: String,
}

impl Report for NeverChanged {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        Some("What a law wants gone is redacted, which the chain of seals tells.".to_owned())
    }
}

/// Refuses a statement that changes the history.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.refuse_history_change() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn refuse_history_change(trigger: &PgTrigger<'_>) -> Nothing {
    let name = |part: Result<String, PgTriggerError>| part.unwrap_or_default();
    let (schema, table) = (name(trigger.table_schema()), name(trigger.table_name()));
    if schema != "kepler" || !table.starts_with("history") {
        crate::pg::trigger::require_table(trigger, c"history");
    }
    if !REDACTING.get() {
        let table = format!("{schema}.{table}");
        crate::pg::trigger::raise(Err(NeverChanged { table }.into()));
    }
    Ok(None)
}

/// Lets a redaction through, as long as it lives.
struct Redacting;

impl Redacting {
    fn begin() -> Self {
        REDACTING.set(true);
        Self
    }
}

impl Drop for Redacting {
    fn drop(&mut self) {
        REDACTING.set(false);
    }
}

/// Makes partitions ahead, and gives whether any was made.
pub(super) fn make_partitions() -> Result<bool, Error> {
    let owner = require_owner("keep up the history")?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let made = client.update(
            "SELECT kepler_internal.make_partitions('history', 'month', 2) > 0",
            None,
            &[],
        )?;
        Ok(made.first().get_one::<bool>()?.unwrap_or(false))
    })
}

/// Seals some rows, and gives whether there are more.
pub(super) fn seal_step() -> Result<bool, Error> {
    let owner = require_owner("seal the history")?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let (epoch, _) = Epochs::read(client).counted();
        let sealed =
            client.update("SELECT kepler_internal.seal_changes($1)", None, &[epoch.into()])?;
        Ok(sealed.first().get_one::<bool>()?.unwrap_or(false))
    })
}

/// The anchor of the last seal; on the coordinator of a cluster those of all nodes, which seal what is left.
pub(super) fn anchor() -> Result<Option<String>, Error> {
    let owner = require_owner("seal the history")?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let anchor = client.update(
            "SELECT kepler_internal.seal_history_of_nodes(kepler_internal.last_anchor())",
            None,
            &[],
        )?;
        Ok(anchor.first().get_one::<String>()?)
    })
}

/// What is told of the chain.
pub(super) struct Verified {
    pub(super) outcome: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) seals: Option<i64>,
    pub(super) sealed_rows: Option<i64>,
    pub(super) redacted_rows: Option<i64>,
    pub(super) broken_at: Option<TimestampWithTimeZone>,
}

/// Compares what is there with the chain.
pub(super) fn verify(anchor: Option<String>, after: Option<String>) -> Result<Verified, Error> {
    let owner = require_owner("verify the history")?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        let row = client
            .update(
                "SELECT c.outcome, c.problem, c.seals, c.sealed_rows, c.redacted_rows, c.broken_at
                 FROM kepler_internal.verify_history_of_nodes($1, $2) AS c",
                None,
                &[anchor.into(), after.into()],
            )?
            .first();
        Ok(Verified {
            outcome: row.get(1)?,
            problem: row.get(2)?,
            seals: row.get(3)?,
            sealed_rows: row.get(4)?,
            redacted_rows: row.get(5)?,
            broken_at: row.get(6)?,
        })
    })
}

/// Which rows are redacted.
pub(super) struct Redaction {
    pub(super) workspace: Option<String>,
    /// NULL: all of the workspace.
    pub(super) table: Option<String>,
    pub(super) row_ids: Option<Vec<Option<String>>>,
    /// Whose transactions.
    pub(super) actor: Option<String>,
    pub(super) reason: String,
    pub(super) max_rows: i32,
}

/// Takes values, keys and names out of rows; their hashes stay. Gives how many rows it were.
pub(super) fn redact(redaction: Redaction) -> Result<i64, Error> {
    let owner = require_owner("redact the history")?;
    // SAFETY: the transaction is about to write.
    let epoch = epoch::of_writer(unsafe { pg_sys::GetTopFullTransactionId().value })?;
    let _owner = owner.act();
    let _redacting = Redacting::begin();
    Spi::connect_mut(|client| {
        let redacted = client.update(
            "SELECT kepler_internal.redact_changes($1, $2, $3, $4, $5, $6, $7)",
            None,
            &[
                redaction.workspace.into(),
                redaction.table.into(),
                redaction.row_ids.into(),
                redaction.actor.into(),
                redaction.reason.into(),
                redaction.max_rows.into(),
                epoch.into(),
            ],
        )?;
        Ok(redacted.first().get_one::<i64>()?.unwrap_or_default())
    })
}

/// A hash of what may be redacted of a row. The parts have lengths before them: none can be taken for another.
#[pg_extern(
    schema = "kepler_internal",
    immutable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler_internal.content_hash(VARIADIC parts text[]) RETURNS bytea
IMMUTABLE PARALLEL SAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn content_hash(parts: Option<pgrx::Array<'_, &str>>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts.iter().flat_map(pgrx::Array::iter) {
        match part {
            Some(text) => {
                hash.update(format!("{}:", text.len()));
                hash.update(text);
            }
            None => hash.update("-"),
        }
    }
    hash.finalize().to_vec()
}
