//! Makes the database like a blueprint: in one transaction, or step by step in several.
//!
//! Plans, waits for the locks, plans again, and does it if that is the same. What was reached is planned once more: the same
//! document must leave nothing to do.

mod noted;

use super::error::BlueprintError;
use super::facts::Wanted;
use super::model::Blueprint;
use super::observed;
use super::plan::{self, Manner, Planned, Request, SeedStep};
use super::registry::{self, Deferred, Stored};
use super::schemas;
use super::seed::{self, Scene, View, refuse_seed, seed_steps};
use crate::access::of_blueprint;
use crate::access::owner::{BLUEPRINTS, Owner};
use crate::error::Error;
use crate::ident::qualified;
use crate::pg::advisory;
use crate::structure::apply;
use crate::structure::catalog::Telling;
use crate::structure::locks::{Patience, lock_tables};
use crate::structure::run::{self, Rows};
use crate::structure::step::{Class, Phase, Step};
use noted::printed;
use pgrx::spi::SpiClient;
use std::collections::BTreeSet;

/// What an application may do, and how long it waits.
pub(crate) struct Terms {
    pub(crate) allow: Vec<Class>,
    /// The version that the caller believes to change.
    pub(crate) version: Option<i32>,
    pub(crate) patience: Patience,
    pub(crate) manner: Manner,
}

/// What came of it.
pub(crate) struct Applied {
    pub(crate) name: String,
    pub(crate) version: i32,
    /// `applied`, `unchanged` or, of several transactions, `unfinished`.
    pub(crate) outcome: &'static str,
    pub(crate) steps: i32,
    /// Statements that build indexes, which nobody has run yet.
    pub(crate) deferred: Vec<String>,
    /// Whether another transaction is to follow.
    pub(crate) more: bool,
}

/// A document, read, and who asks.
pub(crate) struct Call<'c> {
    pub(crate) blueprint: Blueprint,
    pub(crate) workspace_id: String,
    pub(crate) terms: &'c Terms,
}

