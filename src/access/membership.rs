//! In which workspaces a role may work, and with which levels of access: `kepler.access_levels` and
//! `kepler.workspace_members`, as they are at this moment.
//!
//! A session remembers it until one of the two tables is written to, or anything about a role changes. Membership is
//! inherited as privileges are. It is read past SQL (`pg::direct`): whoever asks needs no right, and runs no code.

use super::level::{Level, Levels};
use crate::pg::cluster::part;
use crate::pg::direct::Direct;
use crate::pg::relation::{self, MadeOf};
use crate::pg::{role, standpoint, undone};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::rc::Rc;

/// A session remembers so many roles.
const MAX_KNOWN: usize = 1_024;

/// Where a role may work.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Wherever it is told to: it has the rights of the owner of Kepler's tables, or there are none yet.
    Anywhere,
    /// It has no level, but perhaps rights that were granted by hand.
    NoLevel,
    /// It was given levels in single workspaces, and none is left, or its rows are gone: it has rights on tables, and works
    /// nowhere.
    Nowhere,
    Member(Member),
}

/// A role with levels.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// Its levels in all workspaces.
    pub(crate) everywhere: Levels,
    /// Its levels in some, beside those.
    pub(crate) by_workspace: BTreeMap<String, Levels>,
}

impl Member {
    /// Its levels in a workspace; none where it is no member.
    pub(crate) fn levels_in(&self, workspace_id: &str) -> Levels {
        self.everywhere.and(self.by_workspace.get(workspace_id).copied().unwrap_or_default())
    }

    /// All levels that it has anywhere: its rights on tables are theirs.
    pub(crate) fn union(&self) -> Levels {
        self.by_workspace.values().fold(self.everywhere, |all, some| all.and(*some))
    }

    /// Whether its rights differ by workspace, among those that it may work in.
    pub(crate) fn varies(&self) -> bool {
        let union = self.union();
        if self.everywhere.is_empty() {
            self.by_workspace.values().any(|some| *some != union)
        } else {
            self.everywhere != union
        }
    }
}

/// What is known of a role, and as long as what it holds.
struct Known {
    /// Without the tables: as long as nothing about any table has changed.
    made_of: Option<MadeOf>,
    at: u64,
    roles: u64,
    moment: u64,
    standing: Rc<Standing>,
}

thread_local! {
    /// By role, and by the part of a cluster that the session works in.
    static KNOWN: RefCell<HashMap<(pg_sys::Oid, u32), Known>> = RefCell::default();
}

/// Where a role might work when it was last asked. Looks nothing up.
pub(super) fn known(user: pg_sys::Oid) -> Option<Rc<Standing>> {
    let key = (user, part::current());
    KNOWN.with_borrow(|known| known.get(&key).map(|found| Rc::clone(&found.standing)))
}

/// Where a role may work. No more than a few comparisons where nothing has changed.
pub(crate) fn standing(user: pg_sys::Oid) -> Rc<Standing> {
    // Before the look-up takes its snapshot: what is committed after it is heard of after it.
    let (at, roles) = (relation::generation(), role::generation());
    let key = (user, part::current());
    let known = KNOWN.with_borrow(|known| {
        let found = known.get(&key)?;
        let holds = found.roles == roles
            && undone::holds(found.moment)
            && found.made_of.as_ref().map_or(found.at == at, MadeOf::was_current);
        holds.then(|| Rc::clone(&found.standing))
    });
    if let Some(standing) = known {
        return standing;
    }
    let moment = undone::moment();
    let tables = Tables::find();
    let standing = Rc::new(tables.as_ref().map_or(Standing::Anywhere, |tables| tables.ask(user)));
    let made_of = match &tables {
        None => None,
        Some(tables) if tables.tell_sessions() => Some(MadeOf::tables(tables.all(), at)),
        Some(_) => {
            standpoint::leave();
            return standing;
        }
    };
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        let standing = Rc::clone(&standing);
        known.insert(key, Known { made_of, at, roles, moment, standing });
    });
    standing
}

/// What is read.
struct Tables {
    owner: pg_sys::Oid,
    workspaces: pg_sys::Oid,
    levels: pg_sys::Oid,
    members: pg_sys::Oid,
}

