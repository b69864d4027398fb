//! Operations and documents from datums, and updated documents as datums.

use super::apply::apply;
use super::operations::Operations;
use crate::error::Error;
use crate::pg::encoding::require_utf8;
use crate::pg::varlena;
use crate::poll;
use pgrx::prelude::*;
use pgrx::{AnyElement, FromDatum};
use std::cell::RefCell;
use std::rc::Rc;

/// A buffer that has become larger than this is given back.
const KEPT_BUFFER: usize = 1 << 20;

thread_local! {
    /// The operations of the last call: a statement has the same ones for all its rows.
    static LAST: RefCell<Option<Rc<Operations>>> = const { RefCell::new(None) };
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The operations that a datum holds, read once for equal ones in a row.
pub(super) fn operations(datum: pg_sys::Datum) -> Result<Rc<Operations>, Error> {
    // SAFETY: declared in SQL as jsonb, which is a varlena.
    let bytes = unsafe { varlena::aligned_bytes(datum) };
    LAST.with_borrow_mut(|last| {
        if let Some(known) = last.as_ref().filter(|known| known.are_of(bytes)) {
            return Ok(Rc::clone(known));
        }
        require_utf8()?;
        poll::need(2 * bytes.len());
        let read = Rc::new(Operations::read(bytes)?);
        *last = (bytes.len() <= KEPT_BUFFER).then(|| Rc::clone(&read));
        Ok(read)
    })
}

/// The updated document, or None if it stays what it is.
pub(super) fn updated(
    operations: &Operations,
    document: &[u8],
    inserting: bool,
) -> Result<Option<AnyElement>, Error> {
    poll::need(3 * document.len());
    BUFFER.with_borrow_mut(|buffer| {
        let changed = apply(operations, document, inserting, buffer)?;
        let element = changed.then(|| element(buffer)).flatten();
        if buffer.capacity() > KEPT_BUFFER {
            *buffer = Vec::new();
        }
        Ok(element)
    })
}

/// A `jsonb` in Postgres' memory, from its bytes with the length word.
pub(super) fn element(bytes: &[u8]) -> Option<AnyElement> {
    // SAFETY: the new memory has room for all bytes, which are a jsonb.
    unsafe {
        let copy = pg_sys::palloc(bytes.len()).cast::<u8>();
        copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        AnyElement::from_polymorphic_datum(pg_sys::Datum::from(copy), false, pg_sys::JSONBOID)
    }
}
