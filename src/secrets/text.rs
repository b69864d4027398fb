//! Secrets in a text. One automaton finds the literals that a secret begins with, or has in it; then the rule that knows the
//! literal looks around.

use super::placeholder::is_monotonous;
use super::shape::{Class, Shape, begins_word, in_base64, is_word};
use super::shapes::GROUPS;
use super::{Certainty, Found, assignments, connections};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cell::OnceCell;
use std::sync::LazyLock;

/// What looks around a literal, which begins and ends at these places.
pub(super) type Look = fn(&Looked<'_>, usize, usize) -> Option<Found>;

/// The text that is looked at.
pub(super) struct Looked<'t> {
    pub(super) text: &'t [u8],
    /// Where words of connection strings begin; found by the first rule that asks.
    pub(super) leads: OnceCell<Vec<usize>>,
    /// It is a value, of which somebody asks whether it has a form of its own.
    pub(super) is_value: bool,
}

enum Rule {
    Shape(&'static Shape),
    Look(Look),
}

/// Literals that need more than what stands behind them.
const LOOKS: &[(&str, Look)] = &[
    ("eyJ", json_web_token),
    ("-----BEGIN ", private_key),
    ("PuTTY-User-Key-File-", putty_key),
    ("AKIA", aws_access_key_id),
    ("ASIA", aws_access_key_id),
    ("ABIA", aws_access_key_id),
    ("ACCA", aws_access_key_id),
    ("00D", salesforce_access_token),
    ("T3BlbkFJ", openai_key),
    ("Q~", azure_client_secret),
    (":AA", telegram_bot_token),
    (".atlasv1.", terraform_token),
    ("hooks.slack.com/", slack_webhook),
    ("discord.com/api/webhooks/", discord_webhook),
    ("discordapp.com/api/webhooks/", discord_webhook),
];

struct Finder {
    automaton: AhoCorasick,
    rules: Vec<Rule>,
}

/// Made by the first text that is looked at, in some hundred microseconds. Without an automaton nothing would be found: the
/// literals are fixed, and a test reads texts with it.
static FINDER: LazyLock<Option<Finder>> = LazyLock::new(|| {
    let mut literals = Vec::new();
    let mut rules = Vec::new();
    for shape in GROUPS.iter().copied().flatten() {
        for literal in shape.literals {
            literals.push(*literal);
            rules.push(Rule::Shape(shape));
        }
    }
    for (literal, look) in LOOKS.iter().chain(connections::LOOKS).chain(assignments::LOOKS) {
        literals.push(literal);
        rules.push(Rule::Look(*look));
    }
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .build(&literals)
        .ok()?;
    Some(Finder { automaton, rules })
});

/// The secrets in a text, in their order; they do not overlap. `next` says whether to go on.
pub(crate) fn in_text(text: &str, next: &mut dyn FnMut(Found) -> bool) {
    read(text, false, next);
}

/// Whether a value is found by its own form.
pub(super) fn has_form(value: &str) -> bool {
    let mut is_found = false;
    read(value, true, &mut |found| {
        is_found = found.certainty == Certainty::Certain;
        !is_found
    });
    is_found
}

fn read(text: &str, is_value: bool, next: &mut dyn FnMut(Found) -> bool) {
    // No credential is shorter than `a://:b@c`.
    const SHORTEST: usize = 8;
    let Some(finder) = FINDER.as_ref().filter(|_| text.len() >= SHORTEST) else { return };
    let bytes = text.as_bytes();
    let looked = Looked { text: bytes, leads: OnceCell::new(), is_value };
    let mut done = 0;
    for found in finder.automaton.find_overlapping_iter(bytes) {
        if found.start() < done {
            continue;
        }
        let rule = &finder.rules[found.pattern().as_usize()];
        let secret = match rule {
            Rule::Shape(shape) => shape.read(bytes, found.start(), found.end()),
            Rule::Look(look) => look(&looked, found.start(), found.end()),
        };
        let Some(secret) = secret else { continue };
        if secret.range.start < done {
            continue;
        }
        done = secret.range.end;
        if !next(secret) {
            return;
        }
    }
}

/// The first secret that is refused.
pub(crate) fn first_in_text(text: &str) -> Option<Found> {
    let mut first = None;
    in_text(text, &mut |found| {
        let is_certain = found.certainty == Certainty::Certain;
        if is_certain {
            first = Some(found);
        }
        !is_certain
    });
    first
}

pub(super) fn certain(kind: &'static str, start: usize, end: usize) -> Option<Found> {
    Some(Found { kind, certainty: Certainty::Certain, range: start..end })
}

/// How many bytes of the class stand in front of a place, of `limit`; the letter of an escape is not one of them.
fn run_before(class: Class, text: &[u8], at: usize, limit: usize) -> usize {
    let run = text[..at].iter().rev().take(limit).take_while(|b| class.has(**b)).count();
    let start = at - run;
    let is_escape = run > 0
        && matches!(text[start], b'n' | b'r' | b't')
        && text[..start].last() == Some(&b'\\');
    run - usize::from(is_escape)
}

/// Whether a word ends there.
pub(super) fn ends_word(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|b| !is_word(*b))
}

