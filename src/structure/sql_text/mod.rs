//! SQL expressions in texts: defaults and conditions of indexes that a document brings and that no value can say.
//!
//! `lexer` and `parse` make a tree of a text, `whitelist` says whether a document may say that and qualifies the names,
//! `write` makes the SQL that is run, and `normal` the form in which expressions are compared. The text that
//! was given is never run, unless the owner of the tables says that it is trusted.

mod lexer;
mod normal;
mod parse;
#[cfg(test)]
mod tests;
pub(in crate::structure) mod tree;
mod value;
mod whitelist;
mod write;

#[cfg(test)]
pub(in crate::structure) use parse::MAX_DEPTH;
pub(in crate::structure) use parse::parse;
pub(in crate::structure) use whitelist::problem_with_moving;

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

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A column's default, which knows no other column.
    Default,
    /// The condition of an index.
    Predicate,
}

/// What the names in a text mean.
pub(crate) struct Names<'n> {
    /// The column that a name means; a name in no quotes comes in lower case.
    pub(crate) columns: &'n dyn Fn(&str) -> Option<String>,
    /// The schema and the name of a type that the document makes.
    pub(crate) types: &'n TypeOf<'n>,
}

/// The schema and the name in the database of a type, by how a text names it.
pub(crate) type TypeOf<'n> = dyn Fn(Option<&str>, &str) -> Option<(String, String)> + 'n;

impl SqlText {
    /// Reads what a document says. The problem is a sentence without its capital and full stop.
    pub(crate) fn given(text: &str, place: Place, names: &Names) -> Result<Self, String> {
        let tree = parse(text)?;
        let tree = whitelist::Whitelist { place, names }.resolve(&tree)?;
        Ok(Self { text: write::write(&tree), normal: normal::normal(&tree), trusted: false })
    }

    /// What [`SqlText::given`] refuses, for the owner of the tables: it is run as it was given.
    pub(crate) fn trusted(text: &str) -> Self {
        Self { text: text.to_owned(), normal: normal_of(text), trusted: true }
    }

    /// Whether it is a condition that holds for every row: Postgres keeps none then.
    pub(crate) fn holds_always(&self) -> bool {
        self.normal == "'true'"
    }

    /// An expression that Postgres has printed, under the settings of `kepler_internal.table_facts`.
    pub(crate) fn printed(text: &str) -> Self {
        Self { text: text.to_owned(), normal: normal_of(text), trusted: false }
    }
}

/// The normal form, or the text itself where it is not understood.
fn normal_of(text: &str) -> String {
    parse(text).map_or_else(|_| text.trim().to_owned(), |tree| normal::normal(&tree))
}
