//! Finds what operations change in a document, in one walk along their paths.
//!
//! The operations are sorted as the keys of a `jsonb` are, and no path leads through another. So the
//! walk takes the operations below each key together, and leaves the rest of the document unread.

use super::array;
use super::error::{JsonUpdateError, Misfit, Reason};
use super::operations::{Action, Bits, Operation, Operations, whole_64_bits};
use crate::json_operators::path::{index, show};
use crate::json_operators::reading::Operand;
use crate::jsonb::builder::TooLarge;
use crate::jsonb::decimal::{append_product, append_sum};
use crate::jsonb::number::OutOfRange;
use crate::jsonb::order::{self, Kind};
use crate::jsonb::rewrite::{self, Changed, Edit, Piece};
use crate::jsonb::view::{Container, Stored, Value};
use crate::jsonb::{MAX_DEPTH, entry, number};

/// An index may lie so far behind the end of an array: the places between are filled with null.
pub(crate) const MAX_PADDING: usize = 1_500;

const NULL: Stored<'static> = Stored { kind: entry::NULL, bytes: &[] };

/// Applies the operations to the datum whose bytes behind the length word are `document`, and writes
/// the new datum to `out`. Gives false, and writes nothing, if the document stays what it is.
///
/// `inserting`: the document is new, and `$setOnInsert` counts.
pub(crate) fn apply(
    operations: &Operations,
    document: &[u8],
    inserting: bool,
    out: &mut Vec<u8>,
) -> Result<bool, JsonUpdateError> {
    match changes(operations, document, inserting)? {
        None => Ok(false),
        Some(changed) => {
            rewrite::write(&changed, out).map_err(|TooLarge| JsonUpdateError::TooLarge)?;
            Ok(true)
        }
    }
}

/// Whether the operations would change the document.
pub(crate) fn would_change(
    operations: &Operations,
    document: &[u8],
) -> Result<bool, JsonUpdateError> {
    Ok(changes(operations, document, false)?.is_some())
}

fn changes<'a>(
    operations: &'a Operations,
    document: &'a [u8],
    inserting: bool,
) -> Result<Option<Changed<'a>>, JsonUpdateError> {
    let root = Container::root(document);
    let mut walk = Walk { operations, inserting, moved: Vec::new(), misfits: Vec::new() };
    walk.find_moved(root);
    let scalar = root.elements().next().filter(|_| root.is_scalar());
    let current = scalar.unwrap_or(root.stored());
    let piece = match operations.list() {
        [] => None,
        list => walk.below(list, 0, Some(current)),
    };
    match piece {
        _ if !walk.misfits.is_empty() => Err(JsonUpdateError::Unfit(walk.misfits)),
        Some(Piece::Changed(changed)) => Ok(Some(changed)),
        _ => Ok(None),
    }
}

/// What becomes of a value.
enum Fate<'a> {
    Same,
    Gone,
    New(Piece<'a>),
}

struct Walk<'a> {
    operations: &'a Operations,
    inserting: bool,
    /// What each `$rename` moves, if it is there.
    moved: Vec<Option<Stored<'a>>>,
    misfits: Vec<Misfit>,
}

impl<'a> Walk<'a> {
    fn misfit(&mut self, reason: Reason, pointer: &str, message: String) {
        self.misfits.push(Misfit { reason, pointer: pointer.to_owned(), message });
    }

    /// Looks up what `$rename` moves.
    fn find_moved(&mut self, root: Container<'a>) {
        for (from, to, pointer) in &self.operations.renames {
            let mut at = if root.is_scalar() { None } else { Some(root.stored()) };
            for (depth, key) in from.parts().iter().enumerate() {
                let Some(Value::Container(container)) = at.map(Stored::value) else {
                    at = None;
                    break;
                };
                if !container.is_object() {
                    let message = format!(
                        "{} is an array, and its elements cannot be renamed",
                        show(&from.parts()[..depth])
                    );
                    self.misfit(Reason::Subscript, pointer, message);
                    at = None;
                    break;
                }
                at = container.find(key).ok().and_then(|found| container.element(found));
            }
            let room = MAX_DEPTH.saturating_sub(to.parts().len());
            if at.is_some_and(|moved| moved.value().is_deeper_than(room)) {
                let message =
                    format!("the document would be nested deeper than {MAX_DEPTH} levels");
                self.misfit(Reason::TooDeep, pointer, message);
            }
            self.moved.push(at);
        }
    }

