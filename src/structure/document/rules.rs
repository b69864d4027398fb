//! What a document says over several fields: unique sets, indexes and checks, in normal form.

use super::Problems;
use super::field::default_breaks_a_rule;
use super::keys::Keys;
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::pgvector::Metric;
use crate::structure::constant::Constant;
use crate::structure::model::{
    Check, Field, Index, IndexColumn, Method, Op, Operand, Structure, TIMES,
};
use crate::structure::table::btree;

/// Postgres indexes at most 32 columns together.
pub(in crate::structure) const MAX_INDEX_FIELDS: usize = 32;
/// pgvector's HNSW takes vectors up to this size.
pub(in crate::structure) const MAX_HNSW_DIMENSIONS: u16 = 2_000;

/// The columns that rules speak of.
pub(in crate::structure) trait Columns {
    /// The type of a column, and whether it is a list.
    fn kind_of(&self, name: &str) -> Option<(FieldKind, bool)>;
    /// Whether a name may be that of a column that could not be read: nothing is said of it then.
    fn is_unread(&self, _name: &str) -> bool {
        false
    }
    /// Reads a value that the column is compared with.
    fn constant(&self, kind: &FieldKind, json: &Json) -> Result<Constant, String> {
        Constant::read(kind, false, json)
    }
}

impl Columns for Structure {
    fn kind_of(&self, name: &str) -> Option<(FieldKind, bool)> {
        if name == self.key.name {
            return Some((self.key.kind.field_kind(), false));
        }
        if TIMES.contains(&name) {
            return Some((FieldKind::Timestamp, false));
        }
        self.field(name).map(|field| (field.kind.clone(), field.list))
    }
}

fn known(columns: &dyn Columns, name: &str, pointer: &str, problems: &mut Problems) -> bool {
    let known = columns.kind_of(name).is_some();
    if !known && !columns.is_unread(name) {
        problems.add(pointer, format!("field \"{name}\" does not exist"));
    }
    known
}

/// The names in an array of at least one field, each once.
pub(in crate::structure) fn read_names<'j>(
    items: &'j [Json],
    pointer: &str,
    name_of: impl Fn(&'j Json) -> Option<&'j str>,
    columns: &dyn Columns,
    problems: &mut Problems,
) -> Option<Vec<&'j str>> {
    if items.is_empty() || items.len() > MAX_INDEX_FIELDS {
        problems.add(pointer, format!("must name 1 to {MAX_INDEX_FIELDS} fields"));
        return None;
    }
    let mut names = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        let Some(name) = name_of(item) else {
            problems.add(pointer, format!("must name a field, not {}", item.kind()));
            continue;
        };
        if names.contains(&name) {
            problems.add(pointer, format!("\"{name}\" is given twice"));
        } else if known(columns, name, &pointer, problems) {
            names.push(name);
        }
    }
    (names.len() == items.len()).then_some(names)
}

pub(super) fn read_unique(structure: &mut Structure, sets: &[Json], problems: &mut Problems) {
    for (at, set) in sets.iter().enumerate() {
        let pointer = format!("/unique/{at}");
        let Json::Array(items) = set else {
            problems.add(pointer, format!("must be an array of fields, not {}", set.kind()));
            continue;
        };
        let Some(names) = read_names(items, &pointer, Json::as_str, structure, problems) else {
            continue;
        };
        for (at, name) in names.iter().enumerate() {
            if let Some((kind, list)) = structure.kind_of(name)
                && (list || !kind.is_comparable())
            {
                let message = format!("\"{name}\" cannot be unique: its values have no order");
                problems.add(format!("{pointer}/{at}"), message);
            }
        }
        if let [name] = names.as_slice() {
            match structure.fields.iter_mut().find(|field| field.name == *name) {
                Some(field) => field.unique = true,
                None if *name == structure.key.name => {
                    problems.add(pointer, "the key is unique already");
                }
                None if structure.unique.iter().any(|set| set == &[*name]) => {
                    problems.add(pointer, "the same fields are given twice");
                }
                None => structure.unique.push(vec![(*name).to_owned()]),
            }
            continue;
        }
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let same = |other: &Vec<String>| {
            let mut other = other.clone();
            other.sort_unstable();
            other == sorted
        };
        if structure.unique.iter().any(same) {
            problems.add(pointer, "the same fields are given twice");
        } else {
            structure.unique.push(names);
        }
    }
}

