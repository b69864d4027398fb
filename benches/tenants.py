#!/usr/bin/env python3
"""Measures what row security costs: the same calls as a role under the policies, as one that is exempt from them and otherwise
the same, and as the owner, a superuser, whose rights Postgres does not look up either.

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
# Postgres looks up the rights of this one too, but applies no policy.
EXEMPT = "kepler_bench_exempt"
ROUNDS = 9
TARGET = 1.1
# What the role reaches beside what its level gives, to run the benchmark.
RIGHTS = f"""
GRANT USAGE ON SCHEMA bench TO {ROLE}, {EXEMPT};
GRANT ALL ON ALL SEQUENCES IN SCHEMA bench TO {ROLE}, {EXEMPT};
ALTER FUNCTION bench.cpu() SECURITY DEFINER;
SELECT kepler.grant_access('{ROLE}', 'admin');
SELECT kepler.grant_access('{EXEMPT}', 'admin');
"""
NOTES = """\
CPU µs: of the session that runs as the owner, a row or a search. ratio: that of the role under row security to it, which has the
target. The owner is a superuser, whose right to call functions and operators Postgres does not look up; of policies: the ratio to
a role with the same rights and BYPASSRLS. All in turn, medians of the rounds. spread: the least and the greatest ratio of a round.
WAL and dead rows: ratios to the owner, of a few runs of each."""


class Bench(growth.Bench):
    """One size is enough: how costs grow is told by the group growth."""

    def __init__(self) -> None:
        super().__init__()
        quick = bool(os.environ.get("QUICK"))
        self.rows = int(os.environ.get("ROWS", "0")) or (10_000 if quick else 100_000)
        self.budget = 60_000 if quick else 300_000
        names = os.environ.get("FAMILIES", "records enrichment entries memory messages").split()
        self.families = [family for family in growth.FAMILIES if family.name in names]
        self.lines: list[list[str]] = [["", "CPU µs", "ratio", "spread", "of policies", "spread", "pages", "WAL", "dead rows", "target"]]
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
        sessions = [Session(growth.DATABASE) for _ in range(3)]
        # The workspace is that of the rows, for the owner too.
        sessions[1].run(f"SET ROLE {ROLE}")
        sessions[2].run(f"SET ROLE {EXEMPT}")
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
        rounds = []
        for number in range(ROUNDS):
            # In turn, each as often first as second and last.
            order = [(number + place) % 3 for place in range(3)]
            rounds.append({place: self.cpu(sessions[place], short, self.rows) for place in order})
        to_owner, of_policies = ([cpu[1] / cpu[other] for cpu in rounds] for other in (0, 2))
        counts = [self.writes(admin, session, call) for session in sessions[:2]]
        shares = [f"{secured / open_:.2f}" if open_ else "" for open_, secured in zip(*counts)]
        ratio = statistics.median(to_owner)
        self.missed += ratio > TARGET
        cells = [cell for ratios in (to_owner, of_policies) for cell in (f"{statistics.median(ratios):.2f}", spread(ratios))]
        owner = statistics.median(cpu[0] for cpu in rounds)
        return [f"  {call.label}", f"{owner:.1f}", *cells, *shares, report_target(ratio)]

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
        session.run(f"CREATE ROLE {EXEMPT} BYPASSRLS")
        self.say(", ".join(report.machine(session)[:1]))
        session.close()
        for family in self.families:
            self.run_family(family)
        print("\n".join(["", *report.table(self.lines), "", NOTES]))
        print(f"{self.missed} above {TARGET}")


def spread(ratios: list[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


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
