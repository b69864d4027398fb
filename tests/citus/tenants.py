"""Statements of roles under row security that name no workspace answer on a distributed database as elsewhere: random ones, with joins
of all kinds, subqueries, sets, windows and recursion, are run in both, and the rows compared. Two workspaces have rows of the same ids.

usage: tenants.py HERE THERE ROLE WORKSPACES [SEED [COUNT]], of which the first two are databases with the same rows (tenants.sql).
"""

import os
import random
import subprocess
import sys

TABLES = {
    "users": ["id", "email"],
    "entities": ["id", "type", "source"],
    "records": ["id", "entity_id", "external_id", "entity_type", "data ->> 'n'"],
    "conversations": ["id", "user_id"],
}
JOINS = ["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]


class Query:
    def __init__(self, rng):
        self.rng = rng
        self.count = 0
        # Statements that write have no condition that is never true (of a key IS NULL): Citus sends some of them with the name of a
        # distributed table, and the node fails.
        self.writes = False

    def column(self, of):
        alias, table = self.rng.choice(of)
        column = self.rng.choice(TABLES[table])
        return f"({alias}.{column})" if " " in column else f"{alias}.{column}"

    def table(self):
        self.count += 1
        return f"t{self.count}", self.rng.choice(list(TABLES))

    def source(self, most):
        of = [self.table()]
        text = f"kepler.{of[0][1]} AS {of[0][0]}"
        if self.rng.random() < 0.15:
            text = f"(SELECT * FROM kepler.{of[0][1]} OFFSET 0) AS {of[0][0]}"
        for _ in range(self.rng.randint(0, most)):
            new = self.table()
            kind = self.rng.choice(JOINS)
            text += f" {kind} kepler.{new[1]} AS {new[0]}"
            if kind != "CROSS JOIN":
                text += f" ON {self.column(of)} = {self.column([new])}"
            of.append(new)
        return text, of

    def value(self):
        values = ["'1'", "'2'", "'u1'", "'e2'", "'1@example.com'", "'lead'", "NULL"]
        return self.rng.choice(values[:-1] if self.writes else values)

    def condition(self, of, depth=0):
        kind = self.rng.randint(0, 7 if depth < 2 else 2)
        own = self.column(of)
        if kind == 0:
            return f"{own} {self.rng.choice(['=', '<>', '<', '>='])} {self.value()}"
        if kind == 1 and not self.writes:
            return f"{own} IS {self.rng.choice(['', 'NOT '])}NULL"
        if kind <= 2:
            return f"{own} = {self.column(of)}"
        if kind in (3, 4):
            text, inner = self.source(1)
            word = self.rng.choice(["EXISTS", "NOT EXISTS"])
            more = self.condition(inner, depth + 1)
            return f"{word} (SELECT FROM {text} WHERE {self.column(inner)} = {own} AND ({more}))"
        if kind == 5:
            text, inner = self.source(1)
            return f"{own} IN (SELECT {self.column(inner)} FROM {text} WHERE {self.condition(inner, depth + 1)})"
        if kind == 6:
            text, inner = self.source(0)
            return f"(SELECT count(*) FROM {text} WHERE {self.column(inner)} = {own}) > {self.rng.randint(0, 2)}"
        return f"({self.condition(of, depth + 1)} {self.rng.choice(['AND', 'OR'])} {self.condition(of, depth + 1)})"

    def select(self, columns=2):
        text, of = self.source(2)
        where = f" WHERE {self.condition(of)}" if self.rng.random() < 0.7 else ""
        kind = self.rng.randint(0, 4)
        names = [self.column(of) for _ in range(columns)]
        if kind == 0:
            return f"SELECT {names[0]}, count(*)::text FROM {text}{where} GROUP BY 1"
        if kind == 1:
            return f"SELECT DISTINCT {', '.join(names)} FROM {text}{where}"
        if kind == 2:
            return f"SELECT {names[0]}, (count(*) OVER (PARTITION BY {names[1]}))::text FROM {text}{where}"
        return f"SELECT {', '.join(names)} FROM {text}{where}"

    def write(self):
        self.writes = True
        text, of = self.source(1)
        if self.rng.random() < 0.5:
            start, of_own = "UPDATE kepler.users AS w SET email = w.id || '@new.example.com' FROM", ("w", "users")
        else:
            start, of_own = "DELETE FROM kepler.records AS w USING", ("w", "records")
        return f"{start} {text} WHERE {self.column([of_own])} = {self.column(of)} AND {self.condition(of)} RETURNING w.id"

    def make(self):
        kind = self.rng.randint(0, 6)
        if kind == 6:
            return self.write()
        if kind == 0:
            word = self.rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            return f"{self.select()} {word} {self.select()}"
        if kind == 1:
            kept = self.rng.choice(["", "MATERIALIZED ", "NOT MATERIALIZED "])
            return f"WITH c (a, b) AS {kept}({self.select()}) SELECT c.a, d.b FROM c LEFT JOIN c AS d ON c.a = d.a"
        if kind == 2:
            return (
                "WITH RECURSIVE c (a, b) AS (SELECT r.id, 0 FROM kepler.records AS r WHERE r.external_id = '1' UNION ALL "
                "SELECT n.id, c.b + 1 FROM c JOIN kepler.records AS n ON n.data ->> 'of' = c.a WHERE c.b < 5) "
                f"SELECT c.a, c.b::text FROM c UNION ALL {self.select()}"
            )
        return self.select()


def run(database, role, workspace, queries):
    """What each query gives: its rows in order, or the SQLSTATE of its error."""
    text = [f"SET ROLE {role};", f"SELECT kepler.use_workspace('{workspace}', false);", "SET statement_timeout = '20s';"]
    for query in queries:
        text += ["\\echo --", "BEGIN;", query + ";", "\\if :ERROR", "\\echo :LAST_ERROR_SQLSTATE", "\\endif", "ROLLBACK;"]
    done = subprocess.run(
        [os.path.join(os.environ["PG_BIN"], "psql"), "-XAtq", "-P", "null=(null)", "-d", database],
        input="\n".join(text), capture_output=True, text=True, check=True,
    )
    return [sorted(part.split("\n")) for part in done.stdout.split("--\n")[1:]]


def main():
    here, there, role, workspaces = sys.argv[1:5]
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else random.randrange(10**6)
    count = int(sys.argv[6]) if len(sys.argv) > 6 else 300
    rng = random.Random(seed)
    queries = [Query(rng).make() for _ in range(count)]
    faults = rows = 0
    for workspace in workspaces.split(","):
        for query, one, other in zip(queries, run(here, role, workspace, queries), run(there, role, workspace, queries)):
            rows += len(one) - 1
            if one != other:
                faults += 1
                print(f"{workspace}: {query}\n  here:  {one[:8]}\n  there: {other[:8]}")
    print(f"{role}, seed {seed}: {count} statements, {rows} rows, {faults} otherwise")
    sys.exit(1 if faults or rows < count else 0)


main()
