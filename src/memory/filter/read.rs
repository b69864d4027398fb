//! A filter, read and checked.
//!
//! Two spellings, as in `json_update`: `{"topic": "x", "year": {"$gte": 2020}}`, where dots divide the
//! keys of a path, and `[{"op": "$gte", "path": ["site.year"], "value": 2020}]`, all of which must hold,
//! for keys that hold dots or begin with `$`.

use super::Filter;
use super::conditions::{Condition, FieldTest};
use super::error::FilterError;
use crate::json_update::condition::{has_comparisons, read_test};
use crate::json_update::operations::is_deeper_than;
use crate::json_update::path::{Path, pointer_token};
use crate::json_update::reading::Reading;
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::order::Kind;
use crate::jsonb::view::{Container, Stored, Value};

/// `$and`, `$or` and `$not` may be nested this deep.
const MAX_LEVELS: usize = 64;
/// Comparisons in one filter; the values of `$in` do not count.
const MAX_CONDITIONS: usize = 1000;

/// Beside a path.
const ON_FIELDS: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $contains and $not";
/// Where a path could stand.
const ON_FILTERS: &str = "$and, $or and $not";

impl Filter {
    /// Reads the datum whose bytes behind the length word are `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FilterError> {
        let bytes = bytes.to_vec();
        let root = Container::root(&bytes).value();
        if is_deeper_than(root, MAX_DEPTH) {
            return Err(FilterError::Invalid(vec![format!(
                "nested deeper than {MAX_DEPTH} levels"
            )]));
        }
        let mut reader = Reader { reading: Reading::of(&bytes), conditions: 0 };
        let condition = reader.filter(root, "", 0);
        let Reader { reading: Reading { mut problems, .. }, conditions } = reader;
        if conditions > MAX_CONDITIONS {
            problems.push(format!(
                "it has {conditions} comparisons, and at most {MAX_CONDITIONS} are possible; $in takes \
                 many values in one"
            ));
        }
        if problems.is_empty() {
            Ok(Self { bytes, condition })
        } else {
            Err(FilterError::Invalid(problems))
        }
    }
}

struct Reader {
    reading: Reading,
    /// How many comparisons were found.
    conditions: usize,
}

/// What stands in for a part that is wrong: the filter is refused in the end.
const NOTHING: Condition = Condition::All(Vec::new());

impl Reader {
    fn filter(&mut self, value: Value<'_>, pointer: &str, level: usize) -> Condition {
        if level > MAX_LEVELS {
            self.reading.problem(pointer, format!("nested deeper than {MAX_LEVELS} levels"));
            return NOTHING;
        }
        match value {
            Value::Container(members) if members.is_object() => {
                let parts = members.pairs().map(|(name, value)| {
                    let pointer = format!("{pointer}{}", pointer_token(name));
                    if name.starts_with(b"$") {
                        self.operator(name, value.value(), &pointer, level)
                    } else {
                        self.field(name, value, &pointer, level)
                    }
                });
                Condition::All(parts.collect())
            }
            Value::Container(list) => {
                let parts = list.elements().enumerate();
                let parts = parts
                    .map(|(at, part)| self.listed(part.value(), &format!("{pointer}/{at}"), level));
                Condition::All(parts.collect())
            }
            other => {
                let found = Kind::of(other).name();
                let problem = format!(
                    "must be an object ({{\"topic\": \"x\"}}) or an array ([{{\"op\", \"path\", \
                     \"value\"}}]), and is {found}"
                );
                if pointer.is_empty() {
                    self.reading.problems.push(format!("it {problem}"));
                } else {
                    self.reading.problem(pointer, problem);
                }
                NOTHING
            }
        }
    }

    fn operator(
        &mut self,
        name: &[u8],
        value: Value<'_>,
        pointer: &str,
        level: usize,
    ) -> Condition {
        if name == b"$not" {
            return Condition::Not(Box::new(self.filter(value, pointer, level + 1)));
        }
        if !matches!(name, b"$and" | b"$or") {
            let name = String::from_utf8_lossy(name);
            let problem = if is_field_operator(name.as_bytes()) {
                format!("{name} stands beside a path, as in {{\"year\": {{\"{name}\": …}}}}")
            } else {
                format!(
                    "\"{name}\" is no operator (there are {ON_FILTERS}; beside a path {ON_FIELDS})"
                )
            };
            self.reading.problem(pointer, problem);
            return NOTHING;
        }
        let parts: Vec<_> = match value {
            Value::Container(list) if !list.is_object() => {
                let parts = list.elements().enumerate();
                let parts = parts.map(|(at, part)| {
                    self.filter(part.value(), &format!("{pointer}/{at}"), level + 1)
                });
                parts.collect()
            }
            other => {
                self.reading.wanted(pointer, "an array of filters", other);
                return NOTHING;
            }
        };
        if parts.is_empty() {
            self.reading.problem(pointer, "must have at least one filter");
        }
        if name == b"$and" { Condition::All(parts) } else { Condition::Any(parts) }
    }

