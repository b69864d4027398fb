//! Which tables and types of the database are those of a blueprint: under their names of now.

use super::{Place, Planner, lineage, printed_key};
use crate::ident::qualified;
use crate::structure::blueprint::facts::TypeFact;
use crate::structure::blueprint::keeping::keeping;
use crate::structure::blueprint::model::{EnumType, ModelTable};
use crate::structure::blueprint::registry::{Printed, Stored};
use crate::structure::plan::enums::ObservedEnum;
use crate::structure::plan::tables::{Guard, Keeping};
use crate::structure::sql_text::SqlText;
use crate::structure::step::{Relation, Stage, Step};
use crate::structure::table::{ColumnDefault, Rule, Table};
use std::collections::HashSet;

/// A table of the blueprint and the one that is there for it.
pub(super) struct Matched {
    pub(super) now: Option<Place>,
    pub(super) keeping: Option<Keeping>,
    pub(super) managed: Option<ModelTable>,
    /// Whether a version of the blueprint has made its policy.
    pub(super) managed_guard: bool,
    pub(super) target: Option<ModelTable>,
}

/// A type of the blueprint and the one that is there for it.
pub(super) struct MatchedEnum<'m> {
    pub(super) now: Option<ObservedEnum>,
    pub(super) managed: bool,
    pub(super) target: Option<&'m EnumType>,
}

