#!/usr/bin/env python3
"""Migration tools beside Kepler. Started by migration_tools.sh, which tells what must hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from string import Template

from session import Session

WORK = Path(sys.argv[1])
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["KEPLER_BUILD"])
BASE, ROLE = os.environ["KEPLER_DATABASE"], os.environ["KEPLER_ROLE"]
SOCKET, PSQL = os.environ["PGHOST"], Path(os.environ["PG_BIN"])
PAGE = (ROOT / "docs/migration-tools.md").read_text()

# Kepler at work: records, an entry table, a blueprint in a schema of its own, and one in the schema that the tools manage.
# Beside it the application, with a table in public and one in a schema of its own.
SETUP = """
SELECT FROM kepler.upsert_records('contact', '[{"external_id": "c1", "data": {"name": "Ada"}}]', source => 'crm');
SELECT kepler.create_entry_table('Inventory Record', '{"fields": [
    {"name": "item_id", "type": "integer", "required": true, "unique": true},
    {"name": "state", "type": "enum", "values": ["new", "old"]}]}');
SELECT FROM kepler.insert_entries('Inventory Record', '[{"item_id": 1, "state": "new"}]');
SELECT kepler.apply_blueprint($shop$%s$shop$);
CREATE ROLE %s LOGIN;
SELECT kepler.grant_access('%s', 'writer');
GRANT CREATE ON SCHEMA public TO %s;
SELECT kepler.apply_blueprint('{"blueprint": "plans", "schema": "public", "tables": [
    {"name": "plan", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "title", "type": "text", "required": true}]}]}');
INSERT INTO plan (title) VALUES ('free');
CREATE SCHEMA billing;
CREATE TABLE public.account (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE billing.invoice (id integer PRIMARY KEY, total integer NOT NULL);
INSERT INTO account VALUES (1, 'Ada');
ALTER TABLE public.account OWNER TO %s;
ALTER SCHEMA billing OWNER TO %s;
ALTER TABLE billing.invoice OWNER TO %s
"""


def block(heading: str, language: str, number: int = 0) -> str:
    """A block of code from the page, as it stands there."""
    section = re.split(r"^## ", PAGE, flags=re.M)
    text = next(part for part in section if part.startswith(f"{heading}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)[number]


def run(*command: str | Path, cwd: Path, ok: bool | None = True, **env: str) -> str:
    """What the command printed. It must succeed if ok, fail if not ok, and may do either if ok is None."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env},
        text=True,
        timeout=300,
    )
    assert ok is None or (done.returncode == 0) == ok, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def sql(database: str, *statements: str) -> list[str]:
    session = Session(database)
    try:
        return [line for statement in statements for line in session.run(statement)]
    finally:
        session.close()


def kept(database: str) -> str:
    """All that is Kepler's: definitions, comments, rights and rows."""
    dump = (PSQL / "pg_dump", "-d", database)
    ours = run(*dump, "-N", "public", "-N", "billing", "-N", "drizzle", cwd=WORK) + run(*dump, "-t", "public.plan", "-t", "public.plan_id_seq", cwd=WORK)
    # pg_dump closes each dump with a word of its own.
    return re.sub(r"^\\(un)?restrict .*$", "", ours, flags=re.M)


class Case:
    """A folder and a copy of the database for one tool. Leaving it finds Kepler as it was and the tool's table made."""

    def __init__(self, name: str, made: str | None = None) -> None:
        self.name, self.made = name, made
        self.folder, self.database = WORK / name, f"{BASE}_{name}"
        self.folder.mkdir()
        sql("postgres", f"CREATE DATABASE {self.database} TEMPLATE {BASE}")

    def url(self, user: str = "postgres", scheme: str = "postgresql") -> str:
        return f"{scheme}://{user}@localhost/{self.database}?host={SOCKET}"

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def __enter__(self) -> Case:
        self.before = kept(self.database)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind:
            return
        after = kept(self.database)
        if after != self.before:
            lost = [line for line in self.before.splitlines() if line not in set(after.splitlines())]
            raise AssertionError(f"{self.name} has changed what is Kepler's:\n" + "\n".join(lost[:20]))
        if self.made:
            (there,) = sql(self.database, f"SELECT to_regclass('{self.made}') IS NOT NULL")
            assert there == "t", f"{self.name} has not made {self.made}"
        (rows,) = sql(self.database, "SELECT count(*) FROM account")
        assert rows == "1", f"{self.name} has emptied a table of the application"
        print(f"{self.name}: Kepler is as it was")


