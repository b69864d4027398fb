#!/usr/bin/env python3
"""Measures searches for memories beside pgvector used by hand, and how well they find what people look for.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is measured, and
how, is told in benches/README.md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import memory_data
import numpy as np
import report
from embedding import Model
from memory_data import Corpus, Questions, Vectors
from session import Session, SessionError

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent / "memory"
# Users, and their share of the rows; the rest belongs to somebody else. "*" is everybody.
SCOPES = {"*": 1.0, "tenth": 0.1, "hundredth": 0.01, "thousandth": 0.001}
WANTED = 10
# A distance that differs by less is the same: sums of floats depend on their order.
SAME = 1e-6
BATCHES = (1, 100, 1000)
# As index_advice has it.
HNSW = "WITH (ef_construction = 128)"


@dataclass(frozen=True)
class Way:
    """A search. `statement` gives an array of ids for $1, the query, and $2, the user."""

    label: str
    statement: str
    settings: str = "SELECT 1"
    is_kepler: bool = False


ITEMS = "SELECT id FROM bench.items {where} ORDER BY embedding <=> $1 LIMIT 10"
RELAXED = f"""WITH nearest AS MATERIALIZED (
    SELECT id, embedding <=> $1 AS distance FROM bench.items {{where}} ORDER BY distance LIMIT {WANTED})
    SELECT id FROM nearest ORDER BY distance + 0"""
OVER_FETCH = f"""SELECT id FROM (
    SELECT id, user_id, metadata FROM bench.items ORDER BY embedding <=> $1 LIMIT {10 * WANTED}) AS nearest {{where}} LIMIT {WANTED}"""

EF = (40, 100, 150, 200, 300)
PEERS = [
    *(Way(f"pgvector, plain, ef_search {ef}", ITEMS, f"SET hnsw.ef_search = {ef}") for ef in EF),
    *(
        Way(f"pgvector, strict iterative, {ef}", ITEMS, f"SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = {ef}")
        for ef in EF
    ),
    *(
        Way(f"pgvector, relaxed iterative, {ef}", RELAXED, f"SET hnsw.iterative_scan = relaxed_order; SET hnsw.ef_search = {ef}")
        for ef in EF
    ),
    Way("pgvector, 100 fetched, then filtered", OVER_FETCH, "SET hnsw.ef_search = 100"),
]
# Only similarity counts, as it does for the others.
SIMILARITY = """weights => '{{"similarity": 1}}'"""
SEARCH = f"SELECT {{columns}} FROM kepler.search_memories($1, {WANTED}, {{scope}}, {SIMILARITY})"
KEPLER = Way("Kepler", SEARCH, is_kepler=True)
# Where the setting has a value of one's own, it counts.
TUNED = Way("Kepler, ef_search 40", SEARCH, "SET hnsw.ef_search = 40", is_kepler=True)
OURS = [KEPLER, TUNED]
# Ways whose recall differs by less find the same.
SAME_RECALL = 0.005
MOST_OVERHEAD = 1.15


@dataclass(frozen=True)
class Scoping:
    """How a search names the rows that count, which $2 is a part of."""

    by: str
    where: str
    kepler: str


BY_USER = Scoping("user", "WHERE user_id = $2", "user_id => $2")
BY_METADATA = Scoping(
    "metadata",
    "WHERE metadata @> jsonb_build_object('part', $2)",
    "filter => CASE WHEN $2 <> '*' THEN jsonb_build_object('part', $2) END",
)
# Where everybody's rows count, $2 has to be named all the same.
EVERYBODY = "WHERE $2 IS NOT NULL"


@dataclass
class Measure:
    p50: float
    p95: float
    recall: float
    rows: float
    short: int


class Bench:
    """One run."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.quick = bool(os.environ.get("QUICK"))
        self.rows = int(os.environ["ROWS"]) // 2
        self.queries = 30 if self.quick else 100

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def make_database(self) -> Session:
        """A fresh one: the tables of an earlier part would share its memory."""
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "schema.sql")
        session.run("SET maintenance_work_mem = '4GB'")
        session.run("SET max_parallel_maintenance_workers = 2")
        users = ", ".join(f"('{user}', '{user}@example.com')" for user in [*SCOPES, "rest"] if user != "*")
        session.run(f"INSERT INTO kepler.users (id, email) VALUES {users}")
        return session

    def load(self, session: Session, corpus: Corpus) -> list[str]:
        """Into bench.loaded, bench.queries and bench.texts; gives the user of each row."""
        dimensions = corpus.vectors.shape[1]
        session.run(f"CALL bench.make_loading({dimensions})")
        for table, vectors in (("loaded", corpus.vectors), ("queries", corpus.queries)):
            with tempfile.NamedTemporaryFile(suffix=".copy") as file:
                memory_data.copied(Path(file.name), vectors)
                session.run(f"\\copy bench.{table} FROM '{file.name}' WITH (FORMAT binary)")
        chance = np.random.default_rng(memory_data.SEED)
        draws = chance.random(len(corpus.vectors))
        users = ["rest"] * len(draws)
        lower = 0.0
        for user, share in SCOPES.items():
            if user != "*":
                for at in np.flatnonzero((draws >= lower) & (draws < lower + share)):
                    users[at] = user
                lower += share
        texts = corpus.texts or [f"item {n}" for n in range(len(draws))]
        session.copy(
            "bench.texts", (f"{n}\t{user}\t{escaped(text)}" for n, (user, text) in enumerate(zip(users, texts, strict=True)))
        )
        return users

    def fill_items(self, session: Session, dimensions: int) -> None:
        session.run(f"CALL bench.make_items({dimensions})")
        session.run("CREATE INDEX items_metadata_idx ON bench.items USING gin (metadata jsonb_path_ops)")
        session.run(
            "INSERT INTO bench.items (id, user_id, content, metadata, embedding) SELECT t.n, t.user_id, t.content,"
            " jsonb_build_object('part', t.user_id), l.embedding"
            " FROM bench.texts AS t JOIN bench.loaded AS l USING (n) ORDER BY t.n"
        )
        session.run(f"CREATE INDEX items_embedding_idx ON bench.items USING hnsw (embedding vector_cosine_ops) {HNSW}")
        session.run("VACUUM (ANALYZE) bench.items")

    def fill_kepler(self, session: Session, dimensions: int) -> None:
        session.run(f"SELECT kepler.create_embedding_space('bench', {dimensions}, 'bench')")
        session.run(
            "INSERT INTO kepler.memories (id, user_id, content, metadata) SELECT t.n, t.user_id, t.content,"
            " jsonb_build_object('part', t.user_id) FROM bench.texts AS t ORDER BY t.n"
        )
        session.run(
            "INSERT INTO kepler_data.bench_embeddings (memory_id, embedding) SELECT l.n, l.embedding"
            " FROM bench.loaded AS l ORDER BY l.n"
        )
        session.run(f"CREATE INDEX ON kepler_data.bench_embeddings USING hnsw (embedding vector_cosine_ops) {HNSW}")
        session.run("VACUUM (ANALYZE) kepler.memories, kepler_data.bench_embeddings")

    def searches(self, corpus: Corpus, scopings: tuple[Scoping, ...] = (BY_USER,)) -> list[str]:
        """Latency, recall and rows of each way in each scope."""
        dimensions = corpus.vectors.shape[1]
        self.say(f"{corpus.name}: {len(corpus.vectors):,} rows")
        measures: dict[tuple[Scoping, Way, str], Measure] = {}
        plans: dict[tuple[Scoping, Way, str], str] = {}
        truth: dict[str, Vectors] = {}
        for ways, fill in ((PEERS, self.fill_items), (OURS, self.fill_kepler)):
            # One after the other, each with the memory of the server to itself.
            session = self.make_database()
            users = np.array(self.load(session, corpus))
            fill(session, dimensions)
            session.run("CHECKPOINT")
            truth = truth or {scope: exact(corpus, users, scope) for scope in SCOPES}
            for scoping in scopings:
                for way in ways:
                    for scope in SCOPES:
                        statement = self.run_way(session, way, scoping, scope)
                        measures[scoping, way, scope] = measured(session, way, scope, corpus, truth[scope], users)
                        if way.is_kepler:
                            plans[scoping, way, scope] = self.plans(session, statement, scope)
                    self.say(f"{way.label}, by {scoping.by}")
            session.close()
        title = f"{corpus.name}: {len(corpus.vectors):,} rows, {len(corpus.queries)} queries, {WANTED} wanted"
        text = ["", title, "-" * len(title)]
        for scoping in scopings:
            for scope, share in SCOPES.items():
                lines = [["", "p50", "p95", "recall", "rows", "queries short", ""]]
                for way in (*PEERS, *OURS):
                    measure = measures[scoping, way, scope]
                    target = ""
                    if way.is_kepler:
                        full, good = report.mark(measure.short == 0), report.mark(measure.recall >= 0.95)
                        target = f"never short {full} recall >= 0.95 {good} {plans[scoping, way, scope]}"
                        raw = [measures[scoping, peer, scope] for peer in PEERS]
                        raw = [peer for peer in raw if peer.recall >= measure.recall - SAME_RECALL]
                        if raw:
                            ratio = measure.p50 / min(peer.p50 for peer in raw)
                            target += f"; {ratio:.2f} of the best raw query with its recall {report.mark(ratio <= MOST_OVERHEAD)}"
                        else:
                            target += "; no raw query has its recall"
                    lines.append([
                        way.label, f"{measure.p50:.2f} ms", f"{measure.p95:.2f} ms", f"{measure.recall:.3f}",
                        f"{measure.rows:.1f}", f"{measure.short}", target,
                    ])  # fmt: skip
                text += ["", f"{100 * share:g} % of the rows, by {scoping.by}", *report.table(lines)]
        return text

    def run_way(self, session: Session, way: Way, scoping: Scoping, scope: str) -> str:
        """Puts what a way finds into bench.answers; gives its statement for Kepler's plans."""
        session.run("RESET ALL")
        session.run(way.settings)
        session.run("DELETE FROM bench.answers")
        if way.is_kepler:
            statement = way.statement.format(columns="memory_id", scope=scoping.kepler)
        else:
            statement = way.statement.format(where=EVERYBODY if scope == "*" else scoping.where)
        session.run(f"CALL bench.search({quoted(way.label)}, '{scope}', {quoted(f'SELECT array({statement})')}, true)")
        return way.statement.format(columns="plan", scope=scoping.kepler) if way.is_kepler else ""

    def plans(self, session: Session, statement: str, scope: str) -> str:
        """How often Kepler has chosen which way."""
        called = statement.replace("$1", "q.embedding").replace("$2", f"'{scope}'::text")
        return ", ".join(session.run(
            f"SELECT s.plan || ' ' || count(*) FROM bench.queries AS q, LATERAL ({called} LIMIT 1) AS s GROUP BY s.plan ORDER BY 1"
        ))  # fmt: skip

    def touches(self, corpus: Corpus) -> list[str]:
        """WAL of noting that a row was found, a checkpoint long ago."""
        session = self.make_database()
        dimensions = corpus.vectors.shape[1]
        self.load(session, corpus)
        self.fill_items(session, dimensions)
        session.run("CALL bench.make_items_alike()")
        session.run("VACUUM (ANALYZE) bench.items")
        self.fill_kepler(session, dimensions)
        self.say("WAL of touches")
        search = (
            f"SELECT count(*) FROM bench.queries AS q, LATERAL kepler.search_memories(q.embedding, {WANTED},"
            " weights => bench.similarity(), touch => {touch}) AS s"
        )
        update = (
            "WITH found AS MATERIALIZED (SELECT DISTINCT s.memory_id FROM bench.queries AS q, LATERAL"
            f" kepler.search_memories(q.embedding, {WANTED}, weights => bench.similarity()) AS s)"
            " UPDATE bench.items AS i SET last_accessed_at = clock_timestamp(), hits = hits + 1"
            " FROM found WHERE i.id = found.memory_id"
        )
        rows = int(session.value(
            search.format(touch="false").replace("count(*)", "count(DISTINCT s.memory_id)")
        ))  # fmt: skip
        lines = [["", "WAL a row", ""]]
        # The first change of a page after a checkpoint is logged as a whole page: those come before.
        session.run(update)
        for label, statement in (
            ("columns on the row, with its indexes", update),
            ("the same again", update),
            ("Kepler, found for the first time", search.format(touch="true")),
            ("Kepler, found again", search.format(touch="true")),
        ):
            if label == "Kepler, found again":
                # A row is noted once a minute.
                session.run("UPDATE kepler.memory_access SET last_accessed_at = last_accessed_at - interval '1 hour'")
            before = session.value("SELECT pg_current_wal_insert_lsn()")
            session.run(statement)
            wal = int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'::pg_lsn"))
            lines.append([label, f"{wal / rows:,.0f} B", ""])
        noted = int(session.value("SELECT count(*) FROM kepler.memory_access"))
        if noted < rows:
            lines.append([f"(of {rows} rows found only {noted} were noted)", "", ""])
        session.close()
        title = f"WAL of noting that a row was found: {rows:,} rows of {dimensions} dimensions"
        return ["", title, "-" * len(title), *report.table(lines)]

    def remembering(self, corpus: Corpus) -> list[str]:
        """remember_many against a plain INSERT, from the same JSON."""
        count = 1_000 if self.quick else 10_000
        dimensions = corpus.vectors.shape[1]
        plain = (
            "INSERT INTO bench.items (id, user_id, content, metadata, embedding) SELECT kepler.cuid(), r.user_id,"
            " r.content, r.metadata, r.embedding::text::vector FROM jsonb_to_recordset(body::jsonb)"
            " AS r (user_id text, content text, metadata jsonb, embedding jsonb)"
        )
        kepler = "PERFORM count(*) FROM kepler.remember_many(body)"
        ways = [
            ("INSERT, key and user indexed", plain, False),
            ("INSERT, and words and metadata indexed", plain, True),
            ("Kepler, remember_many", kepler, False),
        ]
        lines = [["", "batch", "vectors indexed", "rows/s", "WAL a row", ""]]
        for indexed in (False, True):
            for size in BATCHES:
                for label, statement, alike in ways:
                    # One at a time takes long, and says as much with fewer.
                    rows = count // 10 if size == 1 else count
                    session = self.make_database()
                    session.run(f"CALL bench.make_items({dimensions})")
                    if alike:
                        session.run("CALL bench.make_items_alike()")
                    session.run(f"SELECT kepler.create_embedding_space('bench', {dimensions}, 'bench')")
                    if indexed:
                        session.run(f"CREATE INDEX ON bench.items USING hnsw (embedding vector_cosine_ops) {HNSW}")
                        session.run(f"CREATE INDEX ON kepler_data.bench_embeddings USING hnsw (embedding vector_cosine_ops) {HNSW}")
                    session.run("CREATE UNLOGGED TABLE bench.batches (n integer, body text)")
                    session.copy("bench.batches", self.batches(corpus, rows, size))
                    session.run("CHECKPOINT")
                    before = session.value("SELECT pg_current_wal_insert_lsn()")
                    begun = time.monotonic()
                    # A transaction a batch.
                    session.run(
                        "DO $$ DECLARE body text; BEGIN FOR body IN SELECT b.body FROM bench.batches AS b ORDER BY b.n LOOP"
                        f" {statement}; COMMIT; END LOOP; END $$"
                    )
                    seconds = time.monotonic() - begun
                    wal = int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'::pg_lsn"))
                    table = "kepler.memories" if statement is kepler else "bench.items"
                    if int(session.value(f"SELECT count(*) FROM {table}")) != rows:
                        raise SessionError(f"{label}: not all rows are there")
                    session.close()
                    lines.append([label, f"{size:,}", "yes" if indexed else "no", f"{rows / seconds:,.0f}", f"{wal / rows:,.0f} B", ""])
                self.say(f"remembering in batches of {size:,}{', vectors indexed' if indexed else ''}")
        title = f"Remembering: {count:,} rows of {dimensions} dimensions from JSON, a transaction a batch"
        return ["", title, "-" * len(title), *report.table(lines)]

    def batches(self, corpus: Corpus, rows: int, size: int) -> list[str]:
        texts = corpus.texts or [f"item {n} of many, with some words more" for n in range(rows)]
        elements = [
            json.dumps({
                "user_id": "rest", "content": texts[n], "metadata": {"n": n, "topic": f"topic {n % 50}"},
                "embedding": [round(float(x), 6) for x in corpus.vectors[n]],
            })
            for n in range(rows)
        ]  # fmt: skip
        return [
            f"{first}\t{escaped('[' + ','.join(elements[first : first + size]) + ']')}" for first in range(0, rows, size)
        ]

    def retrieval(self, model: Model, questions: Questions) -> list[str]:
        """Whether what answers a question is found."""
        session = self.make_database()
        corpus = Corpus("", model.vectors(questions.documents), model.vectors(questions.questions), questions.documents)
        self.load(session, corpus)
        self.fill_items(session, model.dimensions)
        session.run("CALL bench.make_items_alike()")
        self.fill_kepler(session, model.dimensions)
        session.run("CREATE TABLE bench.asked (n integer, question text)")
        session.copy("bench.asked", (f"{n}\t{escaped(text)}" for n, text in enumerate(questions.questions)))
        nearest = "row_number() OVER (ORDER BY i.embedding <=> q.embedding) AS rank FROM bench.items AS i ORDER BY i.embedding <=> q.embedding"
        # Any of the words, as a search engine does: all of them is what hardly any document has.
        words = "(SELECT string_agg(quote_literal(l), ' | ')::tsquery FROM unnest(tsvector_to_array(to_tsvector('english', a.question))) AS l)"
        ranked = f"SELECT i.id, row_number() OVER (ORDER BY ts_rank_cd(i.text_search, {words}) DESC) AS rank FROM bench.items AS i WHERE i.text_search @@ {words} ORDER BY rank"
        only = """'{"similarity": 1}'"""
        search = "SELECT memory_id FROM kepler.search_memories({embedding}, 10{words}{weights})"
        ways = {
            "pgvector, exact": "SELECT i.id FROM bench.items AS i ORDER BY (i.embedding <=> q.embedding) + 0 LIMIT 10",
            "ts_rank_cd, any word": f"SELECT id FROM ({ranked} LIMIT 10) AS r ORDER BY rank",
            "both of these, reciprocal ranks": (
                f"SELECT id FROM ((SELECT i.id, {nearest} LIMIT 40) UNION ALL ({ranked} LIMIT 40)) AS u"
                " GROUP BY id ORDER BY sum(1 / (60.0 + rank)) DESC LIMIT 10"
            ),
            "Kepler, vector only": search.format(embedding="q.embedding", words="", weights=f", weights => {only}"),
            "Kepler, text only": search.format(embedding="NULL", words=", query_text => a.question", weights=f", weights => {only}"),
            "Kepler, hybrid": search.format(embedding="q.embedding", words=", query_text => a.question", weights=f", weights => {only}"),
            "Kepler, hybrid with score": search.format(embedding="q.embedding", words=", query_text => a.question", weights=""),
        }
        lines = [["", "recall@5", "recall@10", "nDCG@10", "rows", ""]]
        for label, statement in ways.items():
            found: dict[int, list[int]] = {}
            for line in session.run(
                f"SELECT a.n, array_to_string(array({statement}), ' ') FROM bench.asked AS a JOIN bench.queries AS q USING (n) ORDER BY a.n"
            ):
                n, ids = line.split("|")
                found[int(n)] = [int(item) for item in ids.split()]
            figures = [quality(found[n], wanted) for n, wanted in questions.answers.items()]
            rows = statistics.mean(len(ids) for ids in found.values())
            lines.append([label, *(f"{statistics.mean(column):.3f}" for column in zip(*figures)), f"{rows:.1f}", ""])
        session.close()
        self.say("retrieval")
        title = f"Finding what answers a question: {len(questions.documents):,} documents, {len(questions.answers)} questions"
        return ["", title, "-" * len(title), *report.table(lines)]

    def run(self) -> None:
        session = self.make_database()
        version, kepler = session.value("SHOW server_version"), session.value("SELECT kepler.version()")
        pgvector = session.value("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        text = [
            "Kepler, memory", "==============", f"Postgres {version}, Kepler {kepler}, pgvector {pgvector}", *report.machine(session),
            "HNSW with m = 16 and ef_construction = 128, as index_advice has it, for all. Recall is of the nearest ten, against an exact search outside the server.",
            "Kepler's rows come with content and score, those of pgvector are ids alone.",
        ]  # fmt: skip
        session.close()
        model = Model()
        small = memory_data.mixture(self.rows, 384, self.queries)
        sections: list[Callable[[], list[str]]] = [lambda: self.searches(small)]
        sections.append(lambda: self.searches(memory_data.mixture(self.rows, 1536, self.queries)))
        if texts := memory_data.wordnet(self.say):
            definitions, examples = texts
            definitions = spread(definitions, self.rows)
            corpus = Corpus(
                f"WordNet by wordllama, {model.dimensions} dimensions", model.vectors(definitions),
                model.vectors(spread(examples, self.queries)), definitions,
            )  # fmt: skip
            sections.append(lambda: self.searches(corpus, (BY_USER, BY_METADATA)))
            sections.append(lambda: estimates(session_of(self), model, definitions, "definitions of WordNet"))
        if questions := memory_data.cranfield(self.say):
            sections.append(lambda: self.retrieval(model, questions))
            sections.append(lambda: estimates(session_of(self), model, questions.documents, "abstracts of Cranfield"))
        part = Corpus("", small.vectors[:20_000], small.queries)
        sections.append(lambda: self.touches(part))
        sections.append(lambda: self.remembering(part))
        print("\n".join(text))
        for section in sections:
            lines = section()
            # At once: what comes later may fail, and takes long.
            print("\n".join(lines), flush=True)
            text += lines
        major = version.split(".", maxsplit=1)[0]
        print(f"kept in {report.save(chr(10).join(text) + chr(10), major, 'memory')}", file=sys.stderr)


