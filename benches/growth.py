#!/usr/bin/env python3
"""Measures how the cost of a call grows with what lies beside its rows: CPU time, pages and WAL at several sizes.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is measured, and how, is told in
benches/README.md. tools/plots.py draws the figures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from session import Session, SessionError

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent / "growth"
Figures = dict[str, dict[str, dict[str, float]]]

# CPU time that a call is repeated for, in microseconds: the clock may be late by a tick or two at each end of a stretch.
BUDGET = 900_000
QUICK_BUDGET = 60_000
ROUNDS = 3
# A session has made all of its plans after so many calls.
WARM = 7
# Seconds.
BELIEVED = 61
# Runs whose pages and WAL are counted; of single rows, which seldom split a page, many.
COUNTED, COUNTED_SINGLE = 5, 50


@dataclass(frozen=True)
class Call:
    name: str
    label: str
    # What one run is divided by: rows, or 1 for a search.
    rows: int
    writes: bool = True
    # What comes after it and belongs to it.
    next: str = ""
    # Runs a stretch. The inputs of a stretch are made before the clock starts.
    stretch: int = 4
    most: int = 1_000_000


@dataclass(frozen=True)
class Family:
    name: str
    title: str
    calls: tuple[Call, ...]
    unit: str = "row"
    axis: str = "rows in the table"
    # Vacuumed at the end of each size, with the rows that the calls have changed.
    table: str = ""
    indexed: bool = False


def single(name: str, label: str, **more: Any) -> Call:
    return Call(name, label, **{"rows": 1, "stretch": 2000, **more})


FAMILIES = (
    Family(
        "records",
        "Upserts of records",
        (
            Call("unchanged_1000", "unchanged, by 1,000", 1000, writes=False),
            Call("changed_1000", "changed, by 1,000", 1000),
            single("unchanged_1", "unchanged, single", writes=False),
            single("changed_1", "changed, single"),
            Call("new_1000", "new, by 1,000", 1000),
            single("new_1", "new, single"),
        ),
        table="kepler.records",
    ),
    Family(
        "enrichment",
        "Claim and settle",
        (
            Call("cycle_100", "by 100", 100, next="settle", stretch=20),
            Call("cycle_10", "by 10", 10, next="settle", stretch=100),
            Call("cycle_1", "single", 1, next="settle", stretch=500),
        ),
        table="kepler.records",
    ),
    Family(
        "entries",
        "Entries of a table of eight fields",
        (
            Call("upsert_unchanged_1000", "upsert, unchanged, by 1,000", 1000, writes=False),
            Call("upsert_changed_1000", "upsert, changed, by 1,000", 1000),
            single("upsert_changed_1", "upsert, changed, single"),
            Call("insert_1000", "insert, by 1,000", 1000),
            single("insert_1", "insert, single"),
        ),
        table="kepler_data.item_1_entries",
    ),
    Family(
        "memory",
        "Memories",
        (
            single("search_all", "search of all, by the HNSW index", writes=False, stretch=100),
            single("search_user", "search of a user's hundred", writes=False, stretch=200),
            single("search_filter", "search by a filter that fifty meet", writes=False, stretch=200),
            single("search_word", "search for a word that fifty have", writes=False, stretch=200),
            single("remember_1", "remember, single", stretch=100),
            Call("remember_100", "remember, by 100", 100, stretch=2),
        ),
        unit="search, or a memory",
        indexed=True,
    ),
    Family(
        "messages",
        "Messages",
        (
            single("window_20", "window of 20", writes=False, stretch=500),
            single("search_talk", "search in a conversation of a hundred", writes=False, stretch=200),
            single("search_word", "search of all for a word that fifty have", writes=False, stretch=200),
            single("add_1", "add, single", stretch=500),
            Call("add_100", "add, by 100", 100, stretch=5),
        ),
        unit="search, or a message",
    ),
    Family(
        "tenants",
        "Calls in small tenants beside a large one",
        (
            Call("tenant_unchanged_50", "upsert, unchanged, by 50", 50, writes=False, stretch=20),
            single("tenant_search", "search of memories", writes=False, stretch=500),
            Call("tenant_cycle_10", "claim and settle, by 10", 10, next="tenant_settle", stretch=50),
            single("tenant_changed_1", "upsert, changed, single", stretch=500),
            single("tenant_remember_1", "remember, single", stretch=500),
        ),
        unit="row, or a search",
        axis="rows of the large tenant",
    ),
)


class Bench:
    def __init__(self) -> None:
        self.started = time.monotonic()
        quick = bool(os.environ.get("QUICK"))
        self.budget = QUICK_BUDGET if quick else BUDGET
        self.sizes = [int(size) for size in os.environ.get("SIZES", "10000" if quick else "10000 100000 1000000").split()]
        names = os.environ.get("FAMILIES", "").split() or [family.name for family in FAMILIES]
        self.families = [family for family in FAMILIES if family.name in names]
        if len(self.families) < len(names):
            raise SessionError(f"FAMILIES: there are {', '.join(family.name for family in FAMILIES)}")
        # Figures of families and sizes that are not measured now stay.
        self.path = Path(os.environ["KEPLER_BUILD"]) / "bench" / f"growth-{os.environ['PG_MAJOR']}{'-quick' if quick else ''}.json"
        self.figures: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {"families": {}}

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def make_database(self, family: Family) -> None:
        session = Session("postgres")
        session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        # What is measured is not how the disk is.
        session.run(f"ALTER DATABASE {DATABASE} SET synchronous_commit = off")
        session.close()
        session = Session(DATABASE)
        session.run("CREATE EXTENSION kepler CASCADE")
        session.run("SELECT kepler.install()")
        session.script(FOLDER / "schema.sql")
        session.script(FOLDER / f"{family.name}.sql")
        for call in family.calls:
            session.run(f"CALL bench.make_runner('{call.name}', '{call.next}', {call.writes})")
        session.run("CALL bench.load(1)")
        session.run("ANALYZE")
        session.close()

    def old_session(self, family: Family) -> Session:
        """One whose plans are made while each table has one row."""
        session = Session(DATABASE)
        session.run("SET bench.strict = off")
        for call in family.calls:
            for _ in range(WARM):
                session.run("BEGIN")
                session.run(f"SELECT bench.{call.name}(bench.{call.name}_input(nextval('bench.run'), 1)) AS answer \\gset\nSELECT 1")
                if call.next:
                    session.run(f"SELECT bench.{call.next}(:'answer')")
                session.run("ROLLBACK")
        session.run("RESET bench.strict")
        # What was undone used numbers up.
        session.run("SELECT setval('bench.number', 1, false)")
        return session

    def load(self, family: Family, rows: int) -> None:
        session = Session(DATABASE)
        if family.indexed:
            session.run("CALL bench.before_load()")
        session.run(f"CALL bench.load({rows})")
        if family.indexed:
            session.run("CALL bench.after_load()")
        if family.name in ("enrichment", "tenants"):
            # As autovacuum does after so many deletions. It leaves the statistics of columns alone.
            session.run("VACUUM kepler.enrichment_queue")
            session.run("VACUUM kepler.lease_records")
            session.run("VACUUM kepler.leases")
        session.run("CALL bench.read_all()")
        session.run("CALL bench.forget_sizes()")
        session.close()

    def full_pages(self, session: Session, setting: str) -> None:
        """Whether the first change of a page after a checkpoint logs the page."""
        session.run(f"ALTER SYSTEM SET full_page_writes = {setting}")
        session.run("SELECT pg_reload_conf()")
        session.run("SELECT pg_sleep(0.2)")
        session.run("CHECKPOINT")

    def measure(self, sessions: dict[str, Session], family: Family, rows: int) -> Figures:
        """The sessions take turns. The least time of the rounds counts: other work on the machine only adds to it."""
        found: Figures = {name: {call.name: {} for call in family.calls} for name in sessions}
        for call in family.calls:
            for session in sessions.values():
                # A new session makes plans of its own first.
                session.run(f"CALL bench.run_{call.name}({WARM}, 1e9, {WARM}, {rows})")
            for _ in range(ROUNDS):
                for name, session in sessions.items():
                    cpu = self.cpu(session, call, rows)
                    figures = found[name][call.name]
                    figures["cpu"] = min(figures.get("cpu", cpu), cpu)
            for name, session in sessions.items():
                pages, dirtied, wal, _ = self.counts(session, call, rows)
                found[name][call.name] |= {"pages": pages, "dirtied": dirtied} | ({"wal": wal} if call.writes else {})
        return found

    def cpu(self, session: Session, call: Call, rows: int) -> float:
        arguments = f"{call.stretch}, {self.budget / ROUNDS}, {call.most}, {rows}"
        runs, cpu = session.value(f"CALL bench.run_{call.name}({arguments})").split("|")
        return round(float(cpu) / (int(runs) * call.rows), 2)

    def vacuum(self, session: Session, family: Family, rows: int) -> dict[str, float]:
        """What VACUUM costs for each row of the table, also those that it finds unchanged."""
        look = "SELECT bench.cpu(), pg_current_wal_insert_lsn() - '0/0'"
        before = session.value(look).split("|")
        session.run(f"VACUUM (PARALLEL 0) {family.table}")
        after = session.value(look).split("|")
        cpu, wal = ((float(b) - float(a)) / rows for a, b in zip(before, after))
        return {"cpu": round(cpu, 3), "wal": round(wal, 1)}

    def counts(self, session: Session, call: Call, rows: int) -> list[float]:
        times = COUNTED_SINGLE if call.writes and call.rows == 1 else COUNTED
        answer = session.value(f"CALL bench.count('{call.name}', '{call.next}', {times}, {rows})")
        return [round(float(count) / call.rows, 3) for count in answer.strip("{}").split(",")]

    def run_family(self, family: Family) -> None:
        self.say(f"{family.name}: one row")
        self.make_database(family)
        old = self.old_session(family)
        warmed = time.monotonic()
        kept = self.figures["families"].setdefault(family.name, {})
        kept |= {"title": family.title, "unit": family.unit, "axis": family.axis, "calls": {call.name: call.label for call in family.calls}}
        sizes = kept.setdefault("sizes", {})
        for rows in self.sizes:
            self.say(f"{family.name}: {rows:,} rows")
            self.load(family, rows)
            if any("search" in call.name for call in family.calls):
                # A search believes for a minute what it found of a scope: here, that it has one row.
                time.sleep(max(0, warmed + BELIEVED - time.monotonic()))
            self.say("  measuring")
            admin = Session(DATABASE)
            self.full_pages(admin, "off")
            storage = admin.json("SELECT bench.storage()")
            new = Session(DATABASE)
            figures = self.measure({"new": new, "old": old}, family, rows)
            self.full_pages(admin, "on")
            for call in family.calls:
                if call.writes:
                    _, _, wal, whole = self.counts(new, call, rows)
                    figures["new"][call.name] |= {"wal_after_checkpoint": wal, "whole_pages": whole}
            new.close()
            sizes[str(rows)] = {**figures, "storage": storage} | ({"vacuum": self.vacuum(admin, family, rows)} if family.table else {})
            admin.close()
            kept["sizes"] = dict(sorted(sizes.items(), key=lambda item: int(item[0])))
            self.save()
        old.close()
        session = Session("postgres")
        session.run(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        session.close()

    def run(self) -> None:
        session = Session("postgres")
        self.figures["postgres"] = session.value("SHOW server_version").split()[0]
        self.figures["machine"] = report.machine(session)[0]
        session.close()
        for family in self.families:
            self.run_family(family)
        print(self.table())
        print(f"written to {self.path}; python3 tools/plots.py {self.path} draws it", file=sys.stderr)

    def table(self) -> str:
        lines = []
        for family in self.families:
            lines += ["", family.title, "-" * len(family.title)]
            rows = [["", *(f"{size:,}: {what}" for size in self.sizes for what in ("µs", "old", "pages", "WAL")), ""]]
            for call in family.calls:
                cells = []
                for size in self.sizes:
                    figures = self.figures["families"][family.name]["sizes"][str(size)]
                    new, old = figures["new"][call.name], figures["old"][call.name]
                    cells += [f"{new['cpu']:.1f}", f"{old['cpu']:.1f}", f"{new['pages']:.1f}", f"{new['wal']:.0f}" if "wal" in new else ""]
                rows.append([call.label, *cells, ""])
            lines += report.table(rows)
        return "\n".join(lines) + "\n"


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
