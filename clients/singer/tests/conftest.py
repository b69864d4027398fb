"""The database that the tests write to, given by KEPLER_CONNINFO: one of their own, with Kepler installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

CONNINFO = os.environ["KEPLER_CONNINFO"]
CONFIG: dict[str, Any] = {"conninfo": CONNINFO, "source": "test"}


class Database:
    """What the target has written."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(CONNINFO, autocommit=True)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self.connection.execute(sql, parameters).fetchall()

    def clear(self) -> None:
        """Removes all that a test has left."""
        for table in ("rejects", "records", "sync_runs", "entities"):
            self.connection.execute(f"DELETE FROM kepler.{table}")

    def records(self, stream: str) -> dict[str, Any]:
        """The live records of a stream, by their external ids."""
        rows = self.query(
            "SELECT external_id, data FROM kepler.records WHERE entity_type = %s AND deleted_at IS NULL", stream
        )
        return dict(rows)

    def deleted(self, stream: str) -> list[str]:
        """The external ids of the deleted records of a stream."""
        rows = self.query(
            """
            SELECT external_id FROM kepler.records
            WHERE entity_type = %s AND deleted_at IS NOT NULL ORDER BY external_id
            """,
            stream,
        )
        return [row[0] for row in rows]

    def streams(self) -> list[str]:
        """The streams that have records."""
        return [row[0] for row in self.query("SELECT DISTINCT entity_type FROM kepler.records ORDER BY 1")]

    def runs(self) -> list[tuple[str, str, str]]:
        """Stream, mode and status of each run, in their order."""
        return self.query(
            """
            SELECT e.type, r.mode::text, r.status::text FROM kepler.sync_runs AS r
            JOIN kepler.entities AS e ON e.workspace_id = r.workspace_id AND e.id = r.entity_id
            ORDER BY r.started_at
            """
        )


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty database."""
    database = Database()
    database.clear()
    yield database
    database.connection.close()
