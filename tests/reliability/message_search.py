#!/usr/bin/env python3
"""Random searches over messages held against what is there. Started by message_search.sh, which tells what must hold."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from session import Session

DATABASE = os.environ["KEPLER_DATABASE"]
ROWS = int(os.environ["ROWS"])
SEARCHES = int(os.environ["SEARCHES"])
SEED = int(os.environ["SEED"])
DIMENSIONS = 32
CLUSTERS = 40
# A quarter of the messages say one of a few things, each with the same vector all the time.
REPLIES = 5
READER = "kepler_message_reader"
TABLE = "kepler_data.space_message_embeddings"
# Tenants and their messages; the large one has the rest.
TENANTS = {"one": 1, "small": 300, "large": ROWS - 301}
WORDS = ["ferry", "hotel", "invoice", "printer", "rome"]


@dataclass
class Search:
    """One search: what was asked, and what came."""

    tenant: str
    scope: str  # arguments of search_messages
    matching: str  # the same in plain SQL over m and c
    by_meaning: bool
    words: str
    k: int
    expand: int
    restricted: bool
    near: int
    least: float | None = None
    rows: list[tuple[int, int, bool, int]] = field(default_factory=list)  # passage, message, is_hit, hit
    plan: str = ""
    exhausted: bool = False


def load(session: Session) -> None:
    session.run("SET client_min_messages = warning")
    session.run(f"SELECT kepler.create_embedding_space('space', {DIMENSIONS}, 'random')")
    session.run(f"SELECT setseed({SEED % 100 / 100})")
    session.run(
        "CREATE TABLE centers AS SELECT c, (SELECT array_agg(random() - 0.5) FROM generate_series(1, "
        f"{DIMENSIONS}) WHERE c = c)::real[] AS center FROM generate_series(0, {CLUSTERS - 1}) AS c"
    )
    words = ", ".join(f"'{word}'" for word in WORDS)
    for tenant, count in TENANTS.items():
        session.run(f"INSERT INTO kepler.workspaces (id, name) VALUES ('{tenant}', '{tenant}')")
        session.run(
            f"INSERT INTO kepler.users (workspace_id, id, email) "
            f"SELECT '{tenant}', 'u' || i, 'u' || i FROM generate_series(0, 9) AS i"
        )
        session.run(
            f"INSERT INTO kepler.conversations (workspace_id, id, user_id, kind) SELECT '{tenant}', 'c' || i, "
            f"CASE WHEN i % 11 > 0 THEN 'u' || (i % 10) END, CASE WHEN i % 20 = 0 THEN 'rare' ELSE 'chat' END "
            f"FROM generate_series(0, {count // 40}) AS i"
        )
        # Every third message holds a word or two; most have an embedding.
        session.run(
            f"INSERT INTO kepler.messages (workspace_id, conversation_id, number, role, content, metadata, sent_at) "
            f"SELECT '{tenant}', 'c' || (i / 40), 1 + i % 40, CASE WHEN i % 40 = 0 THEN 'system' WHEN i % 7 = 0 THEN 'tool' "
            f"WHEN i % 2 = 0 THEN 'user' ELSE 'assistant' END::kepler.message_role, "
            f"'message ' || CASE WHEN i % 3 = 0 THEN (ARRAY[{words}])[1 + (i::bigint * 7919) % 5] ELSE '' END, "
            f"jsonb_build_object('p', (i::bigint * 7919) % 1000), '2024-01-01Z'::timestamptz + i * interval '1 minute' "
            f"FROM generate_series(0, {count - 1}) AS i"
        )
    session.run(
        f"CREATE TABLE replies AS SELECT r, (SELECT array_agg(random() - 0.5) FROM generate_series(1, {DIMENSIONS}) "
        f"WHERE r = r)::vector AS embedding FROM generate_series(0, {REPLIES - 1}) AS r"
    )
    session.run(
        f"INSERT INTO {TABLE} SELECT m.workspace_id, m.id, CASE WHEN m.id % 7 < 2 THEN r.embedding ELSE "
        f"(SELECT array_agg(x + 0.35 * (random() - 0.5)) FROM unnest(c.center) AS x WHERE m.id = m.id)::vector END "
        f"FROM kepler.messages AS m JOIN centers AS c ON c.c = (m.id * 104729) % {CLUSTERS} "
        f"JOIN replies AS r ON r.r = (m.id / 7) % {REPLIES} WHERE m.id % 10 > 0"
    )
    # Gaps, the embeddings going along.
    session.run("DELETE FROM kepler.messages WHERE id % 13 = 5 AND number > 1")
    session.run(
        f"CREATE TABLE queries AS SELECT c AS id, ((SELECT array_agg(x + 0.2 * (random() - 0.5)) "
        f"FROM unnest(center) AS x WHERE c = c))::vector AS embedding FROM centers"
    )
    # Places in the conversations, as they are.
    session.run(
        "CREATE TABLE places AS SELECT workspace_id, conversation_id, id, row_number() OVER "
        "(PARTITION BY workspace_id, conversation_id ORDER BY number) AS place FROM kepler.messages"
    )
    session.run("ALTER TABLE places ADD PRIMARY KEY (id)")
    session.run("CREATE INDEX ON places (workspace_id, conversation_id, place)")
    session.run("SET maintenance_work_mem = '512MB'")
    session.run(
        f"CREATE INDEX space_hnsw ON {TABLE} USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 128)"
    )
    session.run("VACUUM ANALYZE")
    session.run(f"CREATE ROLE {READER}")
    session.run(f"GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO {READER}")
    session.run(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO {READER}")
    # A member of every workspace by hand: a row on the list, and the right to read it.
    session.run(f"GRANT SELECT ON kepler.workspace_members TO {READER}")
    session.run(f"INSERT INTO kepler.workspace_members (workspace_id, role_name, level) SELECT id, '{READER}', 'reader' FROM kepler.workspaces")
    session.run(
        f"GRANT SELECT ON kepler.messages, kepler.conversations, kepler.workspaces, kepler.embedding_spaces, queries TO {READER}"
    )


def plan_searches(rng: random.Random) -> list[Search]:
    searches = []
    for number in range(SEARCHES):
        tenant = rng.choice(["one", "small", "large", "large", "large", "large"])
        scope, matching = [], [f"m.workspace_id = '{tenant}'"]
        # None, one or several conditions.
        for family in rng.sample(["user", "nobody", "conversation", "kinds", "roles", "filter", "time"], rng.choice([0, 1, 1, 1, 2, 3])):
            if family == "user" and "user_id => NULL" not in scope:
                user = rng.randrange(10)
                scope.append(f"user_id => 'u{user}'")
                matching.append(f"c.user_id = 'u{user}'")
            elif family == "nobody" and not any(s.startswith("user_id") for s in scope):
                scope.append("user_id => NULL")
                matching.append("c.user_id IS NULL")
            elif family == "conversation":
                conversation = rng.randrange(TENANTS[tenant] // 40 + 1)
                scope.append(f"conversation_id => 'c{conversation}'")
                matching.append(f"c.id = 'c{conversation}'")
            elif family == "kinds":
                kind = rng.choice(["rare", "chat"])
                scope.append(f"kinds => '{{{kind},other}}'")
                matching.append(f"c.kind = '{kind}'")
            elif family == "roles":
                roles = rng.sample(["system", "user", "assistant", "tool"], rng.choice([1, 1, 2]))
                scope.append(f"roles => '{{{','.join(roles)}}}'")
                matching.append(f"m.role::text IN ({', '.join(repr(role) for role in roles)})")
            elif family == "filter":
                share = rng.choice([1, 10, 100, 500, 900])
                scope.append(f"filter => '{{\"p\": {{\"$lt\": {share}}}}}'")
                matching.append(f"(m.metadata->>'p')::int < {share}")
            elif family == "time":
                first = rng.randrange(TENANTS[tenant])
                last = first + rng.choice([1, 100, 3000, ROWS])
                scope.append(f"sent_from => '2024-01-01Z'::timestamptz + {first} * interval '1 minute'")
                scope.append(f"sent_before => '2024-01-01Z'::timestamptz + {last} * interval '1 minute'")
                matching.append(
                    f"m.sent_at >= '2024-01-01Z'::timestamptz + {first} * interval '1 minute' "
                    f"AND m.sent_at < '2024-01-01Z'::timestamptz + {last} * interval '1 minute'"
                )
        by_meaning = rng.random() < 0.75
        words = " ".join(rng.sample(WORDS, rng.choice([1, 2]))) if not by_meaning or rng.random() < 0.3 else ""
        expand = rng.choice([0, 0, 1, 2, 5, 40])
        k = rng.choice([1, 2, 5, 10, 10, 10, 60, rng.randrange(1, 300)])
        restricted = number % 2 == 0
        near = rng.randrange(CLUSTERS)
        least = rng.choice([0.2, 0.5, 0.8, 0.9, 0.97]) if by_meaning and rng.random() < 0.3 else None
        searches.append(
            Search(tenant, "".join(f", {s}" for s in scope), " AND ".join(matching), by_meaning, words, k, expand, restricted, near, least)
        )
    return searches


def run(session: Session, search: Search) -> None:
    session.run(f"SET kepler.workspace_id = '{search.tenant}'")
    if search.restricted:
        session.run(f"SET ROLE {READER}")
    embedding = f"(SELECT q.embedding FROM queries AS q WHERE q.id = {search.near})" if search.by_meaning else "NULL"
    words = f", query_text => '{search.words}'" if search.words else ""
    if search.least is not None:
        words += f", min_similarity => {search.least}"
    lines = session.run(
        f"SELECT passage, message_id, is_hit, hit, plan, exhausted FROM kepler.search_messages({embedding}, {search.k}"
        f"{words}, expand => {search.expand}{search.scope})"
    )
    for line in lines:
        passage, message_id, is_hit, hit, _, _ = line.split("|")
        search.rows.append((int(passage), int(message_id), is_hit == "t", int(hit)))
    [line] = session.run("SELECT plan, exhausted FROM kepler.last_search()")
    search.plan, exhausted = line.split("|")
    search.exhausted = exhausted == "t"
    assert all(line.endswith(f"|{search.plan}|{exhausted}") for line in lines)
    session.run("RESET ROLE")
    session.run("RESET kepler.workspace_id")


def judge(session: Session, search: Search) -> tuple[list[str], float | None]:
    """What is wrong, and the recall of a search by meaning alone, against plain queries."""
    problems = []
    hits = [message_id for _, message_id, is_hit, _ in search.rows if is_hit]
    ids = ", ".join(map(str, hits)) or "NULL"
    tsquery = f"plainto_tsquery('english', '{search.words}')::text"
    found = " OR ".join(
        (["e.message_id IS NOT NULL"] if search.by_meaning else [])
        + ([f"m.text_search @@ replace({tsquery}, '&', '|')::tsquery"] if search.words else [])
    )
    [line] = session.run(
        f"WITH matching AS MATERIALIZED (SELECT m.id, e.embedding <=> (SELECT q.embedding FROM queries AS q WHERE q.id = {search.near}) AS distance "
        f"FROM kepler.messages AS m JOIN kepler.conversations AS c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id "
        f"LEFT JOIN {TABLE} AS e ON e.workspace_id = m.workspace_id AND e.message_id = m.id WHERE {search.matching} AND ({found}) AND (e.message_id IS NULL "
        f"OR 1 - (e.embedding <=> (SELECT q.embedding FROM queries AS q WHERE q.id = {search.near})) >= {-1 if search.least is None else search.least})), "
        f"nearest AS (SELECT distance FROM matching WHERE distance IS NOT NULL ORDER BY distance LIMIT {search.k}) "
        f"SELECT (SELECT count(*) FROM matching), (SELECT count(*) FROM matching WHERE id IN ({ids})), "
        f"(SELECT count(*) FROM matching WHERE id IN ({ids}) AND distance <= (SELECT max(distance) FROM nearest))"
    )
    count, meeting, near = map(int, line.split("|"))
    expected = min(search.k, count)
    if len(hits) != expected or meeting != expected:
        problems.append(f"{len(hits)} hits, {meeting} of which meet the conditions, instead of {expected}")
    if search.exhausted != (count < search.k):
        problems.append(f"exhausted is {search.exhausted}, with {count} messages for {search.k}")
    every = [message_id for _, message_id, _, _ in search.rows]
    if len(set(every)) != len(every):
        problems.append("a message came twice")
    # The neighbourhood, by places; each passage one piece of a conversation without gaps, the best hit's first.
    [around] = session.run(
        f"SELECT coalesce(string_agg(DISTINCT n.id::text, ' '), '') FROM places AS p JOIN places AS n USING (workspace_id, conversation_id) "
        f"WHERE p.id IN ({ids}) AND n.place BETWEEN p.place - {search.expand} AND p.place + {search.expand}"
    )
    if set(map(int, around.split())) != set(every):
        problems.append("the neighbours are others")
    listed = ", ".join(f"({at}, {row[0]}, {row[1]})" for at, row in enumerate(search.rows)) or "(0, 0, 0)"
    [broken] = session.run(
        f"SELECT count(*) FROM (SELECT g.passage, p.conversation_id, p.place, lag(g.passage) OVER w AS before_passage, "
        f"lag(p.conversation_id) OVER w AS before_conversation, lag(p.place) OVER w AS before_place "
        f"FROM (VALUES {listed}) AS g (at, passage, id) JOIN places AS p USING (id) WINDOW w AS (ORDER BY g.at)) AS s "
        f"WHERE before_passage IS NOT NULL AND CASE WHEN passage = before_passage THEN conversation_id <> before_conversation "
        f"OR place <> before_place + 1 ELSE passage <> before_passage + 1 END"
    )
    if broken != "0":
        problems.append(f"{broken} rows are out of order")
    best = {}
    for passage, _, is_hit, hit in search.rows:
        if is_hit:
            best[passage] = min(hit, best.get(passage, hit))
    if list(best.values()) != sorted(best.values()) or sorted(h for _, _, i, h in search.rows if i) != list(range(1, len(hits) + 1)):
        problems.append("the best passage is not the first")
    if not search.by_meaning or search.words or not expected:
        return problems, None
    recall = near / expected
    if search.plan.startswith("exact") and recall < 1:
        problems.append(f"recall of an exact plan is {recall}")
    return problems, recall


def main() -> None:
    rng = random.Random(SEED)
    session = Session(DATABASE)
    started = time.monotonic()
    load(session)
    searches = plan_searches(rng)
    print(f"{ROWS} messages loaded in {time.monotonic() - started:.0f} s")
    before = session.sequential_scans(("kepler.messages", "kepler.conversations", TABLE))
    for search in searches:
        run(session, search)
    failures = []
    if scans := session.sequential_scans(("kepler.messages", "kepler.conversations", TABLE)) - before:
        failures.append(f"{scans} sequential scans")
    if session.value("SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'space_hnsw'") == "0":
        failures.append("the index on embeddings was never used")
    recalls = []
    for search in searches:
        problems, recall = judge(session, search)
        failures += [f"{problem}: {search}" for problem in problems]
        if recall is not None and search.plan.startswith("index"):
            recalls.append(recall)
    mean = sum(recalls) / len(recalls) if recalls else 0.0
    if mean < 0.95:
        failures.append(f"recall through the index is {mean:.4f}")
    plans = ", ".join(f"{count} {plan or '(no rows)'}" for plan, count in sorted(Counter(s.plan for s in searches).items()))
    session.close()
    for failure in failures[:20]:
        print(failure[:600])
    print(f"{plans}; recall through the index {mean:.4f}")
    print(f"{len(searches)} searches, {len(failures)} failures, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
