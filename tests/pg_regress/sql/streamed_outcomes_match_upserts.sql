-- What is copied in and merged in steps of any size leaves the records, the counts and the notes that upsert_records leaves when it
-- is sent the same in batches of the same sizes.
\set SHOW_CONTEXT never
BEGIN;
SELECT setseed(0.5);
CREATE TEMPORARY TABLE elements AS
SELECT i AS place, CASE WHEN random() < 0.03 THEN '{"n": 1}' WHEN random() < 0.03 THEN '{"id": ' ELSE
    jsonb_strip_nulls(jsonb_build_object('id', (random() * 60)::int, 'v', (random() * 3)::int, 'k' || (random() * 2)::int, i,
        'at', CASE WHEN random() < 0.6 THEN format('2024-01-%s', 10 + (random() * 10)::int) END,
        'gone', CASE WHEN random() < 0.2 THEN true END))::text END AS line
FROM generate_series(1, 600) AS i;
CREATE TEMPORARY TABLE results (merge text, way text, step integer, counts jsonb);
CREATE FUNCTION pg_temp.play(merge text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    run text;
    step integer := 0;
    sizes constant integer[] := '{1, 7, 50, 3, 200, 39, 300}';
    before integer := 0;
    answer record;
BEGIN
    SELECT sync_run_id INTO run FROM kepler.begin_sync(NULL, 'sent ' || merge);
    FOREACH step IN ARRAY sizes LOOP
        INSERT INTO results SELECT merge, 'sent', before, kepler.upsert_records_summary('sent ' || merge, (
            SELECT string_agg(e.line, E'\n' ORDER BY e.place) FROM elements AS e WHERE e.place > before AND e.place <= before + step),
            sync_run_id => run, merge => merge, id_key => 'id', updated_at_key => 'at', deleted_key => 'gone');
        before := before + step;
    END LOOP;
    SELECT sync_run_id INTO run FROM kepler.begin_sync(NULL, 'copied ' || merge);
    INSERT INTO kepler.inbox (sync_run_id, line) SELECT run, e.line FROM elements AS e ORDER BY e.place;
    before := 0;
    FOREACH step IN ARRAY sizes LOOP
        SELECT * INTO answer FROM kepler.merge_inbox_batch(run, step, merge, 'id', 'at', 'gone');
        INSERT INTO results VALUES (merge, 'copied', before, answer.counts);
        before := before + step;
    END LOOP;
    IF answer.outcome <> 'finished' OR answer.remaining <> 0 THEN
        RAISE EXCEPTION 'something is left: %', answer;
    END IF;
END
$$;
SELECT pg_temp.play(merge) FROM unnest('{replace, shallow, deep, merge_patch}'::text[]) AS merge;
SELECT count(*) AS steps, sum((r.counts->>'total')::int) AS elements FROM results AS r;
SELECT s.merge, s.step, s.counts AS sent, c.counts AS copied FROM results AS s JOIN results AS c USING (merge, step)
WHERE s.way = 'sent' AND c.way = 'copied' AND s.counts <> c.counts;
-- The same records.
CREATE TEMPORARY VIEW found AS
SELECT split_part(r.entity_type, ' ', 1) AS way, split_part(r.entity_type, ' ', 2) AS merge, r.external_id, r.data, r.source_updated_at,
    r.deleted_at IS NOT NULL AS deleted
FROM kepler.records AS r WHERE r.entity_type ~ '^(sent|copied) ';
SELECT merge, count(*) AS records, count(*) FILTER (WHERE deleted) AS deleted FROM found WHERE way = 'copied' GROUP BY 1 ORDER BY 1;
(SELECT merge, external_id, data, source_updated_at, deleted FROM found WHERE way = 'sent'
 EXCEPT SELECT merge, external_id, data, source_updated_at, deleted FROM found WHERE way = 'copied')
UNION ALL
(SELECT merge, external_id, data, source_updated_at, deleted FROM found WHERE way = 'copied'
 EXCEPT SELECT merge, external_id, data, source_updated_at, deleted FROM found WHERE way = 'sent');
-- The same notes, and the same rejects.
SELECT count(DISTINCT noted) AS kinds FROM (
    SELECT array_agg(DISTINCT i.id ORDER BY i.id) AS noted FROM kepler.sync_seen AS s CROSS JOIN unnest(s.external_ids) AS i (id)
    JOIN kepler.sync_runs AS r ON r.id = s.sync_run_id GROUP BY r.entity_id) AS n;
SELECT count(DISTINCT (error_code, document)) AS rejects, count(DISTINCT entity_id) AS entities FROM kepler.rejects;

-- Writers copy and merge; readers see how far it is.
CREATE ROLE streamed_writer; CREATE ROLE streamed_reader;
SELECT kepler.grant_access('streamed_writer', 'writer'), kepler.grant_access('streamed_reader', 'reader');
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
SET LOCAL ROLE streamed_writer;
SELECT set_config('kepler.sync_run_id', sync_run_id, true) IS NOT NULL AS begun FROM kepler.begin_sync(NULL, 'written');
COPY kepler.inbox (external_id, data) FROM STDIN;
1	{}
\.
SET LOCAL ROLE streamed_reader;
SELECT done, total FROM kepler.sync_progress WHERE entity_type = 'written';
INSERT INTO kepler.inbox (external_id, data) VALUES ('2', '{}');
SELECT FROM kepler.merge_inbox_batch(current_setting('kepler.sync_run_id'));
SET LOCAL ROLE streamed_writer;
SELECT outcome, merged FROM kepler.merge_inbox_batch(current_setting('kepler.sync_run_id'));
ROLLBACK;
