//! Reads the fields of an element, and collects all that is wrong with it.

use super::object::{check, key, object};
use crate::answer::{Code, Problem, Rejection, Violation};
use crate::field_types::kind::FieldKind;
use crate::field_types::scalar::{self, Scratch};
use crate::json::shorten;
use crate::jsonb::elements::{Place, describe};
use crate::jsonb::lenient;
use crate::jsonb::parse::ParseError;
use crate::jsonb::scan::{Member, Unbalanced};
use crate::pg::array::{self, Array};
use std::ops::Range;

/// The code of an invalid time, in any field.
pub(crate) const INVALID_TIME: Code = Code::own("invalid_time");

const ESCAPED: &str = "/error: characters that cannot be stored were stored as escapes";

/// So many unknown fields of an element are told.
const MAX_UNKNOWN: usize = 20;

/// Reads one element after the other, with room for one value of each kind.
pub(crate) struct Reader<'t> {
    text: &'t [u8],
    known: &'t [&'static str],
    /// Where the values of the element stand, in the order of `known`.
    values: Vec<Option<Range<usize>>>,
    /// What is wrong with the element so far.
    violations: Vec<Violation>,
    scratch: Scratch,
    key: Vec<u8>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t [u8], known: &'t [&'static str]) -> Self {
        Self {
            text,
            known,
            values: vec![None; known.len()],
            violations: Vec::new(),
            scratch: Scratch::new(),
            key: Vec::new(),
        }
    }

    /// Goes to an element. Gives the position behind it, and why it is no object, if so.
    pub(super) fn open(
        &mut self,
        place: Place<'_>,
    ) -> Result<(Result<(), Rejection>, usize), Unbalanced> {
        self.values.fill(None);
        self.violations.clear();
        let (mut unknown, mut broken) = (Vec::new(), None);
        let at = place.at;
        let (opened, end) = object(place, |member| {
            if let Err(error) = self.take(member, &mut unknown) {
                broken.get_or_insert(error);
            }
        })?;
        let opened = opened.and_then(|()| match broken {
            Some(error) => {
                Err(super::invalid_json(ParseError { offset: error.offset - at, ..error }))
            }
            None => Ok(()),
        });
        for (at, field) in unknown.iter().enumerate() {
            let known = self.known.join(", ");
            let known = if at == 0 { format!(" (known: {known})") } else { String::new() };
            let text = format!("unknown field{known}");
            self.violations.push(Violation::new(Some(field), Code::UnknownField, text));
        }
        Ok((opened, end))
    }

    /// Fails where the key, or a value that a later one replaces, is no JSON.
    fn take(&mut self, member: Member, unknown: &mut Vec<String>) -> Result<(), ParseError> {
        let at = |start: usize| {
            move |error: ParseError| ParseError { offset: start + error.offset, ..error }
        };
        let name =
            key(&self.text[member.key.clone()], &mut self.key).map_err(at(member.key.start))?;
        match self.known.iter().position(|known| known.as_bytes() == name) {
            Some(field) => {
                if let Some(replaced) = self.values[field].replace(member.value) {
                    check(&self.text[replaced.clone()]).map_err(at(replaced.start))?;
                }
            }
            None if unknown.len() < MAX_UNKNOWN => {
                unknown.push(shorten(&String::from_utf8_lossy(name)));
            }
            None => (),
        }
        Ok(())
    }

    /// The JSON of a field; None where it is not there, or null.
    pub(crate) fn raw(&self, field: &'static str) -> Option<&'t [u8]> {
        let at = self.known.iter().position(|known| *known == field)?;
        let range = self.values[at].clone()?;
        Some(&self.text[range]).filter(|raw| *raw != b"null")
    }

    /// Whether nothing was found wrong so far.
    pub(crate) fn is_well(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether something was found wrong with a field.
    pub(crate) fn has_violated(&self, field: Option<&str>) -> bool {
        self.violations.iter().any(|violation| violation.field.as_deref() == field)
    }

    pub(crate) fn violate(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// What the element says, or all that is wrong with it.
    pub(crate) fn end<T>(&mut self, element: T) -> Result<T, Rejection> {
        Rejection::of(std::mem::take(&mut self.violations)).map_or(Ok(element), Err)
    }

    /// The value of a field as it is stored, or None with a violation.
    pub(crate) fn stored(&mut self, field: &'static str, kind: &FieldKind) -> Option<Vec<u8>> {
        let raw = self.raw(field)?;
        let element = match kind {
            FieldKind::Float => array::FLOAT,
            FieldKind::Timestamp => array::TIMESTAMPTZ,
            _ => array::JSONB,
        };
        let mut cell = Array::new(element);
        match scalar::decode(kind, raw, &mut self.scratch, &mut cell) {
            Ok(()) => cell.last().map(<[u8]>::to_vec),
            Err(problem) => {
                let code = match problem.code {
                    Code::NulCharacter
                    | Code::LoneSurrogate
                    | Code::InvalidJson
                    | Code::TooDeep
                    | Code::NumberOutOfRange
                    | Code::TooLarge => problem.code,
                    _ if *kind == FieldKind::Timestamp => INVALID_TIME,
                    _ => Code::Own(format!("invalid_{field}").into()),
                };
                let problem = Problem { code, ..problem };
                self.violations.push(Violation { field: Some(field.to_owned()), problem });
                None
            }
        }
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Option<String> {
        let stored = self.stored(field, &FieldKind::Text { max_length: None })?;
        String::from_utf8(stored[4..].to_vec()).ok()
    }

    /// In microseconds.
    pub(crate) fn time(&mut self, field: &'static str) -> Option<i64> {
        let stored = self.stored(field, &FieldKind::Timestamp)?;
        Some(i64::from_ne_bytes(stored.try_into().ok()?))
    }

    pub(crate) fn number(&mut self, field: &'static str) -> Option<f64> {
        let stored = self.stored(field, &FieldKind::Float)?;
        Some(f64::from_ne_bytes(stored.try_into().ok()?))
    }

    /// A count from `least` to 999,999,999, in digits.
    pub(crate) fn count(&mut self, field: &'static str, least: i32) -> Option<i32> {
        let raw = self.raw(field)?;
        let is_plain = raw.len() <= 9
            && raw.iter().all(u8::is_ascii_digit)
            && (raw[0] != b'0' || raw.len() == 1);
        let digits = str::from_utf8(raw).ok().filter(|_| is_plain);
        let count = digits.and_then(|digits| digits.parse().ok()).filter(|count| *count >= least);
        if count.is_none() {
            self.violate(not_a_count(field, least));
        }
        count
    }

    pub(crate) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        match self.raw(field)? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => {
                self.violate(Violation::invalid(field, "must be true or false"));
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn one_of(&mut self, field: &'static str, words: &[&str]) -> Option<String> {
        let is_text = matches!(self.raw(field)?, [b'"', ..]);
        let word = if is_text { self.text(field) } else { None };
        let word = word.filter(|word| words.contains(&word.as_str()));
        if word.is_none() && !self.has_violated(Some(field)) {
            self.violate(not_one_of(field, words));
        }
        word
    }

    /// What tells of a failure, which must not fail itself: a string as it can be stored, and what is none by its
    /// JSON text. With what is to be said of characters that are told by their escapes.
    pub(crate) fn told(&self, field: &'static str) -> (Option<String>, Option<&'static str>) {
        match self.raw(field) {
            None => (None, None),
            Some([b'"', inner @ .., b'"']) => {
                let (text, escaped) = lenient::text(inner);
                (Some(text), escaped.then_some(ESCAPED))
            }
            Some(other) => (Some(String::from_utf8_lossy(other).into_owned()), None),
        }
    }

    /// A `jsonb` with its length word.
    pub(crate) fn json(&mut self, field: &'static str) -> Option<Vec<u8>> {
        self.stored(field, &FieldKind::Json)
    }

    /// A `jsonb` with its length word, of an object.
    pub(crate) fn object(&mut self, field: &'static str) -> Option<Vec<u8>> {
        let raw = self.raw(field)?;
        if raw.first() != Some(&b'{') {
            let message = format!("must be an object, not {}", describe(raw, 0));
            self.violate(Violation::invalid(field, message));
            return None;
        }
        self.json(field)
    }
}

/// The violation of a word that is not in the list.
pub(crate) fn not_one_of(field: &str, words: &[&str]) -> Violation {
    Violation::invalid(field, format!("must be one of {}", words.join(", ")))
}

/// The violation of a count that is not an integer, or not within its bounds.
pub(crate) fn not_a_count(field: &str, least: i32) -> Violation {
    Violation::invalid(field, format!("must be an integer from {least} to 999999999"))
}
