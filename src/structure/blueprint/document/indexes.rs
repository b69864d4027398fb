//! Indexes of a blueprint's table: in its list, of unique sets, and of single fields.

use super::asked;
use super::context::Context;
use super::field::Beside;
use super::names::problem_with_sql_name;
use super::operators::{self, Class};
use super::options;
use super::rules::name;
use super::table::{Draft, ReadIndex, Scope};
use super::types::{OF_EXTENSION, catalog_name};
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::pgvector::Metric;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::rules::{
    Columns, MAX_HNSW_DIMENSIONS, MAX_INDEX_FIELDS, read_names,
};
use crate::structure::model::{Index, IndexColumn, Method};
use crate::structure::sql_text::Place;

/// What an index says beside its columns.
struct Says {
    method: Option<Method>,
    metric: Option<Metric>,
    /// The place that names the method, or the index.
    at: String,
    options: Vec<(String, String)>,
    options_at: String,
    name: Option<String>,
    /// Said by the field itself.
    of_field: bool,
}

pub(super) fn read_all(draft: &mut Draft<'_>, context: &Context<'_>, problems: &mut Problems) {
    for set in &draft.unique {
        let folded = |name: &String| draft.field(name).is_some_and(|field| field.case_insensitive);
        if !set.as_index && !set.fields.iter().any(folded) {
            continue;
        }
        let columns = set.fields.iter().map(|name| {
            let mut column = IndexColumn::plain(name, false);
            column.folded = folded(name);
            column
        });
        let mut index = Index::plain(columns.collect(), Method::Btree);
        index.unique = true;
        index.nulls_not_distinct = set.nulls_not_distinct;
        let (name, pointer) = (set.name.clone(), set.pointer.clone());
        draft.indexes.push(ReadIndex { index, name, suffix: "_key", pointer });
    }
    for (at, json) in draft.lists.indexes.iter().enumerate() {
        let pointer = format!("{}/indexes/{at}", draft.pointer);
        let before = problems.count();
        let found = read_index(&Scope { draft, context }, json, &pointer, problems);
        // Without what is wrong with it, it may look like another.
        if let Some(found) = found.filter(|_| problems.count() == before) {
            add_index(draft, found, problems);
        }
    }
    for at in 0..draft.fields.len() {
        let Some(json) = draft.beside[at].index else { continue };
        let pointer = format!("{}/index", draft.beside[at].pointer);
        let mut column = IndexColumn::plain(draft.fields[at].name.clone(), false);
        let mut says = Says {
            method: None,
            metric: None,
            at: pointer.clone(),
            options: Vec::new(),
            options_at: String::new(),
            name: None,
            of_field: true,
        };
        match json {
            Json::Boolean(true) => {}
            Json::Boolean(false) => {
                draft.fields[at].unindexed = draft.beside[at].actions.is_some();
                continue;
            }
            other => {
                let Some(mut keys) = Keys::open(other, pointer.clone(), problems) else { continue };
                says = read_says(&mut keys, problems);
                says.of_field = true;
                column.descending = keys.boolean("descending", problems);
                keys.close(problems);
            }
        }
        let index = Index::plain(vec![column], Method::Btree);
        let found = finish(&Scope { draft, context }, index, says, &[String::new()], problems);
        if let Some((index, name)) = found {
            add_index(draft, ReadIndex { index, name, suffix: "_idx", pointer }, problems);
        }
    }
    for at in 0..draft.fields.len() {
        let (field, beside) = (&draft.fields[at], &draft.beside[at]);
        if beside.actions.is_some() && !field.unindexed && !is_led_by(draft, &field.name) {
            let columns = vec![IndexColumn::plain(field.name.clone(), false)];
            let index = Index::plain(columns, Method::Btree);
            let pointer = beside.pointer.clone();
            draft.indexes.push(ReadIndex { index, name: None, suffix: "_idx", pointer });
        }
    }
}

/// Whether an index, a unique set or the key begins with the field.
fn is_led_by(draft: &Draft<'_>, name: &str) -> bool {
    draft.key.as_ref().is_some_and(|key| key.fields[0] == name)
        || draft.unique.iter().any(|set| {
            set.fields[0] == name && draft.field(name).is_some_and(|field| !field.case_insensitive)
        })
        || draft.indexes.iter().any(|read| {
            let first = &read.index.columns[0];
            read.index.method == Method::Btree
                && read.index.predicate.is_none()
                && first.name == name
                && first.path.is_empty()
                && !first.folded
        })
}

fn add_index(draft: &mut Draft<'_>, found: ReadIndex, problems: &mut Problems) {
    let same = |other: &ReadIndex| {
        other.index == found.index && (other.name.is_none() || found.name.is_none())
    };
    if draft.indexes.iter().any(same) {
        problems.add(&found.pointer, "the same index is given twice");
    } else {
        draft.indexes.push(found);
    }
}

