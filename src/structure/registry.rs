//! Which entry tables there are, which versions of their structures, and which of their fields are
//! hidden: the tables of `sql/schema/0003_entry_tables.sql`.

use super::document::Problem;
use super::error::{Document, StructureError};
use super::json_schema;
use super::model::Structure;
use super::table::{Keyed, Table};
use crate::error::Error;
use crate::json::Json;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::{SpiClient, SpiTupleTable};
use std::collections::HashMap;
use std::ffi::CStr;

/// Where entry tables live.
pub(crate) const SCHEMA: &str = "kepler_data";

/// An entry table at one version of its structure.
pub(crate) struct EntryTable {
    pub(crate) id: String,
    pub(crate) record_name: String,
    pub(crate) number: i64,
    pub(crate) table_name: String,
    pub(crate) version: i32,
    pub(crate) structure: Structure,
}

/// Which of the tables that had a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    InUse,
    /// The one dropped last.
    Dropped,
}

macro_rules! entry_tables {
    ($which:literal) => {
        concat!(
            "SELECT t.id, t.record_name, t.number, t.table_name, t.version, s.structure::text
             FROM kepler.entry_tables AS t
             JOIN kepler.structures AS s
                 ON s.workspace_id = t.workspace_id AND s.entry_table_id = t.id
                     AND s.version = t.version
             WHERE t.workspace_id = $1 AND t.record_name = $2 AND ",
            $which,
            "\0"
        )
    };
}

thread_local! {
    // What is in force, as the catalog is read beside it, and not what an older snapshot has.
    static IN_USE: Statement = const { Statement::new(
        sql(entry_tables!("t.dropped_at IS NULL")),
        &[pg_sys::TEXTOID; 2],
    ) };
    static DROPPED: Statement = const { Statement::new(
        sql(entry_tables!("t.dropped_at IS NOT NULL ORDER BY t.dropped_at DESC LIMIT 1")),
        &[pg_sys::TEXTOID; 2],
    ) };
}

const fn sql(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(sql) => sql,
        Err(_) => unreachable!(),
    }
}

/// The entry table of a name.
pub(crate) fn find(
    client: &SpiClient<'_>,
    workspace_id: &str,
    name: &str,
    state: State,
) -> Result<Option<EntryTable>, Error> {
    let (workspace_id, name) = (Text::new(workspace_id), Text::new(name));
    let parameters = [Some(workspace_id.datum()), Some(name.datum())];
    let rows = match state {
        State::InUse => IN_USE.with(|statement| statement.run_latest(client, &parameters)),
        State::Dropped => DROPPED.with(|statement| statement.run_latest(client, &parameters)),
    };
    let found = rows.iter::<6>().next();
    found
        .map(|row| {
            let text = |at: usize| row.text(at).unwrap_or_default().to_owned();
            Ok(EntryTable {
                id: text(0),
                record_name: text(1),
                number: row.bigint(2).unwrap_or_default(),
                table_name: text(3),
                version: row.integer(4).unwrap_or_default(),
                structure: parse(&text(5))?,
            })
        })
        .transpose()
}

/// The same; fails if it does not exist.
pub(crate) fn require(
    client: &SpiClient<'_>,
    workspace_id: &str,
    name: &str,
) -> Result<EntryTable, Error> {
    find(client, workspace_id, name, State::InUse)?.ok_or_else(|| missing(workspace_id, name))
}

pub(crate) fn missing(workspace_id: &str, name: &str) -> Error {
    let (name, workspace) = (name.to_owned(), workspace_id.to_owned());
    StructureError::Missing { name, workspace }.into()
}

/// Reads a document, native or JSON Schema; pointers lead into the one that was given.
pub(crate) fn parse(text: &str) -> Result<Structure, StructureError> {
    let given = Json::parse(text).map_err(|broken| Document::Structure.broken(broken))?;
    if !json_schema::is_schema(&given) {
        return Structure::from_json(&given).map_err(|found| Document::Structure.invalid(found));
    }
    let problem = |(pointer, message)| Problem { pointer, message };
    let converted = json_schema::to_document(&given)
        .map_err(|found| Document::Structure.invalid(found.into_iter().map(problem).collect()))?;
    Structure::from_json(&converted.document).map_err(|found| {
        let located = found.into_iter().map(|Problem { pointer, message }| Problem {
            pointer: converted.locate(&pointer),
            message,
        });
        Document::Structure.invalid(located.collect())
    })
}

/// The tables that references name, by record name.
pub(crate) struct Targets {
    by_name: HashMap<String, Keyed>,
}

