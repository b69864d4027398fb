//! The tables whose rows may go for their age, and who may say so.

use super::error::RetentionError;
use crate::access::owner::{Owner, act_as_owner_of_table, require_right_in_part};
use crate::error::Error;
use crate::pg::role::{self, ActAs};
use crate::workspace;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// One of Kepler's own tables whose rows grow old.
pub(super) struct OwnLog {
    name: &'static str,
    /// The column from which the age is counted, where none is named.
    pub(super) time_column: &'static str,
    /// What must hold of a row `e` in any case; empty for nothing.
    pub(super) guard: &'static str,
}

const FEED: &str = "feed";

const OWN: &[OwnLog] = &[
    // One without messages is not over, whatever time it is judged by.
    OwnLog {
        name: "conversations",
        time_column: "last_message_at",
        guard: "e.last_message_at IS NOT NULL",
    },
    OwnLog { name: "enrichment_attempts", time_column: "ended_at", guard: "" },
    // What has no end is still under way.
    OwnLog { name: "executions", time_column: "ended_at", guard: "e.ended_at IS NOT NULL" },
    OwnLog { name: FEED, time_column: "created_at", guard: "" },
    OwnLog { name: "memories", time_column: "created_at", guard: "" },
    OwnLog { name: "messages", time_column: "sent_at", guard: "" },
    // A worker holds it, or would look for it.
    OwnLog {
        name: "records",
        time_column: "deleted_at",
        guard: "e.enrichment_status <> 'PENDING'::kepler.record_enrichment_status AND e.enrichment_lease_id IS NULL",
    },
    OwnLog { name: "rejects", time_column: "received_at", guard: "" },
    OwnLog { name: "sync_runs", time_column: "ended_at", guard: "e.ended_at IS NOT NULL" },
];

/// Tables whose rows go with those of another one.
const GO_WITH: &[(&str, &str)] = &[
    ("execution_steps", "executions"),
    ("memory_access", "memories"),
    ("sync_batches", "sync_runs"),
    ("sync_candidates", "sync_runs"),
    ("sync_seen", "sync_runs"),
];

/// What kind of table it is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// One of Kepler's own.
    Own(&'static OwnLog),
    /// An entry table, or one of a blueprint.
    Made,
    /// Anybody's.
    Users,
}

/// Which rows are a workspace's.
pub(super) enum Tenancy {
    /// Those with its id in a column.
    Column(String),
    /// All of them are this one's.
    Table(String),
    /// They are nobody's.
    None,
}

/// A table with rows that may go for their age.
pub(super) struct Subject {
    pub(super) relation: pg_sys::Oid,
    /// As SQL names it.
    pub(super) table: String,
    pub(super) owner: pg_sys::Oid,
    pub(super) kind: Kind,
    pub(super) tenancy: Tenancy,
    pub(super) is_partitioned: bool,
}

/// What the catalog says of a relation.
struct Facts {
    kind: String,
    is_temporary: bool,
    is_partition: bool,
    owner: pg_sys::Oid,
    schema: String,
    name: String,
    table: String,
    has_children: bool,
    has_workspaces: bool,
}