pub(super) fn read_checks(structure: &mut Structure, checks: &[Json], problems: &mut Problems) {
    for (at, json) in checks.iter().enumerate() {
        let pointer = format!("/checks/{at}");
        let Some(mut keys) = Keys::open(json, pointer.clone(), problems) else { continue };
        let parts = CheckParts::take(&mut keys, json, problems);
        keys.close(problems);
        if let Some(check) = parts.read(structure, problems) {
            take_check(&mut structure.fields, &mut structure.checks, check, &pointer, problems);
        }
    }
}

/// What a check says, and where.
pub(in crate::structure) struct CheckParts<'j> {
    field: Option<String>,
    op: Option<Op>,
    value: Option<&'j Json>,
    other: Option<String>,
    pointer: String,
}

impl<'j> CheckParts<'j> {
    pub(in crate::structure) fn take(
        keys: &mut Keys<'j>,
        json: &Json,
        problems: &mut Problems,
    ) -> Self {
        let field = keys.text("field", problems);
        let ops = Op::ALL.map(|op| (op.symbol(), op));
        let op = keys.choice("op", &ops, problems);
        let value = keys.take("value");
        let other = keys.text("other_field", problems);
        for (key, absent) in [
            ("field", json.get("field").is_none()),
            ("op", json.get("op").is_none()),
            ("value", value.is_none() && other.is_none()),
        ] {
            if absent {
                problems.add(keys.at(key), "is missing");
            }
        }
        if value.is_some() && other.is_some() {
            problems.add(keys.at("other_field"), "a check has either value or other_field");
        }
        Self { field, op, value, other, pointer: keys.pointer().to_owned() }
    }

    /// The check, if the columns can be so compared.
    pub(in crate::structure) fn read(
        self,
        columns: &dyn Columns,
        problems: &mut Problems,
    ) -> Option<Check> {
        let at = |key: &str| format!("{}/{key}", self.pointer);
        let (field, op) = (self.field?, self.op?);
        if !known(columns, &field, &at("field"), problems) {
            return None;
        }
        let (kind, list) = columns.kind_of(&field)?;
        let equality = matches!(op, Op::Equal | Op::NotEqual);
        if list || !kind.is_comparable() || matches!(kind, FieldKind::Bytes) {
            problems.add(at("field"), format!("\"{field}\" cannot be compared"));
            return None;
        }
        if !equality && !kind.is_ordered() {
            let message = format!("a field of type {} is compared with = and <> only", kind.name());
            problems.add(at("op"), message);
            return None;
        }
        if let Some(value) = self.value {
            return match columns.constant(&kind, value) {
                Ok(value) => Some(Check { field, op, operand: Operand::Value(value) }),
                Err(problem) => {
                    problems.add(at("value"), problem);
                    None
                }
            };
        }
        let other = self.other?;
        if !known(columns, &other, &at("other_field"), problems) {
            return None;
        }
        let (other_kind, other_list) = columns.kind_of(&other)?;
        if other == field {
            problems.add(at("other_field"), "a field cannot be compared with itself");
            return None;
        }
        if other_list || !comparable(&kind, &other_kind) {
            let message = format!(
                "\"{field}\" is of type {} and \"{other}\" of type {}",
                kind.name(),
                other_kind.name()
            );
            problems.add(at("other_field"), message);
            return None;
        }
        Some(Check { field, op, operand: Operand::Field(other) })
    }
}

/// Whether fields of two types may be compared with one another. References to two tables may not: their
/// keys need not be of one type.
fn comparable(a: &FieldKind, b: &FieldKind) -> bool {
    if let (FieldKind::Reference { to: a, .. }, FieldKind::Reference { to: b, .. }) = (a, b) {
        return a == b;
    }
    match (a, b) {
        (FieldKind::NamedEnum { .. }, _) | (_, FieldKind::NamedEnum { .. }) => a == b,
        (FieldKind::Native(a), FieldKind::Native(b)) => a.schema == b.schema && a.name == b.name,
        _ => {
            let group = |kind: &FieldKind| match kind {
                FieldKind::Integer => "bigint",
                FieldKind::Enum { .. } => "text",
                FieldKind::Native(native) if native.name == "int2" => "bigint",
                FieldKind::Native(native) if native.name == "float4" => "float",
                FieldKind::Native(native) if native.name == "timestamptz" => "timestamp",
                other => other.name(),
            };
            group(a) == group(b)
        }
    }
}

