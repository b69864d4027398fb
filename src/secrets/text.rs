//! Secrets in a text. One automaton finds the literals that a secret begins with, or has in it; then the rule that knows the
//! literal looks around.

use super::placeholder::{is_monotonous, is_placeholder};
use super::shape::{Class, Shape, begins_word, in_base64, is_word};
use super::shapes::GROUPS;
use super::{Certainty, Found};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::cell::OnceCell;
use std::sync::LazyLock;

/// What looks around a literal, which begins and ends at these places.
type Look = fn(&Looked<'_>, usize, usize) -> Option<Found>;

/// The text that is looked at.
struct Looked<'t> {
    text: &'t [u8],
    /// Where words of connection strings begin; found by the first rule that asks.
    leads: OnceCell<Vec<usize>>,
}

enum Rule {
    Shape(&'static Shape),
    Look(Look),
}

/// Literals that need more than what stands behind them.
const LOOKS: &[(&str, Look)] = &[
    ("://", url_password),
    ("eyJ", json_web_token),
    ("-----BEGIN ", private_key),
    ("PuTTY-User-Key-File-", putty_key),
    ("Bearer ", authorization),
    ("bearer ", authorization),
    ("Basic ", authorization),
    ("basic ", authorization),
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
    ("assword=", dsn_password),
    ("ASSWORD=", dsn_password),
    ("pwd=", dsn_password),
    ("Pwd=", dsn_password),
    ("PWD=", dsn_password),
    ("assword = ", dsn_password),
    ("sig=", azure_signature),
    ("access_token=", query_secret),
    ("ACCESS_TOKEN=", query_secret),
    ("refresh_token=", query_secret),
    ("id_token=", query_secret),
    ("client_secret=", query_secret),
    ("api_key=", query_secret),
    ("api-key=", query_secret),
    ("apikey=", query_secret),
    ("apiKey=", query_secret),
];

/// Words of connection strings, in any case.
const LEADS: &[&str] = &[
    "server=",
    "host=",
    "hostaddr=",
    "data source=",
    "database=",
    "dbname=",
    "initial catalog=",
    "user id=",
    "uid=",
    "user=",
    "username=",
    "jdbc:",
    "driver=",
];

impl Looked<'_> {
    /// Whether a word of a connection string is so near.
    fn leads_near(&self, at: usize, distance: usize) -> bool {
        let find = || {
            let finder = FINDER.as_ref();
            finder.map_or_else(Vec::new, |f| {
                f.leads.find_iter(self.text).map(|m| m.start()).collect()
            })
        };
        let leads = self.leads.get_or_init(find);
        let next = leads.partition_point(|lead| *lead < at.saturating_sub(distance));
        leads.get(next).is_some_and(|lead| *lead < at + distance)
    }
}

struct Finder {
    automaton: AhoCorasick,
    rules: Vec<Rule>,
    leads: AhoCorasick,
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
    for (literal, look) in LOOKS {
        literals.push(literal);
        rules.push(Rule::Look(*look));
    }
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .build(&literals)
        .ok()?;
    let leads = AhoCorasick::builder().ascii_case_insensitive(true).build(LEADS).ok()?;
    Some(Finder { automaton, rules, leads })
});

