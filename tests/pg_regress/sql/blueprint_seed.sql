-- Rows that a blueprint begins with: planned, written in the order of their references, left alone when they are there, missed
-- when they are not.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set tables '"tables": [{"name": "Keyword", "table": "keywords", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "term", "type": "text", "required": true, "unique": true, "case_insensitive": true}, {"name": "persona", "column": "persona_id", "type": "reference", "to": "Persona"}, {"name": "priority", "type": "smallint", "default": 5}]}, {"name": "Persona", "table": "personas", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "summary", "type": "text"}, {"name": "parent", "type": "reference", "to": "Persona"}, {"name": "made", "type": "timestamp", "zone": false, "precision": 3}]}]'
\set seed '"seed": {"Keyword": {"rows": [{"term": "Neon Signs", "persona": {"lookup": {"where": {"name": "Planner"}}}, "priority": 9}, {"term": "led", "persona": null}]}, "Persona": {"existing": "update", "rows": [{"name": "Planner", "summary": "plans", "parent": {"lookup": {"where": {"name": "Boss"}}}, "made": {"now_minus": "3 days"}}, {"name": "Boss", "summary": "asks"}]}}'
\set document '{"blueprint": "shop", ' :tables ', ' :seed '}'
SELECT step, operation, object, statement, class, hazards, lock, estimated_rows, phase FROM kepler.plan_blueprint(:'document') WHERE operation = 'seed';
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT p.name, p.summary, b.name AS parent, p.made = (now() AT TIME ZONE 'UTC' - interval '3 days')::timestamp(3) AS moved
FROM shop.personas AS p LEFT JOIN shop.personas AS b ON b.id = p.parent ORDER BY p.name;
SELECT k.term, p.name, k.priority FROM shop.keywords AS k LEFT JOIN shop.personas AS p ON p.id = k.persona_id ORDER BY k.term;
-- The document as it is kept names what was left out.
SELECT jsonb_pretty(document::jsonb -> 'seed' -> 'Keyword') FROM kepler.blueprint_versions WHERE blueprint_name = 'shop';
-- Applied again, nothing is planned, nothing is written, no row gets another version.
CREATE TEMP TABLE before AS SELECT ctid AS place, xmin::text AS version FROM shop.personas UNION ALL SELECT ctid, xmin::text FROM shop.keywords;
SELECT count(*) FROM kepler.plan_blueprint(:'document');
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT count(*) FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT count(*) FROM ((TABLE before) EXCEPT (SELECT ctid, xmin::text FROM shop.personas UNION ALL SELECT ctid, xmin::text FROM shop.keywords)) AS moved;
-- A row that somebody deleted is missing, one that somebody changed is so where the document says update; other columns are the users'.
DELETE FROM shop.keywords WHERE term = 'led';
UPDATE shop.keywords SET priority = 1, term = 'NEON signs';
UPDATE shop.personas SET summary = 'idles', made = '2000-01-01' WHERE name = 'Planner';
SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT operation, object, statement, estimated_rows FROM kepler.repair_blueprint('shop');
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT name, summary, made > '2000-01-02' AS moved FROM shop.personas ORDER BY name;
SELECT term, priority FROM shop.keywords ORDER BY term;
SELECT count(*) FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
-- A seed may look up what the application has inserted; what nobody has inserted is refused, before anything is done.
INSERT INTO shop.personas (name) VALUES ('Guest');
\set seed '"seed": {"Keyword": {"rows": [{"term": "tube", "persona": {"lookup": {"where": {"name": "Guest"}}}}, {"term": "bulb", "persona": {"lookup": {"table": "Persona", "field": "id", "where": {"name": "Nobody"}}}}]}}'
\set document '{"blueprint": "shop", ' :tables ', ' :seed '}'
SELECT operation, class, hazards FROM kepler.plan_blueprint(:'document');
SELECT kepler.apply_blueprint(:'document');
INSERT INTO shop.personas (name) VALUES ('Nobody');
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT k.term, p.name FROM shop.keywords AS k JOIN shop.personas AS p ON p.id = k.persona_id ORDER BY k.term;
-- A table, a column and its rows under new names, in one version with new rows.
\set document '{"blueprint": "shop", "tables": [{"name": "Term", "table": "terms", "renamed_from": "Keyword", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "word", "renamed_from": "term", "type": "text", "required": true, "unique": true, "case_insensitive": true}, {"name": "persona", "column": "persona_id", "type": "reference", "to": "Persona"}, {"name": "priority", "type": "smallint", "default": 5}]}, {"name": "Persona", "table": "personas", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "summary", "type": "text"}, {"name": "parent", "type": "reference", "to": "Persona"}, {"name": "made", "type": "timestamp", "zone": false, "precision": 3}]}], "seed": {"Term": {"rows": [{"word": "TUBE"}, {"word": "lamp"}]}}}'
SELECT operation, object, class, hazards, estimated_rows FROM kepler.plan_blueprint(:'document');
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT word FROM shop.terms ORDER BY word;
-- A table that somebody has dropped comes back with its rows.
DROP TABLE shop.terms;
SELECT object_type, object, kind FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT word FROM shop.terms ORDER BY word;
ROLLBACK;