impl Targets {
    /// All tables in use in a workspace that a structure refers to. Of the table under the structure
    /// itself, `own` tells what it is called.
    pub(crate) fn load(
        client: &SpiClient<'_>,
        workspace_id: &str,
        structure: &Structure,
        own: (&str, &str),
    ) -> Result<Self, Error> {
        let mut by_name = HashMap::new();
        for to in structure.references() {
            if by_name.contains_key(to) {
                continue;
            }
            let target = if to == own.0 {
                Some(Keyed {
                    schema: SCHEMA.to_owned(),
                    table: own.1.to_owned(),
                    key: structure.key.clone(),
                })
            } else {
                find(client, workspace_id, to, State::InUse)?.map(|table| Keyed {
                    schema: SCHEMA.to_owned(),
                    table: table.table_name,
                    key: table.structure.key,
                })
            };
            by_name.extend(target.map(|target| (to.to_owned(), target)));
        }
        Ok(Self { by_name })
    }

    /// The table that a structure asks for, or the references that lead nowhere.
    pub(crate) fn table(
        &self,
        structure: &Structure,
        workspace_id: &str,
    ) -> Result<Table, StructureError> {
        let problems: Vec<_> = structure
            .references_at()
            .filter(|(_, to)| !self.by_name.contains_key(*to))
            .map(|(at, to)| Problem {
                pointer: format!("/fields/{at}/to"),
                message: format!(
                    "entry table \"{to}\" does not exist in workspace \"{workspace_id}\""
                ),
            })
            .collect();
        if !problems.is_empty() {
            return Err(Document::Structure.invalid(problems));
        }
        Table::of(structure, &|to| self.by_name.get(to).cloned())
            .map_err(|to| StructureError::Missing { name: to, workspace: workspace_id.to_owned() })
    }
}

/// Record names of tables in use that refer to another, itself not counted.
pub(crate) fn referring(
    client: &SpiClient<'_>,
    workspace_id: &str,
    name: &str,
) -> Result<Vec<String>, Error> {
    let rows = client.select(
        "SELECT t.record_name
         FROM kepler.entry_tables AS t
         JOIN kepler.structures AS s
             ON s.workspace_id = t.workspace_id AND s.entry_table_id = t.id AND s.version = t.version
         WHERE t.workspace_id = $1 AND t.dropped_at IS NULL AND t.record_name <> $2
             AND EXISTS (
                 SELECT FROM pg_catalog.jsonb_array_elements(s.structure -> 'fields') AS f
                 WHERE f ->> 'type' = 'reference' AND f ->> 'to' = $2)
         ORDER BY t.record_name",
        None,
        &[workspace_id.into(), name.into()],
    )?;
    texts(rows)
}

/// Locks a table's row and those of the tables in use that refer to it, to the end of the transaction.
pub(crate) fn lock_referring(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    id: &str,
    name: &str,
) -> Result<(), Error> {
    client.update(
        "SELECT FROM kepler.entry_tables AS t
         WHERE t.workspace_id = $1 AND (t.id = $2 OR t.dropped_at IS NULL AND EXISTS (
             SELECT FROM kepler.structures AS s
             CROSS JOIN pg_catalog.jsonb_array_elements(s.structure -> 'fields') AS f
             WHERE s.workspace_id = t.workspace_id AND s.entry_table_id = t.id AND s.version = t.version
                 AND f ->> 'type' = 'reference' AND f ->> 'to' = $3))
         ORDER BY t.id FOR UPDATE OF t",
        None,
        &[workspace_id.into(), id.into(), name.into()],
    )?;
    Ok(())
}

/// Notes the new name of a table, in its structure and wherever a version of any structure refers to it: a field that
/// comes back refers to it as well.
pub(crate) fn rename(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    table: &EntryTable,
    new_name: &str,
    table_name: &str,
) -> Result<(), Error> {
    client.update(
        "UPDATE kepler.entry_tables SET record_name = $3, table_name = $4
         WHERE workspace_id = $1 AND id = $2",
        None,
        &[workspace_id.into(), table.id.as_str().into(), new_name.into(), table_name.into()],
    )?;
    client.update(
        "UPDATE kepler.structures AS s
         SET structure = pg_catalog.jsonb_set(s.structure, '{name}', pg_catalog.to_jsonb($4))
         WHERE s.workspace_id = $1 AND s.entry_table_id = $2 AND s.version = $3",
        None,
        &[workspace_id.into(), table.id.as_str().into(), table.version.into(), new_name.into()],
    )?;
    client.update(
        "UPDATE kepler.structures AS s
         SET structure = pg_catalog.jsonb_set(s.structure, '{fields}', (
             SELECT pg_catalog.jsonb_agg(CASE
                 WHEN f.field ->> 'type' = 'reference' AND f.field ->> 'to' = $2
                 THEN pg_catalog.jsonb_set(f.field, '{to}', pg_catalog.to_jsonb($3)) ELSE f.field END
                 ORDER BY f.place)
             FROM pg_catalog.jsonb_array_elements(s.structure -> 'fields')
                 WITH ORDINALITY AS f (field, place)))
         WHERE s.workspace_id = $1 AND EXISTS (
             SELECT FROM pg_catalog.jsonb_array_elements(s.structure -> 'fields') AS f
             WHERE f ->> 'type' = 'reference' AND f ->> 'to' = $2)",
        None,
        &[workspace_id.into(), table.record_name.as_str().into(), new_name.into()],
    )?;
    Ok(())
}

