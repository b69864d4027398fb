"""An item is a memory: its value is the metadata, its namespace the path, its key the key. A text of it that is searched
by meaning is the memory's content. A second one is a memory of its own beside it, of the type of TEXT."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import RLock
from typing import Any, LiteralString

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    validate_op_namespace,
)
from langgraph.store.base.batch import AsyncBatchedBaseStore
from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

# Between the key of an item and the number of a text.
MARK = "\x1f"
MOST_ROWS = 10_000

Path = tuple[str, ...]
Place = tuple[Path, str]
Vector = Sequence[float]
Rows = list[dict[str, Any]]
Statement = tuple[LiteralString, Mapping[str, Any]]
Work = Generator[Statement, Rows, None]


def path_of(namespace: Path) -> str:
    """Labels of LangGraph hold no dot, so it says what a label of Kepler cannot hold."""
    return "/".join(label.replace("/", ".s").replace("*", ".a") for label in namespace)


def pattern_of(path: Path) -> str:
    return "/".join(label if label == "*" else path_of((label,)) for label in path)


def namespace_of(path: str) -> Path:
    return tuple(label.replace(".a", "*").replace(".s", "/") for label in path.split("/"))


def conditions_of(given: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A filter of LangGraph, whose keys may contain dots, for Kepler."""
    conditions = []
    for key, value in given.items():
        if not isinstance(value, Mapping) or not value:
            conditions.append({"op": "$eq", "path": [*path, key], "value": value})
        elif all(operator.startswith("$") for operator in value):
            conditions += [{"op": operator, "path": [*path, key], "value": operand} for operator, operand in value.items()]
        else:
            conditions += conditions_of(value, (*path, key))
    return conditions


def item_of(row: Mapping[str, Any]) -> Item:
    times = {"created_at": row["created_at"], "updated_at": row["updated_at"]}
    return Item(value=row["metadata"], key=row["key"], namespace=namespace_of(row["namespace"]), **times)


def found(item: Item, score: float | None) -> SearchItem:
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


def place_of(row: Mapping[str, Any]) -> Place:
    return namespace_of(row["namespace"]), row["key"]


def json_of(places: Iterable[Place]) -> str:
    keys = defaultdict(list)
    for namespace, key in places:
        keys[path_of(namespace)].append(key)
    return json.dumps(keys)


def next_of(work: Work, rows: Rows | None) -> Statement | None:
    try:
        return work.send(rows)  # type: ignore[arg-type]
    except StopIteration:
        return None


# Places come as {"namespace": ["key", …]}. What a store writes belongs to no user.
PLACES = "jsonb_each(%(places)s::jsonb) AS p(namespace, keys)"
KEYS = "keys => ARRAY(SELECT jsonb_array_elements_text(p.keys)), namespace => p.namespace, user_id => NULL"
GET = "SELECT g.* FROM " + PLACES + ", kepler.get_memories(" + KEYS + ", touch => %(touch)s) AS g"
FORGET = "SELECT g.error FROM " + PLACES + ", kepler.forget(" + KEYS + ") AS g WHERE g.error IS NOT NULL"
LIST = """SELECT namespace, key, cursor FROM kepler.list_memories(user_id => NULL, namespace => %(namespace)s, context_types => '{item}',
    filter => %(filter)s, order_by => 'updated_at', max_rows => %(rows)s, after => %(after)s)"""
SEARCH = """SELECT m.namespace, m.key, s.exhausted, CASE WHEN %(words)s::text IS NULL THEN s.similarity ELSE s.score END AS score
    FROM kepler.search_memories(%(embedding)s, %(rows)s, user_id => NULL, query_text => %(words)s, context_types => '{item,item_text}',
        filter => %(filter)s, weights => '{"similarity": 1}', space => %(space)s, namespace => %(namespace)s) AS s
    JOIN kepler.memories AS m ON m.workspace_id = kepler.current_workspace_id() AND m.id = s.memory_id ORDER BY score DESC, m.key"""
