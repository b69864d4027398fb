//! What the catalog says of a table that is searched.

use super::parts::Part;
use crate::ident::qualified;
use crate::memory::error::MemoryError;
use crate::pg::plan::Statement;
use crate::pg::relation::table_name;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    // With the operator that each column's type has for equality, and the type under a domain: the operator is found by
    // name, and an operator of that name for the domain itself may be anybody's.
    static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attname::text, a.atttypmod, n.nspname::text, t.typname::text, t.oid, t.typarray,
                 x.oid IS NOT NULL, (
                     SELECT format('OPERATOR(%I.%s)', s.nspname, o.oprname)
                     FROM pg_catalog.pg_opclass AS c
                     JOIN pg_catalog.pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
                     JOIN pg_catalog.pg_amop AS p ON p.amopfamily = c.opcfamily
                         AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
                         AND p.amopstrategy = 3
                     JOIN pg_catalog.pg_operator AS o ON o.oid = p.amopopr
                     JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
                     WHERE c.opcdefault
                       AND c.opcintype IN (t.oid, CASE WHEN t.typname = 'varchar' THEN 25::oid END,
                           CASE WHEN t.typtype = 'd' THEN t.typbasetype END,
                           CASE WHEN t.typtype = 'e' THEN 3500::oid END)
                     ORDER BY c.opcintype <> t.oid LIMIT 1),
                 (SELECT format('%I.%I', s.nspname, b.typname)
                  FROM pg_catalog.pg_type AS b JOIN pg_catalog.pg_namespace AS s ON s.oid = b.typnamespace
                  WHERE b.oid = t.typbasetype AND t.typtype = 'd')
          FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
          LEFT JOIN pg_catalog.pg_extension AS x
              ON x.extname = 'vector' AND x.extnamespace = n.oid AND t.typname = 'vector'
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
        &[pg_sys::OIDOID],
    ) };
    static RELATION: Statement = const { Statement::new(
        c"SELECT c.relkind::text, c.reltuples::float8, c.relpages,
                 c.relkind = 'p' OR c.relhassubclass, pg_catalog.row_security_active(c.oid)
          FROM pg_catalog.pg_class AS c WHERE c.oid = $1",
        &[pg_sys::OIDOID],
    ) };
}

/// A table, and how it stands with the caller.
pub(super) struct Relation {
    oid: pg_sys::Oid,
    /// As SQL names it.
    pub(super) table: String,
    rows: Option<f64>,
    pages: Option<i32>,
    /// Whether there are partitions or children.
    pub(super) has_parts: bool,
    /// Whether policies hold for the caller.
    pub(super) is_secured: bool,
    pub(super) columns: Vec<Column>,
}

/// A column as the catalog has it.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) modifier: i32,
    pub(super) sql_type: String,
    pub(super) schema: String,
    pub(super) type_oid: pg_sys::Oid,
    pub(super) array_oid: pg_sys::Oid,
    pub(super) is_vector: bool,
    pub(super) equals: Option<String>,
    /// Of a domain the type that it is over.
    pub(super) base: Option<String>,
}

impl Relation {
    /// Refuses what has no rows of its own.
    pub(super) fn find(client: &mut SpiClient<'_>, oid: pg_sys::Oid) -> Result<Self, MemoryError> {
        let parameters = [Some(pg_sys::Datum::from(oid))];
        let table = table_name(oid).ok_or_else(|| MemoryError::NotATable {
            table: oid.to_u32().to_string(),
            kind: String::new(),
        })?;
        let rows = RELATION.with(|statement| statement.run(client, &parameters));
        let row = rows.iter::<5>().next();
        let kind = row.as_ref().and_then(|row| row.text(0)).unwrap_or_default().to_owned();
        let Some(row) = row.filter(|_| ["r", "m", "p"].contains(&kind.as_str())) else {
            return Err(MemoryError::NotATable { table, kind });
        };
        Ok(Self {
            oid,
            table,
            rows: row.float(1),
            pages: row.integer(2),
            has_parts: row.boolean(3) == Some(true),
            is_secured: row.boolean(4) == Some(true),
            columns: columns(client, &parameters),
        })
    }

    /// The column of vectors of that name.
    pub(super) fn vector(&self, name: &str) -> Result<&Column, MemoryError> {
        let vectors = self.columns.iter().filter(|column| column.is_vector);
        vectors.clone().find(|column| column.name == name).ok_or_else(|| MemoryError::NotAVector {
            table: self.table.clone(),
            column: name.to_owned(),
            vectors: vectors.map(|column| column.name.clone()).collect(),
        })
    }

    /// As one that is searched as a whole, by the caller.
    pub(super) fn as_part(&self) -> Part {
        let Self { oid, table, rows, pages, .. } = self;
        Part { relation: *oid, table: table.clone(), rows: *rows, pages: *pages, owner: None }
    }
}

fn columns(client: &mut SpiClient<'_>, relation: &[Option<pg_sys::Datum>]) -> Vec<Column> {
    let rows = COLUMNS.with(|statement| statement.run(client, relation));
    rows.iter::<9>()
        .filter_map(|row| {
            let schema = row.text(2)?;
            Some(Column {
                name: row.text(0)?.to_owned(),
                modifier: row.integer(1)?,
                sql_type: qualified(schema, row.text(3)?),
                schema: schema.to_owned(),
                type_oid: row.oid(4)?,
                array_oid: row.oid(5)?,
                is_vector: row.boolean(6)?,
                equals: row.text(7).map(str::to_owned),
                base: row.text(8).map(str::to_owned),
            })
        })
        .collect()
}