/// The first column.
pub(crate) fn texts(rows: SpiTupleTable<'_>) -> Result<Vec<String>, Error> {
    rows.into_iter().map(|row| Ok(row[1].value::<String>()?.unwrap_or_default())).collect()
}

/// Notes a new table and its first version.
pub(crate) fn insert(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    name: &str,
    (number, table_name): (i64, &str),
    structure: &Structure,
    plan: &str,
) -> Result<(), Error> {
    let id = crate::id::new_id();
    let inserted = client.update(
        "INSERT INTO kepler.entry_tables (workspace_id, id, record_name, number, table_name)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (workspace_id, record_name) WHERE dropped_at IS NULL DO NOTHING RETURNING 1",
        None,
        &[workspace_id.into(), id.as_str().into(), name.into(), number.into(), table_name.into()],
    )?;
    if inserted.is_empty() {
        return Err(StructureError::Exists(name.to_owned()).into());
    }
    insert_version(client, workspace_id, &id, 1, structure, plan)
}

fn insert_version(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    id: &str,
    version: i32,
    structure: &Structure,
    plan: &str,
) -> Result<(), Error> {
    client.update(
        "INSERT INTO kepler.structures (workspace_id, entry_table_id, version, structure, plan)
         VALUES ($1, $2, $3, $4::pg_catalog.jsonb, $5::pg_catalog.jsonb)",
        None,
        &[
            workspace_id.into(),
            id.into(),
            version.into(),
            structure.to_document().to_string().into(),
            plan.into(),
        ],
    )?;
    Ok(())
}

/// Makes the next version of a table the present one, and gives its number.
pub(crate) fn advance(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    table: &EntryTable,
    structure: &Structure,
    plan: &str,
) -> Result<i32, Error> {
    let version = table.version + 1;
    insert_version(client, workspace_id, &table.id, version, structure, plan)?;
    client.update(
        "UPDATE kepler.entry_tables SET version = $3 WHERE workspace_id = $1 AND id = $2",
        None,
        &[workspace_id.into(), table.id.as_str().into(), version.into()],
    )?;
    Ok(version)
}

/// Notes that a column keeps the data of a field that the present version is the last to have.
pub(crate) fn hide(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    table: &EntryTable,
    field: &str,
    column: &str,
) -> Result<(), Error> {
    client.update(
        "INSERT INTO kepler.hidden_fields (workspace_id, entry_table_id, field_name, column_name, version)
         VALUES ($1, $2, $3, $4, $5)",
        None,
        &[
            workspace_id.into(),
            table.id.as_str().into(),
            field.into(),
            column.into(),
            table.version.into(),
        ],
    )?;
    Ok(())
}

/// A hidden field, and the last version that had it.
pub(crate) struct HiddenField {
    pub(crate) id: i64,
    pub(crate) column: String,
    pub(crate) structure: Structure,
}

/// The field of a name that was hidden last.
pub(crate) fn find_hidden(
    client: &SpiClient<'_>,
    workspace_id: &str,
    table: &EntryTable,
    field: &str,
) -> Result<HiddenField, Error> {
    let rows = client.select(
        "SELECT h.id, h.column_name, s.structure::text
         FROM kepler.hidden_fields AS h
         JOIN kepler.structures AS s
             ON s.workspace_id = h.workspace_id AND s.entry_table_id = h.entry_table_id
             AND s.version = h.version
         WHERE h.workspace_id = $1 AND h.entry_table_id = $2 AND h.field_name = $3
         ORDER BY h.version DESC LIMIT 1",
        None,
        &[workspace_id.into(), table.id.as_str().into(), field.into()],
    )?;
    let row = rows.into_iter().next().ok_or_else(|| StructureError::NotHidden {
        table: table.record_name.clone(),
        field: field.to_owned(),
    })?;
    Ok(HiddenField {
        id: row[1].value::<i64>()?.unwrap_or_default(),
        column: row[2].value::<String>()?.unwrap_or_default(),
        structure: parse(&row[3].value::<String>()?.unwrap_or_default())?,
    })
}

/// Forgets a hidden field: it is back, or gone.
pub(crate) fn forget_hidden(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    hidden: &HiddenField,
) -> Result<(), Error> {
    client.update(
        "DELETE FROM kepler.hidden_fields WHERE workspace_id = $1 AND id = $2",
        None,
        &[workspace_id.into(), hidden.id.into()],
    )?;
    Ok(())
}
