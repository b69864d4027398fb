//! Plans, followed step by step on the model of a table: they lead to the goal, and only there.

use super::{Goal, Manner, Plan, plan};
use crate::field_types::kind::FieldKind;
use crate::structure::ddl::{Dialect, Names, wished_name};
use crate::structure::generate::structure;
use crate::structure::model::{Index, IndexColumn, Key, KeyKind, Method, Operand, Structure};
use crate::structure::observe::{By, Extra, HIDDEN_PREFIX, NamedRule, Observed};
use crate::structure::step::{Class, Requirement, Step};
use crate::structure::table::{Column, ColumnDefault, Keyed, Rule, Table};
use proptest::prelude::*;

const SCHEMA: &str = "kepler_data";
const NAME: &str = "own_1_entries";

fn dialect() -> Dialect {
    Dialect { vector_schema: "public".to_owned() }
}

/// The table that a structure asks for, where references lead to tables with a key of type bigint.
fn table(structure: &Structure) -> Table {
    let resolve = |_: &str| {
        Some(Keyed {
            schema: SCHEMA.to_owned(),
            table: "other_2_entries".to_owned(),
            key: Key { name: "entry_id".to_owned(), column: None, kind: KeyKind::Bigint },
        })
    };
    Table::of(structure, &resolve).unwrap()
}

fn read(text: &str) -> Structure {
    Structure::from_document(text).unwrap()
}

/// What the catalog would say of a table that is just so.
fn observed(table: &Table, key: &Key) -> Observed {
    let mut names = Names::default();
    let rules: Vec<NamedRule> = table
        .rules
        .iter()
        .map(|rule| NamedRule {
            rule: rule.clone(),
            name: names.choose(&wished_name(rule, NAME)),
            by: match dialect().constraint(table, rule) {
                Some(_) => By::Constraint,
                None => By::Index,
            },
            validated: true,
            shared: false,
        })
        .collect();
    Observed {
        schema: SCHEMA.to_owned(),
        name: NAME.to_owned(),
        table: table.clone(),
        key: Some(key.clone()),
        names: rules.iter().map(|rule| rule.name.clone()).collect(),
        rules,
        hidden: Vec::new(),
        extras: Vec::new(),
        dependents: Vec::new(),
        attribute_count: table.columns.len() as u16,
        estimated_rows: 0,
        pages: 0,
        details: crate::structure::observe::Details::default(),
    }
}

fn renames(from: &Structure, to: &Structure) -> Vec<(String, String)> {
    let mut renames: Vec<(String, String)> = to
        .fields
        .iter()
        .filter_map(|field| Some((field.renamed_from.clone()?, field.name.clone())))
        .collect();
    if from.key.name != to.key.name {
        renames.push((from.key.name.clone(), to.key.name.clone()));
    }
    renames
}

/// The plan from one structure to another, by way of what the catalog says.
fn plan_from(observed: &Observed, from: &Structure, to: &Structure) -> Plan {
    plan(&Goal {
        observed,
        managed: &table(from),
        target: &table(to),
        renames: &renames(from, to),
        renamed_values: &[],
        restored: None,
        version: 1,
        dialect: &dialect(),
        manner: Manner::EntryTable,
    })
}

fn plan_between(from: &Structure, to: &Structure) -> Plan {
    plan_from(&observed(&table(from), &from.key), from, to)
}

fn steps(plan: &Plan) -> Vec<(&str, &str)> {
    plan.steps.iter().map(|step| (step.operation, step.object.as_str())).collect()
}

