//! A filter over the columns of a row, as its tests: each is about one column, or about a place in one.
//!
//! The meaning is that of the filter over `to_jsonb(row)`. What is wrong with the filter itself `read` tells; here such
//! parts ask for nothing, so that all that is wrong with the columns can be told in the same breath.

use super::read::{MAX_LEVELS, is_field_operator};
use crate::json_operators::comparison::has_comparisons;
use crate::json_operators::dates::is_date;
use crate::json_operators::path::{Path, pointer_token};
use crate::jsonb::view::{Container, Stored, Value};

/// A filter or a part of one.
pub(crate) enum RowCondition<'f> {
    All(Vec<RowCondition<'f>>),
    Any(Vec<RowCondition<'f>>),
    Not(Box<RowCondition<'f>>),
    Test(ColumnTest<'f>),
}

/// What a column, or the values at a place in it, must be.
pub(crate) struct ColumnTest<'f> {
    /// Its first key is the column.
    pub(crate) path: Path,
    /// `$not` apart, one that stands beside a path.
    pub(crate) operator: &'f [u8],
    pub(crate) operand: Stored<'f>,
    /// The letters of `$options`, beside `$regex`.
    pub(crate) options: &'f [u8],
    /// Where the path stands in the filter, and where the operand does: JSON Pointers.
    pub(crate) path_pointer: String,
    pub(crate) pointer: String,
}

impl<'f> RowCondition<'f> {
    /// `bytes`: the filter's datum, behind the length word.
    pub(crate) fn of(bytes: &'f [u8]) -> Self {
        filter(Container::root(bytes).value(), "", 0)
    }

    fn nothing() -> Self {
        Self::All(Vec::new())
    }
}

fn filter<'f>(value: Value<'f>, pointer: &str, level: usize) -> RowCondition<'f> {
    let Value::Container(members) = value else { return RowCondition::nothing() };
    if level > MAX_LEVELS {
        return RowCondition::nothing();
    }
    if !members.is_object() {
        let parts = members.elements().enumerate();
        let parts = parts.map(|(at, part)| listed(part.value(), &format!("{pointer}/{at}"), level));
        return RowCondition::All(parts.collect());
    }
    let parts = members.pairs().map(|(name, value)| {
        let pointer = format!("{pointer}{}", pointer_token(name));
        match name {
            b"$not" => RowCondition::Not(Box::new(filter(value.value(), &pointer, level + 1))),
            b"$and" => RowCondition::All(filters(value.value(), &pointer, level)),
            b"$or" => RowCondition::Any(filters(value.value(), &pointer, level)),
            b"$nor" => {
                let any = RowCondition::Any(filters(value.value(), &pointer, level));
                RowCondition::Not(Box::new(any))
            }
            name => match Path::dotted(name) {
                Ok(path) => field(&path, value, &pointer, level),
                Err(_) => RowCondition::nothing(),
            },
        }
    });
    RowCondition::All(parts.collect())
}

fn filters<'f>(value: Value<'f>, pointer: &str, level: usize) -> Vec<RowCondition<'f>> {
    let Value::Container(list) = value else { return Vec::new() };
    let parts = list.elements().enumerate();
    parts.map(|(at, part)| filter(part.value(), &format!("{pointer}/{at}"), level + 1)).collect()
}

/// A path and what its values must be.
fn field<'f>(path: &Path, stored: Stored<'f>, pointer: &str, level: usize) -> RowCondition<'f> {
    match stored.value() {
        Value::Container(members)
            if members.is_object() && has_comparisons(members) && !is_date(stored.value()) =>
        {
            tests(path, members, pointer, pointer, level)
        }
        _ => RowCondition::Test(ColumnTest {
            path: path.clone(),
            operator: b"$eq",
            operand: stored,
            options: b"",
            path_pointer: pointer.to_owned(),
            pointer: pointer.to_owned(),
        }),
    }
}

fn tests<'f>(
    path: &Path,
    members: Container<'f>,
    path_pointer: &str,
    pointer: &str,
    level: usize,
) -> RowCondition<'f> {
    let options = members.pairs().find_map(|(name, value)| match value.value() {
        Value::String(letters) if name == b"$options" => Some(letters),
        _ => None,
    });
    let parts = members.pairs().filter(|(name, _)| *name != b"$options").map(|(name, value)| {
        let options = options.filter(|_| name == b"$regex").unwrap_or_default();
        let pointer = format!("{pointer}{}", pointer_token(name));
        test(path, name, value, options, path_pointer, pointer, level)
    });
    RowCondition::All(parts.collect())
}

fn test<'f>(
    path: &Path,
    name: &'f [u8],
    value: Stored<'f>,
    options: &'f [u8],
    path_pointer: &str,
    pointer: String,
    level: usize,
) -> RowCondition<'f> {
    if !is_field_operator(name) || level > MAX_LEVELS {
        return RowCondition::nothing();
    }
    if name == b"$not" {
        let Value::Container(members) = value.value() else { return RowCondition::nothing() };
        let inner = tests(path, members, path_pointer, &pointer, level + 1);
        return RowCondition::Not(Box::new(inner));
    }
    RowCondition::Test(ColumnTest {
        path: path.clone(),
        operator: name,
        operand: value,
        options,
        path_pointer: path_pointer.to_owned(),
        pointer,
    })
}

/// `{"op", "path", "value"}`.
fn listed<'f>(value: Value<'f>, pointer: &str, level: usize) -> RowCondition<'f> {
    let Value::Container(members) = value else { return RowCondition::nothing() };
    let member =
        |key: &[u8]| members.pairs().find(|(name, _)| *name == key).map(|(_, value)| value);
    let (Some(name), Some(path), Some(operand)) =
        (member(b"op"), member(b"path"), member(b"value"))
    else {
        return RowCondition::nothing();
    };
    let (Value::String(name), Ok(path)) = (name.value(), Path::read(path.value())) else {
        return RowCondition::nothing();
    };
    let path_pointer = format!("{pointer}/path");
    test(&path, name, operand, b"", &path_pointer, format!("{pointer}/value"), level)
}