const METHODS: [(&str, Method); 8] = [
    ("btree", Method::Btree),
    ("hash", Method::Hash),
    ("gin", Method::Gin),
    ("gist", Method::Gist),
    ("spgist", Method::Spgist),
    ("brin", Method::Brin),
    ("hnsw", Method::Hnsw(Metric::Cosine)),
    ("ivfflat", Method::Ivfflat(Metric::Cosine)),
];

fn read_says(keys: &mut Keys<'_>, problems: &mut Problems) -> Says {
    let method = keys.choice("method", &METHODS, problems);
    let metrics = Metric::ALL.map(|metric| (metric.name(), metric));
    let metric = keys.choice("metric", &metrics, problems);
    if metric.is_some()
        && method.is_some_and(|method| !matches!(method, Method::Hnsw(_) | Method::Ivfflat(_)))
    {
        let message = "only an index with the method hnsw or ivfflat has a metric";
        problems.add(keys.at("metric"), message);
    }
    let name = name(keys, problems);
    let options = keys.take("options");
    let options_at = keys.at("options");
    let at = if method.is_some() { keys.at("method") } else { keys.pointer().to_owned() };
    let options = options.map_or(Vec::new(), |json| read_options(json, &options_at, problems));
    Says { method, metric, at, options, options_at, name, of_field: false }
}

/// Storage parameters, as the catalog keeps them.
fn read_options(json: &Json, pointer: &str, problems: &mut Problems) -> Vec<(String, String)> {
    let Json::Object(pairs) = json else {
        problems.add(pointer, format!("must be an object, not {}", json.kind()));
        return Vec::new();
    };
    let mut options = Vec::new();
    for (name, value) in pairs {
        let at = format!("{pointer}/{}", crate::json::token(name));
        let value = match value {
            Json::Boolean(value) => if *value { "on" } else { "off" }.to_owned(),
            Json::Number(text) if text.parse::<u32>().is_ok() => text.clone(),
            Json::String(text) if text == "auto" => text.clone(),
            Json::Null => continue,
            _ => {
                problems.add(at, "must be a whole number, true, false or \"auto\"");
                continue;
            }
        };
        options.push((name.clone(), value));
    }
    options.sort();
    options
}

fn read_index(
    scope: &Scope<'_, '_>,
    json: &Json,
    pointer: &str,
    problems: &mut Problems,
) -> Option<ReadIndex> {
    let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
    let items = keys.list("fields", problems);
    let items_at = keys.at("fields");
    if !keys.has("fields") {
        problems.add(&items_at, "is missing");
    }
    let says = read_says(&mut keys, problems);
    let unique = keys.boolean("unique", problems);
    let unique_at = keys.at("unique");
    let nulls_not_distinct = keys.boolean("nulls_not_distinct", problems);
    if nulls_not_distinct && !unique {
        problems.add(keys.at("nulls_not_distinct"), "is of a unique index");
    }
    let condition = keys.text("where_sql", problems);
    let condition_at = keys.at("where_sql");
    keys.close(problems);
    let mut predicate = None;
    if let Some(text) = condition {
        let columns = |name: &str| {
            let known = |beside: &Beside<'_>| beside.column == name;
            scope.draft.beside.iter().any(known).then(|| name.to_owned())
        };
        match scope.context.sql(&text, Place::Predicate, &columns) {
            Ok(sql) => {
                asked::of_predicate(scope.draft, &sql, condition_at, problems);
                predicate = Some(sql).filter(|sql| !sql.holds_always());
            }
            Err(problem) => problems.add(condition_at, problem),
        }
    }
    let found = items.and_then(|items| read_columns(scope, items, &items_at, problems));
    let Some((columns, operators)) = found else {
        // What does not depend on the fields.
        if let Some(method) = says.method {
            check_options(method, &says, problems);
        }
        return None;
    };
    let mut index = Index::plain(columns, Method::Btree);
    index.unique = unique;
    index.nulls_not_distinct = nulls_not_distinct;
    index.predicate = predicate;
    let (index, name) = finish(scope, index, says, &operators, problems)?;
    if unique && index.method != Method::Btree {
        problems.add(unique_at, "only a B-tree is unique");
    }
    Some(ReadIndex { index, name, suffix: "_idx", pointer: pointer.to_owned() })
}

