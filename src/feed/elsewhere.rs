//! On a cluster a workspace has two feeds: the node where it lies notes what is changed there, and the coordinator what is changed in its
//! own tables. On the coordinator they are read as one.
//!
//! The node is asked in one message, by a call that is sent to it (`pg::cluster::calls`), and tells positions of its own feed alone.
//! Where the workspace lies on the coordinator itself there is one feed.

use super::consumer::{self, Lag};
use super::cursor::{Cursor, Feeds, Position, Reached};
use super::error::FeedError;
use super::merge::{Given, merge};
use super::read::{self, Change, Changed, Found, Of, Request};
use crate::error::Error;
use crate::pg::cluster::places::Lies;
use crate::pg::cluster::{moved, part};
use crate::pg::plan::Statement;
use crate::pg::rows::Row;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static CHANGES: Statement = const { Statement::new(
        c"SELECT c.* FROM kepler_internal.changes_of_part($1, $2, $3, $4, $5, $6) AS c",
        &[
            pg_sys::TEXTOID,
            pg_sys::INT4OID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
        ],
    ) };
    static CURSOR: Statement = const { Statement::new(
        c"SELECT kepler_internal.feed_cursor_of_part($1)",
        &[pg_sys::TEXTOID],
    ) };
    static LAGS: Statement = const { Statement::new(
        c"SELECT l.* FROM kepler_internal.consumer_lag_of_part($1) AS l",
        &[pg_sys::TEXTOID],
    ) };
}

/// Where a call about a workspace's feed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the only feed of the workspace is.
    Feed,
    /// On the coordinator of a cluster, and not yet in the workspace's part, which lies there.
    BesideFeed,
    /// On the coordinator; the workspace lies on another node.
    Coordinator,
    /// In the workspace's part, on a node that is not the coordinator.
    Part,
}

impl Place {
    pub(super) fn of(workspace: Option<&str>) -> Result<Self, FeedError> {
        // What belongs to no workspace is each node's own.
        let Some(workspace) = workspace.filter(|_| part::is_distributed()) else {
            return Ok(Self::Feed);
        };
        let is_coordinator = moved::is_coordinator();
        match (part::current() != 0, is_coordinator) {
            (true, true) => Ok(Self::Feed),
            (true, false) => Ok(Self::Part),
            (false, true) if moved::hold_and_look(&Text::new(workspace)) => Ok(Self::BesideFeed),
            (false, true) => Ok(Self::Coordinator),
            (false, false) => Err(FeedError::NotOnCoordinator),
        }
    }

    /// Of how many feeds a consumer's cursor is.
    pub(super) fn feeds(self) -> Feeds {
        match self {
            Self::Feed | Self::BesideFeed => Feeds::One,
            Self::Coordinator | Self::Part => Feeds::Two,
        }
    }
}

