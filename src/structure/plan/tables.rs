//! Plans the tables of a blueprint together: they refer to each other, take each other's names, and each step finds what
//! it needs. Pure, as the plan of one table is.
//!
//! Every step has a stage, and the plan of all is ordered by it. Tables are renamed before anything else is done to
//! them, so the tables that are there are read here as if they had their new names already.

mod moves;

use super::enums::{EnumGoal, plan_enums};
use super::room::{self, Cleared, Move};
use super::tables_made;
use super::tables_renamed;
use super::tables_sequences;
use super::tables_target::{self, Before};
use super::turns;
use super::unserved;
use super::{Goal, Manner, Surroundings, key_of};
use crate::ident::qualified;
use crate::structure::blueprint::model::{FILL_TRIGGER, Fill, ModelTable, Tenancy};
use crate::structure::ddl::{Dialect, Names};
use crate::structure::observe::{Extra, Observed};
use crate::structure::step::{Class, Phase, Relation, Stage, Step};
use crate::structure::table::{Reference, Rule, Table};
use std::collections::{HashMap, HashSet};

/// What is to be reached.
pub(crate) struct TablesGoal<'g> {
    pub(crate) tables: Vec<TableGoal<'g>>,
    pub(crate) enums: Vec<EnumGoal<'g>>,
    pub(crate) terms: Terms,
    pub(crate) dialect: &'g Dialect,
}

pub(crate) type TypeName = (String, String);
/// Schema, table and sorted columns.
pub(crate) type KeyOf = (String, String, Vec<String>);

/// Keys of which references need to know.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Made anew, or their types change: references to them are made anew too.
    pub(crate) remade: HashSet<KeyOf>,
    /// Those that are not there before an index is built.
    pub(crate) awaited: HashSet<KeyOf>,
    /// Those that leave when the index of their successor is built.
    pub(crate) delayed: HashSet<KeyOf>,
}

/// The key that a reference leads to.
pub(super) fn key_of_target(reference: &Reference) -> KeyOf {
    let target = &reference.target;
    let mut columns = target.columns.clone();
    columns.sort();
    (target.schema.clone(), target.table.clone(), columns)
}

/// One table on its way.
pub(crate) struct TableGoal<'g> {
    /// As it is, read exactly; `None`: there is none of that name.
    pub(crate) now: Option<Present<'g>>,
    /// What the applied version asks for; `None`: it has no such table.
    pub(crate) managed: Option<&'g ModelTable>,
    /// Whether it has made the table's policy.
    pub(crate) managed_guard: bool,
    /// `None`: it is to be dropped.
    pub(crate) target: Option<&'g ModelTable>,
    /// Whose rows the target holds.
    pub(crate) guard: Guard,
}

#[derive(Clone, Copy)]
pub(crate) struct Present<'g> {
    pub(crate) observed: &'g Observed,
    pub(crate) keeping: &'g Keeping,
}

/// What a table has beside its columns and rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Of the trigger that fills columns.
    pub(crate) fills: Vec<Fill>,
    /// Whether the history of all changes is kept.
    pub(crate) history: bool,
    pub(crate) guard: Guard,
    /// Whether there are policies that somebody else has made.
    pub(crate) other_policies: bool,
    /// Whether row security holds for the owner too.
    pub(crate) forced: bool,
    /// Columns, and the sequences that fill them, in the schema of the table.
    pub(crate) sequences: Vec<(String, SequenceState)>,
}

/// The sequence that fills a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SequenceState {
    pub(crate) name: String,
    /// Of an identity.
    pub(crate) identity: bool,
    /// Whether the column has it, so that it goes with the column.
    pub(crate) owned: bool,
    /// Whether the column takes its numbers.
    pub(crate) feeds: bool,
    /// How it counts, where that is not from 1, by 1, to the end of the column's type.
    pub(crate) fault: Option<String>,
}

/// What the policy `workspace` of a table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Guard {
    /// There is none.
    #[default]
    Open,
    /// All rows are those of one workspace.
    Workspace(String),
    /// A column names the workspace.
    Column(String),
    /// Somebody has made another one.
    Foreign(String),
}

/// How a plan is to be run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// What somebody has made under the names of a blueprint's becomes its own.
    pub(crate) adopt: bool,
    /// Not in one transaction: whatever reads many rows does it under a lock that lets others write.
    pub(crate) online: bool,
    /// Vector indexes are built later, by a statement that is told.
    pub(crate) defer_vector_indexes: bool,
}

