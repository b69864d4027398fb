#!/usr/bin/env python3
"""Measures Kepler's upsert beside other ways to do the same, on one server, in one run.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is
measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import backend_memory
import dataset
import report
from results import COPY, KEPLER, LOAD, UPSERTS, Measure, Programme, Results, Run, Section, Way
from session import Session, SessionError

# For each step: how many documents are in which revision after it.
Revisions = dict[str, dict[str, int]]

DATABASE = "kepler_bench"
FOLDER = Path(__file__).resolve().parent / "records"


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rows: int
    programme: Programme
    rounds: int

    @classmethod
    def from_environment(cls) -> Plan:
        sizes = [int(size) for size in os.environ["BATCHES"].split()]
        return cls(int(os.environ["ROWS"]), Programme(sizes), int(os.environ["ROUNDS"]))


class Progress:
    """Lines on stderr, so that a run of minutes does not look like one that hangs."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        print(f"  {minutes}:{seconds:02}  {text}", file=sys.stderr, flush=True)


def make_database() -> Session:
    """A fresh database with Kepler, the tables of the other ways, and the procedures."""
    session = Session("postgres")
    session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    session.close()
    session = Session(DATABASE)
    session.run("CREATE EXTENSION kepler CASCADE")
    session.run("SELECT kepler.install()")
    session.script(FOLDER / "schema.sql")
    session.script(FOLDER.parent / "common.sql")
    for way in UPSERTS:
        if not way.is_kepler:
            session.run(f"CALL bench.create_table('{way.name}')")
    session.run("ALTER TABLE bench.md5_classify ADD COLUMN data_hash text")
    return session


def make_data(session: Session, plan: Plan) -> Revisions:
    """Generates the documents and cuts them into batches."""
    columns = "number, revision, external_id, body"
    session.copy(f"bench.documents ({columns})", dataset.copy_lines(plan.rows))
    session.run("VACUUM (ANALYZE) bench.documents")
    for section in plan.programme.sections:
        for step in dict.fromkeys(phase.step for phase in plan.programme.phases(section)):
            make_batches(session, step, section, dataset.STEPS[step])
    revisions = {}
    for step, revision in dataset.STEPS.items():
        # To respell is no revision of the content.
        revisions[step] = session.json(
            "SELECT json_object_agg(revision, count) FROM ("
            f" SELECT least(revision, {dataset.RESPELLED - 1}) AS revision, count(*)"
            f" FROM bench.documents WHERE revision = {revision} GROUP BY 1) AS r"
        )
    path = session.value("SELECT quote_literal(bench.copy_file())")
    query = "SELECT external_id, body FROM bench.documents WHERE revision = 0 ORDER BY number"
    session.run(f"COPY ({query}) TO {path}")
    return revisions


def make_batches(session: Session, step: str, section: Section, revision: str) -> None:
    session.run(f"CALL bench.make_batches('{step}', {section.key}, $${revision}$$)")


def warm_up(session: Session, section: Section) -> None:
    """Fills each table a little and lets Postgres learn what its columns hold: without statistics
    md5_classify would read the whole table for every batch, as it would on no table in use."""
    make_batches(session, "few", section, "CASE WHEN number < 10000 THEN 0 END")
    session.run("VACUUM (ANALYZE) bench.batches")
    for way in UPSERTS:
        session.run(f"CALL bench.run($way${statement(way)}$way$, 'few', {section.key})")
        session.run(f"VACUUM (ANALYZE) {way.table}")
        session.run(f"CALL bench.make_empty('{way.table}')")
    session.run("CALL bench.make_wal_files()")


def statement(way: Way) -> str:
    return (FOLDER / f"{way.name}.sql").read_text(encoding="utf-8")


def measure(session: Session, table: str, call: str) -> Measure:
    """Runs one phase. Replaced and deleted row versions are counted by Postgres; the count is exact
    once the session has handed it over, which it is made to do."""

    def state() -> tuple[int, int]:
        session.run("SELECT pg_stat_force_next_flush()")
        dead, size = session.value(
            "SELECT n_tup_upd + n_tup_del, pg_total_relation_size(relid)"
            f" FROM pg_stat_all_tables WHERE relid = '{table}'::regclass"
        ).split("|")
        return int(dead), int(size)

    dead_before, size_before = state()
    seconds, wal, cpu = session.value(call).split("|")
    dead_after, size_after = state()
    dead, growth = dead_after - dead_before, size_after - size_before
    return Measure(float(seconds), int(wal), dead, growth, float(cpu) if cpu else math.nan)


def check(session: Session, way: Way, step: str, expected: dict[str, int]) -> None:
    """A way that is fast because it did not do the work must not win."""
    found = session.json(
        "SELECT json_object_agg(revision, count) FROM ("
        f" SELECT data->>'revision' AS revision, count(*) FROM {way.table} GROUP BY 1) AS r"
    )
    if found != expected:
        raise SessionError(f"{way.label}, {step}: by revision {found}, expected {expected}")


def run_way(run: Run, revisions: Revisions, results: Results) -> None:
    """All phases of one way, in one session."""
    way, section = run.way, run.section
    session = Session(DATABASE)
    for phase in run.phases:
        session.run(phase.preparation.format(table=way.table))
        # The first change of a page after a checkpoint is logged as a whole page: the same for all.
        session.run("CHECKPOINT")
        call = f"CALL bench.run($way${statement(way)}$way$, '{phase.step}', {section.key})"
        results.add(section, way, phase, measure(session, way.table, call))
        # The check reads the whole table, which would do part of the next phase's work.
        if phase.may_be_read:
            check(session, way, phase.step, revisions[phase.step])
    session.run(f"CALL bench.make_empty('{way.table}')")
    session.close()


def run_copy(section: Section, results: Results) -> None:
    session = Session(DATABASE)
    session.run(LOAD.preparation.format(table=COPY.table))
    session.run("CHECKPOINT")
    results.add(section, COPY, LOAD, measure(session, COPY.table, "CALL bench.run_copy()"))
    session.run(f"CALL bench.make_empty('{COPY.table}')")
    session.close()


def run() -> None:
    plan, progress, results = Plan.from_environment(), Progress(), Results()
    progress.say(f"generating {plan.rows:,} documents and their revisions")
    session = make_database()
    revisions = make_data(session, plan)
    first_section = plan.programme.sections[0]
    warm_up(session, first_section)
    session.close()

    for number in range(1, plan.rounds + 1):
        for run in plan.programme.round(number):
            progress.say(f"round {number} of {plan.rounds}, {run.section.title}: {run.way.label}")
            run_way(run, revisions, results)
        progress.say(f"round {number} of {plan.rounds}: {COPY.label}")
        run_copy(first_section, results)

    progress.say(f"memory over {backend_memory.SAMPLES[-1]} batches")
    session = Session(DATABASE)
    session.run(f"CALL bench.make_empty('{KEPLER.table}')")
    growths = backend_memory.measure(session, first_section)
    facts = report.facts(session, plan.rows, plan.rounds)
    session.close()
    text = report.render(facts, plan.rows, plan.programme.sections, results, growths)
    print(text)
    print(f"written to {report.save(text, os.environ['PG_MAJOR'])}", file=sys.stderr)


def main() -> int:
    try:
        run()
    except KeyboardInterrupt:
        return 130
    except (SessionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
