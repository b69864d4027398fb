//! The types that a field may have.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// `text`, or `varchar(n)` with n characters.
    Text {
        max_length: Option<u32>,
    },
    /// 32 bits.
    Integer,
    /// 64 bits.
    Bigint,
    /// `numeric`, or `numeric(precision, scale)`.
    Decimal {
        precision: Option<(u16, u16)>,
    },
    /// `double precision`.
    Float,
    Boolean,
    Date,
    /// `time` without a zone.
    Time,
    /// `timestamptz`.
    Timestamp,
    Uuid,
    /// `jsonb`.
    Json,
    /// `bytea`; base64 in JSON.
    Bytes,
    /// `text` with a check; the values in the order of the document.
    Enum {
        values: Vec<String>,
    },
    /// The key of another entry table, or of this one.
    Reference {
        to: String,
        on_delete: OnDelete,
    },
    /// pgvector's `vector(dimensions)`.
    Vector {
        dimensions: u16,
    },
    /// A type made by `CREATE TYPE … AS ENUM`, of a blueprint.
    NamedEnum {
        schema: String,
        name: String,
    },
    /// A type that only the tables of blueprints have.
    Native(NativeType),
}

/// A type by its name in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeType {
    /// `None` is `pg_catalog`.
    pub(crate) schema: Option<String>,
    /// `pg_type.typname`: `int2`, `bpchar`, `timestamp`, `geometry`.
    pub(crate) name: String,
    /// What stands in parentheses, as Postgres prints it: `3`, or `Point` and `4326`.
    pub(crate) modifiers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OnDelete {
    Restrict,
    Cascade,
    SetNull,
}

impl FieldKind {
    /// The word for it in a document.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            FieldKind::Text { .. } => "text",
            FieldKind::Integer => "integer",
            FieldKind::Bigint => "bigint",
            FieldKind::Decimal { .. } => "decimal",
            FieldKind::Float => "float",
            FieldKind::Boolean => "boolean",
            FieldKind::Date => "date",
            FieldKind::Time => "time",
            FieldKind::Timestamp => "timestamp",
            FieldKind::Uuid => "uuid",
            FieldKind::Json => "json",
            FieldKind::Bytes => "bytes",
            FieldKind::Enum { .. } => "enum",
            FieldKind::Reference { .. } => "reference",
            FieldKind::Vector { .. } => "vector",
            FieldKind::NamedEnum { .. } => "enum",
            FieldKind::Native(_) => "native",
        }
    }

    /// All words, in the order of the documentation.
    pub(crate) const NAMES: [&'static str; 15] = [
        "text",
        "integer",
        "bigint",
        "decimal",
        "float",
        "boolean",
        "date",
        "time",
        "timestamp",
        "uuid",
        "json",
        "bytes",
        "enum",
        "reference",
        "vector",
    ];

    /// Whether there can be lists of it.
    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(
            self,
            FieldKind::Json
                | FieldKind::Bytes
                | FieldKind::Reference { .. }
                | FieldKind::Vector { .. }
        )
    }

    /// Whether its values have an order that every database agrees on (text depends on collation).
    pub(crate) fn is_ordered(&self) -> bool {
        if let FieldKind::Native(native) = self {
            return native.constant_kind().is_ordered();
        }
        matches!(
            self,
            FieldKind::Integer
                | FieldKind::Bigint
                | FieldKind::Decimal { .. }
                | FieldKind::Float
                | FieldKind::Date
                | FieldKind::Time
                | FieldKind::Timestamp
        )
    }

    /// Whether its values can be compared for equality and be in a B-tree.
    pub(crate) fn is_comparable(&self) -> bool {
        match self {
            FieldKind::Native(native) => {
                native.schema.is_some()
                    || ![
                        "json", "jsonpath", "xml", "point", "box", "circle", "line", "lseg",
                        "path", "polygon",
                    ]
                    .contains(&native.name.as_str())
            }
            kind => !matches!(kind, FieldKind::Json | FieldKind::Vector { .. }),
        }
    }
}

impl NativeType {
    /// Whether its values are points in time, or times of a day.
    pub(crate) fn is_time(&self) -> bool {
        self.schema.is_none()
            && ["timestamp", "timestamptz", "time", "timetz"].contains(&self.name.as_str())
    }

    /// The type whose constants are read, compared and printed alike; texts as Postgres prints them where no other is.
    pub(crate) fn constant_kind(&self) -> FieldKind {
        if self.schema.is_some() {
            return FieldKind::Text { max_length: None };
        }
        match self.name.as_str() {
            "int2" => FieldKind::Integer,
            "oid" => FieldKind::Bigint,
            "float4" => FieldKind::Float,
            "timestamptz" | "timestamp" => FieldKind::Timestamp,
            "time" => FieldKind::Time,
            "money" => FieldKind::Decimal { precision: None },
            "json" => FieldKind::Json,
            _ => FieldKind::Text { max_length: None },
        }
    }
}

impl OnDelete {
    pub(crate) const ALL: [OnDelete; 3] =
        [OnDelete::Restrict, OnDelete::Cascade, OnDelete::SetNull];

    pub(crate) fn name(self) -> &'static str {
        match self {
            OnDelete::Restrict => "restrict",
            OnDelete::Cascade => "cascade",
            OnDelete::SetNull => "set_null",
        }
    }
}
