//! What a table has beside its columns and rules, read from what the catalog prints: the trigger that fills columns, the
//! policy that shows a workspace its own rows, and the sequences of columns.

use super::model::{FILL_TRIGGER, Fill};
use crate::structure::facts::PolicyFact;
use crate::structure::observe::{Extra, Observed};
use crate::structure::plan::tables::{Guard, Keeping};

/// The policy of tables whose rows belong to a workspace, as that of entry tables is called.
pub(crate) const POLICY: &str = "workspace";

pub(crate) fn keeping(observed: &Observed) -> Keeping {
    let details = &observed.details;
    let disabled = |extra: &&Extra| extra.kind == "disabled trigger" && extra.name == FILL_TRIGGER;
    let mut fills = details.fills.clone();
    // One that does not fire fills nothing that a document could name, and is made anew.
    if let Some(extra) = observed.extras.iter().find(disabled) {
        fills.push(Fill { column: String::new(), with: extra.reason.clone() });
    }
    let policy = details.policies.iter().find(|policy| policy.name == POLICY);
    Keeping {
        fills,
        history: details.history,
        guard: match policy {
            None => Guard::Open,
            Some(_) if !details.row_security => {
                Guard::Foreign("row security is disabled".to_owned())
            }
            Some(policy) => guard(policy),
        },
        other_policies: details.policies.iter().any(|policy| policy.name != POLICY),
        forced: details.row_security && details.row_security_forced,
        sequences: details.sequences.clone(),
    }
}

/// Reads `'a', 'it''s'`; a quote is doubled and nothing else is escaped.
fn literals(mut text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    loop {
        text = text.strip_prefix('\'')?;
        let mut literal = String::new();
        loop {
            let end = text.find('\'')?;
            literal.push_str(&text[..end]);
            text = &text[end + 1..];
            match text.strip_prefix('\'') {
                Some(rest) => {
                    literal.push('\'');
                    text = rest;
                }
                None => break,
            }
        }
        found.push(literal);
        match text.strip_prefix(", ") {
            Some(rest) => text = rest,
            None => return text.is_empty().then_some(found),
        }
    }
}

fn guard(policy: &PolicyFact) -> Guard {
    let foreign = || Guard::Foreign(policy.text());
    let is_plain = policy.command == "ALL" && policy.permissive && policy.roles == ["public"];
    if !is_plain || policy.check.is_some() {
        return foreign();
    }
    let whose = policy.using.as_deref().and_then(|using| {
        using.strip_prefix('(')?.strip_suffix(" = kepler.current_workspace_id())")
    });
    let Some(whose) = whose else { return foreign() };
    if let Some(literal) = whose.strip_suffix("::text").filter(|text| text.starts_with('\'')) {
        return match literals(literal).as_deref() {
            Some([workspace]) => Guard::Workspace(workspace.clone()),
            _ => foreign(),
        };
    }
    // A column of another text type is cast.
    let column =
        whose.strip_prefix('(').and_then(|rest| rest.strip_suffix(")::text")).unwrap_or(whose);
    unquoted(column).map_or_else(foreign, Guard::Column)
}

/// A name as SQL prints it.
fn unquoted(name: &str) -> Option<String> {
    if let Some(inner) = name.strip_prefix('"') {
        let inner = inner.strip_suffix('"')?;
        let plain = inner.replace("\"\"", "\u{0}");
        return (!plain.contains('"')).then(|| plain.replace('\u{0}', "\""));
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '$';
    (!name.is_empty() && name.chars().all(is_plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_literals() {
        let read = |text: &str| literals(text);
        assert_eq!(read("'a', 'it''s'"), Some(vec!["a".to_owned(), "it's".to_owned()]));
        assert_eq!(read("''"), Some(vec![String::new()]));
        for broken in ["", "'a", "'a' 'b'", "'a',", "a"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn reads_policies() {
        let policy = |using: &str| PolicyFact {
            name: POLICY.to_owned(),
            command: "ALL".to_owned(),
            permissive: true,
            roles: vec!["public".to_owned()],
            using: Some(using.to_owned()),
            check: None,
        };
        let says = |using: &str| guard(&policy(using));
        assert_eq!(
            says("('o''k'::text = kepler.current_workspace_id())"),
            Guard::Workspace("o'k".to_owned())
        );
        for (printed, name) in
            [("owner_id", "owner_id"), ("(a)::text", "a"), ("(\"a \"\"B\")::text", "a \"B")]
        {
            let using = format!("({printed} = kepler.current_workspace_id())");
            assert_eq!(says(&using), Guard::Column(name.to_owned()));
        }
        assert!(matches!(says("true"), Guard::Foreign(_)));
        let strict =
            PolicyFact { permissive: false, ..policy("(a = kepler.current_workspace_id())") };
        assert!(matches!(guard(&strict), Guard::Foreign(_)));
    }
}
