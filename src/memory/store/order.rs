//! In which order memories are listed, and where a page ends.
//!
//! A place in the order is what the last row has, and not how many rows came before: what is added or deleted
//! meanwhile moves nothing.

use super::item::Item;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::memory::error::MemoryError;
use crate::memory::scope::User;
use crate::pg::query::Parameters;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// In the order of time, as Kepler makes ids.
    Id,
    UpdatedAt,
    /// Namespace and key, of memories that have one.
    Key,
}

const CHOICES: &str = "id, updated_at, key";

#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) by: By,
    pub(super) descending: bool,
}

impl Order {
    /// Times begin with the newest unless it is said otherwise, keys with the first.
    pub(super) fn read(
        by: Option<String>,
        descending: Option<bool>,
    ) -> Result<Self, ArgumentError> {
        let argument = "order_by";
        let by = match by.ok_or(ArgumentError::Null(argument))?.as_str() {
            "id" => By::Id,
            "updated_at" => By::UpdatedAt,
            "key" => By::Key,
            other => {
                let given = other.to_owned();
                return Err(ArgumentError::BadChoice { argument, legal: CHOICES, given });
            }
        };
        Ok(Self { by, descending: descending.unwrap_or(by != By::Key) })
    }

    fn name(self) -> &'static str {
        match self.by {
            By::Id => "id",
            By::UpdatedAt => "updated_at",
            By::Key => "key",
        }
    }

    /// What stands behind ORDER BY, over `m`. One user's keys come in the order of their index, whose column of the user
    /// has to be named where that is NULL.
    pub(super) fn sql(self, user: &User) -> String {
        let columns: &[&str] = match (self.by, user) {
            (By::Id, _) => &["m.id"],
            (By::UpdatedAt, _) => &["m.updated_at", "m.id"],
            (By::Key, User::Any) => &["m.namespace", "m.key", "m.id"],
            (By::Key, _) => &["m.user_id", "m.namespace", "m.key"],
        };
        let way = if self.descending { " DESC" } else { "" };
        columns.iter().map(|column| format!("{column}{way}")).collect::<Vec<_>>().join(", ")
    }

    /// What rows behind a place meet, over `m`.
    pub(super) fn behind(self, place: &Place, user: &User, parameters: &mut Parameters) -> String {
        let than = if self.descending { "<" } else { ">" };
        let id = parameters.text(&place.id);
        match self.by {
            By::Id => format!("m.id {than} {id}"),
            By::UpdatedAt => {
                format!("(m.updated_at, m.id) {than} ({}, {id})", parameters.time(place.updated_at))
            }
            By::Key => {
                let (namespace, key) =
                    (parameters.text(&place.namespace), parameters.text(&place.key));
                match user {
                    User::Any => {
                        format!("(m.namespace, m.key, m.id) {than} ({namespace}, {key}, {id})")
                    }
                    _ => format!("(m.namespace, m.key) {than} ({namespace}, {key})"),
                }
            }
        }
    }

    /// The place of a row, for the caller to hand back.
    pub(super) fn cursor(self, item: &Item) -> String {
        match self.by {
            By::Id => json!([self.name(), item.id]),
            By::UpdatedAt => json!([self.name(), item.id, item.updated_at.to_string()]),
            By::Key => json!([self.name(), item.id, item.namespace, item.key]),
        }
        .to_string()
    }

    pub(super) fn place(self, cursor: &str) -> Result<Place, Error> {
        self.read_place(cursor).ok_or_else(|| MemoryError::BadCursor { order: self.name() }.into())
    }

    fn read_place(self, cursor: &str) -> Option<Place> {
        let Ok(Value::Array(parts)) = serde_json::from_str(cursor) else { return None };
        let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
        let mut place = Place::default();
        match (self.by, parts?.as_slice()) {
            (By::Id, ["id", id]) => place.id = (*id).to_owned(),
            (By::UpdatedAt, ["updated_at", id, at]) => {
                (place.id, place.updated_at) = ((*id).to_owned(), at.parse().ok()?);
            }
            (By::Key, ["key", id, namespace, key]) => {
                place.id = (*id).to_owned();
                (place.namespace, place.key) = ((*namespace).to_owned(), (*key).to_owned());
            }
            _ => return None,
        }
        // What no text of Postgres can hold.
        let has_zero = [&place.id, &place.namespace, &place.key].iter().any(|it| it.contains('\0'));
        (!has_zero).then_some(place)
    }
}

/// What the last row of a page has.
#[derive(Debug, Default)]
pub(super) struct Place {
    id: String,
    updated_at: i64,
    namespace: String,
    key: String,
}
