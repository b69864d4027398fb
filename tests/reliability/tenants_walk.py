#!/usr/bin/env python3
"""A walk over the catalog as one of two tenants. Started by tenants_walk.sh, which tells what must hold; tenants_walk.sql
gives each tenant rows in every table, with the tenant's mark in all of them."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hostile_calls import Function, Json, functions, known, literal, sane
from session import Session

HERE = Path(__file__).resolve().parent
CALLS, SEED = int(os.environ["CALLS"]), os.environ["SEED"]
# The tenants' workspaces and marks, and the mark of what nobody has.
OWN, OWN_MARK, OTHER, NOBODY = "default", "amark", "bmark", "zmark"
LEVELS = ["reader", "writer", "worker", "admin"]

# Tables without row security by workspace, or without rows of two tenants, and why.
OF_THE_DATABASE = {
    "kepler.schema_versions": "which steps of the schema there are",
    "kepler.embedding_spaces": "models are the database's: each workspace chooses one of them",
    "kepler.feed_epochs": "numbers of transactions",
    "kepler.history_shapes": "which columns tables have: for the owner alone",
    "kepler.history_seals": "hashes over all workspaces: for the owner alone",
    "model.a": "a blueprint whose tenancy is the database",
    "kepler.inbox": "COPY takes no table with row security: nobody may read it, or say whose the row is; inbox_rows has the policy",
}
ONE_TENANT = {
    "kepler.feed_default": "takes what comes when maintain_feed is late",
    "kepler.history_default": "takes what comes when maintain is late",
}


class Relation(NamedTuple):
    name: str
    secured: bool
    by_workspace: bool
    # The column that says whose the row is; None where the whole table is somebody's.
    column: str | None
    is_partition: bool


RELATIONS = """
SELECT coalesce(json_agg(json_build_array(c.oid::regclass, c.relrowsecurity,
    EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND p.polpermissive
        AND pg_get_expr(p.polqual, p.polrelid) ~ 'kepler.current_workspace_id\\(\\)|kepler_internal.sees_')
    AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polpermissive
        AND coalesce(pg_get_expr(p.polqual, p.polrelid), '') || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
            !~ 'kepler.current_workspace_id\\(\\)|kepler_internal.sees_'),
    (SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND NOT a.attisdropped
        AND a.attname = CASE c.oid::regclass::text WHEN 'kepler.workspaces' THEN 'id' WHEN 'shared.orders' THEN 'tenant' WHEN 'shared.lines' THEN 'tenant' ELSE 'workspace_id' END),
    c.relispartition) ORDER BY c.oid::regclass::text COLLATE "C"), '[]')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND (n.nspname IN ('kepler', 'kepler_internal', 'kepler_data')
    OR n.nspname IN (SELECT unnest(b.schemas) FROM kepler.blueprints AS b))
"""

# Rows of a tenant, whoever asks; and all that is not the own tenant's, as a sum, places and versions of the rows included.
HELPERS = """
CREATE TABLE public.walked (relation regclass, condition text);
CREATE FUNCTION public.others() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    one record;
    part text;
    whole text := '';
