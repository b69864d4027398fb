#!/usr/bin/env python3
"""Measures what searches by words, and by words and vectors together, cost among many short turns: CPU of the session, and pages.

Part of `GROUP=words`, on the server of the run. Two versions are compared by hand, each on a server of its own, and asked in turn,
question by question (benches/README.md).
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import words_data
from embedding import Model
from session import Session, SessionError

DATABASE = "kepler_bench_words"
SEED = 1
ROUNDS = 3
QUESTIONS = int(os.environ.get("QUESTIONS", "100"))
WANTED = 10
ALIKE = "weights => '{{\"similarity\": 1}}', touch => false"
WAYS = {
    "words": f"kepler.search_memories(query_text => {{text}}, max_rows => {WANTED}, {ALIKE})",
    "both": f"kepler.search_memories({{vector}}, {WANTED}, query_text => {{text}}, {ALIKE})",
}
ANY = "replace(plainto_tsquery('english', {text})::text, '&', '|')::tsquery"
BY_HAND = {
    "ts_rank by hand": f"(SELECT m.id FROM kepler.memories AS m WHERE m.workspace_id = 'default' AND m.text_search @@ {ANY}"
    f" ORDER BY ts_rank(m.text_search, {ANY}) DESC, m.id LIMIT {WANTED}) AS f",
}


@dataclass
class Server:
    """One session, and what its searches cost: milliseconds and pages, by kind and way."""

    name: str
    session: Session
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    pages: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Path(f"/proc/{self.session.value('SELECT pg_backend_pid()')}/schedstat")

    def milliseconds(self, statement: str) -> float:
        """CPU time of the session for a statement."""
        before = int(self.clock.read_text().split()[0])
        self.session.run(statement)
        return (int(self.clock.read_text().split()[0]) - before) / 1e6

    def buffers(self, statement: str) -> float:
        plan = self.session.json(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}")[0]["Plan"]
        return float(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def turns(real: list[str], rows: int) -> list[str]:
    """Turns of a dialogue; beyond those that are there, the first half of one with the second half of another."""
    chance = random.Random(SEED)
    made = list(dict.fromkeys(real))[:rows]
    while len(made) < rows:
        one, other = chance.choice(real).split(), chance.choice(real).split()
        made.append(" ".join(one[: (len(one) + 1) // 2] + other[len(other) // 2 :]))
    return made


def kinds(texts: list[str], asked: list[str], is_stop: set[str]) -> dict[str, list[str]]:
    """Questions of rare words, of common words, and as people ask them."""
    chance = random.Random(SEED)
    held: Counter[str] = Counter()
    for text in texts:
        held.update(set(re.findall(r"[a-z]+", text.lower())) - is_stop)
    rare = sorted(word for word, rows in held.items() if 5 <= rows <= 50 and len(word) > 3)
    common = [word for word, _ in held.most_common(60)]
    return {
        "rare words": [" ".join(chance.sample(rare, 3)) for _ in range(QUESTIONS)],
        "common words": [" ".join(chance.sample(common, 6)) for _ in range(QUESTIONS)],
        "sentences": asked[:: max(1, len(asked) // QUESTIONS)][:QUESTIONS],
    }


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def load(session: Session, texts: list[str], model: Model) -> None:
    session.run("CREATE EXTENSION kepler CASCADE")
    session.run("SELECT kepler.install()")
    session.run(f"SELECT kepler.create_embedding_space('bench', {model.dimensions}, 'bench')")
    session.run("CREATE TABLE public.texts (n integer PRIMARY KEY, content text, embedding text)")
    vectors = model.vectors(texts)
    lines = (
        f"{n}\t{' '.join(text.replace(chr(92), ' ').split())}\t[{','.join(f'{x:.6g}' for x in vectors[n])}]"
        for n, text in enumerate(texts)
    )
    session.copy("public.texts", lines)
    session.run("INSERT INTO kepler.memories (id, content) SELECT lpad(n::text, 7, '0'), content FROM public.texts ORDER BY n")
    session.run(
        "INSERT INTO kepler_data.bench_embeddings (memory_id, embedding) SELECT lpad(n::text, 7, '0'), embedding::vector"
        " FROM public.texts ORDER BY n"
    )
    session.run("SET maintenance_work_mem = '1GB'")
    session.run(
        "CREATE INDEX ON kepler_data.bench_embeddings USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 128)"
    )
    session.run("VACUUM (ANALYZE)")


def connect(name: str, texts: list[str], model: Model) -> Server:
    if not os.environ.get("LOADED"):
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        session.close()
        session = Session(DATABASE)
        load(session, texts, model)
        session.close()
    return Server(name, Session(DATABASE))


def share(values: list[float], part: float) -> float:
    return sorted(values)[round(part * (len(values) - 1))]


def measure(folder: Path, rows: int) -> list[list[str]]:
    """A line for each kind of question and way."""
    dialogue = words_data.dialogue(folder)
    texts = turns(dialogue.texts, rows)
    model = Model()
    servers = []
    for named in os.environ.get("SERVERS", "").split() or [""]:
        name, _, socket = named.partition("=")
        if socket:
            os.environ["PGHOST"] = socket
        servers.append(connect(name, texts, model))
    first = servers[0].session
    alphabet = sorted({word for text in texts for word in re.findall(r"[a-z]+", text.lower())})
    array = "ARRAY[" + ",".join(quoted(word) for word in alphabet) + "]"
    is_stop = set(first.run(f"SELECT w FROM unnest({array}) AS w WHERE to_tsvector('english', w) = ''"))
    lines = [["", "way", *(f"{server.name} {what}".strip() for server in servers for what in ("p50", "p95", "pages p50", "p95"))]]
    if len(servers) > 1:
        lines[0] += [f"{servers[-1].name} / {servers[0].name}, p50", "p95"]
    for kind, questions in kinds(texts, [text for text, _ in dialogue.questions], is_stop).items():
        vectors = model.vectors(questions)
        for way, search in (WAYS if len(servers) > 1 else WAYS | BY_HAND).items():
            for server in servers:
                server.times[kind, way], server.pages[kind, way] = [], []
            for at, text in enumerate(questions):
                vector = "'[" + ",".join(f"{x:.6g}" for x in vectors[at]) + "]'"
                statement = f"SELECT count(*) FROM {search.format(text=quoted(text), vector=vector)}"
                times: dict[str, list[float]] = {server.name: [] for server in servers}
                for _ in range(ROUNDS + 1):
                    for server in servers:
                        times[server.name].append(server.milliseconds(statement))
                for server in servers:
                    server.times[kind, way].append(statistics.median(times[server.name][1:]))
                    server.pages[kind, way].append(server.buffers(statement))
            cells = []
            for server in servers:
                cells += [f"{share(server.times[kind, way], part):.2f} ms" for part in (0.5, 0.95)]
                cells += [f"{share(server.pages[kind, way], part):,.0f}" for part in (0.5, 0.95)]
            if len(servers) > 1:
                old, new = servers[0].times[kind, way], servers[-1].times[kind, way]
                cells += [f"{share(new, part) / share(old, part):.2f}" for part in (0.5, 0.95)]
            lines.append([kind, way, *cells])
    for server in servers:
        server.session.close()
    return lines


if __name__ == "__main__":
    try:
        for cells in measure(Path(os.environ["WORDS_DATA"]), int(os.environ.get("ROWS", "100000"))):
            print("| " + " | ".join(cells) + " |", flush=True)
    except SessionError as error:
        sys.exit(f"words_latency: {error}")
