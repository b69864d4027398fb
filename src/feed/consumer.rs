//! Named consumers, whose cursors the database keeps.

use super::cursor::{Cursor, Feeds, Position, Reached};
use super::epoch::Epochs;
use super::error::FeedError;
use super::read::{self, Of};
use crate::error::Error;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static FIND: Statement = const { Statement::new(
        c"SELECT c.cursor, c.acknowledged_at, c.acknowledged_at::text FROM kepler.consumers AS c
          WHERE c.workspace_id = $1 AND c.name = $2",
        &[pg_sys::TEXTOID; 2],
    ) };
    static LOCK: Statement = const { Statement::new(
        c"SELECT c.cursor FROM kepler.consumers AS c
          WHERE c.workspace_id = $1 AND c.name = $2 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID; 2],
    ) };
    static ADD: Statement = const { Statement::new(
        c"INSERT INTO kepler.consumers (workspace_id, name, cursor) VALUES ($1, $2, $3)
          ON CONFLICT (workspace_id, name) DO NOTHING",
        &[pg_sys::TEXTOID; 3],
    ) };
    static MOVE: Statement = const { Statement::new(
        c"UPDATE kepler.consumers AS c
          SET cursor = $3, acknowledged_at = pg_catalog.clock_timestamp()
          WHERE c.workspace_id = $1 AND c.name = $2",
        &[pg_sys::TEXTOID; 3],
    ) };
    static ALL: Statement = const { Statement::new(
        c"SELECT c.name, c.cursor, c.acknowledged_at FROM kepler.consumers AS c
          WHERE c.workspace_id = $1 ORDER BY c.name",
        &[pg_sys::TEXTOID],
    ) };
    static EVERYWHERE: Statement = const { Statement::new(
        c"SELECT c.workspace_id, c.cursor FROM kepler.consumers AS c",
        &[],
    ) };
}

/// A consumer's cursor, and when it was acknowledged.
pub(super) fn find(
    client: &mut SpiClient<'_>,
    workspace: &str,
    name: &str,
) -> Result<(String, String), Error> {
    let (of, consumer) = (Text::new(workspace), Text::new(name));
    let key = [Some(of.datum()), Some(consumer.datum())];
    let rows = FIND.with(|plan| plan.run_in_snapshot(client, &key));
    let found = rows
        .iter::<3>()
        .next()
        .and_then(|row| Some((row.text(0)?.to_owned(), row.text(2)?.to_owned())));
    found.ok_or_else(|| {
        FeedError::NoConsumer { name: name.to_owned(), workspace: workspace.to_owned() }.into()
    })
}

/// Moves a consumer's cursor on, or makes the consumer. Gives the outcome.
pub(super) fn acknowledge(
    client: &mut SpiClient<'_>,
    workspace: &str,
    name: &str,
    text: &str,
    feeds: Feeds,
) -> Result<(&'static str, String), Error> {
    let epochs = Epochs::read(client);
    let reached = Reached::read(text, Some(workspace), feeds)?;
    // Where it stands in the feed of the coordinator, that one looks at when it is read from there.
    epochs.check(reached.own)?;
    let (of, consumer, to) = (Text::new(workspace), Text::new(name), Text::new(text));
    let key = [Some(of.datum()), Some(consumer.datum())];
    let row = [key[0], key[1], Some(to.datum())];
    // Another session may delete the consumer between the two.
    for _ in 0..3 {
        let rows = LOCK.with(|plan| plan.run(client, &key));
        let stored = rows.iter::<1>().next().and_then(|row| row.text(0).map(str::to_owned));
        drop(rows);
        let Some(stored) = stored else {
            if ADD.with(|plan| plan.run(client, &row)).count() == 1 {
                return Ok(("inserted", text.to_owned()));
            }
            continue;
        };
        // One that cannot be read any more is replaced.
        let before = Reached::read(&stored, Some(workspace), feeds).ok();
        let before = before.filter(|before| epochs.is_comparable(before.own));
        let further = before.map_or(reached, |before| before.or_further(reached));
        return Ok(match before {
            Some(before) if before.is_at(&reached) => ("unchanged", stored),
            Some(before) if before.is_at(&further) => ("stale", stored),
            _ => {
                let text = further.write(Some(workspace));
                let to = Text::new(&text);
                MOVE.with(|plan| plan.run(client, &[key[0], key[1], Some(to.datum())]));
                ("updated", text)
            }
        });
    }
    Err(FeedError::NoConsumer { name: name.to_owned(), workspace: workspace.to_owned() }.into())
}

