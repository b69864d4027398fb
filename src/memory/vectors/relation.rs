//! What the catalog says of a table that is searched.

use super::parts::Part;
use crate::ident::quote;
use crate::memory::error::MemoryError;
use crate::pg::plan::Statement;
use crate::pg::relation::table_name;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    // With the operators that each column's type has for comparisons, from less to greater, and the type under a domain:
    // operators are found by name, and those of such a name for the domain itself may be anybody's. None for arrays,
    // composite types and ranges, whose values are no scalars in JSON, for types that somebody casts to json, and where $2
    // says that nothing is compared.
    static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attname::text, a.atttypmod, n.nspname::text, x.oid IS NOT NULL, b.oid, b.typcategory::text,
                 pg_catalog.format_type(t.oid, NULL),
                 CASE WHEN t.typtype = 'd' THEN (
                     SELECT format('%I.%I', s.nspname, b.typname)
                     FROM pg_catalog.pg_namespace AS s WHERE s.oid = b.typnamespace) END,
                 (SELECT pg_catalog.array_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) ORDER BY p.amopstrategy)
                  FROM pg_catalog.pg_amop AS p
                  JOIN pg_catalog.pg_operator AS o ON o.oid = p.amopopr
                  JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
                  WHERE p.amopfamily = k.opcfamily AND p.amoplefttype = k.opcintype
                    AND p.amoprighttype = k.opcintype AND p.amopstrategy BETWEEN 1 AND 5),
                 b.typarray,
                 EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                         JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'vector'
                         WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = b.oid
                           AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e')
          FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
          JOIN pg_catalog.pg_type AS b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
          LEFT JOIN pg_catalog.pg_extension AS x
              ON x.extname = 'vector' AND x.extnamespace = n.oid AND t.typname = 'vector'
          LEFT JOIN LATERAL (
              SELECT c.opcfamily, c.opcintype
              FROM pg_catalog.pg_opclass AS c
              JOIN pg_catalog.pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
              WHERE $2 AND c.opcdefault AND c.opcintype = CASE
                  WHEN b.oid = 1043 THEN 25::oid WHEN b.typtype = 'e' THEN 3500::oid ELSE b.oid END
                AND NOT EXISTS (
                  SELECT FROM pg_catalog.pg_cast AS j
                  WHERE j.castsource = b.oid AND j.casttarget = 114 AND b.oid >= 16384)
              LIMIT 1) AS k ON true
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
        &[pg_sys::OIDOID, pg_sys::BOOLOID],
    ) };
    static RELATION: Statement = const { Statement::new(
        c"SELECT c.relkind::text, c.reltuples::float8, c.relpages,
                 c.relkind = 'p' OR c.relhassubclass, pg_catalog.row_security_active(c.oid)
          FROM pg_catalog.pg_class AS c WHERE c.oid = $1",
        &[pg_sys::OIDOID],
    ) };
}

/// A table, and how it stands with the caller.
pub(crate) struct Relation {
    pub(super) oid: pg_sys::Oid,
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
    /// The schema of its type.
    pub(super) schema: String,
    pub(super) is_vector: bool,
    /// What searches are made of, and nobody reads: vectors of any type of pgvector, and words.
    is_for_searches: bool,
    /// The type, of a domain the one that it is over.
    pub(super) type_oid: pg_sys::Oid,
    pub(super) array_oid: pg_sys::Oid,
    /// As messages name the column's type.
    pub(super) type_name: String,
    /// Of a domain the type that it is over, as SQL names it.
    pub(super) base: Option<String>,
    pub(super) values: Values,
}

impl Column {
    /// Whether its values become JSON by Postgres' or pgvector's code alone: types of others may have casts of anybody's.
    pub(super) fn is_plain(&self) -> bool {
        self.is_for_searches || self.type_oid.to_u32() < pg_sys::FirstNormalObjectId
    }
}

/// What the values of a column are to a filter.
pub(super) enum Values {
    /// Numbers, booleans or strings in JSON, which the type compares itself: by `<`, `<=`, `=`, `>=` and `>`.
    Scalars(Scalar, [String; 5]),
    /// Documents.
    Jsonb,
    /// Of any kind in JSON: compared as that.
    Any,
}

