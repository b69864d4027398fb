//! Relations: each is two fields, one on either side. One of them holds the columns of a foreign key, or both are
//! lists, and the relation is a table of its own.

use super::arguments::{Arguments, string, words};
use super::ast::{Arity, Attribute, Value, ValueKind, Word};
use super::attributes::fits;
use super::config::Datasource;
use super::model::{Column, ColumnKind, JoinTable, Model, Reference, RelationField};
use super::names;
use super::problem::Notes;
use super::resolve::Schema;
use crate::json::shorten;
use std::collections::{HashMap, HashSet};

const ACTIONS: [(&str, &str); 5] = [
    ("Cascade", "cascade"),
    ("Restrict", "restrict"),
    ("NoAction", "no_action"),
    ("SetNull", "set_null"),
    ("SetDefault", "set_default"),
];

/// Reads `@relation(…)`.
pub(super) fn read<'t>(
    attribute: &Attribute<'t>,
    relation: &mut RelationField<'t>,
    notes: &mut Notes,
) {
    let mut arguments = Arguments::new(attribute.name, &attribute.arguments, notes);
    let name = arguments.first("name", notes);
    relation.relation =
        name.and_then(|value| string(value, "the name of a relation", notes)).map(str::to_owned);
    relation.fields = arguments.named("fields").map(|value| words(value, "\"fields\"", notes));
    relation.references =
        arguments.named("references").map(|value| words(value, "\"references\"", notes));
    relation.on_delete = arguments.named("onDelete").and_then(|value| action(value, notes));
    relation.on_update = arguments.named("onUpdate").and_then(|value| action(value, notes));
    relation.map = arguments.named("map").and_then(|value| {
        let text = string(value, "argument \"map\"", notes)?;
        fits(Word { text, place: value.place }, notes);
        Some(text.to_owned())
    });
    arguments.close(notes);
}

fn action(value: &Value<'_>, notes: &mut Notes) -> Option<&'static str> {
    if let ValueKind::Word(word) = value.kind
        && let Some((_, action)) = ACTIONS.iter().find(|(name, _)| *name == word)
    {
        return Some(action);
    }
    let known = ACTIONS.map(|(name, _)| name).join(", ");
    notes.problem(value.place, format!("an action is one of {known}, not {}", value.kind()));
    None
}

/// What relations become.
#[derive(Debug, Default)]
pub(super) struct Relations<'t> {
    pub(super) references: Vec<Reference<'t>>,
    pub(super) join_tables: Vec<JoinTable>,
}

/// A relation field by the numbers of its model and itself.
type FieldId = (usize, usize);

/// Puts the two sides of each relation together.
pub(super) fn pair<'t>(
    schema: &Schema<'t>,
    source: &Datasource<'t>,
    notes: &mut Notes,
) -> Relations<'t> {
    let mut sides: HashMap<(usize, usize, Option<&str>), Vec<FieldId>> = HashMap::new();
    for (from, model) in schema.models.iter().enumerate() {
        for (at, relation) in model.relations.iter().enumerate() {
            let key = (from, relation.to, relation.relation.as_deref());
            sides.entry(key).or_default().push((from, at));
        }
    }
    let mut found = Relations::default();
    let mut pairs = Pairs { schema, notes, found: &mut found, unique: HashMap::new() };
    for (from, model) in schema.models.iter().enumerate() {
        for (at, relation) in model.relations.iter().enumerate() {
            let name = relation.relation.as_deref();
            let near = sides.get(&(from, relation.to, name)).map_or([].as_slice(), Vec::as_slice);
            let far = sides.get(&(relation.to, from, name)).map_or([].as_slice(), Vec::as_slice);
            pairs.field((from, at), near, far);
        }
    }
    if source.without_foreign_keys {
        found.references.clear();
    }
    found.references.sort_by_key(|reference| (reference.from, reference.place));
    found
}

struct Pairs<'r, 't> {
    schema: &'r Schema<'t>,
    notes: &'r mut Notes,
    found: &'r mut Relations<'t>,
    /// The unique keys of the models that were asked for.
    unique: HashMap<usize, HashSet<Vec<&'r str>>>,
}

impl<'r, 't> Pairs<'r, 't> {
    fn relation(&self, (model, field): FieldId) -> (&'r Model<'t>, &'r RelationField<'t>) {
        let model = &self.schema.models[model];
        (model, &model.relations[field])
    }

