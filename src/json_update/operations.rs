//! The operations document, read and checked.
//!
//! Two spellings: `{"$set": {"a.b": 1}, "$inc": {"n": 1}}`, where paths are keys and dots divide them,
//! and `[{"op": "$set", "path": ["a.b"], "value": 1}]`, whose paths may be arrays, for keys that hold
//! dots or begin with `$`. All that is wrong is noted, each with a JSON Pointer into the document.

use super::array::{self, Push};
use super::current_date;
use super::error::JsonUpdateError;
use crate::filter::conditions::ElementCondition;
use crate::filter::read::read_element;
use crate::json_operators::comparison::{Set, read_set};
use crate::json_operators::path::{Path, pointer_token};
use crate::json_operators::reading::{Operand, Reading};
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::number::{plain_decimal, to_integer};
use crate::jsonb::order::Kind;
use crate::jsonb::view::{Container, Stored, Value};
use crate::poll;

/// What is to be done, sorted by path; no path leads to or through another.
#[derive(Debug)]
pub(crate) struct Operations {
    /// The document itself, behind the length word. Operands are places in it.
    bytes: Vec<u8>,
    list: Vec<Operation>,
    /// Where each `$rename` takes its value from, and where to.
    pub(crate) renames: Vec<(Path, Path, String)>,
}

/// One operator at one path.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) path: Path,
    pub(crate) action: Action,
    /// The operation as a JSON Pointer into the document.
    pub(crate) pointer: String,
}

#[derive(Debug)]
pub(crate) enum Action {
    Set(Operand),
    SetOnInsert(Operand),
    Unset,
    /// A number to add.
    Increment(Operand),
    /// A number to multiply with.
    Multiply(Operand),
    Minimum(Operand),
    Maximum(Operand),
    Push(Push),
    AddToSet(Vec<Operand>),
    /// Takes the first element away, or the last.
    Pop {
        first: bool,
    },
    Pull(ElementCondition),
    PullAll(Set),
    /// What is done to the bits of a whole number.
    Bits(Bits, i64),
    /// By its place in `renames`.
    RenameFrom,
    RenameTo(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bits {
    And,
    Or,
    Xor,
}

pub(crate) const OPERATORS: &str = "$set, $unset, $inc, $mul, $min, $max, $bit, $rename, $push, $pop, \
                                    $addToSet, $pull, $pullAll, $currentDate, $setOnInsert";

impl Operations {
    /// Reads the datum whose bytes behind the length word are `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, JsonUpdateError> {
        let bytes = bytes.to_vec();
        let mut reader =
            Reader { reading: Reading::of(&bytes), list: Vec::new(), renames: Vec::new() };
        let root = Container::root(&bytes);
        if root.value().is_deeper_than(MAX_DEPTH) {
            return Err(JsonUpdateError::Invalid(vec![format!(
                "nested deeper than {MAX_DEPTH} levels"
            )]));
        }
        match root.value() {
            Value::Container(root) if root.is_object() => reader.by_operator(root),
            Value::Container(root) => reader.one_by_one(root),
            other => reader.reading.problems.push(format!(
                "it must be a JSON object ({{\"$set\": {{…}}}}) or array ([{{\"op\", \"path\", \
                 \"value\"}}]), not {}",
                Kind::of(other).name()
            )),
        }
        reader.find_conflicts();
        let Reader { list, renames, reading: Reading { problems, .. } } = reader;
        if problems.is_empty() {
            Ok(Self { bytes, list, renames })
        } else {
            Err(JsonUpdateError::Invalid(problems))
        }
    }

    /// Whether they were read from these bytes.
    pub(crate) fn are_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }

    pub(crate) fn list(&self) -> &[Operation] {
        &self.list
    }

    pub(crate) fn stored(&self, operand: Operand) -> Stored<'_> {
        operand.stored(&self.bytes)
    }

    /// The document, in which operands are places.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn value(&self, operand: Operand) -> Value<'_> {
        self.stored(operand).value()
    }
}

/// See [`Operations::read`].
pub(super) struct Reader {
    reading: Reading,
    list: Vec<Operation>,
    renames: Vec<(Path, Path, String)>,
}

impl Reader {
    /// As [`Reading::operand`].
    pub(super) fn operand(&self, stored: Stored<'_>) -> Operand {
        self.reading.operand(stored)
    }

    /// As [`Reading::problem`].
    pub(super) fn problem(&mut self, pointer: &str, problem: impl std::fmt::Display) {
        self.reading.problem(pointer, problem);
    }

