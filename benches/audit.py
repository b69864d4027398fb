#!/usr/bin/env python3
"""Measures what tracking adds to an update: not tracked, in the feed, in the history, and by a well-known audit extension.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. The peer is no part of Kepler: without its
file (AUDIT_PEER, or .build/peers/supa_audit--0.3.1.sql) it is left out, which is said. See benches/README.md.
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

DATABASE = "kepler_bench_audit"
ROWS = 10_000
# What tracking may cost, and by how much the peer must be slower.
MOST, LEAST = 2.5, 2.0
PEER = "supa_audit"
WAYS = ("untracked", "feed", "history", PEER)
# A row as applications have them; an update writes one plain and one indexed column (updated_at), as a trigger or an ORM does.
TABLE = """
CREATE TABLE bench.{way} (
    workspace_id text NOT NULL DEFAULT 'default', id bigint, customer_id bigint NOT NULL, status text NOT NULL, amount numeric(12, 2) NOT NULL,
    note text, details jsonb, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id));
CREATE INDEX ON bench.{way} (customer_id);
CREATE INDEX ON bench.{way} (status, created_at);
CREATE INDEX ON bench.{way} (updated_at);
INSERT INTO bench.{way} SELECT 'default', n, n % 500, 'open', n * 1.25, repeat('note ', 20), jsonb_build_object('items', jsonb_build_array(n, n + 1), 'city', 'Zug')
FROM generate_series(1, {rows}) AS n"""
# The second leaves the indexes alone and fits beside the old row: the least that an update can cost.
CASES = {
    "an indexed column": "UPDATE bench.{way} SET amount = amount + 1, updated_at = clock_timestamp()",
    "no indexed column": "UPDATE bench.{way} SET amount = amount + 1",
}


def cpu_of(pid: int) -> float:
    """The time that a process has run, in µs. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


@dataclass
class Cell:
    """µs of CPU and bytes of WAL a row, by round."""

    cpu: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)


class Bench:
    """One run: a table for each way, the same updates in turn."""

    def __init__(self) -> None:
        self.rounds = max(3 * int(os.environ["ROUNDS"]), 3)
        self.started = time.monotonic()
        build = Path(os.environ.get("BUILD", Path(__file__).resolve().parent.parent / ".build"))
        self.peer = Path(os.environ.get("AUDIT_PEER", build / "peers" / "supa_audit--0.3.1.sql"))
        self.ways = [way for way in WAYS if way != PEER or self.peer.is_file()]
        self.cells: dict[tuple[str, str], Cell] = {}

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def make(self) -> Session:
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.run("CREATE SCHEMA bench")
        for way in self.ways:
            for statement in TABLE.format(way=way, rows=ROWS).split(";"):
                session.run(statement)
        session.run("SELECT kepler.track('bench.feed')")
        session.run("SELECT kepler.track('bench.history', 'history')")
        if PEER in self.ways:
            # What belongs to an extension is made by a script here: what marks it as configuration is left out.
            script = "\n".join(line for line in self.peer.read_text().splitlines() if "pg_extension_config_dump" not in line)
            own = self.peer.with_suffix(".plain.sql")
            own.write_text(script)
            self.make_uuids(session)
            session.script(own)
            session.run(f"SELECT audit.enable_tracking('bench.{PEER}'::regclass)")
        return session

    def make_uuids(self, session: Session) -> None:
        """The peer needs uuid-ossp. Where that is not there, it gets what is at least as fast."""
        if int(session.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'uuid-ossp'")):
            session.run('CREATE EXTENSION "uuid-ossp"')
            return
        self.say("uuid-ossp is not there: functions in SQL in its place")
        session.run("CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'")
        session.run(
            "CREATE FUNCTION public.uuid_generate_v5(space uuid, name text) RETURNS uuid IMMUTABLE LANGUAGE sql AS 'SELECT md5(space::text || name)::uuid'"
        )

    def measure(self, session: Session, pid: int, way: str, case: str) -> None:
        statement = CASES[case].format(way=way)
        session.run(f"VACUUM bench.{way}")
        session.run("CHECKPOINT")
        # Full images of pages would say more of the checkpoint than of the way.
        session.run(statement)
        cpu, wal = cpu_of(pid), session.value("SELECT pg_current_wal_insert_lsn()")
        session.run(statement)
        used = session.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'")
        cell = self.cells.setdefault((way, case), Cell())
        cell.cpu.append((cpu_of(pid) - cpu) / ROWS)
        cell.wal.append(float(used) / ROWS)

    def table(self, case: str) -> list[str]:
        lines = ["", f"An update of {ROWS:,} rows that changes {case}, medians of {self.rounds} rounds", ""]
        lines.append(f"{'':12} {'CPU µs a row':>12} {'ratio':>6}   {'WAL bytes a row':>15}")
        plain = self.cells["untracked", case]
        for way in self.ways:
            cell = self.cells[way, case]
            ratio = statistics.median(own / other for own, other in zip(cell.cpu, plain.cpu, strict=True))
            verdict = f"   above {MOST}" if way == "history" and ratio > MOST else ""
            lines.append(f"{way:12} {statistics.median(cell.cpu):12.2f} {ratio:6.2f}   {statistics.median(cell.wal):15.0f}{verdict}")
        if PEER in self.ways:
            ratio = statistics.median(
                own / other for own, other in zip(self.cells[PEER, case].cpu, self.cells["history", case].cpu, strict=True)
            )
            lines.append(f"{PEER} needs {ratio:.1f} times what the history needs" + ("" if ratio >= LEAST else f"   below {LEAST}"))
        return lines

    def run(self) -> None:
        if PEER not in self.ways:
            self.say(f"{self.peer} is not there: {PEER} is LEFT OUT")
        session = self.make()
        pid = int(session.value("SELECT pg_backend_pid()"))
        for number in range(self.rounds):
            self.say(f"round {number + 1} of {self.rounds}")
            for case in CASES:
                for way in self.ways if number % 2 == 0 else reversed(self.ways):
                    self.measure(session, pid, way, case)
        facts = [f"Postgres {session.value('SHOW server_version')}", *report.machine(session)]
        session.close()
        print("\n".join([*facts, *(line for case in CASES for line in self.table(case))]))


if __name__ == "__main__":
    Bench().run()
