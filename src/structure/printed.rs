//! What a printed check, default or index expression means for a table: the rule or the default that
//! generated DDL would have printed so, or `None`.
//!
//! The columns' types decide: a cast that Postgres adds by itself changes nothing, the same cast
//! elsewhere may round or depend on the time zone.

use super::constant::Constant;
use super::deparse::{Expression, Type};
use super::model::{Default, Op};
use super::table::{Column, Rule};
use crate::field_types::kind::FieldKind;

/// What a column's default means, wherever it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PrintedDefault {
    /// NULL, which is what a column without a default gets.
    Null,
    /// `clock_timestamp()`.
    Clock,
    Field(Default),
}

/// The rules that a check consists of, one for each part of a conjunction.
pub(super) fn read_check(text: &str, columns: &[Column]) -> Option<Vec<Rule>> {
    let expression = Expression::parse(text)?;
    expression.conjuncts().into_iter().map(|part| read_rule(part, columns)).collect()
}

fn read_rule(expression: &Expression, columns: &[Column]) -> Option<Rule> {
    match expression {
        Expression::Any(operator, left, right) if operator == "=" => {
            one_of(left, right, false, columns)
        }
        Expression::Operation(operator, left, right) if operator == "<@" => {
            one_of(left, right, true, columns)
        }
        Expression::Operation(operator, left, right) => {
            let op = Op::from_symbol(operator)?;
            if let Expression::Call(function, arguments) = left.as_ref() {
                return min_length(function, arguments, op, right, columns);
            }
            match (column_of(left, columns), column_of(right, columns)) {
                (Some(left), Some(right)) => compare_columns(left, op, right),
                (Some(column), None) => compare(column, op, right),
                (None, Some(column)) => compare(column, flipped(op), left),
                (None, None) => None,
            }
        }
        _ => None,
    }
}

/// The column, if no cast around it changes how its values compare.
fn column_of<'c>(expression: &Expression, columns: &'c [Column]) -> Option<&'c Column> {
    let (inner, casts) = expression.uncast();
    let Expression::Column(name) = inner else { return None };
    let column = columns.iter().find(|column| column.name == *name)?;
    let harmless = |cast: &&Type| {
        cast.modifier.is_empty()
            && cast.array == column.list
            && match &column.kind {
                FieldKind::Text { .. } => {
                    matches!(cast.name(), Some("text" | "character varying"))
                }
                FieldKind::Integer => {
                    matches!(cast.name(), Some("bigint" | "numeric" | "double precision"))
                }
                FieldKind::Bigint | FieldKind::Decimal { .. } => cast.name() == Some("numeric"),
                _ => false,
            }
    };
    casts.iter().all(harmless).then_some(column)
}

/// Whether documents compare values of the column by the operator.
fn takes(column: &Column, op: Op) -> bool {
    !column.list
        && column.kind.is_comparable()
        && column.kind != FieldKind::Bytes
        && (column.kind.is_ordered() || matches!(op, Op::Equal | Op::NotEqual))
}

/// Whether documents compare columns of the two types with each other.
fn is_of_one_group(left: &FieldKind, right: &FieldKind) -> bool {
    let group = |kind: &FieldKind| match kind {
        FieldKind::Integer => FieldKind::Bigint.name(),
        other => other.name(),
    };
    match (left, right) {
        (FieldKind::Native(left), FieldKind::Native(right)) => {
            left.schema == right.schema && left.name == right.name
        }
        (FieldKind::NamedEnum { .. }, _) => left == right,
        _ => group(left) == group(right),
    }
}

fn compare(column: &Column, op: Op, value: &Expression) -> Option<Rule> {
    let value = value.constant(&column.kind, false)?;
    takes(column, op).then(|| Rule::Compare { column: column.name.clone(), op, value })
}

fn compare_columns(left: &Column, op: Op, right: &Column) -> Option<Rule> {
    let fits = takes(left, op)
        && takes(right, op)
        && is_of_one_group(&left.kind, &right.kind)
        && left.name != right.name;
    fits.then(|| Rule::CompareColumns { left: left.name.clone(), op, right: right.name.clone() })
}

