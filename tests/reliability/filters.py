"""Random filters over random documents: what Postgres answers, by function, by sequential scan and
through a GIN index, against an evaluator of its own. See filters.sh."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import time
from decimal import Decimal
from typing import Any

from session import Session

DOCUMENTS = int(os.environ.get("DOCUMENTS", "500"))
FILTERS = int(os.environ.get("FILTERS", "3000"))
SEED = int(os.environ.get("SEED", "1"))
# Filters a round trip.
BATCH = 250

# Few, so that filters meet documents; some that need quoting in SQL, JSON or a jsonpath.
KEYS = ["a", "b", "c", "0", "1", "it's", "é", 'q"\\', "x y", "A"]
TEXTS = ["", "a", "b", "B", "10", "9", "é", "z", "'", '"', "\\", "$1", "a.b", "\t\n", "\U0001f600", "null", "true"]
# Some are the same time, and some sort otherwise as texts.
TIMES = {
    "2025-12-31T23:00:00-02:00": 4, "2026-01-01": 3, "2026-01-01T00:00:00Z": 3, "2026-01-01T01:30:00+01:30": 3,
    "2025-12-31 23:59:59.999": 2, "2026-01-01T00:00:00.000001Z": 4 - 0.5, "infinity": 9,
}  # fmt: skip
PATTERNS = ["%", "a%", "%b", "_", "b%", "B", "2026-%", "%:%", "\\_%", "__", "%\\\\%", "é", "É", ""]
NUMBERS = [
    "0", "-0", "1", "1.0", "1e0", "-1", "9", "10", "2.5", "-2.50", "1e400", "1e-400", "9007199254740992",
    "9007199254740993", "0.1", "0.10000000000000000001", "123456789012345678901234567890",
]  # fmt: skip
ORDERED = ["$gt", "$gte", "$lt", "$lte"]


class Number(Decimal):
    """A number that is printed as it was spelled."""

    spelling: str

    @classmethod
    def of(cls, spelling: str) -> Number:
        number = cls(spelling)
        number.spelling = spelling
        return number


def text_of(value: Any) -> str:
    """JSON."""
    if isinstance(value, Number):
        return value.spelling
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {text_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return json.dumps(value)


class Maker:
    """Makes documents and filters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def scalar(self, ordered: bool = False) -> Any:
        kind = self.random.choice("nnntttbb" if ordered else "nnntttbb0")
        if kind == "n":
            return Number.of(self.random.choice(NUMBERS))
        if kind == "t":
            return self.random.choice(TEXTS) if self.chance(0.8) else self.random.choice(list(TIMES))
        return self.chance(0.5) if kind == "b" else None

    def value(self, depth: int = 0) -> Any:
        if depth == 3 or self.chance(0.5):
            return self.scalar()
        if self.chance(0.5):
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.document(depth + 1)

    def document(self, depth: int = 0) -> dict[str, Any]:
        # Low keys are in most documents, and high ones in few.
        keys = {KEYS[min(int(self.random.expovariate(0.45)), len(KEYS) - 1)] for _ in range(1 + self.random.randrange(5))}
        return {key: self.value(depth) for key in keys}

    def path(self) -> list[str]:
        return [KEYS[min(int(self.random.expovariate(0.45)), len(KEYS) - 1)] for _ in range(self.random.choice([1, 1, 1, 2, 2, 3]))]

    def operand(self, operator: str) -> Any:
        if operator in ORDERED:
            return self.date() if self.chance(0.2) else self.scalar(ordered=True)
        if operator == "$between":
            least = self.date() if self.chance(0.3) else self.scalar(ordered=True)
            while True:
                most = self.date() if "$date" in text_of(least) else self.scalar(ordered=True)
                if kind(most) == kind(least):
                    return [least, most]
        if operator in ("$like", "$ilike"):
            return self.random.choice(PATTERNS)
        if operator in ("$in", "$nin"):
            some = [self.value(1) for _ in range(self.random.choice([0, 1, 2, 3, 12]))]
            return some + [self.date()] if self.chance(0.1) else some
        if operator in ("$eq", "$ne") and self.chance(0.1):
            return self.date()
        if operator == "$exists":
            return self.chance(0.5)
        if operator == "$not":
            return self.tests(1)
        return self.scalar() if self.chance(0.6) else self.value(1)

    def date(self) -> dict[str, Any]:
        return {"$date": self.random.choice(list(TIMES))}

    def operator(self, depth: int) -> str:
        known = ["$eq", "$eq", "$eq", "$ne", *ORDERED, "$in", "$in", "$nin", "$exists", "$contains", "$between", "$like", "$ilike"]
        return self.random.choice([*known, "$not"] if depth < 2 else known)

    def tests(self, depth: int = 0) -> dict[str, Any]:
        operators = {self.operator(depth) for _ in range(self.random.choice([1, 1, 2]))}
        return {operator: self.operand(operator) for operator in sorted(operators)}

    def filter(self, depth: int = 0) -> Any:
        if self.chance(0.1):
            operators = [self.operator(0) for _ in range(self.random.randrange(3))]
            return [{"op": o, "path": self.path(), "value": self.operand(o)} for o in operators]
        found: dict[str, Any] = {}
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            if depth < 3 and self.chance(0.3):
                name = self.random.choice(["$and", "$or", "$or", "$not"])
                count = 1 + self.random.randrange(3)
                found[name] = (
                    self.filter(depth + 1) if name == "$not" else [self.filter(depth + 1) for _ in range(count)]
                )
            else:
                found[".".join(self.path())] = self.value(1) if self.chance(0.3) else self.tests()
        return found


