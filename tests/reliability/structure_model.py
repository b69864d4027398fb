"""What a structure means, and what a change of it does to a table: the model that structure_pairs.py
holds against the server. It follows the documentation and shares no code with the extension.

Values are texts as Postgres prints them (dates in ISO style, times in UTC), lists are lists of them.
"""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Any

# A value that the database makes up.
MADE = object()
TIMES = ("created_at", "updated_at")
KEY_KINDS = {"bigint": "bigint", "uuid": "uuid", "cuid": "text"}
INTEGERS = {"integer": (-(2**31), 2**31 - 1), "bigint": (-(2**63), 2**63 - 1)}
SQL_TYPES = {
    "float": "double precision",
    "time": "time without time zone",
    "timestamp": "timestamp with time zone",
    "json": "jsonb",
    "bytes": "bytea",
}
DECIMAL = re.compile(r"(?!-[0.]*$)-?(?:0|[1-9][0-9]*)(?:[.]([0-9]+))?")
CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.]\d{1,6})?)?"
DAY = r"(\d{4,})-(\d\d)-(\d\d)"
MOMENT = re.compile(DAY + r"(?:[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:Z|\+00(?::00)?)?)?( BC)?")


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    # Of a text its length, of a decimal precision and scale, of a vector its dimensions.
    size: tuple[int, ...] = ()
    list: bool = False
    required: bool = False
    default: Any = None

    def sql_type(self) -> str:
        name = SQL_TYPES.get(self.kind, self.kind)
        if self.kind == "decimal":
            name = "numeric" + (f"({self.size[0]},{self.size[1]})" if self.size else "")
        elif self.kind == "text" and self.size:
            name = f"character varying({self.size[0]})"
        elif self.kind == "vector":
            name = f"vector({self.size[0]})"
        return name + ("[]" if self.list else "")


@dataclass
class Other:
    """A table that references may name."""

    key_kind: str
    keys: list[str]


Rule = tuple[Any, ...]
Row = dict[str, Any]
Rows = dict[str, Row]


