//! What a step does to one table.

use super::dialect;
use super::follow::{quoted, sequence_state};
use crate::field_types::kind::FieldKind;
use crate::ident::qualified;
use crate::structure::blueprint::model::ModelTable;
use crate::structure::observe::{By, NamedRule, Observed};
use crate::structure::plan::generated::is_generated;
use crate::structure::plan::guarded::REFERENCES_TRIGGER;
use crate::structure::plan::indexed::index_of;
use crate::structure::plan::tables::Keeping;
use crate::structure::step::Step;
use crate::structure::table::{Column, ColumnDefault, Rule, Table};

pub(super) fn follow_table(
    table: &mut Observed,
    keeping: &mut Keeping,
    step: &Step,
    words: &[String],
    model: Option<&ModelTable>,
    led_to: &[Vec<String>],
    sequence: Option<String>,
) -> Result<(), String> {
    let object = step.object.as_str();
    let goal = || model.map(|model| &model.table).ok_or("no goal".to_owned());
    let column_of =
        |table: &Table, name: &str| table.column(name).cloned().ok_or(format!("no column {name}"));
    match step.operation {
        "drop_constraint" | "drop_index" => {
            let by = if step.operation == "drop_index" { By::Index } else { By::Constraint };
            let at = table.rules.iter().position(|r| r.name == object && r.by == by);
            let dropped = table.rules.remove(at.ok_or(format!("no rule {object}"))?);
            let columns: Vec<String> =
                dropped.rule.columns().into_iter().map(str::to_owned).collect();
            let is_key = |rule: &Rule| {
                let unique =
                    matches!(rule, Rule::Index(index) if index.unique && index.predicate.is_none());
                unique || matches!(rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            };
            let others = table.rules.iter().any(|r| is_key(&r.rule) && r.rule.columns() == columns);
            if is_key(&dropped.rule) && led_to.contains(&columns) && !others {
                return Err(format!("{object} is referred to"));
            }
        }
        "rename_constraint" | "rename_index" => {
            let from = &words[words.len() - 2];
            let rule = table.rules.iter_mut().find(|r| r.name == *from);
            object.clone_into(&mut rule.ok_or(format!("no {from}"))?.name);
        }
        "drop_column" => {
            if table.rules.iter().any(|r| r.rule.columns().contains(&object)) {
                return Err(format!("{object} has rules"));
            }
            column_of(&table.table, object)?;
            table.table.columns.retain(|column| column.name != object);
            keeping.sequences.retain(|(column, _)| column != object);
        }
        "rename_column" => {
            let (from, to) = (&words[2], &words[3]);
            if table.table.column(to).is_some() {
                return Err(format!("{to} is there"));
            }
            let column = table.table.columns.iter_mut().find(|column| column.name == *from);
            column.ok_or("no column")?.name.clone_from(to);
            for named in &mut table.rules {
                named.rule = named
                    .rule
                    .renamed(&|name| if name == from { to.clone() } else { name.to_owned() });
                if let Rule::Index(index) = &mut named.rule
                    && let Some(sql) = &mut index.predicate
                    && sql.text == format!("{from} IS NOT NULL")
                {
                    *sql =
                        crate::structure::sql_text::SqlText::printed(&format!("{to} IS NOT NULL"));
                }
            }
            for fill in keeping.fills.iter_mut().filter(|fill| fill.column == *from) {
                fill.column.clone_from(to);
            }
            for (column, _) in keeping.sequences.iter_mut().filter(|(column, _)| column == from) {
                column.clone_from(to);
            }
        }
        "add_column" => {
            if table.table.column(object).is_some() {
                return Err(format!("{object} is there"));
            }
            let column = column_of(goal()?, object)?;
            let required = column.required && column.default.is_some();
            if is_generated(&column) {
                let name = sequence.ok_or("no name of a sequence")?;
                keeping.sequences.push((object.to_owned(), sequence_state(name)));
            }
            table.table.columns.push(Column { required, description: None, ..column });
        }
        "change_type" => {
            let is_check = |rule: &Rule| {
                matches!(
                    rule,
                    Rule::Compare { .. } | Rule::CompareColumns { .. } | Rule::OneOf { .. }
                )
            };
            if table.rules.iter().any(|r| is_check(&r.rule) && r.rule.columns().contains(&object)) {
                return Err("under a check".to_owned());
            }
            let swaps = step.stage == crate::structure::step::Stage::SwapType;
            let wanted = if swaps { None } else { Some(column_of(goal()?, object)?) };
            let column = table.table.columns.iter_mut().find(|column| column.name == object);
            let column = column.ok_or("no column")?;
            match wanted {
                Some(wanted) => {
                    let generated = matches!(
                        column.default,
                        Some(ColumnDefault::Identity { .. } | ColumnDefault::Serial)
                    );
                    if column.default.is_some() && !generated {
                        return Err("under a default".to_owned());
                    }
                    (column.kind, column.list) = (wanted.kind, wanted.list);
                }
                None => {
                    if column.default.is_some() && !step.sql.contains("DROP DEFAULT") {
                        return Err("under a default".to_owned());
                    }
                    column.default = None;
                    column.kind = FieldKind::NamedEnum {
                        schema: words[words.len() - 2].clone(),
                        name: words[words.len() - 1].clone(),
                    };
                }
            }
        }
        "drop_default" | "stop_generating" | "change_default" | "change_generated" => {
            let wanted = match step.operation {
                "change_default" | "change_generated" => column_of(goal()?, object)?.default,
                _ => None,
            };
            if matches!(step.operation, "stop_generating" | "change_generated") {
                for statement in step.sql.split("; ") {
                    follow_sequence(keeping, object, &table.name, statement)
                        .map_err(|problem| format!("{problem}: {statement}"))?;
                }
            }
            let column = table.table.columns.iter_mut().find(|column| column.name == object);
            let column = column.ok_or(format!("no column {object}"))?;
            let identity = matches!(wanted, Some(ColumnDefault::Identity { .. }));
            if identity && !column.required {
                return Err("an identity is NOT NULL".to_owned());
            }
            column.default = wanted;
        }
        "require" | "make_optional" => {
            let column = table.table.columns.iter_mut().find(|column| column.name == object);
            column.ok_or(format!("no column {object}"))?.required = step.operation == "require";
            let (validated, left): (Vec<_>, Vec<_>) =
                table.rules.drain(..).partition(|r| r.name.ends_with("kepler_required"));
            let _ = validated;
            table.rules = left;
        }
        "prepare_require" => {}
        "add_unique" | "add_primary_key" if step.sql.contains(" USING INDEX ") => {
            let built = &words[words.len() - 1];
            let is_built = |r: &&NamedRule| r.name == *built && r.by == By::Index;
            let index = table.rules.iter().find(is_built).ok_or(format!("no index {built}"))?;
            let is_of_index = |rule: &&Rule| {
                let is_key = match step.operation {
                    "add_unique" => matches!(rule, Rule::Unique(_)),
                    _ => matches!(rule, Rule::PrimaryKey(_)),
                };
                is_key && index_of(rule).map(Rule::Index).as_ref() == Some(&index.rule)
            };
            let rule = goal()?.rules.iter().find(is_of_index).ok_or("another index")?.clone();
            if table.rules.iter().any(|r| r.name == object && r.name != *built) {
                return Err(format!("{object} is there"));
            }
            table.rules.retain(|r| r.name != *built);
            let (name, by) = (object.to_owned(), By::Constraint);
            table.rules.push(NamedRule { rule, name, by, validated: true, shared: false });
        }
        "add_check" | "add_reference" | "add_unique" | "add_index" | "add_primary_key" => {
            if table.rules.iter().any(|rule| rule.name == object) {
                return Err(format!("{object} is there"));
            }
            let goal = goal()?;
            let sql = step.sql.replace("INDEX CONCURRENTLY", "INDEX");
            let place = qualified(&table.schema, &table.name);
            let makes = |rule: &&Rule| match dialect().constraint(goal, rule) {
                Some(definition) => {
                    let end =
                        format!("ADD CONSTRAINT {} {definition}", crate::ident::quote(object));
                    sql.ends_with(&end) || sql.ends_with(&format!("{end} NOT VALID"))
                }
                None => dialect().index(rule, &place, object).is_some_and(|made| made == sql),
            };
            // The index of a key is built before the key is.
            let built = goal.rules.iter().filter_map(|rule| Some(Rule::Index(index_of(rule)?)));
            let built: Vec<Rule> = built.collect();
            let rule = goal.rules.iter().chain(&built).find(makes);
            let rule = rule.ok_or(format!("makes nothing: {sql}"))?;
            if rule.columns().iter().any(|column| table.table.column(column).is_none()) {
                return Err("a column is missing".to_owned());
            }
            table.rules.push(NamedRule {
                rule: rule.clone(),
                name: object.to_owned(),
                by: if sql.starts_with("CREATE") { By::Index } else { By::Constraint },
                validated: !sql.ends_with("NOT VALID"),
                shared: false,
            });
        }
        "validate" => {
            if let Some(rule) = table.rules.iter_mut().find(|rule| rule.name == object) {
                rule.validated = true;
            } else if !object.ends_with("kepler_required") {
                return Err(format!("no {object}"));
            }
        }
        "describe" if object == table.name => {
            table.table.description.clone_from(&goal()?.description)
        }
        "describe" => {
            let description = column_of(goal()?, object)?.description;
            let column = table.table.columns.iter_mut().find(|column| column.name == object);
            column.ok_or("no column")?.description = description;
        }
        "add_trigger" | "change_trigger" | "drop_trigger" if object == REFERENCES_TRIGGER => {
            table.table.guarded.clone_from(&goal()?.guarded);
        }
        "add_trigger" | "change_trigger" | "drop_trigger" => {
            keeping.fills.clone_from(&model.ok_or("no goal")?.fills);
        }
        "track_history" | "untrack_history" => keeping.history = step.operation == "track_history",
        "rename_sequence" => follow_sequence(keeping, "", &table.name, &step.sql)?,
        other => return Err(format!("{other} is no operation")),
    }
    Ok(())
}

/// What a statement does to the sequences of a table: those without a column are on their way.
fn follow_sequence(
    keeping: &mut Keeping,
    column: &str,
    table: &str,
    statement: &str,
) -> Result<(), String> {
    let names = keeping.sequences.iter().map(|(of, state)| (of.clone(), state.name.clone()));
    let mut names: Vec<(String, String)> = names.collect();
    follow_names(&mut names, column, table, statement)?;
    let states = names.into_iter().map(|(of, name)| (of, sequence_state(name)));
    keeping.sequences = states.collect();
    Ok(())
}

fn follow_names(
    sequences: &mut Vec<(String, String)>,
    column: &str,
    table: &str,
    statement: &str,
) -> Result<(), String> {
    let words = quoted(statement);
    let find = |sequences: &[(String, String)], name: &str| {
        let found = sequences.iter().position(|(_, of)| of == name);
        found.ok_or(format!("no sequence {name}"))
    };
    let of_column = |sequences: &[(String, String)]| {
        let found = sequences.iter().position(|(of, _)| of == column);
        found.ok_or(format!("{column} has no sequence"))
    };
    let taken = |sequences: &[(String, String)], name: &str| {
        let is_taken = sequences.iter().any(|(_, of)| of == name);
        if is_taken { Err(format!("{name} is there")) } else { Ok(()) }
    };
    let (kind, name) = (statement.split(' ').take(2).collect::<Vec<_>>().join(" "), &words[1]);
    match kind.as_str() {
        "CREATE SEQUENCE" => {
            taken(sequences, name)?;
            sequences.push((String::new(), name.clone()));
        }
        "DROP SEQUENCE" => {
            let at = find(sequences, name)?;
            sequences.remove(at);
        }
        "ALTER SEQUENCE" => {
            let at = find(sequences, name)?;
            if statement.ends_with("OWNED BY NONE") {
                sequences[at].0.clear();
            } else if statement.contains("OWNED BY") {
                column.clone_into(&mut sequences[at].0);
            } else if statement.contains("RENAME TO") {
                taken(sequences, &words[2])?;
                sequences[at].1.clone_from(&words[2]);
            }
        }
        _ if statement.starts_with("SELECT") => {
            find(sequences, name)?;
            if words[words.len() - 1] != table {
                find(sequences, &words[words.len() - 1])?;
            }
        }
        _ if statement.contains("ADD GENERATED") => {
            let name = &words[words.len() - 1];
            taken(sequences, name)?;
            sequences.push((column.to_owned(), name.clone()));
        }
        _ if statement.contains("DROP IDENTITY") => {
            let at = of_column(sequences)?;
            sequences.remove(at);
        }
        _ if statement.contains("SET DEFAULT") => {
            let at = find(sequences, &words[words.len() - 1])?;
            if sequences[at].0 != column {
                return Err("it belongs to another column".to_owned());
            }
        }
        // The sequence waits for being dropped.
        _ => {}
    }
    Ok(())
}
