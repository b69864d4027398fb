//! The table whose documents are updated, and the statements that do it.
//!
//! A session keeps the statements it has made, until anything about any table changes.

use super::error::JsonUpdateError;
use crate::error::Error;
use crate::ident::{quote, quote_literal};
use crate::json_operators::path::pointer_token;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::{OwnedStatement, Statement};
use crate::pg::relation::{generation, table_name};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A session keeps statements for so many combinations of a table, a key and columns.
const MAX_KEPT: usize = 256;

/// What the statements depend on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) relation: pg_sys::Oid,
    pub(super) key: Vec<String>,
    pub(super) column: String,
    pub(super) revision_column: Option<String>,
    pub(super) expects_revision: bool,
    pub(super) upsert: bool,
    /// Columns of a new row beside key and document.
    pub(super) new_row: Vec<String>,
}

/// Statements with the parameters operations, key, and the expected revision if there is one.
pub(super) struct Target {
    generation: u64,
    /// Gives the document if it was changed, unless the table is `plain`.
    pub(super) update: OwnedStatement,
    /// What an UPDATE sets is what is stored: no trigger or rule gets between, no table inherits.
    pub(super) plain: bool,
    /// Gives the document, whether the operations would change it, and its revision.
    pub(super) read: OwnedStatement,
    /// Takes the document, the key, and the values for a new row if there are any. Gives the document, if there was no such row.
    pub(super) insert: OwnedStatement,
}

thread_local! {
    // With the type under a domain: operators are found by name, and one for the domain itself may be anybody's.
    static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attname::text, a.atttypid, format('%I.%I', n.nspname, t.typname), (
              WITH RECURSIVE b (oid, type) AS (
                  SELECT t.typbasetype, t.typtype
                  UNION ALL
                  SELECT u.typbasetype, u.typtype FROM b JOIN pg_catalog.pg_type AS u ON u.oid = b.oid
                  WHERE b.type = 'd' AND u.typtype = 'd')
              SELECT format('%I.%I', s.nspname, u.typname)
              FROM b
              JOIN pg_catalog.pg_type AS u ON u.oid = b.oid AND u.typtype <> 'd'
              JOIN pg_catalog.pg_namespace AS s ON s.oid = u.typnamespace
              WHERE b.type = 'd')
          FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
        &[pg_sys::OIDOID],
    ) };
    // Unique indexes, with the operator that each takes for equality.
    static UNIQUE: Statement = const { Statement::new(
        c"SELECT i.indexrelid, a.attname::text, (
              SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
              FROM pg_catalog.pg_opclass AS c
              JOIN pg_catalog.pg_amop AS m ON m.amopfamily = c.opcfamily
                  AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
                  AND m.amopstrategy = 3
              JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
              JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
              WHERE c.oid = i.indclass[k.ordinal - 1])
          FROM pg_catalog.pg_index AS i
          CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, ordinal)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
              AND i.indpred IS NULL AND i.indexprs IS NULL AND k.ordinal <= i.indnkeyatts
          ORDER BY NOT i.indisprimary, i.indexrelid, k.ordinal",
        &[pg_sys::OIDOID],
    ) };
    static PLAIN: Statement = const { Statement::new(
        c"SELECT c.relkind = 'r' AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relhassubclass
          FROM pg_catalog.pg_class AS c WHERE c.oid = $1",
        &[pg_sys::OIDOID],
    ) };
    static KEPT: RefCell<HashMap<Shape, Rc<Target>>> = RefCell::default();
}

/// A column of the table.
struct Column {
    name: String,
    type_oid: pg_sys::Oid,
    /// As SQL names it, without a length or precision, with which a cast would cut values off.
    sql_type: String,
    /// Of a domain the type that it is over.
    base: Option<String>,
}