@dataclass
class Model:
    """A table as a document asks for it. The key's column is among the columns, as are the times."""

    key: str
    key_kind: str
    columns: dict[str, Column] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    @staticmethod
    def of(document: dict[str, Any], others: dict[str, Other], own: str) -> Model:
        key = document.get("key", {})
        model = Model(key.get("name", "entry_id"), key.get("type", "bigint"))
        model.columns[model.key] = Column(model.key, KEY_KINDS[model.key_kind], required=True)
        fields = {f["name"]: f for f in document["fields"]}
        insensitive = {name for name, f in fields.items() if f.get("case_insensitive")}
        sets = [[name] for name, f in fields.items() if f.get("unique")]
        sets += [s for s in document.get("unique", []) if s not in sets]
        indexes = []
        for f in document["fields"]:
            model._add_field(f, others, own)
            if f.get("index") not in (None, False):
                indexes.append(_index(f["index"] if f["index"] is not True else {}, [f["name"]], f))
        for name in TIMES:
            model.columns[name] = Column(name, "timestamp", required=True)
        for index in document.get("indexes", []):
            first = index["fields"][0]
            indexes.append(_index(index, index["fields"], fields.get(first if isinstance(first, str) else first["name"], {})))
        for check in document.get("checks", []):
            if "other_field" in check:
                model.rules.append(("columns", check["field"], check["op"], check["other_field"]))
            else:
                model.rules.append(("compare", check["field"], check["op"], check["value"]))
        leading = {s[0] for s in sets} | {i[3][0][0] for i in indexes if i[1] == "btree"}
        for f in document["fields"]:
            if f["type"] == "reference" and f["name"] not in leading and f.get("index") is not False:
                indexes.append(_index({}, [f["name"]], f))
        model.rules += [("unique", tuple((name, name in insensitive) for name in s)) for s in sets]
        model.rules += indexes
        return model

    def _add_field(self, f: dict[str, Any], others: dict[str, Other], own: str) -> None:
        name, kind, size = f["name"], f["type"], ()
        if kind == "text" and "max_length" in f:
            size = (f["max_length"],)
        elif kind == "decimal" and "precision" in f:
            size = (f["precision"], f.get("scale", 0))
        elif kind == "vector":
            size = (f["dimensions"],)
        elif kind == "enum":
            kind = "text"
            self.rules.append(("one_of", name, tuple(f["values"])))
        elif kind == "reference":
            to = f["to"]
            kind = KEY_KINDS[self.key_kind if to == own else others[to].key_kind]
            self.rules.append(("reference", name, to, f.get("on_delete", "restrict")))
        for key, op in (("min", ">="), ("max", "<=")):
            if key in f:
                self.rules.append(("compare", name, op, f[key]))
        if "min_length" in f:
            self.rules.append(("min_length", name, f["min_length"]))
        default = f.get("default")
        listed, required = f.get("list", False), f.get("required", False)
        self.columns[name] = Column(name, kind, size, listed, required, default)

    def constraints(self) -> dict[str, int]:
        """How many constraints of each kind, and how many indexes, the catalog must have."""
        plain = [r for r in self.rules if r[0] == "unique" and not any(ci for _, ci in r[1])]
        return {
            "c": sum(r[0] in ("compare", "columns", "one_of", "min_length") for r in self.rules),
            "f": sum(r[0] == "reference" for r in self.rules),
            "p": 1,
            "u": len(plain),
            "indexes": 1 + sum(r[0] in ("unique", "index") for r in self.rules),
        }

    def violations(self, rows: Rows, others: dict[str, Other], own: str) -> Iterator[str]:
        """What is wrong with rows."""
        for column in self.columns.values():
            if column.required and any(row[column.name] is None for row in rows.values()):
                yield f"{column.name} is NULL"
        for rule in self.rules:
            yield from self._violations_of(rule, rows, others, own)

    def _violations_of(self, rule: Rule, rows: Rows, others: dict[str, Other], own: str) -> Iterator[str]:
        if rule[0] == "unique":
            seen = set()
            for row in rows.values():
                values = [(row[name], name, ci) for name, ci in rule[1]]
                if any(value is None for value, _, _ in values) or any(v is MADE_ONCE for v, _, _ in values):
                    continue
                same = tuple(v.casefold() if ci else order(self.columns[n].kind, v) for v, n, ci in values)
                if same in seen:
                    yield f"{rule[1]} twice: {same}"
                seen.add(same)
        elif rule[0] == "reference":
            keys = set(rows) if rule[2] == own else set(others[rule[2]].keys)
            for row in rows.values():
                if row[rule[1]] is not None and row[rule[1]] not in keys:
                    yield f"{rule[1]} refers to {row[rule[1]]}"
        elif rule[0] != "index":
            for key, row in rows.items():
                if self.breaks(rule, row):
                    yield f"{rule} in {key}: {row[rule[1]]!r}"

    def breaks(self, rule: Rule, row: Row) -> bool:
        """Whether a row breaks a rule that is about one row."""
        value, kind = row[rule[1]], self.columns[rule[1]].kind
        if value is None:
            return False
        if value in (MADE, MADE_ONCE):
            # Defaults fit the bounds of their own field, and are equal to nothing else.
            return rule[0] in ("compare", "columns") and rule[2] == "=" and row.get(rule[3], "") is not None
        if rule[0] == "min_length":
            return len(value) < rule[2]
        if rule[0] == "one_of":
            return any(item not in rule[2] for item in (value if isinstance(value, list) else [value]))
        if rule[0] == "columns":
            if row[rule[3]] is None:
                return False
            if row[rule[3]] in (MADE, MADE_ONCE):
                return rule[2] == "="
            other = order(self.columns[rule[3]].kind, row[rule[3]])
        else:
            other = order(kind, printed(rule[3]))
        return not holds(order(kind, value), rule[2], other)


# As MADE, and different in each row.
MADE_ONCE = object()


def _index(index: dict[str, Any], columns: list[Any], first: dict[str, Any]) -> Rule:
    method = index.get("method") or ("hnsw" if "metric" in index else None)
    if method is None and len(columns) == 1:
        if first.get("type") == "vector":
            method = "hnsw"
        elif first.get("list") or first.get("type") == "json":
            method = "gin"
    named = [(c, False) if isinstance(c, str) else (c["name"], c.get("direction") == "desc") for c in columns]
    if index.get("descending"):
        named = [(name, True) for name, _ in named]
    return ("index", method or "btree", index.get("metric"), tuple(named))