/// Puts a check where the normal form has it.
pub(in crate::structure) fn take_check(
    fields: &mut [Field],
    checks: &mut Vec<Check>,
    check: Check,
    pointer: &str,
    problems: &mut Problems,
) {
    if let Operand::Value(value) = &check.operand
        && matches!(check.op, Op::GreaterOrEqual | Op::LessOrEqual)
        && let Some(field) = fields.iter_mut().find(|field| field.name == check.field)
    {
        let (bound, name) = if check.op == Op::GreaterOrEqual {
            (&mut field.min, "min")
        } else {
            (&mut field.max, "max")
        };
        if bound.is_some() {
            let message = format!("\"{}\" has a {name} already", check.field);
            problems.add(pointer, message);
        } else {
            *bound = Some(value.clone());
        }
        return;
    }
    if checks.contains(&check) {
        problems.add(pointer, "is given twice");
    } else {
        checks.push(check);
    }
}

pub(super) fn read_indexes(
    structure: &mut Structure,
    sugar: Vec<(String, &Json)>,
    indexes: &[Json],
    problems: &mut Problems,
) {
    for (at, json) in indexes.iter().enumerate() {
        let pointer = format!("/indexes/{at}");
        let Some(mut keys) = Keys::open(json, pointer, problems) else { continue };
        let items = keys.list("fields", problems);
        let at = keys.at("fields");
        let (method, method_at) = read_method(&mut keys, problems);
        keys.close(problems);
        match items {
            None if json.get("fields").is_none() => problems.add(at, "is missing"),
            None => {}
            Some(items) => {
                let columns = read_columns(structure, items, &at, problems);
                if let Some(columns) = columns {
                    add_index(structure, columns, method, &method_at, problems);
                }
            }
        }
    }
    for (field_pointer, json) in sugar {
        let pointer = format!("{field_pointer}/index");
        // The fields were all read: they stand in the order of the document.
        let at = field_pointer.rsplit('/').next().and_then(|at| at.parse::<usize>().ok());
        let Some(name) = at.and_then(|at| structure.fields.get(at)).map(|field| field.name.clone())
        else {
            continue;
        };
        let mut column = IndexColumn::plain(name, false);
        let (mut method, mut method_at) = (None, pointer.clone());
        match json {
            Json::Boolean(true) => {}
            Json::Boolean(false) => {
                let field = at.and_then(|at| structure.fields.get_mut(at));
                if let Some(field) =
                    field.filter(|field| matches!(field.kind, FieldKind::Reference { .. }))
                {
                    field.unindexed = true;
                }
                continue;
            }
            other => {
                let Some(mut keys) = Keys::open(other, pointer, problems) else { continue };
                (method, method_at) = read_method(&mut keys, problems);
                column.descending = keys.boolean("descending", problems);
                keys.close(problems);
            }
        }
        add_index(structure, vec![column], method, &method_at, problems);
    }
    for at in 0..structure.fields.len() {
        let field = &structure.fields[at];
        if !matches!(field.kind, FieldKind::Reference { .. }) {
            continue;
        }
        if structure.is_led_by(field) {
            structure.fields[at].unindexed = false;
        } else if !field.unindexed {
            let index = btree(&[&field.name.clone()]);
            structure.indexes.push(index);
        }
    }
}

/// What an index says of its method; `None` where it says nothing.
fn read_method(keys: &mut Keys<'_>, problems: &mut Problems) -> (Option<(Method, bool)>, String) {
    let methods =
        [("btree", Method::Btree), ("gin", Method::Gin), ("hnsw", Method::Hnsw(Metric::Cosine))];
    let method = keys.choice("method", &methods, problems);
    let metrics = Metric::ALL.map(|metric| (metric.name(), metric));
    let metric = keys.choice("metric", &metrics, problems);
    let at = keys.at("method");
    let method = match (method, metric) {
        (Some(Method::Hnsw(_)), Some(metric)) => Some((Method::Hnsw(metric), true)),
        (Some(_), Some(_)) => {
            problems.add(keys.at("metric"), "only an index with the method hnsw has a metric");
            None
        }
        (None, Some(metric)) => Some((Method::Hnsw(metric), true)),
        (method, None) => method.map(|method| (method, true)),
    };
    (method, at)
}