/// The secrets in a text, in their order; they do not overlap. `next` says whether to go on.
pub(crate) fn in_text(text: &str, next: &mut dyn FnMut(Found) -> bool) {
    // No credential is shorter than `a://:b@c`.
    const SHORTEST: usize = 8;
    let Some(finder) = FINDER.as_ref().filter(|_| text.len() >= SHORTEST) else { return };
    let bytes = text.as_bytes();
    let looked = Looked { text: bytes, leads: OnceCell::new() };
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

fn certain(kind: &'static str, start: usize, end: usize) -> Option<Found> {
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
fn ends_word(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|b| !is_word(*b))
}

/// `scheme://user:password@host` (RFC 3986, 3.2.1); detect-secrets BasicAuthDetector.
fn url_password(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    const MOST: usize = 1_024;
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !at.checked_sub(1).is_some_and(|before| is_scheme(&text[before])) {
        return None;
    }
    let authority = text[body..].iter().take(MOST);
    let ends = |b: &&u8| {
        !matches!(b, b'/' | b'?' | b'#' | b'\\' | b'"' | b'\'' | b'<' | b'>')
            && !b.is_ascii_whitespace()
    };
    let authority = &text[body..body + authority.take_while(ends).count()];
    // A password may have an @ that nobody has escaped; a user has none.
    let host = authority.iter().rposition(|b| *b == b'@')?;
    let user = authority.iter().position(|b| *b == b':').filter(|colon| *colon < host)?;
    let password = &authority[user + 1..host];
    // `https://host:8080|bob@example.com`: a port, and the next thing in a list.
    let port = Class::Digits.run(password, 6);
    let is_port = (2..=5).contains(&port)
        && password.get(port).is_some_and(|b| matches!(b, b',' | b';' | b'|' | b')'));
    // `docker://localhost:5000@sha256:…`, `s3://bucket:prefix@v1`: a version stands behind the @.
    let scheme = text[..at].iter().rev().take_while(|b| is_scheme(b)).count();
    let scheme = &text[at - scheme..at];
    let has_version = authority[host + 1..].starts_with(b"sha256")
        || matches!(scheme, b"s3" | b"gs" | b"docker" | b"oci" | b"pkg");
    if is_placeholder(password) || is_port || has_version {
        return None;
    }
    certain("url_password", body + user + 1, body + host)
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
        run >= 20 && digits >= 2 && letters >= 2 && !is_monotonous(token)
    } else {
        let decoded = STANDARD.decode(token).or_else(|_| STANDARD_NO_PAD.decode(token)).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (user, password) = decoded.split_once(':')?;
        run >= 8
            && decoded.chars().all(|c| !c.is_control())
            && !(user.is_empty() && password.is_empty())
            && !is_placeholder(password.as_bytes())
    };
    if is_secret && !is_placeholder(token) {
        certain("authorization_header", body, body + run)
    } else {
        None
    }
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

/// A password in a connection string of libpq, ODBC, ADO.NET or JDBC: only beside a word that says where it leads.
fn dsn_password(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    const AROUND: usize = 512;
    let value = text[body..].iter().take(256);
    let ends =
        |b: &&u8| !matches!(b, b';' | b'&' | b'"' | b'<' | b'\\') && !b.is_ascii_whitespace();
    let length = value.take_while(ends).count();
    let password = text[body..body + length].trim_ascii();
    let password = password
        .strip_prefix(b"'")
        .map_or(password, |rest| rest.strip_suffix(b"'").unwrap_or(rest));
    let is_path = password.starts_with(b"/");
    // `password=crypt(x)`, `user.password==hash`: code.
    let is_code = password.contains(&b'(')
        || password.starts_with(b"=")
        || password.strip_prefix(b"$").is_some_and(|name| name.iter().all(u8::is_ascii_lowercase))
        || text[..at].iter().rev().take(2).any(|b| *b == b'.');
    let is_plain = is_path || is_code || is_placeholder(password);
    if !is_plain && looked.leads_near(at, AROUND) {
        certain("connection_string_password", body, body + length)
    } else {
        None
    }
}

/// Azure Storage, "Shared access signatures": a hash of 32 bytes in base64, escaped in a URL.
fn azure_signature(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let is_parameter = at > 0 && matches!(text[at - 1], b'?' | b'&' | b';');
    let run = text[body..].iter().take(200);
    let run = run.take_while(|b| Class::Base64.has(**b) || **b == b'%').count();
    let signature = &text[body..body + run];
    let ends =
        signature.ends_with(b"=") || signature.ends_with(b"%3D") || signature.ends_with(b"%3d");
    if is_parameter && run >= 44 && ends && ends_word(text, body + run) {
        certain("azure_shared_access_signature", body, body + run)
    } else {
        None
    }
}

/// A secret as a parameter of a URL or a form (RFC 6749; RFC 6750, 2.3).
fn query_secret(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    if at > 0 && !matches!(text[at - 1], b'?' | b'&' | b'#' | b';' | b' ' | b'"') {
        return None;
    }
    let run = Class::Token.run(&text[body..], 4_096);
    let value = &text[body..body + run];
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let is_secret = run >= 16 && digits >= 2 && !is_monotonous(value) && !is_placeholder(value);
    if is_secret { certain("query_secret", body, body + run) } else { None }
}
