#!/usr/bin/env python3
"""Measures Kepler on a Citus cluster of a coordinator and two workers beside Kepler on one server.

Started by benches/run.sh, which makes the servers: PGHOST is the coordinator's, KEPLER_ONE_NODE the other's, and KEPLER_NODES
names the nodes of the cluster and their data folders. What is measured, and how, is told in benches/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import report
from session import Session, SessionError

DATABASE = "kepler_bench"
ONE, CLUSTER = "one server", "cluster"
SPACES = 64
CLIENTS = 8
BATCH = 1_000
TARGET = 1.3
TICK = 1_000 / os.sysconf("SC_CLK_TCK")
QUICK = bool(os.environ.get("QUICK"))
SCHEMA = f"""
CREATE SCHEMA bench;
CREATE FUNCTION bench.document(number bigint, revision bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('number', number, 'revision', CASE WHEN number % 10 = 0 THEN revision END, 'name', md5(number::text),
        'notes', repeat(md5(number::text) || ' ', 24))
$$;
CREATE FUNCTION bench.batch(first bigint, revision bigint, all_changed boolean) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('external_id', md5(i::text), 'data',
        CASE WHEN all_changed THEN bench.document(i, 0) || jsonb_build_object('revision', revision) ELSE bench.document(i, revision) END))::text
    FROM generate_series(first, first + {BATCH} - 1) AS i
