//! Whole schemas: our own, broken ones, and ones that somebody else's editor has spoilt.

use super::import;
use super::options::Options;
use super::source::{File, Source};
use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;
use proptest::prelude::*;

/// Schemas that use the whole grammar; Prisma's engine judges what is made of them.
const SCHEMAS: [(&str, &str); 12] = [
    ("defaults", include_str!("../../tests/prisma/schemas/defaults.prisma")),
    ("differs", include_str!("../../tests/prisma/schemas/differs_from_itself.prisma")),
    ("enums", include_str!("../../tests/prisma/schemas/enums.prisma")),
    ("indexes", include_str!("../../tests/prisma/schemas/indexes.prisma")),
    ("layout", include_str!("../../tests/prisma/schemas/layout.prisma")),
    ("left_out", include_str!("../../tests/prisma/schemas/left_out.prisma")),
    ("many_to_many", include_str!("../../tests/prisma/schemas/many_to_many.prisma")),
    ("names", include_str!("../../tests/prisma/schemas/names.prisma")),
    ("no_foreign_keys", include_str!("../../tests/prisma/schemas/no_foreign_keys.prisma")),
    ("quotes", include_str!("../../tests/prisma/schemas/quotes.prisma")),
    ("relations", include_str!("../../tests/prisma/schemas/relations.prisma")),
    ("types", include_str!("../../tests/prisma/schemas/types.prisma")),
];

fn read_with(text: &str, options: &Options) -> Result<Json, Vec<String>> {
    let files = [File { name: None, text: text.to_owned() }];
    let source = Source::new(&files);
    import("shop", &source, options).map_err(|problems| {
        let line = |problem: &super::problem::Problem| {
            format!("{}: {}", source.describe(problem.place), problem.text)
        };
        problems.iter().map(line).collect()
    })
}

fn read(text: &str) -> Result<Json, Vec<String>> {
    read_with(text, &Options::default())
}

/// The tables of a schema without a datasource.
fn tables(text: &str) -> String {
    read(text).unwrap().get("tables").unwrap().to_string()
}

#[test]
fn every_document_is_a_blueprint() {
    for (name, text) in SCHEMAS {
        let document = read(text).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        if let Err(problems) = Blueprint::from_json(&document) {
            panic!("{name}: {problems:#?}\n{document}");
        }
    }
}

#[test]
fn public_schemas_are_blueprints() {
    // Not part of the project: who has some names their folder.
    let Ok(folder) = std::env::var("PRISMA_SCHEMAS") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("schema.prisma");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let document = read(&text).unwrap_or_else(|problems| panic!("{path:?}: {problems:#?}"));
        if let Err(problems) = Blueprint::from_json(&document) {
            panic!("{path:?}: {problems:#?}");
        }
    }
}

#[test]
fn what_is_usual_is_left_out() {
    let text = "model User {\n  id Int @id @default(autoincrement())\n  email String @unique\n}\n";
    assert_eq!(
        tables(text),
        r#"[{"name":"User","key":{"fields":["id"]},"fields":[{"name":"id","type":"integer","required":true,"generated":"serial"},{"name":"email","type":"text","required":true}],"unique":[{"fields":["email"],"index":true}]}]"#
    );
}

