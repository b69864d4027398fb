#!/usr/bin/env python3
"""Measures the import of a schema.prisma beside the same DDL from a script, and plan and drift of an unchanged blueprint
beside pg_dump and Prisma's own engine.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import prisma_schema
import report
from judge import Judge
from session import Session

DATABASE, TEMPLATE = "kepler_bench_blueprints", "kepler_bench_blueprints_template"
SIZES = [75] if os.environ.get("QUICK") else [75, 300]
ROUNDS = int(os.environ["ROUNDS"])
REPEATS = 5
TICK = os.sysconf("SC_CLK_TCK")

SCRIPT, SCRIPT_AT_ONCE = "DDL from a script", "… in one transaction"
READ, APPLY, BOTH = "blueprint_from_prisma", "apply_blueprint", "import: both"
PLAN_FIRST, PLAN = "plan_blueprint, first of a session", "plan_blueprint, nothing changed"
PLAN_NEXT, APPLY_NEXT = "plan_blueprint, one column and one index more", "apply_blueprint, one column and one index more"
DRIFT_FIRST, DRIFT = "blueprint_drift, first of a session", "blueprint_drift"
WRITE = "prisma_schema"
DUMP, ENGINE = "pg_dump --schema-only", "Prisma's engine: diff"

# Targets: times the script, and ms of 75 models (of more in proportion).
AT_MOST = 2
BELOW = {PLAN_FIRST: 250, PLAN: 250, DRIFT_FIRST: 100, DRIFT: 100}

SHAPE = {"tables": "CREATE TABLE", "enums": "CREATE TYPE", "references": "ADD CONSTRAINT", "indexes": " INDEX "}
READING = "UPDATE bench.documents SET document = kepler.blueprint_from_prisma(text, blueprint_name => 'bench') WHERE version = {}"
APPLYING = "SELECT a.outcome FROM bench.documents, kepler.apply_blueprint(document) AS a WHERE documents.version = {}"
PLANNING = "SELECT count(*) FROM bench.documents, kepler.plan_blueprint(document) AS p WHERE documents.version = {}"
DRIFTING = "SELECT count(*) FROM kepler.blueprint_drift('bench') AS d WHERE kind <> 'coverage'"
WRITING = "SELECT octet_length(kepler.prisma_schema('public'))"


@dataclass
class Cost:
    """Milliseconds."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def cpu_of(pid: int) -> float:
    """The time that a process has run, in ms. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def all_threads(pid: int) -> float:
    """The same of all its threads, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e3 / TICK


