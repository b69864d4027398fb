#!/usr/bin/env python3
"""What calls of one tenant read, beside another that grows. Started by tenants_cost_their_own.sh, which tells what must hold."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from session import Session

os.environ.setdefault("KEPLER_ROLE", "")
from costs_stay_flat import MORE, TIMES, WARM, Counts, grown, probe, script, statements, total  # noqa: E402

HERE = Path(__file__).resolve().parent
DATABASE, ROLE, N, OWN = os.environ["KEPLER_DATABASE"], os.environ["KEPLER_ROLE"], int(os.environ["N"]), int(os.environ["OWN"])

# Rows FIRST to LAST of a tenant, each statement by itself.
LOAD = r"""
SELECT count(*) FROM generate_series(FIRST, LAST, 500) AS first CROSS JOIN LATERAL kepler.upsert_records('lead', (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'l' || i, 'data', jsonb_build_object('n', i))) FROM generate_series(first, least(first + 499, LAST)) AS i)) AS u;
SELECT count(*) FROM kepler.claim_records('lead', 'w', (LAST - FIRST) / 10 + 2);
SELECT count(*) FROM (SELECT lease_id, array_agg(record_id) AS ids FROM kepler.claim_records('lead', 'f', (LAST - FIRST) / 10 + 2) GROUP BY 1) AS c
    CROSS JOIN LATERAL kepler.fail_records(c.lease_id, c.ids, 'no', retryable => false) AS f;
INSERT INTO kepler.users (id, email) SELECT 'u' || i, 'u' || i || '@example.com' FROM generate_series(FIRST, LAST) AS i;
INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) SELECT 'c' || i, 'c', 'c' || i, 'Mail', 'u' || i FROM generate_series(FIRST, LAST) AS i;
INSERT INTO kepler.workflows (id, user_id, name, trigger) SELECT 'w' || i, 'u' || i, 'w', '{"app": "Mail"}' FROM generate_series(FIRST, LAST) AS i;
SELECT count(*) FROM generate_series(FIRST, LAST) AS i CROSS JOIN LATERAL kepler.start_execution('w' || i, 'k') AS s;
SELECT count(*) FROM generate_series(FIRST, LAST, 500) AS first CROSS JOIN LATERAL kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'tea ' || i, 'key', 'k' || i, 'namespace', 'notes', 'user_id', 'u' || i, 'metadata', jsonb_build_object('k', i, 'all', 1), 'embedding', jsonb_build_array(1, i)))
    FROM generate_series(first, least(first + 499, LAST)) AS i)::text) AS r;
INSERT INTO kepler.conversations (id, user_id) SELECT 'talk' || i, 'u' || i FROM generate_series(FIRST, LAST) AS i;
SELECT count(*) FROM generate_series(FIRST, LAST, 500) AS first CROSS JOIN LATERAL kepler.add_messages('talk' || FIRST, (
    SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'tea ' || i, 'metadata', jsonb_build_object('all', 1), 'embedding', jsonb_build_array(1, i))) FROM generate_series(first, least(first + 499, LAST)) AS i)) AS r;
