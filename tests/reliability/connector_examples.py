#!/usr/bin/env python3
"""Example connectors in trouble. Started by connector_examples.sh, which tells what must hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from connector_source import Source
from session import Session

DATABASE = os.environ["KEPLER_DATABASE"]
PAGE_SIZE = 50
CONTACTS = 430
PAGES = -(-CONTACTS // PAGE_SIZE)
KINDS = ("python", "typescript")
LIMIT = 60


class Broken(Exception):
    """What should have held."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


class Connector:
    """A process of one of the examples. Only its own id is ever signalled."""

    def __init__(self, kind: str, mode: str, connection: str, output: Path, settings: dict[str, str]) -> None:
        self.name, self._output = f"{kind} {mode} ({connection})", output
        if kind == "python":
            command = [sys.executable, f"{os.environ['PYTHON_EXAMPLE']}/connector.py", mode]
            settings = {"PYTHONPATH": os.environ["PYTHON_PACKAGES"], **settings}
        else:
            command = ["node", f"{os.environ['EXAMPLE']}/connector.js", mode]
        # The session's own PYTHONPATH is not for it.
        environment = {"PGDATABASE": DATABASE, "CONNECTION_ID": connection, "PAGE_SIZE": str(PAGE_SIZE)}
        with output.open("w") as told:
            self.process = subprocess.Popen(
                command, env={**os.environ, **environment, **settings}, stdin=subprocess.PIPE, stderr=told
            )

    def told(self) -> str:
        return self._output.read_text()

    def killed(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self, status: int = 0, events: str = "") -> str:
        try:
            self.process.communicate(events.encode(), LIMIT)
        except subprocess.TimeoutExpired:
            raise Broken(f"{self.name} runs on after {LIMIT} s\n{self.told()}") from None
        must(
            self.process.returncode == status,
            f"{self.name} ended with {self.process.returncode}, not {status}\n{self.told()}",
        )
        return self.told()


