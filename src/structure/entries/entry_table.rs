//! An entry table ready for use: its validator, and the statements that write to it.
//!
//! A session keeps the tables it has used. Each call asks which version of the structure is in force,
//! after it has locked the table: whoever changes the structure locks it too, so that the answer holds
//! to the end of the transaction. A number of a version is given again where the change was rolled back: who wrote
//! the version counts too, and that nothing about the table, or one that it refers to, has changed since.

use super::statements::{self, Given};
use super::validator::{Column, Comparison, Validator};
use crate::error::Error;
use crate::field_types::kind::{FieldKind, OnDelete};
use crate::ident::qualified;
use crate::pg::array::ElementType;
use crate::pg::plan::{OwnedStatement, Statement};
use crate::pg::relation::{MadeOf, generation};
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::structure::entries::error::EntriesError;
use crate::structure::error::StructureError;
use crate::structure::model::{KeyKind, Method, Operand, Structure, TIMES};
use crate::workspace::WorkspaceError;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

/// The schema of entry tables.
const SCHEMA: &str = "kepler_data";

/// A session keeps so many tables; the least recently used goes first.
const MAX_KEPT: usize = 256;

/// So many statements for changes are kept of a table, one for each set of fields that a batch gives.
const MAX_SHAPES: usize = 8;

/// See the module.
pub(crate) struct EntryTable {
    /// Of `kepler.entry_tables`.
    id: String,
    version: Version,
    pub(crate) relation: pg_sys::Oid,
    made_of: MadeOf,
    /// As SQL names it.
    pub(crate) name: String,
    pub(crate) validator: Validator,
    pub(crate) key_kind: KeyKind,
    /// Whether a trigger of the user's sees new rows before they are written.
    pub(crate) keys_may_change: bool,
    /// Behind a generated key.
    pub(crate) sequence: Option<pg_sys::Oid>,
    /// The key alone is the first.
    pub(crate) unique: Vec<UniqueSet>,
    pub(crate) references: Vec<Reference>,
    pub(crate) insert: OwnedStatement,
    /// Leaves out what meets a stored entry.
    pub(crate) insert_lenient: OwnedStatement,
    pub(crate) lock: OwnedStatement,
    pub(crate) delete: OwnedStatement,
    shapes: RefCell<Vec<Rc<Shape>>>,
}

/// A version of a structure: its number, and the (sub)transaction that wrote it, whose number is never given again.
type Version = (i32, pg_sys::Oid);

/// Columns whose values no two entries share; with each, whether case does not count.
pub(crate) struct UniqueSet {
    pub(crate) columns: Vec<(u16, bool)>,
    pub(crate) find: OwnedStatement,
}

/// A column that holds keys of another entry table, or of this one.
pub(crate) struct Reference {
    pub(crate) column: u16,
    pub(crate) to: String,
    /// The table that it leads to, as SQL names it, and the key there.
    pub(crate) target: String,
    pub(crate) target_key: String,
    pub(crate) to_itself: bool,
    /// Whether an entry goes or stays with the one that it refers to.
    pub(crate) is_tied: bool,
    pub(crate) find_missing: OwnedStatement,
    /// What entries refer to.
    pub(crate) read: OwnedStatement,
}

/// The statements for a batch of changes that gives certain columns.
pub(crate) struct Shape {
    set: usize,
    pub(crate) given: Vec<Given>,
    pub(crate) read: OwnedStatement,
    pub(crate) lock: OwnedStatement,
    pub(crate) update: OwnedStatement,
    /// For the unique sets that it touches, by their places.
    pub(crate) rivals: Vec<(usize, OwnedStatement)>,
}

/// The id of an entry table, its version, and what the table is called.
type Found = (String, Version, String);

thread_local! {
    /// By workspace and record name.
    static FOUND: UntilWritten<(String, String), Found> =
        UntilWritten::of(&[c"entry_tables", c"structures"]);
    static FIND: Statement = const { Statement::new(
        c"SELECT t.id, t.version, t.table_name, s.xmin FROM kepler.entry_tables AS t
          LEFT JOIN kepler.structures AS s
              ON s.workspace_id = t.workspace_id AND s.entry_table_id = t.id
                 AND s.version = t.version
          WHERE t.workspace_id = $1 AND t.record_name = $2 AND t.dropped_at IS NULL",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT id FROM kepler.workspaces WHERE id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static STRUCTURE: Statement = const { Statement::new(
        c"SELECT structure::text FROM kepler.structures
          WHERE workspace_id = $1 AND entry_table_id = $2 AND version = $3",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
    ) };
    static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attname::text, a.atttypid, pg_catalog.format_type(a.atttypid, NULL),
                 f.confrelid, n.nspname::text, c.relname::text, k.attname::text, d.objid,
                 -- Rows (1), before (2), INSERT (4).
                 EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                         WHERE g.tgrelid = a.attrelid AND NOT g.tgisinternal AND g.tgtype & 7 = 7
                             AND g.tgname <> 'zz_kepler_secret_references')
          FROM pg_catalog.pg_attribute AS a
          LEFT JOIN pg_catalog.pg_constraint AS f
              ON f.conrelid = a.attrelid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
          LEFT JOIN pg_catalog.pg_class AS c ON c.oid = f.confrelid
          LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_attribute AS k
              ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
          LEFT JOIN pg_catalog.pg_depend AS d
              ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
                 AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'i'
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
        &[pg_sys::OIDOID],
    ) };
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    tables: HashMap<(String, String), (u64, Rc<EntryTable>)>,
    clock: u64,
}

