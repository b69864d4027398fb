#!/usr/bin/env python3
"""Measures how well searches by words, by vectors and by both find what answers a question, and how long that takes.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is measured, where the sets of
questions come from, and how they are named to this program, is told in benches/README.md.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import report
import words_data
import words_latency
from sentence_model import KINDS, Kept
from session import Session, SessionError
from words_data import Collection

DATABASE = "kepler_bench"
WANTED = 10
# No constant was chosen on these; of the others, on the questions at even places.
APART = ("CACM",)
# What takes part in reciprocal rank fusion.
POOL = 100
Ranks = list[list[int]]

QUICK = bool(os.environ.get("QUICK"))
KEPLER = {
    "Kepler, vectors": "kepler.search_memories(q.embedding, {n}, weights => '{{\"similarity\": 1}}')",
    "Kepler, words": "kepler.search_memories(query_text => q.content, max_rows => {n}, weights => '{{\"similarity\": 1}}')",
    "Kepler, both": "kepler.search_memories(q.embedding, {n}, query_text => q.content, weights => '{{\"similarity\": 1}}')",
    "Kepler, both, random importance and age": "kepler.search_memories(q.embedding, {n}, query_text => q.content)",
    "Kepler, both, ranks with k 60": "kepler.search_memories(q.embedding, {n}, query_text => q.content, weights => '{{\"similarity\": 1}}',"
    " fusion => '{{\"vector\": 1, \"text\": 1, \"k\": 60}}')",
}
ANY = "replace(plainto_tsquery('english', q.content)::text, '&', '|')::tsquery"
NEAREST = (
    "(SELECT e.memory_id FROM kepler_data.bench_embeddings AS e WHERE e.workspace_id = 'default'"
    " ORDER BY e.embedding <=> q.embedding LIMIT {n})"
)
BY_WORDS = (
    "(SELECT m.id AS memory_id FROM kepler.memories AS m WHERE m.workspace_id = 'default' AND m.text_search @@ " + ANY
    + " ORDER BY ts_rank(m.text_search, " + ANY + ") DESC, m.id LIMIT {n})"
)  # fmt: skip
# The last one is how both are mostly written: the first fifty of each list, by their ranks.
BY_HAND = {
    "cosine by hand": NEAREST,
    "ts_rank by hand": BY_WORDS,
    "both by hand": "(SELECT memory_id FROM (SELECT memory_id, row_number() OVER () AS place FROM "
    + NEAREST.replace("{n}", "50") + " AS v UNION ALL SELECT memory_id, row_number() OVER () FROM " + BY_WORDS.replace("{n}", "50")
    + " AS w) AS r GROUP BY memory_id ORDER BY sum(1.0 / (60 + place)) DESC, memory_id LIMIT {n})",
}  # fmt: skip


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", " ").replace("\n", " ").replace("\r", " ")


def vector(numbers: np.ndarray) -> str:
    return "[" + ",".join(f"{number:.6g}" for number in numbers) + "]"


def database(dimensions: int) -> Session:
    session = Session("postgres")
    session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
    session.close()
    session = Session(DATABASE)
    session.run("CREATE EXTENSION kepler CASCADE")
    session.run("SELECT kepler.install()")
    session.run(f"SELECT kepler.create_embedding_space('bench', {dimensions}, 'bench')")
    session.run("CREATE TABLE public.texts (n integer PRIMARY KEY, content text, embedding text)")
    session.run(f"CREATE TABLE public.questions (n integer PRIMARY KEY, content text, embedding vector({dimensions}))")
    return session


def load(session: Session, texts: list[str], vectors: np.ndarray, questions: list[str], asked: np.ndarray) -> None:
    session.copy("public.texts", (f"{n}\t{escaped(text)}\t{vector(vectors[n])}" for n, text in enumerate(texts)))
    session.copy("public.questions", (f"{n}\t{escaped(text)}\t{vector(asked[n])}" for n, text in enumerate(questions)))
    session.run("SELECT setseed(0.5)")
    session.run(
        "INSERT INTO kepler.memories (id, content, relevance_score, valid_from)"
        " SELECT lpad(n::text, 7, '0'), content, random(), now() - random() * interval '1 year' FROM public.texts ORDER BY n"
    )
    session.run(
        "INSERT INTO kepler_data.bench_embeddings (memory_id, embedding) SELECT lpad(n::text, 7, '0'), embedding::vector"
        " FROM public.texts ORDER BY n"
    )
    session.run("VACUUM (ANALYZE)")


def ranks(session: Session, search: str, count: int, wanted: int) -> tuple[Ranks, float]:
    """What a search finds for each question, and the session's CPU time of one, in milliseconds."""
    clock = Path(f"/proc/{session.value('SELECT pg_backend_pid()')}/schedstat")
    before = int(clock.read_text().split()[0])
    lines = session.run(
        f"SELECT q.n, s.memory_id FROM public.questions AS q CROSS JOIN LATERAL (SELECT row_number() OVER () AS place, memory_id"
        f" FROM {search.format(n=wanted)} AS f) AS s ORDER BY q.n, s.place"
    )
    found: Ranks = [[] for _ in range(count)]
    for line in lines:
        question, text = line.split("|")
        found[int(question)].append(int(text))
    return found, (int(clock.read_text().split()[0]) - before) / 1e6 / count


