//! The types of columns, exactly: a word of the documents, an enum, or the catalog's own name.

use crate::field_types::kind::{FieldKind, NativeType};
use crate::structure::facts::ColumnFact;

impl ColumnFact {
    /// The type, and whether it is a list of it.
    pub(super) fn exact_kind(&self) -> (FieldKind, bool) {
        let list = self.list == Some(true);
        let (name, kind) = match (&self.element_type, self.element_kind) {
            (Some(element), Some(kind)) if list => (element, kind),
            _ => (&self.type_name, self.type_kind),
        };
        if kind == 'e' {
            let (schema, name) = (self.type_schema.clone(), name.clone());
            return (FieldKind::NamedEnum { schema, name }, list);
        }
        if kind == 'b'
            && let Some(kind) = self.word(name)
        {
            return (kind, list);
        }
        let native = NativeType {
            schema: (self.type_schema != "pg_catalog").then(|| self.type_schema.clone()),
            name: name.clone(),
            modifiers: self.modifiers().unwrap_or_default(),
        };
        (FieldKind::Native(native), list)
    }

    /// The type that documents have a word for, if it is exactly that.
    fn word(&self, name: &str) -> Option<FieldKind> {
        let modifier = u32::try_from(self.modifier).ok();
        if self.type_schema != "pg_catalog" {
            let dimensions = modifier.and_then(|modifier| u16::try_from(modifier).ok())?;
            return (name == "vector").then_some(FieldKind::Vector { dimensions });
        }
        // Lengths are kept with the header of four bytes that the value would have.
        let length = modifier.and_then(|modifier| modifier.checked_sub(4));
        match (name, length) {
            ("varchar", Some(length)) => {
                return Some(FieldKind::Text { max_length: Some(length) });
            }
            ("numeric", Some(packed)) => {
                let (precision, scale) = (packed >> 16, packed & 0x7ff);
                return (scale <= precision && precision <= 1000).then_some(FieldKind::Decimal {
                    precision: Some((precision as u16, scale as u16)),
                });
            }
            _ if modifier.is_some() => return None,
            _ => {}
        }
        Some(match name {
            "text" => FieldKind::Text { max_length: None },
            "int4" => FieldKind::Integer,
            "int8" => FieldKind::Bigint,
            "numeric" => FieldKind::Decimal { precision: None },
            "float8" => FieldKind::Float,
            "bool" => FieldKind::Boolean,
            "date" => FieldKind::Date,
            "time" => FieldKind::Time,
            "timestamptz" => FieldKind::Timestamp,
            "uuid" => FieldKind::Uuid,
            "jsonb" => FieldKind::Json,
            "bytea" => FieldKind::Bytes,
            _ => return None,
        })
    }

    /// What stands in the parentheses of the printed type. `None` where a limit is said in words (`interval year`).
    pub(super) fn modifiers(&self) -> Option<Vec<String>> {
        let Some(text) = &self.printed_type else { return Some(Vec::new()) };
        // A name in quotes may hold parentheses.
        let text = text.rsplit_once('"').map_or(text.as_str(), |(_, behind)| behind);
        let (before, behind) = text.split_once('(')?;
        if before.starts_with("interval ") {
            return None;
        }
        let (inside, _) = behind.split_once(')')?;
        Some(inside.split(',').map(|part| part.trim().to_owned()).collect())
    }
}
