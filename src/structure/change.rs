//! Creates and changes entry tables: finds what there is, plans, applies, takes note.

use super::apply;
use super::create;
use super::document::problem_with_record_name;
use super::error::{Document, StructureError};
use super::locks::Patience;
use super::model::Structure;
use super::naming;
use super::observe::Observed;
use super::plan::{self, Goal, Manner, Plan};
use super::registry::{self, EntryTable, HiddenField, SCHEMA, State, Targets};
use super::run::{self, Rows};
use super::step::{Class, Lock, Step};
use super::table::{Column, Rule, Table};
use super::values;
use crate::access::grant;
use crate::access::level::Made;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::json::Json;
use crate::pg::role;
use pgrx::spi::SpiClient;

/// What a call about one entry table is about.
pub(crate) struct Call<'c> {
    pub(crate) workspace_id: &'c str,
    pub(crate) name: &'c str,
}

/// What a change may do, and how long it waits.
pub(crate) struct Terms {
    pub(crate) allow: Vec<Class>,
    /// The version that the caller believes to change.
    pub(crate) version: Option<i32>,
    pub(crate) patience: Patience,
}

/// The way from one version to the next.
struct Change {
    structure: Structure,
    target: Table,
    plan: Plan,
}

/// Other tables that are to be locked, and how.
type Locks = Vec<(String, Lock)>;

/// The structure to reach from a table, and the hidden column, as it was, that comes back.
type Wanted<'w> = dyn FnMut(&EntryTable) -> Result<(Structure, Option<Column>), Error> + 'w;

