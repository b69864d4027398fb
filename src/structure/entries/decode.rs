//! Reads the elements of a batch straight into columns, in one pass over the text.

use super::validator::{Column, Filling, Validator};
use crate::answer::{Code, Problem, Violation};
use crate::batch;
use crate::field_types::scalar::Scratch;
use crate::field_types::stored::compare;
use crate::json::shorten;
use crate::jsonb::elements::Place;
use crate::jsonb::scan::Unbalanced;
use crate::pg::array::Array;
use std::ops::Range;

/// What is made of a field that an element does not have.
pub(crate) enum Absent<'f> {
    /// A new entry: the default.
    Filled(&'f mut dyn FnMut(&Column, &mut Array)),
    /// A change: what is stored stays, except in these columns, which say what is meant.
    Kept { key: &'f [u16] },
}

/// Elements that are valid by themselves, a column each.
pub(crate) struct Rows {
    pub(crate) columns: Vec<Array>,
    /// Of each row, a bit for each column that the element has; kept for changes only.
    given: Vec<u64>,
    /// The place of each row's element in the batch.
    pub(crate) elements: Vec<u32>,
    /// Values that are no references to secrets, by row and column: what is stored may be left as it is.
    pub(crate) doubtful: Vec<(u32, u16, Problem)>,
}

impl Rows {
    pub(crate) fn new(validator: &Validator) -> Self {
        let columns = validator.columns.iter().map(|column| Array::new(column.element)).collect();
        Self { columns, given: Vec::new(), elements: Vec::new(), doubtful: Vec::new() }
    }

    pub(crate) fn count(&self) -> usize {
        self.elements.len()
    }

    pub(crate) fn size(&self) -> usize {
        self.columns.iter().map(Array::size).sum()
    }

    fn words(&self) -> usize {
        self.columns.len().div_ceil(64)
    }

    /// Whether the element of a row has the column; of new entries nobody asks.
    pub(crate) fn is_given(&self, row: u32, column: usize) -> bool {
        let word = row as usize * self.words() + column / 64;
        self.given.get(word).is_some_and(|word| word >> (column % 64) & 1 == 1)
    }
}

/// Reads elements, one after the other.
pub(crate) struct Decoder<'v> {
    validator: &'v Validator,
    scratch: Scratch,
    /// The column of each member of the element before: most batches repeat their keys.
    order: Vec<u16>,
    key: Vec<u8>,
    given: Vec<u64>,
    /// Of the element: see `Rows::doubtful`.
    doubtful: Vec<(u16, Problem)>,
}

impl<'v> Decoder<'v> {
    pub(crate) fn new(validator: &'v Validator) -> Self {
        Self {
            validator,
            scratch: Scratch::new(),
            order: Vec::new(),
            key: Vec::new(),
            given: vec![0; validator.columns.len().div_ceil(64)],
            doubtful: Vec::new(),
        }
    }

    /// Reads an element, which is the batch's number `place`; gives the position behind it. An element that is not
    /// valid leaves no row, and all that is wrong with it in `violations`.
    pub(crate) fn element(
        &mut self,
        element: Place<'_>,
        place: u32,
        absent: &mut Absent<'_>,
        rows: &mut Rows,
        violations: &mut Vec<Violation>,
    ) -> Result<usize, Unbalanced> {
        let row = rows.count();
        let mut position = 0;
        self.given.fill(0);
        self.doubtful.clear();
        let text = element.text;
        let (opened, end) = batch::object(element, |member| {
            let found = self.member(text, &member.key, position);
            position += 1;
            let value = &text[member.value];
            match found {
                Ok(column) => self.value(row, column, value, rows, violations),
                Err(violation) => violations.push(violation),
            }
        })?;
        match opened {
            Ok(()) => {
                self.fill(row, absent, rows, violations);
                if violations.is_empty() {
                    self.compare(absent, rows, violations);
                }
            }
            Err(rejection) => *violations = rejection.into_violations(),
        }
        let is_change = matches!(absent, Absent::Kept { .. });
        if !is_change || !violations.is_empty() {
            violations.extend(self.doubtful.drain(..).map(|(column, problem)| Violation {
                field: Some(self.validator.columns[column as usize].name.clone()),
                problem,
            }));
        }
        if violations.is_empty() {
            let doubtful = self.doubtful.drain(..);
            rows.doubtful.extend(doubtful.map(|(column, problem)| (row as u32, column, problem)));
            rows.elements.push(place);
            if is_change {
                rows.given.extend_from_slice(&self.given);
            }
        } else {
            for column in rows.columns.iter_mut().filter(|column| column.count() > row) {
                column.undo();
            }
        }
        Ok(end)
    }