NAMESPACES = """SELECT n AS namespace FROM kepler.list_namespaces(prefix => %(prefix)s, suffix => %(suffix)s, max_depth => %(depth)s,
    max_rows => %(rows)s, after => %(after)s, user_id => NULL) AS n"""
REMEMBER = "SELECT error FROM kepler.remember_many(%(memories)s, space => %(space)s) WHERE error IS NOT NULL"
# The ids of the further texts of items.
TEXTS = """FROM jsonb_each(%(places)s::jsonb) AS p(namespace, keys) CROSS JOIN jsonb_array_elements_text(p.keys) AS k(key)
    CROSS JOIN LATERAL (SELECT m.id, m.key FROM kepler.memories AS m
        WHERE m.workspace_id = kepler.current_workspace_id() AND m.user_id IS NULL AND m.namespace = p.namespace
            AND m.key > k.key || chr(31) AND m.key < k.key || ' ' AND m.valid_to IS NULL AND m.context_type = 'item_text'
        OFFSET 0) AS m"""
TOUCH_TEXTS = "SELECT count(*) FROM kepler.get_memories(ARRAY(SELECT m.id " + TEXTS + "), touch => true)"
FORGET_TEXTS = (
    "SELECT count(*) FROM kepler.forget(ARRAY(SELECT m.id "
    + TEXTS
    + " WHERE NOT COALESCE((%(kept)s::jsonb -> p.namespace) ? m.key, false)))"
)