def bm25(session: Session, count: int, language: str) -> Ranks:
    """The words that Postgres makes of the texts, in their language, ranked with k1 1.2 and b 0.75."""
    postings: dict[str, dict[int, int]] = defaultdict(dict)
    lengths: dict[int, int] = defaultdict(int)
    made = "to_tsvector('english', content)" if language == "english" else f"kepler.text_words(content, '{language}')"
    words = f"SELECT n, w.lexeme, cardinality(w.positions) FROM public.{{table}}, unnest({made}) AS w"
    for line in session.run(words.format(table="texts")):
        text, rest = line.split("|", 1)
        word, times = rest.rsplit("|", 1)
        postings[word][int(text)] = int(times)
        lengths[int(text)] += int(times)
    rows = int(session.value("SELECT count(*) FROM public.texts"))
    average = sum(lengths.values()) / rows
    scores: list[dict[int, float]] = [defaultdict(float) for _ in range(count)]
    for line in session.run(words.format(table="questions")):
        question, rest = line.split("|", 1)
        word, asked = rest.rsplit("|", 1)
        held = postings.get(word, {})
        rarity = math.log(1 + (rows - len(held) + 0.5) / (len(held) + 0.5))
        for text, times in held.items():
            slow = 1.2 * (0.25 + 0.75 * lengths[text] / average)
            scores[int(question)][text] += rarity * int(asked) * times * 2.2 / (times + slow)
    return [sorted(found, key=lambda text: (-found[text], text))[:POOL] for found in scores]


def fused(one: Ranks, other: Ranks) -> Ranks:
    """Reciprocal rank fusion with the usual k."""
    result = []
    for lists in zip(one, other, strict=True):
        scores: dict[int, float] = defaultdict(float)
        for found in lists:
            for place, text in enumerate(found[:POOL], 1):
                scores[text] += 1 / (60 + place)
        result.append(sorted(scores, key=lambda text: (-scores[text], text)))
    return result


def quality(found: Ranks, collection: Collection, places: range) -> tuple[float, float]:
    """Recall and nDCG of the first ten."""
    recalls, gains = [], []
    for at in places:
        right = collection.questions[at][1]
        hits = [text in right for text in found[at][:WANTED]]
        gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
        gains.append(gain / sum(1 / math.log2(place + 2) for place in range(min(WANTED, len(right)))))
        recalls.append(sum(hits) / len(right))
    return statistics.mean(recalls), statistics.mean(gains)


def measure(collection: Collection, model: Kept) -> tuple[dict[str, list[tuple[float, float]]], dict[str, float]]:
    """Of each way: recall and nDCG on the half that constants were chosen on, and on the other; and CPU of searches in SQL."""
    questions = [text for text, _ in collection.questions]
    vectors, asked = model.vectors(collection.texts), model.vectors(questions, asked=True)
    session = database(vectors.shape[1])
    if collection.language != "english":
        session.run(f"SELECT kepler.set_language('{collection.language}')")
    load(session, collection.texts, vectors, questions, asked)
    found = {"exact cosine": np.argsort(-(asked @ vectors.T), axis=1, kind="stable")[:, :POOL].tolist()}
    found["BM25"] = bm25(session, len(questions), collection.language)
    found["BM25 and cosine, reciprocal ranks, k 60"] = fused(found["exact cosine"], found["BM25"])
    costs = {}
    for label, search in {**BY_HAND, **KEPLER}.items():
        found[label], costs[label] = ranks(session, search, len(questions), WANTED)
    session.close()
    halves = [range(half, len(questions), 2) for half in (0, 1)]
    return {label: [quality(each, collection, half) for half in halves] for label, each in found.items()}, costs


def quality_tables(model: str, figures: dict[str, dict[str, list[tuple[float, float]]]]) -> list[str]:
    text = []
    for half, title in enumerate(("questions that constants were chosen on", "questions that they were not chosen on")):
        names = [name for name in figures if half == 1 or name not in APART]
        lines = [["recall@10 / nDCG@10", *names]]
        for label in next(iter(figures.values())):
            cells = []
            for name in names:
                recall, gain = figures[name][label][half]
                cells.append(f"{recall:.3f} / {gain:.3f}")
            lines.append([label, *cells])
        text += ["", f"{model}: {title}", *report.table(lines)]
    return text


def main() -> None:
    folder = Path(os.environ.get("WORDS_DATA", ""))
    collections, missing = words_data.load(folder) if os.environ.get("WORDS_DATA") else ([], ["WORDS_DATA is not set"])
    if missing:
        say(f"SKIPPED: {', '.join(missing)}. benches/README.md tells where the sets are.")
    if not collections:
        return
    started = time.monotonic()
    text: list[str] = []
    drawn: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name in os.environ.get("MODELS", "wordllama").split():
        model = Kept(KINDS[name], folder / "vectors")
        figures = {}
        for collection in collections:
            # The other two know English alone.
            if name == "E5" or collection.language == "english":
                figures[collection.name], costs = measure(collection, model)
                places = {label: [*figures[collection.name][label][1], cost] for label, cost in costs.items()}
                drawn.setdefault(name, {})[collection.name] = places
                say(f"{name}, {collection.name}: {time.monotonic() - started:.0f} s")
        text += quality_tables(name, figures)
    if any(collection.name == "dialogue" for collection in collections):
        rows = 20_000 if QUICK else int(os.environ["ROWS"]) // 2
        text += ["", f"CPU of searches among {rows:,} turns, and pages", *report.table(words_latency.measure(folder, rows))]
    # For tools/plot_words.py: recall, nDCG and milliseconds.
    file = Path(os.environ["KEPLER_BUILD"]) / "bench" / "words.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(drawn, indent=1))
    print("\n".join(text))


if __name__ == "__main__":
    try:
        main()
    except SessionError as error:
        sys.exit(f"words: {error}")
