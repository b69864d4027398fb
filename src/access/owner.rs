//! The role that owns Kepler's tables, and all that is done as that role: **this is the one place that
//! acts as somebody other than the caller** (`docs/security.md` lists who calls it, and for what).
//!
//! What is done as the owner must not run what somebody else wrote. Reading runs the code of nobody else:
//! only the owner of a table can put rules, policies, generated columns or indexes on it. Writing fires
//! triggers, and the right to make one can be granted: `require_own_code` looks before.

use super::error::AccessError;
use super::level::{self, Level, SCHEMA};
use crate::error::Error;
use crate::installed::NotInstalled;
use crate::pg::local_settings::LocalSettings;
use crate::pg::relation;
use crate::pg::rights::{self, Of, Wanted};
use crate::pg::role::{self, ActAs};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::ffi::CString;

/// The owner of Kepler's tables.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    role: pg_sys::Oid,
}

impl Owner {
    /// Fails before `install()`. Look-ups in Postgres' caches; nothing is read.
    pub(crate) fn find() -> Result<Self, Error> {
        let workspaces = relation::named(c"kepler", c"workspaces").ok_or(NotInstalled)?;
        let role = relation::owner(workspaces);
        if role == pg_sys::InvalidOid {
            return Err(NotInstalled.into());
        }
        Ok(Self { role })
    }

    /// A role that is about to own them, or was found to.
    pub(crate) fn of(role: pg_sys::Oid) -> Self {
        Self { role }
    }

    pub(crate) fn role(self) -> pg_sys::Oid {
        self.role
    }

    pub(crate) fn name(self) -> String {
        role::name(self.role)
    }

    /// Whether the caller has the owner's rights anyway: it is the owner, a member that inherits, or a
    /// superuser.
    pub(crate) fn is_caller(self) -> bool {
        role::may_act_as(self.role)
    }

    /// For what only the owner may do.
    pub(crate) fn require_caller(self, what: &'static str) -> Result<(), AccessError> {
        if self.is_caller() {
            return Ok(());
        }
        Err(AccessError::NotTheOwner { what, owner: self.name() })
    }

    /// Acts as the owner as long as the result lives: for statements of ours on relations that the owner
    /// owns, which run no code of others.
    pub(crate) fn act(self) -> ActAs {
        ActAs::role(self.role)
    }

    /// The same for a caller who has the owner's rights anyway, a superuser perhaps: what is done then is
    /// done with fewer rights. Others go on as themselves, and Postgres checks what they may.
    ///
    /// `tables` are those that are written to, with the triggers that `install()` made on them.
    pub(crate) fn act_for_administrator(
        self,
        client: &mut SpiClient<'_>,
        tables: &[OwnTable],
    ) -> Result<Option<ActAs>, Error> {
        if !self.is_caller() {
            return Ok(None);
        }
        self.require_own_code(client, tables)?;
        Ok(Some(self.act()))
    }

    /// For making tables: what a caller without the owner's rights has set as the default tablespace does not hold, as
    /// Postgres would ask whether the owner may use it.
    pub(crate) fn own_tablespace(self) -> Option<LocalSettings> {
        let is_foreign = !self.is_caller();
        is_foreign.then(|| LocalSettings::set(&[(c"default_tablespace", c"")]))
    }

    /// Refuses event triggers that would run what neither a superuser nor the owner wrote, with the rights of the owner:
    /// for DDL that a role with fewer rights asks for.
    pub(crate) fn require_own_event_triggers(
        self,
        client: &mut SpiClient<'_>,
    ) -> Result<(), Error> {
        let foreign = client
            .update(
                "SELECT e.evtname::text, pg_catalog.pg_get_userbyid(o.oid)::text
                 FROM pg_catalog.pg_event_trigger AS e
                 JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
                 JOIN pg_catalog.pg_roles AS o ON o.oid IN (e.evtowner, p.proowner)
                 WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login' AND NOT o.rolsuper AND o.oid <> $1
                 ORDER BY 1, 2 LIMIT 1",
                None,
                &[self.role.into()],
            )?
            .next()
            .map(|row| Ok::<_, Error>((row[1].value::<String>()?, row[2].value::<String>()?)))
            .transpose()?;
        if let Some((Some(name), Some(of))) = foreign {
            return Err(AccessError::ForeignEventTrigger { name, of, owner: self.name() }.into());
        }
        Ok(())
    }

