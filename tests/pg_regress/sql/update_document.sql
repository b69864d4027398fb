-- update_document changes the document of one row in one UPDATE, with the caller's own rights.
\set SHOW_CONTEXT never
BEGIN;
CREATE SCHEMA "My Schema";
CREATE TYPE "My Schema".mood AS ENUM ('sad', 'happy');
CREATE TABLE "My Schema"."Log ""1""" (
    tenant text, "Id" bigint, mood "My Schema".mood, code varchar(5) UNIQUE, fixed char(4), day date, other integer,
    "Result" jsonb, plain json, version integer,
    PRIMARY KEY (tenant, "Id"), UNIQUE (mood, fixed), UNIQUE (day) DEFERRABLE
);
CREATE UNIQUE INDEX ON "My Schema"."Log ""1""" (other) WHERE other > 0;
INSERT INTO "My Schema"."Log ""1""" VALUES
    ('t', 1, 'happy', 'abc', 'ab', '2024-01-01', 1, '{"result": {"org1": {"ok": false}}, "count": 0}', '{}', 3),
    ('t', 2, 'sad', 'abcde', 'cd', '2024-01-02', 2, '{}', '{}', NULL),
    ('t', 3, NULL, NULL, NULL, NULL, NULL, NULL, '{}', 1);

-- Keys of all kinds of columns; the row counts, not how its key is spelt.
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"tenant": "t", "Id": 1}', 'Result',
    '{"$set": {"result.org1": {"ok": true}, "result.org2": {"ok": false}}, "$inc": {"count": 1}}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"Id": "1", "tenant": "t"}', 'Result', '{"$inc": {"count": 1}}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"mood": "happy", "fixed": "ab"}', 'Result', '{"$inc": {"count": 1}}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$inc": {"count": 1}}');
-- A longer value is not cut off to find another row. No row: not_found.
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abcdef"}', 'Result', '{"$inc": {"count": 1}}');

-- Nothing to change: nothing is written, and the row is not even locked.
SELECT ROW(ctid, xmin, xmax)::text AS before FROM "My Schema"."Log ""1""" WHERE "Id" = 1 \gset
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$set": {"count": 4.0}, "$unset": {"x": ""}}', '{"revision_column": "version"}');
SELECT ROW(ctid, xmin, xmax)::text = :'before' AS untouched, version FROM "My Schema"."Log ""1""" WHERE "Id" = 1;

-- Revisions: counted up with each change; another one than expected is an error; NULL counts as 0.
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$inc": {"count": 1}}', '{"revision_column": "version", "expected_revision": 3}');
SAVEPOINT s;
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$inc": {"count": 1}}', '{"revision_column": "version", "expected_revision": 3}');
ROLLBACK TO s;
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$set": {"count": 5}}', '{"revision_column": "version", "expected_revision": 3}');
ROLLBACK TO s;
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abcde"}', 'Result', '{"$set": {"count": 5}}', '{"revision_column": "version", "expected_revision": 0}');
ROLLBACK TO s;
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abcde"}', 'Result', '{"$set": {"count": 5}}', '{"revision_column": "version"}');
SELECT "Id", version, "Result" FROM "My Schema"."Log ""1""" ORDER BY 1;

-- What is no key, no column, no option. Every problem is told.
\set ON_ERROR_ROLLBACK on
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"tenant": "t"}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"day": "2024-01-01"}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"other": 1}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"tenant": null, "Id": [1]}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"tenant": "t", "Id": "x"}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'plain', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{}', '{"revision_column": "tenant"}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{}', '{"expected_revision": 1.5, "revision": 1, "revision_column": 7}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{}', '{"expected_revision": 1}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "nobody"}', 'Result', '{"set": 1}');
SELECT * FROM kepler.update_document(NULL, '{"code": "abc"}', 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', NULL, 'Result', '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', NULL, '{}');
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', NULL);
SELECT * FROM kepler.update_document(1::oid, '{"code": "abc"}', 'Result', '{}');
-- A document that is NULL is not taken for an empty one here.
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"tenant": "t", "Id": 3}', 'Result', '{"$set": {"a": 1}}');
-- What does not fit the document comes through whole.
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$push": {"count": 1}, "$set": {"count2": 1}}');
SELECT "Result" FROM "My Schema"."Log ""1""" WHERE code = 'abc';

-- A table that changes between two calls.
ALTER TABLE "My Schema"."Log ""1""" DROP CONSTRAINT "Log ""1""_code_key";
SELECT * FROM kepler.update_document('"My Schema"."Log ""1"""', '{"code": "abc"}', 'Result', '{"$inc": {"count": 1}}');
ALTER SCHEMA "My Schema" RENAME TO theirs;
SELECT outcome FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 1}', 'Result', '{"$inc": {"count": 1}}');

