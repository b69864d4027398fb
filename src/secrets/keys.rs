//! Secrets by the name of the key that they stand under; gitleaks generic-api-key, detect-secrets KeywordDetector.
//!
//! The last words of a name decide: `clientSecret` and `CLIENT_SECRET` hold a secret, `secret_ref`, `token_type`, `page_token` and
//! `password_changed_at` do not. What stands under a name is no secret for that alone: it may be a reference, a variable, a mask, a
//! label of a form.

use super::placeholder::is_placeholder;
use super::{Certainty, reference};

/// What may stand under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRule {
    pub(crate) kind: &'static str,
    demands: Demands,
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demands {
    /// One word is enough: people choose them.
    Word,
    /// What programs make: eight characters and more, letters with digits or of both cases.
    Made,
    /// The name says less: longer, and of letters and digits.
    Long,
    /// It holds a password among other things.
    Connection,
    /// The value is told of and never refused.
    Described,
}

const fn rule(kind: &'static str, demands: Demands) -> KeyRule {
    KeyRule { kind, demands }
}

/// Last words of names, without what is between them.
const NAMES: &[(&[&str], KeyRule)] = {
    use Demands::{Connection, Long, Made, Word};
    &[
        (&["password"], rule("password", Word)),
        (&["passwd"], rule("password", Word)),
        (&["pwd"], rule("password", Word)),
        (&["passphrase"], rule("password", Word)),
        (&["db", "pass"], rule("password", Word)),
        (&["user", "pass"], rule("password", Word)),
        (&["secret", "key", "base"], rule("secret_key", Made)),
        (&["secret"], rule("secret", Made)),
        (&["api", "key"], rule("api_key", Made)),
        (&["apikey"], rule("api_key", Made)),
        (&["secret", "key"], rule("secret_key", Made)),
        (&["secret", "access", "key"], rule("secret_key", Made)),
        (&["access", "key"], rule("secret_key", Made)),
        (&["account", "key"], rule("secret_key", Made)),
        (&["private", "key"], rule("private_key", Made)),
        (&["signing", "key"], rule("secret_key", Made)),
        (&["encryption", "key"], rule("secret_key", Made)),
        (&["master", "key"], rule("secret_key", Made)),
        (&["service", "role", "key"], rule("secret_key", Made)),
        (&["access", "token"], rule("access_token", Made)),
        (&["refresh", "token"], rule("refresh_token", Made)),
        (&["id", "token"], rule("access_token", Made)),
        (&["auth", "token"], rule("access_token", Made)),
        (&["api", "token"], rule("access_token", Made)),
        (&["bearer", "token"], rule("access_token", Made)),
        (&["bot", "token"], rule("access_token", Made)),
        (&["oauth", "token"], rule("access_token", Made)),
        (&["session", "token"], rule("session_token", Made)),
        (&["security", "token"], rule("access_token", Made)),
        (&["jwt"], rule("access_token", Long)),
        (&["authorization"], rule("authorization_header", Made)),
        (&["cookie"], rule("cookie", Long)),
        (&["connection", "string"], rule("connection_string", Connection)),
        (&["database", "url"], rule("connection_string", Connection)),
        (&["dsn"], rule("connection_string", Connection)),
        (&["credentials"], rule("credentials", Long)),
    ]
};

/// Names that are one word and often written so.
const JOINED: &[(&str, KeyRule)] = {
    use Demands::{Made, Word};
    &[
        ("password", rule("password", Word)),
        ("clientsecret", rule("secret", Made)),
        ("apisecret", rule("secret", Made)),
        ("secretkey", rule("secret_key", Made)),
        ("privatekey", rule("private_key", Made)),
        ("accesstoken", rule("access_token", Made)),
        ("refreshtoken", rule("refresh_token", Made)),
        ("authtoken", rule("access_token", Made)),
    ]
};

/// A name that is `token` and nothing more: of a cursor as often as of a session.
const TOKEN: KeyRule = rule("token", Demands::Long);

