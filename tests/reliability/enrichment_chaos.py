#!/usr/bin/env python3
"""Workers that crash, stall and come back late. Started by enrichment_chaos.sh, which tells what must hold."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import Counter

from session import Session

DATABASE = os.environ["KEPLER_DATABASE"]
SECONDS = float(os.environ["SECONDS_TO_RUN"])
RECORDS = int(os.environ["RECORDS"])
WORKERS = 8
LEASE = 0.5
# Of the records of the second type so many are claimed in a minute, by entity: more than the run lets through.
LIMIT = 40
ENTITIES = 3
# Records of which the database refuses every change, at the head of the queue and among the others; and one that
# cannot be taken back from the worker that has it.
POISON = (1, 2, RECORDS // 2)
STUCK = 3
NOT_APPLIED = ", ".join(f"'{id}'" for id in (*POISON, STUCK))


def connect() -> Session:
    """Without the warnings of poison, which would stand among the answers."""
    session = Session(DATABASE)
    session.run("SET client_min_messages = error")
    return session


class Worker(threading.Thread):
    """Claims and settles, in all the ways in which workers go wrong. Counts what it was told."""

    def __init__(self, number: int, begun: float) -> None:
        super().__init__()
        self.name, self.begun = f"worker {number}", begun
        self.random = random.Random(number)
        self.session = connect()
        self.limited = 0
        self.claimed, self.answers, self.faults = 0, Counter[str](), Counter[str]()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not done.is_set():
                self.turn()
        except Exception as error:  # reported by main
            self.error = error
            done.set()

    def claim_limited(self) -> None:
        """Of a type with limits, some of it in transactions that never end, or end otherwise."""
        chance = self.random.random()
        if chance < 0.5:
            self.session.run("BEGIN")
        limited = self.session.run(
            f"SELECT count(*) FROM kepler.claim_records('limited', '{self.name}', {self.random.randint(1, 20)})"
        )
        if chance < 0.2:
            self.session.run("ROLLBACK")
        elif chance < 0.25:
            self.crash("crashed in a claim under a limit")
        elif chance < 0.5:
            self.session.run("COMMIT")
        self.limited += int(limited[0]) if chance >= 0.25 else 0

    def turn(self) -> None:
        if self.random.random() < 0.2:
            self.claim_limited()
        elapsed = time.monotonic() - self.begun
        # The faults come over the whole time, and stop with it: what they leave must then drain.
        rough = elapsed < SECONDS
        if rough and applied() > RECORDS * elapsed / SECONDS:
            time.sleep(0.05)
            return
        if rough and self.random.random() < 0.02:
            # The claim is never committed.
            self.session.run("BEGIN")
            self.claim()
            self.crash("crashed in the claim")
            return
        lease, records = self.claim()
        self.claimed += len(records)
        if not records:
            time.sleep(0.02)
            return
        fate = self.random.random() if rough else 1
        if fate < 0.05:
            self.crash("crashed after the claim")
            return
        if fate < 0.10:
            self.faults["stalled past the lease"] += 1
            time.sleep(LEASE + self.random.random() * 0.3)
        elif fate < 0.15:
            time.sleep(LEASE * 0.7)
            self.faults["heartbeat"] += 1
            self.session.run(f"SELECT kepler.extend_lease({lease})")
            time.sleep(LEASE * 0.6)
        else:
            time.sleep(self.random.random() * 0.05)
        if 0.15 <= fate < 0.18:
            self.session.run("BEGIN")
            self.settle(lease, records)
            self.crash("crashed in the settle")
            return
        if 0.18 <= fate < 0.22:
            self.faults["crashed half-way"] += 1
            self.answers.update(self.settle(lease, records[: len(records) // 2]))
            self.crash("crashed half-way")
            return
        self.answers.update(self.settle(lease, records))
        if 0.22 <= fate < 0.30:
            self.faults["said it twice"] += 1
            self.answers.update(self.settle(lease, records))

    def claim(self) -> tuple[int, list[dict[str, object]]]:
        rows = self.session.json(
            "SELECT coalesce(json_agg(json_build_object('lease', lease_id, 'id', record_id, 'v', data->'v')), '[]')"
            f" FROM kepler.claim_records('chaos', '{self.name}', {self.random.randint(5, 60)})"
        )
        return (rows[0]["lease"], rows) if rows else (0, [])

    def settle(self, lease: int, records: list[dict[str, object]]) -> list[str]:
        results: list[dict[str, object]] = []
        for record in records:
            chance = self.random.random()
            result: dict[str, object] = {"record_id": record["id"]}
            if chance < 0.03:
                # Characters that cannot be stored must not keep a failure from being told.
                result |= {"action": "fail", "error": "by chance \0"}
            elif chance < 0.05:
                result |= {"action": "release"}
            elif chance < 0.07:
                result |= {"action": "fail", "retryable": False}
            elif chance < 0.08:
                # The CHECK refuses it: it must be rejected, and the others must land.
                result |= {"result": {"refused": True}}
            else:
                # One member for each time that a result lands: merged, they can be counted.
                result |= {"result": {f"lease {lease}": record["v"]}}
            results.append(result)
        answers = self.told(lease, results)
        # As the example workers do: what is rejected is failed.
        rejected = [result for result, answer in zip(results, answers, strict=True) if answer == "rejected"]
        for result in rejected:
            if "refused" not in result.get("result", {}):  # type: ignore[operator]
                raise AssertionError(f"rejected, and nothing is wrong with it: {result}")
        if rejected:
            failed = [{"record_id": result["record_id"], "action": "fail"} for result in rejected]
            answers += self.told(lease, failed)
        return answers

    def told(self, lease: int, results: list[dict[str, object]]) -> list[str]:
        text = json.dumps(results)
        return self.session.run(f"SELECT outcome FROM kepler.settle_records({lease}, $j${text}$j$)")

    def crash(self, fault: str) -> None:
        self.faults[fault] += 1
        self.session._process.kill()
        self.session._process.wait()
        self.session = connect()


done = threading.Event()
workers: list[Worker] = []


def applied() -> int:
    return sum(worker.answers["applied"] for worker in workers)


def load(session: Session) -> None:
    session.run("CREATE TABLE public.changed (external_id text)")
    session.run(
        "SELECT kepler.set_enrichment_policy('chaos', max_attempts => 1000,"
        f" lease => '{LEASE} s', backoff_base => '10 ms', backoff_cap => '50 ms')"
    )
    session.run(
        "SELECT kepler.upsert_records_summary('chaos', (SELECT json_agg(json_build_object("
        "'external_id', i, 'data', json_build_object('v', 0, 'text', repeat('x', 300))))"
        f" FROM generate_series(1, {RECORDS}) AS i)::text)"
    )


def load_limited(session: Session) -> None:
    session.run(
        "SELECT kepler.set_enrichment_policy('limited', lease => '1 hour', limit_by => 'entity',"
        f" records_per_minute => {LIMIT})"
    )
    for source in range(ENTITIES):
        session.run(
            "SELECT kepler.upsert_records_summary('limited', (SELECT json_agg(json_build_object("
            "'external_id', 'limited ' || i, 'data', json_build_object('v', 0)))"
            f" FROM generate_series(1, 1000) AS i)::text, source => 'source {source}')"
        )


def poison(session: Session) -> None:
    """Some records cannot be written any more, whoever writes; one of them is at a worker that is lost."""
    session.run(
        "UPDATE kepler.enrichment_queue AS q SET ready_at = '2000-01-01' FROM kepler.records AS r"
        f" WHERE r.id = q.record_id AND r.external_id = '{STUCK}'"
    )
    session.run("SELECT count(*) FROM kepler.claim_records('chaos', 'lost', 1)")
    session.run(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $f$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = '42501'; END $f$"
    )
    session.run(
        "CREATE TRIGGER refuse BEFORE UPDATE ON kepler.records FOR EACH ROW"
        f" WHEN (OLD.external_id IN ({NOT_APPLIED})) EXECUTE FUNCTION public.refuse()"
    )
    session.run("ALTER TABLE kepler.records ADD CONSTRAINT refused CHECK (NOT enrichment ? 'refused')")
    session.run(
        "UPDATE kepler.enrichment_queue AS q SET ready_at = '2000-01-01' FROM kepler.records AS r"
        f" WHERE r.id = q.record_id AND r.external_id IN ({NOT_APPLIED})"
    )


def change(session: Session, version: int) -> None:
    """The source changes a few records, whatever state they are in."""
    ids = [id for id in random.sample(range(1, RECORDS + 1), 5) if id not in (*POISON, STUCK)]
    for id in ids:
        session.run(f"INSERT INTO public.changed VALUES ('{id}')")
    elements = [{"external_id": str(id), "data": {"v": version}} for id in ids]
    session.run(f"SELECT count(*) FROM kepler.upsert_records('chaos', $j${json.dumps(elements)}$j$)")


def look_after_failures(session: Session) -> None:
    """Some are deleted and restored, or get other content, and the others are given back. The list is true meanwhile."""
    untrue = CHECKS["failures that are not listed, or listed and none"]
    failed = [line for line in session.run("SELECT record_id FROM kepler.enrichment_failures LIMIT 4")]
    ids = "ARRAY[{}]::text[]".format(", ".join(f"'{id}'" for id in failed[:2]))
    for call in (
        f"SELECT count(*) FROM kepler.delete_records({ids})",
        f"SELECT count(*) FROM kepler.restore_records({ids})",
        "SELECT count(*) FROM kepler.requeue_records(entity_type => 'chaos', max_rows => 5)",
    ):
        session.run(call)
        found = session.value(untrue)
        if found != "0":
            raise AssertionError(f"{found} of the list of failures are untrue after {call}")


CHECKS = {
    "failures that are not listed, or listed and none": """
        SELECT count(*)
        FROM (SELECT * FROM kepler.records WHERE enrichment_status = 'FAILED' AND status = 'ACTIVE' AND deleted_at IS NULL) AS r
        FULL JOIN kepler.enrichment_failures AS f
            ON f.workspace_id = r.workspace_id AND f.record_id = r.id AND f.entity_type = r.entity_type
        WHERE r.id IS NULL OR f.record_id IS NULL""",
    "records that are not APPLIED": f"""
        SELECT count(*) FROM kepler.records
        WHERE entity_type = 'chaos' AND enrichment_status <> 'APPLIED' AND external_id NOT IN ({NOT_APPLIED})""",
    "rows left in the queue": "SELECT count(*) FROM kepler.enrichment_queue WHERE coalesce(error, '') NOT LIKE '%poison'",
    "leases left": "SELECT count(*) FROM kepler.leases WHERE worker <> 'lost' OR coalesce(error, '') NOT LIKE '%poison'",
    "notes of leases left": "SELECT count(*) - 1 FROM kepler.lease_records",
    "poison that is not told": f"""
        SELECT {len(POISON) + 1} - count(*) FROM kepler.failed_enrichments
        WHERE external_id IN ({NOT_APPLIED}) AND error LIKE '%poison'""",
    "unchanged records not applied exactly once": f"""
        SELECT count(*) FROM kepler.records AS r
        WHERE external_id NOT IN ({NOT_APPLIED}) AND (SELECT count(*) FROM jsonb_object_keys(r.enrichment)) <> 1
          AND NOT EXISTS (SELECT FROM public.changed AS c WHERE c.external_id = r.external_id)""",
    "records whose results are not those in the log": f"""
        SELECT count(*) FROM kepler.records AS r
        FULL JOIN (SELECT record_id, array_agg('lease ' || lease_id ORDER BY 'lease ' || lease_id) AS leases
                   FROM kepler.enrichment_attempts WHERE outcome = 'applied' GROUP BY 1) AS a ON a.record_id = r.id
        WHERE (r.external_id IN ({NOT_APPLIED})) IS NOT TRUE
          AND ARRAY(SELECT k FROM jsonb_object_keys(r.enrichment) AS k ORDER BY k) IS DISTINCT FROM a.leases""",
    "records whose last result is not for their content": f"""
        SELECT count(*) FROM kepler.records AS r
        LEFT JOIN (SELECT record_id, max(lease_id) AS lease_id
                   FROM kepler.enrichment_attempts WHERE outcome = 'applied' GROUP BY 1) AS a ON a.record_id = r.id
        WHERE r.external_id NOT IN ({NOT_APPLIED})
          AND r.data->'v' IS DISTINCT FROM r.enrichment->('lease ' || a.lease_id)""",
}


# Most records that were claimed of an entity within any 60 seconds, and how many there were.
LIMITED = """
    WITH claimed AS (
        SELECT r.entity_id, l.created_at AS at FROM kepler.records AS r
        JOIN kepler.leases AS l ON l.workspace_id = r.workspace_id AND l.id = r.enrichment_lease_id
        WHERE r.entity_type = 'limited')
    SELECT coalesce(max(w.claimed), 0), (SELECT count(*) FROM claimed), count(DISTINCT w.entity_id) FROM (
        SELECT entity_id, count(*) OVER (
            PARTITION BY entity_id ORDER BY at RANGE BETWEEN '59.999999 s' PRECEDING AND CURRENT ROW) AS claimed
        FROM claimed) AS w"""


def limits_that_did_not_hold(session: Session) -> list[str]:
    """And forgets the type, so that the other checks need not know it."""
    most, claimed, entities = (int(value) for value in session.value(LIMITED).split("|"))
    told = sum(worker.limited for worker in workers)
    session.run("DELETE FROM kepler.records WHERE entity_type = 'limited'")
    session.run("DELETE FROM kepler.leases WHERE entity_type = 'limited'")
    # Nobody has more than the limit, and somebody always tried for more.
    if (most, entities) != (LIMIT, ENTITIES) or claimed != told:
        return [f"{most} of {LIMIT} records in a minute, {entities} entities; {claimed} claimed, {told} told of"]
    return []


def main() -> int:
    session = connect()
    load(session)
    load_limited(session)
    poison(session)
    begun = time.monotonic()
    workers.extend(Worker(number, begun) for number in range(1, WORKERS + 1))
    for worker in workers:
        worker.start()
    version = 0
    while time.monotonic() - begun < SECONDS and not done.is_set():
        version += 1
        change(session, version)
        look_after_failures(session)
        time.sleep(0.2)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not done.is_set():
        time.sleep(0.2)
        look_after_failures(session)
        if session.value(CHECKS["records that are not APPLIED"]) == "0":
            break
    done.set()
    for worker in workers:
        worker.join()
    failures = [f"{worker.name}: {worker.error}" for worker in workers if worker.error]
    failures += limits_that_did_not_hold(session)
    for what, query in CHECKS.items():
        found = session.value(query)
        if found != "0":
            failures.append(f"{what}: {found}")
    answers, faults = Counter[str](), Counter[str]()
    for worker in workers:
        answers.update(worker.answers)
        faults.update(worker.faults)
    claimed = sum(worker.claimed for worker in workers)
    if not answers["failed"]:
        failures.append("no record failed")
    if not answers["rejected"]:
        failures.append("no result was rejected")
    log = Counter[str]()
    for line in session.run("SELECT outcome, count(*) FROM kepler.enrichment_attempts GROUP BY 1"):
        outcome, count = line.split("|")
        log[outcome] = int(count)
    # Each claim has one end, and each end that a worker was told of is in the log, and no other.
    if claimed != sum(log.values()):
        failures.append(f"{claimed} records were claimed, and the log has {sum(log.values())} ends")
    for outcome in ("applied", "retried", "released", "superseded", "failed"):
        if answers[outcome] != log[outcome]:
            failures.append(f"{outcome}: {answers[outcome]} were told, {log[outcome]} are in the log")
    deadlocks = session.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    if deadlocks != "0":
        failures.append(f"deadlocks: {deadlocks}")
    for fault in ("crashed after the claim", "stalled past the lease", "crashed in the settle"):
        if not faults[fault]:
            failures.append(f"nobody {fault}")
    print(f"{time.monotonic() - begun:.0f} s, {claimed} claims; log {dict(log)}; answers {dict(answers)}; {dict(faults)}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
