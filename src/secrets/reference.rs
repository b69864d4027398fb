//! References to secrets that are kept elsewhere: `scheme:rest`.
//!
//! The schemes are a list. If every word before a colon were let through, `admin:hunter2` and `password:hunter2` were
//! references too. An application adds its own by the setting `kepler.secret_reference_schemes`.

use super::text::first_in_text;
use std::fmt;

/// Longer ones are no names.
const MAX_LENGTH: usize = 2_048;

/// Stores of secrets, by the words that their tools and operators use: HashiCorp Vault and OpenBao; environment and files
/// (Docker, systemd); AWS Secrets Manager, Parameter Store and ARNs; Google Secret Manager; Azure Key Vault; Kubernetes; 1Password
/// (`op://`), Bitwarden (`bws`), Doppler, Infisical, Akeyless, CyberArk Conjur, Keeper, SOPS, keyrings of operating systems.
const SCHEMES: &[&str] = &[
    "akeyless",
    "arn",
    "aws-secretsmanager",
    "aws-sm",
    "aws-ssm",
    "azure-keyvault",
    "azure-kv",
    "bao",
    "bitwarden",
    "bws",
    "conjur",
    "docker",
    "doppler",
    "env",
    "file",
    "gcp-secretmanager",
    "gcp-sm",
    "infisical",
    "k8s",
    "keeper",
    "keychain",
    "keyring",
    "kubernetes",
    "op",
    "secretsmanager",
    "sops",
    "ssm",
    "systemd",
    "vault",
];

/// Why a value is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    NoReference,
    /// It has the form, and what it says is itself a secret of this kind.
    Secret(&'static str),
}

impl Problem {
    /// Whether a message tells of a value that is no reference.
    pub(crate) fn is_told_in(message: &str) -> bool {
        [NO_REFERENCE, SECRET].iter().any(|words| message.contains(words))
    }
}

const NO_REFERENCE: &str = "is no reference to a secret";
const SECRET: &str = "looks like a secret";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoReference => {
                write!(f, "{NO_REFERENCE}, such as vault:team/app")
            }
            Problem::Secret(kind) => {
                write!(f, "{SECRET} ({kind}) and not like a reference to one")
            }
        }
    }
}

/// Why a text is no reference; `None` if it is one. `own` are schemes beside the known ones.
pub(crate) fn problem_beside(text: &str, own: &str) -> Option<Problem> {
    if let Some(found) = first_in_text(text) {
        return Some(Problem::Secret(found.kind));
    }
    let Some((scheme, rest)) = text.split_once(':') else { return Some(Problem::NoReference) };
    // `*` in the setting would let `*:hunter2` through.
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'));
    let is_own = || is_scheme && own.split(',').any(|known| known.trim() == scheme);
    let is_known = SCHEMES.binary_search(&scheme).is_ok() || is_own();
    let is_name = !rest.trim_start_matches('/').is_empty()
        && text.len() <= MAX_LENGTH
        // Names of vaults and items of 1Password have spaces.
        && rest.chars().all(|c| !c.is_control() && (!c.is_whitespace() || scheme == "op" && c == ' '));
    let fits = match scheme {
        "env" => is_variable(rest),
        "file" => rest.contains(['/', '\\', '.']),
        _ => true,
    };
    let fits = is_known && is_name && fits;
    (!fits).then_some(Problem::NoReference)
}

/// The same with the known schemes alone.
pub(crate) fn problem(text: &str) -> Option<Problem> {
    problem_beside(text, "")
}

/// The name of a variable of the environment, with slashes before it if somebody writes `env://NAME`.
fn is_variable(name: &str) -> bool {
    let name = name.trim_start_matches('/').as_bytes();
    name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_in_order() {
        assert!(SCHEMES.is_sorted());
    }

    #[test]
    fn references_are_told_from_others() {
        for text in [
            "vault:secret/data/app#password",
            "vault://kv/team",
            "env:DB_PASSWORD",
            "env://TOKEN",
            "aws-sm:prod/db",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
            "gcp-sm:projects/p/secrets/s/versions/latest",
            "azure-kv:vault-name/secret-name",
            "k8s:namespace/secret/key",
            "file:/run/secrets/db",
            "op://vault/item/field",
            "op://Private/My Login/password",
            "file:./key.pem",
            "doppler:project/config/NAME",
            "keychain:login",
            "vault:a:b",
        ] {
            assert_eq!(problem(text), None, "{text}");
        }
        for text in [
            "",
            "vault",
            "vault:",
            "vault://",
            ":x",
            "hunter2",
            "admin:hunter2",
            "password:hunter2",
            "data:text/plain,hunter2",
            "https://example.com/x",
            "VAULT:x",
            "vault:a b",
            "pass:hunter2",
            "credential:hunter2",
            "file:hunter2",
            "vault:a\nb",
            "env:a-b",
            "env:",
            "env:1A",
            "acme:x",
            "bearer:abc",
            " vault:x",
        ] {
            assert_eq!(problem(text), Some(Problem::NoReference), "{text}");
        }
        assert_eq!(
            problem(&format!("vault:{}", "x".repeat(MAX_LENGTH))),
            Some(Problem::NoReference)
        );
        assert_eq!(problem_beside("acme:x", "other, acme"), None);
        assert_eq!(problem_beside(":x", ","), Some(Problem::NoReference));
        assert_eq!(problem_beside("*:x", "*"), Some(Problem::NoReference));
    }

    #[test]
    fn a_secret_in_the_form_of_a_reference_is_a_secret() {
        let token = ["ghp", "_", "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu"].concat();
        for text in [format!("vault:{token}"), token, "op://user:hunter2@host/x".to_owned()] {
            assert!(matches!(problem(&text), Some(Problem::Secret(_))), "{text}");
        }
    }
}
