//! Names that are left too late: a plan gives something a name that something else still has, and leaves only later in the
//! plan, or that goes round in a circle. That other one steps aside first.
//!
//! Tables, indexes and sequences of a schema have one list of names, its types and tables another one, and the constraints
//! of a table one of their own. Tables that exchange names make room for each other themselves (`tables_renamed`).

use super::tables::{Present, TableGoal, TablesGoal};
use crate::field_types::kind::FieldKind;
use crate::ident::{qualified, quote};
use crate::structure::blueprint::model::ModelTable;
use crate::structure::facts::DependentKind;
use crate::structure::observe::{By, Observed};
use crate::structure::plan::enums::{EnumGoal, ObservedEnum};
use crate::structure::plan::tables::Keeping;
use crate::structure::step::{Lock, Phase, Relation, Stage, Step};
use crate::structure::table::{Rule, Table};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Table,
    Index,
    /// A constraint that an index of its name belongs to.
    Key,
    Constraint,
    Sequence,
    Type,
}

/// Where a name is one: the schema, of a constraint also the table by its new name, and the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct At {
    list: List,
    schema: String,
    table: String,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum List {
    Relations,
    Types,
    Constraints,
}

/// Something gets a name, leaves it, or changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    kind: Kind,
    /// Of constraints.
    table: String,
    /// Schema and name.
    from: Option<(String, String)>,
    to: Option<(String, String)>,
    /// Of an online plan, whose steps are run in the order of their phases.
    phase: Phase,
    stage: Stage,
}

impl Move {
    pub(super) fn in_schema(
        kind: Kind,
        schema: &str,
        from: Option<&str>,
        to: Option<&str>,
        stage: Stage,
    ) -> Self {
        let at = |name: &str| (schema.to_owned(), name.to_owned());
        let table = String::new();
        Self { kind, table, from: from.map(at), to: to.map(at), phase: Phase::Prepare, stage }
    }

    /// Of a rule of a table.
    pub(super) fn of_rule(
        kind: Kind,
        observed: &Observed,
        from: Option<&str>,
        to: Option<&str>,
        stage: Stage,
    ) -> Self {
        let table = observed.name.clone();
        Self { table, ..Self::in_schema(kind, &observed.schema, from, to, stage) }
    }

    pub(super) fn between(
        kind: Kind,
        from: Option<(&str, &str)>,
        to: Option<(&str, &str)>,
        stage: Stage,
    ) -> Self {
        let at = |(schema, name): (&str, &str)| (schema.to_owned(), name.to_owned());
        let table = String::new();
        Self { kind, table, from: from.map(at), to: to.map(at), phase: Phase::Prepare, stage }
    }

    /// Whether a step does this.
    fn is_done_by(&self, step: &Step) -> bool {
        let Some(relation) = &step.relation else { return false };
        let (is_such, at) = match (&self.from, &self.to) {
            (_, Some(to)) => {
                let makes = ["add_", "create_", "rename_"];
                (makes.iter().any(|start| step.operation.starts_with(start)), to)
            }
            (Some(from), None) => {
                (matches!(step.operation, "drop_constraint" | "drop_index" | "drop_table"), from)
            }
            (None, None) => return false,
        };
        is_such
            && (&relation.schema, &step.object) == (&at.0, &at.1)
            && (self.kind != Kind::Constraint || relation.table == self.table)
    }

    fn places(&self, at: &Option<(String, String)>) -> Vec<At> {
        let Some((schema, name)) = at else { return Vec::new() };
        places(self.kind, schema, &self.table, name)
    }
}

/// Under what kind of name a rule is found.
pub(super) fn kind_of(rule: &Rule, by: By) -> Kind {
    match (by, rule) {
        (By::Index, _) => Kind::Index,
        (By::Constraint, Rule::PrimaryKey(_) | Rule::Unique(_)) => Kind::Key,
        (By::Constraint, _) => Kind::Constraint,
    }
}

