-- What has no rows that grow old, times that are none, and what would go below a floor are refused, with the reason.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE public.plain (id integer PRIMARY KEY, created_at timestamptz, n integer, words text, list timestamptz[]);
CREATE VIEW public.a_view AS SELECT * FROM plain;
CREATE MATERIALIZED VIEW public.a_matview AS SELECT * FROM plain;
CREATE TABLE public.inherited (id integer, created_at timestamptz);
CREATE TABLE public.heir () INHERITS (inherited);
CREATE TABLE public.whole (id integer, created_at timestamptz) PARTITION BY RANGE (created_at);
CREATE TABLE public.whole_part PARTITION OF whole DEFAULT;
CREATE TABLE public.timeless (id integer, "Began" date);
CREATE TEMPORARY TABLE passing (created_at timestamptz);
CREATE FUNCTION public.try(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; hint text; detail text;
BEGIN
    EXECUTE 'SELECT ' || call;
    RETURN 'works';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state, regexp_replace(message, 'pg_temp_\d+', 'pg_temp'), nullif(detail, ''), nullif(hint, ''));
END
$$;
SELECT public.try(format('kepler.set_retention(%s)', c)) FROM (VALUES
    (1, $$'a_view', '1 day'$$), (2, $$'a_matview', '1 day'$$), (3, $$'inherited', '1 day'$$), (4, $$'whole_part', '1 day'$$), (5, $$'passing', '1 day'$$),
    (6, $$'pg_class', '1 day'$$), (7, $$'information_schema.sql_features', '1 day'$$), (8, $$'plain_pkey', '1 day'$$),
    (9, $$'kepler.history', '100 years'$$), (10, $$'kepler.history_default', '100 years'$$), (11, $$'kepler.history_seals', '100 years'$$),
    (12, $$'kepler.users', '1 day'$$), (13, $$'kepler.retention_policies', '1 day'$$), (14, $$'kepler.execution_steps', '1 day'$$), (15, $$'kepler.sync_seen', '1 day'$$),
    (16, $$'kepler.feed_default', '1 day', workspace_id => NULL$$), (17, $$'kepler.feed', '1 day'$$), (18, $$'kepler.feed', '1 day', 'created_at', workspace_id => NULL$$),
    (19, $$0::regclass, '1 day'$$), (20, $$NULL, '1 day'$$),
    (30, $$'plain', NULL$$), (31, $$'plain', '0'$$), (32, $$'plain', '-1 day'$$), (33, $$'plain', '1 month -1 day'$$), (34, $$'plain', '1 day -1 second'$$), (35, $$'plain', '5001 years'$$),
    (40, $$'plain', '1 day', 'nothing'$$), (41, $$'plain', '1 day', 'n'$$), (42, $$'plain', '1 day', 'words'$$), (43, $$'plain', '1 day', 'list'$$), (44, $$'plain', '1 day', 'ctid'$$), (45, $$'timeless', '1 day'$$),
    (50, $$'plain', '1 day', filter => '{"nothing": 1}'$$), (51, $$'plain', '1 day', filter => '{"n": "x"}'$$), (52, $$'plain', '1 day', filter => '{"n": {"$what": 1}}'$$), (53, $$'plain', '1 day', filter => '3'$$),
    (60, $$'kepler.rejects', '1 day', workspace_id => 'nowhere'$$), (61, $$'kepler.rejects', '1 day', workspace_id => ''$$)
) AS v (n, c) ORDER BY n;
SELECT public.try($$kepler.drop_retention(NULL)$$), public.try($$kepler_internal.apply_retention(-1, 10)$$), public.try($$kepler_internal.apply_retention(-1, 0)$$);
CALL kepler.run_retention(NULL);
CALL kepler.run_retention('0');
CALL kepler.run_retention('-1 second');
BEGIN;
CALL kepler.run_retention();
ROLLBACK;
SELECT count(*) FROM kepler.retention_policies;
DROP FUNCTION public.try;
DROP VIEW a_view;
DROP MATERIALIZED VIEW a_matview;
DROP TABLE plain, heir, inherited, whole, timeless;
