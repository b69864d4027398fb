"""Applies random blueprints and their next versions, and holds what came of it against the next version applied at once."""

from __future__ import annotations

import collections
import json
import os
import re
import sys
from random import Random
from typing import Any

from blueprint_generator import WHOLE, Field, Generator, Model
from session import Session, SessionError

ROWS = 3
ALLOW = "'{rewrite,convert,drop}'"


# Rows on which a step would fail, as the check before it says them.
ERRORS_OF_ROWS = re.compile(r"would not survive|refers to a row|is NULL|the same|is removed from the enum|violates \"")


class Wrong(Exception):
    """What the server did is not what the document says."""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class Pair:
    def __init__(self, session: Session, seed: str) -> None:
        self.session, self.random = session, Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        generator = Generator(self.random)
        self.first = generator.tidy(generator.model())
        self.second = generator.edited(self.first)
        self.a, self.b = self.first.document(), self.second.document(self.first)
        self.plan: list[str] = []

    def call(self, statement: str) -> tuple[str, list[str]]:
        """Runs a statement that may fail; gives "ok" or the SQLSTATE, and the answer or the message."""
        self.session.run("SAVEPOINT attempt")
        try:
            answer = self.session.run(statement)
        except SessionError as problem:
            self.session.run("ROLLBACK TO attempt")
            code = re.search(r"ERROR:  ([0-9A-Z]{5}):", str(problem))
            return (code[1] if code else "?"), [str(problem)]
        self.session.run("RELEASE attempt")
        return "ok", answer

    def apply(self, document: Any, name: str = "pairs") -> tuple[str, list[str]]:
        said = json.dumps({**document, "blueprint": name, "schema": "pairs"})
        return self.call(f"SELECT outcome FROM kepler.apply_blueprint({literal(said)}, {ALLOW})")

    def shape(self) -> list[str]:
        checks = [r.name for t in self.second.tables for r in t.rules if r.kind == "checks" and r.name]
        array = "ARRAY[" + ", ".join(map(literal, checks)) + "]::text[]"
        return self.session.run(f"SELECT probe.shape('pairs', {array})")

    def run(self) -> None:
        self.session.run("BEGIN")
        try:
            self._run()
        finally:
            self.session.run("ROLLBACK")

    def _run(self) -> None:
        # At once.
        self.session.run("SAVEPOINT fresh")
        outcome, answer = self.apply(self.b)
        if outcome != "ok":
            self.tally("no document", outcome, answer)
            return
        wanted = self.shape()
        self.session.run("ROLLBACK TO fresh")
        # By way of the first version, with rows.
        outcome, answer = self.apply(self.a)
        if outcome != "ok":
            self.tally("no document", outcome, answer)
            return
        self.fill()
        said = literal(json.dumps({**self.b, "schema": "pairs"}))
        self.plan = self.session.run(f"SELECT format('%s %s %s', p.class, p.statement, p.hazards) FROM kepler.plan_blueprint({said}) AS p ORDER BY step")
        before = self.values(self.first)
        refused = any(line.startswith("refused") for line in self.plan)
        if not refused:
            code, wrong = self.call(f"SELECT probe.undo({said}, 'pairs')")
            # A step that rows are in the way of fails here too.
            if wrong and (code == "ok" or self.apply(self.b)[0] == "ok"):
                raise Wrong("\n".join(["undo", code, *wrong]))
        outcome, answer = self.apply(self.b)
        if outcome != "ok":
            text = "\n".join(answer)
            if not refused and not ERRORS_OF_ROWS.search(text):
                raise Wrong(text)
            self.tally("refused" if refused else "rows in the way", outcome, answer)
            return
        self.counts["applied"] += 1
        found = self.shape()
        if found != wanted:
            less, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
            raise Wrong("\n".join(["not as if applied at once:", *(f"  less {x}" for x in less), *(f"  more {x}" for x in more)]))
        self.compare(before)
        self.count_on()

    def run_online(self) -> None:
        """Each part in a transaction of its own, and what no function can run by hand."""
        self.session.run("BEGIN")
        outcome, answer = self.apply(self.b)
        wanted = self.shape()
        self.session.run("ROLLBACK")
        if outcome != "ok":
            self.counts["no document"] += 1
            return
        self.session.run("BEGIN")
        outcome, answer = self.apply(self.a)
        if outcome == "ok":
            self.fill()
        self.session.run("COMMIT")
        if outcome != "ok":
            self.counts["no document"] += 1
            return
        try:
            self.finish_online(wanted)
        finally:
            self.session.run("SELECT kepler.drop_blueprint('pairs', '{\"with_rows\": true}')")

    def finish_online(self, wanted: list[str]) -> None:
        said = literal(json.dumps({**self.b, "schema": "pairs"}))
        before = self.values(self.first)
        options = literal('{"online": true}')
        self.plan = self.session.run(f"SELECT format('%s %s %s', p.class, p.statement, p.hazards) FROM kepler.plan_blueprint({said}, {options}) AS p ORDER BY step")
        for _ in range(6):
            try:
                self.session.run(f"CALL kepler.apply_blueprint_online({said}, {ALLOW})")
            except SessionError as problem:
                text = str(problem)
                refused = any(line.startswith("refused") for line in self.plan)
                if refused or ERRORS_OF_ROWS.search(text):
                    self.counts["refused" if refused else "rows in the way"] += 1
                    return
                raise Wrong("\n".join(["online", text, *self.plan])) from None
            left = self.session.run("SELECT d ->> 'statement' FROM kepler.blueprints AS b, jsonb_array_elements(b.deferred) AS d WHERE b.name = 'pairs'")
            if not left:
                break
            for statement in left:
                self.session.run(statement)
        else:
            raise Wrong("online: never finished")
        self.counts["applied online"] += 1
        found = self.shape()
        if found != wanted:
            less, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
            raise Wrong("\n".join(["online, not as if applied at once:", *(f"  less {x}" for x in less), *(f"  more {x}" for x in more)]))
        self.compare(before)
        self.count_on()

    def tally(self, what: str, code: str, answer: list[str]) -> None:
        self.counts[what] += 1
        # Kepler's own errors; any other one is a statement that failed.
        if code not in ("22023", "0A000", "23514", "55000"):
            raise Wrong("\n".join([what, code, *answer]))

    # Rows.

    def value(self, model: Model, f: Field, row: int) -> str:
        if f.to is not None:
            target = model.table(f.to)
            assert target is not None
            return self.value(model, target.field(target.key[0]), row)
        e = model.enum(f.enum)
        if e is not None:
            value = list(e.values.values())[row % len(e.values)]
            text = literal(value)
            return f"ARRAY[{text}]::pairs.{name(e.type)}[]" if f.spec.get("list") else text
        kind = f.spec["type"]
        if f.spec.get("list"):
            return f"ARRAY[{row}, NULL]"
        if kind in WHOLE:
            return str(row + 1)
        return {"text": f"'w{row}'", "varchar": f"'w{row}'", "decimal": f"{row}.5", "boolean": str(row % 2 == 0), "timestamp": f"'2024-01-0{row + 1} 10:00:00+00'"}[kind]

    def fill(self) -> None:
        self.session.run("SET LOCAL session_replication_role = replica")
        for t in self.first.tables:
            columns = ", ".join(name(f.column) for f in t.fields)
            rows = []
            for row in range(ROWS):
                values = []
                for f in t.fields:
                    optional = not f.required and not f.generated and f.id not in t.key
                    values.append("NULL" if optional and self.random.random() < 0.05 else self.value(self.first, f, row))
                rows.append("(" + ", ".join(values) + ")")
            outcome, answer = self.call(f"INSERT INTO pairs.{name(t.table)} ({columns}) OVERRIDING SYSTEM VALUE VALUES {', '.join(rows)}")
            if outcome == "23505":
                self.counts["without rows"] += 1
            elif outcome != "ok":
                raise Wrong("\n".join(["rows", *answer]))
            for f in t.fields:
                if f.generated:
                    self.session.run(f"SELECT setval(pg_get_serial_sequence({literal('pairs.' + name(t.table))}, {literal(f.column)}), {ROWS})")
        self.session.run("SET LOCAL session_replication_role = origin")

    def values(self, model: Model) -> dict[int, list[str]]:
        values = {}
        for t in model.tables:
            for f in t.fields:
                column = f"{name(f.column)}::text"
                values[f.id] = self.session.run(f"SELECT coalesce({column}, 'NULL') FROM pairs.{name(t.table)} ORDER BY 1")
        return values

    def compare(self, before: dict[int, list[str]]) -> None:
        old = {f.id: (t, f) for t in self.first.tables for f in t.fields}
        after = self.values(self.second)
        renamed = {}
        for e in self.second.enums:
            was = self.first.enum(e.id)
            if was:
                renamed[e.id] = {v: e.values.get(i, v) for i, v in was.values.items()}
        for id, values in after.items():
            if id not in before:
                continue
            f = next(f for t in self.second.tables for f in t.fields if f.id == id)
            kind, was = f.spec.get("type"), old[id][1].spec.get("type")
            expected = before[id]
            if f.enum is not None and f.enum == old[id][1].enum:
                words = renamed.get(f.enum, {})
                if f.spec.get("list"):
                    continue
                expected = sorted(words.get(v, v) for v in expected)
                values = sorted(values)
            elif kind not in ("decimal", "timestamp"):
                expected, values = sorted(expected), sorted(values)
            else:
                if len(expected) != len(values):
                    raise Wrong(f"rows of {f.column}: {expected} became {values}")
                continue
            if expected != values and (kind == was or kind in WHOLE):
                raise Wrong(f"values of {f.column}: {expected} became {values}")

    def count_on(self) -> None:
        """No number is given out twice."""
        for t in self.second.tables:
            for f in t.fields:
                if f.generated:
                    table = f"pairs.{name(t.table)}"
                    sequence = f"pg_get_serial_sequence({literal(table)}, {literal(f.column)})"
                    ok = self.session.value(f"SELECT nextval({sequence}) > coalesce((SELECT max({name(f.column)}) FROM {table}), 0)")
                    if ok != "t":
                        raise Wrong(f"{f.column} of {t.table} counts from a number that is there")