/// What the catalog says of a column.
struct Attribute {
    name: String,
    type_oid: pg_sys::Oid,
    sql_type: String,
    /// The table it refers to, as SQL names it, and the column there.
    target: Option<(pg_sys::Oid, String, String)>,
    sequence: Option<pg_sys::Oid>,
    /// Of the table: whether it has such triggers.
    triggers: bool,
}

impl EntryTable {
    /// Finds the table of a record name and locks it for writing, to the end of the transaction.
    pub(crate) fn open(
        client: &mut SpiClient<'_>,
        workspace: &str,
        name: &str,
    ) -> Result<Rc<EntryTable>, Error> {
        let place = (workspace.to_owned(), name.to_owned());
        let guess = KEPT.with_borrow(|kept| kept.tables.get(&place).map(|(_, t)| Rc::clone(t)));
        let mut locked = guess.as_ref().map(|table| table.relation);
        if let Some(relation) = locked {
            lock(relation);
        }
        loop {
            let (id, version, table_name) = find(client, workspace, name)?;
            let relation = relation(&table_name);
            if relation == pg_sys::InvalidOid {
                return Err(gone(&table_name));
            }
            if locked != Some(relation) {
                // Not the table of the guess, or there was none. What is in force is asked again.
                locked.into_iter().for_each(unlock);
                lock(relation);
                locked = Some(relation);
                continue;
            }
            if let Some(table) = guess
                && table.id == id
                && table.version == version
                && table.relation == relation
                && table.made_of.is_current()
            {
                keep(place, &table);
                return Ok(table);
            }
            let table = Rc::new(load(client, workspace, id, version, relation, &table_name)?);
            keep(place, &table);
            return Ok(table);
        }
    }

    pub(crate) fn refers_to_itself(&self) -> bool {
        self.references.iter().any(|reference| reference.to_itself)
    }

    /// What is said of a name that no field has.
    pub(crate) fn no_field(&self, table: &str, field: &str) -> EntriesError {
        let meant = self.validator.columns.iter().find(|column| column.column == field);
        EntriesError::NoField {
            table: table.to_owned(),
            field: field.to_owned(),
            meant: meant.map(|column| column.name.clone()),
        }
    }

    /// The place of the unique set that consists of these fields, in any order.
    pub(crate) fn unique_set(&self, table: &str, fields: &[String]) -> Result<usize, Error> {
        let mut wanted = Vec::new();
        for field in fields {
            match self.validator.by_name.get(field.as_bytes()) {
                Some(&column) => wanted.push(column),
                None => return Err(self.no_field(table, field).into()),
            }
        }
        wanted.sort_unstable();
        let is_wanted = |set: &UniqueSet| {
            let mut columns: Vec<u16> = set.columns.iter().map(|(column, _)| *column).collect();
            columns.sort_unstable();
            columns == wanted
        };
        let found = self.unique.iter().position(is_wanted).ok_or_else(|| {
            let name =
                |column: &(u16, bool)| self.validator.columns[column.0 as usize].name.clone();
            let set = |set: &UniqueSet| {
                format!("({})", set.columns.iter().map(name).collect::<Vec<_>>().join(", "))
            };
            EntriesError::NoUniqueSet {
                table: table.to_owned(),
                fields: fields.join(", "),
                known: self.unique.iter().map(set).collect::<Vec<_>>().join(", "),
            }
        });
        Ok(found?)
    }

