//! `kepler.install()`: creates and upgrades the tables.
//!
//! They are made by numbered files of `sql/schema`, each run once, and are no members of the
//! extension: a dump holds them whole, and `DROP EXTENSION` refuses to take them along.

use crate::access::error::AccessError;
use crate::access::owner::{INSTALLED, Owner};
use crate::access::{grant, inbox, level, statistics};
use crate::error::{Error, Report};
use crate::pg::cluster::{self, nodes, part};
use crate::pg::encoding::require_utf8;
use crate::pg::local_settings::LocalSettings;
use crate::pg::whole::Spi;
use crate::pg::{advisory, relation, role, versions};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

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
    Migration {
        version: 8,
        name: "0008_access",
        sql: include_str!("../sql/schema/0008_access.sql"),
    },
    Migration { version: 9, name: "0009_sync", sql: include_str!("../sql/schema/0009_sync.sql") },
    Migration { version: 10, name: "0010_feed", sql: include_str!("../sql/schema/0010_feed.sql") },
    Migration {
        version: 11,
        name: "0011_inbox",
        sql: include_str!("../sql/schema/0011_inbox.sql"),
    },
    Migration {
        version: 12,
        name: "0012_blueprints",
        sql: include_str!("../sql/schema/0012_blueprints.sql"),
    },
    Migration {
        version: 13,
        name: "0013_history",
        sql: include_str!("../sql/schema/0013_history.sql"),
    },
    Migration {
        version: 14,
        name: "0014_retention",
        sql: include_str!("../sql/schema/0014_retention.sql"),
    },
    Migration {
        version: 15,
        name: "0015_maintenance",
        sql: include_str!("../sql/schema/0015_maintenance.sql"),
    },
    Migration {
        version: 16,
        name: "0016_workflows",
        sql: include_str!("../sql/schema/0016_workflows.sql"),
    },
    Migration {
        version: 17,
        name: "0017_enrichment",
        sql: include_str!("../sql/schema/0017_enrichment.sql"),
    },
    Migration {
        version: 18,
        name: "0018_observability",
        sql: include_str!("../sql/schema/0018_observability.sql"),
    },
    Migration {
        version: 19,
        name: "0019_entry_tables",
        sql: include_str!("../sql/schema/0019_entry_tables.sql"),
    },
    Migration {
        version: 20,
        name: "0020_languages",
        sql: include_str!("../sql/schema/0020_languages.sql"),
    },
    Migration {
        version: 21,
        name: "0021_memory_store",
        sql: include_str!("../sql/schema/0021_memory_store.sql"),
    },
    Migration {
        version: 22,
        name: "0022_search_width",
        sql: include_str!("../sql/schema/0022_search_width.sql"),
    },
    Migration {
        version: 23,
        name: "0023_metadata_of_workspaces",
        sql: include_str!("../sql/schema/0023_metadata_of_workspaces.sql"),
    },
    Migration {
        version: 24,
        name: "0024_adopted",
        sql: include_str!("../sql/schema/0024_adopted.sql"),
    },
];

/// The table that notes which of them ran.
const SCHEMA_VERSIONS: &str = include_str!("../sql/schema/0000_schema_versions.sql");

/// The newest schema version that this library knows.
pub(crate) const LATEST: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Says what the tables of this library are; once, when it is loaded.
pub(crate) fn register() {
    versions::expect(LATEST);
}

/// The version of this library.
const LIBRARY: &str = env!("CARGO_PKG_VERSION");

/// Who installs holds it, to the end of the transaction.
pub(crate) const INSTALL_LOCK: &str = "kepler install";

/// pgvector before this version is refused.
const OLDEST_VECTOR: [u32; 3] = [0, 8, 4];

/// What keeps the tables from being made, or taken away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("another session is running kepler.install() or kepler.uninstall()")]
    Running,
    #[error("Kepler's tables have schema version {found}, but this library knows only {LATEST}")]
    SchemaTooNew { found: i32 },
    #[error("the extension is of version {found}, and the library is of version {LIBRARY}")]
    OtherExtension { found: String },
    #[error("pgvector {found} is too old for Kepler")]
    VectorTooOld { found: String },
}

impl Report for InstallError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Running => PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            Self::SchemaTooNew { .. } | Self::OtherExtension { .. } => {
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Self::VectorTooOld { .. } => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Running => "Wait for it to end, then try again.",
                Self::SchemaTooNew { .. } => {
                    "Install the newer library, then ALTER EXTENSION kepler UPDATE;"
                }
                // The tables would call functions that are not there.
                Self::OtherExtension { found } if older(found, &parts(LIBRARY)) => {
                    "ALTER EXTENSION kepler UPDATE; SELECT kepler.install();"
                }
                Self::OtherExtension { .. } => "Begin a new session: it loads the newer library.",
                Self::VectorTooOld { .. } => {
                    "Version 0.8.4 is the first without known corruption of indexes: \
                     ALTER EXTENSION vector UPDATE;"
                }
            }
            .to_owned(),
        )
    }
}

