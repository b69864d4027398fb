//! What must hold of any text: made of the literals that rules know, of credentials and of what may stand between them.

use super::document::{Path, in_jsonb, in_text_or_document, redacted_jsonb, redacted_text};
use super::tests::{credentials, harmless};
use super::text::in_text;
use super::{Certainty, entropy};
use crate::jsonb::parse::{InvalidCharacters, Parser};
use proptest::prelude::*;

/// Literals, ends and whatever rules look for.
const PIECES: &[&str] = &[
    "password",
    "PASSWORD",
    "_KEY",
    "api_key",
    "token",
    "secret",
    "Secret",
    "=",
    ": ",
    ":",
    " = ",
    "\"",
    "\\\"",
    "'",
    "`",
    "://",
    "@",
    "/",
    "?",
    "&",
    "eyJ",
    ".",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "Bearer ",
    "Basic ",
    "AKIA",
    "sk-",
    "ghp_",
    "xoxb-",
    "Q~",
    ":AA",
    "T3BlbkFJ",
    "sig=",
    "pwd=",
    "server=",
    "jdbc:oracle:",
    "curl -u ",
    "\n",
    "\\n",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    "%3D",
    "\u{1f511}",
    "\u{e9}",
    " ",
    "hunter2",
    "12345678",
    "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu",
    "null",
    "0",
    "[redacted:password]",
    "authorization",
    "value",
    "name",
    "x",
    "a1",
];

fn text() -> impl Strategy<Value = String> {
    let credentials: Vec<String> = credentials(7).into_iter().map(|(_, text)| text).collect();
    let harmless = harmless(3);
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES).prop_map(str::to_owned),
        2 => prop::sample::select(credentials),
        1 => prop::sample::select(harmless),
        1 => ".{0,6}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A document with such texts as keys and values.
fn document() -> impl Strategy<Value = String> {
    let string = text().prop_map(|text| crate::json::Json::String(text).to_string());
    let number =
        prop_oneof![Just("12345678".to_owned()), Just("1.50".to_owned()), Just("-3".to_owned())];
    let leaf = prop_oneof![3 => string, 1 => number, 1 => Just("null".to_owned())];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let key = prop_oneof![
            3 => prop::sample::select(&["password", "apiKey", "value", "name", "auth", "a", "errors", "token"][..]).prop_map(str::to_owned),
            1 => text(),
        ];
        let member = (key, inner.clone())
            .prop_map(|(key, value)| format!("{}:{value}", crate::json::Json::String(key)));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// The certain kinds in a text.
fn kinds(text: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    in_text_or_document(text, &Path::ROOT, &mut |_, found| {
        if found.certainty == Certainty::Certain {
            kinds.push(found.kind);
        }
        true
    });
    kinds
}

/// What is found lies in the text, in order and apart; what is left after redaction is none, and stays as it is.
fn holds(text: &str) {
    let mut done = 0;
    in_text(text, &mut |found| {
        assert!(
            found.range.start >= done && text.get(found.range.clone()).is_some(),
            "{text:?} {found:?}"
        );
        done = found.range.end;
        true
    });
    entropy::in_text(text, &mut |found| text.get(found.range).is_some());
    let found = kinds(text);
    match redacted_text(text) {
        None => assert_eq!(found, [""; 0], "{text:?}"),
        Some(clean) => {
            assert_eq!(kinds(&clean), [""; 0], "{text:?} {clean:?}");
            assert_eq!(redacted_text(&clean), None, "{text:?} {clean:?}");
        }
    }
}

fn stored(text: &str) -> Option<Vec<u8>> {
    let mut stored = Vec::new();
    Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut stored).ok()?;
    Some(stored)
}

fn has_certain(stored: &[u8]) -> bool {
    let mut any = false;
    in_jsonb(&stored[4..], &mut |_, found| {
        any |= found.certainty == Certainty::Certain;
        !any
    });
    any
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: prop::test_runner::RngSeed::Fixed(17), ..ProptestConfig::default() })]

    #[test]
    fn texts_are_read_and_cleaned(text in text()) {
        holds(&text);
    }

    #[test]
    fn documents_are_read_and_cleaned(text in document()) {
        holds(&text);
        if let Some(stored) = stored(&text) {
            match redacted_jsonb(&stored[4..]) {
                None => prop_assert!(!has_certain(&stored)),
                Some(clean) => {
                    prop_assert!(!has_certain(&clean));
                    prop_assert_eq!(redacted_jsonb(&clean[4..]), None);
                }
            }
        }
    }
}
