//! The list of policies: read and written as the owner of Kepler's tables.
//!
//! A policy names its table and column by Postgres' numbers, which follow a rename, within the database that they are of; in a
//! copy of it, by their names. A table that was dropped and made anew is another one, whatever it is called: once that was found
//! it is noted, so that copies know it too.

use super::error::RetentionError;
use super::subject::{Kind as SubjectKind, Subject};
use super::terms::Kind;
use crate::access::owner::{Owner, RETENTION_POLICIES};
use crate::error::Error;
use crate::pg::clock::{moment, now};
use crate::pg::query::Parameters;
use crate::pg::{relation, role};
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::ffi::CString;

/// A policy, and how far it has come.
pub(super) struct Policy {
    pub(super) id: i64,
    /// None for all rows.
    pub(super) workspace: Option<String>,
    pub(super) table: String,
    relation: pg_sys::Oid,
    is_here: bool,
    /// Whether a run has found its table gone: what has its name now, here or in a copy, is another one.
    is_lost: bool,
    owner_name: String,
    pub(super) time_column: String,
    time_column_number: i16,
    /// Of the column; known once the policy was found to hold.
    pub(super) kind: Kind,
    /// A `jsonb` behind its length word.
    pub(super) filter: Option<Vec<u8>>,
    /// What is older goes, but for floors.
    pub(super) cutoff: i64,
    pub(super) place: Place,
    /// Whether a pass has just come to its end, which nobody was told yet.
    pub(super) has_just_ended: bool,
}

/// How far a pass has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) relation: Option<pg_sys::Oid>,
    pub(super) after: Option<i64>,
    pub(super) block: i64,
    pub(super) has_begun: bool,
}

impl Place {
    /// The beginning of a table.
    pub(super) fn at(relation: pg_sys::Oid) -> Self {
        Self { relation: Some(relation), after: None, block: 0, has_begun: true }
    }
}

/// The database of a policy whose table was found to be gone.
const LOST: &str = "";

/// What Postgres calls a column that was dropped.
const DROPPED: &str = "........pg.dropped.";

/// This database among all.
pub(super) fn database_id() -> String {
    // SAFETY: a variable that is set when the session begins.
    let database = pg_sys::Oid::from(unsafe { pg_sys::MyDatabaseId.to_u32() });
    role::identity(database)
}

const COLUMNS: &str =
    "p.id, p.workspace_id, p.table_name, p.relation, p.database_id, p.owner_name, p.time_column,
    p.time_column_number::pg_catalog.int4, p.filter,
    pg_catalog.timezone('UTC', pg_catalog.timezone('UTC', pg_catalog.now()) - p.keep),
    p.place_relation, p.place_at, p.place_block, p.pass_began_at IS NOT NULL,
    p.pass_began_at IS NULL AND p.pass_ended_at > pg_catalog.clock_timestamp() - interval '1 minute'
        AND p.place_relation IS NOT NULL";

/// The policy with a number, or all of them.
pub(super) fn read(
    client: &mut SpiClient<'_>,
    owner: Owner,
    id: Option<i64>,
) -> Result<Vec<Policy>, Error> {
    let _owner = owner.act();
    let mut parameters = Parameters::default();
    let of = match id {
        Some(id) => {
            let id = parameters.datum(pg_sys::INT8OID, Some(pg_sys::Datum::from(id)));
            format!("WHERE p.id = {id}")
        }
        None => String::new(),
    };
    let sql = format!("SELECT {COLUMNS} FROM kepler.retention_policies AS p {of} ORDER BY p.id");
    let rows = parameters.run_fresh(client, &sql);
    let here = database_id();
    let policies = rows.iter::<15>().filter_map(|row| {
        Some(Policy {
            id: row.bigint(0)?,
            workspace: row.text(1).map(str::to_owned),
            table: row.text(2)?.to_owned(),
            relation: row.oid(3)?,
            is_here: row.text(4)? == here,
            is_lost: row.text(4)? == LOST,
            owner_name: row.text(5)?.to_owned(),
            time_column: row.text(6)?.to_owned(),
            time_column_number: row.integer(7)? as i16,
            kind: Kind::Timestamptz,
            filter: row.jsonb(8).map(<[u8]>::to_vec),
            cutoff: row.time(9)?,
            place: Place {
                relation: row.oid(10),
                after: row.time(11),
                block: row.bigint(12).unwrap_or(0),
                has_begun: row.boolean(13)?,
            },
            has_just_ended: row.boolean(14) == Some(true),
        })
    });
    Ok(policies.collect())
}

