#!/usr/bin/env python3
"""Measures what row security costs: the same calls as a role under the policies and as the owner, who is under none.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. The calls are those of the group growth.
What is measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import replace

import growth
import report
from session import Session, SessionError

ROLE = "kepler_bench_tenant"
ROUNDS = 9
TARGET = 1.1
# What the role reaches beside what its level gives, to run the benchmark.
RIGHTS = f"""
GRANT USAGE ON SCHEMA bench TO {ROLE};
GRANT ALL ON ALL SEQUENCES IN SCHEMA bench TO {ROLE};
ALTER FUNCTION bench.cpu() SECURITY DEFINER;
SELECT kepler.grant_access('{ROLE}', 'admin');
"""
NOTES = """\
CPU µs: of the session that runs as the owner, a row or a search. ratio: that of the role under row security to it, both in turn,
medians of the rounds. spread: the least and the greatest ratio of a round. WAL and dead rows: ratios, of a few runs of each."""


class Bench(growth.Bench):
    """One size is enough: how costs grow is told by the group growth."""

    def __init__(self) -> None:
        super().__init__()
        quick = bool(os.environ.get("QUICK"))
        self.rows = int(os.environ.get("ROWS", "0")) or (10_000 if quick else 100_000)
        self.budget = 60_000 if quick else 300_000
        names = os.environ.get("FAMILIES", "records enrichment entries memory messages").split()
        self.families = [family for family in growth.FAMILIES if family.name in names]
        self.lines: list[list[str]] = [["", "CPU µs", "ratio", "spread", "pages", "WAL", "dead rows", "target"]]
        self.missed = 0

    def run_family(self, family: growth.Family) -> None:
        self.say(f"{family.name}: {self.rows:,} rows")
        self.make_database(family)
        self.load(family, self.rows)
        admin = Session(growth.DATABASE)
        admin.run("VACUUM ANALYZE")
        for statement in RIGHTS.strip().split("\n"):
            admin.run(statement.rstrip(";"))
        self.full_pages(admin, "off")
        sessions = [Session(growth.DATABASE), Session(growth.DATABASE)]
        # The workspace is that of the rows, for the owner too.
        sessions[1].run(f"SET ROLE {ROLE}")
        self.lines.append([family.title, *[""] * (len(self.lines[0]) - 1)])
        for call in family.calls:
            self.say(f"  {call.label}")
            self.lines.append(self.compare(admin, sessions, call))
        for session in [*sessions, admin]:
            session.close()

    def compare(self, admin: Session, sessions: list[Session], call: growth.Call) -> list[str]:
        short = replace(call, most=max(1, call.stretch))
        for session in sessions:
            session.run(f"CALL bench.run_{call.name}({growth.WARM}, 1e9, {growth.WARM}, {self.rows})")
        owner, ratios = [], []
        for number in range(ROUNDS):
            # In turn, each first as often as second.
            order = (0, 1) if number % 2 == 0 else (1, 0)
            cpu = {place: self.cpu(sessions[place], short, self.rows) for place in order}
            owner.append(cpu[0])
            ratios.append(cpu[1] / cpu[0])
        counts = [self.writes(admin, session, call) for session in sessions]
        shares = [f"{secured / open_:.2f}" if open_ else "" for open_, secured in zip(*counts)]
        ratio = statistics.median(ratios)
        self.missed += ratio > TARGET
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        return [f"  {call.label}", f"{statistics.median(owner):.1f}", f"{ratio:.2f}", spread, *shares, report_target(ratio)]

    def writes(self, admin: Session, session: Session, call: growth.Call) -> tuple[float, float, float]:
        """Pages, bytes of WAL and row versions that died."""
        before = self.dead(admin, session)
        pages, _, wal, _ = self.counts(session, call, self.rows)
        return pages, wal if call.writes else 0, self.dead(admin, session) - before

    def dead(self, admin: Session, session: Session) -> float:
        session.run("SELECT pg_stat_force_next_flush()")
        schemas = "('kepler', 'kepler_data')"
        return float(admin.value(f"SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_all_tables WHERE schemaname IN {schemas}"))

    def run(self) -> None:
        session = Session("postgres")
        session.run(f"CREATE ROLE {ROLE}")
        self.say(", ".join(report.machine(session)[:1]))
        session.close()
        for family in self.families:
            self.run_family(family)
        print("\n".join(["", *report.table(self.lines), "", NOTES]))
        print(f"{self.missed} above {TARGET}")


def report_target(ratio: float) -> str:
    return f"≤ {TARGET}" + ("" if ratio <= TARGET else ": missed")


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
