//! Keeps what a call rejected, as it was sent, so that it can be looked at, repaired and tried again.
//!
//! The texts are cut out of the batch only where something was rejected and is to be kept: all other calls pay
//! nothing. What is sent again takes the place of what is there.

use super::entity;
use super::look_up::{LookUp, look_up};
use super::options::Request;
use super::upsert::Ids;
use crate::access::owner;
use crate::answer::Answer;
use crate::error::Error;
use crate::jsonb::hash::text_hash;
use crate::jsonb::merge::Merge;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::{PgSqlErrorCode, ereport};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::thread::LocalKey;

/// So many are kept of an entity.
const MAX_REJECTS: usize = 10_000;
/// A larger element is told of, and not kept.
pub(super) const MAX_DOCUMENT: usize = 1 << 20;
/// So many elements, and about so many bytes of them, go with one statement.
const CHUNK_ROWS: usize = 1_000;
const CHUNK_BYTES: usize = 16 << 20;

thread_local! {
    static COUNT: Statement = const { Statement::new(
        c"SELECT pg_catalog.count(*) FROM (
              SELECT FROM kepler.rejects AS r
              WHERE r.workspace_id = $1 AND r.entity_id = $2 LIMIT 10000) AS r",
        &[pg_sys::TEXTOID; 2],
    ) };
    static KNOWN: Statement = const { Statement::new(
        c"SELECT r.digest FROM (SELECT pg_catalog.unnest($3) AS digest) AS n
          CROSS JOIN LATERAL (
              SELECT x.digest FROM kepler.rejects AS x
              WHERE x.workspace_id = $1 AND x.entity_id = $2 AND x.digest = n.digest LIMIT 1) AS r",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::UUIDARRAYOID],
    ) };
    static FREE: Statement = const { Statement::new(
        c"SELECT r.digest FROM (SELECT pg_catalog.unnest($3) AS digest) AS n
          CROSS JOIN LATERAL (
              SELECT x.digest FROM kepler.rejects AS x
              WHERE x.workspace_id = $1 AND x.entity_id = $2 AND x.digest = n.digest LIMIT 1
              FOR NO KEY UPDATE SKIP LOCKED) AS r",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::UUIDARRAYOID],
    ) };
    static KEEP: Statement = const { Statement::new(
        c"INSERT INTO kepler.rejects AS r
              (workspace_id, entity_id, entity_type, source, options, sync_run_id, digest, external_id, ordinal, document,
               document_bytes, error_code, error, record_state, received_at, created_at, updated_at, rejections)
          SELECT $1, $2, $3, $4, $5::jsonb, $15, pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),
              pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12),
              pg_catalog.unnest($13), $14, $14, $14, pg_catalog.unnest($16)
          ON CONFLICT (workspace_id, entity_id, digest) DO UPDATE
          SET options = excluded.options, sync_run_id = excluded.sync_run_id, external_id = excluded.external_id, ordinal = excluded.ordinal,
              document = excluded.document, document_bytes = excluded.document_bytes,
              error_code = excluded.error_code, error = excluded.error, tries = r.tries + 1,
              rejections = excluded.rejections
                  + CASE WHEN r.sync_run_id = excluded.sync_run_id THEN r.rejections ELSE 0 END,
              record_state = excluded.record_state, received_at = excluded.received_at, updated_at = excluded.updated_at",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID,
            pg_sys::UUIDARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::UUIDARRAYOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::INT4ARRAYOID,
        ],
    ) };
}

/// Fails before anything is written where the caller may not keep rejects.
pub(crate) fn require_right(request: &Request) -> Result<(), Error> {
    if request.reading.is_none() {
        return Ok(());
    }
    owner::require_right("rejects", pg_sys::ACL_INSERT)?;
    owner::require_right("rejects", pg_sys::ACL_UPDATE)
}

/// A rejected element.
struct Reject<'a> {
    place: usize,
    document: &'a str,
    /// The state of its record.
    base: Option<u128>,
    /// So many elements of the call are this one.
    times: i32,
}

/// The base of what was overtaken in its own batch: no record has this state.
const OVERTAKEN: u128 = 0;

