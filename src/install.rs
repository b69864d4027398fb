//! `kepler.install()`: creates and upgrades the tables.
//!
//! They are made by numbered files of `sql/schema`, each run once, and are no members of the
//! extension: a dump holds them whole, and `DROP EXTENSION` refuses to take them along.

use crate::error::Error;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::ffi::CStr;

/// One step of the schema. A released file is never edited; the next change is a new file.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_workspaces",
        sql: include_str!("../sql/schema/0001_workspaces.sql"),
    },
    Migration {
        version: 2,
        name: "0002_records",
        sql: include_str!("../sql/schema/0002_records.sql"),
    },
    Migration {
        version: 3,
        name: "0003_entry_tables",
        sql: include_str!("../sql/schema/0003_entry_tables.sql"),
    },
    Migration {
        version: 4,
        name: "0004_workflows",
        sql: include_str!("../sql/schema/0004_workflows.sql"),
    },
    Migration {
        version: 5,
        name: "0005_enrichment",
        sql: include_str!("../sql/schema/0005_enrichment.sql"),
    },
    Migration {
        version: 6,
        name: "0006_memory",
        sql: include_str!("../sql/schema/0006_memory.sql"),
    },
    Migration {
        version: 7,
        name: "0007_conversations",
        sql: include_str!("../sql/schema/0007_conversations.sql"),
    },
];

/// The table that notes which of them ran.
const SCHEMA_VERSIONS: &str = include_str!("../sql/schema/0000_schema_versions.sql");

/// The newest schema version that this library knows.
const LATEST: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Any number that no other advisory lock of the database uses: "kepler" and 1 in ASCII.
const INSTALL_LOCK: i64 = 0x6B65_706C_6572_0001;

/// pgvector before this version is refused.
const OLDEST_VECTOR: [u32; 3] = [0, 8, 4];

/// Fails unless the tables are there, the newest that functions touch included. Two look-ups in
/// Postgres' caches, nothing is read.
pub(crate) fn require_tables() -> Result<(), Error> {
    if relation_exists(c"messages") { Ok(()) } else { Err(Error::NotInstalled) }
}

/// The same check for functions in SQL, before a query on a missing table fails without a hint.
#[pg_extern(stable, parallel_safe)]
fn _require_tables() -> Result<(), ErrorReport> {
    Ok(require_tables()?)
}

fn relation_exists(name: &CStr) -> bool {
    // SAFETY: plain look-ups by name; neither raises where nothing is found.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(c"kepler".as_ptr(), true);
        namespace != pg_sys::InvalidOid
            && pg_sys::get_relname_relid(name.as_ptr(), namespace) != pg_sys::InvalidOid
    }
}

/// Creates Kepler's tables, or brings them to this library's version, in one transaction.
///
/// Gives a row for each step of the schema: its number, its name, and whether this call ran it
/// (`applied`) or an earlier one had (`present`). Refuses (55P03) while another session does the
/// same, where the tables are newer than the library (55000), and where the database cannot hold
/// them (0A000).
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn install() -> Result<
    TableIterator<
        'static,
        (name!(version, i32), name!(name, &'static str), name!(result, &'static str)),
    >,
    ErrorReport,
> {
    let done = run_pending()?;
    Ok(TableIterator::new(MIGRATIONS.iter().map(move |step| {
        let result = if step.version > done { "applied" } else { "present" };
        (step.version, step.name, result)
    })))
}

/// The newest schema version that this library knows; `install()` brings the tables there.
#[pg_extern(immutable, parallel_safe)]
fn _latest_schema_version() -> i32 {
    LATEST
}

/// Runs what is pending; gives the version that was there before.
fn run_pending() -> Result<i32, Error> {
    Spi::connect_mut(|client| {
        let locked = client
            .update(
                "SELECT pg_catalog.pg_try_advisory_xact_lock($1)",
                None,
                &[INSTALL_LOCK.into()],
            )?
            .first()
            .get_one::<bool>()?;
        if locked != Some(true) {
            return Err(Error::InstallRunning);
        }
        check_database(client)?;
        if !relation_exists(c"schema_versions") {
            client.update(SCHEMA_VERSIONS, None, &[])?;
        }
        let found = client
            .update("SELECT pg_catalog.max(version) FROM kepler.schema_versions", None, &[])?
            .first()
            .get_one::<i32>()?
            .unwrap_or(0);
        if found > LATEST {
            return Err(Error::SchemaTooNew { found, known: LATEST });
        }
        for step in MIGRATIONS.iter().filter(|step| step.version > found) {
            client.update(step.sql, None, &[])?;
            client.update(
                "INSERT INTO kepler.schema_versions (version, name, library_version)
                 VALUES ($1, $2, $3)",
                None,
                &[step.version.into(), step.name.into(), env!("CARGO_PKG_VERSION").into()],
            )?;
        }
        Ok(found)
    })
}

fn check_database(client: &mut pgrx::spi::SpiClient<'_>) -> Result<(), Error> {
    let row = client
        .update(
            "SELECT pg_catalog.current_setting('server_encoding'),
                    (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector')",
            None,
            &[],
        )?
        .first();
    let (encoding, vector) = row.get_two::<String, String>()?;
    if let Some(encoding) = encoding.filter(|name| name != "UTF8") {
        return Err(Error::Encoding(encoding));
    }
    if let Some(found) = vector.filter(|text| older(text, &OLDEST_VECTOR)) {
        return Err(Error::VectorTooOld { found });
    }
    Ok(())
}

/// Whether a dotted version comes before `oldest`.
fn older(version: &str, oldest: &[u32]) -> bool {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    parts.as_slice() < oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_versions_by_number() {
        for (version, is_older) in
            [("0.8.3", true), ("0.8.4", false), ("0.8.10", false), ("0.10", false), ("1.0", false)]
        {
            assert_eq!(older(version, &OLDEST_VECTOR), is_older, "{version}");
        }
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (at, step) in MIGRATIONS.iter().enumerate() {
            assert_eq!(step.version as usize, at + 1);
            assert!(step.name.starts_with(&format!("{:04}_", step.version)));
        }
    }
}