-- Names and values are never SQL.
BEGIN;
\set document '{"blueprint": "odd", "schema": "o''d\\"d", "tables": [{"name": "T''\\"; DROP", "key": {"fields": ["k''\\"$1"]}, "fields": [{"name": "k''\\"$1", "type": "text"}, {"name": "v\\\\", "type": "text", "unique": true, "case_insensitive": true}, {"name": "up/~1", "type": "reference", "to": "T''\\"; DROP"}]}], "seed": {"T''\\"; DROP": {"key": ["k''\\"$1"], "existing": "update", "rows": [{"k''\\"$1": "''; SELECT 1/0; --", "v\\\\": "\\\\''\\"{}", "up/~1": {"lookup": {"where": {"v\\\\": "E\\\\X"}}}}, {"k''\\"$1": "$1 \\\\", "v\\\\": "e\\\\x"}]}}}'
SELECT statement FROM kepler.plan_blueprint(:'document') WHERE operation = 'seed';
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
TABLE "o'd""d"."T'""; DROP";
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
UPDATE "o'd""d"."T'""; DROP" SET "v\" = 'x' WHERE "up/~1" IS NOT NULL;
SELECT object, kind, expected, actual FROM kepler.blueprint_drift('odd') WHERE kind <> 'coverage';
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT count(*) FROM kepler.blueprint_drift('odd') WHERE kind <> 'coverage';
ROLLBACK;