def printed(value: Any) -> str:
    """A document's value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def order(kind: str, text: str) -> Any:
    """What a value compares by."""
    if text is MADE:
        return ("made",)
    if kind in INTEGERS:
        return int(text)
    if kind in ("decimal", "float"):
        special = {"-Infinity": 0, "Infinity": 2, "NaN": 3}.get(text)
        number = Decimal(0) if special is not None else Decimal(text)
        if kind == "float" and special is None:
            number = Decimal(float(text))
        return (1 if special is None else special, number)
    if kind in ("date", "timestamp"):
        if text in ("infinity", "-infinity"):
            return (1 if text == "infinity" else -1,)
        match = MOMENT.fullmatch(text)
        assert match, text
        year, month, day, hour, minute, second, before = match.groups()
        parts = (int(month), int(day), int(hour or 0), int(minute or 0), Decimal(second or 0))
        return (0, -int(year) if before else int(year), *parts)
    return text


def holds(a: Any, op: str, b: Any) -> bool:
    return {"=": a == b, "<>": a != b}[op] if op in ("=", "<>") else {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


class Lost(Exception):
    """A value that the change would spoil."""


def fits(number: str, size: tuple[int, ...]) -> str:
    """A number as numeric(precision, scale) prints it."""
    if number in ("NaN", "Infinity", "-Infinity"):
        raise Lost(number)
    with localcontext() as context:
        context.prec = 2000
        value = Decimal(number)
        if not size:
            return format(value, "f")
        rounded = value.quantize(Decimal(1).scaleb(-size[1]))
        if rounded != value or abs(value) >= Decimal(10) ** (size[0] - size[1]):
            raise Lost(number)
        return format(rounded, "f")


def _from_text(text: str, to: Column) -> str:
    """Reads text as strictly as the conversion does: what was written comes back."""
    try:
        if to.kind in INTEGERS:
            low, high = INTEGERS[to.kind]
            if re.fullmatch(r"0|-?[1-9][0-9]*", text) and low <= int(text) <= high:
                return str(int(text))
        elif to.kind == "decimal" and (number := DECIMAL.fullmatch(text)):
            if not to.size or len(number[1] or "") <= to.size[1]:
                return fits(text, to.size)
        elif to.kind == "float":
            if text == _printed_float(float(text)):
                return text
            if (number := DECIMAL.fullmatch(text)) and not (number[1] or "").endswith("0"):
                return _to_float(text)
        elif to.kind == "boolean" and text in ("true", "false"):
            return text
        elif to.kind == "date" and re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return datetime.date.fromisoformat(text).isoformat()
        elif to.kind == "time" and re.fullmatch(CLOCK, text, re.ASCII):
            return datetime.time.fromisoformat(text).isoformat()
        elif to.kind == "timestamp" and re.fullmatch(rf"\d{{4}}-\d\d-\d\d([ T]{CLOCK}(Z|[+-]\d\d(:?\d\d)?)?)?", text, re.ASCII):
            time = datetime.datetime.fromisoformat(text)
            offset = time.utcoffset() or datetime.timedelta()
            return (time.replace(tzinfo=None) - offset).isoformat(" ") + "+00"
        elif to.kind == "uuid" and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
            return str(uuid.UUID(text))
        elif to.kind == "json":
            json.loads(text, parse_constant=int)  # NaN and Infinity are no JSON
            return text
    except (ValueError, OverflowError):
        pass
    raise Lost(text)


def _printed_float(value: float) -> str | None:
    """As Postgres prints it: the fewest digits that give it back, and an exponent where they would be many. Nothing for
    a zero, which an entry has one of, and for what is no number."""
    if value == 0 or value in (float("inf"), float("-inf")) or value != value:
        return "0" if str(value) == "0.0" else None
    sign, figures, exponent = Decimal(repr(value)).normalize().as_tuple()
    exponent = int(exponent) + len(figures) - 1
    if -4 <= exponent < 15:
        return format(Decimal(repr(value)).normalize(), "f")
    rest = "".join(map(str, figures[1:]))
    return f"{'-' if sign else ''}{figures[0]}{'.' if rest else ''}{rest}e{'+' if exponent > 0 else '-'}{abs(exponent):02}"


def _to_float(text: str) -> str:
    if text in ("NaN", "Infinity", "-Infinity"):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")) or Decimal(repr(value)) != Decimal(text):
        raise Lost(text)
    return repr(value)


def change_class(old: Column, new: Column) -> str:
    """What it takes to change the type of a column: none, instant, rewrite, convert or refused."""
    if (old.kind, old.size, old.list) == (new.kind, new.size, new.list):
        return "none"
    if old.list or new.list:
        wider = old.kind == new.kind == "text" and old.list == new.list and (not new.size or old.size and old.size <= new.size)
        return "rewrite" if wider else "refused"
    pair = (old.kind, new.kind)
    if pair == ("text", "text"):
        return "instant" if not new.size or (old.size and old.size <= new.size) else "convert"
    if old.kind == "text":
        return "refused" if new.kind in ("bytes", "vector") else "convert"
    if new.kind == "text":
        if old.kind in ("bytes", "vector"):
            return "refused"
        return "convert" if new.size else "rewrite"
    if new.kind == "decimal" and old.kind in (*INTEGERS, "decimal", "float"):
        if not new.size:
            return {"decimal": "instant", "float": "convert"}.get(old.kind, "rewrite")
        digits = {"integer": (10, 0), "bigint": (19, 0)}.get(old.kind)
        if old.kind == "decimal" and old.size:
            digits = (old.size[0] - old.size[1], old.size[1])
        if digits and digits[0] <= new.size[0] - new.size[1] and digits[1] <= new.size[1]:
            return "instant" if old.kind == "decimal" and digits[1] == new.size[1] else "rewrite"
        return "convert"
    if pair in (("integer", "bigint"), ("integer", "float"), ("boolean", "integer"), ("date", "timestamp")):
        return "rewrite"
    if pair in (("bigint", "integer"), ("bigint", "float"), ("integer", "boolean"), ("timestamp", "date"), ("decimal", "float")):
        return "convert"
    if old.kind in ("decimal", "float") and new.kind in INTEGERS:
        return "convert"
    return "refused"


def converted(value: Any, old: Column, new: Column) -> Any:
    """The value in the new type; raises Lost where it would not survive."""
    if value is None or old.list or change_class(old, new) == "none":
        return value
    if old.kind == "text" and new.kind != "text":
        return _from_text(value, new)
    if new.kind == "text":
        if new.size and len(value) > new.size[0]:
            raise Lost(value)
        return value
    if new.kind == "decimal":
        # What the same column holds already may stay, but a number of digits has no room for infinity.
        if value == "NaN" and old.kind == "decimal" and change_class(old, new) != "convert":
            return value
        if old.kind == "decimal" and not new.size:
            return value
        return fits(value, new.size)
    if new.kind in INTEGERS:
        if old.kind == "boolean":
            return {"true": "1", "false": "0"}[value]
        low, high = INTEGERS[new.kind]
        number = Decimal(fits(value, ()))
        if number != int(number) or not low <= int(number) <= high:
            raise Lost(value)
        return str(int(number))
    if new.kind == "float":
        if old.kind == "bigint" and abs(int(value)) > 2**53:
            raise Lost(value)
        return _to_float(value)
    if new.kind == "boolean":
        if value not in ("0", "1"):
            raise Lost(value)
        return {"1": "true", "0": "false"}[value]
    if new.kind == "timestamp" and old.kind == "date":
        if value in ("infinity", "-infinity"):
            return value
        if order("date", value)[1] > 294276:
            raise Lost(value)
        day, _, before = value.partition(" ")
        return f"{day} 00:00:00+00" + (" BC" if before else "")
    if new.kind == "date":
        if value in ("infinity", "-infinity"):
            return value
        if order("timestamp", value)[4:] != (0, 0, 0):
            raise Lost(value)
        return value.replace(" 00:00:00+00", "")
    return value


def same(column: Column, expected: Any, found: Any) -> bool:
    """Whether a value is the one that was expected."""
    if expected in (MADE, MADE_ONCE):
        return found is not None
    if expected is None or found is None:
        return expected == found
    if column.list:
        # Items come as JSON prints them, and a decimal without its zeros.
        item = replace(column, list=False, size=None if column.kind == "decimal" else column.size)
        return len(expected) == len(found) and all(same(item, one, other) for one, other in zip(expected, found))
    if column.kind == "json":
        return json.loads(expected, parse_float=Decimal) == json.loads(found, parse_float=Decimal)
    if column.kind == "float" or (column.kind == "decimal" and not column.size):
        return order(column.kind, expected) == order(column.kind, found)
    if column.kind in ("date", "timestamp"):
        return order(column.kind, expected) == order(column.kind, found)
    if column.kind == "time" and "." in expected:
        return expected.rstrip("0") == found
    return expected == found


@dataclass
class Outcome:
    """What a change must lead to: `code` is its SQLSTATE, "ok" where it must succeed."""

    code: str
    reasons: list[str]
    classes: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    rows: Rows = field(default_factory=dict)


def sources(old: Model, new: Model, renames: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Which column each column comes from, and what is wrong with that."""

    def moves(name: str) -> bool:
        """Whether a field comes from one of another name. A document that was applied still tells its
        renames: they are done where both names are there to stay."""
        origin = renames.get(name)
        if origin is None or origin not in old.columns:
            return False
        return name not in old.columns or origin not in new.columns or moves(origin)

    found, problems = {new.key: old.key}, []
    for name in new.columns:
        if name == new.key:
            continue
        if moves(name):
            found[name] = renames[name]
        elif name in old.columns and name != old.key:
            found[name] = name
        elif name in renames:
            problems.append(f"{name} is renamed from {renames[name]}, which is not there")
    taken = list(found.values())
    # The field of that name would be hidden, which the document still names.
    problems += [
        f"{name} is renamed from {origin}, and is there"
        for name, origin in found.items()
        if name not in (origin, new.key) and name in old.columns and name not in taken
    ]
    problems += [f"two fields come from {name}" for name in set(taken) if taken.count(name) > 1]
    return found, problems


