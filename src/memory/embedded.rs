//! What a space holds embeddings of, how its tables name it, and how they are written. In Rust ids are texts; those of messages
//! are numbers in SQL.

use super::space::Space;
use crate::answer::Outcome;
use crate::ident::quote;
use crate::pg::array::Array;
use crate::pg::plan::OwnedStatement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A session keeps so many statements.
const MAX_KEPT: usize = 200;

/// Memories or messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Embedded {
    Memories,
    Messages,
}

impl Embedded {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Embedded::Memories => "kepler.memories",
            Embedded::Messages => "kepler.messages",
        }
    }

    /// The column of a table of embeddings, and the field of a batch.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Embedded::Memories => "memory_id",
            Embedded::Messages => "message_id",
        }
    }

    /// The column of the id under an alias, as text.
    pub(crate) fn id(self, column: &str) -> String {
        match self {
            Embedded::Memories => column.to_owned(),
            Embedded::Messages => format!("{column}::pg_catalog.text"),
        }
    }

    /// An array of texts as an array of ids.
    pub(crate) fn ids(self, texts: &str) -> String {
        match self {
            Embedded::Memories => texts.to_owned(),
            Embedded::Messages => format!("{texts}::pg_catalog.int8[]"),
        }
    }

    /// In which order come those of equal rank: messages the newest first.
    pub(crate) fn tie(self) -> &'static str {
        match self {
            Embedded::Memories => "m.id",
            Embedded::Messages => "m.id DESC",
        }
    }
}

/// What becomes of an embedding that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Present {
    IsReplaced,
    Stays,
}

/// The table of a space, the schema and the type of pgvector, which may be moved, or dropped and made again, and what
/// becomes of a stored embedding.
type Target = (String, String, pg_sys::Oid, Present);

thread_local! {
    static EMBEDDINGS: RefCell<HashMap<Target, Rc<OwnedStatement>>> = RefCell::default();
}

/// Writes embeddings into the table of a space. Gives the ids of those that were written, and how.
pub(crate) fn insert_embeddings(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: &Space,
    ids: &mut Array,
    embeddings: &mut Array,
    present: Present,
) -> HashMap<String, Outcome> {
    let table = &space.vectors.table;
    let vectors = &space.vectors;
    let key = (table.clone(), vectors.vector_schema.clone(), vectors.vector_array_type, present);
    let known = EMBEDDINGS.with_borrow(|known| known.get(&key).cloned());
    let statement = known.unwrap_or_else(|| {
        let equals = format!("OPERATOR({}.=)", quote(&space.vectors.vector_schema));
        let column = space.embedded.column();
        let (ids, given) = (space.embedded.ids("$2"), "pg_catalog.unnest($3) AS embedding");
        // Those of memories say whose they are.
        let whose = ", user_id = EXCLUDED.user_id, context_type = EXCLUDED.context_type";
        let same = "AND e.user_id IS NOT DISTINCT FROM EXCLUDED.user_id \
                    AND e.context_type = EXCLUDED.context_type";
        let (columns, (set, same), source) = match space.embedded {
            Embedded::Memories => (
                "embedding, user_id, context_type",
                (whose, same),
                format!(
                    "n.embedding, m.user_id, m.context_type
                     FROM (SELECT pg_catalog.unnest({ids}) AS id, {given}) AS n
                     CROSS JOIN LATERAL (
                         SELECT x.user_id, x.context_type FROM kepler.memories AS x
                         WHERE x.workspace_id = $1 AND x.id = n.id LIMIT 1) AS m"
                ),
            ),
            Embedded::Messages => (
                "embedding",
                ("", ""),
                format!("n.embedding FROM (SELECT pg_catalog.unnest({ids}) AS id, {given}) AS n"),
            ),
        };
        let otherwise = match present {
            Present::IsReplaced => format!(
                "UPDATE SET embedding = EXCLUDED.embedding{set} \
                 WHERE NOT (e.embedding {equals} EXCLUDED.embedding {same})"
            ),
            Present::Stays => "NOTHING".to_owned(),
        };
        let sql = format!(
            "INSERT INTO {table} AS e (workspace_id, {column}, {columns})
             SELECT $1, n.id, {source}
             ON CONFLICT (workspace_id, {column}) DO {otherwise}
             RETURNING {id}, e.xmax::pg_catalog.text OPERATOR(pg_catalog.=) '0'",
            id = space.embedded.id(&format!("e.{column}")),
        );
        let types = vec![pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, space.vectors.vector_array_type];
        let statement = Rc::new(OwnedStatement::new(sql, types).of_own_text());
        EMBEDDINGS.with_borrow_mut(|known| {
            if known.len() >= MAX_KEPT {
                known.clear();
            }
            known.insert(key, Rc::clone(&statement));
        });
        statement
    });
    let parameters = [Some(workspace.datum()), Some(ids.datum()), Some(embeddings.datum())];
    let rows = statement.run(client, &parameters);
    rows.iter::<2>()
        .filter_map(|row| {
            // What was updated was locked first, and says so.
            let is_new = row.boolean(1) == Some(true);
            let outcome = if is_new { Outcome::Inserted } else { Outcome::Updated };
            Some((row.text(0)?.to_owned(), outcome))
        })
        .collect()
}
