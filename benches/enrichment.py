#!/usr/bin/env python3
"""Measures claiming and settling beside other queues.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import report
from session import Session, SessionError

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent / "enrichment"
CLIENTS = (1, 4, 8)
SIZES = (100, 10, 1)
# How many records a run takes at most, by batch size: some seconds' worth.
RUNS = {1: 6_000, 10: 30_000, 100: 100_000}


@dataclass(frozen=True)
class Way:
    """A queue: how it is filled, what a client does for a batch, and what is then done."""

    label: str
    name: str
    fill: str
    batch: str
    done: str
    tables: tuple[str, ...]
    prepare: str = "SELECT 1"


RECORDS = """
    INSERT INTO bench.{table} SELECT i::text, 'UNAPPLIED', bench.document(i), NULL
    FROM generate_series(1, {rows}) AS i"""

KEPLER = Way(
    "Kepler",
    "kepler",
    "SELECT kepler.upsert_records_summary('bench', (SELECT json_agg(json_build_object("
    "'external_id', i, 'data', bench.document(i))) FROM generate_series(1, {rows}) AS i)::text)",
    "SELECT min(lease_id) AS lease, array_agg(record_id) AS ids FROM kepler.claim_records('bench', 'w', {size}) \\gset\n"
    "SELECT count(*) FROM kepler.complete_records(:lease, ':ids', array_fill(bench.result(), ARRAY[{size}]));",
    "SELECT count(*) FROM kepler.records WHERE enrichment_status = 'APPLIED'",
    ("kepler.records", "kepler.enrichment_queue", "kepler.leases", "kepler.lease_records", "kepler.enrichment_attempts"),
)
# Room on each page for a second version of every record: updates stay on it, and in no index.
KEPLER_ROOM = replace(
    KEPLER,
    label="Kepler, fillfactor 50",
    name="kepler_room",
    prepare="ALTER TABLE kepler.records SET (fillfactor = 50)",
)
# What a policy uses is what it pays for: the row above pays for neither.
KEPLER_PRIORITIES = replace(
    KEPLER,
    label="Kepler, priorities",
    name="kepler_priorities",
    prepare="SELECT kepler.set_enrichment_policy('bench', priorities => true)",
)
KEPLER_LIMIT = replace(
    KEPLER,
    label="Kepler, a limit",
    name="kepler_limit",
    prepare="SELECT kepler.set_enrichment_policy('bench', records_per_minute => 1000000000)",
)
HAND_WRITTEN = Way(
    "hand-written SKIP LOCKED",
    "hand",
    RECORDS.format(table="hand", rows="{rows}"),
    "SELECT bench.hand_claim({size}) AS ids \\gset\nSELECT bench.hand_settle(':ids', bench.result());",
    "SELECT count(*) FROM bench.hand WHERE status = 'APPLIED'",
    ("bench.hand",),
)
PGMQ_WAY = Way(
    "pgmq read + archive",
    "pgmq",
    "SELECT count(*) FROM pgmq.send_batch('bench', ARRAY(SELECT bench.document(i) FROM generate_series(1, {rows}) AS i))",
    "SELECT array_agg(msg_id) AS ids FROM pgmq.read('bench', 300, {size}) \\gset\n"
    "SELECT count(*) FROM pgmq.archive('bench', ':ids'::bigint[]);",
    "SELECT count(*) FROM pgmq.a_bench",
    ("pgmq.q_bench", "pgmq.a_bench"),
)
# The same, for messages that name a record: the worker reads it, and what is found is stored in it.
PGMQ_RECORDS = Way(
    "pgmq, and the record updated",
    "pgmq_records",
    "SELECT bench.pgmq_fill({rows})",
    "SELECT array_agg(m.msg_id) AS messages, array_agg(r.id) AS ids, count(r.data) FROM pgmq.read('bench', 300, {size}) AS m"
    " JOIN bench.records AS r ON r.workspace_id = 'default' AND r.id = m.message ->> 'record_id' \\gset\n"
    "SELECT bench.pgmq_settle(':messages', ':ids', bench.result());",
    "SELECT count(*) FROM bench.records WHERE enrichment_status = 'APPLIED'",
    ("bench.records", "pgmq.q_bench", "pgmq.a_bench"),
)


@dataclass
class Measure:
    rate: float
    wal: float
    dead: int
    growth: int


class Bench:
    def __init__(self) -> None:
        self.started = time.monotonic()
        self.rows = min(int(os.environ["ROWS"]), 100_000)
        self.pgmq = self.find_pgmq()

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def find_pgmq(self) -> str | None:
        """pgmq is SQL only: the text of its script, where the run was told of one."""
        if path := os.environ.get("KEPLER_PGMQ_SQL"):
            return Path(path).read_text(encoding="utf-8")
        self.say("KEPLER_PGMQ_SQL names no copy of pgmq's SQL: its rows are left out")
        return None

    def make_database(self) -> Session:
        """A fresh one for each run: what an earlier run left behind would count."""
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "schema.sql")
        session.run("SELECT kepler.set_enrichment_policy('bench')")
        return session

    def make_pgmq(self, session: Session) -> None:
        assert self.pgmq is not None
        with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
            file.write(self.pgmq)
            file.flush()
            session.script(Path(file.name))
        session.run("SELECT pgmq.create('bench')")
        session.script(FOLDER / "pgmq.sql")

    def ways(self, clients: int) -> list[Way]:
        # Claims under the limit of a type take turns, and the script does not come again where there was nothing.
        used = [KEPLER_PRIORITIES, KEPLER_LIMIT] if clients == 1 else []
        return [KEPLER, KEPLER_ROOM, *used, HAND_WRITTEN] + ([PGMQ_WAY, PGMQ_RECORDS] if self.pgmq else [])

    def measure(self, way: Way, size: int, clients: int, held: bool) -> Measure:
        session = self.make_database()
        if way in (PGMQ_WAY, PGMQ_RECORDS):
            self.make_pgmq(session)
        wanted = min(self.rows, RUNS[size])
        calls = wanted // size // clients
        # A tenth more than is taken: no client finds the queue empty.
        session.run(way.prepare)
        session.run(way.fill.format(rows=wanted + wanted // 10))
        session.run("VACUUM ANALYZE")
        session.run("CHECKPOINT")
        holder = None
        if held:
            holder = Session(DATABASE)
            holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            holder.run("SELECT count(*) FROM pg_class")
        before_size, before_wal = self.size(session, way), session.value("SELECT pg_current_wal_insert_lsn()")
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(way.batch.format(size=size) + "\n")
            script.flush()
            begun = time.monotonic()
            output = subprocess.run(
                [
                    str(Path(os.environ["PG_BIN"]) / "pgbench"), "-n", "-f", script.name,
                    "-c", str(clients), "-j", str(min(clients, 2)), "-t", str(calls), DATABASE,
                ],
                capture_output=True, text=True, check=False,
            )
            seconds = time.monotonic() - begun
        if output.returncode:
            raise SessionError(output.stderr[-2000:])
        wal = int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{before_wal}'::pg_lsn"))
        done = int(session.value(way.done))
        if done != calls * size * clients:
            raise SessionError(f"{way.label}: {done} done, not {calls * size * clients}")
        if found := re.search(r"tps = ([0-9.]+)", output.stdout):
            seconds = calls * clients / float(found[1])
        session.run("SELECT pg_stat_force_next_flush()")
        names = ", ".join(f"'{table}'::regclass" for table in way.tables)
        dead = int(session.value(f"SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relid IN ({names})"))
        measure = Measure(done / seconds, wal / done, dead, self.size(session, way) - before_size)
        if holder:
            holder.close()
        session.close()
        return measure

    def size(self, session: Session, way: Way) -> int:
        total = " + ".join(f"pg_total_relation_size('{table}')" for table in way.tables)
        return int(session.value(f"SELECT {total}"))

    def extend_lease(self) -> int:
        """WAL of one heartbeat for a batch of a hundred, a checkpoint long ago."""
        session = self.make_database()
        session.run(KEPLER.fill.format(rows=100))
        session.run("SELECT count(*) FROM kepler.claim_records('bench', 'w', 100)")
        session.run("CHECKPOINT")
        beat = "SELECT kepler.extend_lease(id) FROM kepler.leases"
        session.run(beat)
        before = session.value("SELECT pg_current_wal_insert_lsn()")
        for _ in range(100):
            session.run(beat)
        wal = int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'::pg_lsn"))
        session.close()
        return wal // 100

    def run(self) -> None:
        session = self.make_database()
        version, kepler = session.value("SHOW server_version"), session.value("SELECT kepler.version()")
        text = ["Kepler, enrichment", "==================", f"Postgres {version}, Kepler {kepler}", *report.machine(session)]
        text.append("claim and settle, a transaction each, through pgbench; documents of about 1 kB")
        if not self.pgmq:
            text.append("without pgmq: KEPLER_PGMQ_SQL named no copy of it")
        session.close()
        rates: dict[tuple[str, int, int, bool], float] = {}
        quick = bool(os.environ.get("QUICK"))
        for held in (False, True):
            lines = [["", "batch", "clients", "records/s", "WAL a record", "dead rows", "growth", "ratio", "target"]]
            for size in SIZES:
                for clients in (1, 8) if quick or held else CLIENTS:
                    for way in self.ways(clients):
                        measure = self.measure(way, size, clients, held)
                        rates[way.name, size, clients, held] = measure.rate
                        self.say(f"{way.label}, {size} x {clients}{', held' if held else ''}: {measure.rate:,.0f}/s")
                        lines.append([
                            way.label, str(size), str(clients), f"{measure.rate:,.0f}", f"{measure.wal:,.0f} B",
                            f"{measure.dead:,}", report.amount(measure.growth),
                            *self.verdict(way, size, clients, held, rates),
                        ])
            title = "With a snapshot held open for the whole run" if held else "Claim and settle"
            text += ["", title, "-" * len(title), *report.table(lines)]
        wal = self.extend_lease()
        text += ["", f"heartbeat of a batch of 100: {wal} bytes of WAL, target <= 500 {report.mark(wal <= 500)}"]
        major = version.split(".", maxsplit=1)[0]
        print("\n".join(text))
        print(f"kept in {report.save(chr(10).join(text) + chr(10), major, 'enrichment')}", file=sys.stderr)

    def verdict(
        self, way: Way, size: int, clients: int, held: bool,
        rates: dict[tuple[str, int, int, bool], float],
    ) -> tuple[str, str]:
        """The ratio and what is asked of it. The rates of Kepler come first in each group."""
        own = rates["kepler", size, clients, held]
        if way in (KEPLER, KEPLER_ROOM):
            if not held:
                return "", ""
            ratio = rates[way.name, size, clients, held] / rates[way.name, size, clients, False]
            return f"{ratio:.2f} of unheld", f">= 0.5 {report.mark(ratio >= 0.5)}"
        ratio = own / rates[way.name, size, clients, held]
        if way is PGMQ_WAY and size == 100 and not held:
            return f"Kepler {ratio:.2f}", f">= 1.5 {report.mark(ratio >= 1.5)}"
        if way is PGMQ_RECORDS and size == 100 and not held:
            return f"Kepler {ratio:.2f}", f">= 1.2 {report.mark(ratio >= 1.2)}"
        return f"Kepler {ratio:.2f}", ""


def main() -> int:
    try:
        Bench().run()
    except SessionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
