//! The field type that a column has.

use super::ColumnFact;
use crate::field_types::kind::FieldKind;

impl ColumnFact {
    /// The type of field that the column's type is, and whether it is a list; or why no type of field corresponds.
    pub(crate) fn field_kind(&self) -> Result<(FieldKind, bool), String> {
        let (name, list) = match &self.element_type {
            Some(element) => (element.as_str(), true),
            None => (self.type_name.as_str(), false),
        };
        let none = || Err(format!("no field has the type {}", self.type_text()));
        let is_vector = name == "vector" && !list;
        if self.type_kind != 'b' || (self.type_schema != "pg_catalog" && !is_vector) {
            return none();
        }
        // Lengths are kept with the header of four bytes that the value would have.
        let modifier = u32::try_from(self.modifier).ok();
        let length = modifier.and_then(|modifier| modifier.checked_sub(4));
        let kind = match name {
            "text" => FieldKind::Text { max_length: None },
            "varchar" => FieldKind::Text { max_length: length },
            "int4" => FieldKind::Integer,
            "int8" => FieldKind::Bigint,
            "numeric" => match length.map(|packed| (packed >> 16, packed & 0x7ff)) {
                None => FieldKind::Decimal { precision: None },
                Some((precision, scale)) if scale <= precision && precision <= 1000 => {
                    FieldKind::Decimal { precision: Some((precision as u16, scale as u16)) }
                }
                // Negative, or more than all digits.
                Some(_) => return Err("no field has such a scale".to_owned()),
            },
            "float8" => FieldKind::Float,
            "bool" => FieldKind::Boolean,
            "date" => FieldKind::Date,
            "time" | "timestamptz" if modifier.is_some_and(|digits| digits < 6) => {
                return Err("fields keep times to the microsecond".to_owned());
            }
            "time" => FieldKind::Time,
            "timestamptz" => FieldKind::Timestamp,
            "uuid" => FieldKind::Uuid,
            "jsonb" => FieldKind::Json,
            "bytea" => FieldKind::Bytes,
            "vector" => match modifier.map(u16::try_from) {
                Some(Ok(dimensions)) => FieldKind::Vector { dimensions },
                _ => return Err("a field of type vector has dimensions".to_owned()),
            },
            _ => return none(),
        };
        if list && !kind.is_scalar() {
            return Err(format!("there are no lists of {}", kind.name()));
        }
        Ok((kind, list))
    }

    /// The type as extras and messages name it.
    pub(crate) fn type_text(&self) -> String {
        match self.type_schema.as_str() {
            "pg_catalog" => self.type_name.clone(),
            schema => format!("{schema}.{}", self.type_name),
        }
    }
}
