//! The text of the statements over an entry table. All take arrays, a column each.

use super::validator::{Column, Validator};
use crate::field_types::kind::FieldKind;
use crate::ident::quote;
use crate::pg::array::{self, ElementType};
use crate::pg::plan::OwnedStatement;
use pgrx::pg_sys;

/// The type of an array of such elements.
fn array_type(element: ElementType) -> pg_sys::Oid {
    // SAFETY: a look-up in the catalog.
    unsafe { pg_sys::get_array_type(element.oid()) }
}

/// Collects the parameters of a statement.
#[derive(Default)]
struct Parameters {
    types: Vec<pg_sys::Oid>,
}

impl Parameters {
    /// The rows of one more array, as an expression.
    fn rows(&mut self, element: ElementType) -> String {
        self.types.push(array_type(element));
        format!("pg_catalog.unnest(${})", self.types.len())
    }

    /// The same for values of a column.
    fn column(&mut self, column: &Column) -> String {
        let rows = self.rows(column.element);
        if column.list { format!("{rows}::{}", column.sql_type) } else { rows }
    }

    fn statement(self, sql: String) -> OwnedStatement {
        OwnedStatement::new(sql, self.types).of_own_text()
    }
}

/// Inserts rows, an array for each column, and gives their keys. With `lenient`, rows that meet a
/// stored one are left out.
pub(crate) fn insert(relation: &str, validator: &Validator, lenient: bool) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let names: Vec<String> = validator.columns.iter().map(|column| quote(&column.column)).collect();
    let values: Vec<String> =
        validator.columns.iter().map(|column| parameters.column(column)).collect();
    let sql = format!(
        "INSERT INTO {relation} ({}) SELECT {}{} RETURNING {}",
        names.join(", "),
        values.join(", "),
        if lenient { " ON CONFLICT DO NOTHING" } else { "" },
        names[0],
    );
    parameters.statement(sql)
}

/// The stored value of a column and a given one, as they are compared where the set says so.
fn same(column: &Column, case_insensitive: bool, stored: &str, given: &str) -> String {
    let name = quote(&column.column);
    if case_insensitive {
        format!("kepler.fold({stored}.{name}) = kepler.fold({given})")
    } else {
        format!("{stored}.{name} = {given}")
    }
}

/// For each row, the stored entry with the same values in `set` (a column, and whether case does not
/// count there). Takes ordinals, then an array for each column of the set.
pub(crate) fn find_by(
    relation: &str,
    validator: &Validator,
    set: &[(u16, bool)],
) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let mut given = vec![format!("{} AS o", parameters.rows(array::INTEGER))];
    let mut conditions = Vec::new();
    for (at, &(column, case_insensitive)) in set.iter().enumerate() {
        let column = &validator.columns[column as usize];
        given.push(format!("{} AS c{at}", parameters.column(column)));
        conditions.push(same(column, case_insensitive, "t", &format!("n.c{at}")));
    }
    let key = quote(&validator.columns[0].column);
    let sql = format!(
        "SELECT n.o, t.{key} FROM (SELECT {}) AS n CROSS JOIN LATERAL
             (SELECT t.{key} FROM {relation} AS t WHERE {} LIMIT 1) AS t",
        given.join(", "),
        conditions.join(" AND "),
    );
    parameters.statement(sql)
}

/// The ordinals of the values that are no key of the other table. Takes ordinals and values.
pub(crate) fn find_missing(target: &str, key: &str, column: &Column) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let values = parameters.column(column);
    let sql = format!(
        "SELECT n.o FROM (SELECT {ordinals} AS o, {values} AS v) AS n
         WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE t.{} = n.v)",
        quote(key),
    );
    parameters.statement(sql)
}

/// Locks the entries with these keys in their order. Takes ordinals and keys, gives ordinals.
pub(crate) fn lock_by_key(relation: &str, validator: &Validator) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let keys = parameters.column(&validator.columns[0]);
    let key = quote(&validator.columns[0].column);
    let sql = format!(
        "SELECT n.o FROM (SELECT {ordinals} AS o, {keys} AS k) AS n CROSS JOIN LATERAL
             (SELECT FROM {relation} AS t WHERE t.{key} = n.k LIMIT 1 FOR UPDATE) AS t"
    );
    parameters.statement(sql)
}

/// Locks what references lead to, so that nobody else does the same; entries that refer to it may come and go. Takes
/// ordinals and keys, gives ordinals.
pub(crate) fn lock_targets(target: &str, key: &str, column: &Column) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let keys = parameters.column(column);
    let sql = format!(
        "SELECT n.o FROM (SELECT {ordinals} AS o, {keys} AS k) AS n CROSS JOIN LATERAL
             (SELECT FROM {target} AS t WHERE t.{} = n.k LIMIT 1 FOR NO KEY UPDATE) AS t",
        quote(key)
    );
    parameters.statement(sql)
}