impl Planner<'_> {
    /// The table of a version that was applied, and of the one that is under way.
    pub(super) fn stored(&self, name: &str) -> Vec<&ModelTable> {
        self.request.stored.map_or_else(Vec::new, |stored| {
            stored
                .versions()
                .filter_map(|version| version.blueprint.tables.iter().find(|t| t.name == name))
                .collect()
        })
    }

    /// Pairs the tables of the blueprint with those that are there, and notes what is in the way.
    pub(super) fn matched(&self, printed: &Printed, steps: &mut Vec<Step>) -> Vec<Matched> {
        let blueprint = self.blueprint();
        let mut found = Vec::new();
        let mut used: HashSet<Place> = HashSet::new();
        let names: HashSet<&str> = blueprint.tables.iter().map(|t| t.name.as_str()).collect();
        for table in &blueprint.tables {
            let mut versions = self.stored(&table.name);
            let from = table.renamed_from.as_deref().filter(|from| !names.contains(from));
            let older = from.map_or_else(Vec::new, |from| self.stored(from));
            // Of a table that is not there yet, a rename cannot leave the old one where it is.
            let both = table.renamed_from.as_deref().filter(|from| {
                names.contains(from) && versions.is_empty() && !self.stored(from).is_empty()
            });
            if let Some(from) = both {
                let why = format!(
                    "table \"{from}\" is in the document too: leave renamed_from out to add a new table, or leave \
                     \"{from}\" out to rename it"
                );
                steps.push(Step::refused("rename_table", &table.name, why).stage(Stage::Schema));
            }
            // Where nothing of the blueprint is there yet, all renames are of the past.
            if let Some(from) = from.filter(|_| self.request.stored.is_some()) {
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
            if let Some(stored) = self.request.stored {
                let line = lineage::tables_before(stored, table, from);
                versions = if line.is_empty() { versions } else { line };
            }
            let place = (table.schema.clone(), table.table_name.clone());
            let places = versions.iter().map(|t| (t.schema.clone(), t.table_name.clone()));
            // What was renamed by the first steps of a version under way is there by its new name. A table that is not
            // listed is not the blueprint's, and one that is listed by another name is another one.
            let is_its = |place: &Place| {
                let name = self.world.listed.get(place);
                name.is_some_and(|name| {
                    *name == table.name || table.renamed_from.as_ref() == Some(name)
                })
            };
            let now = std::iter::once(place.clone())
                .filter(|_| !versions.is_empty())
                .chain(places)
                .find(|place| self.own(place) && is_its(place) && !used.contains(place));
            let mut managed = versions.iter().copied().cloned().reduce(merged);
            let now = now.or_else(|| self.adopted(&place, &mut managed));
            if now.as_ref() != Some(&place)
                && !self.is_leaving(&place, &names)
                && let Some(step) = self.in_the_way(&place)
            {
                steps.push(step);
                continue;
            }
            if let Some(field) = takes_a_column(table, &versions) {
                let why = format!(
                    "field \"{field}\" would leave its column to another field, which would have its values: do it in two \
                     versions, with another column between"
                );
                steps.push(Step::refused("rename_column", &table.name, why).stage(Stage::Schema));
                // What the columns become is not asked any more: it would be told in other words.
                used.extend(now);
                continue;
            }
            used.extend(now.clone());
            let mut target = with_columns_renamed(table, &versions);
            if let Some(observed) = now.as_ref().and_then(|place| self.tables.get(place)) {
                let done = lineage::columns_to_rename(table, &versions, &observed.table);
                target.renames.retain(|(_, to)| !done.iter().any(|(_, done)| done == to));
                target.renames.extend(done);
            }
            found.push(Matched {
                keeping: now.as_ref().and_then(|at| self.keeping(at)),
                now,
                managed: managed.map(|table| as_printed(table, printed)),
                managed_guard: self.made_guard(table),
                target: Some(as_printed(target, printed)),
            });
        }
        for table in self.leaving(&names) {
            let place = (table.schema.clone(), table.table_name.clone());
            let is_its = self.world.listed.get(&place).is_some_and(|name| *name == table.name);
            if self.own(&place) && is_its && used.insert(place.clone()) {
                found.push(Matched {
                    keeping: self.keeping(&place),
                    now: Some(place),
                    managed: Some(table.clone()),
                    managed_guard: true,
                    target: None,
                });
            }
        }
        found
    }

    /// Whether a version gave the table a policy that says whose its rows are.
    fn made_guard(&self, table: &ModelTable) -> bool {
        let is_same = |before: &&ModelTable| {
            before.name == table.name || table.renamed_from.as_ref() == Some(&before.name)
        };
        let mut versions = self.request.stored.into_iter().flat_map(Stored::versions);
        versions.any(|version| {
            let blueprint = &version.blueprint;
            let mut same = blueprint.tables.iter().filter(is_same);
            same.any(|before| Guard::of(&blueprint.tenancy, before, "") != Guard::Open)
        })
    }

    fn is_applied(&self, name: &str) -> bool {
        let applied = self.request.stored.and_then(|stored| stored.applied.as_ref());
        applied.is_some_and(|version| version.blueprint.tables.iter().any(|t| t.name == name))
    }

    /// Tables of the versions before that the blueprint does not have any more.
    pub(super) fn leaving(&self, names: &HashSet<&str>) -> Vec<&ModelTable> {
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
    pub(super) fn own(&self, place: &Place) -> bool {
        let relation = self.facts.relation(&place.0, &place.1);
        relation.is_some_and(|relation| relation.is_table() && relation.ours)
            && self.tables.contains_key(place)
            && !self.world.others.contains_key(place)
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
                guarded: Vec::new(),
            };
            *managed = Some(ModelTable {
                table,
                fields: Vec::new(),
                renames: Vec::new(),
                fills: Vec::new(),
                retention: None,
                history: false,
                sensitive: Vec::new(),
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
        let why = if let Some(other) = self.world.others.get(place) {
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
    pub(super) fn matched_enums(&self, steps: &mut Vec<Step>) -> Vec<MatchedEnum<'_>> {
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
            // As of tables: what is not listed is not the blueprint's.
            let is_its = |place: &Place| {
                let name = self.world.listed_enums.get(place);
                name.is_some_and(|name| {
                    *name == one.name || one.renamed_from.as_ref() == Some(name)
                })
            };
            let now = std::iter::once(place(one))
                .filter(|_| !versions.is_empty())
                .chain(versions.iter().map(|before| place(before)))
                .find(|place| {
                    self.own_enum(place).is_some() && is_its(place) && !used.contains(place)
                });
            let adopts = self.request.manner.adopt && self.request.is_owner;
            let now = now.or_else(|| {
                Some(place(one)).filter(|place| adopts && self.own_enum(place).is_some())
            });
            if now.as_ref() != Some(&place(one))
                && !self.is_leaving_enum(&place(one), one)
                && let Some(why) = self.type_in_the_way(&place(one))
            {
                steps.push(Step::refused("create_type", &one.type_name, why).stage(Stage::Schema));
                // Columns of the type stay as they are.
                let now = self.facts.enum_type(&one.schema, &one.type_name);
                let now = now.filter(|fact| fact.kind == 'e').map(TypeFact::observed);
                let now = now.map(|now| ObservedEnum { values: one.values.clone(), ..now });
                used.insert(place(one));
                if now.is_some() && !versions.is_empty() {
                    found.push(MatchedEnum { managed: true, now, target: Some(one) });
                }
                continue;
            }
            used.extend(now.clone());
            let now = now.and_then(|place| self.own_enum(&place));
            found.push(MatchedEnum { managed: now.is_some(), now, target: Some(one) });
        }
        for before in managed {
            let is_its = self.world.listed_enums.get(&place(before)) == Some(&before.name);
            if is_its
                && used.insert(place(before))
                && let Some(now) = self.own_enum(&place(before))
            {
                found.push(MatchedEnum { now: Some(now), managed: true, target: None });
            }
        }
        found
    }

    /// An enum that is there, the owner's and not another blueprint's.
    fn own_enum(&self, place: &Place) -> Option<ObservedEnum> {
        let fact = self.facts.enum_type(&place.0, &place.1)?;
        let is_own = fact.kind == 'e' && fact.ours && !self.world.other_enums.contains_key(place);
        is_own.then(|| fact.observed())
    }

    /// Whether the type that has this name is the blueprint's, and leaves it to another one.
    fn is_leaving_enum(&self, place: &Place, taker: &EnumType) -> bool {
        let name = self.world.listed_enums.get(place);
        name.is_some_and(|name| *name != taker.name) && self.own_enum(place).is_some()
    }

    /// Why a type that is to be made cannot have its name.
    fn type_in_the_way(&self, place: &Place) -> Option<String> {
        let fact = self.facts.enum_type(&place.0, &place.1)?;
        let name = qualified(&place.0, &place.1);
        Some(if let Some(other) = self.world.other_enums.get(place) {
            format!("type {name} belongs to blueprint \"{other}\"")
        } else if !fact.ours {
            format!("type {name} belongs to \"{}\"", fact.owner)
        } else if fact.kind != 'e' {
            format!("type {name} has the name of an enum of the blueprint, and is none")
        } else {
            format!(
                "type {name} is there and not the blueprint's: options => '{{\"adopt\": true}}' makes it so"
            )
        })
    }
}

/// Trusted expressions in the form in which Postgres prints them.
fn as_printed(mut table: ModelTable, printed: &Printed) -> ModelTable {
    if printed.is_empty() {
        return table;
    }
    let name = table.clone();
    let replace = |text: &mut SqlText| {
        if let Some(normal) = printed.get(&printed_key(&name, text)).filter(|_| text.trusted) {
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

/// A field whose column becomes that of another field while it gets another itself.
fn takes_a_column<'t>(table: &'t ModelTable, versions: &[&ModelTable]) -> Option<&'t str> {
    let before = versions.first()?;
    let column_before = |name: &str| {
        before.fields.iter().find(|(field, _)| field == name).map(|(_, column)| column.as_str())
    };
    let leaves = |(name, column): &&(String, String)| {
        column_before(name).is_some_and(|before| {
            let others = table.fields.iter().filter(|(other, _)| other != name);
            before != column
                && others
                    .clone()
                    .any(|(other, column)| column == before && column_before(other) != Some(before))
        })
    };
    table.fields.iter().find(leaves).map(|(name, _)| name.as_str())
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
