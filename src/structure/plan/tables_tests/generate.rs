//! Models of a few tables and enums, made from a row of choices; the second one of a pair is a next version of the first.

use crate::field_types::kind::{FieldKind, NativeType};
use crate::structure::blueprint::model::{EnumType, Fill, ModelTable};
use crate::structure::constant::Constant;
use crate::structure::model::{Default, Index, IndexColumn, Method, Op};
use crate::structure::sql_text::SqlText;
use crate::structure::table::{
    Action, Column, ColumnDefault, Reference, Rule, Table, Target, UniqueColumn,
};
use proptest::prelude::*;

pub(super) const SCHEMA: &str = "shop";

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) tables: Vec<ModelTable>,
    pub(super) enums: Vec<EnumType>,
}

/// Numbers that decide.
struct Choices<'c> {
    numbers: &'c [u8],
    at: usize,
}

impl Choices<'_> {
    fn of(&mut self, count: usize) -> usize {
        self.at += 1;
        self.numbers.get(self.at - 1).map_or(0, |number| usize::from(*number) % count)
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.of(all.len())].clone()
    }

    fn yes(&mut self, one_in: usize) -> bool {
        self.of(one_in) == 1 % one_in
    }
}

fn native(name: &str, modifiers: &[&str]) -> FieldKind {
    FieldKind::Native(NativeType {
        schema: None,
        name: name.to_owned(),
        modifiers: modifiers.iter().map(|text| (*text).to_owned()).collect(),
    })
}

fn kind(choices: &mut Choices<'_>, enums: &[EnumType]) -> FieldKind {
    let text = |max_length| FieldKind::Text { max_length };
    let named = |at: usize| {
        enums.get(at).map_or(FieldKind::Boolean, |e| FieldKind::NamedEnum {
            schema: e.schema.clone(),
            name: e.type_name.clone(),
        })
    };
    choices.one(&[
        FieldKind::Bigint,
        FieldKind::Integer,
        native("int2", &[]),
        text(None),
        text(Some(20)),
        native("varchar", &[]),
        native("timestamp", &["3"]),
        FieldKind::Timestamp,
        named(0),
        named(1),
        FieldKind::Boolean,
        FieldKind::Json,
    ])
}

fn default(
    choices: &mut Choices<'_>,
    column: &Column,
    enums: &[EnumType],
) -> Option<ColumnDefault> {
    if column.list || choices.yes(2) {
        return None;
    }
    let value = |constant| Some(ColumnDefault::Field(Default::Value(constant)));
    match &column.kind {
        FieldKind::Native(kind) if kind.name == "int2" => choices.one(&[
            Some(ColumnDefault::Serial),
            Some(ColumnDefault::Identity { always: false }),
            Some(ColumnDefault::Identity { always: true }),
        ]),
        FieldKind::Integer | FieldKind::Bigint => match choices.of(4) {
            0 => Some(ColumnDefault::Serial),
            1 => Some(ColumnDefault::Identity { always: choices.yes(2) }),
            other => value(Constant::Integer(other as i64)),
        },
        FieldKind::Text { .. } => choices.one(&[
            Some(ColumnDefault::Field(Default::Cuid)),
            Some(ColumnDefault::Sql(SqlText::printed("lower('A'::text)"))),
        ]),
        FieldKind::NamedEnum { name, .. } => {
            let of = enums.iter().find(|e| e.type_name == *name)?;
            value(Constant::Text(choices.one(&of.values)))
        }
        FieldKind::Timestamp => Some(ColumnDefault::Field(Default::Now)),
        _ => None,
    }
}

fn column(choices: &mut Choices<'_>, name: &str, enums: &[EnumType]) -> Column {
    let mut column = Column {
        name: name.to_owned(),
        kind: kind(choices, enums),
        list: false,
        required: choices.yes(3),
        default: None,
        description: choices.yes(5).then(|| format!("What {name} is")),
    };
    column.list = choices.yes(6) && column.kind.is_scalar();
    column.default = default(choices, &column, enums);
    if matches!(column.default, Some(ColumnDefault::Identity { .. } | ColumnDefault::Serial)) {
        column.required = true;
    }
    column
}

fn plain(column: &Column) -> bool {
    !column.list && column.kind != FieldKind::Json
}

