//! What the history knows of a tracked table: its columns, and under which number they are listed.
//!
//! An image names columns as they were called then. So that it can be read when they are called otherwise, each
//! layout of a table that is written under is listed in `history_shapes`, with the numbers that Postgres gives columns.

use super::error::HistoryError;
use super::image::Spelling;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::feed::error::FeedError;
use crate::feed::shape as feed;
use crate::feed::tell::Numbers;
use crate::pg::append::Append;
use crate::pg::cluster::part;
use crate::pg::plan::Statement;
use crate::pg::relation::{self, MadeOf, generation};
use crate::pg::row_change::attribute;
use crate::pg::undone;
use crate::pg::varlena::{self, Text};
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::rc::Rc;

thread_local! {
    /// Columns of a table whose values are never kept: what any version of its structure, or of its blueprint, says is
    /// sensitive.
    static SENSITIVE: Statement = const { Statement::new(
        c"SELECT COALESCE(f.value ->> 'column', f.value ->> 'name')
          FROM kepler.entry_tables AS e
          JOIN kepler.structures AS s ON s.workspace_id = e.workspace_id AND s.entry_table_id = e.id
          CROSS JOIN LATERAL jsonb_array_elements(s.structure -> 'fields') AS f (value)
          WHERE $1 = 'kepler_data' AND e.table_name = $2 AND f.value -> 'sensitive' <> 'false'
          UNION
          SELECT h.column_name
          FROM kepler.entry_tables AS e
          JOIN kepler.structures AS s ON s.workspace_id = e.workspace_id AND s.entry_table_id = e.id
          CROSS JOIN LATERAL jsonb_array_elements(s.structure -> 'fields') AS f (value)
          JOIN kepler.hidden_fields AS h ON h.workspace_id = e.workspace_id AND h.entry_table_id = e.id
              AND h.field_name = f.value ->> 'name'
          WHERE $1 = 'kepler_data' AND e.table_name = $2 AND f.value -> 'sensitive' <> 'false'
          UNION
          SELECT COALESCE(f.value ->> 'column', f.value ->> 'name')
          FROM kepler.blueprint_tables AS t
          JOIN kepler.blueprint_versions AS v ON v.blueprint_name = t.blueprint_name
          CROSS JOIN LATERAL json_array_elements(v.document -> 'tables') AS m (value)
          CROSS JOIN LATERAL json_array_elements(m.value -> 'fields') AS f (value)
          WHERE t.schema_name = $1 AND t.table_name = $2 AND m.value ->> 'name' = t.name
              AND f.value ->> 'sensitive' <> 'false'",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    /// Whether a table is the one that is tracked under a number: it has the name, or no other one has triggers with the
    /// number. Of a partition the whole counts.
    static TRACKED: Statement = const { Statement::new(
        c"SELECT t.untracked_at IS NULL AND (t.name = $2 OR NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              JOIN pg_catalog.pg_trigger AS g ON g.oid = d.objid AND g.tgparentid = 0
                  AND g.tgrelid <> $3 AND g.tgrelid IS DISTINCT FROM pg_catalog.pg_partition_root($3)
                  AND pg_catalog.substring(g.tgargs, 1, pg_catalog.length(t.id::text) + 1)
                      = pg_catalog.convert_to(t.id::text, 'UTF8') || '\\x00'::bytea
              WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                  AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.refobjid = 'kepler_internal.tell_history()'::pg_catalog.regprocedure))
          FROM kepler.tracked_tables AS t WHERE t.id = $1 AND t.level <> 'feed'",
        &[pg_sys::INT4OID, pg_sys::TEXTOID, pg_sys::OIDOID],
    ) };
    static LISTED: Statement = const { Statement::new(
        c"SELECT s.id, s.columns = $4::jsonb AND s.table_name = $5 FROM kepler.history_shapes AS s
          WHERE s.table_id = $1 AND s.epoch = $2 AND s.relation = $3 ORDER BY s.id DESC LIMIT 1",
        &[pg_sys::INT4OID, pg_sys::INT4OID, pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    /// The column that says whose a row of a blueprint's table is: the one that its policy names.
    static TENANCY: Statement = const { Statement::new(
        c"SELECT a.attname::text
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          JOIN kepler.blueprint_tables AS t ON t.schema_name = n.nspname AND t.table_name = c.relname
          JOIN kepler.blueprints AS b ON b.name = t.blueprint_name AND b.workspace_id IS NULL
          JOIN pg_catalog.pg_policy AS y ON y.polrelid = c.oid AND y.polname = 'workspace'
          JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = y.oid
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
          WHERE c.oid = $1 ORDER BY a.attnum LIMIT 1",
        &[pg_sys::OIDOID],
    ) };
    static KNOWN: RefCell<HashMap<pg_sys::Oid, (MadeOf, Rc<Shape>)>> = RefCell::default();
}

/// A session knows so many tables.
const MAX_KNOWN: usize = 256;

pub(super) struct Column {
    pub(super) number: i16,
    pub(super) name: String,
    /// Of a domain the type below it.
    pub(super) type_name: String,
    pub(super) spelling: Spelling,
    /// That it was changed is told, and no value.
    pub(super) is_sensitive: bool,
}

pub(super) struct Shape {
    pub(super) row: Rc<feed::Shape>,
    /// Where rows have their workspace.
    pub(super) workspace: Option<feed::Column>,
    pub(super) columns: Vec<Column>,
    /// Whether texts may depend on settings of the session.
    pub(super) is_printed: bool,
    /// Whether a name among the values could depend on the search path.
    pub(super) has_names: bool,
    /// The number that it is listed under, of which table, and when that was learnt.
    listed: Cell<Option<(i32, i32, i64, u64)>>,
}

/// The shape of a table that is open.
pub(super) fn of(table: pg_sys::Relation) -> Result<Rc<Shape>, Error> {
    // SAFETY: the table is open.
    let oid = unsafe { (*table).rd_id };
    let known = KNOWN.with_borrow(|known| {
        known.get(&oid).filter(|(made_of, _)| made_of.is_current()).map(|(_, shape)| shape.clone())
    });
    if let Some(shape) = known {
        return Ok(shape);
    }
    let at = generation();
    let row = feed::of(table)?;
    // SAFETY: the table is open.
    let columns = columns(oid, unsafe { (*table).rd_att })?;
    let is_printed = row.is_printed() || columns.iter().any(|column| column.spelling.is_printed());
    let has_names = columns.iter().any(|column| column.type_name.starts_with("reg"));
    let workspace = match row.workspace {
        Some(column) => Some(column),
        None => tenancy(oid)?
            .and_then(|name| feed::named_column(oid, &CString::new(name).unwrap_or_default())),
    };
    let listed = Cell::new(None);
    let shape = Rc::new(Shape { row, workspace, columns, is_printed, has_names, listed });
    let named = |name| relation::named(c"kepler", name);
    let mut made_of = vec![oid];
    made_of.extend([c"structures", c"blueprint_versions"].into_iter().filter_map(named));
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(oid, (MadeOf::tables(made_of, at), shape.clone()));
    });
    Ok(shape)
}

/// The column that has the workspace of a row, in a blueprint's table without `workspace_id`.
pub(super) fn tenancy(table: pg_sys::Oid) -> Result<Option<String>, Error> {
    let owner = Owner::find()?;
    if relation::owner(table) != owner.role() {
        return Ok(None);
    }
    let _owner = owner.act();
    Ok(Spi::connect_mut(|client| {
        let rows = TENANCY.with(|plan| plan.run_latest(client, &[Some(table.into())]));
        rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned))
    }))
}