fn places(kind: Kind, schema: &str, table: &str, name: &str) -> Vec<At> {
    let lists: &[List] = match kind {
        Kind::Table => &[List::Relations, List::Types],
        Kind::Index | Kind::Sequence => &[List::Relations],
        Kind::Key => &[List::Relations, List::Constraints],
        Kind::Constraint => &[List::Constraints],
        Kind::Type => &[List::Types],
    };
    let of_table = |list: &List| match list {
        List::Constraints => table.to_owned(),
        _ => String::new(),
    };
    let at = |list: &List| At {
        list: *list,
        schema: schema.to_owned(),
        table: of_table(list),
        name: name.to_owned(),
    };
    lists.iter().map(at).collect()
}

/// Whose name it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Holder {
    kind: Kind,
    /// Of the table or the type among those of the goal.
    owner: usize,
    /// Before the plan.
    name: String,
}

/// One that steps aside, and the name that it has meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    holder: Holder,
    name: String,
}

/// Of an online plan: names are given and left when the steps are run that do it. An index that another one replaces goes when that
/// one is built.
pub(super) fn note_phases(moves: &mut [Move], steps: &[Step]) {
    for one in moves {
        if let Some(step) = steps.iter().find(|step| one.is_done_by(step)) {
            one.phase = step.phase;
        }
    }
}

/// Who has to step aside for the moves of a plan.
pub(super) fn asides(goal: &TablesGoal<'_>, moves: &[Move]) -> Vec<Aside> {
    let mut held = holders(goal);
    let mut moves: Vec<&Move> = moves.iter().collect();
    moves.sort_by_key(|one| (one.phase, one.stage));
    let leaves = |after: usize, at: &At| {
        moves[after + 1..].iter().any(|later| later.places(&later.from).contains(at))
    };
    // Who has stepped aside leaves its name no more.
    let mut left: HashSet<At> = HashSet::new();
    let mut found = BTreeSet::new();
    for (number, one) in moves.iter().enumerate() {
        let mut mover = None;
        for at in one.places(&one.from) {
            if !left.remove(&at) {
                mover = held.remove(&at).or(mover);
            }
        }
        for at in one.places(&one.to) {
            let other = held.get(&at).filter(|other| Some(*other) != mover.as_ref()).cloned();
            if let Some(other) = other
                && !(other.kind == Kind::Table && one.kind == Kind::Table)
            {
                if leaves(number, &at) && other.kind != Kind::Table {
                    let of_other = |held: &Holder| *held == other;
                    let places: Vec<At> = held
                        .iter()
                        .filter(|(_, by)| of_other(by))
                        .map(|(at, _)| at.clone())
                        .collect();
                    for place in places {
                        held.remove(&place);
                        left.insert(place);
                    }
                    found.insert(other);
                } else if let Some(mover) = mover.clone().filter(|mover| mover.kind != Kind::Table)
                    && leaves(number, &at)
                {
                    // It comes into another schema under a name that it leaves there.
                    found.insert(mover);
                }
            }
            if let Some(mover) = &mover {
                held.insert(at, mover.clone());
            } else {
                let new = Holder { kind: one.kind, owner: usize::MAX, name: String::new() };
                held.insert(at, new);
            }
        }
    }
    let taken = names(goal, &moves);
    let mut number = 0;
    let mut aside = || {
        loop {
            number += 1;
            let name = format!("kepler_aside_{number}");
            if !taken.contains(name.as_str()) {
                return name;
            }
        }
    };
    found
        .into_iter()
        .filter(|holder| holder.owner != usize::MAX)
        .map(|holder| Aside { holder, name: aside() })
        .collect()
}

/// Names of relations, with their schemas, that a plan takes from what has them before.
pub(super) fn freed(moves: &[Move]) -> HashSet<(String, String)> {
    let of_relations = |kind| !matches!(kind, Kind::Type | Kind::Constraint);
    moves.iter().filter(|one| of_relations(one.kind)).filter_map(|one| one.from.clone()).collect()
}

