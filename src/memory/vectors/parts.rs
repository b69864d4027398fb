//! The tables behind a table: its partitions, and what inherits from it.
//!
//! Each has indexes of its own, and is searched by itself, by the rule that holds for one table: where
//! the indexes of all of them are merged, one that runs dry is silent, and farther rows of the others
//! take the place of its nearer ones.
//!
//! The right to read a table is the right to read its rows in all of its parts, as in any query. So a
//! part that the caller may not name is read as its owner, once Postgres has let the caller read the
//! whole. Under row security, whose policies are those of the table that a query names, there are no parts.

use crate::memory::error::MemoryError;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::relation::table_name;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    // And whether there is code of anybody's that the planner runs: it works out what it can of indexes' expressions and
    // conditions, of checks, and of what partitions are made by. Those may be the choice of the whole's owner.
    static PARTS: Statement = const { Statement::new(
        c"SELECT c.oid, c.relkind::text, c.reltuples::float8, c.relpages, c.relowner,
                 pg_catalog.has_table_privilege(c.oid, 'SELECT')
                     AND NOT pg_catalog.row_security_active(c.oid),
                 c.relrowsecurity AND c.relforcerowsecurity, EXISTS (
                     SELECT FROM pg_catalog.pg_depend AS d
                     WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                             'pg_catalog.pg_operator'::pg_catalog.regclass,
                             'pg_catalog.pg_type'::pg_catalog.regclass)
                       AND (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid IN (
                                SELECT i.indexrelid FROM pg_catalog.pg_index AS i
                                WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
                            OR d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid IN (
                                SELECT k.oid FROM pg_catalog.pg_constraint AS k
                                WHERE k.conrelid = c.oid AND k.contype = 'c')
                            OR c.relispartition AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                AND d.objid IN (
                                    SELECT p.partrelid FROM pg_catalog.pg_partitioned_table AS p
                                    WHERE p.partrelid IN (SELECT pg_catalog.pg_partition_ancestors(c.oid))
                                      AND p.partexprs IS NOT NULL))
                       AND NOT EXISTS (
                           SELECT FROM pg_catalog.pg_depend AS e
                           JOIN pg_catalog.pg_extension AS x ON x.oid = e.refobjid AND x.extname = 'vector'
                           WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
                             AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass))
          FROM pg_catalog.pg_class AS c
          WHERE c.oid = ANY ($1::pg_catalog.oid[]) AND c.relkind <> 'p'
          ORDER BY c.oid",
        &[pg_sys::TEXTARRAYOID],
    ) };
}

/// A table that holds rows itself.
pub(super) struct Part {
    pub(super) relation: pg_sys::Oid,
    /// As SQL names it.
    pub(super) table: String,
    /// How many rows it has, if that is known.
    pub(super) rows: Option<f64>,
    /// And how many pages it had then.
    pub(super) pages: Option<i32>,
    /// As whom it is read; None: as the caller.
    pub(super) owner: Option<pg_sys::Oid>,
}

/// The tables that hold the rows that `query` may give, which names one table and gives whole rows; those
/// that its condition rules out are not among them. None where only the query itself may be run.
///
/// Raises what the query raises where the caller may not run it.
pub(super) fn find(
    client: &mut SpiClient<'_>,
    table: &str,
    query: &str,
    parameters: &Parameters,
) -> Result<Option<Vec<Part>>, MemoryError> {
    let mut relations = Array::new(array::TEXT);
    for relation in parameters.relations(client, query) {
        relations.push_text(&relation.to_u32().to_string());
    }
    let rows = PARTS.with(|statement| statement.run(client, &[Some(relations.datum())]));
    let mut parts = Vec::new();
    for row in rows.iter::<8>() {
        let Some(relation) = row.oid(0) else { continue };
        let Some(name) = table_name(relation) else { continue };
        if row.text(1) == Some("f") {
            return Err(MemoryError::ForeignPart { table: table.to_owned(), part: name });
        }
        let as_caller = row.boolean(5) == Some(true);
        if !as_caller && (row.boolean(6) == Some(true) || row.boolean(7) == Some(true)) {
            return Ok(None);
        }
        parts.push(Part {
            relation,
            table: name,
            rows: row.float(2),
            pages: row.integer(3),
            owner: row.oid(4).filter(|_| !as_caller),
        });
    }
    Ok(Some(parts))
}
