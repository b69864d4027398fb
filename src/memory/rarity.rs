//! How rare the words of a question are among the rows of a workspace.
//!
//! Of a small workspace all rows are looked at. Of others the index on words tells, of the workspace alone (`pg::postings`);
//! it knows dead rows too, which in a small workspace may be most. Under policies of somebody's own the caller may not
//! see all rows, and the index knows no policies; there, and where the index is not there, some of the rows that
//! the caller sees are looked at.

use super::embedded::Embedded;
use super::gather::Question;
use super::nearest::LargeScopes;
use super::scope::Conditions;
use super::word_score::Sought;
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::relation::{UntilChanged, named};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use crate::pg::{postings, role, tsvector};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;
use xxhash_rust::xxh3::xxh3_64;

/// A workspace of so many rows is looked at.
const FEW: usize = 300;
/// So many rows are looked at where the index does not tell.
const SEEN: usize = 1_000;

thread_local! {
    static INDEXES: UntilChanged<u32, Option<pg_sys::Oid>> = UntilChanged::default();

    static INDEX: Statement = const { Statement::new(
        c"SELECT i.indexrelid
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'gin'
          JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0] AND o.opcname = 'tsvector_ops'
          JOIN pg_catalog.pg_attribute AS a
              ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'text_search'
          WHERE i.indrelid = $1 AND i.indnatts = 1 AND i.indisvalid AND i.indpred IS NULL
          ORDER BY 1 LIMIT 1",
        &[pg_sys::OIDOID],
    ) };
    /// Whether a workspace has more than a few rows.
    static MANY: LargeScopes = LargeScopes::default();
    static FEW_MEMORIES: Statement = const { Statement::new(
        c"SELECT m.text_search FROM kepler.memories AS m WHERE m.workspace_id = $1 LIMIT 301",
        &[pg_sys::TEXTOID],
    ) };
    static FEW_MESSAGES: Statement = const { Statement::new(
        c"SELECT m.text_search FROM kepler.messages AS m WHERE m.workspace_id = $1 LIMIT 301",
        &[pg_sys::TEXTOID],
    ) };
    // The first and the last rows: texts may have become longer.
    static SOME_MEMORIES: Statement = const { Statement::in_order(
        c"(SELECT m.text_search FROM kepler.memories AS m WHERE m.workspace_id = $1
           ORDER BY m.workspace_id, m.id LIMIT 40)
          UNION ALL
          (SELECT m.text_search FROM kepler.memories AS m WHERE m.workspace_id = $1
           ORDER BY m.workspace_id DESC, m.id DESC LIMIT 40)",
        &[pg_sys::TEXTOID],
    ) };
    static SOME_MESSAGES: Statement = const { Statement::in_order(
        c"(SELECT m.text_search FROM kepler.messages AS m WHERE m.workspace_id = $1
           ORDER BY m.workspace_id, m.id LIMIT 40)
          UNION ALL
          (SELECT m.text_search FROM kepler.messages AS m WHERE m.workspace_id = $1
           ORDER BY m.workspace_id DESC, m.id DESC LIMIT 40)",
        &[pg_sys::TEXTOID],
    ) };
}

/// A word of a question, how often it is there, and how many rows of the workspace hold it.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) times: u16,
    pub(super) rows: f64,
    /// How many rows of all workspaces hold it, where the index has told that these are few.
    pub(super) of_all: Option<usize>,
    /// The languages that it is a word of, a bit each.
    pub(super) languages: u32,
}

/// Weighs the words of a question, and puts the rarest first.
pub(super) fn weigh(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    conditions: &Conditions,
    parameters: &Parameters,
    words: &mut [Word],
) -> Sought {
    let seen = match told(client, question, words) {
        Some(seen) => seen,
        None => {
            let sql = format!(
                "SELECT m.text_search FROM {from} WHERE {all} LIMIT {SEEN}",
                from = conditions.rows.from,
                all = conditions.rows.conditions,
            );
            look(&parameters.run(client, &sql), words)
        }
    };
    words.sort_by(|a, b| a.rows.total_cmp(&b.rows).then_with(|| a.text.cmp(&b.text)));
    Sought::new(words, seen.rows, seen.average)
}

/// What all rows of the workspace, or the index, tell; None where the caller may not see all of them.
fn told(client: &mut SpiClient<'_>, question: &Question<'_>, words: &mut [Word]) -> Option<Seen> {
    let (table, few, some) = match question.embedded {
        Embedded::Memories => (c"memories", &FEW_MEMORIES, &SOME_MEMORIES),
        Embedded::Messages => (c"messages", &FEW_MESSAGES, &SOME_MESSAGES),
    };
    let relation = named(c"kepler", table)?;
    if role::is_secured(relation) {
        return None;
    }
    let workspace = Text::new(question.workspace_id);
    let scope = (question.embedded as u32, xxh3_64(question.workspace_id.as_bytes()), FEW);
    if MANY.with(|known| known.get(scope)).is_none() {
        let rows = few.with(|few| few.run_in_snapshot(client, &[Some(workspace.datum())]));
        if rows.count() <= FEW {
            return Some(look(&rows, words));
        }
        MANY.with(|known| known.set(scope, ()));
    }
    let rows = from_index(client, question, relation, words)?;
    let some = some.with(|some| some.run_in_snapshot(client, &[Some(workspace.datum())]));
    Some(Seen { rows, average: look(&some, &mut []).average })
}

/// Gives the rows of the workspace.
fn from_index(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    relation: pg_sys::Oid,
    words: &mut [Word],
) -> Option<f64> {
    let look_up = |_: &u32| {
        let rows = INDEX.with(|statement| statement.run_latest(client, &[Some(relation.into())]));
        Ok::<_, Infallible>(rows.iter::<1>().next().and_then(|row| row.oid(0)))
    };
    let Ok(index) = INDEXES.with(|known| known.find(relation.to_u32(), look_up));
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let counts = postings::count(index?, &format!(" {}", question.workspace_id), &texts)?;
    for (word, (rows, of_all)) in
        words.iter_mut().zip(counts.of_words.into_iter().zip(counts.of_all))
    {
        (word.rows, word.of_all) = (rows, of_all);
    }
    Some(counts.rows)
}

pub(super) struct Seen {
    pub(super) rows: f64,
    /// Words of a text.
    pub(super) average: f64,
}

/// Counts the rows that hold each word.
pub(super) fn look(texts: &Rows<'_>, words: &mut [Word]) -> Seen {
    words.sort_by(|a, b| a.text.cmp(&b.text));
    let (mut rows, mut all) = (0_u32, 0_u64);
    for row in texts.iter::<1>() {
        let Some(datum) = row.datum(0) else { continue };
        rows += 1;
        let mut sought = words.iter_mut().peekable();
        // SAFETY: the column is a tsvector, and lives as long as its row.
        for (text, times) in unsafe { tsvector::words(datum) } {
            all += u64::from(times);
            while sought.next_if(|word| word.text.as_bytes() < text).is_some() {}
            if let Some(word) = sought.next_if(|word| word.text.as_bytes() == text) {
                word.rows += 1.0;
            }
        }
    }
    let rows = f64::from(rows);
    Seen { rows, average: all as f64 / rows.max(1.0) }
}
