#!/usr/bin/env python3
"""A connector: keeps the contacts of a connection like those of the source.

    connector.py full          lists all contacts; what is not listed is deleted
    connector.py incremental   asks for what has changed since the last run
    connector.py webhook       stores the events on standard input, one JSON object a line

It may be killed at any time; the next process goes on. ../README.md says what it can be told, and what its exit
status means.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone

from database import Database, Row, Run
from source import Source
from trouble import BrokenBatch, Permanent, Transient, again, log


@dataclass(frozen=True)
class Settings:
    database: str
    connection_id: str
    source_url: str
    token: str | None
    page_size: int
    max_delete_fraction: float
    tries: int
    overlap: timedelta
    max_age: timedelta


@dataclass(frozen=True)
class Position:
    """How far a run has come. As JSON it is the cursor of its checkpoints."""

    # The next page; None for the first.
    page: str | None = None
    listed: bool = False
    # What an incremental run asks for, and where the next one is to begin.
    since: str | None = None
    until: str | None = None
    # Rejected elements whose id could not be read: nobody knows which records they would have been.
    without_id: int = 0


class Sync:
    def __init__(self, settings: Settings, mode: str) -> None:
        self._settings, self._mode = settings, mode
        self._database = Database(settings.database, settings.connection_id)
        self._source = Source(settings.source_url, settings.token, settings.page_size)
        self._position = Position()

    def run(self) -> None:
        run = again(self._settings.tries, self._resume) or again(self._settings.tries, self._begin)
        try:
            while not self._position.listed:
                # Fetched and stored as one step, that is repeated as one.
                again(self._settings.tries, lambda: self._page(run))
                again(self._settings.tries, lambda: self._checkpoint(run))
            self._finish(run)
        except Permanent as error:
            # Entity and connection show it in their issues until a run succeeds.
            again(self._settings.tries, lambda: self._database.abort(run, str(error)))
            raise
        log.info("retried rejects: %s", counts(again(self._settings.tries, self._database.retry_rejects)))

    def _resume(self) -> Run | None:
        run = self._database.resume(self._mode)
        if run is None or run.cursor is None or run.started_at is None:
            return None
        # The pages of an old listing may be gone, and what it has seen too.
        if datetime.now(timezone.utc) - run.started_at > self._settings.max_age:
            log.info("run %s is too old to go on with", run.id)
            return None
        try:
            self._position = Position(**json.loads(run.cursor))
        except (TypeError, ValueError):
            log.info("run %s has a cursor of another kind", run.id)
            return None
        log.info("run %s: goes on at %s", run.id, run.cursor)
        return run

    def _begin(self) -> Run:
        run = self._database.begin(self._mode)
        self._position = Position(since=run.cursor if self._mode == "incremental" else None)
        self._checkpoint(run)
        log.info("run %s: %s, since %s", run.id, self._mode, self._position.since)
        return run

    def _page(self, run: Run) -> None:
        position = self._position
        page = self._source.contacts(position.page, position.since)
        outcomes = self._database.upsert(page.body, run)
        log.info("page %s: %s", position.page or "1", counts(outcomes))
        # What changes from the first page on is for the next run. Sources commit late too: hence the overlap.
        until = position.until or (page.at - self._settings.overlap).isoformat()
        without_id = position.without_id + sum(row["without_id"] for row in outcomes)
        self._position = replace(
            position, page=page.next, listed=page.next is None, until=until, without_id=without_id
        )

    def _checkpoint(self, run: Run) -> None:
        self._database.checkpoint(run, json.dumps(asdict(self._position)))

    def _finish(self, run: Run) -> None:
        # A rejected element whose id is known counts as seen: its record is kept. Without the id it might be any.
        until, allow_rejects = self._position.until or "", self._position.without_id == 0
        outcome = ""
        while outcome != "finished":
            row = again(
                self._settings.tries,
                lambda: self._database.finish(
                    run, until, self._settings.max_delete_fraction, allow_rejects
                ),
            )
            outcome = row["outcome"]
            log.info(
                "run %s: %s, saw %d, rejected %d, deleted %d", run.id, outcome, row["seen"], row["rejected"], row["deleted"]
            )  # fmt: skip


def counts(rows: list[Row]) -> str:
    return ", ".join(
        f"{row['count']} {row['outcome']}" + (f" ({code})" if (code := row.get("error_code")) else "")
        for row in rows
    ) or "none"  # fmt: skip


def webhook(settings: Settings) -> None:
    """Without a run: a full run that is open sees what came, and does not delete it."""
    database, events = Database(settings.database, settings.connection_id), sys.stdin.read()

    def store() -> list[Row]:
        try:
            return database.upsert(events)
        except BrokenBatch as error:
            # They come once.
            raise Permanent(str(error)) from error

    log.info("events: %s", counts(again(settings.tries, store) if events.strip() else []))


def read_settings() -> Settings:
    environment = os.environ

    def number(name: str, default: float, least: float, most: float) -> float:
        value = float(environment.get(name, default))
        if not least <= value <= most:
            raise ValueError(f"{name} must be a number from {least:g} to {most:g}")
        return value

    def text(name: str) -> str:
        if not environment.get(name, "").strip():
            raise ValueError(f"{name} is missing")
        return environment[name]

    return Settings(
        database=environment.get("DATABASE_URL", ""),
        connection_id=text("CONNECTION_ID"),
        source_url=text("SOURCE_URL"),
        token=environment.get("SOURCE_TOKEN"),
        page_size=int(number("PAGE_SIZE", 500, 1, 10_000)),
        max_delete_fraction=number("MAX_DELETE_FRACTION", 0.2, 0, 1),
        tries=int(number("TRIES", 6, 1, 100)),
        overlap=timedelta(seconds=number("OVERLAP", 60, 0, 86_400)),
        max_age=timedelta(hours=number("MAX_AGE", 24, 0, 8_760)),
    )


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if len(arguments) != 1 or arguments[0] not in ("full", "incremental", "webhook"):
        print("usage: connector.py full | incremental | webhook", file=sys.stderr)
        return 2
    try:
        settings = read_settings()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        if arguments[0] == "webhook":
            webhook(settings)
        else:
            Sync(settings, arguments[0]).run()
    except Permanent as error:
        log.error("failed: %s", error)
        return 1
    except Transient as error:
        # The run stays open, and the next process goes on with it.
        log.error("gave up for now: %s", error)
        return 75
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
