//! Which memories a search is about, as SQL: over `kepler.memories` under the alias `m`, and over a
//! space's table, which has the columns that say whose memory it is, under the alias `e`.

use crate::error::Error;
use crate::filter;
use crate::pg::query::Parameters;
use xxhash_rust::xxh3::xxh3_64;

/// What the caller asked for.
pub(crate) struct Scope {
    pub(crate) workspace_id: String,
    pub(crate) user: User,
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

/// The scope as conditions.
pub(crate) struct Conditions {
    /// The table that they are about, as `m`, with what it is joined to.
    pub(crate) from: &'static str,
    /// What a row of the table, as `m`, is joined to.
    pub(crate) of_row: &'static str,
    /// The parameter of the workspace.
    pub(crate) workspace: String,
    /// On the columns of the space's table.
    pub(crate) keys: String,
    /// What tells these keys, and all of them, from others.
    pub(crate) keys_hash: u64,
    pub(crate) scope_hash: u64,
    /// All of them, on that table.
    pub(crate) all: String,
    /// Whether there is a filter among them.
    pub(crate) is_filtered: bool,
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
        let at = parameters.time(self.at);
        let mut all = format!(
            "{memories} AND m.valid_from <= {at} AND (m.valid_to IS NULL OR m.valid_to > {at}) \
             AND (m.expires_at IS NULL OR m.expires_at > {at})"
        );
        if let Some(filter) = &self.filter {
            let compiled = filter::compile(filter, "m.metadata", parameters.count() + 1)?;
            for value in &compiled.parameters {
                parameters.text(value);
            }
            all.push_str(&format!(" AND {}", compiled.sql));
        }
        let is_filtered = self.filter.is_some();
        let keys_hash = self.keys_hash();
        let scope_hash = match &self.filter {
            Some(filter) => keys_hash ^ xxh3_64(filter.as_bytes()),
            None => keys_hash,
        };
        let from = "kepler.memories AS m";
        Ok(Conditions {
            from,
            of_row: "",
            workspace,
            keys,
            keys_hash,
            scope_hash,
            all,
            is_filtered,
        })
    }
}
