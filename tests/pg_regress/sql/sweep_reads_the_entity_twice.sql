-- A sweep reads the records of its entity to count them and to find what is missing. What it does with the missing ones depends
-- on their number alone.
BEGIN;
CREATE FUNCTION pg_temp.reads() RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'kepler.records'::regclass
$$;
SELECT count(*) FROM kepler.upsert_records('contact',
    (SELECT json_agg(json_build_object('id', i)) FROM generate_series(1, 5000) AS i)::text, id_key => 'id', source => 'crm');
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'contact', source => 'crm') \gset
SELECT count(*) FROM kepler.upsert_records('contact',
    (SELECT json_agg(json_build_object('id', i)) FROM generate_series(51, 5000) AS i)::text, id_key => 'id', sync_run_id => :'run');
SELECT pg_temp.reads() AS before \gset
SELECT outcome, records, deleted, remaining FROM kepler.finish_sync(:'run', max_rows => 25);
SELECT pg_temp.reads() - :before BETWEEN 5000 AND 11000 AS twice;
-- A step reads only what it deletes.
SELECT pg_temp.reads() AS before \gset
SELECT outcome, records, deleted, remaining FROM kepler.finish_sync(:'run', max_rows => 25);
SELECT pg_temp.reads() - :before < 500 AS few;
ROLLBACK;
