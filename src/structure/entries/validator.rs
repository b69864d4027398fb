//! A structure compiled for reading entries: what each column takes, and the rules that need no table.

use crate::answer::{Code, Problem};
use crate::field_types::kind::FieldKind;
use crate::field_types::scalar::{self, Scratch};
use crate::field_types::stored::{compare, item_type};
use crate::pg::array::{self, Array, ElementType};
use crate::secrets::reference;
use crate::settings;
use crate::structure::constant::Constant;
use crate::structure::model::{Default, Field, Key, KeyKind, Op, Sensitive};
use std::collections::HashMap;

/// Text in a B-tree may be so long, in bytes: a little less than a third of a page.
const MAX_INDEXED: usize = 2_600;

/// See the module. The columns stand in the order of the table: the key, the fields, `created_at` and
/// `updated_at`.
pub(crate) struct Validator {
    pub(crate) columns: Vec<Column>,
    pub(crate) by_name: HashMap<Vec<u8>, u16>,
    pub(crate) comparisons: Vec<Comparison>,
}

/// One column, and what its values must be.
pub(crate) struct Column {
    /// What entries call it.
    pub(crate) name: String,
    /// In the database.
    pub(crate) column: String,
    /// Never a reference: that has the type of the other table's key.
    pub(crate) kind: FieldKind,
    pub(crate) list: bool,
    pub(crate) required: bool,
    pub(crate) filling: Filling,
    /// How a value is stored while it is on its way.
    pub(crate) element: ElementType,
    /// What SQL calls the column's type, without length and precision.
    pub(crate) sql_type: String,
    pub(crate) min_length: Option<u32>,
    pub(crate) bounds: Vec<Bound>,
    /// In a B-tree.
    pub(crate) indexed: bool,
    pub(crate) sensitive: Option<Sensitive>,
}

/// What an entry gets that does not have the field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filling {
    Nothing,
    /// As it is stored.
    Value(Vec<u8>),
    /// The time of the transaction.
    Now,
    /// The time of the call.
    Clock,
    Uuid,
    Cuid,
    /// Of the key: made when the entry is written.
    Key(KeyKind),
}

/// The value must compare so.
pub(crate) struct Bound {
    op: Op,
    value: Vec<u8>,
    shown: String,
}

/// Two columns, by their places, must compare so.
pub(crate) struct Comparison {
    pub(crate) left: u16,
    pub(crate) op: Op,
    pub(crate) right: u16,
}

impl Column {
    /// The column of the key.
    pub(crate) fn key(key: &Key, sql_type: String) -> Self {
        let kind = key.kind.field_kind();
        let filling = Filling::Key(key.kind);
        let mut column = Self::plain((&key.name, key.column()), kind, array::TEXT, sql_type);
        column.element = column.element_type(array::TEXT);
        Self { required: true, filling, indexed: true, ..column }
    }

    /// `created_at` or `updated_at`.
    pub(crate) fn clock(name: &str, sql_type: String) -> Self {
        let column = Self::plain((name, name), FieldKind::Timestamp, array::TIMESTAMPTZ, sql_type);
        Self { required: true, filling: Filling::Clock, ..column }
    }

    /// The column of a field. `kind` is that of the other key for a reference; `vector` is how
    /// pgvector's type is stored.
    pub(crate) fn field(
        field: &Field,
        kind: FieldKind,
        vector: ElementType,
        sql_type: String,
        indexed: bool,
    ) -> Self {
        let mut column = Self::plain((&field.name, field.column()), kind, array::TEXT, sql_type);
        column.list = field.list;
        column.required = field.required;
        column.min_length = field.min_length;
        column.indexed = indexed;
        column.sensitive = field.sensitive;
        column.element = column.element_type(vector);
        column.filling = match &field.default {
            None => Filling::Nothing,
            Some(Default::Now) => Filling::Now,
            Some(Default::Uuid) => Filling::Uuid,
            Some(Default::Cuid) => Filling::Cuid,
            Some(Default::Value(value)) => {
                column.stored(value).map_or(Filling::Nothing, Filling::Value)
            }
        };
        let bounds = [(Op::GreaterOrEqual, &field.min), (Op::LessOrEqual, &field.max)];
        for (op, bound) in bounds {
            if let Some(value) = bound {
                column.add_bound(op, value);
            }
        }
        column
    }

    fn plain(
        (name, column): (&str, &str),
        kind: FieldKind,
        element: ElementType,
        sql_type: String,
    ) -> Self {
        Self {
            name: name.to_owned(),
            column: column.to_owned(),
            kind,
            list: false,
            required: false,
            filling: Filling::Nothing,
            element,
            sql_type,
            min_length: None,
            bounds: Vec::new(),
            indexed: false,
            sensitive: None,
        }
    }

    pub(crate) fn add_bound(&mut self, op: Op, value: &Constant) {
        if let Some(stored) = self.stored(value) {
            self.bounds.push(Bound { op, value: stored, shown: value.input() });
        }
    }

