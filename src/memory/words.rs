//! What a text's words find, the best first.
//!
//! Rows are ranked by `word_score`. Those that hold one of the rarer words are: what holds common words alone seldom
//! comes before them. So a question of many common words costs what the rows of its rarer ones cost. Where
//! those are too few for an answer, because a scope has few of them, the rows of all words are ranked.

use super::asked;
use super::gather::{MAX_POOL, POOL_A_ROW, Question};
use super::narrow::is_narrow;
use super::nearest::{ByKeysAlone, Details, has_outgrown};
use super::rarity::{self, Word};
use super::scope::Conditions;
use super::space::Space;
use super::word_score::Sought;
use crate::ident::quote_literal;
use crate::pg::array::Array;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Order;
use crate::pg::planner::OwnTablesAreLarge;
use crate::pg::query::Parameters;
use crate::pg::rows::Row;
use crate::pg::varlena;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// So many rows are ranked, if the rarer words have so many; and so many for each that is wanted.
const RANKED: f64 = 20_000.0;
const RANKED_A_ROW: usize = 4;

/// What words find: ids and scores, the best first; and the words.
pub(super) struct Worded<D> {
    pub(super) found: Vec<(String, f64, D)>,
    pub(super) sought: Sought,
}

/// What is similar enough, of what words find.
pub(super) struct Enough<'q> {
    space: &'q Space,
    query: String,
    least: String,
}

impl<'q> Enough<'q> {
    /// None where nothing is asked.
    pub(super) fn new(
        question: &Question<'_>,
        space: &'q Space,
        parameters: &mut Parameters,
    ) -> Option<Self> {
        let (least, embedding) = (question.min_similarity?, question.embedding?);
        let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
        let datum = pg_sys::Datum::from(least.to_bits());
        let least = parameters.datum(pg_sys::FLOAT8OID, Some(datum));
        Some(Self { space, query, least })
    }

    /// The ids that `ranked` gives in their order, without those that are not similar enough; with their details.
    /// What has no embedding yet was found by its words. As many are looked up as it takes.
    fn of<D: Details>(&self, ranked: &str, workspace: &str) -> String {
        let Self { space, query, least } = self;
        let (vectors, embedded) = (&space.vectors, space.embedded);
        format!(
            "SELECT {id}, r.score, m.* FROM ({ranked} OFFSET 0) AS r \
             LEFT JOIN LATERAL (SELECT {similarity} AS similarity FROM {table} AS e \
                                WHERE e.workspace_id = {workspace} AND e.{column} = r.id LIMIT 1) AS s \
                 ON true \
             CROSS JOIN LATERAL (SELECT {details} FROM {of} AS m \
                                 WHERE m.workspace_id = {workspace} AND m.id = r.id LIMIT 1) AS m \
             WHERE s.similarity IS NULL OR s.similarity >= {least}",
            id = embedded.id("r.id"),
            similarity = vectors.metric.similarity_of(&vectors.distance(query)),
            table = vectors.table,
            column = embedded.column(),
            details = D::COLUMNS,
            of = embedded.table(),
        )
    }
}

