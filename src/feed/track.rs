//! Making and dropping the triggers of a table.
//!
//! It is the table's owner who does: changes of somebody else's table would tell of keys that one may not read. Entry
//! tables of the session's workspace an administrator tracks in the name of their owner. Kepler's own tables, whose rows
//! are of all workspaces, are their owner's to track.

use super::error::FeedError;
use crate::access::error::AccessError;
use crate::access::level::SCHEMA;
use crate::access::owner::{Owner, TRACKED_TABLES, require_right_in_part};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::clock::moment;
use crate::pg::role::{self, ActAs};
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// What is written of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Which rows were changed.
    Feed,
    /// What they were before.
    History,
    /// What deleted rows were.
    Deletions,
}

impl Level {
    pub(crate) fn from_argument(level: Option<String>) -> Result<Self, Error> {
        let given = level.ok_or(ArgumentError::Null("level"))?;
        let levels = [Self::Feed, Self::History, Self::Deletions];
        let legal = "feed, history, deletions";
        let found = levels.into_iter().find(|level| level.name() == given);
        Ok(found.ok_or(ArgumentError::BadChoice { argument: "level", legal, given })?)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::History => "history",
            Self::Deletions => "deletions",
        }
    }

    /// The function of its triggers. Of those with the same one a table has one.
    fn function(self) -> &'static str {
        match self {
            Self::Feed => "kepler_internal.tell_feed()",
            Self::History | Self::Deletions => "kepler_internal.tell_history()",
        }
    }

    /// How many triggers a table has that is tracked.
    fn triggers(self) -> i64 {
        match self {
            Self::Feed => 5,
            Self::History => 6,
            Self::Deletions => 3,
        }
    }
}

/// What is to be known of a table before its triggers are made.
struct Facts {
    kind: u8,
    persistence: u8,
    is_partition: bool,
    owner: pg_sys::Oid,
    schema: String,
    name: String,
    /// Schema and name, as SQL names it.
    spelled: String,
    has_key: bool,
    /// Postgres 16 does not name such a key as the one of the table.
    is_key_deferrable: bool,
    /// The table's number, where triggers of a function tell of its changes.
    number: Option<i32>,
    /// How many of these triggers fire as they were made to.
    firing: i64,
}

fn facts(client: &mut SpiClient<'_>, table: pg_sys::Oid, level: Level) -> Result<Facts, Error> {
    let mut rows = client.update(
        "SELECT c.relkind::text, c.relpersistence::text, c.relispartition, c.relowner, n.nspname::text,
                c.relname::text,
                EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary),
                (SELECT pg_catalog.min(pg_catalog.split_part(pg_catalog.encode(g.tgargs, 'escape'), '\\000', 1)::integer)
                 FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid AND g.tgparentid = 0
                    AND g.tgfoid = $2::pg_catalog.regprocedure),
                pg_catalog.format('%I.%I', n.nspname, c.relname),
                EXISTS (SELECT FROM pg_catalog.pg_index AS i
                    WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate),
                (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger AS g
                 WHERE g.tgrelid = c.oid AND g.tgparentid = 0 AND g.tgfoid = $2::pg_catalog.regprocedure
                    AND g.tgenabled = CASE WHEN g.tgname LIKE '%truncate' THEN 'A' WHEN g.tgname LIKE '%replicated' THEN 'R' ELSE 'O' END)
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.oid = $1",
        None,
        &[table.into(), level.function().into()],
    )?;
    let row = rows.next().ok_or_else(|| FeedError::NoTable(table.to_u32()))?;
    let letter = |text: Option<String>| text.and_then(|text| text.bytes().next()).unwrap_or(0);
    Ok(Facts {
        kind: letter(row[1].value()?),
        persistence: letter(row[2].value()?),
        is_partition: row[3].value()?.unwrap_or(false),
        owner: row[4].value()?.unwrap_or(pg_sys::InvalidOid),
        schema: row[5].value()?.unwrap_or_default(),
        name: row[6].value()?.unwrap_or_default(),
        has_key: row[7].value()?.unwrap_or(false),
        number: row[8].value()?,
        spelled: row[9].value()?.unwrap_or_default(),
        is_key_deferrable: row[10].value()?.unwrap_or(false),
        firing: row[11].value()?.unwrap_or(0),
    })
}

/// A table as SQL names it, and as the feed's answers do.
pub(crate) fn spelled(client: &mut SpiClient<'_>, table: pg_sys::Oid) -> Result<String, Error> {
    Ok(facts(client, table, Level::Feed)?.spelled)
}

