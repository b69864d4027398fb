//! SQL expressions in texts: defaults and conditions that a document brings and that no value can say.

/// An expression: run as its text, compared by its normal form.
#[derive(Debug, Clone, Eq)]
pub(crate) struct SqlText {
    /// What is run; names are qualified.
    pub(crate) text: String,
    /// Equal for two expressions that Postgres understands as the same, whoever wrote or printed them.
    pub(crate) normal: String,
    /// Not of the whitelist: only the owner lets it through.
    pub(crate) trusted: bool,
}

impl PartialEq for SqlText {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl SqlText {
    /// An expression that Postgres has printed.
    pub(crate) fn printed(text: &str) -> Self {
        Self { text: text.to_owned(), normal: text.to_owned(), trusted: false }
    }
}