/// The columns of an index, and the places of their operator classes.
fn read_columns(
    scope: &Scope<'_, '_>,
    items: &[Json],
    pointer: &str,
    problems: &mut Problems,
) -> Option<(Vec<IndexColumn>, Vec<String>)> {
    let mut columns = Vec::new();
    let mut places = Vec::new();
    let mut expressions = 0;
    for (at, item) in items.iter().enumerate() {
        let mut column = IndexColumn::plain(column_name(item).unwrap_or_default(), false);
        places.push(format!("{pointer}/{at}"));
        if let Json::Object(_) = item {
            let mut keys = Keys::open(item, format!("{pointer}/{at}"), problems)?;
            keys.text("field", problems);
            // As the indexes of entry structures say it.
            keys.text("name", problems);
            if keys.has("field") && keys.has("name") {
                problems.add(keys.at("name"), "says the same as \"field\"");
            }
            let directions = [("asc", false), ("desc", true)];
            let direction = keys.choice("direction", &directions, problems);
            column.descending = keys.flag("descending", direction.unwrap_or(false), problems);
            if direction.is_some() && keys.has("descending") {
                problems.add(keys.at("direction"), "says the same as \"descending\"");
            }
            let nulls = [("first", true), ("last", false)];
            let nulls_first = keys.choice("nulls", &nulls, problems);
            column.nulls_first = nulls_first.filter(|first| *first != column.descending);
            column.folded = keys.boolean("case_insensitive", problems);
            if let Some(text) = keys.text("operators", problems) {
                column.operators = read_operators(&text);
                if column.operators.is_none() {
                    problems.add(keys.at("operators"), "must be [schema.]name");
                }
            }
            if let Some(path) = keys.list("path", problems) {
                column.path = read_path(path, &keys.at("path"), problems);
            }
            keys.close(problems);
        }
        expressions += usize::from(column.folded || !column.path.is_empty());
        columns.push(column);
    }
    // Two paths into one document are two columns.
    let names = match expressions {
        0 => read_names(items, pointer, column_name, scope, problems)?,
        _ => {
            let mut names = Vec::new();
            for (at, item) in items.iter().enumerate() {
                let one = std::slice::from_ref(item);
                let found =
                    read_names(one, &format!("{pointer}/{at}"), column_name, scope, problems);
                names.extend(found?);
            }
            names
        }
    };
    if columns.len() > MAX_INDEX_FIELDS {
        problems.add(pointer, format!("must name 1 to {MAX_INDEX_FIELDS} fields"));
        return None;
    }
    for ((at, column), name) in columns.iter().enumerate().zip(&names) {
        let Some((kind, list)) = scope.kind_of(name) else { continue };
        let is_json = matches!(&kind, FieldKind::Json)
            || matches!(&kind, FieldKind::Native(native) if native.schema.is_none() && native.name == "json");
        if !column.path.is_empty() && (list || !is_json) {
            problems.add(format!("{pointer}/{at}/path"), "leads into a field of type json");
        }
        if column.folded && (list || !matches!(kind, FieldKind::Text { .. })) {
            problems.add(format!("{pointer}/{at}/case_insensitive"), "is of a field of type text");
        }
        if column.folded && !column.path.is_empty() {
            problems.add(format!("{pointer}/{at}/case_insensitive"), "has no path beside it");
        }
    }
    Some((columns, places))
}

fn column_name(item: &Json) -> Option<&str> {
    match item {
        Json::Object(_) => item.get("field").or(item.get("name")).and_then(Json::as_str),
        other => other.as_str(),
    }
}

fn read_operators(text: &str) -> Option<(Option<String>, String)> {
    let (schema, class) = match text.split_once('.') {
        Some((schema, class)) => (Some(schema), class),
        None => (None, text),
    };
    let fits = |name: &str| problem_with_sql_name(name).is_none();
    let schema = schema.filter(|schema| *schema != "pg_catalog");
    (fits(class) && schema.is_none_or(fits)).then(|| (schema.map(str::to_owned), class.to_owned()))
}

fn read_path(items: &[Json], pointer: &str, problems: &mut Problems) -> Vec<String> {
    let mut path = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item {
            Json::String(key) if !key.contains('\0') => path.push(key.clone()),
            other => {
                problems
                    .add(format!("{pointer}/{at}"), format!("must be a key, not {}", other.kind()));
            }
        }
    }
    if items.is_empty() {
        problems.add(pointer, "must hold the keys that lead to the value");
    }
    path
}

