//! The operator classes of `pg_catalog`: which method has them, for which type, and which is the type's own.
//!
//! As Postgres 16 to 18 have them, without those of types that tables of applications do not have.

use crate::structure::model::Method;

/// Method, type, its own class (none where empty), others.
const CLASSES: &[(&str, &str, &str, &[&str])] = &[
    ("brin", "bit", "bit_minmax_ops", &[]),
    ("brin", "box", "box_inclusion_ops", &[]),
    ("brin", "bpchar", "bpchar_minmax_ops", &["bpchar_bloom_ops"]),
    ("brin", "bytea", "bytea_minmax_ops", &["bytea_bloom_ops"]),
    ("brin", "char", "char_minmax_ops", &["char_bloom_ops"]),
    ("brin", "date", "date_minmax_ops", &["date_bloom_ops", "date_minmax_multi_ops"]),
    ("brin", "float4", "float4_minmax_ops", &["float4_bloom_ops", "float4_minmax_multi_ops"]),
    ("brin", "float8", "float8_minmax_ops", &["float8_bloom_ops", "float8_minmax_multi_ops"]),
    (
        "brin",
        "inet",
        "inet_inclusion_ops",
        &["inet_bloom_ops", "inet_minmax_multi_ops", "inet_minmax_ops"],
    ),
    ("brin", "int2", "int2_minmax_ops", &["int2_bloom_ops", "int2_minmax_multi_ops"]),
    ("brin", "int4", "int4_minmax_ops", &["int4_bloom_ops", "int4_minmax_multi_ops"]),
    ("brin", "int8", "int8_minmax_ops", &["int8_bloom_ops", "int8_minmax_multi_ops"]),
    (
        "brin",
        "interval",
        "interval_minmax_ops",
        &["interval_bloom_ops", "interval_minmax_multi_ops"],
    ),
    (
        "brin",
        "macaddr8",
        "macaddr8_minmax_ops",
        &["macaddr8_bloom_ops", "macaddr8_minmax_multi_ops"],
    ),
    ("brin", "macaddr", "macaddr_minmax_ops", &["macaddr_bloom_ops", "macaddr_minmax_multi_ops"]),
    ("brin", "numeric", "numeric_minmax_ops", &["numeric_bloom_ops", "numeric_minmax_multi_ops"]),
    ("brin", "oid", "oid_minmax_ops", &["oid_bloom_ops", "oid_minmax_multi_ops"]),
    ("brin", "anyrange", "range_inclusion_ops", &[]),
    ("brin", "text", "text_minmax_ops", &["text_bloom_ops"]),
    ("brin", "time", "time_minmax_ops", &["time_bloom_ops", "time_minmax_multi_ops"]),
    (
        "brin",
        "timestamp",
        "timestamp_minmax_ops",
        &["timestamp_bloom_ops", "timestamp_minmax_multi_ops"],
    ),
    (
        "brin",
        "timestamptz",
        "timestamptz_minmax_ops",
        &["timestamptz_bloom_ops", "timestamptz_minmax_multi_ops"],
    ),
    ("brin", "timetz", "timetz_minmax_ops", &["timetz_bloom_ops", "timetz_minmax_multi_ops"]),
    ("brin", "uuid", "uuid_minmax_ops", &["uuid_bloom_ops", "uuid_minmax_multi_ops"]),
    ("brin", "varbit", "varbit_minmax_ops", &[]),
    ("btree", "anyarray", "array_ops", &[]),
    ("btree", "bit", "bit_ops", &[]),
    ("btree", "bool", "bool_ops", &[]),
    ("btree", "bpchar", "bpchar_ops", &["bpchar_pattern_ops"]),
    ("btree", "bytea", "bytea_ops", &[]),
    ("btree", "char", "char_ops", &[]),
    ("btree", "inet", "inet_ops", &["cidr_ops"]),
    ("btree", "date", "date_ops", &[]),
    ("btree", "anyenum", "enum_ops", &[]),
    ("btree", "float4", "float4_ops", &[]),
    ("btree", "float8", "float8_ops", &[]),
    ("btree", "int2", "int2_ops", &[]),
    ("btree", "int4", "int4_ops", &[]),
    ("btree", "int8", "int8_ops", &[]),
    ("btree", "interval", "interval_ops", &[]),
    ("btree", "jsonb", "jsonb_ops", &[]),
    ("btree", "macaddr8", "macaddr8_ops", &[]),
    ("btree", "macaddr", "macaddr_ops", &[]),
    ("btree", "money", "money_ops", &[]),
    ("btree", "anymultirange", "multirange_ops", &[]),
    ("btree", "numeric", "numeric_ops", &[]),
    ("btree", "oid", "oid_ops", &[]),
    ("btree", "anyrange", "range_ops", &[]),
    ("btree", "text", "text_ops", &["text_pattern_ops", "varchar_ops", "varchar_pattern_ops"]),
    ("btree", "time", "time_ops", &[]),
    ("btree", "timestamp", "timestamp_ops", &[]),
    ("btree", "timestamptz", "timestamptz_ops", &[]),
    ("btree", "timetz", "timetz_ops", &[]),
    ("btree", "tsquery", "tsquery_ops", &[]),
    ("btree", "tsvector", "tsvector_ops", &[]),
    ("btree", "uuid", "uuid_ops", &[]),
    ("btree", "varbit", "varbit_ops", &[]),
    ("gin", "anyarray", "array_ops", &[]),
    ("gin", "jsonb", "jsonb_ops", &["jsonb_path_ops"]),
    ("gin", "tsvector", "tsvector_ops", &[]),
    ("gist", "box", "box_ops", &[]),
    ("gist", "circle", "circle_ops", &[]),
    ("gist", "inet", "", &["inet_ops"]),
    ("gist", "anymultirange", "multirange_ops", &[]),
    ("gist", "point", "point_ops", &[]),
    ("gist", "polygon", "poly_ops", &[]),
    ("gist", "anyrange", "range_ops", &[]),
    ("gist", "tsquery", "tsquery_ops", &[]),
    ("gist", "tsvector", "tsvector_ops", &[]),
    ("hash", "anyarray", "array_ops", &[]),
    ("hash", "bool", "bool_ops", &[]),
    ("hash", "bpchar", "bpchar_ops", &["bpchar_pattern_ops"]),
    ("hash", "bytea", "bytea_ops", &[]),
    ("hash", "char", "char_ops", &[]),
    ("hash", "inet", "inet_ops", &["cidr_ops"]),
    ("hash", "date", "date_ops", &[]),
    ("hash", "anyenum", "enum_ops", &[]),
    ("hash", "float4", "float4_ops", &[]),
    ("hash", "float8", "float8_ops", &[]),
    ("hash", "int2", "int2_ops", &[]),
    ("hash", "int4", "int4_ops", &[]),
    ("hash", "int8", "int8_ops", &[]),
    ("hash", "interval", "interval_ops", &[]),
    ("hash", "jsonb", "jsonb_ops", &[]),
    ("hash", "macaddr8", "macaddr8_ops", &[]),
    ("hash", "macaddr", "macaddr_ops", &[]),
    ("hash", "anymultirange", "multirange_ops", &[]),
    ("hash", "numeric", "numeric_ops", &[]),
    ("hash", "oid", "oid_ops", &[]),
    ("hash", "anyrange", "range_ops", &[]),
    ("hash", "text", "text_ops", &["text_pattern_ops", "varchar_ops", "varchar_pattern_ops"]),
    ("hash", "time", "time_ops", &[]),
    ("hash", "timestamp", "timestamp_ops", &[]),
    ("hash", "timestamptz", "timestamptz_ops", &[]),
    ("hash", "timetz", "timetz_ops", &[]),
    ("hash", "uuid", "uuid_ops", &[]),
    ("spgist", "box", "box_ops", &[]),
    ("spgist", "inet", "inet_ops", &[]),
    ("spgist", "point", "quad_point_ops", &["kd_point_ops"]),
    ("spgist", "polygon", "poly_ops", &[]),
    ("spgist", "anyrange", "range_ops", &[]),
    ("spgist", "text", "text_ops", &[]),
];

