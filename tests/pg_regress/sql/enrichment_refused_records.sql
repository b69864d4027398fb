-- One record that cannot be written does not keep others from being claimed, taken back or requeued. It waits, longer
-- each time, and the list of failures says why.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', backoff_base => '1 minute');
INSERT INTO kepler.records (id, entity_type, data) SELECT 'r' || i, 'note', jsonb_build_object('i', i) FROM generate_series(1, 9) AS i;
UPDATE kepler.enrichment_queue SET ready_at = '2000-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 second';
CREATE VIEW pg_temp.state AS
SELECT r.id, r.enrichment_status, q.refusals, q.ready_at > clock_timestamp() + '20 s' AS waits, q.error
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;

-- A rule that came later than the rows: the two oldest break it.
ALTER TABLE kepler.records ADD CONSTRAINT positive CHECK ((data->>'i')::int > 2) NOT VALID;
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 1);
-- A trigger of the user's has other rules, and says so as it likes, and a unique index lets one be PENDING at a time.
CREATE FUNCTION pg_temp.no_fours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.data->>'i' = '4' THEN RAISE EXCEPTION 'no fours' USING ERRCODE = 'object_not_in_prerequisite_state'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER no_fours BEFORE UPDATE ON kepler.records FOR EACH ROW EXECUTE FUNCTION pg_temp.no_fours();
CREATE UNIQUE INDEX one_at_a_time ON kepler.records ((CASE WHEN data->>'i' > '4' THEN 1 END)) WHERE enrichment_status = 'PENDING';
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'w', 9);
SELECT id, enrichment_status, refusals, waits, substr(error, 8) AS error FROM pg_temp.state WHERE id < 'r5';
SELECT count(*) FILTER (WHERE enrichment_status = 'PENDING') AS pending, count(*) FILTER (WHERE error LIKE '23505: %') AS not_unique
FROM pg_temp.state WHERE id >= 'r5';
DROP INDEX kepler.one_at_a_time;
-- They are on the list of what needs a person, and a poller is not told to come at once.
SELECT record_id, entity_type, enrichment_status, attempt, error FROM kepler.failed_enrichments WHERE record_id < 'r4' ORDER BY 1;
SELECT kepler.next_claim_at('note') > clock_timestamp() + '20 s' AS later;
-- Refused again, it waits longer.
UPDATE kepler.enrichment_queue SET ready_at = '2000-01-01' WHERE record_id IN ('r1', 'r4');
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'w', 1);
SELECT id, refusals, ready_at > clock_timestamp() + '50 s' AS waits_longer FROM kepler.records JOIN kepler.enrichment_queue ON record_id = id WHERE refusals > 1 ORDER BY 1;
-- New content is tried at once, and what is claimed has no error any more.
UPDATE kepler.records SET data = '{"i": 11}' WHERE id = 'r1';
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;
SELECT count(*) AS refused FROM kepler.failed_enrichments WHERE record_id = 'r1';
ROLLBACK;

-- A worker is lost with five records, of which two cannot be written: the others are taken back.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', backoff_base => '0', max_attempts => 2);
INSERT INTO kepler.records (id, entity_type, data) SELECT 'r' || i, 'note', jsonb_build_object('i', i) FROM generate_series(1, 5) AS i;
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'lost', 5);
ALTER TABLE kepler.records ADD CONSTRAINT odd CHECK ((data->>'i')::int % 2 = 1) NOT VALID;
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01';
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;
SELECT r.id, r.enrichment_status, l.worker FROM kepler.records AS r JOIN kepler.leases AS l ON l.id = r.enrichment_lease_id ORDER BY 1;
SELECT record_id, enrichment_status, attempt, error, ended_at < now() AS ended FROM kepler.failed_enrichments ORDER BY 1;
-- Nobody looks at them each second, and no poller is told to.
SELECT deadline > clock_timestamp() + '59 minutes' AS postponed, error FROM kepler.leases WHERE worker = 'lost';
SELECT kepler.next_claim_at('note') > clock_timestamp() AS later;
-- The rule is gone: they are taken back when their time comes.
ALTER TABLE kepler.records DROP CONSTRAINT odd;
UPDATE kepler.leases SET deadline = '2001-01-01' WHERE worker = 'lost';
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;
SELECT count(*) AS lost FROM kepler.leases WHERE worker = 'lost';
TABLE kepler.failed_enrichments;

-- Requeued are all that can be; the others are told, and the place of each is taken by another.
UPDATE kepler.records SET enrichment_status = 'FAILED', updated_at = '2001-01-01'::timestamptz + substr(id, 2)::integer * interval '1 day';
ALTER TABLE kepler.records ADD CONSTRAINT odd CHECK ((data->>'i')::int % 2 = 1) NOT VALID;
SELECT * FROM kepler.requeue_records(ARRAY['r1', 'r2', 'r2', 'r0']);
SELECT * FROM kepler.requeue_records(entity_type => 'note', max_rows => 1);
SELECT record_id FROM kepler.enrichment_queue ORDER BY 1;
ROLLBACK;

-- What is refused whatever the record is no fault of the records: the call fails with it, and nothing waits for that.
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note');
INSERT INTO kepler.records (id, entity_type) VALUES ('a', 'note'), ('b', 'note');
SELECT min(lease_id) AS lease FROM kepler.claim_records('note', 'w') \gset
CREATE ROLE kepler_regress_reader;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_regress_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_regress_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA kepler, kepler_internal TO kepler_regress_reader;
GRANT INSERT, UPDATE, DELETE ON kepler.enrichment_queue, kepler.leases, kepler.lease_records TO kepler_regress_reader;
SET LOCAL ROLE kepler_regress_reader;
SELECT * FROM kepler.claim_records('note', 'w', 9);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.complete_records(:lease, ARRAY['a', 'b']);
RESET ROLE;
GRANT UPDATE ON kepler.records TO kepler_regress_reader;
SET LOCAL ROLE kepler_regress_reader;
SELECT * FROM kepler.complete_records(:lease, ARRAY['a', 'b']);
RESET ROLE;
CREATE FUNCTION pg_temp.frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no changes today'; END $$;
CREATE TRIGGER frozen BEFORE UPDATE ON kepler.records FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.frozen();
SELECT * FROM kepler.claim_records('note', 'w', 9);
SELECT record_id, refusals FROM kepler.enrichment_queue;
ROLLBACK;
