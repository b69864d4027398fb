"""Changes random tables into others and holds what happens against structure_model.py."""

from __future__ import annotations

import collections
import json
import os
import re
import sys
import time
from random import Random
from typing import Any

from session import Session, SessionError
from structure_generator import OWN, Generator
from structure_model import KEY_KINDS, TIMES, Model, Other, Outcome, Row, Rows, predict, same, sources

OTHERS = {"Other Bigint": "bigint", "Other Uuid": "uuid", "Other Cuid": "cuid"}
HIDDEN = "_hidden_"


class Wrong(Exception):
    """What the server did is not what the model says."""


def literal(value: Any, sql_type: str | None = None) -> str:
    if value is None:
        text = "NULL"
    elif isinstance(value, list):
        text = f"ARRAY[{', '.join(literal(item) for item in value)}]"
    else:
        text = "'" + str(value).replace("'", "''") + "'"
    return text if sql_type is None else f"{text}::{sql_type}"


def quote(name: str) -> str:
    return f'"{name}"'


class Pair:
    """One pair of documents, in one transaction."""

    def __init__(self, session: Session, others: dict[str, Other], seed: str) -> None:
        self.session, self.others, self.seed = session, others, seed
        self.random = Random(seed)
        self.generator = Generator(self.random, others)
        self.counts: collections.Counter[str] = collections.Counter()
        self.documents: list[Any] = []
        self.plan: list[Any] = []

    def model(self, document: dict[str, Any]) -> Model:
        return Model.of(document, self.others, OWN)

    def expect(self, holds: bool, what: str, *details: Any) -> None:
        if not holds:
            raise Wrong("\n  ".join([what, *map(str, details)]))

    def call(self, statement: str) -> tuple[str, str]:
        """Runs a statement that may fail; gives "ok" or the SQLSTATE, and the answer or the message."""
        self.session.run("SAVEPOINT attempt")
        try:
            answer = "".join(self.session.run(statement))
        except SessionError as problem:
            code = re.search(r"ERROR:  ([0-9A-Z]{5}):", str(problem))
            self.session.run("ROLLBACK TO attempt")
            return (code[1] if code else "?"), str(problem)
        self.session.run("RELEASE attempt")
        return "ok", answer

    def run(self) -> None:
        self.session.run("BEGIN")
        try:
            self._run()
        finally:
            self.session.run("ROLLBACK")

    def _run(self) -> None:
        a = self.generator.document()
        b = self.generator.document() if self.random.random() < 0.1 else self.generator.edited(a)
        self.documents = [a, b]
        code, answer = self.call(f"SELECT kepler.create_entry_table('{OWN}', {literal(json.dumps(a))})")
        self.expect(code == "ok", "the first document is refused", answer)
        self.table = answer
        self.check_catalog(a, "create")
        old = self.model(a)
        renames = {f["name"]: f["renamed_from"] for f in b["fields"] if "renamed_from" in f}
        count = self.random.choice([0, 1, 2, 3, 5, 8, 20])
        self.insert(old, self.generator.rows(old, self.model(b), renames, count))
        if self.random.random() < 0.3:
            self.insert_wrong(old)
        outcome = self.change(a, b)
        if outcome.code != "ok":
            return
        if self.random.random() < 0.4:
            new = self.model(b)
            more = self.generator.rows(new, old, {}, self.random.choice([1, 2]), 500)
            rows = self.rows(new)
            valid = not any(new.violations({**rows, **more}, self.others, OWN))
            if valid:
                self.insert(new, more)
        choice = self.random.random()
        if choice < 0.34:
            # The names that were renamed are new ones seen from here.
            self.documents.append(a)
            self.change(b, a)
        elif outcome.hidden:
            self.restore(a, b, outcome)

    def rows(self, model: Model) -> Rows:
        """All entries, with texts for values."""
        names = list(model.columns)
        values = [f"to_json({quote(n)})" if model.columns[n].list else f"to_json({quote(n)}::text)" for n in names]
        query = f"SELECT coalesce(json_agg(json_build_array({', '.join(values)})), '[]') FROM {self.table}"
        found: Rows = {}
        for items in self.session.json(query):
            row: Row = dict(zip(names, items, strict=True))
            for name, value in row.items():
                if isinstance(value, list):
                    row[name] = [None if item is None else item if isinstance(item, str) else json.dumps(item) for item in value]
            found[row[model.key]] = row
        return found

    def insert_statement(self, model: Model, rows: Rows) -> str:
        names = [name for name in model.columns if name not in TIMES]
        lines = [", ".join(literal(row[n], model.columns[n].sql_type()) for n in names) for row in rows.values()]
        columns = ", ".join(map(quote, names))
        return f"INSERT INTO {self.table} ({columns}) VALUES " + ", ".join(f"({line})" for line in lines)

    def insert(self, model: Model, rows: Rows) -> None:
        if rows:
            code, answer = self.call(self.insert_statement(model, rows))
            self.expect(code == "ok", "valid rows are refused", answer)
            self.counts["rows"] += len(rows)

    def insert_wrong(self, model: Model) -> None:
        """A row that the model refuses is refused."""
        present = self.rows(model)
        for number in range(900, 910):
            key = self.generator.key(model.key_kind, number)
            row: Row = {model.key: key, **dict.fromkeys(TIMES, "2026-01-01 00:00:00+00")}
            for column in model.columns.values():
                if column.name not in row:
                    value = self.generator.value(model, column, None, [key], True)
                    if column.kind == "text" and not column.list and self.random.random() < 0.5:
                        value = self.random.choice(["zz", ""]) if not column.size else ""
                    row[column.name] = None if self.random.random() < 0.1 else value
            if any(model.violations({**present, key: row}, self.others, OWN)):
                code, answer = self.call(self.insert_statement(model, {key: row}))
                self.expect(code in ("23502", "23503", "23505", "23514"), "a wrong row is taken", row, answer)
                self.counts["wrong rows refused"] += 1
                return

    def stored(self) -> tuple[int, dict[str, Any]]:
        return tuple(self.session.json(
            "SELECT json_build_array(t.version, s.structure) FROM kepler.entry_tables AS t JOIN kepler.structures AS s"
            f" ON s.entry_table_id = t.id AND s.version = t.version WHERE t.record_name = '{OWN}'"
        ))  # fmt: skip

    def planned(self, document: Any) -> list[Any]:
        text = document if isinstance(document, str) else json.dumps(document)
        return self.session.json(
            "SELECT coalesce(json_agg(json_build_array(operation, object, class, statement, hazards) ORDER BY step), '[]')"
            f" FROM kepler.plan_entry_table('{OWN}', {literal(text)})"
        )

    def alter(self, document: Any, allow: str = "rewrite,convert") -> tuple[str, str]:
        text = document if isinstance(document, str) else json.dumps(document)
        return self.call(f"SELECT kepler.alter_entry_table('{OWN}', {literal(text)}, allow => '{{{allow}}}')")

    def check_catalog(self, document: dict[str, Any], when: str) -> None:
        """The table is the one that the document describes, as the extension and as the model see it."""
        _, stored = self.stored()
        found = self.session.json(f"SELECT kepler.structure_of('{self.table}')")
        self.expect(as_sets(found) == as_sets(stored), f"after {when}, structure_of is not what is stored", found, stored)
        model = self.model(document)
        columns, constraints, indexes, key = self.session.json(f"""
            SELECT json_build_array(
                (SELECT json_object_agg(attname, json_build_array(replace(format_type(atttypid, atttypmod), 'public.', ''), attnotnull, atthasdef OR attidentity <> ''))
                 FROM pg_attribute WHERE attrelid = '{self.table}'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE '\\_hidden\\_%'),
                (SELECT json_object_agg(contype, n) FROM (SELECT contype, count(*) AS n FROM pg_constraint
                 WHERE conrelid = '{self.table}'::regclass AND contype <> 'n' AND convalidated GROUP BY 1) AS c),
                (SELECT count(*) FROM pg_index WHERE indrelid = '{self.table}'::regclass AND indisvalid),
                (SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                 WHERE i.indrelid = '{self.table}'::regclass AND i.indisprimary))""")
        expected = {
            c.name: [c.sql_type(), c.required, c.default is not None or c.name == model.key or c.name in TIMES]
            for c in model.columns.values()
        }
        self.expect(columns == expected, f"after {when}, the columns are others", columns, expected)
        numbers = model.constraints()
        self.expect(indexes == numbers.pop("indexes"), f"after {when}, there are {indexes} indexes", model.rules)
        self.expect({**dict.fromkeys("cfpu", 0), **constraints} == numbers, f"after {when}, the constraints are others", constraints, numbers)
        self.expect(key == model.key, f"after {when}, the key is {key}")

    def change(self, a: dict[str, Any], b: dict[str, Any]) -> Outcome:
        """Changes the table of document a into that of document b, or sees it refused with reason."""
        old, new = self.model(a), self.model(b)
        before, (version, structure) = self.rows(old), self.stored()
        renames = {f["name"]: f["renamed_from"] for f in b["fields"] if "renamed_from" in f}
        outcome = predict(old, new, renames, before, self.others, OWN)
        self.plan = self.planned(b)
        refused = any(step[2] == "refused" for step in self.plan)
        self.expect(refused == (outcome.code == "0A000"), "the plan refuses, or does not", outcome.reasons, self.plan)
        classes = {step[2] for step in self.plan} & {"rewrite", "convert"}
        if not refused:
            self.expect(classes == outcome.classes, "the plan has other classes", classes, outcome.classes, self.plan)
        if classes and not refused and self.random.random() < 0.5:
            allow = self.random.choice(["", *(["rewrite"] if classes != {"rewrite"} else ["convert"])])
            code, answer = self.alter(b, allow)
            self.expect(code == "55000", f"with allow => {allow} it ends with {code}", answer)
            self.counts["without permission"] += 1
        code, answer = self.alter(b)
        self.counts[code] += 1
        self.expect(code == outcome.code, f"it ends with {code}, not with {outcome.code}", outcome.reasons, answer, before)
        if code != "ok":
            self.expect(self.stored() == (version, structure), "a refusal changed the structure")
            self.expect(self.rows(old) == before, "a refusal changed entries")
            self.check_catalog(a, "a refusal")
            return outcome
        after = self.rows(new)
        self.expect(set(after) == set(before), "there are other entries", set(before), set(after))
        for key, row in outcome.rows.items():
            for name, value in row.items():
                found = after[key][name]
                origin = outcome.sources.get(name)
                untouched = origin and old.columns[origin].sql_type() == new.columns[name].sql_type()
                right = found == before[key][origin] if untouched else same(new.columns[name], value, found)
                self.expect(right, f"{name} of {key} is {found!r}, not {value!r}", before[key])
        self.check_catalog(b, "the change")
        self.check_idempotence(b, structure if a == b else None)
        self.check_hidden(old, outcome, before)
        return outcome

    def check_idempotence(self, b: dict[str, Any], unchanged: dict[str, Any] | None) -> None:
        version, stored = self.stored()
        if unchanged is not None:
            self.expect(stored == unchanged, "the same document made another version")
        for document in (b, stored):
            plan = self.planned(document)
            self.expect(plan == [], "the plan of what was applied is not empty", plan)
        code, answer = self.alter(b)
        self.expect((code, answer) == ("ok", str(version)), "the same document makes another version", code, answer)

    def hidden(self) -> dict[str, str]:
        found = self.session.json(
            "SELECT coalesce(json_object_agg(h.field_name, h.column_name ORDER BY h.version), '{}') FROM kepler.hidden_fields AS h"
            f" JOIN kepler.entry_tables AS t ON t.id = h.entry_table_id WHERE t.record_name = '{OWN}'"
        )
        return dict(found)

    def check_hidden(self, old: Model, outcome: Outcome, before: Rows) -> None:
        """What the change dropped is kept."""
        listed = self.hidden()
        missing = outcome.hidden - set(listed)
        self.expect(not missing, f"not listed as hidden: {missing}")
        new_key = next(name for name, origin in outcome.sources.items() if origin == old.key)
        for name in outcome.hidden:
            column = quote(listed[name])
            value = f"to_json({column})" if old.columns[name].list else f"to_json({column}::text)"
            rows = self.session.json(
                f"SELECT coalesce(json_agg(json_build_array({quote(new_key)}::text, {value})), '[]') FROM {self.table}"
            )
            for key, found in rows:
                expected = before[key][name]
                if isinstance(found, list):
                    found = [None if i is None else i if isinstance(i, str) else json.dumps(i) for i in found]
                self.expect(found == expected, f"hidden {name} of {key} is {found!r}, not {expected!r}")
        self.counts["hidden"] += len(outcome.hidden)

    def restore(self, a: dict[str, Any], b: dict[str, Any], outcome: Outcome) -> None:
        """Brings hidden fields back one by one, and purges one."""
        old = self.model(a)
        for name in sorted(outcome.hidden, key=lambda _: self.random.random()):
            column = self.hidden()[name]
            if self.random.random() < 0.3:
                self.purge(name, column)
                continue
            version, stored = self.stored()
            model = self.model(stored)
            kept = self.kept(old, name, column, model)
            code, answer = self.call(f"SELECT kepler.restore_field('{OWN}', {literal(name)})")
            self.counts[f"restored {code}"] += 1
            if name in model.columns:
                expected = "0A000" if name == model.key else "42701"
                self.expect(code == expected, f"restoring {name}, which is there, ends with {code}", answer)
                continue
            own = [f for f in a["fields"] if f["name"] == name]
            must, may = self.restored_problems(a, stored, own[0], kept)
            if code != "ok":
                self.expect(code == "23514" and bool(may), f"restoring {name} ends with {code}", answer, may)
                self.expect(self.stored() == (version, stored), "a refusal changed the structure")
                continue
            self.expect(not must, f"restoring {name} is not refused", must)
            now, restored = self.stored()
            self.expect(now == version + 1 and answer == str(now), f"the version is {now}, and the answer {answer}")
            self.check_catalog(restored, f"restoring {name}")
            for document in (restored,):
                self.expect(self.planned(document) == [], "the plan after restoring is not empty", self.planned(document))
            found = self.rows(self.model(restored))
            for key, value in kept.items():
                self.expect(found[key][name] == value, f"restored {name} of {key} is {found[key][name]!r}, not {value!r}")
            field = next(f for f in restored["fields"] if f["name"] == name)
            for key in ("type", "required", "unique", "min", "max", "min_length", "default", "values", "to"):
                was = own[0].get(key)
                if key in ("required", "unique"):
                    was = was or None
                is_bound = key in ("min", "max") and any(c["field"] == name for c in a.get("checks", []))
                self.expect(is_bound or field.get(key) == was, f"{key} of the restored {name} is {field.get(key)}, not {was}")
            self.expect(name not in self.hidden() or self.hidden()[name] != column, f"{name} is still listed as hidden")

    def kept(self, old: Model, name: str, column: str, now: Model) -> dict[str, Any]:
        value = f"to_json({quote(column)})" if old.columns[name].list else f"to_json({quote(column)}::text)"
        rows = self.session.json(f"SELECT coalesce(json_agg(json_build_array({quote(now.key)}::text, {value})), '[]') FROM {self.table}")
        return {
            key: [None if i is None else i if isinstance(i, str) else json.dumps(i) for i in found] if isinstance(found, list) else found
            for key, found in rows
        }

    def restored_problems(self, a: dict[str, Any], stored: dict[str, Any], own: dict[str, Any], kept: dict[str, Any]) -> tuple[list[str], list[str]]:
        """What must refuse the return of a field, and what may: its own rules, and those with others."""
        name = own["name"]
        present = self.model(stored)
        rows = {key: {**row, name: kept[key]} for key, row in self.rows(present).items()}
        document = {**stored, "fields": [*stored["fields"], own]}
        must = list(self.model(document).violations(rows, self.others, OWN))
        there = {f["name"] for f in stored["fields"]} | {name, present.key}
        rules: dict[str, list[Any]] = {"unique": list(stored.get("unique", [])), "checks": list(stored.get("checks", []))}
        for names in a.get("unique", []):
            if name in names and set(names) <= there:
                rules["unique"].append(names)
        for check in a.get("checks", []):
            about = {check["field"], check.get("other_field", check["field"])}
            if name in about and about <= there:
                rules["checks"].append(check)
        try:
            may = list(self.model({**document, **rules}).violations(rows, self.others, OWN))
        except (ValueError, TypeError, AssertionError, ArithmeticError):
            may = ["a rule that does not fit any more"]
        return must, must + may

    def purge(self, name: str, column: str) -> None:
        code, answer = self.call(f"SELECT kepler.purge_field('{OWN}', {literal(name)})")
        self.expect(code == "ok", f"a purge ends with {code}", answer)
        left = self.session.json(
            f"SELECT count(*) FROM pg_attribute WHERE attrelid = '{self.table}'::regclass AND attname = {literal(column)}"
        )
        self.expect(left == 0 and column not in self.hidden().values(), f"{name} is still there")
        self.counts["purged"] += 1


