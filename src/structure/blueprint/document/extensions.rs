//! Types and operator classes of extensions: a document names them without their schema, which the database knows.

use super::types::OF_EXTENSION;
use crate::field_types::kind::FieldKind;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::table::Rule;

impl Blueprint {
    /// Puts in the schemas of types and operator classes that lie where their extensions were put. The finders know them
    /// by name, and the class also by its method; what they do not find stays as it is, and is given back.
    pub(crate) fn settle_schemas(
        &mut self,
        type_schema: &dyn Fn(&str) -> Option<String>,
        class_schema: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        let mut settle = |schema: &mut Option<String>, name: String, found: Option<String>| {
            if schema.as_deref() != Some(OF_EXTENSION) {
                return;
            }
            match found {
                Some(found) => *schema = Some(found).filter(|found| found != "pg_catalog"),
                None if missing.contains(&name) => {}
                None => missing.push(name),
            }
        };
        for model in &mut self.tables {
            for column in &mut model.table.columns {
                if let FieldKind::Native(native) = &mut column.kind {
                    let found = type_schema(&native.name);
                    settle(&mut native.schema, format!("type {}", native.name), found);
                }
            }
            for rule in &mut model.table.rules {
                let Rule::Index(index) = rule else { continue };
                let method = index.method.name();
                for column in &mut index.columns {
                    if let Some((schema, class)) = &mut column.operators {
                        let found = class_schema(method, class);
                        settle(schema, format!("operator class {class} of {method}"), found);
                    }
                }
            }
        }
        missing
    }
}
