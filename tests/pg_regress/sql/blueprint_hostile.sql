-- Names of a blueprint may be anything that Postgres takes, and are names in every statement, never SQL.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set document '{"blueprint": "hostile", "schema": "S\\"; DROP TABLE x; --", "enums": {"E": {"values": ["it''s", "\\"q\\"", "\\\\", "; --"], "type": "E\\"num"}}, "tables": [{"name": "T''1 %s \\"x\\" $$", "table": "T\\"; DROP SCHEMA kepler CASCADE; --", "description": "it''s \\\\ $$ \\"x\\" '' ; --", "key": {"fields": ["id"], "constraint": "p\\"k''ey"}, "fields": [{"name": "id", "column": "i\\"d", "type": "text", "required": true, "fill": "cuid"}, {"name": "e", "column": "select", "type": "enum", "enum": "E", "default": "it''s", "description": "''"}, {"name": "t", "column": "ten''ant\\\\", "type": "text", "required": true, "default": "\\\\''; --"}, {"name": "ä", "column": "Größe ✓", "type": "integer", "min": 0}], "unique": [{"fields": ["t", "ä"], "name": "u\\"; --"}], "indexes": [{"fields": ["e"], "name": "i''x"}], "references": [{"fields": ["t"], "to": "T''1 %s \\"x\\" $$", "to_fields": ["id"], "name": "f\\"k"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT object_type, object, kind FROM kepler.blueprint_drift('hostile') WHERE kind <> 'coverage';
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'S"%' ORDER BY 1;
SELECT kepler.blueprint_diagram('hostile');
-- Renamed, each of them.
SELECT outcome FROM kepler.apply_blueprint(replace(replace(:'document', 'i\"d', 'i\"d2'), 'T\"; DROP SCHEMA kepler CASCADE; --', '''T2\"'), '{drop}');
SELECT object_type, object, kind FROM kepler.blueprint_drift('hostile') WHERE kind <> 'coverage';
SELECT outcome FROM kepler.drop_blueprint('hostile');
SELECT count(*) AS left_over FROM pg_namespace WHERE nspname LIKE 'S"%';

-- SQL in a document: what is known to be harmless passes, the rest is named, and let through for the owner alone.
\set risky '{"blueprint": "risky", "tables": [{"name": "T", "table": "t", "fields": [{"name": "a", "type": "text", "default_sql": "gen_random_uuid()::text"}, {"name": "b", "type": "text", "default_sql": "pg_backend_pid()::text || ''x''"}, {"name": "n", "type": "integer", "default_sql": "1 + 2 * 3"}], "indexes": [{"fields": ["a"], "name": "some", "where_sql": "hashtext(a) > 3"}]}]}'
SELECT operation, object, class, hazards FROM kepler.plan_blueprint(:'risky') WHERE class = 'refused';
SELECT kepler.apply_blueprint(:'risky');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.apply_blueprint(:'risky', options => '{"trusted": true}');
-- What was let through once is not asked again, however Postgres prints it.
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'risky');
SELECT outcome FROM kepler.apply_blueprint(:'risky');
SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('risky') WHERE kind <> 'coverage';
ALTER TABLE risky.t ALTER b SET DEFAULT upper('y');
SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('risky') WHERE kind <> 'coverage';
ROLLBACK;