impl Call<'_> {
    /// Checks that a document is about this table.
    pub(crate) fn check_name(&self, structure: &Structure) -> Result<(), StructureError> {
        let problem = match &structure.name {
            Some(name) if name != self.name => {
                Some(("/name", format!("is \"{name}\", and the table is \"{}\"", self.name)))
            }
            _ => problem_with_record_name(self.name)
                .map(|problem| ("", format!("the name {problem}"))),
        };
        match problem {
            None => Ok(()),
            Some((pointer, message)) => {
                let pointer = pointer.to_owned();
                Err(Document::Structure
                    .invalid(vec![super::document::Problem { pointer, message }]))
            }
        }
    }

    /// The steps that would make the table, and the locks that they take on those that it refers to.
    fn creation(
        &self,
        client: &SpiClient<'_>,
        structure: &Structure,
        number: i64,
    ) -> Result<(Vec<Step>, Locks), Error> {
        let table_name = create::table_name(self.name, number);
        let targets =
            Targets::load(client, self.workspace_id, structure, (self.name, &table_name))?;
        let table = targets.table(structure, self.workspace_id)?;
        let dialect = apply::dialect(client)?;
        let steps = create::steps(&table, SCHEMA, &table_name, self.workspace_id, &dialect);
        Ok((steps, referring_to(&table, &table_name)))
    }

    /// Makes the table; gives its name.
    pub(crate) fn create(
        &self,
        client: &mut SpiClient<'_>,
        mut structure: Structure,
        patience: Patience,
    ) -> Result<String, Error> {
        if registry::find(client, self.workspace_id, self.name, State::InUse)?.is_some() {
            return Err(StructureError::Exists(self.name.to_owned()).into());
        }
        structure.name = Some(self.name.to_owned());
        values::forget_renames(&mut structure);
        let number = client
            .update("SELECT pg_catalog.nextval('kepler.entry_table_numbers')", None, &[])?
            .first()
            .get_one::<i64>()?
            .unwrap_or_default();
        let (mut steps, referred) = self.creation(client, &structure, number)?;
        check_permission(&steps, &[])?;
        let table_name = create::table_name(self.name, number);
        if !referred.is_empty() {
            apply::lock_entry_tables(client, self.workspace_id, &referred, patience)?;
            // What it refers to may have been dropped meanwhile.
            steps = self.creation(client, &structure, number)?.0;
        }
        let plan = print_plan(&steps);
        registry::insert(
            client,
            self.workspace_id,
            self.name,
            (number, &table_name),
            &structure,
            &plan,
        )?;
        steps.extend(grants(client, &table_name)?);
        run::run(client, &steps, Rows::Entries)?;
        let _owner = Owner::find()?.act();
        grant::share_new_table(client, Made::Entries, &table_name)?;
        Ok(table_name)
    }

    /// The steps that a document would lead to, each with how many rows it reads or writes.
    pub(crate) fn preview(
        &self,
        client: &SpiClient<'_>,
        structure: Structure,
    ) -> Result<Vec<(Step, i64)>, Error> {
        match registry::find(client, self.workspace_id, self.name, State::InUse)? {
            Some(table) => {
                let observed = apply::observe_entry_table(client, &table.table_name)?;
                let rows = observed.estimated_rows;
                let change = self.change(client, &table, &observed, structure, None)?;
                let counted = |step: Step| {
                    let rows = match &step.writes {
                        _ if step.class == Class::Instant => 0,
                        Some(written) => run::count_as_caller(client, &table.table_name, written)?
                            .unwrap_or(rows),
                        None => rows,
                    };
                    Ok((step, rows))
                };
                change.plan.steps.into_iter().map(counted).collect()
            }
            None => {
                let number = client
                    .select(
                        "SELECT s.last_value + s.is_called::integer FROM kepler.entry_table_numbers AS s",
                        None,
                        &[],
                    )?
                    .first()
                    .get_one::<i64>()?
                    .unwrap_or(1);
                let steps = self.creation(client, &structure, number)?.0;
                Ok(steps.into_iter().map(|step| (step, 0)).collect())
            }
        }
    }

    /// Plans the way to a structure.
    fn change(
        &self,
        client: &SpiClient<'_>,
        table: &EntryTable,
        observed: &Observed,
        mut structure: Structure,
        restored: Option<(&HiddenField, Column)>,
    ) -> Result<Change, Error> {
        structure.name = Some(self.name.to_owned());
        let own = (self.name, table.table_name.as_str());
        let load = |structure: &Structure| -> Result<Table, Error> {
            let targets = Targets::load(client, self.workspace_id, structure, own)?;
            Ok(targets.table(structure, self.workspace_id)?)
        };
        let managed = load(&table.structure)?;
        let target = load(&structure)?;
        let mut renames = naming::renames(&table.structure, &structure);
        let values = values::renamed(&table.structure, &structure);
        let restored = restored.map(|(hidden, column)| {
            let column =
                Column { name: hidden.column.clone(), required: false, default: None, ..column };
            renames.extend(
                structure
                    .fields
                    .last()
                    .map(|field| (hidden.column.clone(), field.column().to_owned())),
            );
            column
        });
        let dialect = apply::dialect(client)?;
        let mut plan = plan::plan(&Goal {
            observed,
            managed: &managed,
            target: &target,
            renames: &renames,
            renamed_values: &values,
            restored,
            version: table.version,
            dialect: &dialect,
            manner: Manner::EntryTable,
        });
        plan.steps.extend(naming::refused(&table.structure, &structure));
        values::forget_renames(&mut structure);
        Ok(Change { structure, target, plan })
    }

    /// Changes the table to a structure; gives the version that it has then.
    pub(crate) fn alter(
        &self,
        client: &mut SpiClient<'_>,
        structure: &Structure,
        terms: &Terms,
    ) -> Result<i32, Error> {
        self.reach(client, terms, None, &mut |_| Ok((structure.clone(), None)))
    }

    /// Plans, waits for the locks, plans again, and does it if that is the same.
    pub(super) fn reach(
        &self,
        client: &mut SpiClient<'_>,
        terms: &Terms,
        hidden: Option<&HiddenField>,
        wanted: &mut Wanted<'_>,
    ) -> Result<i32, Error> {
        let table = registry::require(client, self.workspace_id, self.name)?;
        self.check_version(table.version, terms.version.unwrap_or(table.version))?;
        let mut plan =
            |client: &SpiClient<'_>, table: &EntryTable| -> Result<(Change, Observed), Error> {
                let observed = apply::observe_entry_table(client, &table.table_name)?;
                let (structure, column) = wanted(table)?;
                let restored = hidden.zip(column);
                let change = self.change(client, table, &observed, structure, restored)?;
                Ok((change, observed))
            };
        let bounded = terms.patience.bound();
        let (change, observed) = plan(client, &table)?;
        check_permission(&change.plan.steps, &terms.allow)?;
        if change.plan.steps.is_empty() && change.structure == table.structure {
            return Ok(table.version);
        }
        self.claim(client, &table)?;
        drop(bounded);
        apply::lock(
            client,
            self.workspace_id,
            &table.table_name,
            &change.plan.steps,
            referred(&change, &observed),
            terms.patience,
        )?;
        if plan(client, &table)?.0.plan != change.plan {
            return Err(StructureError::TableMoved(self.name.to_owned()).into());
        }
        for hidden in &change.plan.hidden {
            let field = table.structure.name_of(&hidden.field);
            registry::hide(client, self.workspace_id, &table, field, &hidden.column)?;
        }
        let printed = print_plan(&change.plan.steps);
        let version =
            registry::advance(client, self.workspace_id, &table, &change.structure, &printed)?;
        run::run(client, &change.plan.steps, Rows::Entries)?;
        self.verify(client, &table.table_name, &change)?;
        Ok(version)
    }

    /// Takes the table for this change: another one waits here, holding no lock on the table that
    /// others would queue behind, and then finds that what it has read is not so any more.
    pub(super) fn claim(
        &self,
        client: &mut SpiClient<'_>,
        table: &EntryTable,
    ) -> Result<(), Error> {
        let now = client
            .update(
                "SELECT t.version, t.table_name FROM kepler.entry_tables AS t
                 WHERE t.workspace_id = $1 AND t.id = $2 FOR UPDATE",
                None,
                &[self.workspace_id.into(), table.id.as_str().into()],
            )?
            .next()
            .map(|row| Ok::<_, Error>((row[1].value::<i32>()?, row[2].value::<String>()?)))
            .transpose()?;
        let Some((Some(version), Some(table_name))) = now else {
            return Err(StructureError::TableMoved(self.name.to_owned()).into());
        };
        self.check_version(version, table.version)?;
        if table_name != table.table_name {
            return Err(StructureError::TableMoved(self.name.to_owned()).into());
        }
        Ok(())
    }

    pub(super) fn check_unreferred(&self, client: &SpiClient<'_>) -> Result<(), Error> {
        let by = registry::referring(client, self.workspace_id, self.name)?;
        if by.is_empty() {
            return Ok(());
        }
        Err(StructureError::ReferredTo { name: self.name.to_owned(), by }.into())
    }

    fn check_version(&self, found: i32, expected: i32) -> Result<(), StructureError> {
        if found == expected {
            return Ok(());
        }
        Err(StructureError::Moved { name: self.name.to_owned(), expected, found })
    }

    /// The catalog must say what was planned: otherwise the next plan would not be empty.
    fn verify(
        &self,
        client: &SpiClient<'_>,
        table_name: &str,
        change: &Change,
    ) -> Result<(), Error> {
        let observed = apply::observe_entry_table(client, table_name)?;
        let again = plan::plan(&Goal {
            observed: &observed,
            managed: &change.target,
            target: &change.target,
            renames: &[],
            renamed_values: &[],
            restored: None,
            version: 0,
            dialect: &apply::dialect(client)?,
            manner: Manner::EntryTable,
        });
        if again.steps.is_empty() {
            return Ok(());
        }
        let left = again.steps.into_iter().map(|step| step.sql).collect();
        Err(StructureError::NotReached(left).into())
    }
}

