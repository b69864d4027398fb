#!/usr/bin/env python3
"""Measures deleting what is old: by a policy, by a hand-written batched DELETE, and by dropping partitions; alone and beside a writer.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. See benches/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import report
from session import Session

DATABASE = "kepler_bench_retention"
OLD = int(os.environ.get("RETENTION_ROWS", "20000" if os.environ.get("QUICK") else "1000000"))
BATCH = 5_000
# All that is old goes; one row in ten does; a tenth is old, and there is no index.
CASES = ("everything", "a filter", "no index")
COLUMNS = "id bigint NOT NULL, created_at timestamptz NOT NULL, temporary boolean NOT NULL, note text"
ROWS = """SELECT n, now() - interval '1 year' + n * interval '1 second', n % 10 = 0, repeat('note ', 20)
FROM generate_series(1, {rows}) AS n"""
# What somebody would write: in order of age, a batch a transaction, past locked rows.
BY_HAND = """CREATE PROCEDURE bench.by_hand(relation regclass, condition text) LANGUAGE plpgsql AS $$
DECLARE gone bigint;
BEGIN
    LOOP
        EXECUTE format('WITH old AS (SELECT ctid FROM %1$s WHERE created_at < now() - interval ''30 days'' AND %2$s ORDER BY created_at LIMIT {batch} FOR UPDATE SKIP LOCKED)
            DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))', relation, condition);
        GET DIAGNOSTICS gone = ROW_COUNT;
        COMMIT;
        EXIT WHEN gone = 0;
    END LOOP;
END $$"""
WAYS = ("policy", "by hand")


def cpu_of(pid: int) -> float:
    """The time that a process has run, in µs. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


@dataclass
class Cell:
    """What one way took."""

    rows: int = 0
    seconds: float = 0
    cpu: float = 0
    wal: float = 0
    longest: float = 0
    writes: list[float] = field(default_factory=list)


class Writer(threading.Thread):
    """Inserts and updates young rows, one a statement, as fast as the server answers."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self.table, self.took, self.stop = table, [], threading.Event()

    def run(self) -> None:
        session = Session(DATABASE)
        number = 10 * OLD
        while not self.stop.is_set():
            number += 1
            began = time.perf_counter()
            session.run(f"INSERT INTO {self.table} VALUES ({number}, now(), false, 'new')")
            session.run(f"UPDATE {self.table} SET note = 'newer' WHERE id = {number}")
            self.took.append((time.perf_counter() - began) / 2)
        session.close()


class Watch(threading.Thread):
    """The longest transaction of a session, looked at often."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.pid, self.longest, self.stop = pid, 0.0, threading.Event()

    def run(self) -> None:
        session = Session(DATABASE)
        look = f"SELECT coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0) FROM pg_stat_activity WHERE pid = {self.pid}"
        while not self.stop.wait(0.01):
            self.longest = max(self.longest, float(session.value(look) or 0))
        session.close()