impl Call<'_> {
    fn name(&self) -> &str {
        &self.blueprint.name
    }

    fn plan(&self, client: &mut SpiClient<'_>, stored: Option<&Stored>) -> Result<Planned, Error> {
        registry::require_administrator_of(&self.blueprint.tenancy)?;
        for version in stored.iter().flat_map(|stored| stored.versions()) {
            registry::require_administrator_of(&version.blueprint.tenancy)?;
        }
        plan::plan(
            client,
            &Request {
                blueprint: &self.blueprint,
                stored,
                manner: self.terms.manner,
                workspace_id: &self.workspace_id,
                is_owner: Owner::find()?.is_caller(),
            },
        )
    }

    /// The steps that would be run, and what they are about.
    pub(crate) fn preview(&self, client: &mut SpiClient<'_>) -> Result<Planned, Error> {
        registry::require_administrator()?;
        let stored = registry::find(client, self.name())?;
        self.plan_all(client, stored.as_ref())
    }

    /// A plan, and the rows of the seed that are to be written behind it.
    fn plan_all(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
    ) -> Result<Planned, Error> {
        let mut planned = self.plan(client, stored)?;
        planned.seed = self.seed(client, stored, &planned, View::Plan)?;
        Ok(planned)
    }

    fn seed(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
        planned: &Planned,
        view: View,
    ) -> Result<Vec<SeedStep>, Error> {
        let workspaces =
            (self.workspace_id.as_str(), stored.and_then(|s| s.workspace_id.as_deref()));
        seed_steps(client, (&self.blueprint, planned), view, workspaces)
    }

    /// Writes the rows of the seed, as the caller and with the caller's rights.
    fn write_seed(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
        planned: &Planned,
    ) -> Result<(), Error> {
        if planned.seed.is_empty() {
            return Ok(());
        }
        let dialect = apply::dialect(client)?;
        let workspaces =
            (self.workspace_id.as_str(), stored.and_then(|s| s.workspace_id.as_deref()));
        let scene =
            Scene::new(client, (&self.blueprint, planned), &dialect, View::Done, workspaces)?;
        seed::write(client, &scene)
    }

    /// Takes the blueprint for this transaction.
    fn claim(&self, client: &mut SpiClient<'_>) -> Result<Option<Stored>, Error> {
        claim(self.name(), self.terms.patience)?;
        Owner::find()?.require_own_code(client, BLUEPRINTS)?;
        let stored = registry::find(client, self.name())?;
        let found = stored.as_ref().map_or(0, |stored| stored.version);
        if let Some(expected) = self.terms.version
            && expected != found
        {
            let name = self.name().to_owned();
            return Err(BlueprintError::OtherVersion { name, expected, found }.into());
        }
        Ok(stored)
    }

    /// Applies the blueprint in the caller's transaction.
    pub(crate) fn apply(&self, client: &mut SpiClient<'_>) -> Result<Applied, Error> {
        registry::require_administrator()?;
        let _bound = self.terms.patience.bound();
        let stored = self.claim(client)?;
        let planned = self.plan_all(client, stored.as_ref())?;
        self.check(client, &planned)?;
        let text = self.blueprint.to_document().to_string();
        let pending = stored.as_ref().is_some_and(|stored| !stored.pending.is_empty());
        if let Some(stored) = &stored
            && planned.is_empty()
            && !pending
            && stored.applied.as_ref().is_some_and(|version| version.text == text)
        {
            registry::note_deferred(client, self.name(), &stored.deferred, &planned.deferred)?;
            return Ok(self.applied(stored.version, "unchanged", 0, &planned));
        }
        self.lock(client, stored.as_ref(), &planned, &planned.steps)?;
        let number = self.begin(client, stored.as_ref(), &planned, &text, &planned.steps)?;
        self.run(client, &planned, &planned.steps)?;
        self.write_seed(client, stored.as_ref(), &planned)?;
        self.reach(client, number, &planned)?;
        let run = planned.steps.iter().filter(|step| step.phase.is_run()).count();
        Ok(self.applied(number, "applied", run + planned.seed.len(), &planned))
    }

    fn applied(
        &self,
        version: i32,
        outcome: &'static str,
        steps: usize,
        planned: &Planned,
    ) -> Applied {
        Applied {
            name: self.name().to_owned(),
            version,
            outcome,
            steps: i32::try_from(steps).unwrap_or(i32::MAX),
            deferred: planned.deferred.iter().map(|deferred| deferred.statement.clone()).collect(),
            more: false,
        }
    }

    /// Does the next part that can be done in one transaction, towards a state from which the next call goes on: it plans anew.
    pub(crate) fn apply_next(&self, client: &mut SpiClient<'_>) -> Result<Applied, Error> {
        registry::require_administrator()?;
        let _bound = self.terms.patience.bound();
        let stored = self.claim(client)?;
        let planned = self.plan_all(client, stored.as_ref())?;
        self.check(client, &planned)?;
        let text = self.blueprint.to_document().to_string();
        let pending = stored.as_ref().is_some_and(|stored| !stored.pending.is_empty());
        let is_same = stored.as_ref().and_then(Stored::present).is_some_and(|v| v.text == text);
        let part = next_part(&planned.steps);
        let waits = planned.deferred.iter().any(|deferred| !deferred.of_vectors);
        if let Some(stored) = &stored
            && part.is_empty()
            && planned.seed.is_empty()
            && is_same
            && !pending
            && !waits
        {
            registry::note_deferred(client, self.name(), &stored.deferred, &planned.deferred)?;
            return Ok(self.applied(stored.version, "unchanged", 0, &planned));
        }
        if part.is_empty() {
            let number = self.begin(client, stored.as_ref(), &planned, &text, &[])?;
            if waits {
                let noted = stored.as_ref().map_or(&[][..], |stored| &stored.deferred);
                self.look_ahead(client, noted, &planned)?;
                registry::note_deferred(client, self.name(), noted, &planned.deferred)?;
                return Ok(self.applied(number, "unfinished", 0, &planned));
            }
            // What tells rows from one another is there by now.
            self.write_seed(client, stored.as_ref(), &planned)?;
            self.reach(client, number, &planned)?;
            return Ok(self.applied(number, "applied", planned.seed.len(), &planned));
        }
        self.lock(client, stored.as_ref(), &planned, &part)?;
        let number = self.begin(client, stored.as_ref(), &planned, &text, &part)?;
        self.run(client, &planned, &part)?;
        let steps = part.len();
        // A part that changes nothing would be done for ever.
        let stored = registry::find(client, self.name())?;
        if next_part(&self.plan(client, stored.as_ref())?.steps) == part {
            let left = part.into_iter().map(|step| step.sql).collect();
            return Err(BlueprintError::NotReached(left).into());
        }
        Ok(Applied { more: true, ..self.applied(number, "unfinished", steps, &planned) })
    }

    /// A build that rows would make fail is not begun, and not repeated: looking costs no less than building, so it is done once.
    fn look_ahead(
        &self,
        client: &mut SpiClient<'_>,
        noted: &[Deferred],
        planned: &Planned,
    ) -> Result<(), Error> {
        let is_new = |step: &&Step| {
            step.phase == Phase::Deferred
                && !step.optional
                && (step.operation == "rebuild_index"
                    || !noted.iter().any(|noted| noted.statement == step.sql))
        };
        run::look_ahead(client, planned.steps.iter().filter(is_new), Rows::OfTables)
    }

    fn check(&self, client: &mut SpiClient<'_>, planned: &Planned) -> Result<(), Error> {
        let steps = &planned.steps;
        run::check_permission(steps, &self.terms.allow, Rows::OfTables, |step| {
            run::values_lost(client, step, &|schema, table| planned.before(schema, table))
        })?;
        refuse_seed(&planned.seed)
    }

    /// Waits for the locks that steps take, and plans again under them.
    fn lock(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
        planned: &Planned,
        steps: &[Step],
    ) -> Result<(), Error> {
        schemas::claim(&changed_schemas(steps), self.terms.patience)?;
        let locks = run::locks(steps, &|schema, table| planned.before(schema, table));
        lock_tables(client, Owner::find()?, &locks, self.terms.patience)?;
        if self.plan(client, stored)?.steps != planned.steps {
            return Err(BlueprintError::Moved.into());
        }
        Ok(())
    }

    /// Runs steps, and gives the roles with a level their rights on what is new. What somebody has revoked on a table that
    /// was there stays revoked.
    fn run(
        &self,
        client: &mut SpiClient<'_>,
        planned: &Planned,
        steps: &[Step],
    ) -> Result<(), Error> {
        run::run(client, steps, Rows::OfTables)?;
        let of = |operation: &'static str| {
            steps.iter().filter(move |step| step.operation == operation).filter_map(|step| {
                let relation = step.relation.as_ref()?;
                Some((relation.schema.as_str(), relation.table.as_str(), step.object.as_str()))
            })
        };
        let adopted = planned.adopted.iter().map(|(schema, table)| (schema.as_str(), &**table));
        let tables: BTreeSet<(&str, &str)> =
            of("create_table").map(|(schema, table, _)| (schema, table)).chain(adopted).collect();
        let columns: Vec<(&str, &str, &str)> = of("add_column")
            .filter(|(schema, table, _)| !tables.contains(&(*schema, *table)))
            .collect();
        if tables.is_empty() && columns.is_empty() {
            return Ok(());
        }
        let owner = Owner::find()?;
        let _owner = owner.act();
        let tables: Vec<(&str, &str)> = tables.into_iter().collect();
        if !tables.is_empty() {
            of_blueprint::share_blueprint_tables(client, owner, &tables)?;
        }
        of_blueprint::share_new_columns(client, &columns)
    }

    /// Fails where rows of the seed are not there though they were written.
    fn check_seed(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
        planned: &Planned,
    ) -> Result<(), Error> {
        let left = self.seed(client, stored, planned, View::Done)?;
        if left.is_empty() {
            return Ok(());
        }
        refuse_seed(&left)?;
        let lines = left.into_iter().map(|seed| {
            let table = qualified(&seed.place.0, &seed.place.1);
            let rows = if seed.rows == 1 { "row" } else { "rows" };
            format!("{table}: {} {rows}: {}", seed.rows, seed.named)
        });
        Err(BlueprintError::SeedNotKept(lines.collect()).into())
    }

    /// Notes that the version is reached; fails where the next plan would not be empty.
    fn reach(
        &self,
        client: &mut SpiClient<'_>,
        number: i32,
        planned: &Planned,
    ) -> Result<(), Error> {
        let mut wanted = Wanted::default();
        wanted.add(&self.blueprint);
        let there = observed::load(client, &wanted, Telling::Lean)?;
        let printed = printed(&planned.targets, &there);
        registry::finish(client, self.name(), number, &planned.deferred, &printed)?;
        let stored = registry::find(client, self.name())?;
        let again = self.plan(client, stored.as_ref())?;
        if again.steps.is_empty() {
            return self.check_seed(client, stored.as_ref(), &again);
        }
        let left = again
            .steps
            .into_iter()
            .map(|step| if step.sql.is_empty() { step.hazards.join("; ") } else { step.sql });
        Err(BlueprintError::NotReached(left.collect()).into())
    }
}

