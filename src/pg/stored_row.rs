//! Whether a row that is about to be inserted is one that is there: `INSERT … ON CONFLICT DO UPDATE` brings all columns along, and
//! a trigger that fires before an insert cannot know what becomes of it.

use super::filling::{ColumnOf, Filling};
use super::plan::{OwnedStatement, Parameter, Statement};
use super::whole::Spi;
use pgrx::pg_sys;

thread_local! {
    /// A query for each unique index of a table, and the columns that it takes. Of a partition, what it is a part of is asked:
    /// people have rights on that. What the caller may not read is not asked.
    static FIND: Statement = const { Statement::new(
        c"SELECT pg_catalog.format(
                'SELECT EXISTS (SELECT FROM %s AS t WHERE %s AND pg_catalog.record_image_eq(ROW(t.%I), ROW($1)))',
                r.oid::pg_catalog.regclass,
                pg_catalog.string_agg(pg_catalog.format(
                    't.%I OPERATOR(%I.%s) $%s', a.attname, n.nspname, o.oprname, k.ordinality + 1), ' AND ' ORDER BY k.ordinality),
                c.attname),
            pg_catalog.array_agg(k.number::pg_catalog.int4 ORDER BY k.ordinality)
          FROM (SELECT coalesce(pg_catalog.pg_partition_root($1), $1) AS oid) AS r
          CROSS JOIN pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_attribute AS c ON c.attrelid = i.indrelid AND c.attnum = $2
          CROSS JOIN LATERAL ROWS FROM (
              pg_catalog.unnest(i.indkey::pg_catalog.int2[]), pg_catalog.unnest(i.indclass::pg_catalog.oid[])
          ) WITH ORDINALITY AS k (number, class, ordinality)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
          JOIN pg_catalog.pg_opclass AS s ON s.oid = k.class
          JOIN pg_catalog.pg_amop AS m ON m.amopfamily = s.opcfamily AND m.amoplefttype = s.opcintype
              AND m.amoprighttype = s.opcintype AND m.amopstrategy = 3
          JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
          JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
          WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
              AND i.indpred IS NULL AND i.indexprs IS NULL
          GROUP BY i.indexrelid, r.oid, c.attname
          HAVING pg_catalog.bool_and(pg_catalog.has_column_privilege(r.oid, a.attname, 'SELECT'))
              AND pg_catalog.has_column_privilege(r.oid, c.attname, 'SELECT')",
        &[pg_sys::OIDOID, pg_sys::INT4OID],
    ) };
}

impl Filling {
    /// Whether the table has a row with a key of this one and the same value in a column, which the caller may read.
    pub(crate) fn is_stored(&self, column: ColumnOf) -> bool {
        let table = self.table();
        let Some((value_type, value)) = self.typed(column.number) else { return false };
        Spi::connect_mut(|client| {
            let found = FIND.with(|find| {
                let parameters = [
                    Some(pg_sys::Datum::from(table)),
                    Some(pg_sys::Datum::from(i32::from(column.number))),
                ];
                let rows = find.run_in_snapshot(client, &parameters);
                let query = |row: super::rows::Row<'_, 2>| {
                    let numbers: Vec<i32> = row.array::<i32>(1)?.iter().flatten().collect();
                    Some((row.text(0)?.to_owned(), numbers))
                };
                rows.iter::<2>().filter_map(query).collect::<Vec<_>>()
            });
            found.into_iter().any(|(sql, numbers)| {
                let keys: Option<Vec<_>> =
                    numbers.into_iter().map(|number| self.typed(number as i16)).collect();
                let Some(keys) = keys else { return false };
                let all = || std::iter::once((value_type, value)).chain(keys.iter().copied());
                let types = all().map(|(type_id, _)| type_id).collect();
                let parameters: Vec<Parameter> = all().map(|(_, value)| Some(value)).collect();
                let statement = OwnedStatement::new(sql, types);
                let rows = statement.run_in_snapshot(client, &parameters);
                rows.iter::<1>().any(|row| row.boolean(0) == Some(true))
            })
        })
    }
}