    /// The statements for changes that find entries by a unique set and give these columns.
    pub(crate) fn shape(&self, set: usize, given: Vec<Given>) -> Rc<Shape> {
        let mut shapes = self.shapes.borrow_mut();
        if let Some(shape) = shapes.iter().find(|s| s.set == set && s.given == given) {
            return Rc::clone(shape);
        }
        let columns = &self.unique[set].columns;
        let touched = |set: &UniqueSet| {
            set.columns.iter().any(|(column, _)| given.iter().any(|(at, _)| at == column))
        };
        let rivals: Vec<(usize, OwnedStatement)> = self
            .unique
            .iter()
            .enumerate()
            .filter(|(_, set)| touched(set))
            .map(|(at, set)| {
                let find =
                    statements::find_rivals(&self.name, &self.validator, &set.columns, &given);
                (at, find)
            })
            .collect();
        // Others may refer to what is unique; a change of it takes the stronger lock.
        let lock = if rivals.is_empty() { "FOR NO KEY UPDATE" } else { "FOR UPDATE" };
        let compare =
            |lock| statements::compare(&self.name, &self.validator, columns, &given, lock);
        let shape = Rc::new(Shape {
            set,
            read: compare(""),
            lock: compare(lock),
            update: statements::update(&self.name, &self.validator, &given),
            rivals,
            given,
        });
        if shapes.len() == MAX_SHAPES {
            shapes.remove(0);
        }
        shapes.push(Rc::clone(&shape));
        shape
    }
}

fn lock(relation: pg_sys::Oid) {
    // SAFETY: a lock that the end of the transaction gives back.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::RowExclusiveLock as i32) };
}

fn unlock(relation: pg_sys::Oid) {
    // SAFETY: gives back what `lock` took.
    unsafe { pg_sys::UnlockRelationOid(relation, pg_sys::RowExclusiveLock as i32) };
}

fn relation(table_name: &str) -> pg_sys::Oid {
    let (Ok(schema), Ok(name)) = (CString::new(SCHEMA), CString::new(table_name)) else {
        return pg_sys::InvalidOid;
    };
    // SAFETY: plain look-ups by name; neither raises where nothing is found.
    unsafe {
        pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(schema.as_ptr(), true))
    }
}

fn find(client: &mut SpiClient<'_>, workspace: &str, name: &str) -> Result<Found, Error> {
    let (workspace_id, record_name) = (Text::new(workspace), Text::new(name));
    let look_up = |_: &_| {
        let rows = FIND.with(|find| {
            find.run_latest(client, &[Some(workspace_id.datum()), Some(record_name.datum())])
        });
        Ok::<_, Error>(rows.iter::<4>().next().and_then(|row| {
            let version = (row.integer(1)?, row.oid(3).unwrap_or(pg_sys::InvalidOid));
            Some((row.text(0)?.to_owned(), version, row.text(2)?.to_owned()))
        }))
    };
    let key = (workspace.to_owned(), name.to_owned());
    if let Some(found) = FOUND.with(|known| known.find(Some(workspace), key, look_up))? {
        return Ok(found);
    }
    let rows = WORKSPACE.with(|find| find.run_latest(client, &[Some(workspace_id.datum())]));
    Err(if rows.count() == 0 {
        WorkspaceError::Missing(workspace.to_owned()).into()
    } else {
        let missing =
            StructureError::Missing { name: name.to_owned(), workspace: workspace.to_owned() };
        missing.into()
    })
}

/// The table or its structure was taken away by other means.
fn gone(table_name: &str) -> Error {
    StructureError::TableGone(table_name.to_owned()).into()
}

fn keep(place: (String, String), table: &Rc<EntryTable>) {
    // What is thrown out is freed after the borrow ends: freeing may raise.
    let _gone = KEPT.with_borrow_mut(|kept| {
        kept.clock += 1;
        let mut gone = vec![kept.tables.insert(place, (kept.clock, Rc::clone(table)))];
        if kept.tables.len() > MAX_KEPT
            && let Some(oldest) =
                kept.tables.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone())
        {
            gone.push(kept.tables.remove(&oldest));
        }
        gone
    });
}

fn load(
    client: &mut SpiClient<'_>,
    workspace: &str,
    id: String,
    version: Version,
    relation: pg_sys::Oid,
    table_name: &str,
) -> Result<EntryTable, Error> {
    let at = generation();
    let structure = {
        let (workspace_id, table_id) = (Text::new(workspace), Text::new(&id));
        let version = Some(pg_sys::Datum::from(version.0));
        let rows = STRUCTURE.with(|statement| {
            let parameters = [Some(workspace_id.datum()), Some(table_id.datum()), version];
            statement.run_latest(client, &parameters)
        });
        let text = rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned));
        let text = text.ok_or_else(|| gone(table_name))?;
        Structure::from_document(&text).map_err(|_| gone(table_name))?
    };
    let rows = COLUMNS
        .with(|statement| statement.run_latest(client, &[Some(pg_sys::Datum::from(relation))]));
    let attributes: Vec<Attribute> = rows
        .iter::<9>()
        .filter_map(|row| {
            Some(Attribute {
                name: row.text(0)?.to_owned(),
                type_oid: row.oid(1)?,
                sql_type: row.text(2)?.to_owned(),
                target: row.oid(3).and_then(|target| {
                    Some((target, qualified(row.text(4)?, row.text(5)?), row.text(6)?.to_owned()))
                }),
                sequence: row.oid(7),
                triggers: row.boolean(8)?,
            })
        })
        .collect();
    drop(rows);
    let targets = attributes.iter().filter_map(|a| a.target.as_ref().map(|target| target.0));
    let made_of = MadeOf::tables(std::iter::once(relation).chain(targets).collect(), at);
    compile(structure, (id, version), (relation, made_of), table_name, &attributes)
}

