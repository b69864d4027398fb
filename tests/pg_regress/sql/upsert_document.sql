-- upsert_document makes the row, or updates the document that is there.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE logs (
    "dataScheduleId" text PRIMARY KEY, made date NOT NULL DEFAULT '2024-01-01', result jsonb, version integer NOT NULL DEFAULT 1,
    org text, number integer, UNIQUE (org, number)
);

-- A new row: the operations make its document from {}, $setOnInsert included.
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s1"}', 'result',
    '{"$set": {"result.org1": {"ok": true}}, "$inc": {"runs": 1}, "$setOnInsert": {"first": "org1"}}');
-- Again: the document that is there is updated, not replaced.
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s1"}', 'result',
    '{"$set": {"result.org2": {"ok": true}}, "$inc": {"runs": 1}, "$setOnInsert": {"first": "org2"}}');
-- Nothing new: nothing is written.
SELECT ROW(ctid, xmin, xmax)::text AS before FROM logs \gset
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s1"}', 'result', '{"$set": {"runs": 2}, "$setOnInsert": {"first": "x"}}');
SELECT ROW(ctid, xmin, xmax)::text = :'before' AS untouched FROM logs;

-- A document that is NULL counts as empty; no operations make an empty document.
INSERT INTO logs ("dataScheduleId") VALUES ('s2');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s2"}', 'result', '{"$unset": {"x": 1}}');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s2"}', 'result', '{"$push": {"list": 1}, "$setOnInsert": {"new": true}}');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s3"}', 'result', '{}');
-- A path as an array, in a document yet to be made.
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s4"}', 'result', '[{"op": "$set", "path": ["result", "org.1"], "value": 1}]');

-- Revisions: a new row begins at 1; expecting 0 means that there is none.
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s5"}', 'result', '{"$inc": {"n": 1}}', options => '{"revision_column": "version", "expected_revision": 0}');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s5"}', 'result', '{"$inc": {"n": 1}}', options => '{"revision_column": "version", "expected_revision": 0}');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s5"}', 'result', '{"$inc": {"n": 1}}', options => '{"revision_column": "version", "expected_revision": 1}');
SELECT * FROM kepler.upsert_document('logs', '{"dataScheduleId": "s6"}', 'result', '{"$inc": {"n": 1}}', options => '{"revision_column": "version", "expected_revision": 1}');
SELECT "dataScheduleId", result, version FROM logs ORDER BY 1;

-- What a row needs besides its key must have a default; other keys hold as ever.
SELECT * FROM kepler.upsert_document('logs', '{"org": "a", "number": 1}', 'result', '{}');
ALTER TABLE logs ALTER COLUMN "dataScheduleId" SET DEFAULT 'made';
SELECT * FROM kepler.upsert_document('logs', '{"org": "a", "number": 1}', 'result', '{"$set": {"a": 1}}');
SELECT * FROM kepler.upsert_document('logs', '{"org": "a", "number": "1"}', 'result', '{"$set": {"a": 2}}');
SELECT * FROM kepler.upsert_document('logs', '{"org": "b", "number": 1}', 'result', '{"$set": {"a": 1}}');
SELECT * FROM kepler.upsert_document('logs', '{"org": "b", "dataScheduleId": "made"}', 'result', '{"$set": {"a": 1}}');

-- What a new row needs besides key and document comes in new_row, read as the columns' types read it. A row that is
-- there keeps its own.
CREATE TYPE level AS ENUM ('low', 'high');
CREATE TABLE agents ("agentId" text PRIMARY KEY, name varchar(5) NOT NULL, tags text[] NOT NULL, since timestamptz NOT NULL,
    level level NOT NULL, extra jsonb NOT NULL, note text DEFAULT 'none', config jsonb NOT NULL, version integer NOT NULL);
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "a"}', 'config', '{"$inc": {"runs": 1}}',
    new_row => '{"name": "Ada", "tags": ["x", "y z"], "since": "2026-01-01T00:00:00Z", "level": "high", "extra": {"b": "c"}, "note": null}',
    options => '{"revision_column": "version"}');
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "a"}', 'config', '{"$inc": {"runs": 1}}',
    '{"name": "Bob", "tags": [], "since": "2027-01-01T00:00:00Z", "level": "low", "extra": "text"}', '{"revision_column": "version"}');
SELECT "agentId", name, tags, since = '2026-01-01T00:00:00Z' AS since, level, extra, note, config, version FROM agents;
-- What does not fit a column is an error, not cut off; without what it needs there is no row.
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "b"}', 'config', '{}', '{"name": "too long", "tags": [], "since": "now", "level": "low", "extra": 1, "version": 1}');
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "b"}', 'config', '{}', '{"name": "Bob", "tags": [], "since": "now", "level": "middle", "extra": 1, "version": 1}');
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "b"}', 'config', '{}', '{"name": "Bob"}');
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "b"}', 'config', '{}', '{}');
-- Every column that cannot be meant is named.
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "a"}', 'config', '{}', '{"agentId": "c", "config": {}, "nmae": "x", "version": 7}', '{"revision_column": "version"}');
SELECT * FROM kepler.upsert_document('agents', '{"agentId": "a"}', 'config', '{}', '[]');

-- A key that is rounded when it is stored cannot be found again.
CREATE TABLE rounded (n numeric(4, 1) PRIMARY KEY, doc jsonb);
SELECT * FROM kepler.upsert_document('rounded', '{"n": 1.25}', 'doc', '{"$inc": {"x": 1}}');
SELECT * FROM kepler.upsert_document('rounded', '{"n": 1.25}', 'doc', '{"$inc": {"x": 1}}');

-- Rights are the caller's.
CREATE ROLE kepler_documents_test;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_documents_test;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_documents_test;
GRANT SELECT, UPDATE ON logs TO kepler_documents_test;
SET LOCAL ROLE kepler_documents_test;
SELECT outcome FROM kepler.upsert_document('logs', '{"dataScheduleId": "s5"}', 'result', '{"$inc": {"n": 1}}');
SELECT outcome FROM kepler.upsert_document('logs', '{"dataScheduleId": "s9"}', 'result', '{"$inc": {"n": 1}}');
RESET ROLE;

-- Many rows in one statement, each with its own answer.
CREATE TABLE counters (id integer PRIMARY KEY, doc jsonb NOT NULL);
SELECT d.* FROM generate_series(1, 6) AS i, kepler.upsert_document('counters', jsonb_build_object('id', i % 3), 'doc', jsonb_build_object('$push', jsonb_build_object('i', i))) AS d;
ROLLBACK;
