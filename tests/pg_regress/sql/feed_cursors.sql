-- Cursors: what they are taken from, what they are refused for, filters, and consumers that the database remembers.
\set VERBOSITY terse
SET client_min_messages = warning;
-- A statistics run somewhere in the cluster may hold the end of the feed back for a moment.
CREATE FUNCTION public.settle() RETURNS void LANGUAGE plpgsql AS $$
DECLARE until constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
BEGIN
    WHILE pg_snapshot_xmin(pg_current_snapshot()) < until LOOP PERFORM pg_sleep(0.01); END LOOP;
END
$$;
CREATE FUNCTION public.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
    EXECUTE call;
    RETURN 'works';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''), nullif(hint, ''));
END
$$;
INSERT INTO kepler.workspaces (id, name) VALUES ('feed other', 'x');
SELECT kepler.feed_cursor() AS start \gset
SELECT kepler.feed_cursor('feed other') AS start_other \gset
INSERT INTO kepler.records (id, entity_type) SELECT 'feed ' || i, CASE WHEN i % 10 = 0 THEN 'ten' ELSE 'one' END FROM generate_series(1, 40) AS i;
INSERT INTO kepler.records (id, entity_type, workspace_id) VALUES ('feed there', 'one', 'feed other');
CREATE TABLE public.feed_table (id integer PRIMARY KEY);
SELECT kepler.track('public.feed_table');
INSERT INTO public.feed_table VALUES (1);
UPDATE kepler.records SET source = 'b' WHERE id = 'feed 1';

SELECT public.settle();

-- All of a workspace, by pages; a page ends where the next begins.
CREATE TABLE public.feed_pages (page integer, cursor text, row_id text, operation text);
CREATE FUNCTION public.pages(start text, max_rows integer, entity_type text DEFAULT NULL, relation regclass DEFAULT NULL) RETURNS TABLE (pages integer, changes bigint, ids bigint) LANGUAGE plpgsql AS $$
DECLARE
    cursor text := start; n integer := 0; found integer;
BEGIN
    TRUNCATE public.feed_pages;
    LOOP
        n := n + 1;
        INSERT INTO public.feed_pages SELECT n, c.cursor, c.row_id, c.operation
        FROM kepler.changes_since(cursor, max_rows, relation, entity_type) AS c;
        GET DIAGNOSTICS found = ROW_COUNT;
        EXIT WHEN found = 0;
        SELECT p.cursor INTO cursor FROM public.feed_pages AS p WHERE p.page = n ORDER BY p.ctid DESC LIMIT 1;
    END LOOP;
    RETURN QUERY SELECT n, count(p.operation), count(DISTINCT p.row_id) FROM public.feed_pages AS p;
END
$$;
SELECT * FROM public.pages(:'start', 7);
SELECT * FROM public.pages(:'start', 1000);
SELECT operation, count(*) FROM public.feed_pages GROUP BY 1 ORDER BY 1;
-- With a filter: a page that ends with what is not asked for has a last row that only moves the cursor on.
SELECT * FROM public.pages(:'start', 3, 'ten');
SELECT row_id, operation FROM public.feed_pages ORDER BY ctid;
SELECT * FROM public.pages(:'start', 1000, NULL, 'kepler.records');
SELECT * FROM public.pages(:'start', 1000, 'none', 'kepler.records');
SELECT row_id, operation FROM public.feed_pages;
-- Another workspace, and what belongs to none.
SELECT relation, row_id, operation FROM kepler.changes_since(:'start_other', workspace_id => 'feed other');
SELECT relation, row_id, operation FROM kepler.changes_since(NULL, relation => 'public.feed_table', workspace_id => NULL) WHERE operation IS NOT NULL;
-- The oldest there is.
SELECT count(*) >= 41 AS all FROM kepler.changes_since(max_rows => 100000);