fn rules(choices: &mut Choices<'_>, table: &mut Table, keys: &[(String, FieldKind)]) {
    let columns = table.columns.clone();
    let indexed: Vec<&Column> = columns.iter().filter(|column| plain(column)).collect();
    for _ in 0..choices.of(5) {
        let (a, b) = (choices.one(&indexed).name.clone(), choices.one(&indexed).name.clone());
        let name = choices.one(&[None, Some("x"), Some("y"), Some("Z z")]);
        let rule = match choices.of(7) {
            0 => Rule::Unique(vec![UniqueColumn { name: a, case_insensitive: false }]),
            1 => Rule::Index(Index {
                unique: choices.yes(2),
                ..Index::plain(vec![IndexColumn::plain(a, choices.yes(2))], Method::Btree)
            }),
            2 => Rule::Index(Index {
                predicate: Some(SqlText::printed(&format!("{b} IS NOT NULL"))),
                ..Index::plain(vec![IndexColumn::plain(a, false)], Method::Btree)
            }),
            3 => Rule::Index(Index::plain(vec![IndexColumn::plain(a, false)], Method::Hash)),
            4 => Rule::CompareColumns { left: a, op: Op::NotEqual, right: b },
            5 => match columns.iter().find(|c| c.kind == FieldKind::Integer && !c.list) {
                Some(column) => Rule::Compare {
                    column: column.name.clone(),
                    op: Op::GreaterOrEqual,
                    value: Constant::Integer(choices.of(2) as i64),
                },
                None => continue,
            },
            _ => {
                let Some((to, kind)) = keys.get(choices.of(3)) else { continue };
                let of_kind = |column: &&Column| column.kind == *kind && !column.list;
                let Some(column) = columns.iter().find(of_kind) else { continue };
                Rule::Reference(Reference {
                    columns: vec![column.name.clone()],
                    target: Target {
                        schema: SCHEMA.to_owned(),
                        table: to.clone(),
                        columns: vec!["id".to_owned()],
                    },
                    on_delete: choices.one(&Action::ALL),
                    on_update: choices.one(&[Action::Cascade, Action::NoAction]),
                    set: Vec::new(),
                })
            }
        };
        let name = name.map(|name| format!("{name}{}", table.rules.len() % 3));
        let taken = |name: &Option<String>| name.is_some() && table.names.contains(name);
        let name = if taken(&name) { None } else { name };
        table.push_named(rule, name);
    }
}

fn enums(choices: &mut Choices<'_>) -> Vec<EnumType> {
    let mut enums = Vec::new();
    for at in 0..2 {
        let mut values: Vec<String> = ["a", "b", "c", "d'"]
            .iter()
            .filter(|_| !choices.yes(3))
            .map(|v| (*v).to_owned())
            .collect();
        if values.is_empty() {
            values.push("only".to_owned());
        }
        if choices.yes(6) {
            values.reverse();
        }
        let type_name =
            choices.one(&[format!("e{at}"), format!("e{}", 1 - at), format!("Other{at}")]);
        if enums.iter().any(|other: &EnumType| other.type_name == type_name) {
            continue;
        }
        enums.push(EnumType {
            name: format!("E{at}"),
            schema: SCHEMA.to_owned(),
            type_name,
            values,
            description: choices.yes(4).then(|| "One of these".to_owned()),
            renamed_from: None,
            renamed_values: Vec::new(),
        });
    }
    enums
}

