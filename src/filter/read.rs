//! A filter, read and checked.
//!
//! Two spellings, as in `json_update`: `{"topic": "x", "year": {"$gte": 2020}}`, where dots divide the
//! keys of a path, and `[{"op": "$gte", "path": ["site.year"], "value": 2020}]`, all of which must hold,
//! for keys that hold dots or begin with `$`.

use super::Filter;
use super::conditions::{Condition, ElementCondition, FieldTest};
use super::error::FilterError;
use super::pattern;
use crate::json_operators::comparison::{Test, equal, has_comparisons, read_limit, read_test};
use crate::json_operators::dates::is_date;
use crate::json_operators::path::{Path, pointer_token};
use crate::json_operators::reading::Reading;
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::number::to_integer;
use crate::jsonb::order::Kind;
use crate::jsonb::view::{Container, Stored, Value};
use regex::bytes::RegexBuilder;

/// `$and`, `$or` and `$not` may be nested this deep.
pub(super) const MAX_LEVELS: usize = 64;
/// Comparisons in one filter; the values of `$in` do not count.
const MAX_CONDITIONS: usize = 1000;

/// Beside a path.
const ON_FIELDS: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $between, $in, $nin, $exists, $like, $ilike, $regex, \
                         $elemMatch, $all, $size, $contains and $not";
const FIELD_OPERATORS: [&[u8]; 18] = [
    b"$eq",
    b"$ne",
    b"$gt",
    b"$gte",
    b"$lt",
    b"$lte",
    b"$between",
    b"$in",
    b"$nin",
    b"$exists",
    b"$like",
    b"$ilike",
    b"$regex",
    b"$elemMatch",
    b"$all",
    b"$size",
    b"$contains",
    b"$not",
];
/// What has an order.
const ORDERED: &str = "a number, a string, a boolean or a time ({\"$date\": \"2026-01-31\"})";
/// Where a path could stand.
const ON_FILTERS: &str = "$and, $or, $nor and $not";
/// Memory that a regular expression may take, compiled and while it looks.
const MAX_EXPRESSION: usize = 1 << 20;

impl Filter {
    /// Reads the datum whose bytes behind the length word are `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FilterError> {
        let bytes = bytes.to_vec();
        let root = Container::root(&bytes).value();
        if root.is_deeper_than(MAX_DEPTH) {
            return Err(FilterError::Invalid(vec![format!(
                "nested deeper than {MAX_DEPTH} levels"
            )]));
        }
        let mut reading = Reading::of(&bytes);
        let mut reader = Reader { reading: &mut reading, conditions: 0, any_order: false };
        let condition = reader.filter(root, "", 0);
        if let Some(problem) = reader.too_many() {
            reading.problems.push(format!("it {problem}"));
        }
        let problems = reading.problems;
        if problems.is_empty() {
            Ok(Self { bytes, condition })
        } else {
            Err(FilterError::Invalid(problems))
        }
    }
}

/// Reads what `$pull` takes out. None where something is wrong, which is noted.
pub(crate) fn read_element(
    reading: &mut Reading,
    value: Stored<'_>,
    pointer: &str,
) -> Option<ElementCondition> {
    let before = reading.problems.len();
    let mut reader = Reader { reading, conditions: 0, any_order: true };
    let condition = reader.element(value, pointer, 0);
    if let Some(problem) = reader.too_many() {
        reading.problem(pointer, problem);
    }
    (reading.problems.len() == before).then_some(condition)
}

struct Reader<'r> {
    reading: &'r mut Reading,
    /// How many comparisons were found.
    conditions: usize,
    /// Values of all kinds have an order, among their own kind.
    any_order: bool,
}

/// What stands in for a part that is wrong: the filter is refused in the end.
const NOTHING: Condition = Condition::All(Vec::new());

