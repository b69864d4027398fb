//! Partitions that are old as a whole: dropped, where that does what deleting their rows would.
//!
//! `DROP TABLE` locks the whole for a moment. `DETACH … CONCURRENTLY` would not, but cannot run in a transaction block, and so not
//! in a function: the lock is given up after a tenth of a second instead, and the partition stays until the next batch.

use super::policy::{Policy, Progress};
use super::subject::{Kind, Subject};
use super::terms::Terms;
use crate::error::Error;
use crate::pg::local_settings::LocalSettings;
use crate::pg::subtransaction::attempt_deletion;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// A partition that may go.
pub(super) struct Old {
    pub(super) relation: pg_sys::Oid,
    table: String,
    /// As Postgres estimates them.
    pub(super) rows: i64,
}

/// The partitions of a table by its time, all of whose rows go, the oldest first. None where rows go one by one in any case: under
/// a filter, where triggers or foreign keys have to notice.
pub(super) fn old(
    client: &mut SpiClient<'_>,
    subject: &Subject,
    policy: &Policy,
    terms: &Terms,
) -> Result<Vec<Old>, Error> {
    if !subject.is_partitioned || !matches!(subject.kind, Kind::Users) || !terms.is_whole {
        return Ok(Vec::new());
    }
    let kind = terms.kind;
    let bound = |text: &str| kind.moment(&format!("{text}::{}", kind.type_name()));
    let sql = format!(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), GREATEST(c.reltuples, 0)::pg_catalog.int8
         FROM pg_catalog.pg_partitioned_table AS p
         JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.partrelid AND NOT i.inhdetachpending
         JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attname = $2 AND a.attnum = p.partattrs[0]
         CROSS JOIN LATERAL pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid),
             '^FOR VALUES FROM \\(''([^'']+)''\\) TO \\(''([^'']+)''\\)$') AS b (bounds)
         WHERE p.partrelid = $1 AND p.partstrat = 'r' AND p.partnatts = 1 AND b.bounds[1] <> '-infinity'
             AND CASE WHEN b.bounds IS NOT NULL THEN {} <= $3 END
             AND NOT EXISTS (
                 SELECT FROM pg_catalog.pg_trigger AS g
                 WHERE g.tgrelid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) AS t UNION ALL SELECT p.partrelid)
                     AND (NOT g.tgisinternal AND g.tgtype::pg_catalog.int4 & 40 <> 0
                         OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                             WHERE k.oid = g.tgconstraint AND k.confrelid = g.tgrelid)))
         ORDER BY {}, c.oid",
        bound("b.bounds[2]"),
        bound("b.bounds[2]"),
    );
    // Bounds are printed by the session's settings, and read again.
    let _settings = LocalSettings::set(&[(c"datestyle", c"ISO, YMD"), (c"timezone", c"UTC")]);
    let cutoff = TimestampWithTimeZone::try_from(terms.cutoff).ok();
    let arguments = [subject.relation.into(), policy.time_column.as_str().into(), cutoff.into()];
    let mut found = Vec::new();
    for row in client.update(&sql, None, &arguments)? {
        let part =
            (row[1].value::<pg_sys::Oid>()?, row[2].value::<String>()?, row[3].value::<i64>()?);
        if let (Some(relation), Some(table), Some(rows)) = part {
            found.push(Old { relation, table, rows });
        }
    }
    Ok(found)
}

/// Drops the first one that nobody uses and nothing depends on. Gives None if one was dropped, and else those that are in use: rows
/// of the others have to go one by one.
pub(super) fn drop_one(
    client: &mut SpiClient<'_>,
    old: &[Old],
    done: &mut Progress,
) -> Option<Vec<pg_sys::Oid>> {
    for (at, part) in old.iter().enumerate() {
        pgrx::check_for_interrupts!();
        let dropped = attempt_deletion(|| {
            let _settings = LocalSettings::set(&[(c"lock_timeout", c"100ms")]);
            client.update(&format!("DROP TABLE {}", part.table), None, &[]).map(|_| ())
        });
        match dropped {
            Ok(Ok(())) => {
                done.partitions += 1;
                done.deleted += part.rows.max(1);
                return None;
            }
            // Somebody uses the whole: the others would be in use too.
            Err(refusal) if refusal.code.to_string() == "55P03" => {
                return Some(old[at..].iter().map(|part| part.relation).collect());
            }
            _ => {}
        }
    }
    Some(Vec::new())
}
