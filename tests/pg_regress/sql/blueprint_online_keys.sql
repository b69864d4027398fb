-- Online, no index is built under a lock that keeps others from writing: unique sets and primary keys are answered as text as other
-- indexes are, and are made of their index when it is there. What takes the place of another rule leaves that one until then.
\set SHOW_CONTEXT never
\set VERBOSITY default
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "keyed", "tables": [
  {"name": "P", "table": "p", "key": {"fields": ["a"]}, "fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}, {"name": "code", "type": "text"}], "indexes": [{"fields": ["b"], "name": "p_b"}]},
  {"name": "C", "table": "c", "fields": [{"name": "p", "type": "integer"}, {"name": "n", "type": "integer"}], "references": [{"fields": ["p"], "to": "P"}]}]}');
INSERT INTO keyed.p SELECT i, 10 - i, 'c' || i % 3 FROM generate_series(1, 4) AS i;
INSERT INTO keyed.c VALUES (1, 1), (2, 2), (NULL, 3);
\set next '{"blueprint": "keyed", "tables": [{"name": "P", "table": "p", "key": {"fields": ["b"], "constraint": "p_pkey"}, "fields": [{"name": "a", "type": "integer", "required": true, "unique": true}, {"name": "b", "type": "integer"}, {"name": "code", "type": "text"}], "unique": [["code"]], "indexes": [{"fields": ["b", "a"], "name": "p_b"}]}, {"name": "C", "table": "c", "key": {"fields": ["n"]}, "fields": [{"name": "p", "type": "integer"}, {"name": "n", "type": "integer"}, {"name": "code", "type": "text"}], "references": [{"fields": ["p"], "to": "P", "to_fields": ["a"]}, {"fields": ["code"], "to": "P", "to_fields": ["code"], "name": "c_code"}]}]}'
SELECT operation, object, class, phase, lock, statement FROM kepler.plan_blueprint(:'next', '{"online": true}');

-- Rows that would make a unique index fail are told before anybody begins to build it.
CALL kepler.apply_blueprint_online(:'next');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE keyed.p SET code = 'c4' WHERE a = 4;
CALL kepler.apply_blueprint_online(:'next');
-- The old key and its reference hold until the new one is there. What is waited for is what the plan shows.
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'keyed'::regnamespace AND contype <> 'n' ORDER BY 1;
SELECT operation, object, phase FROM kepler.plan_blueprint(:'next', '{"online": true}');
INSERT INTO keyed.p VALUES (1, 1, 'x');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO keyed.c VALUES (77, 77);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Part of it is built: the rest is waited for. A build that failed is told, and built anew.
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e WHERE e ->> 'name' <> 'p_code_key' \gexec
INSERT INTO keyed.p VALUES (5, 5, 'c4');
CREATE UNIQUE INDEX CONCURRENTLY p_code_key ON keyed.p (code);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT operation, object, phase, hazards FROM kepler.plan_blueprint(:'next', '{"online": true}');
CALL kepler.apply_blueprint_online(:'next');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM keyed.p WHERE a = 5;
CALL kepler.apply_blueprint_online(:'next');
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
CALL kepler.apply_blueprint_online(:'next');
SELECT conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'keyed'::regnamespace AND contype <> 'n' ORDER BY 1;
SELECT indexrelid::regclass, indisvalid FROM pg_index JOIN pg_class AS c ON c.oid = indrelid WHERE c.relnamespace = 'keyed'::regnamespace ORDER BY 1;
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'next', '{"online": true}');
SELECT object_type, object, kind FROM kepler.blueprint_drift('keyed') WHERE kind <> 'coverage';

-- Given up in the middle, indexes that nobody asks for any more are dropped, valid or not.
\set other '{"blueprint": "keyed", "tables": [{"name": "P", "table": "p", "key": {"fields": ["b"], "constraint": "p_pkey"}, "fields": [{"name": "a", "type": "integer", "required": true, "unique": true}, {"name": "b", "type": "integer"}, {"name": "code", "type": "text"}], "unique": [["code"], ["a", "code"]], "indexes": [{"fields": ["code", "b"], "name": "p_b"}]}, {"name": "C", "table": "c", "key": {"fields": ["n"]}, "fields": [{"name": "p", "type": "integer"}, {"name": "n", "type": "integer"}, {"name": "code", "type": "text"}], "references": [{"fields": ["p"], "to": "P", "to_fields": ["a"]}, {"fields": ["code"], "to": "P", "to_fields": ["code"], "name": "c_code"}]}]}'
CALL kepler.apply_blueprint_online(:'other');
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'keyed.p_a_code_key'::regclass;
CALL kepler.apply_blueprint_online(:'next');
SELECT indexrelid::regclass, indisvalid FROM pg_index JOIN pg_class AS c ON c.oid = indrelid WHERE c.relnamespace = 'keyed'::regnamespace ORDER BY 1;

-- One transaction takes an index that is there as well.
CALL kepler.apply_blueprint_online(:'other');
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
SELECT operation, class, statement FROM kepler.plan_blueprint(:'other');
SELECT outcome FROM kepler.apply_blueprint(:'other');

-- An identity comes when the column is NOT NULL, and what is written anew is built with it.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "wide", "tables": [{"name": "T", "table": "t", "fields": [{"name": "id", "type": "integer"}, {"name": "s", "type": "integer"}]}]}');
INSERT INTO wide.t SELECT i, i FROM generate_series(1, 5) AS i;
\set wide '{"blueprint": "wide", "tables": [{"name": "T", "table": "t", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "integer", "generated": "identity"}, {"name": "s", "type": "text", "unique": true}]}]}'
SELECT operation, object, class, phase, lock FROM kepler.plan_blueprint(:'wide', '{"online": true}');
CALL kepler.apply_blueprint_online(:'wide', '{rewrite}');
SELECT e ->> 'statement' AS sql FROM kepler.blueprints, jsonb_array_elements(deferred) AS e \gexec
CALL kepler.apply_blueprint_online(:'wide');
INSERT INTO wide.t (s) VALUES ('x') RETURNING id;
SELECT outcome FROM kepler.drop_blueprint('wide', '{"with_rows": true}');
SELECT outcome FROM kepler.drop_blueprint('keyed', '{"with_rows": true}');
