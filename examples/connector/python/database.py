"""The calls to Kepler. One connection in autocommit: each call is a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from trouble import BrokenBatch, Permanent, Transient

ENTITY_TYPE = "contact"
SOURCE = "crm"
# Where a document of the source says its id, its time, and that it was deleted.
KEYS = "id_key => 'id', updated_at_key => 'updated_at', deleted_key => 'deleted'"

# A lost connection, a deadlock or serialization failure, a server that is full or starts or stops, a lock.
TRANSIENT = ("08", "40", "53", "57P", "55P03")
NO_ARRAY = "22P02"

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    id: str
    # Of the last checkpoint of a run that is resumed, or of the last run that succeeded.
    cursor: str | None
    started_at: datetime | None = None


class Database:
    def __init__(self, url: str, connection_id: str) -> None:
        self._url, self._connection_id = url, connection_id
        self._connection: psycopg.Connection[DictRow] | None = None

    def begin(self, mode: str) -> Run:
        """An open run of the same mode, if there is one, is abandoned."""
        (row,) = self._rows(
            "SELECT sync_run_id, cursor FROM kepler.begin_sync(%s, %s, %s, source => %s)",
            [self._connection_id, ENTITY_TYPE, mode, SOURCE],
        )
        return Run(row["sync_run_id"], row["cursor"])

    def resume(self, mode: str) -> Run | None:
        """The run that another process has left open."""
        rows = self._rows(
            "SELECT sync_run_id, cursor, started_at FROM kepler.resume_sync("
            "connection_id => %s, entity_type => %s, mode => %s, source => %s)",
            [self._connection_id, ENTITY_TYPE, mode, SOURCE],
        )
        return Run(rows[0]["sync_run_id"], rows[0]["cursor"], rows[0]["started_at"]) if rows else None

    def upsert(self, documents: str, run: Run | None = None) -> list[Row]:
        """Stores a batch, and counts its outcomes. Rejected elements are kept in kepler.rejects."""
        return self._rows(
            "SELECT outcome, error_code, count(*) AS count,"
            " count(*) FILTER (WHERE external_id IS NULL) AS without_id"
            " FROM kepler.upsert_records(%s, %s, source => %s, connection_id => %s, sync_run_id => %s,"
            f" {KEYS}, options => '{{\"keep_rejects\": true}}') GROUP BY 1, 2 ORDER BY 1, 2",
            [ENTITY_TYPE, documents, SOURCE, self._connection_id, run and run.id],
        )

    def checkpoint(self, run: Run, cursor: str) -> None:
        self._rows("SELECT kepler.checkpoint_sync(%s, %s)", [run.id, cursor])

    def finish(self, run: Run, cursor: str, max_delete_fraction: float, allow_rejects: bool) -> Row:
        """One step of the end; to be called until the outcome is finished."""
        (row,) = self._rows(
            "SELECT * FROM kepler.finish_sync(%s, max_delete_fraction => %s, allow_rejects => %s,"
            " cursor => %s)",
            [run.id, max_delete_fraction, allow_rejects, cursor],
        )
        return row

    def abort(self, run: Run, error: str) -> None:
        self._rows("SELECT kepler.abort_sync(%s, %s)", [run.id, error])

    def retry_rejects(self) -> list[Row]:
        return self._rows(
            "SELECT outcome, count(*) AS count FROM kepler.retry_rejects(entity_type => %s)"
            " GROUP BY 1 ORDER BY 1",
            [ENTITY_TYPE],
        )

    def _rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        connection = self._connect()
        try:
            return connection.execute(statement.encode(), parameters).fetchall()
        except psycopg.Error as error:
            lost, code = connection.closed, error.sqlstate or ""
            if lost:
                self._connection = None
            # A batch that cannot be divided into elements was cut off on its way here.
            if code == NO_ARRAY:
                raise BrokenBatch(f"the database: {error}") from error
            if lost or code.startswith(TRANSIENT):
                raise Transient(f"the database: {error}") from error
            told = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
            raise Permanent(" ".join(part for part in told if part) or str(error)) from error

    def _connect(self) -> psycopg.Connection[DictRow]:
        if self._connection is None:
            try:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    row_factory=dict_row,
                    application_name=f"connector: {self._connection_id}"[:63],
                    connect_timeout=10,
                    # A server that is gone without a word is noticed within half a minute.
                    keepalives_idle=10,
                    keepalives_interval=5,
                    keepalives_count=4,
                )
            except psycopg.OperationalError as error:
                raise Transient(f"the database: {error}") from error
        return self._connection