/// The last words of a name in lower case, the last first: `APIKey`, `api_key` and `api-key` have the same.
fn last_words(name: &str) -> Vec<String> {
    const MOST: usize = 4;
    const LONGEST: usize = 96;
    let bytes = name.as_bytes();
    let bytes = &bytes[bytes.len().saturating_sub(LONGEST)..];
    let mut words = Vec::new();
    let mut end = bytes.len();
    for at in (0..bytes.len()).rev() {
        let b = bytes[at];
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let next = bytes.get(at + 1).filter(|_| at + 1 < end);
        // A capital begins a word behind a small letter, and before one.
        let begins = b.is_ascii_uppercase()
            && (before.is_none_or(|b| !b.is_ascii_uppercase())
                || next.is_some_and(u8::is_ascii_lowercase));
        if b.is_ascii_alphanumeric() && !begins && at > 0 {
            continue;
        }
        let start = if b.is_ascii_alphanumeric() { at } else { at + 1 };
        if start < end {
            words.push(String::from_utf8_lossy(&bytes[start..end]).to_ascii_lowercase());
        }
        end = at.min(start);
        if words.len() == MOST {
            break;
        }
    }
    words
}

/// The last letters of all names that have a rule: most have not, and are passed over.
const ENDS: &[&[u8; 3]] = &[
    b"ord", b"rds", b"swd", b"pwd", b"ase", b"ret", b"ets", b"key", b"eys", b"ken", b"jwt", b"ion",
    b"kie", b"ing", b"url", b"dsn", b"als", b"ass",
];

/// The rule for what stands under a name.
pub(crate) fn rule_of(name: &str) -> Option<KeyRule> {
    // `password1`, `api_key_2`: one of several.
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let end: [u8; 3] = name.as_bytes().last_chunk()?.map(|b| b.to_ascii_lowercase());
    if !ENDS.contains(&&end) {
        return None;
    }
    let words = last_words(name);
    let ends = |wanted: &[&str]| {
        words.len() >= wanted.len()
            && wanted.iter().rev().zip(&words).all(|(wanted, word)| wanted == word)
    };
    // A name of several says the same of each.
    let plural = |wanted: &[&str]| {
        let (Some(last), Some(word)) = (wanted.last(), words.first()) else { return false };
        word.strip_suffix('s') == Some(last) && matches!(*last, "password" | "secret" | "key") && {
            words.len() >= wanted.len()
                && wanted.iter().rev().zip(&words).skip(1).all(|(wanted, word)| wanted == word)
        }
    };
    let found = NAMES.iter().find(|(wanted, _)| ends(wanted) || plural(wanted));
    if let Some((_, rule)) = found {
        return Some(*rule);
    }
    let word = words.first()?;
    if let Some((_, rule)) = JOINED.iter().find(|(joined, _)| word.ends_with(joined)) {
        return Some(*rule);
    }
    (word == "token" && words.len() == 1).then_some(TOKEN)
}

/// What a column of a name is proposed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proposal {
    /// A column of references: the secret belongs to another system.
    Reference,
    /// The application itself compares what is sent with it: it stays, and is shown to nobody.
    Sensitive,
}

/// What is proposed for a column of texts by its name. `token` alone says too little.
pub(crate) fn proposal(name: &str) -> Option<Proposal> {
    let rule = rule_of(name).filter(|rule| *rule != TOKEN)?;
    Some(match rule.kind {
        "password" | "session_token" | "cookie" => Proposal::Sensitive,
        _ => Proposal::Reference,
    })
}

