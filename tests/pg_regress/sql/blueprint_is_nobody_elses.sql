-- What an administrator could reach through a blueprint that is not theirs: code of their own in the owner's name, tables of the
-- owner, tables of another workspace, another blueprint's types.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE ROLE nobody_admin;
SELECT kepler.grant_access('nobody_admin', 'admin');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
GRANT TEMPORARY ON DATABASE :DBNAME TO nobody_admin;
CREATE FUNCTION pg_temp.one(fields text, more text DEFAULT '', head text DEFAULT '') RETURNS text LANGUAGE sql AS
$$ SELECT format('{"blueprint": "one", %s "tables": [{"name": "T", "table": "t", "fields": [%s] %s}]}', head, fields, more) $$;
GRANT USAGE ON SCHEMA pg_temp TO nobody_admin;

-- Harmless SQL vouches for nothing that compares as equal to it.
SET ROLE nobody_admin;
CREATE FUNCTION pg_temp.spy(value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'runs as %', current_user; RETURN true; END $$;
CREATE DOMAIN pg_temp.trap AS text CHECK (pg_temp.spy(VALUE));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.one('{"name": "a", "type": "text"}', $$, "indexes": [{"fields": ["a"], "name": "i", "where_sql": "a = 'x'"}]$$));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.one('{"name": "a", "type": "text"}', $$, "indexes": [{"fields": ["a"], "name": "i", "unique": true, "where_sql": "a = 'x'::pg_temp.trap"}]$$));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.one($${"name": "a", "type": "varchar", "max_length": 9, "default_sql": "upper('x')"}$$));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.one($${"name": "a", "type": "text", "default_sql": "upper('x'::pg_temp.trap)"}$$));
RESET ROLE;

-- A table that the owner made is not taken over, by none of the names that a table of the blueprint may take.
CREATE TABLE one.salaries (id bigint PRIMARY KEY, amount integer);
INSERT INTO one.salaries VALUES (1, 100);
SET ROLE nobody_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "one", "tables": [{"name": "T", "table": "salaries", "fields": [{"name": "a", "type": "text"}]}]}', '{drop,rewrite,convert}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "one", "tables": [{"name": "T", "table": "t", "fields": [{"name": "a", "type": "text"}]}, {"name": "S", "table": "salaries", "fields": [{"name": "a", "type": "text"}]}]}', '{drop,rewrite,convert}');
SELECT outcome FROM kepler.drop_blueprint('one', '{"with_rows": true}');
RESET ROLE;
TABLE one.salaries;

-- Nor a type of the owner's, nor one of another blueprint.
CREATE TYPE one.mood AS ENUM ('good');
SET ROLE nobody_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "first", "enums": {"E": ["a"]}, "tables": []}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "second", "enums": {"M": ["evil"]}, "tables": []}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "second", "enums": {"M": {"values": ["evil"], "schema": "one", "type": "mood"}}, "tables": []}', '{rewrite,convert}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "second", "enums": {"E": {"values": ["evil", "a"], "schema": "first"}}, "tables": []}', '{rewrite,convert}');
RESET ROLE;
SELECT enum_range(NULL::one.mood), enum_range(NULL::first."E");

-- A blueprint of a workspace is changed and dropped from that workspace alone, and whose rows tables hold by the owner alone.
SET LOCAL kepler.workspace_id = 'ws_a';
SET ROLE nobody_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ten", "tenancy": "workspace", "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}]}]}');
INSERT INTO ten."T" VALUES ('of a');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ten", "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}]}]}');
RESET ROLE;
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE nobody_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ten", "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}]}]}');
SELECT outcome FROM kepler.drop_blueprint('ten');
SELECT outcome FROM kepler.drop_blueprint('ten', '{"with_rows": true}');
-- A field that names the workspace.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "many", "tenancy": {"field": "w"}, "tables": [{"name": "T", "fields": [{"name": "w", "type": "text"}, {"name": "v", "type": "text"}]}]}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "many", "tenancy": {"field": "v"}, "tables": [{"name": "T", "fields": [{"name": "w", "type": "text"}, {"name": "v", "type": "text"}]}]}');
SELECT outcome FROM kepler.drop_blueprint('many', '{"with_rows": true}');
RESET ROLE;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "many", "tenancy": {"field": "v"}, "tables": [{"name": "T", "fields": [{"name": "w", "type": "text"}, {"name": "v", "type": "text"}]}]}');

-- Columns that exchange their names take their values along, or nothing is done.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "swap", "tables": [{"name": "T", "fields": [{"name": "a", "column": "x", "type": "text"}, {"name": "b", "column": "y", "type": "text"}]}]}');
INSERT INTO swap."T" (x, y) VALUES ('a', 'b');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "swap", "tables": [{"name": "T", "fields": [{"name": "a", "column": "y", "type": "text"}, {"name": "b", "column": "x", "type": "text"}]}]}');
TABLE swap."T";
-- A table that takes the name of one that leaves.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "chain", "tables": [{"name": "A", "table": "x", "fields": [{"name": "v", "type": "text"}]}, {"name": "B", "table": "y", "fields": [{"name": "v", "type": "text"}]}]}');
INSERT INTO chain.x VALUES ('row of A');
INSERT INTO chain.y VALUES ('row of B');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "chain", "tables": [{"name": "A", "table": "y", "fields": [{"name": "v", "type": "text"}]}]}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "chain", "tables": [{"name": "A", "table": "y", "fields": [{"name": "v", "type": "text"}]}]}', '{drop}');
TABLE chain.y;

-- A rename that leaves the old table in the document is told, and renames of the past are not.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "chain", "tables": [{"name": "A", "table": "y", "fields": [{"name": "v", "type": "text"}]}, {"name": "C", "renamed_from": "A", "fields": [{"name": "v", "type": "text"}]}]}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "past", "tables": [{"name": "B", "renamed_from": "A", "fields": [{"name": "v", "type": "text"}]}]}');

-- No digit of a number gets lost.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.one('{"name": "a", "type": "text"}', ', "description": "again"'));
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "digits", "tables": [{"name": "T", "fields": [{"name": "v", "type": "decimal"}]}]}');
INSERT INTO digits."T" VALUES (1.0000000000000001);
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "digits", "tables": [{"name": "T", "fields": [{"name": "v", "type": "smallint"}]}]}', '{convert}');
ROLLBACK;
