//! Ends attempts: the records' status, the queue and the log, a batch at a time.
//!
//! The records say themselves whether their lease still holds them and whether they are what was claimed:
//! each is changed, or not, by one statement that looks at its newest version under its lock.
//!
//! What the database refuses (a CHECK, a trigger, a result that makes a document too large) is found by
//! halves, and the others land.

use super::failures;
use super::outcome::End;
use super::policy::TurnsBy;
use super::refusal;
use crate::jsonb::builder::length_word;
use crate::pg::array::{self, Array};
use crate::pg::plan::{Parameter, Statement, Tid};
use crate::pg::rows::Rows;
use crate::pg::subtransaction::{self, Refusal};
use crate::pg::varlena::Text;
use crate::pg::{prune, relation};
use pgrx::check_for_interrupts;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    // In the order of the arrays, which is that of upserts. A record that nobody has changed since the claim is where the
    // claim left it. A user's trigger may change the row on its way: what became of it is read from what was written.
    // $9: only those that are not where they were looked for before.
    static RECORDS: Statement = const { Statement::new(
        c"UPDATE kepler.records AS r
          SET enrichment_status = CASE WHEN r.content_hash IS NOT DISTINCT FROM n.content_hash
                                       THEN n.status::kepler.record_enrichment_status
                                       ELSE 'UNAPPLIED'::kepler.record_enrichment_status END,
              enrichment_lease_id = NULL, updated_at = $2,
              enrichment = CASE WHEN n.result IS NULL
                                     OR r.content_hash IS DISTINCT FROM n.content_hash
                                THEN r.enrichment
                                WHEN r.enrichment IS NULL AND n.removed IS NULL THEN n.result
                                WHEN r.enrichment IS NULL THEN NULLIF(n.result, '{}'::jsonb)
                                WHEN n.removed IS NULL THEN r.enrichment || n.result
                                ELSE (r.enrichment - n.removed::text[]) || n.result END
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS lease_id,
                       pg_catalog.unnest($5) AS content_hash, pg_catalog.unnest($6) AS status,
                       pg_catalog.unnest($7) AS result, pg_catalog.unnest($8) AS place,
                       pg_catalog.unnest($10) AS removed) AS n
          CROSS JOIN LATERAL (
              SELECT x.ctid AS place FROM kepler.records AS x
              WHERE x.ctid = n.place AND x.workspace_id = $1 AND x.id = n.id
              UNION ALL
              SELECT x.ctid FROM kepler.records AS x WHERE x.workspace_id = $1 AND x.id = n.id
              LIMIT 1) AS l
          WHERE r.ctid = l.place AND r.enrichment_lease_id = n.lease_id
            AND r.enrichment_status = 'PENDING'::kepler.record_enrichment_status
            AND ($9 IS NOT TRUE OR l.place IS DISTINCT FROM n.place)
          RETURNING r.id,
                    CASE n.status WHEN 'UNAPPLIED' THEN r.content_hash IS NOT DISTINCT FROM n.content_hash
                                  ELSE r.enrichment_status::text = n.status END,
                    r.entity_id, r.enrichment_status::text, r.source",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::INT8ARRAYOID,
            pg_sys::UUIDARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBARRAYOID, pg_sys::TIDARRAYOID,
            pg_sys::BOOLOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
    // A row that is there already got there around Kepler.
    static QUEUE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_queue
              (workspace_id, entity_type, record_id, fair_key, attempt, ready_at, priority)
          SELECT $1, $2, pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
                 pg_catalog.unnest($6), pg_catalog.unnest($7)
          ON CONFLICT (workspace_id, record_id)
          DO UPDATE SET entity_type = excluded.entity_type, fair_key = excluded.fair_key,
              attempt = excluded.attempt, ready_at = excluded.ready_at, refusals = 0, error = NULL",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID, pg_sys::TIMESTAMPTZARRAYOID, pg_sys::INT4ARRAYOID,
        ],
    ) };
    static LOG: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_attempts
              (workspace_id, ended_at, lease_id, record_id, attempt, outcome, error, worker, started_at)
          SELECT $1, $2, pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
                 pg_catalog.unnest($6)::kepler.attempt_outcome, pg_catalog.unnest($7),
                 pg_catalog.unnest($8), pg_catalog.unnest($9)",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
}

