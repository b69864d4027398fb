-- Rows that land in the default partition never block maintenance or lose order; and what is deleted for its age is missed by
-- nobody without an error.
\set VERBOSITY terse
SET client_min_messages = warning;
-- A statistics run somewhere in the cluster may hold the end of the feed back for a moment.
CREATE FUNCTION public.settle() RETURNS void LANGUAGE plpgsql AS $$
DECLARE until constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
BEGIN
    WHILE pg_snapshot_xmin(pg_current_snapshot()) < until LOOP PERFORM pg_sleep(0.01); END LOOP;
END
$$;
CREATE FUNCTION public.partitions() RETURNS TABLE (partition text, changes bigint) LANGUAGE plpgsql AS $$
DECLARE this_week constant text := 'feed_' || to_char(date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC'), 'YYYYMMDD');
BEGIN
    FOR partition IN SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'kepler.feed'::regclass ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM kepler.%I WHERE row_id LIKE ''default %%''', partition) INTO changes;
        partition := CASE WHEN partition = this_week THEN 'this week' WHEN partition > this_week AND partition ~ '[0-9]$' THEN 'later' ELSE 'default' END;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT kepler.feed_cursor() AS start \gset
INSERT INTO kepler.records (id, entity_type) VALUES ('default 1', 'd');
-- Nobody has called maintain_feed for long.
DO $$
DECLARE partition regclass;
BEGIN
    FOR partition IN SELECT i.inhrelid FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '[0-9]{8}$' AND c.relname > 'feed_' || to_char(date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC'), 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %s', partition);
    END LOOP;
    EXECUTE format('ALTER TABLE kepler.feed DETACH PARTITION kepler.%I', 'feed_' || to_char(date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC'), 'YYYYMMDD'));
    EXECUTE format('ALTER TABLE kepler.%I RENAME TO feed_detached', 'feed_' || to_char(date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC'), 'YYYYMMDD'));
END
$$;
INSERT INTO kepler.records (id, entity_type) VALUES ('default 2', 'd'), ('default 3', 'd');
SELECT * FROM public.partitions();
-- It makes what it can: this week stays in the default partition, as its rows lie there, and later weeks do not.
CALL kepler.maintain_feed();
SELECT * FROM public.partitions();
INSERT INTO kepler.records (id, entity_type) VALUES ('default 4', 'd');
CALL kepler.maintain_feed();
SELECT * FROM public.partitions();
-- Once they are gone from there, the week gets its partition, and changes go on in it, behind those of before.
BEGIN;
CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM kepler.feed_default;
DELETE FROM kepler.feed_default;
SELECT kepler_internal.make_partitions($$feed$$, $$week$$, 4) AS made;
INSERT INTO kepler.feed SELECT * FROM kept;
COMMIT;
INSERT INTO kepler.records (id, entity_type) VALUES ('default 5', 'd');
SELECT * FROM public.partitions();
INSERT INTO kepler.feed SELECT * FROM kepler.feed_detached;
DROP TABLE kepler.feed_detached;
SELECT public.settle();
SELECT string_agg(row_id, ', ' ORDER BY n) AS in_order
FROM kepler.changes_since(:'start') WITH ORDINALITY AS c (cursor, relation, row_id, entity_type, operation, sequence, created_at, n);

-- Rows of before go by their age, wherever they lie. A consumer behind them is told; one that has read them goes on.
SELECT cursor AS third FROM kepler.changes_since(:'start') WHERE row_id = 'default 3' \gset
SELECT cursor AS fourth FROM kepler.changes_since(:'start') WHERE row_id = 'default 4' \gset
SELECT outcome FROM kepler.acknowledge_changes('late', :'start');
-- Three are made old: two in the default partition, and one in a partition of its week.
BEGIN;
CREATE TEMPORARY TABLE old ON COMMIT DROP AS SELECT * FROM kepler.feed WHERE row_id IN ('default 1', 'default 2', 'default 3');
DELETE FROM kepler.feed WHERE row_id IN ('default 1', 'default 2', 'default 3');
CREATE TABLE kepler.feed_20240101 PARTITION OF kepler.feed FOR VALUES FROM ('2024-01-01 00:00Z') TO ('2024-01-08 00:00Z');
INSERT INTO kepler.feed SELECT o.xid, o.sequence, CASE row_id WHEN 'default 1' THEN timestamptz '2024-01-02 00:00Z' ELSE '2024-06-05 00:00Z' END,
    o.epoch, o.table_id, o.operation, o.workspace_id, o.row_id, o.entity_type FROM old AS o;
COMMIT;
SELECT public.settle();
SELECT count(*) FROM kepler.changes_since(:'start');
CALL kepler.maintain_feed('10000 years');
SELECT count(*) FROM kepler.changes_since(:'start');
CALL kepler.maintain_feed();
SELECT to_regclass('kepler.feed_20240101') AS dropped;
SELECT d.workspace_id, d.epoch > 0 AS noted FROM kepler.feed_dropped AS d WHERE d.workspace_id = 'default';
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT count(*) FROM kepler.changes_since(:'start');
DO $$ BEGIN PERFORM kepler.changes_since(consumer => 'late'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
SELECT c->>'problem' AS problem FROM kepler.feed_lag(), jsonb_array_elements(consumers) AS c;
\set VERBOSITY terse
SELECT string_agg(row_id, ', ') AS goes_on FROM kepler.changes_since(:'third');
SELECT string_agg(row_id, ', ') AS goes_on FROM kepler.changes_since(:'fourth');
-- From the oldest that is there, on purpose.
SELECT count(*) > 0 AS reads FROM kepler.changes_since();
-- What is dropped may be served behind what is left. Whoever begins without a cursor begins behind both, and can go on.
BEGIN;
CREATE TEMPORARY TABLE old ON COMMIT DROP AS SELECT * FROM kepler.feed WHERE row_id = 'default 5';
DELETE FROM kepler.feed WHERE row_id = 'default 5';
INSERT INTO kepler.feed SELECT o.xid, o.sequence, '2024-06-05 00:00Z', o.epoch, o.table_id, o.operation, o.workspace_id, o.row_id, o.entity_type FROM old AS o;
COMMIT;
CALL kepler.maintain_feed();
SELECT count(*) FROM kepler.feed WHERE row_id = 'default 4';
INSERT INTO kepler.records (id, entity_type) VALUES ('default 6', 'd');
SELECT public.settle();
SELECT cursor AS sixth, row_id FROM kepler.changes_since() \gset
SELECT :'row_id' AS first;
SELECT count(*) AS goes_on FROM kepler.changes_since(:'sixth');
-- Arguments.
CALL kepler.maintain_feed(NULL);
CALL kepler.maintain_feed('1 minute');
CALL kepler.maintain_feed('-1 day');
BEGIN;
CALL kepler.maintain_feed();
ROLLBACK;

DELETE FROM kepler.consumers;
DELETE FROM kepler.feed_dropped;
DELETE FROM kepler.records;
DROP FUNCTION public.partitions, public.settle;
