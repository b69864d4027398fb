//! Properties of the JSON code, against a model of documents written for these tests.

use super::builder::Builder;
use super::hash::Hasher;
use super::merge::{Merge, merge};
use super::number;
use super::parse::{InvalidCharacters, Parser, Problem};
use super::pointer::Pointers;
use super::view::{Container, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A document as the tests see it.
#[derive(Debug, Clone, PartialEq)]
enum Model {
    Null,
    Boolean(bool),
    /// Digits and a power of ten: the value, whatever its spelling.
    Number(i64, i8),
    String(String),
    Array(Vec<Model>),
    Object(BTreeMap<String, Model>),
}

/// A number without trailing zeros in its digits, so that equal values are equal models.
fn normal(digits: i64, exponent: i8) -> Model {
    let (mut digits, mut exponent) = (digits, exponent);
    while digits != 0 && digits % 10 == 0 && exponent < i8::MAX {
        digits /= 10;
        exponent += 1;
    }
    Model::Number(digits, if digits == 0 { 0 } else { exponent })
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "\\PC{0,12}", "[\\x00-\\x7f&&[^\\x00]]{0,6}"]
}

fn document() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        Just(Model::Null),
        any::<bool>().prop_map(Model::Boolean),
        (any::<i32>(), -9_i8..9).prop_map(|(d, e)| normal(d.into(), e)),
        (any::<i64>(), -120_i8..120).prop_map(|(d, e)| normal(d, e)),
        string().prop_map(Model::String),
    ];
    leaf.prop_recursive(5, 120, 40, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..40).prop_map(Model::Array),
            btree_map(string(), inner, 0..40).prop_map(Model::Object),
        ]
    })
}

/// Decides how a document is spelt; the same bytes give the same spelling.
struct Spelling<'a> {
    choices: &'a [u8],
    at: usize,
}

impl Spelling<'_> {
    fn choose(&mut self, among: u8) -> u8 {
        self.at += 1;
        self.choices[self.at % self.choices.len()].wrapping_add(self.at as u8) % among
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", " ", "\n\t", "\r "][self.choose(4) as usize]);
    }

    fn string(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
            if must || self.choose(8) == 0 {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                out.push(character);
            }
        }
        out.push('"');
    }

    fn number(&mut self, digits: i64, exponent: i8, out: &mut String) {
        match self.choose(3) {
            0 => out.push_str(&format!("{digits}e{exponent}")),
            1 => out.push_str(&format!("{digits}.00E{exponent:+}")),
            _ => {
                let sign = if digits < 0 { "-" } else { "" };
                let shifted = i16::from(exponent) + 2;
                let hundredths = digits.unsigned_abs();
                out.push_str(&format!(
                    "{sign}{}.{:02}0e{shifted}",
                    hundredths / 100,
                    hundredths % 100
                ));
            }
        }
    }

    fn document(&mut self, document: &Model, out: &mut String) {
        self.space(out);
        match document {
            Model::Null => out.push_str("null"),
            Model::Boolean(value) => out.push_str(&value.to_string()),
            Model::Number(digits, exponent) => self.number(*digits, *exponent, out),
            Model::String(text) => self.string(text, out),
            Model::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    self.document(element, out);
                }
                out.push(']');
            }
            Model::Object(members) => {
                out.push('{');
                let mut members: Vec<_> = members.iter().collect();
                let turn = self.choose(7) as usize % members.len().max(1);
                members.rotate_left(turn);
                if self.choose(2) == 0 {
                    members.reverse();
                }
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    // A key given before is replaced.
                    if self.choose(16) == 0 {
                        self.string(key, out);
                        out.push_str(":[0],");
                    }
                    self.string(key, out);
                    self.space(out);
                    out.push(':');
                    self.document(value, out);
                }
                out.push('}');
            }
        }
        self.space(out);
    }
}

fn spell(document: &Model, choices: &[u8]) -> String {
    let mut out = String::new();
    Spelling { choices, at: 0 }.document(document, &mut out);
    out
}

fn parse(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut out).unwrap();
    out
}

fn problem(text: &str) -> Problem {
    let mut out = b"kept".to_vec();
    let error =
        Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut out).unwrap_err();
    assert_eq!(out, b"kept");
    assert!(error.offset <= text.len());
    error.problem
}

fn hash(datum: &[u8]) -> u128 {
    Hasher::default().hash(&datum[4..])
}