    /// Refuses tables that are not plain ones of the owner, or that run code of others when they are
    /// written to: a rule, or a trigger that `install()` did not make. Names of triggers are enough: who
    /// may make one can neither drop nor replace one that is there.
    pub(crate) fn require_own_code(
        self,
        client: &mut SpiClient<'_>,
        tables: &[OwnTable],
    ) -> Result<(), Error> {
        for table in tables {
            let qualified = format!("{SCHEMA}.{}", table.name);
            let plain = client
                .update(
                    "SELECT c.relkind = 'r' AND NOT c.relhassubclass AND c.relowner = $3
                     FROM pg_catalog.pg_class AS c
                     WHERE c.relname = $1 AND c.relnamespace = pg_catalog.to_regnamespace($2)",
                    None,
                    &[table.name.into(), SCHEMA.into(), self.role.into()],
                )?
                .next()
                .map(|row| row[1].value::<bool>())
                .transpose()?
                .flatten();
            match plain {
                None => continue,
                Some(true) => {}
                Some(false) => {
                    let owner = self.name();
                    return Err(AccessError::NotPlain { table: qualified, owner }.into());
                }
            }
            let own: Vec<&str> = table.triggers.to_vec();
            let foreign = client
                .update(
                    "SELECT t.kind, t.name FROM (
                         SELECT 'trigger', g.tgname::text FROM pg_catalog.pg_trigger AS g
                         WHERE g.tgrelid = $1::pg_catalog.regclass AND NOT g.tgisinternal
                             AND g.tgname::text <> ALL ($2)
                             AND g.tgfoid NOT IN (
                                 'kepler_internal.tell_feed()'::pg_catalog.regprocedure,
                                 'kepler_internal.tell_history()'::pg_catalog.regprocedure)
                         UNION ALL
                         SELECT 'rule', r.rulename::text FROM pg_catalog.pg_rewrite AS r
                         WHERE r.ev_class = $1::pg_catalog.regclass
                     ) AS t (kind, name) ORDER BY 1, 2 LIMIT 1",
                    None,
                    &[qualified.as_str().into(), own.into()],
                )?
                .next()
                .map(|row| Ok::<_, Error>((row[1].value::<String>()?, row[2].value::<String>()?)))
                .transpose()?;
            if let Some((Some(kind), Some(name))) = foreign {
                return Err(AccessError::ForeignCode { kind, name, table: qualified }.into());
            }
        }
        Ok(())
    }
}

/// Checks that the caller has a right on all of one of Kepler's tables.
pub(crate) fn require_right(table: &str, right: u32) -> Result<(), Error> {
    let name = CString::new(table).unwrap_or_default();
    let relation = relation::named(c"kepler", &name).ok_or(NotInstalled)?;
    if role::may(right, relation) {
        return Ok(());
    }
    Err(missing(table, relation, right, Of::Table))
}

/// The same for a right that is given on some of the columns.
pub(crate) fn require_right_in_part(table: &str, right: u32) -> Result<(), Error> {
    let name = CString::new(table).unwrap_or_default();
    let relation = relation::named(c"kepler", &name).ok_or(NotInstalled)?;
    if role::may_in_part(right, relation) {
        Ok(())
    } else {
        Err(missing(table, relation, right, Of::SomeColumn))
    }
}

fn missing(table: &str, relation: pg_sys::Oid, right: u32, of: Of<'_>) -> Error {
    // In this workspace alone?
    let (user, rights) = (role::current(), right.into());
    if let Err(error) = rights::check(&Wanted { user, relation, rights, of }) {
        return error;
    }
    let rights = role::rights(right.into());
    let level = level::lowest(SCHEMA, table, &rights).map_or("admin", Level::name);
    let role = role::name(role::current());
    AccessError::NoRight { table: table.to_owned(), role, level }.into()
}

