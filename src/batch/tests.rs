//! What the reader says of elements, whatever they are about.

use super::*;

const FIELDS: [&str; 3] = ["name", "count", "at"];

type Found = (Option<String>, Option<i32>);

fn read(text: &str) -> Vec<Result<Found, Rejection>> {
    let element = |reader: &mut Reader<'_>| {
        let found = (reader.text("name"), reader.count("count", 1));
        reader.time("at");
        reader.end(found)
    };
    super::read("things", text, &FIELDS, element, Err).unwrap()
}

fn refusal(element: &str) -> String {
    let [answer] = &read(&format!("[{element}]"))[..] else { return "not one".to_owned() };
    let said = |r: &Rejection| format!("{} {}", r.code().name(), r.text());
    answer.as_ref().map_or_else(said, |found| format!("{found:?}"))
}

#[test]
fn every_element_is_answered() {
    let answers = read(r#"[{"name": "a"}, 1, {}, {"name": 2}, {"count" 1}]"#);
    assert_eq!(
        answers.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true, false, false]
    );
}

#[test]
fn all_that_is_wrong_is_told() {
    let told = refusal(r#"{"name": 1, "count": 0, "at": "soon", "a/b": 2, "c": 3}"#);
    assert!(told.starts_with("unknown_field /a~1b: unknown field (known: name, count, at); /c: unknown field; /name: "), "{told}");
    assert!(told.contains("; /count: must be an integer from 1 to 999999999; /at: "), "{told}");
}

#[test]
fn the_last_of_two_counts() {
    assert_eq!(refusal(r#"{"name": "a", "name": "b"}"#), r#"(Some("b"), None)"#);
    assert_eq!(refusal(r#"{"name": "a", "name": null}"#), "(None, None)");
    assert!(refusal(r#"{"name": tru, "name": "b"}"#).starts_with("invalid_json"));
}

#[test]
fn keys_may_be_escaped() {
    assert_eq!(refusal(r#"{"n\u0061me": "a"}"#), r#"(Some("a"), None)"#);
    assert!(refusal(r#"{"n\u0000": "a"}"#).starts_with("nul_character"));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    assert!(refusal(r#"{"name" "a"}"#).starts_with("invalid_json expected "));
    assert!(refusal(r#"{"name" "a"}"#).ends_with("(byte 8 of the element)"));
}
