//! The catalog, as far as plans change it: complains about steps that Postgres would refuse.

use super::dialect;
use super::follow_table::follow_table;
use super::generate::Model;
use crate::field_types::kind::FieldKind;
use crate::ident::qualified;
use crate::structure::blueprint::model::ModelTable;
use crate::structure::constant::Constant;
use crate::structure::ddl::postgres_name;
use crate::structure::facts::{Dependent, DependentKind};
use crate::structure::model::Default as FieldDefault;
use crate::structure::observe::{By, NamedRule, Observed};
use crate::structure::plan::enums::{EnumUse, ObservedEnum};
use crate::structure::plan::generated::is_generated;
use crate::structure::plan::tables::{Keeping, SequenceState};
use crate::structure::plan::tables_target;
use crate::structure::step::Step;
use crate::structure::table::{Column, ColumnDefault, Rule};

#[derive(Debug, Default)]
pub(super) struct World {
    tables: Vec<(Observed, Keeping)>,
    enums: Vec<ObservedEnum>,
}

impl World {
    pub(super) fn table(&self, schema: &str, name: &str) -> Option<(&Observed, &Keeping)> {
        let found = self.tables.iter().find(|(t, _)| t.schema == schema && t.name == name);
        found.map(|(observed, keeping)| (observed, keeping))
    }

    pub(super) fn enum_type(&self, schema: &str, name: &str) -> Option<&ObservedEnum> {
        self.enums.iter().find(|e| e.schema == schema && e.name == name)
    }

    /// What the catalog would say of types and references.
    pub(super) fn note_uses(&mut self) {
        for of in &mut self.enums {
            let mut uses = Vec::new();
            for (table, _) in &self.tables {
                for column in &table.table.columns {
                    if column.kind
                        == (FieldKind::NamedEnum {
                            schema: of.schema.clone(),
                            name: of.name.clone(),
                        })
                    {
                        uses.push(EnumUse::Column {
                            schema: table.schema.clone(),
                            table: table.name.clone(),
                            column: column.name.clone(),
                            list: column.list,
                        });
                    }
                }
            }
            of.uses = uses;
        }
        let references: Vec<(String, String, String)> = self
            .tables
            .iter()
            .flat_map(|(table, _)| table.rules.iter().map(move |rule| (table, rule)))
            .filter_map(|(table, named)| match &named.rule {
                Rule::Reference(r) => Some((
                    r.target.schema.clone(),
                    r.target.table.clone(),
                    qualified(&table.schema, &table.name),
                )),
                _ => None,
            })
            .collect();
        for (table, _) in &mut self.tables {
            let own = qualified(&table.schema, &table.name);
            let to = |(s, t, by): &&(String, String, String)| {
                *s == table.schema && *t == table.name && *by != own
            };
            table.dependents = references
                .iter()
                .filter(to)
                .map(|(_, _, by)| Dependent {
                    column: None,
                    kind: DependentKind::Reference,
                    name: by.clone(),
                    keeps_type: false,
                    leads_to: None,
                })
                .collect();
            let (observed, rules) = (&mut table.table, &table.rules);
            observed.rules = rules.iter().filter(|r| r.validated).map(|r| r.rule.clone()).collect();
            table.names = rules.iter().map(|rule| rule.name.clone()).collect();
        }
    }

    pub(super) fn follow(&mut self, step: &Step, target: &Model) -> Result<(), String> {
        self.take(step, target)?;
        self.check_names()
    }