/// Keeps the rejected elements of a call, if that was asked. `texts` gives those of the elements at some places.
pub(crate) fn keep<'a>(
    client: &mut SpiClient<'_>,
    request: &Request,
    answers: &[Answer<Ids>],
    texts: impl FnOnce(&[usize]) -> Vec<&'a str>,
) -> Result<(), Error> {
    let Some(reading) = &request.reading else { return Ok(()) };
    let places: Vec<usize> =
        (0..answers.len()).filter(|&place| answers[place].is_rejected()).collect();
    if places.is_empty() {
        return Ok(());
    }
    let Some(entity) = entity::find_existing(client, request)? else { return Ok(()) };
    let workspace = Text::new(&request.workspace_id);
    let entity = Text::new(&entity.id);
    // What is stored of their records, by external id, and the last element of each that was taken.
    let ids: BTreeSet<&str> =
        places.iter().filter_map(|&place| answers[place].id.external_id.as_deref()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut rows = look_up(client, &workspace, &entity, &ids, LookUp { lock: false, data: false });
    let states = rows.found(&ids).into_iter().map(|found| found.map(|found| found.state.state()));
    let mut records: HashMap<&str, (Option<u128>, usize)> =
        ids.iter().copied().zip(states.map(|state| (state, 0))).collect();
    for (place, answer) in answers.iter().enumerate().filter(|(_, answer)| !answer.is_rejected()) {
        if let Some((_, last)) = answer.id.external_id.as_deref().and_then(|id| records.get_mut(id))
        {
            *last = place;
        }
    }
    // In the order of their digests, which is the order of locks; of the same one the last.
    let mut rejects: BTreeMap<u128, Reject<'_>> = BTreeMap::new();
    for (&place, document) in places.iter().zip(texts(&places)) {
        let external_id = answers[place].id.external_id.as_deref();
        let base = match external_id.and_then(|id| records.get(id)) {
            Some((_, last)) if *last > place => Some(OVERTAKEN),
            Some((state, _)) => *state,
            None => None,
        };
        let digest = digest(request, external_id, document);
        let times = rejects.get(&digest).map_or(0, |same| same.times) + 1;
        rejects.insert(digest, Reject { place, document, base, times });
    }
    let rejects: Vec<_> = rejects.into_iter().collect();
    let call = Call {
        workspace,
        entity,
        entity_type: Text::new(&request.entity_type),
        source: Text::new(&request.source),
        reading: Text::new(reading),
        sync_run_id: request.sync_run_id.as_deref().map(Text::new),
        answers,
        now: now(),
    };
    let mut room = MAX_REJECTS - call.count(client).min(MAX_REJECTS);
    let mut left_out = 0;
    let mut rest = rejects.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |(_, reject): &&(u128, Reject<'_>)| {
            let first = bytes == 0;
            bytes += reject.document.len().min(MAX_DOCUMENT);
            first || bytes <= CHUNK_BYTES
        };
        let (chunk, tail) = rest.split_at(rest.iter().take(CHUNK_ROWS).take_while(fits).count());
        rest = tail;
        left_out += call.keep(client, chunk, &mut room);
    }
    if left_out > 0 {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            match left_out {
                1 => "1 rejected element was not kept".to_owned(),
                _ => format!("{left_out} rejected elements were not kept"),
            },
            format!(
                "kepler.rejects holds {MAX_REJECTS} of this entity, which is as many as it may. \
                 Retry or purge them."
            )
        );
    }
    Ok(())
}

struct Call<'a> {
    workspace: Text,
    entity: Text,
    entity_type: Text,
    source: Text,
    reading: Text,
    sync_run_id: Option<Text>,
    answers: &'a [Answer<Ids>],
    now: i64,
}