/// From where on changes are read.
pub(super) enum Start<'a> {
    /// The oldest that is there.
    Oldest,
    Cursor(&'a str),
    Consumer(&'a str),
}

/// What is asked for of a workspace's feeds.
pub(super) struct Asked<'a> {
    pub(super) workspace: Option<&'a str>,
    pub(super) start: Start<'a>,
    /// With 0 it is asked for the position alone.
    pub(super) max_rows: i32,
    /// A table's name, and where its rows are.
    pub(super) table: Option<(&'a str, Lies)>,
    pub(super) entity_type: Option<&'a str>,
}

/// What a feed has of it.
pub(super) struct Told {
    pub(super) found: Found,
    /// Where the consumer stands in the feed of the coordinator.
    pub(super) coordinator: Option<Cursor>,
    pub(super) acknowledged_at: Option<String>,
}

/// Changes of a workspace, with cursors of as many feeds as it has.
pub(super) fn changes(
    client: &mut SpiClient<'_>,
    place: Place,
    asked: &Asked<'_>,
) -> Result<Vec<Given>, Error> {
    let lies = asked.table.map(|(_, lies)| lies);
    match place {
        Place::Feed => Ok(alone(tell(client, asked, Feeds::One)?.found)),
        Place::BesideFeed => Ok(alone(ask(client, asked)?.found)),
        Place::Coordinator => both(client, asked, lies),
        // The cursor stays where it is in the coordinator's feed, which is not asked: it may be asked from there on.
        Place::Part if lies.is_some_and(|lies| lies != Lies::Here) => {
            let (own, coordinator) = begins(asked)?;
            let told = tell(client, &asked.starting_at(own.as_deref()), Feeds::Two)?;
            let coordinator = coordinator.or(told.coordinator);
            let coordinator =
                coordinator.unwrap_or(Cursor { position: Position::default(), identity: 0 });
            Ok(merge(told.found, none(coordinator), asked.max_rows as usize))
        }
        Place::Part => Err(FeedError::Beside.into()),
    }
}

impl<'a> Asked<'a> {
    /// The same, from a cursor of one feed on.
    fn starting_at(&self, own: Option<&'a str>) -> Self {
        let start = match (own, &self.start) {
            (Some(own), _) => Start::Cursor(own),
            (None, Start::Consumer(name)) => Start::Consumer(name),
            (None, _) => Start::Oldest,
        };
        Self { start, ..*self }
    }
}

/// Where a cursor of two feeds stands in each of them; the own one as a cursor of that alone.
fn begins(asked: &Asked<'_>) -> Result<(Option<String>, Option<Cursor>), FeedError> {
    let Start::Cursor(text) = asked.start else { return Ok((None, None)) };
    let reached = Reached::read(text, asked.workspace, Feeds::Two)?;
    Ok((Some(reached.own.write(asked.workspace)), reached.coordinator))
}

/// The changes of the only feed.
fn alone(found: Found) -> Vec<Given> {
    let reached = |own| Reached { own, coordinator: None };
    let changes = found.changes.into_iter();
    let changes = changes.map(|change| (reached(change.cursor), Some(change.changed)));
    changes.chain(found.behind.map(|behind| (reached(behind), None))).collect()
}

/// A feed of which nothing is asked for.
fn none(after: Cursor) -> Found {
    Found { after, changes: Vec::new(), behind: None }
}

/// Of a table one feed alone has changes, and the cursor stays where it is in the other one.
fn both(
    client: &mut SpiClient<'_>,
    asked: &Asked<'_>,
    lies: Option<Lies>,
) -> Result<Vec<Given>, Error> {
    let (own, coordinator) = begins(asked)?;
    let is_asked_here = lies.is_none_or(|lies| lies == Lies::Here);
    let is_asked_there = lies.is_none_or(|lies| lies != Lies::Here);
    let sent = Asked {
        max_rows: if is_asked_there { asked.max_rows } else { 0 },
        ..asked.starting_at(own.as_deref())
    };
    let told = match (&own, is_asked_there) {
        (Some(own), false) => {
            let own = Reached::read(own, asked.workspace, Feeds::One)?.own;
            Told { found: none(own), coordinator: None, acknowledged_at: None }
        }
        _ => ask(client, &sent)?,
    };
    let after = coordinator.or(told.coordinator);
    let found = if is_asked_here {
        let request = Request {
            workspace: asked.workspace,
            after,
            max_rows: asked.max_rows,
            table: asked.table.map(|(name, _)| name),
            entity_type: asked.entity_type,
            acknowledged_at: told.acknowledged_at.as_deref(),
            of: Of::TablesHere,
        };
        read::read(client, &request)?
    } else {
        none(after.unwrap_or_else(|| read::beginning(client, asked.workspace)))
    };
    Ok(merge(told.found, found, asked.max_rows as usize))
}

/// What the feed where the session works has.
pub(super) fn tell(
    client: &mut SpiClient<'_>,
    asked: &Asked<'_>,
    stored: Feeds,
) -> Result<Told, Error> {
    let workspace = asked.workspace;
    let (mut after, mut coordinator, mut acknowledged_at) = (None, None, None);
    match asked.start {
        Start::Oldest => {}
        Start::Cursor(text) => after = Some(Reached::read(text, workspace, Feeds::One)?.own),
        Start::Consumer(name) => {
            let (cursor, at) = consumer::find(client, workspace.unwrap_or_default(), name)?;
            let reached = Reached::read(&cursor, workspace, stored)?;
            (after, coordinator) = (Some(reached.own), reached.coordinator);
            acknowledged_at = Some(at);
        }
    }
    let found = if asked.max_rows == 0 {
        none(after.unwrap_or_else(|| read::beginning(client, workspace)))
    } else {
        let request = Request {
            workspace,
            after,
            max_rows: asked.max_rows,
            table: asked.table.map(|(name, _)| name),
            entity_type: asked.entity_type,
            acknowledged_at: acknowledged_at.as_deref(),
            of: Of::All,
        };
        read::read(client, &request)?
    };
    Ok(Told { found, coordinator, acknowledged_at })
}

/// What the node of the workspace has: where it begins, then the changes.
fn ask(client: &mut SpiClient<'_>, asked: &Asked<'_>) -> Result<Told, Error> {
    let (cursor, consumer) = match asked.start {
        Start::Oldest => (None, None),
        Start::Cursor(text) => (Some(text), None),
        Start::Consumer(name) => (None, Some(name)),
    };
    let text = |text: Option<&str>| text.map(Text::new);
    let [cursor, table, entity_type, consumer, workspace] = [
        text(cursor),
        text(asked.table.map(|(name, _)| name)),
        text(asked.entity_type),
        text(consumer),
        text(asked.workspace),
    ];
    let given = [
        cursor.as_ref().map(Text::datum),
        Some(asked.max_rows.into()),
        table.as_ref().map(Text::datum),
        entity_type.as_ref().map(Text::datum),
        consumer.as_ref().map(Text::datum),
        workspace.as_ref().map(Text::datum),
    ];
    let rows = CHANGES.with(|plan| plan.run(client, &given));
    let of = |text: &str| -> Result<Cursor, Error> {
        Ok(Reached::read(text, asked.workspace, Feeds::One)?.own)
    };
    let mut rows = rows.iter::<9>();
    let first = rows.next().ok_or(FeedError::NoCursor)?;
    let mut told = Told {
        found: none(of(first.text(0).unwrap_or_default())?),
        coordinator: first.text(7).map(of).transpose()?,
        acknowledged_at: first.text(8).map(str::to_owned),
    };
    for row in rows {
        let cursor = of(row.text(0).unwrap_or_default())?;
        match change_of(&row) {
            Some(changed) => told.found.changes.push(Change { cursor, changed }),
            None => told.found.behind = Some(cursor),
        }
    }
    Ok(told)
}

fn change_of(row: &Row<'_, 9>) -> Option<Changed> {
    let text = |column| row.text(column).map(str::to_owned);
    Some(Changed {
        relation: text(1),
        row_id: text(2),
        entity_type: text(3),
        operation: text(4)?,
        sequence: row.bigint(5)?,
        created_at: row.time(6)?,
    })
}

/// The position of now.
pub(super) fn now(
    client: &mut SpiClient<'_>,
    place: Place,
    workspace: Option<&str>,
) -> Result<Reached, Error> {
    let of_node = |client: &mut SpiClient<'_>| {
        let of = workspace.map(Text::new);
        let rows = CURSOR.with(|plan| plan.run(client, &[of.as_ref().map(Text::datum)]));
        let row = rows.iter::<1>().next();
        let text = row.as_ref().and_then(|row| row.text(0)).unwrap_or_default();
        Reached::read(text, workspace, Feeds::One)
    };
    Ok(match place {
        Place::Feed => Reached { own: read::now(client), coordinator: None },
        Place::BesideFeed => of_node(client)?,
        Place::Coordinator => Reached { coordinator: Some(read::now(client)), ..of_node(client)? },
        Place::Part => return Err(FeedError::Beside.into()),
    })
}

