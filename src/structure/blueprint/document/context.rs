//! What the tables of a blueprint may refer to: its enums and extensions. It reads the types and the values of fields.

use super::names::problem_with_document_name;
use super::types;
use crate::field_types::kind::{FieldKind, NativeType, OnDelete};
use crate::json::Json;
use crate::structure::blueprint::model::EnumType;
use crate::structure::constant::Constant;
use crate::structure::document::field::{self as shared, Place};
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::sql_text::{Names, Place as SqlPlace, SqlText};
use std::collections::HashMap;

/// What the tables of a blueprint may refer to.
pub(super) struct Context<'e> {
    by_name: HashMap<&'e str, &'e EnumType>,
    /// By what the database calls them, each with those of other schemas.
    by_type: HashMap<&'e str, Vec<&'e EnumType>>,
    /// Names of enums of which something is wrong.
    wrong: &'e [String],
    extensions: &'e [String],
}

impl<'e> Context<'e> {
    pub(super) fn new(
        enums: impl Iterator<Item = &'e EnumType>,
        wrong: &'e [String],
        extensions: &'e [String],
    ) -> Self {
        let mut by_name = HashMap::new();
        let mut by_type: HashMap<&str, Vec<&EnumType>> = HashMap::new();
        for found in enums {
            by_name.insert(found.name.as_str(), found);
            by_type.entry(&found.type_name).or_default().push(found);
        }
        Self { by_name, by_type, wrong, extensions }
    }

    pub(super) fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|extension| extension == name)
    }

    /// An expression, which may be one that only the owner lets through. `columns` knows what it may name.
    pub(super) fn sql(
        &self,
        text: &str,
        place: SqlPlace,
        columns: &dyn Fn(&str) -> Option<String>,
    ) -> Result<SqlText, String> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if text.contains('\0') {
            return Err("must not hold the character 0".to_owned());
        }
        let types = |schema: Option<&str>, name: &str| {
            let of_schema = |found: &&&EnumType| schema.is_none_or(|schema| found.schema == schema);
            let mut found = self.by_type.get(name)?.iter().filter(of_schema);
            // Two types of one name need their schemas.
            let one = found.next().filter(|_| found.next().is_none())?;
            Some((one.schema.clone(), one.type_name.clone()))
        };
        let names = Names { columns, types: &types };
        Ok(SqlText::given(text, place, &names).unwrap_or_else(|_| SqlText::trusted(text)))
    }

    /// Reads a value of a type, which may be an enum.
    pub(super) fn constant(
        &self,
        kind: &FieldKind,
        list: bool,
        json: &Json,
    ) -> Result<Constant, String> {
        let constant = Constant::read(kind, list, json)?;
        if let FieldKind::NamedEnum { schema, name } = kind
            && let Some(named) = self.by_type.get(name.as_str())
            && let Some(found) = named.iter().find(|found| found.schema == *schema)
        {
            let values = match &constant {
                Constant::List(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                if let Constant::Text(text) = value
                    && !found.values.contains(text)
                {
                    let text = crate::json::shorten(text);
                    return Err(format!("{text:?} is not a value of enum \"{}\"", found.name));
                }
            }
        }
        if let FieldKind::Native(native) = kind {
            return in_range(native, constant);
        }
        Ok(constant)
    }
}

/// A value of a native type, if it is within its range.
pub(super) fn in_range(native: &NativeType, constant: Constant) -> Result<Constant, String> {
    match constant {
        Constant::Integer(value)
            if native.name == "int2" && i16::try_from(value).is_err()
                || native.name == "oid" && u32::try_from(value).is_err() =>
        {
            Err(format!("{value} is out of the range of the type"))
        }
        Constant::List(items) => items
            .into_iter()
            .map(|item| in_range(native, item))
            .collect::<Result<_, _>>()
            .map(Constant::List),
        other => Ok(other),
    }
}

impl Place for Context<'_> {
    fn problem_with_name(&self, name: &str) -> Option<String> {
        problem_with_document_name(name)
    }

    fn problem_with_old_name(&self, name: &str) -> Option<String> {
        problem_with_document_name(name)
    }

    fn types(&self) -> &'static [&'static str] {
        &types::WORDS
    }

    fn read_type(
        &self,
        word: &'static str,
        keys: &mut Keys<'_>,
        problems: &mut Problems,
    ) -> Option<FieldKind> {
        match word {
            "enum" if keys.has("enum") => {
                let name = keys.text("enum", problems)?;
                match self.by_name.get(name.as_str()) {
                    Some(found) => Some(FieldKind::NamedEnum {
                        schema: found.schema.clone(),
                        name: found.type_name.clone(),
                    }),
                    None => {
                        if !self.wrong.contains(&name) {
                            let message = format!("enum \"{name}\" is not defined in /enums");
                            problems.add(keys.at("enum"), message);
                        }
                        None
                    }
                }
            }
            "enum" => {
                // Known, though not given.
                keys.take("enum");
                shared::read_type(word, keys, problems)
            }
            "reference" => {
                let to = keys.text("to", problems);
                if to.is_none() {
                    problems.add(keys.at("to"), "is missing: the name of the table referred to");
                }
                Some(FieldKind::Reference { to: to?, on_delete: OnDelete::Restrict })
            }
            word => types::read(word, keys, problems),
        }
    }

    fn has_lists_of(&self, kind: &FieldKind) -> bool {
        !matches!(kind, FieldKind::Reference { .. })
    }

    fn constant(&self, kind: &FieldKind, list: bool, json: &Json) -> Result<Constant, String> {
        self.constant(kind, list, json)
    }
}