/// Creates Kepler's tables, or brings them to this library's version, in one transaction.
///
/// The tables belong to whoever calls it first. Later calls act as that role, whoever calls: with no more
/// rights than the tables' owner has, whatever became of the tables meanwhile.
///
/// Gives a row for each step of the schema: its number, its name, and whether this call ran it
/// (`applied`) or an earlier one had (`unchanged`). Refuses (55P03) while another session does the
/// same, where the tables are newer than the library (55000), where the database cannot hold
/// them (0A000), and where the schema, or what is in it, belongs to somebody else (42501, 55000).
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn install() -> Result<
    TableIterator<
        'static,
        (name!(version, i32), name!(name, &'static str), name!(outcome, &'static str)),
    >,
    ErrorReport,
> {
    let done = run_pending()?;
    Ok(TableIterator::new(MIGRATIONS.iter().map(move |step| {
        let outcome = if step.version > done { "applied" } else { "unchanged" };
        (step.version, step.name, outcome)
    })))
}

/// The newest schema version that this library knows; `install()` brings the tables there.
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
fn latest_schema_version() -> i32 {
    LATEST
}

/// Runs what is pending; gives the version that was there before.
fn run_pending() -> Result<i32, Error> {
    if !advisory::try_lock(INSTALL_LOCK) {
        return Err(InstallError::Running.into());
    }
    Spi::connect_mut(|client| {
        check_database(client)?;
        check_extension()?;
        let installed = relation::named(c"kepler", c"schema_versions");
        let owner = match installed {
            Some(table) => relation::owner(table),
            None => role::current(),
        };
        check_schemas(client, owner, installed.is_none())?;
        if installed.is_some() {
            let owner = Owner::of(owner);
            owner.require_caller("change Kepler's tables")?;
            check_tables(client, owner)?;
            owner.require_own_code(client, INSTALLED)?;
        }
        // Functions that the steps call work on tables that are on their way.
        let _installing = versions::Installing::begin();
        let is_distributed = part::is_distributed();
        // What is made here is this node's, until it is distributed.
        // What is distributed is changed part by part, since several of its tables are.
        let _for_itself = cluster::is_loaded().then(|| {
            LocalSettings::set(&[if is_distributed {
                (c"citus.multi_shard_modify_mode", c"sequential")
            } else {
                (c"citus.enable_ddl_propagation", c"off")
            }])
        });
        // Each node has seen to its own list.
        let _told = nodes::Told::begin();
        // From here on with the rights of the owner alone, also for a superuser.
        let acting = Owner::of(owner).act();
        let found = match installed {
            Some(_) => installed_version(client)?,
            None => {
                client.update(SCHEMA_VERSIONS, None, &[])?;
                0
            }
        };
        if found > LATEST {
            return Err(InstallError::SchemaTooNew { found }.into());
        }
        for step in MIGRATIONS.iter().filter(|step| step.version > found) {
            client.update(step.sql, None, &[])?;
            client.update(
                "INSERT INTO kepler.schema_versions (version, name, library_version)
                 VALUES ($1, $2, $3)",
                None,
                &[step.version.into(), step.name.into(), LIBRARY.into()],
            )?;
        }
        drop(acting);
        if !is_distributed {
            inbox::guard(client, Owner::of(owner), false)?;
        }
        grant::share_with_monitor(client, Owner::of(owner))?;
        grant::share_anew(client, Owner::of(owner))?;
        if is_distributed && found < LATEST {
            client.update("SELECT kepler.distribute()", None, &[])?;
        }
        warn_of_server(client)?;
        Ok(found)
    })
}

fn warn_of_server(client: &mut SpiClient<'_>) -> Result<(), Error> {
    let version = client
        .update("SELECT pg_catalog.current_setting('server_version_num')::integer", None, &[])?
        .first()
        .get_one::<i32>()?;
    if let Some(text) = version.and_then(statistics::warning) {
        pgrx::warning!("{text}");
    }
    Ok(())
}

pub(crate) fn installed_version(client: &mut SpiClient<'_>) -> Result<i32, Error> {
    let version = client
        .update("SELECT pg_catalog.max(version) FROM kepler.schema_versions", None, &[])?
        .first()
        .get_one::<i32>()?;
    Ok(version.unwrap_or(0))
}