    /// A field, those of its model that could be meant by the other side, and those of the other model.
    fn field(&mut self, id: FieldId, near: &[FieldId], far: &[FieldId]) {
        let (model, relation) = self.relation(id);
        let target = &self.schema.models[relation.to];
        let itself = id.0 == relation.to;
        let many = if itself {
            near.len() > 2 || (near.len() == 2 && relation.relation.is_none())
        } else {
            near.len() > 1
        };
        if many {
            if near.first() != Some(&id) {
                return;
            }
            let names: Vec<_> =
                near.iter().map(|&near| self.relation(near).1.name.text).take(5).collect();
            let text = format!(
                "fields {} of {} \"{}\" all lead to \"{}\": give each relation a name of its own, @relation(\"…\"), on both sides",
                names.join(", "),
                model.kind(),
                model.name.text,
                target.name.text,
            );
            return self.notes.problem(relation.name.place, text);
        }
        let other = far.iter().copied().find(|&other| other != id);
        let Some(other) = other else {
            if !target.broken && !model.broken {
                let text = format!(
                    "relation \"{}.{}\" has no field on the other side: \"{}\" needs one of type {}",
                    model.name.text, relation.name.text, target.name.text, model.name.text,
                );
                self.notes.problem(relation.name.place, text);
            }
            return;
        };
        // Each pair is seen from both sides; what is ambiguous on the other side is told there.
        if id < other && far.len() <= if itself { 2 } else { 1 } {
            self.pair(id, other);
        }
    }

    fn pair(&mut self, one: FieldId, other: FieldId) {
        let ((_, first), (_, second)) = (self.relation(one), self.relation(other));
        match (first.arity, second.arity) {
            (Arity::List, Arity::List) => self.many_to_many(one, other),
            (Arity::List, _) => self.one_to_many(other, one),
            (_, Arity::List) => self.one_to_many(one, other),
            _ => match (&first.fields, &second.fields) {
                (Some(_), None) => self.one_to_one(one, other),
                (None, Some(_)) => self.one_to_one(other, one),
                (Some(_), Some(_)) => self.notes.problem(
                    second.place,
                    "both sides of the relation have \"fields\": the columns are on one side",
                ),
                (None, None) => self.without_fields(one, other),
            },
        }
    }

    fn without_fields(&mut self, one: FieldId, other: FieldId) {
        let ((model, relation), (target, opposite)) = (self.relation(one), self.relation(other));
        let text = format!(
            "relation \"{}.{}\" needs @relation(fields: […], references: […]), here or at \"{}.{}\"",
            model.name.text, relation.name.text, target.name.text, opposite.name.text,
        );
        self.notes.problem(relation.name.place, text);
    }

    /// The side without columns says nothing of them.
    fn check_virtual(&mut self, id: FieldId) {
        let (_, relation) = self.relation(id);
        let said = [
            relation.fields.is_some(),
            relation.references.is_some(),
            relation.on_delete.is_some(),
            relation.on_update.is_some(),
        ];
        if said.contains(&true) {
            let text =
                "fields, references and actions are said on the other side, which has the columns";
            self.notes.problem(relation.place, text);
        }
    }

    fn one_to_many(&mut self, forward: FieldId, back: FieldId) {
        self.check_virtual(back);
        if self.relation(forward).1.fields.is_none() {
            let (model, relation) = self.relation(forward);
            let text = format!(
                "relation \"{}.{}\" needs @relation(fields: […], references: […])",
                model.name.text, relation.name.text,
            );
            return self.notes.problem(relation.name.place, text);
        }
        self.reference(forward, false);
    }

    fn one_to_one(&mut self, forward: FieldId, back: FieldId) {
        self.check_virtual(back);
        let (model, relation) = self.relation(back);
        if relation.arity == Arity::Required {
            let text = format!(
                "relation \"{}.{}\" must be optional: no column of \"{}\" can require it",
                model.name.text, relation.name.text, model.name.text,
            );
            self.notes.problem(relation.name.place, text);
        }
        self.reference(forward, true);
    }

    /// The foreign key of a relation.
    fn reference(&mut self, id: FieldId, to_one: bool) {
        let (model, relation) = self.relation(id);
        let target = &self.schema.models[relation.to];
        let fields = relation.fields.clone().unwrap_or_default();
        let Some(references) = relation.references.clone() else {
            return self.notes.problem(relation.place, "\"references\" is missing");
        };
        let columns = self.columns(model, &fields);
        let target_columns = self.columns(target, &references);
        let (Some(columns), Some(target_columns)) = (columns, target_columns) else { return };
        if columns.is_empty() || columns.len() != target_columns.len() {
            let text = "\"fields\" and \"references\" must name the same number of fields";
            return self.notes.problem(relation.place, text);
        }
        for (column, target_column) in columns.iter().zip(&target_columns) {
            if !same_type(column, target_column) {
                let text = format!(
                    "\"{}.{}\" and \"{}.{}\" are not of one type",
                    model.name.text, column.name.text, target.name.text, target_column.name.text,
                );
                self.notes.problem(relation.place, text);
            }
        }
        if !target.broken && !self.is_unique(relation.to, &references) {
            let names: Vec<_> = references.iter().map(|field| field.text).collect();
            let text = format!(
                "{} of \"{}\" is no unique key: add @unique or @@unique",
                names.join(", "),
                target.name.text
            );
            self.notes.problem(relation.place, text);
        }
        if to_one && !model.broken && !self.is_unique(id.0, &fields) {
            let names: Vec<_> = fields.iter().map(|field| field.text).collect();
            let text = format!(
                "a relation of one to one needs a unique key: add @unique or @@unique for {}",
                names.join(", ")
            );
            self.notes.problem(relation.place, text);
        }
        let all_optional = columns.iter().all(|column| column.arity == Arity::Optional);
        let optional = columns.iter().find(|column| column.arity == Arity::Optional);
        if let Some(column) = optional.filter(|_| relation.arity == Arity::Required) {
            let text = format!(
                "relation \"{}\" must be optional, because field \"{}\" is",
                relation.name.text, column.name.text,
            );
            self.notes.problem(relation.name.place, text);
        }
        if model.view || target.view {
            return;
        }
        let default = if all_optional { "set_null" } else { "restrict" };
        self.found.references.push(Reference {
            from: id.0,
            to: relation.to,
            fields,
            references,
            on_delete: relation.on_delete.unwrap_or(default),
            on_update: relation.on_update.unwrap_or("cascade"),
            map: relation.map.clone(),
            place: relation.place,
        });
    }