impl Policy {
    /// One that is to be tried before it is stored: of rows of any age.
    pub(super) fn not_stored(wanted: &Wanted<'_>, filter: Option<Vec<u8>>) -> Self {
        Self {
            id: 0,
            workspace: wanted.workspace.map(str::to_owned),
            table: wanted.subject.table.clone(),
            relation: wanted.subject.relation,
            is_here: true,
            is_lost: false,
            owner_name: String::new(),
            time_column: wanted.column.name.clone(),
            time_column_number: wanted.column.number,
            kind: wanted.column.kind,
            filter,
            cutoff: i64::MAX,
            place: Place::default(),
            has_just_ended: false,
        }
    }

    /// The table that it is for, with rows that may go by this column.
    pub(super) fn subject(
        &mut self,
        client: &mut SpiClient<'_>,
        owner: Owner,
    ) -> Result<Subject, Error> {
        let found = self.find(client, owner)?;
        let subject = Subject::find(client, found, owner)?;
        let before = &self.owner_name;
        if matches!(subject.kind, SubjectKind::Users) && role::name(subject.owner) != *before {
            let (id, table) = (self.id, subject.table);
            return Err(RetentionError::OtherOwner { id, table, before: before.clone() }.into());
        }
        let number = self.is_here.then_some(self.time_column_number);
        let column = match number {
            Some(number) => {
                relation::column(found, number).filter(|name| !name.starts_with(DROPPED))
            }
            None => Some(self.time_column.clone()),
        };
        let known = column.map(|column| time_column(client, &subject, Some(column))).transpose()?;
        let Some(known) = known else {
            let (id, column) = (self.id, self.time_column.clone());
            return Err(RetentionError::ColumnDropped { id, table: subject.table, column }.into());
        };
        (self.time_column, self.kind) = (known.name, known.kind);
        self.table = subject.table.clone();
        Ok(subject)
    }

    /// Whether the caller has the rights of the role that its table belonged to.
    pub(super) fn is_of_caller(&self) -> bool {
        role::named(&self.owner_name).is_some_and(role::may_act_as)
    }

    fn find(&self, client: &mut SpiClient<'_>, owner: Owner) -> Result<pg_sys::Oid, Error> {
        if self.is_here && relation::names(self.relation).is_some() {
            return Ok(self.relation);
        }
        let named = client
            .update(
                "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
                None,
                &[self.table.as_str().into()],
            )?
            .first()
            .get_one::<pg_sys::Oid>()?;
        let (id, table) = (self.id, self.table.clone());
        match named {
            None => Err(RetentionError::Dropped { id, table }.into()),
            Some(named)
                if self.is_here || self.is_lost || self.is_older(client, owner, named)? =>
            {
                Err(RetentionError::MadeAnew { id, table }.into())
            }
            Some(named) => Ok(named),
        }
    }

    /// Whether the policy was there before the table was registered: what copies carry over.
    fn is_older(
        &self,
        client: &mut SpiClient<'_>,
        owner: Owner,
        named: pg_sys::Oid,
    ) -> Result<bool, Error> {
        let _owner = owner.act();
        let is_older = client
            .update(
                "SELECT EXISTS (
                     SELECT FROM kepler.retention_policies AS p
                     JOIN pg_catalog.pg_class AS c ON c.oid = $2
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                     WHERE p.id = $1 AND (
                         EXISTS (SELECT FROM kepler.blueprint_tables AS t
                             WHERE t.schema_name = n.nspname AND t.table_name = c.relname AND t.created_at > p.set_at)
                         OR n.nspname = 'kepler_data' AND EXISTS (SELECT FROM kepler.entry_tables AS t
                             WHERE t.table_name = c.relname AND t.created_at > p.set_at)))",
                None,
                &[self.id.into(), named.into()],
            )?
            .first()
            .get_one::<bool>()?;
        Ok(is_older == Some(true))
    }
}