/// RFC 7519: three parts, of which the first two are objects and the third is a signature.
fn json_web_token(looked: &Looked<'_>, at: usize, _body: usize) -> Option<Found> {
    let text = looked.text;
    const MOST: usize = 16_384;
    // Not in the middle of another token: each token is read once.
    if !begins_word(text, at) || at > 0 && text[at - 1] == b'-' {
        return None;
    }
    let mut end = at;
    let mut parts = [(0, 0); 3];
    for (number, part) in parts.iter_mut().enumerate() {
        if number > 0 {
            if text.get(end) != Some(&b'.') {
                return None;
            }
            end += 1;
        }
        let run = Class::Url.run(&text[end..], MOST);
        *part = (end, end + run);
        end += run;
    }
    let [head, claims, signature] = parts.map(|(start, end)| &text[start..end]);
    let is_object =
        |part: &[u8]| URL_SAFE_NO_PAD.decode(part).is_ok_and(|json| json.starts_with(b"{\""));
    let head = URL_SAFE_NO_PAD.decode(head).ok()?;
    let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
    let signs =
        has(b"\"alg\"") && !has(b"\"none\"") && signature.len() >= 32 && !is_monotonous(signature);
    // The one that jwt.io shows is in every tutorial.
    let is_example = signature == b"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let is_token = signs && is_object(claims) && !is_example;
    if !is_token { None } else { certain("json_web_token", at, end) }
}

/// RFC 7468, PKCS #1 and #8, OpenSSH, PGP; detect-secrets PrivateKeyDetector. Without a body it is talk of a key.
fn private_key(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    const NAMES: [&str; 8] = ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "ANY ", "PGP "];
    // A line of a body has 64 characters or more, all but the last; in front of it there may be headers.
    const LINE: usize = 40;
    const HEADERS: usize = 600;
    const LONGEST: usize = 16_384;
    let rest = &text[body..];
    let head = NAMES.iter().find_map(|name| {
        let rest = rest.strip_prefix(name.as_bytes())?;
        let behind = rest
            .strip_prefix(b"PRIVATE KEY-----")
            .or_else(|| rest.strip_prefix(b"PRIVATE KEY BLOCK-----"))?;
        Some(text.len() - behind.len())
    })?;
    let window = &text[head..text.len().min(head + HEADERS)];
    let has_line = window.split(|b| !Class::Base64.has(*b)).any(|line| line.len() >= LINE);
    if !has_line {
        return None;
    }
    let marker = b"-----END ";
    let end = text[head..].windows(marker.len()).take(LONGEST).position(|w| w == marker);
    let end = end.map_or(text.len().min(head + LONGEST), |at| head + at);
    certain("private_key", at, end)
}

/// PuTTY's own format of private keys.
fn putty_key(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let marker = b"Private-Lines:";
    let window = &text[body..text.len().min(body + 2_048)];
    let found = window.windows(marker.len()).position(|w| w == marker)?;
    let end = text.len().min(body + found + 4_096);
    certain("private_key", at, end)
}

