//! Which rows of a table count: a filter over its columns as SQL, under the alias `e`.
//!
//! The meaning is that of `kepler.json_matches(to_jsonb(row), filter)`. Columns of scalars are compared as their type
//! does it, by its own operators, so that the table's indexes and partitions serve. What is within documents, arrays and
//! the like `kepler.json_matches` decides.
//!
//! NULL counts as false in what is written here. `IS NOT TRUE` turns it round.

use super::relation::{Column, Relation, Scalar, Values};
use crate::error::Error;
use crate::filter::Filter;
use crate::filter::columns::{ColumnTest, RowCondition};
use crate::filter::error::FilterError;
use crate::ident::quote;
use crate::json_operators::dates;
use crate::jsonb::builder::Builder;
use crate::jsonb::number::{plain_decimal, to_integer};
use crate::jsonb::order::Kind;
use crate::jsonb::view::{Stored, Value};
use crate::pg::input;
use crate::pg::query::Parameters;
use crate::poll;
use pgrx::pg_sys;

/// A filter as SQL.
pub(crate) struct Conditions {
    /// All of these hold.
    pub(crate) all: Vec<String>,
    /// Whether they call functions: Kepler's, and with `to_jsonb` perhaps casts that somebody wrote. Those run for the caller and
    /// for nobody else.
    pub(crate) call_functions: bool,
}

/// Reads a filter, and adds its values to the parameters.
///
/// `filter`: a `jsonb` behind its length word.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn conditions(
    filter: &[u8],
    relation: &Relation,
    parameters: &mut Parameters,
) -> Result<Conditions, Error> {
    let mut problems = match Filter::read(filter) {
        Ok(_) => Vec::new(),
        Err(FilterError::Invalid(problems)) => problems,
        Err(broken) => return Err(broken.into()),
    };
    let mut writer = Writer { relation, parameters, problems: Vec::new(), call_functions: false };
    let all = match RowCondition::of(filter) {
        RowCondition::All(parts) => parts.iter().map(|part| writer.condition(part)).collect(),
        other => vec![writer.condition(&other)],
    };
    let call_functions = writer.call_functions;
    let grammar = problems.clone();
    for (pointer, problem) in writer.problems {
        let place = format!("{pointer}: ");
        let problem = format!("{place}{problem}");
        if !grammar.iter().any(|told| told.starts_with(&place)) && !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(FilterError::Invalid(problems).into());
    }
    Ok(Conditions { all, call_functions })
}

struct Writer<'w> {
    relation: &'w Relation,
    parameters: &'w mut Parameters,
    /// With the pointer of each.
    problems: Vec<(String, String)>,
    call_functions: bool,
}

/// A comparison, by its place among a type's operators.
#[derive(Clone, Copy)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// A column of scalars.
#[derive(Clone, Copy)]
struct ScalarColumn<'c> {
    column: &'c Column,
    scalar: Scalar,
    operators: &'c [String; 5],
}

/// A value that a column of scalars is compared with.
enum Comparand {
    /// Of the column's own type.
    Own(pg_sys::Datum),
    /// A `numeric`, stored: a number that a column of integers cannot have, or one of very many digits.
    Numeric(Vec<u8>),
    /// A time, as the type that the column's compares itself with: a date is compared with one that names a time of day.
    Time(pg_sys::Oid, pg_sys::Datum),
}

/// What a condition is where nothing meets it, and what stands in for a part that is wrong.
const NONE: &str = "false";

