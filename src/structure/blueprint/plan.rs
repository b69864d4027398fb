//! Plans the way from the database as it is to a blueprint: what surrounds the tables, and the tables themselves.
//!
//! What the versions that were applied asked for is the blueprint's own. Anything else in its tables is somebody's, and is left
//! alone; a table or type that somebody has made under a name of the blueprint's is in the way.

use super::facts::{self, Facts, Wanted};
use super::keeping::keeping;
use super::model::{Blueprint, EnumType, ModelTable, Tenancy};
use super::observed::{self, Tables};
use super::registry::{self, Later, Printed, Stored};
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::structure::apply;
use crate::structure::catalog::Telling;
use crate::structure::ddl::Dialect;
use crate::structure::plan::enums::{EnumGoal, ObservedEnum};
use crate::structure::plan::tables::{
    Guard, Keeping, Present, TableGoal, TablesGoal, Terms as TableTerms, plan_tables,
};
use crate::structure::sql_text::SqlText;
use crate::structure::step::{Class, Phase, Relation, Stage, Step};
use crate::structure::table::{ColumnDefault, Rule, Table};
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

/// What a plan found, and what it says.
pub(crate) struct Planned {
    /// In the order in which they are run; those of [`Phase::Later`] are only noted.
    pub(crate) steps: Vec<Step>,
    pub(crate) facts: Facts,
    /// The tables that are there, under their names of now.
    pub(crate) tables: Tables,
    /// For each table of the target that is there: what it is called now.
    pub(crate) places: HashMap<Place, Place>,
    /// The tables that the blueprint asks for, trusted expressions as Postgres prints them.
    pub(crate) targets: Vec<ModelTable>,
    /// Indexes that are still to be built.
    pub(crate) later: Vec<Later>,
    /// Schemas that the plan makes.
    pub(crate) new_schemas: Vec<String>,
    /// The types that the blueprint asks for, and those that are there for them.
    pub(crate) enums: Vec<(EnumType, Option<ObservedEnum>)>,
    tenancy: Tenancy,
}

impl Planned {
    /// Whether there is nothing to be run or noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
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
    let mut refused = Vec::new();
    let blueprint = settled(request.blueprint, &facts, &mut refused);
    let stored = request.stored.map(|stored| {
        let mut stored = stored.clone();
        for version in stored.applied.iter_mut().chain(&mut stored.pending) {
            version.blueprint = settled(&version.blueprint, &facts, &mut Vec::new());
        }
        stored
    });
    let world = World {
        others: registry::tables_of_others(client, &blueprint)?,
        schemas: registry::used_schemas(client)?.into_iter().collect(),
        dialect: apply::dialect(client)?,
        facts,
    };
    let request = Request { blueprint: &blueprint, stored: stored.as_ref(), ..*request };
    // What rests on the tables is looked up where something is to be done, which is seldom.
    let tables = observed::load(client, &wanted, Telling::Lean)?;
    let mut planned = world.plan(&request, tables);
    if planned.steps.iter().any(|step| step.relation.is_some()) {
        let tables = observed::load(client, &wanted, Telling::Whole)?;
        planned = world.plan(&request, tables);
    }
    planned.steps.splice(0..0, refused);
    Ok(Planned { facts: world.facts, ..planned })
}

