//! The pure modules about structures, and what is asked of them.

use crate::field_types::kind::FieldKind;
use crate::json::Json;

mod blueprint;
#[path = "../../src/structure/constant.rs"]
mod constant;
#[path = "../../src/structure/deparse.rs"]
mod deparse;
#[path = "../../src/structure/document/mod.rs"]
pub(crate) mod document;
#[path = "../../src/structure/json_schema/mod.rs"]
mod json_schema;
#[path = "../../src/structure/model.rs"]
mod model;
#[path = "../../src/structure/sql_text/mod.rs"]
pub(crate) mod sql_text;
#[path = "../../src/structure/table/mod.rs"]
mod table;

use constant::Constant;
use deparse::Expression;
use model::Structure;

/// A document that is read and printed is the same one for ever.
pub fn read_document(text: &str) {
    let Ok(mut structure) = Structure::from_document(text) else { return };
    // They are not part of the normal form.
    structure.fields.iter_mut().for_each(|field| field.renamed_from = None);
    let printed = structure.to_document();
    assert_eq!(Structure::from_json(&printed).as_ref(), Ok(&structure), "{printed}");
    let parsed = Json::parse(&printed.to_string());
    assert_eq!(parsed.as_ref(), Ok(&printed));
}

/// What comes from a schema goes out as a schema of the same structure.
pub fn read_json_schema(text: &str) {
    let Ok(schema) = Json::parse(text) else { return };
    let Ok(converted) = json_schema::to_document(&schema) else { return };
    let structure = match Structure::from_json(&converted.document) {
        Ok(structure) => structure,
        Err(problems) => {
            problems.iter().for_each(|problem| drop(converted.locate(&problem.pointer)));
            return;
        }
    };
    let schema = json_schema::schema_of(&structure);
    let Ok(again) = json_schema::to_document(&schema) else { panic!("{schema}") };
    assert_eq!(Structure::from_json(&again.document).as_ref(), Ok(&structure), "{schema}");
}

/// An expression ends in a value that Postgres would read back as the same, or in none.
pub fn read_expression(text: &str) {
    let Some(expression) = Expression::parse(text) else { return };
    expression.conjuncts();
    let kinds = [
        FieldKind::Text { max_length: Some(3) },
        FieldKind::Integer,
        FieldKind::Bigint,
        FieldKind::Decimal { precision: None },
        FieldKind::Decimal { precision: Some((5, 2)) },
        FieldKind::Float,
        FieldKind::Boolean,
        FieldKind::Date,
        FieldKind::Time,
        FieldKind::Timestamp,
        FieldKind::Uuid,
        FieldKind::Json,
    ];
    for kind in kinds {
        for list in [false, true] {
            if let Some(constant) = expression.constant(&kind, list) {
                let read = Constant::from_output(&kind, list, &constant.input());
                assert_eq!(read.as_ref(), Some(&constant));
            }
        }
    }
}
