//! Batches whose elements may bring embeddings: a space is needed only if one does.

use super::space::Space;
use crate::answer::Rejection;
use crate::batch::BatchError;
use crate::error::Error;

/// The elements of a batch, as they were read.
type Read<T> = Vec<Result<T, Rejection>>;

/// Reads a batch, and gives the space of its embeddings if it has any. `open` opens the space, `read` reads the batch for it, and
/// `brings` tells whether an element has an embedding.
///
/// The text tells at once where none has one, as a rule. A null, a member of metadata, or a name with escapes takes a closer look.
pub(super) fn read<T>(
    text: &str,
    mut open: impl FnMut() -> Result<Space, Error>,
    read: impl Fn(Option<&Space>) -> Result<Read<T>, BatchError>,
    brings: impl Fn(&T) -> bool,
) -> Result<(Option<Space>, Read<T>), Error> {
    let mut missing = None;
    if memchr::memmem::find(text.as_bytes(), b"\"embedding\"").is_some() {
        match open() {
            Ok(space) => {
                let batch = read(Some(&space))?;
                return Ok((Some(space), batch));
            }
            Err(error) => missing = Some(error),
        }
    }
    let batch = read(None)?;
    if !batch.iter().flatten().any(brings) {
        return Ok((None, batch));
    }
    match missing {
        Some(error) => Err(error),
        None => {
            let space = open()?;
            let batch = read(Some(&space))?;
            Ok((Some(space), batch))
        }
    }
}
