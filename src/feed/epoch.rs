//! Epochs: parts of the database's life in which the numbers of transactions are comparable.
//!
//! A dump that is restored elsewhere brings changes along whose transactions had other numbers; after a restore to an
//! earlier time the same numbers come again. So an epoch is known by the cluster, the timeline of its write-ahead log and
//! the database, and whoever is the first to write where these are others begins the next one.
//!
//! Nobody waits for anybody: each transaction that finds no row of its epoch adds one. All that do so before the first
//! has committed come to the same number.

use super::cursor::{Cursor, Position};
use super::error::FeedError;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::append::Append;
use crate::pg::clock::now;
use crate::pg::cluster::moved;
use crate::pg::plan::Statement;
use crate::pg::relation::{self, MadeOf, generation};
use crate::pg::rows::Rows;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

thread_local! {
    static EPOCHS: Statement = const { Statement::new(
        c"SELECT e.epoch, e.system_identifier, e.timeline, e.database_oid, e.xid
          FROM kepler.feed_epochs AS e ORDER BY e.epoch, e.xid",
        &[],
    ) };
    /// The epoch of now, as long as its rows stay.
    static CURRENT: RefCell<Option<(MadeOf, i32)>> = const { RefCell::new(None) };
}

/// What an epoch is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    system: i64,
    timeline: i32,
    database: pg_sys::Oid,
}

impl Origin {
    /// Of a session that may write.
    fn of_session() -> Self {
        // SAFETY: variables that are set before a session begins.
        let timeline = unsafe { pg_sys::GetWALInsertionTimeLine() };
        Self { system: system(), timeline: timeline as i32, database: database() }
    }

    /// Whether its transactions are counted as those of this database are; a standby of another timeline counts on.
    fn is_here(self) -> bool {
        self.system == system() && self.database == database()
    }

    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&self.system.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.timeline.to_be_bytes());
        bytes[12..].copy_from_slice(&self.database.to_u32().to_be_bytes());
        bytes
    }

    fn identity(self) -> u32 {
        xxh3_64(&self.bytes()) as u32
    }
}

fn system() -> i64 {
    // SAFETY: a variable in shared memory, which is set before a session begins.
    unsafe { pg_sys::GetSystemIdentifier() as i64 }
}

/// The number of the next transaction, now and not as a snapshot has it.
fn next_xid() -> u64 {
    // SAFETY: reads a counter in shared memory under its lock.
    unsafe { pg_sys::ReadNextFullTransactionId().value }
}

/// A standby may be behind the server that a cursor is from, and catches up.
fn is_standby() -> bool {
    // SAFETY: reads a variable.
    unsafe { pg_sys::RecoveryInProgress() }
}

fn database() -> pg_sys::Oid {
    // SAFETY: as above.
    unsafe { pg_sys::MyDatabaseId }
}

/// An epoch that has begun, and its first transaction that is known.
struct Begun {
    epoch: i32,
    origin: Origin,
    xid: u64,
}

fn begun(rows: &Rows<'_>) -> Vec<Begun> {
    let mut found: Vec<Begun> = Vec::new();
    for row in rows.iter::<5>() {
        let origin = Origin {
            system: row.bigint(1).unwrap_or_default(),
            timeline: row.integer(2).unwrap_or_default(),
            database: row.oid(3).unwrap_or(pg_sys::InvalidOid),
        };
        found.push(Begun {
            epoch: row.integer(0).unwrap_or_default(),
            origin,
            xid: row.bigint(4).unwrap_or_default() as u64,
        });
    }
    found
}

/// The epoch of a transaction that writes, begun if need be.
pub(crate) fn of_writer(xid: u64) -> Result<i32, Error> {
    let known = CURRENT.with_borrow(|known| match known {
        Some((made_of, epoch)) if made_of.is_current() => Some(*epoch),
        _ => None,
    });
    if let Some(epoch) = known {
        return Ok(epoch);
    }
    let table = relation::named(c"kepler", c"feed_epochs").ok_or(FeedError::NoPlace)?;
    let at = generation();
    let owner = Owner::find()?;
    let found = {
        let _owner = owner.act();
        Spi::connect_mut(|client| EPOCHS.with(|plan| begun(&plan.run_latest(client, &[]))))
    };
    let origin = Origin::of_session();
    if let Some(last) = found.last()
        && last.origin == origin
    {
        // It is also that of a transaction which is older than the first writer: the horizon orders within an epoch, and
        // sessions that know this one would not hear of another.
        //
        // What this transaction began itself may still be undone.
        if found.iter().any(|begun| begun.epoch == last.epoch && begun.xid != xid) {
            let made_of = MadeOf::tables(vec![table], at);
            CURRENT.set(Some((made_of, last.epoch)));
        }
        return Ok(last.epoch);
    }
    let epoch = found.last().map_or(1, |last| last.epoch + 1);
    let columns =
        [c"epoch", c"system_identifier", c"timeline", c"database_oid", c"xid", c"began_at"];
    let mut append = Append::open(table, columns).ok_or(FeedError::NoPlace)?;
    append.push([
        Some(epoch.into()),
        Some(origin.system.into()),
        Some(origin.timeline.into()),
        Some(origin.database.into()),
        Some(pg_sys::Datum::from(xid)),
        Some(now().into()),
    ]);
    append.finish();
    Ok(epoch)
}