    /// The column that a key names.
    fn member(
        &mut self,
        text: &[u8],
        key: &Range<usize>,
        position: usize,
    ) -> Result<u16, Violation> {
        let raw = &text[key.clone()];
        if let Some(&guess) = self.order.get(position)
            && self.validator.columns[guess as usize].name.as_bytes() == raw
        {
            return Ok(guess);
        }
        let name = match batch::key(raw, &mut self.key) {
            Ok(name) => name,
            Err(error) => return Err(Violation { field: None, problem: Problem::from(error) }),
        };
        match self.validator.by_name.get(name) {
            Some(&column) => {
                self.order.truncate(position);
                // A name with a backslash is never as it is written.
                if self.order.len() == position && !name.contains(&b'\\') {
                    self.order.push(column);
                }
                Ok(column)
            }
            None => {
                let name = String::from_utf8_lossy(name);
                let message = self.validator.no_such_field(&name);
                Err(Violation::new(Some(&shorten(&name)), Code::UnknownField, message))
            }
        }
    }

    fn value(
        &mut self,
        row: usize,
        at: u16,
        raw: &[u8],
        rows: &mut Rows,
        violations: &mut Vec<Violation>,
    ) {
        let column = &self.validator.columns[at as usize];
        let array = &mut rows.columns[at as usize];
        let mut violate = |problem| {
            violations.push(Violation { field: Some(column.name.clone()), problem });
        };
        if array.count() > row {
            violate(Problem::new(Code::DuplicateField, "is given twice"));
            return;
        }
        self.given[at as usize / 64] |= 1 << (at % 64);
        if raw == b"null" {
            array.push_null();
            if column.required {
                violate(Problem::new(Code::Required, "must not be null"));
            }
        } else if let Err(problem) = column.read(raw, &mut self.scratch, array) {
            violate(problem);
        } else if let Some(problem) = column.no_reference(array) {
            self.doubtful.push((at, problem));
        }
    }

    /// Sees to the columns that the element does not have.
    fn fill(
        &mut self,
        row: usize,
        absent: &mut Absent<'_>,
        rows: &mut Rows,
        violations: &mut Vec<Violation>,
    ) {
        if let Absent::Kept { key } = absent {
            for &at in *key {
                let (column, array) =
                    (&self.validator.columns[at as usize], &rows.columns[at as usize]);
                if array.count() == row {
                    violations.push(required(column));
                } else if array.last().is_none()
                    && !violations.iter().any(|v| v.field.as_deref() == Some(&column.name))
                {
                    let message = "identifies the entry, and must not be null";
                    violations.push(Violation::new(Some(&column.name), Code::Required, message));
                }
            }
        }
        for (column, array) in self.validator.columns.iter().zip(&mut rows.columns) {
            if array.count() > row {
                continue;
            }
            match (&mut *absent, &column.filling) {
                (Absent::Kept { .. }, _) | (_, Filling::Key(_)) => array.push_null(),
                (_, Filling::Nothing) => {
                    array.push_null();
                    if column.required {
                        violations.push(required(column));
                    }
                }
                (_, Filling::Value(value)) => array.push_bytes(value),
                (Absent::Filled(fill), _) => fill(column, array),
            }
        }
    }

    /// Rules between two fields of the entry. One that is NULL passes; one that stays as it is stored
    /// is compared there.
    fn compare(&self, absent: &Absent<'_>, rows: &Rows, violations: &mut Vec<Violation>) {
        for comparison in &self.validator.comparisons {
            let (left, right) = (comparison.left as usize, comparison.right as usize);
            let given = |at: usize| self.given[at / 64] >> (at % 64) & 1 == 1;
            if matches!(absent, Absent::Kept { .. }) && !(given(left) && given(right)) {
                continue;
            }
            let (Some(a), Some(b)) = (rows.columns[left].last(), rows.columns[right].last()) else {
                continue;
            };
            let column = &self.validator.columns[left];
            if compare(&column.kind, a, b).is_some_and(|ordering| !comparison.op.holds(ordering)) {
                violations.push(self.validator.broken(comparison));
            }
        }
    }
}

impl Validator {
    /// What is said of a name that no field has.
    pub(crate) fn no_such_field(&self, name: &str) -> String {
        let meant = self.columns.iter().find(|column| column.column == name);
        meant.map_or("the table has no such field".to_owned(), |column| {
            format!("the table has no such field: it is the column of \"{}\"", column.name)
        })
    }

    /// What is said where two fields do not compare as they must.
    pub(crate) fn broken(&self, comparison: &super::validator::Comparison) -> Violation {
        let name = |at: u16| &self.columns[at as usize].name;
        let message = format!("must be {} {}", comparison.op.symbol(), name(comparison.right));
        Violation::new(Some(name(comparison.left)), Code::Check, message)
    }
}

/// What is said of a field that is missing.
pub(crate) fn required(column: &Column) -> Violation {
    Violation::new(Some(&column.name), Code::Required, "is required")
}
