//! A search over memories: by meaning, by words, or both. What it shares with one over messages is here too.

use super::access::Reader;
use super::embedded::Embedded;
use super::embedding::Embedding;
use super::nearest::{Beside, Condition, Details, Plan, Search};
use super::scope::{Conditions, Scope};
use super::score::{self, Weights};
use super::space::Space;
use super::touch;
use super::words::{Enough, by_words};
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::{LocalSettings, Row, Statement};
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
pub(super) const POOL_A_ROW: usize = 4;
const MIN_POOL: usize = 40;
pub(super) const MAX_POOL: usize = 10_000;

thread_local! {
    static HITS: Statement = const { Statement::new(
        c"SELECT a.memory_id, a.hits
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.memory_id, x.hits FROM kepler.memory_access AS x
              WHERE x.workspace_id = $1 AND x.memory_id = n.id LIMIT 1) AS a",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// What is known of a memory that was found.
struct Memory {
    content: String,
    context_type: String,
    importance: f64,
    valid_from: Option<i64>,
}

impl Details for Memory {
    const COLUMNS: &'static str = "m.content, m.context_type, m.relevance_score, m.valid_from";

    fn read(row: &Row<'_, 6>) -> Option<Self> {
        Some(Self {
            content: row.text(2)?.to_owned(),
            context_type: row.text(3)?.to_owned(),
            importance: row.float(4).unwrap_or(0.0),
            valid_from: row.time(5),
        })
    }

    fn content(&self) -> &str {
        &self.content
    }
}

/// What is known of a candidate.
pub(crate) struct Candidate<D> {
    details: D,
    distance: Option<f64>,
    pub(crate) vector_rank: Option<i32>,
    pub(crate) text_rank: Option<i32>,
    embedding: Option<Embedding>,
}

/// What is looked for, in memories or in messages.
pub(crate) struct Question<'q> {
    pub(crate) embedded: Embedded,
    pub(crate) workspace_id: &'q str,
    pub(crate) embedding: Option<&'q Embedding>,
    pub(crate) query_text: Option<&'q str>,
    /// How many candidates are looked for, each way.
    pub(crate) pool: usize,
    /// How many are asked for.
    pub(crate) max_rows: usize,
    pub(crate) min_similarity: Option<f64>,
    /// Whether results are to be unlike each other.
    pub(crate) is_diverse: bool,
}

/// What was found, in which order, and how.
pub(crate) struct Gathered<D> {
    pub(crate) order: Vec<String>,
    pub(crate) candidates: HashMap<String, Candidate<D>>,
    pub(crate) plan: Plan,
}

/// Finds memories. Reads as the owner of the tables, once the caller's rights are checked.
pub(crate) fn run(client: &mut SpiClient<'_>, request: &Request) -> Result<Answer, Error> {
    let workspace_id = &request.scope.workspace_id;
    let reader = Reader::open(client, workspace_id)?;
    let question = request.question();
    let space = question.space(client, request.space.as_deref(), &reader)?;
    let mut parameters = Parameters::default();
    let conditions = request.scope.conditions(&mut parameters)?;
    let gathered: Gathered<Memory> =
        gather(client, &question, space.as_ref(), &conditions, &mut parameters);
    let plan = gathered.plan;
    let hits = if request.weights.counts_frequency() {
        hits(client, workspace_id, &gathered.order)
    } else {
        HashMap::new()
    };
    let found = describe(request, space.as_ref(), gathered, &hits);
    if reader.close() && request.touch {
        touch::run(client, workspace_id, found.iter().map(|found| found.memory_id.as_str()));
    }
    let exhausted = found.len() < request.max_rows;
    Ok(Answer { found, plan, exhausted })
}

/// Finds the candidates, those that vectors find first; each with its distance, if it has one.
pub(crate) fn gather<D: Details>(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    space: Option<&Space>,
    conditions: &Conditions,
    parameters: &mut Parameters,
) -> Gathered<D> {
    let (mut order, mut plan) = (Vec::new(), Plan::Text);
    let mut candidates: HashMap<String, Candidate<D>> = HashMap::new();
    if let (Some(space), Some(embedding)) = (space, question.embedding) {
        let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
        let search = Search {
            vectors: &space.vectors,
            condition: &within_space(question.embedded, conditions),
            parameters,
            query: &query,
            wanted: question.pool,
            certain: question.max_rows,
            least: question.min_similarity,
            is_diverse: question.is_diverse,
        };
        let near;
        (near, plan) = search.run(client);
        for (at, near) in near.into_iter().enumerate() {
            let mut candidate = Candidate::new(near.details);
            candidate.distance = Some(near.distance);
            candidate.vector_rank = Some(at as i32 + 1);
            order.push(near.key.clone());
            candidates.insert(near.key, candidate);
        }
    }
    if let Some(text) = question.query_text {
        let text = parameters.text(text);
        let enough = space.and_then(|space| Enough::new(question, space, parameters));
        let worded = by_words(client, question, conditions, parameters, &text, enough.as_ref());
        for (at, (id, details)) in worded.into_iter().enumerate() {
            candidates
                .entry(id.clone())
                .or_insert_with(|| {
                    order.push(id);
                    Candidate::new(details)
                })
                .text_rank = Some(at as i32 + 1);
        }
    }
    if let (Some(space), Some(embedding)) = (space, question.embedding) {
        complete(client, question, space, embedding, &order, &mut candidates);
    }
    Gathered { order, candidates, plan }
}

impl Request {
    fn question(&self) -> Question<'_> {
        let by_similarity_alone =
            self.weights.only_similarity() && self.query_text.is_none() && self.diversity == 0.0;
        Question {
            embedded: Embedded::Memories,
            workspace_id: &self.scope.workspace_id,
            embedding: self.embedding.as_ref(),
            query_text: self.query_text.as_deref(),
            pool: pool(self.max_rows, by_similarity_alone),
            max_rows: self.max_rows,
            min_similarity: self.min_similarity,
            is_diverse: self.diversity > 0.0,
        }
    }
}

