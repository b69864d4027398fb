"""Imports each schema of tests/prisma/schemas into a database and asks Prisma's own engine what is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from judge import Files, Judge, JudgeError, read_files
from random_schema import Generator
from session import Session, SessionError

SCHEMAS = Path(__file__).parents[1] / "prisma" / "schemas"
# Of these Prisma's own DDL leaves something that Prisma wants to change: the import must leave the same.
DIFFERS = {"differs_from_itself"}
# Of these Prisma's own DDL is refused by the server.
REFUSED = {"quotes"}
TEMPLATE, IMPORTED, BY_PRISMA = "kepler_prisma", "kepler_prisma_imported", "kepler_by_prisma"


class Wrong(Exception):
    """The promise is broken."""


def expect(holds: bool, *what: str) -> None:
    if not holds:
        raise Wrong("\n".join(what))


def admin(*statements: str) -> None:
    psql = [str(Path(os.environ["PG_BIN"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
    quiet = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
    subprocess.run([*psql, *(part for statement in statements for part in ("-c", statement))], check=True, env=quiet)


def fresh(database: str, template: str) -> None:
    admin(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", f"CREATE DATABASE {database} TEMPLATE {template}")


def empty(database: str) -> None:
    """Leaves nothing of what Prisma made before: quicker than a new database."""
    with closing(Session(database)) as session:
        schemas = "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
        for schema in session.run(schemas):
            session.run(f"DROP SCHEMA {schema} CASCADE")
        session.run("CREATE SCHEMA public")


def literal(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def one_line(value: str) -> str:
    """An expression of SQL that gives the text in JSON, and so in one line."""
    return f"SELECT to_json(({value})::text)"


def is_within(difference: str, expected: str) -> bool:
    """Whether there is nothing in a difference but what Prisma leaves too. Kepler may leave less."""
    lines = [{re.sub(r'^ALTER TABLE "[^"]*"(\."[^"]*")? |[,;]$', "", line) for line in text.splitlines()} for text in (difference, expected)]
    return lines[0] <= lines[1]


# Prisma has one word for `timestamp` and `timestamp(6)`, and none for the operator classes of texts.
READ_BACK_OTHERWISE = {"defaults", "differs_from_itself", "types"}


class Schema:
    """One schema, on its way through both makers of a database."""

    def __init__(self, name: str, files: Files, judge: Judge) -> None:
        self.name, self.files, self.judge = name, files, judge

    def made_by_prisma(self) -> str:
        """What Prisma still wants to change in a database that it has made."""
        empty(BY_PRISMA)
        if self.name in REFUSED:
            try:
                self.judge.push(self.files, BY_PRISMA)
            except JudgeError:
                return ""
            raise Wrong("Prisma's own DDL was refused in former times, and now it is not")
        self.judge.push(self.files, BY_PRISMA)
        difference = self.judge.difference(self.files, BY_PRISMA)
        if not self.is_random:
            expect((difference != "") == (self.name in DIFFERS), "Prisma's own DDL leaves this difference:", difference)
        return difference

    @property
    def is_random(self) -> bool:
        return self.name.startswith("random_")

    def imported(self, expected: str) -> None:
        """Imports and applies the schema; then writes it, with a difference that Prisma is expected to leave."""
        fresh(IMPORTED, TEMPLATE)
        with closing(Session(IMPORTED)) as session:
            # The warnings of an import are in its document as well.
            session.run("SET client_min_messages = error")
            files = f"{literal(self.files)}::jsonb"
            session.run(
                f"CREATE TEMP TABLE imported AS SELECT kepler.blueprint_from_prisma({files}, blueprint_name => {literal(self.name)}) AS document"
            )
            trusted = literal({"trusted": True})
            session.run(f"SELECT count(*) FROM imported, kepler.apply_blueprint(document, options => {trusted})")
            difference = self.judge.difference(self.files, IMPORTED)
            expect(is_within(difference, expected), "the engine finds after the import:", difference, "and expected was:", expected)
            plan = session.run(f"SELECT row_to_json(planned) FROM imported, kepler.plan_blueprint(document, options => {trusted}) AS planned")
            expect(not plan, "the second plan is not empty:", *plan)
            drift = session.run(
                f"SELECT row_to_json(d) FROM kepler.blueprint_drift({literal(self.name)}) AS d WHERE kind <> 'coverage'"
            )
            expect(not drift, "the database has drifted:", *drift)
            written = written_schema(session, self.schemas())
            options = literal({"schema": self.schemas()[0]})
            plan = session.run(
                f"SELECT row_to_json(planned) FROM kepler.blueprint_from_prisma({literal(written)}, {literal(self.name)}, {options}::jsonb) AS document, "
                f"kepler.plan_blueprint(document, options => {trusted}) AS planned"
            )
            expect(
                not plan or self.name in READ_BACK_OTHERWISE, "what was written is another blueprint when it is read:", *plan
            )
        self.written_is_in_step(written, expected)

    def schemas(self) -> list[str]:
        """The schemas of the database that have tables or enums of the schema."""
        used = {name for text in self.files.values() for name in re.findall(r'@@schema\("(\w+)"\)', text)}
        return sorted(used or {"public"})

    def written_is_in_step(self, written: str, expected: str) -> None:
        files = {"written.prisma": written}
        try:
            before, after = self.judge.parse(self.files), self.judge.parse(files)
            difference = self.judge.difference(files, IMPORTED)
        except JudgeError as problem:
            raise Wrong("Prisma refuses what prisma_schema() wrote:", str(problem), written) from problem
        expect(is_within(difference, expected), "what prisma_schema() wrote is not in step:", difference)
        names = [sorted(str(model["dbName"] or model["name"]) for model in parsed["models"]) for parsed in (before, after)]
        expect(set(names[0]) <= set(names[1]) | views(self.files), "prisma_schema() left out:", *set(names[0]) - set(names[1]))


def views(files: Files) -> set[str]:
    """The tables of the views, which nobody makes."""
    return {"buyer_totals"} if any("view BuyerTotals" in text for text in files.values()) else set()


def written_schema(session: Session, schemas: list[str]) -> str:
    names = ", ".join(map(literal, schemas))
    return str(session.json(one_line(f"kepler.prisma_schema(ARRAY[{names}])")))


def own_tables(judge: Judge) -> None:
    """Kepler's own tables are a schema that Prisma reads."""
    fresh(IMPORTED, TEMPLATE)
    with closing(Session(IMPORTED)) as session:
        files = {"kepler.prisma": written_schema(session, ["kepler"])}
        judge.parse(files)
        difference = judge.difference(files, IMPORTED)
        expect(difference == "", "the schema of Kepler's own tables is not in step:", difference)


