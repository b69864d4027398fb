//! Kepler: records synced from the outside world and enriched, tables made from documents, workflows, and
//! what agents remember, kept in Postgres.
//!
//! `CREATE EXTENSION kepler CASCADE` brings functions and types; `SELECT kepler.install()` then
//! creates the tables, which belong to the user and not to the extension.
//!
//! The modules stand in layers, here from the bottom up. Each uses modules of lower layers and of no others,
//! and nobody uses a module `api`, which holds SQL functions (`tools/check-layers.py` fails otherwise).
//!
//! 1. `error`, `fold`, `heap`, `id`, `ident`, `settings`: what needs no other module.
//! 2. `pgvector`, `poll`: metrics of vectors; what a long loop asks.
//! 3. `jsonb`: JSON text and Postgres' `jsonb`, without Postgres.
//! 4. `arguments`, `json`, `time`: what callers send, read and checked.
//! 5. `json_operators`, `secrets`: operators in documents, which compare times too; what secrets look like.
//! 6. `pg`: Postgres' statements, values, locks, roles and memory.
//! 7. `answer`: what is said of each element of a batch.
//! 8. `field_types`, `filter`, `installed`, `released`: types of values, filters, whether the tables are there, and symbols of older
//!    versions.
//! 9. `access`, `batch`: rights, and what is done as the owner of the tables; batches, read.
//! 10. `being_deleted`, `install`, `observe`, `words`: workspaces on their way out; making the tables, and how they were made; words of
//!     texts for search.
//! 11. `uninstall`, `workspace`: taking the tables away; the workspace that a call works in.
//! 12. `cluster`, `enrichment`, `execution_steps`, `feed`, `fill`, `guards`, `json_update`, `memory`, `structure`, `upkeep`: features,
//!     which do not use each other.
//! 13. `history`, `prisma`, `record`, `retention`: what tracked rows were, told as `feed` tells of them; schemas of Prisma;
//!     upserts, which also fill the queue of `enrichment`; deleting what is old, by the filters of `memory`.
//! 14. `sync`, `tenant`: sync runs, which note what upserts have met; whole workspaces, exported, imported and deleted.
//! 15. `maintain`: what must happen now and then, of all of these.

use pgrx::prelude::*;

mod access;
mod answer;
mod arguments;
mod batch;
mod being_deleted;
mod cluster;
mod enrichment;
mod error;
mod execution_steps;
mod feed;
mod field_types;
mod fill;
mod filter;
mod fold;
mod guards;
mod heap;
mod history;
mod id;
mod ident;
mod install;
mod installed;
mod json;
mod json_operators;
mod json_update;
mod jsonb;
mod maintain;
mod memory;
mod observe;
mod pg;
mod pgvector;
mod poll;
mod prisma;
mod record;
mod released;
mod retention;
mod secrets;
mod settings;
mod structure;
mod sync;
mod tenant;
mod time;
mod uninstall;
mod upkeep;
mod words;
mod workspace;

pgrx::pg_module_magic!(name, version);

/// What the functions of schema `kepler` are made of; `sql/functions/types.sql` creates it.
#[pg_schema]
mod kepler_internal {}

/// Runs when the library is loaded, perhaps in the postmaster: nothing random may be made here.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::whole::silence_backtraces();
    pg::memory::register();
    pg::hidden::register();
    settings::register();
    pg::cluster::register();
    cluster::register();
    memory::last::register();
    install::register();
    pg::large::register();
    pg::planner::register();
    access::hint::register();
    access::cap::register();
    pg::session_workspace::register(workspace::current_workspace_id_wrapper);
}

