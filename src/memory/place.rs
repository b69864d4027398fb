//! Where a memory stands: its namespace, and the caller's own key.

use super::error::MemoryError;
use crate::answer::Violation;
use crate::arguments::ArgumentError;
use crate::error::Error;

/// Bytes of a namespace, and of a key.
const MAX_PLACE: usize = 1000;
/// Stands between the labels of a namespace.
pub(crate) const SEPARATOR: char = '/';
/// Stands for any label where namespaces are listed, and is none.
pub(crate) const ANY_LABEL: &str = "*";

/// What is wrong with a namespace; the root, which is empty, is one.
fn namespace_fault(namespace: &str) -> Option<String> {
    if namespace.len() > MAX_PLACE {
        return Some(format!("must have at most {MAX_PLACE} bytes"));
    }
    let mut labels = namespace.split(SEPARATOR);
    let is_path = namespace.is_empty() || labels.all(|it| !it.is_empty() && it != ANY_LABEL);
    (!is_path).then(|| {
        "must be labels with / between them, none of which is empty or an asterisk".to_owned()
    })
}

/// What is wrong with a place, in a batch.
pub(super) fn faults(namespace: &str, key: Option<&str>) -> impl Iterator<Item = Violation> {
    let namespace = namespace_fault(namespace).map(|text| Violation::invalid("namespace", text));
    let key = key
        .filter(|key| key.is_empty() || key.len() > MAX_PLACE)
        .map(|_| Violation::invalid("key", format!("must have 1 to {MAX_PLACE} bytes")));
    namespace.into_iter().chain(key)
}

/// A namespace as an argument.
pub(crate) fn namespace(argument: &'static str, given: Option<String>) -> Result<String, Error> {
    let given = given.ok_or(ArgumentError::Null(argument))?;
    match namespace_fault(&given) {
        Some(fault) => Err(MemoryError::BadNamespace { argument, fault }.into()),
        None => Ok(given),
    }
}

/// A pattern of namespaces as an argument: as a namespace, and a label may be an asterisk.
pub(crate) fn pattern(argument: &'static str, given: Option<String>) -> Result<Vec<String>, Error> {
    let given = given.ok_or(ArgumentError::Null(argument))?;
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let labels: Vec<String> = given.split(SEPARATOR).map(str::to_owned).collect();
    if given.len() > MAX_PLACE || labels.iter().any(String::is_empty) {
        let fault = format!(
            "must be labels with / between them, none of which is empty, of at most {MAX_PLACE} bytes"
        );
        return Err(MemoryError::BadNamespace { argument, fault }.into());
    }
    Ok(labels)
}

/// What the namespaces at or below this one begin with, a slash behind each, and what comes behind all of them: 0 follows
/// the slash.
pub(crate) fn range(namespace: &str) -> (String, String) {
    (format!("{namespace}/"), format!("{namespace}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_is_one_range() {
        let (from, to) = range("users/ada");
        let is_below = |namespace: &str| {
            let place = format!("{namespace}/");
            place >= from && place < to
        };
        for namespace in ["users/ada", "users/ada/facts", "users/ada/\u{1}", "users/ada/é"] {
            assert!(is_below(namespace), "{namespace}");
        }
        for namespace in
            ["users", "users/ada-2", "users/ada.x", "users/ada0", "users/adam", "users/ad"]
        {
            assert!(!is_below(namespace), "{namespace}");
        }
    }

    #[test]
    fn labels_are_neither_empty_nor_an_asterisk() {
        for namespace in ["", "a", "a/b", "a b/é", "a*/**"] {
            assert_eq!(namespace_fault(namespace), None, "{namespace}");
        }
        for namespace in ["/", "/a", "a/", "a//b", "*", "a/*", "a/*/b"] {
            assert!(namespace_fault(namespace).is_some(), "{namespace}");
        }
    }
}
