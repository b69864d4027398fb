//! What is kept of a version that is applied: its number, its plan, what belongs to it, and how its expressions are printed.

use super::Call;
use crate::error::Error;
use crate::ident::qualified;
use crate::json::Json;
use crate::structure::blueprint::lists::{List, Listed};
use crate::structure::blueprint::model::{ModelTable, Tenancy};
use crate::structure::blueprint::observed::Tables;
use crate::structure::blueprint::plan::{Place, Planned, printed_key};
use crate::structure::blueprint::registry::{self, Note, Printed, Stored};
use crate::structure::plan::enums::ObservedEnum;
use crate::structure::step::Step;
use crate::structure::table::{ColumnDefault, Rule};
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, BTreeSet};

impl Call<'_> {
    /// Notes the version that is about to be reached, and gives its number.
    pub(super) fn begin(
        &self,
        client: &mut SpiClient<'_>,
        stored: Option<&Stored>,
        planned: &Planned,
        text: &str,
        steps: &[Step],
    ) -> Result<i32, Error> {
        let number = match stored {
            None => 1,
            Some(stored) => match stored.pending.last() {
                Some(pending) if pending.text == text => pending.number,
                Some(pending) => pending.number + 1,
                // What drifted comes back without another version.
                None if stored.applied.as_ref().is_some_and(|version| version.text == text) => {
                    stored.version
                }
                None => stored.version + 1,
            },
        };
        let mut schemas: BTreeSet<String> = BTreeSet::new();
        schemas.extend(self.blueprint.tables.iter().map(|table| table.schema.clone()));
        schemas.extend(self.blueprint.enums.iter().map(|one| one.schema.clone()));
        let made = stored.map_or(&[][..], |stored| &stored.made_schemas).iter().cloned();
        let mut made_schemas: BTreeSet<String> =
            made.filter(|name| planned.facts.schema(name).is_some()).collect();
        made_schemas.extend(planned.new_schemas.iter().cloned());
        for step in steps.iter().filter(|step| step.operation == "drop_schema") {
            made_schemas.remove(&step.object);
        }
        schemas.extend(made_schemas.iter().cloned());
        let mut tables = self.listed(planned, steps);
        let mut enums = self.listed_enums(planned, steps);
        if self.terms.manner.online {
            // What leaves may leave in a part that comes after.
            let versions = || stored.into_iter().flat_map(Stored::versions);
            let listed = List::Tables.of(client, self.name())?;
            for table in versions().flat_map(|version| &version.blueprint.tables) {
                let place = (table.schema.clone(), table.table_name.clone());
                let stays = planned.places.values().any(|now| *now == place);
                if !stays && listed.get(&place) == Some(&table.name) {
                    let listed = Listed { name: table.name.clone(), now: Some(place.clone()) };
                    tables.entry(place).or_insert(listed);
                }
            }
            let listed = List::Enums.of(client, self.name())?;
            for one in versions().flat_map(|version| &version.blueprint.enums) {
                let place = (one.schema.clone(), one.type_name.clone());
                let is_there =
                    |now: &ObservedEnum| (&now.schema, &now.name) == (&place.0, &place.1);
                let stays = planned.enums.iter().any(|(_, now)| now.as_ref().is_some_and(is_there));
                if !stays && listed.get(&place) == Some(&one.name) {
                    let listed = Listed { name: one.name.clone(), now: Some(place.clone()) };
                    enums.entry(place).or_insert(listed);
                }
            }
        }
        let workspace_id = match self.blueprint.tenancy {
            Tenancy::Workspace => {
                let stored = stored.and_then(|stored| stored.workspace_id.as_deref());
                Some(stored.unwrap_or(&self.workspace_id))
            }
            _ => None,
        };
        registry::begin(
            client,
            &Note {
                blueprint: &self.blueprint,
                text,
                workspace_id,
                number,
                is_new: stored.is_none_or(|stored| stored.version != number),
                plan: &print_plan(steps),
                schemas: schemas.into_iter().collect(),
                made_schemas: made_schemas.into_iter().collect(),
                tables,
                enums,
            },
        )?;
        Ok(number)
    }

    /// The tables that are the blueprint's when these steps are done, and what the document calls them: none that another part
    /// of the plan is to make, whose name somebody may take before.
    fn listed(&self, planned: &Planned, steps: &[Step]) -> BTreeMap<Place, Listed> {
        // Of the table that the step leaves under this name.
        let has = |place: &Place, operations: &[&str]| {
            steps.iter().filter(|step| operations.contains(&step.operation)).any(|step| {
                let of = step.relation.as_ref();
                of.is_some_and(|of| of.schema == place.0 && of.table == place.1)
            })
        };
        let tables = self.blueprint.tables.iter().filter_map(|table| {
            let place = (table.schema.clone(), table.table_name.clone());
            let now = planned.places.get(&place).cloned();
            let then = match &now {
                Some(now) if *now == place || has(&place, &["rename_table", "move_table"]) => place,
                Some(now) => now.clone(),
                None => Some(place).filter(|place| has(place, &["create_table"]))?,
            };
            Some((then, Listed { name: table.name.clone(), now }))
        });
        tables.collect()
    }

    /// The same of types.
    fn listed_enums(&self, planned: &Planned, steps: &[Step]) -> BTreeMap<Place, Listed> {
        let renames =
            steps.iter().any(|step| matches!(step.operation, "rename_type" | "move_type"));
        let is_made = |place: &Place| {
            let start = format!("CREATE TYPE {} AS ", qualified(&place.0, &place.1));
            steps.iter().any(|step| step.operation == "create_type" && step.sql.starts_with(&start))
        };
        let enums = planned.enums.iter().filter_map(|(target, now)| {
            let place = (target.schema.clone(), target.type_name.clone());
            let now = now.as_ref().map(|now| (now.schema.clone(), now.name.clone()));
            let then = match &now {
                Some(now) if *now == place || renames => place,
                Some(now) => now.clone(),
                None => Some(place).filter(is_made)?,
            };
            Some((then, Listed { name: target.name.clone(), now }))
        });
        enums.collect()
    }
}

