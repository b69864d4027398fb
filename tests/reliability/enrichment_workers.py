#!/usr/bin/env python3
"""Example workers in trouble. Started by enrichment_workers.sh, which tells what must hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from session import Session

DATABASE = os.environ["KEPLER_DATABASE"]
RECORDS = int(os.environ["RECORDS"])
HERE = Path(__file__).resolve().parent
# Shorter than the work on a batch (1.5 s): heartbeats are what keeps it.
LEASE, BATCH, AT_ONCE = 1.2, 300, 8
# Much longer than the test: who has nothing to do is woken up, or sleeps.
MAX_WAIT = 60
LIMIT = 30

# What is loaded: every 50th record fails at first, every 200th for good, every 500th has a result that
# cannot be stored, every 500th one that the database refuses, every 1000th cannot be claimed. Each document
# says what is to be found.
DOCUMENTS = """
    SELECT json_agg(json_build_object('external_id', i, 'data', jsonb_strip_nulls(jsonb_build_object(
        'website', CASE WHEN i % 200 = 7 THEN 'none' WHEN i % 3 = 0 THEN 'HTTPS://www.Company-' || i || '.Example/about'
                        WHEN i % 3 = 1 THEN 'company-' || i || '.example' END,
        'email', CASE WHEN i % 3 = 2 THEN 'info@company-' || i || '.example' END,
        'about', CASE WHEN i % 2 = 0 THEN 'Number ' || i || ' makes the tools for a trade'
                      ELSE 'Die Nummer ' || i || ' ist für das Handwerk' END,
        'failure', CASE WHEN i % 500 = 11 THEN 'unstorable' WHEN i % 500 = 23 THEN 'refused' WHEN i % 1000 = 37 THEN 'poison'
                        WHEN i % 50 = 3 THEN 'first' END))))::text
    FROM generate_series({}, {}) AS i"""

POISON = "external_id::int % 1000 = 37"
# Nothing waits, and nobody is at work.
IDLE = f"NOT EXISTS (SELECT FROM kepler.records WHERE enrichment_status IN ('UNAPPLIED', 'PENDING') AND NOT {POISON})"
FAILED = "external_id::int % 200 = 7 OR external_id::int % 500 IN (11, 23)"
CHECKS = {
    "records that are PENDING": "SELECT count(*) FROM kepler.records WHERE enrichment_status = 'PENDING'",
    "records that should be APPLIED and are not": f"""
        SELECT count(*) FROM kepler.records WHERE NOT ({FAILED}) AND enrichment_status <> 'APPLIED'""",
    "records that should be FAILED and are not": f"""
        SELECT count(*) FROM kepler.records WHERE ({FAILED}) AND enrichment_status <> 'FAILED'""",
    "records in the queue": "SELECT count(*) FROM kepler.enrichment_queue",
    "leases": "SELECT count(*) FROM kepler.leases",
    "records not applied exactly once": f"""
        SELECT count(*) FROM kepler.records AS r
        WHERE (SELECT count(*) FROM kepler.enrichment_attempts AS a WHERE a.record_id = r.id AND a.outcome = 'applied')
            <> CASE WHEN {FAILED} THEN 0 ELSE 1 END""",
    "records whose attempts do not add up": """
        SELECT count(*) FROM (
            SELECT FROM kepler.enrichment_attempts GROUP BY record_id
            HAVING max(attempt) <> count(*) FILTER (WHERE outcome <> 'released')
                OR count(*) FILTER (WHERE outcome = 'failed') > 1) AS a""",
    "wrong results": """
        SELECT count(*) FROM kepler.records WHERE enrichment_status = 'APPLIED' AND (
            enrichment->>'domain' IS DISTINCT FROM 'company-' || external_id || '.example'
            OR enrichment->>'language' IS DISTINCT FROM CASE WHEN external_id::int % 2 = 0 THEN 'en' ELSE 'de' END
            OR (enrichment->'words')::int <> CASE WHEN external_id::int % 2 = 0 THEN 7 ELSE 6 END
            OR enrichment->>'about_sha256' IS DISTINCT FROM
                encode(sha256(convert_to(data->>'about', 'UTF8')), 'hex'))""",
    "errors without a reason": """
        SELECT count(*) FROM kepler.failed_enrichments
        WHERE error NOT LIKE 'no domain in website %' AND error NOT LIKE 'the result was rejected: %'""",
}


class Worker:
    """A process of one of the examples. Only its own id is ever signalled."""

    def __init__(self, kind: str, name: str, folder: Path) -> None:
        self.name, self.output = name, folder / f"{name}.log"
        python, packages = os.environ["PYTHON_EXAMPLE"], os.environ["PYTHON_PACKAGES"]
        if kind == "python":
            command = [sys.executable, f"{python}/worker.py"]
            own = {"PYTHONPATH": f"{packages}:{HERE}", "ENRICH": "enrichment_work:work"}
        else:
            command = ["node", f"{os.environ['EXAMPLE']}/worker.js"]
            own = {"ENRICH": str(HERE / "enrichment_work.mjs")}
        settings = {
            "PGDATABASE": DATABASE, "ENTITY_TYPE": "company", "WORKER": name, "BATCH_SIZE": str(BATCH),
            "CONCURRENCY": str(AT_ONCE), "MAX_WAIT": str(MAX_WAIT),
        }  # fmt: skip
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command, env={**os.environ, **settings, **own}, stdin=subprocess.DEVNULL, stderr=output
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, limit: float) -> float:
        """How long it took to end; fails if that was too long, or not with 0."""
        begun = time.monotonic()
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Broken(f"{self.name} was told to stop and runs on after {limit:g} s") from None
        if status != 0:
            raise Broken(f"{self.name} was told to stop and ended with {status}")
        return time.monotonic() - begun

    def says(self, text: str, limit: float = 3) -> None:
        begun = time.monotonic()
        while text not in self.output.read_text():
            if time.monotonic() - begun > limit:
                raise Broken(f"{self.name} does not say: {text}")
            time.sleep(0.05)


class Broken(Exception):
    """What should have held."""


class Test:
    def __init__(self, folder: Path) -> None:
        self.folder, self.session = folder, Session(DATABASE)
        self.workers: list[Worker] = []

    def start(self, kind: str) -> Worker:
        number = 1 + sum(worker.name.startswith(kind) for worker in self.workers)
        self.workers.append(Worker(kind, f"{kind}-{number}", self.folder))
        return self.workers[-1]

    def until(self, condition: str, limit: float = LIMIT) -> None:
        begun = time.monotonic()
        while self.session.value(f"SELECT {condition}") != "t":
            if time.monotonic() - begun > limit:
                raise Broken(f"not within {limit:g} s: {condition}")
            time.sleep(0.02)

    def applied(self, part: float) -> None:
        self.until(
            "(SELECT count(*) FROM kepler.enrichment_attempts WHERE outcome = 'applied')"
            f" >= {part * RECORDS:.0f}"
        )

    def holds(self, worker: Worker, since: str = "1 day") -> int:
        return self.value(
            "SELECT count(*) FROM kepler.records AS r JOIN kepler.leases AS l ON l.id = r.enrichment_lease_id"
            f" WHERE l.worker = '{worker.name}' AND l.created_at > clock_timestamp() - interval '{since}'"
        )

    def stop_with_records(self, worker: Worker, since: str = "1 day", least: int = 1) -> int:
        """Stops the process at a moment when it works on records, and tells how many it holds."""
        for _ in range(100):
            worker.signal(signal.SIGSTOP)
            # What it has sent already may still be on its way.
            time.sleep(0.05)
            if (held := self.holds(worker, since)) >= least:
                return held
            worker.signal(signal.SIGCONT)
            time.sleep(0.05)
        raise Broken(f"{worker.name} never holds a record")

    def run(self) -> str:
        self.session.run(
            "SELECT kepler.set_enrichment_policy('company', max_attempts => 10, notify => true,"
            f" lease => '{LEASE} s', backoff_base => '100 ms', backoff_cap => '500 ms')"
        )
        # The database refuses some results, and every change of some records.
        self.session.run("ALTER TABLE kepler.records ADD CONSTRAINT refused CHECK (NOT enrichment ? 'refused')")
        self.session.run(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'poison'; END $f$"
        )
        self.session.run(
            "CREATE TRIGGER refuse BEFORE UPDATE ON kepler.records FOR EACH ROW"
            " WHEN (OLD.data->>'failure' = 'poison') EXECUTE FUNCTION public.refuse()"
        )
        self.upsert(1, RECORDS // 2)
        one, two = self.start("python"), self.start("python")
        three, four = self.start("typescript"), self.start("typescript")

        for worker in (one, three):
            self.until(
                "EXISTS (SELECT FROM kepler.leases AS l WHERE l.lease_until > l.created_at + l.length + interval '0.1 s'"
                f" AND l.worker = '{worker.name}')"
            )

        # Killed with records in hand: they come back when the lease ends.
        self.applied(0.1)
        killed = 0
        for worker in (one, three):
            killed += self.stop_with_records(worker)
            worker.signal(signal.SIGKILL)
            worker.process.wait()
        others = [self.start("python"), self.start("typescript")]

        # Stalled past the lease: what they hold goes to others, and they must not send what they found.
        self.applied(0.2)
        stalled = sum(self.stop_with_records(worker) for worker in (two, four))
        time.sleep(LEASE + 0.3)
        for worker in (two, four):
            worker.signal(signal.SIGCONT)
        for worker in (two, four):
            worker.says("is lost: ")

        # Told to stop in the first third of a batch: they end within seconds, and hold nothing.
        self.upsert(RECORDS // 2 + 1, RECORDS)
        stops = []
        released = "SELECT count(*) FROM kepler.enrichment_attempts WHERE outcome = 'released'"
        for worker in (two, four):
            before = self.value(released)
            # So many that it is not done with them before it hears of it.
            self.stop_with_records(worker, since="500 ms", least=50)
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGCONT)
            stops.append(worker.ended(3))
            if held := self.holds(worker):
                raise Broken(f"{worker.name} ended and holds {held} records")
            if self.value(released) == before:
                raise Broken(f"{worker.name} was told to stop and released nothing")

        # Cut off from the database.
        if self.value("SELECT count(*) FROM kepler.enrichment_queue WHERE error IS NULL") == 0:
            raise Broken("the queue was empty before the connections were cut")
        cut = self.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'enrichment %'"
        )
        self.until(IDLE)
        for worker in others:
            worker.says("terminating connection due to administrator command")
            if worker.process.poll() is not None:
                raise Broken(f"{worker.name} did not survive that its connections were cut")

        # What could not be claimed is told, and comes when the database takes it again.
        poison = f"SELECT count(*) FROM kepler.records WHERE {POISON}"
        told = f"SELECT count(*) FROM kepler.failed_enrichments WHERE {POISON} AND error LIKE '%poison'"
        if self.value(told) != self.value(poison) or not self.value(poison):
            raise Broken(f"of {self.value(poison)} records that cannot be claimed {self.value(told)} are told")
        self.session.run("DROP TRIGGER refuse ON kepler.records")
        self.until(f"NOT EXISTS ({poison.replace('count(*)', '')} AND enrichment_status <> 'APPLIED')", 5)

        # Nothing to do; an upsert wakes each of them up, long before it would look for itself.
        woken = [
            self.wake_up(RECORDS + 1, asleep=others[1]),
            self.wake_up(RECORDS + 21, asleep=others[0]),
        ]
        for worker in others:
            worker.signal(signal.SIGTERM)
            stops.append(worker.ended(3))

        log = self.check(killed + stalled)
        return (
            f"{dict(log)}; killed with {killed}, stalled with {stalled}, {cut} connections"
            f" cut; woken and done within {max(woken):.2f} s, stopped within {max(stops):.2f} s"
        )

    def wake_up(self, first: int, asleep: Worker) -> float:
        """How long the one worker takes for new records, while the other cannot."""
        time.sleep(0.5)
        asleep.signal(signal.SIGSTOP)
        begun = time.monotonic()
        self.upsert(first, first + 19)
        self.until(IDLE, 3)
        asleep.signal(signal.SIGCONT)
        return time.monotonic() - begun

    def check(self, lost: int) -> Counter[str]:
        log = Counter[str]()
        for line in self.session.run("SELECT outcome, count(*) FROM kepler.enrichment_attempts GROUP BY 1"):
            outcome, count = line.split("|")
            log[outcome] = int(count)
        problems = [f"{what}: {n}" for what, query in CHECKS.items() if (n := self.value(query))]
        if log["expired"] < lost:
            problems.append(f"{lost} records were lost with their worker, and {log['expired']} attempts expired")
        if not log["retried"]:
            problems.append("no attempt failed for the time being")
        took_part = set(self.session.run("SELECT DISTINCT enrichment->>'by' FROM kepler.records WHERE enrichment IS NOT NULL"))
        # The others may have been in trouble before they ended anything.
        if idle := {worker.name for worker in self.workers[-2:]} - took_part:
            problems.append(f"did nothing: {', '.join(sorted(idle))}")
        if problems:
            raise Broken("\n".join(problems))
        return log

    def value(self, query: str) -> int:
        return int(self.session.value(query))

    def upsert(self, first: int, last: int) -> None:
        self.session.run(
            f"SELECT kepler.upsert_records_summary('company', ({DOCUMENTS.format(first, last)}))"
        )

    def clean_up(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.signal(signal.SIGKILL)
                worker.process.wait()


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        test = Test(Path(folder))
        try:
            told = test.run()
        except Broken as broken:
            for worker in test.workers:
                print(f"--- {worker.name}\n{''.join(worker.output.open().readlines()[-30:])}")
            print(broken)
            return 1
        finally:
            test.clean_up()
    print(f"{time.monotonic() - begun:.0f} s; {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