/// How far the consumers of a workspace are behind, in both feeds together.
pub(super) fn lags(
    client: &mut SpiClient<'_>,
    place: Place,
    workspace: &str,
) -> Result<Vec<Lag>, Error> {
    match place {
        Place::Feed => return Ok(consumer::lags(client, workspace, Feeds::One)),
        Place::Part => return Err(FeedError::Beside.into()),
        Place::BesideFeed | Place::Coordinator => {}
    }
    let of = Text::new(workspace);
    let rows = LAGS.with(|plan| plan.run(client, &[Some(of.datum())]));
    let cursor = |text: &str| Reached::read(text, Some(workspace), Feeds::One).ok();
    let lag = |row: Row<'_, 6>| {
        Some(Lag {
            consumer: row.text(0)?.to_owned(),
            waiting: row.integer(1),
            oldest_at: row.time(2),
            acknowledged_at: row.time(3),
            problem: row.text(4).map(str::to_owned),
            coordinator: row.text(5).and_then(cursor).map(|reached| reached.own),
        })
    };
    let mut lags: Vec<Lag> = rows.iter::<6>().filter_map(lag).collect();
    drop(rows);
    for lag in &mut lags {
        if let (None, Some(cursor)) = (&lag.problem, lag.coordinator) {
            lag.add(consumer::behind(client, workspace, cursor, Of::TablesHere));
        }
    }
    Ok(lags)
}