class _Items:
    """What is asked of Kepler for a batch, whatever the connection."""

    supports_ttl = True

    def _configure(self, index: IndexConfig | None, ttl: TTLConfig | None, space: str, hybrid: bool) -> None:
        self.index_config, self.ttl_config = index, ttl
        self.embeddings = ensure_embeddings(index.get("embed")) if index else None
        self._fields = (index and index.get("fields")) or ["$"]
        self._space, self._hybrid = space, hybrid

    def _setup(self) -> Iterator[Statement]:
        yield "CREATE EXTENSION IF NOT EXISTS kepler CASCADE", {}
        yield "SELECT kepler.install()", {}
        if self.index_config:
            created = "SELECT kepler.create_embedding_space(%(space)s, %(dims)s, 'langgraph') WHERE NOT EXISTS (SELECT FROM kepler.embedding_spaces WHERE name = %(space)s)"
            yield created, {"space": self._space, "dims": self.index_config["dims"]}

    def _texts_of(self, op: PutOp) -> list[str]:
        if not self.embeddings or op.value is None or op.index is False:
            return []
        fields = self._fields if op.index is None else op.index
        return [text for field in fields for text in get_text_at_path(op.value, field) if text.strip()]

    def _to_embed(self, ops: Sequence[Op]) -> tuple[list[str], list[str]]:
        """Questions and texts, each once."""
        for op in ops:
            validate_op_namespace(op)
        if not self.embeddings:
            return [], []
        questions = {op.query: None for op in ops if isinstance(op, SearchOp) and op.query}
        texts = {text: None for op in ops if isinstance(op, PutOp) for text in self._texts_of(op)}
        return list(questions), list(texts)

    def _work(self, ops: Sequence[Op], questions: Mapping[str, Vector], texts: Mapping[str, Vector], results: list[Result]) -> Work:
        """As the stores of LangGraph do: what is read was there before the batch, and of two writes of an item the later counts."""
        gets: dict[bool, dict[Place, list[int]]] = defaultdict(lambda: defaultdict(list))
        puts: dict[Place, PutOp] = {}
        for number, op in enumerate(ops):
            if isinstance(op, GetOp):
                gets[op.refresh_ttl][tuple(op.namespace), op.key].append(number)
            elif isinstance(op, PutOp):
                puts[tuple(op.namespace), op.key] = op
        for touch, places in gets.items():
            for place, item in (yield from self._items(places, touch)).items():
                for number in places[place]:
                    results[number] = item
        for number, op in enumerate(ops):
            if isinstance(op, SearchOp):
                results[number] = yield from self._search(op, questions)
            elif isinstance(op, ListNamespacesOp):
                results[number] = yield from self._namespaces(op)
        if puts:
            yield from self._put(puts, texts)

    def _items(self, places: Iterable[Place], touch: bool) -> Generator[Statement, Rows, dict[Place, Item]]:
        left = list(places)
        items: dict[Place, Item] = {}
        while left:
            some, left = left[:MOST_ROWS], left[MOST_ROWS:]
            given = json_of(some)
            rows = yield GET, {"places": given, "touch": touch}
            if touch and any(row["ttl"] for row in rows):
                # The other texts of an item live as long as the item.
                yield TOUCH_TEXTS, {"places": given}
            items.update({(item.namespace, item.key): item for item in map(item_of, rows)})
        return items

    def _search(self, op: SearchOp, questions: Mapping[str, Vector]) -> Generator[Statement, Rows, list[SearchItem]]:
        last = op.offset + op.limit
        given = {
            "namespace": path_of(op.namespace_prefix),
            "filter": json.dumps(conditions_of(op.filter)) if op.filter else None,
        }
        scores: dict[Place, float] = {}
        if last and op.query and op.query in questions:
            words = op.query if self._hybrid else None
            asked = {**given, "space": self._space, "embedding": str(list(questions[op.query])), "words": words}
            wanted = min(last, MOST_ROWS)
            # Of the texts of an item the best comes first.
            while True:
                rows = yield SEARCH, {**asked, "rows": wanted}
                for row in rows:
                    scores.setdefault((namespace_of(row["namespace"]), row["key"].partition(MARK)[0]), row["score"])
                if len(scores) >= last or not rows or rows[0]["exhausted"] or wanted == MOST_ROWS:
                    break
                wanted = min(2 * wanted, MOST_ROWS)
        places = list(scores)
        after: str | None = ""
        # What has no embedding comes behind.
        while len(places) < last and after is not None:
            wanted = min(last + len(scores) - len(places), MOST_ROWS)
            rows = yield LIST, {**given, "rows": wanted, "after": after or None}
            places += [place for place in map(place_of, rows) if place not in scores]
            after = rows[-1]["cursor"] if len(rows) == wanted else None
        page = places[op.offset : last]
        items = yield from self._items(page, op.refresh_ttl)
        return [found(items[place], scores.get(place)) for place in page if place in items]

    def _namespaces(self, op: ListNamespacesOp) -> Generator[Statement, Rows, list[Path]]:
        conditions = op.match_conditions or ()
        paths = {condition.match_type: pattern_of(condition.path) for condition in conditions}
        if len(paths) < len(conditions):
            raise ValueError("one prefix and one suffix are the most that namespaces are listed by")
        given = {"prefix": paths.get("prefix", ""), "suffix": paths.get("suffix", ""), "depth": op.max_depth}
        listed: list[str] = []
        left = op.offset + op.limit
        while left > 0:
            wanted = min(left, MOST_ROWS)
            rows = yield NAMESPACES, {**given, "rows": wanted, "after": listed[-1] if listed else None}
            listed += [row["namespace"] for row in rows]
            left = left - wanted if len(rows) == wanted else 0
        return [namespace_of(path) for path in listed[op.offset :]]

    def _put(self, puts: Mapping[Place, PutOp], texts: Mapping[str, Vector]) -> Work:
        memories, kept = [], []
        for (namespace, key), op in puts.items():
            if MARK in key:
                raise ValueError(f"a key may not hold the character U+001F: {key!r}")
            if op.value is None:
                continue
            value, parts = dict(op.value), self._texts_of(op)
            common: dict[str, Any] = {"namespace": path_of(namespace), "metadata": value, "ttl": op.ttl and op.ttl * 60}
            # JSON has no embedding from when it was a text.
            searched = {"content": "\n".join(parts), "embedding": texts[parts[0]]} if parts else {"content": value}
            memories.append({**common, **searched, "key": key, "context_type": "item"})
            for number, text in enumerate(parts[1:], 1):
                kept.append((namespace, f"{key}{MARK}{number}"))
                beside = {"key": kept[-1][1], "context_type": "item_text", "content": text, "embedding": texts[text]}
                memories.append({**common, **beside})
        if memories:
            rows = yield REMEMBER, {"memories": json.dumps(memories), "space": self._space if texts else None}
            if rows:
                raise ValueError(rows[0]["error"])
        yield FORGET_TEXTS, {"places": json_of(puts), "kept": json_of(kept)}
        if gone := [place for place, op in puts.items() if op.value is None]:
            yield FORGET, {"places": json_of(gone)}