/// The columns of a table that hold values of their own.
pub(super) fn columns(
    table: pg_sys::Oid,
    description: pg_sys::TupleDesc,
) -> Result<Vec<Column>, Error> {
    let sensitive = sensitive(table)?;
    let mut columns = Vec::new();
    // SAFETY: the description is that of the table, which exists; names are C strings.
    unsafe {
        for number in 1..=(*description).natts {
            let found = &*attribute(description, number as usize);
            // What is computed where it is read is not stored.
            if found.attisdropped || found.attgenerated as u8 == b'v' {
                continue;
            }
            let name = CStr::from_ptr(found.attname.data.as_ptr()).to_string_lossy().into_owned();
            let base = pg_sys::getBaseType(found.atttypid);
            let type_name = CStr::from_ptr(pg_sys::format_type_be(base)).to_string_lossy();
            columns.push(Column {
                number: number as i16,
                is_sensitive: sensitive.contains(&name),
                name,
                type_name: type_name.into_owned(),
                spelling: Spelling::of(found.atttypid),
            });
        }
    }
    Ok(columns)
}

/// The columns of a table whose values are never kept.
pub(super) fn sensitive(table: pg_sys::Oid) -> Result<HashSet<String>, Error> {
    // SAFETY: look-ups of a table that exists, which give C strings, or null.
    let (schema, name) = unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(table));
        let name = pg_sys::get_rel_name(table);
        if schema.is_null() || name.is_null() {
            return Ok(HashSet::new());
        }
        (CStr::from_ptr(schema).to_string_lossy(), CStr::from_ptr(name).to_string_lossy())
    };
    if schema == "kepler" {
        return Ok(HashSet::new());
    }
    let (schema, name) = (Text::new(&schema), Text::new(&name));
    let _owner = Owner::find()?.act();
    Ok(Spi::connect_mut(|client| {
        let parameters = [Some(schema.datum()), Some(name.datum())];
        let rows = SENSITIVE.with(|plan| plan.run_latest(client, &parameters));
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
    }))
}

