//! A search over memories: by meaning, by words, or both.

use super::access::Reader;
use super::embedding::Embedding;
use super::error::MemoryError;
use super::nearest::{Condition, Plan, Search};
use super::scope::{Conditions, Scope};
use super::score::{self, Weights};
use super::space::Space;
use super::touch;
use crate::error::Error;
use crate::ident::quote_literal;
use crate::pg::array::{self, Array};
use crate::pg::plan::{LocalSettings, Statement};
use crate::pg::query::Parameters;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// What a caller asked for.
pub(crate) struct Request {
    pub(crate) embedding: Option<Embedding>,
    pub(crate) query_text: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) space: Option<String>,
    pub(crate) max_rows: usize,
    pub(crate) min_similarity: Option<f64>,
    pub(crate) weights: Weights,
    pub(crate) diversity: f64,
    /// Whether the accesses are noted.
    pub(crate) touch: bool,
}

/// A memory that was found.
pub(crate) struct Found {
    pub(crate) memory_id: String,
    pub(crate) content: String,
    pub(crate) score: f64,
    pub(crate) similarity: Option<f64>,
    pub(crate) vector_rank: Option<i32>,
    pub(crate) text_rank: Option<i32>,
    pub(crate) recency: f64,
    pub(crate) importance: f64,
}

/// The memories, best first, and how they were found.
pub(crate) struct Answer {
    pub(crate) found: Vec<Found>,
    pub(crate) plan: Plan,
    /// Whether there are no more.
    pub(crate) exhausted: bool,
}

/// Candidates for a place among the results, where more than similarity decides: for each place, at
/// least, and at most (beside the results themselves).
const POOL_A_ROW: usize = 4;
const MIN_POOL: usize = 40;
const MAX_POOL: usize = 10_000;

