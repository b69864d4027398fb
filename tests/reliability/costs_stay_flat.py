#!/usr/bin/env python3
"""What every public function reads, at N rows and at four times as many. Started by costs_stay_flat.sh, which tells
what must hold."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from session import Session

HERE = Path(__file__).resolve().parent
DATABASE, ROLE, N = os.environ["KEPLER_DATABASE"], os.environ["KEPLER_ROLE"], int(os.environ["N"])
ADMIN = f"{ROLE}_admin"
# A session has made all of its plans after so many calls.
WARM = 7
# A count grows where it is more than so many times as large, and so much more.
TIMES, MORE = 1.5, 50
# What changes definitions would make a session plan anew, and what changes all of a user's rows leaves versions that others
# would pass: it is measured in the new one only, and last.
DEFINING = """create_embedding_space create_entry_table alter_entry_table drop_embedding_space drop_entry_table
activate_embedding_space retire_embedding_space set_search_width purge_entry_table purge_field rename_entry_table restore_entry_table restore_field install uninstall distribute undistribute plan_distribution
apply_blueprint apply_blueprint_online drop_blueprint
grant_access revoke_access set_enrichment_policy drop_enrichment_policy set_entity_options
erase_user delete_workspace import_workspace""".split()
# What no level of access may call.
OF_OWNER = ["distribute", "doctor", "maintain", "maintain_feed", "metrics", "plan_distribution", "seal_history", "undistribute", "uninstall", "uninstall_report", "verify_history"]
READ_ALL = ["export_workspace", "find_secrets", "status", "uninstall_report", "workspace_report"]


@dataclass
class Allowed:
    """A call that may read more where there is more: at most so many rows and pages, of all tables and indexes
    together, for each row that was loaded; or so many whatever there is."""

    call: str
    reason: str
    per_row: float = 0
    most: int = 0

    def bound(self, rows: int) -> float:
        return max(self.per_row * rows, self.most)


COMPARES = "without an index on vectors all vectors are compared"
WORK = "what it does for each row"
ALLOWED = [
    Allowed("status", "counts everything, the history too", per_row=53),
    Allowed("metrics", "counts up to 10,000 rows of each state of a queue, and of the feed", most=60_000),
    Allowed("recall_check", "compares the index with a full scan, 200 times", per_row=260),
    Allowed("execution_report", "tells of each workflow", per_row=10),
    Allowed("execution_report_by_user", "tells of each workflow that ran", per_row=12),
    Allowed("conversation_window", "gives the whole conversation, unless it is told a limit", per_row=2.5),
    Allowed("claim_records (nothing meets the filter)", "looks at up to 1,000 records", most=12_000),
    Allowed("claim_records", "passes once what others have claimed since the last VACUUM", per_row=0.4),
    Allowed("abandon_syncs", "passes once what was merged since the last VACUUM", per_row=8),
    Allowed("requeue_records", WORK, per_row=12),
    Allowed("uninstall_report", "counts everything", per_row=62),
    Allowed("workspace_report", "counts everything", per_row=62),
    Allowed("export_workspace", "gives everything", per_row=98),
    Allowed("export_user", "gives all that is about the user", per_row=60),
    Allowed("erase_user", WORK, per_row=200),
    Allowed("drop_enrichment_policy", WORK, per_row=14),
    Allowed("activate_embedding_space", "counts what has no embedding", per_row=14),
    Allowed("search_memories", COMPARES, per_row=5),
    Allowed("search_memories (user)", COMPARES, per_row=1),
    Allowed("search_memories (filter)", COMPARES, per_row=6),
    Allowed("search_messages", COMPARES, per_row=4),
    Allowed("search_messages (conversation)", COMPARES, per_row=5),
    Allowed("search_vectors", COMPARES, per_row=2.5),
    Allowed("find_secrets", "reads the table", per_row=2.5),
    Allowed("seal_history", WORK, per_row=60),
    Allowed("verify_history", "compares what was sealed", per_row=60),
    Allowed("remember (dedupe)", COMPARES, per_row=6),
]
TENANT_ALLOWED = [
    Allowed("search_memories (common filter)", COMPARES, per_row=2),
    Allowed("search_memories (words)", COMPARES, per_row=4),
    Allowed("search_messages (words)", COMPARES, per_row=3),
    Allowed("search_messages (user)", COMPARES, per_row=1.5),
    Allowed("remember (dedupe)", COMPARES, per_row=8),
    Allowed("activate_embedding_space", "counts what has no embedding", per_row=14),
]
LOOKS = "a look into the index, as wide as it has to be"
INDEXED_ALLOWED = [
    Allowed("search_memories (common filter)", LOOKS, most=16_000),
    Allowed("search_memories (words)", LOOKS, most=22_000),
    Allowed("search_messages (words)", LOOKS, most=25_000),
    Allowed("remember (dedupe)", LOOKS, most=9_000),
    Allowed("activate_embedding_space", "counts what has no embedding", per_row=14),
]

# Each statement stands alone; ROWS is N, or four times as many.
LOAD = r"""
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.upsert_records('lead', (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'l' || i, 'data', jsonb_build_object('n', i))) FROM generate_series(first, least(first + 499, ROWS - 1)) AS i)) AS u;
SELECT count(*) FROM kepler.upsert_records('fair', (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'f' || i, 'data', jsonb_build_object('n', i))) FROM generate_series(1, ROWS) AS i));
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.upsert_records('broken ' || first, (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'l' || i, 'data', 1)) FROM generate_series(first, least(first + 499, ROWS - 1)) AS i), options => '{"keep_rejects": true}') AS u;
SELECT count(*) FROM unnest('{limited,scheduled}'::text[]) AS k CROSS JOIN LATERAL kepler.upsert_records(k, (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'q' || i, 'data', jsonb_build_object('n', i))) FROM generate_series(1, ROWS) AS i)) AS u;
SELECT count(*) FROM kepler.claim_records('limited', 'w', 5);
UPDATE kepler.enrichment_queue SET priority = 3, not_before = '2099-01-01', ready_at = '2099-01-01' WHERE entity_type = 'scheduled';
VACUUM kepler.enrichment_queue;
SELECT count(*) FROM kepler.upsert_records('scheduled', '[{"external_id": "now", "data": {}}]');
SELECT count(*) FROM generate_series(1, ROWS / 20) AS i CROSS JOIN LATERAL kepler.claim_records('lead', 'w' || i, 5) AS c;
SELECT count(*) FROM (SELECT lease_id, array_agg(record_id) AS ids FROM kepler.claim_records('lead', 'f', ROWS / 10) GROUP BY 1) AS c
    CROSS JOIN LATERAL kepler.fail_records(c.lease_id, c.ids, 'no', retryable => false) AS f;