/// What a scalar is in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Integer,
    /// With a fraction, and NaN and the infinities as strings.
    Number,
    Boolean,
    String,
}

impl Scalar {
    fn of(type_oid: pg_sys::Oid) -> Self {
        match type_oid {
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => Self::Integer,
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID | pg_sys::NUMERICOID => Self::Number,
            pg_sys::BOOLOID => Self::Boolean,
            _ => Self::String,
        }
    }
}

impl Relation {
    /// Refuses what has no rows of its own. `is_filtered`: whether it matters how columns are compared.
    pub(crate) fn find(
        client: &mut SpiClient<'_>,
        oid: pg_sys::Oid,
        is_filtered: bool,
    ) -> Result<Self, MemoryError> {
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
            columns: columns(client, oid, is_filtered),
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

    /// The column of words of that name; without a name, the only one.
    pub(super) fn words(&self, name: Option<&str>) -> Result<&Column, MemoryError> {
        let words = self.columns.iter().filter(|column| column.type_oid == pg_sys::TSVECTOROID);
        let known = || words.clone().map(|column| column.name.clone()).collect();
        let table = || self.table.clone();
        match name {
            Some(name) => words.clone().find(|column| column.name == name).ok_or_else(|| {
                MemoryError::NotWords { table: table(), column: name.to_owned(), known: known() }
            }),
            None => match words.clone().collect::<Vec<_>>().as_slice() {
                [only] => Ok(only),
                _ => Err(MemoryError::WhichWords { table: table(), known: known() }),
            },
        }
    }

    /// The columns that a row is shown with: those that are named, otherwise those that somebody reads.
    pub(super) fn shown(&self, names: Option<&[String]>) -> Result<Vec<&Column>, MemoryError> {
        let Some(names) = names else {
            return Ok(self.columns.iter().filter(|column| !column.is_for_searches).collect());
        };
        let is_there = |name: &&String| self.columns.iter().any(|column| column.name == **name);
        let missing: Vec<String> =
            names.iter().filter(|name| !is_there(name)).map(|name| quote(name)).collect();
        if !missing.is_empty() {
            return Err(MemoryError::NoColumns { table: self.table.clone(), columns: missing });
        }
        Ok(self.columns.iter().filter(|column| names.contains(&column.name)).collect())
    }

    /// As one that is searched as a whole, by the caller.
    pub(super) fn as_part(&self) -> Part {
        let Self { oid, table, rows, pages, .. } = self;
        Part { relation: *oid, table: table.clone(), rows: *rows, pages: *pages, owner: None }
    }
}

fn columns(client: &mut SpiClient<'_>, relation: pg_sys::Oid, is_filtered: bool) -> Vec<Column> {
    let parameters = [Some(relation.into()), Some(is_filtered.into())];
    let rows = COLUMNS.with(|statement| statement.run(client, &parameters));
    rows.iter::<11>()
        .filter_map(|row| {
            let type_oid = row.oid(4)?;
            let operators: Option<[String; 5]> = row.array::<&str>(8).and_then(|operators| {
                let operators: Vec<String> =
                    operators.iter().flatten().map(str::to_owned).collect();
                operators.try_into().ok()
            });
            Some(Column {
                name: row.text(0)?.to_owned(),
                modifier: row.integer(1)?,
                schema: row.text(2)?.to_owned(),
                is_vector: row.boolean(3)?,
                is_for_searches: row.boolean(10)? || type_oid == pg_sys::TSVECTOROID,
                type_oid,
                array_oid: row.oid(9)?,
                type_name: row.text(6)?.to_owned(),
                base: row.text(7).map(str::to_owned),
                values: match operators {
                    _ if type_oid == pg_sys::JSONBOID => Values::Jsonb,
                    Some(operators) if row.text(5) != Some("A") => {
                        Values::Scalars(Scalar::of(type_oid), operators)
                    }
                    _ => Values::Any,
                },
            })
        })
        .collect()
}
