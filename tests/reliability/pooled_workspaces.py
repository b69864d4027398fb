#!/usr/bin/env python3
"""Clients of several workspaces behind PgBouncer. Started by pooled_workspaces.sh, which tells what must hold."""

from __future__ import annotations

import json
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import errors

DATABASE = os.environ["KEPLER_DATABASE"]
CLIENTS, ROUNDS, POOL = (int(os.environ[name]) for name in ("CLIENTS", "ROUNDS", "POOL"))
WORKSPACES = [f"w{number}" for number in range(6)]
Refused = errors.InsufficientPrivilege


def connect(user: str, database: str = DATABASE) -> psycopg.Connection:
    """Through the pooler, with each statement prepared the first time."""
    return psycopg.connect(
        host=os.environ["KEPLER_POOLER"], port=6432, dbname=database, user=user, autocommit=True, prepare_threshold=0
    )


def owner() -> psycopg.Connection:
    """Past the pooler."""
    return psycopg.connect(dbname=DATABASE, autocommit=True)


def values(db: psycopg.Connection, query: str, *arguments: object) -> list:
    return [row[0] for row in db.execute(query, arguments)]


def refused(what: type[psycopg.Error] | tuple[type[psycopg.Error], ...], call: Callable[[], object]) -> psycopg.Error:
    """The error that a call must end with; never rows."""
    try:
        found = call()
    except what as error:
        return error
    raise AssertionError(f"{what} was expected, not {found}")


# The recipe, as the page has it.
PAGE = (Path(__file__).resolve().parents[2] / "docs/poolers.md").read_text(encoding="utf-8")
recipe: dict = {}
exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], recipe)  # noqa: S102 (the project's own page)
working_in = recipe["in_workspace"]

UPSERT = "SELECT outcome FROM kepler.upsert_records('contact', %s, id_key => 'id')"
RECORDS = "SELECT workspace_id, external_id, data ->> 'of' FROM kepler.records WHERE deleted_at IS NULL"
MEMORIES = "SELECT workspace_id, content FROM kepler.memories"
FOUND = "SELECT content FROM kepler.search_memories(query_text => 'secret', max_rows => 50)"


