//! What planning and running need of the database: the table as it is, and the locks on it.

use super::catalog;
use super::ddl::Dialect;
use super::error::StructureError;
use super::facts::Facts;
use super::locks::{self, Patience};
use super::observe::{Observed, Reading, observe};
use super::registry::SCHEMA;
use super::step::{Lock, Step};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

thread_local! {
    // What is changed is the table as it is, not as an older snapshot has it.
    static FACTS: Statement = const { Statement::new(
        c"SELECT kepler_internal.table_facts(c.oid::pg_catalog.regclass)::text
          FROM pg_catalog.pg_class AS c
          WHERE c.relname = $1::name AND c.relkind = 'r'
              AND c.relnamespace = pg_catalog.to_regnamespace($2)",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// What the generated SQL needs to know of this database.
pub(crate) fn dialect(client: &SpiClient<'_>) -> Result<Dialect, Error> {
    let vector_schema = client
        .select(
            "SELECT n.nspname::text FROM pg_catalog.pg_extension AS e
             JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
             WHERE e.extname = 'vector'",
            None,
            &[],
        )?
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    Ok(Dialect { vector_schema: vector_schema.unwrap_or_else(|| "public".to_owned()) })
}

/// What the catalog says of an entry table.
pub(crate) fn observe_entry_table(
    client: &SpiClient<'_>,
    table_name: &str,
) -> Result<Observed, Error> {
    let (name, schema) = (Text::new(table_name), Text::new(SCHEMA));
    let rows = FACTS.with(|statement| {
        statement.run_latest(client, &[Some(name.datum()), Some(schema.datum())])
    });
    let facts = rows
        .iter::<1>()
        .next()
        .and_then(|row| row.text(0).map(str::to_owned))
        .ok_or_else(|| StructureError::TableGone(table_name.to_owned()))?;
    let mut facts = Facts::read(&facts)?;
    catalog::add_dependents(client, std::slice::from_mut(&mut facts))?;
    Ok(observe(&facts, Reading::Structure))
}

/// Waits for the locks that the steps take on an entry table and on those that it refers to, in short
/// attempts.
pub(crate) fn lock(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    table_name: &str,
    steps: &[Step],
    referred: Vec<(String, Lock)>,
    patience: Patience,
) -> Result<(), Error> {
    let Some(mode) = steps.iter().map(|step| step.lock).max() else { return Ok(()) };
    let mut tables = vec![(table_name.to_owned(), mode)];
    tables.extend(referred);
    lock_entry_tables(client, workspace_id, &tables, patience)
}

/// The same for entry tables and modes that are known.
pub(crate) fn lock_entry_tables(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    tables: &[(String, Lock)],
    patience: Patience,
) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let owner = Owner::find()?;
    require_own(client, workspace_id, tables, owner.role())?;
    let tables: Vec<_> =
        tables.iter().map(|(table, mode)| (SCHEMA.to_owned(), table.clone(), *mode)).collect();
    locks::lock_tables(client, owner, &tables, patience)
}

/// Who writes to the list of entry tables could name any table there, and have it changed with the
/// owner's rights: the table itself says whose it is.
fn require_own(
    client: &SpiClient<'_>,
    workspace_id: &str,
    tables: &[(String, Lock)],
    owner: pg_sys::Oid,
) -> Result<(), Error> {
    let names: Vec<&str> = tables.iter().map(|(table, _)| table.as_str()).collect();
    let foreign = client
        .select(
            "SELECT kepler_internal.foreign_table($1, $2, $3)",
            None,
            &[workspace_id.into(), names.into(), owner.into()],
        )?
        .first()
        .get_one::<String>()?;
    match foreign {
        Some(table) => {
            Err(StructureError::Foreign { table, workspace: workspace_id.to_owned() }.into())
        }
        None => Ok(()),
    }
}