/// A blueprint with the schemas of what comes from extensions; what none has is refused.
fn settled(blueprint: &Blueprint, facts: &Facts, refused: &mut Vec<Step>) -> Blueprint {
    let mut blueprint = blueprint.clone();
    let missing = blueprint.settle_schemas(&|name| facts.type_schema(name), &|method, name| {
        facts.class_schema(method, name)
    });
    for what in &missing {
        let why = format!("no extension of this database has {what}: a superuser may create it");
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
    blueprint
}

/// What there is beside the tables.
struct World {
    facts: Facts,
    /// Tables of the blueprint's names that belong to another one, and to which.
    others: HashMap<Place, String>,
    /// Those that blueprints are in.
    schemas: HashSet<String>,
    dialect: Dialect,
}

impl World {
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

    fn plan(&self, request: &Request<'_>, tables: Tables) -> Planned {
        let Request { blueprint, stored, .. } = request;
        let planner =
            Planner { request, facts: &self.facts, tables: &tables, others: &self.others };
        let mut steps = planner.surroundings(&self.schemas);
        let printed = stored.map(Stored::printed).unwrap_or_default();
        let matched = planner.matched(&printed, &mut steps);
        steps.extend(planner.untrusted(&matched));
        let enums = planner.matched_enums(&mut steps);
        let terms = TableTerms {
            online: request.manner.online,
            defer_vector_indexes: !request.manner.vector_indexes_now,
        };
        let workspace_id = planner.workspace_id();
        let goal = TablesGoal {
            tables: matched
                .iter()
                .map(|table| TableGoal {
                    now: table.now.as_ref().and_then(|place| {
                        let observed = tables.get(place)?;
                        Some(Present { observed, keeping: table.keeping.as_ref()? })
                    }),
                    managed: table.managed.as_ref(),
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
                })
                .collect(),
            terms,
            dialect: &self.dialect,
        };
        steps.extend(plan_tables(&goal));
        steps.sort_by_key(|step| step.stage);
        self.warn_of_others(&mut steps);
        let later = take_later(&mut steps, stored.map_or(&[], |stored| &stored.later));
        let places = matched
            .iter()
            .filter_map(|table| {
                let target = table.target.as_ref()?;
                let place = (target.schema.clone(), target.table_name.clone());
                Some((place, table.now.clone()?))
            })
            .collect();
        let new_schemas = steps
            .iter()
            .filter(|step| step.operation == "create_schema" && step.class != Class::Refused)
            .map(|step| step.object.clone())
            .collect();
        let targets = matched.into_iter().filter_map(|table| table.target).collect();
        let enums =
            enums.iter().filter_map(|one| Some((one.target?.clone(), one.now.clone()))).collect();
        let tenancy = blueprint.tenancy.clone();
        let facts = Facts::default();
        Planned { steps, places, targets, later, new_schemas, enums, tenancy, facts, tables }
    }
}

/// What is to be built later, all of it; a step whose index is noted already is not told again.
fn take_later(steps: &mut Vec<Step>, noted: &[Later]) -> Vec<Later> {
    let mut later = Vec::new();
    steps.retain(|step| {
        let Some(relation) = step.relation.as_ref().filter(|_| step.phase == Phase::Later) else {
            return true;
        };
        let table = qualified(&relation.schema, &relation.table);
        let one = Later {
            schema: relation.schema.clone(),
            table: relation.table.clone(),
            name: step.object.clone(),
            statement: step.sql.clone(),
            of_vectors: ["hnsw", "ivfflat"]
                .into_iter()
                .any(|method| step.sql.contains(&format!(" ON {table} USING {method} ("))),
        };
        let is_noted = noted.contains(&one);
        later.push(one);
        !is_noted
    });
    later
}

/// A table of the blueprint and the one that is there for it.
struct Matched {
    now: Option<Place>,
    keeping: Option<Keeping>,
    managed: Option<ModelTable>,
    target: Option<ModelTable>,
}

/// A type of the blueprint and the one that is there for it.
struct MatchedEnum<'m> {
    now: Option<ObservedEnum>,
    managed: bool,
    target: Option<&'m EnumType>,
}

