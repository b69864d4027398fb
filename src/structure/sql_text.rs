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

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The default of a column.
    Default,
    /// The condition of an index.
    Condition,
}

impl SqlText {
    /// An expression that a document brings. `columns` knows the types of the columns that it may name.
    pub(crate) fn given(
        text: &str,
        _place: Place,
        _columns: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(Self { text: text.to_owned(), normal: text.to_owned(), trusted: true })
    }
}
