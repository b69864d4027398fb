//! What stands where a secret would, and is none: examples, masks, and names of variables.

/// Whether a value is filled in elsewhere or shown to nobody: `${DB_PASSWORD}`, `{{ secrets.token }}`, `<your key>`, `****`.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let Some((&first, &last)) = value.first().zip(value.last()) else { return true };
    let is_wrapped =
        matches!((first, last), (b'<', b'>') | (b'{', b'}') | (b'[', b']') | (b'%', b'%'))
            || value.starts_with(b"${")
            || value.starts_with(b"$(")
            || value.starts_with(b"{{")
            || value.starts_with(b"%(")
            || value.starts_with(b"process.env");
    is_wrapped || is_variable(value) || is_masked(value) || is_word(value)
}

/// `$DB_PASSWORD`, `:password`: what shells, templates and statements fill in.
fn is_variable(value: &[u8]) -> bool {
    let name = match value {
        [b'$' | b':' | b'@', name @ ..] => name,
        _ => return false,
    };
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
        || value[0] == b':' && name.iter().all(|b| b.is_ascii_lowercase() || *b == b'_')
}

/// A third and more of it hides the rest, or one character is all of it.
fn is_masked(value: &[u8]) -> bool {
    let count = |mask: u8| value.iter().filter(|b| **b == mask).count();
    // A bullet and an ellipsis are three bytes each.
    let wide = value.windows(3).filter(|w| matches!(*w, b"\xe2\x80\xa2" | b"\xe2\x80\xa6")).count();
    let hides = |count: usize| count >= 3 && count * 3 >= value.len();
    hides(count(b'*'))
        || hides(count(b'x') + count(b'X'))
        || hides(wide * 3)
        || value.windows(3).any(|w| w == b"..." || w == b"***")
        || value.iter().all(|b| *b == value[0])
}

/// Words of documentation, forms and schemas that nobody uses as a secret, or that say that there is none.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "apikey",
    "api_key",
    "api-key",
    "string",
    "text",
    "none",
    "null",
    "nil",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "required",
    "optional",
    "hidden",
    "redacted",
    "masked",
    "removed",
    "example",
    "changeme",
    "change_me",
    "change-me",
    "todo",
    "tbd",
    "n/a",
    "unset",
    "empty",
    "default",
    "user",
    "username",
    "bearer",
    "basic",
    "oauth",
    "oauth2",
    "jwt",
    "prompt",
    "input",
    "env",
    "vault",
];

fn is_word(value: &[u8]) -> bool {
    let is = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    let has = |part: &[u8]| value.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    WORDS.iter().any(is)
        || has(b"example")
        || has(b"redacted")
        || has(b"your_")
        || has(b"your-")
        || has(b"placeholder")
}

/// Whether what should be random repeats itself, or is counted up: `0123456789abcdef0123456789abcdef` has sixteen different
/// characters, each one more than the one before.
pub(super) fn is_monotonous(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    body.iter().for_each(|b| seen[usize::from(*b)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let steps = body.windows(2).filter(|w| w[1] == w[0] || w[1] == w[0].wrapping_add(1)).count();
    let enough = if body.len() >= 16 { 6 } else { 3 };
    different < enough || steps * 3 > body.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_no_secrets() {
        for value in [
            "",
            "  ",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ secrets.token }}",
            "<your key>",
            "****",
            "xxxxxxxx",
            "sk_live_********abcd",
            "sk-...abcd",
            "••••••••",
            "password",
            "CHANGEME",
            "%(password)s",
            "[redacted: github_token]",
            "your-api-key-here",
            ":password",
            "string",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["hunter2!", "correct horse battery", "Tr0ub4dor&3", "$ecret99", "xK7"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn counted_and_repeated_bodies_are_told() {
        for body in ["aaaaaaaaaaaaaaaaaaaa", "0123456789abcdefghij", "abababababababababab"] {
            assert!(is_monotonous(body.as_bytes()), "{body}");
        }
        assert!(!is_monotonous(b"q8Zr2LmN5tYx0KpWb7Cd"));
    }
}
