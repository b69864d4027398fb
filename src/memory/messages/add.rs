//! Adds messages to a conversation, in their order.
//!
//! Whoever adds holds the row of the conversation to the end of the transaction: numbers are in the order of commits.
//! What is sent again is found by its external id. What a constraint or trigger of somebody's refuses is found out
//! and rejected by itself, and takes no number.

use super::decode::NewMessage;
use crate::access::owner::require_right;
use crate::answer::{Answer, Code, Outcome, Rejection, Violation};
use crate::error::Error;
use crate::memory::embedded::{Present, insert_embeddings};
use crate::memory::error::MemoryError;
use crate::memory::named::{unknown_languages, unknown_users};
use crate::memory::set_embeddings;
use crate::memory::space::Space;
use crate::pg::array::{self, Array, ElementType};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

/// So many messages are written by one statement, and about so many bytes.
const CHUNK_ROWS: usize = 1_000;
const CHUNK_BYTES: usize = 4 << 20;

/// What names a message in its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    pub(crate) message_id: Option<i64>,
    pub(crate) number: Option<i32>,
}

/// A message that has an external id.
struct Known {
    id: i64,
    number: i32,
    role: String,
    content: String,
    /// Whether this call has added it.
    is_new: bool,
}

thread_local! {
    static LOCK: Statement = const { Statement::new(
        c"SELECT c.last_number, c.user_id FROM kepler.conversations AS c
          WHERE c.workspace_id = $1 AND c.id = $2 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    pub(super) static REQUIRED: Statement = const { Statement::new(
        c"SELECT kepler_internal.require_conversation($1, $2)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    // Direct SQL may have brought numbers of its own.
    static LAST: Statement = const { Statement::new(
        c"SELECT m.number FROM kepler.messages AS m
          WHERE m.workspace_id = $1 AND m.conversation_id = $2 ORDER BY m.number DESC LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static KNOWN: Statement = const { Statement::new(
        c"SELECT m.external_id, m.id, m.number, m.role::text, m.content
          FROM (SELECT pg_catalog.unnest($3) AS external_id) AS n
          CROSS JOIN LATERAL (
              SELECT x.external_id, x.id, x.number, x.role, x.content FROM kepler.messages AS x
              WHERE x.workspace_id = $1 AND x.conversation_id = $2 AND x.external_id = n.external_id
              LIMIT 1) AS m",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static INSERT: Statement = const { Statement::new(
        c"INSERT INTO kepler.messages AS m (
              workspace_id, conversation_id, number, role, content, user_id, token_count, external_id,
              metadata, sent_at, created_at, updated_at, language)
          SELECT $1, $2, n.number, n.role::kepler.message_role, n.content, n.user_id, n.token_count,
              n.external_id, COALESCE(n.metadata, '{}'), COALESCE(n.sent_at, $3), $3, $3,
              n.language
          FROM (SELECT pg_catalog.unnest($4) AS number, pg_catalog.unnest($5) AS role,
                       pg_catalog.unnest($6) AS content, pg_catalog.unnest($7) AS user_id,
                       pg_catalog.unnest($8) AS token_count, pg_catalog.unnest($9) AS external_id,
                       pg_catalog.unnest($10) AS metadata, pg_catalog.unnest($11) AS sent_at,
                       pg_catalog.unnest($13) AS language) AS n
          RETURNING m.id, m.number, CASE WHEN $12 THEN m.content END",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::INT4ARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::INT4ARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::JSONBARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
            pg_sys::BOOLOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
    static NOTE: Statement = const { Statement::new(
        c"UPDATE kepler.conversations AS c
          SET last_number = $3, last_message_at = $4, updated_at = $4
          WHERE c.workspace_id = $1 AND c.id = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID, pg_sys::TIMESTAMPTZOID],
    ) };
}

/// Messages on their way into a conversation.
struct Adding<'a> {
    workspace: Text,
    conversation: Text,
    space: Option<&'a Space>,
    /// Whose the conversation is.
    owner: Option<String>,
    /// The last number that is given out.
    last: i32,
    now: i64,
    /// Those that are there, and those that this call has added, by their external ids.
    known: HashMap<String, Known>,
    messages: Vec<Option<NewMessage>>,
    answers: Vec<Answer<Ids>>,
    /// Whether the elements that the database refuses are answered; else its error ends the call.
    skip: bool,
}

/// Adds the messages of a batch, and answers for each element. `skip`: also where the database refuses one.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    (workspace_id, conversation_id): (&str, &str),
    space: Option<&Space>,
    elements: Vec<Result<NewMessage, Rejection>>,
    skip: bool,
) -> Result<Vec<Answer<Ids>>, Error> {
    let (workspace, conversation) = (Text::new(workspace_id), Text::new(conversation_id));
    let place = [Some(workspace.datum()), Some(conversation.datum())];
    let locked = {
        let rows = LOCK.with(|statement| statement.run(client, &place));
        let row = rows.iter::<2>().next();
        row.map(|row| (row.integer(0).unwrap_or(0), row.text(1).map(str::to_owned)))
    };
    let Some((last, owner)) = locked else {
        let names = [Some(conversation.datum()), Some(workspace.datum())];
        REQUIRED.with(|statement| statement.run(client, &names));
        // It is there, and must not be changed.
        require_right("conversations", pg_sys::ACL_UPDATE)?;
        return Err(MemoryError::NotAdded.into());
    };
    // Behind the lock, so that times are in the order of numbers.
    let now = now();
    let last = {
        let rows = LAST.with(|statement| statement.run(client, &place));
        let highest = rows.iter::<1>().next().and_then(|row| row.integer(0));
        last.max(highest.unwrap_or(0))
    };
    let mut answers = Vec::with_capacity(elements.len());
    let mut messages = Vec::with_capacity(elements.len());
    for element in elements {
        match element {
            Ok(message) => {
                messages.push(Some(message));
                answers.push(Answer::new(Ids::default(), Outcome::Inserted));
            }
            Err(rejection) => {
                messages.push(None);
                answers.push(Answer::rejected(Ids::default(), rejection));
            }
        }
    }
    let known = HashMap::new();
    let mut adding =
        Adding { workspace, conversation, space, owner, last, now, known, messages, answers, skip };
    adding.reject_unknown_users(client);
    adding.reject_unknown_languages(client, workspace_id)?;
    adding.find_known(client);
    adding.add_all(client)?;
    if adding.last > last {
        let parameters = [
            Some(adding.workspace.datum()),
            Some(adding.conversation.datum()),
            Some(pg_sys::Datum::from(adding.last)),
            Some(pg_sys::Datum::from(now)),
        ];
        NOTE.with(|statement| statement.run(client, &parameters));
    }
    Ok(adding.answers)
}

impl Adding<'_> {
    fn reject_unknown_users(&mut self, client: &mut SpiClient<'_>) {
        let named = self.messages.iter().flatten().filter_map(|message| message.user_id.as_deref());
        let unknown = unknown_users(client, &self.workspace, named);
        for (message, answer) in self.messages.iter_mut().zip(&mut self.answers) {
            let user = message.as_ref().and_then(|message| message.user_id.as_deref());
            if let Some(user) = user.filter(|user| unknown.contains(*user)) {
                let text = format!("user \"{user}\" does not exist");
                let unknown = Violation::new(Some("user_id"), Code::own("unknown_user"), text);
                *answer = Answer::rejected(Ids::default(), unknown);
                *message = None;
            }
        }
    }

    fn reject_unknown_languages(
        &mut self,
        client: &mut SpiClient<'_>,
        workspace_id: &str,
    ) -> Result<(), Error> {
        let languages = self.messages.iter().map(|message| message.as_ref()?.language.as_deref());
        for (at, problem) in unknown_languages(client, workspace_id, languages)? {
            self.answers[at] = Answer::rejected(Ids::default(), problem);
            self.messages[at] = None;
        }
        Ok(())
    }

    /// Finds what was sent before.
    fn find_known(&mut self, client: &mut SpiClient<'_>) {
        let named: HashSet<&str> =
            self.messages.iter().flatten().filter_map(|m| m.external_id.as_deref()).collect();
        if named.is_empty() {
            return;
        }
        let mut names = Array::texts(named);
        let parameters =
            [Some(self.workspace.datum()), Some(self.conversation.datum()), Some(names.datum())];
        let rows = KNOWN.with(|statement| statement.run(client, &parameters));
        for row in rows.iter::<5>() {
            let (Some(external_id), Some(id), Some(number), Some(role), Some(content)) =
                (row.text(0), row.bigint(1), row.integer(2), row.text(3), row.text(4))
            else {
                continue;
            };
            let (role, content) = (role.to_owned(), content.to_owned());
            let known = Known { id, number, role, content, is_new: false };
            self.known.insert(external_id.to_owned(), known);
        }
    }

    /// Adds what is left, some at a time.
    fn add_all(&mut self, client: &mut SpiClient<'_>) -> Result<(), Error> {
        let left: Vec<usize> =
            (0..self.messages.len()).filter(|&at| self.messages[at].is_some()).collect();
        let mut rest = left.as_slice();
        while !rest.is_empty() {
            let (mut taken, mut bytes) = (0, 0);
            while taken < rest.len().min(CHUNK_ROWS) && (taken == 0 || bytes < CHUNK_BYTES) {
                bytes += self.messages[rest[taken]].as_ref().map_or(0, size);
                taken += 1;
            }
            self.add_or_reject(client, &rest[..taken])?;
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// Adds some elements; of those that the database refuses, half at a time: what has the external id of
    /// one that is refused takes its turn.
    fn add_or_reject(&mut self, client: &mut SpiClient<'_>, some: &[usize]) -> Result<(), Error> {
        pgrx::check_for_interrupts!();
        let mut names: HashSet<&str> = HashSet::new();
        let is_new =
            |at: &usize| match self.messages[*at].as_ref().map(|m| m.external_id.as_deref()) {
                Some(Some(name)) => !self.known.contains_key(name) && names.insert(name),
                Some(None) => true,
                None => false,
            };
        let new: Vec<usize> = some.iter().copied().filter(is_new).collect();
        if !new.is_empty() {
            let added = if self.skip {
                match subtransaction::attempt(|| self.insert(client, &new)) {
                    Ok(added) => added,
                    Err(refusal) => {
                        if let [at] = *some {
                            self.answers[at] = Answer::rejected(Ids::default(), refusal);
                            return Ok(());
                        }
                        let (first, second) = some.split_at(some.len() / 2);
                        self.add_or_reject(client, first)?;
                        return self.add_or_reject(client, second);
                    }
                }
            } else {
                self.insert(client, &new)
            };
            if !self.skip && added.len() < new.len() {
                return Err(MemoryError::NotAdded.into());
            }
            self.settle(&new, added);
        }
        for &at in some {
            self.answer_known(client, at);
        }
        Ok(())
    }

    /// Notes what was added; the others were swallowed.
    fn settle(&mut self, new: &[usize], added: Vec<(usize, i64, i32)>) {
        for &at in new {
            let swallowed = Rejection::not_written("kepler.messages");
            self.answers[at] = Answer::rejected(Ids::default(), swallowed);
        }
        for (at, id, number) in added {
            self.last = self.last.max(number);
            let ids = Ids { message_id: Some(id), number: Some(number) };
            self.answers[at] = Answer::new(ids, Outcome::Inserted);
            let Some(message) = self.messages[at].take() else { continue };
            if let Some(name) = message.external_id {
                let (role, content) = (message.role, message.content);
                self.known.insert(name, Known { id, number, role, content, is_new: true });
            }
        }
        for &at in new {
            self.messages[at] = None;
        }
    }

    /// Answers for an element whose external id a message has.
    fn answer_known(&mut self, client: &mut SpiClient<'_>, at: usize) {
        let Some(message) = self.messages[at].take() else { return };
        let Some(name) = &message.external_id else { return };
        let Some(known) = self.known.get(name) else { return };
        let ids = Ids { message_id: Some(known.id), number: Some(known.number) };
        if (&known.role, &known.content) != (&message.role, &message.content) {
            let (number, also) = (known.number, "with another role or content");
            let (code, text) = if known.is_new {
                ("duplicate_external_id", format!("an earlier element is \"{name}\", {also}"))
            } else {
                ("external_id_taken", format!("message {number} is \"{name}\", {also}"))
            };
            let violation = Violation::new(Some("external_id"), Code::own(code), text);
            self.answers[at] = Answer::rejected(ids, violation);
            return;
        }
        self.answers[at] = Answer::new(ids, Outcome::Duplicate);
        if let (Some(space), Some(embedding)) = (self.space, message.embedding) {
            let (id, workspace) = (known.id.to_string(), &self.workspace);
            set_embeddings::set_one(client, workspace, space, id, embedding);
        }
    }

    /// Inserts messages with the next numbers, and their embeddings. Gives the element, the id and the number of
    /// each that was written.
    fn insert(&self, client: &mut SpiClient<'_>, new: &[usize]) -> Vec<(usize, i64, i32)> {
        let mut rows = Rows::new();
        for (place, &at) in new.iter().enumerate() {
            if let Some(message) = &self.messages[at] {
                rows.push(self.last + 1 + place as i32, message, self.owner.as_deref());
            }
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.conversation.datum()),
            Some(pg_sys::Datum::from(self.now)),
            Some(rows.numbers.datum()),
            Some(rows.roles.datum()),
            Some(rows.contents.datum()),
            Some(rows.users.datum()),
            Some(rows.tokens.datum()),
            Some(rows.external_ids.datum()),
            Some(rows.metadata.datum()),
            Some(rows.sent_at.datum()),
            Some(pg_sys::Datum::from(self.space.is_some())),
            Some(rows.languages.datum()),
        ];
        let inserted = INSERT.with(|statement| statement.run(client, &parameters));
        let place = |number: i32| new.get(usize::try_from(number - self.last - 1).ok()?).copied();
        // A trigger of somebody's may have changed what is said: the embedding is of something else then.
        let mut changed: HashSet<usize> = HashSet::new();
        let added: Vec<(usize, i64, i32)> = inserted
            .iter::<3>()
            .filter_map(|row| {
                let at = place(row.integer(1)?)?;
                let given = self.messages[at].as_ref().map(|message| message.content.as_str());
                if row.text(2).is_some_and(|content| Some(content) != given) {
                    changed.insert(at);
                }
                Some((at, row.bigint(0)?, row.integer(1)?))
            })
            .collect();
        drop(inserted);
        if let Some(space) = self.space {
            let mut ids = Array::new(array::TEXT);
            let mut embeddings = Array::new(ElementType::varlena(space.vectors.vector_type));
            for (at, id, _) in added.iter().filter(|(at, _, _)| !changed.contains(at)) {
                let message = self.messages[*at].as_ref();
                if let Some(embedding) = message.and_then(|message| message.embedding.as_ref()) {
                    ids.push_text(&id.to_string());
                    embeddings.push_bytes(&embedding.stored());
                }
            }
            if ids.count() > 0 {
                let (workspace, present) = (&self.workspace, Present::IsReplaced);
                insert_embeddings(client, workspace, space, &mut ids, &mut embeddings, present);
            }
        }
        added
    }
}

fn size(message: &NewMessage) -> usize {
    message.content.len()
        + message.metadata.as_ref().map_or(0, Vec::len)
        + message.embedding.as_ref().map_or(0, |embedding| 4 * embedding.dimensions())
}

/// Rows of messages, a column each.
struct Rows {
    numbers: Array,
    roles: Array,
    contents: Array,
    users: Array,
    tokens: Array,
    external_ids: Array,
    metadata: Array,
    sent_at: Array,
    languages: Array,
}

impl Rows {
    /// The largest come first, and get the largest of the spare buffers.
    fn new() -> Self {
        Self {
            contents: Array::new(array::TEXT),
            metadata: Array::new(array::JSONB),
            numbers: Array::new(array::INTEGER),
            roles: Array::new(array::TEXT),
            users: Array::new(array::TEXT),
            tokens: Array::new(array::INTEGER),
            external_ids: Array::new(array::TEXT),
            sent_at: Array::new(array::TIMESTAMPTZ),
            languages: Array::new(array::TEXT),
        }
    }

    /// What a user says is the conversation's user's, unless somebody else is named.
    fn push(&mut self, number: i32, message: &NewMessage, owner: Option<&str>) {
        let text = |column: &mut Array, text: Option<&str>| match text {
            Some(text) => column.push_text(text),
            None => column.push_null(),
        };
        self.numbers.push_bytes(&number.to_ne_bytes());
        self.roles.push_text(&message.role);
        self.contents.push_text(&message.content);
        let owner = owner.filter(|_| message.role == "user");
        text(&mut self.users, message.user_id.as_deref().or(owner));
        match message.token_count {
            Some(count) => self.tokens.push_bytes(&count.to_ne_bytes()),
            None => self.tokens.push_null(),
        }
        text(&mut self.external_ids, message.external_id.as_deref());
        match &message.metadata {
            Some(stored) => self.metadata.push_bytes(stored),
            None => self.metadata.push_null(),
        }
        self.sent_at.push_time(message.sent_at);
        text(&mut self.languages, message.language.as_deref());
    }
}