def drizzle() -> None:
    schema = """
import { integer, pgSchema, pgTable, text } from 'drizzle-orm/pg-core';
export const account = pgTable('account', { id: integer().primaryKey(), name: text().notNull() });
export const made = pgTable('made', { id: integer().primaryKey() });
export const billing = pgSchema('billing');
export const invoice = billing.table('invoice', { id: integer().primaryKey(), total: integer().notNull() });
"""
    config = block("Drizzle", "ts")
    for version in ("drizzle", "drizzle_next"):
        kit = BUILD / f"{version.replace('_', '-')}-packages" / "node_modules"
        with Case(version, made="made") as case:
            (case.folder / "node_modules").symlink_to(kit)
            case.write("schema.ts", schema)
            case.write("drizzle.config.ts", config)
            push = (kit / ".bin/drizzle-kit", "push", "--config")
            run(*push, "drizzle.config.ts", "--force", cwd=case.folder, DATABASE_URL=case.url())
            # Told of more schemas (0.31), or of none (1.0), it would drop them: without --force and a terminal it only says so.
            everything = "" if version == "drizzle_next" else "schemaFilter: ['public', 'billing', 'kepler', 'kepler_data', 'shop'], verbose: true, strict: true,"
            case.write("unfiltered.config.ts", re.sub(r"schemaFilter: .*", everything, config))
            dry = ("--explain",) if version == "drizzle_next" else ()
            said = run(*push, "unfiltered.config.ts", *dry, cwd=case.folder, ok=None, DATABASE_URL=case.url())
            # Or it cannot read what is there, and gives up: 0.31 does (a ZodError).
            assert re.search(r'DROP TABLE "kepler"|Confirm data loss +. +table +kepler[.]records |ZodError', said), f"{version} drops nothing unfiltered:\n{said}"


ENV = Template("""
import os
import sqlalchemy as sa
from alembic import context

target_metadata = sa.MetaData()
sa.Table("account", target_metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, nullable=False))
sa.Table("made", target_metadata, sa.Column("id", sa.Integer, primary_key=True))
sa.Table("invoice", target_metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("total", sa.Integer, nullable=False), schema="billing")

with sa.create_engine(os.environ["DATABASE_URL"]).connect() as connection:
$configure
    with context.begin_transaction():
        context.run_migrations()
""")


def alembic(case: Case, configure: str, user: str = "postgres", ok: bool = True) -> tuple[str, str]:
    """The migration that Alembic writes, and what it says when it is applied."""
    import alembic as package

    template = (Path(package.__file__).parent / "templates/generic/script.py.mako").read_text()
    case.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    case.write("migrations/script.py.mako", template)
    case.write("migrations/env.py", ENV.substitute(configure="\n".join(f"    {line}" for line in configure.splitlines())))
    (case.folder / "migrations/versions").mkdir(exist_ok=True)
    url = case.url(user, "postgresql+psycopg")
    tool = (sys.executable, "-W", "ignore", "-m", "alembic")
    run(*tool, "revision", "--autogenerate", "-m", "made", cwd=case.folder, DATABASE_URL=url)
    (script,) = (case.folder / "migrations/versions").glob("*.py")
    return script.read_text(), run(*tool, "upgrade", "head", cwd=case.folder, ok=ok, DATABASE_URL=url)


