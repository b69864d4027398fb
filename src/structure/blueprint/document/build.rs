//! The tables of the model from the tables that were read: names of the database everywhere, and a name for each
//! constraint and index.
//!
//! Rules stand in one order, so that two documents that say the same are equal: the key, what fields say of themselves,
//! unique sets, references, checks, indexes.

use super::enums;
use super::names::{Space, Taken};
use super::table::Draft;
use crate::field_types::kind::FieldKind;
use crate::structure::blueprint::model::{Fill, ModelTable, Retention};
use crate::structure::ddl::postgres_name;
use crate::structure::document::keys::Problems;
use crate::structure::model::{Check, Field, Op, Operand, Sensitive};
use crate::structure::table::{Column, ColumnDefault, Rule, Table, UniqueColumn};
use std::collections::{HashMap, HashSet};

/// What a rule must be called.
enum Name {
    Any,
    /// The name, and its place in the document.
    Given(String, String),
    /// The end of the name that is made, and the place of the rule.
    Made(&'static str, String),
}

pub(super) fn tables(
    drafts: Vec<Draft<'_>>,
    enums: &[enums::Read],
    problems: &mut Problems,
) -> Vec<ModelTable> {
    let mut taken = Taken::default();
    for read in enums {
        let space = Space::Types(read.found.schema.clone());
        taken.take(&[space], &read.found.type_name, &read.pointer, problems);
    }
    let (mut places, mut seen) = (HashMap::new(), HashSet::new());
    for draft in &drafts {
        // Of two tables of one name that was said.
        let place = (&draft.schema, &draft.table_name);
        if *places.entry(&draft.name).or_insert(place) == place && !seen.insert(&draft.name) {
            continue;
        }
        let spaces = [Space::Relations(draft.schema.clone()), Space::Types(draft.schema.clone())];
        taken.take(&spaces, &draft.table_name, &draft.pointer, problems);
    }
    let mut built: Vec<(ModelTable, Vec<Name>)> = drafts.into_iter().map(table).collect();
    // Names that must be so come before those that may get a number.
    for (at, (model, names)) in built.iter().enumerate() {
        for (rule, name) in model.table.rules.iter().zip(names) {
            if let Name::Given(name, place) = name {
                taken.take(&spaces(rule, &model.schema, at), name, place, problems);
            }
        }
    }
    for (model, _) in &built {
        check_sequences(model, &taken, problems);
    }
    for (at, (model, names)) in built.iter_mut().enumerate() {
        let rules = model.table.rules.iter().zip(names);
        let names = rules.map(|(rule, name)| match name {
            Name::Any => None,
            Name::Given(name, _) => Some(std::mem::take(name)),
            Name::Made(suffix, place) => {
                let columns = match rule {
                    Rule::PrimaryKey(_) => Vec::new(),
                    rule => rule.columns(),
                };
                let spaces = spaces(rule, &model.schema, at);
                Some(taken.choose(&spaces, &model.table_name, &columns, suffix, place))
            }
        });
        model.table.names = names.collect();
    }
    built.into_iter().map(|(model, _)| model).collect()
}

/// Postgres gives a sequence its name when it makes the column, and what has that name comes later.
fn check_sequences(model: &ModelTable, taken: &Taken, problems: &mut Problems) {
    let counts = |column: &&Column| {
        matches!(column.default, Some(ColumnDefault::Serial | ColumnDefault::Identity { .. }))
    };
    for column in model.table.columns.iter().filter(counts) {
        let name = postgres_name(&model.table_name, Some(&column.name), "seq");
        if let Some(place) = taken.place(Space::Relations(model.schema.clone()), &name) {
            let why = format!(
                "\"{name}\" is what Postgres calls the sequence of column \"{}\" of table \"{}\"",
                column.name, model.table_name
            );
            problems.add(place, why);
        }
    }
}

/// What the name of a rule must differ from.
fn spaces(rule: &Rule, schema: &str, table: usize) -> Vec<Space> {
    let relations = Space::Relations(schema.to_owned());
    match rule {
        Rule::PrimaryKey(_) | Rule::Unique(_) => vec![relations, Space::Constraints(table)],
        Rule::Index(_) => vec![relations],
        _ => vec![Space::Constraints(table)],
    }
}

fn table(draft: Draft<'_>) -> (ModelTable, Vec<Name>) {
    let column = |name: &str| draft.column(name);
    let mut rules: Vec<Rule> = Vec::new();
    let mut names = Vec::new();
    if let Some(key) = &draft.key {
        rules.push(Rule::PrimaryKey(key.fields.iter().map(|name| column(name)).collect()));
        names.push(match &key.name {
            Some(name) => Name::Given(name.clone(), key.name_at.clone()),
            None => Name::Made("_pkey", key.name_at.clone()),
        });
    }
    for field in &draft.fields {
        rules.extend(field_rules(field, &column(&field.name)));
    }
    names.resize_with(rules.len(), || Name::Any);
    let named = |name: &Option<String>, pointer: &str, suffix| match name {
        Some(name) => Name::Given(name.clone(), format!("{pointer}/name")),
        None => Name::Made(suffix, pointer.to_owned()),
    };
    for set in &draft.unique {
        let folded = |name: &String| draft.field(name).is_some_and(|field| field.case_insensitive);
        if set.as_index || set.fields.iter().any(folded) {
            continue;
        }
        let columns = set
            .fields
            .iter()
            .map(|name| UniqueColumn { name: column(name), case_insensitive: false });
        rules.push(Rule::Unique(columns.collect()));
        names.push(named(&set.name, &set.pointer, "_key"));
    }
    for read in &draft.references {
        // The target is of the database already.
        rules.push(Rule::Reference(read.reference.clone()).renamed(&column));
        names.push(named(&read.name, &read.pointer, "_fkey"));
    }
    for check in &draft.checks {
        rules.push(check_rule(check).renamed(&column));
        names.push(Name::Any);
    }
    for (check, name, place) in &draft.named_checks {
        rules.push(check_rule(check).renamed(&column));
        names.push(Name::Given(name.clone(), place.clone()));
    }
    for read in &draft.indexes {
        rules.push(Rule::Index(read.index.clone()).renamed(&column));
        names.push(named(&read.name, &read.pointer, read.suffix));
    }
    let retention = draft
        .retention
        .as_ref()
        .map(|(floor, field)| Retention { floor: *floor, column: column(field) });
    let mut fills = Vec::new();
    let mut columns = Vec::new();
    let mut renames = Vec::new();
    let mut labels = Vec::new();
    let mut fields = Vec::new();
    let mut sensitive = Vec::new();
    for (field, beside) in draft.fields.into_iter().zip(draft.beside) {
        fills.extend(
            beside.fills.into_iter().map(|with| Fill { column: beside.column.clone(), with }),
        );
        renames.extend(field.renamed_from.map(|from| (from, beside.column.clone())));
        labels.extend(field.label.map(|label| (beside.column.clone(), label)));
        sensitive.extend(field.sensitive.map(|how| (beside.column.clone(), how)));
        fields.push((field.name, beside.column.clone()));
        columns.push(Column {
            name: beside.column,
            kind: match field.kind {
                FieldKind::Enum { .. } => FieldKind::Text { max_length: None },
                kind => kind,
            },
            list: field.list,
            required: field.required,
            default: beside.default.or(field.default.map(ColumnDefault::Field)),
            description: field.description,
        });
    }
    let guarded = sensitive
        .iter()
        .filter(|(_, how)| *how == Sensitive::Reference)
        .map(|(column, _)| column.clone())
        .collect();
    let description = draft.description;
    let table = Table { description, columns, rules, names: Vec::new(), guarded };
    let model = ModelTable {
        name: draft.name,
        schema: draft.schema,
        table_name: draft.table_name,
        label: draft.label,
        renamed_from: draft.renamed_from,
        table,
        fields,
        labels,
        renames,
        fills,
        retention,
        history: draft.history,
        sensitive,
    };
    (model, names)
}

/// What a field says of its own values.
fn field_rules(field: &Field, column: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let column = || column.to_owned();
    if let FieldKind::Enum { values } = &field.kind {
        rules.push(Rule::OneOf { column: column(), values: values.clone() });
    }
    if let Some(length) = field.min_length {
        rules.push(Rule::MinLength { column: column(), length });
    }
    for (op, bound) in [(Op::GreaterOrEqual, &field.min), (Op::LessOrEqual, &field.max)] {
        if let Some(value) = bound {
            rules.push(Rule::Compare { column: column(), op, value: value.clone() });
        }
    }
    rules
}

pub(super) fn check_rule(check: &Check) -> Rule {
    match &check.operand {
        Operand::Value(value) => {
            Rule::Compare { column: check.field.clone(), op: check.op, value: value.clone() }
        }
        Operand::Field(right) => {
            Rule::CompareColumns { left: check.field.clone(), op: check.op, right: right.clone() }
        }
    }
}