impl Target {
    pub(super) fn open(client: &mut SpiClient<'_>, shape: Shape) -> Result<Rc<Self>, Error> {
        let known = KEPT.with_borrow(|kept| kept.get(&shape).cloned());
        if let Some(target) = known.filter(|target| target.is_current()) {
            return Ok(target);
        }
        let target = Rc::new(Self::make(client, &shape)?);
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(shape, Rc::clone(&target));
        });
        Ok(target)
    }

    /// Whether nothing about any table or schema has changed since it was made.
    pub(super) fn is_current(&self) -> bool {
        self.generation == generation()
    }

    fn make(client: &mut SpiClient<'_>, shape: &Shape) -> Result<Self, Error> {
        let generation = generation();
        let table = table_name(shape.relation)
            .ok_or_else(|| JsonUpdateError::NoTable(shape.relation.to_u32()))?;
        let (columns, unique, plain) = {
            // The look-ups are not to meet what the caller's search path holds; the statements that
            // run the caller's triggers are to keep it.
            let _settings = LocalSettings::set(&[(c"search_path", c"pg_catalog, pg_temp")]);
            let relation = shape.relation;
            (columns(client, relation), unique_sets(client, relation), is_plain(client, relation))
        };
        let column = |name: &str| columns.iter().find(|column| column.name == name);
        if column(&shape.column).is_none_or(|column| column.type_oid != pg_sys::JSONBOID) {
            let column = shape.column.clone();
            return Err(JsonUpdateError::NotADocument { table, column }.into());
        }
        const WHOLE: [pg_sys::Oid; 3] = [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID];
        if let Some(name) = &shape.revision_column
            && column(name).is_none_or(|column| !WHOLE.contains(&column.type_oid))
        {
            let column = name.clone();
            return Err(JsonUpdateError::NotARevision { table, column }.into());
        }
        let matches = |set: &&Vec<(String, String)>| {
            set.len() == shape.key.len() && set.iter().all(|(name, _)| shape.key.contains(name))
        };
        let Some(set) = unique.iter().find(matches) else {
            let show = |names: Vec<&str>| names.join(", ");
            return Err(JsonUpdateError::NotUnique {
                table,
                given: show(shape.key.iter().map(String::as_str).collect()),
                known: unique
                    .iter()
                    .map(|set| format!("({})", show(set.iter().map(|(n, _)| n.as_str()).collect())))
                    .collect(),
            }
            .into());
        };
        let taken = |name: &String| {
            *name == shape.column
                || shape.key.contains(name)
                || shape.revision_column.as_ref() == Some(name)
        };
        let problems: Vec<String> = shape
            .new_row
            .iter()
            .filter_map(|name| {
                let pointer = pointer_token(name.as_bytes());
                if column(name).is_none() {
                    Some(format!("{pointer}: table {table} has no such column"))
                } else if taken(name) {
                    Some(format!("{pointer}: the column gets its value from another argument"))
                } else {
                    None
                }
            })
            .collect();
        if !problems.is_empty() {
            return Err(JsonUpdateError::BadNewRow(problems).into());
        }
        let value = |name: &str| {
            let sql_type = column(name).map_or("pg_catalog.text", |column| &column.sql_type);
            let member = quote_literal(name);
            format!("CAST($2 OPERATOR(pg_catalog.->>) {member} AS {sql_type})")
        };
        let compared = |name: &str| {
            let cast = column(name).and_then(|column| column.base.as_ref());
            cast.map_or_else(String::new, |base| format!("::{base}"))
        };
        Ok(Self::with(shape, (&table, plain, generation), set, value, compared))
    }

    /// Writes the statements for a unique set: columns, each with its operator for equality.
    fn with(
        shape: &Shape,
        (table, plain, generation): (&str, bool, u64),
        set: &[(String, String)],
        value: impl Fn(&str) -> String,
        compared: impl Fn(&str) -> String,
    ) -> Self {
        let column = quote(&shape.column);
        let document = if shape.upsert {
            format!("COALESCE(t.{column}, '{{}}'::pg_catalog.jsonb)")
        } else {
            format!("t.{column}")
        };
        let found: Vec<String> = set
            .iter()
            .map(|(name, equals)| {
                let cast = compared(name);
                format!("t.{}{cast} {equals} {}{cast}", quote(name), value(name))
            })
            .collect();
        let found = found.join(" AND ");
        let revision = shape.revision_column.as_deref().map(quote);
        let raise = revision.as_ref().map_or_else(String::new, |revision| {
            format!(", {revision} = COALESCE(t.{revision}, 0) OPERATOR(pg_catalog.+) 1")
        });
        let (mut types, mut expected) = (vec![pg_sys::JSONBOID; 2], String::new());
        if let (Some(revision), true) = (&revision, shape.expects_revision) {
            types.push(pg_sys::INT8OID);
            expected = format!(" AND t.{revision} OPERATOR(pg_catalog.=) $3");
        }
        let returning = if plain { String::new() } else { format!(" RETURNING t.{column}") };
        let update = format!(
            "UPDATE {table} AS t SET {column} = kepler.json_update({document}, $1){raise} \
             WHERE {found}{expected} AND kepler_internal.json_update_changes({document}, $1){returning}"
        );
        let shown = match &revision {
            Some(revision) => format!("t.{revision}::pg_catalog.int8"),
            None => "NULL::pg_catalog.int8".to_owned(),
        };
        let read = format!(
            "SELECT t.{column}, {shown}, CASE WHEN $3 IS NULL OR {shown} OPERATOR(pg_catalog.=) $3 \
             THEN kepler_internal.json_update_changes({document}, $1) END FROM {table} AS t WHERE {found}"
        );
        let names: Vec<String> = set.iter().map(|(name, _)| quote(name)).collect();
        let names = names.join(", ");
        let values: Vec<String> = set.iter().map(|(name, _)| value(name)).collect();
        let (extra, first) = match &revision {
            Some(revision) => (format!(", {revision}"), ", 1"),
            None => (String::new(), ""),
        };
        let values = values.join(", ");
        let (jsonb, bigint) = (pg_sys::JSONBOID, pg_sys::INT8OID);
        let (rows, others, parameters) = if shape.new_row.is_empty() {
            (format!("VALUES ({values}, $1{first})"), String::new(), vec![jsonb; 2])
        } else {
            let list = |prefix: &str| -> String {
                shape.new_row.iter().map(|name| format!(", {prefix}{}", quote(name))).collect()
            };
            // Each value goes in as its column's type reads it, arrays and objects too.
            let rows = format!(
                "SELECT {values}, $1{first}{} \
                 FROM pg_catalog.jsonb_populate_record(NULL::{table}, $3) AS r",
                list("r.")
            );
            (rows, list(""), vec![jsonb; 3])
        };
        let insert = format!(
            "INSERT INTO {table} AS t ({names}, {column}{extra}{others}) {rows} \
             ON CONFLICT ({names}) DO NOTHING RETURNING t.{column}"
        );
        Self {
            generation,
            plain,
            update: OwnedStatement::new(update, types),
            read: OwnedStatement::new(read, vec![jsonb, jsonb, bigint]),
            insert: OwnedStatement::new(insert, parameters),
        }
    }
}

