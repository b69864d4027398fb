//! Everything that a blueprint can say, as it is in the catalog.

mod kinds;

use super::extras::of_table;
use super::{By, Details, Extra, NamedRule, Observed, UnreadCheck, guarded, names};
use crate::field_types::kind::FieldKind;
use crate::pgvector::Metric;
use crate::structure::blueprint::model::{FILL_TRIGGER, Fill};
use crate::structure::facts::{
    ColumnFact, ConstraintFact, ConstraintKind, Facts, IndexColumnFact, IndexFact, Reaction,
    SequenceFact,
};
use crate::structure::model::{Index, IndexColumn, Method, TIMES};
use crate::structure::plan::tables::SequenceState;
use crate::structure::printed::{
    PrintedDefault, read_check, read_exact_default, read_folded, read_path,
};
use crate::structure::sql_text::SqlText;
use crate::structure::table::{
    Action, Column, ColumnDefault, Reference, Rule, Table, Target, UniqueColumn,
};
use std::collections::HashSet;

/// Behind the definition of a constraint that not all rows were checked by.
pub(crate) const NOT_VALID: &str = " NOT VALID";

pub(super) struct Observer<'f> {
    facts: &'f Facts,
    columns: Vec<Column>,
    rules: Vec<NamedRule>,
    extras: Vec<Extra>,
    unread_checks: Vec<UnreadCheck>,
}

impl<'f> Observer<'f> {
    pub(super) fn read(facts: &'f Facts) -> Self {
        let mut observer = Self {
            facts,
            columns: Vec::new(),
            rules: Vec::new(),
            extras: of_table(facts),
            unread_checks: Vec::new(),
        };
        observer.columns();
        observer.constraints();
        observer.indexes();
        observer
    }

    pub(super) fn observed(self) -> Observed {
        let Self { facts, columns, rules, extras, unread_checks } = self;
        let (valid, valid_names) = rules
            .iter()
            .filter(|rule| rule.validated)
            .map(|rule| (rule.rule.clone(), Some(rule.name.clone())))
            .unzip();
        Observed {
            schema: facts.schema.clone(),
            name: facts.name.clone(),
            table: Table {
                description: facts.description.clone(),
                columns,
                rules: valid,
                names: valid_names,
                guarded: guarded(facts),
            },
            key: None,
            rules,
            hidden: Vec::new(),
            extras,
            dependents: facts.dependents.clone(),
            names: names(facts),
            attribute_count: facts.attribute_count,
            estimated_rows: facts.estimated_rows,
            pages: facts.pages,
            details: Details {
                oid: facts.oid,
                owner: facts.owner.clone(),
                fills: fills(facts),
                history: keeps_history(facts),
                row_security: facts.row_security,
                row_security_forced: facts.row_security_forced,
                policies: facts.policies.clone(),
                defaults: facts
                    .columns
                    .iter()
                    .filter(|fact| serial(facts, fact).is_none())
                    .filter_map(|fact| Some((fact.name.clone(), fact.default.clone()?)))
                    .collect(),
                unread_checks,
                sequences: facts
                    .columns
                    .iter()
                    .filter_map(|column| {
                        let sequence = sequence(facts, column)?;
                        Some((column.name.clone(), sequence.state(column)))
                    })
                    .collect(),
            },
        }
    }

    fn extra(
        &mut self,
        kind: &'static str,
        name: &str,
        definition: impl Into<String>,
        reason: impl Into<String>,
    ) {
        let (definition, reason) = (definition.into(), reason.into());
        self.extras.push(Extra { kind, name: name.to_owned(), definition, reason });
    }

