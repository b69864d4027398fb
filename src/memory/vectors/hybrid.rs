//! What words find in anybody's table, and both ways of finding combined, as in memories.
//!
//! All of it reads as the caller. Where policies hold for the caller, how rare a word is, is counted among the rows that the
//! caller sees; an index knows the others too, and the order of the rows would tell of them.

use super::relation::{Column, Relation};
use super::rows::{Places, Ranked, WHOLE_KEY};
use crate::ident::quote_literal;
use crate::memory::nearest::Near;
use crate::memory::rarity::{Word, look};
use crate::memory::score::{Fusion, Half};
use crate::memory::space::rows_of;
use crate::memory::usual::{SAMPLED, Usual};
use crate::memory::word_score::Sought;
use crate::memory::words::{Steps, any_of, quote_word};
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::postings;
use crate::pg::query::Parameters;
use crate::pg::relation::blocks;
use crate::pg::rows::Row;
use crate::pg::varlena::{self, Text};
use crate::pgvector::Metric;
use crate::words::language::Language;
use crate::words::vector;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// Of so many pages rows are taken that tell what similarity is usual.
const SAMPLED_PAGES: f64 = 16.0;
/// In a table of so many rows, or without an index that tells, so many rows are looked at to tell how rare a word is.
const SEEN: usize = 1_000;

thread_local! {
    static INDEX: Statement = const { Statement::new(
        c"SELECT i.indexrelid
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'gin'
          JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0] AND o.opcname = 'tsvector_ops'
              AND o.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace
          JOIN pg_catalog.pg_attribute AS a
              ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = $2
          WHERE i.indrelid = $1 AND i.indnatts = 1 AND i.indisvalid AND i.indpred IS NULL
          ORDER BY 1 LIMIT 1",
        &[pg_sys::OIDOID, pg_sys::TEXTOID],
    ) };
}

/// Words to look for, and where.
pub(super) struct Words<'w> {
    pub(super) relation: &'w Relation,
    pub(super) column: &'w Column,
    pub(super) text: &'w str,
    /// A text search configuration.
    pub(super) language: Language,
    /// Which rows count.
    pub(super) conditions: &'w str,
    /// How many rows are looked for.
    pub(super) pool: usize,
}

/// How the rows are compared with an embedding, in SQL.
pub(super) struct Compared {
    pub(super) metric: Metric,
    /// The vector, over `e`.
    pub(super) column: String,
    /// The distance, and whether there is one.
    pub(super) distance: String,
    pub(super) condition: String,
    pub(super) least: Option<f64>,
}

impl Compared {
    /// The distance; NULL where there is none.
    fn if_any(&self) -> String {
        format!("CASE WHEN {} THEN {} END", self.condition, self.distance)
    }

    /// What is similar enough; what has no vector was found by its words.
    fn is_enough(&self, parameters: &mut Parameters) -> Option<String> {
        let datum = pg_sys::Datum::from(self.least?.to_bits());
        let least = parameters.datum(pg_sys::FLOAT8OID, Some(datum));
        let Self { metric, distance, condition, .. } = self;
        let similarity = metric.similarity_of(distance);
        Some(format!("CASE WHEN {condition} THEN {similarity} >= {least} ELSE true END"))
    }
}

/// What words find: the best first, each with its score.
struct Worded {
    keys: Vec<String>,
    sought: Sought,
}

/// The best of what an embedding and what words find. `near`: what the embedding finds.
pub(super) fn rank(
    client: &mut SpiClient<'_>,
    words: &Words<'_>,
    near: &[Near<()>],
    compared: Option<&Compared>,
    fusion: Fusion,
    parameters: &mut Parameters,
) -> Vec<Ranked> {
    let _planning = LocalSettings::set(&[
        (c"enable_seqscan", c"off"),
        (c"jit", c"off"),
        (c"max_parallel_workers_per_gather", c"0"),
    ]);
    let worded = words.find(client, compared, parameters);
    let mut ranked: Vec<Ranked> = Vec::with_capacity(near.len() + words.pool);
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(ranked.capacity());
    for (at, near) in near.iter().enumerate() {
        places.insert(&near.key, ranked.len());
        ranked.push(Ranked { vector_rank: Some(at as i32 + 1), ..Ranked::of(&near.key) });
    }
    for (at, key) in worded.iter().flat_map(|worded| &worded.keys).enumerate() {
        let place = *places.entry(key).or_insert_with(|| {
            ranked.push(Ranked::of(key));
            ranked.len() - 1
        });
        ranked[place].text_rank = Some(at as i32 + 1);
    }
    let sought = worded.as_ref().map(|worded| &worded.sought);
    let shares = words.measure(client, compared, sought, &mut ranked, parameters);
    // Only the cosine has a scale; of other metrics the ranks are comparable.
    let has_scale = compared.is_none_or(|compared| compared.metric == Metric::Cosine);
    let fusion = if has_scale { fusion } else { fusion.of_ranks() };
    let usual = match compared {
        Some(compared) if has_scale && fusion.is_of_scores() => {
            words.usual(client, compared, parameters)
        }
        _ => Usual::default(),
    };
    for (ranked, share) in ranked.iter_mut().zip(shares) {
        let score = ranked.similarity.map_or(0.0, |similarity| usual.stands_out(similarity));
        let vector = Half { score, rank: ranked.vector_rank };
        let text = Half { score: share, rank: ranked.text_rank };
        ranked.score = match compared {
            Some(_) => fusion.both(vector, text),
            None => fusion.one(text),
        };
    }
    if let Some(least) = compared.and_then(|compared| compared.least) {
        ranked.retain(|ranked| ranked.similarity.is_none_or(|similarity| similarity >= least));
    }
    // Of equal scores the more similar first, as found.
    let similarity = |ranked: &Ranked| ranked.similarity.unwrap_or(f64::NEG_INFINITY);
    ranked.sort_by(|a, b| {
        (b.score.total_cmp(&a.score)).then_with(|| similarity(b).total_cmp(&similarity(a)))
    });
    ranked
}

