-- A policy can limit how many records, and how many claims, workers get within 60 seconds: of a type, an entity or a source.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE FUNCTION pg_temp.when_next(kind text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN t.at <= clock_timestamp() THEN 'now' WHEN t.at BETWEEN clock_timestamp() + '50 s' AND clock_timestamp() + '62 s' THEN 'in a minute' ELSE t.at::text END
    FROM kepler.next_claim_at(kind) AS t (at)
$$;
-- As if what was claimed was claimed so long ago.
CREATE FUNCTION pg_temp.later(seconds integer) RETURNS void LANGUAGE sql AS $$
    UPDATE kepler.enrichment_limits AS l SET seconds = ARRAY(SELECT s - $1 FROM unnest(l.seconds) AS s)
$$;
SELECT * FROM kepler.set_enrichment_policy('lead', records_per_minute => 10);
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'lead' FROM generate_series(1, 60) AS i;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 4);
SELECT pg_temp.when_next('lead');
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 1);
SELECT pg_temp.when_next('lead');
-- What was released counts: the worker may have asked already.
SELECT count(*) FROM kepler.leases AS l, kepler.release_records(l.id) AS s;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 1);
-- What is rolled back does not.
SELECT pg_temp.later(62);
SAVEPOINT before;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
ROLLBACK TO before;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
-- A second counts until 60 seconds after its end.
SELECT pg_temp.later(58);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT pg_temp.later(4);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
-- A clock that was set back counts them as of now, and not for longer.
SELECT pg_temp.later(-3600);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT pg_temp.when_next('lead');
-- The limit is raised, lowered and taken away at once.
SELECT outcome FROM kepler.set_enrichment_policy('lead', records_per_minute => 12);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT outcome FROM kepler.set_enrichment_policy('lead', records_per_minute => 1);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 50);
SELECT outcome FROM kepler.set_enrichment_policy('lead', records_per_minute => 0);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 3);
SELECT pg_temp.when_next('lead');
-- Claims that get something.
SELECT outcome FROM kepler.set_enrichment_policy('lead', leases_per_minute => 2);
SELECT pg_temp.later(100);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 2);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 2);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 2);
-- A dropped policy takes its counts along, but for those of the last minute.
SELECT kepler.drop_enrichment_policy('lead');
SELECT outcome FROM kepler.set_enrichment_policy('lead', leases_per_minute => 2);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 2);
SELECT pg_temp.later(100);
SELECT kepler.drop_enrichment_policy('lead');
SELECT count(*) FROM kepler.enrichment_limits;
ROLLBACK;

-- By source: claims take turns between them, and one whose limit is used up does not keep the others from theirs.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead', records_per_minute => 3, limit_by => 'source');
SELECT count(*) FROM generate_series(1, 3) AS k, kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i))) FROM generate_series(1, 20) AS i), source => 's' || k);
SELECT source, count(*) FROM kepler.claim_records('lead', 'w', 6) GROUP BY 1 ORDER BY 1;
SELECT source, count(*) FROM kepler.claim_records('lead', 'w', 60) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 60);
SELECT kepler.next_claim_at('lead') > clock_timestamp() + interval '50 seconds' AS in_a_minute;
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {}}]', source => 's4');
SELECT kepler.next_claim_at('lead') <= clock_timestamp() AS now;
SELECT source, count(*) FROM kepler.claim_records('lead', 'w', 60) GROUP BY 1 ORDER BY 1;
-- A record that moves to another source counts there.
UPDATE kepler.records SET source = 's5' WHERE source = 's1' AND external_id::integer > 15;
SELECT fair_key, count(*) FROM kepler.enrichment_queue GROUP BY 1 ORDER BY 1;
SELECT source, count(*) FROM kepler.claim_records('lead', 'w', 60) GROUP BY 1 ORDER BY 1;
-- With a filter the limit holds too.
SELECT count(*) FROM kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i))) FROM generate_series(1, 20) AS i), source => 's6');
SELECT source, count(*), min((data->>'n')::integer) FROM kepler.claim_records('lead', 'w', 60, options => '{"filter": {"n": {"$gt": 10}}}') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 60, options => '{"filter": {"n": {"$gt": 10}}}');
-- What the queue does not know the key of learns it, and is not claimed without.
UPDATE kepler.enrichment_queue AS q SET fair_key = NULL FROM kepler.records AS r WHERE r.id = q.record_id AND r.source = 's2';
UPDATE kepler.enrichment_limits SET seconds = '{0}', records = '{0}', leases = '{0}';
SELECT pg_sleep(0.001) IS NULL AS slept;
SELECT max(n) AS most FROM (SELECT source, count(*) AS n FROM kepler.claim_records('lead', 'w', 60) GROUP BY 1) AS c;
-- By entity, from source: the queue is told again whose each row is.
SELECT outcome, remaining FROM kepler.set_enrichment_policy('lead', limit_by => 'entity');
SELECT count(*) AS wrong FROM kepler.enrichment_queue AS q JOIN kepler.records AS r ON r.id = q.record_id WHERE q.fair_key <> r.entity_id;
SELECT max(n) AS most FROM (SELECT entity_id, count(*) AS n FROM kepler.claim_records('lead', 'w', 60) GROUP BY 1) AS c;
-- What does not go together.
SELECT kepler.claim_records('lead', 'w', 1, options => '{"fair": false}');
SELECT outcome FROM kepler.set_enrichment_policy('lead', fair => true, limit_by => 'source');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.set_enrichment_policy('lead', fair => true);
SELECT outcome FROM kepler.set_enrichment_policy('lead', limit_by => 'source');
SELECT outcome FROM kepler.set_enrichment_policy('new', limit_by => 'connection');
SELECT outcome FROM kepler.set_enrichment_policy('new', records_per_minute => -1);
SELECT outcome FROM kepler.set_enrichment_policy('new', leases_per_minute => -1);
\set VERBOSITY terse
UPDATE kepler.enrichment_policies SET limit_by = 'source';
\set VERBOSITY default
ROLLBACK;

-- In another workspace the same type has limits of its own.
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('elsewhere', 'Elsewhere');
SELECT outcome FROM kepler.set_enrichment_policy('lead', records_per_minute => 1);
SELECT outcome FROM kepler.set_enrichment_policy('lead', records_per_minute => 2, workspace_id => 'elsewhere');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'lead' FROM generate_series(1, 5) AS i;
INSERT INTO kepler.records (id, entity_type, workspace_id) SELECT 'r' || i, 'lead', 'elsewhere' FROM generate_series(1, 5) AS i;
SELECT count(*) FROM kepler.claim_records('lead', 'w', 9);
SELECT count(*) FROM kepler.claim_records('lead', 'w', 9, workspace_id => 'elsewhere');
SELECT workspace_id, records FROM kepler.enrichment_limits ORDER BY 1;
ROLLBACK;