#[test]
fn a_self_relation_of_many_to_many_is_a_table_of_one_model() {
    let text = "model U {\n  id Int @id\n  z U[] @relation(\"f\")\n  a U[] @relation(\"f\")\n}\n";
    let tables = tables(text);
    assert!(
        tables.contains(r#"{"name":"_f","key":{"fields":["A","B"],"constraint":"_f_AB_pkey"}"#)
    );
    assert_eq!(tables.matches(r#""to":"U""#).count(), 2);
}

#[test]
fn problems_of_all_steps_are_told_in_order() {
    let text = "model A {\n  id Int @id\n  b Strin\n  c @x\n  d D[]\n  @@index([nope, id])\n}\nenum E {\n}\n";
    assert_eq!(
        read(text).unwrap_err(),
        [
            "line 3, column 5: type \"Strin\" is neither one of Prisma nor a model or enum of this schema: did you mean \"String\"?",
            "line 4, column 5: expected the type of the field, not \"@\"",
            "line 5, column 5: type \"D\" is neither one of Prisma nor a model or enum of this schema",
            "line 8, column 6: enum \"E\" has no values",
        ]
    );
}

#[test]
fn a_broken_line_has_no_consequences() {
    // The fields that others refer to are in the lines that could not be read.
    let text = "model A {\n  id Int? @id()) \n  bs B[]\n}\nmodel B {\n  id Int @id\n  aId Int\n  a A @relation(fields: [aId], references: [id])\n  @@unique([x]]\n}\n";
    assert_eq!(
        read(text).unwrap_err(),
        [
            "line 2, column 16: expected the end of the line, not \")\"",
            "line 9, column 15: expected \",\" or \")\", not \"]\"",
        ]
    );
}

#[test]
fn space_may_stand_where_prisma_lets_it() {
    let tight = "model A {\n  id Int @id\n  xs Int[] @default([1,2])\n  s String? @default(dbgenerated(\"f()\"))\n  @@index([id(sort:Desc)])\n}\n";
    let wide = "model A {\n  id\tInt  @ id\n  xs Int [] @default ( [ 1 , 2 , ] )\n  s String ? @default( dbgenerated ( \"f()\" ) ) // x\n  @@ index ( [ id ( sort : Desc ) ] , ) /* y */\n}\n";
    assert_eq!(tables(tight), tables(wide));
}

#[test]
fn options_give_dimensions() {
    let text = "model A {\n  id Int @id\n  v Unsupported(\"vector\")?\n  w Unsupported(\"vector(3)\")\n}\n";
    let of = |json: &str| {
        let options = Options::read(serde_json::from_str(json).unwrap()).unwrap();
        read_with(text, &options).map(|document| document.to_string())
    };
    assert!(of("{}").unwrap().contains(r#""type":"native","sql_type":"vector""#));
    let one = of(r#"{"vector_dimensions":{"A.v":7}}"#).unwrap();
    assert!(one.contains(r#"{"name":"v","type":"vector","dimensions":7}"#));
    assert!(one.contains(r#"{"name":"w","type":"vector","dimensions":3,"required":true}"#));
    assert!(of(r#"{"vector_dimensions":5}"#).unwrap().contains(r#""dimensions":5"#));
    assert!(of(r#"{"vector_dimensions":{"A.w":7}}"#).is_err());
    for wrong in ["[]", r#"{"x":1}"#, r#"{"vector_dimensions":0}"#, r#"{"schema":""}"#] {
        assert!(Options::read(serde_json::from_str(wrong).unwrap()).is_err(), "{wrong}");
    }
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("a(", ")"), ("{a: ", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let text = format!("model A {{\n  id Int @id @default({deep})\n}}\n");
        let problems = read(&text).unwrap_err();
        assert!(problems[0].ends_with("values are nested too deep"), "{problems:?}");
    }
}

/// What is put in the place of something else.
fn scrap() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[\\PC]{1,4}",
        "(@|@@|\\(|\\)|\\[|\\]|\\{|\\}|\"|:|,|\\?|!|\\.|//|///|/\\*|\\*/|\n|=|-|\\\\)",
        prop::sample::select(vec![
            "model",
            "enum",
            "view",
            "type",
            "datasource",
            "@id",
            "@relation",
            "fields:",
            "[]",
            "dbgenerated(\"x\")",
            "Unsupported(\"vector\")",
            "@db.VarChar(3)",
            "@@map(\"x\")",
            "@@unique([id])",
            "where: raw(\"x\")",
            "\u{0}é",
        ])
        .prop_map(str::to_owned),
    ]
}

/// A schema in which some places hold something else.
fn spoilt() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, scrap()), 1..6);
    (0..SCHEMAS.len(), edits).prop_map(|(at, edits)| {
        let mut letters: Vec<char> = SCHEMAS[at].1.chars().collect();
        for (place, length, text) in edits {
            let from = place.index(letters.len());
            let to = (from + length).min(letters.len());
            letters.splice(from..to, text.chars());
        }
        letters.into_iter().collect()
    })
}

#[test]
fn null_bytes_are_told() {
    for text in [
        "model A {\n  id Int @id\n}\n/// \0\nmodel B {\n  id Int @id\n}",
        "// \0\nmodel A {\n  id Int @id @map(\"\0\")\n}",
    ] {
        let problems = read(text).unwrap_err();
        assert!(problems[0].contains("null bytes"), "{problems:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_reader(text in spoilt()) {
        match read(&text) {
            // Whether it is a blueprint as well is told by the reader of blueprints, which must come to an answer.
            Ok(document) => {
                prop_assert_eq!(&Json::parse(&document.to_string()).unwrap(), &document);
                let _ = Blueprint::from_json(&document);
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("model A {{\n{text}\n}}"));
    }
}
