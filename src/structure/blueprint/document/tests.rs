//! Blueprints that are right, and blueprints that are wrong in every way.

use super::generate::blueprint;
use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::document::Problem;
use crate::structure::error::StructureError;
use proptest::prelude::*;

fn read(text: &str) -> Blueprint {
    match Blueprint::from_text(text) {
        Ok(blueprint) => blueprint,
        Err(StructureError::InvalidBlueprint(found)) => panic!("{:#?}", lines(found)),
        Err(other) => panic!("{other}"),
    }
}

fn lines(found: Vec<Problem>) -> Vec<String> {
    found.into_iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect()
}

fn problems(text: &str) -> Vec<String> {
    match Blueprint::from_text(text) {
        Ok(blueprint) => panic!("read as {blueprint:?}"),
        Err(StructureError::InvalidBlueprint(found)) => lines(found),
        Err(other) => vec![other.to_string()],
    }
}

proptest! {
    #[test]
    fn the_normal_form_is_the_same_blueprint(blueprint in blueprint()) {
        let document = blueprint.to_document();
        let again = match Blueprint::from_json(&document) {
            Ok(again) => again,
            Err(found) => return Err(TestCaseError::fail(format!("{document}\n{found:#?}"))),
        };
        prop_assert_eq!(&again, &blueprint.without_renames(), "{}", document);
        prop_assert_eq!(again.to_document().to_string(), document.to_string());
    }
}
