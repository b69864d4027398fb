//! The levels of access, and the rights on tables that each of them is.
//!
//! None of them has TRIGGER, REFERENCES or TRUNCATE on anything: a trigger runs as whoever changes the
//! table, and TRUNCATE passes row security by.

use crate::ident::{qualified, quote};
use crate::pg::rights::{Of, Wanted};
use crate::pg::{relation, role};

/// The schema of Kepler's own tables.
pub(crate) const SCHEMA: &str = "kepler";

/// What the functions are made of: given function by function.
pub(crate) const INTERNAL_SCHEMA: &str = "kepler_internal";

/// A level of access. `writer` and `worker` hold what `reader` does, and `admin` holds all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Reader,
    Writer,
    Worker,
    Admin,
}

impl Level {
    pub(crate) const ALL: [Level; 4] = [Level::Reader, Level::Writer, Level::Worker, Level::Admin];
    pub(crate) const LEGAL: &str = "reader, writer, worker, admin";

    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Reader => "reader",
            Level::Writer => "writer",
            Level::Worker => "worker",
            Level::Admin => "admin",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Some of the levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Levels(u8);

impl Levels {
    pub(crate) fn one(level: Level) -> Self {
        Self(1 << level as u8)
    }

    /// These and those.
    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) fn has(self, level: Level) -> bool {
        self.0 & Self::one(level).0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| self.has(*level))
    }

    /// Their names, as a sentence has them.
    pub(crate) fn names(self) -> String {
        self.iter().map(Level::name).collect::<Vec<_>>().join(" and ")
    }
}