class KeplerStore(_Items, BaseStore):
    """A store over a connection, which its threads take turns with, or a pool."""

    def __init__(
        self,
        conn: Connection[Any] | ConnectionPool[Any],
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        space: str = "langgraph",
        hybrid: bool = False,
    ) -> None:
        self._conn, self._lock = conn, RLock()
        self._configure(index, ttl, space, hybrid)

    @contextmanager
    def _cursor(self) -> Iterator[Cursor[DictRow]]:
        if isinstance(self._conn, ConnectionPool):
            with self._conn.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
                yield cursor
        else:
            with self._lock, self._conn.transaction(), self._conn.cursor(row_factory=dict_row) as cursor:
                yield cursor

    def setup(self) -> None:
        """Creates what is missing: the extension, its tables, and the embedding space."""
        with self._cursor() as cursor:
            for statement in self._setup():
                cursor.execute(*statement)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        questions, texts = self._to_embed(ops)
        asked, embedded = {}, {}
        if self.embeddings:
            asked = {text: self.embeddings.embed_query(text) for text in questions}
            embedded = dict(zip(texts, self.embeddings.embed_documents(texts), strict=True)) if texts else {}
        results: list[Result] = [None] * len(ops)
        work = self._work(ops, asked, embedded, results)
        with self._cursor() as cursor:
            statement = next_of(work, None)
            while statement:
                statement = next_of(work, cursor.execute(*statement).fetchall())
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await asyncio.to_thread(self.batch, ops)


class AsyncKeplerStore(_Items, AsyncBatchedBaseStore):
    """The same for asyncio. Calls that wait at the same time become one batch."""

    def __init__(
        self,
        conn: AsyncConnection[Any] | AsyncConnectionPool[Any],
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        space: str = "langgraph",
        hybrid: bool = False,
    ) -> None:
        super().__init__()
        self._conn, self._lock = conn, asyncio.Lock()
        self._configure(index, ttl, space, hybrid)

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        if isinstance(self._conn, AsyncConnectionPool):
            async with self._conn.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
                yield cursor
        else:
            async with self._lock, self._conn.transaction(), self._conn.cursor(row_factory=dict_row) as cursor:
                yield cursor

    async def setup(self) -> None:
        """Creates what is missing: the extension, its tables, and the embedding space."""
        async with self._cursor() as cursor:
            for statement in self._setup():
                await cursor.execute(*statement)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        questions, texts = self._to_embed(ops)
        asked, embedded = {}, {}
        if self.embeddings:
            asked = {text: await self.embeddings.aembed_query(text) for text in questions}
            embedded = dict(zip(texts, await self.embeddings.aembed_documents(texts), strict=True)) if texts else {}
        results: list[Result] = [None] * len(ops)
        work = self._work(ops, asked, embedded, results)
        async with self._cursor() as cursor:
            statement = next_of(work, None)
            while statement:
                await cursor.execute(*statement)
                statement = next_of(work, await cursor.fetchall())
        return results