def session_of(bench: Bench) -> Session:
    return bench.make_database()


def estimates(session: Session, model: Model, texts: list[str], what: str) -> list[str]:
    """estimate_tokens against the tokenizer of Llama 2."""
    texts = spread(texts, 1_000)
    session.run("CREATE TABLE bench.estimated (n integer, content text)")
    session.copy("bench.estimated", (f"{n}\t{escaped(text)}" for n, text in enumerate(texts)))
    guessed = [int(line) for line in session.run("SELECT kepler.estimate_tokens(content) FROM bench.estimated ORDER BY n")]
    session.close()
    ratios = sorted(guess / len(ids) for guess, ids in zip(guessed, model.tokenised(texts), strict=True) if ids)
    at = [ratios[int(share * (len(ratios) - 1))] for share in (0.05, 0.5, 0.95)]
    return ["", f"estimate_tokens / tokens of Llama 2, {what}: p5 {at[0]:.2f}, p50 {at[1]:.2f}, p95 {at[2]:.2f}"]


def spread(texts: list[str], count: int) -> list[str]:
    """So many of them, from everywhere."""
    if len(texts) <= count:
        return texts
    return [texts[at * len(texts) // count] for at in range(count)]


def escaped(text: str) -> str:
    """For COPY."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def exact(corpus: Corpus, users: Vectors, scope: str) -> Vectors:
    """The similarity of the last of the nearest, for each query."""
    rows = corpus.vectors if scope == "*" else corpus.vectors[users == scope]
    similarities = corpus.queries @ rows.T
    place = max(similarities.shape[1] - WANTED, 0)
    return np.partition(similarities, place, axis=1)[:, place]


def measured(session: Session, way: Way, scope: str, corpus: Corpus, truth: Vectors, users: Vectors) -> Measure:
    times, recalls, rows, short = [], [], [], 0
    there = len(users) if scope == "*" else int((users == scope).sum())
    expected = min(WANTED, there)
    for line in session.run(
        f"SELECT query, ms, array_to_string(ids, ' ') FROM bench.answers WHERE way = {quoted(way.label)} AND scope = '{scope}' ORDER BY query"
    ):
        query, ms, ids = line.split("|")
        found = [int(item) for item in ids.split()]
        if scope != "*" and any(users[at] != scope for at in found):
            raise SessionError(f"{way.label}: found rows of others")
        similarities = corpus.vectors[found] @ corpus.queries[int(query)]
        times.append(float(ms))
        recalls.append(float((similarities >= truth[int(query)] - SAME).sum()) / expected)
        rows.append(len(found))
        short += len(found) < expected
    times.sort()
    p95 = times[int(0.95 * (len(times) - 1))]
    return Measure(statistics.median(times), p95, statistics.mean(recalls), statistics.mean(rows), short)


def quality(found: list[int], wanted: set[int]) -> tuple[float, float, float]:
    """Recall at 5 and at 10, and nDCG at 10 (Järvelin and Kekäläinen, 2002) with judgements of yes and no."""
    gain = sum(1 / np.log2(at + 2) for at, item in enumerate(found[:10]) if item in wanted)
    ideal = sum(1 / np.log2(at + 2) for at in range(min(10, len(wanted))))
    return len(wanted & set(found[:5])) / len(wanted), len(wanted & set(found[:10])) / len(wanted), float(gain / ideal)


def main() -> int:
    try:
        Bench().run()
    except (SessionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