    /// Whether fields are, in any order, the key or a unique key of a model.
    fn is_unique(&mut self, model: usize, fields: &[Word<'_>]) -> bool {
        let of = &self.schema.models[model];
        let keys = self.unique.entry(model).or_insert_with(|| {
            let key = of.key.iter().map(|key| sorted(key.fields.iter().map(|field| field.text)));
            let unique =
                of.indexes.iter().filter(|index| index.unique && index.condition.is_none());
            let unique =
                unique.map(|index| sorted(index.fields.iter().map(|field| field.name.text)));
            key.chain(unique).collect()
        });
        keys.contains(&sorted(fields.iter().map(|field| field.text)))
    }

    fn columns(
        &mut self,
        model: &'r Model<'t>,
        fields: &[Word<'t>],
    ) -> Option<Vec<&'r Column<'t>>> {
        let mut columns = Some(Vec::new());
        for field in fields {
            match model.column(field.text) {
                Some(column) => {
                    if let Some(columns) = &mut columns {
                        columns.push(column);
                    }
                }
                None => {
                    if !model.broken {
                        let text = format!(
                            "{} \"{}\" has no column for a field \"{}\"",
                            model.kind(),
                            model.name.text,
                            shorten(field.text),
                        );
                        self.notes.problem(field.place, text);
                    }
                    columns = None;
                }
            }
        }
        columns
    }

    fn many_to_many(&mut self, one: FieldId, other: FieldId) {
        let mut broken = false;
        for id in [one, other] {
            let (_, relation) = self.relation(id);
            let said = relation.fields.is_some() || relation.references.is_some();
            if said || relation.on_delete.is_some() || relation.on_update.is_some() {
                let text = "a relation between two lists has a table of its own, whose columns and actions are fixed";
                self.notes.problem(relation.place, text);
            }
            if relation.map.is_some() {
                let text = "the foreign keys of a table between two models have fixed names: \"map\" was left out";
                self.notes.warn(relation.place, text);
            }
            let target = &self.schema.models[relation.to];
            if target.key.as_ref().is_none_or(|key| key.fields.len() != 1) {
                broken = true;
                if !target.broken && !target.view {
                    let text = format!(
                        "relation \"{}\" of many to many needs a model \"{}\" with one field as its @id",
                        relation.name.text, target.name.text,
                    );
                    self.notes.problem(relation.name.place, text);
                }
            }
        }
        let ((model, relation), (target, _)) = (self.relation(one), self.relation(other));
        if broken || model.view || target.view {
            return;
        }
        // Column A leads to the model that comes first by name.
        let swapped = model.name.text > target.name.text;
        let (a, b) = if swapped { (other.0, one.0) } else { (one.0, other.0) };
        let generated = || {
            let (first, second) = (&self.schema.models[a], &self.schema.models[b]);
            format!("{}To{}", first.name.text, second.name.text)
        };
        let name = relation.relation.clone().unwrap_or_else(generated);
        self.found.join_tables.push(JoinTable {
            a,
            b,
            table: names::join_table(&name),
            place: relation.place,
        });
    }
}

fn same_type(one: &Column<'_>, other: &Column<'_>) -> bool {
    let same = match (&one.kind, &other.kind) {
        (ColumnKind::Scalar(one, _), ColumnKind::Scalar(other, _)) => one == other,
        (ColumnKind::Enum(one), ColumnKind::Enum(other)) => one == other,
        (ColumnKind::Unknown, _) | (_, ColumnKind::Unknown) => true,
        (ColumnKind::Foreign(one), ColumnKind::Foreign(other)) => one == other,
        _ => false,
    };
    same && (one.arity == Arity::List) == (other.arity == Arity::List)
}

/// Fields without their order.
fn sorted<'m>(fields: impl Iterator<Item = &'m str>) -> Vec<&'m str> {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_unstable();
    fields
}