fn columns(client: &mut SpiClient<'_>, relation: pg_sys::Oid) -> Vec<Column> {
    let parameters = [Some(pg_sys::Datum::from(relation))];
    let rows = COLUMNS.with(|statement| statement.run(client, &parameters));
    rows.iter::<4>()
        .filter_map(|row| {
            Some(Column {
                name: row.text(0)?.to_owned(),
                type_oid: row.oid(1)?,
                sql_type: row.text(2)?.to_owned(),
                base: row.text(3).map(str::to_owned),
            })
        })
        .collect()
}

/// The columns of each unique index with their operators, the primary key first.
fn unique_sets(client: &mut SpiClient<'_>, relation: pg_sys::Oid) -> Vec<Vec<(String, String)>> {
    let parameters = [Some(pg_sys::Datum::from(relation))];
    let rows = UNIQUE.with(|statement| statement.run(client, &parameters));
    let rows: Vec<_> = rows
        .iter::<3>()
        .filter_map(|row| Some((row.oid(0)?, (row.text(1)?.to_owned(), row.text(2)?.to_owned()))))
        .collect();
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|group| group.iter().map(|(_, column)| column.clone()).collect())
        .collect()
}

fn is_plain(client: &mut SpiClient<'_>, relation: pg_sys::Oid) -> bool {
    let parameters = [Some(pg_sys::Datum::from(relation))];
    let rows = PLAIN.with(|statement| statement.run(client, &parameters));
    rows.iter::<1>().next().and_then(|row| row.boolean(0)).unwrap_or(false)
}
