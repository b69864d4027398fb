//! Limits of Postgres that a table must not run into when it is too late: numbers of columns, widths of
//! rows and of index entries.

use super::model::Method;
use super::table::{Column, Rule, Table};
use crate::field_types::kind::FieldKind;

/// Of the 1,600 column numbers that a table has in its life, dropped ones included, these are the ones
/// from which the plan warns, and at which it refuses.
const COLUMNS_WARN: usize = 1_200;
pub(crate) const COLUMNS_REFUSE: usize = 1_500;

/// Bytes of a row's values that fit into a page of 8 kB, where long ones are stored elsewhere.
const ROW_BYTES: usize = 8_160 - 24;
/// A long value that is stored elsewhere leaves a pointer of so many bytes.
const POINTER: usize = 18;
/// Bytes of an entry of a B-tree on pages of 8 kB.
pub(crate) const INDEX_BYTES: u32 = 2_704;

/// What the column numbers allow: a warning, or why not.
pub(crate) fn column_numbers(used: usize, added: usize) -> Result<Option<String>, String> {
    let after = used + added;
    if added > 0 && after > COLUMNS_REFUSE {
        return Err(format!(
            "the table would have used {after} of the 1,600 column numbers that a table has in its life, \
             and {COLUMNS_REFUSE} is the limit: create a new table and move the entries"
        ));
    }
    Ok((added > 0 && after >= COLUMNS_WARN).then(|| {
        format!(
            "column_numbers: {after} of the 1,600 that a table has in its life are used then, hidden \
             and purged ones included; at {COLUMNS_REFUSE} no more can be added"
        )
    }))
}

/// What the width of rows allows: a warning, or why not.
pub(crate) fn row_width(table: &Table) -> Result<Option<String>, String> {
    let bitmap = table.columns.len().div_ceil(8);
    let width = |columns: &mut dyn Iterator<Item = &Column>| -> usize {
        columns.map(stored_width).sum::<usize>() + bitmap
    };
    let least = width(&mut table.columns.iter().filter(|column| column.required));
    if least > ROW_BYTES {
        return Err(format!(
            "an entry would take {least} bytes of a page at least, and {ROW_BYTES} fit: make fields \
             optional, or put some into a field of type json"
        ));
    }
    let most = width(&mut table.columns.iter());
    Ok((most > ROW_BYTES).then(|| {
        format!(
            "row_width: an entry with all fields set takes {most} bytes of a page, and {ROW_BYTES} fit: \
             it could not be stored"
        )
    }))
}

/// Bytes that a value takes at least, with its padding at worst.
fn stored_width(column: &Column) -> usize {
    if column.list {
        return POINTER;
    }
    match &column.kind {
        FieldKind::Boolean => 1,
        FieldKind::Integer | FieldKind::Date => 4,
        FieldKind::Bigint | FieldKind::Float | FieldKind::Time | FieldKind::Timestamp => 8,
        FieldKind::Uuid => 16,
        FieldKind::Text { max_length: Some(length) } => POINTER.min(1 + 4 * *length as usize),
        FieldKind::Decimal { precision: Some((precision, _)) } => {
            POINTER.min(3 + 2 * usize::from(precision.div_ceil(4) + 1))
        }
        FieldKind::NamedEnum { .. } => 4,
        FieldKind::Native(native) if native.schema.is_none() => match native.name.as_str() {
            "int2" => 2,
            "float4" | "oid" => 4,
            "timestamp" | "timestamptz" | "time" | "money" => 8,
            "timetz" => 12,
            _ => POINTER,
        },
        FieldKind::Vector { dimensions } => POINTER.min(8 + 4 * usize::from(*dimensions)),
        _ => POINTER,
    }
}

/// What to know of the width of an index's entries.
pub(crate) fn index_width(table: &Table, rule: &Rule) -> Option<String> {
    if let Rule::Index(index) = rule
        && index.method != Method::Btree
    {
        return None;
    }
    if !matches!(rule, Rule::Index(_) | Rule::Unique(_)) {
        return None;
    }
    let mut most = Some(8_u32);
    for name in rule.columns() {
        let column = table.column(name)?;
        let bytes = match &column.kind {
            FieldKind::Text { max_length } => max_length.map(|length| 4 + length.saturating_mul(4)),
            FieldKind::Bytes | FieldKind::Decimal { precision: None } => None,
            // No other type comes near the limit.
            FieldKind::Decimal { precision: Some((precision, _)) } => Some(u32::from(*precision)),
            _ => Some(16),
        };
        most = most.zip(bytes).map(|(a, b)| a.saturating_add(b));
    }
    most.is_none_or(|most| most > INDEX_BYTES).then(|| {
        format!(
            "index_width: an index entry holds {INDEX_BYTES} bytes, and entries whose indexed values \
             are longer are refused: give the text a max_length"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(count: usize, kind: FieldKind, required: bool) -> Table {
        let column = |at| Column {
            name: format!("f{at}"),
            kind: kind.clone(),
            list: false,
            required,
            default: None,
            description: None,
        };
        let columns = (0..count).map(column).collect();
        Table {
            description: None,
            columns,
            rules: Vec::new(),
            names: Vec::new(),
            guarded: Vec::new(),
        }
    }

    #[test]
    fn limits_are_said_before_they_are_met() {
        assert_eq!(column_numbers(1_100, 50), Ok(None));
        assert!(column_numbers(1_150, 50).unwrap().is_some());
        assert_eq!(column_numbers(1_450, 0), Ok(None));
        assert!(column_numbers(1_450, 51).is_err());

        assert_eq!(row_width(&table(900, FieldKind::Bigint, true)), Ok(None));
        assert!(row_width(&table(1_100, FieldKind::Bigint, false)).unwrap().is_some());
        assert!(row_width(&table(1_100, FieldKind::Bigint, true)).is_err());
        assert_eq!(row_width(&table(1_100, FieldKind::Boolean, true)), Ok(None));

        let unique = Rule::Unique(vec![crate::structure::table::UniqueColumn {
            name: "f0".to_owned(),
            case_insensitive: false,
        }]);
        let text = |max_length| table(1, FieldKind::Text { max_length }, false);
        assert!(index_width(&text(None), &unique).is_some());
        assert!(index_width(&text(Some(1_000)), &unique).is_some());
        assert_eq!(index_width(&text(Some(255)), &unique), None);
        assert_eq!(index_width(&table(1, FieldKind::Bigint, false), &unique), None);
    }
}
