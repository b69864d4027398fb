-- What writes every row anew is not done by the way: the error tells which steps, and how to allow them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Counter', '{"fields": [{"name": "n", "type": "integer", "default": 1, "min": 0, "unique": true},
    {"name": "price", "type": "decimal", "precision": 6, "scale": 2}, {"name": "day", "type": "date"}, {"name": "code", "type": "text"}]}');
INSERT INTO kepler_data.counter_1_entries (n, price, day, code) VALUES (2147483647, 1234.56, '2024-08-14', '12'), (0, -0.01, '0044-03-15 BC', '13');
ANALYZE kepler_data.counter_1_entries;

\set document '{"fields": [{"name": "n", "type": "bigint", "default": 1, "min": 0, "unique": true}, {"name": "price", "type": "decimal", "precision": 9, "scale": 4}, {"name": "day", "type": "timestamp"}, {"name": "code", "type": "integer"}]}'
SELECT step, operation, object, class, lock, estimated_rows, statement FROM kepler.plan_entry_table('Counter', :'document');
SELECT kepler.alter_entry_table('Counter', :'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Counter', :'document', allow => '{rewrite}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Counter', :'document', allow => '{convert}');
-- Words that are none, and NULL.
SELECT kepler.alter_entry_table('Counter', :'document', allow => '{rewrite,everything}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Counter', :'document', allow => NULL);
SELECT kepler.alter_entry_table('Counter', :'document', allow => '{NULL}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Counter', :'document', options => '{"lock_timeout_ms": 0, "lock_attempts": "3", "version": 0, "force": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Allowed, every value is what it was, whatever time zone and date style the session has.
SET LOCAL timezone = 'Pacific/Kiritimati';
SET LOCAL datestyle = 'SQL, DMY';
SELECT kepler.alter_entry_table('Counter', :'document', allow => '{rewrite,convert}');
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SELECT entry_id, n, price, day, code FROM kepler_data.counter_1_entries ORDER BY entry_id;
INSERT INTO kepler_data.counter_1_entries DEFAULT VALUES RETURNING n;
\set VERBOSITY terse
INSERT INTO kepler_data.counter_1_entries (n) VALUES (-1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler_data.counter_1_entries (n) VALUES (0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.plan_entry_table('Counter', :'document');
ROLLBACK;