impl Guard {
    /// What the tenancy of a blueprint means for a table. `workspace_id` is the one that applies it.
    pub(crate) fn of(tenancy: &Tenancy, table: &ModelTable, workspace_id: &str) -> Self {
        match tenancy {
            Tenancy::Database => Guard::Open,
            Tenancy::Workspace => Guard::Workspace(workspace_id.to_owned()),
            Tenancy::Field { .. } => {
                tenancy.column(table).map_or(Guard::Open, |column| Guard::Column(column.to_owned()))
            }
        }
    }
}

impl TableGoal<'_> {
    fn place(&self) -> (&str, &str) {
        match (self.target, &self.now) {
            (Some(target), _) => (&target.schema, &target.table_name),
            (None, Some(now)) => (&now.observed.schema, &now.observed.name),
            (None, None) => ("", ""),
        }
    }
}

/// A table in the form in which it is compared.
pub(crate) fn normal(table: &Table) -> Table {
    tables_target::normal(table)
}

/// Sequences of a table: those of now by the names that their columns have now, and the names of those that columns of
/// the target are to have.
#[derive(Debug, Default)]
pub(crate) struct SequenceNames {
    pub(super) now: HashMap<String, String>,
    pub(super) then: HashMap<String, String>,
}

/// The way to the goal.
pub(crate) struct TablesPlan {
    /// In the order in which they are run; none where the goal is reached.
    pub(crate) steps: Vec<Step>,
    /// Schemas and names of relations that the steps take from what has them now.
    pub(crate) freed: HashSet<(String, String)>,
    /// For each table what the sequences of its columns are called at the end.
    pub(crate) sequences: Vec<HashMap<String, String>>,
}

pub(crate) fn plan_tables(goal: &TablesGoal<'_>) -> TablesPlan {
    let sequences = tables_sequences::names_then(goal);
    let (mut steps, mut moves) = plan_all(goal, &sequences);
    turns::take_turns(&mut steps);
    if goal.terms.online {
        room::note_phases(&mut moves, &steps);
    }
    let freed = room::freed(&moves);
    let asides = room::asides(goal, &moves);
    // What is refused is said with the names that users know.
    if asides.is_empty() || steps.iter().any(|step| step.class == Class::Refused) {
        return TablesPlan { steps, freed, sequences };
    }
    // The same way, from where some have other names.
    let cleared = Cleared::new(goal, &asides);
    let (mut rest, _) = plan_all(&cleared.goal(goal), &sequences);
    // Values are added before anything steps aside, so under the names of now.
    steps.retain(|step| step.stage == Stage::Value);
    rest.retain(|step| step.stage != Stage::Value);
    steps.extend(cleared.steps);
    steps.extend(rest);
    steps.sort_by_key(|step| step.stage);
    turns::take_turns(&mut steps);
    TablesPlan { steps, freed, sequences }
}

/// The steps, and the names that they give and take.
fn plan_all(
    goal: &TablesGoal<'_>,
    sequences: &[HashMap<String, String>],
) -> (Vec<Step>, Vec<Move>) {
    let enums = plan_enums(&goal.enums, &goal.tables, goal.dialect, goal.terms.online);
    let before = Before::new(goal, &enums);
    let mut names = Names::default();
    for table in &goal.tables {
        if let (Some(now), Some(_)) = (&table.now, table.target) {
            now.observed.names.iter().for_each(|name| names.take(name));
        }
        if let Some(target) = table.target {
            names.take(&target.table_name);
            target.table.names.iter().flatten().for_each(|name| names.take(name));
        }
    }
    let prepared: Vec<Prepared> = goal
        .tables
        .iter()
        .zip(sequences)
        .map(|(table, then)| Prepared::new(table, &before, then, &mut names))
        .collect();
    let own = super::drops::printed_names(goal);
    let (none, mut keys) = (Keys::default(), Keys::default());
    // What a key's table has to do decides what references to it do, which are no keys themselves.
    for (table, prepared) in goal.tables.iter().zip(&prepared) {
        if let Some(planned) = prepared.goal(table, goal, (&none, &own)) {
            let surroundings = planned.surroundings();
            super::exact::find_keys(&planned.goal(&surroundings), &mut keys);
        }
    }
    let (mut steps, mut moves) = (enums.steps, enums.moves);
    steps.extend(tables_renamed::steps(&goal.tables));
    for (table, prepared) in goal.tables.iter().zip(&prepared) {
        prepared.table_moves(table, &mut moves);
        prepared.steps(table, goal, (&keys, &own), &mut steps, &mut moves);
    }
    steps.sort_by_key(|step| step.stage);
    (steps, moves)
}

