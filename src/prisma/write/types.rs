//! Types of columns as Prisma has them: a scalar type, and the native one where it is not the usual one.
//!
//! Which they are follows Prisma's engine, as the table is compared by it; what it does not know is `Unsupported`.

use super::facts::ColumnFact;

/// What a default can be depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    String,
    Json,
    Int,
    BigInt,
    Float,
    Decimal,
    Boolean,
    DateTime,
    Bytes,
    Uuid,
    /// By its place among the enums.
    Enum(usize),
    Unsupported,
}

impl Family {
    /// The scalar type of Prisma's.
    fn name(self) -> &'static str {
        match self {
            Family::String | Family::Uuid => "String",
            Family::Json => "Json",
            Family::Int => "Int",
            Family::BigInt => "BigInt",
            Family::Float => "Float",
            Family::Decimal => "Decimal",
            Family::Boolean => "Boolean",
            Family::DateTime => "DateTime",
            Family::Bytes => "Bytes",
            Family::Enum(_) | Family::Unsupported => "",
        }
    }
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldType {
    pub(super) family: Family,
    /// As the field says it, without `?` and `[]`.
    pub(super) text: String,
    /// The native type, after `@db.`.
    pub(super) native: Option<String>,
    pub(super) list: bool,
}

impl FieldType {
    pub(super) fn is_supported(&self) -> bool {
        self.family != Family::Unsupported
    }
}

/// The type of a column. `printed` is how Postgres prints it, and `enum_of` finds an enum of the schema and name.
pub(super) fn of(
    column: &ColumnFact,
    printed: &str,
    enum_of: impl Fn(&str, &str) -> Option<(usize, String)>,
) -> FieldType {
    let list = column.list;
    let base = match list {
        true => column.type_name.strip_prefix('_'),
        false => Some(column.type_name.as_str()),
    };
    let (kind, schema) = match list {
        true => (column.element_kind, column.element_schema.as_deref()),
        false => (Some(column.type_kind), Some(column.type_schema.as_str())),
    };
    if let (Some(base), Some('e'), Some(schema)) = (base, kind, schema)
        && let Some((place, text)) = enum_of(schema, base)
    {
        return FieldType { family: Family::Enum(place), text, native: None, list };
    }
    let is_known = schema == Some("pg_catalog") || base == Some("citext");
    if let Some(base) = base.filter(|_| is_known)
        && let Some((family, native)) = known(base, column)
    {
        return FieldType { family, text: family.name().to_owned(), native, list };
    }
    let printed = if list { printed.strip_suffix("[]").unwrap_or(printed) } else { printed };
    let text = format!("Unsupported({})", quoted(printed));
    FieldType { family: Family::Unsupported, text, native: None, list }
}

/// A text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Scalar and native type. What is native by itself is not said.
fn known(name: &str, column: &ColumnFact) -> Option<(Family, Option<String>)> {
    // Of a domain over a list Postgres prints the name alone, and Prisma sees no modifiers.
    let modifier = if column.list && column.domain.is_some() { -1 } else { column.modifier };
    let with = |native: &str, argument: Option<i32>| {
        Some(argument.map_or_else(|| native.to_owned(), |argument| format!("{native}({argument})")))
    };
    let plain = |native: &str| Some(native.to_owned());
    // Lengths are kept with the header of four bytes that the value would have.
    let length = (modifier >= 4).then_some(modifier - 4);
    let bits = (modifier >= 0).then_some(modifier);
    let digits = bits.or((!column.list).then_some(6));
    Some(match name {
        "int2" => (Family::Int, plain("SmallInt")),
        "int4" => (Family::Int, None),
        "int8" => (Family::BigInt, None),
        "oid" => (Family::Int, plain("Oid")),
        "float4" => (Family::Float, plain("Real")),
        "float8" => (Family::Float, None),
        "bool" => (Family::Boolean, None),
        "text" => (Family::String, None),
        "citext" => (Family::String, plain("Citext")),
        "varchar" => (Family::String, with("VarChar", length)),
        "bpchar" => (Family::String, with("Char", length)),
        "char" => (Family::String, plain("Char")),
        "date" => (Family::DateTime, plain("Date")),
        "bytea" => (Family::Bytes, None),
        "json" => (Family::Json, plain("Json")),
        "jsonb" => (Family::Json, None),
        "uuid" => (Family::Uuid, plain("Uuid")),
        "xml" => (Family::String, plain("Xml")),
        "bit" => (Family::String, with("Bit", bits)),
        "varbit" => (Family::String, with("VarBit", bits)),
        "numeric" => (Family::Decimal, decimal(modifier, column.list)?),
        "money" => (Family::Decimal, plain("Money")),
        "time" => (Family::DateTime, with("Time", digits)),
        "timetz" => (Family::DateTime, with("Timetz", digits)),
        "timestamp" if digits == Some(3) || digits.is_none() && modifier == 3 => {
            (Family::DateTime, None)
        }
        "timestamp" => (Family::DateTime, with("Timestamp", digits)),
        "timestamptz" => (Family::DateTime, with("Timestamptz", digits)),
        "inet" => (Family::String, plain("Inet")),
        _ => return None,
    })
}

