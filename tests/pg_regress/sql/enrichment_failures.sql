-- enrichment_failures has a row for each record that is FAILED, active and not deleted, and no other, whoever changes the
-- record and however.
\set SHOW_CONTEXT never
BEGIN;
CREATE TEMP VIEW untrue AS
SELECT coalesce(r.id, f.record_id) AS record_id, r.id IS NOT NULL AS failed, f.record_id IS NOT NULL AS listed
FROM (SELECT * FROM kepler.records WHERE enrichment_status = 'FAILED' AND status = 'ACTIVE' AND deleted_at IS NULL) AS r
FULL JOIN kepler.enrichment_failures AS f
    ON f.workspace_id = r.workspace_id AND f.record_id = r.id AND f.entity_type = r.entity_type
WHERE r.id IS NULL OR f.record_id IS NULL;
CREATE TEMP VIEW listed AS
SELECT string_agg(r.external_id, ' ' ORDER BY r.external_id) AS listed, (SELECT count(*) FROM pg_temp.untrue) AS untrue
FROM kepler.enrichment_failures AS f JOIN kepler.records AS r ON r.id = f.record_id;
CREATE FUNCTION pg_temp.id(VARIADIC names text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(r.id ORDER BY r.external_id) FROM kepler.records AS r WHERE r.external_id = ANY (names) $$;
-- Fails those of the type that are ready.
CREATE FUNCTION pg_temp.fail() RETURNS TABLE (outcome text, records bigint) LANGUAGE sql AS $$
    SELECT f.outcome, count(*)
    FROM (SELECT c.lease_id, array_agg(c.record_id) AS ids FROM kepler.claim_records('note', 'w', 99) AS c GROUP BY 1) AS c
    CROSS JOIN LATERAL kepler.fail_records(c.lease_id, c.ids, 'no', retryable => false) AS f GROUP BY 1 $$;
SELECT outcome FROM kepler.set_enrichment_policy('note', max_attempts => 1);
SELECT count(*) FROM kepler.upsert_records('note', (
    SELECT jsonb_agg(jsonb_build_object('external_id', chr(96 + i), 'data', jsonb_build_object('n', i))) FROM generate_series(1, 12) AS i));
-- A worker says so.
SELECT * FROM pg_temp.fail();
TABLE pg_temp.listed;
-- New content, the same content, and a deletion by the source; and the return of what was deleted, as it was.
SELECT outcome FROM kepler.upsert_records('note', '[{"external_id": "a", "data": {"n": 0}}, {"external_id": "b", "data": {"n": 2}}, {"external_id": "c", "deleted": true}]');
TABLE pg_temp.listed;
SELECT outcome FROM kepler.upsert_records('note', '[{"external_id": "c", "data": {"n": 3}}]');
TABLE pg_temp.listed;
-- Deleted, archived and restored by id: a record is listed while it is alive.
SELECT outcome FROM kepler.delete_records(pg_temp.id('d'));
SELECT outcome FROM kepler.archive_records(pg_temp.id('e', 'f'));
TABLE pg_temp.listed;
SELECT outcome FROM kepler.restore_records(pg_temp.id('d', 'e'));
TABLE pg_temp.listed;
-- Requeued by id and by type, with a filter.
SELECT outcome FROM kepler.requeue_records(pg_temp.id('d'));
SELECT count(*) FROM kepler.requeue_records(entity_type => 'note', filter => '{"n": {"$lt": 6}}') WHERE outcome = 'requeued';
TABLE pg_temp.listed;
-- The oldest first.
UPDATE kepler.enrichment_failures SET failed_at = '2001-01-01' WHERE record_id = ANY (pg_temp.id('k'));
SELECT record_id = ANY (pg_temp.id('k')) AS k, outcome FROM kepler.requeue_records(entity_type => 'note', max_rows => 1);
-- A lease ends for the last time.
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'lost', 99);
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01';
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'w');
TABLE pg_temp.listed;
-- Direct SQL: another content, another status, another type, another state, gone, and FAILED from the start.
UPDATE kepler.records SET data = '{"n": -1}' WHERE external_id = 'a';
UPDATE kepler.records SET enrichment_status = 'UNAPPLIED' WHERE external_id = 'b';
UPDATE kepler.records SET entity_type = 'other' WHERE external_id = 'c';
UPDATE kepler.records SET status = 'ARCHIVED' WHERE external_id = 'd';
UPDATE kepler.records SET deleted_at = now() WHERE external_id = 'e';
DELETE FROM kepler.records WHERE external_id = 'g';
INSERT INTO kepler.records (id, external_id, entity_type, enrichment_status) VALUES ('x', 'x', 'note', 'FAILED');
TABLE pg_temp.listed;
UPDATE kepler.records SET status = 'ACTIVE', deleted_at = NULL WHERE external_id IN ('d', 'e', 'f');
TABLE pg_temp.listed;
SELECT entity_type FROM kepler.enrichment_failures WHERE record_id = ANY (pg_temp.id('c'));
-- What is listed stays so under direct SQL, as long as it is FAILED.
SAVEPOINT before;
DELETE FROM kepler.enrichment_failures WHERE record_id = 'x';
ROLLBACK TO before;
UPDATE kepler.enrichment_failures SET entity_type = 'other' WHERE record_id = 'x';
ROLLBACK TO before;
TRUNCATE kepler.enrichment_failures;
ROLLBACK TO before;
-- What direct SQL adds is neither shown nor requeued, and can be taken away again.
INSERT INTO kepler.enrichment_failures (record_id, entity_type) SELECT unnest(pg_temp.id('a', 'b')), 'note';
SELECT count(*) AS shown FROM kepler.failed_enrichments WHERE external_id IN ('a', 'b');
SELECT count(*) AS requeued FROM kepler.requeue_records(entity_type => 'note') WHERE record_id = ANY (pg_temp.id('a', 'b')) AND outcome = 'requeued';
DELETE FROM kepler.enrichment_failures WHERE record_id = ANY (pg_temp.id('a', 'b'));
TABLE pg_temp.listed;
-- The policy goes, and the failures stay until somebody decides.
SELECT * FROM pg_temp.fail();
SELECT kepler.drop_enrichment_policy('note');
TABLE pg_temp.listed;
TRUNCATE kepler.records CASCADE;
TABLE pg_temp.listed;
ROLLBACK;