/// Follows a step on the model of the table; complains about one that Postgres would refuse.
fn follow(now: &mut Observed, step: &Step, target: &Table) -> Result<(), String> {
    let d = dialect();
    let object = step.object.as_str();
    let wanted = || target.column(object).ok_or(format!("{object} is no column of the goal"));
    let no_such = || format!("there is no \"{object}\"");
    let qualified = format!("\"{SCHEMA}\".\"{NAME}\"");
    match step.operation {
        "drop_constraint" | "drop_index" => {
            let by = if step.operation == "drop_index" { By::Index } else { By::Constraint };
            let before = now.rules.len();
            now.rules.retain(|rule| rule.name != object || rule.by != by);
            if now.rules.len() == before {
                return Err(no_such());
            }
        }
        "hide_column" => {
            if now.rules.iter().any(|rule| rule.rule.columns().contains(&object)) {
                return Err(format!("\"{object}\" is hidden under its rules"));
            }
            let before = now.table.columns.len();
            now.table.columns.retain(|column| column.name != object);
            if now.table.columns.len() == before || !step.sql.contains(HIDDEN_PREFIX) {
                return Err(no_such());
            }
        }
        "rename_column" => {
            let from = step.sql.split('"').nth(5).unwrap_or_default().to_owned();
            if now.table.column(object).is_some() {
                return Err(format!("\"{object}\" is taken"));
            }
            let column = now.table.columns.iter_mut().find(|column| column.name == from);
            column.ok_or_else(no_such)?.name = object.to_owned();
            let rename = |name: &str| if name == from { object } else { name }.to_owned();
            for rule in &mut now.rules {
                rule.rule = rule.rule.renamed(&rename);
            }
        }
        "add_column" => {
            if now.table.column(object).is_some() {
                return Err(format!("\"{object}\" is there"));
            }
            let column = wanted()?;
            let filled = column.default.is_some();
            // Comments come later.
            let column =
                Column { required: column.required && filled, description: None, ..column.clone() };
            if !step.sql.ends_with(&format!("ADD COLUMN {}", d.column(&column))) {
                return Err(step.sql.clone());
            }
            now.table.columns.push(column);
        }
        "change_type" | "drop_default" | "change_default" | "require" | "make_optional" => {
            let is_check = |rule: &Rule| {
                !matches!(rule, Rule::Unique(_) | Rule::Reference(_) | Rule::Index(_))
            };
            let under_check =
                now.rules.iter().any(|r| is_check(&r.rule) && r.rule.columns().contains(&object));
            let wanted = wanted()?;
            let column = now.table.columns.iter_mut().find(|column| column.name == object);
            let column = column.ok_or_else(no_such)?;
            match step.operation {
                "change_type" if under_check || column.default.is_some() => {
                    return Err(format!(
                        "\"{object}\" changes its type under a check or a default"
                    ));
                }
                "change_type" => (column.kind, column.list) = (wanted.kind.clone(), wanted.list),
                "drop_default" => column.default = None,
                "change_default" => column.default = wanted.default.clone(),
                operation => column.required = operation == "require",
            }
        }
        "add_check" | "add_reference" | "add_unique" | "add_index" => {
            if now.rules.iter().any(|rule| rule.name == object) {
                return Err(format!("\"{object}\" is there"));
            }
            let makes = |rule: &&Rule| match d.constraint(target, rule) {
                Some(definition) => {
                    let sql = format!("ADD CONSTRAINT \"{object}\" {definition}");
                    step.sql.ends_with(&sql) || step.sql.ends_with(&format!("{sql} NOT VALID"))
                }
                None => d.index(rule, &qualified, object).is_some_and(|sql| sql == step.sql),
            };
            let rule = target.rules.iter().find(makes).ok_or_else(|| step.sql.clone())?.clone();
            let by = if step.sql.starts_with("CREATE") { By::Index } else { By::Constraint };
            let validated = !step.sql.ends_with("NOT VALID");
            let name = object.to_owned();
            now.rules.push(NamedRule { rule, name, by, validated, shared: false });
        }
        "add_trigger" | "change_trigger" | "drop_trigger" => {
            now.table.guarded.clone_from(&target.guarded)
        }
        "validate" => {
            let rule = now.rules.iter_mut().find(|rule| rule.name == object);
            rule.ok_or_else(no_such)?.validated = true;
        }
        "describe" if object == NAME => now.table.description = target.description.clone(),
        "describe" => {
            let description = wanted()?.description.clone();
            let column = now.table.columns.iter_mut().find(|column| column.name == object);
            column.ok_or_else(no_such)?.description = description;
        }
        other => return Err(format!("{other} is no operation")),
    }
    Ok(())
}

