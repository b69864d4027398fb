//! Notes that memories were found.
//!
//! It costs little, waits for nobody and fails for nobody's sake: only what the caller got, at most once a minute each, and not
//! what another transaction is about to note, or has noted since the snapshot of a transaction that keeps to one. Where nothing
//! can be written, nothing is; nor where a transaction is SERIALIZABLE, which could fail at its end because of it.

use crate::pg::array::Array;
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::{isolation, relation, role, subtransaction};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static UPDATE: Statement = const { Statement::new(
        c"UPDATE kepler.memory_access AS a SET last_accessed_at = $2, hits = a.hits + 1
          FROM (SELECT pg_catalog.unnest(ARRAY(
                    SELECT l.memory_id
                    FROM (SELECT pg_catalog.unnest($3) AS id) AS n
                    CROSS JOIN LATERAL (
                        SELECT x.memory_id FROM kepler.memory_access AS x
                        WHERE x.workspace_id = $1 AND x.memory_id = n.id
                          AND x.last_accessed_at <= $2 - interval '1 minute'
                        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l)) AS id) AS m
          WHERE a.workspace_id = $1 AND a.memory_id = m.id",
        &[pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
    ) };
    // A row that moves by less than a tenth of its ttl is not written, nor one that another transaction writes.
    static EXTEND: Statement = const { Statement::new(
        c"UPDATE kepler.memories AS m SET expires_at = $2 + m.ttl
          FROM (SELECT pg_catalog.unnest(ARRAY(
                    SELECT l.id
                    FROM (SELECT pg_catalog.unnest($3) AS id) AS n
                    CROSS JOIN LATERAL (
                        SELECT x.id FROM kepler.memories AS x
                        WHERE x.workspace_id = $1 AND x.id = n.id
                          AND x.expires_at > $2 AND x.expires_at <= $2 + x.ttl - x.ttl / 10
                        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l)) AS id) AS n
          WHERE m.workspace_id = $1 AND m.id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
    ) };
    // An insert would wait for another transaction that inserts the same. A few locks, by the hash of
    // the id, that are had at once or not at all.
    static INSERT: Statement = const { Statement::new(
        c"INSERT INTO kepler.memory_access (workspace_id, memory_id, last_accessed_at)
          SELECT $1, n.id, $2
          FROM (SELECT pg_catalog.unnest($3) AS id) AS n
          WHERE NOT EXISTS (
                  SELECT FROM kepler.memory_access AS x WHERE x.workspace_id = $1 AND x.memory_id = n.id)
            AND EXISTS (
                  SELECT FROM kepler.memories AS m WHERE m.workspace_id = $1 AND m.id = n.id)
            AND pg_catalog.pg_try_advisory_xact_lock(
                  pg_catalog.hashtextextended($1, 6) # (pg_catalog.hashtext(n.id) & 31))
          ON CONFLICT DO NOTHING",
        &[pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Notes accesses, and gives how many. What has a ttl lives on.
pub(crate) fn run<'i>(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    ids: impl Iterator<Item = &'i str>,
) -> usize {
    // SAFETY: a variable of this process, which has one thread; true on a standby too.
    if unsafe { pg_sys::XactReadOnly } || isolation::is_serializable() {
        return 0;
    }
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let workspace = Text::new(workspace_id);
    match isolation::keeps_snapshot() {
        true => note_unchanged(client, &workspace, &ids),
        false => note(client, &workspace, &ids),
    }
}

/// Leaves out, by halves, what others have changed since the snapshot.
fn note_unchanged(client: &mut SpiClient<'_>, workspace: &Text, ids: &[&str]) -> usize {
    pgrx::check_for_interrupts!();
    match subtransaction::attempt_in_snapshot(|| note(client, workspace, ids)) {
        Ok(noted) => noted,
        Err(_) if ids.len() < 2 => 0,
        Err(_) => {
            let (first, second) = ids.split_at(ids.len() / 2);
            note_unchanged(client, workspace, first) + note_unchanged(client, workspace, second)
        }
    }
}

fn note(client: &mut SpiClient<'_>, workspace: &Text, ids: &[&str]) -> usize {
    if ids.is_empty() {
        return 0;
    }
    let mut array = Array::texts(ids.iter().copied());
    let parameters =
        [Some(workspace.datum()), Some(pg_sys::Datum::from(now())), Some(array.datum())];
    if may_extend() {
        EXTEND.with(|plan| plan.run(client, &parameters));
    }
    let updated = UPDATE.with(|plan| plan.run(client, &parameters)).count();
    updated + INSERT.with(|plan| plan.run(client, &parameters)).count()
}

/// Whether the caller may write to memories: a reader notes accesses alone.
fn may_extend() -> bool {
    relation::named(c"kepler", c"memories")
        .is_some_and(|memories| role::may(pg_sys::ACL_UPDATE, memories))
}