/// The schemas that steps make, make something in, or drop.
fn changed_schemas(steps: &[Step]) -> BTreeSet<String> {
    let of = |step: &Step| match step.operation {
        "create_schema" | "drop_schema" => Some(step.object.clone()),
        "create_table" | "rename_table" | "move_table" => {
            step.relation.as_ref().map(|relation| relation.schema.clone())
        }
        _ => None,
    };
    steps.iter().filter_map(of).collect()
}

/// Takes a blueprint for this transaction, so that two never change it at once.
pub(crate) fn claim(name: &str, patience: Patience) -> Result<(), Error> {
    let lock = format!("kepler blueprint {name}");
    for _ in 0..patience.attempts.max(1) {
        if advisory::lock_alone_soon(&lock) {
            return Ok(());
        }
    }
    Err(BlueprintError::Busy(name.to_owned()).into())
}

/// The steps that the next transaction runs: those of one phase, and of validations one.
fn next_part(steps: &[Step]) -> Vec<Step> {
    let phase = steps.iter().map(|step| step.phase).filter(|phase| phase.is_run()).min();
    let of_phase = steps.iter().filter(|step| Some(step.phase) == phase).cloned();
    match phase {
        Some(Phase::Validate) => of_phase.take(1).collect(),
        _ => of_phase.collect(),
    }
}