/// A table as the plan of one table wants it.
struct Prepared {
    observed: Option<Observed>,
    managed: Option<Table>,
    target: Option<Table>,
    /// Columns, as they are called now, that move to a new type.
    moved: HashSet<String>,
    sequences: SequenceNames,
    /// The references that are there, as they are before the plan.
    references: Vec<(String, Rule)>,
}

/// What `Goal` borrows from.
struct Planned<'p> {
    observed: &'p Observed,
    managed: &'p Table,
    target: &'p Table,
    renames: &'p [(String, String)],
    table_before: String,
    sequences: &'p SequenceNames,
    sequence_states: &'p [(String, SequenceState)],
    references: &'p [(String, Rule)],
    keys: &'p Keys,
    own: &'p HashSet<String>,
    moved: &'p HashSet<String>,
    terms: Terms,
    dialect: &'p Dialect,
}

impl<'p> Planned<'p> {
    fn surroundings(&self) -> Surroundings<'p> {
        Surroundings {
            table_before: self.table_before.clone(),
            sequences: self.sequences,
            sequence_states: self.sequence_states,
            references: self.references,
            keys: self.keys,
            own: self.own,
            moved: self.moved,
            terms: self.terms,
        }
    }

    fn goal<'g>(&'g self, surroundings: &'g Surroundings<'p>) -> Goal<'g> {
        Goal {
            observed: self.observed,
            managed: self.managed,
            target: self.target,
            renames: self.renames,
            renamed_values: &[],
            restored: None,
            version: 0,
            dialect: self.dialect,
            manner: Manner::Blueprint(surroundings),
        }
    }
}

impl Prepared {
    fn new(
        table: &TableGoal<'_>,
        before: &Before,
        sequences_then: &HashMap<String, String>,
        names: &mut Names,
    ) -> Self {
        let (schema, name) = table.place();
        let observed = table.now.as_ref().map(|now| before.observed(now.observed, (schema, name)));
        let managed = table.managed.map(|managed| before.table(&managed.table));
        let target = table.target.map(|target| {
            let mut table = tables_target::normal(&target.table);
            let renames = &target.renames;
            let there = observed.as_ref().zip(managed.as_ref());
            tables_target::name_rules(&mut table, name, there, renames, names);
            table
        });
        let moved = table.now.as_ref().map(|now| before.moved(now.observed)).unwrap_or_default();
        let now = table.now.as_ref();
        let sequences = SequenceNames {
            now: now
                .iter()
                .flat_map(|now| &now.keeping.sequences)
                .map(|(column, state)| (column.clone(), state.name.clone()))
                .collect(),
            then: sequences_then.clone(),
        };
        let rules = now.iter().flat_map(|now| &now.observed.rules);
        let references = rules.filter(|named| matches!(named.rule, Rule::Reference(_)));
        let references = references.map(|named| (named.name.clone(), named.rule.clone())).collect();
        Self { observed, managed, target, moved, sequences, references }
    }

