//! Keys that the database makes, and keys that an import brings along.

use super::land::Landing;
use crate::answer::{Code, Violation};
use crate::id::new_id;
use crate::pg::array::Array;
use crate::pg::{role, sequence};
use crate::structure::model::KeyKind;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// So far a sequence is moved by taking values, which can never set it back. Beyond it is set.
const STEPS: i64 = 1_000;

/// A random UUID (version 4), as `gen_random_uuid()` makes it.
pub(crate) fn random_uuid() -> u128 {
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer has room for what is asked.
    let strong = unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) };
    assert!(strong, "no random numbers are to be had");
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    u128::from_be_bytes(bytes)
}

impl Landing<'_> {
    /// Makes the keys that are not given, and sees to it that later ones do not meet given ones. Takes
    /// rows whose key may not be given out of `alive`.
    pub(crate) fn complete_keys(
        &mut self,
        client: &mut SpiClient<'_>,
        keys: &mut Array,
        elements: &[u32],
        alive: &mut Vec<u32>,
    ) {
        let starts = keys.starts();
        let generated = self.table.sequence;
        if let Some(generated) = generated {
            let value = |row: u32| {
                let bytes = keys.get(&starts, row as usize)?;
                Some(i64::from_ne_bytes(bytes.try_into().ok()?))
            };
            if let Some(largest) = alive.iter().filter_map(|&row| value(row)).max() {
                if sequence::may_set(generated) {
                    advance(client, generated, largest);
                } else {
                    alive.retain(|&row| {
                        let given = value(row).is_some();
                        if given {
                            let violation = Violation::new(
                                Some(&self.table.validator.columns[0].name),
                                Code::GeneratedKey,
                                "is generated: to give it takes the privilege UPDATE on its sequence",
                            );
                            self.answers.reject(elements[row as usize], violation);
                        }
                        !given
                    });
                }
            }
        }
        // As in Postgres, no value is used up by whoever may not insert, and is told so in a moment.
        let generated =
            generated.filter(|_| role::may_in_part(pg_sys::ACL_INSERT, self.table.relation));
        let mut completed = Array::new(self.table.validator.columns[0].element);
        for row in 0..keys.count() {
            match (keys.get(&starts, row), self.table.key_kind, generated) {
                (Some(key), _, _) => completed.push_bytes(key),
                (None, KeyKind::Bigint, Some(generated)) => {
                    completed.push_bytes(&sequence::next_of_identity(generated).to_ne_bytes());
                }
                (None, KeyKind::Bigint, None) => completed.push_null(),
                (None, KeyKind::Uuid, _) => completed.push_uuid(Some(random_uuid())),
                (None, KeyKind::Cuid, _) => completed.push_text(&new_id()),
            }
        }
        *keys = completed;
    }
}

/// Moves a sequence to `largest` at least.
fn advance(client: &mut SpiClient<'_>, generated: pg_sys::Oid, largest: i64) {
    let mut value = sequence::next_of_identity(generated);
    if value >= largest {
        return;
    }
    if largest.saturating_sub(value) <= STEPS {
        while value < largest {
            value = sequence::next_of_identity(generated);
        }
        return;
    }
    // Two who set it could set it back; those who take values meanwhile are a thousand away.
    let _setting = sequence::Setting::begin(generated);
    if sequence::next_of_identity(generated) < largest {
        sequence::SET.with(|set| {
            set.run(
                client,
                &[Some(pg_sys::Datum::from(generated)), Some(pg_sys::Datum::from(largest))],
            );
        });
    }
}