/// What a reader knows of epochs.
pub(crate) struct Epochs {
    begun: Vec<Begun>,
    /// On a cluster each node has a feed of its own, and what was changed in a part while it was elsewhere is not in this one. So
    /// a cursor is one of the part's stay on this node.
    stay: Option<u64>,
}

impl Epochs {
    /// As the calling statement sees them.
    pub(crate) fn read(client: &mut SpiClient<'_>) -> Self {
        let begun = EPOCHS.with(|plan| begun(&plan.run_in_snapshot(client, &[])));
        Self { begun, stay: moved::stay() }
    }

    fn last(&self) -> Option<&Begun> {
        self.begun.last()
    }

    /// The epoch that changes of now have, and the first one whose transactions are counted as those of now are. Of all
    /// before that nobody can still be writing.
    pub(crate) fn counted(&self) -> (i32, i32) {
        let Some(last) = self.last() else { return (1, 1) };
        if !last.origin.is_here() {
            return (last.epoch + 1, last.epoch + 1);
        }
        let foreign = self.begun.iter().rev().find(|begun| !begun.origin.is_here());
        (last.epoch, foreign.map_or(0, |begun| begun.epoch + 1))
    }

    /// The position of now: what is served later comes behind it. `horizon`: the oldest transaction under way.
    pub(super) fn now(&self, horizon: u64) -> Position {
        let Some(last) = self.last() else { return Position::default() };
        // Where no epoch has begun since a restore, behind all that was restored.
        let xid = if last.origin.is_here() { horizon } else { i64::MAX as u64 };
        Position { epoch: last.epoch, xid, sequence: 0 }
    }

    pub(super) fn cursor(&self, position: Position) -> Cursor {
        let begun = self.begun.iter().find(|begun| begun.epoch == position.epoch);
        let identity = match self.stay {
            None => begun.map_or(0, |begun| begun.origin.identity()),
            Some(stay) => {
                let origin = begun.map_or([0; 16], |begun| begun.origin.bytes());
                xxh3_64_with_seed(&origin, stay) as u32
            }
        };
        Cursor { position, identity }
    }

    /// Whether positions of a cursor can be compared with those that are given now.
    pub(super) fn is_comparable(&self, cursor: Cursor) -> bool {
        self.stay.is_none() || self.cursor(cursor.position) == cursor
    }

    /// Refuses a cursor of another database, and one that has seen what this database has lost. Gives whether the
    /// change at the cursor must be there for that.
    pub(super) fn check(&self, cursor: Cursor) -> Result<bool, FeedError> {
        let position = cursor.position;
        if self.cursor(position) != cursor {
            return Err(if self.stay.is_some() {
                FeedError::Elsewhere
            } else {
                FeedError::OtherDatabase
            });
        }
        let Some(own) = self.begun.iter().find(|begun| begun.epoch == position.epoch) else {
            return if position == Position::default() {
                Ok(false)
            } else {
                Err(FeedError::OtherDatabase)
            };
        };
        let next = self.begun.iter().find(|begun| begun.epoch > position.epoch);
        if let Some(next) = next
            && next.origin.system == own.origin.system
            && next.origin.database == own.origin.database
            && position.xid > next.xid
        {
            return Err(FeedError::Ahead);
        }
        if self.counted().0 > position.epoch {
            return Ok(position.sequence > 0);
        }
        if is_standby() {
            return Ok(false);
        }
        // Of the epoch of now, which a server that was put back to an earlier state goes on with. A change has the number
        // of a transaction; a cursor of feed_cursor() may have the next one.
        let is_ahead = if position.sequence > 0 {
            position.xid >= next_xid()
        } else {
            position.xid > next_xid()
        };
        if is_ahead { Err(FeedError::Ahead) } else { Ok(position.sequence > 0) }
    }
}
