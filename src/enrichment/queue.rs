//! Puts records into the queue as they are upserted, and takes them out.
//!
//! The caller holds the records' rows, and the type's lock (see `policy::lock`).

use super::policy::{self, TurnsBy};
use crate::error::Error;
use crate::pg::array::{self, Array};
use crate::pg::cluster::part;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// What an upsert needs of its type's policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queueing {
    turns: Option<TurnsBy>,
    pub(crate) clear_on_change: bool,
    pub(crate) notify: bool,
}

impl Queueing {
    /// From the number that the statement for it gives; NULL where there is no policy.
    pub(crate) fn from_bits(bits: Option<i32>) -> Option<Self> {
        let bits = bits?;
        let turns = match bits & (1 | 8) {
            0 => None,
            8 => Some(TurnsBy::Source),
            _ => Some(TurnsBy::Entity),
        };
        Some(Self { turns, clear_on_change: bits & 2 != 0, notify: bits & 4 != 0 })
    }
}

thread_local! {
    static FIND: Statement = const { Statement::new(
        c"SELECT (p.turns_by IS NOT DISTINCT FROM 'entity')::integer + 2 * p.clear_on_change::integer
                 + 4 * p.notify::integer + 8 * (p.turns_by IS NOT DISTINCT FROM 'source')::integer
          FROM kepler.enrichment_policies AS p
          WHERE p.workspace_id = $1 AND p.entity_type = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    // New content begins with its first attempt. What a worker has is not in the queue.
    static ENQUEUE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue AS q
              (workspace_id, record_id, entity_type, fair_key, ready_at)
          SELECT $1, r.id, $2, $3, n.ready_at
          FROM (SELECT pg_catalog.unnest($4) AS id, pg_catalog.unnest($5) AS ready_at) AS n
          CROSS JOIN LATERAL (
              SELECT x.id FROM kepler.records AS x
              WHERE x.workspace_id = $1 AND x.id = n.id
                AND x.enrichment_status = 'UNAPPLIED'::kepler.record_enrichment_status
                AND x.status = 'ACTIVE'::kepler.record_status AND x.deleted_at IS NULL
              LIMIT 1) AS r
          ON CONFLICT (workspace_id, record_id)
          DO UPDATE SET entity_type = excluded.entity_type, fair_key = excluded.fair_key,
              attempt = 0, ready_at = greatest(excluded.ready_at, q.not_before), refusals = 0, error = NULL
          WHERE q.attempt > 0 OR q.refusals > 0 OR q.entity_type <> excluded.entity_type",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    // What was inserted by this call is as it was inserted.
    static ENQUEUE_NEW: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue
              (workspace_id, record_id, entity_type, fair_key, ready_at)
          SELECT $1, pg_catalog.unnest($4), $2, $3, pg_catalog.unnest($5)
          ON CONFLICT (workspace_id, record_id) DO NOTHING",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    static DEQUEUE: Statement = const { Statement::new(
        c"DELETE FROM kepler.enrichment_queue AS q
          USING (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE q.workspace_id = $1 AND q.record_id = n.id",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static NOTIFY: Statement = const { Statement::new(
        c"SELECT pg_catalog.pg_notify('kepler_enrichment', pg_catalog.json_build_object(
              'workspace_id', $1, 'entity_type', $2)::text)",
        &[pg_sys::TEXTOID; 2],
    ) };
}

/// The policy of a type, as far as an upsert needs it.
pub(crate) fn find(
    client: &mut SpiClient<'_>,
    workspace_id: &Text,
    entity_type: &Text,
) -> Option<Queueing> {
    let rows = FIND
        .with(|plan| plan.run(client, &[Some(workspace_id.datum()), Some(entity_type.datum())]));
    Queueing::from_bits(rows.iter::<1>().next().and_then(|row| row.integer(0)))
}

/// Lets it be known to the end of the transaction that records of the type are written, under which policy so ever.
pub(crate) fn lock(workspace_id: &str, entity_type: &str) -> Result<(), Error> {
    policy::lock(workspace_id, entity_type)
}

