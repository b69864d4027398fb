//! Secrets by the name of the key that they stand under; gitleaks generic-api-key, detect-secrets KeywordDetector.
//!
//! The last words of a name decide: `clientSecret` and `CLIENT_SECRET` hold a secret, `secret_ref`, `token_type`, `page_token` and
//! `password_changed_at` do not. What stands under a name is no secret for that alone: it may be a reference, a variable, a mask, a
//! label of a form.

use super::value::Demands;

/// What may stand under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRule {
    pub(crate) kind: &'static str,
    pub(super) demands: Demands,
}

const fn rule(kind: &'static str, demands: Demands) -> KeyRule {
    KeyRule { kind, demands }
}

/// Last words of names, without what is between them.
const NAMES: &[(&[&str], KeyRule)] = {
    use Demands::{Basic, Connection, Long, Made, Word};
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
        // Docker, "config.json"; npm, ".npmrc".
        (&["auth"], rule("basic_auth", Basic)),
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
pub(super) const TOKEN: KeyRule = rule("token", Demands::Long);

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
    b"kie", b"ing", b"url", b"dsn", b"als", b"ass", b"uth",
];

/// The rule for what stands under a name.
pub(crate) fn rule_of(name: &str) -> Option<KeyRule> {
    // A key that was a secret says nothing of what stands under it.
    if name.contains("[redacted") {
        return None;
    }
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
}