    fn columns(&mut self) {
        let facts = self.facts;
        // Since Postgres 18 a column may have a NOT NULL that its rows were not checked by.
        let unchecked: HashSet<&String> = facts
            .constraints
            .iter()
            .filter(|constraint| constraint.kind == ConstraintKind::NotNull)
            .flat_map(|constraint| &constraint.columns)
            .collect();
        for fact in &facts.columns {
            let (kind, list) = fact.exact_kind();
            let default = default(facts, fact, &kind, list);
            if let Some(computed) = &fact.computed {
                let kind = if fact.generated == Some('v') { "VIRTUAL" } else { "STORED" };
                let definition = format!("GENERATED ALWAYS AS ({computed}) {kind}");
                self.extra("generated column", &fact.name, definition, "no field is computed");
            }
            if !fact.default_collation {
                let collation = fact.collation.clone().unwrap_or_default();
                let reason = "no field has a collation of its own";
                self.extra("collation", &fact.name, collation, reason);
            }
            if let Some(type_text) = &fact.printed_type
                && fact.modifiers().is_none()
            {
                let reason = "its type is limited in words";
                self.extra("type modifier", &fact.name, type_text, reason);
            }
            for option in &fact.options {
                let reason = "no field says how it is stored";
                self.extra("column option", &fact.name, option, reason);
            }
            self.columns.push(Column {
                name: fact.name.clone(),
                kind,
                list,
                required: fact.not_null && !unchecked.contains(&fact.name),
                default,
                description: fact.description.clone(),
            });
        }
    }

    fn constraints(&mut self) {
        let facts = self.facts;
        for fact in &facts.constraints {
            let rules = match fact.kind {
                ConstraintKind::NotNull => continue,
                _ if !fact.enforced => Err("it is not enforced"),
                _ if fact.deferrable => Err("it is deferrable"),
                ConstraintKind::Check => self.check(fact),
                ConstraintKind::Reference if !fact.fires => Err("its triggers do not fire"),
                ConstraintKind::Reference => reference(fact).map(|rule| vec![rule]),
                ConstraintKind::PrimaryKey => {
                    plain_key(facts, fact).map(|()| vec![Rule::PrimaryKey(fact.columns.clone())])
                }
                ConstraintKind::Unique => plain_key(facts, fact).map(|()| {
                    let column = |name: &String| UniqueColumn {
                        name: name.clone(),
                        case_insensitive: false,
                    };
                    vec![Rule::Unique(fact.columns.iter().map(column).collect())]
                }),
                ConstraintKind::Exclusion => Err("no field has exclusions"),
            };
            match rules {
                Ok(rules) => {
                    let shared = rules.len() > 1;
                    self.rules.extend(rules.into_iter().map(|rule| NamedRule {
                        rule,
                        name: fact.name.clone(),
                        by: By::Constraint,
                        validated: fact.validated,
                        shared,
                    }));
                }
                Err(reason) => {
                    if let Some(expression) = &fact.expression
                        && fact.kind == ConstraintKind::Check
                        && fact.enforced
                    {
                        self.unread_checks.push(UnreadCheck {
                            name: fact.name.clone(),
                            expression: expression.clone(),
                            validated: fact.validated,
                        });
                    }
                    let mut text = fact.text();
                    if !fact.validated && !text.ends_with(NOT_VALID) {
                        text.push_str(NOT_VALID);
                    }
                    self.extra("constraint", &fact.name, text, reason);
                }
            }
        }
    }

