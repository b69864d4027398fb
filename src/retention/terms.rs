//! When a row goes: its age, its workspace, the filter, the floors, and what Kepler's own tables never give up.
//!
//! A row is called `e`. What has no time is kept, and so is what has been there for ever (`-infinity`).

use super::error::RetentionError;
use super::floor::{self, Floor};
use super::policy::Policy;
use super::subject::{Kind as SubjectKind, Subject, Tenancy};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::quote;
use crate::memory::vectors::filter;
use crate::memory::vectors::relation::Relation;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// What a column says of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Timestamptz,
    /// Read as UTC.
    Timestamp,
    /// As old as the end of the day, in UTC.
    Date,
}

impl Kind {
    pub(super) fn of(type_oid: pg_sys::Oid) -> Option<Self> {
        match type_oid {
            pg_sys::TIMESTAMPTZOID => Some(Self::Timestamptz),
            pg_sys::TIMESTAMPOID => Some(Self::Timestamp),
            pg_sys::DATEOID => Some(Self::Date),
            _ => None,
        }
    }

    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Timestamptz => "pg_catalog.timestamptz",
            Self::Timestamp => "pg_catalog.timestamp",
            Self::Date => "pg_catalog.date",
        }
    }

    /// A `timestamptz` as what the column is compared with.
    pub(super) fn bound(self, time: &str) -> String {
        match self {
            Self::Timestamptz => time.to_owned(),
            Self::Timestamp => format!("pg_catalog.timezone('UTC', {time})"),
            Self::Date => format!("pg_catalog.timezone('UTC', {time})::pg_catalog.date"),
        }
    }

    /// The column as a `timestamptz`.
    pub(super) fn moment(self, column: &str) -> String {
        match self {
            Self::Timestamptz => column.to_owned(),
            Self::Timestamp => format!("pg_catalog.timezone('UTC', {column})"),
            Self::Date => format!("pg_catalog.timezone('UTC', {column}::pg_catalog.timestamp)"),
        }
    }
}

/// The conditions of a policy, and the values that they name.
pub(super) struct Terms {
    pub(super) parameters: Parameters,
    /// The column of the time, as `e` has it.
    pub(super) time: String,
    pub(super) kind: Kind,
    /// What is older goes: the policy's age, or that of a floor by the same column.
    pub(super) cutoff: i64,
    /// Whose rows they are: what an index may begin with.
    pub(super) tenancy: Vec<String>,
    /// What must hold beside.
    pub(super) others: Vec<String>,
    /// Where a row is kept since another one refers to it: each is true, or NULL.
    pub(super) referred: Vec<String>,
    /// Whether all rows go that are old enough.
    pub(super) is_whole: bool,
}

impl Terms {
    /// As the caller, before anything is done as somebody else. `role`: as whom rows are looked at.
    pub(super) fn of(
        client: &mut SpiClient<'_>,
        owner: Owner,
        subject: &Subject,
        policy: &Policy,
        role: pg_sys::Oid,
    ) -> Result<Self, Error> {
        let mut parameters = Parameters::default();
        let mut cutoff = policy.cutoff;
        let mut others = Vec::new();
        let floors = floor::of(client, owner, subject.relation, &subject.table, None)?;
        for Floor { column, kind, before, .. } in floors {
            if column == policy.time_column {
                cutoff = cutoff.min(before);
            } else {
                let bound = kind.bound(&parameters.time(before));
                others.push(format!("e.{} < {bound}", quote(&column)));
            }
        }
        others.extend(floor::of_what_goes_along(client, owner, subject, role, &mut parameters)?);
        if let SubjectKind::Own(own) = subject.kind
            && !own.guard.is_empty()
        {
            others.push(own.guard.to_owned());
        }
        let referred = referred(client, owner, subject, role)?;
        if let Some(given) = &policy.filter {
            let relation = Relation::find(client, subject.relation, true)?;
            others.extend(filter::conditions(given, &relation, &mut parameters)?.all);
        }
        let tenancy = match (&policy.workspace, &subject.tenancy) {
            (None, _) => Vec::new(),
            (Some(workspace), Tenancy::Column(column)) => {
                let workspace = parameters.text(workspace);
                vec![format!("e.{} = {workspace}", quote(column))]
            }
            (Some(workspace), Tenancy::Table(of)) if of == workspace => Vec::new(),
            // Which rows are the workspace's cannot be told any more: they may be everybody's.
            (Some(workspace), _) => {
                return Err(RetentionError::NoTenancy {
                    table: subject.table.clone(),
                    workspace: workspace.clone(),
                }
                .into());
            }
        };
        let is_whole = tenancy.is_empty() && others.is_empty() && referred.is_empty();
        let time = format!("e.{}", quote(&policy.time_column));
        Ok(Self {
            parameters,
            time,
            kind: policy.kind,
            cutoff,
            tenancy,
            others,
            referred,
            is_whole,
        })
    }

    /// Whose rows, and between which times: behind `after`, up to `upto`, or younger than what goes.
    pub(super) fn range(&mut self, after: Option<i64>, upto: Option<i64>) -> String {
        let after = self.parameters.time(after.unwrap_or(i64::MIN));
        let mut parts = self.tenancy.clone();
        parts.push(format!("{} > {}", self.time, self.kind.bound(&after)));
        let cutoff = self.parameters.time(self.cutoff);
        parts.push(format!("{} < {}", self.time, self.kind.bound(&cutoff)));
        if let Some(upto) = upto {
            let upto = self.parameters.time(upto);
            parts.push(format!("{} <= {}", self.time, self.kind.bound(&upto)));
        }
        parts.join(" AND ")
    }

    /// That a row in a range goes, or would if nothing referred to it.
    pub(super) fn goes(&self, is_referred: bool) -> String {
        let mut parts = self.others.clone();
        if is_referred {
            let any: Vec<String> =
                self.referred.iter().map(|term| format!("{term} IS NOT NULL")).collect();
            parts.push(if any.is_empty() {
                "false".to_owned()
            } else {
                format!("({})", any.join(" OR "))
            });
        } else {
            parts.extend(self.referred.iter().map(|term| format!("{term} IS NULL")));
        }
        if parts.is_empty() { "true".to_owned() } else { parts.join(" AND ") }
    }
}

/// The references that keep a row, and that the role can look up by an index. Where it cannot, the deletion is refused and the
/// row is kept all the same.
fn referred(
    client: &mut SpiClient<'_>,
    owner: Owner,
    subject: &Subject,
    role: pg_sys::Oid,
) -> Result<Vec<String>, Error> {
    let _owner = owner.act();
    let rows = client.update(
        "SELECT r.joined FROM kepler_internal.kept_by_references($1, $2) AS r",
        None,
        &[subject.relation.into(), role.into()],
    )?;
    let mut terms = Vec::new();
    for row in rows {
        if let Some(joined) = row[1].value::<String>()? {
            terms.push(format!("(SELECT true FROM {joined} LIMIT 1)"));
        }
    }
    Ok(terms)
}
