//! The text of a JSON string, whatever is wrong with it: what tells of a failure must not fail itself.

use super::parse::{InvalidCharacters, unescape};

/// The text between the quotes `raw`, and whether some of it stands there as it is written, because it
/// stands for nothing that can be stored: `\u0000`, half a character, an unknown escape.
pub(crate) fn text(raw: &[u8]) -> (String, bool) {
    let mut plain = Vec::new();
    let escaped = unescape(raw, InvalidCharacters::Reject, &mut plain).is_err();
    if escaped {
        plain.clear();
        piece_by_piece(raw, &mut plain);
    }
    (String::from_utf8_lossy(&plain).into_owned(), escaped)
}

fn piece_by_piece(raw: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < raw.len() {
        // A pair of surrogates is one character, and an escape is one piece.
        let lengths = if raw[at] == b'\\' { [12, 6, 2] } else { [1; 3] };
        let read = lengths.into_iter().find(|&length| {
            let Some(piece) = raw.get(at..at + length) else { return false };
            if length == 12 && !is_pair(piece) {
                return false;
            }
            let before = out.len();
            let read = unescape(piece, InvalidCharacters::Reject, out).is_ok();
            if !read {
                out.truncate(before);
            }
            read
        });
        if read.is_none() {
            out.push(raw[at]);
        }
        at += read.unwrap_or(1);
    }
}

/// Whether a text is two escapes, the first of them of the upper half of a character.
fn is_pair(piece: &[u8]) -> bool {
    piece.get(6..8) == Some(b"\\u")
        && matches!(piece[..4], [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_cannot_be_stored_as_it_is_written() {
        let told = |raw: &str| text(raw.as_bytes());
        assert_eq!(told(r"a\u0000b\nc"), ("a\\u0000b\nc".to_owned(), true));
        assert_eq!(told(r"\ud83d\ude00 \ud83d \u00e4"), ("😀 \\ud83d ä".to_owned(), true));
        assert_eq!(told(r"\ud83d\u0041"), ("\\ud83dA".to_owned(), true));
        assert_eq!(told(r"ä\x\n"), ("ä\\x\n".to_owned(), true));
        assert_eq!(told(r"a\\u0000"), ("a\\u0000".to_owned(), false));
    }
}