/// Columns by name, and rules in no order.
fn sorted(table: &Table, rules: impl Iterator<Item = Rule>) -> (Vec<Column>, Vec<String>) {
    let mut columns = table.columns.clone();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    let mut rules: Vec<String> = rules.map(|rule| format!("{rule:?}")).collect();
    rules.sort();
    (columns, rules)
}

/// What happens to a field on the way to another structure.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Stays,
    Goes,
    /// To a name that is free.
    Renamed,
    /// To the name of the field before it, which goes or is renamed in turn.
    TakesPlace,
    Required,
    Unique,
    /// Of the type of a field of the other structure.
    Retyped,
}

fn edited(a: &Structure, other: &Structure, fates: &[Fate]) -> Option<Structure> {
    let mut b = a.clone();
    b.fields.clear();
    b.description = other.description.clone();
    if !fates.is_empty() && a.fields.len().is_multiple_of(3) {
        b.key.name = "code".to_owned();
    }
    let mut names: Vec<(String, String)> = Vec::new();
    for (at, field) in a.fields.iter().enumerate() {
        let fate = fates.get(at).copied().unwrap_or(Fate::Stays);
        let mut field = field.clone();
        let old = field.name.clone();
        match fate {
            Fate::Goes => continue,
            Fate::Renamed => field.name = format!("r{at}"),
            Fate::TakesPlace if at > 0 => field.name = a.fields[at - 1].name.clone(),
            Fate::Required => field.required = !field.required,
            Fate::Unique => field.unique = !field.unique,
            Fate::Retyped => {
                if let Some(new) = other.fields.get(at) {
                    field = new.clone();
                    field.name = old.clone();
                }
            }
            _ => {}
        }
        if field.name != old {
            field.renamed_from = Some(old.clone());
        }
        names.push((old, field.name.clone()));
        b.fields.push(field);
    }
    for (at, field) in other.fields.iter().enumerate().skip(a.fields.len()) {
        let mut field = field.clone();
        field.name = format!("n{at}");
        b.fields.push(field);
    }
    let rename = |name: &mut String| match names.iter().find(|(old, _)| old == name) {
        Some((_, new)) => *name = new.clone(),
        None if *name == a.key.name => *name = b.key.name.clone(),
        None => {}
    };
    b.unique.iter_mut().flatten().for_each(rename);
    b.indexes.iter_mut().flat_map(|i| &mut i.columns).for_each(|column| rename(&mut column.name));
    for check in &mut b.checks {
        rename(&mut check.field);
        if let Operand::Field(other) = &mut check.operand {
            rename(other);
        }
    }
    let present: Vec<String> = b.fields.iter().map(|field| field.name.clone()).collect();
    let there = |name: &String| present.contains(name) || *name == "created_at";
    b.unique.retain(|set| set.iter().all(there));
    b.indexes.retain(|index| index.columns.iter().all(|column| there(&column.name)));
    b.checks.retain(|check| there(&check.field));
    let mut read = Structure::from_json(&b.to_document()).ok()?;
    // They are not part of the normal form.
    for (field, from) in read.fields.iter_mut().zip(&b.fields) {
        field.renamed_from = from.renamed_from.clone();
    }
    Some(read)
}

fn fate() -> impl Strategy<Value = Fate> {
    use Fate::{Goes, Renamed, Required, Retyped, Stays, TakesPlace, Unique};
    prop::sample::select(&[Stays, Goes, Renamed, TakesPlace, Required, Unique, Retyped][..])
}

/// Two structures, the second an edit of the first.
fn pair() -> impl Strategy<Value = (Structure, Structure)> {
    (structure(), structure(), prop::collection::vec(fate(), 0..6)).prop_filter_map(
        "the edit has no document",
        |(a, other, fates)| {
            let b = edited(&a, &other, &fates)?;
            Some((a, b))
        },
    )
}