/// The table as the structure and the catalog together say.
fn compile(
    structure: Structure,
    (id, version): (String, Version),
    (relation, made_of): (pg_sys::Oid, MadeOf),
    table_name: &str,
    attributes: &[Attribute],
) -> Result<EntryTable, Error> {
    let name = qualified(SCHEMA, table_name);
    let attribute = |column: &str| {
        attributes.iter().find(|attribute| attribute.name == column).ok_or_else(|| {
            EntriesError::ColumnMissing { table: name.clone(), column: column.to_owned() }
        })
    };
    let key = attribute(structure.key.column())?;
    let mut columns = vec![Column::key(&structure.key, key.sql_type.clone())];
    for field in &structure.fields {
        let attribute = attribute(field.column())?;
        let kind = match &field.kind {
            FieldKind::Reference { .. } => match attribute.type_oid {
                pg_sys::INT8OID => FieldKind::Bigint,
                pg_sys::UUIDOID => FieldKind::Uuid,
                _ => FieldKind::Text { max_length: None },
            },
            kind => kind.clone(),
        };
        let indexed = field.unique
            || matches!(field.kind, FieldKind::Reference { .. })
            || structure.unique.iter().any(|set| set.contains(&field.name))
            || structure.indexes.iter().any(|index| {
                index.method == Method::Btree
                    && index.columns.iter().any(|column| column.name == field.name)
            });
        let vector = ElementType::varlena(attribute.type_oid);
        columns.push(Column::field(field, kind, vector, attribute.sql_type.clone(), indexed));
    }
    for time in TIMES {
        columns.push(Column::clock(time, attribute(time)?.sql_type.clone()));
    }
    let by_name: HashMap<Vec<u8>, u16> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| (column.name.clone().into_bytes(), at as u16))
        .collect();
    let place = |name: &str| by_name.get(name.as_bytes()).copied();
    let mut comparisons = Vec::new();
    for check in &structure.checks {
        let Some(left) = place(&check.field) else { continue };
        match &check.operand {
            Operand::Value(value) => columns[left as usize].add_bound(check.op, value),
            Operand::Field(right) => {
                if let Some(right) = place(right) {
                    comparisons.push(Comparison { left, op: check.op, right });
                }
            }
        }
    }
    let validator = Validator { columns, by_name, comparisons };
    let mut sets = vec![vec![(0, false)]];
    let member = |field: &str| {
        let case_insensitive = structure.field(field).is_some_and(|f| f.case_insensitive);
        validator.by_name.get(field.as_bytes()).map(|&at| (at, case_insensitive))
    };
    for field in structure.fields.iter().filter(|field| field.unique) {
        sets.push(member(&field.name).into_iter().collect());
    }
    for fields in &structure.unique {
        sets.push(fields.iter().filter_map(|field| member(field)).collect());
    }
    let unique = sets
        .into_iter()
        .map(|columns| UniqueSet {
            find: statements::find_by(&name, &validator, &columns),
            columns,
        })
        .collect();
    let mut references = Vec::new();
    for (at, field) in structure.fields.iter().enumerate() {
        let FieldKind::Reference { to, on_delete } = &field.kind else { continue };
        // Without its constraint a reference is only a value.
        let Some((target, target_name, target_key)) = &attribute(field.column())?.target else {
            continue;
        };
        let column = at as u16 + 1;
        references.push(Reference {
            column,
            to: to.clone(),
            target: target_name.clone(),
            target_key: target_key.clone(),
            to_itself: *target == relation,
            is_tied: *on_delete != OnDelete::SetNull,
            read: statements::read_by_key(&name, &validator, column),
            find_missing: statements::find_missing(
                target_name,
                target_key,
                &validator.columns[column as usize],
            ),
        });
    }
    Ok(EntryTable {
        id,
        version,
        relation,
        made_of,
        key_kind: structure.key.kind,
        keys_may_change: key.triggers,
        sequence: key.sequence,
        insert: statements::insert(&name, &validator, false),
        insert_lenient: statements::insert(&name, &validator, true),
        lock: statements::lock_by_key(&name, &validator),
        delete: statements::delete_by_key(&name, &validator),
        unique,
        references,
        validator,
        name,
        shapes: RefCell::default(),
    })
}
