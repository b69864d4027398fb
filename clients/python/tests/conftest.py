"""Has the tests of LangGraph's own stores run on Kepler: those of langgraph-checkpoint, which are about InMemoryStore, and those
of langgraph-checkpoint-postgres. They import both from LangGraph, and get Kepler's instead.

The second ones make a database for each test and look into its table. Here a database of theirs is a workspace, and the
table a view."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from os import environ
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import langgraph.store.memory
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from kepler_langgraph import AsyncKeplerStore, KeplerStore
from tests.embed_test_utils import CharacterEmbeddings

CONNINFO = environ["KEPLER_CONNINFO"]
# They put the name of their database behind the last slash.
DEFAULT_URI = "kepler:///postgres"
# Kepler's spaces have one.
VECTOR_TYPES = ["vector"]

# What is tested of LangGraph's stores, and does not hold or has no meaning here.
ONCE = "takes long, and is run over a connection"
INTERNAL = "an internal function of LangGraph's store"
LEFT_OUT = {
    "test_escape_like_literal": INTERNAL,
    "test_namespace_match_pattern": INTERNAL,
    "test_nonnull_migrations": INTERNAL,
    "test_abatch_uses_single_pool_checkout": INTERNAL,
    "test_omit_expired_disabled_preserves_expired_rows": "Kepler never shows what has expired, swept or not",
    "test_omit_expired_refresh_ttl_only_refreshes_live_rows": "within milliseconds reading moves no expiry: by a tenth of the ttl it does",
    "test_store_ttl[pool": ONCE,
    "test_large_batches[pool": ONCE,
    "test_large_batches_async[pool": ONCE,
    "[pipe": "a connection in pipeline mode is not taken",
    "halfvec": "Kepler's embedding spaces have vectors of one type",
    "_l2": "LangGraph wants the negative distance; Kepler's similarity is from 0 to 1",
    "-l2": "LangGraph wants the negative distance; Kepler's similarity is from 0 to 1",
}


class Server:
    """Where they make and drop databases. A workspace is made when it is opened, and goes with the database of all."""

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def execute(self, statement: str) -> None:
        assert statement.startswith(("CREATE DATABASE ", "DROP DATABASE "))


class Connection:
    @staticmethod
    @contextmanager
    def connect(uri: str, **given: Any) -> Iterator[Any]:
        yield SimpleNamespace(execute=lambda statement: None)


class AsyncConnection:
    @staticmethod
    async def connect(uri: str, **given: Any) -> Server:
        return Server()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tests: Any = item.getparent(pytest.Module).obj  # type: ignore[union-attr]
        vars(tests).update({kind.__name__: kind for kind in (Connection, AsyncConnection) if hasattr(tests, kind.__name__)})
        for part, reason in LEFT_OUT.items():
            if part in item.name:
                item.add_marker(pytest.mark.skip(reason=reason))


def workspace(name: str) -> str:
    """The connection string of a workspace, which is made if it is missing."""
    with psycopg.connect(CONNINFO, autocommit=True) as conn:
        conn.execute("SELECT kepler.create_workspace(%s) WHERE NOT EXISTS (SELECT FROM kepler.workspaces WHERE id = %s)", [name, name])
    options = conninfo_to_dict(CONNINFO).get("options") or ""
    return make_conninfo(CONNINFO, options=f"{options} -c kepler.workspace_id={name}")


def space_of(index: Any) -> str:
    """A space for each metric, which LangGraph names as it is searched."""
    metric = (index or {}).get("distance_type") or "cosine"
    space = f"langgraph_{metric}_{index['dims']}" if index else "langgraph"
    if index:
        with psycopg.connect(CONNINFO, autocommit=True) as conn:
            known = conn.execute("SELECT FROM kepler.embedding_spaces WHERE name = %s", [space]).fetchone()
            if known is None:
                conn.execute("SELECT kepler.create_embedding_space(%s, %s, 'test', %s)", [space, index["dims"], metric])
    return space


class Tested:
    """What the tests call of LangGraph's stores beside their interface."""

    MIGRATIONS: tuple[str, ...] = ()

    def setup(self) -> Any:
        return None

    def start_ttl_sweeper(self) -> None:
        """Nothing has to be swept."""

    stop_ttl_sweeper = start_ttl_sweeper


class PostgresStore(Tested, KeplerStore):
    @classmethod
    @contextmanager
    def from_conn_string(cls, uri: str, *, pipeline: bool = False, pool_config: Any = None, **given: Any) -> Iterator[PostgresStore]:
        conninfo, space = workspace(uri.rpartition("/")[2]), space_of(given.get("index"))
        if pool_config:
            with ConnectionPool(conninfo, kwargs={"autocommit": True}, **pool_config) as pool:
                yield cls(pool, space=space, **given)
        else:
            with psycopg.connect(conninfo, autocommit=True) as conn:
                yield cls(conn, space=space, **given)


class AsyncPostgresStore(AsyncKeplerStore):
    MIGRATIONS: tuple[str, ...] = ()

    @classmethod
    @asynccontextmanager
    async def from_conn_string(
        cls, uri: str, *, pipeline: bool = False, pool_config: Any = None, **given: Any
    ) -> AsyncIterator[AsyncPostgresStore]:
        conninfo, space = workspace(uri.rpartition("/")[2]), space_of(given.get("index"))
        if pool_config:
            async with AsyncConnectionPool(conninfo, kwargs={"autocommit": True}, **pool_config) as pool:
                yield cls(pool, space=space, **given)
        else:
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as conn:
                yield cls(conn, space=space, **given)

    async def setup(self) -> None:
        return None

    async def start_ttl_sweeper(self) -> None:
        return None

    stop_ttl_sweeper = start_ttl_sweeper


class InMemoryStore(KeplerStore):
    """Empty when it is made."""

    opened = ExitStack()

    def __init__(self, *, index: Any = None, name: str | None = None) -> None:
        conn = self.opened.enter_context(psycopg.connect(workspace(name or f"test_{uuid4().hex[:16]}"), autocommit=True))
        super().__init__(conn, index=index, space=space_of(index))


def module(name: str, **names: Any) -> None:
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name]).update(names)


langgraph.store.memory.InMemoryStore = InMemoryStore  # type: ignore[misc, assignment]
module("langgraph.store.postgres", PostgresStore=PostgresStore, AsyncPostgresStore=AsyncPostgresStore)
module("langgraph.store.postgres.base", _escape_like_literal=None, _namespace_match_pattern=None)
module("langgraph.checkpoint.postgres", _ainternal=None)


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    yield
    InMemoryStore.opened.close()


@pytest.fixture
def fake_embeddings() -> CharacterEmbeddings:
    return CharacterEmbeddings(dims=500)
