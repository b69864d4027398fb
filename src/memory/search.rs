//! A search over memories: by meaning, by words, or both.

use super::access::Reader;
use super::embedded::Embedded;
use super::embedding::Embedding;
use super::gather::{Gathered, Question, gather, pool};
use super::nearest::{Details, Plan};
use super::scope::Scope;
use super::score::{self, Fusion, Weights};
use super::space::Space;
use super::touch;
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::rows::Row;
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
    pub(crate) fusion: Fusion,
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

/// Finds memories. Reads as the owner of the tables, once the caller's rights are checked.
pub(crate) fn run(client: &mut SpiClient<'_>, request: &Request) -> Result<Answer, Error> {
    let workspace_id = &request.scope.workspace_id;
    let reader = Reader::open(client, workspace_id)?;
    let question = request.question();
    let space = question.space(client, request.space.as_deref(), &reader)?;
    let mut parameters = Parameters::default();
    let conditions = request.scope.conditions(&mut parameters)?.of(&reader);
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
            fusion: self.fusion,
            is_diverse: self.diversity > 0.0,
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
    let Gathered { candidates, usual, .. } = gathered;
    let mut found = Vec::with_capacity(candidates.len());
    for (memory_id, candidate) in candidates {
        let similarity = candidate.similarity(space);
        // What has no embedding yet was found by its words.
        if let (Some(least), Some(similarity)) = (request.min_similarity, similarity)
            && similarity < least
        {
            continue;
        }
        let relevance = request.question().relevance(&candidate, similarity, space, &usual);
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