class Test:
    def __init__(self, folder: Path) -> None:
        self.folder, self.session, self.source = folder, Session(DATABASE), Source()
        self.connectors: list[Connector] = []
        self.steps: list[str] = []
        for name in (*KINDS, "mixed"):
            self.session.run(
                f"INSERT INTO kepler.connections (id, name, reference_id) VALUES ('{name}', '{name}', 'acme')"
            )

    def start(self, kind: str, mode: str, connection: str = "", **settings: str) -> Connector:
        output = self.folder / f"{len(self.connectors)}.log"
        given = {"SOURCE_URL": self.source.url, "OVERLAP": "0", **settings}
        self.connectors.append(Connector(kind, mode, connection or kind, output, given))
        return self.connectors[-1]

    def run(self, kind: str, mode: str, connection: str = "", status: int = 0, **settings: str) -> str:
        return self.start(kind, mode, connection, **settings).ended(status)

    def both(self, step: Callable[[str], None]) -> None:
        """Each finds the source as the other one did."""
        for kind in KINDS:
            self.source.requests.clear()
            step(kind)
        self.steps.append(step.__name__)

    def rows(self, connection: str, columns: str, condition: str = "true") -> list[str]:
        return self.session.run(
            f"SELECT {columns} FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id"
            f" WHERE e.connection_id = '{connection}' AND {condition} ORDER BY r.external_id"
        )

    def run_of(self, connection: str, columns: str) -> str:
        return self.session.value(
            f"SELECT {columns} FROM kepler.sync_runs AS s WHERE s.id = (SELECT x.id FROM kepler.sync_runs AS x"
            f" WHERE x.connection_id = '{connection}' ORDER BY x.started_at DESC LIMIT 1)"
        )

    def counts(self, connection: str) -> dict[str, int]:
        counts = json.loads(self.run_of(connection, "s.counts"))
        return {name: count for name, count in counts.items() if isinstance(count, int) and count}

    def issues(self, connection: str) -> list[str]:
        return self.session.run(
            f"SELECT unnest(issues) FROM kepler.entities WHERE connection_id = '{connection}' UNION ALL"
            f" SELECT unnest(issues) FROM kepler.connections WHERE id = '{connection}'"
        )

    def same_as_source(self, connection: str, expected: list[str] | None = None) -> None:
        """The live records are the source's documents, to the last digit."""
        documents = "".join(f"[{', '.join(self.source.live() if expected is None else expected)}]")
        wanted = self.session.run(
            f"SELECT d::text FROM jsonb_array_elements($d${documents}$d$) AS d ORDER BY d->>'id' COLLATE \"C\""
        )
        found = self.rows(connection, "r.data::text", "r.deleted_at IS NULL")
        differing = [pair for pair in zip(wanted, found) if pair[0] != pair[1]]
        must(
            wanted == found,
            f"{connection}: {len(found)} live records, {len(wanted)} at the source, {differing[:2]}",
        )

    def story(self) -> None:
        source = self.source
        for number in range(CONTACTS):
            source.put(f"c{number:04}", f"Contact {number}")

        def full_run_through_faults(kind: str) -> None:
            source.faults = ["429", "", "cut", "503", "", "proxy", "", "half an array", "429"]
            told = self.run(kind, "full")
            self.same_as_source(kind)
            must(len(source.requests) == PAGES + 6, f"{kind}: {len(source.requests)} requests for {PAGES} pages")
            must("answers 429" in told and "not a JSON array" in told, f"{kind} does not say what went wrong\n{told}")
            must(self.counts(kind) == {"inserted": CONTACTS}, f"{kind}: {self.counts(kind)}")

        def same_again(kind: str) -> None:
            before = self.rows(kind, "r.ctid, r.xmin")
            self.run(kind, "full")
            self.same_as_source(kind)
            must(self.counts(kind) == {"unchanged": CONTACTS}, f"{kind}: {self.counts(kind)}")
            must(self.rows(kind, "r.ctid, r.xmin") == before, f"{kind} wrote what has not changed")

        self.both(full_run_through_faults)
        self.both(same_again)

        # Changes, new ones, deletions, one that cannot be stored, and one that the database refuses.
        self.session.run("ALTER TABLE kepler.records ADD CONSTRAINT refused CHECK (data->>'name' <> 'refused')")
        for number in range(0, CONTACTS, 20):
            source.put(f"c{number:04}", "changed")
        for number in range(7, CONTACTS, 31):
            source.delete(f"c{number:04}")
        for number in range(CONTACTS, CONTACTS + 9):
            source.put(f"c{number:04}", "new")
        good = [source.contacts[id].text for id in ("c0101", "c0121")]
        source.put("c0121", "refused")
        source.put("c0101", "", text='{"id": "c0101", "name": "nul \\u0000", "updated_at": "2024-06-02T00:00:00Z"}')
        stored: list[str] = []
        webhooks: dict[str, str] = {}

        def killed_between_two_pages_and_resumed(kind: str) -> None:
            source.hold(4)
            connector = self.start(kind, "full")
            must(source.held(), "no fourth request")
            # Beside the run, events come: for a page that is listed, and for one that is not.
            if not webhooks:
                webhooks["new"] = source.put("c0000a", "by a webhook")
                webhooks["changed"] = source.put("c0300", "by a webhook")
                webhooks["deleted"] = source.delete("c0010")
                bad = ('"c0101"', '"c0121"')
                stored[:] = good + [text for text in source.live() if not any(id in text for id in bad)]
            self.start(kind, "webhook").ended(events="\n".join(webhooks.values()))
            connector.killed()
            source.go_on()
            fourth, checkpoint = source.requests[3]["page"], self.run_of(kind, "s.status || (s.cursor::json ->> 'page')")
            must(checkpoint == f"RUNNING{fourth}", f"{kind}: the checkpoint is {checkpoint}, not {fourth}")
            source.requests.clear()
            told = self.run(kind, "full")
            must("goes on at" in told, f"{kind} did not resume\n{told}")
            must(source.requests[0]["page"] == fourth, f"{kind} begins at {source.requests[0]}")
            self.same_as_source(kind, stored)
            must(self.counts(kind)["rejected"] == 2, f"{kind}: {self.counts(kind)}")
            kept = self.session.run(
                "SELECT j.external_id, j.error_code FROM kepler.rejects AS j JOIN kepler.entities AS e"
                f" ON e.id = j.entity_id WHERE e.connection_id = '{kind}' ORDER BY 1"
            )
            must(kept == ["c0101|nul_character", "c0121|23514"], f"{kind}: rejects {kept}")

        self.both(killed_between_two_pages_and_resumed)

        # The source has repaired the one, and the rule that refused the other is gone: it lands, though an incremental
        # run does not ask for it. Since the last run: changes, deletions, new ones.
        self.session.run("ALTER TABLE kepler.records DROP CONSTRAINT refused")
        source.put("c0101", "repaired")
        for id in ("c0001", "c0002", "c0401"):
            source.delete(id)
        source.put("c0003", "changed")
        source.put("c0900", "new")

        def incremental_by_cursor(kind: str) -> None:
            cursor = self.session.value(f"SELECT cursor FROM kepler.entities WHERE connection_id = '{kind}'")
            self.run(kind, "incremental")
            must(source.requests[0].get("changed_since") == cursor, f"{kind} asks for {source.requests[0]}, not since {cursor}")
            self.same_as_source(kind)
            counts = self.counts(kind)
            must(counts["deleted"] == 3 and counts["inserted"] == 1 and counts["updated"] == 2, f"{kind}: {counts}")
            must(sum(counts.values()) < 40, f"{kind} asked for too much: {counts}")
            must(self.run_of(kind, "concat(s.mode, s.deleted)") == "incremental0", f"{kind}: an incremental run swept")

        def incremental_again(kind: str) -> None:
            # The second between two ticks of the clock is asked for twice.
            self.run(kind, "incremental")
            must(set(self.counts(kind)) <= {"unchanged"}, f"{kind}: {self.counts(kind)}")
            self.same_as_source(kind)

        self.both(incremental_by_cursor)
        self.both(incremental_again)

        def dies_in_the_middle(kind: str) -> None:
            source.faults = ["", "", *["500"] * 2]
            told = self.run(kind, "full", status=75, TRIES="2")
            must("gave up for now" in told, f"{kind} does not say that it gave up\n{told}")
            self.same_as_source(kind)
            must(self.run_of(kind, "s.status") == "RUNNING", f"{kind}: the run is not open")
            source.requests.clear()
            self.run(kind, "full")
            must("page" in source.requests[0], f"{kind} begins anew")
            self.same_as_source(kind)

        def loses_most_of_its_records(kind: str) -> None:
            for number, contact in enumerate(source.contacts.values()):
                contact.hidden = number % 2 == 0
            everything = source.live()
            told = self.run(kind, "full", status=1)
            must("would delete too many records" in told, f"{kind} does not say why\n{told}")
            self.same_as_source(kind, everything)
            must(self.run_of(kind, "s.status") == "FAILURE", f"{kind}: the run did not fail")
            must(len(self.issues(kind)) == 2, f"{kind}: issues {self.issues(kind)}")
            for contact in source.contacts.values():
                contact.hidden = False
            self.run(kind, "full")
            self.same_as_source(kind)
            must(not self.issues(kind), f"{kind}: issues {self.issues(kind)}")

        def refused_by_the_source(kind: str) -> None:
            source.faults = ["", "401"]
            self.run(kind, "full", status=1)
            must("answers 401" in "".join(self.issues(kind)), f"{kind}: issues {self.issues(kind)}")
            source.faults = ["", "leads to itself"]
            self.run(kind, "full", status=1)
            must("leads to itself" in "".join(self.issues(kind)), f"{kind}: issues {self.issues(kind)}")
            # Whoever says 200 and means an error has listed nothing.
            source.faults = ["", "error in 200"]
            self.run(kind, "full")
            self.same_as_source(kind)

        def sends_what_has_no_id(kind: str) -> None:
            # One of the records comes without its id: it must not be deleted for that.
            source.contacts["c0200"].hidden = True
            source.extra = ['{"name": "Contact 200"}']
            told = self.run(kind, "full", status=1)
            must("has rejects" in told, f"{kind} does not say why\n{told}")
            self.same_as_source(kind)
            source.contacts["c0200"].hidden, source.extra = False, []
            self.run(kind, "full")
            self.same_as_source(kind)

        def cut_off_from_the_database(kind: str) -> None:
            source.hold(3)
            connector = self.start(kind, "full")
            must(source.held(), "no third request")
            cut = self.session.value(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                f" WHERE datname = current_database() AND application_name = 'connector: {kind}'"
            )
            must(cut == "1", f"{kind} has {cut} connections")
            source.go_on()
            connector.ended()
            self.same_as_source(kind)
            must(self.counts(kind)["unchanged"] == len(source.live()), f"{kind}: {self.counts(kind)}")

        self.both(dies_in_the_middle)
        self.both(loses_most_of_its_records)
        self.both(refused_by_the_source)
        self.both(sends_what_has_no_id)
        self.both(cut_off_from_the_database)
        self.goes_on_in_another_language()
        self.careless_use()

        must(not source.wrong, f"requests that make no sense: {source.wrong}")
        columns = (
            "r.external_id, r.data::text, r.source_updated_at, r.deleted_at IS NULL, r.status, r.entity_type, r.source"
        )
        must(self.rows("python", columns) == self.rows("typescript", columns), "the two have left other rows")
        must(self.rows("python", columns, "r.deleted_at IS NOT NULL") != [], "nothing was deleted")

    def goes_on_in_another_language(self) -> None:
        for first, second in (KINDS, KINDS[::-1]):
            self.source.hold(5)
            connector = self.start(first, "full", "mixed")
            must(self.source.held(), "no fifth request")
            connector.killed()
            self.source.go_on()
            self.source.requests.clear()
            told = self.run(second, "full", "mixed")
            must("goes on at" in told and "page" in self.source.requests[0], f"{second} began anew\n{told}")
            self.same_as_source("mixed")
        self.steps.append("goes_on_in_another_language")

    def careless_use(self) -> None:
        for kind in KINDS:
            self.run(kind, "everything", status=2)
            self.run(kind, "full", status=2, SOURCE_URL=" ")
            self.run(kind, "full", status=2, TRIES="many")
            told = self.run(kind, "full", "nobody", status=1)
            must("nobody" in told, f"{kind} does not say which connection is missing\n{told}")
            # Events that are none: all is told at once.
            self.start(kind, "webhook").ended(0)
            self.start(kind, "webhook").ended(1, events='[{"id": "c0001", ')
            told = self.start(kind, "webhook").ended(0, events='{"id": "c0004", "na\n{"no": "id"}')
            must("invalid_json" in told and "missing_external_id" in told, f"{kind} does not say what is wrong\n{told}")
            # A source and a server that are not there.
            self.run(kind, "full", status=75, TRIES="1", SOURCE_URL="http://127.0.0.1:1")
            self.run(kind, "full", status=75, TRIES="1", PGHOST="/nowhere")
            # Two at once share the run, or the newer one ends the older one; either way nothing is lost.
            pair = [self.start(kind, "full") for _ in range(2)]
            for connector in pair:
                connector.process.communicate(b"", LIMIT)
                must(connector.process.returncode in (0, 1), f"{connector.name}\n{connector.told()}")
            must(any(c.process.returncode == 0 for c in pair), f"{kind}: neither of two succeeded")
            self.run(kind, "full")
            self.same_as_source(kind)
            # An older run, and one whose cursor is of another kind, are not gone on with.
            self.session.run(f"SELECT kepler.begin_sync('{kind}', 'contact', source => 'crm')")
            for cursor in ("page 7", "[1]"):
                self.session.run(
                    "SELECT kepler.checkpoint_sync(sync_run_id, '" + cursor + "') FROM kepler.resume_sync("
                    f"connection_id => '{kind}', entity_type => 'contact', source => 'crm')"
                )
                self.source.hold(2)
                connector = self.start(kind, "full")
                must(self.source.held(), f"{kind} stops at the cursor {cursor}")
                connector.killed()
                self.source.go_on()
            told = self.run(kind, "full", MAX_AGE="0")
            must("too old" in told, f"{kind} goes on with an old run\n{told}")
            self.same_as_source(kind)
        self.steps.append("careless_use")

    def clean_up(self) -> None:
        self.source.go_on()
        for connector in self.connectors:
            if connector.process.poll() is None:
                connector.killed()


def main() -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        test = Test(Path(folder))
        try:
            test.story()
        except Broken as broken:
            print(f"after {', '.join(test.steps) or 'nothing'}: {broken}")
            return 1
        finally:
            test.clean_up()
    print(f"{time.monotonic() - begun:.0f} s, {len(test.connectors)} processes; {', '.join(test.steps)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
