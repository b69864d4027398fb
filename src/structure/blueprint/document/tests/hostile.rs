//! Documents that nobody wrote in good faith, and long ones.

use super::super::types;
use super::{EXAMPLE, pointers, problems, read, resolve, table, with};
use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::error::StructureError;
use proptest::prelude::*;

#[test]
fn hostile_documents_are_refused() {
    for text in [
        "",
        "[]",
        "1",
        "null",
        "{",
        r#"{"blueprint":"b"}"#,
        r#"{"blueprint":"b","tables":null}"#,
        r#"{"blueprint":"b","tables":{}}"#,
        r#"{"blueprint":"b","tables":[],"tables":[]}"#,
        r#"{"blueprint":"b\u0000","tables":[]}"#,
        r#"{"blueprint":"kepler","tables":[]}"#,
        r#"{"blueprint":"b","schema":"a\u0000","tables":[]}"#,
        r#"{"blueprint":"b","enums":{"a\u0000":["a"]},"tables":[]}"#,
        r#"{"blueprint":"b","enums":{"a":["a\u0000"]},"tables":[]}"#,
        r#"{"blueprint":"b","tables":[{"name":"a\u0000","fields":[]}]}"#,
        r#"{"blueprint":"b","tables":[{"name":"a","fields":[{"name":"a","type":"text","default_sql":"a\u0000"}]}]}"#,
    ] {
        assert!(!problems(text).is_empty(), "{text}");
    }
    // Quotes are no danger.
    let blueprint = read(&with(
        r#"{"name":"a\"; DROP TABLE b; --","fields":[{"name":"'","type":"text"}]}"#,
        "",
    ));
    assert_eq!(blueprint.tables[0].table_name, "a\"; DROP TABLE b; --");
    let many: Vec<String> =
        (0..2_000).map(|at| format!(r#"{{"name":"t{at}","fields":[]}}"#)).collect();
    let found = problems(&with(&many.join(","), ""));
    assert!(found.len() == 1 && found[0].contains("2000 tables"), "{found:?}");
    assert!(Blueprint::from_text(&with(&many[..1_000].join(","), "")).is_ok());
}

/// What is compared with each other is limited, so that no document takes long.
#[test]
fn a_large_document_is_read_in_little_time() {
    let fields: Vec<String> = (0..1_200)
        .map(|at| format!(r#"{{"name":"f{at}","type":"text","renamed_from":"f{}"}}"#, at + 1))
        .collect();
    let indexes = |number: usize| -> Vec<String> {
        let index = |at| format!(r#"{{"fields":["f0"],"where_sql":"f0 = '{at}'"}}"#);
        (0..number).map(index).collect()
    };
    let with_indexes = |number| {
        let (fields, indexes) = (fields.join(","), indexes(number).join(","));
        table(&format!(r#""fields":[{fields}],"indexes":[{indexes}]"#))
    };
    let blueprint = read(&with_indexes(1_000));
    assert_eq!(blueprint.tables[0].table.names.last().unwrap().as_deref(), Some("T_f0_idx999"));
    assert_eq!(pointers(&with_indexes(50_000)), ["/tables/0/indexes"]);
    let enums: Vec<String> = (0..50_000)
        .map(|at| format!(r#""e{at}":{{"values":["a"],"renamed_from":"e{}"}}"#, at + 1))
        .collect();
    let enums = format!(r#","enums":{{{}}}"#, enums.join(","));
    let field = r#"{"name":"T","fields":[{"name":"a","type":"enum","enum":"e7"}]}"#;
    assert_eq!(pointers(&with(field, &enums)), ["/enums"]);
    let texts: Vec<String> = (0..100_000).map(|at| format!(r#""{at}""#)).collect();
    read(&with("", &format!(r#","extensions":[{0}],"import_warnings":[{0}]"#, texts.join(","))));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Blueprint::from_text(&text);
        let _ = types::parse(&text);
    }

    /// The example with one stretch replaced: near to valid, and rarely so.
    #[test]
    fn no_mutation_panics(at in 0..EXAMPLE.len(), cut in 0_usize..40, put in "[\\[\\]{}\",:a-z0-9 .-]{0,12}") {
        let end = (at + cut).min(EXAMPLE.len());
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[end..]);
        if let Ok(blueprint) = Blueprint::from_text(&mutated) {
            let printed = blueprint.to_document();
            let again = Blueprint::from_json(&printed).map_err(|found| TestCaseError::fail(format!("{printed} {found:?}")))?;
            prop_assert_eq!(&again, &blueprint.without_renames());
        }
    }

    #[test]
    fn pointers_lead_to_what_is_wrong(at in 0..EXAMPLE.len(), put in "[a-z0-9\"{},]{1,3}") {
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[at..]);
        if let Err(StructureError::Invalid { problems: found, .. }) = Blueprint::from_text(&mutated) {
            let document = Json::parse(&mutated).unwrap();
            for problem in found {
                // The place itself, or the object that lacks it.
                let parent = problem.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(resolve(&document, parent).is_some(), "{}", problem.pointer);
            }
        }
    }
}