def as_sets(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what has no meaning: the order of fields and rules, and labels."""
    document = {k: v for k, v in document.items() if k not in ("label", "name")}
    fields = [{k: v for k, v in f.items() if k != "label"} for f in document["fields"]]
    document["fields"] = sorted(fields, key=lambda f: f["name"])
    for rules in ("unique", "indexes", "checks"):
        if rules in document:
            document[rules] = sorted(document[rules], key=json.dumps)
    return document


def prepare(session: Session) -> dict[str, Other]:
    """The tables that references point to, with some entries."""
    session.run("SET client_min_messages = warning")
    session.run("\\set VERBOSITY verbose\nSELECT set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO', false)")
    others = {}
    for name, kind in OTHERS.items():
        document = json.dumps({"key": {"name": "other_id", "type": kind}, "fields": []})
        table = session.value(f"SELECT kepler.create_entry_table('{name}', {literal(document)})")
        generator = Generator(Random(0), {})
        keys = [generator.key(kind, number) for number in (1, 2, 3, 4)]
        session.run(f"INSERT INTO {table} (other_id) VALUES " + ", ".join(f"({literal(key, KEY_KINDS[kind])})" for key in keys))
        others[name] = Other(kind, keys)
    return others


def main() -> int:
    pairs, seed = int(os.environ.get("PAIRS", "200")), os.environ.get("SEED", "1")
    session = Session(sys.argv[1])
    others = prepare(session)
    counts: collections.Counter[str] = collections.Counter()
    failures, started = 0, time.monotonic()
    numbers = [int(os.environ["PAIR"])] if "PAIR" in os.environ else range(pairs)
    for number in numbers:
        pair = Pair(session, others, f"{seed}/{number}")
        try:
            pair.run()
        except (Wrong, SessionError) as problem:
            failures += 1
            print(f"SEED={seed} PAIR={number}: {problem}")
            for document in pair.documents:
                print("  document:", json.dumps(document, ensure_ascii=False))
            for step in pair.plan:
                print("  step:", step)
            if failures >= int(os.environ.get("FAILURES", "3")):
                break
        counts += pair.counts
    session.close()
    told = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    print(f"{len(numbers)} pairs in {time.monotonic() - started:.0f} s, {failures} failures ({told})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