/// Who has which name before the plan.
fn holders(goal: &TablesGoal<'_>) -> HashMap<At, Holder> {
    let mut held = HashMap::new();
    let mut hold = |kind: Kind, owner: usize, schema: &str, table: &str, name: &str| {
        for at in places(kind, schema, table, name) {
            held.insert(at, Holder { kind, owner, name: name.to_owned() });
        }
    };
    for (owner, table) in goal.tables.iter().enumerate() {
        let Some(Present { observed, keeping }) = &table.now else { continue };
        let schema = &observed.schema;
        hold(Kind::Table, owner, schema, "", &observed.name);
        // A constraint is looked for by the name that its table will have.
        let of = table.target.map_or(&observed.name, |target| &target.table_name);
        for named in &observed.rules {
            hold(kind_of(&named.rule, named.by), owner, schema, of, &named.name);
        }
        for extra in &observed.extras {
            match extra.kind {
                "index" => hold(Kind::Index, owner, schema, of, &extra.name),
                "constraint" => {
                    hold(kind_of_extra(&extra.definition), owner, schema, of, &extra.name)
                }
                _ => {}
            }
        }
        for (_, sequence) in &keeping.sequences {
            hold(Kind::Sequence, owner, schema, of, &sequence.name);
        }
    }
    for (owner, one) in goal.enums.iter().enumerate() {
        if let Some(now) = one.now {
            hold(Kind::Type, owner, &now.schema, "", &now.name);
        }
    }
    held
}

pub(super) fn kind_of_extra(definition: &str) -> Kind {
    let has_index = ["UNIQUE", "PRIMARY KEY", "EXCLUDE"];
    match has_index.iter().any(|word| definition.starts_with(word)) {
        true => Kind::Key,
        false => Kind::Constraint,
    }
}

fn names<'n>(goal: &'n TablesGoal<'_>, moves: &[&'n Move]) -> HashSet<&'n str> {
    let present = goal.tables.iter().filter_map(|table| table.now.as_ref());
    let of_tables = present.flat_map(|now| {
        let own = now.observed.names.iter().chain([&now.observed.name]);
        own.chain(now.keeping.sequences.iter().map(|(_, state)| &state.name))
    });
    let of_types = goal.enums.iter().filter_map(|one| Some(&one.now?.name));
    let given = moves.iter().filter_map(|one| Some(&one.to.as_ref()?.1));
    of_tables.chain(of_types).chain(given).map(String::as_str).collect()
}

/// A table as it is, and as the blueprint knows it.
type ClearedTable = (Option<(Observed, Keeping)>, Option<ModelTable>);

/// What is there when those that step aside have done so.
pub(super) struct Cleared {
    pub(super) steps: Vec<Step>,
    tables: Vec<ClearedTable>,
    enums: Vec<Option<ObservedEnum>>,
}

impl Cleared {
    pub(super) fn new(goal: &TablesGoal<'_>, asides: &[Aside]) -> Self {
        let tables = goal.tables.iter().map(|table| {
            let now = table.now.as_ref();
            let now = now.map(|now| (now.observed.clone(), now.keeping.clone()));
            (now, table.managed.cloned())
        });
        let enums = goal.enums.iter().map(|one| one.now.cloned());
        let mut cleared =
            Self { steps: Vec::new(), tables: tables.collect(), enums: enums.collect() };
        for aside in asides {
            match aside.holder.kind {
                Kind::Type => cleared.rename_type(goal, aside),
                _ => cleared.rename_of_table(goal, aside),
            }
        }
        cleared
    }

