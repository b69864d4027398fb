//! What of a table only the database can judge.

use super::build::check_rule;
use super::table::Draft;
use super::types::OF_EXTENSION;
use crate::field_types::kind::FieldKind;
use crate::structure::document::asked::Question;
use crate::structure::document::keys::Problems;
use crate::structure::model::{Check, Default, Index, Method, Op};
use crate::structure::sql_text::SqlText;
use crate::structure::table::{Column, ColumnDefault, Rule};

/// Types, defaults and bounds of fields. What the reader knows whole is not asked about.
pub(super) fn of_fields(draft: &Draft<'_>, problems: &mut Problems) {
    for (field, beside) in draft.fields.iter().zip(&draft.beside) {
        if draft.unread.contains(&field.name) {
            continue;
        }
        let at = |key: &str| format!("{}/{key}", beside.pointer);
        if let FieldKind::Native(native) = &field.kind
            && native.schema.is_some()
            && !native.modifiers.is_empty()
        {
            problems.ask(at("sql_type"), Question::Type(field.kind.clone()));
        }
        let default = beside.default.clone().or(field.default.clone().map(ColumnDefault::Field));
        let key = match &default {
            Some(ColumnDefault::Sql(_)) => Some("default_sql"),
            Some(ColumnDefault::Field(Default::Value(_))) if is_read_by_postgres(&field.kind) => {
                Some("default")
            }
            _ => None,
        };
        if let Some(key) = key {
            let column = Column { default, ..column(draft, &field.name) };
            problems.ask(at(key), Question::Default(column));
        }
        for (key, op, bound) in
            [("min", Op::GreaterOrEqual, &field.min), ("max", Op::LessOrEqual, &field.max)]
        {
            if let Some(value) = bound {
                let rule = Rule::Compare { column: field.name.clone(), op, value: value.clone() };
                ask_rule(draft, rule, at(key), problems);
            }
        }
    }
}

pub(super) fn of_check(draft: &Draft<'_>, check: &Check, pointer: &str, problems: &mut Problems) {
    ask_rule(draft, check_rule(check), pointer.to_owned(), problems);
}

fn ask_rule(draft: &Draft<'_>, rule: Rule, pointer: String, problems: &mut Problems) {
    let columns: Vec<Column> = rule.columns().into_iter().map(|name| column(draft, name)).collect();
    if columns.iter().any(|column| is_read_by_postgres(&column.kind)) {
        let rule = rule.renamed(&|name| draft.column(name));
        problems.ask(pointer, Question::Rule { columns, rule });
    }
}

pub(super) fn of_predicate(
    draft: &Draft<'_>,
    sql: &SqlText,
    pointer: String,
    problems: &mut Problems,
) {
    let mentioned = draft.fields.iter().filter(|field| !draft.unread.contains(&field.name));
    let columns: Vec<Column> = mentioned
        .map(|field| column(draft, &field.name))
        .filter(|column| sql.text.contains(column.name.as_str()))
        .collect();
    // Of a field that could not be read it would be said that it is missing.
    if draft.whole {
        problems.ask(pointer, Question::Predicate { columns, sql: sql.clone() });
    }
}

/// The operators of an index, where they are not those that the reader knows. `places` are those of its columns.
pub(super) fn of_index(
    index: &Index,
    kinds: &[(FieldKind, bool)],
    at: &str,
    places: &[String],
    problems: &mut Problems,
) {
    let is_of_vectors = matches!(index.method, Method::Hnsw(_) | Method::Ivfflat(_));
    for ((column, (kind, list)), place) in index.columns.iter().zip(kinds).zip(places) {
        let is_foreign = matches!(kind, FieldKind::Native(native) if native.schema.is_some());
        let class = column.operators.clone();
        let is_known = class.as_ref().is_none_or(|(schema, _)| schema.is_none()) && !is_foreign;
        if is_of_vectors || is_known || column.folded {
            continue;
        }
        let place = if place.is_empty() { at } else { place };
        let of = (kind.clone(), *list);
        problems.ask(place, Question::Operators { method: index.method, class, of });
    }
}

/// Whether nobody but the type itself reads its values exactly.
fn is_read_by_postgres(kind: &FieldKind) -> bool {
    let FieldKind::Native(native) = kind else { return false };
    !matches!(
        (native.schema.as_deref(), native.name.as_str()),
        (None, "int2" | "oid" | "varchar" | "timestamp" | "timestamptz" | "time" | "json")
            | (Some(OF_EXTENSION), "citext")
    ) || !native.modifiers.is_empty()
}

/// The column of a field, as far as its values go.
fn column(draft: &Draft<'_>, name: &str) -> Column {
    let field = draft.field(name);
    let kind = field.map_or(FieldKind::Text { max_length: None }, |field| match &field.kind {
        FieldKind::Enum { .. } => FieldKind::Text { max_length: None },
        kind => kind.clone(),
    });
    Column {
        name: draft.column(name),
        kind,
        list: field.is_some_and(|field| field.list),
        required: false,
        default: None,
        description: None,
    }
}