impl Ranked {
    fn of(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            score: 0.0,
            distance: None,
            similarity: None,
            vector_rank: None,
            text_rank: None,
        }
    }
}

impl Words<'_> {
    /// Any of the words counts: a question holds many that its answer does not. None where the text has no words.
    fn find(
        &self,
        client: &mut SpiClient<'_>,
        compared: Option<&Compared>,
        parameters: &mut Parameters,
    ) -> Option<Worded> {
        let mut words = self.of_text(client, parameters);
        if words.is_empty() {
            return None;
        }
        let sought = self.weigh(client, parameters, &mut words);
        let score = self.score(&sought, parameters);
        let mut conditions = self.conditions.to_owned();
        if let Some(enough) = compared.and_then(|compared| compared.is_enough(parameters)) {
            conditions = format!("{conditions} AND {enough}");
        }
        let (table, field, limit) = (&self.relation.table, self.column.field(), self.pool);
        let mut steps = Steps::of(&words, sought.rows, limit);
        loop {
            // As a constant: what the planner knows of the words decides which index it reads.
            let any: Vec<String> =
                words[..steps.taken].iter().map(|word| quote_word(&word.text)).collect();
            let any = quote_literal(&any_of(&any));
            let rows = parameters.run(
                client,
                &format!(
                    "SELECT {WHOLE_KEY}, {score} AS score FROM {table} AS e WHERE {conditions} \
                     AND {field} OPERATOR(pg_catalog.@@) {any}::pg_catalog.tsquery \
                     ORDER BY score DESC, e.tableoid, e.ctid LIMIT {limit}"
                ),
            );
            let last = rows.iter::<2>().nth(limit - 1).and_then(|row| row.float(1));
            if !steps.go_on(&words, &sought, last) {
                let keys = rows.iter::<2>().filter_map(|row| Some(row.text(0)?.to_owned()));
                return Some(Worded { keys: keys.collect(), sought });
            }
        }
    }

    /// The words of the text, each with how often it is there: as `to_tsvector` makes them and as `text_words` does, since nothing tells
    /// which of them has made those of the column.
    fn of_text(&self, client: &mut SpiClient<'_>, parameters: &mut Parameters) -> Vec<Word> {
        let configuration = Some(self.language.configuration.into());
        let language = parameters.datum(pg_sys::REGCONFIGOID, configuration);
        let text = parameters.text(self.text);
        let rows = parameters.run(
            client,
            &format!(
                "SELECT w.lexeme, pg_catalog.cardinality(w.positions)::pg_catalog.int8 FROM \
                 pg_catalog.unnest(pg_catalog.to_tsvector({language}, {text})) AS w"
            ),
        );
        let read = |row: Row<'_, 2>| {
            Some((row.text(0)?.to_owned(), row.bigint(1).map_or(1, |times| times as u16)))
        };
        let mut found: BTreeMap<String, u16> = rows.iter::<2>().filter_map(read).collect();
        drop(rows);
        for (text, times) in vector::words(self.text, self.language).counted() {
            let known = found.entry(text).or_default();
            *known = (*known).max(times);
        }
        let word = |(text, times)| Word { text, times, rows: 0.0, of_all: None, languages: 1 };
        found.into_iter().map(word).collect()
    }

    /// Weighs the words, and puts the rarest first.
    fn weigh(
        &self,
        client: &mut SpiClient<'_>,
        parameters: &Parameters,
        words: &mut [Word],
    ) -> Sought {
        let (table, field) = (&self.relation.table, self.column.field());
        let sample = format!(
            "SELECT {field} FROM {table} AS e WHERE {} AND {field} IS NOT NULL LIMIT {SEEN}",
            self.conditions
        );
        let counted = self.counted(client, words);
        let looked_at = parameters.run(client, &sample);
        let mut seen = match &counted {
            Some(_) => look(&looked_at, &mut []),
            None => look(&looked_at, words),
        };
        if let Some((rows, of_words)) = counted {
            seen.rows = rows;
            for (word, rows) in words.iter_mut().zip(of_words) {
                word.rows = rows;
            }
        }
        words.sort_by(|a, b| a.rows.total_cmp(&b.rows).then_with(|| a.text.cmp(&b.text)));
        Sought::new(words, seen.rows, seen.average)
    }

    /// How many rows there are, and how many hold each word, from the index on words: where the table is large, and the
    /// caller may see all of it.
    fn counted(&self, client: &mut SpiClient<'_>, words: &[Word]) -> Option<(f64, Vec<f64>)> {
        let part = self.relation.as_part();
        if self.relation.is_secured || self.relation.has_parts {
            return None;
        }
        let rows = rows_of(part.relation, part.rows, part.pages, 0);
        if rows <= SEEN as f64 {
            return None;
        }
        let column = Text::new(&self.column.name);
        let parameters = [Some(part.relation.into()), Some(column.datum())];
        let found = INDEX.with(|statement| statement.run(client, &parameters));
        let index = found.iter::<1>().next().and_then(|row| row.oid(0))?;
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let of_words = postings::count_all(index, &texts)?;
        Some((of_words.iter().copied().fold(rows, f64::max), of_words))
    }

    /// What similarity is usual in the table, whatever the filter: some rows tell, of some of its pages where it has no parts. Under policies
    /// nothing does: which pages are read depends on how many rows there are that the caller does not see.
    fn usual(
        &self,
        client: &mut SpiClient<'_>,
        compared: &Compared,
        parameters: &Parameters,
    ) -> Usual {
        let Relation { table, has_parts, .. } = self.relation;
        let Compared { metric, column, distance, condition, .. } = compared;
        if self.relation.is_secured {
            return Usual::default();
        }
        let sql = if *has_parts {
            format!("SELECT {distance} FROM {table} AS e WHERE {condition} LIMIT {SAMPLED}")
        } else {
            let share = SAMPLED_PAGES / f64::from(blocks(self.relation.as_part().relation).max(1));
            format!(
                "SELECT {distance} FROM ( \
                     SELECT {column} FROM {table} AS e TABLESAMPLE pg_catalog.system ({percent}) REPEATABLE (0) \
                     WHERE {condition} ORDER BY pg_catalog.hashtext(e.ctid::pg_catalog.text), e.ctid \
                     LIMIT {SAMPLED}) AS e",
                percent = 100.0 * share.min(1.0),
            )
        };
        let rows = parameters.run(client, &sql);
        Usual::of(rows.iter::<1>().filter_map(|row| row.float(0)).map(|it| metric.similarity(it)))
    }

    fn score(&self, sought: &Sought, parameters: &mut Parameters) -> String {
        let packed = parameters.stored(pg_sys::BYTEAOID, &varlena::whole(&sought.packed()));
        format!("kepler_internal.word_score({}, {packed})", self.column.field())
    }

    /// Completes what is known of the rows, and gives how well each answers by its words, from 0 to 1.
    fn measure(
        &self,
        client: &mut SpiClient<'_>,
        compared: Option<&Compared>,
        sought: Option<&Sought>,
        ranked: &mut [Ranked],
        parameters: &mut Parameters,
    ) -> Vec<f64> {
        let mut shares = vec![0.0; ranked.len()];
        if ranked.is_empty() {
            return shares;
        }
        let keys = ranked.iter().map(|ranked| ranked.key.as_str());
        let Places { condition } = Places::of(keys, self.relation.has_parts, parameters);
        let score = sought.map(|sought| self.score(sought, parameters));
        let rows = parameters.run(
            client,
            &format!(
                "SELECT {WHOLE_KEY}, {distance}, {score} FROM {table} AS e WHERE {condition}",
                distance = compared.map_or("NULL::pg_catalog.float8".to_owned(), Compared::if_any),
                score = score.as_deref().unwrap_or("NULL::pg_catalog.float8"),
                table = self.relation.table,
            ),
        );
        let found: HashMap<&str, (Option<f64>, Option<f64>)> = rows
            .iter::<3>()
            .filter_map(|row| Some((row.text(0)?, (row.float(1), row.float(2)))))
            .collect();
        for (ranked, share) in ranked.iter_mut().zip(&mut shares) {
            let Some((distance, score)) = found.get(ranked.key.as_str()) else { continue };
            // A zero vector has no direction.
            ranked.distance = distance.map(|it| if it.is_nan() { f64::INFINITY } else { it });
            ranked.similarity = ranked
                .distance
                .zip(compared)
                .map(|(distance, compared)| compared.metric.similarity(distance));
            *share = sought.zip(*score).map_or(0.0, |(sought, score)| sought.share(score));
        }
        shares
    }
}
