//! The steps of a plan: what is done, how dearly, and what must be true of the rows before.

use super::table::{Reference, UniqueColumn};

/// How much a step asks of the table and of whoever runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Only the catalog changes.
    Instant,
    /// Every row is read.
    Scan,
    /// Every row is written anew; asks for `allow => '{rewrite}'`.
    Rewrite,
    /// Every row is written anew with another value; asks for `allow => '{convert}'`.
    Convert,
    /// Not done; the step's hazards say what to do instead.
    Refused,
}

impl Class {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Instant => "instant",
            Class::Scan => "scan",
            Class::Rewrite => "rewrite",
            Class::Convert => "convert",
            Class::Refused => "refused",
        }
    }

    /// What may be in `allow`.
    pub(crate) const ALLOWABLE: [Class; 2] = [Class::Rewrite, Class::Convert];

    pub(crate) fn needs_permission(self) -> bool {
        Self::ALLOWABLE.contains(&self)
    }
}

/// The strongest lock that a step takes on the table, as Postgres names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lock {
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    AccessExclusive,
}

impl Lock {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Lock::Share => "SHARE",
            Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Lock::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// A word such as `add_column`.
    pub(crate) operation: &'static str,
    /// What it is done to: a column, a constraint, an index, the table.
    pub(crate) object: String,
    pub(crate) sql: String,
    pub(crate) class: Class,
    pub(crate) lock: Lock,
    /// What to know before; of a refused step, why and what to do instead.
    pub(crate) hazards: Vec<String>,
    /// What would take it back; `None` where nothing does.
    pub(crate) undo: Option<String>,
    /// Rows that the step would fail on, or spoil, are looked for just before it.
    pub(crate) require: Option<Requirement>,
}

/// What must hold for the rows.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::enum_variant_names)]
pub(crate) enum Requirement {
    /// No row makes this expression true.
    NoRow {
        /// What is wrong with such a row: "\"price\" is NULL".
        problem: String,
        /// SQL over the columns as they are called just before the step.
        condition: String,
    },
    NoDuplicates(Vec<UniqueColumn>),
    /// Every value is a key of the other table.
    NoOrphans(Reference),
}

impl Step {
    /// A step that only changes the catalog.
    pub(crate) fn instant(operation: &'static str, object: &str, sql: String) -> Self {
        Self {
            operation,
            object: object.to_owned(),
            sql,
            class: Class::Instant,
            lock: Lock::AccessExclusive,
            hazards: Vec::new(),
            undo: None,
            require: None,
        }
    }

    /// A step that is not done.
    pub(crate) fn refused(operation: &'static str, object: &str, why: String) -> Self {
        Self {
            class: Class::Refused,
            hazards: vec![why],
            ..Self::instant(operation, object, String::new())
        }
    }

    pub(crate) fn undone_by(mut self, sql: String) -> Self {
        self.undo = Some(sql);
        self
    }

    pub(crate) fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    pub(crate) fn lock(mut self, lock: Lock) -> Self {
        self.lock = lock;
        self
    }

    pub(crate) fn hazard(mut self, hazard: impl Into<String>) -> Self {
        self.hazards.push(hazard.into());
        self
    }

    pub(crate) fn requires(mut self, requirement: Option<Requirement>) -> Self {
        self.require = requirement;
        self
    }
}