    /// The rest of the way.
    pub(super) fn goal<'g>(&'g self, goal: &'g TablesGoal<'g>) -> TablesGoal<'g> {
        let tables =
            goal.tables.iter().zip(&self.tables).map(|(table, (now, managed))| TableGoal {
                now: now.as_ref().map(|(observed, keeping)| Present { observed, keeping }),
                managed: managed.as_ref(),
                managed_guard: table.managed_guard,
                target: table.target,
                guard: table.guard.clone(),
            });
        let enums = goal.enums.iter().zip(&self.enums).map(|(one, now)| EnumGoal {
            now: now.as_ref(),
            managed: one.managed,
            target: one.target,
            seeded: one.seeded.clone(),
        });
        TablesGoal {
            tables: tables.collect(),
            enums: enums.collect(),
            terms: goal.terms,
            dialect: goal.dialect,
        }
    }

    fn rename_of_table(&mut self, goal: &TablesGoal<'_>, aside: &Aside) {
        let (old, new) = (&aside.holder.name, &aside.name);
        let (Some((now, managed)), Some(table)) =
            (self.tables.get_mut(aside.holder.owner), goal.tables.get(aside.holder.owner))
        else {
            return;
        };
        let Some((observed, keeping)) = now else { return };
        let schema = observed.schema.clone();
        let (operation, what) = match aside.holder.kind {
            Kind::Sequence => ("rename_sequence", "SEQUENCE"),
            Kind::Key => ("rename_constraint", "INDEX"),
            Kind::Constraint => ("rename_constraint", "TABLE"),
            _ => ("rename_index", "INDEX"),
        };
        let sql = |from: &str, to: &str| match what {
            "TABLE" => format!(
                "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                qualified(&schema, &observed.name),
                quote(from),
                quote(to)
            ),
            what => format!("ALTER {what} {} RENAME TO {}", qualified(&schema, from), quote(to)),
        };
        let lock = match aside.holder.kind {
            Kind::Constraint => Lock::AccessExclusive,
            _ => Lock::ShareUpdateExclusive,
        };
        let place = table.target.map_or((&observed.schema, &observed.name), |target| {
            (&target.schema, &target.table_name)
        });
        let relation = Relation {
            schema: place.0.clone(),
            table: place.1.clone(),
            key: super::key_of(&observed.table),
        };
        let step = Step::instant(operation, new, sql(old, new)).lock(lock).of(&relation);
        self.steps.push(step.stage(Stage::Aside).undone_by(sql(new, old)));
        let rename = |name: &mut String| {
            if name == old {
                new.clone_into(name);
            }
        };
        if aside.holder.kind == Kind::Sequence {
            keeping.sequences.iter_mut().for_each(|(_, state)| rename(&mut state.name));
            return;
        }
        // An index and a constraint that does not need one may have the same name.
        let kind = aside.holder.kind;
        for named in observed.rules.iter_mut() {
            if kind_of(&named.rule, named.by) == kind {
                rename(&mut named.name);
            }
        }
        let extras = observed.extras.iter_mut();
        for extra in extras.filter(|extra| matches!(extra.kind, "index" | "constraint")) {
            rename(&mut extra.name);
        }
        rename_rules(&mut observed.table, old, new);
        observed.names.iter_mut().for_each(rename);
        for by in &mut observed.dependents {
            if matches!(by.kind, DependentKind::Index | DependentKind::Constraint) {
                rename(&mut by.name);
            }
            by.leads_to.iter_mut().for_each(rename);
        }
        if let Some(managed) = managed {
            rename_rules(&mut managed.table, old, new);
        }
    }

    fn rename_type(&mut self, goal: &TablesGoal<'_>, aside: &Aside) {
        let Some(Some(now)) = self.enums.get_mut(aside.holder.owner) else { return };
        let (schema, old, new) = (now.schema.clone(), now.name.clone(), &aside.name);
        let sql = |from: &str, to: &str| {
            format!("ALTER TYPE {} RENAME TO {}", qualified(&schema, from), quote(to))
        };
        let step = Step::instant("rename_type", new, sql(&old, new));
        let step = step.lock(Lock::ShareUpdateExclusive).stage(Stage::Aside);
        self.steps.push(step.undone_by(sql(new, &old)));
        new.clone_into(&mut now.name);
        let rename = |table: &mut Table| {
            for column in &mut table.columns {
                if let FieldKind::NamedEnum { schema: of, name } = &mut column.kind
                    && *of == schema
                    && *name == old
                {
                    new.clone_into(name);
                }
            }
        };
        for (now, managed) in &mut self.tables {
            if let Some((observed, _)) = now {
                rename(&mut observed.table);
            }
            if let Some(managed) = managed {
                rename(&mut managed.table);
            }
        }
        let _ = goal;
    }
}

fn rename_rules(table: &mut Table, old: &str, new: &str) {
    for name in table.names.iter_mut().flatten().filter(|name| *name == old) {
        new.clone_into(name);
    }
}
