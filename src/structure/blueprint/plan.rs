//! Plans the way from the database as it is to a blueprint: what surrounds the tables, and the tables themselves.
//!
//! What the versions that were applied asked for is the blueprint's own. Anything else in its tables is somebody's, and is left
//! alone; a table or type that somebody has made under a name of the blueprint's is in the way.

mod called_otherwise;
mod lineage;
mod matched;
mod names;
pub(super) mod rights;
mod shared_keys;
mod surroundings;

use super::facts::{self, Facts, Wanted};
use super::lists::List;
use super::model::{Blueprint, EnumType, ModelTable, Tenancy};
use super::observed::{self, Tables};
use super::registry::{self, Deferred, Stored};
use super::schemas::{self, MadeSchema};
use super::seed;
use super::understanding;
use crate::error::Error;
use crate::ident::quote;
use crate::structure::apply;
use crate::structure::catalog::Telling;
use crate::structure::ddl::Dialect;
use crate::structure::plan::enums::{EnumGoal, ObservedEnum};
use crate::structure::plan::tables::{
    Guard, Present, TableGoal, TablesGoal, TablesPlan, Terms as TableTerms, plan_tables,
};
use crate::structure::sql_text::SqlText;
use crate::structure::step::{Class, Lock, Phase, Stage, Step};
use matched::{Matched, MatchedEnum};
use pgrx::spi::SpiClient;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Where a table is: schema and name.
pub(crate) type Place = (String, String);

/// How a blueprint is to be planned and applied.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Tables of the blueprint's names that are there already become its own.
    pub(crate) adopt: bool,
    /// SQL that is not known to be harmless is let through.
    pub(crate) trusted: bool,
    /// Not in one transaction.
    pub(crate) online: bool,
    /// Vector indexes are built with everything else.
    pub(crate) vector_indexes_now: bool,
}

/// What is to be planned.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r> {
    pub(crate) blueprint: &'r Blueprint,
    pub(crate) stored: Option<&'r Stored>,
    pub(crate) manner: Manner,
    /// Of the session.
    pub(crate) workspace_id: &'r str,
    /// Whether the caller has the rights of the owner.
    pub(crate) is_owner: bool,
}

/// Rows of a table that are to be written, by the caller.
#[derive(Debug, Clone)]
pub(crate) struct SeedStep {
    pub(crate) place: Place,
    pub(crate) statement: String,
    pub(crate) rows: usize,
    /// The first of them by their keys.
    pub(crate) named: String,
    /// Why they cannot be.
    pub(crate) refused: Vec<String>,
    pub(crate) hazards: Vec<String>,
}

/// What a plan found, and what it says.
pub(crate) struct Planned {
    /// In the order in which they are run; those of [`Phase::Deferred`] are only noted.
    pub(crate) steps: Vec<Step>,
    pub(crate) facts: Facts,
    /// The tables that are there, under their names of now.
    pub(crate) tables: Tables,
    /// For each table of the target that is there: what it is called now.
    pub(crate) places: HashMap<Place, Place>,
    /// Names of relations that the steps take from what has them now.
    freed: HashSet<Place>,
    /// Tables that become the blueprint's.
    pub(crate) adopted: HashSet<Place>,
    /// The tables that the blueprint asks for, trusted expressions as Postgres prints them.
    pub(crate) targets: Vec<ModelTable>,
    /// Of each of them: what the sequences of its columns are called at the end.
    sequences: Vec<HashMap<String, String>>,
    /// Indexes that are still to be built.
    pub(crate) deferred: Vec<Deferred>,
    /// Schemas that the plan makes.
    pub(crate) new_schemas: Vec<String>,
    /// The types that the blueprint asks for, and those that are there for them.
    pub(crate) enums: Vec<(EnumType, Option<ObservedEnum>)>,
    /// Of all types that the blueprint asks for, also where something is in the way.
    pub(crate) enum_places: Vec<Place>,
    /// The rows that are to be written behind the steps, as a plan shows them.
    pub(crate) seed: Vec<SeedStep>,
    tenancy: Tenancy,
}