/// Reads a datum back.
fn model(value: Value<'_>) -> Model {
    match value {
        Value::Null => Model::Null,
        Value::Boolean(value) => Model::Boolean(value),
        Value::String(bytes) => Model::String(String::from_utf8(bytes.to_vec()).unwrap()),
        Value::Number(datum) => {
            let parts = number::parts(datum);
            let mut digits = 0_i128;
            for group in parts.digits.chunks_exact(2) {
                digits = digits * 10_000 + i128::from(i16::from_ne_bytes([group[0], group[1]]));
            }
            let groups = parts.digits.len() as i64 / 2;
            let mut exponent = (i64::from(parts.weight) + 1 - groups) * 4;
            while digits != 0 && digits % 10 == 0 {
                digits /= 10;
                exponent += 1;
            }
            let digits = if parts.sign == number::Sign::Negative { -digits } else { digits };
            Model::Number(digits as i64, exponent as i8)
        }
        Value::Container(container) if container.is_object() => Model::Object(
            container
                .pairs()
                .map(|(key, value)| {
                    (String::from_utf8(key.to_vec()).unwrap(), model(value.value()))
                })
                .collect(),
        ),
        Value::Container(container) => {
            Model::Array(container.elements().map(|value| model(value.value())).collect())
        }
    }
}

fn read(datum: &[u8]) -> Model {
    model(Container::root(&datum[4..]).value())
}

fn merged(base: &Model, over: &Model, deep: bool) -> Model {
    let (Model::Object(base), Model::Object(over)) = (base, over) else { return over.clone() };
    let mut result = base.clone();
    for (key, new) in over {
        let value = match result.get(key) {
            Some(old @ Model::Object(_)) if deep => merged(old, new, true),
            _ => new.clone(),
        };
        result.insert(key.clone(), value);
    }
    Model::Object(result)
}

/// The pseudocode of RFC 7386, section 2.
fn merge_patch(target: Option<Model>, patch: &Model) -> Model {
    let Model::Object(patch) = patch else { return patch.clone() };
    let mut result = match target {
        Some(Model::Object(members)) => members,
        _ => BTreeMap::new(),
    };
    for (name, value) in patch {
        let old = result.remove(name);
        if *value != Model::Null {
            result.insert(name.clone(), merge_patch(old, value));
        }
    }
    Model::Object(result)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_parsed_reads_back(doc in document(), choices in vec(any::<u8>(), 1..60)) {
        let datum = parse(&spell(&doc, &choices));
        prop_assert_eq!(read(&datum), doc);
    }

    #[test]
    fn hash_ignores_the_spelling(
        doc in document(),
        one in vec(any::<u8>(), 1..60),
        other in vec(any::<u8>(), 1..60),
    ) {
        prop_assert_eq!(hash(&parse(&spell(&doc, &one))), hash(&parse(&spell(&doc, &other))));
    }

    #[test]
    fn hash_ignores_nothing_else(a in document(), b in document(), choices in vec(any::<u8>(), 1..9)) {
        let (x, y) = (hash(&parse(&spell(&a, &choices))), hash(&parse(&spell(&b, &choices))));
        prop_assert_eq!(a == b, x == y);
    }

    #[test]
    fn merging_follows_the_model(
        base in btree_map("[a-d]", document(), 0..6),
        over in btree_map("[a-d]", document(), 0..6),
        how in prop::sample::select(vec![Merge::Shallow, Merge::Deep, Merge::Patch]),
    ) {
        let (base, over) = (Model::Object(base), Model::Object(over));
        let (x, y) = (parse(&spell(&base, &[0])), parse(&spell(&over, &[0])));
        let mut out = Vec::new();
        merge(&mut Builder::default(), &x[4..], &y[4..], how, &mut out).unwrap();
        let expected = match how {
            Merge::Patch => merge_patch(Some(base), &over),
            _ => merged(&base, &over, how == Merge::Deep),
        };
        prop_assert_eq!(read(&out), expected.clone());
        // Laid out as parsing would lay it out.
        prop_assert_eq!(hash(&out), hash(&parse(&spell(&expected, &[0]))));
    }

    #[test]
    fn ignored_members_do_not_count(
        doc in btree_map("[a-f]", document(), 1..6),
        replaced in document(),
        pick in any::<prop::sample::Index>(),
    ) {
        let key = pick.get(&doc.keys().cloned().collect::<Vec<_>>()).clone();
        let mut ignored = Pointers::default();
        ignored.insert(&format!("/{key}")).unwrap();
        let mut other = doc.clone();
        other.insert(key.clone(), replaced);
        let mut without = doc.clone();
        without.remove(&key);
        let hash = |doc: &BTreeMap<String, Model>| {
            let datum = parse(&spell(&Model::Object(doc.clone()), &[3]));
            Hasher::default().hash_without(&datum[4..], Some(&ignored))
        };
        prop_assert_eq!(hash(&doc), hash(&other));
        prop_assert_eq!(hash(&doc), hash(&without));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,40}|[\\[\\]{}\",:0-9eE.+\\-a-z\\\\ ]{0,40}") {
        let mut ours = Vec::new();
        let parsed = Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut ours);
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
        // serde_json refuses numbers beyond double precision, and takes \u0000.
        if parsed.is_ok() != theirs.is_ok() {
            let known = matches!(
                parsed.map_err(|error| error.problem),
                Err(Problem::NulCharacter) | Ok(())
            );
            prop_assert!(known && text.contains(['e', 'E', 'u']), "{}", text);
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(&parse(&nested(1))), Model::Array(vec![]));
    parse(&nested(super::MAX_DEPTH));
    assert_eq!(problem(&nested(super::MAX_DEPTH + 1)), Problem::TooDeep);
    assert_eq!(problem(&"[".repeat(100_000)), Problem::TooDeep);
}

