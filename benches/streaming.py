#!/usr/bin/env python3
"""Measures a load by COPY and merge_inbox beside a staging table merged by hand, and the sweep of a full run.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import dataset
import report
from session import Session

FOLDER = Path(__file__).resolve().parent / "streaming"
DATABASE = "kepler_bench_streaming"
RAW = "WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
# COPY and merge are to reach so many times the speed of the same by hand.
TARGET = 0.9
WAYS = ("by hand", "Kepler")
# One in so many is changed, or is missing.
FEW = 100


@dataclass
class Cost:
    """µs of CPU and bytes of WAL a row."""

    cpu: float
    wal: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wal + other.wal)


def cpu_of(pid: int) -> float:
    """The time that a process has run, in µs. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


def median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(c.cpu for c in costs), statistics.median(c.wal for c in costs))


class Bench:
    """One run: the same files, loaded in both ways in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = int(os.environ["ROWS"])
        self.rounds = int(os.environ["ROUNDS"])
        self.started = time.monotonic()
        self.costs: dict[tuple[str, str, str], list[Cost]] = {}
        self.notes: list[str] = []

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def make_files(self) -> None:
        files = {name: (self.folder / name).open("w", encoding="utf-8") for name in ("all", "changed", "most")}
        for number in range(self.rows):
            document = dataset.document(number)
            line = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
            files["all"].write(line)
            if number % FEW:
                files["most"].write(line)
                files["changed"].write(line)
            else:
                document["revision"] = 1
                files["changed"].write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
        for file in files.values():
            file.close()
            Path(file.name).chmod(0o644)

    def make_database(self) -> None:
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "schema.sql")
        session.close()

    def measure(self, session: Session, statement: str) -> Cost:
        pid = int(session.value("SELECT pg_backend_pid()"))
        cpu, wal = cpu_of(pid), session.value("SELECT pg_current_wal_insert_lsn()")
        session.run(statement)
        used = float(session.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'"))
        return Cost((cpu_of(pid) - cpu) / self.rows, used / self.rows)

    def note(self, phase: str, way: str, part: str, cost: Cost) -> None:
        self.costs.setdefault((phase, way, part), []).append(cost)

    def load(self, way: str, phase: str, name: str) -> None:
        session = Session(DATABASE)
        table = "kepler.records" if way == "Kepler" else "bench.hand_written"
        session.run("VACUUM (ANALYZE) " + table)
        session.run("CHECKPOINT")
        file = f"'{self.folder / name}' {RAW}"
        if way == "Kepler":
            run = session.value("SELECT sync_run_id FROM kepler.begin_sync(NULL, 'item', source => 'bench')")
            session.run(f"SET kepler.sync_run_id = '{run}'")
            self.note(phase, way, "COPY", self.measure(session, f"COPY kepler.inbox (line) FROM {file}"))
            self.note(phase, way, "merge", self.measure(session, f"CALL kepler.merge_inbox('{run}', id_key => 'id')"))
            self.note(phase, way, "sweep", self.measure(session, f"CALL kepler.sweep_sync('{run}')"))
            deleted = session.value(f"SELECT deleted FROM kepler.sync_runs WHERE id = '{run}'")
            gone = len(range(0, self.rows, FEW)) if name == "most" else 0
            assert int(deleted) == gone, f"{deleted} records were deleted, not {gone}"
            session.run("VACUUM kepler.inbox")
        else:
            self.note(phase, way, "COPY", self.measure(session, f"COPY bench.staging (line) FROM {file}"))
            self.note(phase, way, "merge", self.measure(session, "CALL bench.merge_by_hand()"))
            session.run("TRUNCATE bench.staging")
        session.close()

    def run(self) -> None:
        self.say(f"{self.rows:,} documents")
        self.make_files()
        phases = [("fresh load", "all"), ("nothing changed", "all"), ("1 % changed", "changed")]
        for number in range(self.rounds):
            self.make_database()
            session = Session(DATABASE)
            session.run("CHECKPOINT")
            self.note("fresh load", "bare table", "COPY", self.measure(session, f"COPY bench.bare FROM '{self.folder / 'all'}' {RAW}"))
            session.run("TRUNCATE bench.bare")
            session.close()
            for phase, name in phases:
                for way in WAYS if number % 2 == 0 else WAYS[::-1]:
                    self.say(f"round {number + 1}, {phase}, {way}")
                    self.load(way, phase, name)
            self.load("Kepler", "1 % missing", "most")
        session = Session("postgres")
        print("\n".join([f"Postgres {session.value('SHOW server_version')}", *report.machine(session), *self.lines()]))
        session.close()

    def lines(self) -> list[str]:
        lines = ["", f"{self.rows:,} rows, medians of {self.rounds} round(s): µs of CPU and bytes of WAL a row", ""]
        lines.append(f"{'':16} {'':11} {'COPY':>13} {'merge':>13} {'sweep':>13} {'together':>13} {'speed':>6}")
        found = {key: median(costs) for key, costs in self.costs.items()}
        for phase, way in dict.fromkeys((phase, way) for phase, way, _ in found):
            parts = [found.get((phase, way, part)) for part in ("COPY", "merge", "sweep")]
            loaded = sum((part for part in parts[:2] if part), Cost(0, 0))
            shown = [*parts, loaded]
            cells = [f"{part.cpu:6.2f} {part.wal:6.0f}" if part else "" for part in shown]
            floor = [found.get((phase, "by hand", part)) for part in ("COPY", "merge")]
            speed = ""
            if way == "Kepler" and floor[0] and floor[1]:
                ratio = (floor[0] + floor[1]).cpu / loaded.cpu
                speed = f"{ratio:6.2f} {report.mark(ratio >= TARGET)}"
            lines.append(f"{phase:16} {way:11} " + " ".join(f"{cell:>13}" for cell in cells) + f" {speed}")
        return lines


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Bench(Path(folder)).run()
