"""Random structures, edits of them, and rows for structure_pairs.py. All documents are valid ones."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

from structure_model import INTEGERS, KEY_KINDS, TIMES, Column, Model, Other, Rows, change_class, predict, printed

OWN = "Pair"
NAMES = [
    "alpha", "beta", "gamma", "delta", "name", "value", "status", "text", "type", "id", "entry_id", "key", "x9",
    "a_b", "a", "b_c", "a_name_that_is_exactly_forty_eight_bytes_long_ab",
]  # fmt: skip
KINDS = [
    "text", "text", "text", "integer", "integer", "bigint", "decimal", "decimal", "float", "boolean", "date", "time",
    "timestamp", "uuid", "json", "bytes", "enum", "enum", "reference", "reference", "vector",
]  # fmt: skip
ORDERED = ("integer", "bigint", "decimal", "float", "date", "time", "timestamp")
UUIDS = [f"0000000{n}-0000-4000-8000-00000000000a" for n in range(5)]
WORDS = [
    "", "a", "A", "b", "c", "ab", "it's", 'q"uote', "back\\slash", "é\"q", "日本語", "😀", "{}", "null", "new\nline", "tab\t",
    "x" * 12, " a", "a ", ";--", "$$", "%s", "NULL", "ß",
]  # fmt: skip
VALUES = ["a", "b", "c", "it's", 'é"q', "", "1", "2", "2024-01-01", "\\", "日本"]
MILD: dict[str, list[str]] = {
    "text": WORDS,
    "integer": ["-5", "0", "1", "2", "3", "7", "42", "99"],
    "bigint": ["-5", "0", "1", "2", "3", "7", "42", "100", "5000000000"],
    "decimal": ["-1.5", "0", "1", "1.25", "2", "42", "99.99", "0.01"],
    "float": ["-1.5", "0", "1", "1.25", "2", "42", "0.1", "1e+20"],
    "boolean": ["true", "false"],
    "date": ["2000-01-01", "2024-02-29", "2024-12-31", "1999-12-31"],
    "time": ["00:00:00", "10:30:00", "23:59:59.999999"],
    "timestamp": ["2000-01-01 00:00:00+00", "2024-02-29 00:00:00+00", "2024-12-31 23:59:59.5+00"],
    "uuid": UUIDS,
    "json": ["{}", "[]", "null", '"a"', '{"a": [1, null, {"b": "it\'s"}]}', "1.5", "true"],
    "bytes": ["\\x", "\\x00ff", "\\x27"],
}
EXTREME: dict[str, list[str]] = {
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "2147483648", "9007199254740993"],
    "decimal": ["NaN", "9" * 60, "0." + "1" * 50, "1e400", "Infinity", "12345678901234567.8", "2147483648"],
    "float": ["NaN", "Infinity", "-Infinity", "1e+308", "5e-324", "0.30000000000000004", "2147483648", "-0"],
    "date": ["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "9999-12-31", "294276-12-31"],
    "time": ["24:00:00"],
    "timestamp": ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "294276-12-31 23:59:59+00", "2024-01-01 10:00:00.000001+00"],
}
# Texts that look like values of other types, some of them only nearly.
TEXTS: dict[str, list[str]] = {
    "integer": ["1", "2", "-5", "+7", "01", "42", "2147483647", "2147483648", "1.0", " 1"],
    "bigint": ["1", "2", "-5", "9223372036854775807", "9223372036854775808", "1e3"],
    "decimal": ["1", "1.0", "-1.25", ".5", "1e3", "1e-9", "99.99", "123456789.123", "NaN", "1."],
    "float": ["1", "0.5", "1.25", "1e300", "1e400", "1e-400", "12345678901234567890.5", "0.1", "inf"],
    "boolean": ["true", "f", "YES", "off", "1", "0", " t ", "o", "maybe"],
    "date": ["2024-01-01", "2024-02-29", "2023-02-29", "0001-01-01", "today", "2024-1-1"],
    "time": ["10:00", "10:00:00", "23:59:59", "25:00", "now"],
    "timestamp": ["2024-01-01", "2024-01-01 10:00", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00+02", "2024-13-01", "now"],
    "uuid": [*UUIDS, UUIDS[1].upper(), "0000000b-0000-4000-8000-00000000000B", "{0}", "x"],
    "json": ["{}", "[1]", "null", '"a"', "{'a'}", "", "1e3", "NaN"],
}
CONSTANTS: dict[str, list[Any]] = {
    "integer": [-5, 0, 1, 7, 100, -2147483648],
    "bigint": [-5, 0, 1, 7, 100, 9223372036854775807],
    "decimal": [-1.5, 0, 0.5, 1, 42, 99],
    "float": [-1.5, 0, 0.5, 1, 42, 1e300],
    "date": ["2000-01-01", "2024-02-29", "2030-01-01"],
    "time": ["00:00:00", "10:30:00", "23:59:59"],
    "timestamp": ["2000-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2030-01-01T10:00:00.5Z"],
    "boolean": [True, False],
    "uuid": UUIDS,
    "text": WORDS,
}


class Generator:
    def __init__(self, random: Random, others: dict[str, Other]) -> None:
        self.random, self.others = random, others

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"fields": []}
        if self.chance(0.6):
            name = self.random.choice(["entry_id", "id", "code"])
            document["key"] = {"name": name, "type": self.random.choice(list(KEY_KINDS))}
        if self.chance(0.3):
            document["description"] = self.random.choice(["All of it", "it's \\ \"all\"", ""])
        for _ in range(self.random.choice([0, 1, 2, 3, 3, 4, 4, 5, 6])):
            self.add_field(document)
        for _ in range(self.random.choice([0, 0, 1, 2])):
            self.add_rule(document)
        return self.tidy(document)

    def free_name(self, document: dict[str, Any]) -> str | None:
        taken = {f["name"] for f in document["fields"]} | {document.get("key", {}).get("name", "entry_id")}
        free = [name for name in NAMES if name not in taken]
        return self.random.choice(free) if free else None

    def add_field(self, document: dict[str, Any]) -> None:
        name = self.free_name(document)
        if name is not None:
            at = self.random.randint(0, len(document["fields"]))
            document["fields"].insert(at, self.field(name))

    def field(self, name: str, kind: str | None = None) -> dict[str, Any]:
        f: dict[str, Any] = {"name": name, "type": kind or self.random.choice(KINDS)}
        kind = f["type"]
        if kind == "text" and self.chance(0.5):
            f["max_length"] = self.random.choice([1, 3, 12, 40])
        if kind == "decimal" and self.chance(0.7):
            f["precision"], f["scale"] = self.random.choice([(5, 2), (10, 0), (10, 2), (12, 4), (38, 10), (20, 2)])
        if kind == "enum":
            f["values"] = self.random.sample(VALUES, self.random.randint(1, 6))
        if kind == "reference":
            f["to"] = self.random.choice([*self.others, OWN])
            if self.chance(0.6):
                f["on_delete"] = self.random.choice(["restrict", "cascade", "set_null"])
        if kind == "vector":
            f["dimensions"] = self.random.choice([2, 2, 3])
        if kind not in ("json", "bytes", "reference", "vector") and self.chance(0.15):
            f["list"] = True
        for edit in (self.required, self.unique, self.default, self.bounds, self.index):
            if self.chance(0.3):
                edit(f)
        if self.chance(0.1):
            f["label"] = "A \"label\""
        if self.chance(0.15):
            f["description"] = self.random.choice(["What it's", ""])
        return f

    def required(self, f: dict[str, Any]) -> None:
        f["required"] = not f.get("required")

    def unique(self, f: dict[str, Any]) -> None:
        f["unique"] = not f.get("unique")
        if f["type"] == "text" and f["unique"]:
            f["case_insensitive"] = self.chance(0.5)

    def default(self, f: dict[str, Any]) -> None:
        kind = f["type"]
        f.pop("default", None)
        if self.chance(0.2):
            return
        if kind == "enum":
            f["default"] = self.random.choice(f["values"])
        elif kind == "json":
            f["default"] = self.random.choice([[], {"b": 1, "a": "it's \\"}, False, "uuid"])
        elif kind in CONSTANTS:
            f["default"] = self.random.choice(CONSTANTS[kind])
            if not f.get("list") and self.chance(0.3):
                word = {"uuid": "uuid", "text": self.random.choice(["uuid", "cuid"])}.get(kind)
                f["default"] = word or ("now" if kind in ("date", "time", "timestamp") else f["default"])
        if "default" in f and f.get("list"):
            f["default"] = self.random.sample([f["default"]] * 2, self.random.randint(0, 2))

    def bounds(self, f: dict[str, Any]) -> None:
        if f["type"] == "text":
            f["min_length"] = self.random.choice([1, 2, 3])
        elif f["type"] in ORDERED:
            for key in ("min", "max"):
                f.pop(key, None)
                if self.chance(0.5):
                    f[key] = self.random.choice(CONSTANTS[f["type"]])

    def index(self, f: dict[str, Any]) -> None:
        if f["type"] == "vector":
            f["index"] = {"method": "hnsw", "metric": self.random.choice(["cosine", "l2", "inner_product"])}
        elif f["type"] == "reference":
            f["index"] = self.random.choice([True, False])
        elif f.get("list") or f["type"] == "json":
            f["index"] = {"method": "gin"}
        else:
            f["index"] = self.random.choice([True, {"descending": True}])

    def add_rule(self, document: dict[str, Any]) -> None:
        names = [f["name"] for f in document["fields"]]
        if not names:
            return
        kind = self.random.choice(["unique", "indexes", "checks", "checks", "insensitive"])
        rules = document.setdefault("unique" if kind == "insensitive" else kind, [])
        some = self.random.sample(names, min(len(names), self.random.randint(2, 3)))
        if kind == "insensitive":
            rules.append(some)
            for f in document["fields"]:
                if f["name"] in some and f["type"] == "text":
                    f["case_insensitive"] = True
        elif kind == "unique":
            rules.append(some)
        elif kind == "indexes":
            if self.chance(0.3):
                some.append(self.random.choice(TIMES))
            rules.append({"fields": [{"name": n, "direction": "desc"} if self.chance(0.4) else n for n in some]})
        else:
            rules.append(self.check(document, some))

    def check(self, document: dict[str, Any], some: list[str]) -> dict[str, Any]:
        f = next(f for f in document["fields"] if f["name"] == some[0])
        op = self.random.choice(["=", "<>", "<>", "<", "<=", ">", ">="])
        if self.chance(0.1):
            return {"field": "created_at", "op": ">", "value": "2001-01-01T00:00:00Z"}
        if self.chance(0.4):
            like = [g["name"] for g in document["fields"] if g["type"] == f["type"] and g is not f]
            if like:
                return {"field": some[0], "op": op, "other_field": self.random.choice(like)}
        value = self.random.choice(f["values"] if f["type"] == "enum" else CONSTANTS.get(f["type"], [0]))
        return {"field": some[0], "op": op, "value": value}

    def tidy(self, document: dict[str, Any]) -> dict[str, Any]:
        """Takes out what would make the document invalid."""
        fields = {f["name"]: f for f in document["fields"]}
        key = document.get("key", {})
        for f in fields.values():
            _tidy_field(f)
        comparable = {n for n, f in fields.items() if not f.get("list") and f["type"] not in ("json", "vector")}
        plain = comparable | set(TIMES) | {key.get("name", "entry_id")}
        unique: list[list[str]] = []
        for names in document.get("unique", []):
            if len(set(names)) == len(names) > 1 and all(n in comparable for n in names) and not any(set(names) == set(s) for s in unique):
                unique.append(names)
        indexes, seen = [], set()
        for name, f in fields.items():
            if f.get("index") not in (None, False):
                down = isinstance(f["index"], dict) and f["index"].get("descending", False)
                seen.add(((name, down),))
        for index in document.get("indexes", []):
            columns = tuple((c, False) if isinstance(c, str) else (c["name"], True) for c in index["fields"])
            once = len({n for n, _ in columns}) == len(columns)
            if once and all(n in plain for n, _ in columns) and columns not in seen:
                seen.add(columns)
                indexes.append(index)
        checks: list[dict[str, Any]] = []
        for check in document.get("checks", []):
            if check not in checks and self._is_valid(check, fields, comparable):
                checks.append(check)
                if check["op"] in ("<=", ">=") and "value" in check:
                    # It becomes a bound, of which there is one.
                    f = fields[check["field"]]
                    f.pop("min" if check["op"] == ">=" else "max", None)
                    bounds = [c for c in checks if c["field"] == check["field"] and c["op"] == check["op"] and "value" in c]
                    checks = [c for c in checks if c is check or c not in bounds]
                    for other in ("min", "max"):
                        f.pop(other, None)
                    checks = [c for c in checks if c is check or c["field"] != check["field"] or "value" not in c or c["op"] not in ("<=", ">=")]
                    f.pop("default", None)
        for rules, found in (("unique", unique), ("indexes", indexes), ("checks", checks)):
            document.pop(rules, None)
            if found:
                document[rules] = found
        in_sets = {n for s in unique for n in s}
        for name, f in fields.items():
            if f.get("case_insensitive") and not f.get("unique") and name not in in_sets:
                del f["case_insensitive"]
            # What depends on the clock is left to defaults alone.
            if f.get("default") == "now" and any(name in (c["field"], c.get("other_field")) for c in checks):
                del f["default"]
        return document

    def _is_valid(self, check: dict[str, Any], fields: dict[str, Any], comparable: set[str]) -> bool:
        if check["field"] in TIMES:
            return True
        f = fields.get(check["field"])
        if f is None or f["name"] not in comparable or f["type"] == "bytes":
            return False
        if f["type"] not in ORDERED and check["op"] not in ("=", "<>"):
            return False
        if "other_field" in check:
            group = {"integer": "bigint", "enum": "text"}
            other = fields.get(check["other_field"])
            return (
                other is not None
                and other is not f
                and other["name"] in comparable
                and other.get("to") == f.get("to")
                and group.get(other["type"], other["type"]) == group.get(f["type"], f["type"])
            )
        if f["type"] == "reference":
            return False
        if f["type"] == "enum":
            return check["value"] in f["values"]
        return _constant_fits(f, check["value"])

    def edited(self, document: dict[str, Any]) -> dict[str, Any]:
        """A document that is a few edits away."""
        edited = copy.deepcopy(document)
        for _ in range(self.random.choice([1, 1, 2, 3, 4])):
            edit = self.random.choice([
                self.add_field, self._drop, self._drop, self._rename, self._rename, self._retype, self._retype,
                self._edit, self._edit, self._edit, self.add_rule, self._drop_rule, self._take_place, self._chain,
                self._rename_key, self._reorder, self._describe,
            ])  # fmt: skip
            edit(edited)
        return self.tidy(edited)

    def _any(self, document: dict[str, Any]) -> dict[str, Any] | None:
        return self.random.choice(document["fields"]) if document["fields"] else None

    def _drop(self, document: dict[str, Any]) -> None:
        f = self._any(document)
        if f:
            document["fields"].remove(f)

    def _rename(self, document: dict[str, Any], f: dict[str, Any] | None = None, name: str | None = None) -> None:
        f, name = f or self._any(document), name or self.free_name(document)
        if not f or not name or f.get("renamed_from"):
            return
        old, f["name"], f["renamed_from"] = f["name"], name, f["name"]
        if not self.chance(0.95):
            f["renamed_from"] = f"never_{old}"[:48]
        for names in document.get("unique", []):
            names[:] = [name if n == old else n for n in names]
        for index in document.get("indexes", []):
            for at, column in enumerate(index["fields"]):
                if column == old:
                    index["fields"][at] = name
                elif isinstance(column, dict) and column["name"] == old:
                    column["name"] = name
        for check in document.get("checks", []):
            for key in ("field", "other_field"):
                if check.get(key) == old:
                    check[key] = name

    def _take_place(self, document: dict[str, Any]) -> None:
        """A field is dropped, and another takes its name."""
        if len(document["fields"]) > 1:
            gone, stays = self.random.sample(document["fields"], 2)
            document["fields"].remove(gone)
            self._rename(document, stays, gone["name"])

    def _chain(self, document: dict[str, Any]) -> None:
        """Each field takes the name of the next."""
        count = min(len(document["fields"]), 3)
        chain = self.random.sample(document["fields"], count)
        if any(f.get("renamed_from") for f in chain):
            return
        name = self.free_name(document)
        if self.chance(0.3) and len(chain) > 1:
            name = chain[-1]["name"]
            document["fields"].remove(chain.pop())
        for f in reversed(chain):
            old = f["name"]
            if name:
                self._rename(document, f, name)
            name = old

    def _retype(self, document: dict[str, Any]) -> None:
        f = self._any(document)
        if not f:
            return
        near = {
            "text": ["integer", "bigint", "decimal", "float", "boolean", "date", "time", "timestamp", "uuid", "json", "enum", "text"],
            "integer": ["bigint", "decimal", "float", "boolean", "text"],
            "bigint": ["integer", "decimal", "float", "text", "reference"],
            "decimal": ["decimal", "float", "integer", "bigint", "text"],
            "float": ["decimal", "integer", "bigint", "text"],
            "boolean": ["integer", "text"],
            "date": ["timestamp", "text"],
            "timestamp": ["date", "text"],
            "enum": ["text", "enum", "integer"],
            "uuid": ["text", "reference"],
            "reference": ["bigint", "uuid", "text", "reference"],
        }.get(f["type"], KINDS)
        kind = self.random.choice(near if self.chance(0.9) else KINDS)
        new = self.field(f["name"], kind)
        kept = ("required", "unique", "renamed_from", "label", "description", "list")
        for key in kept:
            new.pop(key, None)
            if key in f:
                new[key] = f[key]
        if self.chance(0.5):
            for key in ("min", "max", "default"):
                new.pop(key, None)
        f.clear()
        f.update(new)

    def _edit(self, document: dict[str, Any]) -> None:
        f = self._any(document)
        if not f:
            return
        edit = self.random.choice([self.required, self.required, self.unique, self.default, self.bounds, self.index, self._size])
        edit(f)

    def _size(self, f: dict[str, Any]) -> None:
        kind = f["type"]
        if kind in ("text", "decimal", "vector", "enum", "reference"):
            new = self.field(f["name"], kind)
            for key in ("max_length", "precision", "scale", "dimensions", "values", "on_delete"):
                f.pop(key, None)
                if key in new:
                    f[key] = new[key]

    def _drop_rule(self, document: dict[str, Any]) -> None:
        rules = self.random.choice(["unique", "indexes", "checks"])
        if document.get(rules):
            document[rules].pop(self.random.randrange(len(document[rules])))

    def _rename_key(self, document: dict[str, Any]) -> None:
        key = dict(document.get("key", {"name": "entry_id", "type": "bigint"}))
        names = {f["name"] for f in document["fields"]}
        free = [n for n in ("entry_id", "id", "code", "pk") if n not in names]
        if self.chance(0.2) and names:
            # The key takes the name of a field that goes.
            gone = self._any(document)
            assert gone
            document["fields"].remove(gone)
            free = [gone["name"]]
        if free:
            key["name"] = self.random.choice(free)
        if self.chance(0.1):
            key["type"] = self.random.choice(list(KEY_KINDS))
        document["key"] = key

    def _reorder(self, document: dict[str, Any]) -> None:
        self.random.shuffle(document["fields"])

    def _describe(self, document: dict[str, Any]) -> None:
        where = self._any(document) if self.chance(0.6) else document
        if where is not None:
            where["description"] = self.random.choice(["Another", "it's", "", "\\"])

    def rows(self, model: Model, goal: Model, renames: dict[str, str], count: int, first: int = 1) -> Rows:
        """Rows that the model takes; in friendly ones, what the goal takes as well."""
        rows: Rows = {}
        friendly, mild = self.chance(0.55), self.chance(0.6)
        comes_from = {renames.get(name, name): column for name, column in goal.columns.items()}
        nulls = self.random.choice([0.0, 0.1, 0.4])
        for number in range(first, first + count):
            for _ in range(6):
                key = self.key(model.key_kind, number)
                row: dict[str, Any] = {model.key: key, **dict.fromkeys(TIMES, "2026-01-01 00:00:00+00")}
                for column in model.columns.values():
                    if column.name not in row:
                        row[column.name] = None if self.chance(nulls) else self.value(model, column, comes_from.get(column.name), [*rows, key], mild)
                tried = {**rows, key: row}
                if any(model.violations(tried, self.others, OWN)):
                    continue
                if friendly and predict(model, goal, renames, tried, self.others, OWN).code == "23514":
                    continue
                rows = tried
                break
        return rows

    def key(self, kind: str, number: int) -> str:
        return {"bigint": str(number), "uuid": f"00000000-0000-4000-8000-{number:012d}", "cuid": f"key{number:03d}"}[kind]

    def value(self, model: Model, column: Column, goal: Column | None, keys: list[str], mild: bool) -> Any:
        if column.list:
            count = self.random.choice([0, 1, 2, 3])
            element = Column(column.name, column.kind, column.size)
            return [None if self.chance(0.1) else self.value(model, element, None, keys, mild) for _ in range(count)]
        for rule in model.rules:
            if rule[0] == "reference" and rule[1] == column.name:
                return self.random.choice(keys if rule[2] == OWN else self.others[rule[2]].keys)
            if rule[0] == "one_of" and rule[1] == column.name:
                return self.random.choice(rule[2])
        if column.kind == "vector":
            return json.dumps([self.random.choice([0.5, 1, -2]) for _ in range(column.size[0])]).replace(" ", "").replace(".0", "")
        if column.kind == "text":
            pool = WORDS
            if goal and goal.kind != "text" and self.chance(0.8):
                pool = TEXTS.get(goal.kind, WORDS)
                pool = pool[:4] if mild else pool
            short = [word for word in pool if not column.size or len(word) <= column.size[0]]
            return self.random.choice(short or [""])
        pool = MILD[column.kind] + ([] if mild else EXTREME.get(column.kind, []))
        if column.kind == "decimal" and column.size:
            whole = column.size[0] - column.size[1]
            fitting = ["0", "1", "-1", "9" * whole, "NaN"] + (["0." + "9" * column.size[1], "0.50"] if column.size[1] > 1 else [])
            pool = fitting[:3] if mild else fitting
        return self.random.choice(pool)


def _constant_fits(f: dict[str, Any], value: Any) -> bool:
    kind = f["type"]
    if kind == "text":
        return isinstance(value, str) and len(value) <= f.get("max_length", 100)
    if kind == "decimal" and "precision" in f:
        if type(value) not in (int, float):
            return False
        digits = f["precision"] - f["scale"]
        return abs(value) < 10**digits and (f["scale"] > 0 or value == int(value))
    # To Python, 0 is False.
    return isinstance(value, bool) == (kind == "boolean") and value in CONSTANTS.get(kind, [])


def _tidy_field(f: dict[str, Any]) -> None:
    kind, listed = f["type"], f.get("list")
    f.pop("list", None)
    if listed and kind not in ("json", "bytes", "reference", "vector"):
        f["list"] = True
    listed = f.get("list")
    if listed or kind in ("json", "vector"):
        f.pop("unique", None)
    if listed or kind != "text":
        f.pop("case_insensitive", None)
        f.pop("min_length", None)
    if listed or kind not in ORDERED:
        f.pop("min", None)
        f.pop("max", None)
    if f.get("required") and f.get("on_delete") == "set_null":
        del f["on_delete"]
    for key in ("min", "max"):
        if key in f and not _constant_fits(f, f[key]):
            del f[key]
    if "min" in f and "max" in f and not _ordered(f["min"], f["max"]):
        del f["min"]
    if "max_length" in f and f.get("min_length", 0) > f["max_length"]:
        del f["min_length"]
    if "index" in f:
        index = f["index"]
        special = {"gin": listed or kind == "json", "hnsw": kind == "vector"}
        method = index.get("method") if isinstance(index, dict) else None
        if method and not special[method] or not method and (listed or kind in ("json", "vector")) or index is False and kind != "reference":
            del f["index"]
    if "default" in f and not _default_fits(f):
        del f["default"]


def _default_fits(f: dict[str, Any]) -> bool:
    kind, default = f["type"], f["default"]
    if isinstance(default, list) and kind != "json":
        return bool(f.get("list")) and all(_default_fits({**f, "list": False, "default": item}) for item in default)
    if f.get("list"):
        return False
    if kind == "json":
        return True
    if kind == "enum":
        return default in f["values"]
    if default == "now":
        return kind in ("date", "time", "timestamp") and "min" not in f and "max" not in f
    if kind == "text" and default in ("uuid", "cuid"):
        return f.get("max_length", 40) >= 36
    if kind == "uuid" and default == "uuid":
        return True
    if kind not in CONSTANTS or not _constant_fits(f, default):
        return False
    if kind == "text" and len(default) < f.get("min_length", 0):
        return False
    return ("min" not in f or _ordered(f["min"], default)) and ("max" not in f or _ordered(default, f["max"]))


def _ordered(a: Any, b: Any) -> bool:
    return a <= b if type(a) is not str or type(b) is str else False


__all__ = ["INTEGERS", "OWN", "Generator", "change_class", "printed"]