class Client(threading.Thread):
    """One client: its transactions are of any kind and workspace, and it knows what it has committed."""

    committed: dict[str, set[str]] = {workspace: {"first"} for workspace in [*WORKSPACES, "w6"]}
    servers: set[int] = set()
    failures: list[BaseException] = []
    done: dict[str, int] = {}
    guard = threading.Lock()

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.choices, self.made = number, random.Random(number), 0
        self.db = connect("kepler_pooled_app")

    def run(self) -> None:
        kinds = [
            self.read, self.write, self.write_directly, self.remember, self.roll_back, self.fail, self.savepoint,
            self.forget, self.stranger, self.another, self.foreign_row, self.pipeline, self.time_out, self.leave,
        ]
        # One statement that waits to be cancelled holds a connection: few do it.
        if self.number % 8 == 0:
            kinds.append(self.cancel)
        try:
            for _ in range(ROUNDS):
                kind = self.choices.choice(kinds)
                kind(self.choices.choice(WORKSPACES))
                with self.guard:
                    self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
        except BaseException as error:  # noqa: BLE001 (told by the main thread)
            self.failures.append(error)
        finally:
            self.db.close()

    def name(self) -> str:
        self.made += 1
        return f"c{self.number}-{self.made}"

    def batch(self, workspace: str, name: str) -> str:
        return json.dumps([{"id": name, "of": workspace}])

    def commit(self, workspace: str, name: str) -> None:
        with self.guard:
            self.committed[workspace].add(name)

    def look(self, workspace: str) -> None:
        """All that is to be seen is the workspace's, and what is known to be there is."""
        with self.guard:
            known = set(self.committed[workspace])
        assert values(self.db, "SELECT kepler.current_workspace_id()") == [workspace]
        records = self.db.execute(RECORDS).fetchall()
        assert {(row[0], row[2]) for row in records} == {(workspace, workspace)}, (workspace, records)
        assert known <= {row[1] for row in records}, (workspace, known)
        assert all(row == (workspace, f"secret of {workspace}") for row in self.db.execute(MEMORIES))
        with self.guard:
            self.servers.update(values(self.db, "SELECT pg_backend_pid()"))

    def read(self, workspace: str) -> None:
        with working_in(self.db, workspace):
            self.look(workspace)
            assert set(values(self.db, FOUND)) <= {f"secret of {workspace}"}

    def write(self, workspace: str) -> None:
        name = self.name()
        with working_in(self.db, workspace):
            assert values(self.db, UPSERT, self.batch(workspace, name)) == ["inserted"]
            assert values(self.db, UPSERT, self.batch(workspace, name)) == ["unchanged"]
            self.look(workspace)
        self.commit(workspace, name)

    def write_directly(self, workspace: str) -> None:
        name = self.name()
        with working_in(self.db, workspace):
            entity = values(self.db, "SELECT id FROM kepler.entities ORDER BY id COLLATE \"C\" LIMIT 1")[0]
            assert entity == f"e{workspace[1:]}"
            self.db.execute(
                "INSERT INTO kepler.records (entity_id, entity_type, external_id, data) VALUES (%s, 'contact', %s, %s)",
                (entity, name, json.dumps({"of": workspace})),
            )
        self.commit(workspace, name)

    def remember(self, workspace: str) -> None:
        with working_in(self.db, workspace):
            values(self.db, "SELECT outcome FROM kepler.remember(%s::text)", f"secret of {workspace}")
            assert set(values(self.db, FOUND)) == {f"secret of {workspace}"}

    def roll_back(self, workspace: str) -> None:
        try:
            with working_in(self.db, workspace):
                values(self.db, UPSERT, self.batch(workspace, self.name()))
                raise KeyError
        except KeyError:
            self.forget(workspace)

    def fail(self, workspace: str) -> None:
        def divide() -> None:
            with working_in(self.db, workspace):
                values(self.db, UPSERT, self.batch(workspace, self.name()))
                self.db.execute("SELECT 1 / %s::int", (0,))

        refused(errors.DivisionByZero, divide)
        self.forget(workspace)

    def savepoint(self, workspace: str) -> None:
        """What is chosen in a savepoint goes with it, and what was chosen before comes back."""
        name, other = self.name(), WORKSPACES[(WORKSPACES.index(workspace) + 1) % 6]
        with working_in(self.db, workspace):
            values(self.db, UPSERT, self.batch(workspace, name))

            def elsewhere() -> None:
                with self.db.transaction():
                    values(self.db, UPSERT, self.batch(workspace, self.name()))
                    self.db.execute("SELECT kepler.use_workspace(%s)", (other,))

            refused(errors.ActiveSqlTransaction, elsewhere)
            self.look(workspace)
        self.commit(workspace, name)

    def forget(self, workspace: str) -> None:
        """Without a workspace: an error that says what to do, in a transaction and outside of one."""
        for query in (RECORDS, MEMORIES, FOUND, "SELECT count(*) FROM kepler.entities"):
            error = refused(Refused, lambda query=query: self.db.execute(query).fetchall())
            assert "use_workspace" in (error.diag.message_hint or ""), error.diag.message_hint
        refused(Refused, lambda: values(self.db, UPSERT, self.batch(workspace, "nobody's")))
        with self.db.transaction(force_rollback=True):
            refused(Refused, lambda: self.db.execute("DELETE FROM kepler.records"))
        refused(errors.NoActiveSqlTransaction, lambda: values(self.db, "SELECT kepler.use_workspace(%s)", workspace))

    def stranger(self, workspace: str) -> None:
        """A workspace of others is not to be had: by the function, by the setting, by an argument."""

        def use() -> None:
            with working_in(self.db, "w6"):
                raise AssertionError("a workspace of others")

        refused(Refused, use)
        # In a connection that is new to Kepler SET is answered, and forgotten as soon as Kepler is called.
        with suppress(Refused):
            self.db.execute("SET kepler.workspace_id = 'w6'")
        refused(Refused, lambda: values(self.db, "SELECT kepler.current_workspace_id()"))
        with working_in(self.db, workspace):
            with self.db.transaction(force_rollback=True):
                refused(
                    Refused,
                    lambda: values(self.db, UPSERT.replace("id_key", "workspace_id => 'w6', id_key"), self.batch("w6", "x")),
                )

    def another(self, workspace: str) -> None:
        """One transaction has one workspace."""
        other = WORKSPACES[(WORKSPACES.index(workspace) + 3) % 6]

        def both() -> None:
            with working_in(self.db, workspace):
                self.look(workspace)
                self.db.execute("SELECT kepler.use_workspace(%s)", (other,))

        refused(errors.ActiveSqlTransaction, both)

    def foreign_row(self, workspace: str) -> None:
        other = WORKSPACES[(WORKSPACES.index(workspace) + 2) % 6]

        def write() -> None:
            with working_in(self.db, workspace):
                self.db.execute(
                    "INSERT INTO kepler.records (workspace_id, entity_id, entity_type, external_id, data) VALUES (%s, %s, 'contact', 'x', '{}')",
                    (other, f"e{other[1:]}"),
                )

        refused(Refused, write)
        with working_in(self.db, workspace):
            update = "UPDATE kepler.records SET data = '{}' WHERE workspace_id = %s RETURNING id"
            assert values(self.db, update, other) == []

    def pipeline(self, workspace: str) -> None:
        """The whole transaction in one round trip."""
        with self.db.pipeline():
            self.db.execute("BEGIN")
            self.db.execute("SELECT kepler.use_workspace(%s)", (workspace,))
            records = self.db.execute(RECORDS)
            self.db.execute("COMMIT")
        assert {row[0] for row in records} == {workspace}

    def time_out(self, workspace: str) -> None:
        def wait() -> None:
            with working_in(self.db, workspace):
                self.db.execute("SET LOCAL statement_timeout = '20ms'")
                self.db.execute("SELECT count(*) FROM kepler.records, pg_sleep(60)")

        refused(errors.QueryCanceled, wait)
        self.forget(workspace)

    def cancel(self, workspace: str) -> None:
        """Cancelled by the client, through the pooler, until it ends."""
        ended = threading.Event()

        def again() -> None:
            while not ended.wait(0.05):
                self.db.cancel_safe()

        def wait() -> None:
            with working_in(self.db, workspace):
                thread.start()
                self.db.execute("SELECT count(*) FROM kepler.records, pg_sleep(60)")

        thread = threading.Thread(target=again)
        try:
            refused(errors.QueryCanceled, wait)
        finally:
            ended.set()
            thread.join()
        # A late request may have met what came next, which then is a statement of this client.
        self.db.close()
        self.db = connect("kepler_pooled_app")
        self.forget(workspace)

    def leave(self, workspace: str) -> None:
        """Gone in the middle of a transaction."""
        self.db.execute("BEGIN")
        self.db.execute("SELECT kepler.use_workspace(%s)", (workspace,))
        values(self.db, UPSERT, self.batch(workspace, self.name()))
        self.db.close()
        self.db = connect("kepler_pooled_app")