/// A table that is written to as the owner, and the triggers that `install()` made on it.
pub(crate) struct OwnTable {
    pub(crate) name: &'static str,
    pub(crate) triggers: &'static [&'static str],
}

const TOUCHED: &[&str] = &["touch_updated_at", "keep_workspace"];
/// The tables of which sessions remember rows.
const ANNOUNCED: &[&str] =
    &["touch_updated_at", "keep_workspace", "announce", "announce_change", "announce_truncated"];
/// The same of the lists of levels, of which other nodes of a cluster are told.
const LISTED: &[&str] = &[
    "touch_updated_at",
    "keep_workspace",
    "announce",
    "announce_truncated",
    "tell_nodes",
    "tell_nodes_truncated",
];
/// The same of one that all workspaces share.
const SHARED: &[&str] = &["touch_updated_at", "guard_shared", "announce", "announce_truncated"];

/// The lists of entry tables.
pub(crate) const ENTRY_TABLES: &[OwnTable] = &[
    OwnTable {
        name: "entry_tables",
        triggers: &["touch_updated_at", "keep_workspace", "announce", "announce_truncated"],
    },
    OwnTable {
        name: "structures",
        triggers: &["touch_updated_at", "keep_workspace", "announce", "announce_truncated"],
    },
    OwnTable { name: "hidden_fields", triggers: TOUCHED },
];

/// The list of workspaces.
pub(crate) const WORKSPACES: &[OwnTable] = &[OwnTable { name: "workspaces", triggers: ANNOUNCED }];

/// The list of embedding spaces, and which one a workspace searches.
pub(crate) const EMBEDDING_SPACES: &[OwnTable] = &[
    OwnTable { name: "embedding_spaces", triggers: SHARED },
    OwnTable { name: "workspaces", triggers: ANNOUNCED },
];

/// The list of tracked tables.
pub(crate) const TRACKED_TABLES: &[OwnTable] =
    &[OwnTable { name: "tracked_tables", triggers: TOUCHED }];

/// The list of retention policies.
pub(crate) const RETENTION_POLICIES: &[OwnTable] =
    &[OwnTable { name: "retention_policies", triggers: &["keep_workspace"] }];

/// Who has which level of access.
pub(crate) const ACCESS_LEVELS: &[OwnTable] = &[
    OwnTable { name: "access_levels", triggers: LISTED },
    OwnTable { name: "workspace_members", triggers: LISTED },
];

/// The lists of blueprints.
pub(crate) const BLUEPRINTS: &[OwnTable] = &[
    OwnTable { name: "blueprints", triggers: &["touch_updated_at"] },
    OwnTable { name: "blueprint_versions", triggers: &["announce", "announce_truncated"] },
    OwnTable { name: "blueprint_tables", triggers: &[] },
    OwnTable { name: "blueprint_enums", triggers: &[] },
];

/// What `install()` writes to itself, and what must not have been replaced before it runs a step.
pub(crate) const INSTALLED: &[OwnTable] = &[
    OwnTable { name: "schema_versions", triggers: &[] },
    OwnTable { name: "access_levels", triggers: LISTED },
    OwnTable { name: "workspace_members", triggers: LISTED },
    OwnTable { name: "workspaces", triggers: ANNOUNCED },
];

/// Acts as the owner of a part of a table (a partition, or a child), to read rows that the caller may read
/// through the whole. Only `memory::vectors` does, which sees to it that no code of others can run.
pub(crate) fn act_as_owner_of_part(role: pg_sys::Oid) -> ActAs {
    ActAs::role(role)
}

/// Acts as the owner of a table, to delete rows of it: for a caller who has that role's rights anyway and is another one, a
/// superuser perhaps. The triggers of the table run then with the rights of its owner, and with no more. Only `retention` does,
/// which lets no trigger wait for the end of the transaction.
pub(crate) fn act_as_owner_of_table(role: pg_sys::Oid) -> Option<ActAs> {
    (role::may_act_as(role) && role::current() != role).then(|| ActAs::role(role))
}