def main() -> None:
    database = sys.argv[1]
    seed = os.environ.get("SEED", "1")
    only = os.environ.get("PAIR")
    numbers = [int(only)] if only else range(int(os.environ.get("PAIRS", "40")))
    session = Session(database)
    session.run("\\set VERBOSITY verbose\nSET client_min_messages = error")
    counts: collections.Counter[str] = collections.Counter()
    failed = 0
    for number in numbers:
        pair = Pair(session, f"{seed} {number}")
        try:
            pair.run()
        except (Wrong, SessionError) as problem:
            failed += 1
            print(f"PAIR={number}: {problem}")
            if only:
                print(json.dumps(pair.a, indent=1), json.dumps(pair.b, indent=1), *pair.plan, sep="\n")
        counts += pair.counts
    for number in range(int(os.environ.get("ONLINE", "8"))) if not only else []:
        pair = Pair(session, f"{seed} online {number}")
        try:
            pair.run_online()
        except (Wrong, SessionError) as problem:
            failed += 1
            print(f"online {number}: {problem}")
        counts += pair.counts
    session.close()
    print(", ".join(f"{what}: {count}" for what, count in sorted(counts.items())))
    if not only and counts["applied"] < len(numbers) / 2:
        print("too few pairs say anything")
        failed += 1
    sys.exit(failed > 0)


main()