def notices_changes(judge: Judge) -> None:
    """A judge that always agrees is none."""
    files = read_files(SCHEMAS / "relations.prisma")
    empty(BY_PRISMA)
    judge.push(files, BY_PRISMA)
    changes = (
        ('ALTER TABLE "Book" ALTER COLUMN title DROP NOT NULL', 'ALTER TABLE "Book" ALTER COLUMN title SET NOT NULL'),
        ('ALTER TABLE "Book" ALTER COLUMN "reviewerId" SET DEFAULT 2', 'ALTER TABLE "Book" ALTER COLUMN "reviewerId" SET DEFAULT 1'),
        ('ALTER INDEX "House_pkey" RENAME TO other', 'ALTER INDEX other RENAME TO "House_pkey"'),
        ('CREATE TABLE "Extra" (id int)', 'DROP TABLE "Extra"'),
        ('ALTER TABLE "Book" DROP CONSTRAINT "book_printer"', "SELECT"),
    )
    with closing(Session(BY_PRISMA)) as session:
        for change, undo in changes:
            session.run(change)
            expect(judge.difference(files, BY_PRISMA) != "", "the engine does not notice:", change)
            session.run(undo)


def kepler_imports() -> bool:
    """Whether this Kepler has the functions."""
    with closing(Session(TEMPLATE)) as session:
        names = "'apply_blueprint', 'blueprint_drift', 'blueprint_from_prisma', 'plan_blueprint', 'prisma_schema'"
        return bool(session.value(f"SELECT count(DISTINCT proname) = 5 FROM pg_proc WHERE proname IN ({names})") == "t")


def chosen(judge: Judge) -> list[Schema]:
    """SCHEMAS="types random_17" chooses; otherwise all, and RANDOM random ones from SEED on."""
    wanted = os.environ.get("SCHEMAS", "").split()
    seed, count = int(os.environ.get("SEED", "1")), int(os.environ.get("RANDOM_SCHEMAS", "5"))
    seeds = [int(name.removeprefix("random_")) for name in wanted if name.startswith("random_")]
    own = [path for path in sorted(SCHEMAS.iterdir()) if not wanted or path.stem in wanted]
    schemas = [Schema(path.stem, read_files(path), judge) for path in own]
    for number in seeds if wanted else range(seed, seed + count):
        schemas.append(Schema(f"random_{number}", {"schema.prisma": Generator(number).schema()}, judge))
    return schemas


def main() -> int:
    broken = 0
    imports = kepler_imports()
    fresh(BY_PRISMA, "template0")
    with Judge() as judge:
        for schema in chosen(judge):
            began = time.monotonic()
            try:
                expected = schema.made_by_prisma()
                if imports:
                    schema.imported(expected)
            except (Wrong, JudgeError, SessionError) as problem:
                broken += 1
                print(f"{schema.name}: {problem}")
            else:
                print(f"{schema.name}: in step, {time.monotonic() - began:.1f} s")
        try:
            notices_changes(judge)
            if imports:
                own_tables(judge)
        except (Wrong, JudgeError, SessionError) as problem:
            broken += 1
            print(problem)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
