//! What is asked of the detector of secrets.

use crate::json::Json;
use crate::jsonb::parse::{InvalidCharacters, Parser};
use crate::secrets::document::{Path, in_jsonb, in_text_or_document, redacted_jsonb, redacted_text};
use crate::secrets::{Certainty, entropy};

fn has_certain(text: &str) -> bool {
    let mut any = false;
    in_text_or_document(text, &Path::ROOT, &mut |path, found| {
        let _ = path.pointer();
        any |= found.certainty == Certainty::Certain;
        true
    });
    any
}

/// What is taken out of a text is out, and what is left stays as it is: as a text, and under the name of a key.
pub fn read_secrets(text: &str) {
    entropy::in_text(text, &mut |found| text.get(found.range).is_some());
    let under = |key: &str| format!("{{\"{key}\": {}}}", Json::String(text.to_owned()));
    for text in [text.to_owned(), under("password"), under("authorization"), under("auth")] {
        match redacted_text(&text) {
            None => assert!(!has_certain(&text), "{text:?}"),
            Some(clean) => {
                assert!(!has_certain(&clean), "{text:?} {clean:?}");
                assert_eq!(redacted_text(&clean), None, "{text:?} {clean:?}");
            }
        }
        let mut stored = Vec::new();
        if Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut stored).is_err() {
            continue;
        }
        if let Some(clean) = redacted_jsonb(&stored[4..]) {
            let mut any = false;
            in_jsonb(&clean[4..], &mut |_, found| {
                any |= found.certainty == Certainty::Certain;
                true
            });
            assert!(!any, "{text:?}");
            assert_eq!(redacted_jsonb(&clean[4..]), None, "{text:?}");
        }
    }
}