/// How Postgres has printed the expressions that were trusted, where that is not how the document has them.
pub(super) fn printed(targets: &[ModelTable], there: &Tables) -> Printed {
    let mut printed = Printed::new();
    for table in targets {
        let place = (table.schema.clone(), table.table_name.clone());
        let Some(observed) = there.get(&place) else { continue };
        for column in &table.table.columns {
            let Some(ColumnDefault::Sql(text)) = column.default.as_ref() else { continue };
            let now = observed.table.column(&column.name).and_then(|now| now.default.as_ref());
            if let Some(ColumnDefault::Sql(now)) = now.filter(|_| text.trusted) {
                printed.insert(printed_key(table, text), now.normal.clone());
            }
        }
        for (rule, name) in table.table.named_rules() {
            let Rule::Index(index) = rule else { continue };
            let Some(text) = index.predicate.as_ref().filter(|text| text.trusted) else { continue };
            let now = observed.rules.iter().find_map(|named| match &named.rule {
                Rule::Index(now)
                    if now.columns == index.columns
                        && name.is_none_or(|name| *name == named.name) =>
                {
                    now.predicate.as_ref()
                }
                _ => None,
            });
            if let Some(now) = now {
                printed.insert(printed_key(table, text), now.normal.clone());
            }
        }
    }
    printed
}

/// The steps as they are kept with the version.
fn print_plan(steps: &[Step]) -> String {
    let steps = steps.iter().map(|step| {
        let mut pairs = vec![
            ("operation", Json::string(step.operation)),
            ("object", Json::string(&step.object)),
            ("class", Json::string(step.class.name())),
            ("sql", Json::string(&step.sql)),
        ];
        if let Some(relation) = &step.relation {
            pairs.insert(
                1,
                ("table", Json::string(format!("{}.{}", relation.schema, relation.table))),
            );
        }
        Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    });
    Json::Array(steps.collect()).to_string()
}