def alembics() -> None:
    with Case("alembic", made="made") as case:
        script, _ = alembic(case, block("Alembic", "python"))
        assert "drop_table" not in script.split("def downgrade")[0], script
    # Without the settings it drops everything, unless its role owns nothing of it.
    with Case("alembic_as_another_role") as case:
        everything = "context.configure(connection=connection, target_metadata=target_metadata, include_schemas=True)"
        script, said = alembic(case, everything, user=ROLE, ok=False)
        assert "op.drop_table('records', schema='kepler')" in script, script
        assert "must be owner of" in said, said


def django() -> None:
    with Case("django", made="app_made") as case:
        case.write("app/__init__.py", "")
        case.write("app/migrations/__init__.py", "")
        case.write(
            "app/models.py",
            "from django.db import models\n\n\nclass Made(models.Model):\n    name = models.TextField()\n\n\n" + block("Django", "python"),
        )
        options = re.search(r'`("OPTIONS": .*)`: `|`("OPTIONS": .*?)`', PAGE)
        assert options
        case.write(
            "settings.py",
            f"""SECRET_KEY = "test"
INSTALLED_APPS = ["app"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{case.database}", "USER": "postgres",
    "HOST": "{SOCKET}", {options[1] or options[2]}}}}}
""",
        )
        packages = os.environ["PYTHONPATH"]
        settings = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{packages}:{case.folder}"}
        for command in (["makemigrations", "app"], ["migrate"], ["flush", "--noinput"]):
            run(sys.executable, "-m", "django", *command, cwd=case.folder, **settings)
        count = "from app.models import Record; print(Record.objects.get(external_id='c1').external_id)"
        assert run(sys.executable, "-m", "django", "shell", "-v", "0", "-c", count, cwd=case.folder, **settings) == "c1\n"
        # The model that is left out takes no table with it.
        case.write("app/models.py", "from django.db import models\n\n\nclass Made(models.Model):\n    name = models.TextField()\n")
        for command in (["makemigrations", "app"], ["migrate"]):
            run(sys.executable, "-m", "django", *command, cwd=case.folder, **settings)


def prisma() -> None:
    def judge(case: Case, command: str, schema: str, *options: str, ok: bool | None = True) -> str:
        case.write(schema, MODELS.substitute(schemas=SCHEMAS[schema]))
        connection = ("--socket", SOCKET, "--db", case.database)
        return run("node", ROOT / "tests/prisma/judge.mjs", command, *connection, *options, schema, cwd=case.folder, ok=ok)

    MODELS = Template("""
datasource db {
  provider = "postgresql"
  schemas  = [$schemas]
}
model account {
  id   Int    @id
  name String
  @@schema("public")
}
model made {
  id Int @id
  @@schema("public")
}
model invoice {
  id    Int @id
  total Int
  @@schema("billing")
}
""")
    SCHEMAS = {
        "own.prisma": '"public", "billing"',
        "all.prisma": '"public", "billing", "kepler", "kepler_data", "shop"',
    }
    with Case("prisma", made="made") as case:
        case.write("external.json", "\n".join(sql(case.database, block("Prisma", "sql").rstrip().rstrip(";"))))
        for schema in SCHEMAS:
            # Without the file it would drop: in the schemas that are its own the other blueprint's table, else everything.
            said = judge(case, "diff", schema, ok=False)
            assert re.search(r'DROP TABLE ("public"[.])?"plan"', said), said
            assert ('DROP TABLE "kepler"."records"' in said) == (schema == "all.prisma"), said
            judge(case, "push", schema, "--external", "external.json")
            judge(case, "diff", schema, "--external", "external.json")


def main() -> None:
    shop = (ROOT / "examples/blueprints/shop.json").read_text()
    session = Session(BASE)
    for statement in (SETUP % (shop, *[ROLE] * 6)).split(";\n"):
        session.run(statement)
    assert "plans|public|plan" in session.run(block("What is Kepler's", "sql").rstrip().rstrip(";"))
    session.close()
    prisma()
    drizzle()
    alembics()
    django()


main()
