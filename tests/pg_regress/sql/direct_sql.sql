-- Direct SQL on the tables keeps their rules: updated_at moves, the hash follows the data, the content of
-- an enriched record counts as new, and what is not legal is refused.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT outcome FROM kepler.upsert_record('direct', 'a', '{"v": 1}');
CREATE TEMP TABLE before AS SELECT * FROM kepler.records WHERE false;
CREATE FUNCTION pg_temp.remember() RETURNS void LANGUAGE sql AS $$
    DELETE FROM before; INSERT INTO before (workspace_id, id, entity_id, external_id, entity_type, source, status,
        enrichment_status, created_at, updated_at, deleted_at, source_updated_at, content_hash, source_digest, data, enrichment)
    SELECT workspace_id, id, entity_id, external_id, entity_type, source, status,
        enrichment_status, created_at, updated_at, deleted_at, source_updated_at, content_hash, source_digest, data, enrichment
    FROM kepler.records WHERE entity_type = 'direct' AND external_id = 'a'
$$;
-- What has changed since, and whether the hash is in step.
CREATE FUNCTION pg_temp.changed() RETURNS TABLE (changed text, hash_in_step boolean) LANGUAGE sql AS $$
    SELECT (SELECT string_agg(n.key, ' ' ORDER BY n.key) FROM jsonb_each(to_jsonb(r)) AS n
            WHERE n.value IS DISTINCT FROM to_jsonb(b)->n.key),
        r.content_hash = kepler.jsonb_hash(r.data)
    FROM kepler.records AS r, before AS b WHERE r.workspace_id = b.workspace_id AND r.id = b.id
$$;

-- Data.
SELECT pg_temp.remember();
UPDATE kepler.records SET data = '{"v": 2}' WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();
-- The upsert sees what was done: the old text is a change now, the new content is not.
SELECT outcome FROM kepler.upsert_record('direct', 'a', '{"v": 2}');
SELECT outcome FROM kepler.upsert_record('direct', 'a', '{"v": 1}');
SELECT pg_temp.remember();
UPDATE kepler.records SET data = jsonb_set(data, '{v}', '3') WHERE entity_type = 'direct';
SELECT outcome FROM kepler.upsert_record('direct', 'a', '{"v": 1}');

-- Status, deletion, enrichment, type.
SELECT pg_temp.remember();
UPDATE kepler.records SET status = 'ARCHIVED' WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();
SELECT pg_temp.remember();
UPDATE kepler.records SET deleted_at = now() WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();
UPDATE kepler.records SET deleted_at = NULL, enrichment_status = 'PENDING' WHERE entity_type = 'direct';
SELECT pg_temp.remember();
UPDATE kepler.records SET enrichment = '{"x": 1}', enrichment_status = 'APPLIED' WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();

-- An update that changes nothing moves nothing.
SELECT pg_temp.remember();
UPDATE kepler.records SET data = data, status = status WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();

-- New content of an enriched record is not enriched yet, unless the same statement says it is.
SELECT pg_temp.remember();
UPDATE kepler.records SET data = '{"v": 4}' WHERE entity_type = 'direct';
SELECT * FROM pg_temp.changed();
SELECT enrichment_status FROM kepler.records WHERE entity_type = 'direct';
UPDATE kepler.records SET data = '{"v": 5}', enrichment_status = 'PENDING' WHERE entity_type = 'direct';
UPDATE kepler.records SET data = '{"v": 6}' WHERE entity_type = 'direct';
SELECT enrichment_status FROM kepler.records WHERE entity_type = 'direct';
UPDATE kepler.records SET data = '{"v": 7}', enrichment_status = 'FAILED' WHERE entity_type = 'direct';
SELECT enrichment_status FROM kepler.records WHERE entity_type = 'direct';
-- So it is where a tool sets updated_at itself.
UPDATE kepler.records SET data = '{"v": 8}', updated_at = clock_timestamp() WHERE entity_type = 'direct';
SELECT enrichment_status FROM kepler.records WHERE entity_type = 'direct';