#[test]
fn characters_that_cannot_be_stored() {
    assert_eq!(problem(r#"{"a":"x\u0000y"}"#), Problem::NulCharacter);
    assert_eq!(problem(r#"{"a\u0000":1}"#), Problem::NulCharacter);
    for lone in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud83dx""#, r#""\ud83d\n""#]
    {
        assert_eq!(problem(lone), Problem::LoneSurrogate, "{lone}");
    }
    assert_eq!(read(&parse(r#""\ud83d\ude00""#)), Model::String("😀".to_owned()));

    let mut out = Vec::new();
    let text = br#"{"a\u0000b":"x\ud800y\u0000z\ud83d\ude00"}"#;
    Parser::new(InvalidCharacters::Strip).parse(text, &mut out).unwrap();
    let expected = BTreeMap::from([("ab".to_owned(), Model::String("xyz😀".to_owned()))]);
    assert_eq!(read(&out), Model::Object(expected));
}

#[test]
fn a_parser_is_fit_for_use_after_an_error() {
    let mut parser = Parser::new(InvalidCharacters::Reject);
    let mut out = Vec::new();
    assert!(parser.parse(br#"{"a":[1,{"b":"#, &mut out).is_err());
    parser.parse(br#"{"c":2}"#, &mut out).unwrap();
    assert_eq!(out, parse(r#"{"c":2}"#));
}

/// These are stored in tables: a failure here means that every record would look changed.
#[test]
fn hashes_never_change() {
    for (text, expected) in [
        ("{}", "c8dd07c17e808d9dd46eae7c61bc0968"),
        (
            r#"{"a":1,"b":[true,false,null,"x"],"c":{"d":-0.125e3}}"#,
            "decc79eaa192d959d79315703ffb7797",
        ),
        (r#""text""#, "229390e537d192a6acc3f08dad9cd5a9"),
        ("[]", "a36be70d510bb7d44d2279a7f0ba5bd8"),
    ] {
        assert_eq!(format!("{:032x}", hash(&parse(text))), expected, "{text}");
    }
}

/// Not JSON, but a `jsonb` may hold them.
#[test]
fn numbers_that_are_none_are_told_apart() {
    let hash_of = |header: u16| {
        let mut builder = Builder::default();
        let mut datum = super::builder::length_word(6).to_vec();
        datum.extend_from_slice(&header.to_ne_bytes());
        builder.copy(super::entry::NUMERIC, &datum);
        let mut out = Vec::new();
        builder.finish(&mut out).unwrap();
        hash(&out)
    };
    let hashes =
        [hash_of(0xC000), hash_of(0xD000), hash_of(0xF000), hash(&parse("0")), hash(&parse("-1"))];
    for (at, one) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(one));
    }
}

/// What a patch makes of a target, by the appendix of RFC 7386; `null` where nothing is left. Targets and patches
/// that are no objects are looked at as members, which is what the algorithm does with them.
fn patched(target: &str, patch: &str) -> Model {
    let under = |value: &str| parse(&format!("{{\"v\": {value}}}"));
    let (target, patch) = (under(target), under(patch));
    let mut out = Vec::new();
    let how = Merge::Patch;
    merge(&mut Builder::default(), &target[4..], &patch[4..], how, &mut out).unwrap();
    match read(&out) {
        Model::Object(mut members) => members.remove("v").unwrap_or(Model::Null),
        other => other,
    }
}

#[test]
fn merge_patches_follow_rfc_7386() {
    for (target, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        // The example of section 3.
        (
            r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}"#,
            r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#,
            r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}"#,
        ),
        // Nulls in arrays are values.
        (r#"{"a":1}"#, r#"{"a":[null,{"b":null}]}"#, r#"{"a":[null,{"b":null}]}"#),
    ] {
        assert_eq!(patched(target, patch), read(&parse(expected)), "{target} {patch}");
    }
}