/// Who claimed a lease, and when.
pub(super) struct Claimed {
    pub(super) worker: String,
    pub(super) at: i64,
}

/// A record as a lease has it.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) record_id: String,
    pub(super) lease_id: i64,
    pub(super) claimed: Rc<Claimed>,
    pub(super) attempt: i32,
    /// What it had in the queue, and gets there again.
    pub(super) priority: i32,
    /// What it was when it was claimed.
    pub(super) content_hash: Option<u128>,
    /// Where its row was then.
    pub(super) place: Option<Tid>,
}

/// What a record is after an attempt, unless its content has changed.
pub(super) enum Next<'r> {
    /// APPLIED, with what was found, a `jsonb` with its length word, and the members that go before it is merged.
    Applied {
        result: Option<&'r [u8]>,
        remove: &'r [String],
    },
    Failed,
    /// UNAPPLIED and in the queue again.
    Again {
        attempt: i32,
        ready_at: i64,
    },
}

/// How an attempt ends.
pub(super) struct Ending<'r> {
    pub(super) held: Held,
    pub(super) next: Next<'r>,
    /// What the log says where the content is what was claimed, and where it has changed.
    pub(super) end: End,
    pub(super) end_if_changed: End,
    pub(super) error: Option<&'r str>,
}

impl Ending<'_> {
    /// Bytes, about, that it takes as parameters.
    fn size(&self) -> usize {
        let result = match self.next {
            Next::Applied { result, .. } => result.map_or(0, <[u8]>::len),
            _ => 0,
        };
        100 + result + self.error.map_or(0, str::len)
    }
}

/// What became of it.
pub(super) enum Fate {
    Ended,
    /// The content has changed: the record is UNAPPLIED, and queued for its first attempt.
    Changed,
    /// The lease does not hold it any more, or a trigger prevented the write: nothing was changed.
    NotWritten,
    /// The database refused it: nothing was changed.
    Refused(Refusal),
}

/// Results of so many bytes are written by one statement, whose parameters Postgres can hold.
const MAX_BYTES: usize = 256 << 20;

/// The type whose records are handed over.
pub(super) struct Type<'t> {
    pub(super) workspace_id: &'t Text,
    pub(super) entity_type: &'t Text,
    pub(super) turns: Option<TurnsBy>,
}