/// The entries that refer to these by one column: what they refer to by another, and their keys. Takes ordinals and values.
pub(crate) fn read_pairs(
    relation: &str,
    validator: &Validator,
    owner: u16,
    other: u16,
) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let owner = &validator.columns[owner as usize];
    let values = parameters.column(owner);
    let key = quote(&validator.columns[0].column);
    let other = quote(&validator.columns[other as usize].column);
    let sql = format!(
        "SELECT n.o, t.{other}, t.{key} FROM (SELECT {ordinals} AS o, {values} AS k) AS n CROSS JOIN LATERAL
             (SELECT t.{other}, t.{key} FROM {relation} AS t WHERE t.{} = n.k) AS t",
        quote(&owner.column)
    );
    parameters.statement(sql)
}

/// Inserts entries of two columns that are unique together; all else gets its default. What is there is left out. Gives the
/// keys.
pub(crate) fn insert_pairs(
    relation: &str,
    validator: &Validator,
    columns: [u16; 2],
) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let columns = columns.map(|column| &validator.columns[column as usize]);
    let values = columns.map(|column| parameters.column(column)).join(", ");
    let names = columns.map(|column| quote(&column.column)).join(", ");
    let key = quote(&validator.columns[0].column);
    let sql = format!(
        "INSERT INTO {relation} ({names}) SELECT {values} ON CONFLICT ({names}) DO NOTHING RETURNING {key}"
    );
    parameters.statement(sql)
}

/// The value of a column in the entries with these keys. Takes ordinals and keys, gives ordinals and values.
pub(crate) fn read_by_key(relation: &str, validator: &Validator, column: u16) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let keys = parameters.column(&validator.columns[0]);
    let key = quote(&validator.columns[0].column);
    let name = quote(&validator.columns[column as usize].column);
    let sql = format!(
        "SELECT n.o, t.{name} FROM (SELECT {ordinals} AS o, {keys} AS k) AS n CROSS JOIN LATERAL
             (SELECT t.{name} FROM {relation} AS t WHERE t.{key} = n.k LIMIT 1) AS t"
    );
    parameters.statement(sql)
}

/// Deletes the entries with these keys, and gives the keys.
pub(crate) fn delete_by_key(relation: &str, validator: &Validator) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let keys = parameters.column(&validator.columns[0]);
    let key = quote(&validator.columns[0].column);
    let sql = format!(
        "DELETE FROM {relation} AS t USING (SELECT {keys} AS k) AS n WHERE t.{key} = n.k
         RETURNING t.{key}"
    );
    parameters.statement(sql)
}

/// A column that a batch of changes gives, and whether only some of its elements do.
pub(crate) type Given = (u16, bool);

/// The value that a row has after the change, of rows `n` over stored rows `t`.
fn after(validator: &Validator, given: &[Given], column: u16) -> String {
    let name = quote(&validator.columns[column as usize].column);
    match given.iter().position(|(at, _)| *at == column) {
        None => format!("t.{name}"),
        Some(at) if given[at].1 => format!("CASE WHEN n.g{at} THEN n.v{at} ELSE t.{name} END"),
        Some(at) => format!("n.v{at}"),
    }
}

impl Parameters {
    /// The given columns of a batch of changes, with flags where not all elements have one.
    fn given(&mut self, validator: &Validator, given: &[Given]) -> String {
        let mut columns = String::new();
        for (at, (column, partly)) in given.iter().enumerate() {
            let values = self.column(&validator.columns[*column as usize]);
            columns.push_str(&format!(", {values} AS v{at}"));
            if *partly {
                let flags = self.rows(array::BOOLEAN);
                columns.push_str(&format!(", {flags} AS g{at}"));
            }
        }
        columns
    }
}

