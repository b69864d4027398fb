//! By which columns the rows of a table are told from one another.

use super::super::model::ModelTable;
use crate::structure::model::{Index, Method};
use crate::structure::table::{Column, ColumnDefault, Rule, UniqueColumn};

/// A unique set over whole columns, of all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) columns: Vec<UniqueColumn>,
    pub(crate) is_key: bool,
}

impl Set {
    pub(crate) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Whether it is of these columns, in any order.
    pub(crate) fn is_of<'c>(&self, columns: impl IntoIterator<Item = &'c String> + Clone) -> bool {
        let names = self.names();
        columns.clone().into_iter().count() == names.len()
            && columns.into_iter().all(|column| names.contains(&column.as_str()))
    }

    /// Whether these columns are enough to find one row.
    pub(crate) fn is_within(&self, columns: &[&str]) -> bool {
        self.names().iter().all(|name| columns.contains(name))
    }
}

/// All unique sets of a table, the key first.
pub(crate) fn unique_sets(table: &ModelTable) -> Vec<Set> {
    let mut sets: Vec<Set> = table
        .table
        .rules
        .iter()
        .filter_map(|rule| {
            let (columns, is_key) = match rule {
                Rule::PrimaryKey(columns) => {
                    let plain = |name: &String| UniqueColumn {
                        name: name.clone(),
                        case_insensitive: false,
                    };
                    (columns.iter().map(plain).collect(), true)
                }
                Rule::Unique(columns) => (columns.clone(), false),
                Rule::Index(index) => (of_index(index)?, false),
                _ => return None,
            };
            Some(Set { columns, is_key })
        })
        .collect();
    sets.sort_by_key(|set| !set.is_key);
    sets
}

fn of_index(index: &Index) -> Option<Vec<UniqueColumn>> {
    let is_whole = index.unique && index.method == Method::Btree && index.predicate.is_none();
    let plain =
        index.columns.iter().all(|column| column.path.is_empty() && column.operators.is_none());
    (is_whole && plain).then(|| {
        index
            .columns
            .iter()
            .map(|column| UniqueColumn {
                name: column.name.clone(),
                case_insensitive: column.folded,
            })
            .collect()
    })
}

/// Whether the database numbers the rows itself: values of others would meet its own later.
pub(crate) fn is_numbered(column: &Column) -> bool {
    use crate::structure::model::KeyKind;
    matches!(
        column.default,
        Some(
            ColumnDefault::Identity { .. }
                | ColumnDefault::Serial
                | ColumnDefault::Key(KeyKind::Bigint)
        )
    )
}