impl Call<'_> {
    /// How many are kept of the entity.
    fn count(&self, client: &mut SpiClient<'_>) -> usize {
        let key = [Some(self.workspace.datum()), Some(self.entity.datum())];
        let rows = COUNT.with(|plan| plan.run(client, &key));
        let count = rows.iter::<1>().next().and_then(|row| row.bigint(0));
        count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    /// Which of the rejects a statement finds.
    fn there(
        &self,
        client: &mut SpiClient<'_>,
        statement: &'static LocalKey<Statement>,
        chunk: &[(u128, Reject<'_>)],
    ) -> HashSet<u128> {
        let mut digests = Array::new(array::UUID);
        chunk.iter().for_each(|(digest, _)| digests.push_uuid(Some(*digest)));
        let parameters =
            [Some(self.workspace.datum()), Some(self.entity.datum()), Some(digests.datum())];
        let rows = statement.with(|plan| plan.run(client, &parameters));
        rows.iter::<1>().filter_map(|row| row.uuid(0)).collect()
    }

    /// Gives back how many had no room.
    fn keep(
        &self,
        client: &mut SpiClient<'_>,
        chunk: &[(u128, Reject<'_>)],
        room: &mut usize,
    ) -> usize {
        let free = self.there(client, &FREE, chunk);
        // Those that somebody is retrying are not waited for: he may wait for a record of ours.
        let busy: HashSet<u128> = self
            .there(client, &KNOWN, chunk)
            .into_iter()
            .filter(|digest| !free.contains(digest))
            .collect();
        let (mut digests, mut bases) = (Array::new(array::UUID), Array::new(array::UUID));
        let [mut ordinals, mut sizes, mut times] = [(); 3].map(|()| Array::new(array::INTEGER));
        let [mut ids, mut documents, mut codes, mut errors] =
            [(); 4].map(|()| Array::new(array::TEXT));
        let mut left_out = 0;
        for (digest, reject) in chunk {
            let mut digest = *digest;
            if busy.contains(&digest) {
                digest = text_hash(format!("{digest:x} {}", self.now).as_bytes());
            }
            if !free.contains(&digest) {
                if *room == 0 {
                    left_out += 1;
                    continue;
                }
                *room -= 1;
            }
            let answer = &self.answers[reject.place];
            digests.push_uuid(Some(digest));
            match &answer.id.external_id {
                Some(id) => ids.push_text(id),
                None => ids.push_null(),
            }
            ordinals.push_bytes(&(reject.place as i32 + 1).to_ne_bytes());
            match reject.document {
                document if document.len() <= MAX_DOCUMENT => documents.push_text(document),
                _ => documents.push_null(),
            }
            sizes.push_bytes(&(reject.document.len() as i32).to_ne_bytes());
            times.push_bytes(&reject.times.to_ne_bytes());
            let (code, error) = answer.rejection.as_ref().map_or_else(
                || ("".into(), String::new()),
                |rejection| (rejection.code().name(), rejection.text()),
            );
            codes.push_text(&code);
            errors.push_text(&error);
            bases.push_uuid(reject.base);
        }
        if digests.count() > 0 {
            let parameters = [
                Some(self.workspace.datum()),
                Some(self.entity.datum()),
                Some(self.entity_type.datum()),
                Some(self.source.datum()),
                Some(self.reading.datum()),
                Some(digests.datum()),
                Some(ids.datum()),
                Some(ordinals.datum()),
                Some(documents.datum()),
                Some(sizes.datum()),
                Some(codes.datum()),
                Some(errors.datum()),
                Some(bases.datum()),
                Some(pg_sys::Datum::from(self.now)),
                self.sync_run_id.as_ref().map(Text::datum),
                Some(times.datum()),
            ];
            KEEP.with(|plan| plan.run(client, &parameters));
        }
        left_out
    }
}

/// Recognises an element that is sent again. Where documents replace each other, the last one of a record counts;
/// parts that are merged count each.
fn digest(request: &Request, external_id: Option<&str>, document: &str) -> u128 {
    match external_id.filter(|_| request.merge == Merge::Replace) {
        Some(id) => text_hash(format!("i{id}").as_bytes()),
        None => text_hash(document.as_bytes()),
    }
}

/// The element that a record by itself would be in a batch: its parts as they were given, whatever they are.
pub(crate) fn envelope(
    external_id: Option<&str>,
    data: Option<&str>,
    source_updated_at: Option<&str>,
    deleted: bool,
) -> String {
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let mut members = Vec::new();
    if let Some(id) = external_id {
        members.push(format!("\"external_id\": {}", text(id)));
    }
    if let Some(data) = data {
        members.push(format!("\"data\": {data}"));
    }
    if let Some(time) = source_updated_at {
        members.push(format!("\"source_updated_at\": {}", text(time)));
    }
    if deleted {
        members.push("\"deleted\": true".to_owned());
    }
    format!("{{{}}}", members.join(", "))
}