impl KeyRule {
    /// Whether a value is a secret where the name says that it may be, and how sure that is. The name alone refuses nothing:
    /// what is a word, a label, a path, a rule of a form or an id may be a secret, and is as often none.
    pub(crate) fn judge(self, value: &str) -> Option<Certainty> {
        const LONGEST: usize = 16_384;
        let value = value.trim();
        if value.len() > LONGEST {
            return None;
        }
        let sure =
            |is_sure: bool| Some(if is_sure { Certainty::Certain } else { Certainty::Possible });
        match self.demands {
            Demands::Word => {
                (value.len() >= 4 && !is_plain(value)).then_some(())?;
                sure(has_mark(value) && !is_harmless(value))
            }
            Demands::Made => {
                let value = value.split_once(' ').map_or(value, |(scheme, rest)| match scheme {
                    "Bearer" | "Basic" | "Token" | "token" | "bearer" => rest,
                    _ => value,
                });
                (value.len() >= 8 && !is_plain(value)).then_some(())?;
                let is_id = self.kind == "secret_key" && is_uuid(value);
                sure((has_mark(value) || is_jumbled(value)) && !is_harmless(value) && !is_id)
            }
            Demands::Long => {
                let digits = value.bytes().filter(u8::is_ascii_digit).count();
                let letters = value.bytes().any(|b| b.is_ascii_alphabetic());
                (value.len() >= 16 && digits >= 2 && letters && !is_plain(value)).then_some(())?;
                // Of a cursor as often as of a session.
                sure(self != TOKEN && !is_harmless(value))
            }
            Demands::Described => {
                (value.len() >= 4 && !is_plain(value)).then_some(Certainty::Possible)
            }
            Demands::Connection => {
                let folded = value.to_ascii_lowercase();
                let has_secret =
                    ["password=", "pwd=", "accountkey=", "sharedaccesskey="].iter().any(|word| {
                        folded.split_once(word).is_some_and(|(_, rest)| {
                            let value = rest.split([';', '&', ' ']).next().unwrap_or_default();
                            !is_placeholder(value.as_bytes())
                        })
                    });
                has_secret.then_some(Certainty::Certain)
            }
        }
    }

    /// Whether values are described under the key above, and not stored: the errors, columns or labels of a form.
    pub(crate) fn is_described_under(above: &str) -> bool {
        const WORDS: &[&str] = &[
            "column",
            "error",
            "hint",
            "label",
            "mapping",
            "message",
            "placeholder",
            "rule",
            "schema",
            "translation",
            "type",
            "validation",
            "validator",
            "violation",
            "description",
        ];
        let words = last_words(above);
        words.first().is_some_and(|last| {
            WORDS.iter().any(|word| last == word || last.strip_suffix('s') == Some(word))
        })
    }

    /// The same where the value describes a field.
    pub(crate) fn described(self) -> Self {
        Self { demands: Demands::Described, ..self }
    }

    /// The rule for `token`, `pass` and the like below `auth`, `login` or `credentials`.
    pub(crate) fn below(above: &str, name: &str) -> Option<KeyRule> {
        const ABOVE: &[&str] =
            &["auth", "authentication", "oauth", "oauth2", "login", "credentials"];
        let rule = match name {
            "token" => rule("access_token", Demands::Made),
            "pass" => rule("password", Demands::Word),
            _ => return None,
        };
        let words = last_words(above);
        words.first().is_some_and(|last| ABOVE.contains(&last.as_str())).then_some(rule)
    }
}

/// What is written in place of a value, or in words.
fn is_plain(value: &str) -> bool {
    value.bytes().any(|b| b.is_ascii_whitespace())
        || is_placeholder(value.as_bytes())
        || is_expression(value)
        || reference::problem(value).is_none()
        || value.starts_with("https://")
        || value.starts_with("http://")
}

/// Whether it has what words have not: a digit, or a mark that joins no words.
fn has_mark(value: &str) -> bool {
    value.bytes().any(|b| b.is_ascii_digit())
        || value.bytes().any(|b| b.is_ascii_punctuation() && !b"-_./:|,()[]\\'\"".contains(&b))
}

/// Letters in both cases, in the order of no words.
fn is_jumbled(value: &str) -> bool {
    let bytes = value.as_bytes();
    let turns =
        bytes.windows(2).filter(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase()).count();
    bytes.len() >= 16 && turns * 5 >= bytes.len() && bytes.iter().all(u8::is_ascii_alphabetic)
}

fn is_uuid(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|b| b.is_ascii_hexdigit())
}

