//! What a step does to one table.

use super::dialect;
use crate::field_types::kind::FieldKind;
use crate::ident::qualified;
use crate::structure::blueprint::model::ModelTable;
use crate::structure::observe::{By, NamedRule, Observed};
use crate::structure::plan::guarded::REFERENCES_TRIGGER;
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
            let from = if step.operation == "rename_index" { &words[1] } else { &words[2] };
            if table.rules.iter().any(|r| r.name == object) {
                return Err(format!("{object} is there"));
            }
            let rule = table.rules.iter_mut().find(|r| r.name == *from);
            object.clone_into(&mut rule.ok_or(format!("no {from}"))?.name);
        }
        "drop_column" => {
            if table.rules.iter().any(|r| r.rule.columns().contains(&object)) {
                return Err(format!("{object} has rules"));
            }
            column_of(&table.table, object)?;
            table.table.columns.retain(|column| column.name != object);
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
        }
        "add_column" => {
            if table.table.column(object).is_some() {
                return Err(format!("{object} is there"));
            }
            let column = column_of(goal()?, object)?;
            let required = column.required && column.default.is_some();
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
            let rule = goal.rules.iter().find(makes).ok_or(format!("makes nothing: {sql}"))?;
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
        "rename_sequence" => {}
        other => return Err(format!("{other} is no operation")),
    }
    Ok(())
}