/// Whoever owns a schema can drop and replace what is in it, and what lies there already may be a trap. The
/// schemas of the functions belong to whoever created the extension, that of entry tables to the owner of the
/// tables, or they belong to a superuser; and so does all that is in them.
fn check_schemas(
    client: &mut SpiClient<'_>,
    owner: pg_sys::Oid,
    is_first: bool,
) -> Result<(), Error> {
    let extension = grant::extension_owner(client)?.unwrap_or(owner);
    for schema in ["kepler", "kepler_internal", "kepler_data"] {
        let found = client
            .update(
                "SELECT n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1",
                None,
                &[schema.into()],
            )?
            .next()
            .map(|row| row[1].value::<pg_sys::Oid>())
            .transpose()?
            .flatten();
        let Some(schema_owner) = found else { continue };
        // Functions are called by name: whoever made another of the same name would be called.
        let trusted = if schema == "kepler_data" { owner } else { extension };
        if schema_owner != trusted && !role::is_superuser(schema_owner) {
            let (owner, trusted) = (role::name(schema_owner), role::name(trusted));
            return Err(AccessError::ForeignSchema { schema, owner, trusted }.into());
        }
        let foreign = client
            .update(FOREIGN_OBJECT, None, &[schema.into(), owner.into(), is_first.into()])?
            .next()
            .map(|row| Ok::<_, Error>((row[1].value::<String>()?, row[2].value::<String>()?)))
            .transpose()?;
        if let Some((Some(object), Some(owner))) = foreign {
            return Err(AccessError::ForeignObject { schema, object, owner }.into());
        }
    }
    Ok(())
}

/// What is in schema $1 and neither came with the extension nor belongs to a superuser; nor, as far as it is no
/// function and no operator, to role $2. Where $3, before the first step, whosever it is.
const FOREIGN_OBJECT: &str = "
    SELECT pg_catalog.pg_describe_object(o.class, o.id, 0), pg_catalog.pg_get_userbyid(o.owner)::text
    FROM (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, c.oid, c.relowner, c.relnamespace
        FROM pg_catalog.pg_class AS c WHERE c.relkind NOT IN ('i', 'I', 't', 'c')
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype, c.relowner, c.relnamespace
        FROM pg_catalog.pg_class AS c WHERE c.relkind = 'c'
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proowner, p.pronamespace
        FROM pg_catalog.pg_proc AS p
        UNION ALL
        SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, r.oid, r.oprowner, r.oprnamespace
        FROM pg_catalog.pg_operator AS r
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typowner, t.typnamespace
        FROM pg_catalog.pg_type AS t WHERE t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0
    ) AS o (class, id, owner, namespace)
    WHERE o.namespace = pg_catalog.to_regnamespace($1)::oid
        AND ($3 OR (
            (o.owner <> $2 OR o.class IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                'pg_catalog.pg_operator'::pg_catalog.regclass))
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_roles AS s WHERE s.oid = o.owner AND s.rolsuper)))
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
            WHERE d.classid = o.class AND d.objid = o.id AND d.deptype = 'e'
                AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
    ORDER BY 1 LIMIT 1";

/// Every table of Kepler's is a plain one of the owner, and no view that took its place.
fn check_tables(client: &mut SpiClient<'_>, owner: Owner) -> Result<(), Error> {
    let names: Vec<&str> = level::relations().filter(|name| !level::is_view(name)).collect();
    let replaced = client
        .update(
            "SELECT c.relname::text FROM pg_catalog.pg_class AS c
             WHERE c.relnamespace = 'kepler'::pg_catalog.regnamespace AND c.relname::text = ANY ($1)
                 AND (c.relkind NOT IN ('r', 'p', 'S') OR c.relowner <> $2)
             ORDER BY c.relname LIMIT 1",
            None,
            &[names.into(), owner.role().into()],
        )?
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    match replaced {
        None => Ok(()),
        Some(name) => {
            let (table, owner) = (format!("kepler.{name}"), owner.name());
            Err(AccessError::NotPlain { table, owner }.into())
        }
    }
}

/// The steps use the functions of this version.
fn check_extension() -> Result<(), Error> {
    match versions::of_extension().filter(|found| found != LIBRARY) {
        Some(found) => Err(InstallError::OtherExtension { found }.into()),
        None => Ok(()),
    }
}

fn check_database(client: &mut SpiClient<'_>) -> Result<(), Error> {
    require_utf8()?;
    let query = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector'";
    let vector = client.update(query, None, &[])?.first().get_one::<String>()?;
    if let Some(found) = vector.filter(|text| older(text, &OLDEST_VECTOR)) {
        return Err(InstallError::VectorTooOld { found }.into());
    }
    Ok(())
}

/// Whether a dotted version comes before `oldest`.
fn older(version: &str, oldest: &[u32]) -> bool {
    parts(version).as_slice() < oldest
}

fn parts(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
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