/// AWS IAM, "Unique identifiers": AKIA of users, ASIA of sessions, and 16 characters of base 32. The id is half of a pair and
/// in every rule set, since it stands beside the other half. In a URL that was signed it stands alone, and is only told.
fn aws_access_key_id(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let run = Class::Base32.run(&text[body..], 17);
    let end = body + run;
    let alone = begins_word(text, at) && ends_word(text, end) && !in_base64(text, at, end);
    if run != 16
        || !alone
        || is_monotonous(&text[body..end])
        || text[body..end].ends_with(b"EXAMPLE")
    {
        return None;
    }
    let is_signed = text.get(end).is_some_and(|b| matches!(b, b'%' | b'/'))
        || text[..at].ends_with(b"Credential=");
    if is_signed {
        let certainty = Certainty::Possible;
        return Some(Found { kind: "aws_signed_url", certainty, range: at..end });
    }
    certain("aws_access_key_id", at, end)
}

/// Salesforce, OAuth 2.0: the id of the organisation, `!`, and the session. An id alone has no `!`.
fn salesforce_access_token(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let id = Class::Alphanumeric.run(&text[body..], 16);
    let mark = body + id;
    let is_id = begins_word(text, at) && matches!(id, 12 | 15);
    if !is_id || text.get(mark) != Some(&b'!') {
        return None;
    }
    let session = text[mark + 1..].iter().take(512);
    let session = session.take_while(|b| is_word(**b) || **b == b'.').count();
    if session < 60 { None } else { certain("salesforce_access_token", at, mark + 1 + session) }
}

/// The mark in the middle of keys of OpenAI: base64 of `OpenAI`; gitleaks openai-api-key.
fn openai_key(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let before = run_before(Class::Url, text, at, 200);
    let start = at - before;
    let behind = Class::Url.run(&text[body..], 200);
    let is_key = text[start..at].starts_with(b"sk-") && before >= 20 && behind >= 20;
    if is_key { certain("openai_api_key", start, body + behind) } else { None }
}

/// Entra ID, secrets of applications: three characters, a digit, `Q~`, and 31 to 34 more; gitleaks azure-ad-client-secret.
fn azure_client_secret(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~');
    let start = at.checked_sub(4)?;
    let fits = text[start..at - 1].iter().all(is_part) && text[at - 1].is_ascii_digit();
    let behind = text[body..].iter().take(40).take_while(|b| is_part(b)).count();
    let is_alone = start == 0 || !is_part(&text[start - 1]) || begins_word(text, start);
    if fits && is_alone && (31..=34).contains(&behind) {
        certain("azure_client_secret", start, body + behind)
    } else {
        None
    }
}

/// Telegram, "How do I create a bot": the number of the bot, a colon, and 35 characters.
fn telegram_bot_token(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let number = run_before(Class::Digits, text, at, 11);
    let start = at - number;
    let behind = Class::Url.run(&text[body..], 34);
    let is_alone = begins_word(text, start) || text[..start].ends_with(b"bot");
    if (8..=10).contains(&number) && behind == 33 && is_alone {
        certain("telegram_bot_token", start, body + behind)
    } else {
        None
    }
}

/// HCP Terraform, tokens of users, teams and organisations.
fn terraform_token(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let before = run_before(Class::Alphanumeric, text, at, 15);
    let behind = Class::Url.run(&text[body..], 100);
    if before == 14 && (60..=72).contains(&behind) {
        certain("terraform_token", at - before, body + behind)
    } else {
        None
    }
}

/// Slack, "Sending messages using incoming webhooks": whoever has the address may post.
fn slack_webhook(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let rest = &text[body..];
    let words = [&b"services/"[..], b"workflows/", b"triggers/"];
    let word = words.into_iter().find(|word| rest.starts_with(word))?;
    let path = &rest[word.len()..];
    let run = path.iter().take(200).take_while(|b| is_word(**b) || **b == b'/').count();
    let last = path[..run].rsplit(|b| *b == b'/').next().unwrap_or_default();
    if last.len() < 20 || is_monotonous(last) {
        return None;
    }
    certain("slack_webhook", at, body + word.len() + run)
}

/// Discord, "Webhook resource": an id, and the token of it.
fn discord_webhook(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let id = Class::Digits.run(&text[body..], 21);
    let slash = body + id;
    if !(17..=20).contains(&id) || text.get(slash) != Some(&b'/') {
        return None;
    }
    let token = Class::Url.run(&text[slash + 1..], 100);
    if token < 60 { None } else { certain("discord_webhook", at, slash + 1 + token) }
}