    /// Postgres' arrays of arrays are flat: a list travels as the text of an array.
    fn element_type(&self, vector: ElementType) -> ElementType {
        if self.list { array::TEXT } else { item_type(&self.kind, vector) }
    }

    /// A constant as it is stored.
    fn stored(&self, constant: &Constant) -> Option<Vec<u8>> {
        let mut array = Array::new(self.element);
        let text = constant.to_json().to_string();
        self.decode(text.as_bytes(), &mut Scratch::new(), &mut array).ok()?;
        array.last().map(<[u8]>::to_vec)
    }

    /// Appends the value that `raw`, a JSON value other than null, is in this column.
    fn decode(&self, raw: &[u8], scratch: &mut Scratch, out: &mut Array) -> Result<(), Problem> {
        if self.list {
            let mut item = Array::new(item_type(&self.kind, array::TEXT));
            return scalar::decode_list(&self.kind, raw, scratch, &mut item, out);
        }
        scalar::decode(&self.kind, raw, scratch, out)
    }

    /// The same, and checks the rules over the value alone. After a problem there is NULL instead.
    pub(crate) fn read(
        &self,
        raw: &[u8],
        scratch: &mut Scratch,
        out: &mut Array,
    ) -> Result<(), Problem> {
        let before = out.count();
        let result = self.decode(raw, scratch, out).and_then(|()| match out.last() {
            Some(value) if !self.list => self.check(value),
            _ => Ok(()),
        });
        if result.is_err() {
            if out.count() > before {
                out.undo();
            }
            out.push_null();
        }
        result.map_err(|problem| self.not_shown(problem))
    }

    /// A problem in words that do not show the value, where the field is sensitive.
    fn not_shown(&self, problem: Problem) -> Problem {
        // These speak of lengths, bounds and rules.
        let says_nothing = matches!(
            problem.code,
            Code::TooLong | Code::TooShort | Code::OutOfRange | Code::Check | Code::Secret
        );
        if self.sensitive.is_none() || says_nothing {
            return problem;
        }
        let message = "is no value of the field (the field is sensitive: the value is not shown)";
        Problem { message: message.into(), ..problem }
    }

    /// The bounds of a whole number, as far as there are any.
    pub(crate) fn whole_bounds(&self) -> (Option<i128>, Option<i128>) {
        let (mut low, mut high) = (None, None);
        for bound in &self.bounds {
            let value = match bound.value.as_slice().try_into() {
                Ok(bytes) => i64::from_ne_bytes(bytes).into(),
                Err(_) => match bound.value.as_slice().try_into() {
                    Ok(bytes) => i128::from(i32::from_ne_bytes(bytes)),
                    Err(_) => continue,
                },
            };
            let narrow = |old: Option<i128>, new: i128, greater: bool| match old {
                Some(old) if greater => Some(old.max(new)),
                Some(old) => Some(old.min(new)),
                None => Some(new),
            };
            match bound.op {
                Op::Greater => low = narrow(low, value + 1, true),
                Op::GreaterOrEqual => low = narrow(low, value, true),
                Op::Less => high = narrow(high, value - 1, false),
                Op::LessOrEqual => high = narrow(high, value, false),
                Op::Equal | Op::NotEqual => {}
            }
        }
        (low, high)
    }

    fn check(&self, value: &[u8]) -> Result<(), Problem> {
        if matches!(self.kind, FieldKind::Text { .. }) {
            let text = &value[4..];
            if let Some(least) = self.min_length {
                let found = text.iter().filter(|&&b| b & 0xC0 != 0x80).count();
                if found < least as usize {
                    let message =
                        format!("has {found} characters, fewer than the {least} required");
                    return Err(Problem::new(Code::TooShort, message));
                }
            }
            if self.indexed && text.len() > MAX_INDEXED {
                return Err(Problem::new(
                    Code::TooLong,
                    format!(
                        "has {} bytes, more than the {MAX_INDEXED} that fit into an index",
                        text.len()
                    ),
                ));
            }
        }
        for bound in &self.bounds {
            if compare(&self.kind, value, &bound.value)
                .is_some_and(|ordering| !bound.op.holds(ordering))
            {
                let message = format!("must be {} {}", bound.op.symbol(), bound.shown);
                return Err(Problem::new(Code::Check, message));
            }
        }
        Ok(())
    }

    /// What is wrong with the last value, if it must be a reference to a secret and is none.
    pub(crate) fn no_reference(&self, values: &Array) -> Option<Problem> {
        if self.sensitive != Some(Sensitive::Reference) {
            return None;
        }
        let text = String::from_utf8_lossy(values.last()?.get(4..)?);
        let problem = reference::problem_beside(&text, &settings::secret_reference_schemes())?;
        Some(Problem::new(Code::Secret, problem.to_string()))
    }
}