/// Those that hold words of the text, the best first. Any of the words counts: a question holds many that
/// its answer does not. None where the text has no words.
pub(super) fn by_words<D: Details>(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    conditions: &Conditions,
    parameters: &mut Parameters,
    text: &str,
    enough: Option<&Enough<'_>>,
) -> Option<Worded<D>> {
    let _planning = LocalSettings::set(&[(c"enable_seqscan", c"off"), (c"jit", c"off")]);
    let mut words = asked::words_of(client, question.workspace_id, text);
    if words.is_empty() {
        return None;
    }
    let sought = rarity::weigh(client, question, conditions, parameters, &mut words);
    let packed = parameters.stored(pg_sys::BYTEAOID, &varlena::whole(&sought.packed()));
    let score = format!("kepler_internal.word_score(m.text_search, {packed})");
    let outgrown = has_outgrown(client, question.embedded, question.workspace_id);
    let narrow = is_narrow(client, question.embedded, conditions, parameters);
    let _narrow = (narrow && outgrown).then(ByKeysAlone::begin);
    let _large = (outgrown && !narrow).then(OwnTablesAreLarge::begin);
    let mut limit = question.pool;
    let mut rarer = if narrow { words.len() } else { rarer(&words, sought.rows, limit) };
    loop {
        // As constants: what the planner knows of the words decides whether it reads their index or that of
        // the scope. The workspace is a word with a blank before it.
        let any: Vec<String> = words[..rarer].iter().map(|word| quote_word(&word.text)).collect();
        let workspace = quote_word(&format!(" {}", question.workspace_id));
        let both = quote_literal(&format!("{workspace} & ({})", any_of(&any)));
        let (from, all) = (conditions.rows.from, &conditions.rows.conditions);
        let found = format!(
            "FROM {from} WHERE {all} AND m.text_search @@ {both}::pg_catalog.tsquery \
             ORDER BY score DESC, {tie}",
            tie = question.embedded.tie(),
        );
        let sql = match enough {
            Some(enough) => enough.of::<D>(
                &format!("SELECT m.id, {score} AS score {found}"),
                &conditions.rows.workspace,
            ),
            None => {
                let id = question.embedded.id("m.id");
                format!("SELECT {id}, {score} AS score, {} {found}", D::COLUMNS)
            }
        };
        let rows = parameters.run(client, &format!("{sql} LIMIT {limit}"));
        let found: Vec<(String, f64, D)> = rows
            .iter::<6>()
            .filter_map(|row| Some((row.text(0)?.to_owned(), row.float(1)?, D::read(&row)?)))
            .collect();
        drop(rows);
        if found.len() < limit && rarer < words.len() {
            rarer = words.len();
            continue;
        }
        // Where results are to be unlike each other, a text that comes again and again is but one.
        let texts =
            || found.iter().map(|(_, _, details)| details.content()).collect::<HashSet<_>>();
        if !question.is_diverse
            || found.len() < limit
            || limit >= MAX_POOL
            || texts().len() >= question.max_rows
        {
            return Some(Worded { found, sought });
        }
        limit = (POOL_A_ROW * limit).min(MAX_POOL);
    }
}

/// How many of the words, the rarest first, give rows enough to rank, of all that there are.
fn rarer(words: &[Word], all: f64, wanted: usize) -> usize {
    let least = (RANKED_A_ROW * wanted) as f64;
    // Many rows hold several of the words.
    let (mut without, mut rows) = (1.0, 0.0);
    let enough = words.iter().position(|word| {
        let before = rows;
        without *= 1.0 - (word.rows / all.max(1.0)).min(1.0);
        rows = all * (1.0 - without);
        before >= least && rows > RANKED.max(least)
    });
    enough.unwrap_or(words.len())
}

/// Gives the scores of rows that words have not found among the best; those that hold none of the words have none.
pub(super) fn score_others(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    sought: &Sought,
    ids: Array,
) -> Vec<(String, f64)> {
    if ids.count() == 0 {
        return Vec::new();
    }
    let mut parameters = Parameters::default();
    let workspace = parameters.text(question.workspace_id);
    let ids = parameters.array(pg_sys::TEXTARRAYOID, ids);
    let packed = parameters.stored(pg_sys::BYTEAOID, &varlena::whole(&sought.packed()));
    let sql = format!(
        "SELECT {id}, kepler_internal.word_score(m.text_search, {packed}) FROM {table} AS m \
         WHERE m.workspace_id = {workspace} AND m.id = ANY ({ids})",
        id = question.embedded.id("m.id"),
        table = question.embedded.table(),
        ids = question.embedded.ids(&ids),
    );
    // Kept, and so by the keys: what statistics say of a new workspace would have all its rows read.
    let rows = parameters.run_kept(client, sql, Order::Sorted);
    let scored = |row: Row<'_, 2>| {
        let score = row.float(1).filter(|score| *score > 0.0)?;
        Some((row.text(0)?.to_owned(), score))
    };
    rows.iter::<2>().filter_map(scored).collect()
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