def ended_children(pid: int) -> float:
    """ms of CPU of the postmaster's children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 1e3 / TICK


def own_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e3


class Bench:
    """One run over all sizes; the ways take turns within a round."""

    def __init__(self, folder: Path, judge: Judge, postmaster: int) -> None:
        self.folder, self.judge, self.postmaster = folder, judge, postmaster
        self.started = time.monotonic()
        self.costs: dict[tuple[int, str], list[Cost]] = {}
        self.shapes: dict[int, str] = {}

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def fresh(self, template: str) -> None:
        with closing(Session("postgres")) as session:
            session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            session.run(f"CREATE DATABASE {DATABASE} TEMPLATE {template}")
            session.run("CHECKPOINT")

    def note(self, size: int, way: str, cost: Cost) -> None:
        self.costs.setdefault((size, way), []).append(cost)

    def measured(self, session: Session, work: Callable[[], object]) -> Cost:
        """In one session, whose backend is there."""
        pid = int(session.value("SELECT pg_backend_pid()"))
        cpu, began = cpu_of(pid), time.monotonic()
        work()
        return Cost((time.monotonic() - began) * 1e3, cpu_of(pid) - cpu)

    def statement(self, session: Session, statement: str) -> Cost:
        return self.measured(session, lambda: session.run(statement))

    def beside(self, work: Callable[[], object], client: Callable[[], float]) -> Cost:
        """Of a program with sessions of its own: its CPU and the server's for it."""
        before, began = ended_children(self.postmaster) + client(), time.monotonic()
        work()
        wall = (time.monotonic() - began) * 1e3
        # The server's processes for it end a moment later.
        time.sleep(0.3)
        return Cost(wall, ended_children(self.postmaster) + client() - before)

    def script(self, size: int, way: str, file: Path) -> None:
        self.fresh("template0")
        with closing(Session(DATABASE)) as session:
            session.run("SELECT count(*) FROM pg_class")
            self.note(size, way, self.measured(session, lambda: session.script(file)))

    def imported(self, size: int, texts: list[str]) -> None:
        """What an import costs, and then what its blueprint costs from day to day. The database stays."""
        self.fresh(TEMPLATE)
        with closing(Session(DATABASE)) as session:
            session.run("SET client_min_messages = error")
            for version, text in enumerate(texts, 1):
                session.run(f"INSERT INTO bench.documents VALUES ({version}, $schema${text}$schema$)")
            # The library is loaded, as it is in any session that has used Kepler.
            session.run("SELECT kepler.version()")
            read = self.statement(session, READING.format(1))
            apply = self.expect("applied", session, APPLYING.format(1))
            for way, cost in ((READ, read), (APPLY, apply), (BOTH, read + apply)):
                self.note(size, way, cost)
            session.run(READING.format(2))
            tables = session.value("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
            assert int(tables) == size, f"{tables} tables"

    def unchanged(self, size: int) -> None:
        for first, ways in ((PLAN_FIRST, (PLAN, PLANNING.format(1))), (DRIFT_FIRST, (DRIFT, DRIFTING)), (None, (WRITE, WRITING))):
            way, statement = ways
            with closing(Session(DATABASE)) as session:
                session.run("SELECT kepler.version()")
                wanted = None if way == WRITE else "0"
                cost = self.expect(wanted, session, statement)
                if first is not None:
                    self.note(size, first, cost)
                for _ in range(REPEATS):
                    self.note(size, way, self.expect(wanted, session, statement))

    def others(self, size: int, text: str) -> None:
        dump = [str(Path(os.environ["PG_BIN"]) / "pg_dump"), "--schema-only", "--schema=public", "--file=/dev/null", DATABASE]
        files = {"schema.prisma": text}

        def ask() -> None:
            difference = self.judge.difference(files, DATABASE)
            assert difference == "", f"Prisma's engine misses: {difference[:400]}"

        for _ in range(REPEATS):
            self.note(size, DUMP, self.beside(lambda: subprocess.run(dump, check=True), own_children))
            self.note(size, ENGINE, self.beside(ask, lambda: all_threads(self.judge.process_id)))

    def next_version(self, size: int) -> None:
        with closing(Session(DATABASE)) as session:
            session.run("SELECT kepler.version()")
            self.note(size, PLAN_NEXT, self.expect("2", session, PLANNING.format(2)))
            self.note(size, APPLY_NEXT, self.expect("applied", session, APPLYING.format(2)))

    def expect(self, wanted: str | None, session: Session, statement: str) -> Cost:
        answer: list[str] = []
        cost = self.measured(session, lambda: answer.extend(session.run(statement)))
        assert wanted is None or answer == [wanted], f"{statement}: {answer[:5]} instead of {wanted}"
        return cost

    def run(self) -> None:
        with closing(Session("postgres")) as session:
            session.run(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
            session.run(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        with closing(Session(TEMPLATE)) as session:
            session.run("CREATE EXTENSION kepler CASCADE")
            session.run("SELECT kepler.install()")
            session.run("CREATE SCHEMA bench")
            session.run("CREATE TABLE bench.documents (version int, text text, document json)")
        for size in SIZES:
            texts = [prisma_schema.schema(size, version) for version in (1, 2)]
            ddl = self.judge.ddl({"schema.prisma": texts[0]})
            scripts = {way: self.folder / f"{size}-{number}.sql" for number, way in enumerate((SCRIPT, SCRIPT_AT_ONCE))}
            scripts[SCRIPT].write_text(ddl)
            scripts[SCRIPT_AT_ONCE].write_text(f"BEGIN;\n{ddl}\nCOMMIT;\n")
            counts = {what: ddl.count(text) for what, text in SHAPE.items()}
            self.shapes[size] = ", ".join(f"{count} {what}" for what, count in counts.items())
            for number in range(ROUNDS):
                self.say(f"{size} models, round {number + 1}")
                for way, file in scripts.items():
                    self.script(size, way, file)
                self.imported(size, texts)
                self.unchanged(size)
                self.others(size, texts[0])
                self.next_version(size)
        with closing(Session("postgres")) as session:
            head = [f"Postgres {session.value('SHOW server_version')}", *report.machine(session)]
        print("\n".join([*head, *self.lines()]))

    def lines(self) -> list[str]:
        lines = [
            "",
            f"Medians of {ROUNDS} round(s); ms. CPU: of the backend, or of the program and the server's processes for it.",
            "ratio: of CPU, to the script in one transaction (above), to pg_dump and to Prisma's engine (below).",
        ]
        for size in SIZES:
            found = {
                way: Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))
                for (of, way), costs in self.costs.items()
                if of == size
            }
            lines += ["", self.shapes[size], ""]
            script = found[SCRIPT_AT_ONCE].cpu
            table = [["", "wall", "CPU", "ratio", "", "target"]]
            for way in (SCRIPT, SCRIPT_AT_ONCE, READ, APPLY, BOTH):
                cost, target = found[way], ""
                if way == BOTH:
                    target = f"≤ {AT_MOST:g} {report.mark(cost.cpu <= AT_MOST * script)}"
                table.append([way, f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{cost.cpu / script:.2f}", "", target])
            lines += [*report.table(table), ""]
            table = [["", "wall", "CPU", "/ pg_dump", "/ engine", "target"]]
            for way in (PLAN_FIRST, PLAN, PLAN_NEXT, APPLY_NEXT, DRIFT_FIRST, DRIFT, WRITE, DUMP, ENGINE):
                cost, target = found[way], ""
                if way in BELOW:
                    below = BELOW[way] * size / 75
                    target = f"< {below:.0f} ms {report.mark(cost.wall < below)}"
                ratios = [f"{cost.cpu / found[other].cpu:.2f}" for other in (DUMP, ENGINE)]
                table.append([way, f"{cost.wall:.0f}", f"{cost.cpu:.0f}", *ratios, target])
            lines += report.table(table)
        return lines


def main() -> None:
    with closing(Session("postgres")) as session:
        data = Path(session.value("SHOW data_directory"))
    postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
    with TemporaryDirectory() as folder, Judge() as judge:
        Path(folder).chmod(0o755)
        Bench(Path(folder), judge, postmaster).run()


if __name__ == "__main__":
    main()