INSERT INTO public.chosen SELECT id FROM kepler.records WHERE external_id LIKE 'l%' ORDER BY length(external_id), external_id LIMIT 100;
INSERT INTO kepler.users (id, email) SELECT 'x' || i, 'x' || i || '@example.com' FROM generate_series(1, ROWS) AS i;
INSERT INTO kepler.users (id, email) VALUES ('u2', 'u2@example.com');
INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) SELECT 'x' || i, 'x', 'x' || i, 'Mail', 'x' || i FROM generate_series(1, ROWS) AS i;
INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) VALUES ('c2', 'c2', 'c2', 'Mail', 'u');
INSERT INTO kepler.workflows (id, user_id, name, trigger) SELECT 'x' || i, 'x' || i, 'x', '{"app": "Mail"}' FROM generate_series(1, ROWS) AS i;
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('w2', 'u', 'w2', '{"app": "Mail"}');
CREATE TEMP TABLE runs AS SELECT s.execution_id, s.token, i FROM generate_series(1, ROWS) AS i CROSS JOIN LATERAL kepler.start_execution('w', 'k' || i) AS s;
SELECT count(*) FROM runs AS r CROSS JOIN LATERAL kepler.finish_execution(r.execution_id, r.token, 'SUCCESS') AS f WHERE i % 2 = 0;
SELECT count(*) FROM public.run AS r CROSS JOIN generate_series(1, ROWS / 100) AS i CROSS JOIN LATERAL kepler.add_execution_steps(r.id, r.token,
    (SELECT jsonb_agg(jsonb_build_object('name', 's')) FROM generate_series(1, 100))) AS s;
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'tea ' || i, 'key', 'k' || i, 'namespace', 'notes/n' || i, 'user_id', CASE WHEN i % 2 = 0 THEN 'u' END, 'metadata', jsonb_build_object('k', i), 'embedding', jsonb_build_array(1, i)))
    FROM generate_series(first, least(first + 499, ROWS - 1)) AS i)::text) AS r;