/// What is known of a class that an index names for a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// What the index has when it names none.
    Own,
    /// Of `pg_catalog`.
    Other,
    /// Of another schema, which the database knows.
    Foreign,
}

/// What the catalog calls the type when it looks for operators; `None` for the type of an extension.
pub(super) fn type_of_operators(name: &str, list: bool) -> &str {
    match name {
        _ if list => "anyarray",
        "varchar" => "text",
        "cidr" => "inet",
        name if name.ends_with("multirange") => "anymultirange",
        name if name.ends_with("range") => "anyrange",
        name => name,
    }
}

/// Judges a class by its name. The type is one of [`type_of_operators`], or `None` for one of an extension.
pub(super) fn judge(method: Method, operand: Option<&str>, class: &str) -> Result<Class, String> {
    let method = method.name();
    let named = |row: &&(&str, &str, &str, &[&str])| row.2 == class || row.3.contains(&class);
    let mut rows = CLASSES.iter().filter(named).peekable();
    if rows.peek().is_none() {
        return Ok(Class::Foreign);
    }
    let Some(operand) = operand else {
        return Err(format!("\"{class}\" is of another type"));
    };
    let rows: Vec<_> = rows.collect();
    match rows.iter().find(|row| row.0 == method && row.1 == operand) {
        Some(row) if row.2 == class => Ok(Class::Own),
        Some(_) => Ok(Class::Other),
        None if rows.iter().any(|row| row.0 == method) => {
            Err(format!("\"{class}\" is not of the field's type"))
        }
        None => {
            let mut methods: Vec<&str> = rows.iter().map(|row| row.0).collect();
            methods.dedup();
            Err(format!("\"{class}\" is of {}, and the index is {method}", methods.join(", ")))
        }
    }
}

/// Whether an index of the method needs no operator class for the type.
pub(super) fn has_own_class(method: Method, operand: &str) -> bool {
    CLASSES.iter().any(|row| row.0 == method.name() && row.1 == operand && !row.2.is_empty())
}

/// The classes of a method for a type.
pub(super) fn classes(method: Method, operand: &str) -> Vec<&'static str> {
    let row = CLASSES.iter().find(|row| row.0 == method.name() && row.1 == operand);
    row.map_or(Vec::new(), |row| {
        let own = Some(row.2).filter(|class| !class.is_empty());
        own.into_iter().chain(row.3.iter().copied()).collect()
    })
}
