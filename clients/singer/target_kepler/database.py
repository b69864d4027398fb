"""The calls of Kepler that a load consists of. Each is a transaction of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

State = dict[str, Any]


@dataclass
class Run:
    """An open sync run, and the version of the stream that it lists (None: it lists no version)."""

    id: str
    version: int | None


@dataclass(frozen=True)
class Answer:
    """What became of a batch, as far as somebody must hear of it."""

    superseded: int
    rejected: list[tuple[str | None, str, str]]


class Database:
    """The database, and the runs that are open for the streams of this process."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._connection = psycopg.connect(
            config["conninfo"], autocommit=True, application_name="target-kepler", row_factory=dict_row
        )
        self._runs: dict[str, Run] = {}
        self._activated: dict[str, int] = {}
        if workspace := config.get("workspace_id"):
            # For the session, since a sweep commits in between: the connection must be the target's own.
            self._connection.execute("SELECT kepler.use_workspace(%s, is_local => false)", (workspace,))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _call(self, function: str, /, **arguments: Any) -> list[dict[str, Any]]:
        given = {name: value for name, value in arguments.items() if value is not None}
        named = ", ".join(f"{name} => %({name})s" for name in given)
        return self._connection.execute(f"SELECT * FROM kepler.{function}({named})", given).fetchall()

    def _entity(self, stream: str) -> dict[str, Any]:
        return {
            "connection_id": self._config.get("connection_id"),
            "entity_type": stream,
            "source": self._config["source"],
        }

    # Runs

    def run(self, stream: str, version: int | None) -> Run:
        """The run of a stream and version, which another process may have begun, or a new one."""
        if version is not None and self._activated.get(stream) == version:
            # What is not of this version was deleted already: what comes now is only more of it.
            version = None
        run = self._runs.get(stream)
        if run is None or run.version != version:
            run = self._runs[stream] = self._resume(stream, version) or self._begin(stream, version)
        return run

    def _resume(self, stream: str, version: int | None) -> Run | None:
        if version is None:
            return None
        for row in self._call("resume_sync", **self._entity(stream), mode="full"):
            if _version(row["cursor"]) == version:
                return Run(row["sync_run_id"], version)
        return None

    def _begin(self, stream: str, version: int | None) -> Run:
        # The connection is no optional argument of this function.
        entity = {"connection_id": None, **self._entity(stream)}
        mode = "incremental" if version is None else "full"
        names = ("connection_id", "entity_type", "mode", "source")
        arguments = {**entity, "mode": mode}
        named = ", ".join(f"{name} => %({name})s" for name in names)
        with self._connection.transaction():
            row = self._connection.execute(
                f"SELECT sync_run_id FROM kepler.begin_sync({named})", arguments
            ).fetchone()
            run = Run(row["sync_run_id"] if row else "", version)
            self._checkpoint(run, None)
        return run

    def checkpoint(self, stream: str, state: State) -> None:
        """Notes on the run of a stream that the tap may go on from this state."""
        if run := self._runs.get(stream):
            self._checkpoint(run, state)

    def _checkpoint(self, run: Run, state: State | None) -> None:
        cursor = json.dumps({"version": run.version, "state": state})
        self._call("checkpoint_sync", sync_run_id=run.id, cursor=cursor)

    def activate(self, stream: str, version: int) -> bool:
        """Deletes what the stream's run did not list. Whether there was a run of the version to end.

        An activation without records says nothing about what is gone: taps send it before the first record
        of a version. One that comes again has nothing left to delete, since what came later is of that
        version too.
        """
        run = self._runs.get(stream)
        if run is None or run.version != version:
            return self._activated.get(stream) == version
        self._sweep(run)
        del self._runs[stream]
        self._activated[stream] = version
        return True

    def finish(self, stream: str) -> None:
        """Ends the run of a stream, if it is one that deletes nothing."""
        run = self._runs.get(stream)
        if run is not None and run.version is None:
            self._sweep(run)
            del self._runs[stream]

    def fail(self, stream: str, error: str) -> None:
        """Ends the run of a stream as failed: it deletes nothing."""
        run = self._runs.get(stream)
        if run is not None:
            self._call("abort_sync", sync_run_id=run.id, error=error)
            del self._runs[stream]

    def _sweep(self, run: Run) -> None:
        arguments = {
            "sync_run_id": run.id,
            "max_delete_fraction": self._config["max_delete_fraction"],
            "allow_rejects": self._config["allow_rejects"],
        }
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        self._connection.execute(f"CALL kepler.sweep_sync({named})", arguments)

    # Records

    def upsert(self, stream: str, run: Run, lines: str, keys: Mapping[str, str | None]) -> Answer:
        """Upserts documents, one on each line."""
        arguments = {
            "records": lines,
            "sync_run_id": run.id,
            **self._entity(stream),
            **keys,
            "options": json.dumps({"invalid_characters": self._config["invalid_characters"]}),
        }
        given = {name: value for name, value in arguments.items() if value is not None}
        named = ", ".join(f"{name} => %({name})s" for name in given)
        rows = self._connection.execute(
            f"""
            SELECT external_id, outcome, error_code, error FROM kepler.upsert_records({named})
            WHERE outcome IN ('rejected', 'superseded')
            """,
            given,
        ).fetchall()
        rejected = [
            (row["external_id"], row["error_code"], row["error"])
            for row in rows
            if row["outcome"] == "rejected"
        ]
        return Answer(len(rows) - len(rejected), rejected)


def _version(cursor: str | None) -> int | None:
    try:
        return json.loads(cursor or "{}").get("version")  # type: ignore[no-any-return]
    except (ValueError, AttributeError):
        return None
