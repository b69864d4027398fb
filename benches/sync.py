#!/usr/bin/env python3
"""Measures what the change feed adds to an upsert, and how fast changes are read.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import report
from session import Session

FOLDER = Path(__file__).resolve().parent / "sync"
# With the feed, and without it.
DATABASES = {"feed": "kepler_bench_feed", "plain": "kepler_bench_plain"}
SIZES = (1, 100, 1_000, 10_000)
KINDS = {"new": 0, "unchanged": 0, "changed": 1}
PAGES = (100, 1_000, 10_000)
# The feed may add so much.
TARGET = 1.3


@dataclass
class Cell:
    """One kind of batch: µs of CPU and bytes of WAL a record, by round."""

    cpu: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)


def cpu_of(pid: int) -> float:
    """The time that a process has run, in µs. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


class Bench:
    """One run: two databases, the same batches in each, round by round in turn."""

    def __init__(self) -> None:
        self.rows = int(os.environ["ROWS"]) // 10
        self.rounds = int(os.environ["ROUNDS"])
        self.changes = int(os.environ["ROWS"]) * 5
        self.started = time.monotonic()
        self.cells: dict[tuple[str, int, str], Cell] = {}

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def make_database(self, name: str) -> None:
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        session.run(f"CREATE DATABASE {name} TEMPLATE template0")
        session.close()
        session = Session(name)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "feed.sql")
        for size in SIZES:
            session.run(f"CALL bench.make_batches({size}, {self.records(size)})")
        if name == DATABASES["plain"]:
            session.run("SELECT kepler.untrack('kepler.records')")
        session.run("VACUUM ANALYZE bench.batches")
        session.close()

    def records(self, size: int) -> int:
        """Single upserts are slow: a tenth of the records tells enough."""
        return self.rows // 10 if size == 1 else self.rows

    def measure(self, way: str, size: int) -> None:
        session = Session(DATABASES[way])
        pid = int(session.value("SELECT pg_backend_pid()"))
        # Plans and caches.
        session.run("SELECT kepler.upsert_record('warm', 'w', '{}') FROM generate_series(1, 7)")
        session.run("DELETE FROM kepler.records")
        session.run("VACUUM kepler.records")
        session.run("TRUNCATE kepler.feed")
        session.run("CHECKPOINT")
        for kind, revision in KINDS.items():
            cpu, wal = cpu_of(pid), session.value("SELECT pg_current_wal_insert_lsn()")
            session.run(f"CALL bench.upsert({size}, {revision})")
            used = session.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'")
            cell = self.cells.setdefault((way, size, kind), Cell())
            cell.cpu.append((cpu_of(pid) - cpu) / self.records(size))
            cell.wal.append(float(used) / self.records(size))
        if way == "feed":
            told = int(session.value("SELECT count(*) FROM kepler.feed"))
            assert told == 2 * self.records(size), f"{told} changes are in the feed"
        session.close()

    def upserts(self) -> list[str]:
        lines = ["", "What the feed adds to an upsert of records of about 1 kB, medians", ""]
        lines.append(f"{'batch':>7}  {'records':10} {'CPU µs':>8} {'with feed':>10} {'ratio':>6}   {'WAL bytes':>9} {'with feed':>10} {'ratio':>6}")
        for size in SIZES:
            for kind in KINDS:
                plain, feed = (self.cells[way, size, kind] for way in ("plain", "feed"))
                cpu = statistics.median(plain.cpu), statistics.median(feed.cpu)
                wal = statistics.median(plain.wal), statistics.median(feed.wal)
                ratio = statistics.median(f / p for p, f in zip(plain.cpu, feed.cpu, strict=True))
                more = wal[1] / max(wal[0], 1)
                verdict = "" if ratio <= TARGET else f"   above {TARGET}"
                lines.append(
                    f"{size:>7}  {kind:10} {cpu[0]:8.1f} {cpu[1]:10.1f} {ratio:6.2f}   {wal[0]:9.0f} {wal[1]:10.0f} {more:6.2f}{verdict}"
                )
        return lines

    def reads(self) -> list[str]:
        session = Session(DATABASES["feed"])
        pid = int(session.value("SELECT pg_backend_pid()"))
        session.run("TRUNCATE kepler.feed")
        session.run("CREATE TABLE bench.followed (workspace_id text, id bigint, PRIMARY KEY (workspace_id, id))")
        session.run("SELECT kepler.track('bench.followed')")
        self.say(f"{self.changes:,} changes")
        for first in range(1, self.changes + 1, 1_000):
            session.run(
                "INSERT INTO bench.followed SELECT 'default', i"
                f" FROM generate_series({first}, {first + 999}) AS i"
            )
        lines = ["", f"changes_since at {self.changes:,} changes", ""]
        for page in PAGES:
            cpu = cpu_of(pid)
            found = int(session.value(f"CALL bench.follow({page})"))
            assert found == self.changes, f"{found} changes were read"
            used = (cpu_of(pid) - cpu) / found
            lines.append(f"{page:>7} a call: {used:.2f} µs of CPU a change, {1e6 / used:,.0f} changes a second")
        session.close()
        return lines

    def run(self) -> None:
        for name in DATABASES.values():
            self.say(f"making {name}")
            self.make_database(name)
        for size in SIZES:
            for number in range(self.rounds):
                ways = list(DATABASES) if number % 2 == 0 else list(reversed(DATABASES))
                for way in ways:
                    self.say(f"batches of {size:,}, round {number + 1}: {way}")
                    self.measure(way, size)
        session = Session("postgres")
        facts = [f"Postgres {session.value('SHOW server_version')}", *report.machine(session)]
        session.close()
        print("\n".join([*facts, *self.upserts(), *self.reads()]))


if __name__ == "__main__":
    Bench().run()
