"""The demo's part about full runs: what is gone at the source is found, a guard refuses, a consumer follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from demo_base import Demo, DemoError, heading, print_table
from session import SessionError

LIVE = "entity_type = 'place' AND source = 'geonames' AND deleted_at IS NULL"
# What the consumer has, and what the table has, where they differ.
DIFFERENCES = f"""
SELECT count(*) FROM (SELECT id, data->>'name' AS name FROM kepler.records WHERE {LIVE}) AS r
FULL JOIN public.place_names AS p USING (id) WHERE r.name IS DISTINCT FROM p.name"""
# Reads the rows that changed, stores or deletes them, and moves the cursor: one transaction.
FOLLOW = """
WITH changes AS MATERIALIZED (
    SELECT c.cursor, c.row_id, c.operation, c.ordinality
    FROM kepler.changes_since(consumer => 'place names', max_rows => 1000) WITH ORDINALITY AS c),
ids AS MATERIALIZED (SELECT DISTINCT row_id AS id FROM changes WHERE operation IS NOT NULL),
found AS MATERIALIZED (
    SELECT ids.id, r.data->>'name' AS name
    FROM ids LEFT JOIN kepler.records AS r ON r.workspace_id = 'default' AND r.id = ids.id AND r.deleted_at IS NULL),
stored AS (
    INSERT INTO public.place_names SELECT id, name FROM found WHERE name IS NOT NULL
    ON CONFLICT (id) DO UPDATE SET name = excluded.name),
deleted AS (DELETE FROM public.place_names AS p USING found AS f WHERE p.id = f.id AND f.name IS NULL)
SELECT json_build_array(
    (SELECT count(*) FROM ids),
    (SELECT a.outcome FROM (SELECT cursor FROM changes ORDER BY ordinality DESC LIMIT 1) AS c
     CROSS JOIN LATERAL kepler.acknowledge_changes('place names', c.cursor) AS a))"""
LIMIT = 60

Place = dict[str, Any]
# Upserts places by a sync run.
Lister = Callable[[Sequence[Place], str], None]


def run(demo: Demo, number: int, places: Sequence[Place], list_places: Lister) -> None:
    session = demo.session
    # A consumer takes its cursor first, and then copies.
    session.run("SELECT kepler.acknowledge_changes('place names', kepler.feed_cursor())")
    session.run(
        f"CREATE TABLE public.place_names AS SELECT id, data->>'name' AS name FROM kepler.records WHERE {LIVE}"
    )
    session.run("ALTER TABLE public.place_names ADD PRIMARY KEY (id)")
    left = [place for at, place in enumerate(places) if at % 100 != 7]
    full_run(demo, number, left, list_places)
    guard(demo, number + 1, left, list_places)
    feed(demo, number + 2)


def live(demo: Demo) -> int:
    return int(demo.session.value(f"SELECT count(*) FROM kepler.records WHERE {LIVE}"))


def begin(demo: Demo) -> str:
    return demo.session.value("SELECT sync_run_id FROM kepler.begin_sync(NULL, 'place', source => 'geonames')")


def full_run(demo: Demo, number: int, left: Sequence[Place], list_places: Lister) -> None:
    before = live(demo)
    heading(
        number,
        "A full run finds what is gone",
        f"1 % of the places are gone at the source, which never had the copies of step {number - 2} either, and nobody\n"
        "   says so. The run lists what is left; the rest is deleted softly.",
    )
    run_id = begin(demo)
    list_places(left, run_id)
    lsn, started = demo.session.value("SELECT pg_current_wal_insert_lsn()"), time.monotonic()
    steps, outcome = 0, ""
    while outcome != "finished":
        outcome, seen, deleted = demo.session.json(
            f"SELECT json_build_array(outcome, seen, deleted) FROM kepler.finish_sync('{run_id}')"
        )
        steps += 1
    seconds = time.monotonic() - started
    wal = int(demo.session.value(f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{lsn}')::bigint"))
    figures = [f"{before:,}", f"{seen:,}", f"{deleted:,}", f"{seconds:.2f}", f"{wal / 1e6:,.1f} MB", str(steps)]
    print_table(["records", "seen", "deleted", "seconds", "WAL", "steps"], [figures], right=6)
    missing = before - len(left)
    demo.expect(deleted == missing and live(demo) == len(left), f"{missing:,} deleted, and no other")


def guard(demo: Demo, number: int, left: Sequence[Place], list_places: Lister) -> None:
    heading(
        number,
        "A listing that breaks off",
        "The source gives half of its places, and says that this is all. A run that would delete more than a\n"
        "   fifth is refused, and the connector tells why it ends.",
    )
    run_id = begin(demo)
    list_places(left[: len(left) // 2], run_id)
    try:
        demo.session.run(f"SELECT kepler.finish_sync('{run_id}')")
        refused = ""
    except SessionError as error:
        refused = str(error).split("The statement was")[0].strip()
        print("\n" + "\n".join(f"   {line}" for line in refused.splitlines()))
    demo.expect("would delete too many records" in refused, "refused")
    demo.session.run(f"SELECT kepler.abort_sync('{run_id}', 'the listing broke off')")
    demo.expect(live(demo) == len(left), "0 deleted")


def feed(demo: Demo, number: int) -> None:
    differ = int(demo.session.value(DIFFERENCES))
    heading(
        number,
        "A consumer follows",
        f"It copied the names of the places before step {number - 2}, so that {differ:,} are wrong by now. It reads\n"
        "   which rows have changed, a thousand at a time, and looks at these.",
    )
    started, rows, calls = time.monotonic(), 0, 0
    while True:
        count, _ = demo.session.json(FOLLOW)
        rows, calls = rows + count, calls + 1
        if count == 0:
            # The feed waits for older transactions of the server, such as an ANALYZE by autovacuum.
            waiting = demo.session.value(
                "SELECT coalesce(sum((c->>'waiting')::bigint), 0) FROM kepler.feed_lag(), jsonb_array_elements(consumers) AS c"
            )
            if waiting == "0":
                break
            if time.monotonic() - started > LIMIT:
                raise DemoError(f"{waiting} changes are held back for more than {LIMIT} s: SELECT * FROM kepler.feed_lag()")
            time.sleep(0.1)
    seconds = time.monotonic() - started
    print_table(["rows", "calls", "seconds"], [[f"{rows:,}", str(calls), f"{seconds:.2f}"]], right=3)
    demo.expect(rows == differ, f"{differ:,} rows looked at, and no other")
    demo.expect(demo.session.value(DIFFERENCES) == "0", "the copy is the same as the table")
