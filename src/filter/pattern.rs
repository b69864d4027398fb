//! Patterns of LIKE, as regular expressions: `%` is any text, `_` one character, and `\` takes the next one as it is.

use regex::bytes::{Regex, RegexBuilder};

/// The expression, or why there is none.
pub(super) fn expression(
    pattern: &[u8],
    ignores_case: bool,
    size_limit: usize,
) -> Result<Regex, &'static str> {
    let pattern = String::from_utf8_lossy(pattern);
    let mut expression = String::with_capacity(2 * pattern.len() + 8);
    let mut characters = pattern.chars();
    let mut is_any = false;
    expression.push_str(r"\A");
    while let Some(character) = characters.next() {
        let before = is_any;
        is_any = character == '%';
        match character {
            // Once is enough.
            '%' if before => {}
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            '\\' => match characters.next() {
                Some(literal) => push(&mut expression, literal),
                None => return Err("must not end with its escape character, \\"),
            },
            literal => push(&mut expression, literal),
        }
    }
    expression.push_str(r"\z");
    // What may be anything need not be looked at.
    let expression = expression.strip_prefix(r"\A.*").unwrap_or(&expression);
    let expression = match is_any {
        true if expression == r"\z" => "",
        true => expression.strip_suffix(r".*\z").unwrap_or(expression),
        false => expression,
    };
    RegexBuilder::new(expression)
        .case_insensitive(ignores_case)
        .dot_matches_new_line(true)
        .size_limit(size_limit)
        .dfa_size_limit(size_limit)
        .build()
        .map_err(|_| "the pattern is too large")
}

fn push(expression: &mut String, literal: char) {
    expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
}