/// How many candidates are looked for, each way.
pub(crate) fn pool(max_rows: usize, by_similarity_alone: bool) -> usize {
    if by_similarity_alone {
        return max_rows;
    }
    (POOL_A_ROW * max_rows).max(MIN_POOL).min(MAX_POOL.max(max_rows))
}

impl Question<'_> {
    /// The space that an embedding is compared in: the named one, or the one that the workspace searches.
    pub(crate) fn space(
        &self,
        client: &mut SpiClient<'_>,
        name: Option<&str>,
        reader: &Reader,
    ) -> Result<Option<Space>, Error> {
        let Some(embedding) = self.embedding else {
            // Nothing is compared in it, but a name that is wrong is not passed over.
            if name.is_some() {
                Space::find(client, self.embedded, name)?;
            }
            return Ok(None);
        };
        let space = Space::find(client, self.embedded, name.or(reader.space.as_deref()))?;
        space.check(embedding)?;
        Ok(Some(space))
    }

    /// How well a candidate answers, from 0 to 1: by its similarity, or where words count by its ranks.
    pub(crate) fn relevance<D>(&self, candidate: &Candidate<D>, similarity: Option<f64>) -> f64 {
        match (self.query_text, self.embedding) {
            (None, _) => similarity.unwrap_or(0.0).clamp(0.0, 1.0),
            (Some(_), None) => score::fused(&[candidate.text_rank]),
            (Some(_), Some(_)) => score::fused(&[candidate.vector_rank, candidate.text_rank]),
        }
    }
}

impl<D> Candidate<D> {
    fn new(details: D) -> Self {
        Self { details, distance: None, vector_rank: None, text_rank: None, embedding: None }
    }

    /// As the metric of the space has it; None without an embedding.
    pub(crate) fn similarity(&self, space: Option<&Space>) -> Option<f64> {
        let (distance, space) = self.distance.zip(space)?;
        Some(space.vectors.metric.similarity(distance))
    }
}