impl Planned {
    /// Whether there is nothing to be run or noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.seed.is_empty()
    }

    /// What a table is called now, by the name that it has in the plan.
    pub(crate) fn before(&self, schema: &str, table: &str) -> Option<Place> {
        let place = (schema.to_owned(), table.to_owned());
        if let Some(before) = self.places.get(&place) {
            return Some(before.clone());
        }
        self.tables.contains_key(&place).then_some(place)
    }

    /// Whether a table's rows belong to workspaces.
    pub(crate) fn is_guarded(&self, table: &ModelTable) -> bool {
        Guard::of(&self.tenancy, table, "") != Guard::Open
    }

    /// How many rows a table has.
    pub(crate) fn estimated_rows(&self, schema: &str, table: &str) -> i64 {
        self.before(schema, table)
            .and_then(|place| self.tables.get(&place))
            .map_or(0, |observed| observed.estimated_rows)
    }
}

/// Plans a blueprint.
pub(crate) fn plan(client: &mut SpiClient<'_>, request: &Request<'_>) -> Result<Planned, Error> {
    let mut wanted = Wanted::default();
    wanted.add(request.blueprint);
    if let Some(stored) = request.stored {
        stored.versions().for_each(|version| wanted.add(&version.blueprint));
        wanted.whole_schemas.extend(stored.made_schemas.iter().cloned());
    }
    let facts = facts::load(client, &wanted)?;
    let dialect = apply::dialect(client)?;
    let mut refused = Vec::new();
    let mut blueprint = settled(request.blueprint, &facts, &dialect, &mut refused)?;
    let listed = List::Tables.of(client, &blueprint.name)?;
    if let Some(stored) = request.stored {
        called_otherwise::recognise(&mut blueprint, stored);
        lineage::tell_renames(&mut blueprint, stored, &facts, &listed);
    }
    let mut stored = request.stored.cloned();
    for version in
        stored.iter_mut().flat_map(|stored| stored.applied.iter_mut().chain(&mut stored.pending))
    {
        version.blueprint = settled(&version.blueprint, &facts, &dialect, &mut Vec::new())?;
    }
    let used = schemas_of(&blueprint);
    let made = stored.as_ref().map_or(&[][..], |stored| &stored.made_schemas).iter();
    let left: Vec<&str> = made.map(String::as_str).filter(|name| !used.contains(*name)).collect();
    let world = World {
        left: schemas::load(client, &left)?,
        others: List::Tables.of_others(client, &blueprint)?,
        listed,
        other_enums: List::Enums.of_others(client, &blueprint)?,
        listed_enums: List::Enums.of(client, &blueprint.name)?,
        schemas: registry::used_schemas(client)?.into_iter().collect(),
        dialect,
        facts,
    };
    let request = Request { blueprint: &blueprint, stored: stored.as_ref(), ..*request };
    // What rests on the tables is looked up where something is to be done, which is seldom.
    let versions = stored.iter().flat_map(Stored::versions).map(|version| &version.blueprint);
    let models: Vec<&ModelTable> =
        std::iter::once(&blueprint).chain(versions).flat_map(|version| &version.tables).collect();
    let load = |telling| -> Result<Tables, Error> {
        let mut tables = observed::load(client, &wanted, telling)?;
        understanding::recognise(&mut tables, models.iter().copied(), &world.dialect)?;
        Ok(tables)
    };
    let tables = load(Telling::Lean)?;
    let mut planned = world.plan(&request, tables)?;
    if planned.steps.iter().any(|step| step.relation.is_some()) {
        let tables = load(Telling::Whole)?;
        planned = world.plan(&request, tables)?;
        let own = world.listed.keys().chain(planned.places.values()).cloned().collect();
        names::refuse_taken(client, &mut planned, &own)?;
    }
    planned.steps.splice(0..0, refused);
    Ok(Planned { facts: world.facts, ..planned })
}

/// A blueprint with the schemas of what comes from extensions; what none has is refused.
fn settled(
    blueprint: &Blueprint,
    facts: &Facts,
    dialect: &Dialect,
    refused: &mut Vec<Step>,
) -> Result<Blueprint, Error> {
    let mut blueprint = blueprint.clone();
    let missing = blueprint.settle_schemas(&|name| facts.type_schema(name), &|method, name| {
        facts.class_schema(method, name)
    });
    for what in &missing {
        let own = what.strip_prefix("type ").map(understanding::is_postgres_own).transpose()?;
        let why = match own {
            Some(true) => format!("{what} is Postgres' own, and none that a field has"),
            _ => format!(
                "neither Postgres nor an extension of this database has {what}: correct the name, or let a superuser \
                 create the extension that has it"
            ),
        };
        refused.push(Step::refused("find_type", what, why).stage(Stage::Schema));
    }
    if missing.is_empty() {
        for what in facts.foreign_types(&blueprint) {
            let why = format!(
                "{what} is neither Postgres' own nor of an extension of a superuser: its code would run with the rights \
                 of the owner"
            );
            refused.push(Step::refused("find_type", &what, why).stage(Stage::Schema));
        }
    }
    if missing.is_empty() && refused.is_empty() {
        understanding::settle_rules(&mut blueprint, dialect)?;
    }
    Ok(blueprint)
}

