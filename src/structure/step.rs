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
    /// Data is destroyed; asks for `allow => '{drop}'`.
    Drop,
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
            Class::Drop => "drop",
            Class::Refused => "refused",
        }
    }

    /// What may be in `allow` of an entry table, whose fields are hidden and not dropped.
    pub(crate) const ALLOWABLE: [Class; 2] = [Class::Rewrite, Class::Convert];
    /// What may be in `allow` of a blueprint.
    pub(crate) const ALLOWABLE_IN_BLUEPRINTS: [Class; 3] =
        [Class::Rewrite, Class::Convert, Class::Drop];

    pub(crate) fn needs_permission(self) -> bool {
        Self::ALLOWABLE_IN_BLUEPRINTS.contains(&self)
    }
}

/// Where a step stands among the steps of several tables: each finds what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Of a schema, before whatever is in it.
    Schema,
    /// As are those of tables that go, under the names that tables have before the plan.
    DropReference,
    DropTable,
    /// Values that types get, under the names that these have before.
    Value,
    /// What has a name that something else is to have sooner than it leaves it.
    Aside,
    /// Of tables; whatever comes later calls them by their new names.
    Rename,
    /// Types that come, and those that are renamed.
    Type,
    DropRule,
    RenameRule,
    /// Columns move from a type to the one that takes its place, under the names that they have before.
    SwapType,
    Column,
    CreateTable,
    /// Primary keys and whatever else references may lead to.
    Key,
    Rule,
    Reference,
    Guard,
    /// Where the primary key is.
    Track,
    Describe,
    Validate,
    /// What rests on a validated rule.
    Finish,
    DropType,
    /// When nothing is in it any more.
    DropSchema,
}

/// When a step is run where a plan is not run in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Committed before the others: values of enums cannot be used in the transaction that adds them.
    Before,
    Prepare,
    /// Each in a transaction of its own, under a lock that lets others read and write.
    Validate,
    /// What rests on a validated rule.
    Finish,
    /// By whoever runs it as its own statement: no function can, or it is dear and better done when there are rows.
    Deferred,
    /// What waits for a deferred step: a plan that finds it done has this in one of the first phases.
    After,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::Prepare => "prepare",
            Phase::Validate => "validate",
            Phase::Finish => "finish",
            Phase::Deferred => "deferred",
            Phase::After => "after",
        }
    }

    /// Whether the steps of the phase are run, and not told or waited for.
    pub(crate) fn is_run(self) -> bool {
        !matches!(self, Phase::Deferred | Phase::After)
    }
}

/// A table as it is called when a step of it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) schema: String,
    pub(crate) table: String,
    /// Columns that tell a row from others; without one a row is told by its place.
    pub(crate) key: Vec<String>,
}

/// The strongest lock that a step takes on the table, as Postgres names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lock {
    RowShare,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    AccessExclusive,
}

impl Lock {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Lock::RowShare => "ROW SHARE",
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
    /// The table that it is about; none where it is about a type or a schema.
    pub(crate) relation: Option<Relation>,
    pub(crate) sql: String,
    pub(crate) class: Class,
    pub(crate) stage: Stage,
    pub(crate) phase: Phase,
    pub(crate) lock: Lock,
    /// Schemas and names of other tables that it locks.
    pub(crate) also_locks: Vec<(String, String, Lock)>,
    /// What to know before; of a refused step, why and what to do instead.
    pub(crate) hazards: Vec<String>,
    /// What would take it back, run at once; `None` where nothing does.
    pub(crate) undo: Option<String>,
    /// Rows that the step would fail on, or spoil, are looked for just before it.
    pub(crate) require: Option<Requirement>,
    /// More of them.
    pub(crate) also_require: Vec<Requirement>,
    /// A deferred step without which the goal is reached.
    pub(crate) optional: bool,
    /// The rows whose values it changes, as SQL over the columns as they are called before the plan. Such a step is run as
    /// the caller: writing to rows fires triggers, which may be anybody's.
    pub(crate) writes: Option<String>,
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
    /// No two rows have the same values of expressions.
    Distinct {
        /// Of the columns, for messages.
        names: Vec<String>,
        expressions: Vec<String>,
        /// The rows that it is about; `None` for all.
        among: Option<String>,
        /// Whether NULLs are the same as well.
        nulls: bool,
    },
    /// Every value is a key of the other table.
    NoOrphans(Reference),
}

impl Step {
    /// A step that only changes the catalog.
    pub(crate) fn instant(operation: &'static str, object: &str, sql: String) -> Self {
        Self {
            operation,
            object: object.to_owned(),
            relation: None,
            sql,
            class: Class::Instant,
            stage: Stage::Column,
            phase: Phase::Prepare,
            also_locks: Vec::new(),
            lock: Lock::AccessExclusive,
            hazards: Vec::new(),
            undo: None,
            require: None,
            also_require: Vec::new(),
            optional: false,
            writes: None,
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

    pub(crate) fn stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    pub(crate) fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    pub(crate) fn of(mut self, relation: &Relation) -> Self {
        self.relation = Some(relation.clone());
        self
    }

    /// All that must hold for the rows.
    pub(crate) fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.require.iter().chain(&self.also_require)
    }

    pub(crate) fn requires(mut self, requirement: Option<Requirement>) -> Self {
        self.require = requirement;
        self
    }
}