    /// As [`Reading::wanted`].
    pub(super) fn wanted(&mut self, pointer: &str, what: &str, found: Value<'_>) {
        self.reading.wanted(pointer, what, found);
    }

    fn by_operator(&mut self, root: Container<'_>) {
        for (name, members) in root.pairs() {
            let pointer = pointer_token(name);
            if !is_operator(name) {
                self.unknown(&pointer, name);
                continue;
            }
            let Value::Container(members) = members.value() else {
                self.wanted(&pointer, "an object of paths and values", members.value());
                continue;
            };
            if !members.is_object() {
                self.wanted(&pointer, "an object of paths and values", Value::Container(members));
                continue;
            }
            for (path, value) in members.pairs() {
                let pointer = format!("{pointer}{}", pointer_token(path));
                match Path::dotted(path) {
                    Ok(path) => self.operation(name, path, Some(value), pointer),
                    Err(problem) => self.problem(&pointer, problem),
                }
            }
        }
    }

    fn one_by_one(&mut self, root: Container<'_>) {
        for (at, element) in root.elements().enumerate() {
            let pointer = format!("/{at}");
            let members = match element.value() {
                Value::Container(members) if members.is_object() => members,
                other => {
                    self.wanted(&pointer, "an object {\"op\", \"path\", \"value\"}", other);
                    continue;
                }
            };
            let (mut name, mut path, mut operand) = (None, None, None);
            for (key, value) in members.pairs() {
                match key {
                    b"op" => name = Some(value.value()),
                    b"path" => path = Some(value.value()),
                    b"value" => operand = Some(value),
                    _ => self.problem(
                        &format!("{pointer}{}", pointer_token(key)),
                        "unknown member (known: op, path and value)",
                    ),
                }
            }
            let name = match name {
                Some(Value::String(name)) if is_operator(name) => name,
                Some(Value::String(name)) => {
                    self.unknown(&format!("{pointer}/op"), name);
                    continue;
                }
                Some(other) => {
                    self.wanted(&format!("{pointer}/op"), "the name of an operator", other);
                    continue;
                }
                None => {
                    self.problem(&pointer, "op is missing");
                    continue;
                }
            };
            match path.map(Path::read) {
                None => self.problem(&pointer, "path is missing"),
                Some(Err(problem)) => self.problem(&format!("{pointer}/path"), problem),
                Some(Ok(path)) => self.operation(name, path, operand, pointer),
            }
        }
    }

    fn unknown(&mut self, pointer: &str, name: &[u8]) {
        let name = String::from_utf8_lossy(name);
        self.problem(pointer, format!("\"{name}\" is not an operator (known: {OPERATORS})"));
    }

    fn operation(&mut self, name: &[u8], path: Path, value: Option<Stored<'_>>, pointer: String) {
        poll::check();
        let Some(stored) = value else {
            if name == b"$unset" {
                self.list.push(Operation { path, action: Action::Unset, pointer });
            } else {
                self.problem(&pointer, "value is missing");
            }
            return;
        };
        let (operand, value) = (self.operand(stored), stored.value());
        let action = match name {
            b"$unset" => Some(Action::Unset),
            b"$set" => self.fitting(&path, 0, stored, &pointer).then_some(Action::Set(operand)),
            b"$setOnInsert" => {
                self.fitting(&path, 0, stored, &pointer).then_some(Action::SetOnInsert(operand))
            }
            b"$inc" | b"$mul" => match value {
                Value::Number(_) if name == b"$inc" => Some(Action::Increment(operand)),
                Value::Number(_) => Some(Action::Multiply(operand)),
                other => {
                    self.wanted(&pointer, "a number", other);
                    None
                }
            },
            b"$min" | b"$max" => match value {
                Value::Number(_) | Value::String(_) if name == b"$min" => {
                    Some(Action::Minimum(operand))
                }
                Value::Number(_) | Value::String(_) => Some(Action::Maximum(operand)),
                other => {
                    self.wanted(&pointer, "a number or a string", other);
                    None
                }
            },
            b"$push" => array::read_push(self, &path, stored, &pointer).map(Action::Push),
            b"$addToSet" => array::read_each(self, &path, stored, &pointer).map(Action::AddToSet),
            b"$pop" => match value {
                Value::Number(number) if matches!(to_integer(number), Some(1 | -1)) => {
                    Some(Action::Pop { first: to_integer(number) == Some(-1) })
                }
                _ => {
                    self.problem(&pointer, "must be 1, for the last element, or -1, for the first");
                    None
                }
            },
            b"$pullAll" => read_set(&mut self.reading, value, &pointer).map(Action::PullAll),
            b"$bit" => self.bits(value, &pointer),
            current_date::NAME => self.current_date(value, &pointer),
            b"$pull" => read_element(&mut self.reading, stored, &pointer).map(Action::Pull),
            _ => return self.rename(path, value, pointer),
        };
        if let Some(action) = action {
            self.list.push(Operation { path, action, pointer });
        }
    }