/// A column that says how old a row is.
pub(super) struct TimeColumn {
    pub(super) name: String,
    pub(super) number: i16,
    pub(super) kind: Kind,
}

/// Looks a column up; without a name, the one that the table implies: what declares its retention, or `created_at`.
pub(super) fn time_column(
    client: &mut SpiClient<'_>,
    subject: &Subject,
    name: Option<String>,
) -> Result<TimeColumn, Error> {
    let mut parameters = Parameters::default();
    let relation = parameters.datum(pg_sys::OIDOID, Some(subject.relation.into()));
    let rows = parameters.run_as_set(
        client,
        &format!(
            "SELECT a.attname::pg_catalog.text, a.attnum::pg_catalog.int4, b.oid, pg_catalog.format_type(a.atttypid, a.atttypmod)
             FROM pg_catalog.pg_attribute AS a
             JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
             JOIN pg_catalog.pg_type AS b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
             WHERE a.attrelid = {relation} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        ),
    );
    let columns: Vec<(String, i16, Option<Kind>, String)> = rows
        .iter::<4>()
        .filter_map(|row| {
            let kind = row.oid(2).and_then(Kind::of);
            Some((row.text(0)?.to_owned(), row.integer(1)? as i16, kind, row.text(3)?.to_owned()))
        })
        .collect();
    drop(rows);
    let times = || {
        let times = columns.iter().filter(|(_, _, kind, _)| kind.is_some());
        times.map(|(name, ..)| name.clone()).collect::<Vec<_>>()
    };
    let table = subject.table.clone();
    let implied = match subject.kind {
        SubjectKind::Own(own) => own.time_column,
        SubjectKind::Made | SubjectKind::Users => "created_at",
    };
    let wanted = name.as_deref().unwrap_or(implied);
    let Some((found, number, kind, type_name)) = columns.iter().find(|(name, ..)| name == wanted)
    else {
        return Err(match name {
            Some(column) => RetentionError::NoColumn { table, column, times: times() },
            None => RetentionError::NoTimeColumn(table, times()),
        }
        .into());
    };
    let Some(kind) = kind else {
        let (column, type_name) = (found.clone(), type_name.clone());
        return Err(RetentionError::NotATime { table, column, type_name, times: times() }.into());
    };
    Ok(TimeColumn { name: found.clone(), number: *number, kind: *kind })
}

/// What is to be set.
pub(super) struct Wanted<'w> {
    pub(super) subject: &'w Subject,
    pub(super) workspace: Option<&'w str>,
    pub(super) column: &'w TimeColumn,
    pub(super) keep: Interval,
    pub(super) filter: Option<&'w str>,
}

