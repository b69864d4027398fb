//! Properties of a batch, against elements applied one after another.

use super::decide::{self, Stored};
use super::decode::{self, Element};
use super::decode::{
    INVALID_DATA, INVALID_DELETED, INVALID_EXTERNAL_ID, MISSING_DATA, MISSING_EXTERNAL_ID,
};
use super::fold::fold;
use super::keys::GivenKeys;
use super::options::Shape;
use super::time::INVALID_TIME;
use crate::answer::{Code, Rejection};
use crate::batch::BatchError;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: i64 = 800_000_000_000_000;

fn envelope(text: &str) -> Vec<Element<'_>> {
    decode::batch(text, &Shape::Envelope, NOW).unwrap()
}

fn reason(element: &Element<'_>) -> Option<Code> {
    element.content.as_ref().err().map(|rejection| rejection.code().clone())
}

#[test]
fn every_element_is_answered() {
    let text = r#" [ {"external_id":"a","data":{}}, 1, "x", null, [], {}, {"external_id":"b"},
        {"external_id":{},"data":{}}, {"external_id":" ","data":{}}, {"external_id":null,"data":{}},
        {"external_id":true,"data":{}}, {"external_id":"c","data":[]}, {"external_id":"c","x":1},
        {"external_id":"d","data":{},"deleted":1}, {"external_id":"e","deleted":true},
        {"external_id":"e","data":{},"source_updated_at":"soon"}, {"external_id" 1},
        {"external_id":"\ud800","data":{}}, {"external_id":"g\u0000","data":{}},
        {"external_id":7.0,"data":{}} ] "#;
    let elements = envelope(text);
    let expected = [
        None,
        Some(Code::NotAnObject),
        Some(Code::NotAnObject),
        Some(Code::NotAnObject),
        Some(Code::NotAnObject),
        Some(MISSING_EXTERNAL_ID),
        Some(MISSING_DATA),
        Some(INVALID_EXTERNAL_ID),
        Some(MISSING_EXTERNAL_ID),
        Some(MISSING_EXTERNAL_ID),
        Some(INVALID_EXTERNAL_ID),
        Some(INVALID_DATA),
        Some(Code::UnknownField),
        Some(INVALID_DELETED),
        None,
        Some(INVALID_TIME),
        Some(Code::InvalidJson),
        Some(Code::LoneSurrogate),
        Some(Code::NulCharacter),
        None,
    ];
    assert_eq!(elements.iter().map(reason).collect::<Vec<_>>(), expected);
    assert_eq!(elements[19].external_id.as_deref(), Some("7.0"));
    assert_eq!(elements[13].external_id.as_deref(), Some("d"));
}

