-- A change that runs into the client's time-out is undone as a whole: no step of it stays, no version is noted, and the
-- same call goes through later. With peers such a change was left half-applied.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Slow', '{"fields": [{"name": "n", "type": "integer", "min": 0}, {"name": "gone", "type": "text"}]}');
INSERT INTO kepler_data.slow_1_entries (n, gone) SELECT i, 'kept' FROM generate_series(1, 10) AS i;
-- A constraint that takes its time with every row.
ALTER TABLE kepler_data.slow_1_entries ADD CONSTRAINT takes_time CHECK (n > 100 OR pg_sleep(0.1) IS NOT NULL);
\set document '{"fields": [{"name": "n", "type": "bigint", "min": 1}, {"name": "added", "type": "text", "index": true}]}'
SELECT step, operation, object FROM kepler.plan_entry_table('Slow', :'document');
CREATE TEMP VIEW traces AS SELECT attname::text, atttypid::regtype::text AS type FROM pg_attribute WHERE attrelid = 'kepler_data.slow_1_entries'::regclass AND attnum > 0
    UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'kepler_data.slow_1_entries'::regclass;
CREATE TEMP TABLE before AS TABLE traces;
SET LOCAL statement_timeout = '400ms';
SELECT kepler.alter_entry_table('Slow', :'document', allow => '{rewrite}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET LOCAL statement_timeout = 0;
TABLE traces EXCEPT TABLE before;
TABLE before EXCEPT TABLE traces;
SELECT t.version, (SELECT count(*) FROM kepler.structures) AS versions, (SELECT count(*) FROM kepler.hidden_fields) AS hidden, current_setting('lock_timeout') AS lock_timeout,
    current_user = session_user AS same_role
FROM kepler.entry_tables AS t;
SELECT kepler.alter_entry_table('Slow', :'document', allow => '{rewrite}');
SELECT kepler.restore_field('Slow', 'gone');
SELECT count(*) AS entries, sum(n) AS sum, count(gone) AS kept FROM kepler_data.slow_1_entries;
ROLLBACK;