/// What there is beside the tables.
struct World {
    facts: Facts,
    /// Tables of the blueprint's names that belong to another one, and to which.
    others: HashMap<Place, String>,
    /// The blueprint's own, and what its documents call them.
    listed: HashMap<Place, String>,
    /// The same of types.
    other_enums: HashMap<Place, String>,
    listed_enums: HashMap<Place, String>,
    /// Those that blueprints are in.
    schemas: HashSet<String>,
    dialect: Dialect,
    /// Those that the blueprint made, and has nothing in any more.
    left: Vec<MadeSchema>,
}

impl World {
    /// Drops the schemas that are empty then.
    fn drop_schemas(&self, matched: &[Matched], enums: &[MatchedEnum<'_>]) -> Vec<Step> {
        let table_leaves = |schema: &str, name: &String| {
            matched.iter().any(|table| {
                let is_it = table.now.as_ref().is_some_and(|now| now.0 == schema && now.1 == *name);
                is_it && table.target.as_ref().is_none_or(|target| target.schema != schema)
            })
        };
        let type_leaves = |schema: &str, name: &String| {
            enums.iter().any(|one| {
                let now = one.now.as_ref();
                now.is_some_and(|now| now.schema == schema && now.name == *name)
                    && one.target.is_none_or(|target| target.schema != schema)
            })
        };
        let is_left = |made: &&MadeSchema| {
            !made.kept
                && made.tables.iter().all(|name| table_leaves(&made.name, name))
                && made.types.iter().all(|name| type_leaves(&made.name, name))
        };
        let steps = self.left.iter().filter(is_left).map(|made| {
            let name = quote(&made.name);
            Step::instant("drop_schema", &made.name, format!("DROP SCHEMA {name}"))
                .stage(Stage::DropSchema)
                .lock(Lock::ShareUpdateExclusive)
                .undone_by(format!("CREATE SCHEMA {name}"))
        });
        steps.collect()
    }

    /// Who may make something beside the tables can put it before what statements with bare names mean.
    fn warn_of_others(&self, steps: &mut [Step]) {
        for step in steps.iter_mut().filter(|step| step.operation == "create_table") {
            let Some(relation) = &step.relation else { continue };
            let Some(schema) = self.facts.schema(&relation.schema) else { continue };
            if !schema.open_to.is_empty() {
                step.hazards.push(format!(
                    "schema: others may create objects in it ({})",
                    schema.open_to.join(", ")
                ));
            }
        }
    }

    fn plan(&self, request: &Request<'_>, tables: Tables) -> Result<Planned, Error> {
        let Request { blueprint, stored, .. } = request;
        let planner = Planner { request, world: self, facts: &self.facts, tables: &tables };
        let mut steps = planner.surroundings(&self.schemas);
        let printed = stored.map(Stored::printed).unwrap_or_default();
        let mut matched = planner.matched(&printed, &mut steps);
        for table in &mut matched {
            let Some(observed) = table.now.as_ref().and_then(|now| tables.get(now)) else {
                continue;
            };
            for wanted in table.target.iter_mut().chain(&mut table.managed) {
                understanding::settle_table(wanted, observed, &self.dialect)?;
            }
        }
        steps.extend(planner.untrusted(&matched));
        let enums = planner.matched_enums(&mut steps);
        let terms = TableTerms {
            online: request.manner.online,
            adopt: request.manner.adopt && request.is_owner,
            defer_vector_indexes: !request.manner.vector_indexes_now,
        };
        let workspace_id = planner.workspace_id();
        let seeded = seed::enum_values(blueprint);
        let goal = TablesGoal {
            tables: matched
                .iter()
                .map(|table| TableGoal {
                    now: table.now.as_ref().and_then(|place| {
                        let observed = tables.get(place)?;
                        Some(Present { observed, keeping: table.keeping.as_ref()? })
                    }),
                    managed: table.managed.as_ref(),
                    managed_guard: table.managed_guard,
                    target: table.target.as_ref(),
                    guard: table.target.as_ref().map_or(Guard::Open, |target| {
                        Guard::of(&blueprint.tenancy, target, &workspace_id)
                    }),
                })
                .collect(),
            enums: enums
                .iter()
                .map(|one| EnumGoal {
                    now: one.now.as_ref(),
                    managed: one.managed,
                    target: one.target,
                    seeded: one.target.map_or_else(Vec::new, |target| {
                        let place = (target.schema.as_str(), target.type_name.as_str());
                        seeded.get(&place).cloned().unwrap_or_default()
                    }),
                })
                .collect(),
            terms,
            dialect: &self.dialect,
        };
        let TablesPlan { steps: mut of_tables, freed, sequences } = plan_tables(&goal);
        planner.reserve(&mut of_tables, &matched, &enums);
        steps.extend(planner.reserved(&matched));
        steps.extend(of_tables);
        steps.extend(self.drop_schemas(&matched, &enums));
        match terms.online {
            // In the order in which they are run.
            true => steps.sort_by_key(|step| (step.phase, step.stage)),
            false => steps.sort_by_key(|step| step.stage),
        }
        self.warn_of_others(&mut steps);
        shared_keys::warn(&mut steps, &matched, &blueprint.tenancy);
        let deferred = take_deferred(&mut steps, stored.map_or(&[], |stored| &stored.deferred));
        let places = matched
            .iter()
            .filter_map(|table| {
                let target = table.target.as_ref()?;
                let place = (target.schema.clone(), target.table_name.clone());
                Some((place, table.now.clone()?))
            })
            .collect();
        let is_adopted =
            |table: &&Matched| table.now.as_ref().is_some_and(|now| !self.listed.contains_key(now));
        let adopted = matched
            .iter()
            .filter(is_adopted)
            .filter_map(|table| table.target.as_ref())
            .map(|target| (target.schema.clone(), target.table_name.clone()))
            .collect();
        let new_schemas = steps
            .iter()
            .filter(|step| step.operation == "create_schema" && step.class != Class::Refused)
            .map(|step| step.object.clone())
            .collect();
        let (targets, sequences) = matched
            .into_iter()
            .zip(sequences)
            .filter_map(|(table, sequences)| Some((table.target?, sequences)))
            .unzip();
        let enums =
            enums.iter().filter_map(|one| Some((one.target?.clone(), one.now.clone()))).collect();
        let enum_places =
            blueprint.enums.iter().map(|one| (one.schema.clone(), one.type_name.clone())).collect();
        let tenancy = blueprint.tenancy.clone();
        let facts = Facts::default();
        let seed = Vec::new();
        Ok(Planned {
            steps,
            places,
            freed,
            adopted,
            targets,
            sequences,
            deferred,
            new_schemas,
            enums,
            enum_places,
            seed,
            tenancy,
            facts,
            tables,
        })
    }
}

/// What is deferred, all of it; a step that need not be done and is noted already is not told again.
fn take_deferred(steps: &mut Vec<Step>, noted: &[Deferred]) -> Vec<Deferred> {
    let mut deferred = Vec::new();
    steps.retain(|step| {
        let Some(relation) = step.relation.as_ref().filter(|_| step.phase == Phase::Deferred)
        else {
            return true;
        };
        let one = Deferred {
            schema: relation.schema.clone(),
            table: relation.table.clone(),
            name: step.object.clone(),
            statement: step.sql.clone(),
            of_vectors: step.optional,
        };
        let is_noted = noted.contains(&one);
        deferred.push(one);
        !(is_noted && step.optional)
    });
    // What is waited for comes first.
    deferred.sort_by_key(|one| one.of_vectors);
    deferred
}

struct Planner<'p> {
    request: &'p Request<'p>,
    world: &'p World,
    facts: &'p Facts,
    tables: &'p Tables,
}

impl Planner<'_> {
    fn blueprint(&self) -> &Blueprint {
        self.request.blueprint
    }

    /// The workspace that tenancy `workspace` means: the one that applied the first version.
    fn workspace_id(&self) -> String {
        let stored = self.request.stored.and_then(|stored| stored.workspace_id.clone());
        stored.unwrap_or_else(|| self.request.workspace_id.to_owned())
    }
}

/// Those of the blueprint's tables and types.
fn schemas_of(blueprint: &Blueprint) -> BTreeSet<String> {
    let tables = blueprint.tables.iter().map(|table| table.schema.clone());
    tables.chain(blueprint.enums.iter().map(|one| one.schema.clone())).collect()
}

/// Under which an expression's printed form is kept.
pub(crate) fn printed_key(table: &ModelTable, text: &SqlText) -> String {
    // In quotes: no name and expression have the key of others.
    format!("{:?}: {}", table.name, text.normal)
}
