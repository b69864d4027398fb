"""A real tap, end to end: a table of Postgres, read by meltanolabs-tap-postgres, twice, with changes in between.

The tap is another program with packages of its own, so it runs in a process of its own. TAP_PACKAGES names the
folder of its packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import CONFIG, CONNINFO, Database

PACKAGES = os.environ.get("TAP_PACKAGES")
pytestmark = pytest.mark.skipif(PACKAGES is None, reason="TAP_PACKAGES is not set")
STREAM = "public-customers"


@pytest.fixture
def source(database: Database) -> psycopg.Connection[Any]:
    """A table of the source: 500 customers."""
    connection = database.connection
    connection.execute("DROP TABLE IF EXISTS public.customers")
    connection.execute(
        """
        CREATE TABLE public.customers (
            id bigint PRIMARY KEY, name text NOT NULL, balance numeric, tags text[], notes jsonb,
            updated_at timestamptz NOT NULL
        )
        """
    )
    connection.execute(
        """
        INSERT INTO public.customers
        SELECT n, 'customer ' || n, n * 1.10, ARRAY['a', n::text], jsonb_build_object('n', n), '2024-05-01 10:00+00'
        FROM generate_series(1, 500) AS n
        """
    )
    return connection


def sync(directory: Path, method: str, state: Path | None = None) -> Any:
    """Runs tap and target in a pipe, as an orchestrator does, and gives the last state."""
    info = psycopg.conninfo.conninfo_to_dict(CONNINFO)
    config = {
        "sqlalchemy_url": f"postgresql+psycopg2://{info['user']}:none@localhost/{info['dbname']}?host={info['host']}",
        "filter_schemas": ["public"],
        "emit_activate_version_messages": True,
        # As json numbers, and not as texts.
        "use_singer_decimal": False,
    }
    (directory / "tap.json").write_text(json.dumps(config))
    (directory / "target.json").write_text(json.dumps({**CONFIG, "max_delete_fraction": 0.5}))
    environment = {**os.environ, "PYTHONPATH": PACKAGES or "", "PYTHONDONTWRITEBYTECODE": "1"}
    tap = [sys.executable, "-c", "from tap_postgres.tap import TapPostgres; TapPostgres.cli()"]
    tap += ["--config", str(directory / "tap.json")]
    found = subprocess.run([*tap, "--discover"], env=environment, check=True, capture_output=True)
    catalog = json.loads(found.stdout)
    catalog["streams"] = [stream for stream in catalog["streams"] if stream["tap_stream_id"] == STREAM]
    catalog["streams"][0]["replication_method"] = method
    for entry in catalog["streams"][0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"].update({"selected": True, "replication-method": method})
            if method == "INCREMENTAL":
                catalog["streams"][0]["replication_key"] = "updated_at"
                entry["metadata"]["replication-key"] = "updated_at"
    (directory / "catalog.json").write_text(json.dumps(catalog))
    tap += ["--catalog", str(directory / "catalog.json")]
    if state is not None:
        tap += ["--state", str(state)]
    with subprocess.Popen(tap, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as extract:
        loaded = subprocess.run(
            [sys.executable, "-m", "target_kepler.target", "--config", str(directory / "target.json")],
            stdin=extract.stdout,
            check=True,
            capture_output=True,
        )
        assert extract.wait() == 0
    return json.loads(loaded.stdout.splitlines()[-1])


def expected(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """What the source holds."""
    rows = connection.execute("SELECT id::text, name, balance, tags, notes FROM public.customers").fetchall()
    return {
        key: {"id": int(key), "name": name, "balance": float(balance), "tags": tags, "notes": notes}
        for key, name, balance, tags, notes in rows
    }


def found(database: Database) -> dict[str, Any]:
    """What arrived, without the time, which each side spells in its own way."""
    records = database.records(STREAM)
    return {key: {name: value for name, value in row.items() if name != "updated_at"} for key, row in records.items()}


def test_full_table(database: Database, source: psycopg.Connection[Any], tmp_path: Path) -> None:
    sync(tmp_path, "FULL_TABLE")
    assert found(database) == expected(source)
    # Nothing changed: nothing is written.
    [(before,)] = database.query("SELECT max(updated_at) FROM kepler.records")
    sync(tmp_path, "FULL_TABLE")
    assert database.query("SELECT max(updated_at) FROM kepler.records") == [(before,)]
    # Changes and deletes.
    source.execute("DELETE FROM public.customers WHERE id % 50 = 0")
    source.execute("UPDATE public.customers SET name = 'changed' WHERE id % 7 = 1")
    source.execute("INSERT INTO public.customers VALUES (1001, 'new', 0.5, '{}', '{}', now())")
    sync(tmp_path, "FULL_TABLE")
    assert found(database) == expected(source)
    assert database.deleted(STREAM) == sorted(str(n) for n in range(50, 501, 50))
    assert database.runs() == [(STREAM, "full", "SUCCESS")] * 3


def test_incremental(database: Database, source: psycopg.Connection[Any], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps(sync(tmp_path, "INCREMENTAL")))
    assert found(database) == expected(source)
    source.execute("UPDATE public.customers SET name = 'later', updated_at = '2024-06-01' WHERE id <= 3")
    sync(tmp_path, "INCREMENTAL", state)
    assert found(database) == expected(source)
    assert database.runs() == [(STREAM, "incremental", "SUCCESS")] * 2