def predict(old: Model, new: Model, renames: dict[str, str], rows: Rows, others: dict[str, Other], own: str) -> Outcome:
    """What changing a table of `old` with these rows to `new` leads to."""
    found, problems = sources(old, new, renames)
    outcome = Outcome("ok", [], sources=found, hidden=set(old.columns) - set(found.values()))
    changes = {}
    for name, origin in found.items():
        changes[name] = change_class(old.columns[origin], new.columns[name])
        if changes[name] != "none" and name == new.key:
            changes[name] = "refused"
        if changes[name] == "refused":
            problems.append(f"{name}: {old.columns[origin]} does not become {new.columns[name]}")
    outcome.classes = set(changes.values()) & {"rewrite", "convert"}
    for name in set(new.columns) - set(found):
        if made(new.columns[name]) is MADE_ONCE:
            outcome.classes.add("rewrite")
    if problems:
        outcome.code, outcome.reasons = "0A000", problems
        return outcome
    lost = []
    for key, row in rows.items():
        after: Row = {}
        for name, column in new.columns.items():
            if name not in found:
                after[name] = made(column)
                continue
            try:
                after[name] = converted(row[found[name]], old.columns[found[name]], column)
            except Lost as problem:
                lost.append(f"{name} in {key}: {problem}")
        outcome.rows[key] = after
    outcome.reasons = lost or list(new.violations(outcome.rows, others, own))
    if outcome.reasons:
        outcome.code = "23514"
    return outcome


def made(column: Column) -> Any:
    """The value that rows get in a new column."""
    default = column.default
    if default is None:
        return None
    if column.list:
        return [printed(item) for item in default]
    if default == "now" and column.kind in ("date", "time", "timestamp"):
        return MADE
    if default == "uuid" and column.kind in ("uuid", "text") or default == "cuid" and column.kind == "text":
        return MADE_ONCE
    if column.kind == "json":
        return json.dumps(default)
    if column.kind == "decimal" and column.size:
        return fits(printed(default), column.size)
    if column.kind == "timestamp":
        return default.replace("T", " ").replace("Z", "+00")
    return printed(default)