SELECT count(*) FROM kepler.insert_entries('thing', (SELECT jsonb_agg(jsonb_build_object('label', 'l' || i)) FROM generate_series(FIRST, LAST) AS i));
SELECT count(*) FROM kepler.upsert_records('broken', (SELECT jsonb_agg(jsonb_build_object('external_id', 'l' || i, 'data', 1)) FROM generate_series(FIRST, LAST) AS i), options => '{"keep_rejects": true}');
INSERT INTO kepler.inbox (sync_run_id, external_id, data) SELECT r.id, 'x' || i, '{}' FROM kepler.sync_runs AS r, generate_series(FIRST, LAST) AS i WHERE r.workspace_id = kepler.current_workspace_id();
"""
BEGIN = """
SELECT kepler.set_enrichment_policy('lead');
SELECT kepler.create_entry_table('thing', '{"fields": [{"name": "label", "type": "text", "unique": true}]}'::text);
INSERT INTO kepler.connections (id, name, reference_id, provider) VALUES ('crm', 'crm', 'crm', 'Crm');
SELECT kepler.begin_sync('crm', 'streamed');
SELECT kepler.acknowledge_changes('walker', kepler.feed_cursor());
"""
CALLS = {
    "search_memories": "kepler.search_memories('[1, 0]')",
    "search_memories (words)": "kepler.search_memories(query_text => 'tea')",
    "search_memories (hybrid)": "kepler.search_memories('[1, 0]', query_text => 'tea')",
    "search_memories (filter)": """kepler.search_memories('[1, 0]', filter => '{"all": 1}')""",
    "search_memories (filter, words)": """kepler.search_memories('[1, 0]', query_text => 'tea', filter => '{"all": 1}')""",
    "search_memories (filter, words alone)": """kepler.search_memories(query_text => 'tea', filter => '{"all": 1}')""",
    "search_messages (filter)": """kepler.search_messages('[1, 0]', filter => '{"all": 1}')""",
    "search_messages (user, filter, words)": """kepler.search_messages('[1, 0]', query_text => 'tea', user_id => 'u1', filter => '{"all": 1}')""",
    "list_memories (filter)": """kepler.list_memories(filter => '{"all": 1}', order_by => 'updated_at')""",
    "list_memories (filter, id)": """kepler.list_memories(filter => '{"all": 1}')""",
    "list_memories (filter, none)": """kepler.list_memories(filter => '{"none": 1}')""",
    "count_memories (filter)": """kepler.count_memories(filter => '{"all": 1}')""",
    "count_memories (filter of a few)": """kepler.count_memories(filter => '{"k": {"$in": [1, 2, 3, 100, 200]}}')""",
    "search_memories (user)": "kepler.search_memories('[1, 0]', user_id => 'u1')",
    "search_messages": "kepler.search_messages('[1, 0]')",
    "search_messages (words)": "kepler.search_messages(query_text => 'tea')",
    "remember": "kepler.remember('milk', '[1, 5]', dedupe => true)",
    "conversation_window": "kepler.conversation_window('talk1', max_rows => 10)",
    "add_message": "kepler.add_message('talk1', 'user', 'x')",
    "pending_memory_embeddings": "kepler.pending_memory_embeddings('spare')",
    "claim_records": "kepler.claim_records('lead', 'x', 5)",
    "next_claim_at": "kepler.next_claim_at('lead')",
    "failed_enrichments": "kepler.failed_enrichments",
    "requeue_records": "kepler.requeue_records(entity_type => 'lead')",
    "upsert_record": "kepler.upsert_record('lead', 'l1', '{\"n\": -1}')",
    "upsert_record (unchanged)": "kepler.upsert_record('lead', 'l2', '{\"n\": 2}')",
    "delete_records": "kepler.delete_records('lead', ARRAY['l1', 'l2'])",
    "insert_entries": "kepler.insert_entries('thing', '[{\"label\": \"new\"}]')",
    "is_connected": "kepler.is_connected('u1', 'Mail')",
    "start_execution": "kepler.start_execution('w1', 'k')",
    "abandon_executions": "kepler.abandon_executions()",
    "execution_report": "kepler.execution_report()",
    "changes_since": "kepler.changes_since()",
    "feed_lag": "kepler.feed_lag()",
    "purge_rejects": "kepler.purge_rejects()",
    "retry_rejects": "kepler.retry_rejects(entity_type => 'broken')",
    "sync_progress": "kepler.sync_progress",
    "merge_inbox_batch": "kepler.merge_inbox_batch((SELECT id FROM kepler.sync_runs), 10)",
    "expire_memories": "kepler.expire_memories()",
    "search_memories (namespace)": "kepler.search_memories('[1, 0]', query_text => 'tea', namespace => 'notes')",
    "remember (key)": "kepler.remember('milk', key => 'k1', namespace => 'notes')",
    "get_memories": "kepler.get_memories(keys => '{k1,none}', namespace => 'notes', user_id => 'u1')",
    "list_memories": "kepler.list_memories(namespace => 'notes')",
    "list_memories (user)": "kepler.list_memories('u1', order_by => 'updated_at')",
    "list_memories (key)": "kepler.list_memories(order_by => 'key')",
    "count_memories": "kepler.count_memories()",
    "list_namespaces": "kepler.list_namespaces()",
    "forget (keys)": "kepler.forget(keys => '{k1}', namespace => 'notes', user_id => 'u1')",
}  # fmt: skip
# Direct SQL, planned with statistics: lists and counts of the own rows.
LISTS = ["records", "entities", "users", "connections", "workflows", "executions", "memories", "messages", "conversations", "rejects", "enrichment_queue", "leases", "feed", "inbox_rows"]
CALLS |= {f"count of {table}": f"(SELECT count(*) FROM kepler.{table}) AS c" for table in LISTS}


# What is the same to the last digit, whatever others have: how rare a word is, too.
SAME = {
    "search_memories (rare word)": """kepler.search_memories(query_text => 'tea 7', weights => '{"similarity": 1, "importance": 0, "recency": 0, "frequency": 0}')""",
    "search_messages (rare word)": "kepler.search_messages(query_text => 'tea 7')",
}  # fmt: skip


def as_tenant(session: Session, workspace: str) -> None:
    session.run("RESET ROLE")
    session.run(f"SET kepler.workspace_id = '{workspace}'")


def load(workspace: str, first: int, last: int) -> None:
    session = Session(DATABASE)
    as_tenant(session, workspace)
    statements(session, LOAD.replace("FIRST", str(first)).replace("LAST", str(last)))
    session.run("RESET kepler.workspace_id")
    session.close()


def measured(session: Session, faults: list[str]) -> dict[str, Counts]:
    session.run(f"SET ROLE {ROLE}")
    found = probe(session, CALLS, faults)
    session.run("RESET ROLE")
    return found


def told(session: Session) -> dict[str, list[str]]:
    session.run(f"SET ROLE {ROLE}")
    found = {name: session.run(f"SELECT to_jsonb(s) - '{{age,recency}}'::text[] FROM {call} AS s") for name, call in SAME.items()}
    session.run("RESET ROLE")
    return found


def main() -> int:
    faults: list[str] = []
    session = Session(DATABASE)
    session.run("CREATE TABLE public.calls (name text, call text)")
    text = (HERE / "costs_stay_flat.sql").read_text()
    script(session, text[text.index("-- Rows returned and pages") :] if "-- Rows returned and pages" in text else text)
    session.run("SELECT kepler.create_embedding_space('walk', 2, 'm')")
    session.run("SELECT kepler.create_embedding_space('spare', 2, 'm')")
    session.run("INSERT INTO kepler.workspaces (id, name) VALUES ('own', 'own'), ('others', 'others')")
    session.run(f"SELECT kepler.grant_access('{ROLE}', 'admin', 'own')")
    session.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    session.run("DO $$DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('kepler', 'kepler_data') LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP; END$$")
    for workspace in ("own", "others"):
        as_tenant(session, workspace)
        session.run("SELECT kepler.activate_embedding_space('walk')")
        statements(session, BEGIN)
    session.close()
    load("own", 1, OWN)
    load("others", 1, N)
    session = Session(DATABASE)
    for table in ("walk_embeddings", "walk_message_embeddings"):
        session.run(f"CREATE INDEX ON kepler_data.{table} USING hnsw (embedding vector_cosine_ops)")
    session.run("VACUUM ANALYZE")
    old = Session(DATABASE)
    for _ in range(WARM):
        measured(old, [])
    new = Session(DATABASE)
    before = {"old": measured(old, faults), "new": measured(new, [])}
    # What was undone lies in the indexes until then, and is the tenant's own.
    session.run("VACUUM kepler.memories, kepler.messages")
    told_before = told(new)
    new.close()
    load("others", N + 1, 4 * N)
    session.run("VACUUM ANALYZE")
    new = Session(DATABASE)
    after = {"old": measured(old, faults), "new": measured(new, [])}
    session.run("VACUUM kepler.memories, kepler.messages")
    for name, answer in told(new).items():
        if answer != told_before[name] or not answer:
            faults.append(f"{name} tells of rows of others: {told_before[name][:2]} and then {answer[:2]}")
    read = 0
    for which, calls in after.items():
        for call, counts in calls.items():
            read += total(counts)
            less = before[which].get(call, {})
            # Statistics may choose another index of the own rows: what is read of all is what counts.
            if total(counts) > TIMES * total(less) + MORE:
                faults.append("\n".join([f"{call} ({which} session) reads more beside more rows of others: {total(less)} → {total(counts)}", *grown(less, counts)]))
    for session in (session, old, new):
        session.close()
    for fault in dict.fromkeys(faults):
        print(re.sub(r"(?m)^", "  ", fault))
    print(f"{len(CALLS)} calls, {read} rows and pages read, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
