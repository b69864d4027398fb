//! What a table in the database is, in the words of `table`: the facts of the catalog, understood.
//!
//! Whatever the reading cannot say is an extra: it is reported and never touched. A rule that does not
//! hold for all rows yet (NOT VALID, an index whose build failed) has a name and is not in the table.

mod exact;
mod extras;
mod structure;

use super::blueprint::model::Fill;
use super::facts::{Dependent, Facts, PolicyFact, TriggerFact};
use super::model::Key;
use super::plan::guarded::REFERENCES_TRIGGER;
use super::plan::tables::SequenceState;
use super::table::{Rule, Table};
pub(crate) use exact::NOT_VALID;
pub(crate) use extras::COVERAGE;
pub(crate) use structure::key_kind;

/// Columns that were hidden are called so.
pub(crate) const HIDDEN_PREFIX: &str = "_hidden_";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observed {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Columns in the order of their numbers, rules in the order of their making: those of
    /// constraints first.
    pub(crate) table: Table,
    /// A primary key of one column of a key's type, whoever fills it.
    pub(crate) key: Option<Key>,
    /// Those of the table, in the same order, and among them those that are not valid yet.
    pub(crate) rules: Vec<NamedRule>,
    pub(crate) hidden: Vec<HiddenColumn>,
    pub(crate) extras: Vec<Extra>,
    pub(crate) dependents: Vec<Dependent>,
    /// Of all constraints and indexes, also those of hidden columns.
    pub(crate) names: Vec<String>,
    pub(crate) attribute_count: u16,
    pub(crate) estimated_rows: i64,
    pub(crate) pages: i64,
    pub(crate) details: Details,
}

/// What only an exact reading tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) oid: u32,
    pub(crate) owner: String,
    /// What the trigger `kepler_fill` fills, whether or not it fires (then there is an extra).
    pub(crate) fills: Vec<Fill>,
    /// Whether triggers keep the history of all changes, and all of them fire.
    pub(crate) history: bool,
    pub(crate) row_security: bool,
    /// Also for the owner.
    pub(crate) row_security_forced: bool,
    /// Each is an extra as well.
    pub(crate) policies: Vec<PolicyFact>,
    /// Defaults as Postgres prints them, by column: none of sequences.
    pub(crate) defaults: Vec<(String, String)>,
    /// Checks that the reading cannot say: each is an extra as well.
    pub(crate) unread_checks: Vec<UnreadCheck>,
    /// The sequences that fill columns.
    pub(crate) sequences: Vec<(String, SequenceState)>,
}

/// A check as Postgres prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadCheck {
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) validated: bool,
}

impl Observed {
    /// Takes a check that could not be read for a rule.
    pub(crate) fn recognise(&mut self, check: &UnreadCheck, rule: Rule) {
        self.extras.retain(|extra| extra.kind != "constraint" || extra.name != check.name);
        if check.validated {
            self.table.push_named(rule.clone(), Some(check.name.clone()));
        }
        self.rules.push(NamedRule {
            rule,
            name: check.name.clone(),
            by: By::Constraint,
            validated: check.validated,
            shared: false,
        });
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedRule {
    pub(crate) rule: Rule,
    /// Of the constraint or index.
    pub(crate) name: String,
    pub(crate) by: By,
    pub(crate) validated: bool,
    /// One check says this and other rules: dropping it drops them all.
    pub(crate) shared: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Constraint,
    Index,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HiddenColumn {
    pub(crate) name: String,
    pub(crate) number: u16,
}

/// Something that the reading cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    /// Of a structure: `column`, `default`, `identity`, `collation` (named as their column), `constraint` or `index`. More
    /// of an exact reading, in the words of SQL.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) definition: String,
    pub(crate) reason: String,
}

/// How much of a table is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What the structure of an entry table can say; anything else is an extra.
    Structure,
    /// What a blueprint can say, as it is: every type, the primary key as a rule, each action of a reference.
    Exact,
}

/// Reads the facts of one table.
pub(crate) fn observe(facts: &Facts, reading: Reading) -> Observed {
    match reading {
        Reading::Structure => observe_structure(facts),
        Reading::Exact => exact::Observer::read(facts).observed(),
    }
}

fn observe_structure(facts: &Facts) -> Observed {
    let structure::Observer { key, columns, rules, hidden, extras, .. } =
        structure::Observer::read(facts);
    let valid = rules.iter().filter(|rule| rule.validated).map(|rule| rule.rule.clone()).collect();
    Observed {
        schema: facts.schema.clone(),
        name: facts.name.clone(),
        table: Table {
            description: facts.description.clone(),
            columns,
            rules: valid,
            names: Vec::new(),
            guarded: guarded(facts),
        },
        key,
        rules,
        hidden,
        extras,
        dependents: facts.dependents.clone(),
        names: names(facts),
        attribute_count: facts.attribute_count,
        estimated_rows: facts.estimated_rows,
        pages: facts.pages,
        details: Details::default(),
    }
}

/// The columns that the trigger `zz_kepler_secret_references` looks at. One that does not always fire looks at another column
/// as well, which no document names: so a plan makes it anew.
fn guarded(facts: &Facts) -> Vec<String> {
    let is_own = |trigger: &&TriggerFact| {
        !trigger.internal
            && trigger.name == REFERENCES_TRIGGER
            && trigger.function_schema == "kepler_internal"
    };
    let Some(trigger) = facts.triggers.iter().find(is_own) else { return Vec::new() };
    let mut columns = trigger.arguments();
    if trigger.enabled != 'O' || !trigger.plain {
        columns.push(String::new());
    }
    columns
}

/// Of all constraints and indexes.
fn names(facts: &Facts) -> Vec<String> {
    let constraints = facts.constraints.iter().map(|constraint| &constraint.name);
    let indexes = facts.indexes.iter().map(|index| &index.name);
    let mut names: Vec<String> = constraints.chain(indexes).cloned().collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
