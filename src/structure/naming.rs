//! Which column of an entry table becomes which, where documents and the database may call a field differently.
//!
//! A field is the one that `renamed_from` names, else the one of its name before, else the one that had its column: what
//! documents call it may change while the column stays, and the other way round.

use super::model::{Field, Structure};
use super::step::Step;

/// Columns that get another name: before and after.
pub(super) fn renames(before: &Structure, after: &Structure) -> Vec<(String, String)> {
    let mut renames: Vec<(String, String)> = after
        .fields
        .iter()
        .filter_map(|field| {
            let moved = source(before, after, field);
            let from = match field.renamed_from.as_deref() {
                // A rename that was done is told again, by a name that nothing has any more.
                Some(from) if moved.is_none() || before.has(from) => before.column_of(from),
                _ => moved?,
            };
            (from != field.column()).then(|| (from.to_owned(), field.column().to_owned()))
        })
        .collect();
    if before.key.column() != after.key.column() {
        renames.push((before.key.column().to_owned(), after.key.column().to_owned()));
    }
    renames
}

/// The column that a field of the same name had before, if it was another one and no other field takes it or the name's past.
fn source<'s>(before: &'s Structure, after: &Structure, field: &Field) -> Option<&'s str> {
    let old = before.field(&field.name)?.column();
    let is_taken =
        |other: &Field| other.column() == old || other.renamed_from.as_ref() == Some(&field.name);
    (!after.fields.iter().any(is_taken)).then_some(old)
}

/// A field whose column becomes that of another field while it gets another itself: nobody can tell whether the values
/// or the names are to change places.
pub(super) fn refused(before: &Structure, after: &Structure) -> Option<Step> {
    let column_before = |field: &Field| before.field(&field.name).map(Field::column);
    let takes = after.fields.iter().find(|field| {
        let Some(old) = column_before(field).filter(|old| *old != field.column()) else {
            return false;
        };
        field.renamed_from.is_none()
            && after.fields.iter().any(|other| {
                other.name != field.name
                    && other.column() == old
                    && other.renamed_from.as_ref() != Some(&field.name)
            })
    })?;
    let why = format!(
        "field \"{}\" gets another column, and its own becomes that of another field: do it in two changes, with \
         another column between",
        takes.name
    );
    Some(Step::refused("rename_column", takes.column(), why))
}

/// What a field was before; none where it is new.
pub(super) fn field_before<'s>(
    before: &'s Structure,
    after: &Structure,
    field: &Field,
) -> Option<&'s Field> {
    let called =
        |name: &str| before.fields.iter().find(|old| old.name == name || old.column() == name);
    let told = field.renamed_from.as_deref().filter(|from| {
        // Otherwise the rename was done before, and the old name was given again.
        before.field(&field.name).is_none() || after.field(from).is_none()
    });
    if let Some(old) = told.and_then(called) {
        return Some(old);
    }
    let is_told_elsewhere = |old: &&Field| {
        let takes = |other: &Field| {
            other.name != field.name
                && other.renamed_from.as_ref() == Some(&old.name)
                && before.field(&other.name).is_none()
        };
        !after.fields.iter().any(takes)
    };
    let same = before.field(&field.name).filter(is_told_elsewhere);
    same.or_else(|| {
        let of_column = before.fields.iter().find(|old| old.column() == field.column());
        of_column.filter(|old| after.field(&old.name).is_none()).filter(is_told_elsewhere)
    })
}
