-- A large import does not hold up everybody else: with a fair policy claims take turns between entities.
\set SHOW_CONTEXT never
BEGIN;
CREATE FUNCTION pg_temp.load(source text, count int) RETURNS text LANGUAGE sql AS $$
    SELECT kepler.upsert_records_summary('mail', (SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object())) FROM generate_series(1, count) AS i)::text, source => source)->>'inserted'
$$;
SELECT kepler.set_enrichment_policy('mail');
SELECT pg_temp.load('big', 50), pg_temp.load('small', 3), pg_temp.load('tiny', 1);
SELECT count(*) AS without_entity FROM kepler.records WHERE entity_id IS NULL;
CREATE FUNCTION pg_temp.claim(count int, options jsonb DEFAULT NULL) RETURNS TABLE (source text, claimed bigint) LANGUAGE sql AS $$
    SELECT r.source, count(*) FROM kepler.claim_records('mail', 'w', count, options => options) AS c JOIN kepler.records AS r ON r.id = c.record_id GROUP BY 1 ORDER BY 1
$$;
SELECT * FROM pg_temp.claim(3);
SELECT * FROM pg_temp.claim(3, '{"fair": true}');
ROLLBACK;
BEGIN;
CREATE FUNCTION pg_temp.load(source text, count int) RETURNS text LANGUAGE sql AS $$
    SELECT kepler.upsert_records_summary('mail', (SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object())) FROM generate_series(1, count) AS i)::text, source => source)->>'inserted'
$$;
CREATE FUNCTION pg_temp.claim(count int, options jsonb DEFAULT NULL) RETURNS TABLE (source text, claimed bigint) LANGUAGE sql AS $$
    SELECT r.source, count(*) FROM kepler.claim_records('mail', 'w', count, options => options) AS c JOIN kepler.records AS r ON r.id = c.record_id GROUP BY 1 ORDER BY 1
$$;
SELECT kepler.set_enrichment_policy('mail');
SELECT pg_temp.load('big', 50), pg_temp.load('small', 3);
-- What is queued already takes turns too.
SELECT kepler.set_enrichment_policy('mail', fair => true);
SELECT pg_temp.load('tiny', 1);
INSERT INTO kepler.records (entity_type) VALUES ('mail');
SELECT * FROM pg_temp.claim(3, '{"fair": false}');
SELECT * FROM pg_temp.claim(4);
-- Where some have too little, the others fill the rest.
SELECT * FROM pg_temp.claim(10);
SELECT sum(claimed) FROM pg_temp.claim(100);
SELECT count(*) FROM pg_temp.claim(100);
ROLLBACK;
