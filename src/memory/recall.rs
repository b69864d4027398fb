//! How good the searches of a workspace are: live results held against exact ones.

use super::access::Reader;
use super::arguments::in_range;
use super::embedded::Embedded;
use super::messages;
use super::nearest::Search;
use super::scope::{Scope, User};
use super::space::Space;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::clock::now;
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

/// What was measured.
#[derive(Default)]
struct Measured {
    wanted: usize,
    found: usize,
    shortfalls: i64,
    /// Milliseconds of each search.
    live: Vec<f64>,
    exact: Vec<f64>,
}

fn run(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    space: Option<&str>,
    samples: i32,
    k: usize,
    workspace_id: &str,
) -> Result<Measured, Error> {
    let reader = match embedded {
        Embedded::Memories => Reader::open(client, workspace_id)?,
        Embedded::Messages => messages::search::reader(client, workspace_id)?,
    };
    let space = Space::find(client, embedded, space.or(reader.searched.space.as_deref()))?;
    let mut parameters = Parameters::default();
    let everything = |parameters: &mut Parameters| match embedded {
        Embedded::Memories => Scope {
            workspace_id: workspace_id.to_owned(),
            user: User::Any,
            context_types: None,
            filter: None,
            at: now(),
        }
        .conditions(parameters),
        Embedded::Messages => {
            messages::scope::Scope::everything(workspace_id).conditions(parameters)
        }
    };
    let conditions = everything(&mut parameters)?;
    let target = conditions.target();
    let rows = parameters.run(
        client,
        &format!(
            "SELECT e.embedding FROM {table} AS e WHERE e.workspace_id = {workspace} \
             ORDER BY pg_catalog.random() LIMIT {samples}",
            table = space.vectors.table,
            workspace = conditions.rows.workspace,
        ),
    );
    let mut measured = Measured::default();
    for row in rows.iter::<1>() {
        check_for_interrupts!();
        let mut parameters = Parameters::default();
        everything(&mut parameters)?;
        let query = parameters.datum(space.vectors.vector_type, row.datum(0));
        let search = Search {
            vectors: &space.vectors,
            target: &target,
            parameters: &parameters,
            query: &query,
            wanted: k,
            certain: k,
            least: None,
            is_diverse: false,
        };
        let started = Instant::now();
        let (live, _) = search.run::<()>(client);
        measured.live.push(1000.0 * started.elapsed().as_secs_f64());
        let started = Instant::now();
        let exact = search.compare_scope::<()>(client);
        measured.exact.push(1000.0 * started.elapsed().as_secs_f64());
        // By the distance: of two at the same one either will do.
        let furthest = exact.last().map_or(f64::NEG_INFINITY, |near| near.distance);
        measured.wanted += exact.len();
        measured.found +=
            live.iter().filter(|near| near.distance <= furthest).count().min(exact.len());
        measured.shortfalls += i64::from(live.len() < exact.len());
    }
    Ok(measured)
}

/// The value below which a share of the others lies; None of none.
fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get((share * values.len().saturating_sub(1) as f64).round() as usize).copied()
}

/// Holds searches for stored embeddings against exact ones. One row; NULLs where nothing is stored.
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
    OUT searches bigint,
    OUT recall double precision,
    OUT shortfalls bigint,
    OUT p50_ms double precision,
    OUT p95_ms double precision,
    OUT exact_p50_ms double precision,
    OUT exact_p95_ms double precision
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn recall_check(
    space: Option<String>,
    searched: Option<&str>,
    samples: Option<i32>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<Row<7>, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let samples = samples.ok_or(ArgumentError::Null("samples"))?;
    let k = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    in_range("samples", f64::from(samples), 1.0, f64::from(MAX_SAMPLES)).map_err(Error::from)?;
    in_range("max_rows", f64::from(k), 1.0, f64::from(MAX_K)).map_err(Error::from)?;
    let embedded = match searched.ok_or(ArgumentError::Null("searched"))? {
        "memories" => Embedded::Memories,
        "messages" => Embedded::Messages,
        given => {
            let (legal, given) = ("memories, messages", given.to_owned());
            return Err(ArgumentError::BadChoice { argument: "searched", legal, given }.into());
        }
    };
    let mut measured = Spi::connect_mut(|client| {
        run(client, embedded, space.as_deref(), samples, k as usize, &workspace_id)
    })?;
    let recall = (measured.wanted > 0).then(|| measured.found as f64 / measured.wanted as f64);
    Ok(Row([
        (measured.live.len() as i64).into_datum(),
        recall.into_datum(),
        measured.shortfalls.into_datum(),
        percentile(&mut measured.live, 0.5).into_datum(),
        percentile(&mut measured.live, 0.95).into_datum(),
        percentile(&mut measured.exact, 0.5).into_datum(),
        percentile(&mut measured.exact, 0.95).into_datum(),
    ]))
}
