//! The rows that a blueprint begins with. They are read when all tables are: values have the types of columns, and rows find
//! one another by the unique sets of their tables.

use super::context::Context;
use super::seed_value::{Reader, named};
use crate::json::{Json, token};
use crate::structure::blueprint::model::{Blueprint, ModelTable};
use crate::structure::blueprint::seed::{
    Existing, Row, Seed, Set, Value, is_numbered, order, unique_sets,
};
use crate::structure::document::keys::{Keys, Problems};
use std::collections::{HashMap, HashSet};

/// What the rows may speak of.
pub(super) struct World<'w> {
    pub(super) tables: &'w [ModelTable],
    /// Tables of which something is wrong: what is said of them would only follow from that.
    pub(super) broken: &'w HashSet<String>,
    pub(super) context: &'w Context<'w>,
}

impl World<'_> {
    /// The table of a name; tells that there is none.
    pub(super) fn table(
        &self,
        name: &str,
        pointer: &str,
        problems: &mut Problems,
    ) -> Option<&ModelTable> {
        if self.broken.contains(name) {
            return None;
        }
        let found = self.tables.iter().find(|table| table.name == name);
        if found.is_none() {
            let name = crate::json::shorten(name);
            problems.add(pointer, format!("no table of the document is called \"{name}\""));
        }
        found
    }
}

pub(super) fn read(json: &Json, world: &World<'_>, problems: &mut Problems) -> Vec<Seed> {
    let Json::Object(pairs) = json else {
        problems.add("/seed", format!("must be an object, not {}", json.kind()));
        return Vec::new();
    };
    let mut seeds = Vec::new();
    for (name, json) in pairs {
        let pointer = format!("/seed/{}", token(name));
        if let Some(table) = world.table(name, &pointer, problems) {
            seeds.extend(read_table(json, pointer, table, world, problems));
        }
    }
    seeds
}

fn read_table(
    json: &Json,
    pointer: String,
    table: &ModelTable,
    world: &World<'_>,
    problems: &mut Problems,
) -> Option<Seed> {
    let mut keys = Keys::open(json, pointer, problems)?;
    let given = keys.list("key", problems);
    let words = Existing::ALL.map(|existing| (existing.name(), existing));
    let existing = keys.choice("existing", &words, problems).unwrap_or(Existing::Keep);
    let items = keys.list("rows", problems);
    let (key_at, rows_at) = (keys.at("key"), keys.at("rows"));
    if !keys.has("rows") {
        problems.add(&rows_at, "is missing: an array of rows");
    }
    let has_key = keys.has("key");
    keys.close(problems);
    let sets = unique_sets(table);
    let set = match given {
        Some(names) => chosen(names, &key_at, table, &sets, problems),
        None if has_key => None,
        None => usual(&key_at, table, &sets, problems),
    };
    let reader = Reader { world, table };
    let mut rows = Vec::new();
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    for (at, item) in items?.iter().enumerate() {
        crate::poll::check();
        let pointer = format!("{rows_at}/{at}");
        let Some(row) = read_row(item, &pointer, &reader, problems) else { continue };
        if let Some(set) = set
            && let Some(marks) = key_of(&row, set, table, &pointer, problems)
        {
            match places.get(&marks) {
                Some(first) => {
                    problems.add(&pointer, format!("has the same key as {rows_at}/{first}"))
                }
                None => {
                    places.insert(marks, at);
                }
            }
        }
        rows.push(row);
    }
    let key = set?.columns.iter().map(|column| column.name.clone()).collect();
    Some(Seed { table: table.name.clone(), key, existing, rows })
}

/// The unique set of some fields.
fn chosen<'s>(
    names: &[Json],
    pointer: &str,
    table: &ModelTable,
    sets: &'s [Set],
    problems: &mut Problems,
) -> Option<&'s Set> {
    let mut columns = Vec::new();
    let mut whole = true;
    for (at, name) in names.iter().enumerate() {
        let found = name.as_str().and_then(|name| named(table, name));
        whole &= found.is_some();
        match found {
            Some(column) => columns.push(column.name.clone()),
            None => problems.add(format!("{pointer}/{at}"), "must name a field of the table"),
        }
    }
    if !whole {
        return None;
    }
    let set = sets.iter().find(|set| set.is_of(&columns));
    if set.is_none() {
        problems.add(
            pointer,
            format!("rows are told from one another by a unique set{}", listed(table, sets)),
        );
    }
    set
}

