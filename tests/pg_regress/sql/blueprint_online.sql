-- apply_blueprint_online commits each phase: what reads rows does it under a lock that lets others write, and what no function can
-- run is answered as text. Interrupted between two commits, or stopped by rows, it leaves a state from which the next call goes on.
\set SHOW_CONTEXT never
\set VERBOSITY default
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "onl", "enums": {"state": ["a", "b"]}, "tables": [{"name": "P", "table": "p", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text"}]}, {"name": "C", "table": "c", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "p", "type": "bigint"}, {"name": "n", "type": "integer"}, {"name": "s", "type": "enum", "enum": "state"}]}]}');
INSERT INTO onl.p (code) VALUES ('x'), ('y');
INSERT INTO onl.c (p, n) VALUES (1, 1), (2, 2), (3, NULL);
\set next '{"blueprint": "onl", "enums": {"state": ["a", "b", "c"]}, "tables": [{"name": "P", "table": "p", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text"}], "indexes": [{"fields": ["code"]}]}, {"name": "C", "table": "c", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "p", "type": "reference", "to": "P", "index": false}, {"name": "n", "type": "integer", "required": true, "min": 0}, {"name": "s", "type": "enum", "enum": "state", "default": "c"}]}]}'
SELECT operation, object, phase, lock FROM kepler.plan_blueprint(:'next', '{"online": true}');

-- Not inside of a transaction: it commits.
BEGIN;
CALL kepler.apply_blueprint_online(:'next');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;

-- Rows stop it. What was done before stays, and the version is under way.
CALL kepler.apply_blueprint_online(:'next');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version, pending_version FROM kepler.blueprints WHERE name = 'onl';
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'onl.c'::regclass AND contype IN ('c', 'f') ORDER BY 1;
SELECT object_type, object, kind FROM kepler.blueprint_drift('onl') WHERE kind <> 'coverage' ORDER BY 2;
SELECT actual FROM kepler.blueprint_drift('onl') WHERE object_type = 'blueprint';
-- Others write meanwhile, under the new rules.
INSERT INTO onl.c (p, n) VALUES (9, 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE onl.c SET p = 1, n = 3 WHERE p = 3;
CALL kepler.apply_blueprint_online(:'next');
SELECT version, pending_version, deferred FROM kepler.blueprints WHERE name = 'onl';
-- The statement is run, and the next call finds what it has made.
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
CALL kepler.apply_blueprint_online(:'next'::json);
CALL kepler.apply_blueprint_online(:'next'::jsonb);
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'next');
SELECT object_type, object, kind FROM kepler.blueprint_drift('onl') WHERE kind <> 'coverage';

-- Given up in the middle for another document: what the given up one has made goes, as it was never anybody's.
\set third '{"blueprint": "onl", "tables": [{"name": "P", "table": "p", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text", "required": true, "max_length": 30}]}]}'
SELECT outcome, more FROM kepler_internal.apply_blueprint_step(replace(:'next', '"text"', '"text", "required": true'), '{}', NULL);
SELECT version, pending_version FROM kepler.blueprints WHERE name = 'onl';
CALL kepler.apply_blueprint_online(:'third', '{drop,convert,rewrite}');
SELECT version, pending_version FROM kepler.blueprints WHERE name = 'onl';
SELECT relname FROM pg_class WHERE relnamespace = 'onl'::regnamespace AND relkind = 'r';
SELECT object_type, object, kind FROM kepler.blueprint_drift('onl') WHERE kind <> 'coverage';
SELECT v.version, v.applied_at IS NOT NULL AS applied FROM kepler.blueprint_versions AS v ORDER BY 1;

-- From nothing.
SELECT outcome FROM kepler.drop_blueprint('onl', '{"with_rows": true}');
CALL kepler.apply_blueprint_online(:'next');
SELECT version FROM kepler.blueprints WHERE name = 'onl';
SELECT outcome FROM kepler.drop_blueprint('onl');

-- A value is added to a type that gets another name, beside one that does: values come first, under the names of before.
\set one '{"blueprint": "onl", "enums": {"E": {"type": "e", "values": ["a", "b"]}, "F": {"type": "f", "values": ["a"]}}, "tables": [{"name": "T", "table": "t", "fields": [{"name": "e", "type": "enum", "enum": "E", "default": "b"}]}]}'
\set two '{"blueprint": "onl", "enums": {"E": {"type": "g", "values": ["a", "c", "d"], "renamed_values": {"b": "c"}}, "F": {"type": "f", "values": ["a"]}}, "tables": [{"name": "T", "table": "t", "fields": [{"name": "e", "type": "enum", "enum": "E", "default": "d"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'one');
INSERT INTO onl.t DEFAULT VALUES;
SELECT phase, class, statement FROM kepler.plan_blueprint(:'two', '{"online": true}');
CALL kepler.apply_blueprint_online(:'two');
INSERT INTO onl.t DEFAULT VALUES;
SELECT e, pg_typeof(e) FROM onl.t;
-- Where names go from one type to another as well, nobody could tell the types apart between the two commits.
SELECT operation, hazards FROM kepler.plan_blueprint(replace(replace(:'two', '"type": "f", "values": ["a"]', '"type": "g", "values": ["a", "z"]'), '"type": "g", "values": ["a", "c", "d"]', '"type": "f", "values": ["a", "c", "d"]'), '{"online": true}') WHERE class = 'refused';
SELECT outcome FROM kepler.drop_blueprint('onl', '{"with_rows": true}');
