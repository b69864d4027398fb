-- Rows that are older than a policy keeps them go, and no others; in batches, by page or along an index, and partitions as a whole.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE TABLE public.aged (id integer PRIMARY KEY, created_at timestamptz, temporary boolean, data jsonb);
INSERT INTO aged SELECT n, now() - n * interval '1 day' - interval '1 hour', n % 2 = 0, jsonb_build_object('n', n) FROM generate_series(1, 60) AS n;
-- No time, and times that never were: kept.
INSERT INTO aged VALUES (101, NULL, true), (102, '-infinity', true), (103, 'infinity', true);

-- What is marked as temporary goes after 30 days. The same again changes nothing; another filter is another policy.
SELECT outcome FROM kepler.set_retention('aged', '30 days', filter => '{"temporary": true}');
SELECT outcome FROM kepler.set_retention('aged', '30 days', filter => '{"temporary": true}');
SELECT outcome FROM kepler.set_retention('aged', '31 days', filter => '{"temporary": true}');
SELECT outcome, policy_id AS policy FROM kepler.set_retention('aged', '30 days', filter => '{"temporary": true}') \gset
SELECT relation, workspace_id, time_column, keep, filter, is_estimate, missing_index FROM kepler.retention_report();
CREATE INDEX ON aged (created_at);
SELECT row_count, is_estimate, date_trunc('hour', now() - oldest_at) AS age, due_at - oldest_at AS due_after, missing_index FROM kepler.retention_report();
-- Each batch gives how many rows went; 0 when nothing is left.
SELECT kepler_internal.apply_retention(:policy, 10) AS first, kepler_internal.apply_retention(:policy, 10) AS second,
    kepler_internal.apply_retention(:policy, 10) AS third;
SELECT count(*), count(*) FILTER (WHERE temporary AND id BETWEEN 30 AND 100) AS old FROM aged;
SELECT deleted_rows, kept_rows, last_succeeded_at IS NOT NULL AS succeeded, problem FROM kepler.retention_report();
-- A filter into a document, and a policy without one. Without the index.
DROP INDEX aged_created_at_idx;
SELECT outcome FROM kepler.set_retention('aged', '40 days', filter => '{"data.n": {"$gt": 50}}');
CALL kepler.run_retention();
SELECT count(*) FILTER (WHERE id BETWEEN 51 AND 100) AS over_fifty, count(*) FROM aged;
SELECT outcome FROM kepler.set_retention('aged', '10 days');
CALL kepler.run_retention('10 seconds');
SELECT array_agg(id ORDER BY id) FROM aged;
SELECT kepler.drop_retention(policy_id) FROM kepler.retention_report();
SELECT kepler.drop_retention(:policy);
CALL kepler.run_retention();

-- A timestamp is read as UTC, and a date is as old as the end of its day, whatever the zone of the session.
CREATE TABLE public.moments (at timestamp);
CREATE TABLE public.days (day date);
INSERT INTO moments SELECT (now() AT TIME ZONE 'UTC') - n * interval '1 hour' - interval '1 minute' FROM generate_series(0, 30) AS n;
INSERT INTO days SELECT (now() AT TIME ZONE 'UTC')::date - n FROM generate_series(0, 6) AS n;
SELECT outcome FROM kepler.set_retention('moments', '1 day', 'at') UNION ALL SELECT outcome FROM kepler.set_retention('days', '2 days', 'day');
SET timezone = 'Asia/Tokyo';
CALL kepler.run_retention();
RESET timezone;
SELECT (SELECT count(*) FROM moments), (SELECT count(*) FROM days);
-- A month before the end of March is the end of February.
SELECT kepler_internal.is_undercut('28 days', '1 month') AS in_february, kepler_internal.is_undercut('31 days', '1 month') AS in_january,
    kepler_internal.is_undercut('365 days', '1 year') AS in_a_leap_year, kepler_internal.is_undercut('366 days', '1 year') AS never,
    kepler_internal.is_undercut('12 months', '1 year') AS same;

-- The table and its column are followed under other names. One that was made anew is another table.
ALTER TABLE moments RENAME COLUMN at TO "When It Was";
ALTER TABLE moments RENAME TO "Moments";
INSERT INTO "Moments" VALUES ('2000-01-01');
DROP TABLE days;
CREATE TABLE public.days (day date);
INSERT INTO days VALUES ('2000-01-01');
SET client_min_messages = error;
CALL kepler.run_retention();
SELECT (SELECT min("When It Was") > '2000-01-01' FROM "Moments"), (SELECT count(*) AS days FROM days);
SELECT relation, time_column, regexp_replace(problem, '\d+', 'N') AS problem FROM kepler.retention_report();
SELECT outcome FROM kepler.set_retention('days', '2 days', 'day');
ALTER TABLE "Moments" DROP COLUMN "When It Was";
CALL kepler.run_retention();
SELECT (SELECT count(*) AS days FROM days), regexp_replace(problem, '\d+', 'N') AS problem FROM kepler.retention_report() WHERE relation LIKE '%Moments"';
DROP TABLE "Moments", days;
CALL kepler.run_retention();
SELECT relation, regexp_replace(problem, '\d+', 'N') AS problem FROM kepler.retention_report() ORDER BY policy_id;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
SET client_min_messages = warning;

