//! Finds secrets by their looks and by the names of the keys that they stand under. Pure: without Postgres.
//!
//! Rules are named after those of public rule sets (gitleaks, detect-secrets, trufflehog, secret scanning of GitHub) where
//! these have one, so that whoever knows a name finds its story; each says where its format is documented. Every text is read
//! once, with a bounded look behind and ahead of each place where a secret could begin: the time is linear.
//!
//! What looks random and nothing more (entropy) is `Possible`: ids, hashes and cursors look so too. Nothing is refused for it.

mod assignments;
mod connections;
pub(crate) mod document;
pub(crate) mod entropy;
pub(crate) mod keys;
mod placeholder;
#[cfg(test)]
mod properties;
pub(crate) mod reference;
mod shape;
mod shapes;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::ops::Range;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// Told by whoever looks for secrets, and never refused.
    Possible,
    /// Refused.
    Certain,
}

impl Certainty {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Certainty::Possible => "possible",
            Certainty::Certain => "certain",
        }
    }
}

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// A word such as `github_token`.
    pub(crate) kind: &'static str,
    pub(crate) certainty: Certainty,
    /// Its bytes.
    pub(crate) range: Range<usize>,
}
