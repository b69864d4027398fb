//! Upserts elements that came one a row, as lines or as fields.

use super::decode;
use super::options::{self, Request, Shape};
use super::rejects;
use super::summary::warn_of_few_ids;
use super::upsert::{self, Ids};
use crate::answer::Answer;
use crate::error::Error;
use crate::pg::clock::now;
use crate::pg::memory;
use pgrx::spi::SpiClient;

/// One element.
pub(crate) enum Given<'g> {
    /// A text to be read as the request says.
    Line(&'g str),
    /// What `upsert_record` takes.
    Fields {
        external_id: Option<&'g str>,
        data: Option<&'g str>,
        source_updated_at: Option<&'g str>,
        deleted: bool,
    },
}

/// After so many bytes, sent or handled, memory is given back, which takes some milliseconds.
const LARGE_BATCH: usize = 32 << 20;

/// Upserts the elements as one batch, and keeps those that are rejected. Gives the answers: those of lines, then those
/// of fields. `warns`: of a key that makes one record of many.
pub(crate) fn upsert_given(
    client: &mut SpiClient<'_>,
    request: &Request,
    given: &[Given<'_>],
    warns: bool,
) -> Result<Vec<Answer<Ids>>, Error> {
    rejects::require_right(request)?;
    let now = now();
    let elements = given.iter().map(|given| match *given {
        Given::Line(line) => decode::alone(line, &request.shape, now),
        Given::Fields { external_id, data, source_updated_at, deleted } => {
            decode::single(external_id, data, source_updated_at, deleted, now)
        }
    });
    let (answers, handled) = upsert::run(client, request, elements.collect(), None)?;
    let (mut of_lines, mut of_fields) = (Vec::new(), Vec::new());
    let (mut lines, mut fields) = (Vec::new(), Vec::new());
    for (answer, given) in answers.into_iter().zip(given) {
        match given {
            Given::Line(line) => {
                of_lines.push(answer);
                lines.push(*line);
            }
            fields_given => {
                of_fields.push(answer);
                fields.push(fields_given);
            }
        }
    }
    if !lines.is_empty() {
        if let (true, Shape::Flat(keys)) = (warns, &request.shape) {
            warn_of_few_ids(keys, &of_lines);
        }
        rejects::keep(client, request, &of_lines, |places| {
            places.iter().map(|&place| lines[place].trim()).collect()
        })?;
    }
    if let Some(reading) = request.reading.as_deref().filter(|_| !fields.is_empty()) {
        // They are kept as envelopes.
        let reading = Some(options::reading_of_envelopes(reading)?);
        let request = Request { shape: Shape::Envelope, reading, ..request.clone() };
        let texts: Vec<String> = of_fields
            .iter()
            .zip(&fields)
            .map(|(answer, given)| match given {
                Given::Fields { external_id, data, source_updated_at, deleted }
                    if answer.is_rejected() =>
                {
                    rejects::envelope(*external_id, *data, *source_updated_at, *deleted)
                }
                _ => String::new(),
            })
            .collect();
        rejects::keep(client, &request, &of_fields, |places| {
            places.iter().map(|&place| &*texts[place]).collect()
        })?;
    }
    of_lines.append(&mut of_fields);
    if handled >= LARGE_BATCH {
        memory::release_unused();
    }
    Ok(of_lines)
}