    fn goal<'p>(
        &'p self,
        table: &'p TableGoal<'_>,
        goal: &'p TablesGoal<'_>,
        (keys, own): (&'p Keys, &'p HashSet<String>),
    ) -> Option<Planned<'p>> {
        let now = table.now.as_ref()?;
        Some(Planned {
            observed: self.observed.as_ref()?,
            managed: self.managed.as_ref()?,
            target: self.target.as_ref()?,
            renames: &table.target?.renames,
            table_before: qualified(&now.observed.schema, &now.observed.name),
            sequences: &self.sequences,
            sequence_states: &now.keeping.sequences,
            references: &self.references,
            keys,
            own,
            moved: &self.moved,
            terms: goal.terms,
            dialect: goal.dialect,
        })
    }

    fn steps(
        &self,
        table: &TableGoal<'_>,
        goal: &TablesGoal<'_>,
        around: (&Keys, &HashSet<String>),
        steps: &mut Vec<Step>,
        moves: &mut Vec<Move>,
    ) {
        let before = steps.len();
        match (&table.now, &self.managed, &self.target, table.target) {
            (None, _, Some(target), Some(model)) => {
                let new = tables_made::NewTable {
                    table: target,
                    schema: &model.schema,
                    name: &model.table_name,
                    fills: &model.fills,
                    history: model.history,
                    guard: &table.guard,
                    awaited: &around.0.awaited,
                };
                steps.extend(new.steps(goal.terms, goal.dialect));
            }
            (Some(_), None, Some(_), Some(model)) => {
                let why = format!(
                    "table {} exists and is not one of the blueprint's: rename or drop it, or let the blueprint's \
                     table have another name",
                    qualified(&model.schema, &model.table_name)
                );
                steps.push(Step::refused("create_table", &model.table_name, why));
            }
            (Some(now), Some(_), Some(target), Some(model)) => {
                let relation = Relation {
                    schema: model.schema.clone(),
                    table: model.table_name.clone(),
                    key: key_of(target),
                };
                if let Some(planned) = self.goal(table, goal, around) {
                    let surroundings = planned.surroundings();
                    let plan = super::plan(&planned.goal(&surroundings));
                    steps.extend(plan.steps);
                    moves.extend(plan.moves);
                }
                let keeping = now.keeping;
                steps.extend(self.fills(table, now, model, goal.terms, &relation));
                steps.extend(guard(table, keeping, model, goal.terms, &relation));
                let history = history(table, keeping, model, &steps[before..], &relation);
                steps.extend(history);
            }
            (Some(now), Some(_), None, _) => {
                steps.extend(super::drops::table(now.observed, goal, around.1));
            }
            _ => {}
        }
        if let Some(target) = &self.target {
            unserved::warn(&mut steps[before..], target, &table.guard);
        }
    }

    /// A trigger of the name that no version asked for is somebody's.
    fn fills(
        &self,
        table: &TableGoal<'_>,
        now: &Present<'_>,
        model: &ModelTable,
        terms: Terms,
        relation: &Relation,
    ) -> Vec<Step> {
        let keeping = now.keeping;
        let is_foreign = table.managed.is_none_or(|managed| managed.fills.is_empty());
        let is_other = |extra: &Extra| extra.kind == "trigger" && extra.name == FILL_TRIGGER;
        let is_there = !keeping.fills.is_empty() || now.observed.extras.iter().any(is_other);
        if is_foreign && model.fills.is_empty() {
            return Vec::new();
        }
        if !(is_foreign && is_there && !terms.adopt) {
            return tables_made::fill_steps(&keeping.fills, &model.fills, relation);
        }
        let step = Step::refused("add_trigger", FILL_TRIGGER, by_hand("trigger", FILL_TRIGGER));
        vec![step.stage(Stage::Guard).of(relation)]
    }
}

/// Why something that somebody has made is in the way of what a plan would make under its name.
pub(super) fn by_hand(what: &str, name: &str) -> String {
    format!(
        "{what} \"{name}\" is there and not the blueprint's: options => '{{\"adopt\": true}}' makes it so, as it is, \
         and plans the rest"
    )
}

/// The steps to the policy that says whose rows the table holds. One that no version asked for is somebody's.
fn guard(
    table: &TableGoal<'_>,
    keeping: &Keeping,
    model: &ModelTable,
    terms: Terms,
    relation: &Relation,
) -> Vec<Step> {
    let is_foreign = keeping.guard != Guard::Open && !table.managed_guard;
    if is_foreign && table.guard == Guard::Open {
        return Vec::new();
    }
    if is_foreign && !terms.adopt {
        let step = Step::refused("secure", &relation.table, by_hand("policy", tables_made::POLICY));
        return vec![step.stage(Stage::Guard).of(relation)];
    }
    tables_made::guard_steps(keeping, &table.guard, &model.renames, relation)
}

/// The step to the history that the document asks for. What somebody tracks by hand is theirs.
fn history(
    table: &TableGoal<'_>,
    keeping: &Keeping,
    model: &ModelTable,
    steps: &[Step],
    relation: &Relation,
) -> Option<Step> {
    let was_asked_for = table.managed.is_some_and(|managed| managed.history);
    if keeping.history == model.history || !(model.history || was_asked_for) {
        return None;
    }
    let step = tables_made::history_step(model.history, relation);
    // It needs the key, which may be made later than the rest.
    let key = steps.iter().filter(|step| step.operation == "add_primary_key");
    Some(match key.map(|step| step.phase).max() {
        Some(phase) if model.history && phase > Phase::Prepare => {
            step.phase(if phase.is_run() { phase } else { Phase::After })
        }
        _ => step,
    })
}