/// How far a consumer is behind.
pub(super) struct Lag {
    pub(super) consumer: String,
    /// Up to [`COUNTED`].
    pub(super) waiting: Option<i32>,
    pub(super) oldest_at: Option<i64>,
    pub(super) acknowledged_at: Option<i64>,
    /// Why it cannot go on.
    pub(super) problem: Option<String>,
    /// Where it stands in the feed of the coordinator, whose changes are not among those that wait.
    pub(super) coordinator: Option<Cursor>,
}

impl Lag {
    /// Adds what waits in a feed.
    pub(super) fn add(&mut self, counted: Result<(i32, Option<i64>), Error>) {
        match counted {
            Ok((waiting, oldest_at)) => {
                let waiting = self.waiting.unwrap_or_default().saturating_add(waiting);
                self.waiting = Some(waiting.min(COUNTED));
                self.oldest_at = [self.oldest_at, oldest_at].into_iter().flatten().min();
            }
            Err(error) => {
                (self.waiting, self.oldest_at) = (None, None);
                self.problem = Some(error.message());
            }
        }
    }
}

/// So many changes are counted.
const COUNTED: i32 = 10_000;

/// How many changes wait behind a cursor, and when the first of them was made.
pub(super) fn behind(
    client: &mut SpiClient<'_>,
    workspace: &str,
    cursor: Cursor,
    of: Of,
) -> Result<(i32, Option<i64>), Error> {
    read::count_behind(client, workspace, cursor, COUNTED, of)
}

/// In the feed where the session works.
pub(super) fn lags(client: &mut SpiClient<'_>, workspace: &str, feeds: Feeds) -> Vec<Lag> {
    let of = Text::new(workspace);
    let rows = ALL.with(|plan| plan.run_in_snapshot(client, &[Some(of.datum())]));
    let consumer = |row: crate::pg::rows::Row<'_, 3>| {
        Some((row.text(0)?.to_owned(), row.text(1)?.to_owned(), row.time(2)))
    };
    let consumers: Vec<_> = rows.iter::<3>().filter_map(consumer).collect();
    drop(rows);
    let mut lags = Vec::new();
    for (consumer, text, acknowledged_at) in consumers {
        let (waiting, oldest_at, problem, coordinator) = (None, None, None, None);
        let mut lag = Lag { consumer, waiting, oldest_at, acknowledged_at, problem, coordinator };
        let reached = Reached::read(&text, Some(workspace), feeds);
        lag.coordinator = reached.as_ref().ok().and_then(|reached| reached.coordinator);
        lag.add(match reached {
            Ok(reached) => behind(client, workspace, reached.own, Of::All),
            Err(error) => Err(error.into()),
        });
        lags.push(lag);
    }
    lags
}

/// Where each consumer stands, of all workspaces. One whose cursor cannot be read stands nowhere.
pub(super) fn positions(client: &mut SpiClient<'_>) -> Vec<(String, Position)> {
    let rows = EVERYWHERE.with(|plan| plan.run(client, &[]));
    let position = |row: crate::pg::rows::Row<'_, 2>| {
        let workspace = row.text(0)?;
        let reached = Reached::read(row.text(1)?, Some(workspace), Feeds::One).ok()?;
        Some((workspace.to_owned(), reached.own.position))
    };
    rows.iter::<2>().filter_map(position).collect()
}
