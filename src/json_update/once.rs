//! Reckons the document of an UPDATE once.
//!
//! The UPDATE of `update_document` asks two things of a row: whether the operations change its document
//! (in its WHERE), and what it becomes (in its SET). Both must be asked in the statement itself, because
//! Postgres asks them again of the newer version where it had to wait for one. So the answer to the first
//! is kept for the second. It is found again by the document as it is stored, compressed or as a pointer
//! to TOAST, which also saves to fetch and decompress it twice.

use super::apply::{apply, would_change};
use super::error::JsonUpdateError;
use super::operations::Operations;
use crate::pg::varlena;
use crate::poll;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// The last document that was reckoned.
#[derive(Default)]
struct Kept {
    operations: Option<Rc<Operations>>,
    /// The document as the row has it.
    stored: Vec<u8>,
    /// What it becomes, with its length word.
    new: Vec<u8>,
}

/// While there is one, documents are kept. Triggers may update documents too, and have their own.
pub(super) struct Once {
    before: Option<Kept>,
}

impl Once {
    pub(super) fn begin() -> Self {
        Self { before: KEPT.replace(Some(Kept::default())) }
    }

    /// The last document that was changed.
    pub(super) fn end(self) -> Vec<u8> {
        KEPT.take().map(|kept| kept.new).unwrap_or_default()
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        KEPT.set(self.before.take());
    }
}

/// Whether the operations change a document.
///
/// # Safety
/// `datum` must be a `jsonb` that is not NULL.
pub(super) unsafe fn changes(
    operations: &Rc<Operations>,
    datum: pg_sys::Datum,
) -> Result<bool, JsonUpdateError> {
    // SAFETY: the caller vouches for the datum.
    let (stored, document) = unsafe { (varlena::stored(datum), varlena::aligned_bytes(datum)) };
    KEPT.with_borrow_mut(|kept| {
        let Some(kept) = kept else { return would_change(operations, document) };
        poll::need(3 * document.len());
        kept.operations = None;
        kept.new.reserve(document.len() + document.len() / 8);
        if !apply(operations, document, false, &mut kept.new)? {
            return Ok(false);
        }
        if let Some(stored) = stored {
            kept.operations = Some(Rc::clone(operations));
            kept.stored.clear();
            kept.stored.extend_from_slice(stored);
        }
        Ok(true)
    })
}

/// Gives `use_it` what the operations make of a document, if that is known.
///
/// # Safety
/// As for [`changes`].
pub(super) unsafe fn known<T>(
    operations: &Rc<Operations>,
    datum: pg_sys::Datum,
    use_it: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    KEPT.with_borrow(|kept| {
        let kept = kept.as_ref()?;
        let same = kept.operations.as_ref().is_some_and(|kept| Rc::ptr_eq(kept, operations));
        // SAFETY: the caller vouches for the datum.
        let stored = if same { unsafe { varlena::stored(datum) } } else { None };
        (stored? == kept.stored).then(|| use_it(&kept.new))
    })
}
