-- A session answers for entities, policies and spaces from what it has read. What it has changed itself it knows at once; what
-- was rolled back it forgets; and what a role may not read, it does not learn. (isolation/remembered_rows: other sessions.)
\set VERBOSITY terse
CREATE FUNCTION pg_temp.put(at int) RETURNS text LANGUAGE sql AS $$
    SELECT outcome FROM kepler.upsert_record('known', 'a', jsonb_build_object('v', 1, 'at', at)) $$;
SELECT pg_temp.put(1), pg_temp.put(2);

-- Its own change counts with the next call, and goes with the savepoint, or with the transaction.
BEGIN;
SAVEPOINT before;
SELECT kepler.set_entity_options('known', '{"ignored_paths": ["/at"]}') IS NOT NULL AS set;
SELECT pg_temp.put(3);
ROLLBACK TO before;
SELECT pg_temp.put(4);
UPDATE kepler.entities SET ignored_paths = '{/at}' WHERE type = 'known';
SELECT pg_temp.put(5);
ROLLBACK;
SELECT pg_temp.put(6);

-- An entity that was made and rolled back is made again.
BEGIN;
SELECT outcome FROM kepler.upsert_record('known too', 'a', '{}');
SELECT outcome FROM kepler.upsert_record('known too', 'a', '{}');
ROLLBACK;
SELECT outcome FROM kepler.upsert_record('known too', 'a', '{}');
SELECT count(*) AS with_entity FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id WHERE r.entity_type = 'known too';

-- Its options are set, and not lost, where it was rolled back after it was known.
BEGIN;
SELECT outcome FROM kepler.upsert_record('known late', 'a', '{}');
SELECT outcome FROM kepler.upsert_record('known late', 'a', '{}');
ROLLBACK;
SELECT kepler.set_entity_options('known late', '{"ignored_paths": ["/x"]}') IS NOT NULL AS set;
SELECT e.ignored_paths FROM kepler.entities AS e WHERE e.type = 'known late';

-- A column that only a trigger of the user's changes, and no statement names.
BEGIN;
SELECT pg_temp.put(60);
CREATE FUNCTION pg_temp.of_properties() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ignored_paths := ARRAY[NEW.properties ->> 'skip'];
    RETURN NEW;
END $$;
CREATE TRIGGER of_properties BEFORE UPDATE ON kepler.entities FOR EACH ROW EXECUTE FUNCTION pg_temp.of_properties();
UPDATE kepler.entities SET properties = '{"skip": "/at"}' WHERE type = 'known';
SELECT pg_temp.put(61);
ROLLBACK;

-- Where somebody has disabled the triggers that tell of changes, or a restore of data has enabled them for originals
-- alone, nothing is known.
BEGIN;
ALTER TABLE kepler.entities DISABLE TRIGGER ALL;
ALTER TABLE kepler.entities ENABLE TRIGGER ALL;
SELECT pg_temp.put(62);
SET LOCAL session_replication_role = replica;
UPDATE kepler.entities SET ignored_paths = '{/at}' WHERE type = 'known';
SELECT pg_temp.put(63);
ROLLBACK;

-- A change that a trigger of the user's makes in the middle of a statement.
BEGIN;
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'in the trigger: %', pg_temp.put(7);
    RETURN NULL;
END $$;
CREATE TRIGGER b_meddle AFTER UPDATE ON kepler.entities FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
UPDATE kepler.entities SET ignored_paths = '{/at}' WHERE type = 'known';
SELECT pg_temp.put(8);
ROLLBACK;

-- Truncated twice in a transaction: the second time Postgres itself tells nobody.
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE kepler.records, kepler.entities CASCADE;
SELECT pg_temp.put(1), pg_temp.put(1);
TRUNCATE kepler.records, kepler.entities CASCADE;
SELECT pg_temp.put(1), (SELECT count(*) FROM kepler.entities) AS entities_before;
SELECT count(*) AS entities FROM kepler.entities;
ROLLBACK;

-- The policy as it is at each call.
SELECT kepler.set_enrichment_policy('known', max_attempts => 1) IS NOT NULL AS made;
SELECT lease_id AS lease, record_id FROM kepler.claim_records('known', 'w') \gset
BEGIN;
UPDATE kepler.enrichment_policies SET max_attempts = 5 WHERE entity_type = 'known';
SELECT outcome FROM kepler.fail_records(:lease, ARRAY[:'record_id'], 'x');
ROLLBACK;
SELECT outcome FROM kepler.fail_records(:lease, ARRAY[:'record_id'], 'x');
SELECT kepler.drop_enrichment_policy('known') IS NOT NULL AS dropped;
SELECT * FROM kepler.claim_records('known', 'w');

-- A role that may not read entities, or from which a policy hides them, is told so as before.
CREATE ROLE remembered_writer;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO remembered_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO remembered_writer;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA kepler TO remembered_writer;
GRANT DELETE ON kepler.enrichment_failures TO remembered_writer;
SET ROLE remembered_writer;
SELECT outcome FROM kepler.upsert_record('known', 'a', '{}');
RESET ROLE;
REVOKE SELECT ON kepler.entities FROM remembered_writer;
SET ROLE remembered_writer;
SELECT outcome FROM kepler.upsert_record('known', 'a', '{}');
RESET ROLE;
GRANT SELECT ON kepler.entities TO remembered_writer;
CREATE POLICY others ON kepler.entities AS RESTRICTIVE USING (type <> 'known');
SET ROLE remembered_writer;
SELECT outcome FROM kepler.upsert_record('known', 'a', '{}');
RESET ROLE;
SELECT outcome FROM kepler.upsert_record('known', 'a', '{}');

-- Nothing stays behind.
DROP POLICY others ON kepler.entities;
DROP OWNED BY remembered_writer;
DROP ROLE remembered_writer;
DELETE FROM kepler.records WHERE entity_type LIKE 'known%';
DELETE FROM kepler.entities WHERE type LIKE 'known%';
