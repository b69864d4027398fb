//! The table that a structure asks for, and the structure that asks for a table.

use super::{Column, ColumnDefault, Keyed, Reference, Rule, Table, Target, UniqueColumn};
use crate::field_types::kind::FieldKind;
use crate::structure::model::{
    Check, Field, Index, Key, Method, Op, Operand, Sensitive, Structure, TIMES,
};

impl Table {
    /// The table that a structure asks for. `resolve` knows the tables that references name; where it
    /// does not, the name is given back.
    pub(crate) fn of(
        structure: &Structure,
        resolve: &dyn Fn(&str) -> Option<Keyed>,
    ) -> Result<Table, String> {
        let mut columns = vec![Column {
            name: structure.key.column().to_owned(),
            kind: structure.key.kind.field_kind(),
            list: false,
            required: true,
            default: Some(ColumnDefault::Key(structure.key.kind)),
            description: None,
        }];
        let mut rules = Vec::new();
        for field in &structure.fields {
            let mut kind = field.kind.clone();
            match &field.kind {
                FieldKind::Enum { values } => {
                    kind = FieldKind::Text { max_length: None };
                    rules.push(Rule::OneOf {
                        column: field.column().to_owned(),
                        values: values.clone(),
                    });
                }
                FieldKind::Reference { to, on_delete } => {
                    let target = resolve(to).ok_or_else(|| to.clone())?;
                    kind = target.key.kind.field_kind();
                    let reference =
                        Reference::to_key(field.column().to_owned(), target.target(), *on_delete);
                    rules.push(Rule::Reference(reference));
                }
                _ => {}
            }
            rules.extend(field_rules(structure, field));
            columns.push(Column {
                name: field.column().to_owned(),
                kind,
                list: field.list,
                required: field.required,
                default: field.default.clone().map(ColumnDefault::Field),
                description: field.description.clone(),
            });
        }
        for name in TIMES {
            columns.push(Column {
                name: name.to_owned(),
                kind: FieldKind::Timestamp,
                list: false,
                required: true,
                default: Some(ColumnDefault::Clock),
                description: None,
            });
        }
        for names in &structure.unique {
            rules.push(Rule::Unique(
                names.iter().map(|name| unique_column(structure, name)).collect(),
            ));
        }
        let column = |name: &str| structure.column_of(name).to_owned();
        rules.extend(structure.checks.iter().map(|check| match &check.operand {
            Operand::Value(value) => {
                Rule::Compare { column: column(&check.field), op: check.op, value: value.clone() }
            }
            Operand::Field(right) => Rule::CompareColumns {
                left: column(&check.field),
                op: check.op,
                right: column(right),
            },
        }));
        let index = |index: &Index| Rule::Index(index.clone()).renamed(&column);
        rules.extend(structure.indexes.iter().map(index));
        let guarded = structure
            .fields
            .iter()
            .filter(|field| field.sensitive == Some(Sensitive::Reference))
            .map(|field| column(&field.name))
            .collect();
        let description = structure.description.clone();
        Ok(Table { description, columns, rules, names: Vec::new(), guarded })
    }

    /// The structure that asks for this table: the reverse of [`Table::of`]. `name_of` knows the record
    /// names of tables that are referred to. What a structure cannot say is left out, and told.
    pub(crate) fn to_structure(
        &self,
        name: Option<String>,
        key: Key,
        name_of: &dyn Fn(&Target) -> Option<String>,
    ) -> (Structure, Vec<String>) {
        let mut left_out = Vec::new();
        let mut structure = Structure {
            name,
            label: None,
            description: self.description.clone(),
            key,
            fields: Vec::new(),
            unique: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
            retention: None,
        };
        for column in &self.columns {
            if column.name == structure.key.name || TIMES.contains(&column.name.as_str()) {
                continue;
            }
            structure.fields.push(Field {
                name: column.name.clone(),
                column: None,
                label: None,
                description: column.description.clone(),
                kind: column.kind.clone(),
                list: column.list,
                required: column.required,
                unique: false,
                case_insensitive: false,
                default: match &column.default {
                    Some(ColumnDefault::Field(default)) => Some(default.clone()),
                    _ => None,
                },
                min_length: None,
                min: None,
                max: None,
                unindexed: false,
                sensitive: self.guarded.contains(&column.name).then_some(Sensitive::Reference),
                renamed_from: None,
                renamed_values: Vec::new(),
            });
        }
        // Enums and references first: they change what a field is.
        let (first, rest): (Vec<&Rule>, Vec<&Rule>) = self
            .rules
            .iter()
            .partition(|rule| matches!(rule, Rule::OneOf { .. } | Rule::Reference(_)));
        for rule in first.into_iter().chain(rest) {
            if let Err(problem) = structure.take_rule(rule, name_of) {
                left_out.push(problem);
            }
        }
        for at in 0..structure.fields.len() {
            let field = &structure.fields[at];
            if matches!(field.kind, FieldKind::Reference { .. }) && !structure.is_led_by(field) {
                structure.fields[at].unindexed = true;
            }
        }
        (structure, left_out)
    }
}