#[test]
fn a_text_that_cannot_be_divided_ends_the_call() {
    for text in ["[", "[{}", "[{}, ", r#"[{"a":"b]"#, "[{]", "[{} {}]", "[1,,2]", "[{}] x", "[{}]]"]
    {
        let broken = decode::batch(text, &Shape::Envelope, NOW);
        assert!(matches!(broken, Err(BatchError::Broken { .. })), "{text}");
    }
    for text in ["", "null", "\"[]\"", "x", "\u{feff}[]"] {
        let not_a_batch = decode::batch(text, &Shape::Envelope, NOW);
        assert!(matches!(not_a_batch, Err(BatchError::NotABatch { .. })), "{text}");
    }
    assert!(envelope(" [ ] ").is_empty());
}

fn flat(id_key: &str, updated_at_key: Option<&str>, deleted_key: Option<&str>) -> Shape {
    let keys = GivenKeys {
        id_key: Some(id_key.to_owned()),
        updated_at_key: updated_at_key.map(str::to_owned),
        deleted_key: deleted_key.map(str::to_owned),
    };
    Shape::Flat(Box::new(keys.read(None).unwrap().unwrap()))
}

#[test]
fn flat_documents_hold_their_own_key() {
    let shape = flat("id", Some("at"), None);
    let text = r#"[{"id":1,"at":1,"deleted":true},{"i\u0064":"x","id":"y"},{"nested":{"id":3}}]"#;
    let elements = decode::batch(text, &shape, NOW).unwrap();
    let content = elements[0].content.as_ref().unwrap();
    assert_eq!(content.data, Some(br#"{"id":1,"at":1,"deleted":true}"#.as_slice()));
    assert_eq!(content.source_updated_at, Some(1_000_000 - 946_684_800_000_000));
    assert!(!content.deleted);
    assert_eq!(elements[1].external_id.as_deref(), Some("y"));
    assert_eq!(reason(&elements[2]), Some(MISSING_EXTERNAL_ID));
}

#[test]
fn keys_may_be_pointers_and_several() {
    let shape = flat(r#"["/meta/id","~","/a~1b"]"#, Some("/meta/at"), Some("/meta/gone"));
    let text = r#"{"meta":{"id":1.50,"at":1,"gone":1},"~":"x\"y","a/b":""}
        {"meta":{"id":1.50},"~":"x","a/b":null}
        {"meta":[],"~":"x","a/b":"z"}
        {"meta":{"id" 1},"~":"x","a/b":"z"}
        {"meta":{"id":"","gone":"maybe"},"~":"","a/b":" "}
        {"meta":{"id":"1","gone":"maybe"},"~":"","a/b":" "}"#;
    let elements = decode::batch(text, &shape, NOW).unwrap();
    assert_eq!(elements[0].external_id.as_deref(), Some(r#"["1.50","x\"y",""]"#));
    let content = elements[0].content.as_ref().unwrap();
    assert!(content.deleted && content.source_updated_at.is_some());
    let expected = [
        None,
        Some(MISSING_EXTERNAL_ID),
        Some(MISSING_EXTERNAL_ID),
        Some(Code::InvalidJson),
        Some(MISSING_EXTERNAL_ID),
        Some(INVALID_DELETED),
    ];
    assert_eq!(elements.iter().map(reason).collect::<Vec<_>>(), expected);
}

#[test]
fn a_broken_line_is_about_itself() {
    let text = concat!(
        "{\"external_id\":\"a\",\"data\":{}}\r\n\n{\"external_id\":\"b\",\"data\":{\"x\":\"}}\n",
        "{\"external_id\":\"c\",\"data\":{}} x\n{\"external_id\":\"d\",\"data\":{}},\n[1]\n\"{}\"\n{]\n",
        "  {\"external_id\":\"e\",\"data\":{}}"
    );
    let elements = envelope(text);
    let broken = Some(Code::InvalidJson);
    let expected = [
        None,
        broken.clone(),
        broken.clone(),
        broken.clone(),
        Some(Code::NotAnObject),
        Some(Code::NotAnObject),
        broken,
        None,
    ];
    assert_eq!(elements.iter().map(reason).collect::<Vec<_>>(), expected);
    assert_eq!(elements[7].external_id.as_deref(), Some("e"));
    assert_eq!(elements[0].content.as_ref().unwrap().data, Some(b"{}".as_slice()));
}

/// An element of a generated batch: which record, which time, whether its data is valid.
type Given = (u8, Option<i8>, bool);

fn text_of(batch: &[Given]) -> String {
    let elements: Vec<String> = batch
        .iter()
        .map(|(id, time, valid)| {
            let data = if *valid { "{}" } else { "{x}" };
            let time = time.map_or("null".to_owned(), |time| (1000 + i32::from(time)).to_string());
            format!(r#"{{"external_id":"{id}","data":{data},"source_updated_at":{time}}}"#)
        })
        .collect();
    format!("[{}]", elements.join(","))
}

fn time_of(seconds: i8) -> i64 {
    (1000 + i64::from(seconds)) * 1_000_000 - 946_684_800_000_000
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Which element wins, and the time that is noted, are what one call for each element would give.
    #[test]
    fn a_batch_is_its_elements_in_order(
        batch in vec((0_u8..3, option::of(0_i8..4), prop::bool::weighted(0.9)), 0..12),
        stored in vec(option::of(option::of(0_i8..4)), 3),
    ) {
        // One after another: id → (time, winner), where the winner of what is stored is None.
        let mut expected = BTreeMap::new();
        for (id, stored) in (0_u8..3).zip(&stored) {
            if let Some(time) = stored {
                expected.insert(id, (time.map(time_of), None));
            }
        }
        for (at, (id, time, valid)) in batch.iter().enumerate() {
            let time = time.map(time_of);
            let known = expected.get(id).and_then(|(time, _)| *time);
            if *valid && !(time.is_some() && time < known) {
                expected.insert(*id, (known.max(time), Some(at as u32)));
            }
        }

        let text = text_of(&batch);
        let mut elements = envelope(&text);
        let candidates = fold(&mut elements, |content| match content.data {
            Some(b"{}") => Ok(()),
            _ => Err(Rejection::new(Code::InvalidJson, "")),
        });
        let mut seen = 0;
        for candidate in &candidates {
            let parts = candidate.parts.as_slice();
            seen += parts.len() + candidate.outdated.len();
            let (id, _, valid) = batch[parts[0] as usize];
            if !valid {
                // Alone, and so not validated yet.
                prop_assert_eq!(parts.len(), 1);
                continue;
            }
            let known = stored[id as usize].map(|time| Stored {
                content_hash: 0,
                source_digest: None,
                source_updated_at: time.map(time_of),
                deleted: false,
                failed: false,
            });
            let time_of_part = |part: u32| {
                elements[part as usize].content.as_ref().unwrap().source_updated_at
            };
            let standing = decide::stand(parts, known.as_ref(), time_of_part);
            prop_assert_eq!(
                (standing.time, standing.live.last().copied()),
                expected[&id],
                "{}", text
            );
        }
        // Nothing is lost, nothing is answered twice.
        let rejected = elements.iter().filter(|element| element.content.is_err()).count();
        prop_assert_eq!(seen + rejected, batch.len());
    }

    #[test]
    fn any_text_is_divided_or_refused(text in "[\\[\\]{}\",:0-9a-e\\\\ ]{0,60}") {
        for text in [format!("[{text}]"), format!("{{{text}}}\n{{}}")] {
            for shape in [Shape::Envelope, flat("/a/0", Some("b"), Some("/c"))] {
                if let Ok(elements) = decode::batch(&text, &shape, NOW) {
                    prop_assert!(elements.len() <= text.len());
                }
            }
        }
        let text = format!("[{text}]");
        if let Ok(elements) = decode::batch(&text, &Shape::Envelope, NOW) {
            prop_assert!(elements.len() <= text.len());
        }
    }
}
