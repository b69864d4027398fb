#!/usr/bin/env python3
"""Measures the Singer target beside a well-known Postgres target, on the same output of a tap.

Started by benches/run.sh, which makes the server and names it in PGHOST and PG_BIN. What is measured, and how,
is told in benches/README.md. Both targets are programs in Python, so the whole of each is measured: its process
and the server's.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import dataset
import report
from session import Session

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ["KEPLER_BUILD"])
DATABASE = "kepler_bench_singer"
STREAM = "items"
WAYS = ("meltanolabs-target-postgres", "target-kepler")


def kind(value: object) -> dict[str, object]:
    """The JSON Schema of a value, as a tap would find it."""
    if isinstance(value, dict):
        return {"type": ["object", "null"], "properties": {name: kind(part) for name, part in value.items()}}
    if isinstance(value, list):
        return {"type": ["array", "null"], "items": kind(value[0]) if value else {}}
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": [names.get(type(value), "string"), "null"]}


def write_tap(path: Path, rows: int, revision: int) -> None:
    """The messages of a tap: a schema, a record each, and a state."""
    with path.open("w", encoding="utf-8") as file:

        def say(**message: object) -> None:
            file.write(json.dumps(message, ensure_ascii=False) + "\n")

        properties = kind(dataset.document(0))["properties"]
        say(type="SCHEMA", stream=STREAM, key_properties=["id"], schema={"type": "object", "properties": properties})
        for number in range(rows):
            document = dataset.document(number)
            if number % 100 == 0:
                document["revision"] = revision
            say(type="RECORD", stream=STREAM, record=document)
        say(type="STATE", value={"bookmarks": {STREAM: {"done": rows}}})


def settings(way: str) -> dict[str, object]:
    if way == "target-kepler":
        return {"conninfo": f"host={os.environ['PGHOST']} user={os.environ['PGUSER']} dbname={DATABASE}", "source": "bench"}
    # It wants a host by TCP; libpq takes the socket's folder from the query.
    url = f"postgresql+psycopg://{os.environ['PGUSER']}:none@localhost/{DATABASE}?host={os.environ['PGHOST']}"
    return {"sqlalchemy_url": url, "default_target_schema": "public", "batch_size_rows": 10000}


def load(way: str, messages: Path, config: Path) -> float:
    """Runs a target to the end of the messages, and gives seconds of CPU, of its process alone."""
    packages = {"target-kepler": BUILD / "python-singer", "meltanolabs-target-postgres": BUILD / "python-target"}[way]
    module = {"target-kepler": "target_kepler.target", "meltanolabs-target-postgres": "target_postgres.target"}[way]
    name = {"target-kepler": "TargetKepler", "meltanolabs-target-postgres": "TargetPostgres"}[way]
    path = f"{packages}:{ROOT / 'clients/singer'}" if way == "target-kepler" else str(packages)
    config.write_text(json.dumps(settings(way)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with messages.open("rb") as file:
        subprocess.run(
            [sys.executable, "-c", f"from {module} import {name}; {name}.cli()", "--config", str(config)],
            stdin=file,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    # The server's process for it ends a moment later.
    time.sleep(0.5)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def server_cpu(pid: int) -> float:
    """Seconds of CPU of the postmaster's children that have ended: Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    rows, rounds = int(os.environ["ROWS"]), int(os.environ["ROUNDS"])
    costs: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with TemporaryDirectory() as folder:
        files = {"new": Path(folder, "new"), "again": Path(folder, "new"), "1 % changed": Path(folder, "changed")}
        write_tap(files["new"], rows, 0)
        write_tap(files["1 % changed"], rows, 1)
        session = Session("postgres")
        data = Path(session.value("SHOW data_directory"))
        postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
        for _ in range(rounds):
            session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
            own = Session(DATABASE)
            own.run("CREATE EXTENSION kepler CASCADE")
            own.run("SELECT kepler.install()")
            for phase, messages in files.items():
                for way in WAYS:
                    own.run("CHECKPOINT")
                    wal, server = own.value("SELECT pg_current_wal_insert_lsn()"), server_cpu(postmaster)
                    client = load(way, messages, Path(folder, "config.json"))
                    logged = float(own.value(f"SELECT pg_current_wal_insert_lsn() - '{wal}'"))
                    cost = (client, server_cpu(postmaster) - server, logged / rows)
                    costs.setdefault((phase, way), []).append(cost)
                    print(f"  {phase}, {way}: {cost[0]:.1f} s, {cost[1]:.1f} s", file=sys.stderr, flush=True)
            count = own.value(f"SELECT count(*) FROM kepler.records WHERE entity_type = '{STREAM}'")
            assert int(count) == rows == int(own.value(f"SELECT count(*) FROM public.{STREAM}"))
            own.close()
        print(*report.machine(session), sep="\n")
        session.close()
    print(f"\nThe output of a tap, {rows:,} records of about 1 kB; CPU of the target's process and of the server\n")
    print(f"{'':14}{'':30}{'records/s':>10}{'target, µs':>12}{'server, µs':>12}{'WAL, B':>9}{'speed':>7}")
    for phase in ("new", "again", "1 % changed"):
        best = {}
        for way in WAYS:
            client, server, wal = (statistics.median(part) for part in zip(*costs[phase, way], strict=True))
            best[way] = client + server
            print(
                f"{phase:14}{way:30}{rows / (client + server):>10,.0f}{client / rows * 1e6:>12.0f}"
                f"{server / rows * 1e6:>12.0f}{wal:>9,.0f}{best[WAYS[0]] / best[way]:>7.2f}"
            )


main()