fn read_columns(
    structure: &Structure,
    items: &[Json],
    pointer: &str,
    problems: &mut Problems,
) -> Option<Vec<IndexColumn>> {
    let mut descending = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let mut down = false;
        if let Json::Object(_) = item {
            let mut keys = Keys::open(item, format!("{pointer}/{at}"), problems)?;
            keys.text("name", problems);
            let directions = [("asc", false), ("desc", true)];
            down = keys.choice("direction", &directions, problems).unwrap_or(false);
            keys.close(problems);
        }
        descending.push(down);
    }
    let names = read_names(items, pointer, column_name, structure, problems)?;
    let columns = names.into_iter().zip(descending);
    Some(columns.map(|(name, descending)| IndexColumn::plain(name, descending)).collect())
}

fn column_name(item: &Json) -> Option<&str> {
    match item {
        Json::Object(_) => item.get("name").and_then(Json::as_str),
        other => other.as_str(),
    }
}

fn add_index(
    structure: &mut Structure,
    columns: Vec<IndexColumn>,
    method: Option<(Method, bool)>,
    pointer: &str,
    problems: &mut Problems,
) {
    let kinds: Vec<(FieldKind, bool)> =
        columns.iter().filter_map(|column| structure.kind_of(&column.name)).collect();
    let suits_gin = |(kind, list): &(FieldKind, bool)| *list || *kind == FieldKind::Json;
    let method = match method {
        Some((method, _)) => method,
        None => match kinds.as_slice() {
            [(FieldKind::Vector { .. }, _)] => Method::Hnsw(Metric::Cosine),
            [one] if suits_gin(one) => Method::Gin,
            _ => Method::Btree,
        },
    };
    let problem = match method {
        Method::Btree if kinds.iter().any(|(kind, list)| *list || !kind.is_comparable()) => {
            Some("a B-tree takes neither lists nor fields of type json or vector".to_owned())
        }
        Method::Gin if !kinds.iter().all(suits_gin) => {
            Some("gin takes lists and fields of type json only".to_owned())
        }
        Method::Hnsw(_) => match kinds.as_slice() {
            [(FieldKind::Vector { dimensions }, _)] if *dimensions <= MAX_HNSW_DIMENSIONS => None,
            [(FieldKind::Vector { .. }, _)] => {
                Some(format!("hnsw takes vectors of at most {MAX_HNSW_DIMENSIONS} dimensions"))
            }
            _ => Some("hnsw takes one field of type vector".to_owned()),
        },
        _ if method != Method::Btree && columns.iter().any(|column| column.descending) => {
            Some("only a B-tree has a direction".to_owned())
        }
        _ => None,
    };
    if let Some(problem) = problem {
        problems.add(pointer, problem);
        return;
    }
    let index = Index::plain(columns, method);
    if structure.indexes.contains(&index) {
        problems.add(pointer, "the same index is given twice");
    } else {
        structure.indexes.push(index);
    }
}

/// What depends on the rules.
pub(super) fn check_fields(structure: &Structure, problems: &mut Problems) {
    for (at, field) in structure.fields.iter().enumerate() {
        let pointer = format!("/fields/{at}");
        if let Some(problem) = default_breaks_a_rule(field) {
            problems.add(format!("{pointer}/default"), problem);
        }
        if field.unique && (field.list || !field.kind.is_comparable()) {
            problems.add(format!("{pointer}/unique"), "its values have no order to be unique by");
        }
        if field.case_insensitive
            && !field.unique
            && !structure.unique.iter().any(|names| names.contains(&field.name))
        {
            problems.add(
                format!("{pointer}/case_insensitive"),
                "is about uniqueness, and the field is in no unique set",
            );
        }
        if let (FieldKind::Reference { on_delete, .. }, true) = (&field.kind, field.required)
            && on_delete.name() == "set_null"
        {
            problems.add(format!("{pointer}/on_delete"), "a required field cannot be set to null");
        }
        if let (Some(min), Some(max)) = (&field.min, &field.max)
            && min.compare(max).is_some_and(|ordering| ordering.is_gt())
        {
            problems.add(
                &pointer,
                format!("no value of \"{}\" passes its min and its max", field.name),
            );
        }
    }
}