struct Planner<'p> {
    request: &'p Request<'p>,
    facts: &'p Facts,
    tables: &'p Tables,
    /// Tables of this blueprint's names that belong to another one, and to which.
    others: &'p HashMap<Place, String>,
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

    /// Schemas that are to be there, and what is to be there before anything is made in them.
    fn surroundings(&self, trusted: &HashSet<String>) -> Vec<Step> {
        let blueprint = self.blueprint();
        let mut steps = Vec::new();
        let mut refuse = |operation: &'static str, object: &str, why: String, sql: String| {
            let step = Step::refused(operation, object, why).stage(Stage::Schema);
            steps.push(Step { sql, ..step });
        };
        let applied = self.request.stored.and_then(|stored| stored.applied.as_ref());
        if let Some((given, found)) =
            blueprint.version.zip(applied.and_then(|version| version.document_version))
            && (given as i32) < found
        {
            let why = format!("version {found} was applied, and the document says version {given}");
            refuse("check_version", &blueprint.name, why, String::new());
        }
        if blueprint.tenancy == Tenancy::Workspace
            && let Some(owner) = self.request.stored.and_then(|stored| stored.workspace_id.as_ref())
            && owner != self.request.workspace_id
            && !self.request.is_owner
        {
            let why = format!("it belongs to workspace \"{owner}\", which is not the session's");
            refuse("check_workspace", &blueprint.name, why, String::new());
        }
        for extension in &blueprint.extensions {
            if !self.facts.extensions.contains(extension) {
                let sql = format!("CREATE EXTENSION {}", quote(extension));
                let why =
                    "the extension is not in this database: a superuser may run the statement";
                refuse("create_extension", extension, why.to_owned(), sql);
            }
        }
        let mut create = Vec::new();
        for schema in self.schemas() {
            let Some(fact) = self.facts.schema(&schema) else {
                let quoted = quote(&schema);
                let step =
                    Step::instant("create_schema", &schema, format!("CREATE SCHEMA {quoted}"));
                let step = step.stage(Stage::Schema);
                create.push(step.undone_by(format!("DROP SCHEMA {quoted}")));
                continue;
            };
            if !fact.trusted {
                let why = format!(
                    "the schema belongs to \"{}\", who could put other tables into the place of the blueprint's: \
                     give it to the owner of Kepler's tables, or let the blueprint have another schema",
                    fact.owner
                );
                refuse("create_schema", &schema, why, String::new());
                continue;
            }
            let is_open = trusted.contains(&schema) || fact.ours && fact.empty;
            if !(is_open || self.request.is_owner) {
                let why = "the schema is there already and not a blueprint's: the owner of Kepler's tables, or a \
                           superuser, has to apply the first version";
                refuse("create_schema", &schema, why.to_owned(), String::new());
            }
        }
        steps.extend(create);
        steps
    }

    /// Those of the blueprint's tables and types.
    fn schemas(&self) -> BTreeSet<String> {
        let blueprint = self.blueprint();
        let tables = blueprint.tables.iter().map(|table| table.schema.clone());
        tables.chain(blueprint.enums.iter().map(|one| one.schema.clone())).collect()
    }

    /// The table of a version that was applied, and of the one that is under way.
    fn stored(&self, name: &str) -> Vec<&ModelTable> {
        self.request.stored.map_or_else(Vec::new, |stored| {
            stored
                .versions()
                .filter_map(|version| version.blueprint.tables.iter().find(|t| t.name == name))
                .collect()
        })
    }

    /// Pairs the tables of the blueprint with those that are there, and notes what is in the way.
    fn matched(&self, printed: &Printed, steps: &mut Vec<Step>) -> Vec<Matched> {
        let blueprint = self.blueprint();
        let mut found = Vec::new();
        let mut used: HashSet<Place> = HashSet::new();
        let names: HashSet<&str> = blueprint.tables.iter().map(|t| t.name.as_str()).collect();
        for table in &blueprint.tables {
            let mut versions = self.stored(&table.name);
            let from = table.renamed_from.as_deref().filter(|from| !names.contains(from));
            let older = from.map_or_else(Vec::new, |from| self.stored(from));
            if let Some(from) = from {
                if versions.is_empty() && older.is_empty() {
                    let why = format!(
                        "table \"{from}\" is not one of the blueprint's, so it cannot be renamed: leave renamed_from out \
                         to add a new table"
                    );
                    steps
                        .push(Step::refused("rename_table", &table.name, why).stage(Stage::Schema));
                } else if self.is_applied(&table.name) && self.is_applied(from) {
                    let why = format!(
                        "both \"{from}\" and \"{}\" are tables of the blueprint: leave renamed_from out, or drop one of them \
                         in a version of its own",
                        table.name
                    );
                    steps
                        .push(Step::refused("rename_table", &table.name, why).stage(Stage::Schema));
                }
            }
            versions.extend(older);
            let place = (table.schema.clone(), table.table_name.clone());
            let places = versions.iter().map(|t| (t.schema.clone(), t.table_name.clone()));
            // What was renamed by the first steps of a version under way is there by its new name.
            let now = std::iter::once(place.clone())
                .filter(|_| !versions.is_empty())
                .chain(places)
                .find(|place| self.own(place) && !used.contains(place));
            let mut managed = versions.iter().copied().cloned().reduce(merged);
            let now = now.or_else(|| self.adopted(&place, &mut managed));
            if now.as_ref() != Some(&place)
                && !self.is_leaving(&place, &names)
                && let Some(step) = self.in_the_way(&place)
            {
                steps.push(step);
                continue;
            }
            used.extend(now.clone());
            found.push(Matched {
                keeping: now.as_ref().and_then(|at| self.keeping(at)),
                now,
                managed: managed.map(|table| as_printed(table, printed)),
                target: Some(as_printed(with_columns_renamed(table, &versions), printed)),
            });
        }
        for table in self.leaving(&names) {
            let place = (table.schema.clone(), table.table_name.clone());
            if self.own(&place) && used.insert(place.clone()) {
                found.push(Matched {
                    keeping: self.keeping(&place),
                    now: Some(place),
                    managed: Some(table.clone()),
                    target: None,
                });
            }
        }
        found
    }

    fn is_applied(&self, name: &str) -> bool {
        let applied = self.request.stored.and_then(|stored| stored.applied.as_ref());
        applied.is_some_and(|version| version.blueprint.tables.iter().any(|t| t.name == name))
    }

    /// Tables of the versions before that the blueprint does not have any more.
    fn leaving(&self, names: &HashSet<&str>) -> Vec<&ModelTable> {
        let renamed: HashSet<&str> =
            self.blueprint().tables.iter().filter_map(|t| t.renamed_from.as_deref()).collect();
        let Some(stored) = self.request.stored else { return Vec::new() };
        let mut leaving: Vec<&ModelTable> = Vec::new();
        for table in stored.versions().flat_map(|version| &version.blueprint.tables) {
            let name = table.name.as_str();
            if !names.contains(name) && !renamed.contains(name) {
                leaving.push(table);
            }
        }
        leaving
    }

    fn is_leaving(&self, place: &Place, names: &HashSet<&str>) -> bool {
        let at = |table: &&ModelTable| table.schema == place.0 && table.table_name == place.1;
        self.leaving(names).iter().any(at)
            || self.blueprint().tables.iter().any(|table| {
                // It takes another name itself.
                let before = self.stored(&table.name).into_iter().chain(
                    table.renamed_from.as_deref().map_or_else(Vec::new, |from| self.stored(from)),
                );
                (table.schema.as_str(), table.table_name.as_str()) != (&place.0, &place.1)
                    && before.into_iter().any(|before| at(&before))
                    && self.own(place)
            })
    }

    /// Whether the table is there, plain, the owner's and not another blueprint's.
    fn own(&self, place: &Place) -> bool {
        let relation = self.facts.relation(&place.0, &place.1);
        relation.is_some_and(|relation| relation.is_table() && relation.ours)
            && self.tables.contains_key(place)
            && !self.others.contains_key(place)
    }

    fn keeping(&self, place: &Place) -> Option<Keeping> {
        self.tables.get(place).map(keeping)
    }

    /// A table that the owner made and lets the blueprint have.
    fn adopted(&self, place: &Place, managed: &mut Option<ModelTable>) -> Option<Place> {
        if !(self.request.manner.adopt && self.request.is_owner && self.own(place)) {
            return None;
        }
        // Nothing of it is the blueprint's yet.
        let target = self
            .blueprint()
            .tables
            .iter()
            .find(|t| t.schema == place.0 && t.table_name == place.1)?;
        if managed.is_none() {
            let table = Table {
                description: None,
                columns: Vec::new(),
                rules: Vec::new(),
                names: Vec::new(),
            };
            *managed = Some(ModelTable {
                table,
                fields: Vec::new(),
                renames: Vec::new(),
                fills: Vec::new(),
                ..target.clone()
            });
        }
        Some(place.clone())
    }

    /// What has the name of a table that is to be made.
    fn in_the_way(&self, place: &Place) -> Option<Step> {
        let relation = self.facts.relation(&place.0, &place.1)?;
        let name = qualified(&place.0, &place.1);
        let what = relation.kind_text();
        let why = if let Some(other) = self.others.get(place) {
            format!("table {name} belongs to blueprint \"{other}\"")
        } else if !relation.ours {
            format!("{what} {name} belongs to \"{}\"", relation.owner)
        } else if !relation.is_table() || relation.extension {
            format!("{what} {name} has the name of a table of the blueprint")
        } else if self.request.manner.adopt {
            format!("table {name} is adopted only by the owner of Kepler's tables or a superuser")
        } else {
            format!(
                "table {name} is there and not the blueprint's: options => '{{\"adopt\": true}}' makes it so, as it is, \
                 and plans the rest"
            )
        };
        let relation =
            Relation { schema: place.0.clone(), table: place.1.clone(), key: Vec::new() };
        Some(Step::refused("create_table", &place.1, why).stage(Stage::Schema).of(&relation))
    }

    /// Pairs the types of the blueprint with those that are there.
    fn matched_enums(&self, steps: &mut Vec<Step>) -> Vec<MatchedEnum<'_>> {
        let blueprint = self.blueprint();
        let managed: Vec<&EnumType> = self
            .request
            .stored
            .into_iter()
            .flat_map(Stored::versions)
            .flat_map(|version| &version.blueprint.enums)
            .collect();
        let mut found = Vec::new();
        let mut used: HashSet<Place> = HashSet::new();
        let place = |one: &EnumType| (one.schema.clone(), one.type_name.clone());
        for one in &blueprint.enums {
            let from = one.renamed_from.as_deref();
            let from = from.filter(|from| !blueprint.enums.iter().any(|e| e.name == *from));
            let versions: Vec<&EnumType> = managed
                .iter()
                .copied()
                .filter(|before| before.name == one.name || Some(before.name.as_str()) == from)
                .collect();
            let now = std::iter::once(place(one))
                .filter(|_| !versions.is_empty())
                .chain(versions.iter().map(|before| place(before)))
                .find(|place| self.own_enum(place).is_some() && !used.contains(place));
            let adopts = self.request.manner.adopt && self.request.is_owner;
            let now = now.or_else(|| {
                Some(place(one)).filter(|place| adopts && self.own_enum(place).is_some())
            });
            if now.as_ref() != Some(&place(one))
                && let Some(fact) = self.facts.enum_type(&one.schema, &one.type_name)
                && !managed.iter().any(|before| place(before) == place(one))
            {
                let name = qualified(&one.schema, &one.type_name);
                let why = if !fact.ours {
                    format!("type {name} belongs to \"{}\"", fact.owner)
                } else if fact.kind != 'e' {
                    format!("type {name} has the name of an enum of the blueprint, and is none")
                } else {
                    format!(
                        "type {name} is there and not the blueprint's: options => '{{\"adopt\": true}}' makes it so"
                    )
                };
                steps.push(Step::refused("create_type", &one.type_name, why).stage(Stage::Schema));
                continue;
            }
            used.extend(now.clone());
            let now = now.and_then(|place| self.own_enum(&place));
            found.push(MatchedEnum { managed: now.is_some(), now, target: Some(one) });
        }
        for before in managed {
            if used.insert(place(before))
                && let Some(now) = self.own_enum(&place(before))
            {
                found.push(MatchedEnum { now: Some(now), managed: true, target: None });
            }
        }
        found
    }

    /// An enum that is there and the owner's.
    fn own_enum(&self, place: &Place) -> Option<ObservedEnum> {
        let fact = self.facts.enum_type(&place.0, &place.1)?;
        (fact.kind == 'e' && fact.ours).then(|| fact.observed())
    }

    /// SQL that nobody has vouched for yet.
    fn untrusted(&self, matched: &[Matched]) -> Vec<Step> {
        if self.request.manner.trusted && self.request.is_owner {
            return Vec::new();
        }
        let mut steps = Vec::new();
        for table in matched {
            let Some(target) = &table.target else { continue };
            let known = table.managed.as_ref().map(|table| texts(&table.table));
            for (object, text) in texts(&target.table) {
                let is_known = known.as_ref().is_some_and(|known| {
                    known.iter().any(|(other, known)| *other == object && *known == text)
                });
                if text.trusted && !is_known {
                    let why = format!(
                        "this SQL is not known to be harmless: {}. The owner of Kepler's tables, or a superuser, lets it \
                         through with {{\"trusted\": true}} in options",
                        crate::json::shorten(&text.text)
                    );
                    let step = Step::refused("trust_sql", &object, why).stage(Stage::Schema);
                    steps.push(step);
                }
            }
        }
        steps
    }
}

