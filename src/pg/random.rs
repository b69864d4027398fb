//! Randomness, for what nobody may guess.

use crate::error::Report;
use pgrx::prelude::*;

/// The system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

impl Report for NoRandomness {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_SYSTEM_ERROR
    }
}

/// Bytes from the generator that Postgres uses for its own secrets.
pub(crate) fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], NoRandomness> {
    let mut bytes = [0; COUNT];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills a place with such bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    // SAFETY: the place has so many bytes.
    let is_done = unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) };
    if is_done { Ok(()) } else { Err(NoRandomness) }
}