impl Shape {
    /// The columns as they are listed: with the numbers that they have in the table. A shard that came from another node lacks columns
    /// that were dropped, and counts the others otherwise.
    fn description(&self, own: pg_sys::Oid, table: pg_sys::Oid) -> String {
        let number = |column: &Column| match own == table {
            true => column.number,
            false => feed::named(table, &CString::new(column.name.as_str()).unwrap_or_default())
                .unwrap_or(column.number),
        };
        let column = |column: &Column| {
            let mut described =
                json!({"number": number(column), "name": column.name, "type": column.type_name});
            if column.is_sensitive {
                described["sensitive"] = true.into();
            }
            described
        };
        serde_json::Value::Array(self.columns.iter().map(column).collect()).to_string()
    }

    /// The number that the shape is listed under. A table that was changed, or that came with a restore, is listed anew.
    pub(super) fn listed(
        &self,
        relation: pg_sys::Oid,
        table_id: i32,
        (epoch, xid, now): (i32, u64, i64),
        numbers: &mut Numbers,
    ) -> Result<i64, Error> {
        if let Some((of, in_epoch, id, moment)) = self.listed.get()
            && (of, in_epoch) == (table_id, epoch)
            && undone::holds(moment)
        {
            return Ok(id);
        }
        let moment = undone::moment();
        // Of a shard the table that it is of: its name is known, and everybody asks for it.
        let own = relation;
        let relation = part::whole(own);
        require_tracked(relation, table_id)?;
        let columns = self.description(own, relation);
        let text = Text::new(&columns);
        let name = Text::new(&name_of(relation));
        let found = {
            let _owner = Owner::find()?.act();
            Spi::connect_mut(|client| {
                let parameters = [
                    Some(table_id.into()),
                    Some(epoch.into()),
                    Some(relation.into()),
                    Some(text.datum()),
                    Some(name.datum()),
                ];
                let rows = LISTED.with(|plan| plan.run_latest(client, &parameters));
                rows.iter::<2>()
                    .next()
                    .and_then(|row| row.boolean(1).filter(|same| *same).and_then(|_| row.bigint(0)))
            })
        };
        let id = match found {
            Some(id) => id,
            None => {
                let id = numbers.next();
                let shapes =
                    relation::named(c"kepler", c"history_shapes").ok_or(FeedError::NoPlace)?;
                let names = [
                    c"id",
                    c"xid",
                    c"created_at",
                    c"epoch",
                    c"table_id",
                    c"relation",
                    c"table_name",
                    c"columns",
                ];
                let mut append = Append::open(shapes, names).ok_or(FeedError::NoPlace)?;
                let document = crate::json::Json::parse(&columns)
                    .ok()
                    .and_then(|document| crate::pg::json::Stored::of(&document));
                append.push([
                    Some(id.into()),
                    Some(pg_sys::Datum::from(xid)),
                    Some(now.into()),
                    Some(epoch.into()),
                    Some(table_id.into()),
                    Some(relation.into()),
                    Some(name.datum()),
                    document.map(|document| document.0),
                ]);
                append.finish();
                id
            }
        };
        self.listed.set(Some((table_id, epoch, id, moment)));
        Ok(id)
    }
}

/// The name of a table; of a shard that of the table it is of.
fn name_of(relation: pg_sys::Oid) -> String {
    relation::spelled(part::whole(relation)).unwrap_or_default()
}

/// Who may execute the trigger function could make a trigger on a table of theirs that tells of another one's history.
fn require_tracked(relation: pg_sys::Oid, table_id: i32) -> Result<(), Error> {
    let name = name_of(relation);
    let text = Text::new(&name);
    let is_tracked = {
        let _owner = Owner::find()?.act();
        Spi::connect_mut(|client| {
            let parameters = [Some(table_id.into()), Some(text.datum()), Some(relation.into())];
            let rows = TRACKED.with(|plan| plan.run_latest(client, &parameters));
            rows.iter::<1>().next().and_then(|row| row.boolean(0))
        })
    };
    if is_tracked == Some(true) {
        return Ok(());
    }
    Err(HistoryError::Forged(name).into())
}

/// The text of a datum of the type `text`, copied.
pub(super) fn text(datum: Option<pg_sys::Datum>) -> Option<String> {
    // SAFETY: a text of a row that is there.
    datum.map(|datum| unsafe { varlena::text(datum) }.to_owned())
}

/// Refuses a table whose key holds values that are never kept: it stands in each row of the history.
pub(super) fn require_plain_key(table: pg_sys::Oid) -> Result<(), Error> {
    let sensitive = sensitive(table)?;
    if sensitive.is_empty() {
        return Ok(());
    }
    // SAFETY: the table exists; the lock stays.
    let (key, columns) = unsafe {
        let opened = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let found = feed::of(opened)
            .and_then(|row| Ok((row.key.clone(), columns(table, (*opened).rd_att)?)));
        pg_sys::table_close(opened, pg_sys::NoLock as i32);
        found?
    };
    let is_sensitive = |column: &&Column| {
        column.is_sensitive && key.iter().any(|of_key| of_key.number == column.number)
    };
    match columns.iter().find(is_sensitive) {
        Some(column) => Err(HistoryError::SensitiveKey(column.name.clone()).into()),
        None => Ok(()),
    }
}
