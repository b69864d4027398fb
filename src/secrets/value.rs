//! Whether what stands under the name of a key looks like a secret. The name alone refuses nothing.

use super::keys::{KeyRule, TOKEN};
use super::placeholder::is_placeholder;
use super::{Certainty, reference};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demands {
    /// One word is enough: people choose them.
    Word,
    /// What programs make: eight characters and more, letters with digits or of both cases.
    Made,
    /// The name says less: longer, and of letters and digits.
    Long,
    /// It holds a password among other things.
    Connection,
    /// Base64 of `user:password`.
    Basic,
    /// The value is told of and never refused.
    Described,
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
            Demands::Basic => is_basic(value.as_bytes()).then_some(Certainty::Certain),
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
}

impl KeyRule {
    /// The same of a number: people choose passwords of digits. A short one may count something.
    pub(crate) fn judge_number(self, digits: &str) -> Option<Certainty> {
        let is_whole = digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit());
        let is_certain = digits.len() >= 6 && self.demands == Demands::Word;
        let is_possible = matches!(self.demands, Demands::Word | Demands::Described);
        (is_whole && is_possible && !is_placeholder(digits.as_bytes())).then_some(if is_certain {
            Certainty::Certain
        } else {
            Certainty::Possible
        })
    }
}

/// Whether a value is what RFC 7617 makes of a user and a password, base64 of `user:password`.
pub(super) fn is_basic(value: &[u8]) -> bool {
    let decoded = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value));
    let Some(decoded) = decoded.ok().and_then(|decoded| String::from_utf8(decoded).ok()) else {
        return false;
    };
    let Some((user, password)) = decoded.split_once(':') else { return false };
    value.len() >= 8
        && decoded.chars().all(|c| !c.is_control())
        && !(user.is_empty() && password.is_empty())
        && !is_placeholder(password.as_bytes())
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
    use super::super::keys::rule_of;
    use super::*;

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
