#!/usr/bin/env python3
"""Random searches held against what is there. Started by memory_never_short.sh, which tells what must hold."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

from session import Session, SessionError

DATABASE = os.environ["KEPLER_DATABASE"]
ROWS = int(os.environ["ROWS"])
SEARCHES = int(os.environ["SEARCHES"])
SEED = int(os.environ["SEED"])
DIMENSIONS = 48
CLUSTERS = 60
# A quarter of the rows say one of a few things, each with the same vector all the time.
REPLIES = 5
ENOUGH = 10
READER = "kepler_never_short_reader"
TABLE = "kepler_data.space_embeddings"
# As index_advice has them.
INDEXES = {
    "hnsw": "USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 128)",
    "ivfflat": f"USING ivfflat (embedding vector_cosine_ops) WITH (lists = {max(ROWS // 1000, 10)})",
}
# How the rows are divided among the tenants: some have one row, one has most.
TENANTS = {"one": 1, "seven": 7, "hundred": 100, "small": 1_500, "middle": 5_000}


@dataclass
class Search:
    """One search: what was asked, and what came."""

    tenant: str
    family: str
    scope: str  # arguments of search_memories
    matching: str  # the same in plain SQL over m
    cluster: int
    k: int
    restricted: bool
    near: int = 0
    least: float | None = None
    words: bool = False
    ids: list[str] = field(default_factory=list)
    plan: str = ""
    exhausted: bool = False
    milliseconds: float = 0.0

    def query(self) -> str:
        """The query vector: near a stored one."""
        return f"(SELECT q.embedding FROM queries AS q WHERE q.id = {self.near})"


def load(session: Session) -> None:
    tenants = dict(TENANTS)
    tenants["large"] = ROWS - sum(TENANTS.values())
    session.run("SET client_min_messages = warning")
    session.run(f"SELECT kepler.create_embedding_space('space', {DIMENSIONS}, 'random')")
    for tenant in tenants:
        session.run(f"INSERT INTO kepler.workspaces (id, name) VALUES ('{tenant}', '{tenant}')")
        session.run(
            f"INSERT INTO kepler.users (workspace_id, id, email) "
            f"SELECT '{tenant}', 'u' || i, 'u' || i FROM generate_series(0, 9) AS i"
        )
    session.run(f"SELECT setseed({SEED % 100 / 100})")
    session.run(
        "CREATE TABLE centers AS SELECT c, (SELECT array_agg(random() - 0.5) FROM generate_series(1, "
        f"{DIMENSIONS}) WHERE c = c)::real[] AS center FROM generate_series(0, {CLUSTERS - 1}) AS c"
    )
    session.run(
        f"CREATE TABLE replies AS SELECT r, (SELECT array_agg(random() - 0.5) FROM generate_series(1, {DIMENSIONS}) "
        f"WHERE r = r)::vector AS embedding FROM generate_series(0, {REPLIES - 1}) AS r"
    )
    # The neighbourhood of each cluster, to aim filters at it or past it.
    session.run(
        "CREATE TABLE neighbours AS SELECT a.c, (SELECT array_agg(b.c ORDER BY a.center::vector <=> "
        "b.center::vector) FROM centers AS b) AS nearest FROM centers AS a"
    )
    first = 1
    for tenant, count in tenants.items():
        last = first + count - 1
        session.run(
            f"INSERT INTO kepler.memories (workspace_id, id, user_id, context_type, content, metadata, valid_to) "
            f"SELECT '{tenant}', 'm' || i, 'u' || (i % 10), CASE WHEN i % 50 = 0 THEN 'rare' ELSE 'fact' END, "
            f"'memory ' || i || CASE WHEN i % 9 = 0 THEN ' of an apple' ELSE '' END, jsonb_build_object('p', (i::bigint * 7919) % 10000, 'cluster', (i::bigint * 104729) % {CLUSTERS}), "
            f"CASE WHEN i % 5 = 0 THEN now() + interval '1 day' END "
            f"FROM generate_series({first}, {last}) AS i"
        )
        session.run(
            f"INSERT INTO {TABLE} SELECT '{tenant}', 'm' || i, CASE WHEN i % 7 < 2 THEN r.embedding ELSE "
            f"(SELECT array_agg(x + 0.35 * (random() - 0.5)) FROM unnest(c.center) AS x WHERE i = i)::vector END "
            f"FROM generate_series({first}, {last}) AS i JOIN centers AS c ON c.c = (i::bigint * 104729) % {CLUSTERS} "
            # Some have none yet.
            f"JOIN replies AS r ON r.r = (i / 7) % {REPLIES} WHERE i % 100 <> 7"
        )
        first = last + 1
    session.run(
        f"CREATE TABLE queries AS SELECT id, ((SELECT array_agg(x + 0.2 * (random() - 0.5)) "
        f"FROM unnest(center) AS x WHERE id = id))::vector AS embedding, c AS cluster "
        f"FROM (SELECT row_number() OVER () AS id, * FROM centers, generate_series(1, 3)) AS s"
    )
    # What searches are judged by, without a join for each.
    session.run(
        "CREATE UNLOGGED TABLE everything AS SELECT m.workspace_id, m.id, m.user_id, m.context_type, m.metadata, e.embedding, "
        f"m.content LIKE '%apple' AS has_word FROM kepler.memories AS m LEFT JOIN {TABLE} AS e ON e.workspace_id = m.workspace_id AND e.memory_id = m.id"
    )
    session.run("SET maintenance_work_mem = '512MB'")
    session.run(f"CREATE INDEX space_hnsw ON {TABLE} {INDEXES['hnsw']}")
    session.run("ANALYZE")
    # No more than a reader needs.
    session.run(f"CREATE ROLE {READER}")
    session.run(f"GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO {READER}")
    session.run(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO {READER}")
    session.run(f"GRANT SELECT ON kepler.memories, kepler.workspaces, kepler.embedding_spaces, queries TO {READER}")
    # A member of every workspace by hand: a row on the list, and the right to read it.
    session.run(f"GRANT SELECT ON kepler.workspace_members TO {READER}")
    session.run(f"INSERT INTO kepler.workspace_members (workspace_id, role_name, level) SELECT id, '{READER}', 'reader' FROM kepler.workspaces")


def plan_searches(session: Session, rng: random.Random) -> list[Search]:
    nearest = {
        int(c): json.loads(clusters)
        for c, clusters in (line.split("|") for line in session.run("SELECT c, to_json(nearest) FROM neighbours"))
    }
    queries = {
        int(i): int(c) for i, c in (line.split("|") for line in session.run("SELECT id, cluster FROM queries"))
    }
    searches = []
    for number in range(SEARCHES):
        near = rng.choice(sorted(queries))
        cluster = queries[near]
        tenant = rng.choice([*TENANTS, "large", "large", "large", "large", "large", "large"])
        family = rng.choice(["all", "random", "with", "against", "user", "rare", "combined"])
        scope, matching, metadata = "", "true", None
        share = rng.choice([1, 10, 100, 1000, 5000, 9000, 10_000])
        inside = f"(m.metadata->>'p')::int < {share}"
        if family == "random":
            metadata, matching = {"p": {"$lt": share}}, inside
        elif family in ("with", "against"):
            count = rng.choice([1, 3, 20, CLUSTERS // 2])
            chosen = nearest[cluster][:count] if family == "with" else nearest[cluster][-count:]
            metadata = {"cluster": {"$in": chosen}}
            matching = f"(m.metadata->>'cluster')::int IN ({', '.join(map(str, chosen))})"
        elif family == "user":
            user = f"u{rng.randrange(10)}"
            scope, matching = f", user_id => '{user}'", f"m.user_id = '{user}'"
        elif family == "rare":
            scope, matching = ", context_types => '{rare}'", "m.context_type = 'rare'"
        elif family == "combined":
            metadata = {"$or": [{"p": {"$lt": share}}, {"cluster": nearest[cluster][-1]}]}
            matching = f"({inside} OR (m.metadata->>'cluster')::int = {nearest[cluster][-1]})"
            scope, matching = ", user_id => 'u5'", f"m.user_id = 'u5' AND {matching}"
        if metadata is not None:
            scope += f", filter => '{json.dumps(metadata)}'"
        k = rng.choice([1, 2, 5, 10, 10, 10, 17, 60, 100, rng.randrange(1, 300), 2000])
        # A threshold and words, one of them, or none.
        least = rng.choice([0.2, 0.5, 0.8, 0.9, 0.97]) if rng.random() < 0.3 else None
        words = rng.random() < 0.3
        found = "m.embedding IS NOT NULL" + (" OR m.has_word" if words else "")
        matching = f"{matching} AND ({found})"
        searches.append(Search(tenant, family, scope, matching, cluster, k, number % 2 == 0, near, least, words))
    return searches


def run(session: Session, search: Search) -> None:
    session.run(f"SET kepler.workspace_id = '{search.tenant}'")
    if search.restricted:
        session.run(f"SET ROLE {READER}")
    started = time.monotonic()
    lines = session.run(
        f"SELECT memory_id, plan, exhausted FROM kepler.search_memories({search.query()}, {search.k}"
        f"{search.scope}, weights => '{{\"similarity\": 1}}'"
        + (f", min_similarity => {search.least}" if search.least is not None else "")
        + (", query_text => 'which apples'" if search.words else "")
        + ")"
    )
    search.milliseconds = 1000 * (time.monotonic() - started)
    search.ids = [line.split("|")[0] for line in lines]
    [line] = session.run("SELECT plan, exhausted, row_count FROM kepler.last_search()")
    search.plan, exhausted, count = line.split("|")
    search.exhausted = exhausted == "t"
    assert int(count) == len(search.ids) and all(line.endswith(f"|{search.plan}|{exhausted}") for line in lines)
    session.run("RESET ROLE")
    session.run("RESET kepler.workspace_id")


def judge(session: Session, search: Search) -> tuple[list[str], float]:
    """What is wrong, and the recall, against a plain comparison of all rows."""
    problems = []
    ids = ", ".join(f"'{i}'" for i in search.ids) or "NULL"
    [line] = session.run(
        f"WITH matching AS MATERIALIZED (SELECT m.id, m.embedding <=> {search.query()} AS distance "
        f"FROM everything AS m WHERE m.workspace_id = '{search.tenant}' AND {search.matching} "
        f"AND (m.embedding IS NULL OR 1 - (m.embedding <=> {search.query()}) >= {-1 if search.least is None else search.least})), "
        f"nearest AS (SELECT distance FROM matching WHERE distance IS NOT NULL ORDER BY distance LIMIT {search.k}) "
        f"SELECT (SELECT count(*) FROM matching), (SELECT count(*) FROM matching WHERE id IN ({ids}) "
        f"AND distance <= (SELECT max(distance) FROM nearest))"
    )
    count, hits = map(int, line.split("|"))
    expected = min(search.k, count)
    if len(search.ids) != expected:
        problems.append(f"{len(search.ids)} rows instead of {expected}")
    if len(set(search.ids)) != len(search.ids):
        problems.append("a row came twice")
    if search.exhausted != (count < search.k):
        problems.append(f"exhausted is {search.exhausted}, with {count} rows for {search.k}")
    recall = hits / expected if expected else 1.0
    if search.words:
        # Words have a part in the order, and take the place of some of the nearest.
        return problems, 1.0
    if search.plan.startswith("exact") and recall < 1:
        problems.append(f"recall of an exact plan is {recall}")
    return problems, recall


def main() -> None:
    rng = random.Random(SEED)
    session = Session(DATABASE)
    started = time.monotonic()
    load(session)
    searches = plan_searches(session, rng)
    print(f"{ROWS} rows loaded in {time.monotonic() - started:.0f} s")
    failures: list[str] = []
    recalls, times = defaultdict(list), defaultdict(list)
    for index, definition in INDEXES.items():
        if index != "hnsw":
            session.run(f"DROP INDEX kepler_data.space_hnsw; CREATE INDEX space_{index} ON {TABLE} {definition}")
            # The method has no part in most of what is decided: some will do.
            searches = searches[: len(searches) // 4]
        before = session.sequential_scans(("kepler.memories", TABLE))
        for search in searches:
            run(session, search)
        scans = session.sequential_scans(("kepler.memories", TABLE)) - before
        used = session.value(f"SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'space_{index}'")
        for search in searches:
            problems, recall = judge(session, search)
            recalls[index, search.family, search.plan].append(recall)
            if recall < 0.8:
                print(f"recall {recall:.2f}: {search.family} {search.scope}, {search.k} rows by {search.plan} in {search.milliseconds:.0f} ms")
            times[index, search.plan].append(search.milliseconds)
            failures += [f"{problem}: {search}" for problem in problems]
        if scans:
            failures.append(f"{scans} sequential scans of memories or embeddings")
        if used == "0":
            failures.append(f"the index by {index} was never used")
    by_index: dict[str, list[float]] = defaultdict(list)
    for (index, family, plan), values in sorted(recalls.items()):
        mean = sum(values) / len(values)
        print(f"{index:7} {family:9} {plan or '(no rows)':17} {len(values):4} searches, recall {mean:.4f}")
        by_index[index] += values if plan.startswith("index") else []
        # A few searches are too few for a mean, and a graph is another one each time it is built: what chance can do to the
        # mean of so many does not count. All searches through an index together must reach it (below).
        chance = 2 * statistics.pstdev(values) / math.sqrt(len(values))
        if mean + chance < 0.95 if len(values) >= ENOUGH else mean < 0.8:
            failures.append(f"{index}: recall of {family} by {plan} is {mean:.4f}")
    for index, values in by_index.items():
        mean = sum(values) / len(values)
        print(f"{index:7} {len(values)} searches through the index, recall {mean:.4f}")
        if mean < 0.95:
            failures.append(f"{index}: the recall through the index is {mean:.4f}")
    for (index, plan), values in sorted(times.items()):
        values.sort()
        print(f"{index:7} {plan or '(no rows)':17} p50 {values[len(values) // 2]:6.1f} ms, most {values[-1]:6.1f} ms")
    # A workspace that is not the session's does not look empty.
    session.run("SET kepler.workspace_id = 'small'")
    session.run(f"SET ROLE {READER}")
    try:
        session.run("SELECT * FROM kepler.search_memories((SELECT embedding FROM queries LIMIT 1), workspace_id => 'large')")
        failures.append("another tenant's workspace could be searched")
    except SessionError as error:
        if "is not the session's" not in str(error):
            failures.append(str(error))
    session.close()
    for failure in failures[:20]:
        print(failure)
    print(f"{len(searches)} searches, {len(failures)} failures, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