/// Rights on a table, as GRANT writes them, for each level in the order of [`Level::ALL`].
pub(crate) type Rights = [&'static str; 4];

const READ: &str = "SELECT";
const CHANGE: &str = "SELECT, INSERT, UPDATE, DELETE";
const LOG: &str = "SELECT, INSERT, UPDATE";
const KEEP: &str = "SELECT, INSERT, DELETE";
/// How far a consumer has come, which whoever reads may note.
const ACKNOWLEDGE: &str = "SELECT, INSERT, UPDATE (cursor, acknowledged_at)";
/// What a claim and a settle change of a record, and no more: `data` is the source's alone.
const ENRICH: &str =
    "SELECT, UPDATE (enrichment_status, enrichment_lease_id, enrichment, updated_at)";

/// What a search writes, where it notes what it found. The whole table could be locked by whoever may update it.
const NOTE: &str = "SELECT, INSERT, UPDATE (last_accessed_at, hits)";

/// What is read under a lock, so that nobody deletes it meanwhile: Postgres asks for the right to update.
const LOCK: &str = "SELECT, UPDATE (updated_at)";

/// What writers change, and workers read.
const DATA: Rights = [READ, CHANGE, READ, CHANGE];
/// What writers may only insert, without a say in the workspace, which no policy checks there: `COPY` takes none.
const TAKE_IN: Rights = ["", INTO, "", INTO];
const INTO: &str = "INSERT (sync_run_id, line, external_id, data, source_updated_at, deleted)";
/// What was inserted so, where it is read and deleted.
const TAKE_OUT: Rights = [READ, OUT_OF, READ, OUT_OF];
const OUT_OF: &str = "SELECT, UPDATE, DELETE";
/// What only administrators change.
const RULES: Rights = [READ, READ, READ, CHANGE];
/// What no level reads.
const NOBODY: Rights = [""; 4];
/// What workers change too.
const WORK: Rights = [READ, CHANGE, CHANGE, CHANGE];

/// Kepler's tables and views. One that is not here is given to nobody (a test compares).
const RELATIONS: &[(&str, Rights)] = &[
    ("access_levels", [READ, READ, READ, READ]),
    ("blueprint_enums", [READ, READ, READ, READ]),
    ("blueprint_tables", [READ, READ, READ, READ]),
    ("blueprint_versions", [READ, READ, READ, READ]),
    // Written as the owner alone. That an administrator may touch it is the right to plan and apply blueprints.
    ("blueprints", [READ, READ, READ, LOCK]),
    ("connections", DATA),
    ("consumers", [ACKNOWLEDGE, CHANGE, ACKNOWLEDGE, CHANGE]),
    ("conversations", DATA),
    // Readers need not know where secrets are.
    ("credentials", ["", CHANGE, READ, CHANGE]),
    ("detached_records", DATA),
    ("embedding_spaces", RULES),
    ("enrichment_attempts", [READ, READ, LOG, CHANGE]),
    ("enrichment_failures", WORK),
    ("enrichment_limits", WORK),
    ("enrichment_policies", RULES),
    ("enrichment_queue", WORK),
    ("enrichment_turns", WORK),
    ("entities", DATA),
    ("entry_tables", RULES),
    ("execution_questions", [READ, CHANGE, LOG, CHANGE]),
    ("execution_steps", [READ, CHANGE, LOG, CHANGE]),
    ("executions", [READ, CHANGE, LOG, CHANGE]),
    ("failed_enrichments", [READ, READ, READ, READ]),
    // Written by triggers alone, which need no rights; row security shows a workspace its own.
    ("feed", [READ, READ, READ, READ]),
    ("feed_dropped", [READ, READ, READ, READ]),
    ("feed_epochs", [READ, READ, READ, READ]),
    ("hidden_fields", RULES),
    // Written by triggers alone. What rows of any table were is an auditor's to read; the functions ask for the right on
    // the table itself.
    ("history", ["", "", "", READ]),
    ("history_redactions", ["", "", "", READ]),
    ("history_seals", ["", "", "", ""]),
    ("history_shapes", ["", "", "", ""]),
    ("history_transactions", ["", "", "", READ]),
    ("inbox", TAKE_IN),
    ("inbox_rows", TAKE_OUT),
    ("lease_records", [READ, READ, CHANGE, CHANGE]),
    ("leases", [READ, READ, CHANGE, CHANGE]),
    // Written by maintain() alone. An error may quote a row.
    ("maintenance", ["", "", "", READ]),
    ("memories", [READ, CHANGE, LOCK, CHANGE]),
    // A search notes what it found, where it is asked to.
    ("memory_access", [NOTE, CHANGE, NOTE, CHANGE]),
    ("messages", [READ, CHANGE, LOCK, CHANGE]),
    ("records", [READ, CHANGE, ENRICH, CHANGE]),
    ("rejects", DATA),
    // Written as the owner alone: it names tables. That an administrator has this right is the right to set and drop policies.
    ("retention_policies", [READ, READ, READ, "SELECT, UPDATE (keep)"]),
    ("schema_versions", [READ, READ, READ, READ]),
    // Of all workspaces: for members of pg_monitor alone.
    ("stat_entry_tables", NOBODY),
    ("stat_executions", NOBODY),
    ("stat_feed", NOBODY),
    ("stat_horizon", NOBODY),
    ("stat_maintenance", NOBODY),
    ("stat_memory_spaces", NOBODY),
    ("stat_queue", NOBODY),
    ("stat_sync_runs", NOBODY),
    ("stat_workers", NOBODY),
    ("structures", RULES),
    ("sync_batches", DATA),
    ("sync_candidates", DATA),
    ("sync_progress", [READ, READ, READ, READ]),
    ("sync_runs", DATA),
    ("sync_seen", DATA),
    // Written as the owner alone: rows of Kepler's own tables are of all workspaces. That an administrator has this right is
    // the right to track and untrack; no policy lets it change a row.
    ("tracked_tables", [READ, READ, READ, "SELECT, UPDATE (untracked_at)"]),
    ("users", DATA),
    ("workflows", DATA),
    // A definition that was saved stays as it is.
    ("workflow_versions", [READ, KEEP, READ, KEEP]),
    // Written by grant_access and revoke_access alone.
    ("workspace_members", [READ, READ, READ, READ]),
    ("workspaces", RULES),
];

/// How the names of views begin that show all workspaces to members of `pg_monitor`.
pub(crate) const STATISTICS: &str = "stat_";

/// Sequences that no column owns.
const SEQUENCES: &[(&str, Rights)] =
    &[("entry_table_numbers", [READ, READ, READ, "SELECT, USAGE"])];

/// Who may execute a function of `kepler_internal`, in the order of [`Level::ALL`].
type Callers = [bool; 4];

/// What public functions reach on behalf of everybody: checks of arguments, parts of what reads, and what a public
/// function is but another name of. Rights on tables decide what comes of it, and the hint names the level.
const ANY: Callers = [true; 4];
/// What fires, or is reached, where records, memories and runs are changed.
const CHANGERS: Callers = [false, true, true, true];
/// What is reached where memories are deleted, or rows are copied into the inbox.
const WRITERS: Callers = [false, true, false, true];
/// What is reached where spaces and entry tables are declared.
const ADMINS: Callers = [false, false, false, true];

/// The functions of `kepler_internal` that the public functions and the triggers of a level reach. One that is not
/// here is nobody's but the owner's: trigger functions, which need no right to fire, and what is done as the owner.
/// A test works the list out from the catalog.
const FUNCTIONS: &[(&str, Callers)] = &[
    ("abandon_executions", CHANGERS),
    ("abandon_overdue", ANY),
    ("activate_embedding_space", ADMINS),
    ("apply_blueprint_step", ANY),
    ("apply_retention", ANY),
    ("apply_retention_of_part", ANY),
    ("archive_query", ANY),
    ("archived_columns", ANY),
    ("archived_entry_table", ANY),
    ("archived_value", ANY),
    ("begin_rename_entity", ANY),
    ("begin_retention", ANY),
    ("begin_workspace_deletion", ANY),
    ("blueprint_facts", ANY),
    ("change_memories", ANY),
    ("changes_of_part", ANY),
    ("check_caller_token", ANY),
    ("check_timeout", ANY),
    ("check_window", ANY),
    ("consumer_lag", ANY),
    ("consumer_lag_of_part", ANY),
    ("copied_sync_run", ANY),
    ("create_entry_table", ANY),
    ("delete_workspace_step", ANY),
    ("detach_records", ANY),
    ("drop_backlog_step", ANY),
    ("drop_entry_table", ANY),
    ("drop_feed_triggers", ADMINS),
    ("each_node_has", ANY),
    ("embedding_table", ANY),
    ("emptied_references", ANY),
    ("enter_part", ANY),
    ("entry_json_schema", ANY),
    ("erase_user_of_part", ANY),
    ("execution_report", ANY),
    ("execution_report_by_user", ANY),
    ("execution_retries", ANY),
    ("execution_steps_given", ANY),
    ("execution_token_hash", ANY),
    ("expire_memories", WRITERS),
    ("feed_cursor_of_part", ANY),
    ("feed_horizon_of_part", ANY),
    ("find_secrets_of_part", ANY),
    ("finish_execution", ANY),
    ("foreign_table", ADMINS),
    ("history_anchor", ANY),
    ("history_elsewhere", ANY),
    ("history_of_part", ANY),
    ("index_advice", ANY),
    ("is_about_session", ANY),
    ("is_direct", CHANGERS),
    ("is_distributed", ANY),
    ("json_update_changes", ANY),
    ("latest_schema_version", ANY),
    ("left_out_of_archives", ANY),
    ("lies_now", ANY),
    ("line_checksum", ANY),
    ("list_embedding_space", ADMINS),
    ("lock_memories", ADMINS),
    ("look_at_retention_of_part", ANY),
    ("look_into_node", ANY),
    ("look_into_part", ANY),
    ("maintain_feed_step", ANY),
    ("maintain_step", ANY),
    ("make_feed_triggers", ADMINS),
    ("make_history_triggers", ADMINS),
    ("may_take_in", ANY),
    ("memory_chain", ANY),
    ("memory_history", ANY),
    ("merge_inbox_step", ANY),
    ("named_memories", ANY),
    ("next_retention", ANY),
    ("node_keys", ANY),
    ("open_retention", ANY),
    ("part_keys", ANY),
    ("prisma_expressions", ANY),
    ("prisma_facts", ANY),
    ("queue_backlog_step", ANY),
    ("redact_history", ANY),
    ("redact_user", ANY),
    ("redact_user_elsewhere", ANY),
    ("redact_user_of_node", ANY),
    ("refresh_words", ANY),
    ("relation_here", ANY),
    ("rename_entity_step", ANY),
    ("rename_entry_table", ANY),
    ("repair_enrichment_step", ANY),
    ("repair_leases_step", ANY),
    ("require_active_nodes", ANY),
    ("require_administrator", ANY),
    ("require_arguments", ANY),
    ("require_cluster_owner", ANY),
    ("require_commits", ANY),
    ("require_conversation", ANY),
    ("require_ids", ANY),
    ("require_language", ADMINS),
    ("require_max_rows", ANY),
    ("require_monitor", ANY),
    ("require_name", ANY),
    ("require_retired_space", ADMINS),
    ("require_retriable", ANY),
    ("require_roles", ANY),
    ("require_space", ANY),
    ("require_tables", ANY),
    ("require_unrewritten", ANY),
    ("require_user", ANY),
    ("require_workflow", ANY),
    ("require_workspace", ANY),
    ("required_connections", ANY),
    ("restore_entry_table", ANY),
    ("retention_begun", ANY),
    ("retention_candidates", ANY),
    ("retention_failed", ANY),
    ("retention_step", ANY),
    ("retention_step_failed", ANY),
    ("retire_embedding_space", ADMINS),
    ("row_as_of_with", ANY),
    ("row_history_with", ANY),
    ("row_image", ANY),
    ("run_on_idle_node", ANY),
    ("seal_history_step", ANY),
    ("search_vectors_of_part", ANY),
    ("secrets_in", ANY),
    ("secrets_in_jsonb", ANY),
    ("sees_blueprint", ANY),
    ("sees_level", ANY),
    ("share_copied_run", WRITERS),
    ("ship", ANY),
    ("status_in_parts", ANY),
    ("status_of_part", ANY),
    ("status_of_work", ANY),
    ("successors", WRITERS),
    ("sweep_sync_step", ANY),
    ("table_facts", ANY),
    ("table_status", ANY),
    // An administrator makes triggers of it on tables of their own.
    ("tell_feed", ADMINS),
    ("tell_history", ADMINS),
    ("try_memories", ANY),
    ("user_relations", ANY),
    ("vectors_of_part", ANY),
    ("verify_history_chain", ANY),
    ("view_rows_in_parts", ANY),
    ("view_rows_of_part", ANY),
    ("views_of_parts", ANY),
    ("wait_for_former_writers", ANY),
    ("wait_for_leftover", ANY),
    ("wait_for_record", ANY),
    ("wait_for_upserts", ANY),
    ("wait_for_writers", ANY),
    ("without_secrets", ANY),
    // A search reads as the caller where policies of one's own hold.
    ("word_score", ANY),
    ("workflow_steps", ANY),
    ("workspace_relations", ANY),
    ("workspaces_that_search", ADMINS),
    ("workspaces_that_search_of_part", ADMINS),
];

/// The functions of `kepler_internal` that a level may execute.
pub(crate) fn functions(level: Level) -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().filter(move |(_, callers)| callers[level as usize]).map(|(name, _)| *name)
}