/// `5 < a` says `a > 5`.
fn flipped(op: Op) -> Op {
    match op {
        Op::Equal | Op::NotEqual => op,
        Op::Less => Op::Greater,
        Op::LessOrEqual => Op::GreaterOrEqual,
        Op::Greater => Op::Less,
        Op::GreaterOrEqual => Op::LessOrEqual,
    }
}

fn one_of(
    column: &Expression,
    values: &Expression,
    list: bool,
    columns: &[Column],
) -> Option<Rule> {
    let column = column_of(column, columns)?;
    if !matches!(column.kind, FieldKind::Text { .. }) || column.list != list {
        return None;
    }
    let Constant::List(values) = values.constant(&FieldKind::Text { max_length: None }, true)?
    else {
        return None;
    };
    let values = values
        .into_iter()
        .map(|value| match value {
            Constant::Text(text) => Some(text),
            _ => None,
        })
        .collect::<Option<_>>()?;
    Some(Rule::OneOf { column: column.name.clone(), values })
}

fn min_length(
    function: &str,
    arguments: &[Expression],
    op: Op,
    length: &Expression,
    columns: &[Column],
) -> Option<Rule> {
    let [argument] = arguments else { return None };
    // All three count characters of a text.
    if !matches!(function, "char_length" | "character_length" | "length") {
        return None;
    }
    let column = column_of(argument, columns)?;
    let Constant::Integer(length) = length.constant(&FieldKind::Integer, false)? else {
        return None;
    };
    let length = u32::try_from(length).ok()?;
    let fits =
        op == Op::GreaterOrEqual && matches!(column.kind, FieldKind::Text { .. }) && !column.list;
    fits.then(|| Rule::MinLength { column: column.name.clone(), length })
}

/// Reads the default of a column of a type.
pub(super) fn read_default(text: &str, kind: &FieldKind, list: bool) -> Option<PrintedDefault> {
    let expression = Expression::parse(text)?;
    let (inner, casts) = expression.uncast();
    let field = |default| Some(PrintedDefault::Field(default));
    // An assignment's cast is not printed: `now()` may be the default of a date. A cast that is
    // printed must be to the column's type.
    let cast_to = |name: &str| {
        casts
            .iter()
            .all(|cast| cast.name() == Some(name) && cast.modifier.is_empty() && !cast.array)
    };
    let of_text = casts.iter().all(|cast| {
        matches!(cast.name(), Some("text" | "character varying"))
            && cast.modifier.is_empty()
            && !cast.array
    });
    match inner {
        Expression::Null => return Some(PrintedDefault::Null),
        Expression::Call(function, arguments) => {
            if list || !arguments.is_empty() {
                return None;
            }
            return match (function.as_str(), kind) {
                ("now" | "transaction_timestamp", _) if is_now(kind, &cast_to) => {
                    field(Default::Now)
                }
                ("clock_timestamp", FieldKind::Timestamp) if casts.is_empty() => {
                    Some(PrintedDefault::Clock)
                }
                ("gen_random_uuid", FieldKind::Uuid) if casts.is_empty() => field(Default::Uuid),
                ("gen_random_uuid", kind) if of_text && is_text(kind) => field(Default::Uuid),
                ("kepler.cuid", kind) if of_text && is_text(kind) => field(Default::Cuid),
                _ => None,
            };
        }
        Expression::Keyword(word) => {
            let now = !list
                && match (word.as_str(), kind) {
                    ("CURRENT_TIMESTAMP", _) => is_now(kind, &cast_to),
                    ("CURRENT_DATE", FieldKind::Date) | ("LOCALTIME", FieldKind::Time) => {
                        casts.is_empty()
                    }
                    _ => false,
                };
            return now.then_some(PrintedDefault::Field(Default::Now));
        }
        _ => {}
    }
    field(Default::Value(expression.constant(kind, list)?))
}

/// Whether the transaction's time, so cast, is what `now` gives a field of the type.
fn is_now(kind: &FieldKind, cast_to: &dyn Fn(&str) -> bool) -> bool {
    match kind {
        FieldKind::Timestamp => cast_to("timestamp with time zone"),
        FieldKind::Date => cast_to("date"),
        FieldKind::Time => cast_to("time without time zone"),
        _ => false,
    }
}

