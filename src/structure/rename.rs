//! Gives an entry table another record name. The table, and what is named after it, follow; so do the references to it
//! in the structures of other entry tables. No version is made: nothing about the entries changes.

use super::apply;
use super::change::Call;
use super::create;
use super::ddl::{Names, postgres_name, wished_name};
use super::document::problem_with_record_name;
use super::error::StructureError;
use super::locks::Patience;
use super::observe::Observed;
use super::plan::drops::published;
use super::registry::{self, EntryTable, SCHEMA, State};
use super::run::{self, Rows};
use super::step::Step;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::ident::{MAX_NAME, qualified, quote, shortened};
use crate::pg::subtransaction::attempt;
use pgrx::PgSqlErrorCode;
use pgrx::spi::SpiClient;

/// An index, a constraint or a sequence of a table.
struct Named {
    kind: String,
    name: String,
    /// Of a constraint NOT NULL or of a sequence.
    column: Option<String>,
}

impl Call<'_> {
    /// Renames the table; gives the name of its table. The name that it has already changes nothing.
    pub(crate) fn rename(
        &self,
        client: &mut SpiClient<'_>,
        new_name: &str,
        patience: Patience,
    ) -> Result<String, Error> {
        if let Some(problem) = problem_with_record_name(new_name) {
            return Err(ArgumentError::BadOptions {
                argument: "new_name",
                problems: vec![format!("The name {problem}.")],
                known: String::new(),
            }
            .into());
        }
        let table = registry::require(client, self.workspace_id, self.name)?;
        if new_name == self.name {
            return Ok(table.table_name);
        }
        if registry::find(client, self.workspace_id, new_name, State::InUse)?.is_some() {
            return Err(StructureError::NameTaken(new_name.to_owned()).into());
        }
        let new_table = create::table_name(new_name, table.number);
        {
            let _bounded = patience.bound();
            // Those that refer to it: a change of theirs that knows the old name is waited for, and a later one
            // waits here. All in one order.
            registry::lock_referring(client, self.workspace_id, &table.id, self.name)?;
            self.claim(client, &table)?;
        }
        let rename = Step::instant("rename_table", &new_table, String::new());
        let steps = [rename];
        apply::lock(client, self.workspace_id, &table.table_name, &steps, Vec::new(), patience)?;
        {
            // What came to refer to it meanwhile held a lock on it.
            let _bounded = patience.bound();
            registry::lock_referring(client, self.workspace_id, &table.id, self.name)?;
        }
        let steps = if new_table == table.table_name {
            Vec::new()
        } else {
            renaming(client, &table, &new_table)?
        };
        let workspace_id = self.workspace_id;
        // The index on names waits for whoever takes the same one.
        let renamed =
            attempt(|| registry::rename(client, workspace_id, &table, new_name, &new_table));
        match renamed {
            Err(refusal) if refusal.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION.into() => {
                return Err(StructureError::NameTaken(new_name.to_owned()).into());
            }
            Err(refusal) => return Err(StructureError::Refused(vec![refusal.message]).into()),
            Ok(renamed) => renamed?,
        }
        run::run(client, &steps, Rows::Entries)?;
        Ok(new_table)
    }
}

/// The statements that rename a table and what is named after it; last the table.
fn renaming(
    client: &SpiClient<'_>,
    table: &EntryTable,
    new_table: &str,
) -> Result<Vec<Step>, Error> {
    let observed = apply::observe_entry_table(client, &table.table_name)?;
    let relation = qualified(SCHEMA, &table.table_name);
    let named = named_objects(client, &table.table_name)?;
    let mut names = Names::new(named.iter().map(|named| named.name.clone()));
    let mut steps = Vec::new();
    for object in &named {
        let Some(wish) = follows(object, &observed, &table.table_name, new_table) else { continue };
        let name = names.choose(&wish);
        let (operation, sql) = match object.kind.as_str() {
            "index" => ("rename_index", format!("ALTER INDEX {}", in_schema(&object.name))),
            "sequence" => {
                ("rename_sequence", format!("ALTER SEQUENCE {}", in_schema(&object.name)))
            }
            _ => {
                let of =
                    format!("ALTER TABLE {relation} RENAME CONSTRAINT {}", quote(&object.name));
                let sql = format!("{of} TO {}", quote(&name));
                steps.push(Step::instant("rename_constraint", &name, sql));
                continue;
            }
        };
        steps.push(Step::instant(operation, &name, format!("{sql} RENAME TO {}", quote(&name))));
    }
    if let Some(hazard) = published(&observed) {
        pgrx::warning!("{}", hazard.trim_start_matches("dependent: "));
    }
    let sql = format!("ALTER TABLE {relation} RENAME TO {}", quote(new_table));
    steps.push(Step::instant("rename_table", new_table, sql));
    Ok(steps)
}

fn in_schema(name: &str) -> String {
    qualified(SCHEMA, name)
}

/// The name that something has with the new name of its table, if it is named after the table.
fn follows(object: &Named, observed: &Observed, old: &str, new: &str) -> Option<String> {
    let column = object.column.as_deref();
    let by_postgres = |label: &str| {
        let of = |table: &str| postgres_name(table, column, label);
        (of(old) == object.name).then(|| of(new))
    };
    let by_rule = || {
        let named = observed.rules.iter().find(|named| named.name == object.name)?;
        let of = |table: &str| shortened(&wished_name(&named.rule, table), MAX_NAME);
        let is_own = of(old) == object.name && of(old) != of(new);
        is_own.then(|| wished_name(&named.rule, new))
    };
    let by_prefix = || {
        let rest = object.name.strip_prefix(old)?.strip_prefix('_')?;
        Some(format!("{new}_{rest}"))
    };
    ["pkey", "seq", "not_null"]
        .into_iter()
        .find_map(by_postgres)
        .or_else(by_rule)
        .or_else(by_prefix)
}

/// What has a name of its own: constraints with their indexes, other indexes, sequences that a column owns.
fn named_objects(client: &SpiClient<'_>, table_name: &str) -> Result<Vec<Named>, Error> {
    let rows = client.select(
        "WITH t AS (
             SELECT c.oid FROM pg_catalog.pg_class AS c
             WHERE c.relname = $1::name AND c.relnamespace = pg_catalog.to_regnamespace($2))
         SELECT f.kind, f.name, f.attribute FROM (
             SELECT 'constraint', c.conname::text, a.attname::text
             FROM t JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid
             LEFT JOIN pg_catalog.pg_attribute AS a
                 ON c.contype = 'n' AND a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
             WHERE c.contype IN ('c', 'f', 'n', 'p', 'u', 'x')
             UNION ALL
             SELECT 'index', i.relname::text, NULL
             FROM t JOIN pg_catalog.pg_index AS x ON x.indrelid = t.oid
             JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
             WHERE NOT EXISTS (
                 SELECT FROM pg_catalog.pg_constraint AS c
                 WHERE c.conindid = x.indexrelid AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x'))
             UNION ALL
             SELECT 'sequence', s.relname::text, a.attname::text
             FROM t JOIN pg_catalog.pg_depend AS d
                 ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = t.oid
                 AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
             JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
             WHERE s.relnamespace = pg_catalog.to_regnamespace($2)
         ) AS f (kind, name, attribute)
         ORDER BY f.kind, f.name",
        None,
        &[table_name.into(), SCHEMA.into()],
    )?;
    rows.into_iter()
        .map(|row| {
            Ok(Named {
                kind: row[1].value::<String>()?.unwrap_or_default(),
                name: row[2].value::<String>()?.unwrap_or_default(),
                column: row[3].value::<String>()?,
            })
        })
        .collect()
}