-- Every type: what is stored is what was said, and is the same again.
BEGIN;
\set document '{"blueprint": "types", "enums": {"Role": {"values": ["ADMIN", "it''s"], "type": "UserRole"}}, "tables": [{"name": "T", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "text"}, {"name": "i", "type": "integer"}, {"name": "big", "type": "bigint"}, {"name": "d", "type": "decimal", "precision": 6, "scale": 2}, {"name": "f", "type": "float"}, {"name": "r", "type": "real"}, {"name": "b", "type": "boolean"}, {"name": "day", "type": "date"}, {"name": "at", "type": "timestamp"}, {"name": "at3", "type": "timestamp", "zone": false, "precision": 3}, {"name": "clock", "type": "time"}, {"name": "u", "type": "uuid"}, {"name": "j", "type": "json"}, {"name": "j2", "type": "json", "binary": false}, {"name": "bytes", "type": "bytes"}, {"name": "v", "type": "vector", "dimensions": 3}, {"name": "e", "type": "enum", "enum": "Role"}, {"name": "es", "type": "enum", "enum": "Role", "list": true}, {"name": "w", "type": "enum", "values": ["a", "b"]}, {"name": "texts", "type": "text", "list": true}, {"name": "numbers", "type": "integer", "list": true}, {"name": "money", "type": "money"}, {"name": "ip", "type": "inet"}, {"name": "bits", "type": "bit", "length": 3}, {"name": "c", "type": "char", "length": 3}, {"name": "soon", "type": "date"}]}], "seed": {"T": {"existing": "update", "rows": [{"id": "all", "i": -1, "big": 9223372036854775807, "d": 1234.50, "f": 0.1, "r": 0.1, "b": true, "day": "2024-02-29", "at": "2024-02-29T12:00:00.123456+02:00", "at3": "2024-02-29T12:00:00.123", "clock": "23:59:59.5", "u": "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "j": {"b": [1, null], "a": "x"}, "j2": {"b": 1, "a": 2}, "bytes": "AP8=", "v": [0.5, -1, 2e-3], "e": "ADMIN", "es": ["it''s", "ADMIN"], "w": "b", "texts": ["a,b", "q\\"uote", ""], "numbers": [1, 2], "money": 1234.5, "ip": "10.0.0.1", "bits": "101", "c": "ab", "soon": {"now_plus": "2 days"}}, {"id": "none", "i": null, "j": {"value": null}, "texts": []}, {"id": "words", "j": {"value": {"lookup": {"value": 1}}}, "j2": {"value": {"now_plus": "3 days"}}}]}}}'
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT row_to_json(t) FROM (SELECT id, i, big, d, f, r, b, day, at AT TIME ZONE 'UTC' AS at, at3, clock, u, j, j2, bytes::text, v::text, e, es, w, texts, numbers, money::numeric, ip, bits, c, soon - (now() AT TIME ZONE 'UTC')::date AS days FROM types."T") AS t ORDER BY id;
SELECT id, j IS NULL AS no_json, jsonb_typeof(j) FROM types."T" ORDER BY id;
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
-- What is kept says the same.
SELECT outcome FROM kepler.blueprint_versions AS v CROSS JOIN LATERAL kepler.apply_blueprint(v.document) WHERE v.blueprint_name = 'types';
UPDATE types."T" SET v = '[1,1,1]', j2 = '{"a":2,  "b":1}', es = '{}', c = 'x', d = 1 WHERE id = 'all';
SELECT actual FROM kepler.blueprint_drift('types') WHERE kind = 'changed';
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT d, v, es, c FROM types."T" WHERE id = 'all';
ROLLBACK;

-- Online, rows come when everything else is there: here when somebody has built the index that tells them from one another.
\set document '{"blueprint": "seed_online", "tables": [{"name": "t", "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "integer"}]}]}'
CALL kepler.apply_blueprint_online(:'document');
INSERT INTO seed_online.t VALUES ('a', 1), ('b', 2);
\set document '{"blueprint": "seed_online", "tables": [{"name": "t", "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "integer"}], "unique": [{"fields": ["k"], "index": true}]}], "seed": {"t": {"existing": "update", "rows": [{"k": "b", "v": 20}, {"k": "c", "v": 30}]}}}'
CALL kepler.apply_blueprint_online(:'document');
SELECT * FROM seed_online.t ORDER BY k;
SELECT object_type, object, kind FROM kepler.blueprint_drift('seed_online') WHERE kind <> 'coverage';
CREATE UNIQUE INDEX CONCURRENTLY t_k_key ON seed_online.t (k);
CALL kepler.apply_blueprint_online(:'document');
SELECT * FROM seed_online.t ORDER BY k;
CALL kepler.apply_blueprint_online(:'document');
DELETE FROM seed_online.t WHERE k = 'c';
CALL kepler.apply_blueprint_online(:'document');
SELECT count(*) FROM kepler.blueprint_drift('seed_online') WHERE kind <> 'coverage';
SELECT outcome FROM kepler.drop_blueprint('seed_online', '{"with_rows": true}');