SELECT public.settle();
-- What is no cursor of this feed.
SELECT replace(call, :'start', '…') AS call, public.refused('SELECT count(*) FROM kepler.changes_since(' || call || ')') FROM (VALUES
    ($$''$$), ($$'x'$$), ($$repeat('0', 58)$$), ($$repeat('f', 58)$$), ($$repeat('01', 1000000)$$), ($$'Ä' || repeat('0', 56)$$),
    (format('upper(%L)', :'start')), (format('%L || %L', :'start', '0')), (format('overlay(%L PLACING %L FROM 30)', :'start', CASE substr(:'start', 30, 1) WHEN 'a' THEN 'b' ELSE 'a' END)),
    (format('%L, workspace_id => %L', :'start', 'feed other')), (format('%L, workspace_id => NULL', :'start')),
    (format('%L, consumer => %L', :'start', 'c')), ($$consumer => 'nobody'$$), ($$consumer => 'no''body'$$),
    ($$NULL, 0$$), ($$NULL, 100001$$), ($$NULL, NULL$$)) AS c (call);
SELECT public.refused('SELECT kepler.acknowledge_changes(' || call || ')') FROM (VALUES
    ($$NULL, NULL$$), ($$'', 'x'$$), ($$'c', NULL$$), ($$'c', 'x'$$), ($$repeat('c', 200), 'x'$$), (format('%L, %L, %L', 'c', :'start', 'feed other'))) AS c (call);

SELECT public.settle();
-- A consumer: it begins with a cursor, reads without moving, and moves forward alone.
SELECT outcome, acknowledged_cursor = :'start' AS at_start FROM kepler.acknowledge_changes('indexer', :'start');
SELECT count(*) FROM kepler.changes_since(consumer => 'indexer');
SELECT cursor AS tenth FROM kepler.changes_since(consumer => 'indexer', max_rows => 10) OFFSET 9 \gset
SELECT outcome, acknowledged_cursor = :'tenth' AS at_tenth FROM kepler.acknowledge_changes('indexer', :'tenth');
SELECT outcome FROM kepler.acknowledge_changes('indexer', :'tenth');
SELECT outcome, acknowledged_cursor = :'tenth' AS at_tenth FROM kepler.acknowledge_changes('indexer', :'start');
SELECT count(*) FROM kepler.changes_since(consumer => 'indexer');
SELECT c.name, c.acknowledged_at > c.created_at AS moved FROM kepler.consumers AS c;
SELECT held_by, c->>'consumer' AS consumer, c->'waiting' AS waiting, (c->>'oldest_at') IS NOT NULL AS has_time, c->'problem' AS problem
FROM kepler.feed_lag(), jsonb_array_elements(consumers) AS c;
-- One that holds a cursor of before a change of layout cannot go on, and is told why.
UPDATE kepler.consumers SET cursor = 'v0' WHERE name = 'indexer';
SELECT c->'waiting' AS waiting, c->'problem' AS problem FROM kepler.feed_lag(), jsonb_array_elements(consumers) AS c;
SELECT outcome FROM kepler.acknowledge_changes('indexer', :'start');

-- A change that is lost, as by a copy of the files that is put back: whoever stands at it is told, and others go on.
BEGIN;
DELETE FROM kepler.feed WHERE row_id = (SELECT c.row_id FROM kepler.changes_since(:'start') AS c WHERE c.cursor = :'tenth') AND operation = 'INSERT';
SELECT public.refused(format('SELECT kepler.changes_since(%L)', :'tenth'));
SELECT count(*) FROM kepler.changes_since(:'start');
ROLLBACK;
SELECT count(*) FROM kepler.changes_since(:'tenth');

DELETE FROM kepler.consumers;
DROP TABLE public.feed_table, public.feed_pages;
DROP FUNCTION public.refused, public.pages, public.settle;
DELETE FROM kepler.records;
DELETE FROM kepler.workspaces WHERE id = 'feed other';