    /// Nothing has the name of something else: relations of the schema, its types, and the constraints of a table.
    fn check_names(&self) -> Result<(), String> {
        let once = |names: Vec<String>| {
            let mut names = names;
            names.sort();
            let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
            twice.map_or(Ok(()), |pair| Err(format!("{} is there twice", pair[0])))
        };
        let tables = || self.tables.iter().map(|(table, _)| table.name.clone());
        let mut relations: Vec<String> = tables().collect();
        for (table, keeping) in &self.tables {
            let is_constraint = |rule: &&NamedRule| rule.by == By::Constraint;
            let constraints = table.rules.iter().filter(is_constraint);
            once(constraints.map(|rule| rule.name.clone()).collect())?;
            let with_index = table.rules.iter().filter(|named| {
                named.by == By::Index || matches!(named.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            });
            relations.extend(with_index.map(|named| named.name.clone()));
            relations.extend(keeping.sequences.iter().map(|(_, state)| state.name.clone()));
        }
        once(relations)?;
        once(tables().chain(self.enums.iter().map(|one| one.name.clone())).collect())
    }

    /// The name that Postgres gives to a sequence.
    fn sequence_name(&self, table: &str, column: &str, own: &[(String, SequenceState)]) -> String {
        let is_taken = |name: &String| {
            own.iter().any(|(_, other)| other.name == *name)
                || self.tables.iter().any(|(table, keeping)| {
                    table.name == *name
                        || table.rules.iter().any(|rule| rule.name == *name)
                        || keeping.sequences.iter().any(|(_, other)| other.name == *name)
                })
        };
        (0..)
            .map(|number: u32| match number {
                0 => "seq".to_owned(),
                number => format!("seq{number}"),
            })
            .map(|label| postgres_name(table, Some(column), &label))
            .find(|name| !is_taken(name))
            .unwrap_or_default()
    }

    fn take(&mut self, step: &Step, target: &Model) -> Result<(), String> {
        let words = quoted(&step.sql);
        match step.operation {
            "create_type" | "drop_type" | "rename_type" | "move_type" | "add_value"
            | "rename_value" | "replace_type" => return self.follow_type(step, &words, target),
            "describe" if step.relation.is_none() => {
                let model = target.enums.iter().find(|e| e.type_name == step.object);
                let of = self.enums.iter_mut().find(|e| e.name == step.object).ok_or("no type")?;
                of.description = model.and_then(|model| model.description.clone());
                return Ok(());
            }
            "create_table" => return self.create(step, target),
            "drop_table" => {
                let (schema, name) = (&words[0], &words[1]);
                let led_to = self.tables.iter().any(|(table, _)| {
                    table.name != *name
                        && table.rules.iter().any(
                            |r| matches!(&r.rule, Rule::Reference(r) if r.target.table == *name),
                        )
                });
                if led_to {
                    return Err(format!("{name} is referred to"));
                }
                self.tables.retain(|(t, _)| t.schema != *schema || t.name != *name);
                return Ok(());
            }
            "rename_table" => {
                let (from, to) = (words[1].clone(), words[2].clone());
                if self.table(&words[0], &to).is_some() {
                    return Err(format!("{to} is there"));
                }
                self.each_reference(&|r| {
                    if r.target.table == from {
                        r.target.table.clone_from(&to);
                    }
                });
                let table = self.tables.iter_mut().find(|(t, _)| t.name == from);
                table.ok_or("no table")?.0.name = to;
                return Ok(());
            }
            _ => {}
        }
        let (schema, name) = step
            .relation
            .as_ref()
            .map(|r| (r.schema.clone(), r.table.clone()))
            .ok_or("a step of no table")?;
        // References go before tables are renamed, and so does what steps aside.
        let name = match step.operation {
            "drop_constraint" => words[1].clone(),
            "rename_constraint" if step.sql.starts_with("ALTER TABLE") => words[1].clone(),
            "rename_constraint" | "rename_index" | "rename_sequence" => {
                let has = |(table, keeping): &&(Observed, Keeping)| {
                    table.rules.iter().any(|rule| rule.name == words[1])
                        || keeping.sequences.iter().any(|(_, state)| state.name == words[1])
                };
                let found = self.tables.iter().find(has);
                found.ok_or(format!("no {}", words[1]))?.0.name.clone()
            }
            _ => name,
        };
        let model = target.tables.iter().find(|t| t.schema == schema && t.table_name == name);
        let model = model.map(|model| ModelTable {
            table: tables_target::normal(&model.table),
            ..model.clone()
        });
        if step.operation == "rename_column" {
            let (from, to) = (words[2].clone(), words[3].clone());
            self.each_reference(&|r| {
                if r.target.table == name {
                    for column in r.target.columns.iter_mut().filter(|column| **column == from) {
                        column.clone_from(&to);
                    }
                }
            });
        }
        let key_led_to = self.led_to(&name);
        let sequence =
            (step.operation == "add_column").then(|| self.sequence_name(&name, &step.object, &[]));
        let at = self.tables.iter().position(|(t, _)| t.schema == schema && t.name == name);
        let (table, keeping) = &mut self.tables[at.ok_or(format!("no table {name}"))?];
        follow_table(table, keeping, step, &words, model.as_ref(), &key_led_to, sequence)
    }

    /// Columns that references lead to.
    fn led_to(&self, name: &str) -> Vec<Vec<String>> {
        let rules = self.tables.iter().flat_map(|(table, _)| &table.rules);
        rules
            .filter_map(|named| match &named.rule {
                Rule::Reference(r) if r.target.table == name => Some(r.target.columns.clone()),
                _ => None,
            })
            .collect()
    }

    fn each_reference(&mut self, change: &dyn Fn(&mut crate::structure::table::Reference)) {
        for (table, _) in &mut self.tables {
            for named in &mut table.rules {
                if let Rule::Reference(reference) = &mut named.rule {
                    change(reference);
                }
            }
        }
    }

    fn create(&mut self, step: &Step, target: &Model) -> Result<(), String> {
        let model = target.tables.iter().find(|t| t.table_name == step.object).ok_or("no goal")?;
        if self.table(&model.schema, &model.table_name).is_some() {
            return Err(format!("{} is there", model.table_name));
        }
        let mut table = tables_target::normal(&model.table);
        let mut rules = Vec::new();
        for rule in table.rules.iter().filter(|rule| !matches!(rule, Rule::Reference(_))) {
            let Some(definition) = dialect().constraint(&table, rule) else { continue };
            let name =
                named_in(&step.sql, &definition, &rules).ok_or(format!("no {definition}"))?;
            rules.push(NamedRule {
                rule: rule.clone(),
                name,
                by: By::Constraint,
                validated: true,
                shared: false,
            });
        }
        table.description = None;
        table.names = Vec::new();
        table.columns.iter_mut().for_each(|column| column.description = None);
        let observed = Observed {
            schema: model.schema.clone(),
            name: model.table_name.clone(),
            table,
            key: None,
            names: Vec::new(),
            rules,
            hidden: Vec::new(),
            extras: Vec::new(),
            dependents: Vec::new(),
            attribute_count: 4,
            estimated_rows: 0,
            pages: 0,
            details: crate::structure::observe::Details::default(),
        };
        let mut keeping = Keeping::default();
        for column in observed.table.columns.iter().filter(|column| is_generated(column)) {
            let name = self.sequence_name(&model.table_name, &column.name, &keeping.sequences);
            keeping.sequences.push((column.name.clone(), sequence_state(name)));
        }
        self.tables.push((observed, keeping));
        Ok(())
    }

    fn follow_type(&mut self, step: &Step, words: &[String], target: &Model) -> Result<(), String> {
        let model = target.enums.iter().find(|e| words[1] == e.type_name);
        let position = self.enums.iter().position(|e| e.name == words[1]);
        match step.operation {
            "create_type" => {
                let model = model.ok_or("no goal")?;
                if position.is_some() {
                    return Err(format!("{} is there", model.type_name));
                }
                self.enums.push(observed_enum(model));
            }
            "drop_type" => {
                self.note_uses();
                let of = self.enums.remove(position.ok_or("no type")?);
                if !of.uses.is_empty() {
                    return Err(format!("{:?}", of.uses));
                }
            }
            "rename_type" => self.rename_type(&words[1], &words[2])?,
            "replace_type" => {
                self.rename_type(&words[1], &words[2])?;
                self.enums.push(observed_enum(model.ok_or("no goal")?));
            }
            "add_value" => {
                let of = &mut self.enums[position.ok_or("no type")?];
                let texts = texts(&step.sql);
                let beside = texts.get(1).map(|beside| {
                    of.values.iter().position(|value| value == beside).ok_or(format!("no {beside}"))
                });
                let at = match beside.transpose()? {
                    Some(at) if step.sql.contains(" AFTER ") => at + 1,
                    Some(at) => at,
                    None => of.values.len(),
                };
                of.values.insert(at, texts[0].clone());
            }
            _ => {
                let of = &mut self.enums[position.ok_or("no type")?];
                let texts = texts(&step.sql);
                if of.values.contains(&texts[1]) {
                    return Err(format!("{} is there", texts[1]));
                }
                let value = of.values.iter_mut().find(|value| **value == texts[0]);
                value.ok_or(format!("no {}", texts[0]))?.clone_from(&texts[1]);
                // Defaults hold the value itself, whatever it is called.
                let name = of.name.clone();
                for column in self.tables.iter_mut().flat_map(|(table, _)| &mut table.table.columns)
                {
                    if let (
                        FieldKind::NamedEnum { name: n, .. },
                        Some(ColumnDefault::Field(FieldDefault::Value(Constant::Text(text)))),
                    ) = (&column.kind, &mut column.default)
                        && *n == name
                        && *text == texts[0]
                    {
                        text.clone_from(&texts[1]);
                    }
                }
            }
        }
        Ok(())
    }

    fn rename_type(&mut self, from: &str, to: &str) -> Result<(), String> {
        if self.enums.iter().any(|e| e.name == to) {
            return Err(format!("{to} is there"));
        }
        let of = self.enums.iter_mut().find(|e| e.name == from).ok_or("no type")?;
        to.clone_into(&mut of.name);
        for column in self.tables.iter_mut().flat_map(|(table, _)| &mut table.table.columns) {
            if let FieldKind::NamedEnum { name, .. } = &mut column.kind
                && name == from
            {
                to.clone_into(name);
            }
        }
        Ok(())
    }

    /// Whether this is what the model asks for.
    pub(super) fn is(&self, target: &Model) -> Result<(), String> {
        if self.tables.len() != target.tables.len() {
            return Err(format!("{} tables", self.tables.len()));
        }
        for model in &target.tables {
            let table = tables_target::normal(&model.table);
            let (observed, keeping) = self
                .table(&model.schema, &model.table_name)
                .ok_or(format!("no {}", model.table_name))?;
            let sorted = |columns: &[Column]| {
                let mut columns = columns.to_vec();
                columns.sort_by(|a, b| a.name.cmp(&b.name));
                columns
            };
            let same = |what: &str, a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| {
                let (a, b) = (format!("{a:?}"), format!("{b:?}"));
                if a == b {
                    Ok(())
                } else {
                    Err(format!("{what} of {}:\n{a}\n{b}", model.table_name))
                }
            };
            same("columns", &sorted(&observed.table.columns), &sorted(&table.columns))?;
            same("description", &observed.table.description, &table.description)?;
            same("fills", &keeping.fills, &model.fills)?;
            same("history", &keeping.history, &model.history)?;
            same("guarded", &observed.table.guarded, &table.guarded)?;
            let generated = table.columns.iter().filter(|column| is_generated(column));
            let generated: Vec<&str> = generated.map(|column| column.name.as_str()).collect();
            let owned =
                |of: &&str| keeping.sequences.iter().filter(|(by, _)| by == of).count() == 1;
            if !generated.iter().all(owned) || keeping.sequences.len() != generated.len() {
                return Err(format!("sequences {:?} of {generated:?}", keeping.sequences));
            }
            for (column, state) in &keeping.sequences {
                let name = &state.name;
                let mut labels = (1..10).map(|number| format!("seq{number}"));
                let made = |label: &str| postgres_name(&model.table_name, Some(column), label);
                if *name != made("seq") && !labels.any(|label| *name == made(&label)) {
                    return Err(format!("the sequence of {column} is called {name}"));
                }
            }
            let mut there: Vec<String> =
                observed.rules.iter().map(|r| format!("{:?}", r.rule)).collect();
            let mut wanted: Vec<String> =
                table.rules.iter().map(|rule| format!("{rule:?}")).collect();
            there.sort();
            wanted.sort();
            same("rules", &there, &wanted)?;
            for (rule, name) in table.named_rules() {
                let found = observed
                    .rules
                    .iter()
                    .any(|r| r.rule == *rule && name.is_none_or(|name| r.name == name));
                if !found {
                    return Err(format!("{name:?} is not there"));
                }
            }
            if observed.rules.iter().any(|rule| !rule.validated) {
                return Err("not all is validated".to_owned());
            }
        }
        if self.enums.len() != target.enums.len() {
            return Err(format!("enums {:?}", self.enums));
        }
        for model in &target.enums {
            let of = self.enum_type(&model.schema, &model.type_name).ok_or("no type")?;
            if of.values != model.values || of.description != model.description {
                return Err(format!("{:?} is not {:?}", of.values, model.values));
            }
        }
        Ok(())
    }
}

fn observed_enum(model: &crate::structure::blueprint::model::EnumType) -> ObservedEnum {
    ObservedEnum {
        schema: model.schema.clone(),
        name: model.type_name.clone(),
        values: model.values.clone(),
        description: None,
        uses: Vec::new(),
    }
}

/// A sequence that a column has.
pub(super) fn sequence_state(name: String) -> SequenceState {
    SequenceState { name, owned: true, feeds: true, ..SequenceState::default() }
}

/// Names in double quotes.
pub(super) fn quoted(sql: &str) -> Vec<String> {
    sql.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Texts in single quotes.
fn texts(sql: &str) -> Vec<String> {
    let sql = sql.replace("''", "\u{1}");
    sql.split('\'').skip(1).step_by(2).map(|text| text.replace('\u{1}', "'")).collect()
}

/// The name of a constraint in a statement, by its definition.
fn named_in(sql: &str, definition: &str, taken: &[NamedRule]) -> Option<String> {
    sql.lines().find_map(|line| {
        let line = line.trim().trim_end_matches(',');
        let rest = line.strip_prefix("CONSTRAINT \"")?;
        let (name, rest) = rest.split_once('"')?;
        let free = !taken.iter().any(|rule| rule.name == name);
        (rest.trim() == definition && free).then(|| name.to_owned())
    })
}
