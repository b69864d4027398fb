//! The values.

use super::columns::{Filled, Form, Kind};
use super::ids::{self, Tick, Ulid};
use crate::id::new_id;
use crate::pg::random::{self, NoRandomness};
use pgrx::prelude::*;
use std::cell::Cell;

thread_local! {
    static LAST_TICK: Cell<Tick> = const { Cell::new(0) };
    static LAST_ULID: Cell<Ulid> = const { Cell::new(Ulid::START) };
}

fn uuid7() -> Result<[u8; 16], NoRandomness> {
    let tick = ids::next_tick(LAST_TICK.get(), ids::now());
    LAST_TICK.set(tick);
    Ok(ids::uuid7(tick, random::bytes()?))
}

fn ulid() -> Result<Ulid, NoRandomness> {
    let next = LAST_ULID.get().next(ids::now(), random::bytes()?);
    LAST_ULID.set(next);
    Ok(next)
}

fn nanoid(length: u8) -> Result<String, NoRandomness> {
    let mut bytes = vec![0; length.into()];
    random::fill(&mut bytes)?;
    Ok(ids::nanoid(&bytes))
}

impl Filled {
    /// A value for the column.
    pub(super) fn value(&self, now: impl FnOnce() -> i64) -> Result<pg_sys::Datum, NoRandomness> {
        let text = match (self.kind, self.form) {
            (_, Form::Time(time)) => return Ok(time.value(now(), self.column.modifier)),
            (Kind::Uuid7, form) => return uuid7().map(|id| uuid_value(id, form)),
            (Kind::Uuid, form) => return Ok(uuid_value(ids::uuid4(random::bytes()?), form)),
            (Kind::Ulid, _) => ulid()?.text(),
            (Kind::Nanoid(length), _) => nanoid(length)?,
            (Kind::Cuid | Kind::Touch, _) => new_id(),
        };
        Ok(text_value(&text, self.form))
    }
}

fn uuid_value(id: [u8; 16], form: Form) -> pg_sys::Datum {
    if form == Form::Uuid {
        return pgrx::Uuid::from_bytes(id).into_datum().unwrap_or(pg_sys::Datum::null());
    }
    text_value(&ids::uuid_text(id), form)
}

fn text_value(text: &str, form: Form) -> pg_sys::Datum {
    let width = if let Form::Text { width } = form { width } else { 0 };
    format!("{text:width$}").into_datum().unwrap_or(pg_sys::Datum::null())
}
