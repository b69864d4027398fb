"""The calls to Kepler, over a connection that is made again when it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from enrich import Record
from settings import Settings

Row = dict[str, Any]

# What may go well a moment later: a lost connection, a server that starts or stops or is full, a
# deadlock, a serialization failure.
TRANSIENT = ("08", "40", "53", "57P", "55P03")
QUERY_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10


class Unavailable(Exception):
    """The database did not answer. Whether the call took effect is not known."""


@dataclass(frozen=True)
class Lease:
    lease_id: int
    records: list[Record]
    # How long it holds without a heartbeat, and until when by the event loop's clock. Counted from the
    # question and not from the answer, which may have been on its way for long.
    seconds: float
    holds_until: float


class Database:
    """One connection, in autocommit: each call is a transaction."""

    def __init__(self, settings: Settings, purpose: str) -> None:
        self._settings = settings
        self._name = f"enrichment {purpose}: {settings.worker}"[:63]
        self._connection: psycopg.AsyncConnection[DictRow] | None = None
        self._listening = False

    async def claim(self) -> Lease | None:
        """Takes records under a lease; None if nothing is ready.

        If the answer is lost on its way, nobody knows of the lease: its records come back when it ends.
        """
        settings, asked_at = self._settings, asyncio.get_running_loop().time()
        rows = await self._query(
            "SELECT c.lease_id, c.record_id, c.attempt, c.data, c.source_updated_at,"
            " c.external_id, c.source, c.enrichment,"
            " extract(epoch FROM c.lease_until - clock_timestamp())::float8 AS seconds"
            " FROM kepler.claim_records(%s, %s, %s, %s::interval) AS c",
            [settings.entity_type, settings.worker, settings.batch_size, settings.lease],
        )
        if not rows:
            return None
        records = [
            Record(
                row["record_id"],
                row["attempt"],
                row["data"],
                row["source_updated_at"],
                row["external_id"],
                row["source"],
                row["enrichment"],
            )
            for row in rows
        ]
        seconds = rows[0]["seconds"]
        return Lease(rows[0]["lease_id"], records, seconds, asked_at + seconds)

    async def extend_lease(self, lease_id: int) -> float | None:
        """The seconds that the lease now holds; None if it is lost."""
        rows = await self._query(
            "SELECT extract(epoch FROM kepler.extend_lease(%s) - clock_timestamp())::float8 AS seconds",
            [lease_id],
        )
        seconds: float | None = rows[0]["seconds"]
        return seconds

    async def settle(self, lease_id: int, elements: Sequence[str]) -> list[Row]:
        """Brings results back, each a JSON text. Repeated, it does no harm."""
        return await self._query(
            "SELECT ordinal, record_id, outcome, error FROM kepler.settle_records(%s, %s::text)",
            [lease_id, f"[{','.join(elements)}]"],
        )

    async def seconds_to_next_claim(self) -> float | None:
        """When it is worth asking again, as far as is known by now."""
        rows = await self._query(
            "SELECT extract(epoch FROM kepler.next_claim_at(%s) - clock_timestamp())::float8 AS seconds",
            [self._settings.entity_type],
        )
        seconds: float | None = rows[0]["seconds"]
        return seconds

    async def listen(self) -> bool:
        """Listens from now on, where the policy notifies. Whether that is new: claim once more, then wait.

        Only who waits listens; a busy worker would heap up what it is told.
        """
        if self._listening and self._connection is not None and not self._connection.closed:
            return False
        rows = await self._query(
            "SELECT p.notify FROM kepler.enrichment_policies AS p"
            " WHERE p.workspace_id = kepler.current_workspace_id() AND p.entity_type = %s AND p.notify",
            [self._settings.entity_type],
        )
        if rows:
            await self._query("LISTEN kepler_enrichment")
        self._listening = bool(rows)
        return self._listening

    async def unlisten(self) -> None:
        if self._listening:
            self._listening = False
            # A connection that is lost listens no more either.
            with contextlib.suppress(Unavailable):
                await self._query("UNLISTEN kepler_enrichment")

    async def notified(self, seconds: float) -> None:
        """Waits until an upsert has queued something, where it listens; else the whole time."""
        if not self._listening:
            await asyncio.sleep(seconds)
            return
        connection = await self._connect()
        try:
            async for notification in connection.notifies(timeout=seconds):
                # Anybody may notify the channel: what cannot be read wakes up too.
                if self._is_ours(notification.payload):
                    return
        except psycopg.OperationalError as error:
            await self.close()
            raise Unavailable(str(error).strip()) from error

    def _is_ours(self, payload: str) -> bool:
        try:
            return bool(json.loads(payload)["entity_type"] == self._settings.entity_type)
        except (ValueError, KeyError, TypeError):
            return True

    async def close(self) -> None:
        connection, self._connection, self._listening = self._connection, None, False
        if connection is not None:
            await connection.close()

    async def _query(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        connection = await self._connect()
        try:
            return await asyncio.wait_for(self._run(connection, statement, parameters), QUERY_TIMEOUT)
        except asyncio.TimeoutError:
            await self.close()
            raise Unavailable(f"no answer within {QUERY_TIMEOUT:g} s") from None
        except psycopg.Error as error:
            lost = connection.closed
            if lost:
                await self.close()
            if lost or (error.sqlstate or "").startswith(TRANSIENT):
                raise Unavailable(str(error).strip()) from error
            raise

    @staticmethod
    async def _run(
        connection: psycopg.AsyncConnection[DictRow], statement: str, parameters: Sequence[object]
    ) -> list[Row]:
        cursor = await connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []

    async def _connect(self) -> psycopg.AsyncConnection[DictRow]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._listening = False
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                self._settings.database,
                autocommit=True,
                row_factory=dict_row,
                application_name=self._name,
                connect_timeout=CONNECT_TIMEOUT,
                # A peer that is gone without a word is noticed within half a minute.
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=4,
            )
        except psycopg.OperationalError as error:
            raise Unavailable(str(error).strip()) from error
        return self._connection