thread_local! {
    static DETAILS: Statement = const { Statement::new(
        c"SELECT m.id, m.content, m.context_type, m.relevance_score, m.valid_from, a.hits
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id, x.content, x.context_type, x.relevance_score, x.valid_from
              FROM kepler.memories AS x WHERE x.workspace_id = $1 AND x.id = n.id LIMIT 1) AS m
          LEFT JOIN LATERAL (
              SELECT y.hits FROM kepler.memory_access AS y
              WHERE y.workspace_id = $1 AND y.memory_id = n.id LIMIT 1) AS a ON true",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// What is known of a candidate.
#[derive(Default)]
struct Candidate {
    distance: Option<f64>,
    vector_rank: Option<i32>,
    text_rank: Option<i32>,
    embedding: Option<Embedding>,
}

/// Finds memories. Reads as the owner of the tables, once the caller's rights are checked.
pub(crate) fn run(client: &mut SpiClient<'_>, request: &Request) -> Result<Answer, Error> {
    let workspace_id = &request.scope.workspace_id;
    let reader = Reader::open(client, workspace_id)?;
    let space = match &request.embedding {
        None => {
            // Nothing is compared in it, but a name that is wrong is not passed over.
            if let Some(name) = &request.space {
                Space::find(client, Some(name), workspace_id)?;
            }
            None
        }
        Some(embedding) => {
            let space = Space::find(client, request.space.as_deref(), workspace_id)?;
            space.check(embedding)?;
            Some(space)
        }
    };
    let mut parameters = Parameters::default();
    let conditions = request.scope.conditions(&mut parameters)?;
    let (mut order, mut candidates, mut plan) = (Vec::new(), HashMap::new(), Plan::Text);
    if let (Some(space), Some(embedding)) = (&space, &request.embedding) {
        let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
        let search = Search {
            vectors: &space.vectors,
            condition: &within_space(space, &conditions),
            parameters: &parameters,
            query: &query,
            wanted: request.pool(),
        };
        let near;
        (near, plan) = search.run(client);
        for (at, near) in near.into_iter().enumerate() {
            let candidate = Candidate {
                distance: Some(near.distance),
                vector_rank: Some(at as i32 + 1),
                ..Candidate::default()
            };
            order.push(near.key.clone());
            candidates.insert(near.key, candidate);
        }
    }
    if let Some(text) = &request.query_text {
        let text = parameters.text(text);
        for (at, id) in
            by_words(client, request, &conditions, &parameters, &text).into_iter().enumerate()
        {
            candidates
                .entry(id.clone())
                .or_insert_with(|| {
                    order.push(id);
                    Candidate::default()
                })
                .text_rank = Some(at as i32 + 1);
        }
    }
    if let (Some(space), Some(embedding)) = (&space, &request.embedding) {
        complete(client, request, space, embedding, &order, &mut candidates);
    }
    let found = describe(client, request, space.as_ref(), &order, candidates);
    if request.touch && reader.may_touch {
        touch::run(client, workspace_id, found.iter().map(|found| found.memory_id.as_str()));
    }
    let exhausted = found.len() < request.max_rows;
    Ok(Answer { found, plan, exhausted })
}

impl Request {
    /// How many candidates are looked for, each way.
    fn pool(&self) -> usize {
        let by_similarity_alone =
            self.weights.only_similarity() && self.query_text.is_none() && self.diversity == 0.0;
        if by_similarity_alone {
            return self.max_rows;
        }
        (POOL_A_ROW * self.max_rows).max(MIN_POOL).min(MAX_POOL.max(self.max_rows))
    }
}

/// The embeddings of a space whose memories meet the conditions.
pub(crate) fn within_space(space: &Space, conditions: &Conditions) -> Condition {
    let Conditions { workspace, keys, keys_hash, all, is_filtered } = conditions;
    let table = &space.vectors.table;
    Condition {
        exact_from: format!(
            "{table} AS e JOIN kepler.memories AS m ON m.id = e.memory_id \
             WHERE e.workspace_id = {workspace} AND {all}"
        ),
        // A subquery of its own: it is looked up for each row of the index, in the index's order.
        index_from: format!(
            "{table} AS e CROSS JOIN LATERAL (SELECT FROM kepler.memories AS m \
             WHERE m.id = e.memory_id AND {all} OFFSET 0) AS found \
             WHERE e.workspace_id = {workspace}"
        ),
        keys: format!("SELECT FROM kepler.memories AS m WHERE {keys}"),
        keys_hash: *keys_hash,
        scope: format!("SELECT FROM kepler.memories AS m WHERE {all}"),
        is_filtered: *is_filtered,
        key: "e.memory_id".to_owned(),
    }
}

/// The memories that hold words of the text, the best first. Any of the words counts: a question holds
/// many that its answer does not.
fn by_words(
    client: &mut SpiClient<'_>,
    request: &Request,
    conditions: &Conditions,
    parameters: &Parameters,
    text: &str,
) -> Vec<String> {
    let _planning = LocalSettings::set(&[(c"enable_seqscan", c"off"), (c"jit", c"off")]);
    let words: Vec<String> = {
        let rows = parameters.run(
            client,
            &format!(
                "SELECT w.lexeme FROM pg_catalog.unnest(\
                 pg_catalog.to_tsvector('pg_catalog.english', {text})) AS w"
            ),
        );
        rows.iter::<1>().filter_map(|row| row.text(0).map(quote_word)).collect()
    };
    if words.is_empty() {
        return Vec::new();
    }
    let words = any_of(&words);
    // As constants: what the planner knows of the words decides whether it reads their index or that of
    // the scope. The workspace is a word with a blank before it.
    let workspace = quote_word(&format!(" {}", request.scope.workspace_id));
    let tsquery = |text: &str| format!("{}::pg_catalog.tsquery", quote_literal(text));
    let sql = format!(
        "SELECT m.id FROM kepler.memories AS m \
         WHERE {all} AND m.text_search @@ {both} \
         ORDER BY pg_catalog.ts_rank(m.text_search, {words}) DESC, m.id LIMIT {limit}",
        all = conditions.all,
        both = tsquery(&format!("{workspace} & ({words})")),
        words = tsquery(&words),
        limit = request.pool(),
    );
    let rows = parameters.run(client, &sql);
    rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Any of the words. Halved again and again: Postgres walks down a long row of words by recursion.
fn any_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        _ => {
            let (left, right) = words.split_at(words.len() / 2);
            format!("({} | {})", any_of(left), any_of(right))
        }
    }
}

/// A word as a `tsquery` has it, taken as it is.
fn quote_word(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

/// Looks up the distances of what words alone have found, and the embeddings where results are to be
/// unlike each other.
fn complete(
    client: &mut SpiClient<'_>,
    request: &Request,
    space: &Space,
    embedding: &Embedding,
    order: &[String],
    candidates: &mut HashMap<String, Candidate>,
) {
    let diverse = request.diversity > 0.0;
    let mut ids = Array::new(array::TEXT);
    for id in order {
        if diverse || candidates.get(id).is_some_and(|candidate| candidate.distance.is_none()) {
            ids.push_text(id);
        }
    }
    if ids.count() == 0 {
        return;
    }
    let mut parameters = Parameters::default();
    let workspace = parameters.text(&request.scope.workspace_id);
    let ids = parameters.array(pg_sys::TEXTARRAYOID, ids);
    let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
    let _planning = LocalSettings::set(&[(c"enable_seqscan", c"off"), (c"jit", c"off")]);
    let rows = parameters.run(
        client,
        &format!(
            "SELECT e.memory_id, {distance}, CASE WHEN {diverse} THEN e.embedding END \
             FROM {table} AS e WHERE e.workspace_id = {workspace} AND e.memory_id = ANY ({ids})",
            distance = space.vectors.distance(&query),
            table = space.vectors.table,
        ),
    );
    for row in rows.iter::<3>() {
        if let Some(candidate) = row.text(0).and_then(|id| candidates.get_mut(id)) {
            candidate.distance = row.float(1);
            // SAFETY: the column is a vector.
            candidate.embedding = row.datum(2).map(|datum| unsafe { Embedding::from_datum(datum) });
        }
    }
}

/// Reads the candidates and puts them in order.
fn describe(
    client: &mut SpiClient<'_>,
    request: &Request,
    space: Option<&Space>,
    order: &[String],
    mut candidates: HashMap<String, Candidate>,
) -> Vec<Found> {
    let mut ids = Array::new(array::TEXT);
    for id in order {
        ids.push_text(id);
    }
    let workspace = Text::new(&request.scope.workspace_id);
    let parameters = [Some(workspace.datum()), Some(ids.datum())];
    let rows = DETAILS.with(|statement| statement.run_in_snapshot(client, &parameters));
    let mut found = Vec::with_capacity(rows.count());
    for row in rows.iter::<6>() {
        let (Some(id), Some(content), Some(context_type)) = (row.text(0), row.text(1), row.text(2))
        else {
            continue;
        };
        let Some(candidate) = candidates.remove(id) else { continue };
        let similarity = candidate
            .distance
            .zip(space)
            .map(|(distance, space)| space.vectors.metric.similarity(distance));
        // What has no embedding yet was found by its words.
        if let (Some(least), Some(similarity)) = (request.min_similarity, similarity)
            && similarity < least
        {
            continue;
        }
        let relevance = match (&request.query_text, &request.embedding) {
            (None, _) => similarity.unwrap_or(0.0).clamp(0.0, 1.0),
            (Some(_), None) => score::fused(&[candidate.text_rank]),
            (Some(_), Some(_)) => score::fused(&[candidate.vector_rank, candidate.text_rank]),
        };
        let importance = row.float(3).unwrap_or(0.0);
        let age = request.scope.at.saturating_sub(row.time(4).unwrap_or(request.scope.at));
        let recency = score::recency(context_type, age);
        let frequency = score::frequency(row.bigint(5).unwrap_or(0));
        let score = request.weights.score(relevance, importance, recency, frequency);
        let memory = Found {
            memory_id: id.to_owned(),
            content: content.to_owned(),
            score,
            similarity,
            vector_rank: candidate.vector_rank,
            text_rank: candidate.text_rank,
            recency,
            importance,
        };
        found.push((memory, candidate.embedding));
    }
    // Of equal scores the more similar first: below 0 similarity does not count, and must order still.
    found.sort_by(|(a, _), (b, _)| {
        let similarity = |found: &Found| found.similarity.unwrap_or(f64::NEG_INFINITY);
        (b.score.total_cmp(&a.score))
            .then_with(|| similarity(b).total_cmp(&similarity(a)))
            .then_with(|| a.memory_id.cmp(&b.memory_id))
    });
    if request.diversity > 0.0 {
        let scores: Vec<f64> = found.iter().map(|(found, _)| found.score).collect();
        let (found, embeddings): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let taken = score::diverse(&scores, &embeddings, request.diversity, request.max_rows);
        let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
        return taken.into_iter().filter_map(|at| found[at].take()).collect();
    }
    found.truncate(request.max_rows);
    found.into_iter().map(|(found, _)| found).collect()
}

/// Refuses numbers out of range, with the argument's name.
pub(crate) fn in_range(
    argument: &'static str,
    given: f64,
    least: f64,
    most: f64,
) -> Result<f64, MemoryError> {
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(MemoryError::OutOfRange {
        argument,
        least: least.to_string(),
        most: most.to_string(),
        given: given.to_string(),
    })
}
