//! Passwords and tokens in URLs and in connection strings.

use super::keys::rule_of;
use super::placeholder::{is_monotonous, is_placeholder};
use super::shape::Class;
use super::text::{Look, Looked, certain, ends_word};
use super::{Certainty, Found};
use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::sync::LazyLock;

pub(super) const LOOKS: &[(&str, Look)] = &[
    ("://", url_password),
    ("jdbc:oracle:", oracle_password),
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
    ("auth_token=", query_secret),
    ("client_secret=", query_secret),
    ("api_key=", query_secret),
    ("api-key=", query_secret),
    ("apikey=", query_secret),
    ("apiKey=", query_secret),
    ("APIKEY=", query_secret),
    ("api_token=", query_secret),
    ("private_token=", query_secret),
    ("subscription-key=", query_secret),
    ("token=", query_token),
    ("secret=", query_token),
    ("auth=", query_token),
    ("password=", query_password),
    ("passwd=", query_password),
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
    "ssl=",
    "abortconnect=",
    "endpoint=",
];

static WORDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(LEADS).ok());

impl Looked<'_> {
    /// Whether a word of a connection string is so near.
    pub(super) fn leads_near(&self, at: usize, distance: usize) -> bool {
        let find = || {
            let words = WORDS.as_ref();
            words.map_or_else(Vec::new, |words| {
                words.find_iter(self.text).map(|found| found.start()).collect()
            })
        };
        let leads = self.leads.get_or_init(find);
        let next = leads.partition_point(|lead| *lead < at.saturating_sub(distance));
        leads.get(next).is_some_and(|lead| *lead < at + distance)
    }
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

/// Oracle's JDBC driver, "Database URLs": `jdbc:oracle:thin:user/password@host`; trufflehog JDBC.
fn oracle_password(looked: &Looked<'_>, _at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    let part = |from: usize, end: u8| {
        let is_part = |b: &&u8| {
            !matches!(b, b'/' | b'@' | b'"' | b'\'' | b'\\' | b'<' | b'>')
                && !b.is_ascii_whitespace()
        };
        let length = text[from..].iter().take(128).take_while(is_part).count();
        (text.get(from + length) == Some(&end)).then_some(from + length)
    };
    let driver = body + Class::Letters.run(&text[body..], 8);
    let user = (text.get(driver) == Some(&b':')).then_some(driver + 1)?;
    let slash = part(user, b'/').filter(|slash| *slash > user)?;
    let end = part(slash + 1, b'@')?;
    let is_secret = !is_placeholder(&text[slash + 1..end]);
    if is_secret { certain("connection_string_password", slash + 1, end) } else { None }
}

/// Where the next pair begins: `password=x,ssl=True`. Otherwise a password may have a comma.
fn before_next_pair(value: &[u8]) -> usize {
    let is_pair = |at: usize| {
        let name =
            value[at + 1..].iter().take(32).take_while(|b| b.is_ascii_alphanumeric()).count();
        name > 0 && value.get(at + 1 + name) == Some(&b'=')
    };
    let mut commas = value.iter().enumerate().filter(|(_, b)| **b == b',').map(|(at, _)| at);
    commas.find(|at| is_pair(*at)).unwrap_or(value.len())
}

/// A password in a connection string of libpq, ODBC, ADO.NET, JDBC or StackExchange.Redis: only beside a word that says where it
/// leads.
fn dsn_password(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    const AROUND: usize = 512;
    if !looked.leads_near(at, AROUND) {
        return None;
    }
    let value = text[body..].iter().take(256);
    let ends =
        |b: &&u8| !matches!(b, b';' | b'&' | b'"' | b'<' | b'\\') && !b.is_ascii_whitespace();
    let length = value.take_while(ends).count();
    let length = before_next_pair(&text[body..body + length]);
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
    if is_plain { None } else { certain("connection_string_password", body, body + length) }
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

/// A secret as a parameter of a URL or a form (RFC 6749; RFC 6750, 2.3); detect-secrets KeywordDetector, nosey parker
/// "Credentials in URL query". `page_token`, `sync_token` and `$skiptoken` are other names.
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

/// The same under a name that is of cursors and ids as well: only behind `?` and `&`, and never what is an id or an encoded
/// document, as cursors are.
fn query_token(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    if at == 0 || !matches!(text[at - 1], b'?' | b'&') {
        return None;
    }
    let run = Class::Token.run(&text[body..], 4_096);
    let value = &text[body..body + run];
    let count = |test: fn(&u8) -> bool| value.iter().filter(|b| test(b)).count();
    let is_mixed = count(u8::is_ascii_digit) >= 2 && count(u8::is_ascii_alphabetic) >= 2;
    let is_id = matches!(value, [_, _, _, _, _, _, _, _, b'-', ..]) && run == 36;
    let is_secret = run >= 20
        && is_mixed
        && !is_id
        && !is_cursor(value)
        && !is_monotonous(value)
        && !is_placeholder(value);
    if is_secret { certain("query_secret", body, body + run) } else { None }
}

/// Whether a value is base64 of a document, of text, or of a message of Protocol Buffers (`CAESB…`).
fn is_cursor(value: &[u8]) -> bool {
    let whole = value.trim_ascii_end();
    let bare = whole.strip_suffix(b"%3D%3D").or_else(|| whole.strip_suffix(b"%3D"));
    let bare = bare.unwrap_or(whole);
    let bare = bare.strip_suffix(b"==").or_else(|| bare.strip_suffix(b"=")).unwrap_or(bare);
    let decoded = STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare));
    bare.starts_with(b"CA")
        || bare.starts_with(b"eyJ")
        || decoded.is_ok_and(|decoded| {
            decoded.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
        })
}

/// A password as a parameter of a URL.
fn query_password(looked: &Looked<'_>, at: usize, body: usize) -> Option<Found> {
    let text = looked.text;
    if at == 0 || !matches!(text[at - 1], b'?' | b'&') {
        return None;
    }
    let run = Class::Token.run(&text[body..], 256);
    let value = str::from_utf8(&text[body..body + run]).ok()?;
    let is_secret = rule_of("password")?.judge(value) == Some(Certainty::Certain);
    if is_secret { certain("query_secret", body, body + run) } else { None }
}
