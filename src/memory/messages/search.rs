//! A search over messages: finds them as memories are found, and gives them with what was said around.

use super::passages::{self, Passage, Surroundings};
use super::scope::Scope;
use crate::error::Error;
use crate::memory::access::Reader;
use crate::memory::embedded::Embedded;
use crate::memory::embedding::Embedding;
use crate::memory::gather::{Gathered, Question, gather, pool};
use crate::memory::nearest::Plan;
use crate::memory::score::Fusion;
use crate::memory::space::Space;
use crate::memory::vectors::kept;
use crate::pg::array::{self, Array};
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::varlena::Text;
use pgrx::AnyElement;
use pgrx::datum::FromDatum;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// What a caller asked for.
pub(crate) struct Request {
    pub(crate) embedding: Option<Embedding>,
    pub(crate) query_text: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) space: Option<String>,
    /// Hits; their neighbours come beside.
    pub(crate) max_rows: usize,
    pub(crate) min_similarity: Option<f64>,
    pub(crate) fusion: Fusion,
    /// So many messages before and after each hit.
    pub(crate) expand: usize,
}

/// A message that fits the question.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    id: String,
    pub(crate) score: f64,
    pub(crate) similarity: Option<f64>,
    pub(crate) vector_rank: Option<i32>,
    pub(crate) text_rank: Option<i32>,
}

/// A message of a passage. Values that SQL has and Rust need not are passed through.
pub(crate) struct Found {
    /// From 1, the best first.
    pub(crate) passage: i32,
    pub(crate) conversation_id: String,
    pub(crate) number: i32,
    pub(crate) message_id: i64,
    pub(crate) role: Option<AnyElement>,
    pub(crate) content: String,
    pub(crate) user_id: Option<String>,
    pub(crate) metadata: Option<AnyElement>,
    pub(crate) sent_at: Option<AnyElement>,
    /// The place of the hit that it is, or stands nearest to; from 1.
    pub(crate) hit: i32,
    /// None for a neighbour.
    pub(crate) is_hit: Option<Hit>,
}

/// The messages, the best passage first, and how they were found.
pub(crate) struct Answer {
    pub(crate) found: Vec<Found>,
    pub(crate) plan: Plan,
    /// How many hits there are among them, and whether there are no more.
    pub(crate) hits: usize,
    pub(crate) exhausted: bool,
}

