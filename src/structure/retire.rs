//! Takes entry tables and fields out of use, brings tables back, and deletes for good.

use super::apply;
use super::change::{Call, Terms, dropped_references};
use super::create;
use super::error::StructureError;
use super::facts::Dependent;
use super::locks::Patience;
use super::registry::{self, EntryTable, SCHEMA, State};
use super::run::{self, Rows};
use super::step::Step;
use super::table::Rule;
use crate::error::Error;
use crate::ident::{MAX_NAME, qualified, quote, shortened};
use pgrx::spi::SpiClient;

impl Call<'_> {
    /// Takes the table out of use. Its entries are kept under another name of the table, and its
    /// references sleep: they would keep what they refer to from being deleted.
    pub(crate) fn drop(
        &self,
        client: &mut SpiClient<'_>,
        patience: Patience,
    ) -> Result<String, Error> {
        let table = registry::require(client, self.workspace_id, self.name)?;
        self.check_unreferred(client)?;
        let bounded = patience.bound();
        let observed = apply::observe_entry_table(client, &table.table_name)?;
        self.claim(client, &table)?;
        drop(bounded);
        let qualified_name = qualified(SCHEMA, &table.table_name);
        let mut steps = Vec::new();
        for named in &observed.rules {
            if let Rule::Reference(_) = &named.rule {
                let sql =
                    format!("ALTER TABLE {qualified_name} DROP CONSTRAINT {}", quote(&named.name));
                steps.push(Step::instant("drop_constraint", &named.name, sql));
            }
        }
        let referred = dropped_references(&observed, &|_| true);
        let hidden_name = shortened(&format!("_dropped_{}", table.table_name), MAX_NAME);
        let sql = format!("ALTER TABLE {qualified_name} RENAME TO {}", quote(&hidden_name));
        steps.push(Step::instant("rename_table", &table.table_name, sql));
        apply::lock(client, self.workspace_id, &table.table_name, &steps, referred, patience)?;
        // What came to refer to it meanwhile held a lock on it.
        self.check_unreferred(client)?;
        self.rename_in_registry(client, &table, &hidden_name, true)?;
        run::run(client, &steps, Rows::Entries)?;
        Ok(hidden_name)
    }

    /// Brings the table of this name that was dropped last back into use, under all its rules.
    pub(crate) fn restore(
        &self,
        client: &mut SpiClient<'_>,
        terms: &Terms,
    ) -> Result<String, Error> {
        if registry::find(client, self.workspace_id, self.name, State::InUse)?.is_some() {
            return Err(StructureError::Exists(self.name.to_owned()).into());
        }
        let table = registry::find(client, self.workspace_id, self.name, State::Dropped)?
            .ok_or_else(|| registry::missing(self.workspace_id, self.name))?;
        let name = create::table_name(self.name, table.number);
        let sql = format!(
            "ALTER TABLE {} RENAME TO {}",
            qualified(SCHEMA, &table.table_name),
            quote(&name)
        );
        let steps = [Step::instant("rename_table", &name, sql)];
        self.claim_and_lock(client, &table, &steps, terms.patience)?;
        self.rename_in_registry(client, &table, &name, false)?;
        run::run(client, &steps, Rows::Entries)?;
        // What slept while it was dropped is planned like any other change.
        self.reach(client, terms, None, &mut |table| Ok((table.structure.clone(), None)))?;
        Ok(name)
    }

    /// Takes the table for this change, and the locks of its steps.
    fn claim_and_lock(
        &self,
        client: &mut SpiClient<'_>,
        table: &EntryTable,
        steps: &[Step],
        patience: Patience,
    ) -> Result<(), Error> {
        let bounded = patience.bound();
        self.claim(client, table)?;
        drop(bounded);
        apply::lock(client, self.workspace_id, &table.table_name, steps, Vec::new(), patience)
    }

    fn rename_in_registry(
        &self,
        client: &mut SpiClient<'_>,
        table: &EntryTable,
        table_name: &str,
        dropped: bool,
    ) -> Result<(), Error> {
        client.update(
            "UPDATE kepler.entry_tables SET table_name = $3,
                 dropped_at = CASE WHEN $4 THEN pg_catalog.clock_timestamp() END
             WHERE workspace_id = $1 AND id = $2",
            None,
            &[
                self.workspace_id.into(),
                table.id.as_str().into(),
                table_name.into(),
                dropped.into(),
            ],
        )?;
        Ok(())
    }

    /// Deletes the table of this name that was dropped last, with its entries and versions.
    pub(crate) fn purge(
        &self,
        client: &mut SpiClient<'_>,
        patience: Patience,
    ) -> Result<(), Error> {
        let Some(table) = registry::find(client, self.workspace_id, self.name, State::Dropped)?
        else {
            return Err(
                match registry::find(client, self.workspace_id, self.name, State::InUse)? {
                    Some(_) => StructureError::NotDropped(self.name.to_owned()).into(),
                    None => registry::missing(self.workspace_id, self.name),
                },
            );
        };
        let sql = format!("DROP TABLE {}", qualified(SCHEMA, &table.table_name));
        let steps = [Step::instant("purge_table", &table.table_name, sql)];
        self.claim_and_lock(client, &table, &steps, patience)?;
        let what = format!("entry table \"{}\"", self.name);
        check_unused(client, &table, what, &Dependent::keeps_table)?;
        // What refers to it first, as the caller: a foreign key would delete it with the rights of the owner.
        for (list, id) in [
            ("hidden_fields", "entry_table_id"),
            ("structures", "entry_table_id"),
            ("entry_tables", "id"),
        ] {
            client.update(
                &format!("DELETE FROM kepler.{list} WHERE workspace_id = $1 AND {id} = $2"),
                None,
                &[self.workspace_id.into(), table.id.as_str().into()],
            )?;
        }
        run::run(client, &steps, Rows::Entries)
    }

    /// Deletes the data of a hidden field.
    pub(crate) fn purge_field(
        &self,
        client: &mut SpiClient<'_>,
        field: &str,
        patience: Patience,
    ) -> Result<(), Error> {
        let table = registry::require(client, self.workspace_id, self.name)?;
        let hidden = registry::find_hidden(client, self.workspace_id, &table, field);
        // Of a name that is in use and hidden too, what is hidden goes.
        if hidden.is_err() && table.structure.field(field).is_some() {
            return Err(StructureError::StillInUse(field.to_owned()).into());
        }
        let hidden = hidden?;
        let sql = format!(
            "ALTER TABLE {} DROP COLUMN {}",
            qualified(SCHEMA, &table.table_name),
            quote(&hidden.column)
        );
        let steps = [Step::instant("purge_field", field, sql)];
        self.claim_and_lock(client, &table, &steps, patience)?;
        let of_column = |dependent: &Dependent| {
            dependent.column.as_ref() == Some(&hidden.column) && dependent.keeps_column()
        };
        check_unused(client, &table, format!("field \"{field}\""), &of_column)?;
        registry::forget_hidden(client, self.workspace_id, &hidden)?;
        run::run(client, &steps, Rows::Entries)
    }
}

/// Fails where something rests on what is to go: nothing of somebody's goes along.
fn check_unused(
    client: &SpiClient<'_>,
    table: &EntryTable,
    what: String,
    keeps: &dyn Fn(&Dependent) -> bool,
) -> Result<(), Error> {
    let observed = apply::observe_entry_table(client, &table.table_name)?;
    let found = observed.dependents.iter().filter(|dependent| keeps(dependent));
    let mut by: Vec<String> = found.map(Dependent::text).collect();
    by.sort_unstable();
    by.dedup();
    if by.is_empty() { Ok(()) } else { Err(StructureError::InUse { what, by }.into()) }
}