/// The public functions for members of `pg_monitor`.
pub(crate) const MONITOR_CALLS: &[&str] =
    &["current_workspace_id", "doctor", "metrics", "status", "version"];

/// What they reach.
pub(crate) const MONITOR_FUNCTIONS: &[&str] = &[
    "described_tables",
    "doctor_access",
    "doctor_indexes",
    "doctor_installation",
    "doctor_server",
    "doctor_tables",
    "doctor_upkeep",
    "doctor_vacuum",
    "each_node_has",
    "expected_tables",
    "expected_tables_text",
    "feed_tables_elsewhere",
    "index_advice",
    "is_counted",
    "is_distributed",
    "latest_schema_version",
    "lies_now",
    "look_into_part",
    "metric_names",
    "metric_samples_in_parts",
    "metric_samples_of_database",
    "metric_samples_of_feed",
    "metric_samples_of_part",
    "metric_samples_of_spaces",
    "metric_samples_of_spaces_here",
    "metric_samples_of_tables",
    "metric_samples_of_workspaces",
    "node_keys",
    "part_keys",
    "relation_here",
    "require_monitor",
    "require_tables",
    "server_warning",
    "ship",
    "status_in_parts",
    "status_of_part",
    "status_of_work",
    "table_status",
    "vectors_of_part",
    "view_rows_in_parts",
    "view_rows_of_part",
    "views_of_parts",
];

