#!/usr/bin/env python3
"""Measures updates of JSON documents beside nested jsonb_set and beside read-modify-write.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import report
from session import Session, SessionError

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent
# With the functions alone: so many times over the same table.
REPEATS = 5


@dataclass(frozen=True)
class Size:
    label: str
    organizations: int
    # How many rows there are, as a part of all.
    share: float


@dataclass(frozen=True)
class Change:
    """The same change, in both ways."""

    label: str
    by_hand: str
    operations: str


SIZES = [Size("1 kB", 6, 1), Size("50 kB", 370, 0.02)]


def nested(paths: list[str], value: str) -> str:
    """One jsonb_set inside the other."""
    text = "doc"
    for path in paths:
        text = f"jsonb_set({text}, '{{{path.replace('.', ',')}}}', '{value}')"
    return text


FIVE = ["status", "result.org2.ok", "result.org3.ok", "result.org5.ok", "settings.batchSize"]
CHANGES = [
    Change("one nested set", nested(["result.org4.ok"], '"new"'), '{"$set": {"result.org4.ok": "new"}}'),
    Change(
        "five sets",
        nested(FIVE, '"new"'),
        '{"$set": {' + ", ".join(f'"{path}": "new"' for path in FIVE) + "}}",
    ),
    Change(
        "an increment",
        "jsonb_set(doc, '{count}', to_jsonb((doc->>'count')::numeric + 1))",
        '{"$inc": {"count": 1}}',
    ),
]


class Bench:
    """One run: the data, the tables, the measures."""

    def __init__(self) -> None:
        self.rows = int(os.environ["ROWS"]) // 2
        self.rounds = int(os.environ["ROUNDS"])
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
        session.script(FOLDER / "json_update" / "schema.sql")
        session.script(FOLDER / "common.sql")
        session.run("CALL bench.make_wal_files()")
        session.close()

    def fresh(self, session: Session, size: Size, storage: str) -> int:
        """The table bench.documents, with documents nobody has touched."""
        rows = max(int(self.rows * size.share), 100)
        session.run("DROP TABLE IF EXISTS bench.documents")
        session.run(
            f"CALL bench.make_documents('documents', {rows}, {size.organizations}, '{storage}')"
        )
        session.run("VACUUM (ANALYZE) bench.documents")
        session.run("CHECKPOINT")
        return rows

    def check(self, session: Session, change: Change) -> None:
        """Both ways must give the same documents."""
        same = session.value(
            f"SELECT bool_and({change.by_hand} = kepler.json_update(doc, '{change.operations}'))"
            " FROM bench.documents WHERE id <= 100"
        )
        if same != "t":
            raise SessionError(f"{change.label}: the two ways differ")

    def functions(self) -> list[str]:
        """The function alone, over documents that are stored plain."""
        lines = [["", "reading alone", "jsonb_set", "Kepler", "ratio", "spread", "target"]]
        session = Session(DATABASE)
        for size in SIZES:
            rows = self.fresh(session, size, "EXTERNAL")
            self.say(f"the function alone: {rows:,} documents of {size.label}")
            for change in CHANGES:
                self.check(session, change)
                by_kepler = f"kepler.json_update(doc, '{change.operations}')"
                figures: dict[str, list[float]] = defaultdict(list)
                for _ in range(max(self.rounds, REPEATS)):
                    # The last one only reads each document: what is in the other two figures too.
                    for label, call in (
                        ("hand", change.by_hand),
                        ("kepler", by_kepler),
                        ("reading", "jsonb_typeof(doc)"),
                    ):
                        figures[label].append(self.scan(session, call) / rows * 1e6)
                line = self.line(f"{size.label}, {change.label}", figures)
                line.insert(1, f"{statistics.median(figures['reading']):.2f}")
                lines.append(line)
        session.close()
        title = "The function alone, µs a document, reading it included"
        return ["", title, "-" * len(title), *report.table(lines)]

    def scan(self, session: Session, call: str) -> float:
        statement = f"SELECT count({call}) FROM bench.documents"
        return float(session.value(f"CALL bench.run_once($way${statement}$way$)").split("|")[0])

    def line(self, label: str, figures: dict[str, list[float]]) -> list[str]:
        hand, kepler = statistics.median(figures["hand"]), statistics.median(figures["kepler"])
        ratio = hand / kepler
        spread = max(figures["kepler"]) / min(figures["kepler"]) - 1
        return [
            label,
            f"{hand:.2f}",
            f"{kepler:.2f}",
            f"{ratio:.2f}",
            f"{spread:.0%}",
            f"≥ 1 {report.mark(ratio >= 1)}",
        ]

    def updates(self) -> list[str]:
        """An UPDATE of all rows."""
        lines = [["", "µs/row", "ratio", "WAL/row", "dead rows", "target"]]
        for size in SIZES:
            for change in CHANGES:
                by_kepler = f"kepler.json_update(doc, '{change.operations}')"
                ways = (("jsonb_set", change.by_hand), ("Kepler", by_kepler))
                figures: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
                for _ in range(self.rounds):
                    for label, call in ways:
                        figures[label].append(self.update(size, call))
                floor = statistics.median(f[0] for f in figures["jsonb_set"])
                for label, _ in ways:
                    seconds, wal = (
                        statistics.median(f[at] for f in figures[label]) for at in (0, 1)
                    )
                    ratio = floor / seconds
                    met = f"≥ 1 {report.mark(ratio >= 1)}" if label == "Kepler" else ""
                    name = f"{size.label}, {change.label}: {label}"
                    dead = figures[label][-1][2]
                    lines.append(
                        [name, f"{seconds * 1e6:.1f}", f"{ratio:.2f}", f"{wal:,.0f} B", f"{dead:,}", met]
                    )
        title = "UPDATE of all rows"
        return ["", title, "-" * len(title), *report.table(lines)]

    def update(self, size: Size, call: str) -> tuple[float, float, int]:
        session = Session(DATABASE)
        rows = self.fresh(session, size, "EXTENDED")
        self.say(f"UPDATE of {rows:,} documents of {size.label}: {call[:40]} …")
        statement = f"UPDATE bench.documents SET doc = {call}"
        seconds, wal = session.value(f"CALL bench.run_once($way${statement}$way$)").split("|")
        session.close()
        session = Session(DATABASE)
        dead = session.value(
            "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'bench.documents'::regclass"
        )
        session.close()
        return float(seconds) / rows, float(wal) / rows, int(dead)

    def row_by_row(self) -> list[str]:
        """One row a transaction: read-modify-write under a lock, and one call."""
        lines = [["", "read-modify-write", "Kepler", "ratio", "spread", "target"]]
        for size in SIZES:
            figures: dict[str, list[float]] = defaultdict(list)
            for _ in range(self.rounds):
                for label, call in (
                    ("hand", "read_modify_write(%s, '{result,org4,ok}', '\"new\"')"),
                    ("kepler", "update_documents(%s, '{\"$set\": {\"result.org4.ok\": \"new\"}}')"),
                ):
                    session = Session(DATABASE)
                    rows = min(self.fresh(session, size, "EXTENDED"), 10_000)
                    self.say(f"row by row: {rows:,} documents of {size.label}")
                    session.run("SET synchronous_commit = off")
                    seconds = float(session.value(f"CALL bench.{call % rows}").split("|")[0])
                    figures[label].append(seconds / rows * 1e6)
                    session.close()
            lines.append(self.line(f"{size.label}, one nested set", figures))
        title = "One row a transaction, µs (without waiting for the disk)"
        return ["", title, "-" * len(title), *report.table(lines)]

    def run(self) -> None:
        self.make_database()
        text = ["Kepler, document updates", "========================"]
        session = Session(DATABASE)
        version, kepler = session.value("SHOW server_version"), session.value("SELECT kepler.version()")
        text += [f"Postgres {version}, Kepler {kepler}", *report.machine(session)]
        session.close()
        text += [
            f"{self.rows:,} documents of 1 kB, {max(int(self.rows * SIZES[1].share), 100):,} of 50 kB",
            "ratio: speed relative to the other way. Medians of the rounds.",
        ]
        text += self.functions()
        text += self.updates()
        text += self.row_by_row()
        rendered = "\n".join(text) + "\n"
        print(rendered)
        path = report.save(rendered, os.environ["PG_MAJOR"], "json_update")
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