def crowd() -> None:
    clients = [Client(number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    for failure in Client.failures:
        raise failure
    with owner() as db:
        for workspace, names in Client.committed.items():
            found = db.execute("SELECT external_id, data ->> 'of' FROM kepler.records WHERE workspace_id = %s", (workspace,))
            assert set(found) == {(name, workspace) for name in names}, workspace
    # Those of clients that went away are replaced.
    assert len(Client.servers) <= POOL + Client.done.get("leave", 0) + Client.done.get("cancel", 0)
    with connect("kepler_pooled_app") as db:
        shared = values(db, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'PGBOUNCER%%' AND generic_plans > 0")
        assert shared[0] > 0, "no prepared statement of the pooler was planned for all"
    total = sum(Client.done.values())
    print(f"{CLIENTS} clients, {len(Client.servers)} server connections in all, {total} transactions of {len(Client.done)} kinds")


def pooler(command: str) -> None:
    with connect("kepler_pooler", "pgbouncer") as db:
        db.prepare_threshold = None
        db.pgconn.exec_(command.encode())


def session_settings() -> None:
    """The trap: what is chosen for the session is there for the next client. And what to do about it."""
    count = "SELECT count(*) FROM kepler.records"

    def choose(workspace: str) -> None:
        with connect("kepler_pooled_app", "single") as first:
            values(first, "SELECT kepler.use_workspace(%s, false)", workspace)

    with connect("kepler_pooled_app", "single") as next_client:
        refused(Refused, lambda: values(next_client, count))
        choose("w3")
        assert values(next_client, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w3"]
        # Whoever chooses for the transaction is safe from those who do not.
        with working_in(next_client, "w4"):
            assert values(next_client, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w4"]
        # A client may discard what it finds, and the pooler may do it after each transaction.
        next_client.execute("DISCARD ALL", prepare=False)
        refused(Refused, lambda: values(next_client, count))
        pooler("SET server_reset_query_always = 1")
        choose("w3")
        refused(Refused, lambda: values(next_client, count))
        pooler("SET server_reset_query_always = 0")
        # The owner forbids it for the role; connections that are new know.
        with owner() as db:
            db.execute("ALTER ROLE kepler_pooled_app SET kepler.workspace_per_transaction = on")
        pooler("RECONNECT single")
        refused(errors.ObjectNotInPrerequisiteState, lambda: choose("w3"))
        refused(Refused, lambda: values(next_client, count))
        with working_in(next_client, "w3"):
            assert values(next_client, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w3"]
    # Of a role that is a member of one workspace nothing can leak to another.
    with connect("kepler_pooled_own", "single") as own:
        assert values(own, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w2"]
    print("a workspace of a session reaches the next client, until it is discarded or forbidden")


def membership_ends() -> None:
    """A pooled session notices at once."""
    with connect("kepler_pooled_app", "single") as client, owner() as db:
        with working_in(client, "w5"):
            assert values(client, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w5"]
        db.execute("SELECT kepler.revoke_access('kepler_pooled_app', 'w5')")

        def use() -> None:
            with working_in(client, "w5"):
                pass

        refused(Refused, use)
        db.execute("SELECT kepler.grant_access('kepler_pooled_app', 'writer', 'w5')")
        with working_in(client, "w5"):
            assert values(client, "SELECT DISTINCT workspace_id FROM kepler.records") == ["w5"]


@contextmanager
def request(db: psycopg.Connection, role: str, claims: dict[str, str]) -> Iterator[None]:
    """As PostgREST begins a transaction."""
    with db.transaction():
        db.execute(
            "SELECT set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            (role, json.dumps(claims)),
        )
        if claims:
            db.execute("SELECT choose_workspace()")
        yield


def roles_by_request() -> None:
    """One login for all: SET LOCAL ROLE in each transaction, with statements that were prepared for other roles."""
    seen = "SELECT workspace_id, kepler.current_workspace_id() FROM kepler.records WHERE external_id = %s"

    def ask(number: int) -> None:
        choices = random.Random(number)
        with connect("kepler_pooled_gate") as db:
            for _ in range(ROUNDS):
                role, claims, workspace = choices.choice(
                    [("acme", {}, "w0"), ("globex", {}, "w1"), ("web", {"workspace": "w0"}, "w0"), ("web", {"workspace": "w1"}, "w1")]
                )
                with request(db, f"kepler_pooled_{role}", claims):
                    assert db.execute(seen, ("first",)).fetchall() == [(workspace, workspace)], (role, claims)
                    (outcome,) = values(db, UPSERT, json.dumps([{"id": "first", "of": workspace}]))
                    assert outcome in ("updated", "unchanged"), outcome

    threads = [Watched(ask, number) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.end()
    with connect("kepler_pooled_gate", "single") as db:

        def reaches(role: str, workspace: str) -> None:
            with request(db, role, {"workspace": workspace}):
                values(db, seen, "first")

        # A token that names a workspace of others, or none; a role that is not the login's; the login itself.
        refused(Refused, lambda: reaches("kepler_pooled_web", "w2"))
        refused(Refused, lambda: reaches("kepler_pooled_acme", "w1"))

        def without() -> None:
            with request(db, "kepler_pooled_web", {}):
                values(db, seen, "first")

        refused(Refused, without)
        refused(Refused, lambda: values(db, seen, "first"))
        # One plan for all roles and workspaces of a connection.
        with db.transaction():
            db.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            db.execute("SET LOCAL ROLE kepler_pooled_acme")
            assert db.execute(seen, ("first",)).fetchall() == [("w0", "w0")]
        with db.transaction():
            db.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            db.execute("SET LOCAL ROLE kepler_pooled_globex")
            assert db.execute(seen, ("first",)).fetchall() == [("w1", "w1")]
    print("one login, a role for each request")


class Watched(threading.Thread):
    """A thread whose error is the caller's."""

    def __init__(self, call: Callable[[int], None], number: int) -> None:
        super().__init__()
        self.call, self.number, self.error = call, number, None

    def run(self) -> None:
        try:
            self.call(self.number)
        except BaseException as error:  # noqa: BLE001 (told by end)
            self.error = error

    def end(self) -> None:
        self.join()
        if self.error:
            raise self.error


with owner() as first:
    first.execute(re.search(r"```sql no-run\n(CREATE FUNCTION.*?)```", PAGE, re.DOTALL)[1])
crowd()
session_settings()
membership_ends()
roles_by_request()