impl Reader<'_> {
    fn too_many(&self) -> Option<String> {
        (self.conditions > MAX_CONDITIONS).then(|| {
            format!(
                "has {} comparisons, more than the {MAX_CONDITIONS} allowed: $in compares with many values at once",
                self.conditions
            )
        })
    }

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
                     \"value\"}}]), not {found}"
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
        if !matches!(name, b"$and" | b"$or" | b"$nor") {
            let name = String::from_utf8_lossy(name);
            let problem = if is_field_operator(name.as_bytes()) {
                format!("{name} stands beside a path, as in {{\"year\": {{\"{name}\": …}}}}")
            } else {
                format!(
                    "\"{name}\" is not an operator (known: {ON_FILTERS}; beside a path: {ON_FIELDS})"
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
        match name {
            b"$and" => Condition::All(parts),
            b"$or" => Condition::Any(parts),
            _ => Condition::Not(Box::new(Condition::Any(parts))),
        }
    }

    /// A path and what its values must be.
    fn field(&mut self, name: &[u8], stored: Stored<'_>, pointer: &str, level: usize) -> Condition {
        let path = Path::dotted(name);
        let tests = match stored.value() {
            Value::Container(members)
                if members.is_object() && has_comparisons(members) && !is_date(stored.value()) =>
            {
                self.tests(members, pointer, level)
            }
            value => {
                if has_nested_operators(value) && !is_date(value) {
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
        let options = members.pairs().find(|(name, _)| *name == b"$options");
        let mut tests = Vec::new();
        for (name, value) in members.pairs() {
            let at = format!("{pointer}{}", pointer_token(name));
            if name == b"$regex" && level <= MAX_LEVELS {
                self.conditions += 1;
                let options_at = format!("{pointer}/$options");
                let options = options.map(|(_, value)| (value.value(), options_at.as_str()));
                tests.extend(self.expression(value.value(), options, &at));
            } else if name == b"$options" {
                if !members.keys().any(|key| key.bytes == b"$regex") {
                    self.reading.problem(&at, "stands beside $regex");
                }
            } else {
                tests.extend(self.test(name, value, &at, level));
            }
        }
        tests
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
                format!("\"{name}\" is not an operator (known beside a path: {ON_FIELDS})"),
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
            b"$gt" | b"$gte" | b"$lt" | b"$lte" if is_unordered(value) && !self.any_order => {
                self.reading.wanted(pointer, ORDERED, value);
            }
            b"$between" => return self.between(value, pointer),
            b"$like" => return self.pattern(value, false, pointer),
            b"$ilike" => return self.pattern(value, true, pointer),
            b"$regex" => return self.expression(value, None, pointer),
            b"$elemMatch" => match value {
                Value::Container(members) if members.is_object() => {
                    let condition = self.element(stored, pointer, level + 1);
                    return Some(FieldTest::ElementMatches(condition));
                }
                other => self.reading.wanted(pointer, "an object", other),
            },
            b"$all" => match value {
                Value::Container(list) if !list.is_object() => {
                    let tests = list.elements().enumerate().map(|(at, element)| {
                        read_limit(self.reading, element, &format!("{pointer}/{at}")).map(equal)
                    });
                    return tests.collect::<Option<_>>().map(FieldTest::HasAll);
                }
                other => self.reading.wanted(pointer, "an array", other),
            },
            b"$size" => match value {
                Value::Number(number) => {
                    let size = to_integer(number).and_then(|number| usize::try_from(number).ok());
                    if size.is_none() {
                        self.reading.problem(pointer, "must be a whole number from 0 up");
                    }
                    return size.map(FieldTest::Size);
                }
                other => self.reading.wanted(pointer, "a whole number from 0 up", other),
            },
            _ => {
                let test = read_test(self.reading, name, stored, pointer);
                return test.map(FieldTest::Comparison);
            }
        }
        None
    }

    /// `[least, most]`.
    fn between(&mut self, value: Value<'_>, pointer: &str) -> Option<FieldTest> {
        let Value::Container(list) = value else {
            self.reading.wanted(pointer, "an array of two values", value);
            return None;
        };
        let (false, 2, Some(least), Some(most)) =
            (list.is_object(), list.count(), list.element(0), list.element(1))
        else {
            self.reading.problem(pointer, "must be an array of two values, [least, most]");
            return None;
        };
        let mut limit = |value: Stored<'_>, at: usize| {
            let pointer = format!("{pointer}/{at}");
            if is_unordered(value.value()) && !self.any_order {
                self.reading.wanted(&pointer, ORDERED, value.value());
                return None;
            }
            read_limit(self.reading, value, &pointer)
        };
        let (from, to) = (limit(least, 0), limit(most, 1));
        let (from, to) = (from?, to?);
        let kind = |value: Stored<'_>| (is_date(value.value()), Kind::of(value.value()));
        if kind(least) != kind(most) {
            self.reading.problem(pointer, "must have two values of one type");
            return None;
        }
        Some(FieldTest::Comparison(Test::Between(from, to)))
    }

    /// A pattern of LIKE.
    fn pattern(
        &mut self,
        value: Value<'_>,
        ignores_case: bool,
        pointer: &str,
    ) -> Option<FieldTest> {
        let Value::String(text) = value else {
            self.reading.wanted(pointer, "a string", value);
            return None;
        };
        match pattern::expression(text, ignores_case, MAX_EXPRESSION) {
            Ok(expression) => Some(FieldTest::Matches(expression)),
            Err(problem) => {
                self.reading.problem(pointer, problem);
                None
            }
        }
    }

    /// What an element must be: an object of operators, an object as a filter, or the value itself.
    fn element(&mut self, stored: Stored<'_>, pointer: &str, level: usize) -> ElementCondition {
        match stored.value() {
            Value::Container(members) if members.is_object() => {
                if is_about_the_element(members) {
                    ElementCondition::Tests(self.tests(members, pointer, level))
                } else {
                    ElementCondition::Object(self.filter(stored.value(), pointer, level))
                }
            }
            _ => ElementCondition::Equal(self.reading.operand(stored)),
        }
    }

    /// `options`: what stands in `$options` beside it.
    fn expression(
        &mut self,
        value: Value<'_>,
        options: Option<(Value<'_>, &str)>,
        pointer: &str,
    ) -> Option<FieldTest> {
        let Value::String(text) = value else {
            self.reading.wanted(pointer, "a string", value);
            return None;
        };
        let mut builder = RegexBuilder::new(str::from_utf8(text).unwrap_or_default());
        builder.size_limit(MAX_EXPRESSION).dfa_size_limit(MAX_EXPRESSION);
        if let Some((options, pointer)) = options {
            let Value::String(letters) = options else {
                self.reading.wanted(pointer, "a string of the letters i, m, s and x", options);
                return None;
            };
            for letter in letters {
                match letter {
                    b'i' => builder.case_insensitive(true),
                    b'm' => builder.multi_line(true),
                    b's' => builder.dot_matches_new_line(true),
                    b'x' => builder.ignore_whitespace(true),
                    _ => {
                        self.reading.problem(pointer, "must be of the letters i, m, s and x");
                        return None;
                    }
                };
            }
        }
        match builder.build() {
            Ok(expression) => Some(FieldTest::Matches(expression)),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.reading.problem(pointer, "the regular expression is too large");
                None
            }
            Err(error) => {
                // The last line says what is wrong; those before it draw where.
                let told = error.to_string();
                let last = told.lines().last().unwrap_or_default();
                let problem = last.trim_start_matches("error: ");
                self.reading.problem(pointer, format!("is not a regular expression: {problem}"));
                None
            }
        }
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
                    "unknown member (known: op, path and value)",
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

pub(super) fn is_field_operator(name: &[u8]) -> bool {
    FIELD_OPERATORS.contains(&name)
}

/// Whether operators are about an element itself, and not about fields that it has as an object.
fn is_about_the_element(members: Container<'_>) -> bool {
    members.pairs().any(|(name, value)| match name {
        b"$not" => matches!(value.value(), Value::Container(inner) if is_about_the_element(inner)),
        b"$options" => true,
        name => is_field_operator(name),
    })
}

fn is_unordered(value: Value<'_>) -> bool {
    matches!(value, Value::Null | Value::Container(_)) && !is_date(value)
}

/// Whether a key in a value looks like an operator: somebody nests paths, and expects something. As deep
/// as the filter.
fn has_nested_operators(value: Value<'_>) -> bool {
    let Value::Container(container) = value else { return false };
    container.is_object() && has_comparisons(container)
        || container.elements().any(|element| has_nested_operators(element.value()))
}
