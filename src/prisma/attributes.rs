//! The attributes of a block or a field, found by name.

use super::arguments::Arguments;
use super::ast::{Attribute, ValueKind, Word};
use super::problem::{Notes, meant};
use crate::ident::MAX_NAME;
use crate::json::shorten;

/// A name that the database is to keep whole.
pub(super) fn fits(name: Word<'_>, notes: &mut Notes) {
    if name.text.len() > MAX_NAME {
        let text = format!("name \"{}\" is longer than {MAX_NAME} bytes", shorten(name.text));
        notes.problem(name.place, text);
    }
}

/// Finds attributes by name, and says which are given twice or are not known.
pub(super) struct Attributes<'a, 't> {
    all: &'a [Attribute<'t>],
}

impl<'a, 't> Attributes<'a, 't> {
    /// Attributes that have been looked at before.
    pub(super) fn again(all: &'a [Attribute<'t>]) -> Self {
        Self { all }
    }

    pub(super) fn new(
        all: &'a [Attribute<'t>],
        sign: &str,
        known: &[&'static str],
        native: Option<Option<&str>>,
        notes: &mut Notes,
    ) -> Self {
        for attribute in all {
            let name = attribute.name.text;
            if known.contains(&name) {
                continue;
            }
            let shown = format!("{sign}{}", shorten(name));
            if let (Some(source), Some((given, _))) = (native, name.split_once('.')) {
                let prefix = source.unwrap_or("db");
                if given != prefix {
                    let text = format!(
                        "{shown}: native types begin with @{prefix}., after the datasource"
                    );
                    notes.problem(attribute.name.place, text);
                }
                continue;
            }
            match meant(name, known) {
                Some(meant) => notes.problem(
                    attribute.name.place,
                    format!("attribute {shown} is not known: did you mean {sign}{meant}?"),
                ),
                None => notes.warn(
                    attribute.name.place,
                    format!("attribute {shown} is not Prisma's and was left out"),
                ),
            }
        }
        Self { all }
    }

    /// An attribute that may stand once.
    pub(super) fn once(&self, name: &str, notes: &mut Notes) -> Option<&'a Attribute<'t>> {
        let mut found = self.all.iter().filter(|attribute| attribute.name.text == name);
        let first = found.next();
        for second in found {
            notes.problem(second.name.place, format!("attribute \"{name}\" is given twice"));
        }
        first
    }

    /// An attribute whose only argument is a name in the database.
    pub(super) fn name(&self, attribute: &str, notes: &mut Notes) -> Option<Word<'a>> {
        let name = self.any_name(attribute, notes)?;
        if name.text.is_empty() {
            notes.problem(name.place, format!("the name in {attribute} must not be empty"));
            return None;
        }
        Some(name)
    }

    /// The same for the values of enums, of which one may be empty.
    pub(super) fn any_name(&self, attribute: &str, notes: &mut Notes) -> Option<Word<'a>> {
        let attribute = self.once(attribute, notes)?;
        let mut arguments = Arguments::new(attribute.name, &attribute.arguments, notes);
        let value = arguments.first("name", notes);
        arguments.close(notes);
        let what = format!("the name in {}", attribute.name.text);
        let Some(value) = value else {
            notes.problem(attribute.name.place, format!("{what} is missing"));
            return None;
        };
        let ValueKind::String(text) = &value.kind else {
            notes.problem(value.place, format!("{what} must be a string, not {}", value.kind()));
            return None;
        };
        let name = Word { text, place: value.place };
        fits(name, notes);
        Some(name)
    }

    /// An attribute without arguments.
    pub(super) fn flag(&self, name: &str, notes: &mut Notes) -> bool {
        let Some(attribute) = self.once(name, notes) else { return false };
        Arguments::new(attribute.name, &attribute.arguments, notes).close(notes);
        true
    }

    /// The first attribute of a name, where it has been told that there are several.
    pub(super) fn first(&self, name: &str) -> Option<&'a Attribute<'t>> {
        self.all.iter().find(|attribute| attribute.name.text == name)
    }

    /// The attributes in their order.
    pub(super) fn iter(&self) -> std::slice::Iter<'a, Attribute<'t>> {
        self.all.iter()
    }
}