impl Facts {
    fn read(client: &mut SpiClient<'_>, relation: pg_sys::Oid) -> Result<Self, Error> {
        let row = client
            .update(
                "SELECT c.relkind::pg_catalog.text, c.relpersistence = 't', c.relispartition, c.relowner, n.nspname::pg_catalog.text,
                        c.relname::pg_catalog.text, pg_catalog.format('%I.%I', n.nspname, c.relname),
                        c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid),
                        EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                            WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
                              AND a.atttypid = 'pg_catalog.text'::pg_catalog.regtype)
                 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE c.oid = $1",
                None,
                &[relation.into()],
            )?
            .next()
            .ok_or_else(|| RetentionError::NoTable(relation.to_u32()))?;
        Ok(Self {
            kind: row[1].value()?.unwrap_or_default(),
            is_temporary: row[2].value()?.unwrap_or(false),
            is_partition: row[3].value()?.unwrap_or(false),
            owner: row[4].value()?.unwrap_or(pg_sys::InvalidOid),
            schema: row[5].value()?.unwrap_or_default(),
            name: row[6].value()?.unwrap_or_default(),
            table: row[7].value()?.unwrap_or_default(),
            has_children: row[8].value()?.unwrap_or(false),
            has_workspaces: row[9].value()?.unwrap_or(false),
        })
    }

    fn refused(&self, why: &'static str, hint: Option<String>) -> RetentionError {
        RetentionError::NotForAge { table: self.table.clone(), why, hint }
    }

    /// Refuses what has no rows of its own, or rows that nobody sees but a session.
    fn require_table(&self) -> Result<(), RetentionError> {
        let system =
            ["pg_catalog", "information_schema", "pg_toast"].contains(&self.schema.as_str());
        let why = match self.kind.as_str() {
            _ if system => "it belongs to Postgres",
            "v" => "it is a view",
            "m" => "it is a materialized view",
            "f" => "it is a foreign table",
            "r" | "p" if self.is_temporary => "it is temporary",
            "r" | "p" if self.is_partition && self.schema != "kepler" => {
                "it is a partition; name the table that it is a part of"
            }
            "r" if self.has_children => "other tables inherit from it",
            "r" | "p" => return Ok(()),
            _ => "it is not a table",
        };
        Err(self.refused(why, None))
    }

    /// One of Kepler's own tables.
    fn own_log(&self) -> Result<&'static OwnLog, RetentionError> {
        let found = OWN.iter().find(|own| own.name == self.name && !self.is_partition);
        if let Some(found) = found {
            return Ok(found);
        }
        if self.name.starts_with("history") {
            return Err(self.refused(
                "the history is kept for ever",
                Some("It proves what was done, and a missing row would break its chain. kepler.untrack ends what is written of a table.".to_owned()),
            ));
        }
        if let Some((_, with)) = GO_WITH.iter().find(|(name, _)| *name == self.name) {
            return Err(self.refused(
                "they go with the rows that they belong to",
                Some(format!("Set it for kepler.{with}.")),
            ));
        }
        if self.name.starts_with("feed") || self.name == "consumers" {
            return Err(
                self.refused("it is part of the feed", Some("Set it for kepler.feed.".to_owned()))
            );
        }
        let names: Vec<String> = OWN.iter().map(|own| format!("kepler.{}", own.name)).collect();
        let hint = format!("Of Kepler's own tables rows of these may: {}.", names.join(", "));
        Err(self.refused("they do not grow old", Some(hint)))
    }
}

impl Subject {
    /// Refuses what has no rows that may go.
    pub(super) fn find(
        client: &mut SpiClient<'_>,
        relation: pg_sys::Oid,
        owner: Owner,
    ) -> Result<Self, Error> {
        let facts = Facts::read(client, relation)?;
        facts.require_table()?;
        let (kind, tenancy) = match facts.schema.as_str() {
            "kepler" => (Kind::Own(facts.own_log()?), Tenancy::Column("workspace_id".to_owned())),
            "kepler_internal" => return Err(facts.refused("it belongs to Kepler", None).into()),
            _ => match made(client, &facts, owner)? {
                Some(tenancy) => (Kind::Made, tenancy),
                None if facts.schema == "kepler_data" => {
                    let hint = "Set it for kepler.memories and kepler.messages.".to_owned();
                    return Err(facts
                        .refused("embeddings go with what they are of", Some(hint))
                        .into());
                }
                None if facts.has_workspaces => {
                    (Kind::Users, Tenancy::Column("workspace_id".to_owned()))
                }
                None => (Kind::Users, Tenancy::None),
            },
        };
        if !matches!(kind, Kind::Users) && facts.owner != owner.role() {
            return Err(facts
                .refused("it does not belong to the owner of Kepler's tables", None)
                .into());
        }
        let is_partitioned = facts.kind == "p";
        Ok(Self { relation, table: facts.table, owner: facts.owner, kind, tenancy, is_partitioned })
    }