/// Makes the policy, or changes the one for the same rows. Gives its outcome and its number.
pub(super) fn write(
    client: &mut SpiClient<'_>,
    owner: Owner,
    wanted: &Wanted<'_>,
) -> Result<(&'static str, i64), Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    let Wanted { subject, workspace, column, keep, filter } = wanted;
    let (here, owner_name) = (database_id(), role::name(subject.owner));
    let (table, keep, filter) = (subject.table.as_str(), *keep, *filter);
    let number = i32::from(column.number);
    let candidates = client.update(
        "SELECT p.id, p.relation, p.database_id = $3, p.relation = $2 AND p.database_id = $3,
             (p.table_name, p.relation, p.database_id, p.owner_name, p.time_column, p.time_column_number, p.keep)
                 IS DISTINCT FROM ($4, $2, $3, $5, $6, $7::pg_catalog.int2, $8)
         FROM kepler.retention_policies AS p
         WHERE p.workspace_id IS NOT DISTINCT FROM $1
             AND kepler.jsonb_hash(p.filter) IS NOT DISTINCT FROM kepler.jsonb_hash($9::pg_catalog.jsonb)
             AND (p.relation = $2 AND p.database_id = $3 OR p.table_name = $4)
         ORDER BY 4 DESC, p.id",
        None,
        &[
            (*workspace).into(),
            subject.relation.into(),
            here.as_str().into(),
            table.into(),
            owner_name.as_str().into(),
            column.name.as_str().into(),
            number.into(),
            keep.into(),
            filter.into(),
        ],
    )?;
    let mut found = None;
    for row in candidates {
        let relation = row[2].value()?.unwrap_or(pg_sys::InvalidOid);
        let [is_here, is_same, differs] =
            [3, 4, 5].map(|at| row[at].value::<bool>().ok().flatten() == Some(true));
        // Also one for a table of this name that is gone.
        if is_same || !is_here || relation::names(relation).is_none() {
            found = Some((row[1].value::<i64>()?.unwrap_or(0), differs));
            break;
        }
    }
    match found {
        Some((id, false)) => Ok(("unchanged", id)),
        Some((id, true)) => {
            client.update(
                "UPDATE kepler.retention_policies AS p
                 SET table_name = $2, relation = $3, database_id = $4, owner_name = $5, time_column = $6,
                     time_column_number = $7::pg_catalog.int2, keep = $8, set_at = $9, pass_began_at = NULL, pass_ended_at = NULL,
                     place_relation = NULL, place_at = NULL, place_block = NULL, pass_kept_rows = 0
                 WHERE p.id = $1",
                None,
                &[
                    id.into(),
                    table.into(),
                    subject.relation.into(),
                    here.as_str().into(),
                    owner_name.as_str().into(),
                    column.name.as_str().into(),
                    number.into(),
                    keep.into(),
                    moment().into(),
                ],
            )?;
            Ok(("updated", id))
        }
        None => {
            let made = client.update(
                "INSERT INTO kepler.retention_policies (workspace_id, table_name, relation, database_id, owner_name, time_column,
                     time_column_number, keep, filter)
                 VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.int2, $8, $9::pg_catalog.jsonb) RETURNING id",
                None,
                &[
                    (*workspace).into(),
                    table.into(),
                    subject.relation.into(),
                    here.as_str().into(),
                    owner_name.as_str().into(),
                    column.name.as_str().into(),
                    number.into(),
                    keep.into(),
                    filter.into(),
                ],
            )?;
            Ok(("inserted", made.first().get_one::<i64>()?.unwrap_or(0)))
        }
    }
}

/// Deletes a policy.
pub(super) fn delete(client: &mut SpiClient<'_>, owner: Owner, id: i64) -> Result<bool, Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    let gone =
        client.update("DELETE FROM kepler.retention_policies WHERE id = $1", None, &[id.into()])?;
    Ok(!gone.is_empty())
}

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) deleted: i64,
    pub(super) kept: i64,
    pub(super) partitions: i64,
    /// Rows or pages that were looked at and did not go.
    pub(super) looked_at: i64,
    /// Whether the pass came to its end.
    pub(super) has_ended: bool,
}

