//! Brings a hidden field back into use, with its data and its rules, under its name or another one.

use super::change::{Call, Terms};
use super::document::Problem;
use super::error::StructureError;
use super::model::{Field, Operand, Structure};
use super::registry::{self, Targets};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::field_types::kind::FieldKind;
use pgrx::spi::SpiClient;

/// What is to be otherwise than it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Comeback {
    pub(crate) name: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) required: Option<bool>,
}

impl Call<'_> {
    /// Brings a hidden field back with its data and the rules that it had.
    pub(crate) fn restore_field(
        &self,
        client: &mut SpiClient<'_>,
        field: &str,
        comeback: &Comeback,
        terms: &Terms,
    ) -> Result<i32, Error> {
        let table = registry::require(client, self.workspace_id, self.name)?;
        let name = comeback.name.as_deref().unwrap_or(field);
        if table.structure.field(name).is_some() {
            let (table, field) = (self.name.to_owned(), name.to_owned());
            return Err(StructureError::FieldInUse { table, field }.into());
        }
        let hidden = registry::find_hidden(client, self.workspace_id, &table, field)?;
        let column = {
            let own = (self.name, table.table_name.as_str());
            let targets = Targets::load(client, self.workspace_id, &hidden.structure, own)?;
            let column = hidden.structure.column_of(field);
            targets.table(&hidden.structure, self.workspace_id)?.column(column).cloned()
        };
        let older = comeback.older(&hidden.structure, field);
        let version = self.reach(client, terms, Some(&hidden), &mut |table| {
            let structure = with_field(&table.structure, &older, name).map_err(not_possible)?;
            Ok((structure, column.clone()))
        })?;
        registry::forget_hidden(client, self.workspace_id, &hidden)?;
        Ok(version)
    }
}

impl Comeback {
    /// The version that had the field, as if it had been then what it is to be now.
    fn older(&self, structure: &Structure, field: &str) -> Structure {
        let mut older = structure.clone();
        if let Some(name) = self.name.as_deref().filter(|name| *name != field) {
            // What had this name then is another field.
            let is_other = |other: &String| other == name;
            older.fields.retain(|other| other.name != name);
            older.unique.retain(|set| !set.iter().any(is_other));
            older.indexes.retain(|index| !index.columns.iter().any(|one| is_other(&one.name)));
            older.checks.retain(|check| {
                !is_other(&check.field)
                    && !matches!(&check.operand, Operand::Field(other) if is_other(other))
            });
            let rename = |found: &mut String| {
                if found == field {
                    name.clone_into(found);
                }
            };
            older.fields.iter_mut().for_each(|one| rename(&mut one.name));
            older.unique.iter_mut().flatten().for_each(rename);
            let columns = older.indexes.iter_mut().flat_map(|index| &mut index.columns);
            columns.for_each(|one| rename(&mut one.name));
            for check in &mut older.checks {
                rename(&mut check.field);
                if let Operand::Field(other) = &mut check.operand {
                    rename(other);
                }
            }
        }
        let name = self.name.as_deref().unwrap_or(field);
        if let Some(field) = older.fields.iter_mut().find(|one| one.name == name) {
            if let Some(column) = &self.column {
                field.column = Some(column.clone());
            }
            field.column.take_if(|column| *column == field.name);
            field.required = self.required.unwrap_or(field.required);
        }
        older
    }
}

/// What is wrong with the field as it would be, in the words of the options.
fn not_possible(problems: Vec<Problem>) -> Error {
    let of_field = |pointer: &str| {
        let (_, key) = pointer.strip_prefix("/fields/")?.split_once('/')?;
        Some(format!("/{key}"))
    };
    let line = |Problem { pointer, message }: Problem| {
        format!("{}: {message}", of_field(&pointer).unwrap_or(pointer))
    };
    let problems = problems.into_iter().map(line).collect();
    ArgumentError::BadOptions {
        argument: "options",
        problems,
        known: "name, column, required".to_owned(),
    }
    .into()
}

/// A structure with a field of an older version, and the rules that the field had there, as far as the
/// present fields still allow them: others may be gone, or of another type.
fn with_field(
    present: &Structure,
    older: &Structure,
    name: &str,
) -> Result<Structure, Vec<Problem>> {
    let mut structure = present.clone();
    structure.fields.extend(older.field(name).cloned().map(|field| Field {
        // Of sets that may not come back.
        case_insensitive: field.case_insensitive && field.unique,
        ..field
    }));
    let normal = |structure: &Structure| Structure::from_json(&structure.to_document());
    normal(&structure)?;
    let mut attempt = |change: &dyn Fn(&mut Structure)| {
        let mut changed = structure.clone();
        change(&mut changed);
        if normal(&changed).is_ok() {
            structure = changed;
        }
    };
    for set in older.unique.iter().filter(|set| set.iter().any(|field| field == name)) {
        attempt(&|structure| {
            for field in structure.fields.iter_mut().filter(|field| set.contains(&field.name)) {
                let elsewhere = field.unique
                    || structure.unique.iter().any(|other| other.contains(&field.name));
                let was = older.field(&field.name).is_some_and(|field| field.case_insensitive);
                if !elsewhere && matches!(field.kind, FieldKind::Text { .. }) {
                    field.case_insensitive = was;
                }
            }
            structure.unique.push(set.clone());
        });
    }
    for index in &older.indexes {
        if index.columns.iter().any(|column| column.name == name) {
            attempt(&|structure| structure.indexes.push(index.clone()));
        }
    }
    for check in &older.checks {
        let other = match &check.operand {
            Operand::Field(other) => Some(other),
            Operand::Value(_) => None,
        };
        if check.field == name || other.is_some_and(|other| other == name) {
            attempt(&|structure| structure.checks.push(check.clone()));
        }
    }
    // A reference may need an index of its own now.
    normal(&structure)
}