/// Ends the attempts, and says what became of each. They are in the order of upserts.
pub(super) fn hand_over(
    client: &mut SpiClient<'_>,
    of: &Type<'_>,
    now: i64,
    endings: &[Ending<'_>],
) -> Vec<Fate> {
    let mut ended = Ended { fates: Vec::with_capacity(endings.len()), probed: false };
    let mut rest = endings;
    while !rest.is_empty() {
        let mut bytes = 0;
        let count = rest.iter().take_while(|ending| {
            let before = bytes;
            bytes += ending.size();
            before == 0 || bytes <= MAX_BYTES
        });
        let (piece, behind) = rest.split_at(count.count());
        end_by_halves(client, of, now, piece, &mut ended);
        rest = behind;
    }
    ended.fates
}

struct Ended {
    fates: Vec<Fate>,
    /// Whether it is known that the statements as such are not what is refused.
    probed: bool,
}

/// Goes on from left to right, so that records stay locked in their order only.
fn end_by_halves(
    client: &mut SpiClient<'_>,
    of: &Type<'_>,
    now: i64,
    endings: &[Ending<'_>],
    ended: &mut Ended,
) {
    check_for_interrupts!();
    let refusal = match subtransaction::attempt_rows(|| end(client, of, now, endings)) {
        Ok(mut fates) => {
            ended.fates.append(&mut fates);
            return;
        }
        Err(refusal) => refusal,
    };
    if !ended.probed {
        // Raises what is refused whatever the record, for want of a privilege, say.
        ended.probed = true;
        end(client, of, now, &[]);
    }
    if endings.len() == 1 {
        ended.fates.push(Fate::Refused(refusal));
        return;
    }
    let (first, second) = endings.split_at(endings.len() / 2);
    end_by_halves(client, of, now, first, ended);
    end_by_halves(client, of, now, second, ended);
}

fn end(client: &mut SpiClient<'_>, of: &Type<'_>, now: i64, endings: &[Ending<'_>]) -> Vec<Fate> {
    let workspace = Some(of.workspace_id.datum());
    let ended_at = Some(pg_sys::Datum::from(now));
    // The claim has left dead versions where the next ones go.
    if let Some(records) = relation::named(c"kepler", c"records") {
        prune::prune(records, endings.iter().filter_map(|ending| ending.held.place));
    }
    let rows = change_records(client, [workspace, ended_at], endings.iter(), false);
    let mut written = HashMap::with_capacity(endings.len());
    let mut failed = Array::new(array::TEXT);
    note_written(&rows, &mut written, &mut failed);
    // What was changed while it was waited for is now somewhere else, and locked.
    let moved;
    if written.len() < endings.len() {
        let is_left = |ending: &&Ending<'_>| !written.contains_key(&*ending.held.record_id);
        moved = change_records(client, [workspace, ended_at], endings.iter().filter(is_left), true);
        note_written(&moved, &mut written, &mut failed);
    }

    let mut queue = Queue::new();
    let mut log = Log::new();
    let mut fates = Vec::with_capacity(endings.len());
    for ending in endings {
        let held = &ending.held;
        let Some(&(same, entity, source, queued)) = written.get(held.record_id.as_str()) else {
            fates.push(Fate::NotWritten);
            continue;
        };
        let fair_key = of.turns.map(|by| by.key(entity, source));
        if same {
            if let Next::Again { attempt, ready_at } = ending.next {
                queue.push(held, fair_key, attempt, ready_at);
            }
            log.push(held, ending.end, ending.error);
            fates.push(Fate::Ended);
        } else {
            if queued {
                queue.push(held, fair_key, 0, now);
            }
            log.push(held, ending.end_if_changed, ending.error);
            fates.push(Fate::Changed);
        }
    }
    // Nothing at all is written where it is to be seen whether it could be.
    if failed.count() > 0 || endings.is_empty() {
        failures::add(client, workspace, Some(of.entity_type.datum()), ended_at, failed);
    }
    if queue.record.count() > 0 || endings.is_empty() {
        queue.write(client, of);
    }
    if log.record.count() > 0 || endings.is_empty() {
        log.write(client, workspace, ended_at);
    }
    fates
}

/// Writes what becomes of the records.
fn change_records<'conn, 'e>(
    client: &mut SpiClient<'conn>,
    [workspace, ended_at]: [Parameter; 2],
    endings: impl Iterator<Item = &'e Ending<'e>>,
    moved: bool,
) -> Rows<'conn> {
    let (mut ids, mut leases) = (Array::new(array::TEXT), Array::new(array::BIGINT));
    let (mut hashes, mut statuses) = (Array::new(array::UUID), Array::new(array::TEXT));
    let (mut results, mut places) = (Array::new(array::JSONB), Array::new(array::TID));
    let (mut removed, mut removes) = (Array::new(array::TEXT), false);
    for ending in endings {
        ids.push_text(&ending.held.record_id);
        leases.push_bytes(&ending.held.lease_id.to_ne_bytes());
        hashes.push_uuid(ending.held.content_hash);
        match ending.held.place {
            Some(place) => places.push_bytes(&place),
            None => places.push_null(),
        }
        let (status, result, remove) = match ending.next {
            Next::Applied { result, remove } => ("APPLIED", result, remove),
            Next::Failed => ("FAILED", None, &[][..]),
            Next::Again { .. } => ("UNAPPLIED", None, &[][..]),
        };
        statuses.push_text(status);
        match result {
            Some(result) => results.push_bytes(result),
            // What is removed needs something to be merged with.
            None if !remove.is_empty() => results.push_bytes(EMPTY_OBJECT),
            None => results.push_null(),
        }
        if remove.is_empty() {
            removed.push_null();
        } else {
            removes = true;
            removed.push_text(&text_array(remove));
        }
    }
    let parameters = [
        workspace,
        ended_at,
        Some(ids.datum()),
        Some(leases.datum()),
        Some(hashes.datum()),
        Some(statuses.datum()),
        Some(results.datum()),
        Some(places.datum()),
        Some(pg_sys::Datum::from(moved)),
        // Of nothing Postgres makes NULL for each record.
        removes.then(|| removed.datum()),
    ];
    RECORDS.with(|plan| plan.run(client, &parameters))
}

/// The `jsonb` without members, with its length word.
const EMPTY_OBJECT: &[u8] = &{
    let mut bytes = [0; 8];
    let (length, head) = (length_word(8), 0x2000_0000_u32.to_ne_bytes());
    let mut at = 0;
    while at < 4 {
        bytes[at] = length[at];
        bytes[at + 4] = head[at];
        at += 1;
    }
    bytes
};

/// Texts, as Postgres reads an array of them.
fn text_array(texts: &[String]) -> String {
    let quoted: Vec<String> = texts
        .iter()
        .map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

/// A record that was written: whether it is what was to become of it, its entity and source, and whether it waits again.
type Written<'r> = (bool, Option<&'r str>, Option<&'r str>, bool);

fn note_written<'r>(
    rows: &'r Rows<'_>,
    written: &mut HashMap<&'r str, Written<'r>>,
    failed: &mut Array,
) {
    for row in rows.iter::<5>() {
        // PENDING without a lease it would stay for ever.
        if row.text(3) == Some("PENDING") {
            refusal::raise("a trigger on kepler.records kept it PENDING");
        }
        if let Some(id) = row.text(0) {
            let queued = row.text(3) == Some("UNAPPLIED");
            if row.text(3) == Some("FAILED") {
                failed.push_text(id);
            }
            let same = row.boolean(1) == Some(true);
            written.insert(id, (same, row.text(2), row.text(4), queued));
        }
    }
}

/// Records that are to be tried again.
struct Queue {
    record: Array,
    fair_key: Array,
    attempt: Array,
    ready_at: Array,
    priority: Array,
}

impl Queue {
    fn new() -> Self {
        Self {
            record: Array::new(array::TEXT),
            fair_key: Array::new(array::TEXT),
            attempt: Array::new(array::INTEGER),
            ready_at: Array::new(array::TIMESTAMPTZ),
            priority: Array::new(array::INTEGER),
        }
    }

    fn push(&mut self, held: &Held, fair_key: Option<&str>, attempt: i32, ready_at: i64) {
        self.record.push_text(&held.record_id);
        self.priority.push_bytes(&held.priority.to_ne_bytes());
        push_text_or_null(&mut self.fair_key, fair_key);
        self.attempt.push_bytes(&attempt.to_ne_bytes());
        self.ready_at.push_time(Some(ready_at));
    }

    fn write(mut self, client: &mut SpiClient<'_>, of: &Type<'_>) {
        let parameters = [
            Some(of.workspace_id.datum()),
            Some(of.entity_type.datum()),
            Some(self.record.datum()),
            Some(self.fair_key.datum()),
            Some(self.attempt.datum()),
            Some(self.ready_at.datum()),
            Some(self.priority.datum()),
        ];
        QUEUE.with(|plan| plan.run(client, &parameters));
    }
}

/// Attempts that have ended.
struct Log {
    lease: Array,
    record: Array,
    attempt: Array,
    outcome: Array,
    error: Array,
    worker: Array,
    started_at: Array,
}

impl Log {
    fn new() -> Self {
        Self {
            lease: Array::new(array::BIGINT),
            record: Array::new(array::TEXT),
            attempt: Array::new(array::INTEGER),
            outcome: Array::new(array::TEXT),
            error: Array::new(array::TEXT),
            worker: Array::new(array::TEXT),
            started_at: Array::new(array::TIMESTAMPTZ),
        }
    }

    fn push(&mut self, held: &Held, end: End, error: Option<&str>) {
        self.lease.push_bytes(&held.lease_id.to_ne_bytes());
        self.record.push_text(&held.record_id);
        self.attempt.push_bytes(&held.attempt.to_ne_bytes());
        self.outcome.push_text(end.name());
        push_text_or_null(&mut self.error, error);
        self.worker.push_text(&held.claimed.worker);
        self.started_at.push_time(Some(held.claimed.at));
    }

    fn write(mut self, client: &mut SpiClient<'_>, workspace: Parameter, ended_at: Parameter) {
        let parameters = [
            workspace,
            ended_at,
            Some(self.lease.datum()),
            Some(self.record.datum()),
            Some(self.attempt.datum()),
            Some(self.outcome.datum()),
            Some(self.error.datum()),
            Some(self.worker.datum()),
            Some(self.started_at.datum()),
        ];
        LOG.with(|plan| plan.run(client, &parameters));
    }
}

fn push_text_or_null(array: &mut Array, text: Option<&str>) {
    match text {
        Some(text) => array.push_text(text),
        None => array.push_null(),
    }
}
