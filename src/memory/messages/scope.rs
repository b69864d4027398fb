//! Which messages a search is about, as SQL over `kepler.messages` under the alias `m`.

use crate::error::Error;
use crate::ident::quote_literal;
use crate::memory::embedded::Embedded;
use crate::memory::nearest::{Keys, SpaceRows};
use crate::memory::scope::{Conditions, User, meet};
use crate::pg::query::Parameters;
use xxhash_rust::xxh3::xxh3_64;

/// What the caller asked for. What is None restricts nothing.
pub(crate) struct Scope {
    pub(crate) workspace_id: String,
    /// Whose conversations.
    pub(crate) user: User,
    pub(crate) conversation_id: Option<String>,
    pub(crate) kinds: Option<Vec<String>>,
    /// Each is one of `kepler.message_role`.
    pub(crate) roles: Option<Vec<String>>,
    /// The JSON text of a filter over metadata.
    pub(crate) filter: Option<String>,
    /// From this time on, and before that one; microseconds.
    pub(crate) sent_from: Option<i64>,
    pub(crate) sent_before: Option<i64>,
}

const MESSAGES: &str = "kepler.messages AS m";
/// In parentheses it can be joined to the embeddings as one table can.
const WITH_CONVERSATIONS: &str = "(kepler.messages AS m JOIN kepler.conversations AS c \
     ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id)";

/// The conversation of one message, by its primary key.
const ITS_CONVERSATION: &str = "CROSS JOIN LATERAL (SELECT y.* FROM kepler.conversations AS y \
     WHERE y.workspace_id = m.workspace_id AND y.id = m.conversation_id LIMIT 1) AS c";

impl Scope {
    /// All messages of a workspace.
    pub(crate) fn everything(workspace_id: &str) -> Self {
        Self {
            workspace_id: workspace_id.to_owned(),
            user: User::Any,
            conversation_id: None,
            kinds: None,
            roles: None,
            filter: None,
            sent_from: None,
            sent_before: None,
        }
    }

    /// The conditions, with their values added to the parameters. Fails where the filter is not valid.
    pub(crate) fn conditions(&self, parameters: &mut Parameters) -> Result<Conditions, Error> {
        let workspace = parameters.text(&self.workspace_id);
        let mut all = format!("m.workspace_id = {workspace}");
        match &self.user {
            User::Any => (),
            User::Nobody => all.push_str(" AND c.user_id IS NULL"),
            User::Id(id) => all.push_str(&format!(" AND c.user_id = {}", parameters.text(id))),
        }
        let mut narrow = Vec::new();
        if let Some(id) = &self.conversation_id {
            let of_conversation = format!("m.conversation_id = {}", parameters.text(id));
            all.push_str(&format!(" AND {of_conversation}"));
            narrow.push(Keys {
                sql: format!("m.workspace_id = {workspace} AND {of_conversation}"),
                hash: xxh3_64(format!("{:?}", (&self.workspace_id, id)).as_bytes()),
            });
        }
        if let Some(kinds) = &self.kinds {
            let kinds = parameters.texts(kinds.iter().map(String::as_str));
            all.push_str(&format!(" AND c.kind = ANY ({kinds})"));
        }
        if let Some(from) = self.sent_from {
            all.push_str(&format!(" AND m.sent_at >= {}", parameters.time(from)));
        }
        if let Some(before) = self.sent_before {
            all.push_str(&format!(" AND m.sent_at < {}", parameters.time(before)));
        }
        if let Some(roles) = &self.roles {
            // As a constant: the planner knows how many there are, and the index of system messages serves.
            let roles = quote_literal(&format!("{{{}}}", roles.join(",")));
            all.push_str(&format!(" AND m.role = ANY ({roles}::kepler.message_role[])"));
        }
        let mut probe = None;
        if let Some(filter) = &self.filter {
            probe = meet(filter, &self.workspace_id, parameters, &mut all)?;
        }
        let of_conversation = !matches!(self.user, User::Any) || self.kinds.is_some();
        let keys = Keys {
            sql: format!("e.workspace_id = {workspace}"),
            hash: xxh3_64(self.workspace_id.as_bytes()),
        };
        let hash = self.hash();
        let is_whole = hash == Self::everything(&self.workspace_id).hash();
        let rows = SpaceRows {
            embedded: Embedded::Messages,
            workspace,
            from: if of_conversation { WITH_CONVERSATIONS } else { MESSAGES },
            of_row: if of_conversation { ITS_CONVERSATION } else { "" },
            conditions: all,
            is_filtered: !is_whole,
            probe,
            namespaces: None,
        };
        Ok(Conditions { keys, rows, narrow, hash, is_whole, sees_all: true })
    }

    fn hash(&self) -> u64 {
        let user = match &self.user {
            User::Any => None,
            User::Nobody => Some(None),
            User::Id(id) => Some(Some(id)),
        };
        let times = (self.sent_from, self.sent_before);
        let conversations = (user, &self.conversation_id, &self.kinds);
        let all = (&self.workspace_id, conversations, &self.roles, &self.filter, times);
        xxh3_64(format!("{all:?}").as_bytes())
    }
}