/// The expressions of a table, by column or by index.
fn texts(table: &Table) -> Vec<(String, &SqlText)> {
    let defaults = table.columns.iter().filter_map(|column| match &column.default {
        Some(ColumnDefault::Sql(text)) => Some((column.name.clone(), text)),
        _ => None,
    });
    let predicates = table.rules.iter().filter_map(|rule| match rule {
        Rule::Index(index) => Some((rule.columns().join(","), index.predicate.as_ref()?)),
        _ => None,
    });
    defaults.chain(predicates).collect()
}

/// Under which an expression's printed form is kept.
pub(crate) fn printed_key(table: &ModelTable, text: &SqlText) -> String {
    format!("{}: {}", table.name, text.normal)
}

/// Trusted expressions in the form in which Postgres prints them.
fn as_printed(mut table: ModelTable, printed: &Printed) -> ModelTable {
    if printed.is_empty() {
        return table;
    }
    let key = |text: &SqlText| format!("{}: {}", table.name, text.normal);
    let replace = |text: &mut SqlText| {
        if let Some(normal) = printed.get(&key(text)).filter(|_| text.trusted) {
            text.normal = normal.clone();
        }
    };
    for column in &mut table.table.columns {
        if let Some(ColumnDefault::Sql(text)) = &mut column.default {
            replace(text);
        }
    }
    for rule in &mut table.table.rules {
        if let Rule::Index(index) = rule
            && let Some(text) = &mut index.predicate
        {
            replace(text);
        }
    }
    table
}

