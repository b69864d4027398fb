//! Keys and indexes as attributes. What Prisma sees of an index is less than the index is: the rest is noted.

use super::facts::{Expressions, IndexFact};
use super::model::Model;
use super::names::of_constraint;
use super::types::{Family, quoted};

/// The attributes of a model, and of its fields by their places.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) of_fields: Vec<(usize, String)>,
    pub(super) of_model: Vec<String>,
    /// Whether the language needs its preview of conditions.
    pub(super) has_conditions: bool,
}

pub(super) fn of(model: &Model<'_>, expressions: &Expressions) -> Keys {
    let mut keys = Keys::default();
    let seen = model.table.indexes.iter().filter(|index| !index.has_expressions());
    let (primary, others): (Vec<&IndexFact>, Vec<&IndexFact>) =
        seen.partition(|index| index.primary);
    let (mut unique, plain): (Vec<&IndexFact>, Vec<&IndexFact>) =
        others.into_iter().partition(|index| index.unique);
    // A field says one of them: the one that needs the fewest words.
    unique.sort_by_key(|index| {
        (index.partial, index.columns[0].descending, !has_usual_name(model, index))
    });
    for index in primary.iter().chain(&unique).chain(&plain) {
        let numbers = index.numbers();
        let map = (!has_usual_name(model, index)).then(|| format!("map: {}", quoted(&index.name)));
        let condition = index.partial.then(|| condition(index, expressions));
        keys.has_conditions |= condition.is_some();
        if let ([number], true) = (numbers.as_slice(), index.unique)
            && let Some(place) = model.place(*number)
            && (index.primary
                || !keys
                    .of_fields
                    .iter()
                    .any(|(at, text)| *at == place && text.starts_with("@unique")))
        {
            let sort = index.columns[0].descending.then(|| "sort: Desc".to_owned());
            let name = if index.primary { "@id" } else { "@unique" };
            let arguments: Vec<String> = [map, sort, condition].into_iter().flatten().collect();
            keys.of_fields.push((place, with(name, &arguments)));
            continue;
        }
        let name = match (index.primary, index.unique) {
            (true, _) => "@@id",
            (_, true) => "@@unique",
            _ => "@@index",
        };
        let mut arguments = vec![format!("[{}]", fields(model, index).join(", "))];
        arguments.extend(map);
        let method = method(&index.method).filter(|_| !index.unique);
        arguments.extend(method.map(|method| format!("type: {method}")));
        arguments.extend(condition);
        keys.of_model.push(with(name, &arguments));
    }
    keys
}

/// Whether Prisma would call it so.
fn has_usual_name(model: &Model<'_>, index: &IndexFact) -> bool {
    let table = &model.table.name;
    let columns = model.table.names(&index.numbers());
    index.name
        == match (index.primary, index.unique) {
            (true, _) => of_constraint(table, &[], "_pkey"),
            (_, true) => of_constraint(table, &columns, "_key"),
            _ => of_constraint(table, &columns, "_idx"),
        }
}

fn with(name: &str, arguments: &[String]) -> String {
    if arguments.is_empty() { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
}

fn condition(index: &IndexFact, expressions: &Expressions) -> String {
    let text = expressions.predicates.get(&index.oid.to_string());
    format!("where: raw({})", quoted(text.and_then(Option::as_deref).unwrap_or_default()))
}

/// Methods that Prisma has a name for: it takes others for B-trees.
pub(super) fn method(name: &str) -> Option<&'static str> {
    match name {
        "hash" => Some("Hash"),
        "gin" => Some("Gin"),
        "gist" => Some("Gist"),
        "spgist" => Some("SpGist"),
        "brin" => Some("Brin"),
        _ => None,
    }
}

fn fields(model: &Model<'_>, index: &IndexFact) -> Vec<String> {
    let field = |at: usize| {
        let column = &index.columns[at];
        let place = model.place(column.number)?;
        let mut arguments = Vec::new();
        if let (Some(method), Some(class)) = (method(&index.method), &column.operator_class)
            && method != "Hash"
        {
            arguments.extend(operators(model, place, method, class, column.default_operator_class));
        }
        if column.descending {
            arguments.push("sort: Desc".to_owned());
        }
        Some(with(&model.names[place].prisma, &arguments))
    };
    (0..index.columns.len()).filter_map(field).collect()
}

/// The operator class of a field, where it is not the one that Prisma expects.
fn operators(
    model: &Model<'_>,
    place: usize,
    method: &str,
    class: &str,
    is_default: bool,
) -> Option<String> {
    if !is_default {
        return Some(match symbol(class) {
            Some(symbol) => format!("ops: {symbol}"),
            None => format!("ops: raw({})", quoted(class)),
        });
    }
    // What an extension has made the default of a type Prisma's parser does not know.
    let found = &model.types[place];
    let is_known = match (method, found.family) {
        (_, Family::Unsupported) => true,
        ("Gin", family) => found.list || family == Family::Json,
        ("SpGist", _) => ["text_ops", "inet_ops"].contains(&class),
        ("Brin", _) => symbol(class).is_some(),
        _ => false,
    };
    (!is_known).then(|| format!("ops: raw({})", quoted(class)))
}

/// What Prisma calls an operator class of Postgres'.
fn symbol(class: &str) -> Option<String> {
    const ALL: [&str; 3] = ["bloom", "minmax", "minmax_multi"];
    const ORDER: [&str; 2] = ["bloom", "minmax"];
    let fixed = ["array_ops", "jsonb_ops", "jsonb_path_ops", "text_ops", "inet_ops"];
    let is_known = fixed.contains(&class)
        || class.strip_suffix("_ops").and_then(|class| class.split_once('_')).is_some_and(
            |(type_name, kind)| match type_name {
                "bit" | "varbit" => kind == "minmax",
                "bpchar" | "bytea" | "text" => ORDER.contains(&kind),
                "inet" => kind == "inclusion" || ALL.contains(&kind),
                "date" | "float4" | "float8" | "int2" | "int4" | "int8" | "numeric" | "oid"
                | "timestamp" | "timestamptz" | "time" | "timetz" | "uuid" => ALL.contains(&kind),
                _ => false,
            },
        );
    let word = |word: &str| match word {
        "minmax" => "MinMax".to_owned(),
        "timestamptz" => "TimestampTz".to_owned(),
        "timetz" => "TimeTz".to_owned(),
        "varbit" => "VarBit".to_owned(),
        _ => word[..1].to_ascii_uppercase() + &word[1..],
    };
    is_known.then(|| class.split('_').map(word).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_classes_have_prismas_names() {
        for (class, expected) in [
            ("jsonb_path_ops", Some("JsonbPathOps")),
            ("timestamptz_minmax_multi_ops", Some("TimestampTzMinMaxMultiOps")),
            ("varbit_minmax_ops", Some("VarBitMinMaxOps")),
            ("inet_inclusion_ops", Some("InetInclusionOps")),
            ("text_minmax_multi_ops", None),
            ("gin_trgm_ops", None),
            ("vector_cosine_ops", None),
        ] {
            assert_eq!(symbol(class).as_deref(), expected, "{class}");
        }
    }
}