/// Finds stored entries by `set` and compares them with what is given. Gives the ordinal, the key,
/// whether anything differs, and the places of the comparisons between fields that would not hold.
/// Takes ordinals, the columns of the set, and the given columns with their flags.
pub(crate) fn compare(
    relation: &str,
    validator: &Validator,
    set: &[(u16, bool)],
    given: &[Given],
    lock: &str,
) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let mut rows = format!("{} AS o", parameters.rows(array::INTEGER));
    let mut conditions = Vec::new();
    for (at, &(column, case_insensitive)) in set.iter().enumerate() {
        let column = &validator.columns[column as usize];
        rows.push_str(&format!(", {} AS k{at}", parameters.column(column)));
        conditions.push(same(column, case_insensitive, "t", &format!("n.k{at}")));
    }
    rows.push_str(&parameters.given(validator, given));
    let mut differences: Vec<String> = given
        .iter()
        .enumerate()
        .map(|(at, &(column, partly))| {
            let column = &validator.columns[column as usize];
            let name = quote(&column.column);
            // The operators of pgvector may lie anywhere; its cast needs no name.
            let cast = match column.kind {
                FieldKind::Vector { .. } => "::pg_catalog.float4[]",
                _ => "",
            };
            let flag = if partly { format!("n.g{at} AND ") } else { String::new() };
            format!("{flag}n.v{at}{cast} IS DISTINCT FROM t.{name}{cast}")
        })
        .collect();
    if differences.is_empty() {
        differences.push("false".to_owned());
    }
    let broken: Vec<String> = validator
        .comparisons
        .iter()
        .enumerate()
        .map(|(at, comparison)| {
            format!(
                "CASE WHEN NOT (({}) {} ({})) THEN '{at}' END",
                after(validator, given, comparison.left),
                comparison.op.symbol(),
                after(validator, given, comparison.right),
            )
        })
        .collect();
    let broken = if broken.is_empty() {
        "''".to_owned()
    } else {
        format!("pg_catalog.concat_ws(',', {})", broken.join(", "))
    };
    let sql = format!(
        "SELECT n.o, t.{}, {}, {broken} FROM (SELECT {rows}) AS n CROSS JOIN LATERAL
             (SELECT * FROM {relation} AS t WHERE {} LIMIT 1 {lock}) AS t",
        quote(&validator.columns[0].column),
        differences.join(" OR "),
        conditions.join(" AND "),
    );
    parameters.statement(sql)
}

/// Other entries that have, in a unique set, the values that a change would give. Takes ordinals, keys
/// and the given columns with their flags; gives ordinals and keys.
pub(crate) fn find_rivals(
    relation: &str,
    validator: &Validator,
    set: &[(u16, bool)],
    given: &[Given],
) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let ordinals = parameters.rows(array::INTEGER);
    let keys = parameters.column(&validator.columns[0]);
    let values = parameters.given(validator, given);
    let key = quote(&validator.columns[0].column);
    let conditions: Vec<String> = set
        .iter()
        .map(|&(column, case_insensitive)| {
            let given = format!("({})", after(validator, given, column));
            same(&validator.columns[column as usize], case_insensitive, "r", &given)
        })
        .collect();
    let sql = format!(
        "SELECT n.o, r.{key} FROM (SELECT {ordinals} AS o, {keys} AS k{values}) AS n
         CROSS JOIN LATERAL (SELECT * FROM {relation} AS t WHERE t.{key} = n.k LIMIT 1) AS t
         CROSS JOIN LATERAL (SELECT r.{key} FROM {relation} AS r
                             WHERE {} AND r.{key} <> t.{key} LIMIT 1) AS r",
        conditions.join(" AND "),
    );
    parameters.statement(sql)
}

/// Sets one column of the entries with these keys. Takes keys and values.
pub(crate) fn set_one(relation: &str, validator: &Validator, column: u16) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let keys = parameters.column(&validator.columns[0]);
    let column = &validator.columns[column as usize];
    let values = parameters.column(column);
    let (key, name) = (quote(&validator.columns[0].column), quote(&column.column));
    let sql = format!(
        "UPDATE {relation} AS t SET {name} = n.v FROM (SELECT {keys} AS k, {values} AS v) AS n
         WHERE t.{key} = n.k"
    );
    parameters.statement(sql)
}

/// Changes the entries with these keys. Takes keys and the given columns with their flags; gives the
/// keys of what was written.
pub(crate) fn update(relation: &str, validator: &Validator, given: &[Given]) -> OwnedStatement {
    let mut parameters = Parameters::default();
    let keys = parameters.column(&validator.columns[0]);
    let values = parameters.given(validator, given);
    let key = quote(&validator.columns[0].column);
    let changes: Vec<String> = given
        .iter()
        .map(|(column, _)| {
            let name = quote(&validator.columns[*column as usize].column);
            format!("{name} = {}", after(validator, given, *column))
        })
        .collect();
    let sql = format!(
        "UPDATE {relation} AS t SET {} FROM (SELECT {keys} AS k{values}) AS n
         WHERE t.{key} = n.k RETURNING t.{key}",
        changes.join(", "),
    );
    parameters.statement(sql)
}