-- A row that another one refers to is kept and counted. What cascades goes along, and what is set to NULL is.
CREATE TABLE public.parents (id integer PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01');
CREATE TABLE public.keeping (id integer PRIMARY KEY, parent_id integer REFERENCES parents);
CREATE TABLE public.going (id integer PRIMARY KEY, parent_id integer REFERENCES parents ON DELETE CASCADE);
CREATE TABLE public.staying (id integer PRIMARY KEY, parent_id integer REFERENCES parents ON DELETE SET NULL);
CREATE TABLE public.waiting (id integer PRIMARY KEY, parent_id integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
INSERT INTO parents SELECT n FROM generate_series(1, 200) AS n;
INSERT INTO keeping SELECT n, n * 20 FROM generate_series(1, 5) AS n;
INSERT INTO going SELECT n, n FROM generate_series(1, 200) AS n;
INSERT INTO staying SELECT n, n FROM generate_series(1, 200) AS n;
INSERT INTO waiting VALUES (1, 150);
SELECT outcome FROM kepler.set_retention('parents', '30 days');
CALL kepler.run_retention();
SELECT (SELECT array_agg(id ORDER BY id) AS parents FROM parents), (SELECT count(*) AS going FROM going),
    (SELECT count(*) AS staying FROM staying WHERE parent_id IS NULL), kept_rows, deleted_rows, problem FROM kepler.retention_report();
-- With indexes on the references and the time, the rows that are kept are not tried.
CREATE INDEX ON keeping (parent_id);
CREATE INDEX ON waiting (parent_id);
CREATE INDEX ON parents (created_at);
CALL kepler.run_retention();
SELECT row_count, kept_rows, deleted_rows, problem FROM kepler.retention_report();
DELETE FROM keeping;
CALL kepler.run_retention();
SELECT kept_rows, deleted_rows FROM kepler.retention_report();
DROP TABLE parents, keeping, going, staying, waiting, aged CASCADE;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();

-- Partitions that lie below go as a whole, but for those that rows without an age may be in; the others by rows.
CREATE TABLE public.parted (id integer, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE public.parted_first PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('2019-01-01 00:00+00');
CREATE TABLE public.parted_2019 PARTITION OF parted FOR VALUES FROM ('2019-01-01 00:00+00') TO ('2020-01-01 00:00+00');
CREATE TABLE public.parted_2020 PARTITION OF parted FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00');
CREATE TABLE public.parted_rest PARTITION OF parted FOR VALUES FROM ('2021-01-01 00:00+00') TO ('2999-01-01 00:00+00');
CREATE TABLE public.parted_default PARTITION OF parted DEFAULT;
INSERT INTO parted VALUES (1, '-infinity'), (2, '2018-01-01'), (3, '2019-05-01'), (4, '2020-05-01'), (5, '2021-05-01'), (6, now()), (7, '3000-01-01'), (8, NULL);
SELECT outcome, policy_id AS policy FROM kepler.set_retention('parted', '30 days', 'at') \gset
SELECT partition_count, missing_index FROM kepler.retention_report();
-- A partition that something depends on goes by rows.
CREATE VIEW public.of_2020 AS SELECT * FROM parted_2020;
SET datestyle = 'SQL, DMY';
CALL kepler.run_retention();
RESET datestyle;
SELECT tableoid::regclass AS partition, id FROM parted ORDER BY id;
SELECT to_regclass('parted_2019') AS of_2019, to_regclass('parted_2020') AS of_2020, dropped_partitions, problem FROM kepler.retention_report();
DROP VIEW of_2020;
-- Where triggers have to notice each row, no partition is dropped.
DELETE FROM parted WHERE at IS NULL;
ALTER TABLE parted ADD PRIMARY KEY (id, at);
SELECT kepler.track('parted', 'deletions');
SELECT kepler.feed_cursor() IS NOT NULL AS fed, kepler.track('parted') AS tracked;
INSERT INTO parted VALUES (9, '2020-06-01'), (10, '2021-06-01');
CALL kepler.run_retention();
SELECT to_regclass('parted_2020') AS of_2020, array_agg(id ORDER BY id) FROM parted;
SELECT row_id, operation FROM kepler.feed WHERE table_id = (SELECT max(id) FROM kepler.tracked_tables WHERE level = 'feed') ORDER BY sequence;
SELECT operation, old_values - 'at' AS deleted FROM kepler.history WHERE table_id = (SELECT max(id) FROM kepler.tracked_tables WHERE level = 'deletions') ORDER BY sequence;
SELECT kepler.untrack('parted'), kepler.untrack('parted', 'deletions');
SELECT kepler.drop_retention(:policy);
DROP TABLE parted;
SELECT count(*) FROM kepler.retention_policies;