/// The only unique set, beside a key that is filled.
fn usual<'s>(
    pointer: &str,
    table: &ModelTable,
    sets: &'s [Set],
    problems: &mut Problems,
) -> Option<&'s Set> {
    let is_filled = |set: &Set| {
        set.is_key
            && set.columns.iter().all(|column| {
                let default = table.table.column(&column.name).map(|found| &found.default);
                let filled = table.fills.iter().any(|fill| fill.column == column.name);
                filled || default.is_some_and(Option::is_some)
            })
    };
    let mut others = sets.iter().filter(|set| !is_filled(set));
    let found = match (others.next(), others.next()) {
        (Some(set), None) => Some(set),
        (None, _) => sets.first(),
        _ => None,
    };
    if found.is_none() {
        problems.add(
            pointer,
            format!(
                "is missing: by which fields rows are told from one another{}",
                listed(table, sets)
            ),
        );
    }
    found
}

/// The unique sets of a table, as the end of a message.
pub(super) fn listed(table: &ModelTable, sets: &[Set]) -> String {
    if sets.is_empty() {
        return format!("; table \"{}\" has none", table.name);
    }
    let one = |set: &Set| {
        let names: Vec<&str> = set.names().into_iter().map(|name| table.field_of(name)).collect();
        format!("({})", names.join(", "))
    };
    let sets: Vec<String> = sets.iter().map(one).collect();
    format!("; those of table \"{}\" are {}", table.name, sets.join(", "))
}

fn read_row(
    json: &Json,
    pointer: &str,
    reader: &Reader<'_>,
    problems: &mut Problems,
) -> Option<Row> {
    let Json::Object(pairs) = json else {
        problems.add(pointer, format!("must be an object, not {}", json.kind()));
        return None;
    };
    let table = reader.table;
    let before = problems.count();
    let mut values = Vec::new();
    for (name, json) in pairs {
        let pointer = format!("{pointer}/{}", token(name));
        let Some(column) = named(table, name) else {
            problems.add(pointer, format!("table \"{}\" has no such field", table.name));
            continue;
        };
        if is_numbered(column) {
            let message =
                "is numbered by the database, whose next number could be this one: leave it out";
            problems.add(pointer, message);
            continue;
        }
        if let Some(value) = reader.read(column, json, &pointer, problems) {
            values.push((column.name.clone(), value));
        }
    }
    for column in table.table.columns.iter().filter(|column| column.required) {
        let name = table.field_of(&column.name);
        let is_given = pairs.iter().any(|(given, _)| given == name);
        let is_filled = table.fills.iter().any(|fill| fill.column == column.name);
        if !is_given && !is_filled && column.default.is_none() {
            problems.add(format!("{pointer}/{}", token(name)), "is missing: the field is required");
        }
    }
    (problems.count() == before).then_some(Row(values))
}

/// What a row's key says, for comparison.
fn key_of(
    row: &Row,
    set: &Set,
    table: &ModelTable,
    pointer: &str,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let mut marks = Vec::new();
    for column in &set.columns {
        let problem = match row.get(&column.name) {
            None => "is missing: it tells the row from others",
            Some(Value::Null) => "must not be null: it tells the row from others",
            Some(Value::Moved { .. }) => "must be the same each time: it tells the row from others",
            Some(value) => {
                marks.push(value.mark(column.case_insensitive));
                continue;
            }
        };
        problems.add(format!("{pointer}/{}", token(table.field_of(&column.name))), problem);
    }
    (marks.len() == set.columns.len()).then_some(marks)
}

/// Rows that need one another could be written in no order.
pub(super) fn check_circles(blueprint: &Blueprint, problems: &mut Problems) {
    let Err(circles) = order(blueprint) else { return };
    let place = |(seed, row): &(usize, usize)| {
        format!("/seed/{}/rows/{row}", token(&blueprint.seed[*seed].table))
    };
    for circle in circles {
        let others: Vec<String> = circle.0.iter().skip(1).take(3).map(place).collect();
        let message = match others.is_empty() {
            true => "looks itself up: it is not there before it is written".to_owned(),
            false => format!(
                "needs a row that needs it, by way of {}: leave one of the fields out, and set it in another way",
                others.join(", ")
            ),
        };
        if let Some(first) = circle.0.first() {
            problems.add(place(first), message);
        }
    }
}