/// The tables of the feed and the history themselves, which say nothing that those do not say.
const OWN: [&str; 11] = [
    "feed",
    "feed_default",
    "feed_epochs",
    "feed_dropped",
    "consumers",
    "history",
    "history_default",
    "history_shapes",
    "history_transactions",
    "history_seals",
    "history_redactions",
];

impl Facts {
    fn qualified(&self) -> String {
        self.spelled.clone()
    }

    fn require_trackable(&self) -> Result<(), FeedError> {
        let is_own = self.schema == SCHEMA && (OWN.contains(&&*self.name) || self.is_partition);
        let why = match () {
            () if is_own => "it is part of the feed or of the history",
            () if self.is_partition => "it is a partition; track the table that it is a part of",
            () if self.persistence == pg_sys::RELPERSISTENCE_TEMP => "it is temporary",
            () if self.persistence == pg_sys::RELPERSISTENCE_UNLOGGED => {
                "it is unlogged, and a crash would empty it without a change"
            }
            () if self.is_key_deferrable => "its primary key is deferrable",
            () if self.kind == pg_sys::RELKIND_RELATION
                || self.kind == pg_sys::RELKIND_PARTITIONED_TABLE =>
            {
                return if self.has_key {
                    Ok(())
                } else {
                    Err(FeedError::NoPrimaryKey(self.qualified()))
                };
            }
            () => "it is not a table",
        };
        Err(FeedError::CannotTrack { table: self.qualified(), why })
    }

    fn is_entry_table(&self, owner: Owner) -> bool {
        self.schema == "kepler_data" && self.owner == owner.role()
    }

    /// Whether the caller may track the table; asked before anything is done as somebody else. `workspace`: of an entry
    /// table.
    fn require_may(&self, owner: Owner, workspace: Option<&str>) -> Result<(), Error> {
        if self.is_entry_table(owner) {
            return match workspace {
                Some(id) => workspace::require_own(id),
                None => Ok(owner.require_caller("track what is no entry table of a workspace")?),
            };
        }
        if self.schema == SCHEMA && self.owner == owner.role() {
            // Their triggers fire for every workspace.
            return Ok(owner.require_caller("track Kepler's own tables, or end it")?);
        }
        if role::may_act_as(self.owner) {
            return Ok(());
        }
        Err(FeedError::NotYours(self.qualified()).into())
    }

    /// Acts as the owner of Kepler's tables for these. After [`Facts::require_may`].
    fn act(&self, owner: Owner) -> Option<ActAs> {
        let is_keplers = self.schema == SCHEMA || self.schema == "kepler_data";
        (is_keplers && self.owner == owner.role()).then(|| owner.act())
    }
}

/// The workspace of an entry table, or of a blueprint's table, whose rows do not have it.
fn workspace_of(
    client: &mut SpiClient<'_>,
    facts: &Facts,
    owner: Owner,
) -> Result<Option<String>, Error> {
    if facts.owner != owner.role() {
        return Ok(None);
    }
    let sql = if facts.is_entry_table(owner) {
        "SELECT e.workspace_id FROM kepler.entry_tables AS e WHERE e.table_name = $1 AND $2 IS NOT NULL"
    } else {
        "SELECT b.workspace_id FROM kepler.blueprint_tables AS t JOIN kepler.blueprints AS b ON b.name = t.blueprint_name
         WHERE t.table_name = $1 AND t.schema_name = $2"
    };
    let _owner = owner.act();
    let found = client
        .update(sql, None, &[facts.name.as_str().into(), facts.schema.as_str().into()])?
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    Ok(found)
}

/// The lock of CREATE TRIGGER, before it is asked whether there are triggers: of two at once the second one waits here.
fn lock(table: pg_sys::Oid) {
    // SAFETY: a lock on a table that exists, which the transaction gives back.
    unsafe { pg_sys::LockRelationOid(table, pg_sys::ShareRowExclusiveLock as i32) };
}