impl Writer<'_> {
    fn condition(&mut self, condition: &RowCondition<'_>) -> String {
        poll::check();
        match condition {
            RowCondition::All(parts) => self.joined(parts, " AND ", "true"),
            RowCondition::Any(parts) => self.joined(parts, " OR ", NONE),
            RowCondition::Not(part) => format!("({} IS NOT TRUE)", self.condition(part)),
            RowCondition::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, parts: &[RowCondition<'_>], by: &str, none: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.condition(part)).collect();
        match parts.len() {
            0 => none.to_owned(),
            1 => parts.concat(),
            _ => format!("({})", parts.join(by)),
        }
    }

    fn problem(&mut self, pointer: &str, problem: impl std::fmt::Display) -> String {
        self.problems.push((pointer.to_owned(), problem.to_string()));
        NONE.to_owned()
    }

    fn test(&mut self, test: &ColumnTest<'_>) -> String {
        let [name, within @ ..] = test.path.parts() else { return NONE.to_owned() };
        let relation = self.relation;
        let named = |column: &&Column| column.name.as_bytes() == name.as_slice();
        let Some(column) = relation.columns.iter().find(named) else {
            return self.problem(&test.path_pointer, "this column does not exist");
        };
        match &column.values {
            Values::Scalars(..) if !within.is_empty() => {
                let problem = format!("a value of type {} has no members", column.type_name);
                self.problem(&test.path_pointer, problem)
            }
            Values::Scalars(scalar, operators) => {
                self.scalar_test(test, ScalarColumn { column, scalar: *scalar, operators })
            }
            Values::Jsonb if within.is_empty() => match (test.operator, test.operand.value()) {
                (b"$contains", Value::Container(_)) => {
                    let part = self.document(|builder| {
                        builder.copy(test.operand.kind, test.operand.bytes);
                    });
                    format!("({} OPERATOR(pg_catalog.@>) {part})", column.field())
                }
                _ => self.document_test(test, column),
            },
            Values::Jsonb => self.member_test(test, column, within),
            Values::Any => self.document_test(test, column),
        }
    }

    /// A comparison that the column's type makes.
    fn scalar_test(&mut self, test: &ColumnTest<'_>, column: ScalarColumn<'_>) -> String {
        let (operand, pointer) = (test.operand, test.pointer.as_str());
        // In texts times are found as in documents.
        if column.scalar == Scalar::String && column.time_type().is_none() && has_date(operand) {
            return self.document_test(test, column.column);
        }
        match test.operator {
            // A row has all of its columns; one that is NULL is a member that is null.
            b"$exists" => match operand.value() {
                Value::Boolean(true) => "true".to_owned(),
                _ => NONE.to_owned(),
            },
            // Containment knows no times.
            b"$contains" if dates::is_date(operand.value()) => NONE.to_owned(),
            b"$eq" | b"$contains" => self.equal(column, &[(operand, pointer.to_owned())]),
            b"$ne" => {
                format!("({} IS NOT TRUE)", self.equal(column, &[(operand, pointer.to_owned())]))
            }
            b"$in" => self.equal(column, &elements(operand, pointer)),
            b"$nin" => {
                format!("({} IS NOT TRUE)", self.equal(column, &elements(operand, pointer)))
            }
            b"$all" => {
                let elements = elements(operand, pointer);
                let all: Vec<String> = elements
                    .iter()
                    .map(|(element, at)| self.equal(column, &[(*element, at.clone())]))
                    .collect();
                if all.is_empty() { NONE.to_owned() } else { format!("({})", all.join(" AND ")) }
            }
            b"$gt" => self.ordered(column, Comparison::Greater, operand, pointer),
            b"$gte" => self.ordered(column, Comparison::GreaterOrEqual, operand, pointer),
            b"$lt" => self.ordered(column, Comparison::Less, operand, pointer),
            b"$lte" => self.ordered(column, Comparison::LessOrEqual, operand, pointer),
            b"$between" => match elements(operand, pointer).as_slice() {
                [(least, least_at), (most, most_at)] => {
                    let from = self.ordered(column, Comparison::GreaterOrEqual, *least, least_at);
                    let to = self.ordered(column, Comparison::LessOrEqual, *most, most_at);
                    format!("({from} AND {to})")
                }
                _ => NONE.to_owned(),
            },
            b"$like" if matches!(column.column.type_oid, pg_sys::TEXTOID | pg_sys::VARCHAROID) => {
                self.like(column.column, operand.value())
            }
            b"$like" | b"$ilike" if column.scalar == Scalar::String => {
                self.document_test(test, column.column)
            }
            b"$regex" if column.scalar == Scalar::String => self.document_test(test, column.column),
            operator => {
                let problem = format!(
                    "{} asks for {}, and column {} is of type {}",
                    String::from_utf8_lossy(operator),
                    match operator {
                        b"$regex" | b"$like" | b"$ilike" => "a string",
                        _ => "an array",
                    },
                    quote(&column.column.name),
                    column.column.type_name
                );
                self.problem(pointer, problem)
            }
        }
    }

    /// That a column of texts is like a pattern. Characters count, and no language: an index whose operators are those for patterns
    /// serves.
    fn like(&mut self, column: &Column, pattern: Value<'_>) -> String {
        let Value::String(pattern) = pattern else { return NONE.to_owned() };
        let pattern = self.parameters.text(&String::from_utf8_lossy(pattern));
        let field = column.field();
        format!("({field} OPERATOR(pg_catalog.~~) {pattern} COLLATE pg_catalog.\"C\")")
    }

    /// That a column is one of these values.
    fn equal(&mut self, column: ScalarColumn<'_>, among: &[(Stored<'_>, String)]) -> String {
        let field = column.column.field();
        let equals = &column.operators[Comparison::Equal as usize];
        let (mut any, mut own) = (Vec::new(), Vec::new());
        for (value, pointer) in among {
            match value.value() {
                Value::Null => any.push(format!("{field} IS NULL")),
                value => match self.comparand(column, value, pointer) {
                    Some(Comparand::Own(value)) => own.push(value),
                    // No integer is that.
                    Some(Comparand::Numeric(_)) if column.scalar == Scalar::Integer => {}
                    Some(Comparand::Numeric(value)) => {
                        let value = self.parameters.stored(pg_sys::NUMERICOID, &value);
                        any.push(format!("{field} {equals} {value}"));
                    }
                    Some(Comparand::Time(time_type, value)) => {
                        let value = self.parameters.datum(time_type, Some(value));
                        any.push(format!("{field} {equals} {value}"));
                    }
                    None => {}
                },
            }
        }
        let type_oid = column.column.type_oid;
        let array = if own.len() > 1 { input::array(type_oid, &mut own) } else { None };
        match array {
            Some((array_type, array)) => {
                let array = self.parameters.datum(array_type, Some(array));
                any.push(format!("{field} {equals} ANY ({array})"));
            }
            None => {
                for value in own {
                    let value = self.parameters.datum(type_oid, Some(value));
                    any.push(format!("{field} {equals} {value}"));
                }
            }
        }
        match any.len() {
            0 => NONE.to_owned(),
            _ => format!("({})", any.join(" OR ")),
        }
    }

    fn ordered(
        &mut self,
        column: ScalarColumn<'_>,
        comparison: Comparison,
        operand: Stored<'_>,
        pointer: &str,
    ) -> String {
        let (field, operator) = (column.column.field(), &column.operators[comparison as usize]);
        match self.comparand(column, operand.value(), pointer) {
            Some(Comparand::Own(value)) => {
                let value = self.parameters.datum(column.column.type_oid, Some(value));
                format!("({field} {operator} {value})")
            }
            Some(Comparand::Numeric(value)) => {
                let value = self.parameters.stored(pg_sys::NUMERICOID, &value);
                format!("({field}::pg_catalog.numeric {operator} {value})")
            }
            Some(Comparand::Time(time_type, value)) => {
                let value = self.parameters.datum(time_type, Some(value));
                format!("({field} {operator} {value})")
            }
            None => NONE.to_owned(),
        }
    }

    /// A value of the filter as one of the column's type. None if it is not one, which is noted.
    fn comparand(
        &mut self,
        column: ScalarColumn<'_>,
        value: Value<'_>,
        pointer: &str,
    ) -> Option<Comparand> {
        if let Some(time_type) = column.time_type()
            && let Some(moment) = dates::read(value)
        {
            // What is wrong with it, the filter itself tells.
            let micros = moment.ok()?.micros;
            return Some(Comparand::Time(time_type, pg_sys::Datum::from(micros)));
        }
        let ScalarColumn { column, scalar, .. } = column;
        let text = match (scalar, value) {
            (Scalar::Integer, Value::Number(number)) => {
                let whole = to_integer(number).map(|whole| whole.to_string());
                let own = whole.and_then(|whole| input::read(column.type_oid, &whole).ok());
                return Some(match own {
                    Some(own) => Comparand::Own(own),
                    None => Comparand::Numeric(number.to_vec()),
                });
            }
            (Scalar::Number, Value::Number(number)) => match plain_decimal(number) {
                Some(text) => text,
                None if column.type_oid == pg_sys::NUMERICOID => {
                    return Some(Comparand::Numeric(number.to_vec()));
                }
                None => {
                    self.problem(pointer, format!("out of range for type {}", column.type_name));
                    return None;
                }
            },
            (Scalar::Number, Value::String(text @ (b"NaN" | b"Infinity" | b"-Infinity")))
            | (Scalar::String, Value::String(text)) => String::from_utf8_lossy(text).into_owned(),
            (Scalar::Boolean, Value::Boolean(value)) => value.to_string(),
            (_, value) => {
                let wanted = match scalar {
                    Scalar::Integer | Scalar::Number => "a number",
                    Scalar::Boolean => "true or false",
                    Scalar::String => "a string",
                };
                let hint = match value {
                    Value::Container(list) if !list.is_object() => {
                        "; one of several values is {\"$in\": […]}"
                    }
                    _ => "",
                };
                let problem = format!(
                    "must be {wanted} for a column of type {}, not {}{hint}",
                    column.type_name,
                    if dates::is_date(value) { "a time" } else { Kind::of(value).name() }
                );
                self.problem(pointer, problem);
                return None;
            }
        };
        match input::read(column.type_oid, &text) {
            Ok(value) => Some(Comparand::Own(value)),
            Err(problem) => {
                self.problem(pointer, problem);
                None
            }
        }
    }

    /// A test of what lies within a document, which an index over the column may serve.
    fn member_test(
        &mut self,
        test: &ColumnTest<'_>,
        column: &Column,
        within: &[Vec<u8>],
    ) -> String {
        let (field, listed) = (column.field(), listed(test, within));
        let probe = Filter::read(&listed[4..]).ok().and_then(|filter| filter.probe());
        let probe = probe.map(|probe| {
            let path = self.parameters.text(&probe.path);
            let sql = format!("{field} OPERATOR(pg_catalog.@?) {path}::pg_catalog.jsonpath");
            (sql, probe.exact)
        });
        match probe {
            Some((sql, true)) => format!("({sql})"),
            probe => {
                self.call_functions = true;
                let filter = self.parameters.stored(pg_sys::JSONBOID, &listed);
                // Of a document that is not there all members are missing.
                let decides = format!(
                    "kepler.json_matches(COALESCE({field}, 'null'::pg_catalog.jsonb), {filter})"
                );
                match probe {
                    Some((sql, _)) => format!("({sql} AND {decides})"),
                    None => decides,
                }
            }
        }
    }

    /// A test that `kepler.json_matches` makes on the column as a member of a document.
    fn document_test(&mut self, test: &ColumnTest<'_>, column: &Column) -> String {
        self.call_functions = true;
        let name = self.parameters.text(&column.name);
        let filter = self.parameters.stored(pg_sys::JSONBOID, &listed(test, test.path.parts()));
        format!(
            "kepler.json_matches(pg_catalog.jsonb_build_object({name}, {}), {filter})",
            column.field()
        )
    }

    fn document(&mut self, write: impl FnOnce(&mut Builder)) -> String {
        self.parameters.stored(pg_sys::JSONBOID, &built(write))
    }
}