    /// What operations make of the value to which the first `depth` keys of their paths lead; None if
    /// it stays as it is. Recursion is bounded by the length of a path.
    fn below(
        &mut self,
        list: &'a [Operation],
        depth: usize,
        current: Option<Stored<'a>>,
    ) -> Option<Piece<'a>> {
        let base = match current.map(Stored::value) {
            None => None,
            Some(Value::Container(container)) => Some(container),
            Some(scalar) => {
                for operation in list {
                    if !self.creates(operation) {
                        continue;
                    }
                    let place = match &operation.path.parts()[..depth] {
                        [] => "the document".to_owned(),
                        parts => show(parts),
                    };
                    let key = String::from_utf8_lossy(&operation.path.parts()[depth]);
                    let kind = Kind::of(scalar).name();
                    let message = format!("{place} is {kind}, so there can be no \"{key}\" in it");
                    self.misfit(Reason::InTheWay, &operation.pointer, message);
                }
                return None;
            }
        };
        let object = base.is_none_or(Container::is_object);
        let mut edits: Vec<Edit<'a>> = Vec::new();
        // How long the array is with the edits so far.
        let mut length = base.map_or(0, Container::count);
        for group in list.chunk_by(|a, b| a.path.parts()[depth] == b.path.parts()[depth]) {
            let key = &group[0].path.parts()[depth];
            let place = match base {
                None => Some(Err(0)),
                Some(base) if object => Some(base.find(key)),
                Some(base) => self.element_place(group, depth, base, key),
            };
            let Some(place) = place else { continue };
            let current = match (place, base) {
                (Ok(at), Some(base)) => base.element(at),
                _ => None,
            };
            let fate = match group {
                [operation] if operation.path.parts().len() == depth + 1 => {
                    self.act(operation, current)
                }
                _ => self.below(group, depth + 1, current).map_or(Fate::Same, Fate::New),
            };
            let piece = match fate {
                Fate::Same => continue,
                Fate::Gone if current.is_none() => continue,
                // An element that goes would shift the others.
                Fate::Gone if !object && matches!(current, Some(s) if s.kind == entry::NULL) => {
                    continue;
                }
                Fate::Gone if !object => Some(Piece::Stored(NULL)),
                Fate::Gone => None,
                Fate::New(piece) => Some(piece),
            };
            let (at, found) = match place {
                Ok(at) => (at, true),
                Err(at) => (at, false),
            };
            if object {
                edits.push(Edit { key, at, found, piece });
                continue;
            }
            let count = base.map_or(0, Container::count);
            let filler =
                || Edit { key: &[], at: count, found: false, piece: Some(Piece::Stored(NULL)) };
            while length < at {
                edits.push(filler());
                length += 1;
            }
            if !found {
                length += 1;
            }
            edits.push(Edit { key: &[], at: at.min(count), found, piece });
        }
        if edits.is_empty() {
            return None;
        }
        Some(Piece::Changed(Changed { object, base, edits }))
    }

    /// The place of an element, or behind the end; None where there can be none.
    fn element_place(
        &mut self,
        group: &'a [Operation],
        depth: usize,
        array: Container<'a>,
        key: &[u8],
    ) -> Option<Result<usize, usize>> {
        let count = array.count();
        let at = index(key);
        let problem = match at {
            Some(at) if at < count => None,
            Some(at) if at - count <= MAX_PADDING => None,
            Some(_) => Some(format!(
                "has {count} elements, and no more than {MAX_PADDING} are filled up with null"
            )),
            None => Some(format!(
                "is an array, and \"{}\" is not an index (0, 1, 2, …)",
                String::from_utf8_lossy(key)
            )),
        };
        for operation in group {
            let place = match &operation.path.parts()[..depth] {
                [] => "the document".to_owned(),
                parts => show(parts),
            };
            if let Some(problem) = &problem
                && self.creates(operation)
            {
                self.misfit(Reason::Subscript, &operation.pointer, format!("{place} {problem}"));
            } else if matches!(operation.action, Action::RenameTo(_)) && self.creates(operation) {
                let message = format!("{place} is an array, and nothing can be renamed into it");
                self.misfit(Reason::Subscript, &operation.pointer, message);
            }
        }
        let at = at.filter(|_| problem.is_none())?;
        Some(if at < count { Ok(at) } else { Err(at) })
    }

    /// Whether an operation puts something where nothing is. The others find nothing to do there.
    fn creates(&self, operation: &Operation) -> bool {
        match operation.action {
            Action::Unset
            | Action::Pop { .. }
            | Action::Pull(_)
            | Action::PullAll(_)
            | Action::RenameFrom => false,
            Action::SetOnInsert(_) => self.inserting,
            Action::RenameTo(rename) => self.moved[rename].is_some(),
            _ => true,
        }
    }

    /// One operation at the end of its path.
    fn act(&mut self, operation: &'a Operation, current: Option<Stored<'a>>) -> Fate<'a> {
        let all = self.operations;
        let value = current.map(Stored::value);
        match &operation.action {
            Action::Set(operand) => set(all.stored(*operand), value),
            Action::SetOnInsert(operand) if self.inserting => set(all.stored(*operand), value),
            Action::SetOnInsert(_) => Fate::Same,
            Action::Unset => Fate::Gone,
            Action::RenameFrom => Fate::Gone,
            Action::RenameTo(rename) => {
                self.moved[*rename].map_or(Fate::Same, |moved| set(moved, value))
            }
            Action::Increment(operand) | Action::Multiply(operand) => {
                self.reckon(operation, *operand, value)
            }
            Action::Minimum(operand) | Action::Maximum(operand) => {
                self.limit(operation, *operand, value)
            }
            Action::Push(push) => match self.array(operation, value) {
                Err(()) => Fate::Same,
                Ok(array) => {
                    let elements = push.apply(all, array);
                    let same = array.is_some_and(|array| {
                        array.count() == elements.len()
                            && array
                                .elements()
                                .zip(&elements)
                                .all(|(a, b)| order::equal(a.value(), b.value()))
                    });
                    if same { Fate::Same } else { Fate::New(Piece::Array(elements)) }
                }
            },
            Action::AddToSet(each) => match self.array(operation, value) {
                Err(()) => Fate::Same,
                Ok(array) => array::add_to_set(all, each, array)
                    .map_or(Fate::Same, |elements| Fate::New(Piece::Array(elements))),
            },
            Action::Pop { first } => match self.array(operation, value) {
                Ok(Some(array)) if array.count() > 0 => {
                    let mut elements: Vec<_> = array.elements().collect();
                    if *first {
                        elements.remove(0);
                    } else {
                        elements.pop();
                    }
                    Fate::New(Piece::Array(elements))
                }
                _ => Fate::Same,
            },
            Action::PullAll(values) => match self.array(operation, value) {
                Err(()) | Ok(None) => Fate::Same,
                Ok(Some(array)) => array::kept(array, |element| !values.has(all.bytes(), element))
                    .map_or(Fate::Same, |elements| Fate::New(Piece::Array(elements))),
            },
            Action::Bits(bits, operand) => self.bits(operation, (*bits, *operand), value),
            Action::Pull(condition) => match self.array(operation, value) {
                Err(()) | Ok(None) => Fate::Same,
                Ok(Some(array)) => array::pull(all, condition, array)
                    .map_or(Fate::Same, |elements| Fate::New(Piece::Array(elements))),
            },
        }
    }

    fn array(
        &mut self,
        operation: &Operation,
        value: Option<Value<'a>>,
    ) -> Result<Option<Container<'a>>, ()> {
        match value {
            None => Ok(None),
            Some(Value::Container(array)) if !array.is_object() => Ok(Some(array)),
            Some(other) => {
                let message = format!(
                    "{} is {}, not an array",
                    operation.path.show(),
                    Kind::of(other).name()
                );
                self.misfit(Reason::NoArray, &operation.pointer, message);
                Err(())
            }
        }
    }

    /// `$inc` and `$mul`.
    fn reckon(
        &mut self,
        operation: &'a Operation,
        operand: Operand,
        value: Option<Value<'a>>,
    ) -> Fate<'a> {
        let adds = matches!(operation.action, Action::Increment(_));
        let stored = self.operations.stored(operand);
        let mut result = Vec::new();
        let reckoned = match value {
            None if adds => return Fate::New(Piece::Stored(stored)),
            None => number::append_numeric(b"0", &mut result),
            Some(Value::Number(old)) if adds => append_sum(old, stored.bytes, &mut result),
            Some(Value::Number(old)) => append_product(old, stored.bytes, &mut result),
            Some(other) => {
                let message = format!(
                    "{} is {}, not a number",
                    operation.path.show(),
                    Kind::of(other).name()
                );
                self.misfit(Reason::NoNumber, &operation.pointer, message);
                return Fate::Same;
            }
        };
        if let Err(OutOfRange) = reckoned {
            let what = if adds { "sum" } else { "product" };
            let message =
                format!("the {what} for {} is out of the range of numeric", operation.path.show());
            self.misfit(Reason::OutOfRange, &operation.pointer, message);
            return Fate::Same;
        }
        match value {
            Some(Value::Number(old)) if number::compare(old, &result).is_eq() => Fate::Same,
            _ => Fate::New(Piece::Number(result)),
        }
    }

    /// `$bit`. Of what is not there: of 0.
    fn bits(
        &mut self,
        operation: &'a Operation,
        (bits, operand): (Bits, i64),
        value: Option<Value<'a>>,
    ) -> Fate<'a> {
        let old = match value {
            None => Some(0),
            Some(Value::Number(number)) => whole_64_bits(number),
            Some(_) => None,
        };
        let Some(old) = old else {
            let found = value.map_or("nothing", |value| Kind::of(value).name());
            let message =
                format!("{} is {found}, not a whole number of 64 bits", operation.path.show());
            self.misfit(Reason::NoNumber, &operation.pointer, message);
            return Fate::Same;
        };
        let new = match bits {
            Bits::And => old & operand,
            Bits::Or => old | operand,
            Bits::Xor => old ^ operand,
        };
        if value.is_some() && new == old {
            return Fate::Same;
        }
        let mut number = Vec::new();
        match number::append_numeric(new.to_string().as_bytes(), &mut number) {
            Ok(()) => Fate::New(Piece::Number(number)),
            Err(OutOfRange) => Fate::Same,
        }
    }

    /// `$min` and `$max`.
    fn limit(
        &mut self,
        operation: &'a Operation,
        operand: Operand,
        value: Option<Value<'a>>,
    ) -> Fate<'a> {
        let stored = self.operations.stored(operand);
        let Some(old) = value else { return Fate::New(Piece::Stored(stored)) };
        let (kind, wanted) = (Kind::of(old), Kind::of(stored.value()));
        if kind != wanted {
            let message = format!(
                "{} is {}, and cannot be compared with {}",
                operation.path.show(),
                kind.name(),
                wanted.name()
            );
            self.misfit(Reason::OtherKind, &operation.pointer, message);
            return Fate::Same;
        }
        let order = order::compare(stored.value(), old);
        let takes = match operation.action {
            Action::Minimum(_) => order.is_lt(),
            _ => order.is_gt(),
        };
        if takes { Fate::New(Piece::Stored(stored)) } else { Fate::Same }
    }
}

/// A value in the place of another. Equal ones leave the document as it is.
fn set<'a>(new: Stored<'a>, old: Option<Value<'a>>) -> Fate<'a> {
    match old {
        Some(old) if order::equal(old, new.value()) => Fate::Same,
        _ => Fate::New(Piece::Stored(new)),
    }
}