    /// `{"and": 5}`, also with `or` and `xor`. Several at once would have an order, which `jsonb` does not keep.
    fn bits(&mut self, value: Value<'_>, pointer: &str) -> Option<Action> {
        let member = match value {
            Value::Container(members) if members.is_object() && members.count() == 1 => {
                members.pairs().next()
            }
            _ => None,
        };
        let (bits, operand) = match member {
            Some((b"and", value)) => (Bits::And, value),
            Some((b"or", value)) => (Bits::Or, value),
            Some((b"xor", value)) => (Bits::Xor, value),
            _ => {
                let problem = "must be an object with one of and, or and xor, as in {\"or\": 4}";
                self.problem(pointer, problem);
                return None;
            }
        };
        if let Value::Number(number) = operand.value()
            && let Some(number) = whole_64_bits(number)
        {
            return Some(Action::Bits(bits, number));
        }
        self.problem(pointer, "must be a whole number of 64 bits");
        None
    }

    fn current_date(&mut self, value: Value<'_>, pointer: &str) -> Option<Action> {
        if let Value::Container(object) = value
            && object.is_object()
            && object.count() == 2
            && let Some(at) = object.find(current_date::AT).ok()
        {
            return object.element(at).map(|time| Action::Set(self.operand(time)));
        }
        if current_date::asks_for_date(value) {
            self.problem(
                pointer,
                "needs a clock, which update_document and upsert_document have; json_update has none: \
                 pass the time with $set",
            );
        } else {
            self.wanted(pointer, "true or {\"$type\": \"date\"}", value);
        }
        None
    }

    fn rename(&mut self, from: Path, to: Value<'_>, pointer: String) {
        match Path::read(to) {
            Err(problem) => self.problem(&pointer, format!("the new name: {problem}")),
            Ok(to) => {
                let rename = Action::RenameTo(self.renames.len());
                self.renames.push((from.clone(), to.clone(), pointer.clone()));
                let pointer_to = pointer.clone();
                self.list.push(Operation { path: from, action: Action::RenameFrom, pointer });
                self.list.push(Operation { path: to, action: rename, pointer: pointer_to });
            }
        }
    }

    /// Complains where a value would be too deep at its place. `below`: levels between the two.
    pub(super) fn fitting(
        &mut self,
        path: &Path,
        below: usize,
        value: Stored<'_>,
        pointer: &str,
    ) -> bool {
        let room = MAX_DEPTH.saturating_sub(path.parts().len() + below);
        let fits = !value.value().is_deeper_than(room);
        if !fits {
            self.problem(
                pointer,
                format!("the document would be nested deeper than {MAX_DEPTH} levels"),
            );
        }
        fits
    }

    /// Sorts the operations. Those below a path, and those at the same, stand right behind it.
    fn find_conflicts(&mut self) {
        self.list.sort_by(|a, b| a.path.cmp(&b.path));
        let mut above = 0;
        for at in 1..self.list.len() {
            let (first, second) = (&self.list[above], &self.list[at]);
            if second.path.starts_with(&first.path) {
                let problem = if first.pointer == second.pointer {
                    format!(
                        "{}: {} and {} are in conflict",
                        first.pointer,
                        first.path.show(),
                        second.path.show()
                    )
                } else {
                    format!(
                        "{}: {} is in conflict with {} of {}",
                        second.pointer,
                        second.path.show(),
                        first.path.show(),
                        first.pointer
                    )
                };
                self.reading.problems.push(problem);
            } else {
                above = at;
            }
        }
    }
}

/// A `numeric` that is a whole number of 64 bits.
pub(super) fn whole_64_bits(datum: &[u8]) -> Option<i64> {
    plain_decimal(datum)?.parse().ok()
}

fn is_operator(name: &[u8]) -> bool {
    str::from_utf8(name).is_ok_and(|name| OPERATORS.split(", ").any(|known| known == name))
}
