-- A claim takes back about as many records as it wants, twenty at least, and not all that has expired: it takes no longer
-- the more there are. What is left is taken back by the next claims, without a pause.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.put(first integer, last integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM kepler.upsert_records('lost', (
        SELECT json_agg(json_build_object('external_id', to_char(i, 'FM0000'), 'data', json_build_object('i', i)))::text
        FROM generate_series(first, last) AS i))
$$;
-- Those that are back wait a day for their next attempt.
CREATE VIEW pg_temp.state AS
    SELECT (SELECT count(*) FROM kepler.enrichment_attempts WHERE outcome = 'expired') AS back,
        (SELECT looked_through FROM kepler.leases WHERE worker = 'gone') AS looked_through,
        (SELECT open_records FROM kepler.leases WHERE worker = 'gone') AS open_records;
CREATE FUNCTION pg_temp.expire() RETURNS void LANGUAGE sql AS $$
    UPDATE kepler.leases SET deadline = created_at, lease_until = created_at
$$;
BEGIN;
SELECT kepler.set_enrichment_policy('lost', backoff_base => '1 day', backoff_cap => '1 day');
SELECT pg_temp.put(1, 300);
SELECT count(*) FROM kepler.claim_records('lost', 'gone', 300);
SELECT pg_temp.expire();
-- A claim that finds less than it wants may look twice.
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT back IN (20, 40) AS some, looked_through = back AS looked_through, open_records = 300 - back AS open_records FROM pg_temp.state;
-- Where there is work, once.
SELECT pg_temp.put(1001, 1300);
SELECT back, looked_through, open_records FROM pg_temp.state \gset
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT back - :back AS back, looked_through - :looked_through AS looked_through, open_records - :open_records AS open_records FROM pg_temp.state;
SELECT back, looked_through, open_records FROM pg_temp.state \gset
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w', 50);
SELECT back - :back AS back, looked_through - :looked_through AS looked_through, open_records - :open_records AS open_records FROM pg_temp.state;
SELECT back, looked_through, open_records FROM pg_temp.state \gset
-- What has ended another way is passed over.
UPDATE kepler.records SET enrichment_status = 'APPLIED' WHERE id = ANY (ARRAY(
    SELECT unnest(m.record_ids[:looked_through + 11 : :looked_through + 70])
    FROM kepler.leases AS l JOIN kepler.lease_records AS m ON m.lease_id = l.id WHERE l.worker = 'gone'));
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w', 50);
SELECT back - :back AS back, looked_through - :looked_through AS looked_through, open_records - :open_records AS open_records FROM pg_temp.state;
-- All that is left.
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w', 150);
SELECT * FROM pg_temp.state;
ROLLBACK;

-- Many leases of one record.
BEGIN;
SELECT kepler.set_enrichment_policy('lost', backoff_base => '1 day', backoff_cap => '1 day');
SELECT pg_temp.put(1, 70);
SELECT count(*) FROM generate_series(1, 70) AS i CROSS JOIN LATERAL kepler.claim_records('lost', 'gone ' || i) AS c;
SELECT pg_temp.expire();
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT count(*) IN (30, 50) AS left FROM kepler.leases;
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT count(*) AS left FROM kepler.leases;
SELECT count(*) AS back FROM kepler.enrichment_attempts WHERE outcome = 'expired';
ROLLBACK;

-- A lease with a record that the database does not let go is put off, but not before all others that it holds are back.
BEGIN;
SELECT kepler.set_enrichment_policy('lost', backoff_base => '1 day', backoff_cap => '1 day');
SELECT pg_temp.put(1, 99);
SELECT count(*) FROM kepler.claim_records('lost', 'gone', 99);
SELECT pg_temp.expire();
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'kept' USING ERRCODE = '23514'; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON kepler.records FOR EACH ROW WHEN (OLD.external_id = '0007') EXECUTE FUNCTION pg_temp.keep();
\set VERBOSITY terse
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w', 90);
\set VERBOSITY default
SELECT s.*, l.error, l.deadline > clock_timestamp() AS put_off FROM pg_temp.state AS s, kepler.leases AS l;
-- And later it is let go.
DROP TRIGGER keep ON kepler.records;
SELECT pg_temp.expire();
SELECT count(*) AS claimed FROM kepler.claim_records('lost', 'w');
SELECT * FROM pg_temp.state;
ROLLBACK;