const NO_TABLE: pg_sys::Oid = pg_sys::InvalidOid;

impl Tables {
    /// None before `install()`.
    fn find() -> Option<Self> {
        let workspaces = relation::named(c"kepler", c"workspaces")?;
        let owner = relation::owner(workspaces);
        if owner == pg_sys::InvalidOid {
            return None;
        }
        // One of somebody else's says nothing.
        let own = |name: &CStr| {
            relation::named(c"kepler", name)
                .filter(|table| relation::owner(*table) == owner)
                .unwrap_or(NO_TABLE)
        };
        let (levels, members) = (own(c"access_levels"), own(c"workspace_members"));
        Some(Self { owner, workspaces, levels, members })
    }

    fn all(&self) -> Vec<pg_sys::Oid> {
        vec![self.workspaces, self.levels, self.members]
    }

    fn tell_sessions(&self) -> bool {
        [self.levels, self.members].iter().all(|table| relation::tells_sessions(*table))
    }

    fn ask(&self, user: pg_sys::Oid) -> Standing {
        if role::has_privileges_of(user, self.owner) {
            return Standing::Anywhere;
        }
        let mut member = Member::default();
        let roles = role::with_privileges_of(user);
        for role in roles.iter().copied() {
            for row in granted(&EVERYWHERE, self.levels, role) {
                if let [level] = row.as_slice() {
                    member.everywhere = member.everywhere.and(level_of(level));
                }
            }
            for row in granted(&BY_WORKSPACE, self.members, role) {
                if let [level, Some(workspace)] = row.as_slice() {
                    let levels = member.by_workspace.entry(workspace.clone()).or_default();
                    *levels = levels.and(level_of(level));
                }
            }
        }
        if !member.union().is_empty() {
            return Standing::Member(member);
        }
        let mut marked =
            role::granted_column(pg_sys::ACL_SELECT, self.members, GRANTED_TO).into_iter();
        if self.members != NO_TABLE && marked.any(|role| roles.contains(&role)) {
            return Standing::Nowhere;
        }
        Standing::NoLevel
    }
}

fn level_of(name: &Option<String>) -> Levels {
    name.as_deref().and_then(Level::from_name).map_or_else(Levels::default, Levels::one)
}

/// How the rows of a role are found: by which role it was when its level was granted, and by name.
struct Found {
    by_identity: Direct,
    by_name: Direct,
    columns: &'static [&'static CStr],
}

static EVERYWHERE: Found = Found {
    by_identity: Direct {
        table: c"access_levels",
        index: c"access_levels_granted_to_idx",
        key: GRANTED_TO,
    },
    by_name: Direct { table: c"access_levels", index: c"access_levels_pkey", key: c"role_name" },
    columns: &[c"level"],
};

static BY_WORKSPACE: Found = Found {
    by_identity: Direct {
        table: c"workspace_members",
        index: c"workspace_members_granted_to_idx",
        key: GRANTED_TO,
    },
    by_name: Direct {
        table: c"workspace_members",
        index: c"workspace_members_role_name_idx",
        key: c"role_name",
    },
    columns: &[c"level", c"workspace_id"],
};

const GRANTED_TO: &CStr = c"granted_to";

/// The rows of a role. In the cluster that they were written in, it is the role that was meant, whatever it is called
/// now. In a copy of the database in another cluster numbers of roles mean nothing: there it is the role of that name,
/// if it has the right that every level has.
fn granted(found: &Found, table: pg_sys::Oid, role: pg_sys::Oid) -> Vec<Vec<Option<String>>> {
    if table == NO_TABLE {
        return Vec::new();
    }
    let identity = role::identity(role);
    let mut rows = found.by_identity.find(&identity, found.columns);
    if role::is_granted(pg_sys::ACL_SELECT, table, role) {
        let columns: Vec<_> = found.columns.iter().copied().chain([GRANTED_TO]).collect();
        let named = found.by_name.find(&role::name(role), &columns);
        rows.extend(named.into_iter().filter_map(|mut row| {
            let granted_to = row.pop()?;
            role::is_of_another_cluster(granted_to.as_deref()).then_some(row)
        }));
    }
    rows
}