fn unique_column(structure: &Structure, name: &str) -> UniqueColumn {
    let case_insensitive = structure.field(name).is_some_and(|field| field.case_insensitive);
    UniqueColumn { name: structure.column_of(name).to_owned(), case_insensitive }
}

fn field_rules(structure: &Structure, field: &Field) -> Vec<Rule> {
    let mut rules = Vec::new();
    let column = || field.column().to_owned();
    if field.unique {
        rules.push(Rule::Unique(vec![unique_column(structure, &field.name)]));
    }
    if let Some(length) = field.min_length {
        rules.push(Rule::MinLength { column: column(), length });
    }
    let bounds = [(Op::GreaterOrEqual, &field.min), (Op::LessOrEqual, &field.max)];
    for (op, bound) in bounds {
        if let Some(value) = bound {
            rules.push(Rule::Compare { column: column(), op, value: value.clone() });
        }
    }
    rules
}

impl Structure {
    /// Whether an index or a unique set begins with the field, so that whoever deletes what it refers
    /// to need not read the whole table.
    pub(crate) fn is_led_by(&self, field: &Field) -> bool {
        field.unique
            || self.unique.iter().any(|names| names[0] == field.name)
            || self
                .indexes
                .iter()
                .any(|index| index.method == Method::Btree && index.columns[0].name == field.name)
    }

    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// A rule that the field cannot have beside its others is passed over: who compares the structure
    /// with the table finds it missing.
    fn take_rule(
        &mut self,
        rule: &Rule,
        name_of: &dyn Fn(&Target) -> Option<String>,
    ) -> Result<(), String> {
        match rule {
            Rule::OneOf { column, values } => {
                let field =
                    self.field_mut(column).ok_or("a rule over a column that is not a field")?;
                field.kind = FieldKind::Enum { values: values.clone() };
            }
            Rule::Reference(reference) => {
                let ([column], Some(on_delete)) =
                    (reference.columns.as_slice(), reference.on_delete_of_structure())
                else {
                    return Err("a reference that a structure cannot say".to_owned());
                };
                let to = name_of(&reference.target).ok_or_else(|| {
                    format!(
                        "column \"{column}\" refers to {}.{}, which is not an entry table of the workspace",
                        reference.target.schema, reference.target.table
                    )
                })?;
                let field =
                    self.field_mut(column).ok_or("a reference in a column that is not a field")?;
                field.kind = FieldKind::Reference { to, on_delete };
            }
            Rule::MinLength { column, length } => {
                let field =
                    self.field_mut(column).ok_or("a rule over a column that is not a field")?;
                if matches!(field.kind, FieldKind::Text { .. }) {
                    field.min_length = Some(*length);
                }
            }
            Rule::Compare { column, op, value } => {
                let bound = self.field_mut(column).and_then(|field| match op {
                    Op::GreaterOrEqual => Some(&mut field.min),
                    Op::LessOrEqual => Some(&mut field.max),
                    _ => None,
                });
                match bound {
                    Some(bound @ None) => *bound = Some(value.clone()),
                    Some(Some(_)) => {}
                    None => self.checks.push(Check {
                        field: column.clone(),
                        op: *op,
                        operand: Operand::Value(value.clone()),
                    }),
                }
            }
            Rule::CompareColumns { left, op, right } => self.checks.push(Check {
                field: left.clone(),
                op: *op,
                operand: Operand::Field(right.clone()),
            }),
            Rule::Unique(columns) => {
                let is_text = |column: &UniqueColumn| {
                    self.field(&column.name)
                        .is_some_and(|field| matches!(field.kind, FieldKind::Text { .. }))
                };
                if columns.iter().any(|column| column.case_insensitive && !is_text(column)) {
                    return Ok(());
                }
                for column in columns {
                    if let Some(field) = self.field_mut(&column.name) {
                        field.case_insensitive |= column.case_insensitive;
                    }
                }
                match columns.as_slice() {
                    [column] if self.field(&column.name).is_some() => {
                        if let Some(field) = self.field_mut(&column.name) {
                            field.unique = true;
                        }
                    }
                    _ => {
                        self.unique.push(columns.iter().map(|column| column.name.clone()).collect())
                    }
                }
            }
            Rule::PrimaryKey(_) => {}
            Rule::Index(index) if self.indexes.contains(index) => {}
            Rule::Index(index) => self.indexes.push(index.clone()),
        }
        Ok(())
    }
}