/// Settles the method and the operator classes, and judges them by the types of the columns.
fn finish(
    scope: &Scope<'_, '_>,
    mut index: Index,
    says: Says,
    places: &[String],
    problems: &mut Problems,
) -> Option<(Index, Option<String>)> {
    let kinds: Vec<(FieldKind, bool)> = index
        .columns
        .iter()
        .map(|column| {
            let (kind, list) = scope.kind_of(&column.name)?;
            match column.path.is_empty() {
                true => Some((kind, list)),
                false => Some((FieldKind::Text { max_length: None }, false)),
            }
        })
        .collect::<Option<_>>()?;
    let suits_gin = |(kind, list): &(FieldKind, bool)| *list || *kind == FieldKind::Json;
    let mut method = says.method.unwrap_or(match (says.metric, kinds.as_slice()) {
        (Some(_), _) | (_, [(FieldKind::Vector { .. }, false)]) => Method::Hnsw(Metric::Cosine),
        // As entry structures have it; in the list of indexes Postgres' own rule holds.
        (_, [one]) if says.of_field && suits_gin(one) => Method::Gin,
        _ => Method::Btree,
    });
    let mut told = Vec::new();
    if let Method::Hnsw(metric) | Method::Ivfflat(metric) = &mut method {
        *metric = says.metric.unwrap_or(Metric::Cosine);
        if let [column] = index.columns.as_mut_slice()
            && let Some((_, class)) = column.operators.take()
        {
            match Metric::ALL.into_iter().find(|metric| metric.operator_class() == class) {
                Some(given) if says.metric.is_none_or(|metric| metric == given) => *metric = given,
                Some(_) => told.push("operators and metric are not the same".to_owned()),
                None => told.push(format!("\"{class}\" is not of the fields of type vector")),
            }
        }
    }
    index.method = method;
    let word = method.name();
    match method {
        Method::Hnsw(_) | Method::Ivfflat(_) => match kinds.as_slice() {
            // It would have to bring them to one length.
            [(FieldKind::Vector { dimensions: 1 }, false)]
                if matches!(method, Method::Ivfflat(Metric::Cosine | Metric::InnerProduct)) =>
            {
                told.push(
                    "ivfflat takes vectors of one dimension with the metric l2 only".to_owned(),
                );
            }
            [(FieldKind::Vector { dimensions }, false)] if *dimensions <= MAX_HNSW_DIMENSIONS => {}
            [(FieldKind::Vector { .. }, false)] => told
                .push(format!("{word} takes vectors of at most {MAX_HNSW_DIMENSIONS} dimensions")),
            _ => told.push(format!("{word} takes one field of type vector")),
        },
        _ => {
            for ((column, (kind, list)), place) in index.columns.iter_mut().zip(&kinds).zip(places)
            {
                if let Err(problem) = settle_operators(scope.context, column, method, kind, *list) {
                    match place.is_empty() {
                        true => told.push(problem),
                        false => problems.add(place, problem),
                    }
                }
            }
            if index.columns.len() > 1 && matches!(method, Method::Hash | Method::Spgist) {
                told.push(format!("{word} takes one field"));
            }
        }
    }
    let directed = |column: &IndexColumn| column.descending || column.nulls_first.is_some();
    if method != Method::Btree && index.columns.iter().any(directed) {
        told.push("only a B-tree has a direction".to_owned());
    }
    if told.is_empty() {
        asked::of_index(&index, &kinds, &says.at, places, problems);
    }
    for problem in told {
        problems.add(&says.at, problem);
    }
    check_options(method, &says, problems);
    index.options = says.options;
    Some((index, says.name))
}

fn check_options(method: Method, says: &Says, problems: &mut Problems) {
    for (pointer, problem) in options::problems(method, &says.options) {
        let at = match pointer {
            Some(name) => format!("{}/{}", says.options_at, crate::json::token(&name)),
            None => says.at.clone(),
        };
        problems.add(at, problem);
    }
}

/// Leaves out the class that the index would have anyway.
fn settle_operators(
    context: &Context<'_>,
    column: &mut IndexColumn,
    method: Method,
    kind: &FieldKind,
    list: bool,
) -> Result<(), String> {
    let name = catalog_name(kind);
    let operand =
        name.map(|name| operators::type_of_operators(name, list)).or(list.then_some("anyarray"));
    let Some((schema, class)) = &mut column.operators else {
        if let Some(operand) = operand
            && !operators::has_own_class(method, operand)
            && !context.has_extension(&format!("btree_{}", method.name()))
        {
            let classes = operators::classes(method, operand);
            return Err(match classes.as_slice() {
                [] => format!(
                    "{} takes no field of this type without operators of an extension",
                    method.name()
                ),
                classes => format!(
                    "{} takes a field of this type with operators only: {}",
                    method.name(),
                    classes.join(", ")
                ),
            });
        }
        return Ok(());
    };
    if schema.is_some() {
        return Ok(());
    }
    match operators::judge(method, operand, class) {
        Ok(Class::Own) => column.operators = None,
        Ok(Class::Other) => {}
        Ok(Class::Foreign) => *schema = Some(OF_EXTENSION.to_owned()),
        Err(problem) => return Err(problem),
    }
    Ok(())
}
