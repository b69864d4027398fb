//! Secrets behind a name: headers, variables of the environment, lines of configuration, arguments of commands.

use super::keys::rule_of;
use super::placeholder::{is_monotonous, is_placeholder};
use super::shape::{Class, begins_word, is_word};
use super::text::{Look, Looked, certain, has_form};
use super::value::is_basic;
use super::{Certainty, Found};

pub(super) const LOOKS: &[(&str, Look)] = &[
    ("Bearer ", authorization),
    ("bearer ", authorization),
    ("Basic ", authorization),
    ("basic ", authorization),
    (":_authToken=", npm_registry),
    (":_password=", npm_registry),
    (" -u ", curl_user),
    (" --user ", curl_user),
    ("ASSWORD", assigned),
    ("assword", assigned),
    ("PASSWD", assigned),
    ("passwd", assigned),
    ("PASSPHRASE", assigned),
    ("passphrase", assigned),
    ("_PASS", assigned),
    ("_PWD", assigned),
    ("SECRET", assigned),
    ("secret", assigned),
    ("Secret", assigned),
    ("_KEY", assigned),
    ("_key", assigned),
    ("-key", assigned),
    ("-Key", assigned),
    ("-KEY", assigned),
    ("piKey", assigned),
    ("ccessKey", assigned),
    ("cretKey", assigned),
    ("_TOKEN", assigned),
    ("_token", assigned),
    ("-token", assigned),
    ("-Token", assigned),
    ("-TOKEN", assigned),
    ("ccessToken", assigned),
    ("freshToken", assigned),
    ("uthToken", assigned),
];

/// RFC 6750 and RFC 7617: what a header `Authorization` says.
fn authorization(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    if !begins_word(text, at) {
        return None;
    }
    let run = Class::Token.run(&text[body..], 8_192);
    let token = &text[body..body + run];
    let is_secret = if text[at].eq_ignore_ascii_case(&b'b') && text[at + 1] == b'e' {
        let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
        let letters = token.iter().filter(|b| b.is_ascii_alphabetic()).count();
        // A short one could be a word, if nobody says that it is a header.
        let least = if names_header(&text[..at]) { 8 } else { 20 };
        run >= least && digits >= 2 && letters >= 2 && !is_monotonous(token)
    } else {
        is_basic(token)
    };
    if is_secret && !is_placeholder(token) {
        certain("authorization_header", body, body + run)
    } else {
        None
    }
}

/// Whether a header that is named in front of a value says who is asking.
fn names_header(before: &[u8]) -> bool {
    const LONGEST: usize = 24;
    let near = &before[before.len().saturating_sub(LONGEST)..];
    near.windows(13).any(|word| word.eq_ignore_ascii_case(b"authorization"))
}

/// npm, "Using private packages in a CI/CD workflow": `//registry.npmjs.org/:_authToken=…`; gitleaks npmrc.
fn npm_registry(looked: &Looked<'_>, _at: usize, body: usize) -> Option<Found> {
    let run = Class::Token.run(&looked.text[body..], 512);
    let is_secret = run >= 8 && !is_placeholder(&looked.text[body..body + run]);
    if is_secret { certain("npm_token", body, body + run) } else { None }
}

/// `curl -u user:password`; gitleaks curl-auth-user.
fn curl_user(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    const LINE: usize = 256;
    let text = looked.text;
    let before = &text[at.saturating_sub(LINE)..=at];
    if !before.windows(5).any(|word| word == b"curl ") {
        return None;
    }
    let quote = text.get(body).filter(|b| matches!(b, b'"' | b'\''));
    let start = body + usize::from(quote.is_some());
    let is_part = |b: &&u8| match quote {
        Some(quote) => *b != quote && **b != b'\n',
        None => !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'\\' | b'`'),
    };
    let length = text[start..].iter().take(256).take_while(is_part).count();
    let colon = text[start..start + length].iter().position(|b| *b == b':')?;
    let (from, until) = (start + colon + 1, start + length);
    let is_secret = colon > 0 && !is_placeholder(&text[from..until]);
    if is_secret { certain("curl_password", from, until) } else { None }
}

