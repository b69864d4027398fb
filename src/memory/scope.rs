//! Which memories a search is about, as SQL: over `kepler.memories` under the alias `m`, and over a
//! space's table, which has the columns that say whose memory it is, under the alias `e`.

use super::access::Reader;
use super::embedded::Embedded;
use super::nearest::{Keys, Probe, RowsOf, SpaceRows, Target};
use super::place;
use crate::error::Error;
use crate::filter::{self, Operand};
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use xxhash_rust::xxh3::xxh3_64;

/// What the caller asked for.
pub(crate) struct Scope {
    pub(crate) workspace_id: String,
    pub(crate) user: User,
    /// The namespace whose memories count, and all that is below it; empty: all.
    pub(crate) namespace: String,
    pub(crate) context_types: Option<Vec<String>>,
    /// The JSON text of a filter over metadata.
    pub(crate) filter: Option<String>,
    /// What holds at this time; microseconds.
    pub(crate) at: i64,
}

/// Whose memories.
pub(crate) enum User {
    /// Everybody's in the workspace.
    Any,
    /// Those of the workspace itself.
    Nobody,
    Id(String),
}

impl User {
    /// `*` is everybody. A NULL, which may be a mistake of the caller's, must not be.
    pub(crate) fn from_argument(user_id: Option<String>) -> Self {
        match user_id {
            None => User::Nobody,
            Some(id) if id == "*" => User::Any,
            Some(id) => User::Id(id),
        }
    }
}

/// A scope as SQL.
pub(crate) struct Conditions {
    pub(crate) keys: Keys,
    pub(crate) rows: SpaceRows,
    /// Conditions that an index leads to, over the rows themselves, each of which few may meet.
    pub(crate) narrow: Vec<Keys>,
    /// Tells all of it from other scopes.
    pub(crate) hash: u64,
    /// Whether all rows of the workspace count, but for those whose time is not now.
    pub(crate) is_whole: bool,
    /// Whether looking for words may cost what rows of other workspaces cost: else its time would tell of them.
    pub(crate) sees_all: bool,
}

impl Conditions {
    /// The same for a reader.
    pub(super) fn of(mut self, reader: &Reader) -> Self {
        self.sees_all = reader.sees_all;
        self
    }

    /// The vectors of a space that it is about.
    pub(crate) fn target(&self) -> Target<'_> {
        Target { keys: &self.keys, rows: RowsOf::Space(&self.rows), hash: self.hash }
    }
}

impl Scope {
    fn keys_hash(&self) -> u64 {
        let user = match &self.user {
            User::Any => None,
            User::Nobody => Some(None),
            User::Id(id) => Some(Some(id)),
        };
        xxh3_64(format!("{:?}", (&self.workspace_id, user, &self.context_types)).as_bytes())
    }

    /// The conditions, with their values added to the parameters. Fails where the filter is not valid.
    pub(crate) fn conditions(&self, parameters: &mut Parameters) -> Result<Conditions, Error> {
        let workspace = parameters.text(&self.workspace_id);
        let user = match &self.user {
            User::Any => None,
            User::Nobody => Some("IS NULL".to_owned()),
            User::Id(id) => Some(format!("= {}", parameters.text(id))),
        };
        let types = self
            .context_types
            .as_ref()
            .map(|types| parameters.texts(types.iter().map(String::as_str)));
        let keys = |alias: &str| {
            let mut keys = format!("{alias}.workspace_id = {workspace}");
            if let Some(user) = &user {
                keys.push_str(&format!(" AND {alias}.user_id {user}"));
            }
            if let Some(types) = &types {
                keys.push_str(&format!(" AND {alias}.context_type = ANY ({types})"));
            }
            keys
        };
        let (keys, memories) = (keys("e"), keys("m"));
        let mut narrow = Vec::new();
        let mut namespaces = None;
        let keys_hash = self.keys_hash();
        if !self.namespace.is_empty() {
            let (from, to) = place::range(&self.namespace);
            let (from, to) = (parameters.text(&from), parameters.text(&to));
            let of = |alias: &str| {
                format!(
                    "{alias}.workspace_id = {workspace} AND {alias}.namespace <> '' \
                     AND ({alias}.namespace || '/') >= {from} AND ({alias}.namespace || '/') < {to}"
                )
            };
            let hash = xxh3_64(format!("{:?}", (&self.workspace_id, &self.namespace)).as_bytes());
            narrow.push(Keys { sql: of("m"), hash });
            namespaces = Some(Keys { sql: of("x"), hash });
        }
        if user.is_some() {
            narrow.push(Keys { sql: memories.clone(), hash: keys_hash });
        }
        let at = parameters.time(self.at);
        let mut all = format!(
            "{memories} AND m.valid_from <= {at} AND (m.valid_to IS NULL OR m.valid_to > {at}) \
             AND (m.expires_at IS NULL OR m.expires_at > {at})"
        );
        if let Some(Keys { sql, .. }) = narrow.first().filter(|_| namespaces.is_some()) {
            all.push_str(&format!(" AND {sql}"));
        }
        let mut probe = None;
        if let Some(filter) = &self.filter {
            probe = meet(filter, &self.workspace_id, parameters, &mut all)?;
        }
        let filter_hash = self.filter.as_ref().map_or(0, |filter| xxh3_64(filter.as_bytes()));
        let hash = keys_hash ^ filter_hash ^ namespaces.as_ref().map_or(0, |keys| keys.hash);
        let rows = SpaceRows {
            embedded: Embedded::Memories,
            workspace,
            from: "kepler.memories AS m",
            of_row: "",
            conditions: all,
            is_filtered: self.filter.is_some() || namespaces.is_some(),
            probe,
            namespaces,
        };
        let is_whole = narrow.is_empty() && types.is_none() && self.filter.is_none();
        Ok(Conditions {
            keys: Keys { sql: keys, hash: keys_hash },
            rows,
            narrow,
            hash,
            is_whole,
            sees_all: true,
        })
    }
}

/// Adds what a filter over `metadata` asks of a row `m` to its conditions, with the values, and gives what of it the index on the
/// metadata can look for. Fails where the filter is not valid.
pub(super) fn meet(
    filter: &str,
    workspace_id: &str,
    parameters: &mut Parameters,
    conditions: &mut String,
) -> Result<Option<Probe>, Error> {
    let compiled = filter::compile(filter, "m.metadata", parameters.count() + 1)?;
    for value in &compiled.parameters {
        match value {
            Operand::Path(path) => parameters.jsonpath(path),
            Operand::Document { stored, .. } => parameters.stored(pg_sys::JSONBOID, stored),
        };
    }
    conditions.push_str(&format!(" AND {}", compiled.sql));
    let probe = compiled.path_below(workspace_id).map(|path| {
        let name = parameters.jsonpath(&path);
        // The expression that the index is over.
        let condition = format!(
            "pg_catalog.jsonb_set('{{}}'::pg_catalog.jsonb, ARRAY[x.workspace_id], x.metadata, true) \
             OPERATOR(pg_catalog.@?) {name}::pg_catalog.jsonpath"
        );
        Probe { condition, path }
    });
    Ok(probe)
}
