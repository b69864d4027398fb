"""What LangGraph's tests leave out: names that Kepler writes otherwise, texts that an item has no more, words, and other writers."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from kepler_langgraph import KeplerStore
from langgraph.store.base import PutOp, SearchOp
from tests.conftest import InMemoryStore
from tests.embed_test_utils import CharacterEmbeddings

INDEX = {"dims": 500, "embed": CharacterEmbeddings(dims=500), "fields": ["title", "parts[*]"]}


def count(store: Any, condition: str = "true") -> int:
    with store._cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM kepler.memories WHERE workspace_id = kepler.current_workspace_id() AND {condition}")
        return int(cursor.fetchone()["count"])


def test_names() -> None:
    store = InMemoryStore()
    namespaces = [("a/b", "c*"), ("a", "b", "c"), ("*",), ("a%", "é ü"), ("a_b",)]
    for namespace in namespaces:
        store.put(namespace, "k/*.", {"at": list(namespace)})
    assert set(store.list_namespaces()) == set(namespaces)
    for namespace in namespaces:
        item = store.get(namespace, "k/*.")
        assert item and item.namespace == namespace and item.value == {"at": list(namespace)}
    assert [item.namespace for item in store.search(("a",))] == [("a", "b", "c")]
    assert store.list_namespaces(prefix=("*", "c*")) == [("a/b", "c*")]
    with pytest.raises(ValueError, match="key"):
        store.put(("a",), "k\x1f1", {})


def test_texts_go_with_their_item() -> None:
    store = InMemoryStore(index=INDEX)
    store.put(("n",), "one", {"title": "aaa", "parts": ["bbb", "ccc", "ddd"]})
    store.put(("n",), "one-2", {"title": "xxx", "parts": ["yyy"]})
    assert [count(store, f"context_type = '{kind}'") for kind in ("item", "item_text")] == [2, 4]
    assert [item.key for item in store.search(("n",), query="ddd", limit=2)] == ["one", "one-2"]
    store.put(("n",), "one", {"title": "aaa", "parts": ["bbb"]})
    assert count(store, "context_type = 'item_text'") == 2
    # With the same value, and not to be found by meaning.
    store.put(("n",), "one-2", {"title": "xxx", "parts": ["yyy"]}, index=False)
    scores = {item.key: item.score for item in store.search(("n",), query="yyy")}
    assert scores["one"] is not None and scores["one-2"] is None
    store.delete(("n",), "one")
    store.delete(("n",), "one-2")
    assert count(store) == 0


def test_never_short() -> None:
    """Texts of one item hide no others."""
    store = InMemoryStore(index=INDEX)
    store.put(("n",), "crowd", {"parts": ["abc"] * 60})
    store.batch([PutOp(("n",), f"k{n}", {"title": f"xyz{n}", "n": n}) for n in range(30)])
    found = store.search(("n",), query="abc", limit=20)
    assert found[0].key == "crowd" and len({item.key for item in found}) == 20
    pages = [item.key for offset in (0, 10, 20, 30) for item in store.search(("n",), query="abc", limit=10, offset=offset)]
    assert len(pages) == len(set(pages)) == 31
    assert [item.value["n"] for item in store.search((), query="abc", filter={"n": {"$gte": 28}})] in ([28, 29], [29, 28])


def test_far_pages() -> None:
    """Beyond 10,000 rows, the most that Kepler gives in one answer."""
    store = InMemoryStore(index=INDEX)
    with store._cursor() as cursor:
        cursor.execute(
            "INSERT INTO kepler.memories (namespace, key, context_type, content, metadata, updated_at) "
            "SELECT 'n/' || lpad(i::text, 5, '0'), 'k' || i, 'item', 'x', jsonb_build_object('n', i), '2026-01-01'::timestamptz - i * interval '1 second' "
            "FROM generate_series(0, 20499) AS i"
        )
    for offset, limit in ((9_995, 10), (10_000, 5), (19_999, 3), (20_498, 10), (20_500, 10)):
        wanted = list(range(offset, min(offset + limit, 20_500)))
        assert [item.value["n"] for item in store.search(("n",), limit=limit, offset=offset)] == wanted
        assert store.list_namespaces(prefix=("n",), limit=limit, offset=offset) == [("n", f"{n:05}") for n in wanted]
    assert len(store.search(("n",), limit=20_500)) == 20_500
    # By meaning as well, where only some have an embedding.
    store.batch([PutOp(("n", "near"), f"near{n}", {"title": f"abc{n}", "n": -n}) for n in range(5)])
    assert [item.key for item in store.search(("n",), query="abc", limit=5, offset=20_500)] == [f"k{n}" for n in range(20_495, 20_500)]


def test_filters() -> None:
    store = InMemoryStore()
    values: list[dict[str, Any]] = [{"a.b": 1, "o": {"x": 1, "y": 2}}, {"a": {"b": 1}, "list": [1, 2]}, {"n": None, "t": True}]
    store.batch([PutOp(("n",), str(n), value) for n, value in enumerate(values)])
    wanted: list[tuple[dict[str, Any], list[str]]] = [
        ({"a.b": 1}, ["0"]),
        ({"a": {"b": 1}}, ["1"]),
        ({"o": {"x": {"$gt": 0}}}, ["0"]),
        ({"list": [1, 2]}, ["1"]),
        ({"t": True, "a": {"$ne": 1}}, ["2"]),
        ({"a.b": {"$gt": 0, "$lt": 1}}, []),
    ]
    for given, keys in wanted:
        (found,) = store.batch([SearchOp(("n",), filter=given)])
        assert [item.key for item in found] == keys, given  # type: ignore[union-attr]


def test_words() -> None:
    store = InMemoryStore(index=INDEX)
    hybrid = KeplerStore(store._conn, index=store.index_config, space=store._space, hybrid=True)
    store.put(("n",), "ferret", {"title": "a ferret lives in the attic"})
    store.batch([PutOp(("n",), f"k{n}", {"title": f"who likes to work at home with my {n}"}) for n in range(20)])
    query = "who likes to work at home with my ferret"
    assert hybrid.search(("n",), query=query)[0].key == "ferret"
    assert store.search(("n",), query=query)[0].key != "ferret"


def test_writers_meet() -> None:
    stores = [InMemoryStore(index=INDEX)]
    with stores[0]._cursor() as cursor:
        cursor.execute("SELECT kepler.current_workspace_id() AS id")
        workspace = cursor.fetchone()["id"]
    stores += [InMemoryStore(index=INDEX, name=workspace) for _ in range(3)]

    def write(at: int, store: KeplerStore) -> None:
        for turn in range(5):
            texts = ["bbb", "ccc", "ddd"][: (at + turn) % 4]
            store.batch([PutOp(("n",), f"k{key}", {"title": f"t{at}{turn}", "parts": texts}) for key in range(8)])

    threads = [Thread(target=write, args=given) for given in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = stores[0].search(("n",), limit=100)
    assert [item.key for item in sorted(items, key=lambda item: item.key)] == [f"k{key}" for key in range(8)]
    assert count(stores[0], "context_type = 'item_text'") == sum(len(item.value["parts"]) for item in items)
