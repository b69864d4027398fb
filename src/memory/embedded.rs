//! What a space holds embeddings of, and how its tables name it. In Rust ids are texts; those of messages
//! are numbers in SQL.

/// Memories or messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Embedded {
    Memories,
    Messages,
}

impl Embedded {
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