/// A document tells the fields that are renamed, and older versions which columns these were; a field may also have got another
/// column.
fn with_columns_renamed(table: &ModelTable, versions: &[&ModelTable]) -> ModelTable {
    let column_of = |name: &str| {
        let fields = versions.iter().flat_map(|version| &version.fields);
        fields.into_iter().find(|(field, _)| field == name).map(|(_, column)| column.clone())
    };
    let mut renamed = table.clone();
    for (from, _) in &mut renamed.renames {
        if let Some(column) = column_of(from) {
            *from = column;
        }
    }
    for (name, column) in &table.fields {
        let Some(before) = column_of(name).filter(|before| before != column) else { continue };
        let is_told = renamed.renames.iter().any(|(from, to)| *from == before || to == column);
        let stays = table.fields.iter().any(|(_, column)| *column == before);
        if !is_told && !stays {
            renamed.renames.push((before, column.clone()));
        }
    }
    renamed.renames.retain(|(from, to)| from != to);
    renamed
}

/// What either of two versions of a table asked for.
fn merged(applied: ModelTable, pending: ModelTable) -> ModelTable {
    let mut table = pending;
    for column in applied.table.columns {
        if table.table.column(&column.name).is_none() {
            table.table.columns.push(column);
        }
    }
    for (rule, name) in applied
        .table
        .rules
        .into_iter()
        .zip(applied.table.names.into_iter().chain(std::iter::repeat(None)))
    {
        if !table.table.rules.contains(&rule) {
            table.table.push_named(rule, name);
        }
    }
    table
}
