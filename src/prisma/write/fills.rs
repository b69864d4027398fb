//! What the trigger `fill_columns` makes of a table's columns: Prisma's client has words for it, and the database none.

use super::facts::TableFact;
use super::types::{Family, FieldType};
use std::collections::HashMap;

/// The arguments of a table's triggers: a column, and what fills it.
pub(super) fn read(table: &TableFact) -> HashMap<String, String> {
    let mut fills = HashMap::new();
    for arguments in &table.fills {
        let bytes: Vec<u8> = (0..arguments.len() / 2)
            .filter_map(|at| u8::from_str_radix(arguments.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let words: Vec<String> = bytes
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        for pair in words.chunks_exact(2) {
            fills.insert(pair[0].clone(), pair[1].clone());
        }
    }
    fills
}

/// The attribute of a field.
pub(super) fn attribute(kind: &str, found: &FieldType, has_default: bool) -> Option<String> {
    if found.list {
        return None;
    }
    if kind == "touch" {
        return (found.family == Family::DateTime).then(|| "@updatedAt".to_owned());
    }
    let is_uuid = found.family == Family::Uuid;
    if has_default || !is_uuid && found.family != Family::String {
        return None;
    }
    let function = match kind {
        "uuid" => "uuid()".to_owned(),
        "uuid7" => "uuid(7)".to_owned(),
        _ if is_uuid => return None,
        "cuid" | "ulid" | "nanoid" => format!("{kind}()"),
        _ => format!("nanoid({})", kind.strip_prefix("nanoid:")?.parse::<u8>().ok()?),
    };
    Some(format!("@default({function})"))
}
