//! What a trigger's arguments say, looked up in its table.

use super::error::FillError;
use crate::pg::filling::{ColumnOf, Filling};
use crate::pg::relation;
use crate::pg::times::TimeType;
use pgrx::pg_sys;

/// What fills a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cuid,
    Uuid,
    Uuid7,
    Ulid,
    /// With so many characters.
    Nanoid(u8),
    Touch,
}

impl Kind {
    /// As Prisma has it.
    const DEFAULT_NANOID: u8 = 21;

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "cuid" => Kind::Cuid,
            "uuid" => Kind::Uuid,
            "uuid7" => Kind::Uuid7,
            "ulid" => Kind::Ulid,
            "nanoid" => Kind::Nanoid(Self::DEFAULT_NANOID),
            "touch" => Kind::Touch,
            _ => {
                let length = name.strip_prefix("nanoid:")?.parse().ok()?;
                (length >= 2).then_some(Kind::Nanoid(length))?
            }
        })
    }

    /// How long its text is.
    fn length(self) -> usize {
        match self {
            Kind::Cuid => 24,
            Kind::Uuid | Kind::Uuid7 => 36,
            Kind::Ulid => 26,
            Kind::Nanoid(length) => length.into(),
            Kind::Touch => 0,
        }
    }
}

/// How a column stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Blanks behind it make it so wide.
    Text {
        width: usize,
    },
    Uuid,
    Time(TimeType),
}

/// A column that is filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) column: ColumnOf,
    pub(super) kind: Kind,
    pub(super) form: Form,
}

/// The columns that a trigger fills.
pub(super) fn read(row: &Filling) -> Result<Vec<Filled>, FillError> {
    let arguments = row.arguments();
    let (pairs, []) = arguments.as_chunks::<2>() else {
        return Err(FillError::NotPairs { trigger: row.trigger() });
    };
    pairs.iter().map(|[name, kind]| filled(row, name, kind)).collect()
}

fn filled(row: &Filling, name: &str, kind_name: &str) -> Result<Filled, FillError> {
    let kind = Kind::from_name(kind_name).ok_or_else(|| FillError::UnknownKind {
        trigger: row.trigger(),
        column: name.to_owned(),
        kind: kind_name.to_owned(),
    })?;
    let column = row.column(name).ok_or_else(|| FillError::NoColumn {
        table: relation::table_name(row.table()).unwrap_or_default(),
        trigger: row.trigger(),
        column: name.to_owned(),
    })?;
    if column.is_generated {
        return Err(FillError::Generated { trigger: row.trigger(), column: name.to_owned() });
    }
    let form = form(column, kind).ok_or_else(|| FillError::WrongType {
        column: name.to_owned(),
        kind: kind_name.to_owned(),
        found: column.type_text(),
        legal: match kind {
            Kind::Touch => "timestamptz, timestamp, date, time or timetz",
            Kind::Uuid | Kind::Uuid7 => "text, varchar, char or uuid",
            _ => "text, varchar or char",
        },
    })?;
    // Lengths are kept with the header of four bytes that the value would have.
    let room = column.modifier - 4;
    if matches!(form, Form::Text { .. })
        && column.modifier >= 4
        && kind.length() as i64 > room.into()
    {
        let length = kind.length();
        let (column, kind) = (name.to_owned(), kind_name.to_owned());
        return Err(FillError::TooLong { column, kind, length, room });
    }
    Ok(Filled { column, kind, form })
}

fn form(column: ColumnOf, kind: Kind) -> Option<Form> {
    match (kind, column.base_type) {
        (Kind::Touch, type_id) => TimeType::of(type_id).map(Form::Time),
        (Kind::Uuid | Kind::Uuid7, pg_sys::UUIDOID) => Some(Form::Uuid),
        (_, pg_sys::BPCHAROID) => {
            Some(Form::Text { width: usize::try_from(column.modifier - 4).unwrap_or(0) })
        }
        _ => column.is_text().then_some(Form::Text { width: 0 }),
    }
}