    fn check(&self, fact: &ConstraintFact) -> Result<Vec<Rule>, &'static str> {
        let expression = fact.expression.as_deref();
        expression
            .and_then(|text| read_check(text, &self.columns))
            .ok_or("a check compares a field with a value or another field")
    }

    fn indexes(&mut self) {
        let facts = self.facts;
        for fact in &facts.indexes {
            for column in &fact.columns {
                let options = column.operator_class_options.join(", ");
                if !options.is_empty() {
                    let reason = "no operator class has parameters";
                    self.extra("operator class parameters", &fact.name, options, reason);
                }
            }
            if let Some(tablespace) = &fact.tablespace {
                let reason = "no index says where it is stored";
                self.extra("tablespace", &fact.name, tablespace, reason);
            }
            if fact.constraint.is_some() {
                if !fact.options.is_empty() {
                    let reason = "no constraint says how its index is stored";
                    self.extra("storage parameters", &fact.name, fact.options.join(", "), reason);
                }
                continue;
            }
            match self.index(fact) {
                Ok(index) => self.rules.push(NamedRule {
                    rule: Rule::Index(index),
                    name: fact.name.clone(),
                    by: By::Index,
                    validated: fact.valid,
                    shared: false,
                }),
                Err(reason) => {
                    let definition = fact.definition.clone().unwrap_or_else(|| fact.text());
                    self.extra("index", &fact.name, definition, reason);
                }
            }
        }
    }

    fn index(&self, fact: &IndexFact) -> Result<Index, &'static str> {
        if fact.included > 0 {
            return Err("it carries more columns");
        }
        if fact.columns.iter().any(|key| !key.default_collation) {
            return Err("it has a collation of its own");
        }
        if !fact.immediate {
            return Err("it is deferrable");
        }
        let (method, of_vectors) = method(fact)?;
        let columns: Result<_, _> =
            fact.columns.iter().map(|key| self.index_column(key, of_vectors)).collect();
        Ok(Index {
            columns: columns?,
            method,
            unique: fact.unique,
            nulls_not_distinct: fact.nulls_not_distinct,
            predicate: fact.predicate.as_deref().map(SqlText::printed),
            options: options(&fact.options),
        })
    }

    fn index_column(
        &self,
        key: &IndexColumnFact,
        of_vectors: bool,
    ) -> Result<IndexColumn, &'static str> {
        let (name, path, folded) = match (&key.name, &key.expression) {
            (Some(name), _) => (name.clone(), Vec::new(), false),
            (None, Some(text)) => {
                let folded = read_folded(text, &self.columns).map(|name| (name, Vec::new(), true));
                let path =
                    || read_path(text, &self.columns).map(|(name, path)| (name, path, false));
                folded.or_else(path).ok_or("it is over an expression")?
            }
            (None, None) => return Err("it is over an expression"),
        };
        let schema = &key.operator_class_schema;
        let schema = (schema != "pg_catalog").then(|| schema.clone());
        Ok(IndexColumn {
            name,
            path,
            folded,
            descending: key.descending,
            nulls_first: (key.nulls_first != key.descending).then_some(key.nulls_first),
            operators: (!of_vectors && !key.default_operator_class)
                .then(|| (schema, key.operator_class.clone())),
        })
    }
}

/// The method, and whether its operators are those of a metric.
fn method(fact: &IndexFact) -> Result<(Method, bool), &'static str> {
    let metric = || match fact.columns.as_slice() {
        [key] => Metric::ALL
            .into_iter()
            .find(|metric| metric.operator_class() == key.operator_class)
            .ok_or("no index has such operators"),
        _ => Err("it is of several vectors"),
    };
    Ok(match fact.method.as_str() {
        "btree" => (Method::Btree, false),
        "gin" => (Method::Gin, false),
        "hash" => (Method::Hash, false),
        "gist" => (Method::Gist, false),
        "spgist" => (Method::Spgist, false),
        "brin" => (Method::Brin, false),
        "hnsw" => (Method::Hnsw(metric()?), true),
        "ivfflat" => (Method::Ivfflat(metric()?), true),
        _ => return Err("no index has such a method"),
    })
}

/// Storage parameters by name.
fn options(options: &[String]) -> Vec<(String, String)> {
    let mut options: Vec<(String, String)> = options
        .iter()
        .map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            (name.to_owned(), value.to_owned())
        })
        .collect();
    options.sort();
    options
}

/// Refuses a unique or primary key that is not just one of its columns.
fn plain_key(facts: &Facts, fact: &ConstraintFact) -> Result<(), &'static str> {
    let index = facts
        .indexes
        .iter()
        .find(|index| index.constraint.as_ref() == Some(&fact.name))
        .ok_or("its index is missing")?;
    if index.included > 0 {
        return Err("it carries more columns");
    }
    if index.nulls_not_distinct {
        return Err("NULLs are never equal");
    }
    if index.method != "btree" {
        return Err("it is not a plain B-tree");
    }
    Ok(())
}

fn reference(fact: &ConstraintFact) -> Result<Rule, &'static str> {
    let target = fact.target.as_ref().ok_or("its target is missing")?;
    if fact.match_type != Some('s') {
        return Err("a reference is MATCH SIMPLE");
    }
    if target.index_method.as_ref().is_some_and(|method| method != "btree") {
        return Err("no reference is about periods");
    }
    Ok(Rule::Reference(Reference {
        columns: fact.columns.clone(),
        target: Target {
            schema: target.schema.clone(),
            table: target.table.clone(),
            columns: target.columns.clone(),
        },
        on_delete: action(fact.on_delete),
        on_update: action(fact.on_update),
        set: fact.set_columns.clone(),
    }))
}

fn action(reaction: Option<Reaction>) -> Action {
    match reaction {
        None | Some(Reaction::NoAction) => Action::NoAction,
        Some(Reaction::Restrict) => Action::Restrict,
        Some(Reaction::Cascade) => Action::Cascade,
        Some(Reaction::SetNull) => Action::SetNull,
        Some(Reaction::SetDefault) => Action::SetDefault,
    }
}

