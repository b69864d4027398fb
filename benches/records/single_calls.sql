-- What single calls cost: CPU time of the backend, which other load on the machine does not change much. As a superuser on
-- Linux, in a database where Kepler is installed: psql -f benches/records/single_calls.sql. Nothing stays behind.
\set QUIET on
\pset footer off
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE cost (call text, microseconds numeric, wal_bytes numeric) ON COMMIT DROP;
CREATE FUNCTION pg_temp.cpu() RETURNS float8 LANGUAGE sql VOLATILE AS $$
    SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1000 $$;
CREATE PROCEDURE pg_temp.measure(call text, statement text, calls integer) LANGUAGE plpgsql AS $$
DECLARE
    cpu float8; wal pg_lsn;
BEGIN
    wal := pg_current_wal_insert_lsn(); cpu := pg_temp.cpu();
    EXECUTE format('DO $x$ DECLARE i int; r record; BEGIN FOR i IN 1..%s LOOP %s; END LOOP; END $x$', calls, statement);
    INSERT INTO cost VALUES (call, (pg_temp.cpu() - cpu) / calls, (pg_current_wal_insert_lsn() - wal) / calls);
END $$;
SELECT FROM kepler.upsert_records('single', (
    SELECT json_agg(json_build_object('external_id', 'x' || i, 'data', json_build_object('v', i, 'text', repeat('lorem ', 20))))::text
    FROM generate_series(1, 20000) AS i));
CALL pg_temp.measure('warm', $$PERFORM kepler.upsert_record('single', 'x' || i % 1000, '{"a": 1}')$$, 1000);
DELETE FROM cost;
CALL pg_temp.measure('upsert_record, unchanged', $$PERFORM kepler.upsert_record('single', 'x' || i % 1000, '{"a": 1}')$$, 5000);
CALL pg_temp.measure('upsert_record, changed', $$PERFORM kepler.upsert_record('single', 'x' || 1000 + i, '{"a": 1}')$$, 2000);
CALL pg_temp.measure('upsert_record, new', $$PERFORM kepler.upsert_record('single', 'n' || i, '{"a": 1}')$$, 2000);
SELECT FROM kepler.set_enrichment_policy('single work');
SELECT FROM kepler.upsert_records('single work', (
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('v', i)))::text FROM generate_series(1, 2000) AS i));
CALL pg_temp.measure('claim_records and complete_records of one', $$
    SELECT min(lease_id) AS lease, array_agg(record_id) AS ids INTO r FROM kepler.claim_records('single work', 'w', 1);
    PERFORM FROM kepler.complete_records(r.lease, r.ids, ARRAY['{"a": 1}']::jsonb[])$$, 500);
SELECT call, round(microseconds, 1) AS microseconds, round(wal_bytes) AS wal_bytes FROM cost;
ROLLBACK;