proptest! {
    #[test]
    fn a_table_that_is_as_described_needs_no_steps(structure in structure()) {
        prop_assert_eq!(plan_between(&structure, &structure).steps, vec![]);
    }

    #[test]
    fn the_steps_lead_to_the_goal((a, b) in pair()) {
        let (before, target) = (table(&a), table(&b));
        let mut now = observed(&before, &a.key);
        let plan = plan_from(&now, &a, &b);
        if plan.steps.iter().any(|step| step.class == Class::Refused) {
            return Ok(());
        }
        for step in &plan.steps {
            let followed = follow(&mut now, step, &target);
            prop_assert!(followed.is_ok(), "{:?}\n{:?}\n{:#?}", followed, step, steps(&plan));
        }
        let reached = sorted(&now.table, now.rules.iter().map(|rule| rule.rule.clone()));
        prop_assert_eq!(reached, sorted(&target, target.rules.iter().cloned()));
        prop_assert_eq!(&now.table.description, &target.description);
        prop_assert!(now.rules.iter().all(|rule| rule.validated));
        // The same document again, as it was written and in normal form.
        now.table.rules = now.rules.iter().map(|rule| rule.rule.clone()).collect();
        now.key = Some(b.key.clone());
        for renames in [renames(&a, &b), Vec::new()] {
            let again = super::plan(&Goal {
                observed: &now, managed: &target, target: &target, renames: &renames, renamed_values: &[], restored: None, version: 2,
                dialect: &dialect(), manner: Manner::EntryTable,
            });
            prop_assert_eq!(again.steps, vec![]);
        }
    }

    #[test]
    fn what_users_added_is_left_alone((a, b) in pair()) {
        let before = table(&a);
        let mut now = observed(&before, &a.key);
        let added = Column {
            name: "user_column".to_owned(), kind: FieldKind::Integer, list: false, required: false, default: None,
            description: Some("theirs".to_owned()),
        };
        let column = |name: &str| IndexColumn::plain(name, true);
        for (name, columns) in [("user_index", vec![column("updated_at"), column("created_at")]), ("user_other", vec![column("user_column")])] {
            let rule = Rule::Index(Index::plain(columns, Method::Btree));
            now.rules.push(NamedRule { rule: rule.clone(), name: name.to_owned(), by: By::Index, validated: true, shared: false });
            now.table.rules.push(rule);
        }
        now.table.columns.push(added);
        for column in &mut now.table.columns {
            if matches!(column.default, Some(ColumnDefault::Clock | ColumnDefault::Key(_))) {
                column.description = Some("user_text".to_owned());
            }
        }
        now.extras.push(Extra {
            kind: "constraint", name: "user_check".to_owned(), definition: "CHECK (true)".to_owned(), reason: String::new(),
        });
        for step in plan_from(&now, &a, &b).steps {
            prop_assert!(!step.sql.contains("user_") && !step.object.contains("user_"), "{:?}", step);
        }
        prop_assert_eq!(plan_from(&now, &a, &a).steps, vec![]);
    }
}