/// So many rows behind each other in a batch are claimed apart: a page has room for the new versions of a fifth of its
/// records, and half of that is left for those that change meanwhile.
const APART: usize = 10;
/// Fewer rows lie on a few pages whatever their order is, and keep theirs.
const MANY: usize = 100;

/// The order in which rows that are queued together are claimed. Neighbours lie on one page, whose free room takes the new
/// version of one of them, and of the next once the claim before has ended: such an update changes no index.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    let apart = if count < MANY { 1 } else { APART };
    (0..apart).flat_map(move |first| (first..count).step_by(apart))
}

/// The queue as one upsert sees it.
pub(crate) struct Queue {
    pub(crate) policy: Queueing,
    workspace_id: Text,
    entity_type: Text,
    fair_key: Option<Text>,
}

impl Queue {
    pub(crate) fn new(
        policy: Queueing,
        workspace_id: &str,
        entity_type: &str,
        entity_id: &str,
        source: &str,
    ) -> Self {
        Self {
            policy,
            workspace_id: Text::new(workspace_id),
            entity_type: Text::new(entity_type),
            fair_key: policy.turns.map(|by| Text::new(by.key(Some(entity_id), Some(source)))),
        }
    }

    /// Records that this call has just inserted, alive.
    pub(crate) fn enqueue_new(&self, client: &mut SpiClient<'_>, now: i64, ids: &[&str]) {
        self.insert(client, now, ids, &ENQUEUE_NEW);
    }

    /// Those of these records that need enrichment.
    pub(crate) fn enqueue(&self, client: &mut SpiClient<'_>, now: i64, ids: &[&str]) {
        self.insert(client, now, ids, &ENQUEUE);
    }

    fn insert(
        &self,
        client: &mut SpiClient<'_>,
        now: i64,
        ids: &[&str],
        statement: &'static std::thread::LocalKey<Statement>,
    ) {
        if ids.is_empty() {
            return;
        }
        let mut id = Array::new(array::TEXT);
        let mut ready_at = Array::new(array::TIMESTAMPTZ);
        for (turn, at) in spread(ids.len()).enumerate() {
            id.push_text(ids[at]);
            // A microsecond each, so that a claim finds again where the last one ended.
            ready_at.push_time(Some(now - (ids.len() - 1 - turn) as i64));
        }
        let parameters = [
            Some(self.workspace_id.datum()),
            Some(self.entity_type.datum()),
            self.fair_key.as_ref().map(Text::datum),
            Some(id.datum()),
            Some(ready_at.datum()),
        ];
        statement.with(|plan| plan.run(client, &parameters));
    }

    /// Records that are deleted now.
    pub(crate) fn dequeue(&self, client: &mut SpiClient<'_>, ids: &[&str]) {
        if ids.is_empty() {
            return;
        }
        let mut id = Array::new(array::TEXT);
        for text in ids {
            id.push_text(text);
        }
        DEQUEUE.with(|plan| plan.run(client, &[Some(self.workspace_id.datum()), Some(id.datum())]));
    }

    /// Tells who listens that there is work, where the policy wants it: once a call. Nobody listens on the node of a part, and a
    /// transaction that has told somebody cannot be prepared.
    pub(crate) fn notify(&self, client: &mut SpiClient<'_>) {
        if self.policy.notify && part::current() == 0 {
            let parameters = [Some(self.workspace_id.datum()), Some(self.entity_type.datum())];
            NOTIFY.with(|plan| plan.run(client, &parameters));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_neighbours_of_a_large_batch_apart_and_each_once() {
        assert_eq!(spread(3).collect::<Vec<_>>(), [0, 1, 2]);
        let order: Vec<usize> = spread(107).collect();
        assert_eq!(order[..3], [0, 10, 20]);
        assert!(order.windows(2).all(|pair| pair[0].abs_diff(pair[1]) >= APART));
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..107));
    }
}