INSERT INTO kepler.conversations (id, user_id) SELECT 'x' || i, 'x' || i FROM generate_series(1, ROWS) AS i;
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk2', 'u');
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.add_messages('talk', (
    SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'hello ' || i, 'embedding', jsonb_build_array(1, i))) FROM generate_series(first, least(first + 499, ROWS - 1)) AS i)) AS r;
SELECT count(*) FROM kepler.insert_entries('Thing', (SELECT jsonb_agg(jsonb_build_object('entry_id', i, 'a', i)) FROM generate_series(10, ROWS + 9) AS i));
SELECT count(*) FROM kepler.insert_entries('End', (SELECT jsonb_agg(jsonb_build_object('entry_id', i)) FROM generate_series(10, ROWS + 9) AS i));
SELECT count(*) FROM kepler.insert_entries('Link', (SELECT jsonb_agg(jsonb_build_object('one', i, 'two', i)) FROM generate_series(10, ROWS + 9) AS i));
INSERT INTO kepler.inbox (sync_run_id, external_id, data) SELECT s.id, 'same', '{}' FROM public.streamed_before AS s, generate_series(1, ROWS + 5) AS i;
SELECT count(*) FROM public.streamed_before AS s CROSS JOIN LATERAL kepler.merge_inbox_batch(s.id, ROWS) AS m;
INSERT INTO kepler.inbox (sync_run_id, external_id, data) SELECT s.id, i, '{}' FROM public.streamed AS s, generate_series(1, ROWS) AS i;
INSERT INTO documents SELECT 'x' || i, '{}', format('[1,%s]', i)::vector FROM generate_series(1, ROWS) AS i;
"""

# A tenant of ROWS memories and as many messages; a user has twenty of the memories, a namespace too, and a conversation as many messages. The
# metadata have a value in every hundredth of them, another one in twenty, and one in all.
TENANT = r"""
INSERT INTO kepler.workspaces (id, name) VALUES ('TENANT', 'TENANT');
SET kepler.workspace_id = 'TENANT';
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'tea ' || i, 'metadata', jsonb_build_object('k', i % 100, 'r', i / 20, 'all', 1), 'embedding', jsonb_build_array(1, i)))
    FROM generate_series(first, least(first + 499, ROWS - 1)) AS i)::text) AS r;
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
INSERT INTO kepler.conversations (id, user_id) SELECT 'x' || i, 'u' FROM generate_series(1, ROWS) AS i;
SELECT count(*) FROM generate_series(0, ROWS - 1, 500) AS first CROSS JOIN LATERAL kepler.add_messages('talk', (
    SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'tea ' || i, 'metadata', jsonb_build_object('k', i % 100, 'r', i / 20, 'all', 1), 'embedding', jsonb_build_array(1, i)))
    FROM generate_series(first, least(first + 499, ROWS - 1)) AS i)) AS r;
SELECT count(*) FROM kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'tea of a user ' || i, 'user_id', 'u', 'embedding', jsonb_build_array(-1, i))) FROM generate_series(1, 20) AS i)::text) AS r;
SELECT count(*) FROM kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'note ' || i, 'key', 'k' || i, 'namespace', 'docs/d7', 'embedding', jsonb_build_array(-2, i))) FROM generate_series(1, 20) AS i)::text) AS r;
INSERT INTO kepler.conversations (id, user_id) VALUES ('short', 'u');
SELECT count(*) FROM kepler.add_messages('short', (
    SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'tea ' || i)) FROM generate_series(1, 20) AS i)) AS r;