    /// A path and what its values must be.
    fn field(&mut self, name: &[u8], stored: Stored<'_>, pointer: &str, level: usize) -> Condition {
        let path = Path::dotted(name);
        let tests = match stored.value() {
            Value::Container(members) if members.is_object() && has_comparisons(members) => {
                self.tests(members, pointer, level)
            }
            value => {
                if has_nested_operators(value) {
                    self.reading.problem(
                        pointer,
                        "an operator stands inside of a value; write a path with dots \
                         ({\"a.b\": {\"$gt\": 1}}), or {\"$eq\": …} where the value is meant as it is",
                    );
                }
                self.test(b"$eq", stored, pointer, level).into_iter().collect()
            }
        };
        match path {
            Ok(path) => Condition::Field(path, tests),
            Err(problem) => {
                self.reading.problem(pointer, problem);
                NOTHING
            }
        }
    }

    fn tests(&mut self, members: Container<'_>, pointer: &str, level: usize) -> Vec<FieldTest> {
        let tests = members.pairs().filter_map(|(name, value)| {
            self.test(name, value, &format!("{pointer}{}", pointer_token(name)), level)
        });
        tests.collect()
    }

    fn test(
        &mut self,
        name: &[u8],
        stored: Stored<'_>,
        pointer: &str,
        level: usize,
    ) -> Option<FieldTest> {
        if level > MAX_LEVELS {
            self.reading.problem(pointer, format!("nested deeper than {MAX_LEVELS} levels"));
            return None;
        }
        if !is_field_operator(name) {
            let name = String::from_utf8_lossy(name);
            self.reading.problem(
                pointer,
                format!("\"{name}\" is no operator (beside a path there are {ON_FIELDS})"),
            );
            return None;
        }
        self.conditions += usize::from(name != b"$not");
        let value = stored.value();
        match name {
            b"$exists" => match value {
                Value::Boolean(wanted) => return Some(FieldTest::Exists(wanted)),
                other => self.reading.wanted(pointer, "true or false", other),
            },
            b"$contains" => return Some(FieldTest::Contains(self.reading.operand(stored))),
            b"$not" => match value {
                Value::Container(members) if members.is_object() && has_comparisons(members) => {
                    return Some(FieldTest::Not(self.tests(members, pointer, level + 1)));
                }
                _ => self.reading.problem(
                    pointer,
                    "must be an object of operators, as in {\"$not\": {\"$gt\": 5}}",
                ),
            },
            b"$gt" | b"$gte" | b"$lt" | b"$lte" if is_unordered(value) => {
                self.reading.wanted(pointer, "a number, a string or a boolean", value);
            }
            _ => {
                let test = read_test(&mut self.reading, name, stored, pointer);
                return test.map(FieldTest::Comparison);
            }
        }
        None
    }

    /// `{"op", "path", "value"}`.
    fn listed(&mut self, value: Value<'_>, pointer: &str, level: usize) -> Condition {
        let members = match value {
            Value::Container(members) if members.is_object() => members,
            other => {
                self.reading.wanted(pointer, "an object {\"op\", \"path\", \"value\"}", other);
                return NOTHING;
            }
        };
        let (mut name, mut path, mut operand) = (None, None, None);
        for (key, value) in members.pairs() {
            match key {
                b"op" => name = Some(value.value()),
                b"path" => path = Some(value.value()),
                b"value" => operand = Some(value),
                _ => self.reading.problem(
                    &format!("{pointer}{}", pointer_token(key)),
                    "unknown member (there are op, path and value)",
                ),
            }
        }
        let test = match (name, operand) {
            (Some(Value::String(name)), Some(operand)) => {
                let operand_at = if is_field_operator(name) { "value" } else { "op" };
                self.test(name, operand, &format!("{pointer}/{operand_at}"), level)
            }
            (Some(Value::String(_)), None) => {
                self.reading.problem(pointer, "value is missing");
                None
            }
            (Some(other), _) => {
                self.reading.wanted(&format!("{pointer}/op"), "the name of an operator", other);
                None
            }
            (None, _) => {
                self.reading.problem(pointer, "op is missing");
                None
            }
        };
        match (path.map(Path::read), test) {
            (Some(Ok(path)), Some(test)) => return Condition::Field(path, vec![test]),
            (None, _) => self.reading.problem(pointer, "path is missing"),
            (Some(Err(problem)), _) => self.reading.problem(&format!("{pointer}/path"), problem),
            (Some(Ok(_)), None) => {}
        }
        NOTHING
    }
}

fn is_field_operator(name: &[u8]) -> bool {
    let known = [
        &b"$eq"[..],
        b"$ne",
        b"$gt",
        b"$gte",
        b"$lt",
        b"$lte",
        b"$in",
        b"$nin",
        b"$exists",
        b"$contains",
        b"$not",
    ];
    known.contains(&name)
}

fn is_unordered(value: Value<'_>) -> bool {
    matches!(value, Value::Null | Value::Container(_))
}

/// Whether a key in a value looks like an operator: somebody nests paths, and expects something. As deep
/// as the filter.
fn has_nested_operators(value: Value<'_>) -> bool {
    let Value::Container(container) = value else { return false };
    container.is_object() && has_comparisons(container)
        || container.elements().any(|element| has_nested_operators(element.value()))
}