class Bench:
    """One run: a table for each way and case, the same rows in each."""

    def __init__(self) -> None:
        self.started = time.monotonic()
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
        session.run(BY_HAND.format(batch=BATCH))
        return session

    def table(self, session: Session, case: str) -> None:
        session.run("DROP TABLE IF EXISTS bench.old")
        session.run(f"CREATE TABLE bench.old ({COLUMNS}, PRIMARY KEY (id))")
        session.run("INSERT INTO bench.old " + ROWS.format(rows=OLD))
        if case != "no index":
            session.run("CREATE INDEX ON bench.old (created_at)")
        session.run("VACUUM ANALYZE bench.old")
        session.run("CHECKPOINT")

    def measure(self, session: Session, way: str, case: str) -> None:
        self.table(session, case)
        filtered = case != "everything"
        if way == "policy":
            of = ", filter => '{\"temporary\": true}'" if filtered else ""
            session.run(f"SELECT kepler.set_retention('bench.old', '30 days'{of})")
            call = "CALL kepler.run_retention('1 hour')"
        else:
            call = f"CALL bench.by_hand('bench.old', '{'temporary' if filtered else 'true'}')"
        pid = int(session.value("SELECT pg_backend_pid()"))
        before = int(session.value("SELECT count(*) FROM bench.old"))
        writer, watch = Writer("bench.old"), Watch(pid)
        writer.start()
        watch.start()
        cpu, wal = cpu_of(pid), session.value("SELECT pg_current_wal_insert_lsn()")
        began = time.perf_counter()
        session.run(call)
        cell = self.cells.setdefault((way, case), Cell())
        cell.seconds, cell.cpu = time.perf_counter() - began, cpu_of(pid) - cpu
        cell.wal = float(session.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'"))
        for thread in (writer, watch):
            thread.stop.set()
            thread.join()
        cell.longest, cell.writes = watch.longest, writer.took
        cell.rows = before + len(writer.took) - int(session.value("SELECT count(*) FROM bench.old"))
        session.run("SELECT kepler.drop_retention(policy_id) FROM kepler.retention_report()")

    def partitions(self, session: Session) -> list[str]:
        lines = ["", f"{OLD:,} rows in twelve partitions by month, dropped", ""]
        for way in WAYS:
            session.run("DROP TABLE IF EXISTS bench.parted")
            session.run(f"CREATE TABLE bench.parted ({COLUMNS}) PARTITION BY RANGE (created_at)")
            for month in range(1, 13):
                session.run(f"CREATE TABLE bench.parted_{month} PARTITION OF bench.parted FOR VALUES FROM ('2020-{month:02}-01') TO ('{2020 + month // 12}-{month % 12 + 1:02}-01')")
            session.run(f"INSERT INTO bench.parted SELECT n, '2020-01-01'::timestamptz + n % 365 * interval '1 day', false, repeat('note ', 20) FROM generate_series(1, {OLD}) AS n")
            session.run("ANALYZE bench.parted")
            if way == "policy":
                session.run("SELECT kepler.set_retention('bench.parted', '30 days')")
            wal, began = session.value("SELECT pg_current_wal_insert_lsn()"), time.perf_counter()
            if way == "policy":
                session.run("CALL kepler.run_retention('1 hour')")
            else:
                for month in range(1, 13):
                    session.run(f"DROP TABLE bench.parted_{month}")
            took = time.perf_counter() - began
            used = float(session.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'"))
            lines.append(f"{way:10} {took * 1e3:8.0f} ms {used / 1024:8.0f} kB of WAL")
        return lines

    def lines(self, case: str) -> list[str]:
        lines = ["", f"{OLD:,} rows, {case}, beside a writer", ""]
        lines.append(f"{'':10} {'rows':>9} {'rows/s':>9} {'CPU µs/row':>11} {'WAL B/row':>10} {'longest ms':>11} {'write p50 ms':>13} {'p99 ms':>8}")
        for way in WAYS:
            cell = self.cells[way, case]
            rows = max(cell.rows, 1)
            p99 = statistics.quantiles(cell.writes, n=100)[98] if len(cell.writes) > 2 else 0
            p50 = statistics.median(cell.writes) if cell.writes else 0
            lines.append(
                f"{way:10} {cell.rows:9,} {rows / cell.seconds:9,.0f} {cell.cpu / rows:11.2f} {cell.wal / rows:10.0f} {cell.longest * 1e3:11.0f} {p50 * 1e3:13.2f} {p99 * 1e3:8.2f}"
            )
        return lines

    def run(self) -> None:
        session = self.make()
        for case in CASES:
            for way in WAYS:
                self.say(f"{case}: {way}")
                self.measure(session, way, case)
        parted = self.partitions(session)
        facts = [f"Postgres {session.value('SHOW server_version')}", *report.machine(session)]
        session.close()
        print("\n".join([*facts, *(line for case in CASES for line in self.lines(case)), *parted]))


if __name__ == "__main__":
    Bench().run()
