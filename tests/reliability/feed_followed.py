#!/usr/bin/env python3
"""Writers at work, and consumers that copy a table and then follow its changes. Started by feed_followed.sh."""

from __future__ import annotations

import os
import random
import sys
import threading
import time

from session import Session, SessionError

DATABASE, SECONDS = os.environ["KEPLER_DATABASE"], float(os.environ["SECONDS_OF_WORK"])
ROW = "id || ' ' || entity_type || ' ' || source || ' ' || coalesce(data::text, '')"


class Writer(threading.Thread):
    """Changes the same few hundred rows as the others do; some transactions are long, some come to nothing."""

    def __init__(self, number: int, end: threading.Event) -> None:
        super().__init__()
        self.random, self.number, self.end = random.Random(number), number, end
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            session = Session(DATABASE)
            while not self.end.is_set():
                session.run("BEGIN")
                try:
                    for _ in range(self.random.choice([1, 1, 1, 5, 20])):
                        session.run(self.statement())
                except SessionError as error:
                    # Transactions of several statements lock rows in any order.
                    if "deadlock detected" not in str(error):
                        raise
                    session.run("ROLLBACK")
                    continue
                if self.random.random() < 0.1:
                    time.sleep(self.random.random() / 5)
                session.run("ROLLBACK" if self.random.random() < 0.15 else "COMMIT")
            session.close()
        except Exception as error:  # noqa: BLE001
            self.error = error

    def statement(self) -> str:
        key, value = self.random.randrange(300), self.random.randrange(1_000_000)
        return self.random.choice(
            [
                f"INSERT INTO kepler.records (id, entity_type, data) VALUES ('f{key}', 'f', '{{\"n\": {value}}}') ON CONFLICT DO NOTHING",
                f"UPDATE kepler.records SET data = '{{\"n\": {value}}}' WHERE id = 'f{key}'",
                f"DELETE FROM kepler.records WHERE id = 'f{key}'",
                f"SELECT count(*) FROM kepler.upsert_records('u', '[{{\"external_id\": \"{key}\", \"data\": {{\"n\": {value % 3}}}}}]')",
                f"SAVEPOINT s; UPDATE kepler.records SET source = 's{value}' WHERE id = 'f{key}'; ROLLBACK TO s",
            ]
        )


class Consumer:
    """A copy of the table, made while it is written to, and kept by reading the rows that changes name."""

    def __init__(self, filtered: bool) -> None:
        self.session = Session(DATABASE)
        self.filter = ", entity_type => 'f'" if filtered else ""
        self.where = "WHERE entity_type = 'f'" if filtered else ""
        self.changes = 0
        self.cursor = self.session.value("SELECT kepler.feed_cursor()")
        rows = self.session.run(f"SELECT id, {ROW} FROM kepler.records {self.where}")
        self.rows = dict(row.split("|", 1) for row in rows)

    def follow(self) -> int:
        # The last change of a row in the batch is enough: what counts is what the row is now.
        changes = self.session.run(
            f"SELECT cursor, coalesce(row_id, '') FROM kepler.changes_since('{self.cursor}', 200{self.filter})"
        )
        if not changes:
            return 0
        ids = {change.split("|")[1] for change in changes} - {""}
        found = {}
        if ids:
            wanted = "{" + ",".join(sorted(ids)) + "}"
            rows = self.session.run(f"SELECT id, {ROW} FROM kepler.records WHERE workspace_id = 'default' AND id = ANY ('{wanted}')")
            found = dict(row.split("|", 1) for row in rows)
        for row_id in ids:
            self.rows.pop(row_id, None)
        self.rows |= found
        self.cursor = changes[-1].split("|")[0]
        self.changes += len(changes)
        return len(changes)

    def check(self) -> None:
        rows = self.session.run(f"SELECT id, {ROW} FROM kepler.records {self.where}")
        stored = dict(row.split("|", 1) for row in rows)
        assert stored, "the table is empty"
        assert self.rows == stored, (
            f"a copy differs from the table: {sorted(set(self.rows.items()) ^ set(stored.items()))[:5]}"
        )


def main() -> int:
    end = threading.Event()
    writers = [Writer(number, end) for number in range(4)]
    for writer in writers:
        writer.start()
    consumers: list[Consumer] = []
    started, pause = time.monotonic(), random.Random(9)
    while time.monotonic() - started < SECONDS:
        if len(consumers) < 6 and pause.random() < 0.1:
            consumers.append(Consumer(filtered=len(consumers) % 2 == 1))
        for consumer in consumers:
            consumer.follow()
        time.sleep(pause.random() / 20)
    end.set()
    for writer in writers:
        writer.join()
        if writer.error:
            raise writer.error
    for consumer in consumers:
        while consumer.follow():
            pass
        consumer.check()
    told = sum(consumer.changes for consumer in consumers)
    print(f"{len(consumers)} consumers, {told} changes, all copies equal the table")
    assert len(consumers) > 2 and told > 100
    return 0


if __name__ == "__main__":
    sys.exit(main())
