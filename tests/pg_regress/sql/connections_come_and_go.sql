-- A connection is deleted, and what becomes of its records is chosen: kept ones reach no worker, and a connection that takes
-- its place adopts them instead of doubling them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TEMP VIEW state AS
SELECT r.external_id, r.data->'n' AS n, e.connection_id AS connection, r.status, r.deleted_at IS NOT NULL AS deleted, r.enrichment_status AS enriched,
    q.record_id IS NOT NULL AS queued, d.was_active
FROM kepler.records AS r LEFT JOIN kepler.entities AS e ON e.id = r.entity_id
LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id LEFT JOIN kepler.detached_records AS d ON d.record_id = r.id ORDER BY 1, 2;
CREATE FUNCTION pg_temp.put(connection text, ids text[], n integer) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT u.outcome FROM kepler.upsert_records('contact', (
        SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', n))) FROM unnest(ids) AS i),
        source => 'crm', connection_id => connection) AS u $$;
SELECT outcome FROM kepler.set_enrichment_policy('contact', max_attempts => 1);
INSERT INTO kepler.connections (id, name, reference_id, status) VALUES ('old', 'crm', 'acme', 'PENDING'), ('other', 'mail', 'acme', 'ERROR');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('old', 'OAUTH2', 'vault:x');
UPDATE kepler.connections SET status = 'ACTIVE';
SELECT count(*) FROM pg_temp.put('old', '{a,b,c,d,e,f}', 1);
SELECT count(*) FROM pg_temp.put('other', '{a}', 2);

-- One is applied, one FAILED, one with a worker, one archived, one deleted.
SELECT min(lease_id) AS lease, array_agg(c.record_id ORDER BY r.external_id) AS ids
FROM kepler.claim_records('contact', 'w', 4) AS c JOIN kepler.records AS r ON r.id = c.record_id WHERE r.external_id IN ('a', 'b', 'c', 'd') \gset
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[(:'ids'::text[])[1]]);
SELECT outcome FROM kepler.fail_records(:lease, ARRAY[(:'ids'::text[])[2]], 'no');
SELECT outcome FROM kepler.archive_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = 'd'));
SELECT outcome FROM kepler.delete_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = 'e'));
TABLE state;

-- In steps: not to be used from the first one on, and gone with the last.
SELECT * FROM kepler.delete_connection('old', 'keep', max_rows => 4);
SELECT id, status FROM kepler.connections ORDER BY 1;
SELECT * FROM kepler.delete_connection('old', 'keep', max_rows => 4);
SELECT * FROM kepler.delete_connection('old', 'keep');
SELECT (SELECT count(*) FROM kepler.entities WHERE connection_id = 'old') AS entities, (SELECT count(*) FROM kepler.credentials) AS credentials;
TABLE state;
-- The worker is late, and nothing is there to be claimed but what the other connection has.
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[(:'ids'::text[])[3]]);
SELECT count(*) AS claimed FROM kepler.claim_records('contact', 'w', 10);
SELECT count(*) AS failed FROM kepler.failed_enrichments;

-- The account comes back, and has synced a record already.
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('new', 'crm', 'acme');
SELECT * FROM pg_temp.put('new', '{f}', 3);
SELECT ordinal, external_id, outcome, error FROM kepler.adopt_records('new', max_rows => 2);
SELECT external_id, outcome FROM kepler.adopt_records('new') ORDER BY external_id;
SELECT * FROM kepler.adopt_records('new');
TABLE state;
-- The next sync finds them, and changes what has changed.
SELECT * FROM pg_temp.put('new', '{a,b}', 1);
SELECT * FROM pg_temp.put('new', '{c}', 4);

-- The records can be deleted instead, and the names can be others. Nobody adopts what was not kept.
SELECT * FROM kepler.delete_connection('new', 'delete');
SELECT status, count(*), count(deleted_at) AS deleted, count(entity_id) AS with_entity FROM kepler.records WHERE source = 'crm' GROUP BY 1 ORDER BY 1;
SELECT * FROM kepler.delete_connection('other', 'keep');
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('renamed', 'post', 'acme ltd');
SELECT * FROM kepler.adopt_records('renamed');
SELECT external_id, outcome FROM kepler.adopt_records('renamed', 'acme', 'crm');
SELECT external_id, outcome FROM kepler.adopt_records('renamed', reference_id => 'acme', connection_name => 'mail');
-- What was deleted for good, or got another entity, is told of; of two with one external id the newer is adopted.
SELECT * FROM kepler.delete_connection('renamed', 'keep');
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('again', 'post', 'acme ltd');
SELECT count(*) FROM pg_temp.put('again', '{a,g,h}', 5);
SELECT * FROM kepler.delete_connection('again', 'keep');
DELETE FROM kepler.records WHERE external_id = 'g';
INSERT INTO kepler.entities (id, type, source) VALUES ('by hand', 'contact', 'crm');
UPDATE kepler.records SET entity_id = 'by hand' WHERE external_id = 'h';
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('last', 'post', 'acme ltd');
SELECT external_id, outcome FROM kepler.adopt_records('last') ORDER BY 1, 2;
SELECT external_id, n, connection, status FROM state WHERE external_id IN ('a', 'h') AND NOT deleted;
SELECT count(*) AS left FROM kepler.detached_records;

-- Direct SQL keeps the records, without an entity and as they are.
DELETE FROM kepler.connections WHERE id = 'last';
SELECT external_id, n, connection, status FROM state WHERE external_id IN ('a', 'h') AND NOT deleted;

-- Arguments.
SELECT * FROM kepler.delete_connection('last', 'forget');
SELECT * FROM kepler.delete_connection(NULL, 'keep');
SELECT * FROM kepler.delete_connection('last', 'keep', 0);
SELECT * FROM kepler.adopt_records('nobody');
SELECT * FROM kepler.adopt_records('nobody', max_rows => 10001);
-- A trigger that keeps a record keeps its connection.
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('kept', 'kept', 'kept');
SELECT * FROM pg_temp.put('kept', '{z}', 1);
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON kepler.records FOR EACH ROW WHEN (OLD.external_id = 'z') EXECUTE FUNCTION pg_temp.keep();
SELECT * FROM kepler.delete_connection('kept', 'delete');
SELECT count(*) AS connections FROM kepler.connections WHERE id = 'kept';
ROLLBACK;
