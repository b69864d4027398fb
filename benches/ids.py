#!/usr/bin/env python3
"""Measures loads of a large table whose ids come in the order of time beside random ones.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import report
from session import Session, SessionError

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent
STEPS = 8


@dataclass(frozen=True)
class Way:
    label: str
    table: str
    # The default of the column.
    expression: str


@dataclass(frozen=True)
class Step:
    """One part of a load."""

    microseconds: float
    wal: float
    index: int


# Backwards, an id begins with what is random in it, also within a millisecond.
WAYS = [
    Way("random", "random", "('c' || reverse(substr(kepler.cuid(), 2)))"),
    Way("in order", "in_order", "kepler.cuid()"),
]


class Bench:
    """One run: the tables, the loads, the report."""

    def __init__(self) -> None:
        self.step = int(os.environ["ROWS"]) * 10 // STEPS
        self.rows = self.step * STEPS
        self.batch = int(os.environ["BATCHES"].split()[0])
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def make_database(self) -> None:
        session = Session("postgres")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "ids" / "schema.sql")
        session.script(FOLDER / "common.sql")
        session.run("CALL bench.make_wal_files()")
        session.close()

    def load(self, way: Way) -> list[Step]:
        session = Session(DATABASE)
        session.run(f"CALL bench.create_table('{way.table}', $way${way.expression}$way$)")
        steps = []
        for number in range(STEPS):
            self.say(f"{way.label}: {(number + 1) * self.step:,} of {self.rows:,} rows")
            session.run("CHECKPOINT")
            first, last = number * self.step + 1, (number + 1) * self.step
            call = f"CALL bench.load('{way.table}', {first}, {last}, {self.batch})"
            seconds, wal = session.value(call).split("|")
            index = session.value(
                "SELECT pg_relation_size(indexrelid) FROM pg_index"
                f" WHERE indrelid = 'bench.{way.table}'::regclass AND indisprimary"
            )
            steps.append(
                Step(float(seconds) / self.step * 1e6, float(wal) / self.step, int(index))
            )
        found = int(session.value(f"SELECT count(*) FROM bench.{way.table}"))
        if found != self.rows:
            raise SessionError(f"{way.label}: {found} rows instead of {self.rows}")
        session.run(f"DROP TABLE bench.{way.table}")
        session.close()
        return steps

    def table(self, loads: list[list[Step]]) -> list[str]:
        titles = [f"{way.label}: {what}" for what in ("µs/row", "WAL/row", "index") for way in WAYS]
        lines = [["rows", *titles, ""]]
        for number, steps in enumerate(zip(*loads)):
            lines.append(
                [
                    f"{(number + 1) * self.step:,}",
                    *(f"{step.microseconds:.1f}" for step in steps),
                    *(f"{step.wal:,.0f} B" for step in steps),
                    *(report.amount(step.index) for step in steps),
                    "",
                ]
            )
        return report.table(lines)

    def run(self) -> None:
        self.make_database()
        loads = [self.load(way) for way in WAYS]
        session = Session(DATABASE)
        version = session.value("SHOW server_version")
        text = ["Kepler, ids", "==========="]
        text += [f"Postgres {version}, Kepler {session.value('SELECT kepler.version()')}"]
        text += report.machine(session)
        session.close()
        text += [
            f"{self.rows:,} rows, batches of {self.batch:,}; a checkpoint before each line",
            "",
            *self.table(loads),
        ]
        rendered = "\n".join(text) + "\n"
        print(rendered)
        path = report.save(rendered, os.environ["PG_MAJOR"], "ids")
        print(f"written to {path}", file=sys.stderr)


def main() -> int:
    try:
        Bench().run()
    except KeyboardInterrupt:
        return 130
    except (SessionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