/// A table that Kepler makes in `kepler_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// By `create_entry_table`.
    Entries,
    /// By `create_embedding_space`.
    Embeddings,
    /// By `apply_blueprint`, in schemas of its own.
    Blueprint,
}

impl Made {
    pub(crate) fn rights(self) -> &'static Rights {
        match self {
            Made::Entries | Made::Blueprint => &DATA,
            Made::Embeddings => &WORK,
        }
    }

    /// What the table is called tells which it is: both endings are given by Kepler.
    pub(crate) fn of(table: &str) -> Self {
        if table.ends_with("_embeddings") { Made::Embeddings } else { Made::Entries }
    }
}

/// The grants that make a role have a level on all of Kepler's own tables and sequences. `role`: as SQL
/// names it.
pub(crate) fn grants(level: Level, role: &str) -> Vec<String> {
    let tables = RELATIONS.iter().map(|relation| ("TABLE", relation));
    let sequences = SEQUENCES.iter().map(|sequence| ("SEQUENCE", sequence));
    tables
        .chain(sequences)
        .filter_map(|(kind, (name, rights))| {
            grant(rights[level as usize], kind, &qualified(SCHEMA, name), role)
        })
        .collect()
}

/// The grant on the columns of the inbox.
pub(crate) fn grant_on_inbox(level: Level, role: &str) -> Option<String> {
    grant(TAKE_IN[level as usize], "TABLE", &qualified(SCHEMA, "inbox"), role)
}

