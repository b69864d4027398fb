//! What a version renames. Its document in normal form says what there is to be, and not what that was called; while the version
//! is under way, nothing else tells which of its tables and columns are those of the version before.

use super::model::Blueprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Renames {
    /// By the names of now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, String>,
    /// By table: fields before, and columns of now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, Vec<(String, String)>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    enums: BTreeMap<String, String>,
    /// By enum: before and now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Vec<(String, String)>>,
}

impl Renames {
    /// Those that a document tells.
    pub(crate) fn of(blueprint: &Blueprint) -> Self {
        let mut renames = Self::default();
        for table in &blueprint.tables {
            if let Some(from) = &table.renamed_from {
                renames.tables.insert(table.name.clone(), from.clone());
            }
            if !table.renames.is_empty() {
                renames.fields.insert(table.name.clone(), table.renames.clone());
            }
        }
        for one in &blueprint.enums {
            if let Some(from) = &one.renamed_from {
                renames.enums.insert(one.name.clone(), from.clone());
            }
            if !one.renamed_values.is_empty() {
                renames.values.insert(one.name.clone(), one.renamed_values.clone());
            }
        }
        renames
    }

    /// Tells them to the document in normal form.
    pub(crate) fn tell(&self, blueprint: &mut Blueprint) {
        for table in &mut blueprint.tables {
            table.renamed_from = self.tables.get(&table.name).cloned();
            table.renames = self.fields.get(&table.name).cloned().unwrap_or_default();
        }
        for one in &mut blueprint.enums {
            one.renamed_from = self.enums.get(&one.name).cloned();
            one.renamed_values = self.values.get(&one.name).cloned().unwrap_or_default();
        }
    }
}
