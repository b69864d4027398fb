//! Names: which texts can be one, what is taken in a schema, and what constraints and indexes are called that a
//! document does not name.

use crate::ident::{MAX_NAME, problem_with_free_name};
use crate::structure::document as shared;
use crate::structure::document::keys::Problems;
use crate::structure::observe::HIDDEN_PREFIX;
use std::collections::HashMap;

/// Bytes of a blueprint's name.
const MAX_BLUEPRINT_NAME: usize = 48;

const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// Why a text cannot be the name of an object of the database; `None` if it can.
pub(super) fn problem_with_sql_name(name: &str) -> Option<String> {
    problem_with_free_name(name, MAX_NAME)
}

/// The same for what a document calls a table or a field.
pub(super) fn problem_with_document_name(name: &str) -> Option<String> {
    shared::problem_with_document_name(name)
}

pub(super) fn problem_with_column_name(name: &str) -> Option<String> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Some(format!("\"{name}\" is a system column of Postgres"));
    }
    if name.starts_with(HIDDEN_PREFIX) {
        return Some(format!("names that begin with {HIDDEN_PREFIX} are of hidden fields"));
    }
    problem_with_sql_name(name)
}

pub(super) fn problem_with_blueprint_name(name: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !plain || name.len() > MAX_BLUEPRINT_NAME {
        return Some(format!(
            "a blueprint's name begins with a letter, consists of a to z, 0 to 9 and _, and has at most \
             {MAX_BLUEPRINT_NAME} bytes"
        ));
    }
    None
}

pub(super) fn problem_with_schema(name: &str) -> Option<String> {
    let own = ["kepler", "kepler_internal", "kepler_data"];
    if own.contains(&name) {
        return Some(format!("\"{name}\" is Kepler's own schema"));
    }
    if name.starts_with("pg_") || name == "information_schema" {
        return Some(format!("\"{name}\" is of Postgres itself"));
    }
    problem_with_sql_name(name)
}

/// The name of a constraint or an index as Postgres and Prisma make it: cut in front of the suffix.
pub(super) fn made(table: &str, columns: &[&str], suffix: &str) -> String {
    let mut name = table.to_owned();
    if !columns.is_empty() {
        name.push('_');
        name.push_str(&columns.join("_"));
    }
    while name.len() > MAX_NAME - suffix.len() {
        name.pop();
    }
    name + suffix
}

/// What names a name must differ from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// Tables and indexes of a schema.
    Relations(String),
    /// Tables and enums of a schema.
    Types(String),
    /// Constraints of a table, by its place in the document.
    Constraints(usize),
}

/// The names that a document takes, each with the place that takes it.
#[derive(Debug, Default)]
pub(super) struct Taken {
    places: HashMap<(Space, String), String>,
    /// How often a made name was wished for, so that many wishes for one do not count from the start each.
    wishes: HashMap<(Space, String), usize>,
}

impl Taken {
    /// Takes a name that must be so.
    pub(super) fn take(
        &mut self,
        spaces: &[Space],
        name: &str,
        place: &str,
        problems: &mut Problems,
    ) {
        let mut told = false;
        for space in spaces {
            let taken = self.places.entry((space.clone(), name.to_owned()));
            match taken {
                std::collections::hash_map::Entry::Occupied(first) if !told => {
                    let first = first.get();
                    problems.add(place, format!("\"{name}\" is the name of {first} too"));
                    told = true;
                }
                std::collections::hash_map::Entry::Occupied(_) => {}
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(place.to_owned());
                }
            }
        }
    }

    /// The place that has taken a name.
    pub(super) fn place(&self, space: Space, name: &str) -> Option<&str> {
        self.places.get(&(space, name.to_owned())).map(String::as_str)
    }

    /// Takes a name that may get a number, as Postgres gives it.
    pub(super) fn choose(
        &mut self,
        spaces: &[Space],
        table: &str,
        columns: &[&str],
        suffix: &str,
        place: &str,
    ) -> String {
        let wish = made(table, columns, suffix);
        let wished = spaces.first().map(|space| (space.clone(), wish));
        let mut number = wished.as_ref().and_then(|key| self.wishes.get(key)).map_or(0, |n| n + 1);
        loop {
            let name = match number {
                0 => made(table, columns, suffix),
                _ => made(table, columns, &format!("{suffix}{number}")),
            };
            let free = |space: &Space| !self.places.contains_key(&(space.clone(), name.clone()));
            if spaces.iter().all(free) {
                for space in spaces {
                    self.places.insert((space.clone(), name.clone()), place.to_owned());
                }
                self.wishes.extend(wished.map(|key| (key, number)));
                return name;
            }
            number += 1;
        }
    }
}