fn model(choices: &mut Choices<'_>) -> Model {
    let enums = enums(choices);
    let mut tables: Vec<ModelTable> = Vec::new();
    for at in 0..3 {
        if choices.yes(5) {
            continue;
        }
        let table_name = choices.one(&[
            format!("t{at}"),
            format!("t{at}"),
            format!("Moved {at}"),
            format!("e{}", at % 2),
            format!("x{at}t{at}"),
            format!("a_table_with_a_name_of_sixty_three_bytes_which_is_the_most_is_{at}"),
            format!("t{}", (at + 1) % 3),
        ]);
        if tables.iter().any(|table| table.table_name == table_name)
            || enums.iter().any(|one| one.type_name == table_name)
        {
            continue;
        }
        let mut columns = vec![Column {
            name: "id".to_owned(),
            kind: choices.one(&[
                FieldKind::Bigint,
                FieldKind::Bigint,
                FieldKind::Text { max_length: None },
            ]),
            list: false,
            required: false,
            default: None,
            description: None,
        }];
        for name in ["a", "b", "c"] {
            if !choices.yes(4) {
                columns.push(column(choices, name, &enums));
            }
        }
        let description = choices.yes(4).then(|| "A table".to_owned());
        let fills = (columns[0].kind != FieldKind::Bigint)
            .then(|| Fill { column: "id".to_owned(), with: "cuid".to_owned() });
        let is_text = |column: &&Column| {
            column.name != "id" && matches!(column.kind, FieldKind::Text { .. }) && !column.list
        };
        let texts = columns.iter().filter(is_text).map(|column| column.name.clone());
        let guarded = texts.filter(|_| choices.yes(3)).collect();
        // Which differs between two versions without a choice of its own.
        let is_tracked = columns.len() % 2 == 0;
        let mut table =
            Table { description, columns, rules: Vec::new(), names: Vec::new(), guarded };
        let pk_name = choices.one(&[None, Some(format!("own_{at}_pkey"))]);
        table.push_named(Rule::PrimaryKey(vec!["id".to_owned()]), pk_name);
        tables.push(ModelTable {
            name: format!("T{at}"),
            schema: SCHEMA.to_owned(),
            table_name,
            label: None,
            renamed_from: None,
            table,
            fields: Vec::new(),
            labels: Vec::new(),
            renames: Vec::new(),
            fills: fills.into_iter().collect(),
            retention: None,
            history: is_tracked,
            sensitive: Vec::new(),
        });
    }
    let keys: Vec<(String, FieldKind)> = tables
        .iter()
        .map(|table| (table.table_name.clone(), table.table.columns[0].kind.clone()))
        .collect();
    for at in 0..tables.len() {
        rules(choices, &mut tables[at].table, &keys);
        for name in tables[at].table.names.iter_mut().flatten() {
            // Indexes are named within their schema.
            if !name.starts_with("own_") {
                name.push_str(&keys[at].0);
            }
        }
        let is_table = |name: &String| keys.iter().any(|(table, _)| table == name);
        let names = tables[at].table.names.iter_mut();
        names.filter(|name| name.as_ref().is_some_and(is_table)).for_each(|name| *name = None);
    }
    Model { tables, enums }
}

/// What of the first the second renames, told as a document would.
fn rename(choices: &mut Choices<'_>, first: &Model, second: &mut Model) {
    for table in &mut second.tables {
        let Some(old) = first.tables.iter().find(|old| old.name == table.name) else { continue };
        let there = |table: &ModelTable, name: &str| table.table.column(name).is_some();
        for from in ["a", "b", "c"] {
            for to in ["a", "b", "c"] {
                let used = table.renames.iter().any(|(f, t)| f == from || t == to);
                if there(old, from)
                    && !there(table, from)
                    && there(table, to)
                    && !there(old, to)
                    && !used
                    && choices.yes(2)
                {
                    table.renames.push((from.to_owned(), to.to_owned()));
                }
            }
        }
    }
    for new in &mut second.enums {
        let Some(old) = first.enums.iter().find(|old| old.name == new.name) else { continue };
        let gone = old.values.iter().find(|value| !new.values.contains(value));
        let come = new.values.iter().find(|value| !old.values.contains(value));
        if let (Some(from), Some(to), true) = (gone, come, choices.yes(2)) {
            new.renamed_values.push((from.clone(), to.clone()));
        }
    }
}

/// A model and its next version.
pub(super) fn pair() -> impl Strategy<Value = (Model, Model)> {
    prop::collection::vec(any::<u8>(), 400).prop_map(|numbers| {
        let mut choices = Choices { numbers: &numbers, at: 0 };
        let first = model(&mut choices);
        choices.at = if choices.yes(2) { 200 } else { 0 };
        // Where it begins as the first did, it differs by little.
        if choices.at == 0 {
            let mut changed = numbers.clone();
            for at in 0..6 {
                let place = usize::from(numbers[300 + at]) % 120;
                changed[place] = changed[place].wrapping_add(numbers[310 + at]);
            }
            let mut again = Choices { numbers: &changed, at: 0 };
            let mut second = model(&mut again);
            again.at = 350;
            rename(&mut again, &first, &mut second);
            return (first, second);
        }
        let mut second = model(&mut choices);
        rename(&mut choices, &first, &mut second);
        (first, second)
    })
}
