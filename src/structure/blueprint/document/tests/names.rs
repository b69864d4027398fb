//! Names that are given, made and taken, and renames.

use super::{pointers, problems, read, table, with};

#[test]
fn names_are_as_prisma_and_postgres_make_them() {
    let long = "t".repeat(60);
    let wide = "é".repeat(30);
    let blueprint = read(&with(
        &format!(
            r#"{{"name":"A","table":"{long}","key":{{"name":"id"}},"fields":[{{"name":"{wide}","type":"text","unique":true,"index":true}}]}},
               {{"name":"{wide}","fields":[{{"name":"a","type":"reference","to":"A","index":false}},{{"name":"b","type":"text","list":true,"index":true}}],
                "unique":[{{"fields":["a"],"name":"mine"}}]}}"#
        ),
        "",
    ));
    let names: Vec<Vec<&str>> = blueprint
        .tables
        .iter()
        .map(|model| model.table.names.iter().map(|name| name.as_deref().unwrap()).collect())
        .collect();
    let cut = |text: &str, length: usize| -> String { text[..length].to_owned() };
    assert_eq!(
        names[0],
        [
            cut(&long, 58) + "_pkey",
            cut(&format!("{long}_"), 59) + "_key",
            cut(&format!("{long}_"), 59) + "_idx"
        ]
    );
    assert_eq!(names[1], ["mine".to_owned(), cut(&wide, 58) + "_fkey", cut(&wide, 58) + "_idx"]);
}

#[test]
fn made_names_make_room_for_given_ones() {
    let blueprint = read(&table(
        r#""fields":[{"name":"a","type":"text","index":true},{"name":"b","type":"text"}],
           "indexes":[{"fields":["b"],"name":"T_a_idx"},{"fields":["a"],"method":"hash"}]"#,
    ));
    let names: Vec<&str> =
        blueprint.tables[0].table.names.iter().map(|name| name.as_deref().unwrap()).collect();
    assert_eq!(names, ["T_a_idx", "T_a_idx1", "T_a_idx2"]);
}

#[test]
fn names_collide_where_the_catalog_has_one_space() {
    let found = problems(
        r#"{"blueprint":"b","enums":{"status":["a"],"E":{"values":["a"],"type":"T"},"F":{"values":["a"],"type":"T","schema":"other"}},
            "tables":[{"name":"T","fields":[{"name":"a","type":"text"}],"indexes":[{"fields":["a"],"name":"U"},{"fields":["a"],"name":"status"}],
                       "checks":[{"field":"a","op":"<>","value":"x","name":"c"},{"field":"a","op":"<>","value":"y","name":"c"}]},
                      {"name":"U","fields":[]},{"name":"T","table":"V","fields":[]},{"name":"W","table":"U","schema":"other","fields":[]},
                      {"name":"X","table":"U","fields":[]},{"name":"Y","fields":[{"name":"a","type":"text"},{"name":"b","type":"text"}],
                       "unique":[{"fields":["b"],"name":"k"}],"key":{"fields":["a"],"constraint":"k"}}]}"#,
    );
    let pointers: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/tables/2/name",
            "/tables/0",
            "/tables/4",
            "/tables/0/checks/1/name",
            "/tables/0/indexes/0/name",
            "/tables/5/unique/0/name"
        ],
        "{found:#?}"
    );
}

#[test]
fn renames_go_one_way() {
    let found = pointers(&with(
        r#"{"name":"A","renamed_from":"B","fields":[{"name":"a","type":"text","renamed_from":"b"},{"name":"b","type":"text","renamed_from":"a"}]},
           {"name":"B","renamed_from":"A","fields":[{"name":"a","type":"text","renamed_from":"x"},{"name":"b","type":"text","renamed_from":"x"}]},
           {"name":"C","renamed_from":"Old","fields":[]}"#,
        r#","enums":{"e":{"values":["a"],"renamed_from":"f"},"f":{"values":["a"],"renamed_from":"e"}}"#,
    ));
    let expected = [
        "/enums/e/renamed_from",
        "/enums/f/renamed_from",
        "/tables/0/fields/0/renamed_from",
        "/tables/0/fields/1/renamed_from",
        "/tables/1/fields/1/renamed_from",
        "/tables/0/renamed_from",
        "/tables/1/renamed_from",
    ];
    assert_eq!(found, expected);
}

#[test]
fn sequences_have_their_names_before_indexes_do() {
    let found = problems(
        r#"{"blueprint":"b","tables":[{"name":"T","key":{"name":"id","type":"bigint"},"fields":[{"name":"a","type":"integer","generated":"serial"}],
                "indexes":[{"fields":["a"],"name":"T_a_seq"},{"fields":["a"],"name":"T_b_seq"}]},
              {"name":"T_id_seq","fields":[]},{"name":"U","table":"T_a_seq","schema":"other","fields":[]}]}"#,
    );
    let expected = [
        "/tables/0/indexes/0/name: \"T_a_seq\" is what Postgres calls the sequence of column \"a\" of table \"T\"",
        "/tables/1: \"T_id_seq\" is what Postgres calls the sequence of column \"id\" of table \"T\"",
    ];
    let mut found = found;
    found.sort();
    assert_eq!(found, expected);
}
