//! Tables in the form in which they are compared: those that are there as if other tables and types had their new names
//! already, and those that are wanted with a name for every rule.

use super::enums::EnumPlan;
use super::tables::{TableGoal, TablesGoal, TypeName};
use crate::field_types::kind::FieldKind;
use crate::structure::constant::Constant;
use crate::structure::ddl::{Names, wished_name_in_blueprint};
use crate::structure::model::{Default, Index, IndexColumn, Method};
use crate::structure::observe::Observed;
use crate::structure::table::{Column, ColumnDefault, Rule, Table};
use std::collections::{HashMap, HashSet};

/// What was called otherwise before: tables, their columns, and types.
pub(super) struct Before {
    /// Schema and name of a table before, those afterwards, and its columns.
    tables: HashMap<TypeName, (TypeName, Vec<(String, String)>)>,
    types: HashMap<TypeName, TypeName>,
    values: HashMap<(TypeName, String), String>,
    moved: HashSet<(String, String, String)>,
}

impl Before {
    pub(super) fn new(goal: &TablesGoal<'_>, enums: &EnumPlan) -> Self {
        let pair = |table: &TableGoal<'_>| {
            let (now, target) = (table.now.as_ref()?, table.target?);
            let old = (now.observed.schema.clone(), now.observed.name.clone());
            let new = (target.schema.clone(), target.table_name.clone());
            // A rename that was done is told again.
            let renames = target.renames.iter();
            let renames = renames.filter(|(from, _)| now.observed.table.column(from).is_some());
            Some((old, (new, renames.cloned().collect())))
        };
        Self {
            tables: goal.tables.iter().filter_map(pair).collect(),
            types: enums.renamed_types.clone(),
            values: enums.renamed_values.clone(),
            moved: enums.moved.iter().cloned().collect(),
        }
    }

    fn column(&self, column: &Column) -> Column {
        let mut column = column.clone();
        if let FieldKind::NamedEnum { schema, name } = &column.kind {
            let old = (schema.clone(), name.clone());
            let new = self.types.get(&old).unwrap_or(&old).clone();
            if let Some(ColumnDefault::Field(Default::Value(value))) = &mut column.default {
                self.rename_value(&new, value);
            }
            column.kind = FieldKind::NamedEnum { schema: new.0, name: new.1 };
        }
        column
    }

    /// The columns that move to a new type.
    pub(super) fn moved(&self, observed: &Observed) -> HashSet<String> {
        let of = |(schema, table, _): &&(String, String, String)| {
            *schema == observed.schema && *table == observed.name
        };
        self.moved.iter().filter(of).map(|(_, _, column)| column.clone()).collect()
    }

    fn rename_value(&self, of: &TypeName, value: &mut Constant) {
        match value {
            Constant::Text(text) => {
                if let Some(new) = self.values.get(&(of.clone(), text.clone())) {
                    *text = new.clone();
                }
            }
            Constant::List(values) => {
                values.iter_mut().for_each(|value| self.rename_value(of, value));
            }
            _ => {}
        }
    }

    fn rule(&self, rule: &Rule) -> Rule {
        let mut rule = normal_rule(rule);
        if let Rule::Reference(reference) = &mut rule {
            let target = &mut reference.target;
            let old = (target.schema.clone(), target.table.clone());
            if let Some(((schema, table), renames)) = self.tables.get(&old) {
                (target.schema, target.table) = (schema.clone(), table.clone());
                for column in &mut target.columns {
                    if let Some((_, to)) = renames.iter().find(|(from, _)| from == column) {
                        *column = to.clone();
                    }
                }
            }
        }
        rule
    }

    /// What a version asked for.
    pub(super) fn table(&self, table: &Table) -> Table {
        let mut table = Table {
            description: table.description.clone(),
            columns: table.columns.iter().map(|column| self.column(column)).collect(),
            rules: table.rules.iter().map(|rule| self.rule(rule)).collect(),
            names: table.names.clone(),
            guarded: table.guarded.clone(),
        };
        require_key(&mut table);
        table
    }

    /// What is there, as the table of this schema and name.
    pub(super) fn observed(&self, observed: &Observed, place: (&str, &str)) -> Observed {
        let mut observed = observed.clone();
        (observed.schema, observed.name) = (place.0.to_owned(), place.1.to_owned());
        observed.table.columns =
            observed.table.columns.iter().map(|column| self.column(column)).collect();
        for named in &mut observed.rules {
            named.rule = self.rule(&named.rule);
        }
        // The key is a rule like others, and not found by being one.
        observed.key = None;
        observed
    }
}

/// A table that is wanted.
pub(super) fn normal(table: &Table) -> Table {
    let mut table = table.clone();
    table.rules = table.rules.iter().map(normal_rule).collect();
    require_key(&mut table);
    table
}

/// Postgres has no NULL in a primary key.
fn require_key(table: &mut Table) {
    for rule in &table.rules {
        let Rule::PrimaryKey(names) = rule else { continue };
        for column in table.columns.iter_mut().filter(|column| names.contains(&column.name)) {
            column.required = true;
        }
    }
}

/// Unique sets over folded text are indexes, and the catalog says no more of them.
fn normal_rule(rule: &Rule) -> Rule {
    let Rule::Unique(columns) = rule else { return rule.clone() };
    if columns.iter().all(|column| !column.case_insensitive) {
        return rule.clone();
    }
    let columns = columns.iter().map(|column| IndexColumn {
        folded: column.case_insensitive,
        ..IndexColumn::plain(column.name.clone(), false)
    });
    Rule::Index(Index { unique: true, ..Index::plain(columns.collect(), Method::Btree) })
}

/// Gives a name to each rule that may have any: the one that it has, or one that is free.
pub(super) fn name_rules(
    target: &mut Table,
    table_name: &str,
    there: Option<(&Observed, &Table)>,
    renames: &[(String, String)],
    names: &mut Names,
) {
    let mut given: Vec<Option<String>> =
        target.named_rules().map(|(_, name)| name.map(str::to_owned)).collect();
    let mut used: Vec<String> = given.iter().flatten().cloned().collect();
    for (rule, name) in target.rules.iter().zip(&mut given).filter(|(_, name)| name.is_none()) {
        let present = there.and_then(|(observed, managed)| {
            let rename = |old: &str| {
                let renamed = renames.iter().find(|(from, _)| from == old);
                renamed.map_or(old, |(_, to)| to).to_owned()
            };
            observed.rules.iter().find(|named| {
                managed.rules.contains(&named.rule)
                    && (named.rule == *rule || named.rule.renamed(&rename) == *rule)
                    && !used.contains(&named.name)
            })
        });
        let chosen = match present {
            Some(named) => named.name.clone(),
            None => names.choose(&wished_name_in_blueprint(rule, table_name)),
        };
        used.push(chosen.clone());
        *name = Some(chosen);
    }
    target.names = given;
}