-- Triggers run, with the caller's search path; the answer is what was stored. A trigger that keeps the row from being written is told.
CREATE SCHEMA helpers;
CREATE FUNCTION helpers.stamp(jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT $1 || '{"stamped": true}' $$;
CREATE FUNCTION helpers.before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."Result" ? 'refuse' THEN RETURN NULL; END IF;
    NEW."Result" := stamp(NEW."Result");
    RETURN NEW;
END
$$;
CREATE TRIGGER stamp BEFORE UPDATE ON theirs."Log ""1""" FOR EACH ROW EXECUTE FUNCTION helpers.before_update();
SET LOCAL search_path = public, helpers;
SELECT * FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 2}', 'Result', '{"$inc": {"count": 1}}');
SELECT * FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 2}', 'Result', '{"$set": {"refuse": true}}');
RESET search_path;

-- A document may be updated while another one is: each answer is of its own row. Large ones are stored elsewhere.
CREATE TABLE first (id integer PRIMARY KEY, doc jsonb NOT NULL);
CREATE TABLE second (id integer PRIMARY KEY, doc jsonb NOT NULL);
INSERT INTO first VALUES (1, jsonb_build_object('n', 1, 'long', (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 2000) AS i)));
INSERT INTO second SELECT id, doc - 'n' FROM first;
SELECT outcome, document->'n' AS n, jsonb_array_length(document->'long') AS long
FROM kepler.update_document('first', '{"id": 1}', 'doc', '{"$inc": {"n": 1}}');
SELECT doc->'n' AS n, doc->'long' = (SELECT doc->'long' FROM second) AS whole FROM first;
CREATE FUNCTION helpers.update_second() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kepler.update_document('second', '{"id": 1}', 'doc', '{"$inc": {"n": 1}}');
    NEW.doc := kepler.json_update(NEW.doc, '{"$inc": {"n": 100}}');
    RETURN NEW;
END
$$;
CREATE TRIGGER update_second BEFORE UPDATE ON first FOR EACH ROW EXECUTE FUNCTION helpers.update_second();
SELECT outcome, document->'n' AS n FROM kepler.update_document('first', '{"id": 1}', 'doc', '{"$inc": {"n": 1}}');
SELECT (SELECT doc->'n' FROM first) AS first, (SELECT doc->'n' FROM second) AS second;
-- Without the trigger it is as before; after an error too.
DROP TRIGGER update_second ON first;
SAVEPOINT s;
SELECT outcome FROM kepler.update_document('first', '{"id": 1}', 'doc', '{"$inc": {"long": 1}}');
ROLLBACK TO s;
SELECT outcome, document->'n' AS n FROM kepler.update_document('first', '{"id": 1}', 'doc', '{"$inc": {"n": 1}}');
SELECT (kepler.update_document('first', '{"id": 1}', 'doc', '{"$unset": {"long": 1}}')).*;

-- Operators of the caller's own do not get between.
CREATE SCHEMA evil;
CREATE FUNCTION evil.always(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.always);
SET LOCAL search_path = evil, pg_catalog;
SELECT count(*) FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 77}', 'Result', '{"$inc": {"count": 1}}');
RESET search_path;

-- Rights and row security are the caller's.
DROP TRIGGER stamp ON theirs."Log ""1""";
CREATE ROLE kepler_documents_test;
GRANT USAGE ON SCHEMA theirs, kepler TO kepler_documents_test;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_documents_test;
GRANT SELECT ON theirs."Log ""1""" TO kepler_documents_test;
SET LOCAL ROLE kepler_documents_test;
SELECT * FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 1}', 'Result', '{"$inc": {"count": 1}}');
RESET ROLE;
GRANT UPDATE ON theirs."Log ""1""" TO kepler_documents_test;
ALTER TABLE theirs."Log ""1""" ENABLE ROW LEVEL SECURITY;
CREATE POLICY first ON theirs."Log ""1""" USING ("Id" = 1) WITH CHECK (NOT "Result" ? 'forbidden');
SET LOCAL ROLE kepler_documents_test;
SELECT outcome FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 1}', 'Result', '{"$inc": {"count": 1}}');
SELECT outcome FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 2}', 'Result', '{"$inc": {"count": 1}}');
SELECT outcome FROM kepler.update_document('theirs."Log ""1"""', '{"tenant": "t", "Id": 1}', 'Result', '{"$set": {"forbidden": 1}}');
RESET ROLE;

-- Partitions, and a table that others inherit from.
CREATE TABLE parts (id integer PRIMARY KEY, doc jsonb) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT i, '{}' FROM generate_series(1, 4) AS i;
SELECT d.* FROM generate_series(1, 5) AS i, kepler.update_document('parts', jsonb_build_object('id', i), 'doc', jsonb_build_object('$set', jsonb_build_object('i', i))) AS d;
CREATE TABLE parent (id integer PRIMARY KEY, doc jsonb);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, '{}');
INSERT INTO child VALUES (1, '{}');
SELECT * FROM kepler.update_document('parent', '{"id": 1}', 'doc', '{"$set": {"a": 1}}');
CREATE VIEW looking AS SELECT * FROM parent;
SELECT * FROM kepler.update_document('looking', '{"id": 1}', 'doc', '{"$set": {"a": 1}}');
ROLLBACK;