    pub(super) fn is_feed(&self) -> bool {
        matches!(self.kind, Kind::Own(own) if own.name == FEED)
    }

    /// The workspace of a policy that is set for `asked`; None for all rows.
    pub(super) fn workspace(&self, asked: Option<String>) -> Option<String> {
        match &self.tenancy {
            Tenancy::Column(_) => asked,
            Tenancy::Table(workspace) => Some(workspace.clone()),
            Tenancy::None => None,
        }
    }

    /// Whether the caller may say how long rows of a workspace are kept, or all rows.
    pub(super) fn require_may_set(
        &self,
        owner: Owner,
        workspace: Option<&str>,
    ) -> Result<(), Error> {
        match self.kind {
            Kind::Users if !role::may_act_as(self.owner) => Err(RetentionError::NotYours {
                table: self.table.clone(),
                owner: role::name(self.owner),
            }
            .into()),
            Kind::Users => workspace.map_or(Ok(()), workspace::require_own),
            Kind::Own(_) | Kind::Made => {
                require_right_in_part("retention_policies", pg_sys::ACL_UPDATE)?;
                match workspace {
                    Some(workspace) => workspace::require_own(workspace),
                    None => {
                        Ok(owner.require_caller("say how long rows of all workspaces are kept")?)
                    }
                }
            }
        }
    }

    /// The same for deleting them, which an administrator of a workspace does with no more rights than those of the level.
    pub(super) fn require_may_delete(
        &self,
        owner: Owner,
        workspace: Option<&str>,
    ) -> Result<(), Error> {
        self.require_may_set(owner, workspace)?;
        if matches!(self.kind, Kind::Users) || owner.is_caller() {
            return Ok(());
        }
        if self.is_feed() {
            return Ok(owner.require_caller("keep up the feed")?);
        }
        Ok(())
    }

    /// As whom rows are deleted, and counted: as the table's owner, if the caller has that role's rights and is another one.
    pub(super) fn act(&self, owner: Owner) -> Option<ActAs> {
        match self.kind {
            Kind::Users => act_as_owner_of_table(self.owner),
            Kind::Own(_) | Kind::Made => owner.is_caller().then(|| owner.act()),
        }
    }
}

/// Whose rows those of an entry table or of a blueprint's table are; None where it is neither.
fn made(client: &mut SpiClient<'_>, facts: &Facts, owner: Owner) -> Result<Option<Tenancy>, Error> {
    let sql = if facts.schema == "kepler_data" {
        "SELECT e.workspace_id, NULL::pg_catalog.text FROM kepler.entry_tables AS e WHERE e.table_name = $1 AND $2 IS NOT NULL"
    } else {
        // Of a blueprint whose rows say whose they are, the policy names the column that does.
        "SELECT b.workspace_id, (
             SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_policy AS y
             JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = y.oid
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = y.polrelid AND d.refobjsubid > 0
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = y.polrelid AND a.attnum = d.refobjsubid
             WHERE y.polname = 'workspace' AND y.polrelid = (
                 SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE c.relname = $1 AND n.nspname = $2)
             ORDER BY a.attnum LIMIT 1)
         FROM kepler.blueprint_tables AS t JOIN kepler.blueprints AS b ON b.name = t.blueprint_name
         WHERE t.table_name = $1 AND t.schema_name = $2"
    };
    let _owner = owner.act();
    let Some(row) = client
        .update(sql, None, &[facts.name.as_str().into(), facts.schema.as_str().into()])?
        .next()
    else {
        return Ok(None);
    };
    let (workspace, column) = (row[1].value::<String>()?, row[2].value::<String>()?);
    Ok(Some(match (workspace, column) {
        (Some(workspace), _) => Tenancy::Table(workspace),
        (None, Some(column)) => Tenancy::Column(column),
        (None, None) => Tenancy::None,
    }))
}