/// The grant on a sequence that fills a column of a blueprint's table.
pub(crate) fn grant_on_sequence(level: Level, sequence: &str, role: &str) -> Option<String> {
    let may_insert = DATA[level as usize].contains("INSERT");
    grant(if may_insert { "SELECT, USAGE" } else { READ }, "SEQUENCE", sequence, role)
}

/// The grant on a table that Kepler made, which SQL names as `table`.
pub(crate) fn grant_on_made(level: Level, made: Made, table: &str, role: &str) -> Option<String> {
    grant(made.rights()[level as usize], "TABLE", table, role)
}

fn grant(rights: &str, kind: &str, on: &str, role: &str) -> Option<String> {
    (!rights.is_empty()).then(|| format!("GRANT {rights} ON {kind} {on} TO {role}"))
}

/// The lowest level that has rights (of `READ`, `INSERT`, …) on one of Kepler's relations, or on what it
/// made where `schema` is another.
pub(crate) fn lowest(schema: &str, relation: &str, rights: &[&str]) -> Option<Level> {
    let given = match schema {
        SCHEMA => rights_on(relation)?,
        _ => Made::of(relation).rights(),
    };
    let has = |level: &Level| {
        let given = given[*level as usize];
        // A column is named where nothing else may be inserted; to update a column is less than to update.
        let is = |one: &str, right: &str| {
            one == right || right == "INSERT" && one.starts_with("INSERT (")
        };
        rights.iter().all(|right| given.split(", ").any(|one| is(one, right)))
    };
    // A worker has fewer rights than a writer on most tables.
    [Level::Reader, Level::Worker, Level::Writer, Level::Admin].into_iter().find(has)
}

/// Whether a relation of Kepler's own holds what all workspaces share, so that a level in one of them gives no right to change it.
pub(crate) fn is_shared(relation: &str) -> bool {
    relation == "embedding_spaces"
}

/// Whether a relation tells a role where it may work, and is read before a workspace is chosen.
pub(crate) fn is_list(relation: &str) -> bool {
    matches!(relation, "access_levels" | "workspace_members" | "schema_versions")
}

/// Whether rights of levels name the columns that may be inserted into, and no others.
pub(crate) fn name_inserted_columns(given: &Rights) -> bool {
    given.iter().any(|rights| rights.starts_with("INSERT ("))
}

/// What the levels have on one of Kepler's own relations.
pub(crate) fn rights_on(relation: &str) -> Option<&'static Rights> {
    RELATIONS.iter().chain(SEQUENCES).find(|(name, _)| *name == relation).map(|(_, rights)| rights)
}

