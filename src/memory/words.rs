//! What a text's words find, the best first.
//!
//! Rows are ranked by `word_score`, those of the rarest words first. Where the last of as many as are wanted has more than all other words
//! can give together, no other row comes before it, and the common words are not looked for. Otherwise the rows of more words are ranked,
//! and at last those of the rarer ones: what holds common words alone seldom comes before them. So a question of many common words costs
//! what the rows of its rarer ones cost. Where those are too few for an answer, because a scope has few of them, the rows of all words
//! are ranked.

use super::asked;
use super::embedded::Embedded;
use super::gather::{MAX_POOL, POOL_A_ROW, Question};
use super::narrow::{Few, few};
use super::nearest::{Details, has_outgrown};
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
use crate::pg::relation::named;
use crate::pg::role;
use crate::pg::rows::Row;
use crate::pg::varlena;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// Ranking so many rows costs what a look into the index of words costs.
const NARROW: usize = 1_000;
/// So many rows are ranked, if the rarer words have so many; and so many for each that is wanted.
const RANKED: f64 = 10_000.0;
const RANKED_A_ROW: usize = 4;
/// Of rare words the rows of all workspaces are read, if they are no more.
const FEW_OF_ALL: usize = 1_000;
/// Words are taken in steps, each of which has so many times the rows of the one before, where there are so many rows that this may pay.
const A_STEP: f64 = 4.0;
const STEPS_FROM: f64 = 2_000.0;

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
    let whole = conditions.is_whole && !is_secured(question.embedded);
    let narrow = few(client, question.embedded, conditions, parameters, NARROW);
    let outgrown = !whole
        && narrow.is_none()
        && has_outgrown(client, question.embedded, question.workspace_id);
    let _large = outgrown.then(OwnTablesAreLarge::begin);
    let mut limit = question.pool;
    let mut steps = match narrow {
        Some(_) => Steps::all(&words),
        None => Steps::of(&words, sought.rows, limit),
    };
    loop {
        let any: Vec<String> =
            words[..steps.taken].iter().map(|word| quote_word(&word.text)).collect();
        // The workspace is a word with a blank before it. Its rows need not be gone through where all workspaces have a few.
        let few = words[..steps.taken].iter().map(|word| word.of_all).sum::<Option<usize>>();
        let few = few.filter(|_| conditions.sees_all);
        let both = if whole && few.is_some_and(|few| few <= FEW_OF_ALL) {
            any_of(&any)
        } else {
            let workspace = quote_word(&format!(" {}", question.workspace_id));
            format!("{workspace} & ({})", any_of(&any))
        };
        let (all, tie) = (&conditions.rows.conditions, question.embedded.tie());
        // By one index, whatever else there is: nothing stands beside its condition.
        let by_one = match whole {
            true => Some(Few::by_words(question.embedded, &parameters.text(&both))),
            false => narrow.clone(),
        };
        let found = match &by_one {
            Some(Few { from, .. }) if whole => {
                format!("FROM {from} WHERE {all} ORDER BY score DESC, {tie}")
            }
            Some(Few { from, .. }) => format!(
                "FROM {from} {of_row} WHERE {all} AND m.text_search @@ {both}::pg_catalog.tsquery \
                 ORDER BY score DESC, {tie}",
                of_row = conditions.rows.of_row,
                both = parameters.text(&both),
            ),
            // As constants: what the planner knows of the words decides whether it reads their index or that of
            // the scope.
            None => format!(
                "FROM {from} WHERE {all} AND m.text_search @@ {both}::pg_catalog.tsquery \
                 ORDER BY score DESC, {tie}",
                from = conditions.rows.from,
                both = quote_literal(&both),
            ),
        };
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
        let sql = format!("{sql} LIMIT {limit}");
        let rows = match by_one {
            Some(Few { order, .. }) => parameters.run_kept(client, sql, order),
            None => {
                // What is ranked is read as a whole: page by page, whichever index leads to it, unless rows of other tables are looked up.
                let is_alone = enough.is_none() && conditions.rows.of_row.is_empty();
                let _pages = is_alone.then(|| LocalSettings::set(&[(c"enable_indexscan", c"off")]));
                parameters.run(client, &sql)
            }
        };
        let found: Vec<(String, f64, D)> = rows
            .iter::<6>()
            .filter_map(|row| Some((row.text(0)?.to_owned(), row.float(1)?, D::read(&row)?)))
            .collect();
        drop(rows);
        let last = found.get(limit - 1).map(|(_, score, _)| *score);
        if steps.go_on(&words, &sought, last) {
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

/// How many of the words are looked for, the rarest first.
pub(super) struct Steps {
    pub(super) taken: usize,
    left: std::vec::IntoIter<usize>,
}

impl Steps {
    /// All words at once.
    fn all(words: &[Word]) -> Self {
        Self { taken: words.len(), left: Vec::new().into_iter() }
    }

    /// At last as many words as give rows enough to rank, of all that there are.
    pub(super) fn of(words: &[Word], all: f64, wanted: usize) -> Self {
        let mut left = steps(words, all, wanted).into_iter();
        Self { taken: left.next().unwrap_or(words.len()), left }
    }

    /// Takes more words, unless what is wanted was found, and no other row comes before it. `last`: the score of the last of the rows that are
    /// wanted, if there are so many.
    pub(super) fn go_on(&mut self, words: &[Word], sought: &Sought, last: Option<f64>) -> bool {
        if last.is_some_and(|last| last >= sought.most(&words[self.taken..])) {
            return false;
        }
        match self.left.next() {
            Some(more) => self.taken = more,
            // Never short.
            None if last.is_none() && self.taken < words.len() => self.taken = words.len(),
            None => return false,
        }
        true
    }
}

/// How many of the words are looked for in each step.
fn steps(words: &[Word], all: f64, wanted: usize) -> Vec<usize> {
    let least = (RANKED_A_ROW * wanted) as f64;
    // Many rows hold several of the words.
    let mut without = 1.0;
    let rows: Vec<f64> = words
        .iter()
        .map(|word| {
            without *= 1.0 - (word.rows / all.max(1.0)).min(1.0);
            all * (1.0 - without)
        })
        .collect();
    let is_enough = |at: &usize| rows[at - 1] >= least && rows[*at] > RANKED.max(least);
    let last = (1..words.len()).find(is_enough).unwrap_or(words.len());
    let mut steps = vec![last];
    let mut most =
        rows.get(last - 1).filter(|rows| **rows >= STEPS_FROM).map_or(0.0, |rows| rows / A_STEP);
    for (at, rows) in rows[..last].iter().enumerate().rev() {
        if (least..=most).contains(rows) {
            steps.push(at + 1);
            most = rows / A_STEP;
        }
    }
    steps.reverse();
    steps
}

/// Whether policies hold, by which the caller may not see all rows.
pub(super) fn is_secured(embedded: Embedded) -> bool {
    let table = match embedded {
        Embedded::Memories => c"memories",
        Embedded::Messages => c"messages",
    };
    named(c"kepler", table).is_none_or(role::is_secured)
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
pub(super) fn any_of(words: &[String]) -> String {
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
pub(super) fn quote_word(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[f64]) -> Vec<usize> {
        let word = |rows: &f64| Word {
            text: String::new(),
            times: 1,
            rows: *rows,
            of_all: None,
            languages: 1,
        };
        steps(&rows.iter().map(word).collect::<Vec<_>>(), 100_000.0, 40)
    }

    #[test]
    fn few_rows_are_ranked_at_once() {
        assert_eq!(of(&[3.0, 20.0, 900.0]), [3]);
        assert_eq!(of(&[90_000.0]), [1]);
    }

    #[test]
    fn many_rows_are_ranked_in_steps() {
        assert_eq!(of(&[200.0, 1_000.0, 8_000.0]), [1, 2, 3]);
        assert_eq!(of(&[3.0, 200.0, 300.0, 9_000.0]), [3, 4]);
    }

    #[test]
    fn rows_of_common_words_alone_are_not_ranked() {
        assert_eq!(of(&[3.0, 9_000.0, 30_000.0, 50_000.0]), [2]);
        // As many words as give four rows for each that is wanted.
        assert_eq!(of(&[3.0, 50_000.0, 60_000.0]), [2]);
    }
}
