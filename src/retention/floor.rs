//! What no policy undercuts: floors that structures and blueprints declare, of the table itself and of tables whose rows would
//! go along by `ON DELETE CASCADE`.

use super::error::RetentionError;
use super::subject::Subject;
use super::terms::Kind;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::quote;
use crate::pg::query::Parameters;
use crate::pg::{relation, role};
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// How long rows of a table are kept at least.
pub(super) struct Floor {
    pub(super) column: String,
    pub(super) kind: Kind,
    /// As Postgres prints the interval.
    pub(super) floor: String,
    pub(super) declared_by: String,
    /// Rows that are older may go.
    pub(super) before: i64,
    /// Whether a policy's `keep` is shorter, on any day.
    pub(super) is_undercut: bool,
}

/// The floors of a table. `keep`: what they are compared with.
pub(super) fn of(
    client: &mut SpiClient<'_>,
    owner: Owner,
    relation: pg_sys::Oid,
    table: &str,
    keep: Option<Interval>,
) -> Result<Vec<Floor>, Error> {
    let _owner = owner.act();
    let rows = client.update(
        "SELECT f.column_name, f.type, f.floor::pg_catalog.text, f.declared_by, f.before, kepler_internal.is_undercut($2, f.floor)
         FROM kepler_internal.retention_floors($1) AS f ORDER BY f.floor DESC, f.column_name",
        None,
        &[relation.into(), keep.into()],
    )?;
    let mut floors = Vec::new();
    for row in rows {
        let column = row[1].value::<String>()?.unwrap_or_default();
        let declared_by = row[4].value::<String>()?.unwrap_or_default();
        let kind = row[2].value::<pg_sys::Oid>()?.and_then(Kind::of);
        let Some(kind) = kind else {
            // Without its column a floor cannot be kept: nothing goes.
            return Err(RetentionError::FloorColumn {
                table: table.to_owned(),
                column,
                declared_by,
            }
            .into());
        };
        floors.push(Floor {
            column,
            kind,
            floor: row[3].value()?.unwrap_or_default(),
            declared_by,
            before: row[5].value::<TimestampWithTimeZone>()?.map_or(i64::MIN, i64::from),
            is_undercut: row[6].value()?.unwrap_or(false),
        });
    }
    Ok(floors)
}

/// Deletions reach tables so far away.
const DEPTH: usize = 8;

/// That no row goes along which a floor keeps, as conditions over `e`.
pub(super) fn of_what_goes_along(
    client: &mut SpiClient<'_>,
    owner: Owner,
    subject: &Subject,
    role: pg_sys::Oid,
    parameters: &mut Parameters,
) -> Result<Vec<String>, Error> {
    let _owner = owner.act();
    // A row that the role does not see would go along all the same: foreign keys pass row security by.
    let rows = client.update(
        "SELECT p.relation, p.joined, p.is_endless, p.depth, (
             SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
             FROM pg_catalog.unnest(p.seen) AS s (relation)
             JOIN pg_catalog.pg_class AS c ON c.oid = s.relation
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE s.relation <> $1 AND c.relrowsecurity
                 AND NOT (pg_catalog.pg_has_role($3, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity)
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = $3 AND (r.rolsuper OR r.rolbypassrls))
             ORDER BY 1 LIMIT 1)
         FROM kepler_internal.deleted_along($1, $2) AS p",
        None,
        &[subject.relation.into(), (DEPTH as i32 + 1).into(), role.into()],
    )?;
    let mut ways = Vec::new();
    for row in rows {
        if row[3].value::<bool>()? == Some(true) {
            return Err(
                RetentionError::TooDeep { table: subject.table.clone(), depth: DEPTH }.into()
            );
        }
        if let Some(along) = row[5].value::<String>()? {
            let (table, role) = (subject.table.clone(), role::name(role));
            return Err(RetentionError::HiddenAlong { table, along, role }.into());
        }
        let found =
            (row[1].value::<pg_sys::Oid>()?, row[2].value::<String>()?, row[4].value::<i32>()?);
        if let (Some(to), Some(joined), Some(depth)) = found {
            ways.push((to, joined, depth));
        }
    }
    let mut conditions = Vec::new();
    for (to, joined, depth) in ways {
        let table = relation::spelled(to).unwrap_or_default();
        for floor in of(client, owner, to, &table, None)? {
            let bound = floor.kind.bound(&parameters.time(floor.before));
            conditions.push(format!(
                "(SELECT true FROM {joined} AND (t{depth}.{} < {bound}) IS NOT TRUE LIMIT 1) IS NULL",
                quote(&floor.column)
            ));
        }
    }
    Ok(conditions)
}