/// The embeddings of a space whose memories or messages meet the conditions.
pub(crate) fn within_space(embedded: Embedded, conditions: &Conditions) -> Condition {
    let Conditions { from, of_row, workspace, keys, keys_hash, scope_hash, all, is_filtered } =
        conditions;
    let (table, column) = (embedded.table(), format!("e.{}", embedded.column()));
    // By its primary key, whatever else is known of it: LIMIT keeps the planner from other indexes.
    let row = format!(
        "(SELECT x.* FROM {table} AS x WHERE x.workspace_id = {workspace} AND x.id = {column} LIMIT 1)"
    );
    Condition {
        keys: keys.clone(),
        keys_hash: *keys_hash,
        scope_hash: *scope_hash,
        has_one_way: true,
        key: embedded.id(&column),
        beside: Some(Beside {
            lookup: format!("{row} AS m {of_row} WHERE {all}"),
            scope: format!("{from} WHERE {all}"),
            join: format!("e.workspace_id = {workspace} AND {column} = m.id"),
            column,
            is_filtered: *is_filtered,
        }),
    }
}

/// Looks up the distances of what words alone have found, and the embeddings where results are to be
/// unlike each other.
fn complete<D>(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    space: &Space,
    embedding: &Embedding,
    order: &[String],
    candidates: &mut HashMap<String, Candidate<D>>,
) {
    let diverse = question.is_diverse;
    let is_open = |id: &&str| {
        diverse || candidates.get(*id).is_some_and(|candidate| candidate.distance.is_none())
    };
    let ids = Array::texts(order.iter().map(String::as_str).filter(is_open));
    if ids.count() == 0 {
        return;
    }
    let mut parameters = Parameters::default();
    let workspace = parameters.text(question.workspace_id);
    let ids = parameters.array(pg_sys::TEXTARRAYOID, ids);
    let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
    let _planning = LocalSettings::set(&[(c"enable_seqscan", c"off"), (c"jit", c"off")]);
    let column = space.embedded.column();
    let rows = parameters.run(
        client,
        &format!(
            "SELECT {id}, {distance}, CASE WHEN {diverse} THEN e.embedding END \
             FROM {table} AS e WHERE e.workspace_id = {workspace} AND e.{column} = ANY ({ids})",
            id = space.embedded.id(&format!("e.{column}")),
            ids = space.embedded.ids(&ids),
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

/// How often memories were found before.
fn hits(client: &mut SpiClient<'_>, workspace_id: &str, found: &[String]) -> HashMap<String, i64> {
    let mut ids = Array::texts(found.iter().map(String::as_str));
    let workspace = Text::new(workspace_id);
    let parameters = [Some(workspace.datum()), Some(ids.datum())];
    let rows = HITS.with(|statement| statement.run_in_snapshot(client, &parameters));
    rows.iter::<2>().filter_map(|row| Some((row.text(0)?.to_owned(), row.bigint(1)?))).collect()
}

/// Puts the candidates in order.
fn describe(
    request: &Request,
    space: Option<&Space>,
    gathered: Gathered<Memory>,
    hits: &HashMap<String, i64>,
) -> Vec<Found> {
    let mut found = Vec::with_capacity(gathered.candidates.len());
    for (memory_id, candidate) in gathered.candidates {
        let similarity = candidate.similarity(space);
        // What has no embedding yet was found by its words.
        if let (Some(least), Some(similarity)) = (request.min_similarity, similarity)
            && similarity < least
        {
            continue;
        }
        let relevance = request.question().relevance(&candidate, similarity);
        let memory = candidate.details;
        let at = request.scope.at;
        let age = at.saturating_sub(memory.valid_from.unwrap_or(at));
        let recency = score::recency(&memory.context_type, age);
        let frequency = score::frequency(hits.get(&memory_id).copied().unwrap_or(0));
        let score = request.weights.score(relevance, memory.importance, recency, frequency);
        let memory = Found {
            memory_id,
            content: memory.content,
            score,
            similarity,
            vector_rank: candidate.vector_rank,
            text_rank: candidate.text_rank,
            recency,
            importance: memory.importance,
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
        let texts: Vec<&str> = found.iter().map(|found| found.content.as_str()).collect();
        let taken =
            score::diverse(&scores, &embeddings, &texts, request.diversity, request.max_rows);
        let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
        return taken.into_iter().filter_map(|at| found[at].take()).collect();
    }
    found.truncate(request.max_rows);
    found.into_iter().map(|(found, _)| found).collect()
}