/// The tables that a table refers to, itself not counted, with the locks that new references take.
fn referring_to(table: &Table, own: &str) -> Vec<(String, Lock)> {
    let tables = table.rules.iter().filter_map(|rule| match rule {
        Rule::Reference(reference) if reference.target.table != own => {
            Some((reference.target.table.clone(), Lock::ShareRowExclusive))
        }
        _ => None,
    });
    strongest(tables.collect())
}

/// What the references that are dropped led to. Postgres takes the same lock at both ends.
pub(super) fn dropped_references(
    observed: &Observed,
    is_dropped: &dyn Fn(&str) -> bool,
) -> Vec<(String, Lock)> {
    let tables = observed.rules.iter().filter_map(|named| match &named.rule {
        Rule::Reference(reference)
            if reference.target.table != observed.name && is_dropped(&named.name) =>
        {
            Some((reference.target.table.clone(), Lock::AccessExclusive))
        }
        _ => None,
    });
    strongest(tables.collect())
}

/// The tables at the other end of references that a change makes or drops, with the locks that it
/// takes there.
fn referred(change: &Change, observed: &Observed) -> Vec<(String, Lock)> {
    let steps = &change.plan.steps;
    let is_dropped = |name: &str| {
        steps.iter().any(|step| step.operation == "drop_constraint" && step.object == name)
    };
    let mut tables = dropped_references(observed, &is_dropped);
    if steps.iter().any(|step| step.operation == "add_reference") {
        tables.extend(referring_to(&change.target, &observed.name));
    }
    strongest(tables)
}

fn check_permission(steps: &[Step], allow: &[Class]) -> Result<(), Error> {
    run::check_permission(steps, allow, Rows::Entries, |_| Ok(None))
}

/// Each table once, with the strongest of its locks.
fn strongest(mut tables: Vec<(String, Lock)>) -> Vec<(String, Lock)> {
    tables.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    tables.dedup_by(|next, kept| next.0 == kept.0);
    tables
}

/// A caller who does not own the new table can work with it all the same.
fn grants(client: &SpiClient<'_>, table_name: &str) -> Result<Vec<Step>, Error> {
    if Owner::find()?.role() == role::current() {
        return Ok(Vec::new());
    }
    let grants = client
        .select(
            "SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles AS r
             WHERE r.rolname = CURRENT_USER AND NOT r.rolsuper",
            None,
            &[],
        )?
        .next()
        .map(|row| row[1].value::<String>())
        .transpose()?
        .flatten();
    Ok(grants
        .map(|role| {
            let sql = format!(
                "GRANT USAGE ON SCHEMA {} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {role}",
                quote(SCHEMA),
                qualified(SCHEMA, table_name)
            );
            Step::instant("grant", table_name, sql)
        })
        .into_iter()
        .collect())
}

/// The steps as they are kept with the version.
fn print_plan(steps: &[Step]) -> String {
    let steps = steps.iter().enumerate().map(|(at, step)| {
        let pairs = [
            ("step", Json::Number((at + 1).to_string())),
            ("operation", Json::string(step.operation)),
            ("object", Json::string(&step.object)),
            ("class", Json::string(step.class.name())),
            ("sql", Json::string(&step.sql)),
        ];
        Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    });
    Json::Array(steps.collect()).to_string()
}