fn is_text(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Text { .. } => true,
        FieldKind::Native(native) => {
            ["varchar", "bpchar", "citext"].contains(&native.name.as_str())
        }
        _ => false,
    }
}

/// As [`read_default`], with every spelling of the transaction's time that gives a column of the type the same.
pub(super) fn read_exact_default(
    text: &str,
    kind: &FieldKind,
    list: bool,
) -> Option<PrintedDefault> {
    if !list && is_moment(text, kind) {
        return Some(PrintedDefault::Field(Default::Now));
    }
    let is_now = |default: &PrintedDefault| *default == PrintedDefault::Field(Default::Now);
    let said = read_default(text, kind, list);
    // The words of dates and times of the day are their own: another spelling stays as it is.
    match kind {
        FieldKind::Date => said.filter(|default| !is_now(default) || text == "CURRENT_DATE"),
        FieldKind::Time => said.filter(|default| !is_now(default) || text == "LOCALTIME"),
        _ => said,
    }
}

/// Whether a text is the time of the transaction in no less digits than the column keeps.
fn is_moment(text: &str, kind: &FieldKind) -> bool {
    let (name, digits) = match kind {
        FieldKind::Timestamp => ("timestamptz", 6),
        FieldKind::Native(native) if native.schema.is_none() => {
            let digits = native.modifiers.first().map_or(Some(6), |digits| digits.parse().ok());
            (native.name.as_str(), digits.unwrap_or(6))
        }
        _ => return false,
    };
    let words: &[&str] = match name {
        "timestamptz" => &["CURRENT_TIMESTAMP"],
        "timestamp" => &["CURRENT_TIMESTAMP", "LOCALTIMESTAMP"],
        "timetz" => &["CURRENT_TIMESTAMP", "CURRENT_TIME"],
        "time" => &["CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_TIME", "LOCALTIME"],
        _ => return false,
    };
    // The parentheses of a precision are no expression.
    let precise = |word: &&str| {
        text.strip_prefix(*word)
            .and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')')?.parse::<u32>().ok())
            .is_some_and(|given| given >= digits)
    };
    if words.iter().any(precise) {
        return true;
    }
    let Some(expression) = Expression::parse(text) else { return false };
    let (inner, casts) = expression.uncast();
    let keeps = |cast: &&Type| {
        !cast.array
            && match kind {
                FieldKind::Native(native) => cast.is_of(native),
                _ => false,
            }
    };
    casts.iter().all(keeps)
        && match inner {
            Expression::Keyword(word) => words.contains(&word.as_str()),
            Expression::Call(function, arguments) => {
                arguments.is_empty() && matches!(function.as_str(), "now" | "transaction_timestamp")
            }
            _ => false,
        }
}

/// The document and the path of a key of an index that looks into documents.
pub(super) fn read_path(text: &str, columns: &[Column]) -> Option<(String, Vec<String>)> {
    let Expression::Operation(operator, document, path) = Expression::parse(text)? else {
        return None;
    };
    let Expression::Column(name) = *document else { return None };
    let column = columns.iter().find(|column| column.name == name && !column.list)?;
    let is_json = match &column.kind {
        FieldKind::Json => true,
        FieldKind::Native(native) => native.schema.is_none() && native.name == "json",
        _ => false,
    };
    let Constant::List(keys) = path.constant(&FieldKind::Text { max_length: None }, true)? else {
        return None;
    };
    let keys: Option<Vec<String>> = keys
        .into_iter()
        .map(|key| match key {
            Constant::Text(key) => Some(key),
            _ => None,
        })
        .collect();
    (operator == "#>>" && is_json).then_some((name, keys?)).filter(|(_, keys)| !keys.is_empty())
}

/// The column that a key of an index folds.
pub(super) fn read_folded(text: &str, columns: &[Column]) -> Option<String> {
    let Expression::Call(function, arguments) = Expression::parse(text)? else { return None };
    let [argument] = arguments.as_slice() else { return None };
    let column = column_of(argument, columns)?;
    (function == "kepler.fold" && matches!(column.kind, FieldKind::Text { .. }) && !column.list)
        .then(|| column.name.clone())
}

#[cfg(test)]
mod tests;