"""
TENANT_CALLS = {
    "search_memories (filter)": """kepler.search_memories('[1, 0]', filter => '{"k": 3}')""",
    "search_memories (filter, words)": """kepler.search_memories('[1, 0]', query_text => 'cup 17', filter => '{"k": 3}')""",
    "search_memories (rare filter)": """kepler.search_memories('[1, 0]', filter => '{"r": 7}')""",
    "search_memories (rare and common filter)": """kepler.search_memories('[1, 0]', filter => '{"all": 1, "$or": [{"r": 7}, {"r": 8}]}')""",
    "search_messages (rare filter)": """kepler.search_messages('[1, 0]', filter => '{"r": 7, "all": 1}')""",
    "search_memories (common filter)": """kepler.search_memories('[1, 0]', filter => '{"all": 1}')""",
    "search_memories (words)": "kepler.search_memories('[1, 0]', query_text => 'cup 17')",
    "search_memories (words of a user)": "kepler.search_memories(query_text => 'tea', user_id => 'u')",
    "search_messages (words of a conversation)": "kepler.search_messages(query_text => 'tea', conversation_id => 'short')",
    "search_messages (filter)": """kepler.search_messages('[1, 0]', filter => '{"k": 3}')""",
    "search_messages (words)": "kepler.search_messages('[1, 0]', query_text => 'cup 17')",
    "search_messages (user)": "kepler.search_messages('[1, 0]', user_id => 'u')",
    "search_messages (user, filter, words)": """kepler.search_messages('[1, 0]', query_text => 'cup 17', user_id => 'u', filter => '{"k": 3}')""",
    "search_memories (rare namespace)": "kepler.search_memories('[1, 0]', query_text => 'cup 17', namespace => 'docs/d7')",
    "list_memories (rare namespace)": "kepler.list_memories(namespace => 'docs/d7', order_by => 'updated_at')",
    "list_memories (rare filter)": """kepler.list_memories(filter => '{"r": 7}')""",
    "list_memories (user)": "kepler.list_memories('u', order_by => 'updated_at')",
    "list_memories (keys)": "kepler.list_memories(NULL, order_by => 'key', max_rows => 10)",
    "count_memories (rare namespace)": "kepler.count_memories(namespace => 'docs/d7')",
    "get_memories (rare)": "kepler.get_memories(keys => '{k1,k2}', namespace => 'docs/d7', user_id => NULL)",
    "list_namespaces (rare)": "kepler.list_namespaces('docs/d7')",
    "list_namespaces (cut)": "kepler.list_namespaces(max_depth => 1)",
    "remember (key)": "kepler.remember('coffee', key => 'k1', namespace => 'docs/d7')",
    "forget (keys)": "kepler.forget(keys => '{k2}', namespace => 'docs/d7', user_id => NULL)",
    "remember (dedupe)": "kepler.remember('coffee', '[1, 20]', dedupe => true)",
    "pending_memory_embeddings": "kepler.pending_memory_embeddings('spare', 100)",
    "pending_message_embeddings": "kepler.pending_message_embeddings('spare', 100)",
    "activate_embedding_space": "kepler.activate_embedding_space('walk')",
}

Counts = dict[str, list[int]]


def stage() -> str:
    """The stage of access_of_every_function.sql and its list of calls, without its transaction."""
    text = (HERE.parent / "pg_regress/sql/access_of_every_function.sql").read_text()
    text = text[: text.index("-- No function is forgotten here")]
    text = re.sub(r"(?m)^BEGIN;$|^SET LOCAL .*$|^\\set (SHOW|VERB).*$", "", text).replace("access_nobody", ROLE)
    policy = "SELECT count(*) FROM kepler.set_enrichment_policy('fair', fair => true);\n"
    policy += "SELECT count(*) FROM kepler.set_enrichment_policy('limited', records_per_minute => 5, limit_by => 'source');\n"
    policy += "SELECT count(*) FROM kepler.set_enrichment_policy('scheduled', priorities => true);\n"
    run = "CREATE TABLE public.run AS SELECT :'run'::text AS id, :'token'::text AS token;\n"
    return policy + text + run + (HERE / "costs_stay_flat.sql").read_text()


def statements(session: Session, text: str) -> None:
    for statement in text.split(";\n"):
        if statement.strip():
            session.run(statement.strip())


def script(session: Session, text: str) -> None:
    with NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(text)
        file.flush()
        session.script(Path(file.name))


def analyze_once(session: Session) -> None:
    """Autovacuum would see later what is loaded now, at a time of its own."""
    session.run(
        "DO $$DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text"
        " IN ('kepler', 'kepler_data', 'public') LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP; END$$"
    )
    session.run("ANALYZE")


def probe(session: Session, calls: dict[str, str], faults: list[str]) -> dict[str, Counts]:
    found = {}
    for name, call in calls.items():
        answer = session.json(f"SELECT public.probe($probe${call}$probe$)")
        found[name] = answer["counts"]
        # What calls Kepler in this database is in the way of its removal, and there is no cluster here.
        expected = {"uninstall": "2BP01", "distribute": "22023"}.get(name)
        if answer["state"] not in ("KX001", expected):
            faults.append(f"{name} does not work: {answer['state']} {answer['message']}")
    return found


def measure(rows: int, faults: list[str]) -> dict[str, dict[str, Counts]]:
    """By session, the one that is old and the new one, and call."""
    database = f"{DATABASE}_{rows}"
    session = Session(database)
    script(session, stage())
    analyze_once(session)
    calls = session.json("SELECT json_object_agg(name, call ORDER BY name) FROM public.calls")
    for name in session.run(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'kepler'::regnamespace AND proname NOT IN (SELECT name FROM public.calls)"
    ):
        faults.append(f"{name} has no call in access_of_every_function.sql")
    session.close()
    plain = {name: call for name, call in calls.items() if name not in DEFINING}
    old = Session(database)
    for _ in range(WARM):
        probe(old, plain, [])
    session = Session(database)
    statements(session, LOAD.replace("ROWS", str(rows)))
    session.close()
    found = {"old": probe(old, plain, faults)}
    old.close()
    # A deletion loads the library, if it is the first that a session does with Kepler.
    new = Session(database)
    new.run("DELETE FROM kepler.users WHERE workspace_id = 'none' AND id = 'none'")
    found["new"] = probe(new, plain, faults) | probe(new, {name: calls[name] for name in DEFINING}, faults)
    new.close()
    found["secured"] = measure_secured(database, plain, faults)
    return found


def measure_secured(database: str, calls: dict[str, str], faults: list[str]) -> dict[str, Counts]:
    """The same as a role with all rights that a level gives, under row security."""
    session = Session(database)
    # Versions of rows that died in what was undone; the statistics see one row as before.
    session.run("VACUUM")
    session.run("UPDATE pg_class SET reltuples = 1, relpages = 1 WHERE relkind = 'r' AND reltuples > 1 AND relnamespace::regnamespace::text IN ('kepler', 'kepler_data')")
    session.run(f"SELECT kepler.grant_access('{ADMIN}', 'admin')")
    session.run(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {ADMIN}")
    session.run(f"SET ROLE {ADMIN}")
    session.run("DELETE FROM kepler.users WHERE workspace_id = 'none' AND id = 'none'")
    found = probe(session, {name: call for name, call in calls.items() if name not in OF_OWNER}, faults)
    session.close()
    return found


def compare_secured(open_: dict[str, Counts], secured: dict[str, Counts], faults: list[str]) -> None:
    """Under row security no call reads more than as the owner, who is under none. What goes through all of a workspace does so by
    an index."""
    for call, after in secured.items():
        if call in READ_ALL:
            continue
        if lines := grown(open_.get(call, {}), after):
            faults.append("\n".join([f"{call}: reads more under row security", *lines]))


def measure_tenants(sizes: list[int], faults: list[str]) -> list[list[dict[str, Counts]]]:
    """What calls read in tenants of these sizes that no statistics know, beside 60 that they do: without an index on
    vectors, and with one."""
    session = Session(f"{DATABASE}_tenant")
    session.run("CREATE TABLE public.calls (name text, call text)")
    script(session, (HERE / "costs_stay_flat.sql").read_text())
    session.run("SELECT kepler.create_embedding_space('walk', 2, 'm')")
    session.run("SELECT kepler.create_embedding_space('spare', 2, 'm')")
    session.run("SELECT kepler.activate_embedding_space('walk')")
    session.run(f"SELECT kepler.grant_access('{ROLE}', 'reader')")
    for number in range(60):
        statements(session, TENANT.replace("ROWS", "100").replace("TENANT", f"known{number}"))
    analyze_once(session)
    for rows in sizes:
        statements(session, TENANT.replace("ROWS", str(rows)).replace("TENANT", f"new{rows}"))
    found = [of_tenants(sizes, faults)]
    for table in ("walk_embeddings", "walk_message_embeddings"):
        session.run(f"CREATE INDEX ON kepler_data.{table} USING hnsw (embedding vector_cosine_ops)")
    session.close()
    return [*found, of_tenants(sizes, faults)]


def of_tenants(sizes: list[int], faults: list[str]) -> list[dict[str, Counts]]:
    found = []
    for rows in sizes:
        new = Session(f"{DATABASE}_tenant")
        new.run(f"SET kepler.workspace_id = 'new{rows}'")
        counts = probe(new, TENANT_CALLS, faults)
        # Under row security, as a role with the rights of a reader.
        new.run(f"SET ROLE {ROLE}")
        secured = {f"{name} as a reader": call for name, call in TENANT_CALLS.items() if "(rare" in name}
        found.append(counts | probe(new, secured, faults))
        new.close()
    return found


def total(counts: Counts) -> int:
    """Of an index its entries are counted and of a table its rows: fetched ones are the same over again."""
    return sum(max(returned, fetched) + blocks for returned, fetched, blocks in counts.values())


def grown(small: Counts, large: Counts) -> list[str]:
    lines = []
    for relation, after in sorted(large.items()):
        before = small.get(relation, [0, 0, 0])
        if any(b > TIMES * a + MORE for a, b in zip(before, after)):
            lines.append(f"    {relation}: rows {max(before[:2])} → {max(after[:2])}, pages {before[2]} → {after[2]}")
    return lines


def judge(allowed: list[Allowed], rows: int, sizes: list[tuple[dict[str, Counts], dict[str, Counts]]], faults: list[str]) -> None:
    """Prints what grows and may. What grows otherwise, and what may and does not, is a fault."""
    allowances = {one.call: one for one in allowed}
    needed: set[str] = set()
    for small, large in sizes:
        for call, after in large.items():
            before = small.get(call, {})
            lines = grown(before, after)
            if not lines:
                continue
            needed.add(call)
            allowance = allowances.get(call)
            bound = allowance.bound(rows) if allowance else 0
            if allowance is None or total(after) > bound:
                faults.append("\n".join([f"{call}: reads {total(before)} → {total(after)}, and may {bound:.0f}", *lines]))
            else:
                print(f"  {call}: {total(before)} → {total(after)}, may {bound:.0f}: {allowance.reason}")
    faults += [f"{call} is allowed to grow, and does not" for call in allowances if call not in needed]


def main() -> None:
    faults: list[str] = []
    small, large = measure(N, faults), measure(4 * N, [])
    print(f"rows and pages that a call reads at {N} and {4 * N} rows, where that grows:")
    judge(ALLOWED, 4 * N, [(small[session], large[session]) for session in ("old", "new", "secured")], faults)
    compare_secured(large["new"], large["secured"], faults)
    plain, indexed = measure_tenants([1000, 4000], faults)
    print("in a tenant of 1000 and 4000 that the statistics do not know:")
    judge(TENANT_ALLOWED, 4000, [(plain[0], plain[1])], faults)
    print("the same with an index on vectors:")
    judge(INDEXED_ALLOWED, 4000, [(indexed[0], indexed[1])], faults)
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(1)
    print("costs stay flat")


if __name__ == "__main__":
    main()