/// Paths (`certs/key.pem`, `/home/app2`), labels (`AUTH-123456`, `my-app-2`), rules and types of forms (`required|min:8`,
/// `varchar(255)`), calls (`crypt(x)`).
fn is_harmless(value: &str) -> bool {
    let is_name = |part: &str| {
        // A word with a number behind it, or a number.
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = part.len() - word.len();
        word.chars().all(char::is_alphabetic) && (word.is_empty() || digits <= 5)
    };
    let mut parts =
        value.split(|c: char| "-_./:|,()[]\\".contains(c)).filter(|part| !part.is_empty());
    let count = parts.clone().count();
    let is_date = value.len() >= 10
        && value.as_bytes()[..10].iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        });
    let is_path = value.starts_with('/') || value.starts_with("./") || value.starts_with("../");
    let has_name = value.bytes().any(|b| !b.is_ascii_alphanumeric());
    is_date
        || has_name && count >= 1 && parts.all(is_name)
        || is_path
            && !value[1..]
                .split('/')
                .any(|part| part.len() >= 12 && !part.split(['-', '_', '.']).all(is_name))
}

/// What is computed or looked up: `$.steps.login.token`, `=credentials.x`, `DB_PASSWORD`, `secrets.DB_PASSWORD`, `steps.login.password`.
fn is_expression(value: &str) -> bool {
    let is_constant = |name: &str| {
        name.contains('_')
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            && name.chars().filter(char::is_ascii_digit).count() <= 2
    };
    let is_path = || {
        let mut names = value.split('.');
        value.contains('.')
            && names.all(|name| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && name.len() <= 32
                    && name.chars().filter(char::is_ascii_digit).count() <= 2
            })
    };
    value.starts_with("$.")
        || value.starts_with("=")
        || value.starts_with("#/")
        || value.contains("{{")
        || value.contains("${")
        || is_constant(value)
        || is_path()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_last_words() {
        for (name, kind) in [
            ("password", "password"),
            ("db_password", "password"),
            ("DB-PASSWORD", "password"),
            ("userPassword", "password"),
            ("passwords", "password"),
            ("client_secret", "secret"),
            ("clientSecret", "secret"),
            ("clientsecret", "secret"),
            ("api_key", "api_key"),
            ("apiKey", "api_key"),
            ("APIKey", "api_key"),
            ("x-api-key", "api_key"),
            ("apiKeys", "api_key"),
            ("aws_secret_access_key", "secret_key"),
            ("secretAccessKey", "secret_key"),
            ("privateKey", "private_key"),
            ("accessToken", "access_token"),
            ("refresh_token", "refresh_token"),
            ("refreshToken", "refresh_token"),
            ("AuthToken", "access_token"),
            ("token", "token"),
            ("Authorization", "authorization_header"),
            ("connectionString", "connection_string"),
            ("DATABASE_URL", "connection_string"),
            ("sentry_dsn", "connection_string"),
            ("DB_PASS", "password"),
            ("password1", "password"),
            ("password_2", "password"),
            ("secret_key_base", "secret_key"),
        ] {
            assert_eq!(rule_of(name).map(|rule| rule.kind), Some(kind), "{name}");
        }
        for name in [
            "",
            "page_token",
            "nextPageToken",
            "sync_token",
            "syncToken",
            "continuation_token",
            "deltaToken",
            "cursor",
            "etag",
            "token_type",
            "token_count",
            "tokens",
            "max_tokens",
            "secret_ref",
            "secretRef",
            "secret_id",
            "password_changed_at",
            "password_policy",
            "public_key",
            "primary_key",
            "foreign_key",
            "key",
            "keys",
            "partition_key",
            "idempotency_key",
            "id",
            "access_key_id",
            "api_key_id",
            "apiKeyName",
            "authorization_url",
            "tokenUrl",
            "external_id",
            "sort_key",
            "name",
            "passwordless",
            "secretary",
            "key_fields",
            "id_key",
            "updated_at_key",
            "deleted_key",
            "consumer_key",
            "csrf_token",
        ] {
            assert_eq!(rule_of(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_have_a_rule_are_not_passed_over() {
        let last = NAMES.iter().filter_map(|(words, _)| words.last().copied());
        for word in last.chain(JOINED.iter().map(|(word, _)| *word)).chain(["token"]) {
            assert!(
                rule_of(word).is_some() || ENDS.iter().any(|end| word.as_bytes().ends_with(*end)),
                "{word}"
            );
        }
    }

    #[test]
    fn columns_are_proposed_by_their_names() {
        for name in ["accessToken", "refresh_token", "apiKey", "webhookSecret", "DATABASE_URL"] {
            assert_eq!(proposal(name), Some(Proposal::Reference), "{name}");
        }
        for name in ["password", "sessionToken"] {
            assert_eq!(proposal(name), Some(Proposal::Sensitive), "{name}");
        }
        for name in ["token", "passwordHash", "tokenType", "syncToken", "secretRef", "email"] {
            assert_eq!(proposal(name), None, "{name}");
        }
    }

    #[test]
    fn values_must_look_like_secrets() {
        let judge = |name: &str, value: &str| rule_of(name).and_then(|rule| rule.judge(value));
        let holds = |name: &str, value: &str| judge(name, value) == Some(Certainty::Certain);
        for (name, value) in [
            ("password", "hunter2"),
            ("password", "tr0ub4dor&3"),
            ("client_secret", "q8Zr2LmN5tYx0K"),
            ("api_key", "abcd1234efgh"),
            ("accessToken", "q8Zr2LmN5tYx0KpW"),
            ("authorization", "Bearer q8Zr2LmN5tYx0K"),
            ("connection_string", "Server=x;Password=hunter2"),
            ("secret", "p@ssw-rd.very"),
            ("password", "qwertz!"),
            ("api_key", "qZrLmNtYxKpWbCdEfGh"),
            ("aws_secret_access_key", "/wJalrXUtn3EMIK7MDENGbPxRfiCYq8Zr2LmN5tY"),
        ] {
            assert!(holds(name, value), "{name} {value}");
        }
        for (name, value) in [
            ("password", "vault:team/db"),
            ("password", "${DB_PASSWORD}"),
            ("password", "DB_PASSWORD"),
            ("password", "{{ x.y }}"),
            ("password", "string"),
            ("password", "Enter your password"),
            ("password", "********"),
            ("password", ""),
            ("password", "steps.login.password"),
            ("secret", "env:CLIENT_SECRET"),
            ("api_key", "demo"),
            ("api_key", "required"),
            ("token", "page2"),
            ("token", "abcdefghijklmnopqrstuvwxyz"),
            ("access_token", "https://example.com/oauth/token"),
            ("authorization", "Bearer"),
            ("authorization", "Bearer {{token}}"),
            ("connection_string", "Server=x;Database=y"),
            ("apiKey", "/components/securitySchemes/key"),
            ("secret", "$.body.secret"),
            ("jwt", "HS256"),
            // Forms, schemas, labels, ids, paths, cursors: possible at most.
            ("password", "invalid"),
            ("password", "varchar"),
            ("password", "varchar(255)"),
            ("password", "Passwort"),
            ("password", "required|min:8"),
            ("password", "changed"),
            ("password", "crypt(x)"),
            ("PWD", "/home/app"),
            ("PWD", "/srv/app-2/current"),
            ("authorization", "basic_auth"),
            ("authorization", "AUTH-123456"),
            ("account_key", "ACC-10023"),
            ("secret", "my-app-secret"),
            ("secret", "my-app-secret-2"),
            ("encryption_key", "6f1c1c2e-8a0b-4c3d-9e4f-5a6b7c8d9e0f"),
            (
                "encryption_key",
                "projects/p1/locations/eu-west1/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
            ),
            ("private_key", "certs/key.pem"),
            ("token", "CAESBkFCQ0RFRjE2NzY1"),
            ("token", "q8Zr2LmN5tYx0KpWb7Cd"),
            ("id_token", "response_type"),
            ("api_key", "ApiKeyAuth"),
            ("secret", "2026-01-01T10:00:00Z"),
        ] {
            assert!(!holds(name, value), "{name} {value}");
        }
    }
}