def meets(document: Any, query: Any) -> bool:
    """What the documentation says."""
    if isinstance(query, list):
        return all(passes(reached(document, one["path"]), one["op"], one["value"]) for one in query)
    for key, operand in query.items():
        if key == "$and":
            good = all(meets(document, part) for part in operand)
        elif key == "$or":
            good = any(meets(document, part) for part in operand)
        elif key == "$not":
            good = not meets(document, operand)
        else:
            good = passes_all(reached(document, key.split(".")), operand)
        if not good:
            return False
    return True


def reached(at: Any, path: list[str]) -> list[Any]:
    """The values that a path leads to."""
    if not path:
        return [at]
    if isinstance(at, dict):
        return reached(at[path[0]], path[1:]) if path[0] in at else []
    found = []
    if isinstance(at, list):
        if re.fullmatch("0|[1-9][0-9]*", path[0]) and int(path[0]) < len(at):
            found += reached(at[int(path[0])], path[1:])
        for element in at:
            if isinstance(element, dict):
                found += reached(element, path)
    return found


def passes_all(values: list[Any], operand: Any) -> bool:
    if isinstance(operand, dict) and not is_date(operand) and any(key.startswith("$") for key in operand):
        return all(passes(values, operator, value) for operator, value in operand.items())
    return passes(values, "$eq", operand)


def passes(values: list[Any], operator: str, operand: Any) -> bool:
    if operator == "$exists":
        return bool(values) == operand
    if operator == "$not":
        return not passes_all(values, operand)
    if operator == "$contains":
        return any(contains(value, operand, True) for value in values)
    if operator == "$ne":
        return not passes(values, "$eq", operand)
    if operator == "$nin":
        return not passes(values, "$in", operand)
    if operator == "$in":
        return any(passes(values, "$eq", one) for one in operand)
    every = values + [element for value in values if isinstance(value, list) for element in value]
    if operator == "$eq" and not is_date(operand):
        return any(same(value, operand) for value in every) or (not values and operand is None)
    if operator in ("$like", "$ilike"):
        return any(isinstance(value, str) and is_like(value, operand, operator == "$ilike") for value in every)
    if operator == "$between":
        return any(ordered(value, "$gte", operand[0]) and ordered(value, "$lte", operand[1]) for value in every)
    return any(ordered(value, operator, operand) for value in every)


def ordered(value: Any, operator: str, operand: Any) -> bool:
    if is_date(operand):
        if not isinstance(value, str) or value not in TIMES:
            return False
        a, b = TIMES[value], TIMES[operand["$date"]]
    elif kind(value) != kind(operand):
        return False
    else:
        a, b = (value, operand) if not isinstance(operand, str) else (value.encode(), operand.encode())
    return {"$eq": a == b, "$gt": a > b, "$gte": a >= b, "$lt": a < b, "$lte": a <= b}[operator]


def is_date(operand: Any) -> bool:
    return isinstance(operand, dict) and list(operand) == ["$date"]


def is_like(text: str, pattern: str, ignores_case: bool) -> bool:
    parts = re.findall(r"\\.|%|_|[^\\%_]", pattern, re.DOTALL)
    expression = "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignores_case else 0)) is not None


def kind(value: Any) -> str:
    # bool first: it is an int to Python.
    for types, name in ((bool, "b"), (Decimal, "n"), (str, "t"), (list, "l"), (dict, "o")):
        if isinstance(value, types):
            return name
    return "0"


def same(a: Any, b: Any) -> bool:
    if kind(a) != kind(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


def contains(whole: Any, part: Any, top: bool = False) -> bool:
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(contains(element, wanted) for element in whole) for wanted in part)
    if isinstance(whole, list) and top and not isinstance(part, dict):
        return any(same(element, part) for element in whole)
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], part[key]) for key in part)
    return not isinstance(whole, (list, dict)) and same(whole, part)