/// Notes what a batch did, and how far the pass has come. A policy that was found in another database is of this one now.
pub(super) fn note(
    client: &mut SpiClient<'_>,
    owner: Owner,
    policy: &Policy,
    subject: &Subject,
    place: Place,
    progress: Progress,
) -> Result<(), Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    let mut parameters = Parameters::default();
    let number = |parameters: &mut Parameters, value: i64| {
        parameters.datum(pg_sys::INT8OID, Some(pg_sys::Datum::from(value)))
    };
    let id = number(&mut parameters, policy.id);
    let deleted = number(&mut parameters, progress.deleted);
    let kept = number(&mut parameters, progress.kept);
    let partitions = number(&mut parameters, progress.partitions);
    let block = number(&mut parameters, place.block);
    let relation =
        parameters.datum(pg_sys::OIDOID, Some(place.relation.unwrap_or(subject.relation).into()));
    let after = place.after.map_or("NULL".to_owned(), |after| parameters.time(after));
    let oid = parameters.datum(pg_sys::OIDOID, Some(subject.relation.into()));
    let (table, column) = (parameters.text(&subject.table), parameters.text(&policy.time_column));
    let here = parameters.text(&database_id());
    // A restored table counts its columns anew.
    let name = CString::new(policy.time_column.as_str()).unwrap_or_default();
    // SAFETY: a look-up in Postgres' caches.
    let attribute = unsafe { pg_sys::get_attnum(subject.relation, name.as_ptr()) };
    let attribute = parameters.datum(pg_sys::INT2OID, Some(pg_sys::Datum::from(attribute)));
    let renamed = format!(
        "table_name = {table}, time_column = {column}, relation = {oid}, database_id = {here}, time_column_number = {attribute}"
    );
    let at = parameters.time(now());
    let ended = format!(
        "pass_began_at = NULL, pass_ended_at = {at}, place_at = NULL, place_block = NULL,
        last_succeeded_at = {at}, last_error_code = NULL, last_error = NULL, pass_kept_rows = 0"
    );
    let goes_on = format!("pass_began_at = COALESCE(p.pass_began_at, {at})");
    let began = format!(
        "last_started_at = CASE WHEN p.pass_began_at IS NULL THEN {at} ELSE p.last_started_at END"
    );
    // The place stays where the end is still to be told.
    let place = match progress.has_ended {
        true if progress.deleted == 0 => {
            format!("{ended}, place_relation = NULL, kept_rows = p.pass_kept_rows + {kept}")
        }
        true => {
            format!("{ended}, place_relation = {relation}, kept_rows = p.pass_kept_rows + {kept}")
        }
        false => format!(
            "{goes_on}, place_relation = {relation}, place_at = {after}, place_block = {block},
             pass_kept_rows = p.pass_kept_rows + {kept}"
        ),
    };
    let sql = format!(
        "UPDATE kepler.retention_policies AS p SET {place}, {began}, {renamed}, deleted_rows = p.deleted_rows + {deleted},
             dropped_partitions = p.dropped_partitions + {partitions} WHERE p.id = {id}"
    );
    parameters.run_fresh(client, &sql);
    Ok(())
}

/// Notes that a policy is taken up.
pub(super) fn note_begun(client: &mut SpiClient<'_>, owner: Owner, id: i64) -> Result<(), Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    client.update(
        "UPDATE kepler.retention_policies AS p SET last_started_at = $2 WHERE p.id = $1",
        None,
        &[id.into(), moment().into()],
    )?;
    Ok(())
}

/// Notes that a pass has ended and that this was told.
pub(super) fn note_end_told(
    client: &mut SpiClient<'_>,
    owner: Owner,
    id: i64,
) -> Result<(), Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    client.update(
        "UPDATE kepler.retention_policies SET place_relation = NULL WHERE id = $1",
        None,
        &[id.into()],
    )?;
    Ok(())
}

/// Notes that a batch failed; and, where that is why, that its table is gone: a copy of the database could not tell, and would
/// take what was made anew for it.
pub(super) fn note_failure(
    client: &mut SpiClient<'_>,
    owner: Owner,
    id: i64,
    code: &str,
    message: &str,
) -> Result<(), Error> {
    owner.require_own_code(client, RETENTION_POLICIES)?;
    let _owner = owner.act();
    let relation = client
        .update(
            "SELECT p.relation FROM kepler.retention_policies AS p WHERE p.id = $1",
            None,
            &[id.into()],
        )?
        .next()
        .map(|row| row[1].value::<pg_sys::Oid>())
        .transpose()?
        .flatten();
    let is_gone = relation.is_some_and(|relation| relation::names(relation).is_none());
    client.update(
        "UPDATE kepler.retention_policies AS p
         SET last_failed_at = $6, last_error_code = $2, last_error = pg_catalog.left($3, 1000),
             database_id = CASE WHEN p.database_id = $4 AND $7 THEN $5 ELSE p.database_id END
         WHERE p.id = $1",
        None,
        &[
            id.into(),
            code.into(),
            message.into(),
            database_id().as_str().into(),
            LOST.into(),
            moment().into(),
            is_gone.into(),
        ],
    )?;
    Ok(())
}