-- The hash cannot be set, on its own or with the data.
UPDATE kepler.records SET content_hash = kepler.jsonb_hash('{}') WHERE entity_type = 'direct';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.records (entity_type, data, content_hash) VALUES ('direct', '{}', kepler.jsonb_hash('{"x": 1}'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Only legal status values.
UPDATE kepler.records SET status = 'DELETED' WHERE entity_type = 'direct';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.records SET enrichment_status = 'DONE' WHERE entity_type = 'direct';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.connections (name, reference_id, status) VALUES ('n', 'r', 'BROKEN');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
UPDATE kepler.records SET status = NULL WHERE entity_type = 'direct';
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Only objects as data, ids that are ids, and no secret where only its place belongs.
INSERT INTO kepler.records (entity_type, data) VALUES ('direct', '[1]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.records (entity_type, data) VALUES ('direct', NULL);
INSERT INTO kepler.records (entity_type, enrichment) VALUES ('direct', '"x"');
INSERT INTO kepler.records (entity_type, id) VALUES ('direct', '');
INSERT INTO kepler.records (entity_type, id) VALUES ('direct', repeat('x', 129));
INSERT INTO kepler.records (entity_type, external_id) VALUES ('direct', '');
INSERT INTO kepler.records (entity_type, external_id) VALUES ('direct', repeat('x', 2001));
INSERT INTO kepler.connections (name, reference_id, secret_ref) VALUES ('n', 'r', 'hunter2');
INSERT INTO kepler.connections (name, reference_id, metadata) VALUES ('n', 'r', '[]');
INSERT INTO kepler.entities (type, properties) VALUES ('t', '1');
INSERT INTO kepler.users (email, metadata) VALUES ('a@example.com', 'null');
\set VERBOSITY default

-- Nothing moves to another workspace, in any table that has one.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
UPDATE kepler.records SET workspace_id = 'other' WHERE entity_type = 'direct';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.records SET workspace_id = workspace_id WHERE entity_type = 'direct';
INSERT INTO kepler.users (email) VALUES ('a@example.com');
INSERT INTO kepler.connections (id, name, reference_id, created_at, updated_at) VALUES ('c', 'n', 'r', now(), now());
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'vault:x');
SELECT a.attrelid::regclass AS table_without_guard FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND a.attname = 'workspace_id'
    -- Nobody but the owner changes what the feed has dropped, the history, and whose a blueprint's tables are.
    AND c.relname NOT IN ('blueprints', 'feed_dropped', 'history_transactions', 'history_redactions')
    AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgfoid = 'kepler_internal.refuse_workspace_change'::regproc);

-- The other tables' updated_at moves as well, and stays where nothing changed or where it was set.
SELECT count(*) AS rows, count(*) FILTER (WHERE updated_at = created_at) AS untouched FROM kepler.connections WHERE id = 'c';
CREATE TEMP TABLE connection AS SELECT updated_at FROM kepler.connections WHERE id = 'c';
UPDATE kepler.connections SET name = 'n' WHERE id = 'c';
SELECT c.updated_at > b.updated_at AS moved FROM kepler.connections AS c, connection AS b WHERE id = 'c';
UPDATE kepler.connections SET name = 'm' WHERE id = 'c';
SELECT c.updated_at > b.updated_at AS moved FROM kepler.connections AS c, connection AS b WHERE id = 'c';
UPDATE kepler.connections SET name = 'l', updated_at = '2001-01-01' WHERE id = 'c';
SELECT extract(year FROM updated_at) AS year FROM kepler.connections WHERE id = 'c';
SELECT c.oid::regclass AS table_without_touch FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'r' AND a.attname = 'updated_at'
    AND NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND p.proname IN ('touch_updated_at', 'finish_record_change', 'change_workspace'));

-- Rows by hand get what they need by default.
INSERT INTO kepler.records (entity_type) VALUES ('by hand');
SELECT id ~ '^[a-z][a-z0-9]{23}$' AS cuid, workspace_id, entity_id, external_id, source, status, enrichment_status, data,
    content_hash = kepler.jsonb_hash('{}') AS hashed
FROM kepler.records WHERE entity_type = 'by hand';
-- COPY and views of another shape, too: an insert with a select, and a conflict on the key that records have.
INSERT INTO kepler.records (entity_type, entity_id, external_id, data)
SELECT 'direct', entity_id, 'a', '{"v": 9}' FROM kepler.records WHERE entity_type = 'direct'
ON CONFLICT (workspace_id, entity_id, external_id) DO UPDATE SET data = EXCLUDED.data;
SELECT data, content_hash = kepler.jsonb_hash(data) AS hash_in_step FROM kepler.records WHERE entity_type = 'direct';

-- An entity that has records keeps its type and source, which they carry too; one without may be renamed.
SELECT outcome FROM kepler.upsert_record('to rename', '1', '{}');
SAVEPOINT renamed;
UPDATE kepler.entities SET type = 'renamed' WHERE type = 'to rename';
ROLLBACK TO renamed;
UPDATE kepler.entities SET properties = '{"a": 1}', type = 'to rename' WHERE type = 'to rename';
DELETE FROM kepler.records WHERE entity_type = 'to rename';
UPDATE kepler.entities SET type = 'renamed' WHERE type = 'to rename';
ROLLBACK;
