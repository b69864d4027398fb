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

-- The turn does not depend on who claims: with a connection for each claim eight sources are served, and not the
-- first of them eight times. Sources whose records wait for another attempt do not use up turns.
SELECT * FROM kepler.set_enrichment_policy('turn', fair => true);
INSERT INTO kepler.entities (id, type, source) SELECT 'turn ' || i, 'turn', 'source ' || i FROM generate_series(1, 9) AS i;
INSERT INTO kepler.records (entity_type, entity_id, source) SELECT 'turn', 'turn 1', 'source 1' FROM generate_series(1, 40);
INSERT INTO kepler.records (entity_type, entity_id, source) SELECT 'turn', 'turn ' || i, 'source ' || i FROM generate_series(2, 9) AS i, generate_series(1, 3);
UPDATE kepler.enrichment_queue SET ready_at = 'infinity' WHERE fair_key = 'turn 5';
CREATE FUNCTION public.claim_turn(max_rows integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(r.source, ', ' ORDER BY r.source) FROM kepler.claim_records('turn', 'w', max_rows) AS c JOIN kepler.records AS r ON r.id = c.record_id
$$;
SELECT public.claim_turn();
\c
SELECT public.claim_turn();
\c
SELECT public.claim_turn();
-- A claim that is rolled back takes nobody's turn.
\c
BEGIN; SELECT public.claim_turn(); ROLLBACK;
\c
SELECT public.claim_turn();
-- Ten for eight that are ready: two have two, and the next claim goes on behind them.
\c
SELECT public.claim_turn(10);
\c
SELECT public.claim_turn(6);
-- Behind more than a thousand sources that all wait somebody is ready, and has a turn a few claims later.
INSERT INTO kepler.entities (id, type, source) SELECT 'wait ' || i, 'turn', 'waiting ' || i FROM generate_series(1000, 2200) AS i;
INSERT INTO kepler.records (entity_type, entity_id, source) SELECT 'turn', 'wait ' || i, 'waiting ' || i FROM generate_series(1000, 2200) AS i;
UPDATE kepler.enrichment_queue SET ready_at = 'infinity' WHERE fair_key LIKE 'wait %' AND fair_key <> 'wait 2200';
SELECT string_agg(public.claim_turn(), ', ') FROM generate_series(1, 13);
-- Little is left of the turns that are over.
SELECT count(*) <= 2 AS tidy FROM kepler.enrichment_turns;
-- All wait for ever: that is said.
UPDATE kepler.enrichment_queue SET ready_at = 'infinity' WHERE entity_type = 'turn';
SELECT public.claim_turn(), (SELECT min(lease_until) FROM kepler.leases) > now() AS leased;
DELETE FROM kepler.leases WHERE entity_type = 'turn';
UPDATE kepler.enrichment_queue SET ready_at = 'infinity' WHERE entity_type = 'turn';
SELECT kepler.next_claim_at('turn');
SELECT kepler.drop_enrichment_policy('turn');
SELECT count(*) AS turns FROM kepler.enrichment_turns;
DROP FUNCTION public.claim_turn;
DELETE FROM kepler.records WHERE entity_type = 'turn';
DELETE FROM kepler.entities WHERE type = 'turn';
DELETE FROM kepler.enrichment_attempts;
