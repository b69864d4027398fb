//! How good the searches of a workspace are: live results held against exact ones.

use super::access::Reader;
use super::arguments::in_range;
use super::embedded::Embedded;
use super::messages;
use super::nearest::{Near, Search, for_ten, number};
use super::scope::{Conditions, Scope, User};
use super::space::{Space, Vectors};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::clock::now;
use crate::pg::local_settings::LocalSettings;
use crate::pg::query::Parameters;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::time::Instant;

/// At most so many searches, for so many rows each.
const MAX_SAMPLES: i32 = 10_000;
const MAX_K: i32 = 1_000;
/// The widths that are tried.
const WIDTHS: [usize; 12] = [10, 20, 40, 60, 100, 150, 200, 300, 400, 600, 800, 1_000];

/// A stored embedding that is searched for, and how far the nearest rows are from it.
struct Sample {
    embedding: pg_sys::Datum,
    nearest: usize,
    furthest: f64,
}

/// Searches for all samples with one width.
#[derive(Default)]
struct Run {
    wanted: usize,
    found: usize,
    shortfalls: i64,
    /// How many found their rows by an index.
    by_index: usize,
    /// Milliseconds of each search.
    times: Vec<f64>,
}

impl Run {
    fn recall(&self) -> Option<f64> {
        (self.wanted > 0).then(|| self.found as f64 / self.wanted as f64)
    }

    fn note<D>(&mut self, live: &[Near<D>], sample: &Sample) {
        // By the distance: of two at the same one either will do.
        let found = live.iter().filter(|near| near.distance <= sample.furthest).count();
        self.wanted += sample.nearest;
        self.found += found.min(sample.nearest);
        self.shortfalls += i64::from(live.len() < sample.nearest);
    }
}

/// What was measured.
struct Measured {
    live: Run,
    exact: Vec<f64>,
    /// The width that the searches had, and the one that is proposed, where an index was looked into.
    width: Option<usize>,
    proposed: Option<(usize, Run)>,
}

/// What is searched for.
struct Asked<'a> {
    embedded: Embedded,
    workspace_id: &'a str,
    k: usize,
}

impl Asked<'_> {
    fn everything(&self, parameters: &mut Parameters) -> Result<Conditions, Error> {
        match self.embedded {
            Embedded::Memories => Scope {
                workspace_id: self.workspace_id.to_owned(),
                user: User::Any,
                namespace: String::new(),
                context_types: None,
                filter: None,
                at: now(),
            }
            .conditions(parameters),
            Embedded::Messages => {
                messages::scope::Scope::everything(self.workspace_id).conditions(parameters)
            }
        }
    }

    /// Hands a search for an embedding to `run`, and gives how many milliseconds that took.
    fn search<T>(
        &self,
        vectors: &Vectors,
        embedding: Option<pg_sys::Datum>,
        run: impl FnOnce(&Search<'_>) -> T,
    ) -> Result<(T, f64), Error> {
        let mut parameters = Parameters::default();
        let conditions = self.everything(&mut parameters)?;
        let query = parameters.datum(vectors.vector_type, embedding);
        let target = conditions.target();
        let search = Search {
            vectors,
            target: &target,
            parameters: &parameters,
            query: &query,
            wanted: self.k,
            certain: self.k,
            least: None,
            is_diverse: false,
        };
        let started = Instant::now();
        let result = run(&search);
        Ok((result, 1000.0 * started.elapsed().as_secs_f64()))
    }

    /// Searches for all samples. `width`: so wide, whatever the session or the space have set.
    fn run(
        &self,
        client: &mut SpiClient<'_>,
        vectors: &Vectors,
        samples: &[Sample],
        width: Option<usize>,
    ) -> Result<Run, Error> {
        let set = width.map(number);
        let _set = set.as_deref().map(|width| LocalSettings::set(&[(c"hnsw.ef_search", width)]));
        let vectors = &Vectors { search_width: width.or(vectors.search_width), ..vectors.clone() };
        let mut run = Run::default();
        for sample in samples {
            check_for_interrupts!();
            let ((live, plan), time) =
                self.search(vectors, Some(sample.embedding), |search| search.run::<()>(client))?;
            run.note(&live, sample);
            run.by_index += usize::from(plan.is_from_index());
            run.times.push(time);
        }
        Ok(run)
    }

    /// The narrowest width that finds the share of the rows that is asked for, or the widest, and what it finds.
    fn propose(
        &self,
        client: &mut SpiClient<'_>,
        vectors: &Vectors,
        samples: &[Sample],
        least: f64,
    ) -> Result<(usize, Run), Error> {
        let (mut from, mut to, mut enough) = (0, WIDTHS.len() - 1, None);
        while from < to {
            let at = (from + to) / 2;
            let run = self.run(client, vectors, samples, Some(WIDTHS[at]))?;
            if run.recall().is_some_and(|recall| recall >= least) {
                (to, enough) = (at, Some(run));
            } else {
                from = at + 1;
            }
        }
        // The widest was not tried yet, if no other one is enough.
        let run = match enough {
            Some(run) => run,
            None => self.run(client, vectors, samples, Some(WIDTHS[to]))?,
        };
        Ok((WIDTHS[to], run))
    }
}