fn default(
    facts: &Facts,
    fact: &ColumnFact,
    kind: &FieldKind,
    list: bool,
) -> Option<ColumnDefault> {
    if let Some(identity) = fact.identity {
        return Some(ColumnDefault::Identity { always: identity == 'a' });
    }
    if serial(facts, fact).is_some() {
        return Some(ColumnDefault::Serial);
    }
    let text = fact.default.as_deref()?;
    match read_exact_default(text, kind, list) {
        Some(PrintedDefault::Null) => None,
        Some(PrintedDefault::Clock) if TIMES.contains(&fact.name.as_str()) => {
            Some(ColumnDefault::Clock)
        }
        Some(PrintedDefault::Field(default)) => Some(ColumnDefault::Field(default)),
        Some(PrintedDefault::Clock) | None => Some(ColumnDefault::Sql(SqlText::printed(text))),
    }
}

/// The sequence whose next value is the column's default, if the column owns it.
fn serial<'f>(facts: &'f Facts, fact: &ColumnFact) -> Option<&'f SequenceFact> {
    let default = fact.default.as_ref()?;
    facts.sequences.iter().find(|sequence| {
        sequence.owned
            && sequence.column == fact.number
            && !sequence.identity
            && sequence.next_value == *default
    })
}

impl SequenceFact {
    fn state(&self, column: &ColumnFact) -> SequenceState {
        let (of, is) = (&self.counts, &column.type_name);
        let type_fault = (!of.is_empty() && of != is).then(|| format!("AS {of}"));
        let faults: Vec<String> = type_fault.into_iter().chain(self.parameters.clone()).collect();
        SequenceState {
            name: self.name.clone(),
            identity: self.identity,
            owned: self.owned,
            feeds: self.identity || column.default.as_ref() == Some(&self.next_value),
            fault: (!faults.is_empty()).then(|| faults.join(" ")),
        }
    }
}

/// The sequence that fills the column, also one that the column has no more.
fn sequence<'f>(facts: &'f Facts, fact: &ColumnFact) -> Option<&'f SequenceFact> {
    let identity =
        facts.sequences.iter().find(|sequence| sequence.column == fact.number && sequence.identity);
    let loose = || {
        let default = fact.default.as_ref()?;
        facts.sequences.iter().find(|sequence| {
            !sequence.owned && sequence.column == fact.number && sequence.next_value == *default
        })
    };
    let idle = || facts.sequences.iter().find(|s| s.owned && s.column == fact.number);
    identity.or_else(|| serial(facts, fact)).or_else(loose).or_else(idle)
}

/// What the trigger's arguments say: a column and what fills it, in turn.
fn fills(facts: &Facts) -> Vec<Fill> {
    let is_fill = |name: &str, schema: &str| name == FILL_TRIGGER && schema == "kepler_internal";
    let trigger = facts
        .triggers
        .iter()
        .find(|trigger| !trigger.internal && is_fill(&trigger.name, &trigger.function_schema));
    let arguments = trigger.map(|trigger| trigger.arguments()).unwrap_or_default();
    arguments
        .chunks_exact(2)
        .map(|pair| Fill { column: pair[0].clone(), with: pair[1].clone() })
        .collect()
}

/// Whether all triggers of the history are there and fire.
fn keeps_history(facts: &Facts) -> bool {
    let fires = |name: &str, enabled: char| {
        facts.triggers.iter().any(|trigger| {
            trigger.name == name
                && trigger.function == "tell_history"
                && trigger.function_schema == "kepler_internal"
                && trigger.enabled == enabled
        })
    };
    HISTORY_TRIGGERS.iter().all(|(name, enabled)| fires(name, *enabled))
}

/// Of a table whose history is kept, and for which rows each fires, as `make_history_triggers` makes them.
const HISTORY_TRIGGERS: [(&str, char); 6] = [
    ("tell_history_begin", 'O'),
    ("tell_history_insert", 'O'),
    ("tell_history_update", 'O'),
    ("tell_history_delete", 'O'),
    ("tell_history_truncate", 'A'),
    ("tell_history_replicated", 'R'),
];

#[cfg(test)]
mod tests;