/// What a name is given: `DB_PASSWORD=…` (variables), `api_key = "…"` (code), `X-Api-Key: …` and `password: …` on lines of their own
/// (headers, YAML, INI); gitleaks generic-api-key, detect-secrets KeywordDetector. Members of JSON are read elsewhere.
fn assigned(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    const LONGEST_NAME: usize = 64;
    const LONGEST: usize = 256;
    if looked.is_value {
        return None;
    }
    let text = looked.text;
    let is_name = |b: &u8| is_word(*b) || *b == b'-';
    let behind = text[body..].iter().take(8).take_while(|b| is_word(**b)).count();
    let before = text[..at].iter().rev().take(LONGEST_NAME).take_while(|b| is_name(b)).count();
    let end = body + behind;
    let mut start = at - before;
    // The letter of an escape is no part of a name.
    if before > 0
        && text[..start].last() == Some(&b'\\')
        && matches!(text[start], b'n' | b'r' | b't')
    {
        start += 1;
    }
    let name = str::from_utf8(&text[start..end]).ok()?;
    let spaces =
        |from: usize| text[from..].iter().take(8).take_while(|b| matches!(b, b' ' | b'\t')).count();
    let sign = end + spaces(end);
    let is_equals = match text[sign..] {
        [b'=', next, ..] if !matches!(next, b'=' | b'~' | b'>') => true,
        [b':', next, ..] if next != b':' && next != b'=' => false,
        _ => return None,
    };
    // Keys of Azure have a form of their own.
    let rule = rule_of(name)
        .filter(|_| !name.ends_with("AccountKey") && !name.ends_with("SharedAccessKey"))?;
    let from = sign + 1 + spaces(sign + 1);
    let quote = text.get(from).copied().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let first = from + usize::from(quote.is_some());
    let line = text[first..].iter().take(LONGEST).take_while(|b| !matches!(b, b'\n' | b'\r'));
    let line = &text[first..first + line.count()];
    let value = match quote {
        Some(quote) => &line[..line.iter().position(|b| *b == quote)?],
        None if is_variable(name) && is_equals && from == end + 1 => {
            let ends = |b: &u8| {
                b.is_ascii_whitespace()
                    || matches!(b, b'"' | b'\'' | b'`' | b';' | b'|' | b'<' | b'>' | b'\\')
            };
            &line[..line.iter().position(ends).unwrap_or(line.len())]
        }
        None if (is_equals || from > sign + 1) && begins_line(&text[..start]) => line.trim_ascii(),
        None => return None,
    };
    if value.len() == LONGEST {
        return None;
    }
    let before = text[..start].last();
    if matches!(before, Some(b'?' | b'&' | b'.' | b'/' | b'=' | b'@')) && quote.is_none() {
        return None;
    }
    let value = str::from_utf8(value).ok()?;
    // `password = input1`: in code there stands a name.
    let is_named = quote.is_none() && is_equals && !is_variable(name) && is_identifier(value);
    let is_secret = rule.judge(value) == Some(Certainty::Certain) && !is_code(value) && !is_named;
    // What has a form is found by that, and has its own name.
    if is_secret && !has_form(value) {
        certain(rule.kind, first, first + value.len())
    } else {
        None
    }
}

/// As variables of the environment are written.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a line begins behind this, but for a mark of a list and the like.
fn begins_line(before: &[u8]) -> bool {
    let line = before.iter().rev().take(32).take_while(|b| **b != b'\n').count();
    let head = before[before.len() - line..].trim_ascii();
    line < 32 && matches!(head, b"" | b"-" | b"*" | b"export" | b"set" | b"ENV" | b"ARG")
}

/// A word with a number behind it.
fn is_identifier(value: &str) -> bool {
    let word = value.trim_end_matches(|c: char| c.is_ascii_digit());
    word.starts_with(char::is_alphabetic) && word.bytes().all(is_word)
}

/// Calls, members and ends of statements.
fn is_code(value: &str) -> bool {
    value.contains(['(', '{', '[', '$']) || value.ends_with([';', ',']) || value.contains("->")
}