BEGIN
    FOR one IN SELECT * FROM public.walked WHERE condition <> 'false' AND relation IN (SELECT oid FROM pg_class) ORDER BY relation::oid LOOP
        EXECUTE format('SELECT md5(coalesce(string_agg(concat(t.ctid, t.xmin, t), chr(10) ORDER BY t.ctid), '''')) FROM %s AS t WHERE %s', one.relation, one.condition) INTO part;
        whole := whole || part;
    END LOOP;
    RETURN md5(whole);
END
$$;
-- What is changed of the other tenant's, if anything has been written at all.
CREATE FUNCTION public.others_since() RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL THEN '' ELSE public.others() END
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
"""


def all_answers(database: str, scripts: list[str]) -> list[str]:
    """What psql says to each script, as one session that is begun anew where it is lost."""
    answers: list[str] = []
    while len(answers) < len(scripts):
        first = len(answers)
        process = subprocess.Popen(
            [str(Path(os.environ["PG_BIN"]) / "psql"), "-XqAt", "-d", database, "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=always"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
            env={**os.environ, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c client_min_messages=notice -c log_min_messages=fatal -c statement_timeout=20000"},
        )  # fmt: skip
        assert process.stdin and process.stdout
        stdin, stdout = process.stdin, process.stdout

        def write(first: int = first, stdin: Any = stdin) -> None:
            try:
                for number in range(first, len(scripts)):
                    stdin.write(f"{scripts[number]}\n\\echo ended {number}\n")
                stdin.close()
            except (BrokenPipeError, ValueError):
                pass

        threading.Thread(target=write, daemon=True).start()
        said: list[str] = []
        for line in stdout:
            if line == f"ended {len(answers)}\n":
                answers.append("".join(said))
                said = []
            else:
                said.append(line)
        process.kill()
        process.wait()
        if len(answers) < len(scripts):
            answers.append("the connection was lost: " + "".join(said))
    return answers


class Walk:
    def __init__(self, database: str) -> None:
        self.database, self.faults = database, list[str]()
        self.told = Counter[str]()
        # Tables with row security, and ids of the other tenant that are made up as it works.
        self.secured: list[str] = []
        self.run: dict[str, str] = {}
        self.owner = Session(database)

    def fault(self, what: str) -> None:
        self.faults.append(what)

    def stage(self) -> None:
        self.script((HERE / "hostile_calls.sql").read_text())
        self.script(SHARED)
        for workspace, mark in ((OWN, OWN_MARK), (OTHER, OTHER)):
            # Numbers that nothing else has, so that they are known in an answer.
            self.owner.run(NUMBERS.format(first=1_000_000 if mark == OTHER else 2_000_000))
            text = (HERE / "tenants_walk.sql").read_text().replace("kepler.workspace_id = 'MARK'", f"kepler.workspace_id = '{workspace}'")
            text = re.sub(r"VALUES \('MARK', ", f"VALUES ('{workspace}', ", text)
            self.script(text.replace("MARK", mark))
        self.owner.run("RESET kepler.workspace_id")
        self.owner.run(NUMBERS.format(first=3_000_000))
        for level in LEVELS:
            self.owner.run(GRANT.format(level=level))
        self.owner.run(f"SELECT kepler.grant_access('kepler_walk_other', 'admin', '{OTHER}')")
        # Whoever works in all workspaces is nothing to a member of one.
        self.owner.run("SELECT kepler.grant_access('kepler_walk_all', 'reader')")
        # All that can be granted by hand, as an application may have it.
        self.script(
            "GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data, shared, amark_model, bmark_model TO kepler_walk_everything;"
            "GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA kepler, kepler_internal, kepler_data, shared, amark_model, bmark_model TO kepler_walk_everything;"
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA kepler, kepler_data, shared TO kepler_walk_everything;"
            "GRANT ALL ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_walk_everything;"
            "REVOKE INSERT ON kepler.inbox FROM kepler_walk_everything;"
            "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO PUBLIC;"
        )
        self.script(HELPERS)

    def script(self, text: str) -> None:
        path = Path(os.environ["KEPLER_BUILD"]) / "logs/tenants_walk.stage.sql"
        path.write_text(text)
        self.owner.script(path)

    def catalog(self) -> list[Relation]:
        relations = [Relation(*row) for row in self.owner.json(RELATIONS)]
        exempt = set(OF_THE_DATABASE)
        for relation in relations:
            if relation.name in OF_THE_DATABASE:
                exempt.discard(relation.name)
                if relation.secured:
                    self.fault(f"{relation.name} has row security, and is listed as a table without it")
            elif not relation.secured or not relation.by_workspace:
                self.fault(f"{relation.name} has no row security by the workspace of the session, and no reason why")
        for name in exempt:
            self.fault(f"{name} is listed as a table without row security, and does not exist")
        self.secured = [relation.name for relation in relations if relation.secured]
        return [relation for relation in relations if relation.secured]

    def rows(self, relations: list[Relation]) -> None:
        """Each table has rows of both tenants; tables that are one tenant's have some."""
        for relation in relations:
            if relation.column is None:
                mine = f"{relation.name}" if OTHER in relation.name else None
                condition = "true" if OTHER in relation.name else OTHER_ROW.get(relation.name, "false")
                counts = [int(self.owner.value(f"SELECT count(*) FROM {relation.name} AS t WHERE {c}")) for c in ("true", condition)]
                if relation.name not in HOSTILE_TABLES and (not counts[0] or (not counts[1] and not mine and OWN_MARK not in relation.name)):
                    self.fault(f"{relation.name} has no rows of both tenants: {counts}")
            else:
                condition = f"t.{relation.column} = '{OTHER}'"
                counts = [int(self.owner.value(f"SELECT count(*) FROM {relation.name} AS t WHERE t.{relation.column} = '{w}'")) for w in (OWN, OTHER)]
                is_own = any(mark in relation.name for mark in (OWN_MARK, OTHER)) or relation.name in HOSTILE_TABLES
                if (not any(counts) if is_own else not all(counts)) and relation.name not in ONE_TENANT and not FEED.match(relation.name):
                    self.fault(f"{relation.name} has {counts[0]} rows of one tenant and {counts[1]} of the other")
            self.owner.run(f"INSERT INTO public.walked VALUES ('{relation.name}', $q${condition}$q$)")
        if not any(FEED.match(r.name) and int(self.owner.value(f"SELECT count(*) FROM {r.name} WHERE workspace_id = '{OTHER}'")) for r in relations):
            self.fault("the feed has no rows of the other tenant")

    def tables(self, relations: list[Relation]) -> None:
        """What each level does to all rows of each table, and to those of the other."""
        before = self.owner.value("SELECT public.others()")
        scripts: list[tuple[str, str, Relation, str]] = []
        for role in [*LEVELS, "everything"]:
            for relation in relations:
                name, begin = relation.name, f"BEGIN; SET LOCAL ROLE kepler_walk_{role};"
                scripts.append((role, "reads", relation, f"{begin} SELECT t FROM {name} AS t; ROLLBACK;"))
                scripts.append((role, "copies", relation, f"{begin} COPY {name} TO STDOUT; ROLLBACK;"))
                column = relation.column or self.owner.value(f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = '' ORDER BY attnum LIMIT 1")
                check = f"RESET ROLE; SELECT 'others_changed' WHERE public.others_since() NOT IN ('', '{before}'); ROLLBACK;"
                scripts.append((role, "updates", relation, f"{begin} UPDATE {name} AS t SET {column} = {column} WHERE true; {check}"))
                scripts.append((role, "deletes", relation, f"{begin} DELETE FROM {name} AS t WHERE true; {check}"))
                if relation.column:
                    scripts.append((role, "moves", relation, f"{begin} UPDATE {name} AS t SET {relation.column} = '{OTHER}' WHERE t.{relation.column} <> '{OTHER}'; {check}"))
                if not int(self.owner.value(f"SELECT count(*) FROM {name} AS t WHERE {self.condition(relation)}")):
                    continue
                row = f"SELECT * FROM {name} AS t WHERE {self.condition(relation)} LIMIT 1"
                columns = self.owner.value(f"SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''")
                scripts.append((role, "inserts", relation, f"CREATE TEMP TABLE given AS {row}; GRANT SELECT ON given TO PUBLIC; {begin} INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM given; {check} DROP TABLE given;"))
                scripts.append((role, "inserts beside", relation, f"CREATE TEMP TABLE given AS {row}; GRANT SELECT ON given TO PUBLIC; {begin} INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM given ON CONFLICT DO NOTHING; {check} DROP TABLE given;"))
        for (role, what, relation, script), answer in zip(scripts, all_answers(self.database, [s[3] for s in scripts])):
            self.told[f"{what}: {'refused' if 'ERROR' in answer else 'works'}"] += 1
            if (f"{OTHER}" in answer or "kepler_walk_all" in answer) and what in ("reads", "copies"):
                self.fault(f"{role} {what} {relation.name}: {short(answer, OTHER)}")
            elif "others_changed" in answer:
                self.fault(f"{role} {what} {relation.name}, and the other's rows are changed")
            elif what.startswith("inserts") and "ERROR:  42501" not in answer:
                self.fault(f"{role} {what} {relation.name}, and is not refused: {answer[:300]}")
            elif OTHER in without(answer, {relation.name, relation.name.split(".")[-1].strip('"')}, script) and "ERROR" in answer:
                self.fault(f"{role} {what} {relation.name}, and the error tells: {answer[:400]}")

    def condition(self, relation: Relation) -> str:
        return self.owner.value(f"SELECT condition FROM public.walked WHERE relation = '{relation.name}'::regclass")

    def candidates(self, relations: list[Relation]) -> dict[str, list[tuple[str, str]]]:
        """Values of the other tenant's rows, of each column one, and for each a value that nobody has."""
        found: dict[str, list[tuple[str, str]]] = {"text": [], "number": [], "relation": []}
        texts: dict[str, None] = {}
        numbers: dict[str, None] = {}
        for relation in relations:
            columns = self.owner.run(f"SELECT attname || ' ' || atttypid::regtype FROM pg_attribute WHERE attrelid = '{relation.name}'::regclass AND attnum > 0 AND NOT attisdropped AND (atttypid::regtype IN ('text', 'bigint') OR atttypid = 'text[]'::regtype)")
            for column, kind in (line.rsplit(" ", 1) for line in columns):
                value = f't."{column}"' + ("[1]" if kind == "text[]" else "")
                # Those that say the most.
                lines = self.owner.run(f"SELECT min({value}) FROM {relation.name} AS t WHERE {self.condition(relation)}")
                if not lines or not lines[0] or "\n" in lines[0]:
                    continue
                if kind == "bigint":
                    # Those of the other alone.
                    if int(lines[0]) < 1_000_000:
                        continue
                    numbers[lines[0]] = None
                elif lines[0] != OTHER and len(lines[0]) <= 128 and (OTHER in lines[0] or re.fullmatch(r"c[0-9a-z]{23}", lines[0])):
                    texts[lines[0]] = None
        found["text"] = [(text, twin(text)) for text in [OTHER, *texts]]
        found["number"] = [(number, str(int(number) + 70_000_000)) for number in numbers]
        return found

    def calls(self, all_functions: list[Function], found: dict[str, list[tuple[str, str]]]) -> None:
        rng = random.Random(SEED)
        pairs: list[tuple[str, str, str, str, str]] = []
        plain: list[tuple[str, str, str]] = []
        for function in all_functions:
            own = statement(function, {})
            plain.append((function.name, "admin", own))
            for argument in function.arguments if function.name not in PURE else []:
                for value, other in chosen_values(function, argument.name, argument.kind, found):
                    pairs.append((function.name, argument.name, value[1], statement(function, {argument.name: value[0]}), statement(function, {argument.name: other[0]})))
            both = [together(function, mark, self.run) for mark in (OTHER, NOBODY)]
            if both[0]:
                pairs.append((function.name, "all of them", OTHER, statement(function, both[0]), statement(function, both[1])))
        pairs += [(name, "all of them", OTHER, f"SELECT * FROM {call}", f"SELECT * FROM {call}".replace(OTHER, NOBODY)) for name, call in BY_TABLE]
        for relation in [name for name in self.secured if OTHER not in name and "_20" not in name]:
            plain += [("find_secrets", "admin", f"SELECT * FROM kepler.find_secrets('{relation}', include_possible => true)")]
            plain += [("changes_since", "admin", f"SELECT * FROM kepler.changes_since(relation => '{relation}', max_rows => 1000)")]
        several = [pair for pair in pairs if pair[1] == "all of them"]
        # One value that fits before those that only look whether something takes them.
        fitting = [pair for pair in pairs if pair not in several and fits(pair[1], pair[2])]
        rest = [pair for pair in pairs if pair[1] != "all of them" and not fits(pair[1], pair[2])]
        rng.shuffle(rest)
        tried = [*several, *fitting, *rest[: max(0, CALLS - len(several) - len(fitting))]]
        before = self.owner.value("SELECT public.others()")

        def script(call: str) -> str:
            return f"BEGIN; SET LOCAL ROLE kepler_walk_admin; {call}; RESET ROLE; SELECT 'others_changed' WHERE public.others_since() NOT IN ('', '{before}'); ROLLBACK;"

        scripts = [script(call) for pair in tried for call in pair[3:]] + [script(call) for _, _, call in plain]
        answers = all_answers(self.database, scripts)
        seen = Counter[str]()
        for number, (name, argument, value, call, _) in enumerate(tried):
            answer, same = answers[2 * number], answers[2 * number + 1]
            seen[kind_of(answer)] += 1
            if "others_changed" in answer.split("\n"):
                self.fault(f"{name}({argument} => {value}) changes the other's rows: {call}\n    {answer[:300]}")
            one, nobody = normal(answer, value, OTHER), normal(same, twin(value), NOBODY)
            # These say where to go on: at what they were given, where there is nothing.
            if one != nobody and name not in ("repair_enrichment_step", "repair_leases_step"):
                self.fault(f"{name}({argument} => {value}) tells it from what nobody has:\n    {short_difference(one, nobody)}\n    {call[:600]}")
        for (name, _, call), answer in zip(plain, answers[2 * len(tried) :]):
            seen[kind_of(answer)] += 1
            if OTHER in answer and name not in OF_NOBODY:
                self.fault(f"{name} shows something of the other:\n    {short(answer, OTHER)}\n    {call[:300]}")
            if "others_changed" in answer.split("\n"):
                self.fault(f"{name} changes the other's rows: {call[:300]}")
        after = self.owner.value("SELECT public.others()")
        if before != after:
            self.fault("rows of the other have changed for good")
        print(f"  {len(tried)} of {len(pairs)} pairs of calls, {len(plain)} calls as they should be, of {len(all_functions)} functions")
        print("  " + ", ".join(f"{kind}: {count}" for kind, count in seen.most_common()))

    def forging(self) -> None:
        """Every way to say which workspace a session is in, but the one that asks whether the role is a member there."""
        shows = (
            "SELECT r.external_id FROM kepler.records AS r WHERE r.external_id IS NOT NULL;"
            "SELECT m.memory_id FROM kepler.search_memories(query_text => 'cats') AS m;"
            "INSERT INTO kepler.users (id, email) VALUES ('forged', 'forged@example.com') RETURNING workspace_id || '_';"
        )
        ways = [(name, options, f"{text}\n{shows}") for name, options, text in FORGERIES]
        tried = 0
        for name, options, text in [("nothing", "", shows), *ways]:
            if options == "pinned":
                self.owner.run(f"ALTER ROLE kepler_walk_admin SET kepler.workspace_id = '{OTHER}'")
                options = ""
            psql = [str(Path(os.environ["PG_BIN"]) / "psql"), "-XqAt", "-d", self.database, "-U", "kepler_walk_admin"]
            environment = {**os.environ, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": options}
            done = subprocess.run(psql, input=text.replace("OTHER", OTHER), capture_output=True, text=True, env=environment)
            said = done.stdout + done.stderr
            tried += 1
            if f"{OTHER}_" in said:
                self.fault(f"a forged workspace ({name}) shows something: {short(said, OTHER + '_')}")
            if name == "nothing" and f"{OWN_MARK}_" not in said:
                self.fault(f"what is not forged shows nothing: {said[:300]}")
            self.owner.run("DELETE FROM kepler.users WHERE id = 'forged'")
            self.owner.run("ALTER ROLE kepler_walk_admin RESET ALL")
            self.owner.run(f"ALTER ROLE kepler_walk_admin IN DATABASE {self.database} RESET ALL")
        print(f"  {tried} ways to forge a workspace")


# What is sent before the session is asked what it sees: the name of the way, options of the connection, statements.
FORGERIES = [
    ("SET", "", "SET kepler.workspace_id = 'OTHER';"),
    ("SET LOCAL", "", "BEGIN; SET LOCAL kepler.workspace_id = 'OTHER';"),
    ("SET behind a call", "", "SELECT kepler.current_workspace_id(); SET kepler.workspace_id = 'OTHER';"),
    ("SET twice", "", "SET kepler.workspace_id = 'OTHER'; LOAD 'kepler'; SET kepler.workspace_id = 'OTHER';"),
    ("set_config", "", "SELECT set_config('kepler.workspace_id', 'OTHER', false);"),
    ("set_config behind a call", "", "SELECT kepler.current_workspace_id(); SELECT set_config('kepler.workspace_id', 'OTHER', false);"),
    ("set_config in a statement", "", "SELECT r.external_id FROM (SELECT set_config('kepler.workspace_id', 'OTHER', true) OFFSET 0) AS s, kepler.records AS r;"),
    ("set_config in a function of its own", "", "CREATE FUNCTION pg_temp.f() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('kepler.workspace_id', 'OTHER', true); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;"
     "SELECT r.external_id FROM kepler.records AS r WHERE pg_temp.f();"),
    ("the view of settings", "", "UPDATE pg_settings SET setting = 'OTHER' WHERE name = 'kepler.workspace_id';"),
    ("options of the connection", "-c kepler.workspace_id=OTHER", ""),
    ("long options of the connection", "--kepler.workspace_id=OTHER", ""),
    ("options, then the library", "-c kepler.workspace_id=OTHER", "LOAD 'kepler';"),
    ("options, then RESET", "-c kepler.workspace_id=OTHER", "RESET kepler.workspace_id; RESET ALL;"),
    ("a setting of the role", "", "ALTER ROLE CURRENT_USER SET kepler.workspace_id = 'OTHER';\n\\c"),
    ("a setting of the role, behind a call", "", "SELECT kepler.current_workspace_id(); ALTER ROLE CURRENT_USER SET kepler.workspace_id = 'OTHER';\n\\c"),
    ("a setting of the role in the database", "", "ALTER ROLE CURRENT_USER IN DATABASE kepler_tenants_walk SET kepler.workspace_id = 'OTHER';\n\\c"),
    ("a setting of the database", "", "ALTER DATABASE kepler_tenants_walk SET kepler.workspace_id = 'OTHER';\n\\c"),
    ("the server's configuration", "", "ALTER SYSTEM SET kepler.workspace_id = 'OTHER'; SELECT pg_reload_conf();"),
    ("a function with SET", "", "CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE sql SET kepler.workspace_id = 'OTHER' AS $$ SELECT external_id FROM kepler.records $$; SELECT pg_temp.f();"),
    ("a definer's function with SET", "", "CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET kepler.workspace_id = 'OTHER' AS $$ SELECT external_id FROM kepler.records $$; SELECT pg_temp.f();"),
    ("a definer's function with SET, behind a call", "", "SELECT kepler.current_workspace_id();"
     "CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET kepler.workspace_id = 'OTHER' AS $$ BEGIN RETURN QUERY SELECT external_id FROM kepler.records; END $$; SELECT pg_temp.f();"),
    ("a procedure with SET", "", "CREATE PROCEDURE pg_temp.p() LANGUAGE sql SET kepler.workspace_id = 'OTHER' AS $$ SELECT external_id FROM kepler.records $$; CALL pg_temp.p();"),
    ("RESET ALL", "", "RESET ALL;"),
    ("DISCARD ALL", "", "DISCARD ALL;"),
    ("another role", "", "SET ROLE kepler_walk_other;"),
    ("another session", "", "SET SESSION AUTHORIZATION kepler_walk_other;"),
    ("a function of the policy's name", "", "CREATE FUNCTION pg_temp.current_workspace_id() RETURNS text LANGUAGE sql AS $$ SELECT 'OTHER' $$; SET search_path = pg_temp, kepler;"),
    ("a table of the name", "", "CREATE TEMP TABLE workspace_members AS SELECT 'OTHER'::text AS workspace_id, current_user::text AS role_name, 'admin' AS level; SET search_path = pg_temp, kepler, pg_catalog;"),
    ("row_security off", "", "SET row_security = off;"),
    ("a cursor kept", "", "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT external_id FROM kepler.records; COMMIT; SET kepler.workspace_id = 'OTHER'; FETCH ALL FROM c;"),
    ("use_workspace", "", "BEGIN; SELECT kepler.use_workspace('OTHER');"),
    ("use_workspace for the session", "", "SELECT kepler.use_workspace('OTHER', false);"),
    ("a setting that a superuser has given the role", "pinned", ""),
    ("membership for oneself", "", "SELECT kepler.grant_access(CURRENT_USER::regrole, 'admin');"),
]  # fmt: skip

# Sequences go on from there.
NUMBERS = """
SELECT setval(c.oid, {first}) FROM pg_class AS c WHERE c.relkind = 'S' AND c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace)
    AND c.oid NOT IN ('kepler.tracked_tables_id_seq'::regclass)
"""
GRANT = f"SELECT kepler.grant_access('kepler_walk_{{level}}', '{{level}}', '{OWN}')"
SHARED = """
-- What tenants share: a blueprint that says of each row whose it is.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "shared", "tenancy": {"field": "tenant"}, "tables": [
    {"name": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "code", "type": "text"}, {"name": "total", "type": "decimal", "precision": 10, "scale": 2}], "unique": [["tenant", "code"], ["tenant", "id"]]},
    {"name": "lines", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "order_id", "type": "bigint"}], "references": [{"fields": ["tenant", "order_id"], "to": "orders", "to_fields": ["tenant", "id"]}]}]}'::text);
INSERT INTO shared.orders (tenant, code, total) VALUES ('default', 'amark order', 1), ('bmark', 'bmark order', 2);
INSERT INTO shared.lines (tenant, order_id) VALUES ('default', 1), ('bmark', 2);
"""
# The condition for rows of the other in tables that have no column for it.
OTHER_ROW = {"kepler.access_levels": "true", "kepler.tracked_tables": "t.name LIKE '%bmark%'", "kepler.blueprint_versions": "t.blueprint_name = 'bmark_model'", "kepler.blueprint_tables": "t.blueprint_name = 'bmark_model'", "kepler.blueprint_enums": "t.blueprint_name = 'bmark_model'"}  # fmt: skip
# Those of hostile_calls.sql, which are one tenant's.
HOSTILE_TABLES: set[str] = {f"kepler_data.{name}_entries" for name in ("_dropped_dropped_4", "inventory_2", "links_3", "parent_1")}
FEED = re.compile(r"kepler\.(feed|history)_[0-9]")
# What tells of the catalog, which Postgres shows to everybody.
OF_NOBODY = {"prisma_schema", "structure_of", "index_advice"}
# They read nothing of a tenant's, or give what they made a number.
PURE = {"fold", "text_words", "jsonb_hash", "estimate_tokens", "json_matches", "json_update", "validate_workflow", "blueprint_from_prisma", "execution_token_hash"}
# Functions that read and write the tables that they are given.
BY_TABLE = [
    ("search_vectors", """kepler.search_vectors('kepler_data.small_embeddings', 'embedding', '[1, 2, 3]', 100, filter => '{"workspace_id": "bmark"}')"""),
    ("search_vectors", """kepler.search_vectors('kepler_data.small_embeddings', 'embedding', '[1, 2, 3]', 100, filter => '{"memory_id": "bmark_memory_1"}')"""),
    ("update_document", """kepler.update_document('kepler.records', '{"workspace_id": "bmark", "id": "bmark_record_1"}', 'data', '{"$set": {"a": 1}}')"""),
    ("update_document", """kepler.update_document('kepler.users', '{"workspace_id": "bmark", "id": "bmark_user"}', 'metadata', '{"$set": {"a": 1}}')"""),
    ("upsert_document", """kepler.upsert_document('kepler.users', '{"workspace_id": "bmark", "id": "bmark_user"}', 'metadata', '{"$set": {"a": 1}}')"""),
    ("upsert_document", """kepler.upsert_document('kepler.memories', '{"workspace_id": "bmark", "id": "bmark_memory_1"}', 'metadata', '{"$set": {"a": 1}}')"""),
]  # fmt: skip
# Which argument takes which of a tenant's names.
NAMES = {
    "connection_id": "_connection", "user_id": "_user", "workflow_id": "_workflow", "conversation_id": "_talk", "entity_type": "_type", "external_id": "_external_1", "provider": "_mail", "worker": "_worker",
    "memory_id": "_memory_1", "supersedes": "_memory_1", "entry_table": "_thing", "field": "_hidden", "consumer": "_consumer", "blueprint_name": "_model", "reference_id": "_reference", "connection_name": "_gone", "context_type": "_fact",
    "idempotency_key": "_key", "old_type": "_type", "new_name": "_parent",
}  # fmt: skip
LISTS = {"record_ids": "_record_1", "external_ids": "_external_1", "memory_ids": "_memory_1", "key_fields": "_code", "context_types": "_fact"}
DOCUMENTS = {
    "records": [{"external_id": "MARK_external_1", "data": {"a": 1}}], "embeddings": [{"memory_id": "MARK_memory_1", "embedding": [1, 2, 3]}], "messages": [{"role": "user", "content": "x", "external_id": "MARK_message", "user_id": "MARK_user"}],
    "memories": [{"content": "x", "supersedes": "MARK_memory_1", "user_id": "MARK_user"}], "entries": [{"MARK_code": "MARK 1"}], "links": [], "results": [{"record_id": "MARK_record_1", "action": "complete"}],
}  # fmt: skip


def twin(text: str) -> str:
    """A value of the same look that nobody has."""
    if OTHER in text:
        return text.replace(OTHER, NOBODY)
    if text.isdigit():
        return str(int(text) + 70_000_000)
    return text[:-1] + ("a" if text[-1] != "a" else "b")


def fits(argument: str, value: str) -> bool:
    ending = NAMES.get(argument) or LISTS.get(argument)
    return value == OTHER or (ending is not None and value == OTHER + ending) or value.isdigit()


def statement(function: Function, chosen: dict[str, str]) -> str:
    arguments = []
    for argument in function.arguments:
        value = chosen.get(argument.name) or sane(function, argument)
        if value is not None:
            kind = "" if argument.kind.startswith("any") else f"::{argument.kind}"
            arguments.append(f"{argument.name} => ({value}){kind}")
    return f"SELECT * FROM {function.schema}.{function.name}({', '.join(arguments)})"


def leaves(value: Any, name: str = "") -> Iterator[tuple[Any, str]]:
    """The document with each of its texts replaced in turn by a mark."""
    if isinstance(value, dict):
        for key, member in value.items():
            for inner, leaf in leaves(member, key):
                yield {**value, key: inner}, leaf
    elif isinstance(value, list):
        for at, element in enumerate(value):
            for inner, leaf in leaves(element, name):
                yield [*value[:at], inner, *value[at + 1 :]], leaf
    elif isinstance(value, str):
        yield "\uf8ff", name


def chosen_values(function: Function, name: str, kind: str, found: dict[str, list[tuple[str, str]]]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    document = next((known(function, a) for a in function.arguments if a.name == name and a.kind == kind), None)
    if isinstance(document, Json) and kind in ("text", "json", "jsonb"):
        for place, _ in leaves(document.value):
            for value, other in found["text"]:
                text = json.dumps(place)
                mark = json.dumps("\uf8ff")
                yield (literal(text.replace(mark, json.dumps(value))), value), (literal(text.replace(mark, json.dumps(other))), other)
    elif kind == "text":
        for value, other in found["text"]:
            yield (literal(value), value), (literal(other), other)
    elif kind == "text[]":
        for value, other in found["text"]:
            yield (f"ARRAY[{literal(value)}]", value), (f"ARRAY[{literal(other)}]", other)
    elif kind in ("bigint", "bigint[]"):
        for value, other in found["number"]:
            wrap = (lambda v: f"ARRAY[{v}]") if kind == "bigint[]" else (lambda v: v)
            yield (wrap(value), value), (wrap(other), other)


def together(function: Function, mark: str, run: dict[str, str]) -> dict[str, str]:
    """All arguments that could name something of a tenant, of one tenant, at once."""
    chosen = {}
    for argument in function.arguments:
        if argument.name in NAMES and argument.kind == "text":
            chosen[argument.name] = literal(mark + NAMES[argument.name])
        elif argument.name in LISTS and argument.kind == "text[]":
            chosen[argument.name] = literal("{" + mark + LISTS[argument.name] + "}")
        elif argument.name in run and argument.kind in ("text", "bigint"):
            chosen[argument.name] = literal(run[argument.name] if mark == OTHER else twin(run[argument.name]))
        elif argument.name in DOCUMENTS and argument.kind in ("text", "json", "jsonb"):
            chosen[argument.name] = literal(json.dumps(DOCUMENTS[argument.name]).replace("MARK", mark))
    return chosen


def normal(answer: str, value: str, mark: str) -> str:
    """The answer without what differs from call to call."""
    text = re.sub(r"(?m)^LOCATION:.*\n|^ERROR:  25P02:.*\n", "", answer).replace(value, "?").replace(mark, "?")
    text = re.sub(r"\bc[0-9a-z]{23}\b|\b[0-9a-f]{32,}\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:?\d\d)?|Z)?", "TIME", text)
    text = re.sub(r"(?<![0-9A-Za-z])\d{6,}(?![0-9A-Za-z])", "N", text)
    # A table has its number for a name, where whoever asks may not see it any more; rows without an order.
    return "\n".join(sorted(re.sub(r"(?m)^\d{5}$", "N", text).split("\n")))


def kind_of(answer: str) -> str:
    match = re.search(r"(?:ERROR|FATAL|PANIC):  (\w{5})", answer)
    return match.group(1) if match else "ok" if answer.strip() else "nothing"


def short(answer: str, mark: str) -> str:
    at = answer.find(mark)
    return answer[max(0, at - 120) : at + 160].strip()


def short_difference(one: str, other: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return f"{one[max(0, at - 100) : at + 200]!r}\n    {other[max(0, at - 100) : at + 200]!r}"


def without(answer: str, values: Iterable[str], script: str) -> str:
    for value in values:
        answer = answer.replace(value, "?")
    # What the caller has said.
    return re.sub(r"(?m)^(LINE|STATEMENT|CONTEXT).*$", "", answer)


def main() -> int:
    begun = time.monotonic()
    walk = Walk(sys.argv[1])
    walk.stage()
    relations = walk.catalog()
    walk.rows(relations)
    walk.tables(relations)
    print("  " + ", ".join(f"{what}: {count}" for what, count in sorted(walk.told.items())))
    walk.run = {
        "sync_run_id": walk.owner.value(f"SELECT min(id) FROM kepler.sync_runs WHERE workspace_id = '{OTHER}'"),
        "execution_id": walk.owner.value(f"SELECT min(id) FROM kepler.executions WHERE workspace_id = '{OTHER}'"),
        "lease_id": walk.owner.value(f"SELECT max(id) FROM kepler.leases WHERE workspace_id = '{OTHER}'"),
    }
    internal = set(walk.owner.run("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'kepler_internal'::regnamespace AND has_function_privilege('kepler_walk_admin', oid, 'EXECUTE')"))
    walk.calls([f for f in functions(walk.owner) if f.is_public or f.name in internal], walk.candidates(relations))
    walk.forging()
    for fault in walk.faults:
        print(fault)
    print(f"{len(relations)} tables, {len(walk.faults)} faults, {time.monotonic() - begun:.0f} s")
    return 1 if walk.faults else 0

if __name__ == "__main__":
    sys.exit(main())
