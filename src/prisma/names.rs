//! The names that Prisma gives to constraints and indexes (`ConstraintNames` and the calculator of join tables
//! in prisma-engines): what would be too long is cut, and the suffix stays whole.

use crate::ident::MAX_NAME;

/// `{table}_pkey`.
pub(super) fn primary_key(table: &str) -> String {
    with_suffix(table, "_pkey")
}

/// `{table}_{columns}_key`.
pub(super) fn unique(table: &str, columns: &[&str]) -> String {
    with_suffix(&joined(table, columns), "_key")
}

/// `{table}_{columns}_idx`.
pub(super) fn index(table: &str, columns: &[&str]) -> String {
    with_suffix(&joined(table, columns), "_idx")
}

/// `{table}_{columns}_fkey`.
pub(super) fn foreign_key(table: &str, columns: &[&str]) -> String {
    with_suffix(&joined(table, columns), "_fkey")
}

/// The table of a relation of many to many, `_{relation}`.
pub(super) fn join_table(relation: &str) -> String {
    cut(&format!("_{relation}"), MAX_NAME).to_owned()
}

/// What belongs to such a table: its key, its index, and the foreign key of a column.
pub(super) fn join_key(table: &str) -> String {
    with_suffix(table, "_AB_pkey")
}

pub(super) fn join_index(table: &str) -> String {
    with_suffix(table, "_B_index")
}

pub(super) fn join_foreign_key(table: &str, column: char) -> String {
    with_suffix(table, &format!("_{column}_fkey"))
}

fn joined(table: &str, columns: &[&str]) -> String {
    format!("{table}_{}", columns.join("_"))
}

fn with_suffix(name: &str, suffix: &str) -> String {
    format!("{}{suffix}", cut(name, MAX_NAME - suffix.len()))
}

/// At most so many bytes, in whole characters.
fn cut(name: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(name.len())).rev().find(|&at| name.is_char_boundary(at));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_in_front_of_the_suffix() {
        assert_eq!(primary_key("users"), "users_pkey");
        assert_eq!(unique("users", &["a", "b"]), "users_a_b_key");
        let long = "t".repeat(60);
        assert_eq!(primary_key(&long), format!("{}_pkey", "t".repeat(58)));
        assert_eq!(index(&long, &["c"]), format!("{}_idx", "t".repeat(59)));
        assert_eq!(foreign_key(&long, &["c"]), format!("{}_fkey", "t".repeat(58)));
        // Exactly as long as fits.
        assert_eq!(unique(&"t".repeat(57), &["c"]).len(), 63);
        assert_eq!(unique(&"t".repeat(58), &["c"]).len(), 63);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        let long = "é".repeat(40);
        assert_eq!(primary_key(&long), format!("{}_pkey", "é".repeat(29)));
        assert_eq!(join_table(&long).len(), 63);
    }
}
