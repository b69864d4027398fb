//! What a table has beside columns, rules and fills: reported, so that nothing that was changed by hand stays unseen.

use super::Extra;
use crate::structure::blueprint::model::FILL_TRIGGER;
use crate::structure::facts::{Facts, PolicyFact};
use crate::structure::plan::guarded::REFERENCES_TRIGGER;

/// What is not compared, and why.
pub(crate) const COVERAGE: &[(&str, &str)] = &[
    ("privileges", "access is granted per database, and no document names roles"),
    ("column order", "Postgres adds columns at the end, and no statement depends on their order"),
    ("names of NOT NULL constraints", "Postgres 16 and 17 have none, and 18 makes them up"),
    (
        "comments on schemas, constraints, indexes, sequences and triggers",
        "documents describe tables, fields and enums alone",
    ),
    ("publications and subscriptions", "they belong to the operation of a database"),
    ("security labels", "they belong to the operation of a database"),
    (
        "settings of TOAST tables, CLUSTER marks and statistics targets of indexes",
        "they change how rows are stored and found, and not which",
    ),
    ("values of sequences", "they are data"),
    ("names of sequences", "documents name none, and Postgres makes them up"),
    (
        "NO INHERIT of checks and NOT NULL",
        "it means something to tables that inherit, which are reported",
    ),
    (
        "objects of other kinds in the schemas",
        "views, functions, types and sequences that stand alone are not made by documents",
    ),
];

/// The extras of the table as a whole.
pub(super) fn of_table(facts: &Facts) -> Vec<Extra> {
    let mut extras = Vec::new();
    let mut add = |kind: &'static str, name: &str, definition: String, reason: &str| {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        extras.push(Extra { kind, name, definition, reason });
    };
    let table = &facts.name;
    match facts.kind {
        'r' => {}
        'p' => add("partitioning", table, "PARTITION BY".to_owned(), "no table is partitioned"),
        'f' => add("foreign table", table, "FOREIGN TABLE".to_owned(), "it is kept elsewhere"),
        kind => add("relation kind", table, kind.to_string(), "it is not a table"),
    }
    match facts.persistence {
        None | Some('p') => {}
        Some('u') => {
            add("persistence", table, "UNLOGGED".to_owned(), "a crash would empty it");
        }
        Some(_) => add("persistence", table, "TEMPORARY".to_owned(), "it goes with the session"),
    }
    if let Some(method) = facts.access_method.as_ref().filter(|method| *method != "heap") {
        add("access method", table, method.clone(), "tables are heaps");
    }
    if let Some(tablespace) = &facts.tablespace {
        add("tablespace", table, tablespace.clone(), "no table says where it is stored");
    }
    for option in &facts.options {
        add("storage parameters", table, option.clone(), "no table says how it is stored");
    }
    match facts.replica_identity {
        None | Some('d') => {}
        Some(identity) => {
            let definition = match identity {
                'f' => "FULL",
                'n' => "NOTHING",
                _ => "USING INDEX",
            };
            let reason = "the primary key tells rows apart for replication";
            add("replica identity", table, definition.to_owned(), reason);
        }
    }
    if let Some(of_type) = &facts.of_type {
        add("typed table", table, format!("OF {of_type}"), "a table has columns of its own");
    }
    for parent in &facts.parents {
        add("parent table", parent, format!("INHERITS ({parent})"), "no table inherits");
    }
    for child in &facts.children {
        add("child table", child, format!("{child} inherits"), "no table inherits");
    }
    if facts.row_security {
        let definition = if facts.row_security_forced { "FORCE" } else { "ENABLE" };
        let definition = format!("{definition} ROW LEVEL SECURITY");
        add("row security", table, definition, "it belongs to the tenancy");
    }
    for policy in &facts.policies {
        add("policy", &policy.name, policy.text(), "policies belong to the tenancy");
    }
    for rule in &facts.rules {
        add("rule", rule, format!("RULE {rule}"), "no table rewrites statements");
    }
    for statistics in &facts.statistics {
        let reason = "no table says how it is analysed";
        add("statistics", statistics, format!("STATISTICS {statistics}"), reason);
    }
    for trigger in &facts.triggers {
        let state = match trigger.enabled {
            'O' => None,
            'D' => Some("it does not fire"),
            'R' => Some("it fires for replicated rows alone"),
            _ => Some("it fires for replicated rows too"),
        };
        // Those of Kepler (the feed's among them) come and go with its own functions.
        let own = trigger.function_schema == "kepler_internal";
        let definition = trigger.definition.clone().unwrap_or_else(|| trigger.name.clone());
        if trigger.internal {
            // The constraint is told, by the table that refers.
        } else if own && trigger.function == "fill_columns" && trigger.name != FILL_TRIGGER {
            add(
                "trigger",
                &trigger.name,
                definition,
                "the trigger that fills columns is kepler_fill",
            );
        } else if !own {
            add("trigger", &trigger.name, definition, "documents have no triggers");
        } else if [FILL_TRIGGER, REFERENCES_TRIGGER].contains(&trigger.name.as_str()) {
            let state = if trigger.plain { state } else { Some("it fires for some rows alone") };
            if let Some(state) = state {
                add("disabled trigger", &trigger.name, definition, state);
            }
        }
    }
    extras
}

impl PolicyFact {
    /// As SQL says it, without the table.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "AS {} FOR {} TO {}",
            if self.permissive { "PERMISSIVE" } else { "RESTRICTIVE" },
            self.command,
            self.roles.join(", ")
        );
        for (word, condition) in [("USING", &self.using), ("WITH CHECK", &self.check)] {
            if let Some(condition) = condition {
                text.push_str(&format!(" {word} ({condition})"));
            }
        }
        text
    }
}