fn run(
    client: &mut SpiClient<'_>,
    asked: &Asked<'_>,
    space: Option<&str>,
    samples: i32,
    least: f64,
) -> Result<Measured, Error> {
    let (embedded, workspace_id) = (asked.embedded, asked.workspace_id);
    let reader = match embedded {
        Embedded::Memories => Reader::open(client, workspace_id)?,
        Embedded::Messages => messages::search::reader(client, workspace_id)?,
    };
    let space = Space::find(client, embedded, space.or(reader.searched.space.as_deref()))?;
    let vectors = &space.vectors;
    let mut parameters = Parameters::default();
    let conditions = asked.everything(&mut parameters)?;
    let rows = parameters.run(
        client,
        &format!(
            "SELECT e.embedding FROM {table} AS e WHERE e.workspace_id = {workspace} \
             ORDER BY pg_catalog.random() LIMIT {samples}",
            table = vectors.table,
            workspace = conditions.rows.workspace,
        ),
    );
    let (mut samples, mut exact) = (Vec::new(), Vec::new());
    for row in rows.iter::<1>() {
        check_for_interrupts!();
        let Some(embedding) = row.datum(0) else { continue };
        let (nearest, time) =
            asked.search(vectors, Some(embedding), |search| search.compare_scope::<()>(client))?;
        let furthest = nearest.last().map_or(f64::NEG_INFINITY, |near| near.distance);
        samples.push(Sample { embedding, nearest: nearest.len(), furthest });
        exact.push(time);
    }
    let live = asked.run(client, vectors, &samples, None)?;
    let index = match live.by_index {
        0 => None,
        _ => {
            let query =
                parameters.datum(vectors.vector_type, samples.first().map(|it| it.embedding));
            vectors.index(client, &query)
        }
    };
    let (mut width, mut proposed) = (None, None);
    if let Some(index) = index {
        width = Some(for_ten(vectors.search_width, &index));
        proposed = Some(asked.propose(client, vectors, &samples, least)?);
    }
    Ok(Measured { live, exact, width, proposed })
}

/// The value below which a share of the others lies; None of none.
fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get((share * values.len().saturating_sub(1) as f64).round() as usize).copied()
}

/// Holds searches for stored embeddings against exact ones, and proposes how wide they should look. One row; NULLs where
/// nothing is stored.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 for the space, 42501 without
/// the right to read.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.recall_check(
    space text DEFAULT NULL,
    searched text DEFAULT 'memories',
    samples integer DEFAULT 100,
    max_rows integer DEFAULT 10,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    min_recall double precision DEFAULT 0.98,
    OUT searches bigint,
    OUT recall double precision,
    OUT shortfalls bigint,
    OUT p50_ms double precision,
    OUT p95_ms double precision,
    OUT exact_p50_ms double precision,
    OUT exact_p95_ms double precision,
    OUT search_width integer,
    OUT proposed_width integer,
    OUT proposed_recall double precision,
    OUT proposed_p50_ms double precision
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn recall_check_v2(
    space: Option<String>,
    searched: Option<&str>,
    samples: Option<i32>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
    min_recall: Option<f64>,
) -> Result<Row<11>, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let samples = samples.ok_or(ArgumentError::Null("samples"))?;
    let k = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    let least = min_recall.ok_or(ArgumentError::Null("min_recall"))?;
    in_range("samples", f64::from(samples), 1.0, f64::from(MAX_SAMPLES)).map_err(Error::from)?;
    in_range("max_rows", f64::from(k), 1.0, f64::from(MAX_K)).map_err(Error::from)?;
    in_range("min_recall", least, 0.0, 1.0).map_err(Error::from)?;
    let embedded = match searched.ok_or(ArgumentError::Null("searched"))? {
        "memories" => Embedded::Memories,
        "messages" => Embedded::Messages,
        given => {
            let (legal, given) = ("memories, messages", given.to_owned());
            return Err(ArgumentError::BadChoice { argument: "searched", legal, given }.into());
        }
    };
    let asked = Asked { embedded, workspace_id: &workspace_id, k: k as usize };
    let Measured { mut live, mut exact, width, proposed } =
        Spi::connect_mut(|client| run(client, &asked, space.as_deref(), samples, least))?;
    let (proposed_width, mut proposed) = proposed.unzip();
    Ok(Row([
        (live.times.len() as i64).into_datum(),
        live.recall().into_datum(),
        live.shortfalls.into_datum(),
        percentile(&mut live.times, 0.5).into_datum(),
        percentile(&mut live.times, 0.95).into_datum(),
        percentile(&mut exact, 0.5).into_datum(),
        percentile(&mut exact, 0.95).into_datum(),
        width.map(|width| width as i32).into_datum(),
        proposed_width.map(|width| width as i32).into_datum(),
        proposed.as_ref().and_then(Run::recall).into_datum(),
        proposed.as_mut().and_then(|run| percentile(&mut run.times, 0.5)).into_datum(),
    ]))
}