SETUP = r"""
CREATE TABLE docs (id integer PRIMARY KEY, metadata jsonb NOT NULL);
CREATE TABLE filters (id integer PRIMARY KEY, filter jsonb NOT NULL);
CREATE INDEX docs_metadata_idx ON docs USING gin (metadata jsonb_path_ops);
-- The rows by the function alone, by a sequential scan and through the index; and whether it was used. And as memories, whose index
-- has the metadata of two workspaces.
CREATE FUNCTION answers_of(filter jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows_of constant text := 'SELECT string_agg(id::text, '' '' ORDER BY id) FROM docs WHERE ';
    bound record;
    by_function text; by_scan text; by_index text; by_constant text; by_memories text; plan text; plan_of_constant text; unknown bigint;
BEGIN
    SELECT * INTO STRICT bound FROM kepler_internal.filter_condition(filter::text, 'metadata');
    EXECUTE rows_of || 'kepler.json_matches(metadata, $1)' INTO by_function USING filter;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_bitmapscan = off;
    EXECUTE rows_of || bound.condition INTO by_scan USING bound.parameters[1], bound.parameters[2];
    EXECUTE 'SELECT count(*) FROM docs WHERE ' || bound.condition || ' IS NULL' INTO unknown
        USING bound.parameters[1], bound.parameters[2];
    SET LOCAL enable_bitmapscan = on;
    SET LOCAL enable_seqscan = off;
    EXECUTE rows_of || bound.condition INTO by_index USING bound.parameters[1], bound.parameters[2];
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || rows_of || bound.condition INTO plan
        USING bound.parameters[1], bound.parameters[2];
    -- The planner finds the index by itself where the filter is a constant.
    EXECUTE rows_of || format('kepler.json_matches(metadata, %L)', filter) INTO by_constant;
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || rows_of || format('kepler.json_matches(metadata, %L)', filter) INTO plan_of_constant;
    SET LOCAL enable_seqscan = on;
    SELECT string_agg(m.memory_id, ' ' ORDER BY m.memory_id::integer) INTO by_memories
    FROM kepler.list_memories(filter => $1, max_rows => 10000, workspace_id => 'it''s "x"') AS m;
    RETURN concat_ws('|', coalesce(by_function, ''), coalesce(by_scan, ''), coalesce(by_index, ''), coalesce(by_constant, ''), coalesce(by_memories, ''),
        bound.condition LIKE '%@?%', plan LIKE '%docs_metadata_idx%', plan_of_constant LIKE '%docs_metadata_idx%', bound.condition NOT LIKE '%json_matches%', unknown);
END
$$;
"""


def main() -> int:
    begun = time.monotonic()
    session = Session(sys.argv[1])
    for statement in re.split(r";\n(?=CREATE|--)", SETUP.strip()):
        session.run(statement.rstrip(";\n"))
    maker = Maker(SEED)
    documents = [maker.document() for _ in range(DOCUMENTS)]
    filters = [maker.filter() for _ in range(FILTERS)]

    def copied(values: list[Any]) -> list[str]:
        return [f"{at}\t" + text_of(value).replace("\\", "\\\\") for at, value in enumerate(values)]

    session.copy("docs", copied(documents))
    session.copy("filters", copied(filters))
    session.run("ANALYZE docs")
    session.run("""INSERT INTO kepler.workspaces (id, name) VALUES ('it''s "x"', 'asked'), ('x', 'another')""")
    session.run("INSERT INTO kepler.memories (workspace_id, id, content, metadata) SELECT w.id, d.id, d.id, d.metadata FROM docs AS d, kepler.workspaces AS w WHERE w.name IN ('asked', 'another')")
    answers: list[str] = []
    for first in range(0, FILTERS, BATCH):
        answers += session.run(
            f"SELECT answers_of(filter) FROM filters WHERE id >= {first} AND id < {first + BATCH} ORDER BY id"
        )
    session.close()

    failures = matched = selective = probed = by_index = exact = 0
    for query, answer in zip(filters, answers, strict=True):
        *found, has_probe, used_index, constant_used_index, is_exact, unknown = answer.split("|")
        expected = [at for at, document in enumerate(documents) if meets(document, query)]
        matched += len(expected)
        selective += 0 < len(expected) < DOCUMENTS
        probed += has_probe == "t"
        by_index += used_index == "t"
        exact += is_exact == "t"
        wrong = {name: rows for name, rows in zip(("function", "scan", "index", "constant", "memories"), found) if [int(r) for r in rows.split()] != expected}
        if not has_probe == used_index == constant_used_index:
            wrong["plan"] = f"probe {has_probe}, index {used_index}, of a constant {constant_used_index}"
        if unknown != "0":
            wrong["null"] = unknown
        if wrong and (failures := failures + 1) <= 5:
            print(f"{text_of(query)}\n  expected {expected}\n  found {wrong}")
    seconds = time.monotonic() - begun
    print(
        f"{FILTERS} filters over {DOCUMENTS} documents: {matched} matches, {selective} filters with some rows and not all,"
        f" {probed} that an index can serve ({by_index} through it), {exact} by it alone; {failures} failures, {seconds:.1f} s"
    )
    # A test of little would pass too.
    return 0 if failures == 0 and selective > FILTERS / 4 and by_index > FILTERS / 5 and exact > FILTERS / 50 else 1


if __name__ == "__main__":
    sys.exit(main())
