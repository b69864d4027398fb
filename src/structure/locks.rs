//! Waits for locks on tables, as their owner: in short attempts, so that nobody queues behind one that waits.

use super::step::Lock;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::qualified;
use crate::pg::local_settings::LocalSettings;
use pgrx::spi::SpiClient;
use std::ffi::CString;

/// How long and how often a lock is tried for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) lock_timeout_ms: i32,
    pub(crate) attempts: i32,
}

impl Patience {
    /// While the result lives, any other wait for a lock takes no longer than all attempts together:
    /// reading the catalog waits for whoever is changing the table.
    pub(crate) fn bound(self) -> LocalSettings {
        let milliseconds = self.lock_timeout_ms.saturating_mul(self.attempts).to_string();
        let milliseconds = CString::new(milliseconds).unwrap_or_default();
        LocalSettings::set(&[(c"lock_timeout", milliseconds.as_c_str())])
    }
}

/// Waits for locks on tables, given by schema and name. What was renamed or dropped since it was looked up is passed over:
/// whoever waits for locks looks again when it has them, and says what is missing.
pub(crate) fn lock_tables(
    client: &mut SpiClient<'_>,
    owner: Owner,
    tables: &[(String, String, Lock)],
    patience: Patience,
) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let relations: Vec<String> =
        tables.iter().map(|(schema, table, _)| qualified(schema, table)).collect();
    let modes: Vec<&str> = tables.iter().map(|(_, _, lock)| lock.name()).collect();
    let _owner = owner.act();
    client.update(
        "SELECT kepler_internal.lock_relations(
             pg_catalog.array_agg(r.relation ORDER BY r.place),
             pg_catalog.array_agg(r.mode ORDER BY r.place), $3, $4)
         FROM (SELECT pg_catalog.to_regclass(t.name) AS relation, t.mode, t.place
               FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))
                   WITH ORDINALITY AS t (name, mode, place)) AS r
         WHERE r.relation IS NOT NULL
         HAVING pg_catalog.count(*) > 0",
        None,
        &[
            relations.into(),
            modes.into(),
            patience.lock_timeout_ms.into(),
            patience.attempts.into(),
        ],
    )?;
    Ok(())
}