/// Begins to write the changes of a table. Gives whether they were not written before, or not all of them.
pub(crate) fn track(
    client: &mut SpiClient<'_>,
    table: pg_sys::Oid,
    level: Level,
) -> Result<bool, Error> {
    require_right_in_part("tracked_tables", pg_sys::ACL_UPDATE)?;
    let owner = Owner::find()?;
    owner.require_own_code(client, TRACKED_TABLES)?;
    let facts = facts(client, table, level)?;
    facts.require_trackable()?;
    let workspace = workspace_of(client, &facts, owner)?;
    facts.require_may(owner, workspace.as_deref())?;
    let acting = facts.act(owner);
    lock(table);
    let now = self::facts(client, table, level)?;
    let tracked = now.number;
    if let Some(number) = tracked {
        let written = {
            let _owner = owner.act();
            level_of(client, number)?
        };
        // Where somebody has dropped or disabled some of them, all are made anew.
        if written.as_deref() == Some(level.name()) && now.firing == level.triggers() {
            return Ok(false);
        }
        drop_triggers(client, table, level)?;
    }
    let number = {
        let _owner = owner.act();
        let name = facts.qualified();
        // Under the name that it had before, a table goes on with its number.
        let before = match tracked {
            Some(number) => Some(number),
            None => client
                .update(
                    "SELECT max(x.id) FROM kepler.tracked_tables AS x
                     WHERE x.name = $1 AND x.untracked_at IS NOT NULL AND (x.level = 'feed') = ($2 = 'feed')",
                    None,
                    &[name.as_str().into(), level.name().into()],
                )?
                .first()
                .get_one::<i32>()?,
        };
        let found = client
            .update(
                "UPDATE kepler.tracked_tables AS t SET untracked_at = NULL, tracked_at = $3, level = $2
                 WHERE t.id = $1 RETURNING t.id",
                None,
                &[before.into(), level.name().into(), moment().into()],
            )?
            .next()
            .map(|row| row[1].value::<i32>())
            .transpose()?
            .flatten();
        match found {
            Some(number) => Some(number),
            None => client
                .update(
                    "INSERT INTO kepler.tracked_tables (name, level, workspace_id) VALUES ($1, $2, $3) RETURNING id",
                    None,
                    &[name.as_str().into(), level.name().into(), workspace.as_deref().into()],
                )?
                .first()
                .get_one::<i32>()?,
        }
    };
    let make = match level {
        Level::Feed => "SELECT kepler_internal.make_feed_triggers($1, $2, $3)",
        Level::History => "SELECT kepler_internal.make_history_triggers($1, $2, $3)",
        Level::Deletions => "SELECT kepler_internal.make_history_triggers($1, $2, $3, true)",
    };
    client.update(make, None, &[regclass(table), number.into(), workspace.into()])?;
    drop(acting);
    Ok(true)
}

/// The level that a number is of.
fn level_of(client: &mut SpiClient<'_>, number: i32) -> Result<Option<String>, Error> {
    let found = client.update(
        "SELECT t.level FROM kepler.tracked_tables AS t WHERE t.id = $1",
        None,
        &[number.into()],
    )?;
    Ok(found.into_iter().next().map(|row| row[1].value::<String>()).transpose()?.flatten())
}

fn drop_triggers(
    client: &mut SpiClient<'_>,
    table: pg_sys::Oid,
    level: Level,
) -> Result<(), Error> {
    let arguments = [regclass(table), level.function().into()];
    client.update("SELECT kepler_internal.drop_feed_triggers($1, $2)", None, &arguments)?;
    Ok(())
}

/// Ends it. Gives whether the changes were written before.
pub(crate) fn untrack(
    client: &mut SpiClient<'_>,
    table: pg_sys::Oid,
    level: Level,
) -> Result<bool, Error> {
    require_right_in_part("tracked_tables", pg_sys::ACL_UPDATE)?;
    let owner = Owner::find()?;
    owner.require_own_code(client, TRACKED_TABLES)?;
    let facts = facts(client, table, level)?;
    let workspace = workspace_of(client, &facts, owner)?;
    facts.require_may(owner, workspace.as_deref())?;
    let acting = facts.act(owner);
    lock(table);
    let Some(number) = self::facts(client, table, level)?.number else { return Ok(false) };
    let written = {
        let _owner = owner.act();
        level_of(client, number)?
    };
    // Triggers of a number that nobody knows any more go in any case.
    if written.is_some_and(|written| written != level.name()) {
        return Ok(false);
    }
    drop_triggers(client, table, level)?;
    drop(acting);
    let _owner = owner.act();
    client.update(
        "UPDATE kepler.tracked_tables AS t SET untracked_at = $3, name = $2 WHERE t.id = $1 AND t.untracked_at IS NULL",
        None,
        &[number.into(), facts.qualified().as_str().into(), moment().into()],
    )?;
    Ok(true)
}

fn regclass(table: pg_sys::Oid) -> pgrx::datum::DatumWithOid<'static> {
    // SAFETY: an oid is what a regclass is.
    unsafe { pgrx::datum::DatumWithOid::new(table, pg_sys::REGCLASSOID) }
}

/// For what only the owner of Kepler's tables may do.
pub(crate) fn require_owner(what: &'static str) -> Result<Owner, Error> {
    let owner = Owner::find()?;
    owner.require_caller(what).map_err(|error: AccessError| Error::from(error))?;
    Ok(owner)
}
