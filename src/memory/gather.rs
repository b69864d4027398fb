//! What searches over memories and over messages share: candidates by meaning, by words, or both.

use super::access::Reader;
use super::embedded::Embedded;
use super::embedding::Embedding;
use super::nearest::{Details, Plan, Search};
use super::sample::usual;
use super::scope::Conditions;
use super::score::{Fusion, Half};
use super::space::Space;
use super::usual::Usual;
use super::words::{Enough, Worded, by_words, score_others};
use crate::error::Error;
use crate::pg::array::Array;
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use crate::pgvector::Metric;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// Candidates for a place among the results, where more than similarity decides: for each place, at
/// least, and at most (beside the results themselves).
pub(super) const POOL_A_ROW: usize = 4;
const MIN_POOL: usize = 40;
pub(super) const MAX_POOL: usize = 10_000;

/// What is known of a candidate.
pub(crate) struct Candidate<D> {
    pub(crate) details: D,
    distance: Option<f64>,
    pub(crate) vector_rank: Option<i32>,
    pub(crate) text_rank: Option<i32>,
    /// How well it answers by its words, from 0 to 1.
    text_score: Option<f64>,
    pub(crate) embedding: Option<Embedding>,
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
    pub(crate) fusion: Fusion,
    /// Whether results are to be unlike each other.
    pub(crate) is_diverse: bool,
}

/// What was found, in which order, and how.
pub(crate) struct Gathered<D> {
    pub(crate) order: Vec<String>,
    pub(crate) candidates: HashMap<String, Candidate<D>>,
    pub(crate) plan: Plan,
    pub(crate) usual: Usual,
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
            target: &conditions.target(),
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
    let mut words = None;
    if let Some(text) = question.query_text {
        let enough = space.and_then(|space| Enough::new(question, space, parameters));
        let worded = by_words(client, question, conditions, parameters, text, enough.as_ref());
        if let Some(Worded { found, sought }) = worded {
            for (at, (id, score, details)) in found.into_iter().enumerate() {
                let candidate = candidates.entry(id.clone()).or_insert_with(|| {
                    order.push(id);
                    Candidate::new(details)
                });
                candidate.text_rank = Some(at as i32 + 1);
                candidate.text_score = Some(sought.share(score));
            }
            words = Some(sought);
        }
    }
    if let (Some(space), Some(embedding)) = (space, question.embedding) {
        complete(client, question, space, embedding, &order, &mut candidates);
        if let Some(sought) = words {
            let has_none =
                |id: &&str| candidates.get(*id).is_some_and(|it| it.text_score.is_none());
            let ids = Array::texts(order.iter().map(String::as_str).filter(has_none));
            for (id, score) in score_others(client, question, &sought, ids) {
                if let Some(candidate) = candidates.get_mut(&id) {
                    candidate.text_score = Some(sought.share(score));
                }
            }
        }
    }
    let usual = match (space, question.embedding) {
        (Some(space), Some(embedding)) if question.is_scaled(space) => {
            usual(client, question, space, embedding)
        }
        _ => Usual::default(),
    };
    Gathered { order, candidates, plan, usual }
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
        let space = Space::find(client, self.embedded, name.or(reader.searched.space.as_deref()))?;
        space.check(embedding)?;
        Ok(Some(space))
    }

    /// Whether what both ways say is put on one scale, for which it must be known what similarity is usual.
    fn is_scaled(&self, space: &Space) -> bool {
        self.query_text.is_some()
            && self.fusion.is_of_scores()
            && space.vectors.metric == Metric::Cosine
    }

    /// How well a candidate answers, from 0 to 1: by its similarity, by its words, or by both.
    pub(crate) fn relevance<D>(
        &self,
        candidate: &Candidate<D>,
        similarity: Option<f64>,
        space: Option<&Space>,
        usual: &Usual,
    ) -> f64 {
        // Only the cosine has a scale; of other metrics the ranks are comparable.
        let has_scale = space.is_none_or(|space| space.vectors.metric == Metric::Cosine);
        let fusion = if has_scale { self.fusion } else { self.fusion.of_ranks() };
        let of = |score: Option<f64>, rank| Half { score: score.unwrap_or(0.0), rank };
        let text = of(candidate.text_score, candidate.text_rank);
        match (self.query_text, self.embedding) {
            (None, _) => similarity.unwrap_or(0.0).clamp(0.0, 1.0),
            (Some(_), None) => fusion.one(text),
            (Some(_), Some(_)) => {
                let stands_out = similarity.map(|similarity| usual.stands_out(similarity));
                fusion.both(of(stands_out, candidate.vector_rank), text)
            }
        }
    }
}

impl<D> Candidate<D> {
    fn new(details: D) -> Self {
        Self {
            details,
            distance: None,
            vector_rank: None,
            text_rank: None,
            text_score: None,
            embedding: None,
        }
    }

    /// As the metric of the space has it; None without an embedding.
    pub(crate) fn similarity(&self, space: Option<&Space>) -> Option<f64> {
        let (distance, space) = self.distance.zip(space)?;
        Some(space.vectors.metric.similarity(distance))
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
    let column = space.embedded.column();
    let rows = parameters.run_kept(
        client,
        format!(
            "SELECT {id}, {distance}, CASE WHEN {diverse} THEN e.embedding END \
             FROM {table} AS e WHERE e.workspace_id = {workspace} AND e.{column} = ANY ({ids})",
            id = space.embedded.id(&format!("e.{column}")),
            ids = space.embedded.ids(&ids),
            distance = space.vectors.distance(&query),
            table = space.vectors.table,
        ),
        Order::Sorted,
    );
    for row in rows.iter::<3>() {
        if let Some(candidate) = row.text(0).and_then(|id| candidates.get_mut(id)) {
            candidate.distance = row.float(1);
            // SAFETY: the column is a vector.
            candidate.embedding = row.datum(2).map(|datum| unsafe { Embedding::from_datum(datum) });
        }
    }
}