$$;
CREATE FUNCTION bench.vector(number bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT '[' || string_agg((('x' || substr(md5(concat(number, ' ', i)), 1, 6))::bit(24)::integer % 1000)::text, ',') || ']' FROM generate_series(1, 64) AS i
$$;
-- A control: the same message and as many rows, with nothing done in between.
CREATE TABLE bench.control (workspace_id text PRIMARY KEY);
CREATE FUNCTION bench.answer(batch text, workspace_id text) RETURNS TABLE (place integer, outcome text, record_id text, entity_id text, version bigint)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT i, 'unchanged', 'record ' || i, p.workspace_id, octet_length(batch)::bigint
        FROM bench.control AS p CROSS JOIN generate_series(1, {BATCH}) AS i WHERE p.workspace_id = answer.workspace_id;
END
$$;
"""
# Of each workspace.
LOAD = """
SELECT count(*) FROM kepler.create_workspace('{space}');
SELECT count(*) FROM kepler.set_enrichment_policy('contact', workspace_id => '{space}');
SELECT count(*) FROM kepler.upsert_records_summary('contact', bench.batch(0, 0, false), workspace_id => '{space}');
SELECT count(*) FROM kepler.remember_many((SELECT jsonb_agg(jsonb_build_object('content', concat_ws(' ', 'tea', 'cup ' || i, md5(i::text)), 'embedding', bench.vector(i)::jsonb)) FROM generate_series(1, 200) AS i)::text, workspace_id => '{space}');
INSERT INTO bench.control (workspace_id) VALUES ('{space}');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('{space}', 'u', 'u@example.com');
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('{space}', 'talk', 'u');
"""


def space(number: int) -> str:
    return f"w{number % SPACES}"


class Side:
    """A server or a cluster, with as many sessions as are asked for."""

    def __init__(self, name: str, host: str, folders: dict[str, str]) -> None:
        self.name, self.host, self.folders = name, host, folders
        self.first = self.session()
        # Numbers that no record has yet.
        self.next_new = 1_000_000
        self.revision = 0

    def session(self) -> Session:
        return Session(f"host={self.host} dbname={DATABASE}")

    def cpu(self) -> dict[str, float]:
        """Milliseconds that the processes of each node have taken."""
        return {name: processes(Path(folder)) for name, folder in self.folders.items()}


def processes(folder: Path) -> float:
    """Of a server, in milliseconds: those that run (to the nanosecond), and those that have ended."""
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    milliseconds = sum(int(field) for field in stat(postmaster)[13:15]) * TICK
    for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
        try:
            milliseconds += int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) / 1e6
        except OSError:
            pass
    return milliseconds


def stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


class Call:
    """A call that is measured. `prepare` makes what the statement is bound to, and is not counted."""

    def __init__(self, label: str, run: Callable[[Side, Session, str], Callable[[], None]], rows: int = 1, target: float | None = None) -> None:
        self.label, self.run, self.rows, self.target = label, run, rows, target


def upsert(kind: str, rows: int) -> Callable[[Side, Session, str], Callable[[], None]]:
    def prepare(side: Side, session: Session, name: str) -> Callable[[], None]:
        if kind == "new":
            side.next_new += BATCH
            what = f"bench.batch({side.next_new}, 0, false)"
        elif kind == "changed":
            side.revision += 1
            what = f"bench.batch(0, {side.revision}, true)"
        else:
            what = f"bench.batch(0, {side.revision}, true)" if side.revision else "bench.batch(0, 0, false)"
        if rows == 1:
            session.run(f"SELECT jsonb_build_array({what}::jsonb -> 7) AS batch \\gset\nSELECT 1")
        else:
            session.run(f"SELECT {what} AS batch \\gset\nSELECT 1")
        if kind == "unchanged":
            # As they are: whatever was sent before.
            session.run(f"SELECT count(*) FROM kepler.upsert_records_summary('contact', $1, workspace_id => $2) \\bind :batch '{name}'\n")
        statement = f"SELECT count(*) FROM kepler.upsert_records('contact', $1, workspace_id => $2) \\bind :batch '{name}'\n"
        return lambda: expect(session.run(statement), str(rows))

    return prepare


def expect(said: list[str], wanted: str) -> None:
    if said != [wanted]:
        raise SessionError(f"{said} instead of {wanted}")


def claim(rows: int) -> Callable[[Side, Session, str], Callable[[], None]]:
    def prepare(side: Side, session: Session, name: str) -> Callable[[], None]:
        # There is something to claim.
        session.run(f"SELECT count(*) FROM kepler.requeue_records(entity_type => 'contact', workspace_id => $1) \\bind '{name}'\n")
        side.next_new += BATCH
        session.run(f"SELECT count(*) FROM kepler.upsert_records_summary('contact', bench.batch({side.next_new}, 0, false), workspace_id => '{name}')")

        def measured() -> None:
            session.run(f"SELECT min(lease_id) AS lease, array_agg(record_id) AS ids FROM kepler.claim_records('contact', 'w', {rows}, workspace_id => $1) \\bind '{name}' \\gset\nSELECT 1")
            expect(session.run(f"SELECT count(*) FROM kepler.complete_records($1, $2, workspace_id => $3) \\bind :lease :ids '{name}'\n"), str(rows))

        return measured

    return prepare


def search(arguments: str) -> Callable[[Side, Session, str], Callable[[], None]]:
    def prepare(side: Side, session: Session, name: str) -> Callable[[], None]:
        session.run("SELECT bench.vector(7) AS vector \\gset\nSELECT 1")
        bound = ":vector" if "$2" in arguments else ""
        statement = f"SELECT count(*) FROM kepler.search_memories({arguments}, workspace_id => $1) \\bind '{name}' {bound}\n"
        return lambda: expect(session.run(statement), "10")

    return prepare


def message(side: Side, session: Session, name: str) -> Callable[[], None]:
    return lambda: expect(session.run(f"SELECT count(*) FROM kepler.add_message('talk', 'user', 'hello', workspace_id => $1) \\bind '{name}'\n"), "1")


def control(side: Side, session: Session, name: str) -> Callable[[], None]:
    session.run("SELECT bench.batch(0, 0, false) AS batch \\gset\nSELECT 1")
    return lambda: expect(session.run(f"SELECT count(*) FROM bench.answer($1, $2) \\bind :batch '{name}'\n"), str(BATCH))


CALLS = [
    Call("a batch sent, and nothing done", control, BATCH),
    Call("upsert by 1,000, new", upsert("new", BATCH), BATCH, TARGET),
    Call("upsert by 1,000, unchanged", upsert("unchanged", BATCH), BATCH, TARGET),
    Call("upsert by 1,000, changed", upsert("changed", BATCH), BATCH, TARGET),
    Call("upsert, single, unchanged", upsert("unchanged", 1)),
    Call("upsert, single, changed", upsert("changed", 1)),
    Call("claim and settle by 100", claim(100), 100),
    Call("claim and settle, single", claim(1)),
    Call("search of memories, vector", search("$2::text::vector, 10")),
    Call("search of memories, words", search("query_text => 'tea cup', max_rows => 10")),
    Call("message added", message),
]
# What many sessions do at once, in all workspaces.
SPREAD = [CALLS[1], CALLS[3], CALLS[6], CALLS[8]]


class Bench:
    def __init__(self) -> None:
        self.started = time.monotonic()
        self.missed = 0
        nodes = dict(pair.split("=", 1) for pair in os.environ["KEPLER_NODES"].split())
        self.sides = [
            Side(ONE, os.environ["KEPLER_ONE_NODE"], {"one server": os.environ["KEPLER_ONE_NODE_DATA"]}),
            Side(CLUSTER, os.environ["PGHOST"], nodes),
        ]

    def say(self, text: str) -> None:
        print(f"  {time.monotonic() - self.started:5.0f} s  {text}", file=sys.stderr)

    def single(self) -> list[str]:
        """One session, one workspace after another, the sides in turn."""
        lines = [["one session, ms a call", *(side.name for side in self.sides), "ratio", "spread", "CPU", "CPU, cluster", "ratio", "target"]]
        for call in CALLS:
            self.say(call.label)
            times: dict[str, list[float]] = {side.name: [] for side in self.sides}
            cpu = {side.name: 0.0 for side in self.sides}
            repeats = 6 if QUICK else 40
            for number in range(repeats + 4):
                for side in self.sides if number % 2 else reversed(self.sides):
                    measured = call.run(side, side.first, space(number % 4))
                    before, began = sum(side.cpu().values()), time.perf_counter()
                    measured()
                    # The first calls in a workspace make plans and connections.
                    if number >= 4:
                        times[side.name].append((time.perf_counter() - began) * 1_000)
                        cpu[side.name] += sum(side.cpu().values()) - before
            one, cluster = (statistics.median(times[side.name]) for side in self.sides)
            ratios = sorted(b / a for a, b in zip(times[ONE], times[CLUSTER]))
            ratio = cluster / one
            missed = call.target is not None and ratio > call.target
            self.missed += missed
            lines.append(
                [
                    call.label, f"{one:.2f}", f"{cluster:.2f}", f"{ratio:.2f}", f"{ratios[len(ratios) // 4]:.2f} to {ratios[3 * len(ratios) // 4]:.2f}",
                    f"{cpu[ONE] / repeats:.1f}", f"{cpu[CLUSTER] / repeats:.1f}", f"{cpu[CLUSTER] / cpu[ONE]:.2f}" if cpu[ONE] else "",
                    f"≤ {call.target}" + (": missed" if missed else "") if call.target else "",
                ]
            )  # fmt: skip
        return report.table(lines)

    def spread(self) -> list[str]:
        """Many sessions, each in workspaces of its own."""
        lines = [[f"{CLIENTS} sessions, {SPACES} workspaces", "calls/s, one", "calls/s, cluster", "ratio", "CPU ms a call, one", "coordinator", "worker 1", "worker 2", ""]]
        for call in SPREAD:
            self.say(f"{call.label}, {CLIENTS} sessions")
            rates, shares = {}, {}
            for side in self.sides:
                sessions = [side.session() for _ in range(CLIENTS)]
                made: list[list[Callable[[], None]]] = []
                each = 1 if QUICK else 3
                for client, session in enumerate(sessions):
                    names = [space(client + CLIENTS * turn) for turn in range(SPACES // CLIENTS)]
                    for name in names:
                        call.run(side, session, name)()
                    made.append([self.deferred(call, side, session, name) for _ in range(each) for name in names])
                rates[side.name], shares[side.name] = self.together(side, made)
                for session in sessions:
                    session.close()
            one, cluster = rates[ONE], rates[CLUSTER]
            nodes = list(shares[CLUSTER].values())
            lines.append([call.label, f"{one:.1f}", f"{cluster:.1f}", f"{cluster / one:.2f}", f"{sum(shares[ONE].values()):.1f}", *(f"{node:.1f}" for node in nodes), ""])
        return report.table(lines)

    def deferred(self, call: Call, side: Side, session: Session, name: str) -> Callable[[], Callable[[], None]]:
        return lambda: call.run(side, session, name)

    def together(self, side: Side, made: list[list[Callable[[], Callable[[], None]]]]) -> tuple[float, dict[str, float]]:
        """Calls a second, and CPU a call by node: of the measured parts alone, in steps that all sessions begin at once."""
        seconds, count = 0.0, 0
        taken = {name: 0.0 for name in side.folders}
        errors: list[BaseException] = []
        for step in range(len(made[0])):
            ready = [client[step]() for client in made]

            def run(measured: Callable[[], None]) -> None:
                try:
                    measured()
                except BaseException as error:  # noqa: BLE001  # told by the thread that waits
                    errors.append(error)

            threads = [threading.Thread(target=run, args=(measured,)) for measured in ready]
            before, began = side.cpu(), time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds += time.perf_counter() - began
            after = side.cpu()
            count += len(ready)
            for name in taken:
                taken[name] += after[name] - before[name]
            if errors:
                raise errors[0]
        return count / seconds, {name: value / count for name, value in taken.items()}

    def balance(self) -> list[str]:
        placed = self.sides[1].first.run(
            "SELECT count(*) FROM kepler.workspaces AS w JOIN citus_shards AS s ON s.shardid = get_shard_id_for_distribution_column('kepler.records', w.id)"
            " GROUP BY s.nodename ORDER BY s.nodename"
        )
        return ["workspaces on each worker: " + " and ".join(placed)]

    def run(self) -> None:
        for side in self.sides:
            self.say(f"{side.name}: {SPACES} workspaces")
            script = Path(os.environ["KEPLER_BUILD"]) / "bench-citus.sql"
            script.write_text(SCHEMA, encoding="utf-8")
            side.first.script(script)
            if side.name == CLUSTER:
                side.first.run("SELECT create_distributed_table('bench.control', 'workspace_id', colocate_with => 'kepler.parts')")
            side.first.run("SELECT count(*) FROM kepler.create_embedding_space('bench', 64, 'bench')")
            side.first.run("SELECT kepler.activate_embedding_space('bench')")
            for number in range(SPACES):
                for statement in LOAD.format(space=space(number)).strip().split(";\n"):
                    side.first.run(statement.rstrip(";"))
            side.first.run("VACUUM ANALYZE")
        first = self.sides[1].first
        text = [
            "Kepler on Citus", "===============",
            f"Postgres {first.value('SHOW server_version')}, {first.value('SELECT citus_version()').split(' on ')[0]}, Kepler {first.value('SELECT kepler.version()')}",
            *report.machine(first), "", *self.single(), "", *self.spread(), "", *self.balance(),
        ]  # fmt: skip
        if self.missed:
            text.append(f"{self.missed} above {TARGET}")
        whole = "\n".join(text)
        print(whole)
        print(f"kept in {report.save(whole + chr(10), '18', 'citus')}", file=sys.stderr)
        for side in self.sides:
            side.first.close()


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