#[test]
fn a_chain_of_renames_moves_as_one() {
    let from = read(r#"{"fields":[{"name":"a","type":"text"},{"name":"b","type":"date"}]}"#);
    let to = read(
        r#"{"fields":[{"name":"b","type":"text","renamed_from":"a"},{"name":"c","type":"date","renamed_from":"b"}]}"#,
    );
    assert_eq!(steps(&plan_between(&from, &to)), [("rename_column", "c"), ("rename_column", "b")]);
    assert_eq!(plan_between(&to, &to).steps, vec![]);
}

#[test]
fn a_key_that_is_renamed_stays_the_key() {
    let from = read(r#"{"key":{"name":"entry_id"},"fields":[{"name":"id","type":"bigint"}]}"#);
    let to = read(r#"{"key":{"name":"id"},"fields":[{"name":"entry_id","type":"bigint"}]}"#);
    assert_eq!(
        steps(&plan_between(&from, &to)),
        [("hide_column", "id"), ("rename_column", "id"), ("add_column", "entry_id")]
    );
}

#[test]
fn values_that_are_read_anew_are_looked_at_again() {
    let from = read(r#"{"fields":[{"name":"n","type":"text","unique":true,"index":true}]}"#);
    let to = read(r#"{"fields":[{"name":"n","type":"integer","unique":true,"index":true}]}"#);
    let plan = plan_between(&from, &to);
    assert_eq!(
        steps(&plan),
        [
            ("drop_constraint", "own_1_entries_n_key"),
            ("change_type", "n"),
            ("add_unique", "own_1_entries_n_key")
        ]
    );
    // What is not there is not lost.
    assert!(matches!(
        &plan.steps[1].require,
        Some(Requirement::NoRow { condition, .. }) if condition.starts_with("\"n\" IS NOT NULL AND ")
    ));
    // A longer text is as different from others as before.
    let from = read(r#"{"fields":[{"name":"n","type":"text","max_length":3,"unique":true}]}"#);
    let to = read(r#"{"fields":[{"name":"n","type":"text","unique":true}]}"#);
    assert_eq!(steps(&plan_between(&from, &to)), [("change_type", "n")]);
}

#[test]
fn rows_are_looked_at_under_the_new_names() {
    let from = read(r#"{"fields":[{"name":"n","type":"integer","min":0}]}"#);
    let to = read(r#"{"fields":[{"name":"m","type":"integer","min":0,"renamed_from":"n"}]}"#);
    let mut now = observed(&table(&from), &from.key);
    now.rules[0].validated = false;
    now.table.rules.clear();
    let plan = plan_from(&now, &from, &to);
    assert_eq!(steps(&plan), [("rename_column", "m"), ("validate", "n_min")]);
}

/// All tables and all documents over three names, each field perhaps renamed from another one: no field vanishes that
/// the document still names, and none takes the values of another without its word.
#[test]
fn no_field_with_values_vanishes_unsaid() {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let structure = |fields: &[(usize, Option<usize>)]| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, from)| {
                let from = from.map_or_else(String::new, |from| {
                    format!(r#","renamed_from":"{}""#, NAMES[from])
                });
                format!(r#"{{"name":"{}","type":"text"{from}}}"#, NAMES[*name])
            })
            .collect();
        Structure::from_document(&format!(r#"{{"fields":[{}]}}"#, fields.join(","))).ok()
    };
    let (mut planned, mut refused) = (0, 0);
    for there in 0..8_usize {
        let present: Vec<(usize, Option<usize>)> =
            (0..3).filter(|name| there >> name & 1 == 1).map(|name| (name, None)).collect();
        let Some(from) = structure(&present) else { continue };
        // Of each name: no field, or one that is renamed from nothing or from one of the others.
        for choice in 0..4_usize.pow(3) {
            let fields: Vec<(usize, Option<usize>)> = (0..3)
                .filter_map(|name| match choice / 4_usize.pow(name as u32) % 4 {
                    0 => None,
                    1 => Some((name, None)),
                    other => Some((name, Some((name + other - 1) % 3))),
                })
                .collect();
            // Two from one, and circles, are no documents.
            let Some(to) = structure(&fields) else { continue };
            let plan = plan_between(&from, &to);
            planned += 1;
            if plan.steps.iter().any(|step| step.class == Class::Refused) {
                refused += 1;
                continue;
            }
            for hidden in &plan.hidden {
                assert!(to.field(&hidden.field).is_none(), "{from:?} to {to:?} hides {hidden:?}");
            }
            for step in plan.steps.iter().filter(|step| step.operation == "rename_column") {
                let origin = to.field(&step.object).and_then(|field| field.renamed_from.as_deref());
                assert!(
                    origin.is_some_and(|origin| from.field(origin).is_some()),
                    "{from:?} to {to:?} renames to {}",
                    step.object
                );
            }
            // Everything that was there is there by its name, by the one it was given, or hidden and told so.
            for field in &from.fields {
                let kept = to.field(&field.name).is_some();
                let renamed =
                    to.fields.iter().any(|new| new.renamed_from.as_ref() == Some(&field.name));
                let hidden = plan.hidden.iter().any(|hidden| hidden.field == field.name);
                assert!(kept || renamed || hidden, "{from:?} to {to:?} loses {}", field.name);
            }
        }
    }
    assert!(planned > 200 && refused > 20, "{planned} plans, {refused} refused");
}