thread_local! {
    static CONVERSATION: Statement = const { Statement::new(
        c"SELECT kepler_internal.require_conversation($1, $2)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    // By the numbers that are there: some may have been deleted. $3 counts the hit itself.
    static AROUND: Statement = const { Statement::new(
        c"SELECT n.id::text, m.conversation_id, m.number, b.number, a.number, x.number
          FROM (SELECT pg_catalog.unnest($2::int8[]) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT y.conversation_id, y.number FROM kepler.messages AS y
              WHERE y.workspace_id = $1 AND y.id = n.id LIMIT 1) AS m
          CROSS JOIN LATERAL (
              SELECT min(s.number) AS number FROM (
                  SELECT y.number FROM kepler.messages AS y
                  WHERE y.workspace_id = $1 AND y.conversation_id = m.conversation_id
                    AND y.number <= m.number ORDER BY y.number DESC LIMIT $3) AS s) AS b
          CROSS JOIN LATERAL (
              SELECT max(s.number) AS number FROM (
                  SELECT y.number FROM kepler.messages AS y
                  WHERE y.workspace_id = $1 AND y.conversation_id = m.conversation_id
                    AND y.number >= m.number ORDER BY y.number LIMIT $3) AS s) AS a
          LEFT JOIN LATERAL (
              SELECT y.number FROM kepler.messages AS y
              WHERE y.workspace_id = $1 AND y.conversation_id = m.conversation_id
                AND y.number > a.number ORDER BY y.number LIMIT 1) AS x ON true",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::INT4OID],
    ) };
    static TURNS: Statement = const { Statement::new(
        c"SELECT p.place, m.id, m.number, m.role, m.content, m.user_id, m.metadata, m.sent_at
          FROM (SELECT pg_catalog.unnest($2) AS place, pg_catalog.unnest($3) AS conversation_id,
                       pg_catalog.unnest($4) AS first, pg_catalog.unnest($5) AS last) AS p
          CROSS JOIN LATERAL (
              SELECT y.id, y.number, y.role, y.content, y.user_id, y.metadata, y.sent_at
              FROM kepler.messages AS y
              WHERE y.workspace_id = $1 AND y.conversation_id = p.conversation_id
                AND y.number BETWEEN p.first AND p.last ORDER BY y.number) AS m",
        &[
            pg_sys::TEXTOID, pg_sys::INT4ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::INT4ARRAYOID,
        ],
    ) };
}

/// Checks that the caller may read the messages of the workspace, and whose they are.
pub(crate) fn reader(client: &mut SpiClient<'_>, workspace_id: &str) -> Result<Reader, Error> {
    Reader::open_tables(client, &["messages", "conversations"], workspace_id)
}

/// Finds messages. Reads as the owner of the tables, once the caller's rights are checked. What is given
/// lies in `memory`.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    request: &Request,
    memory: pg_sys::MemoryContext,
) -> Result<Answer, Error> {
    let scope = &request.scope;
    let reader = reader(client, &scope.workspace_id)?;
    if let Some(id) = &scope.conversation_id {
        let (id, workspace) = (Text::new(id), Text::new(&scope.workspace_id));
        CONVERSATION.with(|check| check.run(client, &[Some(id.datum()), Some(workspace.datum())]));
    }
    let question = Question {
        embedded: Embedded::Messages,
        workspace_id: &scope.workspace_id,
        embedding: request.embedding.as_ref(),
        query_text: request.query_text.as_deref(),
        pool: pool(request.max_rows, request.query_text.is_none()),
        max_rows: request.max_rows,
        min_similarity: request.min_similarity,
        fusion: request.fusion,
        is_diverse: false,
    };
    let space = question.space(client, request.space.as_deref(), &reader)?;
    let mut parameters = Parameters::default();
    let conditions = scope.conditions(&mut parameters)?.of(&reader);
    let gathered = gather(client, &question, space.as_ref(), &conditions, &mut parameters);
    let plan = gathered.plan;
    let hits = rank(request, &question, space.as_ref(), gathered);
    let (hits, passages) = around(client, request, hits);
    let exhausted = hits.len() < request.max_rows;
    let found = turns(client, &scope.workspace_id, &passages, &hits, memory);
    Ok(Answer { found, plan, hits: hits.len(), exhausted })
}

/// The hits, best first.
fn rank(
    request: &Request,
    question: &Question<'_>,
    space: Option<&Space>,
    mut gathered: Gathered<()>,
) -> Vec<Hit> {
    let mut hits: Vec<(Hit, usize)> = Vec::with_capacity(gathered.order.len());
    for (at, id) in gathered.order.into_iter().enumerate() {
        let Some(candidate) = gathered.candidates.remove(&id) else { continue };
        let similarity = candidate.similarity(space);
        // What has no embedding was found by its words.
        if let (Some(least), Some(similarity)) = (request.min_similarity, similarity)
            && similarity < least
        {
            continue;
        }
        let hit = Hit {
            score: question.relevance(&candidate, similarity, space, &gathered.usual),
            similarity,
            vector_rank: candidate.vector_rank,
            text_rank: candidate.text_rank,
            id,
        };
        hits.push((hit, at));
    }
    // Of equal scores the more similar first, as found.
    hits.sort_by(|(a, a_at), (b, b_at)| {
        let similarity = |hit: &Hit| hit.similarity.unwrap_or(f64::NEG_INFINITY);
        (b.score.total_cmp(&a.score))
            .then_with(|| similarity(b).total_cmp(&similarity(a)))
            .then_with(|| a_at.cmp(b_at))
    });
    hits.truncate(request.max_rows);
    hits.into_iter().map(|(hit, _)| hit).collect()
}

/// The hits that are to be seen, and their passages, the best first; without neighbours each hit is one.
fn around(
    client: &mut SpiClient<'_>,
    request: &Request,
    hits: Vec<Hit>,
) -> (Vec<Hit>, Vec<Passage>) {
    if hits.is_empty() {
        return (hits, Vec::new());
    }
    let mut ids = Array::texts(hits.iter().map(|hit| hit.id.as_str()));
    let workspace = Text::new(&request.scope.workspace_id);
    let turns = pg_sys::Datum::from(request.expand + 1);
    let parameters = [Some(workspace.datum()), Some(ids.datum()), Some(turns)];
    let rows = AROUND.with(|statement| statement.run_in_snapshot(client, &parameters));
    let mut found: HashMap<&str, Surroundings> = HashMap::with_capacity(hits.len());
    for row in rows.iter::<6>() {
        let (Some(id), Some(conversation), Some(number)) =
            (row.text(0), row.text(1), row.integer(2))
        else {
            continue;
        };
        let surroundings = Surroundings {
            conversation_id: conversation.to_owned(),
            number,
            first: row.integer(3).unwrap_or(number),
            last: row.integer(4).unwrap_or(number),
            next: row.integer(5),
        };
        found.insert(id, surroundings);
    }
    // A hit that the caller may not see takes no place.
    let seen = hits.into_iter().filter_map(|hit| {
        let surroundings = found.remove(hit.id.as_str())?;
        Some((hit, surroundings))
    });
    let (hits, surroundings): (Vec<Hit>, Vec<Surroundings>) = seen.unzip();
    if request.expand > 0 {
        return (hits, passages::unite(surroundings));
    }
    let alone = |(place, hit): (usize, Surroundings)| Passage {
        conversation_id: hit.conversation_id,
        first: hit.number,
        last: hit.number,
        hits: vec![(hit.number, place)],
    };
    (hits, surroundings.into_iter().enumerate().map(alone).collect())
}

/// The messages of the passages, in their order.
fn turns(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    passages: &[Passage],
    hits: &[Hit],
    memory: pg_sys::MemoryContext,
) -> Vec<Found> {
    let mut places = Array::new(array::INTEGER);
    let mut conversations = Array::new(array::TEXT);
    let (mut firsts, mut lasts) = (Array::new(array::INTEGER), Array::new(array::INTEGER));
    for (at, passage) in passages.iter().enumerate() {
        places.push_bytes(&(at as i32).to_ne_bytes());
        conversations.push_text(&passage.conversation_id);
        firsts.push_bytes(&passage.first.to_ne_bytes());
        lasts.push_bytes(&passage.last.to_ne_bytes());
    }
    let workspace = Text::new(workspace_id);
    let parameters = [
        Some(workspace.datum()),
        Some(places.datum()),
        Some(conversations.datum()),
        Some(firsts.datum()),
        Some(lasts.datum()),
    ];
    let rows = TURNS.with(|statement| statement.run_in_snapshot(client, &parameters));
    let mut found = Vec::with_capacity(rows.count());
    for row in rows.iter::<8>() {
        let (Some(at), Some(message_id), Some(number)) =
            (row.integer(0), row.bigint(1), row.integer(2))
        else {
            continue;
        };
        let passage = &passages[at as usize];
        let is_hit = passage.hits.binary_search_by_key(&number, |(hit, _)| *hit).ok();
        let place = match is_hit {
            Some(of) => passage.hits[of].1,
            None => passage.nearest_hit(number),
        };
        found.push(Found {
            passage: at + 1,
            conversation_id: passage.conversation_id.clone(),
            number,
            message_id,
            role: by_value(row.datum(3), pg_sys::ANYENUMOID),
            content: row.text(4).unwrap_or_default().to_owned(),
            user_id: row.text(5).map(str::to_owned),
            metadata: row.datum(6).and_then(|metadata| kept(metadata, memory)),
            sent_at: by_value(row.datum(7), pg_sys::TIMESTAMPTZOID),
            hit: place as i32 + 1,
            is_hit: is_hit.map(|_| hits[place].clone()),
        });
    }
    found.sort_by_key(|found| (found.passage, found.number));
    found
}

/// A datum that is its value.
fn by_value(datum: Option<pg_sys::Datum>, sql_type: pg_sys::Oid) -> Option<AnyElement> {
    // SAFETY: the datum points at nothing.
    unsafe { AnyElement::from_polymorphic_datum(datum?, false, sql_type) }
}
