//! What a text's words find, the best first.

use super::gather::{MAX_POOL, POOL_A_ROW, Question};
use super::narrow::is_narrow;
use super::nearest::{ByKeysAlone, Details, has_outgrown};
use super::scope::Conditions;
use super::space::Space;
use crate::ident::quote_literal;
use crate::pg::local_settings::LocalSettings;
use crate::pg::planner::OwnTablesAreLarge;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

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
            "SELECT {id}, NULL, m.* FROM ({ranked} OFFSET 0) AS r \
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
/// its answer does not.
pub(super) fn by_words<D: Details>(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    conditions: &Conditions,
    parameters: &Parameters,
    text: &str,
    enough: Option<&Enough<'_>>,
) -> Vec<(String, D)> {
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
    let workspace = quote_word(&format!(" {}", question.workspace_id));
    let tsquery = |text: &str| format!("{}::pg_catalog.tsquery", quote_literal(text));
    let found = format!(
        "FROM {from} WHERE {all} AND m.text_search @@ {both} \
         ORDER BY pg_catalog.ts_rank(m.text_search, {words}) DESC, {tie}",
        from = conditions.rows.from,
        all = conditions.rows.conditions,
        tie = question.embedded.tie(),
        both = tsquery(&format!("{workspace} & ({words})")),
        words = tsquery(&words),
    );
    let sql = match enough {
        Some(enough) => enough.of::<D>(&format!("SELECT m.id {found}"), &conditions.rows.workspace),
        None => {
            format!("SELECT {}, NULL, {} {found}", question.embedded.id("m.id"), D::COLUMNS)
        }
    };
    let outgrown = has_outgrown(client, question.embedded, question.workspace_id);
    let narrow = outgrown && is_narrow(client, question.embedded, conditions, parameters);
    let _narrow = narrow.then(ByKeysAlone::begin);
    let _large = (outgrown && !narrow).then(OwnTablesAreLarge::begin);
    let mut limit = question.pool;
    loop {
        let rows = parameters.run(client, &format!("{sql} LIMIT {limit}"));
        let found: Vec<(String, D)> = rows
            .iter::<6>()
            .filter_map(|row| Some((row.text(0)?.to_owned(), D::read(&row)?)))
            .collect();
        // Where results are to be unlike each other, a text that comes again and again is but one.
        let texts = || found.iter().map(|(_, details)| details.content()).collect::<HashSet<_>>();
        if !question.is_diverse
            || found.len() < limit
            || limit >= MAX_POOL
            || texts().len() >= question.max_rows
        {
            return found;
        }
        limit = (POOL_A_ROW * limit).min(MAX_POOL);
    }
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
