//! Merges the attributes of a repeated memory into the stored one.
//!
//! The content is remembered already; metadata, importance, times and an embedding that was missing may be new,
//! and are not lost with the repetition.

use super::decode::{NewEmbedding, NewMemory};
use super::embedded::Present;
use super::put::{self, Put};
use super::set_embeddings;
use super::space::Space;
use crate::answer::Outcome;
use crate::jsonb::builder::Builder;
use crate::pg::array::{self, Array};
use crate::pg::plan::{Statement, sql};
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

/// What the repeats say beside their content.
macro_rules! said {
    () => {
        "(SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS metadata,
                 pg_catalog.unnest($4) AS relevance_score, pg_catalog.unnest($5) AS expires_at,
                 pg_catalog.unnest($7) AS valid_from) AS n"
    };
}

/// Whether that is more than what is stored says.
macro_rules! is_more {
    ($m:literal) => {
        concat!(
            "(NOT ",
            $m,
            ".metadata @> n.metadata OR ",
            $m,
            ".relevance_score < n.relevance_score
              OR ",
            $m,
            ".valid_from > COALESCE(n.valid_from, $6)
              OR (",
            $m,
            ".expires_at IS NOT NULL
                  AND (n.expires_at IS NULL OR n.expires_at > ",
            $m,
            ".expires_at)))"
        )
    };
}

thread_local! {
    // Locked in the order of the array, which is that of the ids: so that two calls cannot wait for each other.
    static MERGE: Statement = const { Statement::new(
        sql(concat!(
            "UPDATE kepler.memories AS m
             SET metadata = m.metadata || n.metadata,
                 relevance_score = GREATEST(m.relevance_score, n.relevance_score),
                 valid_from = LEAST(m.valid_from, COALESCE(n.valid_from, $6)),
                 expires_at = CASE WHEN m.expires_at IS NOT NULL AND n.expires_at IS NOT NULL
                                   THEN GREATEST(m.expires_at, n.expires_at) END
             FROM ", said!(), "
             WHERE m.workspace_id = $1 AND m.id = n.id AND ", is_more!("m"), "
               AND n.id = ANY (ARRAY(
                   SELECT l.id FROM ", said!(), " CROSS JOIN LATERAL (
                       SELECT x.id FROM kepler.memories AS x
                       WHERE x.workspace_id = $1 AND x.id = n.id AND ", is_more!("x"), "
                       LIMIT 1 FOR NO KEY UPDATE) AS l))
             RETURNING m.id\0")),
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBARRAYOID, pg_sys::FLOAT8ARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    // As pending embeddings have it.
    static HASHES: Statement = const { Statement::new(
        c"SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(n.content, 'UTF8')), 'hex')
          FROM (SELECT pg_catalog.unnest($1) AS content) AS n",
        &[pg_sys::TEXTARRAYOID],
    ) };
}

/// An element, the memory that it repeats, whether to the letter, and what it says.
pub(super) type Repeat = (usize, String, bool, NewMemory);

/// Writes what the repeats say beside their content, and answers for them.
pub(super) fn merge_known(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    repeats: Vec<Repeat>,
    answers: &mut [Put],
    skip: bool,
) {
    // One statement changes a memory once.
    let (mut some, mut ids): (Vec<&Repeat>, HashSet<&str>) = Default::default();
    for repeat in &repeats {
        let (at, id, same, _) = repeat;
        answers[*at].outcome = if *same { Outcome::Duplicate } else { Outcome::Merged };
        answers[*at].id = Some(id.clone());
        if !ids.insert(id) {
            merge_some(client, workspace, &some, answers, skip);
            some.clear();
            ids = HashSet::from([id.as_str()]);
        }
        some.push(repeat);
    }
    merge_some(client, workspace, &some, answers, skip);
    if let Some(space) = space {
        complete(client, workspace, space, &repeats, answers);
    }
}

fn merge_some(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    repeats: &[&Repeat],
    answers: &mut [Put],
    skip: bool,
) {
    if repeats.is_empty() {
        return;
    }
    let merged = if skip {
        match subtransaction::attempt(|| merge(client, workspace, repeats)) {
            Ok(merged) => merged,
            Err(refusal) if repeats.len() == 1 => {
                put::reject(&mut answers[repeats[0].0], refusal);
                return;
            }
            Err(_) => {
                let (first, second) = repeats.split_at(repeats.len() / 2);
                merge_some(client, workspace, first, answers, skip);
                merge_some(client, workspace, second, answers, skip);
                return;
            }
        }
    } else {
        merge(client, workspace, repeats)
    };
    // What changed something was merged, and no mere duplicate.
    for at in merged {
        answers[at].outcome = Outcome::Merged;
    }
}

/// Gives the elements that changed something.
fn merge(client: &mut SpiClient<'_>, workspace: &Text, repeats: &[&Repeat]) -> Vec<usize> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(repeats.len());
    let mut metadata = Array::new(array::JSONB);
    let (mut ids, mut relevance) = (Array::new(array::TEXT), Array::new(array::FLOAT));
    let mut expires_at = Array::new(array::TIMESTAMPTZ);
    let mut valid_from = Array::new(array::TIMESTAMPTZ);
    let mut repeats = repeats.to_vec();
    repeats.sort_unstable_by_key(|(_, id, ..)| id);
    for (at, id, _, new) in repeats {
        places.insert(id, *at);
        ids.push_text(id);
        match &new.metadata {
            Some(stored) => metadata.push_bytes(stored),
            None => metadata.push_varlena(&Builder::empty_object()),
        }
        relevance.push_bytes(&new.relevance_score.to_ne_bytes());
        expires_at.push_time(new.expires_at);
        valid_from.push_time(new.valid_from);
    }
    let parameters = [
        Some(workspace.datum()),
        Some(ids.datum()),
        Some(metadata.datum()),
        Some(relevance.datum()),
        Some(expires_at.datum()),
        Some(pg_sys::Datum::from(crate::pg::clock::now())),
        Some(valid_from.datum()),
    ];
    let rows = MERGE.with(|plan| plan.run(client, &parameters));
    rows.iter::<1>().filter_map(|row| places.get(row.text(0)?).copied()).collect()
}

/// Gives their embeddings to memories of the same content that have none yet.
fn complete(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: &Space,
    repeats: &[Repeat],
    answers: &[Put],
) {
    let brings = |repeat: &&Repeat| {
        repeat.2 && repeat.3.embedding.is_some() && answers[repeat.0].id.is_some()
    };
    let brought: Vec<&Repeat> = repeats.iter().filter(brings).collect();
    if brought.is_empty() {
        return;
    }
    let mut contents = Array::texts(brought.iter().map(|(_, _, _, new)| new.content.as_str()));
    let rows = HASHES.with(|plan| plan.run(client, &[Some(contents.datum())]));
    let hashes: Vec<String> =
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
    drop(rows);
    let embeddings = brought.iter().zip(hashes).filter_map(|((_, id, _, new), hash)| {
        let embedding = new.embedding.clone()?;
        Some(Ok(NewEmbedding { id: id.clone(), embedding, content_hash: Some(hash) }))
    });
    set_embeddings::run(client, workspace, space, embeddings.collect(), Present::Stays);
}