/// Whether levels hold all that is wanted, of what each of them has on a table.
pub(crate) fn hold(levels: Levels, given: &Rights, wanted: &Wanted<'_>) -> bool {
    let mine: Vec<&str> = levels.iter().map(|level| given[level as usize]).collect();
    role::rights(wanted.rights).into_iter().all(|right| {
        let mut columns = Vec::new();
        for one in mine.iter().flat_map(|rights| parts(rights)) {
            if one == right {
                return true;
            }
            let list = one.strip_prefix(right).and_then(|rest| rest.strip_prefix(" ("));
            columns
                .extend(list.into_iter().flat_map(|list| list.trim_end_matches(')').split(", ")));
        }
        let numbers = match (wanted.of, right) {
            (Of::Columns { inserted, .. }, "INSERT") => inserted,
            (Of::Columns { updated, .. }, "UPDATE") => updated,
            (Of::SomeColumn, "INSERT" | "UPDATE") => &[],
            _ => return false,
        };
        // None are named where a row is only locked.
        !columns.is_empty()
            && numbers.iter().all(|number| {
                relation::column(wanted.relation, *number)
                    .is_some_and(|name| columns.contains(&name.as_str()))
            })
    })
}

/// The rights of a list: `SELECT`, `UPDATE (a, b)`.
fn parts(rights: &'static str) -> impl Iterator<Item = &'static str> {
    let mut depth = 0;
    rights
        .split(move |letter| {
            depth += match letter {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            letter == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// The names of Kepler's own tables, views and sequences that a level speaks of.
pub(crate) fn relations() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().chain(SEQUENCES).map(|(name, _)| *name)
}

/// The views that show all workspaces to members of `pg_monitor`.
pub(crate) fn statistics() -> impl Iterator<Item = &'static str> {
    relations().filter(|name| name.starts_with(STATISTICS))
}

/// Whether one of them is a view.
pub(crate) fn is_view(name: &str) -> bool {
    matches!(name, "failed_enrichments" | "sync_progress") || name.starts_with(STATISTICS)
}

/// A role as SQL names it.
pub(crate) fn role_sql(name: &str) -> String {
    quote(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_may_make_triggers_or_pass_row_security_by() {
        for level in Level::ALL {
            for grant in grants(level, "r") {
                for right in ["TRIGGER", "REFERENCES", "TRUNCATE", "ALL"] {
                    assert!(!grant.contains(&format!("{right} ")), "{grant}");
                }
            }
        }
    }

    #[test]
    fn an_administrator_has_what_the_others_have() {
        for level in Level::ALL {
            for (name, rights) in RELATIONS {
                let given = rights[level as usize].split(" (").next().unwrap_or_default();
                for right in given.split(", ").filter(|right| !right.is_empty()) {
                    assert!(rights[3].contains(right), "{name}: {right}");
                }
            }
        }
    }

    #[test]
    fn an_administrator_may_execute_what_others_may() {
        for (name, callers) in FUNCTIONS {
            assert!(callers[Level::Admin as usize], "{name}");
        }
        let names: Vec<_> = FUNCTIONS.iter().map(|(name, _)| name).collect();
        assert!(names.is_sorted());
    }

    #[test]
    fn the_lowest_level_is_named() {
        assert_eq!(lowest("kepler", "records", &["SELECT"]), Some(Level::Reader));
        assert_eq!(lowest("kepler", "records", &["INSERT"]), Some(Level::Writer));
        assert_eq!(lowest("kepler", "leases", &["INSERT"]), Some(Level::Worker));
        assert_eq!(lowest("kepler", "workspaces", &["INSERT"]), Some(Level::Admin));
        assert_eq!(lowest("kepler", "inbox", &["INSERT"]), Some(Level::Writer));
        assert_eq!(lowest("kepler", "memories", &["UPDATE"]), Some(Level::Writer));
        assert_eq!(lowest("kepler", "records", &["TRIGGER"]), None);
        assert_eq!(lowest("kepler_data", "x_1_entries", &["UPDATE"]), Some(Level::Writer));
        assert_eq!(lowest("kepler_data", "x_embeddings", &["UPDATE"]), Some(Level::Worker));
    }
}