impl Column {
    /// Its values, of a domain those of the type that it is over.
    pub(super) fn field(&self) -> String {
        match &self.base {
            Some(base) => format!("e.{}::{base}", quote(&self.name)),
            None => format!("e.{}", quote(&self.name)),
        }
    }
}

impl ScalarColumn<'_> {
    /// The type that a time has to have, to be compared with the column; None where that holds no times.
    fn time_type(self) -> Option<pg_sys::Oid> {
        match self.column.type_oid {
            pg_sys::TIMESTAMPTZOID => Some(pg_sys::TIMESTAMPTZOID),
            pg_sys::TIMESTAMPOID | pg_sys::DATEOID => Some(pg_sys::TIMESTAMPOID),
            _ => None,
        }
    }
}

/// Whether an operand is a time, or times are among its elements.
fn has_date(operand: Stored<'_>) -> bool {
    dates::is_date(operand.value())
        || elements(operand, "").iter().any(|(element, _)| dates::is_date(element.value()))
}

/// The elements of an array in the filter, with their pointers.
fn elements<'f>(operand: Stored<'f>, pointer: &str) -> Vec<(Stored<'f>, String)> {
    match operand.value() {
        Value::Container(list) if !list.is_object() => {
            list.elements().enumerate().map(|(at, e)| (e, format!("{pointer}/{at}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// A `jsonb` datum. What is written is a part of one, and not larger.
fn built(write: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let (mut builder, mut datum) = (Builder::default(), Vec::new());
    write(&mut builder);
    if builder.finish(&mut datum).is_err() {
        datum.clear();
    }
    datum
}

/// A test as a filter of its own: `[{"op", "path", "value"}]`.
fn listed(test: &ColumnTest<'_>, path: &[Vec<u8>]) -> Vec<u8> {
    built(|builder| {
        builder.open_array();
        builder.open_object();
        builder.key(b"op");
        string(builder, test.operator);
        builder.key(b"path");
        builder.open_array();
        for key in path {
            string(builder, key);
        }
        let _ = builder.close();
        builder.key(b"value");
        match (test.options, test.operand.value()) {
            ([_, ..], Value::String(expression)) => {
                let flags = [b"(?".as_slice(), test.options, b")", expression].concat();
                string(builder, &flags);
            }
            _ => builder.copy(test.operand.kind, test.operand.bytes),
        }
        let _ = builder.close();
        let _ = builder.close();
    })
}

fn string(builder: &mut Builder, text: &[u8]) {
    let written: Result<(), std::convert::Infallible> = builder.string_with(|out| {
        out.extend_from_slice(text);
        Ok(())
    });
    let Ok(()) = written;
}
