//! Settles elements of one batch that are about the same record.
//!
//! They are read as if they had come one after another: an older time loses to a newer one, else the
//! later element wins. What is stored may still have the last word, so the whole sequence is kept.

use super::decode::{Content, Element};
use crate::answer::Rejection;

/// A record that the batch is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The elements that count, in order. Never empty, nearly always one.
    pub(crate) parts: Parts,
    /// The elements that an earlier one with a newer time put out.
    pub(crate) outdated: Vec<u32>,
}

/// A list of element indices that needs no allocation for one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    One(u32),
    Many(Vec<u32>),
}

impl Parts {
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }
}

/// Groups the elements by external id, in the byte order of the ids, which is the order in which
/// every session locks records. Of elements that share an id each is validated first, and rejected
/// where it fails, so that a broken one cannot win.
pub(crate) fn fold(
    elements: &mut [Element<'_>],
    mut validate: impl FnMut(&Content<'_>) -> Result<(), Rejection>,
) -> Vec<Candidate> {
    let mut order: Vec<u32> =
        (0..elements.len() as u32).filter(|&at| elements[at as usize].content.is_ok()).collect();
    order.sort_by(|&a, &b| {
        let id = |at: u32| elements[at as usize].external_id.as_deref();
        id(a).cmp(&id(b)).then(a.cmp(&b))
    });

    let mut candidates = Vec::with_capacity(order.len());
    let mut rest = order.as_slice();
    while let Some(&first) = rest.first() {
        let id = elements[first as usize].external_id.as_deref();
        let same =
            rest.iter().take_while(|&&at| elements[at as usize].external_id.as_deref() == id);
        let (group, tail) = rest.split_at(same.count());
        rest = tail;
        if group.len() == 1 {
            candidates.push(Candidate { parts: Parts::One(first), outdated: Vec::new() });
        } else {
            candidates.extend(settle(elements, group, &mut validate));
        }
    }
    candidates
}

fn settle(
    elements: &mut [Element<'_>],
    group: &[u32],
    validate: &mut impl FnMut(&Content<'_>) -> Result<(), Rejection>,
) -> Option<Candidate> {
    let mut parts = Vec::new();
    let mut outdated = Vec::new();
    let mut newest = None;
    for &at in group {
        let element = &mut elements[at as usize];
        let Ok(content) = &element.content else { continue };
        if let Err(rejection) = validate(content) {
            element.content = Err(rejection);
            continue;
        }
        let time = content.source_updated_at;
        if time.is_some() && time < newest {
            outdated.push(at);
        } else {
            parts.push(at);
            newest = newest.max(time);
        }
    }
    (!parts.is_empty()).then_some(Candidate { parts: Parts::Many(parts), outdated })
}