extension_sql_file!("../sql/functions/types.sql", name = "types", bootstrap);
extension_sql_file!("../sql/functions/cluster.sql", name = "cluster", requires = ["cluster_parts"]);
extension_sql_file!("../sql/functions/cluster_parts.sql", name = "cluster_parts");
extension_sql_file!("../sql/functions/cluster_history.sql", name = "cluster_history");
extension_sql_file!("../sql/functions/cluster_status.sql", name = "cluster_status");
extension_sql_file!("../sql/functions/cluster_views.sql", name = "cluster_views");
extension_sql_file!("../sql/functions/cluster_nodes.sql", name = "cluster_nodes");
extension_sql_file!("../sql/functions/workspaces.sql", name = "workspaces");
extension_sql_file!(
    "../sql/functions/records.sql",
    name = "records",
    requires = ["workspaces", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/enrichment.sql",
    name = "enrichment",
    requires = ["types", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/upsert.sql",
    name = "upsert",
    requires = [
        record::api::upsert_record,
        record::api::upsert_records,
        record::api::upsert_records_summary
    ]
);
extension_sql_file!(
    "../sql/functions/sync.sql",
    name = "sync",
    requires = [
        "types",
        workspace::current_workspace_id,
        sync::api::sweep_sync_step,
        sync::inbox::merge_inbox_step
    ]
);
extension_sql_file!(
    "../sql/functions/connections.sql",
    name = "connections",
    requires = ["workflows", workspace::current_workspace_id]
);
extension_sql_file!("../sql/functions/table_facts.sql", name = "table_facts");
extension_sql_file!("../sql/functions/prisma.sql", name = "prisma");
extension_sql_file!(
    "../sql/functions/entry_tables.sql",
    name = "entry_tables",
    requires = [
        workspace::current_workspace_id,
        structure::api::create_entry_table,
        structure::api::drop_entry_table,
        structure::api::rename_entry_table,
        structure::api::restore_entry_table,
        structure::api::entry_json_schema,
        structure::api::plan_entry_table,
        structure::api::alter_entry_table
    ]
);
extension_sql_file!(
    "../sql/functions/blueprints.sql",
    name = "blueprints",
    requires = [
        structure::blueprint::api::plan_blueprint,
        structure::blueprint::api::apply_blueprint,
        structure::blueprint::api::apply_blueprint_step
    ]
);
extension_sql_file!(
    "../sql/functions/workflows.sql",
    name = "workflows",
    requires = [workspace::current_workspace_id, fold::fold_text]
);
extension_sql_file!(
    "../sql/functions/executions.sql",
    name = "executions",
    requires = ["workflows", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/workflow_versions.sql",
    name = "workflow_versions",
    requires = ["types"]
);
extension_sql_file!(
    "../sql/functions/execution_questions.sql",
    name = "execution_questions",
    requires = ["executions", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/execution_steps.sql",
    name = "execution_steps",
    requires =
        ["executions", workspace::current_workspace_id, execution_steps::execution_steps_given]
);
extension_sql_file!(
    "../sql/functions/execution_report.sql",
    name = "execution_report",
    requires = ["executions", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/languages.sql",
    name = "languages",
    requires =
        ["embedding_spaces", memory::fill_words::require_language, workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/embedding_spaces.sql",
    name = "embedding_spaces",
    requires = ["enrichment", workspace::current_workspace_id]
);
extension_sql_file!(
    "../sql/functions/index_advice.sql",
    name = "index_advice",
    requires = ["embedding_spaces"]
);
extension_sql_file!(
    "../sql/functions/conversations.sql",
    name = "conversations",
    requires = [
        "types",
        "workflows",
        workspace::current_workspace_id,
        memory::messages::add_api::add_messages
    ]
);
extension_sql_file!(
    "../sql/functions/memories.sql",
    name = "memories",
    requires = [
        "embedding_spaces",
        memory::put_api::remember_v2,
        memory::put_api::remember_many,
        memory::set_embeddings::set_memory_embeddings,
        memory::set_embeddings::set_message_embeddings
    ]
);
extension_sql_file!(
    "../sql/functions/feed.sql",
    name = "feed",
    requires = [
        "types",
        workspace::current_workspace_id,
        feed::api::consumer_lag,
        feed::api::maintain_feed_step
    ]
);
extension_sql_file!(
    "../sql/functions/history.sql",
    name = "history",
    requires = [
        "feed",
        workspace::current_workspace_id,
        history::api::history_anchor,
        history::keep::content_hash,
        history::api::make_history_partitions_step,
        history::api::seal_history_step,
        history::api::verify_history_chain
    ]
);
extension_sql_file!(
    "../sql/functions/retention.sql",
    name = "retention",
    requires = [
        "feed",
        workspace::current_workspace_id,
        retention::api::apply_retention,
        retention::api::retention_candidates,
        retention::api::retention_failed
    ]
);
extension_sql_file!(
    "../sql/functions/secrets.sql",
    name = "secrets",
    requires = ["types", guards::api::secrets_in, guards::api::secrets_in_jsonb]
);
extension_sql_file!(
    "../sql/functions/tenants.sql",
    name = "tenants",
    requires = [
        "types",
        "workflows",
        workspace::current_workspace_id,
        tenant::api::line_checksum,
        tenant::api::require_administrator
    ]
);
extension_sql_file!(
    "../sql/functions/tenants_import.sql",
    name = "tenants_import",
    requires = ["tenants"]
);
extension_sql_file!(
    "../sql/functions/tenants_definitions.sql",
    name = "tenants_definitions",
    requires = ["tenants"]
);
extension_sql_file!(
    "../sql/functions/tenants_delete.sql",
    name = "tenants_delete",
    requires = ["tenants"]
);
extension_sql_file!("../sql/functions/people.sql", name = "people", requires = ["tenants"]);
extension_sql_file!(
    "../sql/functions/uninstall.sql",
    name = "uninstall",
    requires = ["feed", "history"]
);
extension_sql_file!(
    "../sql/functions/maintenance.sql",
    name = "maintenance",
    requires = [
        "executions",
        "history",
        "index_advice",
        "memories",
        "retention",
        "secrets",
        "tenants_delete",
        maintain::api::maintain_step,
        maintain::api::reap_leases,
        maintain::api::tidy_syncs
    ]
);
extension_sql_file!("../sql/functions/status.sql", name = "status", requires = ["workspaces"]);
extension_sql_file!(
    "../sql/functions/observe_tables.sql",
    name = "observe_tables",
    requires = ["types", observe::expected_tables_text]
);
extension_sql_file!(
    "../sql/functions/observe_doctor.sql",
    name = "observe_doctor",
    requires = ["observe_tables", "index_advice", observe::server_warning]
);
extension_sql_file!(
    "../sql/functions/observe_metrics.sql",
    name = "observe_metrics",
    requires = ["observe_doctor"]
);
extension_sql_file!(
    "../sql/functions/batches.sql",
    name = "batches",
    requires = [
        "execution_steps",
        record::api::upsert_records,
        record::api::upsert_records_summary,
        structure::entries::api::insert_entries,
        structure::entries::api::upsert_entries,
        structure::entries::api::update_entries,
        structure::entries::api::set_entry_links,
        enrichment::settle_api::settle_records,
        memory::messages::add_api::add_messages,
        memory::put_api::remember_many,
        memory::set_embeddings::set_memory_embeddings,
        memory::set_embeddings::set_message_embeddings
    ]
);
extension_sql_file!("../sql/functions/comments.sql", name = "comments", finalize);

/// The version of the library.
#[pg_extern(immutable, parallel_safe)]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