/// None where Prisma's parser refuses the scale.
fn decimal(modifier: i32, list: bool) -> Option<Option<String>> {
    if modifier < 4 {
        return Some(Some("Decimal".to_owned()));
    }
    let packed = modifier - 4;
    let (precision, scale) = (packed >> 16 & 0xffff, (packed & 0x7ff ^ 1024) - 1024);
    match (precision, scale) {
        (65, 30) => Some(None),
        (_, 0..) if scale <= precision => Some(Some(format!("Decimal({precision}, {scale})"))),
        // Prisma does not see a negative scale in a list.
        (_, ..0) if list => Some(Some("Decimal".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(type_name: &str, modifier: i32) -> ColumnFact {
        ColumnFact {
            number: 1,
            name: "c".to_owned(),
            type_schema: "pg_catalog".to_owned(),
            type_name: type_name.to_owned(),
            type_kind: 'b',
            list: type_name.starts_with('_'),
            element_kind: Some('b'),
            element_schema: Some("pg_catalog".to_owned()),
            modifier,
            domain: None,
            required: false,
            default: false,
            identity: false,
            generated: false,
            description: None,
        }
    }

    fn text(column: &ColumnFact, printed: &str) -> String {
        let enum_of = |schema: &str, name: &str| {
            (schema == "shop" && name == "size").then(|| (0, "Size".to_owned()))
        };
        let found = of(column, printed, enum_of);
        let list = if found.list { "[]" } else { "" };
        found.native.map_or_else(|| found.text.clone(), |native| format!("{} {native}", found.text))
            + list
    }

    #[test]
    fn native_types_are_said_where_they_are_not_the_usual_ones() {
        for (name, modifier, expected) in [
            ("int4", -1, "Int"),
            ("int2", -1, "Int SmallInt"),
            ("text", -1, "String"),
            ("varchar", -1, "String VarChar"),
            ("varchar", 14, "String VarChar(10)"),
            ("bpchar", 5, "String Char(1)"),
            ("bit", 3, "String Bit(3)"),
            ("timestamp", -1, "DateTime Timestamp(6)"),
            ("timestamp", 3, "DateTime"),
            ("_timestamp", 3, "DateTime[]"),
            ("_timestamp", -1, "DateTime Timestamp[]"),
            ("timestamptz", 3, "DateTime Timestamptz(3)"),
            ("numeric", -1, "Decimal Decimal"),
            ("numeric", (65 << 16) + 30 + 4, "Decimal"),
            ("numeric", (10 << 16) + 2 + 4, "Decimal Decimal(10, 2)"),
            ("numeric", (10 << 16) + 0x7fe + 4, "Unsupported(\"x\")"),
            ("numeric", (2 << 16) + 5 + 4, "Unsupported(\"x\")"),
            ("_numeric", (10 << 16) + 0x7fe + 4, "Decimal Decimal[]"),
            ("int2vector", -1, "Unsupported(\"x\")"),
        ] {
            assert_eq!(text(&column(name, modifier), "x"), expected, "{name}({modifier})");
        }
    }

    #[test]
    fn enums_have_their_names_and_others_are_not_supported() {
        let mut size = column("size", -1);
        size.type_schema = "shop".to_owned();
        size.type_kind = 'e';
        assert_eq!(text(&size, "shop.size"), "Size");
        size.type_schema = "other".to_owned();
        assert_eq!(text(&size, "other.\"size\""), r#"Unsupported("other.\"size\"")"#);
        let mut vectors = column("_vector", -1);
        vectors.element_schema = Some("public".to_owned());
        assert_eq!(text(&vectors, "vector(3)[]"), "Unsupported(\"vector(3)\")[]");
        // A type of the user's that bears the name of another.
        let mut text_of_users = column("text", -1);
        text_of_users.type_schema = "public".to_owned();
        assert_eq!(text(&text_of_users, "public.text"), "Unsupported(\"public.text\")");
    }
}
