"""ACTIVATE_VERSION deletes what a stream no longer has, and never more."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from conftest import CONFIG, Database

from target_kepler.target import TargetKepler

STREAM = "Accounts"
SCHEMA = {"properties": {"Id": {"type": "integer"}, "Name": {"type": ["null", "string"]}}}


def schema(stream: str = STREAM) -> dict[str, Any]:
    return {"type": "SCHEMA", "stream": stream, "schema": SCHEMA, "key_properties": ["Id"]}


def record(number: int, version: int | None = None, stream: str = STREAM, **more: Any) -> dict[str, Any]:
    message = {"type": "RECORD", "stream": stream, "record": {"Id": number, "Name": f"n{number}", **more}}
    return message if version is None else {**message, "version": version}


def records(numbers: Iterable[int], version: int | None = None) -> list[dict[str, Any]]:
    return [record(number, version) for number in numbers]


def activate(version: int, stream: str = STREAM) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}


def state(value: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": {"at": value}}


def load(*messages: dict[str, Any], **config: Any) -> None:
    """Runs the target over messages, to the end of its input."""
    target = TargetKepler(config={**CONFIG, **config})
    target.listen(io.StringIO("".join(json.dumps(message) + "\n" for message in messages)))


def ids(numbers: Iterable[int]) -> list[str]:
    return sorted(map(str, numbers))


def test_what_a_version_lacks_is_deleted(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    assert sorted(database.records(STREAM)) == ids(range(10))
    assert database.deleted(STREAM) == []
    load(schema(), *records(range(8), 2), activate(2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(8))
    assert database.deleted(STREAM) == ["8", "9"]
    assert database.runs() == [(STREAM, "full", "SUCCESS")] * 2


def test_a_version_that_is_activated_in_mid_stream_and_again(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    load(
        schema(),
        *records(range(9), 2),
        activate(2),
        *records([20, 21], 2),
        activate(2),
        *records([22], 2),
        activate(2),
        state(2),
    )
    assert sorted(database.records(STREAM)) == ids([*range(9), 20, 21, 22])
    assert database.deleted(STREAM) == ["9"]


def test_a_version_that_is_activated_before_its_records(database: Database) -> None:
    load(schema(), activate(1), *records(range(10), 1), state(1))
    load(schema(), activate(2), *records(range(9), 2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(9))
    assert database.deleted(STREAM) == ["9"]


def test_a_tap_that_fails_deletes_nothing(database: Database) -> None:
    load(schema(), activate(1), *records(range(10), 1), state(1))
    # The input ends behind a record: the tap has died, whichever way it activates.
    load(schema(), activate(2), *records(range(9), 2))
    load(schema(), *records(range(9), 3))
    assert sorted(database.records(STREAM)) == ids(range(10))


def test_a_version_goes_on_in_another_process(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    load(schema(), *records(range(5), 2))
    load(schema(), *records(range(5, 9), 2), activate(2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(9))
    assert database.deleted(STREAM) == ["9"]
    assert len(database.runs()) == 2


def test_a_version_without_records_deletes_nothing(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    load(schema(), activate(2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(10))


def test_too_much_is_not_deleted(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        load(schema(), *records(range(3), 2), activate(2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(10))
    load(schema(), *records(range(3), 3), activate(3), state(3), max_delete_fraction=1.0)
    assert sorted(database.records(STREAM)) == ids(range(3))


def test_rejected_records_keep_a_version_from_deleting(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    bad = {"Name": "nul \0"}
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        load(schema(), *records(range(8), 2), record(8, 2, **bad), activate(2), state(2))
    assert sorted(database.records(STREAM)) == ids(range(10))
    load(schema(), *records(range(8), 3), record(8, 3, **bad), activate(3), state(3), allow_rejects=True)
    # A record that was listed is there, though its new content is not.
    assert sorted(database.records(STREAM)) == ids(range(9))


def test_a_webhook_beside_a_version_survives(database: Database) -> None:
    load(schema(), *records(range(10), 1), activate(1), state(1))
    target = TargetKepler(config={**CONFIG, "batch_size_rows": 4})
    lines = [schema(), *records(range(9), 2)]
    target.process_lines(io.StringIO("".join(json.dumps(line) + "\n" for line in lines)))
    database.query("SELECT kepler.upsert_record(%s, '30', '{\"Id\": 30}', source => 'test')", STREAM)
    target.process_lines(io.StringIO(json.dumps(activate(2)) + "\n" + json.dumps(state(2)) + "\n"))
    target.process_endofpipe()
    assert sorted(database.records(STREAM)) == ids([*range(9), 30])


def test_deletes_of_a_log(database: Database) -> None:
    load(schema(), *records(range(3)), state(1))
    load(schema(), record(1, _sdc_deleted_at="2024-05-01T10:00:00Z"), state(2))
    assert sorted(database.records(STREAM)) == ["0", "2"]
    assert database.deleted(STREAM) == ["1"]
    assert database.runs() == [(STREAM, "incremental", "SUCCESS")] * 2


def test_states_are_cursors(database: Database) -> None:
    load(schema(), *records(range(3)), state("the end"))
    [(cursor,)] = database.query("SELECT cursor FROM kepler.entities WHERE type = %s", STREAM)
    assert json.loads(cursor) == {"version": None, "state": {"at": "the end"}}


def test_a_key_of_two_members_and_numbers_keep_their_digits(database: Database) -> None:
    message = {"type": "SCHEMA", "stream": "lines", "schema": {"properties": {}}, "key_properties": ["order", "no"]}
    line = (
        '{"type": "RECORD", "stream": "lines", "record": '
        '{"order": "A", "no": 1, "price": 0.10000000000000000000000001, "at": "2024-05-01T10:00:00.123456789+02:00"}}'
    )
    TargetKepler(config=CONFIG).listen(io.StringIO(json.dumps(message) + "\n" + line + "\n"))
    rows = database.query("SELECT external_id, data ->> 'price', data ->> 'at' FROM kepler.records")
    assert rows == [('["A","1"]', "0.10000000000000000000000001", "2024-05-01T10:00:00.123456789+02:00")]


def test_a_workspace_of_several(database: Database) -> None:
    """A role that is a member of two workspaces fills the one that it names, and sweeps nothing of the other."""
    run = database.connection.execute
    run("DROP ROLE IF EXISTS singer_loader")
    run("CREATE ROLE singer_loader LOGIN")
    try:
        for workspace in ("east", "west"):
            run("INSERT INTO kepler.workspaces (id, name) VALUES (%s, %s)", (workspace, workspace))
            run("SELECT kepler.grant_access('singer_loader', 'writer', %s)", (workspace,))
        conninfo = psycopg.conninfo.make_conninfo(CONFIG["conninfo"], user="singer_loader")
        for workspace in ("east", "west"):
            load(schema(), *records(range(5), 1), activate(1), state(1), conninfo=conninfo, workspace_id=workspace)
        load(schema(), *records(range(4), 2), activate(2), state(2), conninfo=conninfo, workspace_id="east")
        query = """
            SELECT workspace_id, count(*) FILTER (WHERE deleted_at IS NULL), count(*) FROM kepler.records
            GROUP BY workspace_id ORDER BY workspace_id
        """
        assert database.query(query) == [("east", 4, 5), ("west", 5, 5)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            load(schema(), record(1), conninfo=conninfo, workspace_id="default")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            load(schema(), record(1), conninfo=conninfo)
    finally:
        database.clear()
        for workspace in ("east", "west"):
            run("SELECT kepler.revoke_access('singer_loader', %s)", (workspace,))
            run("DELETE FROM kepler.workspaces WHERE id = %s", (workspace,))
        run("DROP ROLE singer_loader")
